"""Does a gradient polish a gait faster than a search without one?

Question: from a start that is perturbed by some per cent in twenty parameters, how far do Adam with the gradient
through brain and body and CMA-ES without gradients come at equal CPU time?
Method: both minimise one smooth surrogate of what sims/fit_gaits.py asks on agar: deviation from a wave of 0.5 Hz,
0.6 L and kappa L 7 that travels to the tail (the middles of its ranges; `losses.TravellingWave`), less the forward
speed in units of 0.03 mm/s (its deviation that costs 1). Searched is the logarithm of every parameter's share of its
start; what changes sign is shifted in the units of fit_gaits. Adam runs first; CMA-ES then gets the CPU time it took,
the same start, and a first step of --spread. Seeded and resumable: the log begins with a line of what it is of, every
evaluation is a line more, and what the log holds is not computed again.
Not part of it: water, reversals, turns, other seeds of the noise. It polishes one run and is no search for a worm.
See: one line per evaluation; at the end the best loss of both, and CPU seconds.
Time: about 5 s of CPU per gradient and 2.5 s per evaluation of CMA-ES, of which 1.3 s re-tune the network.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import cma
import numpy as np

import tianbao as tb
from tianbao import parameters
from tianbao.cli import run_script
from tianbao.errors import shorten
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.learning import losses

FACTORS = (
    "excitatory_gain", "dyad_gain", "inhibitory_gain", "gap_gain", "avb_conductance", "release_slope",
    "cord_stretch_gain", "cord_opposite_gain", "head_stretch_gain", "cord_window_length", "cord_window_offset",
    "cord_opposite_length", "nmj_excitatory_gain", "nmj_inhibitory_gain", "muscle_tau", "muscle_slope",
    "peak_curvature",
)  # fmt: skip
SHIFTS = {"cord_bias": 1.5, "head_bias": 2.0, "muscle_half": 10.0}
NAMES = (*FACTORS, *SHIFTS)
SPEED_UNIT = 0.03  # [mm/s]


def evaluations(log: Path, options: dict[str, object]) -> list[dict]:
    """What a log of these options holds already; a new log is begun with a line of them.

    Raises:
        ConfigError: for a log of other options, or one without them.
    """
    whole, newline, broken = (log.read_bytes() if log.exists() else b"").rpartition(b"\n")
    lines = whole.decode().splitlines()
    if not lines:
        write_atomically(log, f"{json.dumps({'options': options})}\n".encode())
        return []
    theirs = json.loads(lines[0]).get("options", {})
    if other := [name for name, value in options.items() if theirs.get(name) != value]:
        told = ", ".join(f"{name} {shorten(theirs.get(name, 'unknown'))}" for name in other)
        raise tb.ConfigError(f"{log} is of another search, with {told}: give its options again, or another --out")
    if broken:  # a run was killed while it wrote its last line, which the next line must not go on with
        write_atomically(log, whole + newline)
    return [json.loads(line) for line in lines[1:]]


class Problem:
    """The surrogate as a function of a point, with a log of what was computed."""

    def __init__(self, log: Path, duration: float, seed: int, spread: float) -> None:
        options = {"duration": duration, "seed": seed, "spread": spread, "parameters": list(NAMES)}
        self._log, self._known, self._next = log, evaluations(log, options), 0
        self.start, self.duration = parameters.defaults(), duration
        self.sim = tb.Simulation(tb.Worm(), tb.Arena("agar"), seed=seed, progress=False)
        _ = self.sim.network  # held in NEURON, so that re-tuning happens in place
        after = 0.25 * duration
        self.loss = losses.TravellingWave(0.5, 0.6, 7.0, after) - losses.ForwardSpeed(after) * (1.0 / SPEED_UNIT)

    def parameters(self, x: np.ndarray) -> tb.Parameters:
        """Those of a point, within their ranges."""
        table, values = parameters.table(), {}
        for name, u in zip(NAMES, x, strict=True):
            moved = self.start[name] * np.exp(u) if name in FACTORS else self.start[name] + u * SHIFTS[name]
            values[name] = float(np.clip(moved, table[name].low, table[name].high))
        return self.start.replace(**values)

    def __call__(self, x: np.ndarray, slope: bool) -> tuple[float, np.ndarray, float]:
        """Loss, gradient (0 without `slope`) and CPU seconds; from the log if it is there."""
        if self._next < len(self._known):
            row = self._known[self._next]
            self._next += 1
            if not np.allclose(row["x"], x):
                raise tb.ConfigError(f"{self._log} is of another search: give its options again, or another --out")
            return row["loss"], np.array(row["slope"]), row["seconds"]
        clock = time.process_time()
        chosen = self.parameters(x)
        self.sim.retune(chosen)
        found = np.zeros(len(x))
        try:
            if slope:
                gradient = tb.gradient(self.sim, self.loss, NAMES, self.duration)
                value = gradient.value
                units = [chosen[name] if name in FACTORS else SHIFTS[name] for name in NAMES]
                found = np.array([gradient[name] for name in NAMES]) * units
            else:
                value = self.loss(losses.recorded(self.sim, self.duration))[0]
        except tb.DivergedError:
            value = 1e3  # any: worse than every worm that stays whole
        seconds = time.process_time() - clock
        row = {"x": list(x), "loss": value, "slope": list(found), "seconds": seconds, "gradient": slope}
        with self._log.open("a") as file:
            file.write(json.dumps(row) + "\n")
        self._known.append(row)
        self._next += 1
        print(f"{'gradient' if slope else 'search':9s}{value:10.4f}{seconds:8.2f} s", flush=True)
        return value, found, seconds


def adam(problem: Problem, x: np.ndarray, steps: int, rate: float) -> tuple[float, float]:
    """Best loss, and CPU seconds; constants of Kingma & Ba 2015, a step limited by the spread of the start."""
    first, second, best, spent = np.zeros_like(x), np.zeros_like(x), np.inf, 0.0
    for k in range(1, steps + 1):
        value, slope, seconds = problem(x, True)
        best, spent = min(best, value), spent + seconds
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        x = x - rate * first / (1.0 - 0.9**k) / (np.sqrt(second / (1.0 - 0.999**k)) + 1e-8)
    return best, spent


def search(problem: Problem, x: np.ndarray, budget: float, spread: float, seed: int) -> tuple[float, float, int]:
    """Best loss, CPU seconds and evaluations of CMA-ES within a budget of seconds."""
    strategy = cma.CMAEvolutionStrategy(list(x), spread, {"seed": seed, "verbose": -9})
    best, spent, count = np.inf, 0.0, 0
    while spent < budget:
        points, values = strategy.ask(), []
        for point in points:
            value, _, seconds = problem(point, False)
            values.append(value)
            best, spent, count = min(best, value), spent + seconds, count + 1
        strategy.tell(points, values)
    return best, spent, count


def experiment(given: argparse.Namespace) -> int:
    """Run both from one start and compare."""
    prepare_folder(given.out)
    start = given.spread * np.random.default_rng(given.seed).standard_normal(len(NAMES))
    by_slope = Problem(given.out / f"adam_{given.seed}.jsonl", given.duration, given.seed, given.spread)
    before = by_slope(start, True)[0]
    by_slope._next = 0  # the first step of Adam is that of the start
    polished, seconds = adam(by_slope, start, given.steps, given.rate)
    by_search = Problem(given.out / f"cma_{given.seed}.jsonl", given.duration, given.seed, given.spread)
    found, spent, count = search(by_search, start, seconds, given.spread, given.seed)
    print(f"start {before:.3f}; Adam {polished:.3f} in {given.steps} gradients and {seconds:.0f} s; "
          f"CMA-ES {found:.3f} in {count} runs and {spent:.0f} s")  # fmt: skip
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Options of the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--duration", type=float, default=3000.0, help="of every run [ms]")
    parser.add_argument("--steps", type=int, default=30, help="of Adam")
    parser.add_argument("--rate", type=float, default=0.02, help="of Adam")
    parser.add_argument("--spread", type=float, default=0.1, help="standard deviation of the start's perturbation")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("output/polish_gait"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
