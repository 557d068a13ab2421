"""What an experimenter does to the worm reaches the cells it names, is written down, and can be read back."""

from __future__ import annotations

import inspect
import tomllib

import numpy as np
import pytest

import tianbao as tb
from tianbao import anatomy
from tianbao.cells.temperature import rate_factor
from tianbao.config import RunConfig
from tianbao.errors import AnatomyError, ConfigError
from tianbao.experiment import resolved, worm_of
from tianbao.interventions import VERBS, apply, parse_command, to_command
from tianbao.network.wiring import chemical_weights, gap_weights, nmj_weights
from tianbao.worm import Worm

POSITIONS = np.linspace(0.02, 0.98, 47)


def design(worm):
    return worm.design(POSITIONS)


def chemical(worm, pre, post):
    """Total conductance [nS] of the synapses between two groups of neurons."""
    made = design(worm)
    table = made.tables.chemical
    chosen = table.pre.isin(anatomy.match_neurons(pre)) & table.post.isin(anatomy.match_neurons(post))
    return 1e3 * chemical_weights(table, made.capacitance, made.parameters, made.decision)[chosen.to_numpy()].sum()


def junctional(worm, pre):
    made = design(worm)
    tables = made.tables
    weights = nmj_weights(tables.nmj, tables.intact_nmj, made.muscles, made.muscle_membrane.leak, made.parameters)
    return weights[tables.nmj.pre.isin(anatomy.match_neurons(pre)).to_numpy()].sum()


def gaps(worm, a):
    made = design(worm)
    chosen = made.tables.gap.a.isin(anatomy.match_neurons(a)) | made.tables.gap.b.isin(anatomy.match_neurons(a))
    weights = gap_weights(made.tables.gap, made.tables.gap_totals, made.capacitance, made.parameters)
    return weights[chosen.to_numpy()].sum()


def test_every_verb_is_a_method_and_every_method_that_changes_the_worm_a_verb():
    methods = {
        name
        for name, member in inspect.getmembers(Worm, inspect.isfunction)
        if not name.startswith("_") and inspect.signature(member).return_annotation == "Worm"
    }
    assert methods == set(VERBS)


def test_scaled_synapses_have_the_factor_and_no_others_do():
    intact, changed = Worm(), Worm().scale_synapses("AVB*", "VB*", 2.5)
    assert chemical(changed, "AVB*", "VB*") == pytest.approx(2.5 * chemical(intact, "AVB*", "VB*"))
    assert chemical(changed, "*", "*") - chemical(intact, "*", "*") == pytest.approx(
        1.5 * chemical(intact, "AVB*", "VB*")
    )


def test_synapses_onto_muscles_can_be_cut_by_name():
    changed = Worm().cut_synapses("DD*", "MV*")
    assert 0.0 < junctional(changed, "DD*") < junctional(Worm(), "DD*")
    assert junctional(Worm().cut_synapses("DD*", "M*"), "DD*") == 0.0
    assert junctional(changed, "VD*") == junctional(Worm(), "VD*")


def test_gap_junctions_are_scaled_beyond_the_limit_on_counts():
    assert gaps(Worm().scale_gap_junctions("AVA*", "*", 3.0), "AVA*") == pytest.approx(3.0 * gaps(Worm(), "AVA*"))


def test_a_worm_without_unc_25_has_no_synapse_of_a_gaba_neuron_and_keeps_the_others():
    mutant = Worm().knock_out("unc-25")
    assert junctional(mutant, "DD*") == junctional(mutant, "VD*") == 0.0
    assert junctional(mutant, "DB*") == junctional(Worm(), "DB*")
    assert gaps(mutant, "DD*") == gaps(Worm(), "DD*")
    assert chemical(Worm().knock_out("unc-13"), "*", "*") == 0.0


