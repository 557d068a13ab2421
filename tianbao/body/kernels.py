"""The solver's kernels: forces and stiffness of the tissue, drag and surface hold.

All state lives in arrays with a leading worm axis. Every sum has one writer in a fixed order, so a
run gives the same bits with any number of threads. Units: mm, s, uN. The stiffness is stored as
banded.py says.
"""
# Annotations are read at run time by the kernel compiler: no postponed evaluation here.

from .backend import ti
from .banded import BAND, BLOCK
from .mesh import RING, TETS_PER_SLAB

# Columns of a worm's status.
ENERGY, RESIDUAL, DRAG, LEAST = 0, 1, 2, 3
NET = slice(4, 7)
STATUS = 7

R1 = ti.types.ndarray(dtype=ti.f64, ndim=1)
R2 = ti.types.ndarray(dtype=ti.f64, ndim=2)
R3 = ti.types.ndarray(dtype=ti.f64, ndim=3)
R4 = ti.types.ndarray(dtype=ti.f64, ndim=4)
I2 = ti.types.ndarray(dtype=ti.i32, ndim=2)
I3 = ti.types.ndarray(dtype=ti.i32, ndim=3)
Mat43 = ti.types.matrix(4, 3, ti.f64)
Mat3 = ti.types.matrix(3, 3, ti.f64)
T = ti.template()
Vec3 = ti.types.vector(3, ti.f64)


@ti.func
def _row(m, a):
    return Vec3(m[a, 0], m[a, 1], m[a, 2])


@ti.func
def _column(m, a):
    return Vec3(m[0, a], m[1, a], m[2, a])


@ti.func
def _gradients(grads: T, slab, e):
    g = Mat43(0.0)
    for a, j in ti.static(ti.ndrange(4, 3)):
        g[a, j] = grads[slab, e, a, j]
    return g


@ti.func
def _deformation(x: T, tets: T, g, worm, slab, e):
    """Deformation gradient of one tetrahedron."""
    f = Mat3(0.0)
    for a in ti.static(range(4)):
        vertex = slab * RING + tets[slab, e, a]
        for i in ti.static(range(3)):
            value = x[worm, vertex, i]
            for j in ti.static(range(3)):
                f[i, j] += value * g[a, j]
    return f


@ti.func
def _cofactor(f):
    """Matrix with F^-T det F."""
    a, b, c = _column(f, 0), _column(f, 1), _column(f, 2)
    return ti.Matrix.cols([b.cross(c), c.cross(a), a.cross(b)])


