"""Keeps the frames of a run in arrays laid out once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import DivergedError

if TYPE_CHECKING:
    from ..body import SoftBody
    from ..engine.brains import Brain

# No neuron of the worm lives outside this range [mV]; beyond it the integration has failed.
_PHYSICAL = (-300.0, 300.0)
_KEPT = ("time", "midline", "dorsal", "activation", "voltage")


class Recorder:
    """Frames of midline, muscle activation and chosen soma voltages; watches the voltages of all neurons."""

    def __init__(
        self, body: SoftBody, brain: Brain, neurons: tuple[str, ...], kept: tuple[str, ...], frames: int
    ) -> None:
        self._neurons = neurons
        self._kept = [neurons.index(name) for name in kept]
        self._body, self._brain = body, brain
        self._line = np.zeros((1, body.mesh.rings, 3))
        self._time = np.zeros(frames)
        self._side = np.zeros((1, body.mesh.rings, 3))
        self._dorsal = np.zeros((frames, body.mesh.rings, 3))
        self._midline = np.zeros((frames, body.mesh.rings, 3))
        self._activation = np.zeros((frames, len(brain.activation)))
        self._voltage = np.zeros((frames, len(kept)))
        self._count = 0

    def take(self, time: float) -> None:
        """Record one frame.

        Raises:
            DivergedError: if a voltage or a position is not a physical number.
        """
        k = self._count
        voltage = self._brain.voltage
        self._body.midline(self._line)
        self._body.dorsal(self._side)
        self._check(time, voltage)
        self._time[k] = time
        self._midline[k] = self._line[0]
        self._dorsal[k] = self._side[0]
        self._activation[k] = self._brain.activation
        self._voltage[k] = voltage[self._kept]
        self._count += 1

    def _check(self, time: float, voltage: np.ndarray) -> None:
        if not np.isfinite(self._line).all():
            raise DivergedError(f"the body left the range of numbers at {time:g} ms; try a shorter tick")
        low, high = _PHYSICAL
        bad = ~((voltage > low) & (voltage < high))
        if bad.any() or not np.isfinite(self._brain.activation).all():
            who = self._neurons[int(np.argmax(bad))] if bad.any() else "a muscle"
            raise DivergedError(f"the voltage of {who} is not physical at {time:g} ms; try a shorter dt, or order 1")

    def snapshot(self) -> dict[str, np.ndarray]:
        """Copies of all frames so far."""
        return {name: getattr(self, name).copy() for name in _KEPT}

    def go_back(self, snapshot: dict[str, np.ndarray]) -> None:
        """Take up the frames of a snapshot that fits in this recorder."""
        self._count = len(snapshot["time"])
        for name in _KEPT:
            getattr(self, name)[:] = snapshot[name]

    @property
    def time(self) -> np.ndarray:
        """[ms], shape (frames,)."""
        return self._time[: self._count]

    @property
    def midline(self) -> np.ndarray:
        """[mm], shape (frames, points, 3)."""
        return self._midline[: self._count]

    @property
    def dorsal(self) -> np.ndarray:
        """Unit vectors towards dorsal [-], shape (frames, points, 3)."""
        return self._dorsal[: self._count]

    @property
    def activation(self) -> np.ndarray:
        """[-], shape (frames, 95)."""
        return self._activation[: self._count]

    @property
    def voltage(self) -> np.ndarray:
        """[mV], shape (frames, neurons)."""
        return self._voltage[: self._count]
