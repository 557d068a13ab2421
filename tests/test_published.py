"""Published model cells and the mechanisms that only they need, in real NEURON."""

from __future__ import annotations

import math

import pytest

from tianbao.cells import published
from tianbao.electrophysiology.cell import PatchedCell
from tianbao.electrophysiology.protocols import current_steps
from tianbao.electrophysiology.sections import build
from tianbao.errors import ConfigError
from tianbao.validation.cells import published_sweeps

VOLTAGES = (-95.0, -70.0, -45.0, -20.0, 0.0, 25.0, 50.0)


def sigma(x):
    return 1 / (1 + math.exp(-x))


def exp(x):
    return math.exp(x)


def product(v, a, b, c, d):
    return (a / (1 + exp((v - b) / c)) + d) * (a / (1 + exp(-(v - b) / c)) + d)


# (mechanism, steady state, time constant) -> formulas of Nicoletti 2024 [mV, ms]
FORMULAS = {
    ("kqt1", "m_inf", "m_tau"): (
        lambda v: sigma((v + 17.6) / 9.58),
        lambda v: 895.9 / (1 + exp((-18.01 - v) / 31.04)) + 10,
    ),
    ("kqt1", "s_inf", "s_tau"): (
        lambda v: 0.59 / (1 + exp((v + 86.84) / 15.05)) + 0.41 / (1 + exp((v - 70.13) / 13.37)),
        lambda v: 1077 + 185845 / (1 + ((v - 39.44) / 7.34) ** 2),
    ),
    ("unc103", "m_inf", "m_tau"): (
        lambda v: sigma((v + 15.1) / 7.85),
        lambda v: product(v, 87.4088, -28.3339, 13.0998, 0.2562),
    ),
    ("unc103", "h_inf", "h_tau"): (
        lambda v: 1 - sigma((v + 48) / 28),
        lambda v: product(v, 8.1559, -25.289, 29.5074, 0.23),
    ),
    ("shl1_n24", "m_inf", "m_tau"): (
        lambda v: sigma((v - 0.26) / 16.25),
        lambda v: 0.5 * (13.8 / (exp(-(v + 40) / 12.92) + exp((v + 40) / 6.488)) + 1.885),
    ),
    ("shl1_n24", "h_inf", "h_fast_tau"): (
        lambda v: 1 - sigma((v + 50) / 8.3),
        lambda v: (539.16 / (1 + exp((v + 60) / 4.92)) + 27.28) / 3,
    ),
    ("shl1_n24", "h_inf", "h_slow_tau"): (
        lambda v: 1 - sigma((v + 50) / 8.3),
        lambda v: 8422 / (1 + exp((v + 60) / 6.38)) + 118.9,
    ),
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


@pytest.mark.parametrize("key", FORMULAS, ids=lambda key: f"{key[0]} {key[2]}")
def test_gates_are_the_published_formulas(h, key):
    mechanism, inf_name, tau_name = key
    section = ball(mechanism)
    inf, tau = FORMULAS[key]
    for voltage in VOLTAGES:
        h.finitialize(voltage)
        instance = getattr(section(0.5), mechanism)
        assert getattr(instance, inf_name) == pytest.approx(inf(voltage), rel=1e-6)
        assert getattr(instance, tau_name) == pytest.approx(tau(voltage), rel=1e-6)


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
        assert getattr(section(0.5), name).m_inf == pytest.approx(sigma((voltage - half) / slope), rel=1e-5)


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


def test_published_sweeps_are_measured_where_their_authors_did():
    assert published_sweeps("AWC", "VC").protocol.epochs[1].duration == 100.0
    assert published_sweeps("AIY", "CC").protocol.epochs[1].duration == 5000.0
