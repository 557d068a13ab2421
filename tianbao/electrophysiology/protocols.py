"""Protocols for a patched neuron: currents or voltages in epochs, one level per sweep."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real

from ..errors import ConfigError, shorten

_LARGEST = 1e9  # of a level [pA or mV] or a duration [ms]


@dataclass(frozen=True)
class Epoch:
    """A period of constant command.

    Attributes:
        duration: [ms]
        levels: command of each sweep [pA or mV]; a single level applies to all sweeps.
    """

    duration: float
    levels: tuple[float, ...]


@dataclass(frozen=True)
class Protocol:
    """A sequence of epochs.

    Attributes:
        mode: "current", levels in pA, or "voltage", levels in mV.
        epochs: at least one.
        measured: number of the epoch that measures are taken in.

    Raises:
        ConfigError: for an empty protocol, a duration that is not positive, a level that is not a number, or
            epochs that disagree about the number of sweeps.
    """

    mode: str
    epochs: tuple[Epoch, ...]
    measured: int = 1

    def __post_init__(self) -> None:
        if self.mode not in ("current", "voltage"):
            raise ConfigError(f"protocol mode '{shorten(self.mode)}': it must be 'current' or 'voltage'")
        if not isinstance(self.epochs, (tuple, list)) or not all(isinstance(each, Epoch) for each in self.epochs):
            raise ConfigError(f"a protocol is made of epochs, not of {shorten(repr(self.epochs))}")
        if not self.epochs or not 0 <= self.measured < len(self.epochs):
            raise ConfigError(f"a protocol of {len(self.epochs)} epochs has no epoch {self.measured} to measure in")
        counts = {len(each.levels) for each in self.epochs} - {1}
        if len(counts) > 1 or 0 in counts:
            raise ConfigError("every epoch of a protocol needs one level, or as many as there are sweeps")
        for each in self.epochs:
            if not (_is_number(each.duration) and each.duration > 0):
                raise ConfigError(f"an epoch of {shorten(each.duration)} ms: its duration must be a positive number")
            if not all(_is_number(level) for level in each.levels):
                raise ConfigError(f"levels {shorten(each.levels)}: every level of a protocol must be a number")

    @property
    def sweeps(self) -> int:
        """Number of sweeps."""
        return max(len(each.levels) for each in self.epochs)

    @property
    def duration(self) -> float:
        """Of one sweep [ms]."""
        return sum(each.duration for each in self.epochs)

    @property
    def onset(self) -> float:
        """Start of the epoch that measures are taken in [ms]."""
        return sum(each.duration for each in self.epochs[: self.measured])

    def levels(self, epoch: int) -> tuple[float, ...]:
        """Command of every sweep in one epoch [pA or mV]."""
        levels = self.epochs[epoch].levels
        return levels if len(levels) == self.sweeps else levels * self.sweeps


def current_steps(
    amplitudes: Iterable[float], delay: float = 980.0, duration: float = 5000.0, after: float = 500.0
) -> Protocol:
    """A family of current steps from rest.

    Args:
        amplitudes: [pA], one per sweep.
        delay, duration, after: before, in and after the step [ms].
    """
    steps = Epoch(duration, _levels(amplitudes))
    return Protocol("current", (Epoch(delay, (0.0,)), steps, Epoch(after, (0.0,))))


def current_pulses(amplitudes: Iterable[float], duration: float = 50.0, pause: float = 1500.0) -> Protocol:
    """Brief pulses in one sweep, each followed by a pause without current, to test which of its states a cell keeps.

    Args:
        amplitudes: [pA], one per pulse.
        duration: of a pulse [ms].
        pause: before the first pulse and after each [ms].
    """
    epochs = [Epoch(pause, (0.0,))]
    for each in _levels(amplitudes):
        epochs += [Epoch(duration, (each,)), Epoch(pause, (0.0,))]
    return Protocol("current", tuple(epochs))


def voltage_steps(
    levels: Iterable[float], hold: float = -60.0, delay: float = 100.0, duration: float = 1000.0, after: float = 50.0
) -> Protocol:
    """A family of voltage steps from a holding potential.

    Args:
        levels: [mV], one per sweep.
        hold: [mV]
        delay, duration, after: before, in and after the step [ms].
    """
    steps = Epoch(duration, _levels(levels))
    return Protocol("voltage", (Epoch(delay, (hold,)), steps, Epoch(after, (hold,))))


def _levels(values: Iterable[float] | float) -> tuple[float, ...]:
    """Levels as numbers; one number is one sweep."""
    values = [values] if isinstance(values, (str, int, float)) else values
    try:
        levels = tuple(values)
    except TypeError:
        levels = (values,)
    if not all(_is_number(each) for each in levels):
        raise ConfigError(f"levels {shorten(values)}: every level of a protocol must be a number")
    return tuple(map(float, levels))


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and abs(value) <= _LARGEST
