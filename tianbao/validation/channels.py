"""Level channel: every mechanism in NEURON compared with published vectors, formulas and invariances."""

from __future__ import annotations

import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .. import mechanisms
from ..cells.channels import CHANNELS, parameters
from ..cells.geometry import constants
from ..cells.temperature import set_rates
from ..electrophysiology.gates import GATES
from ..electrophysiology.sections import build
from .check import Check, Result
from .reference import SET_C19, SET_H, vectors

_NICOLETTI = "Nicoletti 2019 (ModelDB 267187)"
_POTASSIUM = tuple(each for each in CHANNELS if each not in ("egl19", "unc2", "cca1", "nca"))
_CALCIUM = ("egl19", "unc2", "cca1")
_OPEN = {"gbar": 1e-4, "gbar_egl19": 1e-4, "gbar_unc2": 1e-4}  # S/cm2
# Voltages between and beyond those of the vectors [mV].
_ELSEWHERE = (-113.0, -97.5, -71.3, -52.9, -33.3, -18.1, -7.7, 6.4, 13.9, 29.2, 57.0)
# Calcium next to an open channel, without background [uM].
_NANODOMAIN = {-20.0: 367.1, -80.0: 642.5, 40.0: 91.8}


class _Patch:
    """A spherical cell with some channels; if `clamped`, its voltage is fixed by its large size."""

    def __init__(
        self, *names: str, open_: bool = True, clamped: bool = True, set_name: str = "C19", **geometry: float
    ) -> None:
        mechanisms.load()
        from neuron import h

        self.h = h
        mechs = {}
        for name in names:
            mechs[name] = dict(parameters(name, set_name)) if name in CHANNELS else {}
            if open_ and name in CHANNELS:
                keys = ("gbar_egl19", "gbar_unc2") if name in ("slo1", "slo2") else ("gbar",)
                mechs[name] |= {key: _OPEN[key] for key in keys}
        ions = {"k": {"e": constants()["reversal_potassium"]}, "ca": {"e": constants()["reversal_calcium"]}}
        size = {"L": 10.0, "diam": 10.0, "nseg": 1, "Ra": 100.0, "cm": 1e9 if clamped else 1.0, **geometry}
        self.section = build({"ball": {"geom": size, "topol": {}, "mechs": mechs, "ions": ions}}, "patch")["ball"]
        self.at = self.section(0.5)

    def value(self, mechanism: str, name: str) -> float:
        """Value of a RANGE or GLOBAL variable of a mechanism, in its unit."""
        instance = getattr(self.at, mechanism)
        return getattr(instance, name) if hasattr(instance, name) else getattr(self.h, f"{name}_{mechanism}")

    def run(self, start: float, milliseconds: float, dt: float = 0.1, celsius: float = 20.0) -> np.ndarray:
        """Simulate the free membrane.

        Args:
            start: initial voltage [mV].
            milliseconds: duration [ms].
            dt: time step [ms].
            celsius: NEURON's temperature [degC], which must not matter.

        Returns:
            Voltage after every step [mV], shape (steps,).
        """
        h = self.h
        set_rates(h, 1.0)
        h.celsius, h.dt, h.secondorder = celsius, dt, 0
        h.finitialize(start)
        trace = []
        for _ in range(round(milliseconds / dt)):
            h.fadvance()
            trace.append(self.at.v)
        return np.array(trace)


def _relative(found: float, wanted: float) -> float:
    return abs(found - wanted) / abs(wanted)


def _vectors() -> Iterator[Result]:
    patch = _Patch(*CHANNELS)
    worst = dict.fromkeys(GATES, 0.0)
    for gate, voltage, steady, tau in vectors():
        mechanism, inf_name, tau_name, state = GATES[gate]
        patch.h.finitialize(voltage)
        for name, wanted in ((inf_name, steady), (tau_name, tau), (state, steady)):
            worst[gate] = max(worst[gate], _relative(patch.value(mechanism, name), wanted))
    for gate, error in worst.items():
        test = f"set C19, {gate}: largest relative error over the published voltages"
        yield Result(f"V01 {gate}", "channel", test, error, 1e-3, "1", 0.0, _NICOLETTI, bound=True)


def _formulas() -> Iterator[Result]:
    for set_name, table in (("C19", SET_C19), ("H", SET_H)):
        patch = _Patch(*CHANNELS, set_name=set_name)
        worst = dict.fromkeys(table, 0.0)
        for voltage in _ELSEWHERE:
            patch.h.finitialize(voltage)
            for gate, (inf, tau) in table.items():
                mechanism, inf_name, tau_name, _ = GATES[gate]
                for name, formula in ((inf_name, inf), (tau_name, tau)):
                    worst[gate] = max(worst[gate], _relative(patch.value(mechanism, name), formula(voltage)))
        test = f"set {set_name}, {len(table)} gates at {len(_ELSEWHERE)} other voltages: largest relative error"
        yield Result(
            f"V01 set {set_name}", "channel", test, max(worst.values()), 1e-3, "1", 0.0, _NICOLETTI, bound=True
        )


