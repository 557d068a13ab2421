"""A circuit of the connectome that is trained: what stays fixed, its equations, its tasks, and the way back."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pandas as pd
import pytest
from gymnasium.utils.env_checker import check_env

import tianbao as tb
from tianbao import anatomy
from tianbao.learning.circuit import CONTROLS, STEP_MS, Circuit, Player
from tianbao.learning.circuit_tasks import TASKS, Lane, played
from tianbao.network.design import intact_tables

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def circuit():
    return Circuit.named("tap withdrawal")


@pytest.fixture
def free(circuit):
    return np.random.default_rng(7).normal(size=(3, circuit.count))


def script(name):
    spec = importlib.util.spec_from_file_location(f"sims_{name}", ROOT / "sims" / f"{name}.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


def test_nineteen_neurons_and_at_most_sixty_numbers(circuit):
    assert len(circuit.neurons) == 19 and set(circuit.neurons) <= set(anatomy.neurons().index)
    assert circuit.count == len(set(circuit.names)) <= 60


def test_connections_and_signs_are_those_of_the_worm_that_decides(circuit):
    tables = intact_tables("deciding")
    within = tables.chemical[tables.chemical.pre.isin(circuit.neurons) & tables.chemical.post.isin(circuit.neurons)]
    expected = {(row.pre, row.post): row.sign == "inhibitory" for row in within.itertuples()}
    made = np.argwhere(circuit.chemical > 0)
    assert {(circuit.neurons[a], circuit.neurons[b]): circuit.inhibitory[a, b] for a, b in made} == expected
    gap = tables.gap[tables.gap.a.isin(circuit.neurons) & tables.gap.b.isin(circuit.neurons)]
    assert np.count_nonzero(np.triu(circuit.gap)) == len(gap) and (circuit.gap == circuit.gap.T).all()


def test_no_number_changes_a_sign_or_makes_a_connection(circuit, free):
    # Where nothing is connected in the worm, no training can pass a signal on.
    unwired = np.zeros_like(circuit.chemical)
    alone = Circuit(**{**vars_of(circuit), "chemical": unwired, "gap": unwired})
    touched, left_alone = (alone.player(alone.numbers(3.0 * free)) for _ in range(2))
    touched.act(np.full((3, 2), 0.7), 20)
    left_alone.act(np.zeros((3, 2)), 20)
    changed = (touched.voltage != left_alone.voltage)[0].any(axis=0)
    assert set(np.array(alone.neurons)[changed]) == {"ALML", "ALMR", "AVM"}
    assert (circuit.numbers(9.0 * free)[..., [name.startswith(("syn", "jun")) for name in circuit.names]] > 0.0).all()


def vars_of(circuit):
    return {name: getattr(circuit, name) for name in Circuit.__dataclass_fields__}


def test_the_steady_state_obeys_kirchhoff(circuit, free):
    numbers = circuit.numbers(0.5 * free[0])
    player = circuit.player(numbers)
    player.act(np.zeros(2), 4000)
    v, p = player.voltage[0, 0], circuit.parameters
    released = 1.0 / (1.0 + np.exp((circuit.release_half - v) / p.release_slope))
    given = (released * circuit.spread(numbers, "synapses"))[:, None] * circuit.chemical
    reversal = np.where(circuit.inhibitory, p.reversal_inhibitory, p.reversal_excitatory)
    joined = circuit.gap * np.sqrt(np.outer(*[circuit.spread(numbers, "junctions")] * 2))
    current = circuit.leak * (circuit.rest - v) + circuit.spread(numbers, "excitability")
    current += (given * (reversal - v)).sum(axis=0) + (joined * (v[:, None] - v)).sum(axis=0)
    assert np.abs(current).max() < 1e-6


def test_an_isolated_neuron_relaxes_with_its_own_time_constant(circuit):
    unwired = np.zeros_like(circuit.chemical)
    alone = Circuit(**{**vars_of(circuit), "chemical": unwired, "gap": unwired})
    numbers = alone.start
    numbers[alone.names.index("receptor PVD")] = 10.0
    numbers[alone.names.index("time PVD")] = 10.0  # long beside a step, so that implicit steps are accurate
    player, at = alone.player(numbers), circuit.neurons.index("PVDL")
    player.act(np.array([0.0, -1.0]), 100)
    tau = 10.0 * circuit.capacitance[at] / circuit.leak[at]
    expected = 10.0 / circuit.leak[at] * -math.expm1(-100 * STEP_MS / tau)
    assert player.voltage[0, 0, at] - circuit.rest[at] == pytest.approx(expected, rel=0.01)


def test_batched_equals_single(circuit, free):
    observed = np.random.default_rng(3).normal(size=(5, 3, 4, 2))
    together = circuit.player(circuit.numbers(free))
    actions = np.array([together.act(each, 3) for each in observed])
    for k in range(3):
        for episode in range(4):
            one = circuit.player(circuit.numbers(free[k]))
            assert np.allclose([one.act(each[k, episode], 3) for each in observed], actions[:, k, episode], atol=1e-10)


def test_several_circuits_side_by_side_and_half_precision(circuit, free):
    circuits = [circuit, circuit.control("random", 1)]
    observed = np.random.default_rng(4).normal(size=(2, 3, 2, 2))
    both = Player(circuits, circuit.numbers(np.array([free, free])))
    action = both.act(observed, 5)
    for k, each in enumerate(circuits):
        assert np.allclose(each.player(each.numbers(free)).act(observed[k], 5), action[k], atol=1e-10)
    rough = Player(circuits, circuit.numbers(np.array([free, free])), precision=np.float32).act(observed, 5)
    assert np.allclose(rough, action, atol=1e-3)


def test_the_same_again_after_a_reset(circuit, free):
    player, observed = circuit.player(circuit.numbers(free)), np.full((3, 2), 0.4)
    first = [player.act(observed) for _ in range(4)]
    player.reset()
    assert (first == np.array([player.act(observed) for _ in range(4)])).all()


def test_the_start_is_the_worm_and_does_nothing(circuit):
    assert circuit.player(circuit.start).act(np.array([0.9, -0.9]), 50) == pytest.approx(0.0, abs=1e-3)
    gains = circuit.gains(circuit.start)
    assert set(gains["synapses"].values()) == {1.0} and set(gains["excitability"].values()) == {0.0}


@pytest.mark.parametrize("kind", CONTROLS)
def test_controls_keep_what_they_say(circuit, kind):
    found = circuit.control(kind, 3)
    assert found.names == circuit.names
    for mine, theirs in ((found.chemical, circuit.chemical), (found.gap, circuit.gap)):
        assert np.allclose(np.sort(mine, axis=None), np.sort(theirs, axis=None))
        assert not np.diag(mine).any()
    assert found.inhibitory.sum() == circuit.inhibitory.sum() and (found.gap == found.gap.T).all()
    assert not (found.inhibitory & (found.chemical == 0.0)).any()
    same_wiring = ((found.chemical > 0.0) == (circuit.chemical > 0.0)).mean()
    assert same_wiring == 1.0 if kind == "signs" else same_wiring < 0.9
    if kind == "degrees":
        for axis in (0, 1):
            assert ((found.chemical > 0).sum(axis) == (circuit.chemical > 0).sum(axis)).all()
        assert ((found.gap > 0).sum(0) == (circuit.gap > 0).sum(0)).all()
    again, other = circuit.control(kind, 3), circuit.control(kind, 4)
    assert (again.inhibitory == found.inhibitory).all() and (other.inhibitory != found.inhibitory).any()


@pytest.mark.parametrize(("wrong", "said"), [
    (lambda c: Circuit.named("tap"), "unknown circuit"),
    (lambda c: c.control("none", 1), "unknown control"),
    (lambda c: c.player(np.zeros(3)), "give 50 numbers"),
    (lambda c: c.player(np.full(50, 1e3)), "is outside"),
    (lambda c: c.put_into(tb.Worm(), c.start, parts=["time"]), "unknown part"),
    (lambda c: (player := c.player(c.start), player.act(np.zeros((2, 2))), player.act(np.zeros((3, 2)))), "reset"),
])  # fmt: skip
def test_mistakes_are_told(circuit, wrong, said):
    with pytest.raises(tb.ConfigError, match=said):
        wrong(circuit)


def test_put_into_a_worm_scales_its_connections_and_no_others(circuit, free):
    numbers = circuit.numbers(0.5 * free[1])
    worm = circuit.put_into(tb.Worm(decision="network", signs="deciding", discretisation="d_lambda"), numbers)
    before, after = intact_tables("deciding"), worm.model().effects.tables
    gains, of = circuit.gains(numbers), anatomy.neuron_class
    table = before.chemical.merge(after.chemical, on=["pre", "post"], suffixes=("", "_now"))
    assert len(table) == len(before.chemical) and (table.sign == table.sign_now).all()
    inside = table.pre.isin(circuit.neurons) & table.post.isin(circuit.neurons)
    assert (table.strength_now[~inside] == 1.0).all()
    assert np.allclose(table.strength_now[inside], [gains["synapses"][of(each)] for each in table.pre[inside]])
    gap = after.gap
    inside = gap.a.isin(circuit.neurons) & gap.b.isin(circuit.neurons)
    joins = gains["junctions"]
    expected = [math.sqrt(joins[of(a)] * joins[of(b)]) for a, b in zip(gap.a[inside], gap.b[inside], strict=True)]
    assert np.allclose(gap.strength[inside], expected) and (gap.strength[~inside] == 1.0).all()
    given = {neuron: pulse.amplitude for neuron, pulse in worm.pulses}
    assert given == pytest.approx({n: 1e-3 * gains["excitability"][of(n)] for n in circuit.neurons})


def test_pendulum_steps_as_gymnasium_does():
    env, task, random = gymnasium.make("Pendulum-v1").unwrapped, TASKS["pendulum"], np.random.default_rng(5)
    states, actions = random.uniform(-9.0, 9.0, (200, 2)), random.uniform(-1.3, 1.3, 200)
    after, reward, ended = task.step(states, actions)
    env.reset(seed=1)
    for k in range(200):
        env.state = states[k]
        _, expected, *_ = env.step(np.array([2.0 * actions[k]]))
        assert np.allclose(env.state, after[k], atol=1e-12) and expected == pytest.approx(reward[k], abs=1e-12)
    assert not ended.any()


def test_mountain_car_steps_as_gymnasium_does():
    env, task = gymnasium.make("MountainCarContinuous-v0").unwrapped, TASKS["mountain car"]
    random = np.random.default_rng(6)
    states = random.uniform([-1.2, -0.07], [0.6, 0.07], (400, 2))
    states[:20, 0], states[:20, 1] = -1.2, -0.02  # against the wall on the left
    actions = random.uniform(-1.0, 1.0, 400)
    after, reward, ended = task.step(states, actions)
    env.reset(seed=1)
    for k in range(400):
        env.state = states[k]
        _, expected, terminated, *_ = env.step(np.array([actions[k]]))
        # Gymnasium rounds the state that it computed in 64 bits to 32: the same number, so rounded.
        assert (env.state == after[k].astype(np.float32)).all()
        assert expected == pytest.approx(reward[k], abs=1e-12) and terminated == ended[k]
    assert ended.any() and not ended.all()


def test_a_whole_episode_follows_gymnasium():
    env, task = gymnasium.make("Pendulum-v1").unwrapped, TASKS["pendulum"]
    env.reset(seed=3)
    start, total = np.array([0.3, -0.2]), 0.0
    env.state = start
    for _ in range(task.steps):
        total += env.step(np.array([-2.0 * np.clip(env.state[1], -1.0, 1.0)]))[1]
    mine = played(task, lambda seen: -np.clip(8.0 * seen[..., 1], -1.0, 1.0), start[None])
    assert mine[0] == pytest.approx(total, abs=1e-9)


def test_the_lane_passes_gymnasiums_checks_and_can_be_seen():
    env = gymnasium.make("Tianbao/Lane-v0", render_mode="rgb_array")
    check_env(env.unwrapped, skip_render_check=False)
    env.reset(seed=1)
    picture = env.render()
    assert picture.dtype == np.uint8 and picture.shape[2] == 3 and len(np.unique(picture.reshape(-1, 3), axis=0)) == 4


@pytest.mark.parametrize(("wrong", "said"), [
    (lambda: Lane("nonsense"), "render_mode is"),
    (lambda: Lane().step(np.zeros(1)), "reset the environment"),
    (lambda: Lane("rgb_array").render(), "reset the environment"),
    (lambda: Lane().reset(options={"bend": 1.0}), "no options, not 'bend'"),
    (lambda: begun(Lane()).step(np.zeros(2)), "one finite number"),
    (lambda: begun(Lane()).step(np.array([np.nan])), "one finite number"),
])  # fmt: skip
def test_mistakes_on_the_lane_are_told(wrong, said):
    with pytest.raises(tb.ConfigError, match=said):
        wrong()


def begun(env):
    env.reset(seed=1)
    return env


def test_the_lane_observes_metres_and_radians_within_its_space():
    env = begun(Lane())
    seen, over = [], False
    while not over:
        observation, _, over, _, _ = env.step(np.ones(1))
        assert observation in env.observation_space
        seen.append(observation)
    # It turns to the left on a curve of its own and leaves the lane there, by less than the way of one step.
    assert TASKS["lane"].half_width < seen[-1][0] < TASKS["lane"].half_width + 0.5 and seen[-1][1] > 0.0


def test_the_lane_follows_geometry():
    task = TASKS["lane"]
    state = np.concatenate([[0.0, 0.0, 0.0], np.full(8, 0.01)])[None]
    # A car that steers as the road bends stays in the middle; one that does not leaves to the outside.
    steer = math.atan(2.7 * 0.01) / 0.1
    assert np.allclose(played(task, lambda seen: np.full(1, steer), state), task.steps * (1.0 - 0.05 * steer**2))
    straight, total = state, 0
    while abs(straight[0, 0]) < task.half_width:
        straight, total = task.step(straight, np.zeros(1))[0], total + 1
    assert straight[0, 0] < 0.0
    # Off a circle of 100 m by its sagitta: half the lane after a way of sqrt(2 x 1.75 m x 100 m).
    assert total * 0.5 == pytest.approx(math.sqrt(2 * 1.75 * 100.0), rel=0.06)


def test_a_lane_is_the_same_for_a_seed_and_episodes_end():
    env = gymnasium.make("Tianbao/Lane-v0")
    runs = []
    for _ in range(2):
        seen, _ = env.reset(seed=11)
        trail, over = [seen], False
        while not over:
            seen, reward, left, cut, _ = env.step(np.array([0.4], np.float32))
            trail.append(seen)
            over = left or cut
        runs.append(np.array(trail))
    assert (runs[0] == runs[1]).all() and left


def test_training_improves_the_lane_and_goes_on_where_it_broke_off(tmp_path, monkeypatch):
    pytest.importorskip("cma")
    train = script("train_circuit")
    monkeypatch.setattr(train, "KEPT_EVERY", 2)
    run = ["--tasks", "lane", "--kinds", "mlp 8", "--seeds", "2"]
    assert train.main([*run, "--generations", "4", "--out", str(tmp_path / "whole")]) == 0
    assert train.main([*run, "--generations", "2", "--out", str(tmp_path / "broken")]) == 0
    (tmp_path / "broken" / "circuit.csv").unlink()
    assert train.main([*run, "--generations", "4", "--out", str(tmp_path / "broken")]) == 0
    whole, broken = (pd.read_csv(tmp_path / name / "circuit.csv") for name in ("whole", "broken"))
    assert (whole.trained == broken.trained).all()
    assert (whole.trained > whole.untrained).all() and set(whole.numbers) == {49}


def test_a_training_with_other_options_is_not_taken_for_finished(tmp_path, monkeypatch, capsys):
    pytest.importorskip("cma")
    train = script("train_circuit")
    monkeypatch.setattr(train, "KEPT_EVERY", 1)
    run = ["--tasks", "lane", "--kinds", "mlp 8", "--out", str(tmp_path)]
    assert train.main([*run, "--seeds", "2", "--generations", "2"]) == 0
    before = (tmp_path / "circuit.csv").read_bytes()
    for seeds, generations in (("2", "3"), ("1", "2")):
        assert train.main([*run, "--seeds", seeds, "--generations", generations]) == 2
        assert "--generations 2 --seeds 2; give these again" in capsys.readouterr().err
    assert train.main([*run, "--seeds", "2", "--generations", "2"]) == 0
    assert (tmp_path / "circuit.csv").read_bytes() == before
    (tmp_path / "circuit.csv").unlink()  # what is kept of the search alone is not cut back, and not spread over seeds
    for seeds, generations in (("2", "1"), ("3", "2")):
        assert train.main([*run, "--seeds", seeds, "--generations", generations]) == 2
        assert "holds 2 seeds after 2 generations" in capsys.readouterr().err


def test_tapped_worms_of_other_seeds_or_gains_are_refused(tmp_path, capsys):
    tap = script("tap_of_trained")
    gains = pd.DataFrame({"task": ["lane"], "kind": ["worm"], "seed": [0], "name": ["a"], "value": [1.0]})
    gains.to_csv(tmp_path / "gains.csv", index=False)
    rows = [{"condition": "as it is", "worm": k, "seed": 701 + k // tap.TOGETHER, "gains": tap.digest_of(gains)}
            for k in range(2 * tap.TOGETHER)]  # fmt: skip
    tap.check_rows(rows, tmp_path / "circuit_tap.csv", 701, tap.digest_of(gains))
    pd.DataFrame(rows).to_csv(tmp_path / "circuit_tap.csv", index=False)
    run = ["--out", str(tmp_path), "--only", "as it is", "--gains", str(tmp_path / "gains.csv")]
    assert tap.main([*run, "--first-seed", "702"]) == 2
    assert "--first-seed 701" in capsys.readouterr().err
    gains.assign(value=2.0).to_csv(tmp_path / "gains.csv", index=False)
    assert tap.main([*run, "--first-seed", "701"]) == 2
    assert "another --gains" in capsys.readouterr().err


def test_a_search_for_a_wave_goes_on_with_its_own_options_only(tmp_path, capsys):
    pytest.importorskip("cma")
    search = script("best_wave")
    search.speeds = lambda medium, waves, *_: np.array([-abs(each.frequency - 1.0) for each in waves])
    run = ["water", "--out", str(tmp_path), "--waves", "4", "--evaluations"]
    assert search.main([*run, "8"]) == 0 and search.main([*run, "8"]) == 0 and search.main([*run, "12"]) == 0
    assert "going on" in capsys.readouterr().out and "12 waves" in (tmp_path / "water.csv").read_text()
    for wrong, said in ((["12", "--copies", "3"], "--copies 2"), (["12", "--seconds", "4"], "--seconds 10.0"),
                        (["12", "--waves", "5"], "--waves 4"), (["8"], "has tried 12 waves already")):  # fmt: skip
        assert search.main([*run, *wrong]) == 2
        assert said in capsys.readouterr().err


def test_a_log_of_a_polished_gait_is_of_one_search_and_loses_half_a_line(tmp_path):
    pytest.importorskip("cma")
    polish, log = script("polish_gait"), tmp_path / "adam_1.jsonl"
    options = {"duration": 1000.0, "seed": 1, "spread": 0.1}
    assert polish.evaluations(log, options) == []
    with log.open("a") as file:
        file.write('{"x": [1.0], "loss": 2.0}\n{"x": [1.')
    for _ in range(2):
        assert polish.evaluations(log, options) == [{"x": [1.0], "loss": 2.0}]
    assert log.read_text().endswith("2.0}\n")
    with pytest.raises(tb.ConfigError, match="another search, with duration 1000"):
        polish.evaluations(log, {**options, "duration": 3000.0})
    log.write_text('{"x": [1.0], "loss": 2.0}\n')  # as logs were without a header
    with pytest.raises(tb.ConfigError, match="duration unknown"):
        polish.evaluations(log, options)
    log.write_text('{"opti')
    assert polish.evaluations(log, options) == [] and log.read_text().count("\n") == 1


def test_the_policy_of_ncps_has_its_layout(circuit):
    pytest.importorskip("ncps")
    train = script("train_circuit")
    found = train.policy_circuit(2)
    assert len(found.neurons) == 19 and found.count <= 60
    assert found.chemical.sum() == pytest.approx(circuit.chemical.sum())
    with pytest.raises(tb.ConfigError, match="no neurons of a worm"):
        found.put_into(tb.Worm(), found.start)
