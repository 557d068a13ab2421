"""How strong each connection is: class gain x EM sections, the same rule for every pair.

No strength is fitted per synapse. Weights come out in the row order of the tables, so that the
built network can be re-tuned in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from .. import anatomy
from ..parameters import Parameters
from ..rows import named_values
from ..units import US_PER_NS
from .decision import Decision

# Neurons whose counts on muscle rows 9 and beyond are extrapolated constants in Cook 2019.
_SUBLATERAL = ("SMD", "SMB", "SIA", "SIB", "RMD")
_LAST_COUNTED_ROW = 8
_TYRAMINE = Path(__file__).with_name("tyramine.csv")
_TYRAMINE_FAMILY = "family RIM-tyramine"  # how the source of their sign begins (signs.py)
# Motor neurons of the cord that differ only in the side they drive.
_FAMILIES = {"DA": "A", "VA": "A", "DB": "B", "VB": "B", "DD": "D", "VD": "D"}
TURNING = {
    ("lgc-55", "RIV"): "turn_lgc55_riv",
    ("tyra-3", "RIV"): "turn_tyra3_riv",
    ("tyra-3", "SMDV"): "turn_tyra3_smdv",
}
"""Receptor and class of tyramine's effects on the ventral turn, and the value of decision.csv that each has."""
_CORD = {*_FAMILIES, "AS", "VC"}
_OTHER_SIDE = {"L": "R", "R": "L"}


@dataclass(frozen=True)
class Tables:
    """The connectome a worm is built from, after its perturbations.

    Attributes:
        chemical: pre, post, em_sections, sign ("excitatory" | "inhibitory"), sign_source,
            head_cross; without autapses.
        gap: a, b, em_sections.
        nmj: pre, muscle, em_sections, sign, extrapolated.
            These three also hold `strength`, the experimenter's factor on each conductance [-].
        gap_muscle: a, b, em_sections.
        gap_neuromuscular: neuron, muscle, em_sections; only active muscles carry them.
        intact_nmj: nmj before any perturbation; it sets the strength of a contact, so that killing
            a neuron does not strengthen its neighbours.
        gap_totals: EM sections of all gap junctions of each neuron before any perturbation, for the same reason.
        volume: pre, post, strength: pairs without a synapse between which tyramine diffuses.
        turning: pre, post, receptor, strength: tyramine on neurons of the ventral turn; empty unless the worm decides.
    """

    chemical: pd.DataFrame
    gap: pd.DataFrame
    nmj: pd.DataFrame
    gap_muscle: pd.DataFrame
    gap_neuromuscular: pd.DataFrame
    intact_nmj: pd.DataFrame
    gap_totals: pd.Series
    volume: pd.DataFrame
    turning: pd.DataFrame


def chemical_weights(
    table: pd.DataFrame, capacitance: Mapping[str, float], p: Parameters, decision: Decision
) -> np.ndarray:
    """Peak conductance [uS] of every chemical synapse, shape (pairs,)."""
    gain = np.where(table.sign == "inhibitory", p.inhibitory_gain, p.excitatory_gain)
    gain = np.where(table.head_cross, p.head_cross_gain, gain)
    gain = np.where(at_dyads(table), p.dyad_gain, gain)
    if decision.on:
        gain = np.where(of_glutamate(table), decision["glutamate_gain"], gain)
        gain = np.where(of_tyramine(table), decision["tyramine_gain"], gain)
    scale = np.array([input_scale(capacitance[post], p) for post in table.post])
    return gain * table.em_sections.to_numpy() * table.strength.to_numpy() * scale * US_PER_NS


def at_dyads(table: pd.DataFrame) -> np.ndarray:
    """Which chemical synapses a motor neuron of the cord makes onto a D neuron by exciting it, shape (pairs,).

    They lie at the dyads where the same release excites muscle (White et al. 1986; Cuentas-Condori et al. 2019).
    """
    pre, post = (ends.map(anatomy.neuron_class) for ends in (table.pre, table.post))
    onto_d = post.map(_FAMILIES) == "D"
    return (pre.isin(_CORD) & onto_d & (table.sign == "excitatory")).to_numpy()


def of_glutamate(table: pd.DataFrame) -> np.ndarray:
    """Which chemical synapses excite by glutamate, shape (pairs,).

    Their receptors, GLR-1 and NMR-1, are others than those of acetylcholine (Brockie et al. 2001, Neuron 31:617).
    """
    made = table.pre.map(anatomy.neurons().transmitter) == "Glu"
    return (made & (table.sign == "excitatory")).to_numpy()


