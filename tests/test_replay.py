"""The replay in a report holds what was recorded, within the rounding of its numbers; no name can break it."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
import zlib

import numpy as np
import pytest
from synthetic import recording

from tianbao.anatomy import muscles
from tianbao.recorded import RecordedRun
from tianbao.view import replay, report
from tianbao.view.nerves import Posture, nerves
from tianbao.view.report import write_report

pytest.importorskip("trimesh")
EVIL = "</script><script>alert(1)</script><!-- $& ' \" \u2028 \x00 &amp;"


@pytest.fixture(scope="module")
def run():
    return recording(duration=1200.0)


@pytest.fixture
def bare(monkeypatch):
    """Reports without pictures and wiring."""
    monkeypatch.setattr(report, "_PICTURES", ())
    monkeypatch.setattr(report.wiring_page, "wirings", lambda named: ([], []))
    monkeypatch.setattr(report, "_comparison", lambda *_: ())


def read(page: str) -> tuple[dict, list[np.ndarray]]:
    """The data of a replay, decoded as its format says: little-endian integers, sums along time, scale and offset."""
    head = json.loads(re.search(r'id="replay-head">(.*?)</script>', page, re.DOTALL)[1])
    block = zlib.decompress(base64.b64decode(re.search(r'id="replay-data">(.*?)</script>', page)[1]))
    arrays = []
    for each in head["arrays"]:
        kind = np.dtype(each["type"]).newbyteorder("<")
        whole = np.frombuffer(block, kind, int(np.prod(each["shape"])), each["start"]).reshape(each["shape"])
        if "scale" in each:
            if each["differences"]:
                whole = np.cumsum(whole, axis=0, dtype=kind)
            values = whole * each["scale"] + each["offset"]
            values[whole == np.iinfo(kind).min] = np.nan
            whole = values
        arrays.append(whole)
    return head, arrays


def written(tmp_path, *runs: RecordedRun, **options) -> str:
    return write_report(list(runs), tmp_path / "page.html", **options).read_text()


def test_the_page_holds_what_was_recorded(run, bare, tmp_path):
    head, arrays = read(written(tmp_path, run))
    (worm,), track = head["worms"], run.worms[0]
    kept = np.searchsorted(run.time, np.array(worm["seconds"]) * 1e3)
    assert np.allclose(np.array(worm["seconds"]) * 1e3, run.time[kept]) and len(kept) == len(run.time)
    line = arrays[worm["line"]] + np.array(worm["middles"])[:, None]
    assert np.abs(line - track.midline[kept]).max() < 1e-4  # a tenth of a micrometre
    for frame in (0, len(kept) // 2):
        dorsal = Posture(track.midline[kept[frame]]).axes(np.linspace(0, 1, line.shape[1]))[1]
        assert np.abs(arrays[worm["dorsal"]][frame] - dorsal).max() < 0.005
    names = [head["anatomy"]["neurons"][k] for k in worm["neurons"]]
    assert names == list(track.neurons)
    voltage = arrays[worm["voltage"]]
    assert np.abs(voltage - track.voltage[kept]).max() <= np.ptp(track.voltage) / 65_534
    assert [head["anatomy"]["muscles"][k] for k in worm["muscles"]] == list(track.muscles)
    activation = track.muscle_activation
    assert np.abs(arrays[worm["activation"]] - activation[kept]).max() <= np.ptp(activation) / 250


def test_somata_neurites_and_muscles_are_at_their_places(run, bare, tmp_path):
    head, arrays = read(written(tmp_path, run))
    anatomy, shape = head["anatomy"], nerves()
    points, owners = arrays[anatomy["neurites"]], arrays[anatomy["owners"]]
    true = np.column_stack([shape.at.s, shape.at.dorsal_um / 1e3, shape.at.right_um / 1e3])
    assert anatomy["neurons"] == list(shape.names) and len(anatomy["neurons"]) == 302
    assert np.abs(points[arrays[anatomy["somata"]]] - true[shape.somata]).max() < 2e-5
    pieces = arrays[anatomy["pieces"]]
    assert (owners[pieces[:, 0]] == owners[pieces[:, 1]]).all()
    assert np.abs(np.diff(points[pieces, 0], axis=1)).max() < 0.021  # short enough to follow any bend
    length = lambda at, ends: np.linalg.norm(at[ends[:, 1]] - at[ends[:, 0]], axis=1).sum()  # noqa: E731
    assert length(points, pieces) == pytest.approx(length(true, shape.segments), rel=1e-3)
    table, patch, owner = muscles(), arrays[anatomy["muscle"]], arrays[anatomy["muscle_owners"]]
    assert anatomy["muscles"] == list(table.index) and len(table) == 95
    middle = np.array([patch[owner == k].mean(axis=0) for k in range(95)])
    assert np.abs(middle[:, 0] - 0.5 * (table.s_start + table.s_end)).max() < 1e-3
    assert (np.sign(middle[:, 1]) == np.where(table.quadrant.str[0] == "D", 1, -1)).all()
    assert (np.sign(middle[:, 2]) == np.where(table.quadrant.str[1] == "R", 1, -1)).all()


def test_what_is_not_a_number_is_not_drawn_as_one(run, bare, tmp_path):
    track = run.worms[0]
    voltage, activation = track.voltage.copy(), track.muscle_activation.copy()
    voltage[3:9, 1], voltage[0, 0], activation[5, 7] = np.nan, np.inf, np.nan
    odd = dataclasses.replace(track, voltage=voltage, muscle_activation=activation)
    head, arrays = read(written(tmp_path, dataclasses.replace(run, worms=(odd,))))
    (worm,) = head["worms"]
    assert len(worm["seconds"]) == len(run.time)
    shown = arrays[worm["voltage"]]
    assert (np.isfinite(shown) == np.isfinite(voltage)).all()
    assert np.abs(shown - voltage)[np.isfinite(voltage)].max() < 1e-3
    assert np.isnan(arrays[worm["activation"]]).sum() == 1


def test_no_name_can_become_a_script(run, bare, tmp_path):
    text = f'[arena]\nmedium = "agar"\n[[interventions]]\nverb = {json.dumps(EVIL)}\n'
    page = written(tmp_path, dataclasses.replace(run, config_toml=text), names=[EVIL])
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL)
    assert [kind.strip().partition(" ")[0] for kind, _ in scripts] == [
        'type="application/json"', 'type="text/plain"', "", ""
    ]  # fmt: skip
    assert read(page)[0]["worms"][0]["name"] == EVIL
    allowed = re.search(r"script-src ([^\"]*)\"", page)[1].split()
    digests = [base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() for kind, body in scripts if not kind]
    assert allowed == [f"'sha256-{each}'" for each in digests]
    assert "alert" not in "".join(body for kind, body in scripts if not kind)


def test_without_the_extra_the_page_says_how_to_get_it(run, bare, tmp_path, monkeypatch, capsys):
    from tianbao.cli import main

    monkeypatch.setattr(replay, "can_replay", lambda: False)
    page = written(tmp_path, run)
    assert "pip install &#x27;tianbao[report]&#x27;" in page and "<script" not in page and "script-src" not in page
    run.save(tmp_path / "run" / "results.h5")
    assert main(["report", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == replay.MISSING


def test_a_long_run_is_thinned_with_a_word_and_the_page_stays_small(run, bare, tmp_path, monkeypatch):
    monkeypatch.setattr(replay, "LIMIT", 8_000)
    head, arrays = read(page := written(tmp_path, run))
    (worm,) = head["worms"]
    bytes_each = {"line": 2, "dorsal": 1, "voltage": 2, "activation": 1}
    size = sum(arrays[worm[key]].size * each for key, each in bytes_each.items())
    assert size <= 9_000
    step = np.diff(worm["seconds"]).mean() * 1e3
    assert f"a frame every {step:.3g} ms" in page and step > 20.0
    assert worm["seconds"][0] * 1e3 == run.time[0] and run.time[-1] - worm["seconds"][-1] * 1e3 < step
    assert report._LIMIT + replay.LIMIT * 4 / 3 + len(replay.three_js()) < 12_000_000


def test_worms_of_one_run_are_shown_together_and_only_some_of_a_crowd(bare, tmp_path):
    run = recording(duration=200.0)
    crowd = dataclasses.replace(run, worms=run.worms * 4)
    head, _ = read(page := written(tmp_path, crowd, run, run, run, names=["crowd", "a", "b", "c"]))
    assert [each["run"] for each in head["worms"]] == [0, 0, 0, 0, 1, 2]
    assert head["worms"][1]["name"] == "crowd, worm 1" and "The replay shows 6 of 7 worms" in page
