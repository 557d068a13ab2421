"""Does a gradient through brain and body find a gait as good as the committed search did, in an hour of two cores?

Question: sims/fit_gaits.py found the present gait by trying sets of values. From the start of its last search, how far
does Adam come that follows the gradient of the closed loop, by the same parameters?
Method: the loss is the part of that search's cost which has a derivative (`learning.gait_loss.GaitCost`): wave,
evenness, speed and turning on agar and in water, the turn of a worm that is steered, and speed and wave of a reversal
on command. Each step runs both media without noise, every third step with noise and every value perturbed by up to
10 %. Every few steps the whole cost of the search (`fit_gaits.cost` of a short evaluation: strides and copies off their
values included) is taken of the mean of the last steps, for two seeds, and the best is kept. At the end start, best,
and the set that the search found are evaluated with seeds that neither has seen.
Seeded and resumable: every step is a line of log.jsonl, with all that the next one needs.
Not part of it: tissue (`bending_stiffness`, `internal_viscosity_time`), by which there is no gradient; turns on
command and the worm without D neurons, which were not part of the search's last 59 evaluations either.
See: one line per step; costs.csv.
Time: about 25 core-seconds per step and 50 per evaluation.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import multiprocessing
import sys
import time
from pathlib import Path

import fit_gaits
import numpy as np
import pandas as pd

import tianbao as tb
from tianbao import parameters
from tianbao.body import Material
from tianbao.cli import run_script
from tianbao.commands import back_up, steer
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.learning.gait_loss import METRICS, MOST_MISSED, GaitCost
from tianbao.units import NA_PER_PA

FITS = Path(__file__).resolve().parents[1] / "docs" / "fits" / "gaits"
NAMES = tuple(name for name in fit_gaits.SEARCHED if name not in fit_gaits.TISSUE)
# [ms] of a run on agar: what is left out, the head steers, the path turns, the command to reverse, its wave runs, the
# end; in water.
SETTLED, STEERING, TURNING, COMMAND, BACKING, END = 2_500.0, 6_500.0, 7_000.0, 11_000.0, 11_500.0, 13_500.0
IN_WATER = (1_500.0, 5_500.0)
BACKWARDS = {"forward_speed_mm_s": fit_gaits.BACKWARDS["speed_mm_s"],
             "travelling_r2": fit_gaits.BACKWARDS["travelling_r2"]}  # fmt: skip
UNDER_WAY = {"path_turn_deg_s": tuple(fit_gaits.STEERED * each for each in fit_gaits.UNDER_WAY["slope"]),
             "forward_speed_mm_s": fit_gaits.UNDER_WAY["speed"]}  # fmt: skip
FIRST, SECOND, ROOT = 0.9, 0.99, 1e-3  # of Adam; ROOT in units of the cost per unit of the search
OFTEN = 3  # one step in so many has noise and perturbed values
FRESH = 300  # seeds of the last comparison begin here


def differentiable(ranges: dict[str, tuple[float, float, float]]) -> dict[str, tuple[float, float, float]]:
    """Those of a table of ranges that have a derivative."""
    return {name: each for name, each in ranges.items() if name in METRICS}


def loss_of(medium: str):
    """What is minimised in one run."""
    if medium == "water":
        return GaitCost(differentiable(fit_gaits.WATER), *IN_WATER)
    forwards = GaitCost(differentiable(fit_gaits.AGAR), SETTLED, STEERING)
    return forwards + GaitCost(UNDER_WAY, TURNING, COMMAND) + GaitCost(BACKWARDS, BACKING, END)


_simulation = None


def build(medium: str) -> None:
    """The worm of a worker process, which it re-tunes for every step."""
    global _simulation
    worm = tb.Worm()
    if medium == "agar":
        back_up(steer(worm, fit_gaits.STEERED * NA_PER_PA, STEERING, COMMAND), COMMAND, END)
    _simulation = tb.Simulation(worm, tb.Arena(medium), progress=False)


def slope(job: tuple[str, dict[str, float], int, bool]) -> tuple[float, np.ndarray, float]:
    """Loss of one run, its derivatives by the searched values in units of the search, and CPU seconds."""
    medium, values, seed, off = job
    clock = time.process_time()
    values = {**values, **fit_gaits.off({name: values[name] for name in NAMES}, seed)} if off else dict(values)
    if not off:
        values["noise"] = 0.0
    material = Material(**{attribute: values.pop(name) for name, (attribute, *_) in fit_gaits.TISSUE.items()})
    _simulation.retune(parameters.defaults().replace(**values), material)
    _simulation.seed = seed
    duration = IN_WATER[1] if medium == "water" else END
    try:
        found = tb.gradient(_simulation, loss_of(medium), NAMES, duration)
    except tb.DivergedError:
        return MOST_MISSED * len(NAMES), np.zeros(len(NAMES)), time.process_time() - clock
    units = [values[name] * fit_gaits.LOGARITHMIC[name] if name in fit_gaits.LOGARITHMIC else fit_gaits.ADDITIVE[name]
             for name in NAMES]  # fmt: skip
    return found.value, np.array([found[name] for name in NAMES]) * units, time.process_time() - clock


def values_at(x: np.ndarray, start: dict[str, float]) -> dict[str, float]:
    """Parameter values at a point of the search, tissue as at the start."""
    whole = dict(zip(NAMES, x, strict=True))
    return {**start, **fit_gaits.candidate(np.array([whole.get(name, 0.0) for name in fit_gaits.SEARCHED]), start)}


def costs(pools: dict, values: dict[str, float], number: int) -> tuple[float, dict[str, float] | None]:
    """Cost of the search's short evaluation with the seeds of a generation, and its numbers."""
    searched = {name: values[name] for name in fit_gaits.SEARCHED}
    jobs = {run: (run, searched, fit_gaits.seed_of(run, number), True) for run in fit_gaits.SHORT}
    results = {run: pools[fit_gaits.RUNS[run][0]].apply_async(fit_gaits.numbers_of, (job,))
               for run, job in jobs.items()}  # fmt: skip
    numbers = fit_gaits.measured({run: each.get() for run, each in results.items()})
    cost = float(fit_gaits.cost(np.array(list(numbers.values())))) if numbers else MOST_MISSED * len(NAMES)
    return cost, numbers


