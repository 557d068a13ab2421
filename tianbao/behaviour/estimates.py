"""Values of a group of worms with 95 % intervals, and differences between two groups.

A worm gives a row of numbers; worms are drawn anew for an interval, not rows of one worm, which depend on each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .responses import share_of_trials
from .taxis import DRAWS, Interval

__all__ = ["FEWEST", "Pooled", "Ratio", "Rows", "Share", "Statistic", "mean_interval"]

Rows = Sequence[np.ndarray]
"""A row of numbers per worm; what they mean is told by the measure that they belong to."""

FEWEST = 5
"""Worms of each group from which on an interval may decide; assumed: drawn anew, fewer give intervals far too short."""
_NORMAL = 1.959964  # standard deviations on either side that hold 95 % of a normal distribution
_FEWEST_DRAWS = 200  # of which percentiles are taken; of fewer, the standard deviation


class Statistic(Protocol):
    """From the rows of worms to a value of the group."""

    def estimate(self, rows: Rows, seed: int = 0) -> Interval:
        """Value with its 95 % interval over worms; NaN for no worms.

        Args:
            rows: one per worm.
            seed: of the bootstrap.
        """

    def difference(self, rows: Rows, others: Rows, paired: bool = False, seed: int = 0) -> Interval:
        """Value of a group less that of another one, with its 95 % interval.

        Args:
            rows: of the one group.
            others: of the other.
            paired: whether row k of both belongs to one seed, so that pairs are drawn; then both are equally long.
            seed: of the bootstrap.
        """


def _drawn(counts: Sequence[int], draws: int, paired: bool, seed: int) -> list[np.ndarray]:
    """How often each worm of each group is in each draw, shapes (draws, worms)."""
    random = np.random.default_rng(seed)
    often = [random.multinomial(count, np.full(count, 1.0 / count), draws) for count in counts]
    return [often[0]] * len(often) if paired else often


def _counted(rows: Iterable[np.ndarray]) -> int:
    """Worms of which something was measured: whose row is neither empty nor all zeros."""
    return sum(bool(np.any(each)) for each in rows)


def _interval(value: float, drawn: np.ndarray, worms: int) -> Interval:
    """Percentiles of what was drawn; of a few draws, a normal distribution of their spread."""
    drawn = drawn[~np.isnan(drawn)]
    if len(drawn) < 2:
        return Interval(value, math.nan, math.nan, worms)
    if len(drawn) < _FEWEST_DRAWS:
        # Few fits: their spread is better known than their ends.
        half = _NORMAL * float(drawn.std(ddof=1)) if np.isfinite(drawn).all() else math.inf
        return Interval(value, value - half, value + half, worms)
    low, high = np.quantile(drawn, (0.025, 0.975), method="nearest")
    return Interval(value, float(low), float(high), worms)


@dataclass(frozen=True)
class Ratio:
    """A value that follows from sums over worms, such as events over time, or a mean.

    Attributes:
        of: value(s) from summed columns, (..., columns) to (...).
        sums: from the row of a worm to what is summed; the row itself if None.
    """

    of: Callable[[np.ndarray], np.ndarray]
    sums: Callable[[np.ndarray], np.ndarray] | None = None

    def _table(self, rows: Rows) -> np.ndarray:
        return np.array([each if self.sums is None else self.sums(each) for each in rows], float)

    def estimate(self, rows: Rows, seed: int = 0) -> Interval:
        """See `Statistic`; a worm of which nothing was measured, a row of zeros, does not count."""
        if not len(rows):
            return Interval(math.nan, math.nan, math.nan, 0)
        table = self._table(rows)
        worms = _counted(table)
        with np.errstate(divide="ignore", invalid="ignore"):
            value = float(self.of(table.sum(axis=0)))
            if worms < 2:
                return Interval(value, math.nan, math.nan, worms)
            (often,) = _drawn([len(table)], DRAWS, False, seed)
            return _interval(value, np.asarray(self.of(often @ table), float), worms)

    def difference(self, rows: Rows, others: Rows, paired: bool = False, seed: int = 0) -> Interval:
        """See `Statistic`."""
        if not len(rows) or not len(others):
            return Interval(math.nan, math.nan, math.nan, 0)
        tables = [self._table(rows), self._table(others)]
        worms = min(map(_counted, tables))
        with np.errstate(divide="ignore", invalid="ignore"):
            one, other = (float(self.of(each.sum(axis=0))) for each in tables)
            if worms < 2:
                return Interval(one - other, math.nan, math.nan, worms)
            often = _drawn([len(each) for each in tables], DRAWS, paired, seed)
            drawn = [np.asarray(self.of(k @ each), float) for k, each in zip(often, tables, strict=True)]
            return _interval(one - other, drawn[0] - drawn[1], worms)


@dataclass(frozen=True)
class Share:
    """A share of trials; a row is whether it happened and whether the trial counts, both 0 or 1."""

    def _parts(self, rows: Rows) -> tuple[float, float, float, int]:
        found = share_of_trials([bool(each[0]) for each in rows if each[1]])
        return found.share, found.low, found.high, found.trials

    def estimate(self, rows: Rows, seed: int = 0) -> Interval:
        """See `Statistic`; the interval is Wilson's."""
        return Interval(*self._parts(rows))

    def difference(self, rows: Rows, others: Rows, paired: bool = False, seed: int = 0) -> Interval:
        """See `Statistic`; the interval is Newcombe's for independent groups, made of Wilson's, also if paired.

        Source: Newcombe 1998, Stat Med 17:873, method 10 (from memory).
        """
        (p, p_low, p_high, n), (q, q_low, q_high, m) = self._parts(rows), self._parts(others)
        low = p - q - math.hypot(p - p_low, q_high - q)
        high = p - q + math.hypot(p_high - p, q - q_low)
        return Interval(p - q, low, high, min(n, m))


