"""The experimenter's interventions on the connectome: ablate, cut, scale, shuffle. Pure functions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pandas as pd

from ..errors import ConfigError, unknown
from ..rows import whole
from .amines import amine_genes
from .wiring import Tables, of_tyramine

_MAKES_TYRAMINE, _TYRAMINE_CHANNEL = "tdc-1", "lgc-55"
_TYRAMINE_RECEPTORS = (_TYRAMINE_CHANNEL, "tyra-3")
WITHOUT_EFFECT = {
    "npr-1": "holds back RMG and URX by no published conductance and acts on aggregation and aerotaxis, which are not "
    "modelled; scale_gap_junctions and stimulate change RMG",
}
"""Genes that one asks for and that have nothing sound to act on: why, and what to do instead."""


def ablate(tables: Tables, neurons: Collection[str]) -> Tables:
    """Remove every connection of these neurons; the cells themselves stay, unconnected."""
    gone = set(neurons)
    return replace(
        tables,
        chemical=_without(tables.chemical, gone, "pre", "post"),
        gap=_without(tables.gap, gone, "a", "b"),
        nmj=_without(tables.nmj, gone, "pre"),
        gap_neuromuscular=_without(tables.gap_neuromuscular, gone, "neuron"),
        volume=_without(tables.volume, gone, "pre", "post"),
        turning=_without(tables.turning, gone, "pre", "post"),
    )


def scale_gap_junctions(tables: Tables, a: Collection[str], b: Collection[str], factor: float) -> Tables:
    """Multiply the conductance of every gap junction between a neuron of `a` and one of `b`; 0 removes it.

    Raises:
        ConfigError: if no such junction exists.
    """
    gap = tables.gap
    chosen = (gap.a.isin(a) & gap.b.isin(b)) | (gap.a.isin(b) & gap.b.isin(a))
    _some(chosen.any(), "gap junction", "between", a, "and", b)
    return replace(tables, gap=_scaled(gap, chosen, factor))


def scale_synapses(tables: Tables, pre: Collection[str], post: Collection[str], factor: float) -> Tables:
    """Multiply the conductance of every chemical synapse from a cell of `pre` onto one of `post`; 0 removes it.

    Tyramine that diffuses between them counts as a synapse.

    Args:
        tables: the connectome.
        pre: neurons.
        post: neurons and muscles.
        factor: from 0.

    Raises:
        ConfigError: if no such synapse exists.
    """
    chemical, nmj = tables.chemical, tables.nmj
    onto_neurons = chemical.pre.isin(pre) & chemical.post.isin(post)
    onto_muscles = nmj.pre.isin(pre) & nmj.muscle.isin(post)
    diffusing = tables.volume.pre.isin(pre) & tables.volume.post.isin(post)
    turning = tables.turning.pre.isin(pre) & tables.turning.post.isin(post)
    found = any(each.any() for each in (onto_neurons, onto_muscles, diffusing, turning))
    _some(found, "synapse", "from", pre, "onto", post)
    return replace(
        tables,
        chemical=_scaled(chemical, onto_neurons, factor),
        nmj=_scaled(nmj, onto_muscles, factor),
        volume=_scaled(tables.volume, diffusing, factor),
        turning=_scaled(tables.turning, turning, factor),
    )


def aminergic() -> tuple[str, ...]:
    """Genes that make amines or peptides or are their receptors, and do something in this model."""
    return (*amine_genes(), *_TYRAMINE_RECEPTORS)


def scale_tyramine(tables: Tables, gene: str, neurons: Collection[str], factor: float) -> tuple[Tables, int]:
    """Multiply what tyramine of RIM opens at synapses, where it diffuses, and in the neurons of the turn.

    Args:
        tables: the connectome.
        gene: "tdc-1", which makes tyramine in `neurons`, or "lgc-55" or "tyra-3", its receptors in `neurons`; others
            change nothing.
        neurons: in which the gene is changed.
        factor: from 0.

    Returns:
        The connectome, and how many contacts have changed.
    """
    makes = gene == _MAKES_TYRAMINE
    if not makes and gene not in _TYRAMINE_RECEPTORS:
        return tables, 0
    end = "pre" if makes else "post"
    by_channel = makes or gene == _TYRAMINE_CHANNEL
    contacts = tables.chemical[end].isin(neurons) & of_tyramine(tables.chemical) & by_channel
    diffusing = tables.volume[end].isin(neurons) & by_channel
    turning = tables.turning[end].isin(neurons) & (makes | (tables.turning.receptor == gene))
    changed = replace(
        tables,
        chemical=_scaled(tables.chemical, contacts, factor),
        volume=_scaled(tables.volume, diffusing, factor),
        turning=_scaled(tables.turning, turning, factor),
    )
    return changed, int(contacts.sum() + diffusing.sum() + turning.sum())


def _some(found: bool, what: str, first: str, a: Collection[str], second: str, b: Collection[str]) -> None:
    if not found:
        named = f"{first} {', '.join(sorted(a)[:4])} {second} {', '.join(sorted(b)[:4])}"
        raise ConfigError(f"no {what} {named}: nothing to change")


def _scaled(table: pd.DataFrame, chosen: pd.Series, factor: float) -> pd.DataFrame:
    if factor == 0.0:
        return table[~chosen].reset_index(drop=True)
    return table.assign(strength=table.strength.where(~chosen, table.strength * factor))


def shuffle(tables: Tables, what: str, classes: pd.Series, seed: int) -> Tables:
    """Permute one kind of connection, keeping its counts.

    Args:
        tables: the intact connectome.
        what: "nmj_within_class" gives each neuron the muscles of another of its class,
            "nmj_across" those of any other motor neuron, "chemical_targets" permutes the
            postsynaptic partners, "gap_partners" one side of the gap junctions.
        classes: neuron -> class.
        seed: of the permutation.

    Raises:
        ConfigError: for an unknown kind.
    """
    if not isinstance(what, str) or what not in SHUFFLES:
        raise ConfigError(unknown("shuffle", what, SHUFFLES))
    if (getattr(tables, what.split("_")[0]).strength != 1.0).any():
        raise ConfigError(f"shuffle {what}: some were scaled, and a factor belongs to its cells; shuffle first")
    return SHUFFLES[what](tables, classes, np.random.default_rng(whole(seed, "shuffle", "seed")))


def _without(table: pd.DataFrame, gone: set[str], *columns: str) -> pd.DataFrame:
    return table[~table[list(columns)].isin(gone).any(axis=1)].reset_index(drop=True)


def _nmj_within_class(tables: Tables, classes: pd.Series, rng: np.random.Generator) -> Tables:
    names = sorted(tables.nmj.pre.unique())
    stand_in = {}
    for _, group in pd.Series(names, index=names).groupby(classes.loc[names].to_numpy()):
        stand_in.update(zip(group, rng.permutation(group.to_numpy()), strict=True))
    return _renamed_nmj(tables, stand_in)


def _nmj_across(tables: Tables, classes: pd.Series, rng: np.random.Generator) -> Tables:
    names = sorted(tables.nmj.pre.unique())
    return _renamed_nmj(tables, dict(zip(names, rng.permutation(names), strict=True)))


def _renamed_nmj(tables: Tables, stand_in: dict[str, str]) -> Tables:
    """Move muscles between neurons; the sign stays with the transmitter of the new owner."""
    nmj = tables.nmj
    sign_of = nmj.drop_duplicates("pre").set_index("pre").sign
    pre = nmj.pre.map(stand_in)
    return replace(tables, nmj=nmj.assign(pre=pre, sign=sign_of.loc[pre].to_numpy()))


def _chemical_targets(tables: Tables, classes: pd.Series, rng: np.random.Generator) -> Tables:
    post = _derange(tables.chemical.pre.to_numpy(), tables.chemical.post.to_numpy(), rng)
    return replace(tables, chemical=tables.chemical.assign(post=post))


def _gap_partners(tables: Tables, classes: pd.Series, rng: np.random.Generator) -> Tables:
    return replace(tables, gap=tables.gap.assign(b=_derange(tables.gap.a.to_numpy(), tables.gap.b.to_numpy(), rng)))


def _derange(fixed: np.ndarray, moved: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Permute `moved` so that no entry meets itself in `fixed`."""
    moved = rng.permutation(moved)
    while len(clash := np.flatnonzero(fixed == moved)):
        for k in clash:
            j = int(rng.integers(len(moved)))
            moved[k], moved[j] = moved[j], moved[k]
    return moved


SHUFFLES = {
    "nmj_within_class": _nmj_within_class,
    "nmj_across": _nmj_across,
    "chemical_targets": _chemical_targets,
    "gap_partners": _gap_partners,
}
