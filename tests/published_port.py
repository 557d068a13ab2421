"""The seven cells of Nicoletti 2024 in scipy, independent of mod/, of NEURON and of published.csv.

Written from the equations of the .mod files and the numbers of the scripts of the paper's repository
(github.com/martinanicoletti92/CelegansInterMotorNeuronsModels, PLoS ONE 19:e0298105). Units: mV, ms, nS, pA, pF, mM.
`python tests/published_port.py` prints what published_outputs.csv holds of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import exp, log, pi, sqrt

import numpy as np
from scipy.integrate import solve_ivp

E_K, E_NCA = -80.0, 30.0
FARADAY, GAS, KELVIN = 96485.3, 8.3145, 273.15 + 6.3
OUTSIDE, INSIDE, LOWEST = 2.0, 5e-5, 1e-4  # mM: NEURON's defaults, and the least in cadiff
DEPTH = 0.1  # um


def sigma(x):
    """Boltzmann curve."""
    return 1 / (1 + exp(-x))


def product(v, span, half, slope, floor):
    """Time constant that rises and falls as the product of two sigmoids [ms]."""
    return (span * sigma(-(v - half) / slope) + floor) * (span * sigma((v - half) / slope) + floor)


def bells(v):
    """Time constant of EGL-19's activation [ms]."""
    return 2.3359 + 2.9324 * exp(-(((v + 4.7643) / 6) ** 2)) + 1.8739 * exp(-(((v + 8.607) / 30) ** 2))


def u_shaped(v):
    """EGL-19's inactivation."""
    return (1.4314 * sigma((v - 14.8573) / 11.9541) + 0.1427) * (5.9589 * sigma(-(v + 20.5428) / 8.0552) + 0.6038)


