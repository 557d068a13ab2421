"""What one worker of a sweep does: take a run, do it, write its files.

`python -P -m tianbao.sweeps.work FD PID` takes runs from the connection on file descriptor FD, reports each that is
done and ends with process PID; `tianbao sweep-run` does a single one. Both call `perform_run`.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import logging
import math
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import RunConfig, read_config
from ..errors import ConfigError, OutputError, TianbaoError
from ..import_path import add_declared
from ..io.files import write_atomically
from ..io.own_files import check_own_folder
from ..orphans import ORPHANED, end_with
from .folder import CONFIG, ERROR, SUMMARY, held, open_log, run_folder
from .plan import Plan, PlannedRun

if TYPE_CHECKING:
    from ..loop.state import RunState

log = logging.getLogger(__name__)

Job = Callable[[RunConfig, Path, bool], Mapping[str, Any]]

# How long a run waits for a process that was told to leave it [s].
_PATIENCE_S = 10.0


@dataclass(frozen=True)
class Task:
    """A run as it is handed to a worker.

    Attributes:
        number, name, digest: of the run.
        config: complete configuration, TOML.
        folder: of the run.
        job: function that does the run, "module:function".
        job_path: folder that its module is imported from; "" for the import path alone.
        video: whether a video is wanted.
        group: runs of one group may share a process: they have the same anatomy and interventions.
    """

    number: int
    name: str
    digest: str
    config: str
    folder: str
    job: str
    job_path: str
    video: bool
    group: str


def task_for(folder: Path, plan: Plan, run: PlannedRun) -> Task:
    """The task for a run of a sweep's folder."""
    anatomy = {key: run.overrides[key] for key in run.overrides if key.startswith(("worm", "interventions", "engine"))}
    config = plan.config(run).to_toml()
    place = str(run_folder(folder, plan, run).absolute())
    group = json.dumps(anatomy, sort_keys=True)
    return Task(run.number, run.name, run.digest, config, place, plan.job, plan.job_path, plan.video, group)


def experiment(config: RunConfig, folder: Path, video: bool) -> Mapping[str, Any]:
    """The default job of a sweep: one experiment with all its files; returns its summary."""
    from ..experiment import CHECKPOINT, perform

    state = _left_behind(folder)
    try:
        outcome = perform(config, folder, video=video, progress=False, since=state, force=True)
    except ConfigError as error:
        if state is None:
            raise
        log.warning("starting over: %s", error)
        outcome = perform(config, folder, video=video, progress=False, force=True)
    if not outcome.recording.complete:
        # Stopped by Ctrl-C or a batch system, not by a fault of the run: it stays open.
        raise KeyboardInterrupt
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return json.loads((folder / SUMMARY).read_text(encoding="utf-8"))


def _left_behind(folder: Path) -> RunState | None:
    """The checkpoint of a run that was stopped here before; None if there is none that can be read."""
    from ..experiment import CHECKPOINT
    from ..io.checkpoints import Checkpoints

    try:
        return Checkpoints(folder / CHECKPOINT).read() if (folder / CHECKPOINT).exists() else None
    except OutputError as error:
        log.warning("starting over: %s", error)
        return None


def perform_run(task: Task) -> None:
    """Do a run and write its summary or, if it fails, its error.

    Raises:
        TianbaoError: if it fails, in one sentence; error.txt then holds it, with the traceback.
    """
    folder = Path(task.folder)
    check_own_folder(folder.parent)
    check_own_folder(folder)
    with held(folder / ".lock", f"run {task.number} is being done by another process", _PATIENCE_S):
        _clear(folder, [SUMMARY, ERROR, *(each.name for each in folder.glob(".*.partial*"))])
        started = time.perf_counter()
        try:
            write_atomically(folder / CONFIG, task.config.encode())
            summary = _job(task.job, task.job_path)(read_config(folder / CONFIG), folder, task.video)
            wall = time.perf_counter() - started
            mark = {"number": task.number, "name": task.name, "digest": task.digest, "wall_s": round(wall, 3)}
            text = json.dumps(_written({**summary, "sweep": mark}), indent=2, allow_nan=False)
            # Written last and in one step: from now on the run is finished.
            write_atomically(folder / SUMMARY, f"{text}\n".encode())
        except Exception as error:
            sentence = str(error) if isinstance(error, TianbaoError) else f"{type(error).__name__}: {error}"
            sentence = " ".join(sentence.split())
            fail(folder, sentence, traceback.format_exc())
            raise TianbaoError(f"run {task.number} failed: {sentence}") from error


def fail(folder: Path, sentence: str, details: str = "") -> None:
    """Write the error of a run: one sentence, then its traceback."""
    _clear(folder, [SUMMARY])
    write_atomically(folder / ERROR, f"{sentence}\n\n{details}".encode())


def _clear(folder: Path, names: list[str]) -> None:
    """Remove files of an earlier try."""
    for name in names:
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"cannot replace {folder / name}: {error.strerror or error}; remove it") from error


def _written(value: Any) -> Any:
    """A value as JSON can hold it: NumPy numbers as plain ones, non-finite ones as null."""
    if isinstance(value, Mapping):
        return {str(key): _written(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_written(each) for each in value]
    if hasattr(value, "tolist"):
        return _written(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _job(path: str, folder: str) -> Job:
    module, _, name = path.partition(":")
    add_declared(folder)
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"the job '{path}' cannot be found ({error}); name it as 'module:function' and "
            "the folder of that module as job_path"
        ) from error


def main(descriptor: int, parent: int) -> int:
    """Serve runs until the other end closes; exit status.

    A process ends after a failed run: what the failure left in NEURON or Taichi must not meet the next one.

    Args:
        descriptor: of the connection to the sweep.
        parent: number of its process, with which this one ends.
    """
    end_with(parent)
    os.set_inheritable(descriptor, False)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("tianbao").setLevel(logging.INFO)
    connection = Connection(descriptor)
    tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, tasks), daemon=True).start()
    while True:
        task = tasks.get()
        _log_to(Path(task.folder))
        good = False
        with contextlib.suppress(TianbaoError):
            perform_run(task)
            good = True
        gc.collect()
        connection.send(good)
        if not good:
            return 1


def _listen(connection: Connection, tasks: queue.SimpleQueue) -> None:
    """Pass tasks on; once the other end is gone, nothing needs this process, in the middle of a run or not."""
    while True:
        try:
            tasks.put(Task(**connection.recv()))
        except (EOFError, OSError):
            os._exit(ORPHANED)


def _log_to(folder: Path) -> None:
    """Send what a run prints, from Python or from C, to its own log file."""
    sys.stdout.flush()
    with open_log(folder) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
