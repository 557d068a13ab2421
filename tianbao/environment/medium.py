"""What the worm moves in: drag across and along the body, and the hold of a surface."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from ..errors import ConfigError, unknown

TABLE = Path(__file__).with_name("media.csv")
NEWTONIAN = "newtonian"


@cache
def _table() -> dict[str, dict[str, float]]:
    media: dict[str, dict[str, float]] = {}
    with open(TABLE, newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            media.setdefault(row["medium"], {})[row["name"]] = float(row["value"])
    return media


@dataclass(frozen=True, init=False)
class Medium:
    """Resistive forces on a slender body, linear in its velocity.

    Attributes:
        name: how results call it.
        drag_normal: drag per body length across the body [N s/m2].
        drag_tangential: drag per body length along the body [N s/m2].
        surface_stiffness: force per body length that keeps the worm at its height, per
            displacement [N/m2]; 0 when it swims freely.
        density: [kg/m3].

    Limitations: no flow of the medium, no memory of the groove in the agar.

    Source: media.csv.
    """

    name: str
    drag_normal: float
    drag_tangential: float
    surface_stiffness: float
    density: float

    def __init__(
        self,
        name: str = "custom",
        drag_normal: float | None = None,
        drag_tangential: float | None = None,
        surface_stiffness: float = 0.0,
        density: float = 1000.0,
        *,
        viscosity_pa_s: float | None = None,
    ) -> None:
        """
        Args:
            viscosity_pa_s: of a Newtonian fluid [Pa s]; give this or the two drags.

        Raises:
            ConfigError: for missing, doubled, negative or non-finite values.
        """
        drags = (drag_normal, drag_tangential)
        if (viscosity_pa_s is None) == (drags == (None, None)) or (drags != (None, None) and None in drags):
            raise ConfigError("medium: give either viscosity_pa_s or both drag_normal and drag_tangential")
        if viscosity_pa_s is not None:
            factors = _table()[NEWTONIAN]
            drag_normal = factors["viscosity_factor_normal"] * viscosity_pa_s
            drag_tangential = factors["viscosity_factor_tangential"] * viscosity_pa_s
        values = {"drag_normal": drag_normal, "drag_tangential": drag_tangential}
        values |= {"surface_stiffness": surface_stiffness, "density": density}
        for what, value in values.items():
            allowed = math.isfinite(value) and (value > 0.0 or (what == "surface_stiffness" and value == 0.0))
            if not allowed:
                raise ConfigError(f"medium '{name}': {what} = {value:g} must be a positive number")
            object.__setattr__(self, what, float(value))
        object.__setattr__(self, "name", name)

    @classmethod
    def named(cls, name: str) -> Medium:
        """A medium of media.csv: "agar" or "water".

        Raises:
            ConfigError: for an unknown name.
        """
        known = [each for each in _table() if each != NEWTONIAN]
        if name not in known:
            raise ConfigError(unknown("medium", name, known))
        return cls(name, **_table()[name])

    @classmethod
    def newtonian(cls, viscosity_pa_s: float) -> Medium:
        """A fluid of this viscosity [Pa s] far from any wall: that of a slender ellipsoid."""
        return cls(NEWTONIAN, viscosity_pa_s=viscosity_pa_s)

    def isotropic(self) -> Medium:
        """The same medium with the drag along the body as high as across: undulation then goes nowhere."""
        return replace(self, name=f"{self.name}, isotropic", drag_tangential=self.drag_normal)
