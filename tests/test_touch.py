"""Touch: what the body wall is pressed with reaches the neurons under it, on and off, and only those."""

from __future__ import annotations

import numpy as np
import pytest

import tianbao as tb
from tianbao import mechanisms
from tianbao.anatomy.sides import SIDES, share
from tianbao.apparatus import Poke
from tianbao.body import SoftBody
from tianbao.electrophysiology.transduction import SensoryCell
from tianbao.environment import Arena, Dish, Pillar, Plane
from tianbao.interventions import apply, parse_command, to_command
from tianbao.io.fixed_mechanisms import FIXED_MECHANISMS
from tianbao.io.tables import sensed_table
from tianbao.paths import data_root
from tianbao.sensing import Seen, TouchSense, touch_receptors
from tianbao.sensing.touch import touch_constants

EXACT = 1e-9  # [mV]
RINGS = 49
EVERY = touch_receptors()
NAMES = [each.neuron for each in EVERY]
TOUCH = [each.neuron for each in EVERY if each.group == "gentle"]
ANTERIOR, POSTERIOR = ("ALML", "ALMR", "AVM"), ("PLML", "PLMR")


def felt(load=None, time=0.0, pokes=()):
    """What each neuron feels [um], by name."""
    out = np.full(len(EVERY), np.nan)
    TouchSense(EVERY, pokes).write(Seen(time, np.zeros(47), np.zeros((RINGS, 3)), Arena(), load), out)
    return dict(zip(NAMES, out, strict=True))


def pushed(ring, dorsal, right, force=2.0):
    """Load [uN] of a force on one ring from a direction."""
    load = np.zeros((RINGS, len(SIDES)))
    load[ring] = [force * share(side, dorsal, right) for side in SIDES]
    return load


# --- receptive fields


def test_endings_are_those_that_were_asked_for_and_every_number_has_a_source():
    wanted = "ALML ALMR AVM PLML PLMR PVM PVDL PVDR FLPL FLPR OLQDL OLQDR OLQVL OLQVR ASHL ASHR"
    assert wanted.split() == NAMES and all(each.source and each.certainty for each in EVERY)


def test_a_push_is_felt_where_it_is_and_in_proportion_to_force():
    front, back = felt(pushed(12, 1.0, 0.0)), felt(pushed(38, 1.0, 0.0))
    assert front["ALML"] == pytest.approx(2.0 / touch_constants()["stiffness"]) and front["ALMR"] == front["ALML"]
    assert back["PLML"] == front["ALML"] and back["ALML"] < 1e-3 * front["ALML"] and front["PLML"] < 1e-3
    assert felt(pushed(12, 1.0, 0.0, 6.0))["ALML"] == pytest.approx(3.0 * front["ALML"])
    nose = felt(pushed(0, 0.0, 0.0))
    assert nose["ASHL"] == nose["OLQVR"] == nose["FLPL"] == pytest.approx(2.0) and nose["PLML"] < 1e-6


@pytest.mark.parametrize(
    ("dorsal", "right", "whole", "nothing"),
    [
        (1.0, 0.0, "OLQDL OLQDR ASHL ASHR FLPL FLPR", "OLQVL OLQVR"),
        (-1.0, 0.0, "OLQVL OLQVR ASHL ASHR FLPL FLPR", "OLQDL OLQDR"),
        (0.0, -1.0, "OLQDL OLQVL ASHL FLPL", "OLQDR OLQVR ASHR FLPR"),
        (0.0, 1.0, "OLQDR OLQVR ASHR FLPR", "OLQDL OLQVL ASHL FLPL"),
    ],
)
def test_the_opposite_side_feels_nothing(dorsal, right, whole, nothing):
    at_nose = felt(pushed(0, dorsal, right))
    assert all(at_nose[name] == pytest.approx(2.0) for name in whole.split())
    assert all(at_nose[name] == 0.0 for name in nothing.split())
    asked = {(1.0, 0.0): "dorsal", (-1.0, 0.0): "ventral", (0.0, -1.0): "left", (0.0, 1.0): "right"}[dorsal, right]
    poked = felt(pokes=[Poke(0.0, 0.0, 0.0, 10.0, 2.0, asked)])
    assert all(poked[name] == 2.0 for name in whole.split()) and all(poked[name] == 0.0 for name in nothing.split())


