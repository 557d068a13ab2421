"""Does the gradient through brain and body find a gait as good as the committed search did, in an hour of two cores?

Question: sims/fit_gaits.py found the present gait by trying sets of values: it fits a linear response to what hundreds
of runs had measured, and tries the sets that promise least cost. From the start of its last search, how far does the
same descent come whose linear response is the derivative of every metric through the closed loop?
Method: Gauss and Newton. At each place, `tianbao.jacobian` gives the slopes of the metrics on agar, in water, steered
and in a reversal on command (`learning.gait_loss.GaitCost`), of runs without noise. With them the cost of the search
(`fit_gaits.cost` of a short evaluation) is predicted around the place, and its lowest point within a radius and within
half of it are evaluated, with the same two seeds throughout. The better one is the next place if it costs less, else
the radius halves. Metrics without a slope (duty, strides, the tail in a reversal) are predicted not to change; copies
off their values to change as the worm itself.
At the end the start, what was found, and what the search found are evaluated with seeds that none of them has seen.
Seeded and resumable: every step is a line of log.jsonl, with all that the next one needs.
Not part of it: tissue (`bending_stiffness`, `internal_viscosity_time`), by which there is no gradient; turns on
command and the worm without D neurons, which were not part of the search's last 59 evaluations either.
See: one line per step; costs.csv.
Time: about six core-minutes per step, of which half are slopes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
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
from tianbao.body.material import constant
from tianbao.cli import run_script
from tianbao.commands import back_up, steer
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.learning.gait_loss import METRICS, GaitCost
from tianbao.units import NA_PER_PA

FITS = Path(__file__).resolve().parents[1] / "docs" / "fits" / "gaits"
NAMES = tuple(name for name in fit_gaits.SEARCHED if name not in fit_gaits.TISSUE)
# [ms] of a run on agar: what is left out, the head steers, the path turns, the command to reverse, its wave runs, the
# end; in water.
SETTLED, STEERING, TURNING, COMMAND, BACKING, END = 2_500.0, 6_500.0, 7_000.0, 11_000.0, 11_500.0, 13_500.0
IN_WATER = (1_500.0, 5_500.0)
SEEDS = (0, 1)  # generations of the search whose seeds are used
FRESH = 300  # the same for the last comparison, from here on
TRIES = 40_000  # points at which the predicted cost is looked at

# Group of metrics -> medium, when its run ends, part of it that counts [ms], and metric of GaitCost -> the metrics of
# the search that change with it, and how much.
WATER = {name: {f"water.{name}": 1.0, f"off, water.{name}": 1.0} for name in fit_gaits.WATER if name in METRICS}
AGAR = {name: {f"agar.{name}": 1.0, f"off, agar.{name}": 1.0} for name in fit_gaits.AGAR if name in METRICS}
STEERED = {"path_turn_deg_s": {"steered.slope": 1.0 / fit_gaits.STEERED}, "forward_speed_mm_s": {"steered.speed": 1.0}}
BACKWARDS = {"forward_speed_mm_s": {"backwards.speed_mm_s": 1.0}, "travelling_r2": {"backwards.travelling_r2": 1.0}}
GROUPS = {
    "water": ("water", IN_WATER[1], ((IN_WATER, WATER),)),
    "agar": ("agar", STEERING, (((SETTLED, STEERING), AGAR),)),
    "commands": ("agar", END, (((TURNING, COMMAND), STEERED), ((BACKING, END), BACKWARDS))),
}
ANYTHING = (-math.inf, math.inf, 1.0)

_simulation = None


def build(medium: str) -> None:
    """The worm of a process that differentiates, re-tuned for every step."""
    global _simulation
    logging.getLogger("tianbao").setLevel(logging.ERROR)
    worm = tb.Worm()
    if medium == "agar":
        back_up(steer(worm, fit_gaits.STEERED * NA_PER_PA, STEERING, COMMAND), COMMAND, END)
    _simulation = tb.Simulation(worm, tb.Arena(medium), progress=False)


def evaluator(worker: str) -> None:
    """The worm of a process that evaluates. Its commands are made for longer runs, which need not be said each time."""
    logging.getLogger("tianbao").setLevel(logging.ERROR)
    fit_gaits.build(worker)


def metric(cost: GaitCost, name: str):
    """One metric as a loss; nothing to follow where it cannot be measured."""

    def loss(rollout):
        value, weights = cost.metrics(rollout)[name]
        return (value, weights) if math.isfinite(value) else (0.0, {})

    return loss


def slopes(job: tuple[str, dict[str, float], int]) -> tuple[dict[str, list[float]], float]:
    """Slope of every metric of the search that a group tells of, by units of the search, and CPU seconds."""
    group, values, seed = job
    clock = time.process_time()
    _, end, parts = GROUPS[group]
    values = {**values, "noise": 0.0}
    material = Material(**{attribute: values.pop(name) for name, (attribute, *_) in fit_gaits.TISSUE.items()})
    _simulation.retune(parameters.defaults().replace(**values), material)
    _simulation.seed = seed
    told = [(changed, metric(GaitCost({name: ANYTHING}, *window), name))
            for window, metrics in parts for name, changed in metrics.items()]  # fmt: skip
    found = tb.jacobian(_simulation, [loss for _, loss in told], NAMES, end)
    units = np.array([values[name] * fit_gaits.LOGARITHMIC[name] if name in fit_gaits.LOGARITHMIC
                      else fit_gaits.ADDITIVE[name] for name in NAMES])  # fmt: skip
    by = {target: list(share * units * [each[name] for name in NAMES])
          for (changed, _), each in zip(told, found, strict=True) for target, share in changed.items()}  # fmt: skip
    return by, time.process_time() - clock


def values_at(x: np.ndarray, start: dict[str, float]) -> dict[str, float]:
    """Parameter values at a point of the search, tissue as at the start."""
    whole = dict(zip(NAMES, x, strict=True))
    return {**start, **fit_gaits.candidate(np.array([whole.get(name, 0.0) for name in fit_gaits.SEARCHED]), start)}


def evaluated(pools: dict, sets: list[dict[str, float]], numbers: tuple[int, ...]) -> list[list[np.ndarray]]:
    """What the search measures of every set of values, in the order of its metrics, for the seeds of generations."""
    jobs = []
    for values in sets:
        searched = {name: values[name] for name in fit_gaits.SEARCHED}
        for number in numbers:
            runs = {run: (run, searched, fit_gaits.seed_of(run, number), True) for run in fit_gaits.SHORT}
            jobs.append({run: pools[fit_gaits.RUNS[run][0]].apply_async(fit_gaits.numbers_of, (job,))
                         for run, job in runs.items()})  # fmt: skip
    found = [fit_gaits.measured({run: each.get() for run, each in job.items()}) for job in jobs]
    rows = [np.array([np.nan if each is None else each[name] for name in fit_gaits.SHORT_METRICS], float)
            for each in found]  # fmt: skip
    return [rows[k : k + len(numbers)] for k in range(0, len(rows), len(numbers))]


def mean_cost(numbers: list[np.ndarray]) -> float:
    """Mean over seeds of the cost of the search."""
    return float(np.mean([fit_gaits.cost(each) for each in numbers]))


def lowest(numbers: list[np.ndarray], jacobian: np.ndarray, radius: float, rng: np.random.Generator) -> np.ndarray:
    """The move with the lowest predicted cost whose root mean square over parameters is at most a radius."""
    count = jacobian.shape[1]
    here, best, size = np.zeros(count), math.inf, math.sqrt(count)
    for scale in np.repeat([1.0, 0.5, 0.25, 0.12, 0.06], TRIES // 5 // 200):
        tries = here + rng.normal(0.0, scale * radius, (200, count)) * (rng.random((200, count)) < 0.3)
        tries *= np.minimum(1.0, radius * size / np.maximum(np.linalg.norm(tries, axis=1), 1e-12))[:, None]
        costs = np.mean([fit_gaits.cost(each + tries @ jacobian.T) for each in numbers], axis=0)
        if costs.min() < best:
            here, best = tries[np.argmin(costs)], float(costs.min())
    return here


def descend(args: argparse.Namespace, start: dict[str, float], log: Path, pools: dict, own: dict) -> list[dict]:
    """All rows of the log, those of earlier runs first. Row 0 is the start."""
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
    jacobian = None
    while not rows or (rows[-1]["minutes"] < args.minutes and rows[-1]["radius"] > args.least):
        began, cpu = time.monotonic(), 0.0
        if not rows:
            x, radius = np.zeros(len(NAMES)), args.radius
            numbers, told = evaluated(pools, [start], SEEDS)[0], ""
        else:
            place = next(row for row in reversed(rows) if row["taken"])
            x, radius = np.array(place["x"]), rows[-1]["radius"]
            numbers = [np.array(each, float) for each in place["numbers"]]
            if rows[-1]["taken"] or jacobian is None:
                values = values_at(x, start)
                jobs = [own[each].apply_async(slopes, ((each, values, fit_gaits.FIRST_SEED),)) for each in GROUPS]
                found = [each.get() for each in jobs]
                by, cpu = {name: each for part, _ in found for name, each in part.items()}, sum(s for _, s in found)
                jacobian = np.array([by.get(name, [0.0] * len(NAMES)) for name in fit_gaits.SHORT_METRICS])
            rng = np.random.default_rng([args.seed, len(rows)])
            moves = [lowest(numbers, jacobian, share * radius, rng) for share in (1.0, 0.5)]
            predicted = [mean_cost([each + jacobian @ move for each in numbers]) for move in moves]
            tried = evaluated(pools, [values_at(x + move, start) for move in moves], SEEDS)
            costs, before = [mean_cost(each) for each in tried], mean_cost(numbers)
            told = (f"predicted {predicted[0]:.2f}, {predicted[1]:.2f} within {radius:.3f}, {0.5 * radius:.3f}; "
                    f"came {costs[0]:.2f}, {costs[1]:.2f}")  # fmt: skip
            best = int(np.argmin(costs))
            if taken := costs[best] < before:
                x, numbers, radius = x + moves[best], tried[best], radius * (1.2, 0.7)[best]
            else:
                radius *= 0.4
        row = {"x": list(x), "numbers": [list(each) for each in numbers], "cost": mean_cost(numbers), "radius": radius,
               "taken": bool(not rows or taken), "slopes_cpu_s": cpu}  # fmt: skip
        row["minutes"] = (rows[-1]["minutes"] if rows else 0.0) + (time.monotonic() - began) / 60.0
        rows.append(row)
        with log.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(row) + "\n")
        print(f"{len(rows) - 1:3d}  cost {row['cost']:.2f}  {row['minutes']:5.1f} min  {told}", flush=True)
    return rows


def main(args: argparse.Namespace) -> int:
    """Descend, compare, write."""
    folder = prepare_folder(args.out)
    base = {**parameters.defaults(), **{name: constant(name) for name in fit_gaits.TISSUE}}
    start, adopted = ({**base, **json.loads((FITS / f"{name}.json").read_text(encoding="utf-8"))["parameters"]}
                      for name in ("start", "adopted"))  # fmt: skip
    logged = [json.loads(line) for line in (FITS / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    found = {**base, **min(logged, key=lambda row: row["cost"])["parameters"]}
    fit_gaits.same_settings(folder / "settings.json", {
        "seed": args.seed, "first radius": args.radius, "from": start, "parameters": list(NAMES),
    })  # fmt: skip
    context = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as stack:
        workers = dict.fromkeys(fit_gaits.RUNS[run][0] for run in fit_gaits.SHORT)
        pools = {each: stack.enter_context(context.Pool(1, evaluator, (each,))) for each in workers}
        own = {each: stack.enter_context(context.Pool(1, build, (GROUPS[each][0],))) for each in GROUPS}
        rows = descend(args, start, folder / "log.jsonl", pools, own)
        best = min(rows, key=lambda row: row["cost"])
        polished = values_at(np.array(best["x"]), start)
        sets = {"start": start, "search": found, "adopted": adopted, "gradient": polished}
        seeds = tuple(range(FRESH, FRESH + args.fresh))
        measured = dict(zip(sets, evaluated(pools, list(sets.values()), seeds), strict=True))
    compared = pd.DataFrame([
        {"set": name, "seed": fit_gaits.FIRST_SEED + number, "cost": float(fit_gaits.cost(each)),
         **dict(zip(fit_gaits.SHORT_METRICS, each, strict=True))}
        for name, runs in measured.items() for number, each in zip(seeds, runs, strict=True)
    ])  # fmt: skip
    write_atomically(folder / "costs.csv", compared.to_csv(index=False, float_format="%.4g").encode())
    kept = {"cost": best["cost"], "steps": len(rows) - 1, "minutes": rows[-1]["minutes"],
            "parameters": {name: polished[name] for name in fit_gaits.SEARCHED}}  # fmt: skip
    write_atomically(folder / "best.json", json.dumps(kept, indent=1).encode())
    print(compared.pivot(index="set", columns="seed", values="cost").to_string(float_format="%.2f"))
    print(f"wrote log.jsonl, costs.csv and best.json in {folder}")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="on the wall (%(default)s)")
    parser.add_argument("--radius", type=float, default=0.06, help="of the first step, in units of the search")
    parser.add_argument("--least", type=float, default=0.002, help="radius at which it stops (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the points looked at (%(default)s)")
    parser.add_argument("--fresh", type=int, default=5, help="seeds of the last comparison (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("output/fit_gaits_by_gradient"))
    sys.exit(run_script(main, parser.parse_args()))
