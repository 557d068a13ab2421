"""Measures of a reversal on command: latency, backward speed and wave, and time to forward movement afterwards."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from ..units import MS_PER_S
from .midline import curvature, curvature_positions, forward_velocity
from .shape import BODY, best_wave

__all__ = ["FORWARD_AGAIN", "Reversal", "amplitude", "reversal", "smooth_velocity"]

POINTS = 49
SMOOTHING_MS = 100.0  # of the velocity, so that no single frame counts as going back
SETTLING_MS = 500.0  # after the command, before speed and wave are measured
LAST_QUARTER = (0.75, 0.97)  # the last joints of a midline are noise more than body
FORWARD_AGAIN = 0.2
"""Speed at which a worm on agar counts as moving forward again [mm/s]."""


@dataclass(frozen=True)
class Reversal:
    """A reversal on command; values that could not be measured are NaN.

    Attributes:
        latency_s: time from the command until the velocity along the body is negative [s].
        speed_mm_s: mean velocity along the body from 0.5 s after the start of the command to its end [mm/s]; negative
            backwards.
        travelling_r2: share of the variance of curvature, s 0.15 to 0.85 in the same time, that the best single
            travelling wave explains [-].
        wave_length: of that wave [L]; negative for one that runs from tail to head.
        wave_frequency_hz: of that wave [Hz].
        tail_amplitude: amplitude of oscillation of the last quarter of the body in the same time [kappa L].
        forward_again_s: time from the end of the command until the worm reaches the given forward speed [s].
    """

    latency_s: float = math.nan
    speed_mm_s: float = math.nan
    travelling_r2: float = math.nan
    wave_length: float = math.nan
    wave_frequency_hz: float = math.nan
    tail_amplitude: float = math.nan
    forward_again_s: float = math.nan

    def as_dict(self) -> dict[str, float]:
        """The measured values by name."""
        return dataclasses.asdict(self)


def reversal(
    time_ms: np.ndarray, midline: np.ndarray, start: float, stop: float, *, dorsal: np.ndarray | None = None,
    again: float = FORWARD_AGAIN,
) -> Reversal:  # fmt: skip
    """Measure a reversal.

    Args:
        time_ms: evenly spaced [ms], shape (frames,).
        midline: [mm], head first, shape (frames, points, 2 or 3).
        start: of the command [ms].
        stop: of the command [ms].
        dorsal: see midline.curvature; shape (frames, points, 3).
        again: speed that counts as moving forward again [mm/s].
    """
    time_ms, midline = np.asarray(time_ms, float), np.asarray(midline, float)
    settled = (time_ms >= start + SETTLING_MS) & (time_ms <= stop)
    if settled.sum() < 2:
        return Reversal()
    between, velocity = smooth_velocity(time_ms, midline)
    commanded, released = (between >= start) & (between < stop), between >= stop
    bend = curvature(midline[settled], POINTS, None if dorsal is None else dorsal[settled])
    s = curvature_positions(POINTS)
    body = (s >= BODY[0]) & (s <= BODY[1])
    wave = best_wave(time_ms[settled] / MS_PER_S, bend[:, body], s[body])
    return Reversal(
        latency_s=_first(between[commanded] - start, velocity[commanded] < 0.0),
        speed_mm_s=float(forward_velocity(time_ms[settled], midline[settled]).mean()),
        travelling_r2=wave.r2,
        wave_length=wave.length,
        wave_frequency_hz=wave.frequency_hz,
        tail_amplitude=amplitude(bend[:, (s >= LAST_QUARTER[0]) & (s <= LAST_QUARTER[1])]),
        forward_again_s=_first(between[released] - stop, velocity[released] >= again),
    )


def smooth_velocity(time_ms: np.ndarray, midline: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Velocity along the body as a running mean over 100 ms: times [ms] and velocities [mm/s], shapes (frames - 1,)."""
    velocity, middle = forward_velocity(time_ms, midline), 0.5 * (time_ms[1:] + time_ms[:-1])
    # An odd number of frames, so that the mean is not shifted in time.
    window = 2 * int(0.5 * SMOOTHING_MS / (time_ms[1] - time_ms[0])) + 1
    weights = np.ones(min(window, 2 * ((len(velocity) - 1) // 2) + 1))
    counted = np.convolve(np.ones(len(velocity)), weights, "same")
    return middle, np.convolve(velocity, weights, "same") / counted


def amplitude(bend: np.ndarray) -> float:
    """Amplitude of curvature about its mean, as that of a sine of the same variance, averaged along the body.

    Args:
        bend: kappa L, shape (frames, positions).
    """
    return float(math.sqrt(2.0) * bend.std(axis=0).mean())


def _first(since_ms: np.ndarray, happened: np.ndarray) -> float:
    """Time [s] of the first frame in which a condition holds, NaN if it never does."""
    return float(since_ms[int(np.argmax(happened))]) / MS_PER_S if happened.any() else math.nan
