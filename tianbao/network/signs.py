"""Signs of synapses: the rule for all, and families of synapses whose sign has a source of its own or is contested.

The families are the rows of signs.csv, each with its source. A worm takes a rule for all synapses and, family by
family, a sign that overrides it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from .. import anatomy
from ..anatomy.signs import EXCITATORY, INHIBITORY
from ..errors import ConfigError, shorten, unknown
from ..options import WormSection
from ..rows import read_rows

TABLE = Path(__file__).with_name("signs.csv")
RULES = ("published", "deciding", "predicted", "transmitter")
"""For all synapses: published signs and, elsewhere, predictions of Fenyves et al. 2020; the same, with the contested
families of `DECIDING`; the predictions alone; neither."""
DECIDING = {"touch-cross": "-", "LUA-command": "none", "ASEL-AIY": "+", "AWA-AIZ": "-", "amphid-glutamate": "-"}
"""Contested families by behaviour: a touch of the tail does not reverse a worm, nor does a rise of an attractant, and a
small change of a field is not lost among sensory neurons that hold each other depolarised."""
DEFAULT = WormSection().signs
"""The rule of a worm that is told none."""

PLUS, MINUS, NONE, RECEPTORS = "+", "-", "none", "receptors"
OTHERS = "others"
"""Key of the rule in a table of families."""

# Ionotropic glutamate receptors of expression.csv; that a sum of mRNA decides between them is an assumption.
GLUTAMATE = {
    INHIBITORY: ("glc-1", "glc-2", "glc-3", "glc-4", "avr-14", "avr-15"),
    EXCITATORY: ("glr-1", "glr-2", "glr-3", "glr-4", "glr-5", "nmr-1", "nmr-2"),
}
# How a sign begins that a rule gave, so that one given by a user's own table is left as it is.
_OF_A_RULE = ("default: ", "transmitter: ", "predicted: ", "family ")
_WORDS = {PLUS: EXCITATORY, MINUS: INHIBITORY}
_PARTNER = {"neurons": "post", "muscles": "muscle"}
_COLUMNS = ("family", "kind", "pairs", "em_sections", "in_use", "published", "certainty", "source")


class FamilyRow(NamedTuple):
    """One row of signs.csv: names or globs of the partners, and what else a pair must be."""

    family: str
    kind: str
    pre: str
    post: str
    transmitter: str
    predicted: str
    published: str
    certainty: str
    source: str


@dataclass(frozen=True)
class Signs:
    """Which signs a worm uses.

    Attributes:
        others: rule for every synapse that no entry of `families` concerns, one of `RULES`.
        families: names with their signs, in the order of signs.csv.
    """

    others: str = DEFAULT
    families: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, given: str | Mapping[str, str] | Signs) -> Signs:
        """Signs as a user gives them.

        Args:
            given: a rule, or a table of families such as {"AVA-AVB": "-"}; its key "others" is the rule.

        Raises:
            ConfigError: for an unknown rule or family, or a sign that the family cannot have.
        """
        if isinstance(given, Signs):
            return given
        table = dict(given) if isinstance(given, Mapping) else {OTHERS: given}
        if not table:
            raise ConfigError("signs: the table is empty; name a family, such as {'AVA-AVB': '-'}")
        others = table.pop(OTHERS, DEFAULT)
        if isinstance(others, str) and others.startswith("{"):
            raise ConfigError(f"signs: {shorten(others)} is no table; put signs in quotes, as in {{AVB-AVA = '-'}}")
        if others not in RULES:
            raise ConfigError(unknown("signs", others, RULES))
        for name, sign in table.items():
            if name not in family_names():
                raise ConfigError(f"signs: {unknown('family', name, family_names())}")
            if sign not in allowed(name):
                there = ", ".join(f"'{each}'" for each in allowed(name))
                raise ConfigError(f"signs: {name} = {shorten(repr(sign))} is not possible; give one of {there}")
        return cls(others, tuple((name, table[name]) for name in family_names() if name in table))

    @property
    def option(self) -> str | dict[str, str]:
        """As a configuration holds it."""
        return {OTHERS: self.others, **dict(self.families)} if self.families else self.others

    @property
    def chosen(self) -> dict[str, str]:
        """Family -> sign, of all that differ from the rule of transmitters and predictions."""
        published = {row.family: row.published for row in rows() if row.published}
        of_rule = {"published": published, "deciding": {**published, **DECIDING}}
        return {**of_rule.get(self.others, {}), **dict(self.families)}

    def __str__(self) -> str:
        return ", ".join([self.others, *(f"{name} {sign}" for name, sign in self.families)])


@cache
def rows() -> tuple[FamilyRow, ...]:
    """The rows of signs.csv; a pair that several of them describe belongs to the first."""
    return tuple(FamilyRow(**row) for _, row in read_rows(TABLE))


@cache
def family_names() -> tuple[str, ...]:
    """Names of the families."""
    return tuple(dict.fromkeys(row.family for row in rows()))


@cache
def allowed(family: str) -> tuple[str, ...]:
    """Signs that a family can be given: excitatory, inhibitory, none; of glutamate also by receptors."""
    mine = [row for row in rows() if row.family == family]
    if any(row.kind == "volume" for row in mine):
        return MINUS, NONE
    made = anatomy.neurons().transmitter
    glutamate = all(row.transmitter == "Glu" or set(made[list(_sources(row))]) == {"Glu"} for row in mine)
    synaptic = all(row.kind == "neurons" for row in mine)
    return (PLUS, MINUS, NONE, RECEPTORS) if glutamate and synaptic else (PLUS, MINUS, NONE)


def signed(table: pd.DataFrame, kind: str, signs: Signs) -> pd.DataFrame:
    """A table of synapses with the signs of the chosen families; pairs without an effect are left out.

    Args:
        table: pre, post or muscle, sign; those between neurons also sign_source and sign_predicted.
        kind: "neurons" or "muscles", what is postsynaptic.
        signs: which to use.
    """
    chosen = signs.chosen
    if not any(row.family in chosen for row in rows() if row.kind == kind):
        return table
    found = family_of(table, kind)
    wanted = found.map(chosen).fillna("")
    by_receptors = (wanted == RECEPTORS).to_numpy()
    words = wanted.map(_WORDS).fillna("")
    if by_receptors.any():
        words[by_receptors] = table.post[by_receptors].map(glutamate_signs()).to_numpy()
    changed = words != ""
    table = table.assign(sign=table.sign.where(~changed, words))
    if "sign_source" in table:
        origin = "family " + found + " " + wanted + " (network/signs.csv)"
        table = table.assign(sign_source=table.sign_source.where(~changed, origin))
    silent = wanted == NONE
    return table[~silent].reset_index(drop=True) if silent.any() else table


def volume(chemical: pd.DataFrame, signs: Signs) -> pd.DataFrame:
    """Pairs between which a transmitter diffuses: pre, post.

    Args:
        chemical: synapses between neurons; a cell with a synapse of the source is left to it.
        signs: which to use.
    """
    chosen = signs.chosen
    wanted = [row for row in rows() if row.kind == "volume" and chosen.get(row.family) == MINUS]
    table = anatomy.monoamine()
    reached = pd.Series(False, index=table.index)
    for row in wanted:
        reached |= table.pre.isin(_sources(row)) & (table.receptor == row.post)
    synaptic = set(zip(chemical.pre, chemical.post, strict=True))
    pairs = sorted({*zip(table.pre[reached], table.post[reached], strict=True)})
    contacted = {post for _, post in synaptic & set(pairs)}
    return pd.DataFrame([pair for pair in pairs if pair[1] not in contacted], columns=["pre", "post"], dtype=object)


def family_of(table: pd.DataFrame, kind: str) -> pd.Series:
    """Name of the family of every pair, "" for none, or where a user's own table gives the sign."""
    partner, made = _PARTNER[kind], anatomy.neurons().transmitter
    found = pd.Series("", index=table.index)
    free = table.sign_source.str.startswith(_OF_A_RULE) if "sign_source" in table else True
    for row in (each for each in rows() if each.kind == kind):
        mine = free & (found == "") & table.pre.isin(_sources(row)) & table[partner].isin(_targets(row))
        if row.transmitter:
            mine &= table.pre.map(made) == row.transmitter
        if row.predicted:
            mine &= table.sign_predicted == row.predicted
        found = found.mask(mine, row.family)
    return found


