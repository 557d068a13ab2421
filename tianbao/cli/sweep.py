"""`tianbao sweep` and `tianbao sweep-run`: many runs of one experiment, in one table."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import ConfigError, unknown
from .session import EXIT_FAILED, add_command

_FINISHED, _FAILED = "finished", "failed"
_MAIN = ("forward_speed_mm_s", "frequency_hz", "wavelength_body_lengths", "amplitude")
_WIDTH = 160


def register(commands: argparse._SubParsersAction) -> None:
    """Add the commands."""
    parser = add_command(
        commands, "sweep", _sweep, "vary settings over many runs: locally, on Ray or as a Slurm job array",
        """tianbao sweep sims/sweep_viscosity.toml --dry-run
        tianbao sweep sims/sweep_viscosity.toml --workers 2
        tianbao sweep sims/sweep_viscosity.toml --time 2h
        tianbao sweep sims/sweep_viscosity.toml --retry-failed
        tianbao sweep sims/sweep_viscosity.toml --backend slurm --out /scratch/viscosity""",
    )  # fmt: skip
    parser.description += (
        " Before it starts it says how many runs there are and about how much time and disk they take. The same "
        "command again does only what is left. If a run fails, its error is kept (runs/*/error.txt) and the others "
        "continue; exit code 1 means that some failed. Results are in table.csv and, as a plot, in sweep.png. The job "
        "of a sweep is code: run only sweeps that you trust."
    )
    parser.add_argument("plan", type=Path, metavar="SWEEP.toml", help="base, [vary], design, seeds, metrics")
    parser.add_argument("--workers", type=int, help="runs at a time (default: one per core)")
    parser.add_argument("--out", type=Path, help="folder of the sweep (default: output/ and the name of the file)")
    parser.add_argument("--backend", default="pool", help="pool, ray or slurm (default pool)")
    parser.add_argument("--address", help="of a Ray cluster, such as auto (default: start Ray on this machine)")
    parser.add_argument("--retry-failed", action="store_true", help="retry runs that failed before")
    parser.add_argument(
        "--time", metavar="LIMIT",
        help="such as 2h, 30m or 90s: start no run that would pass it; with slurm the limit of each task",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="check and list all runs and their cost, start none")
    one = add_command(
        commands, "sweep-run", _sweep_run, "do one run of a planned sweep, as each task of a job array does",
        "tianbao sweep-run output/sweep_viscosity 3",
    )  # fmt: skip
    one.add_argument("folder", type=Path, metavar="FOLDER", help="folder of a sweep, such as --backend slurm prepares")
    one.add_argument("number", type=int, metavar="NUMBER", help="number of the run, from 1")


def _sweep(args: argparse.Namespace) -> int:
    from ..sweeps.backends import BACKENDS
    from ..sweeps.limit import limit_of
    from ..sweeps.plan import read_plan
    from ..sweeps.run import estimate, sweep

    if args.backend not in BACKENDS:
        raise ConfigError(unknown("backend", args.backend, BACKENDS))
    if args.address is not None and args.backend != "ray":
        raise ConfigError("--address is that of a Ray cluster; give --backend ray, too")
    limit = None if args.time is None else limit_of(args.time)
    plan = read_plan(args.plan)
    folder = args.out or Path("output") / args.plan.stem
    if args.dry_run:
        print(plan.frame().to_string(index=False, line_width=_WIDTH))
        print(estimate(plan, folder, args.workers))
        return 0
    options = {"workers": args.workers, "backend": args.backend, "address": args.address, "time_limit": limit}
    table = sweep(plan, folder, retry_failed=args.retry_failed, **options)
    return _report(table, plan, folder)


def _report(table, plan, folder: Path) -> int:
    """Print the table and where it is; 1 if a run failed."""
    counts = table["status"].value_counts()
    finished, failed = counts.get(_FINISHED, 0), counts.get(_FAILED, 0)
    if finished:
        from ..view.sweep import plot_sweep

        print(table[_shown(table, plan)].to_string(index=False, line_width=_WIDTH, float_format="{:.4g}".format))
        keys = [key for key in plan.varied if key != "seed"][:2] or ["seed"]
        plot_sweep(table, keys, folder / "sweep.png")
    for number, error in table.loc[table["status"] == _FAILED, ["number", "error"]].itertuples(index=False):
        print(f"run {number} failed: {error}")
    print(f"{finished} of {len(table)} runs finished, {failed} failed; table.csv in {folder}")
    return EXIT_FAILED if failed else 0


def _shown(table, plan) -> list[str]:
    """Columns that fit a terminal: what was varied, and the main metrics or, of another job, the first ones."""
    known = [*(plan.metrics or table.columns)]
    metrics = [name for name in _MAIN if name in known] or known[:5]
    columns = ["number", *plan.varied, "status", *metrics, "wall_s"]
    return [name for name in dict.fromkeys(columns) if name in table.columns and name not in ("name", "error")]


def _sweep_run(args: argparse.Namespace) -> int:
    from ..sweeps.run import sweep_run

    before = sweep_run(args.folder, args.number)
    print(f"run {args.number} {'was finished before' if before == _FINISHED else 'is finished'}")
    return 0
