"""What every sense has in common: what it sees of the world, the table of its receptors, its part of the brain's input.

A sense turns what is around one worm into one number per receptor. `name` is that of its slice of the input vector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np

from ..anatomy import neurons
from ..environment import Arena
from ..environment.fields import UNITS
from ..errors import ConfigError, unknown
from ..parameters import Parameters, defaults
from ..rows import finite, read_rows
from ..units import NA_PER_PA

TABLE = Path(__file__).with_name("receptors.csv")

_POLARITIES = (-1.0, 0.0, 1.0)
_STEEPEST = 20  # Hill coefficient, beyond which powers of a field leave the range of numbers
_OPTIONAL = (
    ("hill", "hill", 1.0),
    ("tau_rise", "tau_rise_ms", 0.0),
    ("weber", "weber", 0.0),
    ("tonic", "tonic", 0.0),
    ("origin", "origin", 0.0),
    ("whole", "whole_pA", 0.0),
    ("open", "open", 0.5),
)
"""What a row of the table may leave empty: attribute, column and usual value."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the senses of one worm see at one moment.

    Attributes:
        time: [ms].
        bend: kappa L at the positions of the body's curvature, shape (positions,).
        midline: centres of the body's rings, head first [mm], shape (rings, 3).
        arena: with its fields.
        load: of contacts on each ring and side, in the order of `anatomy.sides.SIDES` [uN], shape (rings, sides); None
            where nothing can be touched.
    """

    time: float
    bend: np.ndarray
    midline: np.ndarray
    arena: Arena
    load: np.ndarray | None = None


class Sense(Protocol):
    """One sense of one worm.

    Attributes:
        name: of its slice of the input vector, such as "stretch" or "chemical".
        receptors: in the order of that slice; each names its `neuron`.
    """

    name: str
    receptors: tuple

    def write(self, seen: Seen, out: np.ndarray) -> None:
        """Fill the input of every receptor, shape (receptors,)."""

    def adapt(self, seen: Seen) -> None:
        """Adapt for one tick; called once per tick, after `write`."""

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that `adapt` changes."""

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore a state."""


@dataclass(frozen=True)
class Receptor:
    """A row of receptors.csv: one ending of one neuron that turns a field into a current.

    Attributes:
        neuron: name.
        field: substance that it reads.
        unit: of the field and of `k_half`.
        site: body coordinate of the ending, nose 0 to tail 1.
        gain: current per unit of change of occupancy, inward where positive [pA].
        k_half: value of the field that occupies half of the receptors, above `origin` [unit].
        tau: time constant of adaptation [ms].
        polarity: answers to +1 a rise of occupancy only, -1 a fall only, 0 both, with opposite currents.
        source: of the numbers.
        certainty: of the least certain of them.
        hill: Hill coefficient of occupancy, negative where it rises as the field falls.
        tau_rise: time constant with which occupancy follows the field [ms]; 0 for at once.
        weber: by how much of the adapted background `k_half` grows.
        tonic: share of the answer that does not adapt.
        origin: value below which nothing is sensed [unit]; of a temperature, counted from that of cultivation.
        whole: current of all transduction channels [pA]; 0 where the answer is not limited.
        open: share of them that is open at rest.
    """

    mechanism: ClassVar[str] = "SensoryTransduction"

    neuron: str
    field: str
    unit: str
    site: float
    gain: float
    k_half: float
    tau: float
    polarity: float
    source: str
    certainty: str
    hill: float = 1.0
    tau_rise: float = 0.0
    weber: float = 0.0
    tonic: float = 0.0
    origin: float = 0.0
    whole: float = 0.0
    open: float = 0.5

    def mechanism_parameters(self, parameters: Parameters | None = None) -> dict[str, float]:
        """Parameters of a SensoryTransduction, in the units of mod/sensory_transduction.mod.

        Args:
            parameters: of the worm, with the temperature of its cultivation; the defaults when None.
        """
        grown = (parameters or defaults()).cultivation_temperature if self.unit == "degC" else 0.0
        same = "k_half", "hill", "tau", "tau_rise", "weber", "tonic", "polarity", "open"
        values = {name: getattr(self, name) for name in same}
        currents = {"gain": self.gain * NA_PER_PA, "whole": self.whole * NA_PER_PA}
        return {**currents, "origin": grown + self.origin, **values}


@cache
def table_senses(path: Path = TABLE) -> tuple[str, ...]:
    """Senses whose receptors are rows of a table, in the order in which they come there."""
    return tuple(dict.fromkeys(row["sense"] for _, row in read_rows(path)))


@cache
def sense_units(path: Path = TABLE) -> dict[str, str]:
    """Sense -> unit of what it reads."""
    return {row["sense"]: row["unit"] for _, row in read_rows(path)}


@cache
def receptors(sense: str, path: Path = TABLE) -> tuple[Receptor, ...]:
    """Receptors of one sense, in the order of their rows.

    Args:
        sense: name, as in the column of that name.
        path: of the table.

    Raises:
        ConfigError: for an unknown neuron, a number out of range, two rows for one neuron and field, or a row without
            source or certainty.
    """
    known, found = neurons().index, {}
    for where, row in read_rows(path):
        if row["sense"] != sense:
            continue
        each = _receptor(row, where)
        if each.neuron not in known:
            raise ConfigError(f"{where}: {unknown('neuron', each.neuron, known)}")
        if (each.neuron, each.field) in found:
            raise ConfigError(f"{where}: {each.neuron} has two receptors for {each.field}")
        found[each.neuron, each.field] = each
    return tuple(found.values())


def _receptor(row: Mapping[str, str], where: str) -> Receptor:
    for column in ("field", "unit", "source", "certainty"):
        if not (row[column] or "").strip():
            raise ConfigError(f"{where}: '{column}' is empty")
    if row["unit"] not in UNITS:
        raise ConfigError(f"{where}: {unknown('unit', row['unit'], UNITS)}")
    units = {"site_s": "", "gain_pA": "pA", "k_half": row["unit"], "tau_ms": "ms", "polarity": ""}
    site, gain, half, tau, polarity = (finite(row[name], where, name, unit) for name, unit in units.items())
    more = {name: finite(row.get(column) or usual, where, column) for name, column, usual in _OPTIONAL}
    for fine, what in (
        (0.0 <= site <= 1.0, "site_s must be 0 (nose) to 1 (tail)"),
        (half > 0.0, "k_half must be positive"),
        (tau > 0.0, "tau_ms must be positive"),
        (polarity in _POLARITIES, "polarity is 1 (a rise), -1 (a fall) or 0 (both)"),
        (0.0 < abs(more["hill"]) <= _STEEPEST, f"hill must be {_STEEPEST} at most and not 0"),
        (more["tau_rise"] >= 0.0, "tau_rise_ms cannot be negative"),
        (more["weber"] >= 0.0, "weber cannot be negative"),
        (0.0 <= more["tonic"] <= 1.0, "tonic is a share from 0 to 1"),
        (more["whole"] >= 0.0, "whole_pA cannot be negative"),
        (0.0 < more["open"] < 1.0, "open is a share between 0 and 1"),
    ):
        if not fine:
            raise ConfigError(f"{where}: {what}")
    named = (row["neuron"], row["field"], row["unit"])
    return Receptor(*named, site, gain, half, tau, polarity, row["source"], row["certainty"], **more)
