"""The buffers through which body and brain meet, shared with NEURON without copying."""

from __future__ import annotations

import numpy as np
from neuron import h

from ..network.assembly import Network
from ..units import NA_PER_PA
from ..worm import Pulse


class StretchBuffer:
    """Stretch of every receptor, read by NEURON through POINTER."""

    def __init__(self, network: Network) -> None:
        field = network.design.stretch
        self._weights = field.weights
        self._vector = h.Vector(len(field.receptors))
        self._view = self._vector.as_numpy()
        for k, receptor in enumerate(field.receptors):
            for point in network.stretch_receptors(receptor.neuron):
                point._ref_stretch = self._vector._ref_x[k]

    def write(self, curvature: np.ndarray) -> None:
        """Fill from kappa L at the body's positions, shape (positions,)."""
        np.dot(self._weights, curvature, out=self._view)


class CurrentBuffer:
    """Bias, noise and stimuli of every neuron, scattered to the current clamps each tick."""

    def __init__(
        self, network: Network, pulses: list[tuple[str, Pulse]], rng: np.random.Generator, tick: float
    ) -> None:
        design = network.design
        self._bias = design.bias() * NA_PER_PA
        # White noise keeps its spectral density whatever the tick: amplitude falls as its root.
        self._noise = design.noise_amplitude() * NA_PER_PA / np.sqrt(tick)
        index = {name: k for k, name in enumerate(design.neurons)}
        self._pulses = [(index[name], pulse) for name, pulse in pulses]
        self._rng, self._tick = rng, tick
        self._vector = h.Vector(len(design.neurons))
        self._view = self._vector.as_numpy()
        self._targets = h.PtrVector(len(design.neurons))
        for k, name in enumerate(design.neurons):
            self._targets.pset(k, network.current_clamp(name)._ref_amp)

    def write(self, time: float) -> None:
        """Set every clamp for the tick that starts at `time` [ms]."""
        self._rng.standard_normal(out=self._view)
        self._view *= self._noise
        self._view += self._bias
        for k, pulse in self._pulses:
            # A pulse that covers part of a tick brings its charge, not its amplitude.
            overlap = min(pulse.stop, time + self._tick) - max(pulse.start, time)
            if overlap > 0.0:
                self._view[k] += pulse.amplitude * overlap / self._tick
        self._targets.scatter(self._vector)


class ActivationBuffer:
    """Activations of the 95 muscles, gathered from NEURON each tick."""

    def __init__(self, network: Network) -> None:
        muscles = network.design.muscles.index
        self._sources = h.PtrVector(len(muscles))
        for k, name in enumerate(muscles):
            self._sources.pset(k, network.muscle(name)(0.5)._ref_a_muscle_activation)
        self._vector = h.Vector(len(muscles))
        self.values = self._vector.as_numpy()

    def read(self) -> np.ndarray:
        """Present activations [-], shape (95,)."""
        self._sources.gather(self._vector)
        return self.values


class VoltageProbe:
    """Soma voltages of neurons."""

    def __init__(self, network: Network, neurons: tuple[str, ...]) -> None:
        self.neurons = neurons
        self._sources = h.PtrVector(len(neurons))
        for k, name in enumerate(neurons):
            self._sources.pset(k, network.soma(name)(0.5)._ref_v)
        self._vector = h.Vector(len(neurons))

    def read(self) -> np.ndarray:
        """Present voltages [mV], shape (neurons,); the next call overwrites them."""
        self._sources.gather(self._vector)
        return self._vector.as_numpy()
