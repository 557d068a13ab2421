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
        chemical: pre, post, em_sections, sign ("excitatory" | "inhibitory"), sign_source;
            without autapses.
        gap: a, b, em_sections.
        nmj: pre, muscle, em_sections, sign.
        gap_muscle: a, b, em_sections.
    """

    chemical: pd.DataFrame
    gap: pd.DataFrame
    nmj: pd.DataFrame
    gap_muscle: pd.DataFrame


def chemical_weights(table: pd.DataFrame, capacitance: Mapping[str, float], p: Parameters) -> np.ndarray:
    """Peak conductance [uS] of every chemical synapse, shape (pairs,)."""
    gain = np.where(table.sign == "inhibitory", p.inhibitory_gain, p.excitatory_gain)
    gain = np.where(table.sign_source.str.contains("cross"), p.head_cross_gain, gain)
    scale = np.array([input_scale(capacitance[post], p) for post in table.post])
    return gain * table.em_sections.to_numpy() * scale * US_PER_NS


def gap_weights(table: pd.DataFrame, capacitance: Mapping[str, float], p: Parameters) -> np.ndarray:
    """Conductance [uS] of every gap junction, shape (pairs,)."""
    sections = np.minimum(table.em_sections.to_numpy(), p.gap_section_limit)
    scale = np.array(
        [np.sqrt(input_scale(capacitance[a], p) * input_scale(capacitance[b], p))
         for a, b in zip(table.a, table.b, strict=True)]
    )  # fmt: skip
    return p.gap_gain * sections * scale * US_PER_NS


def nmj_weights(table: pd.DataFrame, muscles: pd.DataFrame, muscle_leak: float, p: Parameters) -> np.ndarray:
    """Conductance [uS] of every neuromuscular pair, shape (pairs,).

    Counts are normalised per muscle row (the left and right muscle of one side at one level):
    each row receives the same total drive, shared among its neurons by their EM sections.

    Args:
        table: nmj rows with their sign.
        muscles: the muscle table.
        muscle_leak: leak of one muscle cell [nS].
        p: class gains.
    """
    row = muscles.row.loc[table.muscle].to_numpy()
    side = muscles.quadrant.loc[table.muscle].str[0].to_numpy()
    counts = table.em_sections.to_numpy(dtype=float)
    extrapolated = table.pre.str[:3].isin(_SUBLATERAL).to_numpy() & (row > _LAST_COUNTED_ROW)
    counts = np.where(extrapolated, counts * p.sublateral_nmj_scale, counts)
    inhibitory = (table.sign == "inhibitory").to_numpy()

    key = pd.Series(list(zip(side, row, strict=True)))
    excitation = pd.Series(np.where(inhibitory, 0.0, counts)).groupby(key).transform("sum").to_numpy()
    everything = pd.Series(counts).groupby(key).transform("sum").to_numpy()
    cells = muscles.groupby([muscles.quadrant.str[0], "row"]).size()
    in_row = cells.loc[list(zip(side, row, strict=True))].to_numpy()
    # Inhibition is shared out over all contacts of the row, so rows with few GABA contacts
    # are inhibited little.
    share = counts * in_row / np.where(inhibitory, everything, np.maximum(excitation, 1e-12))
    gain = np.where(inhibitory, p.nmj_inhibitory_gain, p.nmj_excitatory_gain)
    return gain * muscle_leak * share * US_PER_NS


def input_scale(capacitance: float, p: Parameters) -> float:
    """Factor on every input onto a neuron of this capacitance [pF]."""
    return (capacitance / p.input_reference_capacitance) ** p.capacitance_exponent
