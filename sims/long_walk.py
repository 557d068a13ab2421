"""Does a worm walk in the far corner of a scene of 1.3 m as at the world's origin, and what does the scene cost?

Question: a square with 50 sources of salt and of diacetyl, 50 lawns and a lattice of pillars that fills it, its sides
1,300 body lengths long. A worm walks in the corner that is farthest from the origin; then the whole scene is moved
until that corner lies at the origin, and the same worm walks there. The same without anything but agar.
See: the gait here and there; the time of a tick with each part of the scene against that without any; memory of a
scene and of one of a hundred times its area; track and video of the walk.
Method: without channel noise. Costs are processor time of one thread, taken in turns, as medians of ratios.
Time: about two minutes on two cores.
Compare: nothing was measured of animals; it must make no difference where a worm is.
"""

from __future__ import annotations

import argparse
import gc
import math
import sys
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import tianbao as tb
from tianbao.cli import run_script
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.view import style

FRAME, TICK = 20.0, 4.0  # [ms]
SOURCES, LAWNS = 50, 50  # all sources are salt, or half of them diacetyl
PILLAR, PITCH, JITTER = 0.12, 0.6, 0.1  # [mm]
ROOM = 0.75  # [mm] around the worms without pillars: half a worm and what it may bend
APART = 1.5  # [mm] between worms
GAIT = ("forward_speed_mm_s", "frequency_hz", "wavelength_body_lengths", "amplitude")
UNITS = dict(zip(GAIT, ("mm/s", "Hz", "L", "kappa L"), strict=True))
GAIT_BAR, COST_BAR = 1e-3, 0.05  # [-] by which gait and time of a tick may differ, and a tick may be slower by sources
WARM, CHUNK = 1_000.0, 80.0  # [ms] before ticks are timed, and timed in one go
SCENE = ("salt", "diacetyl", "lawns", "lattice")
# What a tick is timed with: 50 sources of one substance, of two, and so on.
COSTS = {
    "empty": (), "50 sources": ("salt",), "of two substances": ("salt", "diacetyl"), "50 lawns": ("lawns",),
    "lattice": ("lattice",), "all": SCENE,
}  # fmt: skip


def scene(corner: tuple[float, float], side: float, seed: int, parts: Sequence[str], worms: int = 1) -> tb.Arena:
    """A square with sources, lawns and pillars, whose corner at the largest x and y is given.

    Args:
        corner: x and y, where the worms are [mm].
        side: of the square [mm].
        seed: of the places.
        parts: some of SCENE.
        worms: for which there is room without pillars.
    """
    random = np.random.default_rng(seed)
    places = [(*each, 0.0) for each in random.uniform(-side, 0.0, (SOURCES, 2)).tolist()]
    patches = [(0.0, 0.0), *random.uniform(-side, 0.0, (LAWNS - 1, 2)).tolist()]
    # The first source is near enough to be tasted.
    places[0], centre, half = (-3.0, -3.0, 0.0), (*corner, 0.0), SOURCES // 2
    fields, obstacles = [], []
    if "salt" in parts:
        salt = places[:half] if "diacetyl" in parts else places
        fields.append(tb.Gaussian("nacl", peak=50.0, width=5.0, centre=centre, places=salt))
    if "diacetyl" in parts:
        fields.append(tb.Drop("diacetyl", amount=50.0, age=3600.0, depth=1.0, centre=centre, places=places[half:]))
    if "lawns" in parts:
        fields.append(tb.Lawn("food", radius=1.0, density=0.5, centre=centre, patches=patches))
    if "lattice" in parts:
        wide = APART * (math.ceil(math.sqrt(worms)) - 1)
        middle = [each - 0.5 * wide for each in corner]
        free = (*middle, wide + 2.0 * ROOM, wide + 2.0 * ROOM)
        obstacles.append(tb.Lattice(PILLAR, PITCH, origin=corner, jitter=JITTER, free=free))
    return tb.Arena("agar", fields=fields, obstacles=obstacles)


