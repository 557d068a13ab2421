"""What fills an arena and can be sensed or eaten: concentrations, temperature, gases, food.

A field has a value at every point and time. Two are here, both given once and for all: a Gaussian around a source, as
on an assay plate some time after a drop was put down, and a bath that is the same everywhere and is exchanged at given
times, as in a microfluidic chip. sources.py has those that follow from where a substance comes from, lawn.py the food
that worms eat. A field of your own needs no more than the methods of `Field`.
"""

from __future__ import annotations

import dataclasses
import math
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from ..arguments import named_arguments
from ..errors import ConfigError, shorten, unknown
from ..registry import find, registered
from ..rows import number, numbers
from .places import checked_places, middles_of, squared, summed

UNITS = {"mM": 0.0, "degC": -273.15, "%": 0.0, "ug/mm2": 0.0}
"""Units that a field may have, and the smallest value in each: concentration, temperature, share of a gas by volume
(oxygen, carbon dioxide), wet mass of bacteria on a surface (food)."""

LARGEST = 1e6  # of a value, in its unit
FARTHEST = 1e6  # of a length [mm]
LONGEST = 1e12  # of a time [ms]
_MOST = {"%": 100.0}


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
class Described:
    """A field whose options are those of a table of TOML."""

    kind: ClassVar[str]

    def described(self) -> dict[str, Any]:
        """Kind and options as plain values."""
        return {"kind": self.kind, **{each.name: _plain(getattr(self, each.name)) for each in dataclasses.fields(self)}}


@dataclass(frozen=True)
class Given(Described):
    """A field that follows from place and time alone, and that no worm changes."""

    def step(self, duration: float, midline: np.ndarray) -> None:
        """Nothing happens to a field that is given once and for all."""

    def state(self) -> dict[str, np.ndarray]:
        """Nothing changes, so there is nothing to keep."""
        return {}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """There is nothing to restore."""


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
        places: of several sources, each x, y, z from `centre` [mm] and, if given, its share of `peak`, else 1; one at
            `centre` if empty.

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
    places: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        where = identified(self.name, self.unit)
        background = value_of(self.background, where, "background", self.unit)
        peak = number(self.peak, where, "peak", self.unit, low=-LARGEST, high=LARGEST)
        if wrong := _wrong(background + peak, self.unit):
            total = f"{background + peak:g} {self.unit}"
            raise ConfigError(f"{where}: background and peak make {total} at the centre; {wrong}")
        width = positive(self.width, where, "width", "mm")
        centre = numbers(self.centre, where, "centre", 3, "mm", most=FARTHEST)
        places = checked_places(self.places, where)
        sources = middles_of(centre, places)
        fill(self, background=background, peak=peak, width=width, centre=centre, places=places, _sources=sources)
        if places:
            values = self.at(sources[0], 0.0)
            worst = float(values[np.argmax(np.abs(values - background))])
            if wrong := _wrong(worst, self.unit):
                raise ConfigError(f"{where}: background and places make {worst:g} {self.unit} at one of them; {wrong}")

    def at(self, points: np.ndarray, time: float) -> np.ndarray:
        """Value [unit] at points (..., 3) [mm], shape (...); the same at any time."""

        def of_one(away: np.ndarray) -> np.ndarray:
            """Of one source."""
            return self.peak * np.exp(squared(away) / (-2.0 * self.width**2))

        return self.background + summed(points, *self._sources, of_one)


