"""Strengths on the assembled NEURON objects equal what EM sections and declared parameters give by hand.

Nothing here calls the functions that compute strengths in the package: counts are read off connectome/ by eye,
capacitances are areas of NEURON's own segments.
"""

import numpy as np
import pytest

from tianbao import anatomy, parameters

P = parameters.defaults()
UF_CM2 = 0.01  # [pF/um2] of 1 uF/cm2


def capacitance(network, cell):
    """Of a built cell [pF], by NEURON's areas."""
    sections = network.cells[cell].secs.values()
    return sum(segment.area() * segment.cm * UF_CM2 for section in sections for segment in section["hObj"])


def between(network, pre, post, electrical=False):
    """The synapse, or side of a gap junction, on `post` that reads `pre` (NEURON point process)."""
    (source,) = (cell["gid"] for cell in network.sim.net.allCells if cell["tags"]["pop"] == pre)
    there = [each for each in network.cells[post].conns if each["preGid"] == source]
    (found,) = (each["hObj"] for each in there if ("gap" in each["synMech"]) == electrical)
    return found


def size(network, cell):
    """Factor on inputs onto a cell: declared power of its capacitance over that of the prototype."""
    return (capacitance(network, cell) / P.input_reference_capacitance) ** P.capacitance_exponent


CHEMICAL = [
    # pre, post, EM sections, gain per section [nS], reversal [mV], half-release [mV]
    ("AVAL", "DA4", 12, P.excitatory_gain, P.reversal_excitatory, P.release_half),
    ("RIML", "AVAL", 5, P.excitatory_gain, P.reversal_excitatory, -14.0),
    ("DVC", "AVAL", 14, P.excitatory_gain, P.reversal_excitatory, -24.0),
    ("RIS", "AVEL", 17, P.inhibitory_gain, P.reversal_inhibitory, P.release_half),  # GABA
    ("AIYL", "AIZL", 67, P.inhibitory_gain, P.reversal_inhibitory, P.release_half),  # predicted by Fenyves 2020
    ("DB4", "VD6", 14, P.dyad_gain, P.reversal_excitatory, P.release_half),  # at dyads with muscle
    ("RMDDL", "RMDVR", 22, P.head_cross_gain, P.reversal_inhibitory, P.release_half),
    ("SMDDL", "SMDVR", 17, P.head_cross_gain, P.reversal_inhibitory, P.release_half),
]


@pytest.mark.parametrize(("pre", "post", "sections", "gain", "reversal", "half"), CHEMICAL)
def test_a_chemical_synapse_is_its_sections_times_its_gain(network, pre, post, sections, gain, reversal, half):
    synapse = between(network, pre, post)
    assert synapse.weight == pytest.approx(1e-3 * gain * sections * size(network, post), rel=1e-6)
    assert (synapse.e, synapse.v_half) == (reversal, half)
    assert (synapse.slope, synapse.tau) == (P.release_slope, P.synapse_tau)


GAP = [
    # a, b, EM sections that count
    ("AVBL", "VB6", 3),
    ("AVAL", "VA6", 13),
    ("ALA", "CANL", 100),  # 401 in the micrographs, a tracing outlier
    ("DA8", "DA9", 15 * 25 / 69),  # both have 69 in all, where a motor neuron of the cord may have 25
    ("DB4", "DB5", 5),
]


@pytest.mark.parametrize(("a", "b", "sections"), GAP)
def test_a_gap_junction_is_its_sections_times_its_gain_from_both_sides(network, a, b, sections):
    by_hand = 1e-3 * P.gap_gain * sections * np.sqrt(size(network, a) * size(network, b))
    assert between(network, a, b, electrical=True).weight == pytest.approx(by_hand, rel=1e-6)
    assert between(network, b, a, electrical=True).weight == pytest.approx(by_hand, rel=1e-6)


