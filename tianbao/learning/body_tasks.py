"""What worms moved by their muscles are asked to do: reward, observation and start of every environment of a body.

A task knows nothing of Gymnasium: `environments.py` and `batches.py` wrap it, for one worm and for many. All numbers of
a worm follow from its own generator and its own actions, so that they are the same in any company.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from ..arguments import named_arguments
from ..environment import Medium, Obstacle
from ..errors import ConfigError, unknown
from ..rows import number, numbers
from .bodies import MuscleWorms, axis_of
from .observed import Observed

_MODES = 3  # cosines along the body of which a random posture consists
_MOST_BEND = 25.0  # [-] kappa L beyond which a body of this girth would be folded onto itself


@named_arguments
class BodyTask:
    """Worms that move ahead along the heading they started with; the tasks derived from it want something else.

    Attributes:
        worms: moved by their muscles.
        observed: every number of an observation, in order.
        limit: actions after which an episode is cut off; None for no limit.

    Limitations: see `MuscleWorms`.
    """

    medium: ClassVar[str] = "water"
    options: ClassVar[tuple[str, ...]] = ("heading", "place", "posture")
    posture: ClassVar[float] = 2.0

    def __init__(
        self,
        worms: int = 1,
        *,
        medium: Medium | str | None = None,
        muscles: str = "rows",
        duration: float | None = None,
        posture: float | None = None,
        effort: float = 0.0,
        slabs: int | None = None,
        step: float | None = None,
        threads: int = 1,
        obstacles: Sequence[Obstacle] = (),
    ) -> None:
        """
        Args:
            worms: number of worms.
            medium: around them; that of the task when None.
            muscles: "rows" or "all", see MuscleWorms.
            duration: of an episode [s]; no limit of its own when None.
            posture: standard deviation of the bends (kappa L) of the random posture at the start [-]; that of the task
                when None.
            effort: reward lost per action at full activation of all muscles, as the mean of squares [body lengths].
            slabs, step, threads: see MuscleWorms.
            obstacles: that the worms cannot enter.

        Raises:
            ConfigError: for an unknown or wrong value.
        """
        self.worms = MuscleWorms(worms, medium=self.medium if medium is None else medium, muscles=muscles, slabs=slabs,
                                 step=step, threads=threads, obstacles=obstacles)  # fmt: skip
        self.limit = None
        if duration is not None:
            longest = 1e6
            self.limit = round(number(duration, "task", "duration", "s", low=self.worms.interval, high=longest)
                               / self.worms.interval)  # fmt: skip
        spread = type(self).posture if posture is None else posture
        self.spread = number(spread, "task", "posture", low=0.0, high=5.0)
        self.effort = number(effort, "task", "effort", "body lengths", low=0.0, high=1e3)
        self.length = self.worms.body.mesh.length
        count = self.worms.worms
        self.heading, self.place, self.count = np.zeros(count), np.zeros((count, 2)), np.zeros(count, int)
        self.midline = self.worms.body.midline()
        self.observed = tuple(self._observed())
        self._look()
        self._moved, self._rate = np.zeros((count, 2)), np.zeros_like(self.bend)

    # --- observation ---------------------------------------------------------------------------------------------

    def _observed(self) -> list[Observed]:
        """Every number of an observation, in order."""
        rows, whole_worm = self.worms.joints, self.worms.controls != self.worms.joints
        joints = range(1, rows)
        found = [Observed(f"bend to dorsal behind row {k}", "1") for k in joints]
        found += [Observed(f"rate of the bend behind row {k}", "1/s") for k in joints]
        found += [Observed(f"velocity {way}", "mm/s") for way in ("ahead", "to the left")]
        if whole_worm:
            found += [Observed(f"bend to the right behind row {k}", "1") for k in joints]
            return found + [Observed(f"activation of {name}", "1", 0.0, 1.0) for name in self.worms.muscles]
        return found + [Observed(f"dorsal minus ventral activation of row {k}", "1", -1.0, 1.0)
                        for k in range(1, rows + 1)]  # fmt: skip

    def _look(self) -> None:
        """Take where the worms are, before and after an action."""
        self.worms.body.midline(out=self.midline)
        self.centre = self.midline[..., :2].mean(axis=1)
        self.axis = axis_of(self.midline)
        self.bend = self.worms.bend()

    def _parts(self) -> list[np.ndarray]:
        """The parts of an observation, each of shape (worms, n)."""
        worms = self.worms
        side = np.column_stack([-self.axis[:, 1], self.axis[:, 0]])
        velocity = np.column_stack([(self._moved * each).sum(axis=1) for each in (self.axis, side)]) / worms.interval
        parts = [self.bend, self._rate, velocity]
        if worms.controls == worms.joints:
            return [*parts, worms.row_activation()]
        return [*parts, worms.roll(), worms.activation]

    def observation(self) -> np.ndarray:
        """What the worms observe now, float32, shape (worms, len(observed))."""
        return np.concatenate(self._parts(), axis=1).astype(np.float32)

    def scenery(self, worm: int) -> dict[str, Any]:
        """What a picture of a worm shows beside it, see `view.above.from_above`."""
        return {"arrow": self.heading[worm], "start": self.place[worm]}

    # --- episodes ------------------------------------------------------------------------------------------------

    def check(self, options: Mapping[str, Any] | None) -> dict[str, Any]:
        """Options of a start as numbers, before anything is changed by them.

        Args:
            options: see `restart`.

        Raises:
            ConfigError: for an unknown or wrong option.
        """
        for name in options or {}:
            if name not in self.options:
                raise ConfigError(f"reset: {unknown('option', str(name), self.options)}")
        return {name: self._checked(name, value) for name, value in (options or {}).items()}

    def _checked(self, name: str, value: Any) -> Any:
        """The value of one option as the number or numbers that it stands for."""
        if name == "heading":
            return number(value, "reset", "heading", "rad", low=-1e6, high=1e6)
        if name == "place":
            return numbers(value, "reset", "place", 2, "mm", most=1e6)
        if isinstance(value, (Sequence, np.ndarray)):
            return np.array(numbers(value, "reset", "posture", self.worms.joints - 1))
        return np.array(number(value, "reset", "posture"))

    def restart(self, which: np.ndarray, generators: Sequence[np.random.Generator],
                options: Mapping[str, Any] | None = None) -> None:  # fmt: skip
        """Start a new episode of some worms.

        Args:
            which: numbers of the worms.
            generators: of every worm of the batch; only those of the worms that start are drawn from.
            options: that take the place of what is drawn: "heading" [rad], "place" [mm], "posture" (kappa L), and
                those of the task.

        Raises:
            ConfigError: for an unknown or wrong option.
        """
        options = self.check(options)
        for worm in which:
            self._start(int(worm), generators[worm], options)
        self._look()
        self._rate[which], self._moved[which], self.count[which] = 0.0, 0.0, 0
        self._begin(which)

    def _start(self, worm: int, rng: np.random.Generator, options: dict[str, Any]) -> None:
        """Put one worm down as its generator and the options say; everything is drawn, whatever is then used."""
        heading, modes = rng.uniform(-math.pi, math.pi), rng.standard_normal(_MODES)
        along = np.arange(1, self.worms.joints) / self.worms.joints
        shapes = np.cos(math.pi * np.arange(1, _MODES + 1)[:, None] * along)
        bend = self.spread * math.sqrt(2.0 / _MODES) * (modes[:, None] * shapes).sum(axis=0)
        heading = options.get("heading", self._usual_heading(heading))
        bend = options.get("posture", bend)
        place = options.get("place", self._usual_place(rng))
        self.heading[worm], self.place[worm] = heading, place
        self.worms.place(worm, at=tuple(place), heading=heading, bend=np.clip(bend, -_MOST_BEND, _MOST_BEND))

    def _usual_heading(self, drawn: float) -> float:
        """Heading [rad] where no option gives one."""
        return drawn

    def _usual_place(self, rng: np.random.Generator) -> tuple[float, float]:
        """Centroid [mm] where no option gives one."""
        return 0.0, 0.0

    def _begin(self, which: np.ndarray) -> None:
        """What else a task keeps of worms that have just been put down."""

    def act(self, action: np.ndarray, active: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """One action of every worm.

        Args:
            action: [-], shape (worms, controls).
            active: worms whose episode goes on, shape (worms,); what the others do is of no account.

        Returns:
            Reward and whether the episode has come to its end, shape (worms,) each; what else is known of the worms.

        Raises:
            ConfigError: for a wrong action.
            DivergedError: when the body cannot be solved.
        """
        before, bend = self.centre, self.bend
        self.worms.advance(action)
        self._look()
        self._moved = self.centre - before
        self._rate[...] = (self.bend - bend) / self.worms.interval
        self.count += 1
        reward, over, info = self._judge(before, active)
        spent = (self.worms.activation**2).mean(axis=1)
        return reward - self.effort * spent, over, {**info, "effort": spent}

    def _judge(self, before: np.ndarray, active: np.ndarray):
        """Reward before the cost of effort [body lengths], end and info."""
        ahead = np.column_stack([np.cos(self.heading), np.sin(self.heading)])
        moved = (self._moved * ahead).sum(axis=1) / self.length
        gone = ((self.centre - self.place) * ahead).sum(axis=1) / self.length
        return moved, np.zeros(self.worms.worms, bool), {"displacement": gone}


class Ahead(BodyTask):
    """Adds to the observation where the heading of the start lies."""

    def _observed(self) -> list[Observed]:
        """As in BodyTask, and the direction of the goal."""
        goal = [Observed(f"{each} of the angle to the heading", "1", -1.0, 1.0) for each in ("cosine", "sine")]
        return [*super()._observed(), *goal]

    def _parts(self) -> list[np.ndarray]:
        """As in BodyTask, and the direction of the goal, positive to the left."""
        ahead = np.column_stack([np.cos(self.heading), np.sin(self.heading)])
        cosine = (ahead * self.axis).sum(axis=1)
        sine = self.axis[:, 0] * ahead[:, 1] - self.axis[:, 1] * ahead[:, 0]
        return [*super()._parts(), np.clip(np.column_stack([cosine, sine]), -1.0, 1.0)]


class Swim(Ahead):
    """Swim in water along the heading of the start."""


class Crawl(Ahead):
    """Crawl on agar along the heading of the start."""

    medium = "agar"
