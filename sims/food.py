"""Does a worm that feels food slow down and stay, and by which amine?

Question: worms that decide crawl on agar, half of them on a lawn of bacteria that nothing but their own neurons tells
them of: CEP, ADE and PDE feel it, NSM feels what is swallowed. Dopamine and serotonin follow these neurons.
See: speed, reversals per minute, levels of amines and the voltage of NSM on and off food, of the intact worm and of
cat-2, tph-1, mod-1 and dop-3; a worm without amines, for which food makes no difference; levels in time as a picture.
Time: about an hour on two cores for ten worms of 40 s in each of eleven conditions.
Compare: Sawin et al. 2000 (slower on food, not without dopamine), Zhao et al. 2003 (fewer reversals on food).
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import tianbao as tb
from tianbao.behaviour.estimates import mean_interval
from tianbao.behaviour.states import reversals_per_minute, threshold_events
from tianbao.behaviour.tracks import tangential_velocity
from tianbao.cli import in_processes, run_script
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.units import MS_PER_S
from tianbao.view import style

DROPPED = 8_000.0  # [ms] until the worm crawls and amines have settled
FRAME, TICK = 40.0, 4.0  # [ms]
SHORTEST = 0.5  # [s] of a reversal that is counted
TOGETHER, APART = 2, 5.0  # worms of one simulation, and the distance between them [mm]
SIGNS = "deciding"  # contested signs by behaviour (docs/decision.md)
LAWN = {"radius": 25.0, "density": 10.0}  # [mm], beyond the reach of all; [ug/mm2], ten layers of cells
NSM = "NSML", "NSMR"


@dataclass(frozen=True)
class Condition:
    """What a group of worms is, and whether it is on food.

    Attributes:
        name: of the group.
        food: whether there is a lawn.
        genes: knocked out.
        amines: option of the worm.
    """

    name: str
    food: bool
    genes: tuple[str, ...] = ()
    amines: str = "on"


CONDITIONS = (
    Condition("intact", True),
    Condition("intact", False),
    Condition("cat-2", True, ("cat-2",)),
    Condition("cat-2", False, ("cat-2",)),
    Condition("tph-1", True, ("tph-1",)),
    Condition("tph-1", False, ("tph-1",)),
    Condition("mod-1", True, ("mod-1",)),
    Condition("mod-1", False, ("mod-1",)),
    Condition("dop-3", True, ("dop-3",)),
    Condition("dop-3", False, ("dop-3",)),
    Condition("amines off", True, amines="off"),
)


@dataclass(frozen=True)
class Job:
    """Worms of one condition that share a simulation, in a process of their own."""

    condition: Condition
    seed: int
    duration: float


def worm_of(job: Job, number: int) -> tb.Worm:
    """One worm, heading anywhere."""
    heading = float(np.random.default_rng((job.seed, number)).uniform(-math.pi, math.pi))
    place = (APART * number, 0.0, 0.0)
    amines = job.condition.amines
    worm = tb.Worm(
        at=place, heading=heading, discretisation="d_lambda", decision="network", amines=amines, signs=SIGNS
    )
    return worm.knock_out(*job.condition.genes) if job.condition.genes else worm


def measure(job: Job) -> tuple[list[dict], pd.DataFrame]:
    """A row of measures of each worm, and levels of amines over time, mean over the worms."""
    fields = (tb.Lawn("food", **LAWN),) if job.condition.food else ()
    worms = [worm_of(job, k) for k in range(TOGETHER)]
    clock, arena = tb.Clock(tick=TICK, frame=FRAME), tb.Arena("agar", fields=fields)
    simulation = tb.Simulation(
        worms, arena, seed=job.seed, clock=clock, threads=1, progress=False
    ).record(voltage=NSM, every=FRAME)
    run = simulation.run(DROPPED + job.duration)
    kept = run.time >= DROPPED
    eaten = run.fields[0].eaten if job.condition.food else np.zeros(TOGETHER)
    rows, levels = [], []
    for k, each in enumerate(run.worms):
        track = tangential_velocity(run.time[kept] - DROPPED, each.midline[kept])
        speed, amines = np.concatenate([piece.mm_s for piece in track]), run.amines(k)
        rows.append({
            "condition": job.condition.name, "food": job.condition.food, "seed": job.seed, "worm": k,
            "speed_mm_s": np.abs(speed).mean(), "forward_mm_s": speed[speed > 0.0].mean(),
            "reversals_per_min": reversals_per_minute(threshold_events(track), least_s=SHORTEST),
            "nsm_mv": each.voltage[kept].mean(), "eaten_ug": eaten[k],
            **{name: values[kept].mean() for name, values in amines.items()},
        })  # fmt: skip
        levels.append(amines)
    return rows, sum(levels) / len(levels)


def interval(values: pd.Series) -> float:
    """Half of the 95 % interval of a mean."""
    mean, low, _, _ = mean_interval(values)
    return float(mean - low)


def summarise(trials: pd.DataFrame) -> pd.DataFrame:
    """One row per condition, in their order."""
    rows = []
    for each in dict.fromkeys((condition.name, condition.food) for condition in CONDITIONS):
        mine = trials[(trials.condition == each[0]) & (trials.food == each[1])]
        if mine.empty:
            continue
        means = mine.drop(columns=["condition", "food", "seed", "worm"]).mean()
        rows.append({
            "condition": each[0], "food": "yes" if each[1] else "no", "worms": len(mine), **means,
            "speed_half": interval(mine.speed_mm_s), "reversals_half": interval(mine.reversals_per_min),
        })  # fmt: skip
    return pd.DataFrame(rows)


def verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """What must come out, each with its value and whether it holds; nan where a condition was not run."""

    def of(name: str, food: str, column: str) -> float:
        found = table[(table.condition == name) & (table.food == food)][column]
        return float(found.iloc[0]) if len(found) else math.nan

    def ratio(name: str, column: str) -> float:
        off = of(name, "no", column)
        return of(name, "yes", column) / off if off > 0.0 else math.nan

    slowing, without = ratio("intact", "speed_mm_s"), ratio("cat-2", "speed_mm_s")
    serotonin = ratio("tph-1", "speed_mm_s")
    turning, active = ratio("intact", "reversals_per_min"), of("intact", "yes", "nsm_mv")
    quiet = of("intact", "no", "nsm_mv")
    rows = (
        ("speed on food over that off food", slowing, slowing < 1.0),
        ("the same in cat-2 (basal slowing is dopamine's)", without, without > slowing),
        ("the same in tph-1 (serotonin slows further)", serotonin, serotonin > slowing),
        ("reversals on food over those off food", turning, turning <= 0.5),
        ("NSM on food [mV], off food it is lower", active, active > quiet + 10.0),
    )
    return pd.DataFrame(rows, columns=["quantity", "value", "holds"])


def picture(table: pd.DataFrame, levels: dict[Condition, pd.DataFrame], path: Path) -> None:
    """Speed and reversals of every condition, and the amines of intact worms in time."""
    figure = Figure(figsize=(9.0, 6.5), layout="constrained")
    above, below = figure.subplots(2, 2)
    names = list(dict.fromkeys(table.condition))
    for axes, column, half, label in (
        (above[0], "speed_mm_s", "speed_half", "speed [mm/s]"),
        (above[1], "reversals_per_min", "reversals_half", "reversals [1/min]"),
    ):
        for shift, food, tint in ((-0.2, "no", style.FAINT), (0.2, "yes", style.INK)):
            mine = table[table.food == food]
            place = [names.index(each) + shift for each in mine.condition]
            axes.bar(place, mine[column], 0.38, yerr=mine[half], color=tint, label=f"food: {food}")
        axes.set_xticks(range(len(names)), names, rotation=30)
        axes.set_ylabel(label)
    above[0].legend(frameon=False)
    for axes, food in zip(below, (True, False), strict=True):
        for condition, each in levels.items():
            if condition.name == "intact" and condition.food == food:
                for name, values in each.items():
                    axes.plot(each.index / MS_PER_S, values, lw=1.0, label=name)
        axes.set(xlabel="time [s]", ylabel="level", ylim=(0.0, 1.05), title="on food" if food else "off food")
    below[0].legend(frameon=False)
    figure.savefig(path, dpi=90)


def experiment(args: argparse.Namespace) -> int:
    """Run all conditions; exit code 0 only if every verdict holds."""
    if min(args.worms, args.workers) < 1 or args.worms % TOGETHER or not args.duration > 0.0:
        raise tb.ConfigError(f"--worms must be a multiple of {TOGETHER}, --workers and --duration positive")
    folder = prepare_folder(args.out)
    chosen = [each for each in CONDITIONS if not args.only or each.name in args.only]
    if not chosen:
        raise tb.ConfigError(f"--only: no such condition; known are {', '.join(each.name for each in CONDITIONS)}")
    jobs = [Job(each, args.first_seed + k, args.duration) for each in chosen for k in range(args.worms // TOGETHER)]
    rows, levels = [], {}
    for job, (found, amines) in zip(jobs, in_processes(measure, jobs, args.workers, tasks=None), strict=True):
        rows += found
        levels.setdefault(job.condition, amines)
        food = "on" if job.condition.food else "off"
        print(f"{job.condition.name} {food} food, seed {job.seed} done", flush=True)
    trials = pd.DataFrame(rows)
    table = summarise(trials)
    judged = verdicts(table)
    for name, each in (("food_trials", trials), ("food", table), ("food_verdicts", judged)):
        write_atomically(folder / f"{name}.csv", each.to_csv(index=False, float_format="%.4g").encode())
    picture(table, levels, folder / "food.png")
    for each in (table, judged):
        print(each.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    print(f"wrote food.csv, food_verdicts.csv, food_trials.csv, food.png in {folder}")
    return 0 if judged.holds.all() else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worms", type=int, default=10, help="of each condition")
    parser.add_argument("--duration", type=float, default=40_000.0, help="of each worm, once it crawls [ms]")
    parser.add_argument("--first-seed", type=int, default=401)
    parser.add_argument("--only", nargs="*", default=[], help="names of conditions, such as intact cat-2")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("output/food"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
