"""What do a hundred whole worms do in one dish?

Question: worms that decide crawl in a round dish on agar, each with its own 302 neurons and its own body. They touch,
push and rub; who is touched may reverse. Nothing else makes them take notice of each other.
See: a video of every body in the colour of its command neurons; how many touch, in which clusters, and how many keep to
the wall.
Time: about three minutes on two cores for a hundred worms and 10 s; --parts 2 deals them out to two processes.
Compare: nothing yet. N2 animals are solitary on food, those without npr-1 gather and keep to its border (de Bono and
Bargmann 1998); what makes them do so, oxygen and pheromones that worms use up and give off, is not modelled.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import tianbao as tb
from tianbao.behaviour.crowds import at_border, border_by_chance, spread
from tianbao.cli import run_script
from tianbao.environment import Dish
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.units import MS_PER_S
from tianbao.view import style

FRAME, TICK = 40.0, 4.0  # [ms]
EVERY = 500.0  # [ms] between moments at which the spread is measured
SIGNS = "deciding"  # contested signs by behaviour (docs/decision.md)
SQUEEZE = 0.03  # [mm] by which two surfaces at rest may enter each other: less than a radius


def simulated(args: argparse.Namespace) -> tb.Simulation:
    """Worms in a dish, each at a place drawn for it."""
    radius = 0.5 * args.dish
    like = {"discretisation": "d_lambda", "decision": "network", "signs": SIGNS}
    places = tb.scattered(args.worms, radius, seed=args.seed)
    worms = [tb.Worm(at=at, heading=heading, **like) for at, heading in places]
    arena = tb.Arena(args.medium, obstacles=[Dish(radius)])
    clock = tb.Clock(tick=TICK, frame=FRAME)
    simulation = tb.Simulation(
        worms, arena, seed=args.seed, clock=clock, threads=args.threads, engine=args.engine, initial_curvature=0.0,
        parts=args.parts, backend=args.backend, address=args.address,
    )  # fmt: skip
    return simulation.record(voltage=["AVA*", "AVB*"])


def measured(run: tb.Recording, radius: float) -> pd.DataFrame:
    """The spread of the crowd at every moment, shape (moments, measures)."""
    step, rows = max(1, round(EVERY / float(run.time[1] - run.time[0]))), []
    for frame in range(0, len(run.time), step):
        lines = np.stack([each.midline[frame] for each in run.worms])
        found = spread(lines)
        rows.append({
            "time_s": run.time[frame] / MS_PER_S, "touching": found.touching, "neighbours": found.neighbours,
            "largest_cluster": found.largest, "aligned": found.aligned, "at_border": at_border(lines, radius),
            "depth_mm": found.depth,
        })  # fmt: skip
    return pd.DataFrame(rows)


def picture(table: pd.DataFrame, radius: float, path: Path) -> None:
    """Neighbours, the largest cluster and the share at the wall in time."""
    figure = Figure(figsize=(9.0, 3.0), layout="constrained")
    first, second, third = figure.subplots(1, 3)
    first.plot(table.time_s, table.touching, color=style.INK)
    first.set(ylabel="share that touch another")
    second.plot(table.time_s, table.largest_cluster, color=style.INK)
    second.set(ylabel="worms in the largest cluster")
    third.plot(table.time_s, table.at_border, color=style.INK)
    third.axhline(border_by_chance(radius), color=style.FAINT, ls="--", label="share of the area")
    third.legend(frameon=False)
    third.set(ylabel="share of lengths near the wall")
    for axes in (first, second, third):
        axes.set(xlabel="time [s]", ylim=(0.0, None))
    figure.savefig(path, dpi=110)


def experiment(args: argparse.Namespace) -> int:
    """Run the crowd; exit code 0 only if no worm went through another or out of the dish."""
    if args.worms < 2:
        raise tb.ConfigError("--worms must be at least 2 to make a crowd")
    folder, radius = prepare_folder(args.out), 0.5 * args.dish
    run = simulated(args).run(args.duration)
    table = measured(run, radius)
    write_atomically(folder / "crowd.csv", table.to_csv(index=False, float_format="%.4g").encode())
    files = [folder / "crowd.csv", run.save(folder / "results.h5"), folder / "crowd.png"]
    picture(table, radius, files[-1])
    if not args.no_video:
        files.append(run.video(folder / "crowd.mp4"))
    out = max(float(np.linalg.norm(each.midline[..., :2], axis=-1).max()) for each in run.worms) - radius
    print(table.iloc[:: max(1, len(table) // 10)].to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    print(
        f"{len(run.worms)} worms, {run.wall_s_per_bio_s:.1f} s of computing per simulated second; surfaces entered "
        f"each other by at most {table.depth_mm.max():.3f} mm, midlines the wall by {max(out, 0.0):.3f} mm"
    )
    print("wrote " + ", ".join(path.name for path in files) + f" in {folder}")
    return 0 if run.complete and table.depth_mm.max() < SQUEEZE and out < 0.0 else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worms", type=int, default=100)
    parser.add_argument("--dish", type=float, default=5.0, help="diameter [mm]")
    parser.add_argument("--duration", type=float, default=10_000.0, help="simulated time [ms]")
    parser.add_argument("--medium", default="agar")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", default="auto", help='such as "native-f32", a quarter faster')
    parser.add_argument("--threads", type=int, help="worms at a time; results do not depend on it (default: all cores)")
    parser.add_argument("--parts", type=int, default=1, help="processes that the worms are dealt out to, by tiles")
    parser.add_argument("--backend", default="processes", help="where these are: processes of this machine, or ray")
    parser.add_argument("--address", help="of a running Ray cluster, such as auto")
    parser.add_argument("--no-video", action="store_true", help="skip the video")
    parser.add_argument("--out", type=Path, default=Path("output/crowd"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
