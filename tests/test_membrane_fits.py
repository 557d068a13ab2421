"""The fits of recorded cells: the engine of the search, what a fit says, what was committed."""

from __future__ import annotations

import csv
import json
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tianbao import anatomy, mechanisms
from tianbao.cells.geometry import geometry
from tianbao.cells.membrane import insert_membrane
from tianbao.cells.templates import Membrane, templates
from tianbao.electrophysiology import fit_cells, fit_data, fit_search, fitting
from tianbao.electrophysiology.copies import CellCopies
from tianbao.electrophysiology.measures import current_step, spikes, voltage_step
from tianbao.electrophysiology.sections import build

ROOT = Path(__file__).parents[1]
RESULTS = sorted((ROOT / "docs" / "fits" / "membranes").glob("*.json"))
CELLS = tomllib.loads((ROOT / "sims" / "fit_membranes.toml").read_text())
CHANNELS = ("shl1", "egl2", "irk1", "egl19", "cca1", "slo2_egl19", "slo1_unc2", "kcnl")
SOME = {"shl1": 0.9, "egl2": 0.15, "irk1": 0.3, "egl19": 0.3, "cca1": 0.8, "slo2_egl19": 1.0, "slo1_unc2": 0.5}


@pytest.fixture(scope="module")
def h():
    mechanisms.load()
    from neuron import h

    return h


@pytest.fixture(scope="module")
def copies():
    """Three copies of a small neuron, the second without calcium channels."""
    made = CellCopies("RIML", 3, CHANNELS)
    values = {name: np.full(3, SOME.get(name, 0.2)) for name in CHANNELS}
    for name in ("egl19", "cca1", "slo2_egl19", "slo1_unc2"):
        values[name][1] = 0.0
    made.set(values, np.array([0.1, 0.2, 0.1]), np.array([-50.0, -70.0, -50.0]))
    return made


@pytest.fixture
def twin(h):
    """The first copy, built in NEURON alone."""
    cell = geometry(anatomy.morphology("RIML"), soma_compartments=1)
    membrane = Membrane(
        template="twin",
        conductances={name: SOME.get(name, 0.2) for name in CHANNELS},
        egl19_shift=0.0,
        leak=0.1,
        leak_reversal=-50.0,
        reference_capacitance=cell.capacitance,
    )
    sections = cell.netpyne_sections()
    insert_membrane(sections, cell, membrane, 1.0)
    h.secondorder = 0  # A worm made earlier in this process leaves it at 2.
    yield build(sections, "twin")
    h.celsius = 6.3


def test_copies_under_current_clamp_do_what_neuron_does(h, copies, twin):
    _, voltage = copies.current_clamp([(50.0, np.zeros(3)), (100.0, np.full(3, 10.0))], dt=0.1)
    clamp = h.IClamp(twin["soma"](0.5))
    clamp.delay, clamp.dur, clamp.amp = 50.0, 1e9, 0.01
    h.dt = 0.1
    h.finitialize(-60)
    neuron = []
    for _ in range(1500):
        h.fadvance()
        neuron.append(twin["soma"](0.5).v)
    # NEURON takes a clamp at the middle of its step, the copies at its start.
    assert np.abs(voltage[:, 0] - neuron).max() < 0.5
    assert voltage[-1, 0] == pytest.approx(neuron[-1], abs=1e-6)
    assert voltage[499, 0] == pytest.approx(neuron[499], abs=1e-9)


def test_copies_do_not_see_each_other(copies):
    _, voltage = copies.current_clamp([(200.0, np.array([10.0, 10.0, 10.0]))], dt=0.5)
    assert np.array_equal(voltage[:, 0], voltage[:, 2])
    assert abs(voltage[-1, 0] - voltage[-1, 1]) > 1.0


def test_copies_under_voltage_clamp_pass_the_current_of_neurons_clamp(h, copies, twin):
    levels = np.array([10.0, 10.0, -30.0])
    time, current = copies.voltage_clamp(levels, 100.0, -60.0, dt=0.1)
    assert time[-1] == pytest.approx(100.0)
    clamp = h.SEClamp(twin["soma"](0.5))
    clamp.rs, clamp.dur1, clamp.amp1 = 0.01, 1e9, 10.0
    h.dt = 0.1
    h.finitialize(-60)
    for _ in range(1000):
        h.fadvance()
    assert current[-1, 0] == pytest.approx(clamp.i * 1e3, rel=1e-4)


