"""What an experimenter does in a step: currents and light, given by name and turned into arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .. import anatomy
from ..apparatus import check_current
from ..errors import ConfigError, shorten
from ..rows import number
from .loop import Action, Loop

Current = Mapping[str, float] | Sequence[Mapping[str, float]] | None
"""Into the somas of neurons, or globs [nA]: one mapping for all worms, or one for each."""
Light = float | Mapping[str, float] | Sequence[Mapping[str, float]] | None
"""On neurons, or globs, with a channel for it, 0 to 1: a number for all of them, a mapping, or one for each worm."""


def action_of(loop: Loop, current: Current, light: Light, force: bool) -> Action | None:
    """The action of a step; None if there is neither current nor light.

    Args:
        loop: that was reset.
        current, light: by name.
        force: whether a current above 1 nA into one cell is meant.

    Raises:
        ConfigError: for a current or light that is not a number or out of range, or light on neurons without a
            channel for it.
        AnatomyError: for a neuron that does not exist.
    """
    if current is None and light is None:
        return None
    current, light = ({} if each is None else each for each in (current, light))
    return Action(_injected(loop, current, force), _lit(loop, light))


def said(current: Current) -> str:
    """The current of a step in words; empty if there is none."""
    return f"the current of this step, {shorten(current)} nA" if current is not None and len(current) else ""


def _injected(loop: Loop, current: Current, force: bool) -> np.ndarray:
    """Currents of a step [nA], shape (worms, neurons)."""
    neurons = loop.design().neurons
    out = np.zeros((len(loop.worms), len(neurons)))
    for row, given in zip(out, _of_each_worm(loop, "currents", current), strict=True):
        for pattern, value in given.items():
            amplitude = check_current(value, f"step: current into {shorten(pattern)}", force)
            for name in anatomy.match_neurons(pattern):
                row[neurons.index(name)] += amplitude
                check_current(float(row[neurons.index(name)]), f"step: currents into {name}", force)
    return out


def _lit(loop: Loop, light: Light) -> tuple[np.ndarray, ...]:
    """Light of a step on every neuron with a channel for it, per worm."""
    found = []
    given = {"*": light} if isinstance(light, (int, float)) else light
    for k, on in enumerate(_of_each_worm(loop, "lights", given)):
        carriers = loop.design(k).driven
        row = np.zeros(len(carriers))
        for pattern, value in on.items():
            bright = number(value, "step", f"light on {pattern}", low=0.0, high=1.0)
            chosen = np.isin(carriers, anatomy.match_neurons(pattern))
            if not chosen.any():
                todo = "give it one with Worm.express('cation', ...)"
                raise ConfigError(f"step: no neuron of '{pattern}' in worm {k} carries a channel for light; {todo}")
            row[chosen] = bright
        found.append(row)
    return tuple(found)


def _of_each_worm(loop: Loop, what: str, given: Mapping | Sequence[Mapping]) -> list[Mapping]:
    each = [given] * len(loop.worms) if isinstance(given, Mapping) else given
    if not isinstance(each, (list, tuple)) or not all(isinstance(one, Mapping) for one in each):
        raise ConfigError(f"step: {what} are a mapping such as {{'AVAL': 0.02}}, not {shorten(repr(given))}")
    if len(each) != len(loop.worms):
        raise ConfigError(f"step: {len(each)} mappings of {what} for {len(loop.worms)} worms")
    return list(each)
