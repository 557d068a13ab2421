"""The whole build: every file of morphologies/ and connectome/ as text."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from ..frame import BodyFrame
from ..morphology import Morphology, read_swc
from .chemistry import expression_table, monoamine_table, neuropeptide_table
from .identities import neuron_classes, neuron_types, transmitters
from .layout import midline_table, muscle_table, neuron_table
from .others import edge_table, others, registry_table
from .proximity import closest_approach
from .table import Table
from .tracings import swc_files
from .wheels import Wheel
from .wiring import (
    Cook,
    chemical_table,
    gap_muscle_table,
    gap_neuromuscular_table,
    gap_table,
    nmj_table,
    predictions,
)

MANIFEST = "connectome/MANIFEST.sha256"


def build(wheels: dict[str, Wheel]) -> dict[str, str]:
    """Text of every output file by its path relative to the checkout."""
    tracings = swc_files(wheels["c302"])
    tables = _tables(wheels, _parsed(tracings))
    files = {f"morphologies/{name}.swc": text for name, text in tracings.items()}
    files |= {f"connectome/{name}.csv": table.text() for name, table in tables.items()}
    files["connectome/SOURCES.md"] = _sources(wheels, tables)
    files[MANIFEST] = "".join(
        f"{hashlib.sha256(text.encode()).hexdigest()}  {path}\n" for path, text in sorted(files.items())
    )
    return files


def _parsed(tracings: dict[str, str]) -> dict[str, Morphology]:
    """The tracings as read back by the library."""
    with tempfile.TemporaryDirectory() as folder:
        parsed = {}
        for name, text in sorted(tracings.items()):
            path = Path(folder, f"{name}.swc")
            path.write_text(text, encoding="utf-8", newline="\n")
            parsed[name] = read_swc(path)
    return parsed


def _tables(wheels: dict[str, Wheel], morphologies: dict[str, Morphology]) -> dict[str, Table]:
    cect, atlas = wheels["cect"], wheels["wormneuroatlas"]
    cook, distance = Cook(cect), closest_approach(morphologies)
    frame = BodyFrame.fit(morphologies.values())
    classes = neuron_classes(list(morphologies))
    types, chemistry = neuron_types(cect), transmitters(cect)
    neurons = {name: (classes[name], *types[name], *chemistry[name]) for name in morphologies}
    signed = {name: (classes[name], chemistry[name][0]) for name in morphologies}
    muscles = muscle_table(frame.length)
    published = others(cect, neurons, [row[0] for row in muscles.rows])
    predicted = predictions(atlas)
    tables = {
        "chemical": chemical_table(cook, atlas, signed, distance),
        "expression": expression_table(atlas, classes),
        "gap": gap_table(cook, neurons, distance),
        "gap_muscle": gap_muscle_table(cook),
        "gap_neuromuscular": gap_neuromuscular_table(cook, neurons),
        "midline": midline_table(frame),
        "monoamine": monoamine_table(cect),
        "muscles": muscles,
        "neurons": neuron_table(neurons, morphologies, frame),
        "neuropeptide": neuropeptide_table(cect),
        "nmj": nmj_table(cook, neurons),
        "connectomes": registry_table(cook, published, neurons),
        **{each.name: edge_table(each, signed, predicted) for each in published},
    }
    return dict(sorted(tables.items()))


def _sources(wheels: dict[str, Wheel], tables: dict[str, Table]) -> str:
    lines = ["# Sources of the tables", "", "Written by `python -m tianbao.anatomy.build`. Wheels read:", ""]
    lines += [f"- {wheel.name} {wheel.version}, sha256 {wheel.sha256}" for wheel in wheels.values()]
    lines += ["", "| table | rows | source |", "|---|---|---|"]
    lines += [f"| {name}.csv | {len(table.rows)} | {table.source} |" for name, table in tables.items()]
    return "\n".join(lines) + "\n"
