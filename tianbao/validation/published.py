"""Published model cells compared with their published outputs, each under the protocol of its source."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from ..electrophysiology.cell import PatchedCell
from ..electrophysiology.protocols import Protocol, current_steps, voltage_steps
from ..electrophysiology.sweeps import Sweeps
from .check import Result

# [ms] Before a step, where a sweep is at rest or held already, and after it.
_BEFORE, _AFTER = 100.0, 10.0
_OUTPUTS = Path(__file__).parents[1] / "cells" / "published_outputs.csv"


@cache
def outputs() -> pd.DataFrame:
    """Rows of published_outputs.csv: cell, mode ("CC" or "VC"), step [pA or mV], quantity, value, unit [mV or pA].

    `duration` is that of the step [ms], `hold` the potential before a voltage step [mV].
    """
    return pd.read_csv(_OUTPUTS)


def protocol(cell: str, mode: str) -> Protocol:
    """The steps of a cell's reference outputs, as long as those that they were computed with."""
    rows = outputs()[(outputs().cell == cell) & (outputs()["mode"] == mode)]
    levels, duration = sorted(set(rows.step)), float(rows.duration.iloc[0])
    if mode == "VC":
        return voltage_steps(levels, float(rows.hold.iloc[0]), _BEFORE, duration, _AFTER)
    return current_steps(levels, _BEFORE, duration, _AFTER)


@cache
def sweeps(cell: str, mode: str) -> Sweeps:
    """A published model under `protocol`."""
    return PatchedCell.of_published(cell).run(protocol(cell, mode))


def check() -> Iterator[Result]:
    """One result per reference output."""
    for row in outputs().itertuples():
        found = sweeps(row.cell, row.mode)
        values = found.voltage if row.mode == "CC" else found.current
        step = values[_during(found), found.protocol.levels(1).index(row.step)]
        measured = step.max() if row.quantity == "peak" else step[-1]
        what = f"{row.step:g} {'pA' if row.mode == 'CC' else 'mV'}"
        test = f"published {row.cell}, {row.quantity}" + ("" if row.quantity == "rest" else f" at {what}")
        name = f"{row.cell} {row.mode} {row.step:g} {row.quantity}"
        yield Result(name, "cell", test, float(measured), row.value, row.unit, row.tolerance, row.source)


def _during(found: Sweeps) -> np.ndarray:
    """Samples inside the step, without the last two."""
    dt = found.time[1]
    end = found.protocol.onset + found.protocol.epochs[1].duration
    return (found.time > found.protocol.onset) & (found.time < end - 2 * dt)
