"""From rows of worms to the verdict of an assay: REPRODUCED, PARTIAL or ABSENT."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..behaviour.estimates import FEWEST
from ..behaviour.taxis import Interval
from .assay import Assay, Control, Wanted
from .assay_runs import Group

__all__ = [
    "ABSENT", "NOT_RUN", "PARTIAL", "REPRODUCED", "Beside", "Found", "Outcome", "groups_of", "judged",
    "told",
]  # fmt: skip

log = logging.getLogger(__name__)

REPRODUCED, PARTIAL, ABSENT, NOT_RUN = "REPRODUCED", "PARTIAL", "ABSENT", "NOT RUN"


@dataclass(frozen=True)
class Beside:
    """A control beside the condition measured.

    Attributes:
        control: what must be shown.
        value: of the control.
        difference: control less the condition measured.
        shown: whether the control shows what it must.
    """

    control: Control
    value: Interval
    difference: Interval
    shown: bool


@dataclass(frozen=True, eq=False)
class Found:
    """What the model does in one measure.

    Attributes:
        wanted: the measure.
        value: of the condition measured.
        controls: beside it.
        in_range: whether the value lies within the animal's range; None if it has none.
        sign: whether the interval lies on the animal's side of the neutral value; None without one.
        curve: x, y and standard error, where the measure has a curve.
    """

    wanted: Wanted
    value: Interval
    controls: tuple[Beside, ...]
    in_range: bool | None
    sign: bool | None
    curve: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """The outcome of an assay.

    Attributes:
        assay: that was run.
        found: one per measure.
        verdict: "REPRODUCED", "PARTIAL" or "ABSENT"; "NOT RUN" if a condition has no worms.
        worms: measured in each condition.
        diverged: worms whose run diverged.
    """

    assay: Assay
    found: tuple[Found, ...]
    verdict: str
    worms: Mapping[str, int]
    diverged: int


def groups_of(assay: Assay, worms: int | None = None, seed: int | None = None) -> list[Group]:
    """The groups of worms that an assay needs.

    Args:
        assay: to be run.
        worms: in each condition; as many as the assay says if None.
        seed: in place of that of the assay.
    """
    measures = {each.key: (_name_of(each), each.arguments) for each in assay.measures}
    changes = {} if seed is None else {"seed": seed}
    return [
        Group(
            f"{assay.name}: {name}", config.updated(changes), assay.setup, measures, worms or assay.setup.worms,
            signal=assay.signals[name].updated(changes) if name in assay.signals else None,
        )
        for name, config in assay.conditions.items()
    ]  # fmt: skip


def _name_of(wanted: Wanted) -> str:
    return wanted.key.partition(" ")[0]


def judged(assay: Assay, rows: Mapping[str, Sequence[dict[str, Any]]]) -> Outcome:
    """Measure the groups of an assay and judge them by its rule.

    Args:
        assay: that was run.
        rows: of each group of `groups_of`, by its name.
    """
    by_condition = {name: rows.get(f"{assay.name}: {name}", ()) for name in assay.conditions}
    good = {name: [each for each in mine if "values" in each] for name, mine in by_condition.items()}
    found = tuple(_found(each, good) for each in assay.measures)
    lost = sum(len(by_condition[name]) - len(good[name]) for name in good)
    if lost:
        log.warning("%s: the runs of %d worms diverged; they do not count", assay.name, lost)
    worms = {name: len(mine) for name, mine in good.items()}
    return Outcome(assay, found, _verdict(assay, found) if all(worms.values()) else NOT_RUN, worms, lost)


def _rows(wanted: Wanted, rows: Sequence[dict[str, Any]]) -> list[np.ndarray]:
    return [np.array(each["values"][wanted.key], float) for each in rows]


def _found(wanted: Wanted, rows: Mapping[str, Sequence[dict[str, Any]]]) -> Found:
    mine, statistic = _rows(wanted, rows[wanted.condition]), wanted.measure.statistic
    value, beside = statistic.estimate(mine), []
    for control in wanted.controls:
        theirs = _rows(wanted, rows[control.condition])
        difference = statistic.difference(theirs, mine)
        shown = _shown(control.expect, difference)
        beside.append(Beside(control, statistic.estimate(theirs), difference, shown))
    animal = wanted.animal
    inside = animal.low <= value.value <= animal.high if animal and animal.bounded else None
    curve = wanted.measure.curve(mine) if wanted.measure.curve and mine else None
    return Found(wanted, value, tuple(beside), inside, _side(wanted, value), curve)


def _shown(expect: str, difference: Interval) -> bool:
    if difference.worms < FEWEST:
        return False
    if expect == "lower":
        return difference.high < 0.0
    if expect == "higher":
        return difference.low > 0.0
    return difference.low <= 0.0 <= difference.high


def _side(wanted: Wanted, value: Interval) -> bool | None:
    """Whether a value is clearly on the animal's side of the neutral one."""
    if not wanted.signed:
        return None
    if value.worms < FEWEST:
        return False
    if wanted.animal.value > wanted.neutral:
        return value.low > wanted.neutral
    return value.high < wanted.neutral


def _verdict(assay: Assay, found: Sequence[Found]) -> str:
    if _hold(assay.rule.reproduced, found):
        return REPRODUCED
    return PARTIAL if _hold(assay.rule.partial, found) else ABSENT


def _hold(criteria: Sequence[str], found: Sequence[Found]) -> bool:
    ranges = [each.in_range for each in found if each.in_range is not None]
    signs = [each.sign for each in found if each.sign is not None]
    controls = [each.shown for one in found for each in one.controls]
    holds = {
        "range": all(ranges), "some range": any(ranges), "sign": all(signs),
        "controls": all(controls), "some controls": any(controls),
    }  # fmt: skip
    return all(holds[each] for each in criteria)


def told(value: Interval) -> str:
    """A value with its interval, as text."""
    if not math.isfinite(value.low) and not math.isfinite(value.high):
        return f"{value.value:.3g}"
    return f"{value.value:.3g} ({value.low:.3g} to {value.high:.3g})"
