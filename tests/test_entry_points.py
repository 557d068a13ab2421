"""Every public call refuses what it cannot do, in one sentence of ours, and leaves its object as it was."""

from __future__ import annotations

import math

import numpy as np
import pytest
from synthetic import recording

import tianbao as tb
from tianbao.electrophysiology.protocols import Epoch, Protocol

NAN, INF = math.nan, math.inf
HUGE = 10**400
# What is no number, and what is no number that anything here could be.
NO_NUMBER = ("a", "1", None, [1.0], (), {}, b"1", True, 1j, object(), np.zeros(2), NAN, INF, -INF, HUGE, 1e300)
NO_NAME = ("", "QQQ", 5, 5.0, None, [], ["AVAL", 5], ["QQQ"], {}, b"AVAL", "AVAl ", "x" * 10_000, "A\0", "AVAL\n", NAN,
           object(), "AVB", "\ud800")  # fmt: skip
NO_PATH = (None, 5, 5.0, [], {}, object(), "", "a\0b", "/", "/proc/tianbao/x", "x" * 5000)


def refuses(call, kind=tb.TianbaoError):
    """That a call raises one of our errors, whose text is one short sentence."""
    with pytest.raises(kind) as caught:
        call()
    text = str(caught.value)
    assert text and "\n" not in text and len(text) < 6000, text


@pytest.fixture(scope="module")
def run():
    return recording(duration=4000.0)


@pytest.fixture(scope="module")
def simulation():
    return tb.Simulation(tb.Worm(), progress=False)


def shorten(value):
    return f"{type(value).__name__} {value!r:.30}"


