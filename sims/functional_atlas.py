"""Whom does a neuron of the model reach, compared to the functional atlas of Randi et al. 2023 (Nature 623:406)?

Question: in the atlas each neuron was stimulated and the calcium of all others was watched. Does the model's response
to the same stimulation tell pairs that signal (q < 0.05) from those that do not (q > 0.5) better than anatomy does?
Method: a pulse of current into one soma after another, in the brain without body and noise; the response of another
neuron is the largest absolute change of its fluorescence (`tianbao.learning.correlations.Observation`) within some
seconds. ROC-AUC over all pairs with data, with an interval from a bootstrap over stimulated neurons. Nothing is fitted.
The atlas is not part of Tianbao: give the user's own copy of `funatlas.h5` (package wormneuroatlas, GPLv3; only derived
numbers are kept), or a CSV with the columns stimulated, responding and q.
See: AUC of the model, of direct contact and of the number of EM sections.
Time: about 15 core-seconds per worm.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

import tianbao as tb
from tianbao import anatomy
from tianbao.cli import run_script
from tianbao.errors import AnatomyError, ConfigError
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.learning.correlation_sets import correlation_set
from tianbao.learning.correlations import Observation
from tianbao.learning.spontaneous import SpontaneousBrain
from tianbao.loop.provenance import git_revision
from tianbao.network.design import intact_tables

SIGNAL, SILENT = 0.05, 0.5  # q of pairs that signal, and above which they are taken not to
SETTLE, PULSE = 4.4, 0.55  # [s] before the pulse, and its length: about that of the stimulation in the animal
RESAMPLES = 1000
DEFAULT = "default"


def q_values(path: Path, strain: str) -> dict[tuple[str, str], float]:
    """(stimulated, responding) -> q of the atlas, for pairs with data.

    Raises:
        ConfigError: for a file that is neither the atlas nor such a table.
    """
    if path.suffix == ".csv":
        with open(path, newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
        if not rows or not {"stimulated", "responding", "q"} <= set(rows[0]):
            raise ConfigError(f"atlas {path}: a CSV needs the columns stimulated, responding and q")
        found = [(row["stimulated"], row["responding"], float(row["q"])) for row in rows]
    else:
        found = list(_of_h5(path, strain))
    values = {}
    for stimulated, responding, q in found:
        try:
            pair = anatomy.neuron_name(stimulated), anatomy.neuron_name(responding)
        except AnatomyError:
            continue  # such as AWCON, which is the left or the right one from animal to animal
        if pair[0] != pair[1] and np.isfinite(q):
            values[pair] = q
    return values


def _of_h5(path: Path, strain: str):
    import h5py

    try:
        with h5py.File(path, "r") as file:
            names = [each.decode().strip() for each in file["neuron_ids"][:]]
            q = file[f"{strain}/q"][:]
    except (OSError, KeyError) as error:
        raise ConfigError(f"atlas {path}: not a funatlas.h5 with strain '{strain}' ({error})") from error
    for responding, row in zip(names, q, strict=True):  # the atlas counts responders first
        for stimulated, value in zip(names, row, strict=True):
            yield stimulated, responding, float(value)


def responses(brain: SpontaneousBrain, stimulated: list[str], multipliers, amplitude: float, seconds: float):
    """Largest absolute change of fluorescence [-] of every neuron, shape (stimulated, neurons)."""
    ticks, start, length = (
        round(1000.0 * each / brain.tick) for each in (SETTLE + PULSE + seconds, SETTLE, PULSE)
    )  # fmt: skip
    see = Observation(brain.tick, settle=1000.0 * SETTLE, sample_interval=brain.tick)
    quiet = see.fluorescence(brain.run(np.zeros((ticks, len(brain.neurons))), multipliers))
    found = []
    for name in stimulated:
        current = np.zeros((ticks, len(brain.neurons)))
        current[start : start + length, brain.neurons.index(name)] = amplitude
        found.append(np.abs(see.fluorescence(brain.run(current, multipliers)) - quiet).max(axis=0))
    return np.array(found)


def anatomical(neurons: tuple[str, ...]) -> np.ndarray:
    """EM sections of synapses from one neuron onto another and of gap junctions, shape (pre, post)."""
    index, tables = {name: k for k, name in enumerate(neurons)}, intact_tables()
    sections = np.zeros((len(neurons), len(neurons)))
    for row in tables.chemical.itertuples():
        sections[index[row.pre], index[row.post]] += row.em_sections
    for row in tables.gap.itertuples():
        sections[index[row.a], index[row.b]] += row.em_sections
        sections[index[row.b], index[row.a]] += row.em_sections
    return sections


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Probability that a pair that signals has the larger score; ties count half."""
    ranks, n = rankdata(score), int(positive.sum())
    if n == 0 or n == len(score):
        return float("nan")
    return float((ranks[positive].sum() - n * (n + 1) / 2.0) / (n * (len(score) - n)))


