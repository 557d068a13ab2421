"""The shape of the wave against waves whose shape is known by construction."""

from __future__ import annotations

import dataclasses
import math
import warnings

import numpy as np
import pytest
from synthetic import crawling_worm, pose

from tianbao.behaviour.gait import CRAWLING, PUBLISHED, Range, crawled, gait, missed
from tianbao.behaviour.midline import curvature_positions
from tianbao.behaviour.shape import ANIMAL_SMOOTHING, SHAPE_METRICS, best_wave, joint_positions, shape

S = joint_positions()
SECONDS = np.arange(0.0, 20.0, 0.02)


def wave(frequency=0.5, length=0.6, amplitude=7.0, seconds=SECONDS, s=S, phase=0.0):
    return amplitude * np.cos(2 * np.pi * (frequency * seconds[:, None] - s / length) + phase)


def measured(bend, seconds=SECONDS, s=S, **options):
    return shape(1000.0 * seconds, bend, s, **options)


def switching(sharpness):
    """A wave that waits and then jumps, twice a cycle, all along the body at once."""
    phase = 2 * np.pi * (0.5 * SECONDS[:, None] - S / 0.6)
    return 7.0 * np.cos(phase + sharpness * np.sin(2 * np.pi * SECONDS)[:, None])


@pytest.mark.parametrize("length", [0.45, 0.62, 1.5, 2.2, -0.55, -0.9])
@pytest.mark.parametrize("frequency", [0.23, 0.5, 1.87, 3.1])
def test_any_travelling_wave_is_found_exactly_whatever_part_of_a_cycle_is_seen(frequency, length):
    body = (S > 0.15) & (S < 0.85)
    for stop, offset in ((6.0, 0.0), (5.27, 1.3)):
        seconds = np.arange(0.0, stop, 0.02)
        found = best_wave(seconds, wave(frequency, length, 6.5, seconds, S[body], phase=0.7) + offset, S[body])
        assert found.r2 == pytest.approx(1.0, abs=1e-6)
        assert found.frequency_hz == pytest.approx(frequency, abs=1e-3)
        assert found.length == pytest.approx(length, rel=1e-3)
        assert found.amplitude == pytest.approx(6.5, rel=1e-3)


def test_a_pure_wave_has_the_shape_of_one():
    told = measured(wave())
    assert min(told.travelling_r2, told.travelling_r2_head) > 1.0 - 1e-6
    assert told.speed_cv_along < 0.01 and told.speed_cv_in_time < 0.01 and told.speed_slowest > 0.98
    assert told.duty < 0.01 and told.stride_period_cv < 0.002 and told.stride_amplitude_cv < 0.002
    assert abs(told.head_phase) < 0.005 and told.tail_over_middle == pytest.approx(1.0, abs=0.01)
    assert told.eigenworm_share == pytest.approx(1.0, abs=1e-6)
    backwards = measured(wave(length=-0.8))
    assert backwards.wave_length == pytest.approx(-0.8, rel=1e-3) and backwards.speed_slowest > 0.98


def test_a_standing_wave_is_half_explained_and_runs_nowhere():
    told = measured(7.0 * np.cos(np.pi * SECONDS)[:, None] * np.cos(2 * np.pi * S / 0.35))
    assert told.travelling_r2 == pytest.approx(0.5, abs=0.04)
    assert told.speed_cv_in_time > 2.0 and told.speed_slowest < 0.0


def test_a_worm_that_waits_and_switches_has_a_low_share_and_an_uneven_speed():
    told = [measured(switching(sharpness)) for sharpness in (0.0, 0.4, 0.8)]
    shares, unevenness, slowest = (
        [getattr(each, name) for each in told] for name in ("travelling_r2", "speed_cv_in_time", "speed_slowest")
    )
    assert shares[0] > shares[1] > shares[2] and shares[2] < 0.75
    assert unevenness[0] < unevenness[1] < unevenness[2] and unevenness[2] > 0.6
    assert slowest[0] > slowest[1] > slowest[2]


