"""Tracks in WCON: what we write is WCON, what trackers write is read, and one gait report serves both."""

from __future__ import annotations

import json
import logging
import zipfile

import numpy as np
import pytest
from synthetic import AMPLITUDE, FREQUENCY, SPEED, WAVELENGTH, crawling_worm, recording

import tianbao as tb
from tianbao.errors import OutputError
from tianbao.io.wcon import read_wcon, write_wcon
from tianbao.io.wcon_units import millimetres, milliseconds


def tracked(points=49, duration=10_000.0, frame=40.0, digits=5, **options) -> dict:
    """What a tracker would write of a made-up worm: times in s, midlines in mm, head first."""
    time, line = crawling_worm(points, duration, frame, **options)
    line = np.round(line, digits)
    x, y = (line[..., k].tolist() for k in (0, 1))
    record = {"id": "1", "t": (time / 1000).tolist(), "x": x, "y": y, "head": "L"}
    return {"units": {"t": "s", "x": "mm", "y": "mm"}, "metadata": {"media": "NGM agar"}, "data": [record]}


def saved(document: dict, folder, name="animal.wcon"):
    path = folder / name
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def is_the_made_up_worm(measured) -> bool:
    return (
        abs(measured.frequency_hz - FREQUENCY) < 0.02
        and abs(measured.wavelength_body_lengths - WAVELENGTH) < 0.03
        and abs(measured.forward_speed_mm_s - SPEED) < 0.01
        and measured.wave_direction == 1
        and abs(measured.amplitude - AMPLITUDE) < 0.4
    )


def test_a_tracked_animal_gives_the_same_report_as_a_model(tmp_path):
    read = read_wcon(saved(tracked(), tmp_path))
    assert is_the_made_up_worm(read.gait())
    assert read.medium == "agar"
    assert "published 0.1 to 0.3 mm/s" in str(read.gait())
    assert read.worms[0].neurons == () and read.worms[0].muscle_activation.shape == (250, 0)


def test_the_hand_written_sample_reads(tmp_path):
    text = """{"units": {"t": "0.04*s", "x": "um", "y": "microns", "ox": "mm", "oy": "mm"},
      "metadata": {"media": "M9", "who": "nobody", "timestamp": "2026-01-01T00:00:00Z"}, "unknown": 1,
      "data": [
        {"id": 1, "t": 0, "x": [0, -100, -200, -300, -400], "y": [0, 10, 0, -10, 0], "ox": 5, "oy": 7, "head": "L"},
        {"id": 1, "t": 1, "x": [-390, -290, -190, -90, 10], "y": [0, -10, 0, 10, 0], "ox": 5, "oy": 7, "head": "R"}
      ]}"""
    path = tmp_path / "sample.wcon"
    path.write_text(text, encoding="utf-8")
    read = read_wcon(path)
    assert read.time.tolist() == [0.0, 40.0]
    assert read.medium == "water" and read.created == "2026-01-01T00:00:00Z"
    line = read.worms[0].midline
    assert np.allclose(line[0, 0], [5.0, 7.0, 0.0]) and np.allclose(line[1, 0], [5.01, 7.0, 0.0])


def test_what_is_written_reads_back_as_it_was(tmp_path):
    run = recording(duration=6000.0)
    for name in ("run.wcon", "run.wcon.zip"):
        again = read_wcon(write_wcon(run, tmp_path / name))
        assert np.abs(again.time - run.time).max() < 1e-6
        assert np.abs(again.worms[0].midline - run.worms[0].midline).max() < 1e-6
        assert (again.config_toml, again.seed, again.versions) == (run.config_toml, run.seed, run.versions)
        before, after = run.gait().as_dict(), again.gait().as_dict()
        assert after == pytest.approx(before, abs=1e-3, nan_ok=True)
    assert (tmp_path / "run.wcon.zip").stat().st_size < 0.7 * (tmp_path / "run.wcon").stat().st_size


def test_an_imported_track_is_saved_and_opened_as_results(tmp_path):
    read = read_wcon(saved(tracked(), tmp_path))
    read.save(tmp_path / "results.h5")
    again = tb.open(tmp_path / "results.h5")
    assert again.gait() == read.gait()
    assert again.worms[0].neurons == () and again.worms[0].muscles == ()


