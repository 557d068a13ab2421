"""The kernels of the solver: one to begin a step, one for each Newton iteration.

All state is in arrays with a leading worm axis, positions in a separate frame for each worm: far from the
world's origin they would be rounded. Every sum is computed by one thread in a fixed order, so that results are
bit-identical for any number of threads. Launching a kernel costs as much as a hundred tetrahedra, and so does passing
five arrays: hence there are few kernels, each of which does much.
`size`, the number of vertices of a ring, is known when a kernel is compiled. Units: mm, s, uN.
"""
# Annotations are read at run time by the kernel compiler: no postponed evaluation here.

from .. import backend
from ..backend import I2, I3, R1, R2, R3, R4, T, Vec3, ti
from . import banded
from .mesh import SIDES
from .tissue import (
    INCREMENTAL,
    LEAST_RATIO,
    deformation,
    forces_of_slab,
    gradients,
    pressure_stiffness,
    stiffness_of_slab,
)

# Columns of a worm's status: energy to minimise, squared residual, smallest det F, whether it still has to
# move; state of its line search; its limits.
ENERGY, RESIDUAL, LEAST = range(3)
MOVING, SLOPE, SHARE, CHANGE, REJECTED, ENERGY_BEFORE, RESIDUAL_BEFORE = range(3, 10)
SHIFT, SHIFT_UNIT, FORCE_FLOOR = range(10, 13)
# Whether the nose is further from the origin of its worm's frame than FAR_OFF, seen from above [mm].
FAR, STATUS = 13, 14
FAR_OFF = 2.0
# Columns of a vertex: body length assigned to it and height at rest [mm], mass in excess of the medium's [mg].
WEIGHT, HEIGHT, MASS = 0, 1, 2
# Constants of a step for all worms: its length [s], drag across and along [N s/m2], stiffness of the surface film
# [N/m2], gravity [m/s2], the muscles' force-length and force-velocity [1, s], contact stiffness [uN/mm],
# margin [mm] and slowest slip [mm/s], tolerance of the residual.
DT, NORMAL, TANGENTIAL, HOLD, GRAVITY, FALLOFF, BRAKE, PUSH, MARGIN, SLOWEST, TOLERANCE = range(11)
PHYSICS = 11
# Half-spaces that the outer vertices of a ring can be kept in; columns of one: unit normal, offset, friction
# coefficient. See contact.py.
PLANES = 8
OFFSET, FRICTION, COLUMNS = 3, 4, 5

RIGID_TOLERANCE = 1e-3
ARMIJO = 1e-4


@ti.func
def vector(values: T, worm, k):
    """Row of an array with one per worm and place."""
    return Vec3(values[worm, k, 0], values[worm, k, 1], values[worm, k, 2])


@ti.func
def displaced(x: T, start: T, flow: T, dt, worm, ring, vertex):
    """Displacement of a vertex relative to the medium in the step so far [mm]."""
    return vector(x, worm, vertex) - vector(start, worm, vertex) - dt * vector(flow, worm, ring)


@ti.func
def drag_of(along, t, weight, physics: T):
    """Drag force over the step for a displacement, anisotropic about the body axis."""
    normal, tangential = physics[NORMAL], physics[TANGENTIAL]
    return (weight / physics[DT]) * (normal * along - (normal - tangential) * t.dot(along) * t)


@ti.func
def half_space(planes: T, worm, ring, k):
    """Normal of a half-space."""
    return Vec3(planes[worm, ring, k, 0], planes[worm, ring, k, 1], planes[worm, ring, k, 2])


