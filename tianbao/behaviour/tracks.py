"""Tracks as measures of behaviour need them: evenly sampled, without gaps, and the velocity along the worm's way.

Trackers drop frames and lose a worm that coils. A short gap is filled by a straight line; at a long one the track is
cut into pieces, and nothing is said of what happened between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import OutputError
from ..units import MS_PER_S

__all__ = ["FRAME_MS", "GAP_MS", "Piece", "Velocity", "resampled", "tangential_velocity", "whole_pieces"]

FRAME_MS = MS_PER_S / 29.97
"""Interval of the video frames of Roberts et al. 2016 (eLife 5:e12572) [ms]."""
GAP_MS = 500.0
"""Longest gap that is filled [ms]; assumed: about a quarter of a stride on agar."""
WINDOW_FRAMES = 11  # over which Roberts et al. 2016 smooth the track that gives the direction of a velocity
COARSEST_MS = 100.0
"""Longest frame interval at which pauses are told apart [ms]; assumed: half the shortest mean dwell time, 0.21 s."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of a track without gaps.

    Attributes:
        time_ms: evenly spaced [ms], shape (frames,).
        midline: [mm], head first, shape (frames, points, 2 or 3).
    """

    time_ms: np.ndarray
    midline: np.ndarray

    @property
    def interval_ms(self) -> float:
        """Time between two frames [ms]."""
        return float(self.time_ms[1] - self.time_ms[0])

    @property
    def body_length_mm(self) -> float:
        """Median length of the midline [mm]."""
        return float(np.median(np.linalg.norm(np.diff(self.midline, axis=1), axis=2).sum(axis=1)))


@dataclass(frozen=True, eq=False)
class Velocity:
    """Velocity of a point of the body along its way, in one piece of a track.

    Attributes:
        time_ms: middle of each frame interval [ms], shape (frames,).
        mm_s: velocity, positive towards the head [mm/s], shape (frames,).
        interval_ms: length of a frame interval [ms].
        body_length_mm: of the worm [mm].
    """

    time_ms: np.ndarray
    mm_s: np.ndarray
    interval_ms: float
    body_length_mm: float


def whole_pieces(
    time_ms: np.ndarray, midline: np.ndarray, *, interval_ms: float = 0.0, gap_ms: float = GAP_MS
) -> list[Piece]:
    """Cut a track at its long gaps, fill the short ones and sample each piece evenly.

    Args:
        time_ms: increasing, not necessarily even [ms], shape (frames,).
        midline: [mm], head first, shape (frames, points, 2 or 3); a frame with any NaN counts as missing.
        interval_ms: of the frames wanted [ms]; a track that has fewer keeps its own interval, as frames between them
            would repeat the same evidence.
        gap_ms: longest time without a frame that is filled [ms].

    Returns:
        Pieces of at least three frames, in order; none for a track that has no such piece.

    Raises:
        OutputError: for shapes that do not fit, or times that do not increase.
    """
    time, line = np.asarray(time_ms, float), np.asarray(midline, float)
    if line.ndim != 3 or line.shape[:1] != time.shape or line.shape[1] < 3 or line.shape[2] not in (2, 3):
        raise OutputError(f"midlines have shape {line.shape} for {time.shape} times; give (frames, points, 2 or 3)")
    if not (np.isfinite(time).all() and (np.diff(time) > 0.0).all()):
        raise OutputError("the times of the frames must be increasing numbers [ms]")
    known = np.isfinite(line).all(axis=(1, 2))
    if len(time) < 3 or known.sum() < 3:
        return []
    own = float(np.median(np.diff(time)))
    step = max(own, interval_ms)
    time, line = time[known], line[known]
    # One frame interval is no gap, however long it is.
    cuts = np.flatnonzero(np.diff(time) > max(gap_ms, 1.5 * own)) + 1
    pieces = []
    for start, stop in zip([0, *cuts], [*cuts, len(time)], strict=True):
        even = np.arange(time[start], time[stop - 1] + 1e-6 * step, step)
        if len(even) >= 3:
            pieces.append(Piece(even, resampled(even, time[start:stop], line[start:stop])))
    return pieces


def resampled(at: np.ndarray, time: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values at other times, by straight lines between frames.

    Args:
        at: times wanted, within those given, shape (n,).
        time: increasing, shape (frames,).
        values: shape (frames, ...).

    Returns:
        Shape (n, ...).
    """
    after = np.clip(np.searchsorted(time, at), 1, len(time) - 1)
    share = (at - time[after - 1]) / (time[after] - time[after - 1])
    share = np.clip(share, 0.0, 1.0).reshape(-1, *[1] * (values.ndim - 1))
    return (1.0 - share) * values[after - 1] + share * values[after]


