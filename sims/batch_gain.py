"""How does a worm move if proprioception of its motor neurons is weaker or stronger?

Varies one class-level parameter, `cord_stretch_gain` [pA], over four values with NetPyNE's own batchtools: Ray
distributes the trials, each a run of brain and body in its own process. Needs `pip install "tianbao[batch]"`.
See: the weaker proprioception, the slower the worm; without it the worm is slowest.
Time: about a minute with two workers (a quarter of it for starting Ray).
"""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import sys
from pathlib import Path

import numpy as np

from tianbao.cli import run_script
from tianbao.errors import ConfigError
from tianbao.io import prepare_folder
from tianbao.orphans import end_with

SWEPT = "cord_stretch_gain"
VALUES = (0.0, 0.32, 0.64, 0.95)  # the default is 0.6354


def options(arguments: list[str] | None) -> argparse.Namespace:
    """Options of the sweep and of a single trial."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--duration", type=float, default=2000.0, help="simulated time [ms] (default 2000)")
    parser.add_argument("--seed", type=int, default=1, help="of noise and initial state (default 1)")
    parser.add_argument("--workers", type=int, default=2, help="trials at a time (default 2)")
    parser.add_argument("--out", type=Path, default=Path("output/batch_gain"), help="folder for results")
    parser.add_argument("--trial", type=int, metavar="PID", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def trial(args: argparse.Namespace) -> int:
    """Run one worm with the value given by batchtools, and return its gait."""
    # batchtools puts a trial into the background of a shell, where nothing would end it.
    end_with(args.trial)
    import tianbao as tb
    from tianbao import mechanisms, parameters
    from tianbao.behaviour import curvature

    # Before batchtools, which imports NEURON: only this keeps a foreign ./x86_64 out.
    mechanisms.load()
    from netpyne.batchtools import comm, specs

    given = specs.SimConfig({SWEPT: parameters.defaults()[SWEPT]})
    given.update()
    worm = tb.Worm(parameters=parameters.defaults().replace(**{SWEPT: float(given[SWEPT])}))
    sim = tb.Simulation(worm, tb.Arena("agar"), seed=args.seed, progress=False)
    track = sim.run(args.duration).worms[0].midline
    moved = np.linalg.norm(track[-1].mean(axis=0) - track[0].mean(axis=0))
    comm.initialize()
    comm.send({
        "speed_mm_s": float(moved / args.duration * 1e3),
        "bend": float(np.percentile(np.abs(curvature(track)[len(track) // 2 :]), 95)),
    })  # fmt: skip
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run the sweep; exit code 0 only if every value gave a result and the worm without proprioception is slowest."""
    args = options(arguments)
    return run_script(sweep if args.trial is None else trial, args)


def sweep(args: argparse.Namespace) -> int:
    """Run all values, one trial each."""
    if args.workers < 1:
        raise ConfigError(f"--workers {args.workers}: give a whole number from 1")
    try:
        from netpyne.batchtools.search import search
    except ImportError as error:
        raise ConfigError(f"NetPyNE's batchtools lack {error.name}: run pip install 'tianbao[batch]'") from error
    logging.getLogger("ray").setLevel(logging.ERROR)
    out = prepare_folder(args.out).resolve()
    # batchtools writes a table of its own into the current folder.
    os.chdir(out)
    again = ["--trial", str(os.getpid()), "--duration", str(args.duration), "--seed", str(args.seed)]
    study = search(
        job_type="sh",
        comm_type="sfs",
        run_config={"command": shlex.join([sys.executable, "-P", str(Path(__file__).resolve()), *again])},
        params={SWEPT: list(VALUES)},
        label=out.name,
        output_path=str(out / "trials"),
        checkpoint_path=str(out / "checkpoint"),
        max_concurrent=args.workers,
        batch=False,
        metric="speed_mm_s",
        mode="max",
        sample_interval=1,
        attempt_restore=False,
        prune_metadata=False,
        # With batchtools' own logs every trial fails (batchtk 0.1.6).
        advanced_logging=False,
        ray_config={"num_cpus": args.workers, "include_dashboard": False, "log_to_driver": False},
    )
    return report([dict(each.metrics["data"]) for each in study.results if not each.error], out)


def report(rows: list[dict], out: Path) -> int:
    """Print the table, write it, and judge it."""
    import pandas as pd

    table = pd.DataFrame(rows, columns=[SWEPT, "speed_mm_s", "bend"]).astype(float).sort_values(SWEPT)
    table.to_csv(out / "batch_gain.csv", index=False)
    print(table.to_string(index=False))
    print(out / "batch_gain.csv")
    if len(table) < len(VALUES):
        print(f"only {len(table)} of {len(VALUES)} trials gave a result: see {out / 'trials'}")
        return 1
    without, others = table.speed_mm_s.iloc[0], table.speed_mm_s.iloc[1:]
    slowest = bool(without < others.min())
    rank = "slowest" if slowest else "not the slowest"
    print(f"without proprioception: {without:.3f} mm/s, {rank} of {len(table)}")
    return 0 if slowest else 1


if __name__ == "__main__":
    sys.exit(main())
