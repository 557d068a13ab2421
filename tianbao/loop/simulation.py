"""One clock for brain and body: each tick, body -> receptors -> brain -> muscles -> body."""

from __future__ import annotations

import dataclasses
import datetime
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import anatomy
from ..body import Material, RingMesh, SoftBody
from ..config import to_toml
from ..engine import ENGINES
from ..environment import Arena
from ..errors import ConfigError, DivergedError, unknown
from ..muscles import TensionMap
from ..network.assembly import Network
from ..parameters import Parameters
from ..progress import Progress
from ..recording import Recording, WormTrack
from ..units import MS_PER_S
from ..worm import Worm
from . import provenance
from .exchange import Currents
from .recorder import Recorder

if TYPE_CHECKING:
    from ..engine.brains import Brain
    from ..network.design import NetworkDesign

log = logging.getLogger(__name__)

_REST = -60.0  # [mV] where every neuron starts, give or take
_REST_SPREAD = 2.0  # [mV] so that no two neurons start in lockstep
_POSTURE_WAVELENGTH = 0.65  # [L] of the gentle bend a run starts from
_ORDERS = (1, 2)
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
        if self.order not in _ORDERS:
            raise ConfigError(f"clock order {self.order}: give 1 (backward Euler) or 2 (Crank-Nicolson)")
        if self.corrections < 0:
            raise ConfigError(f"clock corrections {self.corrections}: give a whole number from 0")
        if not 0 < self.dt <= self.tick <= self.frame:
            raise ConfigError(
                f"clock dt {self.dt:g}, tick {self.tick:g}, frame {self.frame:g} ms: need 0 < dt <= tick <= frame"
            )
        for short, long, names in ((self.dt, self.tick, "dt of tick"), (self.tick, self.frame, "tick of frame")):
            if abs(long / short - round(long / short)) > 1e-9:
                raise ConfigError(f"clock: {names} must divide evenly, got {short:g} and {long:g} ms")

    @property
    def ticks_per_frame(self) -> int:
        """Ticks between two recorded frames."""
        return round(self.frame / self.tick)


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
        initial_curvature: float = 1.0,
        engine: str = "neuron",
        progress: bool = True,
    ) -> None:
        if not isinstance(worm, Worm):
            raise ConfigError("a Simulation takes one Worm in this release; run several in several processes")
        if seed < 0:
            raise ConfigError(f"seed {seed} is negative; give a whole number from 0")
        if engine not in ENGINES:
            raise ConfigError(unknown("engine", engine, ENGINES))
        self.worm = worm
        self.engine = engine
        self.arena = arena or Arena()
        self.seed = seed
        self.clock = clock or Clock()
        self.initial_curvature = initial_curvature
        place = {name: getattr(self.arena, name) for name in ("medium", "obstacles", "gravity", "resolved")}
        self.body = SoftBody(RingMesh.adult(slabs), material, touching=True, **place)
        self._progress = progress
        self._neurons: tuple[str, ...] = ()
        self._network: Network | None = None
        self._brain: Brain | None = None
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
        self._neurons = tuple(anatomy.match_neurons(*voltage)) if voltage else ()
        if every is not None:
            self.clock = dataclasses.replace(self.clock, frame=every)
        return self

    def retune(self, parameters: Parameters) -> Simulation:
        """Change the class-level parameters of the assembled worm in place.

        Equal to a new simulation with these parameters, without building the network again.
        """
        self.worm.parameters = parameters
        if self._assembled_as_it_is:
            self._network.retune(self.worm.design(self.body.curvature_positions))
        return self

    def run(self, duration: float) -> Recording:
        """Simulate from a fresh start.

        Ctrl-C ends the run early: the recording up to that tick is returned, marked incomplete.

        Args:
            duration: [ms]

        Raises:
            ConfigError: for a duration shorter than one frame.
            DivergedError: if brain or body leave the physical range; what was recorded until
                then is its `recording`.
        """
        if not self.clock.frame <= duration < np.inf:
            raise ConfigError(f"duration {duration:g} ms is not a time of at least one frame ({self.clock.frame:g} ms)")
        ticks = round(duration / self.clock.tick)
        recorder = self._start(ticks)
        started, done = time.perf_counter(), 0
        complete = False
        progress = Progress(ticks * self.clock.tick, self.worm_label, enabled=self._progress)
        try:
            with progress:
                for done in range(1, ticks + 1):
                    self._tick(recorder, done)
                    progress.advance(self.clock.tick)
            complete = True
        except KeyboardInterrupt:
            log.warning("interrupted at %.0f of %.0f ms: keeping what was computed", recorder.last, duration)
        except DivergedError as error:
            error.recording = self._recording(recorder, started, done, complete=False)
            raise
        return self._recording(recorder, started, done, complete)

    @property
    def worm_label(self) -> str:
        """What the progress bar calls this run."""
        return f"worm in {self.arena.medium.name}"

    def configuration(self) -> dict[str, dict]:
        """The resolved configuration, section by section."""
        worm, body = self.worm, self.body
        run = {**dataclasses.asdict(self.clock), "slabs": body.mesh.slabs, "initial_curvature": self.initial_curvature}
        names = ("heading", "discretisation", "soma_compartments", "channel_set", "signs", "interventions")
        return {
            "run": {"seed": self.seed, "engine": self.engine, **run},
            "worm": {"at": list(worm.at), **{name: getattr(worm, name) for name in names}},
            "material": dataclasses.asdict(body.material),
            "medium": dataclasses.asdict(body.medium),
            "arena": self.arena.described(),
            "parameters": dict(worm.parameters),
        }

    def _start(self, ticks: int) -> Recorder:
        """Reset brain and body and lay out the buffers."""
        network = self.network
        for_start, for_noise = (np.random.default_rng(each) for each in np.random.SeedSequence(self.seed).spawn(2))
        design = network.design
        self._tension = TensionMap(design.muscles, self.body.tension_per_curvature(), design.parameters.peak_curvature)
        slabs = self.body.mesh.slabs
        self._pull = np.zeros((1, slabs, 4))
        self._bend = np.zeros((1, len(self.body.curvature_positions)))
        self._currents = Currents(design, self.worm.pulses, for_noise, self.clock.tick)
        self._integrator = self._brain_of_the(network)
        self._pose(for_start)
        self._initialise_voltages(for_start)
        self._integrator.start(self.clock.dt, self.clock.order, self.clock.corrections)
        frames = ticks // self.clock.ticks_per_frame
        return Recorder(self.body, self._integrator, design.neurons, self._neurons, frames)

    def _brain_of_the(self, network: Network) -> Brain:
        """The engine's hold on the network, taken anew when the network or its parameters are others."""
        # NEURON's first import belongs to the mechanisms that the network has loaded by now.
        from ..engine.brains import brain

        if self._brain is None or self._brain_of is not network.design:
            self._brain, self._brain_of = brain(network, self.engine), network.design
        return self._brain

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
        self._feel()

    def _feel(self) -> None:
        """Turn the body's bend into the stretch of every receptor."""
        self.body.curvature(self._bend)
        np.dot(self.network.design.stretch.weights, self._bend[0], out=self._integrator.stretch)

    def _initialise_voltages(self, rng: np.random.Generator) -> None:
        network = self.network
        offset = rng.normal(_REST, _REST_SPREAD, len(network.design.neurons))
        for name, start in zip(network.design.neurons, offset, strict=True):
            for section in network.cells[name].secs.values():
                section["hObj"].v = start
        for name in network.design.muscles.index:
            network.muscle(name).v = network.design.muscle_membrane.leak_reversal

    def _tick(self, recorder: Recorder, number: int) -> None:
        self._feel()
        self._currents.write((number - 1) * self.clock.tick, out=self._integrator.current)
        self._integrator.advance(number * self.clock.tick)
        self._tension(self._integrator.activation, out=self._pull[0])
        if self.arena.flow is not None:
            self.body.flow = self.arena.velocity(self.body.midline(), self.body.time)
        self.body.step(self._pull, self.clock.tick)
        if number % self.clock.ticks_per_frame == 0:
            recorder.take(number * self.clock.tick)

    def _recording(self, recorder: Recorder, started: float, ticks: int, complete: bool) -> Recording:
        biological = max(ticks * self.clock.tick, 1e-9) / MS_PER_S
        track = WormTrack(
            midline=recorder.midline,
            muscle_activation=recorder.activation,
            muscles=tuple(self.network.design.muscles.index),
            voltage=recorder.voltage,
            voltage_time=recorder.time,
            neurons=self._neurons,
            dorsal=recorder.dorsal,
        )
        return Recording(
            time=recorder.time,
            worms=(track,),
            config_toml=to_toml(self.configuration()),
            versions=provenance.versions(),
            mechanism_hash=provenance.mechanism_hash(),
            git_revision=provenance.git_revision(),
            seed=self.seed,
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            wall_s_per_bio_s=(time.perf_counter() - started) / biological,
            complete=complete,
        )
