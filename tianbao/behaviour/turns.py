"""Turns: change of heading, propagation of the ventral bend of an omega turn, and steering.

Everything is seen from above, for a worm that lies on its left side: turning to the left is dorsal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..units import MS_PER_S
from .midline import curvature, curvature_positions, forward_velocity

__all__ = ["PLACES", "Turn", "heading_angle", "turn", "turning_rate"]

POINTS = 49
PLACES = (0.08, 0.27, 0.44, 0.6, 0.8)
"""Body coordinates at which the ventral bend is tracked [L]."""
HALF_WIDTH = 0.0625  # of the stretch around each [L]
BEFORE_MS, AFTER_MS = 1000.0, 4800.0  # of the release: where the heading is read
FOLLOWED_MS = 4800.0  # after the release in which the ventral bend is looked for
AFTERWARDS_MS = 1500.0  # over which the speed after the turn is averaged


@dataclass(frozen=True)
class Turn:
    """A turn after a command has ended; values that could not be measured are NaN.

    Attributes:
        heading_change_deg: change of the direction of the body averaged over a stride, from 1 s before the end of the
            command to 4.8 s after it [deg]; positive towards dorsal, so an omega turn is negative. See `heading_angle`.
        band_depth: deepest ventral bend at `PLACES` within 4.8 s after the command [kappa L], negative.
        band_time_s: its time after the end of the command [s].
        nearest_mm: smallest distance between head and tail in that time [mm].
        speed_after_mm_s: mean velocity along the body over the last 1.5 s of the recording [mm/s].
    """

    heading_change_deg: float
    band_depth: tuple[float, ...]
    band_time_s: tuple[float, ...]
    nearest_mm: float
    speed_after_mm_s: float

    @property
    def travels(self) -> bool:
        """Whether the deepest bend occurs later closer to the tail, as in a single travelling bend."""
        return bool((np.diff(self.band_time_s) > 0.0).all())


def turn(
    time_ms: np.ndarray, midline: np.ndarray, release: float, stride: float, dorsal: np.ndarray | None = None
) -> Turn:
    """Measure a turn.

    Args:
        time_ms: evenly spaced [ms], shape (frames,).
        midline: [mm], head first, shape (frames, points, 2 or 3).
        release: end of the command [ms].
        stride: period of its gait, over which the heading is averaged [ms].
        dorsal: see midline.curvature; shape (frames, points, 3).
    """
    time_ms, midline = np.asarray(time_ms, float), np.asarray(midline, float)
    since = time_ms - release
    after = (since > 0.0) & (since <= FOLLOWED_MS)
    nothing = (math.nan,) * len(PLACES)
    if after.sum() < 2:
        return Turn(math.nan, nothing, nothing, math.nan, math.nan)
    bend = curvature(midline[after], POINTS, None if dorsal is None else dorsal[after])
    s, moments = curvature_positions(POINTS), since[after] / MS_PER_S
    bands = np.stack([bend[:, np.abs(s - place) <= HALF_WIDTH].mean(axis=1) for place in PLACES], axis=1)
    deepest = bands.argmin(axis=0)
    apart = np.linalg.norm(midline[after, 0, :2] - midline[after, -1, :2], axis=1)
    late = time_ms >= time_ms[-1] - AFTERWARDS_MS
    middle, angle = heading_angle(time_ms, midline, stride)
    # The heading is unknown beyond the end of the recording; a run that is too short has no change of heading.
    before, behind = np.interp((release - BEFORE_MS, release + AFTER_MS), middle, angle, left=math.nan, right=math.nan)
    return Turn(
        heading_change_deg=float(np.degrees(behind - before)),
        band_depth=tuple(float(each) for each in bands.min(axis=0)),
        band_time_s=tuple(float(each) for each in moments[deepest]),
        nearest_mm=float(apart.min()),
        speed_after_mm_s=float(forward_velocity(time_ms[late], midline[late]).mean()),
    )


def heading_angle(time_ms: np.ndarray, midline: np.ndarray, stride: float) -> tuple[np.ndarray, np.ndarray]:
    """Direction of the body as a running mean over a stride, unwrapped.

    The direction is the mean of the tangents from tail to head. For a worm that crawls straight it is the tail-to-head
    axis; if the head passes over the tail, that axis would suddenly rotate by half a turn to either side.

    Args:
        time_ms: evenly spaced [ms], shape (frames,).
        midline: [mm], shape (frames, points, 2 or 3).
        stride: [ms].

    Returns:
        Centres of the strides [ms] and angles [rad], positive towards dorsal (to the left), shapes (frames - n + 1,)
        for a stride of n frames.
    """
    steps = -np.diff(np.asarray(midline, float)[..., :2], axis=1)
    along = np.unwrap(np.arctan2(steps[..., 1], steps[..., 0]), axis=1)
    angle = np.unwrap(along.mean(axis=1))
    frames = max(1, min(round(stride / (time_ms[1] - time_ms[0])), len(angle)))
    weights = np.full(frames, 1.0 / frames)
    return np.convolve(time_ms, weights, "valid"), np.convolve(angle, weights, "valid")


def turning_rate(time_ms: np.ndarray, midline: np.ndarray, stride: float) -> float:
    """Slope of the heading over the whole recording [deg/s], positive towards dorsal; see `heading_angle`."""
    middle, angle = heading_angle(np.asarray(time_ms, float), np.asarray(midline, float), stride)
    if len(middle) < 2:
        return math.nan
    return float(np.degrees(np.polyfit((middle - middle[0]) / MS_PER_S, angle, 1)[0]))
