"""Fits the membrane of one neuron to recordings: candidates, their misfit, and its uncertainty.

A candidate is a point in the unit cube: one coordinate per free conductance, the leak, its reversal and, if allowed,
the shift of EGL-19 and the capacitance that the pipette adds. All candidates of a generation, each with all its
sweeps, run at once (`CellCopies`).

What is scored: the mean of the recording in windows that cover the time before, in and after the step, the early peak
and the steady state; where there are spikes, their number, height and latency. What is required whatever the
recordings say: one stable state, a complex of BK and calcium channel at most 20 times the calcium channel, and a least
leak.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..cells.channels import COUPLED
from ..cells.steady import GRID, open_share, reversal
from .copies import CellCopies
from .fit_data import Described, Spikes, Sweep
from .measures import current_step, spikes, voltage_step

# Deviations that count as a residual of 1. Sweeps of one cell differ by 3 mV at rest.
_SIGMA_CC, _SIGMA_VC = 3.0, (6.0, 0.04)  # mV; pA and share of the value
_SHARP = {"CC": 0.6, "VC": 0.45}  # on the steady state, which is the best measured of all
_CHANCE = 4.0  # on the early peak of a cell that spikes
# Windows of one sweep are not independent: together they weigh as much as this many independent values.
_INDEPENDENT = 6.0
_SIGMA_REST, _SIGMA_RESTING_CURRENT = 3.0, 1.0  # mV and pA, of a rest that was measured elsewhere
# Priors: deviation of a conductance from the published value, as a share of that and at least this much [nS]; more
# where there is no published model. A complex counts in units of its calcium channel.
_PRIOR_SHARE, _PRIOR_LEAST, _PRIOR_UNKNOWN = 0.7, 0.2, 0.5  # 1, nS, nS
_PRIOR_RATIO, _PRIOR_REVERSAL, _PRIOR_PIPETTE = 4.0, 15.0, 2.0  # 1, mV, pF
MOST_PER_CALCIUM = 20.0
"""Largest conductance of a BK complex, in units of that of its calcium channel; published cells have up to this."""
_LARGEST, _LARGEST_LEAK, _LARGEST_PIPETTE = 10.0, 2.0, 8.0  # nS, nS, pF
_LOWEST_REVERSAL, _HIGHEST_REVERSAL = -95.0, -20.0  # mV
_OUTWARD, _SIGMA_OUTWARD = 0.02, 0.3  # nS, pA: least steady conductance against the rest, and its tolerance
_BESIDE = 8.0  # mV on both sides of rest in which this is not asked
_SIGMA_HEIGHT, _SIGMA_LATENCY, _SIGMA_EXTRA = 1.5, 500.0, 2.0  # mV, ms, mV
_BEFORE = 500.0  # ms
_UNNOTICED = 6.0  # mV that noise reaches in the recordings
_NEAR = 7.5  # mV by which spikes may differ from the recorded ones in an acceptable set
_CLAMP_HOLD = -60.0  # mV


class CellFit:
    """The search for the membrane of one neuron.

    Args:
        described: what may change.
        sweeps: that are scored.
        candidates: number that run at once.
    """

    def __init__(self, described: Described, sweeps: list[Sweep], candidates: int) -> None:
        self.described, self.sweeps, self.candidates = described, list(sweeps), candidates
        self.levels = [each.level for each in sweeps] + [each.level for each in sweeps if each.spikes]
        self._silent = np.array([False] * len(sweeps) + [True] * (len(self.levels) - len(sweeps)))
        self._channels = (*described.free, *(name for name in described.fixed if name != "leak_reversal"))
        count = candidates * len(self.levels)
        constants = tuple(described.free_kinetics)
        self._copies = CellCopies(described.neuron, count, self._channels, described.kinetics, constants)
        self._shares: dict[tuple, np.ndarray] = {}
        self.capacitance = self._copies.capacitance
        self.names = [*described.free, "leak", *described.free_kinetics]
        self.names += [] if "leak_reversal" in described.fixed else ["leak_reversal"]
        self.names += ["egl19_shift"] if described.lowest_egl19_shift else []
        self.names += ["pipette"] if described.pipette else []
        self.from_data = 0  # residuals that come from measurements, the first of all

    def decode(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Conductances [nS], voltages [mV] and capacitance [pF] of candidates.

        Args:
            points: shape (n, parameters), in the unit cube.

        Returns:
            Name -> values, shape (n,), those that are fixed included.
        """
        found = {name: np.full(len(points), value) for name, value in self.described.fixed.items()}
        column = dict(zip(self.names, points.T, strict=True))
        own = self.described.free
        # The cube expands small conductances: most channels are small in most cells.
        found |= {name: _LARGEST * column[name] ** 3 for name in own if name not in COUPLED}
        for name in own:
            if name in COUPLED:
                found[name] = MOST_PER_CALCIUM * column[name] ** 2 * found[name.split("_")[1]]
        least = self.described.least_leak
        found["leak"] = least + (_LARGEST_LEAK - least) * column["leak"] ** 2
        if "leak_reversal" in column:
            found["leak_reversal"] = _LOWEST_REVERSAL + (_HIGHEST_REVERSAL - _LOWEST_REVERSAL) * column["leak_reversal"]
        for name, (low, high) in self.described.free_kinetics.items():
            found[name] = low + (high - low) * column[name]
        if "egl19_shift" in column:
            found["egl19_shift"] = self.described.lowest_egl19_shift * column["egl19_shift"]
        if "pipette" in column:
            found["pipette"] = _LARGEST_PIPETTE * column["pipette"]
        return found

    def encode(self, values: Mapping[str, float]) -> np.ndarray:
        """The point of the cube that decodes to these values [nS, mV, pF]; what is not given is small."""
        point = np.full(len(self.names), 0.2)
        for k, name in enumerate(self.names):
            value = values.get(name)
            if value is None:
                continue
            if name == "leak":
                least = self.described.least_leak
                point[k] = max((value - least) / (_LARGEST_LEAK - least), 0.0) ** 0.5
            elif name == "leak_reversal":
                point[k] = (value - _LOWEST_REVERSAL) / (_HIGHEST_REVERSAL - _LOWEST_REVERSAL)
            elif name == "egl19_shift":
                point[k] = value / self.described.lowest_egl19_shift
            elif name == "pipette":
                point[k] = value / _LARGEST_PIPETTE
            elif name in self.described.free_kinetics:
                low, high = self.described.free_kinetics[name]
                point[k] = (value - low) / (high - low)
            elif name in COUPLED:
                calcium = values.get(name.split("_")[1], self.described.fixed.get(name.split("_")[1], 0.0))
                point[k] = (value / max(MOST_PER_CALCIUM * calcium, 1e-12)) ** 0.5
            else:
                point[k] = (value / _LARGEST) ** (1.0 / 3.0)
        return np.clip(point, 0.0, 1.0)

    def simulate(self, points: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
        """Traces of every sweep, and of those with spikes again without EGL-19.

        Args:
            points: shape (candidates, parameters).
            dt: step [ms].

        Returns:
            Time since the start of the step [ms], shape (samples,), and voltage [mV] or current [pA], shape (samples,
            candidates, levels).
        """
        self._give(points)
        levels, mine = np.tile(self.levels, len(points)), self.described
        shape = (len(points), len(self.levels))
        if mine.mode == "VC":
            time, current = self._copies.voltage_clamp(levels, mine.duration, _CLAMP_HOLD, dt, mine.after)
            return time, current.reshape(len(time), *shape)
        phases = [(_BEFORE, np.zeros(len(levels))), (mine.duration, levels), (mine.after, np.zeros(len(levels)))]
        time, voltage = self._copies.current_clamp(phases, dt, every=max(1, round(1.0 / dt)), start=mine.start)
        return time - _BEFORE, voltage.reshape(len(time), *shape)

    def _give(self, points: np.ndarray) -> None:
        every = {name: np.repeat(each, len(self.levels)) for name, each in self.decode(points).items()}
        silent = np.tile(self._silent, len(points))
        conductances = {name: np.where(silent & ("egl19" in name), 0.0, every[name]) for name in self._channels}
        shift, pipette = every.get("egl19_shift", 0.0), every.get("pipette", 0.0)
        constants = {name: every[name] for name in self.described.free_kinetics}
        self._copies.set(conductances, every["leak"], every["leak_reversal"], shift, pipette, constants)

    def residuals(self, points: np.ndarray) -> np.ndarray:
        """Deviations of candidates from all targets, each divided by its tolerance.

        Args:
            points: shape (n, parameters); at most as many as candidates.

        Returns:
            Shape (n, residuals); the misfit is the sum of their squares, each 1 if it equals its tolerance.
        """
        # There are as many copies as candidates in a generation; a shorter list is padded.
        full = np.resize(points, (self.candidates, points.shape[1]))
        time, traces = self.simulate(full, self.described.step)
        with np.errstate(all="ignore"):
            columns = [
                each for k, sweep in enumerate(self.sweeps) for each in self._of_sweep(sweep, time, traces[:, :, k])
            ]
            columns += self._of_silent(time, traces)
            if self.described.rest is not None and self.described.mode == "CC":
                before = traces[(time > -100.0) & (time <= 0.0)].mean(0)
                columns.append((before[:, 0] - self.described.rest) / _SIGMA_REST)
            values = self.decode(full)
            if self.described.rest is not None and self.described.mode == "VC":
                current = self.steady_current(values)
                columns.append(current[:, np.argmin(np.abs(GRID - self.described.rest))] / _SIGMA_RESTING_CURRENT)
            self.from_data = len(columns)
            columns += (self.one_state(values) if self.described.states == 1 else []) + self._prior(values)
        stacked = np.stack(columns, axis=1)[: len(points)]
        return np.where(np.isfinite(stacked), np.clip(stacked, -1e3, 1e3), 1e3)

    def _of_sweep(self, sweep: Sweep, time: np.ndarray, trace: np.ndarray) -> list[np.ndarray]:
        """Residuals of one sweep; `trace` of shape (samples, candidates)."""
        weight = np.sqrt(len(sweep.windows) / _INDEPENDENT)
        columns = [(means(time, trace, sweep.windows[k]) - mean) / (weight * self._sigma(mean))
                   for k, (*_, mean) in enumerate(sweep.windows)]  # fmt: skip
        found = measures(time, trace, sweep.level, self.described.duration, self.described.mode)
        for name, wanted in (("peak", sweep.peak), ("steady", sweep.steady)):
            # A spike may meet the early peak of one cell and miss that of another.
            chance = name == "peak" and self._silent.any() and sweep.level > 0.0
            share = _SHARP[self.described.mode] if name == "steady" else _CHANCE if chance else 1.0
            if np.isfinite(wanted):
                columns.append((found[name] - wanted) / (share * self._sigma(wanted)))
        if sweep.spikes:
            columns += _spike_residuals(sweep.spikes, time, trace, self.described.duration)
        elif self._silent.any() and sweep.level > 0.0:
            # Where one sweep spikes and another does not, the other has no train.
            _, height, _ = spikes(time, trace, 300.0, self.described.duration, 3)
            columns.append(np.maximum(0.0, height[2] - _UNNOTICED) / _SIGMA_HEIGHT)
        return columns

    def _of_silent(self, time: np.ndarray, traces: np.ndarray) -> list[np.ndarray]:
        columns = []
        for k in np.flatnonzero(self._silent):
            _, height, _ = spikes(time, traces[:, :, k], 50.0, self.described.duration, 1)
            columns.append(np.maximum(0.0, height[0] - 2.0) / _SIGMA_EXTRA)
        return columns

    def one_state(self, values: dict[str, np.ndarray]) -> list[np.ndarray]:
        """How far the steady current is from having no zero but the rest."""
        current = self.steady_current(values)
        rest = np.array([self._rest_of(each) for each in current])
        beside = GRID[None] - rest[:, None]
        outward = np.sign(beside) * current - _OUTWARD * np.abs(beside)
        short = np.where(np.abs(beside) > _BESIDE, np.maximum(0.0, -outward), 0.0)
        # No stable state at all above or below what the grid covers.
        return [short.max(1) / _SIGMA_OUTWARD, np.where(np.isfinite(rest), 0.0, 30.0)]

    def _rest_of(self, current: np.ndarray) -> float:
        """The stable zero of a steady current that is closest to where the cell starts [mV]."""
        upward = np.flatnonzero((current[:-1] < 0.0) & (current[1:] >= 0.0))
        if not len(upward):
            return np.nan
        return float(GRID[upward[np.argmin(np.abs(GRID[upward] - self.described.start))]])

    def steady_current(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Steady current over `GRID` [pA], outward positive, shape (n, voltages)."""
        total = values["leak"][:, None] * (GRID[None] - values["leak_reversal"][:, None])
        for name in self._channels:
            channel = name.split("_")[0]
            varied = [key for key in self.described.free_kinetics if key.split(".")[0] == channel]
            varied += ["egl19_shift"] if "egl19" in name and "egl19_shift" in values else []
            # To a hundredth, so that a curve serves many candidates.
            sets = np.stack([np.round(values[key], 2) for key in varied]) if varied else np.zeros((0, 1))
            share = np.stack([self._share(name, tuple(zip(varied, column, strict=True))) for column in sets.T])
            total = total + values[name][:, None] * share * (GRID - reversal(name))
        return total

    def _share(self, name: str, varied: tuple[tuple[str, float], ...]) -> np.ndarray:
        """Open share of a channel over `GRID` with these constants."""
        if (name, varied) not in self._shares:
            kinetics = dict(self.described.kinetics.get(name.split("_")[0], {}))
            kinetics |= {key.split(".")[1]: value for key, value in varied if "." in key}
            shift = dict(varied).get("egl19_shift", 0.0)
            self._shares[name, varied] = open_share(name, GRID, shift, kinetics=kinetics)
        return self._shares[name, varied]

    def spikes_enough(self, point: np.ndarray) -> bool:
        """Whether a candidate has the spikes that are asked of it, to within 7.5 mV, and none without EGL-19."""
        if not self._silent.any():
            return True
        time, traces = self.simulate(np.resize(point, (self.candidates, len(point))), self.described.step)
        for k, sweep in enumerate(self.sweeps):
            if sweep.spikes:
                peak, height, _ = spikes(time, traces[:, :1, k], 50.0, self.described.duration, sweep.spikes.count)
                if (peak < sweep.spikes.peak - _NEAR).any() or (height < sweep.spikes.height - _NEAR).any():
                    return False
        silent = np.flatnonzero(self._silent)
        heights = [spikes(time, traces[:, :1, k], 50.0, self.described.duration, 1)[1][0, 0] for k in silent]
        return max(heights, default=0.0) < 5.0

    def _prior(self, values: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Residuals that do not come from measurements."""
        columns, published = [], self.described.published
        for name in self.described.free:
            centre = published.get(name, 0.0)
            if name in COUPLED:
                calcium = published.get(name.split("_")[1], 0.0)
                ratio = values[name] / np.maximum(values[name.split("_")[1]], 1e-9)
                columns.append((ratio - min(centre / calcium if calcium else 0.0, MOST_PER_CALCIUM)) / _PRIOR_RATIO)
            else:
                least = _PRIOR_LEAST if published else _PRIOR_UNKNOWN
                columns.append((values[name] - centre) / max(_PRIOR_SHARE * centre, least))
        if "leak" in published:
            columns.append((values["leak"] - published["leak"]) / (_PRIOR_SHARE * published["leak"]))
        if "leak_reversal" in published:
            columns.append((values["leak_reversal"] - published["leak_reversal"]) / _PRIOR_REVERSAL)
        if "pipette" in values:
            columns.append(values["pipette"] / _PRIOR_PIPETTE)
        return columns

    def _sigma(self, wanted: float) -> float:
        if self.described.mode == "CC":
            return _SIGMA_CC
        return float(np.hypot(_SIGMA_VC[0], _SIGMA_VC[1] * wanted))

    def misfit(self, points: np.ndarray) -> np.ndarray:
        """Sum of squared residuals of candidates, shape (n,)."""
        return (self.residuals(points) ** 2).sum(1)


def means(time: np.ndarray, trace: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Mean of traces in a window (start, stop) [ms], over the first axis; the nearest sample if it holds none."""
    first, last = np.searchsorted(time, window[0]), np.searchsorted(time, window[1])
    return trace[first : max(last, first + 1)].mean(0)


def measures(time: np.ndarray, trace: np.ndarray, level: float, duration: float, mode: str) -> dict[str, np.ndarray]:
    """Early peak and steady state of traces, and what else `current_step` or `voltage_step` measures."""
    of_mode, least = (current_step, 0.0) if mode == "CC" else (voltage_step, _CLAMP_HOLD)
    return of_mode(time, trace, 0.0, duration, level >= least)


def _spike_residuals(wanted: Spikes, time: np.ndarray, trace: np.ndarray, duration: float) -> list[np.ndarray]:
    most = wanted.count + 3
    peak, height, when = spikes(time, trace, 50.0, duration, most)
    columns = []
    for k in range(wanted.count):
        columns.append(np.maximum(0.0, wanted.height - height[k]) / _SIGMA_HEIGHT)
        columns.append(np.maximum(0.0, wanted.peak - peak[k]) / _SIGMA_HEIGHT)
    first = np.min(when[: wanted.count], axis=0)
    columns.append((first - wanted.latency) / _SIGMA_LATENCY)
    # One spike more is within what cells vary; a train is not.
    columns.append(np.maximum(0.0, height[most - 1] - _UNNOTICED) / _SIGMA_HEIGHT)
    lowest = trace[(time > 100.0) & (time <= duration)].min(0)
    columns.append(np.maximum(0.0, wanted.trough - lowest) / _SIGMA_HEIGHT)
    return columns


def uncertainty(
    fit: CellFit, point: np.ndarray, step: float = 0.01, prior: bool = False
) -> tuple[dict[str, float], np.ndarray]:
    """Uncertainty that the measurements leave around a fit.

    The misfit is approximated as quadratic: residuals are linear in the point over small steps. The cube itself counts
    as a variance of 1/12 along each side.

    Args:
        fit: the search.
        point: its result.
        step: of the differences, in the unit cube.
        prior: whether the prior counts besides the measurements.

    Returns:
        Name -> standard deviation [nS, mV or pF; for a complex, of its own conductance at the fitted calcium
        channel]; the covariance in the unit cube.
    """
    n = len(point)
    base = fit.residuals(point[None])[0]
    count = len(base) if prior else fit.from_data
    base = base[:count]
    jacobian = np.zeros((len(base), n))
    for k in range(n):
        # Inwards at a bound.
        signed = step if point[k] + step <= 1.0 else -step
        moved = point.copy()
        moved[k] += signed
        jacobian[:, k] = (fit.residuals(moved[None])[0][:count] - base) / signed
    covariance = np.linalg.inv(jacobian.T @ jacobian + 12.0 * np.eye(n))
    spread = np.sqrt(np.diag(covariance))
    deviations = {}
    for k, name in enumerate(fit.names):
        low, high = point.copy(), point.copy()
        low[k], high[k] = max(point[k] - spread[k], 0.0), min(point[k] + spread[k], 1.0)
        ends = fit.decode(np.stack([low, high]))[name]
        deviations[name] = float(abs(ends[1] - ends[0]) / 2.0)
    return deviations, covariance
