"""Environments of Gymnasium with a worm moved by its muscles: contract, seeds, batches, physics."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tianbao.anatomy import muscles
from tianbao.body import RingMesh, SoftBody
from tianbao.body.kernel_steps import ITERATIONS
from tianbao.environment import Medium
from tianbao.errors import ConfigError

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.utils.env_checker import check_env  # noqa: E402
from gymnasium.vector import AutoresetMode  # noqa: E402

import tianbao.learning  # noqa: E402, F401  registers them
from tianbao.learning.baselines import Wave  # noqa: E402
from tianbao.learning.bodies import MuscleWorms  # noqa: E402
from tianbao.learning.body_tasks import BodyTask, Swim  # noqa: E402
from tianbao.learning.taxis import Chemotaxis  # noqa: E402

IDS = [f"Tianbao/{name}-v0" for name in ("Swim", "Crawl", "Chemotaxis", "Obstacles")]
# Crawling is cheap on the coarse mesh; what is tested here does not depend on it.
COARSE = {"Tianbao/Crawl-v0": {"slabs": 24}, "Tianbao/Chemotaxis-v0": {"slabs": 24}}


def single(name, **options):
    return gymnasium.make(name, **{**COARSE.get(name, {}), **options})


def batch(name, worms, **options):
    options = {**COARSE.get(name, {}), **options}
    return gymnasium.make_vec(name, num_envs=worms, vectorization_mode="vector_entry_point", **options)


def actions(worms, steps, size=24, seed=5):
    return np.random.default_rng(seed).uniform(-1.0, 1.0, (steps, worms, size)).astype(np.float32)


@pytest.mark.parametrize("name", IDS)
def test_gymnasiums_own_check_passes(name):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*observation space m.*imum value is.*infinity")
        check_env(single(name, render_mode="rgb_array").unwrapped)


@pytest.mark.train
@pytest.mark.parametrize("name", IDS)
def test_the_check_of_stable_baselines3_passes(name):
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    checker.check_env(single(name), warn=True)


@pytest.mark.parametrize("name", IDS)
def test_a_worm_of_a_batch_does_what_it_does_alone(name):
    worms, taken = 3, actions(3, 4)
    together = batch(name, worms)
    seen = [together.reset(seed=11)[0], *(together.step(each)[0] for each in taken)]
    for k in range(worms):
        alone = single(name)
        found = [alone.reset(seed=11 + k)[0], *(alone.step(each[k])[0] for each in taken)]
        np.testing.assert_array_equal(np.array(found), np.array(seen)[:, k])
    again = batch(name, worms, threads=2)
    repeated = [again.reset(seed=11)[0], *(again.step(each)[0] for each in taken)]
    np.testing.assert_array_equal(repeated, seen)
    assert not np.array_equal(seen[1][0], seen[1][1])


def test_a_worm_whose_step_fails_changes_no_other():
    calm, bends = np.zeros((1, 24)), np.random.default_rng(0).normal(size=(2, 23))
    # In one step of 100 ms, from a bent posture to all dorsal: more than the solver can do at once.
    both, alone = MuscleWorms(2, step=100.0), MuscleWorms(1, step=100.0)
    both.place(0, bend=bends[0])
    both.place(1, bend=bends[1])
    alone.place(0, bend=bends[1])
    for k in range(3):
        both.advance(np.concatenate([np.ones((1, 24)), calm]))
        alone.advance(calm)
        assert k > 0 or both.body.iterations > ITERATIONS
    np.testing.assert_array_equal(both.body.midline()[1], alone.body.midline()[0])


def test_every_muscle_can_be_told_alone_and_the_whole_body_is_then_observed():
    env = single("Tianbao/Swim-v0", muscles="all", posture=0.0)
    assert env.action_space.shape == (95,)
    env.reset(seed=0)
    left = np.array([each[2] == "L" for each in muscles().index], np.float32)
    observation = [env.step(left)[0] for _ in range(3)][-1]
    names = [each.name for each in env.unwrapped.task.observed]
    to_right = [k for k, each in enumerate(names) if "to the right" in each]
    assert len(to_right) == 23 and np.mean(observation[to_right]) < -0.5
    assert env.observation_space.contains(observation)


def test_an_episode_is_cut_off_by_both_limits():
    env = single("Tianbao/Swim-v0", duration=0.3)
    env.reset(seed=0)
    assert [env.step(np.zeros(24, np.float32))[3] for _ in range(3)] == [False, False, True]
    many = batch("Tianbao/Swim-v0", 2, max_episode_steps=2)
    many.reset(seed=0)
    assert [many.step(np.zeros((2, 24)))[3].tolist() for _ in range(2)] == [[False] * 2, [True] * 2]
    assert batch("Tianbao/Swim-v0", 2).spec.kwargs["max_episode_steps"] == 200


def starts(seed, episodes):
    """First observations of the episodes of one worm."""
    env = single("Tianbao/Swim-v0")
    return [env.reset(seed=seed)[0], *(env.reset()[0] for _ in range(episodes - 1))]


def test_with_the_next_step_a_worm_starts_anew():
    env, taken = batch("Tianbao/Swim-v0", 2, max_episode_steps=2), actions(2, 6)
    assert env.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    seen = [env.reset(seed=3)[0]]
    rows = [env.step(each) for each in taken]
    np.testing.assert_array_equal(rows[2][0], [starts(3, 2)[1], starts(4, 2)[1]])
    assert not np.array_equal(rows[2][0], seen[0])
    assert (rows[2][1] == 0.0).all() and not rows[2][3].any() and not rows[2][4]["_displacement"].any()
    assert [bool(row[3].all()) for row in rows] == [False, True, False, False, True, False]


def test_in_the_same_step_the_end_is_kept_in_info():
    same = batch("Tianbao/Swim-v0", 2, max_episode_steps=2, autoreset_mode="SameStep")
    plain, taken = batch("Tianbao/Swim-v0", 2, max_episode_steps=2), actions(2, 2)
    for env in (same, plain):
        env.reset(seed=3)
        env.step(taken[0])
    observation, reward, _, truncated, info = same.step(taken[1])
    last, expected, _, _, known = plain.step(taken[1])
    assert truncated.all()
    np.testing.assert_array_equal(np.stack(info["final_obs"]), last)
    np.testing.assert_array_equal(info["final_info"]["displacement"], known["displacement"])
    np.testing.assert_array_equal(reward, expected)
    np.testing.assert_array_equal(observation, [starts(3, 2)[1], starts(4, 2)[1]])


def test_a_mask_resets_some_worms_and_leaves_the_others():
    env = batch("Tianbao/Swim-v0", 2, autoreset_mode="Disabled", max_episode_steps=1)
    env.reset(seed=3)
    before = env.step(actions(2, 1)[0])[0]
    with pytest.raises(ConfigError, match="reset_mask"):
        env.step(actions(2, 1)[0])
    after, _ = env.reset(options={"reset_mask": np.array([False, True])})
    np.testing.assert_array_equal(after[0], before[0])
    np.testing.assert_array_equal(after[1], starts(4, 2)[1])


def test_a_mask_with_a_seed_leaves_the_random_numbers_of_the_others():
    def of_the_first(disturbed):
        env = batch("Tianbao/Chemotaxis-v0", 2, shuffled=True, max_episode_steps=5)
        env.reset(seed=3)
        for k, each in enumerate(actions(2, 8)):  # into the next episode of worm 0, whose sensor draws at every action
            if disturbed and k == 2:
                first = env.reset(seed=70, options={"reset_mask": np.array([False, True])})[0][1]
                np.testing.assert_array_equal(first, single("Tianbao/Chemotaxis-v0").reset(seed=71)[0])
            yield env.step(each)[0][0]

    np.testing.assert_array_equal([*of_the_first(True)], [*of_the_first(False)])


@pytest.mark.parametrize("wrong", [{"heading": "north"}, {"posture": [1.0, 2.0]}, {"headng": 0.0}])
def test_a_reset_that_is_refused_changes_nothing(wrong):
    taken, seen = actions(2, 2), []
    for refused in (False, True):
        env = batch("Tianbao/Swim-v0", 2, autoreset_mode="Disabled", max_episode_steps=1)
        env.reset(seed=3)
        env.step(taken[0])
        if refused:
            with pytest.raises(ConfigError, match="head|posture"):
                env.reset(seed=8, options=wrong)
            with pytest.raises(ConfigError, match="reset_mask"):  # the worms are still over
                env.step(taken[1])
        seen.append([env.reset()[0], env.step(taken[1])[0]])
    np.testing.assert_array_equal(seen[1], seen[0])


def test_the_first_reset_starts_every_worm():
    env = batch("Tianbao/Swim-v0", 2)
    with pytest.raises(ConfigError, match="ever started"):
        env.reset(seed=3, options={"reset_mask": np.array([True, False])})
    env.reset(seed=3, options={"reset_mask": np.array([True, True])})


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), sign=st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=24, max_size=24))
def test_observations_lie_in_their_space(seed, sign):
    env = _kept()
    observation, _ = env.reset(seed=seed)
    for _ in range(2):
        assert env.observation_space.contains(observation)
        observation, reward, _, _, _ = env.step(np.array(sign, np.float32))
        assert np.isfinite(reward)


def _kept(made=[]):  # noqa: B006
    """One environment for all examples."""
    if not made:
        made.append(single("Tianbao/Swim-v0"))
    return made[0]


def test_the_reward_adds_up_to_the_displacement():
    env = single("Tianbao/Swim-v0", duration=100.0)
    env.reset(seed=2, options={"heading": math.pi / 2, "place": (3.0, 4.0), "posture": 0.0})
    start = env.unwrapped.task.centre[0].copy()
    np.testing.assert_allclose(start, (3.0, 4.0), atol=1e-9)
    wave = Wave(0.8, 1.7, 1.3)
    rows = [env.step(wave.action(0.1 * k + 0.05)[0]) for k in range(20)]
    gone = env.unwrapped.task.centre[0] - start
    assert sum(row[1] for row in rows) == pytest.approx(gone[1] / env.unwrapped.task.length, rel=1e-6)
    assert gone[1] > 0.1  # a wave from head to tail drives it head first
    spent = single("Tianbao/Swim-v0", effort=0.5)
    spent.reset(seed=2, options={"heading": math.pi / 2, "place": (3.0, 4.0), "posture": 0.0})
    paid = [spent.step(wave.action(0.1 * k + 0.05)[0]) for k in range(20)]
    for dear, cheap in zip(paid, rows, strict=True):
        assert cheap[1] - dear[1] == pytest.approx(0.5 * cheap[4]["effort"], abs=1e-12)


def test_isotropic_drag_takes_a_wave_nowhere():
    def gone(medium):
        task = Swim(1, medium=medium, posture=0.0)
        task.restart(np.zeros(1, int), [np.random.default_rng(0)], {"heading": 0.0})
        for k in range(40):
            task.act(Wave(0.6, 1.5, 1.3).action(0.1 * k + 0.05), np.ones(1, bool))
        return task.centre[0, 0]

    water = Medium.named("water")
    assert abs(gone(water.isotropic())) < 0.15 * gone(water)


def test_muscles_follow_with_their_time_constant():
    worms = MuscleWorms()
    for _ in range(2):
        worms.advance(np.ones((1, 24)))
    from tianbao.parameters import defaults

    dorsal = worms.activation[0, [name[1] == "D" for name in worms.muscles]]
    np.testing.assert_allclose(dorsal, 1.0 - math.exp(-200.0 / defaults().muscle_tau), rtol=1e-12)
    np.testing.assert_allclose(worms.row_activation(), dorsal[0], rtol=1e-12)
    assert (worms.bend() > 1.0).all()


@pytest.mark.parametrize("medium, duration", [("water", 5.0), ("agar", 20.0)])
def test_turning_moves_find_the_solution_of_straight_ones(medium, duration):
    found = []
    for turning in (False, True):
        body = SoftBody(RingMesh.adult(24), medium=Medium.named(medium), tolerance=1e-6, turning=turning)
        body.pose(3.0)
        for k in range(10):
            pull = 4e3 * np.sin(2.0 * np.pi * (np.arange(24) / 24 - 2e-3 * duration * k))[:, None]
            tension = np.maximum(pull * np.array([1.0, 1.0, -1.0, -1.0]), 0.0)[None]
            body.step(np.ascontiguousarray(tension), duration)
        found.append((body.midline(), body.curvature(), body.iterations))
    np.testing.assert_allclose(found[1][0], found[0][0], atol=1e-6)
    np.testing.assert_allclose(found[1][1], found[0][1], atol=1e-3)


@pytest.mark.parametrize("medium, wave", [("water", Wave(0.8, 1.7, 1.5)), ("agar", Wave(0.8, 0.5, 0.65))])
def test_a_step_that_expects_a_small_move_leaves_the_worm_where_an_exact_one_does(medium, wave):
    places, taken = [], []
    for tolerance in (1e-6, None):
        worms = MuscleWorms(2, medium=medium)
        if tolerance is not None:
            worms.body.tolerance = tolerance
        for k in range(2):
            worms.place(k, heading=1.0 * k, bend=3.0 * k)
        for k in range(30):
            worms.advance(wave.action(0.1 * k + 0.05, 2))
        places.append(worms.body.midline())
        taken.append(worms.body.iterations)
    gone = np.linalg.norm(places[0].mean(axis=1)[:, :2] - [0.0, 0.0], axis=-1)
    off = np.linalg.norm((places[1] - places[0]).mean(axis=1), axis=-1)
    assert (off < 0.01 * gone).all() and (gone > 0.2).all()
    assert np.linalg.norm(places[1] - places[0], axis=-1).max() < 0.02  # [mm], rotation included
    assert taken[1] < 0.9 * taken[0]


def test_a_gradient_is_sensed_and_reached():
    env = single("Tianbao/Chemotaxis-v0", within=0.35, posture=0.0, scale="log", width=1.0)
    observation, _ = env.reset(seed=1, options={"heading": 0.0, "distance": 0.6, "bearing": 0.0})
    nose = env.unwrapped.task.midline[0, 0, :2]
    assert observation[-2] == pytest.approx(-((nose - [0.6, 0.0]) ** 2).sum() / 2.0, rel=1e-5)
    total, wave = 0.0, Wave(0.9, 0.6, 0.65)
    for k in range(60):
        observation, reward, terminated, _, info = env.step(wave.action(0.1 * k + 0.05)[0])
        total += reward
        if terminated:
            break
    assert terminated and info["success"] and info["distance"] <= 0.35
    assert total == pytest.approx(0.6 - info["distance"], abs=1e-6)


def test_a_shuffled_sensor_tells_only_what_was_sensed_before():
    plain, mixed = (single("Tianbao/Chemotaxis-v0", shuffled=each, posture=1.0) for each in (False, True))
    told = []
    for env in (plain, mixed):
        rows = [env.reset(seed=4)[0], *(env.step(each[0])[0] for each in actions(1, 15))]
        told.append(np.array(rows))
    np.testing.assert_array_equal(told[0][:, :-2], told[1][:, :-2])
    pairs = [tuple(row) for row in told[0][:, -2:]]
    places = [pairs.index(tuple(row)) for row in told[1][:, -2:]]
    assert all(place <= k for k, place in enumerate(places)) and places != list(range(16))


def test_a_shuffled_sensor_changes_no_start():
    first = []
    for mixed in (False, True):
        env = single("Tianbao/Chemotaxis-v0", shuffled=mixed)
        found = []
        for seed in (4, None, None):
            found.append(env.reset(seed=seed)[0])
            found.append([*env.unwrapped.task.source[0], env.unwrapped.task.heading[0]])
            for each in actions(1, 3):
                env.step(each[0])
        first.append(np.concatenate(found))
    np.testing.assert_array_equal(first[1], first[0])


def test_pillars_are_felt_and_not_entered():
    env, wave = single("Tianbao/Obstacles-v0"), Wave(1.0, 1.6, 1.2)
    observation, _ = env.reset(seed=0)
    assert not observation[-24:].any()
    loads, depths = [], []
    for k in range(12):
        loads.append(env.step(wave.action(0.1 * k + 0.05)[0])[0][-24:])
        depths.append(env.unwrapped.task.worms.body.overlap())
    assert np.max(loads) > 0.01
    assert max(depths) < 0.1 * 0.035  # of the worm's radius [mm]


@pytest.mark.parametrize(
    "options, said",
    [
        ({"medum": "water"}, "medum"),
        ({"medium": "honey"}, "honey"),
        ({"muscles": "some"}, "rows"),
        ({"slabs": 30}, "24 rows"),
        ({"step": 7.0}, "7 ms"),
        ({"posture": -1.0}, "posture"),
        ({"duration": "long"}, "duration"),
        ({"render_mode": "ansi"}, "rgb_array"),
    ],
)
def test_a_wrong_option_is_answered_in_one_sentence(options, said):
    with pytest.raises(ConfigError, match=said) as caught:
        gymnasium.make("Tianbao/Swim-v0", disable_env_checker=True, **options)
    assert "\n" not in str(caught.value)


def test_wrong_calls_are_answered():
    env = single("Tianbao/Swim-v0").unwrapped
    with pytest.raises(ConfigError, match="reset"):
        env.step(np.zeros(24))
    with pytest.raises(ConfigError, match="headng.*heading"):
        env.reset(options={"headng": 0.0})
    env.reset(seed=0)
    with pytest.raises(ConfigError, match="24"):
        env.step(np.zeros(23))
    with pytest.raises(ConfigError, match="finite"):
        env.step(np.full(24, np.nan))
    with pytest.raises(ConfigError, match="autoreset"):
        batch("Tianbao/Swim-v0", 2, autoreset_mode="sometimes")
    with pytest.raises(ConfigError, match="2 seeds for 3"):
        batch("Tianbao/Swim-v0", 3).reset(seed=[1, 2])
    with pytest.raises(ConfigError, match="distance"):
        Chemotaxis(1, distance=(0.1, 2.0))
    with pytest.raises(ConfigError, match="no room"):
        single("Tianbao/Obstacles-v0", radius=0.2)
    with pytest.raises(ConfigError, match="jelly"):
        Wave.best("jelly")


def test_a_window_without_a_display_says_so_and_goes_on(caplog, monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    monkeypatch.delenv("DISPLAY", raising=False)
    matplotlib.use("agg", force=True)
    env = single("Tianbao/Swim-v0", render_mode="human")
    env.reset(seed=0)
    env.step(np.zeros(24, np.float32))
    env.close()
    assert [record.message for record in caplog.records if "no display" in record.message] != []


@pytest.mark.parametrize("name", ["Swim", "Crawl"])
def test_the_best_wave_gets_away_from_any_start(name):
    medium = {"Swim": "water", "Crawl": "agar"}[name]
    wave, env = Wave.best(medium), batch(f"Tianbao/{name}-v0", 3)
    env.reset(seed=100)
    start = env.task.centre.copy()
    for k in range(20):
        env.step(wave.action(0.1 * k + 0.05, 3, np.arange(3) / 3))
    assert (np.linalg.norm(env.task.centre - start, axis=1) > 0.2).all()


def test_a_task_counts_its_own_actions():
    task = BodyTask(2)
    task.restart(np.arange(2), [np.random.default_rng(k) for k in range(2)])
    task.act(np.zeros((2, 24)), np.ones(2, bool))
    task.restart(np.array([1]), [np.random.default_rng(k) for k in range(2)])
    assert task.count.tolist() == [1, 0]