def with_interval(scores: dict[str, np.ndarray], positive: np.ndarray, group: np.ndarray, seed: int) -> dict:
    """AUC of every score with its 95 % interval, resampling whole stimulated neurons, and differences from anatomy."""
    rows = [np.flatnonzero(group == each) for each in np.unique(group)]
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in scores}
    for _ in range(RESAMPLES):
        taken = np.concatenate([rows[k] for k in rng.integers(len(rows), size=len(rows))])
        for name, score in scores.items():
            drawn[name].append(auc(score[taken], positive[taken]))
    found = {}
    for name, score in scores.items():
        low, high = np.nanpercentile(drawn[name], [2.5, 97.5])
        more = np.array(drawn[name]) - np.array(drawn["contact"])
        found[name] = {
            "auc": round(auc(score, positive), 4), "low": round(float(low), 4), "high": round(float(high), 4),
            "above_contact_share": round(float(np.mean(more > 0.0)), 4),
        }  # fmt: skip
    return found


def experiment(args: argparse.Namespace) -> int:
    """Stimulate, compare, write."""
    folder = prepare_folder(args.out)
    q = q_values(args.atlas, args.strain)
    kept = {pair: value for pair, value in q.items() if value < SIGNAL or value > SILENT}
    if not kept:
        raise ConfigError(f"atlas {args.atlas}: no pair has q < {SIGNAL} or q > {SILENT}")
    stimulated = sorted({pair[0] for pair in kept})
    coarse = {"discretisation": "d_lambda", "soma_compartments": 1}
    brain = SpontaneousBrain(tb.Worm(**coarse), dt=args.dt)
    index = {name: k for k, name in enumerate(brain.neurons)}
    row = np.array([stimulated.index(pair[0]) for pair in kept])
    column = np.array([index[pair[1]] for pair in kept])
    sections = anatomical(brain.neurons)[[index[each] for each in stimulated]][row, column]
    scores = {"contact": (sections > 0.0).astype(float), "sections": sections}
    for name in args.sets:
        multipliers = None
        if name != DEFAULT:
            multipliers = correlation_set(name).values(brain.edges, brain.neurons).multipliers
        found = responses(brain, stimulated, multipliers, args.amplitude, args.seconds)
        scores[f"model, {Path(name).name}"] = found[row, column]
        print(f"{name}: median response {np.median(found):.2e}", flush=True)
    positive = np.array([value < SIGNAL for value in kept.values()])
    report = {
        "strain": args.strain, "pairs": len(kept), "signalling": int(positive.sum()), "stimulated": len(stimulated),
        "amplitude_pA": args.amplitude, "seconds": args.seconds, "commit": git_revision(),
        "auc": with_interval(scores, positive, row, args.seed),
    }  # fmt: skip
    write_atomically(folder / f"functional_atlas_{args.strain}.json", json.dumps(report, indent=1).encode())
    print(json.dumps(report, indent=1))
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--atlas", type=Path, required=True, help="your funatlas.h5, or a CSV of pairs with q")
    parser.add_argument("--strain", default="wt", help="of the atlas: wt or unc31")
    parser.add_argument("--sets", nargs="+", default=[DEFAULT], help="default, names of fitted sets, or their paths")
    parser.add_argument("--amplitude", type=float, default=20.0, help="of the pulse [pA]; assumed")
    parser.add_argument("--seconds", type=float, default=5.0, help="after the pulse in which a response counts")
    parser.add_argument("--dt", type=float, default=10.0, help="step of the engine [ms]")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    parser.add_argument("--out", type=Path, default=Path("output/functional_atlas"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
