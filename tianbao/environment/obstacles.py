"""Obstacles in an arena: walls, pillars, dishes and any solid with a signed distance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ..arguments import named_arguments
from ..errors import ConfigError, unknown
from .lattice import LATTICES, Lattice
from .lengths import checked_number, checked_vector, settle

# Step of the central differences of a signed distance [mm]: far above round-off 1 m from the origin.
_DIFFERENCE = 1e-5
_MOST_PILLARS = 1_000_000


@named_arguments
@dataclass(frozen=True)
class Plane:
    """A flat wall or floor; the normal points into free space.

    Attributes:
        point: any point on it [mm].
        normal: out of the wall, of any length; stored as a unit vector.
        friction: coefficient of sliding friction [-].

    Raises:
        ConfigError: for a vector that is not three numbers, a zero normal or a negative friction.
    """

    point: tuple[float, float, float]
    normal: tuple[float, float, float]
    friction: float = 0.0

    def __post_init__(self) -> None:
        settle(self, "point", checked_vector("plane", "point", self.point, 3))
        normal = checked_vector("plane", "normal", self.normal, 3)
        length = math.hypot(*normal)
        if length == 0.0:
            raise ConfigError("plane: normal = (0, 0, 0) has no direction; give the one out of the wall")
        settle(self, "normal", tuple(each / length for each in normal))
        settle(self, "friction", checked_number("plane", "friction", self.friction))


@named_arguments
@dataclass(frozen=True)
class Pillar:
    """A vertical cylinder without ends.

    Attributes:
        x: of its axis [mm].
        y: of its axis [mm].
        radius: [mm].
        friction: coefficient of sliding friction [-].

    Raises:
        ConfigError: for a value that is not a number, a radius that is not positive or a negative friction.

    Limitations: a pillar thinner than the spacing of a worm's rings can pass between two of them.
    """

    x: float
    y: float
    radius: float
    friction: float = 0.0

    def __post_init__(self) -> None:
        x, y = checked_vector("pillar", "x, y", (self.x, self.y), 2)
        settle(self, "x", x)
        settle(self, "y", y)
        settle(self, "radius", checked_number("pillar", "radius", self.radius, positive=True))
        settle(self, "friction", checked_number("pillar", "friction", self.friction))


@named_arguments
@dataclass(frozen=True)
class Dish:
    """The inside of a vertical cylinder without ends.

    Attributes:
        radius: [mm].
        centre: x and y of its axis [mm].
        friction: coefficient of sliding friction [-].

    Raises:
        ConfigError: for a value that is not a number, a radius that is not positive or a negative friction.

    Limitations: treated as flat at the scale of a ring, so it must be much wider than the worm is thick.
    """

    radius: float
    centre: tuple[float, float] = (0.0, 0.0)
    friction: float = 0.0

    def __post_init__(self) -> None:
        settle(self, "radius", checked_number("dish", "radius", self.radius, positive=True))
        settle(self, "centre", checked_vector("dish", "centre", self.centre, 2))
        settle(self, "friction", checked_number("dish", "friction", self.friction))


@named_arguments
@dataclass(frozen=True)
class SignedDistance:
    """Any solid given by the distance from its surface.

    Attributes:
        function: from points, shape (n, 3), to distances, positive outside, shape (n,) [mm].
        friction: coefficient of sliding friction [-].

    Raises:
        ConfigError: if it is not a function, or for a negative friction.

    Limitations: called in Python once per step, and again around the rings that are close.
    """

    function: Callable[[np.ndarray], np.ndarray]
    friction: float = 0.0

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise ConfigError("signed distance: function must take points (n, 3) and give distances (n,)")
        settle(self, "friction", checked_number("signed distance", "friction", self.friction))

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Distance of points, shape (n, 3), from the surface [mm], shape (n,).

        Raises:
            ConfigError: if the function returns another shape.
        """
        distance = np.asarray(self.function(points), float)
        if not np.isfinite(distance).all():
            raise ConfigError("signed distance: function returned values that are not finite numbers")
        if distance.shape != points.shape[:1]:
            raise ConfigError(
                f"signed distance: function returned shape {distance.shape} for {len(points)} points; "
                f"give ({len(points)},)"
            )
        return distance

    def normal(self, points: np.ndarray) -> np.ndarray:
        """Unit vectors away from the surface, or up if the gradient of the distance vanishes, shape (n, 3)."""
        shifts = _DIFFERENCE * np.concatenate([np.eye(3), -np.eye(3)])
        around = self.distance((points + shifts[:, None]).reshape(-1, 3)).reshape(6, -1)
        slope = (around[:3] - around[3:]).T
        length = np.linalg.norm(slope, axis=1, keepdims=True)
        known = length > 1e-6 * _DIFFERENCE
        return np.where(known, slope / np.where(known, length, 1.0), (0.0, 0.0, 1.0))


Obstacle: TypeAlias = Plane | Pillar | Lattice | Dish | SignedDistance


@named_arguments
def pillar_array(
    radius: float,
    pitch: float,
    extent: tuple[float, float],
    lattice: str = "hexagonal",
    centre: tuple[float, float] = (0.0, 0.0),
    friction: float = 0.0,
) -> list[Pillar]:
    """A regular field of pillars, row by row from small y and x.

    Args:
        radius: of a pillar [mm].
        pitch: distance between the axes of neighbours [mm].
        extent: width and height of the rectangle that holds all axes [mm].
        lattice: "square" or "hexagonal"; every other row of the latter is shifted by half the pitch.
        centre: of the field [mm].
        friction: coefficient of sliding friction [-].

    Raises:
        ConfigError: for an unknown lattice, values out of range, pillars that overlap or more than a million.
    """
    if lattice not in LATTICES:
        raise ConfigError(unknown("lattice", lattice, LATTICES))
    radius = checked_number("pillar array", "radius", radius, positive=True)
    pitch = checked_number("pillar array", "pitch", pitch, positive=True)
    width, height = (
        checked_number("pillar array", "extent", each) for each in checked_vector("pillar array", "extent", extent, 2)
    )
    x, y = checked_vector("pillar array", "centre", centre, 2)
    if pitch < 2.0 * radius:
        raise ConfigError(
            f"pillar array: pillars of radius {radius:g} mm overlap at pitch {pitch:g} mm; widen the pitch"
        )
    rise = pitch if lattice == "square" else pitch * math.sqrt(0.75)
    # The row with most pillars has one at each end of its width; round-off must not lose the last one.
    columns, rows = (math.floor(span + 1e-9) + 1 for span in (width / pitch, height / rise))
    if columns * rows > _MOST_PILLARS:
        raise ConfigError(f"pillar array: {columns * rows} pillars are too many; widen the pitch")
    shift = 0.0 if lattice == "square" else 0.5
    # Both kinds of rows have the same number if half a pitch is left at the ends; otherwise shifted rows have one less.
    roomy = shift == 0.0 or (columns - 0.5) * pitch <= width * (1.0 + 1e-9)
    found = []
    for row in range(rows):
        odd = row % 2 == 1 and shift > 0.0
        count = columns if roomy or not odd else columns - 1
        first = -0.5 * (columns - 1) - (0.5 * shift if roomy else 0.0) + (shift if odd else 0.0)
        up = y + (row - 0.5 * (rows - 1)) * rise
        found += [Pillar(x + (first + column) * pitch, up, radius, friction) for column in range(count)]
    return found
