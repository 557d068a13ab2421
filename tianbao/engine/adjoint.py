"""Gradients of a loss on what a run records, by the exact adjoint of the native engine's steps.

A run leaves checkpoints about every square root of its number of steps; `gradient` repeats the steps
between two of them and goes through them backwards (adjoint.c). A gradient is that of the scheme as
it is, step for step, not of the differential equations.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import compiler
from ..errors import ConfigError
from .emit import header
from .emit_adjoint import parameters, reverse
from .kinds import Kind
from .library import SOURCES
from .native import NativeBrain

_SOURCE = Path(__file__).with_name("adjoint.c")
_I, _P = ctypes.c_int64, ctypes.c_void_p
_OVER_NODES = ("v", "x", "d", "b", "first_b", "tick_d", "tick_b", "sum_d", "sum_b", "capacitance")


class _Sweep(ctypes.Structure):
    """As in adjoint.c."""

    _fields_ = [
        *((name, _P) for name in (*_OVER_NODES, "concentration", "ion_current", "ion_slope", "external", "clamp")),
        ("scratch", _P), ("bar", _P), ("states", _I), ("state", _P), ("length", _P), ("row", _I),
        ("outputs", _I), ("every", _I), ("step", _I),
        ("output", _P), ("output_bar", _P), ("record", _P), ("record_bar", _P),
    ]  # fmt: skip


# The latest set of kinds with its library: writing the code takes seconds, and a search asks for it again and again.
_latest: list[tuple[tuple[Kind, ...], tuple[ctypes.CDLL, tuple[int, ...]]]] = []


def _compiled(given: tuple[Kind, ...]) -> tuple[ctypes.CDLL, tuple[int, ...]]:
    """The library of the reverse sweep, and how many numbers per instance each kind keeps outside its loops."""
    for kinds, found in _latest:
        if len(kinds) == len(given) and all(a is b for a, b in zip(kinds, given, strict=True)):
            return found
    _latest[:] = [(given, _written(given))]
    return _latest[0][1]


def _written(given: tuple[Kind, ...]) -> tuple[ctypes.CDLL, tuple[int, ...]]:
    engine = header(list(given))  # first: it numbers the nodes of the graphs that the adjoint grows
    adjoint = reverse(given)
    headers = {"mechanisms.h": engine, "adjoint.h": adjoint.code}
    path = compiler.compiled("adjoint", headers, [*SOURCES, _SOURCE], ["REAL=double"])
    loaded = compiler.opened(path)
    if loaded.size_of_sweep() != ctypes.sizeof(_Sweep):
        raise AssertionError("adjoint.c and adjoint.py disagree about struct Sweep")
    return loaded, adjoint.slots


@dataclass(frozen=True)
class Recorded:
    """What a run recorded, every `every` steps.

    Attributes:
        voltage: of the segments [mV], shape (samples, segments).
        states: one array per recorded state, shape (samples, instances), in the order of `NativeBrain.values`.
    """

    voltage: np.ndarray
    states: list[np.ndarray]


class Gradient:
    """Derivatives of a loss.

    Attributes:
        external: with respect to what POINTERs read, shape (ticks, external).
        clamp_current: with respect to the amplitude of every IClamp [1/nA], shape (ticks, clamps).
    """

    def __init__(self, adjoint: Adjoint, external: np.ndarray, clamp_current: np.ndarray) -> None:
        self.external, self.clamp_current = external, clamp_current
        self._native = adjoint.native
        self._nodes = {name: adjoint.over_nodes[name].copy() for name in ("v", "sum_d", "sum_b", "capacitance")}
        self._sets = [
            (group.kind, adjoint.native.objects(k), {name: bars[name].copy() for name in parameters(group.kind)})
            for k, (group, bars) in enumerate(zip(adjoint.native.network.groups, adjoint.bars, strict=True))
        ]

    def parameter(self, mechanism: str, name: str) -> tuple[list, np.ndarray]:
        """With respect to a RANGE parameter or a reversal, per instance.

        Returns:
            The NEURON objects as `NativeBrain.values` has them, and the derivative for each, shape (instances,).

        Raises:
            ConfigError: if no instance has that parameter.
        """
        objects: list = []
        found: list[np.ndarray] = []
        for kind, own, values in self._sets:
            if kind.mechanism.name == mechanism and name in values:
                objects += own
                found.append(values[name])
        if not objects:
            raise ConfigError(f"the network holds no parameter '{name}' of mechanism '{mechanism}'")
        return objects, np.concatenate(found)

    def by_class(self, mechanism: str, name: str, classes: np.ndarray, factors: np.ndarray | float = 1.0) -> np.ndarray:
        """With respect to parameters that instances share.

        Args:
            mechanism: name of the mechanism.
            name: of the parameter.
            classes: class of each instance, -1 for none, shape (instances,).
            factors: derivative of each instance's value with respect to its class's, shape (instances,).

        Returns:
            One derivative per class, shape (classes,).
        """
        values = self.parameter(mechanism, name)[1] * factors
        there = classes >= 0
        return np.bincount(classes[there], values[there])

    def leak(self, segments: Sequence) -> tuple[np.ndarray, np.ndarray]:
        """With respect to the leak of segments: conductance g [1/uS], and g times its reversal [1/nA].

        With the reversal e held, the derivative with respect to g alone is the first plus e times the second.
        """
        nodes = self._native.nodes(segments)
        return self._nodes["sum_d"][nodes], self._nodes["sum_b"][nodes]

    def capacitance(self, segments: Sequence) -> np.ndarray:
        """With respect to the capacitance of segments [1/nF], shape (segments,)."""
        return self._nodes["capacitance"][self._native.nodes(segments)]

    def start_voltage(self, segments: Sequence) -> np.ndarray:
        """With respect to the voltage of segments at time 0 [1/mV], shape (segments,)."""
        return self._nodes["v"][self._native.nodes(segments)]


class Adjoint:
    """Runs a network and differentiates what it recorded.

    Args:
        native: the network, of precision "f64"; its parameters may change between runs.
        segments: whose voltages are recorded.
        states: (mechanism, state) recorded, of all instances.
        every: record each time after so many steps.

    Limitations:
        No gradient of axial conductances. A parameter that decides which variant of a mechanism an instance is
        (`gbar > 0`) has the derivative of that variant.

    Raises:
        ConfigError: for a network of another precision.
        MechanismError: for a mechanism that has no adjoint.
    """

    def __init__(
        self, native: NativeBrain, segments: Sequence = (), states: Sequence[tuple[str, str]] = (), every: int = 1
    ) -> None:
        if native.network.dtype != np.float64 or native.network.tables:
            raise ConfigError("gradients need a native engine of precision 'f64'")
        for group in native.network.groups:
            variant = group.kind.variant
            for name in set(variant.stored) - {*variant.update, *variant.noted}:
                where = group.kind.mechanism.name
                raise ConfigError(f"gradients do not follow '{name}', which INITIAL of {where} sets")
        self.native = native
        self._library, slots = _compiled(tuple(native.network.kinds))
        self._sweep, self._kept = _Sweep(), []
        self._pieces: list[tuple[int, int, int, float]] = []
        self._fill_bars(slots)
        self._fill_states()
        self._fill_outputs(segments, states)
        self._sweep.every = every

    # --- arrays

    def _zeros(self, name: str, size: int) -> np.ndarray:
        array = self.native.zeros(size)
        setattr(self._sweep, name, array.ctypes.data)
        return array

    def _addresses(self, addresses: Sequence[int]) -> int:
        table = np.array(addresses, np.uintp)
        self._kept.append(table)
        return table.ctypes.data

    def _fill_bars(self, slots: tuple[int, ...]) -> None:
        native, brain = self.native, self.native.struct
        self.over_nodes = {name: self._zeros(name, brain.nodes) for name in _OVER_NODES}
        self._shared = [self._zeros("concentration", len(native.concentration))]
        self._shared += [self._zeros(name, brain.ions + 1) for name in ("ion_current", "ion_slope")]
        self.bars: list[dict[str, np.ndarray]] = []
        tables, scratch = [], 1
        slots_of = {id(kind): count for kind, count in zip(native.network.kinds, slots, strict=True)}
        for group in native.network.groups:
            kind, n = group.kind, len(group)
            used = {*parameters(kind), *kind.states}
            bars = {name: native.zeros(n) for name in kind.fields if name in used}
            self.bars.append(bars)
            tables.append(self._addresses([bars[name].ctypes.data if name in bars else 0 for name in kind.fields]))
            scratch = max(scratch, slots_of[id(kind)] * n)
        self._zeros("scratch", scratch)
        self._sweep.bar = self._addresses(tables)

    def _fill_states(self) -> None:
        """Where the engine keeps its pointers to all that it takes from one step to the next."""
        native, brain = self.native, self.native.struct
        start = ctypes.addressof(brain)
        where = [start + type(brain).v.offset, start + type(brain).concentration.offset]
        length = [brain.nodes, len(native.concentration)]
        for one, group in zip(native.sets, native.network.groups, strict=False):
            fields = group.kind.fields
            where += [one.f + ctypes.sizeof(_P) * fields.index(name) for name in group.kind.states]
            length += [one.n] * len(group.kind.states)
        lengths = np.array(length, np.int64)
        self._kept.append(lengths)
        self._sweep.states, self._sweep.state = len(where), self._addresses(where)
        self._sweep.length = lengths.ctypes.data
        self._size = int(lengths.sum())

    def _fill_outputs(self, segments: Sequence, states: Sequence[tuple[str, str]]) -> None:
        native, sweep = self.native, self._sweep
        nodes = native.nodes(segments) if len(segments) else np.zeros(0, int)
        values = [native.voltage.ctypes.data + 8 * int(node) for node in nodes]
        bars = [self.over_nodes["v"].ctypes.data + 8 * int(node) for node in nodes]
        self._counts = [len(nodes)]
        for mechanism, name in states:
            before = len(values)
            for group, fields, bar in zip(native.network.groups, native.fields, self.bars, strict=True):
                if group.kind.mechanism.name == mechanism and name in group.kind.states:
                    values += [fields[name].ctypes.data + 8 * k for k in range(len(group))]
                    bars += [bar[name].ctypes.data + 8 * k for k in range(len(group))]
            if len(values) == before:
                raise ConfigError(f"the network holds no state '{name}' of mechanism '{mechanism}'")
            self._counts.append(len(values) - before)
        sweep.outputs = len(values)
        sweep.output, sweep.output_bar = self._addresses(values), self._addresses(bars)

    # --- a run and its gradient

    def run(
        self,
        steps: int,
        dt: float,
        order: int = 1,
        corrections: int = 0,
        external: np.ndarray | None = None,
        clamp_current: np.ndarray | None = None,
        tick: int | None = None,
    ) -> Recorded:
        """Take steps from the voltages that NEURON's segments hold, at time 0.

        Args:
            steps: how many.
            dt: step [ms].
            order, corrections: as `NativeBrain.start`.
            external: what POINTERs read in each tick, shape (ticks, external); as it is when None.
            clamp_current: of every IClamp in each tick [nA], shape (ticks, clamps); as it is when None.
            tick: steps per tick; all of them when None.

        Raises:
            ConfigError: for a run without steps, or inputs that have fewer ticks than it.
        """
        if steps < 1:
            raise ConfigError(f"a run of {steps} steps: take at least 1")
        native, tick = self.native, tick or steps
        ticks = -(-steps // tick)
        self._external = native.external[None].repeat(ticks, 0) if external is None else np.array(external, float)
        self._clamp = native.clamp_current[None].repeat(ticks, 0) if clamp_current is None else np.array(clamp_current)
        if min(len(self._external), len(self._clamp)) < ticks:
            raise ConfigError(f"{steps} steps in ticks of {tick} need {ticks} rows of inputs")
        self._set_inputs(0)
        native.start(dt, order, corrections)
        samples = steps // self._sweep.every
        self._record = np.zeros((samples, self._sweep.outputs))
        self._sweep.record, self._sweep.step = self._record.ctypes.data, 0
        self._pieces, self._length = [], math.isqrt(steps)
        self._checkpoints = np.zeros((-(-steps // self._length), self._size))
        for k, checkpoint in enumerate(self._checkpoints):
            self._library.save(ctypes.byref(self._sweep), _P(checkpoint.ctypes.data))
            first, end = k * self._length, min((k + 1) * self._length, steps)
            while first < end:
                count = min(end, (first // tick + 1) * tick) - first
                self._pieces.append((first, count, first // tick, native.time))
                self._forward(self._pieces[-1], None)
                first += count
        voltage, *recorded = self._split(self._record)
        return Recorded(voltage, recorded)

    def _split(self, values: np.ndarray) -> list[np.ndarray]:
        """Voltages and each of the states, as views of one array of all outputs."""
        return np.split(values, np.cumsum(self._counts)[:-1], axis=1)

    def _weights(self, voltage: np.ndarray | None, states: Sequence[np.ndarray | None]) -> np.ndarray:
        """Derivative of the loss with respect to all outputs, shape (samples, outputs)."""
        weights = np.zeros_like(self._record)
        parts = self._split(weights)
        if len(states) >= len(parts):
            raise ConfigError(f"weights for {len(states)} states, and {len(parts) - 1} are recorded")
        for part, given in zip(parts, (voltage, *states), strict=False):
            if given is not None:
                part[:] = given
        return weights

    def _set_inputs(self, tick: int) -> None:
        self.native.external[:] = self._external[tick]
        self.native.clamp_current[:] = self._clamp[tick]

    def _forward(self, piece: tuple[int, int, int, float], tape: np.ndarray | None) -> None:
        first, count, tick, _ = piece
        self._set_inputs(tick)
        where = None if tape is None else tape[first % self._length :].ctypes.data
        self._library.forward(*self._both(), _I(count), _P(where))

    def _both(self):
        return ctypes.byref(self.native.struct), ctypes.byref(self._sweep)

    def gradient(self, voltage: np.ndarray | None = None, states: Sequence[np.ndarray | None] = ()) -> Gradient:
        """Derivatives of a loss on the last run.

        The parameters must be those of that run. Afterwards the network is at the start of the run.

        Args:
            voltage: derivative of the loss with respect to `Recorded.voltage` [1/mV], 0 when None.
            states: derivative with respect to each of `Recorded.states`, 0 when missing or None.

        Raises:
            ConfigError: before any run, or for more states than are recorded.
        """
        if not self._pieces:
            raise ConfigError("no run to differentiate: call `run` before `gradient`")
        weights = self._weights(voltage, states)
        for array in (*self.over_nodes.values(), *self._shared, *(a for bars in self.bars for a in bars.values())):
            array[:] = 0.0
        external, clamp = np.zeros_like(self._external), np.zeros_like(self._clamp)
        sweep, brain = self._sweep, self.native.struct
        sweep.record_bar = weights.ctypes.data
        sweep.row = self._size + (1 + brain.corrections) * brain.nodes + 2 * (brain.ions + 1)
        tape = np.empty((self._length + 1, sweep.row))
        for k in reversed(range(len(self._checkpoints))):
            checkpoint = _P(self._checkpoints[k].ctypes.data)
            pieces = [each for each in self._pieces if each[0] // self._length == k]
            self._library.restore(ctypes.byref(sweep), checkpoint)
            brain.t = pieces[0][3]
            for piece in pieces:
                self._forward(piece, tape)
            for piece in reversed(pieces):
                self._backward(piece, tape, external, clamp)
        self._library.restore(ctypes.byref(sweep), _P(self._checkpoints[0].ctypes.data))
        self._library.finish(*self._both())
        brain.t = 0.0
        return Gradient(self, external, clamp)

    def _backward(self, piece: tuple[int, int, int, float], tape: np.ndarray, external, clamp) -> None:
        first, count, tick, time = piece
        sweep, brain = self._sweep, self.native.struct
        self._set_inputs(tick)
        sweep.external, sweep.clamp = external[tick:].ctypes.data, clamp[tick:].ctypes.data
        sweep.step, brain.t = first + count, time
        where = tape[first % self._length :].ctypes.data
        self._library.backward(*self._both(), _I(count), _P(where))