def test_avm_lies_ventrally():
    assert felt(pushed(10, 1.0, 0.0))["AVM"] == 0.0 < felt(pushed(10, -1.0, 0.0))["AVM"]


def test_a_probe_adds_to_what_the_body_touches_while_it_is_there():
    poke = Poke(0.1, 0.3, 100.0, 200.0, 5.0)
    for time, there in ((96.0, 0.0), (100.0, 5.0), (196.0, 5.0), (200.0, 0.0)):
        assert felt(pushed(12, 1.0, 0.0), time, [poke])["ALML"] == pytest.approx(2.0 + there)
    assert felt(time=150.0, pokes=[poke])["PLML"] == 0.0 == felt(time=150.0, pokes=[poke])["OLQDL"]


def test_a_tap_is_felt_by_the_six_touch_receptor_neurons_and_no_other():
    worm = tb.Worm().tap(100.0)
    found = felt(time=104.0, pokes=worm.pokes)
    assert len(TOUCH) == 6 and {name for name, value in found.items() if value} == set(TOUCH)
    assert set(found.values()) == {0.0, touch_constants()["tap_indentation"]}


# --- the body


def pressed_body(obstacles, at=(0.0, 0.0), worms=1, steps=3):
    body = SoftBody(worms=worms, obstacles=obstacles, touching=True)
    for worm in range(worms):
        body.pose(0.0, at=(at[0], at[1] + 0.066 * worm), worm=worm)
    for _ in range(steps):
        body.step(np.zeros((worms, 48, 4)), 4.0)
    return body


def test_load_is_the_force_by_which_a_wall_holds_the_body():
    # Dorsal is +y of a worm that heads along +x.
    wall = Plane((0.0, 0.033, 0.0), (0.0, -1.0, 0.0))
    body = pressed_body([wall], steps=1)
    load, drag = body.load[0], body.drag()[0].sum(axis=0)
    # What pushes the worm away is what the medium holds against.
    assert load[:, 0].sum() == pytest.approx(drag[1], rel=5e-3) and load[:, 0].sum() > 0.1
    dorsal, ventral = load[:, SIDES.index("dorsal")], load[:, SIDES.index("ventral")]
    assert dorsal.sum() == pytest.approx(load[:, 0].sum(), rel=1e-3) and ventral.sum() < 1e-3 * dorsal.sum()
    assert load[[0, -1], 0].sum() == 0.0 < load[24, 0]


def test_the_ground_is_not_a_touch_and_the_ceiling_is():
    ground = pressed_body([Plane((0.0, 0.0, -0.033), (0.0, 0.0, 1.0))])
    assert ground.load is None and (ground._around.load == 0.0).all()
    both = [Plane((0.0, 0.0, -0.033), (0.0, 0.0, 1.0)), Plane((0.0, 5.0, 0.0), (0.0, -1.0, 0.0))]
    assert (pressed_body(both).load == 0.0).all()
    assert pressed_body([Plane((0.0, 0.0, 0.033), (0.0, 0.0, -1.0))]).load.sum() > 0.0


def test_worms_feel_each_other_and_not_themselves():
    body = pressed_body([], worms=2, steps=1)
    lower, upper = body.load[:, :, 0].sum(axis=1)
    assert lower > 0.01 and upper == pytest.approx(lower, rel=0.1)
    # The second lies on the dorsal side of the first.
    assert body.load[0, :, 1].sum() > 0.9 * lower and body.load[1, :, 2].sum() > 0.9 * upper
    curled = SoftBody(obstacles=[Pillar(9.0, 9.0, 0.1)], touching=True)
    curled.pose(2.0 * np.pi + 0.9)
    for _ in range(3):
        curled.step(np.zeros((1, 48, 4)), 4.0)
    assert int(curled._around.contacts.to_numpy().sum()) > 0 and (curled.load == 0.0).all()