def test_a_gene_can_be_changed_in_some_cells_only():
    intact = design(Worm())
    less = design(Worm().knock_down("egl-19", 0.4, "VB*"))
    more = design(Worm().over_express("egl19", 2.0, "VB*"))
    for made, factor in ((less, 0.4), (more, 2.0)):
        assert made.membranes["VB3"].conductances["egl19"] == pytest.approx(
            factor * intact.membranes["VB3"].conductances["egl19"]
        )
        assert made.membranes["DB3"] == intact.membranes["DB3"]
    gone = design(Worm().knock_out("egl-19", cells="VB*"))
    assert "egl19" not in gone.membranes["VB3"].conductances and "egl19" in gone.membranes["DB3"].conductances


def test_avb_loses_its_nca_with_the_gene():
    before, after = (design(each).membrane_of("AVBL").axonal_nca for each in (Worm(), Worm().knock_down("nca", 0.5)))
    assert after == pytest.approx(0.5 * before)


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        (lambda worm: worm.knock_out("egl-91"), "did you mean 'egl"),
        (lambda worm: worm.knock_out(), "name a gene"),
        (lambda worm: worm.knock_down("egl-19", 1.5), "0 to below 1"),
        (lambda worm: worm.over_express("egl-19", 0.5), "above 1"),
        (lambda worm: worm.over_express("kvs1", 2.0, "AVAL"), "nothing to change"),
        (lambda worm: worm.scale_synapses("AVB*", "VB*", -1.0), "negative"),
        (lambda worm: worm.scale_synapses("DD1", "DD6", 2.0), "nothing to change"),
        (lambda worm: worm.silence("AVA*", start=5.0, stop=1.0), "start < stop"),
        (lambda worm: worm.clamp("AVAL", voltage=float("nan")), "number"),
        (lambda worm: worm.clamp("AVAL", voltage=-70e3), "mV"),
        (lambda worm: worm.illuminate("AVAL", channel="chr"), "unknown 'chr'; there are 'cation' .excites"),
        (lambda worm: worm.stimulate("AVAL", 3.0), "Pulse"),
        (lambda worm: worm.hold(600.0), "outside -20 to 20 kappa L"),
        (lambda worm: worm.hold(6.0, 0.55, 0.35), "posterior to the front"),
        (lambda worm: worm.hold(6.0, 0.5, 1.5), "outside 0 to 1 L"),
        (lambda worm: worm.hold(6.0, start=5.0, stop=5.0), "start < stop"),
        (lambda worm: worm.hold(float("nan")), "number"),
        (lambda worm: worm.ablate("AVAl"), "did you mean 'AVAL'"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(said, wrong):
    worm = Worm()
    with pytest.raises((ConfigError, AnatomyError), match=wrong):
        said(worm)
    assert worm.interventions == ()


TABLES = [
    {"verb": "shuffle", "what": "gap_partners", "seed": 3},
    {"verb": "ablate", "neurons": ["AVA*", "AVDL"]},
    {"verb": "silence", "neurons": ["RIML"], "start": 20.0, "stop": 40.0},
    {"verb": "illuminate", "neurons": ["DB4"], "channel": "chloride", "start": 20.0, "conductance": 3.0},
    {"verb": "clamp", "neurons": ["VB5"], "voltage": -20.0, "start": 20.0},
    {"verb": "stimulate", "neuron": "DB3", "amplitude": 0.01, "start": 20.0, "stop": 40.0},
    {"verb": "hold", "curvature": -6.0, "front": 0.4, "back": 0.6, "start": 20.0, "stop": 40.0},
    {"verb": "touch", "at": [0.1, 0.3], "start": 20.0, "stop": 40.0, "indentation": 4.0, "side": "dorsal"},
    {"verb": "tap", "start": 20.0, "stop": 60.0},
    {"verb": "knock_out", "genes": ["unc-2", "unc-25"], "cells": "V*"},
    {"verb": "knock_down", "gene": "egl-19", "remaining": 0.5, "cells": "VB*"},
    {"verb": "over_express", "gene": "egl-36", "factor": 2.0},
    {"verb": "cut_synapses", "pre": "DD*", "post": "MV*"},
    {"verb": "scale_gap_junctions", "a": "AVB*", "b": "VB*", "factor": 0.5},
    {"verb": "silence_stretch_receptors", "neurons": ["DB*"]},
]


def test_a_configuration_repeats_everything_that_was_done():
    config = RunConfig().updated({"interventions": TABLES})
    worm = worm_of(config)
    again = worm_of(RunConfig().updated(tomllib.loads(resolved(config).to_toml())))
    assert again.interventions == worm.interventions
    one, two = design(worm), design(again)
    assert one.membranes == two.membranes and one.conductances == two.conductances and one.silenced == two.silenced
    assert one.tables.gap.equals(two.tables.gap) and one.tables.chemical.equals(two.tables.chemical)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table["verb"])
