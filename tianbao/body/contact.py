"""Contacts in a step, with obstacles, other worms and the worm itself, as half-spaces for every ring.

A ring of a worm is treated as a ball around its centre, a body as a chain of capsules through its rings. Everything
within reach of a ring's surface gives it one half-space, in which its outer vertices must stay:
the tangent plane of an obstacle at the point nearest to the ring, or the plane between two
segments of worms, so that each stays on its side independently of the other's motion.
Only the segment nearest to the ring among its neighbours counts: one half-space per contact.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..backend import array, ti, view
from ..environment.obstacles import Dish, Lattice, Obstacle, Pillar, Plane, SignedDistance
from ..errors import ConfigError
from . import contact_kernels as kernels
from .compiled_contacts import CompiledContacts
from .kernels import FRICTION, OFFSET, PLANES
from .lattice_kernels import WIDTH, columns

REACH = 0.03
SKIP = 6
# Rest length of a slab of the adult [mm].
SPACING = 1.0 / 48.0
# A pillar that covers more cells than this is tested by every ring.
_MOST_CELLS = 4096
# Where ghosts are that are not near: further than any worm gets [mm].
_NOWHERE = 1e7


class ContactFinder:
    """Finds the possible contacts of each ring of each worm, once per step.

    Half-spaces are valid for one step, in which a worm must not move further than the reach.

    Attributes:
        reach: distance from a ring's surface within which contacts are found [mm].
        radii: of every ring's surface at rest [mm], shape (rings,).
        obstacles: their number.
        others: whether worms can touch each other.
        own: slabs between parts of one worm that can touch, 0 where none can.
        apart: whether no worm is within reach of another or of itself in the coming step, as far as is known.

    Limitations: contacts are detected at the centres of rings, so that pillars thinner than the length of a
    slab can pass between two rings; a worm's thickness is that at rest. Each of two worms is pushed through its own
    vertices at the plane between them. The forces are equal if they lie side by side, but the forces on a nose
    and on the flank it touches differ by a factor of up to two, and by more until a contact is steady.
    """

    def __init__(
        self,
        obstacles: Sequence[Obstacle],
        worms: int,
        radii: np.ndarray,
        *,
        reach: float = REACH,
        spacing: float = SPACING,
        skip: int = SKIP,
        worms_touch: bool = True,
        self_contact: bool = True,
        friction: float = 0.0,
        ghosts: int = 0,
    ) -> None:
        """
        Args:
            obstacles: in the arena.
            worms: number of worms.
            ghosts: further worms, whose rings others move and `place_ghosts` tells.
            radii: of every ring's surface at rest [mm], shape (rings,).
            reach: distance from a ring's surface within which contacts are found [mm].
            spacing: of the rings at rest [mm]; a worm stretched beyond twice its length may be missed.
            skip: slabs between parts of one worm that can touch.
            worms_touch: whether worms can touch each other.
            self_contact: whether a worm can touch itself.
            friction: coefficient between worms [-].

        Raises:
            ConfigError: for an unknown kind of obstacle, or values out of range.
        """
        radii = np.array(radii, float)
        if worms < 1 or radii.ndim != 1 or len(radii) < 2:
            raise ConfigError(f"contact: {worms} worms of radii {radii.shape} cannot touch; give one and (rings,)")
        if not (np.isfinite(radii).all() and (radii > 0.0).all()):
            raise ConfigError("contact: the radii of the rings must be positive numbers")
        for name, value in {"reach": reach, "spacing": spacing, "friction": friction}.items():
            if not (np.isfinite(value) and (value > 0.0 or (name == "friction" and value == 0.0))):
                raise ConfigError(f"contact: {name} = {value:g} must be a positive number")
        if skip < 1:
            raise ConfigError(f"contact: skip = {skip} lets a slab touch itself; give 1 or more slabs")
        self.reach = float(reach)
        self.radii, self.obstacles = radii, len(obstacles)
        self._shape, self._worms, self.ghosts = (int(worms) + ghosts, len(radii)), int(worms), ghosts
        others, own = worms_touch and worms + ghosts > 1, self_contact and len(radii) > skip + 1
        self.others, self.own = others, skip if own else 0
        sought = self._shape[0] * -(-(len(radii) - 1) // kernels.BUNCH) if others or own else 0
        buckets = _power_of_two(sought)
        facts = np.zeros(kernels.RADII)
        facts[[kernels.LIMIT, kernels.THICKEST, kernels.BETWEEN]] = reach, radii.max(), friction
        facts[kernels.CELL] = 2.0 * radii.max() + reach + kernels.BUNCH * spacing
        head = np.zeros(kernels.HEAD, int)
        alone = 0 if others and own else 1 if own else 2
        head[[kernels.SOUGHT, kernels.TABLE, kernels.APART, kernels.ALONE]] = sought, buckets, skip, alone
        head[kernels.MOVED] = worms
        self.apart = False
        self._compiled: CompiledContacts | None = None
        self._place(list(obstacles), facts, head)
        self._sought = sought
        self._facts = array(np.concatenate([facts, radii]))
        self._bunches = ti.ndarray(ti.f64, shape=(sought + 1, 4))
        self._partners = ti.ndarray(ti.f64, shape=(*self._shape, PLANES))
        self._centres, self._drift = (ti.ndarray(ti.f64, shape=(*self._shape, 3)) for _ in range(2))
        self._table = ti.ndarray(ti.i32, shape=(buckets + 1 + (kernels.RECORD + 2) * sought,))
        if ghosts:
            self.place_ghosts(np.zeros((0, len(radii), 2, 3)))

    def place_ghosts(self, rings: np.ndarray) -> None:
        """Says where the rings of ghosts are in the step to come; those not mentioned are nowhere.

        Args:
            rings: centres [mm] and their velocities in the last step [mm/s], shape (ghosts, rings, 2, 3).
        """
        first, end = self._worms, self._worms + len(rings)
        centres, drift = view(self._centres), view(self._drift)
        centres[first:end], drift[first:end] = rings[:, :, 0], rings[:, :, 1]
        centres[end:], drift[end:] = _NOWHERE, 0.0

    def rings(self, positions: ti.ndarray, origin: np.ndarray, velocities: ti.ndarray) -> np.ndarray:
        """Where the rings are and how they move, as `place_ghosts` takes them, shape (worms, rings, 2, 3)."""
        kernels.locate(positions, origin, velocities, self._centres, self._drift)
        return np.stack([view(each)[: self._worms] for each in (self._centres, self._drift)], axis=2)

    def _place(self, obstacles: list, facts: np.ndarray, head: np.ndarray) -> None:
        """Sorts obstacles into those tested by every ring (lattices among them), pillars by cell, and solids."""
        for each in obstacles:
            if not isinstance(each, Obstacle):
                known = "Plane, Pillar, Lattice, Dish or SignedDistance"
                raise ConfigError(f"contact: {type(each).__name__} is not an obstacle; give {known}")
        self._solids = [each for each in obstacles if isinstance(each, SignedDistance)]
        self._given = np.zeros((len(self._solids), *self._shape, kernels.GAP + 1))
        rows = np.array([_row(each) for each in obstacles if not isinstance(each, SignedDistance)]).reshape(-1, WIDTH)
        pillars = rows[:, kernels.KIND] == kernels.PILLAR
        around = rows[:, kernels.RADIUS] + self.radii.max() + self.reach
        facts[kernels.STONES] = cell = 2.0 * np.median(around[pillars]) if pillars.any() else 1.0
        # The border of a cell must be the same in numpy and in the kernel.
        around = (around * (1.0 + 1e-6) + 1e-6)[:, None]
        axis = rows[:, kernels.POINT : kernels.POINT + 2]
        low, high = (np.floor((axis + side * around) / cell).astype(np.int64) for side in (-1, 1))
        width = high - low + 1
        sorted_in = pillars & (width.prod(axis=1) <= _MOST_CELLS)
        chosen = np.concatenate([np.flatnonzero(~sorted_in), np.flatnonzero(sorted_in)])
        head[kernels.EVERYWHERE] = first = np.count_nonzero(~sorted_in)
        index, head[kernels.BUCKETS] = _hashed(low[chosen[first:]], width[chosen[first:]], first)
        index[: head[kernels.BUCKETS] + 1] += kernels.HEAD
        self._index = array(np.concatenate([head, index]).astype(np.int32))
        self._obstacles = array(rows[chosen] if len(rows) else np.zeros((1, WIDTH)))

    def compile(self, x: ti.ndarray, section: ti.ndarray, planes: ti.ndarray, count: ti.ndarray) -> None:
        """From now on compiled C finds obstacles and weighs contacts, for these arrays.

        Args:
            x: positions of the vertices in the frame of their worm [mm], shape (worms, vertices, 3).
            section: weights of the vertices of a ring, see observe.section_weights.
            planes: see find.
            count: see find.

        Raises:
            ConfigError: if they are not in the memory of the processor.
            MechanismError: see compiler.compiled.
        """
        self._compiled = CompiledContacts(
            section.shape[0], x=x, section=section, facts=self._facts, obstacles=self._obstacles, index=self._index,
            planes=planes, partners=self._partners, count=count,
        )  # fmt: skip

    def predict_contacts(
        self, positions: ti.ndarray, origin: np.ndarray, velocities: ti.ndarray, seconds: float, planes: ti.ndarray,
        count: ti.ndarray,
    ) -> None:  # fmt: skip
        """Writes the half-spaces of a step, with those between worms predicted for the end of the step.

        If they were left at the start of the step, they would lag behind worms that push each other, and slow them
        down: they therefore move with the mean velocity of the two worms in the last step.

        Args:
            positions: of the vertices in the frame of their worm [mm], shape (worms, vertices, 3), the outer ones
                last in each ring.
            origin: of each worm's frame [mm], shape (worms, 3).
            velocities: of the last step [mm/s], same shape.
            seconds: length of the step [s].
            planes: see find; offsets count from each worm's origin.
            count: see find.
        """
        # Obstacles and offsets always by the same code: worms far away must not change the last bits.
        if self._compiled:
            self._compiled.find(origin)
            if self._solids or not self.apart:
                kernels.locate(positions, origin, velocities, self._centres, self._drift)
                self._find_others(self._centres, planes, count)
        else:
            kernels.locate(positions, origin, velocities, self._centres, self._drift)
            self.find(self._centres, planes, count)
        if self._sought and not self.apart:
            kernels.carry(self._drift, seconds, planes, count, self._partners)
        if self._compiled:
            self._compiled.localise(origin)
        else:
            kernels.localise(planes, count, origin)

    def find(self, centres: np.ndarray, planes: ti.ndarray, count: ti.ndarray) -> None:
        """Writes the half-spaces of every ring, nearest first; those between worms in the middle of their gap.

        Args:
            centres: of the rings [mm], shape (worms, rings, 3), float64, of numpy or the device.
            planes: filled; columns unit normal, offset [mm], friction coefficient, shape
                (worms, rings, PLANES, 5). Free space is where normal . x >= offset.
            count: filled; how many of them are in use, int32, shape (worms, rings).

        Raises:
            ConfigError: for centres of the wrong shape, or a signed distance that returns one.
        """
        if tuple(centres.shape) != (*self._shape, 3):
            raise ConfigError(f"contact: centres have shape {tuple(centres.shape)}; give {(*self._shape, 3)}")
        if isinstance(centres, np.ndarray):
            centres = np.ascontiguousarray(centres, dtype=float)
        kernels.find_obstacles(centres, self._facts, self._obstacles, self._index, planes, count, self._partners)
        self._find_others(centres, planes, count)

    def _find_others(self, centres: np.ndarray, planes: ti.ndarray, count: ti.ndarray) -> None:
        """Adds the half-spaces between worms and those of solids."""
        if self._sought:
            kernels.find_worms(
                centres, self._facts, self._index, self._bunches, self._table, planes, count, self._partners
            )
        if self._solids:
            self._measure(centres if isinstance(centres, np.ndarray) else centres.to_numpy())
            kernels.add(centres, self._given, self.reach, planes, count, self._partners)

    def weigh(
        self, positions: ti.ndarray, section: ti.ndarray, physics: np.ndarray, planes: ti.ndarray, count: ti.ndarray,
        out: np.ndarray,
    ) -> None:  # fmt: skip
        """Writes the force of contacts on every ring and side, as the last step has balanced it.

        Args:
            positions: of the vertices [mm], shape (worms, vertices, 3), in the frames of the half-spaces.
            section: weights of the vertices of a ring, see observe.section_weights.
            physics: constants of the step, see kernels.
            planes: of the step, see find.
            count: see find.
            out: filled [uN], shape (worms, rings, sides), sides as in anatomy/sides.py.
        """
        if self._compiled:
            self._compiled.weigh(physics, out)
            return
        kernels.weigh(section.shape[0], positions, section, planes, count, self._partners, physics, out)

    def _measure(self, centres: np.ndarray) -> None:
        """Half-spaces of the solids, for rings close to them."""
        for solid, given in zip(self._solids, self._given, strict=True):
            distance = solid.distance(centres.reshape(-1, 3)).reshape(self._shape)
            given[..., kernels.GAP] = distance - self.radii
            near = given[..., kernels.GAP] <= self.reach
            if near.any():
                normal = solid.normal(centres[near])
                given[near, :3] = normal
                given[near, OFFSET] = (normal * centres[near]).sum(axis=1) - distance[near]
                given[near, FRICTION] = solid.friction


def _row(obstacle: Plane | Pillar | Lattice | Dish) -> tuple[float, ...]:
    """Columns of an obstacle, see kernels.KIND."""
    if isinstance(obstacle, Plane):
        first = (kernels.PLANE, *obstacle.point, *obstacle.normal)
    elif isinstance(obstacle, Pillar):
        first = (kernels.PILLAR, obstacle.x, obstacle.y, 0.0, obstacle.radius, 0.0, 0.0)
    elif isinstance(obstacle, Lattice):
        return (
            kernels.LATTICE, *obstacle.origin, 0.0, obstacle.radius, 0.0, 0.0, obstacle.friction, *columns(obstacle)
        )  # fmt: skip
    else:
        first = (kernels.DISH, *obstacle.centre, 0.0, obstacle.radius, 0.0, 0.0)
    return (*first, obstacle.friction, *np.zeros(WIDTH - len(first) - 1))


def _hashed(low: np.ndarray, width: np.ndarray, first: int) -> tuple[np.ndarray, int]:
    """Table of rectangles of cells: the start of each bucket, then their contents; number of buckets.

    Args:
        low: first cell of each rectangle in x and y, shape (n, 2).
        width: cells in x and y, shape (n, 2).
        first: number of the first rectangle.
    """
    if not len(low):
        return np.ones(1, np.int64), 0
    cells = width.prod(axis=1)
    buckets, which = _power_of_two(2 * int(cells.sum())), np.repeat(np.arange(len(low)), cells)
    inside = np.arange(len(which)) - np.repeat(np.cumsum(cells) - cells, cells)
    across, up = low[which].T + np.array([inside % width[which, 0], inside // width[which, 0]])
    bucket = (across + kernels.ROW * up) & (buckets - 1)
    held, which = np.divmod(np.unique(bucket * len(low) + which), len(low))
    starts = buckets + 1 + np.searchsorted(held, np.arange(buckets + 1))
    return np.concatenate([starts, first + which]), buckets


def _power_of_two(least: int) -> int:
    """The smallest power of two that is at least this, and at least two."""
    return 1 << max(least - 1, 1).bit_length()
