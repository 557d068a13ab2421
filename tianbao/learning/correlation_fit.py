"""A fit of measured correlations by the gradient through the whole brain.

Every step draws new noise, runs the brain for one window, and moves all numbers a little. What is fitted is therefore
the expectation over noise, and it is judged on noise that no step has seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np

from ..errors import ConfigError
from ..units import MS_PER_S
from .correlation_levels import Level, Numbers, Values
from .correlations import Observation, Pairs, correlation_constants
from .spontaneous import SpontaneousBrain, fluctuations

_FIRST, _SECOND, _TINY = 0.9, 0.98, 1e-12  # decay of Adam's moments: Kingma and Ba 2015, the second shorter
_FITTING, _JUDGING = 0, 1  # streams of noise that never meet
_OF_FIT = "of:"  # begins the names of what tells a state from that of another fit


@dataclass(frozen=True)
class Progress:
    """One step of a fit.

    Attributes:
        step: its number from 0.
        loss: mean squared deviation of the correlations in its window [-].
        penalty: of the numbers [-].
    """

    step: int
    loss: float
    penalty: float


class CorrelationFit:
    """Moves the numbers of a set towards measured correlations.

    Args:
        brain: that is driven.
        pairs: measured.
        levels: what may change; see `correlation_levels.LEVELS`.
        seed: of noise and start.
        steps: of the whole fit; steps shorten to 0 along half a cosine.
        window: length of the run of one step [s].
        frozen: quantities that stay as they start, such as ("multiplier",).
        start: numbers to start from, by `Level.key`.

    Attributes:
        numbers: as they are now.
        averaged: their mean over the last third of the steps, which has less noise.
    """

    def __init__(
        self,
        brain: SpontaneousBrain,
        pairs: Pairs,
        levels: Sequence[Level],
        *,
        seed: int = 0,
        steps: int = 200,
        window: float = 330.0,
        frozen: Sequence[str] = (),
        start: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        if steps < 1:
            raise ConfigError(f"correlation fit: {steps} steps fit nothing; take at least 1")
        self.brain, self.seed, self.steps = brain, seed, steps
        self.ticks = round(window * MS_PER_S / brain.tick)
        self.observation = Observation(brain.tick)
        self.inputs = round(correlation_constants()["common_inputs"])
        self._frozen = frozenset(frozen)
        self._first, self._second = pairs.where(brain.neurons)
        self._r = pairs.r
        self.numbers = Numbers(levels, self.inputs).start(seed, start)
        self._started = _digest(*self.numbers.arrays.values())
        zeros = lambda: {key: np.zeros_like(array) for key, array in self.numbers.arrays.items()}  # noqa: E731
        self._momentum, self._square, self._sum = zeros(), zeros(), zeros()
        self.done, self._summed = 0, 0

    def step(self) -> Progress:
        """Draw noise, run, and move all numbers once."""
        common, own = noise(self.brain, self.ticks, self.inputs, (self.seed, _FITTING, self.done))
        values = self.numbers.values()
        voltage = self.brain.run(values.current(common, own), values.multipliers)
        loss = self.observation.loss(voltage, self._first, self._second, self._r)
        edges, current = self.brain.gradient(loss.voltage)
        slopes = self.numbers.gradient(edges, current.T @ common, (current * own).sum(axis=0))
        penalty, more = self.numbers.penalty()
        self._move({key: slope + more[key] for key, slope in slopes.items()})
        self.done += 1
        return Progress(self.done - 1, loss.value, penalty)

    def _move(self, slopes: Mapping[str, np.ndarray]) -> None:
        """Adam, but for a number whose slope is below that of its level, which keeps its share of the step.

        Adam alone would let thousands of multipliers that nothing depends on wander about with the noise.
        """
        shrink = 0.5 * (1.0 + np.cos(np.pi * self.done / self.steps))
        age = self.done + 1
        for level in self.numbers.levels:
            if level.quantity in self._frozen:
                continue
            slope, first, second = slopes[level.key], self._momentum[level.key], self._square[level.key]
            first *= _FIRST
            first += (1.0 - _FIRST) * slope
            second *= _SECOND
            second += (1.0 - _SECOND) * slope**2
            size = np.sqrt(np.maximum(second, second.mean()) / (1.0 - _SECOND**age))
            step = first / (1.0 - _FIRST**age) / (size + _TINY)
            self.numbers.arrays[level.key] -= level.rate * shrink * np.clip(step, -1.0, 1.0)
        if self.done >= self.steps * 2 // 3:
            self._summed += 1
            for key, array in self.numbers.arrays.items():
                self._sum[key] += array

    @property
    def averaged(self) -> Numbers:
        """Their mean over the last third of the steps, as they are now before that."""
        found = Numbers(self.numbers.levels, self.inputs)
        for key, array in self.numbers.arrays.items():
            found.arrays[key][:] = self._sum[key] / self._summed if self._summed else array
        return found

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that the next step depends on, and of what tells this fit from others."""
        parts = {"numbers": self.numbers.arrays, "first": self._momentum, "second": self._square, "sum": self._sum}
        arrays = {f"{name}:{key}": array.copy() for name, part in parts.items() for key, array in part.items()}
        own = {f"{_OF_FIT}{name}": np.array(value) for name, value in self._identity().items()}
        return {**own, **arrays, "done": np.array(self.done), "summed": np.array(self._summed)}

    def _identity(self) -> dict[str, str]:
        """What a fit is one of, by name: all that is not moved by its steps."""
        brain, levels = self.brain, self.numbers.levels
        edges = [f"{each.kind} {each.pre} {each.post} {each.sign}" for each in brain.edges]
        of_levels = [(each.labels, each.index, each.ridge, each.rate) for each in levels]
        return {
            "pairs": _digest(self._first, self._second, self._r),
            "connections": _digest(edges, brain.neurons, brain.weights, brain.bias),
            "numbers": _digest([each.key for each in levels], *(part for each in of_levels for part in each)),
            "start": self._started,
            "observation": _digest(astuple(self.observation)),
            "constants": _digest(*(part for each in sorted(correlation_constants().items()) for part in each)),
            "seed": str(self.seed),
            "steps": str(self.steps),
            "window": f"{self.ticks} x {brain.tick:g} ms",
            "dt": f"{brain.dt:g} ms",
            "frozen": " ".join(sorted(self._frozen)),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state; the same steps then give the same numbers.

        Raises:
            ConfigError: for the state of another fit: of other pairs, connections, numbers, seed, steps and so on.
        """
        mine = self._identity()
        other = [name for name, own in mine.items() if str(state.get(f"{_OF_FIT}{name}", "")) != own]
        own = self.state()
        if other or set(own) != set(state) or any(own[key].shape != np.shape(state[key]) for key in own):
            differs = f", with other {', '.join(other)}" if other else ""
            raise ConfigError(
                f"correlation fit: the state is that of another fit{differs}; delete it, or give the same options"
            )
        parts = {"numbers": self.numbers.arrays, "first": self._momentum, "second": self._square, "sum": self._sum}
        for name, part in parts.items():
            for key, array in part.items():
                array[:] = state[f"{name}:{key}"]
        self.done, self._summed = int(state["done"]), int(state["summed"])


def _digest(*parts: object) -> str:
    """A short text that is the same for the same arrays, names and numbers only."""
    found = hashlib.sha256()
    for part in parts:
        array = np.ascontiguousarray(part)
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()[:16]


def noise(brain: SpontaneousBrain, ticks: int, inputs: int, seed: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Processes of variance 1 that are shared, shape (ticks, inputs), and of each neuron's own, (ticks, neurons)."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    tau = correlation_constants()["input_tau"]
    drawn = fluctuations(ticks, inputs + len(brain.neurons), brain.tick, tau, rng)
    return drawn[:, :inputs], drawn[:, inputs:]


def simulated_correlations(
    brain: SpontaneousBrain, values: Values, seconds: float = 1080.0, runs: int = 1, seed: int = 0
) -> np.ndarray:
    """Correlation matrices of runs with noise that no fit has seen.

    Args:
        brain: that is driven.
        values: multipliers and inputs.
        seconds: length of each run [s]; that of the recording by default.
        runs: how many.
        seed: of their noise.

    Returns:
        Shape (runs, neurons, neurons).
    """
    observation, ticks = Observation(brain.tick), round(seconds * MS_PER_S / brain.tick)
    found = []
    for k in range(runs):
        common, own = noise(brain, ticks, values.loadings.shape[1], (seed, _JUDGING, k))
        found.append(observation.correlations(brain.run(values.current(common, own), values.multipliers)))
    return np.array(found)