@ti.func
def sum_up(
    x: T, start: T, tangent: T, vertices: T, flow: T, planes: T, count: T, grip: T, size: T, physics: T, force: T,
    scalars: T, residual: T, status: T, worm,
):  # fmt: skip
    """Sums slab forces, drag, surface film, weight and contacts into the residual of every vertex and the status."""
    slabs, block = force.shape[1], ti.static(3 * size)
    dt, hold, push = physics[DT], physics[HOLD], physics[PUSH]
    energy, squared, scale, least = 0.0, 0.0, 0.0, 1e300
    net = Vec3(0.0)
    for slab in range(slabs):
        energy += scalars[worm, slab, INCREMENTAL]
        least = ti.min(least, scalars[worm, slab, LEAST_RATIO])
    for ring in range(slabs + 1):
        t = vector(tangent, worm, ring)
        for local in range(size):
            vertex = ring * size + local
            weight = vertices[vertex, WEIGHT]
            along = displaced(x, start, flow, dt, worm, ring, vertex)
            total = drag_of(along, t, weight, physics)
            energy += 0.5 * total.dot(along)
            scale += total.norm_sqr()
            lift = x[worm, vertex, 2] - vertices[vertex, HEIGHT]
            load = physics[GRAVITY] * vertices[vertex, MASS]
            total[2] += hold * weight * lift + load
            energy += 0.5 * hold * weight * lift * lift + load * x[worm, vertex, 2]
            if local >= size - SIDES:
                here = vector(x, worm, vertex)
                moved = here - vector(start, worm, vertex)
                for k in range(count[worm, ring]):
                    n = half_space(planes, worm, ring, k)
                    depth = planes[worm, ring, k, OFFSET] + physics[MARGIN] - n.dot(here)
                    if depth > 0.0:
                        total -= push * depth * n
                        energy += 0.5 * push * depth * depth
                    slip = (grip[worm, ring, k] / dt) * (moved - n.dot(moved) * n)
                    total += slip
                    energy += 0.5 * slip.dot(moved)
            net += total
            for i in ti.static(range(3)):
                if ring < slabs:
                    total[i] += force[worm, ring, 3 * local + i]
                if ring > 0:
                    total[i] += force[worm, ring - 1, block + 3 * local + i]
                residual[worm, 3 * vertex + i] = total[i]
            squared += total.norm_sqr()
    status[worm, ENERGY] = energy
    status[worm, RESIDUAL] = squared
    status[worm, LEAST] = least
    drag, floor = ti.sqrt(scale), status[worm, FORCE_FLOOR]
    # A shifted matrix suppresses rigid motion, which small residuals alone would not reveal.
    balanced = net.norm() <= ti.min(RIGID_TOLERANCE, physics[TOLERANCE]) * drag + floor
    settled = ti.sqrt(squared) <= physics[TOLERANCE] * drag + floor
    status[worm, MOVING] = ti.select(balanced and settled, 0.0, 1.0)


@ti.func
def judge(x: T, start: T, velocity: T, dt, status: T, worm):
    """Takes or rejects the last move of the line search; a settled worm keeps the velocity of its step."""
    share = status[worm, SHARE]
    allowed = status[worm, ENERGY_BEFORE] + ARMIJO * share * status[worm, SLOPE]
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
    flow: T, planes: T, count: T, grip: T, size: T, physics: T, force: T, scalars: T, swell: T, residual: T, status: T,
):  # fmt: skip
    """Energy and residual at the present positions."""
    ti.loop_config(serialize=backend.serial)
    for worm, slab in ti.ndrange(x.shape[0], corners.shape[0]):
        forces_of_slab(
            x, tension, strain, corners, elements, slabs, size, physics[DT], physics[FALLOFF], physics[BRAKE],
            force, scalars, swell, worm, slab,
        )  # fmt: skip
    ti.loop_config(serialize=backend.serial)
    for worm in range(x.shape[0]):
        sum_up(
            x, start, tangent, vertices, flow, planes, count, grip, size, physics, force, scalars, residual, status,
            worm,
        )  # fmt: skip
        judge(x, start, velocity, physics[DT], status, worm)


