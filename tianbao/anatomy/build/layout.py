"""Positions of somata and muscles in the straightened body."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from ..frame import BodyFrame
from ..morphology import Morphology
from .table import Table

_ROWS = Path(__file__).parents[1] / "muscle_rows.csv"
_QUADRANT_SIGNS = {"DL": (0, -1), "DR": (0, 1), "VL": (180, 1), "VR": (180, -1)}


def midline_table(frame: BodyFrame) -> Table:
    """The midline of the posed animal, nose first [um]."""
    rows = [(f"{frame.mid_plane:.2f}", f"{y:.3f}", f"{z:.3f}") for y, z in frame.line]
    return Table(("x", "y", "z"), rows, "fitted: BodyFrame.fit on morphologies/ [um]")


def neuron_table(
    identities: Mapping[str, tuple[str, str, bool, str, str]],
    morphologies: Mapping[str, Morphology],
    frame: BodyFrame,
) -> Table:
    """Every neuron: class, type, pharyngeal, transmitters, soma [um] and its body coordinate."""
    rows = []
    for name, identity in identities.items():
        soma = morphologies[name].soma
        place = frame.locate(soma)
        rows.append((name, *identity, *(f"{value:.6g}" for value in soma), f"{place.s[0]:.4f}"))
    return Table.sorted(
        "name,class,type,pharyngeal,transmitter,co_transmitter,soma_x,soma_y,soma_z,s", rows,
        "class: by name. type: Cook et al. 2019; cect, cect/data/all_cell_info.csv. transmitters: "
        "Wang et al. 2024; cect, cect/data/elife-95402-supp2-v1.xlsx. soma [um], s: morphologies/",
    )  # fmt: skip


def muscle_table(length: float) -> Table:
    """The 95 body wall muscles as touching segments of the body.

    Args:
        length: arc length of the body [um].
    """
    with open(_ROWS, newline="", encoding="utf-8") as lines:
        constants = {row["name"]: float(row["value"]) for row in csv.DictReader(lines)}
    rows = []
    for quadrant, (pole, turn) in _QUADRANT_SIGNS.items():
        count = int(constants["rows_ventral_left" if quadrant == "VL" else "rows"])
        centres = [_centre(row, constants) / length for row in range(1, count + 1)]
        bounds = [0.0, *((a + b) / 2.0 for a, b in zip(centres[:-1], centres[1:], strict=True)), 1.0]
        angle = pole + turn * constants["angle"]
        angle = f"{angle - 360.0 if angle > 180.0 else angle:g}"
        for row, centre in enumerate(centres, start=1):
            span = (f"{value:.5f}" for value in (bounds[row - 1], centre, bounds[row]))
            rows.append((f"M{quadrant}{row:02d}", quadrant, row, *span, angle))
    return Table.sorted("name,quadrant,row,s_start,s,s_end,angle_deg", rows, "generated: muscle_rows.csv")


def _centre(row: int, constants: Mapping[str, float]) -> float:
    """Arc length of the centre of a row [um]."""
    first = constants["first_body_row"]
    if row >= first:
        return constants["row_offset"] + constants["row_spacing"] * row
    # The counts do not resolve the head rows: muscles of equal length from the nose are assumed.
    at_first = constants["row_offset"] + constants["row_spacing"] * first
    return at_first * (row - 0.5) / (first - 0.5)
