"""Forward, reverse and pause are told as they were made up, by the threshold and by the hidden Markov model."""

from __future__ import annotations

import math

import numpy as np
import pytest
from free_worms import crawl

from tianbao.behaviour.dwell import critical_interval, dwell_time, exponential_mixture
from tianbao.behaviour.hidden_states import (
    PUBLISHED,
    STATES,
    Rates,
    fit_states,
    hidden_events,
    velocity_densities,
)
from tianbao.behaviour.states import (
    FORWARD,
    PAUSE,
    REVERSE,
    ignoring_stutters,
    longer_reversals,
    reversals_per_minute,
    threshold_events,
)
from tianbao.behaviour.tracks import FRAME_MS, Velocity, tangential_velocity, whole_pieces
from tianbao.errors import OutputError

PROGRAM = [(5.0, 0.2), (3.0, -0.25), (0.6, 0.0), (4.0, 0.2), (0.5, 0.0), (4.0, 0.2), (2.0, -0.25), (3.0, 0.2)]
PUBLISHED_RATES = Rates(**{name: PUBLISHED[f"rate {name}"] for name in ("xr", "xf", "rx", "ry", "fx", "fy")})


@pytest.fixture(scope="module")
def reversing():
    return crawl(PROGRAM)


def events_of_track(time, line):
    return threshold_events(tangential_velocity(time, line))


def test_events_have_the_times_states_and_distances_of_the_program(reversing):
    events = events_of_track(*reversing)
    expected = [FORWARD, REVERSE, PAUSE, FORWARD, PAUSE, FORWARD, REVERSE, FORWARD]
    assert [each for each, s in zip(events.state, events.duration_s, strict=True) if s > 0.1] == expected
    long = events.where(events.duration_s > 0.1)
    assert long.duration_s == pytest.approx([s for s, *_ in PROGRAM], abs=0.1)
    assert long.distance_mm == pytest.approx([s * v for s, v, *_ in PROGRAM], abs=0.03)
    assert long.distance_body_lengths == pytest.approx(long.distance_mm, rel=0.02)
    assert not events.begun[0] and not events.ended[-1] and events.begun[1:].all() and events.ended[:-1].all()
    assert set(events.as_dict()) >= {"start_ms", "stop_ms", "state", "distance_mm"} and len(events) >= 8


@pytest.mark.parametrize("frame", [10.0, 50.0, 80.0])
def test_any_frame_interval_gives_the_same_reversals(reversing, frame):
    time, line = reversing
    even = np.arange(0.0, time[-1], frame)
    shape = line.reshape(len(line), -1)
    again = np.stack([np.interp(even, time, each) for each in shape.T], axis=1).reshape(-1, *line.shape[1:])
    back = longer_reversals(events_of_track(even, again))
    assert back.start_ms == pytest.approx([5000.0, 21_100.0 - 4000.0], abs=120.0)
    assert back.duration_s == pytest.approx([3.0, 2.0], abs=0.15)


def test_pauses_that_interrupt_one_motion_are_ignored_and_others_kept(reversing):
    events = ignoring_stutters(events_of_track(*reversing), longest_s=1.0)
    assert [each for each, s in zip(events.state, events.duration_s, strict=True) if s > 0.2] == [
        FORWARD, REVERSE, PAUSE, FORWARD, REVERSE, FORWARD,
    ]  # fmt: skip
    assert events.observed_s == pytest.approx(events_of_track(*reversing).observed_s)
    longest = events.where(events.duration_s.argmax()[None])
    assert longest.distance_mm == pytest.approx([1.6], abs=0.05)


def test_reversals_are_counted_per_time_and_by_length(reversing):
    events = events_of_track(*reversing)
    assert reversals_per_minute(events) == pytest.approx(2 / events.observed_s * 60.0)
    assert reversals_per_minute(events, least_body_lengths=0.6) == pytest.approx(1 / events.observed_s * 60.0)
    assert reversals_per_minute(events, least_s=10.0) == 0.0


def test_a_worm_that_never_reverses_has_a_rate_of_zero_and_no_reverse_dwell():
    events = events_of_track(*crawl([(4.0, 0.2)]))
    assert reversals_per_minute(events) == 0.0 and len(events) == 1
    back, forth = dwell_time(events, REVERSE), dwell_time(events, FORWARD)
    assert math.isnan(back.mean_s) and back.ends == 0
    assert math.isnan(forth.mean_s) and forth.cut_off == 1


def test_a_worm_that_goes_back_when_the_track_begins_has_started_nothing():
    time, line = crawl([(2.0, 0.2), (3.0, -0.2), (2.0, 0.2)])
    late = time > 3000.0
    events = events_of_track(time[late], line[late])
    assert events.state[0] == REVERSE and reversals_per_minute(events) == 0.0
    assert dwell_time(events, REVERSE).ends == 1


def test_short_gaps_are_filled_and_long_ones_cut_the_track(reversing):
    time, line = reversing
    holed = line.copy()
    holed[(time > 1000.0) & (time < 1300.0)] = np.nan
    holed[(time > 6000.0) & (time < 7500.0)] = np.nan
    pieces = whole_pieces(time, holed)
    assert len(pieces) == 2 and np.isfinite(pieces[0].midline).all()
    events = events_of_track(time, holed)
    parts = events.of(REVERSE)
    parts = parts.where(parts.duration_s > 0.2)
    assert parts.ended.tolist()[:2] == [False, True] and parts.begun.tolist()[:2] == [True, False]
    assert len(longer_reversals(events)) == 2


