"""One worm moved by its muscles as an environment of Gymnasium."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..errors import ConfigError
from .batches import for_each_task, picture, spaces_of
from .body_tasks import BodyTask
from .drawn import DrawnEnv

_ALL = np.ones(1, bool)


class BodyEnv(DrawnEnv):
    """A task with one worm: the batch of one.

    Attributes:
        task: see BodyTask.
    """

    kind: ClassVar[type[BodyTask]] = BodyTask

    def __init__(self, *, render_mode: str | None = None, **options: Any) -> None:
        """
        Args:
            render_mode: "rgb_array", "human" or None.
            **options: of the task.

        Raises:
            ConfigError: for an unknown or wrong value, or "human" without a display.
        """
        super().__init__(render_mode)
        self.task = self.kind(1, **options)
        self._pace(self.task.worms.interval)
        self.observation_space, self.action_space = spaces_of(self.task)
        self._ready = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode.

        Args:
            seed: of the worm's generator.
            options: of the task, such as {"heading": 0.0}.

        Returns:
            Observation, shape (n,), and info.

        Raises:
            ConfigError: for an unknown or wrong option, after which everything is as it was.
        """
        self.task.check(options)
        super().reset(seed=seed)
        self.task.restart(np.zeros(1, int), [self.np_random], options)
        self._ready = True
        self.show()
        return self.task.observation()[0], {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """One action.

        Args:
            action: [-], shape (controls,).

        Returns:
            Observation, reward [body lengths], terminated, truncated and info.

        Raises:
            ConfigError: before the first reset, or for a wrong action.
        """
        if not self._ready:
            raise ConfigError("step: reset the environment first")
        reward, terminated, known = self.task.act(np.asarray(action, float)[None], _ALL)
        truncated = self.task.limit is not None and bool(self.task.count[0] >= self.task.limit)
        self.show()
        info = {name: value[0].item() for name, value in known.items()}
        return self.task.observation()[0], float(reward[0]), bool(terminated[0]), truncated, info

    def picture(self) -> np.ndarray:
        """See DrawnEnv."""
        return picture(self.task, 0)


SwimEnv, CrawlEnv, ChemotaxisEnv, ObstaclesEnv = for_each_task(BodyEnv, "Env")
