# ruff: noqa: T201
"""Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347) in one file, for any Gymnasium environment.

    pip install "tianbao[train]"
    python examples/ppo.py Tianbao/Swim-v0 --envs 64 --steps 1000000 --out output/swim
    python examples/ppo.py Tianbao/Swim-v0 --envs 64 --steps 2000000 --out output/swim --resume
    python examples/ppo.py Tianbao/Chemotaxis-v0 --start output/crawl/policy.npz --fresh 2 --out output/chemotaxis
    python examples/ppo.py Tianbao/Escape-v0 --envs 16 --rollout 100 --steps 50000 --out output/escape

It trains a perceptron on a batch of environments and writes into the folder `--out`:

    policy.npz    the policy; tianbao.learning.policy.Policy reads it with numpy alone
    returns.csv   one row per update: steps, seconds, returns of the episodes that ended, losses
    state.pt      what `--resume` goes on from: networks, optimiser, statistics, random numbers of PyTorch
    settings.json what it was called with

A resumed training begins new episodes, since the state of an environment is not in `state.pt`.

The default values were chosen for bodies and brains of 10 to 100 continuous actions at 10 Hz; docs/learning/training.md
says how they were measured.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from torch import Tensor, nn
from torch.distributions import Categorical, Independent, Normal

import tianbao.learning  # noqa: F401  registers its environments
from tianbao.learning.policy import Policy, stretched

LEARNT = ("seen", "noise", "action", "log", "advantage", "return")
LOSSES = ("policy", "value", "entropy", "divergence")
UNSEEN = 1  # of the worlds in which a policy is evaluated; those of a training have two numbers
KNOWN = 20_000  # observations for which the scale of a policy to begin with counts; it soon follows what is seen here
COLUMNS = ("steps", "seconds", "episodes", "return", "lowest", "highest", "length", *LOSSES)


@dataclass
class Settings:
    """What can be chosen, with the defaults; each is an option of the command line."""

    environment: str = "Tianbao/Swim-v0"
    out: str = "output/ppo"
    steps: int = 1_000_000  # of all environments together
    envs: int = 64
    seed: int = 1
    resume: bool = False
    start: str = ""  # a policy.npz to begin with, of an environment with as many actions and at most as many inputs
    fresh: int = 0  # last inputs that mean something else than where that policy comes from: they begin without weight
    option: list[str] = field(default_factory=list)  # of the environment, as key=value
    rollout: int = 64  # steps of each environment between two updates
    epochs: int = 10
    minibatch: int = 512
    learning_rate: float = 3e-4
    anneal: bool = False  # the learning rate to zero at the last step
    gamma: float = 0.99  # discount per step
    trace: float = 0.95  # lambda of generalised advantage estimation
    clip: float = 0.2  # of the ratio of probabilities
    entropy: float = 0.0  # weight of the entropy
    value: float = 0.5  # weight of the value's loss
    gradient: float = 0.5  # largest norm
    divergence: float = 0.03  # stops the epochs of an update early [nats]; 0 never
    hidden: int = 64
    log_std: float = -0.5  # of the exploration at the start, in units of half the action's range
    correlation: float = 0.0  # of the exploration from one step to the next, 0 to below 1
    limit: float = 10.0  # of normalised observations
    evaluate: int = 1  # episodes of every environment without exploration at the end
    threads: int = 1  # of PyTorch


class Statistics:
    """Mean and variance of all that was seen so far (Chan et al. 1979), as tensors that `state.pt` can hold."""

    def __init__(self, size: int) -> None:
        self.mean, self.variance, self.count = np.zeros(size), np.ones(size), 0.0

    def update(self, values: np.ndarray) -> None:
        """Take in values of shape (any, size)."""
        many, mean, variance = len(values), values.mean(0), values.var(0)
        total, apart = self.count + many, mean - self.mean
        scatter = self.variance * self.count + variance * many + apart**2 * self.count * many / total
        self.mean, self.variance, self.count = self.mean + apart * many / total, scatter / total, total

    def normal(self, values: np.ndarray, limit: float) -> Tensor:
        """Values as standard deviations from the mean, clipped."""
        scaled = (values - self.mean) / np.sqrt(self.variance + 1e-8)
        return torch.as_tensor(np.clip(scaled, -limit, limit), dtype=torch.float32)

    def state(self) -> dict:
        """For `state.pt`."""
        return {"mean": torch.tensor(self.mean), "variance": torch.tensor(self.variance), "count": self.count}

    def restore(self, state: dict) -> None:
        """From `state.pt`."""
        self.mean, self.variance, self.count = state["mean"].numpy(), state["variance"].numpy(), state["count"]


def perceptron(inputs: int, hidden: int, outputs: int, last: float) -> nn.Sequential:
    """Two hidden layers with tanh, orthogonal weights, and a small last layer so that the start is near zero."""
    layers = [nn.Linear(inputs, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, outputs)]
    for layer, gain in zip(layers, (2**0.5, 2**0.5, last), strict=True):
        nn.init.orthogonal_(layer.weight, gain)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2])


class Agent(nn.Module):
    """The policy and the value of a state, as two perceptrons."""

    def __init__(self, inputs: int, space: Box | Discrete, settings: Settings) -> None:
        super().__init__()
        self.discrete = isinstance(space, Discrete)
        outputs = int(space.n) if self.discrete else int(np.prod(space.shape))
        self.actor = perceptron(inputs, settings.hidden, outputs, 0.01)
        self.critic = perceptron(inputs, settings.hidden, 1, 1.0)
        self.log_std = nn.Parameter(torch.full((outputs,), float(settings.log_std)))
        self.correlation = settings.correlation

    def worth(self, seen: Tensor) -> Tensor:
        """Expected return, shape (...,)."""
        return self.critic(seen).squeeze(-1)

    def choice(self, seen: Tensor, noise: Tensor) -> Categorical | Independent:
        """Distribution of the action, given by how much the action before was off its mean.

        With a correlation r the exploration is an autoregressive process of the same variance: its next value has the
        mean r x noise and a variance smaller by 1 - r^2. Conditioned on the noise before, each step has an exact
        probability, which is all that the ratio of policies needs.
        """
        out = self.actor(seen)
        if self.discrete:
            return Categorical(logits=out)
        r = self.correlation
        return Independent(Normal(out + r * noise, self.log_std.exp() * (1 - r * r) ** 0.5), 1)


class Episodes:
    """A batch of environments, stepped alike whatever their autoreset mode.

    With NEXT_STEP, the step after an end only resets: it is not valid, and not learnt from.
    """

    def __init__(self, envs: VectorEnv, seed: int) -> None:
        self.envs = envs
        self.mode = AutoresetMode(envs.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP))
        self.seen = self.flat(envs.reset(seed=seed)[0])
        self.ended = np.zeros(envs.num_envs, bool)
        self.returns, self.lengths = np.zeros(envs.num_envs), np.zeros(envs.num_envs, int)
        self.finished: list[tuple[float, int]] = []

    def flat(self, seen: np.ndarray) -> np.ndarray:
        """Observations as one row per environment."""
        return np.asarray(seen, np.float64).reshape(self.envs.num_envs, -1)

    def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Rewards, terminated, ended, the observation each step led to before any reset, and which steps were valid."""
        valid = ~self.ended if self.mode is AutoresetMode.NEXT_STEP else np.ones_like(self.ended)
        seen, reward, terminated, truncated, info = self.envs.step(action)
        ended, seen = np.logical_or(terminated, truncated), self.flat(seen)
        final = seen.copy()
        if self.mode is AutoresetMode.SAME_STEP and ended.any():
            for k in np.flatnonzero(ended):
                final[k] = np.asarray(info["final_obs"][k], np.float64).ravel()
        if self.mode is AutoresetMode.DISABLED and ended.any():
            seen = self.flat(self.envs.reset(options={"reset_mask": ended})[0])
        self.returns += np.where(valid, reward, 0.0)
        self.lengths += valid
        for k in np.flatnonzero(ended):
            self.finished.append((float(self.returns[k]), int(self.lengths[k])))
            self.returns[k], self.lengths[k] = 0.0, 0
        self.seen, self.ended = seen, ended
        return np.asarray(reward, np.float64), np.asarray(terminated, bool), ended, final, valid

    def pop(self) -> list[tuple[float, int]]:
        """Return and length of each episode that ended since the last call."""
        out, self.finished = self.finished, []
        return out


