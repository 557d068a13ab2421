"""Reads midlines of worms from CSV tables, long or wide.

Long: one row per point, with columns for time, number of the point (or its place along the body, 0 at the head to 1 at
the tail), x, y and, if there is one, z. Wide: one row per frame, with a time and columns x0 to xN and y0 to yN, from
head to tail. Both may have columns `worm`, `head` (L if the first point is the head, R if the last is, or ?) and
`ventral` (CW, CCW or ?). Units stand in the header, as in `t_s`, `x [um]` or `y0 (mm)`, or are given as options. An
empty cell or NaN is a point that was not seen.
"""

from __future__ import annotations

import csv
import io
import logging
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..bounded import check_memory, decoded, memory_of_text, read_bytes
from ..errors import OutputError, shorten
from .plate import Plate, imported
from .tracks import LONGEST_GAP_MS, Sighting, check_place, check_time
from .units_given import UnitsGiven
from .wcon_records import orientation
from .wcon_units import millimetres, milliseconds

log = logging.getLogger(__name__)

_WHAT = "a CSV table of midlines"
_DELIMITERS = (",", "\t", ";")
_NAMES = {
    "worm": ("worm", "id", "worm_id", "worm_index", "track", "track_id"),
    "time": ("t", "time", "timestamp"),
    "frame": ("frame", "frame_number"),
    "point": ("point", "point_id", "node"),
    "s": ("s",),
    "head": ("head",),
    "ventral": ("ventral",),
}
_OF = {spelling: name for name, spellings in _NAMES.items() for spelling in spellings}
_AXIS = re.compile(r"([xyz])_?(\d{0,6})", re.ASCII)
_UNIT = re.compile(r"\s*[\[(]\s*([^\])]+?)\s*[\])]$|_(s|sec|ms|us|min|h|hr|mm|um|nm|cm|m|px)$")
_MISSING = ("", "nan", "na", "n/a", "null", "none")
_LAST_LONG_POINT = 1_000_000


@dataclass(frozen=True)
class _Layout:
    """Which column is what: index of each named column, of each coordinate, and the size of their units."""

    columns: dict[str, int]
    points: dict[tuple[str, int], int]
    units: dict[str, float]
    step: float
    width: int

    @property
    def wide(self) -> bool:
        """Whether there is one row per frame."""
        return bool(self.points)


def looks_like_midlines(head: str) -> bool:
    """Whether the header of a table is one of midlines, long or wide."""
    delimiter = max(_DELIMITERS, key=head.count)
    names = {_split(cell)[0] for cell in head.lstrip("\ufeff").split(delimiter)}
    long = {"x", "y"} <= names and any(_OF.get(name) in ("point", "s") for name in names)
    return long or {"x0", "y0"} <= names or {"x1", "y1"} <= names