def _nanodomain() -> Iterator[Result]:
    patch = _Patch("slo1", "slo2")
    for voltage, wanted in _NANODOMAIN.items():
        patch.h.finitialize(voltage)
        found = patch.value("slo1", "nanodomain") - 0.05
        test = f"calcium in the nanodomain at {voltage:g} mV"
        yield Result(f"V02 {voltage:g}", "channel", test, found, wanted, "uM", 1e-3 * wanted, _NICOLETTI)


def _temperature() -> Iterator[Result]:
    patch = _Patch(*CHANNELS, "ca_pool", clamped=False)
    cold, warm = (patch.run(-60.0, 200.0, celsius=each) for each in (6.3, 20.0))
    test = "a free membrane at 6.3 and 20 degC: largest difference"
    yield Result("V03", "channel", test, np.abs(cold - warm).max(), 1e-9, "mV", 0.0, "no source has a Q10", bound=True)


def _reversal() -> Iterator[Result]:
    patch = _Patch(*CHANNELS)
    for names, current, ion in ((_POTASSIUM, "ik", "potassium"), (_CALCIUM, "ica", "calcium"), (("nca",), "i", "nca")):
        patch.h.finitialize(constants()[f"reversal_{ion}"])
        found = max(abs(patch.value(each, current)) for each in names)
        test = f"largest current of {len(names)} channels at the reversal of {ion}"
        yield Result(f"V04 {ion}", "channel", test, found, 0.0, "mA/cm2", 1e-12, _NICOLETTI)


def _knock_out() -> Iterator[Result]:
    patch, worst = _Patch(*CHANNELS, open_=False), 0.0
    for voltage in (-120.0, -60.0, -20.0, 0.0, 40.0):
        patch.h.finitialize(voltage)
        worst = max(worst, abs(patch.at.ik), abs(patch.at.ica), abs(patch.at.nca.i))
    yield Result("V05", "channel", "current without conductance", worst, 0.0, "mA/cm2", 0.0, "exact by definition")


def _coupling() -> Iterator[Result]:
    alone = _Patch("slo1", "egl19", clamped=False)
    before = alone.run(-30.0, 10.0)
    neighbour = _Patch("slo1", "egl19", "unc2", clamped=False)
    neighbour.at.slo1.shift = neighbour.at.egl19.shift = -20.0
    after = alone.run(-30.0, 10.0)
    test = "a cell with SLO-1, before and after another with other calcium channels was made: largest difference"
    found = float(np.abs(after - before).max())
    yield Result("SLO", "channel", test, found, 0.0, "mV", 0.0, "each instance has its own gates")


def _pool() -> Iterator[Result]:
    # The depth of the shell matters, not its volume: calcium rises equally in cells of two sizes.
    small, large = (_Patch("egl19", "ca_pool", L=size, diam=size) for size in (3.0, 30.0))
    levels = []
    for each in (small, large):
        each.at.egl19.gbar = 1e-3
        each.run(-10.0, 300.0)
        levels.append(each.at.cai)
    test = "calcium after 300 ms at -10 mV in a large over that in a small cell of equal current density"
    yield Result("pool area", "channel", test, levels[1] / levels[0], 1.0, "1", 1e-6, "conservation of calcium")
    spiking = _Patch("egl19", "ca_pool", "kcnl", clamped=False)
    spiking.at.egl19.gbar = 4e-3
    rest = 5e-5 / (3.3e-4 + 5e-5)
    spiking.run(-20.0, 100.0)
    test = "KCNL open after 100 ms of a calcium spike, over its share at rest: at least 2"
    yield Result("pool KCNL", "channel", test, rest / spiking.at.kcnl.m, 0.5, "1", 0.0, _NICOLETTI, bound=True)


def _convergence() -> Iterator[Result]:
    patch = _Patch(*CHANNELS, "ca_pool", clamped=False)
    coarse, fine = patch.run(-60.0, 500.0, dt=0.1)[-1], patch.run(-60.0, 500.0, dt=0.05)[-1]
    test = "steady voltage of a membrane with all channels, dt 0.1 and 0.05 ms: difference"
    yield Result("V19 dt", "channel", test, abs(coarse - fine), 0.1, "mV", 0.0, "numerics", bound=True)


def _units() -> Iterator[Result]:
    tool = str(Path(sysconfig.get_path("scripts")) / "modlunit")
    wrong = [path.name for path in mechanisms.sources() if _unclean(tool, path)]
    test = f"files of mod/ with inconsistent units {' '.join(wrong)}".strip()
    yield Result("units", "channel", test, float(len(wrong)), 0.0, "files", 0.0, "modlunit of NEURON")


def _unclean(tool: str, path: Path) -> bool:
    # It leaves files in its folder, and its last line is "Checking units" if it finds no fault.
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run([tool, path.resolve()], capture_output=True, text=True, cwd=folder, check=False)
    output = [line for line in (run.stdout + run.stderr).splitlines() if line.strip()]
    return run.returncode != 0 or not output[-1].startswith("Checking units")


CHECKS: dict[str, Check] = {
    "vectors": _vectors,
    "formulas": _formulas,
    "nanodomain": _nanodomain,
    "temperature": _temperature,
    "reversal": _reversal,
    "knock-out": _knock_out,
    "coupling": _coupling,
    "pool": _pool,
    "convergence": _convergence,
    "units": _units,
}
"""Name -> check."""
