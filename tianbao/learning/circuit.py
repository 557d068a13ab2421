"""A named circuit of the connectome as a controller: its wiring and signs stay, a few gains of its classes are trained.

    circuit = Circuit.named("tap withdrawal")
    action = circuit.player(circuit.start).act(np.array([0.2, -0.1]))

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
# Roles of sensors, the part of a variable that each feels, and of the neurons that are read.
OBSERVED = ("variable 1 above 0", "variable 1 below 0", "variable 2 above 0", "variable 2 below 0")
FORWARD, BACKWARD = "forward", "backward"
STEP_MS = 10.0
"""Step of the integration [ms]; assumed: that of the fastest process, the synapses, whose relaxation is exact."""

_NEURONS = Path(__file__).with_name("circuits.csv")
_NUMBERS = Path(__file__).with_name("circuit_numbers.csv")
_OF_CLASSES = ("excitability", "time", "synapses", "junctions")
_SETTLING_STEPS = 100  # a second before an episode begins, several time constants of the slowest class as traced
# Positions at which curvature is reported, on which nothing depends that is read here.
_STRETCH = np.linspace(0.0, 1.0, 49)


@cache
def circuit_names() -> tuple[str, ...]:
    """The circuits of circuits.csv."""
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
        groups: quantity -> group of each neuron, whose neurons share a number; "" where nothing is trained.
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
        """The numbers of the worm itself, with nothing felt, shape (count,)."""
        return self.numbers(np.zeros(self.count))

    @cached_property
    def difference_at_rest(self) -> float:
        """Voltage of the forward less that of the backward neurons with the numbers of the start, settled [mV]."""
        return Player([self], self.start[None]).difference.item()

    def numbers(self, free: np.ndarray) -> np.ndarray:
        """Numbers within their bounds from unbounded ones, 0 being the start: by a hyperbolic tangent.

        Args:
            free: shape (..., count).

        Returns:
            In the units of circuit_numbers.csv, shape (..., count).

        Raises:
            ConfigError: for a wrong number of them.
        """
        scales = [_scales()[each.split()[0]] for each in self.names]
        start, low, high = (np.array([each[k] for each in scales]) for k in (1, 2, 3))
        geometric = np.array([each[0] == "geometric" for each in scales])
        with np.errstate(divide="ignore", invalid="ignore"):
            start, low, high = (np.where(geometric, np.log(each), each) for each in (start, low, high))
        way = np.tanh(self._checked(free))
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
        of = dict(zip(self.names, self._within(numbers).tolist(), strict=True))
        return {each: {name.split()[1]: of[name] for name in of if name.startswith(f"{each} ")} for each in PARTS}

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
        for each in set(parts) - set(PARTS):
            raise ConfigError(unknown("part of a circuit", each, PARTS))
        if strangers := sorted(set(self.neurons) - set(anatomy.neurons().index)):
            raise ConfigError(f"put_into: no neurons of a worm are {shorten(strangers)}; give Circuit.named(...)")
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
        names = [f"{quantity} {group}" for group in self.groups[quantity]]
        places = np.array([self.names.index(each) if each in self.names else -1 for each in names])
        return np.where(places < 0, _scales()[quantity][1], numbers[..., places])

    def _checked(self, values: np.ndarray) -> np.ndarray:
        values = np.atleast_1d(np.asarray(values, float))
        if values.shape[-1] != self.count:
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
        precision: type of every number in a step; np.float32 takes half the time, and is good for training.
    """

    def __init__(
        self, circuits: Sequence[Circuit], numbers: np.ndarray, *, precision: type[np.floating] = np.float64
    ) -> None:
        p = circuits[0].parameters
        numbers = numbers.reshape(len(circuits), -1, numbers.shape[-1])  # (circuits, sets, count)
        self._circuits, self._type, self._sets = circuits, precision, numbers.shape[1]

        def stacked(of: str) -> np.ndarray:
            """An attribute of all circuits."""
            return np.array([getattr(each, of) for each in circuits])

        def each(quantity: str) -> np.ndarray:
            """A trained quantity: neurons stand before sets, so that every operation runs along memory."""
            return np.array([c.spread(mine, quantity).T for c, mine in zip(circuits, numbers, strict=True)])

        onto = [np.swapaxes(stacked("chemical") * made, -1, -2).astype(precision)
                for made in (~stacked("inhibitory"), stacked("inhibitory"))]  # fmt: skip
        self._excite, self._inhibit, self._gap = *onto, stacked("gap").astype(precision)
        self._at_plus, self._at_minus = float(p.reversal_excitatory), float(p.reversal_inhibitory)
        self._half, self._slope = stacked("release_half")[..., None].astype(precision), float(p.release_slope)
        self._relaxed = float(-np.expm1(-STEP_MS / p.synapse_tau))
        self._sensors = np.swapaxes(stacked("sensors"), -1, -2).astype(precision)  # (circuits, neurons, 4)
        self._readout = stacked("readout")[:, None].astype(precision)
        leak, rest = stacked("leak")[..., None], stacked("rest")[..., None]
        joins = np.sqrt(each("junctions"))
        inertia = stacked("capacitance")[..., None] * each("time") / STEP_MS  # [nS]
        of_sets = {
            "synapses": each("synapses"), "joins": joins, "inertia": inertia,
            "steady": leak * rest + each("excitability"),  # [pA]
            "passive": inertia + leak + joins * (stacked("gap") @ joins),  # does not change with the voltage [nS]
            "receptors": np.swapaxes(numbers[..., :4], -1, -2), "gain": numbers[:, None, :, 4],
            "offset": numbers[:, None, :, 5], "voltage": np.broadcast_to(rest, inertia.shape),
        }  # fmt: skip
        self._of_sets = {name: np.ascontiguousarray(value, precision) for name, value in of_sets.items()}
        self.reset()

    def reset(self) -> None:
        """Settle for a second without an observation."""
        self._now, self._voltage = self._of_sets, self._of_sets["voltage"]
        self._open = self._released()
        for _ in range(_SETTLING_STEPS):
            self._step(self._now["steady"])

    def act(self, observed: np.ndarray, steps: int = 1) -> np.ndarray:
        """Feel, integrate, and act.

        Args:
            observed: two variables of the task, about -1 to 1, shape (sets..., episodes..., 2); with several circuits
                these come first. All episodes of a set begin from the state of the last reset.
            steps: of `STEP_MS` for which the observation stays.

        Returns:
            Action from -1 to 1, shape as observed without its last axis.

        Raises:
            ConfigError: for another number of episodes than since the last reset.
        """
        observed = np.asarray(observed, self._type)
        felt = np.swapaxes(observed.reshape(len(self._circuits), -1, 2), -1, -2)  # (circuits, 2, side by side)
        self._side_by_side(felt.shape[-1])
        parts = np.stack([np.maximum(felt, 0.0), np.maximum(-felt, 0.0)], axis=2)  # both parts of each variable
        now = self._now
        current = now["steady"] + self._sensors @ (parts.reshape(len(felt), 4, -1) * now["receptors"])
        for _ in range(steps):
            self._step(current)
        above = self._readout @ self._voltage - self._at_rest
        return np.tanh(now["gain"] * (above + now["offset"])).reshape(observed.shape[:-1])

    def _side_by_side(self, width: int) -> None:
        """Give every episode of a set its own copy of what the set has."""
        if width == self._voltage.shape[-1]:
            return
        if self._voltage.shape[-1] != self._sets or width % self._sets:
            raise ConfigError(f"player: {width} observations do not go with {self._sets} sets; reset() before others")
        times = width // self._sets
        self._now = {name: np.repeat(value, times, axis=-1) for name, value in self._of_sets.items()}
        self._voltage, self._open = (np.repeat(each, times, axis=-1) for each in (self._voltage, self._open))

    @cached_property
    def _at_rest(self) -> np.ndarray:
        # What the untrained circuit reads with nothing felt is no action.
        found = np.array([each.difference_at_rest for each in self._circuits])
        return found[:, None, None].astype(self._type)

    @property
    def difference(self) -> np.ndarray:
        """Voltage of the forward less that of the backward neurons [mV], shape (circuits, sets x episodes)."""
        return (self._readout @ self._voltage)[:, 0]

    @property
    def voltage(self) -> np.ndarray:
        """Of every neuron [mV], shape (circuits, sets x episodes, neurons)."""
        return np.swapaxes(self._voltage, -1, -2).copy()

    def _released(self) -> np.ndarray:
        # A hyperbolic tangent is a logistic function that cannot overflow.
        return 0.5 + 0.5 * np.tanh((self._voltage - self._half) * (0.5 / self._slope))

    def _step(self, current: np.ndarray) -> None:
        now = self._now
        given = self._open * now["synapses"]
        excited, inhibited = self._excite @ given, self._inhibit @ given
        pushed = now["joins"] * (self._gap @ (self._voltage * now["joins"]))
        pushed += now["inertia"] * self._voltage
        pushed += current
        pushed += excited * self._at_plus
        pushed += inhibited * self._at_minus
        excited += inhibited
        excited += now["passive"]
        self._voltage = pushed / excited
        self._open = self._open + self._relaxed * (self._released() - self._open)
