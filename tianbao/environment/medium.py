"""The medium: drag across and along the body, and the restoring force of a surface."""

from __future__ import annotations

import csv
import math
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from ..arguments import named_arguments
from ..errors import ConfigError, shorten, unknown
from ..rows import number

TABLE = Path(__file__).with_name("media.csv")
_NUMBER = r"[0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?"
_LONGEST_NAME = 100
_LARGEST = 1e9  # of any value of a medium
_SLENDEREST = 1e6  # [-] length over radius beyond which round-off dominates the formula
_NEWTONIAN = re.compile(rf"newtonian (?P<viscosity>{_NUMBER}) Pa s")
_BETWEEN = re.compile(rf"(?P<thin>\w+) to (?P<thick>\w+), (?P<share>{_NUMBER})")


@cache
def _table() -> dict[str, dict[str, float]]:
    media: dict[str, dict[str, float]] = {}
    with open(TABLE, newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            media.setdefault(row["medium"], {})[row["name"]] = float(row["value"])
    return media


def ellipsoid_drag(length: float, radius: float) -> tuple[float, float]:
    """Drag per length and viscosity of a prolate ellipsoid far from any wall.

    Args:
        length: of its long axis [mm].
        radius: half its short axis [mm].

    Returns:
        Across and along [-]: 3.26 and 2.19 for an adult worm, of ratio 1.49.

    Raises:
        ConfigError: unless the ellipsoid is longer than it is thick.

    Source: Happel and Brenner 1965; Chwang and Wu 1975.
    """
    length, radius = (number(each, "ellipsoid", what, "mm") for each, what in ((length, "length"), (radius, "radius")))
    if not 0.0 < 2.0 * radius < length < _SLENDEREST * radius:
        raise ConfigError(f"ellipsoid of length {length:g} and radius {radius:g} mm: it must be longer than thick")
    e = math.sqrt(1.0 - (2.0 * radius / length) ** 2)
    log = math.log((1.0 + e) / (1.0 - e))
    along = 8.0 * math.pi * e**3 / ((1.0 + e * e) * log - 2.0 * e)
    across = 16.0 * math.pi * e**3 / (2.0 * e + (3.0 * e * e - 1.0) * log)
    return across, along


@named_arguments
@dataclass(frozen=True, init=False)
class Medium:
    """Resistive forces on a slender body, linear in its velocity.

    Attributes:
        name: as it appears in results.
        drag_normal: drag per body length across the body [N s/m2].
        drag_tangential: drag per body length along the body [N s/m2].
        surface_stiffness: restoring force per body length and vertical displacement that keeps the
            worm at its height [N/m2]; 0 if it swims freely.
        density: [kg/m3].
        viscosity: of a Newtonian fluid [Pa s]; 0 if the medium is not Newtonian.

    Limitations: the groove in the agar is not remembered, and gels do not yield.

    Source: media.csv.
    """

    name: str
    drag_normal: float
    drag_tangential: float
    surface_stiffness: float
    density: float
    viscosity: float

    def __init__(
        self,
        name: str = "custom",
        drag_normal: float = math.nan,
        drag_tangential: float = math.nan,
        surface_stiffness: float = 0.0,
        density: float = 1000.0,
        viscosity: float = 0.0,
    ) -> None:
        """
        Raises:
            ConfigError: for missing, negative or non-finite values.
        """
        values = {"drag_normal": drag_normal, "drag_tangential": drag_tangential, "density": density}
        can_vanish = {"surface_stiffness": surface_stiffness, "viscosity": viscosity}
        if not (isinstance(name, str) and name and name.isprintable() and len(name) <= _LONGEST_NAME):
            raise ConfigError(f"medium: name = '{shorten(name)}' must be a text of 1 to {_LONGEST_NAME} characters")
        for what, value in {**values, **can_vanish}.items():
            if value is not math.nan:  # missing values have their own message
                number(value, f"medium '{name}'", what, high=_LARGEST)
            allowed = math.isfinite(value) and (value > 0.0 or (what in can_vanish and value == 0.0))
            if not allowed:
                raise ConfigError(f"medium '{name}': {what} = {value:g} must be a positive number")
            object.__setattr__(self, what, float(value))
        object.__setattr__(self, "name", name)

    @classmethod
    def named(cls, name: str) -> Medium:
        """A medium by name: "agar", "wet_agar" or "water", or a name given by `newtonian` or `between`.

        Args:
            name: in media.csv, or such as "newtonian 0.1 Pa s", "water to agar, 0.5".

        Raises:
            ConfigError: for an unknown name.
        """
        if not isinstance(name, str):
            raise ConfigError(unknown("medium", name, _table()))
        if name in _table():
            return cls(name, **_table()[name])
        if found := _NEWTONIAN.fullmatch(name):
            return cls.newtonian(float(found["viscosity"]))
        if (found := _BETWEEN.fullmatch(name)) and {found["thin"], found["thick"]} <= set(_table()):
            return cls.between(found["thin"], found["thick"], float(found["share"]))
        raise ConfigError(unknown("medium", name, _table()))

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Media of media.csv."""
        return tuple(_table())

    @classmethod
    def newtonian(cls, viscosity_pa_s: float) -> Medium:
        """A fluid far from any wall: the drag of water on an undulating worm, scaled with the viscosity.

        Args:
            viscosity_pa_s: [Pa s], 1e-3 for water.

        Raises:
            ConfigError: for a viscosity that is not positive.

        Source: the rows of water in media.csv. A towed ellipsoid has less drag (`ellipsoid_drag`), because the parts of
        an undulating body move in opposite directions and do not share one wake.
        """
        if not number(viscosity_pa_s, "medium newtonian", "viscosity_pa_s", "Pa s", high=_LARGEST) > 0.0:
            raise ConfigError(f"medium newtonian: viscosity_pa_s = {viscosity_pa_s:g} must be a positive number")
        water = _table()["water"]
        thicker = viscosity_pa_s / water["viscosity"]
        drags = (water[name] * thicker for name in ("drag_normal", "drag_tangential"))
        return cls(f"newtonian {float(viscosity_pa_s)!r} Pa s", *drags, viscosity=viscosity_pa_s)

    @classmethod
    def ellipsoid(cls, viscosity_pa_s: float, length: float = 1.0, radius: float = 0.035) -> Medium:
        """A fluid with the drag of a towed prolate ellipsoid of the worm's size.

        Args:
            viscosity_pa_s: [Pa s]
            length: of the worm [mm].
            radius: of the worm [mm].

        Raises:
            ConfigError: for a viscosity or a size that is not positive.
        """
        if not number(viscosity_pa_s, "medium ellipsoid", "viscosity_pa_s", "Pa s", high=_LARGEST) > 0.0:
            raise ConfigError(f"medium ellipsoid: viscosity_pa_s = {viscosity_pa_s:g} must be a positive number")
        across, along = ellipsoid_drag(length, radius)
        name = f"ellipsoid in {float(viscosity_pa_s)!r} Pa s"
        return cls(name, across * viscosity_pa_s, along * viscosity_pa_s, viscosity=viscosity_pa_s)

    @classmethod
    def between(cls, thin: Medium | str, thick: Medium | str, share: float) -> Medium:
        """A medium interpolated between two others, such as the gels between water and agar.

        Normal drag and drag ratio are both interpolated on a logarithmic scale, so that the ratio always lies
        between those of the two media.

        Args:
            thin: medium at share 0.
            thick: medium at share 1.
            share: 0 to 1.

        Raises:
            ConfigError: for a share outside 0 to 1.

        Limitations: an assumption, as in Boyle, Berri and Cohen 2012; real gels yield.
        """
        if not 0.0 <= number(share, "medium", "share") <= 1.0:
            raise ConfigError(f"medium: share {share:g} must lie between 0 and 1")
        thin, thick = (each if isinstance(each, cls) else cls.named(each) for each in (thin, thick))

        if share in (0.0, 1.0):
            return thick if share else thin

        def mixed(name: str) -> float:
            """A value interpolated on a logarithmic scale."""
            return getattr(thin, name) ** (1.0 - share) * getattr(thick, name) ** share

        return cls(
            f"{thin.name} to {thick.name}, {float(share)!r}",
            mixed("drag_normal"),
            mixed("drag_tangential"),
            (1.0 - share) * thin.surface_stiffness + share * thick.surface_stiffness,
            (1.0 - share) * thin.density + share * thick.density,
        )

    @property
    def drag_ratio(self) -> float:
        """Ratio of the drag across to the drag along the body [-]."""
        return self.drag_normal / self.drag_tangential

    def isotropic(self) -> Medium:
        """The same medium with equal drag along and across the body, in which undulation gives no net motion."""
        return replace(self, name=f"{self.name}, isotropic", drag_tangential=self.drag_normal)