@dataclass(frozen=True)
class Pooled:
    """A value of all rows together that needs more than sums, such as a fit.

    Attributes:
        of: value of the rows of a group.
        draws: sets of worms that are drawn; few where a fit takes seconds.
    """

    of: Callable[[Rows], float]
    draws: int = 500

    def _values(self, rows: Rows, often: np.ndarray) -> np.ndarray:
        return np.array([self.of([rows[k] for k in np.repeat(np.arange(len(rows)), each)]) for each in often])

    def estimate(self, rows: Rows, seed: int = 0) -> Interval:
        """See `Statistic`."""
        rows = list(rows)
        worms = _counted(rows)
        if worms < 2:
            value = self.of(rows) if rows else math.nan
            return Interval(value, math.nan, math.nan, worms)
        (often,) = _drawn([len(rows)], self.draws, False, seed)
        return _interval(self.of(rows), self._values(rows, often), worms)

    def difference(self, rows: Rows, others: Rows, paired: bool = False, seed: int = 0) -> Interval:
        """See `Statistic`."""
        groups = [list(rows), list(others)]
        worms = min(map(_counted, groups))
        if not worms:
            return Interval(math.nan, math.nan, math.nan, 0)
        value = self.of(groups[0]) - self.of(groups[1])
        if worms < 2:
            return Interval(value, math.nan, math.nan, worms)
        often = _drawn([len(each) for each in groups], self.draws, paired, seed)
        drawn = [self._values(group, each) for group, each in zip(groups, often, strict=True)]
        with np.errstate(invalid="ignore"):
            return _interval(value, drawn[0] - drawn[1], worms)


def mean_interval(
    values: Sequence[float] | np.ndarray, axis: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean over worms and its 95 % confidence interval, from Student's t.

    Args:
        values: one entry per worm along `axis`; what was not measured is NaN and does not count.
        axis: of the worms.

    Returns:
        Mean, lower and upper end, and the number of worms. The ends are NaN where it is below two: one worm says
        nothing of how worms differ.
    """
    from scipy.stats import t

    values = np.asarray(values, float)
    known = np.isfinite(values)
    n = known.sum(axis=axis)
    safe = np.maximum(n, 1)
    mean = np.where(n > 0, np.where(known, values, 0.0).sum(axis=axis) / safe, np.nan)
    away = np.where(known, values - np.expand_dims(mean, axis), 0.0)
    several = np.maximum(n - 1, 1)
    error = np.sqrt((away**2).sum(axis=axis) / several / safe)
    half = np.where(n > 1, t.ppf(0.975, several) * error, np.nan)
    return mean, mean - half, mean + half, n