@ti.func
def move_vertex(x: T, direction: T, status: T, worm, vertex):
    """Adds the change of a worm's share of the Newton direction to a vertex."""
    # A direction from a bad factor may hold NaN: a share of nothing must not touch it.
    if status[worm, CHANGE] != 0.0:
        for i in ti.static(range(3)):
            x[worm, vertex, i] += status[worm, CHANGE] * direction[worm, 3 * vertex + i]


@ti.func
def _move(x: T, direction: T, status: T):
    ti.loop_config(serialize=backend.serial)
    for worm, vertex in ti.ndrange(x.shape[0], x.shape[1]):
        move_vertex(x, direction, status, worm, vertex)


@ti.func
def outside_stiffness(
    x: T, tangent: T, vertices: T, planes: T, count: T, grip: T, size: T, physics: T, stiffness: T, shift,
    worm, ring,
):  # fmt: skip
    """Adds the second derivative of drag, surface film and contacts of a ring, plus a shift."""
    t = vector(tangent, worm, ring)
    dt, normal = physics[DT], physics[NORMAL]
    for local in range(size):
        vertex, here = ring * size + local, ti.static(3 * size) + 3 * local
        weight = vertices[vertex, WEIGHT]
        at = vector(x, worm, vertex)
        d = -(weight / dt) * (normal - physics[TANGENTIAL]) * t.outer_product(t)
        for i in ti.static(range(3)):
            d[i, i] += (weight / dt) * normal + shift
        d[2, 2] += physics[HOLD] * weight
        if local >= size - SIDES:
            for k in range(count[worm, ring]):
                n = half_space(planes, worm, ring, k)
                hold = grip[worm, ring, k] / dt
                across = -hold
                if planes[worm, ring, k, OFFSET] + physics[MARGIN] - n.dot(at) > 0.0:
                    across += physics[PUSH]
                d += across * n.outer_product(n)
                for i in ti.static(range(3)):
                    d[i, i] += hold
        for i, j in ti.static(ti.ndrange(3, 3)):
            if ti.static(i >= j):
                stiffness[worm, 3 * vertex + i, here + j] = stiffness[worm, 3 * vertex + i, here + j] + d[i, j]


