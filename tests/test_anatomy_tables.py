"""The tables say what their sources say, and a broken table is refused with its file and row."""

from __future__ import annotations

import pytest

from tianbao import anatomy
from tianbao.errors import AnatomyError
from tianbao.paths import data_root

# Summed EM sections of each class on dorsal and ventral muscles, Cook et al. 2019.
NMJ_SIDES = {
    "DA": (346, 0), "DB": (170, 0), "AS": (174, 0), "DD": (243, 1), "VA": (0, 318), "VB": (0, 338),
    "VC": (0, 53), "VD": (3, 362), "SMDD": (156, 25), "SMDV": (6, 395),
}  # fmt: skip


def test_animal_has_302_neurons_and_95_muscles_without_mvl24():
    muscles = anatomy.muscles()
    assert len(anatomy.neurons()) == 302
    assert muscles.groupby("quadrant").size().to_dict() == {"DL": 24, "DR": 24, "VL": 23, "VR": 24}
    assert "MVL24" not in muscles.index


def test_connection_counts_match_cook_2019():
    chemical = anatomy.chemical()
    assert len(chemical) == 3709
    assert (chemical.pre == chemical.post).sum() == 38
    assert chemical.em_sections.sum() == 20965
    assert len(anatomy.gap()) == 1091
    assert len(anatomy.nmj()) == 956
    assert anatomy.nmj().em_sections.sum() == 5515
    assert len(anatomy.gap_muscle()) == 96
    assert len(anatomy.gap_neuromuscular()) == 5


def test_extrasynaptic_and_expression_tables_cover_their_sources():
    assert len(anatomy.monoamine()) == 2626
    assert len(anatomy.neuropeptide()) == 8931
    expression = anatomy.expression()
    assert set(expression.index) == set(anatomy.neurons().index)
    groups = expression.groupby("cengen_group").first()
    assert len(groups) == 128
    expected = {"egl-19": 123, "unc-2": 121, "shk-1": 56, "kqt-3": 30, "slo-1": 119, "irk-2": 48}
    assert {gene: int((groups[gene] > 0).sum()) for gene in expected} == expected


@pytest.mark.parametrize("cls", NMJ_SIDES)
def test_motor_class_innervates_the_side_counted_in_cook_2019(cls):
    nmj = anatomy.nmj()
    own = nmj[nmj.pre.map(anatomy.neuron_class) == cls]
    side = own.muscle.str[1]
    assert (own.em_sections[side == "D"].sum(), own.em_sections[side == "V"].sum()) == NMJ_SIDES[cls]


def test_gaba_motor_neurons_inhibit_and_cholinergic_ones_excite():
    chemical = anatomy.chemical()
    cls = chemical.pre.map(anatomy.neuron_class)
    gaba = cls.isin(["DD", "VD", "RME", "AVL", "DVB", "RIS"])
    assert (chemical.sign[gaba] == "inhibitory").all()
    assert (chemical.sign[cls.isin(["VA", "VB", "DA", "DB", "AS"])] == "excitatory").all()


def test_only_dorsal_to_ventral_head_synapses_are_cross_inhibitory():
    chemical = anatomy.chemical()
    cross = chemical[chemical.sign_source.str.startswith("assumed")]
    ends = cross.pre.map(anatomy.neuron_class) + cross.post.map(anatomy.neuron_class)
    assert len(cross) > 0
    assert ends.str.fullmatch(r"(SMD|RMD)(D(SMD|RMD)V|V(SMD|RMD)D)").all()
    assert (cross.sign == "inhibitory").all()


def test_sign_predictions_match_fenyves_2020():
    counts = anatomy.chemical().sign_predicted.value_counts().to_dict()
    assert counts == {"+": 1296, "-": 409, "complex": 436, "none": 1375, "": 193}


def test_three_connected_pairs_in_four_have_neurites_within_a_fifth_of_a_micron():
    chemical = anatomy.chemical()
    distance = chemical.distance_um[chemical.pre != chemical.post]
    assert distance.quantile(0.75) < 0.2
    assert (distance > 5.0).mean() == pytest.approx(0.017, abs=0.002)


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("AVAL", "AVA"), ("VB10", "VB"), ("SMDDL", "SMDD"), ("RMDVL", "RMDV"), ("RMDL", "RMD"),
        ("RMED", "RME"), ("RMEL", "RME"), ("IL1DL", "IL1"), ("CEPDL", "CEP"), ("ASEL", "ASE"),
        ("AWCL", "AWC"), ("URADL", "URA"), ("AQR", "AQR"), ("AVL", "AVL"), ("DVA", "DVA"), ("AS1", "AS"),
    ],
)  # fmt: skip
def test_neuron_class_follows_the_field(name, cls):
    assert anatomy.neuron_class(name) == cls


