"""A body wall muscle that fires calcium action potentials: EGL-19, SHK-1, SLO-1, SLO-2 and leak.

One isopotential compartment of the size of the passive muscle (`cells.py`). The kinetics are those of `mod/`, apart
from SLO-2, which has a file of its own. Contraction follows a low-passed curve of voltage as in the passive muscle, but
one about the depolarised rest of a real muscle, where EGL-19 opens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from ..cells.channels import parameters
from ..cells.geometry import constants
from ..errors import ConfigError, unknown
from ..parameters import Parameters
from ..rows import named_values
from ..units import PF_PER_UM2_AT_1_UF_CM2, density_s_per_cm2
from .cells import MuscleMembrane

GENES = {
    "egl-19": ("egl19", "slo1_egl19"),
    "shk-1": ("shk1",),
    "slo-1": ("slo1_egl19",),
    "slo-2": ("slo2",),
}
"""Gene -> conductances that are lost with it; SLO-1 opens with the calcium of EGL-19."""


@dataclass(frozen=True)
class ActiveMembrane:
    """Whole-cell conductances and free kinetics of an active muscle cell.

    Attributes:
        egl19, shk1, slo1_egl19, slo2, leak: [nS]
        leak_reversal: [mV]
        egl19_shift: of every gate of EGL-19, also beside SLO-1 [mV]
        egl19_slope, shk1_v_half, slo2_v_half, slo2_slope: of activation [mV]
        slo2_tau: of activation [ms]
        contraction_half, contraction_slope: of the activation of the contraction [mV]
    """

    egl19: float
    egl19_shift: float
    egl19_slope: float
    shk1: float
    shk1_v_half: float
    slo1_egl19: float
    slo2: float
    slo2_v_half: float
    slo2_slope: float
    slo2_tau: float
    leak: float
    leak_reversal: float
    contraction_half: float
    contraction_slope: float

    @staticmethod
    @cache
    def standard() -> ActiveMembrane:
        """The values of active.csv."""
        return ActiveMembrane(**named_values(Path(__file__).with_name("active.csv")))

    def without(self, gene: str) -> ActiveMembrane:
        """The same membrane with one channel gene knocked out.

        Args:
            gene: such as "egl-19" or "egl19".

        Raises:
            ConfigError: for a gene that is not one of `GENES`.
        """
        known = {name.replace("-", ""): lost for name, lost in GENES.items()}
        key = str(gene).lower().replace("-", "")
        if key not in known:
            raise ConfigError(unknown("channel of muscle", gene, tuple(GENES)))
        return replace(self, **dict.fromkeys(known[key], 0.0))

    def section(self, passive: MuscleMembrane, p: Parameters) -> dict:
        """One muscle cell as a NetPyNE section dictionary.

        Args:
            passive: gives the capacitance.
            p: gives the time constant of contraction.
        """
        area = passive.capacitance / PF_PER_UM2_AT_1_UF_CM2
        side = math.sqrt(area / math.pi)

        def density(total: float) -> float:
            """Of a whole-cell conductance [nS], in S/cm2."""
            return density_s_per_cm2(total, area)

        activation = {"v_half": self.contraction_half, "slope": self.contraction_slope, "tau": p.muscle_tau}
        slo1 = {**parameters("slo1"), "gbar_egl19": density(self.slo1_egl19)}
        slo1 |= {"shift": self.egl19_shift, "egl19_slope_m": self.egl19_slope}
        egl19 = {**parameters("egl19"), "gbar": density(self.egl19)}
        egl19 |= {"shift": self.egl19_shift, "slope_m": self.egl19_slope}
        slo2 = {"v_half_m": self.slo2_v_half, "slope_m": self.slo2_slope, "m_tau": self.slo2_tau}
        return {
            "geom": {"L": side, "diam": side, "nseg": 1, "cm": 1.0, "Ra": constants()["axial_resistivity"]},
            "topol": {},
            "mechs": {
                "pas": {"g": density(self.leak), "e": self.leak_reversal},
                "egl19": egl19,
                "shk1": {**parameters("shk1"), "gbar": density(self.shk1), "v_half_m": self.shk1_v_half},
                "slo1": slo1,
                "slo2_muscle": {"gbar": density(self.slo2), **slo2},
                "muscle_activation": activation,
            },
            "ions": {
                "k": {"e": constants()["reversal_potassium"]},
                "ca": {"e": constants()["reversal_calcium"]},
            },
        }