def tangential_velocity(
    time_ms: np.ndarray, midline: np.ndarray, *, at: float = 0.5, interval_ms: float = FRAME_MS, gap_ms: float = GAP_MS
) -> list[Velocity]:
    """Velocity of a spot on the body along its way, as Roberts et al. 2016 measure it.

    They follow a spot at the middle of the body at 30 frames a second. The step between two frames is projected onto
    the direction of the track smoothed over 11 frames, which is given the sense of the head.

    Args:
        time_ms: increasing [ms], shape (frames,).
        midline: [mm], head first, shape (frames, points, 2 or 3); NaN where the worm was lost.
        at: body coordinate of the spot, nose 0 to tail 1 [-].
        interval_ms: of the frames [ms]; see `whole_pieces`.
        gap_ms: see `whole_pieces`.

    Returns:
        One per piece of the track; none if it is too short for any.

    Raises:
        OutputError: for what is not a track, a spot that is not on the body, or frames farther apart than
            `COARSEST_MS`.

    Source: Roberts et al. 2016, eLife 5:e12572, "Maximum likelihood estimation of state transition rates".
    """
    if not 0.0 <= at <= 1.0:
        raise OutputError(f"the spot is at {at:g} of the body; give a number from 0, the nose, to 1, the tail")
    found = []
    for piece in whole_pieces(time_ms, midline, interval_ms=interval_ms, gap_ms=gap_ms):
        if piece.interval_ms > COARSEST_MS:
            todo = f"record one at least every {COARSEST_MS:g} ms"
            raise OutputError(f"frames every {piece.interval_ms:.3g} ms do not show pauses of 0.2 s; {todo}")
        index = round(at * (piece.midline.shape[1] - 1))
        spot = piece.midline[:, index, :2]
        before, behind = max(index - 1, 0), min(index + 1, piece.midline.shape[1] - 1)
        ahead = piece.midline[:, before, :2] - piece.midline[:, behind, :2]
        found.append(
            Velocity(
                time_ms=0.5 * (piece.time_ms[1:] + piece.time_ms[:-1]),
                mm_s=_along(spot, ahead, piece.interval_ms),
                interval_ms=piece.interval_ms,
                body_length_mm=piece.body_length_mm,
            )
        )
    return found


def _along(spot: np.ndarray, ahead: np.ndarray, interval_ms: float) -> np.ndarray:
    """Steps of a spot along the direction of its smoothed track, positive towards the head [mm/s].

    Args:
        spot: [mm], shape (frames, 2).
        ahead: towards the head at the spot, of any length, shape (frames, 2).
        interval_ms: [ms].
    """
    window = 2 * int(0.5 * WINDOW_FRAMES * FRAME_MS / interval_ms) + 1
    window = min(window, 2 * ((len(spot) - 1) // 2) + 1)
    count = np.convolve(np.ones(len(spot)), np.ones(window), "same")
    smooth = np.stack([np.convolve(each, np.ones(window), "same") / count for each in spot.T], axis=1)
    track, head = np.diff(smooth, axis=0), 0.5 * (ahead[1:] + ahead[:-1])
    track *= np.where((track * head).sum(axis=1) < 0.0, -1.0, 1.0)[:, None]
    # A worm that does not move has no track; its body still has a direction.
    size = np.linalg.norm(track, axis=1, keepdims=True)
    track = np.where(size > 0.0, track, head)
    size = np.linalg.norm(track, axis=1, keepdims=True)
    step = np.diff(spot, axis=0) / (interval_ms / MS_PER_S)
    return (step * track).sum(axis=1) / np.where(size > 0.0, size, 1.0)[:, 0]
