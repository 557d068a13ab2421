"""Food that worms eat and that runs out: round lawns of bacteria, with a grid under them and nowhere else."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..arguments import named_arguments
from ..errors import ConfigError, shorten
from ..rows import named_values, number, numbers
from ..units import MS_PER_S
from .fields import FARTHEST, LARGEST, Described, fill, identified, positive, value_of
from .tiles import Tiles

_FEEDING = named_values(Path(__file__).with_name("feeding.csv"))
_MS_PER_H = 3600.0 * MS_PER_S
_MOST_CELLS = 2_000_000
_FARTHEST = 1e9  # [cells] from the centre, beyond any lawn


@named_arguments
@dataclass(frozen=True)
class Lawn(Described):
    """A round lawn of bacteria on a surface, or patches of it; what worms eat within reach of their mouths is gone.

    A mouth takes up rate x density / (density + half), the density being the mean within its reach. Worms whose reaches
    overlap share in proportion to what each would take. What is left and what was eaten add up to what there was.

    Attributes:
        name: of the food.
        radius: of the lawn, or of every patch [mm].
        density: wet mass of bacteria on the surface [ug/mm2]; 1 ug/mm2 is about 1 um thick, a layer of single cells.
        centre: x, y and the height z of the surface [mm].
        rate: the most that a worm eats [ug/h].
        half: density at which it eats half of that [ug/mm2].
        reach: of a mouth [mm]; nothing is eaten by one that is farther above or below the surface.
        spacing: of the grid [mm].
        patches: x and y of the middle of each patch from `centre` [mm]; one round lawn around `centre` if empty. Where
            patches overlap there is no more food than in one.

    Raises:
        ConfigError: for what is not a number or not positive, a reach shorter than 0.71 of the spacing, or more than
            two million cells under the lawn or its patches.

    Memory follows the area of the patches, however far they lie apart.

    Limitations: bacteria do not grow, move or stick to worms, and the grid does not reach beyond the lawn. The value
    at a point is that of the surface below or above it. Every worm eats all the time at a rate that depends on density
    only: there is no pumping that its neurons could stop.
    """

    kind: ClassVar[str] = "lawn"
    unit: ClassVar[str] = "ug/mm2"

    name: str
    radius: float
    density: float
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rate: float = _FEEDING["rate"]
    half: float = _FEEDING["half"]
    reach: float = _FEEDING["reach"]
    spacing: float = _FEEDING["spacing"]
    patches: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        where = identified(self.name, self.unit)
        lengths = {each: positive(getattr(self, each), where, each, "mm") for each in ("radius", "reach", "spacing")}
        fill(
            self,
            **lengths,
            density=value_of(self.density, where, "density", self.unit),
            centre=numbers(self.centre, where, "centre", 3, "mm", most=FARTHEST),
            rate=number(self.rate, where, "rate", "ug/h", low=0.0, high=LARGEST),
            half=number(self.half, where, "half", self.unit, low=0.0, high=LARGEST),
        )
        if self.reach < 0.71 * self.spacing:
            todo = "give a spacing of at most 1.4 times the reach, so that a mouth always reaches a cell"
            raise ConfigError(f"{where}: 'reach' = {self.reach:g} mm on a grid of {self.spacing:g} mm; {todo}")
        if isinstance(self.patches, str) or not hasattr(self.patches, "__iter__"):
            raise ConfigError(f"{where}: 'patches' = {shorten(repr(self.patches))} must be a list of x and y in mm")
        fill(self, patches=tuple(numbers(each, where, "patches", 2, "mm", most=FARTHEST) for each in self.patches))
        try:
            tiles, depth = Tiles.under(self.spacing, self.radius, self.patches or ((0.0, 0.0),), _MOST_CELLS)
        except OverflowError as error:
            todo = f"more than {_MOST_CELLS}; give a larger 'spacing'"
            raise ConfigError(f"{where}: 'spacing' = {self.spacing:g} mm makes {error} cells, {todo}") from error
        # Cells lie symmetrically about the centre; those on the edge are filled as far as the lawn covers them.
        covered = np.clip(depth / self.spacing + 0.5, 0.0, 1.0)
        near = math.ceil(self.reach / self.spacing) + 1
        around = np.mgrid[-near : near + 1, -near : near + 1].reshape(2, -1)
        mass = self.density * self.spacing**2 * covered
        fill(self, _tiles=tiles, _around=around, _mass=mass, _eaten=np.zeros(0))

    def __deepcopy__(self, memo: dict) -> Lawn:
        """A whole lawn: a simulation copies what it is given, and begins with what its configuration says."""
        return dataclasses.replace(self)

    @property
    def left(self) -> float:
        """Mass of what is left of the lawn [ug]."""
        return float(self._mass.sum())

    @property
    def eaten(self) -> np.ndarray:
        """Mass that each worm has eaten [ug], shape (worms,); empty before the first step."""
        return self._eaten.copy()

    def depth(self, place: np.ndarray) -> np.ndarray:
        """How deep points lie inside the lawn or a patch of it, eaten or not [mm], negative outside, shape (points,).

        Args:
            place: x and y [mm], shape (points, 2).
        """
        middles = np.asarray(self.patches or ((0.0, 0.0),), float) + self.centre[:2]
        away = np.linalg.norm(np.asarray(place, float)[:, None, :] - middles, axis=2)
        return self.radius - away.min(axis=1)

    def at(self, points: np.ndarray, time: float) -> np.ndarray:
        """Density that is left [ug/mm2] at points (..., 3) [mm], shape (...), linear between the cells; 0 outside."""
        points = np.asarray(points, float)
        place = np.clip((points[..., :2].reshape(-1, 2) - self.centre[:2]) / self.spacing, -_FARTHEST, _FARTHEST)
        before = np.floor(place).astype(np.int64)
        (i, j), (u, v) = before.T, (place - before).T
        corners = self._at(np.stack([i, i, i + 1, i + 1]), np.stack([j, j + 1, j, j + 1]))
        low, high = (1.0 - v) * corners[0::2] + v * corners[1::2]
        return (((1.0 - u) * low + u * high) / self.spacing**2).reshape(points.shape[:-1])

    def _at(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Mass in cells [ug], 0 where there are none, shape of i and j."""
        here = self._tiles.find(i, j)
        return np.where(here < 0, 0.0, self._mass.reshape(-1)[here]) if self._mass.size else np.zeros(i.shape)

    def step(self, duration: float, midline: np.ndarray) -> None:
        """Let every worm eat at its mouth.

        Args:
            duration: [ms].
            midline: of every worm, mouth first [mm], shape (worms, rings, 3).
        """
        if len(self._eaten) != len(midline):
            fill(self, _eaten=np.zeros(len(midline)))
        mass = self._mass.reshape(-1)
        cells, wanted, worms = [], [], []
        for worm, mouth in enumerate(midline[:, 0]):
            near, count = self._near(mouth)
            there = mass[near]
            total = float(there.sum())
            if total <= 0.0:
                continue
            density = total / (count * self.spacing**2)
            bite = min(total, self.rate * duration / _MS_PER_H * density / (density + self.half))
            cells.append(near)
            wanted.append(there * (bite / total))
            worms.append(np.full(len(near), worm))
        if not cells:
            return
        at, which = np.unique(np.concatenate(cells), return_inverse=True)
        each, worm = np.concatenate(wanted), np.concatenate(worms)
        asked = np.bincount(which, each)
        share = np.divide(mass[at], asked, out=np.ones(len(at)), where=asked > mass[at])
        taken = each * share[which]
        self._eaten[:] += np.bincount(worm, taken, len(self._eaten))
        mass[at] = np.maximum(mass[at] - np.bincount(which, taken), 0.0)

    def _near(self, mouth: np.ndarray) -> tuple[np.ndarray, int]:
        """Kept cells within reach of a mouth, as indices into all that are kept, and how many cells are in reach."""
        x, y, z = np.subtract(mouth, self.centre)
        if not (abs(z) <= self.reach and max(abs(x), abs(y)) <= _FARTHEST * self.spacing):
            return np.zeros(0, int), 0
        i, j = self._around[0] + round(x / self.spacing), self._around[1] + round(y / self.spacing)
        close = np.hypot(self.spacing * i - x, self.spacing * j - y) <= self.reach
        here = self._tiles.find(i[close], j[close])
        return here[here >= 0], len(here)

    def state(self) -> dict[str, np.ndarray]:
        """Copies of what is left in each cell [ug] and of what each worm has eaten [ug]."""
        return {"mass": self._mass.copy(), "eaten": self._eaten.copy()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go back to a state."""
        fill(self, _mass=np.array(state["mass"]), _eaten=np.array(state["eaten"]))
