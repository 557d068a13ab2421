"""The numbers that a fit of correlations may choose, from few for classes to one per synapse.

Every quantity is a sum over levels: a multiplier may have a number of its family and one of its own. So a set of few
numbers and one of thousands are the same fit with more or fewer levels. Bounds hold by construction.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from .. import anatomy
from ..errors import ConfigError
from .correlations import correlation_constants
from .spontaneous import Edge

_GROUPS = Path(__file__).with_name("correlation_groups.csv")
_CRAWLING, _DRIVING = ("A", "B", "D", "head bending"), "AVB"
QUANTITIES = ("multiplier", "loading", "private")


@dataclass(frozen=True, eq=False)
class Level:
    """Numbers of one kind that share one ridge and one rate.

    Attributes:
        quantity: one of `QUANTITIES`.
        name: of the level, such as "class".
        labels: of its numbers, length size.
        index: which of them each edge or neuron takes, shape (items,); -1 for none.
        ridge: cost of the square of one number [-].
        rate: largest step of one number, in its unit.
    """

    quantity: str
    name: str
    labels: tuple[str, ...]
    index: np.ndarray
    ridge: float
    rate: float

    @property
    def key(self) -> str:
        """Name in a table of all numbers."""
        return f"{self.quantity}/{self.name}"


@cache
def input_groups() -> dict[str, str]:
    """Group of every neuron that shares the strength of its inputs.

    Classes of correlation_groups.csv by role, all others by type, and the neurons of the pharynx together.
    """
    with open(_GROUPS, newline="", encoding="utf-8") as lines:
        of_class = {cls: row["group"] for row in csv.DictReader(lines) for cls in row["classes"].split()}
    table = anatomy.neurons()
    if strays := set(of_class) - set(table["class"]):
        raise ConfigError(f"correlation_groups.csv: '{min(strays)}' is no class of neurons")
    return {
        name: of_class.get(row["class"], "pharynx" if row["pharyngeal"] else _type(row["type"]))
        for name, row in table.iterrows()
    }


def _type(word: str) -> str:
    return "interneuron" if word == "unknown" else word  # CAN makes no synapse


@cache
def _types() -> dict[str, str]:
    """Type of every neuron."""
    return {name: _type(word) for name, word in anatomy.neurons()["type"].items()}


def family(edge: Edge) -> str:
    """Connections that share a gain: by kind, sign and the types of both neurons."""
    pre, post = _types()[edge.pre], _types()[edge.post]
    if edge.kind == "gap":
        pre, post = sorted((pre, post))
    return " ".join(filter(None, (edge.kind, edge.sign, f"{pre}-{post}")))


def of_the_crawl(edge: Edge) -> bool:
    """Whether both neurons of a connection belong to the circuit of the crawl.

    That is AVB with the motor neurons of the cord and of head bends, whose class gains were fitted to the gait.
    """
    return all(
        input_groups()[each] in _CRAWLING or anatomy.neuron_class(each) == _DRIVING for each in (edge.pre, edge.post)
    )


def _level(quantity: str, name: str, labels: Sequence[Hashable], ridge: float, rate: float) -> Level:
    """A level with one number per label; none for a label None."""
    numbers: dict[Hashable, int] = {}
    index = np.array([-1 if label is None else numbers.setdefault(label, len(numbers)) for label in labels])
    return Level(quantity, name, tuple(map(str, numbers)), index, ridge, rate)


def class_levels(edges: Sequence[Edge], neurons: Sequence[str], hold: bool = False) -> tuple[Level, ...]:
    """Set A: a gain per family of connections, and strengths of inputs per group of neurons.

    Args:
        edges, neurons: of the brain.
        hold: whether connections of the crawl keep their strength.
    """
    groups = [input_groups()[name] for name in neurons]
    families = [None if hold and of_the_crawl(each) else family(each) for each in edges]
    return (
        _level("multiplier", "family", families, 1e-4, 0.03),
        _level("loading", "group", groups, 1e-6, 0.1),
        _level("private", "group", groups, 1e-4, 0.03),
    )


def synapse_levels(edges: Sequence[Edge], neurons: Sequence[str], hold: bool = False) -> tuple[Level, ...]:
    """Set B: set A, a multiplier per connection, and strengths of inputs per class and per neuron.

    What a neuron has of its own costs more than what its class has, so that the neurons of a class stay alike unless
    the data ask for more.

    Args:
        edges, neurons: of the brain.
        hold: whether connections of the crawl keep their strength.
    """
    classes = [anatomy.neuron_class(name) for name in neurons]
    own = [
        None if hold and of_the_crawl(each) else f"{each.kind} {each.pre}-{each.post} {each.sign}" for each in edges
    ]
    return (
        *class_levels(edges, neurons, hold),
        _level("multiplier", "edge", own, 2e-5, 0.05),
        _level("loading", "class", classes, 2e-6, 0.1),
        _level("loading", "neuron", list(neurons), 1e-5, 0.1),
        _level("private", "neuron", list(neurons), 1e-4, 0.03),
    )


LEVELS = {"classes": class_levels, "synapses": synapse_levels}
"""Levels of each set, by its name."""


@dataclass(frozen=True, eq=False)
class Values:
    """What a fit gives to a brain.

    Attributes:
        multipliers: of every edge [-], shape (edges,).
        loadings: of the common inputs onto every neuron [pA], shape (neurons, inputs).
        private: standard deviation of the input of its own [pA], shape (neurons,).
    """

    multipliers: np.ndarray
    loadings: np.ndarray
    private: np.ndarray

    def current(self, common: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Currents [pA] of shape (ticks, neurons) from processes of variance 1, shared and of each neuron's own."""
        return common @ self.loadings.T + own * self.private


