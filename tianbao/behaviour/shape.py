"""The shape of the wave: whether bends travel evenly from head to tail, as an animal's do, or in jumps.

Two worms with the same speed, frequency, wavelength and amplitude may still move differently: one propagates its bends
at a constant speed, the other holds a posture and switches. Everything here is measured from curvature kappa L along
the body over time, which is also published for tracked animals.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..units import MS_PER_S
from .midline import centroid, forward_velocity

__all__ = ["ANIMAL_SMOOTHING", "JOINTS", "Shape", "Wave", "best_wave", "joint_positions", "joints_within", "shape"]

JOINTS = 24
ANIMAL_SMOOTHING = (1.5, 0.7)
"""Standard deviations [frames, joints] of the Gaussian filter that removes tracking noise from curvature."""

BODY = (0.15, 0.85)
BODY_WITH_HEAD = (0.03, 0.85)
HEAD = (0.0, 0.2)
BEHIND_THE_NECK = (0.3, 0.85)
MIDDLE = (0.38, 0.7)
TAIL = (0.7, 0.95)
STRIDE_JOINTS = slice(7, 19, 2)
WINDOW_S = 6.0
BLOCKS = 4
WINDOWS_PER_PERIOD = 8
EIGENWORMS = 4
STRIDE_SMOOTHING_S = 0.08
STRIDE_THRESHOLD = 0.25

_FEWEST_FRAMES = 16
_FREQUENCIES_HZ = np.arange(0.1, 4.0001, 0.02)
# Waves per body length; a wave longer than 2.5 L could not be distinguished from a constant bend.
_WAVENUMBERS = np.arange(0.4, 3.4001, 0.05)
_ZOOM, _ZOOMS = 3, 9
# If the determinant is below this share of its largest value, the observed part of the wave is too short to be fitted.
_LEAST_DETERMINANT = 1e-3
_STILL_KAPPA = 1e-6
_STILL_MM = 1e-6
_LEAST_SIDEWAYS = 0.2


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The shape of a worm's wave; values that could not be measured are NaN.

    Curvature is taken at 24 joints, s = (j + 0.5) / 24 from nose to tail. The body is s 0.15 to 0.85 unless stated
    otherwise. A wave is fitted to the first and the last 6 s, and the two results are averaged.

    Attributes:
        travelling_r2: share of the variance of curvature that the best single travelling wave of constant amplitude
            explains [-]. An even wave has 1, a standing one 0.5; a posture that switches in blocks is in between.
        travelling_r2_head: the same from s 0.03 on: whether the head takes part in the wave of the body.
        wave_frequency_hz: of that wave over the body [Hz].
        wave_length: of that wave [L], positive from head to tail, negative from tail to head; NaN if its direction
            changes within the recording.
        wave_amplitude: of that wave [kappa L].
        speed_cv_along: how unevenly bends travel along the body [-]: coefficient of variation, over four blocks of s,
            of the wave speed v = -<k_t k_s> / <k_s^2>, where k_t and k_s are the slopes of curvature in time and
            along s.
        speed_cv_in_time: how unsteadily they travel [-]: the same over successive eighths of a period, whole body.
        speed_slowest: slowest of these speeds over their mean [-]; negative if the wave briefly reverses.
        duty: mean over the body of |share of time bent to dorsal - 0.5| [-].
        stride_period_cv: coefficient of variation of the period from stride to stride [-]; at six joints, averaged.
        stride_amplitude_cv: the same of the range of curvature within each stride.
        eigenworm_share: share of the variance of the tangent angle, less its mean over the body, held by its four
            largest principal modes [-], computed from the same recording.
        head_phase: phase [cycles] by which the head (s < 0.2) leads the wave posterior to the neck (s 0.3 to 0.85)
            extrapolated to it, from -0.5 to 0.5; 0 for a head that takes part in the wave.
        tail_over_middle: amplitude at s 0.7 to 0.95 over that at s 0.38 to 0.7 [-].
        path_turn_deg_s: turning of the centroid's path, smoothed over a stride [deg/s], positive towards dorsal.
        slip: forward speed over frequency x wavelength x body length [-]. 1 means that per period the worm advances
            in a straight line by one wavelength as measured along its body, as without slip and with shallow bends. A
            worm that follows its own deep bends without any slip has the ratio of chord to arc of a wave, 0.7 to 0.9;
            one that undulates in place has 0.
        shortest_length: smallest length of the midline over that at rest [-]. At rest a simulated worm is 1 mm long;
            for an animal the median length is used.
    """

    travelling_r2: float = math.nan
    travelling_r2_head: float = math.nan
    wave_frequency_hz: float = math.nan
    wave_length: float = math.nan
    wave_amplitude: float = math.nan
    speed_cv_along: float = math.nan
    speed_cv_in_time: float = math.nan
    speed_slowest: float = math.nan
    duty: float = math.nan
    stride_period_cv: float = math.nan
    stride_amplitude_cv: float = math.nan
    eigenworm_share: float = math.nan
    head_phase: float = math.nan
    tail_over_middle: float = math.nan
    path_turn_deg_s: float = math.nan
    slip: float = math.nan
    shortest_length: float = math.nan


