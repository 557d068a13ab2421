"""How far does a slow change of a field get: from the receptor to the neurons that decide?

Question: a worm that decides, without noise, crawls in a bath whose value rises for 8 s, rests for 8 s and falls for
8 s, at the rate that a worm meets in the gradient of an assay. Which of the neurons behind the receptor follow, and by
how much?
See: for each field the mean voltage of both sides of each class before, late in the rise and late in the fall, and the
share of these times in which AVA is up, as a table; all voltages in time as a picture.
Time: a minute on two cores.
Compare: Chalasani et al. 2007, Suzuki et al. 2008, Nakano et al. 2019 (docs/decision.md, how far signals get).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import tianbao as tb
from tianbao.cli import in_processes, run_script
from tianbao.configured import worm_of
from tianbao.environment.fields import field_of
from tianbao.errors import unknown
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.units import MS_PER_S
from tianbao.validation.assay_file import assays, read_assay
from tianbao.view import style

SENSORS = {
    "nacl_chemotaxis": ("ASEL", "ASER"),
    "isoamyl_alcohol": ("AWC*",),
    "diacetyl": ("AWA*",),
    "thermotaxis": ("AFD*",),
    "oxygen": ("URX*", "BAG*"),
}
"""Assays in whose gradients a worm crawls, with the neurons that feel them."""
BEHIND = ("AIY*", "AIZ*", "AIA*", "AIB*", "RIA*", "AUA*", "RMG*", "AVE*", "RIM*", "AVB*", "AVA*")
SPEED = 0.2  # [mm/s] of a crawling animal (tianbao/behaviour/published.csv)
SETTLE, PART = 10_000.0, 8_000.0  # [ms] before the rise; of the rise, of what follows it and of the fall
STEP = 100.0  # [ms] between two values of the bath
LATE = 4_000.0  # [ms] at the end of each part, over which is averaged
UP = -30.0  # [mV] above which AVA is up
NEAR = 0.5  # [mm] to either side, for the slope


@dataclass(frozen=True)
class Job:
    """One worm, in a process of its own: in the field of which assay, and its seed."""

    assay: str
    seed: int


def bath_of(assay: str) -> tuple[tb.Bath, float]:
    """The bath of an assay's gradient, and its rate [unit of the field / s]."""
    read = read_assay(assays([assay])[0])
    field = field_of(read.conditions["gradient"].fields[0], assay)
    start = np.array([read.setup.placing.distance, 0.0, 0.0])
    ends = np.array([start + [side, 0.0, 0.0] for side in (-NEAR, NEAR)])
    low, high = sorted(field.at(ends, 0.0))
    rate = SPEED * (high - low) / (2.0 * NEAR)
    value = float(field.at(start, 0.0))
    times = np.arange(0.0, SETTLE + 3.0 * PART, STEP)
    course = np.interp(times, SETTLE + np.array([0.0, PART, 2.0 * PART, 3.0 * PART]), [0.0, PART, PART, 0.0])
    steps = tuple(zip(times.tolist(), (value + rate * course / MS_PER_S).tolist(), strict=True))
    return tb.Bath(field.name, steps, unit=field.unit), float(rate)


def voltages_of(job: Job) -> pd.DataFrame:
    """Voltages [mV] of sensors and of what is behind them, a row per frame, in time [ms]."""
    config = read_assay(assays([job.assay])[0]).conditions["gradient"]
    worm = worm_of(config.updated({"parameters.noise": 0.0}))
    arena = tb.Arena("agar", fields=[bath_of(job.assay)[0]])
    clock = tb.Clock(tick=config.clock.tick, frame=config.clock.frame)
    simulation = tb.Simulation(worm, arena, seed=job.seed, clock=clock, threads=1, progress=False)
    wanted = [*SENSORS[job.assay], *BEHIND]
    return simulation.record(voltage=wanted).run(SETTLE + 3.0 * PART).voltages()


def by_class(voltages: pd.DataFrame, sensors: Sequence[str]) -> pd.DataFrame:
    """Mean of the left and the right neuron of each class, sensors first [mV]; ASEL and ASER stay apart."""
    columns = {}
    for pattern in (*sensors, *BEHIND):
        mine = [name for name in voltages if name.startswith(pattern.rstrip("*"))]
        columns[pattern.rstrip("*")] = voltages[mine].mean(axis=1)
    return pd.DataFrame(columns)


def summary(assay: str, voltages: pd.DataFrame) -> pd.DataFrame:
    """Rows of assay, field, rate, unit, neuron, before, rise and fall (from before), share of both with AVA up."""
    bath, rate = bath_of(assay)
    mean = by_class(voltages, SENSORS[assay])
    rows = []
    ends = {"before": SETTLE, "rise": SETTLE + PART, "fall": SETTLE + 3.0 * PART}
    late = {name: mean[(mean.index > end - LATE) & (mean.index <= end)] for name, end in ends.items()}
    calm = late["before"][late["before"].AVA < UP]
    for neuron in mean:
        before = calm[neuron].mean()  # NaN if AVA was up all the time
        row = {"assay": assay, "field": bath.name, "rate_per_s": rate, "unit": bath.unit}
        row |= {"neuron": neuron, "before": before}
        for name in ("rise", "fall"):
            quiet = late[name][late[name].AVA < UP]
            row[name] = quiet[neuron].mean() - before if len(quiet) else np.nan
            row[f"{name}_ava_up"] = 1.0 - len(quiet) / len(late[name])
        rows.append(row)
    return pd.DataFrame(rows)


def picture(found: dict[str, pd.DataFrame], path: Path) -> None:
    """Voltages of every class in time, less those before the rise; a panel per field."""
    figure = Figure(figsize=(3.2 * len(found), 7.0), layout="constrained")
    panels = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
    for axes, (assay, voltages) in zip(panels, found.items(), strict=True):
        mean = by_class(voltages, SENSORS[assay])
        mean = mean[mean.index > SETTLE - LATE]
        for place, neuron in enumerate(mean):
            change = mean[neuron] - mean[neuron][mean.index <= SETTLE].mean()
            axes.plot(mean.index / MS_PER_S, change - 30.0 * place, lw=0.8, color=style.INK)
            axes.text(mean.index[0] / MS_PER_S, 8.0 - 30.0 * place, neuron, fontsize=7)
        for edge in range(4):
            axes.axvline((SETTLE + edge * PART) / MS_PER_S, lw=0.5, ls=":", color=style.INK)
        axes.set(title=bath_of(assay)[0].name, xlabel="time [s]", yticks=[])
    figure.supylabel("change of voltage; neurons 30 mV apart")
    figure.savefig(path, dpi=90)


def experiment(args: argparse.Namespace) -> int:
    """Run all fields."""
    if args.workers < 1:
        raise tb.ConfigError("--workers must be positive")
    for name in args.only:
        if name not in SENSORS:
            raise tb.ConfigError(f"--only: {unknown('assay', name, SENSORS)}")
    folder = prepare_folder(args.out)
    jobs = [Job(assay, args.seed) for assay in SENSORS if not args.only or assay in args.only]
    found = {job.assay: each for job, each in zip(jobs, in_processes(voltages_of, jobs, args.workers), strict=True)}
    table = pd.concat([summary(assay, voltages) for assay, voltages in found.items()], ignore_index=True)
    write_atomically(folder / "signal_path.csv", table.to_csv(index=False, float_format="%.4g").encode())
    picture(found, folder / "signal_path.png")
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    print(f"wrote signal_path.csv, signal_path.png in {folder}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], metavar="ASSAY", help="such as diacetyl")
    parser.add_argument("--seed", type=int, default=905)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("output/signal_path"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
