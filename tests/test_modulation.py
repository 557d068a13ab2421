"""Modulated conductances and rates per instance: what both engines make of them, and who must not see them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tianbao.electrophysiology.cell import PatchedCell
from tianbao.engine import library
from tianbao.errors import ConfigError
from tianbao.io.neuroml_cells import densities

EXACT = 1e-9  # [mV]
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def measured() -> dict:
    """What tests/modulated_cells.py measures, in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, str(Path(__file__).with_name("modulated_cells.py"))]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout)


@pytest.mark.parametrize("method", ["euler", "second"])
def test_both_engines_follow_modulators_that_move_between_calls(measured, method):
    assert measured["ramp"][f"ramp {method}"] < EXACT
    assert measured["ramp"]["effect of the ramp"] > 1.0


def test_a_modulation_of_one_is_none(measured):
    assert measured["ramp"]["modulated by 1"] < 1e-12
    assert measured["ramp"]["modulated by 1, NEURON"] < 1e-12


def test_every_channel_modulated_by_two_is_one_of_twice_the_density(measured):
    channels = {each.name for each in library.understood() if "modulation" in each.source.pointers}
    assert set(measured["twice"]) == channels - {"GradedSynapse", "TiringSynapse"} and len(channels) == 23
    for name, each in measured["twice"].items():
        assert max(each["native"], each["NEURON"]) < 1e-11, name
        assert each["engines"] < EXACT and each["effect"] > 1e-3, name


def test_rates_are_those_of_the_instance_in_both_engines(measured):
    found = measured["rates"]
    assert found["engines at two rates"] < EXACT and found["effect of rates"] > 1.0
    fast, slow = found["time constants"]
    # A capacitance of 1e9 uF/cm2 lets the voltage move a little.
    assert slow == pytest.approx(found["of the file"], rel=1e-5) and fast == pytest.approx(slow / 3.0, rel=1e-5)


def test_one_rate_for_all_reaches_every_instance_of_ours_and_nobody_else(measured):
    found = measured["rates"]
    assert found["set to"] == [1.7] and found["stranger"] == 5.0 and found["left without a section"]


def test_a_pointer_to_nothing_is_refused_only_where_it_counts(measured):
    found = measured["unset"]
    assert found["while it does not count"] == pytest.approx(-60.0, abs=0.1)
    for who, name in (("density", "egl19"), ("synapse", "GradedSynapse")):
        for engine in ("NEURON", "native"):
            assert name in found[f"{who}, {engine}"] and "nothing" in found[f"{who}, {engine}"]


def test_the_adjoint_has_the_slope_of_central_differences_along_every_modulator(measured):
    for where, (slope, central) in measured["gradient"].items():
        assert slope == pytest.approx(central, rel=1e-6, abs=1e-7), where


def test_only_what_is_modulated_carries_the_index_of_a_modulator():
    for kind in library.all_kinds():
        if "modulation" in kind.mechanism.source.pointers:
            symbols = kind.variant.graph.symbols(kind.variant.currents.values())
            assert ("external" in kind.indices) == ("modulation" in symbols), kind.name
    carriers = {kind.mechanism.name for kind in library.all_kinds() if "external" in kind.indices}
    assert {"egl19", "slo1", "nca", "GradedSynapse", "StretchReceptor"} <= carriers


def test_variants_that_differ_in_modulation_share_all_functions_but_that_of_the_current():
    from tianbao.engine.emit import header

    egl19 = [each for each in library.all_kinds() if each.mechanism.name == "egl19"]
    text = header(egl19)
    for phase, count in (("initial", 1), ("state", 1), ("current", 2)):
        assert sum(f"_{phase}(const" in line for line in text.splitlines()) == count, phase


def test_neurons_own_listing_of_a_section_works_with_pointers_that_do_not_count():
    soma = PatchedCell.of_neuron("AVAL").soma.sec
    assert set(soma.psection()["density_mechs"]["egl19"]["modulation"]) == {1.0}


def test_neuroml_export_refuses_a_modulated_channel():
    channel = {"gbar": 1e-4, "modulated": 1.0}
    sections = {"soma": {"mechs": {"pas": {"g": 1e-5, "e": -60.0}, "egl19": channel}}}
    with pytest.raises(ConfigError, match="egl19 is modulated"):
        densities(sections)
    channel["modulated"] = 0.0
    assert [each.value for each in densities(sections)] == [1e-5, 1e-4]
