"""Senses read what is there, receptors and drives come from tables, and ASEL and ASER answer steps of salt."""

import hashlib

import numpy as np
import pytest

from tianbao import anatomy, parameters
from tianbao.cells.geometry import geometry
from tianbao.electrophysiology.transduction import SensoryCell
from tianbao.engine.library import understood
from tianbao.environment import Arena, Bath, Gaussian
from tianbao.errors import ConfigError
from tianbao.network.drives import drives
from tianbao.sensing import ChemicalSense, GasSense, Receptor, Seen, ThermalSense, dendrite_tip, receptors
from tianbao.sensing.chemical import points_at
from tianbao.sensing.stretch import stretch_classes
from tianbao.worm import Worm

MIDLINE = np.column_stack([np.linspace(1.0, 0.0, 49), np.zeros(49), np.zeros(49)])
DROP = Gaussian("nacl", peak=80.0, width=0.5, centre=(1.5, 0.2, 0.0), background=3.0)


def seen(arena, time=0.0, midline=MIDLINE):
    return Seen(time, np.zeros(47), midline, arena)


def felt(sense, *where, **when):
    out = np.full(len(sense.receptors), np.nan)
    sense.write(seen(*where, **when), out=out)
    return out


# What the endings read


def test_ase_taste_the_concentration_at_the_nose():
    sense = ChemicalSense()
    tasters = [each.field == "nacl" for each in sense.receptors]
    assert [each.neuron for each in sense.receptors if each.field == "nacl"] == ["ASEL", "ASER"]
    nose = 3.0 + 80.0 * np.exp(-(0.5**2 + 0.2**2) / (2.0 * 0.5**2))
    assert felt(sense, Arena(fields=[DROP]))[tasters] == pytest.approx([nose, nose])
    away = felt(sense, Arena(fields=[DROP]), midline=MIDLINE[::-1])
    assert away[tasters] == pytest.approx(3.0 + 80.0 * np.exp(-4.58))
    assert (away[~np.array(tasters)] == 0.0).all()


def test_a_sense_without_its_field_reads_nothing():
    for sense in (ChemicalSense(), GasSense(), ThermalSense()):
        assert len(sense.receptors) and (felt(sense, Arena()) == 0.0).all()
        assert (felt(sense, Arena(fields=[Bath("benzaldehyde", [(0, 1.0)])])) == 0.0).all()


def test_a_bath_is_read_at_the_time_of_the_tick():
    arena = Arena(fields=[Bath("nacl", [(0, 5.0), (100, 50.0)])])
    assert [felt(ChemicalSense(), arena, time=time)[0] for time in (0.0, 96.0, 100.0)] == [5.0, 5.0, 50.0]


def receptor(neuron, field="nacl", site=0.0, unit="mM"):
    return Receptor(neuron, field, unit, site, 1.0, 1.0, 1.0, 1.0, "test", "low")


def test_every_receptor_reads_its_own_field_at_its_own_place():
    cells = (receptor("PHBL", site=0.9), receptor("AWCL", "odour"), receptor("ASEL"))
    ramp = Gaussian("nacl", peak=10.0, width=0.7)
    arena = Arena(fields=[ramp, Bath("odour", [(0, 2.0)])])
    places = ramp.at(np.array([[0.1, 0.0, 0.0], [1.0, 0.0, 0.0]]), 0.0)
    assert felt(ChemicalSense(cells), arena) == pytest.approx([places[0], 2.0, places[1]])


@pytest.mark.parametrize(
    ("sense", "name", "unit", "words"),
    [
        (ChemicalSense, "nacl", "degC", "'nacl' is in degC, and ASEL reads it in mM"),
        (GasSense, "oxygen", "mM", "'oxygen' is in mM, and BAGL reads it in %; give %"),
        (ThermalSense, "temperature", "%", "'temperature' is in %, and AFDL reads it in degC"),
    ],
)
def test_a_field_in_another_unit_is_refused(sense, name, unit, words):
    with pytest.raises(ConfigError, match=words):
        felt(sense(), Arena(fields=[Bath(name, [(0, 20.0)], unit=unit)]))


def test_a_world_without_oxygen_is_not_one_where_it_was_not_given():
    empty = felt(GasSense(), Arena(fields=[Bath("oxygen", [(0, 0.0)], unit="%")]))
    read = [each.field == "oxygen" for each in GasSense().receptors]
    assert (empty[read] > 0.0).all() and (empty[read] < 0.001).all()


def test_points_between_rings_lie_on_the_midline():
    bent = np.column_stack([np.zeros(5), np.arange(5.0) ** 2, np.zeros(5)])
    assert points_at(bent, np.array([0.0, 0.25, 0.625, 1.0]))[:, 1] == pytest.approx([0.0, 1.0, 6.5, 16.0])


@pytest.mark.parametrize("neuron", ["ASEL", "ASER"])
def test_the_current_of_ase_enters_at_the_foremost_end_of_the_dendrite(neuron):
    cell = geometry(anatomy.morphology(neuron))
    section, loc = dendrite_tip(cell)
    entered = cell.sites.index((section, loc))
    soma = cell.body.s[cell.is_soma].mean()
    assert (cell.body.s >= cell.body.s[entered]).all()
    assert not cell.is_soma[entered] and cell.body.s[entered] < 0.01 < 0.05 < soma
    assert cell.sites.index(dendrite_tip(cell, site=soma)) != entered


