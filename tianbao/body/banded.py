"""Newton directions: Cholesky factor and substitution of a block tridiagonal matrix per worm.

A slab's 18 vertices are two consecutive rings, so the stiffness matrix is block tridiagonal. Row i
of ring r is stored from the first column of ring r - 1 on: `stiffness[worm, i, column - 27 (r - 1)]`.
Source: the textbook row by row Cholesky factorisation, restricted to the band.
"""
# Annotations are read at run time by the kernel compiler: no postponed evaluation here.

from .backend import ti
from .mesh import RING

BLOCK = 3 * RING
BAND = 2 * BLOCK

R1 = ti.types.ndarray(dtype=ti.f64, ndim=1)
R2 = ti.types.ndarray(dtype=ti.f64, ndim=2)
R3 = ti.types.ndarray(dtype=ti.f64, ndim=3)
I1 = ti.types.ndarray(dtype=ti.i32, ndim=1)
T = ti.template()


@ti.func
def _factor_row(stiffness: T, worm, ring, row):
    """Row of the Cholesky factor in place, up to its diagonal."""
    first = ring * BLOCK
    i = first + row
    if ring > 0:
        for c in range(BLOCK):
            up = first - BLOCK + c
            dot = 0.0
            for k in range(c):
                dot += stiffness[worm, i, k] * stiffness[worm, up, BLOCK + k]
            stiffness[worm, i, c] = (stiffness[worm, i, c] - dot) * stiffness[worm, up, BLOCK + c]
    for c in range(row):
        up = first + c
        dot = 0.0
        if ring > 0:
            for k in range(BLOCK):
                dot += stiffness[worm, i, k] * stiffness[worm, up, k]
        for k in range(BLOCK, BLOCK + c):
            dot += stiffness[worm, i, k] * stiffness[worm, up, k]
        at = BLOCK + c
        stiffness[worm, i, at] = (stiffness[worm, i, at] - dot) * stiffness[worm, up, at]


@ti.func
def _factor(stiffness: T, worm):
    """Cholesky factor in place, reciprocals on the diagonal; counts pivots that are not positive."""
    bad = 0
    for ring in range(stiffness.shape[1] // BLOCK):
        for row in range(BLOCK):
            _factor_row(stiffness, worm, ring, row)
            i, last = ring * BLOCK + row, BLOCK + row
            before = stiffness[worm, i, last]
            pivot = before
            for k in range(ti.select(ring > 0, 0, BLOCK), last):
                pivot -= stiffness[worm, i, k] * stiffness[worm, i, k]
            # Written so that NaN counts as bad too.
            if not pivot > 1e-13 * before:
                bad += 1
                pivot = ti.abs(before) + 1.0
            stiffness[worm, i, last] = 1.0 / ti.sqrt(pivot)
    return bad


@ti.func
def _substitute(stiffness: T, residual: T, direction: T, worm):
    """Direction = - (L L^T)^-1 residual."""
    count = stiffness.shape[1]
    for i in range(count):
        begin = ti.select(i < BLOCK, BLOCK, 0)
        offset = (i // BLOCK - 1) * BLOCK
        value = -residual[worm, i]
        for k in range(begin, i - offset):
            value -= stiffness[worm, i, k] * direction[worm, offset + k]
        direction[worm, i] = value * stiffness[worm, i, i - offset]
    for back in range(count):
        i = count - 1 - back
        begin = ti.select(i < BLOCK, BLOCK, 0)
        offset = (i // BLOCK - 1) * BLOCK
        value = direction[worm, i] * stiffness[worm, i, i - offset]
        direction[worm, i] = value
        for k in range(begin, i - offset):
            direction[worm, offset + k] = direction[worm, offset + k] - stiffness[worm, i, k] * value


@ti.kernel
def factor_and_solve(stiffness: R3, residual: R2, direction: R2, slope: R1, pivots: I1):
    """Newton direction of every worm and the slope of its energy along it; overwrites the stiffness."""
    for worm in range(stiffness.shape[0]):
        pivots[worm] = _factor(stiffness, worm)
        _substitute(stiffness, residual, direction, worm)
        total = 0.0
        for i in range(stiffness.shape[1]):
            total += direction[worm, i] * residual[worm, i]
        slope[worm] = total
