"""Where the runs of a sweep are done: a pool of local processes, Ray, or a Slurm job array."""

from __future__ import annotations

import logging
import math
import os
import shlex
import sys
from pathlib import Path

from ..errors import ConfigError
from ..import_path import command, import_path
from ..io.files import prepare_folder, write_atomically
from ..io.own_files import check_own_folder
from ..ray_cluster import joined
from .folder import OPEN, outcome
from .pool import MayStart, OnDone, Worker, once_more
from .work import Task

log = logging.getLogger(__name__)

BACKENDS = ("pool", "ray", "slurm")
SCRIPT = "job.sh"
_SLURM = """#!/bin/bash
#SBATCH --job-name=tianbao
#SBATCH --array={array}
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
#SBATCH --output="{logs}/%a.log"
{limit}# One task per open run; add --partition or --account as your cluster requires.
# To do only what is left, write this file again and submit it again.
export OMP_NUM_THREADS=1
# Python does not search the current folder, which may hold a file named like a module.
export PYTHONSAFEPATH=1
exec {command} sweep-run {folder} "$SLURM_ARRAY_TASK_ID"
"""


def ray_tasks(
    tasks: list[Task], on_done: OnDone, workers: int, address: str | None, may_start: MayStart
) -> None:
    """Do all runs that may start as tasks of Ray, one core and one fresh process each.

    Every machine of the cluster must see the folder of the sweep under the same path.

    Args:
        tasks: the runs to do.
        on_done: called after each run that is finished or failed.
        workers: cores of a Ray that is started locally [-]; a cluster has its own.
        address: of a running cluster, such as "auto"; None starts Ray locally.
        may_start: asked before each run.

    Raises:
        ConfigError: if Ray is missing, or no cluster answers.
    """
    with joined(workers, address) as ray:
        _follow(ray, tasks, on_done, may_start)


def _follow(ray, tasks: list[Task], on_done: OnDone, may_start: MayStart) -> None:
    """Submit as many runs as there are cores; one whose process or machine dies is submitted once more."""
    remote = ray.remote(num_cpus=1, max_retries=0)(_on_a_node)
    pending, running, tries = list(tasks), {}, dict[int, int]()
    while True:
        room = int(ray.cluster_resources().get("CPU", 1)) + 1 - len(running)
        while room > 0 and (task := next(filter(may_start, pending), None)) is not None:
            pending.remove(task)
            running[remote.remote(task)] = task
            room -= 1
        if not running:
            return
        (done,), _ = ray.wait(list(running))
        task = running.pop(done)
        try:
            ending = ray.get(done)
        except ray.exceptions.RayError as error:
            ending = f"Ray lost its task ({type(error).__name__})"
        if ending and outcome(Path(task.folder), task).status == OPEN:
            tries[task.number] = tries.get(task.number, 0) + 1
            if once_more(task, tries[task.number], ending):
                pending.insert(0, task)
                continue
        on_done(task)


def _on_a_node(task: Task) -> str:
    """Do a run in a process of its own; "" or how that process died."""
    worker = Worker(task)
    try:
        return "" if worker.answered() else worker.ending()
    finally:
        worker.stop()


def slurm_script(tasks: list[Task], folder: Path, limit: float | None = None) -> Path:
    """Write the job array of a sweep.

    Args:
        tasks: the runs to do.
        folder: of the sweep, seen by every node under the same path.
        limit: of each task [s]; that of the cluster if None.

    Returns:
        The script, for `sbatch`.

    Raises:
        ConfigError: for a folder that Slurm cannot name.
    """
    folder = folder.absolute()
    if any(each in str(folder) for each in '"\n%'):
        raise ConfigError(f"{folder}: Slurm cannot write its logs to a folder with a quote or % in its name (--out)")
    logs = folder / "slurm"
    check_own_folder(logs)
    prepare_folder(logs)
    array = _intervals([task.number for task in tasks])
    text = _SLURM.format(
        array=array, logs=logs, limit=_slurm_time(limit), command=_command(), folder=shlex.quote(str(folder))
    )
    return write_atomically(folder / SCRIPT, text.encode())


def _slurm_time(limit: float | None) -> str:
    """The line of a job script that limits the time of a task; "" without a limit."""
    if limit is None:
        return ""
    minutes, seconds = divmod(math.ceil(limit), 60)
    return f"#SBATCH --time={minutes // 60}:{minutes % 60:02d}:{seconds:02d}\n"


def _command() -> str:
    """The tianbao command of this environment, wherever the job's shell looks for programs."""
    beside = Path(sys.executable).with_name("tianbao")
    if beside.exists():
        return shlex.quote(str(beside))
    return f"env PYTHONPATH={shlex.quote(os.pathsep.join(import_path()))} {shlex.join(command('tianbao.cli'))}"


def _intervals(numbers: list[int]) -> str:
    """Numbers as Slurm writes them: 1-3,7."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ",".join("-".join(map(str, part)) for part in parts)