class Wave(NamedTuple):
    """A travelling wave fitted to curvature: share of variance [-], frequency [Hz], length [L, signed], amplitude."""

    r2: float
    frequency_hz: float
    length: float
    amplitude: float


_NO_WAVE = Wave(math.nan, math.nan, math.nan, math.nan)


def joint_positions(joints: int = JOINTS) -> np.ndarray:
    """Body coordinates of evenly spaced joints, s = (j + 0.5) / joints [-], shape (joints,)."""
    return (np.arange(joints) + 0.5) / joints


def shape(
    time_ms: np.ndarray, bend: np.ndarray, s: np.ndarray, *, smoothing: tuple[float, float] | None = None,
    midline: np.ndarray | None = None, dorsal: np.ndarray | None = None, rest_length: float | None = None,
) -> Shape:  # fmt: skip
    """Measure the shape of a wave.

    Args:
        time_ms: evenly spaced [ms], shape (frames,).
        bend: curvature kappa L, positive towards dorsal, shape (frames, positions).
        s: body coordinates of the curvatures, nose 0 to tail 1, increasing, shape (positions,).
        smoothing: standard deviations of a Gaussian filter in time and along the body [frames, joints], applied first,
            such as ANIMAL_SMOOTHING for tracker data; None for no smoothing.
        midline: [mm], head first, shape (frames, points, 2 or 3), for measures of the path, which are NaN without it.
        dorsal: unit vectors towards dorsal, shape (frames, points, 3), of a worm that may not lie on its left side.
        rest_length: of the midline [mm]; its median length if None.

    Returns:
        The shape; every value is NaN for fewer than 16 frames or a worm that does not bend.
    """
    time_ms, bend = np.asarray(time_ms, float), np.asarray(bend, float)
    if len(time_ms) < _FEWEST_FRAMES or not np.isfinite(bend).all():
        return Shape()
    seconds = (time_ms - time_ms[0]) / MS_PER_S
    values: dict[str, float] = {}
    bend = _at_joints(bend, np.asarray(s, float))
    if smoothing is not None:
        from scipy.ndimage import gaussian_filter

        bend = gaussian_filter(bend, smoothing)
    if np.ptp(bend[:, joints_within(BODY)], axis=0).max() > _STILL_KAPPA:
        values = {**_wave(seconds, bend), **_strides(seconds, bend), **_postures(bend)}
    if midline is not None:
        frequency, length = (values.get(each, math.nan) for each in ("wave_frequency_hz", "wave_length"))
        values |= _path(seconds, np.asarray(midline, float), dorsal, frequency, length, rest_length)
    # The same object for every NaN, so that two measurements of one recording compare as equal.
    return Shape(**{name: float(each) if math.isfinite(each) else math.nan for name, each in values.items()})


