"""How long does a worm that decides move forward and backward, and how much does it turn when it reverses?

Question: worms crawl on agar without food or stimulus, with membrane noise only. Do they reverse by themselves as often
and as long as animals off food?
See: mean dwell times of forward and backward movement by both detectors of Roberts et al. (2016), reversals per minute,
change of heading after reversals and how long a heading is kept, beside the animal's; with --off the same of the worm
that does not decide; as a picture the velocity of every worm, all tracks, and the heading around every long reversal.
Time: about two minutes on two cores for ten worms of 90 s.
Compare: Roberts et al. 2016 (tianbao/behaviour/motion_states.csv), Zhao et al. 2003 (reversals per minute).
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
from tianbao.behaviour.dwell import dwell_time
from tianbao.behaviour.estimates import mean_interval
from tianbao.behaviour.hidden_states import PUBLISHED, fit_states
from tianbao.behaviour.states import REVERSE, Events, ignoring_stutters, reversals_per_minute, threshold_events
from tianbao.behaviour.tracks import tangential_velocity
from tianbao.behaviour.turning import heading, heading_memory, kept_s, reorientations
from tianbao.behaviour.turns import AFTER_MS
from tianbao.cli import in_processes, run_script
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.units import MS_PER_S
from tianbao.view import style

DROPPED = 5_000.0  # [ms] until the worm crawls
FRAME, TICK = 40.0, 4.0  # [ms]
STRIDE = 1_500.0  # [ms] of the gait on agar
SHORTEST = 0.5  # [s] of a reversal that is counted per minute
# Standard deviation over mean of such durations if they are exponential, as in a Markov model, with the animal's mean.
SPREAD = PUBLISHED["threshold dwell reverse"] / (SHORTEST + PUBLISHED["threshold dwell reverse"])
LONG = 1_500.0  # [ms] of a reversal after which an animal turns by more than 90 deg
LAG_S = 0.5  # [s] between lags of the memory of a heading
ROUND = 8_000.0  # [ms] after which the body has come round
STILL, STILL_MS = 0.06, 3_000.0  # [mm/s] below which a worm that does not reverse stands still, on average over so long
LAGS = np.arange(-3_000.0, 12_001.0, 250.0)  # [ms] from the end of a reversal, at which the heading is drawn
WITHIN = 0.3  # of the published dwell times
SIGNS = "deciding"  # contested signs by behaviour (docs/decision.md)


@dataclass(frozen=True)
class Job:
    """One worm, in a process of its own: its seed, how it decides, and for how long [ms]."""

    seed: int
    decision: str
    duration: float


def track_of(job: Job) -> tuple[np.ndarray, np.ndarray]:
    """Times [ms] and midline [mm] of one worm, after it has begun to crawl."""
    heading = float(np.random.default_rng(job.seed).uniform(-math.pi, math.pi))
    worm = tb.Worm(heading=heading, discretisation="d_lambda", decision=job.decision, signs=SIGNS)
    clock = tb.Clock(tick=TICK, frame=FRAME)
    simulation = tb.Simulation(worm, seed=job.seed, clock=clock, threads=1, progress=False)
    run = simulation.run(DROPPED + job.duration)
    kept = run.time >= DROPPED
    return run.time[kept] - DROPPED, run.worms[0].midline[kept]


def standstill(pieces: Sequence, events: Sequence) -> float:
    """Share of the time away from reversals in which worms get nowhere."""
    still = away = 0
    for track, event in zip(pieces, events, strict=True):
        back = event.of(REVERSE)
        whole = back.stop_ms - back.start_ms >= SHORTEST * MS_PER_S  # a worm that lies still shivers to and fro
        starts, stops = back.start_ms[whole], back.stop_ms[whole]
        for piece in track:
            width = round(STILL_MS / piece.interval_ms)
            if len(piece.mm_s) < width:
                continue
            mean = np.convolve(piece.mm_s, np.full(width, 1.0 / width), "valid")
            start = piece.time_ms[: len(mean)]
            met = (starts[:, None] < start + STILL_MS) & (stops[:, None] > start)
            free = ~met.any(axis=0)
            still, away = still + int((np.abs(mean[free]) < STILL).sum()), away + int(free.sum())
    return still / away if away else math.nan


def spread(events: Events) -> float:
    """Standard deviation over mean of how long reversals last that are not the shortest."""
    lasting = events.of(REVERSE).duration_s
    lasting = lasting[lasting >= SHORTEST]
    return float(lasting.std() / lasting.mean()) if len(lasting) else math.nan


def measures(tracks: Sequence[tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """Rows of quantity, value, interval, the animal's value, and whether the criterion holds."""
    velocities = [tangential_velocity(time, midline) for time, midline in tracks]
    events = [threshold_events(each) for each in velocities]
    fit = fit_states(velocities)
    hidden = fit.rates.dwell_s()
    rows = []

    def add(quantity: str, value: float, unit: str, low: float = math.nan, high: float = math.nan,
            animal: float = math.nan, holds: object = "") -> None:  # fmt: skip
        rows.append({"quantity": quantity, "value": value, "unit": unit, "low": low, "high": high, "animal": animal,
                     "holds": str(holds) if holds != "" else ""})  # fmt: skip

    for state in ("forward", "reverse", "pause x", "pause y"):
        value, animal = hidden[state], PUBLISHED[f"dwell {state}"]
        bar = abs(value / animal - 1.0) <= WITHIN if state in ("forward", "reverse") else ""
        add(f"dwell {state}, hidden Markov model", value, "s", animal=animal, holds=bar)
    plain = threshold_events([piece for track in velocities for piece in track])
    for name, found, state, key in (
        ("forward, threshold", plain, "forward", "threshold dwell forward"),
        ("reverse, threshold", plain, "reverse", "threshold dwell reverse"),
        ("forward ignoring stutters", ignoring_stutters(plain), "forward",
         "threshold dwell forward ignoring stutters"),
    ):  # fmt: skip
        add(f"dwell {name}", dwell_time(found, state).mean_s, "s", animal=PUBLISHED[key])
    rates = np.array([reversals_per_minute(each, least_s=SHORTEST) for each in events])
    rate, low, high, _ = mean_interval(rates)
    add("reversals of 0.5 s or more", float(rate), "1/min", float(low), float(high), 3.4, 2.0 <= rate <= 5.0)
    add("deviation over mean of the durations of these reversals", spread(plain), "-", animal=SPREAD)
    speed = np.concatenate([piece.mm_s for track in velocities for piece in track])
    add("share of time backward", float((speed < -0.05).mean()), "-", animal=0.158)
    name = f"share of {STILL_MS / MS_PER_S:g} s without a reversal in which it gets nowhere"
    add(name, standstill(velocities, events), "-")
    early = [reorientations(*track, each, STRIDE) for track, each in zip(tracks, events, strict=True)]
    late = [reorientations(*track, each, STRIDE, after_ms=ROUND) for track, each in zip(tracks, events, strict=True)]
    for seconds, turns in ((AFTER_MS / MS_PER_S, early), (ROUND / MS_PER_S, late)):
        change = np.abs(np.concatenate([each.change_deg[each.stop_ms - each.start_ms >= LONG] for each in turns]))
        change = change[np.isfinite(change)]
        median = float(np.median(change)) if len(change) else math.nan
        judged = {"animal": 90.0, "holds": median >= 90.0} if turns is late else {}
        name = f"change of heading {seconds:g} s after a reversal of {LONG / MS_PER_S:g} s or more"
        add(f"{name}, median", median, "deg", **judged)
        add(f"{name}, number", len(change), "-")
    kinds = np.concatenate([each.kind for each in early])
    turned = float(np.isin(kinds, ("omega", "delta")).mean()) if len(kinds) else math.nan
    add("reversals followed by an omega or delta turn", turned, "-")
    memories = [heading_memory(*heading(*track, STRIDE), step_s=LAG_S).correlation for track in tracks]
    shortest = min(len(each) for each in memories)
    # Averaged over worms, so that those that never forget it count, too.
    kept = kept_s(np.mean([each[:shortest] for each in memories], axis=0), LAG_S)
    add("heading kept", kept, "s", animal=10.0, holds=10.0 <= kept <= 60.0)
    return pd.DataFrame(rows)


