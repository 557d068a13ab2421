"""A brain without a body that is driven by slow fluctuating currents, and the gradient of what it does.

The worm lies straight and nothing changes around it, so that its receptors are at rest. Spontaneous activity needs a
source: here currents into somas, constant for a tick. The gradient is the exact adjoint of the native engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..cells.temperature import reference
from ..engine.brain import LEAD, METHODS
from ..errors import ConfigError
from ..loop.simulation import Simulation
from ..network.rules import connection_rules
from ..units import NA_PER_PA
from ..worm import Worm
from .correlations import correlation_constants

_ORDER = 1
_GAP = "gap"
# Rules whose connections join two neurons: not those of muscles, which correlations of neurons do not see.
_OF_MUSCLES = ("nmj", "muscle", "neuromuscular")
_MECHANISMS = {"chemical": "GradedSynapse", "gap": "GapJunction"}


@dataclass(frozen=True)
class Edge:
    """All connections of one kind between two neurons, which one multiplier scales.

    Attributes:
        kind: "chemical" or "gap".
        pre, post: the neurons; of a gap junction, both ends in alphabetical order.
        sign: "excitatory" or "inhibitory"; "" for a gap junction.
    """

    kind: str
    pre: str
    post: str
    sign: str


def fluctuations(ticks: int, count: int, tick: float, tau: float, rng: np.random.Generator) -> np.ndarray:
    """Ornstein-Uhlenbeck processes of mean 0 and variance 1, from their stationary state.

    Args:
        ticks: how many values.
        count: how many processes.
        tick: interval [ms].
        tau: correlation time [ms].
        rng: of the noise.

    Returns:
        Shape (ticks, count).
    """
    kept = np.exp(-tick / tau)
    drawn = rng.standard_normal((ticks, count))
    drawn[1:] *= np.sqrt(1.0 - kept**2)
    for k in range(1, ticks):
        drawn[k] += kept * drawn[k - 1]
    return drawn


class SpontaneousBrain:
    """The whole brain of a worm with the gradient of its voltages.

    Args:
        worm: whose brain; the default one in the coarse discretisation "d_lambda" when None. Connections that were
            scaled count as its own: multipliers come on top.
        dt: step of the native engine [ms], a whole part of `tick`.
        tick: time for which currents are constant, and interval of the voltages [ms].

    Attributes:
        neurons: the 302 of them, in the order of every array.
        edges: what one multiplier scales, in the order of `multipliers`.

    Raises:
        ConfigError: for a step of which a tick is no whole multiple, or a worm whose synapses have no gradient.
    """

    def __init__(self, worm: Worm | None = None, dt: float = 10.0, tick: float | None = None) -> None:
        self.tick = correlation_constants()["input_tick"] if tick is None else tick
        self.dt, self._every = dt, max(round(self.tick / dt), 1)
        if not dt > 0.0 or abs(self.tick / dt - self._every) > 1e-9:
            raise ConfigError(f"spontaneous brain: a tick of {self.tick:g} ms is no whole multiple of dt = {dt:g} ms")
        worm = Worm(discretisation="d_lambda", soma_compartments=1) if worm is None else worm
        simulation = Simulation(worm, initial_curvature=0.0, progress=False)
        simulation.reset(seed=0)
        self._rest = simulation.loop.animals[0].brain.inputs.copy()
        network = simulation.network
        design = self._design = network.design
        self.neurons = tuple(design.neurons)
        # NEURON's first import belongs to the mechanisms that a network loads.
        from ..engine.adjoint import Adjoint
        from ..engine.native import NativeBrain
        from ..engine.reader import Partner, Pointer

        pointers = [Pointer(point, index) for point, index in network.pointers()]
        partners = [Partner(*each) for each in network.partners()]
        self._native = NativeBrain(network.sections, partners, pointers, design.inputs.size)
        self._hoc = network.sim.h
        somas = [network.soma(name)(0.5) for name in self.neurons]
        self._adjoint = Adjoint(self._native, somas, (), self._every)
        clamps = {clamp.get_segment().sec.name(): k for k, clamp in enumerate(self._native.clamp_objects)}
        self._clamps = np.array([clamps[soma.sec.name()] for soma in somas])
        self.bias = design.bias()
        self._find_edges([each.point for each in partners])

    def _find_edges(self, points: Sequence) -> None:
        """Which edge every synapse and every half of a gap junction of the engine belongs to; -1 for none."""
        ends = list(_ends(self._design))
        if len(ends) != len(points):
            raise ConfigError(f"spontaneous brain: {len(points)} connections were built of {len(ends)}")
        known: dict[Edge, int] = {}
        numbers = {}
        for point, edge in zip(points, ends, strict=True):
            numbers[point] = -1 if edge is None else known.setdefault(edge, len(known))
        self.edges = tuple(known)
        self._edge_of, self._own, self._arrays = {}, {}, {}
        for kind, mechanism in _MECHANISMS.items():
            objects, arrays = self._native.values(mechanism, "weight")
            self._edge_of[kind] = np.array([numbers[each] for each in objects])
            self._own[kind], self._arrays[kind] = np.concatenate(arrays), arrays
        found = {number for edges in self._edge_of.values() for number in edges}
        if missing := set(range(len(self.edges))) - found:
            edge = self.edges[min(missing)]
            raise ConfigError(
                f"spontaneous brain: the synapse {edge.pre}-{edge.post} tires and has no gradient; take fatigue = off"
            )

    @property
    def weights(self) -> np.ndarray:
        """Largest conductances of all connections before any multiplier [uS], in the order of the engine."""
        return np.concatenate([self._own[kind] for kind in _MECHANISMS])

    def _scale(self, multipliers: np.ndarray | None) -> None:
        factors = np.ones(len(self.edges)) if multipliers is None else np.asarray(multipliers, float)
        if factors.shape != (len(self.edges),) or not np.all(np.isfinite(factors)) or (factors < 0.0).any():
            raise ConfigError(f"spontaneous brain: give {len(self.edges)} multipliers from 0, not {factors.shape}")
        factors = np.append(factors, 1.0)  # what edge -1 takes
        for kind, arrays in self._arrays.items():
            scaled, start = self._own[kind] * factors[self._edge_of[kind]], 0
            for array in arrays:
                array[:] = scaled[start : start + len(array)]
                start += len(array)

    def run(self, current: np.ndarray, multipliers: np.ndarray | None = None) -> np.ndarray:
        """Voltages of the somas under currents that come on top of the tonic ones.

        Args:
            current: into every soma in each tick [pA], shape (ticks, neurons).
            multipliers: of the conductance of every edge [-], shape (edges,); 1 when None.

        Returns:
            At the end of each tick [mV], shape (ticks, neurons).

        Raises:
            ConfigError: for arrays of another shape.
        """
        current = np.asarray(current, float)
        if current.ndim != 2 or current.shape[1] != len(self.neurons):
            shape = f"(ticks, {len(self.neurons)})"
            raise ConfigError(f"spontaneous brain: currents have the shape {shape}, not {current.shape}")
        self._scale(multipliers)
        clamp = np.zeros((len(current), len(self._native.clamp_objects)))
        clamp[:, self._clamps] = (current + self.bias) * NA_PER_PA
        external = np.tile(self._rest, (len(current), 1))
        self._hoc.celsius = reference()
        setattr(self._hoc, LEAD, METHODS[_ORDER][1])
        steps = len(current) * self._every
        return self._adjoint.run(steps, self.dt, _ORDER, 0, external, clamp, self._every).voltage

    def gradient(self, voltage: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Derivatives of a loss on the voltages of the last run.

        Args:
            voltage: derivative with respect to them [1/mV], shape (ticks, neurons).

        Returns:
            With respect to the multipliers, shape (edges,), and to the currents [1/pA], shape (ticks, neurons).
        """
        found = self._adjoint.gradient(voltage)
        slopes = np.zeros(len(self.edges) + 1)
        for kind, mechanism in _MECHANISMS.items():
            own = found.parameter(mechanism, "weight")[1] * self._own[kind]
            np.add.at(slopes, self._edge_of[kind], own)
        return slopes[:-1], found.clamp_current[:, self._clamps] * NA_PER_PA


def _ends(design):
    """Edge of every connection in the order of `Network.partners`; None for one that ends on a muscle."""
    for rule in connection_rules(design):
        both = rule.mechanism["pointerParams"]["bidirectional"]
        inhibits = "e" in rule.mechanism and rule.mechanism["e"] == design.parameters.reversal_inhibitory
        for a, b in zip(rule.pre, rule.post, strict=True):
            if rule.label.startswith(_OF_MUSCLES):
                edge = None
            elif rule.label == _GAP:
                edge = Edge("gap", *sorted((a, b)), "")
            else:
                edge = Edge("chemical", a, b, "inhibitory" if inhibits else "excitatory")
            yield from (edge,) * (2 if both else 1)
