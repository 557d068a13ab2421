"""Checks of the options of a run, before anything heavy is started."""

from __future__ import annotations

from ..clock import Clock
from ..engine import chosen
from ..errors import ConfigError, shorten
from ..rows import number, whole

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
        raise ConfigError(f"duration {duration:g} ms is shorter than one frame ({frame:g} ms)")
    if duration > most:
        todo = f"at most {most:g} ms at frames of {frame:g} ms; give a longer clock.frame"
        raise ConfigError(f"duration {duration:g} ms is more than one recording holds: {todo}")


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
