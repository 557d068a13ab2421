"""The 14 channels and the calcium pool in real NEURON, against published vectors and closed forms."""

import math
import re
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from tianbao import mechanisms
from tianbao.cells import channels
from tianbao.cells.channels import CHANNELS, parameters
from tianbao.electrophysiology.gates import GATES
from tianbao.errors import ConfigError
from tianbao.validation.reference import SET_C19, SET_H, sigma, vectors

E_K, E_CA, E_NCA = -80.0, 60.0, 30.0  # mV
POTASSIUM = [name for name in CHANNELS if name not in ("egl19", "unc2", "cca1", "nca")]
SLO = ("slo1", "slo2")

@pytest.fixture(scope="module")
def h():
    mechanisms.load()
    from neuron import h

    return h


@pytest.fixture
def cell(h):
    """Makes sections with chosen mechanisms and ion reversals; voltage hardly moves in them."""
    made = []

    def make(*inserted, diam=10.0, clamped=True):
        section = h.Section(name=f"cell{len(made)}")
        section.L = section.diam = diam
        section.cm = 1e9 if clamped else 1.0
        for name in inserted:
            section.insert(name)
        for ion, e in (("k", E_K), ("ca", E_CA)):
            if h.ismembrane(f"{ion}_ion", sec=section):
                h.ion_style(f"{ion}_ion", 3, 1, 0, 0, 0, sec=section)
                setattr(section, f"e{ion}", e)
        made.append(section)
        return section

    yield make
    for section in made:
        h.delete_section(sec=section)
    h.celsius = 6.3


def opened(section, density=1e-4):
    """Give every channel of a section a conductance [S/cm2]."""
    for mechanism in section(0.5):
        for name in ("gbar", "gbar_egl19", "gbar_unc2"):
            if hasattr(mechanism, name):
                setattr(mechanism, name, density)
    return section


def value(h, section, mechanism, name):
    """RANGE variable of a mechanism, or its global parameter."""
    instance = getattr(section(0.5), mechanism)
    return getattr(instance, name) if hasattr(instance, name) else getattr(h, f"{name}_{mechanism}")


def test_vectors_cover_every_gate_of_the_models():
    assert {gate for gate, *_ in vectors()} == set(GATES)


def test_set_c19_gates_are_the_published_ones(h, cell):
    section = opened(cell(*CHANNELS))
    for gate, voltage, steady, tau in vectors():
        mechanism, inf_name, tau_name, state = GATES[gate]
        h.finitialize(voltage)
        assert value(h, section, mechanism, inf_name) == pytest.approx(steady, rel=1e-3), (gate, voltage)
        assert value(h, section, mechanism, tau_name) == pytest.approx(tau, rel=1e-3), (gate, voltage)
        assert value(h, section, mechanism, state) == pytest.approx(steady, rel=1e-3), (gate, voltage)


@pytest.mark.parametrize("gate", [gate for gate in GATES if not gate.startswith(SLO)])
def test_gates_relax_with_the_published_time_constants(h, cell, gate):
    """What is integrated, not what is reported: step the voltage and watch the state."""
    mechanism, _, _, state = GATES[gate]
    section = opened(cell(mechanism), 0.0)
    table = {voltage: (steady, tau) for name, voltage, steady, tau in vectors() if name == gate}
    start, (steady, tau) = table[-60.0][0], table[0.0]
    h.dt = tau / 20
    h.finitialize(-60)
    section.v = 0.0
    for _ in range(20):
        h.fadvance()
    moved = value(h, section, mechanism, state) - start
    assert moved == pytest.approx((steady - start) * (1 - math.exp(-1)), rel=2e-3)


def test_set_c19_gates_are_the_formulas_at_other_voltages_too(h, cell):
    section = opened(cell(*CHANNELS))
    for voltage in (-113.0, -97.5, -71.3, -52.9, -33.3, -18.1, -7.7, 6.4, 13.9, 29.2, 57.0):
        h.finitialize(voltage)
        for gate, (inf, tau) in SET_C19.items():
            mechanism, inf_name, tau_name, _ = GATES[gate]
            assert value(h, section, mechanism, inf_name) == pytest.approx(inf(voltage), rel=1e-5), (gate, voltage)
            assert value(h, section, mechanism, tau_name) == pytest.approx(tau(voltage), rel=1e-5), (gate, voltage)