# Sections along the cord (rows 9 to 24): of excitatory neurons 1356 are counted and 842 extrapolated, of GABA neurons
# 554 are counted. Of these A neurons have 570, B neurons 481, AS 130 and D neurons 541. A left and a right contact of
# mirror images have the mean of both counts. Two muscle cells, left and right, make up a row of one side.
EXCITATORY = 1356 + 842 * P.sublateral_nmj_scale
JUNCTIONS = [
    # neuron, muscle, share of the row's full drive, gain
    ("RMDDL", "MDR03", (8 + 1) / 2 / 240, P.nmj_excitatory_gain),  # head: 240 onto row D3 in all
    ("RMEL", "MDR03", (22 + 45) / 2 / 67, P.nmj_inhibitory_gain),
    ("RMED", "MVL02", (15 + 25) / 2 / 40, P.nmj_inhibitory_gain),
    ("DB4", "MDL14", (1 + 5) / 2 / 11 * 481 / EXCITATORY, P.nmj_excitatory_gain),
    ("VA5", "MVR13", (4 + 6) / 2 / 17 * 570 / EXCITATORY, P.nmj_excitatory_gain),
    ("AS6", "MDR14", (9 + 3) / 2 / 12 * 130 / EXCITATORY, P.nmj_excitatory_gain),
    ("DD3", "MDL13", (6 + 8) / 2 / 15 * 541 / 554, P.nmj_inhibitory_gain),
]


@pytest.mark.parametrize(("neuron", "muscle", "share", "gain"), JUNCTIONS)
def test_a_neuromuscular_junction_is_its_share_of_the_drive_of_its_row(network, neuron, muscle, share, gain):
    cell = network.muscle(muscle)(0.5)
    leak = 1e3 * cell.pas.g * cell.area() * 1e-2  # [nS], of S/cm2 and um2
    synapse = between(network, neuron, muscle)
    assert leak == pytest.approx(3.0)
    assert synapse.weight == pytest.approx(1e-3 * gain * leak * share * 2, rel=1e-6)
    assert synapse.e == (P.reversal_inhibitory if gain == P.nmj_inhibitory_gain else P.reversal_excitatory)


RECEPTORS = [
    ("DB4", P.cord_stretch_gain + P.cord_opposite_gain),
    ("VA6", P.cord_stretch_gain + P.cord_opposite_gain),
    ("RMDDL", P.head_stretch_gain),
    ("SMDVR", P.head_stretch_gain),
]


@pytest.mark.parametrize(("neuron", "gain"), RECEPTORS)
def test_a_receptor_has_its_gain_once_over_all_its_sites(network, neuron, gain):
    points = network.receptors(neuron, "stretch")
    scale = 1e-3 * size(network, neuron)
    assert len(points) > 1
    assert [point.gain for point in points] == pytest.approx([scale * gain] * len(points), rel=1e-6)
    assert sum(point.share for point in points) == pytest.approx(1.0)
    assert points[0].saturation == pytest.approx(scale * P.stretch_saturation, rel=1e-6)


def test_a_muscle_that_is_clamped_follows_with_its_declared_time_constant(network):
    from neuron import h

    from tianbao.cells.temperature import set_rates

    muscle = network.muscle("MVR10")(0.5)
    before, after, switch = -70.0, -35.0, 20.0
    clamp = h.SEClamp(muscle)
    clamp.rs, clamp.dur1, clamp.amp1, clamp.dur2, clamp.amp2 = 1e-3, switch, before, 1e9, after
    set_rates(h, 1.0)  # a test at another temperature leaves its rate behind
    h.dt, h.secondorder, muscle.sec.v = 0.5, 0, before
    network.sim.pc.set_maxstep(10.0)
    h.finitialize()
    network.sim.pc.psolve(switch + P.muscle_tau)
    relaxed, active = (1.0 / (1.0 + np.exp((P.muscle_half - v) / P.muscle_slope)) for v in (before, after))
    assert muscle.muscle_activation.a == pytest.approx(active - (active - relaxed) / np.e, rel=0.01)


def test_bias_into_a_cell_grows_with_its_size_as_declared(network):
    bias = dict(zip(network.design.neurons, network.design.bias(), strict=True))
    for name, point in (("DB4", P.cord_bias), ("VA6", P.cord_bias), ("VB6", P.cord_bias + P.vb_bias)):
        assert bias[name] == pytest.approx(point * size(network, name), rel=1e-6)
    assert bias["RMDDL"] == pytest.approx(P.head_bias * size(network, "RMDDL"), rel=1e-6)
    classes = anatomy.neurons()["class"]
    driven = classes.isin(["DA", "VA", "DB", "VB", "SMDD", "SMDV", "RMDD", "RMDV"])
    assert {name for name, current in bias.items() if current} == set(classes.index[driven])


def test_mirror_images_are_driven_alike(network):
    for one, two in (("MDL14", "MDR14"), ("MVL03", "MVR03")):
        drive = [
            sum(each["hObj"].weight for each in network.cells[muscle].conns if each["synMech"].startswith("nmj"))
            for muscle in (one, two)
        ]
        assert drive[0] == pytest.approx(drive[1])
