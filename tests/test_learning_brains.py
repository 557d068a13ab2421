"""Whole worms as environments: an agent speaks to neurons, and the animal answers."""

from __future__ import annotations

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

import tianbao as tb
from tianbao.errors import ConfigError
from tianbao.learning.brain_worms import BrainWorms, place_of, values
from tianbao.learning.brains import Drops, Escape, EscapeBatch
from tianbao.learning.foraging import parallel_env

QUICK = {"settle": 0.0}  # episodes of the tests begin without the crawl before the drop


@pytest.fixture(scope="module")
def escape():
    """One worm; its simulation is shared by the tests."""
    return Escape(**QUICK)


@pytest.fixture(scope="module")
def pair():
    """Two worms with episodes of three actions."""
    return EscapeBatch(2, max_episode_steps=3, threads=1, **QUICK)


def actions_of(env, steps, seed=5):
    """Random actions of all worms, shape (steps, worms, controls)."""
    return np.random.default_rng(seed).uniform(-1, 1, (steps, env.num_envs, *env.single_action_space.shape))


def test_gymnasium_makes_and_accepts_the_environment():
    made = gymnasium.make("Tianbao/Escape-v0", render_mode="rgb_array", **QUICK)
    assert made.spec.max_episode_steps == 100
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.filterwarnings("ignore", message=".*infinity.*|.*render.*")
        check_env(made.unwrapped)
    made.reset(seed=1)
    assert made.render().shape == (320, 320, 3) and made.render().std() > 10


def test_the_same_seed_gives_the_same_trajectory_and_another_one_does_not(escape):
    def trajectory(seed):
        seen = [escape.reset(seed=seed)[0]]
        for action in actions_of(escape.batch, 4)[:, 0]:
            seen.append(escape.step(action)[0])
        return np.array(seen)

    first = trajectory(11)
    assert (trajectory(11) == first).all()
    assert (trajectory(12) != first).any(axis=1).all()


def test_a_worm_of_a_batch_does_what_it_does_alone(pair, escape):
    alone = [escape, Escape(stream=1, **QUICK)]
    actions = actions_of(pair, 3)
    together, singly = [pair.reset(seed=4)[0]], [np.array([each.reset(seed=4)[0] for each in alone])]
    for both in actions:
        seen, reward, *_ = pair.step(both)
        found = [each.step(action)[:2] for each, action in zip(alone, both, strict=True)]
        assert (reward == [each[1] for each in found]).all()
        together.append(seen)
        singly.append(np.array([each[0] for each in found]))
    assert (np.array(together) == np.array(singly)).all()


def test_the_next_step_begins_new_episodes(pair):
    pair.reset(seed=4)
    actions = actions_of(pair, 3)
    for k in range(3):
        before = pair.step(actions[k])
        assert not before[2].any() and (before[3] == (k == 2)).all()
    first, reward, terminated, truncated, info = pair.step(actions[0])
    assert not (reward.any() or terminated.any() or truncated.any() or info["gained"].any())
    assert pair.worms.simulation.loop.time == 0.0
    assert (first != before[0]).any()
    again, _ = pair.reset(seed=4)
    assert (again != first).any()


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.DISABLED])
def test_the_other_autoreset_modes(pair, mode, monkeypatch):
    pair.reset(seed=4)
    actions = actions_of(pair, 3)
    ends = [pair.step(each) for each in actions][-1]
    monkeypatch.setattr(pair, "mode", mode)
    pair.reset(seed=4)
    found = [pair.step(each) for each in actions][-1]
    assert found[3].all()
    if mode is AutoresetMode.SAME_STEP:
        assert (np.stack(found[4]["final_obs"]) == ends[0]).all() and found[4]["_final_obs"].all()
        assert (found[4]["final_info"]["distance"] == ends[4]["distance"]).all()
        assert pair.worms.simulation.loop.time == 0.0
    else:
        with pytest.raises(ConfigError, match="reset"):
            pair.step(actions[0])
        with pytest.raises(ConfigError, match="begin together"):
            pair.reset(options={"reset_mask": np.array([True, False])})
        pair.reset(options={"reset_mask": np.array([True, True])})
        pair.step(actions[0])


def test_the_reward_is_the_distance_gained_and_the_drop_lies_where_it_is_asked(escape):
    _, info = escape.reset(seed=3, options={"distance": 0.5, "bearing": 90.0})
    worms, (drop,) = escape.batch.worms, escape.batch._drops.middles
    nose, ahead = worms.midline[0, 0, :2], worms.heading[0]
    assert np.isclose(np.linalg.norm(drop - nose), 0.5)
    assert np.isclose((drop - nose) @ ahead, 0.0, atol=1e-12)
    dorsal = np.array([-ahead[1], ahead[0]])  # to the left of the heading of a worm that lies on its left side
    assert (drop - nose) @ dorsal > 0
    rewards = [escape.step(action)[1] for action in actions_of(escape.batch, 3)[:, 0]]
    middle = worms.simulation.observe().midline[0].mean(axis=0)[:2]
    assert np.isclose(sum(rewards), np.linalg.norm(middle - drop) - info["distance"])


