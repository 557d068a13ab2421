"""Connection strengths and interventions follow the anatomy."""

import numpy as np
import pandas as pd
import pytest

from tianbao import anatomy, parameters
from tianbao.environment import Arena
from tianbao.errors import AnatomyError, ConfigError
from tianbao.muscles import TensionMap
from tianbao.muscles.tension import strength
from tianbao.network import perturbations
from tianbao.network.design import intact_tables
from tianbao.network.wiring import gap_weights, nmj_weights, on_both_sides
from tianbao.sensing import Seen, StretchSense, stretch_field
from tianbao.worm import Worm

CORD = ("DA", "VA", "DB", "VB", "DD", "VD", "AS", "VC")
P = parameters.defaults()


@pytest.fixture(scope="module")
def tables():
    return intact_tables()


def drive(tables, sign, gain):
    """Conductance per muscle over the full drive of a row, by side, row and family of neurons."""
    muscles, leak = anatomy.muscles(), 3.0
    weights = nmj_weights(tables.nmj, tables.intact_nmj, muscles, leak, P)
    rows = muscles.loc[tables.nmj.muscle]
    family = anatomy.neurons()["class"].loc[tables.nmj.pre].str.replace(r"^[DV]([ABD])$", r"\1", regex=True).to_numpy()
    table = pd.DataFrame(
        {"side": rows.quadrant.str[0].to_numpy(), "row": rows.row.to_numpy(), "family": family, "w": weights}
    )
    cells = muscles.groupby([muscles.quadrant.str[0], "row"]).size()
    total = table[(tables.nmj.sign == sign).to_numpy()].groupby(["side", "row", "family"]).w.sum()
    here = pd.MultiIndex.from_arrays([total.index.get_level_values(k) for k in ("side", "row")])
    return total / cells.loc[here].to_numpy() / (gain * leak * 1e-3)


SIGNS = pytest.mark.parametrize(
    ("sign", "gain"), [("excitatory", P.nmj_excitatory_gain), ("inhibitory", P.nmj_inhibitory_gain)]
)


@SIGNS
def test_every_row_of_the_head_receives_the_same_excitation_and_inhibition(tables, sign, gain):
    rows = drive(tables, sign, gain).groupby(["side", "row"]).sum()
    head = rows[rows.index.get_level_values("row") <= 8]
    assert len(head) >= 14 and head.to_numpy() == pytest.approx(1.0)


@SIGNS
def test_along_the_cord_each_family_gives_every_row_it_reaches_the_same(tables, sign, gain):
    cord = drive(tables, sign, gain).loc[lambda each: each.index.get_level_values("row") > 8]
    for family, values in cord.groupby("family"):
        assert values.to_numpy() == pytest.approx(values.iloc[0]), family
    counts = tables.nmj.em_sections * np.where(tables.nmj.extrapolated, P.sublateral_nmj_scale, 1.0)
    on_cord = (anatomy.muscles().row.loc[tables.nmj.muscle] > 8).to_numpy() & (tables.nmj.sign == sign).to_numpy()
    family = "B" if sign == "excitatory" else "D"
    its = tables.nmj.pre.str.match(rf"[DV]{family}\d").to_numpy() & on_cord
    assert cord.xs(family, level="family").iloc[0] == pytest.approx(counts[its].sum() / counts[on_cord].sum())


def test_left_and_right_are_driven_alike(tables):
    muscles = anatomy.muscles()
    weights = pd.Series(nmj_weights(tables.nmj, tables.intact_nmj, muscles, 3.0, P))
    total = weights.groupby([tables.nmj.muscle, tables.nmj.sign]).sum().unstack(fill_value=0.0)
    for row in range(1, 24):
        for side in "DV":
            left, right = total.loc[f"M{side}L{row:02d}"], total.loc[f"M{side}R{row:02d}"]
            assert left.to_numpy() == pytest.approx(right.to_numpy())


def test_junctions_on_both_sides_keep_their_sum_and_swap_paired_neurons():
    pre, muscle = ["DB4", "RMDL", "VA12"], ["MDL10", "MVL02", "MVR24"]
    one = pd.DataFrame({"pre": pre, "muscle": muscle, "em_sections": [4.0, 6.0, 5.0], "sign": "excitatory"})
    both = on_both_sides(one).set_index(["pre", "muscle"]).em_sections
    assert both.to_dict() == {("DB4", "MDL10"): 2.0, ("DB4", "MDR10"): 2.0, ("RMDL", "MVL02"): 3.0,
                              ("RMDR", "MVR02"): 3.0, ("VA12", "MVR24"): 5.0}  # fmt: skip


