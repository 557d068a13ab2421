"""Shared by reversal.py and omega.py: runs with commands at evenly spaced phases of the undulation cycle.

Not an experiment by itself.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

import tianbao as tb
from tianbao.behaviour.kymograph import Kymograph
from tianbao.cli.animals import add_animal
from tianbao.config import parse_setting
from tianbao.io.files import write_atomically
from tianbao.units import MS_PER_S

PHASES = 8
FIRST = 6_000.0  # [ms] before the first command
CRAWL = 10_000.0  # [ms] of the run that measures the period
TICK = {"agar": 4.0, "water": 2.0}  # [ms]
Picture = tuple  # time [ms], body coordinates [L] and curvature, as in Kymograph


@dataclass(frozen=True)
class Setting:
    """Settings shared by all runs.

    Attributes:
        medium: its name.
        engine: that integrates the neurons.
        parameters: changed ones, by name.
        cycle: period of the worm without commands [ms].
        folder: for pictures of the first run; None for none.
    """

    medium: str
    engine: str
    parameters: tuple[tuple[str, float], ...] = ()
    cycle: float = math.nan
    folder: Path | None = None

    def worm(self) -> tb.Worm:
        """A worm without commands."""
        return tb.Worm(parameters=tb.Worm().parameters.replace(**dict(self.parameters)))

    def run(self, worm: tb.Worm, seed: int, duration: float) -> tb.Recording:
        """A run of a worm [ms]."""
        clock = tb.Clock(tick=TICK[self.medium])
        arena = tb.Arena(self.medium)
        return tb.Simulation(worm, arena, seed=seed, clock=clock, engine=self.engine, progress=False).run(duration)


def period(setting: Setting, duration: float) -> float:
    """Period [ms] of the worm without commands, in its own process; NaN if it has no rhythm."""
    frequency = setting.run(setting.worm(), 1, duration).gait().frequency_hz
    return MS_PER_S / frequency if frequency > 0.0 else math.nan


def shorten(run: tb.Recording, since: float) -> Picture:
    """Kymograph of a run from a given time on [ms]."""
    seen, kept = Kymograph.of(run), run.time >= since
    return seen.time[kept], seen.s, seen.curvature[kept]


def options(description: str | None, out: Path) -> argparse.ArgumentParser:
    """The options of both experiments."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds, from 1")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a parameter")
    parser.add_argument("--phases", type=int, default=PHASES, help="number of commands, evenly spaced over one cycle")
    parser.add_argument("--first", type=float, default=FIRST, help="time before the first command [ms]")
    parser.add_argument("--crawl", type=float, default=CRAWL, help="duration of the run that measures the period [ms]")
    parser.add_argument("--engine", default="native", help='"neuron" gives the same in several times the time')
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-video", action="store_true")
    parser.add_argument("--out", type=Path, default=out)
    add_animal(parser)
    return parser


def commanded(
    args: argparse.Namespace,
    medium: str,
    folder: Path,
    cases: Callable[[Sequence[float]], list],
    measure: Callable[[tuple], tuple[dict, Picture | None]],
    line_of: Callable[[dict], str],
    table: str,
) -> tuple[pd.DataFrame, list] | None:
    """Measure every case; the table is written after each.

    Args:
        args: of `options`.
        medium: its name.
        folder: for the table.
        cases: gives the cases for the onsets [ms] within one cycle.
        measure: runs one (case, setting); returns its measures and its picture.
        line_of: text for a row, for output and pictures.
        table: file name.

    Returns:
        The table, and (title, time, positions, curvature) of the runs of seed 1; None for a worm without rhythm.

    Raises:
        ConfigError: for a number below 1 or an unknown parameter.
    """
    if min(args.seeds, args.workers, args.phases) < 1:
        raise tb.ConfigError("--seeds, --workers and --phases must be at least 1")
    drawn = None if args.no_video else folder
    setting = Setting(medium, args.engine, tuple(map(parse_setting, args.set)), folder=drawn)
    setting.worm()  # a wrong parameter is reported here rather than in a worker
    rows, pictures = [], []
    with multiprocessing.get_context("spawn").Pool(args.workers, maxtasksperchild=1) as pool:
        cycle = pool.apply(period, (setting, args.crawl))
        if not math.isfinite(cycle):
            print("the worm without commands has no rhythm, so commands cannot be timed")
            return None
        print(f"period {cycle:.0f} ms", flush=True)
        setting = replace(setting, cycle=cycle)
        onsets = [args.first + k * cycle / args.phases for k in range(args.phases)]
        for row, picture in pool.imap(measure, [(each, setting) for each in cases(onsets)], chunksize=1):
            rows.append(row)
            if picture and row["seed"] == 1:
                pictures.append((line_of(row), *picture))
            write_atomically(folder / table, pd.DataFrame(rows).to_csv(index=False).encode())
            print(line_of(row), flush=True)
    return pd.DataFrame(rows), pictures
