"""Do the connections of the worm explain which of its neurons are active together?

Question: measured correlations of the calcium of identified neurons (a CSV of a, b, r, which is not part of this
repository) against those of the whole brain of 302 neurons under slow fluctuating currents. How near do few numbers for
classes come, how near one multiplier per connection, and how much of that would shared inputs explain by themselves?
Method: the exact gradient of the native engine through every window of noise, one window per step. A random share of
the pairs, and all pairs of some neurons, are left out and only looked at in the end (`--all` fits every pair). Seeded;
the state is kept every few steps with the options it is of, and a restart with the same options goes on from it.
See: agreement with pairs that were fitted and left out, on noise that no step has seen, beside a matrix of zeros, the
mean, the connectome without a fit and a pure factor model with as many inputs.
Time: about 0.02 core-seconds per step and second of the window at dt = 10 ms; 220 s and 150 steps take 11 minutes.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import sys
import time
from pathlib import Path

import numpy as np

import tianbao as tb
from tianbao import anatomy
from tianbao.cli import run_script
from tianbao.errors import ConfigError
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.learning.correlation_fit import CorrelationFit, simulated_correlations
from tianbao.learning.correlation_levels import LEVELS, Numbers, Values
from tianbao.learning.correlation_sets import write_set
from tianbao.learning.correlations import Pairs, agreement, correlation_constants, read_pairs, split_pairs
from tianbao.learning.factor_models import factor_correlations, factor_model
from tianbao.learning.spontaneous import SpontaneousBrain
from tianbao.loop.provenance import git_revision

RIDGES = (1e-3, 3e-3, 1e-2)  # of the factor model; the one that does best on pairs left out counts, in its favour
RECORDING, JUDGED = 1080.0, 2  # [s] as long as the measured recording; runs on which a set is judged
EVERY = 5  # steps between two states on the disk
# Options that choose the fit; paths are left out, as the fit itself knows other pairs and another start.
OF_FIT = (
    "set", "steps", "window", "dt", "seed", "split_seed", "share", "neurons", "all", "hold_crawl", "frozen", "shuffle",
)  # fmt: skip


def parts_of(pairs: Pairs, args: argparse.Namespace) -> dict[str, Pairs]:
    """Pairs that are fitted and left out, by name."""
    if args.all:
        return {"fitted": pairs}
    return split_pairs(pairs, args.share, args.neurons, args.split_seed)


def compared(matrices: np.ndarray, neurons: tuple[str, ...], parts: dict[str, Pairs]) -> dict[str, dict]:
    """Agreement of matrices with each part of the pairs: the mean over single runs, and `together` of their mean.

    None stands for what is not defined, such as the Pearson correlation with a matrix of one number.
    """
    found = {}
    for name, pairs in parts.items():
        if len(pairs) == 0:
            continue
        where = pairs.where(neurons)
        single = [agreement(matrix[where], pairs) for matrix in matrices]
        found[name] = {key: rounded(np.mean([each[key] for each in single])) for key in single[0]}
        if len(matrices) > 1:
            together = agreement(matrices.mean(axis=0)[where], pairs)
            found[name] |= {f"together_{key}": rounded(together[key]) for key in ("mse", "r")}
    return found


def rounded(value: float) -> float | None:
    """A measure to four digits; None if it is not defined, as JSON has no NaN."""
    return None if math.isnan(value) else round(float(value), 4)


def baselines(brain: SpontaneousBrain, parts: dict[str, Pairs], inputs: int) -> dict[str, dict]:
    """What is reached without a fit, and without a brain."""
    n, fitted = len(brain.neurons), parts["fitted"]
    found = {
        "zero": compared(np.zeros((1, n, n)), brain.neurons, parts),
        "mean": compared(np.full((1, n, n), fitted.r.mean()), brain.neurons, parts),
    }
    alone = Values(np.ones(len(brain.edges)), np.zeros((n, inputs)), np.ones(n))
    found["connectome"] = compared(simulated_correlations(brain, alone, RECORDING), brain.neurons, parts)
    judged = "pairs" if len(parts.get("pairs", ())) else "fitted"
    tried = []
    for ridge in RIDGES:
        loadings = factor_model(fitted, brain.neurons, inputs, ridge)
        tried.append((compared(factor_correlations(loadings)[None], brain.neurons, parts), ridge, loadings))
    best, ridge, loadings = min(tried, key=lambda each: each[0][judged]["mse"])
    found["factor model"] = {**best, "ridge": ridge}
    classes = [anatomy.neuron_class(name) for name in brain.neurons]
    lent = {cls: loadings_of_class(loadings, classes, cls, fitted, brain.neurons) for cls in set(classes)}
    seen = set(fitted.neurons)
    # A neuron without a pair that was fitted takes the loadings of its class, as in set B.
    known = np.array([
        own if name in seen else lent[cls] for name, cls, own in zip(brain.neurons, classes, loadings, strict=True)
    ])  # fmt: skip
    found["factor model, others as their class"] = compared(factor_correlations(known)[None], brain.neurons, parts)
    return found


def loadings_of_class(
    loadings: np.ndarray, classes: list[str], cls: str, fitted: Pairs, neurons: tuple[str, ...]
) -> np.ndarray:
    """Mean loadings of the neurons of a class that have a pair; 0 if none has."""
    seen = set(fitted.neurons)
    rows = [k for k, each in enumerate(classes) if each == cls and neurons[k] in seen]
    return loadings[rows].mean(axis=0) if rows else np.zeros(loadings.shape[1])


def options_of(args: argparse.Namespace) -> dict[str, object]:
    """What chooses a fit, as JSON gives it back."""
    return json.loads(json.dumps({name: getattr(args, name) for name in OF_FIT}))


def restored(fit: CorrelationFit, state: Path, options: dict[str, object]) -> float:
    """Put a fit where its state on the disk was; core-seconds that it had taken.

    Raises:
        ConfigError: for the state of a fit with other options, pairs or start, whose left-out pairs are others too.
    """
    with np.load(state) as file:
        kept = {key: file[key] for key in file.files}
    theirs, spent = json.loads(str(kept.pop("options", "{}"))), float(kept.pop("spent"))
    if other := [name for name in OF_FIT if name not in theirs or theirs[name] != options[name]]:
        told = ", ".join(f"--{name.replace('_', '-')} {theirs.get(name, 'unknown')}" for name in other)
        raise ConfigError(f"--out {state.parent}: it holds a fit with {told}; give these again, or another folder")
    fit.restore(kept)
    return spent


def write_arrays(path: Path, **arrays: object) -> None:
    """Keep arrays in a file of numpy, which holds either all of them or what it held before."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    write_atomically(path, content.getvalue())


