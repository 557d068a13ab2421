"""Tasks of control for circuits, many episodes at once in numpy: a pendulum, a mountain car, and keeping a lane.

    task = TASKS["pendulum"]
    state = task.begin(np.random.default_rng(1), (64,))
    state, reward, ended = task.step(state, np.zeros(64))

Pendulum and mountain car follow the equations of Gymnasium's `Pendulum-v1` and `MountainCarContinuous-v0`. `Lane` is
the third as an environment of Gymnasium, `Tianbao/Lane-v0`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import gymnasium
import numpy as np

from ..errors import ConfigError, shorten
from ..rows import named_values
from .drawn import DrawnEnv

__all__ = ["LANE_STEPS", "TASKS", "Lane", "LaneKeeping", "MountainCar", "Pendulum", "Task", "played"]

_LANE = named_values(Path(__file__).with_name("lane.csv"))
LANE_STEPS = round(_LANE["duration"] / _LANE["step"])
"""Actions of an episode on the lane."""


class Task(Protocol):
    """A task of many episodes side by side; a state is an array whose last axis holds the variables of one episode.

    Attributes:
        steps: actions of an episode at most.
        step_ms: time that passes for a nervous system in one step [ms].
    """

    steps: int
    step_ms: float

    def begin(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """States at the start, shape (*shape, variables)."""

    def observed(self, state: np.ndarray) -> np.ndarray:
        """The two variables that a circuit feels, about -1 to 1, shape (..., 2)."""

    def step(self, state: np.ndarray, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One step.

        Args:
            state: shape (..., variables).
            action: from -1 to 1, and taken as that beyond, shape (...).

        Returns:
            State, reward, and whether the episode has ended, shapes (..., variables), (...) and (...).
        """


