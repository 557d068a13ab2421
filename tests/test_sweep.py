"""A sweep checks before it starts, loses nothing, and repeats nothing."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tianbao as tb
from tianbao.cli.session import run_script
from tianbao.cli.sweep import register
from tianbao.errors import ConfigError, OutputError, TianbaoError
from tianbao.sweeps.backends import slurm_script
from tianbao.sweeps.folder import held, load_plan, run_folder
from tianbao.sweeps.plan import make_plan, read_plan
from tianbao.sweeps.run import sweep, sweep_run
from tianbao.sweeps.work import task_for

ROOT = Path(__file__).parents[1]
SEEDS = {"seeds": [1, 2, 3], "metrics": ["seed_used"]}


def job(name, **rest):
    return {"job": f"sweep_jobs:{name}", **SEEDS, **rest}


def calls(folder):
    """How often each run was begun, by number."""
    return {int(each.parent.name[:5]): len(each.read_text().split()) for each in folder.glob("runs/*/calls")}


# The plan


def test_a_grid_takes_every_combination_with_every_seed():
    plan = make_plan({"vary": {"clock": {"dt": [0.25, 0.5]}, "arena.medium": ["agar", "water"]}, "seeds": [1, 2]})
    assert len(plan.runs) == 8 and plan.varied == ("clock.dt", "arena.medium", "seed")
    assert plan.runs[1].overrides == {"clock.dt": 0.25, "arena.medium": "agar", "seed": 2}
    assert plan.runs[1].name == "dt=0.25_medium=agar_seed=2"
    assert plan.config(plan.runs[7]).arena.medium == "water"


def test_a_logarithmic_range_reads_as_a_person_would_write_it():
    vary = {"arena.viscosity_pa_s": {"from": 0.001, "to": 1.0, "steps": 4, "scale": "log"}}
    plan = make_plan({"base": {"arena": {"medium": "newtonian"}}, "vary": vary})
    assert [run.overrides["arena.viscosity_pa_s"] for run in plan.runs] == [0.001, 0.01, 0.1, 1.0]


def test_a_zip_takes_values_side_by_side_and_needs_as_many_of_each():
    vary = {"clock.dt": [0.25, 0.5], "clock.tick": [2.0, 4.0]}
    plan = make_plan({"vary": vary, "design": "zip"})
    assert [tuple(run.overrides.values()) for run in plan.runs] == [(0.25, 2.0), (0.5, 4.0)]
    with pytest.raises(ConfigError, match=r"the same number of values for every key; got clock.dt 1, clock.tick 2"):
        make_plan({"vary": {**vary, "clock.dt": [0.25]}, "design": "zip"})


def test_draws_repeat_with_their_seed_and_a_latin_design_covers_each_axis_evenly():
    vary = {"parameters.gap_gain": {"from": 0.01, "to": 0.1, "scale": "log"}, "body.slabs": {"from": 24, "to": 27}}
    latin = make_plan({"vary": vary, "design": "latin", "samples": 8, "design_seed": 5})
    assert latin == make_plan({"vary": vary, "design": "latin", "samples": 8, "design_seed": 5})
    assert latin != make_plan({"vary": vary, "design": "latin", "samples": 8, "design_seed": 6})
    gains, slabs = zip(*(run.overrides.values() for run in latin.runs), strict=True)
    eighths = np.floor(8 * np.log10(np.array(gains) / 0.01)).astype(int)
    assert sorted(eighths) == list(range(8))
    assert sorted(slabs) == [24, 24, 25, 25, 26, 26, 27, 27] and all(type(each) is int for each in slabs)
    drawn = make_plan({"vary": vary, "design": "random", "samples": 30})
    assert all(0.01 <= run.overrides["parameters.gap_gain"] <= 0.1 for run in drawn.runs)


@pytest.mark.parametrize(
    ("description", "sentence"),
    [
        ({"vari": {}}, "unknown key 'vari': did you mean 'vary'"),
        ({}, "varies nothing"),
        ({"vary": {"clock.dt": [0.5]}, "duration": 5.0}, "run 1: duration 5 ms is shorter than one frame"),
        ({"vary": {"arena.viscosity_pa_s": [0.1]}}, "run 1: .*set arena.medium to newtonian"),
        ({"vary": {"arena.viscosity": [1.0]}}, "unknown key 'arena.viscosity': did you mean 'arena.viscosity_pa_s'"),
        ({"vary": {"parameters.gap_gian": [0.1]}}, "run 1: unknown parameter 'gap_gian': did you mean 'gap_gain'"),
        ({"vary": {"parameters.gap_gain": [0.1, -1.0]}}, "run 2: parameter: 'gap_gain' = -1 nS is outside"),
        ({"vary": {"parameters.gap_gain": [0.1, float("nan")]}}, "nan is not a number"),
        ({"vary": {"clock.dt": [0.25, "fast"]}}, "run 2: .*clock.dt"),
        ({"vary": {"clock.dt": [0.5, 0.3]}}, "run 2: clock: tick = 4 ms must be a whole multiple of dt = 0.3 ms"),
        ({"vary": {"clock.dt": []}}, "give a list of values"),
        ({"vary": {"clock.dt": {"from": 0.1, "to": 1.0}}}, "a grid needs steps"),
        ({"vary": {"clock.dt": {"from": 0.1, "to": 1.0, "steps": 1}}}, "steps is a whole number from 2"),
        ({"vary": {"clock.dt": {"from": 0.0, "to": 1.0, "steps": 3, "scale": "log"}}}, "not a range on a log scale"),
        ({"vary": {"clock.dt": {"from": "a", "to": 1.0, "steps": 3}}}, "vary clock.dt: 'from' = a is not a number"),
        ({"vary": {"clock.dt": {"from": 0.1, "to": 1.0, "stepps": 3}}}, "did you mean 'steps'"),
        ({"vary": {"body.slabs": {"from": 10, "to": 15, "steps": 3}}}, "takes whole numbers"),
        ({"vary": {"engine": {"from": 1, "to": 2, "steps": 2}}}, "is not a number; give a list"),
        ({"vary": {"engine": ["nativ"]}}, "unknown engine 'nativ': did you mean 'native'"),
        ({"vary": {"arena.medium": ["agar", "watr"]}}, "run 2: .*'watr'"),
        ({"vary": {"interventions": [[{"verb": "ablate", "neurons": ["AVX*"]}]]}}, "run 1: .*AVX"),
        ({"vary": {"clock.dt": [0.5]}, "design": "gird"}, "unknown design 'gird': did you mean 'grid'"),
        ({"vary": {"clock.dt": [0.5]}, "design": "latin"}, "needs samples = N"),
        ({"vary": {"clock.dt": [0.5]}, "samples": 3}, "is for the designs random and latin"),
        ({"vary": {"clock.dt": [0.5, 0.5]}}, "runs 1 and 2 are the same"),
        ({"vary": {"seed": [1]}, "seeds": [1]}, "keep one of them"),
        ({"seeds": [1, True]}, "seeds is a list of whole numbers"),
        ({"seeds": [1, -2]}, "seeds is a list of whole numbers"),
        ({"seeds": list(range(10_001))}, "more runs than allowed"),
        ({"vary": {"clock.dt": [0.5]}, "metrics": ["forward_sped_mm_s"]}, "did you mean 'forward_speed_mm_s'"),
        ({"vary": {"clock.dt": [0.5]}, "base": 3}, "base is the path"),
        ({"vary": {"clock.dt": [0.5]}, "base": "absent.toml"}, "absent.toml"),
        ({"vary": {"clock.dt": [0.5]}, "base": {"sede": 3}}, "unknown key 'sede': did you mean 'seed'"),
        ({"vary": [1]}, r"\[vary\] is a table"),
        ({"vary": {"clock.dt": [0.5]}, "video": 1}, "video is true or false"),
        ({"vary": {"clock.dt": [0.5]}, "job": "run"}, "module:function"),
    ],
)
def test_what_no_run_could_use_is_refused_before_anything_starts(description, sentence):
    with pytest.raises(TianbaoError, match=sentence) as told:
        make_plan(description)
    assert "\n" not in str(told.value)


def test_a_file_may_build_on_another_configuration(tmp_path):
    (tmp_path / "base.toml").write_text('engine = "native"\n[clock]\ndt = 0.25\n')
    path = tmp_path / "sweep.toml"
    path.write_text('base = "base.toml"\nduration = 400.0\nseeds = [7]\n[vary]\nclock.order = [1, 2]\n')
    plan = read_plan(path)
    config = plan.config(plan.runs[1])
    assert (config.engine, config.clock.dt, config.clock.order) == ("native", 0.25, 2)
    assert (config.duration, config.seed) == (400.0, 7)


def test_the_example_of_the_repository_is_a_sweep_of_four_viscosities():
    plan = read_plan(ROOT / "sims" / "sweep_viscosity.toml")
    assert [run.overrides for run in plan.runs] == [{"arena.viscosity_pa_s": each} for each in (0.001, 0.01, 0.1, 1.0)]


# Running it


def test_every_run_leaves_its_files_and_the_table_has_a_row_of_each(tmp_path):
    vary = {"parameters.gap_gain": [0.02, 0.03]}
    table = sweep(job("count", vary=vary, metrics=["gap", "seed_used"]), tmp_path, workers=2, progress=False)
    names = ["number", "name", "parameters.gap_gain", "seed", "status", "gap", "seed_used", "wall_s", "error"]
    assert list(table.columns) == names and (table.status == "finished").all()
    assert (table.gap == table["parameters.gap_gain"]).all() and (table.seed_used == table.seed).all()
    assert len(pd.read_csv(tmp_path / "table.csv")) == 6
    folder = tmp_path / "runs" / "00004_gap_gain=0.03_seed=1"
    assert {each.name for each in folder.iterdir()} >= {"config.toml", "summary.json", "log.txt"}
    processes = {json.loads(each.read_text())["process"] for each in tmp_path.glob("runs/*/summary.json")}
    assert len(processes) == 2 and os.getpid() not in processes


def test_a_failed_run_is_kept_with_its_error_and_tried_again_only_when_asked(tmp_path):
    plan = job("fail_on_two")
    table = sweep(plan, tmp_path, workers=1, progress=False)
    assert list(table.status) == ["finished", "failed", "finished"]
    assert table.error[1] == "ValueError: two is not wanted" and np.isnan(table.seed_used[1])
    assert "Traceback" in (tmp_path / "runs" / "00002_seed=2" / "error.txt").read_text()
    sweep(plan, tmp_path, workers=1, progress=False)
    assert calls(tmp_path) == {1: 1, 2: 1, 3: 1}
    sweep(plan, tmp_path, workers=1, progress=False, retry_failed=True)
    assert calls(tmp_path) == {1: 1, 2: 2, 3: 1}


def test_a_run_whose_process_is_killed_is_done_once_more(tmp_path):
    table = sweep(job("die_once"), tmp_path, workers=1, progress=False)
    assert (table.status == "finished").all() and calls(tmp_path) == {1: 1, 2: 2, 3: 1}


def test_a_run_whose_process_is_killed_twice_fails_and_the_others_go_on(tmp_path):
    table = sweep(job("die_always"), tmp_path, workers=2, progress=False)
    assert list(table.status) == ["finished", "failed", "finished"]
    assert "killed (SIGKILL), 2 times" in table.error[1]


def in_a_process(folder, name="wait_on_three"):
    """A sweep in a process of its own, as a script without a guard calls it."""
    # A shell that runs the tests in the background lets them ignore Ctrl-C, which a child would inherit.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import tianbao.sweeps.run as r; "
    code += f"r.sweep({job(name)!r}, {str(folder)!r}, workers=2, progress=False)"
    path = os.pathsep.join([str(Path(__file__).parent), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True)


def until(true, seconds=30.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


SLOWER = [pytest.param(each, marks=pytest.mark.slow) for each in (signal.SIGTERM, signal.SIGHUP)]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL, *SLOWER])
def test_a_stopped_sweep_leaves_no_process_and_goes_on_without_repeating(tmp_path, how):
    running = in_a_process(tmp_path)
    waiting = ["finished", "finished", "open"]
    until(lambda: calls(tmp_path) == {1: 1, 2: 1, 3: 1} and list(pd.read_csv(tmp_path / "table.csv").status) == waiting)
    with pytest.raises(OutputError, match=rf"another sweep is writing .* \(process {running.pid}\)"):
        sweep(job("wait_on_three"), tmp_path, progress=False)
    running.send_signal(how)
    said = running.communicate(timeout=20)[1]
    assert running.returncode != 0 and (how == signal.SIGKILL or "interrupted" in said or "KeyboardInterrupt" in said)
    worker = int((tmp_path / "runs" / "00003_seed=3" / "calls").read_text().split()[0])
    until(lambda: not alive(worker), 10.0)
    assert list(pd.read_csv(tmp_path / "table.csv").status) == waiting
    (tmp_path / "go").touch()
    table = sweep(job("wait_on_three"), tmp_path, progress=False)
    assert (table.status == "finished").all() and calls(tmp_path) == {1: 1, 2: 1, 3: 2}


def test_another_sweep_in_the_same_folder_is_refused_and_a_longer_one_goes_on(tmp_path):
    sweep(job("count"), tmp_path, workers=1, progress=False)
    with pytest.raises(ConfigError, match="contains another sweep: its run 1 is 'seed=1', yours has 'seed=4'"):
        sweep(job("count", seeds=[4, 2, 3]), tmp_path, progress=False)
    with pytest.raises(ConfigError, match="its run 1 is 'seed=1', yours has other settings"):
        sweep(job("count", duration=500.0), tmp_path, progress=False)
    with pytest.raises(ConfigError, match="its run 3 is 'seed=3', yours has no such run"):
        sweep(job("count", seeds=[1, 2]), tmp_path, progress=False)
    table = sweep(job("count", seeds=[1, 2, 3, 4]), tmp_path, workers=1, progress=False)
    assert len(table) == 4 and calls(tmp_path) == {1: 1, 2: 1, 3: 1, 4: 1}


def test_a_summary_that_was_cut_off_or_belongs_to_other_settings_is_done_again(tmp_path):
    sweep(job("count"), tmp_path, workers=1, progress=False)
    cut, other = (tmp_path / "runs" / name / "summary.json" for name in ("00001_seed=1", "00002_seed=2"))
    cut.write_text(cut.read_text()[:40])
    other.write_text(other.read_text().replace('"digest": "', '"digest": "0'))
    sweep(job("count"), tmp_path, workers=1, progress=False)
    assert calls(tmp_path) == {1: 2, 2: 2, 3: 1}


def test_options_of_the_wrong_kind_are_refused(tmp_path):
    for options, sentence in (
        ({"workers": 0}, "workers must be a whole number from 1"),
        ({"workers": True}, "workers must be"),
        ({"backend": "pol"}, "did you mean 'pool'"),
        ({"address": "auto"}, "is for the backend ray"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            sweep(job("count"), tmp_path, **options)
    with pytest.raises(ConfigError, match="a sweep is the path"):
        sweep(3, tmp_path)
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        sweep(tmp_path / "absent.toml", tmp_path)


# Job arrays


def test_the_job_array_names_what_is_open_and_each_task_fills_its_row(tmp_path):
    plan = job("fail_on_two", seeds=[1, 2, 3, 5, 7])
    table = sweep(plan, tmp_path, backend="slurm", progress=False)
    script = (tmp_path / "job.sh").read_text()
    assert (table.status == "open").all() and "--array=1-5\n" in script and f'sweep-run {tmp_path} "$SLURM' in script
    assert subprocess.run(["bash", "-n", tmp_path / "job.sh"], check=False).returncode == 0
    assert sweep_run(tmp_path, 3) == "open" and sweep_run(tmp_path, 3) == "finished"
    with pytest.raises(TianbaoError, match="run 2 failed: ValueError: two is not wanted"):
        sweep_run(tmp_path, 2)
    assert list(pd.read_csv(tmp_path / "table.csv").status) == ["open", "failed", "finished", "open", "open"]
    assert calls(tmp_path) == {2: 1, 3: 1}
    sweep(plan, tmp_path, backend="slurm", retry_failed=True, progress=False)
    assert "--array=1-2,4-5\n" in (tmp_path / "job.sh").read_text()
    with pytest.raises(ConfigError, match="there is no run 6"):
        sweep_run(tmp_path, 6)
    with pytest.raises(ConfigError, match="is not the folder of a sweep"):
        sweep_run(tmp_path / "runs", 1)


def test_two_processes_never_do_the_same_run(tmp_path, monkeypatch):
    monkeypatch.setattr("tianbao.sweeps.work._PATIENCE_S", 0.1)
    sweep(job("count"), tmp_path, backend="slurm", progress=False)
    plan = load_plan(tmp_path)
    with held(run_folder(tmp_path, plan, plan.run(1)) / ".lock", "a test"):
        with pytest.raises(OutputError, match="run 1 is being done by another process"):
            sweep_run(tmp_path, 1)
    assert calls(tmp_path) == {}


def test_an_edited_plan_is_refused(tmp_path):
    sweep(job("count"), tmp_path, backend="slurm", progress=False)
    text = (tmp_path / "plan.json").read_text()
    for broken in (text[:200], "[]", text.replace('"seed": 2', '"seed": 9'), text.replace("duration", "duratoin")):
        (tmp_path / "plan.json").write_text(broken)
        with pytest.raises(ConfigError, match="plan.json"):
            sweep_run(tmp_path, 1)


def test_a_path_with_a_space_survives_the_job_script(tmp_path):
    plan = make_plan(job("count"))
    script = slurm_script([task_for(tmp_path / "a b", plan, run) for run in plan.runs], tmp_path / "a b")
    assert f"sweep-run '{tmp_path}/a b' " in script.read_text()


# The command


def tianbao(*arguments):
    """Exit code of a command of this module."""
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    args = parser.parse_args([str(each) for each in arguments])
    return run_script(args.act, args)


def test_the_command_lists_runs_and_its_exit_code_says_whether_all_finished(tmp_path, capsys):
    path = tmp_path / "seeds.toml"
    path.write_text('job = "sweep_jobs:fail_on_two"\nseeds = [1, 2, 3]\nmetrics = ["seed_used"]\n')
    assert tianbao("sweep", path, "--dry-run", "--out", tmp_path / "out") == 0
    assert "seed=3" in capsys.readouterr().out and not (tmp_path / "out").exists()
    assert tianbao("sweep", path, "--workers", 1, "--out", tmp_path / "out") == 1
    said = capsys.readouterr().out
    assert "run 2 failed: ValueError: two is not wanted" in said and "2 of 3 runs finished, 1 failed" in said
    assert (tmp_path / "out" / "sweep.png").stat().st_size > 1000
    assert tianbao("sweep-run", tmp_path / "out", 3) == 0 and "finished before" in capsys.readouterr().out
    assert tianbao("sweep-run", tmp_path / "out", 4) == 2 and "there is no run 4" in capsys.readouterr().err
    path.write_text("seeds = [1\n")
    assert tianbao("sweep", path) == 2 and "seeds.toml is not valid TOML" in capsys.readouterr().err


# The picture


def test_a_sweep_is_drawn_as_lines_over_one_key_and_as_a_map_over_two(tmp_path):
    from tianbao.view.sweep import plot_sweep

    rows = [{"a": a, "b": b, "status": "finished", "frequency_hz": a * len(b)} for a in (0.01, 0.1, 1.0) for b in "xy"]
    table = pd.DataFrame([*rows, {"a": 5.0, "b": "x", "status": "failed", "frequency_hz": np.nan}])
    lines = plot_sweep(table, ["a"]).axes[0]
    assert lines.get_xscale() == "log" and list(lines.lines[0].get_ydata()) == [0.01, 0.1, 1.0]
    assert plot_sweep(table, ["a", "b"]).axes[0].images[0].get_array().shape == (2, 3)
    assert plot_sweep(table[table.status == "failed"], ["a"], tmp_path / "none.png").exists()
    for wrong in (["c"], [], ["a", "b", "status"]):
        with pytest.raises(ConfigError):
            plot_sweep(table, wrong)


@pytest.mark.slow
def test_ray_does_the_same_and_tries_a_killed_run_once_more(tmp_path):
    pytest.importorskip("ray")
    table = sweep(job("die_once"), tmp_path, backend="ray", workers=2, progress=False)
    assert (table.status == "finished").all() and calls(tmp_path) == {1: 1, 2: 2, 3: 1}
    with pytest.raises(ConfigError, match="no Ray cluster answers at '127.0.0.1:1'"):
        sweep(job("count"), tmp_path / "other", backend="ray", address="127.0.0.1:1", progress=False)


# With a worm


def same_bits(a, b):
    """Whether two runs hold the same numbers."""
    a, b = (tb.open(each / "results.h5") for each in (a, b))
    arrays = ("midline", "muscle_activation", "voltage")
    return a.complete and b.complete and all(
        np.array_equal(getattr(a.worms[0], name), getattr(b.worms[0], name)) for name in arrays
    )  # fmt: skip


@pytest.mark.slow
def test_a_run_that_shares_its_process_has_the_bits_of_one_alone(tmp_path):
    done = [{"verb": "ablate", "neurons": ["AVA*"]}, {"verb": "stimulate", "neuron": "AVBL", "amplitude": 0.01,
            "start": 20.0, "stop": 100.0}]  # fmt: skip
    base = {"engine": "native", "interventions": done, "record": {"voltage": ["*"]}}
    vary = {"parameters.gap_gain": [0.02, 0.03], "arena.medium": ["water", "agar"]}
    table = sweep({"base": base, "vary": vary, "design": "zip", "duration": 200.0}, tmp_path, workers=1, progress=False)
    assert (table.status == "finished").all()
    first, second = sorted(tmp_path.glob("runs/*"))
    alone = f"perform(read_config({str(second / 'config.toml')!r}), {str(tmp_path / 'alone')!r})"
    code = f"from tianbao.config import read_config; from tianbao.experiment import perform; {alone}"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    assert same_bits(second, tmp_path / "alone") and not same_bits(first, second)


@pytest.mark.slow
def test_a_killed_worker_goes_on_from_its_checkpoint_with_the_same_bits(tmp_path):
    plan = {"base": {"engine": "native", "checkpoint": {"every": 100.0}}, "duration": 2000.0, "seeds": [1]}
    folder = tmp_path / "killed" / "runs" / "00001_seed=1"

    def kill():
        until((folder / "checkpoint.tianbao").exists, 120.0)
        os.kill(int((folder / ".lock").read_text()), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    table = sweep(plan, tmp_path / "killed", workers=1, progress=False)
    killer.join()
    assert list(table.status) == ["finished"] and "assembling" in (folder / "log.txt").read_text()
    assert (folder / "log.txt").read_text().count("assembling") == 2
    sweep(plan, tmp_path / "whole", workers=1, progress=False)
    assert same_bits(folder, tmp_path / "whole" / "runs" / "00001_seed=1")
