"""The active body wall muscle beside its published action potentials, intact and without single channels."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pandas as pd

from ..electrophysiology.cell import PatchedCell
from ..electrophysiology.measures import action_potential, upstrokes
from ..electrophysiology.protocols import current_steps
from ..electrophysiology.sweeps import Sweeps
from .check import Check, Result

_TARGETS = Path(__file__).with_name("muscle.csv")
_WILD = "wild type"
_MUSCLE = "MDL08"
PULSE_PA, PULSE_MS = 300.0, 10.0
"""Pulse that provokes an action potential: it charges 75 pF by less than half of one."""
THRESHOLD = -5.0
"""Voltage that an action potential crosses and a steady current of the size tested does not hold [mV]."""
_STEADY_PA = (30.0, 60.0, 100.0, 150.0)
_STEADY_MS, _AFTER_MS = 1000.0, 450.0


@cache
def pulse(genotype: str) -> Sweeps:
    """A muscle under a brief pulse.

    Args:
        genotype: "wild type" or the gene that is lost, such as "shk-1".
    """
    cell = PatchedCell.of_muscle(_MUSCLE, knock_out=() if genotype == _WILD else genotype)
    return cell.run(current_steps([PULSE_PA], duration=PULSE_MS, after=_AFTER_MS))


@cache
def steady() -> Sweeps:
    """An intact muscle under steady currents."""
    return PatchedCell.of_muscle(_MUSCLE).run(current_steps(list(_STEADY_PA), duration=_STEADY_MS, after=1.0))


@cache
def shape(genotype: str) -> dict[str, float]:
    """Measures of what the pulse provokes, in mutants also beside the wild type; see `action_potential`."""
    sweeps = pulse(genotype)
    found = action_potential(sweeps.time, sweeps.voltage[:, 0], sweeps.protocol.onset)
    if genotype == _WILD:
        return found | {"train": float(max(upstrokes(each, THRESHOLD) for each in steady().voltage.T))}
    wild = shape(_WILD)
    return found | {
        "amplitude_lost": wild["amplitude"] - found["amplitude"],
        "rest_change": found["rest"] - wild["rest"],
        "half_width_ratio": found["half_width"] / wild["half_width"],
        "after_hyperpolarisation_ratio": found["after_hyperpolarisation"] / wild["after_hyperpolarisation"],
    }


def _action_potentials() -> Iterator[Result]:
    for row in pd.read_csv(_TARGETS).itertuples():
        found = shape(row.genotype)[row.quantity]
        name, what = f"muscle {row.genotype} {row.quantity}", row.quantity.replace("_", " ")
        source = f"{row.source}; certainty {row.certainty}"
        test = f"active muscle, {row.genotype}: {what}"
        if row.kind == "value":
            yield Result(name, "muscle", test, found, row.value, row.unit, row.tolerance, source)
        elif row.kind == "most":
            yield Result(name, "muscle", f"{test}, below", found, row.value, row.unit, 0.0, source, bound=True)
        else:
            # A lower bound is the upper bound of what is lacking.
            test = f"{test}, at least {row.value:g} {row.unit} (what is lacking; measured {found:.3g})"
            yield Result(name, "muscle", test, row.value - found, 1e-9, row.unit, 0.0, source, bound=True)


def runs() -> list[tuple[str, Sweeps]]:
    """The pulse in every genotype, for a figure."""
    genotypes = [_WILD, *(gene for gene in ("egl-19", "shk-1", "slo-1", "slo-2"))]
    return [(name if name == _WILD else f"without {name}", pulse(name)) for name in genotypes]


CHECKS: dict[str, Check] = {"action potentials": _action_potentials}
"""Name -> check."""