def test_set_h_gates_are_the_published_ones(h, cell):
    section = opened(cell(*CHANNELS))
    for channel in CHANNELS:
        for name, number in parameters(channel, "H").items():
            setattr(getattr(section(0.5), channel), name, number)
    for voltage in (-90.0, -60.0, -30.0, -10.0, 0.0, 20.0, 40.0):
        h.finitialize(voltage)
        for gate, (inf, tau) in SET_H.items():
            mechanism, inf_name, tau_name, _ = GATES[gate]
            assert value(h, section, mechanism, inf_name) == pytest.approx(inf(voltage), rel=1e-9), (gate, voltage)
            assert value(h, section, mechanism, tau_name) == pytest.approx(tau(voltage), rel=1e-9), (gate, voltage)


@pytest.mark.parametrize("set_name", ["C19", "H"])
def test_bk_gate_copies_equal_the_channels_they_copy(h, cell, set_name):
    section = opened(cell("egl19", "unc2", *SLO))
    point = section(0.5)
    for channel in ("egl19", "unc2", *SLO):
        for name, number in parameters(channel, set_name).items():
            setattr(getattr(point, channel), name, number)
    for channel in ("egl19", *SLO):
        getattr(point, channel).shift = -7.0
    for voltage in (-60.0, -20.0, 20.0):
        h.finitialize(voltage)
        for slo in SLO:
            for partner in ("egl19", "unc2"):
                for gate in "mh":
                    for kind in ("inf", "tau"):
                        copy = getattr(getattr(point, slo), f"{gate}_{partner}_{kind}")
                        assert copy == getattr(getattr(point, partner), f"{gate}_{kind}")


def test_defaults_of_the_files_are_set_c19(h, cell):
    section = cell(*CHANNELS)
    for channel in CHANNELS:
        for name, number in parameters(channel).items():
            assert value(h, section, channel, name) == pytest.approx(number, rel=2e-6), (channel, name)


def test_no_parameter_of_a_file_has_more_digits_than_nmodl_keeps():
    """nocmodl rounds PARAMETER values to six digits without a word; CONSTANT values stay whole."""
    for path in mechanisms.sources():
        block = re.search(r"PARAMETER \{(.*?)\n\}", path.read_text(), re.DOTALL).group(1)
        for name, number in re.findall(r"^ +(\w+) = (\S+)", block, re.MULTILINE):
            assert float(f"{float(number):g}") == float(number), f"{path.name} {name}"


def test_both_sets_live_in_one_network(h, cell):
    ours, theirs = opened(cell("egl19")), opened(cell("egl19"))
    theirs(0.5).egl19.set_shift = parameters("egl19", "H")["set_shift"]
    h.finitialize(-20)
    assert ours(0.5).egl19.m > 2 * theirs(0.5).egl19.m


def test_shift_moves_egl19_along_the_voltage_axis(h, cell):
    plain, shifted = opened(cell("egl19")), opened(cell("egl19"))
    shifted(0.5).egl19.shift = -20.0
    h.finitialize(-10)
    expected = [getattr(plain(0.5).egl19, name) for name in ("m_inf", "m_tau", "h_inf", "h_tau")]
    h.finitialize(-30)
    assert [getattr(shifted(0.5).egl19, name) for name in ("m_inf", "m_tau", "h_inf", "h_tau")] == expected


@pytest.mark.parametrize(("voltage", "micromolar"), [(-20.0, 367.1), (-80.0, 642.5), (40.0, 91.8)])
@pytest.mark.parametrize("slo", SLO)
def test_nanodomain_calcium_has_the_computed_values(h, cell, slo, voltage, micromolar):
    section = opened(cell(slo))
    h.finitialize(voltage)
    assert getattr(section(0.5), slo).nanodomain - 0.05 == pytest.approx(micromolar, abs=0.06)


def test_no_current_flows_at_the_reversal(h, cell):
    section = opened(cell(*CHANNELS))
    h.finitialize(E_K)
    assert all(getattr(section(0.5), name).ik == 0 for name in POTASSIUM)
    h.finitialize(E_CA)
    assert all(getattr(section(0.5), name).ica == 0 for name in ("egl19", "unc2", "cca1"))
    h.finitialize(E_NCA)
    assert section(0.5).nca.i == 0


def test_currents_have_the_sign_of_their_ion(h, cell):
    section = opened(cell(*CHANNELS))
    h.finitialize(-20)
    assert all(getattr(section(0.5), name).ik > 0 for name in POTASSIUM)
    assert all(getattr(section(0.5), name).ica < 0 for name in ("egl19", "unc2", "cca1"))
    assert section(0.5).nca.i == pytest.approx(1e-4 * (-20 - E_NCA))


