"""Flow of smoothed point forces in a viscous fluid, free or above a no-slip wall, and sums over such forces.

A force spread over a blob of radius eps, density 15 eps^4 / (8 pi (r^2 + eps^2)^(7/2)), drives a flow that is
finite everywhere (Cortez, Fauci and Medovikov 2005, Phys. Fluids 17, 031504). A wall adds images below it that
make the velocity at the wall vanish for every eps (Ainley, Durkin, Embid, Boindala and Cortez 2008, J. Comput. Phys.
227, 4600; for eps = 0 Blake 1971). Velocities in the kernels lack the factor 1 / (8 pi viscosity). Every sum is
computed by a single thread in a fixed order. Units: mm, uN, Pa s.
"""
# Annotations are read at run time by the kernel compiler: no postponed evaluation here.

import contextlib
import math

import numpy as np

from .. import backend
from ..backend import R1, R2, R3, T, Vec3, ti
from ..errors import ConfigError

# Scalar arguments of the sum over worms: factor 1 / (8 pi viscosity) [1/(Pa s)], drag per length across and
# along [N s/m2], height of the wall [mm], largest distance between worms that interact [mm].
FACTOR, NORMAL, TANGENTIAL, WALL, REACH = range(5)


@ti.func
def stokeslet(r, blob2, force):
    """Flow at r from a smoothed force at the origin; blob2 is eps^2 [mm2]. Cortez et al. 2005, eq. 10."""
    q = r.dot(r) + blob2
    inverse = 1.0 / ti.sqrt(q)
    return (inverse / q) * ((q + blob2) * force + r.dot(force) * r)


@ti.func
def image(r, height, blob2, force):
    """Flow added by a wall: r points from the image of the source, `height` is that of the source above the wall.

    A counter-force, a source doublet with the blob 3 eps^2 / (4 pi (r^2 + eps^2)^(5/2)), a force doublet and
    the rotlets by which the two blobs differ. Ainley et al. 2008, in the form of Smith 2009, Proc. R. Soc. A
    465, 3605.
    """
    q = r.dot(r) + blob2
    i1 = 1.0 / ti.sqrt(q)
    i3 = i1 / q
    i5 = i3 / q
    up = Vec3(0.0, 0.0, 1.0)
    mirrored = Vec3(force[0], force[1], -force[2])
    rf, rm = r.dot(force), r.dot(mirrored)
    counter = i3 * ((q + blob2) * force + rf * r)
    doublet = i3 * mirrored - 3.0 * i5 * (rm * r + blob2 * mirrored)
    forces = i3 * (2.0 * rm * up + mirrored[2] * r + r[2] * mirrored)
    forces -= 3.0 * rm * i5 * ((q + blob2) * up + r[2] * r)
    rotlets = 3.0 * blob2 * i5 * (rf * up - r[2] * force)
    return 2.0 * height * (height * doublet - forces - rotlets) - counter


@ti.func
def point_flow(at, source, blob2, force, wall, walled: T):
    """Flow at a point from a smoothed force, times 8 pi viscosity, with images if there is a wall."""
    u = stokeslet(at - source, blob2, force)
    if ti.static(walled):
        height = source[2] - wall
        u += image(at - source + Vec3(0.0, 0.0, 2.0 * height), height, blob2, force)
    return u


@ti.func
def _at(values: T, k):
    return Vec3(values[k, 0], values[k, 1], values[k, 2])


@ti.func
def _on(values: T, worm, ring):
    return Vec3(values[worm, ring, 0], values[worm, ring, 1], values[worm, ring, 2])


@ti.kernel
def sum_points(points: R2, sources: R2, forces: R2, blob2: R1, wall: ti.f64, walled: T, out: R2):
    """Flow at points from smoothed forces."""
    for k in range(points.shape[0]):
        total = Vec3(0.0)
        for j in range(sources.shape[0]):
            total += point_flow(_at(points, k), _at(sources, j), blob2[j], _at(forces, j), wall, walled)
        for i in ti.static(range(3)):
            out[k, i] = total[i]


@ti.kernel
def fill_matrix(points: R2, sources: R2, blob2: R2, wall: ti.f64, walled: T, out: R2):
    """Flow at points (rows 3 k + i) from unit forces (columns 3 j + i) with a blob for every pair.

    A point without a blob at its own source is affected only by the images: the flow itself diverges there.
    """
    for k, j in ti.ndrange(points.shape[0], sources.shape[0]):
        at, source, e2 = _at(points, k), _at(sources, j), blob2[k, j]
        apart = (at - source).norm_sqr() + e2 > 0.0
        for column in ti.static(range(3)):
            force = Vec3(0.0)
            force[column] = 1.0
            u = Vec3(0.0)
            if apart:
                u = stokeslet(at - source, e2, force)
            if ti.static(walled):
                height = source[2] - wall
                u += image(at - source + Vec3(0.0, 0.0, 2.0 * height), height, e2, force)
            for i in ti.static(range(3)):
                out[3 * k + i, 3 * j + column] = u[i]


