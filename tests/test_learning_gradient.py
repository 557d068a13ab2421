"""The gradient through brain and body is the slope of whole simulated runs."""

from __future__ import annotations

import numpy as np
import pytest

import tianbao as tb
from tianbao.learning import losses
from tianbao.learning.closed_loop import ClosedLoop
from tianbao.learning.places import places_of

TIGHT = 1e-9  # tolerance of the body's steps, so that differences of runs are smooth
SHORT = 60.0  # [ms]


@pytest.fixture(scope="module")
def sim() -> tb.Simulation:
    made = tb.Simulation(tb.Worm(), tb.Arena("agar"), seed=3, progress=False, threads=1)
    made.body.tolerance = TIGHT
    return made


class Mixture(losses.Loss):
    """Fixed random weights on all that a loss can depend on."""

    def __call__(self, rollout):
        rng, total, weights = np.random.default_rng(5), 0.0, {}
        for name, size in (("midline", 30.0), ("curvature", 1.0), ("voltage", 0.01), ("activation", 10.0)):
            weights[name] = size * rng.normal(size=getattr(rollout, name).shape)
            total += float((weights[name] * getattr(rollout, name)).sum())
        return total, weights


def slope(evaluate, value: float, size: float) -> float:
    """Central difference of fourth order."""
    near, far = ((evaluate(value + k * size) - evaluate(value - k * size)) / (2 * k * size) for k in (1, 2))
    return (4.0 * near - far) / 3.0


def of_parameter(sim, loss, name: str, duration: float, share: float = 1e-4) -> float:
    """Slope of a loss by a parameter, by runs of re-tuned worms."""
    base = sim.worm.parameters

    def evaluate(value: float) -> float:
        sim.retune(base.replace(**{name: value}))
        return loss(losses.recorded(sim, duration))[0]

    _ = sim.network  # held in NEURON, so that re-tuning happens in place
    found = slope(evaluate, base[name], share * abs(base[name]))
    sim.retune(base)
    return found


def test_a_recorded_run_has_the_bits_of_a_simulation(sim):
    rollout = losses.recorded(sim, SHORT)
    other = tb.Simulation(tb.Worm(), tb.Arena("agar"), seed=3, progress=False, threads=1)
    other.body.tolerance = TIGHT
    other.reset()
    seen = other.step(SHORT)
    for name in ("midline", "curvature", "voltage", "activation"):
        np.testing.assert_array_equal(getattr(rollout, name)[-1], getattr(seen, name)[0])


def test_the_simulation_goes_on_from_where_the_run_ended(sim):
    tb.gradient(sim, losses.ForwardSpeed(), ["gap_gain"], SHORT)
    after = sim.step(20.0)
    sim.reset()
    np.testing.assert_array_equal(sim.step(SHORT + 20.0).midline, after.midline)


@pytest.mark.slow
def test_a_conductance_has_the_slope_of_worms_that_express_more_of_it(sim):
    loss = Mixture()
    found = tb.gradient(sim, loss, ["RIM.egl19"], SHORT)
    total = sim.loop.design().membrane_of("RIML").conductances["egl19"]
    assert total == sim.loop.design().membrane_of("RIMR").conductances["egl19"]

    def expressing(factor: float) -> float:
        worm = tb.Worm().over_express("egl-19", factor, "RIM*")
        made = tb.Simulation(worm, tb.Arena("agar"), seed=3, progress=False, threads=1)
        made.body.tolerance = TIGHT
        return loss(losses.recorded(made, SHORT))[0]

    expected = (expressing(1.02) - found.value) / 0.02, (expressing(1.04) - found.value) / 0.04
    assert found["RIM.egl19"] * total == pytest.approx(2.0 * expected[0] - expected[1], rel=1e-4)


@pytest.mark.slow
def test_the_start_has_the_slope_of_runs_that_begin_elsewhere(sim, monkeypatch):
    from tianbao.loop import loop as loops

    loss, rest = Mixture(), loops._rest
    found = tb.gradient(sim, loss, ["initial_voltage"], SHORT)["initial_voltage"]
    for k, name in ((sim.loop.design().neurons.index("AVBL"), "AVBL"), (302, found.index[302])):

        def begun(offset: float, k=k) -> float:
            def moved(design, rng):
                return rest(design, rng) + offset * (np.arange(302 + 95) == k)

            monkeypatch.setattr(loops, "_rest", moved)
            return loss(losses.recorded(sim, SHORT))[0]

        assert found[name] == pytest.approx(slope(begun, 0.0, 0.02), rel=1e-6)


