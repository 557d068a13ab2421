"""The native engine: an assembled network in flat arrays, stepped by generated C."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence

import numpy as np
from neuron import h

from ..cells.temperature import RATE
from ..errors import ConfigError, unknown
from . import library
from .extract import Extract, Instances, Partner, Pointer, extract
from .kinds import Kind
from .layout import CACHE_LINE, lay_out

_I, _P = ctypes.c_int64, ctypes.c_void_p


def _structures(real):
    """The C structs for one precision, field by field as in kernel.c."""

    class Set(ctypes.Structure):
        _fields_ = [
            ("n", _I), ("f", _P), ("k", _P), ("scratch", _P), ("groups", _I), ("width", _I), ("group", _P),
            ("first_of_group", _P), ("table", _P),
        ]  # fmt: skip

    pointers = lambda names: [(name, _P) for name in names.split()]  # noqa: E731
    integers = lambda names: [(name, _I) for name in names.split()]  # noqa: E731

    class Brain(ctypes.Structure):
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


class NativeBrain:
    """A network taken from NEURON and run without it.

    Args:
        sections: every section of the network.
        partners: what each point process with `vpre` reads.
        pointers: what each point process with a POINTER reads from `external`.
        external: length of the `external` vector.
        precision: "f64", equal to NEURON to rounding, or "f32"; either with "-tables" for rates read from tables.
        given: kinds to use; those of mod/ when None.

    Attributes:
        external: what POINTERs read, shape (external,); set between calls of `advance`.
        clamp_current: amplitude of every IClamp [nA], in the order of `clamp_objects`.
        leak_conductance, leak_current: passive conductance of every node [uS] and that times its reversal [nA], in
            the order of `voltage`; what they hold when `start` is called counts.
    """

    def __init__(
        self,
        sections: Sequence,
        partners: Sequence[Partner] = (),
        pointers: Sequence[Pointer] = (),
        external: int = 0,
        precision: str = "f64",
        given: tuple[Kind, ...] | None = None,
    ) -> None:
        if precision not in library.REALS:
            raise ConfigError(unknown("precision", precision, library.REALS))
        self._kinds = given if given is not None else library.all_kinds()
        self._library = library.load(precision, given)
        self._real = library.REALS[precision][1]
        self._type = np.dtype(np.float64 if precision.startswith("f64") else np.float32)
        self._tables = precision.endswith("tables")
        self._kept: list[np.ndarray] = []
        found = extract(sections, self._kinds, partners, pointers)
        self._layout = lay_out(found.forest, CACHE_LINE // self._type.itemsize)
        self._set_type, brain_type = _structures(self._real)
        self._brain = brain_type()
        if self._library.size_of_brain() != ctypes.sizeof(brain_type):
            raise AssertionError("kernel.c and native.py disagree about struct Brain")
        self.external = self._array(external)
        self._fill_trees(found)
        self._fill_mechanisms(found)
        self._fill_clamps(found)
        self._point("external", self.external)
        self._start_sources = h.PtrVector(len(found.segments))
        for k, segment in enumerate(found.segments):
            self._start_sources.pset(k, segment._ref_v)
        self._node_of = {each: k for k, each in enumerate(found.segments)}

    # --- arrays

    def _array(self, size: int, values=None, kind=None) -> np.ndarray:
        """A zeroed array that starts on a cache line and lives as long as the brain."""
        dtype = np.dtype(kind) if kind is not None else self._type
        raw = np.zeros(size * dtype.itemsize + CACHE_LINE, np.uint8)
        start = -raw.ctypes.data % CACHE_LINE
        array = raw[start : start + size * dtype.itemsize].view(dtype)
        if values is not None:
            array[: len(values)] = values
        self._kept.append(raw)
        return array

    def _point(self, name: str, array: np.ndarray) -> np.ndarray:
        self._kept.append(array)
        setattr(self._brain, name, array.ctypes.data)
        return array

    def _nodes(self, values=None) -> np.ndarray:
        """An array over the padded nodes, filled from values over the old ones."""
        array = self._array(self._layout.size)
        if values is not None:
            there = self._layout.place >= 0
            array[self._layout.place[there]] = np.asarray(values)[there]
        return array

    def _fill_trees(self, found: Extract) -> None:
        layout, brain = self._layout, self._brain
        brain.nodes, brain.batches = layout.size, len(layout.batch_level) - 1
        for name in ("batch_level", "level_start", "level_width", "head_start", "head_parent"):
            self._point(name, np.ascontiguousarray(getattr(layout, name), np.int32))
        self._point("axial", self._array(layout.size, layout.axial))
        self._point("capacitance", self._nodes(found.forest.capacitance))
        leak = self._nodes(found.leak_conductance)
        padding = np.ones(layout.size, bool)
        padding[layout.place[layout.place >= 0]] = False
        leak[padding] = 1.0  # so that elimination never divides by zero there
        self.leak_conductance = self._point("leak_d", leak)
        self.leak_current = self._point("leak_b", self._nodes(found.leak_current))
        for name in ("base_d", "base_b", "tick_d", "tick_b", "charge", "d", "b", "x", "first_b"):
            self._point(name, self._nodes())
        self._v = self._point("v", self._nodes())

    def _fill_mechanisms(self, found: Extract) -> None:
        brain = self._brain
        used = [self._spread(each) for each in found.instances if len(each.node)]
        slots = _Slots(used)
        self._concentration = self._point("concentration", self._array(max(1, slots.concentrations)))
        self._ion_arrays = {
            name: self._point(name, self._array(slots.ions + 1)) for name in ("ion_current", "ion_slope")
        }
        brain.ions = slots.ions
        self._point("ion_node", np.ascontiguousarray(self._layout.place[slots.ion_nodes], np.int32))
        sets = (self._set_type * max(1, len(used)))()
        self._sets: list[tuple[Instances, dict[str, np.ndarray]]] = []
        for one, instances in zip(sets, used, strict=False):
            self._sets.append((instances, self._fill_set(one, instances, slots)))
        self._kept_sets = sets
        brain.sets, brain.set = len(used), ctypes.addressof(sets)
        index = {id(kind): k for k, kind in enumerate(self._kinds)}
        self._point("kind", np.array([index[id(each.kind)] for each in used], np.int32))
        size = max((k.first_uniform + len(k.mechanism.uniform) for k in self._kinds), default=0)
        self._uniform = self._point("uniform", self._array(max(1, size)))
        for instances in used:
            for initial in instances.kind.mechanism.concentrations_read:
                place = slots.index(instances, initial)
                self._concentration[place] = [getattr(each, initial) for each in instances.objects]

    def _spread(self, instances: Instances) -> Instances:
        """Instances in an order in which neighbours meet on no node, so that no sum waits for the one before."""
        place = self._layout.place[instances.node]
        by_node = np.argsort(place, kind="stable")
        ordered = place[by_node]
        rank = np.arange(len(place)) - np.searchsorted(ordered, ordered)
        return instances.reordered(by_node[np.lexsort((ordered, rank))])

    def _fill_set(self, one, instances: Instances, slots: _Slots) -> dict[str, np.ndarray]:
        kind, n = instances.kind, len(instances.node)
        fields = {name: self._array(n, instances.values.get(name)) for name in kind.fields}
        fields |= {name: self._array(n) for name in kind.all_fields()[len(fields) :]}
        indices = []
        for name in kind.indices:
            if name == "node":
                indices.append(self._layout.place[instances.node])
            elif name == "partner":
                indices.append(self._layout.place[instances.partner])
            elif name == "external":
                indices.append(instances.external)
            else:
                indices.append(slots.index(instances, name))
        kept = [np.ascontiguousarray(each, np.int32) for each in indices]
        self._kept += kept
        one.n = n
        one.f = self._table(fields.values())
        one.k = self._table(kept)
        one.scratch = self._array(4 * n).ctypes.data
        if self._tables and kind.tabulated:
            self._fill_tables(one, instances)
        return fields

    def _fill_tables(self, one, instances: Instances) -> None:
        """Room for one table per distinct set of parameters."""
        kind = instances.kind
        chosen = np.array([instances.values[name] for name in kind.tabulated_from()]).reshape(-1, len(instances.node))
        _, first, group = np.unique(chosen, axis=1, return_index=True, return_inverse=True)
        kept = [np.ascontiguousarray(each.ravel(), np.int32) for each in (group, first)]
        self._kept += kept
        one.groups, one.width = len(first), len(kind.tabulated)
        one.group, one.first_of_group = (each.ctypes.data for each in kept)
        one.table = self._array(len(first) * self._library.table_rows() * one.width).ctypes.data

    def _table(self, arrays) -> int:
        table = np.array([each.ctypes.data for each in arrays], np.uintp)
        self._kept.append(table)
        return table.ctypes.data

    def _fill_clamps(self, found: Extract) -> None:
        nodes, amplitudes, starts, stops = zip(*found.clamps, strict=True) if found.clamps else ((), (), (), ())
        self._brain.clamps = len(nodes)
        self._point("clamp_node", np.ascontiguousarray(self._layout.place[np.array(nodes, int)], np.int32))
        self.clamp_current = self._point("clamp_current", self._array(len(nodes), amplitudes))
        self._point("clamp_start", np.array(starts, float))
        self._point("clamp_stop", np.array(stops, float))
        self.clamp_objects = found.clamp_objects

    # --- running

    def start(self, dt: float, order: int = 1, corrections: int = 0, rate: float | None = 1.0) -> None:
        """Begin a run from the voltages that NEURON's segments hold, at time 0.

        Args:
            dt: step [ms].
            order: 1 for backward Euler, 2 for the staggered Crank-Nicolson of NEURON's secondorder 2.
            corrections: how often a step is solved again with the partners' new voltages in the gap junctions.
            rate: factor on the rates of gates, at another temperature [-]; None leaves each instance its own.
        """
        if rate is not None:
            self._set_rates(rate)
        place = self._layout.place
        values = h.Vector(len(place))
        self._start_sources.gather(values)
        self._v[:] = 0.0  # a diverged run leaves no numbers in the padding either
        self._v[place[place >= 0]] = values.as_numpy()[place >= 0]
        brain = self._brain
        brain.t, brain.step, brain.order, brain.corrections = 0.0, dt, order, corrections
        brain.probes = 0
        self._read_uniform()
        self._library.initial(ctypes.byref(brain))

    def _set_rates(self, rate: float) -> None:
        for _, fields in self._sets:
            if RATE in fields:
                fields[RATE][:] = rate

    def _read_uniform(self) -> None:
        folded = {}
        for kind in self._kinds:
            for k, name in enumerate(kind.mechanism.uniform):
                if name != "dt":
                    full = name if name == "celsius" else f"{name}_{kind.mechanism.name}"
                    self._uniform[kind.first_uniform + k] = getattr(h, full)
            for name in kind.mechanism.folded:
                full = f"{name}_{kind.mechanism.name}"
                folded[full] = getattr(h, full, kind.mechanism.folded[name])
        library.check_folded(folded, self._kinds)

    def advance(self, steps: int) -> None:
        """Take steps with `external` and `clamp_current` as they are."""
        self._library.advance(ctypes.byref(self._brain), _I(steps))

    @property
    def time(self) -> float:
        """[ms]"""
        return self._brain.t

    def nodes(self, segments: Sequence) -> np.ndarray:
        """Index in `voltage` of NEURON segments, shape (n,)."""
        return self._layout.place[np.array([self._node_of[each] for each in segments], int)]

    @property
    def voltage(self) -> np.ndarray:
        """Voltages of all nodes [mV], in the engine's own order; see `nodes`."""
        return self._v

    def state(self, mechanism: str, name: str) -> tuple[list, list[np.ndarray]]:
        """One state or parameter of all instances of a mechanism.

        Returns:
            The NEURON objects (point processes or segments), and the engine's own arrays, which change as it
            runs; together they are as long as the objects.

        Raises:
            ConfigError: if no instance has that state.
        """
        objects: list = []
        arrays: list[np.ndarray] = []
        for instances, fields in self._sets:
            if instances.kind.mechanism.name == mechanism and name in fields:
                objects += instances.objects
                arrays.append(fields[name])
        if not objects:
            raise ConfigError(f"the network holds no '{name}' of mechanism '{mechanism}'")
        return objects, arrays

    def snapshot(self) -> dict[str, np.ndarray]:
        """Copies of all that the next step depends on and that changes as it runs, time [ms] included."""
        return {"time": np.array(self._brain.t), **{name: each.copy() for name, each in self._changing()}}

    def go_back(self, snapshot: dict[str, np.ndarray]) -> None:
        """Take up a snapshot after `start` with the same step; the same steps then give the same bits.

        Raises:
            ConfigError: when it is of another network.
        """
        own = dict(self._changing())
        if {"time", *own} != set(snapshot) or any(snapshot[name].shape != each.shape for name, each in own.items()):
            raise ConfigError("this state is of another network: resume it with the worm it was taken from")
        for name, each in own.items():
            each[:] = snapshot[name]
        self._brain.t = float(snapshot["time"])

    def _changing(self) -> Iterator[tuple[str, np.ndarray]]:
        yield "voltage", self._v
        yield from (("concentration", self._concentration), *self._ion_arrays.items())
        for k, (instances, fields) in enumerate(self._sets):
            own = {name: each for name, each in fields.items() if name not in instances.values}
            yield from ((f"{k}_{instances.kind.mechanism.name}_{name}", each) for name, each in own.items())

    def watch(self, segments: Sequence, steps: int) -> np.ndarray:
        """Write down voltages at every step of the next calls of `advance`.

        Args:
            segments: NEURON segments.
            steps: the most steps that one call will take.

        Returns:
            [mV], shape (steps, segments); each call of `advance` fills it from its first row.
        """
        probe = np.ascontiguousarray(self.nodes(segments), np.int32)
        record = np.zeros((steps, len(segments)), self._type)
        self._brain.probes = len(segments)
        self._brain.probe, self._brain.record = probe.ctypes.data, record.ctypes.data
        # Only the latest is kept: a search calls this at every generation.
        self._watched = probe, record
        return record


