"""Which channels a neuron can have, from its transcriptome and the genes of each channel.

Source: CeNGEN, medium threshold (Taylor et al. 2021, connectome/expression.csv); 0 is below detection.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from .. import anatomy
from .channels import CHANNELS

GENES: dict[str, tuple[str, ...]] = {
    "shl1": ("shl-1",),
    "kvs1": ("kvs-1",),
    "shk1": ("shk-1",),
    "kqt3": ("kqt-3",),
    "egl36": ("egl-36",),
    "egl2": ("egl-2",),
    "irk1": ("irk-1", "irk-2", "irk-3"),
    "egl19": ("egl-19",),
    "unc2": ("unc-2",),
    "cca1": ("cca-1",),
    "slo1": ("slo-1",),
    "slo2": ("slo-2",),
    "kcnl": ("kcnl-1", "kcnl-2", "kcnl-3", "kcnl-4"),
    "kqt1": ("kqt-1",),
    "unc103": ("unc-103",),
}
"""Channel -> genes, any of which is sufficient. NCA cannot be decided: nca-1 is missing from the table."""

# Largest factor by which a conductance scales with mRNA among neurons of one class.
_MOST = 2.0


@cache
def _levels() -> dict[str, dict[str, float]]:
    """Neuron -> channel -> transcripts per million; empty if the table is absent."""
    table = anatomy.expression()
    if table.empty:
        return {}
    sums = {channel: table[list(genes)].sum(axis=1).to_dict() for channel, genes in GENES.items()}
    return {name: {channel: sums[channel][name] for channel in GENES} for name in table.index}


def level(neuron: str, conductance: str) -> float | None:
    """mRNA level of a conductance, summed over its genes [transcripts per million].

    Args:
        neuron: name.
        conductance: a channel, or a coupled pair such as "slo1_egl19", for which the lower level counts.

    Returns:
        None if the data cannot decide: for NCA, and without the table.
    """
    known = _levels().get(neuron, {})
    parts = [known.get(part) for part in conductance.split("_")]
    return None if None in parts else min(parts)


def absent(neuron: str, conductance: str) -> bool:
    """Whether the transcriptome rules a conductance out."""
    return level(neuron, conductance) == 0


def lacking(neuron: str, conductance: str) -> str:
    """Genes of a conductance that are not detected, in words: "irk-1, irk-2, irk-3"."""
    return ", ".join(
        gene for part in conductance.split("_") if absent(neuron, part) for gene in GENES[part]
    )


@cache
def _classmates() -> dict[str, tuple[str, ...]]:
    """Neurons of each class whose members have more than one transcriptome."""
    table = anatomy.expression()
    if table.empty:
        return {}
    groups = table.cengen_group.groupby(anatomy.neurons()["class"])
    return {name: tuple(group.index) for name, group in groups if group.nunique() > 1}


def share_of_class(neuron: str, conductance: str) -> float:
    """Conductance of a neuron relative to its class, 1 if the class has a single transcriptome.

    The mRNA level over its mean among the members of the class that express it, limited to between 1/2 and 2. In
    identified neurons conductance increases with the mRNA of its channel (Schulz, Goaillard & Marder 2006).
    """
    mates = _classmates().get(anatomy.neuron_class(neuron), ())
    own = level(neuron, conductance)
    if not mates or not own:
        return 1.0
    others = [value for value in (level(mate, conductance) for mate in mates) if value]
    return min(max(own / float(np.mean(others)), 1.0 / _MOST), _MOST)


def similarity(first: str, second: str) -> float:
    """Cosine similarity between the channel profiles of two classes, 0 to 1; nan without the table.

    A profile is ln(1 + TPM) of the 13 channels that the data cover, averaged over the neurons of the class.
    """
    a, b = _profile(first), _profile(second)
    norm = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / norm) if norm > 0 else math.nan


@cache
def _profile(name: str) -> np.ndarray:
    members = [each for each in _levels() if anatomy.neuron_class(each) == name]
    values = [[_levels()[each][channel] for channel in CHANNELS if channel in GENES] for each in members]
    return np.log1p(np.array(values)).mean(axis=0) if values else np.zeros(1)
