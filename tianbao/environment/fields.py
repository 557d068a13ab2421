"""What fills an arena and can be sensed: concentrations, and later temperature, food or oxygen.

A field has a value at every point and time. Two are here, both given once and for all: a Gaussian around a source, as
on an assay plate some time after a drop was put down, and a bath that is the same everywhere and is exchanged at given
times, as in a microfluidic chip. A field of your own needs no more than the methods of `Field`.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from ..arguments import named_arguments
from ..errors import ConfigError, shorten, unknown
from ..registry import find, registered
from ..rows import number, numbers

UNITS = {"mM": 0.0, "degC": -273.15, "%": 0.0}
"""Units that a field may have, and the smallest value in each."""

_LARGEST = 1e6  # of a value, in its unit
_FARTHEST = 1e6  # of a length [mm]
_LONGEST = 1e12  # of a time [ms]


@runtime_checkable
class Field(Protocol):
    """A substance or a quantity that fills the arena.

    Attributes:
        name: of the substance, such as "nacl"; senses ask for it by this name.
        unit: of its value, one of `UNITS`.
    """

    name: str
    unit: str

    def at(self, points: np.ndarray, time: float) -> np.ndarray:
        """Value at points.

        Args:
            points: [mm], shape (..., 3).
            time: [ms].

        Returns:
            Value [unit], shape (...).
        """

    def step(self, duration: float, midline: np.ndarray) -> None:
        """Let time pass: diffuse, be eaten; nothing for a field that is given once and for all.

        Args:
            duration: [ms].
            midline: of every worm [mm], shape (worms, rings, 3).
        """

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that `step` changes."""

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go back to a state."""

    def described(self) -> dict[str, Any]:
        """Its kind and options as plain values: a table of TOML, from which `field_of` makes it again."""


@dataclass(frozen=True)
class Given:
    """A field that does not change by itself and that no worm changes."""

    kind: ClassVar[str]

    def step(self, duration: float, midline: np.ndarray) -> None:
        """Nothing happens to a field that is given once and for all."""

    def state(self) -> dict[str, np.ndarray]:
        """Nothing changes, so there is nothing to keep."""
        return {}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """There is nothing to restore."""

    def described(self) -> dict[str, Any]:
        """Kind and options as plain values."""
        return {"kind": self.kind, **{each.name: _plain(getattr(self, each.name)) for each in dataclasses.fields(self)}}


@named_arguments
@dataclass(frozen=True)
class Gaussian(Given):
    """A concentration that falls off from a centre as exp(-r^2 / (2 width^2)).

    Attributes:
        name: of the substance.
        peak: by how much the centre exceeds the background [unit]; negative for a dip.
        width: standard deviation [mm].
        centre: x, y, z [mm].
        background: far from the centre [unit].
        unit: one of `UNITS`.

    Raises:
        ConfigError: for what is not a number, no width, or a value below the least that its unit allows.

    Limitations: it does not spread with time, and nobody consumes it.
    """

    kind: ClassVar[str] = "gaussian"

    name: str
    peak: float
    width: float
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    background: float = 0.0
    unit: str = "mM"

    def __post_init__(self) -> None:
        where, least = _named(self.name, self.unit)
        background = _value(self.background, where, "background", self.unit, least)
        peak = number(self.peak, where, "peak", self.unit, low=-_LARGEST, high=_LARGEST)
        if background + peak < least:
            total = f"{background + peak:g} {self.unit}"
            raise ConfigError(f"{where}: background and peak make {total} at the centre; {_at_least(self.unit)}")
        width = number(self.width, where, "width", "mm", high=_FARTHEST)
        if width <= 0.0:
            raise ConfigError(f"{where}: 'width' = {width:g} mm must be positive")
        centre = numbers(self.centre, where, "centre", 3, "mm", most=_FARTHEST)
        _set(self, background=background, peak=peak, width=width, centre=centre)

    def at(self, points: np.ndarray, time: float) -> np.ndarray:
        """Value [unit] at points (..., 3) [mm], shape (...); the same at any time."""
        squares = np.square(np.asarray(points, float) - self.centre).sum(axis=-1)
        return self.background + self.peak * np.exp(-squares / (2.0 * self.width**2))


@named_arguments
@dataclass(frozen=True)
class Bath(Given):
    """A bath that is the same everywhere and whose concentration changes at given times.

    Attributes:
        name: of the substance.
        steps: each the time [ms] from which on a value [unit] holds, the first at 0, in order of time.
        unit: one of `UNITS`.

    Raises:
        ConfigError: for what is not a number, no step at 0, times out of order, or a value below the least that its
            unit allows.

    Limitations: the bath is exchanged at once, everywhere.
    """

    kind: ClassVar[str] = "bath"

    name: str
    steps: tuple[tuple[float, float], ...]
    unit: str = "mM"

    def __post_init__(self) -> None:
        where, least = _named(self.name, self.unit)
        if isinstance(self.steps, (str, bytes)) or not isinstance(self.steps, Sequence) or not self.steps:
            wanted = f"a list of [time in ms, value in {self.unit}]"
            raise ConfigError(f"{where}: 'steps' must be {wanted}, got {shorten(repr(self.steps))}")
        steps = []
        for each in self.steps:
            time, value = numbers(each, where, "steps", 2)
            number(time, where, "time of a step", "ms", low=0.0, high=_LONGEST)
            steps.append((time, _value(value, where, "value of a step", self.unit, least)))
        times = [time for time, _ in steps]
        if times[0] != 0.0:
            raise ConfigError(f"{where}: the first of 'steps' is at {times[0]:g} ms; give the value from 0 ms on")
        if any(later <= earlier for earlier, later in zip(times, times[1:], strict=False)):
            raise ConfigError(f"{where}: the times of 'steps' must rise, got {shorten(times)} ms")
        _set(self, steps=tuple(steps))

    def at(self, points: np.ndarray, time: float) -> np.ndarray:
        """Value [unit] at points (..., 3) [mm] and a time [ms], shape (...)."""
        value = self.steps[0][1]
        for start, following in self.steps[1:]:
            if start > time:
                break
            value = following
        return np.full(np.shape(points)[:-1], value)


def field_of(table: Mapping[str, Any], where: str) -> Field:
    """The field that a table describes.

    Args:
        table: `kind`, one of those in registry.csv, and its options.
        where: words for the place of the table, for messages.

    Raises:
        ConfigError: for an unknown kind or key, a key that is missing, or a value that the field refuses.
    """
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where}: a field is a table with a kind and a name, got {shorten(repr(table))}")
    options = dict(table)
    kind = options.pop("kind", None)
    kinds = registered("field")
    if kind is None:
        raise ConfigError(f"{where}: a field needs a kind: {' or '.join(kinds)}")
    if not isinstance(kind, str) or kind not in kinds:
        raise ConfigError(f"{where}: {unknown('kind of field', kind, kinds)}")
    made = find("field", kind)
    known = {each.name: each for each in dataclasses.fields(made)}
    for key in options:
        if key not in known:
            raise ConfigError(f"{where}: {unknown(f'key of a {kind}', key, known)}")
    for name, each in known.items():
        if each.default is dataclasses.MISSING and name not in options:
            raise ConfigError(f"{where}: a {kind} needs '{name}'")
    try:
        return made(**options)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def check_fields(given: object) -> tuple[Field, ...]:
    """Fields of one arena.

    Raises:
        ConfigError: for what is not a list of fields, or two of one name.
    """
    if not isinstance(given, (list, tuple)):
        raise ConfigError(f"arena: fields is a list of fields such as Gaussian or Bath, got {shorten(repr(given))}")
    names: set[str] = set()
    for each in given:
        if isinstance(each, type) or not isinstance(each, Field):
            raise ConfigError(f"arena: {shorten(repr(each))} is not a field; give Gaussian, Bath or one of your own")
        _named(each.name, each.unit)
        if each.name in names:
            raise ConfigError(f"arena: two fields are named '{each.name}'; an arena holds one of each substance")
        names.add(each.name)
    return tuple(given)


def _named(name: object, unit: object) -> tuple[str, float]:
    """Words for a field in messages, and the least value in its unit."""
    if not isinstance(name, str) or not re.fullmatch("[A-Za-z0-9_-]+", name):
        raise ConfigError(f"field: name {shorten(repr(name))} must be a word of letters, digits, '_' and '-'")
    if not isinstance(unit, str) or unit not in UNITS:
        raise ConfigError(f"field '{name}': {unknown('unit', unit, UNITS)}")
    return f"field '{name}'", UNITS[unit]


def _value(value: object, where: str, what: str, unit: str, least: float) -> float:
    exact = number(value, where, what, unit, low=-math.inf, high=_LARGEST)
    if exact < least:
        raise ConfigError(f"{where}: '{what}' = {exact:g} {unit}; {_at_least(unit)}")
    return exact


def _at_least(unit: str) -> str:
    return "a concentration cannot be negative" if unit == "mM" else f"nothing is below {UNITS[unit]:g} {unit}"


def _set(field: object, **values: object) -> None:
    for name, value in values.items():
        object.__setattr__(field, name, value)


def _plain(value: object) -> object:
    return [_plain(each) for each in value] if isinstance(value, tuple) else value
