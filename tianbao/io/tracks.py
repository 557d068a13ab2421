"""Converts tracker data to one midline per evenly spaced frame: orientation, gaps, resampling."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import numpy as np

from ..behaviour.midline import FARTHEST_MM
from ..bounded import check_memory
from ..errors import OutputError

log = logging.getLogger(__name__)

FEWEST_POINTS = 5
"""Fewest points of a midline from which bending can be measured."""

LONGEST_GAP_MS = 500.0
"""Gaps up to this long are filled by interpolation: about a quarter of a crawling wave."""

# Range of body lengths of all stages of C. elegans, with a margin [mm].
_LENGTHS_MM = (0.1, 2.5)
_UNEVEN = 0.01
_SHORTEST_MM = 1e-6
_INTERVALS_MS = (0.01, 1e8)
_LATEST_MS = 1e15
_MOST_POINTS = 5000
# Frames on the even clock per frame that was seen: with more, most of a track would be made up.
_MOST_FILLED = 10
# Two parts of a track may overlap by this many frames, as a camera's frames do that arrive in another order.
_MOST_OVERLAP = 2.0
# Times that go back more often, per frame, are of frames in no order.
_MOST_RUNS = 0.1
_BYTES_PER_POINT = 100  # of a midline, with what is computed from it


def check_time(time: np.ndarray, where: str) -> None:
    """Refuse times [ms], shape (frames,), that are no times.

    Raises:
        OutputError: for one that is not a number, or is thousands of years away.
    """
    if not np.isfinite(time).all():
        raise OutputError(f"{where} contains a value that is not a number; every frame needs its time")
    if (np.abs(time) > _LATEST_MS).any():
        raise OutputError(f"{where} contains {np.abs(time).max():.3g} ms, which is no time: check its unit")


def check_place(points: np.ndarray, where: str) -> None:
    """Refuse coordinates [mm], any shape, where no worm can be.

    Raises:
        OutputError: for one that is a kilometre or more away.
    """
    farthest = np.abs(points).max(initial=0.0)
    if not farthest < FARTHEST_MM:
        raise OutputError(f"{where}: a coordinate of {farthest:.3g} mm is no place on a plate: check its unit")


@dataclass
class Sighting:
    """Tracker data of one worm, frame by frame and in any order.

    Attributes:
        name: the tracker's id.
        time: [ms], one per frame.
        lines: midlines [mm], each (points, 3), or None if the worm was not completely visible.
        head: "L" if the first point is the head, "R" if the last, "?" if unknown.
        ventral: "CW", "CCW" or "?", as defined by WCON.
        dorsal: unit vectors towards dorsal, each (points, 3); None if the file has none.
    """

    name: str
    time: list[float] = field(default_factory=list)
    lines: list[np.ndarray | None] = field(default_factory=list)
    head: list[str] = field(default_factory=list)
    ventral: list[str] = field(default_factory=list)
    dorsal: list[np.ndarray | None] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Track:
    """A worm at evenly spaced times.

    Attributes:
        name: the tracker's id.
        time: evenly spaced [ms], shape (frames,).
        midline: [mm], head first, shape (frames, points, 3).
        dorsal: unit vectors [-], shape (frames, points, 3); None for a worm on its side, as in `WormTrack`.
    """

    name: str
    time: np.ndarray
    midline: np.ndarray
    dorsal: np.ndarray | None


def track(seen: Sighting, longest_gap: float = LONGEST_GAP_MS) -> Track:
    """Order, orient, fill and resample the tracker data of one worm.

    Args:
        seen: the frames of one worm.
        longest_gap: longer gaps [ms] end the track; the longest section without one is kept.

    Raises:
        OutputError: unless at least two frames have a midline of at least five points, or if its clock runs twice over
            the same time, or it is larger than can be kept in memory.
    """
    order = _in_time(seen)
    lines_of = [_without_repeats(line) for line in seen.lines]
    whole = [k for k in order if lines_of[k] is not None and len(lines_of[k]) >= FEWEST_POINTS]
    if len(whole) < 2:
        raise OutputError(
            f"worm {seen.name} has {len(whole)} frames with a midline of at least {FEWEST_POINTS} points; "
            "a gait needs the midline over time, the centroid is not enough"
        )
    if len(whole) < len(order):
        log.warning("worm %s: %d of %d frames have no complete midline", seen.name, len(order) - len(whole), len(order))
    whole = _longest_stretch(seen, whole, longest_gap)
    time = np.array([seen.time[k] for k in whole])
    count = _usual([len(seen.lines[k]) for k in whole])
    if count > _MOST_POINTS:
        raise OutputError(f"worm {seen.name} has midlines of {count} points; give at most {_MOST_POINTS}")
    clock = _even_clock_of(seen.name, time)
    check_memory(_BYTES_PER_POINT * count * (len(time) + len(clock)), f"worm {seen.name}")
    lines = np.stack([resampled(lines_of[k], count) for k in whole])
    lengths = np.linalg.norm(np.diff(lines, axis=1), axis=2).sum(axis=1)
    length = float(np.median(lengths))
    if not _LENGTHS_MM[0] <= length <= _LENGTHS_MM[1]:
        log.warning("worm %s would be %.3g mm long: check the units of the file", seen.name, length)
    flipped = _flips(lines, [seen.head[k] for k in whole], seen.name)
    lines[flipped] = lines[flipped, ::-1]
    dorsal = _dorsal(seen, whole, lines, flipped)
    if len(clock) != len(time) or np.abs(clock - time).max() > _UNEVEN * (clock[1] - clock[0]):
        log.warning("worm %s: %d frames interpolated to %d evenly spaced ones", seen.name, len(time), len(clock))
        lines = onto(clock, time, lines)
        dorsal = None if dorsal is None else unit(onto(clock, time, dorsal))
        time = clock
    return Track(seen.name, time, lines, dorsal)


def _in_time(seen: Sighting) -> list[int]:
    """Indices of the frames in order of time; of several at the same time, the first."""
    order = sorted(range(len(seen.time)), key=lambda k: seen.time[k])
    kept, conflicting = order[:1], []
    for k in order[1:]:
        if seen.time[k] > seen.time[kept[-1]]:
            kept.append(k)
        elif seen.lines[k] is not None and not np.array_equal(seen.lines[k], seen.lines[kept[-1]]):
            conflicting.append(k)
    if len(kept) < len(order):
        log.warning("worm %s: %d frames with duplicate times are ignored", seen.name, len(order) - len(kept))
    _check_runs(seen.name, np.array([seen.time[k] for k in sorted([*kept, *conflicting])]))
    return kept


def _check_runs(name: str, time: np.ndarray) -> None:
    """Frames may come in any order, but a clock that was set back would mix two recordings."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(time) <= 0.0) + 1])
    if not 1 < len(starts) <= 1 + _MOST_RUNS * len(time):
        return
    first, last = time[starts], np.maximum.reduceat(time, starts)
    order = np.argsort(first, kind="stable")
    ends = np.maximum.accumulate(last[order])
    overlap = float((ends[:-1] - first[order][1:]).max())
    if overlap > _MOST_OVERLAP * float(np.median(np.diff(np.unique(time)))):
        raise OutputError(
            f"worm {name}: its clock goes back by up to {overlap:.6g} ms and runs over the same time again; give the "
            "two recordings as two worms or two files"
        )


