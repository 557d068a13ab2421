"""Orders the nodes of many trees so that elimination runs over neighbours in memory.

Every tree is cut into unbranched chains, the longest child continuing its parent's. Chains of equal
nesting depth make a batch; a batch is stored level by level, longest chains first, each level padded
to a whole number of cache lines. Nodes without membrane that nothing is attached to are eliminated
beforehand: a tip carries no current, and two resistances in series are one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Forest:
    """Trees as nodes and edges.

    Attributes:
        parent: parent of each node, -1 for the root of a tree, shape (nodes,).
        axial: conductance to the parent [uS], shape (nodes,).
        capacitance: [nF], shape (nodes,); 0 where there is no membrane.
        wanted: whether a node must stay, shape (nodes,).
    """

    parent: np.ndarray
    axial: np.ndarray
    capacitance: np.ndarray
    wanted: np.ndarray


@dataclass(frozen=True)
class Layout:
    """Where every node went.

    Attributes:
        place: new index of every old node, -1 for those eliminated, shape (nodes,).
        size: padded number of nodes.
        axial: conductance to the parent [uS], shape (size,).
        batch_level: first level of each batch, shape (batches + 1,).
        level_start, level_width: first node and padded width of each level, shape (levels,).
        head_start: range of each batch in `head_parent`, shape (batches + 1,).
        head_parent: new index of the node that a chain branches from.
    """

    place: np.ndarray
    size: int
    axial: np.ndarray
    batch_level: np.ndarray
    level_start: np.ndarray
    level_width: np.ndarray
    head_start: np.ndarray
    head_parent: np.ndarray


def lay_out(forest: Forest, lanes: int) -> Layout:
    """Order the nodes.

    Args:
        forest: the trees.
        lanes: numbers per cache line; every level is padded to a multiple of it.
    """
    order, parent, axial = _rooted(_reduced(forest))
    batches = _chains(order, parent)
    place = np.full(len(forest.parent), -1)
    level_start, level_width, batch_level = [], [], [0]
    head_parent: list[int] = []
    head_start = [0]
    size = 0
    for depth, chains in enumerate(batches):
        chains.sort(key=len, reverse=True)
        lengths = np.array([len(chain) for chain in chains])
        for level in range(lengths[0]):
            width = int((lengths > level).sum())
            for lane in range(width):
                place[chains[lane][level]] = size + lane
            level_start.append(size)
            level_width.append(-(-width // lanes) * lanes)
            size += level_width[-1]
        batch_level.append(len(level_start))
        if depth:
            head_parent += [int(place[parent[chain[0]]]) for chain in chains]
        head_start.append(len(head_parent))
    moved = np.zeros(size)
    for node in order:
        moved[place[node]] = axial.get(node, 0.0)
    return Layout(
        place, size, moved,
        *(np.array(each, np.int32) for each in (batch_level, level_start, level_width, head_start, head_parent)),
    )  # fmt: skip


def _reduced(forest: Forest) -> list[dict[int, float]]:
    """Neighbours with conductances of every node, those eliminated without any."""
    neighbours: list[dict[int, float]] = [{} for _ in forest.parent]
    for node, parent in enumerate(forest.parent):
        if parent >= 0:
            neighbours[node][int(parent)] = neighbours[int(parent)][node] = float(forest.axial[node])
    empty = [k for k in range(len(forest.parent)) if forest.capacitance[k] == 0.0 and not forest.wanted[k]]
    while empty:
        node = empty.pop()
        around = neighbours[node]
        if around is None or len(around) > 2:
            continue
        for each in around:
            del neighbours[each][node]
        if len(around) == 2:
            (a, to_a), (b, to_b) = around.items()
            neighbours[a][b] = neighbours[b][a] = 1.0 / (1.0 / to_a + 1.0 / to_b)
        else:
            # A neighbour without membrane may have become a tip itself.
            empty += [each for each in around if forest.capacitance[each] == 0.0 and not forest.wanted[each]]
        around.clear()
        neighbours[node] = None  # type: ignore[call-overload]
    return neighbours


def _rooted(neighbours: list[dict[int, float]]) -> tuple[list[int], dict[int, int], dict[int, float]]:
    """Nodes parents first, their parents and their conductances; each tree starts at its first node."""
    order, parent, axial, seen = [], {}, {}, set()
    for root, around in enumerate(neighbours):
        if around is None or root in seen:
            continue
        seen.add(root)
        tree = [root]
        for node in tree:
            for each, conductance in neighbours[node].items():
                if each not in seen:
                    seen.add(each)
                    parent[each], axial[each] = node, conductance
                    tree.append(each)
        order += tree
    return order, parent, axial


def _chains(order: list[int], parent: dict[int, int]) -> list[list[list[int]]]:
    """Chains by nesting depth."""
    height, heavy = dict.fromkeys(order, 1), {}
    for node in reversed(order):
        up = parent.get(node)
        if up is not None and height[node] + 1 > height[up]:
            height[up], heavy[up] = height[node] + 1, node
    depth: dict[int, int] = {}
    batches: list[list[list[int]]] = []
    for node in order:
        up = parent.get(node)
        if up is not None and heavy[up] == node:
            continue
        nesting = 0 if up is None else depth[up] + 1
        chain = [node]
        while chain[-1] in heavy:
            chain.append(heavy[chain[-1]])
        depth.update(dict.fromkeys(chain, nesting))
        while len(batches) <= nesting:
            batches.append([])
        batches[nesting].append(chain)
    return batches
