"""The task of getting ahead among pillars."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import named_arguments
from ..environment import Lattice
from ..errors import ConfigError
from .bodies import constant
from .body_tasks import Ahead
from .observed import Observed


@named_arguments
class Obstacles(Ahead):
    """Swim, or in another medium crawl, along the rows of a square lattice of pillars without end.

    The worm starts between two rows, heading along them. Observes the load that pillars put on each of its rows of
    muscles.

    Limitations: the places of pillars are not observed; worms touch neither each other nor themselves.
    """

    posture = 0.0
    options = ("place", "posture")

    def __init__(self, worms: int = 1, *, radius: float = 0.12, pitch: float = 0.45, friction: float = 0.0,
                 **common: Any) -> None:  # fmt: skip
        """
        Args:
            worms: number of worms.
            radius: of a pillar [mm].
            pitch: distance between the axes of neighbours [mm].
            friction: coefficient of sliding friction [-].
            **common: see BodyTask; without obstacles.

        Raises:
            ConfigError: for an unknown or wrong value, or rows too close for a worm between them.
        """
        if "obstacles" in common:
            raise ConfigError("task: obstacles is not an argument here; radius, pitch and friction give the pillars")
        self._pillars = Lattice(radius, pitch, "square", friction, origin=(0.0, 0.5 * pitch))
        if common.get("step") is None:
            common["step"] = constant("step_touching")
        super().__init__(worms, obstacles=[self._pillars], **common)
        mesh, rows = self.worms.body.mesh, self.worms.joints
        if pitch - 2.0 * radius < 2.0 * mesh.radii.max():
            raise ConfigError(f"task: pillars of radius {radius:g} mm at pitch {pitch:g} mm leave no room for a worm")
        row = np.minimum(np.arange(mesh.rings) * rows // mesh.slabs, rows - 1)
        self._of_row = (row[:, None] == np.arange(rows)).astype(float)

    def _observed(self) -> list[Observed]:
        """As in Ahead, and the loads."""
        return [*super()._observed(), *(Observed(f"load on row {k + 1}", "uN", 0.0) for k in range(self.worms.joints))]

    def _parts(self) -> list[np.ndarray]:
        """As in Ahead, and the loads."""
        load = np.abs(self.worms.body.load).sum(axis=2)
        return [*super()._parts(), (load[:, :, None] * self._of_row).sum(axis=1)]

    def _usual_heading(self, drawn: float) -> float:
        """Along the rows."""
        return 0.0

    def _usual_place(self, rng: np.random.Generator) -> tuple[float, float]:
        """Between two rows, anywhere along them."""
        return float(rng.uniform(0.0, self._pillars.pitch)), 0.0

    def scenery(self, worm: int) -> dict[str, Any]:
        """The heading, the start, and the pillars near the worm."""
        pitch, (x, y) = self._pillars.pitch, self.centre[worm]
        reach = range(-6, 7)
        column, row = round(x / pitch), round(y / pitch - 0.5)
        near = [((column + i) * pitch, (row + j + 0.5) * pitch, self._pillars.radius) for i in reach for j in reach]
        return {**super().scenery(worm), "pillars": near}
