"""Reversals and turns are measured as they were made up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from synthetic import pose

from tianbao.behaviour.midline import curvature_positions
from tianbao.behaviour.reversals import Reversal, amplitude, reversal, smooth_velocity
from tianbao.behaviour.turns import PLACES, heading_angle, turn, turning_rate

FRAME, POINTS = 20.0, 49
START, STOP, DELAY = 6000.0, 9000.0, 200.0
S = curvature_positions(POINTS)


def moved(time, bend, speed, angle=None):
    """Midline [mm] with these bends that goes at a speed [mm/s] along a direction [rad]."""
    angle = np.zeros(len(time)) if angle is None else angle
    line = pose(bend)
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    line[..., 0], line[..., 1] = c * line[..., 0] - s * line[..., 1], s * line[..., 0] + c * line[..., 1]
    step = speed[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1) * FRAME / 1000.0
    line[..., :2] += np.cumsum(step, axis=0)[:, None]
    return line


def reversing_worm(duration=12_000.0, backward=-0.3, tail=1.0):
    """A worm that goes back from 0.2 s after the command to 0.2 s after the release, its wave with it."""
    time = np.arange(FRAME, duration + FRAME / 2, FRAME)
    back = (time > START + DELAY) & (time <= STOP + DELAY)
    phase = 2 * np.pi * np.cumsum(np.where(back, -0.7, 0.5)) * FRAME / 1000.0
    size = np.where(S > 0.7, tail, 1.0)
    bend = 7.0 * size * np.cos(phase[:, None] - 2 * np.pi * S / 0.6)
    return time, moved(time, bend, np.where(back, backward, 0.25))


def test_a_made_up_reversal_is_measured_as_it_was_made():
    found = reversal(*reversing_worm(), START, STOP)
    assert found.latency_s == pytest.approx(DELAY / 1000.0, abs=0.05)
    assert found.forward_again_s == pytest.approx(DELAY / 1000.0, abs=0.1)
    assert found.speed_mm_s == pytest.approx(-0.3, abs=0.03)
    assert found.travelling_r2 > 0.98 and found.wave_length == pytest.approx(-0.6, abs=0.03)
    assert found.wave_frequency_hz == pytest.approx(0.7, abs=0.03)
    assert found.tail_amplitude == pytest.approx(7.0, rel=0.1)


def test_a_tail_that_hardly_swings_is_told():
    assert reversal(*reversing_worm(tail=0.3), START, STOP).tail_amplitude == pytest.approx(2.1, rel=0.1)


def test_a_worm_that_does_not_go_back_has_no_latency():
    found = reversal(*reversing_worm(backward=0.1), START, STOP)
    assert math.isnan(found.latency_s) and found.speed_mm_s > 0.05


def test_a_worm_that_stays_slow_is_not_forward_again():
    time, line = reversing_worm()
    assert math.isnan(reversal(time, line, START, STOP, again=0.5).forward_again_s)
    assert math.isnan(reversal(time[time <= STOP], line[time <= STOP], START, STOP).forward_again_s)


def test_a_record_that_ends_before_the_command_gives_nothing():
    time, line = reversing_worm(duration=5000.0)
    assert all(math.isnan(each) for each in reversal(time, line, START, STOP).as_dict().values())
    assert math.isnan(Reversal().speed_mm_s)


def test_smoothing_keeps_a_steady_velocity_to_its_ends():
    time = np.arange(0.0, 2000.0, FRAME)
    middle, velocity = smooth_velocity(time, moved(time, np.zeros((len(time), POINTS - 2)), np.full(len(time), 0.2)))
    assert velocity == pytest.approx(0.2) and len(middle) == len(time) - 1


def test_amplitude_is_that_of_a_sine_and_leaves_out_a_standing_bend():
    swing = 3.0 * np.sin(np.linspace(0.0, 4 * np.pi, 400, endpoint=False))[:, None]
    assert amplitude(swing + np.array([[5.0, -2.0]])) == pytest.approx(3.0)


def turning_worm(change_deg, first_bend_ms=500.0, release=8000.0, duration=14_000.0):
    """A worm whose heading goes over to another within 3 s, while one deep ventral band runs to the tail."""
    time = np.arange(FRAME, duration + FRAME / 2, FRAME)
    since = time - release
    angle = np.radians(change_deg) * np.clip(since / 3000.0, 0.0, 1.0)
    arrival = first_bend_ms + 3000.0 * S
    band = -10.0 * np.exp(-(((since[:, None] - arrival) / 300.0) ** 2))
    flat = pose(np.zeros((len(time), POINTS - 2)))
    bent = pose(band)
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    for line in (flat, bent):
        line[..., 0], line[..., 1] = c * line[..., 0] - s * line[..., 1], s * line[..., 0] + c * line[..., 1]
    return time, flat, bent


@pytest.mark.parametrize("change", [-130.0, 90.0, -400.0])
def test_the_change_of_heading_is_signed_and_may_exceed_a_full_turn(change):
    time, flat, _ = turning_worm(change)
    assert turn(time, flat, 8000.0, 1500.0).heading_change_deg == pytest.approx(change, abs=2.0)


def test_a_ventral_band_is_followed_to_the_tail():
    time, _, bent = turning_worm(-90.0)
    found = turn(time, bent, 8000.0, 1500.0)
    assert found.travels and max(found.band_depth) < -5.0
    assert np.diff(found.band_time_s) == pytest.approx(3.0 * np.diff(PLACES), abs=0.1)
    assert found.nearest_mm < 1.0


def test_a_bend_that_appears_everywhere_at_once_does_not_travel():
    time = np.arange(FRAME, 14_000.0, FRAME)
    bend = -8.0 * np.exp(-(((time - 9500.0) / 400.0) ** 2))[:, None] * np.ones(POINTS - 2)
    assert not turn(time, pose(bend), 8000.0, 1500.0).travels


def test_a_record_too_short_for_the_turn_has_no_change_of_heading():
    time, flat, _ = turning_worm(-90.0, duration=9000.0)
    assert math.isnan(turn(time, flat, 8000.0, 1500.0).heading_change_deg)
    early = time < 7000.0
    assert math.isnan(turn(time[early], flat[early], 8000.0, 1500.0).nearest_mm)


def test_steering_to_the_left_is_dorsal_and_swinging_is_averaged_out():
    time = np.arange(FRAME, 12_000.0, FRAME)
    angle = np.radians(5.0) * time / 1000.0 + 0.3 * np.sin(2 * np.pi * time / 1500.0)
    line = moved(time, np.zeros((len(time), POINTS - 2)), np.full(len(time), 0.2), angle)
    assert turning_rate(time, line, 1500.0) == pytest.approx(5.0, abs=0.05)
    middle, smooth = heading_angle(time, line, 1500.0)
    assert np.degrees(np.diff(smooth) / np.diff(middle) * 1000.0) == pytest.approx(5.0, abs=0.5)


def test_a_worm_whose_head_slides_over_its_tail_has_not_turned_to_the_other_side():
    # From a C to a ring and beyond, the middle at rest: the axis flips as head and tail pass, the body does not.
    time = np.arange(0.0, 4000.0, FRAME)
    bend = -np.linspace(5.0, 7.5, len(time))[:, None] * np.ones(POINTS - 2)
    _, angle = heading_angle(time, pose(bend), 200.0)
    assert np.abs(np.degrees(angle)).max() < 1.0
