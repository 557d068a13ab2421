"""Whole worms whose neurons an agent drives, step by step: what all environments with brains share.

An agent speaks to a worm by currents into somas, and by light on neurons that carry a channel for it: never to its
muscles or its body. What the worm then does is the answer of 302 neurons, 95 muscles and a body in its arena.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.spaces import Box

from ..anatomy import match_neurons
from ..clock import Clock
from ..environment import Arena
from ..errors import ConfigError, shorten, unknown
from ..loop.loop import Observation
from ..loop.simulation import Simulation
from ..rows import named_values, number
from ..units import MS_PER_S, NA_PER_PA
from ..worm import Worm
from ..worm_model import WormModel
from .observed import Observed

TABLE = Path(__file__).with_name("brains.csv")
SEEN = ("AVA*", "AVB*", "AVD*", "AVE*", "PVC*", "RIM*", "ASH*")
"""Neurons that an agent observes unless told otherwise: those of the decision, and the one that feels the drop."""
SIGNALS = ("voltage", "calcium")
_COLUMNS = 15  # of places of worms that keep apart
MOST_APART = _COLUMNS**2
"""Worms that find a place of their own by `place_of`."""
_FASTEST, _MOST_BENT, _MOST_SCALED = 10.0, 50.0, 10.0  # [mm/s], [kappa L], [-] to which observations are clipped


@cache
def values() -> dict[str, float]:
    """The numbers of brains.csv by name."""
    return named_values(TABLE)


def default_drives() -> dict[str, float]:
    """Neurons or globs that an agent drives unless told otherwise, with the largest current into each [pA]."""
    return {name.partition(":")[2]: value for name, value in values().items() if name.startswith("drive:")}


class BrainWorms:
    """Worms with whole brains in one arena, stepped together by actions on their neurons.

    Args:
        worms: of one `Simulation`.
        arena: where they are.
        drives: neuron or glob -> largest current into each of them [pA]; those of brains.csv when None.
        light: neurons or globs that carry a channel for light (`Worm.express`), each of which is one more action.
        seen: neurons or globs that are observed.
        sensed: names of fields whose value at the nose is observed, and its rate.
        signal: "voltage"; or "calcium", which follows it with the time constant of brains.csv.
        control: time between two actions [ms]; that of brains.csv when None.
        tick: of the loop [ms]; `control` is a whole number of ticks.
        engine: of the simulation.
        threads: worms computed at the same time.
        stream: of random numbers that the first worm takes.

    Attributes:
        simulation: what runs.
        observed: the numbers of an observation, in order.
        controls: number of actions of a worm.

    Raises:
        ConfigError: for a wrong value.
        AnatomyError: for a neuron that does not exist.
    """

    def __init__(
        self,
        worms: Sequence[Worm | WormModel],
        arena: Arena,
        *,
        drives: Mapping[str, float] | None = None,
        light: Sequence[str] = (),
        seen: Sequence[str] = SEEN,
        sensed: Sequence[str] = (),
        signal: str = SIGNALS[0],
        control: float | None = None,
        tick: float = Clock().tick,
        engine: str = "native",
        threads: int | None = None,
        stream: int = 0,
    ) -> None:
        drives = default_drives() if drives is None else drives
        if not isinstance(drives, Mapping):
            raise ConfigError(f"drives: give neurons with their largest current in pA, not {shorten(repr(drives))}")
        if signal not in SIGNALS:
            raise ConfigError(f"signal: {unknown('signal', shorten(signal), SIGNALS)}")
        self.drives = {name: number(value, "drives", name, "pA", low=0.0, high=1e3) for name, value in drives.items()}
        for name in self.drives:
            match_neurons(name)
        self.light, self.sensed, self.signal = names_of(light, "light"), names_of(sensed, "sensed"), signal
        self.controls = len(self.drives) + len(self.light)
        if not self.controls:
            raise ConfigError("drives: an agent needs a neuron to speak to; give at least one, or light")
        control = values()["control"] if control is None else control
        self.control = number(control, "environment", "control", "ms", low=tick, high=1e5)
        clock = Clock(tick=tick, frame=tick)  # frames are of runs
        if abs(self.control / tick - round(self.control / tick)) > 1e-9:
            raise ConfigError(f"environment: control = {self.control:g} ms must be whole ticks of {tick:g} ms")
        options = {"engine": engine, "threads": threads, "stream": stream}
        self.simulation = Simulation([*worms], arena, clock=clock, progress=False, **options)
        for name in self.sensed:
            if arena.field(name) is None:
                raise ConfigError(f"sensed: the arena has no field '{shorten(name)}'; give it one, or leave it out")
        seen = match_neurons(*names_of(seen, "seen")) if len(seen) else []
        neurons = self.simulation.loop.design().neurons
        self._of_seen = np.array([neurons.index(each) for each in seen], int)
        joints = round(values()["joints"])
        self._joints = (np.arange(joints) + 0.5) / joints
        self.observed = (*self._body(), *(Observed(each, "", -_MOST_SCALED, _MOST_SCALED) for each in seen),
                         *self._fields())  # fmt: skip

    def _body(self) -> list[Observed]:
        """What is observed of the body."""
        bends = [Observed(f"curvature at s {s:.3f}", "kappa L", -_MOST_BENT, _MOST_BENT) for s in self._joints]
        return bends + [Observed(f"velocity {way}", "mm/s", -_FASTEST, _FASTEST) for way in ("forward", "to dorsal")]

    def _fields(self) -> list[Observed]:
        """What is observed of the fields, in their own units."""
        found = []
        for name in self.sensed:
            unit = self.simulation.arena.field(name).unit
            found += [Observed(f"{name} at the nose", unit, -1e6, 1e6), Observed("its rate", f"{unit}/s", -1e6, 1e6)]
        return found

    @property
    def space(self) -> Box:
        """Observation of one worm."""
        low, high = (np.array([getattr(each, side) for each in self.observed], np.float32) for side in ("low", "high"))
        return Box(low, high, dtype=np.float32)

    @property
    def action_space(self) -> Box:
        """Action of one worm: -1 to 1 for each of the drives, then for each light, which is dark up to 0."""
        return Box(-1.0, 1.0, (self.controls,), np.float32)

    # --- running

    def reset(self, seed: int) -> None:
        """Begin anew, all worms at once.

        Args:
            seed: of the simulation.
        """
        self._take(self.simulation.reset(seed), None)

    def advance(self, actions: np.ndarray | None, duration: float | None = None) -> None:
        """Let time pass.

        Args:
            actions: -1 to 1, clipped, shape (worms, controls); None drives nothing.
            duration: [ms]; the time between two actions when None.

        Raises:
            ConfigError: for actions of another shape, or that are not numbers.
            DivergedError: if brains or bodies leave the physical range.
        """
        duration = self.control if duration is None else duration
        current, light = (None, None) if actions is None else self._said(actions)
        self._take(self.simulation.step(duration, current, light), duration)

    def _said(self, actions: np.ndarray) -> tuple[list[dict[str, float]], list[dict[str, float]] | None]:
        """Currents [nA] and light [-] of an action, by name."""
        actions = np.asarray(actions, float)
        shape = (len(self.simulation.worms), self.controls)
        if actions.shape != shape or not np.isfinite(actions).all():
            raise ConfigError(f"step: an action is finite and of shape {shape}, not {shorten(repr(actions))}")
        actions, many = np.clip(actions, -1.0, 1.0), len(self.drives)
        largest = NA_PER_PA * np.array([*self.drives.values()])
        current = [dict(zip(self.drives, row, strict=True)) for row in (actions[:, :many] * largest).tolist()]
        bright = np.maximum(actions[:, many:], 0.0).tolist()
        return current, [dict(zip(self.light, row, strict=True)) for row in bright] if self.light else None

    def _take(self, seen: Observation, duration: float | None) -> None:
        """Keep what was seen; with no duration, as the first of an episode."""
        first, middle = duration is None, seen.midline.mean(axis=1)
        seconds = math.inf if first else duration / MS_PER_S
        moved = np.zeros_like(middle) if first else (middle - self.middle) / seconds
        self.midline, self.middle, self.velocity = seen.midline, middle, moved[:, :2]
        s = self.simulation.body.curvature_positions
        self._bends = np.array([np.interp(self._joints, s, each) for each in seen.curvature])
        given = values()
        scaled = (seen.voltage[:, self._of_seen] - given["voltage_middle"]) / given["voltage_scale"]
        if self.signal == "calcium" and not first:
            scaled = self._shown + (scaled - self._shown) * -math.expm1(-duration / given["calcium_tau"])
        self._shown = scaled
        self._smelled_before = None if first else self._smelled
        self._smelled, self._seconds = self._smell(), seconds

    def smell_anew(self) -> None:
        """Read the fields again, after one was changed between two steps; their rates begin at 0."""
        self._smelled, self._smelled_before = self._smell(), None

    def _smell(self) -> np.ndarray:
        """Fields at the noses now [their units], shape (worms, fields)."""
        sim = self.simulation
        time = sim.loop.time
        found = [sim.arena.sample(name, self.midline[:, 0], time) for name in self.sensed]
        return np.array(found).reshape(len(found), len(sim.worms)).T

    @property
    def heading(self) -> np.ndarray:
        """Direction from tail to head in the plane [-], shape (worms, 2)."""
        along = (self.midline[:, 0] - self.midline[:, -1])[:, :2]
        return along / np.linalg.norm(along, axis=1, keepdims=True)

    def observation(self) -> np.ndarray:
        """What the worms' agents see, float32, shape (worms, observed); `observed` names the columns."""
        ahead = self.heading
        dorsal = ahead[:, ::-1] * [-1.0, 1.0]  # a worm lies on its left side, dorsal to the left of its heading
        ways = np.stack([(self.velocity * way).sum(1) for way in (ahead, dorsal)], axis=1)
        before = self._smelled if self._smelled_before is None else self._smelled_before
        rate = (self._smelled - before) / self._seconds
        fields = np.stack([self._smelled, rate], axis=2).reshape(len(ways), -1)
        space = self.space
        row = np.concatenate([self._bends, ways, self._shown, fields], axis=1)
        return np.clip(row, space.low, space.high).astype(np.float32)


