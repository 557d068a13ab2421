"""The solver's kernels: a launch to begin a step, one for each Newton iteration.

All state lives in arrays with a leading worm axis. Every sum has one writer in a fixed order, so a
run gives the same bits with any number of threads. A launch costs as much as a hundred
tetrahedra, and so do five of the arrays handed to it: hence few kernels, each with much to do.
Units: mm, s, uN.
"""
# Annotations are read at run time by the kernel compiler: no postponed evaluation here.

from .. import backend
from ..backend import ti
from . import banded
from .banded import BLOCK
from .mesh import RING, TETS_PER_SLAB
from .tissue import (
    INCREMENTAL,
    LEAST_RATIO,
    T,
    Vec3,
    deformation,
    forces_of_slab,
    gradients,
    pressure_stiffness,
    stiffness_of_slab,
)

# Columns of a worm's status: energy to minimise, squared residual, squared drag force, least det F,
# net outside force x, y, z [uN], whether it has still to move; state of its line search; its limits.
ENERGY, RESIDUAL, DRAG, LEAST = 0, 1, 2, 3
NET = slice(4, 7)
MOVING, SLOPE, SHARE, CHANGE, REJECTED, ENERGY_BEFORE, RESIDUAL_BEFORE = range(7, 14)
SHIFT, SHIFT_UNIT, FORCE_FLOOR = range(14, 17)
STATUS = 17
# Columns of a vertex: body length it answers for and height at rest [mm].
WEIGHT, HEIGHT = 0, 1

# Residual over drag force: one Newton iteration on agar, 6 nm from exact steps after 3 s of crawling.
_TOLERANCE = 5e-2
_RIGID_TOLERANCE = 1e-3
_ARMIJO = 1e-4

R2 = ti.types.ndarray(dtype=ti.f64, ndim=2)
R3 = ti.types.ndarray(dtype=ti.f64, ndim=3)
R4 = ti.types.ndarray(dtype=ti.f64, ndim=4)
I3 = ti.types.ndarray(dtype=ti.i32, ndim=3)


@ti.func
def _drag(along, normal, tangential, t, weight, dt):
    """Drag force over step for a displacement, anisotropic about the body axis."""
    return (weight / dt) * (normal * along - (normal - tangential) * t.dot(along) * t)


@ti.func
def _sum_up(
    x: T, start: T, tangent: T, vertices: T, force: T, scalars: T, dt, normal, tangential, hold, residual: T,
    status: T, worm,
):  # fmt: skip
    """Sums slab forces, drag and surface hold into the residual of every vertex, and into the status."""
    slabs = force.shape[1]
    energy, squared, scale, least = 0.0, 0.0, 0.0, 1e300
    net = Vec3(0.0)
    for slab in range(slabs):
        energy += scalars[worm, slab, INCREMENTAL]
        least = ti.min(least, scalars[worm, slab, LEAST_RATIO])
    for ring in range(slabs + 1):
        t = Vec3(tangent[worm, ring, 0], tangent[worm, ring, 1], tangent[worm, ring, 2])
        for local in range(RING):
            vertex = ring * RING + local
            weight = vertices[vertex, WEIGHT]
            along = Vec3(0.0)
            for i in ti.static(range(3)):
                along[i] = x[worm, vertex, i] - start[worm, vertex, i]
            total = _drag(along, normal, tangential, t, weight, dt)
            energy += 0.5 * total.dot(along)
            scale += total.norm_sqr()
            lift = x[worm, vertex, 2] - vertices[vertex, HEIGHT]
            total[2] += hold * weight * lift
            energy += 0.5 * hold * weight * lift * lift
            net += total
            for i in ti.static(range(3)):
                if ring < slabs:
                    total[i] += force[worm, ring, 3 * local + i]
                if ring > 0:
                    total[i] += force[worm, ring - 1, BLOCK + 3 * local + i]
                residual[worm, 3 * vertex + i] = total[i]
            squared += total.norm_sqr()
    status[worm, ENERGY] = energy
    status[worm, RESIDUAL] = squared
    status[worm, DRAG] = scale
    status[worm, LEAST] = least
    for i in ti.static(range(3)):
        status[worm, 4 + i] = net[i]
    drag, floor = ti.sqrt(scale), status[worm, FORCE_FLOOR]
    # A shifted matrix holds back rigid motion; small residuals alone would not show it.
    balanced = net.norm() <= _RIGID_TOLERANCE * drag + floor
    settled = ti.sqrt(squared) <= _TOLERANCE * drag + floor
    status[worm, MOVING] = ti.select(balanced and settled, 0.0, 1.0)