def test_egl36_weights_are_those_of_the_source(h, cell):
    section = opened(cell("egl36"))
    h.finitialize(0)
    assert section(0.5).egl36.ik == pytest.approx(1e-4 * 1.06 * sigma(-63 / 28.5) * (0 - E_K), rel=1e-9)


@pytest.mark.parametrize("voltage", [-120.0, -60.0, -20.0, 0.0, 40.0])
def test_a_channel_without_conductance_carries_exactly_nothing(h, cell, voltage):
    section = cell(*CHANNELS)
    h.finitialize(voltage)
    h.fadvance()
    point = section(0.5)
    assert point.ik == 0 and point.ica == 0 and point.nca.i == 0


def test_resting_cell_does_not_drift_from_its_initial_state(h, cell):
    section = opened(cell(*CHANNELS, "ca_pool"))
    h.dt = 0.1
    h.finitialize(-40)
    section(0.5).ca_pool.fraction = 0.0
    before = section(0.5).ik
    for _ in range(200):
        h.fadvance()
    assert section(0.5).ik == pytest.approx(before, rel=1e-7)


def test_temperature_changes_nothing(h, cell):
    section = opened(cell(*CHANNELS, "ca_pool", clamped=False))
    runs = []
    for celsius in (6.3, 20.0, 37.0):
        h.celsius, h.dt = celsius, 0.1
        h.finitialize(-60)
        trace = []
        for _ in range(200):
            h.fadvance()
            trace.append(section.v)
        runs.append(trace)
    assert runs[0] == runs[1] == runs[2]


def test_bk_channels_of_two_cells_do_not_share_calcium_channels(h, cell):
    """Global coupling would show whichever cell was computed last."""
    alone = opened(cell("slo1", "egl19", clamped=False))
    traces = []
    for _ in range(2):
        h.dt = 0.1
        h.finitialize(-30)
        trace = []
        for _ in range(100):
            h.fadvance()
            trace.append((alone.v, alone(0.5).slo1.o_egl19))
        traces.append(trace)
        other = opened(cell("slo1", "egl19", "unc2", clamped=False), 1e-3)
        other(0.5).slo1.shift = other(0.5).egl19.shift = -20.0
    assert traces[0] == traces[1]
    assert other(0.5).slo1.m_egl19 != alone(0.5).slo1.m_egl19


def test_bk_current_needs_its_calcium_channel_active(h, cell):
    section = opened(cell("slo1"))
    h.finitialize(-20)
    point = section(0.5).slo1
    open_now = point.o_egl19_inf
    point.m_egl19 *= 0.5
    h.dt = 1e-6
    h.fadvance()
    assert point.o_egl19_inf == pytest.approx(0.5 * open_now, rel=1e-4)


def test_a_bk_complex_without_conductance_is_left_out(h, cell):
    section = cell("slo2")
    section(0.5).slo2.gbar_egl19 = 1e-4
    h.finitialize(0)
    point = section(0.5).slo2
    assert point.o_egl19 > 0 and point.m_unc2 == 0 and point.o_unc2 == 0


def pool_after(h, section, milliseconds):
    """Calcium [mM] after a time at -10 mV."""
    h.dt = 0.05
    h.finitialize(-10)
    for _ in range(round(milliseconds / h.dt)):
        h.fadvance()
    return section(0.5).cai


def test_calcium_rises_to_what_influx_and_removal_balance(h, cell):
    section = opened(cell("egl19", "ca_pool"), 1e-3)
    reached = pool_after(h, section, 500)
    influx = -0.001 * section(0.5).ica * 1e-3 / (2 * 96485.332 * 0.1e-4) * 1e6 / 1e3  # mM/ms
    assert reached == pytest.approx(5e-5 + 50 * influx, rel=1e-3)
    assert reached > 2 * 5e-5


def test_calcium_pool_agrees_with_the_source_in_its_units(h, cell):
    """Source: dCa/dt [mM/ms] = f I[pA] / (2 vol[um3] 96.485)."""
    section = opened(cell("egl19", "ca_pool"), 1e-3)
    pool_after(h, section, 500)
    area = section(0.5).area()
    current = -10 * section(0.5).ica * area  # pA
    volume = area * section(0.5).ca_pool.depth
    excess = section(0.5).cai - section(0.5).ca_pool.rest
    assert excess == pytest.approx(50 * 0.001 * current / (2 * volume * 96.485), rel=1e-3)


