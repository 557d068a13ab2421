"""Model cells as Nicoletti 2019 and 2024 published them: one compartment, their own conductances.

They are used to check the mechanisms against published simulations, and as starting points; the worm uses
none of them. Six mechanisms (`kqt1`, `unc103`, `shl1_n24`, `slo1_iso`, `slo2_iso`, `ca_shell`) are used
only by them and are not among the 14 channels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from ..errors import ConfigError, shorten, unknown
from ..rows import finite, read_rows
from ..units import PF_PER_UM2_AT_1_UF_CM2, density_s_per_cm2
from .channels import CHANNELS, COUPLED, parameters
from .geometry import constants

TABLE = Path(__file__).with_name("published.csv")

_OWN = ("kqt1", "unc103", "shl1_n24", "slo1_iso", "slo2_iso")
_CONDUCTANCES = ("leak", *CHANNELS, *COUPLED, *_OWN)
_KINETICS = {"shk1_v_half_m": "v_half_m", "shk1_slope_m": "slope_m"}
_UNITS = {
    **dict.fromkeys(_CONDUCTANCES, ("nS", "S/cm2")),
    **dict.fromkeys(("leak_reversal", *_KINETICS), ("mV",)),
    "area": ("um2",),
    "capacitance": ("pF",),
    "pool_volume": ("um3",),
    "shell_depth": ("um",),
}
_GENES = (*CHANNELS, "kqt1", "unc103", "leak")
# Every mechanism that reads or writes the calcium ion.
_CALCIUM = {"egl19", "unc2", "cca1", "slo1", "slo2", "slo1_iso", "slo2_iso", "kcnl", "ca_pool", "ca_shell"}


def names() -> tuple[str, ...]:
    """Cells of published.csv, in its order."""
    return tuple(_cells())


def genes(given: str | Iterable[str]) -> tuple[str, ...]:
    """Names of genes, one or several.

    Raises:
        ConfigError: if these are not names.
    """
    if isinstance(given, str):
        return (given,)
    found = tuple(given) if isinstance(given, Iterable) else (None,)
    if not all(isinstance(each, str) for each in found):
        raise ConfigError(f"knock_out takes names of genes, such as 'egl-19', not {shorten(repr(given))}")
    return found


def sections(cell: str, knock_out: Iterable[str] = ()) -> dict[str, dict]:
    """One published cell in the format of NetPyNE's `cellParams['secs']`: a soma of one compartment.

    A knock-out removes the current of that gene and, for a calcium channel, the complexes of SLO-1
    and SLO-2 that it activates, as in `Membrane.without`.
    Sections with calcium need `h.ion_style("ca_ion", 3, 1, 0, 0, 0, sec=section)` after they are built.

    Args:
        cell: one of `names`.
        knock_out: channel genes such as "egl19" or "egl-19", "kqt1" or "unc103"; "leak" is the passive leak.

    Returns:
        {"soma": {"geom", "topol", "mechs", "ions"}}: lengths in um, Ra in ohm cm, cm in uF/cm2,
        conductances in S/cm2, voltages in mV. A fresh dictionary.

    Raises:
        ConfigError: for an unknown cell or channel, or a malformed table.

    Source: published.csv, row by row; kinetics are set C19.
    """
    if not isinstance(cell, str) or cell not in _cells():
        raise ConfigError(unknown("published cell", cell, names()))
    lacking = {gene.lower().replace("-", "") for gene in genes(knock_out)}
    for gene in sorted(lacking):
        if gene not in _GENES:
            raise ConfigError(unknown("channel", gene, _GENES))
    values = _cells()[cell]
    mechs = _mechanisms({name: value for name, value in values.items() if not lacking & set(name.split("_"))})
    if "leak" not in lacking:
        mechs["pas"]["e"] = values["leak_reversal"]
    # A cylinder as long as it is wide; NEURON counts its lateral area.
    size = math.sqrt(values["area"] / math.pi)
    ions = {"k": {"e": constants()["reversal_potassium"]}}
    if _CALCIUM & set(mechs):
        ions["ca"] = {"e": constants()["reversal_calcium"]}
    geometry = {
        "L": size,
        "diam": size,
        "nseg": 1,
        "Ra": constants()["axial_resistivity"],
        "cm": values["capacitance"] / (values["area"] * PF_PER_UM2_AT_1_UF_CM2),
    }
    return {"soma": {"geom": geometry, "topol": {}, "mechs": mechs, "ions": ions}}


def _mechanisms(values: dict[str, float]) -> dict[str, dict[str, float]]:
    """Mechanism -> parameter -> value; conductances in S/cm2."""
    mechs: dict[str, dict[str, float]] = {}
    for name in values:
        if name == "leak":
            mechs["pas"] = {"g": values[name]}
        elif name in COUPLED:
            channel = COUPLED[name][0]
            mechs.setdefault(channel, dict(parameters(channel)))[f"gbar_{name.split('_')[1]}"] = values[name]
        elif name in _CONDUCTANCES:
            kinetics = parameters(name) if name in CHANNELS else {}
            mechs.setdefault(name, {}).update(kinetics, gbar=values[name])
        elif name in _KINETICS:
            mechs.setdefault("shk1", {})[_KINETICS[name]] = values[name]
    if "pool_volume" in values:
        mechs["ca_pool"] = {"depth": values["pool_volume"] / values["area"]}
    if "shell_depth" in values:
        mechs["ca_shell"] = {"depth": values["shell_depth"]}
    return mechs


@cache
def _cells(path: Path = TABLE) -> dict[str, dict[str, float]]:
    """Cell -> quantity -> value, conductances in S/cm2.

    Raises:
        ConfigError: for an unknown quantity or unit, a NaN or a negative size or conductance, naming the row.
    """
    found: dict[str, dict[str, float]] = {}
    for where, row in read_rows(path):
        cell, quantity, unit = row["cell"], row["quantity"], row["unit"]
        if quantity not in _UNITS:
            raise ConfigError(f"{where}: {unknown('quantity', quantity, sorted(_UNITS))}")
        if unit not in _UNITS[quantity]:
            raise ConfigError(f"{where}: {cell} {quantity} in '{unit}': give it in {' or '.join(_UNITS[quantity])}")
        value = finite(row["value"], where, f"{cell} {quantity}", unit)
        if unit != "mV" and (value < 0 or quantity not in _CONDUCTANCES and value == 0):
            raise ConfigError(f"{where}: {cell} {quantity} is {value:g} {unit}; give a positive value")
        values = found.setdefault(cell, {})
        if unit == "nS":
            if "area" not in values:
                raise ConfigError(f"{where}: {cell} {quantity} comes before the area of the cell: put 'area' first")
            value = density_s_per_cm2(value, values["area"])
        values[quantity] = value
    return found
