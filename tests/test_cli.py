"""The command line and the scripts speak in sentences and write every file they name."""

import importlib.util
import math
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tianbao.cli import in_processes, main

SIMS = Path(__file__).parents[1] / "sims"


def script(name):
    """A script of sims/ as a module, which finds what lies beside it as a started one does."""
    if str(SIMS) not in sys.path:
        sys.path.insert(0, str(SIMS))
    spec = importlib.util.spec_from_file_location(name, SIMS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_jobs_in_processes_come_back_in_order_and_leave_nothing_behind():
    code = "import math\nfrom tianbao.cli import session\nsession._UNTOLD_S = 0.0\n"
    code += "print(list(session.in_processes(math.sqrt, [9.0, 4.0, 1.0], 2)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120.0)
    assert done.stdout.strip() == "[3.0, 2.0, 1.0]"
    told = [line.partition(",") for line in done.stderr.splitlines()]
    assert [each[0] for each in told] == ["run 1 of 3", "run 2 of 3"] and all("min left" in each[2] for each in told)
    with pytest.raises(ValueError, match="math domain error|nonnegative"):
        list(in_processes(math.sqrt, [-1.0], 1))


def test_forward_crawl_writes_every_file_and_fails_when_there_was_no_time_to_crawl(tmp_path, capsys):
    out = tmp_path / "crawl"
    code = script("forward_crawl").main(["--duration", "400", "--out", str(out)])
    said = capsys.readouterr().out
    assert code == 1 and "no verdict: the run is too short to judge; " in said and "did not" not in said
    written = {path.name for path in out.iterdir()}
    assert {"results.h5", "summary.json", "config.toml", "kymograph.png", "traces.png"} <= written
    assert written & {"crawl.mp4", "crawl.gif"}
    assert all(name in said for name in written)
    assert all(path.stat().st_size > 0 for path in out.iterdir())


def test_the_written_configuration_repeats_the_run(tmp_path):
    import tianbao as tb

    crawl, first, second = script("forward_crawl"), tmp_path / "first", tmp_path / "second"
    crawl.main(["--engine", "native", "--duration", "60", "--seed", "7", "--out", str(first), "--no-video"])
    crawl.main([str(first / "config.toml"), "--out", str(second), "--no-video"])
    one, two = tb.open(first / "results.h5"), tb.open(second / "results.h5")
    assert two.seed == 7 and (one.worms[0].midline == two.worms[0].midline).all()


def test_ctrl_c_leaves_a_readable_file_and_its_exit_code(tmp_path):
    import signal
    import time

    import tianbao as tb

    command = [sys.executable, SIMS / "forward_crawl.py", "--engine", "native", "--duration", "600000"]
    command += ["--out", tmp_path]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "to simulate" in line:
            break
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    process.stderr.close()
    kept = tb.open(tmp_path / "results.h5")
    # How many frames there are depends on the machine; that they are kept is another test's claim.
    assert not kept.complete and len(kept.time) < 30_000


def test_order_and_soma_compartments_reach_the_results(tmp_path):
    import tomllib

    import tianbao as tb

    options = ["--set", "clock.order=2", "--set", "worm.soma_compartments=1", "--set", "clock.dt=0.05"]
    options += ["--engine", "native"]
    # One: 40 ms are too short to crawl.
    assert main(["run", "--duration", "40", "--out", str(tmp_path), "--no-video", *options]) == 1
    kept = tomllib.loads(tb.open(tmp_path / "results.h5").config_toml)
    written = tomllib.loads((tmp_path / "config.toml").read_text())
    for each in (kept, written):
        assert each["clock"]["order"] == 2 and each["worm"]["soma_compartments"] == 1


@pytest.mark.parametrize("option", ["clock.order", "worm.soma_compartments"])
def test_a_wrong_order_or_soma_is_one_sentence(option, capsys, tmp_path):
    assert main(["run", "--set", f"{option}=3", "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "1" in error and "2" in error


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
    # One process for all of them: most of what each takes is the imports.
    code = "import runpy, sys; sys.argv[1:], path = ['--help'], sys.argv[1]; runpy.run_path(path, run_name='__main__')"
    child = f"""if True:
        import contextlib, io, os, pathlib, sys
        for path in sorted(pathlib.Path(sys.argv[1]).glob("*.py")):
            if path.name == "on_command.py":  # shared by two of them
                continue
            sys.argv, said = [str(path), str(path)], io.StringIO()
            sys.path.insert(0, str(path.parent))
            with contextlib.redirect_stdout(said):
                try:
                    exec({code!r})
                except SystemExit as stop:
                    assert not stop.code, path.name
            assert "?" in said.getvalue(), path.name
    """
    subprocess.run([sys.executable, "-c", child, SIMS], check=True)


@pytest.mark.slow
def test_a_foreign_compiled_folder_beside_the_user_does_no_harm(tmp_path):
    from tianbao import mechanisms

    foreign = tmp_path / platform.machine()
    foreign.mkdir()
    library = mechanisms.build()
    shutil.copy(library, foreign / library.name)
    command = [sys.executable, SIMS / "forward_crawl.py", "--duration", "40", "--no-video", "--out", tmp_path / "out"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 1 and "no verdict" in run.stdout, run.stderr
    assert "DISPLAY" not in run.stderr and "Traceback" not in run.stderr


def test_controls_judge_every_control_by_itself():
    import pandas as pd

    from tianbao.behaviour.gait import CRAWLING, METRICS

    controls = script("controls")
    good = dict.fromkeys(METRICS, 1.0) | {each.metric: min(max(each.low, 0.2), each.high) for each in CRAWLING}
    good |= {"forward_speed_mm_s": 0.25, "amplitude": 7.0, "travelling_r2": 0.9}
    still = {**good, "forward_speed_mm_s": 0.001}
    broken = {**good, "amplitude": 3.0, "travelling_r2": 0.5}
    slow = {**good, "forward_speed_mm_s": 0.12, "travelling_r2": 0.5}
    rows = [{"control": "intact", **good}]
    stopped = ("stretch receptors off", "isotropic drag", "shuffled gap partners")
    rows += [{"control": name, **still} for name in stopped]
    rows += [{"control": "shuffled chemical targets", **broken}, {"control": "D neurons killed", **slow}]
    assert controls.passed(pd.DataFrame(rows))
    for k, row in enumerate(rows):
        other = good if row is not rows[0] else still
        spoiled = [*rows[:k], {**row, **other}, *rows[k + 1 :]]
        judged = controls.verdicts(pd.DataFrame(spoiled)).set_index("control")
        assert judged.as_expected[row["control"]] == 0, row["control"]
        assert not controls.passed(pd.DataFrame(spoiled))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "extra", "written"),
    [
        ("controls", ["--control-duration", "200", "--seed", "1"], "verdicts.csv"),
        ("convergence", [], "convergence.csv"),
        ("swim", ["--no-video"], "summary.json"),
        ("pillar_field", ["--no-video"], "track.png"),
        ("flow_field", [], "flow.png"),
        ("gait_modulation", ["--slow-duration", "200"], "gait_modulation.png"),
    ],
)
def test_a_long_script_runs(name, extra, written, tmp_path):
    command = [sys.executable, SIMS / f"{name}.py", "--duration", "200", "--out", tmp_path, *extra]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode in (0, 1) and "Traceback" not in run.stderr, run.stderr
    assert (tmp_path / written).exists()
