"""The gait: speed, frequency and wave of a moving worm, and the ranges it is compared with.

Definitions used throughout: curvature from the midline resampled to 49 points; the first 3 s
discarded; frequency from the curvature spectrum for s between 0.3 and 0.85 and from 0.1 to 6 Hz. shape.py measures how
evenly the wave travels.
"""

from __future__ import annotations

import csv
import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..arguments import NamedAttributes
from ..units import MS_PER_S
from .midline import checked, curvature, curvature_positions, forward_velocity
from .shape import ANIMAL_SMOOTHING, SHAPE_METRICS, Shape, shape

__all__ = [
    "CRAWLING", "METRICS", "PUBLISHED", "SWIMMING", "Comparison", "Gait", "Range", "Shape", "compare", "crawled",
    "curvature", "curvature_positions", "gait", "gait_of_curvature", "missed", "swam",
]  # fmt: skip

DISCARD_MS = 3000.0
_CYCLES = 1.5  # [-] least number to judge a gait
POINTS = 49
WAVE_REGION = (0.3, 0.85)
HEAD_REGION = (0.0, 0.2)
TAIL_REGION = (0.7, 0.95)
BAND_HZ = (0.1, 6.0)
PEAK_WIDTH = 0.3
AMPLITUDE_PERCENTILE = 95.0
SMOOTH_TRACK_MS = 1000.0

FEWEST_FRAMES_PER_PERIOD = 4.0
"""With fewer frames in a period of the undulation, its frequency and phases are not measured: they may be aliases."""

_SPECTRAL = (
    "frequency_hz", "peak_share", "wavelength_body_lengths", "head_lock", "travelling_index", "travelling_r2",
    "travelling_r2_head", "wave_frequency_hz", "wave_length", "wave_amplitude", "speed_cv_along", "speed_cv_in_time",
    "speed_slowest", "stride_period_cv", "stride_amplitude_cv", "head_phase", "path_turn_deg_s", "slip",
)  # fmt: skip
_PADDING = 8
_FEWEST_FRAMES = 16
_STILL_KAPPA = 1e-6
_STILL_MM = 1e-6
_LONGEST_WAVE = 100.0
# Of a simulated worm [mm].
_REST_LENGTH = 1.0


@dataclass(frozen=True)
class Range:
    """Range of a metric: one row of published.csv or crawling.csv."""

    metric: str
    low: float
    high: float
    unit: str
    source: str
    certainty: str
    medium: str = ""

    def holds(self, value: float) -> bool:
        """Whether the value is inside the range; NaN is not."""
        return self.low <= value <= self.high


def _ranges(name: str) -> tuple[Range, ...]:
    with open(Path(__file__).with_name(name), newline="", encoding="utf-8") as lines:
        return tuple(
            Range(**{**row, "low": float(row["low"]), "high": float(row["high"])}) for row in csv.DictReader(lines)
        )


PUBLISHED = _ranges("published.csv")
CRAWLING = _ranges("crawling.csv")
SWIMMING = _ranges("swimming.csv")


