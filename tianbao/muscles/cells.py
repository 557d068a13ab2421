"""A body wall muscle as one isopotential NEURON compartment with a graded activation."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..parameters import Parameters
from ..units import PF_PER_UM2_AT_1_UF_CM2, density_s_per_cm2


@dataclass(frozen=True)
class MuscleMembrane:
    """Passive membrane and activation curve of every muscle cell.

    Attributes:
        capacitance: [pF]
        leak: [nS]
        leak_reversal: [mV]
        activation_half: voltage of half activation [mV]
        activation_slope: [mV]
        gap_conductance: of a muscle-muscle gap junction, per EM section [nS]
    """

    capacitance: float
    leak: float
    leak_reversal: float
    activation_half: float
    activation_slope: float
    gap_conductance: float

    @staticmethod
    @cache
    def standard() -> MuscleMembrane:
        """The values of muscle.csv."""
        with open(Path(__file__).parent / "muscle.csv", newline="", encoding="utf-8") as lines:
            return MuscleMembrane(**{row["name"]: float(row["value"]) for row in csv.DictReader(lines)})


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
                "v_half": membrane.activation_half,
                "slope": membrane.activation_slope,
                "tau": p.muscle_tau,
            },
        },
    }