# Gate -> steady state and time constant [ms]
GATES = {
    "egl19_m": (lambda v: sigma((v + 4.4) / 7.5), bells),
    "egl19_h": (
        u_shaped,
        lambda v: (
            0.4
            * (0.55 * 81.1179 * sigma(-(v + 32.9723) / 5) + 43.0937 + 0.9 * 40.4885 * sigma(-(v - 18.7251) / 3.7125))
        ),
    ),
    "unc2_m": (
        lambda v: sigma((v + 37.17) / 3.97),
        lambda v: 3 * (1.4969 / (exp(-(v + 38.1761) / 9.0753) + exp((v + 38.1761) / 15.3456)) + 0.1029),
    ),
    "unc2_h": (
        lambda v: sigma(-(v + 77.47) / 5.6),
        lambda v: 1.7 * (83.8037 * sigma(-(v - 22.8997) / 3.4557) + 72.0995 * sigma((v + 6.0991) / 3.5903)),
    ),
    "cca1_m": (
        lambda v: sigma((v + 57.65) / 2.38),
        lambda v: 0.5 * (40 * sigma(-(v + 92.5393) / 21.20886) + 0.6947),
    ),
    "cca1_h": (
        lambda v: sigma(-(v + 73) / 8.05),
        lambda v: 0.08 * (280 * sigma(-(v + 75.7312) / 9.37464) + 19.7456),
    ),
    "shl1_m": (
        lambda v: sigma((v - 0.26) / 16.25),
        lambda v: (13.8 / (exp(-(v + 40) / 12.9213) + exp((v + 40) / 6.4876)) + 1.8849) / 2,
    ),
    "shl1_f": (
        lambda v: sigma(-(v + 50) / 8.3),
        lambda v: (539.1584 * sigma(-(v + 60) / 4.9199) + 27.2811) / 3,
    ),
    "shl1_s": (lambda v: sigma(-(v + 50) / 8.3), lambda v: 8422 * sigma(-(v + 60) / 6.3785) + 118.8983),
    "shk1_m": (
        lambda v: sigma((v - 2) / 10),
        lambda v: 26.57145 / (exp(-(v + 33.741612) / 15.364938) + exp((v + 33.741612) / 15.757936)) + 1.990037,
    ),
    "shk1_h": (lambda v: sigma(-(v + 6.95) / 5.8), lambda v: 1400.0),
    "kqt1_m": (lambda v: sigma((v + 17.6053) / 9.5843), lambda v: 895.9 * sigma((v + 18.01) / 31.04) + 10),
    "kqt1_s": (
        lambda v: 0.41 * sigma(-(v + 86.84) / 15.05) + 0.59 * sigma(-(v - 70.13) / 13.37),
        lambda v: 1077 + 185845 / (1 + ((v - 39.44) / 7.34) ** 2),
    ),
    "egl2_m": (
        lambda v: sigma((v + 6.8594) / 14.9131),
        lambda v: 0.5 * (16.78 * sigma(-(v + 122.5682) / 13.7976) + 8.0969),
    ),
    "irk_m": (
        lambda v: sigma(-(v + 82) / 13),
        lambda v: 17.0752 / (exp(-(v + 17.8258) / 20.3154) + exp((v + 43.4414) / 11.1691)) + 3.8329,
    ),
    "unc103_m": (lambda v: sigma((v + 15.1) / 7.85), lambda v: product(v, 87.4088, -28.3339, 13.0998, 0.2562)),
    "unc103_h": (lambda v: sigma(-(v + 48) / 28), lambda v: product(v, 8.1559, -25.289, 29.5074, 0.23)),
}
# Open probability of a channel from its gates.
OPEN = {
    "egl19": lambda g: g["egl19_m"] * g["egl19_h"],
    "unc2": lambda g: g["unc2_m"] * g["unc2_h"],
    "cca1": lambda g: g["cca1_m"] ** 2 * g["cca1_h"],
    "shl1": lambda g: g["shl1_m"] * (0.8 * g["shl1_f"] + 0.2 * g["shl1_s"]),
    "shk1": lambda g: g["shk1_m"] * g["shk1_h"],
    "kqt1": lambda g: g["kqt1_m"] * g["kqt1_s"],
    "egl2": lambda g: g["egl2_m"],
    "irk": lambda g: g["irk_m"],
    "unc103": lambda g: g["unc103_m"] * g["unc103_h"],
}
CALCIUM = ("egl19", "unc2", "cca1")
# Rates: w-, wyx, Kyx, nyx, w+, wxy, Kxy, nxy.
SLO = {
    "slo1": (3.152961, 0.012643, 34.338784, 1e-4, 0.156217, -0.027527, 55.726186, 1.299198),
    "slo2": (0.896395, 0.019405, 3294.553404, 1e-5, 0.026719, -0.024123, 93.449423, 1.835067),
}
# uM beside an open channel of 40 pS at 13 nm, per mV of driving force.
NANODOMAIN = 1e3 * 40e-12 * 1e-3 / (8 * pi * 13e-9 * 250e-12 * FARADAY) * exp(-13e-9 / sqrt(250e-12 / (500e6 * 30e-6)))


def rates(slo, v, calcium):
    """Opening and closing rate of an SLO channel at a calcium concentration [uM] and voltage [1/ms]."""
    close, close_v, close_ca, close_n, gate, gate_v, gate_ca, gate_n = SLO[slo]
    closing = close * exp(-close_v * v) / (1 + (calcium / close_ca) ** close_n)
    return gate * exp(-gate_v * v) / (1 + (gate_ca / calcium) ** gate_n), closing


def isolated(slo, v, calcium):
    """Steady state and time constant [ms] of an SLO channel that sees the bulk's calcium [mM]."""
    opening, closing = rates(slo, v, 1e3 * calcium)
    return opening / (opening + closing), 1 / (opening + closing)


def coupled(slo, channel, v, e_ca, activation):
    """Steady state and time constant [ms] of an SLO channel in a complex with a calcium channel."""
    inf, tau = (curve(v) for curve in GATES[f"{channel}_m"])
    alpha = inf / tau
    beta = 1 / tau - alpha
    opening, closing = rates(slo, v, 0.05 + NANODOMAIN * abs(v - e_ca))
    shut = rates(slo, v, 0.05)[1]
    speed = ((opening + closing) * (shut + alpha) + beta * shut) / (alpha + beta + shut)
    return activation * opening / speed, 1 / speed