@pytest.mark.slow
def test_what_parameters_do_is_asked_of_each_nervous_system_anew(sim):
    active = tb.Simulation(tb.Worm(muscle="active"), tb.Arena("agar"), seed=3, progress=False, threads=1)
    before = tb.gradient(sim, Mixture(), ["muscle_half"], SHORT)["muscle_half"]
    tb.gradient(active, Mixture(), ["muscle_half"], SHORT)
    assert tb.gradient(sim, Mixture(), ["muscle_half"], SHORT)["muscle_half"] == before != 0.0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cord_stretch_gain", "muscle_slope"])
def test_parameters_have_the_slope_of_runs(sim, name):
    loss = Mixture()
    found = tb.gradient(sim, loss, [name], SHORT)
    assert found[name] == pytest.approx(of_parameter(sim, loss, name, SHORT), rel=1e-6)


def test_synapses_start_and_currents_have_the_slope_of_runs(sim):
    loss, rng = Mixture(), np.random.default_rng(2)
    ticks = round(SHORT / sim.clock.tick)
    current = rng.normal(0.0, 1e-3, (ticks, 302))
    found = tb.gradient(sim, loss, ["current", "AVBL--VB02", "DB03->DD03", "synapses"], SHORT, current=current)
    neurons = list(found.rollout.neurons)
    for name in ("AVBL", "RMDDL"):

        def driven(value: float, name=name) -> float:
            moved = current.copy()
            moved[4, neurons.index(name)] = value
            return loss(losses.recorded(sim, SHORT, moved))[0]

        expected = slope(driven, current[4, neurons.index(name)], 2e-5)
        assert found["current"].loc[4, name] == pytest.approx(expected, rel=1e-6)
    table, network = found["synapses"], sim.loop.animals[0].brain.compiled.network
    its = places_of(sim, network).junctions
    row = table[(table.pre == "DB3") & (table.post == "DD3")].iloc[0]
    (here,) = np.flatnonzero((its.pre == row.pre) & (its.post == row.post) & [
        its.rules[k].label == row.rule for k in its.rule
    ])
    weights = network.groups[its.group[here]].values["weight"]
    place = its.place[here]
    base = float(weights[place])

    def strengthened(value: float) -> float:
        weights[place] = value
        return loss(losses.recorded(sim, SHORT, current))[0]

    expected = slope(strengthened, base, 2e-2 * base) * 1e-3
    weights[place] = base
    assert row.derivative == pytest.approx(expected, rel=1e-6)
    assert found["DB03->DD03"] == row.derivative


@pytest.mark.parametrize("loss", [
    losses.ForwardSpeed(20.0), losses.DistanceTo((1.0, 0.5)), losses.TravellingWave(0.5, 0.6, 7.0, 8.0),
    losses.CurvatureMatch(np.arange(0.0, 50.0, 10.0), np.linspace(0.1, 0.9, 9), np.ones((5, 9))),
    losses.VoltageMatch(np.array([0.0, 30.0]), {"AVBL": np.array([-40.0, -30.0]), "DB1": np.zeros(2)}),
    2.0 * losses.DistanceTo((0.0, 0.0)) - losses.ForwardSpeed(),
], ids=lambda each: type(each).__name__)  # fmt: skip
def test_losses_have_the_slope_of_their_values(sim, loss):
    rollout = losses.recorded(sim, SHORT)
    rng = np.random.default_rng(1)
    (name, weights), = loss(rollout)[1].items()
    direction = rng.normal(0.0, 1e-3, weights.shape)
    base = getattr(rollout, name).copy()

    def moved(share: float) -> float:
        getattr(rollout, name)[:] = base + share * direction
        return loss(rollout)[0]

    assert (weights * direction).sum() == pytest.approx(slope(moved, 0.0, 1e-2), rel=1e-6)


@pytest.mark.parametrize("after", [0.0, 8.0, 24.0])
def test_a_wave_as_wanted_costs_nothing_however_long_it_is_looked_at(sim, after):
    rollout = losses.recorded(sim, SHORT)
    turns = rollout.time[:, None] / 1e3 * 0.5 - rollout.positions / 0.6
    rollout.curvature[:] = 7.0 * np.sin(2.0 * np.pi * turns + 0.4)
    assert losses.TravellingWave(0.5, 0.6, 7.0, after)(rollout)[0] == pytest.approx(0.0, abs=1e-12)
    assert losses.TravellingWave(0.5, 0.6, 5.0, after)(rollout)[0] == pytest.approx(2.0)


