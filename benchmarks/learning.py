"""How fast worms moved by their muscles are as environments, and how exact with their long steps and coarse meshes.

Speed: control steps (ten per simulated second and worm) per second of a batch on one and on two threads, the fastest of
the rounds, and per CPU second, which other jobs on the machine disturb less. With random actions, as a policy begins,
and with a wave that swims or crawls, as it ends.
Convergence (--convergence): speed, direction and bends of the same wave with other meshes and steps of the body, each
beside the finest.
End of a step (--tolerance): how far worms end from where steps that are solved to 1e-6 lead them.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import pandas as pd

from tianbao.learning.baselines import Wave
from tianbao.learning.batches import CrawlBatch, SwimBatch
from tianbao.learning.bodies import MuscleWorms

# As animals do it, at an amplitude of their bends.
WAVES = {"water": Wave(0.8, 1.7, 1.5), "agar": Wave(0.8, 0.5, 0.65)}
BATCHES = {"water": SwimBatch, "agar": CrawlBatch}
MESHES = {
    "water": [(48, 1.0), (48, 5.0), (48, 20.0), (24, 1.0), (24, 5.0), (24, 10.0), (24, 20.0), (24, 25.0), (24, 50.0)],
    "agar": [(48, 1.0), (48, 5.0), (48, 10.0), (48, 20.0), (48, 25.0), (48, 50.0), (24, 20.0)],
}


def speed(medium: str, worms: int, threads: int, actions: str, steps: int) -> tuple[float, float]:
    """Control steps per second, of the clock on the wall and of the processor."""
    batch, rng = BATCHES[medium](worms, threads=threads), np.random.default_rng(0)
    batch.reset(seed=0)
    wave, phases = WAVES[medium], rng.uniform(size=worms)
    wall, cpu = time.perf_counter(), time.process_time()
    for k in range(steps):
        random = rng.uniform(-1.0, 1.0, (worms, 24))
        batch.step(random if actions == "random" else wave.action(0.1 * k + 0.05, worms, phases))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return worms * steps / wall, worms * steps / cpu


def speeds(args: argparse.Namespace) -> pd.DataFrame:
    """One row per medium, kind of action and number of threads; rounds take turns."""
    cases = [(medium, actions, threads) for medium in BATCHES for actions in ("random", "wave") for threads in (1, 2)]
    best = dict.fromkeys(cases, (0.0, 0.0))
    for _ in range(args.rounds):
        for case in cases:
            medium, actions, threads = case
            best[case] = tuple(map(max, best[case], speed(medium, args.worms, threads, actions, args.steps)))
    rows = []
    for (medium, actions, threads), (wall, cpu) in best.items():
        rows.append({
            "medium": medium, "actions": actions, "threads": threads, "per_s": round(wall), "per_cpu_s": round(cpu),
            "ratio_to_one_thread": round(wall / best[medium, actions, 1][0], 2),
        })  # fmt: skip
    return pd.DataFrame(rows)


def wave_of(medium: str, slabs: int, step: float, seconds: float = 6.0) -> dict[str, float]:
    """What a wave does to one worm with one mesh and step, after the first 2 s."""
    worms, wave, bends, start = MuscleWorms(1, medium=medium, slabs=slabs, step=step), WAVES[medium], [], None
    worms.place(0)
    cpu = time.process_time()
    for k in range(round(seconds * 10)):
        if k == 20:
            start = worms.body.midline()[..., :2].mean(axis=1)[0]
        worms.advance(wave.action(0.1 * k + 0.05))
        bends.append(worms.bend()[0])
    cpu = time.process_time() - cpu
    gone = worms.body.midline()[..., :2].mean(axis=1)[0] - start
    return {"speed": np.linalg.norm(gone) / (seconds - 2.0), "way": np.degrees(np.arctan2(gone[1], gone[0])),
            "bend": np.percentile(np.abs(bends[20:]), 95), "ms": 1e3 * cpu / len(bends)}  # fmt: skip


def convergence() -> pd.DataFrame:
    """One row per mesh and step; the first of a medium is what the others are compared with."""
    rows = []
    for medium, meshes in MESHES.items():
        found = [wave_of(medium, *each) for each in meshes]
        for (slabs, step), each in zip(meshes, found, strict=True):
            rows.append({
                "medium": medium, "slabs": slabs, "step_ms": step, "speed_mm_s": round(each["speed"], 4),
                "speed_off_percent": round(100.0 * (each["speed"] / found[0]["speed"] - 1.0), 1),
                "way_off_deg": round(each["way"] - found[0]["way"], 1),
                "bend_off_percent": round(100.0 * (each["bend"] / found[0]["bend"] - 1.0), 1),
                "cpu_ms_per_action": round(each["ms"], 2),
            })  # fmt: skip
    return pd.DataFrame(rows)


def tolerances(worms: int = 16, actions: int = 40) -> pd.DataFrame:
    """One row per medium and kind of action: batches with the usual tolerance beside the same with 1e-6."""
    rows = []
    for medium, kind in [(medium, kind) for medium in BATCHES for kind in ("random", "wave", "best wave")]:
        wave, ends = Wave.best(medium) if kind == "best wave" else WAVES[medium], []
        for tolerance in (1e-6, None):
            batch, rng = BATCHES[medium](worms), np.random.default_rng(0)
            if tolerance is not None:
                batch.task.worms.body.tolerance = tolerance
            batch.reset(seed=0)
            start, phases = batch.task.centre.copy(), rng.uniform(size=worms)
            for k in range(actions):
                random = rng.uniform(-1.0, 1.0, (worms, 24))
                batch.step(random if kind == "random" else wave.action(0.1 * k + 0.05, worms, phases))
            ends.append(batch.task.centre - start)
        off, gone = (1e3 * np.linalg.norm(each, axis=1) for each in (ends[1] - ends[0], ends[0]))
        ways = [np.linalg.norm(each, axis=1).mean() for each in ends]
        rows.append({"medium": medium, "actions": kind, "gone_um": gone.mean(), "off_um": off.mean(),
                     "most_off_um": off.max(), "way_off_percent": 100.0 * (ways[1] / ways[0] - 1.0)})  # fmt: skip
    return pd.DataFrame(rows).round(3)


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worms", type=int, default=64)
    parser.add_argument("--steps", type=int, default=30, help="actions of every worm in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--convergence", action="store_true")
    parser.add_argument("--tolerance", action="store_true")
    args = parser.parse_args(arguments)
    found = convergence() if args.convergence else tolerances() if args.tolerance else speeds(args)
    print(found.to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
