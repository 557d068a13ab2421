"""Which worm is which in a recording of several: where each starts, what was done to it, what its wiring is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..behaviour.midline import centroid, heading
from ..recorded import RecordedRun
from .settings import worm_settings

# Told apart from each other, from the red of dorsal and the blue of ventral, and by readers with red-green blindness.
COLOURS = ("#1d4f5c", "#d08a1d", "#7b4fa3", "#4f9a8b", "#8a5a3b", "#c26a9b", "#7d8a2e", "#5b6b7a")
_LONGEST = 48  # characters of a name in a picture


@dataclass(frozen=True)
class Who:
    """One worm of a recording.

    Attributes:
        number: of the worm, from 0.
        at: middle of the body at the start: x, y, z [mm]; NaN where no frame says.
        heading: direction of the head at the start [rad], 0 along +x.
        interventions: in words, "" for an intact worm.
        anatomy: what of its wiring and cells differs from that of worm 0, or is missing there.
    """

    number: int
    at: tuple[float, float, float]
    heading: float
    interventions: str
    anatomy: dict[str, str]

    @property
    def name(self) -> str:
        """Such as "worm 1"."""
        return f"worm {self.number}"

    @property
    def colour(self) -> str:
        """Of this worm in every picture that shows several; nine worms or more share colours."""
        return COLOURS[self.number % len(COLOURS)]

    @property
    def place(self) -> str:
        """Where it starts, in words."""
        if not all(map(math.isfinite, self.at)):
            return "unknown"
        # Rounded to 0.1 um and 0.01 degrees; adding 0 turns -0 into 0.
        x, y, z = (f"{round(each, 4) + 0.0:g}" for each in self.at)
        return f"({x}, {y}, {z}) mm, heading {round(math.degrees(self.heading), 2) + 0.0:g} degrees"

    def label(self) -> str:
        """Number and interventions, short enough for the legend of a picture."""
        done = self.interventions or "intact"
        return f"{self.name}: {done if len(done) <= _LONGEST else done[:_LONGEST].rstrip() + ' ...'}"


def who_is_who(recording: RecordedRun) -> list[Who]:
    """Every worm of a recording, in order.

    The start is that of the configuration; for an imported track, that of the first frame with a midline.
    """
    first = dict(recording.worms[0].anatomy) if recording.worms else {}
    return [
        Who(
            number=k,
            at=at,
            heading=towards,
            interventions=recording.interventions_of(k),
            anatomy={name: each for name, each in track.anatomy.items() if first.get(name) != each},
        )
        for k, track in enumerate(recording.worms)
        for at, towards in [_start(recording, k)]
    ]


def _start(recording: RecordedRun, worm: int) -> tuple[tuple[float, float, float], float]:
    """Place [mm] and heading [rad] at the start."""
    given = worm_settings(recording, worm)
    at, towards = given.get("at"), given.get("heading")
    numbers = [*at, towards] if isinstance(at, list) else []
    if len(numbers) == 4 and all(type(each) in (int, float) for each in numbers):
        return (float(at[0]), float(at[1]), float(at[2])), float(towards)
    midline = recording.worms[worm].midline
    known = np.flatnonzero(np.isfinite(midline).all(axis=(1, 2)))
    if not len(known):
        return (math.nan, math.nan, math.nan), math.nan
    line = midline[known[:1]]
    (x, y), (along_x, along_y) = centroid(line)[0][:2], heading(line)[0][:2]
    return (float(x), float(y), float(line[0, :, 2].mean())), float(np.arctan2(along_y, along_x))
