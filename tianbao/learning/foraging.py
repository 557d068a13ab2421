"""A crowd of whole worms that feed in one arena, as an environment of PettingZoo.

    env = tianbao.learning.foraging.parallel_env(worms=4)
    observations, infos = env.reset(seed=1)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box
from pettingzoo import ParallelEnv

from ..environment import Arena, Lawn
from ..environment.fields import Field
from ..errors import ConfigError, shorten
from ..placing import scattered
from ..rows import number, whole
from ..units import MS_PER_S
from ..worm import Worm
from .brain_worms import made, one_that_decides, values
from .observed import Observed

_MS_PER_H = 3600.0 * MS_PER_S
_FARTHEST = 100.0  # [mm] to which the place of a neighbour is clipped


def parallel_env(**options: Any) -> Foraging:
    """A crowd of whole worms that feed, see `Foraging`.

    Args:
        **options: of `Foraging`.

    Raises:
        ConfigError: for an unknown or wrong option.
    """
    return Foraging(**options)


class Foraging(ParallelEnv):
    """Whole worms in one arena with food: they touch each other, and what one has eaten is gone for all.

    The agent of a worm drives its neurons, see `BrainWorms`, and is rewarded for what its mouth eats.

    Args:
        worms: how many there are; as in brains.csv when None.
        food: a `tianbao.Lawn` that they eat; patches on a ring as in brains.csv when None.
        fields: what else fills the arena, such as a `tianbao.Drop`.
        obstacles: what stands in it.
        radius: within which worms are scattered when an episode begins [mm]; that of brains.csv when None.
        max_steps: actions after which the episode is cut off.
        neighbour: whether the place of the nearest other worm is observed.
        worm: what each of them is, apart from its place; one that decides and feels food when None.
        threads: worms computed at the same time.
        **options: see `BrainWorms`.

    Attributes:
        worms: see BrainWorms.
        observed: the numbers of an observation, in order.
        possible_agents: "worm_0" and so on.
        agents: those whose episode goes on: all, or none.

    Raises:
        ConfigError: for a wrong value, or worms that do not fit into the radius.
    """

    metadata: ClassVar[dict[str, Any]] = {"name": "tianbao_foraging_v0", "render_modes": [], "is_parallelizable": True}
    render_mode = None

    def __init__(
        self,
        worms: int | None = None,
        *,
        food: Lawn | None = None,
        fields: Sequence[Field] = (),
        obstacles: Sequence = (),
        radius: float | None = None,
        max_steps: int = 300,
        neighbour: bool = False,
        worm: Worm | None = None,
        threads: int = 2,
        **options: Any,
    ) -> None:
        given = values()
        count = whole(round(given["crowd"]) if worms is None else worms, "foraging", "worms", low=1, high=10_000)
        self._radius = number(given["dish"] if radius is None else radius, "foraging", "radius", "mm", low=0.5)
        self._limit = whole(max_steps, "foraging", "max_steps", low=1)
        food = food_patches() if food is None else food
        if not isinstance(food, Lawn):
            raise ConfigError(f"foraging: food is a tianbao.Lawn, not {shorten(repr(food))}")
        self._most = food.rate  # [ug/h]
        light = options.get("light", ())
        self._model = one_that_decides(worm, light, amines="on")
        placed = self._scattered(count, 0)
        arena = Arena("agar", fields=[food, *fields], obstacles=[*obstacles])
        sensed = [each.name for each in arena.fields]
        self.worms = made(placed, arena, {"sensed": sensed, "threads": threads} | options)
        self._food, self._neighbour = food.name, bool(neighbour)
        beside = [Observed(f"neighbour {way}", "mm", -_FARTHEST, _FARTHEST) for way in ("ahead", "to dorsal")]
        self.observed = (*self.worms.observed, *(beside if neighbour else ()))
        self.possible_agents = [f"worm_{k}" for k in range(count)]
        self.agents: list[str] = []
        low, high = (np.array([getattr(each, side) for each in self.observed], np.float32) for side in ("low", "high"))
        # The same objects at every call, as PettingZoo asks; each with random numbers of its own.
        self.observation_spaces = {each: Box(low, high, dtype=np.float32) for each in self.possible_agents}
        self.action_spaces = {each: self.worms.action_space for each in self.possible_agents}
        self._random = np.random.default_rng()

    def observation_space(self, agent: str) -> Box:
        """Observation of a worm; `observed` names its numbers."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Box:
        """Action of a worm, see `BrainWorms.action_space`."""
        return self.action_spaces[agent]

    def _scattered(self, count: int, seed: int) -> list:
        """Worms at random places and headings."""
        placed = scattered(count, self._radius, seed=seed)
        return [dataclasses.replace(self._model, at=at, heading=heading) for at, heading in placed]

    def reset(
        self, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, dict[str, Any]]]:
        """Scatter the worms, and grow the food anew.

        Args:
            seed: of this and the following episodes.
            options: ignored, there are none.

        Returns:
            Observation, shape (observed,), and info of every agent.
        """
        if seed is not None:
            self._random = np.random.default_rng(whole(seed, "reset", "seed"))
        place, run = self._random.integers(2**31, size=2).tolist()
        self.worms.simulation.loop.retune(self._scattered(len(self.possible_agents), place))
        self.worms.reset(run)
        self.agents, self._count, self._eaten = self.possible_agents[:], 0, self.eaten()
        return self._each(self._observation()), self._infos()

    def eaten(self) -> np.ndarray:
        """What each worm has eaten in this episode [ug], shape (worms,)."""
        found = self.worms.simulation.arena.field(self._food).eaten
        return found if len(found) else np.zeros(len(self.possible_agents))

    def _each(self, values: np.ndarray) -> dict[str, Any]:
        """One value per agent."""
        return dict(zip(self.possible_agents, values, strict=True))

    def _infos(self) -> dict[str, dict[str, Any]]:
        """What is known beside the observations: food eaten in this episode [ug]."""
        return self._each([{"eaten": each} for each in self.eaten().tolist()])

    def _observation(self) -> np.ndarray:
        """Observation of every worm, shape (worms, observed)."""
        seen = self.worms.observation()
        return np.concatenate([seen, self._beside()], axis=1) if self._neighbour else seen

    def _beside(self) -> np.ndarray:
        """From the centroid of each worm to that of the nearest other, ahead and to dorsal [mm], shape (worms, 2)."""
        middle, ahead = self.worms.middle[:, :2], self.worms.heading
        if len(middle) == 1:
            return np.full((1, 2), _FARTHEST, np.float32)
        apart = middle - middle[:, None]
        away = np.linalg.norm(apart, axis=2)
        np.fill_diagonal(away, math.inf)
        nearest = apart[np.arange(len(middle)), away.argmin(1)]
        dorsal = ahead[:, ::-1] * [-1.0, 1.0]
        found = np.stack([(nearest * way).sum(1) for way in (ahead, dorsal)], axis=1)
        return np.clip(found, -_FARTHEST, _FARTHEST).astype(np.float32)

    def step(self, actions: Mapping[str, np.ndarray]) -> tuple[dict, dict, dict, dict, dict]:
        """One action of every worm.

        Args:
            actions: of each agent, -1 to 1, shape (controls,).

        Returns:
            For each agent: observation; reward, what it ate as a share of the most that a mouth can eat in that time;
            terminated, always False; truncated; and info with what it has "eaten" in the episode [ug].

        Raises:
            ConfigError: before the first reset, after the end, or for a missing or wrong action.
            DivergedError: if brains or bodies leave the physical range.
        """
        if not self.agents:
            raise ConfigError("step: there is no episode; reset the environment first")
        missing = [each for each in self.agents if each not in actions]
        if missing:
            raise ConfigError(f"step: no action of {shorten(', '.join(missing))}; give one for each agent")
        self.worms.advance(np.array([np.asarray(actions[each], float) for each in self.agents]))
        self._count += 1
        eaten = self.eaten()
        reward = (eaten - self._eaten) / (self._most * self.worms.control / _MS_PER_H) if self._most else 0.0 * eaten
        self._eaten, over = eaten, self._count >= self._limit
        every = len(self.agents)
        out = (self._each(self._observation()), self._each(reward.tolist()), self._each([False] * every),
               self._each([over] * every), self._infos())  # fmt: skip
        if over:
            self.agents = []
        return out

    def render(self) -> None:
        """Nothing is drawn."""

    def close(self) -> None:
        """Nothing has to be closed."""


def food_patches() -> Lawn:
    """Patches of food on a ring, as in brains.csv."""
    given = values()
    turns = np.arange(round(given["patches"])) * 2.0 * math.pi / round(given["patches"])
    middles = given["ring"] * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    patches = tuple(map(tuple, middles.tolist()))
    return Lawn("food", radius=given["patch_radius"], density=given["patch_density"], patches=patches)
