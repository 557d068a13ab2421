"""Inputs by name: what is sensed, modulated, lit or injected reaches its neurons, in both engines alike."""

from __future__ import annotations

import numpy as np
import pytest

import tianbao as tb
from tianbao.io.tables import sensed_table
from tianbao.network.inputs import InputLayout
from tianbao.network.modulation import Modulation, Modulator
from tianbao.sensing import receptors, table_senses

EXACT = 1e-9  # [mV]


def test_slices_of_the_input_vector_follow_each_other():
    layout = InputLayout({"stretch": 3, "chemical": 0, "light": 2})
    assert list(layout) == ["stretch", "chemical", "light"] and layout.size == 5
    assert layout["light"] == slice(3, 5) and layout["chemical"] == slice(3, 3)
    with pytest.raises(KeyError, match="did you mean 'light'"):
        layout["lights"]


# --- one whole sense


BATH = tb.Bath("nacl", [(0, 5.0), (300, 50.0), (700, 5.0)])
AIR = tb.Bath("oxygen", [(0, 21.0)], unit="%"), tb.Bath("temperature", [(0, 22.0)], unit="degC")


@pytest.fixture(scope="module")
def tasting():
    made = tb.Simulation(tb.Worm(), tb.Arena(fields=[BATH, *AIR]), seed=3, engine="native", progress=False)
    return made.record(voltage=["ASE*"], every=4.0).run(1000.0)


def test_a_tenfold_rise_and_fall_of_salt_move_asel_and_aser_oppositely(tasting):
    left, right = tasting.voltages()[["ASEL", "ASER"]].to_numpy().T
    time = tasting.time

    def at(moment):
        near = (time > moment - 40.0) & (time <= moment)
        return left[near].mean(), right[near].mean()

    (before_l, before_r), (high_l, high_r), (after_l, after_r) = at(300.0), at(500.0), at(900.0)
    assert high_l > before_l + 5.0 and high_r < before_r - 2.0
    # The fall: ASEL is back where it was, but for what ASER's synapses lift it, ASER above.
    assert after_l < before_l + 2.0 and after_r > high_r + 3.0


def test_what_the_arena_holds_is_recorded_drawn_and_saved_and_nothing_else(tasting, tmp_path):
    sensed = tasting.sensed()
    air = {"BAGL oxygen": 21.0, "BAGR oxygen": 21.0, "URXL oxygen": 21.0, "URXR oxygen": 21.0}
    warmth = {"AFDL temperature": 22.0, "AFDR temperature": 22.0}
    assert list(sensed.columns) == ["ASEL nacl", "ASER nacl", *air, *warmth]
    assert dict(sensed.iloc[-1, 2:]) == air | warmth
    units = sensed_table(tasting).groupby("receptor").unit.unique()
    assert [units[name] for name in ("ASEL nacl", "URXL oxygen", "AFDR temperature")] == [["mM"], ["%"], ["degC"]]
    drawn = [axes.get_ylabel() for axes in tasting.plot.sensed().axes]
    assert drawn[:3] == ["nacl [mM]", "oxygen [%]", "temperature [degC]"]
    assert drawn[3:] == ["ASEL", "ASER", "BAGL", "BAGR", "URXL", "URXR", "AFDL", "AFDR"]
    assert sensed.loc[296.0, "ASEL nacl"] == 5.0 and sensed.loc[500.0, "ASER nacl"] == 50.0
    again = tb.open(tasting.save(tmp_path / "salt.h5"))
    assert again.sensed().equals(sensed)
    assert '"bath"' in again.config_toml


def test_a_worm_in_a_gradient_reads_it_at_its_nose():
    field = tb.Gaussian("nacl", peak=60.0, width=0.8, centre=(1.0, 0.3, 0.0), background=2.0)
    made = tb.Simulation(tb.Worm(), tb.Arena(fields=[field]), seed=1, engine="native", progress=False)
    made.reset()
    for _ in range(5):
        # What a tick senses is where the worm was when the tick began.
        nose = made.observe().midline[0, 0]
        seen = made.step(4.0)
        tasted = [each.field == "nacl" for each in receptors("chemical")]
        assert seen.inputs[0]["chemical"][tasted] == pytest.approx([field.at(nose, 0.0)] * 2)