def test_measures_of_a_made_up_sweep():
    time = np.arange(0.0, 7000.0)
    since = time - 1000.0
    trace = np.where((since > 0) & (since <= 5000), -20.0 + 15.0 * np.exp(-since.clip(0) / 200.0), -60.0)
    found = current_step(time, trace[:, None], 1000.0, 5000.0, np.array([True]))
    assert found["rest"] == pytest.approx(-60.0) and found["steady"] == pytest.approx(-20.0, abs=1e-6)
    assert found["peak"] == pytest.approx(-20.0 + 15.0 * np.exp(-5 / 200))
    assert found["at_1s"] == pytest.approx(-20.0 + 15.0 * np.exp(-5), abs=0.01)
    clamped = voltage_step(time, trace[:, None] + 60.0, 1000.0, 1000.0, np.array([True]))
    assert clamped["steady"] == pytest.approx(40.2, abs=0.1)


def test_copies_clamped_back_pass_the_tail_of_neurons_clamp(h, copies, twin):
    time, current = copies.voltage_clamp(np.full(3, 20.0), 50.0, -60.0, dt=0.1, after=10.0)
    assert time[-1] == pytest.approx(60.0)
    clamp = h.SEClamp(twin["soma"](0.5))
    clamp.rs, clamp.dur1, clamp.amp1, clamp.dur2, clamp.amp2 = 0.01, 50.0, 20.0, 1e9, -60.0
    h.dt = 0.1
    h.finitialize(-60)
    for _ in range(600):
        h.fadvance()
    # Ten milliseconds after the step, only the slow part of the tail flows, and no charge.
    assert current[-1, 0] == pytest.approx(clamp.i * 1e3, abs=0.1)


def test_a_pipette_slows_the_cell_and_leaves_its_steady_state():
    made = CellCopies("AIYL", 2, ("nca",))
    none, leak, reversal = {"nca": np.zeros(2)}, np.full(2, 0.2), np.full(2, -70.0)
    made.set(none, leak, reversal, pipette=np.array([0.0, 3.0]))
    _, voltage = made.current_clamp([(5.0, np.full(2, -2.0)), (300.0, np.full(2, -2.0))], dt=0.05, start=-70.0)
    early, late = voltage[99] + 70.0, voltage[-1] + 70.0
    # The neurite's resistance makes one per cent.
    assert late == pytest.approx([-10.0, -10.0], abs=0.2) and late[0] == pytest.approx(late[1], abs=1e-3)
    # 0.2 nS and 0.88 pF, or 3 pF more: what is left after 5 ms.
    assert 1.0 - early / late == pytest.approx(np.exp(-5.0 * 0.2 / np.array([0.884, 3.884])), abs=0.03)


def test_spikes_are_counted_above_the_higher_of_their_troughs():
    time = np.arange(0.0, 1000.0)
    trace = np.full((1000, 2), -40.0)
    for at, height in ((300, 25.0), (600, 18.0)):
        trace[:, 0] += height * np.exp(-(((time - at) / 20.0) ** 2))
    peak, height, when = spikes(time, trace, 50.0, 900.0, 3)
    assert height[:, 0] == pytest.approx([25.0, 18.0, 0.0], abs=0.01) and list(when[:, 0]) == [300.0, 600.0, 900.0]
    assert peak[:2, 0] == pytest.approx([-15.0, -22.0], abs=0.01) and not height[:, 1].any()


def a_fit(sweeps, **changed):
    described = fit_data.Described(
        neuron="AIYL", mode="CC", free=("nca",), fixed={}, published={}, kinetics={}, free_kinetics={}, states=1,
        duration=400.0, after=200.0, rest=None, start=-60.0, lowest_egl19_shift=0.0, pipette=False, least_leak=0.02,
        step=1.0,
    )  # fmt: skip
    return fitting.CellFit(replace(described, **changed), sweeps, 8)


def passive(level, leak, reversal):
    """The sweep of a cell with nothing but a leak."""
    windows = [(-200.0, 0.0, reversal), (200.0, 400.0, reversal + level / leak), (500.0, 600.0, reversal)]
    return fit_data.Sweep(level, np.array(windows), np.nan, reversal + level / leak)


