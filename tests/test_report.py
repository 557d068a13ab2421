"""A report is one file that says what was measured, how two runs differ, and what a recording lacks."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from synthetic import recording

import tianbao as tb
from tianbao import parameters
from tianbao.view import report, settings
from tianbao.view.report import write_report

USUAL = f"{parameters.defaults().gap_gain:g}"
CONFIG = 'duration = 8000.0\nseed = 7\n[arena]\nmedium = "agar"\n[clock]\ndt = 0.25\n[parameters]\n'
CONFIG += f"gap_gain = {USUAL}\n"


class Reader(HTMLParser):
    """What a browser would load, and the rows of every table."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loads, self.tags, self.rows, self._cell = [], [], [], False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.loads += [value for name, value in attributes if name in ("src", "href", "srcset", "poster", "data")]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self._cell = True
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, text):
        if self._cell:
            self.rows[-1][-1] += text

    def row(self, name: str) -> list[str]:
        return next(row for row in self.rows if row[0].startswith(name))


@pytest.fixture(scope="module")
def run():
    return dataclasses.replace(recording(duration=8000.0), config_toml=CONFIG)


@pytest.fixture(scope="module")
def whole(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    (folder / "crawl.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(2000))
    return write_report(run, folder / "report.html", video=folder / "crawl.mp4").read_text()


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(report, "_PICTURES", report._PICTURES[:1])
    monkeypatch.setattr(report.replay, "can_replay", lambda: False)
    monkeypatch.setattr(report.wiring_page, "wirings", lambda named: ([], []))
    monkeypatch.setattr(report, "_comparison", lambda *_: ())


def written(tmp_path, *runs, **options) -> str:
    return write_report(list(runs), tmp_path / "page.html", **options).read_text()


def test_the_page_holds_all_it_shows_and_loads_nothing(whole):
    page = Reader(whole)
    assert page.tags.count("img") == 7 and page.tags.count("video") == 1
    assert all(each.startswith(("data:image/", "data:video/", "#")) for each in page.loads)
    assert not {"link", "iframe", "object", "embed"} & set(page.tags)
    assert not re.search(r"url\(|@import|https?://", re.sub(r"<script.*?</script>", "", whole, flags=re.DOTALL))
    assert "default-src 'none'" in whole and len(whole) < 6_000_000


def test_it_reads_on_a_phone_and_in_the_dark(whole):
    assert 'name="viewport"' in whole and "prefers-color-scheme: dark" in whole and "overflow-x: auto" in whole


def test_measured_stands_beside_published_with_a_mark(whole, run):
    row = Reader(whole).row("forward speed")
    assert row[1] == f"{run.gait().forward_speed_mm_s:.3f}✓ inside"
    assert row[2] == "0.1 to 0.3" and "Karbowski" in row[3]


def test_a_value_outside_the_published_range_says_so(run, quick, tmp_path):
    fast = dataclasses.replace(run.track(), midline=run.track().midline * [4.0, 1.0, 1.0])
    page = Reader(written(tmp_path, dataclasses.replace(run, worms=(fast,))))
    assert page.row("forward speed")[1].endswith("✗ outside")


def test_a_changed_setting_is_marked_and_set_beside_its_default(whole):
    row = '<th scope="row">clock.dt</th><td class="number changed">0.25</td><td class="number soft">0.5</td>'
    assert row in whole
    assert not re.search(r'gap_gain</th><td class="number changed">', whole)


def test_provenance_is_complete(whole, run):
    page = Reader(whole)
    told = {row[0]: row[-1] for row in page.rows if row}
    assert told["mechanisms"] == run.mechanism_hash and told["git revision"] == run.git_revision
    assert told["seed"] == "7" and told["created"] == run.created and told["version of neuron"] == "9.0.2"
    assert told["computing time"] == "66.4 s, 8.30 s per simulated second"


def test_two_runs_stand_side_by_side_with_their_difference(run, quick, tmp_path):
    slow = dataclasses.replace(
        run, worms=(dataclasses.replace(run.track(), midline=run.track().midline[::-1]),), seed=8,
        config_toml=CONFIG.replace(USUAL, "0.02") + '[[interventions]]\nverb = "ablate"\nneurons = ["AVB*"]\n',
    )  # fmt: skip
    page = Reader(written(tmp_path, run, slow, names=["wild type", "backwards"]))
    row, ours, theirs = page.row("forward speed"), run.gait(), slow.gait()
    assert page.rows[0][:4] == ["measured", "wild type", "backwards", "difference"]
    assert row[1].startswith(f"{ours.forward_speed_mm_s:.3f}")
    assert row[2].startswith(f"{theirs.forward_speed_mm_s:.3f}")
    assert row[3].startswith(f"{theirs.forward_speed_mm_s - ours.forward_speed_mm_s:.3f} (-2")
    assert page.row("parameters.gap_gain") == ["parameters.gap_gain", USUAL, "0.02", USUAL]
    assert ["seed", "7", "8"] in page.rows
    assert "ablate: neurons AVB*" in (tmp_path / "page.html").read_text()


def test_the_shape_of_the_wave_stands_beside_the_animals(run, quick, tmp_path):
    page = Reader(written(tmp_path, run))
    names = {"travelling_r2": "one travelling wave", "speed_cv_along": "uneven along", "duty": "unequal"}
    for metric, name in names.items():
        row = page.row(name)
        assert float(row[1][:5]) == pytest.approx(getattr(run.gait(), metric), abs=1e-3)
        assert row[2] and "Broekmans" in row[3]
    assert page.row("path turns")[1].endswith("✓ inside") and page.row("speed over wave speed")[2] == ""


def test_every_metric_of_a_gait_has_its_row(run, quick, tmp_path):
    from tianbao.behaviour.gait import METRICS
    from tianbao.view import gait_table

    assert {each[0] for each in (*gait_table.MOVEMENT, *gait_table.SHAPE)} == set(METRICS)
    rows = [row[0] for row in Reader(written(tmp_path, run)).rows]
    assert len([each for each in rows if each == "measured"]) == 2


def test_an_animal_is_a_further_column_and_a_further_kymograph(run, quick, tmp_path):
    animal = tb.Kymograph.of(dataclasses.replace(run, mechanism_hash=""), name="N2 <1>")
    bent = dataclasses.replace(animal.gait, forward_speed_mm_s=float("nan"), duty=0.25)
    animal = dataclasses.replace(animal, gait=bent)
    text = written(tmp_path, run, names=["model"], animal=animal)
    page = Reader(text)
    assert page.rows[0][:4] == ["measured", "model", "N2 <1> (animal)", "difference"]
    assert page.row("forward speed")[2] == "not measured" and page.row("unequal")[2].startswith("0.250")
    assert page.tags.count("img") == 1 and "one travelling wave explains 100 %" in text


def test_the_command_takes_an_animal_from_a_table(run, quick, tmp_path, capsys):
    from tianbao.cli import main

    run.save(tmp_path / "model" / "results.h5")
    lines = [f"{name},{k}," + ",".join(f"{5 * np.cos(0.1 * k - 0.4 * j):.4f}" for j in range(24))
             for name in ("a", "b") for k in range(200)]  # fmt: skip
    table = tmp_path / "animal.csv"
    table.write_text("\n".join(["# made up", "episode,frame," + ",".join(f"j{j}" for j in range(24)), *lines]))
    command = ["report", str(tmp_path / "model"), "--out", str(tmp_path / "page.html"), "--animal", str(table)]
    more = ["--animal-episode", "b", "--animal-window", "1,6", "--animal-rate", "30"]
    assert main([*command, *more]) == 0
    assert "b (animal)" in Reader((tmp_path / "page.html").read_text()).rows[0]
    capsys.readouterr()
    for wrong, sentence in (
        (command, "select one"),
        ([*command, *more[:2], "--animal-window", "6"], "start and stop"),
        ([*command[:4], *more], "add --animal FILE"),
        ([*command[:5], str(tmp_path / "none.csv")], "there is no file"),
    ):
        assert main(wrong) == 2
        said = capsys.readouterr().err
        assert sentence in said and said.count("\n") == 1


def test_three_runs_give_their_spread(run, quick, tmp_path):
    page = Reader(written(tmp_path, run, run, run))
    assert page.rows[0][4] == "spread" and page.row("forward speed")[4] == "0"


def test_names_and_settings_cannot_become_markup(run, quick, tmp_path):
    evil = "<script>alert('x')</script>"
    told = dataclasses.replace(
        run, created=evil, git_revision='"><img src=http://x>', versions={evil: evil},
        config_toml=f'[worm]\nconnectome = "{evil}"\n[[interventions]]\nverb = "{evil}"\n',
    )  # fmt: skip
    page = Reader(written(tmp_path, told, names=[evil]))
    assert "script" not in page.tags and page.tags.count("img") == 1
    assert page.row("worm.connectome")[1] == evil and page.row("created")[1] == evil


@pytest.mark.parametrize("kept", [0, 1])
def test_a_recording_without_frames_says_that_it_is_too_short(run, kept, tmp_path, monkeypatch):
    monkeypatch.setattr(report.wiring_page, "wirings", lambda named: ([], []))
    track = run.track()
    short = dataclasses.replace(
        track, midline=track.midline[:kept], muscle_activation=track.muscle_activation[:kept],
        voltage=track.voltage[:kept], voltage_time=track.voltage_time[:kept],
    )  # fmt: skip
    page = written(tmp_path, dataclasses.replace(run, time=run.time[:kept], worms=(short,), complete=False))
    assert "too short to measure a gait" in page and "ended early" in page
    assert Reader(page).row("frequency")[1] == "not measured"


def test_a_track_of_an_animal_has_no_neurons_and_says_so(run, tmp_path, monkeypatch):
    bare = dataclasses.replace(
        run.track(), muscle_activation=np.zeros((len(run.time), 0)), muscles=(), neurons=(), dorsal=None,
        voltage=np.zeros((0, 0)), voltage_time=np.zeros(0),
    )  # fmt: skip
    animal = dataclasses.replace(
        run, worms=(bare,), config_toml="", versions={}, mechanism_hash="", git_revision="", wall_s_per_bio_s=0.0
    )
    page = written(tmp_path, animal)
    assert "No neurons were recorded" in page and "contains no configuration" in page
    assert Reader(page).tags.count("img") == 2
    monkeypatch.setattr(report, "_PICTURES", report._PICTURES[:1])
    monkeypatch.setattr(report.replay, "can_replay", lambda: False)
    both = Reader(written(tmp_path, run, animal, names=["model", "animal"]))
    assert both.row("mechanisms")[1:] == ["abc123", "unknown"]


def test_every_worm_of_a_run_has_its_column(run, quick, tmp_path):
    pair = dataclasses.replace(run, worms=(run.track(), run.track()))
    assert Reader(written(tmp_path, pair, names=["pair"])).row("measured")[1:3] == ["pair, worm 0", "pair, worm 1"]


def test_what_would_make_the_page_too_large_is_left_out_and_named(run, quick, tmp_path):
    (tmp_path / "long.mp4").write_bytes(bytes(6_000_000))
    page = written(tmp_path, run, video=[tmp_path / "long.mp4"])
    assert "video long.mp4 (8.0 MB)" in page and "video" not in Reader(page).tags and len(page) < 1_000_000


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda run, to: write_report([], to), "give a recording"),
        (lambda run, to: write_report("results.h5", to), "give a recording"),
        (lambda run, to: write_report(run, to, names=["a", "b"]), "names must be a list of 1"),
        (lambda run, to: write_report(run, to, names="run"), "names must be a list of 1"),
        (lambda run, to: write_report([run, run], to, video=["a.mp4"]), "give 2 videos"),
        (lambda run, to: write_report(run, to, video="crawl.avi"), "not an MP4"),
        (lambda run, to: write_report(run, to, video="nowhere.mp4"), "no video file nowhere.mp4"),
        (lambda run, to: write_report(dataclasses.replace(run, worms=()), to), "no worm"),
        (lambda run, to: write_report(run, to, animal="animal.wcon"), "read_kymograph"),
    ],
)
def test_what_cannot_be_reported_is_refused_in_one_sentence(run, wrong, sentence, tmp_path):
    with pytest.raises(tb.errors.TianbaoError, match=sentence):
        wrong(run, tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_interventions_are_read_from_tables_and_from_sentences(run):
    tables = '[[interventions]]\nverb = "stimulate"\nneuron = "AVAL"\namplitude = 0.005\n'
    assert settings.interventions(dataclasses.replace(run, config_toml=tables)) == [
        "stimulate: neuron AVAL; amplitude 0.005"
    ]
    old = '[worm]\ninterventions = ["ablate(AVB*)"]\n'
    assert settings.interventions(dataclasses.replace(run, config_toml=old)) == ["ablate(AVB*)"]
    assert settings.settings(dataclasses.replace(run, config_toml="not toml [")) == {}
