"""Geometry of a midline: arc length, curvature, centroid, heading."""

from __future__ import annotations

import numpy as np

from ..errors import OutputError
from ..units import MS_PER_S

FARTHEST_MM = 1e6
"""No worm is a kilometre away: such a coordinate has another unit, or is no coordinate."""

_SHORTEST_MM = 1e-6
# Steps of a clock that differ more from the usual one are not rounded: frames are missing.
_UNEVEN = 0.5


def checked(
    time_ms: np.ndarray, midline: np.ndarray, dorsal: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Times and midlines as floats, refused where nothing could be measured from them.

    Args:
        time_ms: [ms], shape (frames,).
        midline: [mm], shape (frames, points, 2 or 3).
        dorsal: unit vectors towards dorsal, shape (frames, points, 3), or None.

    Raises:
        OutputError: for times that are not increasing and even, shapes that do not fit, fewer than three points, places
            and directions that are none, or a midline without length.
    """
    time, line = np.asarray(time_ms), np.asarray(midline)
    if not all(each.dtype.kind in "iuf" for each in (time, line)):
        raise OutputError("a gait is measured from real numbers: times [ms] and midlines [mm]")
    if time.ndim != 1 or line.ndim != 3 or len(line) != len(time) or line.shape[1] < 3 or line.shape[2] not in (2, 3):
        raise OutputError(f"midlines have shape {line.shape} for {time.shape} times; give (frames, points, 2 or 3)")
    time, line = time.astype(float), line.astype(float)
    steps = np.diff(time) if np.isfinite(time).all() else np.array([np.nan])
    if not (steps > 0.0).all():
        raise OutputError("the times of the frames must be increasing numbers [ms]")
    if len(steps) and (np.abs(steps - np.median(steps)) > _UNEVEN * np.median(steps)).any():
        raise OutputError("the times of the frames are uneven; interpolate the track to evenly spaced frames first")
    if line.size and not np.abs(line).max() < FARTHEST_MM:
        raise OutputError("a midline holds a place that is not a number, or a kilometre away")
    if len(line) and not np.linalg.norm(np.diff(line, axis=1), axis=2).sum(axis=1).min() > _SHORTEST_MM:
        raise OutputError("a midline has no length: its points coincide")
    if dorsal is not None and (np.shape(dorsal) != (*line.shape[:2], 3) or not np.isfinite(dorsal).all()):
        raise OutputError("the directions towards dorsal must be three numbers for every point of every frame")
    return time, line


def curvature_positions(points: int) -> np.ndarray:
    """Body coordinates at which `curvature` gives values.

    Args:
        points: number of midline points.

    Returns:
        s [-], nose 0 to tail 1, shape (points - 2,).
    """
    return np.arange(1, points - 1) / (points - 1)


def curvature(
    midline: np.ndarray, points: int | None = None, dorsal: np.ndarray | None = None
) -> np.ndarray:
    """Signed dorsoventral curvature, positive if concave towards dorsal.

    Args:
        midline: [mm], head first, shape (frames, points, 2 or 3) or one frame of it.
        points: resample to this many points, evenly spaced along the arc, before
            differentiating; None keeps the midline's own points.
        dorsal: unit vectors towards dorsal at the points [-], shape (frames, points, 3), of a worm that
            may roll; without them the worm is assumed to lie on its left side in the x-y plane.

    Returns:
        kappa L [-], L the length of the midline in each frame, shape (frames, points - 2).
    """
    midline = np.atleast_3d(np.asarray(midline, float))
    if midline.shape[-1] == 1:
        midline = midline[..., 0][None]
    steps = np.diff(midline[..., :2] if dorsal is None else midline, axis=1)
    length = np.linalg.norm(steps, axis=-1)
    if not length.all():
        steps = _going_on(steps, length > 0.0)
    if dorsal is None:
        angle = np.unwrap(np.arctan2(steps[..., 1], steps[..., 0]), axis=1)
    else:
        turns = _turns(_unit(steps), np.asarray(dorsal, float).reshape(midline.shape))
        angle = np.concatenate([np.zeros((len(turns), 1)), -np.cumsum(turns, axis=1)], axis=1)
    ends = np.cumsum(length, axis=1)
    whole = ends[:, -1:]
    middle = (ends - 0.5 * length) / whole
    if points is not None and points != midline.shape[1]:
        # The angle is the integral of curvature, so this averages curvature over each new step.
        even = (np.arange(points - 1) + 0.5) / (points - 1)
        angle = np.stack([np.interp(even, s, a) for s, a in zip(middle, angle, strict=True)])
        middle = np.broadcast_to(even, angle.shape)
    # t points to the tail and dorsal is t x z, so a left turn on the way to the tail is ventral.
    apart = np.diff(middle, axis=1)
    return -np.diff(angle, axis=1) / np.where(apart > 0.0, apart, 1.0)


def _going_on(steps: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Steps of which those between points in one place take the direction of the one before, at the head of the next.

    Args:
        steps: shape (frames, steps, 2 or 3).
        moves: whether each leads anywhere, shape (frames, steps).
    """
    latest = np.maximum.accumulate(np.where(moves, np.arange(moves.shape[1]), 0), axis=1)
    latest = np.maximum(latest, moves.argmax(axis=1)[:, None])
    return np.take_along_axis(steps, latest[..., None], axis=1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1, and those of none as they are."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0.0, length, 1.0)


def _turns(steps: np.ndarray, dorsal: np.ndarray) -> np.ndarray:
    """Angle by which each unit step turns towards dorsal relative to the previous one [rad]."""
    bend, along = np.diff(steps, axis=1), steps[:, 1:] + steps[:, :-1]
    along = _unit(along)
    side = dorsal[:, 1:-1]
    side = side - (side * along).sum(axis=-1, keepdims=True) * along
    side = _unit(side)
    half = 0.5 * np.linalg.norm(bend, axis=-1)
    # The angle over twice the sine of half of it; a straight joint has neither.
    stretched = np.where(half > 1e-9, np.arcsin(np.minimum(half, 1.0)) / np.maximum(half, 1e-9), 1.0)
    return stretched * (bend * side).sum(axis=-1)


def centroid(midline: np.ndarray) -> np.ndarray:
    """Centre of the midline in the plane.

    Args:
        midline: [mm], shape (frames, points, 2 or 3).

    Returns:
        [mm], shape (frames, 2).
    """
    return np.asarray(midline, float)[..., :2].mean(axis=1)


def heading(midline: np.ndarray) -> np.ndarray:
    """Unit vector from tail to head in the plane; 0 where they coincide.

    Args:
        midline: [mm], shape (frames, points, 2 or 3).

    Returns:
        [-], shape (frames, 2).
    """
    return _towards_head(np.asarray(midline, float)[..., :2])


def _towards_head(midline: np.ndarray) -> np.ndarray:
    """Unit vector from tail to head in all the dimensions of the midline; 0 where they coincide."""
    axis = midline[:, 0] - midline[:, -1]
    size = np.linalg.norm(axis, axis=1, keepdims=True)
    return np.divide(axis, size, out=np.zeros_like(axis), where=size > 0.0)


def forward_velocity(time_ms: np.ndarray, midline: np.ndarray) -> np.ndarray:
    """Velocity of the centroid along the tail-to-head direction, between frames.

    Args:
        time_ms: [ms], shape (frames,).
        midline: [mm], shape (frames, points, 2 or 3).

    Returns:
        [mm/s], positive forward, shape (frames - 1,).
    """
    midline = np.asarray(midline, float)
    velocity = np.diff(midline.mean(axis=1), axis=0) / (np.diff(time_ms)[:, None] / MS_PER_S)
    towards = _towards_head(midline)
    return np.einsum("fk,fk->f", velocity, 0.5 * (towards[1:] + towards[:-1]))