class Training:
    """An agent, its optimiser and what it knows of the scale of observations and rewards."""

    def __init__(self, settings: Settings, envs: VectorEnv) -> None:
        self.settings, self.envs = settings, envs
        self.space = envs.single_action_space
        inputs = int(np.prod(envs.single_observation_space.shape))
        self.agent = Agent(inputs, self.space, settings)
        self.optimiser = torch.optim.Adam(self.agent.parameters(), settings.learning_rate, eps=1e-5)
        self.seen, self.scale = Statistics(inputs), Statistics(1)
        self.steps, self.updates, self.seconds = 0, 0, 0.0
        self.discounted = np.zeros(envs.num_envs)

    # --- a rollout

    def acted(self, action: Tensor) -> np.ndarray:
        """An action as the environments take it."""
        if self.agent.discrete:
            return action.numpy()
        low, high = self.space.low.ravel(), self.space.high.ravel()
        shape = (self.envs.num_envs, *self.space.shape)
        return stretched(action.numpy(), low, high).reshape(shape).astype(self.space.dtype)

    @torch.no_grad()
    def rollout(self, episodes: Episodes, noise: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Follow the policy for a while; what is learnt from it, one row per step, and the last noise."""
        s, rows, raw = self.settings, [], []
        rewards, worths = np.zeros((s.rollout, s.envs)), np.zeros((s.rollout + 1, s.envs))
        terminated, ended, valid = (np.zeros((s.rollout, s.envs), bool) for _ in range(3))
        after = np.zeros((s.rollout, s.envs))
        for t in range(s.rollout):
            raw.append(episodes.seen)
            seen = self.seen.normal(episodes.seen, s.limit)
            choice = self.agent.choice(seen, noise)
            action = choice.sample()
            worths[t] = self.agent.worth(seen).numpy()
            rewards[t], terminated[t], ended[t], final, valid[t] = episodes.step(self.acted(action))
            rows.append((seen, noise, action, choice.log_prob(action)))
            if ended[t].any():
                after[t] = self.agent.worth(self.seen.normal(final, s.limit)).numpy()
            if not self.agent.discrete:
                over = torch.as_tensor(ended[t]).unsqueeze(-1)
                noise = torch.where(over, 0.0, action - (choice.mean - self.agent.correlation * noise))
        worths[-1] = self.agent.worth(self.seen.normal(episodes.seen, s.limit)).numpy()
        after = np.where(ended, after, worths[1:])
        advantages = self.advantages(self.scaled(rewards, ended, valid), worths[:-1], after, terminated, ended)
        self.seen.update(np.concatenate(raw))
        self.steps += s.rollout * s.envs
        columns = [*(torch.stack(each) for each in zip(*rows, strict=True))]
        columns += [torch.as_tensor(each, dtype=torch.float32) for each in (advantages, advantages + worths[:-1])]
        learnt = torch.as_tensor(valid).flatten()
        return {name: each.flatten(0, 1)[learnt] for name, each in zip(LEARNT, columns, strict=True)}, noise

    def scaled(self, rewards: np.ndarray, ended: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Rewards in standard deviations of the discounted return, so that one learning rate fits all tasks."""
        found = []
        for reward, end, real in zip(rewards, ended, valid, strict=True):
            self.discounted = np.where(real, self.settings.gamma * self.discounted + reward, 0.0)
            found.append(self.discounted[real])
            self.discounted = np.where(end, 0.0, self.discounted)
        self.scale.update(np.concatenate(found)[:, None])
        return rewards / np.sqrt(self.scale.variance + 1e-8)

    def advantages(
        self, rewards: np.ndarray, worths: np.ndarray, after: np.ndarray, terminated: np.ndarray, ended: np.ndarray
    ) -> np.ndarray:
        """Generalised advantage estimation (Schulman et al. 2016, arXiv:1506.02438), all of shape (steps, envs).

        `after` is the worth of what each step led to: where an episode was cut off, of the observation that ended it.
        """
        s, out, later = self.settings, np.zeros_like(rewards), np.zeros(rewards.shape[1])
        for t in reversed(range(len(rewards))):
            surprise = rewards[t] + s.gamma * after[t] * (1 - terminated[t]) - worths[t]
            out[t] = later = surprise + s.gamma * s.trace * (1 - ended[t]) * later
        return out

    # --- an update

    def minibatches(self, batch: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
        """All rows of a rollout in random order, in parts of nearly equal size."""
        rows = torch.randperm(len(batch["log"]))
        for part in rows.tensor_split(max(1, round(len(rows) / self.settings.minibatch))):
            yield {name: each[part] for name, each in batch.items()}

    def update(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """Improve the policy and the value by what a rollout showed; the mean losses."""
        s, said = self.settings, []
        self.updates += 1
        if s.anneal:
            self.optimiser.param_groups[0]["lr"] = s.learning_rate * max(0.0, 1 - self.steps / s.steps)
        for _ in range(s.epochs):
            far = []
            for part in self.minibatches(batch):
                loss, losses = self.loss(part)
                self.optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self.agent.parameters(), s.gradient)
                self.optimiser.step()
                said.append(losses)
                far.append(losses["divergence"])
            if s.divergence and np.mean(far) > s.divergence:
                break
        return {name: float(np.mean([each[name] for each in said])) for name in said[0]}

    def loss(self, part: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        """What is made small, with its parts as numbers."""
        s, choice = self.settings, self.agent.choice(part["seen"], part["noise"])
        change = choice.log_prob(part["action"]) - part["log"]
        ratio, gain = change.exp(), part["advantage"]
        gain = (gain - gain.mean()) / (gain.std(correction=0) + 1e-8)
        policy = -torch.min(ratio * gain, ratio.clamp(1 - s.clip, 1 + s.clip) * gain).mean()
        value = 0.5 * (self.agent.worth(part["seen"]) - part["return"]).square().mean()
        entropy = choice.entropy().mean()
        numbers = (policy, value, entropy, (ratio - 1 - change).mean())
        losses = dict(zip(LOSSES, (each.item() for each in numbers), strict=True))
        return policy + s.value * value - s.entropy * entropy, losses

    # --- files

    def begin_with(self, policy: Policy) -> None:
        """Take over the layers of a policy and the scale of its inputs; the value of a state is learnt anew.

        Inputs beyond those of the policy, and the `fresh` last ones, begin without weight.
        """
        layers = [each for each in self.agent.actor if isinstance(each, nn.Linear)]
        inputs, known = layers[0].in_features, len(policy.mean)
        shapes, given = [tuple(each.weight.shape) for each in layers], [each.shape for each in policy.weights]
        if known > inputs or [(given[0][0], inputs), *given[1:]] != shapes:
            raise SystemExit(f"{self.settings.start}: its layers have shapes {given}, and this one {shapes}")
        if not 0 <= self.settings.fresh <= inputs:
            raise SystemExit(f"--fresh {self.settings.fresh}: the environment has {inputs} inputs")
        familiar = min(known, inputs - self.settings.fresh)
        with torch.no_grad():
            for layer, weight, bias in zip(layers, policy.weights, policy.biases, strict=True):
                layer.weight[:, : weight.shape[1]] = torch.as_tensor(weight)
                layer.bias.copy_(torch.as_tensor(bias))
            layers[0].weight[:, familiar:] = 0.0
        self.seen.mean[:familiar], self.seen.variance[:familiar] = policy.mean[:familiar], policy.variance[:familiar]
        self.seen.count = float(KNOWN)

    def policy(self) -> Policy:
        """The policy as numpy has it."""
        layers = [each for each in self.agent.actor if isinstance(each, nn.Linear)]
        weights, biases = ([getattr(each, name).detach().numpy() for each in layers] for name in ("weight", "bias"))
        limits = {} if self.agent.discrete else {"low": self.space.low.ravel(), "high": self.space.high.ravel()}
        return Policy(weights, biases, self.seen.mean, self.seen.variance, limit=self.settings.limit, **limits)

    def save(self, folder: Path) -> None:
        """Write the policy and all that a resumed training needs; the old state is kept until the new one is whole."""
        state = {"agent": self.agent.state_dict(), "optimiser": self.optimiser.state_dict()}
        state |= {"seen": self.seen.state(), "scale": self.scale.state(), "random": torch.get_rng_state()}
        state |= {"steps": self.steps, "updates": self.updates, "seconds": self.seconds}
        torch.save(state, folder / "state.partial")
        (folder / "state.partial").replace(folder / "state.pt")
        self.policy().save(folder / "policy.npz")

    def restore(self, folder: Path) -> None:
        """Go on from what `save` wrote."""
        state = torch.load(folder / "state.pt", weights_only=True)
        try:
            self.agent.load_state_dict(state["agent"])
        except RuntimeError as error:
            raise SystemExit(f"{folder}: its networks are others, resume with the same --hidden ({error})") from None
        self.optimiser.load_state_dict(state["optimiser"])
        self.optimiser.param_groups[0]["lr"] = self.settings.learning_rate  # which may be another one now
        self.seen.restore(state["seen"])
        self.scale.restore(state["scale"])
        torch.set_rng_state(state["random"])
        self.steps, self.updates, self.seconds = state["steps"], state["updates"], state["seconds"]


def made(settings: Settings) -> VectorEnv:
    """The batch of environments: their own batch where they have one, else one after the other."""
    module, _, name = settings.environment.rpartition(":")
    if module:
        importlib.import_module(module)  # which registers an environment of its own, as in "my_module:My/Env-v0"
    for each in settings.option:
        if "=" not in each:
            raise SystemExit(f"--option {each}: give a name and a value, such as --option threads=2")
    options = {key: read(value) for key, value in (each.split("=", 1) for each in settings.option)}
    native = gymnasium.spec(name).vector_entry_point is not None
    mode = "vector_entry_point" if native else "sync"
    envs = gymnasium.make_vec(name, settings.envs, vectorization_mode=mode, **options)
    if not isinstance(envs.single_observation_space, Box) or not isinstance(envs.single_action_space, (Box, Discrete)):
        raise SystemExit(f"{name}: observations must be a Box, and actions a Box or Discrete")
    return envs


def read(value: str) -> object:
    """An option of an environment: JSON where it is, else the text itself."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def evaluate(policy: Policy, envs: VectorEnv, seed: int, rounds: int) -> list[float]:
    """Returns of whole episodes without exploration: the first `rounds` of each environment, short or long."""
    episodes, returns = Episodes(envs, seed), []
    running, done = np.zeros(envs.num_envs), np.zeros(envs.num_envs, int)
    while (done < rounds).any():
        action = policy(episodes.seen)
        if policy.low is not None:
            action = action.reshape(envs.action_space.shape).astype(envs.action_space.dtype)
        reward, _, ended, _, valid = episodes.step(action)
        running += np.where(valid, reward, 0.0)
        returns += [float(running[k]) for k in np.flatnonzero(ended & (done < rounds))]
        done, running = done + ended, np.where(ended, 0.0, running)
    return returns


def world(*numbers: int) -> int:
    """A seed for environments; those of two trainings have no worm in common, which seeds in a row would have."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def written(table: Path, steps: int) -> list[list[str]]:
    """Rows of an earlier training up to what it kept; one more may have been written just before it was killed."""
    if not table.exists():
        return []
    with open(table, newline="", encoding="utf-8") as file:
        return [row for row in csv.reader(file) if row[:1] != ["steps"] and int(row[0]) <= steps]


def train(settings: Settings) -> Path:
    """Train from the start or on from `state.pt`; the folder of the files."""
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    folder = Path(settings.out)
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "state.pt").exists() and not settings.resume:
        raise SystemExit(f"{folder} holds a training; give --resume to go on, or another --out")
    envs = made(settings)
    training = Training(settings, envs)
    if settings.resume and (folder / "state.pt").exists():
        training.restore(folder)
    elif settings.start:
        training.begin_with(Policy.load(settings.start))
    (folder / "settings.json").write_text(json.dumps(asdict(settings), indent=1) + "\n", encoding="utf-8")
    # Worlds of a resumed training are others than those it began with.
    episodes = Episodes(envs, world(settings.seed, training.updates))
    so_far = written(folder / "returns.csv", training.steps)
    noise = torch.zeros(settings.envs, training.agent.log_std.numel())
    began, before, first = time.monotonic(), training.seconds, training.steps
    with open(folder / "returns.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerows([COLUMNS, *so_far])
        while training.steps < settings.steps:
            batch, noise = training.rollout(episodes, noise)
            losses = training.update(batch)
            training.seconds = before + time.monotonic() - began
            ended = np.array(episodes.pop()).reshape(-1, 2)
            of_episodes = ["", "", "", ""]
            if len(ended):
                found = (ended[:, 0].mean(), ended[:, 0].min(), ended[:, 0].max(), ended[:, 1].mean())
                of_episodes = [f"{each:.6g}" for each in found]
            training.save(folder)  # before its row, which a resumed training would otherwise repeat
            row = [training.steps, f"{training.seconds:.1f}", len(ended), *of_episodes]
            table.writerow([*row, *(f"{each:.6g}" for each in losses.values())])
            file.flush()
            left = (settings.steps - training.steps) * (training.seconds - before) / (training.steps - first)
            if len(ended):
                print(f"{training.steps} steps, return {of_episodes[0]}, {max(left, 0) / 60:.1f} min left", flush=True)
    if settings.evaluate:
        returns = evaluate(training.policy(), envs, world(settings.seed, 0, UNSEEN), settings.evaluate)
        print(f"without exploration: return {np.mean(returns):.4g} +- {np.std(returns):.2g} of {len(returns)} episodes")
    envs.close()
    return folder


def settings_of(words: list[str] | None = None) -> Settings:
    """The settings of a command line."""
    parser = argparse.ArgumentParser(description="Proximal policy optimisation on a Gymnasium environment.")
    parser.add_argument("environment", help="its id, such as Tianbao/Swim-v0")
    for each in fields(Settings)[1:]:
        name, default = f"--{each.name.replace('_', '-')}", getattr(Settings(), each.name)
        if isinstance(default, bool):
            parser.add_argument(name, action="store_true")
        elif isinstance(default, list):
            parser.add_argument(name, action="append", default=[], metavar="KEY=VALUE", help="of the environment")
        else:
            parser.add_argument(name, type=type(default), default=default, help=f"{default}")
    return Settings(**vars(parser.parse_args(words)))


if __name__ == "__main__":
    train(settings_of())
