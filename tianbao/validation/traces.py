"""A recorded cell as fitted, and all members of its ensemble, under the steps that were recorded in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pandas as pd

from ..cells.declared import class_row
from ..cells.ensembles import ensembles
from ..cells.templates import Membrane
from ..electrophysiology.cell import PatchedCell
from ..electrophysiology.copies import CellCopies
from ..electrophysiology.protocols import Protocol, current_steps, voltage_steps
from ..electrophysiology.recordings import CLAMP_DURATION, STEP_DURATION, recordings
from ..electrophysiology.sweeps import Sweeps

_HOLD = -60.0  # mV
_STEP, _BEFORE, _AFTER = 5000.0, 980.0, 1000.0  # ms, of the recorded current steps
_DT, _KEPT = 0.2, 1.0  # ms: step of the members, and of what is kept of their voltage


@dataclass(frozen=True)
class Members:
    """All members of an ensemble under the same steps.

    Attributes:
        time: since the start of the step [ms], shape (samples,).
        values: voltage [mV] or clamp current [pA], shape (samples, members, sweeps).
    """

    time: np.ndarray = field(repr=False)
    values: np.ndarray = field(repr=False)


def template_of(neuron: str) -> str:
    """The template that was fitted to a recorded neuron."""
    return class_row(neuron)["recorded"]


def mode_of(neuron: str) -> str:
    """Clamp in which a neuron was recorded, "CC" or "VC"."""
    table = recordings()
    return str(table[table.cell == neuron]["mode"].iloc[0])


def steps_of(neuron: str) -> tuple[float, ...]:
    """Public steps of a recorded neuron [pA or mV]."""
    table = recordings()
    return tuple(map(float, table[table.cell == neuron].step))


def recorded_neurons() -> tuple[str, ...]:
    """The neurons of the public recordings."""
    return tuple(map(str, recordings().cell.unique()))


def fitted(neuron: str, knock_out: Iterable[str] = ()) -> PatchedCell:
    """The recorded cell as fitted, without what the closed loop changes."""
    return PatchedCell.of_template(neuron, knock_out=knock_out)


def protocol_of(neuron: str, steps: Sequence[float]) -> Protocol:
    """The steps as they were recorded in a neuron, and what follows them."""
    if mode_of(neuron) == "VC":
        return voltage_steps(steps, hold=_HOLD, delay=100.0, duration=CLAMP_DURATION[neuron])
    return current_steps(steps, _BEFORE, STEP_DURATION.get(neuron, _STEP), _AFTER)


@cache
def recorded_sweeps(neuron: str, steps: tuple[float, ...] | None = None) -> Sweeps:
    """A recorded cell as fitted, under its public steps or others [pA or mV]."""
    return fitted(neuron).run(protocol_of(neuron, steps or steps_of(neuron)))


def values_of(run: Sweeps) -> np.ndarray:
    """What is measured: the voltage [mV] under current clamp, else the current [pA], shape (samples, sweeps)."""
    return run.voltage if run.protocol.mode == "current" else run.current


def run_copies(
    neuron: str,
    membranes: Sequence[Membrane],
    levels: Sequence[float],
    run: Callable[[CellCopies, np.ndarray], tuple[np.ndarray, np.ndarray]],
) -> tuple[np.ndarray, np.ndarray]:
    """Many membranes on the tracing of a neuron, each under several levels, in the native engine.

    Args:
        neuron: name.
        membranes: any.
        levels: currents or voltages [pA or mV].
        run: of copies and the level of each copy gives time, shape (samples,), and values, shape (samples, copies).

    Returns:
        Time, and values of shape (samples, membranes, levels).
    """
    groups: dict[str, list[int]] = {}
    for k, each in enumerate(membranes):
        groups.setdefault(repr(each.kinetics), []).append(k)  # kinetics are those of all copies of an engine
    found: list[np.ndarray] = [np.empty(0)] * len(membranes)
    for chosen in groups.values():
        time, values = run(_copies(neuron, [membranes[k] for k in chosen], len(levels)), np.tile(levels, len(chosen)))
        for k, own in zip(chosen, values.reshape(len(time), len(chosen), -1).swapaxes(0, 1), strict=True):
            found[k] = own
    return time, np.stack(found, axis=1)


def _copies(neuron: str, membranes: Sequence[Membrane], levels: int) -> CellCopies:
    """Each membrane once per level, membranes in the outer order."""
    channels = tuple(dict.fromkeys(name for each in membranes for name in each.conductances))
    made = CellCopies(neuron, len(membranes) * levels, channels, membranes[0].kinetics)

    def every(values: Iterable[float]) -> np.ndarray:
        """One value per copy."""
        return np.repeat(list(values), levels)

    made.set(
        {name: every(each.conductances.get(name, 0.0) for each in membranes) for name in channels},
        every(each.leak for each in membranes),
        every(each.leak_reversal for each in membranes),
        every(each.egl19_shift for each in membranes),
        every(each.pipette for each in membranes),
    )
    return made


@cache
def members(neuron: str) -> Members | None:
    """All members of the ensemble of a neuron under its public steps; None if it has none.

    They run in the native engine, all at once; clamp currents end with the step.
    """
    own = ensembles().get(template_of(neuron))
    if own is None:
        return None
    epochs, clamped = protocol_of(neuron, [0.0]).epochs, mode_of(neuron) == "VC"

    def run(made: CellCopies, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The steps of every copy."""
        if clamped:
            return made.voltage_clamp(levels, CLAMP_DURATION[neuron], _HOLD, 0.1)
        phases = [(each.duration, on * levels) for each, on in zip(epochs, (0.0, 1.0, 0.0), strict=True)]
        return made.current_clamp(phases, _DT, every=round(_KEPT / _DT))

    time, values = run_copies(neuron, own, steps_of(neuron), run)
    return Members(time if clamped else time - epochs[0].duration, values)


def window_means(time: np.ndarray, values: np.ndarray, windows: pd.DataFrame) -> np.ndarray:
    """Mean of a trace in each window.

    Args:
        time: since the start of the step [ms], shape (samples,).
        values: shape (samples,).
        windows: rows with start and stop [ms].
    """
    first = np.searchsorted(time, windows.start.to_numpy() - 1e-6)
    last = np.searchsorted(time, windows.stop.to_numpy() - 1e-6)
    return np.array([values[a : max(b, a + 1)].mean() for a, b in zip(first, last, strict=True)])
