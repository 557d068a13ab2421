"""Does a worm get through a lattice of pillars, and does it back out where it runs into one head on?

Question: worms with random places and headings crawl on agar (or swim in water) in a square lattice of pillars whose
lanes are narrower than a worm is long. They feel the pillars by touch, and AVA, AVD, AVE and RIM decide whether to
reverse; nothing steers them. The pillars on which a worm would have been put are left out.
See: the share of worms that get three body lengths away, when, the longest time without getting anywhere, and how often
a pillar met head on is followed by a reversal within a second; the same without a decision, and without the neurons
that feel touch; paths of all worms as a picture, and a video of one.
Time: about 50 minutes on two cores for 20 worms of 60 s in each of three conditions.
Compare: Park et al. 2008, Johari et al. 2013, Lockery et al. 2008 (such arrays, in fluid).
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import tianbao as tb
from tianbao.behaviour.responses import response, share_of_trials
from tianbao.behaviour.states import reversals_per_minute, threshold_events
from tianbao.behaviour.tracks import tangential_velocity
from tianbao.body import RingMesh
from tianbao.cli import in_processes, run_script
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.units import MS_PER_S
from tianbao.view import style

RADIUS, PITCH, FIELD = 0.12, 0.45, 8.1  # [mm], pillars and lanes of sims/pillar_field.py
FRAME, TICK = 40.0, 4.0  # [ms]
SIGNS = "deciding"  # contested signs by behaviour (docs/decision.md)
AWAY = 3.0  # [L] from the start, when a worm has crossed
NOWHERE, LONGEST = 0.1, 20.0  # [L] within which a worm gets nowhere; for so long it may [s]
CROSSING = 0.9  # least share of worms
HEAD_ON, CLEAR = 1.0, 1.0  # [um] at the nose, two thirds of FLP's half opening; for so long none before [s]
AMPLITUDE = 0.05  # [mm] that the first posture bends to either side
NOSE = ("FLPL", "FLPR", "OLQDL", "OLQDR", "OLQVL", "OLQVR")
FEELING = ("ALM*", "AVM", "PLM*", "PVM", "PVD*", "FLP*", "OLQ*", "ASH*")


@dataclass(frozen=True)
class Condition:
    """How a group of worms decides, and which neurons or globs were killed."""

    name: str
    decision: str = "network"
    killed: tuple[str, ...] = ()


CONDITIONS = (
    Condition("decides"),
    Condition("does not decide", decision="off"),
    Condition("decides, touch neurons killed", killed=FEELING),
)


@dataclass(frozen=True)
class Job:
    """One worm in its lattice, in a process of its own; times in ms."""

    condition: Condition
    seed: int
    duration: float
    medium: str = "agar"
    video: Path | None = field(default=None, compare=False)


def start(seed: int) -> tuple[float, list[tb.Pillar]]:
    """Heading of a worm at the origin [rad], and a lattice placed at random around it, without pillars under it."""
    random = np.random.default_rng(seed)
    heading = float(random.uniform(-math.pi, math.pi))
    centre = tuple(float(each) for each in random.uniform(-0.5 * PITCH, 0.5 * PITCH, 2))
    every = tb.pillar_array(RADIUS, PITCH, (FIELD, FIELD), "square", centre)
    half = 0.5 + AMPLITUDE
    reach = RADIUS + AMPLITUDE + float(np.max(RingMesh.adult().radii))

    def apart(each: tb.Pillar) -> float:
        """Distance of the axis of a pillar from the straight worm [mm]."""
        along = each.x * math.cos(heading) + each.y * math.sin(heading)
        across = each.y * math.cos(heading) - each.x * math.sin(heading)
        return math.hypot(max(0.0, abs(along) - half), across)

    return heading, [each for each in every if apart(each) > reach]


def longest_nowhere(time: np.ndarray, centre: np.ndarray, within: float) -> float:
    """Longest time in which a path stays near the place where that time began.

    Args:
        time: increasing [ms], shape (frames,).
        centre: [mm], shape (frames, 2).
        within: distance [mm].

    Returns:
        It [s].
    """
    longest = 0.0
    for k in range(len(time)):
        gone = np.linalg.norm(centre[k:] - centre[k], axis=1) > within
        last = k + int(np.argmax(gone)) if gone.any() else len(time) - 1
        longest = max(longest, float(time[last] - time[k]) / MS_PER_S)
    return longest


def collisions(time: np.ndarray, nose: np.ndarray) -> np.ndarray:
    """Times at which a nose that was free for a while is pressed in [ms].

    Args:
        time: evenly spaced [ms], shape (frames,).
        nose: indentation [um], shape (frames,).
    """
    pressed = nose >= HEAD_ON
    free = round(CLEAR * MS_PER_S / float(time[1] - time[0]))
    return np.array([time[k] for k in np.flatnonzero(pressed) if k >= free and not pressed[k - free : k].any()])


def measure(job: Job) -> tuple[dict, np.ndarray]:
    """Row of measures of one worm, and the path of its centre [mm], shape (frames, 2)."""
    heading, pillars = start(job.seed)
    worm = tb.Worm(heading=heading, discretisation="d_lambda", decision=job.condition.decision, signs=SIGNS)
    if job.condition.killed:
        worm.ablate(*job.condition.killed)
    clock = tb.Clock(tick=TICK, frame=FRAME)
    simulation = tb.Simulation(
        worm, tb.Arena(job.medium, obstacles=pillars), seed=job.seed, clock=clock, threads=1,
        progress=False,
    )  # fmt: skip
    run = simulation.run(job.duration)
    midline = run.worms[0].midline
    length = float(np.median(np.linalg.norm(np.diff(midline, axis=1), axis=2).sum(axis=1)))
    centre = midline.mean(axis=1)[:, :2]
    away = np.linalg.norm(centre - centre[0], axis=1) / length
    felt = run.sensed()
    nose = felt[[f"{name} touch" for name in NOSE]].to_numpy().max(axis=1)
    met = collisions(np.asarray(felt.index, float), nose)
    answers = [each for each in (response(run.time, midline, at) for at in met) if each.eligible]
    events = threshold_events(tangential_velocity(run.time, midline))
    row = {
        "condition": job.condition.name, "medium": job.medium, "seed": job.seed, "pillars": len(pillars),
        "crossed": bool((away > AWAY).any()),
        "crossed_s": float(run.time[np.argmax(away > AWAY)]) / MS_PER_S if (away > AWAY).any() else math.nan,
        "net_body_lengths": float(away.max()),
        "nowhere_s": longest_nowhere(run.time[::5], centre[::5], NOWHERE * length),
        "met_head_on": len(answers), "backed_out": sum(each.reversed for each in answers),
        "reversals_per_min": reversals_per_minute(events, least_s=0.5), "deepest_um": float(nose.max()),
    }  # fmt: skip
    if job.video is not None:
        run.video(job.video, progress=False)
    return row, centre


def summarise(worms: pd.DataFrame) -> pd.DataFrame:
    """One row per condition: shares with intervals, times, reversals; whether the bars are reached."""
    rows = []
    for name, mine in worms.groupby("condition", sort=False):
        share, met = share_of_trials(mine.crossed.to_numpy(bool)), int(mine.met_head_on.sum())
        bound = name == CONDITIONS[0].name
        rows.append({
            "condition": name, "worms": share.trials, "crossed": share.share, "low": share.low, "high": share.high,
            "crossed_s": mine.crossed_s.median(), "longest_nowhere_s": mine.nowhere_s.max(),
            "median_nowhere_s": mine.nowhere_s.median(), "met_head_on": met,
            "backed_out": mine.backed_out.sum() / met if met else math.nan,
            "reversals_per_min": mine.reversals_per_min.mean(),
            "holds": str(share.share >= CROSSING and mine.nowhere_s.max() < LONGEST) if bound else "",
        })  # fmt: skip
    return pd.DataFrame(rows)


def picture(paths: dict[str, list[np.ndarray]], path: Path) -> None:
    """Paths of all worms from a common start, one panel per condition; the circle is three body lengths away."""
    figure = Figure(figsize=(4.0 * len(paths), 4.2), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(paths), sharex=True, sharey=True))
    around = np.linspace(0.0, math.tau, 200)
    for panel, (name, every) in zip(panels, paths.items(), strict=True):
        for each in every:
            panel.plot(*(each - each[0]).T, lw=0.8)
        panel.plot(AWAY * np.cos(around), AWAY * np.sin(around), color=style.INK, lw=0.6)
        panel.set(title=name, xlabel="x [mm]", aspect="equal")
    panels[0].set_ylabel("y [mm]")
    figure.savefig(path, dpi=90)


def experiment(args: argparse.Namespace) -> int:
    """Run all worms; exit code 0 only if those that decide cross, and none of them is stuck."""
    if min(args.worms, args.workers) < 1:
        raise tb.ConfigError("--worms and --workers must be at least 1")
    chosen = [each for each in CONDITIONS if not args.only or each.name in args.only]
    if not chosen:
        raise tb.ConfigError(f"--only: no such condition; known are {', '.join(each.name for each in CONDITIONS)}")
    folder = prepare_folder(args.out)
    jobs = [
        Job(each, args.first_seed + k, args.duration, args.medium,
            folder / "lattice.mp4" if each is chosen[0] and k == 0 and not args.no_video else None)
        for each in chosen for k in range(args.worms)
    ]  # fmt: skip
    rows, paths = [], {}
    for job, (row, centre) in zip(jobs, in_processes(measure, jobs, args.workers, tasks=4), strict=True):
        rows.append(row)
        paths.setdefault(job.condition.name, []).append(centre)
        table = pd.DataFrame(rows)
        write_atomically(folder / "lattice_worms.csv", table.to_csv(index=False, float_format="%.4g").encode())
        print("{condition}, seed {seed}: {net_body_lengths:.1f} L, nowhere for {nowhere_s:.1f} s at most, "
              "backed out of {backed_out} of {met_head_on}".format(**row), flush=True)  # fmt: skip
    summary = summarise(table)
    write_atomically(folder / "lattice.csv", summary.to_csv(index=False, float_format="%.4g").encode())
    picture(paths, folder / "lattice.png")
    print(summary.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    print(f"wrote lattice.csv, lattice_worms.csv, lattice.png{'' if args.no_video else ', lattice.mp4'} in {folder}")
    return 0 if not (summary.holds == "False").any() else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worms", type=int, default=20, help="in each condition")
    parser.add_argument("--duration", type=float, default=60_000.0, help="simulated time [ms]")
    parser.add_argument("--medium", default="agar", help="agar, or water as in arrays filled with buffer")
    parser.add_argument("--first-seed", type=int, default=101)
    parser.add_argument("--only", nargs="*", default=[], metavar="CONDITION", help="such as 'decides'")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-video", action="store_true", help="skip the video")
    parser.add_argument("--out", type=Path, default=Path("output/lattice"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
