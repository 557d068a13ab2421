"""What the worms can touch in a step: obstacles, each other and themselves, as half-spaces of every ring.

A ring of a worm is a ball around its centre, a body the chain of capsules through its rings. All that
comes within reach of a ring's surface gives it one half-space, which its outer vertices must stay in:
the tangent plane of an obstacle at the point nearest to the ring, and between two stretches of worm the
plane in the middle of their gap, so that each stays on its side though neither knows where the other goes.

Candidates come from two grids of cells in x and y, hashed into tables: one of the pillars, made once, and
one of the worms' segments, sorted afresh each step. Every number has one writer, and candidates are
visited in a fixed order: the same bits for any number of threads. Units: mm.
"""
# Annotations are read at run time by the kernel compiler: no postponed evaluation here.

from collections.abc import Sequence

import numpy as np

from .. import backend
from ..backend import ti
from ..environment.obstacles import Dish, Obstacle, Pillar, Plane, SignedDistance
from ..errors import ConfigError
from .kernels import FRICTION, OFFSET, PLANES

REACH = 0.03
SKIP = 6
# Rest length of a slab of the adult [mm].
SPACING = 1.0 / 48.0

# Columns of an obstacle: what it is, point [mm], normal, or radius [mm] instead, friction coefficient.
KIND, POINT, NORMAL, RADIUS, SLIDING = 0, 1, 4, 4, 7
PLANE, PILLAR, DISH = range(3)
# Columns of a half-space found elsewhere: those of a plane, then its gap from the ring [mm].
GAP = 5
# Facts of a finder: reach, cells of pillars and of segments, largest ring, slab [mm], friction; then the radii.
LIMIT, STONES, CELL, THICKEST, SLAB, BETWEEN, RADII = range(7)
# Head of its index: obstacles that concern every ring, buckets of pillars, segments of worms to look for,
# buckets for these, slabs between parts that touch, and whether only a worm's own segments count (1), only
# others' (2) or both (0); then where each bucket of pillars starts in the index, then the pillars in them.
EVERYWHERE, BUCKETS, SOUGHT, TABLE, APART, ALONE, HEAD = range(7)
# A segment sorted by its cell: the cell, its worm, its number in it.
ACROSS, UP, WORM, SEGMENT, RECORD = range(5)

# Segments on either side among which a segment must be nearest: one half-space for each place of contact.
_STRETCH = 3
_TIE = 1e-9
_BEYOND = 1e-3
_NOWHERE = 1e-9
_ROW = 40503
_MOST_CELLS = 4096

R1 = ti.types.ndarray(dtype=ti.f64, ndim=1)
R2 = ti.types.ndarray(dtype=ti.f64, ndim=2)
R3 = ti.types.ndarray(dtype=ti.f64, ndim=3)
R4 = ti.types.ndarray(dtype=ti.f64, ndim=4)
I1 = ti.types.ndarray(dtype=ti.i32, ndim=1)
I2 = ti.types.ndarray(dtype=ti.i32, ndim=2)
T = ti.template()
Vec3 = ti.types.vector(3, ti.f64)


@ti.func
def _centre(centres: T, worm, ring):
    return Vec3(centres[worm, ring, 0], centres[worm, ring, 1], centres[worm, ring, 2])


@ti.func
def _cell(x, size):
    return ti.cast(ti.floor(x / size), ti.i32)


@ti.func
def _bucket(across, up, buckets):
    """Place of a cell in a table; buckets is a power of two, cells of a row follow each other."""
    return (across + _ROW * up) & (buckets - 1)