def test_a_wave_that_is_faster_at_one_place_is_uneven_along_the_body():
    phase = np.interp(S, [0.0, 0.5, 1.0], [0.0, 1.2, 1.6])
    told = measured(7.0 * np.cos(2 * np.pi * (0.5 * SECONDS[:, None] - phase)))
    assert told.speed_cv_along > 0.35 and told.speed_cv_in_time < 0.25


def test_posture_that_flips_in_blocks_is_far_from_a_wave():
    blocks = np.floor(4.0 * S) / 4.0
    told = measured(7.0 * np.sign(np.cos(2 * np.pi * (0.5 * SECONDS[:, None] - blocks / 0.6) + 0.1)))
    assert told.travelling_r2 < 0.75 and told.speed_cv_in_time > 0.6


@pytest.mark.parametrize("amplitude", [3.0, 12.0])
def test_duty_is_the_time_a_shifted_wave_spends_on_one_side(amplitude):
    told, mirrored = (measured(side * (wave(amplitude=amplitude) + 0.4 * amplitude)) for side in (1.0, -1.0))
    assert told.duty == pytest.approx(math.asin(0.4) / math.pi, abs=0.005)
    assert mirrored.duty == pytest.approx(told.duty, abs=0.005)


def test_jitter_from_stride_to_stride_is_measured_as_it_was_made():
    rng, seconds = np.random.default_rng(3), np.arange(0.0, 200.0, 0.02)
    periods = 2.0 * (1.0 + 0.12 * rng.standard_normal(120))
    ends = np.concatenate([[0.0], np.cumsum(periods)])
    cycles = np.interp(seconds[:, None] - 1.2 * S, ends, np.arange(len(ends)))
    size = 7.0 * (1.0 + 0.1 * np.interp(seconds, ends, rng.standard_normal(121)))[:, None]
    told = measured(size * np.cos(2 * np.pi * cycles), seconds)
    seen = periods[ends[1:] < 200.0]
    assert told.stride_period_cv == pytest.approx(seen.std(ddof=1) / seen.mean(), rel=0.3)
    assert 0.04 < told.stride_amplitude_cv < 0.14
    assert told.stride_period_cv > 20 * measured(wave()).stride_period_cv


def test_noise_around_zero_makes_no_strides():
    noisy = wave() + np.random.default_rng(0).normal(0.0, 0.6, (len(SECONDS), 24))
    assert measured(noisy).stride_period_cv < 0.05


def test_eigenworms_hold_the_share_they_were_given():
    rng = np.random.default_rng(1)
    # Eight orthogonal postures without a mean, with orthogonal courses without one; curvature is the angle's steps.
    postures, courses = (
        np.linalg.qr(np.column_stack([np.ones(count), rng.normal(size=(count, 8))]))[0][:, 1:]
        for count in (24, len(SECONDS))
    )
    angle = 100.0 * (courses * np.sqrt([8.0, 6.0, 4.0, 2.0, 1.0, 1.0, 1.0, 1.0])) @ postures.T
    told = measured(24.0 * np.diff(angle, axis=1, prepend=0.0))
    assert told.eigenworm_share == pytest.approx(20.0 / 24.0, abs=1e-6)


@pytest.mark.parametrize("lead", [-0.2, 0.0, 0.3])
@pytest.mark.parametrize("length", [0.6, -0.9])
def test_a_head_out_of_step_is_seen_as_it_was_made(lead, length):
    ahead = np.where(S < 0.2, 2 * np.pi * lead, 0.0)
    told = measured(wave(length=length, phase=ahead))
    assert told.head_phase == pytest.approx(lead, abs=0.02)
    if lead:
        assert told.travelling_r2_head < told.travelling_r2


