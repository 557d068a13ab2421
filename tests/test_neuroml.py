"""NeuroML: the exported nervous system is the simulated one, and valid by the schema."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import tianbao as tb
from tianbao.behaviour.midline import curvature_positions
from tianbao.io.lems import evaluate, expression, kinetics, sigmoid
from tianbao.io.neuroml import NETWORK, SIMULATION, TYPES, write_neuroml
from tianbao.io.neuroml_cells import first_segments, place
from tianbao.network.rules import connection_rules

NML = "{http://www.neuroml.org/schema/neuroml2}"
CHANNELS = ("shl1", "kvs1", "shk1", "kqt3", "egl36", "egl2", "irk1", "egl19", "unc2", "cca1", "kcnl", "kqt1", "unc103")


@pytest.fixture(scope="module")
def worm() -> tb.Worm:
    return tb.Worm().stimulate("AVAL", tb.Pulse(0.01, 50.0, 250.0))


@pytest.fixture(scope="module")
def design(worm):
    return worm.design(curvature_positions(51))


@pytest.fixture(scope="module")
def folder(worm, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("neuroml")
    assert write_neuroml(worm, path) == path / NETWORK
    return path


def root(folder: Path, name: str) -> ET.Element:
    return ET.parse(folder / name).getroot()


def test_every_cell_and_connection_is_there(folder, design):
    network = root(folder, NETWORK).find(f"{NML}network")
    populations = [each.get("id") for each in network.iter(f"{NML}population")]
    assert len(populations) == 302 + 95 and len(set(populations)) == 397
    assert len(list(folder.glob("*.cell.nml"))) == 303
    rules = connection_rules(design)
    both = sum(len(rule.weights) for rule in rules if rule.label in ("gap", "muscle_gap"))
    junctions = list(network.iter(f"{NML}electricalConnectionInstanceW"))
    synapses = list(network.iter(f"{NML}continuousConnectionInstanceW"))
    assert len(junctions) == both and len(synapses) == sum(len(rule.weights) for rule in rules) - both
    weights = sum(float(each.get("weight")) for each in [*junctions, *synapses])
    assert weights == pytest.approx(1e3 * sum(rule.weights.sum() for rule in rules), rel=1e-9)
    components = {each.get("id") for each in root(folder, TYPES).iter("Component")}
    assert {each.get("postComponent") for each in synapses} == components


def test_tonic_currents_and_pulses_are_there(folder, design):
    network = root(folder, NETWORK)
    generators = {each.get("id"): each for each in network.iter(f"{NML}pulseGenerator")}
    assert len(generators) == np.count_nonzero(design.bias()) + 1
    pulse = next(each for name, each in generators.items() if name.endswith("_AVAL"))
    assert (pulse.get("delay"), pulse.get("duration"), pulse.get("amplitude")) == ("50 ms", "200 ms", "0.01 nA")


def test_shapes_have_the_area_and_sections_of_the_simulated_cells(folder, design):
    for name in ("AVAL", "DB4", "AIYL"):
        cell = root(folder, f"{name}.cell.nml").find(f"{NML}cell")
        ends, area = {}, 0.0
        for segment in cell.iter(f"{NML}segment"):
            distal, proximal = segment.find(f"{NML}distal"), segment.find(f"{NML}proximal")
            far = np.array([float(distal.get(key)) for key in ("x", "y", "z", "diameter")])
            if proximal is None:
                near = ends[segment.find(f"{NML}parent").get("segment")]
            else:
                near = np.array([float(proximal.get(key)) for key in ("x", "y", "z", "diameter")])
            ends[segment.get("id")] = far
            slant = math.hypot(np.linalg.norm(far[:3] - near[:3]), (far[3] - near[3]) / 2)
            area += math.pi * (far[3] + near[3]) / 2 * slant
        assert area == pytest.approx(design.cells[name].area, rel=1e-4)
        divisions = [int(each.get("value")) for each in cell.iter(f"{NML}property")]
        assert divisions == [cable.compartments for cable in design.cells[name].cables]


def test_a_place_on_a_section_is_the_same_place_on_its_segment(design):
    geometry = design.cells["DB4"]
    firsts = first_segments(geometry)
    for cable in geometry.cables[1:4]:
        for loc in (0.001, 0.3, 0.77, 0.999):
            segment, along = place(cable, firsts[cable.name], loc)
            a, b = cable.points[segment - firsts[cable.name]], cable.points[segment - firsts[cable.name] + 1]
            assert np.allclose(a[:3] + along * (b[:3] - a[:3]), cable.at(loc), atol=1e-9)


def test_densities_give_the_conductances_of_the_membrane(folder, design):
    name = "AVAL"
    membrane, geometry, p = design.membrane_of(name), design.cells[name], design.parameters
    factor = membrane.scale(geometry.capacitance, p.capacitance_exponent)
    cell = root(folder, f"{name}.cell.nml").find(f"{NML}cell")
    found = {each.get("ionChannel"): each for each in cell.iter(f"{NML}channelDensity")}
    wanted = {channel: value for channel, value in membrane.conductances.items() if value > 0.0}
    assert {re.sub(r"_\d+$", "", channel) for channel in found} == {"leak", *wanted}
    for channel, density in found.items():
        channel = re.sub(r"_\d+$", "", channel)
        area = geometry.area if channel == "leak" else geometry.cables[0].lateral_area()
        total = float(density.get("condDensity").split()[0]) * area * 1e-8 * 1e9
        assert total == pytest.approx((membrane.leak if channel == "leak" else wanted[channel]) * factor, rel=1e-9)


@pytest.mark.slow
def test_a_knocked_out_channel_and_an_ablated_neuron_stay_out(tmp_path):
    write_neuroml(tb.Worm().knock_out("egl-19").ablate("AVA*"), tmp_path)
    assert not [path.name for path in tmp_path.glob("*egl19*")]
    network = root(tmp_path, NETWORK)
    sides = {each.get(side) for each in network.iter() for side in ("presynapticPopulation", "postsynapticPopulation")}
    assert not {"AVAL", "AVAR"} & sides and "AVBL" in sides


def said(text: str, v: float, cai: float = 1e-4, **states: float) -> float:
    """Value of a LEMS formula."""
    names = {"v": v, "cai": cai, "exp": math.exp, "ln": math.log, "sqrt": math.sqrt, **states}
    return eval(text.replace("^", "**"), {"__builtins__": {}}, names)


@pytest.mark.parametrize("name", CHANNELS)
def test_formulas_mean_in_lems_what_they_mean_in_the_engine(name):
    k = kinetics(name, {}, "gbar", {})
    assert set(k.states) == set(k.target) == set(k.tau)
    for v in (-90.0, -41.5, 3.25, 60.0):
        for state in k.states:
            for node in (k.target[state], k.tau[state]):
                exact = float(evaluate(k.graph, node, {"v": v, "cai": 1e-4}))
                assert said(expression(k.graph, node, {}), v) == pytest.approx(exact, rel=1e-10)


def test_a_bk_complex_follows_its_calcium_channel():
    k = kinetics("slo1", {}, "gbar_egl19", {"eca": 60.0})
    assert k.states == ("m_egl19", "h_egl19", "o_egl19")
    half, whole = (said(expression(k.graph, k.target["o_egl19"], {}), 0.0, m_egl19=m) for m in (0.5, 1.0))
    assert whole == pytest.approx(2 * half) and 0.0 < half < 1.0
    # The calcium channel's copy is the calcium channel.
    own = kinetics("egl19", {}, "gbar", {})
    for v in (-60.0, 0.0):
        assert said(expression(k.graph, k.tau["m_egl19"], {}), v) == pytest.approx(
            said(expression(own.graph, own.tau["m"], {}), v)
        )


def test_sigmoids_are_recognised_and_others_are_not():
    shl1, egl19 = kinetics("shl1", {}, "gbar", {}), kinetics("egl19", {"shift": -10.0}, "gbar", {})
    assert sigmoid(shl1.graph, shl1.target["m"]) == (-6.8, 14.1)
    assert sigmoid(egl19.graph, egl19.target["m"]) == (-14.4, 7.5)
    assert sigmoid(egl19.graph, egl19.target["h"]) is None


def test_files_include_what_they_need(folder):
    for path in folder.glob("*.nml"):
        for each in ET.parse(path).getroot().iter(f"{NML}include"):
            assert each.get("href") is None or (folder / each.get("href")).is_file()
    files = {each.get("file") for each in root(folder, SIMULATION).iter("Include")}
    assert {NETWORK, TYPES} <= files


def test_files_are_valid_by_the_schema(folder):
    pytest.importorskip("neuroml")
    from neuroml.utils import is_valid_neuroml2

    some = [NETWORK, "muscle.cell.nml", "AVAL.cell.nml", "DB4.cell.nml", "AIYL.cell.nml"]
    for path in [*(folder / name for name in some), *folder.glob("*.channel.nml")]:
        assert is_valid_neuroml2(str(path)), path.name


@pytest.mark.slow
def test_every_file_passes_the_tests_of_jneuroml(folder):
    said = jneuroml(folder, "-validate", *(path.name for path in sorted(folder.glob("*.nml"))))
    assert "All valid and no warnings" in said


@pytest.mark.slow
def test_a_cell_through_neuroml_has_the_voltage_of_ours(folder, tmp_path):
    name = "RIML"  # carries every kind of gate: with powers, with fractions, bound to calcium channels
    for path in [folder / f"{name}.cell.nml", *folder.glob("*.channel.nml")]:
        shutil.copy(path, tmp_path)
    (tmp_path / "one.net.nml").write_text(ONE.format(name=name), encoding="utf-8")
    (tmp_path / "LEMS_one.xml").write_text(RUN.format(name=name), encoding="utf-8")
    jneuroml(tmp_path, "LEMS_one.xml", "-neuron", "-nogui")
    tools = Path(sys.executable).parent
    own = shutil.which("nrnivmodl", path=f"{tools}{os.pathsep}{os.environ['PATH']}")
    subprocess.run([own], cwd=tmp_path, check=True, capture_output=True, timeout=300)
    subprocess.run([sys.executable, "LEMS_one_nrn.py", "-nogui"], cwd=tmp_path, check=True, capture_output=True)
    time, theirs = np.loadtxt(tmp_path / "one.dat", unpack=True)
    script = Path(__file__).with_name("neuroml_cell.py")
    subprocess.run([sys.executable, script, name, tmp_path / "ours.dat"], check=True, timeout=300)
    ours = np.loadtxt(tmp_path / "ours.dat")
    theirs = np.interp(ours[:, 0], 1e3 * time, 1e3 * theirs)
    settled = ours[:, 0] > 5.0
    assert np.ptp(ours[:, 1]) > 50.0
    difference = np.abs(ours[settled, 1] - theirs[settled])
    assert difference.max() < 0.6 and difference.mean() < 0.05


def jneuroml(folder: Path, *arguments: str) -> str:
    """Run jNeuroML as pyNeuroML brings it."""
    pytest.importorskip("pyneuroml")
    import pyneuroml

    if shutil.which("java") is None:
        pytest.skip("no java")
    jar = next(Path(pyneuroml.__file__).parent.glob("lib/jNeuroML*.jar"))
    command = ["java", "-Xmx1G", "-jar", str(jar), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=400, check=False)
    return done.stdout + done.stderr


ONE = """<neuroml xmlns="http://www.neuroml.org/schema/neuroml2" id="one">
<include href="{name}.cell.nml"/>
<pulseGenerator id="clamp_current" delay="50 ms" duration="100 ms" amplitude="0.01 nA"/>
<network id="net"><population id="pop" component="{name}" type="populationList" size="1">
<instance id="0"><location x="0" y="0" z="0"/></instance></population>
<inputList id="in" population="pop" component="clamp_current">
<input id="0" target="../pop/0/{name}" destination="synapses"/></inputList></network></neuroml>
"""
RUN = """<Lems><Target component="run"/><Include file="Cells.xml"/><Include file="Networks.xml"/>
<Include file="Simulation.xml"/><Include file="one.net.nml"/>
<Simulation id="run" length="200 ms" step="0.025 ms" target="net"><OutputFile id="out" fileName="one.dat">
<OutputColumn id="v" quantity="pop/0/{name}/0/v"/></OutputFile></Simulation></Lems>
"""
