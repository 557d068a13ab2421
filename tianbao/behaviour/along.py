"""How the wave runs along the body: amplitude, phase lag and one mean cycle of bending, of one worm and of several."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..units import MS_PER_S
from .gait import AMPLITUDE_PERCENTILE, DISCARD_MS
from .kymograph import Kymograph

PLACES = np.linspace(0.04, 0.96, 24)
"""Body coordinates at which worms are compared, nose 0 to tail 1 [-]."""
PHASES = (np.arange(24) + 0.5) / 24
"""Moments of a cycle at which bending is averaged [cycles]."""
_MIDDLE = 0.11  # on either side of the middle, in body lengths
_FEWEST_CYCLES = 2.0
_STILL = 0.5  # amplitude of the fundamental below which a place has no phase [kappa L]


@dataclass(frozen=True, eq=False)
class WaveAlong:
    """The wave of one worm at `PLACES`; NaN where there is no rhythm or no curvature.

    Attributes:
        amplitude: 95th percentile of the absolute curvature [kappa L], shape (24,).
        lag: by how much bending trails that of the middle of the body [cycles], shape (24,).
        cycle: mean curvature over a cycle that starts where the middle of the body is straight and bends towards
            dorsal [kappa L], shape (24 phases, 24 places).
    """

    amplitude: np.ndarray
    lag: np.ndarray
    cycle: np.ndarray


def wave_along(kymograph: Kymograph, discard_ms: float = 0.0) -> WaveAlong:
    """Measure the wave of a worm along its body.

    Args:
        kymograph: of the worm, with its gait.
        discard_ms: initial part that is discarded [ms], at most half of the recording.
    """
    time, bend = _kept(kymograph, discard_ms)
    blank = np.full(len(PLACES), np.nan)
    if len(time) < 2:
        return WaveAlong(blank, blank, np.full((len(PHASES), len(PLACES)), np.nan))
    amplitude = np.percentile(np.abs(bend), AMPLITUDE_PERCENTILE, axis=0)
    phase = _phase(time, bend, kymograph.gait.frequency_hz)
    if phase is None:
        return WaveAlong(amplitude, blank, np.full((len(PHASES), len(PLACES)), np.nan))
    turn = np.exp(-2j * np.pi * phase)
    fundamental = 2.0 * (turn[:, None] * (bend - bend.mean(axis=0))).mean(axis=0)
    # The phase of the middle is that of a sine; a place that bends later has a negative phase.
    lag = -np.angle(fundamental * 1j) / (2.0 * np.pi)
    middle = int(np.argmin(np.abs(PLACES - 0.5)))
    lag = np.concatenate([_unwrapped(lag[middle::-1])[::-1], _unwrapped(lag[middle:])[1:]])
    lag[np.abs(fundamental) < _STILL] = np.nan
    return WaveAlong(amplitude, lag, _cycle(phase, bend))


def _kept(kymograph: Kymograph, discard_ms: float) -> tuple[np.ndarray, np.ndarray]:
    """Times [s] and curvature at `PLACES`, without the initial part."""
    time, bend = np.asarray(kymograph.time, float) / MS_PER_S, np.asarray(kymograph.curvature, float)
    if not len(time):
        return time, bend
    whole = np.isfinite(bend).all(axis=1) & (time - time[0] >= min(discard_ms / MS_PER_S, 0.5 * (time[-1] - time[0])))
    at = np.asarray(kymograph.s, float)
    return time[whole], np.array([np.interp(PLACES, at, row) for row in bend[whole]]).reshape(-1, len(PLACES))


def _phase(time: np.ndarray, bend: np.ndarray, frequency_hz: float) -> np.ndarray | None:
    """Phase of the middle of the body [cycles], 0 where it bends through straight towards dorsal; None without rhythm.

    The middle is demodulated at the frequency of the gait over one cycle, so a rhythm that drifts keeps its phase.
    """
    if not np.isfinite(frequency_hz) or frequency_hz <= 0.0 or (time[-1] - time[0]) * frequency_hz < _FEWEST_CYCLES:
        return None
    inside = np.abs(PLACES - 0.5) <= _MIDDLE
    signal = bend[:, inside].mean(axis=1)
    window = max(3, round(1.0 / (frequency_hz * float(np.median(np.diff(time))))))
    if window > len(time) // 2:
        return None
    carrier = np.exp(-2j * np.pi * frequency_hz * time)
    kernel = np.ones(window) / window
    count = np.convolve(np.ones(len(time)), kernel, "same")
    slow = np.convolve((signal - signal.mean()) * carrier, kernel, "same") / count
    if np.abs(slow).max() < 0.5 * _STILL:
        return None
    return (np.angle(slow / carrier) + 0.5 * np.pi) / (2.0 * np.pi) % 1.0


def _unwrapped(lag: np.ndarray) -> np.ndarray:
    return np.unwrap(lag, period=1.0)


def _cycle(phase: np.ndarray, bend: np.ndarray) -> np.ndarray:
    """Mean curvature in every part of a cycle, NaN in one that no frame falls into."""
    part = np.minimum((phase * len(PHASES)).astype(int), len(PHASES) - 1)
    count = np.bincount(part, minlength=len(PHASES)).astype(float)
    sums = np.zeros((len(PHASES), bend.shape[1]))
    np.add.at(sums, part, bend)
    return np.divide(sums, count[:, None], out=np.full_like(sums, np.nan), where=count[:, None] > 0)


def discarded_ms(kymograph: Kymograph) -> float:
    """Initial part of a kymograph that its gait leaves out [ms], from how long the gait was measured."""
    time = kymograph.time
    whole = float(time[-1] - time[0]) if len(time) else 0.0
    return min(DISCARD_MS, max(0.0, whole - float(kymograph.gait.measured_ms)))
