"""Can a policy that learns from nothing move a worm better than the best prescribed wave, and climb a gradient?

Question: PPO (examples/ppo.py) trains the muscles of bodies without a brain. Does what it finds swim faster than the
best travelling wave (`Wave.best`), does it find a peak of a substance, does it pass between pillars?
See: returns while it trains; what each policy does on starts that it has not trained on, beside its control: the wave
from the same starts, or the same policy with a sensor whose readings are shuffled; a film of the first worm.
Method: one training per seed, each resumable; a policy is judged without exploration.
Time: about 20 minutes of one core for 600,000 steps in water, as much on agar.
Compare: nothing was measured of animals; swimming ones reach 0.35 mm/s.

    python sims/train_worms.py swim --seeds 1 2 3
    python sims/train_worms.py chemotaxis --seeds 1 --steps 1500000
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import gymnasium
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import tianbao.learning  # noqa: F401  registers its environments
from tianbao.behaviour.estimates import Ratio
from tianbao.behaviour.responses import share_of_trials
from tianbao.cli import run_script
from tianbao.errors import ConfigError
from tianbao.io.files import prepare_folder, replacing, write_atomically
from tianbao.learning.baselines import Wave
from tianbao.learning.policy import TRAINED, Policy
from tianbao.view import style
from tianbao.view.video import write_pictures

PPO = Path(__file__).resolve().parents[1] / "examples" / "ppo.py"
UNSEEN = 1_000_000_007  # of starts; trainings draw theirs from seeds far below


@dataclass(frozen=True)
class Task:
    """What is trained, and what it is compared with.

    Attributes:
        environment: its id.
        medium: whose best wave is the control; None where the control is a shuffled sensor.
        start: name of the trained policy to begin with; None for nothing.
        familiar: number of its inputs that mean the same here; the others are new.
        options: of ppo.py beside the common ones.
    """

    environment: str
    medium: str | None
    start: str | None = None
    familiar: int = 0
    options: tuple[str, ...] = ()

    @property
    def control(self) -> str:
        """What a policy is compared with."""
        return "policy, sensor shuffled" if self.medium is None else "best wave"


TASKS = {
    "swim": Task("Tianbao/Swim-v0", "water"),
    "crawl": Task("Tianbao/Crawl-v0", "agar"),
    # A worm that can crawl learns where to, by what its nose tells.
    "chemotaxis": Task("Tianbao/Chemotaxis-v0", None, "crawl", 72, ("--fresh", "2", "--gamma", "0.98")),
    # A worm that can swim learns to do so between pillars; what its sides feel is new.
    "obstacles": Task("Tianbao/Obstacles-v0", "water", "swim", 74, ("--log-std", "-0.7")),
}


def train(task: Task, seed: int, args: argparse.Namespace) -> Path:
    """Train until there are as many steps as wanted; the folder of the policy."""
    folder = args.out / f"seed_{seed}"
    words = [sys.executable, str(PPO), task.environment, "--envs", "64", "--steps", str(args.steps)]
    words += ["--seed", str(seed), "--out", str(folder), "--resume", "--option", f"threads={args.threads}"]
    so_far = pd.read_csv(folder / "returns.csv").steps.max() if (folder / "returns.csv").exists() else 0
    if task.start:
        words += ["--start", str(TRAINED / f"{task.start}.npz")]
    if so_far < args.steps and subprocess.run([*words, *task.options], check=False).returncode:
        raise ConfigError(f"training of seed {seed} failed, see above; run the same command again to go on")
    return folder


def judge(task: Task, act, args: argparse.Namespace, **options) -> tuple[np.ndarray, np.ndarray]:
    """Whole episodes from unseen starts: return of each [body lengths], and whether it reached its goal.

    Args:
        task: see Task.
        act: takes observations and the time in the middle of the action [s]; gives the actions of all worms.
        args: options.
        **options: of the environment.
    """
    envs = gymnasium.make_vec(
        task.environment, args.starts, vectorization_mode="vector_entry_point", threads=args.threads, **options
    )
    seen, _ = envs.reset(seed=UNSEEN)
    returns, reached, going = np.zeros(args.starts), np.zeros(args.starts, bool), np.ones(args.starts, bool)
    done, interval = 0, envs.task.worms.interval
    while going.any():
        seen, reward, terminated, truncated, _ = envs.step(act(seen, (done + 0.5) * interval).astype(np.float32))
        returns += np.where(going, reward, 0.0)
        reached |= going & terminated
        going &= ~(terminated | truncated)
        done += 1
    envs.close()
    return returns, reached


def rows_of(name: str, seed: object, returns: np.ndarray, reached: np.ndarray) -> dict[str, object]:
    """A row of the table: mean return and share that reached the goal, with 95 % intervals."""
    mean = Ratio(lambda sums: sums[..., 0] / sums[..., 1]).estimate([(each, 1.0) for each in returns])
    share = share_of_trials([bool(each) for each in reached])
    return {
        "of": name, "seed": seed, "starts": len(returns), "return_body_lengths": mean.value, "return_low": mean.low,
        "return_high": mean.high, "reached": share.share, "reached_low": share.low, "reached_high": share.high,
    }  # fmt: skip


def without(policy: Policy, familiar: int):
    """What a policy does where the inputs from `familiar` on tell nothing: each is at its mean."""

    def act(seen: np.ndarray, time: float) -> np.ndarray:
        known = np.tile(policy.mean, (len(seen), 1))
        known[:, :familiar] = seen[:, :familiar]
        return policy(known)

    return act


def compare(task: Task, folders: dict[int, Path], args: argparse.Namespace) -> pd.DataFrame:
    """Every policy and its control, on the same starts."""
    rows = []
    if task.medium is not None:
        wave = Wave.best(task.medium)
        found = judge(task, lambda seen, time: wave.action(time, len(seen)), args)
        rows.append(rows_of(task.control, "", *found))
    if task.start:
        began = without(Policy.trained(task.start), task.familiar)
        rows.append(rows_of("policy that it began with", "", *judge(task, began, args)))
    for seed, folder in folders.items():
        policy = Policy.load(folder / "policy.npz")
        rows.append(rows_of("policy", seed, *judge(task, lambda seen, time, own=policy: own(seen), args)))
        if task.start:
            hidden = without(policy, task.familiar)
            rows.append(rows_of("policy, new inputs hidden", seed, *judge(task, hidden, args)))
        if task.medium is None:
            found = judge(task, lambda seen, time, own=policy: own(seen), args, shuffled=True)
            rows.append(rows_of(task.control, seed, *found))
    return pd.DataFrame(rows)


def curves(folders: dict[int, Path], table: pd.DataFrame, path: Path) -> Path:
    """Return of the episodes of a training beside that of the wave."""
    figure = Figure(figsize=(6.0, 3.6), layout="constrained")
    axes = figure.subplots()
    for seed, folder in folders.items():
        known = pd.read_csv(folder / "returns.csv").dropna(subset="return")
        axes.plot(known.steps / 1e3, known["return"], label=f"seed {seed}, exploring")
    for _, row in table[table.of == "best wave"].iterrows():
        axes.axhline(row.return_body_lengths, color=style.INK, linestyle="--", label=row.of)
    axes.set(xlabel="actions of all worms [thousands]", ylabel="return of an episode [body lengths]")
    axes.legend(frameon=False)
    with replacing(path) as partial:
        figure.savefig(partial, dpi=150, format="png")
    return path


def film(task: Task, folder: Path, path: Path) -> Path:
    """The first unseen start, from above and in real time."""
    env = gymnasium.make(task.environment, render_mode="rgb_array")
    policy, pictures = Policy.load(folder / "policy.npz"), []
    seen, over = env.reset(seed=UNSEEN)[0], False
    while not over:
        pictures.append(env.render())
        seen, _, terminated, truncated, _ = env.step(policy(seen).astype(np.float32))
        over = terminated or truncated
    env.close()
    return write_pictures(pictures, path, rate=float(env.metadata["render_fps"]))


def main(args: argparse.Namespace) -> int:
    """Train, judge, and say which files were written."""
    task = TASKS[args.task]
    args.out = prepare_folder(args.out or Path("output") / f"train_{args.task}")
    folders = {seed: train(task, seed, args) for seed in args.seeds}
    table = compare(task, folders, args)
    write_atomically(args.out / "evaluation.csv", table.to_csv(index=False, float_format="%.4g").encode())
    print(table.to_string(index=False, float_format="%.3g"))
    best = table[table.of == "policy"].sort_values("return_body_lengths").seed.iloc[-1]
    files = [args.out / "evaluation.csv", curves(folders, table, args.out / "curves.png")]
    files.append(Path(shutil.copy(folders[best] / "policy.npz", args.out / "policy.npz")))
    files.append(film(task, folders[best], args.out / f"{args.task}.mp4"))
    print("wrote", *(str(each) for each in files))
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="of the trainings (%(default)s)")
    parser.add_argument("--steps", type=int, default=600_000, help="actions of all worms, for each seed (%(default)s)")
    parser.add_argument("--starts", type=int, default=64, help="unseen starts to judge a policy on (%(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="of the body solver (%(default)s)")
    parser.add_argument("--out", type=Path, default=None, help="folder (output/train_TASK)")
    sys.exit(run_script(main, parser.parse_args()))
