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


@pytest.mark.slow
def test_the_body_benchmark_writes_its_table_and_guards_ratios(tmp_path):
    script = SCRIPT.with_name("body.py")

    def run(*arguments):
        command = [sys.executable, script, "--rounds", "1", "--only", "tolerance", "--out", tmp_path, *arguments]
        return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)

    assert run().returncode == 0
    table = pd.read_csv(tmp_path / "body.csv")
    assert list(table.variant) == ["441 vertices, agar", "tolerance 1e-6"]
    assert (table.times_real_time > 0.5).all() and table.cost_ratio[0] == 1.0
    # Against a table that says it once took a tenth, it has become slower.
    table.cost_ratio *= [1.0, 0.1]
    table.to_csv(tmp_path / "before.csv", index=False)
    assert run("--check", tmp_path / "before.csv").returncode == 1