def _without_repeats(line: np.ndarray | None) -> np.ndarray | None:
    """A midline without points that coincide with the previous one, at which it has no direction; None if all do."""
    if line is None or len(line) < 2:
        return line
    moved = np.linalg.norm(np.diff(line, axis=0), axis=1)
    if not moved.sum() > _SHORTEST_MM:
        return None
    return line if (moved > 0.0).all() else line[np.concatenate([[True], moved > 0.0])]


def _even_clock_of(name: str, time: np.ndarray) -> np.ndarray:
    """`even_clock`, refused where most of its frames would have to be made up."""
    usual = float(np.median(np.diff(time)))
    if not _INTERVALS_MS[0] <= usual <= _INTERVALS_MS[1]:
        raise OutputError(f"worm {name}: frames {usual:.3g} ms apart are no recording: check the unit of time")
    if (time[-1] - time[0]) / usual > _MOST_FILLED * len(time):
        raise OutputError(
            f"worm {name}: frames {usual:.3g} ms apart leave out more than {_MOST_FILLED - 1} of {_MOST_FILLED} frames "
            f"between {time[0]:g} and {time[-1]:g} ms; its times are too uneven"
        )
    return even_clock(time)


def _longest_stretch(seen: Sighting, whole: list[int], longest_gap: float) -> list[int]:
    time = np.array([seen.time[k] for k in whole])
    step = float(np.median(np.diff(time)))
    cuts = np.flatnonzero(np.diff(time) > max(longest_gap, 1.5 * step)) + 1
    if not len(cuts):
        return whole
    parts = np.split(np.array(whole), cuts)
    best = max(parts, key=lambda part: seen.time[part[-1]] - seen.time[part[0]])
    if len(best) < 2:
        raise OutputError(f"worm {seen.name} is never seen for longer than {longest_gap:g} ms at a time")
    log.warning(
        "worm %s is lost %d times for longer than %g ms; its longest section is kept, %g to %g ms",
        seen.name, len(cuts), longest_gap, seen.time[best[0]], seen.time[best[-1]],
    )  # fmt: skip
    return list(best)