def test_load_comes_back_with_a_state():
    body = pressed_body([Dish(0.502)])
    state, before = body.state(), body.load.copy()
    assert before.any()
    body.pose(0.0)
    assert not body.load.any()
    body.restore(state)
    assert np.array_equal(body.load, before)


# --- the current


def currents(row, *stimuli, dt=0.1, voltage=-70.0):
    """Current [pA] of an ending in a cell that is held at a voltage; each stimulus an indentation and its ms."""
    mechanisms.load()
    from neuron import h

    section, depth = h.Section(), h.Vector(1)
    ending, clamp = h.Mechanosensory(section(0.5)), h.SEClamp(section(0.5))
    clamp.rs, clamp.dur1, clamp.amp1 = 1e-6, 1e9, voltage
    ending._ref_indentation = depth._ref_x[0]
    for name, value in row.mechanism_parameters().items():
        setattr(ending, name, value)
    h.dt, found = dt, []
    depth.x[0] = stimuli[0][0]
    h.finitialize(voltage)
    for depth.x[0], duration in stimuli:
        for _ in range(round(duration / dt)):
            h.fadvance()
            found.append(-1e3 * ending.i)
    return np.array(found)


PLM = EVERY[NAMES.index("PLML")]


def test_touch_neurons_answer_on_and_off_alike_and_not_in_between():
    found = currents(PLM, (0.0, 20.0), (5.0, 400.0), (0.0, 400.0))
    assert (found[:200] == 0.0).all()
    on, held, off = found[200:4200], found[3000:4200], found[4200:]
    assert on.max() == pytest.approx(off.max(), rel=1e-3) and 20.0 < on.max() < 40.0
    assert np.argmax(on > 0.5 * on.max()) * 0.1 < 3.0 and np.abs(held).max() < 1e-3 * on.max()


def test_half_of_the_channels_open_at_half_indentation_and_all_in_the_end():
    peaks = np.array([currents(PLM, (0.0, 5.0), (depth, 60.0)).max() for depth in (0.3, 1.5, 5.0, 50.0)])
    assert peaks[0] < 0.02 * peaks[3] and 0.3 < peaks[1] / peaks[3] < 0.6 and peaks[2] > 0.8 * peaks[3]
    assert peaks[3] == pytest.approx(0.5 * 80.0, rel=0.05)


def test_faster_indentation_opens_more_channels():
    """Eastwood et al. 2015: fast stimuli evoke larger currents than slow ones of the same indentation."""
    ramps = [[(3.0 * k / steps, 5.0) for k in range(steps + 1)] for steps in (1, 10, 100)]
    fast, slower, slowest = (currents(PLM, *ramp).max() for ramp in ramps)
    assert fast > 1.1 * slower > 5.0 * slowest


def test_the_current_turns_around_at_its_reversal_potential():
    assert currents(PLM, (0.0, 5.0), (5.0, 60.0), voltage=PLM.e + 20.0).min() < -5.0
    assert np.abs(currents(PLM, (0.0, 5.0), (5.0, 60.0), voltage=PLM.e)).max() < 0.01