@dataclass(frozen=True)
class Gait(NamedAttributes, Shape):
    """How a worm moved: speed, frequency and wave, and from `Shape` how evenly its wave travels.

    Attributes:
        forward_speed_mm_s: mean centroid velocity along the tail-to-head direction [mm/s],
            negative backwards.
        frequency_hz: peak of the curvature spectrum [Hz], 0 for a motionless worm.
        peak_share: power within 30 % of the peak over all power in the band [-]. A short run
            blurs the spectrum, so it comes out low: 0.81 for a pure 0.35 Hz over 7 s.
        wavelength_body_lengths: from the slope of phase along the body at that frequency [L],
            at most 100.
        wave_direction: +1 head to tail, -1 tail to head, 0 for a motionless worm.
        amplitude: 95th percentile of |kappa L| over the whole body [-].
        amplitude_head: the same for s < 0.2.
        amplitude_tail: the same for s 0.7 to 0.95.
        straightness: net displacement over path length of the centroid after a running mean of 1 s, which
            removes most of the sway within a stride [-]; 0 for a motionless worm.
        head_lock: share of the head's power, in the band, that lies in the peak of the body [-].
        travelling_index: +1 for a wave that only travels to the tail, 0 for a standing wave, -1 for one
            that only travels to the head.
        bias: mean kappa L over s 0.3 to 0.85 and time, positive towards dorsal [-].
        measured_ms: duration of the data that the values are measured from [ms].
        medium: name of the medium, "" if unknown.
        refused: why the values that need the spectrum are NaN, a sentence; "" where they were measured.
    """

    forward_speed_mm_s: float
    frequency_hz: float
    peak_share: float
    wavelength_body_lengths: float
    wave_direction: int
    amplitude: float
    amplitude_head: float
    amplitude_tail: float
    straightness: float
    head_lock: float
    travelling_index: float
    bias: float
    measured_ms: float
    medium: str = ""
    refused: str = ""

    def as_dict(self) -> dict[str, float]:
        """The measured values by name, those of the shape of the wave last."""
        return {name: getattr(self, name) for name in METRICS}

    def __str__(self) -> str:
        ranges = {each.metric: each for each in PUBLISHED if each.medium == self.medium}
        lines = []
        for name, value in self.as_dict().items():
            line = f"{name:24s}{value:10.3f}"
            if name in ranges:
                line += f"   published {ranges[name].low:g} to {ranges[name].high:g} {ranges[name].unit}".rstrip()
                line += "" if ranges[name].holds(value) or math.isnan(value) else "   (outside)"
            lines.append(line.rstrip())
        return "\n".join([*lines, *([self.refused] if self.refused else [])])


METRICS = (*(name for name in Gait.__annotations__ if name not in ("medium", "refused")), *SHAPE_METRICS)


def gait(
    time_ms: np.ndarray, midline: np.ndarray, discard_ms: float = DISCARD_MS, medium: str = "",
    dorsal: np.ndarray | None = None, animal: bool = False,
) -> Gait:  # fmt: skip
    """Measure a gait.

    Args:
        time_ms: evenly spaced [ms], shape (frames,).
        midline: [mm], head first, shape (frames, points, 2 or 3).
        discard_ms: initial part of the recording that is discarded [ms], at most half of it.
        medium: name of the medium, kept for comparison.
        dorsal: see midline.curvature; shape (frames, points, 3).
        animal: whether the midline comes from a tracker: the shape of the wave is then measured after light
            smoothing, and lengths are relative to their median rather than to the 1 mm of a simulated worm at rest.

    Returns:
        The gait; every value is NaN (the direction 0) if fewer than 16 frames are left, and those that need the
        spectrum if there are fewer than four frames in a period of it (`Gait.refused` says so).

    Raises:
        OutputError: for what is not a track, see midline.checked.
    """
    time_ms, midline = checked(time_ms, midline, dorsal)
    if len(time_ms):
        since = time_ms - time_ms[0]
        kept = since >= min(discard_ms, 0.5 * since[-1])
        time_ms, midline = time_ms[kept], midline[kept]
        dorsal = None if dorsal is None else dorsal[kept]
    if len(time_ms) < _FEWEST_FRAMES:
        return _unmeasured(medium)
    bend, s = curvature(midline, POINTS, dorsal), curvature_positions(POINTS)
    measured = shape(
        time_ms, bend, s, midline=midline, dorsal=dorsal, smoothing=ANIMAL_SMOOTHING if animal else None,
        rest_length=None if animal else _REST_LENGTH,
    )  # fmt: skip
    found = Gait(
        forward_speed_mm_s=float(forward_velocity(time_ms, midline).mean()),
        straightness=_straightness(time_ms, midline.mean(axis=1)),
        medium=medium,
        **_bending(time_ms, bend, s),
        **dataclasses.asdict(measured),
    )
    return _resolved(found, time_ms)


