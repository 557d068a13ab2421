"""One run of a loop: counts ticks, calls observers, keeps checkpoints, stops cleanly on a signal."""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import cached_property

from ..config import RunConfig, config_of
from ..errors import ConfigError, DivergedError, OutputError
from ..progress import Progress
from ..recording import Recording
from ..units import MS_PER_S
from . import provenance
from .interrupt import Interrupt
from .loop import Loop
from .observers import DivergenceGuard, Observer, Recorder
from .state import Checkpoints, RunState, gathered, part

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What a run is to do.

    Attributes:
        duration: of the whole run [ms].
        seed: of every random number.
        config: the resolved configuration.
        voltage: neurons whose soma voltage is kept.
        label: what the progress bar calls the run.
        progress: whether there is one.
    """

    duration: float
    seed: int
    config: RunConfig
    voltage: tuple[str, ...]
    label: str
    progress: bool


class Run:
    """Drives a loop from its start, or from a state, to the end of a plan.

    Args:
        loop: reset by this run.
        plan: what it is to do.
        checkpoints: where the state is kept on the way.
        since: a state to continue from.
        observers: further ones; those that are context managers are entered for as long as it ticks.

    Raises:
        ConfigError: for a state of another simulation or release, or beyond the end.
    """

    def __init__(
        self,
        loop: Loop,
        plan: Plan,
        checkpoints: Checkpoints | None = None,
        since: RunState | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        if since is not None:
            check_fit(since, loop, plan)
        loop.reset(plan.seed)
        self._loop, self._plan, self._checkpoints = loop, plan, checkpoints
        self._planned = round(plan.duration / loop.clock.tick)
        self._before, self._started = 0.0, time.perf_counter()
        frame = loop.clock.ticks_per_frame
        self._recorder = Recorder(loop, frame, plan.voltage, self._planned // frame)
        self._observers: tuple[Observer, ...] = (DivergenceGuard(frame), self._recorder, *observers)
        if since is not None:
            loop.restore(since.loop)
            self._recorder.restore(part(since.arrays, "recorder"), loop.ticks, loop.clock.tick)
            self._before = since.facts["wall_s"]

    def to_the_end(self) -> Recording:
        """Tick to the end of the plan, or until a signal asks to stop.

        Raises:
            DivergedError: if brains or bodies leave the physical range; what was recorded is its `recording`.
        """
        loop, tick = self._loop, self._loop.clock.tick
        due = 0 if self._checkpoints is None else max(1, round(self._checkpoints.every / tick))
        left = (self._planned - loop.ticks) * tick
        self._started = time.perf_counter()
        try:
            with ExitStack() as stack:
                for each in self._observers:
                    if isinstance(each, AbstractContextManager):
                        stack.enter_context(each)
                interrupt = stack.enter_context(Interrupt())
                bar = stack.enter_context(Progress(left, self._plan.label, enabled=self._plan.progress))
                while loop.ticks < self._planned and not interrupt.asked:
                    loop.advance()
                    if due_now := [each for each in self._observers if loop.ticks % each.every == 0]:
                        loop.refresh()
                    for each in due_now:
                        each(loop)
                    bar.advance(tick)
                    if due and loop.ticks % due == 0:
                        self._keep()
        except DivergedError as error:
            error.recording = self._recording()
            raise
        if loop.ticks < self._planned:
            log.warning("stopped at %.0f of %.0f ms: keeping what was computed", loop.time, self._plan.duration)
        if due and loop.ticks % due:
            self._keep()
        return self._recording()

    def _keep(self) -> None:
        try:
            self._checkpoints.keep(self.state())
        except OutputError as error:
            # A full disk costs the checkpoint, not the run: the one before is still there.
            log.warning("no checkpoint at %.0f ms: %s", self._loop.time, error)

    @cached_property
    def _origin(self) -> dict:
        """Facts that hold for the whole run, collected at its first checkpoint only: asking git starts a process."""
        return {
            "config": self._plan.config.to_toml(),
            "versions": provenance.versions(),
            "mechanisms": provenance.mechanism_hash(),
            "anatomy": [each.provenance for each in self._loop.worms],
            "revision": provenance.git_revision(),
            "every": self._checkpoints.every if self._checkpoints else 0.0,
        }

    def state(self) -> RunState:
        """All that it needs to continue."""
        loop = self._loop.state()
        facts = {
            **self._origin,
            "ticks": loop.ticks,
            "planned": self._planned,
            "generators": list(loop.generators),
            "wall_s": self._wall(),
        }
        return RunState(facts, {**loop.arrays, **gathered(recorder=self._recorder.state())})

    def _wall(self) -> float:
        return self._before + time.perf_counter() - self._started

    def _recording(self) -> Recording:
        loop, plan = self._loop, self._plan
        biological = max(loop.time, 1e-9) / MS_PER_S
        return Recording(
            time=self._recorder.time,
            worms=self._recorder.tracks(loop),
            config_toml=plan.config.to_toml(),
            versions=provenance.versions(),
            mechanism_hash=provenance.mechanism_hash(),
            git_revision=provenance.git_revision(),
            seed=plan.seed,
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            wall_s_per_bio_s=self._wall() / biological,
            complete=loop.ticks == self._planned,
            anatomy=loop.worms[0].provenance,
        )


def check_fit(state: RunState, loop: Loop, plan: Plan) -> None:
    """Refuse a state that a run cannot continue from.

    Raises:
        ConfigError: when it is of another simulation, another release or beyond the end.
    """
    facts = state.facts
    ours = {**provenance.versions(), "mechanisms": provenance.mechanism_hash()}
    pairs = [(facts["versions"] | {"mechanisms": facts["mechanisms"]}, ours)]
    pairs += zip(facts["anatomy"], (each.provenance for each in loop.worms), strict=False)
    for made_by, here in pairs:
        for name, value in made_by.items():
            if here.get(name) != value:
                raise ConfigError(
                    f"the checkpoint was made with {name} {value}, this is {here.get(name)}: "
                    "only the same versions continue to the same bits; run the simulation again"
                )
    if facts["revision"] != (revision := provenance.git_revision()):
        was, now = facts["revision"] or "none", revision or "none"
        log.warning("the checkpoint is of revision %s, this is %s: the bits may differ from there on", was, now)
    changed = config_of(facts["config"], "checkpoint").differences(plan.config)
    changed.pop("duration", None)
    for key, (kept, now) in changed.items():
        raise ConfigError(f"the checkpoint is of another run: {key} was {kept!r} and is {now!r}")
    if facts["ticks"] > round(plan.duration / loop.clock.tick):
        reached = facts["ticks"] * loop.clock.tick
        raise ConfigError(f"the checkpoint is at {reached:g} ms, beyond the duration of {plan.duration:g} ms")
