"""Published model cells and the mechanisms that only they need, in real NEURON."""

from __future__ import annotations

import math

import published_port as port
import pytest

from tianbao.cells import published
from tianbao.electrophysiology.cell import PatchedCell
from tianbao.electrophysiology.protocols import Epoch, Protocol, current_steps, voltage_steps
from tianbao.electrophysiology.sections import build
from tianbao.errors import ConfigError
from tianbao.validation.published import outputs, protocol

VOLTAGES = (-95.0, -70.0, -45.0, -20.0, 0.0, 25.0, 50.0)

# (mechanism, steady state, time constant) -> gate of the port
SAME = {
    ("kqt1", "m_inf", "m_tau"): "kqt1_m",
    ("kqt1", "s_inf", "s_tau"): "kqt1_s",
    ("unc103", "m_inf", "m_tau"): "unc103_m",
    ("unc103", "h_inf", "h_tau"): "unc103_h",
    ("shl1_n24", "m_inf", "m_tau"): "shl1_m",
    ("shl1_n24", "h_inf", "h_fast_tau"): "shl1_f",
    ("shl1_n24", "h_inf", "h_slow_tau"): "shl1_s",
}


def ball(*mechanisms):
    """A section that carries these, each open, and hardly moves."""
    opened = {name: {"gbar": 1e-4} if name != "ca_shell" else {} for name in mechanisms}
    geometry = {"L": 10.0, "diam": 10.0, "cm": 1e9}
    ions = {"k": {"e": -80.0}, "ca": {"e": 60.0}}
    return build({"ball": {"geom": geometry, "topol": {}, "mechs": opened, "ions": ions}}, "ball")["ball"]


@pytest.fixture(scope="module")
def h():
    from tianbao import mechanisms

    mechanisms.load()
    from neuron import h

    return h


@pytest.mark.parametrize("key", SAME, ids=lambda key: f"{key[0]} {key[2]}")
def test_gates_are_the_published_formulas(h, key):
    mechanism, inf_name, tau_name = key
    section = ball(mechanism)
    inf, tau = port.GATES[SAME[key]]
    for voltage in VOLTAGES:
        h.finitialize(voltage)
        instance = getattr(section(0.5), mechanism)
        assert getattr(instance, inf_name) == pytest.approx(inf(voltage), rel=1e-5)
        assert getattr(instance, tau_name) == pytest.approx(tau(voltage), rel=1e-5)


@pytest.mark.parametrize(("name", "voltage_open"), [("slo1_iso", -0.027527), ("slo2_iso", -0.024123)])
def test_isolated_bk_opens_with_the_calcium_of_its_shell(h, name, voltage_open):
    """Half activation and slope as derived from the rates of the complex at that calcium."""
    constants = {
        "slo1_iso": (3.152961, 0.012643, 34.338784, 1e-4, 0.156217, 55.726816, 1.299198),
        "slo2_iso": (0.896395, 0.019405, 3294.553404, 1e-5, 0.026719, 93.449423, 1.835067),
    }[name]
    closing, closing_v, k_closed, n_closed, opening, k_open, n_open = constants
    section = ball(name, "ca_shell")
    calcium = 0.1  # uM, the lowest of the shell
    slope = 1 / (closing_v - voltage_open)
    half = slope * (
        math.log(closing / opening)
        + math.log(1 + (k_open / calcium) ** n_open)
        - math.log(1 + (calcium / k_closed) ** n_closed)
    )
    for voltage in (-40.0, 40.0):
        h.finitialize(voltage)
        assert getattr(section(0.5), name).m_inf == pytest.approx(port.sigma((voltage - half) / slope), rel=1e-5)


@pytest.mark.parametrize("name", ["kqt1", "unc103", "shl1_n24", "slo1_iso", "slo2_iso"])
def test_currents_reverse_at_the_potassium_potential_and_vanish_without_conductance(h, name):
    section = ball(name, "ca_shell")
    h.finitialize(-80.0)
    assert getattr(section(0.5), name).ik == 0.0
    h.finitialize(0.0)
    assert getattr(section(0.5), name).ik > 0.0
    getattr(section(0.5), name).gbar = 0.0
    h.finitialize(0.0)
    assert getattr(section(0.5), name).ik == 0.0


def test_steady_states_do_not_depend_on_the_step():
    cell = PatchedCell.of_published("VA5")
    coarse, fine = (cell.run(current_steps([-10.0, 20.0], duration=2000.0), dt).measure().steady for dt in (0.2, 0.05))
    assert coarse.to_numpy() == pytest.approx(fine.to_numpy(), abs=0.05)


def test_every_published_cell_has_its_own_capacitance_and_rests(h):
    for name in published.names():
        cell = PatchedCell.of_published(name)
        assert -90.0 < cell.rest() < -20.0, name


