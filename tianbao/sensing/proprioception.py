"""Stretch receptors: which stretch of body each motor neuron feels, and where it feels it.

A stretched own side depolarises. B neurons feel the body behind their muscles, A neurons the
body in front of theirs, SMD and RMD the neck. Windows are body coordinates, not neurite extents:
the traced neurites of VB are too short (most likely truncated tracings).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..anatomy import neuron_class
from ..cells.geometry import CellGeometry
from ..parameters import Parameters

CORD_FORWARD = ("DB", "VB")
CORD_BACKWARD = ("DA", "VA")
HEAD = ("SMDD", "SMDV", "RMDD", "RMDV")

_DORSAL = ("DB", "DA", "SMDD", "RMDD")
# Windows are clipped to the body but never shorter than this [L].
_NOSE, _TAIL, _SHORTEST = 0.02, 0.98, 0.06


@dataclass(frozen=True)
class Receptor:
    """The receptor of one neuron.

    Attributes:
        neuron: name.
        window: start and end of the receptive window [L].
        side: +1 for ventral, -1 for dorsal neurons: sign that turns kappa L into own-side stretch.
        gain: current per unit of mean kappa L [pA].
        sites: section, location and share of the current of every compartment it drives.
    """

    neuron: str
    window: tuple[float, float]
    side: float
    gain: float
    sites: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True)
class StretchField:
    """All receptors, and the matrix that turns curvature into their stretch.

    Attributes:
        receptors: one per stretch-sensitive neuron.
        weights: shape (receptors, positions); stretch = weights @ kappa_l.
    """

    receptors: tuple[Receptor, ...]
    weights: np.ndarray


def nmj_centroids(nmj: pd.DataFrame, muscles: pd.DataFrame) -> dict[str, float]:
    """Mean body coordinate of the muscles of each neuron, weighted by EM sections."""
    s = muscles.s.loc[nmj.muscle].to_numpy()
    weighted = (nmj.em_sections * s).groupby(nmj.pre).sum() / nmj.em_sections.groupby(nmj.pre).sum()
    return weighted.to_dict()


def stretch_field(
    cells: Mapping[str, CellGeometry],
    centroids: Mapping[str, float],
    positions: np.ndarray,
    p: Parameters,
) -> StretchField:
    """Receptors of every B, A, SMD and RMD neuron.

    Args:
        cells: geometry of the neurons, by name.
        centroids: body coordinate of each neuron's muscles.
        positions: body coordinates at which the body reports kappa L, shape (positions,).
        p: windows and gains.
    """
    receptors = tuple(
        _receptor(name, cells[name], centroids.get(name), p)
        for name in cells
        if neuron_class(name) in CORD_FORWARD + CORD_BACKWARD + HEAD
    )
    weights = np.array([each.side * _mean_over(each.window, positions) for each in receptors])
    return StretchField(receptors, weights.reshape(len(receptors), len(positions)))


def _receptor(name: str, cell: CellGeometry, centroid: float | None, p: Parameters) -> Receptor:
    cls = neuron_class(name)
    # DA and VA neurons at the tail tip have no counted muscle: they stand where they are.
    centre = centroid if centroid is not None else float(np.median(cell.body.s))
    near, far = p.cord_window_offset, p.cord_window_offset + p.cord_window_length
    if cls in HEAD:
        window = (p.head_window_start, p.head_window_start + p.head_window_length)
        beyond = np.ones(cell.compartments, dtype=bool)
    elif cls in CORD_FORWARD:
        window, beyond = (centre + near, centre + far), cell.body.s >= centre
    else:
        window, beyond = (centre - far, centre - near), cell.body.s <= centre
    gain = p.head_stretch_gain if cls in HEAD else p.cord_stretch_gain
    side = -1.0 if cls in _DORSAL else 1.0
    return Receptor(name, _clip(*window), side, gain, _sites(cell, beyond))


def _clip(start: float, end: float) -> tuple[float, float]:
    end = min(end, _TAIL)
    start = min(max(start, _NOSE), _TAIL - _SHORTEST)
    return start, max(end, start + _SHORTEST)


def _mean_over(window: tuple[float, float], positions: np.ndarray) -> np.ndarray:
    """Weights of the mean over a window, exact for windows that end between two positions."""
    half = 0.5 * np.gradient(positions)
    cover = np.minimum(positions + half, window[1]) - np.maximum(positions - half, window[0])
    cover = np.clip(cover, 0.0, None)
    return cover / cover.sum()


def _sites(cell: CellGeometry, beyond: np.ndarray) -> tuple[tuple[str, float, float], ...]:
    """The neurite on the window's side of the muscles, its current shared by membrane area.

    Sites do not depend on the window's length, so that a re-tuned network equals a new one.
    """
    neurite = ~cell.is_soma
    chosen = np.flatnonzero(neurite & beyond) if (neurite & beyond).any() else np.flatnonzero(neurite)
    area = cell.compartment_areas[chosen]
    share = area / area.sum()
    return tuple((*cell.sites[k], float(part)) for k, part in zip(chosen, share, strict=True))
