"""Measures of a sweep, the same for recordings and models."""

from __future__ import annotations

import numpy as np

MEASURES = ("rest", "peak", "at_100ms", "at_1s", "steady")
"""Rest before the step, extreme early in it, values on the way, steady state at its end."""

# [ms] Window of the peak of a current step, and window at its end that counts as steady.
_PEAK_FROM, _PEAK_TO, _STEADY = 5.0, 300.0, 500.0
# The first millisecond of a voltage step is excluded because of the amplifier. A step may be short.
_CLAMP_PEAK_FROM, _CLAMP_STEADY_SHARE = 1.0, 0.15
# [ms] Averaged around a moment, against noise.
_AROUND = 10.0


def current_step(time: np.ndarray, voltage: np.ndarray, onset: float, duration: float, up: np.ndarray) -> dict:
    """Measures of current steps.

    Args:
        time: [ms], shape (samples,).
        voltage: [mV], shape (samples, ..., sweeps).
        onset, duration: of the step [ms].
        up: whether a sweep's peak is its maximum, shape (sweeps,).

    Returns:
        Measure -> [mV], shape (..., sweeps); nan at a moment after the end of the step.
    """
    since = time - onset

    def around(moment: float) -> np.ndarray:
        """Mean voltage around a time after the onset [mV]; nan after the end of the step."""
        if moment > duration:
            return np.full(voltage.shape[1:], np.nan)
        return voltage[(np.abs(since - moment) <= _AROUND) & (since <= duration)].mean(0)

    # A short step is steady, if at all, in its second half.
    steady = min(_STEADY, 0.5 * duration)
    early = voltage[(since >= min(_PEAK_FROM, 0.5 * duration)) & (since <= min(_PEAK_TO, duration))]
    return {
        "rest": voltage[(since > -50.0) & (since <= 0.0)].mean(0),
        "peak": np.where(up, early.max(0), early.min(0)),
        "at_100ms": around(100.0),
        "at_1s": around(1000.0),
        "steady": voltage[(since > duration - steady) & (since <= duration)].mean(0),
    }


def voltage_step(time: np.ndarray, current: np.ndarray, onset: float, duration: float, up: np.ndarray) -> dict:
    """Measures of voltage steps.

    Args:
        time: [ms], shape (samples,).
        current: [pA], shape (samples, ..., sweeps).
        onset, duration: of the step [ms].
        up: whether a sweep's peak is its maximum, shape (sweeps,).

    Returns:
        "peak", "at_1s" (the middle of the step) and "steady" [pA], each of shape (...).
    """
    since = time - onset
    inside = (since >= min(_CLAMP_PEAK_FROM, 0.5 * duration)) & (since <= duration)
    end = (since > (1.0 - _CLAMP_STEADY_SHARE) * duration) & (since <= duration)
    middle = int(np.argmin(np.abs(since - duration / 2.0)))
    peak = np.where(up, current[inside].max(0), current[inside].min(0))
    return {"peak": peak, "at_1s": current[middle], "steady": current[end].mean(0)}


def spikes(
    time: np.ndarray, voltage: np.ndarray, start: float, stop: float, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The highest spikes of traces: local maxima and how far they rise above the higher of their two troughs.

    Args:
        time: [ms], shape (samples,).
        voltage: [mV], shape (samples, traces).
        start, stop: of the time searched [ms].
        count: how many spikes.

    Returns:
        Peak [mV], height [mV] and time [ms] of each, highest rise first, shape (count, traces); where there are fewer,
        the height is 0, the peak the lowest voltage and the time `stop`.
    """
    from scipy.signal import find_peaks

    inside = (time >= start) & (time <= stop)
    when, traces = time[inside], voltage[inside]
    shape = (count, traces.shape[1])
    peak, height, moment = np.tile(traces.min(0), (count, 1)), np.zeros(shape), np.full(shape, float(stop))
    for k, trace in enumerate(traces.T):
        if not np.isfinite(trace).all():
            continue
        found, rise = find_peaks(trace, prominence=0.5)
        order = np.argsort(-rise["prominences"])[:count]
        peak[: len(order), k], moment[: len(order), k] = trace[found[order]], when[found[order]]
        height[: len(order), k] = rise["prominences"][order]
    return peak, height, moment


def action_potential(time: np.ndarray, voltage: np.ndarray, onset: float) -> dict[str, float]:
    """Shape of the action potential that a brief pulse provokes.

    Args:
        time: [ms], shape (samples,).
        voltage: [mV], shape (samples,).
        onset: of the pulse [ms].

    Returns:
        "rest", "peak", "amplitude" (peak less rest) and "after_hyperpolarisation" (rest less the minimum that follows)
        [mV], "half_width" (at half the amplitude) [ms], and "unprovoked", the range before the pulse [mV]. What has
        not ended with the record has a half width up to its end, and no after-hyperpolarisation (nan).
    """
    before = voltage[time < onset]
    rest = float(before.mean())
    first = int(np.searchsorted(time, onset))
    top = first + int(np.argmax(voltage[first:]))
    half = 0.5 * (rest + float(voltage[top]))
    below = np.flatnonzero(voltage <= half)
    start = below[below < top][-1] if np.any(below < top) else 0
    ended = below[below > top]
    end = ended[0] if len(ended) else len(voltage) - 1
    return {
        "rest": rest,
        "peak": float(voltage[top]),
        "amplitude": float(voltage[top]) - rest,
        "half_width": float(time[end] - time[start]),
        "after_hyperpolarisation": rest - float(voltage[end:].min()) if len(ended) else float("nan"),
        "unprovoked": float(np.ptp(before)),
    }


def upstrokes(voltage: np.ndarray, threshold: float) -> int:
    """How often a voltage rises through a threshold [mV]."""
    return int(np.count_nonzero((voltage[1:] > threshold) & (voltage[:-1] <= threshold)))
