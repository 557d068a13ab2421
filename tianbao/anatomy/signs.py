"""Whether a synapse is excitatory or inhibitory: one rule for built-in and user-supplied tables."""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

EXCITATORY, INHIBITORY = "excitatory", "inhibitory"
HEAD_CROSS = "assumed: head cross-inhibition"

_GABA = Path(__file__).with_name("build") / "gaba.csv"
_HEAD_BENDERS = re.compile(r"(SMD|RMD)([DV])")


class Sign(NamedTuple):
    """Sign of a synapse ("excitatory", "inhibitory") and where it comes from."""

    sign: str
    source: str


@cache
def inhibitory_classes() -> frozenset[str]:
    """Classes whose synapses are inhibitory because they release GABA.

    Source: gaba.csv, row by row.
    """
    with open(_GABA, newline="", encoding="utf-8") as lines:
        return frozenset(row["class"] for row in csv.DictReader(lines))


def transmitter_sign(pre_class: str, post_class: str, transmitter: str) -> Sign:
    """Sign of a synapse by the transmitter rule of docs/anatomy.md.

    Args:
        pre_class, post_class: of the partners.
        transmitter: of the presynaptic neuron.
    """
    if pre_class in inhibitory_classes():
        return Sign(INHIBITORY, "transmitter: GABA")
    ends = _HEAD_BENDERS.fullmatch(pre_class), _HEAD_BENDERS.fullmatch(post_class)
    if all(ends) and ends[0].group(2) != ends[1].group(2):
        return Sign(INHIBITORY, HEAD_CROSS)
    return Sign(EXCITATORY, f"default: excitatory (transmitter {transmitter})")
