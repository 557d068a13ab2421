"""What a worm does after a stimulus: reversals with latency, duration and distance, and acceleration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..units import MS_PER_S
from .states import FORWARD, REVERSE, THRESHOLD_MM_S, ignoring_stutters, threshold_events
from .tracks import Velocity, tangential_velocity

__all__ = ["Acceleration", "Response", "Share", "acceleration", "response", "share_of_trials"]

WINDOW_S = 1.0
"""Time after the start of a stimulus in which a reversal is an answer to it [s]; assumed: longer than the onsets of
0.3 to 0.8 s after a touch (Chalfie et al. 1985, from memory)."""
AGAIN_S = 1.0  # assumed: for how long a worm must go forward to be forward again


@dataclass(frozen=True)
class Response:
    """What followed one stimulus; values that could not be measured are NaN.

    Attributes:
        eligible: whether the trial counts: the track covers the window, and the worm did not go backwards when the
            stimulus began.
        reversed: whether a reversal started within the window.
        latency_s: from the start of the stimulus to that of the reversal [s].
        duration_s: of the reversal, short pauses included [s]; NaN if its end was not seen.
        distance_mm: covered backwards [mm], positive.
        distance_body_lengths: the same [L].
        forward_again_s: from the end of the reversal until the worm goes forward for a second without stopping [s].
        forward_again: whether it does, as far as the track goes.
    """

    eligible: bool
    reversed: bool = False
    latency_s: float = math.nan
    duration_s: float = math.nan
    distance_mm: float = math.nan
    distance_body_lengths: float = math.nan
    forward_again_s: float = math.nan
    forward_again: bool = False


def response(
    time_ms: np.ndarray, midline: np.ndarray, stimulus_ms: float, *, window_s: float = WINDOW_S,
    threshold: float = THRESHOLD_MM_S, least_body_lengths: float = 0.0,
) -> Response:  # fmt: skip
    """Measure the answer to a stimulus.

    Args:
        time_ms: increasing [ms], shape (frames,).
        midline: [mm], head first, shape (frames, points, 2 or 3); NaN where the worm was lost.
        stimulus_ms: its start [ms].
        window_s: time after it in which a reversal is an answer [s].
        threshold: speed below which the worm pauses [mm/s].
        least_body_lengths: shortest way back that counts as a reversal [L].

    Raises:
        OutputError: for what is not a track, or frames too far apart.
    """
    velocities = tangential_velocity(time_ms, midline)
    if _piece_with(velocities, stimulus_ms, stimulus_ms + window_s * MS_PER_S) is None:
        return Response(eligible=False)
    events = ignoring_stutters(threshold_events(velocities, threshold))
    during = (events.start_ms <= stimulus_ms) & (events.stop_ms > stimulus_ms)
    if (events.state[during] == REVERSE).any():
        return Response(eligible=False)
    latency = (events.start_ms - stimulus_ms) / MS_PER_S
    answers = (events.state == REVERSE) & (latency > 0.0) & (latency <= window_s)
    answers &= -events.distance_body_lengths >= least_body_lengths
    if not answers.any():
        return Response(eligible=True)
    chosen = int(np.argmax(answers))
    later = (events.state == FORWARD) & (events.start_ms >= events.stop_ms[chosen]) & (events.duration_s >= AGAIN_S)
    again = float(events.start_ms[np.argmax(later)] - events.stop_ms[chosen]) / MS_PER_S if later.any() else math.nan
    return Response(
        eligible=True,
        reversed=True,
        latency_s=float(latency[chosen]),
        duration_s=float(events.duration_s[chosen]) if events.ended[chosen] else math.nan,
        distance_mm=-float(events.distance_mm[chosen]),
        distance_body_lengths=-float(events.distance_body_lengths[chosen]),
        forward_again_s=again,
        forward_again=bool(later.any()),
    )


def _piece_with(velocities: Sequence[Velocity], start: float, stop: float) -> Velocity | None:
    """The piece of a track that covers a time [ms], if there is one."""
    for each in velocities:
        half = 0.5 * each.interval_ms
        if each.time_ms[0] - half <= start and stop <= each.time_ms[-1] + half:
            return each
    return None


@dataclass(frozen=True)
class Acceleration:
    """Velocity before and after a stimulus; NaN where the track does not reach.

    Attributes:
        before_mm_s: mean velocity along the way before it, positive forward [mm/s].
        after_mm_s: the same after it [mm/s].
        fastest_mm_s: largest mean over 0.5 s after it [mm/s].
    """

    before_mm_s: float
    after_mm_s: float
    fastest_mm_s: float

    @property
    def change_mm_s(self) -> float:
        """After less before [mm/s]."""
        return self.after_mm_s - self.before_mm_s


def acceleration(
    time_ms: np.ndarray, midline: np.ndarray, stimulus_ms: float, *, window_s: float = 2.0, skipped_s: float = 0.0
) -> Acceleration:
    """How a worm speeds up or slows down after a stimulus, such as a touch of the tail.

    Args:
        time_ms: increasing [ms], shape (frames,).
        midline: [mm], head first, shape (frames, points, 2 or 3); NaN where the worm was lost.
        stimulus_ms: its start [ms].
        window_s: before and after it [s]; about a stride, over which the velocity varies.
        skipped_s: after the start of the stimulus, before the later window begins [s].

    Raises:
        OutputError: for what is not a track, or frames too far apart.
    """
    span = window_s * MS_PER_S
    late = stimulus_ms + skipped_s * MS_PER_S
    piece = _piece_with(tangential_velocity(time_ms, midline), stimulus_ms - span, late + span)
    if piece is None:
        return Acceleration(math.nan, math.nan, math.nan)
    before = piece.mm_s[(piece.time_ms >= stimulus_ms - span) & (piece.time_ms < stimulus_ms)]
    after = piece.mm_s[(piece.time_ms >= late) & (piece.time_ms < late + span)]
    if not len(before) or not len(after):
        return Acceleration(math.nan, math.nan, math.nan)
    frames = max(1, min(round(0.5 * MS_PER_S / piece.interval_ms), len(after)))
    means = np.convolve(after, np.full(frames, 1.0 / frames), "valid")
    return Acceleration(float(before.mean()), float(after.mean()), float(means.max()))


@dataclass(frozen=True)
class Share:
    """A share of trials with its 95 % interval by Wilson.

    Attributes:
        share: [-]; NaN without trials.
        low: [-].
        high: [-].
        hits: number of trials in which it happened.
        trials: number of trials that count.
    """

    share: float
    low: float
    high: float
    hits: int
    trials: int


def share_of_trials(happened: Sequence[bool] | np.ndarray) -> Share:
    """Share of trials in which something happened.

    Args:
        happened: one entry per trial that counts, such as `[r.reversed for r in responses if r.eligible]`.
    """
    from scipy.stats import binomtest

    hits, trials = int(np.sum(happened)), len(happened)
    if not trials:
        return Share(math.nan, math.nan, math.nan, 0, 0)
    ends = binomtest(hits, trials).proportion_ci(method="wilson")
    return Share(hits / trials, float(ends.low), float(ends.high), hits, trials)
