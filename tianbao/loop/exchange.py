"""What flows from the world into the nervous system at every tick."""

from __future__ import annotations

import numpy as np

from ..apparatus import Pulse
from ..network.design import NetworkDesign
from ..units import NA_PER_PA


class Currents:
    """Bias, noise and stimuli of every neuron."""

    def __init__(
        self, design: NetworkDesign, pulses: list[tuple[str, Pulse]], rng: np.random.Generator, tick: float
    ) -> None:
        self._bias = design.bias() * NA_PER_PA
        self._noise = design.noise_amplitude() * NA_PER_PA
        # An Ornstein-Uhlenbeck process, stepped exactly: its spectrum does not depend on the tick.
        self._kept = float(np.exp(-tick / design.parameters.noise_tau))
        self._renewed = float(np.sqrt(1.0 - self._kept**2))
        self._fluctuation = rng.standard_normal(len(design.neurons))
        self._fresh = np.empty_like(self._fluctuation)
        index = {name: k for k, name in enumerate(design.neurons)}
        self._pulses = [(index[name], pulse) for name, pulse in pulses]
        self._rng, self._tick = rng, tick

    @property
    def generator(self) -> dict:
        """State of the noise; setting it restores it."""
        return self._rng.bit_generator.state

    @generator.setter
    def generator(self, state: dict) -> None:
        self._rng.bit_generator.state = state

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all arrays that the next tick depends on."""
        return {"fluctuation": self._fluctuation.copy()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Restore a state."""
        self._fluctuation[:] = state["fluctuation"]

    def write(self, time: float, out: np.ndarray) -> None:
        """Currents of the tick that starts at `time` [ms].

        Args:
            time: [ms]
            out: filled, [nA], shape (neurons,).
        """
        np.multiply(self._fluctuation, self._noise, out=out)
        out += self._bias
        self._rng.standard_normal(out=self._fresh)
        self._fresh *= self._renewed
        self._fluctuation *= self._kept
        self._fluctuation += self._fresh
        for k, pulse in self._pulses:
            # A pulse that covers part of a tick brings its charge, not its amplitude.
            overlap = min(pulse.stop, time + self._tick) - max(pulse.start, time)
            if overlap > 0.0:
                out[k] += pulse.amplitude * overlap / self._tick
