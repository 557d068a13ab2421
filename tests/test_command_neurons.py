"""AVB can be switched by its inputs, and rows declared for the closed loop are judged by what the worm loses."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tianbao as tb
from tianbao import parameters
from tianbao.cells import declared
from tianbao.network.wiring import gap_weights
from tianbao.units import US_PER_NS

SIMS = Path(__file__).parents[1] / "sims"
AVB = ("AVBL", "AVBR")


def script(name):
    """A script of sims/ as a module."""
    spec = importlib.util.spec_from_file_location(name, SIMS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def load():
    """Conductance of all gap junctions of each AVB [nS]."""
    design = tb.Worm(discretisation="d_lambda").model().design(np.linspace(0.0, 1.0, 47))
    table = design.tables.gap
    weights = gap_weights(table, design.tables.gap_totals, design.capacitance, design.parameters) / US_PER_NS
    return {each: weights[((table.a == each) | (table.b == each)).to_numpy()].sum() for each in AVB}


@pytest.mark.parametrize("neuron", AVB)
def test_the_drive_of_avb_is_at_most_twice_the_load_of_its_gap_junctions(load, neuron):
    assert 0.0 < parameters.defaults().avb_conductance <= 2.0 * load[neuron]


def test_the_search_of_gaits_keeps_the_drive_of_avb_below_twice_that_load(load):
    search = script("fit_gaits")
    start = {**parameters.defaults(), **dict.fromkeys(search.TISSUE, 1.0)}
    x = np.zeros(len(search.SEARCHED))
    x[search.SEARCHED.index("avb_conductance")] = 5.0
    found = search.candidate(x, start)["avb_conductance"]
    assert parameters.defaults().avb_conductance < found <= 2.0 * min(load.values())


@pytest.mark.slow
def test_an_inhibition_as_large_as_its_drive_switches_avb_off_and_the_worm_stops():
    start, stop = 4_000.0, 6_000.0
    worm = tb.Worm(discretisation="d_lambda")
    size = worm.parameters.avb_conductance
    worm.illuminate("AVB*", channel="chloride", conductance=size, start=start, stop=stop)
    simulation = tb.Simulation(worm, seed=1, engine="native", progress=False).record(voltage=list(AVB))
    voltage = simulation.run(stop).voltages()
    before = voltage[(voltage.index > 2_000.0) & (voltage.index < start)]
    after = voltage[voltage.index > start + 500.0]
    assert (before.mean() > -27.0).all() and (after.mean() < -40.0).all()


def test_what_the_worm_needs_is_what_it_loses_without_a_row():
    deviations = script("deviations")
    removed = deviations.Removal("AVA channels", (("AVA", "nca"),))
    spare = deviations.Removal("RIM release_half", (("RIM", "release_half"),))
    gait = {"speed": 0.3, "travelling_r2": 0.88, "frequency": 0.65, "wavelength": 0.6}
    back = {"reversal_speed": -0.24, "again": 0.5}
    runs = pd.DataFrame([
        {"without": name, "medium": medium, "seed": 1, **gait, **back, **changed.get(medium, {})}
        for name, changed in {
            deviations.INTACT: {},
            removed.name: {"agar": {"speed": 0.2, "again": np.nan}},
            spare.name: {"water": {"speed": 0.29}},
        }.items()
        for medium in deviations.MEDIA
    ])  # fmt: skip
    known = [deviations.Removal(deviations.INTACT), removed, spare, deviations.Removal("not run yet", (("A", "b"),))]
    table = deviations.verdicts(runs, known, set()).set_index("without")
    assert table.needed_for[removed.name] == "agar speed, agar again"
    assert table.needed_for[spare.name] == "" and table.deviations[spare.name] == 2
    assert "not run yet" not in table.index


def test_a_removed_row_is_gone_from_the_tables_and_no_other(tmp_path, monkeypatch):
    deviations = script("deviations")
    rows, classes = declared.declared_table(), declared.class_rows()
    who, quantity = next((who, quantity) for who, its in rows.items() for quantity in its)
    template = next(each for each, row in classes.items() if row["template"] != row["recorded"])
    for name in ("DECLARED", "CLASSES"):
        monkeypatch.setattr(declared, name, getattr(declared, name))
    deviations.without(deviations.Removal("two", ((who, quantity), (template, deviations.TEMPLATE))), tmp_path)
    reduced, replaced = declared.declared_table(declared.DECLARED), declared.class_rows(declared.CLASSES)
    assert sum(map(len, reduced.values())) == sum(map(len, rows.values())) - 1
    assert quantity not in reduced.get(who, {})
    changed = [each for each in classes if replaced[each]["template"] != classes[each]["template"]]
    assert changed == [template] and replaced[template]["template"] == classes[template]["recorded"]
