"""A named circuit of the connectome as a controller: its wiring and signs stay, a few gains of its classes are trained.

    circuit = Circuit.named("tap withdrawal")
    player = circuit.player(circuit.numbers(np.zeros(circuit.count)))
    action = player.act(np.array([0.2, -0.1]))

Neurons are leaky compartments with graded synapses and gap junctions, those of the worm that decides: rest and slope
conductance of each membrane, conductances and signs of each connection. What a task observes reaches four classes of
sensors as a current; the action is how far AVB lies above AVA. `put_into` gives the trained gains to a whole worm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from .. import anatomy
from ..apparatus import Pulse
from ..errors import ConfigError, shorten, unknown
from ..parameters import Parameters
from ..rows import finite, read_rows
from ..units import NA_PER_PA
from ..worm import Worm
from .circuit_wiring import CONTROLS, cells, rewired, wired

__all__ = ["CONTROLS", "PARTS", "Circuit", "Player", "bounds", "circuit_names"]

PARTS = ("synapses", "junctions", "excitability")
"""Quantities that can be given back to a worm; receptor currents and read-out are no part of a worm, and how long a
membrane takes follows from its traced area."""
OBSERVED = ("variable 1 above 0", "variable 1 below 0", "variable 2 above 0", "variable 2 below 0")
"""Roles of the sensors: the part of a variable that each feels."""
FORWARD, BACKWARD = "forward", "backward"
STEP_MS = 10.0
"""Step of the integration [ms]; assumed: that of the fastest process, the synapses, whose relaxation is exact."""

_NEURONS = Path(__file__).with_name("circuits.csv")
_NUMBERS = Path(__file__).with_name("circuit_numbers.csv")
_OF_CLASSES = ("excitability", "time", "synapses", "junctions")
_SETTLING_STEPS = 100  # a second before an episode begins, several time constants of the slowest class as traced
# Positions at which curvature is reported; a design wants them, and what is read here does not depend on them.
_STRETCH = np.linspace(0.0, 1.0, 49)


@cache
def circuit_names() -> tuple[str, ...]:
    """Names of the circuits of circuits.csv."""
    return tuple(dict.fromkeys(row["circuit"] for _, row in read_rows(_NEURONS)))


@cache
def _scales() -> Mapping[str, tuple[str, float, float, float]]:
    """Quantity -> scale, start, low and high, in the units of circuit_numbers.csv."""
    return {
        row["quantity"]: (row["scale"], *(finite(row[each], where, each) for each in ("start", "low", "high")))
        for where, row in read_rows(_NUMBERS)
    }


def bounds(quantity: str) -> tuple[float, float]:
    """Lowest and highest value of a quantity, in the unit of circuit_numbers.csv.

    Raises:
        ConfigError: for an unknown quantity.
    """
    if quantity not in _scales():
        raise ConfigError(unknown("quantity of a circuit", quantity, _scales()))
    return _scales()[quantity][2:]


@dataclass(frozen=True, eq=False)
class Circuit:
    """Neurons with fixed connections and the names of what can be trained.

    Attributes:
        neurons: names.
        groups: quantity -> group of each neuron, whose neurons share a number; "" where there is nothing to train.
        sensors: share of each receptor current that each neuron gets [1], shape (4, neurons).
        receptors: names of the four receptor currents.
        readout: weight of each voltage in the action [1], shape (neurons,); 1 in all forward, -1 in all backward ones.
        leak: conductance at rest [nS], shape (neurons,).
        rest: of each isolated neuron [mV], shape (neurons,).
        capacitance: [pF], shape (neurons,).
        chemical: peak conductance from row to column [nS], shape (neurons, neurons).
        inhibitory: whether each of these inhibits, shape (neurons, neurons).
        gap: conductance between row and column [nS], symmetric, shape (neurons, neurons).
        release_half: voltage of half-maximal release [mV], shape (neurons,).
        parameters: class-level parameters of the worm: slope and time constant of synapses, reversal potentials.
    """

    neurons: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    sensors: np.ndarray
    receptors: tuple[str, ...]
    readout: np.ndarray
    leak: np.ndarray
    rest: np.ndarray
    capacitance: np.ndarray
    chemical: np.ndarray
    inhibitory: np.ndarray
    gap: np.ndarray
    release_half: np.ndarray
    parameters: Parameters

    @classmethod
    def named(cls, name: str, signs: str | Mapping[str, str] = "deciding") -> Circuit:
        """A circuit of circuits.csv as it is in the worm that decides.

        Args:
            name: such as "tap withdrawal".
            signs: of its synapses, as `Worm` takes them.

        Raises:
            ConfigError: for an unknown circuit or unknown signs.
        """
        if name not in circuit_names():
            raise ConfigError(unknown("circuit", name, circuit_names()))
        roles = {
            neuron: row["role"]
            for _, row in read_rows(_NEURONS)
            if row["circuit"] == name
            for neuron in anatomy.match_neurons(*row["neurons"].split())
        }
        worm = Worm(decision="network", signs=signs, discretisation="d_lambda").model()
        design = worm.design(_STRETCH)
        of_classes = tuple(map(anatomy.neuron_class, roles))
        role = np.array(list(roles.values()))
        felt = np.array([role == each for each in OBSERVED], float)
        ends = [(role == each) / (role == each).sum() for each in (FORWARD, BACKWARD)]
        return cls(
            neurons=tuple(roles),
            groups=dict.fromkeys(_OF_CLASSES, of_classes),
            sensors=felt,
            receptors=tuple(of_classes[int(np.argmax(row))] for row in felt),
            readout=ends[0] - ends[1],
            parameters=design.parameters,
            **wired(design, tuple(roles)),
            **cells(design, tuple(roles)),
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What can be trained, in the order of every vector of numbers: quantity and group, such as "synapses AVD"."""
        found = [f"receptor {each}" for each in self.receptors] + ["readout_gain", "readout_offset"]
        for quantity in _OF_CLASSES:
            found += [f"{quantity} {each}" for each in dict.fromkeys(self.groups[quantity]) if each]
        return tuple(found)

    @property
    def count(self) -> int:
        """How many numbers can be trained."""
        return len(self.names)

    @property
    def start(self) -> np.ndarray:
        """The numbers of the worm itself, with nothing felt [units of circuit_numbers.csv], shape (count,)."""
        return self.numbers(np.zeros(self.count))

    @cached_property
    def difference_at_rest(self) -> float:
        """Voltage of the forward less that of the backward neurons with the numbers of the start, settled [mV]."""
        return float(Player([self], self.start[None]).difference.item())

    def numbers(self, free: np.ndarray) -> np.ndarray:
        """Numbers within their bounds from unbounded ones, 0 being the start: by a hyperbolic tangent.

        Args:
            free: shape (..., count).

        Returns:
            In the units of circuit_numbers.csv, shape (..., count).

        Raises:
            ConfigError: for a wrong number of them.
        """
        free = self._checked(free)
        scales = [_scales()[each.split()[0]] for each in self.names]
        start, low, high = (np.array([each[k] for each in scales]) for k in (1, 2, 3))
        geometric = np.array([each[0] == "geometric" for each in scales])
        with np.errstate(divide="ignore", invalid="ignore"):
            start, low, high = (np.where(geometric, np.log(each), each) for each in (start, low, high))
        way = np.tanh(free)
        found = start + way * np.where(way < 0.0, start - low, high - start)
        return np.where(geometric, np.exp(found), found)

    def control(self, kind: str, seed: int) -> Circuit:
        """The circuit rewired, with the same neurons, the same conductances and as many numbers to train.

        Args:
            kind: one of `CONTROLS`.
            seed: of what is drawn.

        Raises:
            ConfigError: for an unknown kind.
        """
        if kind not in CONTROLS:
            raise ConfigError(unknown("control", kind, CONTROLS))
        changed = rewired(self.chemical, self.inhibitory, self.gap, kind, np.random.default_rng(seed))
        return replace(self, **dict(zip(("chemical", "inhibitory", "gap"), changed, strict=True)))

    def player(self, numbers: np.ndarray) -> Player:
        """The circuit with numbers, ready to act.

        Args:
            numbers: shape (count,), or (..., count) for several that act side by side.

        Raises:
            ConfigError: for a wrong number of them, or one outside its bounds.
        """
        return Player([self], self._within(numbers)[None])

    def gains(self, numbers: np.ndarray) -> dict[str, dict[str, float]]:
        """Trained numbers by quantity of `PARTS` and class, such as {"synapses": {"AVD": 2.1}}.

        Args:
            numbers: shape (count,).

        Raises:
            ConfigError: for a wrong number of them, or one outside its bounds.
        """
        pairs = zip(self.names, self._within(numbers), strict=True)
        found = {tuple(name.split(maxsplit=1)): float(value) for name, value in pairs if " " in name}
        return {each: {group: found[of, group] for of, group in found if of == each} for each in PARTS}

    def put_into(self, worm: Worm, numbers: np.ndarray, parts: Sequence[str] = PARTS) -> Worm:
        """Give the trained gains to a worm, as interventions on the connections and neurons of this circuit alone.

        Args:
            worm: to change; best one with `decision="network"` and the signs of the circuit.
            numbers: shape (count,).
            parts: of `PARTS`.

        Returns:
            The worm: synapses and gap junctions inside the circuit scaled, a steady current into its neurons.

        Raises:
            ConfigError: for an unknown part, a circuit that is rewired, or numbers out of their bounds.
        """
        for each in parts:
            if each not in PARTS:
                raise ConfigError(unknown("part of a circuit", each, PARTS))
        if not set(self.neurons) <= set(anatomy.neurons().index):
            raise ConfigError(f"this circuit has no neurons of the worm but {shorten(self.neurons)}; nothing to put in")
        gains = self.gains(numbers)
        members: dict[str, list[str]] = {}
        for neuron, group in zip(self.neurons, self.groups["synapses"], strict=True):
            members.setdefault(group, []).append(neuron)
        inside = {group: [self.neurons.index(each) for each in names] for group, names in members.items()}
        for group, names in members.items():
            if "synapses" in parts and self.chemical[inside[group]].any():
                worm.scale_synapses(names, list(self.neurons), gains["synapses"][group])
            if "excitability" in parts and (current := gains["excitability"][group]):
                worm.stimulate(names, Pulse(current * NA_PER_PA, 0.0, np.inf))
        if "junctions" in parts:
            for a, b in ((a, b) for a in members for b in members if a <= b):
                if self.gap[np.ix_(inside[a], inside[b])].any():
                    factor = float(np.sqrt(gains["junctions"][a] * gains["junctions"][b]))
                    worm.scale_gap_junctions(members[a], members[b], factor)
        return worm

    def spread(self, numbers: np.ndarray, quantity: str) -> np.ndarray:
        """The numbers of a quantity for every neuron, shape (..., neurons); its start where nothing is trained."""
        at = {name: k for k, name in enumerate(self.names)}
        places = [at.get(f"{quantity} {group}", -1) for group in self.groups[quantity]]
        return np.where(np.array(places) < 0, _scales()[quantity][1], numbers[..., places])

    def _checked(self, values: np.ndarray) -> np.ndarray:
        values = np.asarray(values, float)
        if not values.ndim or values.shape[-1] != self.count:
            raise ConfigError(f"circuit: give {self.count} numbers (see Circuit.names), not shape {values.shape}")
        return values

    def _within(self, numbers: np.ndarray) -> np.ndarray:
        numbers = self._checked(numbers)
        for k, name in enumerate(self.names):
            _, _, low, high = _scales()[name.split()[0]]
            margin = 1e-9 * (high - low)  # a bound that came out of a logarithm
            if not ((numbers[..., k] >= low - margin) & (numbers[..., k] <= high + margin)).all():
                raise ConfigError(f"circuit: '{name}' is outside {low:g} to {high:g}")
        return numbers


