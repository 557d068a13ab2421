"""The cuticle under pressure, which keeps the length of a slab, as one spring along the axis.

The spring connects the centres of a slab's two rings, each the mean of the ring's outer vertices, where
the cuticle is and the muscles attach. To first order, the centres of a bent, sheared or twisted slab have the same
distance as those of a straight one, so that bending stiffness and calibration are not affected. The spring
has no viscosity: the internal viscosity was measured in bending, and is part of the tissue.
Units: mm, s, uN.
"""
# Annotations are read at run time by the kernel compiler: no postponed evaluation here.

from ..backend import T, Vec3, ti
from .mesh import SIDES

# Columns of a slab's row, after those of the tissue: spring constant [uN/mm] and rest length [mm].
SPRING, REST = 4, 5


@ti.func
def _span(x: T, size: T, worm, slab):
    """Vector from the centre of the anterior ring to that of the posterior one [mm]."""
    total = Vec3(0.0)
    for local in range(size - SIDES, size):
        for i in ti.static(range(3)):
            total[i] += x[worm, (slab + 1) * size + local, i] - x[worm, slab * size + local, i]
    return total / SIDES


@ti.func
def resist(x: T, slabs: T, size: T, force: T, worm, slab):
    """Adds the gradient of 1/2 spring (length - rest)^2 to the outer vertices; returns this energy."""
    energy = 0.0
    # Skipped without a spring: adding zeros could still change the sign of a zero.
    if slabs[slab, SPRING] > 0.0:
        span = _span(x, size, worm, slab)
        length = span.norm()
        longer = length - slabs[slab, REST]
        pull = (slabs[slab, SPRING] * longer / (SIDES * length)) * span
        for local in range(size - SIDES, size):
            ahead, behind = 3 * local, ti.static(3 * size) + 3 * local
            for i in ti.static(range(3)):
                force[worm, slab, ahead + i] = force[worm, slab, ahead + i] - pull[i]
                force[worm, slab, behind + i] = force[worm, slab, behind + i] + pull[i]
        energy = 0.5 * slabs[slab, SPRING] * longer * longer
    return energy


@ti.func
def stiffen(x: T, slabs: T, size: T, stiffness: T, worm, slab):
    """Adds the second derivative of the spring, lower half.

    Including the negative lateral stiffness of a compressed spring, which the tension of the muscles that compress it
    compensates.
    """
    if slabs[slab, SPRING] > 0.0:
        span = _span(x, size, worm, slab)
        length, share = span.norm(), slabs[slab, SPRING] / SIDES**2
        along, short = span / length, slabs[slab, REST] / length
        k = (share * short) * along.outer_product(along)
        for i in ti.static(range(3)):
            k[i, i] += share * (1.0 - short)
        block = ti.static(3 * size)
        for a in range(size - SIDES, size):
            ahead = slab * block + 3 * a
            for c in range(size - SIDES, size):
                for i, j in ti.static(ti.ndrange(3, 3)):
                    row, column = ahead + i, 3 * c + j
                    stiffness[worm, row + block, column] = stiffness[worm, row + block, column] - k[i, j]
                    if column <= 3 * a + i:
                        for ring in ti.static(range(2)):
                            here = row + ring * block
                            stiffness[worm, here, block + column] = stiffness[worm, here, block + column] + k[i, j]
