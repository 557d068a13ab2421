"""Extrasynaptic edges and gene expression."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from ...errors import AnatomyError
from ..names import unpadded
from .table import Table
from .wheels import Wheel

_MONOAMINE = "cect/data/edgelist_MA.csv"
_NEUROPEPTIDE = "cect/data/edgelist_NP.csv"
_CENGEN = "wormneuroatlas/data/cengen_021821_medium_threshold2.csv"
_GENES = Path(__file__).with_name("genes.csv")

# Transcriptomic groups that are not the anatomical class, most particular first.
_GROUPS = [
    (re.compile(pattern), group)
    for pattern, group in (
        (r"AWCL", "AWC_OFF"),
        (r"AWCR", "AWC_ON"),
        (r"ASE[LR]", None),
        (r"DB1", "DB01"),
        (r"VB1", "VB01"),
        (r"VB2", "VB02"),
        (r"(DA9|VA12)", None),
        (r"VC[45]", "VC_4_5"),
        (r"(DD|VD)\d+", "VD_DD"),
        (r"IL2[LR]", "IL2_LR"),
        (r"IL2[DV][LR]", "IL2_DV"),
        (r"RMD[DV][LR]", "RMD_DV"),
        (r"RMD[LR]", "RMD_LR"),
        (r"RME[DV]", "RME_DV"),
        (r"RME[LR]", "RME_LR"),
        (r"(SAA|SIA|SIB|SMB|SMD)[DV][LR]", r"\1"),
    )
]


def monoamine_table(cect: Wheel) -> Table:
    """Monoamine edges: sender, receiver, ligand, receptor."""
    return _extrasynaptic(cect, _MONOAMINE)


def neuropeptide_table(cect: Wheel) -> Table:
    """Neuropeptide edges: sender, receiver, ligand, receptor."""
    return _extrasynaptic(cect, _NEUROPEPTIDE)


def _extrasynaptic(cect: Wheel, member: str) -> Table:
    (data,) = cect.read(member)
    rows = csv.reader(io.StringIO(data.decode("utf-8")))
    edges = {(unpadded(pre), unpadded(post), ligand, receptor) for pre, post, ligand, receptor in rows}
    return Table.sorted("pre,post,ligand,receptor", edges, f"Bentley et al. 2016; cect, {member}")


def expression_table(atlas: Wheel, classes: dict[str, str]) -> Table:
    """Expression of channels and receptors [transcripts per million] in every neuron."""
    (data,) = atlas.read(_CENGEN)
    header, *rows = csv.reader(io.StringIO(data.decode("utf-8")))
    by_gene = {row[1]: dict(zip(header[3:], row[3:], strict=True)) for row in rows}
    with open(_GENES, newline="", encoding="utf-8") as lines:
        genes = [row["gene"] for row in csv.DictReader(lines)]
    out = []
    for name, cls in classes.items():
        group = _group(name, cls, set(header[3:]))
        out.append((name, group, *(f"{float(by_gene[gene][group]):.0f}" for gene in genes)))
    source = (
        f"CeNGEN, medium threshold, transcripts per million (Taylor et al. 2021); wormneuroatlas, {_CENGEN}"
    )
    return Table.sorted(",".join(["name", "cengen_group", *genes]), out, source)


def _group(name: str, cls: str, known: set[str]) -> str:
    group = cls
    for pattern, replacement in _GROUPS:
        if match := pattern.fullmatch(name):
            group = name if replacement is None else match.expand(replacement)
            break
    if group not in known:
        raise AnatomyError(f"neuron {name}: CeNGEN has no group '{group}'; add a rule to the builder")
    return group
