"""Policies as files of numbers, and the single-file PPO that writes them."""

from __future__ import annotations

import csv
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from tianbao.errors import ConfigError, OutputError
from tianbao.learning.policy import TRAINED, Policy, stretched

ROOT = Path(__file__).parents[1]


def small(**changes):
    """A policy of 3 inputs, 4 hidden units and 2 outputs."""
    random = np.random.default_rng(3)
    held = {
        "weights": [random.normal(size=(4, 3)), random.normal(size=(2, 4))],
        "biases": [random.normal(size=4), random.normal(size=2)],
        "mean": random.normal(size=3),
        "variance": random.uniform(0.5, 2.0, 3),
        "low": np.array([-2.0, 0.0]),
        "high": np.array([2.0, 1.0]),
    }
    return Policy(**(held | changes))


def test_a_policy_comes_back_from_its_file_to_the_bit(tmp_path):
    policy, seen = small(), np.random.default_rng(1).normal(size=(50, 3))
    again = Policy.load(policy.save(tmp_path / "policy.npz"))
    assert (again(seen) == policy(seen)).all()
    assert (again.outputs(seen) == policy.outputs(seen)).all()


def test_actions_stay_within_the_limits_of_the_space():
    actions = small()(np.random.default_rng(1).normal(0, 30, size=(200, 3)))
    assert actions.shape == (200, 2)
    assert (actions >= [-2, 0]).all() and (actions <= [2, 1]).all()
    assert np.ptp(actions, axis=0).min() > 0.5


def test_one_observation_and_a_batch_give_the_same():
    policy, seen = small(), np.random.default_rng(1).normal(size=(5, 3))
    assert np.allclose([policy(each) for each in seen], policy(seen), rtol=0, atol=1e-7)


def test_an_observation_far_outside_counts_no_more_than_the_limit():
    policy = small()
    far = policy.mean + np.sqrt(policy.variance + 1e-8) * 10.0
    assert np.allclose(policy.outputs(far), policy.outputs(far + 1e6))


def test_a_discrete_policy_names_the_largest_output(tmp_path):
    policy = small(low=None, high=None)
    seen = np.random.default_rng(1).normal(size=(30, 3))
    actions = Policy.load(policy.save(tmp_path / "discrete.npz"))(seen)
    assert (actions == policy.outputs(seen).argmax(1)).all()
    assert len(set(actions.tolist())) == 2


def test_actions_without_limits_pass_as_they_are():
    low, high = np.array([-np.inf, -1.0, 0.0]), np.array([np.inf, np.inf, 4.0])
    assert stretched(np.array([7.0, -3.0, 0.5]), low, high).tolist() == [7.0, -1.0, 3.0]


@pytest.mark.parametrize(
    "changes",
    [
        {"biases": [np.zeros(4)]},
        {"biases": [np.zeros(4), np.zeros(3)]},
        {"mean": np.zeros(2), "variance": np.ones(2)},
        {"variance": np.array([1.0, -1.0, 1.0])},
        {"mean": np.array([0.0, np.nan, 0.0])},
        {"high": None},
        {"low": np.zeros(3), "high": np.ones(3)},
    ],
)
def test_layers_that_do_not_fit_are_refused(changes):
    with pytest.raises(ConfigError, match="policy"):
        small(**changes)


def test_an_observation_of_another_size_is_refused():
    with pytest.raises(ConfigError, match="3 values"):
        small()(np.zeros(4))


def test_files_that_hold_no_policy_are_refused(tmp_path):
    (tmp_path / "text.npz").write_text("not a policy")
    np.savez(tmp_path / "other.npz", format=1, weight_0=np.zeros((2, 2)))
    np.savez(tmp_path / "pickled.npz", weight_0=np.array([{}], object))
    whole = (small().save(tmp_path / "whole.npz")).read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    for name in ("text", "other", "pickled", "cut", "missing"):
        with pytest.raises(OutputError, match="policy"):
            Policy.load(tmp_path / f"{name}.npz")