class Adam:
    """Kingma & Ba 2015 with a rate that falls as 1 / sqrt of the steps; where it stands is kept in each row."""

    def __init__(self, count: int, rate: float) -> None:
        self.x, self._first, self._second = np.zeros(count), np.zeros(count), np.zeros(count)
        self._rate, self.done = rate, 0

    def follow(self, found: np.ndarray) -> None:
        """One step down a slope."""
        self.done += 1
        self._first = FIRST * self._first + (1.0 - FIRST) * found
        self._second = SECOND * self._second + (1.0 - SECOND) * found**2
        mean = self._first / (1.0 - FIRST**self.done)
        size = np.sqrt(self._second / (1.0 - SECOND**self.done))
        self.x = self.x - self._rate / math.sqrt(1.0 + self.done / 20.0) * mean / (size + ROOT)


def descend(args: argparse.Namespace, start: dict[str, float], log: Path, pools: dict, own: dict) -> list[dict]:
    """All rows of the log, those of earlier runs first."""
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
    adam, began = Adam(len(NAMES), args.rate), time.monotonic()
    for row in rows:
        adam.follow(np.array(row["slope"]))
    spent = rows[-1]["seconds"] if rows else 0.0
    while adam.done < args.steps and spent < 60.0 * args.minutes:
        off = adam.done % OFTEN == OFTEN - 1
        values, seed = values_at(adam.x, start), fit_gaits.FIRST_SEED + adam.done
        jobs = [pool.apply_async(slope, ((medium, values, seed, off),)) for medium, pool in own.items()]
        found = [each.get() for each in jobs]
        row = {"step": adam.done, "off": off, "x": list(adam.x), "losses": [each[0] for each in found],
               "slope": list(sum(each[1] for each in found)), "cpu_s": sum(each[2] for each in found)}  # fmt: skip
        if adam.done % args.every == 0:
            recent = np.mean([each["x"] for each in [*rows, row][-args.every :]], axis=0)
            both = [costs(pools, values_at(recent, start), number) for number in (0, 1)]
            row |= {"mean": list(recent), "cost": float(np.mean([each for each, _ in both]))}
            row["numbers"] = [numbers for _, numbers in both]
        adam.follow(np.array(row["slope"]))
        rows.append(row)
        spent, began = spent + time.monotonic() - began, time.monotonic()
        row["seconds"] = spent
        with log.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(row) + "\n")
        told = f"cost {row['cost']:.2f}" if "cost" in row else ""
        print(f"{row['step']:4d} {'off' if off else '   '} agar {row['losses'][0]:6.2f} water {row['losses'][1]:6.2f} "
              f"{spent / 60.0:6.1f} min {told}", flush=True)  # fmt: skip
    return rows


