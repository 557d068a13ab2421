"""A sweep's folder may come from somebody else, and its files may be damaged: one sentence, and nothing outside it."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from sweep_mutants import as_json, mutated, mutated_text

from tianbao import orphans
from tianbao.errors import OutputError, TianbaoError
from tianbao.sweeps.cost import Forecast, rates, seconds_of
from tianbao.sweeps.folder import held, load_plan, open_log, outcome, run_folder
from tianbao.sweeps.limit import limit_of
from tianbao.sweeps.plan import make_plan, read_plan
from tianbao.sweeps.run import estimate, sweep, sweep_run
from tianbao.sweeps.table import Table

ROOT = Path(__file__).parents[1]
SEEDS = {"seeds": [1, 2, 3], "metrics": ["seed_used"]}
EXAMPLE = {
    "base": {"engine": "native", "record": {"voltage": ["AVA*"]}},
    "vary": {"parameters.gap_gain": [0.02, 0.03], "arena.medium": ["agar", "water"]},
    "duration": 400.0, "seeds": [1, 2], "metrics": ["forward_speed_mm_s"],
}  # fmt: skip
TOML = """design = "grid"
duration = 400.0
seeds = [1, 2]
metrics = ["forward_speed_mm_s"]

[base]
engine = "native"
clock.tick = 2.0

