"""Does the worm's circuit of tap withdrawal learn to control better than other wirings of its size?

Question: 19 neurons with the connections and signs of the worm that decides drive a pendulum, a mountain car and a car
that keeps its lane. 50 numbers are trained, of classes: gains, currents, time constants. The controls have the same
neurons with random connections, with connections that keep each neuron's number of partners, or with the signs dealt
out anew; or they are a neural circuit policy (NCP) of 19 neurons, or a perceptron with 8 or 64 hidden units.
See: returns of 100 new episodes after training, ten seeds each, means with 95 % intervals, and their differences.
Time: five minutes on one core with the defaults (`cpu_s` in the table). A broken run goes on where it was; a table of
other seeds or generations is refused.
Compare: Lechner et al. 2020 (NCP); Lechner et al. 2019 trained a circuit of the tap of 11 neurons synapse by synapse.
Needs: the extra `rl`, and `pip install ncps` for the layout of NCP.
"""

from __future__ import annotations

import argparse
import pickle
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Protocol

import cma
import numpy as np
import pandas as pd

import tianbao as tb
from tianbao.behaviour.estimates import Ratio
from tianbao.cli import run_script
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.learning.circuit import CONTROLS, STEP_MS, Circuit, Player, bounds
from tianbao.learning.circuit_tasks import TASKS, played
from tianbao.loop.provenance import git_revision

CIRCUIT = "tap withdrawal"
KINDS = ("worm", "held", *CONTROLS, "ncp", "mlp 8", "mlp 64")
POPULATION, EPISODES, GENERATIONS, SEEDS = 16, 4, 100, 10  # of each generation; episodes of each of its members
START_WIDTH = 0.5  # of the search, in what `Circuit.numbers` takes; assumed: a third of the way to the bounds
HELD_FACTOR, HELD_PA = 2.0, 2.0  # farthest that gains and currents of the circuit may go from the worm's if "held"
TESTED, TEST_SEED = 100, 987_654  # episodes that no training has seen, the same for all
KEPT_EVERY = 20  # generations after which a run that breaks need not begin again
LARGEST_WEIGHT = 3.0  # of a perceptron; assumed
SPARSE_ABOVE = 100  # numbers from which on the search has a diagonal covariance: a full one learns too slowly


class Brain(Protocol):
    """What is trained: several seeds of one kind side by side."""

    count: int

    def actor(self, free: np.ndarray, steps: int) -> Callable[[np.ndarray], np.ndarray]:
        """What acts, from what is observed (seeds, sets, episodes, 2) to actions (seeds, sets, episodes).

        Args:
            free: unbounded numbers, shape (seeds, sets, count).
            steps: of integration in a step of the task.
        """


class CircuitBrain:
    """Circuits, one per seed.

    Args:
        circuits: with the same names.
        held: whether gains and currents stay near those of the worm.
    """

    def __init__(self, circuits: Sequence[Circuit], held: bool = False) -> None:
        self.circuits, self.count = list(circuits), circuits[0].count
        first = circuits[0]
        factor = np.log(HELD_FACTOR) / np.log(bounds("synapses")[1])
        share = {"excitability": HELD_PA / bounds("excitability")[1], "synapses": factor, "junctions": factor}
        self._share = np.array([share.get(each.split()[0], 1.0) if held else 1.0 for each in first.names])

    def numbers(self, free: np.ndarray) -> np.ndarray:
        """What the circuits take, of the same shape."""
        # A share of the range: the tangent of `Circuit.numbers` undone, made smaller, done again.
        return self.circuits[0].numbers(np.where(self._share < 1.0, np.arctanh(self._share * np.tanh(free)), free))

    def actor(self, free: np.ndarray, steps: int) -> Callable[[np.ndarray], np.ndarray]:
        """See `Brain`."""
        player = Player(self.circuits, self.numbers(free), precision=np.float32)
        return lambda observed: player.act(observed, steps)


class Perceptron:
    """One hidden layer of tanh, fed with the same four parts of two variables as the sensors of a circuit."""

    def __init__(self, hidden: int) -> None:
        self.hidden, self.count = hidden, 6 * hidden + 1

    def actor(self, free: np.ndarray, steps: int) -> Callable[[np.ndarray], np.ndarray]:
        """See `Brain`."""
        h, weights = self.hidden, LARGEST_WEIGHT * np.tanh(free)
        first = weights[..., : 4 * h].reshape(*free.shape[:-1], 4, h)
        bias, last, offset = np.split(weights[..., 4 * h :, None], [h, 2 * h], axis=-2)

        def act(observed: np.ndarray) -> np.ndarray:
            parts = np.stack([np.maximum(observed, 0.0), np.maximum(-observed, 0.0)], axis=-1)
            inner = np.tanh(parts.reshape(*observed.shape[:-1], 4) @ first + np.swapaxes(bias, -1, -2))
            return np.tanh(inner @ last + offset)[..., 0]

        return act


