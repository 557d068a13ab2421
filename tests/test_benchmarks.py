"""The benchmark runs, writes what it names, and fails when a ratio fell."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "engines.py"


def benchmark(out, *arguments):
    command = [sys.executable, str(SCRIPT), "--duration", "40", "--rounds", "1", "--only", "native f64,", "--out", out]
    return subprocess.run([*map(str, command), *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_benchmark_writes_its_files_agrees_with_neuron_and_guards_ratios(tmp_path):
    first = benchmark(tmp_path)
    assert first.returncode == 0, first.stderr[-2000:]
    table = pd.read_csv(tmp_path / "engines.csv").set_index("variant")
    assert {path.name for path in tmp_path.iterdir()} == {"engines.csv", "engines.png"}
    assert "engines.csv" in first.stdout and "load" in first.stdout and "triad" in first.stdout
    assert table.ratio["NEURON"] == 1.0 and table.ratio["native f64, 1-segment soma"] > 2.0
    assert table.max_dv_mv["native f64, 1-segment soma"] < 1e-9

    impossible = tmp_path / "recorded.csv"
    table.assign(ratio=table.ratio * 10).reset_index().to_csv(impossible, index=False)
    second = benchmark(tmp_path / "again", "--check", impossible)
    assert second.returncode == 1 and "ratio" in second.stdout
