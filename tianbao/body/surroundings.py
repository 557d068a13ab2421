"""The surroundings of the worms in a step: half-spaces they must stay in, and the flow of the medium."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..anatomy.sides import SIDES
from ..backend import ti, zeros
from ..environment import Medium, Obstacle, Plane
from ..environment.medium import ellipsoid_drag
from ..environment.stokes import CentreLineFlow
from ..errors import ConfigError
from .contact import ContactFinder
from .contact_kernels import LEVEL
from .kernels import COLUMNS, OFFSET, PLANES
from .material import constant
from .mesh import RingMesh


class Surroundings:
    """Arrays that the kernels of a step read, and the methods that fill them between steps.

    Attributes:
        planes, contacts: half-spaces of every ring, in the frame of its worm, and their number, see contact.py.
        grip: friction of each as a drag [uN s/mm], filled by the kernels.
        load: force of contacts with obstacles and other worms in the last step, on each ring and side in the order of
            `anatomy.sides.SIDES` [uN], shape (worms, rings, sides); level ground and the worm itself left out.
        touchable: whether there is anything that could press so.
        finder: of the contacts; None where nothing can be touched, not even the worm itself.
        flow: velocity of the medium at every ring [mm/s], that of the arena plus the wake of the worms.
        stokes: computes the wake; None if the worms do not generate flow.
    """

    def __init__(
        self, mesh: RingMesh, worms: int, medium: Medium, obstacles: Sequence[Obstacle], touching: bool, resolved: bool,
        ghosts: int = 0,
    ) -> None:  # fmt: skip
        """
        Args:
            mesh: of every worm.
            worms: number of worms.
            medium: whose local drag the body solves with.
            obstacles: that the worms cannot enter.
            touching: whether worms touch each other and themselves.
            resolved: whether they generate flow in the fluid.
            ghosts: worms that are moved elsewhere and can be touched.

        Raises:
            ConfigError: for a resolved medium that is not Newtonian, or resolved worms that are not together.
        """
        rings = mesh.rings
        self.planes, self.grip = zeros(worms + ghosts, rings, PLANES, COLUMNS), zeros(worms, rings, PLANES)
        self.contacts = ti.ndarray(ti.i32, shape=(worms + ghosts, rings))
        self.contacts.fill(0)
        self.flow = zeros(worms, rings, 3)
        self.given, self.wake = (np.zeros((worms, rings, 3)) for _ in range(2))
        self.finder, self.stokes = None, None
        self.load = np.zeros((worms, rings, len(SIDES)))
        ground = [isinstance(each, Plane) and each.normal[2] > LEVEL for each in obstacles]
        self.touchable = not all(ground) or (touching and worms + ghosts > 1)
        if obstacles or touching:
            spacing, skip = mesh.length / mesh.slabs, round(constant("self_contact_skip") * mesh.slabs)
            self.finder = ContactFinder(
                obstacles, worms, mesh.surface_radii, spacing=spacing, skip=skip,
                worms_touch=touching, self_contact=touching, ghosts=ghosts,
            )  # fmt: skip
        self._changed = False
        if resolved:
            if worms > 1 and not touching:
                raise ConfigError("body: worms in one resolved fluid are in one arena: give touching=True, or one worm")
            if medium.viscosity == 0.0:
                raise ConfigError(f"medium '{medium.name}' is not a Newtonian fluid: its flow cannot be resolved")
            floors = [each.point[2] for each in obstacles if isinstance(each, Plane) and each.normal == (0.0, 0.0, 1.0)]
            lengths = mesh.vertex_length.reshape(rings, -1).sum(axis=1)
            wall = max(floors) if floors else None
            self.stokes = CentreLineFlow(mesh.radii, lengths, medium.viscosity, medium=medium, wall=wall)
            # The effect of a worm's own wake increases with the drag that the body solves with.
            across, along = ellipsoid_drag(mesh.length, mesh.radii.max())
            stiff = max(medium.drag_normal / across, medium.drag_tangential / along) / medium.viscosity
            self._share = min(1.0, 1.0 / stiff)

    @property
    def touch(self) -> bool:
        """Whether there is anything to touch."""
        return self.finder is not None

    def find_contacts(self, positions: ti.ndarray, origin: np.ndarray, velocities: ti.ndarray, seconds: float) -> None:
        """Finds the half-spaces of a step.

        Args:
            positions: of the vertices at its start, in the frame of their worm [mm], shape (worms, vertices, 3).
            origin: of each worm's frame [mm], shape (worms, 3).
            velocities: in the previous step [mm/s], same shape.
            seconds: length of the step [s].
        """
        self.finder.predict_contacts(positions, origin, velocities, seconds, self.planes, self.contacts)

    def weigh(self, positions: ti.ndarray, section: ti.ndarray, physics: np.ndarray) -> None:
        """Takes the load of the contacts of the last step.

        Args:
            positions: of the vertices at its end, in the frame of their worm [mm], shape (worms, vertices, 3).
            section: see observe.section_weights.
            physics: constants of the step, see kernels.
        """
        if self.touchable:
            self.finder.weigh(positions, section, physics, self.planes, self.contacts, self.load)

    def overlap(self, midline: np.ndarray, radii: np.ndarray) -> float:
        """Depth of rings of these radii in obstacles, or beyond the middle between two worms [mm]; 0 without overlap.

        Args:
            midline: [mm], shape (worms, rings, 3).
            radii: [mm], shape (rings,).
        """
        if not self.touch:
            return 0.0
        planes, count = zeros(*self.planes.shape), ti.ndarray(ti.i32, shape=tuple(self.contacts.shape))
        self.finder.find(midline, planes, count)
        planes, used = planes.to_numpy(), np.arange(PLANES) < count.to_numpy()[..., None]
        nearest = np.einsum("wrki,wri->wrk", planes[..., :3], midline) - radii[:, None]
        return float(np.max(planes[..., OFFSET] - nearest, where=used, initial=0.0))

    def update_wake(self, midline: np.ndarray, force: np.ndarray) -> None:
        """Computes the wake for the next step from the forces of the last one.

        Args:
            midline: [mm], shape (worms, rings, 3).
            force: of the rings on the fluid in the step [uN], same shape.
        """
        share = self.stokes.relaxation(midline) if len(midline) > 1 else self._share
        self.change(wake=self.stokes.velocity(midline, force, self.wake, share))

    def change(self, *, given: np.ndarray | None = None, wake: np.ndarray | None = None) -> None:
        """Sets another flow or wake [mm/s], shape (worms, rings, 3), from the next step on."""
        self.given = self.given if given is None else given
        self.wake = self.wake if wake is None else wake
        self._changed = True

    def apply_flow(self) -> None:
        """Passes the sum of given flow and wake to the kernels, which use that of the last step until then."""
        if self._changed:
            self.flow.from_numpy(self.given + self.wake)
            self._changed = False