def best_wave(seconds: np.ndarray, bend: np.ndarray, s: np.ndarray) -> Wave:
    """The travelling wave of constant amplitude that, together with a constant bend, best fits curvature.

    Least squares in amplitude, phase and the constant bend; frequency (0.1 to 4 Hz) and wavelength (0.3 to 2.5 L in
    either direction) by a search over a grid that is then narrowed around its best point.

    Args:
        seconds: evenly spaced [s], shape (frames,).
        bend: kappa L, shape (frames, positions).
        s: body coordinates, shape (positions,).

    Returns:
        The wave; NaN if curvature does not vary or the recording is shorter than a period of the best fit.
    """
    if len(bend) < 2 or bend.size < _FEWEST_FRAMES or np.ptp(bend) < _STILL_KAPPA:
        return _NO_WAVE
    frequencies, numbers = _FREQUENCIES_HZ, np.concatenate([-_WAVENUMBERS[::-1], _WAVENUMBERS])
    steps = np.array([frequencies[1] - frequencies[0], _WAVENUMBERS[1] - _WAVENUMBERS[0]])
    stencil = np.arange(-_ZOOM, _ZOOM + 1) / _ZOOM
    for _ in range(_ZOOMS + 1):
        r2, amplitude = _explained(seconds, bend, s, frequencies, numbers)
        row, column = np.unravel_index(np.argmax(r2), r2.shape)
        best = Wave(
            float(r2[row, column]), float(frequencies[row]), float(1.0 / numbers[column]),
            float(amplitude[row, column]),
        )  # fmt: skip
        frequencies = np.clip(frequencies[row] + steps[0] * stencil, _FREQUENCIES_HZ[0], _FREQUENCIES_HZ[-1])
        size = np.clip(abs(numbers[column]) + steps[1] * stencil, _WAVENUMBERS[0], _WAVENUMBERS[-1])
        numbers, steps = np.sign(numbers[column]) * size, steps / _ZOOM
    step = seconds[1] - seconds[0]
    return best if best.frequency_hz * step * len(seconds) >= 1.0 else _NO_WAVE


