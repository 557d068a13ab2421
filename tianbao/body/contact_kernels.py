"""Kernels that find the half-spaces of the rings, see contact.py.

Candidates come from two grids of cells in x and y, hashed into tables: one of the pillars, built once, and
one of groups of worm segments, sorted again each step. Every number is written by one thread, and candidates
are visited in a fixed order: results are bit-identical for any number of threads. Units: mm.
"""
# Annotations are read at run time by the kernel compiler: no postponed evaluation here.

from .. import backend
from ..backend import I1, I2, R1, R2, R3, R4, T, Vec3, ti
from . import lattice_kernels as lattices
from .kernels import FRICTION, MARGIN, OFFSET, PLANES, PUSH, half_space, vector
from .mesh import SIDES
from .observe import DORSAL, RIGHT, weighted

# Columns of an obstacle: what it is, point [mm], normal, or radius [mm] instead, friction coefficient.
KIND, POINT, NORMAL, RADIUS, SLIDING = 0, 1, 4, 4, 7
# A lattice has more of them, see lattice_kernels.py.
PLANE, PILLAR, DISH, LATTICE = range(4)
# Columns of a half-space found elsewhere: those of a plane, then its gap from the ring [mm].
GAP = 5
# Facts of a finder: reach, cells of pillars and of segments, largest ring [mm], friction; then the radii.
LIMIT, STONES, CELL, THICKEST, BETWEEN, RADII = range(6)
# Head of its index: obstacles that concern every ring, buckets of pillars, bunches of segments to look for,
# buckets for these, slabs between parts that touch, whether only a worm's own segments count (1), only others' (2) or
# both (0), and the worms whose half-spaces are sought, which come before the ghosts; then where each bucket of pillars
# starts in the index, then the pillars in them.
EVERYWHERE, BUCKETS, SOUGHT, TABLE, APART, ALONE, MOVED, HEAD = range(8)
# A bunch of segments sorted by its cell: the cell, its number.
ACROSS, UP, NUMBER, RECORD = range(4)
# Whose a half-space is if it is no worm's: an obstacle's, or level ground, which is not felt as touch.
NOBODY, GROUND = -1.0, -2.0
LEVEL = 0.999  # vertical component of the normal of level ground, at least

# Segments that are looked for together; what a row of cells is ahead of the one below in a table.
BUNCH = 6
ROW = 40503
# Segments on either side among which a segment must be nearest: one half-space for each place of contact.
_STRETCH = 3
_TIE = 1e-9
_BEYOND = 1e-3
NOWHERE = 1e-9
_STEPS = 2.0**32


@ti.func
def _cell(x, size):
    return ti.cast(ti.floor(x / size), ti.i32)


@ti.func
def _bucket(across, up, buckets):
    """Place of a cell in a table; buckets is a power of two, cells of a row follow each other."""
    return (across + ROW * up) & (buckets - 1)


@ti.func
def _offer(planes: T, count: T, partners: T, c, n, offset, friction, partner, worm, ring):
    """Keeps a half-space if it is among the nearest, ordered by distance from the ring's centre.

    A partner is the position on the chain of all rings that a plane between worms belongs to, otherwise NOBODY or
    GROUND.
    """
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
            partners[worm, ring, last - back] = partners[worm, ring, last - back - 1]
        for i in ti.static(range(3)):
            planes[worm, ring, place, i] = n[i]
        planes[worm, ring, place, OFFSET] = offset
        planes[worm, ring, place, FRICTION] = friction
        partners[worm, ring, place] = partner
        count[worm, ring] = last + 1


@ti.func
def _tangent(x, y, radius, c):
    """Normal towards a ring of the plane that touches a pillar at the point nearest to it, and the distance there."""
    away = Vec3(c[0] - x, c[1] - y, 0.0)
    far = away.norm()
    n = ti.select(far > NOWHERE, away / ti.max(far, NOWHERE), Vec3(1.0, 0.0, 0.0))
    return n, far - radius


