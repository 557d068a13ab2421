"""Taxis: where worms end up in a gradient, and by which strategy, with intervals over worms.

Two strategies are told apart. In klinokinesis, pirouettes are more frequent while the concentration at the nose falls
(Pierce-Shimomura et al. 1999, J Neurosci 19:9557); in klinotaxis, runs curve towards the side on which it rises (Iino
and Yoshida 2009, J Neurosci 29:5370). Worms are drawn anew for an interval, not samples: those of one worm depend on
each other. scipy.stats has the tests (`permutation_test`, `fisher_exact`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import OutputError
from ..units import S_PER_MIN
from .paths import Curving, Walk, direction, seconds, turn_bouts
from .turning import Bouts

__all__ = [
    "Asymmetry", "Bearings", "CountIndex", "CurvingSlope", "Interval", "bearings", "count_index", "curving_slope",
    "curving_table", "distance_index", "drift_sums", "drift_velocity", "over_worms", "pirouette_asymmetry",
    "turning_sums",
]  # fmt: skip

BEFORE_S = 4.0
"""Time before a pirouette over which the concentration at the nose rises or falls [s]; assumed: about two strides."""
DRAWS = 2000
EDGES = np.arange(-2.25, 2.26, 0.5)
"""Edges of the bins of the normal gradient [mM/mm]: centred on those of Kunitomo et al. 2013, fig. S6."""


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval over worms.

    Attributes:
        value: of all worms together.
        low: 2.5th percentile of the value in worms drawn anew; NaN for fewer than two worms.
        high: 97.5th percentile.
        worms: their number.
    """

    value: float
    low: float
    high: float
    worms: int


