"""Paths through a gradient: direction, sharp turns, pirouettes and curving rate along the way, from the centroid.

Definitions and lengths are those of track_analyzer 1.3 (Y. Iino, github.com/yuichiiino1/track_analyzer), the program
behind the curves of Kunitomo et al. 2013; the code is our own. Angles are counterclockwise: to the left is positive.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..units import MS_PER_S
from .midline import centroid
from .tracks import resampled, whole_pieces
from .turning import TCRIT_MS, Bouts, bouts

__all__ = ["Curving", "Walk", "curving", "direction", "gradient_of", "sharp_turns", "turn_bouts", "walks_of"]

GAUGE_MM = 0.3
"""Length of path on either side over which a direction is taken [mm]: `gauge` of track_analyzer."""
SHARP_DEG = 100.0
"""Change of direction from which on a turn is sharp [deg]: 180 less `pirangle` of track_analyzer."""
SPAN_MM = 1.0
"""Length of path over which curving is measured [mm]: `gauge2` of track_analyzer."""
SAMPLE_MS = 1000.0
"""Interval of the samples of a path [ms]; assumed: trackers of whole plates take about one a second."""
_NEAR_MM = 0.01


@dataclass(frozen=True, eq=False)
class Walk:
    """Way of one worm, or of one piece of its track, through a gradient.

    Attributes:
        time_ms: evenly spaced [ms], shape (frames,).
        place: of the centroid [mm], shape (frames, 2).
        concentration: at the nose [unit], shape (frames,).
        gradient: at the centroid [unit/mm], shape (frames, 2).
        worm: its number; intervals are taken over worms, so pieces of one track need the same.
    """

    time_ms: np.ndarray
    place: np.ndarray
    concentration: np.ndarray
    gradient: np.ndarray
    worm: int = 0


def walks_of(
    time_ms: np.ndarray, midline: np.ndarray, at: Callable[[np.ndarray, float], np.ndarray], *, worm: int = 0,
    stride_ms: float = SAMPLE_MS, sample_ms: float = SAMPLE_MS,
) -> list[Walk]:  # fmt: skip
    """The way of a worm's centroid, averaged over a stride, with what is there and at the nose.

    Args:
        time_ms: increasing [ms], shape (frames,).
        midline: [mm], head first, shape (frames, points, 2 or 3); NaN where the worm was lost.
        at: value [unit] at points (..., 3) [mm] and a time [ms], such as `Field.at`.
        worm: its number.
        stride_ms: over which the centroid is averaged [ms].
        sample_ms: interval of the samples [ms].

    Returns:
        One per piece of the track.

    Raises:
        OutputError: for what is not a track.
    """
    found = []
    for piece in whole_pieces(time_ms, midline):
        frames = min(max(1, round(stride_ms / piece.interval_ms)), len(piece.time_ms))
        kernel = np.full(frames, 1.0 / frames)
        middle = np.convolve(piece.time_ms, kernel, "valid")
        smooth = np.stack([np.convolve(each, kernel, "valid") for each in centroid(piece.midline).T], axis=1)
        moments = np.arange(middle[0], middle[-1] + 1e-6 * sample_ms, sample_ms)
        if len(middle) < 2 or len(moments) < 3:
            continue
        place = resampled(moments, middle, smooth)
        nose = _in_space(resampled(moments, piece.time_ms, piece.midline[:, 0]))
        height = resampled(moments, piece.time_ms, _in_space(piece.midline.mean(axis=1)))[:, 2]
        found.append(
            Walk(
                time_ms=moments,
                place=place,
                concentration=np.array([float(at(point, when)) for point, when in zip(nose, moments, strict=True)]),
                gradient=gradient_of(at, np.column_stack([place, height]), moments),
                worm=worm,
            )
        )
    return found


def _in_space(points: np.ndarray) -> np.ndarray:
    """Points of a plane at height 0, those in space as they are."""
    return np.pad(points, ((0, 0), (0, 3 - points.shape[1])))


def gradient_of(at: Callable[[np.ndarray, float], np.ndarray], place: np.ndarray, time_ms: np.ndarray) -> np.ndarray:
    """Slope of a field along x and y, by differences over 0.02 mm.

    Args:
        at: value [unit] at points (..., 3) [mm] and a time [ms].
        place: [mm], shape (frames, 3).
        time_ms: shape (frames,).

    Returns:
        [unit/mm], shape (frames, 2).
    """
    apart = _NEAR_MM * np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, -1.0, 0.0]])
    values = np.array([at(point + apart, when) for point, when in zip(place, time_ms, strict=True)]).reshape(-1, 4)
    return (values[:, ::2] - values[:, 1::2]) / (2.0 * _NEAR_MM)


def _way(place: np.ndarray) -> np.ndarray:
    """Length of the path up to each point [mm], shape (frames,)."""
    return np.append(0.0, np.cumsum(np.linalg.norm(np.diff(place, axis=0), axis=1)))


def _at(place: np.ndarray, way: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Points of a path at lengths [mm] along it, NaN beyond its ends, shape (n, 2)."""
    ends = {"left": math.nan, "right": math.nan}
    return np.stack([np.interp(length, way, each, **ends) for each in place.T], axis=1)