@ti.func
def _judge(x: T, start: T, velocity: T, dt, status: T, worm):
    """Takes or rejects the last move of the line search; a settled worm keeps the velocity of its step."""
    share = status[worm, SHARE]
    allowed = status[worm, ENERGY_BEFORE] + _ARMIJO * share * status[worm, SLOPE]
    lower = status[worm, ENERGY] <= allowed or status[worm, RESIDUAL] < status[worm, RESIDUAL_BEFORE]
    taken = share == 0.0 or (lower and status[worm, LEAST] > 0.0)
    status[worm, REJECTED] = ti.select(taken, 0.0, 1.0)
    status[worm, CHANGE] = ti.select(taken, 0.0, -0.5 * share)
    status[worm, SHARE] = share + status[worm, CHANGE]
    if taken and status[worm, MOVING] == 0.0:
        for vertex in range(x.shape[1]):
            for i in ti.static(range(3)):
                velocity[worm, vertex, i] = (x[worm, vertex, i] - start[worm, vertex, i]) / dt


@ti.func
def _evaluate(
    x: T, start: T, velocity: T, tangent: T, tension: T, strain: T, corners: T, elements: T, slabs: T, vertices: T,
    dt, normal, tangential, hold, force: T, scalars: T, swell: T, residual: T, status: T,
):  # fmt: skip
    """Energy and residual where the worms are now."""
    ti.loop_config(serialize=backend.serial)
    for worm, slab in ti.ndrange(x.shape[0], corners.shape[0]):
        forces_of_slab(x, tension, strain, corners, elements, slabs, dt, force, scalars, swell, worm, slab)
    ti.loop_config(serialize=backend.serial)
    for worm in range(x.shape[0]):
        _sum_up(
            x, start, tangent, vertices, force, scalars, dt, normal, tangential, hold, residual, status, worm
        )  # fmt: skip
        _judge(x, start, velocity, dt, status, worm)


@ti.func
def _move(x: T, direction: T, status: T):
    """Adds the change of its share of the Newton direction to the positions of each worm."""
    ti.loop_config(serialize=backend.serial)
    for worm, vertex in ti.ndrange(x.shape[0], x.shape[1]):
        # A direction from a bad factor may hold NaN: a share of nothing must not touch it.
        if status[worm, CHANGE] != 0.0:
            for i in ti.static(range(3)):
                x[worm, vertex, i] += status[worm, CHANGE] * direction[worm, 3 * vertex + i]


