"""One worm of a simulation, between its brain and its body."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..engine.brains import Brain
from ..muscles import TensionMap
from ..network.design import NetworkDesign
from ..sensing import Proprioception
from ..worm import WormModel
from .exchange import Currents
from .state import gathered, part
from .walls import Walls


class Animal:
    """What one worm senses, what drives its neurons and how its muscles pull.

    Args:
        model: the worm.
        design: its nervous system.
        brain: what integrates that.
        tension_per_curvature: of its body [Pa], shape (slabs,).
        rng: of its membrane noise.
        tick: time between two calls of `advance` [ms].
    """

    def __init__(
        self,
        model: WormModel,
        design: NetworkDesign,
        brain: Brain,
        tension_per_curvature: np.ndarray,
        rng: np.random.Generator,
        tick: float,
    ) -> None:
        self.model, self.design, self.brain = model, design, brain
        self._tension = TensionMap(design.muscles, tension_per_curvature, design.parameters.peak_curvature)
        self._walls = Walls(model.holds, design.stretch_positions, tension_per_curvature, tick)
        self._stretch = Proprioception(design.stretch, tick)
        self._currents = Currents(design, model.pulses, rng, tick)

    def inputs(self, name: str) -> np.ndarray:
        """View of one kind of input to the brain, such as "stretch"."""
        return self.brain.inputs[self.design.inputs[name]]

    def sense(self, bend: np.ndarray) -> None:
        """Write what the receptors sense to the brain's inputs.

        Args:
            bend: kappa L at the design's positions, shape (positions,).
        """
        self._stretch.feel(bend, out=self.inputs("stretch"))

    def drive(self, time: float, bend: np.ndarray, injected: np.ndarray | None) -> None:
        """Adapt the receptors, and write the currents of the tick that starts at `time` [ms].

        Args:
            time: [ms]
            bend: as in `sense`.
            injected: further current into every soma [nA], shape (neurons,).
        """
        self._stretch.adapt(bend)
        self._currents.write(time, out=self.brain.current)
        if injected is not None:
            self.brain.current += injected

    def pull(self, time: float, bend: np.ndarray, out: np.ndarray) -> None:
        """Tension of the tick that started at `time` [ms].

        Args:
            time: [ms]
            bend: as in `sense`.
            out: filled, of every slab and quadrant [Pa], shape (slabs, 4).
        """
        self._tension(self.brain.activation, out=out)
        self._walls(time, bend, out)

    @property
    def generator(self) -> dict:
        """State of the membrane noise; setting it goes back to it."""
        return self._currents.generator

    @generator.setter
    def generator(self, state: dict) -> None:
        self._currents.generator = state

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all arrays that the next tick depends on, the body's left out."""
        return gathered(
            brain=self.brain.state(),
            stretch=self._stretch.state(),
            currents=self._currents.state(),
            walls=self._walls.state(),
        )

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state, after the brain has started.

        Raises:
            ConfigError: when it is of another network.
        """
        for name, each in (
            ("brain", self.brain), ("stretch", self._stretch), ("currents", self._currents), ("walls", self._walls)
        ):  # fmt: skip
            each.restore(part(state, name))
