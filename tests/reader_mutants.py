"""Files of strangers, spoiled: bytes flipped and cut, values swapped, structure changed; and what reads each of them.

`python tests/reader_mutants.py COUNT SEED` reads so many and prints what went wrong; see test_reader_mutants.py.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import re
import resource
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from synthetic import crawling_worm, recording
from tierpsy_files import write_tierpsy

from tianbao.anatomy import connectome, own_cells, read_own_cell
from tianbao.behaviour.kymograph import read_kymograph
from tianbao.errors import TianbaoError
from tianbao.io.import_track import read_plate
from tianbao.io.tracks import throughout
from tianbao.io.wcon import write_wcon
from tianbao.paths import data_root

SLOWEST_S, LONGEST = 10.0, 700
TOKENS = (
    "nan",
    "NaN",
    "inf",
    "-Infinity",
    "1e999",
    "1e300",
    "-1e308",
    "5e-324",
    "0",
    "-1",
    "2147483648",
    "9" * 25,
    "9" * 400,
    "9" * 5000,
    "1_0",
    "0x10",
    "\u0661",
    "",
    " ",
    ",",
    ";",
    "\t",
    "\n",
    "\r",
    "\0",
    '"',
    "'",
    "#",
    "[",
    "]",
    "{",
    "}",
    "=",
    "\ufeff",
    "\u2028",
    "true",
    "null",
    "\\ud800",
    "\x1b[31m",
    "../../x",
    "=1+1",
    "@x",
    "px",
    "mm",
    "hr",
    "L",
    "?",
    "R",
    "AVAL",
    "x" * 3000,
    "\\",
    "[" * 2000,
    '{"a":' * 2000,
)
VALUES = (
    None,
    True,
    False,
    0,
    -1,
    1,
    10**400,
    2**70,
    1e300,
    -1e300,
    5e-324,
    float("nan"),
    float("inf"),
    "",
    "x",
    "\ud800",
    "\0",
    "=1+1",
    "px",
    "mm",
    "hr",
    "L",
    "\u00b5m",
    [],
    {},
    [[]],
    [None],
    [[None]],
    [1e300],
    [[1e300] * 6],
    {"a": {}},
    "../x",
    "1e9*m",
)


def of_bytes(rng: random.Random, good: bytes) -> bytes:
    """Some bytes flipped, cut, doubled, moved, overwritten or made a word that means something."""
    content = bytearray(good)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        if not content:
            break
        at = rng.randrange(len(content))
        end = min(len(content), at + rng.choice((1, 2, 4, 8, 40, 400)))
        way = rng.randrange(8)
        if way == 0:
            content[at] ^= 1 << rng.randrange(8)
        elif way == 1:
            del content[at:end]
        elif way == 2:
            content[at:at] = content[at:end] * rng.choice((1, 1, 30))
        elif way == 3:
            del content[at:]
        elif way == 4:
            content[at:end] = rng.randbytes(end - at)
        elif way == 5:
            content[at:end] = rng.choice((b"\0", b"\xff")) * (end - at)
        elif way == 6:
            content[at:at] = rng.choice(TOKENS).encode("utf-8", "replace")
        else:
            other = rng.randrange(len(content))
            content[at:end] = content[other : other + end - at]
    return bytes(content)


def of_words(rng: random.Random, good: bytes) -> bytes:
    """Some numbers or words of a text replaced by others, or by each other."""
    text = good.decode()
    words = list(re.finditer(r"-?\d[\d.eE+-]*|\w+", text))
    for _ in range(rng.choice((1, 1, 2, 4))):
        word = rng.choice(words)
        new = rng.choice(words).group() if rng.random() < 0.3 else rng.choice(TOKENS)
        text = text[: word.start()] + new + text[word.end() :]
        words = [each for each in words if each.end() <= word.start()] or [word]
        if words == [word]:
            break
    if rng.random() < 0.1:
        return text.encode(rng.choice(("utf-16", "utf-8-sig", "utf-16-le")), "replace")
    return text.encode("utf-8", "surrogatepass")


def of_lines(rng: random.Random, good: bytes) -> bytes:
    """Rows or columns of a table left out, doubled, moved."""
    rows = [line.split(b",") for line in good.splitlines()]
    way, k = rng.randrange(5), rng.randrange(len(rows))
    if way == 0:
        del rows[k]
    elif way == 1:
        rows.insert(rng.randrange(len(rows)), rows[k])
    elif way == 2:
        rng.shuffle(rows)
    else:
        column = rng.randrange(max(map(len, rows)))
        for row in rows:
            if column < len(row):
                row[column : column + 1] = [] if way == 3 else [row[column]] * 2
    return b"\n".join(b",".join(row) for row in rows) + b"\n"


def of_json(rng: random.Random, good: bytes) -> bytes:
    """Values of a document replaced, left out, wrapped, or moved to other places."""
    document = json.loads(good)
    places = list(_places(document))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        parent, key = rng.choice(places)
        try:
            old = parent[key]
            way = rng.randrange(6)
            if way < 3:
                parent[key] = rng.choice(VALUES)
            elif way == 3:
                del parent[key]
            elif way == 4:
                parent[key] = rng.choice(([old], {"a": old}, [old, old], str(old)[:100]))
            else:
                other, name = rng.choice(places)
                parent[key] = json.loads(json.dumps(other[name]))
        except (KeyError, IndexError, TypeError, ValueError):
            continue
    text = json.dumps(document)
    if rng.random() < 0.1:
        key = rng.choice(("t", "x", "units", "data", "id"))
        text = text.replace(f'"{key}":', f'"{key}": 3, "{key}":', 1)
    return text.encode()


def _places(value, depth=0):
    """Every (container, key) of a document, those deep in long lists left out."""
    keys = value.keys() if isinstance(value, dict) else range(min(len(value), 4)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        if depth < 5:
            yield from _places(value[key], depth + 1)


def of_zip(rng: random.Random, good: bytes) -> bytes:
    """Members spoiled, renamed, doubled, added."""
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    memory, method = (
        io.BytesIO(),
        rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)),
    )
    with zipfile.ZipFile(memory, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, content in members:
            way = rng.randrange(7)
            if way == 0:
                content = of_json(rng, content)
            elif way == 1:
                name = rng.choice(("", "a/", "../x.wcon", "__MACOSX/._a.wcon", "a_1.wcon", "/abs.wcon", "b.txt"))
            elif way == 2:
                archive.writestr(name or "x", content)
            elif way == 3:
                archive.writestr("b.wcon", content)
            archive.writestr(name or "x", content)
    made = memory.getvalue()
    return of_bytes(rng, made) if rng.random() < 0.5 else made


def of_hdf5(rng: random.Random, good: bytes) -> bytes:
    """Datasets and attributes of a file of Tierpsy replaced or left out."""
    memory = io.BytesIO(good)
    with h5py.File(memory, "r+") as file:
        names: list[str] = []
        file.visititems(lambda name, each: names.append(name) if isinstance(each, h5py.Dataset) else None)
        for _ in range(rng.choice((1, 1, 2))):
            name = rng.choice(names)
            if isinstance(file.get(name, getlink=True), h5py.HardLink):
                # Not every value fits every dataset.
                with contextlib.suppress(TypeError, ValueError, KeyError, IndexError, OverflowError, RuntimeError):
                    _spoil_dataset(rng, file, name, names)
    return memory.getvalue()


def _spoil_dataset(rng: random.Random, file: h5py.File, name: str, names: list[str]) -> None:
    way, dataset = rng.randrange(7), file[name]
    values, attributes = np.asarray(dataset[()]), dict(dataset.attrs)
    if way == 0:
        del file[name]
    elif way == 1:
        odd = (0, -1, 1, np.nan, 1e300, "pixels", "frames", "", b"\xff", np.zeros(3), np.array([], float), True)
        dataset.attrs[rng.choice(sorted(attributes))] = rng.choice(odd)
    elif way == 2:
        del dataset.attrs[rng.choice(sorted(attributes))]
    elif way == 3:
        column = rng.choice(values.dtype.names)
        values[column] = np.array(rng.choice((0, -1, 7, 10**6, -(2**31)))).astype(values.dtype[column])
        dataset[...] = values
    elif way == 4:
        values.reshape(-1)[rng.randrange(values.size)] = rng.choice((np.nan, np.inf, 1e30, -1.0, 0.0))
        dataset[...] = values
    elif way == 5:
        kept = rng.choice((values[:-3], values[:0], values[..., None], values.reshape(-1)[:1], np.float64(3.0)))
        del file[name]
        file.create_dataset(name, data=kept).attrs.update(attributes)
    else:
        del file[name]
        file[name] = rng.choice(
            (h5py.SoftLink("/" + rng.choice(names)), h5py.ExternalLink("x.h5", "y"), np.void(b"xx"))
        )


def a_track(path: Path) -> None:
    """Everything that `tianbao import-track` does with a file, short of pictures."""
    plate = read_plate(path)
    tracks = plate.tracks()
    together, others = throughout(tracks)
    for run in (plate.of(together), *(plate.of([each]) for each in others)):
        run.check()
        for worm in range(len(run.worms)):
            assert np.abs(run.worms[worm].midline).max() < 1e7
            str(run.gait(worm)), run.frame(worm)
        run.save(path.with_name("saved.h5"))


def a_cell(path: Path) -> None:
    """What a worm does with a cell of one's own."""
    cell = read_own_cell(path)
    assert np.isfinite(cell.xyz).all() and (cell.radius > 0.0).all()
    own_cells(path.parent)


