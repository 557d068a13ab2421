"""Reads one sheet of an Excel workbook using the standard library only."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
import zipfile

from ...errors import AnatomyError

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def read_sheet(workbook: bytes, sheet: str) -> list[dict[str, str]]:
    """Rows of a sheet as {column letter: cell text}; empty cells are absent.

    Raises:
        AnatomyError: when the workbook has no such sheet.
    """
    with zipfile.ZipFile(io.BytesIO(workbook)) as archive:
        strings = ET.fromstring(archive.read("xl/sharedStrings.xml"))
        shared = ["".join(text.text or "" for text in item.iter(f"{_MAIN}t")) for item in strings]
        rows = ET.fromstring(archive.read(_member(archive, sheet))).iter(f"{_MAIN}row")
        return [_cells(row, shared) for row in rows]


def _member(archive: zipfile.ZipFile, sheet: str) -> str:
    relations = ET.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    targets = {each.get("Id"): each.get("Target") for each in relations}
    for each in ET.fromstring(archive.read("xl/workbook.xml")).iter(f"{_MAIN}sheet"):
        if each.get("name") == sheet:
            return "xl/" + targets[each.get(_RELATION)].removeprefix("/").removeprefix("xl/")
    raise AnatomyError(f"workbook has no sheet '{sheet}'")


def _cells(row: ET.Element, shared: list[str]) -> dict[str, str]:
    cells = {}
    for cell in row:
        value = cell.findtext(f"{_MAIN}v")
        if value is not None:
            column = re.match("[A-Z]+", cell.get("r")).group()
            cells[column] = shared[int(value)] if cell.get("t") == "s" else value
    return cells
