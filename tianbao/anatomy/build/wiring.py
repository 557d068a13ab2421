"""Connections: Cook 2019 hermaphrodite counts, with signs and distances."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator

from ..names import unpadded
from ..signs import transmitter_sign
from .table import Table
from .wheels import Wheel
from .xlsx import read_sheet

_COOK = "cect/cache/Cook2019HermReader.json"
FENYVES = "wormneuroatlas/data/journal.pcbi.1007974.s003.xlsx"
_COOK_SOURCE = f"Cook et al. 2019 hermaphrodite, counts of EM sections; cect, {_COOK}"
_PREDICTIONS = {"+": "+", "-": "-", "complex": "complex", "no pred": "none"}
_MUSCLE = re.compile(r"M[DV][LR]\d\d")

Edges = Iterator[tuple[str, str, int]]


class Cook:
    """The two count matrices of the connectome."""

    def __init__(self, cect: Wheel) -> None:
        (data,) = cect.read(_COOK)
        content = json.loads(data)
        self.nodes: list[str] = [
            unpadded(node) if not _MUSCLE.fullmatch(node) else node for node in content["nodes"]
        ]
        self.muscles = sorted(node for node in self.nodes if _MUSCLE.fullmatch(node))
        self._matrices = content["connections"]

    def chemical(self, pre: Collection[str], post: Collection[str]) -> Edges:
        """Pairs with chemical synapses: pre, post, EM sections."""
        return self._edges("Generic_CS", set(pre), set(post))

    def gap(self, a: Collection[str], b: Collection[str]) -> Edges:
        """Pairs with gap junctions: a, b, EM sections; both directions are listed."""
        return self._edges("Generic_GJ", set(a), set(b))

    def _edges(self, matrix: str, first: set[str], second: set[str]) -> Edges:
        for a, row in zip(self.nodes, self._matrices[matrix], strict=True):
            if a in first:
                for b, count in zip(self.nodes, row, strict=True):
                    if count and b in second:
                        yield a, b, int(count)


def chemical_table(
    cook: Cook, atlas: Wheel, neurons: dict[str, tuple[str, str]], distance: Callable[[str, str], float]
) -> Table:
    """Neuron to neuron.

    Args:
        cook: the counts.
        atlas: wheel with the sign predictions.
        neurons: class and transmitter of every neuron.
        distance: closest approach of two neurites [um].
    """
    predicted = predictions(atlas)
    rows = []
    for pre, post, count in cook.chemical(neurons, neurons):
        cls, transmitter = neurons[pre]
        sign, source = transmitter_sign(cls, neurons[post][0], transmitter)
        rows.append((pre, post, count, sign, source, predicted.get((pre, post), ""), distance(pre, post)))
    return Table.sorted(
        "pre,post,em_sections,sign,sign_source,sign_predicted,distance_um", rows,
        f"{_COOK_SOURCE}. sign: transmitter rule (docs/anatomy.md). sign_predicted: Fenyves et al. 2020, "
        f"wormneuroatlas, {FENYVES}, sheet 5. distance_um: computed from morphologies/",
    )  # fmt: skip


def predictions(atlas: Wheel) -> dict[tuple[str, str], str]:
    """Predicted sign of every pair of neurons that Fenyves et al. 2020 list."""
    (data,) = atlas.read(FENYVES)
    rows = read_sheet(data, "5. Sign prediction")[2:]
    return {
        (unpadded(row["A"]), unpadded(row["D"])): _PREDICTIONS[row["Q"]]
        for row in rows
        if "A" in row and "D" in row
    }


def gap_table(cook: Cook, neurons: Collection[str], distance: Callable[[str, str], float]) -> Table:
    """Gap junctions between neurons, each once; contacts of a cell with itself are left out."""
    rows = [(a, b, n, distance(a, b)) for a, b, n in cook.gap(neurons, neurons) if a < b]
    return Table.sorted("a,b,em_sections,distance_um", rows, _COOK_SOURCE)


def nmj_table(cook: Cook, neurons: Collection[str]) -> Table:
    """Neuromuscular junctions on body wall muscles."""
    return Table.sorted("pre,muscle,em_sections", cook.chemical(neurons, cook.muscles), _COOK_SOURCE)


def gap_muscle_table(cook: Cook) -> Table:
    """Gap junctions between body wall muscles, each once."""
    rows = (edge for edge in cook.gap(cook.muscles, cook.muscles) if edge[0] < edge[1])
    return Table.sorted("a,b,em_sections", rows, _COOK_SOURCE)


def gap_neuromuscular_table(cook: Cook, neurons: Collection[str]) -> Table:
    """Gap junctions between neurons and body wall muscles."""
    return Table.sorted("neuron,muscle,em_sections", cook.gap(neurons, cook.muscles), _COOK_SOURCE)
