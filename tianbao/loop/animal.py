"""One worm of a simulation, between its brain and its body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..engine.brain import Brain
from ..muscles import TensionMap
from ..network.amine_levels import AmineLevels
from ..network.design import NetworkDesign
from ..network.modulation import Modulation
from ..registry import find
from ..sensing import Seen, Sense, StretchSense, TouchSense, table_senses
from ..worm_model import WormModel
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

    Attributes:
        tension: how its activations pull.
        senses: of its receptors, stretch first.
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
        self.tension = TensionMap(design.muscles, tension_per_curvature, design.parameters.peak_curvature)
        self._walls = Walls(model.holds, design.stretch_positions, tension_per_curvature, tick)
        levels = AmineLevels(design.amines, design.neurons, brain.voltage, design.parameters.release_slope, tick)
        self.senses: tuple[Sense, ...] = (
            StretchSense(design.stretch, tick),
            *(find("sense", name)(design.endings[name]) for name in table_senses()),
            TouchSense(design.endings[TouchSense.name], model.pokes),
            Modulation(design.modulators, tick, design.amines.reached, levels),
            levels,
        )
        self._currents = Currents(design, model.pulses, rng, tick)

    def inputs(self, name: str) -> np.ndarray:
        """View of one kind of input to the brain, such as "stretch"."""
        return self.brain.inputs[self.design.inputs[name]]

    def sense(self, seen: Seen) -> None:
        """Write what the receptors sense to the brain's inputs."""
        for sense in self.senses:
            sense.write(seen, out=self.inputs(sense.name))

    def drive(self, seen: Seen, injected: np.ndarray | None = None, light: np.ndarray | None = None) -> None:
        """Adapt the receptors, and write currents and light of the tick that starts now.

        Args:
            seen: what the senses saw of the world.
            injected: further current into every soma [nA], shape (neurons,).
            light: on the neurons of `design.driven`, 0 (dark) to 1 [-], shape (driven,).
        """
        self.inputs("light")[:] = 0.0 if light is None else light
        for sense in self.senses:
            sense.adapt(seen)
        self._currents.write(seen.time, out=self.brain.current)
        if injected is not None:
            self.brain.current += injected

    def pull(self, seen: Seen, out: np.ndarray) -> None:
        """Tension of the tick that started with what was seen.

        Args:
            seen: what the senses saw of the world.
            out: filled, of every slab and quadrant [Pa], shape (slabs, 4).
        """
        self.tension(self.brain.activation, out=out)
        self._walls(seen.time, seen.bend, out)

    @property
    def fluctuation(self) -> np.ndarray:
        """Copy of the membrane noise of the tick to come, in its standard deviations [-], shape (neurons,)."""
        return self._currents.state()["fluctuation"]

    @property
    def generator(self) -> dict:
        """State of the membrane noise; setting it goes back to it."""
        return self._currents.generator

    @generator.setter
    def generator(self, state: dict) -> None:
        self._currents.generator = state

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all arrays that the next tick depends on, the body's left out."""
        return gathered(**{name: each.state() for name, each in self._parts().items()})

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state, after the brain has started.

        Raises:
            ConfigError: when it is of another network.
        """
        for name, each in self._parts().items():
            each.restore(part(state, name))

    def _parts(self) -> dict[str, Any]:
        senses = {f"senses/{each.name}": each for each in self.senses}
        return {"brain": self.brain, **senses, "currents": self._currents, "walls": self._walls}
