"""Fit the class-level parameters until one worm crawls on agar and swims in water.

Question: is there one set of class gains (no value per synapse) with which 302 cells do both?
Method: CMA-ES on the full model, seeded and resumable: every evaluation is appended to the log, and a
restart replays the log before it computes anything new. Each candidate runs three times, each in a
process of its own: intact on agar, intact in water, and on agar without DD and VD neurons.
See: one line per evaluation; the best set is written as JSON with its cost and gaits.
Time: about a quarter of a minute per evaluation on two cores.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import multiprocessing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import tianbao as tb
from tianbao import parameters
from tianbao.io.files import prepare_folder

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


@dataclass(frozen=True)
class Target:
    """Windows that a good gait lies in, a miss costs per octave; speed to reach [mm/s]; run [ms] and body step [ms]."""

    windows: dict[str, tuple[float, float]]
    speed: float
    duration: float
    tick: float


AGAR = Target(
    {"frequency_hz": (0.35, 0.55), "wavelength_body_lengths": (0.60, 0.75), "amplitude": (6.0, 9.0)},
    speed=0.18, duration=11_000.0, tick=4.0,
)  # fmt: skip
WATER = Target(
    {"frequency_hz": (1.5, 2.2), "wavelength_body_lengths": (1.3, 1.75), "amplitude": (4.5, 8.0)},
    speed=0.16, duration=7_000.0, tick=2.0,
)  # fmt: skip
ABLATED = ("DD*", "VD*")  # GABA-deficient worms are slower (Deng 2021)
ABLATED_SHARE = (0.35, 0.55)  # of the intact speed that an ablated worm reaches at no cost
# What the three processes of a candidate simulate.
JOBS = {"agar": (AGAR, ()), "water": (WATER, ()), "ablated": (AGAR, ABLATED)}


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


def cost(gait, target: Target) -> float:
    """Distance from a good gait; 0 is inside every window."""
    alive = min(1.0, gait.amplitude / 3.0)
    total = 3.0 * (1.0 - alive)
    for name, (low, high) in target.windows.items():
        value = max(getattr(gait, name), 1e-3)
        miss = max(math.log2(low / value), math.log2(value / high), 0.0)
        total += 1.5 * (alive * min(miss, 2.0) + (1.0 - alive) * 2.0)
    total += 2.0 * min(max(0.0, 1.0 - gait.forward_speed_mm_s / target.speed), 1.5)
    total += 1.0 - alive * gait.peak_share + (0.0 if gait.wave_direction > 0 else 2.0 * alive)
    total += 0.5 * (1.0 - gait.straightness) + 0.3 * min(abs(gait.bias) / 2.0, 2.0)
    tail = gait.amplitude_tail / max(gait.amplitude, 1e-3)
    head = gait.amplitude_head / max(gait.amplitude, 1e-3)
    return total + 0.5 * max(0.0, 1.0 - tail / 0.6) + 0.5 * max(0.0, 1.0 - head / 0.5)


_simulation = None


def build(job: str) -> None:
    """Give a worker process the network it keeps between candidates."""
    global _simulation
    target, ablated = JOBS[job]
    worm = tb.Worm()
    if ablated:
        worm.ablate(*ablated)
    medium = "water" if job == "water" else "agar"
    clock = tb.Clock(tick=target.tick)
    _simulation = tb.Simulation(worm, tb.Arena(medium), clock=clock, engine="native", progress=False)


def gait_of(job: tuple[dict[str, float], int, float]):
    """Gait of one candidate on this worker's network; None if the run diverged."""
    values, seed, duration = job
    _simulation.retune(parameters.defaults().replace(**values))
    _simulation.seed = seed
    try:
        return _simulation.run(duration).gait()
    except tb.DivergedError:
        return None


