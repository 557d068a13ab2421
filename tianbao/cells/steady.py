"""Steady currents of a membrane: resting potential and input resistance of an isolated cell.

The steady states of mod/ in numpy, for whole arrays of voltages: 302 resting potentials in
milliseconds, before any NEURON object exists. tests/test_membranes.py compares them with the published vectors.
Limitations: one compartment, without axial resistance.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from .channels import parameters
from .geometry import constants
from .templates import Membrane

GRID = np.arange(-120.0, 60.0, 0.1)
"""Voltages of every I-V curve [mV]."""

_FARADAY = 96485.33212  # C/mol
_START = -60.0  # mV
_CALCIUM = ("egl19", "unc2", "cca1")
_REVERSAL_PLATEAU = 0.0  # mV, of mod/plateau.mod
# Calcium pool of mod/ca_pool.mod: share of the current, time constant [ms], resting level [mM]; KCNL half [mM].
_POOL_SHARE, _POOL_TAU, _POOL_REST, _KCNL_HALF = 0.001, 50.0, 5e-5, 3.3e-4


def _rise(v: np.ndarray, half: float, slope: float) -> np.ndarray:
    return 1.0 / (1.0 + np.exp((half - v) / slope))


def _fall(v: np.ndarray, half: float, slope: float) -> np.ndarray:
    return _rise(-v, -half, slope)


def open_share(
    channel: str,
    v: np.ndarray,
    shift: float = 0.0,
    channel_set: str = "C19",
    kinetics: dict[str, float] | None = None,
) -> np.ndarray:
    """Fraction of a channel's conductance that is open in the steady state.

    Args:
        channel: a row name of templates.csv, such as "egl19" or "slo1_egl19"; not "kcnl".
        v: voltages [mV].
        shift: of the gates of EGL-19 [mV].
        channel_set: "C19" or "H".
        kinetics: RANGE parameters of a class that differ from the set.

    Source: mod/, one file per channel (Nicoletti 2019).
    """
    gene, _, partner = channel.partition("_")
    p = {**parameters(gene, channel_set), **(kinetics or {})}
    if partner:
        return _complex_open(gene, partner, v, shift, channel_set)
    match gene:
        case "shl1":
            return _rise(v, p["v_half_m"], 14.1) ** 3 * _fall(v, p["v_half_h"], 8.3)
        case "kvs1":
            return _rise(v, p["v_half_m"], 25.0) * _fall(v, p["v_half_h"], 11.1)
        case "shk1":
            return _rise(v, p.get("v_half_m", 20.4), p.get("slope_m", 7.7)) * _fall(v, p.get("v_half_h", -6.95), 5.8)
        case "kqt3":
            w, s = 0.49 + 0.51 * _fall(v, -1.084, 28.78), 0.34 + 0.66 * _fall(v, -45.3, 12.3)
            return _rise(v, p["v_half_m"], 15.8008) * w * s
        case "egl36":
            return 1.06 * _rise(v, 63.0, 28.5)
        case "egl2":
            return _rise(v, -6.8594, 14.9131)
        case "irk1":
            return _fall(v, -82.0, 13.0)
        case "cca1":
            return _rise(v, p["v_half_m"], p["slope_m"]) ** 2 * _fall(v, p["v_half_h"], p["slope_h"])
        case "kqt1":
            return _rise(v, -17.6053, 9.5843) * (0.41 * _fall(v, -86.84, 15.05) + 0.59 * _fall(v, 70.13, 13.37))
        case "unc103":
            return _rise(v, -15.1, 7.85) * _fall(v, -48.0, 28.0)
        case "plateau":
            return _rise(v, p["v_half_m"], p["slope_m"]) * _fall(v, p["v_half_h"], p["slope_h"])
        case "egl19" | "unc2":
            m, h, _ = _calcium_gates(gene, v, shift, p)
            return m * h
    return np.ones_like(v)


def _calcium_gates(gene: str, v: np.ndarray, shift: float, p: dict[str, float]):
    """Activation, inactivation and activation time constant [ms]; `p` as named in channels.csv for the gene."""
    if gene == "egl19":
        u = v - shift - p["set_shift"]
        h = (1.4314 * _rise(u, 24.8573, 11.9541) + 0.1427) * (5.9589 * _fall(u, -10.5428, 8.0552) + 0.6038)
        narrow, wide = np.exp(-(((u - 5.2357) / 6.0) ** 2)), np.exp(-(((u - 1.393) / 30.0) ** 2))
        return _rise(u, 5.6, 7.5), h, 2.3359 + 2.9324 * narrow + 1.8739 * wide
    u = v - p["tau_shift"]
    fast = 1.4969 / (np.exp((-8.1761 - u) / 9.0753) + np.exp((u + 8.1761) / 15.3456)) + 0.1029
    return _rise(v, p["v_half_m"], 3.97), _fall(v, p["v_half_h"], 5.6), p["tau_m_scale"] * fast


# Rates of mod/slo1.mod and slo2.mod: closing [1/ms], its voltage [1/mV], calcium [uM] and power, then opening.
_SLO = {
    "slo1": ((3.152961, 0.012643, 34.338784, 1e-4), (0.156217, -0.027527, 55.726816, 1.299198)),
    "slo2": ((0.896395, 0.019405, 3294.553404, 1e-5), (0.026719, -0.024123, 93.449423, 1.835067)),
}
_BACKGROUND, _NANODOMAIN_PER_MV = 0.05, 1e9 * 40.0 * 0.9042061 / (8.0 * np.pi * 13.0 * 250.0 * _FARADAY)


def _complex_open(gene: str, partner: str, v: np.ndarray, shift: float, channel_set: str) -> np.ndarray:
    m, h, tau = _calcium_gates(partner, v, shift, parameters(partner, channel_set))
    (close, close_v, close_ca, close_n), (gate, gate_v, gate_ca, gate_n) = _SLO[gene]
    calcium = _BACKGROUND + _NANODOMAIN_PER_MV * np.abs(v - constants()["reversal_calcium"])
    closing = close * np.exp(-close_v * v)
    shut = closing / (1.0 + (_BACKGROUND / close_ca) ** close_n)
    closing = closing / (1.0 + (calcium / close_ca) ** close_n)
    opening = gate * np.exp(-gate_v * v) / (1.0 + (gate_ca / calcium) ** gate_n)
    alpha = m / tau
    beta = 1.0 / tau - alpha
    share = opening * (alpha + beta + shut) / ((opening + closing) * (shut + alpha) + beta * shut)
    return m * share * h


@cache
def _curve(channel: str, shift: float, channel_set: str, kinetics: tuple[tuple[str, float], ...]) -> np.ndarray:
    return open_share(channel, GRID, shift, channel_set, dict(kinetics))


def reversal(channel: str) -> float:
    """Reversal potential of a channel's current [mV]."""
    if channel in _CALCIUM:
        return constants()["reversal_calcium"]
    if channel == "plateau":
        return _REVERSAL_PLATEAU
    return constants()["reversal_nca"] if channel == "nca" else constants()["reversal_potassium"]


