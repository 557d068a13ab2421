"""Does the worm still crawl and swim when its parameters are off by a tenth?

Every fitted class-level parameter is multiplied by its own factor, drawn evenly from 0.9 to 1.1, all at once;
each draw then runs on agar and in water.
See: how many draws crawl and how many swim, by the bars of crawling.csv and swimming.csv, and the gait of each.
Time: about three minutes for eight draws on two cores.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import tianbao as tb
from tianbao import parameters
from tianbao.behaviour.gait import crawled, swam
from tianbao.cli import run_script
from tianbao.io.files import prepare_folder

# Duration and body step [ms] in each medium, and what counts as moving there.
MEDIA = {"agar": (13_000.0, 4.0, crawled), "water": (8_000.0, 2.0, swam)}
SHOWN = ("forward_speed_mm_s", "frequency_hz", "wavelength_body_lengths", "amplitude", "peak_share", "straightness")


def drawn(seed: int, spread: float) -> parameters.Parameters:
    """Parameters off by up to a share, each on its own; seed 0 leaves them as they are."""
    fitted = {name: row.value for name, row in parameters.table().items() if row.source.startswith("fitted")}
    factors = np.random.default_rng(seed).uniform(1.0 - spread, 1.0 + spread, len(fitted))
    moved = {
        name: value * (factor if seed else 1.0) for (name, value), factor in zip(fitted.items(), factors, strict=True)
    }
    return parameters.defaults().replace(**moved)


def measure(job: tuple[int, str, float]) -> dict:
    """Gait of one draw in one medium, in a process of its own; NaN where the run diverged."""
    draw, medium, spread = job
    duration, tick, moves = MEDIA[medium]
    worm = tb.Worm(parameters=drawn(draw, spread))
    simulation = tb.Simulation(worm, tb.Arena(medium), clock=tb.Clock(tick=tick), engine="native", progress=False)
    try:
        gait = simulation.run(duration).gait()
    except tb.DivergedError:
        return {"draw": draw, "medium": medium, "moves": False, **dict.fromkeys(SHOWN, np.nan)}
    return {"draw": draw, "medium": medium, "moves": moves(gait), **{name: getattr(gait, name) for name in SHOWN}}


def experiment(args: argparse.Namespace) -> int:
    """Run all draws; exit code 0 only if at least three in four move in each medium."""
    if args.draws < 1 or args.workers < 1 or not 0.0 < args.spread < 1.0:
        raise tb.ConfigError("--draws and --workers must be at least 1, --spread between 0 and 1")
    folder = prepare_folder(args.out)
    jobs = [(draw, medium, args.spread) for draw in range(args.draws + 1) for medium in MEDIA]
    rows = []
    with multiprocessing.get_context("spawn").Pool(args.workers, maxtasksperchild=1) as pool:
        for row in pool.imap(measure, jobs, chunksize=1):
            rows.append(row)
            print(
                "  ".join(f"{value:.3g}" if isinstance(value, float) else f"{value!s:>5}" for value in row.values()),
                flush=True,
            )
    table = pd.DataFrame(rows)
    table.to_csv(folder / "robustness.csv", index=False)
    share = table[table.draw > 0].groupby("medium").moves.mean()
    print(f"of {args.draws} draws {share['agar']:.0%} crawl and {share['water']:.0%} swim")
    print(f"wrote robustness.csv in {folder}")
    return 0 if (share >= 0.75).all() else 1


def main(arguments: list[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--spread", type=float, default=0.1, help="largest change of a parameter, as a share")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("output/robustness"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
