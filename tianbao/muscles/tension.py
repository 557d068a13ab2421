"""From muscle activation to the tension of the body's fibres."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ..rows import finite, read_rows

QUADRANTS = ("DL", "DR", "VL", "VR")
STRENGTH = Path(__file__).with_name("strength.csv")
_POINTS = 16  # per slab at which the taper of muscle cells is sampled


def strength(s: np.ndarray, path: Path = STRENGTH) -> np.ndarray:
    """Axial gradient of muscle strength: tension relative to the one that bends the whole body uniformly.

    Args:
        s: body coordinate [-], nose 0 to tail 1.
        path: table with columns s and share, interpolated linearly.

    Returns:
        [-], same shape.

    Raises:
        ConfigError: for a value that is not a number.
    """
    rows = [(finite(row["s"], where, "s"), finite(row["share"], where, "share")) for where, row in read_rows(path)]
    places, shares = zip(*sorted(rows), strict=True)
    return np.interp(s, places, shares)


class TensionMap:
    """Distributes 95 activations over the slabs and quadrants of a body mesh.

    Muscle cells are spindles that lie in two staggered rows per quadrant (Sulston and Horvitz 1977, WormAtlas), so each
    overlaps with its neighbours: the tension of a cell decreases linearly from its middle to the middles of the cells
    anterior and posterior to it. The missing MVL24 leaves the end of its quadrant without fibres, as in the animal.
    """

    def __init__(self, muscles: pd.DataFrame, tension_per_curvature: np.ndarray, peak_curvature: float):
        """
        Args:
            muscles: the muscle table, in the order of the activations.
            tension_per_curvature: [Pa per unit kappa L], shape (slabs,).
            peak_curvature: kappa L of a free body at full one-sided activation.
        """
        slabs = len(tension_per_curvature)
        quadrant = (muscles.quadrant.to_numpy()[:, None] == np.array(QUADRANTS)).astype(float)
        self._cover = _spindles(muscles, slabs)[:, :, None] * quadrant[:, None, :]
        middle = (np.arange(slabs) + 0.5) / slabs
        self._tension = (np.asarray(tension_per_curvature) * strength(middle))[:, None]
        self.peak_curvature = peak_curvature

    def __call__(self, activation: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Tension of every slab and quadrant.

        Args:
            activation: [-], shape (95,).
            out: filled and returned, [Pa], shape (slabs, 4).
        """
        np.einsum("m,msq->sq", activation, self._cover, out=out)
        out *= self._tension * self.peak_curvature
        return out

    def pull_back(self, tension: np.ndarray) -> np.ndarray:
        """Convert a gradient with respect to tension into one with respect to activation.

        Args:
            tension: of a loss L [L/Pa], shape (..., slabs, 4).

        Returns:
            [L], shape (..., 95).
        """
        return np.einsum("...sq,msq->...m", tension, self._cover * (self._tension * self.peak_curvature))


def _spindles(muscles: pd.DataFrame, slabs: int) -> np.ndarray:
    """Contribution of each muscle cell to the tension of each slab in its quadrant [-], shape (95, slabs)."""
    # The middles of a complete quadrant are used for all four, so that MVL23 tapers towards the place of MVL24.
    middles = muscles.groupby("row").s.first()
    points = (np.arange(slabs * _POINTS) + 0.5) / (slabs * _POINTS)
    hats = np.array([np.interp(points, middles, middles.index == row) for row in middles.index])
    return hats.reshape(len(middles), slabs, _POINTS).mean(axis=2)[muscles.row.to_numpy() - middles.index[0]]
