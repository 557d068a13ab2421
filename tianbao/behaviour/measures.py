"""What assays measure: each a row of numbers from the trial of a worm, and a value of a group of such rows.

Rows are small, so that they are kept while a run of hours goes on; `MEASURES` names them all. An assay of registry.csv
is a measure, too: the mean over worms of its results.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np

from ..errors import ConfigError, unknown
from ..registry import find, registered
from ..typed import typed
from ..units import MS_PER_S, S_PER_MIN
from .estimates import Pooled, Ratio, Rows, Share, Statistic
from .hidden_states import fit_states
from .midline import centroid
from .patches import encounters
from .paths import Curving, curving, turn_bouts
from .responses import acceleration, response
from .states import FORWARD, PAUSE, REVERSE, THRESHOLD_MM_S, ignoring_stutters, longer_reversals
from .taxis import curving_table, drift_sums, turning_sums
from .tracks import Velocity
from .trials import STRIDE_MS, Trial
from .turning import bouts, heading, heading_memory, kept_s, reorientations
from .turns import AFTER_MS

__all__ = ["MEASURES", "Measure", "measure_of"]

Row = list[float]
_LONGEST_S, _LAG_S = 60.0, 0.5  # [s] of the autocorrelation of the heading
_FITS = 10  # hidden Markov models that are fitted for an interval; each takes some 20 s for 20 worms of a minute
_UNMEASURED = [0.0, 0.0]


@dataclass(frozen=True)
class Measure:
    """A measure of a group of worms.

    Attributes:
        about: what it is, in one line.
        unit: of its value; "1" for a pure number.
        row: from a trial, and arguments given by keyword, to the numbers of one worm.
        statistic: from the rows of worms to a value with its interval.
        curve: from rows to x, y and standard error for a figure, each of shape (points,); None for most.
        states: those that its argument `state` may be.
        stimulus: whether it counts from a stimulus.
    """

    about: str
    unit: str
    row: Callable[..., Row]
    statistic: Statistic
    curve: Callable[[Rows], tuple[np.ndarray, np.ndarray, np.ndarray]] | None = None
    states: tuple[str, ...] = ()
    stimulus: bool = False

    def arguments(self, given: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Arguments of `row`, each of the kind of its default.

        Args:
            given: some of them, by name.
            where: how errors call the place.

        Raises:
            ConfigError: for an unknown argument, one of another kind, or a word that it may not be.
        """
        parameters = inspect.signature(self.row).parameters.values()
        known = {each.name: each.default for each in parameters if each.default is not each.empty}
        for name in given:
            if name not in known:
                raise ConfigError(f"{where}: {unknown('argument', name, known) if known else 'it has no arguments'}")
        found = {name: typed(name, value, known[name], where) for name, value in given.items()}
        if self.states and "state" in found and found["state"] not in self.states:
            raise ConfigError(f"{where}: {unknown('state', found['state'], self.states)}")
        return found


def measure_of(name: str, where: str) -> Measure:
    """A measure by its name.

    Raises:
        ConfigError: for an unknown name.
    """
    if name in MEASURES:
        return MEASURES[name]
    assays = registered("assay")
    if name not in assays:
        raise ConfigError(f"{where}: {unknown('measure', str(name), [*MEASURES, *assays])}")
    function = find("assay", name)
    about = (inspect.getdoc(function) or name).splitlines()[0]
    unit = about.rpartition("[")[2].partition("]")[0] if "[" in about else "1"
    return Measure(
        about, "1" if unit == "-" else unit, lambda trial: _one(float(function(trial.recording, trial.worm))), _MEAN
    )


def _over(total: np.ndarray, unit: float = 1.0) -> np.ndarray:
    """First column over the second."""
    return total[..., 0] / total[..., 1] * unit


_MEAN = Ratio(_over)
_RATE = Ratio(partial(_over, unit=S_PER_MIN))  # events per seconds as events per minute


