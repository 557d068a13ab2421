"""The channels of each neuron: class -> template -> declared -> expressed, every row with its source.

Active channels are in the soma (motor neurons are 80-100 % isopotential); the leak covers the
whole membrane. Totals in nS are for a cell of the template's reference capacitance and are
scaled to a cell by (capacitance / reference) ** exponent.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np

from ..errors import ConfigError, unknown
from ..rows import finite, read_rows
from ..units import density_s_per_cm2
from .channels import CHANNELS, COUPLED, EXTRA_CHANNELS, parameters
from .declared import class_row, declared_values, kept_channels
from .expression import absent, level, share_of_class
from .geometry import CellGeometry, constants
from .steady import GRID, open_share, rest_of, reversal
from .steady import conductances as steady_conductances

TEMPLATES = Path(__file__).with_name("templates.csv")

CONDUCTANCES = (*(name for name in CHANNELS if name not in ("slo1", "slo2")), *COUPLED, *EXTRA_CHANNELS)
"""Every conductance that a membrane may have: 12 channels, two BK channels in two complexes each, extra channels."""

MASKED = True
"""Whether channels whose genes a neuron does not express are absent from its membrane."""

# Potassium channels that do not inactivate, and a voltage [mV] at which the calcium channels are open.
_SUSTAINED = ("kqt3", "egl36", "egl2", "slo1_egl19", "slo2_egl19")
_PLATEAU = 0.0

_PASSIVE = ("leak", "leak_reversal", "reference_capacitance")


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

    def scale(self, capacitance: float, exponent: float) -> float:
        """Factor on every total for a cell of this capacitance [pF]."""
        return (capacitance / self.reference_capacitance) ** exponent

    def factor(self, channel: str) -> float:
        """Factor on the conductances of a channel gene [-]."""
        return self.expressed.get(channel, 1.0)

    def carries(self, channel: str) -> bool:
        """Whether a conductance of this membrane needs that channel (mechanism or gene)."""
        return any(channel_of(channel) in name.split("_") for name in self.conductances) or (
            channel_of(channel) == "nca" and self.template == "avb" and self.factor("nca") > 0.0
        )

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
        return replace(self, conductances=kept, expressed={**self.expressed, gene: self.factor(gene) * factor})


def channel_of(name: str) -> str:
    """Mechanism of a channel given as a mechanism or as a gene: "egl19" or "egl-19".

    Raises:
        ConfigError: if it is neither one of the 14 nor one of the extra channels.
    """
    channel = str(name).lower().replace("-", "")
    if channel not in CHANNELS + EXTRA_CHANNELS:
        raise ConfigError(unknown("channel", name, CHANNELS + EXTRA_CHANNELS))
    return channel


@cache
def templates(path: Path | None = None) -> dict[str, Membrane]:
    """Every membrane template.

    Args:
        path: another table with the same columns.

    Raises:
        ConfigError: for a NaN, a negative conductance or an unknown quantity; the message gives the row.
    """
    path = path or TEMPLATES
    known = {*CONDUCTANCES, *_PASSIVE, "egl19_shift"}
    found: dict[str, dict[str, float]] = {}
    for where, row in read_rows(path):
        name, quantity = row["template"], row["quantity"]
        if quantity not in known and quantity.split(".")[0] not in CHANNELS + EXTRA_CHANNELS:
            raise ConfigError(f"{where}: {unknown('quantity', quantity, sorted(known))}")
        value = finite(row["value"], where, f"{name} {quantity}", row["unit"])
        if value < 0 and row["unit"] in ("nS", "pF"):
            what = "conductance" if row["unit"] == "nS" else "capacitance"
            raise ConfigError(f"{where}: {name} {quantity} is {value:g} {row['unit']}; a {what} cannot be negative")
        found.setdefault(name, {})[quantity] = value
    return {name: _membrane(name, values) for name, values in found.items()}


def _membrane(name: str, values: dict[str, float]) -> Membrane:
    kinetics: dict[str, dict[str, float]] = {}
    for quantity in [each for each in values if "." in each]:
        channel, _, parameter = quantity.partition(".")
        kinetics.setdefault(channel, {})[parameter] = values.pop(quantity)
    return Membrane(
        template=name,
        kinetics=kinetics,
        egl19_shift=values.pop("egl19_shift", 0.0),
        leak=values.pop("leak", 0.0),
        leak_reversal=values.pop("leak_reversal", -60.0),
        reference_capacitance=values.pop("reference_capacitance"),
        conductances=values,
    )


def declared_release_half(neuron: str) -> float | None:
    """Voltage of half-maximal release declared for a neuron [mV]; None if the general value applies."""
    return declared_values(neuron).get("release_half")


def membrane(neuron: str, declared: bool = True, masked: bool | None = None) -> Membrane:
    """Membrane of a neuron: the template of its class, modified by declared values and expression.

    Args:
        neuron: name.
        declared: False gives the nearest recorded cell as fitted, without the deviations declared for the
            closed loop and without removing channels.
        masked: whether channels whose genes the neuron does not express are absent; `MASKED` if None.

    Raises:
        ConfigError: for an unknown name in classes.csv or declared.csv.
    """
    return _membrane_of(neuron, declared, MASKED if masked is None else masked)


@cache
def _membrane_of(neuron: str, declared: bool, masked: bool) -> Membrane:
    row = class_row(neuron)
    name = row["template" if declared else "recorded"]
    if name not in templates():
        raise ConfigError(f"{row['where']}: {unknown('template', name, templates())}")
    base = templates()[name]
    if not declared:
        return base
    base = _with_declared(base, neuron)
    return _as_expressed(base, neuron) if masked else base


def _with_declared(base: Membrane, neuron: str) -> Membrane:
    values = declared_values(neuron)
    own = {name: values[name] for name in ("leak", "leak_reversal", "egl19_shift") if name in values}
    totals = {**base.conductances, **{name: values[name] for name in values if name in CONDUCTANCES}}
    # A channel declared 0 is left out rather than kept without conductance.
    totals = {name: total for name, total in totals.items() if total > 0.0 or values.get(name) != 0.0}
    return replace(base, **own, conductances=totals)


def _as_expressed(base: Membrane, neuron: str) -> Membrane:
    kept = kept_channels(neuron)
    gone = frozenset(name for name in base.conductances if name not in kept and absent(neuron, name))
    if gone:
        base = compensate(base, gone, _heir(base, neuron, gone))
    if "class_share" in declared_values(neuron):
        return base
    shared = {name: value * share_of_class(neuron, name) for name, value in base.conductances.items()}
    return replace(base, conductances=shared)


def _heir(base: Membrane, neuron: str, gone: frozenset[str]) -> str | None:
    """Expressed sustained potassium channel that can compensate: preferably one of the template, then by mRNA level."""
    calcium = "egl19" in base.conductances and "egl19" not in gone
    possible = [name for name in _SUSTAINED if (calcium or "_" not in name) and level(neuron, name)]
    return max(possible, key=lambda name: (name in base.conductances, level(neuron, name)), default=None)


def compensate(base: Membrane, gone: frozenset[str], heir: str | None) -> Membrane:
    """Remove conductances from a membrane and compensate so that its steady current is unchanged at two voltages.

    The I-V curve of the recorded cell is data, whichever channel carries the current. At rest, the leak replaces the
    current of the absent channels, as a background conductance (TWK channels, outside the 14) would. At 0 mV, where
    the calcium channels are open, an expressed sustained potassium channel replaces their total current, if that
    was outward. At all other voltages, the voltage dependence is that of the channels that are expressed.

    Args:
        base: the membrane.
        gone: conductances to remove.
        heir: the sustained potassium channel; None leaves the calcium channels unopposed.
    """
    kept = {name: value for name, value in base.conductances.items() if name not in gone}
    without = replace(base, conductances=kept, absent=gone)
    rest = rest_of(base)
    if rest is None:
        return without
    curves = {name: curve for name, curve in steady_conductances(base).items() if name in gone}
    resting = {name: float(np.interp(rest, GRID, curve)) for name, curve in curves.items()}
    missing = sum(
        (float(np.interp(_PLATEAU, GRID, curve)) - resting[name]) * (_PLATEAU - reversal(name))
        for name, curve in curves.items()
    )
    if missing <= 0.0:
        heir = None
    if heir is not None:
        open_at = open_share(heir, np.array([rest, _PLATEAU]), base.egl19_shift)
        # The leak need not carry what the heir carries at rest.
        total = float(missing / ((open_at[1] - open_at[0]) * (_PLATEAU - reversal(heir))))
        kept[heir] = kept.get(heir, 0.0) + total
        resting[heir] = resting.get(heir, 0.0) - total * float(open_at[0])
    leak = base.leak + sum(resting.values())
    driven = base.leak * base.leak_reversal + sum(value * reversal(name) for name, value in resting.items())
    if leak < 0.0:
        # The heir would carry more current at rest than was removed: preserving the rest takes precedence.
        return compensate(base, gone, None)
    if leak == 0.0:
        return without
    return replace(without, conductances=kept, leak=leak, leak_reversal=driven / leak, heir=heir)


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
        exponent: with which conductances increase with capacitance.
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
        channel, parameter = COUPLED.get(name, (name, "gbar"))
        own = {**parameters(channel, channel_set), **membrane.kinetics.get(channel, {})}
        mechanism = soma["mechs"].setdefault(channel, own)
        mechanism[parameter] = mechanism.get(parameter, 0.0) + density_s_per_cm2(total * factor, soma_area)
        if channel in ("egl19", "slo1", "slo2"):
            mechanism["shift"] = membrane.egl19_shift
    if {"egl19", "unc2", "cca1"} & set(soma["mechs"]):
        # The soma carries the calcium current of the whole cell, so its pool is the shell of the whole cell.
        soma["mechs"]["ca_pool"] = {"depth": constants()["pool_depth"] * cell.area / soma_area}
        soma["ions"] = {"ca": {"e": constants()["reversal_calcium"]}}
    soma.setdefault("ions", {})["k"] = {"e": constants()["reversal_potassium"]}
