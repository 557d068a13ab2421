"""The fits of recorded cells: the engine of the search, what a fit says, what was committed."""

from __future__ import annotations

import csv
import importlib.util
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from tianbao import anatomy, mechanisms
from tianbao.cells.geometry import geometry
from tianbao.cells.membrane import insert_membrane
from tianbao.cells.templates import Membrane, templates
from tianbao.electrophysiology import fitting
from tianbao.electrophysiology.copies import CellCopies
from tianbao.electrophysiology.measures import current_step, excursion, voltage_step
from tianbao.electrophysiology.sections import build

ROOT = Path(__file__).parents[1]
RESULTS = sorted((ROOT / "docs" / "fits" / "membranes").glob("*.json"))
CELLS = tomllib.loads((ROOT / "sims" / "fit_membranes.toml").read_text())
CHANNELS = ("shl1", "egl2", "irk1", "egl19", "cca1", "slo2_egl19", "slo1_unc2", "kcnl")
SOME = {"shl1": 0.9, "egl2": 0.15, "irk1": 0.3, "egl19": 0.3, "cca1": 0.8, "slo2_egl19": 1.0, "slo1_unc2": 0.5}


def script():
    spec = importlib.util.spec_from_file_location("fit_membranes", ROOT / "sims" / "fit_membranes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def test_only_what_comes_back_is_an_excursion():
    ramp, spike = np.linspace(-70, -20, 50), np.array([-70.0, -30.0, 0.0, -30.0])
    assert excursion(ramp) == pytest.approx(0.0)
    assert excursion(spike) == pytest.approx(30.0)


def test_a_search_finds_the_conductances_that_made_its_data():
    """Of a passive cell, where the data hold both values."""
    true = {"leak": 0.16, "leak_reversal": -70.0}
    sweeps = [
        fitting.Sweep(level, {"steady": true["leak_reversal"] + level / true["leak"]}) for level in (-10.0, 0.0, 5.0)
    ]
    fit = fitting.CellFit("AIYL", "CC", sweeps, ("nca",), 8)
    cma = pytest.importorskip("cma")
    options = {"popsize": 8, "seed": 1, "bounds": [0.0, 1.0], "verbose": -9, "maxiter": 60}
    search = cma.CMAEvolutionStrategy([0.4, 0.3, 0.4], 0.2, options)
    while not search.stop():
        points = np.array(search.ask())
        search.tell(list(points), list(fit.misfit(points)))
    values = fit.decode(np.array(search.best.x)[None])
    assert values["leak"][0] + values["nca"][0] == pytest.approx(0.16, rel=0.02)
    spread, eigenvalues, _ = fitting.uncertainty(fit, np.array(search.best.x))
    assert spread["leak"] < 0.05 and len(eigenvalues) == 3


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_a_committed_fit_is_what_the_worm_carries(path):
    found, described = json.loads(path.read_text()), CELLS[path.stem]
    membrane = templates()[path.stem.lower()]
    least = script().SMALLEST
    for name, (value, _) in found["values"].items():
        if name in ("leak", "leak_reversal", "egl19_shift"):
            assert getattr(membrane, name) == pytest.approx(value, rel=1e-3)
        elif value >= least:
            assert membrane.conductances[name] == pytest.approx(value, rel=1e-3)
    assert set(membrane.conductances) <= set(described["channels"])
    assert membrane.kinetics == described.get("kinetics", {})


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_the_misfit_of_a_committed_fit_can_be_made_again(path):
    found = json.loads(path.read_text())
    best = min(found["starts"], key=lambda each: each["misfit"])
    fit = script().cell_fit(CELLS[path.stem], candidates=2)
    assert fit.misfit(np.array(best["point"])[None])[0] == pytest.approx(best["misfit"], rel=1e-6)


def test_rows_of_fits_name_their_script():
    with open(ROOT / "tianbao" / "cells" / "templates.csv", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["template"].upper() in CELLS and row["unit"] == "nS"]
    assert rows and all("sims/fit_membranes.py" in row["source"] and row["deviation"] for row in rows)
