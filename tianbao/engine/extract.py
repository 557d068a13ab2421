"""A network as arrays and names, without NEURON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .layout import Forest


@dataclass(frozen=True)
class Instances:
    """All instances of one kind, as numbers.

    Attributes:
        kind: name of the kind, see `Kind.name`.
        values: instance value name -> array, shape (n,).
        node: node of each, shape (n,).
        partner: node of each one's partner, empty where there is none.
        external: index of each one's pointer, empty where there is none.
        concentration: initial value of each concentration that they read and do not own [mM], by name, shape (n,).
    """

    kind: str
    values: dict[str, np.ndarray]
    node: np.ndarray
    partner: np.ndarray
    external: np.ndarray
    concentration: dict[str, np.ndarray]

    def reordered(self, rows: np.ndarray) -> Instances:
        """The same instances in another order."""
        return Instances(
            self.kind,
            {name: each[rows] for name, each in self.values.items()},
            *(each[rows] if len(each) else each for each in (self.node, self.partner, self.external)),
            {name: each[rows] for name, each in self.concentration.items()},
        )


@dataclass(frozen=True)
class Extract:
    """A network as arrays and names only: it can be pickled, copied and run without NEURON.

    Attributes:
        forest: its trees.
        leak_conductance: passive conductance of each node [uS].
        leak_current: passive conductance times reversal [nA].
        instances: by kind, in the order of the kinds.
        clamps: node, amplitude [nA], start, stop [ms] of every IClamp, shape (clamps, 4).
        shared: values that all instances of a mechanism share, by "name_SUFFIX", and `celsius`.
        external: length of the vector that POINTERs read.
    """

    forest: Forest
    leak_conductance: np.ndarray
    leak_current: np.ndarray
    instances: tuple[Instances, ...]
    clamps: np.ndarray
    shared: dict[str, float]
    external: int


@dataclass(frozen=True)
class NervousSystem:
    """A worm's nervous system without NEURON: arrays only, so that it can be kept and sent elsewhere.

    Attributes:
        extract: its network.
        cell: cell of every node of the extract, neurons before muscles, shape (nodes,).
        soma: node of every soma, shape (neurons,).
        clamp: place among the current clamps of the extract of every neuron's, shape (neurons,).
        muscle: place among the instances of muscle_activation of every muscle's, shape (95,).
    """

    extract: Extract
    cell: np.ndarray
    soma: np.ndarray
    clamp: np.ndarray
    muscle: np.ndarray


def evaluate(graph, node: int, values: Mapping[str, np.ndarray], size: int) -> np.ndarray:
    """Value of an expression for arrays of symbols, shape (size,)."""
    operations = {
        "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "neg": np.negative, "<": np.less,
        "<=": np.less_equal, "==": np.equal, "&&": np.logical_and, "||": np.logical_or, "!": np.logical_not,
        "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "tanh": np.tanh, "sin": np.sin, "cos": np.cos,
        "fabs": np.abs, "floor": np.floor, "pow": np.power, "select": np.where,
    }  # fmt: skip
    known: dict[int, np.ndarray] = {}
    for each in graph.order([node]):
        entry = graph.entries[each]
        if entry[0] == "number":
            known[each] = np.full(size, entry[1])
        elif entry[0] == "symbol":
            known[each] = values[entry[2]]
        else:
            known[each] = operations[entry[0]](*(known[a] for a in entry[1:])).astype(float)
    return known[node]
