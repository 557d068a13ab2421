"""Templates of membranes: the conductances of recorded and published cells, every row with its source.

Totals in nS are for a cell of the template's reference capacitance and are scaled to a cell by
(capacitance / reference) ** exponent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from ..errors import ConfigError, unknown
from ..rows import finite, read_rows
from .channels import CHANNELS, COUPLED, EXTRA_CHANNELS

TEMPLATES = Path(__file__).with_name("templates.csv")
RECORDED = Path(__file__).with_name("recorded.csv")

CONDUCTANCES = (*(name for name in CHANNELS if name not in ("slo1", "slo2")), *COUPLED, *EXTRA_CHANNELS)
"""Every conductance that a membrane may have: 12 channels, two BK channels in two complexes each, extra channels."""

_PASSIVE = ("leak", "leak_reversal", "reference_capacitance", "pipette")


@dataclass(frozen=True)
class Membrane:
    """Whole-cell conductances of one neuron class.

    Attributes:
        template: template in templates.csv that they are taken from.
        conductances: channel (or coupled pair such as "slo1_egl19") -> total [nS].
        egl19_shift: shift of every EGL-19 gate [mV].
        leak: total [nS].
        leak_reversal: [mV].
        reference_capacitance: capacitance of the cell that has those totals [pF].
        axonal_nca: NCA distributed over the whole membrane instead of the soma [nS]; None except in AVB.
        expressed: channel gene -> factor on its conductances, 0 if it is knocked out.
        kinetics: channel -> RANGE parameter -> value, if a class differs from the parameter set.
        absent: conductances of the template whose genes the neuron does not express.
        heir: the expressed potassium channel that replaces their current at 0 mV.
        pipette: capacitance that the pipette added in the recording [pF]; it is no part of the neuron in the worm.
        densities: conductance or "leak" -> what an experimenter set it to, over the whole membrane [S/cm2]; it then
            grows with the area of the cell, and its total is not used.
    """

    template: str
    conductances: dict[str, float]
    egl19_shift: float
    leak: float
    leak_reversal: float
    reference_capacitance: float
    axonal_nca: float | None = None
    expressed: dict[str, float] = field(default_factory=dict)
    kinetics: dict[str, dict[str, float]] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    heir: str | None = None
    pipette: float = 0.0
    densities: dict[str, float] = field(default_factory=dict)

    def scale(self, capacitance: float, exponent: float) -> float:
        """Factor on every total for a cell of this capacitance [pF]."""
        return (capacitance / self.reference_capacitance) ** exponent

    def of_size(self, capacitance: float, exponent: float) -> Membrane:
        """The membrane with the totals of a cell of this capacitance [pF], which is then its reference."""
        factor = self.scale(capacitance, exponent)
        totals = {name: total * factor for name, total in self.conductances.items()}
        return replace(self, conductances=totals, leak=self.leak * factor, reference_capacitance=capacitance)

    def factor(self, channel: str) -> float:
        """Factor on the conductances of a channel gene [-]."""
        return self.expressed.get(channel, 1.0)

    def carries(self, channel: str) -> bool:
        """Whether a conductance of this membrane needs that channel (mechanism or gene)."""
        return any(channel_of(channel) in name.split("_") for name in self.conductances) or (
            channel_of(channel) == "nca" and self.template == "avb" and self.factor("nca") > 0.0
        )

    def has(self, conductance: str) -> bool:
        """Whether it has this conductance, named as in `conductances`, or "leak"."""
        return conductance == "leak" or conductance in self.conductances

    def driven_by(self, conductance: str) -> str | None:
        """The class-level parameter that sets a conductance all along the cell, as for AVB; None for all others."""
        return "avb_conductance" if self.template == "avb" and conductance in ("leak", "nca") else None

    def with_density(self, conductance: str, density: float) -> Membrane:
        """The same membrane with one conductance, or the leak, set to an absolute density [S/cm2]."""
        return replace(self, densities={**self.densities, conductance: density})

    def without(self, channel: str) -> Membrane:
        """The same membrane with one channel gene knocked out; see `scaled`."""
        return self.scaled(channel, 0.0)

    def scaled(self, channel: str, factor: float) -> Membrane:
        """The same membrane with the conductance of one channel scaled.

        A BK complex scales with the calcium channel that opens it as well as with its own gene.

        Args:
            channel: mechanism or gene: "egl19" or "egl-19".
            factor: on its conductances, at least 0.

        Raises:
            ConfigError: if the channel is neither one of the 14 nor one of the extra channels.
        """
        gene = channel_of(channel)
        before = self.conductances
        after = {name: value * (factor if gene in name.split("_") else 1.0) for name, value in before.items()}
        # A removed channel is left out; one that was declared without conductance is kept.
        kept = {name: value for name, value in after.items() if gene not in name.split("_") or factor > 0.0}
        own = {name: value for name, value in self.densities.items() if name == "leak" or name in kept}
        densities = {name: value * (factor if gene in name.split("_") else 1.0) for name, value in own.items()}
        expressed = {**self.expressed, gene: self.factor(gene) * factor}
        return replace(self, conductances=kept, densities=densities, expressed=expressed)


def channel_of(name: str) -> str:
    """Mechanism of a channel given as a mechanism or as a gene: "egl19" or "egl-19".

    Raises:
        ConfigError: if it is neither one of the 14 nor one of the extra channels.
    """
    channel = str(name).lower().replace("-", "")
    if channel not in CHANNELS + EXTRA_CHANNELS:
        raise ConfigError(unknown("channel", name, CHANNELS + EXTRA_CHANNELS))
    return channel


def conductance_of(name: str) -> str:
    """Conductance of a membrane given by its name or gene: "egl-19", "slo1_unc2" or "leak".

    Raises:
        ConfigError: if there is none, or if a BK channel is named without the calcium channel that opens it.
    """
    wanted = str(name).lower().replace("-", "")
    if wanted in (*CONDUCTANCES, "leak"):
        return wanted
    complexes = [each for each in COUPLED if each.startswith(f"{wanted}_")]
    if complexes:
        raise ConfigError(f"conductance '{name}' opens with a calcium channel: give {' or '.join(complexes)}")
    raise ConfigError(unknown("conductance", name, ["leak", *CONDUCTANCES]))


@cache
def recorded_neurons() -> dict[str, str]:
    """Template -> the neuron to whose recording, or published model, it was fitted on that neuron's tracing."""
    return {row["template"]: row["neuron"] for _, row in read_rows(RECORDED)}


