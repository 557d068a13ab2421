"""Does a worm that feels food find it, stay on it and search where it lost it, and by which amine or peptide?

Question: worms that decide crawl on agar between round patches of bacteria, which they eat. Nothing tells them of food
but their own neurons: CEP, ADE and PDE feel it, NSM what is swallowed, AWC and ASK that it was lost.
See: food eaten, share of the time on patches, speed and reversals on and off them, roaming and dwelling on food,
reversals in the first minute after a patch was left and later; the same without amines, of tph-1, cat-2 and pdfr-1,
and with the neurons that feel food killed; paths over the patches as a picture, with --video a film of one worm.
Time: about three and a half hours on two cores for ten worms of 300 s in each of six conditions.
Compare: Scheer and Bargmann 2023 (97 % of the time on a small lawn, 12 % of it roaming), Flavell et al. 2013 (serotonin
for dwelling, PDF for roaming), Sawin et al. 2000 (slower on food, not in cat-2), Gray et al. 2005 and Hills et al. 2004
(local search once food is lost, not without dopamine).
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
from tianbao.behaviour.estimates import mean_interval
from tianbao.behaviour.midline import centroid
from tianbao.behaviour.patches import residence, speed_inside_outside
from tianbao.behaviour.roaming import roaming
from tianbao.behaviour.states import longer_reversals, starts_per_minute, threshold_events
from tianbao.behaviour.tracks import tangential_velocity
from tianbao.cli import in_processes, run_script
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.units import MS_PER_S
from tianbao.view import style

DROPPED = 8_000.0  # [ms] until the worm crawls and levels have settled
FRAME, TICK = 40.0, 4.0  # [ms]
SHORTEST = 0.5  # [s] of a reversal that is counted
STRIDE = 1_500.0  # [ms] of the gait on agar
SOON = 60.0  # [s] after a patch was left
SIGNS = "deciding"  # contested signs by behaviour (docs/decision.md)
PATCH, PITCH, DENSITY = 1.5, 5.0, 2.0  # [mm] as lawns of Scheer and Bargmann 2023, [mm], [ug/mm2], two layers of cells
RINGS = 4  # of patches around the one in which a worm begins
CHANCE = math.pi * PATCH**2 / (math.sqrt(0.75) * PITCH**2)  # share of the plane that patches cover, 0.33
FEELING = ("CEP*", "ADE*", "PDE*", "NSM*", "AWC*", "ASK*")


@dataclass(frozen=True)
class Condition:
    """What a group of worms is.

    Attributes:
        name: of the group.
        genes: knocked out.
        killed: neurons or globs of them.
        amines: option of the worm.
    """

    name: str
    genes: tuple[str, ...] = ()
    killed: tuple[str, ...] = ()
    amines: str = "on"


CONDITIONS = (
    Condition("intact"),
    Condition("amines off", amines="off"),
    Condition("tph-1", ("tph-1",)),
    Condition("cat-2", ("cat-2",)),
    Condition("pdfr-1", ("pdfr-1",)),
    Condition("food not felt", killed=FEELING),
)


@dataclass(frozen=True)
class Job:
    """One worm, in a process of its own; `duration` [ms] counts from when it crawls."""

    condition: Condition
    seed: int
    duration: float
    video: Path | None = field(default=None, compare=False)


def patches() -> tb.Lawn:
    """Round patches on a hexagonal lattice, one of them around the origin."""
    span = range(-RINGS, RINGS + 1)
    cells = [(i, j) for i in span for j in span if abs(i + j) <= RINGS]
    middles = [(PITCH * (i + 0.5 * j), PITCH * math.sqrt(0.75) * j) for i, j in cells]
    return tb.Lawn("food", radius=PATCH, density=DENSITY, patches=tuple(middles))


def worm_of(job: Job) -> tb.Worm:
    """A worm in the middle of a patch, heading anywhere; the same place and heading in all conditions."""
    heading = float(np.random.default_rng(job.seed).uniform(-math.pi, math.pi))
    each = job.condition
    worm = tb.Worm(
        heading=heading, discretisation="d_lambda", decision="network", amines=each.amines, signs=SIGNS
    )
    worm = worm.knock_out(*each.genes) if each.genes else worm
    return worm.ablate(*each.killed) if each.killed else worm


def since_left(time: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Time since the nose was last on food [s], shape (frames,); 0 on it, infinite before the first visit."""
    last = np.maximum.accumulate(np.where(depth >= 0.0, time, -math.inf))
    return (time - last) / MS_PER_S


