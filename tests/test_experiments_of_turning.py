"""Commanded reversals, omega turns, steering and the trap: judged by their bars, and short ones run to the end."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from test_cli import SIMS, script

GOOD_REVERSAL = {
    "silenced": False, "latency_s": 0.1, "speed_mm_s": -0.25, "travelling_r2": 0.8, "wave_length": -0.6,
    "forward_again_s": 0.4,
}  # fmt: skip
GOOD_TURN = {"heading_change_deg": -120.0, "travels": True, "bend_0.8": -9.0, "speed_after_mm_s": 0.25}


@pytest.mark.parametrize(
    ("change", "good"),
    [
        ({}, True),
        ({"latency_s": math.nan}, False),
        ({"latency_s": 0.4}, False),
        ({"speed_mm_s": -0.1}, False),
        ({"travelling_r2": 0.6}, False),
        ({"wave_length": 0.6}, False),
        ({"forward_again_s": math.nan}, False),
        ({"silenced": True}, False),
        ({"silenced": True, "speed_mm_s": 0.01, "travelling_r2": math.nan}, True),
    ],
)
def test_a_reversal_is_judged_by_every_bar(change, good):
    reversal = script("reversal")
    assert reversal.holds(pd.Series({**GOOD_REVERSAL, **change}), reversal.CRITERIA["agar"]) is good


def test_slower_reversals_pass_in_water():
    reversal = script("reversal")
    row = pd.Series({**GOOD_REVERSAL, "speed_mm_s": -0.06})
    assert reversal.holds(row, reversal.CRITERIA["water"]) and not reversal.holds(row, reversal.CRITERIA["agar"])


@pytest.mark.parametrize(
    ("change", "good"),
    [
        ({}, True),
        ({"heading_change_deg": 120.0}, False),
        ({"heading_change_deg": math.nan}, False),
        ({"travels": False}, False),
        ({"bend_0.8": -3.0}, False),
        ({"speed_after_mm_s": 0.0}, False),
    ],
)
def test_an_omega_turn_is_judged_by_every_bar(change, good):
    assert script("omega").holds(pd.Series({**GOOD_TURN, **change}, dtype=object)) is good


def steered(slope=3.0, drift=0.5, speed=0.2):
    differences = script("steering").DIFFERENCES
    rows = [{"difference_pa": d, "turning_deg_s": drift + slope * d, "forward_speed_mm_s": 0.2} for d in differences]
    rows[0]["forward_speed_mm_s"] = speed
    return pd.DataFrame(rows)


def test_steering_is_judged_by_slope_drift_and_speed():
    steering = script("steering")
    assert steering.passed(steered()) and steering.fitted(steered()) == pytest.approx((3.0, 0.5))
    for spoiled in ({"slope": 1.0}, {"slope": -3.0}, {"drift": -3.0}, {"speed": 0.05}, {"speed": math.nan}):
        assert not steering.passed(steered(**spoiled)), spoiled


def trapped(follows=0.5, still=0.2):
    channels = script("trap").CHANNELS
    rows = [
        {"fields": fields, "channel": each, "posterior": 0.2 + share * (each if each == each else 0.0),
         "swing": 6.0 if each != each else 6.0 * still}
        for fields, share in (("behind", 0.0), ("both", follows)) for each in channels
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_the_trap_is_judged_by_the_default_worm():
    trap = script("trap")
    found = trap.summary(trapped())
    assert found.follows["both"] == pytest.approx(0.5) and found.follows["behind"] == pytest.approx(0.0)
    assert found.still["both"] == pytest.approx(0.2)
    assert trap.passed(trapped())
    assert not trap.passed(trapped(follows=-0.5)) and not trap.passed(trapped(still=0.9))
    assert not trap.passed(trapped(follows=math.nan))


def test_the_receptive_fields_of_the_trap_have_one_gain_each():
    trap = script("trap")
    behind, front, both = map(trap.parameters_of, trap.FIELDS)
    assert behind.cord_opposite_gain == front.cord_stretch_gain == 0.0
    assert behind.cord_stretch_gain == front.cord_opposite_gain == both.cord_stretch_gain > 0.0


def test_a_short_reversal_is_measured_and_written(tmp_path, monkeypatch):
    reversal = script("reversal")
    monkeypatch.setattr(reversal, "COMMAND", 700.0)
    monkeypatch.setattr(reversal, "AFTER", 200.0)
    setting = reversal.Setting("agar", "native")
    row, picture = reversal.measure((reversal.Case(0, 200.0), setting))
    assert row["onset"] == 200.0 and math.isfinite(row["speed_mm_s"]) and math.isfinite(row["tail_amplitude"])
    title = [(reversal.line_of(row), *picture)]
    assert reversal.conclusion(pd.DataFrame([row]), title, None, tmp_path, reversal.CRITERIA["agar"]) == 1
    assert (tmp_path / "kymographs.png").stat().st_size > 0


def test_a_short_turn_is_measured_and_written(tmp_path, monkeypatch):
    omega = script("omega")
    for name, value in (("REVERSAL", 200.0), ("BIASED", 100.0), ("AFTER", 400.0)):
        monkeypatch.setattr(omega, name, value)
    row, picture = omega.measure((omega.Case(0, 100.0), omega.Setting("agar", "native", cycle=200.0)))
    assert math.isfinite(row["bend_0.8"]) and math.isnan(row["heading_change_deg"])
    assert omega.conclusion(pd.DataFrame([row]), [(omega.line_of(row), *picture)], tmp_path) == 1


@pytest.mark.parametrize("name", ["reversal", "omega", "steering", "trap"])
def test_a_wrong_parameter_is_one_sentence(name, tmp_path, capsys):
    assert script(name).main(["--set", "gap_gian=1", "--out", str(tmp_path)]) == 2
    assert "did you mean 'gap_gain'" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "written"),
    [
        ("reversal", ["--first", "100", "--crawl", "600", "--phases", "1", "--no-video"], "reversal.csv"),
        ("omega", ["--first", "100", "--crawl", "600", "--phases", "1"], "path.png"),
        ("steering", ["--duration", "400"], "steering.png"),
        ("trap", ["--crawl", "100", "--duration", "200"], "trap.png"),
    ],
)
def test_an_experiment_runs(name, options, written, tmp_path):
    command = [sys.executable, SIMS / f"{name}.py", "--out", tmp_path, *options]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode in (0, 1) and "Traceback" not in run.stderr, run.stderr
    assert (Path(tmp_path) / written).exists()
