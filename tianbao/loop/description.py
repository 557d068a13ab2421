"""A simulation as a configuration: what a result keeps, and what runs it again."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from ..body import SoftBody
from ..clock import Clock
from ..config import RunConfig
from ..environment import Arena, Medium
from ..errors import ConfigError
from ..worm_model import WormModel

_OPTIONS = ("heading", "connectome", "morphologies", "discretisation", "soma_compartments", "channel_set", "muscle")


def described(worms: Sequence[WormModel], arena: Arena, body: SoftBody, clock: Clock, **run: Any) -> RunConfig:
    """The resolved configuration of a simulation, every parameter in it.

    Functions (a flow, a signed distance) are kept by their name only. The first worm is the default of the others,
    which are listed with what differs.

    Args:
        worms, arena, body, clock: as they are.
        run: `duration` [ms], `seed`, `stream`, `engine`, `initial_curvature` [kappa L], `voltage` (neurons recorded).
    """
    first, medium, place = worms[0], arena.medium, arena.described()
    fields = place.pop("fields")
    changes = {
        "duration": float(run["duration"]),
        "seed": run["seed"],
        "stream": run["stream"],
        "engine": run["engine"],
        "worm": _options(first),
        "arena": {"medium": medium.name, **place},
        "clock": dataclasses.asdict(clock),
        "body": {"slabs": body.mesh.slabs, "initial_curvature": float(run["initial_curvature"])},
        "record": {"voltage": run["voltage"]},
        "material": dataclasses.asdict(body.material),
        "medium": {} if _has_a_name(medium) else dataclasses.asdict(medium),
        "parameters": dict(first.parameters),
        "members": dict(first.members),
        "interventions": first.interventions if len(worms) == 1 else (),
        "fields": fields,
        "worms": () if len(worms) == 1 else tuple(_entry(each, first) for each in worms),
    }
    return RunConfig().updated(changes, where="simulation")


def _options(worm: WormModel) -> dict[str, Any]:
    options = {name: getattr(worm, name) for name in _OPTIONS}
    own = {name: getattr(worm, name).option for name in ("signs", "decision", "fatigue")}
    return {"at": tuple(map(float, worm.at)), **options, **own}


def _entry(worm: WormModel, first: WormModel) -> dict[str, Any]:
    """The entry of `[[worms]]` for one worm: its place, what differs from the first, and its interventions."""
    default = _options(first)
    entry = {name: each for name, each in _options(worm).items() if name in ("at", "heading") or each != default[name]}
    parameters = {name: each for name, each in worm.parameters.items() if each != first.parameters[name]}
    both = {**first.members, **worm.members}
    members = {name: worm.members.get(name, 0) for name in both if worm.members.get(name) != first.members.get(name)}
    tables = {name: each for name, each in (("parameters", parameters), ("members", members)) if each}
    return {**entry, **tables, "interventions": list(worm.interventions)}


def _has_a_name(medium: Medium) -> bool:
    try:
        return Medium.named(medium.name) == medium
    except ConfigError:
        return False
