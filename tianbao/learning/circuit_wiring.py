"""Arrays of a circuit: its cells and connections out of a worm's design, and the same connections rewired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..cells.steady import input_resistance, rest_of
from ..cells.templates import Membrane
from ..errors import ConfigError, unknown
from ..network.design import NetworkDesign, with_avb_drive
from ..network.wiring import chemical_weights, gap_weights
from ..units import US_PER_NS

__all__ = ["CONTROLS", "cells", "rewired", "wired"]

CONTROLS = ("random", "degrees", "signs")
"""Rewired circuits of equal size: connections between any neurons; with the number of partners of each neuron kept;
only the signs dealt out anew."""
_SWAPS = 10  # tried per connection, after which a graph is taken as well mixed (Milo et al. 2003, from memory)


def wired(design: NetworkDesign, neurons: Sequence[str]) -> dict[str, np.ndarray]:
    """Connections among some neurons of a worm.

    Args:
        design: of the whole nervous system.
        neurons: names.

    Returns:
        chemical (peak conductance from row to column), gap [nS] and inhibitory (bool), shape (neurons, neurons).
    """
    p, capacitance, tables = design.parameters, design.capacitance, design.tables
    at, size = {name: k for k, name in enumerate(neurons)}, len(neurons)
    chemical, inhibitory, gap = np.zeros((size, size)), np.zeros((size, size), bool), np.zeros((size, size))
    table = tables.chemical
    weights = chemical_weights(table, capacitance, p, design.decision) / US_PER_NS
    for pre, post, sign, weight in zip(table.pre, table.post, table.sign, weights, strict=True):
        if pre in at and post in at:
            chemical[at[pre], at[post]], inhibitory[at[pre], at[post]] = weight, sign == "inhibitory"
    weights = gap_weights(tables.gap, tables.gap_totals, capacitance, p) / US_PER_NS
    for a, b, weight in zip(tables.gap.a, tables.gap.b, weights, strict=True):
        if a in at and b in at:
            gap[at[a], at[b]] = gap[at[b], at[a]] = weight
    return {"chemical": chemical, "inhibitory": inhibitory, "gap": gap}


def cells(design: NetworkDesign, neurons: Sequence[str]) -> dict[str, np.ndarray]:
    """What some neurons of a worm are as leaky cells.

    Args:
        design: of the whole nervous system.
        neurons: names.

    Returns:
        leak: slope of the steady current at rest [nS]; rest and release_half [mV]; capacitance [pF]; shape (neurons,).
    """
    membranes = [_linear(design, each) for each in neurons]
    releases = (design.release_half(each) for each in neurons)
    return {
        "leak": np.array([1.0 / input_resistance(each) for each in membranes]),
        "rest": np.array([rest_of(each) for each in membranes]),
        "capacitance": np.array([design.capacitance[each] for each in neurons]),
        "release_half": np.array([design.parameters.release_half if each is None else each for each in releases]),
    }


def _linear(design: NetworkDesign, neuron: str) -> Membrane:
    """The membrane whose rest and slope a leaky neuron has: with AVB's drive, without the plateau of a decision."""
    driven = with_avb_drive(design.membranes[neuron], design.capacitance[neuron], design.parameters, design.decision)
    if driven.axonal_nca is None:
        return driven
    return replace(driven, conductances={**driven.conductances, "nca": driven.axonal_nca})


def rewired(
    chemical: np.ndarray, inhibitory: np.ndarray, gap: np.ndarray, kind: str, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Connections rewired, each with the conductance that it had, and but for "signs" its sign.

    Args:
        chemical: peak conductance from row to column [nS], shape (neurons, neurons).
        inhibitory: whether each inhibits, shape (neurons, neurons).
        gap: conductance [nS], symmetric, shape (neurons, neurons).
        kind: one of `CONTROLS`.
        random: what draws.

    Returns:
        The same three.

    Raises:
        ConfigError: for an unknown kind.
    """
    if kind not in CONTROLS:
        raise ConfigError(unknown("control", kind, CONTROLS))
    pre, post = np.nonzero(chemical)
    if kind == "signs":
        dealt = np.zeros_like(inhibitory)
        dealt[pre, post] = random.permutation(inhibitory[pre, post])
        return chemical, dealt, gap
    places = _anywhere if kind == "random" else _swapped
    found = np.zeros_like(chemical), np.zeros_like(inhibitory), np.zeros_like(gap)
    at = places(pre, post, len(chemical), True, random)
    found[0][at], found[1][at] = chemical[pre, post], inhibitory[pre, post]
    a, b = np.nonzero(np.triu(gap))
    found[2][places(a, b, len(gap), False, random)] = gap[a, b]
    return found[0], found[1], found[2] + found[2].T


def _anywhere(pre, post, size: int, directed: bool, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """As many different pairs of neurons as there are connections, drawn evenly."""
    allowed = ~np.eye(size, dtype=bool) if directed else np.triu(np.ones((size, size), bool), 1)
    rows, columns = np.nonzero(allowed)
    drawn = random.choice(len(rows), len(pre), replace=False)
    return rows[drawn], columns[drawn]


def _swapped(pre, post, size: int, directed: bool, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The same connections after swaps of partners, which keep the number of partners of every neuron."""
    pairs = list(zip(pre.tolist(), post.tolist(), strict=True))
    known = set(pairs)
    for _ in range(_SWAPS * len(pairs)):
        first, second = random.integers(len(pairs), size=2)
        (a, b), (c, d) = pairs[first], pairs[second]
        if not directed and random.random() < 0.5:
            c, d = d, c
        new = [(a, d), (c, b)] if directed else [(min(a, d), max(a, d)), (min(c, b), max(c, b))]
        if a == d or c == b or new[0] == new[1] or known & set(new):
            continue
        known = (known - {pairs[first], pairs[second]}) | set(new)
        pairs[first], pairs[second] = new
    return tuple(np.array(pairs).T)
