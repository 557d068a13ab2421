"""Every mistake of a newcomer is answered by one sentence that names the cure, before anything is computed."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

import mistakes
import pytest

import tianbao as tb
from tianbao import anatomy
from tianbao.anatomy.names import glob_of
from tianbao.cli import main
from tianbao.config import RunConfig, parse_setting, read_config
from tianbao.errors import unknown
from tianbao.interventions import VERBS, apply, parse_command
from tianbao.loop.unnoticed import unnoticed
from tianbao.ranges import ranges
from tianbao.topics import KINDS, answer_to, topics

DOCS = Path(__file__).parents[1] / "docs"
LONGEST = 700  # characters of an answer


def answers(text: str, words: str) -> None:
    """That a text is one sentence with all of these words."""
    assert "\n" not in text.strip() and len(text) < LONGEST, text
    for each in words.split("|"):
        assert each.lower() in text.lower(), (each, text)


def said_by(call) -> str:
    with pytest.raises(tb.TianbaoError) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize(("setting", "words"), mistakes.SETTINGS, ids=[each[0] for each in mistakes.SETTINGS])
def test_a_setting_is_answered(setting, words):
    answers(said_by(lambda: RunConfig().updated(dict([parse_setting(setting)]))), words)


@pytest.mark.parametrize(("what", "words"), mistakes.DONE, ids=[each[0] for each in mistakes.DONE])
def test_an_intervention_is_answered(what, words):
    answers(said_by(lambda: apply(tb.Worm(), parse_command(what))), words)


@pytest.mark.parametrize(("call", "words"), mistakes.CALLS)
def test_a_call_is_answered(call, words):
    answers(said_by(call), words)


@pytest.mark.parametrize(("command", "words"), mistakes.COMMANDS, ids=[each[0] for each in mistakes.COMMANDS])
def test_a_command_is_answered(command, words, capsys):
    try:
        code = main(command.split())
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    answers(capsys.readouterr().err, words)


@pytest.mark.parametrize(("command", "name", "text", "words"), mistakes.FILES)
def test_a_file_is_answered(command, name, text, words, tmp_path, capsys):
    path = tmp_path / name
    path.write_bytes(text.encode("latin-1"))
    assert main([*command.split(), str(path)]) == 2
    answers(capsys.readouterr().err.replace(str(tmp_path), ""), words)


@pytest.mark.parametrize(("get", "words"), mistakes.ATTRIBUTES)
def test_an_attribute_that_is_not_there_is_answered(get, words):
    with pytest.raises(AttributeError) as caught:
        get()
    answers(str(caught.value), words)


@pytest.mark.parametrize(("what", "words"), mistakes.UNNOTICED)
def test_what_a_run_would_not_notice_is_said(what, words):
    sim = tb.Simulation(apply(tb.Worm(), parse_command(what)), progress=False)
    told = unnoticed(sim.worms, sim.arena, sim.clock, 10_000.0)
    assert len(told) == bool(words)
    for text in told:
        answers(text, words)


def test_places_and_fields_that_mean_nothing_are_said(caplog, monkeypatch):
    worms = [tb.Worm(heading=90.0), tb.Worm(at=(1500.0, 0.0, 0.0))]
    sim = tb.Simulation(worms, tb.Arena("agar", fields=[tb.Bath("odour", [(0.0, 1.0)])]), progress=False)
    monkeypatch.setattr(sim.loop, "reset", lambda seed: None)
    sim.reset()
    turned, far, field = (each.getMessage() for each in caplog.records)
    answers(turned, "1.571")
    answers(far, "mm, not um")
    answers(field, "nacl|senses.md")


def test_a_patch_in_another_unit_is_answered(caplog):
    cell = tb.PatchedCell.of_neuron("AWCL")
    answers(said_by(lambda: cell.run(tb.current_steps([20_000.0]))), "pA|nA")
    cell.run(tb.voltage_steps([-0.08], duration=1.0))
    warned = [each for each in caplog.records if each.levelname == "WARNING"]
    answers(warned[-1].getMessage(), "mV|-80")


def test_express_is_the_same_in_python_in_a_file_and_as_a_command():
    table = {"verb": "express", "channel": "cation", "neurons": ["AVA*"], "conductance": 3.0}
    commanded = apply(tb.Worm(), parse_command("express cation AVA* conductance=3.0"))
    in_python = tb.Worm().express("cation", "AVA*", conductance=3.0)
    assert apply(tb.Worm(), table).interventions == commanded.interventions == in_python.interventions


def test_there_are_hundreds_of_mistakes():
    lists = (mistakes.SETTINGS, mistakes.DONE, mistakes.CALLS, mistakes.COMMANDS, mistakes.FILES, mistakes.ATTRIBUTES)
    assert sum(map(len, lists)) >= 200


def test_a_class_is_answered_by_a_glob_of_its_members_and_of_no_other():
    table = anatomy.neurons()
    assert table["class"].nunique() > 100
    for name, members in table.groupby("class").groups.items():
        if name in table.index:
            assert anatomy.match_neurons(name) == [name]
            continue
        for written in (name, name.lower(), f"{name} neurons"):
            found = re.search("write '(.*)'", said_by(lambda written=written: anatomy.match_neurons(written)))
            assert anatomy.match_neurons(found[1]) == sorted(members), name
    for name in ("SMD", "SMB", "SIA", "SIB", "SAA"):
        assert f"class: write '{name}*'" in said_by(lambda name=name: anatomy.match_neurons(name))


def test_the_glob_of_cells_without_a_common_pattern_is_their_list():
    known = ["VA1", "VA11", "VA2", "VB1"]
    assert glob_of("VA1", ["VA1"], known) == "VA1" and glob_of("VA", ["VA1", "VA11", "VA2"], known) == "VA*"
    for members in (["VA11"], ["VA1", "VA11"], ["VA1", "VA2"]):
        found = {name for part in glob_of("VA", members, known).split(",") for name in fnmatch.filter(known, part)}
        assert found == set(members)


def test_lists_and_commas_are_taken_wherever_globs_are(tmp_path):
    pair, text = ["AVAL", "AVAR"], "AVAL,AVAR"
    assert anatomy.match_neurons(pair) == anatomy.match_neurons(text) == anatomy.match_neurons(*pair)
    pulse = tb.Pulse(0.02, 0.0, 9.0)
    for verb in (
        lambda worm, cells: worm.ablate(cells), lambda worm, cells: worm.silence(cells),
        lambda worm, cells: worm.stimulate(cells, pulse), lambda worm, cells: worm.clamp(cells, voltage=-20.0),
        lambda worm, cells: worm.knock_down("egl-19", 0.5, cells), lambda worm, cells: worm.cut_synapses(cells, "VA*"),
        lambda worm, cells: worm.cut_gap_junctions(cells, ["VA*", "DA*"]),
        lambda worm, cells: worm.express("cation", cells), lambda worm, cells: worm.silence_stretch_receptors(cells),
        lambda worm, cells: worm.set_conductance(cells, "egl-19", 1e-5),
    ):  # fmt: skip
        listed, joined = verb(tb.Worm(), pair), verb(tb.Worm(), text)
        assert listed.interventions == joined.interventions and len(listed.interventions) == 1
    for command in ("ablate AVAL, AVAR", "stimulate AVAL,AVAR amplitude=0.02 start=0 stop=9"):
        assert apply(tb.Worm(), parse_command(command)).interventions
    table = {"verb": "knock_out", "genes": ["egl-19"], "cells": pair}
    path = tmp_path / "run.toml"
    path.write_text(RunConfig().updated({"interventions": [table]}).to_toml())
    worm = apply(tb.Worm(), read_config(path).interventions[0])
    assert not worm.model().effects.membranes["AVAL"].carries("egl-19")
    assert worm.model().effects.membranes["AVBL"] == tb.Worm().model().effects.membranes["AVBL"]


def test_a_tool_has_the_sign_of_its_channel_and_no_other_is_suggested():
    from tianbao.network.tools import OPSINS, channel, channel_named
    from tianbao.rows import read_rows

    rest = -60.0
    for where, row in read_rows(OPSINS):
        if row["channel"]:
            reversal = channel(row["name"], "AVAL", None).reversal
            assert (reversal > rest) == (row["sign"] == "excites"), where
    assert channel_named("ChR2(H134R)") == channel_named("Chrimson") == "cation"
    assert channel_named("GtACR-1") == channel_named("HisCl1") == "chloride"
    for name in ("chr", "chlorid", "catoin", "gtac", "arch", "NpHR"):
        answers(said_by(lambda name=name: channel_named(name)), "'cation' (excites|'chloride' (silences")


def test_every_topic_is_on_its_page():
    pages = {each.page.partition("#")[0] for each in topics()}
    texts = {name: (DOCS / name).read_text(encoding="utf-8") for name in pages}
    words = [word for each in topics() for word in each.words]
    assert len(words) == len(set(words))
    for each in topics():
        name, _, heading = each.page.partition("#")
        assert each.kind in KINDS and each.phrase in " ".join(texts[name].split()), each
        headings = re.findall("^##+ (.*)", texts[name], re.MULTILINE)
        found = [re.sub(r"[^a-z0-9]+", "-", line.lower()) for line in headings]
        assert not heading or heading in found, (each.page, found)


def test_no_topic_hides_a_key_or_an_intervention():
    for name, _ in RunConfig()._flat():
        assert "did you mean" in unknown("key", name.upper(), [name])
    for verb in VERBS:
        assert answer_to(verb) is not None
        assert "[[interventions]]" in said_by(lambda verb=verb: RunConfig().updated({verb: 1}))


def test_what_was_never_shown_to_hold_is_said_once_before_anything_is_computed(caplog, monkeypatch):
    made = tb.Simulation(
        tb.Worm().stimulate("AVBL", tb.Pulse(1.0, 0.0, 100.0)), tb.Arena("water"),
        clock=tb.Clock(dt=4.0, tick=20.0), material=tb.Material(bending_stiffness_n_m2=1e-12), progress=False,
    )  # fmt: skip
    monkeypatch.setattr(made.loop, "reset", lambda seed: None)
    made.reset()
    made.reset()
    told = [each.getMessage() for each in caplog.records]
    names = ("clock.dt", "clock.tick in water", "material.bending_stiffness_n_m2", "stimulate AVBL: amplitude")
    assert [text.split(" =")[0] for text in told] == list(names)
    for text in told:
        answers(text, "too large|limits.md")


@pytest.mark.parametrize("clock", [{"dt": 400.0}, {"tick": 400.0}, {"dt": 400.0, "order": 2}])
def test_a_step_without_meaning_is_refused(clock):
    steps = tb.Clock(**{"tick": 400.0, "frame": 400.0, **clock})
    answers(said_by(lambda: tb.Simulation(tb.Worm(), clock=steps, progress=False)), "too large|ms")


def test_defaults_and_media_warn_of_nothing():
    for medium in tb.Medium.names():
        assert tb.Simulation(tb.Worm(), tb.Arena(medium), progress=False)._outside() == []


def test_ranges_hold_what_the_measurements_say():
    import csv

    rows = list(csv.DictReader((DOCS / "measured" / "coarse_steps.csv").open(encoding="utf-8")))
    for medium, quantity in (("agar", "clock.tick"), ("water", "clock.tick of a swimmer")):
        for row in rows:
            if row["medium"] == medium and float(row["dt_ms"]) == 0.5:
                changes = (row[f"{name}_change"] or "inf" for name in ("forward_speed_mm_s", "travelling_r2"))
                worst = max(abs(float(each)) for each in changes)
                assert ranges()[quantity].warning(float(row["tick_ms"])) or worst < 0.03, row
    neural = list(csv.DictReader((DOCS / "measured" / "neural_convergence.csv").open(encoding="utf-8")))
    plain = {"1": "clock.dt", "2": "clock.dt of order 2"}
    for row in neural:
        name = plain[row["order"]] + (" with corrections" if row["corrections"] != "0" else "")
        assert row["stable"] == "True" or ranges()[name].warning(float(row["dt_ms"])), row


def test_each_source_of_a_range_that_is_a_file_is_there():
    for each in ranges().values():
        assert each.source and each.certainty in ("low", "medium", "high")
        for path in re.findall(r"(?:docs|tianbao|sims)/[\w/.]+\w", each.source):
            assert (DOCS.parent / path).exists(), path
