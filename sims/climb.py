"""Does a worm that swims in open water climb a gradient of salt in three dimensions?

Question: worms that decide swim in water without floor or walls, around the peak of a Gaussian of salt in 3-D. They
taste it at the nose and turn; nothing steers them, and nothing tells them of up and down.
See: the distance from the peak in time, how far worms leave the plane in which they bend, reversals while salt falls
and rises; the same with the neurons that taste salt killed; distances and paths as a picture.
Time: about an hour on two cores for ten worms of 120 s in each of three conditions.
Compare: nothing was measured of animals in open water; on agar they gather at the peak by reversals while salt falls
(Pierce-Shimomura et al. 1999), which this worm does, too (docs/decision.md).
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
from tianbao.behaviour.states import longer_reversals, starts_per_minute, threshold_events
from tianbao.behaviour.tracks import tangential_velocity
from tianbao.cli import in_processes, run_script
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.units import MS_PER_S
from tianbao.view import style

DROPPED = 8_000.0  # [ms] until the worm swims
FRAME, TICK = 40.0, 4.0  # [ms]
SHORTEST = 0.5  # [s] of a reversal that is counted
BEFORE = 4_000.0  # [ms] over which salt is said to rise or fall, assumed as in behaviour/taxis.py
SIGNS = "deciding"  # contested signs by behaviour (docs/decision.md)
PEAK, WIDTH, BACKGROUND = 60.0, 6.0, 5.0  # [mM], [mm], [mM]
AWAY = 6.0  # [mm] from the peak at which worms begin, where a Gaussian is steepest
TASTING = ("ASE*",)
CHEMICAL = ("ASE*", "AWC*", "AWA*")


@dataclass(frozen=True)
class Condition:
    """Neurons or globs of them that are killed in a group of worms."""

    name: str
    killed: tuple[str, ...] = ()


CONDITIONS = (Condition("intact"), Condition("ASE killed", TASTING), Condition("ASE, AWC, AWA killed", CHEMICAL))


@dataclass(frozen=True)
class Job:
    """One worm, in a process of its own; `duration` [ms] counts from when it swims."""

    condition: Condition
    seed: int
    duration: float


def worm_of(job: Job) -> tb.Worm:
    """A worm at a given distance from the peak in a direction drawn from the sphere, heading anywhere in its plane."""
    random = np.random.default_rng(job.seed)
    place = random.normal(size=3)
    place *= AWAY / np.linalg.norm(place)
    heading = float(random.uniform(-math.pi, math.pi))
    worm = tb.Worm(
        at=tuple(place.tolist()), heading=heading, discretisation="d_lambda", decision="network", signs=SIGNS
    )
    return worm.ablate(*job.condition.killed) if job.condition.killed else worm


def by_change(time: np.ndarray, salt: np.ndarray, start: np.ndarray) -> tuple[float, float]:
    """Reversals per minute while salt falls, and while it rises [1/min]; NaN where it never does.

    Args:
        time: evenly spaced [ms], shape (frames,).
        salt: at the nose [mM], shape (frames,).
        start: of reversals [ms], shape (events,).
    """
    back = round(BEFORE / float(time[1] - time[0]))
    change = np.concatenate([np.full(min(back, len(salt)), math.nan), salt[back:] - salt[:-back]])[: len(salt)]
    return starts_per_minute(start, time, change < 0.0), starts_per_minute(start, time, change > 0.0)


def measure(job: Job) -> tuple[dict, np.ndarray, np.ndarray]:
    """Row of measures of one worm, times [s] of shape (frames,), and its path [mm] of shape (frames, 3)."""
    salt = tb.Gaussian("nacl", PEAK, WIDTH, background=BACKGROUND)
    clock, arena = tb.Clock(tick=TICK, frame=FRAME), tb.Arena("water", fields=(salt,))
    simulation = tb.Simulation(
        worm_of(job), arena, seed=job.seed, clock=clock, threads=1, progress=False
    )
    run = simulation.run(DROPPED + job.duration)
    kept = run.time >= DROPPED
    time, midline = run.time[kept] - DROPPED, run.worms[0].midline[kept]
    path, nose = midline.mean(axis=1), midline[:, 0]
    away = np.linalg.norm(path, axis=1)
    back = longer_reversals(threshold_events(tangential_velocity(time, midline)), SHORTEST).start_ms
    falling, rising = by_change(time, salt.at(nose, 0.0), back)
    row = {
        "condition": job.condition.name, "seed": job.seed, "first_mm": away[0], "last_mm": away[-1],
        "nearest_mm": away.min(), "nearer_mm": away[0] - away[-1],
        "out_of_plane_mm": float(np.ptp(path[:, 2])), "falling_per_min": falling, "rising_per_min": rising,
    }  # fmt: skip
    return row, time / MS_PER_S, path


def summarise(worms: pd.DataFrame) -> pd.DataFrame:
    """Means of every condition with half of the 95 % interval of how much nearer worms came."""
    rows = []
    for name, mine in worms.groupby("condition", sort=False):
        mean, low, _, _ = mean_interval(mine.nearer_mm)
        means = mine.drop(columns=["condition", "seed"]).mean().to_dict()
        rows.append({"condition": name, "worms": len(mine), **means, "nearer_half": mean - low})
    return pd.DataFrame(rows)


def climbed(worms: pd.DataFrame) -> bool:
    """Whether intact worms came nearer, and by more than those of the same seeds that taste no salt."""
    wide = worms.pivot(index="seed", columns="condition", values="nearer_mm")
    if not {"intact", "ASE killed"} <= set(wide):
        return False
    compared = wide["intact"], wide["intact"] - wide["ASE killed"]
    return all(bool(mean_interval(values)[1] > 0.0) for values in compared)


def picture(tracks: dict[str, list[tuple[np.ndarray, np.ndarray]]], path: Path) -> None:
    """Distance from the peak in time, and paths in space, of every condition."""
    figure = Figure(figsize=(4.2 * len(tracks), 7.2), layout="constrained")
    for k, (name, every) in enumerate(tracks.items()):
        axes = figure.add_subplot(2, len(tracks), k + 1)
        for time, place in every:
            axes.plot(time, np.linalg.norm(place, axis=1), color=style.FAINT, lw=0.8)
        shortest = min(len(time) for time, _ in every)
        mean = np.mean([np.linalg.norm(place[:shortest], axis=1) for _, place in every], axis=0)
        axes.plot(every[0][0][:shortest], mean, color=style.INK, lw=1.6)
        axes.set(title=name, xlabel="time [s]", ylabel="distance from the peak [mm]", ylim=(0.0, None))
        space = figure.add_subplot(2, len(tracks), len(tracks) + k + 1, projection="3d")
        for _, place in every:
            space.plot(*place.T, lw=0.8)
        space.scatter(0.0, 0.0, 0.0, color=style.INK, s=20)
        space.set(xlabel="x [mm]", ylabel="y [mm]", zlabel="z [mm]")
    figure.savefig(path, dpi=90)


def experiment(args: argparse.Namespace) -> int:
    """Run all worms; exit code 0 only if intact worms climb, and more than those that taste no salt."""
    if min(args.worms, args.workers) < 1 or not args.duration > BEFORE:
        raise tb.ConfigError(f"--worms and --workers must be at least 1, and --duration more than {BEFORE:g} ms")
    chosen = [each for each in CONDITIONS if not args.only or each.name in args.only]
    if not chosen:
        raise tb.ConfigError(f"--only: no such condition; known are {', '.join(each.name for each in CONDITIONS)}")
    folder = prepare_folder(args.out)
    jobs = [Job(each, args.first_seed + k, args.duration) for each in chosen for k in range(args.worms)]
    rows, tracks = [], {}
    for job, (row, time, path) in zip(jobs, in_processes(measure, jobs, args.workers, tasks=4), strict=True):
        rows.append(row)
        tracks.setdefault(job.condition.name, []).append((time, path))
        worms = pd.DataFrame(rows)
        write_atomically(folder / "climb_worms.csv", worms.to_csv(index=False, float_format="%.4g").encode())
        print("{condition}, seed {seed}: {first_mm:.2f} to {last_mm:.2f} mm".format(**row), flush=True)
    table = summarise(worms)
    write_atomically(folder / "climb.csv", table.to_csv(index=False, float_format="%.4g").encode())
    picture(tracks, folder / "climb.png")
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    print(f"wrote climb.csv, climb_worms.csv, climb.png in {folder}")
    return 0 if climbed(worms) else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worms", type=int, default=10, help="in each condition")
    parser.add_argument("--duration", type=float, default=120_000.0, help="of each worm, once it swims [ms]")
    parser.add_argument("--first-seed", type=int, default=601)
    parser.add_argument("--only", nargs="*", default=[], metavar="CONDITION", help="such as intact")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("output/climb"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
