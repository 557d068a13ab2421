"""One worm moved by its muscles as an environment of Gymnasium."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np

from ..errors import ConfigError, shorten
from . import body_tasks, pillars, taxis
from .batches import picture, spaces_of
from .body_tasks import BodyTask

_ALL = np.ones(1, bool)
_FPS = 10


class BodyEnv(gymnasium.Env):
    """A task with one worm: the batch of one.

    Attributes:
        task: see BodyTask.
    """

    kind: ClassVar[type[BodyTask]] = BodyTask
    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array", "human"], "render_fps": _FPS}

    def __init__(self, *, render_mode: str | None = None, **options: Any) -> None:
        """
        Args:
            render_mode: "rgb_array", "human" or None.
            **options: of the task.

        Raises:
            ConfigError: for an unknown or wrong value, or "human" without a display.
        """
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ConfigError(f"render_mode is 'rgb_array', 'human' or None, not {shorten(repr(render_mode))}")
        self.task = self.kind(1, **options)
        self.observation_space, self.action_space = spaces_of(self.task)
        self.render_mode, self._window, self._ready = render_mode, None, False

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
            ConfigError: for an unknown or wrong option.
        """
        super().reset(seed=seed)
        self.task.restart(np.zeros(1, int), [self.np_random], options)
        self._ready = True
        self._show()
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
        self._show()
        info = {name: value[0].item() for name, value in known.items()}
        return self.task.observation()[0], float(reward[0]), bool(terminated[0]), truncated, info

    def render(self) -> np.ndarray | None:
        """The worm from above, uint8, shape (height, width, 3), in mode "rgb_array"; else None."""
        return picture(self.task, 0) if self.render_mode == "rgb_array" else None

    def _show(self) -> None:
        if self.render_mode == "human":
            from ..view.above import Window

            self._window = self._window or Window()
            self._window.show(picture(self.task, 0), 1.0 / _FPS)

    def close(self) -> None:
        """Close the window, if one is open."""
        if self._window is not None:
            self._window.close()
            self._window = None


class SwimEnv(BodyEnv):
    """A worm that swims in water along the heading of its start, see `body_tasks.Swim`."""

    kind = body_tasks.Swim


class CrawlEnv(BodyEnv):
    """A worm that crawls on agar along the heading of its start, see `body_tasks.Crawl`."""

    kind = body_tasks.Crawl


class ChemotaxisEnv(BodyEnv):
    """A worm that climbs a gradient, see `taxis.Chemotaxis`."""

    kind = taxis.Chemotaxis


class ObstaclesEnv(BodyEnv):
    """A worm that gets ahead among pillars, see `pillars.Obstacles`."""

    kind = pillars.Obstacles
