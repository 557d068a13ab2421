"""The brains of all worms of a simulation behind one interface, whichever engine integrates them."""

from __future__ import annotations

import os
import weakref
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from .. import forks, mechanisms
from ..network.assembly import Network
from ..network.design import NetworkDesign
from . import kept, library
from .brain import LEAD
from .card_brains import CardBrain, CardKind
from .choice import ON_CARD, PRECISIONS, chosen
from .compiled_brain import CompiledBrain, CompiledNervousSystem
from .extract import NervousSystem

_KEPT = 4
# The latest nervous systems compiled in this process, so that a second simulation of the same worm starts at once.
_compiled: OrderedDict[tuple, CompiledNervousSystem] = OrderedDict()


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
        ConfigError: for an unknown engine, several brains in NEURON, which numbers its cells per process, or no card.
        MechanismError: if the native engine has no code for something in a network, or finds no compiler.
    """

    def __init__(self, designs: Sequence[NetworkDesign], engine: str, threads: int = 1) -> None:
        engine = chosen(engine, len(designs))
        self.designs, self.engine = tuple(designs), engine
        self._network: Network | None = None
        self._on_card: list[tuple[CardKind, list[int]]] = []
        if engine == "neuron":
            self.brains = self._in_neuron()
        elif engine in ON_CARD:
            self.brains = self._sent_to_card(ON_CARD[engine])
        else:
            self.brains = self._compiled(PRECISIONS[engine])
        self._pool: ThreadPoolExecutor | None = None
        if threads > 1 and len(self.brains) > 1 and not self._on_card:
            self._pool = ThreadPoolExecutor(min(threads, len(self.brains)), "brain")
            self._process = os.getpid()
            weakref.finalize(self, self._pool.shutdown, wait=False)

    def _in_neuron(self) -> tuple:
        # NEURON's first import belongs to the mechanisms that the network loads.
        self._network = network = assembled(self.designs[0])
        from .neuron_brain import NeuronBrain

        return (NeuronBrain(network),)

    def _compiled(self, precision: str) -> tuple:
        of_design = {id(each): each for each in self.designs}
        found = {name: compiled(design, precision) for name, design in of_design.items()}
        return tuple(CompiledBrain(found[id(design)]) for design in self.designs)

    def _sent_to_card(self, precision: str) -> tuple:
        of_design: dict[int, list[int]] = {}
        for k, design in enumerate(self.designs):
            of_design.setdefault(id(design), []).append(k)
        brains: dict[int, CardBrain] = {}
        for worms in of_design.values():
            kind = CardKind(compiled(self.designs[worms[0]], precision), len(worms))
            self._on_card.append((kind, worms))
            brains |= zip(worms, kind.members, strict=True)
        return tuple(brains[k] for k in range(len(self.designs)))

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
        for kind, worms in self._on_card:
            kind.start([voltages[k] for k in worms], dt, order, corrections, [rates[k] for k in worms])
        if not self._on_card:
            for brain, voltage, rate in zip(self.brains, voltages, rates, strict=True):
                brain.start(voltage, dt, order, corrections, rate)

    def advance(self, time: float) -> None:
        """Integrate every brain to a time [ms]."""
        if self._on_card:
            for kind, _ in self._on_card:
                kind.advance(time)
        elif self._pool is None:
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


def compiled(design: NetworkDesign, precision: str) -> CompiledNervousSystem:
    """The nervous system of a design for the native engine, compiled once per process for equal designs.

    A network of this very design that NEURON holds is read anew: whoever asked for it may have changed it there.
    """
    newest = Network.newest()
    if design.key is None or (newest is not None and newest.design is design):
        return CompiledNervousSystem(_read(assembled(design)), precision)
    key = (design.key, precision)
    if key not in _compiled or not _is_current(_compiled[key].network.extract.shared):
        _compiled[key] = CompiledNervousSystem(_system(design), precision)
    _compiled.move_to_end(key)
    while len(_compiled) > _KEPT:
        _compiled.popitem(last=False)
    return _compiled[key]


def _system(design: NetworkDesign) -> NervousSystem:
    """The nervous system of a design: the one that an earlier run has kept, or read out of NEURON."""
    system = kept.find(design.key)
    if system is None or not _is_current(system.extract.shared):
        system = _read(assembled(design))
        if _own(system.extract.shared) == _own(_declared()):
            kept.keep(design.key, system)
    return system


def _read(network: Network) -> NervousSystem:
    # NEURON's first import belongs to the mechanisms that the network has loaded.
    from .reader import nervous_system

    return nervous_system(network)


def _is_current(shared: Mapping[str, float]) -> bool:
    """Whether what all instances of a mechanism share is as in NEURON now; as in the files, before it has started."""
    if not mechanisms.loaded():
        return _own(shared) == _own(_declared())
    from .reader import shared_values

    return _own(shared) == _own(shared_values(library.all_kinds()))


def _own(shared: Mapping[str, float]) -> dict[str, float]:
    """What all instances share, but for what a start sets."""
    return {name: each for name, each in shared.items() if name not in ("celsius", LEAD)}


def _declared() -> dict[str, float]:
    """What all instances of a mechanism share, by the files of mod/."""
    return {
        f"{name}_{each.name}": each.source.parameters.get(name, 0.0)
        for each in library.understood()
        for name in each.uniform
        if name not in ("dt", "celsius")
    }
