"""Voltages and currents of a protocol on a patched neuron, and their measures."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from .measures import MEASURES, current_step, voltage_step
from .protocols import Protocol


@dataclass(frozen=True)
class Traces:
    """Recordings of one protocol.

    Attributes:
        cell: name of the patched cell.
        protocol: that was run.
        time: [ms], shape (samples,).
        voltage: of the soma [mV], shape (samples, sweeps).
        current: through the pipette [pA], outward positive under voltage clamp, shape (samples, sweeps).
    """

    cell: str
    protocol: Protocol
    time: np.ndarray = field(repr=False)
    voltage: np.ndarray = field(repr=False)
    current: np.ndarray = field(repr=False)

    def measure(self) -> pd.DataFrame:
        """Rest, peak, intermediate values and steady state of every sweep.

        Returns:
            One row per sweep: level [pA or mV], then the measures [mV or pA] (see `measures`).
        """
        step = self.protocol.epochs[self.protocol.measured]
        levels = np.array(self.protocol.levels(self.protocol.measured))
        if self.protocol.mode == "voltage":
            before = np.array(self.protocol.levels(self.protocol.measured - 1 if self.protocol.measured else 0))
            found = voltage_step(self.time, self.current, self.protocol.onset, step.duration, levels >= before)
        else:
            found = current_step(self.time, self.voltage, self.protocol.onset, step.duration, levels >= 0)
        return pd.DataFrame({"level": levels, **{name: found[name] for name in MEASURES if name in found}})