@cache
def worm_circuit() -> Circuit:
    """The circuit of the worm that decides."""
    return Circuit.named(CIRCUIT)


def policy_circuit(seed: int) -> Circuit:
    """A neural circuit policy of as many neurons, in the same equations: layout of `ncps`, cells as AVD's.

    As many numbers as a circuit has are trained, or nearly: current and outgoing gain of each neuron, time constant of
    each layer. All synapses together are as strong as the worm's. What is observed reaches the inner neurons as a
    current, with the signs of the layout.
    """
    from ncps.wirings import AutoNCP

    worm = worm_circuit()
    size = len(worm.neurons)
    layout = AutoNCP(size, 2, sparsity_level=0.5, seed=seed)
    layout.build(4)
    made = np.asarray(layout.adjacency_matrix)
    names = tuple(f"{layout.get_type_of_neuron(k)}{k}" for k in range(size))
    layers = tuple(layout.get_type_of_neuron(k) for k in range(size))
    like = worm.neurons.index("AVDL")
    alike = {each: np.full(size, getattr(worm, each)[like]) for each in ("leak", "rest", "capacitance", "release_half")}
    return replace(
        worm,
        neurons=names,
        groups={
            "excitability": names, "time": layers, "junctions": ("",) * size,
            "synapses": tuple(name if row.any() else "" for name, row in zip(names, made, strict=True)),
        },
        sensors=np.asarray(layout.sensory_adjacency_matrix, float),
        receptors=("first", "second", "third", "fourth"),
        readout=np.eye(size)[0] - np.eye(size)[1],
        chemical=np.abs(made) * worm.chemical.sum() / np.count_nonzero(made),
        inhibitory=made < 0,
        gap=np.zeros((size, size)),
        **alike,
    )  # fmt: skip


def brain_of(kind: str, seeds: Sequence[int]) -> Brain:
    """What is trained of a kind."""
    if kind in ("worm", "held"):
        return CircuitBrain([worm_circuit()] * len(seeds), held=kind == "held")
    if kind in CONTROLS:
        return CircuitBrain([worm_circuit().control(kind, seed) for seed in seeds])
    if kind == "ncp":
        return CircuitBrain([policy_circuit(seed) for seed in seeds])
    return Perceptron(int(kind.split()[1]))