@cache
def templates(path: Path | None = None) -> dict[str, Membrane]:
    """Every membrane template.

    Args:
        path: another table with the same columns.

    Raises:
        ConfigError: for a NaN, a negative conductance or an unknown quantity; the message gives the row.
    """
    return {name: as_membrane(name, values) for (name,), values in quantities(path or TEMPLATES, "template").items()}


def quantities(path: Path, *keys: str) -> dict[tuple[str, ...], dict[str, float]]:
    """The values of a table of membranes.

    Args:
        path: of a table with columns quantity, value and unit.
        keys: columns that together name a membrane.

    Returns:
        Names in the columns `keys` -> quantity -> value [nS, mV or pF].

    Raises:
        ConfigError: for a NaN, a negative conductance or an unknown quantity; the message gives the row.
    """
    known = {*CONDUCTANCES, *_PASSIVE, "egl19_shift"}
    found: dict[tuple[str, ...], dict[str, float]] = {}
    for where, row in read_rows(path):
        name, quantity = tuple(row[key] for key in keys), row["quantity"]
        if quantity not in known and quantity.split(".")[0] not in CHANNELS + EXTRA_CHANNELS:
            raise ConfigError(f"{where}: {unknown('quantity', quantity, sorted(known))}")
        what = f"{' '.join(name)} {quantity}"
        value = finite(row["value"], where, what, row["unit"])
        if value < 0 and row["unit"] in ("nS", "pF"):
            kind = "conductance" if row["unit"] == "nS" else "capacitance"
            raise ConfigError(f"{where}: {what} is {value:g} {row['unit']}; a {kind} cannot be negative")
        found.setdefault(name, {})[quantity] = value
    return found


def as_membrane(name: str, values: Mapping[str, float]) -> Membrane:
    """The membrane of a template's quantities [nS, mV, pF], as in a table of membranes."""
    values = dict(values)
    kinetics: dict[str, dict[str, float]] = {}
    for quantity in [each for each in values if "." in each]:
        channel, _, parameter = quantity.partition(".")
        kinetics.setdefault(channel, {})[parameter] = values.pop(quantity)
    return Membrane(
        template=name,
        kinetics=kinetics,
        egl19_shift=values.pop("egl19_shift", 0.0),
        pipette=values.pop("pipette", 0.0),
        leak=values.pop("leak", 0.0),
        leak_reversal=values.pop("leak_reversal", -60.0),
        reference_capacitance=values.pop("reference_capacitance"),
        conductances=values,
    )