def test_several_losses_on_one_run_have_the_gradients_of_each(sim):
    speeds = losses.ForwardSpeed(), losses.ForwardSpeed(8.0, 40.0)
    several = [*speeds, losses.DistanceTo((1.0, 0.5)), lambda _: (3.0, {})]
    names = ["gap_gain", "AVBL--VB02", "current"]
    together = tb.jacobian(sim, several, names, SHORT)
    for loss, found in zip(several, together, strict=True):
        alone = tb.gradient(sim, loss, names, SHORT)
        assert (found.value, found["gap_gain"], found["AVBL--VB02"]) == (
            alone.value, alone["gap_gain"], alone["AVBL--VB02"])  # fmt: skip
        assert found["current"].equals(alone["current"])
    assert together[1]["current"].iloc[11:].eq(0.0).all(axis=None) and together[3]["gap_gain"] == 0.0


def test_the_speed_is_that_of_the_gait(sim):
    from tianbao.behaviour.midline import forward_velocity

    rollout = losses.recorded(sim, SHORT)
    assert losses.ForwardSpeed()(rollout)[0] == pytest.approx(forward_velocity(rollout.time, rollout.midline).mean())


@pytest.mark.parametrize(("wrt", "said"), [
    (["gap_gian"], "gap_gain"), (["AVAL->AVAZ"], "cell"), (["AVAL->VA99"], "cell"), (["AVAL->MDL01X"], "cell"),
    (["RIM.nonsense"], "conductance"), (["XYZ.leak"], "class"), (["noise_tau"], "drawn"), ("gap_gain", "list"),
    ([], "list"), ([3], "names"),
])  # fmt: skip
def test_unknown_names_are_refused(sim, wrt, said):
    with pytest.raises(tb.ConfigError, match=said):
        tb.gradient(sim, losses.ForwardSpeed(), wrt, 8.0)


def test_pairs_without_a_connection_are_refused(sim):
    with pytest.raises(tb.ConfigError, match="no chemical synapse"):
        tb.gradient(sim, losses.ForwardSpeed(), ["DD3->AVAL"], 8.0)


@pytest.mark.parametrize(("worm", "arena", "said"), [
    ({}, {"fields": [tb.Gaussian("chemical", peak=1.0, centre=(1.0, 0.0, 0.0), width=1.0)]}, "fields"),
    ({}, {"obstacles": [tb.Plane((0.0, 0.0, -0.1), (0.0, 0.0, 1.0))]}, "obstacles"),
    ({"decision": "network"}, {}, "decides"), ({"amines": "on"}, {}, "amines"), ({"fatigue": "touch"}, {}, "tire"),
])  # fmt: skip
def test_what_has_no_way_back_is_refused(worm, arena, said):
    refused = tb.Simulation(tb.Worm(**worm), tb.Arena("agar", **arena), progress=False)
    with pytest.raises(tb.ConfigError, match=said):
        tb.gradient(refused, losses.ForwardSpeed(), ["gap_gain"], 8.0)


def test_a_loss_without_derivatives_and_a_wrong_duration_are_refused(sim):
    with pytest.raises(tb.ConfigError, match="derivatives"):
        tb.gradient(sim, lambda rollout: 1.0, ["gap_gain"], 8.0)
    with pytest.raises(tb.ConfigError, match="ticks"):
        ClosedLoop(sim, 9.0)
    with pytest.raises(tb.ConfigError, match="at most 500"):
        ClosedLoop(sim, 4e6)


@pytest.mark.slow
def test_two_seconds_have_the_slope_of_runs_in_twenty_parameters(sim):
    names = (
        "excitatory_gain", "inhibitory_gain", "dyad_gain", "gap_gain", "release_half", "release_slope", "synapse_tau",
        "cord_bias", "head_bias", "avb_conductance", "avb_reversal", "cord_stretch_gain", "head_stretch_gain",
        "cord_window_offset", "cord_window_length", "b_adaptation", "nmj_excitatory_gain", "muscle_half", "muscle_tau",
        "peak_curvature",
    )  # fmt: skip
    loss = losses.ForwardSpeed()
    found = tb.gradient(sim, loss, names, 2000.0)
    for name in names:
        expected = of_parameter(sim, loss, name, 2000.0, 5e-5)
        assert found[name] == pytest.approx(expected, rel=1e-5), name
