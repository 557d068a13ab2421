"""Level cell: single neurons compared with published models and recordings."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import numpy as np

from ..electrophysiology.cell import PatchedCell
from ..electrophysiology.protocols import current_pulses, current_steps
from ..electrophysiology.sweeps import Sweeps
from . import ensembles, published, recorded
from .check import Check, Result

_NICOLETTI_RMD = "Mellem 2008: RMD is a Schmitt trigger; model of Nicoletti 2019"
# Mean and its standard error [mV].
_RESTS = {"AVAL": (-24.2, 1.1), "AVAR": (-37.2, 2.1)}
_WIDE = 5.0  # mV: a resting potential further away than this is a failure
# Pulses that switch RMD up, down and up again.
_SWITCH_PA, _SWITCH_MS, _HELD_MS = (15.0, -15.0, 15.0), 200.0, 1500.0
_APART = 10.0  # mV between two states
_CRITICAL = ("cca1", "leak")
_OTHERS_OF_RMD = ("egl19", "unc2", "shl1", "egl36", "shk1", "irk1", "nca", "slo1", "slo2")


def _rests() -> Iterator[Result]:
    for neuron, (mean, error) in _RESTS.items():
        found = PatchedCell.of_template(neuron).rest()
        for name, tolerance, warns in (("2 SEM", 2 * error, True), ("5 mV", _WIDE, False)):
            test = f"rest of {neuron}, within {name}"
            yield Result(f"V18 {neuron} {name}", "cell", test, found, mean, "mV", tolerance, "Liu P. 2020", warns=warns)


@cache
def _switched(knock_out: tuple[str, ...] = ()) -> Sweeps:
    cell = PatchedCell.of_published("RMD", knock_out=knock_out)
    return cell.run(current_pulses(_SWITCH_PA, _SWITCH_MS, _HELD_MS))


def rmd_runs() -> list[tuple[str, Sweeps]]:
    """The published RMD between brief pulses, intact and without the channels that its two states need."""
    return [("intact", _switched())] + [(f"without {gene}", _switched((gene,))) for gene in ("cca1", "leak")]


def states(knock_out: tuple[str, ...] = ()) -> tuple[float, float, float]:
    """Voltages of the published RMD between brief pulses up, down and up.

    Returns:
        After the first pulse, after the second, and the largest drift in the last half second of a pause [mV].
    """
    sweeps = _switched(knock_out)
    ends = np.cumsum([each.duration for each in sweeps.protocol.epochs])[2::2]
    held = [sweeps.voltage[(sweeps.time > end - 500.0) & (sweeps.time <= end), 0] for end in ends]
    return float(held[0][-1]), float(held[1][-1]), float(max(np.ptp(each) for each in held))


def _bistability() -> Iterator[Result]:
    up, down, drift = states()
    test = f"published RMD: distance of the states that pulses of {_SWITCH_MS:g} ms leave it in, at least {_APART:g}"
    yield Result("RMD bistable", "cell", test, _APART / max(up - down, 1e-9), 1.0, "1", 0.0, _NICOLETTI_RMD, True)
    test = f"published RMD: drift of a state in the last half of {_HELD_MS / 1e3:g} s"
    yield Result("RMD held", "cell", test, drift, 0.5, "mV", 0.0, _NICOLETTI_RMD, True)
    for gene in (*_CRITICAL, *_OTHERS_OF_RMD):
        up, down, _ = states((gene,))
        lost = float(up - down < _APART)
        test = f"published RMD without {gene}: 1 where bistability is lost ({up:.1f} and {down:.1f} mV)"
        if gene not in _CRITICAL:
            source = "Nicoletti 2019 makes no claim"
            yield Result(f"RMD {gene}", "cell", test, lost, math.nan, "1", 0.0, source, informs=True)
            continue
        source = "Nicoletti 2019: the authors call it critical"
        yield Result(f"RMD {gene}", "cell", test, lost, 1.0, "1", 0.0, source, warns=True)


def _convergence() -> Iterator[Result]:
    cell = PatchedCell.of_template("RIML")
    protocol = current_steps([-10.0, 5.0, 15.0], duration=2000.0)
    base = cell.run(protocol).measure().steady
    finer_step = cell.run(protocol, dt=0.05).measure().steady
    for section in cell.sections.values():
        section.nseg *= 3
    finer_mesh = cell.run(protocol).measure().steady
    for name, other in (("dt halved", finer_step), ("compartments tripled", finer_mesh)):
        test = f"RIML, steady states of three steps, {name}: largest change"
        yield Result(f"V19 {name}", "cell", test, float((base - other).abs().max()), 0.1, "mV", 0.0, "numerics", True)


CHECKS: dict[str, Check] = {
    "published": published.check,
    **recorded.CHECKS,
    **ensembles.CHECKS,
    "rests": _rests,
    "bistability": _bistability,
    "convergence": _convergence,
}
"""Name -> check."""
