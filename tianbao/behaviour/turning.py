"""Turning of a freely moving worm: its heading, reorientations after reversals, bouts of turns, memory of direction.

As in turns.py, everything is seen from above for a worm on its left side: to the left, positive, is dorsal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..units import MS_PER_S
from .states import REVERSE, Events, ignoring_stutters
from .tracks import Piece, whole_pieces
from .turns import AFTER_MS, heading_angle

__all__ = [
    "DEEP_DEG", "TCRIT_MS", "Bouts", "HeadingMemory", "Reorientations", "bouts", "heading", "heading_memory",
    "kept_s", "motion_direction", "net_bend", "nose_to_tail", "reorientations",
]  # fmt: skip

DEEP_DEG = 150.0
"""Net bend of a stretch of the body from which on a bend is deep [deg]; assumed: the wave of crawling, kappa L 8 at a
wavelength of 0.62 L, bends by 90 deg, an omega by about 180 deg or more."""
TOUCH_L = 0.1
"""Distance from the nose to the last third of the body at which they touch [L]; assumed: about the body's width."""
TCRIT_MS = 3180.0
"""Turns closer than this belong to one bout [ms]: Tcrit of track_analyzer 1.3 (github.com/yuichiiino1/track_analyzer),
used for the pirouettes of Iino and Yoshida 2009 (J Neurosci 29:5370) and Kunitomo et al. 2013."""
BEGINS_WITHIN_MS = 4000.0  # assumed: a bend that is deep only later than this after a reversal is not its turn
INTERRUPTED_MS = 2000.0  # assumed: after this time without a deep bend a turn is over
LONGEST_TURN_MS = 10_000.0  # assumed
POINTS = 49
LAST_THIRD = 2.0 / 3.0


@dataclass(frozen=True, eq=False)
class Reorientations:
    """Reversals of a track and the turns that follow; all arrays have shape (reversals,).

    Attributes:
        start_ms: of the reversal [ms].
        stop_ms: of the reversal [ms].
        settled_ms: end of the deep bend that follows, that of the reversal if there is none [ms].
        before_deg: heading, unwrapped, averaged over the stride before the reversal [deg].
        after_deg: heading averaged over a stride after the turn [deg].
        change_deg: difference [deg], positive towards dorsal; it may exceed 180 deg. NaN beyond the track.
        ventral_deg: deepest net bend towards ventral between the end of the reversal and the end of the turn [deg].
        dorsal_deg: the same towards dorsal [deg].
        touches: whether the nose came to the last third of the body.
        kind: "none", "omega", "delta", "dorsal" or "unknown"; see `reorientations`.
    """

    start_ms: np.ndarray
    stop_ms: np.ndarray
    settled_ms: np.ndarray
    before_deg: np.ndarray
    after_deg: np.ndarray
    change_deg: np.ndarray
    ventral_deg: np.ndarray
    dorsal_deg: np.ndarray
    touches: np.ndarray
    kind: np.ndarray

    def __len__(self) -> int:
        return len(self.start_ms)


def heading(time_ms: np.ndarray, midline: np.ndarray, stride_ms: float) -> tuple[np.ndarray, np.ndarray]:
    """Heading of a track, averaged over a stride so that undulation does not count.

    Args:
        time_ms: increasing [ms], shape (frames,).
        midline: [mm], head first, shape (frames, points, 2 or 3); NaN where the worm was lost.
        stride_ms: period of the gait [ms].

    Returns:
        Times [ms] and unwrapped angles [rad], positive to the left, of all pieces of the track; NaN between two
        pieces, whose angles are not continued from one to the other.

    Raises:
        OutputError: for what is not a track.
    """
    times, angles = [], []
    for piece in whole_pieces(time_ms, midline):
        middle, angle = heading_angle(piece.time_ms, piece.midline, stride_ms)
        if times:
            times.append([0.5 * (times[-1][-1] + middle[0])])
            angles.append([math.nan])
        times.append(middle)
        angles.append(angle)
    return (np.concatenate(times), np.concatenate(angles)) if times else (np.zeros(0), np.zeros(0))


