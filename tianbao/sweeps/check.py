"""Checks all configurations of a sweep before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Callable

from .. import anatomy
from ..cells.temperature import rate_factor
from ..config import RunConfig
from ..errors import ConfigError, TianbaoError
from ..parameters import defaults


class Check:
    """Checks configurations by building the parts of a simulation, each distinct one once, without NEURON or Taichi."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()

    def __call__(self, config: RunConfig, where: str) -> None:
        """Check that a simulation can be built from a configuration.

        Args:
            config: complete.
            where: the run, for error messages.

        Raises:
            TianbaoError: if it cannot; the message starts with `where`.
        """
        from ..experiment import arena_of, worms_of

        places = (config.body, config.arena)
        parts: list[tuple[Callable[[RunConfig], object], object]] = [
            (_numbers, [config.duration, config.seed, config.engine, config.clock, config.checkpoint, *places]),
            (_names, (config.record, config.parameters)),
            (_body, (config.body, config.material)),
            (worms_of, (config.worm, config.members, config.interventions, config.worms)),
            (arena_of, (config.arena, config.medium, config.fields)),
        ]
        for make, needed in parts:
            mark = (make.__name__, repr(needed))
            if mark in self._seen:
                continue
            try:
                make(config)
            except TianbaoError as error:
                raise type(error)(f"{where}: {error}") from error
            self._seen.add(mark)


def _numbers(config: RunConfig) -> None:
    from ..loop.checks import check_duration, check_options

    clock = config.clock
    check_options(config.seed, config.engine, clock, config.body.initial_curvature, max(1, len(config.worms)))
    check_duration(config.duration, clock)
    rate_factor(config.arena.temperature)
    if not 0.0 <= config.checkpoint.every < math.inf:
        raise ConfigError(f"checkpoint.every = {config.checkpoint.every:g} ms: give an interval, or 0 for none")


def _names(config: RunConfig) -> None:
    defaults().replace(**config.parameters)
    if config.record.voltage:
        anatomy.match_neurons(*config.record.voltage)


def _body(config: RunConfig) -> None:
    from ..body import RingMesh
    from ..experiment import material_of

    material_of(config)
    RingMesh.adult(config.body.slabs)
