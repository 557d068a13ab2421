"""The place an experiment happens in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..errors import ConfigError, shorten
from ..rows import number
from .medium import Medium
from .obstacles import Dish, Obstacle, Pillar, Plane, SignedDistance

EARTH = 9.81  # [m/s2]
_LARGEST = 1e5  # of gravity [m/s2]

Flow = Callable[[np.ndarray, float], np.ndarray]


def _obstacles(given: Sequence[Obstacle]) -> tuple[Obstacle, ...]:
    each = None
    if isinstance(given, (list, tuple)):
        wrong = [each for each in given if not isinstance(each, Obstacle)]
        if not wrong:
            return tuple(given)
        each = wrong[0]
    what = "Pillar, Dish, Plane or SignedDistance"
    raise ConfigError(f"arena: obstacles is a list of {what}, got {shorten(repr(given if each is None else each))}")


class Arena:
    """An unbounded space filled with one medium, with whatever stands in it."""

    def __init__(
        self,
        medium: Medium | str = "agar",
        *,
        obstacles: Sequence[Obstacle] = (),
        flow: Flow | None = None,
        gravity: float = 0.0,
        resolved: bool = False,
        temperature: float = 20.0,
    ) -> None:
        """
        Args:
            medium: a medium, or the name of one in media.csv.
            obstacles: walls, pillars, dishes, solids.
            flow: velocity of the medium: from points (n, 3) [mm] and the time [ms] to (n, 3) [mm/s].
            gravity: towards smaller z [m/s2]; EARTH on a bench. A worm is 8 % denser than water.
            resolved: worms feel the flow that they stir up, beyond local drag; Newtonian media only.
            temperature: [degC]; gates and activation of muscles follow it, see cells/temperature.py. Drag does not.

        Raises:
            ConfigError: for an unknown medium, a flow that cannot be called or a gravity that is no number.
        """
        if flow is not None and not callable(flow):
            raise ConfigError("arena: flow must be a function of points (n, 3) [mm] and time [ms]")
        for name, value, unit in (("gravity", gravity, "m/s2"), ("temperature", temperature, "degC")):
            number(value, "arena", name, unit, low=-_LARGEST, high=_LARGEST)
        if not isinstance(resolved, bool):
            raise ConfigError(f"arena: resolved is True or False, not {shorten(repr(resolved))}")
        self.medium = medium if isinstance(medium, Medium) else Medium.named(medium)
        if resolved and self.medium.viscosity == 0.0:
            raise ConfigError(f"medium '{self.medium.name}' is no Newtonian fluid: its flow cannot be resolved")
        self.obstacles = _obstacles(obstacles)
        self.flow = flow
        self.gravity = gravity
        self.resolved = resolved
        self.temperature = temperature

    def velocity(self, points: np.ndarray, time: float) -> np.ndarray:
        """Velocity of the medium without the worms [mm/s].

        Args:
            points: [mm], shape (..., 3).
            time: [ms].

        Raises:
            ConfigError: when the flow gives another shape or what is not a number.
        """
        if self.flow is None:
            return np.zeros_like(points)
        flat = points.reshape(-1, 3)
        velocity = np.asarray(self.flow(flat, time), float)
        if velocity.shape != flat.shape or not np.isfinite(velocity).all():
            raise ConfigError(f"arena: flow gave {velocity.shape} at {time:g} ms; give finite numbers of {flat.shape}")
        return velocity.reshape(points.shape)

    def described(self) -> dict[str, object]:
        """What a run's configuration keeps of the arena beside its medium, lengths in mm.

        Functions are kept by their name only.
        """
        named = getattr(self.flow, "__name__", type(self.flow).__name__)

        def of(kind: type) -> list:
            return [each for each in self.obstacles if isinstance(each, kind)]

        return {
            "pillars": [[each.x, each.y, each.radius, each.friction] for each in of(Pillar)],
            "dishes": [[*each.centre, each.radius, each.friction] for each in of(Dish)],
            "planes": [[*each.point, *each.normal, each.friction] for each in of(Plane)],
            "solids": [getattr(each.function, "__name__", "function") for each in of(SignedDistance)],
            "flow": "" if self.flow is None else named,
            "gravity": self.gravity,
            "resolved": self.resolved,
            "temperature": self.temperature,
        }
