"""The task of climbing a gradient: a worm without a nervous system that is told what its nose would taste."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..arguments import named_arguments
from ..environment import Gaussian
from ..errors import ConfigError, unknown
from ..rows import number, numbers
from .body_tasks import BodyTask
from .observed import Observed

SCALES = {
    "weber": (Observed("concentration at the nose", "mM", 0.0), Observed("its rate over itself", "1/s")),
    "log": (Observed("logarithm of the concentration at the nose over the peak", "1"), Observed("its rate", "1/s")),
    "linear": (Observed("concentration at the nose", "mM", 0.0), Observed("its rate", "mM/s")),
}
"""What is sensed of the concentration, by the word for it."""


@named_arguments
class Chemotaxis(BodyTask):
    """Approach the peak of a Gaussian gradient that lies at a random bearing and distance.

    The reward of an action is by how much nearer the centroid has come; an episode ends when it has come near enough.

    Attributes:
        source: centre of the gradient of every worm, x and y [mm], shape (worms, 2).

    Limitations: one substance, no noise of the receptor, no adaptation; the gradient does not change.
    """

    medium = "agar"
    options = (*BodyTask.options, "bearing", "distance")

    def __init__(
        self,
        worms: int = 1,
        *,
        peak: float = 1.0,
        width: float = 1.5,
        distance: tuple[float, float] = (1.0, 2.0),
        within: float = 0.3,
        scale: str = "weber",
        shuffled: bool = False,
        **common: Any,
    ) -> None:
        """
        Args:
            worms: number of worms.
            peak: concentration in the middle [mM].
            width: standard deviation of the gradient [mm].
            distance: from centroid to peak at the start, least and most [mm].
            within: distance from the peak at which it counts as reached [mm].
            scale: of what is sensed: "weber", "log" or "linear", see SCALES.
            shuffled: a control: what is sensed is that of a moment of the same episode drawn at random, this one or an
                earlier one, so that its values stay and their order is lost. The control starts where the worm with
                its true sensor does, in every episode.
            **common: see BodyTask.

        Raises:
            ConfigError: for an unknown or wrong value.
        """
        if scale not in SCALES:
            raise ConfigError(unknown("scale of the sensor", str(scale), SCALES))
        if not isinstance(shuffled, bool):
            raise ConfigError(f"task: shuffled is True or False, not {shuffled!r}")
        self._scale, self._shuffled = scale, shuffled
        self._peak = number(peak, "task", "peak", "mM", low=1e-12, high=1e6)
        self._width = number(width, "task", "width", "mm", low=0.01, high=1e3)
        self._within = number(within, "task", "within", "mm", low=1e-3, high=1e3)
        self._distance = numbers(distance, "task", "distance", 2, "mm", most=1e3)
        if not self._within < self._distance[0] <= self._distance[1]:
            ends = "{:g} to {:g}".format(*self._distance)
            raise ConfigError(f"task: distance = {ends} mm must rise from more than within = {self._within:g} mm")
        self._field = Gaussian("attractant", self._peak, self._width)
        super().__init__(worms, **common)
        count = self.worms.worms
        self.source, self.away, self._taste = np.zeros((count, 2)), np.zeros(count), np.zeros(count)
        self._told = np.zeros((count, 2))
        self._past: list[list[np.ndarray]] = [[] for _ in range(count)]
        self._mixing: dict[int, np.random.Generator] = {}

    def _observed(self) -> list[Observed]:
        """As in BodyTask, and the two numbers of the sensor."""
        return [*super()._observed(), *SCALES[self._scale]]

    def _parts(self) -> list[np.ndarray]:
        """As in BodyTask, and the two numbers of the sensor."""
        return [*super()._parts(), self._told]

    def restart(self, which: np.ndarray, generators: Sequence[np.random.Generator],
                options: Mapping[str, Any] | None = None) -> None:  # fmt: skip
        """See BodyTask.restart; further options: "bearing" of the peak from the heading [rad], its "distance" [mm]."""
        super().restart(which, generators, options)
        if self._shuffled:
            # A child of the worm's generator: drawing from it, or making it, leaves all later starts as they are.
            self._mixing.update({int(k): generators[k].spawn(1)[0] for k in which})

    def _checked(self, name: str, value: Any) -> Any:
        """As in BodyTask, and where the peak is."""
        if name == "bearing":
            return number(value, "reset", "bearing", "rad", low=-1e6, high=1e6)
        if name == "distance":
            return number(value, "reset", "distance", "mm", low=self._within, high=1e3)
        return super()._checked(name, value)

    def _start(self, worm: int, rng: np.random.Generator, options: dict[str, Any]) -> None:
        """As in BodyTask, and where the peak is."""
        super()._start(worm, rng, options)
        bearing, distance = rng.uniform(-math.pi, math.pi), rng.uniform(*self._distance)
        bearing, distance = options.get("bearing", bearing), options.get("distance", distance)
        angle = self.heading[worm] + bearing
        self.source[worm] = self.place[worm] + distance * np.array([math.cos(angle), math.sin(angle)])

    def _begin(self, which: np.ndarray) -> None:
        """Take the first taste; its rate is 0."""
        self._taste[which], self.away[which] = self._sensed()[which], self._far()[which]
        self._told[which] = self._reading(self._taste, np.zeros(self.worms.worms))[which]
        for k in which:
            self._past[k] = [self._told[k].copy()]

    def _far(self) -> np.ndarray:
        """Distance of every centroid from its peak [mm]."""
        return np.hypot(*(self.centre - self.source).T)

    def _sensed(self) -> np.ndarray:
        """Concentration at every nose, as its scale has it: logarithm over the peak [-], or itself [mM]."""
        nose = self.midline[:, 0].copy()
        nose[:, :2] -= self.source
        if self._scale == "log":  # from the exponent, which never vanishes, rather than the concentration
            return -(nose**2).sum(axis=1) / (2.0 * self._width**2)
        return self._field.at(nose, 0.0)

    def _reading(self, taste: np.ndarray, change: np.ndarray) -> np.ndarray:
        """The two numbers of the sensor after a change within an action, shape (worms, 2)."""
        rate = change / self.worms.interval
        if self._scale == "weber":
            rate = rate / np.maximum(taste - 0.5 * change, np.finfo(float).tiny)
        return np.column_stack([taste, rate])

    def _judge(self, before: np.ndarray, active: np.ndarray):
        """Approach [body lengths], arrival and info."""
        far, taste = self._far(), self._sensed()
        self._told = self._reading(taste, taste - self._taste)
        if self._shuffled:
            for k in np.flatnonzero(active):
                self._past[k].append(self._told[k].copy())
                self._told[k] = self._past[k][self._mixing[k].integers(len(self._past[k]))]
        approach, there = (self.away - far) / self.length, far <= self._within
        self.away, self._taste = far, taste
        return approach, there, {"distance": far, "success": there}

    def scenery(self, worm: int) -> dict[str, Any]:
        """The start, and the gradient with the circle that counts as reached."""
        return {"start": self.place[worm], "source": (*self.source[worm], self._width, self._within)}