class Pendulum:
    """Swing a pendulum up and hold it there: state angle (0 is up) [rad] and its rate [rad/s].

    Source: `Pendulum-v1` of Gymnasium (its equations and constants); reward as there, 0 at best. An action of 1 is its
    largest torque, 2 N m. The angle is felt as a part of half a turn, so that it jumps at the bottom.
    """

    steps, step_ms = 200, 50.0
    _gravity, _mass, _length, _torque, _fastest = 10.0, 1.0, 1.0, 2.0, 8.0

    def begin(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """See `Task`: any angle, at up to 1 rad/s."""
        return random.uniform([-np.pi, -1.0], [np.pi, 1.0], (*shape, 2))

    def observed(self, state: np.ndarray) -> np.ndarray:
        """See `Task`: angle over half a turn, rate over the fastest."""
        return np.stack([_half_turn(state[..., 0]) / np.pi, state[..., 1] / self._fastest], axis=-1)

    def step(self, state: np.ndarray, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `Task`."""
        angle, rate = state[..., 0], state[..., 1]
        torque = self._torque * np.clip(action, -1.0, 1.0)
        cost = _half_turn(angle) ** 2 + 0.1 * rate**2 + 0.001 * torque**2
        pull = 1.5 * self._gravity / self._length * np.sin(angle)
        push = 3.0 / (self._mass * self._length**2) * torque
        seconds = 1e-3 * self.step_ms
        rate = np.clip(rate + (pull + push) * seconds, -self._fastest, self._fastest)
        return np.stack([angle + rate * seconds, rate], axis=-1), -cost, np.zeros(rate.shape, bool)


class MountainCar:
    """Drive a weak car out of a valley by swinging: state position and velocity, in the units of Gymnasium.

    Source: `MountainCarContinuous-v0` of Gymnasium (its equations and constants), which rounds its state to 32 bits,
    where this one has 64. The step has no length in seconds there; 20 ms for a nervous system are assumed, with which
    the car swings about once a second.
    """

    steps, step_ms = 999, 20.0
    _power, _slope, _fastest, _left, _right, _goal = 0.0015, 0.0025, 0.07, -1.2, 0.6, 0.45

    def begin(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """See `Task`: at rest near the bottom of the valley."""
        return np.stack([random.uniform(-0.6, -0.4, shape), np.zeros(shape)], axis=-1)

    def observed(self, state: np.ndarray) -> np.ndarray:
        """See `Task`: position from the middle of its range over half of it, velocity over the fastest."""
        middle, half = 0.5 * (self._left + self._right), 0.5 * (self._right - self._left)
        return np.stack([(state[..., 0] - middle) / half, state[..., 1] / self._fastest], axis=-1)

    def step(self, state: np.ndarray, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `Task`."""
        force = np.clip(action, -1.0, 1.0)
        velocity = state[..., 1] + (force * self._power - self._slope * np.cos(3.0 * state[..., 0]))
        velocity = np.clip(velocity, -self._fastest, self._fastest)
        position = np.clip(state[..., 0] + velocity, self._left, self._right)
        velocity = np.where((position == self._left) & (velocity < 0.0), 0.0, velocity)
        there = (position >= self._goal) & (velocity >= 0.0)
        return np.stack([position, velocity], axis=-1), 100.0 * there - 0.1 * force**2, there


class LaneKeeping:
    """Keep a car in the middle of a lane whose bends it does not see coming.

    State: offset from the middle, positive to the left [m], heading along the lane, positive to the left [rad], time
    [s], then the curvature of each stretch of road, positive to the left [1/m]. A kinematic bicycle at constant speed,
    its rear axle followed in the frame of the lane (Rajamani 2012, Vehicle Dynamics and Control, from memory), in
    Euler steps; numbers in lane.csv. An action of 1 is the largest steering angle, to the left. The reward of a step is
    1 - (offset / half width)^2 - cost x action^2; leaving the lane ends the episode.
    """

    steps, step_ms = LANE_STEPS, 1e3 * _LANE["step"]
    half_width = 0.5 * _LANE["width"]

    def begin(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """See `Task`: off the middle and heading off it by up to what lane.csv says, bends drawn evenly."""
        stretches = int(np.ceil(_LANE["duration"] / _LANE["stretch"]))
        bends = random.uniform(-_LANE["curvature"], _LANE["curvature"], (*shape, stretches))
        place = random.uniform(-1.0, 1.0, (*shape, 2)) * [_LANE["start_offset"], _LANE["start_heading"]]
        return np.concatenate([place, np.zeros((*shape, 1)), bends], axis=-1)

    def curvature(self, state: np.ndarray) -> np.ndarray:
        """Curvature of the road where the car is [1/m], shape (...)."""
        stretch = np.minimum(state[..., 2:3] / _LANE["stretch"], state.shape[-1] - 4).astype(int)
        return np.take_along_axis(state[..., 3:], stretch, axis=-1)[..., 0]

    def observed(self, state: np.ndarray) -> np.ndarray:
        """See `Task`: offset over half the width, heading over that of lane.csv."""
        return np.stack([state[..., 0] / self.half_width, state[..., 1] / _LANE["observed_heading"]], axis=-1)

    def step(self, state: np.ndarray, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `Task`."""
        action = np.clip(action, -1.0, 1.0)
        offset, heading, seconds, speed = state[..., 0], state[..., 1], _LANE["step"], _LANE["speed"]
        bend = self.curvature(state)
        turn = speed / _LANE["wheelbase"] * np.tan(_LANE["steering"] * action)
        along = speed * np.cos(heading) / (1.0 - bend * offset)
        new = state.copy()
        new[..., 0] = offset + seconds * speed * np.sin(heading)
        new[..., 1] = heading + seconds * (turn - bend * along)
        new[..., 2] += seconds
        place = new[..., 0] / self.half_width
        return new, 1.0 - place**2 - _LANE["action_cost"] * action**2, np.abs(place) > 1.0


TASKS: dict[str, Task] = {"pendulum": Pendulum(), "mountain car": MountainCar(), "lane": LaneKeeping()}
"""The tasks by name."""


def played(task: Task, act: Callable[[np.ndarray], np.ndarray], state: np.ndarray) -> np.ndarray:
    """Rewards of episodes that are played to their end, shape (...).

    Args:
        task: what is played.
        act: from what is observed, shape (..., 2), to actions, shape (...).
        state: where each episode begins, shape (..., variables).
    """
    total, going = np.zeros(state.shape[:-1]), np.ones(state.shape[:-1], bool)
    for _ in range(task.steps):
        state, reward, ended = task.step(state, act(task.observed(state)))
        total += np.where(going, reward, 0.0)
        going &= ~ended
        if not going.any():
            break
        # The state of an episode that is over is set to 0, so that its numbers stay small; its rewards no longer count.
        state = np.where(going[..., None], state, 0.0) if not going.all() else state
    return total


class Lane(DrawnEnv):
    """`LaneKeeping` as an environment: observation (offset [m], heading [rad]), action (steering, from -1 to 1).

    Args:
        render_mode: "rgb_array" for pictures of the road from above, the car heading up; "human" for a window with
            them; None for none.

    Raises:
        ConfigError: for another mode.
    """

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self._pace(_LANE["step"])
        self._task = TASKS["lane"]
        # An episode ends with the step that leaves the lane, long before the car has turned round.
        most = np.array([self._task.half_width + _LANE["speed"] * _LANE["step"], np.pi], np.float32)
        self.observation_space = gymnasium.spaces.Box(-most, most, dtype=np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), dtype=np.float32)
        self._state: np.ndarray | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """A new road and place on it; see `gymnasium.Env.reset`.

        Args:
            seed: of the road and the place.
            options: none are known.

        Raises:
            ConfigError: for any option.
        """
        super().reset(seed=seed)
        if options:
            raise ConfigError(f"lane: reset takes no options, not '{shorten(next(iter(options)))}'; leave them out")
        self._state = self._task.begin(self.np_random, ())
        self.show()
        return self._seen(), self._told()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Steer for one step; see `gymnasium.Env.step`. The lane is left: terminated.

        Raises:
            ConfigError: before the first `reset`, or for an action that is not one finite number.
        """
        if self._state is None:
            raise ConfigError("lane: reset the environment before its first step")
        given = np.asarray(action, float)
        if given.size != 1 or not np.isfinite(given).all():
            raise ConfigError(f"lane: an action is one finite number, shape (1,), not {shorten(repr(action))}")
        self._state, reward, ended = self._task.step(self._state, np.float64(given.item()))
        self.show()
        return self._seen(), float(reward), bool(ended), False, self._told()

    def picture(self) -> np.ndarray:
        """The road from above, shape (rows, columns, 3), uint8.

        Raises:
            ConfigError: before the first `reset`.
        """
        if self._state is None:
            raise ConfigError("lane: reset the environment before it is drawn")
        return _seen_from_above(self._state, float(self._task.curvature(self._state)), self._task.half_width)

    def _seen(self) -> np.ndarray:
        return self._state[:2].astype(np.float32)

    def _told(self) -> dict[str, Any]:
        return {"curvature_per_m": float(self._task.curvature(self._state))}


def _half_turn(angle: np.ndarray) -> np.ndarray:
    """An angle from -pi to pi [rad]."""
    return (angle + np.pi) % (2.0 * np.pi) - np.pi


_PIXELS = 8  # to a metre
_AHEAD, _BEHIND, _ASIDE = 30.0, 6.0, 8.0  # [m] of the road that are seen
_GRASS, _ROAD, _EDGE, _CAR = (120, 150, 110), (90, 90, 95), (235, 235, 230), (200, 60, 50)


def _seen_from_above(state: np.ndarray, bend: float, half_width: float) -> np.ndarray:
    """A picture of the road around a car that heads up, shape (rows, columns, 3), uint8."""
    ahead = _AHEAD - (np.arange(round((_AHEAD + _BEHIND) * _PIXELS))[:, None] + 0.5) / _PIXELS
    left = _ASIDE - (np.arange(round(2.0 * _ASIDE * _PIXELS))[None] + 0.5) / _PIXELS
    offset, heading = float(state[0]), float(state[1])
    # Distance of every pixel from the middle of the lane, taken as a parabola.
    along = ahead * np.cos(heading) - left * np.sin(heading)
    aside = offset + ahead * np.sin(heading) + left * np.cos(heading) - 0.5 * bend * along**2
    picture = np.empty((*aside.shape, 3), np.uint8)
    picture[:] = _GRASS
    picture[np.abs(aside) < half_width] = _ROAD
    picture[np.abs(np.abs(aside) - half_width) < 0.15] = _EDGE
    length, width = _LANE["car_length"], _LANE["car_width"]
    picture[(np.abs(ahead - 0.5 * length) < 0.5 * length) & (np.abs(left) < 0.5 * width)] = _CAR
    return picture
