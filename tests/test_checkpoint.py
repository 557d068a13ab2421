"""A run that was stopped goes on to the same bits, and nothing but a whole checkpoint of the same run is taken."""

from __future__ import annotations

import hashlib
import io
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace

import fuzz
import numpy as np
import pytest

import tianbao as tb
from tianbao.cli import main
from tianbao.config import RunConfig
from tianbao.experiment import CHECKPOINT, perform, resume, simulation
from tianbao.io.checkpoints import Checkpoints
from tianbao.loop.state import RunState

DURATION = 240.0
BUSY = [
    {"verb": "illuminate", "neurons": ["DB4"], "start": 50.0, "stop": 150.0},
    {"verb": "stimulate", "neuron": "VB3", "amplitude": 0.01, "start": 100.0, "stop": 200.0},
    {"verb": "hold", "curvature": 6.0, "front": 0.4, "back": 0.6, "start": 40.0, "stop": 200.0},
    {"verb": "touch", "at": [0.2, 0.3], "start": 60.0, "stop": 180.0},
]


class Kept:
    """Checkpoints in memory."""

    every = 60.0

    def __init__(self):
        self.states = []

    def keep(self, state):
        self.states.append(state.to_bytes())


def config(**changes):
    return RunConfig().updated({"engine": "native", "duration": DURATION, "interventions": BUSY, **changes})


@pytest.fixture(scope="module")
def whole():
    """A simulation, its uninterrupted run and the states it passed through."""
    made, kept = simulation(config(), progress=False), Kept()
    return made, made.run(DURATION, checkpoints=kept), kept.states


def same(one, other):
    pairs = [(getattr(one.worms[0], name), getattr(other.worms[0], name)) for name in ("midline", "voltage", "dorsal")]
    pairs.append((one.worms[0].muscle_activation, other.worms[0].muscle_activation))
    return all(np.array_equal(a, b) for a, b in [*pairs, (one.time, other.time)])


def test_a_resumed_run_equals_one_that_never_stopped(whole):
    made, uninterrupted, states = whole
    assert len(states) == 4
    for content in states:
        assert same(made.run(DURATION, since=RunState.from_bytes(content, "kept")), uninterrupted)


@pytest.mark.parametrize(
    "changes",
    [{"engine": "neuron"}, pytest.param({"clock.order": 2, "clock.corrections": 1}, marks=pytest.mark.slow)],
    ids=["neuron", "second order"],
)
def test_a_resumed_run_equals_one_that_never_stopped_in_every_method(changes):
    made, kept = simulation(config(**changes, duration=80.0), progress=False), Kept()
    kept.every = 40.0
    uninterrupted = made.run(80.0, checkpoints=kept)
    assert same(made.run(80.0, since=RunState.from_bytes(kept.states[0], "kept")), uninterrupted)


@pytest.mark.slow
def test_a_resumed_swim_feels_the_flow_it_had_stirred_up():
    changes = {"arena.medium": "newtonian", "arena.viscosity_pa_s": 1e-3, "arena.resolved": True, "duration": 80.0}
    made, kept = simulation(config(**changes), progress=False), Kept()
    kept.every = 40.0
    uninterrupted = made.run(80.0, checkpoints=kept)
    assert same(made.run(80.0, since=RunState.from_bytes(kept.states[0], "kept")), uninterrupted)


