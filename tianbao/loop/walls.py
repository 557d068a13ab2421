"""The push of walls that hold a part of the body in one bend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..apparatus import Hold

# Push per unit of kappa L that a slab has left the channel, over its own stiffness. The push of a tick follows from the
# bend before it, which at 1 or more would overshoot and swing.
_STIFFNESS = 0.9
_SIDES = np.array([0.5, 0.5, -0.5, -0.5])  # of DL, DR, VL, VR in a difference of dorsal and ventral tension


class Walls:
    """Replaces the pull of muscles by that of walls where the body is held."""

    def __init__(self, holds: Sequence[Hold], positions: np.ndarray, tension_per_curvature: np.ndarray) -> None:
        """
        Args:
            holds: what is held, and when.
            positions: body coordinates at which curvature is known [L], shape (positions,).
            tension_per_curvature: dorsal less ventral tension that bends a free body by 1 kappa L [Pa], shape (slabs,).
        """
        slabs = len(tension_per_curvature)
        self._middles, self._positions = (np.arange(slabs) + 0.5) / slabs, positions
        self._tension = np.asarray(tension_per_curvature, float)
        self._holds = [(each, (self._middles > each.front) & (self._middles < each.back)) for each in holds]

    def __call__(self, time: float, bend: np.ndarray, pull: np.ndarray) -> None:
        """Change the tension of the tick that starts at `time` [ms].

        Args:
            time: [ms]
            bend: kappa L at the positions, shape (positions,).
            pull: of every slab and quadrant [Pa], changed in place, shape (slabs, 4).
        """
        for each, held in self._holds:
            if each.start <= time < each.stop:
                here = np.interp(self._middles[held], self._positions, bend)
                wanted = each.curvature + _STIFFNESS * (each.curvature - here)
                pull[held] = (self._tension[held] * wanted)[:, None] * _SIDES