def made(worms: Sequence[Worm | WormModel], arena: Arena, options: Mapping[str, Any]) -> BrainWorms:
    """Worms by options of an environment.

    Raises:
        ConfigError: for an unknown option, or as `BrainWorms`.
    """
    known = [name for name in inspect.signature(BrainWorms).parameters if name not in ("worms", "arena")]
    for name in options:
        if name not in known:
            raise ConfigError(f"environment: {unknown('option', shorten(name), known)}")
    return BrainWorms(worms, arena, **options)


def one_that_decides(worm: Worm | None, light: Sequence[str], amines: str = "off") -> WormModel:
    """The worm of an environment: the one given, or one that decides, with channels for the light.

    Args:
        worm: None for one whose AVA, AVD, AVE and RIM decide (docs/decision.md).
        light: neurons or globs that get a cation channel, if no worm is given.
        amines: of the worm if none is given; "on" for one that feels food.

    Raises:
        ConfigError: for what is not a worm.
    """
    if worm is None:
        worm = Worm(discretisation="d_lambda", decision="network", signs="deciding", amines=amines)
        light = names_of(light, "light")
        return (worm.express("cation", *light) if light else worm).model()
    if not isinstance(worm, (Worm, WormModel)):
        raise ConfigError(f"environment: worm is a tianbao.Worm, not {shorten(repr(worm))}")
    return worm.model() if isinstance(worm, Worm) else worm


def names_of(given: Sequence[str] | str, what: str) -> tuple[str, ...]:
    """A list of names, of which one may come alone."""
    names = (given,) if isinstance(given, str) else tuple(given)
    if not all(isinstance(each, str) for each in names):
        raise ConfigError(f"{what}: give a list of names, not {shorten(repr(given))}")
    return names


def place_of(stream: int) -> tuple[float, float, float]:
    """Where the worm of a stream begins when worms are to keep apart [mm]; the same in any company."""

    def signed(k: int) -> float:
        """0, 1, -1, 2, -2 and so on, in steps of the spacing."""
        return (k + 1) // 2 * (1 if k % 2 else -1) * values()["spacing"]

    return (signed(stream % _COLUMNS), signed(stream // _COLUMNS), 0.0)