@ti.kernel
def begin_step(
    x: R3, start: R3, velocity: R3, tangent: R3, strain: R4, tets: I3, grads: R4, dt: ti.f64, predict: ti.f64
):
    """Freezes the start of the step, then moves on with the last velocity as a first guess."""
    for worm, slab in ti.ndrange(x.shape[0], tets.shape[0]):
        for e in range(TETS_PER_SLAB):
            f = _deformation(x, tets, _gradients(grads, slab, e), worm, slab, e)
            c = f.transpose() @ f
            for i, j in ti.static(ti.ndrange(3, 3)):
                if ti.static(i >= j):
                    strain[worm, slab, e, i * (i + 1) // 2 + j] = c[i, j]
    for worm, ring in ti.ndrange(x.shape[0], tangent.shape[1]):
        ahead = RING * ti.max(ring - 1, 0)
        behind = RING * ti.min(ring + 1, tangent.shape[1] - 1)
        t = Vec3(0.0)
        for i in ti.static(range(3)):
            t[i] = x[worm, behind, i] - x[worm, ahead, i]
        t = t.normalized()
        for i in ti.static(range(3)):
            tangent[worm, ring, i] = t[i]
    for worm, vertex in ti.ndrange(x.shape[0], x.shape[1]):
        for i in ti.static(range(3)):
            start[worm, vertex, i] = x[worm, vertex, i]
            x[worm, vertex, i] += predict * dt * velocity[worm, vertex, i]


@ti.func
def _viscous_strain(strain: T, c, worm, slab, e):
    """C - C at the start of the step."""
    s = Mat3(0.0)
    for i, j in ti.static(ti.ndrange(3, 3)):
        k = ti.static(max(i, j) * (max(i, j) + 1) // 2 + min(i, j))
        s[i, j] = c[i, j] - strain[worm, slab, e, k]
    return s


@ti.func
def _slab_volume(x: T, tets: T, grads: T, volumes: T, worm, slab):
    total = 0.0
    for e in range(TETS_PER_SLAB):
        f = _deformation(x, tets, _gradients(grads, slab, e), worm, slab, e)
        total += volumes[slab, e] * f.determinant()
    return total


@ti.kernel
def slab_forces(
    x: R3,
    tension: R3,
    strain: R4,
    tets: I3,
    fibres: I2,
    grads: R4,
    volumes: R2,
    slabs: R2,
    dt: ti.f64,
    force: R3,
    scalars: R3,
    volume_gradient: R3,
):
    """Gradient of the energy of every slab on its own 18 vertices.

    Slab rows hold shear modulus, viscosity, bulk modulus, rest volume. Scalars receive the elastic
    energy, the incremental energy (fibres and dissipation included), the least det F, the volume.
    """
    for worm, slab in ti.ndrange(x.shape[0], tets.shape[0]):
        mu, rate = slabs[slab, 0], slabs[slab, 1] / (2.0 * dt)
        bulk, rest = slabs[slab, 2], slabs[slab, 3]
        volume = _slab_volume(x, tets, grads, volumes, worm, slab)
        pressure = bulk * (volume / rest - 1.0)
        elastic = 0.5 * pressure * (volume - rest)
        active = 0.0
        least = 1e300
        for k in range(BAND):
            force[worm, slab, k] = 0.0
            volume_gradient[worm, slab, k] = 0.0
        for e in range(TETS_PER_SLAB):
            g = _gradients(grads, slab, e)
            f = _deformation(x, tets, g, worm, slab, e)
            cof = _cofactor(f)
            j = _column(f, 0).dot(_column(cof, 0))
            least = ti.min(least, j)
            c = f.transpose() @ f
            s = _viscous_strain(strain, c, worm, slab, e)
            safe = ti.max(j, 1e-12)
            p = mu * f + (pressure - mu / safe) * cof + rate * (f @ s)
            elastic += volumes[slab, e] * 0.5 * mu * (c.trace() - 3.0 - 2.0 * ti.log(safe))
            active += volumes[slab, e] * 0.25 * rate * s.norm_sqr()
            if fibres[slab, e] >= 0:
                pull = tension[worm, slab, fibres[slab, e]]
                stretch = _column(f, 0).norm()
                active += volumes[slab, e] * pull * stretch
                for i in ti.static(range(3)):
                    p[i, 0] += pull * f[i, 0] / stretch
            for a in ti.static(range(4)):
                at = 3 * tets[slab, e, a]
                out = volumes[slab, e] * (p @ _row(g, a))
                swell = volumes[slab, e] * (cof @ _row(g, a))
                for i in ti.static(range(3)):
                    force[worm, slab, at + i] = force[worm, slab, at + i] + out[i]
                    volume_gradient[worm, slab, at + i] = volume_gradient[worm, slab, at + i] + swell[i]
        scalars[worm, slab, 0] = elastic
        scalars[worm, slab, 1] = elastic + active
        scalars[worm, slab, 2] = least
        scalars[worm, slab, 3] = volume


@ti.func
def _drag(along, normal, tangential, t, weight, dt):
    """Drag force over step for a displacement, anisotropic about the body axis."""
    return (weight / dt) * (normal * along - (normal - tangential) * t.dot(along) * t)


@ti.kernel
def gather(
    x: R3,
    start: R3,
    tangent: R3,
    weights: R1,
    heights: R1,
    force: R3,
    scalars: R3,
    dt: ti.f64,
    normal: ti.f64,
    tangential: ti.f64,
    hold: ti.f64,
    gradient: R2,
    status: R2,
):
    """Sums slab forces, drag and surface hold into the residual of every vertex.

    Status of a worm: energy to minimise, squared residual, squared drag force, least det F,
    net outside force x, y, z [uN].
    """
    for worm in range(x.shape[0]):
        slabs = force.shape[1]
        energy, residual, scale = 0.0, 0.0, 0.0
        least = 1e300
        net = Vec3(0.0)
        for slab in range(slabs):
            energy += scalars[worm, slab, 1]
            least = ti.min(least, scalars[worm, slab, 2])
        for vertex in range(x.shape[1]):
            ring = vertex // RING
            local = 3 * (vertex - ring * RING)
            along = Vec3(0.0)
            t = Vec3(0.0)
            for i in ti.static(range(3)):
                along[i] = x[worm, vertex, i] - start[worm, vertex, i]
                t[i] = tangent[worm, ring, i]
            drag = _drag(along, normal, tangential, t, weights[vertex], dt)
            energy += 0.5 * drag.dot(along)
            scale += drag.norm_sqr()
            lift = x[worm, vertex, 2] - heights[vertex]
            total = drag
            total[2] += hold * weights[vertex] * lift
            energy += 0.5 * hold * weights[vertex] * lift * lift
            net += total
            for i in ti.static(range(3)):
                if ring < slabs:
                    total[i] += force[worm, ring, local + i]
                if ring > 0:
                    total[i] += force[worm, ring - 1, BLOCK + local + i]
                gradient[worm, 3 * vertex + i] = total[i]
            residual += total.norm_sqr()
        status[worm, ENERGY] = energy
        status[worm, RESIDUAL] = residual
        status[worm, DRAG] = scale
        status[worm, LEAST] = least
        for i in ti.static(range(3)):
            status[worm, 4 + i] = net[i]


@ti.func
def _stiffness_of_slab(
    x: T, tension: T, strain: T, tets: T, fibres: T, grads: T, volumes: T, slabs: T, dt, scalars: T,
    volume_gradient: T, stiffness: T, worm, slab,
):  # fmt: skip
    mu, rate = slabs[slab, 0], slabs[slab, 1] / (2.0 * dt)
    bulk, rest = slabs[slab, 2], slabs[slab, 3]
    pressure = bulk * (scalars[worm, slab, 3] / rest - 1.0)
    first = slab * BLOCK
    for r in range(BAND):
        scaled = bulk / rest * volume_gradient[worm, slab, r]
        shift = ti.select(r < BLOCK, BLOCK, 0)
        for c in range(r + 1):
            stiffness[worm, first + r, shift + c] = (
                stiffness[worm, first + r, shift + c] + scaled * volume_gradient[worm, slab, c]
            )
    for e in range(TETS_PER_SLAB):
        g = _gradients(grads, slab, e)
        f = _deformation(x, tets, g, worm, slab, e)
        cof = _cofactor(f)
        det = _column(f, 0).dot(_column(cof, 0))
        spatial = g @ (cof / det).transpose()
        pushed = g @ f.transpose()
        left = f @ f.transpose()
        viscous = g @ _viscous_strain(strain, f.transpose() @ f, worm, slab, e)
        stretch = _column(f, 0).norm()
        fibre = _column(f, 0) / stretch
        pull = 0.0
        if fibres[slab, e] >= 0:
            pull = tension[worm, slab, fibres[slab, e]] / stretch
        w = volumes[slab, e]
        swap = mu - pressure * det
        squeeze = pressure * det
        for a, c in ti.ndrange(4, 4):
            at, to = tets[slab, e, a], tets[slab, e, c]
            if at >= to:
                ga, gc = _row(g, a), _row(g, c)
                gg = ga.dot(gc)
                axial = pull * ga[0] * gc[0]
                diagonal = mu * gg + axial + rate * _row(viscous, a).dot(gc)
                ha, hc = _row(spatial, a), _row(spatial, c)
                fa, fc = _row(pushed, a), _row(pushed, c)
                r, q = first + 3 * at, 3 * to + ti.select(at < RING, BLOCK, 0)
                for i, j in ti.static(ti.ndrange(3, 3)):
                    k = swap * hc[i] * ha[j] + squeeze * ha[i] * hc[j] + rate * fc[i] * fa[j]
                    k += rate * gg * left[i, j] - axial * fibre[i] * fibre[j]
                    if ti.static(i == j):
                        k += diagonal
                    stiffness[worm, r + i, q + j] = stiffness[worm, r + i, q + j] + w * k


@ti.kernel
def assemble(
    x: R3,
    tension: R3,
    strain: R4,
    tangent: R3,
    tets: I3,
    fibres: I2,
    grads: R4,
    volumes: R2,
    slabs: R2,
    weights: R1,
    dt: ti.f64,
    normal: ti.f64,
    tangential: ti.f64,
    hold: ti.f64,
    shift: R1,
    scalars: R3,
    volume_gradient: R3,
    stiffness: R3,
):
    """Second derivative of the energy, lower half, plus a shift in units of the normal drag."""
    for worm, vertex in ti.ndrange(x.shape[0], x.shape[1]):
        ring = vertex // RING
        t = Vec3(0.0)
        for i in ti.static(range(3)):
            t[i] = tangent[worm, ring, i]
            for k in range(BAND):
                stiffness[worm, 3 * vertex + i, k] = 0.0
        here = BLOCK + 3 * (vertex - ring * RING)
        w = weights[vertex] / dt
        for i, j in ti.static(ti.ndrange(3, 3)):
            d = -w * (normal - tangential) * t[i] * t[j]
            if ti.static(i == j):
                d += w * normal + shift[worm]
                if ti.static(i == 2):
                    d += hold * weights[vertex]
            stiffness[worm, 3 * vertex + i, here + j] = d
    # Neighbouring slabs share a ring: even ones first, then odd ones, so no two write at once.
    for worm, half in ti.ndrange(x.shape[0], (tets.shape[0] + 1) // 2):
        _stiffness_of_slab(
            x, tension, strain, tets, fibres, grads, volumes, slabs, dt, scalars, volume_gradient, stiffness,
            worm, 2 * half,
        )  # fmt: skip
    for worm, half in ti.ndrange(x.shape[0], tets.shape[0] // 2):
        _stiffness_of_slab(
            x, tension, strain, tets, fibres, grads, volumes, slabs, dt, scalars, volume_gradient, stiffness,
            worm, 2 * half + 1,
        )  # fmt: skip


@ti.kernel
def advance(x: R3, direction: R2, share: R1):
    """Adds a share of the Newton direction to the positions of each worm."""
    for worm, vertex in ti.ndrange(x.shape[0], x.shape[1]):
        # A direction from a bad factor may hold NaN: a share of nothing must not touch it.
        if share[worm] != 0.0:
            for i in ti.static(range(3)):
                x[worm, vertex, i] += share[worm] * direction[worm, 3 * vertex + i]


@ti.kernel
def end_step(x: R3, start: R3, velocity: R3, dt: ti.f64):
    """Keeps the velocity of the step."""
    for worm, vertex in ti.ndrange(x.shape[0], x.shape[1]):
        for i in ti.static(range(3)):
            velocity[worm, vertex, i] = (x[worm, vertex, i] - start[worm, vertex, i]) / dt
