"""Where each synapse, gap junction and neuromuscular junction sits on the two neurites.

Electron microscopy gives partners and counts; the light tracings give neurites. A connection is
placed where the two neurites come closest, which is within 0.2 um for three pairs in four.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from ..anatomy import BodyFrame
from ..cells.geometry import CellGeometry
from ..muscles import MuscleMembrane

_CLOUD_SPACING = 1.0  # [um], half the finest spacing of the tracings


@dataclass(frozen=True)
class Sites:
    """One site per connection: section and normalised location on both partners.

    Attributes:
        pre_section, post_section: section names, length n.
        pre_loc, post_loc: normalised locations, shape (n,).
        distance: distance between the two sites [um], shape (n,).
    """

    pre_section: list[str]
    pre_loc: np.ndarray
    post_section: list[str]
    post_loc: np.ndarray
    distance: np.ndarray


class Placer:
    """Finds closest approaches between the neurites of a set of cells."""

    def __init__(self, cells: Mapping[str, CellGeometry]) -> None:
        self._clouds = {name: cell.cloud(_CLOUD_SPACING) for name, cell in cells.items()}

    @cached_property
    def _trees(self) -> dict[str, cKDTree]:
        return {name: cKDTree(points) for name, (points, _) in self._clouds.items()}

    def between(self, pre: pd.Series, post: pd.Series) -> Sites:
        """Closest approach of each pair of neurons."""
        found = [self._closest(a, b) for a, b in zip(pre, post, strict=True)]
        sites = [(self._clouds[a][1][i], self._clouds[b][1][j]) for (a, b), (i, j, _) in
                 zip(zip(pre, post, strict=True), found, strict=True)]  # fmt: skip
        return _sites([pre for pre, _ in sites], [post for _, post in sites], [d for *_, d in found])

    def onto_muscles(self, pre: pd.Series, muscle: pd.Series, muscles: pd.DataFrame) -> Sites:
        """Point of each neuron nearest to the muscle it innervates; the muscle is one section."""
        body = {name: BodyFrame.standard().locate(points) for name, (points, _) in self._clouds.items()}
        pre_sites, distances = [], []
        for neuron, target in zip(pre, muscle, strict=True):
            gap = _distance_to_muscle(body[neuron], muscles.loc[target])
            nearest = int(np.argmin(gap))
            pre_sites.append(self._clouds[neuron][1][nearest])
            distances.append(float(gap[nearest]))
        return _sites(pre_sites, [("muscle", 0.5)] * len(pre_sites), distances)

    def _closest(self, a: str, b: str) -> tuple[int, int, float]:
        """Indices into the clouds of a and b, and their distance [um]."""
        if len(self._clouds[a][0]) > len(self._clouds[b][0]):
            j, i, distance = self._closest(b, a)
            return i, j, distance
        distances, nearest = self._trees[b].query(self._clouds[a][0])
        i = int(np.argmin(distances))
        return i, int(nearest[i]), float(distances[i])


def _distance_to_muscle(body, muscle: pd.Series) -> np.ndarray:
    """Distance [um] of points in body coordinates to the long axis of a muscle."""
    length, distance = BodyFrame.standard().length, MuscleMembrane.standard().distance
    along = length * np.maximum(0.0, np.maximum(muscle.s_start - body.s, body.s - muscle.s_end))
    dorsal = distance * (1.0 if muscle.quadrant[0] == "D" else -1.0)
    right = distance * (1.0 if muscle.quadrant[1] == "R" else -1.0)
    return np.sqrt(along**2 + (body.dorsal_um - dorsal) ** 2 + (body.right_um - right) ** 2)


def _sites(pre: list[tuple[str, float]], post: list[tuple[str, float]], distance: list[float]) -> Sites:
    return Sites(
        [name for name, _ in pre],
        np.array([loc for _, loc in pre]),
        [name for name, _ in post],
        np.array([loc for _, loc in post]),
        np.array(distance),
    )