def fitted_by(fit: CorrelationFit, folder: Path, seconds: float, options: dict[str, object]) -> float:
    """Go on with a fit until its last step or until the time is over; core-seconds that it has taken in all."""
    state, log = folder / "state.npz", folder / "log.csv"
    spent = 0.0
    if state.is_file():
        spent = restored(fit, state, options)
        print(f"goes on after step {fit.done}", flush=True)
    lines = log.read_text(encoding="utf-8").splitlines()[: fit.done + 1] if log.is_file() and fit.done else []
    lines = lines or ["step,loss,penalty,core_seconds"]
    began, start = time.process_time(), spent
    while fit.done < fit.steps and time.process_time() - began < seconds:
        step = fit.step()
        spent = start + time.process_time() - began
        lines.append(f"{step.step},{step.loss:.5f},{step.penalty:.5f},{spent:.1f}")
        print(lines[-1], flush=True)
        if fit.done % EVERY == 0 or fit.done == fit.steps:
            write_arrays(state, spent=spent, options=json.dumps(options), **fit.state())
            write_atomically(log, ("\n".join(lines) + "\n").encode())
    return spent


def worm_of(shuffle: int | None) -> tb.Worm:
    """The worm in the coarse discretisation; as a control with other partners at every connection."""
    worm = tb.Worm(discretisation="d_lambda", soma_compartments=1)
    if shuffle is not None:
        worm.shuffle("chemical_targets", shuffle).shuffle("gap_partners", shuffle)
    return worm


def start_of(path: Path | None) -> dict[str, np.ndarray] | None:
    """Numbers of another fit to start from."""
    if path is None:
        return None
    if not (path / "numbers.npz").is_file():
        raise ConfigError(f"--start {path}: it holds no numbers.npz; give the folder of a finished fit")
    with np.load(path / "numbers.npz") as kept:
        return {key: kept[key] for key in kept.files}