@named_arguments
@dataclass(frozen=True)
class Ring(Given):
    """A concentration along a circle, such as a repellent that was drawn on agar: exp(-(r - radius)^2 / (2 width^2)).

    Attributes:
        name: of the substance.
        peak: by how much the circle exceeds the background [unit].
        radius: of the circle [mm].
        width: standard deviation across it [mm].
        centre: x, y of its middle [mm]; it is the same at every height.
        background: far from the circle [unit].
        unit: one of `UNITS`.

    Raises:
        ConfigError: for what is not a number, no radius or width, or a value below the least that its unit allows.

    Limitations: it does not spread with time.
    """

    kind: ClassVar[str] = "ring"

    name: str
    peak: float
    radius: float
    width: float
    centre: tuple[float, float] = (0.0, 0.0)
    background: float = 0.0
    unit: str = "mM"

    def __post_init__(self) -> None:
        where = identified(self.name, self.unit)
        background = value_of(self.background, where, "background", self.unit)
        peak = number(self.peak, where, "peak", self.unit, low=0.0, high=LARGEST)
        radius, width = (positive(getattr(self, name), where, name, "mm") for name in ("radius", "width"))
        centre = numbers(self.centre, where, "centre", 2, "mm", most=FARTHEST)
        fill(self, background=background, peak=peak, radius=radius, width=width, centre=centre)

    def at(self, points: np.ndarray, time: float) -> np.ndarray:
        """Value [unit] at points (..., 3) [mm], shape (...); the same at any time."""
        away = np.linalg.norm(np.asarray(points, float)[..., :2] - self.centre, axis=-1)
        return self.background + self.peak * np.exp(-np.square(away - self.radius) / (2.0 * self.width**2))


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
        where = identified(self.name, self.unit)
        if isinstance(self.steps, (str, bytes)) or not isinstance(self.steps, Sequence) or not self.steps:
            wanted = f"a list of [time in ms, value in {self.unit}]"
            raise ConfigError(f"{where}: 'steps' must be {wanted}, got {shorten(repr(self.steps))}")
        steps = []
        for each in self.steps:
            time, value = numbers(each, where, "steps", 2)
            number(time, where, "time of a step", "ms", low=0.0, high=LONGEST)
            steps.append((time, value_of(value, where, "value of a step", self.unit)))
        times = [time for time, _ in steps]
        if times[0] != 0.0:
            raise ConfigError(f"{where}: the first of 'steps' is at {times[0]:g} ms; give the value from 0 ms on")
        if any(later <= earlier for earlier, later in zip(times, times[1:], strict=False)):
            raise ConfigError(f"{where}: the times of 'steps' must rise, got {shorten(times)} ms")
        fill(self, steps=tuple(steps))

    def at(self, points: np.ndarray, time: float) -> np.ndarray:
        """Value [unit] at points (..., 3) [mm] and a time [ms], shape (...)."""
        latest = max(0, bisect_right(self._starts, time) - 1)
        return np.full(np.shape(points)[:-1], self.steps[latest][1])

    @cached_property
    def _starts(self) -> list[float]:
        """Times of the steps [ms]."""
        return [start for start, _ in self.steps]


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
        raise ConfigError(f"{where}: a field needs a kind: one of {', '.join(kinds)}")
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
            raise ConfigError(f"arena: {shorten(repr(each))} is not a field; give Gaussian, Lawn or one of your own")
        identified(each.name, each.unit)
        if each.name in names:
            raise ConfigError(f"arena: two fields are named '{each.name}'; an arena holds one of each substance")
        names.add(each.name)
    return tuple(given)


def identified(name: object, unit: object) -> str:
    """Words for a field in messages.

    Raises:
        ConfigError: for a name that is not one word, or an unknown unit.
    """
    if not isinstance(name, str) or not re.fullmatch("[A-Za-z0-9_-]+", name):
        raise ConfigError(f"field: name {shorten(repr(name))} must be a word of letters, digits, '_' and '-'")
    if not isinstance(unit, str) or unit not in UNITS:
        raise ConfigError(f"field '{name}': {unknown('unit', unit, UNITS)}")
    return f"field '{name}'"


def value_of(value: object, where: str, what: str, unit: str) -> float:
    """A value that a field of this unit can have.

    Raises:
        ConfigError: for what is not a number, or is below the least or above the most that the unit allows.
    """
    exact = number(value, where, what, unit, low=-math.inf, high=LARGEST)
    if wrong := _wrong(exact, unit):
        raise ConfigError(f"{where}: '{what}' = {exact:g} {unit}; {wrong}")
    return exact


def positive(
    value: object, where: str, what: str, unit: str, *, most: float = FARTHEST, endless: bool = False
) -> float:
    """A number above 0; or infinity, if `endless`.

    Raises:
        ConfigError: for anything else.
    """
    exact = number(value, where, what, unit, high=most, endless=endless)
    if exact <= 0.0:
        raise ConfigError(f"{where}: '{what}' = {exact:g} {unit} must be positive")
    return exact


def fill(field: object, **values: object) -> None:
    """Set attributes of a frozen field while it is made."""
    vars(field).update(values)


def _wrong(value: float, unit: str) -> str:
    """Why a value cannot be, "" if it can."""
    if value < UNITS[unit]:
        return "a concentration cannot be negative" if unit == "mM" else f"nothing is below {UNITS[unit]:g} {unit}"
    return f"nothing is above {_MOST[unit]:g} {unit}" if value > _MOST.get(unit, math.inf) else ""


def _plain(value: object) -> object:
    return [_plain(each) for each in value] if isinstance(value, tuple) else value
