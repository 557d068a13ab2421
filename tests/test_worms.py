"""Several worms with brains in one simulation: each lives as it would alone, unless another touches it."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tianbao as tb
from tianbao.config import RunConfig, on_a_grid, read_config
from tianbao.engine.population import assembled
from tianbao.experiment import simulation, worms_of
from tianbao.loop.state import RunState

FAR = (3.0, 0.4, 0.0)  # [mm]
DURATION = 160.0  # [ms]


def pair(**options):
    worms = [tb.Worm(), tb.Worm(at=FAR, heading=0.5).ablate("AVA*")]
    made = tb.Simulation(worms, tb.Arena("agar"), seed=4, engine="native", progress=False, **options)
    return made.record(voltage=["AVB*", "DB*"])


def bits(track):
    return [getattr(track, name) for name in ("midline", "dorsal", "muscle_activation", "voltage")]


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(bits(one), bits(other), strict=True))


@pytest.fixture(scope="module")
def apart():
    """Two worms far apart: the simulation and its run."""
    made = pair()
    return made, made.run(DURATION)


@pytest.mark.parametrize("worm", [0, 1])
def test_a_worm_far_from_another_has_the_bits_that_it_has_alone(apart, worm):
    made, together = apart
    alone = made.alone(worm).run(DURATION)
    assert same(together.worms[worm], alone.worms[0])


def test_the_first_worm_alone_is_what_a_user_would_run(apart):
    _, together = apart
    plain = tb.Simulation(tb.Worm(), tb.Arena("agar"), seed=4, engine="native", progress=False)
    assert same(together.worms[0], plain.record(voltage=["AVB*", "DB*"]).run(DURATION).worms[0])


def test_two_worms_differ_by_what_was_done_to_them_and_by_their_random_numbers(apart):
    first, second = apart[1].worms
    assert not np.array_equal(first.voltage, second.voltage)
    assert np.allclose(second.midline[0].mean(axis=0)[:2], FAR[:2], atol=0.1)
    assert second.anatomy == first.anatomy


@pytest.mark.parametrize("threads", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_no_bit_depends_on_the_number_of_threads(apart, threads, tmp_path):
    # The threads of the body are those of the first simulation of a process.
    code = (
        "import numpy as np, sys; sys.path.insert(0, sys.argv[2]); from test_worms import pair, bits\n"
        f"run = pair(threads={threads}).run({DURATION})\n"
        "np.savez(sys.argv[1], *[each for track in run.worms for each in bits(track)])\n"
    )
    path = tmp_path / "bits.npz"
    subprocess.run([sys.executable, "-c", code, path, Path(__file__).parent], check=True, timeout=300)
    found = list(np.load(path).values())
    expected = [each for track in apart[1].worms for each in bits(track)]
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def crossed():
    worms = [tb.Worm(), tb.Worm(at=(0.1, 0.12, 0.0), heading=0.6)]
    return tb.Simulation(worms, tb.Arena("agar"), seed=1, engine="native", initial_curvature=0.0, progress=False)


def test_worms_in_contact_are_deterministic_and_stay_apart():
    with pytest.raises(tb.ConfigError, match="inside an obstacle, another worm or itself"):
        crossed().run(40.0)
    beside = [tb.Worm(), tb.Worm(at=(0.0, 0.085, 0.0))]
    made = tb.Simulation(beside, tb.Arena("agar"), seed=1, engine="native", initial_curvature=0.0, progress=False)
    first, second = made.run(600.0), made.run(600.0)
    assert all(same(*each) for each in zip(first.worms, second.worms, strict=True))
    a, b = (each.midline for each in first.worms)
    nearest = np.linalg.norm(a[:, :, None] - b[:, None], axis=-1).min(axis=(1, 2))
    radius = made.body.mesh.radii.max()
    assert nearest.min() > 1.6 * radius, "two worms lie in each other"
    # They do touch: alone the first goes elsewhere.
    alone = made.alone(0).run(600.0).worms[0].midline
    assert np.abs(alone - a).max() > 1e-3


def test_five_worms_go_on_to_the_same_bits_from_any_moment():
    class Kept:
        every = 20.0

        def __init__(self):
            self.states = []

        def keep(self, state):
            self.states.append(state.to_bytes())

    worms = [tb.Worm(at=(1.5 * (k % 3), 1.5 * (k // 3), 0.0), heading=0.3 * k) for k in range(5)]
    lawn = tb.Lawn("food", radius=2.0, density=0.01, centre=(1.5, 0.5, 0.0))
    arena = tb.Arena("agar", fields=[tb.Gaussian("nacl", peak=40.0, width=1.0), lawn])
    worms[2].modulate("egl-19", 1.5, "VB*", tau=50.0)
    made = tb.Simulation(worms, arena, seed=2, engine="native", progress=False).record(voltage=["ASE*", "VB*"])
    kept = Kept()
    whole = made.run(240.0, checkpoints=kept)
    food = made.arena.field("food")
    left, eaten = food.state(), food.eaten
    assert (eaten > 0.0).sum() >= 3 and food.left + eaten.sum() == pytest.approx(lawn.left, rel=1e-12)
    # The recording has a frame every 20 ms, a mouth eats every 4 ms.
    assert [whole.assay("food_eaten", k) for k in range(5)] == pytest.approx(eaten, rel=0.02, abs=1e-9)
    assert made.alone(2).arena.field("food").left == lawn.left
    moments = np.random.default_rng(5).permutation(len(kept.states))[:10]
    for moment in moments:
        resumed = made.run(240.0, since=RunState.from_bytes(kept.states[moment], "kept"))
        assert all(same(*each) for each in zip(resumed.worms, whole.worms, strict=True))
        assert all(np.array_equal(each, left[name]) for name, each in made.arena.field("food").state().items())


def test_equal_worms_share_their_constants_and_differ_in_what_changes():
    made = tb.Simulation([tb.Worm(), tb.Worm(at=FAR)], engine="native", progress=False)
    made.reset()
    one, other = (each.brain.native for each in made.loop.animals)
    assert one.network is other.network
    assert not np.shares_memory(one.voltage, other.voltage)
    assert made.loop.design(0) is made.loop.design(1)


def test_a_nervous_system_is_arrays_that_survive_a_journey():
    made = tb.Simulation(tb.Worm(), engine="native", progress=False)
    network = assembled(made.loop.design())
    from tianbao.engine.reader import nervous_system

    system = nervous_system(network)
    away = pickle.loads(pickle.dumps(system))
    assert np.array_equal(away.extract.forest.axial, system.extract.forest.axial)
    assert [each.kind for each in away.extract.instances] == [each.kind for each in system.extract.instances]


def test_neuron_refuses_a_second_brain_and_auto_chooses():
    two = [tb.Worm(), tb.Worm(at=FAR)]
    with pytest.raises(tb.ConfigError, match="one brain per process.*choose engine 'native'"):
        tb.Simulation(two, engine="neuron")
    assert tb.Simulation(two).engine == "native" == tb.Simulation(tb.Worm()).engine


# --- what a simulation holds does not change under its hands


def test_a_worm_has_one_record_that_everything_derives_from():
    worm = tb.Worm().stimulate("AVBL", tb.Pulse(0.01, 0.0, 100.0))
    for name, value in (("signs", "transmitter"), ("connectome", "white1986"), ("pulses", ()), ("at", (1, 0, 0))):
        with pytest.raises(AttributeError, match=f"'{name}' cannot be set"):
            setattr(worm, name, value)
    with pytest.raises(AttributeError):
        worm.pulses.clear()
    worm.interventions[0]["amplitude"] = 5.0
    assert worm.interventions[0]["amplitude"] == 0.01 and worm.pulses[0][1].amplitude == 0.01


def test_a_refused_intervention_is_not_described():
    worm = tb.Worm()
    with pytest.raises(tb.ConfigError, match="nothing to change"):
        worm.over_express("kvs1", 2.0, "AVAL")
    assert worm.interventions == ()
    assert worm.model().effects.membranes == tb.Worm().model().effects.membranes


def test_arena_and_worm_of_a_simulation_are_what_they_were_when_it_was_made():
    worm, arena = tb.Worm(), tb.Arena("agar")
    made = tb.Simulation(worm, arena, progress=False)
    worm.ablate("AVBL")
    with pytest.raises(tb.ConfigError, match="does not change"):
        arena.gravity = 9.81
    described = made.configuration(100.0)
    assert described.interventions == () and described.arena.gravity == 0.0
    made.retune(worm.parameters.replace(gap_gain=0.02))
    assert worm.parameters.gap_gain != 0.02 and made.worm.parameters.gap_gain == 0.02


# --- files and words


def test_worms_of_a_configuration_have_what_is_theirs(tmp_path):
    path = tmp_path / "two.toml"
    path.write_text(
        """
        [worm]
        heading = 0.2
        [[interventions]]
        verb = "ablate"
        neurons = ["AVM"]
        [[worms]]
        at = [0, 0, 0]
        [[worms]]
        at = [1.5, 0.4, 0]
        heading = 1.0
        parameters = { noise = 0.3 }
        interventions = [{ verb = "ablate", neurons = ["AVA*"] }]
        """
    )
    config = read_config(path)
    first, second = worms_of(config)
    assert first.at == (0, 0, 0) and first.heading == 0.2 and second.heading == 1.0
    assert second.parameters.noise == 0.3 != first.parameters.noise
    assert [each["neurons"] for each in second.interventions] == [["AVM"], ["AVA*"]]
    # What a result keeps gives the same worms again.
    kept = simulation(config, progress=False).configuration(100.0)
    again = worms_of(kept)
    assert [each.interventions for each in again] == [each.interventions for each in (first, second)]
    assert [each.parameters for each in again] == [first.parameters, second.parameters]
    assert RunConfig().updated({"worms": kept.worms}).worms == kept.worms


@pytest.mark.parametrize(
    ("worms", "words"),
    [
        ([{"att": [0, 0, 0]}], "worm 0: unknown key 'att': did you mean 'at'"),
        ([{}, {"heading": "north"}], "worm 1: 'heading' must be of type float"),
        ([{"interventions": ["ablate"]}], "worm 0: interventions are tables"),
        ("two", "worms are tables"),
    ],
)
def test_a_malformed_worm_is_named(worms, words):
    with pytest.raises(tb.ConfigError, match=words):
        RunConfig().updated({"worms": worms})


def test_worms_on_a_grid_keep_their_distance():
    config = on_a_grid(RunConfig(), 5, 1.5)
    places = np.array([each["at"] for each in config.worms])
    between = np.linalg.norm(places[:, None] - places[None], axis=-1)[~np.eye(5, dtype=bool)]
    assert len(places) == 5 and between.min() == pytest.approx(1.5) and np.all(places[0] == 0.0)
    for count, spacing in ((0, 1.0), (2, 0.0), (2, float("nan"))):
        with pytest.raises(tb.ConfigError):
            on_a_grid(RunConfig(), count, spacing)
    with pytest.raises(tb.ConfigError, match="lists 5 worms already"):
        on_a_grid(config, 2, 1.5)


def test_a_worm_that_is_carried_far_away_leaves_the_bits_of_the_others_alone():
    from tianbao.body import SoftBody

    def moved(count):
        body = SoftBody(worms=count)
        for k in range(count):
            body.pose(curvature=3.0 * np.sin(np.linspace(0.0, 9.0, 47)), at=(0.3, 0.1 + 5.0 * k), worm=k)
        flow = np.zeros((count, body.mesh.rings, 3))
        flow[:, :, 0], flow[1:, :, 0] = 0.4, 4.0  # [mm/s]; both leave the frame they start in, not at the same step
        body.flow = flow
        tension = np.zeros((count, body.mesh.slabs, 4))
        tension[:, 10:20, 0] = 100.0
        for _ in range(400):
            body.step(tension, 4.0)
        return body.positions

    together, alone = moved(2), moved(1)
    assert together[1, :, 0].mean() > 4.0 and alone[0, :, 0].mean() > 0.6
    assert np.array_equal(together[0], alone[0])


def test_a_nervous_system_is_compiled_once_for_equal_worms_and_again_for_what_differs(monkeypatch):
    from tianbao.engine import kept, library, reader

    def run(worm, seed=3):
        return tb.Simulation(worm, engine="native", seed=seed, progress=False).run(20.0).track()

    def counted(network):
        read.append(network)
        return original(network)

    read, original = [], reader.nervous_system
    monkeypatch.setattr(reader, "nervous_system", counted)
    monkeypatch.setattr(kept, "find", lambda key: None)
    worm = tb.Worm().scale_synapses("AVA*", "DA*", 0.9)
    first = run(worm)
    run(tb.Worm(at=(1.0, 0.0, 0.0)).scale_synapses("AVA*", "DA*", 0.9), seed=4)
    again = run(worm)
    assert len(read) == 1
    assert np.array_equal(first.midline, again.midline)
    assert np.array_equal(first.muscle_activation, again.muscle_activation)
    run(tb.Worm().scale_synapses("AVA*", "DA*", 0.8))
    assert len(read) == 2
    # What a user changes in NEURON is not hidden by what was compiled before.
    from neuron import h

    name, value = next((f"{k}_{each.name}", v) for each in library.understood() for k, v in each.folded.items()
                       if hasattr(h, f"{k}_{each.name}"))  # fmt: skip
    setattr(h, name, value + 1.0)
    try:
        with pytest.raises(tb.MechanismError, match="in NEURON"):
            run(worm)
    finally:
        setattr(h, name, value)