@dataclass(frozen=True)
class Cell:
    """One model: area [um2], specific capacitance [uF/cm2], conductances [nS], reversal of the leak [mV].

    `calcium` is its reversal [mV] where it is constant; None where it follows the shell.
    """

    area: float
    specific: float
    nS: dict[str, float]
    leak: float
    leak_reversal: float
    calcium: float | None
    nca: float = 0.0


def nernst(inside):
    """Reversal of calcium [mV] as NEURON computes it at 6.3 degC."""
    return 1e3 * GAS * KELVIN / (2 * FARADAY) * log(OUTSIDE / inside)


def siemens(area, **densities):
    """Conductances [nS] of densities [S/cm2] on an area [um2]."""
    return {name: 10 * area * each for name, each in densities.items()}


RIM = siemens(103.34, shl1=9.048750067e-4, egl2=1.411644285e-4, irk=3.272854641e-4, cca1=8.451919807e-4,
              unc2=9.676795045e-5, egl19=3.200581863e-4)  # fmt: skip
CELLS = {
    "AIY": Cell(65.89, 1.6, {"slo1_iso": 1, "kqt1": 0.2, "egl19": 0.1, "slo1_egl19": 0.92, "shl1": 0.5},
                0.14, -89.57, nernst(INSIDE), 0.06),
    "RIM": Cell(103.34, 1.5, RIM, 10 * 103.34 * 9.676795045e-5, -50, 60.0),
    "AVAL": Cell(1123.84, 0.859551, {"egl19": 0.104385, "irk": 0.1}, 0.150164, -39, 60.0),
    "AVAR": Cell(1121.79, 0.751761, {"egl19": 0.0643372, "irk": 0.042079, "unc103": 0.0481669},
                 0.225225, -37, 60.0, 0.0493356),
    "VA5": Cell(389.3, 1.5, {"slo2_egl19": 3, "slo2_iso": 3, "egl19": 0.15, "irk": 1, "shk1": 0.1},
                0.1, -70, None, 0.01),
    "VB6": Cell(524.64, 1.5, {"slo1_egl19": 0.2, "slo2_egl19": 1.75, "slo1_unc2": 1, "slo2_unc2": 1, "slo1_iso": 1,
                              "slo2_iso": 2, "egl19": 0.1, "unc2": 0.1, "irk": 1, "shk1": 0.4},
                0.13, -52, None, 0.03),
    "VD5": Cell(351.53, 1, {"slo2_egl19": 1.7, "slo2_iso": 1.7, "egl19": 0.9, "cca1": 0.1, "irk": 0.7, "shk1": 1.2},
                0.2, -75, None, 0.09),
}  # fmt: skip


