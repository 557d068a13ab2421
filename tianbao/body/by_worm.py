"""The kernels of a step for CPUs: one task per worm does all of a kernel's work on it, so that threads meet once.

The same functions in the same order for each worm as in kernels.py, which splits worms into their parts for the many
threads of a card; no number depends on which of the two is used.
"""
# Annotations are read at run time by the kernel compiler: no postponed evaluation here.

from .. import backend
from ..backend import I2, I3, R1, R2, R3, R4, T, ti
from . import kernels
from .kernels import BRAKE, DT, FALLOFF
from .tissue import forces_of_slab, pressure_stiffness, stiffness_of_slab


@ti.func
def _evaluate(
    x: T, start: T, velocity: T, tangent: T, tension: T, strain: T, corners: T, elements: T, slabs: T, vertices: T,
    flow: T, planes: T, count: T, grip: T, size: T, physics: T, force: T, scalars: T, swell: T, residual: T, status: T,
    worm,
):  # fmt: skip
    for slab in range(corners.shape[0]):
        forces_of_slab(
            x, tension, strain, corners, elements, slabs, size, physics[DT], physics[FALLOFF], physics[BRAKE],
            force, scalars, swell, worm, slab,
        )  # fmt: skip
    kernels.sum_up(
        x, start, tangent, vertices, flow, planes, count, grip, size, physics, force, scalars, residual, status, worm
    )
    kernels.judge(x, start, velocity, physics[DT], status, worm)


@ti.func
def _move(x: T, direction: T, status: T, worm):
    for vertex in range(x.shape[1]):
        kernels.move_vertex(x, direction, status, worm, vertex)


@ti.kernel
def begin_step(
    size: T, x: R3, start: R3, velocity: R3, tangent: R3, tension: R3, strain: R4, corners: I3, elements: R3,
    slabs: R2, vertices: R2, flow: R3, planes: R4, count: I2, grip: R3, physics: R1, force: R3, scalars: R3,
    swell: R3, residual: R2, status: R2, predict: ti.f64,
):  # fmt: skip
    """See kernels.begin_step."""
    ti.loop_config(serialize=backend.serial)
    for worm, lane in ti.ndrange(x.shape[0], backend.lanes):
        if lane == 0:
            for slab in range(corners.shape[0]):
                kernels.freeze_slab(x, corners, elements, size, strain, worm, slab)
            for ring in range(tangent.shape[1]):
                kernels.freeze_ring(x, size, tangent, worm, ring)
            for ring in range(tangent.shape[1]):
                kernels.take_hold(x, velocity, planes, count, grip, size, physics, worm, ring)
            for vertex in range(x.shape[1]):
                kernels.begin_vertex(x, start, velocity, physics, status, predict, worm, vertex)
            _evaluate(
                x, start, velocity, tangent, tension, strain, corners, elements, slabs, vertices,
                flow, planes, count, grip, size, physics, force, scalars, swell, residual, status, worm,
            )  # fmt: skip


@ti.kernel
def newton_step(
    size: T, x: R3, start: R3, velocity: R3, tangent: R3, tension: R3, strain: R4, corners: I3, elements: R3,
    slabs: R2, vertices: R2, flow: R3, planes: R4, count: I2, grip: R3, physics: R1, force: R3, scalars: R3,
    swell: R3, residual: R2, status: R2, direction: R2, stiffness: R3,
):  # fmt: skip
    """See kernels.newton_step."""
    ti.loop_config(serialize=backend.serial)
    for worm, lane in ti.ndrange(x.shape[0], backend.lanes):
        if lane == 0:
            for ring in range(tangent.shape[1]):
                pressure_stiffness(slabs, swell, stiffness, size, worm, ring)
                kernels.outside_stiffness(
                    x, tangent, vertices, planes, count, grip, size, physics, stiffness,
                    status[worm, kernels.SHIFT], worm, ring,
                )  # fmt: skip
            for first in range(2):
                for k in range((corners.shape[0] - first + 1) // 2):
                    stiffness_of_slab(
                        x, tension, strain, corners, elements, slabs, size, physics[DT], physics[FALLOFF],
                        physics[BRAKE], scalars, stiffness, worm, first + 2 * k,
                    )  # fmt: skip
            kernels.aim(stiffness, residual, direction, status, size, worm)
            _move(x, direction, status, worm)
            _evaluate(
                x, start, velocity, tangent, tension, strain, corners, elements, slabs, vertices,
                flow, planes, count, grip, size, physics, force, scalars, swell, residual, status, worm,
            )  # fmt: skip


@ti.kernel
def backtrack(
    size: T, x: R3, start: R3, velocity: R3, tangent: R3, tension: R3, strain: R4, corners: I3, elements: R3,
    slabs: R2, vertices: R2, flow: R3, planes: R4, count: I2, grip: R3, physics: R1, force: R3, scalars: R3,
    swell: R3, residual: R2, status: R2, direction: R2,
):  # fmt: skip
    """See kernels.backtrack."""
    ti.loop_config(serialize=backend.serial)
    for worm, lane in ti.ndrange(x.shape[0], backend.lanes):
        if lane == 0:
            _move(x, direction, status, worm)
            _evaluate(
                x, start, velocity, tangent, tension, strain, corners, elements, slabs, vertices,
                flow, planes, count, grip, size, physics, force, scalars, swell, residual, status, worm,
            )  # fmt: skip
