"""A worm's nervous system as the loop sees it, whichever engine integrates it.

The loop writes `inputs` and `current`, calls `advance`, and reads `activation` and `voltage`. Both engines integrate
the same assembled network; only what integrates it differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

# Order -> NEURON's `secondorder`, and how many steps gap junctions look ahead of the transferred voltage: a
# Crank-Nicolson step takes currents in its middle, and without the half step it is of first order only.
METHODS = {1: (0, 0.0), 2: (2, 0.5)}
LEAD = "lead_GapJunction"


class Brain(Protocol):
    """What an engine offers to the loop.

    Attributes:
        inputs: what receptors read, shape (inputs,), see `NetworkDesign.inputs`; written by the loop.
        current: into every soma [nA], shape (neurons,); written by the loop.
        activation: of every muscle [-], shape (95,); valid after `advance`.
        voltage: of every soma [mV], shape (neurons,); valid after `advance`.
    """

    inputs: np.ndarray
    current: np.ndarray
    activation: np.ndarray
    voltage: np.ndarray

    @property
    def time(self) -> float:
        """Since the start [ms]."""

    def start(self, voltage: np.ndarray, dt: float, order: int, corrections: int, rate: float = 1.0) -> None:
        """Begin a run at time 0 from a voltage per cell [mV], neurons before muscles; gates `rate` times as fast."""

    def advance(self, time: float) -> None:
        """Integrate to a time [ms]."""

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that the next step depends on."""

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from a state, after `start`; the same steps then give the same bits."""
