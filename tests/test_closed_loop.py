"""Once around the loop: what the body does reaches the neurons, what is done to the worm reaches both, in its tick."""

from types import SimpleNamespace

import numpy as np
import pytest

import tianbao as tb
from tianbao import anatomy, parameters
from tianbao.behaviour.midline import curvature, curvature_positions
from tianbao.errors import ConfigError

P = parameters.defaults()
TICK = 4.0  # [ms]


def clamps(network):
    """Current into every soma at this moment [pA], shape (302,)."""
    return 1e3 * np.array([network.current_clamp(name).amp for name in network.design.neurons])


@pytest.fixture(scope="module")
def neuron():
    """A short and a longer run in NEURON, and what its objects held at their ends; numbers only."""
    clock = tb.Clock(frame=TICK)
    simulation = tb.Simulation(tb.Worm(), seed=1, engine="neuron", progress=False, clock=clock).record(voltage=["*"])
    early = simulation.run(20.0).worms[0]
    network = simulation.network
    capacitance = np.array([network.design.capacitance[name] for name in network.design.neurons])
    kept = SimpleNamespace(
        early=early,
        somas=np.array([network.soma(name)(0.5).v for name in early.neurons]),
        activation=np.array([network.muscle(name)(0.5).muscle_activation.a for name in early.muscles]),
        bodies=np.array(simulation.body.midline()[0]),
        received={
            name: -1e3 * sum(point.i for point in network.receptors(name, "stretch"))
            for name in ("DB5", "VB7", "DA5", "VA6", "RMDDL", "RMDVR", "SMDDR", "SMDVL")
        },
        size=dict(zip(network.design.neurons, capacitance / P.input_reference_capacitance, strict=True)),
        noise=clamps(network) - network.design.bias(),
    )
    later = simulation.run(20.0 + TICK * round(P.noise_tau / TICK))
    kept.lag = later.time[-1] - 20.0
    kept.later_noise = clamps(network) - network.design.bias()
    return kept


def test_noise_into_the_cells_has_its_declared_size_and_lasts_as_long_as_declared(neuron):
    # 302 cells of one moment: the standard deviation is known to 4 %, a correlation to 0.06.
    for noise in (neuron.noise, neuron.later_noise):
        assert noise.std() == pytest.approx(P.noise, rel=0.12)
        assert abs(noise.mean()) < 3.0 * P.noise / np.sqrt(302)
    correlation = np.corrcoef(neuron.noise, neuron.later_noise)[0, 1]
    assert correlation == pytest.approx(np.exp(-neuron.lag / P.noise_tau), abs=0.15)


def test_a_frame_is_the_state_at_the_end_of_its_tick(neuron):
    assert np.array_equal(neuron.early.voltage[-1], neuron.somas)
    assert np.array_equal(neuron.early.muscle_activation[-1], neuron.activation)
    assert np.array_equal(neuron.early.midline[-1], neuron.bodies)


def stretch(bend, s, start, end):
    """Mean kappa L between two body coordinates, by interpolation."""
    return np.interp(np.linspace(start, end, 400), s, bend).mean()


def scale(neuron, name):
    """Factor on inputs onto a cell."""
    return neuron.size[name] ** P.capacitance_exponent


def place_of_muscles(neuron):
    """Mean place of the muscles of a neuron, by EM sections [L]."""
    table, s = anatomy.nmj(), anatomy.muscles().s
    mine = table[table.pre == neuron]
    return np.average(s.loc[mine.muscle], weights=mine.em_sections)


@pytest.mark.parametrize(
    ("name", "side", "along"),
    [("DB5", -1.0, 1.0), ("VB7", 1.0, 1.0), ("DA5", -1.0, -1.0), ("VA6", 1.0, -1.0)],
)
def test_a_neuron_of_the_cord_gets_the_current_of_the_bend_in_its_two_fields(neuron, name, side, along):
    # The tick that ends at 20 ms has the bend of its start; fields of these neurons lie whole on the body.
    bend = curvature(neuron.early.midline[-2], dorsal=neuron.early.dorsal[-2])[0]
    s = curvature_positions(neuron.early.midline.shape[1])
    middle, near = place_of_muscles(name), P.cord_window_offset
    main = sorted((middle + along * near, middle + along * (near + P.cord_window_length)))
    opposite = sorted((middle - along * near, middle - along * (near + P.cord_opposite_length)))
    assert min(*main, *opposite) > 0.02 and max(*main, *opposite) < 0.98
    felt = side * (P.cord_stretch_gain * stretch(bend, s, *main) - P.cord_opposite_gain * stretch(bend, s, *opposite))
    assert abs(felt) > 0.15
    assert neuron.received[name] == pytest.approx(scale(neuron, name) * felt, rel=0.05, abs=0.03)


