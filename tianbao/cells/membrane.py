"""Which channels a neuron carries: class -> template -> conductances, every row with its source.

Active channels sit in the soma (motor neurons are 80-100 % isopotential); the leak covers the
whole membrane. Totals in nS are those of a cell of the template's reference capacitance and are
scaled onto a real cell by (capacitance / reference) ** exponent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from ..anatomy import neuron_class
from ..errors import ConfigError, unknown
from ..rows import finite, read_rows
from ..units import density_s_per_cm2
from .channels import CHANNELS, parameters
from .geometry import CellGeometry, constants

_HERE = Path(__file__).parent

# Conductances of the two BK channels name the calcium channel they are coupled to.
_COUPLED = {
    f"{slo}_{partner}": (slo, f"gbar_{partner}") for slo in ("slo1", "slo2") for partner in ("egl19", "unc2")
}
_PASSIVE = ("leak", "leak_reversal", "reference_capacitance")


@dataclass(frozen=True)
class Membrane:
    """Whole-cell conductances of one neuron class.

    Attributes:
        template: row group of templates.csv they come from.
        conductances: channel (or coupled pair such as "slo1_egl19") -> total [nS].
        egl19_shift: shift of every EGL-19 gate [mV].
        leak: total [nS].
        leak_reversal: [mV].
        reference_capacitance: capacitance of the cell that carries those totals [pF].
        axonal_nca: NCA spread over the whole membrane instead of the soma [nS]; None but in AVB.
        lacking: channel genes knocked out.
    """

    template: str
    conductances: dict[str, float]
    egl19_shift: float
    leak: float
    leak_reversal: float
    reference_capacitance: float
    axonal_nca: float | None = None
    lacking: frozenset[str] = frozenset()

    def scale(self, capacitance: float, exponent: float) -> float:
        """Factor on every total for a cell of this capacitance [pF]."""
        return (capacitance / self.reference_capacitance) ** exponent

    def without(self, channel: str) -> Membrane:
        """The same membrane with one channel gene knocked out.

        Raises:
            ConfigError: if the channel is not one of the 14.
        """
        if channel not in CHANNELS:
            raise ConfigError(unknown("channel", channel, CHANNELS))
        kept = {
            name: value for name, value in self.conductances.items() if name.split("_")[0] != channel
        }
        return replace(self, conductances=kept, lacking=self.lacking | {channel})


@cache
def templates(path: Path | None = None) -> dict[str, Membrane]:
    """Every membrane template.

    Args:
        path: another table of the same columns.

    Raises:
        ConfigError: for a NaN, a negative conductance or an unknown quantity, naming the row.
    """
    path = path or _HERE / "templates.csv"
    known = {*CHANNELS, *_COUPLED, *_PASSIVE, "egl19_shift"}
    found: dict[str, dict[str, float]] = {}
    for where, row in read_rows(path):
        name, quantity = row["template"], row["quantity"]
        if quantity not in known:
            raise ConfigError(f"{where}: {unknown('quantity', quantity, sorted(known))}")
        value = finite(row["value"], where, f"{name} {quantity}", row["unit"])
        if value < 0 and row["unit"] in ("nS", "pF"):
            what = "conductance" if row["unit"] == "nS" else "capacitance"
            raise ConfigError(f"{where}: {name} {quantity} is {value:g} {row['unit']}; a {what} cannot be negative")
        found.setdefault(name, {})[quantity] = value
    return {name: _membrane(name, values) for name, values in found.items()}


def _membrane(name: str, values: dict[str, float]) -> Membrane:
    return Membrane(
        template=name,
        egl19_shift=values.pop("egl19_shift", 0.0),
        leak=values.pop("leak", 0.0),
        leak_reversal=values.pop("leak_reversal", -60.0),
        reference_capacitance=values.pop("reference_capacitance"),
        conductances=values,
    )


@cache
def _class_rows() -> dict[str, dict[str, str]]:
    rows = {}
    for where, row in read_rows(_HERE / "classes.csv"):
        if row["template"] not in templates():
            raise ConfigError(f"{where}: {unknown('template', row['template'], templates())}")
        rows[row["class"]] = row
    return rows


def declared_release_half(neuron: str) -> float | None:
    """Voltage of half-maximal release declared for a class [mV]; None where the general one holds."""
    text = _class_rows()[neuron_class(neuron)]["release_half"]
    return finite(text, "classes.csv", "release_half", "mV") if text else None


def membrane(neuron: str) -> Membrane:
    """Membrane of the class a neuron belongs to."""
    return templates()[_class_rows()[neuron_class(neuron)]["template"]]


def insert_membrane(
    sections: dict[str, dict],
    cell: CellGeometry,
    membrane: Membrane,
    exponent: float,
    channel_set: str = "C19",
) -> None:
    """Add mechanisms and ions to NetPyNE section dictionaries, in place.

    Args:
        sections: from `CellGeometry.netpyne_sections`.
        cell: the same cell.
        membrane: whole-cell conductances.
        exponent: how conductances grow with capacitance.
        channel_set: kinetic parameter set, "C19" or "H".
    """
    factor = membrane.scale(cell.capacitance, exponent)
    leak_density = density_s_per_cm2(membrane.leak * factor, cell.area)
    for section in sections.values():
        section["mechs"]["pas"] = {"g": leak_density, "e": membrane.leak_reversal}
        if membrane.axonal_nca is not None:
            section["mechs"]["nca"] = {"gbar": density_s_per_cm2(membrane.axonal_nca, cell.area)}
    soma = sections["soma"]
    soma_area = cell.cables[0].lateral_area()
    for name, total in membrane.conductances.items():
        channel, parameter = _COUPLED.get(name, (name, "gbar"))
        mechanism = soma["mechs"].setdefault(channel, dict(parameters(channel, channel_set)))
        mechanism[parameter] = mechanism.get(parameter, 0.0) + density_s_per_cm2(total * factor, soma_area)
        if channel in ("egl19", "slo1", "slo2"):
            mechanism["shift"] = membrane.egl19_shift
    if {"egl19", "unc2", "cca1"} & set(soma["mechs"]):
        # The soma carries the whole cell's calcium current: its pool is the whole cell's shell.
        soma["mechs"]["ca_pool"] = {"depth": constants()["pool_depth"] * cell.area / soma_area}
        soma["ions"] = {"ca": {"e": constants()["reversal_calcium"]}}
    soma.setdefault("ions", {})["k"] = {"e": constants()["reversal_potassium"]}
