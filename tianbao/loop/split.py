"""A loop whose worms are computed in several processes, on one machine or on many; its bits are those of one process.

The dish is cut into as many tiles as there are processes, with equal numbers of worms in them. Each process moves the
worms that were in its tile when they were dealt out; in every tick it is told where others are that its own may touch.
Worms that have left their tile are dealt out anew from time to time. When a process is lost, all begin again from the
state at the last deal and repeat what was done since.
"""

from __future__ import annotations

import logging
import pickle
import weakref
from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np

from ..body import SoftBody
from ..clock import Clock
from ..environment import Arena, Given
from ..errors import ConfigError, TianbaoError
from ..network.design import NetworkDesign
from ..units import MS_PER_S
from ..worm_model import WormModel
from .crew import Crew, LostError, crew
from .loop import Action, Loop, Observation
from .share import SHOWN, Setup
from .state import LoopState

log = logging.getLogger(__name__)

_DEAL_MS = 2.0 * MS_PER_S  # between two deals, in biological time
_MOST_LOSSES = 3  # in a row, without a tick between them
_BODY_OF_ALL = "time"  # the array of a body's state that does not lead with the worms


class SplitLoop(Loop):
    """Worms in several processes; the rest is that of `Loop`.

    Args:
        worms, arena, clock, body, engine, initial_curvature, stream: see `Loop`.
        parts: number of processes.
        backend: "processes" of this machine, or actors of "ray".
        address: of a running Ray cluster.

    Raises:
        ConfigError: for more parts than worms, worms that feel the flow that others cause, or what cannot be sent.
    """

    def __init__(
        self, worms: Sequence[WormModel], arena: Arena, clock: Clock, body: SoftBody, *, engine: str,
        initial_curvature: float, stream: int = 0, parts: int = 2, backend: str = "processes",
        address: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            worms, arena, clock, body, engine=engine, initial_curvature=initial_curvature, stream=stream
        )  # fmt: skip
        if parts > len(self.worms):
            raise ConfigError(f"{len(self.worms)} worms cannot be dealt out to {parts} processes: give fewer parts")
        if arena.resolved:
            raise ConfigError("worms that feel each other's flow (resolved) belong in one process: leave out parts")
        try:
            pickle.dumps((arena, self.worms))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ConfigError(
                f"the arena or a worm cannot be sent to another process ({error}): use functions that a module defines"
            ) from error
        self._given, self._parts, self._backend, self._address = arena, parts, backend, address
        self._crew: Crew | None = None
        self._dealt: list[list[int]] = []
        self._settles = all(isinstance(each, Given) for each in self.arena.fields)

    # --- beginning

    def reset(self, seed: int) -> Observation:
        """See `Loop.reset`."""
        self._dealt, self._seed = [], seed
        super().reset(seed)
        self._start = self.body.state()
        self._kept: LoopState | None = None
        self._since: list[Action | None] = []
        if self._crew is None:
            self._crew = crew(self._backend, self._parts, self._address)
            weakref.finalize(self, self._crew.close)
        self._repeat()
        return self.observe()

    def _brains(self):
        designs = [self.design(k) for k in range(len(self.worms))]
        brains = tuple(ShownBrain(each) for each in designs)
        return SimpleNamespace(brains=brains, start=lambda *given: None)

    def _deal(self, state: LoopState | None) -> None:
        """Give every process its worms, at their start or in a state that the body here shows."""
        body = self.body
        self._dealt = tiles(body.midline()[..., :2].mean(axis=1), self._parts)
        self._rings, lines = body.rings(), body.midline()
        setup = Setup(
            self._given, self.clock, body.mesh.slabs, body.material, self.engine, self.initial_curvature,
            len(self.worms), self.stream, self._seed,
        )  # fmt: skip
        shares = [
            (setup, numbers, [self.worms[k] for k in numbers], lines, state and _rows(state, numbers))
            for numbers in self._dealt
        ]
        self._crew.begin(shares)
        self._fresh = False

    # --- running

    def advance(self, action: Action | None = None) -> None:
        """See `Loop.advance`."""
        try:
            self._round(action)
        except LostError as error:
            self._recover(error, [*self._since, action])
        self._since.append(action)
        if self.ticks % max(1, round(_DEAL_MS / self.clock.tick)) == 0:
            self._keep()

    def _round(self, action: Action | None) -> None:
        near = _near(self._rings, self._dealt, self.body.mesh.surface_radii.max())
        asked = [
            (_of(action, numbers), self._rings[others], self._settles)
            for numbers, others in zip(self._dealt, near, strict=True)
        ]
        moved = self._crew.all("move", asked)
        rings, lines = np.empty_like(self._rings), self._line
        for numbers, (there, line) in zip(self._dealt, moved, strict=True):
            rings[numbers], lines[numbers] = there, line
        if not self._settles:
            self._crew.all("settle", [(lines,)] * self._parts)
        self._rings = rings
        self.ticks += 1
        self._fresh = False

    def _recover(self, error: LostError, actions: Sequence[Action | None]) -> None:
        """Repeat everything since the last deal in new processes."""
        for _ in range(_MOST_LOSSES):
            log.warning("%s: repeating %d ticks in new processes", error, len(actions))
            self._crew.renew()
            try:
                self._repeat()
                for each in actions:
                    self._round(each)
                return
            except LostError as again:
                error = again
        raise TianbaoError(f"{error}, {_MOST_LOSSES} times in a row: is there enough memory for {self._parts} parts?")

    def _repeat(self) -> None:
        """Go back to the last deal."""
        state = self._kept
        self.ticks = state.ticks if state else 0
        self.body.restore(_body_of(state) if state else self._start)
        self._deal(state)

    def _keep(self) -> None:
        """Take a state to go back to, and deal worms out anew if some have left their tile."""
        self.refresh()  # what was sensed is not part of a state
        try:
            state = self.state()
        except LostError as error:
            self._recover(error, self._since)
            state = self.state()
        self._kept, self._since = state, []
        if tiles(self.body.midline()[..., :2].mean(axis=1), self._parts) != self._dealt:
            self._deal(state)
            self._fresh = True

    def refresh(self) -> None:
        """See `Loop.refresh`: fetch from the processes what observers look at."""
        if not self._dealt or self._fresh:
            return
        try:
            shown = self._crew.all("shown", [()] * self._parts)
        except LostError as error:
            self._recover(error, self._since)
            shown = self._crew.all("shown", [()] * self._parts)
        self.body.restore(_joined([each["body"] for each in shown], self._dealt))
        for numbers, each in zip(self._dealt, shown, strict=True):
            for name in SHOWN:
                for k, array in zip(numbers, each[name], strict=True):
                    getattr(self.animals[k].brain, name)[:] = array
        for field in self.arena.fields:
            field.restore(shown[0]["fields"][field.name])
        self._fresh = True

    # --- state

    def state(self) -> LoopState:
        """See `Loop.state`."""
        states = self._crew.all("state", [()] * self._parts)
        body = _joined([_body_of(each) for each in states], self._dealt)
        generators: list[dict] = [{}] * len(self.worms)
        arrays = {f"body/{name}": each for name, each in body.items()}
        worms: dict[str, np.ndarray] = {}
        for numbers, each in zip(self._dealt, states, strict=True):
            for j, k in enumerate(numbers):
                generators[k] = each.generators[j]
            for name, array in each.arrays.items():
                if name.startswith("worms/"):
                    _, j, rest = name.split("/", 2)
                    worms[f"worms/{numbers[int(j)]}/{rest}"] = array
        ordered = sorted(worms, key=lambda name: int(name.split("/", 2)[1]))
        fields = {name: each for name, each in states[0].arrays.items() if name.startswith("fields/")}
        return LoopState(self.ticks, tuple(generators), arrays | {name: worms[name] for name in ordered} | fields)

    def restore(self, state: LoopState) -> None:
        """See `Loop.restore`."""
        if len(state.generators) != len(self.worms):
            raise ConfigError(f"the state holds {len(state.generators)} worms, and there are {len(self.worms)} here")
        try:
            _rows(state, range(len(self.worms)))
            self.body.restore(_body_of(state))
        except (KeyError, IndexError, ValueError) as error:
            raise ConfigError(f"the state is not of these worms ({error}): run the simulation again") from error
        self._kept, self._since = state, []
        self._repeat()


