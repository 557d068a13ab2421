"""Worker processes that do runs, and the pool that hands the runs out."""

from __future__ import annotations

import dataclasses
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from ..import_path import command, import_path
from .folder import LOG, OPEN, open_log, outcome
from .work import Task, fail

log = logging.getLogger(__name__)

# A process grows by some megabytes with every network it builds.
_MOST_RUNS = 50
_TRIES = 2
_GRACE_S = 5.0

OnDone = Callable[[Task], None]
MayStart = Callable[[Task], bool]


class Worker:
    """A process that does one run after another.

    It is a fresh interpreter, since neither NEURON nor Taichi survives a fork, and it does not import the caller's
    script, so that a sweep may be called anywhere. It ends when this end of its connection closes.
    """

    def __init__(self, first: Task) -> None:
        self.connection, theirs = multiprocessing.Pipe()
        # Its own session: Ctrl-C at the terminal is ours to handle.
        with open_log(Path(first.folder)) as file:
            self._process = subprocess.Popen(
                command("tianbao.sweeps.work", theirs.fileno(), os.getpid()),
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                env=_environment(), start_new_session=True,
            )  # fmt: skip
        theirs.close()
        self.group = first.group
        self.runs, self.good = 0, True
        self.give(first)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def give(self, task: Task) -> None:
        """Hand over a run."""
        self.task = task
        self.runs += 1
        try:
            self.connection.send(dataclasses.asdict(task))
        except OSError:
            # The process is already gone; reading its answer tells why.
            log.debug("process %d did not accept the task", self.pid)

    def answered(self) -> bool:
        """Whether the run ended in its process, well or not; False if the process died under it. Waits for either."""
        try:
            self.good = bool(self.connection.recv())
        except (EOFError, OSError):
            self.good = False
            self.stop()
            return False
        return True

    def fits(self, task: Task) -> bool:
        """Whether the process may do this run next."""
        return self.good and self.runs < _MOST_RUNS and self.group == task.group

    def stop(self) -> None:
        """End the process, in the middle of a run or not."""
        self.connection.close()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ending(self) -> str:
        """How a process that died ended, in words."""
        code = self._process.returncode
        if code is None or code >= 0:
            return f"its process ended with exit status {code}"
        return f"its process was killed ({signal.Signals(-code).name})"


def _environment() -> dict[str, str]:
    """Our environment and import path, with one thread per process: the sweep itself is what runs in parallel."""
    return {"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": os.pathsep.join(import_path())}


def pool(tasks: Iterable[Task], on_done: OnDone, workers: int, may_start: MayStart) -> None:
    """Do all runs that may start, at most `workers` at a time; a run whose process dies is tried once more.

    Args:
        tasks: the runs to do.
        on_done: called after each run that is finished or failed.
        workers: processes at a time [-].
        may_start: asked before each run.
    """
    pending = list(tasks)
    tries: dict[int, int] = {}
    running: list[Worker] = []
    try:
        while pending or running:
            while len(running) < workers and (task := next(filter(may_start, pending), None)) is not None:
                pending.remove(task)
                running.append(Worker(task))
            if not running:
                return
            waiting = {worker.connection: worker for worker in running}
            for connection in multiprocessing.connection.wait(list(waiting)):
                _next(waiting[connection], running, pending, tries, on_done, may_start)
    finally:
        # After Ctrl-C as well: no worker outlives the sweep.
        for worker in running:
            worker.stop()


def _next(
    worker: Worker, running: list[Worker], pending: list[Task], tries: dict[int, int], on_done: OnDone,
    may_start: MayStart,
) -> None:  # fmt: skip
    """Read a worker's answer and give it its next run, or end it."""
    task = worker.task
    if worker.answered() or outcome(Path(task.folder), task).status != OPEN:
        on_done(task)
    else:
        tries[task.number] = tries.get(task.number, 0) + 1
        if once_more(task, tries[task.number], worker.ending()):
            pending.insert(0, task)
        else:
            on_done(task)
    following = next((each for each in pending if worker.fits(each) and may_start(each)), None)
    if following is None:
        running.remove(worker)
        worker.stop()
    else:
        pending.remove(following)
        worker.give(following)


def once_more(task: Task, tries: int, ending: str) -> bool:
    """Whether a run whose process died is tried again; if not, its error is written."""
    if tries < _TRIES:
        log.warning("run %d: %s; trying it once more", task.number, ending)
        return True
    fail(Path(task.folder), f"{ending}, {_TRIES} times; if memory is short, use fewer workers; see {LOG}")
    return False