def of_tyramine(table: pd.DataFrame) -> np.ndarray:
    """Which chemical synapses of RIM open LGC-55 in the cell that they contact, shape (pairs,)."""
    family = table.sign_source.str.startswith(_TYRAMINE_FAMILY)
    return (family & (table.sign == "inhibitory")).to_numpy()


def turning_pairs() -> pd.DataFrame:
    """Tyramine of RIM that ends a reversal with a ventral turn: pre, post, receptor, strength (docs/decision.md).

    Both receptors are in RIV and TYRA-3 in SMD by connectome/expression.csv, which does not tell SMDV from SMDD.
    """
    table = anatomy.neurons()
    pairs = [
        (pre, post, receptor)
        for receptor, cls in TURNING
        for pre in table.index[table["class"] == "RIM"]
        for post in table.index[table["class"] == cls]
    ]
    return pd.DataFrame(pairs, columns=["pre", "post", "receptor"], dtype=object).assign(strength=1.0)


def turning_weights(
    table: pd.DataFrame, capacitance: Mapping[str, float], p: Parameters, decision: Decision
) -> np.ndarray:
    """Conductance [uS] that each RIM can open in each neuron of the turn, shape (pairs,); both together the whole."""
    classes = table.post.map(anatomy.neuron_class)
    names = (TURNING[pair] for pair in zip(table.receptor, classes, strict=True))
    scale = np.array([input_scale(capacitance[post], p) for post in table.post])
    return np.array([decision[name] for name in names]) / 2 * table.strength.to_numpy() * scale * US_PER_NS


def volume_weights(table: pd.DataFrame, capacitance: Mapping[str, float], p: Parameters) -> np.ndarray:
    """Conductance [uS] of the LGC-55 that each source can open in each cell which its tyramine reaches, shape (pairs,).

    The conductance of a cell is shared by its sources.
    """
    sources = table.groupby("post").pre.transform("size").to_numpy()
    scale = np.array([input_scale(capacitance[post], p) for post in table.post])
    return tyramine()["conductance"] * table.strength.to_numpy() * scale / sources * US_PER_NS


@cache
def tyramine() -> Mapping[str, float]:
    """Constants of tyramine that diffuses; see tyramine.csv."""
    return named_values(_TYRAMINE)


def gap_weights(table: pd.DataFrame, totals: pd.Series, capacitance: Mapping[str, float], p: Parameters) -> np.ndarray:
    """Conductance [uS] of every gap junction, shape (pairs,).

    The last motor neurons of the cord have several times the sections of all others of their class. That is taken for
    the denser micrographs of the tail: their junctions are scaled down together.

    Args:
        table: gap junctions of this worm.
        totals: see Tables.gap_totals.
        capacitance: of every neuron [pF].
        p: class gains.
    """
    sections = np.minimum(table.em_sections.to_numpy(), p.gap_section_limit)
    in_cord = [anatomy.neuron_class(name) in _CORD for name in totals.index]
    share = (p.cord_gap_limit / totals).clip(upper=1.0).where(in_cord, 1.0)
    at_a, at_b = (share.reindex(ends, fill_value=1.0).to_numpy() for ends in (table.a, table.b))
    sections = sections * np.minimum(at_a, at_b)
    scale = np.array(
        [np.sqrt(input_scale(capacitance[a], p) * input_scale(capacitance[b], p))
         for a, b in zip(table.a, table.b, strict=True)]
    )  # fmt: skip
    return p.gap_gain * sections * table.strength.to_numpy() * scale * US_PER_NS


def nmj_weights(
    table: pd.DataFrame, intact: pd.DataFrame, muscles: pd.DataFrame, muscle_leak: float, p: Parameters
) -> np.ndarray:
    """Conductance [uS] of every neuromuscular pair, shape (pairs,).

    EM sections say who drives a muscle row (the left and right muscle of one side at one level), not how strongly the
    row is driven as a whole. In the head each row receives the same total excitation and the same total inhibition.
    Along the cord (row 9 and beyond) each family of motor neurons (A, B, D, AS, VC and every other class) gives every
    row that it reaches the same: its share of all counts of that sign along the cord, dorsal and ventral together.

    Args:
        table: nmj rows of this worm.
        intact: those of the unperturbed worm, whose sums normalise.
        muscles: the muscle table.
        muscle_leak: leak of one muscle cell [nS].
        p: class gains.
    """
    whole = _keys(intact, muscles).assign(count=_counts(intact, p).to_numpy())
    unit, keys = _units(whole), _keys(table, muscles)
    cells = muscles.groupby(muscles.quadrant.str[0] + muscles.row.astype(str)).size()
    row = keys.row.to_numpy()
    # A shuffle may give a row a class or a sign that it never had: as much per section as the row's others.
    usual = whole.groupby("row")["count"].sum()
    usual = 1.0 / usual.where(usual > 0.0, np.inf)
    per_section = np.array([unit.get(key, usual[key[0]]) for key in keys.itertuples(index=False, name=None)])
    gain = np.where(table.sign == "inhibitory", p.nmj_inhibitory_gain, p.nmj_excitatory_gain)
    share = _counts(table, p).to_numpy() * per_section * cells.loc[row].to_numpy()
    return gain * muscle_leak * share * table.strength.to_numpy() * US_PER_NS


