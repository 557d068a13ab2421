"""A share of the worms of a simulation, in a process of its own: what `split.py` deals out and talks to.

Whoever it touches among the others is a ghost in its body: each tick it is told where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..body import Material, RingMesh, SoftBody
from ..clock import Clock
from ..environment import Arena
from ..worm_model import WormModel
from .loop import Action, Loop
from .state import LoopState


@dataclass(frozen=True)
class Setup:
    """What all shares of a simulation have in common.

    Attributes:
        arena, clock, slabs, material, engine, initial_curvature: see `Simulation`.
        worms: number of all worms.
        stream: of random numbers that the first of all takes.
        seed: of every random number.
    """

    arena: Arena
    clock: Clock
    slabs: int
    material: Material
    engine: str
    initial_curvature: float
    worms: int
    stream: int
    seed: int


class Share(Loop):
    """Some of the worms of a simulation.

    Args:
        setup: what it has in common with the others.
        numbers: of its worms among all.
        models: its worms.
        lines: where all worms start [mm], shape (all worms, rings, 3).
        state: of its worms, to continue from.
    """

    def __init__(
        self, setup: Setup, numbers: Sequence[int], models: Sequence[WormModel], lines: np.ndarray,
        state: LoopState | None = None,
    ) -> None:  # fmt: skip
        place = {name: getattr(setup.arena, name) for name in ("medium", "obstacles", "gravity")}
        body = SoftBody(
            RingMesh.adult(setup.slabs), setup.material, len(models), touching=True,
            ghosts=setup.worms - len(models), **place,
        )  # fmt: skip
        super().__init__(
            models, setup.arena, setup.clock, body, engine=setup.engine, initial_curvature=setup.initial_curvature,
            stream=setup.stream,
        )  # fmt: skip
        self._numbers, self._lines = tuple(numbers), lines
        self.reset(setup.seed)
        if state is not None:
            self.restore(state)

    @property
    def streams(self) -> list[int]:
        """Streams of random numbers of its worms."""
        return [self.stream + k for k in self._numbers]

    def _check_room(self) -> None:
        """Whoever deals the worms out has seen that there is room for all of them."""

    def _everyone(self) -> np.ndarray:
        return self._lines

    def move(self, action: Action | None, ghosts: np.ndarray, settles: bool) -> tuple[np.ndarray, np.ndarray]:
        """All of a tick but what it changes in the fields.

        Args:
            action: on its own worms.
            ghosts: those of others that may be touched, see `SoftBody.rings`.
            settles: whether the tick ends here: no field takes notice of worms.

        Returns:
            Its worms after it: see `SoftBody.rings`, and their midlines [mm], shape (own, rings, 3).
        """
        self.body.place_ghosts(ghosts)
        self._move(action)
        if settles:
            self.settle(self._lines)
        return self.body.rings(), self.body.midline()

    def settle(self, lines: np.ndarray) -> None:
        """The end of a tick.

        Args:
            lines: where all worms are now [mm], shape (all worms, rings, 3).
        """
        self._lines = lines
        self._step_fields(self.clock.tick)
        self.ticks += 1

    def shown(self) -> dict[str, list[np.ndarray] | dict]:
        """What others look at: state of the body, and activations, voltages, inputs and currents of every brain."""
        brains = [each.brain for each in self.animals]
        parts = {name: [getattr(each, name).copy() for each in brains] for name in SHOWN}
        return {"body": self.body.state(), **parts, "fields": {each.name: each.state() for each in self.arena.fields}}


SHOWN = ("activation", "voltage", "inputs", "current")
"""What is shown of a brain."""
