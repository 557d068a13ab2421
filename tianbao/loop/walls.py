"""The push of walls that hold a part of the body in one bend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..apparatus import Hold

_STIFFNESS = 10.0  # of the walls over that of the body between them [-]
# The push follows the bend with a lag: that of a tick is found from the bend before it, and a stiff wall that
# responded at once would overshoot and oscillate. Short beside the half second in which a body bends on agar.
_LAG = 40.0  # [ms]
_SIDES = np.array([0.5, 0.5, -0.5, -0.5])  # of DL, DR, VL, VR in a difference of dorsal and ventral tension


class Walls:
    """Replaces the pull of muscles by that of walls where the body is held."""

    def __init__(
        self, holds: Sequence[Hold], positions: np.ndarray, tension_per_curvature: np.ndarray, tick: float
    ) -> None:
        """
        Args:
            holds: what is held, and when.
            positions: body coordinates at which curvature is known [L], shape (positions,).
            tension_per_curvature: dorsal less ventral tension that bends a free body by 1 kappa L [Pa], shape (slabs,).
            tick: time between two calls [ms].
        """
        slabs = len(tension_per_curvature)
        self._middles, self._positions = (np.arange(slabs) + 0.5) / slabs, positions
        self._tension = np.asarray(tension_per_curvature, float)
        self._holds = [(each, (self._middles > each.front) & (self._middles < each.back)) for each in holds]
        # A row per hold: kappa L by which a free slab would bend under what pushes it back.
        self._push = np.zeros((len(holds), slabs))
        self._share = min(tick / _LAG, 1.0 / (1.0 + _STIFFNESS))

    def __call__(self, time: float, bend: np.ndarray, pull: np.ndarray) -> None:
        """Change the tension of the tick that starts at `time` [ms].

        Args:
            time: [ms]
            bend: kappa L at the positions, shape (positions,).
            pull: of every slab and quadrant [Pa], changed in place, shape (slabs, 4).
        """
        for push, (each, held) in zip(self._push, self._holds, strict=True):
            if each.start <= time < each.stop:
                here = np.interp(self._middles[held], self._positions, bend)
                push[held] += self._share * (_STIFFNESS * (each.curvature - here) - push[held])
                pull[held] = (self._tension[held] * (each.curvature + push[held]))[:, None] * _SIDES

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that the next tick depends on."""
        return {"push": self._push.copy()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Restore a state."""
        self._push[:] = state["push"]