def test_a_calcium_channel_takes_its_complexes_with_it():
    with_it, without = (published.sections("VB6", gone)["soma"]["mechs"] for gone in ((), ("unc2",)))
    assert with_it["slo1"]["gbar_unc2"] > 0 and "gbar_unc2" not in without["slo1"]
    assert without["slo1"]["gbar_egl19"] == with_it["slo1"]["gbar_egl19"]


def test_unknown_cells_and_genes_are_refused():
    with pytest.raises(ConfigError, match="unknown published cell 'AWB'"):
        published.sections("AWB")
    with pytest.raises(ConfigError, match="unknown channel 'kqt9'"):
        published.sections("AIY", ("kqt9",))


def test_published_sweeps_are_as_long_as_those_of_their_source():
    assert protocol("AIY", "CC").epochs[1].duration == 5000.0
    assert protocol("VA5", "CC").epochs[1].duration == 1000.0
    assert protocol("VB6", "VC").epochs[1].duration == 600.0 and protocol("VB6", "VC").levels(0)[0] == -60.0


def reversals(cell, pA):
    """E_Ca at rest and at the end of a step of half a second [mV]."""
    found = []
    for step in (0.0, pA):
        cell.run(Protocol("current", (Epoch(10.0, (0.0,)), Epoch(500.0, (step,)))))
        found.append(cell.soma.eca)
    return found


def test_calcium_reverses_where_the_source_has_it():
    shell = reversals(PatchedCell.of_published("VA5"), 20.0)
    assert shell[0] == pytest.approx(port.nernst(1e-4), abs=0.01) and 80.0 < shell[1] < 100.0
    # No mechanism moves AIY's calcium: Nernst's potential of NEURON's defaults, whatever the gates' temperature.
    for celsius in (20.0, 25.0):
        constant = reversals(PatchedCell.of_published("AIY", celsius=celsius), 20.0)
        assert constant == pytest.approx([127.59, 127.59], abs=0.01)
    assert reversals(PatchedCell.of_published("RIM"), 15.0) == [60.0, 60.0]


def test_the_reversal_of_calcium_can_be_given():
    held = PatchedCell.of_published("VA5", e_ca=60.0)
    assert reversals(held, 20.0) == [60.0, 60.0]
    clamp = voltage_steps([0.0], delay=200.0, duration=20.0)
    own, same, nernst = (PatchedCell.of_neuron("AVAL", e_ca=each) for each in (None, 60, "nernst"))
    currents = [each.run(clamp).current[2150, 0] for each in (own, same, nernst)]
    assert currents[0] == currents[1] and own.soma.eca == 60.0
    # 0.05 uM in the pool at rest and 2 mM outside at 20 degC; the pool fills while the channels are open.
    assert nernst.soma.eca < 133.9 and nernst.soma.eca > 100.0
    assert currents[2] != pytest.approx(currents[0], rel=0.05)


@pytest.mark.parametrize("wrong", ["nernest", "60", float("nan"), True, [60.0], 6e4])
def test_a_wrong_reversal_of_calcium_is_refused(wrong):
    for make in (PatchedCell.of_published, PatchedCell.of_neuron):
        with pytest.raises(ConfigError, match="e_ca"):
            make("VB6", e_ca=wrong)


@pytest.mark.parametrize("name", ["VB6", "VD5"])
def test_neuron_and_an_independent_port_agree_on_steps_that_no_table_holds(name):
    cell = PatchedCell.of_published(name)
    for duration, step in ((200.0, -5.0), (700.0, 15.0)):
        found = cell.run(current_steps([step], delay=5.0, duration=duration, after=1.0))
        last = found.voltage[round((5.0 + duration) / 0.1), 0]
        assert last == pytest.approx(port.current_clamp(name, step, duration)[0], abs=0.05)
    found = cell.run(voltage_steps([10.0], delay=5.0, duration=300.0, after=1.0))
    assert found.current[3045, 0] == pytest.approx(port.voltage_clamp(name, 10.0, -60.0, 300.0), rel=2e-3)


def test_the_port_reproduces_what_the_authors_mechanisms_gave():
    """The runs of the authors' own files, which the port knows nothing of: evidence for the rows that are its own."""
    table = outputs()
    theirs = table[table.source.str.startswith("the mechanisms")]
    assert set(theirs.cell) == {"AIY", "RIM", "AVAL", "AVAR", "VA5"}
    for row in theirs.itertuples():
        last, _ = port.current_clamp(row.cell, row.step, row.duration)
        assert last == pytest.approx(row.value, abs=row.tolerance), (row.cell, row.step)


@pytest.mark.slow
def test_rows_of_the_port_are_what_it_gives():
    table = outputs()
    held = table[table.source.str.contains("published_port")].set_index(["cell", "mode", "step", "quantity"])
    made = list(port.rows())
    assert len(made) == len(held)
    for *key, value, duration, hold in made:
        row = held.loc[tuple(key)]
        assert row.value == pytest.approx(value, abs=0.006) and row.duration == duration
        assert hold is None or row.hold == hold
