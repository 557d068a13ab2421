"""Correlations of the activity of identified neurons: what is observed, what was measured, how far they differ.

The observation is declared (correlations.csv): calcium follows a sigmoid of the soma's voltage, an indicator low-passes
it, and a microscope samples that. A loss on the correlations has an exact derivative with respect to the voltages.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from .. import anatomy
from ..errors import ConfigError, shorten
from ..rows import finite, named_values, read_rows

_TABLE = Path(__file__).with_name("correlations.csv")
_COLUMNS = ("a", "b", "r")
# Below this share of its largest value a signal does not fluctuate, and its correlation with others means nothing.
_STILL = 1e-9


@cache
def correlation_constants() -> dict[str, float]:
    """Constants of the observation, of the inputs and of the fits; sources are in correlations.csv."""
    return named_values(_TABLE)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Correlations of pairs of neurons.

    Attributes:
        a, b: names of the neurons, length pairs.
        r: their correlation [-], shape (pairs,).
    """

    a: tuple[str, ...]
    b: tuple[str, ...]
    r: np.ndarray

    def __len__(self) -> int:
        return len(self.r)

    @cached_property
    def neurons(self) -> tuple[str, ...]:
        """Every neuron that occurs, sorted."""
        return tuple(sorted({*self.a, *self.b}))

    def where(self, neurons: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Index of both ends in a list of neurons, each of shape (pairs,).

        Raises:
            ConfigError: for a neuron that the list lacks.
        """
        index = {name: k for k, name in enumerate(neurons)}
        if missing := [name for name in self.neurons if name not in index]:
            raise ConfigError(f"pairs: {missing[0]} is not among the {len(index)} neurons that are observed")
        first, second = (np.array([index[name] for name in side], int) for side in (self.a, self.b))
        return first, second

    def take(self, chosen: np.ndarray) -> Pairs:
        """Those that a mask of shape (pairs,) chooses."""
        rows = np.flatnonzero(chosen)
        return Pairs(tuple(self.a[k] for k in rows), tuple(self.b[k] for k in rows), self.r[rows])


def read_pairs(path: str | Path) -> Pairs:
    """Pairs of neurons and their correlation from a CSV file with columns a, b and r.

    Args:
        path: of the file; names may be padded with zeros ("DA07").

    Raises:
        ConfigError: for a file without these columns, a number outside -1 to 1, or a pair that is no pair.
        AnatomyError: for an unknown neuron.
    """
    path = Path(path)
    try:
        with open(path, newline="", encoding="utf-8") as lines:
            header = next(csv.reader(lines), [])
        rows = list(read_rows(path)) if set(_COLUMNS) <= set(header) else []
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"pairs: cannot read {shorten(path)}: {shorten(error)}") from error
    if not rows:
        raise ConfigError(f"pairs: {shorten(path)} needs the columns a, b and r, and at least one row")
    a, b, r, seen = [], [], [], set()
    for where, row in rows:
        first, second = (anatomy.neuron_name(row[side]) for side in ("a", "b"))
        value = finite(row["r"], where, "r")
        if not -1.0 <= value <= 1.0:
            raise ConfigError(f"{where}: r = {value:g} is no correlation; it lies from -1 to 1")
        if first == second or frozenset((first, second)) in seen:
            raise ConfigError(f"{where}: {first} and {second} must be two neurons, and each pair stand there once")
        seen.add(frozenset((first, second)))
        a.append(first)
        b.append(second)
        r.append(value)
    return Pairs(tuple(a), tuple(b), np.array(r))


def split_pairs(pairs: Pairs, share: float, neurons: int, seed: int) -> dict[str, Pairs]:
    """Set pairs apart from those that are fitted: all of some neurons, and a random share of the others.

    Args:
        pairs: all of them.
        share: of the pairs between the other neurons that is left out [-].
        neurons: how many neurons are left out with all their pairs.
        seed: of the choice.

    Returns:
        "fitted", "pairs" (left out at random) and "neurons" (all with a neuron that was left out).

    Raises:
        ConfigError: if too little would be left to be fitted.
    """
    if not 0.0 <= share < 1.0 or not 0 <= neurons < len(pairs.neurons) - 1:
        raise ConfigError(f"split: share {share:g} and {neurons} of {len(pairs.neurons)} neurons leave nothing to fit")
    rng = np.random.default_rng(seed)
    gone = set(rng.choice(pairs.neurons, neurons, replace=False))
    out = np.array([a in gone or b in gone for a, b in zip(pairs.a, pairs.b, strict=True)], bool)
    inside = rng.permutation(np.flatnonzero(~out))
    apart = np.zeros(len(pairs), bool)
    apart[inside[: round(share * len(inside))]] = True
    return {"fitted": pairs.take(~out & ~apart), "pairs": pairs.take(apart), "neurons": pairs.take(out)}


@dataclass(frozen=True)
class Observation:
    """Fluorescence of a calcium indicator in neurons, as sampled by a microscope.

    Attributes:
        interval: between the voltages that it is given [ms]; a whole part of `sample_interval`.
        settle: time dropped at the start [ms].
        half, slope: of the sigmoid of the voltage [mV].
        tau: time constant of the indicator [ms].
        sample_interval: between two samples [ms].

    Raises:
        ConfigError: for an interval of which the samples are no whole multiple.
    """

    interval: float = correlation_constants()["input_tick"]
    settle: float = correlation_constants()["settle"]
    half: float = correlation_constants()["calcium_half"]
    slope: float = correlation_constants()["calcium_slope"]
    tau: float = correlation_constants()["indicator_tau"]
    sample_interval: float = correlation_constants()["sample_interval"]

    def __post_init__(self) -> None:
        if not self.interval > 0.0 or abs(self.sample_interval / self.interval - self._every) > 1e-9:
            raise ConfigError(
                f"observation: {self.sample_interval:g} ms between samples is no whole multiple of {self.interval:g} ms"
            )

    @property
    def _every(self) -> int:
        return max(round(self.sample_interval / self.interval), 1)

    @property
    def _kept(self) -> float:
        """Share of the fluorescence that is left after one interval."""
        return float(np.exp(-self.interval / self.tau))

    def _samples(self, count: int) -> slice:
        return slice(round(self.settle / self.interval), count, self._every)

    def fluorescence(self, voltage: np.ndarray) -> np.ndarray:
        """What is seen of neurons.

        Args:
            voltage: of their somas [mV], shape (times, neurons).

        Returns:
            Samples after the settling time, 0 to 1 [-], shape (samples, neurons).

        Raises:
            ConfigError: for fewer than three samples.
        """
        signal = self._signal(voltage)
        start = signal[:1] * self._kept  # the indicator starts where the first voltage would hold it
        seen = lfilter([1.0 - self._kept], [1.0, -self._kept], signal, axis=0, zi=start)[0]
        samples = seen[self._samples(len(seen))]
        if len(samples) < 3:
            last = len(voltage) * self.interval
            raise ConfigError(f"observation: {last:g} ms leave {len(samples)} samples after {self.settle:g} ms; take 3")
        return samples

    def _signal(self, voltage: np.ndarray) -> np.ndarray:
        return 1.0 / (1.0 + np.exp((self.half - np.asarray(voltage, float)) / self.slope))

    def _back(self, voltage: np.ndarray, bar: np.ndarray) -> np.ndarray:
        """Derivative with respect to the voltages from that with respect to the samples of fluorescence."""
        signal = self._signal(voltage)
        full = np.zeros_like(signal)
        full[self._samples(len(signal))] = bar
        into = lfilter([1.0], [1.0, -self._kept], full[::-1], axis=0)[::-1]
        first = self._kept * into[0]
        into *= 1.0 - self._kept
        into[0] += first
        return into * signal * (1.0 - signal) / self.slope

    def correlations(self, voltage: np.ndarray) -> np.ndarray:
        """Correlation matrix of what is seen, shape (neurons, neurons); 0 for a neuron that does not fluctuate.

        Args:
            voltage: of the somas [mV], shape (times, neurons).
        """
        z, _ = _standardised(self.fluorescence(voltage))
        return z.T @ z / len(z)

    def loss(self, voltage: np.ndarray, first: np.ndarray, second: np.ndarray, r: np.ndarray) -> PairLoss:
        """Mean squared deviation of the correlations of pairs from what was measured, and its derivative.

        Args:
            voltage: of the somas [mV], shape (times, neurons).
            first, second: columns of both neurons of each pair, shape (pairs,).
            r: measured correlations [-], shape (pairs,).
        """
        z, scale = _standardised(self.fluorescence(voltage))
        matrix = z.T @ z / len(z)
        missed = matrix[first, second] - r
        weights = np.zeros_like(matrix)
        np.add.at(weights, (first, second), 2.0 * missed / len(r))
        bar = z @ (weights + weights.T) / len(z)
        bar -= bar.mean(axis=0) + z * (bar * z).mean(axis=0)
        bar = np.divide(bar, scale, out=np.zeros_like(bar), where=scale > 0.0)
        return PairLoss(float(np.mean(missed**2)), self._back(voltage, bar), matrix)


@dataclass(frozen=True, eq=False)
class PairLoss:
    """Deviation of simulated from measured correlations of pairs.

    Attributes:
        value: mean squared deviation [-].
        voltage: its derivative with respect to the voltages [1/mV], shape (times, neurons).
        matrix: simulated correlations, shape (neurons, neurons).
    """

    value: float
    voltage: np.ndarray
    matrix: np.ndarray


def _standardised(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signals of mean 0 and variance 1, and their standard deviations; both are 0 for a signal that stands still."""
    moved = seen - seen.mean(axis=0)
    scale = moved.std(axis=0)
    scale = np.where(scale > _STILL * np.abs(seen).max(axis=0), scale, 0.0)
    return np.divide(moved, scale, out=np.zeros_like(moved), where=scale > 0.0), scale


def agreement(simulated: np.ndarray, pairs: Pairs) -> dict[str, float]:
    """How well simulated correlations agree with measured ones.

    Args:
        simulated: correlation of each pair [-], shape (pairs,).
        pairs: measured.

    Returns:
        `pairs`, `mse` (mean squared deviation), `r` (Pearson, over pairs) and `signs` (share of pairs with |r| above
        0.4 whose sign is that of the animal's).
    """
    strong = np.abs(pairs.r) > 0.4
    spread = min(np.std(simulated), np.std(pairs.r)) if len(pairs) > 1 else 0.0
    return {
        "pairs": float(len(pairs)),
        "mse": float(np.mean((simulated - pairs.r) ** 2)),
        "r": float(np.corrcoef(simulated, pairs.r)[0, 1]) if spread > _STILL else float("nan"),
        "signs": float(np.mean(np.sign(simulated[strong]) == np.sign(pairs.r[strong]))) if strong.any() else np.nan,
    }
