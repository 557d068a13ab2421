"""Files changed at random: one sentence or the same content, in bounded time and memory, never a traceback."""

from __future__ import annotations

import dataclasses
import json
import time

import fuzz
import numpy as np
import pytest
from synthetic import recording

import tianbao as tb
from tianbao.cli import main
from tianbao.sweeps.folder import PLAN, SUMMARY, load_plan, outcome, run_folder, settle_plan
from tianbao.sweeps.plan import make_plan

SLOWEST = 10.0  # [s] of one input
FEW, MANY = 40, 1000


def some(few, many):
    """A few inputs by default, many on demand."""
    return pytest.mark.parametrize("count", [few, pytest.param(many, marks=pytest.mark.slow)])


@pytest.fixture(scope="module")
def run():
    made = recording(duration=400.0, points=9, neurons=("AVAL", "DB2"))
    track, frames = made.track(), len(made.time)
    sensed = {"inputs": {"chemical": np.ones((frames, 1))}, "receptors": {"chemical": ("ASEL nacl",)}}
    return dataclasses.replace(made, worms=(dataclasses.replace(track, **sensed),))


@pytest.fixture
def answered(capsys):
    """A function that runs a command and says whether it was done; refused, it is one printable sentence."""

    def ask(*words):
        started = time.perf_counter()
        code = main([str(each) for each in words])
        said = capsys.readouterr()
        assert time.perf_counter() - started < SLOWEST
        assert code in (0, 2) and (said.err.count("\n") == 1 or code == 0), said.err
        assert (said.out + said.err).replace("\n", "").isprintable()
        return code == 0

    return ask


@some(FEW, MANY)
def test_a_results_file_with_changed_bytes_is_refused_or_says_the_same(count, run, tmp_path, answered):
    path = run.save(tmp_path / "results.h5")
    content, whole = path.read_bytes(), tb.open(path)
    for number in range(count):
        path.write_bytes(fuzz.bytes_of(content, np.random.default_rng([1, number])))
        if answered("info", path):
            found = tb.open(path)
            assert str(found) == str(whole), number
            for name in ("midline", "muscle_activation", "voltage", "voltage_time"):
                assert np.array_equal(getattr(found.track(), name), getattr(whole.track(), name)), (number, name)


@some(FEW, MANY)
def test_a_results_file_of_other_content_is_refused_or_can_be_used(count, run, tmp_path, answered):
    path = run.save(tmp_path / "results.h5")
    content = path.read_bytes()
    for number in range(count):
        path.write_bytes(fuzz.results_of(content, np.random.default_rng([2, number])))
        if answered("info", path):
            assert str(tb.open(path)).count("\n") == 2
            if number % 20 == 0:
                assert answered("export", "csv", path, "--out", tmp_path / str(number))


@some(FEW, MANY)
def test_tables_of_a_sweep_with_changed_bytes_are_refused_or_say_the_same(count, tmp_path):
    plan = make_plan({"base": {"duration": 400.0}, "vary": {"parameters.noise": [0.1, 0.2]}})
    settle_plan(tmp_path, plan)
    kept, first = (tmp_path / PLAN).read_bytes(), plan.runs[0]
    folder = run_folder(tmp_path, plan, first)
    folder.mkdir(parents=True)
    summary = json.dumps({"forward_speed_mm_s": 0.2, "sweep": {"digest": first.digest, "number": 1}}).encode()
    for number in range(count):
        rng = np.random.default_rng([6, number])
        (tmp_path / PLAN).write_bytes(fuzz.bytes_of(kept, rng))
        (folder / SUMMARY).write_bytes(fuzz.bytes_of(summary, rng))
        outcome(folder, first)
        try:
            found = load_plan(tmp_path)
        except tb.ConfigError as error:
            assert str(error).count("\n") == 0
        else:
            assert [each.digest for each in found.runs] == [each.digest for each in plan.runs][: len(found.runs)]
