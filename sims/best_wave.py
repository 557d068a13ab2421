"""Which prescribed wave of its muscles moves a worm farthest?

CMA-ES tries travelling sines of bending (tianbao.learning.baselines.Wave) on a body without a nervous system, each on
worms that start with a random posture and phase, all worms of a generation in one batch. What it has found so far is
kept after every generation: the same command goes on from there. A row of tianbao/learning/waves.csv says by which
command and at what cost it was found.
See: body lengths per second of the best wave, to compare a trained policy with.
Time: about ten minutes for 300 waves in water on one core.
"""

from __future__ import annotations

import argparse
import csv
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from tianbao.io.files import write_atomically
from tianbao.learning.baselines import Wave
from tianbao.learning.body_tasks import Crawl, Swim

# Where the search starts, its steps and its limits; the wavelength is searched by its logarithm.
NAMES = ("amplitude", "frequency", "wavelength", "ramp")
START = {"water": (0.7, 1.7, 1.5, 0.0), "agar": (0.7, 0.5, 0.65, 0.0)}  # as the animal does it
LOW, HIGH = (0.05, 0.1, 0.3, -0.9), (3.0, 3.0, 4.0, 2.0)
SPREAD = (0.3, 0.4, 0.4, 0.4)
UNITS = {"amplitude": "1", "frequency": "Hz", "wavelength": "body lengths", "ramp": "1", "speed": "body lengths/s"}


def wave_of(point: np.ndarray) -> Wave:
    """The wave of a point of the search."""
    return Wave(float(point[0]), float(point[1]), float(np.exp(point[2])), float(point[3]))


def speeds(medium: str, waves: list[Wave], copies: int, seconds: float, seed: int) -> np.ndarray:
    """Speed of the centroid after the first 2 s, mean over the starts [body lengths/s], shape (waves,)."""
    task = {"water": Swim, "agar": Crawl}[medium](len(waves) * copies)
    seeds = np.random.SeedSequence(seed).spawn(copies)
    # Every wave meets the same starts.
    rngs = [np.random.default_rng(each) for _ in waves for each in seeds]
    task.restart(np.arange(len(rngs)), rngs)
    phases = np.array([rng.uniform() for rng in rngs])
    active, interval, start = np.ones(len(rngs), bool), task.worms.interval, None
    for k in range(round(seconds / interval)):
        if k == round(2.0 / interval):
            start = task.centre.copy()
        actions = [wave.action((k + 0.5) * interval, copies, phases[copies * n : copies * (n + 1)])
                   for n, wave in enumerate(waves)]  # fmt: skip
        task.act(np.concatenate(actions), active)
    gone = np.linalg.norm(task.centre - start, axis=1) / task.length / (seconds - 2.0)
    return gone.reshape(len(waves), copies).mean(axis=1)


def search(args: argparse.Namespace, kept: Path) -> tuple[Wave, int, float]:
    """The best wave, the number tried and the CPU seconds that it took."""
    import cma

    if kept.exists():
        strategy, spent = pickle.loads(kept.read_bytes())
        print(f"going on from {kept} after {strategy.countevals} waves", flush=True)
    else:
        start = np.array(START[args.medium])
        start[2] = np.log(start[2])
        low, high = np.array(LOW), np.array(HIGH)
        low[2], high[2] = np.log(low[2]), np.log(high[2])
        strategy, spent = cma.CMAEvolutionStrategy(
            start, 1.0, {"seed": args.seed + 1, "bounds": [list(low), list(high)], "CMA_stds": list(SPREAD),
                         "popsize": args.waves, "verbose": -9},
        ), 0.0  # fmt: skip
    while strategy.countevals < args.evaluations:
        began, points = time.process_time(), strategy.ask()
        found = speeds(args.medium, [wave_of(each) for each in points], args.copies, args.seconds, args.seed)
        strategy.tell(points, list(-found))
        spent += time.process_time() - began
        write_atomically(kept, pickle.dumps((strategy, spent)))
        best = wave_of(strategy.result.xbest)
        print(f"{strategy.countevals:5d} waves, best {-strategy.result.fbest:.4f} L/s: {best}", flush=True)
    # The mean of the last distribution, not its luckiest member.
    return wave_of(strategy.result.xfavorite), strategy.countevals, spent


def main(arguments: list[str] | None = None) -> int:
    """Search, measure the result on starts that the search has not seen, and write its rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("medium", choices=tuple(START))
    parser.add_argument("--evaluations", type=int, default=300, help="waves to try")
    parser.add_argument("--waves", type=int, default=10, help="in a generation")
    parser.add_argument("--copies", type=int, default=2, help="starts on which each is tried")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("output/best_wave"))
    args = parser.parse_args(arguments)
    args.out.mkdir(parents=True, exist_ok=True)
    wave, tried, spent = search(args, args.out / f"{args.medium}_{args.seed}.pickle")
    unseen = float(speeds(args.medium, [wave], 16, args.seconds, args.seed + 1000)[0])
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    source = (
        f"found: sims/best_wave.py {args.medium} --evaluations {args.evaluations} --seed {args.seed}, commit "
        f"{commit.stdout.strip() or 'unknown'}, {tried} waves, {spent:.0f} CPU seconds; speed on 16 other starts"
    )
    rows = [{"medium": args.medium, "name": name, "value": f"{value:.4g}", "unit": UNITS[name], "source": source,
             "certainty": "medium"}
            for name, value in [*((name, getattr(wave, name)) for name in NAMES), ("speed", unseen)]]  # fmt: skip
    with open(args.out / f"{args.medium}.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    print(f"{wave}: {unseen:.4f} L/s; wrote {args.out / args.medium}.csv")
    return 0


if __name__ == "__main__":
    sys.exit(main())