def test_extrapolated_counts_may_count_nothing(tables):
    weights = nmj_weights(tables.nmj, tables.intact_nmj, anatomy.muscles(), 3.0, P.replace(sublateral_nmj_scale=0.0))
    assert np.isfinite(weights).all()
    assert (weights[tables.nmj.extrapolated.to_numpy()] == 0.0).all()


def test_killing_a_neuron_does_not_strengthen_its_neighbours(tables):
    muscles = anatomy.muscles()
    before = nmj_weights(tables.nmj, tables.intact_nmj, muscles, 3.0, P)
    after = perturbations.ablate(tables, ["DB3", "VB3"])
    survivors = ~tables.nmj.pre.isin(["DB3", "VB3"]).to_numpy()
    assert np.array_equal(nmj_weights(after.nmj, after.intact_nmj, muscles, 3.0, P), before[survivors])


def test_gap_weights_do_not_depend_on_direction(tables):
    capacitance = dict.fromkeys(anatomy.neurons().index, 4.0)
    forward = gap_weights(tables.gap, tables.gap_totals, capacitance, P)
    swapped = tables.gap.rename(columns={"a": "b", "b": "a"})
    assert np.array_equal(forward, gap_weights(swapped, tables.gap_totals, capacitance, P))


def test_gap_junctions_of_the_last_motor_neurons_are_scaled_down_together(tables):
    capacitance = dict.fromkeys(anatomy.neurons().index, 2.0)
    table, totals = tables.gap, tables.gap_totals
    limited = gap_weights(table, totals, capacitance, P.replace(cord_gap_limit=20.0))
    whole = gap_weights(table, totals, capacitance, P.replace(cord_gap_limit=1000.0))
    share = pd.Series(limited / whole)
    of = {name: share[((table.a == name) | (table.b == name)).to_numpy()] for name in ("DA9", "DB4", "AVAL", "PVCL")}
    assert totals["DA9"] > 3 * 20.0 and totals["DB4"] < 20.0
    assert of["DA9"].max() == pytest.approx(20.0 / totals["DA9"])
    assert of["DB4"].max() == 1.0  # towards a neuron that is not scaled down itself
    # Between interneurons nothing changes.
    others = ~(table.a.str[:2].isin(CORD) | table.b.str[:2].isin(CORD)).to_numpy()
    assert (share[others] == 1.0).all() and others.sum() > 500


def test_killing_a_neuron_does_not_strengthen_gap_junctions(tables):
    capacitance = dict.fromkeys(anatomy.neurons().index, 2.0)
    after = perturbations.ablate(tables, ["PVCL", "PVCR"])
    before = gap_weights(tables.gap, tables.gap_totals, capacitance, P)
    kept = ~(tables.gap.a.isin(["PVCL", "PVCR"]) | tables.gap.b.isin(["PVCL", "PVCR"])).to_numpy()
    assert np.array_equal(gap_weights(after.gap, after.gap_totals, capacitance, P), before[kept])


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


def test_a_single_muscle_pulls_its_own_quadrant_from_one_neighbour_to_the_other():
    muscles = anatomy.muscles()
    spread = TensionMap(muscles, np.ones(480), peak_curvature=1.0)
    pull = spread((muscles.index == "MDL16").astype(float), np.zeros((480, 4)))
    assert pull[:, 1:].sum() == 0
    before, here, after = (muscles.loc[f"MDL{row}"].s for row in (15, 16, 17))
    slabs = np.flatnonzero(pull[:, 0]) / 480
    assert before - 1 / 480 <= slabs.min() and slabs.max() <= after
    assert pull[int(here * 480), 0] == pytest.approx(1.0, abs=0.06)
    assert pull.sum() == pytest.approx(0.5 * (after - before) * 480, rel=1e-3)


def test_all_muscles_together_pull_everywhere_alike_but_where_mvl24_is_missing():
    muscles = anatomy.muscles()
    pull = TensionMap(muscles, np.ones(96), peak_curvature=2.0)(np.ones(95), np.zeros((96, 4)))
    assert pull[:, [0, 1, 3]] == pytest.approx(2.0)
    last = muscles.loc["MVL23"].s
    assert pull[: int(last * 96), 2] == pytest.approx(2.0) and pull[-1, 2] == 0.0


# What neurons feel

STEPS = np.linspace(0, 1, 401)


