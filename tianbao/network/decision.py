"""The decision between forward and backward movement: what makes the command neurons two states of the network.

Off, AVA, AVD and AVE stay silent and the worm only moves forward. On, these three and RIM have a plateau current, RIM
inhibits AVB, SMD and RMD by tyramine, and synapses that excite by glutamate have a gain of their own (decision.csv).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from .. import anatomy
from ..cells.templates import Membrane
from ..rows import finite, number, read_rows
from ..sensing import FoodSense, receptors, table_senses
from ..typed import word_or_table

TABLE = Path(__file__).with_name("decision.csv")
OFF, NETWORK = "off", "network"
MODES = (OFF, NETWORK)
PLATEAU = "plateau"

# Classes with a plateau; each has values of its own, such as plateau_ava.
_COMMAND = "AVA", "AVD", "AVE", "RIM"
# Classes whose release has a value of its own, and its name.
_RELEASES = {
    "RIM": "tyramine_release_half",
    "AIY": "aiy_release_half",
    "AIZ": "aiz_release_half",
    "ADL": "nociceptor_release_half",
    "ASH": "nociceptor_release_half",
}


@cache
def rows() -> Mapping[str, Mapping[str, str]]:
    """Name -> row of decision.csv, with numbers under "value", "low" and "high"."""
    found = {}
    for where, row in read_rows(TABLE):
        name, unit = row["name"], row["unit"]
        limits = {each: finite(row[each], where, each, unit) for each in ("low", "high")}
        value = number(finite(row["value"], where, name, unit), where, name, unit, **limits)
        found[name] = {**row, **limits, "value": value}
    return found


@cache
def _sensory() -> frozenset[str]:
    """Neurons with a receptor of a field (sensing/receptors.csv), but of food: these give off amines."""
    senses = [sense for sense in table_senses() if sense != FoodSense.name]
    return frozenset(each.neuron for sense in senses for each in receptors(sense))


def _check(name: str, value: object) -> None:
    row = rows()[name]
    number(value, "decision", name, row["unit"], low=row["low"], high=row["high"])


@dataclass(frozen=True)
class Decision:
    """Whether the command neurons decide, and by which values.

    Attributes:
        on: whether they do.
        changed: names and values that differ from decision.csv.
    """

    on: bool = False
    changed: tuple[tuple[str, float], ...] = field(default=())

    @classmethod
    def of(cls, given: str | Mapping[str, float] | Decision) -> Decision:
        """The decision as a user gives it.

        Args:
            given: "off", "network", or a table of values that differ from decision.csv, such as {"tyramine_gain": 0.2}.

        Raises:
            ConfigError: for another word, an unknown name, or a value out of range.
        """
        if isinstance(given, Decision):
            return given
        found = word_or_table("decision", given, MODES, ("value", "values"), rows(), _check)
        return cls(found == NETWORK) if isinstance(found, str) else cls(True, tuple(found.items()))

    @property
    def option(self) -> str | dict[str, float]:
        """As a configuration holds it."""
        return dict(self.changed) or (NETWORK if self.on else OFF)

    def __getitem__(self, name: str) -> float:
        """A value, in the unit of decision.csv."""
        return dict(self.changed).get(name, rows()[name]["value"])

    def decides(self, neuron: str) -> bool:
        """Whether the decision is on and a neuron has a plateau: AVA, AVD, AVE and RIM."""
        return self.on and anatomy.neuron_class(neuron) in _COMMAND

    def release_half(self, neuron: str) -> float | None:
        """Voltage of half-maximal release of RIM, AIY, AIZ and sensory neurons if it is on [mV]; None of others."""
        if not self.on:
            return None
        own = _RELEASES.get(anatomy.neuron_class(neuron))
        if own is not None:
            return self[own]
        return self["sensory_release_half"] if neuron in _sensory() else None

    def with_plateau(self, base: Membrane, neuron: str) -> Membrane:
        """The membrane with the plateau current, if the neuron has one."""
        if not self.decides(neuron):
            return base
        own = anatomy.neuron_class(neuron).lower()
        total = self[f"plateau_{own}"] * base.factor(PLATEAU)
        if total == 0.0:
            return base
        half = self["plateau_half_avar" if neuron == "AVAR" else f"plateau_half_{own}"]
        gates = {
            "v_half_m": half, "slope_m": self["plateau_slope"], "tau_m": self["plateau_tau_rise"],
            "v_half_h": half + self["plateau_inactivation"], "slope_h": self["plateau_slope"],
            "tau_inactivate": self[f"plateau_tau_{own}"], "tau_recover": self["plateau_recovery"],
        }  # fmt: skip
        return replace(
            base, conductances={**base.conductances, PLATEAU: total}, kinetics={**base.kinetics, PLATEAU: gates}
        )
