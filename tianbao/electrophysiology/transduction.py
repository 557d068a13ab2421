"""An isolated sensory neuron in a field that steps: what its receptor makes of a stimulus, without the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .. import anatomy
from ..cells.temperature import rate_factor, set_rates
from ..errors import ConfigError, unknown
from ..network.assembly import POINTERS, Network
from ..sensing import Ending, dendrite_tip, endings
from ..sensing.chemical import as_read
from ..units import NA_PER_PA
from ..worm import Worm
from .cell import PatchedCell

_DT = 0.5  # [ms], the loop's own step
_SETTLING = 500.0  # [ms] at the first value of the field before a stimulus


@dataclass(frozen=True, eq=False)
class Answer:
    """What one neuron made of a stimulus.

    Attributes:
        time: since the first step [ms], shape (samples,).
        voltage: of the soma, less its value before the stimulus [mV], shape (samples,).
        current: through the receptor, less its value before the stimulus, inward where positive [pA], shape
            (samples,).
    """

    time: np.ndarray
    voltage: np.ndarray
    current: np.ndarray

    @property
    def peak(self) -> float:
        """Largest deviation of the voltage, with its sign [mV]."""
        return float(self.voltage[np.abs(self.voltage).argmax()])

    @property
    def peak_current(self) -> float:
        """Largest change of the current, with its sign [pA]."""
        return float(self.current[np.abs(self.current).argmax()])

    def rise(self) -> float:
        """From 10 to 90 % of the peak of the current [ms]."""
        found = np.abs(self.current[: np.abs(self.current).argmax() + 1])
        low, high = (int(np.argmax(found >= share * found[-1])) for share in (0.1, 0.9))
        return float(self.time[high] - self.time[low])

    def left(self, after: float) -> float:
        """Share of the peak current that still flows some time after the peak.

        Args:
            after: [ms].
        """
        peak = int(np.abs(self.current).argmax())
        later = int(np.searchsorted(self.time, self.time[peak] + after))
        if later >= len(self.time):
            raise ConfigError(f"an answer of {self.time[-1]:g} ms has nothing {after:g} ms after its peak; run longer")
        return float(self.current[later] / self.current[peak])


class SensoryCell:
    """A sensory neuron alone in NEURON, with the membrane and the receptors of a worm.

    As with `PatchedCell`, running one initialises and advances everything else in this NEURON process.

    Args:
        neuron: name.
        field: which of its receptors; may be left out where it has one.
        worm: whose; an intact one with amines if None.

    Attributes:
        receptor: row of the table, of this worm.

    Raises:
        AnatomyError: for an unknown neuron.
        ConfigError: for a neuron without such a receptor.
    """

    def __init__(self, neuron: str, field: str | None = None, worm: Worm | None = None) -> None:
        worm = worm or Worm(amines="on")  # which feels food, too, and has the same membranes
        design = worm.design(np.empty(0))
        self.receptor = receptor_of(neuron, field, design.endings)
        self.cell = PatchedCell.of_neuron(self.receptor.neuron, worm)
        from neuron import h

        section, loc = dendrite_tip(design.cell(self.receptor.neuron), self.receptor.site)
        self._sensor = getattr(h, self.receptor.mechanism)(self.cell.sections[section](loc))
        self._field = h.Vector(1)
        setattr(self._sensor, POINTERS[self.receptor.mechanism], self._field._ref_x[0])
        for name, value in self.receptor.mechanism_parameters(worm.parameters).items():
            setattr(self._sensor, name, value)

    def answer(self, before: float, *steps: tuple[float, float], dt: float = _DT) -> Answer:
        """What a stimulus evokes.

        Args:
            before: value of the field that the cell is adapted to [unit of the field].
            *steps: each a value [unit of the field] and for how long [ms].
            dt: [ms].

        Raises:
            ConfigError: without a step.
        """
        from neuron import h

        if not steps:
            raise ConfigError("a stimulus has at least one step: answer(5.0, (50.0, 3000.0)) goes from 5 to 50 for 3 s")
        self._field.x[0] = 0.0
        rest = self.cell.rest()
        Network.release()  # or NEURON would go on advancing a worm's network
        unit = self.receptor.unit
        self._field.x[0] = float(as_read(before, unit))
        voltage, current = h.Vector().record(self.cell.soma._ref_v), h.Vector().record(self._sensor._ref_i)
        set_rates(h, rate_factor(self.cell.celsius))
        h.celsius, h.dt, h.secondorder = self.cell.celsius, dt, 0
        h.finitialize(rest)
        time = _SETTLING
        for value, duration in ((before, 0.0), *steps):
            self._field.x[0] = float(as_read(value, unit))
            time += duration
            h.ParallelContext().set_maxstep(10.0)
            h.ParallelContext().psolve(time)
        found = np.array([voltage.as_numpy(), current.as_numpy() / -NA_PER_PA])
        first = round(_SETTLING / dt)
        after = found[:, first + 1 :] - found[:, first, None]
        return Answer(dt * np.arange(1, after.shape[1] + 1), *after)


def receptor_of(neuron: str, field: str | None = None, known: Mapping[str, tuple[Ending, ...]] | None = None) -> Ending:
    """The receptor of a neuron for a field, or for touch.

    Args:
        neuron: name.
        field: name, or "touch"; may be left out where the neuron has one receptor.
        known: sense -> endings of a worm; those of every intact worm when None.

    Raises:
        AnatomyError: for an unknown neuron.
        ConfigError: if there is none, or none was named of several.
    """
    neuron = anatomy.neuron_name(neuron)
    every = (endings() if known is None else known).values()
    own = {each.field: each for rows in every for each in rows if each.neuron == neuron}
    if not own:
        raise ConfigError(f"{neuron} has no receptor for a field or touch; docs/senses.md lists those that have")
    if field is None and len(own) > 1:
        raise ConfigError(f"{neuron} has receptors for {' and '.join(own)}; say which field")
    if field is not None and field not in own:
        raise ConfigError(f"{neuron} reads {' and '.join(own)}: {unknown('field', field, own)}")
    return own[field] if field is not None else next(iter(own.values()))
