"""Connectomes by name hold what was published; a user's own wiring and cells are read, or refused in a sentence."""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys

import numpy as np
import pytest

from tianbao import anatomy
from tianbao.anatomy.connectomes import common_factor
from tianbao.errors import AnatomyError
from tianbao.network.design import cell_geometry, intact_tables
from tianbao.network.rules import connection_rules
from tianbao.paths import data_root
from tianbao.worm import Worm

PUBLISHED = ("white1986", "varshney2011", "witvliet2021", "witvliet2021_7")


# Connectomes by name


def test_varshney_2011_holds_279_neurons_6394_synapses_and_887_of_890_gap_junctions():
    row = anatomy.connectome_registry().loc["varshney2011"]
    # The paper counts 6393 chemical synapses and 890 gap junctions. Its table sums to 6394, and three of its gap
    # junctions (RIBL, RIBR, VA8) join a neuron to itself; those are left out here.
    assert (row.neurons, row.chemical_count, row.gap_count) == (279, 6394, 890 - 3)
    assert (row.chemical_pairs, row.gap_pairs) == (2194, 514)


def test_varshney_2011_leaves_out_the_pharynx_can_and_vc6():
    neurons = anatomy.neurons()
    missing = set(neurons.index) - set(anatomy.connectome("varshney2011").neurons)
    assert missing == {*neurons.index[neurons.pharyngeal], "CANL", "CANR", "VC6"}


def test_white_1986_differs_from_varshney_by_the_pharynx():
    neurons = anatomy.neurons()
    white, varshney = anatomy.connectome("white1986"), anatomy.connectome("varshney2011")
    added = set(white.neurons) - set(varshney.neurons)
    assert added == set(neurons.index[neurons.pharyngeal])
    body = white.chemical[~white.chemical.pre.isin(added) & ~white.chemical.post.isin(added)]
    pairs = {tuple(pair) for pair in body[["pre", "post"]].to_numpy()}
    assert len(pairs & {tuple(pair) for pair in varshney.chemical[["pre", "post"]].to_numpy()}) > 0.95 * len(pairs)


def test_witvliet_2021_covers_180_neurons_of_the_head_and_takes_muscles_from_cook():
    registry = anatomy.connectome_registry()
    for name in ("witvliet2021", "witvliet2021_7"):
        wiring = anatomy.connectome(name)
        assert len(wiring.neurons) == registry.neurons[name] == 180
        assert not {"DB3", "VB5", "DA6", "DD4"} & set(wiring.neurons)
        assert wiring.nmj_from == "cook2019" and len(wiring.nmj) == 956
        assert "neuromuscular junctions of cook2019" in wiring.provenance
        chosen = anatomy.connectome(name, nmj=name)
        own = chosen.nmj
        assert own.equals(anatomy.connectome(chosen.name).nmj) and chosen.name == f"{name}@{name}"
        assert set(anatomy.muscles().row.loc[own.muscle]) == set(range(1, 9))


def test_cook_2019_is_the_default_and_the_committed_tables():
    wiring = anatomy.connectome()
    assert wiring.gap.equals(anatomy.gap())
    assert wiring.chemical.em_sections.sum() == 20848 and len(wiring.chemical) == 3671
    for signs in ("predicted", "transmitter"):
        assert intact_tables(signs).chemical.equals(intact_tables(signs, "cook2019").chemical)


@pytest.mark.parametrize("name", PUBLISHED)
def test_common_pairs_have_the_total_of_cook_2019(name):
    wiring, cook = anatomy.connectome(name), anatomy.connectome()
    for mine, theirs, pair in (
        (wiring.chemical, cook.chemical, ["pre", "post"]),
        (wiring.gap, cook.gap, ["a", "b"]),
    ):
        shared = mine.merge(theirs, on=pair)
        assert shared.em_sections_x.sum() == pytest.approx(shared.em_sections_y.sum(), rel=1e-5)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_table_is_a_valid_table_of_ones_own(name):
    named, own = anatomy.connectome(name), anatomy.connectome(data_root() / "connectome" / f"{name}.csv")
    assert named.chemical.em_sections.to_numpy() == pytest.approx(own.chemical.em_sections.to_numpy(), rel=1e-5)
    assert named.gap[["a", "b"]].equals(own.gap[["a", "b"]])
    assert len(own.digest) == 64 and own.digest in own.provenance and not named.digest


