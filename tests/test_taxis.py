"""Walkers with a known bias are found to have it, and those without are not."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from free_worms import BEND, crawl, walkers
from scipy.special import j0

from tianbao.behaviour.patches import depth_in_disc, encounters, residence, speed_inside_outside
from tianbao.behaviour.paths import Walk, curving, direction, sharp_turns, turn_bouts, walks_of
from tianbao.behaviour.taxis import (
    bearings,
    count_index,
    curving_slope,
    curving_table,
    distance_index,
    drift_velocity,
    over_worms,
    pirouette_asymmetry,
)
from tianbao.errors import OutputError

GROUPS, WORMS = 40, 20
SLOPE, RATIO = 8.0, 2.0


def groups(**options):
    walks = walkers(0, worms=GROUPS * WORMS, **options)
    return [walks[k * WORMS : (k + 1) * WORMS] for k in range(GROUPS)]


@pytest.fixture(scope="module")
def biased():
    return groups(slope=SLOPE, ratio=RATIO)


@pytest.fixture(scope="module")
def aimless():
    return groups()


def slopes(walks, causal=True):
    return [curving_slope([curving(each, causal=causal) for each in group]).slope for group in walks]


def covered(intervals, value):
    return sum(each.low <= value <= each.high for each in intervals)


def test_a_known_curving_slope_lies_in_most_intervals(biased):
    found = slopes(biased)
    assert covered(found, SLOPE) >= 26 and all(each.low > 0.0 for each in found)
    # Over 1 mm a worm turns towards the gradient already, which takes off some 5 %.
    assert np.mean([each.value for each in found]) == pytest.approx(0.95 * SLOPE, rel=0.04)
    assert found[0].worms == WORMS


def test_the_gradient_in_the_middle_underestimates_steering(biased):
    middle = np.mean([each.value for each in slopes(biased, causal=False)])
    assert 0.8 * SLOPE < middle < np.mean([each.value for each in slopes(biased)])


def test_aimless_walkers_have_no_slope_no_drift_and_no_asymmetry(aimless):
    assert covered(slopes(aimless), 0.0) >= 34 and covered(slopes(aimless, causal=False), 0.0) >= 34
    assert covered([drift_velocity(each) for each in aimless], 0.0) >= 34
    assert covered([pirouette_asymmetry(each).ratio for each in aimless], 1.0) >= 34


def test_a_known_ratio_of_pirouettes_lies_in_most_intervals(biased):
    found = [pirouette_asymmetry(each) for each in biased]
    assert covered([each.ratio for each in found], RATIO) >= 32
    assert sum(each.ratio.low > 1.0 for each in found) >= 36
    assert found[0].falling_per_min.value == pytest.approx(60.0 * 0.03 * math.sqrt(RATIO), rel=0.2)
    assert all(drift_velocity(each).low > 0.0 for each in biased)


def test_the_table_of_curving_lies_on_the_line(biased):
    table = curving_table([curving(each, causal=True) for group in biased[:10] for each in group])
    inside = table["worms"] > 10
    assert inside.sum() == 5 and table["normal"][inside] == pytest.approx([-1.0, -0.5, 0.0, 0.5, 1.0])
    line = np.polyfit(table["normal"][inside], table["rate"][inside], 1)
    assert line[0] == pytest.approx(SLOPE, rel=0.2)
    assert math.isnan(table["rate"][0]) and table["samples"][0] == 0


def test_a_worm_that_always_curves_has_a_bias_and_no_slope():
    found = curving_slope([curving(each) for each in walkers(3, bias=20.0)])
    assert found.bias.value == pytest.approx(20.0, rel=0.1) and abs(found.slope.value) < 2.0


def test_worms_turn_up_the_gradient_in_pirouettes_from_which_they_start_downwards():
    walks = []
    for worm, angle in enumerate((0.3, -0.4, 0.2)):
        down = straight(6.0, math.pi, 60)
        place = np.concatenate([down, down[-1] + straight(6.0, angle, 60)[1:]])
        even = np.tile([1.0, 0.0], (len(place), 1))
        walks.append(Walk(1000.0 * np.arange(len(place)), place, place[:, 0], even, worm))
    found = bearings(walks)
    assert np.abs(found.before_deg) == pytest.approx(180.0) and found.worm.tolist() == [0, 1, 2]
    assert found.after_deg == pytest.approx(np.degrees([0.3, -0.4, 0.2]))
    before, after = found.up()
    assert before.value == pytest.approx(-1.0) and 0.9 < after.low <= after.value <= after.high < 1.0
    empty = bearings([])
    assert len(empty.before_deg) == 0


def straight(length=20.0, angle=0.5, count=200):
    way = np.linspace(0.0, length, count)[:, None]
    return way * np.array([math.cos(angle), math.sin(angle)])


def test_a_straight_path_has_its_direction_and_a_sharp_turn_is_found():
    there = straight()
    found = direction(there)
    assert np.isnan(found[[0, -1]]).all() and found[10:-10] == pytest.approx(0.5)
    assert not sharp_turns(there).any()
    back = np.concatenate([there, there[-1] + 0.3 * straight(angle=0.5 + math.radians(150.0))])
    turns = np.flatnonzero(sharp_turns(back))
    assert len(turns) and np.abs(turns - 199).max() < 20
    walk = Walk(1000.0 * np.arange(len(back)), back, np.zeros(len(back)), np.zeros((len(back), 2)))
    assert len(turn_bouts(walk)) == 1 and turn_bouts(walk).turns[0] == 1
    assert len(curving(walk).rate) < len(back) and curving(walk).rate == pytest.approx(0.0, abs=1e-6)


def test_a_circle_curves_by_its_radius():
    angle = np.linspace(0.0, 4.0 * np.pi, 800)
    place = 3.0 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    walk = Walk(1000.0 * np.arange(800), place, np.zeros(800), np.tile([0.0, 2.0], (800, 1)))
    found = curving(walk)
    assert found.rate == pytest.approx(math.degrees(1.0 / 3.0), rel=0.01)
    assert found.normal.max() == pytest.approx(2.0, rel=0.01) and found.normal.min() == pytest.approx(-2.0, rel=0.01)


def test_a_midline_in_a_field_becomes_a_walk():
    time, line = crawl([(20.0, 0.2)], frame=40.0, curve_deg_mm=15.0)

    def at(points, moment):
        return 10.0 + 2.0 * points[..., 0] - 1.0 * points[..., 1]

    walk, *more = walks_of(time, line, at, worm=3, stride_ms=3100.0)
    assert not more and walk.worm == 3 and walk.gradient == pytest.approx(np.tile([2.0, -1.0], (len(walk.time_ms), 1)))
    # The body undulates, so its centre moves less far than each point of it.
    assert curving(walk).rate == pytest.approx(15.0 / j0(BEND), rel=0.1)
    assert drift_velocity([walk]).worms == 1 and math.isnan(drift_velocity([walk]).low)
    line[200:300] = np.nan
    assert len(walks_of(time, line, at)) == 2 and walks_of(time[:2], line[:2], at) == []


def test_the_count_index_compares_the_source_with_its_mirror():
    place = np.array([[4.0, 0.0], [3.5, 0.5], [-4.0, 0.0], [0.0, 0.0]])
    found = count_index(place, np.array([4.0, 0.0]), 1.0)
    assert (found.near, found.other, found.worms) == (2, 1, 4)
    assert found.index == 0.25 and found.index_of_choosers == pytest.approx(1 / 3)
    turned = count_index(place, np.array([[4.0, 0.0], [-4.0, 0.0], [-4.0, 0.0], [4.0, 0.0]]), 1.0)
    assert turned.near == 2 and turned.other == 1
    assert math.isnan(count_index(np.zeros((3, 2)), np.array([9.0, 0.0]), 1.0).index_of_choosers)
    with pytest.raises(OutputError, match="at least one worm"):
        count_index(np.zeros((0, 2)), np.array([4.0, 0.0]), 1.0)


def test_the_distance_index_is_one_at_the_source_and_zero_for_a_worm_that_stays():
    source = np.array([4.0, 0.0])
    assert distance_index(np.zeros((10, 2)), source) == 0.0
    assert distance_index(np.linspace([0.0, 0.0], source, 101), source) == pytest.approx(0.5)
    assert math.isnan(distance_index(np.full((4, 2), np.nan), source))


def test_no_worms_and_one_worm_have_no_interval():
    assert over_worms(lambda sums: sums[..., 0], np.zeros((0, 1))).worms == 0
    alone = over_worms(lambda sums: sums[..., 0], np.ones((1, 1)))
    assert alone.value == 1.0 and math.isnan(alone.low)
    assert math.isnan(curving_slope([]).slope.value) and pirouette_asymmetry([]).pirouettes == 0
    assert math.isnan(drift_velocity([]).value)


def test_a_walk_too_short_for_a_direction_gives_no_sample():
    walk = walkers(0, worms=1, seconds=3.0)[0]
    assert len(curving(walk).rate) == 0 and len(turn_bouts(walk)) == 0
    still = dataclasses.replace(walk, place=np.zeros_like(walk.place))
    assert len(curving(still).rate) == 0


def test_time_and_speed_on_a_patch():
    time = 100.0 * np.arange(1001)
    x = np.concatenate([np.linspace(-5.0, 0.0, 251), np.linspace(0.0, 5.0, 751)[1:]])
    place = np.stack([x, np.zeros_like(x)], axis=1)
    depth = depth_in_disc(place, np.array([2.5, 0.0]), 2.5)
    visits = residence(time, depth)
    assert visits.share == pytest.approx(0.75, abs=0.002) and visits.begun.tolist() == [True]
    assert visits.ended.tolist() == [False]
    on, off = speed_inside_outside(time, place, depth)
    assert on == pytest.approx(5.0 / 75.0, rel=0.01) and off == pytest.approx(5.0 / 25.0, rel=0.01)
    assert math.isnan(speed_inside_outside(time, place, depth - 10.0)[0])
    assert math.isnan(residence(time[:0], depth[:0]).share)
    with pytest.raises(OutputError, match="one value per frame"):
        residence(time, depth[1:])


def test_encounters_with_a_border_are_counted_with_their_depth():
    time = 100.0 * np.arange(600)
    depth = np.full(600, -1.0)
    depth[100:120], depth[300:330], depth[580:] = 0.2, 0.8, 0.1
    depth[305:308] = -0.1  # a sweep of the head
    depth[110] = np.nan
    found = encounters(time, depth, 0.5)
    assert found.start_ms.tolist() == [10_000.0, 30_000.0, 58_000.0] and len(found) == 3
    assert found.deepest_mm == pytest.approx([0.2, 0.8, 0.1])
    assert found.left.tolist() == [True, True, False] and found.crossed.tolist() == [False, True, False]
    assert found.turned_away.tolist() == [True, False, False]
    assert len(encounters(time, np.full(600, -1.0), 0.5)) == 0 and len(encounters(time, np.full(600, 1.0), 0.5)) == 0
    assert len(encounters(time[:0], depth[:0], 0.5)) == 0
