"""Does a worm stop backing away from a touch or a tap that comes again and again, and does it recover?

Question: worms that decide crawl on agar with membrane noise, and the synapses of their touch neurons tire
(fatigue = "touch"). The plate is tapped, or an eyelash touches the anterior half of the body for half a second, every
10 s or every 60 s; after a pause comes one stimulus more. No response is told to decline: vesicles are used up.
See: for each stimulus of a series the share of worms with a reversal within a second (95 % interval by Wilson) and the
mean way back, 0 for none, as a share of that after the first; late level, and what has come back after the pause;
controls whose synapses do not tire, that feel only the first and the last stimulus, and without the gap junctions of
PLM with AVA and AVD, which White et al. 1986 do not have and by which a tap reaches AVA past the synapses.
Time: about an hour and a half on two idle cores for ten worms in each condition.
Compare: Rankin & Broster 1992 (shorter intervals: faster, deeper, and faster recovery), Wicks & Rankin 1997 (site).
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure

import tianbao as tb
from tianbao.behaviour.responses import response, share_of_trials
from tianbao.cli import in_processes, run_script
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.units import MS_PER_S

BEFORE, AFTER = 8_000.0, 4_000.0  # [ms] crawl before the first stimulus; what follows the last
TOUCHED = 500.0  # [ms] that an eyelash stays
STRIDE = 1_500.0  # [ms] over which the first stimuli of the worms are spread
TOGETHER = 5  # worms of one simulation
APART = 8.0  # [mm]
FRAME, TICK = 40.0, 4.0  # [ms]
SIGNS = "deciding"  # contested signs by behaviour (docs/decision.md)
ANTERIOR = (0.15, 0.35)  # [L]
SHORT, LONG = 10.0, 60.0  # [s]
PAUSE = 60.0  # [s] between the last stimulus of a series and the one that shows what came back
LATE = 3  # last stimuli of a series, whose mean is its level


@dataclass(frozen=True)
class Condition:
    """What a group of worms meets.

    Attributes:
        name: of the condition.
        stimulus: "tap" or "touch".
        interval: between stimuli [s].
        fatigue: of synapses; see `tb.Worm`.
        alone: whether only the first and the last stimulus are given, at the same times.
        uncoupled: whether PLM has no gap junctions with AVA and AVD.
    """

    name: str
    stimulus: str
    interval: float
    fatigue: str = "touch"
    alone: bool = False
    uncoupled: bool = False


CONDITIONS = (
    Condition("touch, 10 s", "touch", SHORT),
    Condition("touch, 60 s", "touch", LONG),
    Condition("touch, 10 s, no fatigue", "touch", SHORT, fatigue="off"),
    Condition("touch, first and last alone", "touch", SHORT, alone=True),
    Condition("tap, 10 s", "tap", SHORT),
    Condition("tap, 60 s", "tap", LONG),
    Condition("tap, 10 s, PLM uncoupled", "tap", SHORT, uncoupled=True),
    Condition("tap, 10 s, PLM uncoupled, no fatigue", "tap", SHORT, fatigue="off", uncoupled=True),
)


@dataclass(frozen=True)
class Job:
    """Worms of one condition that share a simulation, in a process of their own: seed, stimuli, pause [s]."""

    condition: Condition
    seed: int
    stimuli: int
    pause: float = PAUSE
    worms: int = TOGETHER


def onsets(job: Job, worm: int) -> np.ndarray:
    """Times of the stimuli [ms], whole numbers of ticks, the last after the pause."""
    first = BEFORE + TICK * round(worm * STRIDE / TOGETHER / TICK)
    series = first + job.condition.interval * MS_PER_S * np.arange(job.stimuli)
    times = np.append(series, series[-1] + job.pause * MS_PER_S)
    return times[[0, -1]] if job.condition.alone else times


def worm_of(job: Job, number: int) -> tb.Worm:
    """One worm with its stimuli."""
    worm = tb.Worm(
        at=(APART * number, 0.0, 0.0), heading=math.tau * number / TOGETHER, discretisation="d_lambda",
        decision="network", signs=SIGNS, fatigue=job.condition.fatigue,
    )  # fmt: skip
    if job.condition.uncoupled:
        worm.cut_gap_junctions("PLM*", ["AVA*", "AVD*"])
    for start in onsets(job, number):
        if job.condition.stimulus == "tap":
            worm.tap(start)
        else:
            worm.touch(ANTERIOR, start=start, stop=start + TOUCHED)
    return worm


def measure(job: Job) -> list[dict]:
    """A row for each stimulus of each worm of one simulation."""
    worms = [worm_of(job, k) for k in range(job.worms)]
    clock = tb.Clock(tick=TICK, frame=FRAME)
    simulation = tb.Simulation(
        worms, tb.Arena("agar"), seed=job.seed, clock=clock, threads=1, progress=False
    )
    run = simulation.run(onsets(job, job.worms - 1)[-1] + AFTER)
    rows = []
    for k, each in enumerate(run.worms):
        times = onsets(job, k)
        numbers = [1, job.stimuli + 1] if job.condition.alone else range(1, job.stimuli + 2)
        for number, start in zip(numbers, times, strict=True):
            answer = asdict(response(run.time, each.midline, start))
            way = answer["distance_body_lengths"] if answer["reversed"] else 0.0
            row = {"condition": job.condition.name, "seed": job.seed, "worm": k, "stimulus": number, "onset_ms": start}
            rows.append({**row, "recovery": number > job.stimuli, **answer, "way_body_lengths": way})
    return rows


def curve(trials: pd.DataFrame) -> pd.DataFrame:
    """One row per condition and stimulus: share with interval, mean way back [L], and both over those of the first."""
    rows = []
    for (name, number), every in trials.groupby(["condition", "stimulus"], sort=False):
        mine = every[every.eligible.astype(bool)]
        share = share_of_trials(mine.reversed.to_numpy(bool))
        rows.append({
            "condition": name, "stimulus": number, "recovery": bool(every.recovery.iloc[0]), "trials": share.trials,
            "share": share.share, "low": share.low, "high": share.high,
            "way_body_lengths": mine.way_body_lengths.mean(),
        })  # fmt: skip
    table = pd.DataFrame(rows).sort_values(["condition", "stimulus"], kind="stable")
    first = table[table.stimulus == 1].set_index("condition")
    for column in ("share", "way_body_lengths"):
        base = table.condition.map(first[column]).to_numpy(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            table[f"{column}_of_first"] = np.where(base > 0.0, table[column] / base, math.nan)
    return table.reset_index(drop=True)


def summarise(trials: pd.DataFrame) -> pd.DataFrame:
    """One row per condition: first answer, level at the end of the series, and what has come back after the pause."""
    rows, table = [], curve(trials)
    for condition in CONDITIONS:
        mine = table[table.condition == condition.name]
        if mine.empty:
            continue
        series, after = mine[~mine.recovery], mine[mine.recovery]
        late = series[series.stimulus > 1].tail(LATE)
        rows.append({
            "condition": condition.name, "interval_s": condition.interval, "stimuli": len(series),
            "first_share": series.share.iloc[0], "first_way_body_lengths": series.way_body_lengths.iloc[0],
            "late_share": late.share.mean(), "late_way_of_first": late.way_body_lengths_of_first.mean(),
            "recovered_share": after.share.mean(), "recovered_way_of_first": after.way_body_lengths_of_first.mean(),
        })  # fmt: skip
    return pd.DataFrame(rows)


def picture(table: pd.DataFrame, path: Path) -> None:
    """Mean way back and share of every stimulus, as shares of the first; the open mark is the one after the pause."""
    figure = Figure(figsize=(9.0, 4.0), layout="constrained")
    panels = figure.subplots(1, 2)
    for (name, mine), colour in zip(table.groupby("condition", sort=False), colormaps["tab10"].colors, strict=False):
        series, after = mine[~mine.recovery], mine[mine.recovery]
        for panel, column in zip(panels, ("way_body_lengths_of_first", "share"), strict=True):
            panel.plot(series.stimulus, series[column], "o-", ms=3, lw=1.0, color=colour, label=name)
            panel.plot(after.stimulus, after[column], "o", ms=6, mfc="none", color=colour)
    for panel, title in zip(panels, ("way back, of the first [-]", "share that reverses within 1 s [-]"), strict=True):
        panel.set(xlabel="stimulus", ylabel=title)
        panel.set_ylim(bottom=0.0)
    panels[1].legend(fontsize=7)
    figure.savefig(path, dpi=90)


def jobs_of(args: argparse.Namespace) -> list[Job]:
    """Simulations of the chosen conditions.

    Raises:
        ConfigError: for no worms, a series that is too short, or an unknown condition.
    """
    if min(args.worms, args.workers) < 1 or min(args.short, args.long) <= LATE:
        raise tb.ConfigError(f"--worms and --workers must be at least 1, --short and --long more than {LATE}")
    chosen = [each for each in CONDITIONS if not args.only or each.name in args.only]
    if not chosen:
        raise tb.ConfigError(f"--only: no such condition; known are {', '.join(each.name for each in CONDITIONS)}")
    jobs = []
    for each in chosen:
        stimuli = args.long if each.interval == LONG else args.short
        for k in range(math.ceil(args.worms / TOGETHER)):
            count = min(TOGETHER, args.worms - k * TOGETHER)
            jobs.append(Job(each, args.first_seed + k, stimuli, args.pause, count))
    return jobs


def experiment(args: argparse.Namespace) -> int:
    """Run all series; exit code 0 only if every one that tires ends below its first answer."""
    jobs, rows = jobs_of(args), []
    folder = prepare_folder(args.out)
    for job, found in zip(jobs, in_processes(measure, jobs, args.workers, tasks=2), strict=True):
        rows += found
        trials = pd.DataFrame(rows)
        write_atomically(folder / "habituation_trials.csv", trials.to_csv(index=False).encode())
        back = sum(bool(row["reversed"]) for row in found)
        print(f"{job.condition.name}, seed {job.seed}: {back} of {len(found)} stimuli answered", flush=True)
    table, summary = curve(trials), summarise(trials)
    write_atomically(folder / "habituation_curve.csv", table.to_csv(index=False, float_format="%.4g").encode())
    write_atomically(folder / "habituation.csv", summary.to_csv(index=False, float_format="%.4g").encode())
    picture(table, folder / "habituation.png")
    print(summary.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    print(f"wrote habituation.csv, habituation_curve.csv, habituation_trials.csv, habituation.png in {folder}")
    tiring = [each.name for each in CONDITIONS if each.fatigue != "off" and not each.alone]
    return 0 if (summary[summary.condition.isin(tiring)].late_way_of_first < 1.0).all() else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worms", type=int, default=10, help="in each condition")
    parser.add_argument("--short", type=int, default=12, help="stimuli of a series at 10 s")
    parser.add_argument("--long", type=int, default=8, help="stimuli of a series at 60 s")
    parser.add_argument("--pause", type=float, default=PAUSE, help="before the stimulus that shows recovery [s]")
    parser.add_argument("--first-seed", type=int, default=101)
    parser.add_argument("--only", nargs="*", default=[], metavar="CONDITION", help="such as 'tap, 10 s'")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("output/habituation"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
