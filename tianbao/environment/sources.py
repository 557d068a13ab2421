"""Fields that follow from where a substance comes from: exact solutions of diffusion, at every point and time.

Amounts are in nmol, lengths in mm: 1 nmol/mm3 is 1 mM. Nothing here is stepped, so that mass is kept as well as the
formula is evaluated, however long a run takes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..arguments import named_arguments
from ..errors import ConfigError, shorten, unknown
from ..rows import finite, number, numbers, read_rows
from ..units import MS_PER_S
from .fields import FARTHEST, LARGEST, LONGEST, Given, fill, identified, positive, value_of
from .places import checked_places, middles_of, squared, summed

TABLE = Path(__file__).with_name("diffusion.csv")

_MOST_AMOUNT = 1e9  # [nmol], [nmol/s]
_FASTEST = 1e6  # [mm/s], [mm2/s]
_SLOW = 0.15  # [-] share of the squared width of a basin over which images converge faster than cosines
_TERMS = 4  # of either series on each side; the first one left out is below 1e-16 of the mean


@cache
def diffusion_constants(path: Path = TABLE) -> dict[tuple[str, str], float]:
    """Diffusion constants [mm2/s] by substance and medium.

    Raises:
        ConfigError: for a value that is not a number.
    """
    return {
        (row["substance"], row["medium"]): finite(row["value"], where, "value", row["unit"])
        for where, row in read_rows(path)
    }


@named_arguments
@dataclass(frozen=True)
class Gradient(Given):
    """A value that rises evenly along a direction, between a lowest and a highest.

    Attributes:
        name: of what it is, such as "temperature".
        value: at `point` [unit].
        slope: rise per length along `direction` [unit/mm].
        low, high: where it stops to fall and to rise [unit].
        direction: x, y, z, of any length [-].
        point: x, y, z [mm].
        unit: one of `UNITS`.

    Raises:
        ConfigError: for what is not a number, no direction, a value that is not within low and high, or one that its
            unit does not allow.

    Limitations: it does not change with time.
    """

    kind: ClassVar[str] = "gradient"

    name: str
    value: float
    slope: float
    low: float
    high: float
    direction: tuple[float, float, float] = (1.0, 0.0, 0.0)
    point: tuple[float, float, float] = (0.0, 0.0, 0.0)
    unit: str = "mM"

    def __post_init__(self) -> None:
        where = identified(self.name, self.unit)
        value, low, high = (value_of(getattr(self, each), where, each, self.unit) for each in ("value", "low", "high"))
        if not low <= value <= high:
            ends = f"'low' = {low:g} to 'high' = {high:g} {self.unit}"
            raise ConfigError(f"{where}: 'value' = {value:g} {self.unit} lies outside of {ends}")
        slope = number(self.slope, where, "slope", f"{self.unit}/mm", low=-LARGEST, high=LARGEST)
        direction = numbers(self.direction, where, "direction", 3, most=FARTHEST)
        if not any(direction):
            raise ConfigError(f"{where}: 'direction' has no length; give x, y, z, such as [1.0, 0.0, 0.0]")
        point = numbers(self.point, where, "point", 3, "mm", most=FARTHEST)
        fill(self, value=value, slope=slope, low=low, high=high, direction=direction, point=point)

    def at(self, points: np.ndarray, time: float) -> np.ndarray:
        """Value [unit] at points (..., 3) [mm], shape (...); the same at any time."""
        along = (np.asarray(points, float) - self.point) @ np.divide(self.direction, math.hypot(*self.direction))
        return np.clip(self.value + self.slope * along, self.low, self.high)


@named_arguments
@dataclass(frozen=True)
class Drop(Given):
    """A drop that was put down before the run and spreads by diffusion: M / (4 pi D t)^(n/2) exp(-r^2 / (4 D t)).

    Attributes:
        name: of the substance.
        amount: in the drop [nmol].
        age: since it was put down, at the start of the run [s].
        depth: of the layer in which it spreads and has mixed from top to bottom (n = 2) [mm]; infinite for a drop that
            spreads to all sides (n = 3).
        centre: x, y, z [mm]; in a layer, z does not count.
        places: of several sources, each x, y, z from `centre` [mm] and, if given, its share of `amount`, else 1; one at
            `centre` if empty.
        background: without the drop [mM].
        diffusion: constant [mm2/s]; or "water" or "air", to take that of the substance from diffusion.csv.

    Raises:
        ConfigError: for what is not a number or not positive, a negative background, or a substance without a row.

    Limitations: the layer has no edge, and a point was all the drop covered; `Basin` has walls and a width.
    """

    kind: ClassVar[str] = "drop"
    unit: ClassVar[str] = "mM"

    name: str
    amount: float
    age: float
    depth: float = math.inf
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    background: float = 0.0
    diffusion: float | str = "water"
    places: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        where = identified(self.name, self.unit)
        fill(
            self,
            amount=positive(self.amount, where, "amount", "nmol", most=_MOST_AMOUNT),
            age=positive(self.age, where, "age", "s", most=LONGEST),
            depth=positive(self.depth, where, "depth", "mm", endless=True),
            centre=numbers(self.centre, where, "centre", 3, "mm", most=FARTHEST),
            background=value_of(self.background, where, "background", self.unit),
            diffusion=_diffusion(self.diffusion, where, self.name),
            places=checked_places(self.places, where),
        )
        fill(self, _sources=middles_of(self.centre, self.places))

    def at(self, points: np.ndarray, time: float) -> np.ndarray:
        """Concentration [mM] at points (..., 3) [mm] and a time [ms], shape (...)."""
        spread = 4.0 * self.diffusion * (self.age + time / MS_PER_S)
        if math.isinf(self.depth):
            middle, axes = self.amount / (math.pi * spread) ** 1.5, 3
        else:
            middle, axes = self.amount / (math.pi * spread * self.depth), 2

        def of_one(away: np.ndarray) -> np.ndarray:
            """Of one drop."""
            return middle * np.exp(squared(away[..., :axes]) / -spread)

        return self.background + summed(points, *self._sources, of_one)


@named_arguments
@dataclass(frozen=True)
class Plume(Given):
    """A point that gives off a substance for ever, in an even flow: q / (4 pi D r) exp(-U (r - x) / (2 D)).

    r is the distance from the source, x the way downstream, U the speed; in still medium it is q / (4 pi D r).

    Attributes:
        name: of the substance.
        strength: given off [nmol/s].
        radius: of the source [mm]; nearer to its centre, r is taken as this, so that the value stays finite.
        flow: velocity of the medium, x, y, z [mm/s].
        centre: of the source, x, y, z [mm].
        places: of several sources, each x, y, z from `centre` [mm] and, if given, its share of `strength`, else 1; one
            at `centre` if empty.
        background: far away [mM].
        diffusion: constant [mm2/s]; or "water" or "air", to take that of the substance from diffusion.csv.

    Raises:
        ConfigError: for what is not a number or not positive, a negative background, or a substance without a row.

    Limitations: it is steady, as if it had always been there, and has all space; it does not follow `Arena.flow`, which
    has to be given the same velocity.
    """

    kind: ClassVar[str] = "plume"
    unit: ClassVar[str] = "mM"

    name: str
    strength: float
    radius: float
    flow: tuple[float, float, float] = (0.0, 0.0, 0.0)
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    background: float = 0.0
    diffusion: float | str = "water"
    places: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        where = identified(self.name, self.unit)
        fill(
            self,
            strength=positive(self.strength, where, "strength", "nmol/s", most=_MOST_AMOUNT),
            radius=positive(self.radius, where, "radius", "mm"),
            flow=numbers(self.flow, where, "flow", 3, "mm/s", most=_FASTEST),
            centre=numbers(self.centre, where, "centre", 3, "mm", most=FARTHEST),
            background=value_of(self.background, where, "background", self.unit),
            diffusion=_diffusion(self.diffusion, where, self.name),
            places=checked_places(self.places, where),
        )
        fill(self, _sources=middles_of(self.centre, self.places))

    def at(self, points: np.ndarray, time: float) -> np.ndarray:
        """Concentration [mM] at points (..., 3) [mm], shape (...); the same at any time."""

        def of_one(away: np.ndarray) -> np.ndarray:
            """Of one source."""
            far = np.maximum(np.sqrt(squared(away)), self.radius)
            lag = math.hypot(*self.flow) * far - away @ np.array(self.flow)
            return self.strength / (4.0 * math.pi * self.diffusion * far) * np.exp(-lag / (2.0 * self.diffusion))

        return self.background + summed(points, *self._sources, of_one)


@named_arguments
@dataclass(frozen=True)
class Basin(Given):
    """Drops in a rectangular layer whose walls let nothing through: each spreads, meets the walls and is held by them.

    Attributes:
        name: of the substance.
        size: along x and along y [mm].
        depth: of the layer, mixed from top to bottom [mm].
        drops: each the time when it is put down [ms], x and y [mm] and its amount [nmol]; a time before 0 is before
            the run.
        width: standard deviation of a drop when it is put down [mm].
        centre: of the basin, x and y [mm].
        background: without the drops [mM].
        diffusion: constant [mm2/s]; or "water" or "air", to take that of the substance from diffusion.csv.

    Raises:
        ConfigError: for what is not a number or not positive, no drop, a drop outside of the walls, a negative
            background, or a substance without a row.

    Limitations: outside of the walls it is what it is at the nearest place inside. A drop that is put down within a
    few widths of a wall has its part beyond the wall folded back.
    """

    kind: ClassVar[str] = "basin"
    unit: ClassVar[str] = "mM"

    name: str
    size: tuple[float, float]
    depth: float
    drops: tuple[tuple[float, float, float, float], ...]
    width: float
    centre: tuple[float, float] = (0.0, 0.0)
    background: float = 0.0
    diffusion: float | str = "water"

    def __post_init__(self) -> None:
        where = identified(self.name, self.unit)
        size = tuple(positive(each, where, "size", "mm") for each in numbers(self.size, where, "size", 2, "mm"))
        centre = numbers(self.centre, where, "centre", 2, "mm", most=FARTHEST)
        if isinstance(self.drops, (str, bytes)) or not isinstance(self.drops, Sequence) or not self.drops:
            wanted = "a list of [time in ms, x in mm, y in mm, amount in nmol]"
            raise ConfigError(f"{where}: 'drops' must be {wanted}, got {shorten(repr(self.drops))}")
        drops = tuple(numbers(each, where, "drops", 4, most=LONGEST) for each in self.drops)
        for _, x, y, amount in drops:
            positive(amount, where, "amount of a drop", "nmol", most=_MOST_AMOUNT)
            if any(abs(at - middle) > 0.5 * long for at, middle, long in zip((x, y), centre, size, strict=True)):
                raise ConfigError(f"{where}: a drop at {x:g}, {y:g} mm lies outside of the walls of the basin")
        fill(
            self, size=size, centre=centre, drops=drops,
            depth=positive(self.depth, where, "depth", "mm"),
            width=positive(self.width, where, "width", "mm"),
            background=value_of(self.background, where, "background", self.unit),
            diffusion=_diffusion(self.diffusion, where, self.name),
        )  # fmt: skip

    def at(self, points: np.ndarray, time: float) -> np.ndarray:
        """Concentration [mM] at points (..., 3) [mm] and a time [ms], shape (...)."""
        corner = np.subtract(self.centre, np.multiply(0.5, self.size))
        inside = np.clip(np.asarray(points, float)[..., :2] - corner, 0.0, self.size)
        value = np.full(inside.shape[:-1], self.background)
        for start, *place, amount in self.drops:
            if start > time:
                continue
            # A Gaussian is a point that has spread since before it was put down.
            spread = 0.5 * self.width**2 + self.diffusion * (time - start) / MS_PER_S
            shares = [_between_walls(inside[..., k], place[k] - corner[k], self.size[k], spread) for k in (0, 1)]
            value += amount / self.depth * shares[0] * shares[1]
        return value


def _between_walls(x: np.ndarray, source: float, long: float, spread: float) -> np.ndarray:
    """What has become of a unit at a point between two walls [1/mm].

    Args:
        x: where, 0 to `long` [mm], shape (...).
        source: where the point was [mm].
        long: from wall to wall [mm].
        spread: diffusion constant times time [mm2].

    Returns:
        Shape (...).
    """
    terms = range(1, _TERMS + 1)
    if spread > _SLOW * long**2:
        waves = [math.pi * n / long for n in terms]
        cosines = (math.cos(k * source) * math.exp(-spread * k**2) * np.cos(k * x) for k in waves)
        return (1.0 + 2.0 * sum(cosines)) / long
    # Mirror images of the point in both walls, and their images in turn.
    images = [side * source + 2.0 * n * long for n in range(-_TERMS, _TERMS + 1) for side in (1.0, -1.0)]
    return sum(np.exp(-np.square(x - at) / (4.0 * spread)) for at in images) / math.sqrt(4.0 * math.pi * spread)


def _diffusion(given: object, where: str, name: str) -> float:
    """A diffusion constant [mm2/s] that is given, or that of a substance in the medium that is given."""
    if not isinstance(given, str):
        return positive(given, where, "diffusion", "mm2/s", most=_FASTEST)
    known = diffusion_constants()
    media = list(dict.fromkeys(medium for _, medium in known))
    if given not in media:
        raise ConfigError(f"{where}: 'diffusion' is a number in mm2/s or a medium: {unknown('medium', given, media)}")
    if (name, given) not in known:
        substances = ", ".join(substance for substance, medium in known if medium == given)
        todo = f"give 'diffusion' in mm2/s; known are {substances}"
        raise ConfigError(f"{where}: its diffusion constant in {given} is not in {TABLE.name}; {todo}")
    return known[name, given]
