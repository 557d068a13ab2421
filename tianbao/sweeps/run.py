"""Runs a sweep, from its description to its table."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arguments import named_arguments
from ..errors import ConfigError, shorten, unknown
from ..progress import Progress
from .backends import BACKENDS, ray_tasks, slurm_script
from .cost import Forecast
from .folder import ERROR, FAILED, FINISHED, OPEN, check_folders, held, load_plan, outcome, run_folder, settle_plan
from .limit import TimeLimit, limit_of
from .plan import Plan, make_plan, read_plan
from .pool import pool
from .table import Table, refresh
from .work import Task, perform_run, task_for

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


@named_arguments
def sweep(
    plan: Plan | Mapping[str, Any] | str | Path,
    folder: str | Path,
    *,
    workers: int | None = None,
    backend: str = "pool",
    address: str | None = None,
    retry_failed: bool = False,
    progress: bool = True,
    time_limit: str | float | None = None,
) -> pd.DataFrame:
    """Do every run of a sweep that is not finished; called again with the same arguments, it continues.

    Every configuration is checked before the first run starts, and a log line says what they will cost. If a run fails,
    its error is kept and the others continue. Finished runs survive Ctrl-C and a killed process.

    Args:
        plan: path of a TOML file, its content as a mapping, or a `Plan`; see `tianbao.sweeps.plan.make_plan`.
        folder: for `table.csv` and a folder per run, `runs/<number>_<name>/`.
        workers: runs at a time [-]; the number of cores if None.
        backend: "pool" (local processes), "ray" (local or a cluster) or "slurm" (only writes a job array).
        address: of a Ray cluster, such as "auto".
        retry_failed: whether to retry runs that failed before.
        progress: whether to show the time left.
        time_limit: such as "2h" or "90s", or in seconds: runs that would pass it are not started, and the others are
            finished; for Slurm that of each task.

    Returns:
        One row per run: varied keys, seed, status, metrics with their units in their names, `wall_s` [s], `error`.

    Raises:
        ConfigError: for an unknown key or an invalid value, or if the folder contains another sweep.
        OutputError: if the folder cannot be written to, or another sweep is writing it.
    """
    if backend not in BACKENDS:
        raise ConfigError(unknown("backend", str(backend), BACKENDS))
    if address is not None and backend != "ray":
        raise ConfigError(f"an address is for the backend ray, not for {backend}")
    workers = _workers(workers)
    limit = None if time_limit is None else limit_of(time_limit)
    plan, folder = _planned(plan), Path(folder)
    with held(folder / ".lock", f"another sweep is writing {folder}"):
        settle_plan(folder, plan)
        table = Table(folder, plan)
        _warn_of_versions(table)
        tasks = _open_tasks(table, folder, plan, retry_failed)
        table.write()
        forecast = Forecast(plan, folder)
        forecast.learn(table.walls())
        _tell(tasks, len(plan.runs), forecast, folder, None if backend == "slurm" else workers)
        if backend == "slurm":
            _tell_slurm(tasks, folder, limit)
        elif tasks:
            _do(tasks, table, plan, _Way(backend, workers, address, TimeLimit(limit), progress), forecast)
        return table.write()


def estimate(plan: Plan, folder: Path, workers: int | None) -> str:
    """What the open runs of a sweep will cost, in one sentence; nothing is written.

    Args:
        plan: of the sweep.
        folder: of the sweep; it need not exist.
        workers: runs at a time; the number of cores if None.
    """
    check_folders(folder, plan, plan.runs)
    table, forecast = Table(folder, plan), Forecast(plan, folder)
    forecast.learn(table.walls())
    numbers = [run.number for run in plan.runs if table.status(run) == OPEN]
    return _costs(numbers, len(plan.runs), forecast, _workers(workers))


def _costs(numbers: list[int], runs: int, forecast: Forecast, workers: int | None) -> str:
    told = f": {forecast.sentence(numbers, workers)}" if numbers else ""
    return f"{runs} runs, {runs - len(numbers)} of them already done{told}"


def _tell(tasks: list[Task], runs: int, forecast: Forecast, folder: Path, workers: int | None) -> None:
    """Say what the open runs will cost, and whether they fit on the disk."""
    numbers = [task.number for task in tasks]
    log.info(_costs(numbers, runs, forecast, workers))
    needed, free = sum(map(forecast.disk, numbers)), shutil.disk_usage(folder).free
    if needed > free:
        log.warning("they need about %.2g GB of disk, and %.2g GB are free in %s", needed / 1e9, free / 1e9, folder)


def sweep_run(folder: str | Path, number: int) -> str:
    """Do one run of a sweep whose plan lies in its folder, as each task of a job array does.

    Args:
        folder: of the sweep.
        number: of the run, from 1.

    Returns:
        Its status before: "finished" means that nothing was done.

    Raises:
        ConfigError: if the folder does not hold a sweep, or the sweep has no such run.
        TianbaoError: if the run fails; its error.txt says why.
    """
    folder = Path(folder)
    plan = load_plan(folder)
    run = plan.run(number)
    check_folders(folder, plan, [run])
    before = outcome(run_folder(folder, plan, run), run).status
    if before != FINISHED:
        try:
            perform_run(task_for(folder, plan, run))
        finally:
            refresh(folder)
    return before


def _workers(workers: int | None) -> int:
    if workers is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not isinstance(workers, int) or isinstance(workers, bool) or workers < 1:
        raise ConfigError(f"workers must be a whole number from 1; got {workers!r}")
    return workers


def _planned(plan: Plan | Mapping[str, Any] | str | Path) -> Plan:
    if isinstance(plan, Plan):
        return plan
    if isinstance(plan, Mapping):
        return make_plan(plan)
    if isinstance(plan, (str, Path)):
        return read_plan(plan)
    raise ConfigError(f"a sweep is the path of a TOML file, its content as a mapping, or a Plan; got {plan!r}")


def _warn_of_versions(table: Table) -> None:
    """Warn if finished runs were computed with other versions than the open ones will be."""
    from ..loop.provenance import mechanism_hash, versions

    here = {**versions(), "mechanisms": mechanism_hash()}
    for summary in table.summaries():
        said = summary.get("versions")
        there = {**(said if isinstance(said, dict) else {}), "mechanisms": summary.get("mechanism_hash")}
        for name, value in there.items():
            if isinstance(value, str) and here.get(name, value) != value:
                log.warning(
                    "finished runs used %s %s, open ones will use %s: use a new folder if all must be alike",
                    name, shorten(value), here[name],
                )  # fmt: skip
                return


def _open_tasks(table: Table, folder: Path, plan: Plan, retry_failed: bool) -> list[Task]:
    """The runs that are left to do."""
    tasks = []
    for run in plan.runs:
        if table.status(run) == FAILED and retry_failed:
            (run_folder(folder, plan, run) / ERROR).unlink(missing_ok=True)
            table.forget(run)
        if table.status(run) not in (FINISHED, FAILED):
            tasks.append(task_for(folder, plan, run))
    return tasks


def _tell_slurm(tasks: list[Task], folder: Path, limit: float | None) -> None:
    if not tasks:
        log.info("nothing left to do: no job array was written")
        return
    script = slurm_script(tasks, folder, limit)
    log.info("wrote %s for %d runs; type: sbatch %s", script, len(tasks), script)


@dataclass(frozen=True)
class _Way:
    """How the runs are done: the options of `sweep`."""

    backend: str
    workers: int
    address: str | None
    limit: TimeLimit
    progress: bool


def _do(tasks: list[Task], table: Table, plan: Plan, way: _Way, forecast: Forecast) -> None:
    """Do the tasks with a backend, and update table and forecast after each of them."""
    # Imported here: it comes with the loop, which takes a while.
    from ..loop.interrupt import as_ctrl_c

    durations = {each.number: plan.config(plan.run(each.number)).duration for each in tasks}
    with Progress(sum(durations.values()), f"sweep of {len(plan.runs)}", enabled=way.progress) as shown:

        def on_done(done: Task) -> None:
            """Log the outcome of a run, update the table and advance the progress."""
            run = plan.run(done.number)
            failed = table.look(run) == FAILED
            log.log(logging.WARNING if failed else logging.INFO, *_line(run, table, len(plan.runs)))
            table.write()
            forecast.learn(table.walls())
            shown.advance(durations[done.number])

        def may_start(task: Task) -> bool:
            """Whether a run would end within the time limit."""
            return way.limit.allows(forecast.seconds(task.number))

        try:
            with as_ctrl_c():
                if way.backend == "ray":
                    ray_tasks(tasks, on_done, way.workers, way.address, may_start)
                else:
                    pool(tasks, on_done, min(way.workers, len(tasks)), may_start)
        except KeyboardInterrupt:
            # A run may have ended between the last look and the interruption.
            table.look_at_all()
            table.write()
            log.warning("interrupted: finished runs are kept; the same command continues")
            raise
    left = [each.number for each in tasks if table.status(plan.run(each.number)) == OPEN]
    if left:
        log.warning(
            "time limit: %d runs were not started (%s); the same command goes on with them",
            len(left), forecast.sentence(left, way.workers),
        )  # fmt: skip


def _line(run, table: Table, total: int) -> tuple:
    """Log line of a run that ended."""
    if table.status(run) == FAILED:
        return "run %d of %d, %s, failed: %s", run.number, total, run.name, table.error(run)
    return "run %d of %d, %s: %s", run.number, total, run.name, table.status(run)
