"""The adjoint of the native engine tick by tick, for loops that close outside of it.

`Adjoint.run` takes a whole run whose inputs are given. In the closed loop the inputs of a tick follow from what the
brain did before, so whoever closes the loop takes the ticks forwards itself, saves a state now and then, and walks
back one tick at a time: `replay` some ticks from a saved state, then `back` through each of them, last first. Between
two calls of `back`, anything that read the brain's state may add its derivative to `voltage_bar` and `state_bar`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

from ..errors import ConfigError
from .adjoint import Adjoint
from .flat import FlatBrain

_I, _P = ctypes.c_int64, ctypes.c_void_p


class TickAdjoint(Adjoint):
    """Walks back through ticks of a brain that somebody else has advanced.

    Args:
        brain: of precision "f64"; it must have been started.
        steps: of the engine in each tick.
        most: ticks that one `replay` takes at most; the tape holds one row per step of them.

    Attributes:
        voltage_bar: derivative of the loss with respect to the voltages after the tick that `back` takes next, in the
            order of `FlatBrain.voltage` [1/mV]; changed in place.

    Raises:
        ConfigError: for a brain of another precision.
        MechanismError: for a mechanism that has no adjoint.
    """

    def __init__(self, brain: FlatBrain, steps: int, most: int) -> None:
        super().__init__(brain)
        self._brain, self._steps_of_tick, self._most = brain, steps, most
        struct = brain.struct
        self._sweep.row = self._size + (1 + struct.corrections) * struct.nodes + 2 * (struct.ions + 1)
        self._sweep.every = 1  # without outputs, nothing is recorded
        self._tape = np.empty((0, 0))
        self._replayed: list[tuple[np.ndarray, np.ndarray, float]] = []
        self.voltage_bar = self.over_nodes["v"]

    @property
    def row(self) -> int:
        """Length of a saved state."""
        return self._size

    def state_bar(self, group: int, state: str) -> np.ndarray:
        """As `voltage_bar`, with respect to a state of all instances of a group of `NativeNetwork.groups`."""
        return self.bars[group][state]

    def save(self, out: np.ndarray) -> None:
        """Copy all that the brain takes from one step to the next into a row, shape (row,)."""
        self._library.save(ctypes.byref(self._sweep), _P(out.ctypes.data))

    def clear(self) -> None:
        """Set all derivatives to 0, before the last tick."""
        for array in (*self.over_nodes.values(), *self._shared, *(a for bars in self.bars for a in bars.values())):
            array[:] = 0.0

    def replay(
        self, saved: np.ndarray, time: float, external: Sequence[np.ndarray], current: Sequence[np.ndarray]
    ) -> None:
        """Repeat ticks from a saved state, with a tape; the brain is then where they end, to the same bits.

        Args:
            saved: what `save` has filled, shape (row,).
            time: of it [ms].
            external: what POINTERs read in each tick, shape (ticks, external).
            current: of every IClamp in each tick [nA], shape (ticks, clamps).

        Raises:
            ConfigError: for more ticks than the tape holds.
        """
        if len(external) > self._most:
            raise ConfigError(f"replay of {len(external)} ticks: the tape holds {self._most}")
        if not self._tape.size:
            self._tape = np.empty((self._most * self._steps_of_tick + 1, self._sweep.row))
        self._library.restore(ctypes.byref(self._sweep), _P(saved.ctypes.data))
        brain, self._replayed = self._brain, []
        brain.struct.t = time
        for tick, inputs in enumerate(zip(external, current, strict=True)):
            self._replayed.append((*inputs, brain.struct.t))
            brain.external[:], brain.clamp_current[:] = inputs
            self._library.forward(*self._both(), _I(self._steps_of_tick), _P(self._at(tick)))

    def _at(self, tick: int) -> int:
        return self._tape[tick * self._steps_of_tick :].ctypes.data

    def back(self, external_bar: np.ndarray, current_bar: np.ndarray) -> None:
        """Go back through the last replayed tick that is left; the derivatives are then those before it.

        Args:
            external_bar: gains the derivative with respect to what POINTERs read in it, shape (external,).
            current_bar: gains that with respect to the current of every IClamp in it [1/nA], shape (clamps,).

        Raises:
            ConfigError: if no replayed tick is left.
        """
        if not self._replayed:
            raise ConfigError("no tick to go back through: call `replay` first")
        sweep, brain = self._sweep, self._brain
        brain.external[:], brain.clamp_current[:], brain.struct.t = self._replayed.pop()
        sweep.external, sweep.clamp = external_bar.ctypes.data, current_bar.ctypes.data
        sweep.step = self._steps_of_tick
        self._library.backward(*self._both(), _I(self._steps_of_tick), _P(self._at(len(self._replayed))))

    def finish(self, saved: np.ndarray, external: np.ndarray) -> None:
        """From the derivatives at the start of the run to those of parameters, in `bars`, and of voltages there.

        Args:
            saved: the state at the start, shape (row,).
            external: what POINTERs read there, shape (external,).
        """
        self._library.restore(ctypes.byref(self._sweep), _P(saved.ctypes.data))
        self._brain.struct.t = 0.0
        self._brain.external[:] = external
        self._library.finish(*self._both())
