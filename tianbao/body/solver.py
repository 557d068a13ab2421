"""The soft body: how muscle tension changes the shape and position of the worm."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ..backend import copied, start
from ..environment import Medium, Obstacle
from ..environment.stokes import CentreLineFlow
from ..errors import ConfigError, DivergedError, unknown
from ..units import MS_PER_S
from . import calibration, compiled_steps, kernels, observe, tissue
from .arrays import Arrays
from .compiled_steps import CompiledSteps
from .kernel_steps import HALVINGS, KernelSteps
from .material import Material
from .mesh import RingMesh
from .posture import bent, frame_of, of_shape
from .surroundings import Surroundings

# Residual over drag force: one Newton iteration for 4 ms on agar, two for 10 ms, three for 2 ms in water.
TOLERANCE = 1e-3
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
        compiled: bool | None = None,
        ghosts: int = 0,
        turning: bool = False,
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
            threads: how many worms are stepped at the same time; results do not depend on it.
            compiled: whether a step is taken by compiled C, which only a processor can, or by Taichi's kernels; by C
                wherever there is a compiler when None.
            ghosts: most worms that are moved elsewhere and can be touched, see place_ghosts.
            turning: whether compiled C seeks the solution of a step by moves that turn slabs instead of shifting their
                vertices: the same within `tolerance`, and several times faster for 10 ms in water. A step then also
                counts as solved when the next move is expected to be less than `tolerance` of its way. The net
                force is held to `tolerance` as well, otherwise to 1e-3, and a worm whose step fails is tried again
                alone.

        Raises:
            ConfigError: for no worm, a device that is not there, or compiled C on another device than the processor.
            MechanismError: for compiled C without a compiler.
        """
        if worms < 1 or worms != int(worms):
            raise ConfigError(f"body: worms = {worms} must be a whole number from 1")
        if not (0.0 < tolerance < 1.0 and np.isfinite(gravity)):
            raise ConfigError(f"body: tolerance = {tolerance} must lie in 0 to 1, gravity = {gravity} be a number")
        start(device, threads)
        self.mesh = mesh or RingMesh.adult()
        self.material = material or Material()
        self.medium = medium or Medium.named("agar")
        self.gravity = gravity
        self.tolerance = tolerance
        self.worms = worms
        self.time = 0.0
        self.arrays = Arrays(self.mesh, self.material, self.medium, worms)
        self._around = Surroundings(self.mesh, worms, self.medium, obstacles, touching, resolved, ghosts)
        if compiled is None:
            compiled = compiled_steps.available(self.mesh.ring_size)
        self._steps: CompiledSteps | KernelSteps = (
            CompiledSteps(self.mesh, self.arrays, self._around, threads, turning) if compiled else self.kernel_steps
        )
        self._origin = np.zeros((worms, 3))
        self.positions = np.broadcast_to(self.mesh.vertices, (worms, *self.mesh.vertices.shape))

    @cached_property
    def kernel_steps(self) -> KernelSteps:
        """The steps by Taichi's kernels, which also measure and differentiate."""
        return KernelSteps(self.mesh, self.arrays, self._around)

    @property
    def iterations(self) -> int:
        """Newton iterations taken so far, the most that a worm needed in each step."""
        return self._steps.iterations

    @property
    def positions(self) -> np.ndarray:
        """Copy of the vertex positions [mm], shape (worms, vertices, 3); setting them stops the worm."""
        return self.arrays.x.to_numpy() + self._origin[:, None]

    @positions.setter
    def positions(self, value: np.ndarray) -> None:
        value = of_shape("positions", value, (self.worms, *self.mesh.vertices.shape))
        self._origin[:] = frame_of(value)
        self.arrays.x.from_numpy(np.ascontiguousarray(value - self._origin[:, None]))
        self.arrays.velocity.fill(0.0)
        self._around.change(wake=np.zeros_like(self._around.wake))
        self._around.load[:] = 0.0

    def _follow(self) -> None:
        """Moves the frames of far worms along with them, in whole millimetres; those of the others stay as they are."""
        x, start = self.arrays.x.to_numpy(), self.arrays.start.to_numpy()
        shift = frame_of(x) * (self.arrays.status[:, kernels.FAR] != 0.0)[:, None]
        self.arrays.x.from_numpy(x - shift[:, None])
        self.arrays.start.from_numpy(start - shift[:, None])
        self._origin += shift

    def state(self) -> dict[str, np.ndarray]:
        """Copies of everything the next step depends on: positions from an origin [mm], velocities [mm/s] and more."""
        return {
            "positions": copied(self.arrays.x),
            "origin": self._origin.copy(),
            "far": self.arrays.status[:, kernels.FAR].copy(),
            "velocities": copied(self.arrays.velocity),
            "flow": self._around.given.copy(),
            "wake": self._around.wake.copy(),
            "load": self._around.load.copy(),
            "time": np.array(self.time),
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Restores a state; the same steps then give bit-identical results."""
        self.arrays.x.from_numpy(np.ascontiguousarray(state["positions"]))
        self.arrays.velocity.from_numpy(np.ascontiguousarray(state["velocities"]))
        self._origin[:] = state["origin"]
        self.arrays.status[:, kernels.FAR] = state["far"]
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
        x, velocity, wake = self.arrays.x.to_numpy(), self.arrays.velocity.to_numpy(), self._around.wake.copy()
        x[worm], velocity[worm], wake[worm], self._around.load[worm] = placed - self._origin[worm], 0.0, 0.0, 0.0
        self.arrays.x.from_numpy(x)
        self.arrays.velocity.from_numpy(velocity)
        self._around.change(wake=wake)

    def midline(self, out: np.ndarray | None = None) -> np.ndarray:
        """Centres of the rings, head first [mm], shape (worms, rings, 3), into out when given."""
        out = _into(out, (self.worms, self.mesh.rings, 3))
        self._steps.midline(self._origin, out)
        return out

    def dorsal(self, out: np.ndarray | None = None) -> np.ndarray:
        """Unit vectors towards dorsal at the rings [-], shape (worms, rings, 3), into out when given."""
        out = _into(out, (self.worms, self.mesh.rings, 3))
        self._steps.side(observe.DORSAL, out)
        return out

    def rings(self) -> np.ndarray:
        """Where the rings are [mm] and how they moved in the last step [mm/s], shape (worms, rings, 2, 3).

        That is all that others need to touch these worms, which must be able to touch each other or themselves.
        """
        return self._around.finder.rings(self.arrays.x, self._origin, self.arrays.velocity)

    def place_ghosts(self, rings: np.ndarray) -> None:
        """Says where worms that are moved elsewhere are in the step to come, as their `rings` has told."""
        self._around.finder.place_ghosts(rings)

    def overlap(self) -> float:
        """Depth of overlap with obstacles or other worms, with the radii at rest [mm]; 0 without overlap."""
        if self._around.touch and self._steps.nothing_near(self._origin, self._around.finder):
            return 0.0
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
        out = _into(out, (self.worms, self.mesh.rings - 2))
        self._steps.curvature(_SIDES[side], out)
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
        return self.kernel_steps.measure()[:, :, tissue.SLAB_VOLUME].sum(axis=1)

    def energy(self) -> np.ndarray:
        """Elastic energy of each worm [nJ = uN mm], shape (worms,)."""
        return self.kernel_steps.measure()[:, :, tissue.ELASTIC].sum(axis=1)

    def drag(self) -> np.ndarray:
        """Force of the medium on every vertex in the last step [uN], shape (worms, vertices, 3)."""
        out, its = np.empty((self.worms, *self.mesh.vertices.shape)), self.arrays
        kernels.read_drag(
            self.mesh.ring_size, its.x, its.start, its.tangent, its.vertices, self._around.flow, its.physics, out
        )
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

    def step(self, tension: np.ndarray, duration: float) -> None:
        """Advances all worms by one step.

        Args:
            tension: of the fibres of each quadrant DL, DR, VL, VR [Pa], shape (worms, slabs, 4), float64.
            duration: [ms].

        Raises:
            ConfigError: for a tension of the wrong shape or type, or a duration that is not positive.
            DivergedError: if not even a step of a sixteenth of the duration can be solved.
        """
        if tension.shape != self.arrays.slack.shape or tension.dtype != np.float64:
            raise ConfigError(
                f"body: tension is {tension.dtype} {tension.shape}; give float64 {self.arrays.slack.shape}"
            )
        if not duration > 0.0:
            raise ConfigError(f"body: a step of {duration:g} ms cannot be taken; give a positive duration")
        self._around.apply_flow()
        self._steps.remember()
        self._advance(np.ascontiguousarray(tension), duration, HALVINGS)
        self._around.weigh(self.arrays.x, self.arrays.section, self.arrays.physics)
        if self.fluid is not None:
            self._around.update_wake(self.midline(), self.push())
        # Now rather than before the next step: until then, others are told where the rings are.
        if self.arrays.status[:, kernels.FAR].any():
            self._follow()

    def _advance(self, tension: np.ndarray, duration: float, halvings: int) -> None:
        seconds = duration / MS_PER_S
        self._set_physics(seconds)
        if self._around.touch:
            if self._steps.nothing_near(self._origin, self._around.finder):
                self._around.contacts.fill(0)
            else:
                self._around.find_contacts(self.arrays.x, self._origin, self.arrays.velocity, seconds)
        for predict in (1.0, 0.0):
            if self._steps.minimise(tension, predict):
                self.time += duration
                return
            self._steps.go_back()
        if halvings == 0 or not np.isfinite(tension).all():
            raise DivergedError(self._failure_message(tension, duration))
        self._advance(tension, 0.5 * duration, halvings - 1)
        self._advance(tension, 0.5 * duration, halvings - 1)

    def _set_physics(self, seconds: float) -> None:
        medium, material, physics = self.medium, self.material, self.arrays.physics
        physics[kernels.DT] = seconds
        physics[kernels.NORMAL], physics[kernels.TANGENTIAL] = medium.drag_normal, medium.drag_tangential
        physics[kernels.HOLD], physics[kernels.GRAVITY] = medium.surface_stiffness, self.gravity
        physics[kernels.FALLOFF] = material.force_length_falloff
        physics[kernels.BRAKE] = material.force_velocity_time / MS_PER_S
        physics[kernels.TOLERANCE] = self.tolerance

    def _failure_message(self, tension: np.ndarray, duration: float) -> str:
        """Message for a step that could not be solved: when, where, what to do."""
        finite = np.isfinite(tension)
        if not finite.all():
            worm, slab, _ = np.argwhere(~finite)[0]
            return f"body: tension of worm {worm}, slab {slab} is not finite at {self.time:g} ms"
        least = np.nan_to_num(self.kernel_steps.measure()[:, :, tissue.LEAST_RATIO], nan=-np.inf)
        worm, slab = np.unravel_index(least.argmin(), least.shape)
        return (
            f"body: no step of {duration:g} ms can be solved at {self.time:g} ms; worst is worm {worm}, "
            f"slab {slab} (least volume ratio {least[worm, slab]:.3g}): shorten the tick or lower the tension"
        )


def _into(out: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    """What a caller gave to be filled, or a new array."""
    if out is None:
        return np.empty(shape)
    if out.shape != shape or out.dtype != np.float64 or not out.flags.c_contiguous:
        raise ConfigError(f"body: out is {out.dtype} {out.shape}; give a contiguous float64 array of shape {shape}")
    return out