def net_bend(midline: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Largest net bend of any stretch of the body.

    Args:
        midline: [mm], head first, shape (frames, points, 2 or 3).

    Returns:
        Towards ventral and towards dorsal [deg], both positive, shapes (frames,).
    """
    steps = np.diff(np.asarray(midline, float)[..., :2], axis=1)
    angle = np.unwrap(np.arctan2(steps[..., 1], steps[..., 0]), axis=1)
    # From head to tail, a left turn is ventral.
    ventral = (angle - np.minimum.accumulate(angle, axis=1)).max(axis=1)
    dorsal = (np.maximum.accumulate(angle, axis=1) - angle).max(axis=1)
    return np.degrees(ventral), np.degrees(dorsal)


def nose_to_tail(midline: np.ndarray) -> np.ndarray:
    """Smallest distance from the nose to the last third of the body [L], shape (frames,).

    Args:
        midline: [mm], head first, shape (frames, points, 2 or 3).
    """
    line = np.asarray(midline, float)[..., :2]
    length = np.linalg.norm(np.diff(line, axis=1), axis=2).sum(axis=1)
    tail = line[:, math.ceil(LAST_THIRD * (line.shape[1] - 1)) :]
    return np.linalg.norm(tail - line[:, :1], axis=2).min(axis=1) / length


def reorientations(
    time_ms: np.ndarray,
    midline: np.ndarray,
    events: Events,
    stride_ms: float,
    deep_deg: float = DEEP_DEG,
    after_ms: float = AFTER_MS,
) -> Reorientations:
    """Change of heading across each reversal whose start and end were seen, with the turn that follows it.

    A turn is a deep bend, or the nose at the last third of the body, from within 4 s of the end of the reversal until
    2 s pass without one. The heading afterwards is that of the stride that follows the turn, or around `after_ms` after
    the reversal if that is later. It is unknown if the next reversal is over before. At 4.8 s worms of this model
    are three quarters of the way round, from 6 s on they keep their new heading (docs/decision.md).

    Bent most towards ventral a turn is an "omega", or a "delta" if the worm overturns by more than 180 deg and so
    leaves towards dorsal; bent most towards dorsal it is "dorsal". A deep bend with an unknown change of heading is
    "unknown", no deep bend "none".

    Args:
        time_ms: increasing [ms], shape (frames,).
        midline: [mm], head first, shape (frames, points, 2 or 3); NaN where the worm was lost.
        events: of the same track, see states.py.
        stride_ms: period of the gait [ms].
        deep_deg: net bend from which on a bend is deep [deg].
        after_ms: earliest time after the reversal at which the heading is read [ms]. The later it is, the more changes
            are unknown, as the next reversal has begun.

    Raises:
        OutputError: for what is not a track.

    Limitations: Broekmans et al. 2016 (eLife 5:e17227) tell omega from delta turns by the amplitude of their third
    eigenworm; the division at 180 deg is assumed. A tracker must resolve coiled shapes.
    """
    back = ignoring_stutters(events).of(REVERSE)
    back = back.where(back.begun & back.ended)
    rows = []
    for piece in whole_pieces(time_ms, midline):
        inside = (back.start_ms >= piece.time_ms[0]) & (back.stop_ms <= piece.time_ms[-1])
        if not inside.any():
            continue
        middle, angle = heading_angle(piece.time_ms, piece.midline, stride_ms)
        shape = (*net_bend(piece.midline), nose_to_tail(piece.midline) <= TOUCH_L)
        known = {"left": math.nan, "right": math.nan}
        stops = np.append(back.stop_ms[inside], math.inf)
        for start, stop, later in zip(back.start_ms[inside], stops[:-1], stops[1:], strict=True):
            settled, ventral, dorsal, touches = _turn(piece, stop, shape, deep_deg)
            behind = max(settled + 0.5 * stride_ms, stop + after_ms)
            at = (start - 0.5 * stride_ms, behind if behind + 0.5 * stride_ms <= later else math.inf)
            before, after = np.degrees(np.interp(at, middle, angle, **known))
            change = after - before
            kind = _kind(change, ventral, dorsal, touches, deep_deg)
            rows.append((start, stop, settled, before, after, change, ventral, dorsal, touches, kind))
    columns = list(zip(*rows, strict=True)) if rows else [()] * 10
    kinds = [float] * 8 + [bool, object]
    return Reorientations(*(np.array(column, each) for column, each in zip(columns, kinds, strict=True)))


def _turn(
    piece: Piece, stop: float, shape: tuple[np.ndarray, np.ndarray, np.ndarray], deep_deg: float
) -> tuple[float, float, float, bool]:
    """End of the turn after a reversal [ms], its net bends to ventral and dorsal [deg], whether nose meets tail."""
    ventral, dorsal, touch = shape
    deep = (np.maximum(ventral, dorsal) >= deep_deg) | touch
    settled = stop
    for moment in piece.time_ms[deep & (piece.time_ms > stop) & (piece.time_ms <= stop + LONGEST_TURN_MS)]:
        if moment - settled > (BEGINS_WITHIN_MS if settled == stop else INTERRUPTED_MS):
            break
        settled = float(moment)
    during = (piece.time_ms >= stop) & (piece.time_ms <= settled)
    if not during.any():
        during = np.arange(len(piece.time_ms)) == np.abs(piece.time_ms - stop).argmin()
    return settled, float(ventral[during].max()), float(dorsal[during].max()), bool(touch[during].any())


def _kind(change: float, ventral: float, dorsal: float, touches: bool, deep_deg: float) -> str:
    if max(ventral, dorsal) < deep_deg and not touches:
        return "none"
    if dorsal > ventral:
        return "dorsal"
    if not math.isfinite(change):
        return "unknown"
    return "delta" if change < -180.0 else "omega"


@dataclass(frozen=True, eq=False)
class Bouts:
    """Bouts of turns, pirouettes; all arrays have shape (bouts,).

    Attributes:
        start_ms: of the first turn [ms].
        stop_ms: of the last one [ms].
        turns: number of turns.
    """

    start_ms: np.ndarray
    stop_ms: np.ndarray
    turns: np.ndarray

    def __len__(self) -> int:
        return len(self.start_ms)

    def holds(self, time_ms: np.ndarray) -> np.ndarray:
        """Whether times [ms] lie within a bout, of the shape of the times."""
        time = np.asarray(time_ms, float)
        if not len(self):
            return np.zeros(time.shape, bool)
        latest = np.searchsorted(self.start_ms, time, side="right") - 1
        return (latest >= 0) & (time <= self.stop_ms[np.maximum(latest, 0)])


def bouts(start_ms: np.ndarray, stop_ms: np.ndarray, within_ms: float = TCRIT_MS) -> Bouts:
    """Join reversals and turns that follow each other closely into bouts, as pirouettes are defined.

    Args:
        start_ms: of each reversal or turn [ms], shape (turns,).
        stop_ms: its end [ms], shape (turns,).
        within_ms: longest time from the end of one to the start of the next within a bout [ms]. dwell.critical_interval
            finds it from the intervals of animals, as Pierce-Shimomura et al. 1999 (J Neurosci 19:9557) do.
    """
    order = np.argsort(start_ms, kind="stable")
    start, stop = np.asarray(start_ms, float)[order], np.asarray(stop_ms, float)[order]
    if not len(start):
        return Bouts(start, stop, np.zeros(0, int))
    until = np.maximum.accumulate(stop)
    first = np.flatnonzero(np.append(True, start[1:] - until[:-1] > within_ms))
    last = np.append(first[1:], len(start)) - 1
    return Bouts(start[first], until[last], last - first + 1)


@dataclass(frozen=True, eq=False)
class HeadingMemory:
    """How long a direction is kept.

    Attributes:
        lag_s: shape (lags,) [s].
        correlation: mean cosine of the change of direction over each lag, shape (lags,) [-].
        change_deg: mean absolute change over each lag, 90 deg where the direction is forgotten, shape (lags,) [deg].
        time_constant_s: lag at which the correlation falls below 1/e [s]; NaN if it does not.
    """

    lag_s: np.ndarray
    correlation: np.ndarray
    change_deg: np.ndarray
    time_constant_s: float


def heading_memory(
    time_ms: np.ndarray, angle: np.ndarray, longest_s: float = 60.0, step_s: float = 0.5
) -> HeadingMemory:
    """Autocorrelation of a direction, as equations 12 and 15 of Roberts et al. 2016 (eLife 5:e12572).

    Args:
        time_ms: increasing [ms], shape (frames,).
        angle: direction [rad], NaN where unknown: `heading`, which has no undulation, or `motion_direction`, which
            Roberts et al. use and which turns round in a reversal.
        longest_s: longest lag, at most half of the track [s].
        step_s: between lags [s].
    """
    time, angle = np.asarray(time_ms, float), np.asarray(angle, float)
    nothing = HeadingMemory(np.zeros(0), np.zeros(0), np.zeros(0), math.nan)
    if len(time) < 3:
        return nothing
    even = np.arange(time[0], time[-1], step_s * MS_PER_S)
    # As unit vectors: halfway between two directions no angle jumps.
    towards = np.interp(even, time, np.cos(angle)) + 1j * np.interp(even, time, np.sin(angle))
    towards /= np.where(np.abs(towards) > 0.0, np.abs(towards), 1.0)
    lags = np.arange(int(min(longest_s / step_s, len(even) // 2)) + 1)
    if len(lags) < 2 or not np.isfinite(towards).any():
        return nothing
    turned = [np.angle(towards[lag:] * np.conj(towards[: len(towards) - lag])) for lag in lags]
    turned = [each[np.isfinite(each)] for each in turned]
    correlation = np.array([np.cos(each).mean() if len(each) else math.nan for each in turned])
    change = np.array([np.degrees(np.abs(each)).mean() if len(each) else math.nan for each in turned])
    return HeadingMemory(step_s * lags, correlation, change, kept_s(correlation, step_s))


def kept_s(correlation: np.ndarray, step_s: float) -> float:
    """Lag at which a correlation falls below 1/e [s], NaN if it does not.

    Args:
        correlation: at 0, `step_s`, 2 `step_s`, ..., shape (lags,).
        step_s: between lags [s].
    """
    below = np.flatnonzero(correlation < math.exp(-1.0))
    if not len(below):
        return math.nan
    k = int(below[0])
    return step_s * float(np.interp(math.exp(-1.0), (correlation[k], correlation[k - 1]), (k, k - 1)))


def motion_direction(time_ms: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Direction in which a point moves from frame to frame.

    Args:
        time_ms: increasing [ms], shape (frames,).
        place: [mm], shape (frames, 2).

    Returns:
        Times between frames [ms] and angles [rad], NaN where it does not move, shapes (frames - 1,).
    """
    time, step = np.asarray(time_ms, float), np.diff(np.asarray(place, float)[:, :2], axis=0)
    angle = np.where((step != 0.0).any(axis=1), np.arctan2(step[:, 1], step[:, 0]), math.nan)
    return 0.5 * (time[1:] + time[:-1]), angle
