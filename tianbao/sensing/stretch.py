"""Stretch receptors: which parts of the body each motor neuron senses, and where on its neurites.

B neurons are excited by stretch of their own side behind their muscles, as in Boyle, Berri and Cohen 2012, and by
shortening of their own side in front of them, as Wen et al. 2012 found in the animal. A neurons are their mirror image.
SMD and RMD sense stretch of their own side in the head and neck. The part of a cord neuron's main field that would lie
beyond the end of the body is added to its other field, so that the last neurons of the cord follow those before them.
A B neuron adapts to a lasting bend of its main field, which resists bends that stay, and not to one of its opposite
field, which passes them on. What each class senses is a row of stretch.csv.
Fields are body coordinates, not neurite extents: the traced neurites of VB are too short (most likely cut off).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from ..anatomy import neuron_class, neurons
from ..cells.geometry import CellGeometry
from ..errors import ConfigError, unknown
from ..parameters import Parameters
from ..rows import read_rows
from .sense import Seen

TABLE = Path(__file__).with_name("stretch.csv")

_SIDES = {"dorsal": -1.0, "ventral": 1.0}  # sign that turns kappa L into stretch of the own side
_DIRECTIONS = {"cord": {"posterior": 1.0, "anterior": -1.0}, "head": {"": 0.0}}
_ADAPTS = {"yes": True, "no": False}
# No field reaches beyond these places, and none is shorter than that [L].
_NOSE, _TAIL, _SHORTEST = 0.02, 0.98, 0.06
_LEAST_KEPT = 0.3  # share of the opposite field that must lie on the body for it to be sensed [-]


@dataclass(frozen=True)
class StretchClass:
    """How the neurons of one class sense stretch: a row of stretch.csv.

    Attributes:
        group: "cord" or "head", which share windows and gains.
        side: +1 for ventral, -1 for dorsal neurons.
        along: +1 where the main field lies towards the tail from the muscles, -1 towards the head, 0 in the head.
        adapts: whether a lasting bend of the main field fades.
    """

    group: str
    side: float
    along: float
    adapts: bool


@cache
def stretch_classes(path: Path = TABLE) -> dict[str, StretchClass]:
    """Class of neurons -> how it senses stretch.

    Raises:
        ConfigError: for an unknown class, group, side or direction, or a class with two rows.
    """
    known, found = set(neurons()["class"]), {}
    for where, row in read_rows(path):
        cls, group = row["class"], row["group"]
        choices = {"class": known, "group": _DIRECTIONS, "side": _SIDES, "adapts": _ADAPTS}
        choices["direction"] = _DIRECTIONS.get(group, {})
        for column, choice in choices.items():
            if row[column] not in choice:
                raise ConfigError(f"{where}: {unknown(column, row[column], choice)}")
        if cls in found:
            raise ConfigError(f"{where}: class {cls} has two rows")
        along = _DIRECTIONS[group][row["direction"]]
        found[cls] = StretchClass(group, _SIDES[row["side"]], along, _ADAPTS[row["adapts"]])
    return found


@dataclass(frozen=True)
class ReceptiveField:
    """A part of the body that a receptor senses.

    Attributes:
        start, end: of it [L].
        weight: share of the receptor's gain, negative where shortening of the own side excites [-].
    """

    start: float
    end: float
    weight: float


@dataclass(frozen=True)
class StretchReceptor:
    """The receptor of one neuron.

    Attributes:
        neuron: name.
        fields: what it senses, the main field first.
        side: +1 for ventral, -1 for dorsal neurons: sign that turns kappa L into own-side stretch.
        gain: current per unit of mean kappa L [pA].
        sites: section, location and share of the current of every compartment it drives.
    """

    neuron: str
    fields: tuple[ReceptiveField, ...]
    side: float
    gain: float
    sites: tuple[tuple[str, float, float], ...]

    def weights(self, positions: np.ndarray) -> np.ndarray:
        """Weights that turn kappa L at these body coordinates into stretch, shape (positions,)."""
        return sum(self._of(each, positions) for each in self.fields)

    def main_weights(self, positions: np.ndarray) -> np.ndarray:
        """Those of the first field alone."""
        return self._of(self.fields[0], positions)

    def _of(self, field: ReceptiveField, positions: np.ndarray) -> np.ndarray:
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

    receptors: tuple[StretchReceptor, ...]
    weights: np.ndarray
    fading: np.ndarray
    tau: float


class StretchSense:
    """The `Sense` of bend: stretch of every receptor, less the lasting part to which it has adapted.

    Attributes:
        name: "stretch".
        receptors: in the order of the input.
        renewed: share of the way to its bend that a receptor adapts in a tick [-].
    """

    name = "stretch"

    def __init__(self, field: StretchField, tick: float) -> None:
        """
        Args:
            field: of the worm.
            tick: time between two calls of `adapt` [ms].
        """
        self.receptors = field.receptors
        self._field = field
        self._adapted = np.zeros(len(field.receptors))
        self.renewed = -math.expm1(-tick / field.tau)

    def write(self, seen: Seen, out: np.ndarray) -> None:
        """Stretch of every receptor.

        Args:
            seen: of which the bend is read.
            out: filled [kappa L], shape (receptors,).
        """
        np.dot(self._field.weights, seen.bend, out=out)
        out -= self._adapted

    def adapt(self, seen: Seen) -> None:
        """Adapt to this bend for one tick."""
        self._adapted += self.renewed * (self._field.fading @ seen.bend - self._adapted)

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that `adapt` changes."""
        return {"adapted": self._adapted.copy()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore a state."""
        self._adapted[:] = state["adapted"]


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
    """Receptors of every neuron of a class in stretch.csv.

    Args:
        cells: geometry of the neurons, by name.
        centroids: body coordinate of each neuron's muscles.
        positions: body coordinates at which the body reports kappa L, shape (positions,).
        p: windows and gains.
    """
    classes = stretch_classes()
    sensing = {name: classes[neuron_class(name)] for name in cells if neuron_class(name) in classes}
    receptors = tuple(_receptor(name, cls, cells[name], centroids.get(name), p) for name, cls in sensing.items())
    shape = (len(receptors), len(positions))
    weights = np.array([each.weights(positions) for each in receptors]).reshape(shape)
    fades = [p.b_adaptation if cls.adapts else 0.0 for cls in sensing.values()]
    main = np.array([each.main_weights(positions) for each in receptors]).reshape(shape)
    return StretchField(receptors, weights, np.array(fades)[:, None] * main, p.b_adaptation_tau)


def _receptor(
    name: str, cls: StretchClass, cell: CellGeometry, centroid: float | None, p: Parameters
) -> StretchReceptor:
    if cls.group == "head":
        fields = (ReceptiveField(*_clip(p.head_window_start, p.head_window_start + p.head_window_length), 1.0),)
        everywhere = np.ones(cell.compartments, dtype=bool)
        return StretchReceptor(name, fields, cls.side, p.head_stretch_gain, _sites(cell, everywhere))
    # DA and VA neurons at the tail tip have no counted muscle: they stand where they are.
    centre = centroid if centroid is not None else float(np.median(cell.body.s))
    beyond = cell.body.s >= centre if cls.along > 0.0 else cell.body.s <= centre
    fields = _cord_fields(centre, cls.along, p)
    return StretchReceptor(name, fields, cls.side, p.cord_stretch_gain + p.cord_opposite_gain, _sites(cell, beyond))


def _cord_fields(centre: float, along: float, p: Parameters) -> tuple[ReceptiveField, ...]:
    """Main and opposite field of a cord neuron whose muscles are centred there; along is +1 towards the tail."""
    main, start, end = _window(centre, along, p.cord_window_offset, p.cord_window_length)
    other, *opposite = _window(centre, -along, p.cord_window_offset, p.cord_opposite_length)
    # What is cut off one field is added to the other, so that every neuron has its full drive.
    gain, opposite_gain = p.cord_stretch_gain, p.cord_opposite_gain
    own, following = gain * main, opposite_gain + gain * (1.0 - main)
    if other < _LEAST_KEPT:
        own, following = gain, 0.0
    whole = max(gain + opposite_gain, 1e-12)
    return ReceptiveField(start, end, own / whole), ReceptiveField(*opposite, -following / whole)


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
