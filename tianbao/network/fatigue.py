"""Synapses that tire: which neurons use up the vesicles that they release, and how fast these come back (fatigue.csv).

Off, no synapse has a memory. On, the chemical synapses of some classes are TiringSynapses (mod/tiring_synapse.mod):
two pools in series, the releasable one refilled within seconds from a reserve that recovers within minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .. import anatomy
from ..errors import ConfigError, unknown
from ..rows import finite, number, read_rows
from ..typed import word_or_table
from ..units import MS_PER_S

TABLE = Path(__file__).with_name("fatigue.csv")
OFF, TOUCH = "off", "touch"
MODES = (OFF, TOUCH)
ANY = "*"
"""Row of the table for classes that have none of their own."""
_MOST_USE = 100.0  # [1/s], above which the releasable pool is gone before the postsynaptic conductance has risen

_NUMBERS = {"use": ("use_per_s", "1/s"), "refill": ("refill_s", "s"), "reserve": ("reserve", ""),
            "recycle": ("recycle_s", "s")}  # fmt: skip
"""Attribute -> column of the table and its unit."""


@dataclass(frozen=True)
class Pools:
    """A row of fatigue.csv: the vesicles behind the synapses of one class.

    Attributes:
        use: rate at which full release empties the releasable pool [1/s].
        refill: time constant with which the reserve refills it [s].
        reserve: size of the reserve, in releasable pools [-].
        recycle: time constant with which the reserve recovers [s].
    """

    use: float
    refill: float
    reserve: float
    recycle: float

    def mechanism_parameters(self) -> dict[str, float]:
        """Parameters of a TiringSynapse, in the units of mod/tiring_synapse.mod."""
        return {
            "use": self.use / MS_PER_S, "refill": self.refill * MS_PER_S, "reserve": self.reserve,
            "recycle": self.recycle * MS_PER_S,
        }  # fmt: skip


@cache
def pools(path: Path = TABLE) -> Mapping[str, Pools]:
    """Class of neurons, or `ANY`, -> its pools.

    Args:
        path: of the table.

    Raises:
        ConfigError: for an unknown class, two rows for one class, a number out of range, a row without source or
            certainty, or a table without a row for all others.
    """
    known, found = (ANY, *sorted(set(anatomy.neurons()["class"]))), {}
    for where, row in read_rows(path):
        name = row["class"]
        if name not in known:
            raise ConfigError(f"{where}: {unknown('class', name, known)}")
        if name in found:
            raise ConfigError(f"{where}: {name} has two rows")
        for column in ("source", "certainty"):
            if not row[column].strip():
                raise ConfigError(f"{where}: '{column}' is empty")
        read = {key: finite(row[column], where, column, unit) for key, (column, unit) in _NUMBERS.items()}
        if read["use"] < 0.0 or min(read["refill"], read["reserve"], read["recycle"]) <= 0.0:
            raise ConfigError(f"{where}: use_per_s cannot be negative, and all others must be positive")
        found[name] = Pools(**read)
    if ANY not in found:
        raise ConfigError(f"{path.name}: there is no row '{ANY}' for classes without one of their own")
    return found


def _check(name: str, use: object) -> None:
    number(use, "fatigue", name, "1/s", low=0.0, high=_MOST_USE)


@dataclass(frozen=True)
class Fatigue:
    """Which synapses tire.

    Attributes:
        uses: class of neurons and the use of its releasable pool at full release [1/s]; none for no fatigue.
        named: the word by which a user chose them, "" for a table.
    """

    uses: tuple[tuple[str, float], ...] = ()
    named: str = OFF

    @classmethod
    def of(cls, given: str | Mapping[str, float] | Fatigue) -> Fatigue:
        """The fatigue as a user gives it.

        Args:
            given: "off"; "touch", for the classes of fatigue.csv; or a table of classes and their use [1/s], such as
                {"ALM": 2.0}, for these alone.

        Raises:
            ConfigError: for another word, an unknown class, or a use out of range.
        """
        if isinstance(given, Fatigue):
            return given
        classes = sorted(set(anatomy.neurons()["class"]))
        found = word_or_table("fatigue", given, MODES, ("class", "classes"), classes, _check)
        if isinstance(found, str):
            rows = pools().items() if found == TOUCH else ()
            return cls(tuple((name, each.use) for name, each in rows if name != ANY), found)
        return cls(tuple(found.items()), "")

    @property
    def on(self) -> bool:
        """Whether any synapse tires."""
        return bool(self.uses)

    @property
    def option(self) -> str | dict[str, float]:
        """As a configuration holds it."""
        return self.named or dict(self.uses)

    def tiring(self, neuron: str) -> str | None:
        """The class of a neuron if its synapses tire, None if they do not."""
        own = anatomy.neuron_class(neuron)
        return own if own in dict(self.uses) else None

    def pools_of(self, name: str) -> Pools:
        """Pools of a class that tires.

        Args:
            name: of the class, as `tiring` gives it.
        """
        table = pools()
        row = table.get(name, table[ANY])
        return Pools(dict(self.uses)[name], row.refill, row.reserve, row.recycle)
