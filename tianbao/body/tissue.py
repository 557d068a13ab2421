"""Forces and stiffness of the tissue, slab by slab.

The tetrahedra of a slab have one shear modulus, one pressure and fibres along the axis. A slab's row contains
shear modulus, viscosity, bulk modulus, rest volume and the columns of cuticle.py; an element's row its four shape
gradients and its volume; a corner's row four local vertices in rising order and the quadrant of the fibres.
`size` is the number of vertices of a ring, known when a kernel is compiled. Units: mm, s, uN. For the storage of the
stiffness see banded.py.
"""
# Annotations are read at run time by the kernel compiler: no postponed evaluation here.

from ..backend import T, Vec3, ti
from . import cuticle

# Columns of an element's and a corner's row, and of a slab's scalars.
VOLUME, FIBRE = 12, 4
ELASTIC, INCREMENTAL, LEAST_RATIO, SLAB_VOLUME = 0, 1, 2, 3

Mat43 = ti.types.matrix(4, 3, ti.f64)
Mat3 = ti.types.matrix(3, 3, ti.f64)


@ti.func
def row(m, a):
    """Row of a matrix as a vector."""
    return Vec3(m[a, 0], m[a, 1], m[a, 2])


@ti.func
def column(m, a):
    """Column of a matrix as a vector."""
    return Vec3(m[0, a], m[1, a], m[2, a])


@ti.func
def gradients(elements: T, slab, e):
    """Shape gradients of one tetrahedron [1/mm]."""
    g = Mat43(0.0)
    for a, j in ti.static(ti.ndrange(4, 3)):
        g[a, j] = elements[slab, e, 3 * a + j]
    return g


@ti.func
def deformation(x: T, corners: T, size: T, g, worm, slab, e):
    """Deformation gradient of one tetrahedron."""
    f = Mat3(0.0)
    for a in ti.static(range(4)):
        vertex = slab * size + corners[slab, e, a]
        for i in ti.static(range(3)):
            value = x[worm, vertex, i]
            for j in ti.static(range(3)):
                f[i, j] += value * g[a, j]
    return f


@ti.func
def _cofactor(f):
    """Matrix with F^-T det F."""
    a, b, c = column(f, 0), column(f, 1), column(f, 2)
    return ti.Matrix.cols([b.cross(c), c.cross(a), a.cross(b)])


