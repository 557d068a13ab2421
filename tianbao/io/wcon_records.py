"""From the records of WCON documents to what a tracker saw of each worm: units, origins, orientations and gaps.

Source: WCON format of the Tracker Commons (openworm/tracker-commons, WCON_format.md, wcon_schema.json).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import OutputError, shorten
from .tracks import Sighting, check_place, check_time
from .wcon_files import Chunk
from .wcon_units import millimetres, milliseconds

OWN = "@Tianbao"
AXES = ("x", "y", "z")
_WORDS = {
    "head": {"l": "L", "left": "L", "r": "R", "right": "R", "?": "?", "unknown": "?", "": "?"},
    "ventral": {
        "cw": "CW", "clockwise": "CW", "ccw": "CCW", "anticlockwise": "CCW", "counterclockwise": "CCW",
        "counter-clockwise": "CCW", "?": "?", "unknown": "?", "": "?",
    },
}  # fmt: skip
# A length outside these bounds cannot be normalised without loss; dorsal vectors are unit vectors, rounded.
_DORSAL_LENGTHS = (0.5, 2.0)


def orientation(key: str, word: object) -> str | None:
    """What a tracker says about the head ("L", "R", "?") or the ventral side ("CW", "CCW", "?"); None if not known.

    Args:
        key: "head" or "ventral".
        word: as in the file, in capitals or not, abbreviated or not; "?" for what is None.
    """
    if word is None:
        return "?"
    return _WORDS[key].get(word.strip().lower()) if isinstance(word, str) else None


def records(chunk: Chunk) -> list[dict]:
    """The records of a document.

    Raises:
        OutputError: if its data are not records.
    """
    data = chunk.content["data"]
    found = [data] if isinstance(data, dict) else data
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise OutputError(f"{chunk.where}: its data are not a list of records")
    return found


def sightings(documents: list[Chunk]) -> dict[str, Sighting]:
    """Every worm of the documents, with all its records joined.

    Raises:
        OutputError: for a malformed record; the message gives the file and its number.
    """
    seen: dict[str, Sighting] = {}
    for chunk in documents:
        for number, record in enumerate(records(chunk), start=1):
            where = f"{chunk.where}, record {number}"
            missing = [key for key in ("id", "t", "x", "y") if key not in record]
            if missing:
                # The specification requires skipping records that are not tracks, such as features of the plate.
                if "x" in record or "y" in record:
                    raise OutputError(f"{where} has no {' and no '.join(missing)}")
                continue
            name = _name(record["id"], where)
            _add(seen.setdefault(name, Sighting(name)), record, chunk.content["units"], where)
    return seen


def _name(given: object, where: str) -> str:
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise OutputError(f"{where}: its id is neither text nor a number")
    name = given if isinstance(given, str) else shorten(given)
    if not name.isprintable():
        raise OutputError(f"{where}: its id {shorten(name)} contains a character that cannot be printed")
    return name


def _add(seen: Sighting, record: dict, units: dict, where: str) -> None:
    arrayed = isinstance(record["t"], list)
    time = _numbers(record["t"] if arrayed else [record["t"]], f"{where}, t")
    time = time * milliseconds(units.get("t"), f"{where}, t")
    check_time(time, f"{where}, t")
    scale = {axis: millimetres(units.get(axis, units["x"] if axis == "z" else None), f"{where}, {axis}")
             for axis in AXES if axis in record}  # fmt: skip
    columns = {axis: _lines(record[axis], len(time), arrayed, f"{where}, {axis}") for axis in scale}
    origin = {axis: _origin(record, axis, units, len(time), where) for axis in AXES}
    words = {key: _words(record, key, len(time), where) for key in _WORDS}
    own = record.get(OWN)
    dorsal = own.get("dorsal") if isinstance(own, dict) else None
    for k in range(len(time)):
        seen.time.append(float(time[k]))
        line = {axis: columns[axis][k] * scale[axis] + origin[axis][k] for axis in columns}
        seen.lines.append(_line(line, where, k))
        seen.head.append(words["head"][k])
        seen.ventral.append(words["ventral"][k])
        seen.dorsal.append(_vectors(dorsal, k, len(time), where))


def _line(values: dict[str, np.ndarray], where: str, k: int) -> np.ndarray | None:
    """One midline, shape (points, 3), or None if a point of it is missing."""
    if len({len(each) for each in values.values()}) > 1:
        counts = " and ".join(f"{len(each)} {axis}" for axis, each in values.items())
        raise OutputError(f"{where}: frame {k + 1} has {counts}; each point needs all of them")
    flat = np.stack([values.get(axis, np.zeros(len(values["x"]))) for axis in AXES], axis=1)
    if not len(flat) or np.isnan(flat).any():
        return None
    check_place(flat, f"{where}, frame {k + 1}")
    return flat


def _lines(value: Any, frames: int, arrayed: bool, where: str) -> list[np.ndarray]:
    """Coordinates of every frame: a list per frame, or single values of a tracker without midlines."""
    rows = value if arrayed else [value]
    if not arrayed and isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        rows = value  # a bare time beside a list of its one row, as Tierpsy writes a worm seen once
    if frames == 1 and isinstance(rows, list) and len(rows) > 1 and not any(isinstance(row, list) for row in rows):
        rows = [rows]  # a list of one time beside the bare points of that time
    if not isinstance(rows, list) or len(rows) != frames:
        count = len(rows) if isinstance(rows, list) else 1
        raise OutputError(f"{where} has {count} entries for {frames} times; it needs one per time")
    return [_numbers(row if isinstance(row, list) else [row], where) for row in rows]


def _numbers(values: list, where: str) -> np.ndarray:
    """Numbers of a JSON list; null and non-finite values become NaN, as the specification asks."""
    for each in values:
        if each is not None and (isinstance(each, bool) or not isinstance(each, int | float)):
            kind = f"'{shorten(each)}'" if isinstance(each, str | bool) else "a list or a table"
            raise OutputError(f"{where} contains {kind} instead of a number")
    # An integer too large for a float is as far away as any; `check_place` and `check_time` refuse it.
    numbers = np.array([math.nan if each is None else min(max(each, -1e300), 1e300) for each in values], float)
    numbers[[isinstance(each, float) and not math.isfinite(each) for each in values]] = math.nan
    return numbers


def _origin(record: dict, axis: str, units: dict, frames: int, where: str) -> np.ndarray:
    """Offset of each frame [mm]: the origin, or without one the centroid, as specified."""
    key = next((key for key in ("o" + axis, "c" + axis) if key in record), None)
    if key is None or record[key] is None:
        return np.zeros(frames)
    single = not isinstance(record[key], list)
    values = _numbers([record[key]] if single else record[key], f"{where}, {key}")
    if len(values) == 1 and frames > 1:
        values = np.repeat(values, frames)
    if len(values) != frames:
        raise OutputError(f"{where}: {key} has {len(values)} entries for {frames} times")
    return values * millimetres(units.get(key, units.get(axis)), f"{where}, {key}")


def _words(record: dict, key: str, frames: int, where: str) -> list[str]:
    value = record.get(key)
    words = [orientation(key, each) for each in (value if isinstance(value, list) else [value] * frames)]
    if len(words) != frames or None in words:
        known = ", ".join(dict.fromkeys(_WORDS[key].values()))
        raise OutputError(f"{where}: {key} must be one of {known}, once or for every time")
    return words


def _vectors(dorsal: Any, k: int, frames: int, where: str) -> np.ndarray | None:
    if dorsal is None:
        return None
    try:
        vectors = np.array(dorsal[k] if len(dorsal) == frames else (), float)
    except (TypeError, ValueError, IndexError, KeyError, OverflowError, RecursionError):
        vectors = np.zeros(0)
    if vectors.ndim != 2 or vectors.shape[1] != 3 or not np.isfinite(vectors).all():
        raise OutputError(f"{where}: {OWN} dorsal does not have three numbers for every point at every time")
    largest = np.abs(vectors).max(initial=0.0)
    size = np.linalg.norm(vectors, axis=1) if largest < _DORSAL_LENGTHS[1] else np.full(len(vectors), largest)
    if len(size) and not (_DORSAL_LENGTHS[0] <= size.min() and size.max() <= _DORSAL_LENGTHS[1]):
        raise OutputError(f"{where}: {OWN} dorsal contains a vector whose length is not 1")
    return vectors
