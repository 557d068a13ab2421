"""The gates of the channels as published: vectors of set C19, and the formulas of both sets, written independently.

Independent of the .mod files and of channels.csv: NEURON's results are compared with these.
Sources: Nicoletti et al. 2019 (PLoS ONE 14:e0218738, ModelDB 267187); set H as BAAIWorm ships its CCA-1 and EGL-2.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from math import exp
from pathlib import Path

VECTORS = Path(__file__).with_name("channel_vectors.csv")

Gate = tuple[Callable[[float], float], Callable[[float], float]]

def sigma(x: float) -> float:
    """Boltzmann curve."""
    return 1 / (1 + exp(-x))


SET_H: dict[str, Gate] = {
    "shl1_m": (
        lambda v: sigma((v - 11.2) / 14.1),
        lambda v: 13.8 / (exp(-(v + 17.5165) / 12.9213) + exp((v + 3.7082) / 6.4876)) + 1.8849,
    ),
    "shl1_h_fast": (
        lambda v: 1 - sigma((v + 33.1) / 8.3),
        lambda v: 539.1584 / (1 + exp((v + 28.199) / 4.9199)) + 27.2811,
    ),
    "shl1_h_slow": (
        lambda v: 1 - sigma((v + 33.1) / 8.3),
        lambda v: 8422 / (1 + exp((v + 37.7391) / 6.3785)) + 118.8983,
    ),
    "kvs1_m": (lambda v: sigma((v - 57.1) / 25), lambda v: 30 / (1 + exp((v - 18.1232) / 20)) + 1),
    "kvs1_h": (lambda v: 1 - sigma((v - 47.3) / 11.1), lambda v: 88.4715 / (1 + exp((v - 50) / 15)) + 53.406),
    "kqt3_m_fast": (
        lambda v: sigma((v + 12.6726) / 15.8008),
        lambda v: 395.3 / (1 + ((v + 38.1) / 33.59) ** 2),
    ),
    "kqt3_m_slow": (
        lambda v: sigma((v + 12.6726) / 15.8008),
        lambda v: 5503 - 5345.4 / (1 + 10 ** (-0.02827 * (-23.9 - v))) - 4590.6 / (1 + 10 ** (-0.0357 * (v + 14.15))),
    ),
    "kqt3_w": (
        lambda v: 0.49 + 0.51 / (1 + exp((v + 1.084) / 28.78)),
        lambda v: 5.44 + 29.2 / (1 + ((v + 48.09) / 48.83) ** 2),
    ),
    "kqt3_s": (lambda v: 0.34 + 0.66 / (1 + exp((v + 45.3) / 12.3)), lambda v: 5000.0),
    "egl2_m": (
        lambda v: sigma((v + 6.8594) / 14.9131),
        lambda v: 1845.8 / (1 + exp((v + 122.6) / 13.8)) + 1517.74,
    ),
    "egl19_m": (
        lambda v: sigma((v - 5.6) / 7.5),
        lambda v: 2.3359 + 2.9324 * exp(-(((v - 5.2357) / 6) ** 2)) + 1.8739 * exp(-(((v - 1.393) / 30) ** 2)),
    ),
    "egl19_h": (
        lambda v: (
            (1.4314 * sigma((v - 24.8573) / 11.9541) + 0.1427) * (5.9589 / (1 + exp((v + 10.5428) / 8.0552)) + 0.6038)
        ),
        lambda v: 0.4 * (44.615 / (1 + exp((v + 22.9723) / 5)) + 36.440 / (1 + exp((v - 28.7251) / 3.7125)) + 43.0937),
    ),
    "unc2_m": (
        lambda v: sigma((v + 12.17) / 3.97),
        lambda v: 1.4969 / (exp(-(v + 8.1761) / 9.0753) + exp((v + 8.1761) / 15.3456)) + 0.1029,
    ),
    "unc2_h": (
        lambda v: 1 - sigma((v + 52.47) / 5.6),
        lambda v: 83.8037 / (1 + exp((v - 52.8997) / 3.4557)) + 72.0995 / (1 + exp(-(v - 23.9009) / 3.5903)),
    ),
    "cca1_m": (
        lambda v: sigma((v + 43.32) / 7.6),
        lambda v: 40 / (1 + exp((v + 62.5393) / 12.4758)) + 0.6947,
    ),
    "cca1_h": (
        lambda v: 1 - sigma((v + 58) / 7),
        lambda v: 280 / (1 + exp((v + 60.7312) / 8.5224)) + 19.7456,
    ),
}
"""Gate -> steady state and time constant [ms] of the voltage [mV], in set H."""


def _moved(gate: str, volts: float, scale: float = 1.0, tau_volts: float = 0.0) -> Gate:
    """A gate of set H with its steady state and its time constant shifted along the voltage axis."""
    inf, tau = SET_H[gate]
    return lambda v: inf(v - volts), lambda v: scale * tau(v - tau_volts)


SET_C19: dict[str, Gate] = {
    "shl1_m": _moved("shl1_m", -18, 0.1),
    "shl1_h_fast": _moved("shl1_h_fast", -18, 0.1),
    "shl1_h_slow": _moved("shl1_h_slow", -18, 0.1),
    "kvs1_m": _moved("kvs1_m", -30, 0.1),
    "kvs1_h": _moved("kvs1_h", -30, 0.1),
    "kqt3_m_fast": _moved("kqt3_m_fast", -10, 0.1),
    "kqt3_m_slow": _moved("kqt3_m_slow", -10, 0.1),
    "kqt3_w": _moved("kqt3_w", 0, 0.1),
    "kqt3_s": _moved("kqt3_s", 0, 0.1),
    "egl2_m": (SET_H["egl2_m"][0], lambda v: 0.5 * (16.78 / (1 + exp((v + 122.5682) / 13.7976)) + 8.0969)),
    "egl19_m": _moved("egl19_m", -10, 1.0, -10),
    "egl19_h": _moved("egl19_h", -10, 1.0, -10),
    "unc2_m": _moved("unc2_m", -25, 3.0, -30),
    "unc2_h": _moved("unc2_h", -25, 1.7, -30),
    "cca1_m": (
        lambda v: sigma((v + 57.65) / 2.38),
        lambda v: 0.5 * (40 / (1 + exp((v + 92.5393) / 21.209)) + 0.6947),
    ),
    "cca1_h": (
        lambda v: 1 - sigma((v + 73) / 8.05),
        lambda v: 0.08 * (280 / (1 + exp((v + 75.7312) / 9.3746)) + 19.7456),
    ),
}
"""The same in set C19, for the gates in which it differs from H."""


def vectors() -> list[tuple[str, float, float, float]]:
    """Gate, voltage [mV], steady state and time constant [ms] of every published vector of set C19."""
    with open(VECTORS, newline="") as lines:
        return [
            (row["gate"].split(" ")[0], float(row["V_mV"]), float(row["inf"]), float(row["tau_ms"]))
            for row in csv.DictReader(lines)
        ]
