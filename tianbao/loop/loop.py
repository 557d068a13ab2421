"""The closed loop: each tick, body -> receptors -> brains -> muscles -> body. One object that owns all its state."""

from __future__ import annotations

import copy
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..arguments import NamedAttributes
from ..body import SoftBody
from ..cells.temperature import rate_factor
from ..clock import Clock
from ..environment import Arena, Given
from ..errors import ConfigError
from ..network.design import NetworkDesign
from ..sensing import Seen
from ..worm_model import WormModel
from .animal import Animal
from .state import LoopState, check_like, gathered, part

_REST = -60.0  # [mV] where every neuron starts, give or take
_REST_SPREAD = 2.0  # [mV] so that no two neurons start in lockstep
_POSTURE_WAVELENGTH = 0.65  # [L] of the gentle bend a run starts from
_LARGEST_OF_BODY = 1e6  # [mm], [mm/s] beyond which no body is nor moves
_INSIDE = 0.3  # [-] share of the radius by which a worm may be squeezed when it starts


@dataclass(frozen=True)
class Action:
    """What an experimenter does in one tick.

    Attributes:
        current: into every soma, beside the worms' own pulses [nA], shape (worms, neurons).
        light: on the neurons of each worm that carry a channel for it, 0 to 1 [-], each of shape (driven,).
    """

    current: np.ndarray
    light: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Observation(NamedAttributes):
    """The worms between two ticks; arrays are copies and lead with the worms.

    Attributes:
        time: [ms]
        midline: head first [mm], shape (worms, points, 3).
        curvature: kappa L at the inner points of the midline, positive to dorsal [-], shape (worms, points - 2).
        voltage: of every soma, in the order of `neurons` [mV], shape (worms, neurons).
        activation: of every muscle, in the order of `muscles` [-], shape (worms, 95).
        inputs: of each worm, what its receptors sense, by name such as "stretch" [kappa L], "chemical" [mM],
            "gas" [%], "thermal" [degC] or "touch" [um]; 0 for what the arena does not hold.
        neurons, muscles: names.
    """

    time: float
    midline: np.ndarray
    curvature: np.ndarray
    voltage: np.ndarray
    activation: np.ndarray
    inputs: tuple[dict[str, np.ndarray], ...]
    neurons: tuple[str, ...]
    muscles: tuple[str, ...]


