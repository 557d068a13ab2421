"""A lattice of pillars without end: where they stand is computed, so that it takes no memory, however wide it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any

import numpy as np

from ..arguments import named_arguments
from ..errors import ConfigError, shorten, unknown
from .lengths import LARGEST, checked_number, checked_vector, settle

LATTICES = ("square", "hexagonal")
EDGE = 1e-9
"""By how much an area is wider than it is said to be [mm]: round-off must not lose a pillar on its border."""
MIX = (0x85EBCA6B, 0xC2B2AE35)
"""Odd multipliers of the 32-bit finalizer of MurmurHash3 (A. Appleby, public domain)."""
TURN = 0x9E3779B9
"""2^32 over the golden ratio: makes the second number of a cell from the first."""
_LEAST_PITCH = 0.01  # [mm], an eighth of a worm's diameter; a ring looks at every pillar within its reach
_MOST_SEED = 2**32 - 1


@named_arguments
@dataclass(frozen=True)
class Lattice:
    """Equal vertical pillars without ends at all points of a lattice, which fills the plane or an area of it.

    Attributes:
        radius: of a pillar [mm].
        pitch: distance between the axes of neighbours [mm].
        layout: "square" or "hexagonal"; rows lie along x, every other row of the latter is shifted by half the pitch.
        friction: coefficient of sliding friction [-].
        origin: x and y of the axis of one pillar, before it is displaced [mm].
        jitter: the most by which a pillar is displaced [mm]: in x and in y evenly within 1/sqrt(2) of it, by a number
            that follows from its row, its column and the seed alone.
        seed: of the displacements, a whole number of 32 bits.
        within: area outside of which no axis lies: x, y and radius of a circle, or x, y of the middle, width and
            height of a rectangle [mm]; the whole plane if None.
        free: area in which no axis lies, such as the one where worms start; none if None.

    Raises:
        ConfigError: for a value that is not a number or out of range, pillars that overlap, an unknown layout or a
            pitch below 0.01 mm.

    Limitations: nothing stands more than 1 km from the world's origin; pillars that are thinner than the spacing of a
    worm's rings can pass between two of them, as with `Pillar`.
    """

    radius: float
    pitch: float
    layout: str = "hexagonal"
    friction: float = 0.0
    origin: tuple[float, float] = (0.0, 0.0)
    jitter: float = 0.0
    seed: int = 0
    within: tuple[float, ...] | None = None
    free: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.layout, str) or self.layout not in LATTICES:
            raise ConfigError(f"lattice: {unknown('layout', self.layout, LATTICES)}")
        for name in ("radius", "pitch"):
            settle(self, name, checked_number("lattice", name, getattr(self, name), positive=True))
        for name in ("friction", "jitter"):
            settle(self, name, checked_number("lattice", name, getattr(self, name)))
        settle(self, "origin", checked_vector("lattice", "origin", self.origin, 2))
        if self.pitch < _LEAST_PITCH:
            raise ConfigError(f"lattice: pitch = {self.pitch:g} mm is too narrow; give at least {_LEAST_PITCH} mm")
        if self.pitch < 2.0 * (self.radius + self.jitter):
            apart = f", displaced by up to {self.jitter:g} mm," if self.jitter else ""
            todo = "widen the pitch, or give thinner pillars"
            what = f"pillars of radius {self.radius:g} mm{apart} overlap at pitch {self.pitch:g} mm"
            raise ConfigError(f"lattice: {what}; {todo}")
        seed = self.seed
        if isinstance(seed, float) and seed.is_integer():
            seed = int(seed)
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed <= _MOST_SEED:
            raise ConfigError(f"lattice: seed = {shorten(repr(seed))} must be a whole number from 0 to {_MOST_SEED}")
        settle(self, "seed", int(seed))
        for name in ("within", "free"):
            settle(self, name, _area(name, getattr(self, name)))

    @property
    def rise(self) -> float:
        """Distance between rows [mm]."""
        return self.pitch if self.layout == "square" else self.pitch * math.sqrt(0.75)

    @property
    def shift(self) -> float:
        """By how much of the pitch odd rows are shifted along x."""
        return 0.0 if self.layout == "square" else 0.5

    @property
    def side(self) -> float:
        """The most by which a pillar is displaced along x, and along y [mm]."""
        return self.jitter * math.sqrt(0.5)

    def places(self, columns: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where pillars stand.

        Args:
            columns: whole numbers, 0 at the origin, shape (n,).
            rows: likewise.

        Returns:
            x and y of the axes [mm], shape (n, 2), and whether a pillar stands there, shape (n,).
        """
        columns, rows = (np.atleast_1d(each).astype(np.int64) for each in (columns, rows))
        # The same operations in the same order as in body/lattice_kernels.py: both give the same bits.
        x = self.origin[0] + (columns + self.shift * (rows & 1)) * self.pitch
        y = self.origin[1] + rows * self.rise
        if self.side:
            mixed = _mixed(np.full(len(rows), self.seed, np.uint32))
            first = _mixed(columns.astype(np.uint32) ^ _mixed(rows.astype(np.uint32) ^ mixed))
            second = _mixed(first ^ np.uint32(TURN))
            x = x + self.side * (first * 2.0**-31 - 1.0)
            y = y + self.side * (second * 2.0**-31 - 1.0)
        stands = (np.abs(x) <= LARGEST) & (np.abs(y) <= LARGEST)
        if self.within is not None:
            stands &= _inside(self.within, x, y)
        if self.free is not None:
            stands &= ~_inside(self.free, x, y)
        return np.column_stack([x, y]), stands

    def near(self, points: np.ndarray, distance: float) -> np.ndarray:
        """Axes of the pillars that stand near points, row by row from small y and x.

        Args:
            points: x and y [mm], shape (n, 2); what is not finite is left out.
            distance: [mm]; pillars that are at most 1.5 times as far away or so may be there, too.

        Returns:
            x and y [mm], shape (pillars, 2).
        """
        points = np.asarray(points, float).reshape(-1, 2)
        points = points[(np.abs(points) <= LARGEST).all(axis=1)]
        coarse = np.unique(np.floor(points / distance), axis=0)
        cells: set[tuple[int, int]] = set()
        for low in coarse * distance:
            cells.update(self._cells(*(low - distance), *(low + 2.0 * distance)))
        if not cells:
            return np.zeros((0, 2))
        rows, columns = np.array(sorted(cells)).T
        axes, stands = self.places(columns, rows)
        return axes[stands]

    def _cells(self, x0: float, y0: float, x1: float, y1: float) -> list[tuple[int, int]]:
        """Rows and columns of all pillars whose axes may lie in a rectangle."""
        found = []
        spare = self.side + EDGE
        last = math.floor((y1 + spare - self.origin[1]) / self.rise)
        for row in range(math.ceil((y0 - spare - self.origin[1]) / self.rise), last + 1):
            left, right = (x - self.origin[0] - self.shift * (row & 1) * self.pitch for x in (x0 - spare, x1 + spare))
            first, stop = math.ceil(left / self.pitch), math.floor(right / self.pitch) + 1
            found += [(row, column) for column in range(first, stop)]
        return found

    def described(self) -> dict[str, object]:
        """Its options as plain values, areas that are None left out."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value is not None
        }


def lattice_of(table: Mapping[str, Any], where: str) -> Lattice:
    """The lattice that a table describes.

    Args:
        table: options of `Lattice`.
        where: words for the place of the table, for messages.

    Raises:
        ConfigError: for an unknown key, a key that is missing, or a value that the lattice refuses.
    """
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where}: a lattice is a table with radius and pitch, got {shorten(repr(table))}")
    known = {each.name: each for each in fields(Lattice)}
    for key in table:
        if key not in known:
            raise ConfigError(f"{where}: {unknown('key of a lattice', key, known)}")
    for name, each in known.items():
        if each.default is MISSING and name not in table:
            raise ConfigError(f"{where}: a lattice needs '{name}'")
    try:
        return Lattice(**table)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _mixed(value: np.ndarray) -> np.ndarray:
    """Numbers of 32 bits, each bit of which depends on all bits of the given ones, shape (n,)."""
    for shift, factor in zip((16, 13), MIX, strict=True):
        value = (value ^ (value >> np.uint32(shift))) * np.uint32(factor)
    return value ^ (value >> np.uint32(16))


def _area(name: str, value: Sequence[float] | None) -> tuple[float, ...] | None:
    """A circle or a rectangle, as its numbers."""
    if value is None:
        return None
    size = 3 if isinstance(value, (Sequence, np.ndarray)) and len(value) == 3 else 4
    if isinstance(value, str) or not isinstance(value, (Sequence, np.ndarray)) or len(value) not in (3, 4):
        wanted = "x, y, radius of a circle, or x, y, width, height of a rectangle"
        raise ConfigError(f"lattice: {name} = {shorten(repr(value))} must be {wanted} in mm")
    numbers = checked_vector("lattice", name, value, size)
    for what, each in zip(("radius",) if size == 3 else ("width", "height"), numbers[2:], strict=True):
        checked_number("lattice", f"{what} of {name}", each, positive=True)
    return numbers


def _inside(area: tuple[float, ...], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether points lie in an area, shape (n,)."""
    across, up = x - area[0], y - area[1]
    if len(area) == 3:
        return across * across + up * up <= (area[2] + EDGE) ** 2
    return (np.abs(across) <= 0.5 * area[2] + EDGE) & (np.abs(up) <= 0.5 * area[3] + EDGE)
