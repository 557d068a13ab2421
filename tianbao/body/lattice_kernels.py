"""Functions of kernels that compute where the pillars of an endless lattice stand, see environment/lattice.py.

The numbers are those of `Lattice.places`, bit for bit: same operations, same order. Units: mm.
"""
# Annotations are read at run time by the kernel compiler: no postponed evaluation here.

from ..backend import T, ti
from ..environment.lattice import EDGE, MIX, TURN, Lattice
from ..environment.lengths import LARGEST

# Columns of a lattice beside those of a pillar, see contact_kernels: its point is the origin.
PITCH, RISE, SHIFT, SIDE, SEED, WITHIN = range(8, 14)
# An area: 0 for none, 1 for a circle, 2 for a rectangle; x, y of its middle; radius, or half its width and height.
_AREA = 5
FREE = WITHIN + _AREA
WIDTH = FREE + _AREA
"""Columns of an obstacle."""
CIRCLE, RECTANGLE = 1, 2
# A cell is sought a little farther than its pillar can be felt, so that round-off misses none.
SPARE = 1e-6


def columns(lattice: Lattice) -> tuple[float, ...]:
    """Columns of a lattice from PITCH on."""
    area = (*_columns_of(lattice.within), *_columns_of(lattice.free))
    return (lattice.pitch, lattice.rise, lattice.shift, lattice.side, float(lattice.seed), *area)


def _columns_of(area: tuple[float, ...] | None) -> tuple[float, ...]:
    if area is None:
        return (0.0,) * _AREA
    if len(area) == 3:
        return (CIRCLE, area[0], area[1], area[2] + EDGE, 0.0)
    return (RECTANGLE, area[0], area[1], 0.5 * area[2] + EDGE, 0.5 * area[3] + EDGE)


@ti.func
def _mixed(value):
    """A number of 32 bits, each bit of which depends on all bits of the given one."""
    value = (value ^ ti.bit_shr(value, ti.u32(16))) * ti.u32(MIX[0])
    value = (value ^ ti.bit_shr(value, ti.u32(13))) * ti.u32(MIX[1])
    return value ^ ti.bit_shr(value, ti.u32(16))


@ti.func
def _inside(obstacles: T, k, area: ti.template(), x, y):
    across, up = x - obstacles[k, area + 1], y - obstacles[k, area + 2]
    wide, high = obstacles[k, area + 3], obstacles[k, area + 4]
    found = ti.abs(across) <= wide and ti.abs(up) <= high
    if obstacles[k, area] == CIRCLE:
        found = across * across + up * up <= wide * wide
    return found


@ti.func
def span(low, high, step):
    """First and last whole number of steps between two lengths; none for what is lost or beyond the largest length."""
    first, last = 0, -1
    if ti.max(ti.abs(low), ti.abs(high)) <= 3.0 * LARGEST:
        first, last = ti.cast(ti.ceil(low / step), ti.i32), ti.cast(ti.floor(high / step), ti.i32)
    return first, last


@ti.func
def rows(obstacles: T, k, y, reach, origin):
    """First and last row of a lattice with pillars whose axes may be within reach of y."""
    far = reach + obstacles[k, SIDE] + SPARE
    return span(y - far - origin, y + far - origin, obstacles[k, RISE])


@ti.func
def row(obstacles: T, k, x, reach, origin, up):
    """First and last column in a row with pillars whose axes may be within reach of x."""
    far = reach + obstacles[k, SIDE] + SPARE
    start = origin + obstacles[k, SHIFT] * (up & 1) * obstacles[k, PITCH]
    return span(x - far - start, x + far - start, obstacles[k, PITCH])


@ti.func
def place(obstacles: T, k, left, low, across, up):
    """x and y of the axis of a pillar, and whether one stands there, for the origin (left, low)."""
    x = left + (across + obstacles[k, SHIFT] * (up & 1)) * obstacles[k, PITCH]
    y = low + up * obstacles[k, RISE]
    side = obstacles[k, SIDE]
    if side > 0.0:
        mixed = _mixed(ti.cast(obstacles[k, SEED], ti.u32))
        first = _mixed(ti.cast(across, ti.u32) ^ _mixed(ti.cast(up, ti.u32) ^ mixed))
        second = _mixed(first ^ ti.u32(TURN))
        x += side * (ti.cast(first, ti.f64) * 2.0**-31 - 1.0)
        y += side * (ti.cast(second, ti.f64) * 2.0**-31 - 1.0)
    stands = ti.abs(x) <= LARGEST and ti.abs(y) <= LARGEST
    if obstacles[k, WITHIN] != 0.0:
        stands = stands and _inside(obstacles, k, WITHIN, x, y)
    if obstacles[k, FREE] != 0.0:
        stands = stands and not _inside(obstacles, k, FREE, x, y)
    return x, y, stands
