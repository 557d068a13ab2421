"""Whether the native engine gives what NEURON gives, on a configuration of the user's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .arguments import named_arguments
from .config import RunConfig
from .engine.choice import ON_CARD, PRECISIONS
from .experiment import simulation

if TYPE_CHECKING:
    from .recorded import WormTrack

FIRST = 1_000.0
"""How much of a run is compared unless something else is asked for [ms]."""
# Declared [mV]: rounding makes 1e-10 in a second, single precision and tables up to 0.007; an equation of another form
# would make more.
_MOST = {engine: 1e-6 if precision == "f64" else 0.05 for engine, precision in (PRECISIONS | ON_CARD).items()}


@dataclass(frozen=True)
class Agreement:
    """The largest differences between the engines.

    Attributes:
        engine: what was compared with NEURON.
        duration: of biology that was compared [ms].
        voltage: of any neuron's soma, at any tick [mV].
        midline: of any point of the midline, at any tick [mm].
    """

    engine: str
    duration: float
    voltage: float
    midline: float

    @property
    def holds(self) -> bool:
        """Whether the voltages differ by no more than the engine's arithmetic explains."""
        return self.voltage <= _MOST[self.engine]

    def __str__(self) -> str:
        word = "agree" if self.holds else "do NOT agree"
        return (
            f"engines {self.engine} and neuron {word} over the first {self.duration:g} ms: voltages differ by at most "
            f"{self.voltage:.1e} mV (allowed {_MOST[self.engine]:g}), midlines by {self.midline:.1e} mm"
        )


@named_arguments
def verify(config: RunConfig, *, duration: float = FIRST, progress: bool = True) -> Agreement:
    """Run the beginning of a configuration in NEURON and in the native engine, and compare.

    Args:
        config: of the run; of several worms, the first is compared, without the others.
        duration: of biology to compare, at most that of the run [ms].
        progress: show time left.

    Raises:
        ConfigError, AnatomyError: for a value or name that is not possible, or an option that NEURON does not have.
        MechanismError: without a C compiler, or for a mechanism that the native engine has no code for.
    """
    engine = config.engine if config.engine in _MOST else "native"
    duration = min(duration, config.duration)
    ours, reference = (_track(config, each, duration, progress) for each in (engine, "neuron"))
    return Agreement(
        engine,
        duration,
        float(np.abs(ours.voltage - reference.voltage).max()),
        float(np.abs(ours.midline - reference.midline).max()),
    )


def _track(config: RunConfig, engine: str, duration: float, progress: bool) -> WormTrack:
    """The first worm in one engine, with every neuron's voltage at every tick."""
    made = simulation(replace(config, engine="native"), progress=progress)
    if len(made.worms) > 1:
        made = made.alone(0)
    made.engine = engine
    return made.record(voltage=["*"], every=config.clock.tick).run(duration).track()