def conductances(membrane: Membrane, channel_set: str = "C19") -> dict[str, np.ndarray]:
    """Steady conductance of every channel over `GRID` [nS], for a cell of the reference capacitance."""
    shift = membrane.egl19_shift
    found = {
        name: total * _curve(name, shift, channel_set, tuple(membrane.kinetics.get(name.split("_")[0], {}).items()))
        for name, total in membrane.conductances.items()
        if name != "kcnl"
    }
    if "kcnl" in membrane.conductances:
        e_ca = constants()["reversal_calcium"]
        current = sum((found[name] * (GRID - e_ca) for name in _CALCIUM if name in found), np.zeros_like(GRID))
        area = membrane.reference_capacitance / (0.01 * constants()["membrane_capacitance"])  # um2
        density = 0.1 * current / area  # mA/cm2
        filling = -1e4 * _POOL_SHARE * np.minimum(density, 0.0) / (2.0 * _FARADAY * constants()["pool_depth"])
        calcium = _POOL_REST + _POOL_TAU * filling
        found["kcnl"] = membrane.conductances["kcnl"] * calcium / (_KCNL_HALF + calcium)
    return found


def steady_current(membrane: Membrane, channel_set: str = "C19") -> np.ndarray:
    """Steady current over `GRID` [pA], outward positive, for a cell of the reference capacitance."""
    total = membrane.leak * (GRID - membrane.leak_reversal)
    for name, conductance in conductances(membrane, channel_set).items():
        total = total + conductance * (GRID - reversal(name))
    return total


def stable_states(membrane: Membrane, channel_set: str = "C19") -> list[float]:
    """Stable voltages of the isolated cell [mV], lowest first; see `rest_of`."""
    current = steady_current(membrane, channel_set)
    upward = np.flatnonzero((current[:-1] < 0.0) & (current[1:] >= 0.0))
    step = GRID[1] - GRID[0]
    return [float(GRID[k] - step * current[k] / (current[k + 1] - current[k])) for k in upward]


def rest_of(membrane: Membrane, channel_set: str = "C19") -> float | None:
    """Voltage to which the isolated cell settles from -60 mV, where every cell of the worm starts [mV]."""
    states = stable_states(membrane, channel_set)
    outward = float(np.interp(_START, GRID, steady_current(membrane, channel_set))) > 0.0
    reached = [each for each in states if (each < _START) == outward]
    if not reached:
        return None
    return max(reached) if outward else min(reached)


def input_resistance(membrane: Membrane, channel_set: str = "C19") -> float:
    """Steady slope resistance at rest [GOhm], for a cell of the reference capacitance; nan if it has no rest."""
    rest = rest_of(membrane, channel_set)
    if rest is None:
        return float("nan")
    slope = np.gradient(steady_current(membrane, channel_set), GRID)
    return 1.0 / float(np.interp(rest, GRID, slope))
