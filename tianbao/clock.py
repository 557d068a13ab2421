"""Time steps of a run."""

from __future__ import annotations

from dataclasses import dataclass

from .arguments import named_arguments
from .errors import ConfigError, shorten
from .options import option
from .rows import number, whole

_ORDERS = (1, 2)
_SHORTEST, _LONGEST = 1e-4, 1e9  # [ms] of a step
_MOST_CORRECTIONS = 100


@named_arguments
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

    dt: float = option(0.5, "step of the neurons [ms]")
    tick: float = option(4.0, "exchange between brain and body, and step of the body [ms]; 2 in water")
    frame: float = option(20.0, "interval of recorded frames [ms]")
    order: int = option(1, "of the neural step: 1 backward Euler, 2 Crank-Nicolson")
    corrections: int = option(0, "of a step across gap junctions, native engine only")

    def __post_init__(self) -> None:
        if type(self.order) is not int or self.order not in _ORDERS:
            raise ConfigError(f"clock order {shorten(self.order)}: give 1 (backward Euler) or 2 (Crank-Nicolson)")
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
