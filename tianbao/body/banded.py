"""Newton directions: Cholesky factorisation and substitution of a block tridiagonal matrix per worm.

A slab's vertices are two consecutive rings, so the stiffness matrix is block tridiagonal, with blocks
of three rows per vertex of a ring. Row i of ring r is stored starting from the first column of ring r - 1:
`stiffness[worm, i, column - block (r - 1)]`.
Source: the textbook row-by-row Cholesky factorisation, restricted to the band and done in tiles of
one vertex by one vertex, so that six numbers read from memory are used in nine products.
"""
# Annotations are read at run time by the kernel compiler: no postponed evaluation here.

from ..backend import T, Vec3, ti

Mat3 = ti.types.matrix(3, 3, ti.f64)


@ti.func
def _products(stiffness: T, worm, i, j, first, last, shift):
    """Dot products of the rows i to i + 2 with the rows j to j + 2, over stored columns first to last.

    Rows of the previous ring store the same columns one block further on, which is their shift.
    """
    dots = Mat3(0.0)
    for k in range(first, last):
        for a in ti.static(range(3)):
            for b in ti.static(range(3)):
                dots[a, b] += stiffness[worm, i + a, k] * stiffness[worm, j + b, shift + k]
    return dots


@ti.func
def _divide(stiffness: T, worm, i, at, j, diagonal, dots):
    """Completes a tile using the factored diagonal tile of the rows j to j + 2."""
    for a in ti.static(range(3)):
        for b in ti.static(range(3)):
            value = stiffness[worm, i + a, at + b] - dots[a, b]
            for k in ti.static(range(b)):
                value -= stiffness[worm, i + a, at + k] * stiffness[worm, j + b, diagonal + k]
            stiffness[worm, i + a, at + b] = value * stiffness[worm, j + b, diagonal + b]


@ti.func
def _factor_diagonal(stiffness: T, worm, i, at, dots):
    """Cholesky factor of a diagonal tile, reciprocals on its diagonal; counts pivots that are not positive."""
    bad = 0
    for a in ti.static(range(3)):
        for b in ti.static(range(a)):
            value = stiffness[worm, i + a, at + b] - dots[a, b]
            for k in ti.static(range(b)):
                value -= stiffness[worm, i + a, at + k] * stiffness[worm, i + b, at + k]
            stiffness[worm, i + a, at + b] = value * stiffness[worm, i + b, at + b]
        before = stiffness[worm, i + a, at + a]
        pivot = before - dots[a, a]
        for k in ti.static(range(a)):
            pivot -= stiffness[worm, i + a, at + k] * stiffness[worm, i + a, at + k]
        # Written so that NaN counts as not positive, too.
        if not pivot > 1e-13 * before:
            bad += 1
            pivot = ti.abs(before) + 1.0
        stiffness[worm, i + a, at + a] = 1.0 / ti.sqrt(pivot)
    return bad


@ti.func
def factor(stiffness: T, size: T, worm):
    """Cholesky factor in place, reciprocals on the diagonal; counts pivots that are not positive.

    `size` is the number of vertices of a ring.
    """
    bad, block = 0, ti.static(3 * size)
    for ring in range(stiffness.shape[1] // block):
        first, begin = ring * block, ti.select(ring > 0, 0, block)
        for vertex in range(size):
            i, diagonal = first + 3 * vertex, block + 3 * vertex
            if ring > 0:
                for other in range(size):
                    j, at = first - block + 3 * other, 3 * other
                    dots = _products(stiffness, worm, i, j, 0, at, block)
                    _divide(stiffness, worm, i, at, j, block + at, dots)
            for other in range(vertex):
                j, at = first + 3 * other, block + 3 * other
                dots = _products(stiffness, worm, i, j, begin, at, 0)
                _divide(stiffness, worm, i, at, j, at, dots)
            dots = _products(stiffness, worm, i, i, begin, diagonal, 0)
            bad += _factor_diagonal(stiffness, worm, i, diagonal, dots)
    return bad


@ti.func
def substitute(stiffness: T, residual: T, direction: T, size: T, worm):
    """Direction = - (L L^T)^-1 residual, one vertex after the other."""
    vertices, block = stiffness.shape[1] // 3, ti.static(3 * size)
    for vertex in range(vertices):
        ring = vertex // size
        i, offset = 3 * vertex, (ring - 1) * block
        begin, diagonal = ti.select(ring > 0, 0, block), i - offset
        dots = Vec3(0.0)
        for k in range(begin, diagonal):
            value = direction[worm, offset + k]
            for a in ti.static(range(3)):
                dots[a] += stiffness[worm, i + a, k] * value
        for a in ti.static(range(3)):
            value = -residual[worm, i + a] - dots[a]
            for k in ti.static(range(a)):
                value -= stiffness[worm, i + a, diagonal + k] * direction[worm, i + k]
            direction[worm, i + a] = value * stiffness[worm, i + a, diagonal + a]
    for back in range(vertices):
        vertex = vertices - 1 - back
        ring = vertex // size
        i, offset = 3 * vertex, (ring - 1) * block
        begin, diagonal = ti.select(ring > 0, 0, block), i - offset
        values = Vec3(0.0)
        for down in ti.static(range(3)):
            a = ti.static(2 - down)
            value = direction[worm, i + a]
            for k in ti.static(range(a + 1, 3)):
                value -= stiffness[worm, i + k, diagonal + a] * values[k]
            values[a] = value * stiffness[worm, i + a, diagonal + a]
            direction[worm, i + a] = values[a]
        for k in range(begin, diagonal):
            value = direction[worm, offset + k]
            for a in ti.static(range(3)):
                value -= stiffness[worm, i + a, k] * values[a]
            direction[worm, offset + k] = value