def gait_of_curvature(
    time_ms: np.ndarray, bend: np.ndarray, s: np.ndarray, medium: str = "", smoothing: tuple[float, float] | None = None
) -> Gait:
    """Measure a gait from curvature alone, from the first frame on; values that need a midline are NaN.

    Args:
        time_ms: evenly spaced [ms], shape (frames,).
        bend: kappa L, positive towards dorsal, shape (frames, positions).
        s: body coordinates of the curvatures, shape (positions,).
        medium: name of the medium, kept for comparison.
        smoothing: see shape.shape.

    Returns:
        The gait; every value is NaN (the direction 0) for fewer than 16 frames.
    """
    time_ms, bend, s = (np.asarray(each, float) for each in (time_ms, bend, s))
    if len(time_ms) < _FEWEST_FRAMES:
        return _unmeasured(medium)
    measured = dataclasses.asdict(shape(time_ms, bend, s, smoothing=smoothing))
    return _resolved(dataclasses.replace(_unmeasured(medium), **_bending(time_ms, bend, s), **measured), time_ms)


def _bending(time_ms: np.ndarray, bend: np.ndarray, s: np.ndarray) -> dict[str, float]:
    """Amplitude and spectrum of curvature."""
    return {
        "amplitude": _amplitude(bend),
        "amplitude_head": _amplitude(bend[:, _region(s, HEAD_REGION)]),
        "amplitude_tail": _amplitude(bend[:, _region(s, TAIL_REGION)]),
        "bias": float(bend[:, _region(s, WAVE_REGION)].mean()),
        "measured_ms": float(time_ms[-1] - time_ms[0]),
        **_wave(time_ms, bend, s),
    }


def _unmeasured(medium: str) -> Gait:
    values = dict.fromkeys(METRICS, math.nan)
    return Gait(**{**values, "wave_direction": 0, "measured_ms": 0.0, "medium": medium})


def _resolved(found: Gait, time_ms: np.ndarray) -> Gait:
    """The gait without the values that its frame rate does not resolve."""
    rate = MS_PER_S / (time_ms[1] - time_ms[0])
    # A rate too low for the slowest undulation leaves no bin of the spectrum, which reads as a motionless worm.
    slowest = max(found.frequency_hz, BAND_HZ[0])
    if rate >= FEWEST_FRAMES_PER_PERIOD * slowest:
        return found
    refused = (
        f"{rate:.3g} frames per second are fewer than {FEWEST_FRAMES_PER_PERIOD:g} in a period at {slowest:.3g} Hz: "
        "frequency, wave and what follows from them are not measured; record at a higher rate"
    )
    return dataclasses.replace(found, **dict.fromkeys(_SPECTRAL, math.nan), wave_direction=0, refused=refused)


def _region(s: np.ndarray, region: tuple[float, float]) -> np.ndarray:
    return (s >= region[0] - 1e-9) & (s <= region[1] + 1e-9)


def _amplitude(bend: np.ndarray) -> float:
    return float(np.percentile(np.abs(bend), AMPLITUDE_PERCENTILE))


