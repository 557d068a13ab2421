"""Designs of a sweep, which combine values: grid, zip, random, Latin hypercube."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..config import RunConfig
from ..errors import ConfigError, unknown
from ..rows import number

DESIGNS = ("grid", "zip", "random", "latin")
SCALES = ("linear", "log")
_RANGE_KEYS = ("from", "to", "steps", "scale")
_MOST_STEPS = 10_000
# Digits of computed values, so that 0.01 on a log scale is exactly 0.01 in names and tables.
_DIGITS = 12


@dataclass(frozen=True)
class Axis:
    """One varied key: a list of values, or a range to draw from.

    Attributes:
        key: dotted key of RunConfig.
        values: in order; empty for a range without steps.
        low, high: ends of the range, in the unit of the key; NaN for a list.
        scale: "linear" or "log".
        whole: whether the key takes integers.
    """

    key: str
    values: tuple[Any, ...] = ()
    low: float = math.nan
    high: float = math.nan
    scale: str = "linear"
    whole: bool = False

    def at(self, share: float) -> Any:
        """The value at a share (0 to 1) of the axis.

        Args:
            share: 0 for the first value or the lower end, 1 for the last.
        """
        if self.values:
            return self.values[min(int(share * len(self.values)), len(self.values) - 1)]
        if self.whole:
            # All whole numbers in the range are equally likely.
            return min(int(self.low) + int(share * (self.high - self.low + 1)), int(self.high))
        return _between(self.low, self.high, share, self.scale)


def whole_number(value: Any) -> bool:
    """Whether a value is an int that is not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def read_axis(key: str, spec: Any, base: RunConfig, where: str) -> Axis:
    """An axis from its description.

    Args:
        key: dotted key of RunConfig.
        spec: list of values, or {from, to, steps, scale}.
        base: configuration the key belongs to.
        where: location for error messages.

    Raises:
        ConfigError: for an unknown key, an empty list, or a range that cannot be divided.
    """
    place = f"{where}, vary {key}"
    base.updated({key: None}, where=f"{where}, vary")
    if isinstance(spec, Mapping):
        return _range(key, spec, base, place)
    if not isinstance(spec, (list, tuple)) or not spec:
        raise ConfigError(f"{place}: give a list of values, or {{from, to, steps, scale}}; got {spec!r}")
    for value in spec:
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{place}: {value} is not a number")
    return Axis(key, tuple(spec))


def _range(key: str, spec: Mapping[str, Any], base: RunConfig, place: str) -> Axis:
    for name in spec:
        if name not in _RANGE_KEYS:
            raise ConfigError(f"{place}: {unknown('key', str(name), _RANGE_KEYS)}")
    low, high = (number(spec.get(name), place, name) for name in ("from", "to"))
    scale, steps = spec.get("scale", "linear"), spec.get("steps")
    if scale not in SCALES:
        raise ConfigError(f"{place}: {unknown('scale', str(scale), SCALES)}")
    if low == high or scale == "log" and not (low > 0 and high > 0):
        raise ConfigError(f"{place}: from {low:g} to {high:g} is not a range{' on a log scale' * (scale == 'log')}")
    if steps is not None and not (whole_number(steps) and 2 <= steps <= _MOST_STEPS):
        raise ConfigError(f"{place}: steps is a whole number from 2 to {_MOST_STEPS}, both ends counted; got {steps!r}")
    whole = _takes_whole_numbers(base, key, place)
    shares = np.linspace(0.0, 1.0, steps) if steps else ()
    values = [_between(low, high, float(share), scale) for share in shares]
    if whole and not all(float(value).is_integer() for value in (low, high, *values)):
        raise ConfigError(f"{place} takes whole numbers; choose ends and steps that give them, or list them")
    if whole:
        values = [int(value) for value in values]
    if steps is None:
        low, high = min(low, high), max(low, high)
    return Axis(key, tuple(values), low, high, scale, whole)


def _takes_whole_numbers(base: RunConfig, key: str, place: str) -> bool:
    """Whether the key is an integer; class parameters and materials, which may be absent, are all floats."""
    if key.partition(".")[0] == "members":
        return True
    if key.partition(".")[0] in ("parameters", "material", "medium"):
        return False
    kind = type(base.get(key))
    if kind not in (int, float):
        raise ConfigError(f"{place} is not a number; give a list of values")
    return kind is int


def _between(low: float, high: float, share: float, scale: str) -> float:
    if share in (0.0, 1.0):
        return high if share else low
    value = low * (high / low) ** share if scale == "log" else low + (high - low) * share
    return float(f"{value:.{_DIGITS}g}")


def combinations(
    axes: list[Axis], design: str, *, samples: Any, design_seed: Any, limit: int, where: str
) -> list[dict[str, Any]]:
    """Points of a sweep, each with one value per axis.

    Args:
        axes: varied keys.
        design: "grid" takes every combination, "zip" the first values, then the second ones and so on, "random" draws
            each axis independently, "latin" draws so that every axis is covered evenly.
        samples: number of points of a random or latin design [-].
        design_seed: of the draws; 1 if None.
        limit: largest number of points.
        where: location for error messages.

    Raises:
        ConfigError: for axes that are not suitable for the design.
    """
    drawn = design in ("random", "latin")
    for name, value in (("samples", samples), ("design_seed", design_seed)):
        if value is not None and not drawn:
            raise ConfigError(f"{where}: {name} is for the designs random and latin, not for {design}")
    if drawn:
        return _drawn(axes, design, samples, 1 if design_seed is None else design_seed, limit, where)
    for axis in axes:
        if not axis.values:
            raise ConfigError(f"{where}, vary {axis.key}: a {design} needs steps = N")
    lengths = [len(axis.values) for axis in axes]
    if design == "zip" and len(set(lengths)) > 1:
        counts = ", ".join(f"{axis.key} {len(axis.values)}" for axis in axes)
        raise ConfigError(f"{where}: a zip needs the same number of values for every key; got {counts}")
    if (math.prod(lengths) if design == "grid" else max(lengths, default=1)) > limit:
        raise ConfigError(f"{where} has more runs than allowed ({limit} without seeds); vary fewer values")
    keys, values = [axis.key for axis in axes], [axis.values for axis in axes]
    rows = itertools.product(*values) if design == "grid" or not axes else zip(*values, strict=True)
    return [dict(zip(keys, row, strict=True)) for row in rows]


def _drawn(
    axes: list[Axis], design: str, samples: Any, seed: Any, limit: int, where: str
) -> list[dict[str, Any]]:  # fmt: skip
    if not (whole_number(samples) and 1 <= samples <= limit):
        raise ConfigError(f"{where}: a {design} design needs samples = N, from 1 to {limit}; got {samples!r}")
    if not (whole_number(seed) and seed >= 0):
        raise ConfigError(f"{where}: design_seed is a whole number from 0; got {seed!r}")
    rng = np.random.default_rng(seed)
    shares = rng.random((samples, len(axes)))
    if design == "latin":
        order = np.stack([rng.permutation(samples) for _ in axes], axis=1) if axes else np.zeros((samples, 0))
        shares = (order + shares) / samples
    return [{axis.key: axis.at(float(share)) for axis, share in zip(axes, row, strict=True)} for row in shares]