class ShownBrain:
    """What the processes have last shown of a brain.

    Attributes:
        inputs, current, activation, voltage: see `Brain`.
    """

    def __init__(self, design: NetworkDesign) -> None:
        self.inputs, self.current = np.zeros(design.inputs.size), np.zeros(len(design.neurons))
        self.activation, self.voltage = np.zeros(len(design.muscles)), np.zeros(len(design.neurons))


def tiles(places: np.ndarray, parts: int) -> list[list[int]]:
    """Cut the plane into tiles with equal numbers of worms, halving it across the longer side each time.

    Args:
        places: of the worms [mm], shape (worms, 2).
        parts: number of tiles.

    Returns:
        Numbers of the worms in each tile, ascending.
    """

    def cut(numbers: np.ndarray, count: int) -> list[list[int]]:
        """The tiles of some of the worms."""
        if count == 1:
            return [sorted(numbers.tolist())]
        there = places[numbers]
        order = numbers[np.argsort(there[:, np.ptp(there, axis=0).argmax()], kind="stable")]
        first = count // 2
        edge = round(len(order) * first / count)
        return [*cut(order[:edge], first), *cut(order[edge:], count - first)]

    return cut(np.arange(len(places)), parts)


def _near(rings: np.ndarray, dealt: Sequence[Sequence[int]], radius: float) -> list[list[int]]:
    """Of every part, the worms of others that its own may touch.

    Args:
        rings: of all worms, see `SoftBody.rings`.
        dealt: worms of each part.
        radius: largest of a body [mm].
    """
    # As far as contacts are sought: both radii, the reach, and what a segment is longer than its ends say.
    margin = radius + 0.05
    low, high = rings[:, :, 0].min(axis=1) - margin, rings[:, :, 0].max(axis=1) + margin
    found = []
    for numbers in dealt:
        meet = ((low[numbers][:, None] <= high) & (low <= high[numbers][:, None])).all(axis=2).any(axis=0)
        meet[numbers] = False
        found.append(np.flatnonzero(meet).tolist())
    return found


