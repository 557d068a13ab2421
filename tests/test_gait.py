"""Gait metrics against waves whose speed, rhythm and shape are known."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from synthetic import AMPLITUDE, FREQUENCY, SPEED, WAVELENGTH, crawling_worm, pose

from tianbao.behaviour.gait import CRAWLING, PUBLISHED, compare, crawled, curvature, curvature_positions, gait
from tianbao.behaviour.shape import SHAPE_METRICS
from tianbao.errors import OutputError


def assert_known_wave(measured, direction=1):
    assert measured.forward_speed_mm_s == pytest.approx(direction * SPEED, rel=0.03)
    assert measured.frequency_hz == pytest.approx(FREQUENCY, rel=0.01)
    assert measured.wavelength_body_lengths == pytest.approx(WAVELENGTH, rel=0.02)
    assert measured.wave_direction == direction
    assert measured.amplitude == pytest.approx(AMPLITUDE, rel=0.02)
    assert measured.amplitude_head == pytest.approx(AMPLITUDE, rel=0.02)
    assert measured.peak_share > 0.98
    assert measured.head_lock > 0.98
    assert measured.travelling_index == pytest.approx(direction, abs=0.01)


@pytest.mark.parametrize("points", [49, 97, 60])
def test_a_known_wave_is_measured_whatever_the_number_of_points(points):
    assert_known_wave(gait(*crawling_worm(points)))


def test_a_reversing_worm_has_negative_speed_and_a_wave_to_the_head():
    assert_known_wave(gait(*crawling_worm(direction=-1)), direction=-1)


def test_a_worm_that_rolls_over_as_it_goes_has_the_gait_of_one_that_does_not():
    time, line = crawling_worm()
    tangent = np.gradient(line, axis=1)
    dorsal = np.cross(tangent, [0.0, 0.0, 1.0])
    dorsal /= np.linalg.norm(dorsal, axis=-1, keepdims=True)
    roll = 2.0 * np.pi * time / 10_000.0
    turn = np.zeros((len(time), 3, 3))
    turn[:, 0, 0] = 1.0
    turn[:, 1, 1] = turn[:, 2, 2] = np.cos(roll)
    turn[:, 1, 2], turn[:, 2, 1] = -np.sin(roll), np.sin(roll)
    line, dorsal = (np.einsum("fij,fpj->fpi", turn, each) for each in (line, dorsal))
    assert_known_wave(gait(time, line, dorsal=dorsal))
    assert gait(time, line).peak_share < 0.7


def test_turning_while_crawling_changes_straightness_but_not_speed():
    straight, curved = gait(*crawling_worm()), gait(*crawling_worm(turn_deg_s=6.0))
    assert straight.straightness > 0.97
    assert curved.forward_speed_mm_s == pytest.approx(straight.forward_speed_mm_s, rel=0.02)
    # Net over path of an arc of 2 radians, about what 6 degrees a second make of 19 s, is sin 1.
    assert curved.straightness == pytest.approx(np.sin(1.0), abs=0.04)


def test_a_full_circle_goes_nowhere():
    assert gait(*crawling_worm(turn_deg_s=360 / 19)).straightness < 0.05


def test_a_still_worm_gives_finite_numbers_and_no_warning():
    time, line = crawling_worm()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for still in (np.broadcast_to(line[:1], line.shape), np.broadcast_to(pose(np.zeros((1, 47))), line.shape)):
            measured = gait(time, still)
            numbers = measured.as_dict()
            shape = {name: numbers.pop(name) for name in SHAPE_METRICS}
            assert np.isfinite(list(numbers.values())).all()
            assert shape.pop("shortest_length") == pytest.approx(1.0, abs=0.01)
            assert np.isnan(shape.pop("travelling_r2")) and np.isnan(shape["wave_frequency_hz"])
            assert abs(measured.forward_speed_mm_s) < 1e-9
            assert measured.frequency_hz == measured.wave_direction == measured.straightness == 0
            assert not crawled(measured)


def test_a_standing_wave_does_not_travel():
    time = np.arange(20.0, 23_000.0, 20.0)
    s = curvature_positions(49)
    standing = np.cos(2 * np.pi * FREQUENCY * time[:, None] / 1000) * np.sin(2 * np.pi * s / WAVELENGTH)
    measured = gait(time, pose(AMPLITUDE * standing))
    assert abs(measured.travelling_index) < 0.02
    assert abs(measured.forward_speed_mm_s) < 0.005


def test_bend_to_dorsal_is_positive_curvature():
    # Heading +x with dorsal +y: the middle below both ends is concave towards dorsal.
    angle = np.linspace(0.0, np.pi / 2, 49) - np.pi / 4
    arc = np.stack([np.sin(-angle), -np.cos(angle)], axis=1)
    assert arc[0, 0] > arc[-1, 0]
    assert curvature(arc[None]) == pytest.approx(np.full((1, 47), np.pi / 2), rel=2e-3)
    assert curvature(arc * [1, -1]) == pytest.approx(np.full((1, 47), -np.pi / 2), rel=2e-3)


def test_curvature_does_not_depend_on_place_or_heading():
    _, line = crawling_worm(duration=4000.0)
    c, w = np.cos(0.7), np.sin(0.7)
    moved = line @ np.array([[c, w, 0], [-w, c, 0], [0, 0, 1]]) + [3.0, -2.0, 0.1]
    assert curvature(moved) == pytest.approx(curvature(line), abs=1e-9)


def test_a_constant_bend_is_reported_as_bias():
    time = np.arange(20.0, 10_000.0, 20.0)
    s = curvature_positions(49)
    bend = 1.5 + AMPLITUDE * np.cos(2 * np.pi * (FREQUENCY * time[:, None] / 1000 - s / WAVELENGTH))
    assert gait(time, pose(bend)).bias == pytest.approx(1.5, abs=0.25)


def test_two_rhythms_share_the_power():
    time = np.arange(20.0, 23_000.0, 20.0)
    s = curvature_positions(49)
    seconds = time[:, None] / 1000
    bend = np.cos(2 * np.pi * (0.4 * seconds - s / 0.6)) + np.cos(2 * np.pi * (1.5 * seconds - s / 0.6))
    assert gait(time, pose(3.0 * bend)).peak_share == pytest.approx(0.5, abs=0.05)


def test_the_default_run_is_long_enough_to_see_a_pure_rhythm():
    assert crawled(gait(*crawling_worm(duration=10_000.0)))


@pytest.mark.parametrize("duration", [1000.0, 3000.0, 6000.0])
def test_too_short_a_run_never_counts_as_crawling(duration):
    assert not crawled(gait(*crawling_worm(duration=duration)))


@pytest.mark.parametrize("duration", [3000.0, 6000.0, 10_000.0, 23_000.0])
def test_bending_without_rhythm_has_no_peak_however_short_the_run(duration):
    rng = np.random.default_rng(0)
    time = np.arange(20.0, duration, 20.0)
    for _ in range(6):
        bend = gaussian_filter(rng.normal(size=(len(time), 47)), (8, 4))
        bend *= 6.0 / np.percentile(np.abs(bend), 95)
        assert gait(time, pose(bend)).peak_share < 0.65


def test_measurement_noise_of_a_tenth_of_a_micrometre_is_harmless():
    noisy = gait(*crawling_worm(97, noise=1e-4))
    assert noisy.amplitude == pytest.approx(AMPLITUDE, rel=0.04)
    assert noisy.wavelength_body_lengths == pytest.approx(WAVELENGTH, rel=0.02)


def test_too_short_a_record_is_not_a_number_rather_than_a_guess():
    time, line = crawling_worm(duration=100.0)
    for frames in (0, 1, len(time)):
        measured = gait(time[:frames], line[:frames])
        assert np.isnan(measured.forward_speed_mm_s) and not crawled(measured)


def test_the_known_wave_counts_as_crawling_and_each_window_matters():
    measured = gait(*crawling_worm())
    assert crawled(measured)
    for window in CRAWLING:
        assert not crawled(dataclasses.replace(measured, **{window.metric: window.low - 0.2}))


def test_comparison_names_range_source_and_verdict():
    measured = gait(*crawling_worm(), medium="agar")
    rows = {row.metric: row for row in compare(measured)}
    assert rows["frequency_hz"].inside and rows["frequency_hz"].source
    assert not {row.metric: row for row in compare(measured, "water")}["frequency_hz"].inside
    assert compare(measured, "honey") == []
    assert "published 0.2 to 0.7 Hz" in str(measured)


def test_published_ranges_are_ordered_and_known_metrics():
    for each in (*PUBLISHED, *CRAWLING):
        assert each.low <= each.high and hasattr(gait(*crawling_worm(duration=4000.0)), each.metric)


def test_a_run_is_too_short_to_judge_below_one_and_a_half_cycles_of_the_slowest_crawl():
    from tianbao.behaviour.gait import CRAWLING, too_short

    slowest = next(each.low for each in CRAWLING if each.metric == "frequency_hz")
    for seconds in (0.4, 6.0, 8.0, 10.0, 23.0):
        measured = crawling_gait(seconds)
        enough = measured.measured_ms / 1000.0 * slowest >= 1.5
        assert (too_short(measured, "agar") == "") == enough == (seconds > 9.0), seconds
    assert too_short(crawling_gait(6.0), "newtonian 0.1 Pa s") == ""


def crawling_gait(seconds):
    from synthetic import recording

    return recording(duration=1000.0 * seconds).gait()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t, line: (np.where(np.arange(len(t)) == 5, np.nan, t), line),
        lambda t, line: (t[::-1], line),
        lambda t, line: (np.concatenate([t[:50], 3 * t[50:]]), line),
        lambda t, line: (t[:-3], line),
        lambda t, line: (t, 1e300 * line),
        lambda t, line: (t, 0.0 * line),
        lambda t, line: (t, np.where(line > 0.3, np.nan, line)),
        lambda t, line: (t, line + 0j),
        lambda t, line: (t, line[:, :2]),
        lambda t, line: (t, line[..., 0]),
        lambda t, line: (t, "line"),
    ],
)
def test_what_is_no_track_has_no_gait(spoil):
    with pytest.raises(OutputError):
        gait(*spoil(*crawling_worm(21, 4000.0, 40.0)))


def test_directions_that_are_none_are_refused():
    time, line = crawling_worm(21, 4000.0, 40.0)
    for wrong in (np.full(line.shape, np.nan), np.ones((3, 3))):
        with pytest.raises(OutputError, match="dorsal"):
            gait(time, line, dorsal=wrong)