def a_wiring(path: Path) -> None:
    """What a worm does with a wiring of one's own."""
    read = connectome(path)
    assert (read.chemical.em_sections > 0.0).all()


def a_kymograph(path: Path) -> None:
    """What a report does with an animal."""
    read = read_kymograph(path)
    assert np.isfinite(read.curvature).all()


CELL_TEXT = (data_root() / "morphologies" / "AIAL.swc").read_bytes
WIRING = b"""pre,post,kind,em_sections,sign
AVAL,VA1,chemical,3,+
AVBL,VB2,gap,1.5,
VA1,MDL08,nmj,7,+
RIML,AVAL,chemical,2,-
"""


def seeds(folder: Path) -> dict[str, tuple[str, bytes, tuple[Callable, ...], Callable]]:
    """Good files: kind -> (name, content, ways to spoil it, reader)."""
    import pandas as pd

    time_ms, line = crawling_worm(11, 2400.0, 40.0)
    frames, points = line.shape[:2]
    wcon = write_wcon(recording(duration=1600.0, frame=40.0, points=7), folder / "a.wcon").read_bytes()
    linked = json.loads(wcon) | {"files": {"current": "a_0", "next": ["a_1"]}}
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a_0.wcon", json.dumps(linked))
        archive.writestr("a_1.wcon", json.dumps(linked | {"files": {"current": "a_1", "prev": ["a_0"]}}))

    def table_of(columns: dict) -> bytes:
        return pd.DataFrame(columns).to_csv(index=False).encode()

    long = table_of(
        {
            "worm": np.repeat(np.arange(frames) % 2, points),
            "t_s": np.repeat(time_ms / 1000, points),
            "point": np.tile(np.arange(points), frames),
            "x_mm": line[..., 0].ravel().round(4),
            "y_mm": line[..., 1].ravel().round(4),
        }
    )
    places = {f"{axis}{k}_um": (1000 * line[:, k, j]).round(1) for j, axis in enumerate("xy") for k in range(points)}
    wide = table_of({"t_ms": time_ms, **places})
    bend = np.round(8 * np.cos(np.arange(40)[:, None] / 5 - np.arange(8)), 3)
    table = table_of({"time": np.arange(40) / 30, **{f"j{k}": bend[:, k] for k in range(8)}})
    worms = {1: (range(frames), line), 4: (range(10, frames), line[10:]), 9: (range(3, 4), line[:1])}
    made = {
        kind: write_tierpsy(folder / f"{kind}.hdf5", worms, kind).read_bytes()
        for kind in ("skeletons", "features", "featuresN")
    }
    text, rows = (of_bytes, of_words), (of_bytes, of_words, of_lines)
    return {
        "wcon": ("animal.wcon", wcon, (of_json, of_json, *text), a_track),
        "zip": ("animal.wcon.zip", memory.getvalue(), (of_bytes, of_zip), a_track),
        "long": ("midlines.csv", long, rows, a_track),
        "wide": ("midlines.csv", wide, rows, a_track),
        **{kind: (f"plate_{kind}.hdf5", content, (of_bytes, of_hdf5), a_track) for kind, content in made.items()},
        "cell": ("AIAL.swc", CELL_TEXT(), text, a_cell),
        "wiring": ("mine.csv", WIRING, rows, a_wiring),
        "kymograph": ("animal.csv", table, rows, a_kymograph),
    }


