"""Assays: one number for what a worm did in a run, each a function of its recording.

An assay takes what was recorded and the number of a worm, and returns its result in the unit that its name or
docstring gives; NaN where it cannot be measured.
"""

from __future__ import annotations

import numpy as np

from ..environment import Lawn
from ..recorded import RecordedRun


def approach(recording: RecordedRun, worm: int = 0) -> float:
    """By how much the concentration at the nose has changed from the first fifth of a run to its last [mM].

    Positive for a worm that has gone up the gradient of the first substance that it senses.
    """
    sensed = recording.sensed(worm).to_numpy()
    if not sensed.size or len(sensed) < 5:
        return float("nan")
    fifth = len(sensed) // 5
    return float(np.mean(sensed[-fifth:, 0]) - np.mean(sensed[:fifth, 0]))


def food_eaten(recording: RecordedRun, worm: int = 0) -> float:
    """What a worm has eaten of all lawns [ug], by where its mouth was in every frame."""
    eaten = [each.eaten for each in recording.fields if isinstance(each, Lawn)]
    return float(sum(each[worm] for each in eaten)) if eaten and len(recording.time) else float("nan")
