"""The experimenter's tools that a cell carries: voltage clamp, light-gated and ligand-gated channels."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..cells.geometry import CellGeometry
from ..errors import ConfigError, shorten
from ..rows import named_values, number, read_rows
from ..units import US_PER_NS

TABLE = Path(__file__).with_name("tools.csv")
GENES = Path(__file__).with_name("genes.csv")
OPSINS = Path(__file__).with_name("opsins.csv")
# A time that NEURON's clock never reaches [ms]: the end of what has none.
NEVER = 1e15
_MOST = 1e5  # [nS] of one conductance; a clamp has 1000

CHANNELS = ("cation", "chloride")
"""Channels that light may open: one that excites, one that silences."""


@dataclass(frozen=True)
class SwitchedConductance:
    """A conductance in one neuron that is open for a while.

    Attributes:
        neuron: name.
        total: whole-cell conductance [nS].
        reversal: [mV].
        start, stop: [ms].
        tau_on, tau_off: opening and closing time [ms].
        everywhere: spread over the membrane by area; at the soma alone otherwise.
        driven: opened by the light of `Simulation.step` instead of from start to stop.
    """

    neuron: str
    total: float
    reversal: float
    start: float
    stop: float
    tau_on: float
    tau_off: float
    everywhere: bool
    driven: bool = False

    def __post_init__(self) -> None:
        number(self.total, self.neuron, "conductance", "nS", high=_MOST)
        number(self.reversal, self.neuron, "voltage", "mV")
        number(self.start, self.neuron, "start", "ms")
        what = f"{self.neuron}: conductance of {self.total} nS at {self.reversal} mV, {self.start} to {self.stop} ms"
        if not self.total > 0:
            raise ConfigError(f"{what}: the conductance must be positive")
        if not 0 <= self.start < self.stop:
            raise ConfigError(f"{what}: need 0 <= start < stop")
        if not abs(self.reversal) < 300.0:
            raise ConfigError(f"{what}: {self.reversal:g} mV is outside the physiological range; give mV")


def clamp(neuron: str, voltage: float, start: float, stop: float) -> SwitchedConductance:
    """Voltage clamp of a soma [mV], from start to stop [ms]."""
    total, tau = _value("clamp_conductance") / US_PER_NS, _value("clamp_tau")
    return SwitchedConductance(neuron, total, voltage, start, _end(stop), tau, tau, everywhere=False)


def channel(
    kind: str,
    neuron: str,
    conductance: float | None,
    start: float = 0.0,
    stop: float = math.inf,
    driven: bool = False,
) -> SwitchedConductance:
    """A channel all over a neuron that light, or a ligand, opens.

    Args:
        kind: one of `CHANNELS`, or a tool of opsins.csv.
        neuron: name.
        conductance: whole-cell, fully open [nS]; that of tools.csv when None.
        start, stop: [ms]
        driven: by the light of `Simulation.step`, instead of from start to stop.

    Raises:
        ConfigError: for an unknown kind, or a value out of range.
    """
    kind = channel_named(kind)
    names = ("reversal", "tau_on", "tau_off")
    reversal, tau_on, tau_off = (_value(f"{kind}_{name}") for name in names)
    total = _value(f"{kind}_conductance") if conductance is None else conductance
    return SwitchedConductance(neuron, total, reversal, start, _end(stop), tau_on, tau_off, True, driven)


def channel_named(name: str) -> str:
    """The channel of `CHANNELS` that a tool such as "ChR2" or "GtACR1" stands for; see opsins.csv.

    Raises:
        ConfigError: for any other name. None is suggested for its spelling: the wrong one would invert an experiment.
    """
    if isinstance(name, str) and name in CHANNELS:
        return name
    row = _opsins().get(re.sub(r"\(.*\)|[^a-z0-9]", "", name.lower())) if isinstance(name, str) else None
    if row and row["channel"]:
        return row["channel"]
    there = "'cation' (excites: ChR2, Chrimson) and 'chloride' (silences: GtACR, HisCl1)"
    what = f"'{shorten(name)}' {row['sign']}, which is not modelled" if row else f"unknown '{shorten(name)}'"
    raise ConfigError(f"light-gated channel: {what}; there are {there}")


@cache
def _opsins() -> dict[str, dict[str, str]]:
    return {row["name"]: row for _, row in read_rows(OPSINS)}


def _end(stop: float) -> float:
    return min(number(stop, "conductance", "stop", "ms", endless=True), NEVER)


def insert(
    conductances: Sequence[SwitchedConductance],
    cells: Mapping[str, CellGeometry],
    sections: dict[str, dict],
    name: str = "switched",
) -> None:
    """Add the point processes of switched conductances to NetPyNE cells, in place.

    Args:
        conductances: of any neurons.
        cells: geometry of every neuron.
        sections: neuron -> section dictionaries.
        name: by which they are found again.
    """
    for index, each in enumerate(conductances):
        for k, (section, loc, share) in enumerate(_sites(each, cells[each.neuron])):
            sections[each.neuron][section].setdefault("pointps", {})[f"{name}_{index}_{k}"] = {
                "mod": "SwitchedConductance",
                "loc": loc,
                "g_max": each.total * share * US_PER_NS,
                "e": each.reversal,
                "start": each.start,
                "stop": each.stop,
                "tau_on": each.tau_on,
                "tau_off": each.tau_off,
                "driven": float(each.driven),
            }


def _sites(each: SwitchedConductance, cell: CellGeometry) -> list[tuple[str, float, float]]:
    if not each.everywhere:
        return [("soma", 0.5, 1.0)]
    area = cell.compartment_areas
    return [(*cell.sites[k], float(part)) for k, part in enumerate(area / area.sum())]


@cache
def _values(path: Path) -> dict[str, float]:
    return named_values(path)


def _value(name: str) -> float:
    return _values(TABLE)[name]


@cache
def release_genes() -> dict[str, str]:
    """Gene -> transmitter whose release needs it, "*" for all; see genes.csv."""
    return {row["gene"]: row["transmitter"] for _, row in read_rows(GENES)}
