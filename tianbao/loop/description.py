"""A simulation as a configuration: what a result keeps, and what runs it again."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from ..config import RunConfig
from ..environment import Medium
from ..errors import ConfigError

if TYPE_CHECKING:
    from .simulation import Simulation

_WORM = ("heading", "connectome", "morphologies", "discretisation", "soma_compartments", "channel_set", "signs")


def described(simulation: Simulation, duration: float) -> RunConfig:
    """The resolved configuration of a simulation, every parameter in it.

    Functions (a flow, a signed distance) are kept by their name only.

    Args:
        simulation: as it is.
        duration: of the run [ms].
    """
    worm, body, arena = simulation.worm, simulation.body, simulation.arena
    medium = arena.medium
    changes = {
        "duration": float(duration),
        "seed": simulation.seed,
        "engine": simulation.engine,
        "worm": {"at": tuple(map(float, worm.at)), **{name: getattr(worm, name) for name in _WORM}},
        # Fields are tables of their own in a configuration.
        "arena": {"medium": medium.name, **{k: v for k, v in arena.described().items() if k != "fields"}},
        "clock": dataclasses.asdict(simulation.clock),
        "body": {"slabs": body.mesh.slabs, "initial_curvature": float(simulation.initial_curvature)},
        "record": {"voltage": simulation.recorded},
        "material": dataclasses.asdict(body.material),
        "medium": {} if _has_a_name(medium) else dataclasses.asdict(medium),
        "parameters": dict(worm.parameters),
        "interventions": tuple(worm.interventions),
    }
    return RunConfig().updated(changes, where="simulation")


def _has_a_name(medium: Medium) -> bool:
    try:
        return Medium.named(medium.name) == medium
    except ConfigError:
        return False