def test_words_say_what_a_table_says(table):
    worm, other = apply(Worm(), table), apply(Worm(), parse_command(to_command(table)))
    assert worm.interventions == other.interventions


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        ({"verb": "abalte", "neurons": ["AVAL"]}, "did you mean 'ablate'"),
        ({"neurons": ["AVAL"]}, "no key .verb."),
        ({"verb": "ablate", "neuron": ["AVAL"]}, "did you mean 'neurons'"),
        ({"verb": "ablate", "neurons": [1]}, "takes names"),
        ({"verb": "clamp", "neurons": ["AVAL"]}, "needs 'voltage'"),
        ({"verb": "clamp", "neurons": ["AVAL"], "voltage": "high"}, "must be a number"),
        ({"verb": "stimulate", "neuron": "AVAL", "amplitude": 1.0, "start": 0.0}, "needs 'stop'"),
        ({"verb": "shuffle", "what": "gap_partners", "seed": 1.5}, "whole number"),
        ({"verb": "design"}, "unknown intervention"),
    ],
)
def test_a_table_that_says_nothing_possible_is_refused(table, wrong):
    with pytest.raises(ConfigError, match=wrong):
        apply(Worm(), table)


@pytest.fixture(scope="module")
def driven():
    """One worm under every tool, on both engines: voltages [mV] before, during and after 40 to 80 ms."""
    kept = {}
    for engine in ("native", "neuron"):
        worm = Worm().silence("DB4", start=40.0, stop=80.0).illuminate("VB6", start=40.0, stop=80.0)
        worm.clamp("RIML", voltage=-25.0, start=40.0, stop=80.0)
        made = tb.Simulation(worm, engine=engine, clock=tb.Clock(frame=4.0), progress=False)
        kept[engine] = made.record(voltage=["DB4", "VB6", "RIML"]).run(160.0).worms[0]
    return kept


def test_tools_act_while_they_are_on_and_only_then(driven):
    track = driven["native"]
    at = dict(zip(track.neurons, track.voltage.T, strict=True))
    time = track.voltage_time
    during, before = (time > 60.0) & (time <= 80.0), time <= 40.0
    assert at["DB4"][during].max() < -65.0 < at["DB4"][before].min()
    assert at["VB6"][during].min() > at["VB6"][before].max() + 15.0
    assert np.abs(at["RIML"][during] + 25.0).max() < 0.1
    assert np.abs(at["RIML"][time > 90.0] + 25.0).min() > 1.0


def test_both_engines_switch_at_the_same_moment(driven):
    assert np.abs(driven["native"].voltage - driven["neuron"].voltage).max() < 1e-6


def test_warmth_quickens_gates_by_the_declared_factor():
    assert rate_factor(20.0) == 1.0 and rate_factor(30.0) == pytest.approx(3.0)
    with pytest.raises(ConfigError, match="degC"):
        rate_factor(293.0)

    made = tb.Simulation(Worm(), tb.Arena(temperature=25.0), engine="native", progress=False).record(voltage=["VB*"])
    warm = made.run(60.0).worms[0].voltage
    cool = tb.Simulation(Worm(), tb.Arena(temperature=20.0), engine="native", progress=False).record(voltage=["VB*"])
    assert np.abs(warm - cool.run(60.0).worms[0].voltage).max() > 0.5
    twin = tb.Simulation(Worm(), tb.Arena(temperature=25.0), progress=False).record(voltage=["VB*"])
    assert np.abs(warm - twin.run(60.0).worms[0].voltage).max() < 1e-6