@ti.func
def assemble(
    x: T, tangent: T, tension: T, strain: T, corners: T, elements: T, slabs: T, vertices: T,
    planes: T, count: T, grip: T, size: T, physics: T, scalars: T, swell: T, status: T, stiffness: T,
):  # fmt: skip
    """Second derivative of the energy, lower half, plus the shift of each worm."""
    ti.loop_config(serialize=backend.serial)
    for worm, ring in ti.ndrange(x.shape[0], tangent.shape[1]):
        pressure_stiffness(slabs, swell, stiffness, size, worm, ring)
        outside_stiffness(
            x, tangent, vertices, planes, count, grip, size, physics, stiffness, status[worm, SHIFT], worm, ring
        )  # fmt: skip
    # Neighbouring slabs share a ring: even ones go first, then odd ones, so that no two write at once.
    for first in ti.static(range(2)):
        ti.loop_config(serialize=backend.serial)
        for worm, k in ti.ndrange(x.shape[0], (corners.shape[0] - first + 1) // 2):
            stiffness_of_slab(
                x, tension, strain, corners, elements, slabs, size, physics[DT], physics[FALLOFF], physics[BRAKE],
                scalars, stiffness, worm, first + 2 * k,
            )  # fmt: skip


@ti.func
def aim(stiffness: T, residual: T, direction: T, status: T, size: T, worm):
    """Newton direction of a worm that has still to move; overwrites its stiffness."""
    status[worm, ENERGY_BEFORE] = status[worm, ENERGY]
    status[worm, RESIDUAL_BEFORE] = status[worm, RESIDUAL]
    status[worm, SHARE] = 0.0
    if status[worm, MOVING] != 0.0:
        shift, unit = status[worm, SHIFT], status[worm, SHIFT_UNIT]
        if banded.factor(stiffness, size, worm) == 0:
            banded.substitute(stiffness, residual, direction, size, worm)
            slope = 0.0
            for i in range(stiffness.shape[1]):
                slope += direction[worm, i] * residual[worm, i]
            status[worm, SLOPE] = slope
            status[worm, SHARE] = 1.0
            status[worm, SHIFT] = ti.select(0.1 * shift < unit, 0.0, 0.1 * shift)
        else:
            status[worm, SHIFT] = ti.max(10.0 * shift, unit)
    status[worm, CHANGE] = status[worm, SHARE]


@ti.func
def chord(x: T, size: T, rings, worm, ring):
    """From the centre of the ring ahead to that of the ring behind [mm]."""
    ahead, behind = size * ti.max(ring - 1, 0), size * ti.min(ring + 1, rings - 1)
    return vector(x, worm, behind) - vector(x, worm, ahead)


@ti.func
def freeze_slab(x: T, corners: T, elements: T, size: T, strain: T, worm, slab):
    """Strain that viscosity counts from."""
    for e in range(corners.shape[1]):
        f = deformation(x, corners, size, gradients(elements, slab, e), worm, slab, e)
        c = f.transpose() @ f
        for i, j in ti.static(ti.ndrange(3, 3)):
            if ti.static(i >= j):
                strain[worm, slab, e, i * (i + 1) // 2 + j] = c[i, j]


@ti.func
def freeze_ring(x: T, size: T, tangent: T, worm, ring):
    """Axis that drag is split about."""
    t = chord(x, size, tangent.shape[1], worm, ring).normalized()
    for i in ti.static(range(3)):
        tangent[worm, ring, i] = t[i]


@ti.func
def freeze(x: T, corners: T, elements: T, size: T, strain: T, tangent: T):
    """What holds from the start of a step to its end."""
    ti.loop_config(serialize=backend.serial)
    for worm, slab in ti.ndrange(x.shape[0], corners.shape[0]):
        freeze_slab(x, corners, elements, size, strain, worm, slab)
    ti.loop_config(serialize=backend.serial)
    for worm, ring in ti.ndrange(x.shape[0], tangent.shape[1]):
        freeze_ring(x, size, tangent, worm, ring)


@ti.func
def take_hold(x: T, velocity: T, planes: T, count: T, grip: T, size: T, physics: T, worm, ring):
    """Friction of a ring as a drag on its outer vertices: that of the load and the slip it starts with."""
    for k in range(count[worm, ring]):
        n = half_space(planes, worm, ring, k)
        load, slip = 0.0, Vec3(0.0)
        for local in range(size - SIDES, size):
            vertex = ring * size + local
            depth = planes[worm, ring, k, OFFSET] + physics[MARGIN] - n.dot(vector(x, worm, vertex))
            load += physics[PUSH] * ti.max(depth, 0.0)
            slip += vector(velocity, worm, vertex) / SIDES
        speed = (slip - n.dot(slip) * n).norm()
        grip[worm, ring, k] = planes[worm, ring, k, FRICTION] * load / SIDES / ti.max(speed, physics[SLOWEST])


@ti.func
def begin_vertex(x: T, start: T, velocity: T, physics: T, status: T, predict, worm, vertex):
    """Where a vertex starts, and moves on to as a first guess."""
    if vertex == 0:
        status[worm, SHARE] = 0.0
        status[worm, SHIFT] = 0.0
        nose = vector(x, worm, 0)
        status[worm, FAR] = ti.select(nose[0] ** 2 + nose[1] ** 2 > FAR_OFF**2, 1.0, 0.0)
    for i in ti.static(range(3)):
        start[worm, vertex, i] = x[worm, vertex, i]
        x[worm, vertex, i] += predict * physics[DT] * velocity[worm, vertex, i]


@ti.kernel
def begin_step(
    size: T, x: R3, start: R3, velocity: R3, tangent: R3, tension: R3, strain: R4, corners: I3, elements: R3,
    slabs: R2, vertices: R2, flow: R3, planes: R4, count: I2, grip: R3, physics: R1, force: R3, scalars: R3,
    swell: R3, residual: R2, status: R2, predict: ti.f64,
):  # fmt: skip
    """Stores the start of the step, extrapolates with the last velocity as a first guess and evaluates it."""
    freeze(x, corners, elements, size, strain, tangent)
    ti.loop_config(serialize=backend.serial)
    for worm, ring in ti.ndrange(x.shape[0], tangent.shape[1]):
        take_hold(x, velocity, planes, count, grip, size, physics, worm, ring)
    ti.loop_config(serialize=backend.serial)
    for worm, vertex in ti.ndrange(x.shape[0], x.shape[1]):
        begin_vertex(x, start, velocity, physics, status, predict, worm, vertex)
    _evaluate(
        x, start, velocity, tangent, tension, strain, corners, elements, slabs, vertices,
        flow, planes, count, grip, size, physics, force, scalars, swell, residual, status,
    )  # fmt: skip


@ti.kernel
def newton_step(
    size: T, x: R3, start: R3, velocity: R3, tangent: R3, tension: R3, strain: R4, corners: I3, elements: R3,
    slabs: R2, vertices: R2, flow: R3, planes: R4, count: I2, grip: R3, physics: R1, force: R3, scalars: R3,
    swell: R3, residual: R2, status: R2, direction: R2, stiffness: R3,
):  # fmt: skip
    """Takes the full Newton step for every worm that still has to move."""
    assemble(
        x, tangent, tension, strain, corners, elements, slabs, vertices,
        planes, count, grip, size, physics, scalars, swell, status, stiffness,
    )  # fmt: skip
    ti.loop_config(serialize=backend.serial)
    for worm in range(x.shape[0]):
        aim(stiffness, residual, direction, status, size, worm)
    _move(x, direction, status)
    _evaluate(
        x, start, velocity, tangent, tension, strain, corners, elements, slabs, vertices,
        flow, planes, count, grip, size, physics, force, scalars, swell, residual, status,
    )  # fmt: skip


@ti.kernel
def backtrack(
    size: T, x: R3, start: R3, velocity: R3, tangent: R3, tension: R3, strain: R4, corners: I3, elements: R3,
    slabs: R2, vertices: R2, flow: R3, planes: R4, count: I2, grip: R3, physics: R1, force: R3, scalars: R3,
    swell: R3, residual: R2, status: R2, direction: R2,
):  # fmt: skip
    """Halves every rejected move."""
    _move(x, direction, status)
    _evaluate(
        x, start, velocity, tangent, tension, strain, corners, elements, slabs, vertices,
        flow, planes, count, grip, size, physics, force, scalars, swell, residual, status,
    )  # fmt: skip


@ti.kernel
def measure(
    size: T, x: R3, tension: R3, strain: R4, corners: I3, elements: R3, slabs: R2, force: R3, scalars: R3, swell: R3
):
    """Scalars of every slab at rest, see tissue.forces_of_slab."""
    ti.loop_config(serialize=backend.serial)
    for worm, slab in ti.ndrange(x.shape[0], corners.shape[0]):
        forces_of_slab(
            x, tension, strain, corners, elements, slabs, size, 1e300, 0.0, 0.0, force, scalars, swell, worm, slab
        )  # fmt: skip


@ti.kernel
def read_drag(
    size: T, x: R3, start: R3, tangent: R3, vertices: R2, flow: R3, physics: R1, out: R3
):  # fmt: skip
    """Drag of the medium on every vertex in the last step [uN]."""
    ti.loop_config(serialize=backend.serial)
    for worm, vertex in ti.ndrange(x.shape[0], x.shape[1]):
        ring = vertex // size
        along = displaced(x, start, flow, physics[DT], worm, ring, vertex)
        drag = drag_of(along, vector(tangent, worm, ring), vertices[vertex, WEIGHT], physics)
        for i in ti.static(range(3)):
            out[worm, vertex, i] = -drag[i]
