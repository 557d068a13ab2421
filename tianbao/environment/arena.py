"""The place an experiment happens in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from ..arguments import named_arguments
from ..errors import ConfigError, shorten, unknown
from ..options import ArenaSection
from ..rows import number
from .fields import Field, check_fields
from .lattice import Lattice
from .medium import Medium
from .obstacles import Dish, Obstacle, Pillar, Plane, SignedDistance

EARTH = 9.81  # [m/s2]
_LARGEST = 1e5  # of gravity [m/s2]
_DEFAULT = ArenaSection()

Flow = Callable[[np.ndarray, float], np.ndarray]


def _obstacles(given: Sequence[Obstacle]) -> tuple[Obstacle, ...]:
    each = None
    if isinstance(given, (list, tuple)):
        wrong = [each for each in given if not isinstance(each, Obstacle)]
        if not wrong:
            return tuple(given)
        each = wrong[0]
    what = "Pillar, Lattice, Dish, Plane or SignedDistance"
    raise ConfigError(f"arena: obstacles is a list of {what}, got {shorten(repr(given if each is None else each))}")


@named_arguments
@dataclass(init=False, unsafe_hash=True)
class Arena:
    """An unbounded space filled with one medium, with whatever stands in it and fills it.

    An arena does not change: what a simulation was given is what its results describe. `replace` makes another.

    Attributes:
        medium: what fills it.
        obstacles: what stands in it.
        flow: velocity of the medium, None in still medium.
        gravity: [m/s2].
        resolved: whether the flow that worms cause acts on them.
        temperature: [degC].
        fields: what can be sensed in it.
    """

    medium: Medium
    obstacles: tuple[Obstacle, ...]
    flow: Flow | None
    gravity: float
    resolved: bool
    temperature: float
    fields: tuple[Field, ...]

    def __init__(
        self,
        medium: Medium | str = _DEFAULT.medium,
        *,
        obstacles: Sequence[Obstacle] = (),
        flow: Flow | None = None,
        gravity: float = _DEFAULT.gravity,
        resolved: bool = _DEFAULT.resolved,
        temperature: float = _DEFAULT.temperature,
        fields: Sequence[Field] = (),
    ) -> None:
        """
        Args:
            medium: a medium, or the name of one in media.csv.
            obstacles: walls, pillars, lattices of them, dishes, solids.
            flow: velocity of the medium: from points (n, 3) [mm] and the time [ms] to (n, 3) [mm/s].
            gravity: towards smaller z [m/s2]; EARTH on a bench. A worm is 8 % denser than water.
            resolved: the flow that worms cause acts on them, beyond local drag; Newtonian media only.
            temperature: [degC]; gates and activation of muscles follow it, see cells/temperature.py. Drag does not.
            fields: concentrations that receptors read, each of another name.

        Raises:
            ConfigError: for an unknown medium, a flow that cannot be called, a gravity that is not a number, what is
                not a field or two fields of one name.
        """
        if flow is not None and not callable(flow):
            raise ConfigError("arena: flow must be a function of points (n, 3) [mm] and time [ms]")
        for name, value, unit in (("gravity", gravity, "m/s2"), ("temperature", temperature, "degC")):
            number(value, "arena", name, unit, low=-_LARGEST, high=_LARGEST)
        if not isinstance(resolved, bool):
            raise ConfigError(f"arena: resolved is True or False, not {shorten(repr(resolved))}")
        medium = medium if isinstance(medium, Medium) else Medium.named(medium)
        if resolved and medium.viscosity == 0.0:
            raise ConfigError(f"medium '{medium.name}' is not a Newtonian fluid: its flow cannot be resolved")
        # Past `__setattr__`, which refuses every later change.
        vars(self).update(
            medium=medium,
            obstacles=_obstacles(obstacles),
            flow=flow,
            gravity=gravity,
            resolved=resolved,
            temperature=temperature,
            fields=check_fields(fields),
        )

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise ConfigError(f"arena: '{name}' cannot be set: an Arena does not change; make another with .replace(...)")

    def __delattr__(self, name: str) -> NoReturn:
        raise ConfigError(f"arena: '{name}' cannot be deleted: an Arena does not change")

    def replace(self, **changes: object) -> Arena:
        """Another arena that differs in these arguments.

        Raises:
            ConfigError: for an unknown argument, or a value that `Arena` refuses.
        """
        same = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        for name in changes:
            if name not in same:
                raise ConfigError(f"arena: {unknown('argument', name, same)}")
        return Arena(**{**same, **changes})

    def field(self, name: str) -> Field | None:
        """The field of a substance, None where there is none."""
        return next((each for each in self.fields if each.name == name), None)

    def sample(self, name: str, points: np.ndarray, time: float) -> np.ndarray:
        """Value of a field, 0 where the arena has none of that name [unit of the field].

        Args:
            name: of the substance.
            points: [mm], shape (..., 3).
            time: [ms].

        Returns:
            Shape (...).

        Raises:
            ConfigError: when the field gives another shape or what is not a number.
        """
        field = self.field(name)
        if field is None:
            return np.zeros(points.shape[:-1])
        value = np.asarray(field.at(points, time), float)
        if value.shape != points.shape[:-1] or not np.isfinite(value).all():
            wanted = f"give finite numbers of {points.shape[:-1]}"
            raise ConfigError(f"arena: field '{name}' gave {value.shape} at {time:g} ms; {wanted}")
        return value

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

        Functions are kept by their name only, fields as the tables that `field_of` reads.
        """
        named = getattr(self.flow, "__name__", type(self.flow).__name__)

        def of(kind: type) -> list:
            """The obstacles of one kind."""
            return [each for each in self.obstacles if isinstance(each, kind)]

        return {
            "pillars": [[each.x, each.y, each.radius, each.friction] for each in of(Pillar)],
            "lattices": [each.described() for each in of(Lattice)],
            "dishes": [[*each.centre, each.radius, each.friction] for each in of(Dish)],
            "planes": [[*each.point, *each.normal, each.friction] for each in of(Plane)],
            "solids": [getattr(each.function, "__name__", "function") for each in of(SignedDistance)],
            "flow": "" if self.flow is None else named,
            "gravity": self.gravity,
            "resolved": self.resolved,
            "temperature": self.temperature,
            "fields": [each.described() for each in self.fields],
        }
