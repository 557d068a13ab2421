"""What the soma feels of a neuron's neurites: the steady input conductance of a passive tree.

Active channels are in the soma and the rest of the cell is linear, so that resting potential and input resistance of
the whole cell are those of one compartment whose leak is what the soma feels of it.
"""

from __future__ import annotations

import math

import numpy as np

from .geometry import Cable, CellGeometry, constants

_GOHM = 1e-5  # of ohm cm / um


def input_conductance(cell: CellGeometry, total: float) -> float:
    """Steady conductance from the soma to the outside through a leak that covers the whole membrane evenly [nS].

    The soma counts as one compartment.

    Args:
        cell: sections and compartments.
        total: of the leak [nS]; the result is smaller, by what the axial resistance keeps from the soma.
    """
    at_end = dict.fromkeys((cable.name for cable in cell.cables), 0.0)
    soma = cell.cables[0]
    for cable in reversed(cell.cables[1:]):
        felt, halves = at_end[cable.name], _half_resistances(cable)
        leaks = total * cable.areas() / cell.area
        for k in range(cable.compartments - 1, -1, -1):
            felt = leaks[k] + felt / (1.0 + felt * halves[2 * k + 1])
            felt /= 1.0 + felt * halves[2 * k]
        at_end[cable.parent] += felt
    return at_end[soma.name] + total * soma.lateral_area() / cell.area


def _half_resistances(cable: Cable) -> np.ndarray:
    """Axial resistance of the proximal and distal half of every compartment [GOhm], shape (2 compartments,)."""
    cuts = np.linspace(0.0, cable.length, 2 * cable.compartments + 1)
    knots = np.union1d(cuts, cable.arc)
    radii = np.interp(knots, cable.arc, cable.points[:, 3]) / 2.0
    frusta = constants()["axial_resistivity"] * np.diff(knots) / (math.pi * radii[1:] * radii[:-1])
    middle = (knots[1:] + knots[:-1]) / 2.0
    inside = np.clip(np.searchsorted(cuts, middle) - 1, 0, 2 * cable.compartments - 1)
    return _GOHM * np.bincount(inside, frusta, 2 * cable.compartments)
