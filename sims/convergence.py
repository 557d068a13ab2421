"""Does crawling depend on the time steps or the mesh?

Question: how much do speed, frequency and the fit of a travelling wave change if NEURON is used instead of the
native engine, the neural step is halved or second-order, the exchange interval between brain and body is halved, or the
body mesh is twice as fine along its axis? Without noise, which is drawn once per tick and would differ between ticks.
See: a table of changes; those of speed and R2 must stay below 3 %.
Time: about two minutes on two cores for 23 s of biology per row.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from tianbao.cli import in_processes
from tianbao.config import RunConfig
from tianbao.experiment import simulation
from tianbao.io.files import prepare_folder

ALLOWED = 0.03
JUDGED = ("forward_speed_mm_s", "travelling_r2")


def variants(default: RunConfig) -> dict[str, dict]:
    """Name of each variant and the keys it changes."""
    return {
        "reference": {"engine": "native"},
        "engine neuron": {"engine": "neuron"},
        "neural dt halved": {"clock.dt": default.clock.dt / 2},
        "second order": {"clock.order": 2, "clock.corrections": 1},
        "tick halved": {"clock.tick": default.clock.tick / 2},
        "axial mesh doubled": {"body.slabs": default.body.slabs * 2},
    }


def measure(job: tuple[str, dict, float, int]) -> dict:
    """Gait of one variant and seed, in a process of its own."""
    name, changes, duration, seed = job
    config = RunConfig(seed=seed).updated({"parameters.noise": 0.0, **changes})
    run = simulation(config, progress=False).run(duration)
    return {"variant": name, "seed": seed, **run.gait().as_dict(), "wall_s_per_bio_s": run.wall_s_per_bio_s}


def table_of(rows: list[dict]) -> pd.DataFrame:
    """Speed, frequency and R2 of every variant, their mean over seeds, and change from the reference."""
    columns = ["forward_speed_mm_s", "frequency_hz", "travelling_r2", "wavelength_body_lengths", "wall_s_per_bio_s"]
    mean = pd.DataFrame(rows).groupby("variant", sort=False)[columns].mean()
    for column in columns[:3]:
        mean[f"{column}_change"] = mean[column] / mean.loc["reference", column] - 1.0
    return mean


def main(arguments: list[str] | None = None) -> int:
    """Run every variant; exit code 0 only if all changes stay below the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--duration", type=float, default=23_000.0, help="ms each, of which 3 s are discarded")
    parser.add_argument("--seed", type=int, default=1, help="number of seeds averaged, from 1")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("output/convergence"))
    args = parser.parse_args(arguments)
    prepare_folder(args.out)
    jobs = [
        (name, changes, args.duration, seed)
        for seed in range(1, args.seed + 1)
        for name, changes in variants(RunConfig()).items()
    ]
    table = table_of(list(in_processes(measure, jobs, args.workers)))
    table.to_csv(args.out / "convergence.csv")
    print(table.to_string(float_format=lambda value: f"{value:.3f}"))
    print(f"wrote convergence.csv in {args.out}")
    changes = table[[f"{each}_change" for each in JUDGED]].abs()
    return 0 if (changes < ALLOWED).all().all() else 1


if __name__ == "__main__":
    sys.exit(main())
