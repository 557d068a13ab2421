"""One clock for brain and body: each tick, body -> receptors -> brain -> muscles -> body."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import anatomy
from ..body import Material, RingMesh, SoftBody
from ..cells.temperature import rate_factor
from ..config import RunConfig
from ..engine import ENGINES
from ..environment import Arena
from ..errors import ConfigError, shorten, unknown
from ..muscles import TensionMap
from ..network.assembly import Network
from ..parameters import Parameters
from ..recording import Recording
from ..rows import number, whole
from ..sensing import Proprioception
from ..worm import Worm
from .description import described
from .exchange import Currents
from .recorder import Recorder
from .run import Run
from .state import Checkpoints, RunState
from .walls import Walls

if TYPE_CHECKING:
    from ..engine.brains import Brain
    from ..network.design import NetworkDesign

_REST = -60.0  # [mV] where every neuron starts, give or take
_REST_SPREAD = 2.0  # [mV] so that no two neurons start in lockstep
_POSTURE_WAVELENGTH = 0.65  # [L] of the gentle bend a run starts from
_ORDERS = (1, 2)
_SHORTEST, _LONGEST = 1e-4, 1e9  # [ms] of a step
_MOST_CORRECTIONS = 100
_MOST_BEND = 50.0  # [kappa L], ten times that of a crawling worm
_MOST_FRAMES = 1_000_000  # of one recording: three gigabytes
_INSIDE = 0.3  # [-] share of the radius by which a worm may be squeezed when it starts


@dataclass(frozen=True)
class Clock:
    """Time steps of a run.

    Attributes:
        dt: step of the neurons [ms].
        tick: exchange between brain and body, and step of the body [ms].
        frame: interval of recorded frames [ms].
        order: of the neural step; 1 is backward Euler, 2 Crank-Nicolson in NEURON's staggered form.
        corrections: how often a step is solved again with the new voltages across gap junctions; native engine only.

    Limitations: order 2 extrapolates across gap junctions and so bounds dt unless it is corrected; backward Euler
    does not ring.
    """

    dt: float = 0.5
    tick: float = 4.0
    frame: float = 20.0
    order: int = 1
    corrections: int = 0

    def __post_init__(self) -> None:
        if type(self.order) is not int or self.order not in _ORDERS:
            raise ConfigError(f"clock order {shorten(self.order)}: give 1 (backward Euler) or 2 (Crank-Nicolson)")
        whole(self.corrections, "clock", "corrections", high=_MOST_CORRECTIONS)
        for name in ("dt", "tick", "frame"):
            number(getattr(self, name), "clock", name, "ms", high=_LONGEST)
        if 0 < self.dt < _SHORTEST:
            raise ConfigError(f"clock dt {self.dt:g} ms is below {_SHORTEST:g} ms, where nothing but round-off is left")
        if not 0 < self.dt <= self.tick <= self.frame:
            raise ConfigError(
                f"clock dt {self.dt:g}, tick {self.tick:g}, frame {self.frame:g} ms: need 0 < dt <= tick <= frame"
            )
        for short, long, names in ((self.dt, self.tick, ("dt", "tick")), (self.tick, self.frame, ("tick", "frame"))):
            if abs(long / short - round(long / short)) > 1e-9:
                raise ConfigError(
                    f"clock: {names[1]} = {long:g} ms must be a whole multiple of {names[0]} = {short:g} ms"
                )

    @property
    def ticks_per_frame(self) -> int:
        """Ticks between two recorded frames."""
        return round(self.frame / self.tick)


def check_options(seed: int, engine: str, clock: Clock, initial_curvature: float) -> None:
    """Refuse options of a simulation that cannot be, without anything heavy.

    Raises:
        ConfigError: for a value out of range.
    """
    if engine not in ENGINES:
        raise ConfigError(unknown("engine", engine, ENGINES))
    if clock.corrections and engine == "neuron":
        raise ConfigError("corrections are a feature of engine 'native'; set corrections to 0 or choose it")
    if isinstance(seed, int) and seed < 0:
        raise ConfigError(f"seed {shorten(seed)} is negative; give a whole number from 0")
    whole(seed, "simulation", "seed")
    number(initial_curvature, "simulation", "initial_curvature", "kappa L", low=-_MOST_BEND, high=_MOST_BEND)


def check_duration(duration: float, clock: Clock) -> None:
    """Refuse a duration [ms] that no recording can have.

    Raises:
        ConfigError: for one shorter than a frame, or of more frames than a recording holds.
    """
    frame, most = clock.frame, _MOST_FRAMES * clock.frame
    if not frame <= number(duration, "run", "duration", "ms"):
        raise ConfigError(f"duration {duration:g} ms is not a time of at least one frame ({frame:g} ms)")
    if duration > most:
        todo = f"at most {most:g} ms at frames of {frame:g} ms; give a longer clock.frame"
        raise ConfigError(f"duration {duration:g} ms is more than one recording holds: {todo}")


class Simulation:
    """A worm in its arena.

    Args:
        worm: the animal, with its interventions.
        arena: where it lives.
        seed: of membrane noise, initial voltages and initial posture.
        clock: time steps.
        slabs: axial resolution of the body mesh.
        initial_curvature: amplitude of the initial bend [kappa L].
        engine: what integrates the neurons, one of `tianbao.engine.ENGINES`; "native" equals "neuron" to rounding.
        progress: show time left and the real-time ratio.

    Limitations: one worm per process, since NEURON numbers cells per process.
    """

    def __init__(
        self,
        worm: Worm,
        arena: Arena | None = None,
        *,
        seed: int = 1,
        clock: Clock | None = None,
        slabs: int = 48,
        material: Material | None = None,
        initial_curvature: float = 4.0,
        engine: str = "neuron",
        progress: bool = True,
    ) -> None:
        if not isinstance(worm, Worm):
            raise ConfigError("a Simulation takes one Worm in this release; run several in several processes")
        for what, value, kind in (("arena", arena, Arena), ("clock", clock, Clock), ("material", material, Material)):
            if value is not None and not isinstance(value, kind):
                raise ConfigError(f"simulation: {what} is a tianbao.{kind.__name__}, not {shorten(repr(value))}")
        clock = clock or Clock()
        check_options(seed, engine, clock, initial_curvature)
        self.worm = worm
        self.engine = engine
        self.arena = arena or Arena()
        self.seed = int(seed)
        rate_factor(self.arena.temperature)  # refused now rather than after the network is built
        self.clock = clock
        self.initial_curvature = float(initial_curvature)
        self._slabs = slabs
        self.body = self._body_of(material)
        self.progress = progress
        self._neurons: tuple[str, ...] = ()
        self._network: Network | None = None
        self.brain: Brain | None = None
        self._brain_of: NetworkDesign | None = None
        self._assembled: tuple[str, ...] = ()

    @property
    def network(self) -> Network:
        """The assembled network: built at the first use, and again if the worm has changed since.

        Another simulation of the same process takes NEURON over; coming back builds anew, too.
        """
        if not self._assembled_as_it_is:
            self._network = Network(self.worm.design(self.body.curvature_positions))
            self._assembled = self.worm.anatomy_changes
        return self._network

    @property
    def _assembled_as_it_is(self) -> bool:
        built = self._network is not None and self._network.alive
        return built and self._assembled == self.worm.anatomy_changes

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

    def _body_of(self, material: Material | None) -> SoftBody:
        place = {name: getattr(self.arena, name) for name in ("medium", "obstacles", "gravity", "resolved")}
        return SoftBody(RingMesh.adult(self._slabs), material, touching=True, **place)

    def retune(self, parameters: Parameters, material: Material | None = None) -> Simulation:
        """Change the class-level parameters of the assembled worm in place.

        Equal to a new simulation with these parameters, without building the network again.

        Args:
            parameters: the new values.
            material: of the body from now on; None leaves the body as it is.
        """
        if not isinstance(parameters, Parameters):
            raise ConfigError(f"retune: give tianbao.Parameters, not {shorten(repr(parameters))}")
        if material is not None:
            self.body = self._body_of(material)
        self.worm.parameters = parameters
        if self._assembled_as_it_is:
            self._network.retune(self.worm.design(self.body.curvature_positions))
        return self

    def run(
        self, duration: float, *, checkpoints: Checkpoints | None = None, since: RunState | None = None
    ) -> Recording:
        """Simulate from a fresh start, or go on from a checkpoint.

        Ctrl-C and SIGTERM end the run early, between two ticks: the recording up to there is returned, marked
        incomplete, after a last checkpoint.

        Args:
            duration: of the whole run [ms].
            checkpoints: where the state is kept on the way, such as `tianbao.Checkpoints("crawl.checkpoint")`.
            since: a state that was kept; the run then gives the same bits as one that never stopped.

        Raises:
            ConfigError: for a duration shorter than one frame, or a state of another simulation.
            DivergedError: if brain or body leave the physical range; what was recorded until
                then is its `recording`.
        """
        self.check(duration)
        run = Run(self, duration, checkpoints)
        run.recorder = self.start(run.planned)
        if since is not None:
            run.take_up(since)
        return run.to_the_end()

    def check(self, duration: float, since: RunState | None = None) -> None:
        """Refuse a run that could not start, before anything is built or written.

        Args:
            duration: of the whole run [ms].
            since: state to go on from.

        Raises:
            ConfigError: as `run`, or for a worm that starts inside an obstacle.
        """
        check_duration(duration, self.clock)
        self._pose(np.random.default_rng(np.random.SeedSequence(self.seed).spawn(2)[0]))
        if since is not None:
            Run(self, duration, None).fits(since)

    @property
    def worm_label(self) -> str:
        """What the progress bar calls this run."""
        return f"worm in {self.arena.medium.name}"

    @property
    def recorded(self) -> tuple[str, ...]:
        """Neurons whose voltage a run keeps."""
        return self._neurons

    def configuration(self, duration: float) -> RunConfig:
        """The resolved configuration of a run of this length [ms]."""
        return described(self, duration)

    def start(self, ticks: int) -> Recorder:
        """Reset brain and body and lay out the buffers for so many ticks."""
        network = self.network
        for_start, for_noise = (np.random.default_rng(each) for each in np.random.SeedSequence(self.seed).spawn(2))
        design = network.design
        per_curvature, slabs = self.body.tension_per_curvature(), self.body.mesh.slabs
        self._tension = TensionMap(design.muscles, per_curvature, design.parameters.peak_curvature)
        self.walls = Walls(self.worm.holds, self.body.curvature_positions, per_curvature, self.clock.tick)
        self._pull = np.zeros((1, slabs, 4))
        self._bend = np.zeros((1, len(self.body.curvature_positions)))
        self.receptors = Proprioception(design.stretch, self.clock.tick)
        self.currents = Currents(design, self.worm.pulses, for_noise, self.clock.tick)
        self._take_brain_of(network)
        self._pose(for_start)
        self._feel()
        self._initialise_voltages(for_start)
        rate = rate_factor(self.arena.temperature)
        self.brain.start(self.clock.dt, self.clock.order, self.clock.corrections, rate)
        frames = ticks // self.clock.ticks_per_frame
        return Recorder(self.body, self.brain, design.neurons, self._neurons, frames)

    def _take_brain_of(self, network: Network) -> None:
        """The engine's hold on the network, taken anew when the network or its parameters are others."""
        # NEURON's first import belongs to the mechanisms that the network has loaded by now.
        from ..engine.brains import brain

        if self.brain is None or self._brain_of is not network.design:
            self.brain, self._brain_of = brain(network, self.engine), network.design

    def _pose(self, rng: np.random.Generator) -> None:
        s = self.body.curvature_positions
        phase = rng.uniform(0.0, 2.0 * np.pi)
        bend = self.initial_curvature * np.sin(2.0 * np.pi * s / _POSTURE_WAVELENGTH + phase)
        self.body.time = 0.0
        self.body.pose(curvature=bend, at=self.worm.at, heading=self.worm.heading)
        depth = self.body.overlap()
        if depth > _INSIDE * self.body.mesh.radii.max():
            place = "give Worm(at=..., heading=...)"
            raise ConfigError(f"the worm starts {1e3 * depth:.0f} um inside an obstacle or itself: {place}")

    def _feel(self) -> None:
        """Turn the body's bend into the stretch of every receptor."""
        self.body.curvature(self._bend)
        self.receptors.feel(self._bend[0], out=self.brain.stretch)

    def _initialise_voltages(self, rng: np.random.Generator) -> None:
        network = self.network
        offset = rng.normal(_REST, _REST_SPREAD, len(network.design.neurons))
        for name, start in zip(network.design.neurons, offset, strict=True):
            for section in network.cells[name].secs.values():
                section["hObj"].v = start
        for name in network.design.muscles.index:
            network.muscle(name).v = network.design.muscle_membrane.leak_reversal

    def tick(self, recorder: Recorder, number: int) -> None:
        """Once around the loop: the tick of that number, from 1."""
        self._feel()
        self.receptors.adapt(self._bend[0])
        self.currents.write((number - 1) * self.clock.tick, out=self.brain.current)
        self.brain.advance(number * self.clock.tick)
        self._tension(self.brain.activation, out=self._pull[0])
        self.walls((number - 1) * self.clock.tick, self._bend[0], self._pull[0])
        if self.arena.flow is not None:
            self.body.flow = self.arena.velocity(self.body.midline(), self.body.time)
        self.body.step(self._pull, self.clock.tick)
        if number % self.clock.ticks_per_frame == 0:
            recorder.take(number * self.clock.tick)