def _one(value: float) -> Row:
    """A value and its weight: 0 where it could not be measured."""
    return [value, 1.0] if math.isfinite(value) else _UNMEASURED


def _speeds(trial: Trial) -> np.ndarray:
    return np.concatenate([each.mm_s for each in trial.velocity]) if trial.velocity else np.zeros(0)


def _forward_speed(trial: Trial) -> Row:
    speed = _speeds(trial)
    forward = speed[speed >= THRESHOLD_MM_S]
    return [float(forward.sum()), float(len(forward))]


def _velocity(trial: Trial) -> Row:
    speed = _speeds(trial)
    return [float(speed.sum()), float(len(speed))]


def _share_backward(trial: Trial) -> Row:
    speed = _speeds(trial)
    return [float((speed <= -THRESHOLD_MM_S).sum()), float(len(speed))]


def _of_gait(name: str) -> Callable[[Trial], Row]:
    def row(trial: Trial) -> Row:
        """One number of the gait."""
        return _one(float(getattr(trial.gait, name)))

    return row


def _reversals(
    trial: Trial, least_s: float = 0.5, least_body_lengths: float = 0.0, from_s: float = 0.0, until_s: float = 0.0
) -> Row:
    """Starts of reversals, and seconds observed, from one time of the run to another (its end if 0)."""
    back, every = longer_reversals(trial.events, least_s, least_body_lengths), trial.events
    first, last = from_s * MS_PER_S, until_s * MS_PER_S or math.inf
    seen = np.clip(every.stop_ms, first, last) - np.clip(every.start_ms, first, last)
    return [float(((back.start_ms >= first) & (back.start_ms < last)).sum()), float(seen.sum()) / MS_PER_S]


def _reversal_length(trial: Trial, least_s: float = 0.5) -> Row:
    back = longer_reversals(trial.events, least_s)
    return [float(-back.distance_body_lengths.sum()), float(len(back))]


def _threshold_dwell(trial: Trial, state: str = FORWARD, stutters: bool = False) -> Row:
    """Time in a state and its ends; with `stutters`, pauses within one motion end it."""
    chosen = (trial.events if stutters else ignoring_stutters(trial.events)).of(state)
    return [chosen.observed_s, float(chosen.ended.sum())]


def _track(trial: Trial) -> Row:
    """Interval [ms], length of the body [mm], velocities [mm/s] of the first piece of the track."""
    if not trial.velocity:
        return []
    first = trial.velocity[0]
    return [first.interval_ms, first.body_length_mm, *np.round(first.mm_s, 4).tolist()]


def _hidden_dwell(state: str) -> Callable[[Rows], float]:
    def value(rows: Rows) -> float:
        """Mean dwell time of the model fitted to all tracks [s]."""
        known = tuple(np.asarray(row, float).tobytes() for row in rows if len(row) > 2)
        return _fitted(known)[state] if known else math.nan

    return value


@lru_cache(maxsize=4 * _FITS)
def _fitted(tracks: tuple[bytes, ...]) -> dict[str, float]:
    """Mean dwell times [s] of the model fitted to rows of `_track`; forward and backward need the same fits."""
    rows = [np.frombuffer(each) for each in tracks]
    fit = fit_states([[Velocity(row[0] * np.arange(len(row) - 2), row[2:], row[0], row[1])] for row in rows])
    return fit.rates.dwell_s()


def _turns(trial: Trial) -> Row:
    found = reorientations(trial.time_ms, trial.midline, trial.events, STRIDE_MS)
    return [float(np.isin(found.kind, ("omega", "delta")).sum()), trial.observed_s]


def _turn_angle(trial: Trial, least_s: float = 0.0, after_s: float = AFTER_MS / MS_PER_S) -> Row:
    """Sum and number of changes of heading after reversals of `least_s` or more, read `after_s` after their end."""
    found = reorientations(trial.time_ms, trial.midline, trial.events, STRIDE_MS, after_ms=after_s * MS_PER_S)
    change = found.change_deg[(found.stop_ms - found.start_ms >= least_s * MS_PER_S) & np.isfinite(found.change_deg)]
    return [float(np.abs(change).sum()), float(len(change))]


