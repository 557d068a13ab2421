"""Connectomes other than Cook 2019, as published: counts of synapses, signs by the same rules.

Each table has the format of a user's CSV: pre, post, kind, synapses, sign, sign_source, sign_predicted.
Autapses, and contacts with cells that are neither neurons nor body wall muscles, are left out.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from ..names import unpadded
from ..signs import transmitter_sign
from .table import Table
from .wheels import Wheel
from .wiring import FENYVES, Cook
from .xlsx import read_sheet

CHEMICAL, GAP, NMJ = "chemical", "gap", "nmj"

_WHITE = "cect/data/aconnectome_white_1986_whole.csv"
_VARSHNEY = "cect/data/NeuronConnectFormatted.xlsx"
_WITVLIET = "cect/data/witvliet_2020_{0} adult.xlsx"
_MUSCLE = re.compile(r"BWM-([DV][LR]\d\d)")
# "Receive" rows repeat the "send" rows from the other side, and "NMJ" rows do not give the muscle.
_VARSHNEY_KINDS = {"S": CHEMICAL, "Sp": CHEMICAL, "EJ": GAP}
_KINDS = {"chemical": CHEMICAL, "electrical": GAP}

Edge = tuple[str, str, str]  # pre, post, kind
Counts = Mapping[Edge, int]


@dataclass(frozen=True)
class Other:
    """One published connectome on its way to disk.

    Attributes:
        name: as users call it.
        animal: what was reconstructed.
        counted: what one count is.
        counts: edge -> count.
        source: wheel member it was read from, with the paper.
    """

    name: str
    animal: str
    counted: str
    counts: Counts
    source: str

    def of(self, kind: str) -> dict[tuple[str, str], int]:
        """Counts of one kind by pair."""
        return {(pre, post): count for (pre, post, each), count in self.counts.items() if each == kind}

    @property
    def neurons(self) -> set[str]:
        """Neurons with a chemical synapse or gap junction on another neuron."""
        return {name for pre, post, kind in self.counts if kind != NMJ for name in (pre, post)}


def others(cect: Wheel, neurons: Collection[str], muscles: Collection[str]) -> list[Other]:
    """White 1986, Varshney 2011 and the two adults of Witvliet 2021."""

    def counted(rows: Iterator[tuple[str, str, str, int]]) -> Counts:
        """Counts per edge, without cells that are neither neurons nor body wall muscles."""
        return _counts(rows, set(neurons), set(muscles))

    synapses = "synapses, each contact counted once"
    zones = "presynaptic active zones agreed on by two of three annotators; gap junctions known to be incomplete"
    ring = "adult, nerve ring and head ganglia only"
    return [
        Other(
            "varshney2011", "adult, without pharynx", synapses, counted(_varshney(cect)),
            f"Varshney et al. 2011; cect, {_VARSHNEY}",
        ),
        Other(
            "white1986", "adult, with pharynx", synapses, counted(_white(cect)),
            f"White et al. 1986, as reanalysed by Varshney et al. 2011; cect, {_WHITE}",
        ),
        *(
            Other(
                name, f"{ring} (data set {number})", zones, counted(_witvliet(cect, number)),
                f"Witvliet et al. 2021, data set {number}; cect, {_WITVLIET.format(number)}",
            )
            for name, number in (("witvliet2021", 8), ("witvliet2021_7", 7))
        ),
    ]  # fmt: skip


def _counts(rows: Iterator[tuple[str, str, str, int]], neurons: set[str], muscles: set[str]) -> Counts:
    total: Counter[Edge] = Counter()
    for pre, post, kind, count in rows:
        pre, post = unpadded(pre), unpadded(post)
        muscle = _MUSCLE.fullmatch(post)
        if muscle and kind == CHEMICAL:
            post, kind = f"M{muscle.group(1)}", NMJ
        known = post in muscles if kind == NMJ else post in neurons
        if pre not in neurons or not known or pre == post:
            continue
        if kind == GAP and pre > post:
            pre, post = post, pre
        total[pre, post, kind] += count
    return dict(sorted(total.items()))


def _white(cect: Wheel) -> Iterator[tuple[str, str, str, int]]:
    (data,) = cect.read(_WHITE)
    for row in csv.DictReader(io.StringIO(data.decode("utf-8")), delimiter="\t"):
        yield row["pre"], row["post"], _KINDS[row["type"]], int(row["synapses"])


def _varshney(cect: Wheel) -> Iterator[tuple[str, str, str, int]]:
    (data,) = cect.read(_VARSHNEY)
    for row in read_sheet(data, "Sheet1")[1:]:
        kind = _VARSHNEY_KINDS.get(row["C"])
        # Each gap junction is listed from both of its sides.
        if kind and not (kind == GAP and row["A"] > row["B"]):
            yield row["A"], row["B"], kind, int(row["D"])


def _witvliet(cect: Wheel, number: int) -> Iterator[tuple[str, str, str, int]]:
    (data,) = cect.read(_WITVLIET.format(number))
    for row in read_sheet(data, f"witvliet_2020_{number} adult")[1:]:
        yield row["A"], row["B"], _KINDS[row["C"]], int(row["D"])


def edge_table(other: Other, neurons: Mapping[str, tuple[str, str]], predicted: Mapping) -> Table:
    """All edges of one connectome.

    Args:
        other: the counts.
        neurons: class and transmitter of every neuron.
        predicted: sign predicted for a pair, where there is one.
    """
    rows = []
    for (pre, post, kind), count in other.counts.items():
        signed = ("", "", "")
        if kind == CHEMICAL:
            cls, transmitter = neurons[pre]
            signed = (*transmitter_sign(cls, neurons[post][0], transmitter), predicted.get((pre, post), ""))
        rows.append((pre, post, kind, count, *signed))
    return Table.sorted(
        "pre,post,kind,synapses,sign,sign_source,sign_predicted", rows,
        f"{other.source}. {other.counted}. sign: transmitter rule (docs/anatomy.md). "
        f"sign_predicted: Fenyves et al. 2020, wormneuroatlas, {FENYVES}, sheet 5",
    )  # fmt: skip


def registry_table(cook: Cook, listed: list[Other], neurons: Collection[str]) -> Table:
    """One row per connectome: its size, and the factors that convert its counts to EM sections."""
    chemical = {(a, b): n for a, b, n in cook.chemical(neurons, neurons) if a != b}
    gap = {(a, b): n for a, b, n in cook.gap(neurons, neurons) if a < b}
    nmj = list(cook.chemical(neurons, cook.muscles))
    everyone = {name for pair in (*chemical, *gap) for name in pair}
    standard = (
        "cook2019", "adult, whole", "EM sections", len(everyone), len(chemical), sum(chemical.values()),
        len(gap), sum(gap.values()), len(nmj), "cook2019", len(chemical), 1.0, len(gap), 1.0,
        "Cook et al. 2019 hermaphrodite",
    )  # fmt: skip
    rows = [standard]
    for each in listed:
        mine, joined = each.of(CHEMICAL), each.of(GAP)
        rows.append((
            each.name, each.animal, each.counted, len(each.neurons), len(mine), sum(mine.values()),
            len(joined), sum(joined.values()), len(each.of(NMJ)), "cook2019",
            *_factor(mine, chemical), *_factor(joined, gap), each.source,
        ))  # fmt: skip
    return Table.sorted(
        "name,animal,counted,neurons,chemical_pairs,chemical_count,gap_pairs,gap_count,nmj_pairs,nmj_from,"
        "chemical_common,chemical_factor,gap_common,gap_factor,source", rows,
        "computed from the tables it lists; factors: EM sections of Cook et al. 2019 over counts, summed over "
        "the pairs that both have",
    )  # fmt: skip


def _factor(mine: Mapping[tuple[str, str], int], standard: Mapping[tuple[str, str], int]) -> tuple[int, float]:
    """Number of shared pairs, and the factor that gives them the same total."""
    common = mine.keys() & standard.keys()
    total = sum(standard[pair] for pair in common)
    return len(common), round(total / sum(mine[pair] for pair in common), 6)
