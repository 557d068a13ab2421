"""Environments of one worm that can be seen from above, as pictures or in a window."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np

from ..errors import ConfigError, shorten


def render_mode_of(given: str | None, modes: Sequence[str], where: str = "") -> str | None:
    """A render mode, or None for no pictures.

    Args:
        given: what is asked for.
        modes: those that there are.
        where: begins the message.

    Raises:
        ConfigError: for another mode.
    """
    if given is not None and given not in modes:
        known = ", ".join(map(repr, modes))
        raise ConfigError(f"{where}render_mode is {known} or None, not {shorten(repr(given))}")
    return given


def frame_rate(interval: float) -> int:
    """Pictures per second of simulated time, one per action; at least 1, as Gymnasium wants a whole number above 0.

    Args:
        interval: between two actions [s].
    """
    return max(1, round(1.0 / interval))


class DrawnEnv(gymnasium.Env, ABC):
    """An environment whose `picture` is what `render` returns, or what a window shows after every step.

    Args:
        render_mode: "rgb_array", "human" or None.

    Raises:
        ConfigError: for another mode.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array", "human"]}

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode_of(render_mode, self.metadata["render_modes"])
        self._window, self._interval = None, 0.0

    def _pace(self, interval: float) -> None:
        """Say how much time an action takes [s]: a picture is shown as long."""
        self._interval = interval
        self.metadata = {**self.metadata, "render_fps": frame_rate(interval)}

    @abstractmethod
    def picture(self) -> np.ndarray:
        """The worm from above, with what is around it: uint8, shape (height, width, 3)."""

    def render(self) -> np.ndarray | None:
        """The picture, in mode "rgb_array"; else None."""
        return self.picture() if self.render_mode == "rgb_array" else None

    def show(self) -> None:
        """Show the picture in a window, in mode "human"."""
        if self.render_mode == "human":
            from ..view.above import Window

            self._window = self._window or Window()
            self._window.show(self.picture(), self._interval)

    def close(self) -> None:
        """Close the window, if one is open."""
        if self._window is not None:
            self._window.close()
            self._window = None
