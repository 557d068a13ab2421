"""Calls with wrong arguments are refused in a sentence of ours, with the nearest name, instead of Python's own."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TypeVar

from .errors import ConfigError, shorten, unknown

_ELSEWHERE = {
    "tianbao": {
        "load read": "tianbao.open(PATH) reads a result, tianbao.read_track(PATH) a track",
        "run simulate start": "write tianbao.Simulation(tianbao.Worm()).run(10_000.0)",
        "Neuron Cell neuron": "PatchedCell.of_neuron('AWCL') patches one, Worm.stimulate drives one",
    },
    "Worm": {"run save video gait": "give the worm to a Simulation: Simulation(worm).run(10_000.0)"},
    "WormModel": {
        "ablate silence illuminate express clamp stimulate hold knock_out cut_synapses":
            "act on a tianbao.Worm before it is given to a Simulation, which keeps a copy",
    },
    "Simulation": {
        "gait plot save video voltages frame midline activations": "run returns a Recording, which has it",
        "ablate silence illuminate express clamp stimulate knock_out": "act on the tianbao.Worm before the Simulation",
        "render": "tianbao.Live() shows a run in the browser: sim.run(10_000.0, observers=[tianbao.Live()])",
        "action_space observation_space spec unwrapped": "it is no environment of Gymnasium (docs/your_own_loop.md)",
        "close": "nothing has to be closed",
    },
    "Observation": {
        "reward done info terminated truncated": "compute it of midline, curvature and voltage (docs/your_own_loop.md)",
        "voltages": "voltage has a row per worm, and neurons are the names of its columns",
    },
    "Recording": {
        "voltage": "voltages() is a table with a column per neuron",
        "midline": "worms[0].midline has shape (frames, points, 3)",
        "speed": "gait().forward_speed_mm_s, or frame() for its course in time",
        "close": "nothing has to be closed",
    },
    "Gait": {"speed velocity": "write forward_speed_mm_s"},
    "Plots": {"kymograph": "curvature() draws it", "voltage voltages": "traces() or raster() draw them"},
    "PatchedCell": {
        "plot measure save": "run returns what can be drawn: cell.run(tianbao.voltage_steps([-80, 0])).plot()",
        "stimulate clamp": "run a protocol, such as cell.run(tianbao.current_steps([5.0])) [pA]",
    },
}
"""Attributes that newcomers look for, by class, and what there is instead."""

Called = TypeVar("Called", bound=Callable)


class ArgumentError(ConfigError, TypeError):
    """A call with an argument that is unknown, missing or one too many; still a `TypeError`, as Python's own is."""


def elsewhere(owner: str, name: str) -> str | None:
    """What there is instead of an attribute that newcomers look for; None if nothing is known.

    Args:
        owner: name of the class or module.
        name: of the attribute.
    """
    return next((answer for words, answer in _ELSEWHERE.get(owner, {}).items() if name in words.split()), None)


class NamedAttributes:
    """A class whose unknown attributes are answered by what there is instead, or by the nearest name."""

    def __getattr__(self, name: str):
        if name.startswith("_"):  # of protocols such as copying, which try and go on
            raise AttributeError(name)
        own = type(self).__name__
        if answer := elsewhere(own, name):
            raise AttributeError(f"{own}: unknown attribute '{name}': {answer}")
        raise AttributeError(f"{own}: {unknown('attribute', name, [each for each in dir(self) if each[0] != '_'])}")


def named_arguments(called: Called) -> Called:
    """A function, or a class with all its public methods, whose wrong arguments raise `ArgumentError`.

    Nothing is checked before the call: only a call that Python refuses is looked at again.
    """
    if not inspect.isclass(called):
        return _checked(called, called.__name__)
    for name, member in list(vars(called).items()):
        if name == "__init__":
            setattr(called, name, _checked(member, called.__name__))
        elif name.startswith("_"):
            continue
        elif isinstance(member, (classmethod, staticmethod)):
            setattr(called, name, type(member)(_checked(member.__func__, f"{called.__name__}.{name}")))
        elif inspect.isfunction(member):
            setattr(called, name, _checked(member, f"{called.__name__}.{name}"))
    return called


def _checked(function: Callable, name: str) -> Callable:
    @functools.wraps(function)
    def call(*given, **named):
        """The same function; its own documentation is on it."""
        try:
            return function(*given, **named)
        except TypeError as error:
            wrong = None if isinstance(error, ConfigError) else _wrong(function, name, given, named)
            if wrong is None:
                raise
            raise ArgumentError(wrong) from None

    return call


def _wrong(function: Callable, name: str, given: tuple, named: dict) -> str | None:
    """What is wrong with the arguments of a call; None if nothing is, so that its error came from elsewhere."""
    parameters = [*inspect.signature(function).parameters.values()]
    if parameters and parameters[0].name in ("self", "cls"):
        parameters, given = parameters[1:], given[1:]
    known = {each.name: each for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)}
    free = {each.kind for each in parameters}
    ordered = [each.name for each in known.values() if each.kind is not each.KEYWORD_ONLY]
    if inspect.Parameter.VAR_KEYWORD not in free:
        for each in named:
            if each not in known:
                return f"{name}: {unknown('argument', each, known)}"
    if len(given) > len(ordered) and inspect.Parameter.VAR_POSITIONAL not in free:
        more = [each for each in known if each not in ordered]
        todo = f"; write {more[0]}=... and so on" if more else ""
        most = f"at most {len(ordered)} without a name ({', '.join(ordered)})" if ordered else "none without a name"
        return f"{name} takes {most}, and got {shorten(repr(given[len(ordered)]))} as well{todo}"
    for each in ordered[: len(given)]:
        if each in named:
            return f"{name}: '{each}' is given twice"
    filled = {*ordered[: len(given)], *named}
    missing = [each.name for each in known.values() if each.default is each.empty and each.name not in filled]
    return f"{name} needs '{missing[0]}'" if missing else None
