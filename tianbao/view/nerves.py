"""The nervous system in a moving body: traced neurons, muscles and skin, placed along a midline."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from ..anatomy import BodyFrame, morphology, muscles, neurons
from ..anatomy.frame import BodyCoordinates
from ..body.mesh import radius_profile

# Dark at rest, bright when depolarised; distinct from the red and blue used for bends.
VOLTAGE = LinearSegmentedColormap.from_list(
    "voltage", ["#1c2352", "#3b5b9a", "#4f9c93", "#b5c25a", "#f3c13a", "#e8702a"]
)
UNRECORDED = "#b9b5ad"
_UM_PER_MM = 1000.0
# At both ends of the body the tracings extend slightly beyond its surface.
_INSIDE = 0.94


@dataclass(frozen=True, eq=False)
class Nerves:
    """Every neuron's traced points in the straightened body.

    Attributes:
        names: the neurons, alphabetical.
        at: body coordinates of all points, neuron after neuron.
        neuron: index into `names` of each point, shape (points,).
        radius: [um], shape (points,).
        segments: indices of the two ends of every piece of neurite, shape (segments, 2).
        somata: index of each neuron's soma among the points, shape (neurons,).
    """

    names: tuple[str, ...]
    at: BodyCoordinates = field(repr=False)
    neuron: np.ndarray = field(repr=False)
    radius: np.ndarray = field(repr=False)
    segments: np.ndarray = field(repr=False)
    somata: np.ndarray = field(repr=False)

    @property
    def segment_neuron(self) -> np.ndarray:
        """Index into `names` of each segment, shape (segments,)."""
        return self.neuron[self.segments[:, 1]]


@cache
def nerves() -> Nerves:
    """The 302 traced neurons, read once.

    Raises:
        AnatomyError: if a tracing or the body's midline is missing.
    """
    names = tuple(neurons().index)
    shapes = [morphology(name) for name in names]
    counts = [len(each.xyz) for each in shapes]
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(int)
    pieces = [
        start + np.column_stack([shape.parent[1:], np.arange(1, len(shape.xyz))])
        for start, shape in zip(starts, shapes, strict=True)
    ]
    return Nerves(
        names=names,
        at=within_skin(BodyFrame.standard().locate(np.concatenate([each.xyz for each in shapes]))),
        neuron=np.repeat(np.arange(len(names)), counts),
        radius=np.concatenate([each.radius for each in shapes]),
        segments=np.concatenate(pieces).astype(int),
        somata=starts,
    )


def within_skin(at: BodyCoordinates) -> BodyCoordinates:
    """The same positions, moved inwards where the tracing is wider than the body that is drawn."""
    reach = np.hypot(at.dorsal_um, at.right_um)
    limit = _INSIDE * _UM_PER_MM * radius_profile(at.s)
    inward = np.minimum(1.0, limit / np.maximum(reach, 1e-9))
    return BodyCoordinates(at.s, at.dorsal_um * inward, at.right_um * inward)


class Posture:
    """One frame of a worm as a map from the straightened body to world coordinates.

    Args:
        midline: head first [mm], shape (points, 3).
        dorsal: unit vectors towards dorsal, same shape; None for a worm that lies in the plane.
    """

    def __init__(self, midline: np.ndarray, dorsal: np.ndarray | None = None) -> None:
        from scipy.interpolate import CubicSpline

        midline = np.asarray(midline, float)
        knots = np.linspace(0.0, 1.0, len(midline))
        self._line = CubicSpline(knots, midline)
        # In the plane, dorsal is the cross product of the direction to the tail and up.
        side = np.cross(self._line(knots, 1), [0.0, 0.0, 1.0]) if dorsal is None else np.asarray(dorsal, float)
        self._side = CubicSpline(knots, side)

    def axes(self, s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Midline [mm] and unit vectors to dorsal and to the right at body coordinates, each of shape (n, 3)."""
        along = _unit(self._line(s, 1))
        dorsal = self._side(s)
        dorsal = _unit(dorsal - (dorsal * along).sum(axis=-1, keepdims=True) * along)
        return self._line(s), dorsal, np.cross(dorsal, along)

    def place(self, at: BodyCoordinates) -> np.ndarray:
        """Positions in world coordinates [mm], shape (n, 3)."""
        line, dorsal, right = self.axes(np.asarray(at.s, float))
        off = np.asarray(at.dorsal_um)[:, None] * dorsal + np.asarray(at.right_um)[:, None] * right
        return line + off / _UM_PER_MM


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def tube(s: np.ndarray, angle: np.ndarray, share: float = 1.0) -> BodyCoordinates:
    """Points of the skin, or of a layer under it, on a grid.

    Args:
        s: body coordinates, shape (n,).
        angle: around the body from dorsal, positive towards the right [rad], shape (m,).
        share: of the radius of the skin.

    Returns:
        Positions of the n x m grid, the angle varying fastest.
    """
    radius = share * _UM_PER_MM * radius_profile(s)
    across, round_ = np.repeat(radius, len(angle)), np.tile(angle, len(s))
    return BodyCoordinates(np.repeat(s, len(angle)), across * np.cos(round_), across * np.sin(round_))


def voltage_at(track, time: float) -> np.ndarray:
    """Soma voltage of the 302 neurons at a time, NaN for those not recorded.

    Args:
        track: a `WormTrack`.
        time: [ms]; the nearest sample is used.

    Returns:
        [mV], in the order of `nerves().names`, shape (302,).
    """
    listed = {name: k for k, name in enumerate(nerves().names)}
    values = np.full(len(listed), np.nan)
    if len(track.voltage_time):
        sample = int(np.argmin(np.abs(track.voltage_time - time)))
        for column, name in enumerate(track.neurons):
            if name in listed:
                values[listed[name]] = track.voltage[sample, column]
    return values


def voltage_range(track) -> tuple[float, float]:
    """Range of the colour scale [mV]: 1st to 99th percentile of all samples, at least 10 mV wide."""
    if not track.voltage.size or not np.isfinite(track.voltage).any():
        return -80.0, 0.0
    low, high = np.nanpercentile(track.voltage, [1.0, 99.0])
    spare = max(0.0, 0.5 * (10.0 - (high - low)))
    return float(low - spare), float(high + spare)


def muscle_activation_at(track, frame: int) -> np.ndarray:
    """Activation of the 95 muscles in a frame, NaN for those not recorded, in the order of the muscle table.

    Returns:
        [-], shape (95,).
    """
    columns = {name: k for k, name in enumerate(track.muscles)}
    row = track.muscle_activation[frame] if len(columns) else ()
    return np.array([row[columns[name]] if name in columns else np.nan for name in muscles().index], float)
