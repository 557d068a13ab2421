"""The outline of a worm in the plane, from its midline and its radius."""

from __future__ import annotations

import numpy as np

from ..body.mesh import radius_profile

# Length of the rounded tips [L]; only drawn, the mesh of the body has blunt ends.
_TIP = 0.008
# Lines across the body: enough for smooth shading, few enough to draw 25 times a second.
ACROSS = 13


class Outline:
    """Converts midlines with a fixed number of points to a surface of small quadrilaterals.

    Args:
        points: of the midline.
        along: points along the drawn body.
    """

    def __init__(self, points: int, along: int = 145) -> None:
        # Dense at both ends, where the outline curves around the tip.
        self.s = 0.5 - 0.5 * np.cos(np.linspace(0.0, np.pi, along))
        self._knots = np.linspace(0.0, 1.0, points)
        self._radius = radius_profile(self.s) * _rounded(self.s)
        self.across = np.linspace(-1.0, 1.0, ACROSS)

    def grid(self, midline: np.ndarray) -> np.ndarray:
        """Points of the body.

        Args:
            midline: [mm], head first, shape (points, 2 or 3).

        Returns:
            [mm], shape (along, across, 2); across runs from ventral to dorsal.
        """
        from scipy.interpolate import CubicSpline

        spline = CubicSpline(self._knots, midline[:, :2])
        centre, tangent = spline(self.s), spline(self.s, 1)
        tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-12)
        dorsal = np.column_stack([tangent[:, 1], -tangent[:, 0]])
        return centre[:, None] + (self._radius[:, None] * self.across)[:, :, None] * dorsal[:, None]

    @staticmethod
    def quads(grid: np.ndarray) -> np.ndarray:
        """Corners of the quadrilaterals, shape ((along - 1) * (across - 1), 4, 2)."""
        corners = np.stack([grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]], axis=2)
        return corners.reshape(-1, 4, 2)

    @staticmethod
    def rim(grid: np.ndarray) -> np.ndarray:
        """The closed outline, nose to tail along the dorsal side and back, shape (n, 2)."""
        return np.concatenate([grid[:, -1], grid[::-1, 0], grid[:1, -1]])


def _rounded(s: np.ndarray) -> np.ndarray:
    """Factor on the radius that closes both ends like a quarter ellipse."""
    inward = np.clip(np.minimum(s, 1.0 - s) / _TIP, 0.0, 1.0)
    return np.sqrt(1.0 - (1.0 - inward) ** 2)
