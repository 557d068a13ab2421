"""Tracks from other trackers: CSV and Tierpsy give the same worm as WCON, several worms a row each."""

from __future__ import annotations

import json
import logging
import math
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest
from synthetic import FREQUENCY, WAVELENGTH, crawling_worm, recording
from test_wcon import is_the_made_up_worm, saved, tracked
from tierpsy_files import write_tierpsy

from tianbao.behaviour.gait import gait
from tianbao.cli import main
from tianbao.errors import ConfigError, OutputError
from tianbao.io.import_track import read_plate, read_track
from tianbao.io.tables import write_csv
from tianbao.io.tracks import even_clock
from tianbao.io.wcon import read_wcon


def command(*arguments) -> int:
    return main([str(each) for each in arguments])


def long_table(time, line, **more) -> pd.DataFrame:
    frames, points = line.shape[:2]
    columns = {key: np.repeat(value, points * (frames if np.ndim(value) == 0 else 1)) for key, value in more.items()}
    return pd.DataFrame({
        **columns, "t_s": np.repeat(time / 1000, points), "point": np.tile(np.arange(points), frames),
        "x_mm": line[..., 0].ravel(), "y_mm": line[..., 1].ravel(),
    })  # fmt: skip


def wide_table(time, line, unit=1.0, name="x{k}") -> pd.DataFrame:
    points = line.shape[1]
    columns = {name.format(k=k).replace("x", axis): unit * line[:, k, "xy".index(axis)]
               for axis in "xy" for k in range(points)}  # fmt: skip
    return pd.DataFrame({"t [ms]": time, **columns})


def test_long_and_wide_tables_are_the_worm_that_was_written(tmp_path):
    time, line = crawling_worm(25, 10_000.0, 40.0)
    long_table(time, line).to_csv(tmp_path / "long.csv", index=False)
    wide_table(time, line, 1000.0, "x{k} (um)").to_csv(tmp_path / "wide.csv", index=False, sep=";")
    wide_table(time, line, 1000.0).to_csv(tmp_path / "bare.csv", index=False)
    for name, units in (("long.csv", {}), ("wide.csv", {}), ("bare.csv", {"length_unit": "um"})):
        read = read_track(tmp_path / name, medium="agar", **units)
        assert np.abs(read.time - time).max() < 1e-6 and np.abs(read.worms[0].midline - line).max() < 1e-9
        assert is_the_made_up_worm(read.gait()) and read.medium == "agar"


def test_points_may_come_in_any_order_and_be_places_along_the_body(tmp_path):
    time, line = crawling_worm(25, 2000.0, 40.0)
    table = long_table(time, line).rename(columns={"point": "s"})
    table["s"] /= 24
    table.sample(frac=1.0, random_state=0).to_csv(tmp_path / "some.csv", index=False)
    read = read_track(tmp_path / "some.csv")
    assert np.abs(read.worms[0].midline - line).max() < 1e-9


def test_our_own_table_of_a_midline_reads_back(tmp_path):
    run = recording(duration=4000.0)
    write_csv(run, tmp_path)
    read = read_track(tmp_path / "midline.csv")
    assert np.abs(read.worms[0].midline - run.worms[0].midline).max() < 1e-6


def test_points_that_were_not_seen_are_frames_that_were_lost(tmp_path, caplog):
    time, line = crawling_worm(25, 10_000.0, 40.0)
    table = long_table(time, line)
    table.loc[[25 * 30 + 4, 25 * 31 + 6], "x_mm"] = np.nan
    table = table.drop(index=[25 * 50 + 24, 25 * 51 + 3])
    table.to_csv(tmp_path / "gaps.csv", index=False)
    with caplog.at_level(logging.WARNING):
        read = read_track(tmp_path / "gaps.csv")
    assert "4 of 250 frames have no complete midline" in caplog.text
    assert len(read.time) == 250 and is_the_made_up_worm(read.gait())