def example(name):
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(f"{name}_example", ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def ppo():
    """The single-file PPO."""
    pytest.importorskip("torch")
    return example("ppo")


def words(folder, environment="Pendulum-v1", **options):
    """A command line of a short training."""
    held = {"out": folder, "envs": 4, "rollout": 32, "steps": 512, "evaluate": 0} | options
    names = {name: f"--{name.replace('_', '-')}" for name in held}
    return [environment, *(each for name, value in held.items() for each in (names[name], str(value)))]


@pytest.mark.train
def test_the_numpy_policy_equals_torch(ppo, tmp_path):
    import torch

    settings = ppo.settings_of(words(tmp_path))
    ppo.train(settings)
    training = ppo.Training(settings, ppo.made(settings))
    training.restore(tmp_path)
    seen = np.random.default_rng(0).normal(size=(100, 3)) * [1, 1, 8]
    with torch.no_grad():
        mean = training.agent.actor(training.seen.normal(seen, settings.limit)).numpy()
    assert np.allclose(Policy.load(tmp_path / "policy.npz")(seen), 2 * np.clip(mean, -1, 1), atol=1e-5)


@pytest.mark.train
def test_the_same_seed_trains_the_same_and_a_resumed_training_goes_on(ppo, tmp_path):
    for name in ("a", "b"):
        ppo.train(ppo.settings_of(words(tmp_path / name)))
    first, second = (Policy.load(tmp_path / name / "policy.npz") for name in ("a", "b"))
    assert all((a == b).all() for a, b in zip(first.weights, second.weights, strict=True))
    with pytest.raises(SystemExit, match="--resume"):
        ppo.train(ppo.settings_of(words(tmp_path / "a")))
    ppo.train(ppo.settings_of([*words(tmp_path / "a", steps=1024), "--resume"]))
    rows = list(csv.DictReader((tmp_path / "a" / "returns.csv").open()))
    assert [int(row["steps"]) for row in rows] == list(range(128, 1025, 128))


@pytest.mark.train
def test_a_training_begins_with_a_policy_whose_last_inputs_meant_something_else(ppo, tmp_path):
    ppo.train(ppo.settings_of(words(tmp_path / "a")))
    policy = Policy.load(tmp_path / "a" / "policy.npz")
    settings = ppo.settings_of(words(tmp_path / "b", fresh=1, start=tmp_path / "a" / "policy.npz"))
    training = ppo.Training(settings, ppo.made(settings))
    training.begin_with(policy)
    seen = np.random.default_rng(0).normal(size=(100, 3)) * [1, 1, 8]
    elsewhere, known = seen.copy(), seen.copy()
    elsewhere[:, 2] += 5.0
    known[:, 2] = policy.mean[2]
    assert np.allclose(training.policy()(seen), training.policy()(elsewhere), atol=1e-6)
    assert np.allclose(training.policy()(seen), policy(known), atol=1e-5)
    wide = ppo.settings_of(words(tmp_path / "c", hidden=16))
    with pytest.raises(SystemExit, match="shapes"):
        ppo.Training(wide, ppo.made(wide)).begin_with(policy)


@pytest.mark.train
def test_a_resumed_training_takes_the_learning_rate_that_it_is_given_now(ppo, tmp_path):
    ppo.train(ppo.settings_of([*words(tmp_path), "--anneal"]))
    settings = ppo.settings_of([*words(tmp_path, learning_rate=1e-3), "--resume"])
    training = ppo.Training(settings, ppo.made(settings))
    training.restore(tmp_path)
    assert training.optimiser.param_groups[0]["lr"] == 1e-3


@pytest.mark.train
def test_long_episodes_count_as_much_as_short_ones(ppo):
    import gymnasium

    class Lasting(gymnasium.Env):
        observation_space, action_space = gymnasium.spaces.Box(0, 99, (1,)), gymnasium.spaces.Discrete(2)

        def __init__(self, last):
            self.last = last

        def reset(self, *, seed=None, options=None):
            self.count = 0
            return np.zeros(1, np.float32), {}

        def step(self, action):
            self.count += 1
            return np.zeros(1, np.float32), 1.0, self.count == self.last, False, {}

    envs = gymnasium.vector.SyncVectorEnv([lambda last=last: Lasting(last) for last in (2, 50)])
    policy = Policy([np.zeros((2, 1))], [np.zeros(2)], np.zeros(1), np.ones(1))
    assert sorted(ppo.evaluate(policy, envs, 0, 2)) == [2.0, 2.0, 50.0, 50.0]


@pytest.mark.train
@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_every_autoreset_mode_leads_to_the_observation_that_ended_the_episode(ppo, mode):
    """In an environment that counts its steps, what a step led to is always one more than what it began with."""
    import gymnasium

    class Counting(gymnasium.Env):
        observation_space, action_space = gymnasium.spaces.Box(0, 99, (1,)), gymnasium.spaces.Discrete(2)

        def __init__(self, last):
            self.last = last

        def reset(self, *, seed=None, options=None):
            self.count = 0
            return np.array([0], np.float32), {}

        def step(self, action):
            self.count += 1
            return np.array([self.count], np.float32), 1.0, self.count == self.last, False, {}

    makers = [lambda last=last: Counting(last) for last in (2, 3, 5)]
    envs = gymnasium.vector.SyncVectorEnv(makers, autoreset_mode=mode)
    episodes, lengths = ppo.Episodes(envs, 0), []
    for _ in range(60):
        before = episodes.seen[:, 0].copy()
        _, _, ended, final, valid = episodes.step(np.zeros(3, int))
        assert (final[valid, 0] == before[valid] + 1).all()
        assert (final[ended, 0] == np.array([2, 3, 5])[ended]).all()
        lengths += episodes.pop()
    assert {(2.0, 2), (3.0, 3), (5.0, 5)} == set(lengths)


@pytest.mark.train
def test_advantages_are_discounted_sums_of_surprises_within_an_episode(ppo, tmp_path):
    """With lambda 1 an advantage and the worth before it are the discounted rewards up to the end of the episode."""
    settings = ppo.settings_of(words(tmp_path, trace=1.0, gamma=0.9))
    training = ppo.Training(settings, ppo.made(settings))
    random = np.random.default_rng(5)
    rewards, worths, after = random.normal(size=(3, 6, 1))
    after[[0, 1, 3, 4]] = worths[[1, 2, 4, 5]]  # within an episode a step leads to where the next one begins
    ended = np.zeros((6, 1), bool)
    ended[2] = True
    weights = 0.9 ** np.arange(3)
    for terminated in (ended, np.zeros_like(ended)):
        found = (training.advantages(rewards, worths, after, terminated, ended) + worths)[:, 0]
        bootstrap = 0.0 if terminated[2] else 0.9**3 * after[2, 0]
        assert np.isclose(found[0], weights @ rewards[:3, 0] + bootstrap)
        assert np.isclose(found[3], weights @ rewards[3:, 0] + 0.9**3 * after[5, 0])


@pytest.mark.train
def test_stable_baselines_trains_on_a_batch_and_its_policy_becomes_numbers():
    pytest.importorskip("stable_baselines3")
    import gymnasium

    sb3 = example("sb3")
    makers = [lambda: gymnasium.make("Pendulum-v1", max_episode_steps=20)] * 3
    batch = gymnasium.vector.SyncVectorEnv(makers, autoreset_mode="SameStep")
    envs = sb3.VecNormalize(sb3.VecMonitor(sb3.Worms(batch)))
    model = sb3.PPO("MlpPolicy", envs, n_steps=50, batch_size=30, seed=1, device="cpu")
    model.learn(150)
    assert len(model.ep_info_buffer) == 6 and {each["l"] for each in model.ep_info_buffer} == {20}
    seen = np.random.default_rng(0).normal(size=(50, 3)) * [1, 1, 8]
    expected, _ = model.predict(envs.normalize_obs(seen.astype(np.float32)), deterministic=True)
    assert np.allclose(sb3.policy_of(model, envs)(seen), expected, atol=1e-4)


def test_policies_that_come_with_tianbao_say_how_they_were_made_and_fit_their_environments():
    gymnasium = pytest.importorskip("gymnasium")
    with open(TRAINED / "policies.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["name"] for row in rows) == sorted(path.stem for path in TRAINED.glob("*.npz"))
    for row in rows:
        assert row["command"].startswith("python ") and row["commit"] and float(row["cpu_s"]) > 0
        policy, env = Policy.trained(row["name"]), gymnasium.make(f"tianbao.learning:{row['environment']}")
        seen, _ = env.reset(seed=1)
        assert env.action_space.contains(policy(seen))


def test_an_unknown_policy_is_answered_with_those_there_are():
    with pytest.raises(ConfigError, match="swim"):
        Policy.trained("swin")


@pytest.mark.slow
def test_the_trained_swimmer_beats_the_best_wave_from_starts_that_it_has_not_seen():
    gymnasium = pytest.importorskip("gymnasium")
    from tianbao.learning.baselines import Wave

    envs = gymnasium.make_vec("tianbao.learning:Tianbao/Swim-v0", 4, vectorization_mode="vector_entry_point", threads=2)
    wave, policy = Wave.best("water"), Policy.trained("swim")
    ways = []
    for act in (lambda seen, k: policy(seen), lambda seen, k: wave.action(0.1 * k + 0.05, len(seen))):
        seen, _ = envs.reset(seed=987_654_321)
        way = np.zeros(4)
        for k in range(100):
            seen, reward, *_ = envs.step(act(seen, k))
            way += reward
        ways.append(way)
    assert (ways[0] > ways[1]).all()
