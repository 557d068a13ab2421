"""How strong each connection is: class gain x EM sections, the same rule for every pair.

No strength is fitted per synapse. Weights come out in the row order of the tables, so that the
built network can be re-tuned in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..parameters import Parameters
from ..units import US_PER_NS

# Neurons whose counts on muscle rows 9 and beyond are extrapolated constants in Cook 2019.
_SUBLATERAL = ("SMD", "SMB", "SIA", "SIB", "RMD")
_LAST_COUNTED_ROW = 8


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
        intact_nmj: nmj before any perturbation; it sets the strength of a contact, so that killing
            a neuron does not strengthen its neighbours.
    """

    chemical: pd.DataFrame
    gap: pd.DataFrame
    nmj: pd.DataFrame
    gap_muscle: pd.DataFrame
    intact_nmj: pd.DataFrame


def chemical_weights(table: pd.DataFrame, capacitance: Mapping[str, float], p: Parameters) -> np.ndarray:
    """Peak conductance [uS] of every chemical synapse, shape (pairs,)."""
    gain = np.where(table.sign == "inhibitory", p.inhibitory_gain, p.excitatory_gain)
    gain = np.where(table.head_cross, p.head_cross_gain, gain)
    scale = np.array([input_scale(capacitance[post], p) for post in table.post])
    return gain * table.em_sections.to_numpy() * table.strength.to_numpy() * scale * US_PER_NS


def gap_weights(table: pd.DataFrame, capacitance: Mapping[str, float], p: Parameters) -> np.ndarray:
    """Conductance [uS] of every gap junction, shape (pairs,)."""
    sections = np.minimum(table.em_sections.to_numpy(), p.gap_section_limit)
    scale = np.array(
        [np.sqrt(input_scale(capacitance[a], p) * input_scale(capacitance[b], p))
         for a, b in zip(table.a, table.b, strict=True)]
    )  # fmt: skip
    return p.gap_gain * sections * table.strength.to_numpy() * scale * US_PER_NS


def nmj_weights(
    table: pd.DataFrame, intact: pd.DataFrame, muscles: pd.DataFrame, muscle_leak: float, p: Parameters
) -> np.ndarray:
    """Conductance [uS] of every neuromuscular pair, shape (pairs,).

    Counts are normalised per muscle row (the left and right muscle of one side at one level): each intact row
    receives the same total excitation and the same total inhibition, shared among its neurons by their EM sections.

    Args:
        table: nmj rows of this worm.
        intact: those of the unperturbed worm, whose row sums normalise.
        muscles: the muscle table.
        muscle_leak: leak of one muscle cell [nS].
        p: class gains.
    """
    counts, rows = _counts(intact, p), _rows_of(intact, muscles)
    cells = muscles.groupby(muscles.quadrant.str[0] + muscles.row.astype(str)).size()
    row, inhibitory = _rows_of(table, muscles), (table.sign == "inhibitory").to_numpy()
    excitation, inhibition = (
        counts.where(intact.sign == sign, 0.0).groupby(rows).sum().loc[row].to_numpy()
        for sign in ("excitatory", "inhibitory")
    )
    total = np.where(inhibitory, inhibition, excitation)
    # A shuffle may hand a row a contact of a sign that it never had.
    total = np.where(total > 0.0, total, excitation + inhibition)
    gain = np.where(inhibitory, p.nmj_inhibitory_gain, p.nmj_excitatory_gain)
    share = _counts(table, p).to_numpy() * cells.loc[row].to_numpy() / total
    return gain * muscle_leak * share * table.strength.to_numpy() * US_PER_NS


def _counts(nmj: pd.DataFrame, p: Parameters) -> pd.Series:
    """EM sections, those extrapolated by the source scaled down."""
    return nmj.em_sections * np.where(nmj.extrapolated, p.sublateral_nmj_scale, 1.0)


def _rows_of(nmj: pd.DataFrame, muscles: pd.DataFrame) -> np.ndarray:
    """Side and level of each pair's muscle, such as "D7"."""
    target = muscles.loc[nmj.muscle]
    return (target.quadrant.str[0] + target.row.astype(str)).to_numpy()


def extrapolated(nmj: pd.DataFrame, muscles: pd.DataFrame) -> np.ndarray:
    """Whether a count is one of the constants with which Cook 2019 extrapolates sublateral neurons."""
    far = muscles.row.loc[nmj.muscle].to_numpy() > _LAST_COUNTED_ROW
    return far & nmj.pre.str[:3].isin(_SUBLATERAL).to_numpy()


def input_scale(capacitance: float, p: Parameters) -> float:
    """Factor on every input onto a neuron of this capacitance [pF]."""
    return (capacitance / p.input_reference_capacitance) ** p.capacitance_exponent
