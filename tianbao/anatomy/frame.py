"""The straightened body: maps the posed tracings to nose-to-tail, dorsal and right coordinates."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.spatial import cKDTree

from ..errors import AnatomyError
from ..paths import data_root
from .morphology import Morphology

# How the midline is fitted to the cloud of all neurites: halfway between the ventral and
# the dorsal outline of overlapping windows along y, smoothed by a running mean. Percentiles represent
# the outlines because single stray points lie outside them.
_BIN = 10.0  # [um]
_HALF_WINDOW = 15.0  # [um]
_OUTLINES = (0.5, 99.5)  # [%]
_SMOOTHING = 9  # bins
_CLOUD_SPACING = 1.0  # [um]
_LINE_SPACING = 0.5  # [um]


class BodyCoordinates(NamedTuple):
    """Places in the straightened body.

    Attributes:
        s: arc length from the nose over body length, in [0, 1], shape (n,).
        dorsal_um: distance from the midline, dorsal positive [um], shape (n,).
        right_um: distance from the mid-plane, right positive [um], shape (n,).
    """

    s: np.ndarray
    dorsal_um: np.ndarray
    right_um: np.ndarray


@dataclass(frozen=True, eq=False)
class BodyFrame:
    """Dorsoventral midline of the posed animal.

    Attributes:
        line: points (y, z) of the midline from nose to tail [um], shape (points, 2).
        mid_plane: x of the left-right mid-plane [um].

    Limitations: beyond the first and last neurite (lips and tail tip) there is no tracing; the
        body is taken to end there.
    """

    line: np.ndarray = field(repr=False)
    mid_plane: float

    @classmethod
    def standard(cls) -> BodyFrame:
        """The frame of the supplied tracings.

        Raises:
            AnatomyError: when connectome/midline.csv is absent.
        """
        return _standard(data_root() / "connectome" / "midline.csv")

    @classmethod
    def fit(cls, morphologies: Iterable[Morphology]) -> BodyFrame:
        """Fit the midline to all neurites of one animal."""
        cloud = np.concatenate([each.resampled(_CLOUD_SPACING) for each in morphologies])
        y, z = cloud[:, 1], cloud[:, 2]
        edges = np.arange(np.floor(y.min() / _BIN) * _BIN, y.max(), _BIN)
        centres = edges + _BIN / 2.0
        middle = [
            np.mean(np.percentile(z[np.abs(y - centre) <= _HALF_WINDOW], _OUTLINES)) for centre in centres
        ]
        ends = np.concatenate(([y.min()], centres[1:-1], [y.max()]))
        return cls(
            np.column_stack([ends, _running_mean(middle)]),
            float(np.mean(np.percentile(cloud[:, 0], _OUTLINES))),
        )

    @cached_property
    def _fine(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Dense midline: points (m, 2), unit tangents (m, 2), arc length (m,)."""
        curve = PchipInterpolator(self.line[:, 0], self.line[:, 1])
        span = self.line[-1, 0] - self.line[0, 0]
        y = np.linspace(self.line[0, 0], self.line[-1, 0], int(span / _LINE_SPACING) + 1)
        points = np.column_stack([y, curve(y)])
        slope = curve.derivative()(y)
        tangents = np.column_stack([np.ones_like(y), slope]) / np.hypot(1.0, slope)[:, None]
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        return points, tangents, np.concatenate(([0.0], np.cumsum(steps)))

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self._fine[0])

    @property
    def length(self) -> float:
        """Arc length of the midline [um]."""
        return float(self._fine[2][-1])

    def locate(self, xyz: np.ndarray) -> BodyCoordinates:
        """Body coordinates of traced points.

        Args:
            xyz: points in the frame of the tracings [um], shape (n, 3) or (3,).
        """
        xyz = np.atleast_2d(np.asarray(xyz, dtype=float))
        points, tangents, arc = self._fine
        _, nearest = self._tree.query(xyz[:, 1:])
        offset = xyz[:, 1:] - points[nearest]
        along = np.einsum("ij,ij->i", offset, tangents[nearest])
        normals = np.column_stack([-tangents[nearest, 1], tangents[nearest, 0]])
        s = np.clip((arc[nearest] + along) / self.length, 0.0, 1.0)
        return BodyCoordinates(s, np.einsum("ij,ij->i", offset, normals), self.mid_plane - xyz[:, 0])


def _running_mean(values: list[float]) -> np.ndarray:
    """Mean over a window that narrows towards both ends, so that nose and tail do not move."""
    last = len(values) - 1
    reach = [min(_SMOOTHING // 2, k, last - k) for k in range(len(values))]
    return np.array([np.mean(values[k - r : k + r + 1]) for k, r in enumerate(reach)])


@cache
def _standard(path: Path) -> BodyFrame:
    if not path.is_file():
        raise AnatomyError(f"no midline {path}: build the data with `python -m tianbao.anatomy.build`")
    with open(path, newline="", encoding="utf-8") as lines:
        rows = [[float(value) for value in row] for row in list(csv.reader(lines))[1:]]
    table = np.array(rows)
    return BodyFrame(table[:, 1:], float(table[0, 0]))
