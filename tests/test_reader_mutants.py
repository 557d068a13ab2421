"""Spoiled and hostile files of strangers: read, or refused in one sentence, at once, in bounded memory."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from reader_mutants import WIRING, faults, seeds
from test_wcon import saved, tracked

from tianbao import bounded
from tianbao.anatomy import connectome, own_cells, read_own_cell
from tianbao.behaviour.kymograph import read_kymograph
from tianbao.errors import OutputError, TianbaoError
from tianbao.io import zips
from tianbao.io.import_track import read_track
from tianbao.io.tables import plain_cell
from tianbao.io.wcon import read_wcon
from tianbao.io.zips import natural

_MEMORY = bounded.MEMORY + 1_500_000_000  # of the readers, and of Python with its libraries


@pytest.fixture(autouse=True)
def quiet():
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_the_files_that_are_spoiled_are_good_ones(tmp_path):
    for name, content, _, read in seeds(tmp_path).values():
        path = tmp_path / "good" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        read(path)
        path.unlink()


def test_spoiled_files_are_read_or_refused():
    wrong, told = faults(70, 14)
    assert not wrong, wrong[:3]
    assert sum(told.values()) == 70 and sum(n for kind, n in told.items() if kind.endswith("read")) > 12


@pytest.mark.slow
def test_many_spoiled_files_are_read_or_refused_in_bounded_memory():
    limited = f"ulimit -v {_MEMORY // 1000}; exec {sys.executable} tests/reader_mutants.py 1500 15"
    root = Path(__file__).parents[1]
    done = subprocess.run(
        ["bash", "-c", limited],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


READERS = {
    "wcon": (read_track, "a.wcon"),
    "csv": (read_track, "a.csv"),
    "hdf5": (read_track, "a.hdf5"),
    "zip": (read_wcon, "a.zip"),
    "kymograph": (read_kymograph, "k.csv"),
    "cell": (read_own_cell, "AVAL.swc"),
    "wiring": (connectome, "mine.csv"),
}


@pytest.mark.parametrize("kind", READERS)
def test_what_is_no_file_is_refused_at_once(kind, tmp_path):
    read, name = READERS[kind]
    path = tmp_path / name
    with pytest.raises(TianbaoError, match=name):
        read(path)
    os.mkfifo(path)
    with pytest.raises(TianbaoError, match=name):
        read(path)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(TianbaoError, match=name):
        read(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(TianbaoError, match=name):
        read(path)
    path.rmdir()
    for content in (
        b"",
        b"\0" * 100,
        b"\xff\xfea\0",
        b"\x89HDF\r\n\x1a\n" + bytes(100),
        b"PK\x03\x04",
        "caf\u00e9".encode("latin-1"),
    ):
        path.write_bytes(content)
        with pytest.raises(TianbaoError, match=name):
            read(path)


@pytest.mark.parametrize("kind", READERS)
def test_a_file_above_the_limit_is_refused_before_it_is_read(kind, tmp_path):
    read, name = READERS[kind]
    with open(tmp_path / name, "wb") as sparse:
        sparse.truncate(200 * bounded.LARGEST_FILE)
    with pytest.raises(TianbaoError, match=name):
        read(tmp_path / name)


def test_an_archive_that_unpacks_to_more_than_the_limit_is_refused(tmp_path, monkeypatch):
    limit = 10**7
    monkeypatch.setattr(zips, "LARGEST_FILE", limit)
    bomb = tmp_path / "bomb.wcon.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.wcon", "w") as member:
        member.write(b" " * (limit + 3))
    assert bomb.stat().st_size < limit // 100
    with pytest.raises(OutputError, match="above the limit"):
        read_wcon(bomb)
    # A directory that lies about the size.
    lying = bomb.read_bytes()
    size = (limit + 3).to_bytes(4, "little")
    assert size in lying
    bomb.write_bytes(lying.replace(size, (1000).to_bytes(4, "little")))
    with pytest.raises(OutputError, match=r"bomb\.wcon\.zip"):
        read_wcon(bomb)


@pytest.mark.parametrize("filler", [b"[],", b"{},", b'"ab",', b"12,", b'{"a":[1]},', b"\n1,2"])
def test_a_text_that_takes_too_much_memory_is_refused_before_it_is_parsed(filler, tmp_path, monkeypatch):
    monkeypatch.setattr(bounded, "MEMORY", 10**7)
    (tmp_path / "a.wcon").write_bytes(b"[" + filler * (10**7 // 10 // len(filler)))
    (tmp_path / "a.csv").write_bytes(b"t_s,point,x_mm,y_mm\n" + filler * (10**7 // 10 // len(filler)))
    for name in ("a.wcon", "a.csv"):
        with pytest.raises(OutputError, match="of memory"):
            read_track(tmp_path / name)


def test_the_estimate_of_memory_is_not_below_what_parsing_takes():
    import tracemalloc

    for filler in (b"[],", b"{},", b'"ab",', b"123456,", b"1.2345,", b'{"a":[1]},', b'{"abc":"def"},', b"[[1.5]],"):
        data = b"[" + filler * 4000 + b"0]"
        tracemalloc.start()
        json.loads(data.decode())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < bounded.memory_of_text(data), filler


CHANGED = {
    "key twice": ('"t":', '"t": [1], "t":', "occurs twice"),
    "unit twice": ('"units": {', '"units": {"x": "m", ', "occurs twice"),
    "clock of NaN": ('"t": [0.04', '"t": [NaN', "not a number"),
    "clock of infinity": ('"t": [0.04', '"t": [1e999', "not a number"),
    "clock of null": ('"t": [0.04', '"t": [null', "not a number"),
    "clock of 1e300": ('"t": [0.04', '"t": [1e300', "check its unit"),
    "place of 1e300": ('"x": [[', '"x": [[1e300, ', "point|place"),
    "clock of 400 digits": ('"t": [0.04', '"t": [' + "9" * 400, "check its unit"),
    "clock of 5000 digits": ('"t": [0.04', '"t": [' + "9" * 5000, "digits"),
    "id of half a character": ('"id": "1"', '"id": "\\ud800"', "cannot be printed"),
    "id with a zero byte": ('"id": "1"', '"id": "\\u0000"', "cannot be printed"),
    "deep": ('"units": {', '"deep": ' + "[" * 10**5 + "]" * 10**5 + ', "units": {', "deeply"),
    "time in mm": ('"t": "s"', '"t": "mm"', "not a unit of time"),
    "rate": ('"t": "s"', '"t": "1e-12*s"', "unit of time"),
}


@pytest.mark.parametrize("case", CHANGED)
def test_what_would_change_the_meaning_is_refused(case, tmp_path):
    before, after, sentence = CHANGED[case]
    text = json.dumps(tracked(duration=2000.0))
    assert before in text
    path = tmp_path / "animal.wcon"
    path.write_text(text.replace(before, after, 1))
    with pytest.raises(OutputError, match=sentence) as refused:
        read_wcon(path)
    assert "animal.wcon" in str(refused.value) and "\n" not in str(refused.value) and len(str(refused.value)) < 700


def test_metadata_of_strangers_are_kept_in_a_form_that_every_file_can_hold(tmp_path):
    document = tracked(duration=2000.0)
    document["metadata"] = {"media": "a \ud800\0 \U0001f4a7 plate", "timestamp": "\udfff\0", "settings": ["x"]}
    document["@Tianbao"] = {
        "seed": 2**70,
        "versions": {"": "1", "a\0": "\ud800"},
        "wall_s_per_bio_s": 10**400,
        "anatomy": [1],
    }
    path = saved(document, tmp_path, "a\nb.wcon")
    read = read_wcon(path)
    read.save(tmp_path / "results.h5")
    assert read.seed == 0 and read.medium == "a ?? \U0001f4a7 plate"
    assert np.isnan(read.wall_s_per_bio_s)


def test_names_that_spreadsheets_would_compute_are_quoted():
    assert [plain_cell(name) for name in ("AVAL", "=1+1", "+1", "-1", "@x", "\t=1")] == [
        "AVAL",
        "'=1+1",
        "'+1",
        "'-1",
        "'@x",
        "'\t=1",
    ]
    assert sorted(["a_10", "a_2", "a"], key=natural) == ["a", "a_2", "a_10"]


def test_points_that_coincide_are_no_bend(tmp_path):
    document = tracked(duration=6000.0)
    plain = read_wcon(saved(document, tmp_path)).gait()
    for axis in "xy":
        for row in document["data"][0][axis]:
            row[20:20] = [row[20]] * 2
    doubled = read_wcon(saved(document, tmp_path)).gait()
    assert doubled.amplitude == pytest.approx(plain.amplitude, rel=0.02)


MOVED = {
    "centred on its soma": (lambda p, soma: p - soma, "centred on its soma.*add"),
    "left for right": (lambda p, soma: p * [-1, 1, 1], r"axes differ.*-x, y, z"),
    "other axes": (lambda p, soma: (p - soma)[:, [1, 0, 2]] + soma, r"axes differ.*y, x, z"),
    "upside down": (lambda p, soma: (p - soma) * [1, 1, -1] + soma, r"axes differ.*x, y, -z"),
    "in nm": (lambda p, soma: 1000 * p, "in um"),
    "in mm": (lambda p, soma: p / 1000, "in um"),
    "further back": (lambda p, soma: p + [0, 80, 0], "80 um from where"),
}


@pytest.mark.parametrize("case", MOVED)
def test_a_cell_that_lies_elsewhere_is_refused_with_what_would_move_it(case, tmp_path):
    from tianbao.anatomy import morphology

    move, sentence = MOVED[case]
    cell = morphology("RIAL")
    points = move(cell.xyz, cell.soma)
    rows = [
        f"{k} {kind} {x:.5f} {y:.5f} {z:.5f} {r:.4f} {parent}"
        for k, (kind, (x, y, z), r, parent) in enumerate(zip(cell.kind, points, cell.radius, cell.parent, strict=True))
    ]
    path = tmp_path / "RIAL.swc"
    path.write_text("\n".join(rows))
    with pytest.raises(TianbaoError, match=sentence):
        own_cells(tmp_path)
    if case == "further back":
        path.write_text("\n".join(["# displaced on purpose", *rows]))
        assert own_cells(tmp_path).replaced == ("RIAL",)


def test_check_says_what_came_from_where(tmp_path, capsys):
    from tianbao.cli import main
    from tianbao.paths import data_root

    (tmp_path / "AIAL.swc").write_bytes((data_root() / "morphologies" / "AIAL.swc").read_bytes())
    assert main(["check", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "AIAL: " in said and "own file" in said and "soma 0.0 um from the traced one" in said
    assert "the other 301 neurons: traced" in said
    (tmp_path / "mine.csv").write_bytes(WIRING)
    assert main(["check", str(tmp_path / "mine.csv")]) == 0 and io.StringIO(capsys.readouterr().out).readline()
