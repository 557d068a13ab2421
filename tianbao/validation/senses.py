"""Isolated sensory neurons beside published answers to salt, odours, repellents, gases, temperature and touch.

What was published is calcium, mostly: its sign, whether it lasts and which stimuli it tells apart can be compared with
voltage and current, its size cannot. Receptors were given their numbers by the same reports, so that a pass says that
they do what was intended, in this cell, and not that they predict anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pandas as pd

from ..electrophysiology.transduction import Answer, SensoryCell
from .check import Check, Result

_TARGETS = Path(__file__).with_name("senses.csv")
_LEVEL = "sense"
_SHORT, _LONG = 5000.0, 70_000.0  # [ms] of a record, the long one where it is asked what is left
_SECOND = 1000.0


@cache
def targets() -> pd.DataFrame:
    """Published answers: a row per neuron, stimulus and quantity."""
    return pd.read_csv(_TARGETS)


@cache
def _cell(neuron: str, field: str) -> SensoryCell:
    return SensoryCell(neuron, field)


@cache
def answer(neuron: str, field: str, before: float, after: float, duration: float = _SHORT) -> Answer:
    """What a step of a field evokes.

    Args:
        neuron, field: name one receptor; the field of those that are touched is "touch".
        before, after: values of the field, or indentations [its unit].
        duration: of the record [ms].
    """
    return _cell(neuron, field).answer(before, (after, duration))


def measured(row) -> float:
    """What the model makes of a row of `targets`, in the unit of that row."""
    stimulus = (row.neuron, row.field, row.before, row.after)
    quantity, _, seconds = row.quantity.partition("_")
    if quantity == "left":
        return answer(*stimulus, _LONG).left(float(seconds) * _SECOND)
    found = answer(*stimulus)
    if quantity == "relative":
        alike = targets().query("neuron == @row.neuron and field == @row.field").iloc[0]
        return found.peak_current / answer(row.neuron, row.field, alike.before, alike.after).peak_current
    if quantity == "current":
        return found.peak_current
    return {"peak": lambda: found.peak, "size": lambda: abs(found.peak), "rise": found.rise}[quantity]()


def _answers() -> Iterator[Result]:
    for row in targets().itertuples():
        found = measured(row)
        step = f"{row.before:g} to {row.after:g}"
        name, what = f"{row.neuron} {row.field} {step} {row.quantity}", row.quantity.replace("_", " after s ")
        test, source = f"{row.neuron}, {row.field} {step}: {what}", f"{row.source}; certainty {row.certainty}"
        if row.kind == "most":
            yield Result(name, _LEVEL, f"{test}, at most", found, row.value, row.unit, 0.0, source, bound=True)
        else:
            # A lower bound is the upper bound of what is lacking.
            test = f"{test}, at least {row.value:g} {row.unit} (what is lacking; measured {found:.3g})"
            yield Result(name, _LEVEL, test, row.value - found, 1e-9, row.unit, 0.0, source, bound=True)


CHECKS: dict[str, Check] = {"answers to published stimuli": _answers}
