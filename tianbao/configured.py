"""The worms of a configuration, with their interventions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from .config import RunConfig
from .interventions import apply
from .parameters import defaults

if TYPE_CHECKING:
    from .worm import Worm


def worms_of(config: RunConfig) -> list[Worm]:
    """The worms of a configuration, with their interventions.

    Raises:
        ConfigError, AnatomyError: for an unknown name or a value out of range.
    """
    if not config.worms:
        return [worm_of(config)]
    return [_worm(config, each, f"worm {k}: ") for k, each in enumerate(config.worms)]


def worm_of(config: RunConfig) -> Worm:
    """The worm of a configuration, or the one that its worms differ from.

    Raises:
        ConfigError, AnatomyError: for an unknown name or a value out of range.
    """
    return _worm(config, {}, "")


def _worm(config: RunConfig, entry: Mapping[str, Any], where: str) -> Worm:
    """A worm of `[worm]`, with what an entry of `[[worms]]` changes."""
    from .worm import Worm

    own = dict(entry)
    done = (*config.interventions, *own.pop("interventions", ()))
    parameters = defaults().replace(**{**config.parameters, **own.pop("parameters", {})})
    options = {each.name: getattr(config.worm, each.name) for each in fields(config.worm)}
    members = {**config.members, **own.pop("members", {})}
    worm = Worm(parameters=parameters, members=members, **{**options, **own})
    for number, table in enumerate(done, start=1):
        apply(worm, table, where=f"{where}intervention {number}")
    return worm
