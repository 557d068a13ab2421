"""How long may the time steps be?

Question: from which step of the neurons, and from which exchange interval between brain and body, does the gait depend
on the step, on agar and in water? Without noise, which is drawn once per tick and would differ between ticks.
See: a table of changes from the reference of each medium. Exchange intervals beyond which speed or R2 change by 3 % are
outside of the ranges in tianbao/ranges.csv, and a run with them warns.
Time: about four minutes on two cores for 9 s of biology per row.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from tianbao.cli import in_processes
from tianbao.config import RunConfig
from tianbao.errors import DivergedError
from tianbao.experiment import simulation
from tianbao.io.files import prepare_folder

FRAME = 20.0  # [ms], unless a tick is longer
# The first of each medium is its reference: step of the neurons, tick [ms].
STEPS = {
    "agar": ((0.5, 4.0), (1.0, 4.0), (2.0, 4.0), (4.0, 4.0), (0.5, 2.0), (0.5, 10.0), (0.5, 20.0), (20.0, 20.0)),
    "water": ((0.5, 2.0), (0.5, 1.0), (0.5, 4.0), (0.5, 10.0), (0.5, 20.0), (0.5, 100.0)),
}
COLUMNS = ("forward_speed_mm_s", "frequency_hz", "travelling_r2")


def measure(job: tuple[str, float, float, float]) -> dict:
    """Gait of one medium and pair of steps, in a process of its own; NaN where the run diverged."""
    medium, dt, tick, duration = job
    clock = {"clock.dt": dt, "clock.tick": tick, "clock.frame": max(FRAME, tick)}
    config = RunConfig().updated({"parameters.noise": 0.0, "arena.medium": medium, **clock})
    row = {"medium": medium, "dt_ms": dt, "tick_ms": tick}
    try:
        gait = simulation(config, progress=False).run(duration).gait()
    except DivergedError:
        return row
    return {**row, **{name: getattr(gait, name) for name in COLUMNS}}


def table_of(rows: list[dict]) -> pd.DataFrame:
    """Every row with its change from the reference of its medium."""
    table = pd.DataFrame(rows, columns=["medium", "dt_ms", "tick_ms", *COLUMNS])
    reference = table.groupby("medium", sort=False)[list(COLUMNS)].transform("first")
    for name in COLUMNS:
        table[f"{name}_change"] = table[name] / reference[name] - 1.0
    return table


def main(arguments: list[str] | None = None) -> int:
    """Run every pair of steps and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--duration", type=float, default=9_000.0, help="ms each, of which 3 s are discarded")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("output/coarse_steps"))
    args = parser.parse_args(arguments)
    prepare_folder(args.out)
    jobs = [(medium, *pair, args.duration) for medium, pairs in STEPS.items() for pair in pairs]
    table = table_of(list(in_processes(measure, jobs, args.workers)))
    table.to_csv(args.out / "coarse_steps.csv", index=False, float_format="%.5g")
    print(table.to_string(float_format=lambda value: f"{value:.3f}"))
    print(f"wrote coarse_steps.csv in {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