class _Slots:
    """Where concentrations and ion currents of a segment meet: one slot per segment and quantity."""

    def __init__(self, used: list[Instances]) -> None:
        self._concentration: dict[tuple[str, int], int] = {}
        self._ion: dict[tuple[str, int], int] = {}
        self.ion_nodes: list[int] = []
        for instances in used:
            mechanism = instances.kind.mechanism
            for name in (*mechanism.concentrations_owned, *mechanism.concentrations_read):
                for node in instances.node:
                    self._concentration.setdefault((name, int(node)), len(self._concentration))
            for name in mechanism.ion_currents_read:
                for node in instances.node:
                    if (name, int(node)) not in self._ion:
                        self._ion[name, int(node)] = len(self._ion)
                        self.ion_nodes.append(int(node))
        self.concentrations, self.ions = len(self._concentration), len(self._ion)
        self.ion_nodes = np.array(self.ion_nodes, int)

    def index(self, instances: Instances, name: str) -> np.ndarray:
        """Slots of a set; a current that nobody reads goes to one more slot at the end."""
        if name.endswith(" to"):
            name = name.removesuffix(" to")
            return np.array([self._ion.get((name, int(node)), self.ions) for node in instances.node], int)
        table = self._ion if name.startswith("i") else self._concentration
        return np.array([table[name, int(node)] for node in instances.node], int)