[vary]
parameters.gap_gain = {from = 0.01, to = 0.1, steps = 3, scale = "log"}
arena.medium = ["agar", "water"]
"""


def job(name, **rest):
    return {"job": f"sweep_jobs:{name}", **SEEDS, **rest}


def in_json(folder):
    """A plan without its seal, as somebody who edits it on purpose would leave it."""
    kept = json.loads((folder / "plan.json").read_text())
    del kept["seal"]
    return kept


@pytest.fixture
def planned(tmp_path):
    """The folder of a sweep that has not started."""
    sweep(job("count"), tmp_path / "sweep", backend="slurm", progress=False)
    return tmp_path / "sweep"


def sentence(error) -> bool:
    text = str(error.value)
    return "\n" not in text and len(text) < 700 and "Traceback" not in text


# Names


@pytest.mark.parametrize("name", ["x/../../../victim", "/victim", "..", "", "seed=1\0", "seed=2", "a" * 300, 7, None])
def test_a_name_that_the_values_do_not_give_is_refused(planned, name):
    kept = in_json(planned)
    kept["runs"][0]["name"] = name
    (planned / "plan.json").write_text(json.dumps(kept))
    with pytest.raises(TianbaoError, match="plan.json") as told:
        sweep_run(planned, 1)
    assert sentence(told) and not (planned / "runs").exists()


def test_a_plan_whose_runs_are_the_same_or_too_many_is_refused(planned):
    kept = in_json(planned)
    kept["runs"][1] = {**kept["runs"][0], "number": 2}
    doubled = json.dumps(kept)
    kept["runs"] = [kept["runs"][0]] * 10_001
    for text in (doubled, json.dumps(kept), '{"base": "", "base": ""}', "[" * 100_000, '{"runs": [NaN]}'):
        (planned / "plan.json").write_text(text)
        with pytest.raises(TianbaoError, match="plan.json") as told:
            load_plan(planned)
        assert sentence(told)


@pytest.mark.parametrize("change", [{"video": True}, {"metrics": ["other"]}, {"job_path": "/tmp"}, {"more": 1}])
def test_a_plan_that_was_edited_anywhere_is_refused(planned, change):
    (planned / "plan.json").write_text(json.dumps({**json.loads((planned / "plan.json").read_text()), **change}))
    with pytest.raises(TianbaoError, match="plan.json is damaged") as told:
        load_plan(planned)
    assert sentence(told)


# Links


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "folder", "text"])
def test_a_lock_or_log_that_is_not_ours_is_left_as_it_is(tmp_path, kind):
    precious = tmp_path / "precious"
    precious.write_text("precious\n")
    for number, opened in enumerate((lambda place: held(place, "nobody"), lambda place: open_log(place.parent))):
        place = tmp_path / str(number) / "log.txt"
        place.parent.mkdir()
        {
            "link": lambda place: place.symlink_to(precious), "hard link": lambda place: os.link(precious, place),
            "pipe": os.mkfifo, "folder": Path.mkdir, "text": lambda place: place.write_text("precious\n"),
        }[kind](place)  # fmt: skip
        if number == 1 and kind == "text":
            opened(place).close()  # a log is appended to
        else:
            with pytest.raises(OutputError, match="log.txt is ") as told, opened(place):
                pass
            assert sentence(told)
        assert kind != "text" or place.read_text() == "precious\n"
    assert precious.read_text() == "precious\n"


def test_no_file_of_a_sweep_follows_a_link(planned, tmp_path):
    """Locks of the sweep, of its table and of a run, its log, and what is replaced as a whole."""
    precious = tmp_path / "precious"
    precious.write_text("precious\n")
    run = planned / "runs" / "00001_seed=1"
    run.mkdir(parents=True)
    for place, act in (
        (planned / ".lock", lambda: sweep(job("count"), planned, progress=False)),
        (run / ".lock", lambda: sweep_run(planned, 1)),
        (planned / ".table.lock", lambda: sweep_run(planned, 1)),
    ):
        place.unlink(missing_ok=True)
        place.symlink_to(precious)
        with pytest.raises(OutputError, match="a link or not a regular file") as told:
            act()
        assert sentence(told)
        place.unlink()
    run = planned / "runs" / "00003_seed=3"
    run.mkdir()
    for place in (planned / "table.csv", run / "config.toml", run / "summary.json", run / ".a.partial.h5"):
        place.unlink(missing_ok=True)
        place.symlink_to(precious)
    sweep_run(planned, 3)
    assert precious.read_text() == "precious\n" and not (run / "summary.json").is_symlink()


@pytest.mark.parametrize("place", ["runs", "runs/00002_seed=2", "slurm"])
def test_a_folder_of_results_that_is_a_link_to_elsewhere_is_refused(planned, tmp_path, place):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "results.h5").write_text("precious")
    (planned / place).parent.mkdir(exist_ok=True)
    if (planned / place).exists():
        shutil.rmtree(planned / place)
    (planned / place).symlink_to(victim)
    acts = [lambda: sweep(job("count"), planned, backend="slurm", progress=False), lambda: sweep_run(planned, 2)]
    for act in acts[:1] if place == "slurm" else acts:
        with pytest.raises(OutputError, match="not a folder of this sweep but a link") as told:
            act()
        assert sentence(told)
    assert [each.name for each in victim.iterdir()] == ["results.h5"]


@pytest.mark.parametrize("name", ["summary.json", "error.txt", "plan.json"])
def test_a_pipe_or_an_endless_file_in_place_of_a_file_is_not_waited_for(planned, name):
    folder = planned / "runs" / "00001_seed=1"
    folder.mkdir(parents=True)
    place = planned / name if name == "plan.json" else folder / name
    for make in (lambda: os.mkfifo(place), lambda: place.symlink_to("/dev/zero")):
        place.unlink(missing_ok=True)
        make()
        if name == "plan.json":
            with pytest.raises(TianbaoError, match="no readable plan.json"):
                load_plan(planned)
        else:
            plan = load_plan(planned)
            assert outcome(run_folder(planned, plan, plan.run(1)), plan.run(1)).status == "open"


# Mutants of every file


def mutants_of_plan(folder, count, seed):
    """Mutated plan.json: refused in one sentence, or the same plan."""
    kept, plan = in_json(folder), load_plan(folder)
    for number in range(count):
        (folder / "plan.json").write_text(as_json(kept, random.Random(seed + number)))
        try:
            read = load_plan(folder)
        except TianbaoError as error:
            text = str(error)
            assert "plan.json" in text and "\n" not in text and len(text) < 1000, number
        else:
            changed = [(run.name, run.digest) for run in read.runs]
            assert changed == [(run.name, run.digest) for run in plan.runs][: len(changed)], number


def mutants_of_toml(folder, count, seed):
    """Mutated descriptions: refused in one sentence, or a plan whose runs lie in its folder."""
    path = folder / "sweep.toml"
    for number in range(count):
        rng = random.Random(seed + number)
        try:
            if rng.random() < 0.5:
                plan = make_plan(mutated(EXAMPLE, rng), where="sweep.toml", folder=folder)
            else:
                path.write_text(mutated_text(TOML, rng), encoding="utf-8", errors="replace")
                plan = read_plan(path)
        except TianbaoError as error:
            text = str(error)
            assert "\n" not in text and len(text) < 1000, number
        else:
            for run in plan.runs:
                assert run_folder(folder, plan, run).resolve().parent == (folder / "runs").resolve(), number
            json.loads(plan.to_json())


def mutants_of_summaries(folder, count, seed):
    """Mutated summaries: of this run or not, the table is written and read."""
    plan = load_plan(folder)
    run = plan.run(1)
    place = run_folder(folder, plan, run)
    place.mkdir(parents=True, exist_ok=True)
    mark = {"number": 1, "name": run.name, "digest": run.digest, "wall_s": 3.0}
    summary = {"seed_used": 1, "versions": {"numpy": "2"}, "mechanism_hash": "a", "sweep": mark, "curve": [1.0, 2.0]}
    for number in range(count):
        text = as_json(summary, random.Random(seed + number))
        (place / "summary.json").write_text(text, encoding="utf-8", errors="replace")
        (place / "error.txt").write_text("=1+1 \x1b[2J\n" if number % 2 else "x" * 5000)
        table = Table(folder, plan)
        table.write()
        read = pd.read_csv(folder / "table.csv")
        assert len(read) == 3 and list(read.status)[1:] == ["open", "open"], number
        assert not str(read.error[0]).startswith("=") and "\x1b" not in str(read.error[0]), number
        assert sum(wall for _, wall in table.walls()) >= 0.0
        sweep(plan, folder, backend="slurm", progress=False)


def test_damaged_files_of_a_sweep_are_one_sentence(planned, tmp_path):
    mutants_of_summaries(planned, 10, 0)
    mutants_of_toml(tmp_path, 25, 0)
    mutants_of_plan(planned, 25, 0)


@pytest.mark.slow
def test_many_damaged_files_of_a_sweep_are_one_sentence(planned, tmp_path):
    mutants_of_summaries(planned, 100, 1000)
    mutants_of_toml(tmp_path, 300, 1000)
    mutants_of_plan(planned, 300, 1000)


# Imports


def in_a_process(code, cwd, *arguments):
    return subprocess.run(
        [sys.executable, *code, *map(str, arguments)], cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


TRAP = "open({!r}, 'w').write('x')\nraise ImportError('a trap')\n"


def test_nothing_is_imported_from_the_current_folder_and_the_job_from_the_declared_one(tmp_path):
    trap, jobs = tmp_path / "PWNED", tmp_path / "jobs"
    jobs.mkdir()
    for folder in (tmp_path, jobs):  # not even from the declared one what is installed
        for name in ("numpy", "pandas", "tqdm", "my_own_jobs"):
            (folder / f"{name}.py").write_text(TRAP.format(str(trap)))
    text = "import numpy\n\ndef act(config, folder, video):\n    return {'seed_used': int(numpy.int64(config.seed))}\n"
    (jobs / "my_own_jobs.py").write_text(text)
    (tmp_path / "s.toml").write_text('job = "my_own_jobs:act"\njob_path = "jobs"\nseeds = [1, 2]\n')
    said = in_a_process(["-m", "tianbao.cli"], tmp_path, "sweep", "s.toml", "--workers", 1, "--out", "out")
    assert said.returncode == 0, said.stderr
    assert list(pd.read_csv(tmp_path / "out" / "table.csv").seed_used) == [1, 2] and not trap.exists()


def test_a_job_that_is_nowhere_names_the_cure(tmp_path):
    with pytest.raises(TianbaoError, match="name it as 'module:function' and the folder of that module as job_path"):
        sweep(job("count", job="my_absent_jobs:act"), tmp_path, backend="slurm", progress=False)
        sweep_run(tmp_path, 1)


def test_a_job_path_that_is_no_folder_is_refused():
    for path in ("absent", 3, "a\0b"):
        with pytest.raises(TianbaoError, match="job_path is the folder"):
            make_plan(job("count", job_path=path))


# Parents


WATCHED = """
import os, sys, time
if sys.argv[2] == "polling":
    del os.pidfd_open
