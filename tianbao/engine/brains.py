"""Brains of both engines: the assembled network in NEURON, or taken out of it and integrated by the native engine."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from neuron import h

from ..cells.temperature import reference, set_rates
from ..errors import ConfigError, OutputError
from ..mechanisms.cache import plain_folder
from ..network.assembly import Network
from . import library
from .extract import Extract, Partner, Pointer, extract, shared_values
from .flat import FlatBrain, NativeNetwork

# Order -> NEURON's `secondorder`, and how many steps gap junctions look ahead of the transferred voltage: a
# Crank-Nicolson step takes currents in its middle, and without the half step it is of first order only.
METHODS = {1: (0, 0.0), 2: (2, 0.5)}
_LEAD = "lead_GapJunction"
# What synapses and gap junctions keep of their partner's voltage from one step to the next.
_FIRST_WORDS = b"SaveState binary file version "
_TRANSFERRED = ("vpre", "partner", "before")


class NeuronBrain:
    """The network integrated by NEURON itself; buffers are views of NEURON's vectors."""

    def __init__(self, network: Network) -> None:
        design = network.design
        self.network = network
        self._parallel = network.sim.pc
        self._transferred = [
            (point, name) for point, _ in network.partners() for name in _TRANSFERRED if hasattr(point, name)
        ]
        self.inputs = network.inputs.as_numpy()
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

    @property
    def time(self) -> float:
        """Since the start [ms]."""
        return h.t

    def start(self, voltage: np.ndarray, dt: float, order: int, corrections: int = 0, rate: float = 1.0) -> None:
        """Begin a run; see `Brain`.

        Raises:
            ConfigError: for corrections, which NEURON does not support.
        """
        if corrections:
            raise ConfigError("corrections are a feature of engine 'native'; set corrections to 0 or choose it")
        for cell, start in zip(self.network.cells_in_order(), voltage, strict=True):
            for section in cell:
                section.v = start
        set_rates(h, rate)
        h.dt, h.celsius = dt, reference()
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

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that the next step depends on: NEURON's states, and the voltages it has transferred."""
        saved = h.SaveState()
        saved.save()
        transferred = h.Vector(len(self._transferred))
        self._transfer_pointers().gather(transferred)
        return {"neuron": _bytes_of(saved), "transferred": transferred.as_numpy().copy()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from a state, after `start`; the same steps then give the same bits.

        Raises:
            ConfigError: when it belongs to another network.
        """
        if len(state["transferred"]) != len(self._transferred):
            raise ConfigError("this state belongs to another network: resume it with the worm it was taken from")
        _saved_from(state["neuron"]).restore()
        # SaveState leaves out what ParallelContext has transferred, from which gap junctions start.
        self._transfer_pointers().scatter(h.Vector(state["transferred"]))
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
    for k, each in enumerate(references):
        pointers.pset(k, each)
    return h.Vector(len(references)), pointers


def _bytes_of(saved) -> np.ndarray:
    """A SaveState as NEURON writes it to a file, shape (bytes,).

    Raises:
        OutputError: when the disk for temporary files is full.
    """
    try:
        with tempfile.TemporaryDirectory(dir=plain_folder()) as folder:
            path = Path(folder) / "state"
            file = h.File(str(path))
            saved.fwrite(file)
            return np.fromfile(path, np.uint8)
    except (OSError, RuntimeError) as error:
        where = tempfile.gettempdir()
        raise OutputError(f"cannot write NEURON's state in {where}: {error}; free some space") from error


def _saved_from(content: np.ndarray):
    """A SaveState of such bytes. NEURON trusts them as it does code: only that they begin as its own do is checked.

    Raises:
        ConfigError: when they do not.
        OutputError: when the disk for temporary files is full.
    """
    if not content.tobytes().startswith(_FIRST_WORDS):
        raise ConfigError("the checkpoint's state of NEURON was not written by it: run the simulation again")
    try:
        with tempfile.TemporaryDirectory(dir=plain_folder()) as folder:
            path = Path(folder) / "state"
            content.tofile(path)
            saved = h.SaveState()
            saved.fread(h.File(str(path)))
    except (OSError, RuntimeError) as error:
        where = tempfile.gettempdir()
        raise OutputError(f"cannot read NEURON's state in {where}: {error}; free some space") from error
    return saved


@dataclass(frozen=True)
class NervousSystem:
    """A worm's nervous system without NEURON: arrays only, so that it can be pickled and sent elsewhere.

    Attributes:
        extract: its network.
        cell: cell of every node of the extract, neurons before muscles, shape (nodes,).
        soma: node of every soma, shape (neurons,).
        clamp: place among the current clamps of the extract of every neuron's, shape (neurons,).
        muscle: place among the instances of muscle_activation of every muscle's, shape (95,).
    """

    extract: Extract
    cell: np.ndarray
    soma: np.ndarray
    clamp: np.ndarray
    muscle: np.ndarray

    @classmethod
    def read(cls, network: Network) -> NervousSystem:
        """Take an assembled network out of NEURON.

        Raises:
            MechanismError: if the native engine has no code for something in the network.
        """
        design = network.design
        found, handles = extract(
            network.sections,
            library.all_kinds(),
            [Partner(point, segment) for point, segment in network.partners()],
            [Pointer(point, index) for point, index in network.pointers()],
            design.inputs.size,
        )
        cell_of = {section: k for k, cell in enumerate(network.cells_in_order()) for section in cell}
        node_of = {segment: k for k, segment in enumerate(handles.segments)}
        clamp_of = {clamp: k for k, clamp in enumerate(handles.clamps)}
        (muscles,) = (
            objects
            for each, objects in zip(found.instances, handles.objects, strict=True)
            if len(objects) and each.kind.startswith("muscle_activation")
        )
        muscle_of = {segment: k for k, segment in enumerate(muscles)}
        return cls(
            found,
            np.array([cell_of[segment.sec] for segment in handles.segments], int),
            np.array([node_of[network.soma(name)(0.5)] for name in design.neurons], int),
            np.array([clamp_of[network.current_clamp(name)] for name in design.neurons], int),
            np.array([muscle_of[network.muscle(name)(0.5)] for name in design.muscles.index], int),
        )


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

    def is_current(self) -> bool:
        """Whether what all instances of a mechanism share still is as in NEURON, but for what a start sets."""
        then, now = self.network.extract.shared, shared_values(self.network.kinds)
        return all(then[name] == now[name] for name in then if name not in ("celsius", _LEAD))


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
        shared = {"celsius": reference(), _LEAD: METHODS[order][1]}
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