def _usual(counts: list[int]) -> int:
    """The most frequent number of points; of two equally frequent ones, the larger."""
    values, frequency = np.unique(counts, return_counts=True)
    return int(values[frequency == frequency.max()].max())


def resampled(line: np.ndarray, points: int) -> np.ndarray:
    """A midline resampled to a number of points evenly spaced along its arc.

    Args:
        line: shape (n, 3); returned as it is if it has that many points.
        points: number of points.

    Returns:
        Shape (points, 3).
    """
    if len(line) == points:
        return np.array(line, float)
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.linspace(0.0, arc[-1], points)
    return np.stack([np.interp(at, arc, line[:, k]) for k in range(3)], axis=1)


def _flips(lines: np.ndarray, head: list[str], name: str) -> np.ndarray:
    """Frames whose last point is the head; if unknown, the worm is assumed not to flip between frames."""
    known = np.array([each in ("L", "R") for each in head])
    flipped = np.array([each == "R" for each in head])
    if known.all():
        return flipped
    if not known.any():
        log.warning("worm %s: its head is not marked; the first point of its first frame is taken as the head", name)
        known[0] = True
    first = int(np.argmax(known))
    for frames in (range(first + 1, len(lines)), range(first - 1, -1, -1)):
        before = first
        for k in frames:
            if not known[k]:
                neighbour = lines[before][::-1] if flipped[before] else lines[before]
                straight, turned = (np.abs(line - neighbour).sum() for line in (lines[k], lines[k][::-1]))
                flipped[k] = turned < straight
            before = k
    return flipped


def _dorsal(seen: Sighting, whole: list[int], lines: np.ndarray, flipped: np.ndarray) -> np.ndarray | None:
    given = [seen.dorsal[k] for k in whole]
    if all(each is not None and len(each) == lines.shape[1] for each in given):
        dorsal = np.stack(given)
        dorsal[flipped] = dorsal[flipped, ::-1]
        return dorsal
    # "CW" is clockwise from the first point, whichever end that is; seen from the other end it is the opposite.
    side = np.array([{"CW": 1.0, "CCW": -1.0}.get(seen.ventral[k], 0.0) for k in whole])
    side[flipped] *= -1.0
    if not (side < 0.0).any():
        return None
    if not (side > 0.0).any():
        side[:] = -1.0
    side[side == 0.0] = 1.0
    return side[:, None, None] * dorsal_directions(lines)


