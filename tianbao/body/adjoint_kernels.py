"""A kernel that propagates a gradient from the end of a step to its start; see adjoint.py."""
# Annotations are read at run time by the kernel compiler: no postponed evaluation here.

from .. import backend
from ..backend import I2, I3, R1, R2, R3, R4, T, Vec3, ti
from . import banded, kernels, tissue
from .kernels import DT
from .mesh import SIDES


@ti.func
def _pull_slab(
    x: T, start: T, reply: T, tension: T, corners: T, elements: T, slabs: T, size: T, physics: T, back: T,
    tension_bar: T, worm, slab,
):  # fmt: skip
    """Adjoint . dforce/dtension of one slab, and its dforce/dstart through viscosity and the velocity of fibres."""
    brake, falloff = physics[kernels.BRAKE] / physics[DT], physics[kernels.FALLOFF]
    rate = slabs[slab, 1] / (2.0 * physics[DT])
    for k in range(6 * size):
        back[worm, slab, k] = 0.0
    for q in ti.static(range(4)):
        tension_bar[worm, slab, q] = 0.0
    for e in range(corners.shape[1]):
        g = tissue.gradients(elements, slab, e)
        w = elements[slab, e, tissue.VOLUME]
        f = tissue.deformation(x, corners, size, g, worm, slab, e)
        before = tissue.deformation(start, corners, size, g, worm, slab, e)
        both = f.transpose() @ tissue.deformation(reply, corners, size, g, worm, slab, e)
        bar = -(w * rate) * (before @ (both + both.transpose()))
        if corners[slab, e, tissue.FIBRE] >= 0:
            quadrant = corners[slab, e, tissue.FIBRE]
            stretch, rest = tissue.column(f, 0).norm(), tissue.column(before, 0).norm()
            off = tissue.overlap(stretch, falloff)
            along = w * both[0, 0] / stretch
            share = 1.0 - falloff * off * off + brake * (stretch - rest)
            tension_bar[worm, slab, quadrant] = tension_bar[worm, slab, quadrant] + share * along
            slowed = tension[worm, slab, quadrant] * brake * along / rest
            for i in ti.static(range(3)):
                bar[i, 0] -= slowed * before[i, 0]
        for a in ti.static(range(4)):
            at, out = 3 * corners[slab, e, a], bar @ tissue.row(g, a)
            for i in ti.static(range(3)):
                back[worm, slab, at + i] = back[worm, slab, at + i] + out[i]


@ti.func
def _pull_chord(
    x: T, start: T, reply: T, tangent: T, vertices: T, flow: T, size: T, physics: T, turn: T, worm, ring
):  # fmt: skip
    """Adjoint . ddrag/dchord of a ring, whose direction is the tangent of the drag."""
    t, total = kernels.vector(tangent, worm, ring), Vec3(0.0)
    for local in range(size):
        vertex = ring * size + local
        along = kernels.displaced(x, start, flow, physics[DT], worm, ring, vertex)
        asked = kernels.vector(reply, worm, vertex)
        total -= vertices[vertex, kernels.WEIGHT] * (t.dot(asked) * along + t.dot(along) * asked)
    total *= (physics[kernels.NORMAL] - physics[kernels.TANGENTIAL]) / physics[DT]
    total = (total - t.dot(total) * t) / kernels.chord(start, size, tangent.shape[1], worm, ring).norm()
    for i in ti.static(range(3)):
        turn[worm, ring, i] = total[i]


@ti.func
def _gather_start(
    reply: T, tangent: T, vertices: T, planes: T, count: T, grip: T, size: T, physics: T, back: T, turn: T, bar: T,
    worm, ring,
):  # fmt: skip
    """Sums the contributions of slabs, drag, tangents and friction to the start of a ring's vertices."""
    t, last = kernels.vector(tangent, worm, ring), tangent.shape[1] - 1
    for local in range(size):
        vertex = ring * size + local
        asked = kernels.vector(reply, worm, vertex)
        total = -kernels.drag_of(asked, t, vertices[vertex, kernels.WEIGHT], physics)
        if local == 0:
            ahead = kernels.vector(turn, worm, ti.max(ring - 1, 0))
            behind = kernels.vector(turn, worm, ti.min(ring + 1, last))
            # The chords of the first and the last ring begin and end at these themselves.
            total += ti.select(ring > 0, 1.0, -1.0) * ahead - ti.select(ring < last, 1.0, -1.0) * behind
        if local >= size - SIDES:
            for k in range(count[worm, ring]):
                n = kernels.half_space(planes, worm, ring, k)
                total -= (grip[worm, ring, k] / physics[DT]) * (asked - n.dot(asked) * n)
        for i in ti.static(range(3)):
            if ring < last:
                total[i] += back[worm, ring, 3 * local + i]
            if ring > 0:
                total[i] += back[worm, ring - 1, ti.static(3 * size) + 3 * local + i]
            bar[worm, vertex, i] = total[i]


@ti.kernel
def pull_back_step(
    size: T, x: R3, start: R3, tension: R3, flow: R3, planes: R4, count: I2, grip: R3, physics: R1,
    corners: I3, elements: R3, slabs: R2, vertices: R2, strain: R4, tangent: R3, force: R3, scalars: R3, swell: R3,
    status: R2, stiffness: R3, residual: R2, direction: R2, reply: R3, back: R3, turn: R3,
    bar: R3, tension_bar: R3, bad: R1,
):  # fmt: skip
    """Replaces dL/dx of a step's end by dL/dx of its start; returns dL/dtension and the negative pivots."""
    kernels.freeze(start, corners, elements, size, strain, tangent)
    ti.loop_config(serialize=backend.serial)
    for worm, slab in ti.ndrange(x.shape[0], corners.shape[0]):
        tissue.forces_of_slab(
            x, tension, strain, corners, elements, slabs, size, physics[DT], physics[kernels.FALLOFF],
            physics[kernels.BRAKE], force, scalars, swell, worm, slab,
        )  # fmt: skip
    kernels.assemble(
        x, tangent, tension, strain, corners, elements, slabs, vertices,
        planes, count, grip, size, physics, scalars, swell, status, stiffness,
    )  # fmt: skip
    ti.loop_config(serialize=backend.serial)
    for worm in range(x.shape[0]):
        bad[worm] = banded.factor(stiffness, size, worm)
        for vertex in range(x.shape[1]):
            for i in ti.static(range(3)):
                residual[worm, 3 * vertex + i] = bar[worm, vertex, i]
        banded.substitute(stiffness, residual, direction, size, worm)
        for vertex in range(x.shape[1]):
            for i in ti.static(range(3)):
                reply[worm, vertex, i] = direction[worm, 3 * vertex + i]
    ti.loop_config(serialize=backend.serial)
    for worm, slab in ti.ndrange(x.shape[0], corners.shape[0]):
        _pull_slab(
            x, start, reply, tension, corners, elements, slabs, size, physics, back, tension_bar, worm, slab
        )  # fmt: skip
    ti.loop_config(serialize=backend.serial)
    for worm, ring in ti.ndrange(x.shape[0], tangent.shape[1]):
        _pull_chord(x, start, reply, tangent, vertices, flow, size, physics, turn, worm, ring)
    ti.loop_config(serialize=backend.serial)
    for worm, ring in ti.ndrange(x.shape[0], tangent.shape[1]):
        _gather_start(
            reply, tangent, vertices, planes, count, grip, size, physics, back, turn, bar, worm, ring
        )  # fmt: skip