def test_an_arena_without_fields_leaves_nothing_to_sense(tmp_path):
    run = tb.Simulation(tb.Worm(), engine="native", progress=False).run(40.0)
    assert run.sensed().shape == (2, 0) and not run.worms[0].inputs


# --- modulation


def test_a_level_follows_its_modulator_with_its_time_constant():
    there = Modulator("egl19", ("VB3",), 2.0, 100.0, 500.0, 80.0, False)
    levels, out, seen = Modulation((there,), tick=4.0), np.zeros(1), []

    class At:
        time = 0.0

    for k in range(250):
        At.time = 4.0 * k
        levels.write(At, out)
        seen.append(out[0])
        levels.adapt(At)
    seen = np.array(seen)
    assert (seen[:26] == 1.0).all()
    assert seen[25 + 20] == pytest.approx(2.0 - np.exp(-1.0)) and seen[125] == pytest.approx(2.0, abs=0.01)
    assert seen[125 + 20] == pytest.approx(1.0 + np.exp(-1.0) * (seen[125] - 1.0))


def test_conductances_have_one_modulator():
    worm = tb.Worm().modulate("egl-19", 1.5, "VB*").modulate("egl-19", 1.5, "DB*").modulate("unc-13", 0.5, "VB*")
    for gene in ("egl-19", "unc-17"):
        with pytest.raises(tb.ConfigError, match="VB1 is modulated by"):
            worm.modulate(gene, 2.0, "VB1")
    for wrong in ({"factor": -1.0}, {"factor": 2.0, "tau": 0.0}, {"factor": 2.0, "start": 50.0, "stop": 20.0}):
        with pytest.raises(tb.ConfigError, match="modulate"):
            tb.Worm().modulate("shl-1", **wrong)
    with pytest.raises(tb.ConfigError, match="nothing to change"):
        tb.Worm().modulate("unc-25", 2.0, "AVA*")


def test_a_modulator_changes_the_cells_that_it_reaches_and_lets_go_again():
    quiet = {"noise": 0.0}
    parameters = tb.Worm().parameters.replace(**quiet)

    def voltage(worm):
        made = tb.Simulation(worm, seed=2, engine="native", progress=False)
        return made.record(voltage=["AWCL", "AWAL"], every=4.0).run(400.0).worms[0].voltage

    plain = voltage(tb.Worm(parameters=parameters))
    changed = voltage(tb.Worm(parameters=parameters).modulate("nca", 8.0, "AWCL", start=40.0, stop=200.0, tau=10.0))
    other, reached = np.abs(changed - plain).T  # AWAL, AWCL: in the order of their names
    assert reached[:10].max() == 0.0 and reached[20:50].max() > 5.0
    assert reached[-1] < 0.1 * reached.max()
    assert other.max() < 0.1 * reached.max()


# --- all of them at once, and a loop of the user's own


def all_at_once():
    worm = tb.Worm().modulate("egl-19", 1.8, "VB*", start=40.0, stop=120.0, tau=30.0)
    worm.modulate("unc-13", 0.5, "AVA*", tau=50.0).express("cation", "AVB*").express("chloride", "SMD*")
    return worm.illuminate("DB4", start=30.0, stop=80.0).stimulate("VB3", tb.Pulse(0.004, 10.0, 90.0))


def by_hand(engine):
    changes = {"mM": (5.0, 50.0), "%": (10.0, 20.0), "degC": (20.0, 22.0), "ug/mm2": (0.0, 10.0)}
    fields = {each.field: each.unit for sense in table_senses() for each in receptors(sense)}
    baths = [
        tb.Bath(name, [(0, before), (60, after), (120, before)], unit=unit)
        for name, unit in fields.items()
        for before, after in [changes[unit]]
    ]
    arena = tb.Arena("agar", fields=baths, temperature=22.0)
    made = tb.Simulation(all_at_once(), arena, engine=engine, progress=False)
    made.reset(seed=3)
    seen = []
    for k in range(20):
        light = {"AVB*": 0.5 if 5 < k < 12 else 0.0, "SMDVL": 1.0 if k > 9 else 0.0}
        seen.append(made.step(8.0, current={"AVAL": 0.005 if k % 4 == 0 else 0.0}, light=light))
    return np.array([each.voltage[0] for each in seen]), seen[-1]


