"""Whole worms that get away from a drop of repellent, driven through their neurons.

    import tianbao.learning
    env = gymnasium.make("Tianbao/Escape-v0")
    envs = gymnasium.make_vec("Tianbao/Escape-v0", num_envs=16, vectorization_mode="vector_entry_point")
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from ..environment import Arena
from ..errors import ConfigError, shorten, unknown
from ..rows import number, whole
from ..units import MS_PER_S
from ..worm import Worm
from .autoreset import WormBatch, with_ends
from .brain_worms import MOST_APART, made, one_that_decides, place_of, values
from .drawn import DrawnEnv

_MARK = 0.05  # [mm] radius of the dot that a picture shows in the middle of a drop


class Drops:
    """A `Field`: drops of a substance, one for each worm, all alike, from when they are put down.

    Args:
        name: of the substance.
        peak: in the middle of each [mM].
        width: standard deviation in the plane [mm].
    """

    unit = "mM"

    def __init__(self, name: str, peak: float, width: float) -> None:
        self.name = name
        self.peak = number(peak, "drop", "peak", "mM", low=0.0, high=1e6)
        self.width = number(width, "drop", "width", "mm", low=1e-3, high=1e3)
        self.middles = np.zeros((0, 2))

    def put(self, middles: np.ndarray) -> None:
        """Put drops down, and take away those before.

        Args:
            middles: x and y [mm], shape (drops, 2); none for no drop.
        """
        self.middles = np.array(middles, float).reshape(-1, 2)

    def at(self, points: np.ndarray, time: float) -> np.ndarray:
        """Concentration [mM] at points (..., 3) [mm], shape (...)."""
        away = np.asarray(points, float)[..., None, :2] - self.middles
        return self.peak * np.exp(-np.square(away).sum(-1) / (2.0 * self.width**2)).sum(-1)

    def step(self, duration: float, midline: np.ndarray) -> None:
        """Nothing happens to them by themselves."""

    def state(self) -> dict[str, np.ndarray]:
        """Where they lie."""
        return {"middles": self.middles.copy()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go back to where they lay."""
        self.put(state["middles"])

    def described(self) -> dict[str, Any]:
        """The Gaussian that equals them now, as plain values."""
        places = [[x, y, 0.0] for x, y in self.middles.tolist()]
        peak = self.peak if places else 0.0
        return {"kind": "gaussian", "name": self.name, "peak": peak, "width": self.width, "places": places}


