"""A brain that NEURON integrates: the assembled network itself."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..cells.temperature import reference, set_rates
from ..errors import ConfigError, OutputError
from ..mechanisms import neuron_h
from ..mechanisms.cache import plain_folder
from ..network.assembly import Network
from .brain import METHODS

h = neuron_h()
_FIRST_WORDS = b"SaveState binary file version "
# What synapses and gap junctions keep of their partner's voltage from one step to the next.
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
