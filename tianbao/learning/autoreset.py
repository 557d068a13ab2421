"""What batches of worms share: how their episodes begin anew, how an end is told, and a picture of every worm."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from ..errors import ConfigError, shorten, unknown
from ..rows import whole
from .drawn import frame_rate, render_mode_of

_PICTURES = ("rgb_array",)


class WormBatch(VectorEnv, ABC):
    """Worms in one environment, stepped together.

    Args:
        where: what is named where an argument is wrong.
        num_envs: number of worms.
        max_episode_steps: actions after which an episode is cut off; None for no limit.
        autoreset_mode: when a worm whose episode is over starts anew.
        render_mode: "rgb_array" or None.

    Attributes:
        mode: the mode of autoreset.

    Raises:
        ConfigError: for a wrong value.
    """

    def __init__(
        self,
        where: str,
        num_envs: int,
        max_episode_steps: int | None,
        autoreset_mode: AutoresetMode | str,
        render_mode: str | None,
    ) -> None:
        self.num_envs = whole(num_envs, where, "num_envs", low=1, high=1_000_000)
        limit = max_episode_steps
        self._limit = None if limit is None else whole(limit, where, "max_episode_steps", low=1)
        try:
            self.mode = AutoresetMode(autoreset_mode)
        except ValueError:
            known = [each.value for each in AutoresetMode]
            raise ConfigError(f"{where}: {unknown('autoreset mode', shorten(autoreset_mode), known)}") from None
        self.render_mode = render_mode_of(render_mode, _PICTURES, f"{where}: ")

    def _offer(self, observation: gymnasium.spaces.Box, action: gymnasium.spaces.Box, interval: float) -> None:
        """Say what one worm observes and does, and how much time an action takes [s]."""
        self.single_observation_space, self.single_action_space = observation, action
        self.observation_space = batch_space(observation, self.num_envs)
        self.action_space = batch_space(action, self.num_envs)
        self.metadata = {"autoreset_mode": self.mode, "render_modes": [*_PICTURES], "render_fps": frame_rate(interval)}

    @abstractmethod
    def picture(self, worm: int) -> np.ndarray:
        """A worm from above, with what is around it: uint8, shape (height, width, 3)."""

    def render(self) -> tuple[np.ndarray, ...] | None:
        """One picture per worm, uint8, shape (height, width, 3) each; None without a render mode."""
        if self.render_mode is None:
            return None
        return tuple(self.picture(worm) for worm in range(self.num_envs))


def with_ends(observation: np.ndarray, info: dict[str, Any], over: np.ndarray) -> dict[str, Any]:
    """Info of a step in which some worms start anew at once, as Gymnasium has it for the mode SAME_STEP.

    Args:
        observation: the last of each episode, shape (num_envs, n).
        info: what is known of the worms before they start anew, with a mask `_name` for each name.
        over: worms whose episode is over, shape (num_envs,).

    Returns:
        What is known of the worms that go on, and "final_obs" and "final_info" of those that do not.
    """
    last, known = np.full(len(over), None, object), {}
    for k in np.flatnonzero(over):
        last[k] = observation[k]
    final = {"final_obs": last, "_final_obs": over, "final_info": known, "_final_info": over}
    going = dict(info)
    for name, value in info.items():
        if name[0] != "_":
            known[name], known[f"_{name}"], going[f"_{name}"] = value.copy(), over, ~over
    return going | final
