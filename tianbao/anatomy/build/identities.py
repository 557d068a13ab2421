"""Class, function and transmitter of every neuron."""

from __future__ import annotations

import csv
import io
import re

from ..names import unpadded
from .wheels import Wheel
from .xlsx import read_sheet

_CORD = re.compile(r"(AS|DA|DB|DD|VA|VB|VC|VD)\d+")
# Families whose dorsal and ventral members are conventionally one class. The head motor and
# sublateral families are not among them: their dorsal and ventral cells have opposite functions.
_ONE_CLASS = re.compile(r"(CEP|IL1|IL2|OLQ|RME|SAB|URA|URY)[DV]")
_TRANSMITTERS = "cect/data/elife-95402-supp2-v1.xlsx"
_CELL_TYPES = "cect/data/all_cell_info.csv"
# Embryonic lineaging could not distinguish DB1 from DB3, so the table lists both twice.
_AMBIGUOUS = {"DB1/3": "DB1", "DB3/1": "DB3"}


def neuron_classes(names: list[str]) -> dict[str, str]:
    """Class of every neuron: "AVAL" -> "AVA", "VB10" -> "VB", "SMDDL" -> "SMDD"."""
    return {name: _neuron_class(name, set(names)) for name in names}


def _neuron_class(name: str, known: set[str]) -> str:
    cord = _CORD.fullmatch(name)
    if cord:
        return cord.group(1)
    mirror = name[:-1] + {"L": "R", "R": "L"}.get(name[-1], "?")
    stem = name[:-1] if mirror in known else name
    family = _ONE_CLASS.fullmatch(stem)
    return family.group(1) if family else stem


def neuron_types(cect: Wheel) -> dict[str, tuple[str, bool]]:
    """Function of every cell, and whether it belongs to the pharynx.

    Types are Cook's; the pharyngeal polymodal cells (MC, MI, NSM) count as motor; CAN, which makes
    no synapses, is "unknown".
    """
    (data,) = cect.read(_CELL_TYPES)
    rows = csv.DictReader(io.StringIO(data.decode("utf-8")))
    return {row["Cell name"]: _functional_type(row["Type"]) for row in rows}


def _functional_type(label: str) -> tuple[str, bool]:
    main = label.split(";")[0].lower()
    pharyngeal = main.startswith("pharyngeal")
    if "motor neuron" in main or "polymodal" in main:
        return "motor", pharyngeal
    if "interneuron" in main or "linker" in main:
        return "interneuron", pharyngeal
    return ("unknown" if "canal" in main else "sensory"), pharyngeal


def transmitters(cect: Wheel) -> dict[str, tuple[str, str]]:
    """Transmitter and co-transmitters (";" between them) of every neuron, after Wang et al. 2024."""
    (data,) = cect.read(_TRANSMITTERS)
    found = {}
    for row in read_sheet(data, "Supp File 2"):
        name = row.get("C", "")
        main, *others = (_clean(row.get(column, "")) for column in "UVW")
        found[_AMBIGUOUS.get(name, unpadded(name))] = (main, ";".join(filter(None, others)))
    return found


def _clean(label: str) -> str:
    """Remove the marks for weak and for new findings, name orphans, and leave out males."""
    text = label.replace("*", "").replace(" - NEW", "").strip()
    if text.startswith("male"):
        return ""
    if "unknown" in text.lower():
        return "unknown monoamine" if "monoamine" in text else "unknown"
    if "(" in text and "uptake" in text and "synthesis" not in text:
        return text.split("(")[0].strip() + " (uptake)"
    return text.split("(")[0].strip()