@ti.func
def _tangent(midline: T, worm, ring):
    ahead, behind = ti.max(ring - 1, 0), ti.min(ring + 1, midline.shape[1] - 1)
    return (_on(midline, worm, behind) - _on(midline, worm, ahead)).normalized()


@ti.func
def _ring(midline: T, force: T, blob2: T, lengths: T, centres: T, physics: T, walled: T, worm, ring):
    """Flow of all worms at a ring beyond what the local drag of the ring accounts for [mm/s]."""
    at, total = _on(midline, worm, ring), Vec3(0.0)
    for other in range(midline.shape[0]):
        if (_at(centres, other) - _at(centres, worm)).norm_sqr() <= physics[REACH] ** 2:
            for k in range(midline.shape[1]):
                e2 = 0.5 * (blob2[ring] + blob2[k])
                source, f = _on(midline, other, k), _on(force, other, k)
                total += point_flow(at, source, e2, f, physics[WALL], walled)
    t, own = _tangent(midline, worm, ring), _on(force, worm, ring) / lengths[ring]
    along = own.dot(t) * t
    return physics[FACTOR] * total - (own - along) / physics[NORMAL] - along / physics[TANGENTIAL]


@ti.kernel
def worms_flow(
    midline: R3, force: R3, blob2: R1, lengths: R1, centres: R2, physics: R1, walled: T, alone: T, out: R3
):  # fmt: skip
    """Nonlocal flow at every ring; `alone` computes a small number of rings on the calling thread."""
    ti.loop_config(serialize=alone)
    for worm, ring in ti.ndrange(midline.shape[0], midline.shape[1]):
        u = _ring(midline, force, blob2, lengths, centres, physics, walled, worm, ring)
        for i in ti.static(range(3)):
            out[worm, ring, i] = u[i]


def velocities(
    points: np.ndarray,
    sources: np.ndarray,
    forces: np.ndarray,
    blobs: float | np.ndarray,
    viscosity: float,
    wall: float | None = None,
) -> np.ndarray:
    """Velocity of the fluid at points, driven by smoothed forces.

    Args:
        points: [mm], shape (n, 3).
        sources: points at which the forces act [mm], shape (m, 3).
        forces: on the fluid [uN], shape (m, 3).
        blobs: radius over which each force is spread [mm], shape (m,) or one for all; not zero at a source.
        viscosity: [Pa s].
        wall: height z of a no-slip wall below everything [mm]; no wall if None.

    Returns:
        [mm/s], shape (n, 3).

    Raises:
        ConfigError: for a point below the wall, or a viscosity that is not positive.

    Source: Cortez, Fauci and Medovikov 2005; with a wall Ainley et al. 2008.
    """
    points, sources, forces = (_rows(values) for values in (points, sources, forces))
    factor = factor_of(viscosity)
    check_above(wall, points, sources)
    blob2 = np.ascontiguousarray(np.broadcast_to(np.asarray(blobs, float) ** 2, len(sources)))
    out = np.empty_like(points)
    ready()
    sum_points(points, sources, forces, blob2, wall or 0.0, wall is not None, out)
    return factor * out


def mobility(
    points: np.ndarray,
    blobs: float | np.ndarray,
    viscosity: float,
    wall: float | None = None,
) -> np.ndarray:
    """Matrix from forces at points to velocities at the same points.

    The blob of a pair has the mean square radius of the two, as for Gaussian blobs, so that the
    matrix is symmetric, also with a wall. Points without a blob do not act on themselves.

    Args:
        points: [mm], shape (n, 3).
        blobs: radius of each blob [mm], shape (n,) or one for all.
        viscosity: [Pa s].
        wall: height z of a no-slip wall below the points [mm]; no wall if None.

    Returns:
        [mm/(s uN)], shape (3 n, 3 n), ordered x, y, z of the first point and so on.

    Raises:
        ConfigError: see velocities.
    """
    points, factor = _rows(points), factor_of(viscosity)
    check_above(wall, points)
    square = np.broadcast_to(np.asarray(blobs, float) ** 2, len(points))
    out = np.empty((points.size, points.size))
    ready()
    blob2 = 0.5 * (square[:, None] + square)
    fill_matrix(points, points, blob2, wall or 0.0, wall is not None, out)
    return factor * out


def ready() -> None:
    """Starts the kernels on the CPU, unless they already run on some device."""
    with contextlib.suppress(ConfigError):
        backend.start()


def _rows(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, float).reshape(-1, 3)


def factor_of(viscosity: float) -> float:
    """1 / (8 pi viscosity) [1/(Pa s)].

    Raises:
        ConfigError: for a viscosity that is not positive.
    """
    if not 0.0 < viscosity < math.inf:
        raise ConfigError(f"flow: viscosity = {viscosity:g} Pa s must be a positive number")
    return 1.0 / (8.0 * math.pi * viscosity)


def check_above(wall: float | None, *places: np.ndarray) -> None:
    """Raises ConfigError if a point is below the wall or not finite."""
    lowest = min(place[..., 2].min(initial=math.inf) for place in places)
    if wall is not None and not lowest >= wall:
        raise ConfigError(f"flow: a point at z = {lowest:g} mm lies below the wall at {wall:g} mm")