@pytest.mark.parametrize(("name", "side"), [("RMDDL", -1.0), ("RMDVR", 1.0), ("SMDDR", -1.0), ("SMDVL", 1.0)])
def test_a_neuron_of_the_head_gets_the_current_of_the_bend_of_head_and_neck(neuron, name, side):
    bend = curvature(neuron.early.midline[-2], dorsal=neuron.early.dorsal[-2])[0]
    s = curvature_positions(neuron.early.midline.shape[1])
    felt = (
        side * P.head_stretch_gain * stretch(bend, s, P.head_window_start, P.head_window_start + P.head_window_length)
    )
    assert abs(felt) > 0.15
    assert neuron.received[name] == pytest.approx(scale(neuron, name) * felt, rel=0.05, abs=0.03)


@pytest.mark.parametrize("engine", ["neuron", "native"])
def test_a_pulse_acts_from_its_first_tick_to_its_last(engine):
    worm = tb.Worm().stimulate("AVAL", tb.Pulse(0.1, start=20.0, stop=28.0))
    simulation = tb.Simulation(worm, engine=engine, progress=False, clock=tb.Clock(frame=TICK))
    run = simulation.record(voltage=["AVAL"]).run(40.0)
    steps = dict(zip(run.time[1:], np.diff(run.worms[0].voltage[:, 0]), strict=True))
    quiet = max(abs(step) for end, step in steps.items() if end <= 20.0)
    assert quiet < 2.0
    assert steps[24.0] > 10.0 and steps[28.0] > quiet
    assert steps[32.0] < -5.0


def stream(points, time):
    return np.tile([5.0, 0.0, 0.0], (len(points), 1))


@pytest.fixture(scope="module")
def carried():
    """A worm in running water with gravity, seen every 20 ms and every 4 ms."""
    worm, arena = tb.Worm(at=(1.0, -2.0, 0.0), heading=1.2), tb.Arena("water", flow=stream, gravity=9.81)
    simulation = tb.Simulation(worm, arena, engine="native", progress=False)
    return simulation.run(100.0), simulation.record(every=TICK).run(100.0)


def test_frames_lie_where_the_clock_says_and_do_not_depend_on_their_interval(carried):
    coarse, fine = carried
    assert coarse.time.tolist() == [20.0, 40.0, 60.0, 80.0, 100.0]
    assert fine.time.tolist() == list(np.arange(1, 26) * TICK)
    assert np.array_equal(fine.worms[0].midline[4::5], coarse.worms[0].midline)
    assert np.array_equal(fine.worms[0].muscle_activation[4::5], coarse.worms[0].muscle_activation)


def test_a_worm_starts_where_and_as_it_is_put(carried):
    line = carried[1].worms[0].midline[0]
    head, tail = line[0], line[-1]
    assert np.arctan2(*(head - tail)[[1, 0]]) == pytest.approx(1.2, abs=0.05)
    # One tick of the stream has passed.
    assert line.mean(axis=0) == pytest.approx([1.0 + 5.0e-3 * TICK, -2.0, 0.0], abs=0.02)


def test_a_stream_carries_the_worm_along_and_gravity_pulls_it_down(carried):
    middle = carried[0].worms[0].midline.mean(axis=1)
    moved = middle[-1] - middle[0]
    assert moved[0] == pytest.approx(5.0e-3 * 80.0, rel=0.1)
    assert abs(moved[1]) < 0.04
    # A worm of 35 um radius, 8 % denser than water, sinks a few tenths of a millimetre per second.
    assert -1.0 < moved[2] / 0.08 < -0.05


def test_a_worm_that_would_start_through_itself_is_refused():
    with pytest.raises(ConfigError, match="itself"):
        tb.Simulation(tb.Worm(), initial_curvature=26.0, progress=False).run(20.0)