def test_a_written_file_keeps_to_the_published_schema(tmp_path):
    document = json.loads(write_wcon(recording(duration=400.0), tmp_path / "run.wcon").read_text())
    assert {"units", "data"} <= set(document) and all(isinstance(unit, str) for unit in document["units"].values())
    assert all(key in ("units", "metadata", "data") or key.startswith("@") for key in document)
    (record,) = document["data"]
    assert isinstance(record["id"], str) and record["head"] == "L" and record["ventral"] == "CW"
    frames = len(record["t"])
    assert all(len(record[key]) == frames for key in record if key not in ("id", "head", "ventral"))
    assert {len(row) for axis in "xyz" for row in record[axis]} == {49}
    assert set(record) - {"id", "t", "head", "ventral"} <= set(document["units"])
    assert isinstance(document["metadata"]["software"]["name"], str)
    assert "z" in record and record["ox"] == [0] * frames


def test_several_worms_keep_their_identity(tmp_path):
    one, two = recording(duration=4000.0), recording(duration=4000.0, direction=-1)
    both = tb.recording.Recording(**{**one.__dict__, "worms": one.worms + two.worms})
    again = read_wcon(write_wcon(both, tmp_path / "two.wcon"))
    assert [again.gait(k).wave_direction for k in (0, 1)] == [1, -1]
    alone = read_wcon(tmp_path / "two.wcon", worm="1")
    assert len(alone.worms) == 1 and alone.gait().wave_direction == -1
    with pytest.raises(OutputError, match="no worm '7'; it contains 0, 1"):
        read_wcon(tmp_path / "two.wcon", worm="7")


@pytest.mark.parametrize("unit, factor", [("um", 1e3), ("µm", 1e3), ("microns", 1e3), ("m", 1e-3), ("cm", 0.1)])
def test_units_of_length_come_out_in_mm(tmp_path, unit, factor):
    document = tracked(duration=2000.0, digits=9)
    document["units"].update(x=unit, y=unit, t="ms")
    record = document["data"][0]
    record["x"], record["y"] = ((np.array(record[axis]) * factor).tolist() for axis in "xy")
    record["t"] = (1000 * np.array(record["t"])).tolist()
    read = read_wcon(saved(document, tmp_path))
    _, line = crawling_worm(49, 2000.0, 40.0)
    assert np.abs(read.worms[0].midline - line).max() < 1e-6
    assert abs(read.time[0] - 40.0) < 1e-9


def test_expressions_of_units():
    assert milliseconds("0.04*s", "t") == pytest.approx(40.0)
    assert milliseconds("s/25", "t") == pytest.approx(40.0)
    assert milliseconds("min", "t") == 60_000.0
    assert millimetres("ft", "x") == pytest.approx(304.8)
    assert millimetres("in/72", "x") == pytest.approx(25.4 / 72)
    for wrong in ("px", "mms", "s", "mm^2", "mm/", "/mm", "0*mm", "", None, 3, "mm^99", "furlong"):
        with pytest.raises(OutputError):
            millimetres(wrong, "x")


def test_pixels_are_refused_with_what_to_do(tmp_path):
    document = tracked(duration=2000.0)
    document["units"]["x"] = "pixels"
    with pytest.raises(OutputError, match="pixels.*scale the track to mm"):
        read_wcon(saved(document, tmp_path))


def test_a_worm_of_no_possible_length_is_said(tmp_path, caplog):
    document = tracked(duration=2000.0)
    document["units"].update(x="cm", y="cm")
    with caplog.at_level(logging.WARNING):
        read_wcon(saved(document, tmp_path))
    assert "would be 10 mm long: check the units" in caplog.text


def test_ragged_midlines_are_resampled_to_one_count(tmp_path):
    document = tracked()
    record, fine = document["data"][0], tracked(points=61)["data"][0]
    for k in range(0, 250, 3):
        record["x"][k], record["y"][k] = fine["x"][k], fine["y"][k]
    read = read_wcon(saved(document, tmp_path))
    assert read.worms[0].midline.shape == (250, 49, 3)
    assert is_the_made_up_worm(read.gait())


