"""Level cell: whether members of an ensemble, and what lies between them, are stable cells; the cell in the worm."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..cells import ensembles
from ..cells.templates import Membrane
from ..electrophysiology.cell import PatchedCell
from ..electrophysiology.copies import CellCopies
from .check import Check, Result
from .traces import fitted, recorded_neurons, run_copies, template_of

DRAWS = 20
_SEED = 1
_LEVELS = (-30.0, -20.0, -10.0, 10.0, 20.0, 35.0)  # pA
_SETTLING, _ON, _OFF = 2000.0, 2000.0, 5000.0  # ms
_DT, _KEPT = 0.1, 1.0  # ms
_MOST = 250.0  # mV that no cell leaves at -30 pA, the most resistive (7 GOhm) included
_BACK = 5.0  # mV from rest
_SOURCE = "stable from -30 to +35 pA: demanded of the fits (docs/fits/membranes)"


def draw(members: tuple[Membrane, ...], random: np.random.Generator) -> Membrane:
    """A membrane between two random members, every quantity mixed in the same random proportion."""
    first, second = (members[k] for k in random.choice(len(members), 2, replace=len(members) < 2))
    share = float(random.uniform())

    def mixed(a: float, b: float) -> float:
        """A value between two."""
        return (1.0 - share) * a + share * b

    names = dict.fromkeys([*first.conductances, *second.conductances])
    kinetics = {
        channel: {name: mixed(value, second.kinetics[channel][name]) for name, value in own.items()}
        for channel, own in first.kinetics.items()
    }
    return replace(
        first,
        conductances={
            name: mixed(first.conductances.get(name, 0.0), second.conductances.get(name, 0.0)) for name in names
        },
        leak=mixed(first.leak, second.leak),
        leak_reversal=mixed(first.leak_reversal, second.leak_reversal),
        egl19_shift=mixed(first.egl19_shift, second.egl19_shift),
        kinetics=kinetics,
    )


def unstable(neuron: str, membranes: list[Membrane]) -> np.ndarray:
    """Which membranes, on the tracing of a neuron, diverge under a current or do not come back to rest after it.

    Returns:
        Shape (membranes,).
    """

    def run(made: CellCopies, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Every copy before, under and after its current."""
        phases = [(_SETTLING, 0.0 * levels), (_ON, levels), (_OFF, 0.0 * levels)]
        return made.current_clamp(phases, _DT, every=round(_KEPT / _DT))

    with np.errstate(all="ignore"):
        time, voltage = run_copies(neuron, membranes, _LEVELS, run)
        rest = voltage[time <= _SETTLING][-1]
        good = np.isfinite(voltage).all(0) & (np.abs(voltage).max(0) < _MOST) & (np.abs(voltage[-1] - rest) < _BACK)
    return ~good.all(1)


def _stable() -> Iterator[Result]:
    for neuron in recorded_neurons():
        template = template_of(neuron)
        members = ensembles.ensembles().get(template, ())
        if len(members) < 2:
            test = f"{neuron}: its template has no ensemble"
            yield Result(f"{neuron} ensemble", "cell", test, math.nan, math.nan, "1", 0.0, "", informs=True)
            continue
        random = np.random.default_rng(_SEED)
        drawn = [draw(members, random) for _ in range(DRAWS)]
        failed = unstable(neuron, [*members, *drawn])
        for name, what, some in (
            ("members", f"all {len(members)} members of its ensemble", failed[: len(members)]),
            ("draws", f"{DRAWS} random draws between two members", failed[len(members) :]),
        ):
            test = f"{neuron}, {what}: those that {_LEVELS[0]:g} to {_LEVELS[-1]:g} pA make diverge or keep from rest"
            yield Result(f"{neuron} {name}", "cell", test, float(some.sum()), 0.0, "1", 0.0, _SOURCE)


def _in_worm() -> Iterator[Result]:
    source = "cells/declared.csv, connectome/expression.csv and capacitance_exponent"
    for neuron in recorded_neurons():
        cells = fitted(neuron), PatchedCell.of_neuron(neuron)
        (rest, resistance), (other, changed) = ((each.rest(), each.input_resistance()) for each in cells)
        test = f"{neuron} in the worm: rest less that of the fitted cell ({other:.1f} and {rest:.1f} mV)"
        yield Result(f"{neuron} worm rest", "cell", test, other - rest, math.nan, "mV", 0.0, source, informs=True)
        test = f"{neuron} in the worm: input resistance over the fitted ({changed:.2f} and {resistance:.2f} GOhm)"
        share = changed / resistance
        yield Result(f"{neuron} worm resistance", "cell", test, share, math.nan, "1", 0.0, source, informs=True)


CHECKS: dict[str, Check] = {"ensembles": _stable, "in the worm": _in_worm}
"""Name -> check."""
