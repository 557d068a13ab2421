"""Conductances of one neuron from what was measured in it: candidates, their misfit, what it leaves open.

A candidate is a point of the unit cube: one number per channel, one for the leak, one for its
reversal, where allowed one for the shift of EGL-19. All candidates of a generation, each with all
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

# What a residual of 1 stands for. Sweeps of one cell differ by 3 mV at rest; between onset and
# steady state a membrane of 1 uF/cm2 is not expected to follow the recording as closely.
_SIGMA_CC = {"steady": 3.0, "peak": 3.0, "at_1s": 6.0, "at_100ms": 6.0}  # mV
_SIGMA_VC = {"steady": (3.0, 0.03), "peak": (6.0, 0.04), "at_1s": (6.0, 0.06)}  # pA, share of the value
_SIGMA_REST_CC, _SIGMA_REST_VC = 3.0, 1.0  # mV, pA
# Under voltage clamp nothing is recorded near rest: that the cell stays there is asked for, by a steady current
# that grows on both sides of it.
_BESIDE_REST, _SIGMA_SLOPE = (-15.0, 15.0, 30.0, 45.0), 0.3  # mV, pA
# A weak pull towards the published model of the cell, or towards nothing where there is none, so that the
# data alone move a channel. BK complexes open to a small part: their conductances are large, their currents not.
_SIGMA_CONDUCTANCE, _SIGMA_COMPLEX, _SIGMA_LEAK, _SIGMA_REVERSAL = 3.0, 6.0, 0.2, 15.0  # nS, mV
# A complex cannot be there without its calcium channel; published cells have up to 20 times its conductance.
_MOST_PER_CALCIUM, _SIGMA_EXCESS = 20.0, 1.0  # 1, nS
_LARGEST, _LARGEST_COMPLEX, _LARGEST_LEAK = 10.0, 20.0, 2.0  # nS
_LOWEST_REVERSAL, _HIGHEST_REVERSAL = -95.0, -20.0  # mV
# Spikes have to go up and down by this much in all, once at least by this much from trough to peak, and
# hardly at all without EGL-19.
SPIKING, _RANGE, SILENT, _SIGMA_SPIKING = 45.0, 15.0, 5.0, 5.0  # mV
_BEFORE, _DURATION, _CLAMP_HOLD = 980.0, 5000.0, -60.0  # ms, ms, mV


@dataclass(frozen=True)
class Sweep:
    """One sweep of a fit.

    Attributes:
        level: of the step [pA under current clamp, mV under voltage clamp].
        targets: measure -> value [mV or pA]; empty for a sweep that only has to spike or not.
        lacking: channel knocked out in it.
    """

    level: float
    targets: Mapping[str, float] = field(default_factory=dict)
    lacking: str = ""


class CellFit:
    """The search for the conductances of one neuron.

    Args:
        neuron: name.
        mode: "CC" or "VC".
        sweeps: what was measured.
        channels: conductances that may differ from 0.
        candidates: how many run at once.
        rest: resting potential that is wanted [mV]; None leaves it to the sweeps.
        kinetics: as `Membrane.kinetics`.
        lowest_egl19_shift: bound of the shift of EGL-19 [mV]; 0 does not fit it.
        spikes: current steps [pA] with calcium spikes that need EGL-19.
        published: conductances [nS] and leak reversal [mV] of a published model of the cell.
        step: of the search [ms]; 0.1 under voltage clamp, whose peak lies in the first milliseconds, else 0.5
            when None.
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
        """What one generation simulates [ms]."""
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
        # The cube stretches small conductances: most channels are small in most cells.
        largest = [_LARGEST_COMPLEX if name in COUPLED else _LARGEST for name in self.channels]
        found = {name: largest[k] * points[:, k] ** 3 for k, name in enumerate(self.channels)}
        found["leak"] = _LARGEST_LEAK * points[:, n] ** 2
        found["leak_reversal"] = _LOWEST_REVERSAL + (_HIGHEST_REVERSAL - _LOWEST_REVERSAL) * points[:, n + 1]
        if self._shift:
            found["egl19_shift"] = self._shift * points[:, n + 2]
        return found

    def encode(self, values: Mapping[str, float]) -> np.ndarray:
        """The point of the cube that decodes to these values [nS, mV]; what is not named is 0, or mid-cube."""
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
        # The plain start of a step is no spike, nor is a slow drift: what counts lies between.
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
        """Deviations of candidates from all that is wanted of them, each over what is tolerated.

        Args:
            points: shape (n, parameters); at most as many as candidates.

        Returns:
            Shape (n, residuals); their squares add up to the misfit, 1 each where a tolerance is just used up.
        """
        # The copies are as many as a generation; a shorter list is filled up.
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
        """A candidate beside the measurements.

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
    """What the measurements leave open around a fit.

    The misfit is taken as quadratic there: residuals are linear in the values over small steps. Only what was
    measured counts, not the pull towards a published model.

    Args:
        fit: the search.
        point: its result.
        step: of the differences, in the unit cube.

    Returns:
        Name -> standard deviation [nS or mV]; the eigenvalues of the curvature in the unit cube, largest first
        (an eigenvalue below 12 is a direction that the cube holds more than the data do); its eigenvectors as
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
    # The cube itself is known: a variance of 1/12 along each side.
    covariance = np.linalg.inv(curvature + 12.0 * np.eye(n))
    spread = np.sqrt(np.diag(covariance))
    low, high = (fit.decode(np.clip(point + sign * spread, 0.0, 1.0)[None]) for sign in (-1.0, 1.0))
    values, vectors = np.linalg.eigh(curvature)
    deviations = {name: float(abs(high[name][0] - low[name][0]) / 2.0) for name in fit.names}
    return deviations, values[::-1], vectors[:, ::-1]
