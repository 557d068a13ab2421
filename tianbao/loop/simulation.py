"""One clock for brain and body: each tick, body -> receptors -> NEURON -> muscles -> body."""

from __future__ import annotations

import dataclasses
import datetime
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import anatomy
from ..body import Material, RingMesh, SoftBody
from ..config import to_toml
from ..environment import Arena
from ..errors import ConfigError, DivergedError
from ..muscles import TensionMap
from ..network.assembly import Network
from ..parameters import Parameters
from ..progress import Progress
from ..recording import Recording, WormTrack
from ..units import MS_PER_S
from ..worm import Worm
from . import provenance
from .recorder import Recorder

log = logging.getLogger(__name__)

_REST = -60.0  # [mV] where every neuron starts, give or take
_REST_SPREAD = 2.0  # [mV] so that no two neurons start in lockstep
_POSTURE_WAVELENGTH = 0.65  # [L] of the gentle bend a run starts from


@dataclass(frozen=True)
class Clock:
    """Time steps of a run.

    Attributes:
        dt: step of the neurons [ms].
        tick: exchange between brain and body, and step of the body [ms].
        frame: interval of recorded frames [ms].
    """

    dt: float = 0.5
    tick: float = 4.0
    frame: float = 20.0

    def __post_init__(self) -> None:
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
        progress: bool = True,
    ) -> None:
        if not isinstance(worm, Worm):
            raise ConfigError("a Simulation takes one Worm in this release; run several in several processes")
        if seed < 0:
            raise ConfigError(f"seed {seed} is negative; give a whole number from 0")
        self.worm = worm
        self.arena = arena or Arena()
        self.seed = seed
        self.clock = clock or Clock()
        self.initial_curvature = initial_curvature
        self.body = SoftBody(RingMesh.adult(slabs), material, medium=self.arena.medium)
        self._progress = progress
        self._neurons: tuple[str, ...] = ()
        self._network: Network | None = None
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
            self.clock = Clock(self.clock.dt, self.clock.tick, every)
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
        names = ("heading", "discretisation", "channel_set", "signs", "interventions")
        return {
            "run": {"seed": self.seed, **run},
            "worm": {"at": list(worm.at), **{name: getattr(worm, name) for name in names}},
            "material": dataclasses.asdict(body.material),
            "medium": dataclasses.asdict(body.medium),
            "parameters": dict(worm.parameters),
        }

    def _start(self, ticks: int) -> Recorder:
        """Reset brain and body and lay out the buffers."""
        # The network comes first: building it imports NEURON where no compiled folder misleads it.
        network = self.network

        from neuron import h

        from .exchange import ActivationBuffer, CurrentBuffer, StretchBuffer, VoltageProbe

        for_start, for_noise = (np.random.default_rng(each) for each in np.random.SeedSequence(self.seed).spawn(2))
        self._parallel = network.sim.pc
        self._tension = TensionMap(
            network.design.muscles, self.body.tension_per_curvature(), network.design.parameters.peak_curvature
        )
        slabs = self.body.mesh.slabs
        self._pull = np.zeros((1, slabs, 4))
        self._bend = np.zeros((1, len(self.body.curvature_positions)))
        self._stretch = StretchBuffer(network)
        self._currents = CurrentBuffer(network, self.worm.pulses, for_noise, self.clock.tick)
        self._activation = ActivationBuffer(network)
        self._pose(for_start)
        self._initialise_voltages(h, for_start)
        probe = VoltageProbe(network, network.design.neurons)
        return Recorder(self.body, self._activation, probe, self._neurons, ticks // self.clock.ticks_per_frame)

    def _pose(self, rng: np.random.Generator) -> None:
        s = self.body.curvature_positions
        phase = rng.uniform(0.0, 2.0 * np.pi)
        bend = self.initial_curvature * np.sin(2.0 * np.pi * s / _POSTURE_WAVELENGTH + phase)
        self.body.time = 0.0
        self.body.pose(curvature=bend, at=self.worm.at[:2], heading=self.worm.heading)
        self.body.curvature(self._bend)
        self._stretch.write(self._bend[0])

    def _initialise_voltages(self, h, rng: np.random.Generator) -> None:
        network = self.network
        h.dt, h.secondorder, h.celsius = self.clock.dt, 0, 20.0
        offset = rng.normal(_REST, _REST_SPREAD, len(network.design.neurons))
        for name, start in zip(network.design.neurons, offset, strict=True):
            for section in network.cells[name].secs.values():
                section["hObj"].v = start
        for name in network.design.muscles.index:
            network.muscle(name).v = network.design.muscle_membrane.leak_reversal
        self._parallel.set_maxstep(10.0)
        self._parallel.setup_transfer()
        h.finitialize()

    def _tick(self, recorder: Recorder, number: int) -> None:
        self.body.curvature(self._bend)
        self._stretch.write(self._bend[0])
        self._currents.write((number - 1) * self.clock.tick)
        self._parallel.psolve(number * self.clock.tick)
        activation = self._activation.read()
        self._tension(activation, out=self._pull[0])
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
