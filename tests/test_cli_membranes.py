"""`tianbao sources` and `tianbao validate` from the command line."""

from __future__ import annotations

import pandas as pd
import pytest

from tianbao.cli import EXIT_ERROR, main


def test_sources_are_printed_and_written(capsys, tmp_path):
    assert main(["sources", "AVAL"]) == 0
    said = capsys.readouterr().out
    assert all(each in said for each in ("leak_reversal", "input_resistance", "ratio"))
    assert main(["sources", "AWC*", "--csv", str(tmp_path / "awc.csv")]) == 0
    table = pd.read_csv(tmp_path / "awc.csv")
    assert set(table.neuron) == {"AWCL", "AWCR"} and table.source.notna().all()


def test_bad_names_and_folders_are_sentences(capsys, tmp_path):
    assert main(["sources", "AWX*"]) == EXIT_ERROR
    assert main(["validate", "--level", "chanel", "--out", str(tmp_path)]) == EXIT_ERROR
    blocked = tmp_path / "file"
    blocked.touch()
    assert main(["validate", "--level", "channel", "--out", str(blocked / "inside")]) == EXIT_ERROR
    said = capsys.readouterr().err
    assert "Traceback" not in said and "did you mean 'channel'" in said and said.count("tianbao:") == 3


@pytest.mark.slow
def test_channels_are_validated_into_a_page(capsys, tmp_path):
    assert main(["validate", "--level", "channel", "--out", str(tmp_path / "evidence")]) == 0
    assert (tmp_path / "evidence" / "validation.html").stat().st_size > 50_000
    assert "0 fail" in capsys.readouterr().out


TAP = ["--level", "behaviour", "--assay", "tap"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--set", "clock.tick=2.0"], "--set is of level behaviour: add --level behaviour"),
        ([*TAP, "--set", "clock.tock=2.0"], "unknown key 'clock.tock'"),
        ([*TAP, "--set", "worm.decision={plateau_avx=2.0}"], "unknown value 'plateau_avx'"),
        ([*TAP, "--set", "engine"], "'engine' is not a setting: write key=value"),
    ],
)
def test_a_wrong_change_of_an_assay_is_refused_before_anything_runs(capsys, tmp_path, options, words):
    assert main(["validate", *options, "--out", str(tmp_path)]) == EXIT_ERROR
    assert words in capsys.readouterr().err