def test_a_current_reaches_its_neurons_and_no_others(escape):
    """The neuron that is driven departs first and most; the same worm, seed and noise without the current."""
    names = escape.batch.worms.simulation.observe().neurons if escape.batch.worms.simulation.loop.animals else None
    drives = [*escape.batch.worms.drives]
    voltages = []
    for drive in (0.0, 1.0):
        escape.reset(seed=8)
        action = np.zeros(len(drives))
        action[drives.index("ALM*")] = drive
        escape.step(action)
        seen = escape.batch.worms.simulation.observe()
        names, voltages = seen.neurons, [*voltages, seen.voltage[0]]
    moved = dict(zip(names, voltages[1] - voltages[0], strict=True))
    assert min(moved["ALML"], moved["ALMR"]) > 5.0
    assert {"ALML", "ALMR"} == set(sorted(moved, key=lambda name: abs(moved[name]))[-2:])


def test_the_drop_is_felt_and_observed(escape):
    seen, _ = escape.reset(seed=3, options={"distance": 0.2})
    names = [each.name for each in escape.batch.worms.observed]
    here, rate = names.index("copper at the nose"), names.index("its rate")
    expected = values()["drop_peak"] * np.exp(-(0.2**2) / (2 * values()["drop_width"] ** 2))
    assert np.isclose(seen[here], expected) and seen[rate] == 0.0
    after, *_ = escape.step(np.zeros(escape.action_space.shape))
    assert np.isclose(after[rate], (after[here] - seen[here]) / 0.1, rtol=1e-3)


def test_observations_lie_within_their_space_and_say_what_the_body_does(escape):
    escape.reset(seed=2)
    worms = escape.batch.worms
    before = worms.simulation.observe().midline[0].mean(axis=0)
    for action in actions_of(escape.batch, 3)[:, 0]:
        seen, *_ = escape.step(action)
        assert seen in escape.observation_space
        now = worms.simulation.observe()
        moved, before = (now.midline[0].mean(axis=0) - before)[:2] / 0.1, now.midline[0].mean(axis=0)
        names = {each.name: value for each, value in zip(worms.observed, seen, strict=True)}
        speed = np.hypot(names["velocity forward"], names["velocity to dorsal"])
        assert np.isclose(speed, np.linalg.norm(moved), rtol=1e-4)
        volts = dict(zip(now.neurons, now.voltage[0], strict=True))
        middle, scale = values()["voltage_middle"], values()["voltage_scale"]
        assert np.isclose(names["AVAL"] * scale + middle, volts["AVAL"], atol=1e-3)
        bends = [value for name, value in names.items() if name.startswith("curvature")]
        assert np.allclose(np.mean(bends[8:16]), now.curvature[0][15:32].mean(), atol=0.3)


def test_light_reaches_what_carries_a_channel_and_is_dark_up_to_zero():
    env = Escape(drives={}, light=["AVB*"], seen=["AVB*"], signal="calcium", **QUICK)
    assert env.action_space.shape == (1,)
    volts = []
    for brightness in (-1.0, 0.0, 1.0):
        env.reset(seed=1)
        env.step([brightness])
        seen = env.batch.worms.simulation.observe()
        volts.append(seen.voltage[0, seen.neurons.index("AVBL")])
    assert volts[0] == volts[1] and volts[2] > volts[1] + 5.0


def test_places_keep_worms_apart_within_what_positions_are_exact_for():
    places = np.array([place_of(k) for k in range(225)])
    apart = np.linalg.norm(places[:, None] - places, axis=2) + 1e9 * np.eye(225)
    assert apart.min() == values()["spacing"] and np.linalg.norm(places, axis=1).max() < 100


def test_drops_equal_gaussians_and_come_back_from_their_state():
    drops, points = Drops("copper", 5.0, 0.5), np.random.default_rng(0).normal(size=(4, 7, 3))
    drops.put([(0.5, 0.2), (-1.0, 0.0)])
    same = tb.Gaussian("copper", 5.0, 0.5, places=[[0.5, 0.2, 0.0], [-1.0, 0.0, 0.0]])
    flat = points * [1, 1, 0]
    assert np.allclose(drops.at(points, 0.0), same.at(flat, 0.0))
    state = drops.state()
    drops.put([])
    assert not drops.at(points, 0.0).any()
    drops.restore(state)
    assert np.allclose(drops.at(points, 0.0), same.at(flat, 0.0))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"drives": {"AVA*": -1.0}}, "drives"),
        ({"drives": {}}, "at least one"),
        ({"drives": ["AVA*"]}, "pA"),
        ({"signal": "spikes"}, "signal"),
        ({"sensed": ["salt"]}, "salt"),
        ({"control": 101.0}, "ticks"),
        ({"wrong": 1}, "wrong"),
        ({"num_envs": 2}, "make_vec"),
        ({"worm": "AVA"}, "Worm"),
        ({"stream": 225}, "num_envs and stream"),
    ],
)
def test_wrong_options_are_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        Escape(**options)


