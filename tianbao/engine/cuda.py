"""Many brains of one nervous system side by side on a graphics card, a block of threads per worm.

The code is that of the C engine: the same generated functions and kernel.c, looped over by block.c.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping

import numpy as np

from ..cells.temperature import RATE, reference
from ..errors import ConfigError
from .block import PER_WORM, Place, Plan, memory, sources
from .brain import LEAD, METHODS
from .compiled_brain import CompiledNervousSystem
from .device import Device

_SPARE = 64 << 20  # [bytes], assumed: what the driver keeps for launches
_AT_ONCE = 64 << 20  # [bytes] of states that are made or copied at a time


class CudaBrains:
    """Brains of worms with equal nervous systems, advanced together.

    Each worm has inputs, currents and initial voltages of its own; temperature, step and parameters are one for all.

    Args:
        compiled: their nervous system, laid out for "f64" or "f32".
        worms: how many.
        device: what they run on, these brains alone; the first graphics card when None.

    Attributes:
        inputs: what receptors read, shape (worms, inputs); written by the caller.
        current: into every soma [nA], shape (worms, neurons); written by the caller.
        activation: of every muscle [-], shape (worms, 95); valid after `start` and `advance`.
        voltage: of every soma [mV], shape (worms, neurons); valid likewise.

    Raises:
        ConfigError: without a card, driver or NVRTC, with too little memory, or for rates from tables.
    """

    def __init__(self, compiled: CompiledNervousSystem, worms: int, device: Device | None = None) -> None:
        network = compiled.network
        if network.tables:
            raise ConfigError("a graphics card has no rates from tables: choose precision 'f64' or 'f32'")
        if worms < 1:
            raise ConfigError(f"{worms} worms on a graphics card: there must be at least 1")
        self.compiled, self.worms = compiled, worms
        self.device: Device = device if device is not None else _card()
        self.plan = Plan(network)
        activations = self.plan.field(compiled.muscle_group, "a")
        voltage = self.plan.states["voltage"]
        self.plan.fetch(np.concatenate([voltage.start + compiled.soma, activations.start + compiled.muscle]))
        weakref.finalize(self, self.device.close)
        self._allocate()
        self.device.load(sources(network), "double" if network.dtype == np.float64 else "float")
        self._upload_constants()
        self.inputs = np.zeros((worms, network.extract.external))
        self.current = np.zeros((worms, len(compiled.clamp)))
        self.voltage = np.zeros((worms, len(compiled.soma)))
        self.activation = np.zeros((worms, len(compiled.muscle)))
        self._clamps = np.tile(network.clamp_amplitude.astype(network.dtype), (worms, 1))
        self._sent = {
            name: np.zeros((worms, self.plan.regions[name].size), network.dtype)
            for name in ("external", "clamp", "output")
        }
        self._dt, self._steps, self._time = 0.0, 0, 0.0

    # --- memory

    def _allocate(self) -> None:
        plan, device = self.plan, self.device
        shared, own = memory(plan)
        room = device.free() - shared - _SPARE
        if own * self.worms > room:
            raise ConfigError(
                f"{device.name} has room for {max(0, room // own)} worms of {own / 1e6:.2f} MB each, not for "
                f"{self.worms}: take fewer at a time, or precision 'f32'"
            )
        self._base = {
            name: device.allocate(max(1, each.bytes * (self.worms if name in PER_WORM else 1)))
            for name, each in plan.regions.items()
        }

    def _upload_constants(self) -> None:
        plan, device, base = self.plan, self.device, self._base
        self._real = plan.regions["real"].content()
        for name in ("index", "time"):
            device.upload(base[name], plan.regions[name].content())
        for name, table in zip(("sharing", "indices"), plan.shared_tables(base), strict=True):
            base[name] = device.allocate(max(1, table.nbytes))
            device.upload(base[name], table)
        fields, sets, _ = plan.worm_tables({**base, "fields": 0, "sets": 0}, self.worms)
        base |= {"fields": device.allocate(fields.nbytes), "sets": device.allocate(sets.nbytes)}
        fields, sets, self._structs = plan.worm_tables(base, self.worms)
        base["brains"] = device.allocate(self._structs.nbytes)
        device.upload(base["fields"], fields)
        device.upload(base["sets"], sets)

    def _parts(self) -> Iterator[tuple[int, int]]:
        """Ranges of worms whose states are made or copied at a time."""
        step = max(1, _AT_ONCE // max(1, self.plan.regions["state"].bytes))
        yield from ((first, min(first + step, self.worms)) for first in range(0, self.worms, step))

    def _states_at(self, first: int) -> int:
        return self._base["state"] + first * self.plan.regions["state"].bytes

    # --- a run

    @property
    def time(self) -> float:
        """Since the start [ms]."""
        return self._time

    def start(self, voltage: np.ndarray, dt: float, order: int, corrections: int = 0, rate: float = 1.0) -> None:
        """Begin a run at time 0 of all worms.

        Args:
            voltage: of every cell [mV], neurons before muscles, shape (worms, cells), or (cells,) for all worms.
            dt: step [ms].
            order, corrections: see `tianbao.Clock`.
            rate: factor on the rates of all gates [-].
        """
        self._set_constants(order, rate)
        network = self.compiled.network
        cells = np.broadcast_to(voltage, (self.worms, np.shape(voltage)[-1]))
        place, at = network.layout.place, self.plan.states["voltage"].start
        there = place >= 0
        blank = self.plan.regions["state"].content()
        for name, place_of, values in self._initial_concentrations():
            blank[self.plan.states[name].start + place_of] = values
        for first, end in self._parts():
            states = np.tile(blank, (end - first, 1))
            states[:, at + place[there]] = cells[first:end][:, self.compiled.cell[there]]
            self.device.upload(self._states_at(first), states)
        one = self._structs
        one["t"], one["step"], one["order"], one["corrections"] = 0.0, dt, order, corrections
        self.device.upload(self._base["brains"], one)
        self._send()
        for entry, blocks in (("prepare_shared", 1), ("start_each", self.worms), ("prepare_shared", 1)):
            self.device.launch(entry, blocks, self._base["brains"])
        self._dt, self._steps, self._time = dt, 0, 0.0
        self._fetch()

    def _set_constants(self, order: int, rate: float) -> None:
        network, plan = self.compiled.network, self.plan
        shared = {**network.extract.shared, "celsius": reference(), LEAD: METHODS[order][1]}
        for kind in network.kinds:
            for k, name in enumerate(kind.mechanism.uniform):
                if name != "dt":
                    full = name if name == "celsius" else f"{name}_{kind.mechanism.name}"
                    self._real[plan.uniform.start + kind.first_uniform + k] = shared[full]
        for k, group in enumerate(network.groups):
            if group.kind.mechanism.follows_temperature:
                self._real[plan.field(k, RATE).items] = rate
        self.device.upload(self._base["real"], self._real)

    def _initial_concentrations(self) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        for group in self.compiled.network.groups:
            for name, values in group.instances.concentration.items():
                yield "concentration", self.compiled.network.slots.index(group.instances, name), values

    def advance(self, time: float) -> None:
        """Integrate every worm to a time [ms], with `inputs` and `current` as they are."""
        self._send()
        done = round(time / self._dt)
        self.device.launch("advance_each", self.worms, self._base["brains"], done - self._steps)
        self._time += (done - self._steps) * float(self._structs["step"][0])
        self._steps = done
        self._fetch()

    def _send(self) -> None:
        external, clamp = self._sent["external"], self._sent["clamp"]
        external[:, self.plan.external.items] = self.inputs
        self._clamps[:, self.compiled.clamp] = self.current
        clamp[:, self.plan.clamp.items] = self._clamps
        self.device.upload(self._base["external"], external)
        self.device.upload(self._base["clamp"], clamp)

    def _fetch(self) -> None:
        output = self._sent["output"]
        self.device.download(output, self._base["output"])
        neurons = self.voltage.shape[1]
        self.voltage[:] = output[:, :neurons]
        self.activation[:] = output[:, neurons : neurons + self.activation.shape[1]]

    # --- states

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that the next step depends on, worms first, `time` [ms] included."""
        width = self.plan.regions["state"].size
        whole = np.zeros((self.worms, width), self.compiled.network.dtype)
        self.device.download(whole, self._base["state"])
        return {"time": np.array(self._time), **{name: whole[:, at.items].copy() for name, at in self._named()}}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from a state, after `start` with the same step; the same steps then give the same bits.

        Raises:
            ConfigError: when it belongs to another network or number of worms.
        """
        places = dict(self._named())
        shapes = {name: (self.worms, each.size) for name, each in places.items()}
        if {"time", *places} != set(state) or any(state[name].shape != each for name, each in shapes.items()):
            raise ConfigError("this state belongs to another network or number of worms: resume it with its own")
        for first, end in self._parts():
            whole = np.zeros((end - first, self.plan.regions["state"].size), self.compiled.network.dtype)
            for name, place in places.items():
                whole[:, place.items] = state[name][first:end]
            self.device.upload(self._states_at(first), whole)
        self._time = float(state["time"])
        self._steps = round(self._time / self._dt)
        self._structs["t"] = self._time
        self.device.upload(self._base["brains"], self._structs)
        self.device.launch("fetch_each", self.worms, self._base["brains"])
        self._fetch()

    def _named(self) -> Iterator[tuple[str, Place]]:
        yield from self.plan.states.items()


def _card() -> Device:
    from .driver import CudaDevice  # with the driver's library, which a processor does without

    return CudaDevice()