@ti.func
def _viscous_strain(strain: T, c, worm, slab, e):
    """Cauchy-Green tensor C minus C at the start of the step."""
    s = Mat3(0.0)
    for i, j in ti.static(ti.ndrange(3, 3)):
        k = ti.static(max(i, j) * (max(i, j) + 1) // 2 + min(i, j))
        s[i, j] = c[i, j] - strain[worm, slab, e, k]
    return s


@ti.func
def overlap(stretch, falloff):
    """Deviation of a fibre from its optimal length, limited to where its tension vanishes."""
    reach = ti.select(falloff > 0.0, 1.0 / ti.sqrt(ti.max(falloff, 1e-300)), 1e300)
    return ti.max(ti.min(stretch - 1.0, reach), -reach)


@ti.func
def forces_of_slab(
    x: T, tension: T, strain: T, corners: T, elements: T, slabs: T, size: T, dt, falloff, brake,
    force: T, scalars: T, volume_gradient: T, worm, slab,
):  # fmt: skip
    """Gradient of the energy of one slab on the vertices of its two rings.

    The force of a fibre is tension (1 - falloff (stretch - 1)^2 + brake dstretch/dt). Scalars receive the elastic
    energy, the incremental energy (including fibres and dissipation), the smallest det F, the volume.
    """
    mu, rate = slabs[slab, 0], slabs[slab, 1] / (2.0 * dt)
    bulk, rest = slabs[slab, 2], slabs[slab, 3]
    elastic, active, volume, least = 0.0, 0.0, 0.0, 1e300
    for k in range(6 * size):
        force[worm, slab, k] = 0.0
        volume_gradient[worm, slab, k] = 0.0
    for e in range(corners.shape[1]):
        g = gradients(elements, slab, e)
        w = elements[slab, e, VOLUME]
        f = deformation(x, corners, size, g, worm, slab, e)
        cof = _cofactor(f)
        j = column(f, 0).dot(column(cof, 0))
        least = ti.min(least, j)
        volume += w * j
        c = f.transpose() @ f
        s = _viscous_strain(strain, c, worm, slab, e)
        safe = ti.max(j, 1e-12)
        p = mu * f - (mu / safe) * cof + rate * (f @ s)
        elastic += w * 0.5 * mu * (c.trace() - 3.0 - 2.0 * ti.log(safe))
        active += w * 0.25 * rate * s.norm_sqr()
        if corners[slab, e, FIBRE] >= 0:
            pull = tension[worm, slab, corners[slab, e, FIBRE]]
            stretch = ti.sqrt(c[0, 0])
            off, change = overlap(stretch, falloff), stretch - ti.sqrt(strain[worm, slab, e, 0])
            # Beyond this length a fibre does no more work: off is constant.
            active += w * pull * (off - falloff * off * off * off / 3.0 + 0.5 * brake / dt * change * change)
            share = 1.0 - falloff * off * off + brake / dt * change
            for i in ti.static(range(3)):
                p[i, 0] += pull * share * f[i, 0] / stretch
        for a in ti.static(range(4)):
            at = 3 * corners[slab, e, a]
            out, swell = w * (p @ row(g, a)), w * (cof @ row(g, a))
            for i in ti.static(range(3)):
                force[worm, slab, at + i] = force[worm, slab, at + i] + out[i]
                volume_gradient[worm, slab, at + i] = volume_gradient[worm, slab, at + i] + swell[i]
    # The pressure is known only after the whole slab has been evaluated.
    pressure = bulk * (volume / rest - 1.0)
    for k in range(6 * size):
        force[worm, slab, k] = force[worm, slab, k] + pressure * volume_gradient[worm, slab, k]
    elastic += 0.5 * pressure * (volume - rest) + cuticle.resist(x, slabs, size, force, worm, slab)
    scalars[worm, slab, ELASTIC] = elastic
    scalars[worm, slab, INCREMENTAL] = elastic + active
    scalars[worm, slab, LEAST_RATIO] = least
    scalars[worm, slab, SLAB_VOLUME] = volume


@ti.func
def pressure_stiffness(slabs: T, volume_gradient: T, stiffness: T, size: T, worm, ring):
    """Initialises the rows of a ring with the stiffness due to the pressure of its two slabs."""
    count, block = volume_gradient.shape[1], ti.static(3 * size)
    ahead, behind = ti.max(ring - 1, 0), ti.min(ring, count - 1)
    # The slab ahead of the first ring and the one behind the last do not exist.
    stiff_ahead = ti.select(ring > 0, slabs[ahead, 2] / slabs[ahead, 3], 0.0)
    stiff_behind = ti.select(ring < count, slabs[behind, 2] / slabs[behind, 3], 0.0)
    for r in range(block):
        mine = stiff_ahead * volume_gradient[worm, ahead, block + r]
        other = stiff_behind * volume_gradient[worm, behind, r]
        row = ring * block + r
        for c in range(block):
            stiffness[worm, row, c] = mine * volume_gradient[worm, ahead, c]
        for c in range(r + 1):
            stiffness[worm, row, block + c] = (
                mine * volume_gradient[worm, ahead, block + c] + other * volume_gradient[worm, behind, c]
            )


@ti.func
def stiffness_of_slab(
    x: T, tension: T, strain: T, corners: T, elements: T, slabs: T, size: T, dt, falloff, brake, scalars: T,
    stiffness: T, worm, slab,
):  # fmt: skip
    """Adds the second derivative of the tetrahedra and the cuticle of one slab, lower half."""
    mu, rate = slabs[slab, 0], slabs[slab, 1] / (2.0 * dt)
    pressure = slabs[slab, 2] * (scalars[worm, slab, SLAB_VOLUME] / slabs[slab, 3] - 1.0)
    block = ti.static(3 * size)
    first = slab * block
    for e in range(corners.shape[1]):
        g = gradients(elements, slab, e)
        w = elements[slab, e, VOLUME]
        f = deformation(x, corners, size, g, worm, slab, e)
        cof = _cofactor(f)
        det = column(f, 0).dot(column(cof, 0))
        spatial = g @ (cof / det).transpose()
        pushed = g @ f.transpose()
        strained = f.transpose() @ f
        stretch = ti.sqrt(strained[0, 0])
        left = (w * rate) * (f @ f.transpose())
        viscous = (w * rate) * (g @ _viscous_strain(strain, strained, worm, slab, e))
        fibre = column(f, 0) / stretch
        pull, stiffening = 0.0, 0.0
        if corners[slab, e, FIBRE] >= 0:
            full = w * tension[worm, slab, corners[slab, e, FIBRE]]
            off, change = overlap(stretch, falloff), stretch - ti.sqrt(strain[worm, slab, e, 0])
            pull = full * (1.0 - falloff * off * off + brake / dt * change) / stretch
            inside = ti.select(off == stretch - 1.0, 1.0, 0.0)
            stiffening = full * (brake / dt - 2.0 * falloff * off * inside)
        swap, squeeze = w * (mu - pressure * det), w * pressure * det
        # Corners are in rising order: the row of the higher one holds the pair.
        for c, a in ti.static(ti.ndrange(4, 4)):
            if ti.static(a >= c):
                at, to = corners[slab, e, a], corners[slab, e, c]
                ga, gc = row(g, a), row(g, c)
                gg = ga.dot(gc)
                axial = pull * ga[0] * gc[0]
                diagonal = w * mu * gg + axial + row(viscous, a).dot(gc)
                ha, hc = row(spatial, a), row(spatial, c)
                fa, fc = row(pushed, a), row(pushed, c)
                swapped, squeezed = swap * hc, squeeze * ha
                dragged, drawn = (w * rate) * fc, (axial - stiffening * ga[0] * gc[0]) * fibre
                r, q = first + 3 * at, 3 * to + ti.select(at < size, block, 0)
                for i, j in ti.static(ti.ndrange(3, 3)):
                    if ti.static(a > c or i >= j):
                        k = swapped[i] * ha[j] + squeezed[i] * hc[j] + dragged[i] * fa[j]
                        k += gg * left[i, j] - drawn[i] * fibre[j]
                        if ti.static(i == j):
                            k += diagonal
                        stiffness[worm, r + i, q + j] = stiffness[worm, r + i, q + j] + k
    cuticle.stiffen(x, slabs, size, stiffness, worm, slab)
