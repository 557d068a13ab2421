"""Connection strengths and interventions follow the anatomy."""

import numpy as np
import pandas as pd
import pytest

from tianbao import anatomy, parameters
from tianbao.errors import AnatomyError, ConfigError
from tianbao.muscles import TensionMap
from tianbao.muscles.tension import strength
from tianbao.network import perturbations
from tianbao.network.design import intact_tables
from tianbao.network.wiring import gap_weights, nmj_weights
from tianbao.sensing.proprioception import stretch_field
from tianbao.worm import Worm

P = parameters.defaults()


@pytest.fixture(scope="module")
def tables():
    return intact_tables()


def test_every_muscle_row_receives_the_same_excitation(tables):
    muscles = anatomy.muscles()
    leak = 3.0
    weights = nmj_weights(tables.nmj, tables.intact_nmj, muscles, leak, P)
    excitatory = (tables.nmj.sign == "excitatory").to_numpy()
    rows = muscles.loc[tables.nmj.muscle]
    key = [rows.quadrant.str[0].to_numpy()[excitatory], rows.row.to_numpy()[excitatory]]
    total = pd.Series(weights[excitatory]).groupby(key).sum()
    cells = muscles.groupby([muscles.quadrant.str[0], "row"]).size()
    per_muscle = total / cells.loc[total.index].to_numpy()
    assert per_muscle.to_numpy() == pytest.approx(P.nmj_excitatory_gain * leak * 1e-3)


def test_killing_a_neuron_does_not_strengthen_its_neighbours(tables):
    muscles = anatomy.muscles()
    before = nmj_weights(tables.nmj, tables.intact_nmj, muscles, 3.0, P)
    after = perturbations.ablate(tables, ["DB3", "VB3"])
    survivors = ~tables.nmj.pre.isin(["DB3", "VB3"]).to_numpy()
    assert np.array_equal(nmj_weights(after.nmj, after.intact_nmj, muscles, 3.0, P), before[survivors])


def test_gap_weights_do_not_depend_on_direction(tables):
    capacitance = dict.fromkeys(anatomy.neurons().index, 4.0)
    forward = gap_weights(tables.gap, capacitance, P)
    swapped = tables.gap.rename(columns={"a": "b", "b": "a"})
    assert np.array_equal(forward, gap_weights(swapped, capacitance, P))


def test_ablation_leaves_no_connection(tables):
    after = perturbations.ablate(tables, ["AVAL"])
    for table, columns in ((after.chemical, ["pre", "post"]), (after.gap, ["a", "b"]), (after.nmj, ["pre"])):
        assert not (table[columns] == "AVAL").any().any()


def test_cutting_absent_gap_junctions_is_refused():
    with pytest.raises(ConfigError, match="nothing to change"):
        Worm().cut_gap_junctions("DB1", "VB11")


def test_unknown_neuron_is_refused_with_the_nearest_one():
    with pytest.raises(AnatomyError, match="unknown neuron 'AVAl': did you mean 'AVAL'"):
        Worm().ablate("AVAl")


@pytest.mark.parametrize("what", sorted(perturbations.SHUFFLES))
def test_a_shuffle_moves_connections_and_keeps_their_number(tables, what):
    classes = anatomy.neurons()["class"]
    after = perturbations.shuffle(tables, what, classes, seed=3)
    again = perturbations.shuffle(tables, what, classes, seed=3)
    changed = 0
    for name in ("chemical", "gap", "nmj"):
        before, now = getattr(tables, name), getattr(after, name)
        assert len(before) == len(now)
        assert now.equals(getattr(again, name))
        changed += not now.equals(before)
        assert not (now.iloc[:, 0] == now.iloc[:, 1]).any()
    assert changed == 1


def test_within_class_shuffle_keeps_each_class_on_its_muscles(tables):
    classes = anatomy.neurons()["class"]
    after = perturbations.shuffle(tables, "nmj_within_class", classes, seed=3)
    before = tables.nmj.groupby(classes.loc[tables.nmj.pre].to_numpy()).em_sections.sum()
    now = after.nmj.groupby(classes.loc[after.nmj.pre].to_numpy()).em_sections.sum()
    assert before.equals(now)


def test_a_single_muscle_pulls_only_its_own_quadrant_and_rows():
    muscles = anatomy.muscles()
    spread = TensionMap(muscles, np.ones(48), peak_curvature=1.0)
    activation = (muscles.index == "MDL16").astype(float)
    pull = spread(activation, np.zeros((48, 4)))
    assert pull[:, 1:].sum() == 0
    slabs = np.flatnonzero(pull[:, 0])
    row = muscles.loc["MDL16"]
    assert slabs.min() / 48 <= row.s_start and row.s_end <= (slabs.max() + 1) / 48
    assert pull.sum() == pytest.approx((row.s_end - row.s_start) * 48)


def test_b_windows_lie_behind_and_a_windows_before_their_muscles():
    design = Worm().design(np.linspace(0, 1, 47))
    field = {each.neuron: each for each in design.stretch.receptors}
    s = {name: cell.body.s for name, cell in design.cells.items()}
    assert len(field) == 7 + 11 + 9 + 12 + 8
    assert field["DB4"].window[0] > np.median(s["DB4"]) - 0.1
    assert field["DB4"].window[0] > field["DA5"].window[0]


def test_uniform_dorsal_bend_stretches_ventral_and_relaxes_dorsal_neurons():
    design = Worm().design(np.linspace(0, 1, 47))
    felt = design.stretch.weights @ np.ones(47)
    by_name = {each.neuron: value for each, value in zip(design.stretch.receptors, felt, strict=True)}
    assert by_name["VB4"] == pytest.approx(1.0)
    assert by_name["DB4"] == pytest.approx(-1.0)


def test_silenced_receptors_feel_nothing():
    design = Worm().silence_stretch_receptors("VB*").design(np.linspace(0, 1, 47))
    felt = design.stretch.weights @ np.ones(47)
    by_name = {each.neuron: value for each, value in zip(design.stretch.receptors, felt, strict=True)}
    assert by_name["VB4"] == 0.0 and by_name["DB4"] != 0.0


def test_receptor_current_is_shared_out_completely():
    design = Worm().design(np.linspace(0, 1, 47))
    for receptor in stretch_field(design.cells, {}, np.linspace(0, 1, 47), P).receptors:
        assert sum(share for *_, share in receptor.sites) == pytest.approx(1.0)


def test_predicted_signs_only_add_inhibition(tables):
    plain = intact_tables("transmitter")
    added = (tables.chemical.sign == "inhibitory") & (plain.chemical.sign == "excitatory")
    assert ((plain.chemical.sign == "inhibitory") <= (tables.chemical.sign == "inhibitory")).all()
    assert (tables.chemical.sign_predicted[added] == "-").all() and added.sum() > 200
    assert tables.chemical.sign_source[~added].equals(plain.chemical.sign_source[~added])
    assert (tables.chemical.sign_source[added] == "predicted: Fenyves 2020").all()


def test_muscle_strength_is_read_from_its_table(tmp_path):
    assert (strength(np.linspace(0.0, 1.0, 5)) == 1.0).all()
    table = tmp_path / "weak.csv"
    table.write_text("s,share,unit,source,certainty\n0,1,1,x,low\n1,0.4,1,x,low\n")
    assert strength(np.array([0.0, 0.5, 1.0]), table) == pytest.approx([1.0, 0.7, 0.4])
    table.write_text("s,share,unit,source,certainty\n0,strong,1,x,low\n")
    with pytest.raises(ConfigError, match="share"):
        strength(np.zeros(1), table)
