"""Does a worm that decides back away from a touch or a repellent, and only then?

Question: worms crawl on agar with membrane noise. At times spread over a stride, one of these lasts half a second: an
eyelash on the anterior or posterior half of the body, a probe at the nose; or the plate is tapped, or bathed for three
seconds in glycerol. Nothing tells the worm to reverse: AVA, AVD, AVE and RIM decide.
See: for each condition the share of trials with a reversal within a second (95 % interval by Wilson), its latency,
duration and way, and the share that moves forward again; matched controls without stimulus and without the neurons that
feel it; velocities of all trials as a picture, and a video of one worm.
Time: about 35 minutes on two cores for 40 trials in each of 12 conditions.
Compare: Chalfie et al. 1985, Kaplan & Horvitz 1993, Pirri et al. 2009.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import wilcoxon

import tianbao as tb
from tianbao.behaviour.responses import acceleration, response, share_of_trials
from tianbao.behaviour.tracks import tangential_velocity
from tianbao.cli import in_processes, run_script
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.view import style

BEFORE, LASTS, AFTER = 8_000.0, 500.0, 7_000.0  # [ms] crawl before the first stimulus; stimulus; what follows the last
STRIDE, PHASES = 1_500.0, 5  # [ms] over which stimuli are spread, and into how many onsets
TOGETHER = 5  # worms of one simulation
APART = 5.0  # [mm]
FRAME, TICK = 40.0, 4.0  # [ms]
SIGNS = "deciding"  # contested signs by behaviour (docs/decision.md)
ANTERIOR, POSTERIOR, NOSE, NOSE_INDENTATION = (0.15, 0.35), (0.7, 0.85), 0.0, 20.0  # [L], [um]
GLYCEROL, BATHED = 1000.0, 3_000.0  # [mM], twice the half occupancy of ASH (sensing/receptors.csv); for so long [ms]
WINDOW, BATH_WINDOW = 1.0, 4.0  # [s] in which a reversal answers a touch; ASH takes a second or more to fire in a bath
TOUCH_NEURONS, NOSE_NEURONS, TAIL_NEURONS = ("ALM*", "AVM"), ("ASH*", "FLP*", "OLQ*"), ("PLM*",)


@dataclass(frozen=True)
class Condition:
    """What a group of worms meets.

    Attributes:
        name: of the condition.
        stimulus: "anterior", "posterior", "nose", "tap", "glycerol" or "none".
        killed: neurons or globs.
        knocked_out: genes.
        share: bar for the share of trials with a reversal within a second: least, or most where it is a control.
        control: whether that bar is an upper one.
    """

    name: str
    stimulus: str
    killed: tuple[str, ...] = ()
    knocked_out: tuple[str, ...] = ()
    share: float = math.nan
    control: bool = False


CONDITIONS = (
    Condition("no stimulus", "none", share=0.10, control=True),
    Condition("anterior touch", "anterior", share=0.80),
    Condition("anterior touch, ALM and AVM killed", "anterior", TOUCH_NEURONS, share=0.15, control=True),
    Condition("anterior touch, mec-4", "anterior", knocked_out=("mec-4",), share=0.15, control=True),
    Condition("anterior touch, RIM killed", "anterior", ("RIM*",)),
    Condition("nose touch", "nose", share=0.80),
    Condition("nose touch, ASH, FLP and OLQ killed", "nose", NOSE_NEURONS, share=0.15, control=True),
    Condition("glycerol", "glycerol", share=0.80),
    Condition("glycerol, ASH killed", "glycerol", ("ASH*",), share=0.15, control=True),
    Condition("posterior touch", "posterior"),
    Condition("posterior touch, PLM killed", "posterior", TAIL_NEURONS),
    Condition("tap", "tap", share=0.80),
)


@dataclass(frozen=True)
class Job:
    """Worms of one condition that share a simulation, in a process of their own."""

    condition: Condition
    seed: int
    decision: str = "network"
    after: float = AFTER
    video: Path | None = field(default=None, compare=False)


def onset(job: Job, worm: int) -> float:
    """Time of the stimulus [ms], a whole number of ticks; a bath reaches all worms of a plate at the same time."""
    phase = job.seed if job.condition.stimulus == "glycerol" else worm
    return BEFORE + TICK * round((phase % PHASES) * STRIDE / PHASES / TICK)


def worm_of(job: Job, number: int) -> tb.Worm:
    """One worm with its stimulus."""
    place = (APART * number, 0.0, 0.0)
    worm = tb.Worm(
        at=place, heading=math.tau * number / TOGETHER, discretisation="d_lambda", decision=job.decision, signs=SIGNS
    )
    start = onset(job, number)
    window = {"start": start, "stop": start + LASTS}
    match job.condition.stimulus:
        case "anterior":
            worm.touch(ANTERIOR, **window)
        case "posterior":
            worm.touch(POSTERIOR, **window)
        case "nose":
            worm.touch(NOSE, indentation=NOSE_INDENTATION, **window)
        case "tap":
            worm.tap(start)
    if job.condition.killed:
        worm.ablate(*job.condition.killed)
    if job.condition.knocked_out:
        worm.knock_out(*job.condition.knocked_out)
    return worm


def measure(job: Job) -> tuple[list[dict], list[np.ndarray]]:
    """The trials of one simulation: a row of measures each, and their velocities around the stimulus [mm/s]."""
    fields = ()
    if job.condition.stimulus == "glycerol":
        start = onset(job, 0)
        fields = (tb.Bath("glycerol", ((0.0, 0.0), (start, GLYCEROL), (start + BATHED, 0.0))),)
    worms = [worm_of(job, k) for k in range(TOGETHER)]
    clock = tb.Clock(tick=TICK, frame=FRAME)
    simulation = tb.Simulation(
        worms, tb.Arena("agar", fields=fields), seed=job.seed, clock=clock, threads=1, progress=False
    )
    run = simulation.run(BEFORE + STRIDE + job.after)
    rows, velocities = [], []
    for k, each in enumerate(run.worms):
        start = onset(job, k)
        window = BATH_WINDOW if job.condition.stimulus == "glycerol" else WINDOW
        answer = response(run.time, each.midline, start, window_s=window)
        faster = acceleration(run.time, each.midline, start)
        row = {"condition": job.condition.name, "seed": job.seed, "worm": k, "onset_ms": start, **asdict(answer)}
        rows.append({**row, "before_mm_s": faster.before_mm_s, "after_mm_s": faster.after_mm_s})
        velocities.append(around(run.time, each.midline, start, job.after))
    if job.video is not None:
        run.video(job.video, progress=False)
    return rows, velocities


def around(time: np.ndarray, midline: np.ndarray, start: float, after: float) -> np.ndarray:
    """Velocity from two seconds before a stimulus [mm/s], in steps of a frame."""
    track = tangential_velocity(time, midline)[0]
    at = np.arange(start - 2_000.0, start + after - FRAME, FRAME)
    return np.interp(at, track.time_ms, track.mm_s)


def summarise(trials: pd.DataFrame) -> pd.DataFrame:
    """One row per condition: shares with intervals, medians, acceleration with its p."""
    rows = []
    for condition in CONDITIONS:
        mine = trials[(trials.condition == condition.name) & trials.eligible]
        if mine.empty:
            continue
        share = share_of_trials(mine.reversed.to_numpy(bool))
        back = mine[mine.reversed.astype(bool)]
        change = (mine.after_mm_s - mine.before_mm_s).dropna()
        rows.append({
            "condition": condition.name, "trials": share.trials, "share": share.share, "low": share.low,
            "high": share.high, "bar": condition.share, "latency_s": back.latency_s.median(),
            "duration_s": back.duration_s.median(),
            "within_1_to_4_s": ((back.duration_s >= 1.0) & (back.duration_s <= 4.0)).mean(),
            "distance_body_lengths": back.distance_body_lengths.median(),
            "forward_again": back.forward_again.astype(float).mean(),
            "change_mm_s": change.median(), "p_faster": wilcoxon(change, alternative="greater").pvalue,
            "holds": "" if math.isnan(condition.share) else str(
                share.share <= condition.share if condition.control else share.share >= condition.share),
        })  # fmt: skip
    return pd.DataFrame(rows)


def picture(velocities: dict[str, list[np.ndarray]], path: Path) -> None:
    """Velocity of every trial, one panel per condition, blue forward and red backward; the line is the stimulus."""
    figure = Figure(figsize=(9.0, 1.1 * len(velocities) + 0.6), layout="constrained")
    panels = np.atleast_1d(figure.subplots(len(velocities), 1, sharex=True))
    for panel, (name, traces) in zip(panels, velocities.items(), strict=True):
        last = min(map(len, traces))
        shown = np.array([each[:last] for each in traces])
        extent = (-2.0, -2.0 + last * FRAME / 1000.0, len(shown), 0)
        image = panel.imshow(shown, aspect="auto", cmap="RdBu", vmin=-0.4, vmax=0.4, extent=extent)
        panel.axvline(0.0, color=style.INK, lw=1.0)
        panel.set_title(name, loc="left", fontsize=8)
        panel.set_yticks([])
    panels[-1].set_xlabel("time from the stimulus [s]")
    figure.colorbar(image, ax=list(panels), label="velocity [mm/s]", shrink=0.4)
    figure.savefig(path, dpi=90)


def experiment(args: argparse.Namespace) -> int:
    """Run all trials; exit code 0 only if every bar is reached."""
    if min(args.trials, args.workers) < 1:
        raise tb.ConfigError("--trials and --workers must be at least 1")
    chosen = [each for each in CONDITIONS if not args.only or each.name in args.only]
    if not chosen:
        raise tb.ConfigError(f"--only: no such condition; known are {', '.join(each.name for each in CONDITIONS)}")
    folder = prepare_folder(args.out)
    groups = math.ceil(args.trials / TOGETHER)
    jobs = [Job(each, args.first_seed + k, args.decision) for each in chosen for k in range(groups)]
    if not args.no_video:
        # A worm without stimulus has nothing to show, but it may be all that was asked for.
        shown = next((k for k, job in enumerate(jobs) if job.condition.stimulus != "none"), 0)
        jobs[shown] = replace(jobs[shown], video=folder / "escape.mp4")
    rows, velocities = [], {}
    for job, (found, traces) in zip(jobs, in_processes(measure, jobs, args.workers, tasks=4), strict=True):
        rows += found
        velocities.setdefault(job.condition.name, []).extend(traces)
        table = pd.DataFrame(rows)
        write_atomically(folder / "escape_trials.csv", table.to_csv(index=False).encode())
        back = sum(row["reversed"] for row in found)
        print(f"{job.condition.name}, seed {job.seed}: {back} of {len(found)} reversed", flush=True)
    summary = summarise(table)
    write_atomically(folder / "escape.csv", summary.to_csv(index=False, float_format="%.4g").encode())
    picture(velocities, folder / "escape.png")
    print(summary.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    videos = [each.name for each in sorted(folder.glob("escape.*")) if each.suffix in (".mp4", ".gif")]
    print(f"wrote {', '.join(['escape.csv', 'escape_trials.csv', 'escape.png', *videos])} in {folder}")
    return 0 if not (summary.holds == "False").any() else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=40, help="in each condition, in fives")
    parser.add_argument("--first-seed", type=int, default=101)
    parser.add_argument("--only", nargs="*", default=[], metavar="CONDITION", help="such as 'anterior touch'")
    parser.add_argument("--decision", default="network", help="off shows the worm that does not decide")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-video", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("output/escape"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
