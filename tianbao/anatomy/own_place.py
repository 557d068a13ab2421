"""Where a user's cell lies compared with the traced one: elsewhere, mirrored, or with other axes.

Archives such as NeuroMorpho put the soma at the origin and turn cells as they like; read in the frame of the tracings,
such a cell would meet other partners. It is refused, with what would put it in place.
"""

from __future__ import annotations

import itertools
import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import AnatomyError
from .morphology import Morphology, morphology

log = logging.getLogger(__name__)

DISPLACED = "displaced on purpose"
"""A comment of an SWC file that accepts a cell which lies elsewhere, such as a neuron that failed to migrate."""

# Somata of one neuron differ by up to about 40 um between animals, along the ventral cord.
_FARTHEST_SOMA = 50.0  # [um]
# A cell whose axes are changed fits the traced one at least four times better once they are changed back. Tracings of
# left and right neurons, mirrored, differ by less than 5 um on average.
_WELL, _BETTER = 1.5, 0.25  # [um], [-]
_MOST_POINTS = 400
_AXES = "xyz"


class Place(NamedTuple):
    """A cell beside the traced one of the same neuron.

    Attributes:
        soma: distance of the two somata [um].
        points: mean distance of its points to the nearest traced one, and of those to the nearest of its own [um].
    """

    soma: float
    points: float


def place_of(cell: Morphology) -> Place:
    """Where a cell lies compared with the traced one."""
    traced = morphology(cell.name)
    soma = float(np.linalg.norm(cell.soma - traced.soma))
    return Place(soma, _misfit(_some(cell.xyz), _some(traced.xyz)))


def check_against_traced(path: Path, cell: Morphology, declared: bool) -> None:
    """Refuse a cell that lies elsewhere than the traced one, or has other axes.

    Args:
        path: of its file, for messages.
        cell: as read.
        declared: whether its file says that it lies elsewhere on purpose.

    Raises:
        AnatomyError: if it does and does not say so; the message says what would put it in place.
    """
    place = place_of(cell)
    axes = _axes(cell) if place.points > _WELL else ""
    if place.soma <= _FARTHEST_SOMA and not axes:
        return
    x, y, z = morphology(cell.name).soma - cell.soma
    found = f"{path.name}: its soma lies {place.soma:.0f} um from where {cell.name}'s is traced"
    if axes:
        found += f", and its axes differ: {axes} would fit the traced cell"
    centred = "; it is centred on its soma, as files of NeuroMorpho are" if np.abs(cell.soma).max() < 1.0 else ""
    if declared:
        log.warning("%s; it is used as it is, because it is %s", found, DISPLACED)
        return
    cure = f"then put its soma at {_point(morphology(cell.name).soma)} um" if axes else f"add {_point((x, y, z))} um"
    raise AnatomyError(
        f"{found}{centred}; {cure}{'' if axes else ' to every point'}, or write the comment '# {DISPLACED}' into it"
    )


def _point(values) -> str:
    return "(" + ", ".join(f"{value:.1f}" for value in values) + ")"


def _axes(cell: Morphology) -> str:
    """The change of axes with which a cell fits the traced one far better than without, its soma in place; or ""."""
    traced = morphology(cell.name)
    mine, theirs = _some(cell.xyz) - cell.soma, _some(traced.xyz) - traced.soma
    as_it_is = min(_misfit(mine, theirs), _misfit(_some(cell.xyz), _some(traced.xyz)))
    best, words = as_it_is, ""
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            misfit = _misfit(mine[:, order] * signs, theirs)
            if misfit < best:
                signed = (("-" if sign < 0.0 else "") + _AXES[axis] for sign, axis in zip(signs, order, strict=True))
                best, words = misfit, f"({', '.join(signed)}) as (x, y, z)"
    return words if as_it_is > _WELL and best < _BETTER * as_it_is else ""


def _some(points: np.ndarray) -> np.ndarray:
    """At most so many of the points, spread over the file."""
    step = max(1, -(-len(points) // _MOST_POINTS))
    return np.asarray(points)[::step]


def _misfit(points: np.ndarray, traced: np.ndarray) -> float:
    """Mean distance [um] from points of one cell to the nearest of the other, either way."""
    squares = ((points[:, None, :] - traced[None, :, :]) ** 2).sum(axis=-1)
    return 0.5 * float(np.sqrt(squares.min(axis=1)).mean() + np.sqrt(squares.min(axis=0)).mean())