TABLES = {
    "t,point,x,y\n0,0,1,2": "has no unit",
    "t_s,point,x_mm\n0,0,1": "no column y",
    "t_s,x_mm,y_mm\n0,1,2": "no column point",
    "point,x_mm,y_mm\n0,1,2": "no column of time",
    "frame,point,x_mm,y_mm\n0,0,1,2": "give fps",
    "t_s,point,x_px,y_px\n0,0,1,2": "pixels",
    "t_s,point,x_mm,y_mm\n0,0,1": "line 2: 3 cells under 4",
    "t_s,point,x_mm,y_mm\n0,0,1,two": "line 2: 'two' is not a number",
    "t_s,point,x_mm,y_mm\n0,0,1,inf": "is not a number",
    "t_s,point,x_mm,y_mm\n0,0,1,1e300": "check its unit",
    "t_s,point,x_mm,y_mm\nnan,0,1,1": "every frame needs its time",
    "t_s,point,x_mm,y_mm\n1e300,0,1,1": "check its unit",
    "t_s,point,x_mm,y_mm\n0,0,1,1\n0,0,1,2": "a point twice",
    "t_s,point,x_mm,y_mm\n0,-1,1,1": "is not a number of a point",
    "t_s,s,x_mm,y_mm\n0,3,1,1": "is not a place along the body",
    "t_s,t_ms,point,x_mm,y_mm\n0,0,0,1,1": "occurs twice",
    "t_s,x0_mm,x2_mm,y0_mm,y1_mm\n0,1,1,1,1": "do not count",
    "t_s,x0_mm,x1_um,y0_mm,y1_mm\n0,1,1,1,1": "different units",
    "t_s,x5_mm,x6_mm,y5_mm,y6_mm\n0,1,1,1,1": "begin with x5",
    "t_s,point,x_mm,y_mm,head\n0,0,1,1,up": "no word for head",
    "t_s,point,x_mm,y_mm\n": "no rows",
    "": "empty",
    '"t_s,point\n0': "CSV",
}


@pytest.mark.parametrize("text", TABLES)
def test_a_malformed_table_of_midlines_is_refused_in_one_sentence(text, tmp_path):
    (tmp_path / "some.csv").write_text(text)
    with pytest.raises(OutputError, match=TABLES[text]) as refused:
        read_track(tmp_path / "some.csv")
    assert "some.csv" in str(refused.value) and "\n" not in str(refused.value)


def test_units_given_and_written_must_agree(tmp_path):
    time, line = crawling_worm(25, 2000.0, 40.0)
    long_table(time, line).to_csv(tmp_path / "long.csv", index=False)
    for wrong in ({"time_unit": "ms"}, {"length_unit": "um"}, {"fps": 25.0}, {"microns_per_pixel": 3.0}):
        with pytest.raises(OutputError, match="long.csv"):
            read_track(tmp_path / "long.csv", **wrong)
    for wrong in ({"time_unit": "mm"}, {"length_unit": "furlong"}, {"fps": 0}, {"fps": math.nan}, {"fps": "25"}):
        with pytest.raises(ConfigError):
            read_track(tmp_path / "long.csv", **wrong)
    table = long_table(time, line).rename(columns={"t_s": "frame", "x_mm": "x_px", "y_mm": "y_px"})
    table[["frame", "x_px", "y_px"]] *= [25.0, 200.0, 200.0]
    table.to_csv(tmp_path / "pixels.csv", index=False)
    read = read_track(tmp_path / "pixels.csv", fps=25, microns_per_pixel=5)
    assert np.abs(read.worms[0].midline - line).max() < 1e-9 and np.abs(read.time - time).max() < 1e-6


