"""What a gait costs that misses its ranges, as a loss whose derivatives are known.

The metrics are those of `tianbao.behaviour` (behaviour/shape.py has their definitions): wave, evenness, amplitude along
the body, speed, turning. Each is a function of curvature or midline alone, so that its derivative is written down here
and no simulation is differenced.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..behaviour.midline import centroid
from ..behaviour.shape import (
    BLOCKS,
    BODY,
    BODY_WITH_HEAD,
    JOINTS,
    MIDDLE,
    TAIL,
    WINDOWS_PER_PERIOD,
    best_wave,
    joint_positions,
    joints_within,
)
from ..errors import ConfigError, unknown
from ..units import MS_PER_S
from .closed_loop import Rollout
from .losses import ForwardSpeed, Loss, Weights, window

MOST_MISSED = 10.0
"""Deviation, in units, that what cannot be measured counts as."""
_STEP = 1e-4  # of frequency [Hz] and wavenumber [1/L], over which the slope of a fit is differenced
_HEAD = (0.0, 0.15)

Metric = tuple[float, np.ndarray]
"""A value, and its derivatives by the bends at all frames and joints."""


@dataclass(frozen=True)
class GaitCost(Loss):
    """Sum over metrics of log(1 + deviation from the range), which saturates so that no single metric dominates.

    Attributes:
        ranges: metric -> lowest and highest value without a cost, and the deviation that counts as 1.
        after, until: part of the run that counts [ms].
        frame: between two of the frames that are measured [ms].
    """

    ranges: Mapping[str, tuple[float, float, float]]
    after: float = 0.0
    until: float = math.inf
    frame: float = 20.0

    def __post_init__(self) -> None:
        for name in self.ranges:
            if name not in METRICS:
                raise ConfigError(unknown("differentiable metric", name, METRICS))

    def __call__(self, rollout: Rollout) -> tuple[float, Weights]:
        """See Loss."""
        total, weights = 0.0, {}
        for name, (value, found) in self.metrics(rollout).items():
            low, high, unit = self.ranges[name]
            over = max(low - value, value - high, 0.0) / unit
            if not over < MOST_MISSED:  # NaN included: nothing to follow
                total += math.log1p(MOST_MISSED)
                continue
            total += math.log1p(over)
            side = (value > high) - (value < low)
            for key, each in found.items():
                weights[key] = weights.get(key, 0.0) + side / unit / (1.0 + over) * each
        return total, weights or {"curvature": np.zeros_like(rollout.curvature)}

    def metrics(self, rollout: Rollout) -> dict[str, tuple[float, Weights]]:
        """Every metric that has a range, and its derivatives by what the rollout holds.

        Raises:
            ConfigError: for a run too short.
        """
        rows = self._rows(rollout)
        seconds = (rollout.time[rows] - rollout.time[rows[0]]) / MS_PER_S
        to_joints = _at_joints(rollout.positions)
        bend, found = rollout.curvature[rows] @ to_joints, {}
        wave = _wave(seconds, bend, BODY)
        for name, (value, by_bend) in _of_bends(seconds, bend, wave, set(self.ranges)):
            weights = np.zeros_like(rollout.curvature)
            weights[rows] = by_bend @ to_joints.T
            found[name] = value, {"curvature": weights}
        if "path_turn_deg_s" in self.ranges:
            value, by_midline = _turning(seconds, rollout.midline[rows], wave["wave_frequency_hz"][0])
            weights = np.zeros_like(rollout.midline)
            weights[rows] = by_midline
            found["path_turn_deg_s"] = value, {"midline": weights}
        if "forward_speed_mm_s" in self.ranges:
            found["forward_speed_mm_s"] = ForwardSpeed(self.after, self.until)(rollout)
        return {name: found[name] for name in self.ranges}

    def _rows(self, rollout: Rollout) -> np.ndarray:
        """Ticks that are measured."""
        first, end = window(rollout, self.after, self.until)
        tick = rollout.time[1] - rollout.time[0]
        rows = np.arange(first, end, max(1, round(self.frame / tick)))
        if len(rows) < 16:
            raise ConfigError(f"loss: {len(rows)} frames of {self.frame:g} ms are too few for a gait")
        return rows


def _of_bends(seconds: np.ndarray, bend: np.ndarray, wave: dict[str, Metric], wanted: set) -> Iterator:
    """Name, value and derivatives of every wanted metric that follows from curvature."""
    for name in wanted & set(wave):
        yield name, wave[name]
    if "travelling_r2_head" in wanted:
        yield "travelling_r2_head", _wave(seconds, bend, BODY_WITH_HEAD)["travelling_r2"]
    for name, above in (("tail_over_middle", TAIL), ("head_over_middle", _HEAD)):
        if name in wanted:
            yield name, _swing(bend, above)
    if even := wanted & {"speed_cv_along", "speed_cv_in_time", "speed_slowest"}:
        found = _evenness(seconds, bend, wave["wave_frequency_hz"][0])
        for name in even:
            yield name, found.get(name, (math.nan, np.zeros_like(bend)))


def _at_joints(positions: np.ndarray) -> np.ndarray:
    """Linear map from curvature at these positions to that at the joints, shape (positions, joints)."""
    each = np.eye(len(positions))
    return np.array([np.interp(joint_positions(), positions, row) for row in each])


def _region(region: tuple[float, float]) -> np.ndarray:
    return np.flatnonzero(joints_within(region))


def _wave(seconds: np.ndarray, bend: np.ndarray, region: tuple[float, float]) -> dict[str, Metric]:
    """The wave that fits best. Its frequency and wavenumber are where the fit is flat, which tells how they move."""
    columns = _region(region)
    s, part = joint_positions()[columns], bend[:, columns]
    best = best_wave(seconds, part, s)
    names = ("travelling_r2", "wave_frequency_hz", "wave_length", "wave_amplitude")
    if not math.isfinite(best.r2):
        return dict.fromkeys(names, (math.nan, np.zeros_like(bend)))
    point = np.array([best.frequency_hz, 1.0 / best.length])

    def fit(at: np.ndarray) -> tuple[Metric, Metric]:
        """Share explained and amplitude of the wave of this frequency and wavenumber."""
        return _fitted(seconds, part, s, at)

    steps = _STEP * np.eye(2)
    ahead, behind = ([fit(point + sign * step) for step in steps] for sign in (1.0, -1.0))
    crossed = np.array([(a[0][1] - b[0][1]) / (2 * _STEP) for a, b in zip(ahead, behind, strict=True)])
    slope = np.array([(a[1][0] - b[1][0]) / (2 * _STEP) for a, b in zip(ahead, behind, strict=True)])
    (r2, by_r2), (amplitude, by_amplitude) = fit(point)
    curved = np.array([[fit(point + a + b)[0][0] - fit(point + a - b)[0][0] - fit(point - a + b)[0][0]
                        + fit(point - a - b)[0][0] for b in steps] for a in steps]) / (4 * _STEP**2)  # fmt: skip
    by_point = -np.tensordot(np.linalg.inv(curved), crossed, 1)
    by_amplitude = by_amplitude + np.tensordot(slope, by_point, 1)
    values = (r2, point[0], best.length, amplitude)
    slopes = (by_r2, by_point[0], -(best.length**2) * by_point[1], by_amplitude)
    found = {}
    for name, value, each in zip(names, values, slopes, strict=True):
        whole = np.zeros_like(bend)
        whole[:, columns] = each
        found[name] = float(value), whole
    return found


def _fitted(seconds: np.ndarray, bend: np.ndarray, s: np.ndarray, at: np.ndarray) -> tuple[Metric, Metric]:
    """Share of variance that a wave of this frequency and wavenumber explains, and its amplitude."""
    turns = 2.0 * np.pi * (at[0] * seconds[:, None] - at[1] * s)
    basis = np.array([np.ones_like(turns), np.cos(turns), np.sin(turns)]).reshape(3, -1)
    overlap = basis @ basis.T
    parts = np.linalg.solve(overlap, basis @ bend.ravel())
    left, centred = bend - (parts @ basis).reshape(bend.shape), bend - bend.mean()
    rest, total = (left**2).sum(), (centred**2).sum()
    amplitude = float(np.hypot(*parts[1:]))
    by_parts = np.array([0.0, *parts[1:]]) / max(amplitude, 1e-12)
    by_amplitude = (np.linalg.solve(overlap, by_parts) @ basis).reshape(bend.shape)
    return (1.0 - rest / total, 2.0 * (rest / total * centred - left) / total), (amplitude, by_amplitude)


def _swing(bend: np.ndarray, above: tuple[float, float]) -> Metric:
    """Amplitude of a part of the body over that of the middle."""
    off = bend - bend.mean(axis=0)
    size = np.maximum(bend.std(axis=0), 1e-12)
    by_size, one, other = np.zeros(len(size)), _region(above), _region(MIDDLE)
    ratio = size[one].mean() / size[other].mean()
    by_size[one] += 1.0 / len(one) / size[other].mean()
    by_size[other] -= ratio / len(other) / size[other].mean()
    return float(ratio), by_size * off / (len(bend) * size)


def _evenness(seconds: np.ndarray, bend: np.ndarray, frequency: float) -> dict[str, Metric]:
    """How evenly bends travel along the body and in time; see `shape.Shape`."""
    columns, step, frames = _region(BODY), seconds[1] - seconds[0], len(seconds)
    in_time = np.gradient(np.eye(frames), step, axis=0)
    along = np.gradient(np.eye(len(columns)), 1.0 / JOINTS, axis=0).T
    part = bend[:, columns]
    rate, slope = in_time @ part, part @ along
    blocks = np.zeros((BLOCKS, frames, len(columns)))
    for k, each in enumerate(np.array_split(np.arange(len(columns)), BLOCKS)):
        blocks[k][:, each] = 1.0
    windows = np.zeros((0, frames, len(columns)))
    if math.isfinite(frequency):
        long = max(1, round(1.0 / (frequency * WINDOWS_PER_PERIOD * step)))
        windows = np.zeros((max((frames - 1) // long, 1), frames, len(columns)))
        for k, each in enumerate(windows):
            each[k * long : (k + 1) * long] = 1.0

    def of(masks: np.ndarray, value: float, by_speed: np.ndarray, ratio: np.ndarray, below: np.ndarray) -> Metric:
        """A function of the speeds of these parts, with its derivatives by the bends."""
        by_flux, by_square = (np.tensordot(each, masks, 1) for each in (by_speed / below, -by_speed * ratio / below))
        by_slope = -rate * by_flux + 2.0 * slope * by_square
        whole = np.zeros_like(bend)
        whole[:, columns] = in_time.T @ (-slope * by_flux) + by_slope @ along.T
        return float(value), whole

    found = {}
    for name, masks in (("speed_cv_along", blocks), ("speed_cv_in_time", windows)):
        below = (masks * slope**2).sum(axis=(1, 2))
        if not len(masks) or not below.all():
            continue
        ratio = (masks * (-rate * slope)).sum(axis=(1, 2)) / below
        mean, spread, many = ratio.mean(), ratio.std(), len(ratio)
        by_speed = (ratio - mean) / (many * max(spread, 1e-12) * abs(mean)) - spread / (mean * abs(mean) * many)
        found[name] = of(masks, spread / abs(mean), by_speed, ratio, below)
        if name == "speed_cv_in_time":
            slowest = int(np.argmin(ratio * np.sign(mean)))
            lowest = ratio[slowest] / mean
            by_speed = np.full(many, -lowest / (mean * many))
            by_speed[slowest] += 1.0 / mean
            found["speed_slowest"] = of(masks, lowest, by_speed, ratio, below)
    return found


def _turning(seconds: np.ndarray, midline: np.ndarray, frequency: float) -> Metric:
    """Slope of the heading of the smoothed path [deg/s], positive to dorsal of a worm on its left side."""
    by_midline = np.zeros_like(midline)
    if not math.isfinite(frequency):
        return math.nan, by_midline
    step, place = seconds[1] - seconds[0], centroid(midline)
    wide = max(1, min(round(1.0 / (frequency * step)), len(place) // 3))
    smooth = np.array([np.convolve(row, np.ones(wide) / wide, "valid") for row in np.eye(len(place))]).T
    travel = np.gradient(smooth, axis=0)
    moved = travel @ place
    time = step * np.arange(len(moved))
    share = np.degrees((time - time.mean()) / ((time - time.mean()) ** 2).sum())
    value = float(share @ np.unwrap(np.arctan2(moved[:, 1], moved[:, 0])))
    across = np.column_stack([-moved[:, 1], moved[:, 0]]) / np.maximum((moved**2).sum(axis=1), 1e-24)[:, None]
    by_midline[..., :2] = (travel.T @ (share[:, None] * across))[:, None] / midline.shape[1]
    return value, by_midline


METRICS = (
    "travelling_r2", "travelling_r2_head", "wave_frequency_hz", "wave_length", "wave_amplitude", "speed_cv_along",
    "speed_cv_in_time", "speed_slowest", "tail_over_middle", "head_over_middle", "path_turn_deg_s",
    "forward_speed_mm_s",
)  # fmt: skip
"""Metrics of a gait that have a derivative. Those that count crossings of zero have none."""
