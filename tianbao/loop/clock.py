"""Time steps of a run, and the checks of what a run may be asked for."""

from __future__ import annotations

from dataclasses import dataclass

from ..engine import ENGINES
from ..errors import ConfigError, shown, unknown
from ..rows import number, whole

_ORDERS = (1, 2)
_SHORTEST, _LONGEST = 1e-4, 1e9  # [ms] of a step
_MOST_CORRECTIONS = 100
_MOST_BEND = 50.0  # [kappa L], ten times that of a crawling worm
_MOST_FRAMES = 1_000_000  # of one recording: three gigabytes


@dataclass(frozen=True)
class Clock:
    """Time steps of a run.

    Attributes:
        dt: step of the neurons [ms].
        tick: exchange between brain and body, and step of the body [ms].
        frame: interval of recorded frames [ms].
        order: of the neural step; 1 is backward Euler, 2 Crank-Nicolson in NEURON's staggered form.
        corrections: how often a step is solved again with the new voltages across gap junctions; native engine only.

    Limitations: order 2 extrapolates across gap junctions and so bounds dt unless it is corrected; backward Euler
    does not ring.
    """

    dt: float = 0.5
    tick: float = 4.0
    frame: float = 20.0
    order: int = 1
    corrections: int = 0

    def __post_init__(self) -> None:
        if type(self.order) is not int or self.order not in _ORDERS:
            raise ConfigError(f"clock order {shown(self.order)}: give 1 (backward Euler) or 2 (Crank-Nicolson)")
        whole(self.corrections, "clock", "corrections", high=_MOST_CORRECTIONS)
        for name in ("dt", "tick", "frame"):
            number(getattr(self, name), "clock", name, "ms", high=_LONGEST)
        if 0 < self.dt < _SHORTEST:
            raise ConfigError(f"clock dt {self.dt:g} ms is below {_SHORTEST:g} ms, where nothing but round-off is left")
        if not 0 < self.dt <= self.tick <= self.frame:
            raise ConfigError(
                f"clock dt {self.dt:g}, tick {self.tick:g}, frame {self.frame:g} ms: need 0 < dt <= tick <= frame"
            )
        for short, long, names in ((self.dt, self.tick, ("dt", "tick")), (self.tick, self.frame, ("tick", "frame"))):
            if abs(long / short - round(long / short)) > 1e-9:
                raise ConfigError(
                    f"clock: {names[1]} = {long:g} ms must be a whole multiple of {names[0]} = {short:g} ms"
                )

    @property
    def ticks_per_frame(self) -> int:
        """Ticks between two recorded frames."""
        return round(self.frame / self.tick)


def check_options(seed: int, engine: str, clock: Clock, initial_curvature: float) -> None:
    """Refuse options of a simulation that cannot be, without anything heavy.

    Raises:
        ConfigError: for a value out of range.
    """
    if engine not in ENGINES:
        raise ConfigError(unknown("engine", engine, ENGINES))
    if clock.corrections and engine == "neuron":
        raise ConfigError("corrections are a feature of engine 'native'; set corrections to 0 or choose it")
    if isinstance(seed, int) and seed < 0:
        raise ConfigError(f"seed {shown(seed)} is negative; give a whole number from 0")
    whole(seed, "simulation", "seed")
    number(initial_curvature, "simulation", "initial_curvature", "kappa L", low=-_MOST_BEND, high=_MOST_BEND)


def check_duration(duration: float, clock: Clock) -> None:
    """Refuse a duration [ms] that no recording can have.

    Raises:
        ConfigError: for one shorter than a frame, or of more frames than a recording holds.
    """
    frame, most = clock.frame, _MOST_FRAMES * clock.frame
    if not frame <= number(duration, "run", "duration", "ms"):
        raise ConfigError(f"duration {duration:g} ms is not a time of at least one frame ({frame:g} ms)")
    if duration > most:
        todo = f"at most {most:g} ms at frames of {frame:g} ms; give a longer clock.frame"
        raise ConfigError(f"duration {duration:g} ms is more than one recording holds: {todo}")