@pytest.mark.parametrize("name", ["cook2019", *PUBLISHED])
def test_every_pair_is_there_once_and_no_cell_meets_itself(name):
    wiring = anatomy.connectome(name)
    assert not wiring.chemical.duplicated(["pre", "post"]).any() and not wiring.gap.duplicated(["a", "b"]).any()
    assert (wiring.gap.a < wiring.gap.b).all()
    assert (wiring.chemical.pre != wiring.chemical.post).all()
    assert set(wiring.chemical.sign) == {"excitatory", "inhibitory"}


@pytest.mark.parametrize("name", PUBLISHED)
def test_signs_of_shared_pairs_are_those_of_the_standard(name):
    for signs in ("predicted", "transmitter"):
        mine, cook = intact_tables(signs, name).chemical, intact_tables(signs).chemical
        shared = mine.merge(cook, on=["pre", "post"])
        assert (shared.sign_x == shared.sign_y).all()
        assert (shared.head_cross_x == shared.head_cross_y).all()


def test_joined_connectomes_complete_each_other():
    first, second = anatomy.connectome("witvliet2021"), anatomy.connectome()
    both = anatomy.connectome("witvliet2021+cook2019")
    inside = both.chemical.pre.isin(first.neurons) & both.chemical.post.isin(first.neurons)
    assert both.chemical[inside].reset_index(drop=True)[["pre", "post", "em_sections"]].equals(
        first.chemical[["pre", "post", "em_sections"]]
    )
    assert set(both.neurons) == set(second.neurons)
    cord = both.gap[both.gap.a.str.startswith("AVB") & both.gap.b.str.startswith("VB")]
    assert len(cord) and both.name == "witvliet2021+cook2019"


def test_an_unknown_connectome_is_refused_with_the_nearest_name():
    for wrong, said in (
        ("white1987", "did you mean 'white1986'"),
        ("absent.csv", "cannot read the connectome absent.csv"),
        (3, "not 3"),
        (None, "not None"),
        ("", "unknown connectome ''"),
        ("x" * 5000, "unknown connectome"),
        ("witvliet2021+coock2019", "did you mean 'cook2019'"),
    ):
        with pytest.raises(AnatomyError, match=re.escape(said)):
            anatomy.connectome(wrong)
    with pytest.raises(AnatomyError, match="unknown connectome 'cook2018': did you mean 'cook2019'"):
        anatomy.connectome("white1986@cook2018")
    with pytest.raises(AnatomyError, match="'white1986' has no neuromuscular junctions"):
        anatomy.connectome("cook2019", nmj="white1986")


# A user's own wiring

HEADER = "pre,post,kind,em_sections,sign"
GOOD = [HEADER, "AVAL,VA1,chemical,4,", "AVBL,VB2,gap,3,", "VB2,MVL08,nmj,5,", "AVBR,VB02,gap,2.5,", "DD1,MDL9,nmj,2,"]


def written(folder, rows, name="mine.csv"):
    path = folder / name
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_any_of_three_delimiters_gives_the_same_wiring(delimiter, tmp_path):
    wiring = anatomy.connectome(written(tmp_path, [row.replace(",", delimiter) for row in GOOD]))
    assert wiring.gap.to_numpy().tolist() == [["AVBL", "VB2", 3.0], ["AVBR", "VB2", 2.5]]
    assert wiring.nmj.to_numpy().tolist() == [["DD1", "MDL09", 2.0, "inhibitory"], ["VB2", "MVL08", 5.0, "excitatory"]]
    assert wiring.chemical_factor == 1.0 and wiring.nmj_from.endswith("mine.csv")


