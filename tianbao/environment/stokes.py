"""Stokes flow around worms and bodies: regularized Stokeslets, free or above a no-slip wall.

Three levels: `velocities` and `mobility` are the basic sums. `Surface` resolves closed bodies by points on their
surface, to validate the others. `CentreLineFlow` is for worms in a simulation: one smoothed force per ring of the
body, fast enough for every step. Units: mm, s, uN; 1 Pa s is 1 uN s/mm2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .. import backend
from ..errors import ConfigError
from . import images
from .images import check_above, factor_of, mobility, ready, velocities
from .medium import Medium

# Blob radius over body radius. For a line of blobs of this width, a slender body moves across and along its axis as
# in slender-body theory: on the line, with l = log(4 s (L - s) / eps^2), it gives 8 pi mu u = (l + 2) f across
# and 2 l f along; theory (Johnson 1980, J. Fluid Mech. 99, 411) has l' + 1 and 2 l' - 2 with the radius for eps.
# Both require log(eps^2 / r^2) = 1.
BLOB_OVER_RADIUS = math.exp(0.5)
# Smallest blob radius over the length of a ring: the force of a pointed tip is spread at least over its own segment.
BLOB_OVER_LENGTH = 0.5
# The integral of 1/r over a plane, minus its sum over the points of a lattice of unit density except the one at the
# origin: 3.900 on a square and 3.921 on a triangular lattice (Epstein zeta function at 1/2).
LATTICE = 3.91
# Number of rings up to which the calling thread computes the sum alone: about half a millisecond.
_FEW_RINGS = 200
# Relaxation times the largest eigenvalue of drag times G: below the limit of 2, at which errors only alternate in sign.
_SAFE = 1.6


@dataclass(frozen=True, eq=False)
class Surface:
    """Closed bodies as points on their surface, for validation: a dense solve over all points.

    The force density q of a rigid body solves an integral of 1/r over its surface. The sum over all other points
    times their area lacks 3.91 q sqrt(area) for forces along the normal, 3/2 of that for tangential ones: the
    part of the integral that a lattice of unit density leaves out. This is added, and the error decreases at least
    with the area. A plain blob of a quarter of the spacing would add 8 instead, so that drags would be 2 to 7 % too
    low.

    Attributes:
        points: [mm], shape (n, 3).
        normals: unit vectors, shape (n, 3).
        areas: of surface per point, in cells as compact as possible [mm2], shape (n,).

    Limitations: gaps between bodies, or to a wall, must be wider than the spacing of the points.
    """

    points: np.ndarray
    normals: np.ndarray
    areas: np.ndarray

    @classmethod
    def spheroid(
        cls,
        half_length: float,
        radius: float,
        count: int,
        centre: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> Surface:
        """Ellipsoid of revolution about x: points of equal area on a spiral of the golden angle.

        Args:
            half_length: along x [mm].
            radius: across [mm].
            count: number of points; for 0.1 % a worm needs 400, a sphere 100.
            centre: [mm].
        """
        angle = np.linspace(0.0, np.pi, 4001)
        ring = 2.0 * np.pi * radius * np.sin(angle) * np.hypot(half_length * np.sin(angle), radius * np.cos(angle))
        area = np.concatenate([[0.0], np.cumsum(0.5 * (ring[1:] + ring[:-1]) * np.diff(angle))])
        k = np.arange(count) + 0.5
        at, turn = np.interp(k / count * area[-1], area, angle), np.pi * (1.0 + math.sqrt(5.0)) * k
        unit = np.column_stack([-np.cos(at), np.sin(at) * np.cos(turn), np.sin(at) * np.sin(turn)])
        axes = np.array([half_length, radius, radius])
        normals = unit / axes
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        return cls(unit * axes + np.asarray(centre, float), normals, np.full(count, area[-1] / count))

    def __add__(self, other: Surface) -> Surface:
        """Both bodies in the same fluid, the points of the first one first."""
        pairs = ((self.points, other.points), (self.normals, other.normals), (self.areas, other.areas))
        return Surface(*(np.concatenate(pair) for pair in pairs))

    @property
    def blobs(self) -> np.ndarray:
        """Blob radii for computing the flow of the forces with `velocities` [mm], shape (n,)."""
        return 2.0 * np.sqrt(self.areas) / LATTICE

    def mobility(self, viscosity: float, wall: float | None = None) -> np.ndarray:
        """Matrix from point forces to velocities on the surface [mm/(s uN)], shape (3 n, 3 n); see mobility."""
        matrix = mobility(self.points, 0.0, viscosity, wall)
        n = len(self.points)
        own = 1.5 * np.eye(3) - 0.5 * self.normals[:, :, None] * self.normals[:, None]
        own *= (factor_of(viscosity) * LATTICE / np.sqrt(self.areas))[:, None, None]
        blocks = matrix.reshape(n, 3, n, 3)
        blocks[np.arange(n), :, np.arange(n)] += own
        return matrix

    def forces(self, velocity: np.ndarray, viscosity: float, wall: float | None = None) -> np.ndarray:
        """Forces on the fluid that give the surface this velocity.

        Args:
            velocity: of the points [mm/s], shape (n, 3), or (3,) for all.
            viscosity: [Pa s].
            wall: height z of a no-slip wall [mm].

        Returns:
            [uN], shape (n, 3).
        """
        right = np.broadcast_to(np.asarray(velocity, float), self.points.shape).ravel()
        return np.linalg.solve(self.mobility(viscosity, wall), right).reshape(-1, 3)


@dataclass(frozen=True, eq=False)
class FlowPlane:
    """Velocity of the fluid on a grid in a horizontal plane.

    Attributes:
        x: columns of the grid [mm], shape (columns,).
        y: rows of the grid [mm], shape (rows,).
        height: z of the plane [mm].
        velocity: [mm/s], shape (rows, columns, 3).
    """

    x: np.ndarray
    y: np.ndarray
    height: float
    velocity: np.ndarray

    def table(self) -> np.ndarray:
        """One row per point: x, y, z [mm], velocity x, y, z [mm/s], shape (rows columns, 6)."""
        x, y = np.meshgrid(self.x, self.y)
        place = np.stack([x, y, np.full_like(x, self.height)], axis=-1)
        return np.concatenate([place, self.velocity], axis=-1).reshape(-1, 6)


class CentreLineFlow:
    """Effect on worms of the flow that they and others generate, beyond the local drag on each of their rings.

    A ring that exerts a force f on the fluid moves at v = G f, summed over all rings of all worms. The body already
    solves for v = u + f / (drag per length times length), the drag split across and along the axis, where u is the
    velocity of the medium. This class gives u = G f - f / drag from the forces of the last step, so that v = G f once
    the forces have converged. G uses one smoothed force per ring, whose blob follows from the radius by slender-body
    theory without fitted numbers (BLOB_OVER_RADIUS).

    Delaying u by a step is stable, for any step and any stiffness of the body, if all eigenvalues of drag
    times G are between 0 and 2. For one worm they are at most 1.0 if it is straight, 1.2 if tightly bent, and below
    0.7 near a wall. For three touching worms side by side they exceed 2, although worms without net force remain
    stable for up to about five; with `relaxation` below 2 / largest eigenvalue the iteration converges to the same
    solution. Smooth motions converge to a few percent within ten steps, ripples shorter than a third of the body
    later.

    Limitations: the rotation of a cross-section drags no fluid along, so that a swimmer is faster than one with a
    resolved surface, by a seventh at a wavelength of 1.5 L and by half at 0.65 L, as with local drag. If the axis of
    a worm is close to a wall, lubrication is underestimated: drag is 5 % too low at 1.5 diameters, 10 % at 1, 15 to
    30 % at 0.7.

    Source: Johnson 1980; Cortez, Fauci and Medovikov 2005; Ainley et al. 2008. Numbers from tests/test_stokes.py.
    """

    def __init__(
        self,
        radii: np.ndarray,
        lengths: np.ndarray,
        viscosity: float,
        *,
        medium: Medium | None = None,
        wall: float | None = None,
        reach: float | None = None,
    ) -> None:
        """
        Args:
            radii: of the rings of every worm [mm], shape (rings,).
            lengths: body length assigned to each ring in the drag [mm], shape (rings,).
            viscosity: of the fluid [Pa s].
            medium: whose drag the body solves with; that of an ellipsoid of the worm's size by default.
            wall: height z of a no-slip wall below the worms [mm]; none when None.
            reach: worms whose centroids are further apart do not feel each other [mm]; all do when None. Whole
                worms are left out, since the flow of a worm without net force fades faster than that of its parts.

        Raises:
            ConfigError: for lengths or a viscosity that are not positive, or shapes that differ.
        """
        self.radii, self.lengths = (np.array(values, float) for values in (radii, lengths))
        if self.radii.shape != self.lengths.shape or self.radii.ndim != 1:
            raise ConfigError(f"flow: radii {self.radii.shape} and lengths {self.lengths.shape} must be one per ring")
        if not ((self.lengths > 0.0).all() and (self.radii >= 0.0).all()):
            raise ConfigError("flow: every ring needs a positive length and a radius that is not negative")
        self.viscosity, self.wall = float(viscosity), wall
        self.medium = medium or Medium.ellipsoid(viscosity)
        self._blob2 = np.maximum(BLOB_OVER_RADIUS * self.radii, BLOB_OVER_LENGTH * self.lengths) ** 2
        self._physics = np.zeros(5)
        self._physics[images.FACTOR] = factor_of(viscosity)
        self._physics[images.NORMAL] = self.medium.drag_normal
        self._physics[images.TANGENTIAL] = self.medium.drag_tangential
        self._physics[images.WALL] = wall or 0.0
        self._physics[images.REACH] = np.inf if reach is None else reach
        ready()

    @property
    def blobs(self) -> np.ndarray:
        """Blob radius of each ring [mm], shape (rings,)."""
        return np.sqrt(self._blob2)

    def velocity(
        self,
        midline: np.ndarray,
        force: np.ndarray,
        previous: np.ndarray | None = None,
        relaxation: float = 1.0,
    ) -> np.ndarray:
        """Velocity of the medium for the body's next step.

        Args:
            midline: of all worms at present [mm], shape (worms, rings, 3).
            force: of each ring on the fluid in the last step [uN], same shape.
            previous: result for the last step [mm/s], same shape; needed if relaxation is not 1.
            relaxation: share of the change that is applied [-].

        Returns:
            [mm/s], shape (worms, rings, 3).

        Raises:
            ConfigError: for arrays of other shapes, or worms below the wall.
        """
        midline, force = self._worms(midline), self._worms(force)
        if force.shape != midline.shape:
            raise ConfigError(f"flow: force has shape {force.shape}, the midline {midline.shape}")
        check_above(self.wall, midline)
        out = np.empty_like(midline)
        alone = backend.serial and midline.shape[0] * midline.shape[1] <= _FEW_RINGS
        centres = np.ascontiguousarray(midline.mean(axis=1))
        images.worms_flow(
            midline, force, self._blob2, self.lengths, centres, self._physics, self.wall is not None, alone, out
        )  # fmt: skip
        if relaxation == 1.0:
            return out
        if previous is None:
            raise ConfigError("flow: relaxation needs the velocity of the last step")
        return previous + relaxation * (out - previous)

    def field(self, points: np.ndarray, midline: np.ndarray, force: np.ndarray) -> np.ndarray:
        """Velocity of the fluid at any points [mm/s], shape (n, 3).

        Args:
            points: [mm], shape (n, 3); inside a worm the flow is that of the smoothed forces.
            midline: [mm], shape (worms, rings, 3).
            force: of each ring on the fluid [uN], same shape.
        """
        midline, force = self._worms(midline), self._worms(force)
        blobs = np.tile(self.blobs, len(midline))
        return velocities(points, midline, force, blobs, self.viscosity, self.wall)

    def plane(
        self,
        midline: np.ndarray,
        force: np.ndarray,
        *,
        height: float | None = None,
        margin: float = 0.4,
        spacing: float = 0.02,
    ) -> FlowPlane:
        """Velocity in a horizontal plane around the worms.

        Args:
            midline: [mm], shape (worms, rings, 3).
            force: of each ring on the fluid [uN], same shape.
            height: of the plane [mm]; the mean height of the worms if None.
            margin: of fluid around the worms [mm].
            spacing: of the points [mm].
        """
        midline = self._worms(midline)
        low, high = midline.min(axis=(0, 1)) - margin, midline.max(axis=(0, 1)) + margin
        x, y = (np.linspace(a, b, 1 + math.ceil((b - a) / spacing)) for a, b in zip(low[:2], high[:2], strict=True))
        z = float(midline[..., 2].mean()) if height is None else height
        points = np.stack([*np.meshgrid(x, y), np.full((len(y), len(x)), z)], axis=-1)
        return FlowPlane(x, y, z, self.field(points, midline, force).reshape(points.shape))

    def mobility(self, midline: np.ndarray) -> np.ndarray:
        """G: matrix from all rings' forces to their velocities [mm/(s uN)], shape (3 worms rings,) squared."""
        midline = self._worms(midline)
        return mobility(midline, np.tile(self.blobs, len(midline)), self.viscosity, self.wall)

    def drag(self, midline: np.ndarray) -> np.ndarray:
        """The local drag of the body as a matrix, from velocities to forces on the fluid [uN s/mm]."""
        rings = self._ring_drag(self._worms(midline))
        n = len(rings)
        matrix = np.zeros((n, 3, n, 3))
        matrix[np.arange(n), :, np.arange(n)] = rings
        return matrix.reshape(3 * n, 3 * n)

    def eigenvalues(self, midline: np.ndarray) -> np.ndarray:
        """Eigenvalues of drag times G [-], ascending by real part; the delayed flow is stable if all are in 0 to 2."""
        return np.sort_complex(np.linalg.eigvals(self.drag(midline) @ self.mobility(midline)))

    def relaxation(self, midline: np.ndarray, rounds: int = 12) -> float:
        """Share of the change that keeps the delayed flow of these worms stable: 1 unless they are crowded.

        Power iteration on drag times G, which costs as much as `rounds` calls of velocity.
        """
        midline = self._worms(midline)
        drag, force = self._ring_drag(midline), np.ones_like(midline)
        largest = 1.0
        for _ in range(rounds):
            flow = self.velocity(midline, force)
            force = force + (drag @ flow.reshape(-1, 3, 1)).reshape(force.shape)
            largest = float(np.linalg.norm(force))
            force = force / largest
        return min(1.0, _SAFE / largest)

    def _ring_drag(self, midline: np.ndarray) -> np.ndarray:
        """Local drag of every ring [uN s/mm], shape (worms rings, 3, 3)."""
        along = np.empty_like(midline)
        along[:, 1:-1] = midline[:, 2:] - midline[:, :-2]
        along[:, 0], along[:, -1] = midline[:, 1] - midline[:, 0], midline[:, -1] - midline[:, -2]
        along = (along / np.linalg.norm(along, axis=-1, keepdims=True)).reshape(-1, 3)
        normal, tangential = self.medium.drag_normal, self.medium.drag_tangential
        rings = normal * np.eye(3) - (normal - tangential) * along[:, :, None] * along[:, None]
        return rings * np.tile(self.lengths, len(midline))[:, None, None]

    def _worms(self, values: np.ndarray) -> np.ndarray:
        values = np.ascontiguousarray(values, float)
        if values.ndim == 2:
            values = values[None]
        if values.ndim != 3 or values.shape[1:] != (len(self.radii), 3):
            raise ConfigError(f"flow: array of shape {values.shape}, not (worms, {len(self.radii)}, 3)")
        return values