def test_a_checkpoint_cut_short_or_changed_anywhere_is_refused(whole):
    content, rng = whole[2][0], np.random.default_rng(1)
    for length in (0, 3, 20, 21, 40, 53, 54, len(content) // 2, len(content) - 1):
        with pytest.raises(tb.OutputError, match="checkpoint|checksum"):
            RunState.from_bytes(content[:length], "short")
    for place in rng.integers(0, len(content), 60):
        changed = bytearray(content)
        changed[place] ^= 1 << int(rng.integers(8))
        with pytest.raises(tb.OutputError):
            RunState.from_bytes(bytes(changed), "changed")
    with pytest.raises(tb.OutputError, match="another release"):
        RunState.from_bytes(content.replace(b"checkpoint 4", b"checkpoint 9", 1), "old")


def test_a_checkpoint_of_another_run_or_version_is_refused_by_name(whole):
    made, _, states = whole
    state = RunState.from_bytes(states[0], "kept")
    older = replace(state, facts={**state.facts, "versions": {**state.facts["versions"], "neuron": "8.2"}})
    with pytest.raises(tb.ConfigError, match="neuron 8.2"):
        made.run(DURATION, since=older)
    other = simulation(config(seed=2), progress=False)
    with pytest.raises(tb.ConfigError, match="seed was 1 and is 2"):
        other.run(DURATION, since=state)
    with pytest.raises(tb.ConfigError, match="beyond"):
        made.run(20.0, since=RunState.from_bytes(states[-1], "kept"))


def test_a_full_disk_costs_the_checkpoint_and_not_the_run(whole, caplog):
    class Full(Kept):
        def keep(self, state):
            raise tb.OutputError("cannot write x: No space left on device")

    made, uninterrupted, _ = whole
    assert same(made.run(DURATION, checkpoints=Full()), uninterrupted)
    assert "no checkpoint at 60 ms" in caplog.text


def test_a_finished_run_can_be_made_longer(tmp_path, whole):
    perform(config(duration=120.0, **{"checkpoint.every": 50.0}), tmp_path, video=False, progress=False)
    longer = resume(tmp_path, duration=DURATION, video=False, progress=False).recording
    assert longer.complete and longer.duration == DURATION
    # 120 ms is where the first part ended: what follows depends on nothing else.
    assert same(longer, whole[1])


@pytest.mark.parametrize(
    "how",
    [signal.SIGKILL, *(pytest.param(each, marks=pytest.mark.slow) for each in (signal.SIGTERM, signal.SIGINT))],
)
def test_a_run_that_is_stopped_from_outside_is_resumed_to_the_same_bits(how, tmp_path, whole):
    (tmp_path / "c.toml").write_text(config(**{"checkpoint.every": 8.0}).to_toml())
    out = tmp_path / "run"
    command = [sys.executable, "-m", "tianbao.cli", "run", str(tmp_path / "c.toml"), "--out", str(out), "--no-video"]
    process = subprocess.Popen([*command, "--duration", "600000"], stderr=subprocess.DEVNULL)
    while not (out / CHECKPOINT).exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(how)
    assert process.wait(timeout=60) == (-signal.SIGKILL if how == signal.SIGKILL else 130)
    reached = Checkpoints(out / CHECKPOINT).read().facts["ticks"] * 4.0
    goal = max(DURATION, 20.0 * (reached // 20.0 + 2.0))
    assert main(["resume", str(out), "--duration", str(goal), "--no-video"]) in (0, 1)
    kept = tb.open(out / "results.h5")
    uninterrupted = whole[1] if goal == DURATION else whole[0].run(goal)
    count = min(len(kept.time), len(uninterrupted.time))
    assert kept.complete and np.array_equal(kept.worms[0].midline[:count], uninterrupted.worms[0].midline[:count])


def test_resume_without_a_checkpoint_is_one_sentence(tmp_path, capsys):
    assert main(["resume", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "checkpoint" in error and error.count("\n") == 1
    (tmp_path / CHECKPOINT).write_bytes(b"hello")
    assert main(["resume", str(tmp_path)]) == 2
    assert "not a checkpoint of Tianbao" in capsys.readouterr().err


@pytest.mark.parametrize("count", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_checkpoint_with_changed_bytes_is_refused(count, whole):
    content = whole[2][2]
    for number in range(count):
        changed = fuzz.bytes_of(content, np.random.default_rng([3, number]))
        if changed != content:
            with pytest.raises(tb.OutputError):
                RunState.from_bytes(changed, "kept")


@pytest.mark.slow
def test_a_checkpoint_of_other_content_is_refused_or_goes_on(whole):
    made, uninterrupted, content = whole[0], whole[1], whole[2][2]
    done = 0
    for number in range(333):
        started = time.perf_counter()
        try:
            state = RunState.from_bytes(fuzz.checkpoint_of(content, np.random.default_rng([4, number])), "kept")
            found = made.run(DURATION, since=state)
        except tb.TianbaoError as error:
            assert str(error).count("\n") == 0
        else:
            done += 1
            assert len(found.time) == len(uninterrupted.time) and np.isfinite(found.track().midline).all()
        assert time.perf_counter() - started < 10.0
    assert done < 50


LIES = {
    "at -1e18 ms": (lambda a: a | {"body/time": np.array(-1e18), "worms/0/brain/time": np.array(-1e18)}, "says 180 ms"),
    "at another time": (lambda a: a | {"worms/0/brain/time": np.array(20.0)}, "is of 20 ms"),
    "without a body": (lambda a: {name: each for name, each in a.items() if name != "body/positions"}, "lacks"),
    "of another body": (lambda a: a | {"body/positions": a["body/positions"][:, :-1]}, "is needed"),
    "of another type": (lambda a: a | {"body/positions": a["body/positions"].astype(np.float32)}, "is needed"),
    "with more": (lambda a: a | {"body/more": np.zeros(3)}, "has 'body/more'"),
    "not a number": (lambda a: a | {"worms/0/brain/voltage": a["worms/0/brain/voltage"] * np.nan}, "a finite number"),
    "out of the world": (lambda a: a | {"body/velocities": a["body/velocities"] + 1e9}, "up to 1e\\+06"),
    "frames missing": (lambda a: a | {"recorder/time": a["recorder/time"][:1]}, "is needed"),
    "frames of other times": (lambda a: a | {"recorder/time": a["recorder/time"] + 5.0}, "times of this run"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_checkpoint_that_lies_with_a_right_digest_is_refused(name, whole):
    made, content = whole[0], whole[2][2]
    how, word = LIES[name]
    state = RunState.from_bytes(content, "kept")
    state = RunState.from_bytes(RunState(state.facts, how(state.arrays)).to_bytes(), "kept")
    with pytest.raises(tb.ConfigError, match=word):
        made.run(DURATION, since=state)


@pytest.mark.parametrize("change", [
    {"ticks": -1}, {"ticks": 2**70}, {"ticks": True}, {"planned": 5}, {"every": float("nan")}, {"every": -1.0},
    {"wall_s": float("inf")}, {"versions": {"neuron": 5}}, {"anatomy": [5]}, {"generators": [5]}, {"config": "\ud800"},
])  # fmt: skip
def test_facts_of_a_checkpoint_that_no_run_writes_are_refused(change, whole):
    state = RunState.from_bytes(whole[2][2], "kept")
    with pytest.raises(tb.OutputError, match="kept cannot be read"):
        RunState.from_bytes(RunState({**state.facts, **change}, state.arrays).to_bytes(), "kept")


def test_noise_that_no_generator_has_is_refused(whole):
    made, content = whole[0], whole[2][2]
    state = RunState.from_bytes(content, "kept")
    (good,) = state.facts["generators"]
    for bad in ({}, {**good, "bit_generator": "MT19937"}, {**good, "state": {"state": -1, "inc": 1}}):
        with pytest.raises(tb.ConfigError, match="noise of worm 0"):
            made.run(DURATION, since=RunState({**state.facts, "generators": [bad]}, state.arrays))


@pytest.mark.parametrize("count", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_packed_or_endless_array_of_a_checkpoint_is_refused_before_it_is_read(count, whole):
    def signed(member, content, how):
        memory = io.BytesIO()
        with zipfile.ZipFile(memory, "w", how) as archive:
            archive.writestr(member, content)
        return b"tianbao checkpoint 4\n" + hashlib.sha256(memory.getvalue()).digest() + memory.getvalue()

    memory = io.BytesIO()
    np.lib.format.write_array_header_1_0(memory, {"descr": "<f8", "fortran_order": False, "shape": (2**40,)})
    for content, how in ((memory.getvalue(), zipfile.ZIP_STORED), (bytes(2**20), zipfile.ZIP_DEFLATED)):
        with pytest.raises(tb.OutputError, match="kept cannot be read"):
            RunState.from_bytes(signed("a.npy", content, how), "kept")
    for number in range(count):
        changed = fuzz.bytes_of(memory.getvalue(), np.random.default_rng([5, number]))
        with pytest.raises(tb.OutputError, match="kept cannot be read"):
            RunState.from_bytes(signed("a.npy", changed, zipfile.ZIP_STORED), "kept")