def _memory(trial: Trial) -> Row:
    """Autocorrelation of the heading at 0, 0.5, ... 60 s, NaN beyond half of the track."""
    found = heading_memory(*heading(trial.time_ms, trial.midline, STRIDE_MS), _LONGEST_S, _LAG_S)
    lags = np.arange(round(_LONGEST_S / _LAG_S) + 1)
    return np.pad(found.correlation, (0, len(lags) - len(found.correlation)), constant_values=math.nan).tolist()


def _time_constant(rows: Rows) -> float:
    """Lag at which the mean correlation falls to 1/e [s]; infinite if it does not."""
    table = np.array([row for row in rows if len(row)], float)
    known = np.isfinite(table).any(axis=0) if len(table) else np.zeros(0, bool)
    if not known.any():
        return math.nan
    constant = kept_s(np.nanmean(table[:, known], axis=0), _LAG_S)
    return math.inf if math.isnan(constant) else constant


def _reversed(trial: Trial, window_s: float = 1.0, least_body_lengths: float = 0.0) -> Row:
    found = _response(trial, window_s, least_body_lengths)
    return [float(found.reversed), float(found.eligible)]


def _response(trial: Trial, window_s: float, least_body_lengths: float = 0.0):
    time, start = trial.time_ms, trial.stimulus_ms
    if not math.isfinite(start):
        raise ConfigError("a response needs the time of a stimulus; set assay.stimulus")
    return response(time, trial.midline, start, window_s=window_s, least_body_lengths=least_body_lengths)


def _latency(trial: Trial, window_s: float = 1.0) -> Row:
    return _one(_response(trial, window_s).latency_s)


def _response_duration(trial: Trial, window_s: float = 1.0) -> Row:
    return _one(_response(trial, window_s).duration_s)


def _response_length(trial: Trial, window_s: float = 1.0) -> Row:
    return _one(_response(trial, window_s).distance_body_lengths)


def _speed_change(trial: Trial, window_s: float = 2.0, skipped_s: float = 0.0) -> Row:
    found = acceleration(trial.time_ms, trial.midline, trial.stimulus_ms, window_s=window_s, skipped_s=skipped_s)
    return _one(found.change_mm_s)


def _near_source(trial: Trial, source: tuple[float, ...] = (0.0, 0.0), radius_mm: float = 2.0) -> Row:
    """Near the source less near the same spot on the other side of the start, and 1."""
    place = centroid(trial.midline[-1:])[0, :2]
    near, other = (np.linalg.norm(place - each) <= radius_mm for each in _spots(trial, source))
    return [float(near) - float(other), 1.0]