@ti.func
def _offer(planes: T, count: T, c, n, offset, friction, worm, ring):
    """Keeps a half-space if it is among the nearest, in order of their distance from the ring's centre."""
    held, place = count[worm, ring], 0
    for k in range(held):
        other = Vec3(planes[worm, ring, k, 0], planes[worm, ring, k, 1], planes[worm, ring, k, 2])
        if other.dot(c) - planes[worm, ring, k, OFFSET] <= n.dot(c) - offset:
            place = k + 1
    if place < PLANES:
        last = ti.min(held, PLANES - 1)
        for back in range(last - place):
            for i in ti.static(range(FRICTION + 1)):
                planes[worm, ring, last - back, i] = planes[worm, ring, last - back - 1, i]
        for i in ti.static(range(3)):
            planes[worm, ring, place, i] = n[i]
        planes[worm, ring, place, OFFSET] = offset
        planes[worm, ring, place, FRICTION] = friction
        count[worm, ring] = last + 1


@ti.func
def _meet_obstacle(obstacles: T, k, c, furthest, planes: T, count: T, worm, ring):
    """Offers the tangent plane of an obstacle at the point nearest to a ring."""
    kind = obstacles[k, KIND]
    n = Vec3(obstacles[k, NORMAL], obstacles[k, NORMAL + 1], obstacles[k, NORMAL + 2])
    away = c - Vec3(obstacles[k, POINT], obstacles[k, POINT + 1], obstacles[k, POINT + 2])
    distance = n.dot(away)
    if kind != PLANE:
        away[2] = 0.0
        far = away.norm()
        n = ti.select(far > _NOWHERE, away / ti.max(far, _NOWHERE), Vec3(1.0, 0.0, 0.0))
        distance = far - obstacles[k, RADIUS]
        if kind == DISH:
            n, distance = -n, -distance
    if distance <= furthest:
        _offer(planes, count, c, n, n.dot(c) - distance, obstacles[k, SLIDING], worm, ring)


@ti.func
def _nearest(centres: T, worm, segment, c):
    """Where a segment of a worm is nearest to a point, as a share of its length, and the vector from there."""
    a = _centre(centres, worm, segment)
    e = _centre(centres, worm, segment + 1) - a
    share = ti.min(ti.max((c - a).dot(e) / ti.max(e.norm_sqr(), 1e-30), 0.0), 1.0)
    return share, c - a - share * e


@ti.func
def _is_least(centres: T, other, segment, c, share, d):
    """Whether no segment nearby is nearer to a point; of two as near it is the one towards the head."""
    least = True
    segments, square = centres.shape[1] - 1, d.norm_sqr()
    # Most are not, and see it by the slope at the end they share with the next.
    if share == 1.0 and segment + 1 < segments:
        e = _centre(centres, other, segment + 2) - _centre(centres, other, segment + 1)
        least = d.dot(e) <= _BEYOND * e.norm_sqr()
    if share == 0.0 and segment > 0:
        e = _centre(centres, other, segment - 1) - _centre(centres, other, segment)
        least = d.dot(e) <= _BEYOND * e.norm_sqr()
    for o in range(1, _STRETCH + 1):
        if least and segment >= o:
            _, before = _nearest(centres, other, segment - o, c)
            least = before.norm_sqr() > square * (1.0 + _TIE)
        if least and segment + o < segments:
            _, after = _nearest(centres, other, segment + o, c)
            least = after.norm_sqr() >= square * (1.0 - _TIE)
    return least


@ti.func
def _aside(centres: T, other, segment, first):
    """Level direction across a segment, for a ring that sits on it: opposite for the two that meet."""
    e = _centre(centres, other, segment + 1) - _centre(centres, other, segment)
    n = Vec3(-e[1], e[0], 0.0)
    length = n.norm()
    n = ti.select(length > _NOWHERE, n / ti.max(length, _NOWHERE), Vec3(1.0, 0.0, 0.0))
    return ti.select(first, n, -n)


