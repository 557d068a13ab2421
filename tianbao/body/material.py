"""The material of the tissue, and the table of its constants."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path

from ..arguments import named_arguments
from ..errors import ConfigError, unknown
from ..rows import number

TABLE = Path(__file__).with_name("body.csv")
_LARGEST = 1e6  # of any value of a material


@cache
def _rows() -> dict[str, float]:
    with open(TABLE, newline="", encoding="utf-8") as lines:
        return {row["name"]: float(row["value"]) for row in csv.DictReader(lines)}


def constant(name: str) -> float:
    """Value of a row of body.csv, in the unit of that row.

    Raises:
        ConfigError: for an unknown row.
    """
    if name not in _rows():
        raise ConfigError(unknown("body constant", name, _rows()))
    return _rows()[name]


def _row(name: str) -> float:
    return field(default_factory=lambda: constant(name))


@named_arguments
@dataclass(frozen=True, kw_only=True)
class Material:
    """Passive tissue: elastic shell around an almost incompressible inside.

    Attributes:
        bending_stiffness_n_m2: EI of the mid-body [N m2].
        axial_stiffness_n: EA of the mid-body's cuticle, force per relative change of length along the axis,
            in addition to that of the tissue [N]; 0 for none.
        taper_exponent: exponent of EI over the radius; that of EA is smaller by 2, as in a thin shell,
            where EA = 2 EI / R^2 [-].
        internal_viscosity_time: viscous over elastic bending resistance [ms].
        bulk_ratio: bulk over shear modulus [-].
        force_length_falloff: relative loss of tension per squared fibre strain, 1 / w^2 for a fibre that generates
            tension at strains within w [-]; 0 for no dependence on length.
        force_velocity_time: relative loss of tension per shortening rate [ms]; 0 for no dependence on velocity.

    Raises:
        ConfigError: for a value that is not a number or out of range.

    Limitations: one isotropic modulus per slab; the cuticle is one spring along the axis of each slab and
    resists neither bending nor a change of girth; nothing stiffens when a muscle contracts; force-velocity is
    linear, so that very fast fibres push.

    Source: body.csv.
    """

    bending_stiffness_n_m2: float = _row("bending_stiffness")
    axial_stiffness_n: float = _row("axial_stiffness")
    taper_exponent: float = _row("taper_exponent")
    internal_viscosity_time: float = _row("internal_viscosity_time")
    bulk_ratio: float = _row("bulk_ratio")
    force_length_falloff: float = _row("force_length_falloff")
    force_velocity_time: float = _row("force_velocity_time")

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if number(value, "material", each.name, high=_LARGEST) < 0.0:
                raise ConfigError(f"material: {each.name} = {value:g} must be a number that is not negative")
        for name in ("bending_stiffness_n_m2", "bulk_ratio"):
            if getattr(self, name) == 0.0:
                raise ConfigError(f"material: {name} = 0 leaves no shape; give a positive value")