def measures(time: np.ndarray, midline: np.ndarray, depth: np.ndarray, since: np.ndarray) -> dict[str, float]:
    """Measures of one worm by its track.

    Args:
        time: evenly spaced [ms], shape (frames,).
        midline: [mm], head first, shape (frames, points, 3).
        depth: of the nose inside patches [mm], negative outside, shape (frames,).
        since: time since the nose was last on food [s], shape (frames,).
    """
    visits, events = residence(time, depth), threshold_events(tangential_velocity(time, midline))
    back = longer_reversals(events, SHORTEST).start_ms
    wide = min(max(1, round(STRIDE / float(time[1] - time[0]))), len(time))
    middle = centroid(midline)[:, :2]
    count = np.convolve(np.ones(len(time)), np.ones(wide), "same")
    smooth = np.stack([np.convolve(each, np.ones(wide), "same") / count for each in middle.T], axis=1)
    speed_on, speed_off = speed_inside_outside(time, smooth, depth)
    states = roaming(time, middle)
    length = float(time[-1] - time[0]) / max(len(states.start_ms), 1)
    fed = [bool((depth[(time >= a) & (time < a + length)] >= 0.0).all()) for a in states.start_ms]
    soon = (since > 0.0) & (since <= SOON)
    return {
        "share_on_food": visits.share, "visits": len(visits.start_ms), "left": int(visits.ended.sum()),
        "speed_on_mm_s": speed_on, "speed_off_mm_s": speed_off,
        "reversals_on_per_min": starts_per_minute(back, time, depth >= 0.0),
        "reversals_off_per_min": starts_per_minute(back, time, depth < 0.0),
        "reversals_soon_per_min": starts_per_minute(back, time, soon),
        "reversals_late_per_min": starts_per_minute(back, time, np.isfinite(since) & (since > SOON)),
        "share_roaming": float(states.roams[fed].mean()) if any(fed) else math.nan,
        "net_mm": float(np.linalg.norm(middle[-1] - middle[0])),
    }  # fmt: skip


def measure(job: Job) -> tuple[dict, np.ndarray]:
    """Row of measures of one worm, and the path of its nose [mm], shape (frames, 2)."""
    clock, arena = tb.Clock(tick=TICK, frame=FRAME), tb.Arena("agar", fields=(patches(),))
    simulation = tb.Simulation(
        worm_of(job), arena, seed=job.seed, clock=clock, threads=1, progress=False
    )
    run = simulation.run(DROPPED + job.duration)
    kept, midline = run.time >= DROPPED, run.worms[0].midline
    (lawn,), nose = run.fields, midline[:, 0, :2]
    depth = lawn.depth(nose)
    # A worm may have left its first patch before it is measured.
    since = since_left(run.time, depth)[kept]
    row = {
        "condition": job.condition.name, "seed": job.seed, "eaten_ug": float(lawn.eaten[0]),
        **measures(run.time[kept], midline[kept], depth[kept], since),
        **(run.amines()[kept].mean().to_dict() if job.condition.amines != "off" else {}),
    }  # fmt: skip
    if job.video is not None:
        run.video(job.video, progress=False)
    return row, nose[kept]


def summarise(worms: pd.DataFrame) -> pd.DataFrame:
    """Means of every condition, in the order of the worms."""
    means = worms.drop(columns="seed").groupby("condition", sort=False).mean()
    return means.assign(worms=worms.groupby("condition", sort=False).size()).reset_index()


def verdicts(worms: pd.DataFrame) -> pd.DataFrame:
    """What must come out: paired differences from the intact worm with half of their 95 % interval, nan if not run."""
    wide = worms.set_index(["seed", "condition"]).unstack("condition")
    rows = []
    for quantity, other, sign in (
        ("eaten_ug", "food not felt", 1.0), ("share_on_food", "food not felt", 1.0),
        ("share_on_food", "amines off", 1.0), ("share_roaming", "tph-1", -1.0), ("share_roaming", "pdfr-1", 1.0),
        ("speed_on_mm_s", "cat-2", -1.0), ("reversals_soon_per_min", "cat-2", 1.0),
    ):  # fmt: skip
        known = all((quantity, name) in wide for name in ("intact", other))
        paired = (wide[quantity, "intact"] - wide[quantity, other]).dropna() if known else pd.Series(dtype=float)
        mean, low, _, _ = mean_interval(paired)
        half = float(mean - low)
        rows.append({
            "quantity": quantity, "intact_less": other, "expected": "more" if sign > 0.0 else "less",
            "pairs": len(paired), "difference": paired.mean(), "half": half,
            "holds": bool(sign * paired.mean() > half) if math.isfinite(half) else False,
        })  # fmt: skip
    search = worms[worms.condition == "intact"]
    change = (search.reversals_soon_per_min - search.reversals_late_per_min).dropna()
    mean, low, _, pairs = mean_interval(change)
    rows.append({
        "quantity": "reversals soon after food", "intact_less": "later", "expected": "more", "pairs": int(pairs),
        "difference": float(mean), "half": float(mean - low), "holds": bool(low > 0.0),
    })  # fmt: skip
    return pd.DataFrame(rows)


