"""A trial: the track of one worm in one run, and the rows of numbers that measures of a group are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..environment import Field, Lawn
from ..errors import ConfigError
from ..recorded import RecordedRun
from ..units import MS_PER_S
from .gait import Gait, gait
from .paths import Walk, walks_of
from .states import Events, threshold_events
from .tracks import Velocity, tangential_velocity

__all__ = ["STRIDE_MS", "Trial"]

STRIDE_MS = 1500.0
"""Period over which undulation is averaged out [ms]; assumed: about that of the gait on agar, 0.65 Hz. One for all
worms, so that conditions are measured alike."""


@dataclass(frozen=True, eq=False)
class Trial:
    """One worm of a run, after it has begun to crawl.

    Attributes:
        recording: of the run.
        worm: its number in it.
        settle_ms: time at the beginning that does not count [ms].
        stimulus_ms: start of the stimulus [ms]; NaN without one.
    """

    recording: RecordedRun
    worm: int = 0
    settle_ms: float = 0.0
    stimulus_ms: float = math.nan

    @cached_property
    def _kept(self) -> np.ndarray:
        return np.asarray(self.recording.time) >= self.settle_ms

    @property
    def time_ms(self) -> np.ndarray:
        """Times of the frames that count [ms], shape (frames,)."""
        return np.asarray(self.recording.time)[self._kept]

    @property
    def midline(self) -> np.ndarray:
        """Midlines that count [mm], shape (frames, points, 3)."""
        return self.recording.track(self.worm).midline[self._kept]

    @cached_property
    def velocity(self) -> list[Velocity]:
        """Velocity of the middle of the body along its way; see tracks.tangential_velocity."""
        return tangential_velocity(self.time_ms, self.midline)

    @cached_property
    def events(self) -> Events:
        """States by a threshold of 0.05 mm/s."""
        return threshold_events(self.velocity)

    @cached_property
    def gait(self) -> Gait:
        """Gait of all that counts, reversals included."""
        return gait(self.time_ms, self.midline, discard_ms=0.0, medium=self.recording.medium)

    @property
    def observed_s(self) -> float:
        """Time that counts [s]."""
        time = self.time_ms
        return float(time[-1] - time[0]) / MS_PER_S if len(time) else 0.0

    def field(self, name: str = "") -> Field | None:
        """A field of the arena.

        Args:
            name: of its substance; the first that is no food if empty.

        Returns:
            The field; None in an arena without any, as in a control.

        Raises:
            ConfigError: for a name that none of several fields has.
        """
        known = [each for each in self.recording.fields if name or not isinstance(each, Lawn)]
        if not name or not known:
            return known[0] if known else None
        for each in known:
            if each.name == name:
                return each
        raise ConfigError(f"the arena has no field '{name}'; it has {', '.join(each.name for each in known)}")

    def walks(self, name: str = "") -> list[Walk]:
        """Its way through a field; none without one."""
        field = self.field(name)
        if field is None:
            return []
        return walks_of(self.time_ms, self.midline, field.at, worm=self.worm, stride_ms=STRIDE_MS)