def felt_by(neuron, **changes):
    """Weight of each body coordinate in what a neuron feels of own-side stretch, and its gain [pA]."""
    design = Worm(parameters=P.replace(**changes)).design(STEPS)
    k = next(k for k, each in enumerate(design.stretch.receptors) if each.neuron == neuron)
    receptor = design.stretch.receptors[k]
    return receptor.side * design.stretch.weights[k], receptor.gain


MAIN = {"cord_stretch_gain": 0.4, "cord_opposite_gain": 0.0, "cord_window_offset": 0.1, "cord_window_length": 0.2}


def test_b_feel_stretch_behind_and_a_before_their_muscles():
    behind, _ = felt_by("DB4", **MAIN)
    before, _ = felt_by("DA5", **MAIN)
    design = Worm().design(STEPS)
    s = {name: cell.body.s for name, cell in design.cells.items()}
    assert len(design.stretch.receptors) == 7 + 11 + 9 + 12 + 8
    assert STEPS[behind > 1e-9].min() > np.median(s["DB4"]) - 0.1
    assert STEPS[before > 1e-9].max() < STEPS[behind > 1e-9].min()
    assert np.ptp(STEPS[behind > 1e-9]) == pytest.approx(0.2, abs=0.01)


def test_the_opposite_field_lies_on_the_other_side_and_has_the_other_sign():
    weights, gain = felt_by("DB4", **MAIN | {"cord_opposite_gain": 0.1})
    assert gain == pytest.approx(0.5)
    main, opposite = weights > 0, weights < 0
    assert STEPS[opposite].max() < STEPS[main].min()
    # Currents per unit of curvature are the two gains.
    assert gain * weights[main].sum() == pytest.approx(0.4)
    assert gain * weights[opposite].sum() == pytest.approx(-0.1)


def test_what_the_tail_cuts_off_is_felt_in_front():
    weights, gain = felt_by("VB11", **MAIN | {"cord_window_offset": 0.15})
    lost = -gain * weights[weights < 0].sum()
    assert 0.0 < lost <= 0.4
    assert gain * weights[weights > 0].sum() == pytest.approx(0.4 - lost)
    whole, _ = felt_by("DB4", **MAIN)
    assert (whole >= -1e-9).all()


def test_a_lasting_bend_of_the_main_field_fades_and_a_swing_does_not():
    changes = {"b_adaptation": 0.7, "b_adaptation_tau": 500.0, "cord_opposite_gain": 0.2}
    field = Worm(parameters=P.replace(**changes)).design(STEPS).stretch
    names = [each.neuron for each in field.receptors]
    tick, bend, felt = 4.0, np.ones(len(STEPS)), np.empty(len(names))

    def seen(bend):
        return Seen(0.0, bend, np.zeros((len(STEPS) + 2, 3)), Arena())

    receptors = StretchSense(field, tick)
    receptors.write(seen(bend), out=felt)
    fresh = dict(zip(names, felt, strict=True))
    for _ in range(round(500.0 / tick)):
        receptors.adapt(seen(bend))
    receptors.write(seen(bend), out=felt)
    main = {each.neuron: each.fields[0].weight * each.side for each in field.receptors}
    lost = {name: fresh[name] - now for name, now in zip(names, felt, strict=True)}
    for name in ("VB4", "DB4"):
        assert lost[name] == pytest.approx(0.7 * (1.0 - np.exp(-1.0)) * main[name])
    assert lost["SMDVL"] == lost["RMDDL"] == lost["DA5"] == 0.0
    restored = StretchSense(field, tick)
    restored.restore(receptors.state())
    for _ in range(round(5_000.0 / tick)):
        bend = -bend
        receptors.adapt(seen(bend))
        restored.adapt(seen(bend))
    restored.write(seen(bend), out=felt)
    again = felt.copy()
    receptors.write(seen(bend), out=felt)
    assert np.array_equal(again, felt)
    assert again[names.index("VB4")] == pytest.approx(bend[0] * fresh["VB4"], abs=0.01)


def test_deaf_neurons_get_used_to_nothing():
    field = Worm(parameters=P.replace(b_adaptation=0.5)).silence_stretch_receptors("VB*").design(STEPS).stretch
    by_name = {each.neuron: row for each, row in zip(field.receptors, field.fading, strict=True)}
    assert not by_name["VB4"].any() and by_name["DB4"].any()


def test_uniform_dorsal_bend_stretches_ventral_and_relaxes_dorsal_neurons():
    design = Worm(parameters=P.replace(cord_opposite_gain=0.0)).design(np.linspace(0, 1, 47))
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


def test_predicted_signs_only_add_inhibition():
    plain, tables = intact_tables("transmitter"), intact_tables("predicted")
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