@cache
def glutamate_signs() -> Mapping[str, str]:
    """Sign of glutamate on every neuron by which of its receptors have more mRNA; "" where neither has."""
    levels = anatomy.expression()
    sums = {sign: levels[list(genes)].sum(axis=1) for sign, genes in GLUTAMATE.items()}
    more = np.sign(sums[EXCITATORY] - sums[INHIBITORY])
    return more.map({1.0: EXCITATORY, -1.0: INHIBITORY, 0.0: ""}).to_dict()


def families(tables: Mapping[str, pd.DataFrame], cells: Collection[str]) -> pd.DataFrame:
    """The rows of signs.csv with the sign that a worm uses.

    Args:
        tables: connections of the worm onto "neurons" and "muscles", and by "volume".
        cells: neurons that must be at one end of a connection to be counted.

    Returns:
        family, kind, pairs, em_sections, in_use ("+", "-", "+ and -", "none" where there is no connection), published
        sign ("" where it is contested), certainty, source.
    """
    tables = {kind: each[each.isin(cells).any(axis=1)] for kind, each in tables.items()}
    of = {kind: family_of(tables[kind], kind) for kind in _PARTNER}
    found = []
    for row in rows():
        mine = tables[row.kind]
        if row.kind in _PARTNER:
            mine = mine[of[row.kind] == row.family]
            mine = mine[mine.pre.isin(_sources(row)) & mine[_PARTNER[row.kind]].isin(_targets(row))]
            there = [sign for sign, word in _WORDS.items() if (mine.sign == word).any()]
            sections = float(mine.em_sections.sum())
        else:
            there, sections = [MINUS] if len(mine) else [], 0.0
        use = " and ".join(there) or NONE
        found.append((row.family, row.kind, len(mine), sections, use, row.published, row.certainty, row.source))
    return pd.DataFrame(found, columns=list(_COLUMNS))


@cache
def _sources(row: FamilyRow) -> frozenset[str]:
    return frozenset(anatomy.match_neurons(*row.pre.split()))


@cache
def _targets(row: FamilyRow) -> frozenset[str]:
    match = anatomy.match_muscles if row.kind == "muscles" else anatomy.match_neurons
    return frozenset(match(*row.post.split()))
