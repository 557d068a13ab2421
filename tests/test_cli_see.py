"""`tianbao view`, `report`, `plot` and `draw` do what they say or refuse in one sentence."""

from __future__ import annotations

import argparse

import pytest
from synthetic import recording

from tianbao.cli import see
from tianbao.cli.session import EXIT_ERROR, run_script
from tianbao.view import report


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two folders as runs leave them."""
    base = tmp_path_factory.mktemp("runs")
    for name in ("one", "two"):
        recording(duration=2000.0).save(base / name / "results.h5")
    return base


def tianbao(*arguments) -> int:
    parser = argparse.ArgumentParser(prog="tianbao")
    see.register(parser.add_subparsers(required=True))
    args = parser.parse_args([str(each) for each in arguments])
    return run_script(args.act, args)


@pytest.mark.parametrize("kind", ["kymograph", "trajectory"])
def test_a_plot_lands_beside_the_result_of_a_folder_or_a_file(folders, kind):
    assert tianbao("plot", folders / "one", kind) == 0
    assert (folders / "one" / f"{kind}.png").stat().st_size > 0
    assert tianbao("plot", folders / "one" / "results.h5", kind, "--out", folders / f"{kind}.svg") == 0
    assert (folders / f"{kind}.svg").read_bytes().startswith(b"<?xml")


def test_every_kind_is_a_plot_of_a_recording(folders):
    plots = recording(duration=2000.0).plot
    assert all(callable(getattr(plots, name)) for name in see.KINDS.values())
    assert {"kymograph", "traces", "raster", "trajectory", "activity", "muscles"} <= set(see.KINDS)


def test_two_results_are_compared_under_the_names_of_their_folders(folders, monkeypatch, capsys):
    monkeypatch.chdir(folders)
    monkeypatch.setattr(report, "_PICTURES", ())
    assert tianbao("report", folders / "one", folders / "two") == 0
    page = (folders / "compared.html").read_text()
    assert not (folders / "one" / "report.html").exists()
    assert '<th scope="col">one</th><th scope="col">two</th><th scope="col">difference</th>' in page
    assert "compared.html" in capsys.readouterr().out


def test_the_video_of_a_run_is_found_and_taken_in(folders, monkeypatch):
    monkeypatch.setattr(report, "_PICTURES", ())
    (folders / "two" / "crawl.mp4").write_bytes(bytes(1000))
    assert tianbao("report", folders / "two", "--out", folders / "film.html") == 0
    assert "data:video/mp4;base64," in (folders / "film.html").read_text()


def test_a_neuron_is_drawn_under_its_one_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tianbao("draw", "AS01") == 0
    assert [each.name for each in tmp_path.iterdir()] == ["AS1.png"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("plot", "one", "rastr"), "did you mean 'raster'?"),
        (("plot", "one", "raster", "--out", "a.xyz"), "unknown picture format 'xyz'"),
        (("plot", "one", "muscles", "--worm", "3"), "no worm 3"),
        (("plot", "one", "muscles", "--worm", "-1"), "no worm -1"),
        (("plot", "one", "raster", "--neurons", "DB*"), "--neurons is for traces"),
        (("plot", "one", "traces", "--neurons", "DB44"), "did you mean 'DB4'?"),
        (("plot", "nowhere", "traces"), "no results file"),
        (("plot", ".", "traces"), "no results file"),
        (("report", "one", "nowhere"), "no results file"),
        (("report", "one", "--video", "none.mp4"), "no video file none.mp4"),
        (("report", "one", "--video", "a.mp4", "--video", "b.mp4"), "2 videos for 1 results"),
        (("draw", "AVAl"), "did you mean 'AVAL'?"),
        (("draw",), "give the name of a neuron"),
        (("draw", "AVAL", "--connectome"), "give the name of a neuron"),
        (("view", "one", "--time", "nan", "--screenshot", "a.png"), "not in the recording"),
        (("view", "one", "--worm", "2"), "no worm 2"),
    ],
)
def test_what_is_asked_wrongly_is_refused_in_one_sentence(folders, monkeypatch, capsys, arguments, sentence):
    monkeypatch.chdir(folders)
    before = sorted(folders.rglob("*"))
    assert tianbao(*arguments) == EXIT_ERROR
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert sorted(folders.rglob("*")) == before