def _straightness(time_ms: np.ndarray, track: np.ndarray) -> float:
    window = round(SMOOTH_TRACK_MS / (time_ms[1] - time_ms[0]))
    window = max(1, min(window, len(track) // 2))
    sums = np.cumsum(np.vstack([np.zeros(track.shape[1]), track]), axis=0)
    smooth = (sums[window:] - sums[:-window]) / window
    path = np.linalg.norm(np.diff(smooth, axis=0), axis=1).sum()
    return float(np.linalg.norm(smooth[-1] - smooth[0]) / path) if path > _STILL_MM else 0.0


def _wave(time_ms: np.ndarray, bend: np.ndarray, s: np.ndarray) -> dict[str, float]:
    """Measures from the spectrum of curvature: frequency, wavelength, direction, locking."""
    along = _region(s, WAVE_REGION)
    frequency, spectrum = _spectrum(time_ms, bend)
    power = np.abs(spectrum) ** 2
    body = power[:, along].sum(axis=1)
    if not len(frequency) or np.ptp(bend[:, along], axis=0).max() < _STILL_KAPPA:
        names = ("frequency_hz", "peak_share", "wavelength_body_lengths", "head_lock", "travelling_index")
        return {**dict.fromkeys(names, 0.0), "wave_direction": 0}
    peak = int(np.argmax(body))
    # Not wider for short runs: otherwise bending without any rhythm would count as rhythmic.
    near = np.abs(frequency - frequency[peak]) <= PEAK_WIDTH * frequency[peak]
    head = power[:, _region(s, HEAD_REGION)].sum(axis=1)
    slope = _phase_slope(spectrum[peak, along], s[along])
    return {
        "frequency_hz": float(frequency[peak]),
        "peak_share": float(body[near].sum() / body.sum()),
        "wavelength_body_lengths": float(min(2.0 * np.pi / max(abs(slope), 1e-12), _LONGEST_WAVE)),
        "wave_direction": int(-np.sign(slope)),
        "head_lock": float(head[near].sum() / max(head.sum(), np.finfo(float).tiny)),
        "travelling_index": _travelling_index(spectrum[peak, along]),
    }


def _spectrum(time_ms: np.ndarray, bend: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spectrum in the band: frequency [Hz] (bins,), amplitude (bins, positions)."""
    frames = len(bend)
    windowed = (bend - bend.mean(axis=0)) * np.hanning(frames)[:, None]
    spectrum = np.fft.rfft(windowed, n=_PADDING * frames, axis=0)
    frequency = np.fft.rfftfreq(_PADDING * frames, (time_ms[1] - time_ms[0]) / MS_PER_S)
    inside = (frequency >= BAND_HZ[0]) & (frequency <= BAND_HZ[1])
    return frequency[inside], spectrum[inside]


def _phase_slope(wave: np.ndarray, s: np.ndarray) -> float:
    """Slope of phase along the body [rad/L], weighted by amplitude; negative from head to tail."""
    weight = np.abs(wave)
    phase = np.unwrap(np.angle(wave))
    centred = s - np.average(s, weights=weight)
    return float((weight * centred * phase).sum() / (weight * centred**2).sum())


def _travelling_index(wave: np.ndarray) -> float:
    """Phase flux over the flux of a purely travelling wave of the same shape."""
    middle, step = 0.5 * (wave[1:] + wave[:-1]), np.diff(wave)
    flux = np.imag(np.conj(middle) * step).sum()
    return float(-flux / max((np.abs(middle) * np.abs(step)).sum(), np.finfo(float).tiny))


@dataclass(frozen=True)
class Comparison:
    """A measured metric and its published range."""

    metric: str
    measured: float
    low: float
    high: float
    unit: str
    source: str
    inside: bool


def compare(measured: Gait, medium: str | None = None) -> list[Comparison]:
    """Compare a gait with the published ranges.

    Args:
        measured: the gait.
        medium: "agar" or "water"; that of the gait if None.

    Returns:
        One row per published metric; empty for a medium without published ranges.
    """
    medium = measured.medium if medium is None else medium
    rows = []
    for each in PUBLISHED:
        if each.medium == medium:
            value = float(getattr(measured, each.metric))
            rows.append(Comparison(each.metric, value, each.low, each.high, each.unit, each.source, each.holds(value)))
    return rows


def too_short(measured: Gait, medium: str) -> str:
    """Why a gait was measured for too short a time to be judged in this medium; empty if it was not.

    A spectrum needs one and a half cycles of the lowest frequency asked for, and the criteria ask for a least time; the
    default run of 10 s has both.
    """
    least = {each.metric: each.low for each in criteria(medium)}
    needed = max(_CYCLES / least.get("frequency_hz", math.inf), least.get("measured_ms", 0.0) / MS_PER_S)
    seconds = measured.measured_ms / MS_PER_S
    if seconds >= needed:
        return ""
    return f"the run is too short to judge; {seconds:.3g} s were measured after its start, {needed:.3g} s are needed"


def criteria(medium: str) -> tuple[Range, ...]:
    """Acceptance criteria of crawling on agar, or swimming in water; none in other media."""
    return {"agar": CRAWLING, "water": SWIMMING}.get(medium, ())


def missed(measured: Gait, medium: str) -> list[Range]:
    """Acceptance criteria of crawling on agar, or swimming in water, that a gait does not meet; none in other media."""
    return [each for each in criteria(medium) if not each.holds(getattr(measured, each.metric))]


def crawled(measured: Gait) -> bool:
    """Whether every metric is in the range given in crawling.csv."""
    return all(each.holds(getattr(measured, each.metric)) for each in CRAWLING)


def swam(measured: Gait) -> bool:
    """Whether every metric is in the range given in swimming.csv."""
    return all(each.holds(getattr(measured, each.metric)) for each in SWIMMING)
