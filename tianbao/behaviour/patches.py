"""Patches of food and regions that are shunned: time inside, speed inside and outside, encounters with a border."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..errors import OutputError
from ..units import MS_PER_S

__all__ = ["Encounters", "Residence", "depth_in_disc", "encounters", "residence", "speed_inside_outside"]

APART_MS = 1000.0
"""Time outside that ends an encounter [ms]; assumed: a head that sweeps across the border is one encounter."""


@dataclass(frozen=True, eq=False)
class Residence:
    """Time inside a region.

    Attributes:
        share: of the time of the track that was inside [-]; NaN without any frame.
        start_ms: of each visit [ms], shape (visits,).
        stop_ms: its end [ms], shape (visits,).
        begun: whether its start was seen, shape (visits,).
        ended: whether its end was seen, shape (visits,).
    """

    share: float
    start_ms: np.ndarray
    stop_ms: np.ndarray
    begun: np.ndarray
    ended: np.ndarray


def _series(time_ms: np.ndarray, values: np.ndarray, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Times and values of the frames in which they are known.

    Raises:
        OutputError: for shapes that do not fit, or times that do not increase.
    """
    time, values = np.asarray(time_ms, float), np.asarray(values, float)
    if time.ndim != 1 or values.shape[:1] != time.shape:
        raise OutputError(f"{what} has shape {values.shape} for {time.shape} times; give one value per frame")
    known = np.isfinite(values) if values.ndim == 1 else np.isfinite(values).all(axis=1)
    if not (np.isfinite(time).all() and (np.diff(time) > 0.0).all()):
        raise OutputError("the times of the frames must be increasing numbers [ms]")
    return time[known], values[known]


def depth_in_disc(place: np.ndarray, centre: np.ndarray, radius_mm: float) -> np.ndarray:
    """How deep points lie inside a disc [mm], negative outside, shape (frames,).

    Args:
        place: [mm], shape (frames, 2).
        centre: [mm], shape (2,).
        radius_mm: [mm].
    """
    return radius_mm - np.linalg.norm(np.asarray(place, float) - np.asarray(centre, float), axis=1)


def residence(time_ms: np.ndarray, depth_mm: np.ndarray) -> Residence:
    """Time and visits inside a region.

    Args:
        time_ms: increasing [ms], shape (frames,).
        depth_mm: inside the region [mm], negative outside, NaN where unknown, shape (frames,); of several patches the
            largest.

    Raises:
        OutputError: for shapes that do not fit, or times that do not increase.
    """
    time, depth = _series(time_ms, depth_mm, "the depth")
    inside = depth >= 0.0
    edges = np.diff(np.concatenate([[0], inside.astype(int), [0]]))
    first, last = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    whole = float(time[-1] - time[0]) if len(time) > 1 else 0.0
    step = np.diff(time)
    # Each interval belongs to the region as far as its two ends do.
    share = float((step * 0.5 * (inside[1:].astype(float) + inside[:-1])).sum() / whole) if whole > 0.0 else math.nan
    return Residence(share, time[first], time[last], first > 0, last < len(time) - 1)


def speed_inside_outside(time_ms: np.ndarray, place: np.ndarray, depth_mm: np.ndarray) -> tuple[float, float]:
    """Mean speed of a point inside and outside a region [mm/s]; NaN where it was never.

    Args:
        time_ms: increasing [ms], shape (frames,).
        place: [mm], averaged over a stride so that sway does not count, shape (frames, 2).
        depth_mm: inside the region [mm], negative outside, shape (frames,).

    Raises:
        OutputError: for shapes that do not fit, or times that do not increase.
    """
    joined = np.column_stack([np.asarray(place, float), np.asarray(depth_mm, float)])
    time, known = _series(time_ms, joined, "the place")
    step, way = np.diff(time), np.linalg.norm(np.diff(known[:, :2], axis=0), axis=1)
    inside = (known[1:, 2] >= 0.0) & (known[:-1, 2] >= 0.0)
    outside = (known[1:, 2] < 0.0) & (known[:-1, 2] < 0.0)
    on, off = (
        float(way[each].sum() / step[each].sum()) * MS_PER_S if each.any() else math.nan for each in (inside, outside)
    )
    return on, off


@dataclass(frozen=True, eq=False)
class Encounters:
    """Encounters of a nose with a region; arrays have shape (encounters,).

    Attributes:
        start_ms: entry [ms].
        stop_ms: last frame inside [ms].
        deepest_mm: how deep the nose went [mm].
        left: whether the worm was seen to leave, and to stay outside for the time that ends an encounter.
        crossed: whether it left on a way deeper than the given limit.
    """

    start_ms: np.ndarray
    stop_ms: np.ndarray
    deepest_mm: np.ndarray
    left: np.ndarray
    crossed: np.ndarray

    def __len__(self) -> int:
        return len(self.start_ms)

    @property
    def turned_away(self) -> np.ndarray:
        """Whether the worm left without having gone deeper than the limit."""
        return self.left & ~self.crossed


def encounters(time_ms: np.ndarray, depth_mm: np.ndarray, limit_mm: float, apart_ms: float = APART_MS) -> Encounters:
    """Encounters of a worm with a region that it may shun, those in which it came from outside.

    Args:
        time_ms: increasing [ms], shape (frames,).
        depth_mm: of the nose inside the region [mm], negative outside, NaN where unknown, shape (frames,).
        limit_mm: depth from which on the worm has entered [mm], such as half the length of its body.
        apart_ms: time outside that ends an encounter [ms].

    Raises:
        OutputError: for shapes that do not fit, or times that do not increase.
    """
    time, depth = _series(time_ms, depth_mm, "the depth")
    visits = residence(time, depth)
    first = np.flatnonzero(np.append(True, visits.start_ms[1:] - visits.stop_ms[:-1] > apart_ms)[: len(visits.begun)])
    last = np.append(first[1:], len(visits.begun)) - 1 if len(first) else first
    from_outside = visits.begun[first]
    start, stop = visits.start_ms[first][from_outside], visits.stop_ms[last][from_outside]
    deepest = np.array([depth[(time >= a) & (time <= b)].max() for a, b in zip(start, stop, strict=True)])
    left = visits.ended[last][from_outside] & (time[-1] - stop > apart_ms if len(time) else np.zeros(0, bool))
    return Encounters(start, stop, deepest, left, deepest > limit_mm)
