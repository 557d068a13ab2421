"""The decision between forward and backward movement: its option, its membranes and synapses, and what it does."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tianbao as tb
from tianbao import anatomy
from tianbao.behaviour.responses import response
from tianbao.cells import steady
from tianbao.cells.channels import SPREAD
from tianbao.config import RunConfig, config_of, parse_setting
from tianbao.configured import worms_of
from tianbao.electrophysiology.protocols import Epoch, Protocol
from tianbao.network.decision import PLATEAU, Decision, rows
from tianbao.network.rules import connection_rules
from tianbao.network.signs import DECIDING, Signs
from tianbao.network.wiring import of_glutamate, of_tyramine

STEPS = np.linspace(0.0, 1.0, 47)
DECIDES = ("AVA", "AVD", "AVE", "RIM")


def design(**options):
    return tb.Worm(discretisation="d_lambda", **options).design(STEPS)


@pytest.fixture(scope="module")
def off():
    return design()


@pytest.fixture(scope="module")
def on():
    return design(decision="network")


def test_every_value_has_a_range_a_source_and_a_meaning():
    for name, row in rows().items():
        assert row["low"] <= row["value"] <= row["high"], name
        assert row["source"].split(":")[0] in ("assumed", "derived", "tuned by hand", "declared"), name
        assert row["certainty"] in ("low", "medium", "high") and row["meaning"] and row["unit"], name


@pytest.mark.parametrize("given", ["off", "network", {"tyramine_gain": 0.2}])
def test_a_configuration_keeps_the_decision(given):
    worm = tb.Worm(decision=given)
    config = tb.Simulation(worm, progress=False).configuration(100.0)
    assert config.worm.decision == given
    (again,) = worms_of(config_of(config.to_toml(), "test"))
    assert again.decision == worm.decision == Decision.of(given)


def test_a_setting_of_the_command_line_chooses_it():
    config = RunConfig().updated(dict([parse_setting("worm.decision=network")]), where="test")
    assert worms_of(config)[0].decision.on


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("on", "unknown decision 'on'"),
        ({"tyramine": 1.0}, "unknown value 'tyramine'"),
        ({"tyramine_gain": -1.0}, "tyramine_gain"),
        ({}, "a table of values"),
        (3, "a table of values"),
    ],
)
def test_what_is_no_decision_is_refused(given, says):
    with pytest.raises(tb.ConfigError, match=says):
        tb.Worm(decision=given)


def test_off_there_is_no_plateau_and_every_weight_is_as_without_the_option(off):
    assert not any(PLATEAU in off.membrane_of(name).conductances for name in off.neurons)
    assert not any(rule.label == "tyramine" for rule in connection_rules(off))
    assert off.release_half("ASEL") is None


def test_on_four_classes_have_a_plateau_all_along(on):
    assert PLATEAU in SPREAD
    found = {anatomy.neuron_class(name) for name in on.neurons if PLATEAU in on.membrane_of(name).conductances}
    assert found == set(DECIDES)
    assert on.membrane_of("AVAR").kinetics[PLATEAU]["v_half_m"] < on.membrane_of("AVAL").kinetics[PLATEAU]["v_half_m"]


def test_tyramine_is_spread_along_the_cells_that_rim_contacts(on):
    (rule,) = [each for each in connection_rules(on) if each.label == "tyramine"]
    table = on.tables.chemical
    mine = table[of_tyramine(table) & table.post.isin(["AVBL"])]
    weight = sum(w for w, post in zip(rule.weights, rule.post, strict=True) if post == "AVBL")
    assert weight == pytest.approx(1e-3 * on.decision["tyramine_gain"] * mine.em_sections.sum())
    places = {section for section, post in zip(rule.sites.post_section, rule.post, strict=True) if post == "AVBL"}
    assert places == {section for section, _ in on.cells["AVBL"].sites}


def test_glutamate_that_inhibits_keeps_the_usual_gain(on):
    table = on.tables.chemical
    assert not (table.sign[of_glutamate(table)] == "inhibitory").any()


def test_the_steady_plateau_is_that_of_neuron():
    from tianbao import mechanisms

    mechanisms.load()
    from neuron import h

    section = h.Section(name="cell")
    section.insert(PLATEAU)
    gates = {"v_half_m": -37.0, "slope_m": 2.5, "v_half_h": -42.0, "slope_h": 2.5}
    for name, value in gates.items():
        setattr(section(0.5).plateau, name, value)
    for volt in (-60.0, -45.0, -40.0, -20.0):
        h.finitialize(volt)
        share = section(0.5).plateau.m * section(0.5).plateau.h
        assert steady.open_share(PLATEAU, np.array([volt]), kinetics=gates)[0] == pytest.approx(share, rel=1e-9)


def patched(neuron, decision):
    return tb.PatchedCell.of_neuron(neuron, tb.Worm(decision=decision))


@pytest.mark.parametrize("neuron", ["AVAL", "AVAR"])
def test_a_recorded_ava_would_not_show_its_plateau(neuron):
    """At its recorded rest the plateau inactivates and stays so: no recording from there speaks against it."""
    quiet = Protocol("current", (Epoch(30_000.0, (0.0,)),), measured=0)
    alone, ours = (patched(neuron, each).run(quiet, dt=0.2) for each in ("off", "network"))
    late = ours.voltage[ours.time > 10_000.0, 0]
    assert np.ptp(late) < 0.1
    assert alone.voltage[-1, 0] < late[-1] < alone.voltage[-1, 0] + 6.0


def test_ave_outlasts_its_stimulus_for_a_while():
    lasting = {}
    for decision in ("off", "network"):
        pulse = Protocol("current", (Epoch(500.0, (0.0,)), Epoch(100.0, (30.0,)), Epoch(5_400.0, (0.0,))))
        trace = patched("AVEL", decision).run(pulse)
        time, voltage = trace.time, trace.voltage[:, 0]
        lasting[decision] = float(np.diff(time)[0] * (voltage[time > 650.0] > -45.0).sum())
        assert voltage[-1] == pytest.approx(voltage[0], abs=2.0)
    assert lasting["off"] < 50.0
    assert 500.0 < lasting["network"] < 5_000.0  # alone: in the worm RIM and AVA end it sooner


def test_both_engines_decide_alike():
    seen = []
    for engine in ("neuron", "native"):
        worm = tb.Worm(discretisation="d_lambda", decision="network").touch((0.15, 0.35), start=20.0, stop=80.0)
        simulation = tb.Simulation(worm, seed=4, engine=engine, progress=False)
        seen.append(np.array(simulation.step(120.0).voltage)[0])
    assert np.abs(seen[0] - seen[1]).max() < 1e-6


def test_a_touch_turns_the_command_neurons_round():
    """ALM and AVM excite AVD, which takes AVA and RIM along; RIM silences AVB. Without ALM and AVM nothing happens."""
    touched, deaf = (
        tb.Worm(at=(5.0 * k, 0.0, 0.0), discretisation="d_lambda", decision="network", signs="deciding").touch(
            (0.15, 0.35), start=8_000.0, stop=8_500.0
        )
        for k in range(2)
    )
    deaf.ablate("ALM*", "AVM")
    simulation = tb.Simulation([touched, deaf], seed=101, clock=tb.Clock(tick=4.0), engine="native", progress=False)
    run = simulation.record(voltage=["AVAL", "AVBL", "RIML"], every=20.0).run(9_500.0)
    before, during = (run.voltages(0)[a:b].mean() for a, b in ((7_500.0, 7_980.0), (8_700.0, 9_300.0)))
    assert during.AVAL > -30.0 > -38.0 > before.AVAL
    assert during.RIML > -30.0 and during.AVBL < -40.0 < -30.0 < before.AVBL
    control = run.voltages(1)[8_700.0:9_300.0].mean()
    assert control.AVAL < -38.0 and control.AVBL > -30.0


@pytest.mark.slow
def test_touched_worms_back_away_and_move_on():
    """Eight worms touched at the front at 9 s (sims/escape.py measures 40 and their controls)."""
    worms = [
        tb.Worm(at=(5.0 * k, 0.0, 0.0), discretisation="d_lambda", decision="network", signs="deciding").touch(
            (0.15, 0.35), start=9_000.0, stop=9_500.0
        )
        for k in range(8)
    ]
    clock = tb.Clock(tick=4.0, frame=40.0)
    run = tb.Simulation(worms, seed=303, clock=clock, engine="native", progress=False).run(16_000.0)
    answers = [response(run.time, each.midline, 9_000.0) for each in run.worms]
    counted = [each for each in answers if each.eligible]
    assert len(counted) >= 6
    assert sum(each.reversed for each in counted) >= 0.75 * len(counted)
    assert all(each.forward_again for each in counted if each.reversed)


def test_values_that_differ_little_make_two_nervous_systems():
    keys = {tb.Worm(decision={"tyramine_gain": value}).model().network_key for value in (0.45, 0.45 + 1e-9)}
    assert len(keys) == 2


# Salt


EXCITING = {"others": "deciding", "amphid-glutamate": "+"}


@pytest.mark.parametrize(("signs", "reaches"), [("deciding", True), (EXCITING, False)])
def test_a_small_swing_of_salt_reaches_aiy_unless_sensory_neurons_excite_each_other(signs, reaches):
    """0.3 mM, as a nose that swings by 0.15 mm meets in 2 mM/mm."""
    swing = [(float(t), 50.0 + 0.3 * math.sin(2.0 * math.pi * t / 1_750.0)) for t in range(0, 10_000, 100)]
    quiet = tb.Worm().parameters.replace(noise=0.0)
    worm = tb.Worm(discretisation="d_lambda", decision="network", signs=signs, parameters=quiet)
    arena = tb.Arena("agar", fields=[tb.Bath("nacl", tuple(swing), unit="mM")])
    simulation = tb.Simulation(worm, arena, seed=5, clock=tb.Clock(tick=4.0), engine="native", progress=False)
    late = simulation.record(voltage=["ASE*", "AIY*"], every=20.0).run(10_000.0).voltages()[6_500.0:]
    assert (late[["ASEL", "ASER"]].mean().max() < -60.0) == reaches
    assert (np.ptp(late[["AIYL", "AIYR"]].to_numpy(), axis=0).min() > 1.5) == reaches


# The ventral turn


def turning(worm):
    return worm.model().effects.tables.turning


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (lambda worm: worm, {"lgc-55": 4, "tyra-3": 8}),
        (lambda worm: worm.ablate("RIVL"), {"lgc-55": 2, "tyra-3": 6}),
        (lambda worm: worm.ablate("RIM*"), {}),
        (lambda worm: worm.knock_out("tdc-1"), {}),
        (lambda worm: worm.knock_out("tyra-3"), {"lgc-55": 4}),
        (lambda worm: worm.knock_out("lgc-55"), {"tyra-3": 8}),
        (lambda worm: worm.knock_out("tyra-3", cells="SMDV*"), {"lgc-55": 4, "tyra-3": 4}),
    ],
)
def test_perturbations_reach_the_tyramine_of_the_turn(change, left):
    worm = tb.Worm(decision="network")
    change(worm)
    assert turning(worm).receptor.value_counts().to_dict() == left


def test_the_slow_effect_of_tyramine_reaches_ventral_neurons_only(on):
    rules = {each.label: each for each in connection_rules(on) if each.label.startswith("turning")}
    assert {anatomy.neuron_class(post) for post in rules["turning_excitatory"].post} == {"RIV", "SMDV"}
    assert set(rules["turning_inhibitory"].post) == {"RIVL", "RIVR"}
    assert rules["turning_excitatory"].mechanism["tau"] > 10 * rules["turning_inhibitory"].mechanism["tau"]
    slopes = [rules[f"turning_{sign}"].mechanism["slope"] for sign in ("excitatory", "inhibitory")]
    assert slopes == [on.decision["turn_release_slope"], on.parameters.release_slope]


def test_off_no_tyramine_turns_the_worm(off):
    assert not any(each.label.startswith("turning") for each in connection_rules(off))


def test_riv_is_held_down_while_rim_is_active_and_fires_afterwards():
    """A current into RIM stands for the reversal; the network does the rest."""
    worm = tb.Worm(discretisation="d_lambda", decision="network", signs="deciding")
    for rim in ("RIML", "RIMR"):
        worm.stimulate(rim, tb.Pulse(amplitude=0.03, start=1_000.0, stop=3_000.0))
    run = tb.Simulation(worm, seed=3, engine="native", progress=False).record(voltage=["RIV*", "RIM*"]).run(4_800.0)
    riv, rim = (run.voltages()[[f"{name}L", f"{name}R"]].mean(axis=1).to_numpy() for name in ("RIV", "RIM"))
    over = run.time[(run.time > 3_000.0) & (rim < -40.0)][0]  # RIM outlasts the current by its plateau
    during = riv[(run.time > 1_100.0) & (run.time < over) & (rim > -30.0)]  # where it gives off a third of its maximum
    after = riv[(run.time > over + 150.0) & (run.time < over + 700.0)]
    assert during.max() < -40.0 < -35.0 < after.min()  # at -40 mV it gives off a tenth of its maximum


def test_the_rule_of_signs_for_worms_that_decide_is_the_published_one_but_for_contested_families():
    assert Signs.of("deciding").chosen == {**Signs.of("published").chosen, **DECIDING}
    assert tb.Worm(signs="deciding").signs.option == "deciding"