def test_muscles_of_a_quadrant_touch_and_cover_the_body():
    for _, quadrant in anatomy.muscles().groupby("quadrant"):
        ordered = quadrant.sort_values("row")
        assert ordered.s_start.iloc[0] == 0.0
        assert ordered.s_end.iloc[-1] == 1.0
        assert (ordered.s_end.to_numpy()[:-1] == ordered.s_start.to_numpy()[1:]).all()
        assert ((ordered.s > ordered.s_start) & (ordered.s < ordered.s_end)).all()


def test_row_8_lies_where_the_traced_mdl08_lies():
    frame = anatomy.BodyFrame.standard()
    # Mid point of the one traced muscle, which the fit of the rows has not seen.
    traced = frame.locate([7.7, -223.0, 39.4]).s[0] * frame.length
    assert anatomy.muscles().s["MDL08"] * frame.length == pytest.approx(traced, abs=12)


def test_both_spellings_of_a_name_are_accepted():
    assert anatomy.neuron_name("AS01") == "AS1"
    assert anatomy.neuron_name("VB10") == "VB10"
    assert anatomy.muscle_name("MDL8") == "MDL08"


@pytest.mark.parametrize("call", [anatomy.neuron_name, anatomy.match_neurons, anatomy.neuron_class])
def test_unknown_neuron_is_answered_with_the_nearest_name(call):
    with pytest.raises(AnatomyError, match="unknown neuron 'AVAl': did you mean 'AVAL'"):
        call("AVAl")


def test_unknown_muscle_is_answered_with_the_nearest_name():
    with pytest.raises(AnatomyError, match="unknown muscle 'MVL24': did you mean 'MV"):
        anatomy.muscle_name("MVL24")


def test_globs_match_sorted_and_once():
    assert anatomy.match_neurons("AVB*", "AVBL") == ["AVBL", "AVBR"]
    assert len(anatomy.match_neurons("*")) == 302
    assert len(anatomy.match_muscles("MV*")) == 47


@pytest.mark.parametrize("patterns", [(), ("ZZ*",), ("AVAL", "")])
def test_pattern_that_matches_nothing_is_refused(patterns):
    with pytest.raises(AnatomyError, match="neuron"):
        anatomy.match_neurons(*patterns)


BROKEN = {
    "not a finite number": ("chemical", "ADAL,ADLL,nan,excitatory,x,+,0.0"),
    "counts start at 1": ("chemical", "ADAL,ADLL,-2,excitatory,x,+,0.0"),
    "not a whole number": ("chemical", "ADAL,ADLL,1.5,excitatory,x,+,0.0"),
    "is negative": ("chemical", "ADAL,ADLL,1,excitatory,x,+,-3"),
    "unknown neuron 'AVAX': did you mean": ("chemical", "ADAL,AVAX,1,excitatory,x,+,0.0"),
    "'maybe' is not one of": ("chemical", "ADAL,ADLL,1,maybe,x,+,0.0"),
    "ADAL ADAR occurs twice": ("chemical", "ADAL,ADAR,1,excitatory,x,+,0.0"),
    "unknown muscle 'MVL24': did you mean": ("nmj", "DA1,MVL24,1"),
    "out of order": ("gap", "AVAR,AVAL,1,0.0"),
}
FIRST_ROW = {
    "chemical": "pre,post,em_sections,sign,sign_source,sign_predicted,distance_um\n"
    "ADAL,ADAR,1,excitatory,x,+,0.0",
    "nmj": "pre,muscle,em_sections\nDA1,MDL09,1",
    "gap": "a,b,em_sections,distance_um\nADAL,ADAR,1,0.0",
}


@pytest.mark.parametrize("reason", BROKEN)
def test_broken_row_is_refused_with_file_and_row(reason, tmp_path):
    table, row = BROKEN[reason]
    path = tmp_path / "mine.csv"
    path.write_text(f"{FIRST_ROW[table]}\n{row}\n")
    with pytest.raises(AnatomyError, match=f"mine.csv, row 3.*{reason}"):
        getattr(anatomy, table)(path)


def test_missing_column_and_missing_file_are_named(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("pre,muscle\nDA1,MDL09\n")
    with pytest.raises(AnatomyError, match="mine.csv has no column 'em_sections'"):
        anatomy.nmj(path)
    with pytest.raises(AnatomyError, match="no table"):
        anatomy.nmj(tmp_path / "absent.csv")


def test_sound_table_of_ones_own_is_read(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(FIRST_ROW["gap"] + "\n")
    assert anatomy.gap(path).em_sections.tolist() == [1]


def test_changing_a_returned_table_does_not_change_the_next():
    first = anatomy.nmj()
    first.em_sections = 0
    assert anatomy.nmj().em_sections.min() > 0


def test_library_works_without_the_expression_table(tmp_path, monkeypatch):
    from tianbao.anatomy import tables

    monkeypatch.setattr(tables, "data_root", lambda: tmp_path)
    assert anatomy.expression().empty


def test_committed_tables_are_where_the_library_looks():
    assert (data_root() / "connectome" / "chemical.csv").is_file()
