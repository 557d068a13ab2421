"""The states of a worm's motion, forward, reverse and pause, as a table of events.

Two detectors are used in the literature and disagree by a factor of three in how long a worm goes forward, since a
threshold takes every slow moment for a pause. Values may only be compared with those of the same detector:
`threshold_events` is that of a fixed speed, `hidden_states.py` the hidden Markov model of Roberts et al. 2016.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..units import MS_PER_S, S_PER_MIN
from .tracks import Velocity

__all__ = [
    "FORWARD", "PAUSE", "REVERSE", "THRESHOLD_MM_S", "Events", "events_of", "ignoring_stutters", "longer_reversals",
    "reversals_per_minute", "starts_per_minute", "threshold_events",
]  # fmt: skip

FORWARD, REVERSE, PAUSE = "forward", "reverse", "pause"
THRESHOLD_MM_S = 0.05
"""Speed below which a worm pauses [mm/s]: Rakowski et al. 2013, as used by Roberts et al. 2016 (eLife 5:e12572)."""



@dataclass(frozen=True, eq=False)
class Events:
    """States of a worm one after the other; all arrays have shape (events,).

    Attributes:
        start_ms: [ms].
        stop_ms: [ms].
        state: names.
        distance_mm: covered along the way [mm], negative backwards.
        distance_body_lengths: the same in lengths of the body [L].
        begun: whether the start was seen; a track or a piece of it may begin in the middle of a state.
        ended: whether the end was seen.
        piece: number of the piece of the track.
    """

    start_ms: np.ndarray
    stop_ms: np.ndarray
    state: np.ndarray
    distance_mm: np.ndarray
    distance_body_lengths: np.ndarray
    begun: np.ndarray
    ended: np.ndarray
    piece: np.ndarray

    def __len__(self) -> int:
        return len(self.start_ms)

    @property
    def duration_s(self) -> np.ndarray:
        """Of each event [s]; too short where start or end were not seen."""
        return (self.stop_ms - self.start_ms) / MS_PER_S

    @property
    def observed_s(self) -> float:
        """Time of all events [s]."""
        return float(self.duration_s.sum())

    def where(self, chosen: np.ndarray) -> Events:
        """Some of the events, by a mask or indices."""
        return Events(**{each.name: getattr(self, each.name)[chosen] for each in dataclasses.fields(self)})

    def of(self, state: str) -> Events:
        """The events of one state."""
        return self.where(self.state == state)

    def as_dict(self) -> dict[str, np.ndarray]:
        """Columns of a table, one row per event."""
        return {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}


def threshold_events(velocities: Sequence[Velocity], threshold: float = THRESHOLD_MM_S) -> Events:
    """States by a fixed speed: forward and reverse beyond it, a pause below.

    Args:
        velocities: of the pieces of one track, see tracks.tangential_velocity.
        threshold: [mm/s].
    """
    codes = [np.where(np.abs(each.mm_s) < threshold, 2, np.where(each.mm_s > 0.0, 0, 1)) for each in velocities]
    return events_of(velocities, codes, (FORWARD, REVERSE, PAUSE))


def events_of(velocities: Sequence[Velocity], codes: Sequence[np.ndarray], names: Sequence[str]) -> Events:
    """Events from the state of every frame.

    Args:
        velocities: of the pieces of one track.
        codes: state in every frame of each piece, an index into `names`, shape (frames,).
        names: of the states.
    """
    parts = []
    for number, (velocity, code) in enumerate(zip(velocities, codes, strict=True)):
        first = np.flatnonzero(np.diff(code, prepend=-1))
        last = np.append(first[1:], len(code))
        half = 0.5 * velocity.interval_ms
        edge = np.append(velocity.time_ms - half, velocity.time_ms[-1] + half)
        way = np.append(0.0, np.cumsum(velocity.mm_s) * velocity.interval_ms / MS_PER_S)
        distance = way[last] - way[first]
        parts.append(
            Events(
                start_ms=edge[first], stop_ms=edge[last], state=np.array(names, object)[code[first]],
                distance_mm=distance, distance_body_lengths=distance / velocity.body_length_mm,
                begun=first > 0, ended=last < len(code), piece=np.full(len(first), number),
            )
        )  # fmt: skip
    return _joined(parts)


def _joined(parts: Sequence[Events]) -> Events:
    """Events of several pieces one after the other; none for no pieces."""
    kinds = {"state": object, "begun": bool, "ended": bool, "piece": int}
    empty = Events(**{each.name: np.zeros(0, kinds.get(each.name, float)) for each in dataclasses.fields(Events)})
    together = {
        each.name: np.concatenate([getattr(empty, each.name), *[getattr(part, each.name) for part in parts]])
        for each in dataclasses.fields(Events)
    }
    return Events(**together)


def ignoring_stutters(events: Events, longest_s: float = np.inf) -> Events:
    """Events with every pause that is followed by the same motion as before it counted to that motion.

    Args:
        events: of one track; every state but forward and reverse counts as a pause.
        longest_s: longest pause that is a stutter [s].
    """
    groups: list[list[int]] = []
    for index in range(len(events)):
        groups.append([index])
        if len(groups) > 2 and _stutter(events, groups[-3][-1], groups[-2], index, longest_s):
            groups[-3:] = [[*groups[-3], *groups[-2], index]]
    first, last = np.array([g[0] for g in groups], int), np.array([g[-1] for g in groups], int)
    sums = {
        name: np.array([getattr(events, name)[group].sum() for group in groups], float)
        for name in ("distance_mm", "distance_body_lengths")
    }
    ends = {"stop_ms": events.stop_ms[last], "ended": events.ended[last]}
    return dataclasses.replace(events.where(first), **sums, **ends)


def _stutter(events: Events, before: int, pause: list[int], after: int, longest_s: float) -> bool:
    """Whether a pause interrupts one motion, within one piece of the track."""
    moving = (FORWARD, REVERSE)
    return (
        len(pause) == 1
        and events.state[before] == events.state[after]
        and events.state[after] in moving
        and events.state[pause[0]] not in moving
        and events.piece[before] == events.piece[after]
        and events.duration_s[pause[0]] <= longest_s
    )


def longer_reversals(events: Events, least_s: float = 0.0, least_body_lengths: float = 0.0) -> Events:
    """Reversals whose start was seen, stutters not counted, of at least this duration and distance.

    One that the end of the track cuts off counts if what was seen of it is long enough.

    Args:
        events: of one track.
        least_s: [s].
        least_body_lengths: [L].
    """
    back = ignoring_stutters(events).of(REVERSE)
    enough = (back.duration_s >= least_s) & (-back.distance_body_lengths >= least_body_lengths)
    return back.where(back.begun & enough)


def reversals_per_minute(events: Events, least_s: float = 0.0, least_body_lengths: float = 0.0) -> float:
    """Starts of reversals per minute of the track [1/min]; NaN without any time observed.

    A reversal that pauses and goes on is one. A worm that goes backwards when the track begins has started no reversal
    that was seen.

    Args:
        events: of one track.
        least_s: shortest reversal that counts [s].
        least_body_lengths: shortest way back that counts [L].
    """
    if events.observed_s <= 0.0:
        return float("nan")
    return len(longer_reversals(events, least_s, least_body_lengths)) / events.observed_s * S_PER_MIN


def starts_per_minute(start_ms: np.ndarray, time_ms: np.ndarray, counted: np.ndarray) -> float:
    """Starts of events per minute of the frames that count, such as those on food [1/min]; NaN without any.

    Args:
        start_ms: of the events [ms], shape (events,).
        time_ms: evenly spaced [ms], shape (frames,).
        counted: whether a frame counts, shape (frames,).
    """
    minutes = counted.sum() * float(time_ms[1] - time_ms[0]) / MS_PER_S / S_PER_MIN
    at = np.clip(np.searchsorted(time_ms, start_ms), 0, len(time_ms) - 1)
    return float(counted[at].sum() / minutes) if minutes > 0.0 else float("nan")
