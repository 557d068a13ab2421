"""Does bending the middle of the worm bend the posterior to the same side, as Wen et al. (2012) observed?

Question: the middle of the body (s 0.35 to 0.55) is held in a channel that is bent dorsally, straight, or bent
ventrally, while AVB drives forward crawling. In the animal the posterior bends to the same side and follows the
channel; in a straight channel, the posterior hardly bends. Do receptive fields of B neurons posterior to their muscles,
anterior to them, or both (the default) reproduce this?
See: mean curvature and oscillation of the posterior (s 0.6 to 0.9) in each channel and without one, for three worms
that differ only in their receptive fields.
Time: about three minutes on two cores.
Compare: Wen 2012 (figures 3 and 4). The channel fixes the shape of the middle but not its position, so the worm can
move on.
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
from tianbao.behaviour.midline import curvature, curvature_positions
from tianbao.behaviour.reversals import amplitude
from tianbao.cli import in_processes, run_script
from tianbao.config import parse_setting
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.view import style

CHANNELS = (6.0, 0.0, -6.0, math.nan)  # [kappa L] of the channel; NaN for none
FRONT, BACK = 0.35, 0.55  # [L] of the part that is held
INSIDE, POSTERIOR = (0.39, 0.51), (0.6, 0.9)  # [L] where the channel and the posterior are measured
CRAWL, SETTLING, MEASURED = 4_000.0, 2_000.0, 8_000.0  # [ms] before the channel closes, and after it
FOLLOWS = 0.1  # least share of the channel's curvature in the posterior
STILL = 0.5  # largest share of the free worm's oscillation in a straight channel
POINTS = 49
TICK = {"agar": 4.0, "water": 2.0}  # [ms]
FIELDS = ("behind", "in front", "both")
COLOURS = dict(zip(FIELDS, (style.VENTRAL, style.DORSAL, style.INK), strict=True))
Job = tuple[str, float, str, float, float, str, tuple[tuple[str, float], ...]]


def parameters_of(fields: str, changes: tuple[tuple[str, float], ...] = ()) -> tb.Parameters:
    """Parameters of a worm whose cord neurons have these receptive fields."""
    usual = tb.Worm().parameters.replace(**dict(changes))
    if fields == "behind":
        return usual.replace(cord_opposite_gain=0.0)
    if fields == "in front":
        # With the gain of the other field, so that only the position differs and not the strength.
        return usual.replace(cord_stretch_gain=0.0, cord_opposite_gain=usual.cord_stretch_gain)
    return usual


def measure(job: Job) -> dict:
    """One worm in one channel, in its own process; NaN if the run diverged."""
    fields, channel, medium, crawl, measured, engine, changes = job
    worm = tb.Worm(parameters=parameters_of(fields, changes))
    if math.isfinite(channel):
        worm.hold(channel, FRONT, BACK, start=crawl)
    row = {"fields": fields, "channel": channel, "medium": medium}
    clock = tb.Clock(tick=TICK.get(medium, 2.0))
    try:
        simulation = tb.Simulation(worm, tb.Arena(medium), clock=clock, engine=engine, progress=False)
        run = simulation.run(crawl + SETTLING + measured)
    except tb.DivergedError as error:
        return {**row, **dict.fromkeys(("inside", "posterior", "swing"), math.nan), "note": str(error)}
    kept, track, s = run.time > crawl + SETTLING, run.track(), curvature_positions(POINTS)
    bend = curvature(track.midline[kept], POINTS, track.dorsal[kept])
    inside, posterior = (bend[:, (s >= front) & (s <= back)] for front, back in (INSIDE, POSTERIOR))
    return {**row, "inside": inside.mean(), "posterior": posterior.mean(), "swing": amplitude(posterior)}


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """For each kind of fields: share of the channel's curvature adopted by the posterior, and its oscillation.

    Returns:
        Index: fields. Columns: `follows` [-], negative if the posterior bends to the other side; `still` [-],
        oscillation of the posterior in a straight channel over that of the free worm.
    """
    found = {}
    for fields, rows in table.groupby("fields", sort=False):
        bent = rows[rows.channel.abs() > 0.0]
        slope = np.polyfit(bent.channel, bent.posterior, 1)[0] if len(bent) > 1 else math.nan
        straight, free = rows[rows.channel == 0.0].swing.mean(), rows[rows.channel.isna()].swing.mean()
        found[fields] = {"follows": slope, "still": straight / free if free > 0.0 else math.nan}
    return pd.DataFrame(found).T


def passed(table: pd.DataFrame) -> bool:
    """Whether the posterior of the default worm follows the channel and is at rest in a straight one; not for NaN."""
    worm = summary(table).loc["both"]
    return bool(worm.follows >= FOLLOWS and worm.still <= STILL)


def draw(figure: Figure, table: pd.DataFrame) -> None:
    """Curvature of the posterior against the channel, and its oscillation, for each kind of fields."""
    bends, swings = figure.subplots(1, 2)
    for k, fields in enumerate(FIELDS):
        rows = table[table.fields == fields]
        held = rows.dropna(subset=["channel"]).sort_values("channel")
        bends.plot(held.channel, held.posterior, "o-", color=COLOURS[fields], label=fields)
        places = np.arange(len(rows)) + 0.25 * (k - 1)
        swings.bar(places, rows.swing, 0.22, color=COLOURS[fields])
    bends.axhline(0.0, color=style.FAINT, linewidth=0.5)
    bends.set(xlabel="channel around the middle [κL]", ylabel="posterior, mean [κL]")
    bends.legend(frameon=False, fontsize=8, title="receptive fields of B")
    swings.set_xticks(range(len(CHANNELS)), [f"{each:+g}" if math.isfinite(each) else "free" for each in CHANNELS])
    swings.set(xlabel="channel [κL]", ylabel="oscillation of the posterior [κL]")


def line_of(row: dict) -> str:
    """One line of output for a run."""
    where = f"channel {row['channel']:+.0f}" if math.isfinite(row["channel"]) else "free      "
    numbers = f"inside {row['inside']:+6.2f}  posterior {row['posterior']:+6.2f}  swing {row['swing']:5.2f} kappa L"
    return f"fields {row['fields']:8s} {where}  {numbers}"


def experiment(args: argparse.Namespace) -> int:
    """Run every worm in every channel; exit code 0 only if the default worm behaves like the animal."""
    if args.workers < 1:
        raise tb.ConfigError("--workers must be at least 1")
    tb.Arena(args.medium)  # a wrong medium is reported here rather than in a worker
    changes = tuple(map(parse_setting, args.set))
    parameters_of("both", changes)  # as is a wrong parameter
    folder, rows = prepare_folder(args.out), []
    shared = (args.medium, args.crawl, args.duration, args.engine, changes)
    jobs = [(fields, channel, *shared) for fields in FIELDS for channel in CHANNELS]
    for row in in_processes(measure, jobs, args.workers):
        rows.append(row)
        write_atomically(folder / "trap.csv", pd.DataFrame(rows).to_csv(index=False).encode())
        print(line_of(row), flush=True)
    table = pd.DataFrame(rows)
    picture = style.render(lambda figure: draw(figure, table), (9.0, 3.8), folder / "trap.png")
    follows = summary(table)
    write_atomically(folder / "trap_follows.csv", follows.rename_axis("fields").to_csv().encode())
    for fields, found in follows.iterrows():
        print(f"{fields:8s}: follows {found.follows:+.2f} of the channel; straight: {found.still:.2f} of free")
    print(f"wrote trap.csv, trap_follows.csv and {picture.name} in {folder}")
    verdict = passed(table)
    told = "the posterior behaves like the animal's" if verdict else "the posterior does not behave like the animal's"
    print(f"{told} (required: {FOLLOWS:g} and {STILL:g})")
    return 0 if verdict else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--medium", default="agar", help="agar or water")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a parameter")
    parser.add_argument("--crawl", type=float, default=CRAWL, help="time before the channel closes [ms]")
    parser.add_argument("--duration", type=float, default=MEASURED, help="measured time, 2 s after it has closed [ms]")
    parser.add_argument("--engine", default="native", help='"neuron" gives the same in several times the time')
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("output/trap"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
