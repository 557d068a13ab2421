"""An assay of a published figure: worms in conditions, measures, the animal's values, controls and a verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..behaviour.measures import Measure
from ..config import RunConfig
from ..options import option

__all__ = ["CERTAINTIES", "CRITERIA", "EXPECTED", "Animal", "Assay", "Control", "Placing", "Setup", "Verdict", "Wanted"]

EXPECTED = ("lower", "higher", "alike")
"""What a control may show: less or more than the condition that it controls, or the same."""
CERTAINTIES = ("high", "medium", "low")
CRITERIA = {
    "range": "every value lies within the animal's range",
    "some range": "at least one value lies within the animal's range",
    "sign": "every value with a `neutral` lies on the animal's side of it, with its interval clear of it",
    "controls": "every control shows what it must, with the interval of the difference clear of 0",
    "some controls": "at least one control shows what it must",
}
"""What a verdict may rest on."""
_PHASES = 5


@dataclass(frozen=True, kw_only=True)
class Placing:
    """Where worms begin.

    Attributes:
        apart: between worms of one run, along y [mm].
        distance: from `centre`, in a direction drawn for each worm; 0 puts them side by side instead [mm].
        centre: x, y [mm].
        turned: whether each heads in a direction drawn for it; else as worm.heading says.
    """

    apart: float = option(5.0, "[mm]")
    distance: float = option(0.0, "[mm]")
    centre: tuple[float, ...] = option((0.0, 0.0), "[mm]")
    turned: bool = option(True, "")


@dataclass(frozen=True, kw_only=True)
class Setup:
    """How the worms of an assay are run.

    Attributes:
        worms: in each condition [-].
        together: worms of one run [-].
        settle: time at the beginning that does not count [ms].
        stimulus: its start [ms]; 0 for none. Stimuli of the conditions begin then.
        spread: time over which the starts of worms are spread, in five phases, so that no phase of the gait is
            preferred [ms].
        placing: where they begin.
    """

    worms: int = option(20, "in each condition")
    together: int = option(5, "in one run")
    settle: float = option(8000.0, "[ms]")
    stimulus: float = option(0.0, "[ms]")
    spread: float = option(0.0, "[ms]")
    placing: Placing = option(Placing, "")

    def shift(self, worm: int, tick: float, shared: bool) -> float:
        """By how much the stimulus of a worm is later [ms], whole ticks.

        Args:
            worm: its number.
            tick: of the loop [ms].
            shared: whether all worms of a run meet the stimulus at the same time, as in a bath.
        """
        phase = (worm // self.together if shared else worm) % _PHASES
        return tick * round(phase * self.spread / _PHASES / tick)


@dataclass(frozen=True, kw_only=True)
class Animal:
    """What the animal does.

    Attributes:
        value: [unit of the measure]; NaN if only the curve is known.
        low: lower end of the range that counts as reproduced.
        high: its upper end.
        source: of value and range.
        certainty: of both.
        points: x and y of a published curve, for the figure.
    """

    value: float = option(math.nan, "")
    low: float = option(-math.inf, "")
    high: float = option(math.inf, "")
    source: str = option("", "")
    certainty: str = option("", "")
    points: tuple = option((), "")

    @property
    def bounded(self) -> bool:
        """Whether it has a range."""
        return math.isfinite(self.low) or math.isfinite(self.high)


@dataclass(frozen=True)
class Control:
    """A condition that a measure must differ from.

    Attributes:
        condition: its name.
        expect: what its value must be beside that of the condition measured: "lower", "higher" or "alike".
    """

    condition: str
    expect: str


@dataclass(frozen=True)
class Wanted:
    """One measure of an assay.

    Attributes:
        name: in tables.
        measure: what is computed.
        key: of its rows: name of the measure and its arguments.
        arguments: of the measure.
        condition: in which it is taken.
        animal: what the animal does; None if that is not known in numbers.
        neutral: value that means no effect, for the criterion "sign"; None without.
        controls: what must differ.
    """

    name: str
    measure: Measure
    key: str
    arguments: Mapping[str, Any]
    condition: str
    animal: Animal | None
    neutral: float | None
    controls: tuple[Control, ...]

    @property
    def signed(self) -> bool:
        """Whether the animal's value lies on one side of a neutral one."""
        known = self.neutral is not None and self.animal is not None
        return known and math.isfinite(self.animal.value) and self.animal.value != self.neutral


@dataclass(frozen=True)
class Verdict:
    """Criteria that must all hold, for REPRODUCED and for PARTIAL."""

    reproduced: tuple[str, ...]
    partial: tuple[str, ...]


@dataclass(frozen=True)
class Assay:
    """One published figure.

    Attributes:
        name: of its file.
        title, question, source, figure: in words.
        setup: how worms are run.
        conditions: name -> configuration, the first one that of the animal.
        measures: what is measured.
        rule: of the verdict.
        signals: name of a condition -> configuration of that in which the noses of other worms met what its worms meet.
        limits: what the assay leaves out of the experiment, in words.
    """

    name: str
    title: str
    question: str
    source: str
    figure: str
    limits: str
    setup: Setup
    conditions: Mapping[str, RunConfig]
    measures: tuple[Wanted, ...]
    rule: Verdict
    signals: Mapping[str, RunConfig] = field(default_factory=dict)
