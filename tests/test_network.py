"""The built NetPyNE network holds the whole animal, and the whole loop runs on it.

Tests that only look at the network share the one of conftest.py; those that run or change a worm build their own.
"""

import collections
import csv
import os
import signal
from pathlib import Path

import numpy as np
import pytest

import tianbao as tb
from tianbao import Arena, Clock, Pulse, Simulation, Worm, anatomy, parameters
from tianbao.behaviour.gait import curvature
from tianbao.errors import ConfigError, DivergedError
from tianbao.network.assembly import cell_sections

PUBLISHED_COUNTS = Path(__file__).parent / "data" / "compartments.csv"


@pytest.fixture
def simulation():
    return Simulation(Worm(), Arena("agar"), progress=False)


def connections(network, prefix):
    """Connections of the built network whose rule starts with a prefix."""
    return [
        conn
        for cell in network.sim.net.allCells
        for conn in cell["conns"]
        if conn.get("label", "").startswith(prefix)
    ]


def test_all_neurons_and_muscles_are_built(network):
    cells = network.sim.net.allCells
    assert len(cells) == 302 + 95
    names = {cell["tags"]["pop"] for cell in cells}
    assert names == set(anatomy.neurons().index) | set(anatomy.muscles().index)


def test_compartments_are_the_traced_ones(network):
    built = {
        name: sum(section["hObj"].nseg for section in network.cells[name].secs.values())
        for name in anatomy.neurons().index
    }
    with open(PUBLISHED_COUNTS, newline="") as lines:
        published = {row["name"]: int(row["compartments"]) for row in csv.DictReader(lines)}
    assert built == published
    assert (min(built.values()), max(built.values()), sum(built.values())) == (10, 2313, 15_910)
    assert built["VA12"] == 10 and built["PVDL"] == 2313
    assert round(sum(built.values()) / 302, 2) == 52.68


def membrane_of(section, constants):
    """Every constant of every mechanism in every compartment of a section, by (mechanism, constant).

    Args:
        section: NEURON Section.
        constants: mechanism -> names of its constants; those of mechanisms seen for the first time are added.
    """
    kinds = [each.name() for each in section(0.5) if not each.is_ion()]
    if not constants.keys() >= set(kinds):
        constants |= {kind: tuple(values) for kind, values in section.psection()["density_mechs"].items()}
    return {
        (kind, name): [getattr(getattr(segment, kind), name) for segment in section]
        for kind in kinds
        for name in constants[kind]
    }


def test_a_patched_neuron_has_every_density_of_the_cell_of_that_name(network):
    constants = {}
    for neuron in network.design.neurons:
        for name, patched in tb.PatchedCell.of_neuron(neuron).sections.items():
            built = network.section(neuron, name)
            assert membrane_of(patched, constants) == membrane_of(built, constants), (neuron, name)
            for quantity in ("nseg", "L", "cm", "Ra", "ek", "eca"):
                if hasattr(patched, quantity):
                    assert getattr(patched, quantity) == getattr(built, quantity), (neuron, name, quantity)
    assert {"egl19", "slo1", "ca_pool", "pas", "nca"} <= constants.keys()


def test_every_chemical_pair_is_built_once(network):
    pairs = collections.Counter(
        (conn["preGid"], cell["gid"])
        for cell in network.sim.net.allCells
        for conn in cell["conns"]
        if conn.get("label", "").startswith("synapse")
    )
    assert len(pairs) == 3671 and set(pairs.values()) == {1}
    assert (anatomy.chemical().pre == anatomy.chemical().post).sum() == 38


def test_gap_junctions_are_reciprocal(network):
    conductance = collections.defaultdict(list)
    for cell in network.sim.net.allCells:
        if cell["tags"]["pop"] not in network.design.membranes:
            continue
        for conn in cell["conns"]:
            if conn["synMech"] == "gap":
                conductance[frozenset((conn["preGid"], cell["gid"]))].append(conn["hObj"].weight)
    assert len(conductance) == 1091
    assert all(len(both) == 2 and both[0] == both[1] > 0 for both in conductance.values())


def test_every_neuromuscular_pair_is_built(network):
    assert len(connections(network, "nmj")) == 1148