def returns(task_name: str, brain: Brain, free: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Mean return of each set of numbers over its episodes, shape (seeds, sets).

    Args:
        task_name: of `TASKS`.
        brain: that acts.
        free: shape (seeds, sets, count).
        state: where each episode begins, shape (seeds, episodes, variables).
    """
    task = TASKS[task_name]
    shape = (*free.shape[:2], *state.shape[1:])
    begun = np.broadcast_to(state[:, None], shape).copy()
    return played(task, brain.actor(free, round(task.step_ms / STEP_MS)), begun).mean(axis=-1)


def searches(brain: Brain, seeds: Sequence[int]) -> list[cma.CMAEvolutionStrategy]:
    """One search per seed."""
    options = {"popsize": POPULATION, "verbose": -9, "CMA_diagonal": brain.count > SPARSE_ABOVE}
    # CMA-ES takes the seed 0 for a clock.
    return [cma.CMAEvolutionStrategy(np.zeros(brain.count), START_WIDTH, {**options, "seed": 1 + s}) for s in seeds]


def trained(task_name: str, kind: str, args: argparse.Namespace, folder: Path) -> tuple[Brain, np.ndarray, float]:
    """Train all seeds of a kind on a task, from where it was broken off.

    Returns:
        The brain, its trained unbounded numbers (seeds, count), and processor time [s].
    """
    seeds = range(args.seeds)
    brain, kept = brain_of(kind, seeds), folder / f"{task_name} {kind}.pickle"
    searching, first, spent = searches(brain, seeds), 0, 0.0
    if kept.exists():
        searching, first, spent = pickle.loads(kept.read_bytes())
        if first > args.generations or len(searching) != args.seeds:
            raise tb.ConfigError(
                f"{kept} holds {len(searching)} seeds after {first} generations; give as many --seeds and no fewer "
                "--generations, or another --out"
            )
    began = time.process_time()
    for generation in range(first, args.generations):
        # All members of a generation meet the same episodes, so that luck favours none.
        state = np.array([TASKS[task_name].begin(np.random.default_rng((s, generation)), (EPISODES,)) for s in seeds])
        asked = [each.ask() for each in searching]
        scores = returns(task_name, brain, np.array(asked), state)
        for each, sets, score in zip(searching, asked, scores, strict=True):
            each.tell(sets, (-score).tolist())
        if (generation + 1) % KEPT_EVERY == 0:
            so_far = spent + time.process_time() - began
            write_atomically(kept, pickle.dumps((searching, generation + 1, so_far)))
            print(f"{task_name}, {kind}: {generation + 1}, mean {scores.mean():.1f}, {so_far:.0f} s", flush=True)
    return brain, np.array([each.mean for each in searching]), spent + time.process_time() - began


def tested(task_name: str, brain: Brain, free: np.ndarray) -> np.ndarray:
    """Mean return over new episodes, the same ones for all, shape (seeds,)."""
    state = TASKS[task_name].begin(np.random.default_rng(TEST_SEED), (TESTED,))
    return returns(task_name, brain, free[:, None], np.broadcast_to(state, (len(free), *state.shape)))[:, 0]


def mean_of_seeds() -> Ratio:
    """The mean over rows (value, 1), of which whole seeds are drawn for an interval."""
    return Ratio(lambda sums: sums[..., 0] / sums[..., 1])


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """One row per task and kind: mean return, its interval, and that of the worm's less it."""
    rows, mean = [], mean_of_seeds()
    for (task, kind), mine in table.groupby(["task", "kind"], sort=False):
        def pairs(of: pd.DataFrame) -> list[np.ndarray]:
            return [np.array([value, 1.0]) for value in of.trained]

        worm = table[(table.task == task) & (table.kind == "worm")]
        found, less = mean.estimate(pairs(mine)), mean.difference(pairs(worm), pairs(mine))
        rows.append({
            "task": task, "kind": kind, "numbers": mine.numbers.iloc[0], "untrained": mine.untrained.mean(),
            "trained": found.value, "low": found.low, "high": found.high, "best_seed": mine.trained.max(),
            "worm_less_it": less.value, "less_low": less.low, "less_high": less.high,
            "cpu_s": mine.cpu_s.sum(),
        })  # fmt: skip
    return pd.DataFrame(rows)


def check_rows(rows: Sequence[dict], file: Path, args: argparse.Namespace) -> None:
    """Refuse a table of other seeds or generations: its rows would be taken for those that were asked for."""
    for task, kind in {(row["task"], row["kind"]) for row in rows}:
        mine = [row for row in rows if (row["task"], row["kind"]) == (task, kind)]
        generations, seeds = {row["generations"] for row in mine}, {row["seed"] for row in mine}
        if generations != {args.generations} or seeds != set(range(args.seeds)):
            counts = " and ".join(map(str, sorted(generations)))
            raise tb.ConfigError(
                f"{file} holds {task}, {kind} with --generations {counts} --seeds {len(seeds)}; give these again, or "
                "another --out"
            )


def experiment(args: argparse.Namespace) -> int:
    """Train and test everything that has no row yet."""
    for name, value, known in (("--tasks", args.tasks, tuple(TASKS)), ("--kinds", args.kinds, KINDS)):
        if not set(value) <= set(known):
            raise tb.ConfigError(f"{name}: known are {', '.join(known)}")
    folder = prepare_folder(args.out)
    file, gains_file = folder / "circuit.csv", folder / "circuit_gains.csv"
    rows = pd.read_csv(file).to_dict("records") if file.exists() else []
    check_rows(rows, file, args)
    gains = pd.read_csv(gains_file).to_dict("records") if gains_file.exists() else []
    # A run that broke between its two tables has left gains without a row; they come again.
    finished = {(row["task"], row["kind"]) for row in rows}
    gains = [each for each in gains if (each["task"], each["kind"]) in finished]
    # The worm's circuit first on all tasks, as its gains are wanted elsewhere.
    for kind in args.kinds:
        for task in args.tasks:
            if any(row["task"] == task and row["kind"] == kind for row in rows):
                continue
            brain, free, spent = trained(task, kind, args, folder)
            untrained, score = (tested(task, brain, each) for each in (np.zeros_like(free), free))
            for seed in range(args.seeds):
                rows.append({
                    "task": task, "kind": kind, "seed": seed, "numbers": brain.count, "generations": args.generations,
                    "episodes": args.generations * POPULATION * EPISODES, "untrained": untrained[seed],
                    "trained": score[seed], "cpu_s": spent / args.seeds, "revision": git_revision() or "none",
                })  # fmt: skip
                if kind in ("worm", "held"):
                    named = zip(brain.circuits[0].names, brain.numbers(free[seed]), strict=True)
                    gains += [{"task": task, "kind": kind, "seed": seed, "name": a, "value": b} for a, b in named]
            for path, found in ((gains_file, gains), (file, rows)):
                if found:
                    write_atomically(path, pd.DataFrame(found).to_csv(index=False, float_format="%.6g").encode())
    table = pd.read_csv(file)
    found = summary(table)
    write_atomically(folder / "circuit_summary.csv", found.to_csv(index=False, float_format="%.4g").encode())
    print(found.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    print(f"wrote {file.name}, circuit_summary.csv and, of the worm's wiring, {gains_file.name} in {folder}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="*", default=list(TASKS))
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), help=", ".join(KINDS))
    parser.add_argument("--generations", type=int, default=GENERATIONS)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="each with its own search, episodes and wiring")
    parser.add_argument("--out", type=Path, default=Path("output/train_circuit"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