def test_gentle_touch_needs_mec_4_and_harsh_touch_does_not():
    for gene in ("mec-4", "mec-2", "mec-6"):
        silent = SensoryCell("PLML", "touch", tb.Worm().knock_out(gene)).answer(0.0, (5.0, 100.0))
        assert silent.peak_current == 0.0 and abs(silent.peak) < 0.01
    worm = tb.Worm().knock_out("mec-4")
    design = worm.design(np.empty(0))
    assert {each.neuron for each in design.endings["touch"] if each.g == 0.0} == set(TOUCH)
    harsh = tb.Worm().knock_out("degt-1").design(np.empty(0)).endings["touch"]
    assert {each.neuron for each in harsh if each.g == 0.0} == {"PVDL", "PVDR"}
    left = tb.Worm().knock_down("mec-4", 0.5, cells="PLM*").design(np.empty(0)).endings["touch"]
    assert {each.neuron for each, intact in zip(left, EVERY, strict=True) if each != intact} == {"PLML", "PLMR"}
    with pytest.raises(tb.ConfigError, match="modulate mec-4: channels of touch cannot be modulated"):
        tb.Worm().modulate("mec-4", 0.5)
    with pytest.raises(tb.ConfigError, match="no neuron of 'AVA\\*' carries it"):
        tb.Worm().knock_down("mec-4", 0.5, cells="AVA*")


@pytest.mark.slow
@pytest.mark.parametrize(("cells", "depth"), [("PVD", 30.0), ("FLP", 10.0), ("OLQ", 10.0)])
def test_gains_of_endings_without_a_recorded_current_follow_the_declared_rule(cells, depth):
    """Peak current of the standard stimulus times the input resistance at rest is 15 mV, as of other senses."""
    found = []
    for name in (each for each in NAMES if each.startswith(cells)):
        cell = SensoryCell(name, "touch")
        found.append(cell.cell.input_resistance(0.5) * cell.answer(0.0, (depth, 1000.0)).peak_current)
    assert 15.0 * np.mean(1.0 / np.array(found)) == pytest.approx(1.0, abs=0.05)


# --- the loop


def run_of(worm, arena=None, duration=300.0, engine="native", voltage=TOUCH, seed=3):
    made = tb.Simulation(worm, arena or tb.Arena("agar"), seed=seed, engine=engine, progress=False)
    return made.record(voltage=list(voltage), every=4.0).run(duration)


def quick(**settings):
    return tb.Worm(discretisation="d_lambda", **settings)


def rise(touched, plain, names):
    difference = (touched.voltages() - plain.voltages())[list(names)]
    return difference.loc[100.0:200.0].max().min(), difference.loc[100.0:200.0].abs().max().max()


def test_anterior_touch_depolarises_alm_and_avm_and_posterior_touch_plm():
    plain = run_of(quick())
    front = run_of(quick().touch((0.15, 0.35), start=100.0, stop=200.0))
    back = run_of(quick().touch(0.75, start=100.0, stop=200.0, indentation=5.0))
    # What reaches the others comes through the network.
    assert rise(front, plain, ANTERIOR)[0] > 50.0 and rise(front, plain, POSTERIOR)[1] < 5.0
    assert rise(back, plain, POSTERIOR)[0] > 50.0 and rise(back, plain, ANTERIOR)[1] < 5.0
    sensed = front.sensed()
    assert sensed["ALML touch"].max() == 5.0 and sensed["PLML touch"].max() == 0.0 and "PVM touch" in sensed
    assert set(sensed_table(front).unit) == {"um"}
    assert front.plot.sensed().axes[0].get_ylabel() == "touch [um]"
    assert plain.sensed().shape[1] == 0


def test_a_tap_depolarises_all_six():
    plain, tapped = run_of(quick()), run_of(quick().tap(100.0))
    assert rise(tapped, plain, TOUCH)[0] > 5.0
    assert (tapped.sensed().max() > 0.0).sum() == 6


def test_an_empty_arena_gives_exactly_nothing():
    made = tb.Simulation(quick(), tb.Arena("agar"), seed=2, engine="native", progress=False)
    for seen in (made.reset(), made.step(40.0)):
        assert (seen.inputs[0]["touch"] == 0.0).all() and len(seen.inputs[0]["touch"]) == len(EVERY)


