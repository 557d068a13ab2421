"""One worm's closed loop, recorded tick by tick and gone through backwards.

Forwards, the loop is `Loop.advance` itself: what is recorded of it are inputs, noise and checkpoints, so that a
recorded run has the bits of any other with its seed. Backwards, a tick is taken from its end to its start: body
(implicit function theorem at the solution of its step) -> tension -> activations -> brain (exact adjoint of every
step of the engine) -> stretch and its adaptation -> curvature -> body. Source: reverse accumulation; checkpoints
about every square root of the steps as in Griewank 1992, Optim Methods Softw 1:35.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..body.adjoint import BodyRollout, curvature_weights, midline_weights
from ..engine.compiled_brain import CompiledBrain
from ..errors import ConfigError
from ..loop import Simulation
from ..loop.loop import Action, Loop
from ..loop.observers import DivergenceGuard

_GUARDED = 25  # ticks between two looks for a worm that diverges
MOST_BYTES = 500_000_000
"""Memory that one recorded run may take [bytes]."""


@dataclass(frozen=True)
class Rollout:
    """What a loss can depend on: the worm at the start and after every tick.

    Attributes:
        time: [ms], shape (ticks + 1,).
        midline: head first [mm], shape (ticks + 1, points, 3).
        curvature: kappa L at the inner points, positive to dorsal [-], shape (ticks + 1, points - 2).
        voltage: of every soma [mV], shape (ticks + 1, neurons).
        activation: of every muscle [-], shape (ticks + 1, 95).
        positions: body coordinate of each curvature [-], shape (points - 2,).
        neurons, muscles: names of the columns of voltage and activation.
    """

    time: np.ndarray
    midline: np.ndarray
    curvature: np.ndarray
    voltage: np.ndarray
    activation: np.ndarray
    positions: np.ndarray
    neurons: tuple[str, ...]
    muscles: tuple[str, ...]


OBSERVED = ("midline", "curvature", "voltage", "activation")
"""What of a rollout a loss may depend on."""


@dataclass
class LoopBars:
    """Derivatives of a loss with respect to everything that enters the loop.

    Attributes:
        current: into every soma in each tick [1/nA], shape (ticks, neurons).
        start_voltage: of every compartment at the start, in the order of `FlatBrain.voltage` [1/mV].
        leak_conductance, leak_current: of every compartment [1/uS], [1/nA], in the same order.
        instances: of each group of `NativeNetwork.groups`, parameter -> derivative of every instance.
        stretch_weights, stretch_fading: of `StretchField`, shape (receptors, positions).
        renewed: share of the way to its bend that a receptor adapts in a tick.
        peak_curvature: of `TensionMap`.
        noise: standard deviation of each neuron's noise current [1/nA], shape (neurons,).
    """

    current: np.ndarray
    start_voltage: np.ndarray
    leak_conductance: np.ndarray
    leak_current: np.ndarray
    instances: list[dict[str, np.ndarray]]
    stretch_weights: np.ndarray
    stretch_fading: np.ndarray
    renewed: float
    peak_curvature: float
    noise: np.ndarray


def check_differentiable(sim: Simulation) -> None:
    """Refuse what the way backwards does not cover.

    Raises:
        ConfigError: for anything but one worm in a medium without fields, obstacles or flow on the native engine, or
            a worm that is held or touched, decides, tires, or has modulators or amines.
    """
    if not isinstance(sim, Simulation):
        raise ConfigError("gradient: give a tianbao.Simulation")
    loop, arena = sim.loop, sim.arena
    several = len(sim.worms) > 1 or type(loop) is not Loop
    worm, design = sim.worm, None if several else loop.design()
    refused = {
        "several worms or parts": (several, "make a Simulation of one worm in this process"),
        f"engine '{sim.engine}'": (sim.engine not in ("auto", "native"), "choose engine 'native'"),
        "fields": (bool(arena.fields), "leave them out of the arena"),
        "obstacles": (bool(arena.obstacles), "leave them out of the arena"),
        "a moving or resolved medium": (arena.flow is not None or arena.resolved, "choose a still, unresolved one"),
        "a worm that is held": (bool(worm.holds), "leave `hold` out"),
        "a worm that is touched": (bool(worm.pokes), "leave touches and taps out"),
    }
    if design is not None:
        refused |= {
            "a worm that decides": (design.decision.on, "set decision to 'off'"),
            "synapses that tire": (design.fatigue.on, "set fatigue to 'off'"),
            "modulators or amines": (bool(design.modulated) or design.amines.on, "leave them out"),
        }
    for what, (present, todo) in refused.items():
        if present:
            raise ConfigError(f"gradient: {what} cannot be differentiated yet: {todo}")


class ClosedLoop:
    """Records a run of a simulation of one worm, and differentiates a loss on it.

    Args:
        sim: not held elsewhere meanwhile; it runs from its seed.
        duration: of the run [ms], a whole number of ticks.
        current: into every soma in each tick, beside the worm's own pulses [nA], shape (ticks, neurons).

    Attributes:
        rollout: what was recorded.
        bytes: that the record takes.

    Raises:
        ConfigError: for a simulation that cannot be differentiated, a duration that is no whole number of ticks, or a
            run whose record would take more than `MOST_BYTES`.
        DivergedError: if the worm diverges.
    """

    def __init__(self, sim: Simulation, duration: float, current: np.ndarray | None = None) -> None:
        check_differentiable(sim)
        self.sim, self.loop, self.body = sim, sim.loop, sim.body
        clock = sim.clock
        ticks = round(duration / clock.tick) if 0 < duration < 1e9 else 0
        if ticks < 1 or abs(ticks * clock.tick - duration) > 1e-9 * duration:
            raise ConfigError(f"gradient: {duration} ms is not a whole number of ticks of {clock.tick:g} ms")
        self.ticks, self._steps = ticks, round(clock.tick / clock.dt)
        sim.reset()
        self._animal = self.loop.animals[0]
        self._injected = self._checked(current)
        brain = self._animal.brain
        if not isinstance(brain, CompiledBrain):
            raise ConfigError("gradient: the native engine is needed, which needs a C compiler")
        self.brain = brain
        self._every = max(1, math.isqrt(ticks // self._steps))
        # NEURON's first import belongs to the mechanisms that a network loads.
        from ..engine.adjoint_ticks import TickAdjoint

        self._adjoint = TickAdjoint(brain.native, self._steps, self._every)
        self._lay_out()
        self._forwards()

    def _checked(self, current: np.ndarray | None) -> np.ndarray | None:
        shape = (self.ticks, len(self._animal.design.neurons))
        if current is None:
            return None
        given = np.asarray(current, float)
        if given.shape != shape or not np.isfinite(given).all():
            raise ConfigError(f"gradient: current has shape {given.shape}; give numbers [nA] of shape {shape}")
        return given

    def _lay_out(self) -> None:
        """Arrays for the record."""
        ticks, design, brain = self.ticks, self._animal.design, self.brain
        rings = self.body.mesh.rings
        shapes = (rings, 3), (rings - 2,), (len(design.neurons),), (len(design.muscles),)
        saved = (-(-ticks // self._every), self._adjoint.row)
        tape = (self._every * self._steps + 1) * 2 * self._adjoint.row
        vertices = self.body.mesh.vertices.size
        a_tick = brain.native.external.size + 2 * len(design.neurons) + sum(map(math.prod, shapes)) + 4 * vertices
        self.bytes = 8 * (math.prod(saved) + tape + ticks * a_tick)
        if self.bytes > MOST_BYTES:
            raise ConfigError(
                f"gradient: a record of {ticks} ticks would take {self.bytes / 1e6:.0f} MB of at most "
                f"{MOST_BYTES / 1e6:.0f}: shorten the run"
            )
        self._saved = np.empty(saved)
        self._external = np.empty((ticks, brain.native.external.size))
        self._clamp = np.empty((ticks, len(brain.native.clamp_current)))
        self._noise = np.empty((ticks, len(design.neurons)))
        time = np.arange(ticks + 1) * self.sim.clock.tick
        observed = (np.empty((ticks + 1, *shape)) for shape in shapes)
        names = design.neurons, tuple(design.muscles.index)
        self.rollout = Rollout(time, *observed, self.body.curvature_positions, *names)

    # --- forwards

    def _forwards(self) -> None:
        """Let the loop run and note what the way back needs."""
        loop, body, brain, tick = self.loop, self.body, self.brain, self.sim.clock.tick
        self._bodies = BodyRollout(body)
        self._external_at_start = brain.native.external.copy()
        guard = DivergenceGuard(_GUARDED)
        self._look(0)
        for k in range(self.ticks):
            if k % self._every == 0:
                self._adjoint.save(self._saved[k // self._every])
            before = body.state()
            self._noise[k] = self._animal.fluctuation
            loop.advance(self._action(k))
            self._external[k], self._clamp[k] = brain.native.external, brain.native.clamp_current
            self._bodies.follow(before, loop.pull, tick)
            self._look(k + 1)
            if (k + 1) % _GUARDED == 0 or k + 1 == self.ticks:
                guard(loop)
        self._end = loop.state()

    def _action(self, tick: int) -> Action | None:
        if self._injected is None:
            return None
        return Action(self._injected[tick][None], (np.zeros(len(self._animal.design.driven)),))

    def _look(self, row: int) -> None:
        seen = self.rollout
        seen.midline[row], seen.curvature[row] = self.body.midline()[0], self.body.curvature()[0]
        seen.voltage[row], seen.activation[row] = self.brain.voltage, self.brain.activation

    # --- backwards

    def back(self, weights: dict[str, np.ndarray]) -> LoopBars:
        """Derivatives of a loss; the simulation is then again where the run has ended.

        Args:
            weights: derivative of the loss with respect to entries of `OBSERVED`, each of the shape that the rollout
                has; 0 where one is missing.

        Raises:
            ConfigError: for another name or shape.
            DivergedError: if a step of the body has no derivative.
        """
        weights = self._checked_weights(weights)
        bars = self._empty_bars()
        self._adjoint.clear()
        positions = self._bodies.positions
        from_loss, last = self._from_loss(weights, positions), self._last(weights)
        body_bar, adapted_bar = from_loss[-1].copy(), np.zeros(len(bars.stretch_weights))
        for block in reversed(range(len(self._saved))):
            first, stop = block * self._every, min((block + 1) * self._every, self.ticks)
            if first > last:  # the loss depends on nothing from here on
                continue
            time = first * self.sim.clock.tick
            self._adjoint.replay(self._saved[block], time, self._external[first:stop], self._clamp[first:stop])
            for k in reversed(range(first, stop)):
                self._add_looks(weights, k + 1)
                body_bar, adapted_bar = self._back_one_tick(k, body_bar, adapted_bar, positions[k], bars)
                body_bar += from_loss[k]
        self._add_looks(weights, 0)
        self._adjoint.finish(self._saved[0], self._external_at_start)
        self._collect(bars)
        self.loop.restore(self._end)
        return bars

    def _checked_weights(self, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        found = {}
        for name, given in weights.items():
            if name not in OBSERVED:
                raise ConfigError(f"gradient: a loss cannot depend on '{name}': it may on {', '.join(OBSERVED)}")
            shape, array = getattr(self.rollout, name).shape, np.asarray(given, float)
            if array.shape != shape:
                raise ConfigError(f"gradient: the loss's derivative of '{name}' has shape {array.shape}; give {shape}")
            found[name] = array
        return found

    def _empty_bars(self) -> LoopBars:
        field, nothing = self._animal.design.stretch, np.zeros(0)
        stretch = (np.zeros_like(field.weights), np.zeros_like(field.weights))
        current, noise = np.zeros_like(self._clamp), np.zeros(self._noise.shape[1])
        return LoopBars(current, nothing, nothing, nothing, [], *stretch, 0.0, 0.0, noise)

    def _from_loss(self, weights: dict[str, np.ndarray], positions: np.ndarray) -> np.ndarray:
        """What the loss itself says of the vertices at every moment [1/mm], shape (ticks + 1, 1, vertices, 3)."""
        found = np.zeros_like(positions)
        if "midline" in weights:
            found += midline_weights(self.body, weights["midline"][:, None])
        if "curvature" in weights:
            found += curvature_weights(self.body, positions, weights["curvature"][:, None])
        return found

    def _last(self, weights: dict[str, np.ndarray]) -> int:
        """Last row that a loss depends on."""
        rows = (np.flatnonzero(each.reshape(len(each), -1).any(axis=1)) for each in weights.values())
        return max((int(each[-1]) for each in rows if len(each)), default=0)

    def _add_looks(self, weights: dict[str, np.ndarray], row: int) -> None:
        """What the loss says of the brain after tick `row` - 1."""
        compiled = self.brain.compiled
        if "voltage" in weights:
            np.add.at(self._adjoint.voltage_bar, compiled.soma, weights["voltage"][row])
        if "activation" in weights:
            np.add.at(self._activation_bar(), compiled.muscle, weights["activation"][row])

    def _activation_bar(self) -> np.ndarray:
        return self._adjoint.state_bar(self.brain.compiled.muscle_group, "a")

    def _back_one_tick(
        self, k: int, body_bar: np.ndarray, adapted_bar: np.ndarray, positions: np.ndarray, bars: LoopBars
    ) -> tuple[np.ndarray, np.ndarray]:
        """From the derivatives after tick k to those before it, of body and adaptation; the brain keeps its own."""
        design, pull = self._animal.design, self._animal.tension
        body_bar, tension_bar = self._bodies.pull_back(k, body_bar)
        bars.peak_curvature += float((tension_bar * self._bodies.tension(k)).sum() / pull.peak_curvature)
        self._activation_bar()[self.brain.compiled.muscle] += pull.pull_back(tension_bar[0])
        external_bar = np.zeros(self._external.shape[1])
        self._adjoint.back(external_bar, bars.current[k])
        # stretch = W bend - adapted; then adapted += renewed (F bend - adapted)
        field, bend = design.stretch, self.rollout.curvature[k]
        stretch = design.inputs["stretch"]
        stretch_bar, renewed = external_bar[stretch], self._animal.senses[0].renewed
        adapted = field.weights @ bend - self._external[k, stretch]
        bars.stretch_weights += np.outer(stretch_bar, bend)
        bars.stretch_fading += renewed * np.outer(adapted_bar, bend)
        bars.renewed += float(adapted_bar @ (field.fading @ bend - adapted))
        bend_bar = stretch_bar @ field.weights + renewed * (adapted_bar @ field.fading)
        body_bar = body_bar + curvature_weights(self.body, positions, bend_bar[None])
        return body_bar, (1.0 - renewed) * adapted_bar - stretch_bar

    def _collect(self, bars: LoopBars) -> None:
        adjoint, clamp = self._adjoint, self.brain.compiled.clamp
        bars.start_voltage, bars.leak_conductance, bars.leak_current = (
            adjoint.over_nodes[name].copy() for name in ("v", "sum_d", "sum_b")
        )
        bars.instances = [{name: each.copy() for name, each in group.items()} for group in adjoint.bars]
        bars.current = bars.current[:, clamp]
        bars.noise = (bars.current * self._noise).sum(axis=0)