def over_worms(
    statistic: Callable[[np.ndarray], np.ndarray], sums: np.ndarray, draws: int = DRAWS, seed: int = 0
) -> Interval:
    """Bootstrap over worms of a value that follows from sums over all worms.

    Args:
        statistic: value(s) from summed columns, (..., columns) to (...).
        sums: a row per worm, shape (worms, columns).
        draws: number of sets of worms that are drawn.
        seed: of the draws.
    """
    sums = np.asarray(sums, float)
    count = len(sums)
    if not count:
        return Interval(math.nan, math.nan, math.nan, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(statistic(sums.sum(axis=0)))
        if count < 2:
            return Interval(value, math.nan, math.nan, count)
        often = np.random.default_rng(seed).multinomial(count, np.full(count, 1.0 / count), draws)
        drawn = np.asarray(statistic(often @ sums), float)
    drawn = drawn[~np.isnan(drawn)]
    # Infinite ratios, of draws without a pirouette up the gradient, are at the upper end: no line is drawn to them.
    low, high = np.quantile(drawn, (0.025, 0.975), method="nearest") if len(drawn) else (math.nan, math.nan)
    return Interval(value, float(low), float(high), count)


@dataclass(frozen=True)
class CountIndex:
    """Chemotaxis index by counting worms.

    Attributes:
        index: worms near the source less those near the other spot, over all worms [-].
        index_of_choosers: the same over the worms near either [-]; NaN if there are none.
        near: number near the source.
        other: number near the other spot.
        worms: number of all.
    """

    index: float
    index_of_choosers: float
    near: int
    other: int
    worms: int


def count_index(
    place: np.ndarray, source: np.ndarray, radius_mm: float, other: np.ndarray | None = None,
    start: np.ndarray | None = None,
) -> CountIndex:  # fmt: skip
    """Chemotaxis index of worms at the end of an assay.

    Args:
        place: of each worm [mm], shape (worms, 2).
        source: [mm], shape (2,) or one per worm, shape (worms, 2).
        radius_mm: within which a worm counts [mm].
        other: control spot [mm], of the same shape; the source mirrored at `start` if None.
        start: where worms were put down [mm], shape (2,) or (worms, 2); the origin if None.

    Raises:
        OutputError: for no worms, or places that are not numbers.
    """
    place, source = np.asarray(place, float), np.asarray(source, float)
    if place.ndim != 2 or place.shape[1] != 2 or not len(place) or not np.isfinite(place).all():
        raise OutputError("an index needs the place of at least one worm; give x and y [mm], shape (worms, 2)")
    start = np.zeros(2) if start is None else np.asarray(start, float)
    other = 2.0 * start - source if other is None else np.asarray(other, float)
    near = int((np.linalg.norm(place - source, axis=1) <= radius_mm).sum())
    away = int((np.linalg.norm(place - other, axis=1) <= radius_mm).sum())
    chosen = (near - away) / (near + away) if near + away else math.nan
    return CountIndex((near - away) / len(place), chosen, near, away, len(place))


def distance_index(place: np.ndarray, source: np.ndarray) -> float:
    """1 less the mean distance from the source over the first distance [-], for one worm.

    1 for a worm that is at the source at once, 0 for one that keeps its distance. Models are scored by it (Izquierdo
    and Lockery 2010; Hironaka et al. 2025); it is no count index.

    Args:
        place: [mm], shape (frames, 2); frames with NaN do not count.
        source: [mm], shape (2,).
    """
    away = np.linalg.norm(np.asarray(place, float) - np.asarray(source, float), axis=1)
    away = away[np.isfinite(away)]
    return 1.0 - float(away.mean() / away[0]) if len(away) and away[0] > 0.0 else math.nan


def drift_sums(walk: Walk) -> np.ndarray:
    """Way of one worm up the gradient [mm] and time where there is one [s], shape (2,); see `drift_velocity`."""
    steep = walk.gradient[:-1]
    size = np.linalg.norm(steep, axis=1)
    way = (np.diff(walk.place, axis=0) * steep).sum(axis=1) / np.where(size > 0.0, size, 1.0)
    good = (size > 0.0) & np.isfinite(way)
    return np.array([way[good].sum(), good.sum() * seconds(walk)])


def drift_velocity(walks: Sequence[Walk], seed: int = 0) -> Interval:
    """Mean velocity up the gradient [mm/s].

    Args:
        walks: of all worms.
        seed: of the bootstrap.
    """
    sums = _per_worm(walks, [drift_sums(each) for each in walks])
    return over_worms(lambda total: total[..., 0] / total[..., 1], sums, seed=seed)


def _per_worm(walks: Sequence[Walk], rows: Sequence[np.ndarray]) -> np.ndarray:
    """Sums of each worm, over the pieces of its track, from a row per walk; shape (worms, columns)."""
    worms = np.array([each.worm for each in walks], int)
    return np.array([np.asarray(rows)[worms == worm].sum(axis=0) for worm in np.unique(worms)])


@dataclass(frozen=True)
class Asymmetry:
    """Pirouettes while the concentration falls and rises.

    Attributes:
        falling_per_min: starts of pirouettes per time of run in which the concentration falls [1/min].
        rising_per_min: the same while it rises [1/min].
        ratio: falling over rising [-], above 1 for klinokinesis.
        pirouettes: number that counted.
    """

    falling_per_min: Interval
    rising_per_min: Interval
    ratio: Interval
    pirouettes: int


def pirouette_asymmetry(
    walks: Sequence[Walk], pirouettes: Sequence[Bouts] | None = None, before_s: float = BEFORE_S, seed: int = 0
) -> Asymmetry:
    """How much more often worms turn while the concentration at the nose falls than while it rises.

    Only runs count as time, since within a pirouette none can start. Each moment of a run is falling or rising by the
    change over the time before it, which must be free of pirouettes.

    Args:
        walks: of all worms.
        pirouettes: bouts of each walk, of reversals or of turns; those of the paths if None.
        before_s: time before a moment over which the concentration changes [s].
        seed: of the bootstrap.
    """
    chosen = [turn_bouts(each) for each in walks] if pirouettes is None else list(pirouettes)
    rows = [turning_sums(walk, turns, before_s) for walk, turns in zip(walks, chosen, strict=True)]
    sums = _per_worm(walks, rows)
    falling = over_worms(lambda each: each[..., 0] / each[..., 1] * S_PER_MIN, sums, seed=seed)
    rising = over_worms(lambda each: each[..., 2] / each[..., 3] * S_PER_MIN, sums, seed=seed)
    ratio = over_worms(lambda each: each[..., 0] / each[..., 1] / (each[..., 2] / each[..., 3]), sums, seed=seed)
    return Asymmetry(falling, rising, ratio, int(sums[:, [0, 2]].sum()) if len(sums) else 0)


def turning_sums(walk: Walk, pirouettes: Bouts, before_s: float = BEFORE_S) -> np.ndarray:
    """Starts of pirouettes and seconds of run while the concentration falls, then while it rises, shape (4,).

    Args:
        walk: of one worm.
        pirouettes: its bouts of reversals or turns.
        before_s: see `pirouette_asymmetry`.
    """
    step = seconds(walk)
    lag = max(1, round(before_s / step))
    change = np.full(len(walk.time_ms), math.nan)
    if len(change) > lag:
        change[lag:] = walk.concentration[lag:] - walk.concentration[:-lag]
    turning = pirouettes.holds(walk.time_ms)
    count = np.append(0, np.cumsum(turning))
    index = np.arange(len(change))
    # Free of pirouettes from the lag up to the sample before.
    free = count[index] == count[np.maximum(index - lag, 0)]
    starts = np.zeros(len(change))
    begins = np.searchsorted(walk.time_ms, pirouettes.start_ms)
    starts[begins[begins < len(starts)]] = 1.0
    exposed = free & (~turning | (starts > 0.0))
    sums = [[starts[exposed & side].sum(), step * (exposed & side).sum()] for side in (change < 0.0, change > 0.0)]
    return np.array(sums).ravel()


@dataclass(frozen=True)
class CurvingSlope:
    """Klinotaxis: how the curving rate follows the gradient across the path.

    Attributes:
        slope: [deg/mm per unit/mm], positive for worms that curve up the gradient.
        bias: curving rate without a gradient, positive to the left [deg/mm].
        samples: number of samples.
    """

    slope: Interval
    bias: Interval
    samples: int


def curving_slope(samples: Sequence[Curving], most: float = math.inf, seed: int = 0) -> CurvingSlope:
    """Straight line through curving rates, with 95 % intervals over worms.

    Args:
        samples: of all worms, see paths.curving.
        most: largest absolute normal gradient that counts [unit/mm].
        seed: of the bootstrap.
    """
    rate, normal, worm = _pooled(samples)
    kept = np.abs(normal) <= most
    rate, normal, worm = rate[kept], normal[kept], worm[kept]
    each = np.stack([np.ones(len(rate)), normal, rate, normal**2, normal * rate], axis=1)
    sums = np.array([each[worm == number].sum(axis=0) for number in np.unique(worm)])

    def slope(total: np.ndarray) -> np.ndarray:
        """Least squares."""
        n, x, y, xx, xy = np.moveaxis(total, -1, 0)
        return (n * xy - x * y) / (n * xx - x * x)

    def bias(total: np.ndarray) -> np.ndarray:
        """Least squares."""
        return (total[..., 2] - slope(total) * total[..., 1]) / total[..., 0]

    return CurvingSlope(over_worms(slope, sums, seed=seed), over_worms(bias, sums, seed=seed), len(rate))


def curving_table(samples: Sequence[Curving], edges: np.ndarray = EDGES) -> dict[str, np.ndarray]:
    """Curving rate in bins of the normal gradient, as Kunitomo et al. 2013 draw it.

    Args:
        samples: of all worms.
        edges: of the bins [unit/mm], shape (bins + 1,).

    Returns:
        Columns "normal" (centre of the bin), "rate" (mean of the means of worms), "sem" (over worms), "worms" and
        "samples", each of shape (bins,); NaN where there is too little.
    """
    rate, normal, worm = _pooled(samples)
    columns: dict[str, list[float]] = {"normal": [], "rate": [], "sem": [], "worms": [], "samples": []}
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        inside = (normal >= low) & (normal < high)
        means = np.array([rate[inside & (worm == number)].mean() for number in np.unique(worm[inside])])
        spread = float(means.std(ddof=1) / math.sqrt(len(means))) if len(means) > 1 else math.nan
        row = (0.5 * (low + high), float(means.mean()) if len(means) else math.nan, spread, len(means), inside.sum())
        for column, value in zip(columns.values(), row, strict=True):
            column.append(float(value))
    return {name: np.array(column) for name, column in columns.items()}


def _pooled(samples: Sequence[Curving]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    parts = [(each.rate, each.normal, each.worm) for each in samples]
    parts.append((np.zeros(0), np.zeros(0), np.zeros(0, int)))
    rate, normal, worm = (np.concatenate(each) for each in zip(*parts, strict=True))
    return rate, normal, worm


@dataclass(frozen=True, eq=False)
class Bearings:
    """Direction relative to that of the gradient around pirouettes; arrays have shape (pirouettes,).

    Attributes:
        before_deg: before a pirouette, 0 up the gradient, between -180 and 180 [deg].
        after_deg: after it [deg].
        worm: number of the worm.
    """

    before_deg: np.ndarray
    after_deg: np.ndarray
    worm: np.ndarray

    def up(self, seed: int = 0) -> tuple[Interval, Interval]:
        """Mean cosine before and after: 1 up the gradient, 0 without preference, -1 down [-]."""
        sums = [
            np.array([[np.cos(np.radians(each[self.worm == w])).sum(), (self.worm == w).sum()] for w in set(self.worm)])
            for each in (self.before_deg, self.after_deg)
        ]
        before, after = (over_worms(lambda total: total[..., 0] / total[..., 1], each, seed=seed) for each in sums)
        return before, after


def bearings(walks: Sequence[Walk], pirouettes: Sequence[Bouts] | None = None, away_mm: float = 0.8) -> Bearings:
    """Bearing to the gradient before and after each pirouette.

    Args:
        walks: of all worms.
        pirouettes: bouts of each walk; those of the paths if None.
        away_mm: length of path before and after a pirouette at which the direction is read, so that its gauge lies
            outside [mm]; as in track_analyzer.
    """
    rows = []
    for number, walk in enumerate(walks):
        chosen = turn_bouts(walk) if pirouettes is None else pirouettes[number]
        way = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(walk.place, axis=0), axis=1)))
        off = direction(walk.place) - np.arctan2(walk.gradient[:, 1], walk.gradient[:, 0])
        off = np.degrees((off + np.pi) % (2.0 * np.pi) - np.pi)
        off[~walk.gradient.any(axis=1)] = math.nan
        turning = chosen.holds(walk.time_ms)
        for start, stop in zip(chosen.start_ms, chosen.stop_ms, strict=True):
            at_start, at_stop = np.interp((start, stop), walk.time_ms, way)
            first = np.searchsorted(way, at_start - away_mm, side="right") - 1
            last = int(np.searchsorted(way, at_stop + away_mm))
            if first >= 0 and last < len(way) and not turning[first] and not turning[last]:
                rows.append((off[first], off[last], walk.worm))
    before, after, worm = (np.array(each) for each in zip(*rows, strict=True)) if rows else [np.zeros(0)] * 3
    known = np.isfinite(before) & np.isfinite(after)
    return Bearings(before[known], after[known], worm[known].astype(int))
