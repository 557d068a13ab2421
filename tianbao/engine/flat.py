"""The native engine: a network in flat arrays, stepped by generated C.

`NativeNetwork` holds what never changes during a run and is shared by every brain built on it, `FlatBrain` what one
brain changes. Neither needs NEURON: `NativeBrain` (native.py) is the one that uses its objects.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..cells.temperature import RATE
from ..compiler import CACHE_LINE, aligned
from ..errors import ConfigError, unknown
from . import library
from .extract import Extract, Instances
from .kinds import Kind
from .layout import lay_out

_I, _P = ctypes.c_int64, ctypes.c_void_p


def _structures(real):
    """The C structs for one precision, field by field as in kernel.c."""

    class Set(ctypes.Structure):
        """The instances of one kind."""

        _fields_ = [
            ("n", _I), ("f", _P), ("k", _P), ("scratch", _P), ("groups", _I), ("width", _I), ("group", _P),
            ("first_of_group", _P), ("table", _P),
        ]  # fmt: skip

    pointers = lambda names: [(name, _P) for name in names.split()]  # noqa: E731
    integers = lambda names: [(name, _I) for name in names.split()]  # noqa: E731

    class Brain(ctypes.Structure):
        """One run of a network."""

        _fields_ = [
            *integers("nodes batches"),
            *pointers("batch_level level_start level_width head_start head_parent axial capacitance leak_d leak_b"),
            *pointers("base_d base_b tick_d tick_b charge d b x v first_b"),
            *integers("sets"),
            *pointers("set kind external concentration uniform"),
            *integers("ions"),
            *pointers("ion_current ion_slope ion_node"),
            *integers("clamps"),
            *pointers("clamp_node clamp_current clamp_start clamp_stop"),
            ("t", ctypes.c_double),
            ("step", real),
            *integers("order corrections probes"),
            *pointers("probe record"),
        ]

    return Set, Brain


class _Memory:
    """Arrays that C reads, kept alive as long as their owner."""

    def __init__(self, dtype: np.dtype) -> None:
        self._dtype = dtype
        self._kept: list[np.ndarray] = []

    def zeros(self, size: int) -> np.ndarray:
        """Zeroed reals that start on a cache line."""
        array = aligned(size * self._dtype.itemsize).view(self._dtype)
        self._kept.append(array)
        return array

    def filled(self, values) -> np.ndarray:
        """Reals that start on a cache line."""
        array = self.zeros(len(values))
        array[:] = values
        return array

    def kept(self, values, kind=np.int32) -> np.ndarray:
        """An array of another kind."""
        array = np.ascontiguousarray(values, kind)
        self._kept.append(array)
        return array

    def addresses(self, arrays) -> int:
        """Address of a table of addresses."""
        return self.kept([each.ctypes.data for each in arrays], np.uintp).ctypes.data


@dataclass(frozen=True)
class Group:
    """Instances of one kind in the order in which the engine steps them.

    Attributes:
        kind: what they compute.
        instances: in the engine's order.
        rows: place of each in the extract, shape (n,).
        values: the engine's own array of each instance value.
        indices: the engine's index arrays, in the order of `Kind.indices`.
        table: groups of equal parameters and their first instances, for rates read from tables.
    """

    kind: Kind
    instances: Instances
    rows: np.ndarray
    values: dict[str, np.ndarray]
    indices: list[np.ndarray]
    table: tuple[np.ndarray, np.ndarray] | None

    def __len__(self) -> int:
        return len(self.rows)


class NativeNetwork:
    """A network laid out for the engine; every brain built on it shares its arrays.

    Args:
        extract: the network.
        precision: "f64", equal to NEURON to rounding, or "f32"; either with "-tables" for rates read from tables.
        given: kinds to use; those of mod/ when None.

    Attributes:
        capacitance: of every node [nF].
        leak_conductance, leak_current: passive conductance of every node [uS] and that times its reversal [nA], in
            the order of `FlatBrain.voltage`; a brain uses the values that they have when it starts.
        groups: the instances, by kind.

    Raises:
        ConfigError: for an unknown precision.
        MechanismError: without a C compiler.
    """

    def __init__(self, extract: Extract, precision: str = "f64", given: tuple[Kind, ...] | None = None) -> None:
        if precision not in library.REALS:
            raise ConfigError(unknown("precision", precision, library.REALS))
        self.kinds = given if given is not None else library.all_kinds()
        self.library = library.load(precision, given)
        self.tables = precision.endswith("tables")
        self.dtype = np.dtype(np.float64 if precision.startswith("f64") else np.float32)
        self.set_type, self.brain_type = _structures(library.REALS[precision][1])
        if self.library.size_of_brain() != ctypes.sizeof(self.brain_type):
            raise AssertionError("kernel.c and flat.py disagree about struct Brain")
        self.extract = extract
        self.layout = lay_out(extract.forest, CACHE_LINE // self.dtype.itemsize)
        self._memory = memory = _Memory(self.dtype)
        self.pointers: dict[str, np.ndarray] = {}
        self._lay_trees()
        by_name = {kind.name: kind for kind in self.kinds}
        spread = [self._spread(each) for each in extract.instances if len(each.node)]
        self.slots = _Slots([(by_name[each.kind], each) for each, _ in spread])
        self.groups = [self._group(by_name[each.kind], each, rows) for each, rows in spread]
        place, clamps = self.layout.place, extract.clamps
        self.clamp_amplitude = clamps[:, 1]
        self.pointers["ion_node"] = memory.kept(place[self.slots.ion_nodes])
        order = {id(kind): k for k, kind in enumerate(self.kinds)}
        self.pointers["kind"] = memory.kept([order[id(each.kind)] for each in self.groups])
        self.pointers["clamp_node"] = memory.kept(place[clamps[:, 0].astype(int)])
        self.pointers["clamp_start"] = memory.kept(clamps[:, 2], float)
        self.pointers["clamp_stop"] = memory.kept(clamps[:, 3], float)

    def nodes(self, old: np.ndarray) -> np.ndarray:
        """Index in `FlatBrain.voltage` of nodes of the extract, shape (n,)."""
        return self.layout.place[np.asarray(old, int)]

    def over_nodes(self, memory: _Memory, values=None) -> np.ndarray:
        """An array over the padded nodes, filled from values over the nodes of the extract."""
        array = memory.zeros(self.layout.size)
        if values is not None:
            there = self.layout.place >= 0
            array[self.layout.place[there]] = np.asarray(values)[there]
        return array

    def _lay_trees(self) -> None:
        layout, extract, memory = self.layout, self.extract, self._memory
        for name in ("batch_level", "level_start", "level_width", "head_start", "head_parent"):
            self.pointers[name] = memory.kept(getattr(layout, name))
        self.pointers["axial"] = memory.filled(layout.axial)
        self.capacitance = self.pointers["capacitance"] = self.over_nodes(memory, extract.forest.capacitance)
        leak = self.over_nodes(memory, extract.leak_conductance)
        padding = np.ones(layout.size, bool)
        padding[layout.place[layout.place >= 0]] = False
        leak[padding] = 1.0  # so that elimination never divides by zero there
        self.leak_conductance = self.pointers["leak_d"] = leak
        self.leak_current = self.pointers["leak_b"] = self.over_nodes(memory, extract.leak_current)

    def _spread(self, instances: Instances) -> tuple[Instances, np.ndarray]:
        """Instances in an order in which neighbours meet on no node, so that no sum waits for the one before."""
        place = self.layout.place[instances.node]
        by_node = np.argsort(place, kind="stable")
        ordered = place[by_node]
        rank = np.arange(len(place)) - np.searchsorted(ordered, ordered)
        rows = by_node[np.lexsort((ordered, rank))]
        return instances.reordered(rows), rows

    def _group(self, kind: Kind, instances: Instances, rows: np.ndarray) -> Group:
        own = {
            "node": lambda: self.layout.place[instances.node],
            "partner": lambda: self.layout.place[instances.partner],
            "external": lambda: instances.external,
        }
        indices = [
            self._memory.kept(own[name]() if name in own else self.slots.index(instances, name))
            for name in kind.indices
        ]
        values = {name: self._memory.filled(each) for name, each in instances.values.items()}
        return Group(kind, instances, rows, values, indices, self._equal_parameters(kind, instances))

    def _equal_parameters(self, kind: Kind, instances: Instances) -> tuple[np.ndarray, np.ndarray] | None:
        """One table of rates serves each distinct set of parameters."""
        if not (self.tables and kind.tabulated):
            return None
        chosen = np.array([instances.values[name] for name in kind.tabulated_from()]).reshape(-1, len(instances.node))
        _, first, group = np.unique(chosen, axis=1, return_index=True, return_inverse=True)
        return self._memory.kept(group.ravel()), self._memory.kept(first.ravel())


class FlatBrain:
    """One run of a network at a time: its voltages, gates and inputs.

    Args:
        network: laid out for the engine; other brains may be built on it, too.

    Attributes:
        external: what POINTERs read, shape (external,); set between calls of `advance`.
        clamp_current: amplitude of every IClamp [nA], shape (clamps,).
        voltage: of all nodes [mV], in the engine's own order; see `NativeNetwork.nodes`.
    """

    def __init__(self, network: NativeNetwork) -> None:
        self.network = network
        self._library, self._memory = network.library, _Memory(network.dtype)
        self.struct = network.brain_type()
        layout, slots = network.layout, network.slots
        self.struct.nodes, self.struct.batches = layout.size, len(layout.batch_level) - 1
        for name, array in network.pointers.items():
            setattr(self.struct, name, array.ctypes.data)
        for name in ("base_d", "base_b", "tick_d", "tick_b", "charge", "d", "b", "x", "first_b"):
            self._point(name, network.over_nodes(self._memory))
        self.voltage = self._point("v", network.over_nodes(self._memory))
        self.external = self._point("external", self.zeros(network.extract.external))
        self.concentration = self._point("concentration", self.zeros(max(1, slots.concentrations)))
        self.ions = {name: self._point(name, self.zeros(slots.ions + 1)) for name in ("ion_current", "ion_slope")}
        self.struct.ions = slots.ions
        size = max((kind.first_uniform + len(kind.mechanism.uniform) for kind in network.kinds), default=0)
        self._uniform = self._point("uniform", self.zeros(max(1, size)))
        self.clamp_current = self._point("clamp_current", self._memory.filled(network.clamp_amplitude))
        self.struct.clamps = len(self.clamp_current)
        self.sets = (network.set_type * max(1, len(network.groups)))()
        self.fields = [self._fill(one, group) for one, group in zip(self.sets, network.groups, strict=False)]
        self.struct.sets, self.struct.set = len(network.groups), ctypes.addressof(self.sets)

    def zeros(self, size: int) -> np.ndarray:
        """Zeroed reals that are kept as long as this brain."""
        return self._memory.zeros(size)

    def _point(self, name: str, array: np.ndarray) -> np.ndarray:
        setattr(self.struct, name, array.ctypes.data)
        return array

    def _fill(self, one, group: Group) -> dict[str, np.ndarray]:
        """Fields of a kind: instance values are the network's, all that a run changes is this brain's own."""
        kind, n = group.kind, len(group)
        # A rate follows the temperature of a run, so it is this brain's own, too.
        own = {RATE} if kind.mechanism.follows_temperature else set()
        shared = {name: each for name, each in group.values.items() if name not in own}
        fields = {name: shared[name] if name in shared else self.zeros(n) for name in kind.all_fields()}
        for name, initial in group.instances.concentration.items():
            self.concentration[self.network.slots.index(group.instances, name)] = initial
        one.n = n
        one.f, one.k = self._memory.addresses(fields.values()), self._memory.addresses(group.indices)
        one.scratch = self.zeros(4 * n).ctypes.data
        if group.table is not None:
            groups, first = group.table
            one.groups, one.width = len(first), len(kind.tabulated)
            one.group, one.first_of_group = groups.ctypes.data, first.ctypes.data
            one.table = self.zeros(len(first) * self._library.table_rows() * one.width).ctypes.data
        return fields

    # --- running

    def start(
        self,
        voltage: np.ndarray,
        dt: float,
        order: int = 1,
        corrections: int = 0,
        rate: float | None = None,
        shared: Mapping[str, float] | None = None,
    ) -> None:
        """Begin a run at time 0.

        Args:
            voltage: of every node of the extract [mV], shape (nodes,).
            dt: step [ms].
            order: 1 for backward Euler, 2 for the staggered Crank-Nicolson of NEURON's secondorder 2.
            corrections: how often a step is solved again with the partners' new voltages in the gap junctions.
            rate: factor on the rates of all gates, at another temperature [-]; None leaves each instance its own.
            shared: values that all instances of a mechanism share, where they differ from `Extract.shared`.
        """
        place = self.network.layout.place
        self.voltage[:] = 0.0  # so that nothing of a diverged run is left in the padding either
        self.voltage[place[place >= 0]] = voltage[place >= 0]
        struct = self.struct
        struct.t, struct.step, struct.order, struct.corrections = 0.0, dt, order, corrections
        struct.probes = 0
        now = {**self.network.extract.shared, **(shared or {})}
        for kind in self.network.kinds:
            for k, name in enumerate(kind.mechanism.uniform):
                if name != "dt":
                    full = name if name == "celsius" else f"{name}_{kind.mechanism.name}"
                    self._uniform[kind.first_uniform + k] = now[full]
        for group, fields in zip(self.network.groups, self.fields, strict=True):
            if group.kind.mechanism.follows_temperature:
                fields[RATE][:] = group.values[RATE] if rate is None else rate
        self._library.initial(ctypes.byref(struct))

    def advance(self, steps: int) -> None:
        """Take steps with `external` and `clamp_current` as they are; other threads run meanwhile."""
        self._library.advance(ctypes.byref(self.struct), _I(steps))

    @property
    def time(self) -> float:
        """Since the start [ms]."""
        return self.struct.t

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that the next step depends on and that changes as it runs, time [ms] included."""
        return {"time": np.array(self.struct.t), **{name: each.copy() for name, each in self._changing()}}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from a state, after `start` with the same step; the same steps then give the same bits.

        Raises:
            ConfigError: when it belongs to another network.
        """
        own = dict(self._changing())
        if {"time", *own} != set(state) or any(state[name].shape != each.shape for name, each in own.items()):
            raise ConfigError("this state belongs to another network: resume it with the worm it was taken from")
        for name, each in own.items():
            each[:] = state[name]
        self.struct.t = float(state["time"])

    def _changing(self) -> Iterator[tuple[str, np.ndarray]]:
        yield "voltage", self.voltage
        yield from (("concentration", self.concentration), *self.ions.items())
        for k, (group, fields) in enumerate(zip(self.network.groups, self.fields, strict=True)):
            own = {name: each for name, each in fields.items() if name not in group.values}
            yield from ((f"{k}_{group.kind.mechanism.name}_{name}", each) for name, each in own.items())

    def watch(self, nodes: np.ndarray, steps: int) -> np.ndarray:
        """Record voltages at every step of the next calls of `advance`.

        Args:
            nodes: indices in `voltage`, shape (n,).
            steps: the most steps that one call will take.

        Returns:
            [mV], shape (steps, n); each call of `advance` fills it from its first row.
        """
        probe = np.ascontiguousarray(nodes, np.int32)
        record = np.zeros((steps, len(probe)), self.network.dtype)
        self.struct.probes = len(probe)
        self.struct.probe, self.struct.record = probe.ctypes.data, record.ctypes.data
        # Only the latest is kept: a search calls this at every generation.
        self._watched = probe, record
        return record


class _Slots:
    """Where concentrations and ion currents of a segment meet: one slot per segment and quantity."""

    def __init__(self, used: list[tuple[Kind, Instances]]) -> None:
        self._concentration: dict[tuple[str, int], int] = {}
        self._ion: dict[tuple[str, int], int] = {}
        nodes: list[int] = []
        for kind, instances in used:
            mechanism = kind.mechanism
            for name in (*mechanism.concentrations_owned, *mechanism.concentrations_read):
                for node in instances.node:
                    self._concentration.setdefault((name, int(node)), len(self._concentration))
            for name in mechanism.ion_currents_read:
                for node in instances.node:
                    if (name, int(node)) not in self._ion:
                        self._ion[name, int(node)] = len(self._ion)
                        nodes.append(int(node))
        self._currents = {name for name, _ in self._ion}
        self.concentrations, self.ions = len(self._concentration), len(self._ion)
        self.ion_nodes = np.array(nodes, int)

    def index(self, instances: Instances, name: str) -> np.ndarray:
        """Slots of a set; a current that nobody reads goes to one more slot at the end."""
        if name.endswith(" to"):
            name = name.removesuffix(" to")
            return np.array([self._ion.get((name, int(node)), self.ions) for node in instances.node], int)
        table = self._ion if name in self._currents else self._concentration
        return np.array([table[name, int(node)] for node in instances.node], int)