def walkers(corner: tuple[float, float], count: int) -> list[tb.Worm]:
    """Worms without channel noise on a square grid that ends in a corner."""
    columns = math.ceil(math.sqrt(count))
    quiet = tb.Worm().parameters.replace(noise=0.0)
    return [
        tb.Worm(at=(corner[0] - APART * (k % columns), corner[1] - APART * (k // columns), 0.0), parameters=quiet)
        for k in range(count)
    ]


def simulated(arena: tb.Arena, corner: tuple[float, float], worms: int, seed: int) -> tb.Simulation:
    """Worms in a corner of an arena."""
    clock = tb.Clock(tick=TICK, frame=FRAME)
    return tb.Simulation(walkers(corner, worms), arena, seed=seed, clock=clock, threads=1, progress=False)


def gaits(name: str, here: tb.Recording, there: tb.Recording) -> list[dict]:
    """A row for each measure and worm: at the origin, in the far corner, and their relative difference."""
    rows = []
    for worm in range(len(here.worms)):
        one, other = (run.gait(worm).as_dict() for run in (here, there))
        for measure in GAIT:
            rows.append(row("gait", name, measure, UNITS[measure], one[measure], other[measure], worm))
    return rows


def row(part: str, name: str, quantity: str, unit: str, reference: float, value: float, worm: int = 0) -> dict:
    """A row of the table; `relative` is the difference of the two over the reference."""
    return {
        "part": part, "scene": name, "worm": worm, "quantity": quantity, "unit": unit, "reference": reference,
        "measured": value, "relative": (value - reference) / abs(reference) if reference else math.nan,
    }  # fmt: skip


def costs(args: argparse.Namespace) -> list[dict]:
    """Processor time of a tick with each part of the scene, against that without any; all in turns."""
    corner, running = tuple(args.corner), {}
    for name, parts in COSTS.items():
        running[name] = simulated(scene(corner, args.side, args.seed, parts), corner, 1, args.seed)
        running[name].reset()
        running[name].step(WARM)
    taken, touched = {name: [] for name in running}, 0
    gc.disable()
    for _ in range(args.rounds):
        for name, simulation in running.items():
            start = time.process_time()
            simulation.step(CHUNK)
            taken[name].append((time.process_time() - start) * TICK / CHUNK * 1e3)
            touched += name == "lattice" and bool(simulation.loop.body.load.any())
    gc.enable()
    empty = np.array(taken["empty"])
    rows = []
    for name, each in taken.items():
        ratio = float(np.median(np.array(each) / empty))
        base = float(np.median(empty))
        rows.append(row("cost", name, "processor time of a tick", "ms", base, base * ratio))
    share = touched / args.rounds
    return [*rows, row("contact", "lattice", "share of looks at which a pillar pressed", "1", math.nan, share)]


def memory(args: argparse.Namespace) -> dict:
    """Memory of a scene, and of one of ten times its sides [kB]."""
    held = []
    for side in (args.side, 10.0 * args.side):
        gc.collect()
        tracemalloc.start()
        kept = scene(tuple(args.corner), side, args.seed, SCENE)
        held.append(tracemalloc.get_traced_memory()[0] / 1e3)
        tracemalloc.stop()
        del kept
    return row("memory", "of a scene, and of one of a hundred times its area", "arena", "kB", *held)


def picture(table: pd.DataFrame, path: Path) -> None:
    """Relative differences of gaits, and the time of a tick, part by part."""
    figure = Figure(figsize=(9.0, 3.2), layout="constrained")
    first, second = figure.subplots(1, 2)
    for name, mine in table[table.part == "gait"].groupby("scene", sort=False):
        change = np.maximum(mine.groupby("quantity", sort=False).relative.apply(lambda each: each.abs().max()), 1e-16)
        first.plot(change.to_numpy(), np.arange(len(change)), "o", label=name)
    first.axvline(GAIT_BAR, color=style.FAINT, ls="--", label="0.1 %")
    first.set(xscale="log", xlabel="relative difference, far corner against origin")
    first.set_yticks(np.arange(len(GAIT)), [each.split("_")[0] for each in GAIT])
    first.legend(frameon=False, fontsize=8)
    cost = table[table.part == "cost"]
    second.barh(cost.scene, 100.0 * cost.relative, color=style.INK)
    second.axvline(100.0 * COST_BAR, color=style.FAINT, ls="--", label="5 %")
    second.set(xlabel="slower than the empty arena [%]")
    second.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)


def holds(table: pd.DataFrame) -> bool:
    """Whether the gait on bare agar is the same far away, and sources cost little."""
    bare = table[(table.part == "gait") & (table.scene == "bare agar")].relative.abs()
    sources = table[(table.part == "cost") & (table.scene == "50 sources")].relative
    return bool((bare < GAIT_BAR).all() and (sources < COST_BAR).all())


def experiment(args: argparse.Namespace) -> int:
    """Walk, measure and draw; exit code 0 only if the gait is the same within 0.1 % and sources cost less than 5 %."""
    if min(args.worms, args.rounds) < 1 or not args.side > 0.0:
        raise tb.ConfigError("--worms and --rounds must be at least 1, and --side positive")
    folder, rows = prepare_folder(args.out), []
    for name, parts in (("bare agar", ()), ("scene", SCENE)):
        runs = []
        for corner in ((0.0, 0.0), tuple(args.corner)):
            arena = scene(corner, args.side, args.seed, parts, args.worms)
            runs.append(simulated(arena, corner, args.worms, args.seed).run(args.duration))
        rows += gaits(name, *runs)
    rows += [*costs(args), memory(args)]
    table = pd.DataFrame(rows)
    write_atomically(folder / "long_walk.csv", table.to_csv(index=False, float_format="%.7g").encode())
    files = [folder / "long_walk.csv", folder / "long_walk.png", runs[-1].save(folder / "results.h5")]
    picture(table, files[1])
    files.append(runs[-1].plot.track(folder / "track.png"))
    if not args.no_video:
        files.append(runs[-1].video(folder / "long_walk.mp4", progress=False))
    print(table.to_string(index=False, float_format=lambda value: f"{value:.6g}"))
    print("wrote " + ", ".join(path.name for path in files) + f" in {folder}")
    return 0 if holds(table) else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corner", type=float, nargs=2, default=(1300.0, 1300.0), help="where the worms walk [mm]")
    parser.add_argument("--side", type=float, default=1300.0, help="of the scene [mm]")
    parser.add_argument("--worms", type=int, default=1)
    parser.add_argument("--duration", type=float, default=10_000.0, help="of each walk [ms]")
    parser.add_argument("--rounds", type=int, default=120, help="turns in which ticks are timed")
    parser.add_argument("--seed", type=int, default=1, help="of worms and of the places in the scene")
    parser.add_argument("--no-video", action="store_true", help="skip the video")
    parser.add_argument("--out", type=Path, default=Path("output/long_walk"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