def test_the_ground_alone_changes_no_bit():
    floor = tb.Plane((0.0, 0.0, -1.0), (0.0, 0.0, 1.0))
    alone, grounded = (run_of(quick(), tb.Arena("agar", obstacles=each), 200.0) for each in ((), (floor,)))
    assert np.array_equal(alone.worms[0].midline, grounded.worms[0].midline) and not grounded.worms[0].inputs


def test_a_worm_at_a_pillar_feels_it_at_the_nose_and_one_beside_its_tail_does_not():
    head_on = run_of(quick(), tb.Arena("agar", obstacles=[tb.Pillar(0.68, 0.0, 0.1)]), 1500.0, seed=5).sensed().max()
    assert head_on["FLPL touch"] > 0.3 and head_on["ASHL touch"] > 0.3 and head_on["PLML touch"] < 0.05
    beside = run_of(quick(), tb.Arena("agar", obstacles=[tb.Pillar(-0.1, -0.152, 0.07)]), 1200.0, seed=5).sensed().max()
    assert beside["PLML touch"] > 0.3 and beside["FLPL touch"] < 0.01


def test_a_wall_on_one_side_is_felt_on_that_side_only():
    """In a straight pose: a wall to the left of its way lies on the dorsal side of the body."""
    for y, near, far in ((0.104, "OLQD", "OLQV"), (-0.104, "OLQV", "OLQD")):
        found = felt(pressed_body([Pillar(0.5, y, 0.1)], steps=1).load[0])
        assert min(found[near + side] for side in "LR") > 0.01
        assert max(found[far + side] for side in "LR") < 0.05 * found[near + "L"]


PILLARS = [tb.Pillar(0.67, 0.02, 0.1), tb.Pillar(-0.1, -0.152, 0.07)]


def stepped(engine):
    worm = quick().touch((0.1, 0.3), start=40.0, stop=100.0).tap(140.0)
    worm.touch(0.0, start=60.0, stop=120.0, side="dorsal")
    made = tb.Simulation(worm, tb.Arena("agar", obstacles=PILLARS), engine=engine, progress=False)
    made.reset(seed=5)
    return made, [made.step(8.0) for _ in range(24)]


def test_the_engines_agree_in_touch():
    (_, neuron), (_, native) = stepped("neuron"), stepped("native")
    assert max(seen.inputs[0]["touch"].max() for seen in native) >= 5.0
    found = [np.abs(a.voltage - b.voltage).max() for a, b in zip(neuron, native, strict=True)]
    assert max(found) < EXACT