def headings(tracks: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Headings around the end of long reversals less those before them [deg], shape (reversals, lags).

    NaN from the next reversal on.
    """
    rows = []
    for time, midline in tracks:
        back = ignoring_stutters(threshold_events(tangential_velocity(time, midline))).of(REVERSE)
        middle, angle = heading(time, midline, STRIDE)
        laters = np.append(back.start_ms, math.inf)[1:]
        whole = back.begun & back.ended & (back.stop_ms - back.start_ms >= LONG)
        for start, stop, later in np.stack([back.start_ms, back.stop_ms, laters], axis=1)[whole]:
            at = stop + LAGS
            known = np.interp(at, middle, np.degrees(angle), left=math.nan, right=math.nan)
            before = np.degrees(np.interp(start - 0.5 * STRIDE, middle, angle, left=math.nan))
            rows.append(np.where(at <= later - 0.5 * STRIDE, known - before, math.nan))
    return np.array(rows).reshape(-1, len(LAGS))


def picture(tracks: Sequence[tuple[np.ndarray, np.ndarray]], path: Path) -> None:
    """Velocity of every worm in time, all tracks from one place, and the heading around reversals."""
    figure = Figure(figsize=(9.0, 0.5 * len(tracks) + 4.5), layout="constrained")
    rows = figure.subfigures(2, 1, height_ratios=(0.5 * len(tracks), 4.0))
    above, (left, right) = rows[0].subplots(), rows[1].subplots(1, 2)
    velocities = [tangential_velocity(time, midline)[0] for time, midline in tracks]
    last = min(len(each.mm_s) for each in velocities)
    shown = np.array([each.mm_s[:last] for each in velocities])
    extent = (0.0, last * velocities[0].interval_ms / MS_PER_S, len(shown), 0)
    image = above.imshow(shown, aspect="auto", cmap="RdBu", vmin=-0.4, vmax=0.4, extent=extent)
    above.set(xlabel="time [s]", ylabel="worm")
    rows[0].colorbar(image, ax=above, label="velocity [mm/s]")
    for k, (_, midline) in enumerate(tracks):
        way = midline[:, midline.shape[1] // 2, :2]
        left.plot(*(way - way[0]).T, lw=0.8, color=style.INK, alpha=0.3 + 0.7 * k / len(tracks))
    left.set(xlabel="mm", ylabel="mm", aspect="equal")
    found = headings(tracks)
    right.plot(LAGS / MS_PER_S, found.T, lw=0.6, color=style.INK, alpha=0.3)
    many = np.isfinite(found).sum(axis=0) >= 3
    if many.any():
        right.plot(LAGS[many] / MS_PER_S, np.nanmedian(found[:, many], axis=0), lw=2.0, color=style.INK)
    right.axvline(0.0, lw=0.6, color=style.INK, ls=":")
    right.set(xlabel="after the end of a reversal of 1.5 s or more [s]", ylabel="heading, from that before [deg]")
    figure.savefig(path, dpi=90)


def experiment(args: argparse.Namespace) -> int:
    """Run all worms; exit code 0 only if every criterion holds."""
    if min(args.worms, args.workers) < 1 or not args.duration > 0.0:
        raise tb.ConfigError("--worms, --workers and --duration must be positive")
    folder = prepare_folder(args.out)
    decision = "off" if args.off else "network"
    jobs = [Job(args.first_seed + k, decision, args.duration) for k in range(args.worms)]
    tracks = []
    for job, track in zip(jobs, in_processes(track_of, jobs, args.workers, tasks=None), strict=True):
        tracks.append(track)
        print(f"worm of seed {job.seed} done", flush=True)
    table = measures(tracks)
    write_atomically(folder / "states.csv", table.to_csv(index=False, float_format="%.4g").encode())
    picture(tracks, folder / "states.png")
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    print(f"wrote states.csv, states.png in {folder}")
    return 0 if not (table.holds == "False").any() else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worms", type=int, default=10)
    parser.add_argument("--duration", type=float, default=90_000.0, help="of each worm [ms]")
    parser.add_argument("--first-seed", type=int, default=14101)
    parser.add_argument("--off", action="store_true", help="the worm that does not decide")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("output/states"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
