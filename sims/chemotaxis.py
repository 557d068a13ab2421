"""Do worms find the source of a substance, and do they turn more often while it becomes less?

Question: worms that decide begin 8 mm from the peak of a Gaussian of salt on agar, heading anywhere; nothing steers
them. Do they come to the peak before they come to the same spot on the other side, and not without the neurons that
taste?
See: paths over the field and the distance from the source in time, of every condition; the index of worms that are
caught where they come first, pirouettes while the concentration falls and rises, and the drift up the gradient; with
--video a film of the first worm.
Time: about half an hour on two cores for eight worms of ten minutes in each of three conditions.
Compare: Pierce-Shimomura et al. 1999 (tianbao/validation/assays/nacl_chemotaxis.toml, of which these are the worms;
`tianbao validate --level behaviour --assay nacl_chemotaxis` has the intervals and one more control).
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Circle

import tianbao as tb
from tianbao.behaviour.measures import MEASURES
from tianbao.behaviour.midline import centroid
from tianbao.behaviour.trials import Trial
from tianbao.cli import in_processes, run_script
from tianbao.experiment import simulation
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.units import MS_PER_S, S_PER_MIN
from tianbao.validation.assay_file import assays, read_assay
from tianbao.validation.assay_runs import Batch, Group, configured
from tianbao.validation.assay_verdict import groups_of
from tianbao.view import style

ASSAYS = "nacl_chemotaxis", "diacetyl", "isoamyl_alcohol"
CAUGHT = "caught_index"


@dataclass(frozen=True)
class Job:
    """One worm, in a process of its own."""

    group: Group
    number: int
    video: Path | None = field(default=None, compare=False)


def groups(name: str, worms: int, seed: int | None, duration: float | None) -> list[Group]:
    """Conditions of an assay in which worms go by themselves."""
    changes = {} if duration is None else {"duration": duration}
    own = groups_of(read_assay(assays([name])[0], changes), worms, seed)
    return [dataclasses.replace(each, name=each.name.partition(": ")[2]) for each in own if each.signal is None]


def spot_of(group: Group) -> tuple[np.ndarray, float]:
    """Middle of the source and radius within which a worm is there, both in mm."""
    (given,) = (arguments for name, arguments in group.measures.values() if name == CAUGHT)
    return np.asarray(given["source"], float), given["radius_mm"]


def measure(job: Job) -> tuple[dict, np.ndarray, np.ndarray]:
    """Row of measures of one worm, times [s] of shape (frames,), and its path [mm] of shape (frames, 2)."""
    config = configured(Batch(job.group, (job.number,)))
    run = simulation(config, progress=False, threads=1).run(config.duration)
    if job.video is not None:
        run.video(job.video, progress=False)
    trial, (source, radius) = Trial(run, 0, job.group.setup.settle), spot_of(job.group)
    caught = MEASURES[CAUGHT].row(trial, source=tuple(source), radius_mm=radius)[0]
    falls, falling_s, rises, rising_s = MEASURES["pirouette_asymmetry"].row(trial)
    way, time_s = MEASURES["drift"].row(trial)
    path, away = centroid(trial.midline)[:, :2], np.linalg.norm(trial.midline[:, 0, :2] - source, axis=1)
    there = away <= radius
    row = {
        "condition": job.group.name, "worm": job.number, "caught": caught,
        "found_s": trial.time_ms[np.argmax(there)] / MS_PER_S if there.any() else np.nan, "last_mm": away[-1],
        "share_near": there.mean(), "falls": falls, "falling_s": falling_s, "rises": rises, "rising_s": rising_s,
        "drift_mm_s": way / time_s if time_s else np.nan,
    }  # fmt: skip
    return row, trial.time_ms / MS_PER_S, path


def summarise(worms: pd.DataFrame) -> pd.DataFrame:
    """A row per condition: means over worms, and rates of pirouettes of all of them together."""
    rows = []
    for name, mine in worms.groupby("condition", sort=False):
        total = mine[["falls", "falling_s", "rises", "rising_s"]].sum()
        with np.errstate(divide="ignore", invalid="ignore"):  # in short runs salt may never fall, and there may be none
            falling, rising = total.falls / total.falling_s, total.rises / total.rising_s
            ratio = falling / rising
        rows.append({
            "condition": name, "worms": len(mine), "caught_index": mine.caught.mean(),
            "found_source": mine.found_s.notna().mean(), "found_s": mine.found_s.median(),
            "share_near": mine.share_near.mean(), "falling_per_min": S_PER_MIN * falling,
            "rising_per_min": S_PER_MIN * rising, "ratio": ratio, "drift_mm_s": mine.drift_mm_s.mean(),
        })  # fmt: skip
    return pd.DataFrame(rows)


def picture(
    tracks: dict[str, list[tuple[np.ndarray, np.ndarray]]], spot: tuple[np.ndarray, float], path: Path
) -> None:
    """Paths around the source, and the distance from it in time, of every condition."""
    figure = Figure(figsize=(4.2 * len(tracks), 7.4), layout="constrained")
    axes = figure.subplots(2, len(tracks), squeeze=False, height_ratios=(1.5, 1.0))
    source, radius = spot
    widest = max(np.abs(place - source).max() for every in tracks.values() for _, place in every) + 1.0
    for (name, every), above, below in zip(tracks.items(), *axes, strict=True):
        for time, place in every:
            (line,) = above.plot(*place.T, lw=0.7)
            above.plot(*place[0], "o", ms=4, color=line.get_color())
            below.plot(time, np.linalg.norm(place - source, axis=1), color=line.get_color(), lw=0.7)
        above.add_patch(Circle(source, radius, fill=False, color=style.INK, lw=1.2))
        above.set(title=name, xlabel="x [mm]", ylabel="y [mm]", aspect="equal",
                  xlim=source[0] + widest * np.array([-1, 1]), ylim=source[1] + widest * np.array([-1, 1]))  # fmt: skip
        below.axhline(radius, color=style.INK, lw=1.2)
        below.set(xlabel="time [s]", ylabel="distance from the source [mm]", ylim=(0.0, 1.5 * widest))
    figure.savefig(path, dpi=90)


def experiment(args: argparse.Namespace) -> int:
    """Run all worms; exit code 0 only if more than half find the source first, and more than in every control."""
    if min(args.worms, args.workers) < 1:
        raise tb.ConfigError("--worms and --workers must be at least 1")
    conditions, folder = groups(args.assay, args.worms, args.seed, args.duration), prepare_folder(args.out)
    film = folder / "chemotaxis.mp4" if args.video else None
    jobs = [Job(each, k, film if each is conditions[0] and not k else None)
            for each in conditions for k in range(args.worms)]  # fmt: skip
    rows, tracks = [], {}
    for job, (row, time, path) in zip(jobs, in_processes(measure, jobs, args.workers, tasks=4), strict=True):
        rows.append(row)
        tracks.setdefault(job.group.name, []).append((time, path))
        worms = pd.DataFrame(rows)
        write_atomically(folder / "chemotaxis_worms.csv", worms.to_csv(index=False, float_format="%.4g").encode())
        told = "{condition}, worm {worm}: caught {caught:+.0f}, {last_mm:.1f} mm away at the end"
        print(told.format(**row), flush=True)
    table = summarise(worms)
    write_atomically(folder / "chemotaxis.csv", table.to_csv(index=False, float_format="%.4g").encode())
    picture(tracks, spot_of(conditions[0]), folder / "chemotaxis.png")
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    names = ["chemotaxis.csv", "chemotaxis_worms.csv", "chemotaxis.png", *([film.name] if film else [])]
    print(f"wrote {', '.join(names)} in {folder}")
    index = table.caught_index.to_numpy()
    return 0 if index[0] > 0.5 and (index[1:] < index[0]).all() else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assay", choices=ASSAYS, default=ASSAYS[0], help="whose worms and field (%(default)s)")
    parser.add_argument("--worms", type=int, default=8, help="in each condition (%(default)s)")
    parser.add_argument("--duration", type=float, help="of each worm [ms] (default: that of the assay)")
    parser.add_argument("--seed", type=int, help="in place of that of the assay")
    parser.add_argument("--video", action="store_true", help="film the first worm")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("output/chemotaxis"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
