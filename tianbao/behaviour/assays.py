"""Assays: one number for what a worm did in a run, each a function of its recording.

An assay takes what was recorded and the number of a worm, and returns its result in the unit that its name or
docstring gives; NaN where it cannot be measured.
"""

from __future__ import annotations

import numpy as np

from ..environment import Lawn
from ..recorded import RecordedRun
from ..units import MS_PER_S
from .dwell import dwell_time
from .midline import centroid
from .patches import residence
from .paths import walks_of
from .roaming import roaming
from .states import FORWARD, REVERSE, Events, ignoring_stutters, threshold_events
from .states import reversals_per_minute as rate_of_reversals
from .taxis import drift_velocity
from .tracks import tangential_velocity
from .turning import heading
from .turning import heading_memory as memory_of_heading

_STRIDE_S = 2.0  # assumed for a worm without rhythm


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


def reversals_per_minute(recording: RecordedRun, worm: int = 0) -> float:
    """Starts of reversals per minute [1/min], by a threshold of 0.05 mm/s; one that pauses and goes on is one."""
    return rate_of_reversals(_events(recording, worm))


def forward_dwell(recording: RecordedRun, worm: int = 0) -> float:
    """Mean time of forward movement [s], by a threshold of 0.05 mm/s, pauses within it ignored.

    To be compared with the 9.13 s of Roberts et al. 2016; their 5.33 s are those of hidden_states.fit_states, which
    needs a group of worms.
    """
    return dwell_time(ignoring_stutters(_events(recording, worm)), FORWARD).mean_s


def reverse_dwell(recording: RecordedRun, worm: int = 0) -> float:
    """Mean time of a reversal [s], by a threshold of 0.05 mm/s, pauses within it ignored."""
    return dwell_time(ignoring_stutters(_events(recording, worm)), REVERSE).mean_s


def _events(recording: RecordedRun, worm: int) -> Events:
    return threshold_events(tangential_velocity(recording.time, recording.track(worm).midline))


def _stride_ms(recording: RecordedRun, worm: int) -> float:
    """Period of the gait [ms]."""
    frequency = recording.gait(worm).frequency_hz
    return MS_PER_S / frequency if frequency > 0.0 else _STRIDE_S * MS_PER_S


def heading_memory(recording: RecordedRun, worm: int = 0) -> float:
    """Time over which the correlation of the heading falls to 1/e [s]; NaN if it does not within the run."""
    time, angle = heading(recording.time, recording.track(worm).midline, _stride_ms(recording, worm))
    return memory_of_heading(time, angle).time_constant_s


def chemotaxis_drift(recording: RecordedRun, worm: int = 0) -> float:
    """Mean velocity of the centroid up the gradient of the first field that is no food [mm/s]."""
    fields = [each for each in recording.fields if not isinstance(each, Lawn)]
    if not fields:
        return float("nan")
    stride = _stride_ms(recording, worm)
    walks = walks_of(recording.time, recording.track(worm).midline, fields[0].at, worm=worm, stride_ms=stride)
    return drift_velocity(walks).value


def share_on_food(recording: RecordedRun, worm: int = 0) -> float:
    """Share of the time with the nose over a lawn, eaten or not [-]; NaN without lawns."""
    lawns = [each for each in recording.fields if isinstance(each, Lawn)]
    if not lawns or not len(recording.time):
        return float("nan")
    nose = recording.track(worm).midline[:, 0, :2]
    depth = np.max([each.depth(nose) for each in lawns], axis=0)
    return residence(recording.time, depth).share


def share_roaming(recording: RecordedRun, worm: int = 0) -> float:
    """Share of intervals of ten seconds in which a worm roams, by its speed and turning [-]; see roaming.py."""
    return roaming(recording.time, centroid(recording.track(worm).midline)).share
