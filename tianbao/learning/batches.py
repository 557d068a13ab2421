"""Many worms moved by their muscles in one environment of Gymnasium, stepped together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from ..errors import ConfigError, shorten, unknown
from ..rows import whole
from . import body_tasks, pillars, taxis
from .body_tasks import BodyTask


def spaces_of(task: BodyTask) -> tuple[gymnasium.spaces.Box, gymnasium.spaces.Box]:
    """Observation and action of one worm of a task."""
    low, high = (np.array([getattr(each, side) for each in task.observed], np.float32) for side in ("low", "high"))
    shape = (task.worms.controls,)
    return gymnasium.spaces.Box(low, high), gymnasium.spaces.Box(task.worms.lowest, 1.0, shape, np.float32)


def picture(task: BodyTask, worm: int) -> np.ndarray:
    """A worm of a task from above, with what is around it: uint8, shape (height, width, 3)."""
    from ..view.above import from_above

    return from_above(task.midline[worm], **task.scenery(worm))


class BodyBatch(VectorEnv):
    """Independent worms of one task, all stepped by one body solver.

    Worm k after `reset(seed=s)` does what the single environment does after `reset(seed=s + k)`, bit for bit.

    Attributes:
        task: see BodyTask.

    Limitations: `render` draws every worm in a picture of its own.
    """

    kind: ClassVar[type[BodyTask]] = BodyTask

    def __init__(
        self,
        num_envs: int = 1,
        *,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        """
        Args:
            num_envs: number of worms.
            max_episode_steps: actions after which an episode is cut off; None for no limit beyond `duration`.
            autoreset_mode: a worm whose episode is over starts anew with the next action, which it ignores (NEXT_STEP),
                or at once (SAME_STEP, with `final_obs` and `final_info`), or when told (DISABLED).
            render_mode: "rgb_array" or None.
            **options: of the task.

        Raises:
            ConfigError: for an unknown or wrong value.
        """
        whole(num_envs, "batch", "num_envs", low=1, high=1_000_000)
        self.task = self.kind(num_envs, **options)
        limits = [self.task.limit]
        if max_episode_steps is not None:
            limits.append(whole(max_episode_steps, "batch", "max_episode_steps", low=1))
        self._limit = min((each for each in limits if each is not None), default=None)
        try:
            self.mode = AutoresetMode(autoreset_mode)
        except ValueError:
            known = [each.value for each in AutoresetMode]
            raise ConfigError(f"batch: {unknown('autoreset mode', shorten(autoreset_mode), known)}") from None
        if render_mode not in (None, "rgb_array"):
            raise ConfigError(f"batch: render_mode is 'rgb_array' or None, not {shorten(repr(render_mode))}")
        self.render_mode, self.num_envs = render_mode, num_envs
        self.metadata = {"autoreset_mode": self.mode, "render_modes": ["rgb_array"],
                         "render_fps": round(1.0 / self.task.worms.interval)}  # fmt: skip
        self.single_observation_space, self.single_action_space = spaces_of(self.task)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._generators: list[np.random.Generator] = []
        self._over = np.zeros(num_envs, bool)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode of every worm, or of those in `options["reset_mask"]`.

        Args:
            seed: of worm 0, those of the others following it; or one for each.
            options: of the task, the same for all worms; and "reset_mask", bool of shape (num_envs,).

        Returns:
            Observation, shape (num_envs, n), and info.

        Raises:
            ConfigError: for an unknown or wrong option.
        """
        options = dict(options or {})
        mask = options.pop("reset_mask", None)
        mask = np.ones(self.num_envs, bool) if mask is None else np.asarray(mask)
        if mask.shape != (self.num_envs,) or mask.dtype != bool or not mask.any():
            raise ConfigError(f"reset: reset_mask must be bool of shape ({self.num_envs},) with at least one True")
        self._seed(seed)
        self._over[mask] = False
        self.task.restart(np.flatnonzero(mask), self._generators, options)
        return self.task.observation(), {}

    def _seed(self, seed: int | Sequence[int | None] | None) -> None:
        if isinstance(seed, (int, np.integer)):
            super().reset(seed=int(seed))
            seed = [int(seed) + k for k in range(self.num_envs)]
        seeds = [None] * self.num_envs if seed is None else list(seed)
        if len(seeds) != self.num_envs:
            raise ConfigError(f"reset: {len(seeds)} seeds for {self.num_envs} worms; give one for each, or one number")
        if not self._generators:
            self._generators = [seeding.np_random(each)[0] for each in seeds]
        for k, each in enumerate(seeds):
            if each is not None:
                self._generators[k] = seeding.np_random(each)[0]

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """One action of every worm.

        Args:
            actions: [-], shape (num_envs, controls).

        Returns:
            Observation, reward [body lengths], terminated, truncated and info, each with a row per worm.

        Raises:
            ConfigError: before the first reset, for a wrong action, or for a worm that is over in mode DISABLED.
        """
        if not self._generators:
            raise ConfigError("step: reset the environment first")
        if self.mode is AutoresetMode.DISABLED and self._over.any():
            raise ConfigError("step: some worms are over; reset them with options={'reset_mask': their mask}")
        starting = self._over if self.mode is AutoresetMode.NEXT_STEP else np.zeros(self.num_envs, bool)
        active = ~starting
        reward, terminated, known = self.task.act(actions, active)
        truncated = np.zeros(self.num_envs, bool) if self._limit is None else self.task.count >= self._limit
        if starting.any():
            self.task.restart(np.flatnonzero(starting), self._generators)
        reward, terminated, truncated = np.where(active, reward, 0.0), terminated & active, truncated & active
        info = {}
        for name, value in known.items():
            info[name], info[f"_{name}"] = np.where(active, value, np.zeros(1, value.dtype)), active.copy()
        self._over = terminated | truncated
        observation = self.task.observation()
        if self.mode is AutoresetMode.SAME_STEP and self._over.any():
            observation = self._at_once(observation, info)
        return observation, reward, terminated, truncated, info

    def _at_once(self, observation: np.ndarray, info: dict[str, Any]) -> np.ndarray:
        """Start the worms whose episode is over; what they saw and what was known goes into info."""
        over = self._over.copy()
        known = {name: value for name, value in info.items() if name[0] != "_"}
        info["final_obs"], info["_final_obs"] = np.full(self.num_envs, None, object), over
        for k in np.flatnonzero(over):
            info["final_obs"][k] = observation[k]
        info["final_info"], info["_final_info"] = {}, over
        for name, value in known.items():
            info["final_info"][name], info["final_info"][f"_{name}"] = value.copy(), over
            info[f"_{name}"] = ~over
        self.task.restart(np.flatnonzero(over), self._generators)
        self._over = np.zeros(self.num_envs, bool)
        return self.task.observation()

    def render(self) -> tuple[np.ndarray, ...] | None:
        """One picture per worm, uint8, shape (height, width, 3) each; None without a render mode."""
        if self.render_mode is None:
            return None
        return tuple(picture(self.task, k) for k in range(self.num_envs))


class SwimBatch(BodyBatch):
    """Worms that swim in water along the heading of their start, see `body_tasks.Swim`."""

    kind = body_tasks.Swim


class CrawlBatch(BodyBatch):
    """Worms that crawl on agar along the heading of their start, see `body_tasks.Crawl`."""

    kind = body_tasks.Crawl


class ChemotaxisBatch(BodyBatch):
    """Worms that climb a gradient, see `taxis.Chemotaxis`."""

    kind = taxis.Chemotaxis


class ObstaclesBatch(BodyBatch):
    """Worms that get ahead among pillars, see `pillars.Obstacles`."""

    kind = pillars.Obstacles
