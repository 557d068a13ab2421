# ruff: noqa: T201
"""Stable-Baselines3's PPO on a native batch of worms.

    pip install "tianbao[train]"
    python examples/sb3.py Tianbao/Swim-v0 --envs 64 --steps 1000000 --out output/swim_sb3

Stable-Baselines3 has a kind of batch of its own; `Worms` makes one of a batch of Gymnasium in 25 lines, without a
process per worm. The policy is written as numbers as well (policy.npz), which tianbao.learning.policy reads with numpy
alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecEnv, VecMonitor, VecNormalize

import tianbao.learning  # noqa: F401  registers its environments
from tianbao.learning.policy import Policy


class Worms(VecEnv):
    """A batch of Gymnasium in mode SAME_STEP as Stable-Baselines3 has it."""

    def __init__(self, envs: VectorEnv) -> None:
        assert envs.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP, "make it with autoreset_mode='SameStep'"
        self.envs = envs
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)

    def reset(self) -> np.ndarray:
        seed = self._seeds[0]
        self._reset_seeds()  # the next episodes begin elsewhere
        return self.envs.reset(seed=seed)[0]

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict]]:
        seen, rewards, terminated, truncated, info = self.envs.step(self._actions)
        infos = [{"TimeLimit.truncated": bool(cut and not end)} for cut, end in zip(truncated, terminated, strict=True)]
        for k in np.flatnonzero(terminated | truncated):
            infos[k]["terminal_observation"] = info["final_obs"][k]
        return seen, rewards.astype(np.float32), terminated | truncated, infos

    def close(self) -> None:
        self.envs.close()

    def get_attr(self, attr_name: str, indices=None) -> list:
        return [getattr(self.envs, attr_name)] * len(self._get_indices(indices))

    def set_attr(self, attr_name: str, value, indices=None) -> None:
        setattr(self.envs, attr_name, value)

    def env_method(self, method_name: str, *args, indices=None, **options) -> list:
        return [getattr(self.envs, method_name)(*args, **options)]

    def env_is_wrapped(self, wrapper_class, indices=None) -> list[bool]:
        return [False] * len(self._get_indices(indices))


def policy_of(model: PPO, normal: VecNormalize) -> Policy:
    """The actor of a model as numbers, with the normalisation of its observations."""
    layers = [*model.policy.mlp_extractor.policy_net, model.policy.action_net]
    layers = [each for each in layers if isinstance(each, torch.nn.Linear)]
    weights, biases = ([getattr(each, name).detach().numpy() for each in layers] for name in ("weight", "bias"))
    space, seen = model.action_space, normal.obs_rms
    # Its actions are in the space's own units; a policy of ours goes from -1..1 to these.
    finite = np.isfinite(space.low) & np.isfinite(space.high)
    low, high = np.where(finite, space.low, -1.0), np.where(finite, space.high, 1.0)
    middle, half = 0.5 * (high + low), 0.5 * (high - low)
    weights[-1], biases[-1] = weights[-1] / half[:, None], (biases[-1] - middle) / half
    return Policy(weights, biases, seen.mean, seen.var, limit=normal.clip_obs, low=space.low, high=space.high)


def main() -> None:
    """Train, save and evaluate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("environment", nargs="?", default="Tianbao/Swim-v0")
    parser.add_argument("--envs", type=int, default=64)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("output/sb3"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    mode = {"vectorization_mode": "vector_entry_point", "autoreset_mode": "SameStep"}
    envs = VecNormalize(VecMonitor(Worms(gymnasium.make_vec(args.environment, args.envs, **mode))))
    # Rollouts of some 4096 steps in all, as examples/ppo.py has them.
    steps = max(4096 // args.envs, 16)
    network = {"net_arch": [64, 64], "log_std_init": -0.5}
    model = PPO(
        "MlpPolicy", envs, n_steps=steps, batch_size=512, gamma=0.99, policy_kwargs=network, seed=args.seed,
        device="cpu",
    )  # fmt: skip
    model.learn(args.steps, progress_bar=False, log_interval=1)
    args.out.mkdir(parents=True, exist_ok=True)
    model.save(args.out / "model.zip")
    envs.save(args.out / "normalisation.pkl")  # what a model that is loaded needs beside it
    policy_of(model, envs).save(args.out / "policy.npz")
    envs.training = envs.norm_reward = False
    mean, spread = evaluate_policy(model, envs, n_eval_episodes=args.envs)
    print(f"without exploration: return {mean:.4g} +- {spread:.2g} of {args.envs} episodes")


if __name__ == "__main__":
    main()