@ti.func
def _meet_segment(centres: T, facts: T, other, segment, c, radius, planes: T, count: T, worm, ring):
    """Offers the plane in the middle of the gap between a ring and a segment."""
    share, d = _nearest(centres, other, segment, c)
    there = facts[RADII + segment] + share * (facts[RADII + segment + 1] - facts[RADII + segment])
    distance = d.norm()
    near = distance <= radius + there + facts[LIMIT]
    if near:
        near = _is_least(centres, other, segment, c, share, d)
    if near:
        n = d / ti.max(distance, _NOWHERE)
        if distance <= _NOWHERE:
            n = _aside(centres, other, segment, worm < other or (worm == other and ring <= segment))
        # From the ring's centre to the middle of the gap.
        middle = 0.5 * (distance + radius - there)
        _offer(planes, count, c, n, n.dot(c) - middle, facts[BETWEEN], worm, ring)


@ti.func
def _look_around(
    centres: T, facts: T, c, radius, table, starts: T, records: T, apart, alone, planes: T, count: T, worm, ring
):  # fmt: skip
    """Meets the segments in the cells around a ring."""
    span = radius + facts[THICKEST] + facts[LIMIT] + facts[SLAB]
    left, right = _cell(c[0] - span, facts[CELL]), _cell(c[0] + span, facts[CELL])
    for up in range(_cell(c[1] - span, facts[CELL]), _cell(c[1] + span, facts[CELL]) + 1):
        for across in range(left, right + 1):
            b = _bucket(across, up, table)
            for k in range(starts[b], starts[b + 1]):
                other, segment = records[k, WORM], records[k, SEGMENT]
                wanted = records[k, ACROSS] == across and records[k, UP] == up
                if other == worm:
                    wanted = wanted and alone != 2 and (segment >= ring + apart or segment < ring - apart)
                else:
                    wanted = wanted and alone != 1
                if wanted:
                    _meet_segment(centres, facts, other, segment, c, radius, planes, count, worm, ring)


@ti.kernel
def _find(
    centres: R3, facts: R1, obstacles: R2, index: I1, starts: I1, records: I2, planes: R4, count: I2
):  # fmt: skip
    """Half-spaces of all rings, the nearest first; starts and records are scratch, the segments by bucket."""
    segments = centres.shape[1] - 1
    ti.loop_config(serialize=True)
    for b in range(ti.min(index[SOUGHT], 1) * (index[TABLE] + 1)):
        starts[b] = 0
    ti.loop_config(serialize=True)
    for k in range(index[SOUGHT]):
        worm, segment = k // segments, k % segments
        middle = 0.5 * (_centre(centres, worm, segment) + _centre(centres, worm, segment + 1))
        across, up = _cell(middle[0], facts[CELL]), _cell(middle[1], facts[CELL])
        # Kept behind the records until these are sorted.
        records[index[SOUGHT] + k, ACROSS], records[index[SOUGHT] + k, UP] = across, up
        starts[_bucket(across, up, index[TABLE])] += 1
    ti.loop_config(serialize=True)
    for b in range(ti.min(index[SOUGHT], 1) * index[TABLE]):
        starts[b + 1] += starts[b]
    # Filled from the back, so that each bucket's end becomes its start.
    ti.loop_config(serialize=True)
    for back in range(index[SOUGHT]):
        k = index[SOUGHT] - 1 - back
        across, up = records[index[SOUGHT] + k, ACROSS], records[index[SOUGHT] + k, UP]
        b = _bucket(across, up, index[TABLE])
        place = starts[b] - 1
        starts[b] = place
        records[place, ACROSS], records[place, UP] = across, up
        records[place, WORM], records[place, SEGMENT] = k // segments, k % segments
    ti.loop_config(serialize=backend.serial)
    for worm, ring in ti.ndrange(centres.shape[0], centres.shape[1]):
        c, radius = _centre(centres, worm, ring), facts[RADII + ring]
        count[worm, ring] = 0
        for k in range(index[EVERYWHERE]):
            _meet_obstacle(obstacles, k, c, radius + facts[LIMIT], planes, count, worm, ring)
        if index[BUCKETS] > 0:
            b = HEAD + _bucket(_cell(c[0], facts[STONES]), _cell(c[1], facts[STONES]), index[BUCKETS])
            for place in range(index[b], index[b + 1]):
                _meet_obstacle(obstacles, index[place], c, radius + facts[LIMIT], planes, count, worm, ring)
        if index[SOUGHT] > 0:
            _look_around(
                centres, facts, c, radius, index[TABLE], starts, records, index[APART], index[ALONE], planes, count,
                worm, ring,
            )  # fmt: skip


