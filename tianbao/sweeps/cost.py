"""What a sweep will cost before it starts: computing time and disk space, corrected by the runs that are finished."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pandas as pd

from .. import anatomy
from ..config import RunConfig
from ..engine.choice import chosen
from ..errors import AnatomyError
from ..units import MS_PER_S
from .folder import SUMMARY, run_folder
from .plan import DEFAULT_JOB, Plan, PlannedRun

_TABLE = Path(__file__).with_name("cost.csv")
_US, _MB = 1e-6, 1e6
# Bytes of what a frame keeps of each worm: positions in double, directions and voltages in single precision.
_DOUBLE, _SINGLE, _AXES = 8, 4, 3


class Forecast:
    """Time and disk space of the runs of a sweep.

    A run of an experiment is estimated from measured times per step (cost.csv), of another job not at all; the first
    finished run corrects both.

    Args:
        plan: of the sweep.
        folder: of the sweep.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._plan, self._folder = plan, folder
        known = plan.job == DEFAULT_JOB
        self._seconds = {run.number: seconds_of(plan.config(run)) if known else 1.0 for run in plan.runs}
        self._bytes = {run.number: bytes_of(plan.config(run), plan.video) if known else 1.0 for run in plan.runs}
        self._time = self._disk = 1.0 if known else math.nan
        self.learned_from = 0

    def learn(self, walls: Iterable[tuple[PlannedRun, float]]) -> None:
        """Correct the estimates by finished runs.

        Args:
            walls: finished runs, and how long each took [s].
        """
        found = list(walls)
        self.learned_from = len(found)
        if found:
            self._time = sum(wall for _, wall in found) / sum(self._seconds[run.number] for run, _ in found)
            size = sum(_size(run_folder(self._folder, self._plan, run)) for run, _ in found[:_MOST_WEIGHED])
            self._disk = size / sum(self._bytes[run.number] for run, _ in found[:_MOST_WEIGHED])

    def seconds(self, number: int) -> float:
        """Computing time of a run on one core [s]; NaN if nothing is known."""
        return self._seconds[number] * self._time

    def disk(self, number: int) -> float:
        """Files of a run [bytes]; NaN if nothing is known."""
        return self._bytes[number] * self._disk

    def sentence(self, numbers: list[int], workers: int | None) -> str:
        """What some runs will take, in words.

        Args:
            numbers: of the runs.
            workers: runs at a time; None where others decide it.
        """
        seconds = [self.seconds(each) for each in numbers]
        total, disk = sum(seconds), sum(self.disk(each) for each in numbers)
        if math.isnan(total):
            return "time and disk space are known after the first run"
        parts = [f"{total / 3600.0:.2g} core hours"]
        if workers is not None:
            parts.append(f"{in_words(max(total / workers, max(seconds)))} with {workers} at a time")
        source = f"{self.learned_from} finished runs" if self.learned_from else "typical speeds, see sweeps/cost.csv"
        return f"about {', '.join(parts)}, {_size_in_words(disk)} of disk (from {source})"


_MOST_WEIGHED = 20  # finished runs whose files are weighed


def seconds_of(config: RunConfig) -> float:
    """Estimated computing time of an experiment on one core [s], from measured times per step."""
    rate, worms = rates(), max(1, len(config.worms))
    engine = "neuron" if chosen(config.engine, worms) == "neuron" else "native"
    body = "agar" if config.arena.medium == "agar" else "other"
    steps, ticks = config.duration / config.clock.dt, config.duration / config.clock.tick
    per_worm = steps * rate[f"{engine}_step"] * _US + ticks * rate[f"{body}_tick"] * _US
    return rate["start"] + worms * per_worm


def bytes_of(config: RunConfig, video: bool) -> float:
    """Estimated size of the files of an experiment [bytes], from the arrays that it records."""
    rate, worms = rates(), max(1, len(config.worms))
    frames = config.duration / config.clock.frame + 1
    try:
        voltages = len(anatomy.match_neurons(*config.record.voltage)) if config.record.voltage else 0
    except AnatomyError:  # said by the check of the plan
        voltages = 0
    rings = config.body.slabs + 1
    frame = rings * _AXES * (_DOUBLE + _SINGLE) + len(anatomy.muscles()) * _DOUBLE + voltages * _SINGLE + 2 * _DOUBLE
    beside = rate["files"] + (rate["per_second"] + rate["video"] * video) * config.duration / MS_PER_S
    return worms * frames * frame * rate["packed"] + beside * _MB


@cache
def rates() -> dict[str, float]:
    """Measured times and sizes by name; units and sources are in cost.csv."""
    table = pd.read_csv(_TABLE)
    return dict(zip(table["name"], table["value"].astype(float), strict=True))


def in_words(seconds: float) -> str:
    """A time as a person says it, such as "2 h 5 min"."""
    minutes = round(seconds / 60.0)
    if seconds < 100.0:
        return f"{seconds:.0f} s"
    if minutes < 100:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours < 48 else f"{hours / 24.0:.1f} days"


def _size_in_words(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _size(folder: Path) -> int:
    """Size of the files of a finished run [bytes]."""
    if not (folder / SUMMARY).exists():
        return 0
    with os.scandir(folder) as entries:
        return sum(each.stat(follow_symlinks=False).st_size for each in entries if each.is_file(follow_symlinks=False))
