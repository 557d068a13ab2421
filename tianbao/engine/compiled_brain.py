"""A brain that the native engine integrates, without NEURON."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..cells.temperature import reference
from .brain import LEAD, METHODS
from .extract import NervousSystem
from .flat import FlatBrain, NativeNetwork


class CompiledNervousSystem:
    """A nervous system laid out for the native engine; brains of equal worms share it.

    Args:
        system: read from an assembled network.
        precision: see `NativeNetwork`.
    """

    def __init__(self, system: NervousSystem, precision: str = "f64") -> None:
        self.network = NativeNetwork(system.extract, precision)
        self.cell, self.clamp = system.cell, system.clamp
        self.soma = self.network.nodes(system.soma)
        groups = enumerate(self.network.groups)
        ((self.muscle_group, group),) = [each for each in groups if each[1].kind.mechanism.name == "muscle_activation"]
        self.muscle = np.argsort(group.rows)[system.muscle]


class CompiledBrain:
    """A nervous system integrated by the native engine, without NEURON."""

    def __init__(self, compiled: CompiledNervousSystem) -> None:
        self.compiled = compiled
        self.native = FlatBrain(compiled.network)
        self._activations = self.native.fields[compiled.muscle_group]["a"]
        self.inputs = np.zeros(compiled.network.extract.external)
        self.current = np.zeros(len(compiled.clamp))
        self.activation, self.voltage = np.zeros(len(compiled.muscle)), np.zeros(len(compiled.soma))
        self._fetched_activation, self._fetched_voltage = (
            each.astype(self.native.voltage.dtype) for each in (self.activation, self.voltage)
        )
        self._dt = 0.0
        self._steps = 0

    @property
    def time(self) -> float:
        """Since the start [ms]."""
        return self.native.time

    def start(self, voltage: np.ndarray, dt: float, order: int, corrections: int = 0, rate: float = 1.0) -> None:
        """Begin a run; see `Brain`."""
        self._dt, self._steps = dt, 0
        self.native.external[:] = self.inputs
        shared = {"celsius": reference(), LEAD: METHODS[order][1]}
        self.native.start(np.asarray(voltage)[self.compiled.cell], dt, order, corrections, rate, shared)
        self._read()

    def advance(self, time: float) -> None:
        """Integrate to a time [ms]."""
        self.native.external[:] = self.inputs
        self.native.clamp_current[self.compiled.clamp] = self.current
        done = round(time / self._dt)
        self.native.advance(done - self._steps)
        self._steps = done
        self._read()

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that the next step depends on."""
        return self.native.state()

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from a state, after `start`; the same steps then give the same bits.

        Raises:
            ConfigError: when it belongs to another network.
        """
        self.native.restore(state)
        self._steps = round(self.native.time / self._dt)
        self._read()

    def _read(self) -> None:
        # Fetched in the engine's own precision first: an indexed read would make a new array each tick.
        np.take(self._activations, self.compiled.muscle, out=self._fetched_activation, mode="clip")
        np.take(self.native.voltage, self.compiled.soma, out=self._fetched_voltage, mode="clip")
        self.activation[:] = self._fetched_activation
        self.voltage[:] = self._fetched_voltage