class Model:
    """Right-hand side of one cell: states are the voltage, its gates, and the calcium of its shell."""

    def __init__(self, name):
        self.cell = CELLS[name]
        self.slo = [each for each in self.cell.nS if "_" in each]
        plain = {each for each in self.cell.nS if "_" not in each}
        self.gates = [each for each in GATES if each.split("_")[0] in plain]

    def start(self, v):
        """States long at a voltage, apart from calcium, which an integration settles."""
        opened = {name: GATES[name][0](v) for name in self.gates}
        e_ca = self.cell.calcium or nernst(LOWEST)
        slo = [self._slo(name, v, opened, LOWEST, e_ca)[0] for name in self.slo]
        return np.array([v, *opened.values(), *slo, LOWEST])

    def _slo(self, name, v, gates, calcium, e_ca):
        kind, partner = name.split("_")
        if partner == "iso":
            return isolated(kind, v, INSIDE if self.cell.calcium else calcium)
        return coupled(kind, partner, v, e_ca, gates[f"{partner}_m"])

    def currents(self, y):
        """Total ionic current and that of calcium [pA]."""
        cell, v, n = self.cell, y[0], len(self.gates)
        gates, opened = dict(zip(self.gates, y[1:], strict=False)), dict(zip(self.slo, y[1 + n :], strict=False))
        e_ca = cell.calcium or nernst(max(y[-1], LOWEST))
        calcium = sum(cell.nS[name] * OPEN[name](gates) * (v - e_ca) for name in CALCIUM if name in cell.nS)
        total = calcium + cell.leak * (v - cell.leak_reversal) + cell.nca * (v - E_NCA)
        for name, conductance in cell.nS.items():
            if name in self.slo:
                partner = name.split("_")[1]
                share = opened[name] * (1.0 if partner == "iso" else gates[f"{partner}_h"])
            elif name in CALCIUM:
                continue
            else:
                share = OPEN[name](gates)
            total += conductance * share * (v - E_K)
        return total, calcium

    def slope(self, y, injected, clamped):
        """Time derivative of the states."""
        cell, v, n = self.cell, y[0], len(self.gates)
        total, current = self.currents(y)
        gates, inside = dict(zip(self.gates, y[1:], strict=False)), max(y[-1], LOWEST)
        e_ca = cell.calcium or nernst(inside)
        moved = [0.0 if clamped else (injected - total) / (0.01 * cell.area * cell.specific)]
        moved += [(GATES[name][0](v) - gates[name]) / GATES[name][1](v) for name in self.gates]
        for name, o in zip(self.slo, y[1 + n :], strict=False):
            inf, tau = self._slo(name, v, gates, inside, e_ca)
            moved.append((inf - o) / tau)
        density = current / (10 * cell.area)  # mA/cm2
        filled = -1e4 * density / (2 * FARADAY * DEPTH) - inside
        moved.append(filled if inside > LOWEST or filled > 0 else 0.0)
        return moved

    def run(self, y, duration, injected=0.0, clamped=False):
        """States after so many milliseconds, and all times and states on the way."""
        found = solve_ivp(lambda t, y: self.slope(y, injected, clamped), (0, duration), y, "LSODA", rtol=1e-8,
                          atol=1e-10, max_step=20.0)  # fmt: skip
        return found.y[:, -1], found.t, found.y


@cache
def rested(name, settling=5000.0):
    """The model and its states after resting from -60 mV."""
    model = Model(name)
    return model, model.run(model.start(-60.0), settling)[0]


def current_clamp(name, step, duration):
    """Voltage at the end of a current step from rest, and its largest in the step [mV]."""
    model, rest = rested(name)
    last, _, way = model.run(model.start(rest[0]), duration, step)
    return last[0], way[0].max()


def voltage_clamp(name, level, hold, duration):
    """Ionic current at the end of a voltage step [pA]."""
    model = Model(name)
    held = model.run(model.start(hold), 500.0, clamped=True)[0]
    held[0] = level
    return model.currents(model.run(held, duration, clamped=True)[0])[0]


# Cell -> currents [pA] and duration of the step [ms] of its script; levels, hold [mV] and duration of its clamp.
CURRENT = {
    "VB6": ((0, -30, -20, -10, 10, 20, 30), 1000.0),
    "VD5": ((0, -30, -20, -10, 10, 20, 30), 1000.0),
}
VOLTAGE = {
    "AIY": ((-120, -90, -50, -30, -10, 20, 50), -60.0, 500.0),
    "RIM": ((-100, -70, -40, -20, 10, 50), -60.0, 500.0),
    "AVAL": ((-110, -70, -10, 20, 50), -30.0, 250.0),
    "AVAR": ((-110, -70, -10, 20, 50), -30.0, 250.0),
    "VA5": ((-40, -20, 0, 20, 40, 70), -60.0, 600.0),
    "VB6": ((-40, -20, 0, 20, 40, 70), -60.0, 600.0),
    "VD5": ((-40, -20, 0, 20, 40, 70), -60.0, 1200.0),
}


def rows():
    """Rows of published_outputs.csv that come from here: cell, mode, step, quantity, value, duration, hold."""
    for name, (steps, duration) in CURRENT.items():
        for step in steps:
            last, most = current_clamp(name, step, duration)
            yield name, "CC", step, "steady" if step else "rest", last, duration, None
            if step > 0:
                yield name, "CC", step, "peak", most, duration, None
    for name, (levels, hold, duration) in VOLTAGE.items():
        for level in levels:
            yield name, "VC", level, "steady", voltage_clamp(name, level, hold, duration), duration, hold


if __name__ == "__main__":
    for row in rows():
        print(*("" if each is None else f"{each:.3f}" if isinstance(each, float) else each for each in row), sep=",")
