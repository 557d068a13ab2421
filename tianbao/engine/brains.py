"""One worm's nervous system as the loop sees it, whichever engine integrates it.

The loop writes `stretch` and `current`, calls `advance`, and reads `activation` and `voltage`. Both
engines integrate the same assembled network; only the machine under it differs.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Protocol

import numpy as np
from neuron import h

from ..cells.temperature import set_rates
from ..errors import ConfigError, OutputError, unknown
from ..network.assembly import Network
from . import ENGINES, PRECISIONS
from .extract import Partner, Pointer
from .native import NativeBrain

# Order -> NEURON's `secondorder`, and how many steps gap junctions look ahead of the transferred voltage: a
# Crank-Nicolson step takes currents in its middle, and without the half step it is of first order only.
METHODS = {1: (0, 0.0), 2: (2, 0.5)}
# What synapses and gap junctions keep of their partner's voltage from one step to the next.
_TRANSFERRED = ("vpre", "partner", "before")


class Brain(Protocol):
    """What an engine offers to the loop.

    Attributes:
        stretch: of every receptor [kappa L], shape (receptors,); written by the loop.
        current: into every soma [nA], shape (neurons,); written by the loop.
        activation: of every muscle [-], shape (95,); true after `advance`.
        voltage: of every soma [mV], shape (neurons,); true after `advance`.
    """

    stretch: np.ndarray
    current: np.ndarray
    activation: np.ndarray
    voltage: np.ndarray

    def start(self, dt: float, order: int, corrections: int, rate: float = 1.0) -> None:
        """Begin a run at time 0 from the voltages of NEURON's segments, gates that many times as fast."""

    def advance(self, time: float) -> None:
        """Integrate to a time [ms]."""

    def snapshot(self) -> dict[str, np.ndarray]:
        """Copies of all that the next step depends on."""

    def go_back(self, snapshot: dict[str, np.ndarray]) -> None:
        """Take up a snapshot after `start`; the same steps then give the same bits."""


class NeuronBrain:
    """The network integrated by NEURON itself; buffers are views of NEURON's vectors."""

    def __init__(self, network: Network) -> None:
        design = network.design
        self._parallel = network.sim.pc
        self._transferred = [
            (point, name) for point, _ in network.partners() for name in _TRANSFERRED if hasattr(point, name)
        ]
        self.stretch = network.stretch.as_numpy()
        self._current, self._clamps = _vector_and_pointers(
            [network.current_clamp(name)._ref_amp for name in design.neurons]
        )
        self._activation, self._activations = _vector_and_pointers(
            [network.muscle(name)(0.5)._ref_a_muscle_activation for name in design.muscles.index]
        )
        self._voltage, self._voltages = _vector_and_pointers(
            [network.soma(name)(0.5)._ref_v for name in design.neurons]
        )
        self.current, self.activation, self.voltage = (
            each.as_numpy() for each in (self._current, self._activation, self._voltage)
        )

    def start(self, dt: float, order: int, corrections: int = 0, rate: float = 1.0) -> None:
        """Begin a run; see `Brain`.

        Raises:
            ConfigError: for corrections, which NEURON has not.
        """
        if corrections:
            raise ConfigError("corrections are a feature of engine 'native'; set corrections to 0 or choose it")
        set_rates(h, rate)
        h.dt, h.celsius = dt, 20.0
        h.secondorder, h.lead_GapJunction = METHODS[order]
        self._parallel.set_maxstep(10.0)
        self._parallel.setup_transfer()
        h.finitialize()
        self._gather()

    def advance(self, time: float) -> None:
        """Integrate to a time [ms]."""
        self._clamps.scatter(self._current)
        self._parallel.psolve(time)
        self._gather()

    def snapshot(self) -> dict[str, np.ndarray]:
        """Copies of all that the next step depends on: NEURON's states, and the voltages it has transferred."""
        saved = h.SaveState()
        saved.save()
        transferred = h.Vector(len(self._transferred))
        self._transfer_pointers().gather(transferred)
        return {"neuron": _bytes_of(saved), "transferred": transferred.as_numpy().copy()}

    def go_back(self, snapshot: dict[str, np.ndarray]) -> None:
        """Take up a snapshot after `start`; the same steps then give the same bits.

        Raises:
            ConfigError: when it is of another network.
        """
        if len(snapshot["transferred"]) != len(self._transferred):
            raise ConfigError("this state is of another network: resume it with the worm it was taken from")
        _saved_from(snapshot["neuron"]).restore()
        # SaveState leaves out what ParallelContext has transferred: without it gap junctions start from elsewhere.
        self._transfer_pointers().scatter(h.Vector(snapshot["transferred"]))
        self._gather()

    def _transfer_pointers(self):
        pointers = h.PtrVector(len(self._transferred))
        for k, (point, name) in enumerate(self._transferred):
            pointers.pset(k, getattr(point, f"_ref_{name}"))
        return pointers

    def _gather(self) -> None:
        self._activations.gather(self._activation)
        self._voltages.gather(self._voltage)


