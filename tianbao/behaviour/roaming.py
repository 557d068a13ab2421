"""Roaming and dwelling on food, by the speed and the turning of a worm in intervals of ten seconds.

A worm that roams is fast and keeps its direction; one that dwells is slow and turns. Flavell et al. 2013 (Cell
154:1023) part the two by a straight line in the plane of speed against angular speed; Scheer and Bargmann 2023 (eLife
12:RP88657) give its slope, by which intervals are classified here. They smooth the states by a hidden Markov model
beyond that, which needs tracks of tens of minutes and is left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..errors import OutputError
from ..units import MS_PER_S
from .turning import motion_direction

__all__ = ["INTERVAL_MS", "LINE_DEG_PER_MM", "Roaming", "roaming"]

INTERVAL_MS = 10_000.0
"""Of speed and angular speed [ms]: Flavell et al. 2013, as told by Scheer and Bargmann 2023."""
LINE_DEG_PER_MM = 450.0
"""A worm roams if speed [mm/s] x this is more than its angular speed [deg/s]: Scheer and Bargmann 2023."""
SAMPLE_MS = 1000.0
"""Between two places of the path [ms]; assumed: a second, as the papers do not give how they smooth."""


@dataclass(frozen=True, eq=False)
class Roaming:
    """Intervals of a track; arrays have shape (intervals,).

    Attributes:
        start_ms: of each [ms].
        speed_mm_s: mean speed of the point along its path [mm/s].
        turning_deg_s: mean absolute angular speed of its direction [deg/s].
        roams: whether the worm roams, otherwise it dwells.
    """

    start_ms: np.ndarray
    speed_mm_s: np.ndarray
    turning_deg_s: np.ndarray
    roams: np.ndarray

    @property
    def share(self) -> float:
        """Share of intervals in which the worm roams [-]; NaN without any."""
        return float(self.roams.mean()) if len(self.roams) else math.nan


def roaming(time_ms: np.ndarray, place: np.ndarray, interval_ms: float = INTERVAL_MS) -> Roaming:
    """Roaming and dwelling in intervals that follow each other; what is left at the end is dropped.

    Args:
        time_ms: increasing [ms], shape (frames,).
        place: of the centroid [mm], shape (frames, 2 or 3).
        interval_ms: length of the intervals [ms].

    Raises:
        OutputError: for shapes that do not fit, times that do not increase, or intervals shorter than two samples.

    Source: Scheer and Bargmann 2023, eLife 12:RP88657, "Quantitative locomotion analysis and HMM analyses".
    """
    time, place = np.asarray(time_ms, float), np.asarray(place, float)
    if time.ndim != 1 or place.ndim != 2 or len(place) != len(time):
        raise OutputError(f"the place has shape {place.shape} for {time.shape} times; give one row per frame")
    if not (np.isfinite(time).all() and (np.diff(time) > 0.0).all()):
        raise OutputError("the times of the frames must be increasing numbers [ms]")
    if not interval_ms >= 2.0 * SAMPLE_MS:
        raise OutputError(f"intervals of {interval_ms:g} ms hold no two samples; give {2.0 * SAMPLE_MS:g} ms or more")
    count = int((time[-1] - time[0]) // interval_ms) if len(time) else 0
    empty = np.zeros(0)
    if not count:
        return Roaming(empty, empty, empty, np.zeros(0, bool))
    each = int(interval_ms // SAMPLE_MS)
    # One sample more before the first step of an interval, so that its first turn has two steps.
    step = interval_ms / each
    at = time[0] + step * np.arange(count * each + 1)
    path = np.stack([np.interp(at, time, values) for values in place[:, :2].T], axis=1)
    speed = np.linalg.norm(np.diff(path, axis=0), axis=1) / (step / MS_PER_S)
    _, direction = motion_direction(at, path)
    turn = np.diff(direction, prepend=math.nan)
    turn = np.abs((turn + math.pi) % math.tau - math.pi)
    speed, turn = speed.reshape(count, each), turn.reshape(count, each)
    known = np.isfinite(turn)
    # A worm that stands still has no direction to turn; it dwells, as its speed is 0.
    turning = np.degrees(np.where(known, turn, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)) / (step / MS_PER_S)
    mean = speed.mean(axis=1)
    return Roaming(time[0] + interval_ms * np.arange(count), mean, turning, mean * LINE_DEG_PER_MM > turning)
