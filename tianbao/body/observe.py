"""Measures of the body's vertices: midline and curvature."""
# Annotations are read at run time by the kernel compiler: no postponed evaluation here.

import numpy as np

from .. import backend
from ..backend import R2, R3, T, Vec3, ti

# Columns of a section's row: dorsal and right coordinate over the sum of their squares, share in the centre.
DORSAL, RIGHT, SHARE = 0, 1, 2


def section_weights(rest: np.ndarray) -> np.ndarray:
    """Weights of each vertex of a ring in the ring's centre and directions.

    Args:
        rest: (dorsal, right) of the vertices of a unit section, shape (ring, 2).

    Returns:
        Columns DORSAL, RIGHT and SHARE, shape (ring, 3).
    """
    reach = np.hypot(*rest.T)
    outer = reach > reach.max() * (1.0 - 1e-9)
    return np.column_stack([rest / (rest**2).sum(axis=0), outer / outer.sum()])


@ti.func
def weighted(x: T, section: T, column: ti.template(), worm, ring):
    """Sum of a ring's vertices times a column of their section."""
    total = Vec3(0.0)
    size = section.shape[0]
    for local in range(size):
        for i in ti.static(range(3)):
            total[i] += section[local, column] * x[worm, ring * size + local, i]
    return total


@ti.kernel
def read_midline(x: R3, origin: R2, section: R2, out: R3):
    """Mean of the outer vertices of every ring, in world coordinates [mm]."""
    ti.loop_config(serialize=backend.serial)
    for worm, ring in ti.ndrange(out.shape[0], out.shape[1]):
        centre = weighted(x, section, SHARE, worm, ring)
        for i in ti.static(range(3)):
            out[worm, ring, i] = centre[i] + origin[worm, i]


@ti.kernel
def read_side(x: R3, section: R2, side: ti.template(), out: R3):
    """Unit vector from the centre of every ring towards a side of the worm's own body."""
    ti.loop_config(serialize=backend.serial)
    for worm, ring in ti.ndrange(out.shape[0], out.shape[1]):
        towards = weighted(x, section, side, worm, ring).normalized()
        for i in ti.static(range(3)):
            out[worm, ring, i] = towards[i]


@ti.kernel
def read_curvature(x: R3, section: R2, length: ti.f64, side: ti.template(), out: R2):
    """Curvature of the midline towards a side of the worm's own body, times the rest length.

    The side rotates with the worm: a worm that has rolled over still bends towards its dorsal side.
    """
    ti.loop_config(serialize=backend.serial)
    for worm, inner in ti.ndrange(out.shape[0], out.shape[1]):
        here = weighted(x, section, SHARE, worm, inner + 1)
        ahead = here - weighted(x, section, SHARE, worm, inner)
        behind = weighted(x, section, SHARE, worm, inner + 2) - here
        span = 0.5 * (ahead.norm() + behind.norm())
        ahead, behind = ahead.normalized(), behind.normalized()
        along = (ahead + behind).normalized()
        towards = weighted(x, section, side, worm, inner + 1)
        towards = (towards - towards.dot(along) * along).normalized()
        bend = behind - ahead
        half = 0.5 * bend.norm()
        # The angle over twice the sine of half of it; a straight joint has neither.
        stretched = ti.select(half > 1e-9, ti.asin(ti.min(half, 1.0)) / ti.max(half, 1e-9), 1.0)
        out[worm, inner] = length * stretched * bend.dot(towards) / span