def test_every_neuron_carries_channels_in_its_soma(network):
    passive = {"pas", "ca_pool", "k_ion", "ca_ion", "morphology", "capacitance"}
    for name in anatomy.neurons().index:
        mechanisms = set(network.soma(name).psection()["density_mechs"])
        assert mechanisms - passive, name


def test_calcium_reversal_is_held_while_cai_moves():
    worm = Worm().stimulate("AWCL", Pulse(0.02, start=0.0, stop=100.0))
    simulation = Simulation(worm, engine="neuron", progress=False)
    simulation.run(60.0)
    soma = simulation.network.soma("AWCL")(0.5)
    assert soma.eca == pytest.approx(60.0)
    assert soma.cai > 1.2 * 5e-5


def test_numpy_areas_equal_those_of_neuron(network):
    for name in ("AVAL", "VA12", "DB4", "PVDL"):
        areas = [s.area() for sec in network.cells[name].secs.values() for s in sec["hObj"]]
        # NEURON keeps its points in single precision.
        assert np.array(areas) == pytest.approx(network.design.cells[name].compartment_areas, rel=1e-4)


def test_synapses_sit_where_the_neurites_meet(network):
    from tianbao.network.rules import connection_rules

    rules = connection_rules(network.design)
    distance = np.concatenate([rule.sites.distance for rule in rules if rule.label.startswith("synapse")])
    assert np.percentile(distance, 75) < 0.5 and np.mean(distance > 5) < 0.03


def test_built_connections_have_the_place_and_weight_of_their_rules(network):
    from tianbao.network.rules import connection_rules

    built = iter(network._synapses)
    for rule in connection_rules(network.design):
        halves = 2 if rule.mechanism["pointerParams"]["bidirectional"] else 1
        places = zip(rule.post, rule.sites.post_section, rule.sites.post_loc, rule.weights, strict=True)
        for cell, section, loc, weight in places:
            synapse = next(built)
            segment, section = synapse.get_segment(), network.section(cell, section)
            assert synapse.weight == weight
            assert segment.sec == section
            assert abs(segment.x - loc) <= 0.5 / section.nseg + 1e-9
            for _ in range(halves - 1):
                assert next(built).weight == weight
    assert next(built, None) is None


def test_parameter_set_h_reaches_the_built_somata():
    worm = Worm(channel_set="H")
    sections = cell_sections(worm.design(np.linspace(0, 1, 47)))
    assert sections["AWCL"]["soma"]["mechs"]["unc2"]["v_half_m"] == pytest.approx(-12.17)
    assert sections["DB4"]["soma"]["mechs"]["egl19"]["set_shift"] == 0.0


def test_every_connection_says_where_its_sign_comes_from(network):
    assert network.design.tables.chemical.sign_source.str.len().gt(0).all()


def test_same_seed_gives_the_same_bits_and_another_seed_does_not(simulation):
    def run(seed):
        simulation.seed = seed
        return simulation.record(voltage=["DB*"]).run(60.0).worms[0]

    first, second, other = run(1), run(1), run(2)
    assert np.array_equal(first.midline, second.midline)
    assert np.array_equal(first.voltage, second.voltage)
    assert not np.array_equal(first.voltage, other.voltage)


def test_second_order_is_far_closer_to_short_steps_and_leaves_first_order_as_it_was(simulation, monkeypatch):
    def voltage(order, dt):
        monkeypatch.setattr(simulation, "clock", Clock(dt=dt, order=order))
        return simulation.record(voltage=["*"]).run(60.0).worms[0].voltage

    before, second, exact, after = voltage(1, 0.05), voltage(2, 0.05), voltage(2, 0.025), voltage(1, 0.05)
    assert np.array_equal(before, after)
    first_error, second_error = (np.sqrt(np.mean((each - exact) ** 2)) for each in (before, second))
    assert second_error < 0.1 * first_error


def test_a_stimulus_reaches_its_neuron_and_its_muscles():
    def response(amplitude):
        worm = Worm().stimulate("DB4", Pulse(amplitude, start=100.0, stop=400.0))
        track = Simulation(worm, progress=False).record(voltage=["DB4"]).run(400.0).worms[0]
        mine = anatomy.nmj().query("pre == 'DB4'").muscle
        return track.voltage[-1, 0], track.muscle_activation[-1, np.isin(track.muscles, mine)].mean()

    (quiet_v, quiet_a), (driven_v, driven_a) = response(1e-6), response(0.02)
    assert driven_v > quiet_v + 10.0
    assert driven_a > quiet_a