class EscapeBatch(WormBatch):
    """Whole worms, each alone on agar, before each of which a drop of copper is put down: get away from it.

    All worms are in one simulation and begin and end together. Worm k draws the random numbers of stream k, so that
    it does the same in a batch of any size, and as `Escape(stream=k)`, after the same seed.

    Args:
        num_envs: worms, at most 225.
        max_episode_steps: actions after which all episodes are cut off; None for never.
        autoreset_mode: the next step begins new episodes and ignores its action (NEXT_STEP), or the last step does
            (SAME_STEP), or `reset` has to (DISABLED).
        worm: what each of them is, apart from its place; one that decides when None.
        substance: "copper" or another field that a neuron reads in mM.
        peak, width: of the drop [mM], [mm]; those of brains.csv when None.
        settle: crawl before the drop is put down [ms]; that of brains.csv when None.
        threads: worms computed at the same time.
        stream: of the first worm.
        render_mode: "rgb_array" or None.
        **options: see `BrainWorms`.

    Attributes:
        worms: see BrainWorms.

    Raises:
        ConfigError: for a wrong value.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        worm: Worm | None = None,
        substance: str = "copper",
        peak: float | None = None,
        width: float | None = None,
        settle: float | None = None,
        threads: int = 2,
        stream: int = 0,
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        given = values()
        super().__init__("escape", num_envs, max_episode_steps, autoreset_mode, render_mode)
        self._stream = whole(stream, "escape", "stream")
        whole(num_envs + stream, "escape", "num_envs and stream", high=MOST_APART)
        self._settle = number(given["settle"] if settle is None else settle, "escape", "settle", "ms", low=0.0)
        size = (given["drop_peak"] if peak is None else peak, given["drop_width"] if width is None else width)
        model = one_that_decides(worm, options.get("light", ()))
        streams = range(stream, stream + num_envs)
        worms = [dataclasses.replace(model, at=place_of(k), heading=0.0) for k in streams]
        arena = Arena("agar", fields=[Drops(substance, *size)])
        self.worms = made(worms, arena, {"sensed": [substance], "threads": threads, "stream": stream} | options)
        self._drops = self.worms.simulation.arena.field(substance)
        self._offer(self.worms.space, self.worms.action_space, self.worms.control / MS_PER_S)
        self._count, self._ready, self._over = 0, False, False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin new episodes of all worms.

        Args:
            seed: of the batch, one number.
            options: "distance" of the drop's middle from the nose [mm] and its "bearing" from the heading [deg],
                positive to dorsal, instead of random ones; and "reset_mask", which has to name all worms.

        Returns:
            Observation, shape (num_envs, observed), and info.

        Raises:
            ConfigError: for an unknown or wrong option, or a seed for each worm.
        """
        if isinstance(seed, (Sequence, np.ndarray)):
            raise ConfigError("reset: all worms are in one simulation, which has one seed; give a number, not a list")
        seed = None if seed is None else whole(seed, "reset", "seed")
        options = dict(options or {})
        mask = np.asarray(options.pop("reset_mask", True))
        if not mask.all():
            raise ConfigError("reset: all worms are in one simulation and begin together; give a mask of True only")
        for name, value in options.items():
            if name not in ("distance", "bearing"):
                raise ConfigError(f"reset: {unknown('option', shorten(name), ('distance', 'bearing', 'reset_mask'))}")
            unit, low = ("mm", 0.0) if name == "distance" else ("deg", -1e3)
            number(value, "reset", name, unit, low=low, high=1e3)
        super().reset(seed=seed)
        self._begin(options)
        return self.worms.observation(), self._info()

    def _begin(self, options: Mapping[str, float]) -> None:
        """Start all worms, let them crawl, and put a drop down before each."""
        seed, given = int(self.np_random.integers(2**31)), values()
        self.worms.reset(seed)
        if self._settle:
            self.worms.advance(None, self._settle)
        middles = []
        for k, (nose, ahead) in enumerate(zip(self.worms.midline[:, 0, :2], self.worms.heading, strict=True)):
            random = np.random.default_rng([seed, self._stream + k])
            far = random.uniform(given["drop_nearest"], given["drop_farthest"])
            turned = random.uniform(-given["drop_bearing"], given["drop_bearing"])
            far, turned = options.get("distance", far), math.radians(options.get("bearing", turned))
            way = math.atan2(ahead[1], ahead[0]) + turned
            middles.append(nose + far * np.array([math.cos(way), math.sin(way)]))
        self._drops.put(middles)
        self.worms.smell_anew()
        self._distance = self._start = self.distance()
        self._count, self._ready, self._over = 0, True, False

    def distance(self) -> np.ndarray:
        """From the centroid of each worm to the middle of its drop [mm], shape (num_envs,)."""
        return np.linalg.norm(self.worms.middle[:, :2] - self._drops.middles, axis=1)

    def picture(self, worm: int) -> np.ndarray:
        """A worm and its drop from above, see WormBatch."""
        from ..view.above import from_above

        x, y = self._drops.middles[worm]
        return from_above(self.worms.midline[worm], source=(x, y, self._drops.width, _MARK))

    def _info(self) -> dict[str, Any]:
        """What is known beside the observation, as Gymnasium has it for batches."""
        distance = self.distance()
        gained = (distance - self._start) / self.worms.simulation.body.mesh.length
        info = {"distance": distance, "gained": gained, "escaped": gained >= values()["clear"]}
        return info | {f"_{name}": np.ones(self.num_envs, bool) for name in info}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """One action of every worm.

        Args:
            actions: -1 to 1, shape (num_envs, controls).

        Returns:
            Observation; reward, the distance gained [body lengths]; terminated, always False; truncated; and info with
            the "distance" [mm], what was "gained" in the episode [body lengths] and whether the worm "escaped".

        Raises:
            ConfigError: before the first reset, after the end in mode DISABLED, or for a wrong action.
            DivergedError: if brains or bodies leave the physical range.
        """
        if not self._ready:
            raise ConfigError("step: reset the environment first")
        never, nothing = np.zeros(self.num_envs, bool), np.zeros(self.num_envs)
        if self._over and self.mode is AutoresetMode.DISABLED:
            raise ConfigError("step: the episodes are over; reset the environment first")
        if self._over:
            self._begin({})
            return self.worms.observation(), nothing, never, never.copy(), self._info()
        self.worms.advance(actions)
        distance = self.distance()
        reward, self._distance = (distance - self._distance) / self.worms.simulation.body.mesh.length, distance
        self._count += 1
        self._over = self._limit is not None and self._count >= self._limit
        over, seen, info = np.full(self.num_envs, self._over), self.worms.observation(), self._info()
        if self._over and self.mode is AutoresetMode.SAME_STEP:
            info = with_ends(seen, info, over)
            self._begin({})
            seen, info = self.worms.observation(), info | self._info()
        return seen, reward, never, over.copy(), info


class Escape(DrawnEnv):
    """One whole worm and a drop of copper before it: the batch of one, see `EscapeBatch`.

    Args:
        render_mode: "rgb_array", "human" or None.
        **options: of `EscapeBatch`, but for those of batches.

    Attributes:
        batch: see EscapeBatch.

    Raises:
        ConfigError: for a wrong value.
    """

    def __init__(self, *, render_mode: str | None = None, **options: Any) -> None:
        super().__init__(render_mode)
        for name in ("num_envs", "autoreset_mode", "max_episode_steps"):
            if name in options:
                raise ConfigError(f"escape: '{name}' is of a batch; make one with gymnasium.make_vec")
        self.batch = EscapeBatch(1, **({"threads": 1} | options))
        self._pace(self.batch.worms.control / MS_PER_S)
        self.observation_space, self.action_space = self.batch.single_observation_space, self.batch.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode, see `EscapeBatch.reset`.

        Raises:
            ConfigError: for an unknown or wrong option.
        """
        seen, info = self.batch.reset(seed=seed, options=options)
        super().reset(seed=seed)  # once the batch has found nothing wrong
        self.show()
        return seen[0], _alone(info)

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """One action, see `EscapeBatch.step`.

        Raises:
            ConfigError: before the first reset, or for a wrong action.
            DivergedError: if the brain or the body leaves the physical range.
        """
        seen, reward, terminated, truncated, info = self.batch.step(np.asarray(action)[None])
        self.show()
        return seen[0], float(reward[0]), bool(terminated[0]), bool(truncated[0]), _alone(info)

    def picture(self) -> np.ndarray:
        """The worm and its drop from above, see DrawnEnv."""
        return self.batch.picture(0)


def _alone(info: Mapping[str, Any]) -> dict[str, Any]:
    """Info of the only worm of a batch."""
    return {name: value[0].item() for name, value in info.items() if name[0] != "_"}