@ti.func
def _test_obstacle(obstacles: T, k, c, furthest, planes: T, count: T, partners: T, worm, ring):
    """Offers the tangent plane of an obstacle at the point nearest to a ring."""
    kind = obstacles[k, KIND]
    n = Vec3(obstacles[k, NORMAL], obstacles[k, NORMAL + 1], obstacles[k, NORMAL + 2])
    distance = n.dot(c - Vec3(obstacles[k, POINT], obstacles[k, POINT + 1], obstacles[k, POINT + 2]))
    if kind != PLANE:
        n, distance = _tangent(obstacles[k, POINT], obstacles[k, POINT + 1], obstacles[k, RADIUS], c)
        if kind == DISH:
            n, distance = -n, -distance
    owner = ti.select(kind == PLANE and n[2] > LEVEL, GROUND, NOBODY)
    if distance <= furthest:
        _offer(
            planes, count, partners, c, n, n.dot(c) - distance, obstacles[k, SLIDING], owner, worm, ring
        )  # fmt: skip


@ti.func
def _test_lattice(obstacles: T, k, c, furthest, planes: T, count: T, partners: T, worm, ring):
    """Offers the tangent planes of the pillars of a lattice around a ring, row by row."""
    left, low, reach = obstacles[k, POINT], obstacles[k, POINT + 1], furthest + obstacles[k, RADIUS]
    first, last = lattices.rows(obstacles, k, c[1], reach, low)
    for up in range(first, last + 1):
        start, stop = lattices.row(obstacles, k, c[0], reach, left, up)
        for across in range(start, stop + 1):
            x, y, stands = lattices.place(obstacles, k, left, low, across, up)
            n, distance = _tangent(x, y, obstacles[k, RADIUS], c)
            if stands and distance <= furthest:
                _offer(
                    planes, count, partners, c, n, n.dot(c) - distance, obstacles[k, SLIDING], NOBODY, worm, ring
                )  # fmt: skip


@ti.func
def _nearest(centres: T, worm, segment, c):
    """The point of a segment nearest to a given point, as a share of its length, and the vector from there."""
    a = vector(centres, worm, segment)
    e = vector(centres, worm, segment + 1) - a
    share = ti.min(ti.max((c - a).dot(e) / ti.max(e.norm_sqr(), 1e-30), 0.0), 1.0)
    return share, c - a - share * e


@ti.func
def _is_least(centres: T, other, segment, c, share, d):
    """Whether no neighbouring segment is nearer to a point; of two equally near ones the anterior one counts."""
    least = True
    segments, square = centres.shape[1] - 1, d.norm_sqr()
    # Most are not, as the slope at the end they share with the next one shows.
    if share == 1.0 and segment + 1 < segments:
        e = vector(centres, other, segment + 2) - vector(centres, other, segment + 1)
        least = d.dot(e) <= _BEYOND * e.norm_sqr()
    if share == 0.0 and segment > 0:
        e = vector(centres, other, segment - 1) - vector(centres, other, segment)
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
    """Horizontal direction across a segment, for a ring centred on it: opposite for the two that meet."""
    e = vector(centres, other, segment + 1) - vector(centres, other, segment)
    n = Vec3(-e[1], e[0], 0.0)
    length = n.norm()
    n = ti.select(length > NOWHERE, n / ti.max(length, NOWHERE), Vec3(1.0, 0.0, 0.0))
    return ti.select(first, n, -n)


@ti.func
def _test_segment(centres: T, facts: T, other, segment, c, radius, planes: T, count: T, partners: T, worm, ring):
    """Offers the plane in the middle of the gap between a ring and a segment."""
    share, d = _nearest(centres, other, segment, c)
    there = facts[RADII + segment] + share * (facts[RADII + segment + 1] - facts[RADII + segment])
    distance = d.norm()
    near = distance <= radius + there + facts[LIMIT]
    if near:
        near = _is_least(centres, other, segment, c, share, d)
    if near:
        n = d / ti.max(distance, NOWHERE)
        if distance <= NOWHERE:
            n = _aside(centres, other, segment, worm < other or (worm == other and ring <= segment))
        # From the ring's centre to the middle of the gap.
        middle = 0.5 * (distance + radius - there)
        # In steps that no number of worms rounds, so that it does not matter in whose company they are found.
        place = other * centres.shape[1] + segment + ti.floor(share * _STEPS) / _STEPS
        _offer(planes, count, partners, c, n, n.dot(c) - middle, facts[BETWEEN], place, worm, ring)


