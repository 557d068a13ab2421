"""Where the time of a run goes, as ratios measured in one go on one machine.

Runs the loop with NEURON's brain, then with our own, then that with one thing changed, each in a process of its own,
one after the other. Prints and writes computing time per second of biology, the ratio to NEURON's, and the share that
the body takes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from pathlib import Path

import pandas as pd

VARIANTS = {
    "NEURON": {"engine": "neuron"},
    "native": {},
    "second order": {"clock.order": 2, "clock.corrections": 1},
    "f32": {"engine": "native-f32"},
    "tables": {"engine": "native-tables"},
    "d_lambda cells": {"worm.discretisation": "d_lambda"},
    "water": {"arena.medium": "water", "clock.tick": 2.0},
    "neural dt halved": {"clock.dt": 0.25},
    "tick halved": {"clock.tick": 2.0},
    "axial mesh doubled": {"body.slabs": 96},
}


def measure(job: tuple[str, dict, float]) -> tuple[str, float, float, float]:
    """Name, build time [s], wall time per biological second and body share of one variant."""
    from tianbao.config import RunConfig
    from tianbao.experiment import simulation as built_from

    name, changes, duration = job
    config = RunConfig().updated(changes)
    simulation = built_from(config, progress=False)
    started = time.perf_counter()
    assert simulation.network
    built = time.perf_counter() - started
    simulation.run(5 * config.clock.frame)  # compiles and warms the kernels
    step, spent = simulation.body.step, [0.0]

    def timed(*arguments):
        before = time.perf_counter()
        step(*arguments)
        spent[0] += time.perf_counter() - before

    simulation.body.step = timed
    wall = simulation.run(duration).wall_s_per_bio_s
    return name, built, wall, spent[0] * 1000.0 / duration / wall


def main() -> None:
    """Run every variant and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--duration", type=float, default=3_000.0, help="ms of biology each")
    parser.add_argument("--out", type=Path, default=Path("output/benchmarks"))
    args = parser.parse_args()
    reference, rows = None, []
    print(f"{'variant':22s}{'build s':>9s}{'s per bio-s':>13s}{'ratio':>8s}{'body share':>12s}")
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        jobs = [(name, changes, args.duration) for name, changes in VARIANTS.items()]
        for name, built, wall, share in pool.imap(measure, jobs, chunksize=1):
            reference = reference or wall
            print(f"{name:22s}{built:9.1f}{wall:13.2f}{wall / reference:8.2f}{share:12.0%}", flush=True)
            rows.append({"variant": name, "wall_s_per_bio_s": wall, "ratio": wall / reference, "body_share": share})
    args.out.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(args.out / "loop.csv", index=False, float_format="%.3g")
    print(f"wrote loop.csv in {args.out}")


if __name__ == "__main__":
    main()