@pytest.mark.parametrize("kind", ["skeletons", "features", "featuresN"])
def test_a_plate_of_tierpsy_gives_its_worms(kind, tmp_path, caplog):
    time, line = crawling_worm(49, 10_000.0, 40.0)
    lost = line.copy()
    lost[40:45] = np.nan
    late, once = line[100:200] + 3.0, line[:1]
    worms = {2: (range(250), lost), 7: (range(100, 200), late), 11: (range(5, 6), once)}
    path = write_tierpsy(tmp_path / f"plate_{kind}.hdf5", worms, kind, info={"media": "NGM agar low peptone"})
    assert list(read_plate(path).seen) == ["2", "7", "11"]
    with caplog.at_level(logging.WARNING):
        read = read_track(path)
    assert "left out: worm 11 has 1 frames" in caplog.text and "7" in caplog.text
    assert len(read.worms) == 1 and read.medium == "agar" and is_the_made_up_worm(read.gait())
    assert np.abs(read.worms[0].midline[:40] - line[:40]).max() < 1e-6
    alone = read_track(path, worm="7")
    assert len(alone.time) == 100 and alone.time[0] == pytest.approx(4000.0)
    assert np.abs(alone.worms[0].midline[..., :2] - late[..., :2]).max() < 1e-6


def test_tierpsy_without_scale_or_rate_asks_for_them(tmp_path):
    _, line = crawling_worm(49, 2000.0, 40.0)
    bare = {"microns_per_pixel": 1, "xy_units": "pixels", "expected_fps": 1, "time_units": "frames", "fps": None}
    path = write_tierpsy(tmp_path / "plate_skeletons.hdf5", {1: (range(50), line)}, "skeletons", bare)
    with pytest.raises(OutputError, match="give microns_per_pixel"):
        read_track(path, fps=25)
    with pytest.raises(OutputError, match="give fps"):
        read_track(path, microns_per_pixel=12.4)
    read = read_track(path, fps=25, microns_per_pixel=12.4)
    assert np.abs(read.worms[0].midline - line).max() < 1e-6
    with pytest.raises(OutputError, match="its own frame rate"):
        read_track(write_tierpsy(tmp_path / "known.hdf5", {1: (range(50), line)}), fps=30)


def test_the_ventral_side_of_tierpsy_turns_the_sign_of_bending(tmp_path):
    _, line = crawling_worm(49, 4000.0, 40.0)
    bend = []
    for side in ("clockwise", "anticlockwise"):
        path = write_tierpsy(tmp_path / "a.hdf5", {1: (range(100), line)}, attributes={"ventral_side": side})
        bend.append(read_track(path).frame().curvature_head)
    assert np.corrcoef(*bend)[0, 1] < -0.99


def test_hdf5_whose_data_are_elsewhere_or_too_large_is_refused(tmp_path):
    _, line = crawling_worm(49, 2000.0, 40.0)
    good = {1: (range(50), line)}
    for name, sentence in {
        "external": "another place", "soft": "another place", "virtual": "another file", "stored": "another file",
        "huge": "GB of memory", "short": "skeletons for", "far": "points to skeleton", "moving": "moving stage",
        "none": "no skeletons", "table": "no table", "results": "results file of Tianbao", "cut": "damaged",
    }.items():  # fmt: skip
        kind = "skeletons" if name in ("short", "moving") else "featuresN"
        path = write_tierpsy(tmp_path / f"{name}.hdf5", good, kind)
        _spoil(path, name, tmp_path)
        with pytest.raises(OutputError, match=sentence) as refused:
            read_track(path)
        assert f"{name}.hdf5" in str(refused.value) and "\n" not in str(refused.value)


def _spoil(path, name, folder):
    if name == "results":
        path.write_bytes(recording(duration=400.0).save(folder / "results.h5").read_bytes())
        return
    if name == "cut":
        path.write_bytes(path.read_bytes()[:3000])
        return
    lines = "coordinates/skeletons"
    with h5py.File(path, "r+") as file:
        if name in ("external", "soft", "virtual", "stored", "huge", "none"):
            kept = file[lines][()] if lines in file else None
            del file[lines]
        if name == "external":
            file[lines] = h5py.ExternalLink("other.hdf5", "x")
        elif name == "soft":
            file[lines] = h5py.SoftLink("/trajectories_data")
        elif name == "virtual":
            layout = h5py.VirtualLayout(kept.shape, kept.dtype)
            layout[...] = h5py.VirtualSource("other.hdf5", "x", kept.shape)
            file.create_virtual_dataset(lines, layout)
        elif name == "stored":
            file.create_dataset(lines, kept.shape, kept.dtype, external=[("/etc/hostname", 0, kept.nbytes)])
        elif name == "huge":
            file.create_dataset(lines, (10**8, 49, 2), "f4", chunks=(1, 49, 2), compression="gzip")
        elif name == "short":
            file["skeleton"].resize(49, axis=0)
        elif name == "far":
            file["trajectories_data"]["skeleton_id"] = 10**6
            table = file["trajectories_data"][()]
            table["skeleton_id"] = 10**6
            file["trajectories_data"][...] = table
        elif name == "moving":
            file.create_group("stage_movement")
        elif name == "table":
            del file["trajectories_data"]