class Numbers:
    """All numbers of a fit, and what they stand for.

    Args:
        levels: see `LEVELS`.
        inputs: how many common inputs there are.

    Attributes:
        arrays: by `Level.key`, shape (size,), or (size, inputs) for loadings.
    """

    def __init__(self, levels: Sequence[Level], inputs: int) -> None:
        self.levels, self.inputs = tuple(levels), inputs
        shape = {"loading": (inputs,)}
        self.arrays = {each.key: np.zeros((len(each.labels), *shape.get(each.quantity, ()))) for each in levels}

    @property
    def count(self) -> int:
        """How many numbers there are."""
        return sum(each.size for each in self.arrays.values())

    def start(self, seed: int, given: Mapping[str, np.ndarray] | None = None) -> Numbers:
        """Begin with multipliers of 1 and small random loadings of the first level, or with given numbers; itself."""
        first = next(each for each in self.levels if each.quantity == "loading")
        drawn = np.random.default_rng(seed).normal(size=self.arrays[first.key].shape)
        self.arrays[first.key][:] = correlation_constants()["loading_start"] * drawn
        for key, array in (given or {}).items():
            if key in self.arrays:
                self.arrays[key][:] = array
        return self

    def _sums(self) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for level in self.levels:
            part = self.arrays[level.key][level.index]
            part[level.index < 0] = 0.0
            found[level.quantity] = found[level.quantity] + part if level.quantity in found else part
        return found

    def values(self) -> Values:
        """What the numbers stand for."""
        sums, c = self._sums(), correlation_constants()
        most, largest = math.log(c["multiplier_most"]), c["loading_most"]
        return Values(
            np.exp(most * np.tanh(sums["multiplier"] / most)),
            largest * np.tanh(sums["loading"] / largest),
            c["private_start"] * np.exp(most * np.tanh(sums["private"] / most)),
        )

    def penalty(self) -> tuple[float, dict[str, np.ndarray]]:
        """Cost of the distance from the start, and its derivative."""
        cost = sum(each.ridge * float((self.arrays[each.key] ** 2).sum()) for each in self.levels)
        return cost, {each.key: 2.0 * each.ridge * self.arrays[each.key] for each in self.levels}

    def gradient(self, multipliers: np.ndarray, loadings: np.ndarray, private: np.ndarray) -> dict[str, np.ndarray]:
        """Derivatives with respect to all numbers from those with respect to `values`, in the same shapes."""
        sums, values, c = self._sums(), self.values(), correlation_constants()
        most, largest = math.log(c["multiplier_most"]), c["loading_most"]
        bars = {
            "multiplier": multipliers * values.multipliers * (1.0 - np.tanh(sums["multiplier"] / most) ** 2),
            "loading": loadings * (1.0 - np.tanh(sums["loading"] / largest) ** 2),
            "private": private * values.private * (1.0 - np.tanh(sums["private"] / most) ** 2),
        }
        found = {key: np.zeros_like(array) for key, array in self.arrays.items()}
        for level in self.levels:
            some = level.index >= 0
            np.add.at(found[level.key], level.index[some], bars[level.quantity][some])
        return found