@ti.func
def _test_bunch(centres: T, facts: T, bunches: T, mine, theirs, skip, planes: T, count: T, partners: T, worm, other):
    """Tests the segments of one group against the rings of another."""
    rings, per = centres.shape[1], (centres.shape[1] + BUNCH - 2) // BUNCH
    first = theirs % per * BUNCH
    start, end = mine % per * BUNCH, (mine % per + 1) * BUNCH
    if mine % per == per - 1:
        end = rings
    middle, wide = Vec3(bunches[theirs, 0], bunches[theirs, 1], bunches[theirs, 2]), bunches[theirs, 3]
    for ring in range(start, end):
        c, radius = vector(centres, worm, ring), facts[RADII + ring]
        far = wide + radius + facts[THICKEST] + facts[LIMIT]
        if (c - middle).norm_sqr() <= far * far:
            for segment in range(first, ti.min(first + BUNCH, rings - 1)):
                if worm != other or segment >= ring + skip or segment < ring - skip:
                    _test_segment(centres, facts, other, segment, c, radius, planes, count, partners, worm, ring)


@ti.func
def _search_around(centres: T, facts: T, bunches: T, index: T, table: T, mine, planes: T, count: T, partners: T):
    """Tests the groups in the cells around one."""
    buckets, total = index[TABLE], index[SOUGHT]
    worm = mine // (total // centres.shape[0])
    here = Vec3(bunches[mine, 0], bunches[mine, 1], bunches[mine, 2])
    near = bunches[mine, 3] + 2.0 * facts[THICKEST] + facts[LIMIT]
    # One worm that has diverged must not make all others search everywhere.
    span = ti.min(near + bunches[total, 3], 2.0 * facts[CELL])
    left, right = _cell(here[0] - span, facts[CELL]), _cell(here[0] + span, facts[CELL])
    for up in range(_cell(here[1] - span, facts[CELL]), _cell(here[1] + span, facts[CELL]) + 1):
        for across in range(left, right + 1):
            b = _bucket(across, up, buckets)
            for place in range(table[b], table[b + 1]):
                k = buckets + 1 + RECORD * place
                theirs = table[k + NUMBER]
                other = theirs // (total // centres.shape[0])
                wanted = table[k + ACROSS] == across and table[k + UP] == up
                wanted = wanted and index[ALONE] != ti.select(other == worm, 2, 1)
                if wanted:
                    there = Vec3(bunches[theirs, 0], bunches[theirs, 1], bunches[theirs, 2])
                    far = near + bunches[theirs, 3]
                    if (here - there).norm_sqr() <= far * far:
                        _test_bunch(
                            centres, facts, bunches, mine, theirs, index[APART], planes, count, partners, worm, other
                        )  # fmt: skip


@ti.kernel
def find_obstacles(centres: R3, facts: R1, obstacles: R2, index: I1, planes: R4, count: I2, partners: R3):
    """Half-spaces of all rings among obstacles but solids, the nearest first."""
    ti.loop_config(serialize=backend.serial)
    for worm, ring in ti.ndrange(index[MOVED], centres.shape[1]):
        c, furthest = vector(centres, worm, ring), facts[RADII + ring] + facts[LIMIT]
        count[worm, ring] = 0
        for k in range(index[EVERYWHERE]):
            if obstacles[k, KIND] == LATTICE:
                _test_lattice(obstacles, k, c, furthest, planes, count, partners, worm, ring)
            else:
                _test_obstacle(obstacles, k, c, furthest, planes, count, partners, worm, ring)
        if index[BUCKETS] > 0:
            b = HEAD + _bucket(_cell(c[0], facts[STONES]), _cell(c[1], facts[STONES]), index[BUCKETS])
            for place in range(index[b], index[b + 1]):
                _test_obstacle(obstacles, index[place], c, furthest, planes, count, partners, worm, ring)

