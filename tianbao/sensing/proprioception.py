"""Stretch receptors: which parts of the body each motor neuron feels, and where on its neurites.

B neurons are excited by stretch of their own side behind their muscles, as in Boyle, Berri and Cohen 2012, and by
shortening of their own side in front of them, as Wen et al. 2012 found in the animal. A neurons are their mirror image.
SMD and RMD feel stretch of their own side in the head and neck. What the end of the body cuts off a cord neuron's main
field is felt by its other field instead, so that the last neurons of the cord follow those before them.
A B neuron gets used to a lasting bend of its main field, which resists bends that stay, and not to one of its opposite
field, which hands them on.
Fields are body coordinates, not neurite extents: the traced neurites of VB are too short (most likely cut off).
"""

from __future__ import annotations

import math
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
# No field reaches beyond these places, and none is shorter than that [L].
_NOSE, _TAIL, _SHORTEST = 0.02, 0.98, 0.06
_LEAST_KEPT = 0.3  # share of the opposite field that must lie on the body for it to be felt [-]


@dataclass(frozen=True)
class Field:
    """A stretch of body that a receptor feels.

    Attributes:
        start, end: of it [L].
        weight: share of the receptor's gain, negative where shortening of the own side excites [-].
    """

    start: float
    end: float
    weight: float


@dataclass(frozen=True)
class Receptor:
    """The receptor of one neuron.

    Attributes:
        neuron: name.
        fields: what it feels, the main field first.
        side: +1 for ventral, -1 for dorsal neurons: sign that turns kappa L into own-side stretch.
        gain: current per unit of mean kappa L [pA].
        sites: section, location and share of the current of every compartment it drives.
    """

    neuron: str
    fields: tuple[Field, ...]
    side: float
    gain: float
    sites: tuple[tuple[str, float, float], ...]

    def weights(self, positions: np.ndarray) -> np.ndarray:
        """Weights that turn kappa L at these body coordinates into stretch, shape (positions,)."""
        return sum(self._of(each, positions) for each in self.fields)

    def main_weights(self, positions: np.ndarray) -> np.ndarray:
        """Those of the first field alone."""
        return self._of(self.fields[0], positions)

    def _of(self, field: Field, positions: np.ndarray) -> np.ndarray:
        return self.side * field.weight * _mean_over(field.start, field.end, positions)


@dataclass(frozen=True)
class StretchField:
    """All receptors, and the matrices that turn curvature into their stretch.

    Attributes:
        receptors: one per stretch-sensitive neuron.
        weights: shape (receptors, positions); stretch = weights @ kappa_l.
        fading: the part of it that fades while a bend lasts, shape (receptors, positions).
        tau: time constant with which it fades [ms].
    """

    receptors: tuple[Receptor, ...]
    weights: np.ndarray
    fading: np.ndarray
    tau: float


class Proprioception:
    """What the receptors of a running worm feel of its bend, and what they have got used to."""

    def __init__(self, field: StretchField, tick: float) -> None:
        """
        Args:
            field: of the worm.
            tick: time between two calls of `adapt` [ms].
        """
        self._field = field
        self._used_to = np.zeros(len(field.receptors))
        self._renewed = -math.expm1(-tick / field.tau)

    def feel(self, bend: np.ndarray, out: np.ndarray) -> None:
        """Stretch of every receptor.

        Args:
            bend: kappa L at the positions, shape (positions,).
            out: filled [kappa L], shape (receptors,).
        """
        np.dot(self._field.weights, bend, out=out)
        out -= self._used_to

    def adapt(self, bend: np.ndarray) -> None:
        """Get used to this bend, for one tick."""
        self._used_to += self._renewed * (self._field.fading @ bend - self._used_to)

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that a run needs to go on."""
        return {"used_to": self._used_to.copy()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go back to a state."""
        self._used_to[:] = state["used_to"]


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
    shape = (len(receptors), len(positions))
    weights = np.array([each.weights(positions) for each in receptors]).reshape(shape)
    fades = [p.b_adaptation if neuron_class(each.neuron) in CORD_FORWARD else 0.0 for each in receptors]
    main = np.array([each.main_weights(positions) for each in receptors]).reshape(shape)
    return StretchField(receptors, weights, np.array(fades)[:, None] * main, p.b_adaptation_tau)


def _receptor(name: str, cell: CellGeometry, centroid: float | None, p: Parameters) -> Receptor:
    cls = neuron_class(name)
    side = -1.0 if cls in _DORSAL else 1.0
    if cls in HEAD:
        fields = (Field(*_clip(p.head_window_start, p.head_window_start + p.head_window_length), 1.0),)
        return Receptor(name, fields, side, p.head_stretch_gain, _sites(cell, np.ones(cell.compartments, dtype=bool)))
    # DA and VA neurons at the tail tip have no counted muscle: they stand where they are.
    centre = centroid if centroid is not None else float(np.median(cell.body.s))
    towards_tail = cls in CORD_FORWARD
    beyond = cell.body.s >= centre if towards_tail else cell.body.s <= centre
    fields = _cord_fields(centre, 1.0 if towards_tail else -1.0, p)
    return Receptor(name, fields, side, p.cord_stretch_gain + p.cord_opposite_gain, _sites(cell, beyond))


def _cord_fields(centre: float, along: float, p: Parameters) -> tuple[Field, ...]:
    """Main and opposite field of a cord neuron whose muscles are centred there; along is +1 towards the tail."""
    main, start, end = _window(centre, along, p.cord_window_offset, p.cord_window_length)
    other, *opposite = _window(centre, -along, p.cord_window_offset, p.cord_opposite_length)
    # What is cut off one field is felt by the other, so that every neuron has its full drive.
    gain, opposite_gain = p.cord_stretch_gain, p.cord_opposite_gain
    felt, followed = gain * main, opposite_gain + gain * (1.0 - main)
    if other < _LEAST_KEPT:
        felt, followed = gain, 0.0
    whole = max(gain + opposite_gain, 1e-12)
    return Field(start, end, felt / whole), Field(*opposite, -followed / whole)


def _window(centre: float, along: float, offset: float, length: float) -> tuple[float, float, float]:
    """How much of a window lies on the body [-], and its start and end there [L]."""
    ends = sorted((centre + along * offset, centre + along * (offset + length)))
    kept = max(min(ends[1], _TAIL) - max(ends[0], _NOSE), 0.0)
    return min(kept / length, 1.0), *_clip(*ends)


def _clip(start: float, end: float) -> tuple[float, float]:
    end = min(end, _TAIL)
    start = min(max(start, _NOSE), _TAIL - _SHORTEST)
    return start, max(end, start + _SHORTEST)


def _mean_over(start: float, end: float, positions: np.ndarray) -> np.ndarray:
    """Weights of the mean over a stretch, exact for stretches that end between two positions."""
    half = 0.5 * np.gradient(positions)
    cover = np.minimum(positions + half, end) - np.maximum(positions - half, start)
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
