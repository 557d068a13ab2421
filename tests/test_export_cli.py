"""`tianbao export` and `import-track`: files where they were asked for, or one sentence."""

from __future__ import annotations

import argparse
import sys

import numpy as np
import pandas as pd
import pytest
from synthetic import NEURONS, recording

import tianbao as tb
from tianbao.cli import export
from tianbao.cli.session import run_script


def run(*words) -> int:
    parser = argparse.ArgumentParser(prog="tianbao")
    export.register(parser.add_subparsers(required=True))
    args = parser.parse_args([str(word) for word in words])
    return run_script(args.act, args)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("run")
    recording(duration=4000.0).save(path / "results.h5")
    return path


def test_wcon_goes_out_and_comes_back_as_the_same_gait(folder, tmp_path, capsys):
    assert run("export", "wcon", folder) == 0
    assert (folder / "track.wcon").is_file() and "track.wcon" in capsys.readouterr().out
    assert run("import-track", folder / "track.wcon", "--out", tmp_path / "animal" / "results.h5") == 0
    before, after = tb.open(folder / "results.h5").gait(), tb.open(tmp_path / "animal" / "results.h5").gait()
    assert after.frequency_hz == pytest.approx(before.frequency_hz)
    assert after.wavelength_body_lengths == pytest.approx(before.wavelength_body_lengths, abs=1e-4)
    assert "frequency_hz" in capsys.readouterr().out


def test_a_medium_named_on_import_brings_its_published_ranges(folder, tmp_path, capsys):
    run("export", "wcon", folder / "results.h5", "--out", tmp_path / "a.wcon.zip")
    assert run("import-track", tmp_path / "a.wcon.zip", "--worm", "0", "--medium", "water", "--out", tmp_path) == 0
    assert tb.open(tmp_path / "results.h5").medium == "water"
    assert "published 1.4 to 2.3 Hz" in capsys.readouterr().out


def test_csv_tables_are_tidy(folder, tmp_path):
    assert run("export", "csv", folder, "--out", tmp_path) == 0
    run_ = tb.open(folder / "results.h5")
    midline = pd.read_csv(tmp_path / "midline.csv")
    assert list(midline) == ["time_ms", "point", "x_mm", "y_mm", "z_mm"] and len(midline) == 200 * 49
    assert np.allclose(midline.x_mm.to_numpy().reshape(200, 49), run_.worms[0].midline[..., 0], atol=1e-8)
    voltages = pd.read_csv(tmp_path / "voltages.csv")
    wide = voltages.pivot(index="time_ms", columns="neuron", values="voltage_mV")[list(NEURONS)]
    assert np.allclose(wide.to_numpy(), run_.worms[0].voltage, atol=1e-4)
    activations = pd.read_csv(tmp_path / "activations.csv")
    assert activations.muscle.nunique() == 95 and len(activations) == 95 * 200
    assert list(pd.read_csv(tmp_path / "posture.csv"))[0] == "time_ms"


def test_a_track_without_neurons_gives_the_tables_that_it_can(folder, tmp_path):
    run("export", "wcon", folder, "--out", tmp_path / "track.wcon")
    run("import-track", tmp_path / "track.wcon", "--out", tmp_path / "results.h5")
    assert run("export", "csv", tmp_path, "--out", tmp_path / "tables") == 0
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == ["midline.csv", "posture.csv"]


def test_nwb_is_written_or_says_what_to_install(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pynwb", None)
    assert run("export", "nwb", folder, "--out", tmp_path / "run.nwb") == 2
    assert "pip install 'tianbao[nwb]'" in capsys.readouterr().err
    monkeypatch.undo()
    pytest.importorskip("pynwb")
    assert run("export", "nwb", folder, "--out", tmp_path / "run.nwb", "--experimenter", "Doe, Jane") == 0
    assert (tmp_path / "run.nwb").stat().st_size > 10_000


def test_a_configured_worm_is_what_is_exported(tmp_path, monkeypatch, capsys):
    config = tmp_path / "mutant.toml"
    config.write_text('[[interventions]]\nverb = "ablate"\nneurons = ["AVB*"]\n', encoding="utf-8")
    worms = []
    monkeypatch.setattr("tianbao.io.neuroml.write_neuroml", lambda worm, out: worms.append(worm) or out)
    netpyne = "tianbao.io.netpyne_model.export_netpyne"
    monkeypatch.setattr(netpyne, lambda worm, out, cells, neurons_only: worms.append(worm) or [])
    for name in ("neuroml", "netpyne"):
        assert run("export", name, "--config", config, "--out", tmp_path / name) == 0
        assert run("export", name, "--out", tmp_path / name) == 0
    assert [[each["verb"] for each in worm.interventions] for worm in worms] == [["ablate"], []] * 2


@pytest.mark.parametrize(
    "words, said",
    [
        (("export", "wcon", "nowhere"), "there is no results file nowhere"),
        (("export", "csv", "{folder}", "--worm", "4"), "there is no worm 4"),
        (("export", "wcon", "{folder}", "--out", "{folder}/results.h5/x.wcon"), "cannot write"),
        (("export", "neuroml", "--config", "absent.toml", "--out", "{folder}/n"), "absent.toml"),
        (("import-track", "absent.wcon"), "there is no file absent.wcon"),
        (("import-track", "{folder}/results.h5"), "is not a WCON file"),
    ],
)
def test_what_goes_wrong_is_one_sentence(folder, capsys, words, said):
    assert run(*(word.format(folder=folder) for word in words)) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and "Traceback" not in error


FORMATS = ("wcon", "csv", "nwb", "neuroml", "netpyne")


@pytest.mark.parametrize("words", [("export",), ("import-track",), *(("export", name) for name in FORMATS)])
def test_every_command_explains_itself_with_examples(capsys, words):
    with pytest.raises(SystemExit) as left:
        run(*words, "--help")
    assert left.value.code == 0 and "examples:\n  tianbao " in capsys.readouterr().out