def _vector_and_pointers(references: list):
    """A vector and the pointers that fill it or are filled from it."""
    pointers = h.PtrVector(len(references))
    for k, reference in enumerate(references):
        pointers.pset(k, reference)
    return h.Vector(len(references)), pointers


def _bytes_of(saved) -> np.ndarray:
    """A SaveState as NEURON writes it to a file, shape (bytes,).

    Raises:
        OutputError: when the disk of temporary files is full; NEURON then gives up in a way of its own.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "state"
            file = h.File(str(path))
            saved.fwrite(file)
            return np.fromfile(path, np.uint8)
    except (OSError, RuntimeError) as error:
        where = tempfile.gettempdir()
        raise OutputError(f"cannot write NEURON's state in {where}: {error}; free some space") from error


def _saved_from(content: np.ndarray):
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "state"
            content.tofile(path)
            saved = h.SaveState()
            saved.fread(h.File(str(path)))
    except (OSError, RuntimeError) as error:
        where = tempfile.gettempdir()
        raise OutputError(f"cannot read NEURON's state in {where}: {error}; free some space") from error
    return saved


class CompiledBrain:
    """The network taken out of NEURON and integrated by the native engine."""

    def __init__(self, network: Network, precision: str = "f64") -> None:
        design = network.design
        receptors = design.stretch.receptors
        self.native = NativeBrain(
            network.sections,
            [Partner(point, segment) for point, segment in network.partners()],
            [
                Pointer(point, k)
                for k, receptor in enumerate(receptors)
                for point in network.stretch_receptors(receptor.neuron)
            ],
            len(receptors),
            precision,
        )
        self.stretch = np.zeros(len(receptors))
        order = {each: k for k, each in enumerate(self.native.clamp_objects)}
        self._clamps = np.array([order[network.current_clamp(name)] for name in design.neurons], int)
        self._somas = self.native.nodes([network.soma(name)(0.5) for name in design.neurons])
        segments, (self._activations,) = self.native.state("muscle_activation", "a")
        order = {each: k for k, each in enumerate(segments)}
        self._muscles = np.array([order[network.muscle(name)(0.5)] for name in design.muscles.index], int)
        self.current = np.zeros(len(design.neurons))
        self.activation, self.voltage = np.zeros(len(self._muscles)), np.zeros(len(self._somas))
        self._fetched_activation, self._fetched_voltage = (
            each.astype(self.native.voltage.dtype) for each in (self.activation, self.voltage)
        )
        self._dt = 0.0
        self._steps = 0

    def start(self, dt: float, order: int, corrections: int = 0, rate: float = 1.0) -> None:
        """Begin a run; see `Brain`."""
        h.celsius, h.lead_GapJunction = 20.0, METHODS[order][1]
        self._dt, self._steps = dt, 0
        self.native.external[:] = self.stretch
        self.native.start(dt, order, corrections, rate)
        self._read()

    def advance(self, time: float) -> None:
        """Integrate to a time [ms]."""
        self.native.external[:] = self.stretch
        self.native.clamp_current[self._clamps] = self.current
        done = round(time / self._dt)
        self.native.advance(done - self._steps)
        self._steps = done
        self._read()

    def snapshot(self) -> dict[str, np.ndarray]:
        """Copies of all that the next step depends on."""
        return self.native.snapshot()

    def go_back(self, snapshot: dict[str, np.ndarray]) -> None:
        """Take up a snapshot after `start`; the same steps then give the same bits.

        Raises:
            ConfigError: when it is of another network.
        """
        self.native.go_back(snapshot)
        self._steps = round(self.native.time / self._dt)
        self._read()

    def _read(self) -> None:
        # Fetched in the engine's own precision first: an indexed read would make a new array each tick.
        np.take(self._activations, self._muscles, out=self._fetched_activation, mode="clip")
        np.take(self.native.voltage, self._somas, out=self._fetched_voltage, mode="clip")
        self.activation[:] = self._fetched_activation
        self.voltage[:] = self._fetched_voltage


def brain(network: Network, engine: str) -> Brain:
    """The nervous system of an assembled network.

    Args:
        network: from NetPyNE.
        engine: one of `ENGINES`.

    Raises:
        ConfigError: for an unknown engine.
        MechanismError: if the native engine has no code for something in the network, or finds no compiler.
    """
    if engine not in ENGINES:
        raise ConfigError(unknown("engine", engine, ENGINES))
    if engine == "neuron":
        return NeuronBrain(network)
    return CompiledBrain(network, PRECISIONS[engine])