def test_several_worms_have_a_row_each_and_those_of_a_part_a_file_each(tmp_path, capsys):
    document = tracked()
    record = document["data"][0]
    part = {"id": "=late", "head": "L", **{key: record[key][100:] for key in ("t", "x", "y")}}
    once = {"id": "once", "t": 3.2, "x": [record["x"][0]], "y": [record["y"][0]]}
    document["data"] += [{**record, "id": "2"}, part, once]
    path = saved(document, tmp_path)
    assert command("import-track", path, "--out", tmp_path / "out" / "r.h5") == 0
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()[:5]] == ["worm", "published", "1", "2", "=late"]
    table = pd.read_csv(tmp_path / "out" / "r_gait.csv")
    assert list(table.worm) == ["1", "2", "'=late"] and np.allclose(table.frequency_hz, FREQUENCY, atol=0.05)
    assert len(list((tmp_path / "out" / "r_worms").glob("*.h5"))) == 1
    assert command("import-track", path, "--list") == 0
    assert "once" in capsys.readouterr().out
    assert command("import-track", path, "--worm", "3", "--out", tmp_path / "no.h5") == 2


def test_too_few_frames_per_period_are_refused_for_what_needs_them():
    for rate, resolved in ((25.0, True), (1.9, True), (1.5, False), (0.1, False)):
        time, line = crawling_worm(49, 20_000.0 if rate > 1.0 else 400_000.0, 1000.0 / rate)
        measured = gait(time, line, animal=True)
        assert (measured.refused == "") is resolved, rate
        assert math.isfinite(measured.forward_speed_mm_s) and math.isfinite(measured.amplitude)
        for name in ("frequency_hz", "wavelength_body_lengths", "wave_frequency_hz", "slip", "travelling_index"):
            assert math.isfinite(getattr(measured, name)) is resolved, (rate, name)
        assert measured.wave_direction == (1 if resolved else 0)
        assert ("frames per second" in str(measured)) is not resolved
    assert abs(measured.amplitude - 8.0) < 0.4 and WAVELENGTH > 0.0


def chunk(times, document, **links):
    record = document["data"][0]
    kept = [k for k, t in enumerate(record["t"]) if times[0] <= t < times[1]]
    part = {**record, **{key: [record[key][k] for k in kept] for key in ("t", "x", "y")}}
    return {**document, "files": links, "data": [part]}


@pytest.fixture
def parts():
    """A track in three linked chunks, by the variable part of their names."""
    document = tracked()
    return {
        "track_0.wcon": chunk((0, 3), document, current="_0", next=["_1", "_2"]),
        "track_1.wcon": chunk((3, 6), document, this="_1", prev=["_0"], next=["_2"]),
        "track_2.wcon": chunk((6, 99), document, current="_2", prev=["_1", "_0"], next=None),
    }


def test_linked_chunks_are_read_from_any_of_them(parts, tmp_path):
    for name, document in parts.items():
        saved(document, tmp_path, name)
    for name in parts:
        read = read_wcon(tmp_path / name)
        assert len(read.time) == 250 and is_the_made_up_worm(read.gait())


def test_linked_chunks_in_one_archive_of_finder(parts, tmp_path):
    with zipfile.ZipFile(tmp_path / "all.wcon.zip", "w") as archive:
        archive.writestr("plate/", "")
        for name, document in parts.items():
            archive.writestr(f"plate/{name}", json.dumps(document))
            archive.writestr(f"__MACOSX/plate/._{name}", b"\0\5\x16\7")
        archive.writestr("plate/.DS_Store", b"\0\0\0\1Bud1")
    assert len(read_wcon(tmp_path / "all.wcon.zip").time) == 250


