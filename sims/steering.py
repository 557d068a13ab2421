"""Does a difference between the dorsal and the ventral neurons of the head steer the worm?

Question: SMDD receive d pA and SMDV -d pA during the whole run, for d from -4 to 4. Does the worm turn in proportion to
d, towards the driven side, without losing speed?
See: turning rate of the heading against d with a linear fit: its slope [deg/s per pA], its value at d = 0
(the drift of the unstimulated worm) and the speed; paths seen from above.
Time: about two minutes on two cores.
Compare: Hendricks 2012, Yeon 2018, Kaplan 2020 (SMD and the direction of crawling).
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import tianbao as tb
from tianbao.behaviour.midline import centroid
from tianbao.behaviour.turns import turning_rate
from tianbao.cli import in_processes, run_script
from tianbao.commands import steer
from tianbao.config import parse_setting
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.units import NA_PER_PA
from tianbao.view import style

DIFFERENCES = (-4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0)  # [pA]
DROPPED, MEASURED = 3_000.0, 12_000.0  # [ms]
SLOPE = 2.0  # [deg/s per pA] at least
DRIFT = 2.0  # [deg/s] of the unstimulated worm, at most
KEPT = 0.7  # of the speed of the unstimulated worm, at least
Job = tuple[float, int, float, str, tuple[tuple[str, float], ...]]


def worm_of(difference: float, parameters: tuple[tuple[str, float], ...]) -> tb.Worm:
    """A worm with a current [pA] into SMDD and its opposite into SMDV."""
    worm = tb.Worm(parameters=tb.Worm().parameters.replace(**dict(parameters)))
    if difference:
        steer(worm, difference * NA_PER_PA, 0.0, math.inf)
    return worm


def measure(job: Job) -> tuple[dict, np.ndarray | None]:
    """One run in its own process: its measures, and its path [mm], shape (frames, 2)."""
    difference, seed, duration, engine, parameters = job
    row = {"difference_pa": difference, "seed": seed}
    try:
        simulation = tb.Simulation(worm_of(difference, parameters), seed=seed, engine=engine, progress=False)
        run = simulation.run(DROPPED + duration)
    except tb.DivergedError as error:
        return {**row, "turning_deg_s": math.nan, "forward_speed_mm_s": math.nan, "note": str(error)}, None
    gait, kept, midline = run.gait(), run.time >= DROPPED, run.track().midline
    stride = 1e3 / gait.frequency_hz if gait.frequency_hz > 0.0 else 0.0
    row["turning_deg_s"] = turning_rate(run.time[kept], midline[kept], stride)
    names = ("forward_speed_mm_s", "frequency_hz", "travelling_r2")
    return {**row, **{name: getattr(gait, name) for name in names}}, centroid(midline[kept])


def fitted(table: pd.DataFrame) -> tuple[float, float]:
    """Slope [deg/s per pA] and value at 0 [deg/s] of the linear fit to all runs; NaN for fewer than two."""
    known = table.dropna(subset=["turning_deg_s"])
    if known.difference_pa.nunique() < 2:
        return math.nan, math.nan
    slope, drift = np.polyfit(known.difference_pa, known.turning_deg_s, 1)
    return float(slope), float(drift)


def passed(table: pd.DataFrame) -> bool:
    """Whether the worm steers, crawls straight without stimulus, and keeps its speed."""
    slope, _ = fitted(table)
    alone = table[table.difference_pa == 0.0]
    drift, usual = abs(alone.turning_deg_s.mean()), alone.forward_speed_mm_s.mean()
    kept = (table.forward_speed_mm_s >= KEPT * usual).all() and usual > 0.0
    return bool(slope >= SLOPE and drift < DRIFT and kept)


def draw(figure: Figure, table: pd.DataFrame, paths: dict[float, np.ndarray]) -> None:
    """Turning rate against the difference, and paths from one origin and heading."""
    rates, above = figure.subplots(1, 2)
    slope, drift = fitted(table)
    ends = np.array([table.difference_pa.min(), table.difference_pa.max()])
    rates.plot(ends, drift + slope * ends, "-", color=style.FAINT, linewidth=1.0)
    rates.plot(table.difference_pa, table.turning_deg_s, "o", color=style.DORSAL)
    rates.axhline(0.0, color=style.FAINT, linewidth=0.5)
    rates.set(xlabel="SMDD + d, SMDV - d: d [pA]", ylabel="turning [deg/s], dorsal positive")
    rates.set_title(f"{slope:+.1f} deg/s per pA", loc="left")
    limit = max(map(abs, ends))
    for difference, path in paths.items():
        tint = style.BEND(0.5 + 0.5 * difference / limit) if difference else style.INK
        above.plot(*(path - path[0]).T, color=tint, label=f"{difference:+g}")
    above.set(xlabel="x [mm]", ylabel="y [mm]", aspect="equal")
    above.set_title("paths, d in pA", loc="left")
    above.legend(frameon=False, fontsize=8)


def line_of(row: dict) -> str:
    """One line of output for a run."""
    rate, speed = row["turning_deg_s"], row["forward_speed_mm_s"]
    return f"{row['difference_pa']:+5.1f} pA seed {row['seed']}  {rate:+7.2f} deg/s {speed:+7.3f} mm/s"


def experiment(args: argparse.Namespace) -> int:
    """Run all differences; exit code 0 only if the worm steers."""
    if args.seeds < 1 or args.workers < 1:
        raise tb.ConfigError("--seeds and --workers must be at least 1")
    folder, parameters = prepare_folder(args.out), tuple(map(parse_setting, args.set))
    worm_of(0.0, parameters)  # a wrong parameter is reported here rather than in a worker
    seeds = range(1, args.seeds + 1)
    jobs = [(each, seed, args.duration, args.engine, parameters) for seed in seeds for each in DIFFERENCES]
    rows, paths = [], {}
    for row, path in in_processes(measure, jobs, args.workers):
        rows.append(row)
        if path is not None and row["seed"] == 1:
            paths[row["difference_pa"]] = path
        write_atomically(folder / "steering.csv", pd.DataFrame(rows).to_csv(index=False).encode())
        print(line_of(row), flush=True)
    table = pd.DataFrame(rows)
    picture = style.render(lambda figure: draw(figure, table, paths), (9.0, 4.0), folder / "steering.png")
    slope, drift = fitted(table)
    line = pd.DataFrame([{"slope_deg_s_per_pa": slope, "drift_deg_s": drift}])
    write_atomically(folder / "steering_line.csv", line.to_csv(index=False).encode())
    print(f"wrote steering.csv, steering_line.csv and {picture.name} in {folder}")
    print(f"slope {slope:+.2f} deg/s per pA (required {SLOPE:g}), at 0: {drift:+.2f} deg/s (limit {DRIFT:g})")
    verdict = passed(table)
    print("the worm steers" if verdict else "the worm does not steer as required")
    return 0 if verdict else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--duration", type=float, default=MEASURED, help="ms measured after the first 3 s")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds, from 1")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a parameter")
    parser.add_argument("--engine", default="native", help='"neuron" gives the same in several times the time')
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("output/steering"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