@ti.kernel
def _add(centres: R3, given: R4, reach: ti.f64, planes: R4, count: I2):
    """Half-spaces found elsewhere, shape (sources, worms, rings, 6), among those there are."""
    ti.loop_config(serialize=backend.serial)
    for worm, ring in ti.ndrange(count.shape[0], count.shape[1]):
        c = _centre(centres, worm, ring)
        for k in range(given.shape[0]):
            if given[k, worm, ring, GAP] <= reach:
                n = Vec3(given[k, worm, ring, 0], given[k, worm, ring, 1], given[k, worm, ring, 2])
                _offer(planes, count, c, n, given[k, worm, ring, OFFSET], given[k, worm, ring, FRICTION], worm, ring)


class ContactFinder:
    """Finds once a step what each ring of each worm can touch.

    Half-spaces hold for one step: a worm must not move further than the reach in it.

    Limitations: a place of contact is felt at the rings' centres, so that pillars and worms thinner than
    a slab is long can pass between two rings; a worm's thickness is that at rest.
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
    ) -> None:
        """
        Args:
            obstacles: what stands in the arena.
            worms: number of worms.
            radii: of every ring's surface at rest [mm], shape (rings,).
            reach: distance from a ring's surface within which things are found [mm].
            spacing: of the rings at rest; one stretched beyond twice that may be missed [mm].
            skip: slabs between parts of one worm that can touch.
            worms_touch: whether worms feel each other.
            self_contact: whether a worm feels itself.
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
        self._radii = radii
        self._shape = (int(worms), len(radii))
        others, own = worms_touch and worms > 1, self_contact and len(radii) > skip + 1
        sought = worms * (len(radii) - 1) if others or own else 0
        table = _power_of_two(sought)
        facts = np.zeros(RADII)
        facts[[LIMIT, THICKEST, SLAB, BETWEEN]] = reach, radii.max(), spacing, friction
        facts[CELL] = 2.0 * radii.max() + reach + spacing
        head = np.zeros(HEAD, int)
        head[[SOUGHT, TABLE, APART, ALONE]] = sought, table, skip, 0 if others and own else 1 if own else 2
        self._place(list(obstacles), facts, head)
        self._facts = _device(np.concatenate([facts, radii]))
        self._records = ti.ndarray(ti.i32, shape=(2 * max(sought, 1), RECORD))
        self._starts = ti.ndarray(ti.i32, shape=(table + 1,))

    def _place(self, obstacles: list, facts: np.ndarray, head: np.ndarray) -> None:
        """Sorts obstacles into those that every ring asks for, pillars by cell, and solids."""
        for each in obstacles:
            if not isinstance(each, Obstacle):
                raise ConfigError(
                    f"contact: {type(each).__name__} is no obstacle; give Plane, Pillar, Dish or SignedDistance"
                )
        self._solids = [each for each in obstacles if isinstance(each, SignedDistance)]
        self._given = np.zeros((len(self._solids), *self._shape, GAP + 1))
        rows = np.array([_row(each) for each in obstacles if not isinstance(each, SignedDistance)]).reshape(-1, 8)
        pillars = rows[:, KIND] == PILLAR
        around = rows[:, RADIUS] + self._radii.max() + self.reach
        facts[STONES] = cell = 2.0 * np.median(around[pillars]) if pillars.any() else 1.0
        # A cell's border must be the same to numpy and to the kernel.
        around = around * (1.0 + 1e-6) + 1e-6
        low, high = (np.floor((rows[:, POINT : POINT + 2] + sign * around[:, None]) / cell) for sign in (-1, 1))
        spread = np.prod(high - low + 1.0, axis=1)
        sorted_in = pillars & (spread <= _MOST_CELLS)
        wide = np.flatnonzero(~sorted_in)
        chosen = np.concatenate([wide, np.flatnonzero(sorted_in)])
        buckets = _power_of_two(2 * int(spread[sorted_in].sum())) if sorted_in.any() else 0
        head[[EVERYWHERE, BUCKETS]] = len(wide), buckets
        held: list[set[int]] = [set() for _ in range(buckets)]
        for k in range(len(wide), len(chosen)):
            (left, down), (right, top) = low[chosen[k]].astype(int), high[chosen[k]].astype(int)
            for up in range(down, top + 1):
                for across in range(left, right + 1):
                    held[(across + _ROW * up) & (buckets - 1)].add(k)
        starts = HEAD + buckets + 1 + np.cumsum([0, *map(len, held)])
        entries = [k for each in held for k in sorted(each)]
        self._index = _device(np.concatenate([head, starts, entries]).astype(np.int32))
        self._obstacles = _device(rows[chosen] if len(rows) else np.zeros((1, 8)))

    def find(self, centres: np.ndarray, planes: ti.ndarray, count: ti.ndarray) -> None:
        """Writes the half-spaces of every ring, nearest first.

        Args:
            centres: of the rings [mm], shape (worms, rings, 3), float64, of numpy or the device.
            planes: filled; columns unit normal, offset [mm], friction coefficient, shape
                (worms, rings, PLANES, 5). Free space is where normal . x >= offset.
            count: filled; how many of them are in use, int32, shape (worms, rings).

        Raises:
            ConfigError: for centres of the wrong shape, or a signed distance that gives one.
        """
        if tuple(centres.shape) != (*self._shape, 3):
            raise ConfigError(f"contact: centres have shape {tuple(centres.shape)}; give {(*self._shape, 3)}")
        _find(
            centres, self._facts, self._obstacles, self._index, self._starts, self._records, planes, count
        )  # fmt: skip
        if self._solids:
            self._measure(centres if isinstance(centres, np.ndarray) else centres.to_numpy())
            _add(centres, self._given, self.reach, planes, count)

    def _measure(self, centres: np.ndarray) -> None:
        """Half-spaces of the solids, for the rings near them."""
        for solid, given in zip(self._solids, self._given, strict=True):
            distance = solid.distance(centres.reshape(-1, 3)).reshape(self._shape)
            given[..., GAP] = distance - self._radii
            near = given[..., GAP] <= self.reach
            if near.any():
                normal = solid.normal(centres[near])
                given[near, :3] = normal
                given[near, OFFSET] = (normal * centres[near]).sum(axis=1) - distance[near]
                given[near, FRICTION] = solid.friction


def _row(obstacle: Plane | Pillar | Dish) -> tuple[float, ...]:
    """Columns of an obstacle, see KIND."""
    if isinstance(obstacle, Plane):
        return (PLANE, *obstacle.point, *obstacle.normal, obstacle.friction)
    if isinstance(obstacle, Pillar):
        return (PILLAR, obstacle.x, obstacle.y, 0.0, obstacle.radius, 0.0, 0.0, obstacle.friction)
    return (DISH, *obstacle.centre, 0.0, obstacle.radius, 0.0, 0.0, obstacle.friction)


def _power_of_two(least: int) -> int:
    """The first power of two that is no less, and no less than two."""
    return 1 << max(least - 1, 1).bit_length()


def _device(values: np.ndarray) -> ti.ndarray:
    values = np.ascontiguousarray(values)
    array = ti.ndarray(ti.i32 if values.dtype == np.int32 else ti.f64, shape=values.shape)
    array.from_numpy(values)
    return array