def faults(count: int, seed: int, kinds: tuple[str, ...] = ()) -> tuple[list[str], Counter]:
    """Spoil and read so many files.

    Returns:
        What went wrong, one text per file, and how many were read and refused by kind.
    """
    wrong, told = [], Counter()
    with tempfile.TemporaryDirectory() as place:
        good = seeds(Path(place))
        folder = Path(place) / "case"
        folder.mkdir()
        for number in range(count):
            rng = random.Random(f"{seed} {number}")
            kind = rng.choice(kinds or sorted(good))
            name, content, ways, read = good[kind]
            way = rng.choice(ways)
            spoiled = way(rng, content)
            path = folder / name
            path.write_bytes(spoiled)
            started, reason = time.monotonic(), ""
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    read(path)
                told[f"{kind} read"] += 1
            except TianbaoError as error:
                told[f"{kind} refused"] += 1
                said = str(error)
                if "\n" in said or len(said) > LONGEST or not said:
                    reason = f"said {said[:300]!r}"
            except Exception:  # noqa: BLE001  # the fault that is looked for
                reason = traceback.format_exc(limit=-3)
            path.unlink()
            if time.monotonic() - started > SLOWEST_S:
                reason += f" took {time.monotonic() - started:.1f} s"
            if reason:
                wrong.append(f"{kind} {way.__name__} {seed} {number}: {reason}")
    return wrong, told


if __name__ == "__main__":
    import logging

    logging.disable(logging.CRITICAL)
    found, counts = faults(int(sys.argv[1]), int(sys.argv[2]), tuple(sys.argv[3:]))
    print("\n".join(found))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(dict(sorted(counts.items())), f"{memory:.2f} GB", len(found), "faults")
    sys.exit(bool(found))
