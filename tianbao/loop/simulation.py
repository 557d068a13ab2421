"""Worms in an arena: the loop as users see it."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
from collections.abc import Sequence

from .. import anatomy
from ..arguments import NamedAttributes, named_arguments
from ..body import Material, RingMesh, SoftBody
from ..cells.temperature import rate_factor
from ..clock import Clock
from ..config import RunConfig
from ..environment import Arena
from ..errors import ConfigError, shorten
from ..network.assembly import Network
from ..parameters import Parameters
from ..recording import Recording
from ..rows import whole
from ..worm import Worm
from ..worm_model import WormModel
from .actions import Current, Light, action_of, said
from .checks import check_checkpoints, check_duration, check_observers, check_options, check_ranges
from .description import described
from .loop import Loop, Observation, with_parameters
from .observers import DivergenceGuard, Observer
from .run import Plan, Run, check_fit
from .split import SplitLoop
from .state import Checkpoints, RunState
from .unnoticed import unnoticed

log = logging.getLogger(__name__)

_MOST_STREAMS = 1_000_000
_DEFAULT = RunConfig()


@named_arguments
class Simulation(NamedAttributes):
    """Worms in an arena.

    Run it as a whole with `run`, or step by step with `reset`, `step` and `observe`, to close a loop of your own.
    Worms and arena are taken as they are now: later changes to a worm affect later simulations only.

    Args:
        worms: the animal with its interventions, or a list of animals.
        arena: where they are.
        seed: of membrane noise, initial voltages and initial postures.
        clock: time steps.
        slabs: axial resolution of the body mesh.
        material: of the tissue; values of body.csv when None.
        initial_curvature: amplitude of the initial bend [kappa L].
        engine: what integrates the neurons, one of `tianbao.engine.choice.ENGINES`; "native" equals "neuron" to
            rounding. "auto" takes "native", and NEURON for one worm where there is no C compiler.
        stream: of random numbers that the first worm takes; the others take those that follow.
        threads: how many worms are computed at the same time; one per processor when None. Results do not depend on it.
        parts: how many processes the worms are dealt out to; results do not depend on it.
        backend: where these are: "processes" of this machine, or actors of "ray".
        address: of a running Ray cluster, such as "auto"; None starts Ray on this machine.
        progress: show time left and the real-time ratio.

    Raises:
        ConfigError: for an option out of range, no worm, or several with engine "neuron".

    Limitations: engine "neuron" holds one worm per process, since NEURON numbers cells per process.
    """

    def __init__(
        self,
        worms: Worm | WormModel | Sequence[Worm | WormModel],
        arena: Arena | None = None,
        *,
        seed: int = _DEFAULT.seed,
        clock: Clock | None = None,
        slabs: int = _DEFAULT.body.slabs,
        material: Material | None = None,
        initial_curvature: float = _DEFAULT.body.initial_curvature,
        engine: str = _DEFAULT.engine,
        stream: int = _DEFAULT.stream,
        threads: int | None = None,
        parts: int = 1,
        backend: str = "processes",
        address: str | None = None,
        progress: bool = True,
    ) -> None:
        models = _models(worms)
        for what, value, kind in (("arena", arena, Arena), ("clock", clock, Clock), ("material", material, Material)):
            if value is not None and not isinstance(value, kind):
                raise ConfigError(f"simulation: {what} is a tianbao.{kind.__name__}, not {shorten(repr(value))}")
        clock = clock or Clock()
        engine = check_options(seed, engine, clock, initial_curvature, len(models))
        arena = arena or Arena()
        rate_factor(arena.temperature)  # refused now rather than after the network is built
        self.seed = int(seed)
        self.progress = progress
        self._slabs = slabs
        threads = min(len(models), _processors() if threads is None else whole(threads, "simulation", "threads", low=1))
        body = _body(arena, slabs, material, len(models), threads)
        stream = whole(stream, "simulation", "stream", high=_MOST_STREAMS)
        options = {"engine": engine, "initial_curvature": float(initial_curvature), "stream": stream}
        if whole(parts, "simulation", "parts", low=1) > 1 or backend != "processes":
            place = {"parts": parts, "backend": backend, "address": address}
            self._loop = SplitLoop(models, arena, clock, body, **options, **place)
        else:
            self._loop = Loop(models, arena, clock, body, **options, threads=threads)
        self._neurons: tuple[str, ...] = ()
        self._told: list[str] = []
        self._outside()

    # --- what it is made of

    @property
    def loop(self) -> Loop:
        """The loop, which owns all that changes."""
        return self._loop

    @property
    def worms(self) -> tuple[WormModel, ...]:
        """The worms, which do not change."""
        return self._loop.worms

    @property
    def worm(self) -> WormModel:
        """The first worm."""
        return self.worms[0]

    @property
    def arena(self) -> Arena:
        """Where the worms are."""
        return self._loop.arena

    @property
    def body(self) -> SoftBody:
        """The bodies of all worms."""
        return self._loop.body

    @property
    def engine(self) -> str:
        """What integrates the neurons; setting it changes it from the next run on."""
        return self._loop.engine

    @engine.setter
    def engine(self, name: str) -> None:
        self._loop.engine = check_options(self.seed, name, self.clock, self.initial_curvature, len(self.worms))

    @property
    def clock(self) -> Clock:
        """Time steps; setting them changes them from the next run on."""
        return self._loop.clock

    @clock.setter
    def clock(self, clock: Clock) -> None:
        if not isinstance(clock, Clock):
            raise ConfigError(f"simulation: clock is a tianbao.Clock, not {shorten(repr(clock))}")
        check_options(self.seed, self.engine, clock, self.initial_curvature, len(self.worms))
        self._outside(clock)
        if dataclasses.replace(clock, frame=self.clock.frame) != self.clock:
            self._loop.animals = ()  # laid out for the old steps: the next `step` begins anew
        self._loop.clock = clock

    @property
    def initial_curvature(self) -> float:
        """Amplitude of the initial bend [kappa L]."""
        return self._loop.initial_curvature

    @property
    def recorded(self) -> tuple[str, ...]:
        """Neurons whose voltage a run keeps."""
        return self._neurons

    @property
    def network(self) -> Network:
        """The first worm's assembled network: in NEURON from the first use on, until another takes its place.

        Runs read it, and what was changed in it, but only those with engine "neuron" leave their state in it.
        """
        from ..engine.population import assembled

        return assembled(self._loop.design())

    @property
    def label(self) -> str:
        """What the progress bar calls a run."""
        count = len(self.worms)
        return f"{'worm' if count == 1 else f'{count} worms'} in {self.arena.medium.name}"

    def configuration(self, duration: float) -> RunConfig:
        """The resolved configuration of a run of this length [ms]."""
        return described(
            self.worms, self.arena, self.body, self.clock, duration=duration, seed=self.seed, engine=self.engine,
            stream=self._loop.stream, initial_curvature=self.initial_curvature, voltage=self._neurons,
        )  # fmt: skip

    def alone(self, worm: int) -> Simulation:
        """One of the worms in the same arena without the others, with the random numbers that it has in company.

        Any difference from the run in company is due to the other worms; where nothing touches it, there is none.

        Args:
            worm: its number, counted from 0.

        Raises:
            ConfigError: if there is no such worm.
        """
        which = whole(worm, "alone", "worm", high=len(self.worms) - 1)
        single = Simulation(
            self.worms[which], self.arena, seed=self.seed, clock=self.clock, slabs=self._slabs,
            material=self.body.material, initial_curvature=self.initial_curvature, engine=self.engine,
            stream=self._loop.stream + which, progress=self.progress,
        )  # fmt: skip
        single._neurons = self._neurons
        return single

    # --- changing it between runs

    def record(self, voltage: Sequence[str] = (), every: float | None = None) -> Simulation:
        """Choose what a run keeps besides midline and muscle activation.

        Args:
            voltage: neurons or globs whose soma voltage is kept.
            every: frame interval [ms]; the clock's when None.
        """
        if isinstance(voltage, str) or not isinstance(voltage, Sequence):
            raise ConfigError(f"record: voltage takes a list of neurons, such as ['{shorten(voltage)}']")
        clock = self.clock if every is None else dataclasses.replace(self.clock, frame=every)
        self._neurons = tuple(anatomy.match_neurons(*voltage)) if voltage else ()
        self.clock = clock
        return self

    def retune(self, parameters: Parameters, material: Material | None = None) -> Simulation:
        """Change the class-level parameters of the assembled worms in place.

        Equal to a new simulation with these parameters, without building the network again.

        Args:
            parameters: the new values.
            material: of the bodies from now on; None leaves them as they are.
        """
        if not isinstance(parameters, Parameters):
            raise ConfigError(f"retune: give tianbao.Parameters, not {shorten(repr(parameters))}")
        loop, before = self._loop, Network.newest()
        body = None if material is None else _body(self.arena, self._slabs, material, len(self.worms), loop.threads)
        held = before is not None and len(self.worms) == 1 and before.design is loop.design()
        loop.retune(with_parameters(self.worms, parameters), body)
        if held:
            before.retune(loop.design())
        return self

    # --- running it

    def run(
        self,
        duration: float,
        *,
        checkpoints: Checkpoints | None = None,
        since: RunState | None = None,
        observers: Sequence[Observer] = (),
    ) -> Recording:
        """Simulate from a fresh start, or continue from a checkpoint.

        Ctrl-C, SIGTERM and SIGHUP end the run early, between two ticks: the recording up to there is returned, marked
        incomplete, after a last checkpoint.

        Args:
            duration: of the whole run [ms].
            checkpoints: where the state is kept on the way, such as `tianbao.Checkpoints("crawl.checkpoint")`.
            since: a state that was kept; the run then gives the same bits as one that never stopped.
            observers: called between ticks, such as `tianbao.Live()`, which shows the run in a browser; each is a
                function of the loop with an attribute `every`, the number of ticks between two calls.

        Raises:
            ConfigError: for a duration shorter than one frame, a state of another simulation, or what observes nothing.
            DivergedError: if brains or bodies leave the physical range; what was recorded until
                then is its `recording`.
        """
        check_observers(observers)
        check_checkpoints(checkpoints)
        self.check(duration)
        self._warn(duration)
        return Run(self._loop, self._plan(duration), checkpoints, since, observers).to_the_end()

    def _outside(self, clock: Clock | None = None) -> list[str]:
        """What lies outside of the ranges for which the model was shown to hold; what means nothing is refused."""
        return check_ranges(self.worms, self.arena, self.body, clock or self.clock, self.initial_curvature)

    def _warn(self, duration: float = math.inf) -> None:
        """Say so once, before anything is computed; and what a run [ms] would not notice."""
        for each in (*self._outside(), *unnoticed(self.worms, self.arena, self.clock, duration)):
            if each not in self._told:
                log.warning("%s", each)
                self._told.append(each)

    def _plan(self, duration: float) -> Plan:
        config = self.configuration(duration)
        return Plan(duration, self.seed, config, self._neurons, self.label, self.progress)

    def check(self, duration: float, since: RunState | None = None) -> None:
        """Refuse a run that could not start, before anything is built or written.

        Args:
            duration: of the whole run [ms].
            since: state to continue from.

        Raises:
            ConfigError: as `run`, or for a worm that starts inside an obstacle.
        """
        check_duration(duration, self.clock)
        self._loop.check_start(self.seed)
        if since is not None:
            check_fit(since, self._loop, self._plan(duration))

    def reset(self, seed: int | None = None) -> Observation:
        """Begin at time 0, for `step`.

        Args:
            seed: of noise, initial voltages and postures, from now on; as it was when None.

        Returns:
            The worms as they start.

        Raises:
            ConfigError: for a seed that is not a whole number from 0, or a worm that starts inside an obstacle.
        """
        if seed is not None:
            check_options(seed, self.engine, self.clock, self.initial_curvature, len(self.worms))
            self.seed = int(seed)
        self._warn()
        return self._loop.reset(self.seed)

    def step(
        self,
        duration: float,
        current: Current = None,
        light: Light = None,
        *,
        force: bool = False,
    ) -> Observation:
        """Simulate a little further, from a `reset`, another `step`, or where a run has ended.

        Args:
            duration: [ms], a whole number of ticks.
            current: into the somas of neurons, or globs, meanwhile [nA]; one mapping for all worms, or one for each.
            light: on neurons, or globs, that carry a channel by `Worm.express`, 0 (dark) to 1; a number lights all.
            force: whether a current above 1 nA into one cell is meant.

        Returns:
            The worms afterwards.

        Raises:
            ConfigError: for a duration that is not a whole number of ticks, a current that is not a number, a light
                outside 0 to 1, or on neurons that carry no channel for it.
            AnatomyError: for a neuron that does not exist.
            DivergedError: if brains or bodies leave the physical range.
        """
        if not self._loop.animals:
            self.reset()
        tick = self.clock.tick
        ticks = round(duration / tick) if isinstance(duration, (int, float)) and 0 < duration < 1e12 else 0
        if ticks < 1 or abs(ticks * tick - duration) > 1e-9 * duration:
            raise ConfigError(f"step of {shorten(repr(duration))} ms: give a whole number of ticks of {tick:g} ms")
        action = action_of(self._loop, current, light, force)
        for _ in range(ticks):
            self._loop.advance(action)
        self._loop.refresh()
        DivergenceGuard(ticks, said(current))(self._loop)
        return self._loop.observe()

    def observe(self) -> Observation:
        """The worms as they are now: where, how bent, what their neurons and muscles do.

        Raises:
            ConfigError: before `reset`.
        """
        return self._loop.observe()


def _models(worms: Worm | WormModel | Sequence[Worm | WormModel]) -> list[WormModel]:
    given = [worms] if isinstance(worms, (Worm, WormModel)) else worms
    if not isinstance(given, (list, tuple)) or not given:
        raise ConfigError(f"a Simulation takes a tianbao.Worm or a list of them, not {shorten(repr(worms))}")
    for each in given:
        if not isinstance(each, (Worm, WormModel)):
            raise ConfigError(f"a Simulation takes a tianbao.Worm or a list of them, not {shorten(repr(each))}")
    return [each.model() if isinstance(each, Worm) else each for each in given]


def _body(arena: Arena, slabs: int, material: Material | None, worms: int, threads: int) -> SoftBody:
    place = {name: getattr(arena, name) for name in ("medium", "obstacles", "gravity", "resolved")}
    return SoftBody(RingMesh.adult(slabs), material, worms, touching=True, threads=threads, **place)


def _processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