def _angle(vectors: np.ndarray) -> np.ndarray:
    return np.arctan2(vectors[:, 1], vectors[:, 0])


def direction(place: np.ndarray, gauge_mm: float = GAUGE_MM) -> np.ndarray:
    """Direction of a path: that of the chord over the gauge on either side of each point.

    Args:
        place: [mm], shape (frames, 2).
        gauge_mm: [mm].

    Returns:
        [rad], NaN near the ends, shape (frames,).
    """
    way = _way(place)
    return _angle(_at(place, way, way + gauge_mm) - _at(place, way, way - gauge_mm))


def sharp_turns(place: np.ndarray, gauge_mm: float = GAUGE_MM, sharp_deg: float = SHARP_DEG) -> np.ndarray:
    """Whether the path turns sharply at each point: by more than 100 deg from one gauge before to one gauge after it.

    Args:
        place: [mm], shape (frames, 2).
        gauge_mm: [mm].
        sharp_deg: [deg].

    Returns:
        Shape (frames,); False near the ends.
    """
    way = _way(place)
    behind, ahead = place - _at(place, way, way - gauge_mm), _at(place, way, way + gauge_mm) - place
    return np.abs(np.degrees(_wrapped(_angle(ahead) - _angle(behind)))) > sharp_deg


def _wrapped(angle: np.ndarray) -> np.ndarray:
    """Angles [rad] between -pi and pi."""
    return (angle + np.pi) % (2.0 * np.pi) - np.pi


def turn_bouts(walk: Walk, within_ms: float = TCRIT_MS) -> Bouts:
    """Pirouettes of a path: sharp turns no farther apart than 3.18 s.

    Args:
        walk: of a worm.
        within_ms: longest time between two turns of a pirouette [ms].
    """
    sharp = sharp_turns(walk.place)
    edges = np.diff(np.concatenate([[0], sharp.astype(int), [0]]))
    first, last = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    return bouts(walk.time_ms[first], walk.time_ms[last], within_ms)


@dataclass(frozen=True, eq=False)
class Curving:
    """Curving along runs; all arrays have shape (samples,).

    Attributes:
        rate: change of direction per length of path, positive to the left [deg/mm].
        normal: slope of the field across the direction, positive where it rises to the left [unit/mm].
        worm: number of the worm.
    """

    rate: np.ndarray
    normal: np.ndarray
    worm: np.ndarray


def curving(walk: Walk, pirouettes: Bouts | None = None, *, span_mm: float = SPAN_MM, causal: bool = False) -> Curving:
    """Curving rate and the gradient across the path, at every sample with no sharp turn within span and gauge.

    Args:
        walk: of a worm.
        pirouettes: what is no run; sharp turns of the path if None.
        span_mm: length of path over which the direction changes [mm].
        causal: whether the gradient is taken at the beginning of the span, where the worm had sensed it before it
            curved; else in its middle, as in the published curves. The middle underestimates steering in worms that
            keep their course: once steering and noise are in balance, a worm that is off its course is about to turn
            back as much as it has just turned away. Either way, a worm that turns within the span towards where it
            rises curves less at its end: 1 mm takes off some 5 % at 8 deg/mm per unit/mm (tests/test_taxis.py).

    Returns:
        Samples; a worm that is drawn up the gradient curves to the side on which it rises, so rate follows normal.
    """
    turning = sharp_turns(walk.place) if pirouettes is None else pirouettes.holds(walk.time_ms)
    way = _way(walk.place)
    first = way if causal else way - 0.5 * span_mm
    last = first + span_mm
    angles = [
        _angle(_at(walk.place, way, each + GAUGE_MM) - _at(walk.place, way, each - GAUGE_MM)) for each in (first, last)
    ]
    rate = np.degrees(_wrapped(angles[1] - angles[0])) / span_mm
    here = angles[0] if causal else direction(walk.place)
    normal = walk.gradient[:, 1] * np.cos(here) - walk.gradient[:, 0] * np.sin(here)
    # Number of turning samples up to each point of the path: equal at both ends if none lies between. The directions
    # at both ends reach one gauge farther.
    count = np.append(0, np.cumsum(turning))
    after = count[np.searchsorted(way, last + GAUGE_MM, side="right")]
    between = after - count[np.searchsorted(way, first - GAUGE_MM, side="left")]
    good = (between == 0) & np.isfinite(rate) & np.isfinite(normal)
    return Curving(rate[good], normal[good], np.full(int(good.sum()), walk.worm))


def seconds(walk: Walk) -> float:
    """Time between two samples of a walk [s]."""
    return float(walk.time_ms[1] - walk.time_ms[0]) / MS_PER_S