def _of(action: Action | None, numbers: Sequence[int]) -> Action | None:
    """An action on some of the worms."""
    return action and Action(action.current[numbers], tuple(action.light[k] for k in numbers))


def _body_of(state: LoopState) -> dict[str, np.ndarray]:
    return {name.removeprefix("body/"): each for name, each in state.arrays.items() if name.startswith("body/")}


def _joined(bodies: Sequence[dict[str, np.ndarray]], dealt: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
    """The state of all bodies out of those of the parts."""
    worms = sum(map(len, dealt))
    found = {}
    for name, first in bodies[0].items():
        if name == _BODY_OF_ALL:
            found[name] = first
            continue
        found[name] = np.empty((worms, *first.shape[1:]), first.dtype)
        for numbers, each in zip(dealt, bodies, strict=True):
            found[name][numbers] = each[name]
    return found


def _rows(state: LoopState, numbers: Sequence[int]) -> LoopState:
    """The state of some of the worms."""
    chosen, arrays = list(numbers), {}
    place = {str(k): j for j, k in enumerate(chosen)}
    for name, each in state.arrays.items():
        kind, _, rest = name.partition("/")
        if kind == "body":
            arrays[name] = each if rest == _BODY_OF_ALL else each[chosen]
        elif kind == "worms":
            k, _, what = rest.partition("/")
            if k in place:
                arrays[f"worms/{place[k]}/{what}"] = each
        else:
            arrays[name] = each
    return LoopState(state.ticks, tuple(state.generators[k] for k in chosen), arrays)
