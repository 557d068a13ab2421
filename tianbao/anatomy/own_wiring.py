"""Reads one table of edges: a user's CSV, or a published connectome in the same format.

Columns: pre, post, kind ("chemical", "gap" or "nmj"), and one of em_sections, weight or synapses.
Optional: sign ("excitatory" or "inhibitory"), sign_source, sign_predicted, note, source.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ..bounded import LARGEST_TABLE, read_bytes
from ..errors import AnatomyError, shorten, unknown
from . import names, tables
from .signs import EXCITATORY, INHIBITORY, Sign, transmitter_sign

CHEMICAL, GAP, NMJ = "chemical", "gap", "nmj"
KINDS = {"chemical": CHEMICAL, "gap": GAP, "electrical": GAP, "nmj": NMJ}
UNITS = ("em_sections", "weight", "synapses")

_SIGNS = {"excitatory": EXCITATORY, "inhibitory": INHIBITORY, "+": EXCITATORY, "-": INHIBITORY, "": ""}
_NAMES = ("pre", "post", "kind")
_SIGNED = ("sign", "sign_source", "sign_predicted")
_ALIASES = {"type": "kind"}
_IGNORED = ("note", "source", "distance_um")
_DELIMITERS = (",", "\t", ";")
_LARGEST = 10_000.0  # EM sections or synapses of one pair; the largest of Cook 2019 is 401
_LONGEST_NAME, _MOST_NAMES = 40, 12  # of a header that an error shows
_EXCEL = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


class Edge(NamedTuple):
    """One row: its place in the file, the partners, the kind, the weight and the sign columns."""

    row: int
    pre: str
    post: str
    kind: str
    weight: float
    sign: str
    sign_source: str
    sign_predicted: str


@dataclass(frozen=True, eq=False)
class EdgeTables:
    """Edges of one file by kind, checked.

    Attributes:
        chemical: pre, post, weight, sign, sign_source, sign_predicted.
        gap: a, b, weight, with a < b.
        nmj: pre, muscle, weight, sign.
        unit: what a weight is, one of `UNITS`.
        digest: SHA-256 of the file.
    """

    chemical: pd.DataFrame
    gap: pd.DataFrame
    nmj: pd.DataFrame
    unit: str
    digest: str


def read_edges(path: str | Path) -> EdgeTables:
    """Read a table of edges, delimited by comma, tab or semicolon.

    Args:
        path: CSV file with a header; rows that start with `#` and empty rows are skipped.

    Raises:
        AnatomyError: if the file is absent, not UTF-8 text, an Excel workbook, empty or too large, a column is
            absent, unknown or duplicated, or a row has an unknown neuron or muscle, connects a cell to itself, repeats
            a pair, or has a weight that is not a number above zero; the message gives file and row.
    """
    path = Path(path)
    data = _bytes(path)
    lines = list(_lines(path, _text(path, data)))
    if not lines:
        raise AnatomyError(f"{path.name} is empty: give a header, pre,post,kind,em_sections, and one row per edge")
    header = _header(path, lines[0][1])
    (unit,) = set(header) & set(UNITS)
    edges = _edges(path, header, unit, lines[1:])
    if not edges:
        raise AnatomyError(f"{path.name} has a header but no connections: give one row per edge")
    return EdgeTables(_chemical(edges), _gap(edges), _nmj(edges), unit, hashlib.sha256(data).hexdigest())


def _bytes(path: Path) -> bytes:
    try:
        data = read_bytes(path, "a table of connections", largest=LARGEST_TABLE, error=AnatomyError)
    except AnatomyError as error:
        raise AnatomyError(f"cannot read the connectome {path}: {error}") from error
    if data.startswith(_EXCEL):
        raise AnatomyError(f"{path.name} is an Excel workbook: save the sheet as CSV and give that file")
    return data


def _text(path: Path, data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data[: error.start].count(b"\n") + 1
        raise AnatomyError(f"{path.name}, row {row}: not UTF-8 text; save the table as CSV in UTF-8") from error
    if "\0" in text:
        raise AnatomyError(f"{path.name} is not a text file: give a CSV table in UTF-8")
    return text


def _lines(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Number in the file and cells of every row that is neither empty nor a comment."""
    head = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    delimiter = max(_DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if any(cells) and not cells[0].startswith("#"):
                yield reader.line_num, cells
    except csv.Error as error:
        raise AnatomyError(f"{path.name}, row {reader.line_num}: cannot be read as CSV ({error})") from error


def _header(path: Path, cells: list[str]) -> list[str]:
    header = [_ALIASES.get(cell.lower(), cell.lower()) for cell in cells]
    known = (*_NAMES, *UNITS, *_SIGNED, *_IGNORED)
    there = ", ".join(name[:_LONGEST_NAME] for name in header[:_MOST_NAMES])
    for name in _NAMES:
        if name not in header:
            todo = "a table of connections has pre, post, kind and em_sections, one row per connection"
            raise AnatomyError(f"{path.name} has no column '{name}'; its columns are {there}: {todo}")
    for name in header:
        if name not in known:
            raise AnatomyError(f"{path.name}: {unknown('column', name[:_LONGEST_NAME], known)}")
        if header.count(name) > 1:
            raise AnatomyError(f"{path.name} has the column '{name}' twice; keep one")
    units = [name for name in UNITS if name in header]
    if len(units) != 1:
        has = " and ".join(units) or "none"
        raise AnatomyError(f"{path.name} needs one of the columns {', '.join(UNITS)}; it has {has}")
    return header


def _edges(path: Path, header: list[str], unit: str, lines: list[tuple[int, list[str]]]) -> list[Edge]:
    known = _known()
    seen: dict[tuple[str, str, str], int] = {}
    edges = []
    for row, cells in lines:
        where = f"{path.name}, row {row}"
        if len(cells) != len(header):
            raise AnatomyError(f"{where}: {len(cells)} cells where the header has {len(header)} columns")
        edge = _edge(row, where, dict(zip(header, cells, strict=True)), unit, known)
        key = (edge.pre, edge.post, edge.kind)
        if key in seen:
            again = f"{edge.kind} {edge.pre} {edge.post} is already given in row {seen[key]}"
            raise AnatomyError(f"{where}: {again}; {_ONCE[edge.kind]}")
        seen[key] = row
        edges.append(edge)
    return edges


_ONCE = {
    CHEMICAL: "give the sum in one row",
    GAP: "a gap junction is one row, in either direction",
    NMJ: "give the sum in one row",
}


class _Known(NamedTuple):
    neurons: tuple[str, ...]
    muscles: tuple[str, ...]


@cache
def _known() -> _Known:
    return _Known(tuple(tables.neurons().index), tuple(tables.muscles().index))


def _edge(row: int, where: str, cells: dict[str, str], unit: str, known: _Known) -> Edge:
    kind = KINDS.get(cells["kind"].lower())
    if kind is None:
        raise AnatomyError(f"{where}, column kind: {unknown('kind', cells['kind'], KINDS)}")
    pre = _neuron(where, "pre", cells["pre"], known)
    post = _muscle(where, cells["post"], known) if kind == NMJ else _neuron(where, "post", cells["post"], known)
    if pre == post:
        raise AnatomyError(f"{where}: {pre} is connected to itself; autapses are not simulated: delete the row")
    if kind == GAP and pre > post:
        pre, post = post, pre
    sign = _SIGNS.get(cells.get("sign", "").lower())
    if sign is None:
        raise AnatomyError(f"{where}, column sign: {unknown('sign', cells['sign'], [word for word in _SIGNS if word])}")
    if sign and kind == GAP:
        raise AnatomyError(f"{where}: a gap junction has no sign; leave the column empty")
    predicted = cells.get("sign_predicted", "")
    if predicted not in tables.PREDICTIONS:
        known_words = [word for word in tables.PREDICTIONS if word]
        raise AnatomyError(f"{where}, column sign_predicted: {unknown('prediction', predicted, known_words)}")
    weight = _weight(where, unit, cells[unit])
    return Edge(row, pre, post, kind, weight, sign, cells.get("sign_source", ""), predicted)


def _neuron(where: str, column: str, text: str, known: _Known) -> str:
    name = names.unpadded(text)
    if name in known.neurons:
        return name
    if names.padded_muscle(text) in known.muscles:
        advice = "its kind is nmj" if column == "post" else "muscles cannot be presynaptic"
        raise AnatomyError(f"{where}, column {column}: {text} is a muscle; {advice}")
    raise AnatomyError(f"{where}, column {column}: {unknown('neuron', text, known.neurons)}")


def _muscle(where: str, text: str, known: _Known) -> str:
    name = names.padded_muscle(text)
    if name not in known.muscles:
        if names.unpadded(text) in known.neurons:
            raise AnatomyError(f"{where}, column post: {text} is a neuron; an nmj ends on a muscle such as MDL08")
        raise AnatomyError(f"{where}, column post: {unknown('muscle', text, known.muscles)}")
    return name


def _weight(where: str, unit: str, text: str) -> float:
    try:
        value = math.nan if "_" in text else float(text)
    except ValueError:
        value = math.nan
    said = shorten(text)
    if not math.isfinite(value):
        raise AnatomyError(f"{where}, column {unit}: '{said}' is not a number; give one above 0, with a decimal point")
    if value < 0.0:
        raise AnatomyError(f"{where}, column {unit}: {said} is negative; give inhibition in the column sign")
    if value == 0.0:
        raise AnatomyError(f"{where}, column {unit}: 0 means no connection; delete the row")
    if value > _LARGEST:
        raise AnatomyError(f"{where}, column {unit}: {said} exceeds {_LARGEST:g}, more than any known pair has")
    return value


def _chemical(edges: list[Edge]) -> pd.DataFrame:
    neurons = tables.neurons()
    classes, transmitters = neurons["class"].to_dict(), neurons.transmitter.to_dict()
    predicted = _predicted()
    rows = []
    for edge in edges:
        if edge.kind != CHEMICAL:
            continue
        # A given sign is kept: a prediction must not overrule it.
        if edge.sign:
            sign, prediction = Sign(edge.sign, edge.sign_source or "given"), edge.sign_predicted
        else:
            sign = transmitter_sign(classes[edge.pre], classes[edge.post], transmitters[edge.pre])
            prediction = predicted.get((edge.pre, edge.post), "")
        rows.append((edge.pre, edge.post, edge.weight, *sign, prediction))
    return _frame("pre,post,weight,sign,sign_source,sign_predicted", rows)


@cache
def _predicted() -> dict[tuple[str, str], str]:
    standard = tables.chemical()
    return dict(zip(zip(standard.pre, standard.post, strict=True), standard.sign_predicted, strict=True))


def _gap(edges: list[Edge]) -> pd.DataFrame:
    return _frame("a,b,weight", [(each.pre, each.post, each.weight) for each in edges if each.kind == GAP])


def _nmj(edges: list[Edge]) -> pd.DataFrame:
    rule = nmj_signs()
    rows = [(each.pre, each.post, each.weight, each.sign or rule[each.pre]) for each in edges if each.kind == NMJ]
    return _frame("pre,muscle,weight,sign", rows)


def nmj_signs() -> dict[str, str]:
    """Sign of every neuron's neuromuscular junctions: those of GABAergic neurons are inhibitory."""
    gaba = tables.neurons().transmitter.eq("GABA")
    return {name: INHIBITORY if yes else EXCITATORY for name, yes in gaba.items()}


def _frame(columns: str, rows: list[tuple]) -> pd.DataFrame:
    frame = pd.DataFrame(sorted(rows), columns=columns.split(","))
    return frame.astype({"weight": float})
