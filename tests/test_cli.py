"""The command line and the scripts speak in sentences and write every file they name."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tianbao.cli import main

SIMS = Path(__file__).parents[1] / "sims"


def script(name):
    """A script of sims/ as a module."""
    spec = importlib.util.spec_from_file_location(name, SIMS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_forward_crawl_writes_every_file_and_fails_when_there_was_no_time_to_crawl(tmp_path, capsys):
    out = tmp_path / "crawl"
    code = script("forward_crawl").main(["--duration", "400", "--out", str(out)])
    said = capsys.readouterr().out
    assert code == 1 and "did not crawl" in said
    written = {path.name for path in out.iterdir()}
    assert {"results.h5", "summary.json", "config.toml", "kymograph.png", "traces.png"} <= written
    assert written & {"crawl.mp4", "crawl.gif"}
    assert all(name in said for name in written)
    assert all(path.stat().st_size > 0 for path in out.iterdir())


def test_the_written_configuration_is_complete(tmp_path):
    import tomllib

    out = tmp_path / "crawl"
    script("forward_crawl").main(["--duration", "100", "--seed", "7", "--out", str(out), "--no-video"])
    config = tomllib.loads((out / "config.toml").read_text())
    assert config["run"]["seed"] == 7
    assert set(config) == {"run", "worm", "material", "medium", "parameters"}


def test_a_wrong_medium_is_one_sentence(capsys):
    assert main(["run", "--medium", "aggar"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "did you mean 'agar'" in error


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc").exists(), reason="needs a read-only place")
def test_an_unwritable_output_is_one_sentence_before_anything_is_computed(capsys):
    assert main(["run", "--duration", "100", "--out", "/proc/tianbao"]) == 2
    error = capsys.readouterr().err
    assert "/proc/tianbao" in error and error.count("\n") == 1


def test_neurons_and_muscles_are_listed_by_glob(capsys):
    assert main(["neurons", "VB1*"]) == 0
    assert {"VB1", "VB10", "VB11"} <= set(capsys.readouterr().out.split())
    assert main(["muscles", "MVL2?"]) == 0
    assert "MVL24" not in capsys.readouterr().out
    assert main(["neurons", "XYZ"]) == 2
    assert "unknown neuron" in capsys.readouterr().err


def test_doctor_names_versions_and_mechanisms(capsys):
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "neuron" in said and "mechanisms" in said


def test_scripts_explain_themselves():
    for path in sorted(SIMS.glob("*.py")):
        said = subprocess.run([sys.executable, path, "--help"], capture_output=True, text=True, check=True).stdout
        assert "Question" in said or "?" in said, path.name


def test_controls_judge_a_table_by_the_bars():
    import pandas as pd

    controls = script("controls")
    speeds = {"stretch receptors off": 0.0, "AVB-B gap junctions cut": 0.01, "isotropic drag": 0.0, "shuffled x": 0.01}
    table = pd.DataFrame({"control": list(speeds), "forward_speed_mm_s": list(speeds.values())})
    assert controls.passed(table)
    table.loc[0, "forward_speed_mm_s"] = -0.2
    assert not controls.passed(table)


@pytest.mark.slow
def test_controls_and_convergence_run(tmp_path):
    brief = ["--duration", "200", "--out", str(tmp_path)]
    assert script("controls").main([*brief, "--seed", "1", "--shuffles", "1"]) in (0, 1)
    assert (tmp_path / "controls.csv").exists()
    assert script("convergence").main(brief) in (0, 1)
    assert (tmp_path / "convergence.csv").exists()
