"""Patch-clamp experiments: protocols, patched cells, what is read off them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tianbao as tb
from tianbao import anatomy
from tianbao.cells import declared, templates
from tianbao.cells.geometry import geometry
from tianbao.electrophysiology.cell import PatchedCell
from tianbao.electrophysiology.gates import GATES, gates
from tianbao.electrophysiology.protocols import Epoch, Protocol, current_pulses, current_steps, voltage_steps
from tianbao.errors import AnatomyError, ConfigError


@pytest.fixture(scope="module")
def awc():
    return PatchedCell.of_neuron("AWCL")


def test_a_neuron_rests_and_steps_around_its_rest(awc):
    run = awc.run(current_steps([-5.0, 0.0, 5.0], delay=200.0, duration=1000.0, after=100.0))
    found = run.measure()
    assert run.voltage.shape == (len(run.time), 3) and run.time[-1] == pytest.approx(1300.0)
    assert found.level.tolist() == [-5.0, 0.0, 5.0]
    assert found.steady.is_monotonic_increasing
    assert found.rest.to_numpy() == pytest.approx(awc.rest(), abs=0.3)
    assert awc.input_resistance() > 0.1


def test_the_current_of_a_clamp_is_that_of_its_command(awc):
    run = awc.run(current_steps([7.0], delay=100.0, duration=100.0, after=100.0))
    middle = (run.time > 110.0) & (run.time < 190.0)
    assert run.current[middle, 0] == pytest.approx(7.0)
    assert run.current[run.time < 90.0, 0] == pytest.approx(0.0)


def test_a_voltage_clamp_holds_the_soma(awc):
    run = awc.run(voltage_steps([-80.0, 10.0], hold=-60.0, delay=20.0, duration=100.0, after=20.0))
    step = (run.time > 25.0) & (run.time < 115.0)
    assert np.abs(run.voltage[step] - [-80.0, 10.0]).max() < 0.05
    found = run.measure()
    assert found.steady[0] < 0.0 < found.steady[1] <= found.peak[1]


def test_a_knock_out_takes_genes_and_changes_the_cell(awc):
    mutant = PatchedCell.of_neuron("AWCL", knock_out=("egl-19",))
    protocol = voltage_steps([0.0], duration=50.0)
    assert not hasattr(mutant.soma, "egl19")
    assert mutant.run(protocol).measure().steady[0] != pytest.approx(awc.run(protocol).measure().steady[0], abs=0.5)


def test_warmth_quickens_a_cell_and_leaves_where_it_comes_to_rest():
    protocol = current_steps([5.0], delay=50.0, duration=100.0, after=10.0)
    cold, warm = (PatchedCell.of_neuron("AIYL", celsius=each) for each in (15.0, 25.0))
    assert np.abs(cold.run(protocol).voltage - warm.run(protocol).voltage).max() > 0.5
    assert cold.rest() == pytest.approx(warm.rest(), abs=0.01)


def test_the_same_protocol_gives_the_same_bits(awc):
    protocol = current_steps([3.0], delay=50.0, duration=100.0, after=10.0)
    assert np.array_equal(awc.run(protocol).voltage, awc.run(protocol).voltage)


def test_published_cells_can_be_patched_and_mutated():
    rests = {gone: PatchedCell.of_published("RMD", knock_out=gone).rest() for gone in ((), ("leak",))}
    assert rests[()] == pytest.approx(-69.49, abs=0.5) and rests[("leak",)] > rests[()]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: current_steps([float("nan")]), "must be a number"),
        (lambda: current_steps([]), "needs one level"),
        (lambda: current_steps([1.0], duration=-5.0), "must be a positive number"),
        (lambda: Protocol("light", (Epoch(1.0, (0.0,)),), 0), "must be 'current' or 'voltage'"),
        (lambda: Protocol("current", (), 0), "no epoch"),
        (lambda: Protocol("current", (Epoch(1.0, (0.0, 1.0)), Epoch(1.0, (0.0, 1.0, 2.0)))), "as many as"),
        (lambda: PatchedCell.of_published("AWX"), "unknown published cell 'AWX'"),
        (lambda: PatchedCell.of_published("AIY", knock_out=("egl91",)), "unknown channel 'egl91'"),
        (lambda: PatchedCell.of_neuron("AWCL", knock_out=("egl91",)), "unknown channel 'egl91'"),
        (lambda: current_steps(["five"]), "must be a number"),
        (lambda: current_steps([1.0], duration="long"), "must be a positive number"),
        (lambda: gates("egl91"), "unknown channel 'egl91'"),
    ],
)
def test_bad_input_is_one_sentence(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_unknown_neurons_and_steps_are_refused(awc):
    with pytest.raises(AnatomyError):
        PatchedCell.of_neuron("AWXL")
    for dt in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="must be positive"):
            awc.run(current_pulses([1.0]), dt=dt)
        # NEURON itself never comes back from a step of 0.
        with pytest.raises(ConfigError, match="must be positive"):
            awc.rest(dt)
    with pytest.raises(ConfigError, match="other than 0"):
        awc.input_resistance(0.0)


def test_a_short_step_is_measured_within_itself(awc):
    run = awc.run(current_steps([5.0], delay=200.0, duration=100.0, after=100.0))
    found, late = run.measure().iloc[0], (run.time > 250.0) & (run.time <= 300.0)
    assert found.steady == pytest.approx(run.voltage[late, 0].mean()) and np.isnan(found.at_1s)
    clamped = awc.run(voltage_steps([0.0], delay=5.0, duration=0.8, after=5.0)).measure()
    assert np.isfinite(clamped.peak[0])


def test_genes_may_be_written_with_a_hyphen_and_alone():
    mutants = PatchedCell.of_neuron("AWAL", knock_out="EGL-19"), PatchedCell.of_published("AIY", knock_out="egl-19")
    for cell in mutants:
        assert "egl19" not in cell.soma.sec.psection()["density_mechs"]
    assert current_steps(5.0) == current_steps([5.0])


def test_a_patched_cell_is_alone_in_neuron_and_a_worm_comes_back_to_the_same_bits():
    from neuron import h

    import tianbao as tb

    worm = tb.Simulation(tb.Worm(), engine="native", progress=False)
    before = worm.run(40.0).worms[0].midline
    cell = PatchedCell.of_neuron("AIYL")
    cell.run(current_steps([1.0], delay=1.0, duration=2.0, after=1.0))
    assert sum(1 for _ in h.allsec()) < 20
    assert np.array_equal(worm.run(40.0).worms[0].midline, before)


def test_gates_of_every_channel_are_within_their_bounds():
    for channel in {mechanism for mechanism, *_ in GATES.values()}:
        table = gates(channel, voltages=(-90.0, -30.0, 30.0))
        assert (table.steady >= 0).all() and (table.tau > 0).all(), channel
    assert len(gates("nca")) == 0


def test_plots_are_written(awc, tmp_path):
    from tianbao.view import electrophysiology as view

    run = awc.run(current_steps([-5.0, 5.0], delay=100.0, duration=1100.0, after=50.0))
    assert run.plot(tmp_path / "sweeps.png").stat().st_size > 5000
    assert view.gates(tmp_path / "gates.png", ("egl19", "shl1")).exists()
    assert view.traces([("intact", run)], tmp_path / "traces.png").exists()


def test_a_patched_neuron_is_one_of_the_worm_that_it_is_given():
    worm = tb.Worm(channel_set="H", discretisation="d_lambda", soma_compartments=1)
    worm.set_conductance("AWCL", "leak", 5e-5).knock_out("shk-1")
    cell = PatchedCell.of_neuron("AWCL", worm)
    assert cell.compartments < PatchedCell.of_neuron("AWCL").compartments and cell.soma.sec.nseg == 1
    assert cell.soma.pas.g == 5e-5 and not hasattr(cell.soma, "shk1") and hasattr(cell.soma, "egl19")
    # Later changes of the worm are not those of the cell, and a second channel is lost in the cell alone.
    worm.knock_out("egl-19")
    again = PatchedCell.of_neuron("AWCL", tb.Worm(), knock_out="egl-19")
    assert hasattr(cell.soma, "egl19") and not hasattr(again.soma, "egl19") and hasattr(again.soma, "shk1")
    with pytest.raises(ConfigError, match=r"worm=Worm\(\)"):
        PatchedCell.of_neuron("AWCL", "agar")


def test_the_recorded_cell_is_the_same_by_its_template_and_by_every_neuron_that_takes_it():
    cells = [PatchedCell.of_template(each) for each in ("awc", "AWC", "AWCL", "AWCR", "ASKL")]
    assert {each.name for each in cells} == {"AWCL"}
    assert len({(each.soma.pas.g, each.soma.egl19.gbar) for each in cells}) == 1
    # In the worm, AWCL lacks channels and has its share of those that AWC has.
    assert PatchedCell.of_neuron("AWCL").soma.egl19.gbar != cells[0].soma.egl19.gbar
    with pytest.raises(AnatomyError):
        PatchedCell.of_template("cord_active")


def test_every_template_of_a_recorded_class_has_the_cell_it_was_fitted_to():
    rows = {declared.class_row(name)["recorded"] for name in anatomy.neurons().index}
    assert rows == set(templates.recorded_neurons())
    for template, neuron in templates.recorded_neurons().items():
        assert declared.class_row(neuron)["recorded"] == template
        traced = geometry(anatomy.morphology(neuron)).capacitance
        assert templates.templates()[template].reference_capacitance == pytest.approx(traced, rel=1e-3), template


def test_names_are_at_the_top():
    assert tb.PatchedCell is PatchedCell and tb.current_steps is current_steps
    assert all(isinstance(tb.sources("AVAL"), pd.DataFrame) for _ in range(2))
