"""Environments of one worm that can be seen from above, as pictures or in a window."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np

from ..errors import ConfigError, shorten

FPS = 10
"""Pictures per second: one per action."""


class DrawnEnv(gymnasium.Env):
    """An environment whose `picture` is what `render` returns, or what a window shows after every step.

    Args:
        render_mode: "rgb_array", "human" or None.

    Raises:
        ConfigError: for another mode.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array", "human"], "render_fps": FPS}

    def __init__(self, render_mode: str | None = None) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ConfigError(f"render_mode is 'rgb_array', 'human' or None, not {shorten(repr(render_mode))}")
        self.render_mode, self._window = render_mode, None

    def picture(self) -> np.ndarray:
        """The worm from above, with what is around it: uint8, shape (height, width, 3)."""
        raise NotImplementedError

    def render(self) -> np.ndarray | None:
        """The picture, in mode "rgb_array"; else None."""
        return self.picture() if self.render_mode == "rgb_array" else None

    def show(self) -> None:
        """Show the picture in a window, in mode "human"."""
        if self.render_mode == "human":
            from ..view.above import Window

            self._window = self._window or Window()
            self._window.show(self.picture(), 1.0 / self.metadata["render_fps"])

    def close(self) -> None:
        """Close the window, if one is open."""
        if self._window is not None:
            self._window.close()
            self._window = None