def test_a_state_taken_in_contact_gives_the_same_bits_again():
    made, _ = stepped("native")
    state, touch = made.loop.state(), made.loop.animals[0].inputs("touch").copy()
    first = made.step(80.0)
    made.step(40.0)
    made.loop.restore(state)
    assert made.loop.body.load.any() or not touch.any()
    again = made.step(80.0)
    for name in ("voltage", "midline"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    assert np.array_equal(first.inputs[0]["touch"], again.inputs[0]["touch"]) and first.inputs[0]["touch"].any()


# --- the intervention


@pytest.mark.parametrize(
    "text",
    [
        "touch 0.2 start=100.0 stop=200.0",
        "touch at=[0.1,0.3] start=100.0 stop=200.0 indentation=3.0 side=ventral",
        "tap 500.0",
    ],
)
def test_words_tables_and_calls_say_the_same(text):
    worm = apply(tb.Worm(), parse_command(text))
    again = apply(tb.Worm(), parse_command(to_command(worm.interventions[0])))
    table = apply(tb.Worm(), dict(worm.interventions[0]))
    assert worm.pokes == again.pokes == table.pokes and worm.interventions == again.interventions
    assert not worm.anatomy_changes and worm.network_key == tb.Worm().network_key


def test_nose_touch_is_a_touch_at_0_and_defaults_are_those_of_the_table():
    (poke,) = tb.Worm().touch(0.0).pokes
    assert poke == Poke(0.0, 0.0, 0.0, np.inf, touch_constants()["touch_indentation"])
    (poke,) = tb.Worm().tap(1000.0).pokes
    assert poke.stop - poke.start == touch_constants()["tap_duration"] and poke.gentle_only
    assert tb.Worm().touch(np.array([0.1, 0.3])).pokes == tb.Worm().touch((0.1, 0.3)).pokes


@pytest.mark.parametrize(
    ("do", "words"),
    [
        (lambda worm: worm.touch(1.2), "outside 0 to 1 L"),
        (lambda worm: worm.touch((0.5, 0.2)), "give the front first"),
        (lambda worm: worm.touch((0.1, 0.2, 0.3)), "takes 2 numbers"),
        (lambda worm: worm.touch("nose"), "at = nose is no place on the body"),
        (lambda worm: worm.touch(0.5, side="up"), "unknown side 'up'"),
        (lambda worm: worm.touch(0.5, indentation=-1.0), "negative"),
        (lambda worm: worm.touch(0.5, indentation=500.0), "too large"),
        (lambda worm: worm.touch(0.5, start=20.0, stop=10.0), "start < stop"),
        (lambda worm: worm.tap(float("nan")), "not a number"),
        (lambda worm: worm.tap(-5.0), "start < stop"),
        (lambda worm: worm.tap(5.0, indentation=1e3), "too large"),
    ],
)
def test_a_touch_that_cannot_be_is_refused_and_changes_nothing(do, words):
    worm = tb.Worm()
    with pytest.raises(tb.ConfigError, match=words):
        do(worm)
    assert worm.interventions == () == worm.pokes


ROW = dict(
    neuron="PLML", group="gentle", front="0.5", back="0.9", side="left", site_s="0.7", g_nS="0.5", e_mV="10",
    k_half_um="1.5", hill="3", tau_rise_ms="2", tau_ms="50", off="1", tonic="0", genes="mec-4", source="test",
    certainty="low",
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"neuron": "PLMX"}, "unknown neuron 'PLMX'"),
        ({"group": "soft"}, "unknown group 'soft'"),
        ({"side": "up"}, "unknown side 'up'"),
        ({"front": "0.95"}, "need 0 <= front < back <= 1"),
        ({"site_s": "2"}, "site_s must be"),
        ({"g_nS": "-1"}, "g_nS cannot be negative"),
        ({"k_half_um": "0"}, "k_half_um must be positive"),
        ({"hill": "99"}, "hill must be positive and 20 at most"),
        ({"tau_rise_ms": "0"}, "tau_rise_ms must be positive"),
        ({"tau_ms": "0"}, "tau_ms must be positive"),
        ({"off": "2"}, "off is a share"),
        ({"tonic": "-1"}, "tonic is a share"),
        ({"tau_ms": "soon"}, "'tau_ms' = soon is not a number"),
        ({"source": ""}, "'source' is empty"),
    ],
)
def test_a_malformed_row_is_named(tmp_path, change, words):
    path = tmp_path / "touch.csv"
    path.write_text(f"{','.join(ROW)}\n{','.join({**ROW, **change}.values())}\n")
    with pytest.raises(tb.ConfigError, match=f"touch.csv, row 2: .*{words}"):
        touch_receptors(path)


def test_a_neuron_has_one_row(tmp_path):
    path = tmp_path / "touch.csv"
    path.write_text("\n".join([",".join(ROW), *[",".join(ROW.values())] * 2]))
    with pytest.raises(tb.ConfigError, match="row 3: PLML has two rows"):
        touch_receptors(path)


def test_the_exported_mechanism_has_the_same_equations():
    def equations(text):
        return text[text.index("BREAKPOINT") :].strip()

    original = (data_root() / "mod" / "mechanosensory.mod").read_text()
    assert equations(FIXED_MECHANISMS["fixed_mechanosensory.mod"]) == equations(original)
