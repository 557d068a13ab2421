"""Model cells as Nicoletti 2019 and 2024 published them: one compartment, their own conductances.

They are used to check the mechanisms against published simulations, and as starting points; the worm uses none of
them. Nicoletti 2019 published two (AWC.ode and RMD.ode, ModelDB 267187), Nicoletti 2024 seven (NEURON and Python,
github.com/martinanicoletti92/CelegansInterMotorNeuronsModels). Six mechanisms that they need are not among the 14
channels: `kqt1`, `unc103`, `shl1_n24`, `slo1_iso`, `slo2_iso` and `ca_shell`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from ..errors import ConfigError, shorten, unknown
from ..rows import finite, read_rows
from ..units import PF_PER_UM2_AT_1_UF_CM2, density_s_per_cm2
from .calcium import NERNST, READERS, checked, ion
from .channels import CHANNELS, COUPLED, parameters
from .geometry import constants

TABLE = Path(__file__).with_name("published.csv")

_OWN = ("kqt1", "unc103", "shl1_n24", "slo1_iso", "slo2_iso")
_CONDUCTANCES = ("leak", *CHANNELS, *COUPLED, *_OWN)
_KINETICS = {"shk1_v_half_m": "v_half_m", "shk1_slope_m": "slope_m"}
_UNITS = {
    **dict.fromkeys(_CONDUCTANCES, ("nS", "S/cm2")),
    **dict.fromkeys(("leak_reversal", "e_ca", *_KINETICS), ("mV",)),
    "area": ("um2",),
    "capacitance": ("pF",),
    "pool_volume": ("um3",),
    "shell_depth": ("um",),
}
_GENES = (*CHANNELS, "kqt1", "unc103", "leak")


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


def sections(cell: str, knock_out: Iterable[str] = (), e_ca: float | str | None = None) -> dict[str, dict]:
    """One published cell in the format of NetPyNE's `cellParams['secs']`: a soma of one compartment.

    A knock-out removes the current of that gene and, for a calcium channel, the complexes of SLO-1
    and SLO-2 that it activates, as in `Membrane.without`.
    `electrophysiology.sections.build` makes NEURON sections of it.

    Args:
        cell: one of `names`.
        knock_out: channel genes such as "egl19" or "egl-19", "kqt1" or "unc103"; "leak" is the passive leak.
        e_ca: reversal potential of calcium [mV], or "nernst"; that of its source if None. Nernst's potential is
            that of `nernst_celsius` in cell.csv.

    Returns:
        {"soma": {"geom", "topol", "mechs", "ions"}}: lengths in um, Ra in ohm cm, cm in uF/cm2,
        conductances in S/cm2, voltages in mV. A fresh dictionary.

    Raises:
        ConfigError: for an unknown cell or channel, an `e_ca` that is neither, or a malformed table.

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
    if READERS & set(mechs):
        own = values.get("e_ca", constants()["reversal_calcium"])
        e_ca = own if e_ca is None else checked(e_ca)
        ions["ca"] = ion(mechs, e_ca, constants()["nernst_celsius"])
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
def _cells(path: Path = TABLE) -> dict[str, dict[str, float | str]]:
    """Cell -> quantity -> value, conductances in S/cm2; only `e_ca` can be text, see `calcium.checked`.

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
        nernst = quantity == "e_ca" and row["value"] == NERNST
        value = NERNST if nernst else finite(row["value"], where, f"{cell} {quantity}", unit)
        if unit != "mV" and (value < 0 or quantity not in _CONDUCTANCES and value == 0):
            raise ConfigError(f"{where}: {cell} {quantity} is {value:g} {unit}; give a positive value")
        values = found.setdefault(cell, {})
        if unit == "nS":
            if "area" not in values:
                raise ConfigError(f"{where}: {cell} {quantity} comes before the area of the cell: put 'area' first")
            value = density_s_per_cm2(value, values["area"])
        values[quantity] = value
    return found
