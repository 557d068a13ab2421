"""Fit the class-level parameters until the connectome makes the worm crawl on agar.

Question: is there one set of class gains (no value per synapse) with which 302 cells crawl?
Method: CMA-ES on the full model, agar only, seeded and resumable: every evaluation is appended
to the log, and a restart replays the log before it computes anything new.
See: one line per evaluation; the best set is written as JSON with its cost and gait.
Time: about half a minute per evaluation and core; a few hundred evaluations.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import time
from pathlib import Path

import numpy as np

import tianbao as tb
from tianbao import parameters

# Searched parameters and the size of one unit of the search: a factor e, or an addition.
LOGARITHMIC = {
    "excitatory_gain": 1.0, "inhibitory_gain": 1.0, "gap_gain": 0.7, "avb_conductance": 0.7,
    "cord_stretch_gain": 1.0, "head_stretch_gain": 1.0, "cord_window_length": 0.7,
    "cord_window_offset": 0.7, "nmj_excitatory_gain": 0.7, "nmj_inhibitory_gain": 0.7,
    "muscle_tau": 0.5, "peak_curvature": 0.5,
}  # fmt: skip
ADDITIVE = {"cord_bias": 1.5, "vb_bias": 1.0, "head_bias": 2.0, "avb_reversal": 10.0, "capacitance_exponent": 0.4}
SEARCHED = [*LOGARITHMIC, *ADDITIVE]
POPULATION = 8

# Windows a good crawl lies in, and how much a miss costs (per octave, or per unit).
TARGET = {"frequency_hz": (0.35, 0.55), "wavelength_body_lengths": (0.58, 0.72), "amplitude": (6.0, 9.0)}
SPEED = 0.18


def candidate(x: np.ndarray, start: dict[str, float]) -> dict[str, float]:
    """Parameter values at a point of the search cube, clipped to their allowed range."""
    rows, values = parameters.table(), {}
    for name, u in zip(SEARCHED, x, strict=True):
        if name in LOGARITHMIC:
            moved = start[name] * math.exp(u * LOGARITHMIC[name])
        else:
            moved = start[name] + u * ADDITIVE[name]
        values[name] = float(np.clip(moved, rows[name].low, rows[name].high))
    return values


def cost(gait) -> float:
    """Distance from a good crawl; 0 is inside every window."""
    alive = min(1.0, gait.amplitude / 3.0)
    total = 3.0 * (1.0 - alive)
    for name, (low, high) in TARGET.items():
        value = max(getattr(gait, name), 1e-3)
        miss = max(math.log2(low / value), math.log2(value / high), 0.0)
        total += 1.5 * (alive * min(miss, 2.0) + (1.0 - alive) * 2.0)
    total += 2.0 * min(max(0.0, 1.0 - gait.forward_speed_mm_s / SPEED), 1.5)
    total += 1.0 - alive * gait.peak_share + (0.0 if gait.wave_direction > 0 else 2.0 * alive)
    total += 0.5 * (1.0 - gait.straightness) + 0.3 * min(abs(gait.bias) / 2.0, 2.0)
    tail = gait.amplitude_tail / max(gait.amplitude, 1e-3)
    head = gait.amplitude_head / max(gait.amplitude, 1e-3)
    return total + 0.5 * max(0.0, 1.0 - tail / 0.6) + 0.5 * max(0.0, 1.0 - head / 0.5)


_simulation = None


def evaluate(job: tuple[dict[str, float], int, float]) -> dict:
    """One candidate in a worker process that keeps its network between candidates."""
    global _simulation
    values, seed, duration = job
    started = time.perf_counter()
    try:
        if _simulation is None:
            _simulation = tb.Simulation(tb.Worm(), tb.Arena("agar"), progress=False)
        _simulation.retune(parameters.defaults().replace(**values))
        _simulation.seed = seed
        gait = _simulation.run(duration).gait()
    except tb.DivergedError as error:
        return {"cost": 20.0, "error": str(error), "wall_s": time.perf_counter() - started}
    return {"cost": cost(gait), "gait": gait.as_dict(), "wall_s": time.perf_counter() - started}


def generation(pool, search, start: dict[str, float], replayed: list[dict], number: int, duration: float):
    """One generation: points asked for, and a row for each, replayed or computed; rows come as they finish."""
    points = search.ask()
    if number == 0:
        points[0] = np.zeros(len(SEARCHED))
    jobs = [(candidate(x, start), 1 + number, duration) for x in points[len(replayed) :]]
    rows = list(replayed)
    for job, row in zip(jobs, pool.imap(evaluate, jobs), strict=True):
        row["parameters"] = job[0]
        rows.append(row)
        yield row, None
    search.tell(points, [row["cost"] for row in rows])
    yield None, rows


def line_of(row: dict) -> str:
    """What the console shows of an evaluation."""
    shown = ("forward_speed_mm_s", "frequency_hz", "wavelength_body_lengths", "amplitude", "peak_share", "straightness")
    gait = row.get("gait", {})
    return f"cost {row['cost']:.2f}  " + "  ".join(f"{name} {gait[name]:.3g}" for name in shown if name in gait)


def arguments() -> argparse.Namespace:
    """Command line of the search."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("output/fit"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sigma", type=float, default=0.15)
    parser.add_argument("--evaluations", type=int, default=160)
    parser.add_argument("--duration", type=float, default=12_000.0, help="ms per evaluation")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--start", type=Path, help="JSON with the parameter values to start from")
    return parser.parse_args()


def main() -> None:
    """Run or resume the search."""
    args = arguments()
    import cma

    start = dict(parameters.defaults())
    if args.start:
        start.update(json.loads(args.start.read_text())["parameters"])
    args.out.mkdir(parents=True, exist_ok=True)
    log = args.out / "log.jsonl"
    known = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    options = {"popsize": POPULATION, "seed": args.seed, "verbose": -9}
    search = cma.CMAEvolutionStrategy(np.zeros(len(SEARCHED)), args.sigma, options)
    with multiprocessing.get_context("spawn").Pool(args.workers) as pool:
        for number in range(math.ceil(args.evaluations / POPULATION)):
            replayed = known[number * POPULATION : (number + 1) * POPULATION]
            for row, _ in generation(pool, search, start, replayed, number, args.duration):
                if row is not None:
                    known.append(row)
                    with log.open("a") as lines:
                        lines.write(json.dumps(row) + "\n")
                    print(f"{len(known):4d}  {line_of(row)}", flush=True)
            best = min(known, key=lambda each: each["cost"])
            (args.out / "best.json").write_text(json.dumps(best, indent=1))
    print(f"best: {line_of(best)}; wrote log.jsonl and best.json in {args.out}")


if __name__ == "__main__":
    main()