from tianbao.orphans import end_with
end_with(int(sys.argv[1]))
print("on", flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("way", ["handle", "polling"])
def test_what_a_shell_has_put_into_the_background_ends_with_the_process_it_works_for(way):
    """As the trials of NetPyNE's batchtools, whose parent is no longer the sweep."""
    shell = 'nohup "$0" -P -c "$1" $2 $3 2>/dev/null & echo $!'
    worked_for = subprocess.Popen(["sleep", "60"])
    words = ["bash", "-c", shell, sys.executable, WATCHED, str(worked_for.pid), way]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
    pid = int(running.stdout.readline())
    assert running.stdout.readline().strip() == "on"
    worked_for.kill()
    worked_for.wait()
    end = time.monotonic() + 5.0
    while os.path.exists(f"/proc/{pid}") and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < end, "an orphan keeps computing"
        time.sleep(0.05)
    running.wait(10)


def test_a_process_whose_parent_has_gone_already_does_not_begin():
    gone = subprocess.Popen(["true"])
    gone.wait()
    said = in_a_process(["-c", WATCHED], ROOT, gone.pid, "handle")
    assert said.returncode == orphans.ORPHANED and said.stdout == ""


# Cost and time


def test_the_estimate_counts_steps_worms_and_engines():
    rate = rates()
    one, two, slow = (
        seconds_of(make_plan({"base": base, "duration": 10_000.0, "seeds": [1]}).base) - rate["start"]
        for base in ({"engine": "native"}, {"engine": "native", "worms": [{"at": [0, 0, 0]}, {"at": [0, 2, 0]}]},
                     {"engine": "neuron"})
    )  # fmt: skip
    assert two == pytest.approx(2 * one) and slow > 2 * one
    assert one == pytest.approx(20_000 * rate["native_step"] * 1e-6 + 2_500 * rate["agar_tick"] * 1e-6)


def test_the_estimate_is_corrected_by_finished_runs_and_says_so(tmp_path):
    plan = make_plan({**EXAMPLE, "seeds": [1]})
    forecast = Forecast(plan, tmp_path)
    before, disk = forecast.seconds(4), forecast.disk(4)
    assert "typical speeds" in forecast.sentence([1, 2, 3, 4], 2)
    forecast.learn([(plan.run(1), 2.0 * forecast.seconds(1)), (plan.run(2), 2.0 * forecast.seconds(2))])
    assert forecast.seconds(4) == pytest.approx(2.0 * before)
    assert disk > 400.0 / 20.0 * 49 * 36 and "2 finished runs" in forecast.sentence([3, 4], 2)


def test_of_another_job_the_first_finished_run_tells(tmp_path, planned, caplog):
    plan = load_plan(planned)
    assert "known after the first run" in estimate(plan, planned, 1)
    sweep_run(planned, 1)
    assert "3 runs, 1 of them already done: about" in estimate(plan, planned, 1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2h", 7200.0), ("30m", 1800.0), ("90s", 90.0), ("1h30m", 5400.0), ("1.5 h", 5400.0), ("1d 2min", 86520.0)],
)
def test_time_limits_are_read_as_people_write_them(text, seconds):
    assert limit_of(text) == seconds


def test_what_is_no_time_is_refused():
    for text in ("", "2", "2x", "-2h", "0s", "nan", "9e9h", "h", "999999999d", True, None, float("nan"), -1, 10**400):
        with pytest.raises(TianbaoError, match="such as 2h, 30m, 90s") as told:
            limit_of(text)
        assert sentence(told)


def test_a_run_that_would_pass_the_limit_is_not_started(planned, caplog):
    """Finished runs tell how long the open ones will take."""
    caplog.set_level("INFO", "tianbao")
    sweep_run(planned, 1)
    place = planned / "runs" / "00001_seed=1" / "summary.json"
    summary = json.loads(place.read_text())
    summary["sweep"]["wall_s"] = 100.0
    place.write_text(json.dumps(summary))
    table = sweep(job("count"), planned, workers=1, progress=False, time_limit="1m")
    assert list(table.status) == ["finished", "open", "open"] and len(list(planned.glob("runs/*"))) == 1
    assert "1 of them already done: about 0.056 core hours, 3 min with 1 at a time" in caplog.text
    assert "time limit: 2 runs were not started" in caplog.text and "the same command" in caplog.text


@pytest.mark.slow
def test_no_run_starts_that_would_pass_the_limit_and_the_same_command_goes_on(tmp_path, caplog):
    caplog.set_level("INFO", "tianbao")
    plan = job("take_a_second", seeds=[1, 2, 3, 4, 5, 6])
    table = sweep(plan, tmp_path, workers=1, progress=False, time_limit="2s")
    done = list(table.status).count("finished")
    assert 1 <= done < 6 and "failed" not in list(table.status)
    assert f"time limit: {6 - done} runs were not started" in caplog.text and "the same command" in caplog.text
    started = time.monotonic()
    sweep(plan, tmp_path, workers=1, progress=False, time_limit=0.5)
    assert time.monotonic() - started < 1.0  # longer than the limit, as the finished runs tell
    assert list(sweep(plan, tmp_path, workers=2, progress=False).status) == ["finished"] * 6


def test_a_job_array_takes_the_limit_for_each_task(tmp_path):
    sweep(job("count"), tmp_path, backend="slurm", progress=False, time_limit="1h30m")
    assert "\n#SBATCH --time=1:30:00\n" in (tmp_path / "job.sh").read_text()
    sweep(job("count"), tmp_path, backend="slurm", progress=False)
    assert "#SBATCH --time" not in (tmp_path / "job.sh").read_text()
