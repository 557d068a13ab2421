"""Losses on a recorded run whose derivatives are known: speed, distance, a wave, a kymograph, a recorded voltage.

A loss is called with a `Rollout` and returns its value and its derivatives with respect to what it depends on, arrays
of the shapes that the rollout has. Losses add up and are multiplied by numbers: `DistanceTo(p) - 0.1 * ForwardSpeed()`.
Any function of a rollout that returns the same pair is a loss, too.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..anatomy import match_neurons
from ..errors import ConfigError
from ..loop import Simulation
from ..rows import number
from ..units import MS_PER_S
from .closed_loop import ClosedLoop, Rollout

Weights = dict[str, np.ndarray]


class Loss(ABC):
    """What a gradient is taken of.

    Attributes:
        unit: of its value.
    """

    unit = "-"

    @abstractmethod
    def __call__(self, rollout: Rollout) -> tuple[float, Weights]:
        """The value, and its derivatives by name of what they are with respect to.

        Raises:
            ConfigError: for a run that is too short, or does not hold what the loss is about.
        """

    def __add__(self, other: Loss) -> Loss:
        return _Sum(((1.0, self), (1.0, other)))

    def __sub__(self, other: Loss) -> Loss:
        return _Sum(((1.0, self), (-1.0, other)))

    def __mul__(self, factor: float) -> Loss:
        return _Sum(((number(factor, "loss", "factor"), self),))

    __rmul__ = __mul__

    def __neg__(self) -> Loss:
        return -1.0 * self


@dataclass(frozen=True)
class _Sum(Loss):
    """Losses times numbers, added up."""

    parts: tuple[tuple[float, Loss], ...]

    @property
    def unit(self) -> str:
        """That of the parts where they agree; numbers of different units can only be added as numbers."""
        units = {each.unit for _, each in self.parts}
        return units.pop() if len(units) == 1 else "mixed"

    def __call__(self, rollout: Rollout) -> tuple[float, Weights]:
        total, weights = 0.0, {}
        for factor, loss in self.parts:
            value, found = loss(rollout)
            total += factor * value
            for name, each in found.items():
                weights[name] = weights.get(name, 0.0) + factor * each
        return total, weights


@dataclass(frozen=True)
class ForwardSpeed(Loss):
    """Mean velocity of the centroid along the direction from tail to head [mm/s], as in `Gait`, but at every tick.

    Attributes:
        after, until: part of the run that counts [ms].
    """

    after: float = 0.0
    until: float = math.inf
    unit = "mm/s"

    def __call__(self, rollout: Rollout) -> tuple[float, Weights]:
        """See Loss."""
        first, end = window(rollout, self.after, self.until)
        time, line = rollout.time[first:end] / MS_PER_S, rollout.midline[first:end]
        axis = line[:, 0] - line[:, -1]
        size = np.linalg.norm(axis, axis=1, keepdims=True)
        towards = axis / size
        velocity = np.diff(line.mean(axis=1), axis=0) / np.diff(time)[:, None]
        along = 0.5 * (towards[1:] + towards[:-1])
        share = 1.0 / (end - 1 - first)
        value = float((velocity * along).sum() * share)
        weights = np.zeros_like(rollout.midline)
        late = weights[first:end]
        moved = share * along / np.diff(time)[:, None] / line.shape[1]
        late[1:] += moved[:, None]
        late[:-1] -= moved[:, None]
        turned = np.zeros_like(axis)
        turned[1:] += 0.5 * share * velocity
        turned[:-1] += 0.5 * share * velocity
        turned = (turned - (turned * towards).sum(axis=1, keepdims=True) * towards) / size
        late[:, 0] += turned
        late[:, -1] -= turned
        return value, {"midline": weights}


@dataclass(frozen=True)
class DistanceTo(Loss):
    """Distance of the centroid from a place at the end of the run [mm].

    Attributes:
        place: x, y and, unless it is 0, z [mm].
    """

    place: Sequence[float]
    unit = "mm"

    def __call__(self, rollout: Rollout) -> tuple[float, Weights]:
        """See Loss."""
        place = np.asarray(self.place, float)
        if place.shape not in ((2,), (3,)) or not np.isfinite(place).all():
            raise ConfigError(f"loss: place = {self.place} must be two or three coordinates [mm]")
        away = rollout.midline[-1].mean(axis=0) - np.resize(np.append(place, 0.0), 3)
        value = float(np.linalg.norm(away))
        weights = np.zeros_like(rollout.midline)
        weights[-1] = away / max(value, 1e-12) / rollout.midline.shape[1]
        return value, {"midline": weights}


@dataclass(frozen=True)
class CurvatureMatch(Loss):
    """Mean squared deviation of kappa L from a given kymograph [-].

    Attributes:
        time: of the rows of the kymograph [ms], increasing, shape (rows,); what lies outside is left out.
        positions: body coordinates of its columns [-], increasing, shape (columns,).
        bend: kappa L, positive to dorsal, shape (rows, columns).
    """

    time: np.ndarray
    positions: np.ndarray
    bend: np.ndarray

    def __call__(self, rollout: Rollout) -> tuple[float, Weights]:
        """See Loss."""
        time, places, bend = (np.asarray(each, float) for each in (self.time, self.positions, self.bend))
        if bend.shape != (len(time), len(places)):
            raise ConfigError(f"loss: the kymograph has shape {bend.shape}; give {(len(time), len(places))}")
        rows = (rollout.time >= time[0]) & (rollout.time <= time[-1])
        columns = (rollout.positions >= places[0]) & (rollout.positions <= places[-1])
        if not (rows.any() and columns.any()):
            raise ConfigError("loss: the kymograph shares no time or no part of the body with the run")
        at = np.array([np.interp(rollout.positions[columns], places, each) for each in bend])
        wanted = np.array([np.interp(rollout.time[rows], time, each) for each in at.T]).T
        weights = np.zeros_like(rollout.curvature)
        there = np.ix_(rows, columns)
        off = rollout.curvature[there] - wanted
        weights[there] = 2.0 * off / off.size
        return float((off**2).mean()), {"curvature": weights}


@dataclass(frozen=True)
class TravellingWave(Loss):
    """How far the bends are from a wave that travels to the tail, whatever its phase [kappa L squared].

    With A the amplitude of the wave of this frequency and length that fits the bends best (least squares), it is the
    mean square of what that wave leaves over, plus half the square of A less the wanted amplitude.

    Attributes:
        frequency: [Hz]
        wavelength: in body lengths [L].
        amplitude: of kappa L [-].
        after: what comes before is left out [ms].
        front, back: part of the body that counts [L].
    """

    frequency: float
    wavelength: float
    amplitude: float
    after: float = 0.0
    front: float = 0.15
    back: float = 0.85

    def __call__(self, rollout: Rollout) -> tuple[float, Weights]:
        """See Loss."""
        first, _ = window(rollout, self.after)
        columns = np.flatnonzero((rollout.positions >= self.front) & (rollout.positions <= self.back))
        there = np.ix_(range(first, len(rollout.time)), columns)
        bend = rollout.curvature[there]
        turns = rollout.time[first:, None] / MS_PER_S * self.frequency - rollout.positions[columns] / self.wavelength
        basis = np.array([np.cos(2.0 * np.pi * turns), np.sin(2.0 * np.pi * turns)]).reshape(2, -1)
        overlap = basis @ basis.T
        parts = np.linalg.solve(overlap, basis @ bend.ravel())
        found = float(np.hypot(*parts))
        left = bend - (parts @ basis).reshape(bend.shape)
        value = float((left**2).mean()) + 0.5 * (found - self.amplitude) ** 2
        # The best wave leaves the least over, so that a small change of its parts does not count there.
        by_parts = (found - self.amplitude) * parts / max(found, 1e-12)
        weights = np.zeros_like(rollout.curvature)
        weights[there] = 2.0 * left / left.size + (np.linalg.solve(overlap, by_parts) @ basis).reshape(bend.shape)
        return value, {"curvature": weights}


@dataclass(frozen=True)
class VoltageMatch(Loss):
    """Mean squared deviation of somatic voltages from given traces [mV2].

    Attributes:
        time: of the traces [ms], increasing, shape (samples,).
        traces: neuron -> voltage [mV], shape (samples,).
    """

    time: np.ndarray
    traces: Mapping[str, np.ndarray]
    unit = "mV2"

    def __call__(self, rollout: Rollout) -> tuple[float, Weights]:
        """See Loss."""
        time = np.asarray(self.time, float)
        rows = np.flatnonzero((rollout.time >= time[0]) & (rollout.time <= time[-1]))
        if not len(rows) or not self.traces:
            raise ConfigError("loss: the traces share no time with the run, or there are none")
        weights, total = np.zeros_like(rollout.voltage), 0.0
        for name, trace in self.traces.items():
            column = rollout.neurons.index(*match_neurons(name))
            off = rollout.voltage[rows, column] - np.interp(rollout.time[rows], time, trace)
            weights[rows, column] += 2.0 * off / (len(rows) * len(self.traces))
            total += float((off**2).mean()) / len(self.traces)
        return total, {"voltage": weights}


def window(rollout: Rollout, after: float, until: float = math.inf) -> tuple[int, int]:
    """First row that counts, and the one after the last.

    Args:
        rollout: of the run.
        after, until: part of the run that counts [ms].

    Raises:
        ConfigError: if fewer than two moments are left.
    """
    first = int(np.searchsorted(rollout.time, number(after, "loss", "after", "ms")))
    end = int(np.searchsorted(rollout.time, until, side="right"))
    if first > end - 2:
        raise ConfigError(f"loss: nothing of the run of {rollout.time[-1]:g} ms lies in {after:g} to {until:g} ms")
    return first, end


def recorded(sim: Simulation, duration: float, current: np.ndarray | None = None) -> Rollout:
    """Run a simulation and keep what a loss can depend on, without a gradient.

    Args:
        sim: as for `tianbao.gradient`.
        duration: [ms], a whole number of ticks.
        current: into every soma in each tick [nA], shape (ticks, neurons).

    Raises:
        ConfigError, DivergedError: as `tianbao.gradient`.
    """
    return ClosedLoop(sim, duration, current).rollout