def test_short_gaps_are_filled_and_long_ones_cut_the_track(tmp_path, caplog):
    document = tracked(duration=14_000.0)
    record = document["data"][0]
    for k in (20, 21, 22, 100):
        record["x"][k] = [None] * 49
        record["y"][k] = [None] * 49
    record["x"][150][7] = None
    with caplog.at_level(logging.WARNING):
        read = read_wcon(saved(document, tmp_path))
    assert len(read.time) == 350 and is_the_made_up_worm(read.gait())
    assert "5 of 350 frames have no complete midline" in caplog.text
    for k in range(250, 290):
        record["x"][k] = record["y"][k] = [None] * 49
    with caplog.at_level(logging.WARNING):
        read = read_wcon(saved(document, tmp_path))
    assert read.time[-1] == pytest.approx(10_000.0) and "its longest section" in caplog.text


def test_uneven_and_missing_times_end_on_an_even_clock(tmp_path):
    document = tracked(frame=1000 / 30)
    record = document["data"][0]
    jitter = np.random.default_rng(0).normal(0.0, 0.002, len(record["t"]))
    drop = set(range(5, 300, 11))
    kept = [k for k in range(len(record["t"])) if k not in drop]
    record["t"] = [record["t"][k] + jitter[k] for k in kept]
    record["x"], record["y"] = ([record[axis][k] for k in kept] for axis in "xy")
    read = read_wcon(saved(document, tmp_path))
    assert np.ptp(np.diff(read.time)) < 1e-6
    measured = read.gait()
    assert abs(measured.frequency_hz - FREQUENCY) < 0.02 and abs(measured.wavelength_body_lengths - WAVELENGTH) < 0.03


def test_worms_turned_over_by_the_tracker_are_turned_back(tmp_path):
    document = tracked()
    record = document["data"][0]
    for k in range(60, 130):
        record["x"][k], record["y"][k] = record["x"][k][::-1], record["y"][k][::-1]
    record["head"] = ["R" if 60 <= k < 130 else "L" for k in range(250)]
    assert is_the_made_up_worm(read_wcon(saved(document, tmp_path)).gait())
    record["head"] = ["L"] + ["?"] * 249
    assert is_the_made_up_worm(read_wcon(saved(document, tmp_path)).gait())


def test_an_unmarked_head_is_said(tmp_path, caplog):
    document = tracked(duration=2000.0)
    del document["data"][0]["head"]
    with caplog.at_level(logging.WARNING):
        read_wcon(saved(document, tmp_path))
    assert "its head is not marked" in caplog.text


def test_a_worm_on_its_other_side_bends_the_other_way(tmp_path):
    document = tracked(duration=4000.0)
    document["data"][0]["ventral"] = "CW"
    one = read_wcon(saved(document, tmp_path)).frame().curvature_head
    document["data"][0]["ventral"] = "CCW"
    other = read_wcon(saved(document, tmp_path)).frame().curvature_head
    assert np.corrcoef(one, other)[0, 1] < -0.99
    # The same side said from the tail.
    document["data"][0].update(head="R", ventral="CW")
    for axis in "xy":
        document["data"][0][axis] = [row[::-1] for row in document["data"][0][axis]]
    assert np.allclose(read_wcon(saved(document, tmp_path)).frame().curvature_head, other, atol=1e-6)


def test_origins_and_centroids_shift_the_track(tmp_path):
    document = tracked(duration=2000.0)
    straight = read_wcon(saved(document, tmp_path)).worms[0].midline
    document["units"].update(ox="um", oy="um", cx="mm", cy="mm")
    record = document["data"][0]
    record.update(ox=2000, oy=-3000)
    assert np.allclose(read_wcon(saved(document, tmp_path)).worms[0].midline - straight, [2.0, -3.0, 0.0])
    del record["ox"], record["oy"]
    record.update(cx=[4.0] * 50, cy=[5.0] * 50)
    assert np.allclose(read_wcon(saved(document, tmp_path)).worms[0].midline - straight, [4.0, 5.0, 0.0])


def test_one_record_per_frame_and_a_lone_record_both_read(tmp_path):
    document = tracked(duration=2000.0)
    record = document["data"][0]
    apart = [{"id": 1, "t": t, "x": x, "y": y} for t, x, y in zip(record["t"], record["x"], record["y"], strict=True)]
    one = read_wcon(saved({**document, "data": apart[::-1]}, tmp_path))
    lone = read_wcon(saved({**document, "data": record}, tmp_path))
    listed = [{**each, "t": [each["t"]]} for each in apart]
    bare = read_wcon(saved({**document, "data": listed}, tmp_path))
    assert np.array_equal(one.worms[0].midline, lone.worms[0].midline)
    assert np.array_equal(bare.worms[0].midline, lone.worms[0].midline)


