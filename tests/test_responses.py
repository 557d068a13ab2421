"""Answers to stimuli are measured as they were made up; assays of a run give one number."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from free_worms import crawl
from synthetic import recording

from tianbao.behaviour.responses import acceleration, response, share_of_trials

PROGRAM = [(5.3, 0.2), (2.0, -0.25), (4.0, 0.2)]


@pytest.fixture(scope="module")
def touched():
    return crawl(PROGRAM)


def test_a_reversal_after_a_touch_is_measured(touched):
    found = response(*touched, 5000.0)
    assert found.eligible and found.reversed
    assert found.latency_s == pytest.approx(0.3, abs=0.06) and found.duration_s == pytest.approx(2.0, abs=0.1)
    assert (found.distance_mm, found.distance_body_lengths) == pytest.approx((0.5, 0.5), abs=0.03)
    assert found.forward_again and found.forward_again_s < 0.3


def test_a_reversal_outside_the_window_or_too_short_is_no_answer(touched):
    assert not response(*touched, 3000.0).reversed and response(*touched, 3000.0).eligible
    assert response(*touched, 3000.0, window_s=3.0).latency_s == pytest.approx(2.3, abs=0.06)
    assert not response(*touched, 5000.0, least_body_lengths=0.8).reversed


def test_a_trial_that_begins_backwards_or_beyond_the_track_does_not_count(touched):
    assert not response(*touched, 6000.0).eligible
    assert not response(*touched, 11_000.0).eligible and not response(*touched, -500.0).eligible
    time, line = touched
    lost = np.where(((time > 5100.0) & (time < 5900.0))[:, None, None], np.nan, line)
    assert not response(time, lost, 5000.0).eligible


def test_a_reversal_that_the_track_cuts_off_has_no_duration():
    found = response(*crawl([(5.3, 0.2), (2.0, -0.25)]), 5000.0)
    assert found.reversed and math.isnan(found.duration_s) and not found.forward_again


def test_a_touched_tail_accelerates():
    time, line = crawl([(5.0, 0.1), (4.0, 0.3)])
    found = acceleration(time, line, 5000.0)
    assert found.before_mm_s == pytest.approx(0.1, abs=0.02) and found.after_mm_s == pytest.approx(0.3, abs=0.03)
    assert found.change_mm_s > 0.15 and found.fastest_mm_s >= found.after_mm_s
    assert math.isnan(acceleration(time, line, 500.0).before_mm_s)


def test_shares_of_trials_have_the_interval_of_wilson():
    found = share_of_trials([True] * 32 + [False] * 8)
    assert found.share == 0.8 and (found.hits, found.trials) == (32, 40)
    assert (found.low, found.high) == pytest.approx((0.652, 0.895), abs=0.001)
    assert math.isnan(share_of_trials([]).share)


def test_assays_of_a_run_that_crawls_straight_ahead():
    run = recording(duration=8000.0)
    assert run.assay("reversals_per_minute") == 0.0
    assert math.isnan(run.assay("forward_dwell")) and math.isnan(run.assay("reverse_dwell"))
    assert math.isnan(run.assay("chemotaxis_drift")) and math.isnan(run.assay("share_on_food"))
    assert math.isnan(run.assay("heading_memory"))


def test_assays_of_a_run_in_a_gradient_and_on_food():
    from tianbao.environment import Gaussian

    run = recording(duration=8000.0)
    source = Gaussian("nacl", peak=50.0, width=5.0, centre=(20.0, 0.0, 0.0)).described()
    lines = [f"{name} = {list(each) if isinstance(each, tuple) else repr(each)}" for name, each in source.items()]
    table = "\n[[fields]]\n" + "\n".join(lines).replace("'", '"') + "\n"
    lawn = '\n[[fields]]\nkind = "lawn"\nname = "food"\nradius = 30.0\ndensity = 1.0\nspacing = 0.5\nreach = 0.5\n'
    fed = dataclasses.replace(run, config_toml=run.config_toml + table + lawn)
    assert fed.assay("chemotaxis_drift") == pytest.approx(0.2, rel=0.1)
    assert fed.assay("share_on_food") == 1.0
