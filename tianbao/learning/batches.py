"""Many worms moved by their muscles in one environment of Gymnasium, stepped together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode

from ..errors import ConfigError
from . import body_tasks, pillars, taxis
from .autoreset import WormBatch, with_ends
from .body_tasks import BodyTask

TASKS: tuple[type[BodyTask], ...] = (body_tasks.Swim, body_tasks.Crawl, taxis.Chemotaxis, pillars.Obstacles)
"""Of each there is an environment of one worm and one of many."""


def spaces_of(task: BodyTask) -> tuple[gymnasium.spaces.Box, gymnasium.spaces.Box]:
    """Observation and action of one worm of a task."""
    low, high = (np.array([getattr(each, side) for each in task.observed], np.float32) for side in ("low", "high"))
    shape = (task.worms.controls,)
    return gymnasium.spaces.Box(low, high), gymnasium.spaces.Box(task.worms.lowest, 1.0, shape, np.float32)


def picture(task: BodyTask, worm: int) -> np.ndarray:
    """A worm of a task from above, with what is around it: uint8, shape (height, width, 3)."""
    from ..view.above import from_above

    return from_above(task.midline[worm], **task.scenery(worm))


def for_each_task(base: type, suffix: str) -> list[type]:
    """The environment of every task, in the order of TASKS.

    Args:
        base: what each derives from; its attribute `kind` is the task.
        suffix: of the names, after that of the task.
    """
    found = []
    for task in TASKS:
        said = f"`{base.__name__}` with the task `{task.__module__}.{task.__name__}`: {task.__doc__}"
        members = {"kind": task, "__doc__": said, "__module__": base.__module__}
        found.append(type(f"{task.__name__}{suffix}", (base,), members))
    return found


class BodyBatch(WormBatch):
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
        super().__init__("batch", num_envs, max_episode_steps, autoreset_mode, render_mode)
        self.task = self.kind(num_envs, **options)
        limits = [each for each in (self.task.limit, self._limit) if each is not None]
        self._limit = min(limits, default=None)
        self._offer(*spaces_of(self.task), self.task.worms.interval)
        self._generators: list[np.random.Generator] = []
        self._over = np.zeros(num_envs, bool)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode of every worm, or of those in `options["reset_mask"]`.

        Args:
            seed: of worm 0, those of the others following it; or one for each. Worms that do not start keep their
                random numbers, whatever their seed.
            options: of the task, the same for all worms; and "reset_mask", bool of shape (num_envs,). The first reset
                starts every worm.

        Returns:
            Observation, shape (num_envs, n), and info.

        Raises:
            ConfigError: for an unknown or wrong option, after which everything is as it was.
        """
        options = dict(options or {})
        mask = options.pop("reset_mask", None)
        mask = np.ones(self.num_envs, bool) if mask is None else np.asarray(mask)
        if mask.shape != (self.num_envs,) or mask.dtype != bool or not mask.any():
            raise ConfigError(f"reset: reset_mask must be bool of shape ({self.num_envs},) with at least one True")
        if not self._generators and not mask.all():
            raise ConfigError("reset: no worm was ever started; leave reset_mask out of the first reset")
        self.task.check(options)
        self._generators = self._seeded(seed, mask)
        if isinstance(seed, (int, np.integer)):
            super().reset(seed=int(seed))
        self._over[mask] = False
        self.task.restart(np.flatnonzero(mask), self._generators, options)
        return self.task.observation(), {}

    def _seeded(self, seed: int | Sequence[int | None] | None, mask: np.ndarray) -> list[np.random.Generator]:
        """A generator of every worm: a new one for those of the mask that are given a seed, else the one it has."""
        if isinstance(seed, (int, np.integer)):
            seed = [int(seed) + k for k in range(self.num_envs)]
        seeds = [None] * self.num_envs if seed is None else list(seed)
        if len(seeds) != self.num_envs:
            raise ConfigError(f"reset: {len(seeds)} seeds for {self.num_envs} worms; give one for each, or one number")
        kept = self._generators or [None] * self.num_envs
        return [seeding.np_random(each)[0] if old is None or (each is not None and new) else old
                for each, old, new in zip(seeds, kept, mask, strict=True)]  # fmt: skip

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
            info = with_ends(observation, info, self._over)
            self.task.restart(np.flatnonzero(self._over), self._generators)
            self._over, observation = np.zeros(self.num_envs, bool), self.task.observation()
        return observation, reward, terminated, truncated, info

    def picture(self, worm: int) -> np.ndarray:
        """See WormBatch."""
        return picture(self.task, worm)


SwimBatch, CrawlBatch, ChemotaxisBatch, ObstaclesBatch = for_each_task(BodyBatch, "Batch")