def test_linked_chunks_in_an_archive_each(parts, tmp_path):
    for name, document in parts.items():
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.writestr(name, json.dumps(document))
    for name in parts:
        assert len(read_wcon(tmp_path / f"{name}.zip").time) == 250


def test_a_chunk_that_is_not_there_is_named_and_one_elsewhere_is_not_read(parts, tmp_path, caplog):
    path = saved(parts["track_1.wcon"], tmp_path, "track_1.wcon")
    with caplog.at_level(logging.WARNING):
        assert len(read_wcon(path).time) == 75
    assert "track_0.wcon, which is not there" in caplog.text and "track_2.wcon" in caplog.text
    for entry in ("../secret", "/etc/passwd", "a\0b"):
        elsewhere = {**parts["track_1.wcon"], "files": {"current": "track_1.wcon", "next": [entry]}}
        with pytest.raises(OutputError, match="beside each other"):
            read_wcon(saved(elsewhere, tmp_path, "track_1.wcon"))


def test_files_of_an_archive_that_are_not_linked_are_not_mixed(parts, tmp_path):
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        for name in ("a.wcon", "b.wcon"):
            archive.writestr(name, json.dumps(tracked(duration=400.0)))
    with pytest.raises(OutputError, match="not linked"):
        read_wcon(tmp_path / "two.zip")


@pytest.mark.parametrize("word, turned", [("left", False), ("LEFT", False), ("right", True), ("R", True)])
def test_the_head_in_words(word, turned, tmp_path):
    document = tracked(duration=2000.0)
    straight = read_wcon(saved(document, tmp_path)).worms[0].midline
    document["data"][0]["head"] = word
    line = read_wcon(saved(document, tmp_path)).worms[0].midline
    assert np.array_equal(line, straight[:, ::-1] if turned else straight)
    document["data"][0].update(head="unknown", ventral="anticlockwise")
    assert read_wcon(saved(document, tmp_path)).worms[0].dorsal is not None


def test_three_uneven_frames_have_a_clock():
    assert even_clock(np.array([0.0, 100.0, 400.0])).tolist() == [0.0, 200.0, 400.0]


def test_a_low_frame_rate_is_warned_of(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        read_wcon(saved(tracked(frame=400.0), tmp_path))
    assert "2.5 frames per second resolve undulations up to 0.625 Hz" in caplog.text


def test_a_clock_that_was_set_back_is_not_mixed_into_one_track(tmp_path):
    document = tracked()
    record = document["data"][0]
    shift = {**record, "t": [t + 0.013 for t in record["t"]]}
    document["data"].append({**shift, "x": [[v + 5 for v in row] for row in record["x"]]})
    with pytest.raises(OutputError, match="its clock goes back"):
        read_wcon(saved(document, tmp_path))
    shift["t"] = record["t"]
    with pytest.raises(OutputError, match="its clock goes back"):
        read_wcon(saved({**document, "data": [record, {**shift, "x": record["y"]}]}, tmp_path))
    assert len(read_wcon(saved({**document, "data": [record, record]}, tmp_path)).time) == 250
    swapped = tracked()
    for values in (swapped["data"][0][key] for key in ("t", "x", "y")):
        values[40], values[41] = values[41], values[40]
    assert is_the_made_up_worm(read_wcon(saved(swapped, tmp_path)).gait())


def test_an_imported_track_may_be_imported_anew_but_replaces_no_run(tmp_path, capsys):
    track, out = saved(tracked(duration=2000.0), tmp_path), tmp_path / "results.h5"
    assert command("import-track", track, "--out", out) == command("import-track", track, "--out", out) == 0
    recording(duration=400.0).save(out)
    before = out.read_bytes()
    assert command("import-track", track, "--out", out) == 2
    assert "--force" in capsys.readouterr().err and out.read_bytes() == before
