"""A body wall muscle as one isopotential NEURON compartment with a graded activation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..parameters import Parameters
from ..rows import named_values
from ..units import PF_PER_UM2_AT_1_UF_CM2, density_s_per_cm2


@dataclass(frozen=True)
class MuscleMembrane:
    """Passive membrane of every muscle cell; its activation curve is in the parameter table.

    Attributes:
        capacitance: [pF]
        leak: [nS]
        leak_reversal: [mV]
        gap_conductance: of a muscle-muscle gap junction, per EM section [nS]
        distance: of a muscle's axis from the midline, along each of dorsal and right [um]
    """

    capacitance: float
    leak: float
    leak_reversal: float
    gap_conductance: float
    distance: float

    @staticmethod
    @cache
    def standard() -> MuscleMembrane:
        """The values of muscle.csv."""
        return MuscleMembrane(**named_values(Path(__file__).with_name("muscle.csv")))


def muscle_section(membrane: MuscleMembrane, p: Parameters) -> dict:
    """One muscle cell as a NetPyNE section dictionary."""
    area = membrane.capacitance / PF_PER_UM2_AT_1_UF_CM2
    side = math.sqrt(area / math.pi)
    return {
        "geom": {"L": side, "diam": side, "nseg": 1, "cm": 1.0, "Ra": 100.0},
        "topol": {},
        "mechs": {
            "pas": {"g": density_s_per_cm2(membrane.leak, area), "e": membrane.leak_reversal},
            "muscle_activation": {
                "v_half": p.muscle_half,
                "slope": p.muscle_slope,
                "tau": p.muscle_tau,
            },
        },
    }