def main(args: argparse.Namespace) -> int:
    """Descend, compare, write."""
    folder = prepare_folder(args.out)
    read = {name: json.loads((FITS / f"{name}.json").read_text(encoding="utf-8"))["parameters"]
            for name in ("start", "adopted")}  # fmt: skip
    base = {**parameters.defaults(), **{name: tb.body.material.constant(name) for name in fit_gaits.TISSUE}}
    start, adopted = {**base, **read["start"]}, {**base, **read["adopted"]}
    logged = [json.loads(line) for line in (FITS / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    found = {**base, **min(logged, key=lambda row: row["cost"])["parameters"]}
    fit_gaits.same_settings(folder / "settings.json", {
        "rate": args.rate, "every": args.every, "from": start, "parameters": list(NAMES),
    })  # fmt: skip
    context = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as stack:
        workers = dict.fromkeys(fit_gaits.RUNS[run][0] for run in fit_gaits.SHORT)
        pools = {each: stack.enter_context(context.Pool(1, fit_gaits.quietly, (each,))) for each in workers}
        own = {each: stack.enter_context(context.Pool(1, build, (each,))) for each in ("agar", "water")}
        rows = descend(args, start, folder / "log.jsonl", pools, own)
        best = min((row for row in rows if "cost" in row), key=lambda row: row["cost"])
        polished = values_at(np.array(best["mean"]), start)
        sets = {"start": start, "search": found, "adopted": adopted, "gradient": polished}
        compared = [{"set": name, "seed": fit_gaits.FIRST_SEED + number, "cost": cost, **(numbers or {})}
                    for number in range(FRESH, FRESH + args.fresh) for name, values in sets.items()
                    for cost, numbers in [costs(pools, values, number)]]  # fmt: skip
    write_atomically(folder / "costs.csv", pd.DataFrame(compared).to_csv(index=False, float_format="%.4g").encode())
    kept = {
        "cost": best["cost"], "step": best["step"], "minutes": rows[-1]["seconds"] / 60.0,
        "cpu_s": sum(row["cpu_s"] for row in rows), "parameters": {name: polished[name] for name in read["start"]},
    }  # fmt: skip
    write_atomically(folder / "best.json", json.dumps(kept, indent=1).encode())
    print(pd.DataFrame(compared).pivot(index="set", columns="seed", values="cost").to_string(float_format="%.2f"))
    print(f"wrote log.jsonl, costs.csv and best.json in {folder}")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=400, help="of Adam, at most (%(default)s)")
    parser.add_argument("--minutes", type=float, default=60.0, help="on the wall, evaluations included (%(default)s)")
    parser.add_argument("--rate", type=float, default=0.01, help="of Adam, in units of the search (%(default)s)")
    parser.add_argument("--every", type=int, default=10, help="steps between two evaluations (%(default)s)")
    parser.add_argument("--fresh", type=int, default=5, help="seeds of the last comparison (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("output/fit_gaits_by_gradient"))
    sys.exit(run_script(main, parser.parse_args()))
