"""The circuit in a report shows the wiring of the worm that ran, beside the intact one, and what was done to whom."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from synthetic import recording

import tianbao as tb
from tianbao.anatomy import neuron_class
from tianbao.behaviour.midline import curvature_positions
from tianbao.view import circuit, wiring_page
from tianbao.view.page import page

PLACES = curvature_positions(49)


def design(worm):
    return worm.design(PLACES)


@pytest.fixture(scope="module")
def intact():
    return design(tb.Worm())


def recorded(config: str):
    return dataclasses.replace(recording(duration=200.0), config_toml=config)


def test_an_intact_worm_has_no_changed_connection(intact):
    table = circuit.compared(intact, intact)
    assert not table.changed.any() and (table.conductance > 0.0).all()
    assert set(table.kind) == {"synapse", "gap junction", "muscle"}
    strongest = table[table.kind == "gap junction"].iloc[:12]
    assert {("AVB", "VB"), ("AVB", "DB")} <= set(zip(strongest.pre, strongest.post, strict=True))
    own = table[(table.kind == "muscle") & (table.pre == "DB")]
    assert own.sort_values("conductance").post.iloc[-1] == "dorsal muscles" and set(own.sign) == {"excitatory"}
    assert set(table[(table.kind == "muscle") & (table.pre == "VD")].sign) == {"inhibitory"}


@pytest.mark.slow
def test_sums_between_classes_are_those_of_the_drawn_connectome(intact):
    from tianbao.view.anatomy import class_matrices

    chemical, gap = class_matrices(intact)
    table = circuit.class_connections(intact)
    signed = table.assign(value=table.conductance * np.where(table.sign == "inhibitory", -1.0, 1.0))
    ours = signed[signed.kind == "synapse"].groupby(["pre", "post"]).value.sum()
    for (pre, post), value in ours.items():
        assert value == pytest.approx(chemical.loc[pre, post])
    for row in table[table.kind == "gap junction"].itertuples():
        assert row.conductance == pytest.approx(gap.loc[row.pre, row.post])


def test_what_was_cut_or_scaled_is_found_from_the_wiring_itself(intact):
    worm = tb.Worm().ablate("AVBL", "AVBR").scale_gap_junctions("AVA*", "VA*", 0.5).cut_synapses("AVD*", "DA*")
    table = circuit.compared(design(worm), intact)
    changed = table[table.changed]
    avb = (table.pre == "AVB") | (table.post == "AVB")
    assert table[avb].changed.all() and (table[avb].conductance == 0.0).all()
    halved = changed[(changed.kind == "gap junction") & (changed.pre == "AVA") & (changed.post == "VA")]
    assert (halved.conductance / halved.intact).to_list() == pytest.approx([0.5])
    cut = changed[(changed.pre == "AVD") & (changed.post == "DA") & (changed.kind == "synapse")]
    assert len(cut) and (cut.conductance == 0.0).all()
    other = changed[~changed.pre.isin(["AVB", "AVA", "AVD"]) & ~changed.post.isin(["AVB", "VA", "DA"])]
    assert other.empty
    assert circuit.touched(worm.interventions) == ["AVB", "AVA", "VA", "AVD", "DA"]


def test_marks_tell_a_part_of_a_class_from_all_of_it():
    worm = tb.Worm().ablate("AVAL", "PVC*").silence("PVC*").stimulate("RIML", tb.Pulse(0.002, 0.0, 10.0))
    done = circuit.marks(worm.interventions)
    assert done["AVA"] == circuit.Mark("AVAL ablated", False)
    assert done["PVC"] == circuit.Mark("ablated\nsilenced", True)
    assert done["RIM"].text == "RIML current +2 pA"


def test_every_connection_among_the_classes_can_be_read(intact):
    worm = tb.Worm().ablate("AVB*")
    wired = wiring_page.Wired(
        ("run",), circuit.compared(design(worm), intact), circuit.marks(worm.interventions),
        tuple(circuit.touched(worm.interventions)), "ablate AVB*",
    )  # fmt: skip
    text = page("", wiring_page.tables(wired)).decode()
    assert "Changed connections" in text and "cut" in text and "All of them" in text
    texts = {each.get_text() for axes in wired.drawn().axes for each in axes.texts}
    assert {"AVA", "AVB", "VB", "dorsal muscles", "ablated", "×"} <= texts


def test_worms_with_one_wiring_share_a_picture():
    killed = recorded('[[interventions]]\nverb = "ablate"\nneurons = ["AVB*"]\n')
    plain = recorded("seed = 1\n")
    found, notes = wiring_page.wirings([("a", plain, 0), ("b", recorded("seed = 2\n"), 0), ("c", killed, 0)])
    assert [each.names for each in found] == [("a", "b"), ("c",)] and not notes
    assert found[1].table.changed.any() and not found[0].table.changed.any()
    assert neuron_class("AVBL") in found[1].marks


@pytest.mark.parametrize("key", ["connectome", "morphologies"])
def test_a_file_named_by_a_recording_is_not_shown(key, tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("pre,post,type,sections\nAVAL,hunter2,chemical,3\n")
    named = secret if key == "connectome" else tmp_path
    found, notes = wiring_page.wirings([("run", recorded(f'[worm]\n{key} = "{named}"\n'), 0)])
    assert not found and len(notes) == 1 and "cannot be made again" in notes[0] and "hunter2" not in notes[0]
    good = tmp_path / "mine.csv"
    good.write_text("pre,post,type,sections\nAVAL,AVBL,chemical,3\n")
    found, notes = wiring_page.wirings([("run", recorded(f'[worm]\nconnectome = "{good}"\n'), 0)])
    assert not found and notes  # the recording does not state its digest
