"""One run of a simulation: counts ticks, keeps checkpoints, ends well when it is told to."""

from __future__ import annotations

import datetime
import logging
import time
from functools import cached_property
from typing import TYPE_CHECKING

from ..config import config_of
from ..errors import ConfigError, DivergedError, OutputError
from ..progress import Progress
from ..recording import Recording, WormTrack
from ..units import MS_PER_S
from . import provenance
from .interrupt import Interrupt
from .recorder import Recorder
from .state import Checkpoints, RunState, gathered

if TYPE_CHECKING:
    from .simulation import Simulation

log = logging.getLogger(__name__)


class Run:
    """One run of a simulation: counts ticks, keeps checkpoints, ends well when it is told to."""

    def __init__(self, simulation: Simulation, duration: float, checkpoints: Checkpoints | None) -> None:
        self.simulation, self.checkpoints = simulation, checkpoints
        self.duration = duration
        self.planned = round(duration / simulation.clock.tick)
        self.done = 0
        self.recorder: Recorder = None  # given once the simulation has started
        self._config = simulation.configuration(duration)
        self._before, self._started = 0.0, time.perf_counter()

    def to_the_end(self) -> Recording:
        """Tick until all is done or somebody asks to stop."""
        simulation, tick = self.simulation, self.simulation.clock.tick
        due = self._ticks_between_checkpoints()
        left = (self.planned - self.done) * tick
        self._started = time.perf_counter()
        try:
            with Interrupt() as interrupt, Progress(left, simulation.worm_label, enabled=simulation.progress) as bar:
                while self.done < self.planned and not interrupt.asked:
                    simulation.tick(self.recorder, self.done + 1)
                    self.done += 1
                    bar.advance(tick)
                    if due and self.done % due == 0:
                        self._keep()
        except DivergedError as error:
            error.recording = self._recording()
            raise
        if self.done < self.planned:
            log.warning("stopped at %.0f of %.0f ms: keeping what was computed", self.done * tick, self.duration)
        if due and self.done % due:
            self._keep()
        return self._recording()

    def _ticks_between_checkpoints(self) -> int:
        if self.checkpoints is None:
            return 0
        return max(1, round(self.checkpoints.every / self.simulation.clock.tick))

    def _keep(self) -> None:
        try:
            self.checkpoints.keep(self.state())
        except OutputError as error:
            # A full disk costs the checkpoint, not the run: the one before is still there.
            log.warning("no checkpoint at %.0f ms: %s", self.done * self.simulation.clock.tick, error)

    @cached_property
    def _origin(self) -> dict:
        """Facts that hold for the whole run, asked for at its first checkpoint only: git is a process of its own."""
        return {
            "config": self._config.to_toml(),
            "versions": provenance.versions(),
            "mechanisms": provenance.mechanism_hash(),
            "anatomy": self.simulation.worm.provenance,
            "revision": provenance.git_revision(),
            "every": self.checkpoints.every if self.checkpoints else 0.0,
        }

    def state(self) -> RunState:
        """All that it needs to go on."""
        simulation = self.simulation
        facts = {
            **self._origin,
            "ticks": self.done,
            "planned": self.planned,
            "generator": simulation.currents.generator,
            "wall_s": self._wall(),
        }
        rooms = {
            "body": simulation.body.state(),
            "brain": simulation.brain.snapshot(),
            "receptors": simulation.receptors.state(),
            "currents": simulation.currents.state(),
            "walls": simulation.walls.state(),
            "recorder": self.recorder.snapshot(),
        }
        return RunState(facts, gathered(**rooms))

    def take_up(self, state: RunState) -> None:
        """Go on from a state.

        Raises:
            ConfigError: when it is of another simulation, another release or beyond the end.
        """
        self.fits(state)
        simulation = self.simulation
        simulation.body.restore(state.room("body"))
        simulation.brain.go_back(state.room("brain"))
        simulation.receptors.restore(state.room("receptors"))
        simulation.walls.restore(state.room("walls"))
        self.recorder.go_back(state.room("recorder"))
        simulation.currents.restore(state.room("currents"))
        simulation.currents.generator = state.facts["generator"]
        self.done, self._before = state.facts["ticks"], state.facts["wall_s"]

    def fits(self, state: RunState) -> None:
        """Refuse a state that this run cannot go on from.

        Raises:
            ConfigError: see `take_up`.
        """
        facts = state.facts
        made_by = {**facts["versions"], "mechanisms": facts["mechanisms"], **facts["anatomy"]}
        here = {**provenance.versions(), "mechanisms": provenance.mechanism_hash(), **self.simulation.worm.provenance}
        for name, value in made_by.items():
            if here.get(name) != value:
                raise ConfigError(
                    f"the checkpoint was made with {name} {value}, this is {here.get(name)}: "
                    "only the same versions go on with the same bits; run the simulation again"
                )
        if facts["revision"] != (revision := provenance.git_revision()):
            was, now = facts["revision"] or "none", revision or "none"
            log.warning("the checkpoint is of revision %s, this is %s: the bits may differ from there on", was, now)
        theirs = config_of(state.facts["config"], "checkpoint")
        changed = theirs.differences(self._config)
        changed.pop("duration", None)
        for key, (kept, now) in changed.items():
            raise ConfigError(f"the checkpoint is of another run: {key} was {kept!r} and is {now!r}")
        if state.facts["ticks"] > self.planned:
            reached = state.facts["ticks"] * self.simulation.clock.tick
            raise ConfigError(f"the checkpoint is at {reached:g} ms, beyond the duration of {self.duration:g} ms")

    def _wall(self) -> float:
        return self._before + time.perf_counter() - self._started

    def _recording(self) -> Recording:
        recorder, simulation = self.recorder, self.simulation
        biological = max(self.done * simulation.clock.tick, 1e-9) / MS_PER_S
        track = WormTrack(
            midline=recorder.midline,
            muscle_activation=recorder.activation,
            muscles=tuple(simulation.network.design.muscles.index),
            voltage=recorder.voltage,
            voltage_time=recorder.time,
            neurons=simulation.recorded,
            dorsal=recorder.dorsal,
        )
        return Recording(
            time=recorder.time,
            worms=(track,),
            config_toml=self._config.to_toml(),
            versions=provenance.versions(),
            mechanism_hash=provenance.mechanism_hash(),
            git_revision=provenance.git_revision(),
            seed=simulation.seed,
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            wall_s_per_bio_s=self._wall() / biological,
            complete=self.done == self.planned,
            anatomy=simulation.worm.provenance,
        )
