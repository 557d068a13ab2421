"""Where the arrays of a batch of worms lie in the memory of a device, which steps each worm with a block of threads.

Every array is a place in one of a few regions. What parameters, temperature and step decide is there once; what a run
changes is there once per worm, a stride apart. block.c finds all of it through the structs of kernel.c, of which each
worm has its own, filled with addresses on the device.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from . import library
from .emit import straight
from .flat import Group, NativeNetwork

_I, _P = ctypes.c_int64, ctypes.c_void_p
# Arrays start on the lines in which a card reads memory.
_LINE = 128  # [bytes]
_SHARED_NODES = ("base_d", "base_b", "charge")
_WORK_NODES = ("tick_d", "tick_b", "d", "b", "x", "first_b")
PER_WORM = ("state", "work", "external", "clamp", "output")
"""Regions that every worm has of its own; "real", "index" and "time" are shared."""

SHARING = np.dtype([("places", np.int64), ("first", np.uint64), ("item", np.uint64)])


@cache
def structs(brain: type[ctypes.Structure], one: type[ctypes.Structure]) -> tuple[np.dtype, np.dtype]:
    """The structs Brain and Set of block.c as numpy types: those of kernel.c, and what only blocks need."""
    of_brain = [("by_parent", _P), ("by_clamped", _P), ("own", _P), ("fetched", _P), ("outputs", _I), ("output", _P)]
    whole = type("Brain", (ctypes.Structure,), {"_fields_": [*brain._fields_, *of_brain]})
    whole_set = type("Set", (ctypes.Structure,), {"_fields_": [*one._fields_, ("by_node", _P)]})
    return np.dtype(whole), np.dtype(whole_set)


@dataclass(frozen=True)
class Place:
    """Where an array starts: a region, and a number of its items."""

    region: str
    start: int
    size: int

    @property
    def items(self) -> slice:
        """Its items in the region, or in a worm's part of it."""
        return slice(self.start, self.start + self.size)


