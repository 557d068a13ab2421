"""A step of all worms by Taichi's kernels: the reference, and what runs on a card."""

from __future__ import annotations

import numpy as np

from ..backend import zeros
from . import kernels, observe
from .arrays import Arrays
from .contact import ContactFinder
from .mesh import RingMesh
from .surroundings import Surroundings

ITERATIONS = 60
BACKTRACKS = 12
HALVINGS = 4  # of a step that fails


class KernelSteps:
    """Newton's method on the energy of a step, one launch an iteration for all worms.

    Attributes:
        iterations: taken so far.
        strain, force, swell, scalars, residual, direction, stiffness: what kernels compute on the way, see kernels.py.
    """

    def __init__(self, mesh: RingMesh, arrays: Arrays, around: Surroundings) -> None:
        """
        Args:
            mesh: of every worm.
            arrays: of the body.
            around: half-spaces and flow.
        """
        self._mesh, self._arrays, self._around = mesh, arrays, around
        self.iterations = 0
        worms, count = arrays.x.shape[0], len(mesh.vertices)
        self.strain = zeros(worms, mesh.slabs, mesh.tets.shape[1], 6)
        band = 6 * mesh.ring_size
        self.force, self.swell = (zeros(worms, mesh.slabs, band) for _ in range(2))
        self.scalars = zeros(worms, mesh.slabs, 4)
        self.residual, self.direction = (zeros(worms, 3 * count) for _ in range(2))
        self.stiffness = zeros(worms, 3 * count, band)
        self._held = zeros(worms, count, 3)
        # Views, so that reading them in a step allocates nothing.
        self._least, self._squared, self._moving, self._rejected = (
            arrays.status[:, column] for column in (kernels.LEAST, kernels.RESIDUAL, kernels.MOVING, kernels.REJECTED)
        )

    def remember(self) -> None:
        """Keeps the velocities of the last step while the next one is tried."""
        self._held.copy_from(self._arrays.velocity)

    def go_back(self) -> None:
        """Takes a step back that has failed; worms that had converged have the velocity of this step."""
        self._arrays.x.copy_from(self._arrays.start)
        self._arrays.velocity.copy_from(self._held)

    def minimise(self, tension: np.ndarray, predict: float) -> bool:
        """Takes one step of all worms; False if it fails for one.

        Args:
            tension: see SoftBody.step.
            predict: share of the displacement in the last step that the first guess is moved on by.
        """
        shared = self.shared(tension)
        kernels.begin_step(*shared, predict)
        for _ in range(ITERATIONS):
            if not self._least.min() > 0.0:
                return False
            if not self._moving.any():
                # Comparisons in kernels ignore NaN, so the residual of a converged worm must be tested here.
                return bool(self._squared.max() < np.inf)
            self.iterations += 1
            kernels.newton_step(*shared, self.direction, self.stiffness)
            if not self._line_search(shared):
                return False
        return False

    def _line_search(self, shared: tuple) -> bool:
        """Halves rejected moves until energy or residual has decreased; False if neither does."""
        for _ in range(BACKTRACKS):
            if not self._rejected.any():
                return True
            kernels.backtrack(*shared, self.direction)
        return False

    def shared(self, tension: np.ndarray) -> tuple:
        """Arguments shared by all kernels of a step."""
        its, around = self._arrays, self._around
        return (
            self._mesh.ring_size, its.x, its.start, its.velocity, its.tangent, tension, self.strain, its.corners,
            its.elements, its.slabs, its.vertices, around.flow, around.planes, around.contacts, around.grip,
            its.physics, self.force, self.scalars, self.swell, self.residual, its.status,
        )  # fmt: skip

    def measure(self) -> np.ndarray:
        """Scalars of every slab at rest, see tissue.ELASTIC, shape (worms, slabs, 4)."""
        its = self._arrays
        kernels.measure(
            self._mesh.ring_size, its.x, its.slack, self.strain, its.corners, its.elements, its.slabs, self.force,
            self.scalars, self.swell,
        )  # fmt: skip
        return self.scalars.to_numpy()

    def midline(self, origin: np.ndarray, out: np.ndarray) -> None:
        """See observe.read_midline."""
        observe.read_midline(self._arrays.x, origin, self._arrays.section, out)

    def side(self, side: int, out: np.ndarray) -> None:
        """See observe.read_side."""
        observe.read_side(self._arrays.x, self._arrays.section, side, out)

    def curvature(self, side: int, out: np.ndarray) -> None:
        """See observe.read_curvature."""
        observe.read_curvature(self._arrays.x, self._arrays.section, self._mesh.length, side, out)

    def nothing_near(self, origin: np.ndarray, finder: ContactFinder) -> bool:
        """False: kernels look for contacts in any case."""
        return False