def picture(worms: pd.DataFrame, paths: dict[str, list[np.ndarray]], path: Path) -> None:
    """Paths of all worms over the patches above; food, time, speed and reversals of every condition below."""
    names = list(paths)
    figure = Figure(figsize=(max(9.0, 2.6 * len(names)), 6.4), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1.1, 1.0))
    lawn, around = patches(), np.linspace(0.0, math.tau, 60)
    panels = np.atleast_1d(above.subplots(1, len(names), sharex=True, sharey=True))
    far = max(float(np.abs(each).max()) for every in paths.values() for each in every) + 0.5
    for panel, name in zip(panels, names, strict=True):
        for x, y in lawn.patches:
            panel.fill(x + PATCH * np.cos(around), y + PATCH * np.sin(around), color=style.FAINT, alpha=0.4, lw=0.0)
        for each in paths[name]:
            panel.plot(*each.T, lw=0.8)
        panel.set(title=name, xlabel="x [mm]", aspect="equal", xlim=(-far, far), ylim=(-far, far))
    panels[0].set_ylabel("y [mm]")
    pairs = (
        ("eaten_ug",), ("share_on_food",), ("share_roaming",), ("speed_on_mm_s", "speed_off_mm_s"),
        ("reversals_on_per_min", "reversals_off_per_min"), ("reversals_soon_per_min", "reversals_late_per_min"),
    )  # fmt: skip
    labels = ("eaten [ug]", "share on food", "share roaming", "speed on, off [mm/s]", "reversals on, off [1/min]",
              "soon, later [1/min]")  # fmt: skip
    for axes, columns, label in zip(below.subplots(1, len(pairs)), pairs, labels, strict=True):
        for k, (column, tint) in enumerate(zip(columns, (style.INK, style.FAINT), strict=False)):
            values = worms.groupby("condition", sort=False)[column].mean()
            axes.bar(np.arange(len(values)) + 0.4 * (k - 0.5 * (len(columns) - 1)), values, 0.38, color=tint)
        axes.set_xticks(range(len(names)), names, rotation=90)
        axes.set_title(label, fontsize=8)
    figure.savefig(path, dpi=90)


def experiment(args: argparse.Namespace) -> int:
    """Run all worms; exit code 0 only if every verdict holds."""
    if min(args.worms, args.workers) < 1 or not args.duration > 0.0:
        raise tb.ConfigError("--worms and --workers must be at least 1, and --duration positive")
    chosen = [each for each in CONDITIONS if not args.only or each.name in args.only]
    if not chosen:
        raise tb.ConfigError(f"--only: no such condition; known are {', '.join(each.name for each in CONDITIONS)}")
    folder = prepare_folder(args.out)
    jobs = [
        Job(each, args.first_seed + k, args.duration,
            folder / "foraging.mp4" if each is chosen[0] and k == 0 and args.video else None)
        for each in chosen for k in range(args.worms)
    ]  # fmt: skip
    rows, paths = [], {}
    for job, (row, nose) in zip(jobs, in_processes(measure, jobs, args.workers, tasks=4), strict=True):
        rows.append(row)
        paths.setdefault(job.condition.name, []).append(nose)
        worms = pd.DataFrame(rows)
        write_atomically(folder / "foraging_worms.csv", worms.to_csv(index=False, float_format="%.4g").encode())
        print("{condition}, seed {seed}: {eaten_ug:.4f} ug, on food {share_on_food:.2f}".format(**row), flush=True)
    table, judged = summarise(worms), verdicts(worms)
    for name, each in (("foraging", table), ("foraging_verdicts", judged)):
        write_atomically(folder / f"{name}.csv", each.to_csv(index=False, float_format="%.4g").encode())
        print(each.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    picture(worms, paths, folder / "foraging.png")
    print(f"patches cover {CHANCE:.2f} of the plane")
    film = ", foraging.mp4" if args.video else ""
    print(f"wrote foraging.csv, foraging_verdicts.csv, foraging_worms.csv, foraging.png{film} in {folder}")
    return 0 if judged.holds.all() else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worms", type=int, default=10, help="in each condition")
    parser.add_argument("--duration", type=float, default=300_000.0, help="of each worm, once it crawls [ms]")
    parser.add_argument("--first-seed", type=int, default=501)
    parser.add_argument("--only", nargs="*", default=[], metavar="CONDITION", help="such as intact cat-2")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--video", action="store_true", help="film the first worm")
    parser.add_argument("--out", type=Path, default=Path("output/foraging"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
