"""Reorientations, bouts of turns and memory of direction are measured as they were made up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from free_worms import crawl

from tianbao.behaviour.states import threshold_events
from tianbao.behaviour.tracks import tangential_velocity
from tianbao.behaviour.turning import (
    bouts,
    heading,
    heading_memory,
    motion_direction,
    net_bend,
    nose_to_tail,
    reorientations,
)

STRIDE = 3100.0  # wavelength over speed [ms]


def turned(degrees, length=0.9, after=12.0, frame=40.0):
    """A worm that goes forward, back for 3 s and away in a direction that differs by `degrees`."""
    time, line = crawl([(7.0, 0.2), (3.0, -0.2), (after, 0.2, degrees, length)], frame=frame)
    events = threshold_events(tangential_velocity(time, line))
    return time, line, reorientations(time, line, events, STRIDE)


@pytest.mark.parametrize(
    ("degrees", "kind"), [(-170.0, "omega"), (-250.0, "delta"), (170.0, "dorsal"), (0.0, "none"), (-30.0, "none")]
)
def test_the_change_of_heading_and_the_kind_of_turn(degrees, kind):
    _, _, found = turned(degrees)
    assert len(found) == 1 and found.kind[0] == kind
    assert found.change_deg[0] == pytest.approx(degrees, abs=20.0)
    assert found.start_ms[0] == pytest.approx(7000.0, abs=150.0)


def test_the_bend_of_a_turn_has_its_side_and_a_crawling_worm_no_deep_bend():
    _, _, ventral = turned(-200.0)
    _, _, dorsal = turned(200.0)
    assert ventral.ventral_deg[0] > 150.0 > ventral.dorsal_deg[0]
    assert dorsal.dorsal_deg[0] > 150.0 > dorsal.ventral_deg[0]
    _, line = crawl([(3.0, 0.2)])
    assert max(each.max() for each in net_bend(line)) < 120.0 and nose_to_tail(line).min() > 0.5


def test_a_ring_brings_the_nose_to_the_tail():
    around = np.linspace(0.0, 2 * np.pi, 49)
    ring = np.stack([np.cos(around), np.sin(around)], axis=1)[None]
    assert nose_to_tail(ring)[0] < 0.02
    assert net_bend(ring)[0][0] == pytest.approx(352.5, abs=1.0) and net_bend(ring)[1][0] < 1.0


def test_a_reversal_near_the_end_has_no_change_of_heading():
    _, _, found = turned(-170.0, after=2.0)
    assert math.isnan(found.change_deg[0]) and found.kind[0] in ("unknown", "none")
    time, line = crawl([(4.0, 0.2)])
    assert len(reorientations(time, line, threshold_events(tangential_velocity(time, line)), STRIDE)) == 0


def test_a_reversal_soon_after_leaves_the_heading_between_unknown():
    time, line = crawl([(7.0, 0.2), (2.0, -0.2), (1.5, 0.2, -60.0, 0.9), (2.0, -0.2), (12.0, 0.2)], frame=40.0)
    found = reorientations(time, line, threshold_events(tangential_velocity(time, line)), STRIDE)
    assert np.isnan(found.change_deg).tolist() == [True, False] and (found.kind == "none").all()


def test_a_slow_change_of_heading_is_whole_only_if_read_late():
    """A worm that curves by 90 deg over 1.2 mm, six seconds, after its reversal; the next one begins after 10 s."""
    time, line = crawl([(7.0, 0.2), (3.0, -0.2), (10.0, 0.2, -90.0, 1.2), (3.0, -0.2), (7.0, 0.2)], frame=40.0)
    events = threshold_events(tangential_velocity(time, line))
    early, late = (reorientations(time, line, events, STRIDE, after_ms=after).change_deg for after in (4800.0, 8000.0))
    assert late[0] < early[0] - 20.0 and early[0] < 0.0
    assert np.isfinite(early).tolist() == [True, True] and np.isfinite(late).tolist() == [True, False]


def test_the_heading_has_no_undulation_and_survives_missing_frames():
    time, line = crawl([(20.0, 0.2)], curve_deg_mm=10.0, frame=40.0)
    line[100:105] = np.nan
    middle, angle = heading(time, line, STRIDE)
    slope = np.degrees(np.polyfit(middle / 1000.0, angle, 1)[0])
    assert slope == pytest.approx(10.0 * 0.2, rel=0.1)
    assert np.degrees(np.abs(np.diff(angle)).max()) < 3.0
    line[200:300] = np.nan
    assert np.isnan(heading(time, line, STRIDE)[1]).sum() == 1
    assert len(heading(time[:2], line[:2], STRIDE)[0]) == 0


def test_turns_close_together_are_one_bout():
    found = bouts(np.array([1000.0, 9000.0, 3000.0, 30_000.0]), np.array([2000.0, 9500.0, 6500.0, 31_000.0]))
    assert found.start_ms.tolist() == [1000.0, 30_000.0] and found.stop_ms.tolist() == [9500.0, 31_000.0]
    assert found.turns.tolist() == [3, 1]
    assert found.holds(np.array([500.0, 1000.0, 2500.0, 10_000.0, 30_500.0])).tolist() == [0, 1, 1, 0, 1]
    assert len(bouts(np.zeros(0), np.zeros(0))) == 0 and not bouts(np.zeros(0), np.zeros(0)).holds(np.ones(2)).any()


def test_the_memory_of_a_diffusing_heading_is_its_time_constant():
    random = np.random.default_rng(0)
    time = 500.0 * np.arange(40_000)
    # Rotational diffusion: the correlation falls as exp(-D t).
    angle = np.cumsum(random.normal(0.0, math.sqrt(2.0 * 0.5 / 20.0), len(time)))
    found = heading_memory(time, angle)
    assert found.time_constant_s == pytest.approx(20.0, rel=0.15)
    assert found.correlation[0] == 1.0 and 70.0 < found.change_deg[-1] < 95.0


def test_a_direction_that_is_kept_has_no_time_constant():
    time = 100.0 * np.arange(600)
    assert math.isnan(heading_memory(time, np.zeros(600)).time_constant_s)
    assert math.isnan(heading_memory(time[:2], np.zeros(2)).time_constant_s)
    assert math.isnan(heading_memory(time, np.full(600, np.nan)).time_constant_s)


def test_a_motion_has_a_direction_and_rest_has_none():
    time, angle = motion_direction([0.0, 10.0, 20.0, 30.0], [[0.0, 0.0], [0.0, 1.0], [0.0, 1.0], [-1.0, 1.0]])
    assert time.tolist() == [5.0, 15.0, 25.0]
    assert angle[[0, 2]] == pytest.approx([math.pi / 2, math.pi]) and math.isnan(angle[1])