class Loop:
    """Worms with brains and bodies in one arena.

    Everything that changes during a simulation is owned here: `reset` begins, `tick` goes once around, and `state` and
    `restore` copy it out and put it back, to the same bits.

    Args:
        worms: models; worms with equal nervous systems share its constants.
        arena: where they are.
        clock: time steps.
        body: of all worms together.
        engine: one of `tianbao.engine.choice.ENGINES`.
        threads: how many brains are integrated at the same time; the bits do not depend on it.
        initial_curvature: amplitude of the initial bend [kappa L].
        stream: of random numbers that the first worm takes.
    """

    def __init__(
        self,
        worms: Sequence[WormModel],
        arena: Arena,
        clock: Clock,
        body: SoftBody,
        *,
        engine: str,
        threads: int = 1,
        initial_curvature: float,
        stream: int = 0,
    ) -> None:
        # Fields that change are this loop's own.
        arena = arena.replace(fields=copy.deepcopy(arena.fields)) if arena.fields else arena
        self.worms, self.arena, self.clock, self.body = tuple(worms), arena, clock, body
        self.engine, self.threads, self.initial_curvature, self.stream = engine, threads, initial_curvature, stream
        self.animals: tuple[Animal, ...] = ()
        self.ticks = 0
        self._designs: dict[tuple, NetworkDesign] = {}
        self._population = None
        self._pull = np.zeros((len(self.worms), body.mesh.slabs, 4))
        self._bend = np.zeros((len(self.worms), len(body.curvature_positions)))
        self._line = np.zeros((len(self.worms), body.mesh.rings, 3))
        self._fields_at_start = {each.name: each.state() for each in arena.fields}

    @property
    def time(self) -> float:
        """[ms] since the start."""
        return self.ticks * self.clock.tick

    @property
    def pull(self) -> np.ndarray:
        """View of the tension of the last tick [Pa], shape (worms, slabs, 4)."""
        return self._pull

    def design(self, worm: int = 0) -> NetworkDesign:
        """Nervous system of a worm; one object for all worms with equal ones."""
        model = self.worms[worm]
        if model.network_key not in self._designs:
            self._designs[model.network_key] = model.design(self.body.curvature_positions)
        return self._designs[model.network_key]

    def retune(self, worms: Sequence[WormModel], body: SoftBody | None = None) -> None:
        """Take the same worms with other parameters, and another body; `reset` then begins with them."""
        self.worms, self.body = tuple(worms), body or self.body
        self._designs, self._population, self.animals = {}, None, ()

    # --- beginning

    def reset(self, seed: int) -> Observation:
        """Begin at time 0.

        Args:
            seed: of noise, initial voltages and postures; the worm of stream k draws from the seed's children 2k and
                2k + 1, so that it draws the same in any company.

        Raises:
            ConfigError: for a worm that starts inside an obstacle or another.
        """
        for_start, for_noise = self._generators(seed)
        brains = self._brains()
        per_curvature = self.body.tension_per_curvature()
        self.animals = tuple(
            Animal(model, self.design(k), brains.brains[k], per_curvature, for_noise[k], self.clock.tick)
            for k, model in enumerate(self.worms)
        )
        self.ticks = 0
        for field in self.arena.fields:
            field.restore(self._fields_at_start[field.name])
        self._pose(for_start)
        self._step_fields(0.0)  # no time passes, but a lawn learns how many worms there are
        self._sense()
        rate = rate_factor(self.arena.temperature)
        voltages = [_rest(self.design(k), rng) for k, rng in enumerate(for_start)]
        clock = self.clock
        brains.start(voltages, clock.dt, clock.order, clock.corrections, [rate] * len(voltages))
        return self.observe()

    def _brains(self):
        """The brains of a run, built anew when the nervous systems have changed or NEURON no longer holds them."""
        # NEURON's first import belongs to the mechanisms that a network loads.
        from ..engine.population import Population

        designs = [self.design(k) for k in range(len(self.worms))]
        current = self._population
        if current is None or not current.alive or current.engine != self.engine:
            self._population = Population(designs, self.engine, self.threads)
        return self._population

    def _generators(self, seed: int) -> tuple[list[np.random.Generator], list[np.random.Generator]]:
        """Generators of each worm: of its start, and of its noise."""
        streams = self.streams
        children = np.random.SeedSequence(seed).spawn(2 * (max(streams) + 1))
        first, second = ([np.random.default_rng(children[2 * k + which]) for k in streams] for which in (0, 1))
        return first, second

    @property
    def streams(self) -> Sequence[int]:
        """Streams of random numbers of the worms."""
        return range(self.stream, self.stream + len(self.worms))

    def check_start(self, seed: int) -> None:
        """Refuse worms that cannot start where they are.

        Raises:
            ConfigError: for a worm inside an obstacle or another.
        """
        self._pose(self._generators(seed)[0])

    def _pose(self, generators: Sequence[np.random.Generator]) -> None:
        body, s = self.body, self.body.curvature_positions
        body.time = 0.0
        for k, (model, rng) in enumerate(zip(self.worms, generators, strict=True)):
            phase = rng.uniform(0.0, 2.0 * np.pi)
            bend = self.initial_curvature * np.sin(2.0 * np.pi * s / _POSTURE_WAVELENGTH + phase)
            body.pose(curvature=bend, at=model.at, heading=model.heading, worm=k)
        self._check_room()

    def _check_room(self) -> None:
        body = self.body
        depth = body.overlap()
        if depth > _INSIDE * body.mesh.radii.max():
            what = "the worm starts" if len(self.worms) == 1 else "a worm starts"
            other = "" if len(self.worms) == 1 else ", another worm"
            where, todo = f"inside an obstacle{other} or itself", "give Worm(at=..., heading=...)"
            raise ConfigError(f"{what} {1e3 * depth:.0f} um {where}: {todo}")

    # --- running

    def tick(self, action: Action | None = None) -> Observation:
        """Once around the loop.

        Args:
            action: what an experimenter does meanwhile.

        Returns:
            The worms after it.
        """
        self.advance(action)
        return self.observe()

    def advance(self, action: Action | None = None) -> None:
        """Once around the loop, as `tick`, without an observation."""
        self._move(action)
        self._step_fields(self.clock.tick)
        self.ticks += 1

    def refresh(self) -> None:
        """Let `animals`, `body` and `arena` tell of this moment, before someone looks at them; here they always do."""

    def _move(self, action: Action | None) -> None:
        """All of a tick but what it changes in the fields."""
        tick, body, arena = self.clock.tick, self.body, self.arena
        seen = self._sense()
        for k, animal in enumerate(self.animals):
            animal.drive(seen[k], *(() if action is None else (action.current[k], action.light[k])))
        self._population.advance((self.ticks + 1) * tick)
        for k, animal in enumerate(self.animals):
            animal.pull(seen[k], self._pull[k])
        if arena.flow is not None:
            body.flow = arena.velocity(body.midline(), body.time)
        body.step(self._pull, tick)

    def _step_fields(self, duration: float) -> None:
        """Let time [ms] pass in the fields, with the worms where they are."""
        changing = [field for field in self.arena.fields if not isinstance(field, Given)]
        lines = self._everyone() if changing else self._line
        for field in changing:
            field.step(duration, lines)

    def _everyone(self) -> np.ndarray:
        """Midlines of all worms in the arena [mm], shape (worms, rings, 3)."""
        return self.body.midline(self._line)

    def _sense(self) -> list[Seen]:
        """Let every worm sense where it is now; what each saw."""
        self.body.curvature(self._bend)
        if self.arena.fields:
            self.body.midline(self._line)
        loads = [None] * len(self.animals) if self.body.load is None else self.body.load
        around = zip(self._bend, self._line, loads, strict=True)
        seen = [Seen(self.time, bend, line, self.arena, load) for bend, line, load in around]
        for each, animal in zip(seen, self.animals, strict=True):
            animal.sense(each)
        return seen

    def observe(self) -> Observation:
        """The worms as they are now.

        Raises:
            ConfigError: before `reset`.
        """
        if not self.animals:
            raise ConfigError("nothing to observe yet: call reset first")
        self.refresh()
        design = self.animals[0].design
        return Observation(
            time=self.time,
            midline=self.body.midline(),
            curvature=self.body.curvature(),
            voltage=np.array([each.brain.voltage for each in self.animals]),
            activation=np.array([each.brain.activation for each in self.animals]),
            inputs=tuple({name: each.inputs(name).copy() for name in each.design.inputs} for each in self.animals),
            neurons=design.neurons,
            muscles=tuple(design.muscles.index),
        )

    # --- state

    def state(self) -> LoopState:
        """All that the next tick depends on, as copies."""
        worms = {f"worms/{k}": each.state() for k, each in enumerate(self.animals)}
        fields = {f"fields/{each.name}": each.state() for each in self.arena.fields}
        arrays = gathered(body=self.body.state(), **worms, **fields)
        return LoopState(self.ticks, tuple(each.generator for each in self.animals), arrays)

    def restore(self, state: LoopState) -> None:
        """Continue from a state, after `reset`; the same ticks then give the same bits.

        Raises:
            ConfigError: when it is of another number of worms, network or world, of another time than its ticks say,
                or holds what no state does.
        """
        if len(state.generators) != len(self.animals):
            raise ConfigError(f"the state holds {len(state.generators)} worms, and there are {len(self.animals)} here")
        check_like(state.arrays, self.state().arrays, _largest)
        self.body.restore(part(state.arrays, "body"))
        for k, (animal, generator) in enumerate(zip(self.animals, state.generators, strict=True)):
            animal.restore(part(state.arrays, f"worms/{k}"))
            try:
                animal.generator = generator
            except (TypeError, ValueError, KeyError, OverflowError) as error:
                raise ConfigError(f"the noise of worm {k} in the state is not what a run writes") from error
        for field in self.arena.fields:
            field.restore(part(state.arrays, f"fields/{field.name}"))
        self.ticks = state.ticks
        for time in (self.body.time, *(each.brain.time for each in self.animals)):
            if not abs(time - self.time) < 0.5 * self.clock.dt:
                raise ConfigError(f"the state is of {time:g} ms and says {self.time:g} ms: run the simulation again")


def _largest(name: str) -> float | None:
    """Largest absolute value in an array of a state; those of senses and fields are not ours to judge."""
    if name.startswith("fields/") or "/senses/" in name:
        return None
    return _LARGEST_OF_BODY if name.startswith("body/") and name != "body/time" else sys.float_info.max


def _rest(design: NetworkDesign, rng: np.random.Generator) -> np.ndarray:
    """Voltage at which every cell starts [mV], neurons before muscles."""
    neurons = rng.normal(_REST, _REST_SPREAD, len(design.neurons))
    return np.concatenate([neurons, np.full(len(design.muscles), design.muscle_membrane.leak_reversal)])


def with_parameters(worms: Sequence[WormModel], parameters) -> list[WormModel]:
    """The same worms with other class-level parameters."""
    return [replace(each, parameters=parameters) for each in worms]