def test_the_body_bends_before_half_a_second_has_passed(simulation):
    run = simulation.run(500.0)
    assert np.abs(curvature(run.worms[0].midline)).max() > 0.5


def test_ctrl_c_keeps_what_was_computed(simulation, monkeypatch, tmp_path):
    step, calls = simulation.body.step, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 30:
            os.kill(os.getpid(), signal.SIGINT)
        step(*arguments)

    monkeypatch.setattr(simulation.body, "step", interrupted)
    run = simulation.run(1000.0)
    # The tick during which it came is finished: thirty of 4 ms.
    assert not run.complete and len(run.time) == 6
    assert len(tb.open(run.save(tmp_path / "cut.h5")).time) == 6


def test_a_diverging_run_says_when_and_keeps_what_was_computed(simulation, monkeypatch):
    step, calls = simulation.body.step, []

    def exploding(pull, tick):
        calls.append(1)
        step(pull * (np.nan if len(calls) == 30 else 1.0), tick)

    monkeypatch.setattr(simulation.body, "step", exploding)
    with pytest.raises(DivergedError, match="ms") as caught:
        simulation.run(1000.0)
    assert len(caught.value.recording.time) == 5 and not caught.value.recording.complete


def test_a_retuned_network_equals_a_new_one():
    changed = parameters.defaults().replace(
        gap_gain=0.02, capacitance_exponent=0.4, cord_window_length=0.2, release_half=-10.0, avb_conductance=0.0
    )
    retuned = Simulation(Worm(), progress=False).retune(changed).run(40.0)
    fresh = Simulation(Worm(parameters=changed), progress=False).run(40.0)
    assert np.array_equal(retuned.worms[0].midline, fresh.worms[0].midline)
    assert np.array_equal(retuned.worms[0].muscle_activation, fresh.worms[0].muscle_activation)


def test_a_worm_changed_after_a_simulation_was_made_concerns_later_ones_only(simulation):
    worm = Worm()
    first = Simulation(worm, progress=False)
    before = sum(len(cell.conns) for cell in first.network.cells.values())
    worm.ablate("AVBL")
    assert first.worm.interventions == () and first.network.cells["AVBL"].conns
    second = Simulation(worm, progress=False)
    assert sum(len(cell.conns) for cell in second.network.cells.values()) < before
    assert not second.network.cells["AVBL"].conns
    second.retune(parameters.defaults().replace(gap_gain=0.02))
    assert not second.network.cells["AVBL"].conns
    # NEURON holds one network: coming back builds the other again.
    kept = simulation.network
    assert kept.alive and kept.cells["AVBL"].conns


def test_a_negative_seed_is_refused():
    with pytest.raises(ConfigError, match="seed -1 is negative"):
        Simulation(Worm(), seed=-1)


@pytest.mark.parametrize("order", [0, 3])
def test_an_order_other_than_one_or_two_is_refused(order):
    with pytest.raises(ConfigError, match=f"clock order {order}: give 1"):
        Clock(order=order)


def test_a_worm_of_one_soma_compartment_is_built_so_beside_one_of_two():
    def built(soma_compartments):
        network = Simulation(Worm(soma_compartments=soma_compartments), progress=False).network
        return sum(s["hObj"].nseg for name in network.design.neurons for s in network.cells[name].secs.values())

    assert [built(2), built(1)] == [15_910, 15_608]


def test_recording_at_another_interval_keeps_the_order():
    assert Simulation(Worm(), clock=Clock(order=2)).record(every=40.0).clock == Clock(frame=40.0, order=2)


def test_clock_steps_must_divide_evenly():
    with pytest.raises(ConfigError, match="tick = 4 ms must be a whole multiple of dt"):
        Clock(dt=0.3, tick=4.0)


def test_a_run_shorter_than_a_frame_is_refused():
    with pytest.raises(ConfigError, match="shorter than one frame"):
        Simulation(Worm(), progress=False).run(1.0)
