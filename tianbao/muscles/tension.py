"""From muscle activation to the tension of the body's fibres."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ..rows import finite, read_rows

QUADRANTS = ("DL", "DR", "VL", "VR")
STRENGTH = Path(__file__).with_name("strength.csv")


def strength(s: np.ndarray, path: Path = STRENGTH) -> np.ndarray:
    """Axial gradient of muscle strength: tension as a share of that which bends the whole body alike.

    Args:
        s: body coordinate [-], nose 0 to tail 1.
        path: table with columns s and share, between whose rows it is linear.

    Returns:
        [-], same shape.

    Raises:
        ConfigError: for a value that is not a number.
    """
    rows = [(finite(row["s"], where, "s"), finite(row["share"], where, "share")) for where, row in read_rows(path)]
    places, shares = zip(*sorted(rows), strict=True)
    return np.interp(s, places, shares)


class TensionMap:
    """Spreads 95 activations over the slabs and quadrants of a body mesh.

    A muscle pulls in proportion to how much of a slab it covers. The missing MVL24 leaves the
    last stretch of its quadrant without fibres, as in the animal.
    """

    def __init__(self, muscles: pd.DataFrame, tension_per_curvature: np.ndarray, peak_curvature: float):
        """
        Args:
            muscles: the muscle table, in the order of the activations.
            tension_per_curvature: [Pa per unit kappa L], shape (slabs,).
            peak_curvature: kappa L of a free body at full one-sided activation.
        """
        slabs = len(tension_per_curvature)
        edges = np.linspace(0.0, 1.0, slabs + 1)
        start, end = muscles.s_start.to_numpy()[:, None], muscles.s_end.to_numpy()[:, None]
        overlap = np.clip(np.minimum(end, edges[1:]) - np.maximum(start, edges[:-1]), 0.0, None) * slabs
        quadrant = (muscles.quadrant.to_numpy()[:, None] == np.array(QUADRANTS)).astype(float)
        self._cover = overlap[:, :, None] * quadrant[:, None, :]
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
        """Gradient with respect to the activations from that with respect to the tension.

        Args:
            tension: of a loss L [L/Pa], shape (..., slabs, 4).

        Returns:
            [L], shape (..., 95).
        """
        return np.einsum("...sq,msq->...m", tension, self._cover * (self._tension * self.peak_curvature))
