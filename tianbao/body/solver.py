"""The soft body: how muscle tension changes the shape and position of the worm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..backend import array, start, zeros
from ..environment import Medium, Obstacle
from ..environment.stokes import CentreLineFlow
from ..errors import ConfigError, DivergedError, unknown
from ..units import MG_PER_MM3_KG_M3, MS_PER_S
from . import by_worm, calibration, kernels, observe, tissue
from .material import Material, constant
from .mesh import RingMesh
from .posture import bent, frame_of, of_shape
from .surroundings import Surroundings

# Residual over drag force: one Newton iteration for 4 ms on agar, two for 10 ms, three for 2 ms in water.
TOLERANCE = 1e-3
_ITERATIONS = 60
_BACKTRACKS = 12
_HALVINGS = 4
_ROUND_OFF = 1e-11
_SIDES = {"dorsal": observe.DORSAL, "right": observe.RIGHT}


class SoftBody:
    """Overdamped soft worms: every step minimises energy plus dissipation (implicit Euler).

    Each slab has a shear modulus, one pressure for its volume (a hydrostatic skeleton), a cuticle that keeps its
    length and fibres along the axis in four quadrants. Newton's method with a banded Cholesky factor per worm.

    Limitations: no inertia; between worms, contact lags by one step; drag of a slender body only, in the
    direction of the body at the start of a step. A step that fails for one worm is tried again for all, and they
    then differ from what they do alone, within `tolerance`.

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
        gravity: float = 0.0,
        obstacles: Sequence[Obstacle] = (),
        touching: bool = False,
        resolved: bool = False,
        tolerance: float = TOLERANCE,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        """
        Args:
            mesh: the adult by default.
            material: values of body.csv by default.
            worms: number of independent worms, the leading axis of every array.
            medium: agar by default.
            gravity: towards smaller z [m/s2]; on agar the surface film balances it.
            obstacles: that the worms cannot enter.
            touching: whether the worms are in one arena, where they touch each other and themselves;
                otherwise each is alone.
            resolved: whether they feel the flow that they generate, beyond the drag of a slender body;
                Newtonian media only. A level floor among the obstacles is then a no-slip wall.
            tolerance: residual force over drag force below which a step counts as solved [-].
            device: see backend.start.
            threads: see backend.start.

        Raises:
            ConfigError: for no worm or a device that is not there.
        """
        if worms < 1 or worms != int(worms):
            raise ConfigError(f"body: worms = {worms} must be a whole number from 1")
        if not (0.0 < tolerance < 1.0 and np.isfinite(gravity)):
            raise ConfigError(f"body: tolerance = {tolerance} must lie in 0 to 1, gravity = {gravity} be a number")
        start(device, threads)
        self._steps = by_worm if device == "cpu" else kernels
        self.mesh = mesh or RingMesh.adult()
        self.material = material or Material()
        self.medium = medium or Medium.named("agar")
        self.gravity = gravity
        self.tolerance = tolerance
        self.worms = worms
        self.time = 0.0
        self.iterations = 0
        self._load_mesh()
        self._allocate()
        self._around = Surroundings(self.mesh, worms, self.medium, obstacles, touching, resolved)
        self._origin = np.zeros((worms, 3))
        self.positions = np.broadcast_to(self.mesh.vertices, (worms, *self.mesh.vertices.shape))

    def _load_mesh(self) -> None:
        mesh, material = self.mesh, self.material
        shear = calibration.shear_moduli(mesh, material)
        viscosity = 2.0 * shear * material.internal_viscosity_time / MS_PER_S
        self._limits = {
            kernels.FORCE_FLOOR: _ROUND_OFF * float(shear.max() * mesh.radii.max() ** 2),
            kernels.SHIFT_UNIT: 1e-4 * float(shear.mean() * mesh.length / mesh.slabs),
        }
        rising = np.argsort(mesh.tets, axis=-1)
        tets = np.take_along_axis(mesh.tets, rising, axis=-1)
        gradients = np.take_along_axis(mesh.gradients, rising[..., None], axis=-2)
        flat = gradients.reshape(*mesh.volumes.shape, tissue.VOLUME)
        self._corners = array(np.concatenate([tets, mesh.fibres[..., None]], axis=-1).astype(np.int32))
        self._elements = array(np.concatenate([flat, mesh.volumes[..., None]], axis=-1))
        rest, long = mesh.volumes.sum(axis=1), np.full(mesh.slabs, mesh.length / mesh.slabs)
        springs = calibration.axial_springs(mesh, material)
        self._slabs = array(np.column_stack([shear, viscosity, material.bulk_ratio * shear, rest, springs, long]))
        self._section = array(observe.section_weights(mesh.section))
        volume = np.zeros(len(mesh.vertices))
        world = mesh.tets + mesh.ring_size * np.arange(mesh.slabs)[:, None, None]
        np.add.at(volume, world, 0.25 * mesh.volumes[..., None])
        excess = (constant("density") - self.medium.density) * MG_PER_MM3_KG_M3
        self._vertices = array(np.column_stack([mesh.vertex_length, mesh.vertices[:, 2], excess * volume]))

    def _allocate(self) -> None:
        worms, slabs, count = self.worms, self.mesh.slabs, len(self.mesh.vertices)
        self._x, self._start, self._velocity, self._held = (zeros(worms, count, 3) for _ in range(4))
        self._tangent = zeros(worms, slabs + 1, 3)
        self._strain = zeros(worms, slabs, self.mesh.tets.shape[1], 6)
        band = 6 * self.mesh.ring_size
        self._force, self._swell = (zeros(worms, slabs, band) for _ in range(2))
        self._scalars = zeros(worms, slabs, 4)
        self._residual, self._direction = (zeros(worms, 3 * count) for _ in range(2))
        self._stiffness = zeros(worms, 3 * count, band)
        self._physics = np.zeros(kernels.PHYSICS)
        self._physics[kernels.PUSH] = constant("contact_stiffness")
        self._physics[kernels.MARGIN] = constant("contact_margin")
        self._physics[kernels.SLOWEST] = constant("slowest_slip")
        self._status = np.zeros((worms, kernels.STATUS))
        for column, limit in self._limits.items():
            self._status[:, column] = limit
        # Views, so that reading them in a step allocates nothing.
        self._least, self._squared, self._moving, self._rejected = (
            self._status[:, column]
            for column in (kernels.LEAST, kernels.RESIDUAL, kernels.MOVING, kernels.REJECTED)
        )
        self._slack = np.zeros((worms, slabs, 4))

    @property
    def positions(self) -> np.ndarray:
        """Copy of the vertex positions [mm], shape (worms, vertices, 3); setting them stops the worm."""
        return self._x.to_numpy() + self._origin[:, None]

    @positions.setter
    def positions(self, value: np.ndarray) -> None:
        value = of_shape("positions", value, (self.worms, *self.mesh.vertices.shape))
        self._origin[:] = frame_of(value)
        self._x.from_numpy(np.ascontiguousarray(value - self._origin[:, None]))
        self._velocity.fill(0.0)
        self._around.change(wake=np.zeros_like(self._around.wake))
        self._around.load[:] = 0.0

    def _follow(self) -> None:
        """Moves the frames of far worms along with them, in whole millimetres; those of the others stay as they are."""
        x = self._x.to_numpy()
        shift = frame_of(x) * (self._status[:, kernels.FAR] != 0.0)[:, None]
        self._x.from_numpy(x - shift[:, None])
        self._origin += shift

    def state(self) -> dict[str, np.ndarray]:
        """Copies of everything the next step depends on: positions from an origin [mm], velocities [mm/s] and more."""
        return {
            "positions": self._x.to_numpy(),
            "origin": self._origin.copy(),
            "far": self._status[:, kernels.FAR].copy(),
            "velocities": self._velocity.to_numpy(),
            "flow": self._around.given.copy(),
            "wake": self._around.wake.copy(),
            "load": self._around.load.copy(),
            "time": np.array(self.time),
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Restores a state; the same steps then give bit-identical results."""
        self._x.from_numpy(np.ascontiguousarray(state["positions"]))
        self._velocity.from_numpy(np.ascontiguousarray(state["velocities"]))
        self._origin[:] = state["origin"]
        self._status[:, kernels.FAR] = state["far"]
        self._around.change(given=np.array(state["flow"]), wake=np.array(state["wake"]))
        self.time = float(state["time"])
        self._around.load[:] = state["load"]

    def pose(
        self,
        curvature: float | np.ndarray = 0.0,
        at: tuple[float, ...] = (0.0, 0.0),
        heading: float = 0.0,
        worm: int = 0,
    ) -> None:
        """Puts one worm into a posture, at rest.

        Args:
            curvature: kappa L, positive towards dorsal [-], one value or shape (rings - 2,).
            at: centroid of the midline [mm], x, y and, unless it is 0, z.
            heading: direction from tail to head [rad].
            worm: its number.

        Raises:
            ConfigError: see posture.bent.
        """
        if not 0 <= worm < self.worms:
            raise ConfigError(f"body: there is no worm {worm}; it has {self.worms}, counted from 0")
        placed = bent(self.mesh, curvature, at, heading)
        self._origin[worm] = frame_of(placed[None])[0]
        x, velocity, wake = self._x.to_numpy(), self._velocity.to_numpy(), self._around.wake.copy()
        x[worm], velocity[worm], wake[worm], self._around.load[worm] = placed - self._origin[worm], 0.0, 0.0, 0.0
        self._x.from_numpy(x)
        self._velocity.from_numpy(velocity)
        self._around.change(wake=wake)

    def midline(self, out: np.ndarray | None = None) -> np.ndarray:
        """Centres of the rings, head first [mm], shape (worms, rings, 3), into out when given."""
        if out is None:
            out = np.empty((self.worms, self.mesh.rings, 3))
        observe.read_midline(self._x, self._origin, self._section, out)
        return out

    def dorsal(self, out: np.ndarray | None = None) -> np.ndarray:
        """Unit vectors towards dorsal at the rings [-], shape (worms, rings, 3), into out when given."""
        if out is None:
            out = np.empty((self.worms, self.mesh.rings, 3))
        observe.read_side(self._x, self._section, observe.DORSAL, out)
        return out

    def overlap(self) -> float:
        """Depth of overlap with obstacles or other worms, with the radii at rest [mm]; 0 without overlap."""
        return self._around.overlap(self.midline(), self.mesh.radii)

    def curvature(self, out: np.ndarray | None = None, side: str = "dorsal") -> np.ndarray:
        """Curvature times rest length, positive towards a side of the worm's own body [-].

        Args:
            out: filled when given, shape (worms, rings - 2).
            side: "dorsal" or "right".

        Returns:
            kappa L at the inner rings, shape (worms, rings - 2).
        """
        if side not in _SIDES:
            raise ConfigError(unknown("side", side, _SIDES))
        if out is None:
            out = np.empty((self.worms, self.mesh.rings - 2))
        observe.read_curvature(self._x, self._section, self.mesh.length, _SIDES[side], out)
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
        return self._passive_scalars()[:, :, tissue.SLAB_VOLUME].sum(axis=1)

    def energy(self) -> np.ndarray:
        """Elastic energy of each worm [nJ = uN mm], shape (worms,)."""
        return self._passive_scalars()[:, :, tissue.ELASTIC].sum(axis=1)

    def drag(self) -> np.ndarray:
        """Force of the medium on every vertex in the last step [uN], shape (worms, vertices, 3)."""
        out = np.empty((self.worms, *self.mesh.vertices.shape))
        kernels.read_drag(
            self.mesh.ring_size, self._x, self._start, self._tangent, self._vertices, self._around.flow,
            self._physics, out,
        )  # fmt: skip
        return out

    def push(self) -> np.ndarray:
        """Force of every ring on the medium in the last step [uN], shape (worms, rings, 3)."""
        return -self.drag().reshape(self.worms, self.mesh.rings, -1, 3).sum(axis=2)

    @property
    def fluid(self) -> CentreLineFlow | None:
        """The Stokes flow that the worms generate; None unless it is resolved."""
        return self._around.stokes

    @property
    def load(self) -> np.ndarray | None:
        """View of the force of contacts on each ring and side, see Surroundings; None where nothing can be touched."""
        return self._around.load if self._around.touchable else None

    @property
    def flow(self) -> np.ndarray:
        """Velocity of the medium without the worms at every ring [mm/s], shape (worms, rings, 3); zero until set."""
        return self._around.given

    @flow.setter
    def flow(self, value: np.ndarray) -> None:
        self._around.change(given=of_shape("flow", value, (self.worms, self.mesh.rings, 3)))

    def _passive_scalars(self) -> np.ndarray:
        kernels.measure(
            self.mesh.ring_size, self._x, self._slack, self._strain, self._corners, self._elements, self._slabs,
            self._force, self._scalars, self._swell,
        )  # fmt: skip
        return self._scalars.to_numpy()

    def step(self, tension: np.ndarray, duration: float) -> None:
        """Advances all worms by one step.

        Args:
            tension: of the fibres of each quadrant DL, DR, VL, VR [Pa], shape (worms, slabs, 4), float64.
            duration: [ms].

        Raises:
            ConfigError: for a tension of the wrong shape or type, or a duration that is not positive.
            DivergedError: if not even a step of a sixteenth of the duration can be solved.
        """
        if tension.shape != self._slack.shape or tension.dtype != np.float64:
            raise ConfigError(
                f"body: tension is {tension.dtype} {tension.shape}; give float64 {self._slack.shape}"
            )
        if not duration > 0.0:
            raise ConfigError(f"body: a step of {duration:g} ms cannot be taken; give a positive duration")
        if self._status[:, kernels.FAR].any():
            self._follow()
        self._around.apply_flow()
        self._held.copy_from(self._velocity)
        self._advance(np.ascontiguousarray(tension), duration, _HALVINGS)
        self._around.weigh(self._x, self._section, self._physics)
        if self.fluid is not None:
            self._around.update_wake(self.midline(), self.push())

    def _advance(self, tension: np.ndarray, duration: float, halvings: int) -> None:
        seconds = duration / MS_PER_S
        if self._around.touch:
            self._around.find_contacts(self._x, self._origin, self._velocity, seconds)
        for predict in (1.0, 0.0):
            if self._minimise(tension, seconds, predict):
                self.time += duration
                return
            self._x.copy_from(self._start)
            # Worms that had converged have the velocity of the failed step.
            self._velocity.copy_from(self._held)
        if halvings == 0 or not np.isfinite(tension).all():
            raise DivergedError(self._failure_message(tension, duration))
        self._advance(tension, 0.5 * duration, halvings - 1)
        self._advance(tension, 0.5 * duration, halvings - 1)

    def _minimise(self, tension: np.ndarray, seconds: float, predict: float) -> bool:
        """Newton's method on the energy of one step; False if it fails."""
        shared = self._shared(tension, seconds)
        self._steps.begin_step(*shared, predict)
        for _ in range(_ITERATIONS):
            if not self._least.min() > 0.0:
                return False
            if not self._moving.any():
                # Comparisons in kernels ignore NaN, so the residual of a converged worm must be tested here.
                return bool(self._squared.max() < np.inf)
            self.iterations += 1
            self._steps.newton_step(*shared, self._direction, self._stiffness)
            if not self._line_search(shared):
                return False
        return False

    def _line_search(self, shared: tuple) -> bool:
        """Halves rejected moves until energy or residual has decreased; False if neither does."""
        for _ in range(_BACKTRACKS):
            if not self._rejected.any():
                return True
            self._steps.backtrack(*shared, self._direction)
        return False

    def _shared(self, tension: np.ndarray, seconds: float) -> tuple:
        """Arguments shared by all kernels of a step."""
        medium, material, physics, around = self.medium, self.material, self._physics, self._around
        physics[kernels.DT] = seconds
        physics[kernels.NORMAL], physics[kernels.TANGENTIAL] = medium.drag_normal, medium.drag_tangential
        physics[kernels.HOLD], physics[kernels.GRAVITY] = medium.surface_stiffness, self.gravity
        physics[kernels.FALLOFF] = material.force_length_falloff
        physics[kernels.BRAKE] = material.force_velocity_time / MS_PER_S
        physics[kernels.TOLERANCE] = self.tolerance
        return (
            self.mesh.ring_size, self._x, self._start, self._velocity, self._tangent, tension, self._strain,
            self._corners, self._elements, self._slabs, self._vertices, around.flow, around.planes, around.contacts,
            around.grip, physics, self._force, self._scalars, self._swell, self._residual, self._status,
        )  # fmt: skip

    def _failure_message(self, tension: np.ndarray, duration: float) -> str:
        """Message for a step that could not be solved: when, where, what to do."""
        finite = np.isfinite(tension)
        if not finite.all():
            worm, slab, _ = np.argwhere(~finite)[0]
            return f"body: tension of worm {worm}, slab {slab} is not finite at {self.time:g} ms"
        least = np.nan_to_num(self._passive_scalars()[:, :, tissue.LEAST_RATIO], nan=-np.inf)
        worm, slab = np.unravel_index(least.argmin(), least.shape)
        return (
            f"body: no step of {duration:g} ms can be solved at {self.time:g} ms; worst is worm {worm}, "
            f"slab {slab} (least volume ratio {least[worm, slab]:.3g}): shorten the tick or lower the tension"
        )