def test_a_search_finds_the_conductances_that_made_its_data():
    pytest.importorskip("cma")
    fit = a_fit([passive(level, 0.16, -70.0) for level in (-10.0, 0.0, 5.0)])
    found = fit_search.search(fit, "passive", 1, 80)
    values = fit.decode(np.array(found["point"])[None])
    assert values["leak"][0] + values["nca"][0] == pytest.approx(0.16, rel=0.03)
    spread, covariance = fitting.uncertainty(fit, np.array(found["point"]))
    assert spread["leak"] < 0.05 and covariance.shape == (3, 3)


def test_a_second_stable_state_is_paid_for():
    one = a_fit([passive(0.0, 0.1, -70.0)], free=("cca1",))
    alone, pair = (one.decode(one.encode({"leak": 0.02, "leak_reversal": -75.0, "cca1": each})[None])
                   for each in (0.0, 5.0))  # fmt: skip
    assert one.one_state(alone)[0][0] < 0.5
    current = one.steady_current(pair)[0]
    upward = ((current[:-1] < 0.0) & (current[1:] >= 0.0)).sum()
    assert (one.one_state(pair)[0][0] > 1.0) == (upward != 1)


def test_complexes_are_at_most_twenty_times_their_calcium_channel():
    fit = a_fit([passive(0.0, 0.1, -70.0)], free=("egl19", "slo1_egl19"))
    points = np.random.default_rng(0).random((50, len(fit.names)))
    values = fit.decode(points)
    assert (values["slo1_egl19"] <= 20.0 * values["egl19"] + 1e-12).all()
    back = np.stack([fit.encode({key: each[k] for key, each in values.items()}) for k in range(50)])
    assert back == pytest.approx(points, abs=1e-6)


def test_what_the_data_leave_open_takes_its_published_value_or_goes():
    described = a_fit([passive(0.0, 0.1, -70.0)], free=("unc2", "slo1_unc2", "irk1"), published={"irk1": 0.3}).described
    without = fit_search.without(described, "unc2", {"unc2": 0.1})
    assert without.free == ("irk1",) and without.fixed == {}
    fixed = fit_search.without(described, "irk1", {})
    assert fixed.free == ("unc2", "slo1_unc2") and fixed.fixed == {"irk1": 0.3}


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_a_committed_fit_is_what_the_worm_carries(path):
    found, membrane = json.loads(path.read_text()), templates()[path.stem.lower()]
    for name, (value, _) in found["result"]["values"].items():
        if name in ("leak", "leak_reversal", "egl19_shift", "pipette"):
            assert getattr(membrane, name) == pytest.approx(value, rel=1e-3)
        elif "." in name:
            channel, constant = name.split(".")
            assert membrane.kinetics[channel][constant] == pytest.approx(value, rel=1e-3)
        elif value >= 1e-3:
            assert membrane.conductances[name] == pytest.approx(value, rel=1e-3)
    for name, value in membrane.conductances.items():
        if "_" in name:
            assert value <= 20.0 * membrane.conductances[name.split("_")[1]] * 1.001


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_the_misfit_of_a_committed_fit_can_be_made_again(path):
    found = json.loads(path.read_text())
    described, sweeps = fit_cells.kept_of(CELLS[path.stem], found), fit_cells.sweeps_of(CELLS[path.stem])
    fit = fitting.CellFit(described, sweeps, 2)
    point = np.array(found["result"]["point"])
    assert fit.misfit(point[None])[0] == pytest.approx(found["result"]["misfit"], rel=1e-6)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_all_that_is_free_in_a_committed_fit_is_determined(path):
    found = json.loads(path.read_text())
    for name in (*found["kept"]["free"], "leak"):
        value, deviation = found["result"]["values"][name]
        assert deviation < abs(value)


def test_rows_of_fits_name_their_script():
    with open(ROOT / "tianbao" / "cells" / "templates.csv", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["template"].upper() in CELLS and row["unit"] == "nS"]
    assert rows and all(
        "sims/fit_membranes.py" in row["source"] and (row["deviation"] or "published" in row["source"]) for row in rows
    )