def test_knock_outs_of_release_add_up_in_any_order():
    for genes in (("unc-13", "unc-25"), ("unc-25", "unc-13"), ("unc-25", "unc-25")):
        worm = Worm().knock_out(*genes)
        assert junctional(worm, "DD*") == 0.0 and len(worm.interventions) == 1


def test_scaled_connections_are_not_shuffled():
    with pytest.raises(ConfigError, match="shuffle first"):
        Worm().knock_down("unc-25", 0.5).shuffle("nmj_across", 1)
    assert Worm().knock_down("unc-25", 0.5).shuffle("gap_partners", 1)


@pytest.mark.parametrize(
    ("curvature", "medium"), [(6.0, "agar"), (0.0, "agar"), pytest.param(-6.0, "water", marks=pytest.mark.slow)]
)
def test_a_part_that_is_held_takes_the_bend_of_its_walls_and_is_let_go(curvature, medium):
    from tianbao.behaviour.midline import curvature as bend_of
    from tianbao.behaviour.midline import curvature_positions

    worm = Worm().hold(curvature, start=500.0, stop=3000.0)
    run = tb.Simulation(worm, tb.Arena(medium), engine="native", progress=False).run(9500.0)
    bend, s = bend_of(run.track().midline, 49, run.track().dorsal), curvature_positions(49)
    inside = (s > 0.38) & (s < 0.52)
    held, free = (run.time > 1500.0) & (run.time < 3000.0), run.time > 7500.0
    # Walls have some give, as those of silicone do; muscles beside them still pull. The worm needs up to four seconds
    # to move on as before.
    assert np.abs(bend[held][:, inside].mean(axis=1) - curvature).max() < 2.0
    assert bend[held][:, inside].std(axis=0).max() < 0.5 * bend[free][:, inside].std(axis=0).min()


def test_two_walls_cannot_hold_one_part_at_once():
    worm = Worm().hold(6.0, 0.3, 0.5, stop=100.0)
    with pytest.raises(ConfigError, match="at the same time"):
        worm.hold(-6.0, 0.4, 0.6, start=50.0)
    worm.hold(-6.0, 0.4, 0.6, start=100.0).hold(0.0, 0.6, 0.8)
    assert len(worm.holds) == len(worm.interventions) == 3


def test_holding_calls_for_no_new_network_and_is_repeated_from_the_configuration():
    worm = Worm().hold(6.0, start=20.0)
    assert worm.anatomy_changes == () and not Worm().holds
    config = resolved(RunConfig().updated({"interventions": worm.interventions}))
    assert worm_of(config).holds == worm.holds


def test_backing_up_and_bending_the_head_are_kept_as_interventions():
    from tianbao.commands import back_up, bend_head_to_ventral

    worm = bend_head_to_ventral(back_up(tb.Worm(), 100.0, 200.0), 200.0, 300.0)
    opened = [each for each in worm.interventions if each["verb"] == "illuminate"]
    assert [(each["neurons"], each["channel"]) for each in opened] == [
        (["AVA*"], "cation"), (["AVB*"], "chloride"), (["SMD*", "RMD*"], "chloride"),
    ]  # fmt: skip
    assert all((each["start"], each["stop"]) == (100.0, 200.0) for each in opened)
    bent = {name: pulse.amplitude for name, pulse in worm.pulses}
    assert bent["SMDVL"] == bent["RIVR"] == 0.02 and bent["SMDDL"] == bent["RMDDR"] == -0.02