def test_wrong_calls_are_refused(escape):
    with pytest.raises(ConfigError, match="shape"):
        escape.reset(seed=1)
        escape.step(np.zeros(3))
    with pytest.raises(ConfigError, match="finite"):
        escape.step(np.full(escape.action_space.shape, np.nan))
    with pytest.raises(ConfigError, match="option"):
        escape.reset(options={"place": 1})
    with pytest.raises(ConfigError, match="distance.*-0.5 mm"):
        escape.reset(options={"distance": -0.5})
    with pytest.raises(ConfigError, match="one simulation, which has one seed"):
        escape.batch.reset(seed=[1])


def test_pictures_come_at_the_rate_of_actions(escape):
    assert escape.metadata["render_fps"] == escape.batch.metadata["render_fps"] == 10
    assert Escape(control=200.0, **QUICK).metadata["render_fps"] == 5


def test_pettingzoo_accepts_a_crowd_and_the_same_seed_gives_the_same():
    from pettingzoo.test import parallel_api_test

    env = parallel_env(worms=2, max_steps=2, neighbour=True, threads=1)
    parallel_api_test(env, num_cycles=4)

    def trajectory(seed):
        seen = [env.reset(seed=seed)[0]]
        while env.agents:
            seen.append(env.step({each: np.full(env.action_space(each).shape, 0.3) for each in env.agents})[0])
        return np.array([[each[name] for name in env.possible_agents] for each in seen])

    first = trajectory(3)
    assert (trajectory(3) == first).all() and (trajectory(4) != first).any()
    # Each sees the other at the same distance.
    apart = np.linalg.norm(first[..., -2:], axis=-1)
    assert np.allclose(apart[:, 0], apart[:, 1], rtol=1e-5) and apart.min() > 0


def test_the_reward_of_a_crowd_is_what_its_mouths_ate():
    food = tb.Lawn("food", radius=3.0, density=0.5)
    env = parallel_env(worms=2, food=food, max_steps=3, threads=1)
    env.reset(seed=1)
    left, most = env.worms.simulation.arena.field("food").left, food.rate * 0.1 / 3600.0
    for _ in range(3):
        *_, infos = out = env.step({each: np.zeros(env.action_space(each).shape) for each in env.agents})
        assert all(0.8 < each < 0.84 for each in out[1].values())  # 5/6 of the most, as a mouth thins its reach
    eaten = sum(each["eaten"] for each in infos.values())
    assert np.isclose(left - env.worms.simulation.arena.field("food").left, eaten, rtol=1e-6)
    assert np.isclose(eaten, 2 * 3 * most * 0.833, rtol=0.01)
    assert not env.agents and all(out[3].values())


@pytest.mark.slow
def test_driving_ava_gets_every_worm_away_from_the_drop():
    """Four worms: with current into AVA they get away from the drop; without, they do not."""
    gained = {}
    envs = EscapeBatch(4)
    drives = [*envs.worms.drives]
    for drive in (0.0, 1.0):
        envs.reset(seed=21)
        actions = np.zeros((4, len(drives)))
        actions[:, drives.index("AVA*")] = drive
        for _ in range(50):
            *_, info = envs.step(actions)
        gained[drive] = info["gained"]
    assert (gained[1.0] > 0.0).all() and gained[0.0].mean() < 0.02 < gained[1.0].mean()


def test_brain_worms_follow_calcium_more_slowly_than_voltage():
    arena, worm = tb.Arena("agar"), tb.Worm(discretisation="d_lambda")
    fast, slow = (
        BrainWorms([worm], arena, drives={"ALM*": 20.0}, seen=["ALM*"], signal=each, threads=1)
        for each in ("voltage", "calcium")
    )
    rows = {}
    for each in (fast, slow):
        each.reset(1)
        rows[each] = [each.observation()[0, -2:]]
        for drive in (1.0, 1.0, 0.0):
            each.advance([[drive]])
            rows[each].append(each.observation()[0, -2:])
    share = 1 - np.exp(-0.1)
    expected = [rows[fast][0]]
    for now in rows[fast][1:]:
        expected.append(expected[-1] + share * (now - expected[-1]))
    assert np.allclose(rows[slow], expected, atol=1e-5)