def test_a_track_too_short_or_lost_has_no_events():
    time, line = crawl([(1.0, 0.2)])
    for kept in (line[:2], np.full_like(line, np.nan)):
        events = events_of_track(time[: len(kept)], kept)
        assert len(events) == 0 and math.isnan(reversals_per_minute(events))
    assert len(ignoring_stutters(events)) == 0


def test_what_is_no_track_or_too_coarse_is_refused():
    time, line = crawl([(2.0, 0.2)])
    with pytest.raises(OutputError, match="give \\(frames, points"):
        tangential_velocity(time[1:], line)
    with pytest.raises(OutputError, match="increasing"):
        tangential_velocity(time[::-1], line)
    with pytest.raises(OutputError, match="do not show pauses"):
        tangential_velocity(time[::10], line[::10])
    with pytest.raises(OutputError, match="from 0, the nose"):
        tangential_velocity(time, line, at=2.0)
    with pytest.raises(OutputError, match="at least three frames"):
        velocity_densities([])


def test_what_the_track_cuts_off_does_not_shorten_the_mean():
    random = np.random.default_rng(0)
    means = []
    for _ in range(300):
        # A window of 10 s of a process with exponential states of 6 s and 3 s.
        ends = np.cumsum(random.exponential(np.tile([6.0, 3.0], 30)))
        time = np.arange(30.0, 40.0, 0.05) + 0.025
        forward = np.searchsorted(ends, time) % 2 == 0
        means.append(Velocity(1000.0 * time, np.where(forward, 0.2, -0.2), 50.0, 1.0))
    found = dwell_time(threshold_events(means), FORWARD)
    assert found.low_s < 6.0 < found.high_s and found.mean_s == pytest.approx(6.0, rel=0.15)
    assert found.complete_mean_s < 4.0


def test_two_exponentials_are_told_apart_with_what_is_cut_off():
    random = np.random.default_rng(1)
    time = np.where(random.random(3000) < 0.4, random.exponential(1.0, 3000), random.exponential(20.0, 3000))
    whole = time < 30.0
    fit = exponential_mixture(np.minimum(time, 30.0), whole)
    assert fit.share == pytest.approx([0.4, 0.6], abs=0.04) and fit.mean_s == pytest.approx([1.0, 20.0], rel=0.12)
    assert fit.bic < exponential_mixture(np.minimum(time, 30.0), whole, components=1).bic and not fit.note
    assert 2.0 < critical_interval(fit) < 4.0
    assert "too few" in exponential_mixture(np.array([1.0, 2.0])).note
    assert math.isnan(exponential_mixture(np.array([1.0]), np.array([False])).mean_s[0])


def hidden_worm(seed, seconds=400.0):
    """States by the published rates, and velocities that overlap."""
    from scipy.linalg import expm

    random, frames = np.random.default_rng(seed), round(seconds * 1000.0 / FRAME_MS)
    edges = np.cumsum(expm(PUBLISHED_RATES.matrix() * FRAME_MS / 1000.0), axis=1)
    states = np.zeros(frames, int)
    for frame, draw in enumerate(random.random(frames - 1)):
        states[frame + 1] = min(int(np.searchsorted(edges[states[frame]], draw)), 3)
    moving = np.where(states == 0, 0.18, -0.24) + random.normal(0.0, 0.045, frames)
    still = 0.018 * np.tan(np.pi * (random.random(frames) - 0.5) * 0.97)
    return states, Velocity(FRAME_MS * np.arange(frames), np.where(states < 2, moving, still), FRAME_MS, 1.0)


def test_the_hidden_model_finds_the_rates_and_the_states_that_a_threshold_misses():
    made = [hidden_worm(seed) for seed in range(2)]
    tracks = [[velocity] for _, velocity in made]
    fit = fit_states(tracks)
    assert not fit.note and fit.reversals > 20
    dwell = fit.rates.dwell_s()
    assert dwell[FORWARD] == pytest.approx(5.33, rel=0.25) and dwell[REVERSE] == pytest.approx(1.95, rel=0.3)
    assert dwell["pause x"] == pytest.approx(0.44, rel=0.35)
    assert fit.rates.occupancy()[:2] == pytest.approx([0.76, 0.16], abs=0.08)
    events = [hidden_events(track, fit) for track in tracks]
    true = np.mean([(states == 0).mean() for states, _ in made])
    assert np.mean([each.of(FORWARD).observed_s / each.observed_s for each in events]) == pytest.approx(true, abs=0.03)
    by_threshold = dwell_time(threshold_events(tracks[0]), FORWARD).mean_s
    assert by_threshold < 0.7 * dwell_time(events[0], FORWARD).mean_s


def test_the_published_rates_give_the_published_dwell_times():
    dwell = PUBLISHED_RATES.dwell_s()
    for state in STATES:
        assert dwell[state] == pytest.approx(PUBLISHED[f"dwell {state}"], rel=0.07)
    assert PUBLISHED_RATES.yf == pytest.approx(4.575, rel=0.1) and PUBLISHED_RATES.yr == pytest.approx(0.411, rel=0.02)
    swapped = Rates(
        xr=PUBLISHED_RATES.yr, xf=PUBLISHED_RATES.yf, rx=PUBLISHED_RATES.ry, ry=PUBLISHED_RATES.rx,
        fx=PUBLISHED_RATES.fy, fy=PUBLISHED_RATES.fx,
    )  # fmt: skip
    assert swapped.named().matrix() == pytest.approx(PUBLISHED_RATES.matrix(), rel=1e-9)


def test_a_worm_without_reversals_is_fitted_with_a_note():
    fit = fit_states([tangential_velocity(*crawl([(6.0, 0.2)]))])
    assert "too few" in fit.note and fit.reversals == 0