def test_calcium_depends_on_current_density_not_on_size(h, cell):
    small, large = (opened(cell("egl19", "ca_pool", diam=d), 1e-3) for d in (2.0, 20.0))
    pool_after(h, small, 20)
    assert small(0.5).cai == pytest.approx(large(0.5).cai, rel=1e-12)


def test_calcium_excess_is_inverse_to_the_depth_of_the_shell(h, cell):
    thin, thick = (opened(cell("egl19", "ca_pool"), 1e-3) for _ in range(2))
    thin(0.5).ca_pool.depth = 0.05
    pool_after(h, thin, 20)
    assert thin(0.5).cai - 5e-5 == pytest.approx(2 * (thick(0.5).cai - 5e-5), rel=1e-9)


def test_outward_calcium_current_does_not_drain_the_pool(h, cell):
    section = opened(cell("egl19", "ca_pool"), 1e-3)
    h.finitialize(80)
    for _ in range(100):
        h.fadvance()
    assert section(0.5).ica > 0 and section(0.5).cai == pytest.approx(5e-5, rel=1e-12)


def test_calcium_reversal_stays_where_it_was_set(h, cell):
    held, nernst = (opened(cell("egl19", "ca_pool"), 1e-3) for _ in range(2))
    h.ion_style("ca_ion", 3, 2, 1, 1, 0, sec=nernst)
    pool_after(h, held, 20)
    assert held.eca == E_CA
    assert nernst.eca > 100.0


def test_kcnl_opens_with_calcium(h, cell):
    section = opened(cell("kcnl", "ca_pool"))
    for micromolar in (0.05, 0.33, 3.3):
        section(0.5).ca_pool.rest = micromolar * 1e-3
        h.finitialize(-40)
        expected = micromolar / (0.33 + micromolar)
        assert section(0.5).kcnl.m == pytest.approx(expected, rel=1e-9)
        assert section(0.5).kcnl.ik == pytest.approx(1e-4 * expected * 40, rel=1e-9)


def test_every_file_passes_modlunit(tmp_path):
    modlunit = Path(sysconfig.get_path("scripts")) / "modlunit"
    for path in mechanisms.sources():
        run = subprocess.run([modlunit, path], capture_output=True, text=True, cwd=tmp_path)
        said = [line for line in (run.stdout + run.stderr).splitlines() if line.strip()]
        assert run.returncode == 0 and said[-1].startswith("Checking units"), said


def test_every_file_is_thread_safe_and_knows_no_temperature():
    for path in mechanisms.sources():
        text = path.read_text()
        assert "THREADSAFE" in text and "celsius" not in text, path.name


def test_channel_names_are_the_mechanisms():
    assert len(CHANNELS) == len(set(CHANNELS)) == 14
    assert set(CHANNELS) <= set(mechanisms.names())


def test_every_row_of_the_table_has_a_source_and_differs():
    for row in channels.table():
        assert row["source"] and row["certainty"] in ("high", "medium", "low")
        assert row["C19"] != row["H"], row


def test_parameters_are_a_fresh_copy():
    parameters("egl19")["set_shift"] = 99.0
    assert parameters("egl19") == {"set_shift": -10.0}
    assert parameters("nca") == {}


def test_unknown_channel_and_set_name_the_nearest():
    with pytest.raises(ConfigError, match="unknown channel 'egl91': did you mean 'egl19'"):
        parameters("egl91")
    with pytest.raises(ConfigError, match="unknown channel parameter set 'c19': did you mean 'C19'"):
        parameters("egl19", "c19")


def test_bad_value_names_file_and_row(tmp_path):
    bad = tmp_path / "channels.csv"
    bad.write_text("channel,parameter,unit,c19,h,source,certainty\negl2,tau_span,ms,x,1,a test,low\n")
    with pytest.raises(ConfigError, match="channels.csv, row 2: egl2 tau_span is not a number"):
        channels.table(bad)


def test_states_of_a_fine_cable_equal_those_of_a_point(h, cell):
    cable, point = opened(cell(*CHANNELS)), opened(cell(*CHANNELS))
    cable.nseg = 5
    for segment in cable:
        for channel in segment:
            for name in ("gbar", "gbar_egl19", "gbar_unc2"):
                if hasattr(channel, name):
                    setattr(channel, name, 1e-4)
    h.finitialize(-30)
    currents = np.array([segment.ik for segment in cable])
    assert currents == pytest.approx(point(0.5).ik, rel=1e-12)
