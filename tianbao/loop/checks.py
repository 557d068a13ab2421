"""Checks of the options of a run, before anything heavy is started."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from ..body import SoftBody
from ..clock import Clock
from ..engine.choice import chosen
from ..environment import Arena
from ..errors import ConfigError, shorten
from ..ranges import ranges
from ..rows import number, whole
from ..worm_model import WormModel

_MOST_BEND = 50.0  # [kappa L], ten times that of a crawling worm
_MOST_FRAMES = 1_000_000  # of one recording: three gigabytes


def check_options(seed: int, engine: str, clock: Clock, initial_curvature: float, worms: int = 1) -> str:
    """Refuse impossible options of a simulation, before anything heavy is started.

    Returns:
        The engine, "auto" resolved.

    Raises:
        ConfigError: for a value out of range.
    """
    engine = chosen(engine, worms)
    if clock.corrections and engine == "neuron":
        raise ConfigError("corrections are a feature of engine 'native'; set corrections to 0 or choose it")
    if isinstance(seed, int) and seed < 0:
        raise ConfigError(f"seed {shorten(seed)} is negative; give a whole number from 0")
    whole(seed, "simulation", "seed")
    number(initial_curvature, "simulation", "initial_curvature", "kappa L", low=-_MOST_BEND, high=_MOST_BEND)
    return engine


def check_duration(duration: float, clock: Clock) -> None:
    """Refuse a duration [ms] that no recording can have.

    Raises:
        ConfigError: for one shorter than a frame, or of more frames than a recording holds.
    """
    frame, most = clock.frame, _MOST_FRAMES * clock.frame
    if not frame <= number(duration, "run", "duration", "ms"):
        raise ConfigError(f"duration {duration:g} ms is shorter than one frame ({frame:g} ms): give ms, 10000 for 10 s")
    if duration > most:
        todo = f"at most {most:g} ms at frames of {frame:g} ms; give a longer clock.frame"
        raise ConfigError(f"duration {duration:g} ms is more than one recording holds: {todo}")


def check_ranges(
    worms: Sequence[WormModel], arena: Arena, body: SoftBody, clock: Clock, initial_curvature: float
) -> list[str]:
    """Compare every value of a simulation with the table of ranges (ranges.csv).

    Returns:
        A sentence for each value outside of what the model was shown to hold for.

    Raises:
        ConfigError: for a value that means nothing.
    """
    found: dict[str, None] = {}
    for quantity, name, value, forced in _values(worms, arena, body, clock, initial_curvature):
        row = ranges()[quantity]
        if not forced:
            row.refuse(value, name)
        if warning := row.warning(value, name):
            found[warning] = None
    return list(found)


def _values(
    worms: Sequence[WormModel], arena: Arena, body: SoftBody, clock: Clock, initial_curvature: float
) -> Iterator[tuple[str, str, float, bool]]:
    """Quantity of the table, name in messages, value, and whether the experimenter insists on it."""
    medium, material = arena.medium, dataclasses.asdict(body.material)
    second = "" if clock.order == 1 else " of order 2 with corrections" if clock.corrections else " of order 2"
    swims = " of a swimmer" if medium.surface_stiffness == 0.0 else ""
    yield f"clock.dt{second}", f"clock.dt{second}", clock.dt, False
    yield f"clock.tick{swims}", "clock.tick" + (f" in {medium.name}" if swims else ""), clock.tick, False
    plain = {"clock.frame": clock.frame, "body.slabs": body.mesh.slabs, "body.initial_curvature": initial_curvature}
    plain |= {f"arena.{name}": getattr(arena, name) for name in ("temperature", "gravity")}
    drags = ("drag_normal", "drag_tangential", "surface_stiffness", "density")
    plain |= {f"medium.{name}": getattr(medium, name) for name in drags}
    plain["drag ratio of the medium"] = medium.drag_ratio
    plain |= {f"material.{name}": value for name, value in material.items()}
    yield from ((name, name, value, False) for name, value in plain.items())
    for table in (each for worm in worms for each in worm.record):
        cells = table.get("neuron") or ",".join(table.get("neurons", ())) or "the body"
        for argument, value in table.items():
            quantity = f"{table['verb']}.{argument}"
            if quantity in ranges():
                yield quantity, f"{table['verb']} {shorten(cells)}: {argument}", value, table.get("force", False)


def check_checkpoints(checkpoints: object) -> None:
    """Refuse anything but what keeps states.

    Raises:
        ConfigError: for a path, or another object without `keep` and `every`.
    """
    if checkpoints is not None and not (hasattr(checkpoints, "keep") and hasattr(checkpoints, "every")):
        todo = 'give tianbao.Checkpoints("run.tianbao", every=1000.0)'
        raise ConfigError(f"run: checkpoints = {shorten(repr(checkpoints))} keeps no states: {todo}")


def check_observers(observers: object) -> None:
    """Refuse what cannot be called between two ticks.

    Raises:
        ConfigError: for anything but a list of functions with an attribute `every`, a whole number of ticks.
    """
    if not isinstance(observers, (list, tuple)):
        raise ConfigError(f"run: observers = {shorten(repr(observers))} must be a list, such as [tianbao.Live()]")
    for each in observers:
        every = getattr(each, "every", None)
        if not callable(each) or isinstance(each, type) or type(every) is not int or every < 1:
            todo = "give a function of the loop with an attribute 'every', a whole number of ticks"
            raise ConfigError(f"run: {shorten(repr(each))} is no observer: {todo}")