@ti.kernel
def find_worms(
    centres: R3, facts: R1, index: I1, bunches: R2, table: I1, planes: R4, count: I2, partners: R3
):  # fmt: skip
    """Adds the half-spaces between worms.

    Bunches and table are scratch: a ball around each bunch of segments, then the widest; where each bucket
    starts, the bunches sorted by bucket, and the cells of the bunches in their own order.
    """
    ti.loop_config(serialize=True)
    for b in range(ti.min(index[SOUGHT], 1) * (index[TABLE] + 1)):
        table[b] = 0
    ti.loop_config(serialize=True)
    for k in range(index[SOUGHT]):
        per = index[SOUGHT] // centres.shape[0]
        worm, first = k // per, k % per * BUNCH
        last = ti.min(first + BUNCH, centres.shape[1] - 1)
        middle = 0.5 * (vector(centres, worm, first) + vector(centres, worm, last))
        wide = 0.0
        for ring in range(first, last + 1):
            wide = ti.max(wide, (vector(centres, worm, ring) - middle).norm())
        for i in ti.static(range(3)):
            bunches[k, i] = middle[i]
        bunches[k, 3] = wide
        bunches[index[SOUGHT], 3] = ti.max(wide, ti.select(k == 0, 0.0, bunches[index[SOUGHT], 3]))
        cell = index[TABLE] + 1 + RECORD * index[SOUGHT] + 2 * k
        table[cell], table[cell + 1] = _cell(middle[0], facts[CELL]), _cell(middle[1], facts[CELL])
        table[_bucket(table[cell], table[cell + 1], index[TABLE])] += 1
    ti.loop_config(serialize=True)
    for b in range(ti.min(index[SOUGHT], 1) * index[TABLE]):
        table[b + 1] += table[b]
    # Filled from the back, so that each bucket's end becomes its start.
    ti.loop_config(serialize=True)
    for back in range(index[SOUGHT]):
        k = index[SOUGHT] - 1 - back
        cell = index[TABLE] + 1 + RECORD * index[SOUGHT] + 2 * k
        b = _bucket(table[cell], table[cell + 1], index[TABLE])
        table[b] -= 1
        place = index[TABLE] + 1 + RECORD * table[b]
        table[place + ACROSS], table[place + UP], table[place + NUMBER] = table[cell], table[cell + 1], k
    ti.loop_config(serialize=backend.serial)
    for mine in range(index[SOUGHT] // centres.shape[0] * index[MOVED]):
        _search_around(centres, facts, bunches, index, table, mine, planes, count, partners)


@ti.kernel
def add(centres: R3, given: R4, reach: ti.f64, planes: R4, count: I2, partners: R3):
    """Adds half-spaces found elsewhere, shape (sources, worms, rings, 6)."""
    ti.loop_config(serialize=backend.serial)
    for worm, ring in ti.ndrange(count.shape[0], count.shape[1]):
        c = vector(centres, worm, ring)
        for k in range(given.shape[0]):
            if given[k, worm, ring, GAP] <= reach:
                n = Vec3(given[k, worm, ring, 0], given[k, worm, ring, 1], given[k, worm, ring, 2])
                _offer(
                    planes, count, partners, c, n, given[k, worm, ring, OFFSET], given[k, worm, ring, FRICTION], NOBODY,
                    worm, ring,
                )  # fmt: skip


@ti.kernel
def carry(drift: R3, seconds: ti.f64, planes: R4, count: I2, partners: R3):
    """Moves planes between worms with the mean velocity of the two positions they separate."""
    rings = drift.shape[1]
    ti.loop_config(serialize=backend.serial)
    for worm, ring in ti.ndrange(count.shape[0], count.shape[1]):
        for k in range(count[worm, ring]):
            if partners[worm, ring, k] >= 0.0:
                n = Vec3(planes[worm, ring, k, 0], planes[worm, ring, k, 1], planes[worm, ring, k, 2])
                other = ti.cast(partners[worm, ring, k], ti.i32) // rings
                there = partners[worm, ring, k] - other * rings
                near = ti.min(ti.cast(there, ti.i32), rings - 2)
                mine, theirs = n.dot(vector(drift, worm, ring)), n.dot(vector(drift, other, near))
                theirs += (there - near) * (n.dot(vector(drift, other, near + 1)) - theirs)
                planes[worm, ring, k, OFFSET] += 0.5 * seconds * (mine + theirs)


@ti.kernel
def locate(x: R3, origin: R2, velocity: R3, centres: R3, drift: R3):
    """World coordinates and velocities of the centres of the rings."""
    size = x.shape[1] // centres.shape[1]
    ti.loop_config(serialize=backend.serial)
    for worm, ring in ti.ndrange(x.shape[0], centres.shape[1]):
        place, speed = Vec3(0.0), Vec3(0.0)
        for vertex in range((ring + 1) * size - SIDES, (ring + 1) * size):
            place += vector(x, worm, vertex)
            speed += vector(velocity, worm, vertex)
        for i in ti.static(range(3)):
            centres[worm, ring, i] = place[i] / SIDES + origin[worm, i]
            drift[worm, ring, i] = speed[i] / SIDES


@ti.kernel
def localise(planes: R4, count: I2, origin: R2):
    """Makes the offsets of half-spaces relative to the origin of each worm's frame."""
    ti.loop_config(serialize=backend.serial)
    for worm, ring in ti.ndrange(origin.shape[0], planes.shape[1]):
        for k in range(count[worm, ring]):
            for i in ti.static(range(3)):
                planes[worm, ring, k, OFFSET] -= planes[worm, ring, k, i] * origin[worm, i]


@ti.func
def _half(towards):
    """How much a push counts for a side whose direction it has this component in, see anatomy/sides.py."""
    return ti.min(ti.max(1.0 + towards, 0.0), 1.0)


@ti.kernel
def weigh(
    size: T, x: R3, section: R2, planes: R4, count: I2, partners: R3, physics: R1, out: R3
):  # fmt: skip
    """Force of the contacts on every ring and side of the body [uN], without level ground and the worm itself.

    The sides of out are in the order of anatomy/sides.py.
    """
    rings = out.shape[1]
    ti.loop_config(serialize=backend.serial)
    for worm, ring in ti.ndrange(out.shape[0], out.shape[1]):
        for side in range(out.shape[2]):
            out[worm, ring, side] = 0.0
        dorsal = weighted(x, section, DORSAL, worm, ring).normalized()
        right = weighted(x, section, RIGHT, worm, ring).normalized()
        for k in range(count[worm, ring]):
            n, partner, load = half_space(planes, worm, ring, k), partners[worm, ring, k], 0.0
            own = partner >= 0.0 and ti.cast(partner, ti.i32) // rings == worm
            for local in range(size - SIDES, size):
                depth = planes[worm, ring, k, OFFSET] + physics[MARGIN] - n.dot(vector(x, worm, ring * size + local))
                load += physics[PUSH] * ti.max(depth, 0.0)
            if load > 0.0 and partner != GROUND and not own:
                # An obstacle lies against its normal.
                up, aside = -n.dot(dorsal), -n.dot(right)
                d, v, left, r = _half(up), _half(-up), _half(-aside), _half(aside)
                out[worm, ring, 0] += load
                out[worm, ring, 1] += load * d
                out[worm, ring, 2] += load * v
                out[worm, ring, 3] += load * left
                out[worm, ring, 4] += load * r
                out[worm, ring, 5] += load * d * left
                out[worm, ring, 6] += load * d * r
                out[worm, ring, 7] += load * v * left
                out[worm, ring, 8] += load * v * r
