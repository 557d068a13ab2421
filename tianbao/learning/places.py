"""Where each value of an assembled nervous system lies in the arrays of the native engine.

A nervous system is assembled by name: rules of synapses, receptors, membranes of sections. The engine steps the same
numbers in an order of its own. `Places` is the way from one to the other, read from NEURON's objects once per wiring.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict, defaultdict
from dataclasses import dataclass

import numpy as np

from ..engine import library
from ..engine.flat import NativeNetwork
from ..errors import ConfigError
from ..loop import Simulation
from ..network.assembly import Network
from ..network.rules import Rule, connection_rules

_KEPT = 4
_known: OrderedDict[str, Places] = OrderedDict()


@dataclass(frozen=True)
class Junctions:
    """Every synapse and every side of a gap junction, in the order of the rules.

    Attributes:
        rules: of the assembly.
        rule: number of each one's rule, shape (n,).
        row: its place in that rule, shape (n,).
        group, place: where the engine has it, shape (n,).
        pre, post: names of its cells.
    """

    rules: tuple[Rule, ...]
    rule: np.ndarray
    row: np.ndarray
    group: np.ndarray
    place: np.ndarray
    pre: np.ndarray
    post: np.ndarray

    def gather(self, instances: list[dict[str, np.ndarray]], name: str) -> np.ndarray:
        """One value of each, shape (n,), 0 where an instance has none of that name."""
        found = np.zeros(len(self.rule))
        for k in np.unique(self.group):
            here = self.group == k
            if name in instances[k]:
                found[here] = instances[k][name][self.place[here]]
        return found


@dataclass(frozen=True)
class Places:
    """Where the engine has what was assembled.

    Attributes:
        junctions: synapses and gap junctions.
        receptors: group and places of the point processes of each stretch receptor.
        densities: (cell, section) -> mechanism -> group and places of its segments.
        segments: (cell, section) -> nodes of its segments in `FlatBrain.voltage`, and their areas [um2].
    """

    junctions: Junctions
    receptors: list[list[tuple[int, int]]]
    densities: dict[tuple[str, str], dict[str, list[tuple[int, int]]]]
    segments: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]


def places_of(sim: Simulation, network: NativeNetwork) -> Places:
    """The places of a simulation's first worm, found once per wiring in this process.

    Args:
        sim: after `reset`.
        network: of its brain.

    Raises:
        ConfigError: if NEURON's network is not the one that the engine holds.
    """
    key = _digest(network, sim.loop.design().neurons)
    if key not in _known:
        _known[key] = _read(sim.network, network)
    _known.move_to_end(key)
    while len(_known) > _KEPT:
        _known.popitem(last=False)
    return _known[key]


def _digest(network: NativeNetwork, neurons: tuple[str, ...]) -> str:
    found = hashlib.sha256(" ".join(neurons).encode())
    for group in network.groups:
        found.update(group.kind.name.encode())
        for array in (group.rows, group.instances.node, group.instances.partner, group.instances.external):
            found.update(np.ascontiguousarray(array, np.int64).tobytes() + b"|")
    return found.hexdigest()


def _read(assembled: Network, network: NativeNetwork) -> Places:
    # NEURON's first import belongs to the mechanisms that the network has loaded.
    from ..engine.reader import Partner, Pointer, extract

    partners = list(assembled.partners())
    pointers = [Pointer(point, index) for point, index in assembled.pointers()]
    read, handles = extract(
        assembled.sections, library.all_kinds(), [Partner(*each) for each in partners], pointers,
        assembled.design.inputs.size,
    )  # fmt: skip
    used = [(each, objects) for each, objects in zip(read.instances, handles.objects, strict=True) if len(each.node)]
    if [each.kind for each, _ in used] != [group.kind.name for group in network.groups]:
        raise ConfigError("gradient: NEURON's network is not the one that was run: call reset on the simulation first")
    section_of = {
        section["hObj"]: (name, key) for name, cell in assembled.cells.items() for key, section in cell.secs.items()
    }
    points: dict = {}
    densities: dict = defaultdict(lambda: defaultdict(list))
    for k, (group, (instances, objects)) in enumerate(zip(network.groups, used, strict=True)):
        place = np.argsort(group.rows)
        if not np.array_equal(group.instances.node[place], instances.node):
            raise ConfigError("gradient: NEURON's network is not the one that was run: call reset on the simulation")
        for each, where in zip(objects, place, strict=True):
            if group.kind.mechanism.source.point:
                points[each] = (k, int(where))
            else:
                densities[section_of[each.sec]][group.kind.mechanism.name].append((k, int(where)))
    receptors = [
        [points[point] for point in assembled.receptors(each.neuron, "stretch")]
        for each in assembled.design.stretch.receptors
    ]
    junctions = _junctions(connection_rules(assembled.design), [points[point] for point, _ in partners])
    return Places(junctions, receptors, densities, _segments(handles.segments, section_of, network))


def _junctions(rules: list[Rule], found: list[tuple[int, int]]) -> Junctions:
    """The synapses of NEURON, which come in the order of the rules."""
    rule, row, pre, post = [], [], [], []
    for k, each in enumerate(rules):
        sides = 2 if each.mechanism["pointerParams"]["bidirectional"] else 1
        rule += [k] * (sides * len(each.weights))
        row += [number for number in range(len(each.weights)) for _ in range(sides)]
        pre += [name for name in each.pre for _ in range(sides)]
        post += [name for name in each.post for _ in range(sides)]
    group, place = np.array(found).T
    return Junctions(tuple(rules), np.array(rule), np.array(row), group, place, np.array(pre), np.array(post))


def _segments(found: list, section_of: dict, network: NativeNetwork) -> dict:
    """Nodes and areas of the segments of every section; its ends have no membrane."""
    nodes, areas = defaultdict(list), defaultdict(list)
    for k, segment in enumerate(found):
        if 0.0 < segment.x < 1.0:
            where = section_of[segment.sec]
            nodes[where].append(k)
            areas[where].append(segment.area())
    return {where: (network.nodes(nodes[where]), np.array(areas[where])) for where in nodes}