def test_amplitude_of_the_tail_over_that_of_the_middle():
    told = measured(wave() * np.where(S > 0.7, 0.4, 1.0))
    assert told.tail_over_middle == pytest.approx(0.4, abs=0.02)


@pytest.mark.parametrize(("points", "rate"), [(24, 32.0), (24, 25.0), (47, 50.0), (100, 20.0)])
def test_shape_does_not_depend_on_how_finely_a_worm_was_sampled(points, rate):
    def made(seconds, s):
        uneven = 1.0 + 0.2 * np.cos(2 * np.pi * s)
        return measured(wave(seconds=seconds, s=s) * uneven + np.sin(3.0 * seconds)[:, None], seconds, s)

    coarse = made(np.arange(0.0, 20.0, 1.0 / rate), (np.arange(points) + 0.5) / points)
    fine = made(SECONDS, S)
    for name in SHAPE_METRICS:
        told, reference = getattr(coarse, name), getattr(fine, name)
        assert told == pytest.approx(reference, rel=0.05, abs=0.02, nan_ok=True), name


def test_size_moves_only_the_amplitude_and_side_nothing():
    bend = switching(0.3)
    first = dataclasses.asdict(measured(bend))
    for factor in (-1.0, 3.0):
        other = dataclasses.asdict(measured(factor * bend))
        assert other["wave_amplitude"] == pytest.approx(abs(factor) * first["wave_amplitude"])
        for name in set(SHAPE_METRICS) - {"wave_amplitude"}:
            assert other[name] == pytest.approx(first[name], rel=1e-3, abs=3e-3, nan_ok=True), name


def test_a_backward_wave_is_the_mirror_of_a_forward_one():
    forward, backward = measured(switching(0.3)), measured(switching(0.3)[:, ::-1])
    assert backward.wave_length == pytest.approx(-forward.wave_length, rel=1e-3)
    for name in ("travelling_r2", "speed_cv_in_time", "speed_slowest", "duty"):
        assert getattr(backward, name) == pytest.approx(getattr(forward, name), abs=0.01)


def test_a_wave_that_turns_round_has_no_length():
    told = measured(np.where(SECONDS[:, None] < 10.0, wave(length=0.6), wave(length=-0.6)))
    assert math.isnan(told.wave_length) and told.travelling_r2 > 0.99


def test_smoothing_takes_out_noise_and_leaves_the_wave():
    noisy = wave() + np.random.default_rng(0).normal(0.0, 3.0, (len(SECONDS), 24))
    raw, smooth = measured(noisy), measured(noisy, smoothing=ANIMAL_SMOOTHING)
    assert smooth.travelling_r2 > 0.95 > raw.travelling_r2
    assert smooth.wave_length == pytest.approx(0.6, rel=0.01)


