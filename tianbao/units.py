"""Every unit of Tianbao, and the only conversions between them.

Neural side (NEURON's own): ms, mV, nA, uS, um, S/cm2, mM.
Body side: mm, s, uN; so stress is Pa, bending stiffness uN mm2 = 1e-12 N m2 and
drag per length uN s/mm2 = N s/m2; mass mg, so that mg m/s2 = uN.
One clock, in ms, in every public argument.
"""

from __future__ import annotations

MS_PER_S = 1000.0
S_PER_MIN = 60.0
NA_PER_PA = 1e-3
US_PER_NS = 1e-3
UN_MM2_PER_N_M2 = 1e12
UN_PER_N = 1e6
CM2_PER_UM2 = 1e-8
MG_PER_MM3_KG_M3 = 1e-3
PF_PER_UM2_AT_1_UF_CM2 = 1e-2


def density_s_per_cm2(conductance_ns: float, area_um2: float) -> float:
    """Conductance density [S/cm2] that gives a cell of this area [um2] a total of [nS]."""
    return conductance_ns * 1e-9 / (area_um2 * CM2_PER_UM2)
