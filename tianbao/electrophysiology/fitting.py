"""Fits the conductances of one neuron to recordings: candidates, their misfit, and its uncertainty.

A candidate is a point in the unit cube: one coordinate per channel, one for the leak, one for its
reversal and, if allowed, one for the shift of EGL-19. All candidates of a generation, each with all
its sweeps, run at once (`CellCopies`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..cells.channels import COUPLED
from .copies import CellCopies
from .measures import current_step, excursion, voltage_step
from .recordings import CLAMP_DURATION

# Deviations that count as a residual of 1. Sweeps of one cell differ by 3 mV at rest; between onset and
# steady state a membrane of 1 uF/cm2 is not expected to follow the recording as closely.
_SIGMA_CC = {"steady": 3.0, "peak": 3.0, "at_1s": 6.0, "at_100ms": 6.0}  # mV
_SIGMA_VC = {"steady": (3.0, 0.03), "peak": (6.0, 0.04), "at_1s": (6.0, 0.06)}  # pA, share of the value
_SIGMA_REST_CC, _SIGMA_REST_VC = 3.0, 1.0  # mV, pA
# Under voltage clamp nothing is recorded near rest: a stable rest is required through a steady current
# that increases on both sides of it.
_BESIDE_REST, _SIGMA_SLOPE = (-15.0, 15.0, 30.0, 45.0), 0.3  # mV, pA
# A weak prior centred on the published model of the cell, or on zero if there is none, so that channels
# change only if the data require it. BK complexes open only partly: their conductances are large, their currents not.
_SIGMA_CONDUCTANCE, _SIGMA_COMPLEX, _SIGMA_LEAK, _SIGMA_REVERSAL = 3.0, 6.0, 0.2, 15.0  # nS, mV
# A complex requires its calcium channel; published cells have up to 20 times the conductance of the latter.
_MOST_PER_CALCIUM, _SIGMA_EXCESS = 20.0, 1.0  # 1, nS
_LARGEST, _LARGEST_COMPLEX, _LARGEST_LEAK = 10.0, 20.0, 2.0  # nS
_LOWEST_REVERSAL, _HIGHEST_REVERSAL = -95.0, -20.0  # mV
# Spikes must rise and fall by this much in total, at least once by this much from trough to peak, and
# hardly at all without EGL-19.
SPIKING, _RANGE, SILENT, _SIGMA_SPIKING = 45.0, 15.0, 5.0, 5.0  # mV
_BEFORE, _DURATION, _CLAMP_HOLD = 980.0, 5000.0, -60.0  # ms, ms, mV


@dataclass(frozen=True)
class Sweep:
    """One sweep of a fit.

    Attributes:
        level: of the step [pA under current clamp, mV under voltage clamp].
        targets: measure -> value [mV or pA]; empty for a sweep that is only tested for spikes.
        lacking: channel knocked out in this sweep.
    """

    level: float
    targets: Mapping[str, float] = field(default_factory=dict)
    lacking: str = ""


class CellFit:
    """The search for the conductances of one neuron.

    Args:
        neuron: name.
        mode: "CC" or "VC".
        sweeps: the measurements.
        channels: conductances that may differ from 0.
        candidates: number that run at once.
        rest: target resting potential [mV]; None leaves it to the sweeps.
        kinetics: as `Membrane.kinetics`.
        lowest_egl19_shift: lower bound of the shift of EGL-19 [mV]; 0 does not fit it.
        spikes: current steps [pA] with calcium spikes that need EGL-19.
        published: conductances [nS] and leak reversal [mV] of a published model of the cell.
        step: time step in the search [ms]; if None, 0.1 under voltage clamp, where the peak is in the first
            milliseconds, otherwise 0.5.
        least_slope: of the steady current around rest under voltage clamp [nS].
    """

    def __init__(
        self,
        neuron: str,
        mode: str,
        sweeps: list[Sweep],
        channels: tuple[str, ...],
        candidates: int,
        *,
        rest: float | None = None,
        kinetics: Mapping[str, Mapping[str, float]] | None = None,
        lowest_egl19_shift: float = 0.0,
        spikes: tuple[float, ...] = (),
        published: Mapping[str, float] | None = None,
        step: float | None = None,
        least_slope: float = 0.0,
    ) -> None:
        self.from_data = 0  # residuals that come from measurements, the first of all
        self.step = step or (0.1 if mode == "VC" else 0.5)
        self.mode, self.channels, self.candidates, self.rest = mode, channels, candidates, rest
        self._least_slope = least_slope
        self._shift, self._published = lowest_egl19_shift, dict(published or {})
        self._spikes = len(spikes)
        self.sweeps = [*sweeps, *(Sweep(level) for level in spikes), *(Sweep(level, {}, "egl19") for level in spikes)]
        if mode == "VC" and rest is not None:
            self.sweeps += [Sweep(rest + beside) for beside in (0.0, *_BESIDE_REST)]
        self._measured = len(sweeps)
        self._neuron = neuron
        self._copies = CellCopies(neuron, candidates * len(self.sweeps), channels, kinetics)
        self.area, self.capacitance = self._copies.area, self._copies.capacitance
        self.names = [*channels, "leak", "leak_reversal"] + (["egl19_shift"] if lowest_egl19_shift else [])

    @property
    def biological_time(self) -> float:
        """Simulated time per generation [ms]."""
        one = CLAMP_DURATION[self._neuron] if self.mode == "VC" else _BEFORE + _DURATION
        return one * self.candidates * len(self.sweeps)

    def decode(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Conductances [nS] and voltages [mV] of candidates.

        Args:
            points: shape (n, parameters), in the unit cube.

        Returns:
            Name -> values, shape (n,).
        """
        n = len(self.channels)
        # The cube expands small conductances: most channels are small in most cells.
        largest = [_LARGEST_COMPLEX if name in COUPLED else _LARGEST for name in self.channels]
        found = {name: largest[k] * points[:, k] ** 3 for k, name in enumerate(self.channels)}
        found["leak"] = _LARGEST_LEAK * points[:, n] ** 2
        found["leak_reversal"] = _LOWEST_REVERSAL + (_HIGHEST_REVERSAL - _LOWEST_REVERSAL) * points[:, n + 1]
        if self._shift:
            found["egl19_shift"] = self._shift * points[:, n + 2]
        return found

    def encode(self, values: Mapping[str, float]) -> np.ndarray:
        """The point of the cube that decodes to these values [nS, mV]; values not given are 0, or mid-cube."""
        point = np.full(len(self.names), 0.5)
        for k, name in enumerate(self.channels):
            point[k] = (values.get(name, 0.0) / (_LARGEST_COMPLEX if name in COUPLED else _LARGEST)) ** (1.0 / 3.0)
        n = len(self.channels)
        point[n] = (values.get("leak", 0.5 * _LARGEST_LEAK) / _LARGEST_LEAK) ** 0.5
        if "leak_reversal" in values:
            point[n + 1] = (values["leak_reversal"] - _LOWEST_REVERSAL) / (_HIGHEST_REVERSAL - _LOWEST_REVERSAL)
        if self._shift and "egl19_shift" in values:
            point[n + 2] = values["egl19_shift"] / self._shift
        return np.clip(point, 0.0, 1.0)

    def simulate(self, points: np.ndarray, dt: float) -> dict[str, np.ndarray]:
        """Measures of every sweep.

        Args:
            points: shape (candidates, parameters).
            dt: step [ms].

        Returns:
            Measure -> shape (candidates, sweeps); under current clamp also "excursion" and "range" [mV].
        """
        self._give(points)
        levels = np.tile([each.level for each in self.sweeps], len(points))
        shape = (len(points), len(self.sweeps))
        if self.mode == "VC":
            duration = CLAMP_DURATION[self._neuron]
            time, current = self._copies.voltage_clamp(levels, duration, _CLAMP_HOLD, dt)
            up = np.array([each.level >= _CLAMP_HOLD for each in self.sweeps])
            return voltage_step(time, current.reshape(len(time), *shape), 0.0, duration, up)
        phases = [(_BEFORE, np.zeros(len(levels))), (_DURATION, levels)]
        time, voltage = self._copies.current_clamp(phases, dt, every=max(1, round(1.0 / dt)))
        voltage = voltage.reshape(len(time), *shape)
        up = np.array([each.level >= 0 for each in self.sweeps])
        found = current_step(time, voltage, _BEFORE, _DURATION, up)
        # Neither the onset of a step nor a slow drift is a spike: only the time in between counts.
        later = voltage[time > _BEFORE + 100.0][::5]
        found["excursion"], found["range"] = excursion(later), np.ptp(later, axis=0)
        return found

    def _give(self, points: np.ndarray) -> None:
        values = self.decode(points)
        every = {name: np.repeat(each, len(self.sweeps)) for name, each in values.items()}
        conductances = {name: every[name] for name in self.channels}
        for k, sweep in enumerate(self.sweeps):
            for name in self.channels:
                if sweep.lacking and sweep.lacking in name.split("_"):
                    conductances[name][k :: len(self.sweeps)] = 0.0
        self._copies.set(conductances, every["leak"], every["leak_reversal"], every.get("egl19_shift", 0.0))

    def residuals(self, points: np.ndarray) -> np.ndarray:
        """Deviations of candidates from all targets, each divided by its tolerance.

        Args:
            points: shape (n, parameters); at most as many as candidates.

        Returns:
            Shape (n, residuals); the misfit is the sum of their squares, each 1 if it equals its tolerance.
        """
        # There are as many copies as candidates in a generation; a shorter list is padded.
        full = np.resize(points, (self.candidates, points.shape[1]))
        found = self.simulate(full, self.step)
        columns = []
        for k, sweep in enumerate(self.sweeps[: self._measured]):
            for name, wanted in sweep.targets.items():
                columns.append((found[name][:, k] - wanted) / self._sigma(name, wanted))
        if self.mode == "CC" and self.rest is not None:
            columns.append((found["rest"][:, 0] - self.rest) / _SIGMA_REST_CC)
        if self.mode == "VC" and self.rest is not None:
            columns.append(found["steady"][:, self._measured] / _SIGMA_REST_VC)
            for k, beside in enumerate(_BESIDE_REST, start=self._measured + 1):
                outward = np.sign(beside) * found["steady"][:, k]
                columns.append(np.maximum(0.0, self._least_slope * abs(beside) - outward) / _SIGMA_SLOPE)
        for k in range(self._spikes):
            spiking, silent = self._measured + k, self._measured + self._spikes + k
            columns.append(np.maximum(0.0, SPIKING - found["excursion"][:, spiking]) / _SIGMA_SPIKING)
            columns.append(np.maximum(0.0, _RANGE - found["range"][:, spiking]) / _SIGMA_SPIKING)
            columns.append(np.maximum(0.0, found["excursion"][:, silent] - SILENT) / _SIGMA_SPIKING)
        self.from_data = len(columns)
        columns += self._prior(self.decode(full))
        stacked = np.stack(columns, axis=1)[: len(points)]
        return np.where(np.isfinite(stacked), stacked, 1e3)

    def _prior(self, values: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Residuals that do not come from measurements."""
        columns = []
        for name in self.channels:
            tolerated = _SIGMA_COMPLEX if name in COUPLED else _SIGMA_CONDUCTANCE
            columns.append((values[name] - self._published.get(name, 0.0)) / tolerated)
            if name in COUPLED:
                calcium = values[name.split("_")[1]]
                columns.append(np.maximum(0.0, values[name] - _MOST_PER_CALCIUM * calcium) / _SIGMA_EXCESS)
        for name, tolerated in (("leak", _SIGMA_LEAK), ("leak_reversal", _SIGMA_REVERSAL)):
            if name in self._published:
                columns.append((values[name] - self._published[name]) / tolerated)
        return columns

    def _sigma(self, measure: str, wanted: float) -> float:
        if self.mode == "CC":
            return _SIGMA_CC[measure]
        floor, share = _SIGMA_VC[measure]
        return float(np.hypot(floor, share * wanted))

    def misfit(self, points: np.ndarray) -> np.ndarray:
        """Sum of squared residuals of candidates, shape (n,)."""
        return (self.residuals(points) ** 2).sum(1)

    def errors(self, point: np.ndarray) -> tuple[pd.DataFrame, dict[str, float]]:
        """Compare a candidate with the measurements.

        Returns:
            One row per sweep and measure (level, measure, wanted, found), and measure -> root mean square error.
        """
        found = self.simulate(np.resize(point, (self.candidates, len(point))), min(self.step / 5.0, 0.1))
        rows = [
            (sweep.level, name, wanted, float(found[name][0, k]))
            for k, sweep in enumerate(self.sweeps[: self._measured])
            for name, wanted in sweep.targets.items()
        ]
        table = pd.DataFrame(rows, columns=["level", "measure", "wanted", "found"])
        square = ((table.found - table.wanted) ** 2).groupby(table.measure).mean()
        return table, {str(name): float(np.sqrt(value)) for name, value in square.items()}


def uncertainty(fit: CellFit, point: np.ndarray, step: float = 0.01) -> tuple[dict[str, float], np.ndarray, np.ndarray]:
    """Uncertainty that the measurements leave around a fit.

    The misfit is approximated as quadratic: residuals are linear in the values over small steps. Only measurements
    count, not the prior.

    Args:
        fit: the search.
        point: its result.
        step: of the differences, in the unit cube.

    Returns:
        Name -> standard deviation [nS or mV]; the eigenvalues of the curvature in the unit cube, largest first
        (an eigenvalue below 12 is a direction constrained more by the cube than by the data); its eigenvectors as
        columns.
    """
    n = len(point)
    base = fit.residuals(point[None])[0][: fit.from_data]
    jacobian = np.zeros((len(base), n))
    for k in range(n):
        # Inwards at a bound.
        signed = step if point[k] + step <= 1.0 else -step
        moved = point.copy()
        moved[k] += signed
        jacobian[:, k] = (fit.residuals(moved[None])[0][: fit.from_data] - base) / signed
    curvature = jacobian.T @ jacobian
    # The cube itself is prior knowledge: a variance of 1/12 along each side.
    covariance = np.linalg.inv(curvature + 12.0 * np.eye(n))
    spread = np.sqrt(np.diag(covariance))
    low, high = (fit.decode(np.clip(point + sign * spread, 0.0, 1.0)[None]) for sign in (-1.0, 1.0))
    values, vectors = np.linalg.eigh(curvature)
    deviations = {name: float(abs(high[name][0] - low[name][0]) / 2.0) for name in fit.names}
    return deviations, values[::-1], vectors[:, ::-1]