def csv_plate(
    path: str | Path, given: UnitsGiven, *, medium: str | None = None, longest_gap: float = LONGEST_GAP_MS
) -> Plate:
    """Every worm of a table.

    Args:
        path: of the table, separated by comma, semicolon or tab; lines that start with # are comments.
        given: units of the columns whose names have none.
        medium: name of the medium.
        longest_gap: see `Plate`.

    Raises:
        OutputError: if the file is missing, no such table, or a unit is missing; the message gives the line.
    """
    path = Path(path)
    data = read_bytes(path, _WHAT)
    check_memory(memory_of_text(data), path)
    rows = _rows(path, decoded(data, path))
    number, head = next(rows, (0, []))
    if not head:
        raise OutputError(f"{path} is empty; a table of midlines has a header and one row per point or frame")
    layout = _layout(path, head, given)
    seen = _wide(path, rows, layout) if layout.wide else _long(path, rows, layout)
    if not seen:
        raise OutputError(f"{path} has a header in line {number} but no rows below it")
    return Plate(path, seen, imported(path, medium or ""), longest_gap=longest_gap)


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of every row that is neither empty nor a comment."""
    first = next((line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")), "")
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(cells) and not cells[0].lstrip().startswith("#"):
                yield reader.line_num, cells
    except csv.Error as error:
        raise OutputError(f"{path}, line {reader.line_num}: cannot be read as CSV ({shorten(error)})") from error


def _split(cell: str) -> tuple[str, str | None]:
    """Name of a column in lower case, and its unit if it has one."""
    cell = cell.strip()
    match = _UNIT.search(cell)
    name = cell[: match.start()] if match and match.start() else cell
    return name.strip().lower(), (match.group(1) or match.group(2)) if match and match.start() else None


def _layout(path: Path, head: list[str], given: UnitsGiven) -> _Layout:
    columns: dict[str, int] = {}
    points: dict[tuple[str, int], int] = {}
    written: dict[str, str | None] = {}
    others = []
    for k, cell in enumerate(head):
        name, unit = _split(cell)
        axis = _AXIS.fullmatch(name)
        key = axis.group(1) if axis else _OF.get(name)
        if key is None:
            others.append(shorten(cell))
            continue
        where = points if axis and axis.group(2) else columns
        place = (key, int(axis.group(2))) if axis and axis.group(2) else key
        if place in where:
            raise OutputError(f"{path}: the column {shorten(cell)} occurs twice; keep one")
        where[place] = k
        if written.setdefault(key, unit) != unit:
            raise OutputError(f"{path}: the columns of {key} have different units; give all of them in one")
    if others:
        log.warning("%s: columns that are not of midlines are ignored: %s", path, ", ".join(others[:12]))
    _check_columns(path, columns, points)
    if "time" in columns and given.fps is not None:
        raise OutputError(f"{path} has a column of time; leave out fps")
    axes = [axis for axis in "xyz" if axis in columns or (axis, 0) in points]
    units = {axis: millimetres(given.length_of(path, axis, written[axis]), f"{path}, {axis}") for axis in axes}
    if "time" in columns:
        step = milliseconds(given.time_of(path, written["time"]), f"{path}, t")
    else:
        step = given.frame_ms(path)
    return _Layout(columns, _from_zero(points), units, step, len(head))


def _check_columns(path: Path, columns: dict[str, int], points: dict[tuple[str, int], int]) -> None:
    if "time" not in columns and "frame" not in columns:
        raise OutputError(f"{path} has no column of time; name it t_s, or frame and give the frames per second")
    if points and ("x" in columns or "y" in columns):
        raise OutputError(f"{path} has both x and x0; give one row per point, or one row per frame with x0, x1, ...")
    if not points:
        lacking = [name for name in "xy" if name not in columns]
        if lacking or not {"point", "s"} & set(columns):
            raise OutputError(
                f"{path} has no column {lacking[0] if lacking else 'point'}; a table of midlines has one row per "
                "point, with t, point, x and y, or one row per frame, with t, x0 to xN and y0 to yN"
            )
        return
    numbers = {axis: sorted(n for each, n in points if each == axis) for axis in "xyz"}
    first = min(numbers["x"], default=0)
    for axis, each in numbers.items():
        if (each or axis != "z") and each != list(range(first, first + len(numbers["x"]))):
            raise OutputError(f"{path}: the columns of {axis} do not count from {axis}{first} on as those of x do")
    if first > 1:
        raise OutputError(f"{path}: the columns of x begin with x{first}; they begin with x0, at the head")


def _from_zero(points: dict[tuple[str, int], int]) -> dict[tuple[str, int], int]:
    first = min((number for _, number in points), default=0)
    return {(axis, number - first): column for (axis, number), column in points.items()}


def _wide(path: Path, rows: Iterator[tuple[int, list[str]]], layout: _Layout) -> dict[str, Sighting]:
    count = 1 + max(number for _, number in layout.points)
    axes = list(layout.units)
    columns = [[layout.points[axis, k] for k in range(count)] for axis in axes]
    seen: dict[str, Sighting] = {}
    for number, cells in rows:
        where = _where(path, number, cells, layout)
        line = np.zeros((count, 3))
        for column, axis in zip(columns, axes, strict=True):
            values = [_number(cells[k], where) for k in column]
            line[:, "xyz".index(axis)] = np.array(values) * layout.units[axis]
        _add(seen, cells, layout, where, line)
    return seen


def _long(path: Path, rows: Iterator[tuple[int, list[str]]], layout: _Layout) -> dict[str, Sighting]:
    """Points of every frame, put in order along the body."""
    frames: dict[tuple[str, float], list] = {}
    at = "point" if "point" in layout.columns else "s"
    columns = [(layout.columns[axis], layout.units[axis]) for axis in layout.units]
    for number, cells in rows:
        where = _where(path, number, cells, layout)
        place = _number(cells[layout.columns[at]], where)
        if not 0.0 <= place <= (_LAST_LONG_POINT if at == "point" else 1.0) or at == "point" and place % 1.0:
            wanted = "a number of a point, 0 at the head" if at == "point" else "a place along the body, from 0 to 1"
            raise OutputError(f"{where}: '{shorten(cells[layout.columns[at]])}' is not {wanted}")
        worm, time = _worm(cells, layout), _time(cells, layout, where)
        values = [_number(cells[column], where) * size for column, size in columns]
        frame = frames.setdefault((worm, time), [where, cells, []])
        frame[2].append((place, *values, *([0.0] * (3 - len(values)))))
    usual = {} if at == "s" else _usual_points(frames)
    seen: dict[str, Sighting] = {}
    for (worm, _), (where, cells, found) in frames.items():
        line = np.array(sorted(found))
        if (np.diff(line[:, 0]) == 0.0).any():
            raise OutputError(f"{where}: this frame has a point twice; give worms apart in a column worm")
        complete = usual.get(worm) in (None, len(line)) and (at == "s" or (np.diff(line[:, 0]) == 1.0).all())
        _add(seen, cells, layout, where, line[:, 1:] if complete else np.full((1, 3), math.nan))
    return seen


def _usual_points(frames: dict) -> dict[str, int | None]:
    """Number of points of a complete frame of each worm; None for a tracker that gives now more points, now fewer."""
    counts: dict[str, Counter] = {}
    for (worm, _), (_, _, found) in frames.items():
        counts.setdefault(worm, Counter())[len(found)] += 1
    most = {worm: each.most_common(1)[0] for worm, each in counts.items()}
    return {worm: count if 2 * times > counts[worm].total() else None for worm, (count, times) in most.items()}


def _where(path: Path, number: int, cells: list[str], layout: _Layout) -> str:
    if len(cells) != layout.width:
        raise OutputError(f"{path}, line {number}: {len(cells)} cells under {layout.width} columns; give one for each")
    return f"{path}, line {number}"


def _worm(cells: list[str], layout: _Layout) -> str:
    return cells[layout.columns["worm"]].strip() if "worm" in layout.columns else "0"


def _time(cells: list[str], layout: _Layout, where: str) -> float:
    column = layout.columns.get("time", layout.columns.get("frame"))
    value = _number(cells[column], where) * layout.step
    check_time(np.array([value]), f"{where}, time")
    return value


def _add(seen: dict[str, Sighting], cells: list[str], layout: _Layout, where: str, line: np.ndarray) -> None:
    worm = _worm(cells, layout)
    if not worm.isprintable():
        raise OutputError(f"{where}: the worm {shorten(worm)} has a character that cannot be printed in its name")
    whole = not np.isnan(line).any()
    if whole:
        check_place(line, where)
    words = {}
    for key, usual in (("head", "L"), ("ventral", "?")):
        words[key] = orientation(key, cells[layout.columns[key]]) if key in layout.columns else usual
        if words[key] is None:
            raise OutputError(f"{where}: '{shorten(cells[layout.columns[key]])}' is no word for {key}")
    each = seen.setdefault(worm, Sighting(worm))
    each.time.append(_time(cells, layout, where))
    each.lines.append(line if whole else None)
    each.head.append(words["head"])
    each.ventral.append(words["ventral"])
    each.dorsal.append(None)


def _number(cell: str, where: str) -> float:
    """A number, or NaN where there is none."""
    cell = cell.strip()
    try:
        value = math.nan if cell.lower() in _MISSING or "_" in cell else float(cell)
    except ValueError:
        value = math.inf
    if math.isinf(value) or "_" in cell:
        raise OutputError(f"{where}: '{shorten(cell)}' is not a number; write one with a decimal point")
    return value
