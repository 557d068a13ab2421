"""The soft body: what muscle tension does to the worm's shape and place."""

from __future__ import annotations

import numpy as np

from ..environment import Medium
from ..errors import ConfigError, DivergedError
from ..units import MS_PER_S
from . import banded, calibration, kernels, observe
from .backend import start, ti
from .material import Material
from .mesh import TETS_PER_SLAB, RingMesh
from .posture import bent

_ITERATIONS = 60
_BACKTRACKS = 12
_HALVINGS = 4
# Residual over drag force: one Newton iteration on agar, 6 nm from exact steps after 3 s of crawling.
_TOLERANCE = 5e-2
_RIGID_TOLERANCE = 1e-3
_ROUND_OFF = 1e-10
_ARMIJO = 1e-4


class SoftBody:
    """Overdamped soft worms: every step minimises energy plus dissipation (implicit Euler).

    Each slab has a shear modulus, one pressure for its volume (a fluid skeleton) and fibres along
    the axis in four quadrants. Newton's method with a banded Cholesky factor per worm.

    Limitations: no inertia, no contact, drag of a slender body only; the drag's direction is that
    of the body at the start of a step.

    Source: neo-Hookean energy with logarithmic barrier and Kelvin-Voigt dissipation on the
    Cauchy-Green tensor, both textbook; constants in body.csv and media.csv.
    """

    def __init__(
        self,
        mesh: RingMesh | None = None,
        material: Material | None = None,
        worms: int = 1,
        *,
        medium: Medium | None = None,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        """
        Args:
            mesh: the adult when not given.
            material: values of body.csv when not given.
            worms: number of independent worms, the leading axis of every array.
            medium: agar when not given.
            device: see backend.start.
            threads: CPU threads; worms and slabs are shared out among them.

        Raises:
            ConfigError: for no worm or a device that is not there.
        """
        if worms < 1:
            raise ConfigError(f"body: worms = {worms} must be at least 1")
        start(device, threads)
        self.mesh = mesh or RingMesh.adult()
        self.material = material or Material()
        self.medium = medium or Medium.named("agar")
        self.worms = worms
        self.time = 0.0
        self.iterations = 0
        self._load_mesh()
        self._allocate()
        self.positions = np.broadcast_to(self.mesh.vertices, (worms, *self.mesh.vertices.shape))

    def _load_mesh(self) -> None:
        mesh, material = self.mesh, self.material
        shear = calibration.shear_moduli(mesh, material)
        viscosity = 2.0 * shear * material.internal_viscosity_time / MS_PER_S
        self._force_floor = _ROUND_OFF * float(shear.max() * mesh.radii.max() ** 2)
        self._shift_unit = 1e-4 * float(shear.mean() * mesh.length / mesh.slabs)
        self._tets = _device(mesh.tets.astype(np.int32))
        self._fibres = _device(mesh.fibres.astype(np.int32))
        self._gradients = _device(mesh.gradients)
        self._volumes = _device(mesh.volumes)
        rest = mesh.volumes.sum(axis=1)
        self._slabs = _device(np.column_stack([shear, viscosity, material.bulk_ratio * shear, rest]))
        self._weights = _device(mesh.vertex_length)
        self._heights = _device(mesh.vertices[:, 2])

    def _allocate(self) -> None:
        worms, slabs, count = self.worms, self.mesh.slabs, len(self.mesh.vertices)
        self._x, self._start, self._velocity = (_zeros(worms, count, 3) for _ in range(3))
        self._tangent = _zeros(worms, slabs + 1, 3)
        self._strain = _zeros(worms, slabs, TETS_PER_SLAB, 6)
        self._force, self._swell = (_zeros(worms, slabs, banded.BAND) for _ in range(2))
        self._scalars = _zeros(worms, slabs, 4)
        self._residual, self._direction = (_zeros(worms, 3 * count) for _ in range(2))
        self._stiffness = _zeros(worms, 3 * count, banded.BAND)
        self._status = np.zeros((worms, kernels.STATUS))
        self._pivots = np.zeros(worms, np.int32)
        self._slope, self._shift = np.zeros(worms), np.zeros(worms)
        self._slack = np.zeros((worms, slabs, 4))

    # State

    @property
    def positions(self) -> np.ndarray:
        """Copy of the vertex positions [mm], shape (worms, vertices, 3); setting them stops the worm."""
        return self._x.to_numpy()

    @positions.setter
    def positions(self, value: np.ndarray) -> None:
        self._x.from_numpy(np.ascontiguousarray(value, dtype=float))
        self._velocity.fill(0.0)

    def state(self) -> dict[str, np.ndarray]:
        """Copies of everything the next step depends on: positions [mm], velocities [mm/s], time [ms]."""
        return {
            "positions": self._x.to_numpy(),
            "velocities": self._velocity.to_numpy(),
            "time": np.array(self.time),
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Goes back to a state; the same steps then give the same bits."""
        self._x.from_numpy(np.ascontiguousarray(state["positions"]))
        self._velocity.from_numpy(np.ascontiguousarray(state["velocities"]))
        self.time = float(state["time"])

    def pose(
        self,
        curvature: float | np.ndarray = 0.0,
        at: tuple[float, float] = (0.0, 0.0),
        heading: float = 0.0,
        worm: int = 0,
    ) -> None:
        """Puts one worm into a posture, at rest.

        Args:
            curvature: kappa L, positive towards dorsal [-], one value or shape (rings - 2,).
            at: centroid of the midline [mm].
            heading: direction from tail to head [rad].
            worm: which one.

        Raises:
            ConfigError: see posture.bent.
        """
        positions = self.positions
        positions[worm] = bent(self.mesh, curvature, at, heading)
        self.positions = positions

    # Observation

    def midline(self, out: np.ndarray | None = None) -> np.ndarray:
        """Centres of the rings, head first [mm], shape (worms, rings, 3), into out when given."""
        if out is None:
            out = np.empty((self.worms, self.mesh.rings, 3))
        observe.read_midline(self._x, out)
        return out

    def curvature(self, out: np.ndarray | None = None) -> np.ndarray:
        """Dorso-ventral curvature times rest length, positive towards dorsal [-].

        Args:
            out: filled when given, shape (worms, rings - 2).

        Returns:
            kappa L at the inner rings, shape (worms, rings - 2).
        """
        if out is None:
            out = np.empty((self.worms, self.mesh.rings - 2))
        observe.read_curvature(self._x, self.mesh.length, out)
        return out

    @property
    def curvature_positions(self) -> np.ndarray:
        """Body coordinate of each curvature value [-], nose 0 to tail 1, shape (rings - 2,)."""
        return np.arange(1, self.mesh.rings - 1) / self.mesh.slabs

    def tension_per_curvature(self) -> np.ndarray:
        """Dorsal minus ventral tension that bends a free body to kappa L = 1 [Pa], shape (slabs,)."""
        return calibration.tension_per_curvature(self.mesh, self.material)

    def volume(self) -> np.ndarray:
        """Volume of each worm [mm3], shape (worms,)."""
        return self._passive_scalars()[:, :, 3].sum(axis=1)

    def energy(self) -> np.ndarray:
        """Elastic energy of each worm [nJ = uN mm], shape (worms,)."""
        return self._passive_scalars()[:, :, 0].sum(axis=1)

    def net_force(self) -> np.ndarray:
        """Sum of the drag on each worm in the last step [uN], shape (worms, 3); zero but for round-off."""
        return -self._status[:, kernels.NET]

    def _passive_scalars(self) -> np.ndarray:
        self._slab_forces(self._slack, np.inf)
        return self._scalars.to_numpy()

    # Stepping

    def step(self, tension: np.ndarray, duration: float) -> None:
        """Moves all worms on.

        Args:
            tension: of the fibres of each quadrant DL, DR, VL, VR [Pa], shape (worms, slabs, 4), float64.
            duration: [ms].

        Raises:
            ConfigError: for a tension of the wrong shape or type, or a duration that is not positive.
            DivergedError: when no step as short as a sixteenth of the duration can be solved.
        """
        if tension.shape != self._slack.shape or tension.dtype != np.float64:
            raise ConfigError(
                f"body: tension is {tension.dtype} {tension.shape}; give float64 {self._slack.shape}"
            )
        if not duration > 0.0:
            raise ConfigError(f"body: a step of {duration:g} ms cannot be taken; give a positive duration")
        self._advance(np.ascontiguousarray(tension), duration, _HALVINGS)

    def _advance(self, tension: np.ndarray, duration: float, halvings: int) -> None:
        seconds = duration / MS_PER_S
        for predict in (1.0, 0.0):
            if self._minimise(tension, seconds, predict):
                kernels.end_step(self._x, self._start, self._velocity, seconds)
                self.time += duration
                return
            self._x.copy_from(self._start)
        if halvings == 0 or not np.isfinite(tension).all():
            raise DivergedError(self._lament(tension, duration))
        self._advance(tension, 0.5 * duration, halvings - 1)
        self._advance(tension, 0.5 * duration, halvings - 1)

    def _minimise(self, tension: np.ndarray, seconds: float, predict: float) -> bool:
        """Newton's method on the energy of one step; False when it fails."""
        kernels.begin_step(
            self._x, self._start, self._velocity, self._tangent, self._strain, self._tets, self._gradients,
            seconds, predict,
        )  # fmt: skip
        self._evaluate(tension, seconds)
        self._shift[:] = 0.0
        for _ in range(_ITERATIONS):
            if not (self._status[:, kernels.LEAST] > 0.0).all():
                return False
            moving = ~self._converged()
            if not moving.any():
                return True
            self.iterations += 1
            self._find_direction(tension, seconds)
            sound = self._pivots == 0
            if not self._line_search(tension, seconds, moving & sound):
                return False
            self._shift[sound] *= 0.1
            self._shift[self._shift < self._shift_unit] = 0.0
            self._shift[~sound] = np.maximum(10.0 * self._shift[~sound], self._shift_unit)
        return False

    def _converged(self) -> np.ndarray:
        status = self._status
        drag = np.sqrt(status[:, kernels.DRAG])
        # A shifted matrix holds back rigid motion; small residuals alone would not show it.
        net = np.linalg.norm(status[:, kernels.NET], axis=1)
        balanced = net <= _RIGID_TOLERANCE * drag + self._force_floor
        return balanced & (np.sqrt(status[:, kernels.RESIDUAL]) <= _TOLERANCE * drag + self._force_floor)

    def _line_search(self, tension: np.ndarray, seconds: float, moving: np.ndarray) -> bool:
        """Walks the Newton direction until energy or residual has dropped; False when neither does."""
        before = self._status.copy()
        share = moving.astype(float)
        change = share.copy()
        for _ in range(_BACKTRACKS):
            kernels.advance(self._x, self._direction, change)
            self._evaluate(tension, seconds)
            allowed = before[:, kernels.ENERGY] + _ARMIJO * share * self._slope
            lower = self._status[:, kernels.ENERGY] <= allowed
            lower |= self._status[:, kernels.RESIDUAL] < before[:, kernels.RESIDUAL]
            failed = moving & ~(lower & (self._status[:, kernels.LEAST] > 0.0))
            if not failed.any():
                return True
            change = np.where(failed, -0.5 * share, 0.0)
            share += change
        return False

    def _find_direction(self, tension: np.ndarray, seconds: float) -> None:
        kernels.assemble(
            self._x, tension, self._strain, self._tangent, self._tets, self._fibres, self._gradients,
            self._volumes, self._slabs, self._weights, seconds, *self._resistance(), self._shift,
            self._scalars, self._swell, self._stiffness,
        )  # fmt: skip
        banded.factor_and_solve(self._stiffness, self._residual, self._direction, self._slope, self._pivots)

    def _evaluate(self, tension: np.ndarray, seconds: float) -> None:
        self._slab_forces(tension, seconds)
        kernels.gather(
            self._x, self._start, self._tangent, self._weights, self._heights, self._force, self._scalars,
            seconds, *self._resistance(), self._residual, self._status,
        )  # fmt: skip

    def _slab_forces(self, tension: np.ndarray, seconds: float) -> None:
        kernels.slab_forces(
            self._x, tension, self._strain, self._tets, self._fibres, self._gradients, self._volumes,
            self._slabs, seconds, self._force, self._scalars, self._swell,
        )  # fmt: skip

    def _resistance(self) -> tuple[float, float, float]:
        medium = self.medium
        return medium.drag_normal, medium.drag_tangential, medium.surface_stiffness

    def _lament(self, tension: np.ndarray, duration: float) -> str:
        """Sentence for a step that could not be solved: when, where, what to do."""
        finite = np.isfinite(tension)
        if not finite.all():
            worm, slab, _ = np.argwhere(~finite)[0]
            return f"body: tension of worm {worm}, slab {slab} is not finite at {self.time:g} ms"
        self._slab_forces(self._slack, np.inf)
        least = np.nan_to_num(self._scalars.to_numpy()[:, :, 2], nan=-np.inf)
        worm, slab = np.unravel_index(least.argmin(), least.shape)
        return (
            f"body: no step of {duration:g} ms can be solved at {self.time:g} ms; worst is worm {worm}, "
            f"slab {slab} (least volume ratio {least[worm, slab]:.3g}): shorten the tick or lower the tension"
        )


def _zeros(*shape: int) -> ti.ndarray:
    array = ti.ndarray(ti.f64, shape=shape)
    array.fill(0.0)
    return array


def _device(values: np.ndarray) -> ti.ndarray:
    values = np.ascontiguousarray(values)
    array = ti.ndarray(ti.i32 if values.dtype == np.int32 else ti.f64, shape=values.shape)
    array.from_numpy(values)
    return array
