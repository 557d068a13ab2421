"""The brains of all worms of a simulation behind one interface, whichever engine integrates them."""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from .. import forks
from ..network.assembly import Network
from ..network.design import NetworkDesign
from . import PRECISIONS, chosen


class Population:
    """Brains of several worms, advanced side by side.

    The bits do not depend on the number of threads: a brain is advanced by one thread and shares only constants.

    Args:
        designs: one per worm; worms of one design share its compiled network.
        engine: one of `ENGINES`.
        threads: how many brains are advanced at the same time, native engine only.

    Attributes:
        brains: one per worm, see `Brain`.
        engine: what integrates them.

    Raises:
        ConfigError: for an unknown engine, or several brains in NEURON, which numbers its cells per process.
        MechanismError: if the native engine has no code for something in a network, or finds no compiler.
    """

    def __init__(self, designs: Sequence[NetworkDesign], engine: str, threads: int = 1) -> None:
        engine = chosen(engine, len(designs))
        self.designs, self.engine = tuple(designs), engine
        self._network: Network | None = None
        self.brains = self._in_neuron() if engine == "neuron" else self._compiled(PRECISIONS[engine])
        self._pool: ThreadPoolExecutor | None = None
        if threads > 1 and len(self.brains) > 1:
            self._pool = ThreadPoolExecutor(min(threads, len(self.brains)), "brain")
            self._process = os.getpid()
            weakref.finalize(self, self._pool.shutdown, wait=False)

    def _in_neuron(self) -> tuple:
        # NEURON's first import belongs to the mechanisms that the network loads.
        self._network = network = assembled(self.designs[0])
        from .brains import NeuronBrain

        return (NeuronBrain(network),)

    def _compiled(self, precision: str) -> tuple:
        found: dict[int, object] = {}
        brains = []
        for design in self.designs:
            if id(design) not in found:
                network = assembled(design)
                from .brains import CompiledBrain, CompiledNervousSystem, NervousSystem

                found[id(design)] = CompiledNervousSystem(NervousSystem.read(network), precision)
            brains.append(CompiledBrain(found[id(design)]))
        return tuple(brains)

    @property
    def alive(self) -> bool:
        """Whether these brains can still be run: those in NEURON end when another network takes their place."""
        return self._network is None or self._network.alive

    def start(self, voltages: Sequence[np.ndarray], dt: float, order: int, corrections: int, rates: Sequence) -> None:
        """Begin a run at time 0.

        Args:
            voltages: of every cell of each worm [mV], neurons before muscles.
            dt: step [ms].
            order, corrections: see `tianbao.Clock`.
            rates: factor on the rates of gates of each worm [-].
        """
        for brain, voltage, rate in zip(self.brains, voltages, rates, strict=True):
            brain.start(voltage, dt, order, corrections, rate)

    def advance(self, time: float) -> None:
        """Integrate every brain to a time [ms]."""
        if self._pool is None:
            for brain in self.brains:
                brain.advance(time)
        elif os.getpid() != self._process:
            raise forks.refusal()
        else:
            for _ in self._pool.map(lambda brain: brain.advance(time), self.brains):
                pass


def assembled(design: NetworkDesign) -> Network:
    """The network of a design in NEURON: the existing one if it was built from this design, a new one otherwise."""
    newest = Network.newest()
    return newest if newest is not None and newest.design is design else Network(design)