def totals(worm, neuron):
    """Whole-cell conductance of every mechanism in an assembled cell [nS]."""
    from tianbao.anatomy import morphology
    from tianbao.cells.geometry import geometry
    from tianbao.cells.membrane import insert_membrane

    cell = geometry(morphology(neuron))
    sections, exponent = cell.netpyne_sections(), worm.parameters.capacitance_exponent
    insert_membrane(sections, cell, worm.model().effects.membranes[neuron], exponent)
    soma = {name: values.get("gbar", 0.0) for name, values in sections["soma"]["mechs"].items()}
    whole = {name: value * cell.cables[0].lateral_area() / 1e-1 for name, value in soma.items()}
    return {**whole, "leak": sections["soma"]["mechs"]["pas"]["g"] * cell.area / 1e-1}, cell.area


def test_an_absolute_conductance_is_what_was_set_and_nothing_else_changes():
    before, area = totals(Worm(), "AWCL")
    after, _ = totals(Worm().set_conductance("AWC*", "shk-1", 2e-4).set_conductance("AWCL", "leak", 5e-5), "AWCL")
    assert after["shk1"] == pytest.approx(2e-4 * area / 1e-1) and after["leak"] == pytest.approx(5e-5 * area / 1e-1)
    assert {name for name in before if after[name] != before[name]} == {"shk1", "leak"}


def test_the_density_of_the_sources_changes_nothing_and_later_interventions_scale_it():
    table = tb.sources("AWCL").set_index("quantity")
    before, area = totals(Worm(), "AWCL")
    same, _ = totals(Worm().set_conductance("AWCL", "shl1", float(table.density["shl1"])), "AWCL")
    assert same["shl1"] == pytest.approx(before["shl1"], rel=1e-9)
    half, _ = totals(Worm().set_conductance("AWCL", "shl1", 1e-4).knock_down("shl-1", 0.5, "AWCL"), "AWCL")
    assert half["shl1"] == pytest.approx(0.5e-4 * area / 1e-1)
    assert totals(Worm().set_conductance("AWCL", "shl1", 1e-4).knock_out("shl-1"), "AWCL")[0].get("shl1", 0.0) == 0.0


def test_too_much_current_is_refused_unless_it_is_meant():
    with pytest.raises(ConfigError, match="nA.*force = true"):
        Worm().stimulate("AVAL", tb.Pulse(1.5, 0.0, 10.0))
    forced = Worm().stimulate("AVAL", tb.Pulse(1.5, 0.0, 10.0, force=True))
    assert apply(Worm(), forced.interventions[0]).pulses == forced.pulses
    said = parse_command("stimulate AVAL amplitude=1.5 start=0 stop=10 force=true")
    assert apply(Worm(), said).pulses == forced.pulses
    halves = Worm().stimulate("AVAL", tb.Pulse(0.6, 0.0, 10.0)).stimulate("AVAL", tb.Pulse(0.6, 10.0, 20.0))
    with pytest.raises(ConfigError, match="AVAL at 10 ms = 1.2 nA"):
        halves.stimulate("AVA*", tb.Pulse(0.6, 5.0, 20.0))
    assert "force" not in halves.interventions[0]


def test_a_divergence_names_what_was_on():
    from types import SimpleNamespace

    from tianbao.loop.observers import DivergenceGuard

    worm = Worm().stimulate("AVBL", tb.Pulse(0.9, 100.0, 200.0)).silence("AVAL", start=300.0).model()
    neurons = tuple(anatomy.neurons().index)
    brain = SimpleNamespace(voltage=np.full(302, 1e4), activation=np.zeros(95))
    animal = SimpleNamespace(brain=brain, design=SimpleNamespace(neurons=neurons))
    loop = SimpleNamespace(
        body=SimpleNamespace(midline=lambda: np.zeros(3), dorsal=lambda: np.ones(3)),
        animals=[animal], worms=[worm], time=160.0, clock=tb.Clock(),
    )  # fmt: skip
    with pytest.raises(tb.DivergedError, match="stimulate neuron=AVBL amplitude=0.9") as caught:
        DivergenceGuard(5)(loop)
    assert "silence" not in str(caught.value)
    loop.time = 260.0
    with pytest.raises(tb.DivergedError) as caught:
        DivergenceGuard(5)(loop)
    assert "AVBL" not in str(caught.value)