def test_byte_order_mark_comments_and_empty_rows_are_read_over(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes(b"\xef\xbb\xbf# from a spreadsheet\r\n" + "\r\n\r\n".join(GOOD).encode())
    assert len(anatomy.connectome(path).gap) == 2


def test_a_given_sign_stands_and_a_missing_one_follows_the_rule(tmp_path):
    cook = intact_tables("transmitter").chemical
    turned = cook[(cook.sign == "excitatory") & (cook.sign_predicted == "-")].iloc[0]
    rows = [HEADER, f"{turned.pre},{turned.post},chemical,2,excitatory", "AVAL,DA1,chemical,1,-", "DD1,VD2,chemical,1,"]
    table = intact_tables("predicted", str(written(tmp_path, rows))).chemical.set_index(["pre", "post"])
    assert table.sign[turned.pre, turned.post] == "excitatory" and table.sign["AVAL", "DA1"] == "inhibitory"
    assert table.sign["DD1", "VD2"] == "inhibitory"
    assert table.sign_source["AVAL", "DA1"] == "given" and table.sign_source["DD1", "VD2"] == "transmitter: GABA"
    unsigned = [HEADER, f"{turned.pre},{turned.post},chemical,2,"]
    assert intact_tables("predicted", str(written(tmp_path, unsigned))).chemical.sign[0] == "inhibitory"


def test_synapses_are_brought_to_em_sections_and_weights_are_not(tmp_path):
    cook = anatomy.connectome().chemical
    row = cook.iloc[0]
    counted = anatomy.connectome(written(tmp_path, ["pre,post,kind,synapses", f"{row.pre},{row.post},chemical,2"]))
    assert counted.chemical.em_sections[0] == pytest.approx(row.em_sections)
    weighed = anatomy.connectome(written(tmp_path, ["pre,post,kind,weight", f"{row.pre},{row.post},chemical,2"]))
    assert weighed.chemical.em_sections[0] == 2.0
    with pytest.raises(AnatomyError, match="mine.csv shares no pair with cook2019"):
        anatomy.connectome(written(tmp_path, ["pre,post,kind,synapses", "PVDL,RIML,chemical,2"]))
    assert common_factor(weighed.chemical.rename(columns={"em_sections": "weight"}), cook, ["pre", "post"]) > 0


def test_extrapolated_counts_are_scaled_down_only_where_they_come_from(tmp_path):
    rows = [HEADER, "AVAL,DA1,chemical,1,", "SMDDL,MDL20,nmj,50,"]
    assert not intact_tables(connectome=str(written(tmp_path, rows))).nmj.extrapolated.any()
    assert intact_tables(connectome="white1986").nmj.extrapolated.any()


BROKEN = {
    "row 2, column pre: unknown neuron 'AVAl': did you mean 'AVAL'": [HEADER, "AVAl,VA1,chemical,4,"],
    "row 2, column post: MDL08 is a muscle; its kind is nmj": [HEADER, "AVAL,MDL08,chemical,4,"],
    "row 2, column pre: MDL08 is a muscle; muscles cannot be presynaptic": [HEADER, "MDL08,AVAL,chemical,4,"],
    "row 2, column post: VA1 is a neuron; an nmj ends on a muscle": [HEADER, "AVAL,VA1,nmj,4,"],
    "row 2, column post: unknown muscle 'MDL25'": [HEADER, "AVAL,MDL25,nmj,4,"],
    "row 3, column em_sections: 'nan' is not a number": [*GOOD[:2], "AVBL,VB2,gap,nan,"],
    "row 2, column em_sections: 'inf' is not a number": [HEADER, "AVAL,VA1,chemical,inf,"],
    "row 2, column em_sections: '' is not a number": [HEADER, "AVAL,VA1,chemical,,"],
    "row 2, column em_sections: '1_0' is not a number": [HEADER, "AVAL,VA1,chemical,1_0,"],
    "row 2, column em_sections: -3 is negative; give inhibition in the column sign": [HEADER, "AVAL,VA1,gap,-3,"],
    "row 2, column em_sections: 0 means no connection": [HEADER, "AVAL,VA1,chemical,0,"],
    "row 2, column em_sections: 1e300 exceeds 10000": [HEADER, "AVAL,VA1,chemical,1e300,"],
    "row 3: chemical AVAL VA1 is already given in row 2": [*GOOD[:2], GOOD[1]],
    "row 3: gap AVAL VA1 is already given in row 2; a gap": [HEADER, "AVAL,VA1,gap,1,", "VA1,AVAL,gap,1,"],
    "row 2: AVAL is connected to itself": [HEADER, "AVAL,AVAL,chemical,4,"],
    "row 2, column kind: unknown kind 'chemicel': did you mean 'chemical'": [HEADER, "AVAL,VA1,chemicel,4,"],
    "row 2, column sign: unknown sign 'inhib': did you mean 'inhibitory'": [HEADER, "AVAL,VA1,chemical,4,inhib"],
    "row 2: a gap junction has no sign": [HEADER, "AVAL,VA1,gap,4,+"],
    "row 2: 3 cells where the header has 5 columns": [HEADER, "AVAL,VA1,chemical"],
    "has no column 'post'; its columns are pre, kind, em_sections": ["pre,kind,em_sections", "AVAL,gap,1"],
    "unknown column 'sgin': did you mean 'sign'": ["pre,post,kind,em_sections,sgin", "AVAL,VA1,gap,1,"],
    "needs one of the columns em_sections, weight, synapses; it has none": ["pre,post,kind", "AVAL,VA1,gap"],
    "it has em_sections and weight": ["pre,post,kind,em_sections,weight", "AVAL,VA1,gap,1,1"],
    "has the column 'sign' twice": [HEADER + ",sign", "AVAL,VA1,chemical,1,,"],
    "is empty": ["", "# nothing"],
    "has a header but no connections": [HEADER],
    "cannot be read as CSV": [HEADER, 'AVAL,"VA1,chemical,4,'],
}


@pytest.mark.parametrize("reason", BROKEN)
def test_broken_wiring_is_refused_with_file_and_row(reason, tmp_path):
    with pytest.raises(AnatomyError, match=re.escape(reason)) as caught:
        anatomy.connectome(written(tmp_path, BROKEN[reason]))
    assert "mine.csv" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"PK\x03\x04 workbook", "is an Excel workbook: save the sheet as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an Excel workbook"),
        (HEADER.encode() + b"\nAVAL,VA1,chemical,4,\xe9\n", "row 2: not UTF-8 text"),
        (HEADER.encode("utf-16"), "not UTF-8 text"),
        (HEADER.encode("utf-16-le"), "is not a text file"),
        (b"", "is empty"),
    ],
)
def test_what_is_no_table_is_said_to_be_none(data, reason, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes(data)
    with pytest.raises(AnatomyError, match=reason):
        anatomy.connectome(path)
    with pytest.raises(AnatomyError, match="cannot read the connectome"):
        anatomy.connectome(tmp_path)


def corrupted(rng: random.Random, data: bytes) -> bytes:
    """Bytes flipped, cut, repeated, swapped between lines, or replaced by what often goes wrong."""
    traps = [b"nan", b"-1", b"0", b"\x00", b"\xff", b"1e999", b'"', b";", b"\t", b"\r", b"AVAL", b"-1 -1", b"9" * 20]
    for _ in range(rng.randint(1, 3)):
        at, length = rng.randrange(len(data) + 1), rng.randint(0, 12)
        what = rng.choice(("replace", "cut", "repeat", "swap", "trap"))
        if what == "replace":
            data = data[:at] + bytes(rng.randrange(256) for _ in range(length)) + data[at + length :]
        elif what == "cut":
            data = data[:at] + data[at + length :]
        elif what == "repeat":
            data = data[:at] + data[max(0, at - 40) : at] + data[at:]
        elif what == "swap":
            lines = data.split(b"\n")
            rng.shuffle(lines)
            data = b"\n".join(lines)
        else:
            data = data[:at] + rng.choice(traps) + data[at + length :]
    return data


def test_corrupted_wiring_is_valid_or_refused(tmp_path):
    rng, path, whole = random.Random(6), tmp_path / "mine.csv", "\n".join(GOOD).encode()
    refused = 0
    for _ in range(300):
        path.write_bytes(corrupted(rng, whole))
        try:
            wiring = anatomy.connectome(path)
        except AnatomyError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 600
            continue
        for table, columns in ((wiring.chemical, ["pre", "post"]), (wiring.gap, ["a", "b"])):
            assert set(table[columns].to_numpy().ravel()) <= set(anatomy.neurons().index)
            assert (table.em_sections > 0).all() and np.isfinite(table.em_sections).all()
        assert set(wiring.nmj.muscle) <= set(anatomy.muscles().index)
    assert 150 < refused < 300


# A user's own cells

CELL = ["1 1 0.0 -250 45 2.0 -1", "2 2 0.0 -240 45 0.3 1", "3 2 0.0 -200 45 0.3 2", "4 3 5.0 -240 50 0.2 2"]


def folder_of(tmp_path, **cells):
    folder = tmp_path / "cells"
    folder.mkdir(exist_ok=True)
    for name, rows in cells.items():
        (folder / f"{name}.swc").write_text("\n".join(rows) + "\n")
    return folder


def test_a_folder_replaces_only_the_cells_it_names(tmp_path):
    source = anatomy.own_cells(folder_of(tmp_path, AVAL=CELL, AS01=CELL))
    assert source.replaced == ("AS1", "AVAL")
    assert len(source.morphology("AVAL").xyz) == 4 and source.morphology("AS1").name == "AS1"
    assert source.morphology("AVAR") is anatomy.morphology("AVAR")
    assert "AVAL sha256 " in source.provenance and anatomy.own_cells("").provenance == "traced"


def test_geometry_follows_the_contents_of_the_file_and_not_its_name(tmp_path):
    first = anatomy.own_cells(folder_of(tmp_path, AVAL=CELL))
    longer = [*CELL[:2], "3 2 0.0 -170 45 0.3 2", CELL[3]]
    second = anatomy.own_cells(folder_of(tmp_path, AVAL=longer))
    lengths = [
        sum(cable.length for cable in cell_geometry("AVAL", "traced", 2, source).cables)
        for source in (anatomy.TRACED, first, second)
    ]
    assert lengths[2] - lengths[1] == pytest.approx(30.0) and lengths[0] > 500.0
    assert cell_geometry("AVAR", "traced", 2, first) is cell_geometry("AVAR", "traced", 2)
    (tmp_path / "again").mkdir()
    assert anatomy.own_cells(folder_of(tmp_path / "again", AVAL=longer)) == second != first


def test_a_soma_of_three_points_is_the_sphere_it_stands_for(tmp_path):
    three = [CELL[0], "5 1 0.0 -252 45 2.0 1", "6 1 0.0 -248 45 2.0 1", *CELL[1:3], "4 3 5.0 -240 50 0.2 6"]
    source = anatomy.own_cells(folder_of(tmp_path, AVAL=three))
    cell = source.morphology("AVAL")
    assert len(cell.xyz) == 4 and cell.radius[0] == 2.0 and (cell.kind == 1).sum() == 1
    assert cell.parent.tolist() == [-1, 0, 0, 2]
    contour = [CELL[0], *(f"{k} 1 0 {-250 + k} 45 0.5 {k - 1}" for k in range(2, 6))]
    with pytest.raises(AnatomyError, match="AVAL.swc, line 2: a soma of 5 points"):
        anatomy.own_cells(folder_of(tmp_path, AVAL=contour))


BROKEN_CELLS = {
    "AVAL.swc, line 2: a second root": [CELL[0], "2 2 0 -240 45 0.3 -1"],
    "AVAL.swc, line 1: the root must be the soma": ["1 2 0 -250 45 2 -1", *CELL[1:]],
    "AVAL.swc, line 2: its parents form a cycle": [CELL[0], "2 2 0 -240 45 0.3 3", CELL[2]],
    "AVAL.swc, line 1: point -1 of kind 1; points count from 0": ["-1 1 0 -250 45 2 -1"],
    "AVAL.swc, line 2: point 2 has radius -0.3 um": [CELL[0], "2 2 0 -240 45 -0.3 1"],
    "AVAL.swc, line 2: point 2 has a coordinate or radius that is not a number": [CELL[0], "2 2 0 inf 45 0.3 1"],
    "AVAL.swc, line 2: '2,2,0,-240,45,0.3,1' is not": [CELL[0], "2,2,0,-240,45,0.3,1"],
    "AVAL.swc, line 5: a branch of zero length": [*CELL, "5 2 0 -250 45 0.3 1"],
    "AVAL.swc spans 40000 um, longer than the animal: are its coordinates in um": [
        CELL[0], "2 2 0 39750 45 0.3 1",
    ],
    "AVAL.swc spans only 0.01 um": [CELL[0], "2 2 0 -250.01 45 0.3 1"],
    "AVAL.swc, line 2: (0, -240, 450) um lies outside the animal": [CELL[0], "2 2 0 -240 450 0.3 1"],
    "AVAL.swc, line 2: (0, 520, 45) um lies outside the animal": [CELL[0], "2 2 0 520 45 0.3 1"],
    "AVAL.swc, line 1: a radius of 2000 um is outside": ["1 1 0 -250 45 2000 -1"],
}  # fmt: skip


@pytest.mark.parametrize("reason", BROKEN_CELLS)
def test_a_broken_cell_is_refused_with_file_and_line(reason, tmp_path):
    with pytest.raises(AnatomyError, match=re.escape(reason)):
        anatomy.own_cells(folder_of(tmp_path, AVAL=BROKEN_CELLS[reason]))


def test_a_folder_that_holds_no_cells_is_refused(tmp_path):
    with pytest.raises(AnatomyError, match="no folder"):
        anatomy.own_cells(tmp_path / "absent")
    with pytest.raises(AnatomyError, match="contains no .swc file"):
        anatomy.own_cells(folder_of(tmp_path))
    with pytest.raises(AnatomyError, match="AVAX.swc is not named after a neuron: unknown neuron 'AVAX'"):
        anatomy.own_cells(folder_of(tmp_path, AVAX=CELL))
    (tmp_path / "cells" / "AVAX.swc").unlink()
    with pytest.raises(AnatomyError, match="AS01.swc and AS1.swc are the same neuron"):
        anatomy.own_cells(folder_of(tmp_path, AS1=CELL, AS01=CELL))
    with pytest.raises(AnatomyError, match="not 3"):
        anatomy.own_cells(3)


def test_text_of_another_encoding_is_no_swc_file(tmp_path):
    path = tmp_path / "AVAL.swc"
    path.write_bytes("# \xe9\n".encode("latin-1") + CELL[0].encode())
    with pytest.raises(AnatomyError, match="AVAL.swc is not UTF-8 text"):
        anatomy.read_swc(path)


def test_every_committed_tracing_passes_the_checks_of_a_users_own():
    source = anatomy.own_cells(data_root() / "morphologies")
    assert len(source.replaced) == 302
    assert np.array_equal(source.morphology("PVDL").xyz, anatomy.morphology("PVDL").xyz)


def test_a_corrupted_cell_is_valid_or_refused(tmp_path):
    rng, path, whole = random.Random(7), tmp_path / "AVAL.swc", "\n".join(CELL).encode()
    refused = 0
    for _ in range(600):
        path.write_bytes(corrupted(rng, whole))
        try:
            cell = anatomy.read_own_cell(path)
        except AnatomyError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 400
            continue
        assert np.isfinite(cell.xyz).all() and (cell.radius > 0).all()
        assert cell.kind[0] == 1 and (cell.parent[1:] < np.arange(1, len(cell.parent))).all()
    assert 300 < refused < 600


# A worm made of them


def test_a_worm_is_wired_and_shaped_as_it_is_told(tmp_path):
    folder = folder_of(tmp_path, AVAL=CELL)
    worm = Worm(connectome="white1986", morphologies=str(folder))
    design, standard = (each.design(np.linspace(0, 1, 47)) for each in (worm, Worm()))
    assert (len(design.tables.chemical), len(design.tables.gap), len(design.tables.nmj)) == (2266, 563, 1148)
    assert design.capacitance["AVAL"] < 0.2 * standard.capacitance["AVAL"]
    assert design.capacitance["AVAR"] == standard.capacitance["AVAR"]
    assert (worm.connectome, worm.morphologies) == ("white1986", str(folder))
    assert "2.61604 chemical" in worm.provenance["connectome"] and "AVAL" in worm.provenance["morphologies"]
    for wrong in ({"connectome": "white1987"}, {"morphologies": "absent"}):
        with pytest.raises(AnatomyError):
            Worm(**wrong)


def test_synapses_sit_on_the_cell_that_is_there(tmp_path):
    folder = folder_of(tmp_path, AVAL=CELL)
    sections = []
    for morphologies in ("", str(folder), ""):
        design = Worm(morphologies=morphologies).design(np.linspace(0, 1, 47))
        (gap,) = (rule for rule in connection_rules(design) if rule.label == "gap")
        sections.append([name for a, name in zip(gap.pre, gap.sites.pre_section, strict=True) if a == "AVAL"])
        known = {cable.name for cable in design.cells["AVAL"].cables}
        assert set(sections[-1]) <= known
    assert sections[0] == sections[2] != sections[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_a_worm_of_another_connectome_runs(name):
    code = (
        "import numpy as np, tianbao as tb\n"
        f"worm = tb.Worm(connectome={name!r})\n"
        "run = tb.Simulation(worm, tb.Arena('agar'), engine='native', progress=False).run(100.0)\n"
        "assert np.isfinite(run.worms[0].midline).all()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


# The command line


def spoken(capsys, *words):
    from tianbao.cli import wiring

    parser = argparse.ArgumentParser()
    wiring.register(parser.add_subparsers(required=True))
    args = parser.parse_args(list(words))
    code = args.act(args)
    return code, capsys.readouterr().out


def test_connectomes_are_listed_and_shown(capsys):
    code, text = spoken(capsys, "connectomes")
    assert code == 0 and all(name in text for name in ("cook2019", *PUBLISHED))
    code, text = spoken(capsys, "connectomes", "varshney2011")
    assert code == 0 and "279 of 302" in text and "514 pairs" in text and "Varshney et al. 2011" in text
    with pytest.raises(AnatomyError, match="did you mean 'white1986'"):
        spoken(capsys, "connectomes", "white")


def test_check_says_what_a_file_holds(capsys, tmp_path):
    assert "gap junctions: 2 pairs" in spoken(capsys, "check", str(written(tmp_path, GOOD)))[1]
    folder = folder_of(tmp_path, AVAL=CELL)
    assert "AVAL: 4 points" in spoken(capsys, "check", str(folder))[1]
    assert "AVAL: 4 points" in spoken(capsys, "check", str(folder / "AVAL.swc"))[1]
    with pytest.raises(AnatomyError, match="no file or folder"):
        spoken(capsys, "check", str(tmp_path / "absent"))
