"""The worm in three dimensions: skin, muscles and neurons as surfaces and lines that move with a recording."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..anatomy import muscles
from ..anatomy.frame import BodyCoordinates
from ..body.mesh import radius_profile
from ..errors import OutputError
from ..recorded import RecordedRun
from .nerves import Posture, muscle_activation_at, nerves, tube, voltage_at

_ALONG, _AROUND = 121, 28
_MUSCLE_ALONG, _MUSCLE_AROUND = 6, 9
# Angle that a muscle spans around the body, and its distance from the axis in radii.
_MUSCLE_ANGLE = np.radians(52.0)
_MUSCLE_DEPTH = 0.97
_MUSCLE_GAP = 0.06
_SPHERE = (8, 6)
_LEAST_SOMA_UM = 1.1
_AHEAD_MM = 0.03


@dataclass(frozen=True, eq=False)
class Patch:
    """A surface of quadrilaterals whose points move.

    Attributes:
        at: positions in the straightened body.
        quads: indices of corners, shape (quads, 4).
        owner: the muscle that each point belongs to; zeros for the skin, shape (points,).
    """

    at: BodyCoordinates
    quads: np.ndarray
    owner: np.ndarray

    def placed(self, posture: Posture) -> tuple[np.ndarray, np.ndarray]:
        """Points in the world [mm] and unit vectors out of the body there, each of shape (points, 3)."""
        points = posture.place(self.at)
        out = points - posture.place(BodyCoordinates(self.at.s, 0.0 * self.at.s, 0.0 * self.at.s))
        return points, out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)


class Animal:
    """One recorded worm; arrays of points are those of the given frame.

    Attributes:
        name: such as "worm 0".
        time: of the frames with a posture [ms], shape (frames,).

    Args:
        recording: of a run.
        worm: number of the worm.

    Raises:
        ConfigError: if there is no such worm.
        OutputError: if the recording contains no frame with a posture.
    """

    def __init__(self, recording: RecordedRun, worm: int = 0) -> None:
        self._track = recording.track(worm)
        self.name = f"worm {worm}"
        known = np.isfinite(self._track.midline).all(axis=(1, 2)) if len(recording.time) else np.zeros(0, bool)
        if not known.any():
            raise OutputError("view: the recording contains no frame with a posture; run the simulation for longer")
        self._known = np.flatnonzero(known)
        self.time = recording.time[self._known]

    @property
    def frames(self) -> int:
        """Number of frames with a posture."""
        return len(self._known)

    def nearest(self, time: float) -> int:
        """The frame nearest to a time [ms]."""
        return int(np.argmin(np.abs(self.time - time)))

    def posture(self, frame: int) -> Posture:
        """Map from the straightened body to world coordinates in a frame."""
        k, track = self._known[frame], self._track
        return Posture(track.midline[k], None if track.dorsal is None else track.dorsal[k])

    def line(self, frame: int) -> np.ndarray:
        """The midline [mm], head first, shape (points, 3)."""
        return self._track.midline[self._known[frame]]

    def middle(self, frame: int) -> np.ndarray:
        """Centre of the midline [mm], shape (3,)."""
        return self.line(frame).mean(axis=0)

    def ahead(self, frame: int) -> np.ndarray:
        """A point just in front of the nose [mm], shape (3,)."""
        line = self.line(frame)
        inward = line[0] - line[min(3, len(line) - 1)]
        return line[0] + _AHEAD_MM * inward / max(float(np.linalg.norm(inward)), 1e-12)

    def voltage(self, frame: int) -> np.ndarray:
        """Soma voltage of the 302 neurons [mV], NaN for those not recorded."""
        return voltage_at(self._track, self.time[frame])

    def activation(self, frame: int) -> np.ndarray:
        """Activation of the 95 muscles [-], NaN for those not recorded."""
        return muscle_activation_at(self._track, self._known[frame])

    @cached_property
    def skin(self) -> Patch:
        """The closed surface of the body."""
        s = 0.5 - 0.5 * np.cos(np.linspace(0.0, np.pi, _ALONG))
        angle = np.linspace(0.0, 2.0 * np.pi, _AROUND, endpoint=False)
        at = tube(s, angle)
        # The tips close like a quarter ellipse; the mesh of the model has blunt ends.
        inward = np.clip(np.minimum(at.s, 1.0 - at.s) / 0.008, 0.0, 1.0)
        closing = np.sqrt(1.0 - (1.0 - inward) ** 2)
        at = BodyCoordinates(at.s, at.dorsal_um * closing, at.right_um * closing)
        return Patch(at, _quads(_ALONG, _AROUND, closed=True), np.zeros(len(at.s), int))

    @cached_property
    def muscle(self) -> Patch:
        """All 95 muscles as patches under the skin, each in its row and quadrant."""
        places, quads, owners = [], [], []
        for k, row in enumerate(muscles().itertuples()):
            spare = 0.5 * _MUSCLE_GAP * (row.s_end - row.s_start)
            s = np.linspace(row.s_start + spare, row.s_end - spare, _MUSCLE_ALONG)
            angle = np.radians(row.angle_deg) + _MUSCLE_ANGLE * np.linspace(-0.5, 0.5, _MUSCLE_AROUND)
            places.append(tube(s, angle, _MUSCLE_DEPTH))
            quads.append(_quads(_MUSCLE_ALONG, _MUSCLE_AROUND) + k * _MUSCLE_ALONG * _MUSCLE_AROUND)
            owners.append(np.full(_MUSCLE_ALONG * _MUSCLE_AROUND, k))
        at = BodyCoordinates(*(np.concatenate(each) for each in zip(*places, strict=True)))
        return Patch(at, np.concatenate(quads), np.concatenate(owners))

    @cached_property
    def _ball(self) -> tuple[np.ndarray, np.ndarray]:
        """A unit sphere: points (n, 3) and quadrilaterals (m, 4)."""
        around, along = _SPHERE
        polar, angle = np.linspace(0.0, np.pi, along + 1), np.linspace(0.0, 2 * np.pi, around, endpoint=False)
        points = np.stack(
            [np.outer(np.sin(polar), np.cos(angle)), np.outer(np.sin(polar), np.sin(angle)),
             np.outer(np.cos(polar), np.ones(around))], axis=-1,
        )  # fmt: skip
        return points.reshape(-1, 3), _quads(along + 1, around, closed=True)

    def somata(self, neurites: np.ndarray) -> np.ndarray:
        """Points of the somata, spheres of their traced size [mm].

        Args:
            neurites: positions of all traced points in the frame [mm], from `posture(frame).place(nerves().at)`.
        """
        ball, _ = self._ball
        return (neurites[nerves().somata][:, None] + self.soma_radius[:, None, None] * ball).reshape(-1, 3)

    @property
    def soma_radius(self) -> np.ndarray:
        """Radius of each drawn soma [mm], shape (302,)."""
        return np.maximum(nerves().radius[nerves().somata], _LEAST_SOMA_UM) * 1e-3

    @property
    def soma_normals(self) -> np.ndarray:
        """Outward unit vectors of the somata, which translate but do not rotate, shape (points, 3)."""
        return np.tile(self._ball[0], (len(nerves().names), 1))

    @cached_property
    def soma_quads(self) -> tuple[np.ndarray, np.ndarray]:
        """Quadrilaterals of all somata, and the neuron of each point."""
        ball, quads = self._ball
        count = len(nerves().names)
        shifted = quads[None] + len(ball) * np.arange(count)[:, None, None]
        return shifted.reshape(-1, 4), np.repeat(np.arange(count), len(ball))

    def neuron_near(self, point: np.ndarray, frame: int) -> str:
        """The neuron whose traced morphology is nearest to a point [mm]."""
        shape = nerves()
        gap = np.linalg.norm(self.posture(frame).place(shape.at) - np.asarray(point, float), axis=1)
        return shape.names[shape.neuron[int(np.argmin(gap))]]

    def label(self, neuron: str, frame: int) -> str:
        """Name and voltage of a neuron as text."""
        voltage = self.voltage(frame)[nerves().names.index(neuron)]
        return f"{neuron}   not recorded" if np.isnan(voltage) else f"{neuron}   {voltage:.1f} mV"


def extent_mm() -> float:
    """Widest diameter of the body [mm]."""
    return 2.0 * float(radius_profile(np.array([0.5]))[0])


def _quads(along: int, around: int, closed: bool = False) -> np.ndarray:
    index = np.arange(along * around).reshape(along, around)
    if closed:
        index = np.concatenate([index, index[:, :1]], axis=1)
    return np.stack([index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]], axis=-1).reshape(-1, 4)
