"""Many copies of one neuron simulated at once with the native engine, for searches over conductances.

Copies differ in their conductances and in the applied current or voltage. The engine
treats them as one network of unconnected cells, so that a sweep of six seconds takes
milliseconds on one core.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .. import anatomy, mechanisms
from ..cells.channels import COUPLED
from ..cells.geometry import constants, geometry
from ..cells.membrane import insert_membrane
from ..cells.templates import Membrane
from ..units import NA_PER_PA, PF_PER_UM2_AT_1_UF_CM2, US_PER_NS, density_s_per_cm2

# [nS] Keeps a channel in the engine even if a candidate does not have it.
_NEARLY_NONE = 1e-9
_PF_PER_NF = 1e3
# [uS] Between a clamped soma and its command: 1 nA moves it by 0.01 mV.
_CLAMP_CONDUCTANCE = 100.0


class CellCopies:
    """Copies of one neuron with its traced morphology and active channels in the soma.

    Args:
        neuron: name.
        count: how many copies.
        channels: conductances that may differ from 0, named as in `Membrane.conductances`.
        kinetics: kinetic constants that differ from set C19, as `Membrane.kinetics`.
        varied: kinetic constants that may differ between copies, such as "kqt3.tau_scale".

    Attributes:
        count: how many copies.
        area: membrane of one [um2].
        capacitance: of one [pF].
    """

    def __init__(
        self,
        neuron: str,
        count: int,
        channels: tuple[str, ...],
        kinetics: Mapping[str, Mapping[str, float]] | None = None,
        varied: tuple[str, ...] = (),
    ) -> None:
        mechanisms.load()
        from ..engine.native import NativeBrain
        from .sections import build

        cell = geometry(anatomy.morphology(neuron), soma_compartments=1)
        self.count, self.area = count, cell.area
        self.capacitance = cell.area * constants()["membrane_capacitance"] * PF_PER_UM2_AT_1_UF_CM2
        self._soma_area = cell.cables[0].lateral_area()
        membrane = Membrane(
            template="copies",
            conductances=dict.fromkeys(channels, _NEARLY_NONE),
            kinetics=dict(kinetics or {}),
            egl19_shift=0.0,
            leak=_NEARLY_NONE,
            leak_reversal=0.0,
            reference_capacitance=self.capacitance,
        )
        sections = cell.netpyne_sections()
        insert_membrane(sections, cell, membrane, exponent=1.0)
        built = [build(sections, f"{neuron}_{k}") for k in range(count)]
        self._sections = [section for each in built for section in each.values()]
        self._somas = [each["soma"](0.5) for each in built]
        self._clamps = [_current_clamp(soma) for soma in self._somas]
        self._native = NativeBrain(self._sections)
        segments = [segment for section in self._sections for segment in section]
        self._nodes = self._native.nodes(segments).reshape(count, -1)
        self._soma_nodes = self._native.nodes(self._somas)
        self._soma_capacitance = self._native.network.capacitance[self._soma_nodes].copy()
        self._areas = np.array([segment.area() for segment in segments]).reshape(count, -1)
        order = {clamp: k for k, clamp in enumerate(self._native.clamp_objects)}
        self._clamp_order = np.array([order[clamp] for clamp in self._clamps], int)
        self._targets = {name: self._field(*COUPLED.get(name, (name, "gbar"))) for name in channels}
        self._varied = {name: self._field(*name.split(".")) for name in varied}
        shifted = {COUPLED.get(name, (name,))[0] for name in channels} & {"egl19", "slo1", "slo2"}
        self._charged: dict[tuple[float, float, float], np.ndarray] = {}
        self._shifts = [self._field(channel, "shift") for channel in sorted(shifted)]

    def _field(self, mechanism: str, name: str) -> list[tuple[np.ndarray, np.ndarray]]:
        """The engine's arrays of one value, each with the copy that every entry belongs to."""
        owner = {soma: k for k, soma in enumerate(self._somas)}
        objects, arrays = self._native.values(mechanism, name)
        copies = np.array([owner[each] for each in objects], int)
        cuts = np.cumsum([len(each) for each in arrays])[:-1]
        return list(zip(arrays, np.split(copies, cuts), strict=True))

    def set(
        self,
        conductances: Mapping[str, np.ndarray],
        leak: np.ndarray,
        leak_reversal: np.ndarray,
        egl19_shift: np.ndarray | float = 0.0,
        pipette: np.ndarray | float = 0.0,
        varied: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Set the membrane of every copy.

        Args:
            conductances: total of each channel [nS], each of shape (count,).
            leak: total [nS], shape (count,).
            leak_reversal: [mV], shape (count,).
            egl19_shift: shift of EGL-19's gates [mV].
            pipette: capacitance that the pipette adds at the soma [pF].
            varied: those named at the start, each of shape (count,).
        """
        added = np.broadcast_to(pipette, self.count) / _PF_PER_NF
        self._native.network.capacitance[self._soma_nodes] = self._soma_capacitance + added
        for name, targets in self._targets.items():
            density = density_s_per_cm2(np.maximum(conductances[name], _NEARLY_NONE), self._soma_area)
            for array, copy in targets:
                array[:] = density[copy]
        for name, values in (varied or {}).items():
            for array, copy in self._varied[name]:
                array[:] = values[copy]
        shift = np.broadcast_to(egl19_shift, self.count)
        for targets in self._shifts:
            for array, copy in targets:
                array[:] = shift[copy]
        leak = np.asarray(leak)[:, None] * US_PER_NS * self._areas / self.area
        self._native.leak_conductance[self._nodes] = leak
        self._native.leak_current[self._nodes] = leak * np.asarray(leak_reversal)[:, None]

    def current_clamp(
        self, phases: list[tuple[float, np.ndarray]], dt: float, every: int = 1, start: float = -60.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Voltage of the soma under currents.

        Args:
            phases: durations [ms] and currents [pA], shape (count,), in sequence.
            dt: step [ms].
            every: keep every n-th step.
            start: initial voltage of cells and gates [mV].

        Returns:
            Time [ms], shape (samples,), and voltage [mV], shape (samples, count).
        """
        record = self._start(dt, start, max(round(each / dt) for each, _ in phases))
        kept = []
        for duration, current in phases:
            steps = round(duration / dt)
            self._native.clamp_current[self._clamp_order] = np.asarray(current) * NA_PER_PA
            self._native.advance(steps)
            kept.append(record[every - 1 : steps : every].copy())
        voltage = np.concatenate(kept)
        return np.arange(1, len(voltage) + 1) * every * dt, voltage

    def voltage_clamp(
        self, levels: np.ndarray, duration: float, hold: float, dt: float, after: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Current of a clamp that steps the soma from a long holding potential to a level, without capacitive current.

        Args:
            levels: [mV], shape (count,).
            duration: of the step [ms].
            hold: holding potential, from which cells and gates start and to which they return [mV].
            dt: step [ms].
            after: time after the step [ms].

        Returns:
            Time [ms], shape (samples,), and current [pA], outward positive, shape (samples, count).
        """
        time, current = self._clamped(levels, duration, hold, dt, after)
        return time, current - self._charging(duration, dt, after)[:, None] * (levels - hold)

    def _charging(self, duration: float, dt: float, after: float) -> np.ndarray:
        """Capacitive current per voltage step of a cell without conductances [pA/mV], shape (samples,)."""
        if (duration, dt, after) not in self._charged:
            kept = [(each, each.copy()) for each in self._arrays()]
            for array, _ in kept[:-1]:
                array[:] = 0.0
            # Not beyond the nodes of the cells: what pads the engine's rows needs its conductance.
            self._native.leak_conductance[self._nodes] = 0.0
            _, current = self._clamped(np.ones(self.count), duration, 0.0, dt, after)
            for array, before in kept:
                array[:] = before
            self._charged[duration, dt, after] = current[:, 0]
        return self._charged[duration, dt, after]

    def _arrays(self) -> list[np.ndarray]:
        """Every conductance that `set` writes, in the engine's own arrays."""
        own = [array for targets in self._targets.values() for array, _ in targets]
        return [*own, self._native.leak_current, self._native.leak_conductance]

    def _clamped(
        self, levels: np.ndarray, duration: float, hold: float, dt: float, after: float
    ) -> tuple[np.ndarray, np.ndarray]:
        conductance = self._native.leak_conductance
        # Kept and put back, not subtracted again: round-off would stay behind in what runs next.
        kept = conductance[self._soma_nodes]
        conductance[self._soma_nodes] += _CLAMP_CONDUCTANCE
        phases = [(round(duration / dt), np.asarray(levels, float)), (round(after / dt), np.full(len(levels), hold))]
        record = self._start(dt, hold, max(steps for steps, _ in phases))
        flowing = []
        for steps, command in phases:
            self._native.clamp_current[self._clamp_order] = _CLAMP_CONDUCTANCE * command
            self._native.advance(steps)
            flowing.append(_CLAMP_CONDUCTANCE * (command - record[:steps]) / NA_PER_PA)
        conductance[self._soma_nodes] = kept
        found = np.concatenate(flowing)
        return np.arange(1, len(found) + 1) * dt, found

    def _start(self, dt: float, voltage: float, steps: int) -> np.ndarray:
        for section in self._sections:
            section.v = voltage
        self._native.start(dt)
        return self._native.watch(self._somas, steps)


def _current_clamp(segment):
    from neuron import h

    clamp = h.IClamp(segment)
    clamp.delay, clamp.dur, clamp.amp = 0.0, 1e12, 0.0
    return clamp
