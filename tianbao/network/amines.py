"""Amines and peptides: which neurons give them off, which receptors answer, and what that changes.

The tables are amine_sources.csv and amines.csv. Off, no neuron releases an amine but RIM at its synapses, and food is
not felt. On, each amine and peptide has a level that follows the voltages of its neurons, and every cell that carries
a receptor is reached: by diffusion, wherever it lies.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path

import pandas as pd

from .. import anatomy
from ..errors import ConfigError, unknown
from ..parameters import Parameters
from ..rows import finite, number, read_rows
from ..typed import word_or_table
from .tools import NEVER, SwitchedConductance
from .wiring import input_scale

SOURCES = Path(__file__).with_name("amine_sources.csv")
EFFECTS = Path(__file__).with_name("amines.csv")
OFF, ON = "off", "on"
MODES = (OFF, ON)
RELEASE, SECRETION, CHLORIDE = "release", "secretion", "chloride"

_UNITS = {RELEASE: "-", SECRETION: "-", CHLORIDE: "nS"}
_EVERYWHERE = "*"
# Before classes that carry a receptor by the source of the row, and not by the tables of the connectome.
_BEYOND = "+"
# A receptor that was not found, although its effect was: it has no gene, and its row says where it acts.
_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Source:
    """A class of neurons that gives off an amine or a peptide: a row of amine_sources.csv.

    Attributes:
        ligand: such as "serotonin".
        neurons: of the class.
        genes: without any of which they make none.
        share: of the level that they bring when all release fully [-].
        release_half: voltage of half-maximal release [mV].
        tau: time constant with which the level follows release [ms].
    """

    ligand: str
    neurons: tuple[str, ...]
    genes: tuple[str, ...]
    share: float
    release_half: float
    tau: float


@dataclass(frozen=True)
class Effect:
    """What a receptor does in the cells that carry it: a row of amines.csv.

    Attributes:
        ligand: that it binds.
        receptor: its gene, or "unknown".
        neurons: that carry it (connectome/monoamine.csv, neuropeptide.csv), of the classes that the row names.
        kind: "release", a factor on what they release at synapses; "secretion", one on the amines and peptides that
            they give off; or "chloride", a conductance that opens.
        strength: at a level of 1: the factor [-], or the conductance of a neuron of the reference capacitance [nS].
        low, high: of the strength.
    """

    ligand: str
    receptor: str
    neurons: tuple[str, ...]
    kind: str
    strength: float
    low: float
    high: float

    @property
    def name(self) -> str:
        """Of the receptor, or of the amine if that is unknown."""
        return self.ligand if self.receptor == _UNKNOWN else self.receptor


@dataclass(frozen=True)
class Reached:
    """Cells whose release the same receptors change; all their synapses read one number.

    Attributes:
        neurons: of the group.
        gene: names of the receptors.
        slopes: amine and change of release per level, of each receptor.
        synaptic: True, as of a `Modulator` of release.
    """

    neurons: tuple[str, ...]
    gene: str
    slopes: tuple[tuple[str, float], ...]
    synaptic: bool = True

    def factor(self, levels: Mapping[str, float]) -> float:
        """Factor on release at some levels [-], the product of those of its receptors."""
        product = 1.0
        for ligand, slope in self.slopes:
            product *= max(0.0, 1.0 + slope * levels[ligand])
        return product


def _class_members(cls: str) -> tuple[str, ...]:
    table = anatomy.neurons()
    return tuple(table.index[table["class"] == cls])


@cache
def sources(path: Path = SOURCES) -> tuple[Source, ...]:
    """Every source, in the order of the table.

    Raises:
        ConfigError: for a class that does not exist, or a number out of range.
    """
    found = []
    for where, row in read_rows(path):
        members = _class_members(row["neurons"])
        if not members:
            raise ConfigError(f"{where}: {unknown('class', row['neurons'], set(anatomy.neurons()['class']))}")
        share = number(finite(row["share"], where, "share"), where, "share", low=0.0, high=1.0)
        half = number(finite(row["release_half_mV"], where, "release_half_mV", "mV"), where, "release_half_mV", "mV")
        tau = finite(row["tau_ms"], where, "tau_ms", "ms")
        if not tau > 0.0:
            raise ConfigError(f"{where}: tau_ms = {tau:g} must be positive")
        found.append(Source(row["ligand"], members, tuple(row["gene"].split()), share, half, tau))
    return tuple(found)


@cache
def effects(path: Path = EFFECTS) -> tuple[Effect, ...]:
    """Every effect, in the order of the table.

    Raises:
        ConfigError: for an amine without a source, an unknown effect, a class that does not carry the receptor, a
            receptor with strengths in two units, or a number out of range.
    """
    made, found = {each.ligand for each in sources()}, []
    carried = pd.concat([anatomy.monoamine(), anatomy.neuropeptide()])
    for where, row in read_rows(path):
        ligand, receptor, kind = row["ligand"], row["receptor"], row["effect"]
        for what, value, choice in (("amine", ligand, made), ("effect", kind, _UNITS)):
            if value not in choice:
                raise ConfigError(f"{where}: {unknown(what, value, choice)}")
        if row["unit"] != _UNITS[kind]:
            raise ConfigError(f"{where}: the strength of {kind} has the unit {_UNITS[kind]}, not {row['unit']}")
        theirs = set(carried.post[(carried.ligand == ligand) & (carried.receptor == receptor)])
        chosen, beyond = theirs, receptor == _UNKNOWN or row["targets"].startswith(_BEYOND)
        if row["targets"] != _EVERYWHERE:
            chosen = {name for cls in row["targets"].lstrip(_BEYOND).split() for name in _class_members(cls)}
        if not chosen or not (beyond or chosen <= theirs):
            tables = "connectome/monoamine.csv or neuropeptide.csv"
            raise ConfigError(f"{where}: '{row['targets']}' does not carry {receptor} by {tables}")
        neurons = tuple(name for name in anatomy.neurons().index if name in chosen)
        if any(each.receptor == receptor != _UNKNOWN and _UNITS[each.kind] != row["unit"] for each in found):
            raise ConfigError(f"{where}: {receptor} has a strength in another unit already; give both the same")
        limits = {each: finite(row[each], where, each) for each in ("low", "high")}
        strength = number(finite(row["strength"], where, "strength"), where, "strength", row["unit"], **limits)
        found.append(Effect(ligand, receptor, neurons, kind, strength, **limits))
    return tuple(found)


@cache
def amine_genes() -> dict[str, tuple[str, ...]]:
    """Gene -> neurons in which it makes an amine or is its receptor, and does something in this model."""
    found: dict[str, tuple[str, ...]] = {}
    having = [(gene, each.neurons) for each in sources() for gene in each.genes]
    having += [(each.receptor, each.neurons) for each in effects() if each.receptor != _UNKNOWN]
    for gene, neurons in having:
        found[gene] = tuple(dict.fromkeys((*found.get(gene, ()), *neurons)))
    return found


@dataclass(frozen=True)
class Amines:
    """Whether amines act beyond synapses, how strongly, and what genes are left.

    Attributes:
        on: whether they do.
        changed: receptors and strengths that differ from amines.csv.
        genes: gene, neuron and factor, where genes were changed.
    """

    on: bool = False
    changed: tuple[tuple[str, float], ...] = field(default=())
    genes: tuple[tuple[str, str, float], ...] = field(default=())

    @classmethod
    def of(cls, given: str | Mapping[str, float] | Amines) -> Amines:
        """Amines as a user gives them.

        Args:
            given: "off", "on", or a table of strengths that differ from amines.csv, such as {"mod-1": 0.5}.

        Raises:
            ConfigError: for another word, an unknown receptor, or a number out of range.
        """
        if isinstance(given, Amines):
            return given
        rows = {each.receptor: each for each in effects() if each.receptor != _UNKNOWN}

        def check(name: str, value: object) -> None:
            """Refuses a strength out of its row's range."""
            number(value, "amines", name, _UNITS[rows[name].kind], low=rows[name].low, high=rows[name].high)

        found = word_or_table("amines", given, MODES, ("receptor", "strengths"), rows, check)
        return cls(found == ON) if isinstance(found, str) else cls(True, tuple(found.items()))

    @property
    def option(self) -> str | dict[str, float]:
        """As a configuration holds it."""
        return dict(self.changed) or (ON if self.on else OFF)

    @property
    def ligands(self) -> tuple[str, ...]:
        """Amines with a level, in the order of their levels; none if it is off."""
        return tuple(dict.fromkeys(each.ligand for each in sources())) if self.on else ()

    def strength(self, effect: Effect) -> float:
        """Strength of an effect in this worm: a factor [-] or a conductance [nS]."""
        return dict(self.changed).get(effect.receptor, effect.strength)

    @cached_property
    def _left(self) -> dict[tuple[str, str], float]:
        found: dict[tuple[str, str], float] = {}
        for gene, neuron, factor in self.genes:
            found[gene, neuron] = found.get((gene, neuron), 1.0) * factor
        return found

    def left(self, gene: str, neuron: str) -> float:
        """What is left of a gene's product in a neuron [-]."""
        return self._left.get((gene, neuron), 1.0)

    def scaled(self, gene: str, neurons: Collection[str], factor: float) -> tuple[Amines, int]:
        """With a gene's product multiplied in some neurons, and how many of them have it; none if amines are off."""
        found = [name for name in amine_genes().get(gene, ()) if name in neurons] if self.on else []
        return replace(self, genes=(*self.genes, *((gene, name, factor) for name in found))), len(found)

    def without(self, neurons: Collection[str]) -> Amines:
        """With neurons killed: they give nothing off and nothing acts on them."""
        made = [(gene, each.neurons) for each in sources() for gene in each.genes]
        every = [*made, *((each.receptor, each.neurons) for each in effects())]
        dead = [(gene, name, 0.0) for gene, carriers in every for name in carriers if name in neurons]
        return replace(self, genes=(*self.genes, *dead)) if self.on else self

    def made(self, source: Source) -> list[float]:
        """What every neuron of a class gives off, of what it does in the intact worm [-]."""
        return [math.prod(self.left(gene, name) for gene in source.genes) for name in source.neurons]

    def secretion(self, source: Source) -> list[tuple[str, list[float]]]:
        """What receptors change in what a class gives off: ligand, and change per level in every neuron [-]."""
        return [
            (each.ligand, [
                (self.strength(each) - 1.0) * self.left(each.receptor, name) if name in each.neurons else 0.0
                for name in source.neurons
            ])
            for each in (effects() if self.on else ())
            if each.kind == SECRETION and set(each.neurons) & set(source.neurons)
        ]  # fmt: skip

    @cached_property
    def reached(self) -> tuple[Reached, ...]:
        """Groups of cells whose release amines change; none if it is off."""
        acting: dict[str, list[tuple[Effect, float]]] = {}
        for effect in effects() if self.on else ():
            for name in effect.neurons if effect.kind == RELEASE else ():
                slope = (self.strength(effect) - 1.0) * self.left(effect.receptor, name)
                if slope != 0.0:
                    acting.setdefault(name, []).append((effect, slope))
        groups: dict[tuple, list[str]] = {}
        for name in anatomy.neurons().index:
            if name in acting:
                key = tuple((each.name, each.ligand, slope) for each, slope in acting[name])
                groups.setdefault(key, []).append(name)
        return tuple(
            Reached(tuple(names), ", ".join(gene for gene, _, _ in key), tuple(each[1:] for each in key))
            for key, names in groups.items()
        )

    def gated(self, capacitance: Mapping[str, float], p: Parameters) -> Iterator[tuple[str, SwitchedConductance]]:
        """Chloride channels that amines open, each with its amine; all over the cell, as large as its inputs.

        Args:
            capacitance: of every neuron [pF].
            p: reversal of inhibition, time constant of synapses and scale of inputs.
        """
        for effect in effects() if self.on else ():
            for name in effect.neurons if effect.kind == CHLORIDE else ():
                total = self.strength(effect) * self.left(effect.receptor, name) * input_scale(capacitance[name], p)
                if total > 0.0:
                    reversal, tau = p.reversal_inhibitory, p.synapse_tau
                    yield effect.ligand, SwitchedConductance(name, total, reversal, 0.0, NEVER, tau, tau, True, True)
