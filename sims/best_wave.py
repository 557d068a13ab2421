"""Which prescribed wave of its muscles moves a worm farthest?

CMA-ES tries travelling sines of bending (tianbao.learning.baselines.Wave) on a body without a nervous system, each on
worms that start with a random posture and phase, all worms of a generation in one batch. What it has found so far is
kept after every generation: the same command, or one with more --evaluations, goes on from there. A row of
tianbao/learning/waves.csv says by which command and at what cost it was found.
See: body lengths per second of the best wave, to compare a trained policy with.
Time: about ten minutes for 300 waves in water on one core.
"""

from __future__ import annotations

import argparse
import csv
import io
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from tianbao.cli import run_script
from tianbao.errors import ConfigError
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.learning.baselines import Wave
from tianbao.learning.body_tasks import Crawl, Swim

# Where the search starts, its steps and its limits; the wavelength is searched by its logarithm.
NAMES = ("amplitude", "frequency", "wavelength", "ramp")
START = {"water": (0.7, 1.7, 1.5, 0.0), "agar": (0.7, 0.5, 0.65, 0.0)}  # as the animal does it
LOW, HIGH = (0.05, 0.1, 0.3, -0.9), (3.0, 3.0, 4.0, 2.0)
SPREAD = (0.3, 0.4, 0.4, 0.4)
OF_SEARCH = ("medium", "waves", "copies", "seconds", "seed")  # options that choose it
STARTED = 2.0  # [s] of every wave that are not measured
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
        if k == round(STARTED / interval):
            start = task.centre.copy()
        actions = [wave.action((k + 0.5) * interval, copies, phases[copies * n : copies * (n + 1)])
                   for n, wave in enumerate(waves)]  # fmt: skip
        task.act(np.concatenate(actions), active)
    gone = np.linalg.norm(task.centre - start, axis=1) / task.length / (seconds - STARTED)
    return gone.reshape(len(waves), copies).mean(axis=1)


def restored(kept: Path, args: argparse.Namespace) -> tuple[object, float]:
    """The search that a file holds, and the CPU seconds that it took.

    Raises:
        ConfigError: for a search with other options, or one that has gone farther than it is asked to.
    """
    found = pickle.loads(kept.read_bytes())
    if not isinstance(found, dict):
        raise ConfigError(f"{kept} does not say which options it is of; give another --out")
    theirs = found["options"]
    if other := [name for name in OF_SEARCH if theirs[name] != getattr(args, name)]:
        told = " ".join(f"--{name} {theirs[name]}" for name in other)
        raise ConfigError(f"{kept} is of a search with {told}; give that again, or another --out")
    if found["strategy"].countevals >= args.evaluations + args.waves:
        tried = found["strategy"].countevals
        raise ConfigError(f"{kept} has tried {tried} waves already; give as many --evaluations, or another --out")
    return found["strategy"], found["spent"]


def search(args: argparse.Namespace, kept: Path) -> tuple[Wave, int, float]:
    """The best wave, the number tried and the CPU seconds that it took."""
    import cma

    if kept.exists():
        strategy, spent = restored(kept, args)
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
        options = {name: getattr(args, name) for name in OF_SEARCH}
        write_atomically(kept, pickle.dumps({"options": options, "strategy": strategy, "spent": spent}))
        best = wave_of(strategy.result.xbest)
        print(f"{strategy.countevals:5d} waves, best {-strategy.result.fbest:.4f} L/s: {best}", flush=True)
    # The mean of the last distribution, not its luckiest member.
    return wave_of(strategy.result.xfavorite), strategy.countevals, spent


def experiment(args: argparse.Namespace) -> int:
    """Search, measure the result on starts that the search has not seen, and write its rows."""
    if not args.seconds > STARTED:
        raise ConfigError(f"--seconds must be above {STARTED:g}, from which on the way is measured")
    folder = prepare_folder(args.out)
    wave, tried, spent = search(args, folder / f"{args.medium}_{args.seed}.pickle")
    unseen = float(speeds(args.medium, [wave], 16, args.seconds, args.seed + 1000)[0])
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    source = (
        f"found: sims/best_wave.py {args.medium} --evaluations {args.evaluations} --waves {args.waves} --copies "
        f"{args.copies} --seconds {args.seconds:g} --seed {args.seed}, commit {commit.stdout.strip() or 'unknown'}, "
        f"{tried} waves, {spent:.0f} CPU seconds; speed on 16 other starts"
    )
    rows = [{"medium": args.medium, "name": name, "value": f"{value:.4g}", "unit": UNITS[name], "source": source,
             "certainty": "medium"}
            for name, value in [*((name, getattr(wave, name)) for name in NAMES), ("speed", unseen)]]  # fmt: skip
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    file = write_atomically(folder / f"{args.medium}.csv", text.getvalue().encode())
    print(f"{wave}: {unseen:.4f} L/s; wrote {file}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Options of the search."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("medium", choices=tuple(START))
    parser.add_argument("--evaluations", type=int, default=300, help="waves to try")
    parser.add_argument("--waves", type=int, default=10, help="in a generation")
    parser.add_argument("--copies", type=int, default=2, help="starts on which each is tried")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("output/best_wave"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
