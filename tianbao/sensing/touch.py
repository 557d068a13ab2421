"""Touch: how deep the body wall is pressed in at the ending of each mechanoreceptor neuron.

Two things press: what the body touches (obstacles, walls, other worms), and the experimenter. The body solver gives the
force of every contact exactly and for free, since it is part of the balance that each step solves. How far the wall
yields it does not give: its cross-sections are built to bend as a worm does, not to be dented as its cuticle is.
Indentation is therefore force over the stiffness of an animal's wall, spread along the body. What the neuron makes
of it is mod/mechanosensory.mod, in the membrane.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..anatomy import neurons
from ..anatomy.sides import SIDES, direction, share
from ..apparatus import Poke
from ..errors import ConfigError, unknown
from ..parameters import Parameters
from ..rows import finite, named_values, read_rows
from ..units import US_PER_NS
from .sense import Seen

TABLE = Path(__file__).with_name("touch.csv")
CONSTANTS = Path(__file__).with_name("touch_constants.csv")
UNIT = "um"
GROUPS = ("gentle", "harsh", "nose")
_STEEPEST = 20  # Hill coefficient
_SLACK = 1e-9  # [L] by which a place may miss the edge of a field


@dataclass(frozen=True)
class TouchReceptor:
    """A row of touch.csv: the ending of one mechanoreceptor neuron.

    Attributes:
        neuron: name.
        group: "gentle" (the six touch receptor neurons), "harsh" or "nose".
        front, back: of the receptive field, nose 0 to tail 1 [L].
        side: of the receptive field, one of `tianbao.anatomy.sides.SIDES`.
        site: body coordinate where its current enters the neuron.
        g: conductance with all channels open [nS].
        e: reversal potential [mV].
        k_half: strain that opens half of them [um].
        hill: Hill coefficient [-].
        tau_rise: time constant of opening [ms].
        tau: time constant of adaptation [ms].
        off: share of strain that counts when the wall is let go [-].
        tonic: share of an indentation that does not adapt [-].
        genes: without any one of them there is no current.
        source: of the numbers.
        certainty: of the least certain of them.
    """

    field: ClassVar[str] = "touch"
    unit: ClassVar[str] = UNIT
    mechanism: ClassVar[str] = "Mechanosensory"

    neuron: str
    group: str
    front: float
    back: float
    side: str
    site: float
    g: float
    e: float
    k_half: float
    hill: float
    tau_rise: float
    tau: float
    off: float
    tonic: float
    genes: tuple[str, ...]
    source: str
    certainty: str

    def mechanism_parameters(self, parameters: Parameters | None = None) -> dict[str, float]:
        """Parameters of a Mechanosensory, in the units of mod/mechanosensory.mod.

        Args:
            parameters: of the worm; nothing of touch depends on them.
        """
        same = "e", "k_half", "hill", "tau_rise", "tau", "off", "tonic"
        return {"g_max": self.g * US_PER_NS, **{name: getattr(self, name) for name in same}}

    def felt(self, poke: Poke) -> float:
        """How much of a stimulus of the experimenter reaches this ending [-], 0 to 1."""
        if poke.gentle_only and self.group != "gentle":
            return 0.0
        if poke.front > self.back + _SLACK or poke.back < self.front - _SLACK:
            return 0.0
        return share(self.side, *direction(poke.side)) if poke.side else 1.0


class TouchSense:
    """The `Sense` of touch: the deepest indentation in the receptive field of each ending.

    Attributes:
        name: "touch".
        receptors: in the order of the input.

    Limitations: channels all along a neurite are one population that feels the deepest indentation; a contact or
    stimulus that is shorter than a tick of the loop may be missed; the worm does not feel where it touches itself,
    nor the level ground that it lies on.
    """

    name = "touch"

    def __init__(self, of: Sequence[TouchReceptor] | None = None, pokes: Sequence[Poke] = ()) -> None:
        """
        Args:
            of: receptors; those of touch.csv when None.
            pokes: what the experimenter does.
        """
        self.receptors = touch_receptors() if of is None else tuple(of)
        shares = [[each.felt(poke) * poke.indentation for each in self.receptors] for poke in pokes]
        self._pokes = tuple(zip(pokes, map(np.array, shares), strict=True))
        self._side = np.array([SIDES.index(each.side) for each in self.receptors])
        self._rings, self._within, self._spread = 0, np.empty(0), np.empty(0)

    def write(self, seen: Seen, out: np.ndarray) -> None:
        """Indentation at every ending, by contact and by the experimenter together.

        Args:
            seen: of which the load of contacts and the time are read.
            out: filled [um], shape (receptors,).
        """
        out[:] = 0.0
        if seen.load is not None and seen.load.any():
            out += self._pressed(seen.load)
        for poke, indentation in self._pokes:
            if poke.start <= seen.time < poke.stop:
                out += indentation

    def _pressed(self, load: np.ndarray) -> np.ndarray:
        """Indentation by contacts [um], shape (receptors,).

        Args:
            load: on each ring and side [uN], shape (rings, sides).
        """
        if len(load) != self._rings:
            self._lay_out(len(load))
        indentation = self._spread @ load
        return np.where(self._within, indentation[:, self._side].T, 0.0).max(axis=1)

    def _lay_out(self, rings: int) -> None:
        """Which rings each field covers, and by how much the wall yields at one under a force on another [um/uN]."""
        s, constants = np.linspace(0.0, 1.0, rings), touch_constants()
        ends = np.array([[each.front, each.back] for each in self.receptors]) + [-_SLACK, _SLACK]
        self._within = (s >= ends[:, :1]) & (s <= ends[:, 1:])
        apart = np.abs(s[:, None] - s) / constants["spread"]
        self._spread = np.exp(-apart) / constants["stiffness"]
        self._rings = rings

    def adapt(self, seen: Seen) -> None:
        """Nothing to do: adaptation is part of the membrane."""

    def state(self) -> dict[str, np.ndarray]:
        """Nothing is kept here."""
        return {}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """There is nothing to restore."""


@cache
def touch_constants(path: Path = CONSTANTS) -> Mapping[str, float]:
    """What is common to all endings: stiffness of the wall [uN/um], its spread [L], usual stimuli [um, ms].

    Raises:
        ConfigError: for a value that is not a number.
    """
    return named_values(path)


@cache
def touch_genes() -> dict[str, tuple[str, ...]]:
    """Gene -> neurons whose touch current needs it."""
    found: dict[str, tuple[str, ...]] = {}
    for each in touch_receptors():
        for gene in each.genes:
            found[gene] = (*found.get(gene, ()), each.neuron)
    return found


@cache
def touch_receptors(path: Path = TABLE) -> tuple[TouchReceptor, ...]:
    """Every ending that is touched, in the order of its row.

    Args:
        path: of the table.

    Raises:
        ConfigError: for an unknown neuron, group or side, a number out of range, two rows for one neuron, or a row
            without source or certainty.
    """
    known, found = neurons().index, {}
    for where, row in read_rows(path):
        for what, name, among in (
            ("neuron", row["neuron"], known),
            ("group", row["group"], GROUPS),
            ("side", row["side"], SIDES),
        ):
            if name not in among:
                raise ConfigError(f"{where}: {unknown(what, name, among)}")
        if row["neuron"] in found:
            raise ConfigError(f"{where}: {row['neuron']} has two rows")
        found[row["neuron"]] = _receptor(row, where)
    return tuple(found.values())


_NUMBERS = {
    "front": ("front", "L"), "back": ("back", "L"), "site": ("site_s", "L"), "g": ("g_nS", "nS"), "e": ("e_mV", "mV"),
    "k_half": ("k_half_um", UNIT), "hill": ("hill", ""), "tau_rise": ("tau_rise_ms", "ms"), "tau": ("tau_ms", "ms"),
    "off": ("off", ""), "tonic": ("tonic", ""),
}  # fmt: skip
"""Attribute -> column of the table and its unit."""


def _receptor(row: Mapping[str, str], where: str) -> TouchReceptor:
    for column in ("source", "certainty"):
        if not row[column].strip():
            raise ConfigError(f"{where}: '{column}' is empty")
    n = {name: finite(row[column], where, column, unit) for name, (column, unit) in _NUMBERS.items()}
    for fine, what in (
        (0.0 <= n["front"] < n["back"] <= 1.0, "need 0 <= front < back <= 1"),
        (0.0 <= n["site"] <= 1.0, "site_s must be 0 (nose) to 1 (tail)"),
        (n["g"] >= 0.0, "g_nS cannot be negative"),
        (n["k_half"] > 0.0, "k_half_um must be positive"),
        (0.0 < n["hill"] <= _STEEPEST, f"hill must be positive and {_STEEPEST} at most"),
        (n["tau_rise"] > 0.0, "tau_rise_ms must be positive"),
        (n["tau"] > 0.0, "tau_ms must be positive"),
        (0.0 <= n["off"] <= 1.0, "off is a share from 0 to 1"),
        (0.0 <= n["tonic"] <= 1.0, "tonic is a share from 0 to 1"),
    ):
        if not fine:
            raise ConfigError(f"{where}: {what}")
    names = {name: row[name] for name in ("neuron", "group", "side", "source", "certainty")}
    return TouchReceptor(**names, **n, genes=tuple(row["genes"].split()))