def test_a_worm_seen_for_a_moment_is_left_out_and_named(tmp_path, caplog):
    document = tracked()
    record = document["data"][0]
    short = {"id": "late", **{key: record[key][200:] for key in ("t", "x", "y")}}
    document["data"].append(short)
    with caplog.at_level(logging.WARNING):
        read = read_wcon(saved(document, tmp_path))
    assert len(read.worms) == 1 and "late" in caplog.text
    assert len(read_wcon(tmp_path / "animal.wcon", worm="late").time) == 50


UNITS = '{"units": {"t": "s", "x": "mm", "y": "mm"}, '
BROKEN = {
    "not json": "{",
    "a list": "[]",
    "no units": '{"data": []}',
    "nothing in it": UNITS + '"data": []}',
    "data a number": UNITS + '"data": 3}',
    "units missing": '{"units": {"t": "s"}, "data": [{"id": 1, "t": [0], "x": [[1]], "y": [[1]]}]}',
    "centroids only": UNITS + '"data": {"id": 1, "t": [0, 1], "x": [1, 2], "y": [1, 2]}}',
    "text for numbers": UNITS + '"data": {"id": 1, "t": 0, "x": ["a"], "y": [1]}}',
    "no y": UNITS + '"data": {"id": 1, "t": 0, "x": [1]}}',
    "uneven": UNITS + '"data": {"id": 1, "t": 0, "x": [1, 2], "y": [1]}}',
    "too few": UNITS + '"data": {"id": 1, "t": [0, 1], "x": [[1]], "y": [[1]]}}',
    "time null": UNITS + '"data": {"id": 1, "t": [null], "x": [[1]], "y": [[1]]}}',
    "odd head": UNITS + '"data": {"id": 1, "t": 0, "x": [1], "y": [1], "head": "up"}}',
    "odd id": UNITS + '"data": {"id": [1], "t": 0, "x": [1], "y": [1]}}',
    "odd dorsal": UNITS + '"data": {"id": 1, "t": 0, "x": [1], "y": [1],'
    ' "@Tianbao": {"dorsal": 3}}}',
    "deep": "[" * 100_000,
}  # fmt: skip


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_malformed_file_is_refused_with_one_sentence_that_names_it(tmp_path, text):
    path = tmp_path / "broken.wcon"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(OutputError, match="broken.wcon") as caught:
        read_wcon(path)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "bytes.wcon").write_bytes(bytes(range(256)))
    with zipfile.ZipFile(tmp_path / "two.wcon.zip", "w") as archive:
        archive.writestr("a.wcon", "{}")
        archive.writestr("b.wcon", "{}")
    (tmp_path / "cut.wcon.zip").write_bytes((tmp_path / "two.wcon.zip").read_bytes()[:40])
    for name in ("bytes.wcon", "two.wcon.zip", "cut.wcon.zip", "absent.wcon"):
        with pytest.raises(OutputError, match=name):
            read_wcon(tmp_path / name)
    with pytest.raises(OutputError):
        read_wcon(tmp_path)


def test_an_empty_recording_is_not_written(tmp_path):
    run = recording(duration=400.0)
    empty = tb.recording.Recording(**{**run.__dict__, "time": np.zeros(0)})
    with pytest.raises(OutputError, match="no frames"):
        write_wcon(empty, tmp_path / "none.wcon")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "unit, seconds",
    [("hr", 3600), ("h", 3600), ("hours", 3600), ("hrs", 3600), ("min", 60), ("mins", 60), ("minutes", 60), ("sec", 1),
     ("d", 86400), ("days", 86400), ("ks", 1000), ("kilosecond", 1000), ("us", 1e-6), ("Ms", 1e6), ("7*day", 604800),
     ("1/s^-1", 1)],
)  # fmt: skip
def test_units_of_time_as_trackers_write_them(unit, seconds):
    assert milliseconds(unit, "t") == pytest.approx(1000.0 * seconds)
    for wrong in ("hrr", "1e300^99*s", "s/0", "0^-1*s", "fps"):
        with pytest.raises(OutputError):
            milliseconds(wrong, "t")