# Tables


ROW = dict(
    neuron="AWCL", sense="chemical", field="odour", unit="mM", site_s="0", gain_pA="5", k_half="1", tau_ms="500",
    polarity="-1", hill="", tau_rise_ms="", weber="", tonic="", origin="", whole_pA="", open="",
    source="test", certainty="low",
)  # fmt: skip


def table(tmp_path, *rows):
    path = tmp_path / "receptors.csv"
    path.write_text("\n".join([",".join(ROW), *(",".join({**ROW, **row}.values()) for row in rows)]))
    return path


def test_another_receptor_is_another_row(tmp_path):
    path = table(tmp_path, {}, {"neuron": "ASHL", "sense": "touch"}, {"neuron": "AWCR", "gain_pA": "-5"})
    found = receptors("chemical", path)
    assert [each.neuron for each in found] == ["AWCL", "AWCR"]
    plain = {"hill": 1.0, "origin": 0.0, "tau_rise": 0.0, "weber": 0.0, "tonic": 0.0, "whole": 0.0, "open": 0.5}
    assert found[1].mechanism_parameters() == {"gain": -5e-3, "k_half": 1.0, "tau": 500.0, "polarity": -1.0, **plain}
    assert receptors("thermal", path) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"neuron": "AWCX"}, "unknown neuron 'AWCX'"),
        ({"site_s": "1.5"}, "site_s must be"),
        ({"tau_ms": "0"}, "tau_ms must be positive"),
        ({"k_half": "-1"}, "k_half must be positive"),
        ({"gain_pA": "much"}, "'gain_pA' = much is not a number; give a value in pA"),
        ({"polarity": "2"}, "polarity is"),
        ({"hill": "0"}, "hill must be 20 at most and not 0"),
        ({"hill": "steep"}, "'hill' = steep is not a number"),
        ({"tau_rise_ms": "-1"}, "tau_rise_ms cannot be negative"),
        ({"weber": "-1"}, "weber cannot be negative"),
        ({"tonic": "1.5"}, "tonic is a share"),
        ({"whole_pA": "-1"}, "whole_pA cannot be negative"),
        ({"open": "1"}, "open is a share"),
        ({"unit": "ppm"}, "unknown unit 'ppm'"),
        ({"source": " "}, "'source' is empty"),
        ({"certainty": ""}, "'certainty' is empty"),
    ],
)
def test_a_malformed_row_is_named(tmp_path, change, words):
    with pytest.raises(ConfigError, match=f"receptors.csv, row 2: .*{words}"):
        receptors("chemical", table(tmp_path, change))


def test_a_neuron_has_one_receptor_for_a_field(tmp_path):
    with pytest.raises(ConfigError, match="row 3: AWCL has two receptors for odour"):
        receptors("chemical", table(tmp_path, {}, {}))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["class,DX,current,cord_bias"], "unknown class 'DX'"),
        (["cells,DB,current,cord_bias"], "unknown kind of driven cells"),
        (["class,DB,conductance,cord_bias"], "unknown drive of a class"),
        (["class,DB,current,cord_bais"], "did you mean 'cord_bias'"),
        (["template,avb,conductance,avb_conductance"], "needs a conductance and a reversal"),
    ],
)
def test_a_drive_that_names_nothing_is_refused(tmp_path, rows, words):
    path = tmp_path / "drives.csv"
    path.write_text("\n".join(["of,name,drive,parameter,source,certainty", *(f"{row},test,low" for row in rows)]))
    with pytest.raises(ConfigError, match=words):
        drives(path)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("DX,cord,dorsal,posterior,yes", "unknown class 'DX'"),
        ("DB,trunk,dorsal,posterior,yes", "unknown group"),
        ("DB,cord,left,posterior,yes", "unknown side"),
        ("DB,cord,dorsal,postrior,yes", "did you mean 'posterior'"),
        ("SMDD,head,dorsal,posterior,no", "unknown direction"),
        ("DB,cord,dorsal,posterior,maybe", "unknown adapts"),
    ],
)
def test_a_class_that_cannot_feel_so_is_refused(tmp_path, row, words):
    path = tmp_path / "stretch.csv"
    path.write_text(f"class,group,side,direction,adapts,source,certainty\n{row},test,low\n")
    with pytest.raises(ConfigError, match=words):
        stretch_classes(path)


PINNED = {
    "cord_bias": -2.0, "vb_bias": -0.8, "head_bias": 2.5, "cord_stretch_gain": 0.6, "head_stretch_gain": 0.5,
    "cord_window_offset": 0.08, "cord_window_length": 0.29, "cord_opposite_gain": 0.17, "cord_opposite_length": 0.32,
    "head_window_start": 0.08, "head_window_length": 0.34, "b_adaptation": 0.6, "b_adaptation_tau": 900.0,
    "capacitance_exponent": 0.3, "avb_conductance": 10.0, "avb_reversal": -14.0,
}  # fmt: skip