def row_of(values: dict[str, float], gaits: dict) -> dict:
    """Log entry of one evaluation."""
    if None in gaits.values():
        return {"cost": 20.0, "parameters": values}
    share = gaits["ablated"].forward_speed_mm_s / max(gaits["agar"].forward_speed_mm_s, 1e-3)
    low, high = ABLATED_SHARE
    total = cost(gaits["agar"], AGAR) + cost(gaits["water"], WATER)
    total += 2.0 * min(max(0.0, low - share, share - high), 1.0)
    return {"cost": total, **{job: gait.as_dict() for job, gait in gaits.items()}, "parameters": values}


def generation(pools: dict, search, start: dict[str, float], replayed: list[dict], number: int, duration: float | None):
    """Yield the rows of one generation, those of the log first, then tell the search."""
    points = search.ask()
    if number == 0:
        points[0] = np.zeros(len(SEARCHED))
    values = [candidate(x, start) for x in points[len(replayed) :]]
    rows = list(replayed)
    jobs = {job: [(each, 1 + number, duration or JOBS[job][0].duration) for each in values] for job in JOBS}
    results = zip(*(pools[job].imap(gait_of, jobs[job]) for job in JOBS), strict=True)
    for each, gaits in zip(values, results, strict=True):
        rows.append(row_of(each, dict(zip(JOBS, gaits, strict=True))))
        yield rows[-1]
    search.tell(points, [row["cost"] for row in rows])


def line_of(row: dict) -> str:
    """What the console shows of an evaluation."""
    parts = [f"cost {row['cost']:.2f}"]
    for job in JOBS:
        if job in row:
            gait = row[job]
            wave = f"{gait['frequency_hz']:.2f} Hz {gait['wavelength_body_lengths']:.2f} L"
            parts.append(f"{job} {gait['forward_speed_mm_s']:+.3f} mm/s {wave} kL {gait['amplitude']:.1f}")
    return "  ".join(parts)


def arguments() -> argparse.Namespace:
    """Command line of the search."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("output/fit_gaits"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sigma", type=float, default=0.05)
    parser.add_argument("--evaluations", type=int, default=80)
    parser.add_argument("--duration", type=float, help="ms of every run instead of those of AGAR and WATER")
    parser.add_argument("--start", type=Path, help="JSON with the parameter values to start from")
    return parser.parse_args()


def same_settings(path: Path, settings: dict) -> None:
    """Refuse to go on with a log that other settings made.

    Raises:
        ConfigError: naming the folder.
    """
    wanted = json.dumps(
        {key: value for key, value in settings.items() if key not in ("out", "evaluations") and value is not None},
        indent=1,
    )
    if path.exists() and path.read_text() != wanted:
        raise tb.ConfigError(f"{path.parent} holds a search with other settings: choose another --out")
    path.write_text(wanted)


def main() -> None:
    """Run or resume the search."""
    args = arguments()
    import cma

    if args.evaluations < 1:
        raise SystemExit("--evaluations must be at least 1")

    start = dict(parameters.defaults())
    if args.start:
        start.update(json.loads(args.start.read_text())["parameters"])
    same_settings(prepare_folder(args.out) / "settings.json", {**vars(args), "start": start})
    log = args.out / "log.jsonl"
    known = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    options = {"popsize": POPULATION, "seed": args.seed, "verbose": -9}
    search = cma.CMAEvolutionStrategy(np.zeros(len(SEARCHED)), args.sigma, options)
    context = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as stack:
        pools = {job: stack.enter_context(context.Pool(1, build, (job,))) for job in JOBS}
        for number in range(math.ceil(args.evaluations / POPULATION)):
            replayed = known[number * POPULATION : (number + 1) * POPULATION]
            for row in generation(pools, search, start, replayed, number, args.duration):
                known.append(row)
                with log.open("a") as lines:
                    lines.write(json.dumps(row) + "\n")
                print(f"{len(known):4d}  {line_of(row)}", flush=True)
            best = min(known, key=lambda each: each["cost"])
            (args.out / "best.json").write_text(json.dumps(best, indent=1))
    print(f"best: {line_of(best)}; wrote log.jsonl and best.json in {args.out}")


if __name__ == "__main__":
    main()