def dorsal_directions(lines: np.ndarray) -> np.ndarray:
    """Dorsal directions of worms that lie on their left side in the x-y plane.

    Args:
        lines: midlines, head first, shape (frames, points, 3).

    Returns:
        Unit vectors, same shape.
    """
    along = np.gradient(lines, axis=1)
    return unit(np.stack([along[..., 1], -along[..., 0], np.zeros(along.shape[:-1])], axis=-1))


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors normalised to unit length; 0 stays 0."""
    size = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, size, out=np.zeros_like(vectors), where=size > 0.0)


def even_clock(time: np.ndarray) -> np.ndarray:
    """Evenly spaced times [ms] from the first to about the last, at the typical interval."""
    steps = np.diff(time)
    step = float(np.median(steps))
    # The mean over the intervals without a gap is finer than the median of rounded times.
    usual = steps[np.abs(steps - step) < 0.5 * step]
    step = float(usual.mean()) if len(usual) else step
    return time[0] + step * np.arange(int((time[-1] - time[0]) / step + 0.5) + 1)


def onto(clock: np.ndarray, time: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Linear interpolation along the first axis, constant beyond the ends.

    Args:
        clock: new times [ms], shape (n,).
        time: times of the values [ms], shape (frames,).
        values: shape (frames, ...).
    """
    after = np.clip(np.searchsorted(time, clock), 1, len(time) - 1)
    share = np.clip((clock - time[after - 1]) / (time[after] - time[after - 1]), 0.0, 1.0)
    share = share.reshape(-1, *([1] * (values.ndim - 1)))
    return (1.0 - share) * values[after - 1] + share * values[after]


def together(tracks: list[Track]) -> list[Track]:
    """Worms at the times of the one tracked longest; those not tracked throughout are left out, with a warning.

    Raises:
        OutputError: if there is none.
    """
    kept, left_out = throughout(tracks)
    if left_out:
        log.warning(
            "left out, because they were not tracked for all %g ms of worm %s: %s; give the id of one to read it alone",
            kept[0].time[-1] - kept[0].time[0], max(tracks, key=_span).name, ", ".join(each.name for each in left_out),
        )  # fmt: skip
    return kept


def throughout(tracks: list[Track]) -> tuple[list[Track], list[Track]]:
    """Worms tracked as long as the one tracked longest, at its times, and the others as they are.

    Raises:
        OutputError: if there is none.
    """
    if not tracks:
        raise OutputError("no worm has a midline that can be tracked")
    longest = max(tracks, key=_span)
    clock, step = longest.time, longest.time[1] - longest.time[0]
    count = longest.midline.shape[1]
    check_memory(_BYTES_PER_POINT * len(clock) * count * len(tracks), f"{len(tracks)} worms on one clock")
    kept, others = [], []
    for each in tracks:
        if each.time[0] > clock[0] + step or each.time[-1] < clock[-1] - step:
            others.append(each)
            continue
        same = len(each.time) == len(clock) and np.abs(each.time - clock).max() <= _UNEVEN * step
        line = each.midline if same else onto(clock, each.time, each.midline)
        dorsal = each.dorsal if same or each.dorsal is None else unit(onto(clock, each.time, each.dorsal))
        line = np.stack([resampled(frame, count) for frame in line])
        if dorsal is not None and dorsal.shape != line.shape:
            dorsal = dorsal[:, np.linspace(0, dorsal.shape[1] - 1, count).round().astype(int)]
        kept.append(Track(each.name, clock, line, dorsal))
    return kept, others


def _span(each: Track) -> float:
    return float(each.time[-1] - each.time[0])