class Player:
    """Circuits that act side by side; each neuron by implicit steps of its voltage, each synapse by exact ones.

    Args:
        circuits: one per first index; all of one size and with the same names.
        numbers: [units of circuit_numbers.csv], shape (circuits, sets..., count).
    """

    def __init__(self, circuits: Sequence[Circuit], numbers: np.ndarray) -> None:
        p = circuits[0].parameters
        numbers = numbers.reshape(len(circuits), -1, 1, numbers.shape[-1])  # (circuits, sets, episodes, count)

        def stacked(of: str) -> np.ndarray:
            return np.array([getattr(each, of) for each in circuits])[:, None, None]

        def each(quantity: str) -> np.ndarray:
            return np.array([c.spread(mine, quantity) for c, mine in zip(circuits, numbers, strict=True)])

        self._synapses, self._junctions = each("synapses"), np.sqrt(each("junctions"))
        chemical, inhibitory = (np.array([getattr(c, of) for c in circuits]) for of in ("chemical", "inhibitory"))
        self._onto = np.concatenate([chemical * ~inhibitory, chemical * inhibitory], axis=-1)
        self._gap = np.array([c.gap for c in circuits])
        self._reversals = p.reversal_excitatory, p.reversal_inhibitory
        self._release = stacked("release_half"), p.release_slope
        self._relaxed = -np.expm1(-STEP_MS / p.synapse_tau)
        self._inertia = stacked("capacitance") * each("time") / STEP_MS  # [nS]
        self._steady = stacked("leak") * stacked("rest") + each("excitability")  # [pA]
        # Conductances that do not change with the voltage [nS].
        self._passive = self._inertia + stacked("leak") + self._junctions * self._across(self._junctions)
        self._sensors = np.array([c.sensors for c in circuits])[:, None] * numbers[..., 0, :4, None]
        self._readout, self._rest = stacked("readout"), stacked("rest")
        self._gain, self._offset = numbers[..., 4], numbers[..., 5]
        self._circuits = circuits
        self.reset()

    def _across(self, values: np.ndarray) -> np.ndarray:
        return _product(values, self._gap)

    def reset(self) -> None:
        """Settle for a second without an observation."""
        self._voltage = np.broadcast_to(self._rest, self._passive.shape).copy()
        self._open = self._released()
        for _ in range(_SETTLING_STEPS):
            self._step(self._steady)

    def act(self, observed: np.ndarray, steps: int = 1) -> np.ndarray:
        """Feel, integrate, and act.

        Args:
            observed: two variables of the task, about -1 to 1, shape (sets..., episodes..., 2); with several circuits
                these come first. All episodes of a set begin from the state of the last reset.
            steps: of `STEP_MS` for which the observation stays.

        Returns:
            Action from -1 to 1, shape as observed without its last axis.
        """
        observed = np.asarray(observed, float)
        parts = np.stack([np.maximum(observed, 0.0), np.maximum(-observed, 0.0)], axis=-1)
        parts = parts.reshape(*self._sensors.shape[:2], -1, 4)  # both parts of variable 1, then of variable 2
        current = self._steady + parts @ self._sensors
        for _ in range(steps):
            self._step(current)
        above = self.difference
        action = np.tanh(self._gain * (above - self._at_rest + self._offset))
        return action.reshape(observed.shape[:-1])

    @cached_property
    def _at_rest(self) -> np.ndarray:
        # What the untrained circuit reads with nothing felt is no action.
        return np.array([each.difference_at_rest for each in self._circuits])[:, None, None]

    @property
    def difference(self) -> np.ndarray:
        """Voltage of the forward less that of the backward neurons [mV], shape (circuits, sets, episodes)."""
        return (self._voltage * self._readout).sum(axis=-1)

    @property
    def voltage(self) -> np.ndarray:
        """Of every neuron [mV], shape (circuits, sets, episodes, neurons)."""
        return self._voltage.copy()

    def _released(self) -> np.ndarray:
        half, slope = self._release
        return 1.0 / (1.0 + np.exp((half - self._voltage) / slope))

    def _step(self, current: np.ndarray) -> None:
        open_now = self._open * self._synapses
        onto = _product(open_now, self._onto)
        size = onto.shape[-1] // 2
        excited, inhibited = onto[..., :size], onto[..., size:]
        at_plus, at_minus = self._reversals
        joined = self._junctions * self._across(self._voltage * self._junctions)
        pushed = self._inertia * self._voltage + current + excited * at_plus + inhibited * at_minus + joined
        self._voltage = pushed / (self._passive + excited + inhibited)
        released = self._released()
        self._open = self._open + self._relaxed * (released - self._open)


def _product(values: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Values (circuits, sets, episodes, neurons) through one matrix per circuit (circuits, neurons, targets)."""
    rows = values.reshape(len(values), -1, values.shape[-1])
    return (rows @ matrices).reshape(*values.shape[:-1], matrices.shape[-1])
