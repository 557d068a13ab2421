"""Where the runs of a sweep are done: a pool of local processes, Ray, or a Slurm job array."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import socket
import sys
from pathlib import Path

from ..errors import ConfigError
from ..io.files import write_atomically
from .folder import OPEN, outcome
from .pool import OnDone, Worker, once_more
from .work import Task

log = logging.getLogger(__name__)

BACKENDS = ("pool", "ray", "slurm")
SCRIPT = "job.sh"
_NO_CLUSTER = "no Ray cluster answers at '{address}': start one with ray start --head, or leave out the address"
_REACH_S = 5.0
_SLURM = """#!/bin/bash
#SBATCH --job-name=tianbao
#SBATCH --array={array}
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
#SBATCH --output="{logs}/%a.log"
# One task per open run; add --partition, --time or --account as your cluster requires.
# To do only what is left, write this file again and submit it again.
export OMP_NUM_THREADS=1
exec {command} sweep-run {folder} "$SLURM_ARRAY_TASK_ID"
"""


def ray_tasks(tasks: list[Task], on_done: OnDone, workers: int, address: str | None) -> None:
    """Do all runs as tasks of Ray, one core and one fresh process each.

    Every machine of the cluster must see the folder of the sweep under the same path.

    Args:
        tasks: the runs to do.
        on_done: called after each run that is finished or failed.
        workers: cores of a Ray that is started locally [-]; a cluster has its own.
        address: of a running cluster, such as "auto"; None starts Ray locally.

    Raises:
        ConfigError: if Ray is missing, or no cluster answers.
    """
    ray = _ray()
    _join(ray, workers, address)
    try:
        _follow(ray, tasks, on_done)
    finally:
        ray.shutdown()


def _ray():
    # Ray reports its use to its makers unless told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise ConfigError("the backend ray needs Ray: pip install 'tianbao[ray]', or use the backend pool") from error
    return ray


def _join(ray, workers: int, address: str | None) -> None:
    options = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        path = os.pathsep.join(os.path.abspath(each) for each in sys.path)
        here = {"address": "local", "num_cpus": workers, "runtime_env": {"env_vars": {"PYTHONPATH": path}}}
        ray.init(**options, **here)
        return
    _reach(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ConfigError(_NO_CLUSTER.format(address=address)) from error


def _reach(address: str) -> None:
    """Refuse an address where nothing listens: Ray itself would try for minutes."""
    host, colon, port = address.rpartition("//")[2].rpartition(":")
    if not colon:
        return
    try:
        socket.create_connection((host, int(port)), timeout=_REACH_S).close()
    except (OSError, ValueError, OverflowError) as error:
        raise ConfigError(_NO_CLUSTER.format(address=address)) from error


def _follow(ray, tasks: list[Task], on_done: OnDone) -> None:
    """Submit everything; a run whose process or machine dies is submitted once more."""
    remote = ray.remote(num_cpus=1, max_retries=0)(_on_a_node)
    running = {remote.remote(task): task for task in tasks}
    tries: dict[int, int] = {}
    while running:
        (done,), _ = ray.wait(list(running))
        task = running.pop(done)
        try:
            ending = ray.get(done)
        except ray.exceptions.RayError as error:
            ending = f"Ray lost its task ({type(error).__name__})"
        if ending and outcome(Path(task.folder), task).status == OPEN:
            tries[task.number] = tries.get(task.number, 0) + 1
            if once_more(task, tries[task.number], ending):
                running[remote.remote(task)] = task
                continue
        on_done(task)


def _on_a_node(task: Task) -> str:
    """Do a run in a process of its own; "" or how that process died."""
    worker = Worker(task)
    try:
        return "" if worker.answered() else worker.ending()
    finally:
        worker.stop()


def slurm_script(tasks: list[Task], folder: Path) -> Path:
    """Write the job array of a sweep.

    Args:
        tasks: the runs to do.
        folder: of the sweep, seen by every node under the same path.

    Returns:
        The script, for `sbatch`.
    """
    folder = folder.absolute()
    logs = folder / "slurm"
    logs.mkdir(parents=True, exist_ok=True)
    array = _intervals([task.number for task in tasks])
    text = _SLURM.format(array=array, logs=logs, command=_command(), folder=shlex.quote(str(folder)))
    return write_atomically(folder / SCRIPT, text.encode())


def _command() -> str:
    """The tianbao command of this environment, wherever the job's shell looks for programs."""
    beside = Path(sys.executable).with_name("tianbao")
    found = str(beside) if beside.exists() else shutil.which("tianbao") or "tianbao"
    return shlex.quote(found)


def _intervals(numbers: list[int]) -> str:
    """Numbers as Slurm writes them: 1-3,7."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ",".join("-".join(map(str, part)) for part in parts)