def test_the_engines_agree_with_every_input_in_use():
    (neuron, _), (native, last) = by_hand("neuron"), by_hand("native")
    assert np.abs(neuron - native).max() < EXACT
    assert last.inputs[0]["modulation"].shape == (2,) and last.inputs[0]["light"].max() == 1.0


def test_stepping_by_hand_is_a_run():
    made = tb.Simulation(tb.Worm(), seed=6, engine="native", progress=False).record(voltage=["AVBL"])
    run = made.run(80.0)
    made.reset()
    for k in range(4):
        seen = made.step(20.0)
        assert seen.time == run.time[k] and np.array_equal(seen.midline[0], run.worms[0].midline[k])
        assert seen.voltage[0, seen.neurons.index("AVBL")] == run.worms[0].voltage[k, 0]


def test_a_state_taken_at_any_tick_gives_the_same_bits_again():
    made = tb.Simulation(all_at_once(), seed=6, engine="native", progress=False)
    made.reset()
    made.step(52.0, light=0.3)
    state = made.loop.state()
    first = made.step(60.0, current={"AVBL": 0.002})
    made.step(40.0)
    made.loop.restore(state)
    again = made.step(60.0, current={"AVBL": 0.002})
    assert np.array_equal(first.voltage, again.voltage) and np.array_equal(first.midline, again.midline)
    assert first.time == again.time == 112.0


def test_light_opens_channels_while_it_is_on():
    made = tb.Simulation(tb.Worm().express("cation", "AVKL"), seed=1, engine="native", progress=False)
    dark = made.reset()
    k = dark.neurons.index("AVKL")
    dark = made.step(200.0).voltage[0, k]
    lit = made.step(200.0, light={"AVKL": 1.0}).voltage[0, k]
    after = made.step(400.0).voltage[0, k]
    assert lit > dark + 10.0 and abs(after - dark) < 3.0


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ({"duration": 3.0}, "whole number of ticks of 4 ms"),
        ({"duration": float("nan")}, "whole number of ticks"),
        ({"duration": 4.0, "current": {"AVAX": 0.1}}, "AVAX"),
        ({"duration": 4.0, "current": {"AVAL": float("nan")}}, "current into AVAL"),
        ({"duration": 4.0, "current": [{}, {}]}, "2 mappings of currents for 1 worms"),
        ({"duration": 4.0, "light": {"AVAL": 1.0}}, "carries a channel for light"),
        ({"duration": 4.0, "light": {"AVBL": 2.0}}, "light on AVBL"),
    ],
)
def test_a_step_that_cannot_be_taken_is_refused(what, words):
    made = tb.Simulation(tb.Worm().express("cation", "AVBL"), engine="native", progress=False)
    with pytest.raises(tb.TianbaoError, match=words):
        made.step(**what)


def test_nothing_can_be_observed_before_a_reset():
    with pytest.raises(tb.ConfigError, match="call reset first"):
        tb.Simulation(tb.Worm(), engine="native", progress=False).observe()


def test_worms_that_modulate_or_carry_light_gated_channels_are_not_exported(tmp_path):
    from tianbao.io.netpyne_model import export_netpyne
    from tianbao.io.neuroml import write_neuroml

    for worm in (tb.Worm().modulate("egl-19", 2.0), tb.Worm().express("cation", "AVA*")):
        for export in (export_netpyne, write_neuroml):
            with pytest.raises(tb.ConfigError, match="cannot be exported"):
                export(worm, tmp_path / "model")


def test_a_step_after_other_steps_or_parameters_begins_anew():
    made = tb.Simulation(tb.Worm(), seed=6, engine="native", progress=False)
    made.step(8.0)
    made.retune(made.worm.parameters.replace(gap_gain=0.02))
    assert made.step(8.0).time == 8.0
    made.clock = tb.Clock(dt=0.5, tick=2.0)
    assert made.step(8.0).time == 8.0
    made.record(every=40.0)  # frames alone change nothing of it
    assert made.step(8.0).time == 16.0


def test_every_intervention_has_its_effect_and_the_other_way_round():
    from tianbao.effects import EFFECTS
    from tianbao.interventions import VERBS

    assert tuple(EFFECTS) == VERBS