def _explained(
    seconds: np.ndarray, bend: np.ndarray, s: np.ndarray, frequencies: np.ndarray, numbers: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Share of variance explained and amplitude of the least-squares wave of every frequency and wavenumber."""
    count, centred = bend.size, bend - bend.mean()
    in_time = np.exp(2j * np.pi * frequencies[:, None] * seconds)
    along = np.exp(-2j * np.pi * numbers[:, None] * s)
    # Sums over the recording of curvature times cosine and sine, of cosine and sine, and of their products.
    seen = in_time @ centred @ along.T
    once = np.outer(in_time.sum(axis=1), along.sum(axis=1))
    twice = np.outer((in_time**2).sum(axis=1), (along**2).sum(axis=1))
    cosines = 0.5 * (count + twice.real) - once.real**2 / count
    sines = 0.5 * (count - twice.real) - once.imag**2 / count
    mixed = 0.5 * twice.imag - once.real * once.imag / count
    determinant = cosines * sines - mixed**2
    told = determinant > _LEAST_DETERMINANT * 0.25 * count**2
    determinant = np.where(told, determinant, 1.0)
    cosine = np.where(told, (seen.real * sines - seen.imag * mixed) / determinant, 0.0)
    sine = np.where(told, (seen.imag * cosines - seen.real * mixed) / determinant, 0.0)
    return (cosine * seen.real + sine * seen.imag) / (centred**2).sum(), np.hypot(cosine, sine)


def joints_within(region: tuple[float, float]) -> np.ndarray:
    """Which joints lie in a part of the body.

    Args:
        region: its ends, which belong to it, from the nose 0 to the tail 1 [-].

    Returns:
        bool, shape (joints,).
    """
    s = joint_positions()
    return (s >= region[0] - 1e-9) & (s <= region[1] + 1e-9)


def _at_joints(bend: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Curvature at the joints, linear between the positions given; the outermost values hold beyond them."""
    joints = joint_positions()
    if len(s) == JOINTS and np.allclose(s, joints):
        return bend
    if len(s) == 1:
        return np.repeat(bend, JOINTS, axis=1)
    after = np.clip(np.searchsorted(s, joints), 1, len(s) - 1)
    share = np.clip((joints - s[after - 1]) / (s[after] - s[after - 1]), 0.0, 1.0)
    return (1.0 - share) * bend[:, after - 1] + share * bend[:, after]


def _cv(values: np.ndarray) -> float:
    """Standard deviation over the absolute mean; NaN if the mean is 0 or undefined."""
    mean = abs(values.mean()) if len(values) else 0.0
    return float(values.std() / mean) if mean > 0.0 else math.nan


def _wave(seconds: np.ndarray, bend: np.ndarray) -> dict[str, float]:
    """Results of the wave fit, and how evenly the bends travel."""
    step, frames = seconds[1] - seconds[0], len(seconds)
    window, s = round(WINDOW_S / step), joint_positions()
    body, with_head = joints_within(BODY), joints_within(BODY_WITH_HEAD)
    starts = [0] if frames <= window + 2 else [0, frames - window]
    parts = [slice(start, start + window) for start in starts]
    waves = [best_wave(seconds[part], bend[part, :][:, body], s[body]) for part in parts]
    wider = [best_wave(seconds[part], bend[part, :][:, with_head], s[with_head]).r2 for part in parts]
    r2, frequency, length, amplitude = np.mean(waves, axis=0)
    if np.ptp(np.sign([each.length for each in waves])) > 0.0:
        length = math.nan
    lead = sum(_lead(seconds[part], bend[part]) for part in parts)
    return {
        "travelling_r2": r2,
        "travelling_r2_head": np.mean(wider),
        "wave_frequency_hz": frequency,
        "wave_length": length,
        "wave_amplitude": amplitude,
        "head_phase": np.angle(lead) / (2.0 * np.pi) if abs(lead) > 0.0 else math.nan,
        "duty": np.abs((bend[:, body] > 0.0).mean(axis=0) - 0.5).mean(),
        **_speeds(step, bend[:, body], frequency),
    }


def _speeds(step: float, bend: np.ndarray, frequency: float) -> dict[str, float]:
    """How evenly the wave travels along the body and in time."""
    in_time, along = np.gradient(bend, step, axis=0), np.gradient(bend, 1.0 / JOINTS, axis=1)
    flux, slope = -in_time * along, along**2
    first = np.cumsum([0, *(len(each) for each in np.array_split(np.arange(bend.shape[1]), BLOCKS)[:-1])])
    blocks = _ratio(np.add.reduceat(flux.sum(axis=0), first), np.add.reduceat(slope.sum(axis=0), first))
    if not math.isfinite(frequency):
        return {"speed_cv_along": _cv(blocks)}
    frames = max(1, round(1.0 / (frequency * WINDOWS_PER_PERIOD * step)))
    # The last window is discarded even if complete: the slope in time is one-sided at its end.
    windows = max((len(bend) - 1) // frames, 1)
    kept = min(windows * frames, len(bend))
    pieces = (each[:kept].sum(axis=1).reshape(windows, -1).sum(axis=1) for each in (flux, slope))
    speeds = _ratio(*pieces)
    mean = speeds.mean()
    slowest = (speeds * np.sign(mean)).min() / abs(mean) if mean else math.nan
    return {"speed_cv_along": _cv(blocks), "speed_cv_in_time": _cv(speeds), "speed_slowest": slowest}


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(len(above), math.nan), where=below > 0.0)


def _lead(seconds: np.ndarray, bend: np.ndarray) -> complex:
    """A number whose angle is the phase of the head minus that of the body's wave extrapolated to it."""
    body = joints_within(BEHIND_THE_NECK)
    wave = best_wave(seconds, bend[:, body], joint_positions()[body])
    if not math.isfinite(wave.length):
        return complex(math.nan)
    swing = np.exp(-2j * np.pi * wave.frequency_hz * seconds) * np.hanning(len(seconds))
    phasor = swing @ (bend - bend.mean(axis=0))
    # If the body's wave continues, rotating the phase of every joint back gives the same angle everywhere.
    level = phasor * np.exp(2j * np.pi * joint_positions() / wave.length)
    usual = level[body].sum()
    return complex(level[joints_within(HEAD)].sum() * np.conj(usual) / max(abs(usual), np.finfo(float).tiny))


def _strides(seconds: np.ndarray, bend: np.ndarray) -> dict[str, float]:
    """Variability from stride to stride."""
    from scipy.ndimage import gaussian_filter1d

    step = seconds[1] - seconds[0]
    swings = bend[:, STRIDE_JOINTS] - bend[:, STRIDE_JOINTS].mean(axis=0)
    swings = gaussian_filter1d(swings, STRIDE_SMOOTHING_S / step, axis=0)
    found = [_one_joint(seconds, each) for each in swings.T]
    found = np.array([each for each in found if each is not None]).reshape(-1, 2)
    period, amplitude = found.mean(axis=0) if len(found) else (math.nan, math.nan)
    return {"stride_period_cv": period, "stride_amplitude_cv": amplitude}


def _one_joint(seconds: np.ndarray, swing: np.ndarray) -> tuple[float, float] | None:
    """Coefficients of variation of period and range over the strides of one joint; None for fewer than two."""
    rising = np.flatnonzero((swing[:-1] < 0.0) & (swing[1:] >= 0.0))
    # Noise around zero is not a stride: between two strides the joint must have bent clearly to the other side.
    bent = np.cumsum(swing < -STRIDE_THRESHOLD * swing.std())[rising]
    rising = rising[np.diff(bent, prepend=0) > 0]
    if len(rising) < 3:
        return None
    before, after = swing[rising], swing[rising + 1]
    moments = seconds[rising] + (seconds[1] - seconds[0]) * before / (before - after)
    periods = np.diff(moments)
    ranges = (np.maximum.reduceat(swing, rising) - np.minimum.reduceat(swing, rising))[:-1]
    return float(periods.std(ddof=1) / periods.mean()), float(ranges.std(ddof=1) / ranges.mean())


def _postures(bend: np.ndarray) -> dict[str, float]:
    """Share of variance in the largest modes of posture, and amplitude of the tail relative to the middle."""
    angle = np.cumsum(bend, axis=1) / JOINTS
    angle -= angle.mean(axis=1, keepdims=True)
    held = np.linalg.svd(angle - angle.mean(axis=0), compute_uv=False) ** 2
    amplitude = bend.std(axis=0)
    middle = amplitude[joints_within(MIDDLE)].mean()
    return {
        "eigenworm_share": held[:EIGENWORMS].sum() / held.sum() if held.sum() > 0.0 else math.nan,
        "tail_over_middle": amplitude[joints_within(TAIL)].mean() / middle if middle > 0.0 else math.nan,
    }


def _path(
    seconds: np.ndarray, midline: np.ndarray, dorsal: np.ndarray | None, frequency: float, wave_length: float,
    rest_length: float | None,
) -> dict[str, float]:  # fmt: skip
    """Measures that need a midline: turning, slip, shortening."""
    length = np.linalg.norm(np.diff(midline, axis=1), axis=2).sum(axis=1)
    usual = float(np.median(length))
    if not usual > 0.0:
        return {}
    speed = forward_velocity(seconds * MS_PER_S, midline).mean()
    wave_speed = frequency * wave_length * usual
    return {
        "path_turn_deg_s": _turning(seconds, midline, dorsal, frequency),
        "slip": speed / wave_speed if wave_speed else math.nan,
        "shortest_length": length.min() / (usual if rest_length is None else rest_length),
    }


def _turning(seconds: np.ndarray, midline: np.ndarray, dorsal: np.ndarray | None, frequency: float) -> float:
    """Slope of the heading of the smoothed path [deg/s], positive towards dorsal."""
    if not math.isfinite(frequency):
        return math.nan
    step, place = seconds[1] - seconds[0], centroid(midline)
    window = max(1, min(round(1.0 / (frequency * step)), len(place) // 3))
    sums = np.cumsum(np.vstack([np.zeros(2), place]), axis=0)
    travel = np.gradient((sums[window:] - sums[:-window]) / window, axis=0)
    if np.linalg.norm(travel, axis=1).sum() < _STILL_MM:
        return math.nan
    turned = np.unwrap(np.arctan2(travel[:, 1], travel[:, 0]))
    slope = np.polyfit(step * np.arange(len(turned)), turned, 1)[0]
    return float(np.degrees(slope)) * _dorsal_side(midline, dorsal)


def _dorsal_side(midline: np.ndarray, dorsal: np.ndarray | None) -> float:
    """+1 if dorsal is on the left looking from tail to head, seen from above, -1 if on the right, NaN if neither."""
    if dorsal is None:
        return 1.0
    to_tail = np.gradient(midline[..., :2], axis=1)
    left = np.stack([to_tail[..., 1], -to_tail[..., 0]], axis=-1)
    left /= np.maximum(np.linalg.norm(left, axis=-1, keepdims=True), np.finfo(float).tiny)
    side = float((left * np.asarray(dorsal, float)[..., :2]).sum(axis=-1).mean())
    return math.copysign(1.0, side) if abs(side) > _LEAST_SIDEWAYS else math.nan


SHAPE_METRICS = tuple(each.name for each in dataclasses.fields(Shape))