# Public constructors and functions whose single argument is replaced by what it cannot be; the others are good.
NUMBERS = {
    "Worm heading": lambda x: tb.Worm(heading=x),
    "Worm at": lambda x: tb.Worm(at=(0.0, x, 0.0)),
    "Arena gravity": lambda x: tb.Arena(gravity=x),
    "Arena temperature": lambda x: tb.Arena(temperature=x),
    "Medium drag_normal": lambda x: tb.Medium("mine", x, 1.0),
    "Medium drag_tangential": lambda x: tb.Medium("mine", 1.0, x),
    "Medium surface_stiffness": lambda x: tb.Medium("mine", 1.0, 1.0, surface_stiffness=x),
    "Medium density": lambda x: tb.Medium("mine", 1.0, 1.0, density=x),
    "Medium viscosity": lambda x: tb.Medium("mine", 1.0, 1.0, viscosity=x),
    "Medium.newtonian": tb.Medium.newtonian,
    "Medium.ellipsoid": tb.Medium.ellipsoid,
    "Medium.ellipsoid length": lambda x: tb.Medium.ellipsoid(0.1, length=x),
    "Medium.ellipsoid radius": lambda x: tb.Medium.ellipsoid(0.1, radius=x),
    "Medium.between share": lambda x: tb.Medium.between("water", "agar", x),
    "Material bending_stiffness_n_m2": lambda x: tb.Material(bending_stiffness_n_m2=x),
    "Material axial_stiffness_n": lambda x: tb.Material(axial_stiffness_n=x),
    "Material bulk_ratio": lambda x: tb.Material(bulk_ratio=x),
    "Material internal_viscosity_time": lambda x: tb.Material(internal_viscosity_time=x),
    "Material taper_exponent": lambda x: tb.Material(taper_exponent=x),
    "Pillar x": lambda x: tb.Pillar(x, 0.0, 0.1),
    "Pillar radius": lambda x: tb.Pillar(0.0, 0.0, x),
    "Pillar friction": lambda x: tb.Pillar(0.0, 0.0, 0.1, x),
    "Dish radius": tb.Dish,
    "Dish centre": lambda x: tb.Dish(1.0, (x, 0.0)),
    "Plane point": lambda x: tb.Plane((0.0, 0.0, x), (0.0, 0.0, 1.0)),
    "Plane normal": lambda x: tb.Plane((0.0, 0.0, 0.0), (0.0, x, 1.0)),
    "Plane friction": lambda x: tb.Plane((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), x),
    "SignedDistance friction": lambda x: tb.SignedDistance(len, x),
    "pillar_array radius": lambda x: tb.pillar_array(x, 1.0, (2.0, 2.0)),
    "pillar_array pitch": lambda x: tb.pillar_array(0.1, x, (2.0, 2.0)),
    "pillar_array extent": lambda x: tb.pillar_array(0.1, 1.0, (x, 2.0)),
    "pillar_array centre": lambda x: tb.pillar_array(0.1, 1.0, (2.0, 2.0), centre=(x, 0.0)),
    "Clock dt": lambda x: tb.Clock(dt=x),
    "Clock tick": lambda x: tb.Clock(tick=x),
    "Clock frame": lambda x: tb.Clock(frame=x),
    "Clock order": lambda x: tb.Clock(order=x),
    "Clock corrections": lambda x: tb.Clock(corrections=x),
    "Pulse amplitude": lambda x: tb.Pulse(x, 0.0, 1.0),
    "Pulse start": lambda x: tb.Pulse(0.01, x, 1.0),
    "Checkpoints every": lambda x: tb.Checkpoints("a", x),
    "Parameters.replace": lambda x: tb.Worm().parameters.replace(gap_gain=x),
    "clamp voltage": lambda x: tb.Worm().clamp("AVAL", voltage=x),
    "clamp start": lambda x: tb.Worm().clamp("AVAL", voltage=-20.0, start=x),
    "silence start": lambda x: tb.Worm().silence("AVAL", start=x),
    "illuminate start": lambda x: tb.Worm().illuminate("AVAL", start=x),
    "hold curvature": lambda x: tb.Worm().hold(x),
    "hold front": lambda x: tb.Worm().hold(0.0, front=x),
    "hold back": lambda x: tb.Worm().hold(0.0, back=x),
    "hold start": lambda x: tb.Worm().hold(0.0, start=x),
    "touch front": lambda x: tb.Worm().touch((x, 1.0)),
    "touch start": lambda x: tb.Worm().touch(0.0, start=x),
    "tap start": lambda x: tb.Worm().tap(x),
    "knock_down remaining": lambda x: tb.Worm().knock_down("unc-2", x),
    "over_express factor": lambda x: tb.Worm().over_express("unc-2", x),
    "scale_synapses factor": lambda x: tb.Worm().scale_synapses("AVAL", "VA*", x),
    "scale_gap_junctions factor": lambda x: tb.Worm().scale_gap_junctions("AVB*", "VB*", x),
    "shuffle seed": lambda x: tb.Worm().shuffle("nmj_across", x),
    "current_steps delay": lambda x: tb.current_steps([1.0], delay=x),
    "current_steps duration": lambda x: tb.current_steps([1.0], duration=x),
    "current_steps level": lambda x: tb.current_steps([x, 1.0]),
    "current_pulses duration": lambda x: tb.current_pulses([1.0], duration=x),
    "current_pulses pause": lambda x: tb.current_pulses([1.0], pause=x),
    "voltage_steps hold": lambda x: tb.voltage_steps([1.0], hold=x),
    "voltage_steps after": lambda x: tb.voltage_steps([1.0], after=x),
    "voltage_steps level": lambda x: tb.voltage_steps([x]),
    "Epoch in a Protocol": lambda x: Protocol("current", (Epoch(1.0, (0.0,)), Epoch(x, (0.0,)))),
}
# None stands for a default there, infinity for no end.
OPTIONAL = {
    "touch indentation": lambda x: tb.Worm().touch(0.0, indentation=x),
    "tap indentation": lambda x: tb.Worm().tap(0.0, indentation=x),
    "silence conductance": lambda x: tb.Worm().silence("AVAL", conductance=x),
    "illuminate conductance": lambda x: tb.Worm().illuminate("AVAL", conductance=x),
    "Simulation seed": lambda x: tb.Simulation(tb.Worm(), seed=x),
    "Simulation slabs": lambda x: tb.Simulation(tb.Worm(), slabs=x),
    "Simulation initial_curvature": lambda x: tb.Simulation(tb.Worm(), initial_curvature=x),
}
ENDS = {
    "Pulse stop": lambda x: tb.Pulse(0.01, 0.0, x),
    "clamp stop": lambda x: tb.Worm().clamp("AVAL", voltage=-20.0, stop=x),
    "silence stop": lambda x: tb.Worm().silence("AVAL", stop=x),
    "hold stop": lambda x: tb.Worm().hold(0.0, stop=x),
    "touch stop": lambda x: tb.Worm().touch(0.0, stop=x),
    "illuminate stop": lambda x: tb.Worm().illuminate("AVAL", stop=x),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_no_possible_number_is_refused(name):
    for value in NO_NUMBER:
        refuses(lambda value=value: NUMBERS[name](value))


@pytest.mark.parametrize("name", OPTIONAL)
def test_what_is_no_possible_number_for_an_option_is_refused(name):
    for value in NO_NUMBER:
        if value is not None or name.startswith("Simulation"):
            refuses(lambda value=value: OPTIONAL[name](value))


@pytest.mark.parametrize("name", ENDS)
def test_an_end_is_a_number_or_infinity(name):
    for value in NO_NUMBER:
        if not (isinstance(value, float) and value > 1.0):
            refuses(lambda value=value: ENDS[name](value))


_MEDIUM = ("drag_normal", "drag_tangential", "surface_stiffness", "density", "viscosity")
NEGATIVE = [*(f"Medium {name}" for name in _MEDIUM), "Pillar radius",
            "Medium.newtonian", "Medium.between share", "Material axial_stiffness_n", "Material bulk_ratio",
            "Material taper_exponent", "Pillar friction", "Dish radius", "Plane friction", "pillar_array radius",
            "pillar_array pitch", "Clock dt", "Clock tick", "Clock frame", "Clock corrections", "Pulse start",
            "Checkpoints every", "Parameters.replace", "clamp start", "silence start", "illuminate start",
            "hold front", "hold start", "knock_down remaining", "over_express factor", "scale_synapses factor",
            "scale_gap_junctions factor",
            "shuffle seed", "current_steps delay", "current_steps duration", "current_pulses pause",
            "voltage_steps after"]  # fmt: skip


@pytest.mark.parametrize("name", NEGATIVE)
def test_a_negative_value_is_refused(name):
    for value in (-1, -1e-9, -1e9):
        refuses(lambda value=value: NUMBERS[name](value))


NAMES = {
    "Worm.ablate": lambda x: tb.Worm().ablate(x),
    "Worm.silence": lambda x: tb.Worm().silence(x),
    "Worm.illuminate": lambda x: tb.Worm().illuminate(x),
    "Worm.illuminate channel": lambda x: tb.Worm().illuminate("AVAL", channel=x),
    "Worm.clamp": lambda x: tb.Worm().clamp(x, voltage=-20.0),
    "Worm.stimulate": lambda x: tb.Worm().stimulate(x, tb.Pulse(0.01, 0.0, 1.0)),
    "Worm.knock_out": lambda x: tb.Worm().knock_out(x),
    "Worm.knock_out cells": lambda x: tb.Worm().knock_out("unc-2", cells=x),
    "Worm.knock_down": lambda x: tb.Worm().knock_down(x, 0.5),
    "Worm.knock_down cells": lambda x: tb.Worm().knock_down("unc-2", 0.5, x),
    "Worm.over_express": lambda x: tb.Worm().over_express(x, 2.0),
    "Worm.cut_synapses pre": lambda x: tb.Worm().cut_synapses(x, "*"),
    "Worm.cut_synapses post": lambda x: tb.Worm().cut_synapses("*", x),
    "Worm.scale_synapses": lambda x: tb.Worm().scale_synapses(x, "*", 0.5),
    "Worm.cut_gap_junctions": lambda x: tb.Worm().cut_gap_junctions(x, "*"),
    "Worm.scale_gap_junctions": lambda x: tb.Worm().scale_gap_junctions("*", x, 0.5),
    "Worm.silence_stretch_receptors": lambda x: tb.Worm().silence_stretch_receptors(x),
    "Worm.shuffle": lambda x: tb.Worm().shuffle(x, 1),
    "Worm channel_set": lambda x: tb.Worm(channel_set=x),
    "Worm signs": lambda x: tb.Worm(signs=x),
    "Worm discretisation": lambda x: tb.Worm(discretisation=x),
    "Worm soma_compartments": lambda x: tb.Worm(soma_compartments=x),
    "Worm connectome": lambda x: tb.Worm(connectome=x),
    "Arena": tb.Arena,
    "Medium.named": tb.Medium.named,
    "Medium.between thin": lambda x: tb.Medium.between(x, "agar", 0.5),
    "Simulation engine": lambda x: tb.Simulation(tb.Worm(), engine=x),
    "pillar_array lattice": lambda x: tb.pillar_array(0.1, 1.0, (2.0, 2.0), lattice=x),
    "sources": tb.sources,
    "PatchedCell.of_neuron": tb.PatchedCell.of_neuron,
    "PatchedCell.of_published": tb.PatchedCell.of_published,
    "PatchedCell.of_neuron worm": lambda x: tb.PatchedCell.of_neuron("AVAL", x or "none"),
    "PatchedCell.of_template": tb.PatchedCell.of_template,
    "PatchedCell.of_template membrane": lambda x: tb.PatchedCell.of_template("AVAL", x or "none"),
    "PatchedCell.of_template channel_set": lambda x: tb.PatchedCell.of_template("AVAL", channel_set=x),
    "PatchedCell.of_template discretisation": lambda x: tb.PatchedCell.of_template("AVAL", discretisation=x),
    "Protocol mode": lambda x: Protocol(x, (Epoch(1.0, (0.0,)),), measured=0),
}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_known_name_is_refused(name):
    for value in NO_NAME:
        refuses(lambda value=value: NAMES[name](value))


OBJECTS = {
    "Worm at": lambda x: tb.Worm(at=x),
    "Worm parameters": lambda x: tb.Worm(parameters=x),
    "Arena obstacles": lambda x: tb.Arena(obstacles=x),
    "Arena an obstacle": lambda x: tb.Arena(obstacles=[x]),
    "Arena flow": lambda x: tb.Arena(flow=x),
    "Arena resolved": lambda x: tb.Arena(resolved=x),
    "Plane normal": lambda x: tb.Plane((0.0, 0.0, 0.0), x),
    "SignedDistance": tb.SignedDistance,
    "Simulation worm": tb.Simulation,
    "Simulation arena": lambda x: tb.Simulation(tb.Worm(), x),
    "Simulation clock": lambda x: tb.Simulation(tb.Worm(), clock=x),
    "Simulation material": lambda x: tb.Simulation(tb.Worm(), material=x),
    "Worm.stimulate pulse": lambda x: tb.Worm().stimulate("AVAL", x),
    "current_steps": tb.current_steps,
    "current_pulses": tb.current_pulses,
    "Protocol epochs": lambda x: Protocol("current", x),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_of_the_wrong_kind_is_refused(name):
    optional = name in ("Worm parameters", "Arena flow", "Simulation arena", "Simulation clock", "Simulation material")
    wrong = ("text", 0, 5, {}, [1], [None], object(), {"a": 1}, b"", 1.5, ["a", "b", "c"], (1, 2))
    for value in (*wrong, *([] if optional else [None])):
        if name in ("current_steps", "current_pulses") and value in (0, 5, 1.5, [1], (1, 2), b""):
            continue
        refuses(lambda value=value: OBJECTS[name](value))


def test_a_patched_cell_refuses_what_cannot_be_done():
    cell = tb.PatchedCell.of_published("RMD")
    steps = tb.current_steps([5.0], delay=10.0, duration=20.0, after=10.0)
    for value in NO_NUMBER:
        refuses(lambda value=value: cell.run(steps, dt=value), tb.ConfigError)
        refuses(lambda value=value: cell.rest(dt=value), tb.ConfigError)
        refuses(lambda value=value: tb.PatchedCell.of_published("RMD", celsius=value), tb.ConfigError)
        refuses(lambda value=value: cell.input_resistance(step=value), tb.ConfigError)
    for dt in (0, -1.0, 11.0):
        refuses(lambda dt=dt: cell.run(steps, dt=dt), tb.ConfigError)
    refuses(lambda: cell.input_resistance(step=0), tb.ConfigError)
    for value in (None, 5, "current", [], {}, steps.epochs, object()):
        refuses(lambda value=value: cell.run(value), tb.ConfigError)
    for genes in (5, None, [5], [None], "unc-99", ["egl-19", "unc-99"], {"a": 1}):
        refuses(lambda genes=genes: tb.PatchedCell.of_neuron("AVAL", knock_out=genes), tb.ConfigError)
        refuses(lambda genes=genes: tb.PatchedCell.of_published("RMD", knock_out=genes), tb.ConfigError)
    refuses(lambda: cell.run(tb.current_steps([5.0], duration=1e9), dt=1e-3), tb.ConfigError)


def test_calls_without_what_they_need_are_refused():
    worm = tb.Worm()
    for verb in (worm.ablate, worm.silence, worm.illuminate, worm.knock_out):
        refuses(verb)
    refuses(lambda: tb.Medium())
    refuses(lambda: tb.current_steps([]))
    refuses(lambda: Protocol("current", ()))
    refuses(lambda: Protocol("current", (Epoch(1.0, ()),), measured=0))
    refuses(lambda: tb.Worm().parameters.replace(gap_gian=1.0), tb.ConfigError)
    for values in (None, 5, "a", [], {}, {"gap_gain": 0.1}, {**tb.Worm().parameters, "gap_gain": "a"}):
        refuses(lambda values=values: tb.Parameters(values), tb.ConfigError)
    refuses(lambda: tb.Worm().parameters.gap_gian)
    refuses(lambda: setattr(worm.parameters, "gap_gain", 1.0), tb.ConfigError)


def test_a_refused_verb_leaves_the_worm_as_it_was():
    worm = tb.Worm()
    before = worm.model()
    for act in (
        lambda: worm.knock_out("unc-2", "unc-99"),
        lambda: worm.knock_out("unc-2", cells="QQQ"),
        lambda: worm.ablate("AVAL", "QQQ"),
        lambda: worm.silence("AVA*", conductance=-1.0),
        lambda: worm.clamp("AVA*", voltage=NAN),
        lambda: worm.scale_synapses("AVAL", "*", NAN),
        lambda: worm.knock_down("unc-2", 2.0),
        lambda: worm.stimulate("AVAL", 5),
        lambda: worm.hold(NAN),
        lambda: worm.shuffle("nmj_across", -1),
    ):
        refuses(act)
    assert worm.model() is before and worm.interventions == worm.pulses == worm.holds == ()
    fresh = tb.Worm().model().effects
    assert before.effects.membranes == fresh.membranes and before.effects.silenced == fresh.silenced == frozenset()
    for name in ("chemical", "gap", "nmj"):
        assert getattr(before.effects.tables, name).equals(getattr(fresh.tables, name))


def test_a_run_that_cannot_start_is_refused_before_the_network_is_built(simulation):
    for duration in NO_NUMBER:
        refuses(lambda duration=duration: simulation.run(duration), tb.ConfigError)
    for duration in (0, -1, 19.9, 1e15):
        refuses(lambda duration=duration: simulation.run(duration), tb.ConfigError)
    inside = tb.Simulation(tb.Worm(), tb.Arena(obstacles=[tb.Pillar(0.0, 0.0, 0.3)]), progress=False)
    refuses(lambda: inside.run(100.0), tb.ConfigError)
    assert not simulation.loop.animals and not inside.loop.animals


def test_what_cannot_be_recorded_or_tuned_is_refused_and_changes_nothing(simulation):
    simulation.record(voltage=["AVAL"])
    clock, parameters = simulation.clock, simulation.worm.parameters
    for names in ("AVAL", 5, ["QQQ"], [5], ["AVAL", None], [[]]):
        refuses(lambda names=names: simulation.record(voltage=names))
    for every in (0, -20.0, NAN, INF, "20", 21.0, True, 1e300, HUGE):
        refuses(lambda every=every: simulation.record(voltage=["AVBL"], every=every), tb.ConfigError)
    for wrong in (None, {}, {"gap_gain": 0.1}, 5, "crawl"):
        refuses(lambda wrong=wrong: simulation.retune(wrong), tb.ConfigError)
    assert simulation.recorded == ("AVAL",) and simulation.clock == clock and simulation.worm.parameters is parameters


def test_a_recording_refuses_worms_it_does_not_have(run):
    for worm in (1, -1, 5.0, "0", None, NAN, True, 10**30, [0]):
        for call in (run.track, run.gait, run.frame):
            refuses(lambda worm=worm, call=call: call(worm), tb.ConfigError)


def test_pictures_and_files_that_cannot_be_are_refused(run, tmp_path):
    for path in NO_PATH:
        refuses(lambda path=path: run.save(path), tb.OutputError)
        refuses(lambda path=path: run.video(path, progress=False))
        if path is not None:
            refuses(lambda path=path: run.plot.curvature(path))
    refuses(lambda: run.save(tmp_path), tb.OutputError)
    refuses(lambda: run.plot.traces(tmp_path / "a.png", neurons=["QQQ"]), tb.ConfigError)
    refuses(lambda: run.plot.traces(tmp_path / "a.png", neurons=[5]), tb.ConfigError)
    refuses(lambda: run.plot.traces(tmp_path / "a.png", neurons="QQQ"), tb.ConfigError)
    refuses(lambda: run.plot.raster(tmp_path / "a.png", unit="volt"), tb.ConfigError)
    refuses(lambda: run.plot.activity(tmp_path / "a.png", times=["late"]), tb.ConfigError)
    refuses(lambda: run.plot.activity(tmp_path / "a.png", times=[NAN]), tb.ConfigError)
    refuses(lambda: run.plot.curvature(tmp_path / "a.xyz"), tb.ConfigError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("opener", ["open", "read_kymograph", "resume", "Checkpoints"])
def test_what_is_no_file_of_ours_is_not_opened(opener, tmp_path):
    (tmp_path / "file").write_bytes(b"\0" * 100)
    calls = {
        "open": tb.open, "read_kymograph": tb.read_kymograph, "resume": tb.resume,
        "Checkpoints": lambda path: tb.Checkpoints(path).read(),
    }  # fmt: skip
    for path in (*NO_PATH, tmp_path / "absent", tmp_path / "file", tmp_path, b"bytes"):
        refuses(lambda path=path: calls[opener](path))


def test_a_recording_that_does_not_fit_together_is_not_saved(run, tmp_path):
    from dataclasses import replace

    track = run.worms[0]
    wrong = [
        *(replace(run, time=time) for time in (run.time[:-1], run.time[::-1], None)), replace(run, worms=()),
        *(replace(run, worms=(replace(track, **change),)) for change in (
            {"midline": track.midline[:-1]}, {"midline": track.midline[..., :2]}, {"midline": None},
            {"midline": track.midline * NAN}, {"muscles": track.muscles[1:]}, {"neurons": ()}, {"voltage": None},
            {"voltage_time": track.voltage_time[1:]}, {"dorsal": track.midline[1:]},
        )),
    ]  # fmt: skip
    for each in wrong:
        refuses(lambda each=each: each.save(tmp_path / "results.h5"), tb.OutputError)
    assert list(tmp_path.iterdir()) == []
