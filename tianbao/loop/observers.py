"""Observers of a running loop: one keeps frames, one stops a run that has diverged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np

from ..errors import ConfigError, DivergedError
from ..interventions import to_command
from ..network.inputs import AMINES
from ..recorded import WormTrack
from ..sensing import Sense, TouchSense, endings
from .animal import Animal
from .loop import Loop
from .state import check_like, gathered, part

# No neuron of the worm is ever outside this range [mV]; beyond it the integration has failed.
_PHYSICAL = (-300.0, 300.0)
_LARGEST = 1e12  # [ms], [mm], [mV] in a frame


class Observer(Protocol):
    """What is called between two ticks; it changes nothing in the loop.

    Attributes:
        every: ticks between two calls.
    """

    every: int

    def __call__(self, loop: Loop) -> None:
        """Look at the loop."""


class DivergenceGuard:
    """Ends a run whose voltages or positions have left the physical range.

    Args:
        every: ticks between two checks.
        beside: what a step does beside the worms' interventions, for the message.
    """

    def __init__(self, every: int, beside: str = "") -> None:
        self.every, self._beside = every, beside

    def __call__(self, loop: Loop) -> None:
        """Check the loop.

        Raises:
            DivergedError: if a voltage or a position is not a physical number.
        """
        if not (np.isfinite(loop.body.midline()).all() and np.isfinite(loop.body.dorsal()).all()):
            during = self._during(loop, range(len(loop.animals)))
            raise DivergedError(
                f"the positions of the body are not finite at {loop.time:g} ms{during}; try a shorter tick"
            )
        low, high = _PHYSICAL
        for k, animal in enumerate(loop.animals):
            voltage = animal.brain.voltage
            bad = ~((voltage > low) & (voltage < high))
            if bad.any() or not np.isfinite(animal.brain.activation).all():
                who = animal.design.neurons[int(np.argmax(bad))] if bad.any() else "a muscle"
                whose = f" of worm {k}" if len(loop.animals) > 1 else ""
                when, todo = f"at {loop.time:g} ms{self._during(loop, [k])}", "try a shorter dt, or order 1"
                raise DivergedError(f"the voltage of {who}{whose} is not physical {when}; {todo}")

    def _during(self, loop: Loop, worms: Iterable[int]) -> str:
        """What the experimenter does at this moment, the likeliest cause."""
        on = [
            to_command(each)
            for k in worms
            for each in loop.worms[k].record
            # A check follows what it finds by up to one interval.
            if each.get("start", math.inf) <= loop.time and loop.time - self.every * loop.clock.tick < each["stop"]
        ]
        found = [*dict.fromkeys(on), *filter(None, [self._beside])]
        return f" while these are on: {'; '.join(found)}" if found else ""


class Recorder:
    """Keeps frames of midline, muscle activation and chosen soma voltages of every worm, in arrays laid out once.

    Args:
        loop: that has been reset.
        every: ticks between two frames.
        neurons: whose soma voltages are kept.
        frames: the most that it will hold.
    """

    def __init__(self, loop: Loop, every: int, neurons: Sequence[str], frames: int) -> None:
        self.every = every
        self._neurons = tuple(neurons)
        rings = loop.body.mesh.rings
        self._line, self._side = (np.zeros((len(loop.animals), rings, 3)) for _ in range(2))
        self._time = np.zeros(frames)
        self._columns = [[each.design.neurons.index(name) for name in neurons] for each in loop.animals]
        self._sensed = [_sensed(loop, each) for each in loop.animals]
        self._worms = [
            {
                "midline": np.zeros((frames, rings, 3)),
                "dorsal": np.zeros((frames, rings, 3)),
                "activation": np.zeros((frames, len(each.brain.activation))),
                "voltage": np.zeros((frames, len(neurons))),
                **{name: np.zeros((frames, len(columns))) for name, columns in sensed.items()},
            }
            for each, sensed in zip(loop.animals, self._sensed, strict=True)
        ]
        self._count = 0

    def __call__(self, loop: Loop) -> None:
        """Keep one frame."""
        k = self._count
        loop.body.midline(self._line)
        loop.body.dorsal(self._side)
        self._time[k] = loop.time
        for worm, animal in enumerate(loop.animals):
            kept = self._worms[worm]
            kept["midline"][k] = self._line[worm]
            kept["dorsal"][k] = self._side[worm]
            kept["activation"][k] = animal.brain.activation
            kept["voltage"][k] = animal.brain.voltage[self._columns[worm]]
            for name, columns in self._sensed[worm].items():
                kept[name][k] = animal.inputs(name)[columns]
        self._count += 1

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all frames so far."""
        count, kept = self._count, enumerate(self._worms)
        worms = {str(k): {name: values[:count].copy() for name, values in each.items()} for k, each in kept}
        return {"time": self.time.copy(), **gathered(**worms)}

    def restore(self, state: Mapping[str, np.ndarray], ticks: int, tick: float) -> None:
        """Restore the frames of a state.

        Args:
            state: what `state` gave.
            ticks: that the run has done.
            tick: [ms].

        Raises:
            ConfigError: when they are not those of a run of such worms that has got so far.
        """
        count = ticks // self.every
        if count > len(self._time):
            raise ConfigError("the checkpoint is beyond the end of this run")
        self._count = count
        sensed = {name for each in self._sensed for name in each}
        check_like(state, self.state(), lambda name: None if name.split("/")[-1] in sensed else _LARGEST)
        expected = self.every * tick * np.arange(1, count + 1)
        if not np.allclose(state["time"], expected, rtol=1e-9):
            raise ConfigError("the frames of the checkpoint are not of the times of this run: run the simulation again")
        self._time[:count] = state["time"]
        for k, kept in enumerate(self._worms):
            for name, each in part(state, str(k)).items():
                kept[name][:count] = each

    @property
    def time(self) -> np.ndarray:
        """Of the frames so far [ms], shape (frames,)."""
        return self._time[: self._count]

    def tracks(self, loop: Loop) -> tuple[WormTrack, ...]:
        """What was kept of every worm."""
        return tuple(
            WormTrack(
                midline=kept["midline"][: self._count],
                muscle_activation=kept["activation"][: self._count],
                muscles=tuple(animal.design.muscles.index),
                voltage=kept["voltage"][: self._count],
                voltage_time=self.time,
                neurons=self._neurons,
                dorsal=kept["dorsal"][: self._count],
                inputs={name: kept[name][: self._count] for name in sensed},
                receptors={each.name: _names(each, sensed[each.name]) for each in animal.senses if each.name in sensed},
                anatomy=animal.model.provenance,
            )
            for kept, animal, sensed in zip(self._worms, loop.animals, self._sensed, strict=True)
        )


def _sensed(loop: Loop, animal: Animal) -> dict[str, np.ndarray]:
    """Sense -> which of its receptors read something that is in the arena, and all amines; empty ones are left out."""
    present, found = {each.name for each in loop.arena.fields}, {}
    if loop.body.load is not None or any(each.pokes for each in loop.worms):
        present.add(TouchSense.name)
    for sense in animal.senses:
        if sense.name == AMINES:
            found[sense.name] = np.arange(len(sense.receptors))
        elif present and sense.name in endings():
            reads = [getattr(each, "field", None) for each in sense.receptors]
            found[sense.name] = np.array([k for k, field in enumerate(reads) if field is None or field in present], int)
    return {name: columns for name, columns in found.items() if len(columns)}


def _names(sense: Sense, columns: np.ndarray) -> tuple[str, ...]:
    """What some receptors of a sense are called: their neuron, and what they read; amines by their names."""
    chosen = [sense.receptors[k] for k in columns]
    if sense.name == AMINES:
        return tuple(chosen)
    return tuple(" ".join([each.neuron, *([each.field] if hasattr(each, "field") else [])]) for each in chosen)