def _spots(trial: Trial, source: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The source, and the same spot on the other side of the start."""
    start = centroid(trial.recording.track(trial.worm).midline[:1])[0, :2]
    spot = np.asarray(source, float)
    return spot, 2.0 * start - spot


def _caught(trial: Trial, source: tuple[float, ...] = (0.0, 0.0), radius_mm: float = 2.0) -> Row:
    """Caught at the source less caught at the same spot on the other side of the start, and 1."""
    nose = trial.midline[:, 0, :2]
    within = [np.linalg.norm(nose - each, axis=1) <= radius_mm for each in _spots(trial, source)]
    first, other = (int(np.argmax(each)) if each.any() else len(nose) for each in within)
    return [float(first < other) - float(other < first), 1.0]


def _reached(trial: Trial, source: tuple[float, ...] = (0.0, 0.0), radius_mm: float = 2.0) -> Row:
    away = np.linalg.norm(trial.midline[:, 0, :2] - np.asarray(source, float), axis=1)
    return [float((away <= radius_mm).any()), 1.0]


def _encounters(
    trial: Trial, edge_mm: float = 0.0, source: tuple[float, ...] = (0.0, 0.0), deep_mm: float = 0.5,
    within_s: float = 20.0, left: bool = True,
) -> Row:  # fmt: skip
    """Encounters with a circle that were left, or in which the worm went deep, and all encounters."""
    nose = np.linalg.norm(trial.midline[:, 0, :2] - np.asarray(source, float), axis=1) - edge_mm
    met = encounters(trial.time_ms, nose, deep_mm)
    late = met.stop_ms - met.start_ms > within_s * MS_PER_S
    known = met.left | met.crossed | (late & left)  # others were not over when the run was
    soon = met.turned_away & ~late
    return [float((soon if left else met.crossed)[known].sum()), float(known.sum())]


def _drift(trial: Trial, field: str = "") -> Row:
    return np.sum([_UNMEASURED, *(drift_sums(each) for each in trial.walks(field))], axis=0).tolist()


def _time_within(trial: Trial, low: float = 0.0, high: float = 1.0, field: str = "") -> Row:
    values = np.concatenate([np.zeros(0), *[each.concentration for each in trial.walks(field)]])
    return [float(((values >= low) & (values <= high)).sum()), float(len(values))]


def _asymmetry(trial: Trial, field: str = "", by_reversals: bool = True) -> Row:
    """Pirouettes and seconds of run while the field falls, then while it rises."""
    back = longer_reversals(trial.events)
    # Reversals that no turn follows bend no path sharply, but are starts of pirouettes all the same.
    rows = [
        turning_sums(each, bouts(back.start_ms, back.stop_ms) if by_reversals else turn_bouts(each))
        for each in trial.walks(field)
    ]
    return np.sum(rows, axis=0).tolist() if rows else [0.0] * 4


def _fall_over_rise(total: np.ndarray) -> np.ndarray:
    return total[..., 0] / total[..., 1] / (total[..., 2] / total[..., 3])


def _steering(trial: Trial, field: str = "", causal: bool = False) -> Row:
    """All curving rates, then all gradients across the path."""
    found = [curving(each, causal=causal) for each in trial.walks(field)]
    parts = [np.concatenate([np.zeros(0), *[getattr(each, name) for each in found]]) for name in ("rate", "normal")]
    return np.concatenate(parts).tolist()


def _moments(row: np.ndarray) -> np.ndarray:
    """Sums of a straight line through one worm's samples."""
    rate, normal = np.split(np.asarray(row, float), 2)
    return np.array([len(rate), normal.sum(), rate.sum(), (normal**2).sum(), (normal * rate).sum()])


def _slope(total: np.ndarray) -> np.ndarray:
    n, x, y, xx, xy = np.moveaxis(total, -1, 0)
    return (n * xy - x * y) / (n * xx - x * x)


def _steering_curve(rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    halves = [np.split(np.asarray(row, float), 2) for row in rows]
    table = curving_table([Curving(rate, normal, np.full(len(rate), k)) for k, (rate, normal) in enumerate(halves)])
    return table["normal"], table["rate"], table["sem"]


def _net(trial: Trial) -> float:
    middle = centroid(trial.midline)[:, :2]
    return float(np.linalg.norm(middle[-1] - middle[0])) if len(middle) else math.nan


def _net_path(trial: Trial) -> Row:
    return _one(_net(trial))


def _crossed(trial: Trial, least_mm: float = 0.45) -> Row:
    return [float(_net(trial) > least_mm), 1.0]


MEASURES: dict[str, Measure] = {
    "forward_speed": Measure("mean velocity along the way in forward movement", "mm/s", _forward_speed, _MEAN),
    "velocity": Measure("mean velocity along the way, backwards negative", "mm/s", _velocity, _MEAN),
    "share_backward": Measure("share of time backwards, faster than 0.05 mm/s", "1", _share_backward, _MEAN),
    "centroid_speed": Measure("mean speed of the centroid towards the head", "mm/s", _of_gait("forward_speed_mm_s"),
                              _MEAN),
    "frequency": Measure("frequency of undulation", "Hz", _of_gait("frequency_hz"), _MEAN),
    "wavelength": Measure("wavelength", "L", _of_gait("wavelength_body_lengths"), _MEAN),
    "amplitude": Measure("bending, 95th percentile of |kappa L|", "kappa L", _of_gait("amplitude"), _MEAN),
    "rhythm": Measure("power within 30 % of the peak of the spectrum", "1", _of_gait("peak_share"), _MEAN),
    "travelling_r2": Measure("variance that one travelling wave explains", "1", _of_gait("travelling_r2"), _MEAN),
    "reversal_rate": Measure("reversals per minute, threshold of 0.05 mm/s", "1/min", _reversals, _RATE),
    "reversal_length": Measure("mean way of a reversal", "L", _reversal_length, _MEAN),
    "threshold_dwell": Measure("mean dwell time in a state by a threshold", "s", _threshold_dwell, _MEAN,
                               states=(FORWARD, REVERSE, PAUSE)),
    "hidden_forward_dwell": Measure("mean dwell time forward, hidden Markov model", "s", _track,
                                    Pooled(_hidden_dwell(FORWARD), _FITS)),
    "hidden_reverse_dwell": Measure("mean dwell time backward, hidden Markov model", "s", _track,
                                    Pooled(_hidden_dwell(REVERSE), _FITS)),
    "turn_rate": Measure("omega and delta turns after reversals per minute", "1/min", _turns, _RATE),
    "turn_angle": Measure("mean change of heading across a reversal (`least_s`, `after_s`)", "deg", _turn_angle, _MEAN),
    "heading_time": Measure("time until the heading's correlation is 1/e", "s", _memory, Pooled(_time_constant)),
    "reversed": Measure("share of trials with a reversal in a window after the stimulus", "1", _reversed, Share(),
                        stimulus=True),
    "latency": Measure("time from stimulus to reversal, of those that reverse", "s", _latency, _MEAN, stimulus=True),
    "response_duration": Measure("duration of that reversal", "s", _response_duration, _MEAN, stimulus=True),
    "response_length": Measure("way of that reversal", "L", _response_length, _MEAN, stimulus=True),
    "speed_change": Measure("velocity after the stimulus less before it", "mm/s", _speed_change, _MEAN, stimulus=True),
    "chemotaxis_index": Measure("(near the source - near its mirror) / all, at the end", "1", _near_source, _MEAN),
    "caught_index": Measure("(first near the source - first near its mirror) / all, as if caught there by azide", "1",
                            _caught, _MEAN),
    "reached": Measure("share of worms whose nose came near the source", "1", _reached, Share()),
    "encounters_left": Measure("share of encounters with a circle that the nose left within 20 s, not deep in it", "1",
                               _encounters, _MEAN),
    "encounters_deep": Measure("share of encounters with a circle in which the nose went more than 0.5 mm deep", "1",
                               partial(_encounters, left=False), _MEAN),
    "drift": Measure("mean velocity up the gradient", "mm/s", _drift, _MEAN),
    "time_within": Measure("share of time with the field at the nose between two values", "1", _time_within, _MEAN),
    "pirouette_asymmetry": Measure("pirouettes per time while the field falls over while it rises", "1", _asymmetry,
                                   Ratio(_fall_over_rise)),
    "steering_slope": Measure("curving rate per gradient across the path", "deg/mm per mM/mm", _steering,
                              Ratio(_slope, _moments), _steering_curve),
    "net_path": Measure("distance from first to last place", "mm", _net_path, _MEAN),
    "crossed": Measure("share of worms that went farther than a distance", "1", _crossed, Share()),
}  # fmt: skip
"""Name -> measure."""