@ti.func
def assemble(
    x: T, tangent: T, tension: T, strain: T, corners: T, elements: T, slabs: T, vertices: T,
    dt, normal, tangential, hold, scalars: T, swell: T, status: T, stiffness: T,
):  # fmt: skip
    """Second derivative of the energy, lower half, plus the shift of each worm."""
    ti.loop_config(serialize=backend.serial)
    for worm, ring in ti.ndrange(x.shape[0], tangent.shape[1]):
        pressure_stiffness(slabs, swell, stiffness, worm, ring)
        t = Vec3(tangent[worm, ring, 0], tangent[worm, ring, 1], tangent[worm, ring, 2])
        for local in range(RING):
            vertex, here = ring * RING + local, BLOCK + 3 * local
            weight = vertices[vertex, WEIGHT]
            for i, j in ti.static(ti.ndrange(3, 3)):
                if ti.static(i >= j):
                    d = -(weight / dt) * (normal - tangential) * t[i] * t[j]
                    if ti.static(i == j):
                        d += (weight / dt) * normal + status[worm, SHIFT]
                        if ti.static(i == 2):
                            d += hold * weight
                    stiffness[worm, 3 * vertex + i, here + j] = stiffness[worm, 3 * vertex + i, here + j] + d
    # Neighbouring slabs share a ring: where loops are shared out, even ones go first, then odd ones,
    # so that no two write at once.
    passes = ti.static(1 if backend.serial else 2)
    for first in ti.static(range(passes)):
        ti.loop_config(serialize=backend.serial)
        for worm, k in ti.ndrange(x.shape[0], (corners.shape[0] - first + passes - 1) // passes):
            stiffness_of_slab(
                x, tension, strain, corners, elements, slabs, dt, scalars, stiffness,
                worm, first + passes * k,
            )  # fmt: skip


@ti.func
def _aim(stiffness: T, residual: T, direction: T, status: T, worm):
    """Newton direction of a worm that has still to move; overwrites its stiffness."""
    status[worm, ENERGY_BEFORE] = status[worm, ENERGY]
    status[worm, RESIDUAL_BEFORE] = status[worm, RESIDUAL]
    status[worm, SHARE] = 0.0
    if status[worm, MOVING] != 0.0:
        shift, unit = status[worm, SHIFT], status[worm, SHIFT_UNIT]
        if banded.factor(stiffness, worm) == 0:
            banded.substitute(stiffness, residual, direction, worm)
            slope = 0.0
            for i in range(stiffness.shape[1]):
                slope += direction[worm, i] * residual[worm, i]
            status[worm, SLOPE] = slope
            status[worm, SHARE] = 1.0
            status[worm, SHIFT] = ti.select(0.1 * shift < unit, 0.0, 0.1 * shift)
        else:
            status[worm, SHIFT] = ti.max(10.0 * shift, unit)
    status[worm, CHANGE] = status[worm, SHARE]


@ti.kernel
def begin_step(
    x: R3, start: R3, velocity: R3, tangent: R3, tension: R3, strain: R4, corners: I3, elements: R3, slabs: R2,
    vertices: R2, dt: ti.f64, normal: ti.f64, tangential: ti.f64, hold: ti.f64, force: R3, scalars: R3,
    swell: R3, residual: R2, status: R2, predict: ti.f64,
):  # fmt: skip
    """Freezes the start of the step, moves on with the last velocity as a first guess and evaluates it."""
    ti.loop_config(serialize=backend.serial)
    for worm, slab in ti.ndrange(x.shape[0], corners.shape[0]):
        for e in range(TETS_PER_SLAB):
            f = deformation(x, corners, gradients(elements, slab, e), worm, slab, e)
            c = f.transpose() @ f
            for i, j in ti.static(ti.ndrange(3, 3)):
                if ti.static(i >= j):
                    strain[worm, slab, e, i * (i + 1) // 2 + j] = c[i, j]
    ti.loop_config(serialize=backend.serial)
    for worm, ring in ti.ndrange(x.shape[0], tangent.shape[1]):
        ahead = RING * ti.max(ring - 1, 0)
        behind = RING * ti.min(ring + 1, tangent.shape[1] - 1)
        t = Vec3(0.0)
        for i in ti.static(range(3)):
            t[i] = x[worm, behind, i] - x[worm, ahead, i]
        t = t.normalized()
        for i in ti.static(range(3)):
            tangent[worm, ring, i] = t[i]
    ti.loop_config(serialize=backend.serial)
    for worm, vertex in ti.ndrange(x.shape[0], x.shape[1]):
        if vertex == 0:
            status[worm, SHARE] = 0.0
            status[worm, SHIFT] = 0.0
        for i in ti.static(range(3)):
            start[worm, vertex, i] = x[worm, vertex, i]
            x[worm, vertex, i] += predict * dt * velocity[worm, vertex, i]
    _evaluate(
        x, start, velocity, tangent, tension, strain, corners, elements, slabs, vertices,
        dt, normal, tangential, hold, force, scalars, swell, residual, status,
    )  # fmt: skip


@ti.kernel
def newton_step(
    x: R3, start: R3, velocity: R3, tangent: R3, tension: R3, strain: R4, corners: I3, elements: R3, slabs: R2,
    vertices: R2, dt: ti.f64, normal: ti.f64, tangential: ti.f64, hold: ti.f64, force: R3, scalars: R3,
    swell: R3, residual: R2, status: R2, direction: R2, stiffness: R3,
):  # fmt: skip
    """Goes all of the way along the Newton direction of every worm that has still to move."""
    assemble(
        x, tangent, tension, strain, corners, elements, slabs, vertices,
        dt, normal, tangential, hold, scalars, swell, status, stiffness,
    )  # fmt: skip
    ti.loop_config(serialize=backend.serial)
    for worm in range(x.shape[0]):
        _aim(stiffness, residual, direction, status, worm)
    _move(x, direction, status)
    _evaluate(
        x, start, velocity, tangent, tension, strain, corners, elements, slabs, vertices,
        dt, normal, tangential, hold, force, scalars, swell, residual, status,
    )  # fmt: skip


@ti.kernel
def backtrack(
    x: R3, start: R3, velocity: R3, tangent: R3, tension: R3, strain: R4, corners: I3, elements: R3, slabs: R2,
    vertices: R2, dt: ti.f64, normal: ti.f64, tangential: ti.f64, hold: ti.f64, force: R3, scalars: R3,
    swell: R3, residual: R2, status: R2, direction: R2,
):  # fmt: skip
    """Takes back half of every rejected move."""
    _move(x, direction, status)
    _evaluate(
        x, start, velocity, tangent, tension, strain, corners, elements, slabs, vertices,
        dt, normal, tangential, hold, force, scalars, swell, residual, status,
    )  # fmt: skip


@ti.kernel
def measure(
    x: R3, tension: R3, strain: R4, corners: I3, elements: R3, slabs: R2, dt: ti.f64, force: R3, scalars: R3, swell: R3
):
    """Scalars of every slab, see tissue.forces_of_slab."""
    ti.loop_config(serialize=backend.serial)
    for worm, slab in ti.ndrange(x.shape[0], corners.shape[0]):
        forces_of_slab(x, tension, strain, corners, elements, slabs, dt, force, scalars, swell, worm, slab)