def digest(values):
    """Of eleven digits, so that another machine's last bit does not matter."""
    return hashlib.sha256(" ".join(f"{each:.10e}" for each in np.ravel(values) + 0.0).encode()).hexdigest()[:16]


def test_tables_give_the_receptors_and_drives_that_were_in_the_code_before():
    design = Worm(parameters=parameters.defaults().replace(**PINNED)).design(np.arange(1, 48) / 48)
    stretch, avb = design.stretch, design.membrane_of("AVBL")
    found = {
        "weights": stretch.weights,
        "fading": stretch.fading,
        "gains": [each.gain for each in stretch.receptors],
        "shares": [share for each in stretch.receptors for *_, share in each.sites],
        "bias": design.bias(),
        "avb": [avb.leak, avb.leak_reversal, avb.axonal_nca],
    }
    # Measured at 1a4f081, where classes and drives were written in the code.
    assert {name: digest(values) for name, values in found.items()} == {
        "weights": "9076596e70c840aa",
        "fading": "d92d7b883f346ead",
        "gains": "8cfa0f4e230394be",
        "shares": "f7754993e81fe972",
        "bias": "e9e61c381bbf74b8",
        "avb": "d4934b2555a7c69f",
    }


# What the cells answer


def test_the_native_engine_has_code_for_the_transduction():
    assert "SensoryTransduction" in {each.name for each in understood()}


@pytest.fixture(scope="module")
def tasting():
    return {neuron: SensoryCell(neuron) for neuron in ("ASEL", "ASER")}


def step(cell, before, after, duration=6000.0):
    """Time [ms], change of the soma's voltage [mV] and current [pA] after a step of concentration [mM]."""
    found = cell.answer(before, (after, duration))
    return found.time, found.voltage, found.current


def decay(time, values):
    """Time constant [ms] between 1 s and the end."""
    late = time > 1000.0
    return -1.0 / np.polyfit(time[late], np.log(np.abs(values[late])), 1)[0]


def test_asel_answers_a_tenfold_rise_and_aser_a_fall(tasting):
    (_, up, _), (_, down, _) = step(tasting["ASEL"], 5.0, 50.0), step(tasting["ASEL"], 50.0, 5.0)
    assert up.max() > 5.0 and up.min() > -0.1
    assert np.abs(down).max() < 0.1
    (_, up, _), (_, down, _) = step(tasting["ASER"], 5.0, 50.0), step(tasting["ASER"], 50.0, 5.0)
    assert up.min() < -2.0 and up.max() < 0.1
    assert down.max() > 5.0 and down.min() > -0.1


def unlimited(current, receptor):
    """Current in proportion to the answer, of which `current` is the Boltzmann function."""
    share = current / receptor.whole + receptor.open
    odds = receptor.open / (1.0 - receptor.open)
    return receptor.whole * receptor.open * (1.0 - receptor.open) * np.log(share / (1.0 - share) / odds)


@pytest.mark.parametrize(
    ("neuron", "before", "after"), [("ASEL", 45.0, 50.0), ("ASER", 45.0, 50.0), ("ASER", 50.0, 45.0)]
)
def test_the_current_adapts_with_its_tau(tasting, neuron, before, after):
    cell = tasting[neuron]
    time, _, limited = step(cell, before, after)
    current = unlimited(limited, cell.receptor)
    assert decay(time, current) == pytest.approx(cell.receptor.tau, rel=0.005)
    change = after / (after + cell.receptor.k_half) - before / (before + cell.receptor.k_half)
    assert current[0] == pytest.approx(cell.receptor.gain * change, rel=1e-3)


@pytest.mark.parametrize(
    ("neuron", "before", "after"), [("ASEL", 0.003, 0.03), ("ASER", 0.003, 0.03), ("ASER", 0.03, 0.003)]
)
def test_the_voltage_follows_within_a_twentieth_where_the_membrane_is_linear(tasting, neuron, before, after):
    cell = tasting[neuron]
    time, voltage, _ = step(cell, before, after)
    assert decay(time, voltage) == pytest.approx(cell.receptor.tau, rel=0.05)


def test_the_current_of_ase_saturates_and_little_of_it_can_be_lost(tasting):
    currents = [step(tasting["ASER"], *change)[2] for change in ((200.0, 1.0), (1.0, 200.0), (200.0, 100.0))]
    whole, share = tasting["ASER"].receptor.whole, tasting["ASER"].receptor.open
    assert currents[0].max() == pytest.approx(whole * (1.0 - share), rel=0.01)
    assert currents[1].min() == pytest.approx(-whole * share, rel=0.01)
    assert currents[2].max() > 0.9 * currents[0].max()


@pytest.mark.parametrize("neuron", ["ASEL", "ASER"])
def test_without_a_field_the_receptor_is_silent(tasting, neuron):
    _, voltage, current = step(tasting[neuron], 0.0, 0.0, duration=500.0)
    assert (current == 0.0).all() and np.abs(voltage).max() < 0.01