def experiment(args: argparse.Namespace) -> int:
    """Fit, judge, write."""
    folder = prepare_folder(args.out)
    pairs = read_pairs(args.pairs)
    parts, brain = parts_of(pairs, args), SpontaneousBrain(worm_of(args.shuffle), dt=args.dt)
    inputs = round(correlation_constants()["common_inputs"])
    report = {"baselines": baselines(brain, parts, inputs)} if args.baselines else {}
    levels = LEVELS[args.set](brain.edges, brain.neurons, args.hold_crawl)
    fit = CorrelationFit(
        brain, parts["fitted"], levels, seed=args.seed, steps=args.steps, window=args.window,
        frozen=args.frozen, start=start_of(args.start),
    )  # fmt: skip
    print(f"{fit.numbers.count} numbers, {len(parts['fitted'])} pairs are fitted", flush=True)
    spent = fitted_by(fit, folder, 60.0 * args.minutes, options_of(args))
    numbers: Numbers = fit.averaged
    values = numbers.values()
    report["fit"] = compared(
        simulated_correlations(brain, values, RECORDING, JUDGED, args.seed), brain.neurons, {**parts, "all": pairs}
    )
    for label, factor in (("multipliers of 1", 1.0), ("no connection", 0.0)):
        without = Values(np.full(len(brain.edges), factor), values.loadings, values.private)
        matrices = simulated_correlations(brain, without, RECORDING, 1, args.seed)
        report[f"inputs of the fit, {label}"] = compared(matrices, brain.neurons, {**parts, "all": pairs})
    write_arrays(folder / "numbers.npz", **numbers.arrays)
    fitted = report["fit"]["fitted"]
    provenance = {
        "script": "sims/fit_correlations.py", "commit": git_revision(), "set": args.set, "numbers": numbers.count,
        "pairs_fitted": len(parts["fitted"]), "seed": args.seed, "split_seed": args.split_seed, "all_pairs": args.all,
        "steps": fit.done, "window_s": args.window, "dt_ms": args.dt, "frozen": list(args.frozen),
        "hold_crawl": args.hold_crawl, "shuffled": args.shuffle is not None,
        "core_seconds": round(spent, 1), "mse_fitted": fitted["mse"], "r_fitted": fitted["r"],
    }  # fmt: skip
    known = {key: value for key, value in provenance.items() if value is not None}
    write_set(folder / args.set, brain.edges, brain.neurons, values, known)
    report["numbers"] = sizes(numbers, values)
    write_atomically(folder / "report.json", json.dumps(report | {"provenance": provenance}, indent=1).encode())
    print(json.dumps(report, indent=1))
    return 0


def sizes(numbers: Numbers, values: Values) -> dict[str, object]:
    """How far the numbers have gone, and all of those of small levels."""
    small = {
        level.key: dict(zip(level.labels, np.round(numbers.arrays[level.key], 3).tolist(), strict=True))
        for level in numbers.levels
        if len(level.labels) < 30
    }
    logs = np.log(values.multipliers)
    return {
        "multipliers_rms_log": round(float(np.sqrt(np.mean(logs**2))), 4),
        "multipliers_beyond_factor_2": int(np.sum(np.abs(logs) > np.log(2.0))),
        "loading_rms_pA": round(float(np.sqrt(np.mean(values.loadings**2))), 3),
        **small,
    }


def main(arguments: list[str] | None = None) -> int:
    """Options of the fit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, required=True, help="CSV of measured correlations: a, b, r")
    parser.add_argument("--set", choices=tuple(LEVELS), default="classes", help="which numbers may change")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--window", type=float, default=220.0, help="run of one step [s]")
    parser.add_argument("--dt", type=float, default=10.0, help="step of the engine [ms]")
    parser.add_argument("--minutes", type=float, default=60.0, help="core-minutes after which it stops")
    parser.add_argument("--seed", type=int, default=0, help="of noise and start")
    parser.add_argument("--split-seed", type=int, default=0, help="of the pairs that are left out")
    parser.add_argument("--share", type=float, default=0.2, help="of pairs that is left out")
    parser.add_argument("--neurons", type=int, default=6, help="that are left out with all their pairs")
    parser.add_argument("--all", action="store_true", help="fit every pair")
    parser.add_argument("--hold-crawl", action="store_true", help="keep the connections of the crawl as they are")
    parser.add_argument("--frozen", nargs="*", default=(), help="quantities that do not change, such as multiplier")
    parser.add_argument("--shuffle", type=int, metavar="SEED", help="permute the partners of all connections first")
    parser.add_argument("--start", type=Path, help="folder of a fit to start from")
    parser.add_argument("--no-baselines", dest="baselines", action="store_false")
    parser.add_argument("--out", type=Path, default=Path("output/correlations"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