class Region:
    """Arrays one after another.

    Args:
        name: one of `PER_WORM`, or of the shared ones.
        dtype: of its items.
    """

    def __init__(self, name: str, dtype) -> None:
        self.name, self.dtype = name, np.dtype(dtype)
        self.size = 0
        self._parts: list[tuple[Place, np.ndarray | None]] = []

    def place(self, content: np.ndarray | int) -> Place:
        """Take room for an array, or for so many zeros."""
        values = None if isinstance(content, int) else np.asarray(content, self.dtype)
        found = Place(self.name, self.size, content if values is None else len(values))
        self._parts.append((found, values))
        line = _LINE // self.dtype.itemsize
        self.size += -(-found.size // line) * line
        return found

    @property
    def bytes(self) -> int:
        """Size in memory, of one worm where it is a worm's."""
        return self.size * self.dtype.itemsize

    def content(self) -> np.ndarray:
        """All arrays, zero where none was given, shape (size,)."""
        array = np.zeros(self.size, self.dtype)
        for place, values in self._parts:
            if values is not None:
                array[place.items] = values
        return array


def by_place(targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turns by the place they add to: where those of each place start, shape (places + 1,), and all turns in order."""
    turns = np.argsort(targets, kind="stable")
    _, first = np.unique(targets[turns], return_index=True)
    return np.append(first, len(targets)).astype(np.int32), turns.astype(np.int32)


class Plan:
    """The regions and structs of a batch of brains of one network.

    Args:
        network: laid out for the C engine in "f64" or "f32".

    Attributes:
        regions: by name.
        states: (name as in `FlatBrain.state`) -> place among a worm's states.
        uniform, rates, external, clamp: places of what a start or the loop sets.
    """

    def __init__(self, network: NativeNetwork) -> None:
        self.network = network
        reals = dict.fromkeys(("real", *PER_WORM), network.dtype)
        self.regions = {name: Region(name, kind) for name, kind in (reals | {"index": np.int32, "time": float}).items()}
        self.states: dict[str, Place] = {}
        self._of_brain: dict[str, Place] = {}
        self._sharing: list[tuple[Place, Place]] = []
        self._place_brain()
        self.sets = [self._place_set(k, group) for k, group in enumerate(network.groups)]
        work = max((2 * len(group) for group in network.groups), default=1)
        self._scratch = self.regions["work"].place(work)

    def _place_brain(self) -> None:
        network, regions, of = self.network, self.regions, self._of_brain
        layout, slots = network.layout, network.slots
        for name, array in network.pointers.items():
            region = {"i": "index", "f": "real"}[array.dtype.kind]
            of[name] = regions["time" if name in ("clamp_start", "clamp_stop") else region].place(array)
        of |= {name: regions["real"].place(layout.size) for name in _SHARED_NODES}
        of |= {name: regions["work"].place(layout.size) for name in _WORK_NODES}
        of["v"] = self.states["voltage"] = regions["state"].place(layout.size)
        self.states["concentration"] = regions["state"].place(max(1, slots.concentrations))
        for name in ("ion_current", "ion_slope"):
            self.states[name] = regions["state"].place(slots.ions + 1)
        of |= {name: self.states[name] for name in ("concentration", "ion_current", "ion_slope")}
        size = max((each.first_uniform + len(each.mechanism.uniform) for each in network.kinds), default=0)
        self.uniform = of["uniform"] = regions["real"].place(max(1, size))
        self.external = of["external"] = regions["external"].place(network.extract.external)
        self.clamp = of["clamp_current"] = regions["clamp"].place(network.clamp_amplitude)
        heads = layout.head_start
        self._by_parent = [
            self._share(layout.head_parent[start:end]) for start, end in zip(heads[:-1], heads[1:], strict=True)
        ]
        self._by_clamped = self._share(network.pointers["clamp_node"])

    def _share(self, targets: np.ndarray) -> int:
        """Number of a new struct Sharing."""
        first, turns = (self.regions["index"].place(each) for each in by_place(targets))
        self._sharing.append((first, turns))
        return len(self._sharing) - 1

    def _place_set(self, k: int, group: Group) -> tuple[list[Place | None], list[Place], int]:
        """Fields, indices and sharing of a set; the states among the fields are each worm's own."""
        kind, real, own = group.kind, self.regions["real"], self.regions["state"]
        fields: list[Place | None] = []
        for name in kind.all_fields():
            if name in group.values:
                fields.append(real.place(group.values[name]))
            elif name.startswith("@hoisted"):
                fields.append(real.place(len(group)))
            elif name.startswith("@tabulated"):
                fields.append(None)
            else:
                fields.append(own.place(len(group)))
                self.states[state_name(k, group, name)] = fields[-1]
        indices = [self.regions["index"].place(each) for each in group.indices]
        return fields, indices, self._share(group.indices[0])

    def field(self, k: int, name: str) -> Place:
        """Place of a field of a set."""
        found = self.sets[k][0][self.network.groups[k].kind.all_fields().index(name)]
        assert found is not None
        return found

    def fetch(self, items: np.ndarray) -> None:
        """Have these items of a worm's states handed to the host after each call; call this once, before `structs`."""
        self._of_brain["fetched"] = self.regions["index"].place(items)
        self._of_brain["output"] = self.regions["output"].place(len(items))

    # --- structs, with addresses

    def shared_tables(self, base: Mapping[str, int]) -> tuple[np.ndarray, np.ndarray]:
        """Structs Sharing, and addresses of the index arrays of all sets.

        Args:
            base: address of every region.
        """
        shared = np.zeros(len(self._sharing), SHARING)
        for one, (first, item) in zip(shared, self._sharing, strict=True):
            one["places"] = first.size - 1
            one["first"], one["item"] = self._at(base, first), self._at(base, item)
        places = [each for _, indices, _ in self.sets for each in indices]
        return shared, np.array([self._at(base, each) for each in places], np.uint64)

    def worm_tables(self, base: Mapping[str, int], worms: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Addresses of the fields, structs Set and struct Brain of every worm, each with its worms first.

        Args:
            base: address of every region, and of the tables by the names "sharing", "indices", "fields" and "sets".
            worms: how many.
        """
        brain_type, set_type = structs(self.network.brain_type, self.network.set_type)
        places = [each for fields, _, _ in self.sets for each in fields]
        fields = np.zeros((worms, max(1, len(places))), np.uint64)
        for k, place in enumerate(places):
            if place is not None:
                fields[:, k] = self._of_worms(base, place, worms)
        sets = np.zeros((worms, max(1, len(self.sets))), set_type)
        row = base["fields"] + fields.strides[0] * np.arange(worms, dtype=np.uint64)
        of_field = of_index = 0
        for k, (own, indices, sharing) in enumerate(self.sets):
            one = sets[:, k]
            one["n"] = len(self.network.groups[k])
            one["f"], one["k"] = row + np.uint64(8 * of_field), base["indices"] + 8 * of_index
            one["scratch"] = self._of_worms(base, self._scratch, worms)
            one["by_node"] = base["sharing"] + SHARING.itemsize * sharing
            of_field, of_index = of_field + len(own), of_index + len(indices)
        return fields, sets, self._brains(base, worms, brain_type, sets.strides[0])

    def _brains(self, base: Mapping[str, int], worms: int, kind: np.dtype, set_stride: int) -> np.ndarray:
        layout, brains = self.network.layout, np.zeros(worms, kind)
        for name, place in self._of_brain.items():
            brains[name] = self._of_worms(base, place, worms)
        brains["nodes"], brains["batches"] = layout.size, len(layout.batch_level) - 1
        brains["sets"], brains["ions"] = len(self.sets), self.network.slots.ions
        brains["clamps"], brains["outputs"] = self.clamp.size, self._of_brain["output"].size
        brains["set"] = base["sets"] + set_stride * np.arange(worms, dtype=np.uint64)
        brains["by_parent"] = base["sharing"] + SHARING.itemsize * self._by_parent[0]
        brains["by_clamped"] = base["sharing"] + SHARING.itemsize * self._by_clamped
        brains["own"] = self._of_worms(base, Place("state", 0, 0), worms)
        return brains

    def _at(self, base: Mapping[str, int], place: Place) -> int:
        return base[place.region] + place.start * self.regions[place.region].dtype.itemsize

    def _of_worms(self, base: Mapping[str, int], place: Place, worms: int) -> np.ndarray:
        """Address in every worm's part of a region, shape (worms,)."""
        stride = self.regions[place.region].bytes if place.region in PER_WORM else 0
        return np.uint64(self._at(base, place)) + np.uint64(stride) * np.arange(worms, dtype=np.uint64)


def state_name(k: int, group: Group, name: str) -> str:
    """Name of a state of a set, as in `FlatBrain.state`."""
    return f"{k}_{group.kind.mechanism.name}_{name}"


def memory(plan: Plan) -> tuple[int, int]:
    """Bytes that all worms share, and bytes of each worm."""
    brain_type, set_type = structs(plan.network.brain_type, plan.network.set_type)
    shared = sum(each.bytes for name, each in plan.regions.items() if name not in PER_WORM)
    fields, sets = sum(len(each) for each, _, _ in plan.sets), len(plan.sets)
    tables = 8 * fields + set_type.itemsize * sets + brain_type.itemsize
    return shared, tables + sum(plan.regions[name].bytes for name in PER_WORM)


def sources(network: NativeNetwork) -> dict[str, str]:
    """Text of block.c and of what it includes, by name."""
    files = {path.name: path.read_text(encoding="utf-8") for path in (library.BLOCK, library.SOURCES[-1])}
    return {**files, "mechanisms.h": straight([each.kind for each in network.groups])}