def _units(whole: pd.DataFrame) -> dict[tuple[str, str, str], float]:
    """Share of a row's full drive that one EM section stands for, by row, sign and family.

    Args:
        whole: row, sign, family and count of every pair of the intact worm.
    """
    counts = whole.groupby(["row", "sign", "family"])["count"].sum()
    cord = whole[whole.family != ""]
    share = cord.groupby(["sign", "family"])["count"].sum() / cord.groupby("sign")["count"].sum()
    return {
        (row, sign, family): float(share[sign, family] if family else 1.0) / count
        for (row, sign, family), count in counts.items()
        if count > 0.0
    }


def _keys(nmj: pd.DataFrame, muscles: pd.DataFrame) -> pd.DataFrame:
    """What the strength of a pair is shared out by: row, such as "D7", sign, and family, "" in the head."""
    target = muscles.loc[nmj.muscle]
    family = [_FAMILIES.get(cls, cls) for cls in map(anatomy.neuron_class, nmj.pre)]
    return pd.DataFrame({
        "row": (target.quadrant.str[0] + target.row.astype(str)).to_numpy(),
        "sign": nmj.sign.to_numpy(),
        "family": np.where(target.row.to_numpy() > _LAST_COUNTED_ROW, family, ""),
    })  # fmt: skip


def gap_totals(gap: pd.DataFrame) -> pd.Series:
    """EM sections of all gap junctions of each neuron."""
    ends = pd.concat([gap.a, gap.b], ignore_index=True)
    return pd.concat([gap.em_sections] * 2, ignore_index=True).groupby(ends).sum()


def on_both_sides(nmj: pd.DataFrame) -> pd.DataFrame:
    """The same junctions with the left and the right half of the animal alike.

    The left and right muscles of a level send their arms to the same cord. Differences between them in the EM counts of
    one animal are taken for chance: each pair gets the mean of its own count and its mirror image's. Left as they are,
    they roll a swimming worm out of its plane.

    Args:
        nmj: pre, muscle, em_sections, sign.
    """
    known, muscles = set(anatomy.neurons().index), set(anatomy.muscles().index)
    mirrored = nmj.assign(
        pre=[_mirrored(name, -1, known) for name in nmj.pre],
        muscle=[_mirrored(name, 2, muscles) for name in nmj.muscle],
    )
    both = pd.concat([nmj, mirrored])
    both = both.groupby(["pre", "muscle", "sign"], as_index=False).em_sections.sum()
    return both.assign(em_sections=both.em_sections / 2.0)[[*nmj.columns]]


def _mirrored(name: str, place: int, known: set[str]) -> str:
    """The partner on the other side whose name differs in the letter at that place; itself if there is none."""
    letters = list(name)
    letters[place] = _OTHER_SIDE.get(letters[place], letters[place])
    return partner if (partner := "".join(letters)) in known else name


def _counts(nmj: pd.DataFrame, p: Parameters) -> pd.Series:
    """EM sections, those extrapolated by the source scaled down."""
    return nmj.em_sections * np.where(nmj.extrapolated, p.sublateral_nmj_scale, 1.0)


def extrapolated(nmj: pd.DataFrame, muscles: pd.DataFrame) -> np.ndarray:
    """Whether a count is one of the constants with which Cook 2019 extrapolates sublateral neurons."""
    far = muscles.row.loc[nmj.muscle].to_numpy() > _LAST_COUNTED_ROW
    return far & nmj.pre.str[:3].isin(_SUBLATERAL).to_numpy()


def input_scale(capacitance: float, p: Parameters) -> float:
    """Factor on every input onto a neuron of this capacitance [pF]."""
    return (capacitance / p.input_reference_capacitance) ** p.capacitance_exponent