def test_what_cannot_be_measured_is_not_a_number_and_no_warning():
    nothing = [
        np.zeros((500, 24)), np.full((500, 24), 3.0), np.tile(5.0 * np.sin(7.0 * S), (500, 1)),
        np.full((500, 24), np.nan), *(wave()[:n] for n in (0, 1, 2, 15)),
    ]  # fmt: skip
    little = [*(wave()[:n] for n in (16, 17, 30, 60)), wave()[:40] + np.linspace(0.0, 9.0, 40)[:, None]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for bend in nothing:
            assert all(math.isnan(each) for each in dataclasses.astuple(measured(bend, SECONDS[: len(bend)])))
        for bend in little:
            assert all(type(each) is float for each in dataclasses.astuple(measured(bend, SECONDS[: len(bend)])))
        for still in (pose(np.zeros((500, 47))), np.zeros((500, 49, 3))):
            told = measured(np.zeros((500, 47)), SECONDS[:500], curvature_positions(49), midline=still)
            assert math.isnan(told.slip) and math.isnan(told.path_turn_deg_s)


@pytest.mark.parametrize("turn", [0.0, 6.0, -12.0])
def test_a_circle_is_measured_in_degrees_per_second(turn):
    assert gait(*crawling_worm(turn_deg_s=turn)).path_turn_deg_s == pytest.approx(turn, abs=0.3)


def test_a_path_turns_to_dorsal_on_whichever_side_dorsal_is():
    when, line = crawling_worm(turn_deg_s=8.0)
    to_tail = np.gradient(line, axis=1)
    left = np.stack([to_tail[..., 1], -to_tail[..., 0], np.zeros(line.shape[:2])], axis=-1)
    left /= np.linalg.norm(left, axis=-1, keepdims=True)
    assert gait(when, line, dorsal=left).path_turn_deg_s == pytest.approx(8.0, abs=0.3)
    assert gait(when, line, dorsal=-left).path_turn_deg_s == pytest.approx(-8.0, abs=0.3)
    upwards = np.zeros_like(line) + [0.0, 0.0, 1.0]
    assert math.isnan(gait(when, line, dorsal=upwards).path_turn_deg_s)


def test_slip_is_one_for_a_shallow_worm_that_follows_its_own_track():
    when = 20.0 * np.arange(800)
    # The nose leads along a sine; every point follows where the one before it was.
    along = 0.3 * when[:, None] / 1000.0 - np.linspace(0.0, 1.0, 97)
    line = np.stack([along, 0.02 * np.sin(2 * np.pi * along / 0.6)], axis=-1)
    assert gait(when, line).slip == pytest.approx(1.0, abs=0.03)
    assert gait(when, line - line.mean(axis=1, keepdims=True)).slip == pytest.approx(0.0, abs=0.02)
    back = gait(when, line[::-1])
    assert back.forward_speed_mm_s < 0.0 and back.slip == pytest.approx(1.0, abs=0.03)


def test_shortening_is_measured_against_a_millimetre_or_an_animals_own_length():
    when, line = crawling_worm()
    size = np.where((when > 9000.0) & (when < 10_000.0), 0.9, 1.0)[:, None, None]
    assert gait(when, 0.8 * size * line).shortest_length == pytest.approx(0.72, abs=0.01)
    assert gait(when, 0.8 * size * line, animal=True).shortest_length == pytest.approx(0.9, abs=0.01)


def test_a_gait_carries_its_shape_as_plain_numbers():
    told = gait(*crawling_worm(), medium="agar")
    numbers = told.as_dict()
    assert list(numbers)[0] == "forward_speed_mm_s" and set(SHAPE_METRICS) <= set(numbers)
    assert numbers["travelling_r2"] == told.travelling_r2 == pytest.approx(1.0, abs=1e-3)
    assert "published" in str(told).split("travelling_r2")[1].split("\n")[0]
    # Tables measured before these metrics were there still make gaits.
    old = {name: each for name, each in numbers.items() if name not in SHAPE_METRICS}
    assert math.isnan(type(told)(**old).duty)


def test_a_bar_on_the_shape_is_honoured(monkeypatch):
    told = gait(*crawling_worm(), medium="agar")
    bar = Range("speed_cv_along", 0.0, 0.1, "", "of this test", "chosen")
    others = (each for each in CRAWLING if each.metric != bar.metric)
    monkeypatch.setitem(crawled.__globals__, "CRAWLING", (*others, bar))
    assert crawled(told) and not missed(told, "agar")
    for uneven in (0.4, math.nan):
        worse = dataclasses.replace(told, speed_cv_along=uneven)
        assert not crawled(worse) and missed(worse, "agar") == [bar]


def test_published_ranges_of_the_shape_tell_forward_from_backward():
    rows = [each for each in PUBLISHED if each.metric in SHAPE_METRICS]
    assert {"travelling_r2", "speed_cv_along", "speed_cv_in_time", "duty"} <= {each.metric for each in rows}
    lengths = {each.medium: each for each in rows if each.metric == "wave_length"}
    assert lengths["agar"].low > 0.0 > lengths["agar backwards"].high
