"""Brains on a graphics card as the loop sees them: one at a time, while the card advances all of one kind at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import ConfigError
from .compiled_brain import CompiledNervousSystem
from .cuda import CudaBrains


class CardBrain:
    """One worm's brain among those of its kind; see `Brain`. Only all of them together start and advance.

    Attributes:
        inputs, current, activation, voltage: see `Brain`; rows of what all of its kind have.
    """

    def __init__(self, kind: CardKind, number: int) -> None:
        brains = kind.brains
        self.inputs, self.current = brains.inputs[number], brains.current[number]
        self.activation, self.voltage = brains.activation[number], brains.voltage[number]
        self._kind, self._number = kind, number

    @property
    def time(self) -> float:
        """Since the start [ms]."""
        return self._kind.brains.time

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that the next step depends on."""
        return self._kind.state(self._number)

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from a state, once every brain of its kind has been given its own; see `Brain`."""
        self._kind.restore(self._number, state)


class CardKind:
    """All worms of one nervous system.

    Args:
        compiled: their nervous system.
        worms: how many.

    Raises:
        ConfigError: see `CudaBrains`.
    """

    def __init__(self, compiled: CompiledNervousSystem, worms: int) -> None:
        self.brains = CudaBrains(compiled, worms)
        self.members = tuple(CardBrain(self, k) for k in range(worms))
        self._states: dict[str, np.ndarray] | None = None
        self._given: dict[int, Mapping[str, np.ndarray]] = {}

    def start(
        self, voltages: Sequence[np.ndarray], dt: float, order: int, corrections: int, rates: Sequence[float]
    ) -> None:
        """Begin a run at time 0; see `Population.start`.

        Raises:
            ConfigError: for gates that are faster in one worm than in another.
        """
        if len(set(rates)) > 1:
            raise ConfigError("worms on a graphics card have one temperature: run those of another one apart")
        self._states = None
        self.brains.start(np.array(voltages), dt, order, corrections, rates[0])

    def advance(self, time: float) -> None:
        """Integrate all to a time [ms]."""
        self._states = None
        self.brains.advance(time)

    def state(self, number: int) -> dict[str, np.ndarray]:
        """The state of one; those of all are fetched once for a moment."""
        if self._states is None:
            self._states = self.brains.state()
        return {name: (each if name == "time" else each[number]).copy() for name, each in self._states.items()}

    def restore(self, number: int, state: Mapping[str, np.ndarray]) -> None:
        """Take the state of one, and go back to them when all are there."""
        self._given[number] = state
        if len(self._given) < len(self.members):
            return
        given, self._given, self._states = self._given, {}, None
        rows = [given[k] for k in range(len(self.members))]
        names = [name for name in rows[0] if name != "time"]
        try:
            whole = {name: np.stack([each[name] for each in rows]) for name in names}
        except (KeyError, ValueError) as error:
            raise ConfigError("this state belongs to another network: resume it with its own") from error
        self.brains.restore({"time": rows[0]["time"], **whole})
