"""The tables of connectome/ as typed, checked data frames.

Every function takes an optional path, so that a user's table is checked in the same way.
The supplied tables are read once; each call returns a new copy.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

from ..errors import AnatomyError
from ..paths import data_root
from . import names
from .schema import Schema, read_table

QUADRANTS = ("DL", "DR", "VL", "VR")
SIGNS = ("excitatory", "inhibitory")
PREDICTIONS = ("+", "-", "complex", "none", "")
TYPES = ("sensory", "interneuron", "motor", "unknown")

_ANY: tuple[str, ...] = ()
_EXTRASYNAPTIC = Schema(
    neurons=("pre", "post"),
    words={"ligand": _ANY, "receptor": _ANY},
    key=("pre", "post", "ligand", "receptor"),
)
_SCHEMAS = {
    "neurons": Schema(
        words={"name": _ANY, "class": _ANY, "type": TYPES, "transmitter": _ANY, "co_transmitter": _ANY},
        flags=("pharyngeal",),
        numbers=("soma_x", "soma_y", "soma_z"),
        distances=("s",),
        key=("name",),
    ),
    "muscles": Schema(
        words={"name": _ANY, "quadrant": QUADRANTS},
        counts=("row",),
        numbers=("angle_deg",),
        distances=("s_start", "s", "s_end"),
        key=("name",),
    ),
    "chemical": Schema(
        neurons=("pre", "post"),
        counts=("em_sections",),
        words={"sign": SIGNS, "sign_source": _ANY, "sign_predicted": PREDICTIONS},
        distances=("distance_um",),
        key=("pre", "post"),
    ),
    "gap": Schema(
        neurons=("a", "b"), counts=("em_sections",), distances=("distance_um",), key=("a", "b")
    ),
    "nmj": Schema(neurons=("pre",), muscles=("muscle",), counts=("em_sections",), key=("pre", "muscle")),
    "gap_muscle": Schema(muscles=("a", "b"), counts=("em_sections",), key=("a", "b")),
    "gap_neuromuscular": Schema(
        neurons=("neuron",), muscles=("muscle",), counts=("em_sections",), key=("neuron", "muscle")
    ),
    "monoamine": _EXTRASYNAPTIC,
    "neuropeptide": _EXTRASYNAPTIC,
    "expression": Schema(
        neurons=("name",), words={"cengen_group": _ANY}, key=("name",), rest_are_levels=True
    ),
}  # fmt: skip


def neurons(path: str | Path | None = None) -> pd.DataFrame:
    """The 302 neurons, indexed by name, in alphabetical order.

    Columns: class, type ("sensory", "interneuron", "motor"; "unknown" for CAN), pharyngeal,
    transmitter, co_transmitter (";" between several), soma_x, soma_y, soma_z [um] in the frame of
    the tracings, s (body coordinate of the soma, 0 nose to 1 tail).

    Raises:
        AnatomyError: when a row is malformed.
    Source: class by name; type Cook et al. 2019; transmitters Wang et al. 2024.
    """
    return _load("neurons", path).set_index("name")


def muscles(path: str | Path | None = None) -> pd.DataFrame:
    """The 95 body wall muscles, indexed by name: DL, DR, VL, VR, each from the nose.

    Columns: quadrant, row, s_start, s, s_end (body coordinates of the ends and the centre),
    angle_deg (round the body from dorsal, towards the right positive).

    Raises:
        AnatomyError: when a row is malformed.
    Source: muscle_rows.csv.
    """
    return _load("muscles", path).set_index("name")


def chemical(path: str | Path | None = None) -> pd.DataFrame:
    """Chemical synapses between neurons, 3709 pairs of which 38 are autapses.

    Columns: pre, post, em_sections, sign ("excitatory", "inhibitory"), sign_source,
    sign_predicted ("+", "-", "complex", "none", "" where absent), distance_um (closest approach of
    the two traced neurites).

    Raises:
        AnatomyError: when a row is malformed.
    Source: Cook et al. 2019; predictions Fenyves et al. 2020.
    """
    return _load("chemical", path)


def gap(path: str | Path | None = None) -> pd.DataFrame:
    """Gap junctions between neurons, 1091 pairs with a < b.

    Columns: a, b, em_sections, distance_um.

    Raises:
        AnatomyError: when a row is malformed, joins a cell to itself, or repeats a pair reversed.
    Source: Cook et al. 2019.
    """
    return _load("gap", path)


def nmj(path: str | Path | None = None) -> pd.DataFrame:
    """Neuromuscular junctions on body wall muscles, 956 pairs: pre, muscle, em_sections.

    Raises:
        AnatomyError: when a row is malformed.
    Source: Cook et al. 2019.
    Limitations: counts of SMD, SMB, SIA and SIB on rows 9 and beyond are extrapolated in the source.
    """
    return _load("nmj", path)


def gap_muscle(path: str | Path | None = None) -> pd.DataFrame:
    """Gap junctions between body wall muscles, 96 pairs with a < b: a, b, em_sections.

    Raises:
        AnatomyError: when a row is malformed, joins a cell to itself, or repeats a pair reversed.
    Source: Cook et al. 2019.
    """
    return _load("gap_muscle", path)


def gap_neuromuscular(path: str | Path | None = None) -> pd.DataFrame:
    """Gap junctions between neurons and muscles, 5 pairs: neuron, muscle, em_sections.

    Raises:
        AnatomyError: when a row is malformed.
    Source: Cook et al. 2019.
    """
    return _load("gap_neuromuscular", path)


def monoamine(path: str | Path | None = None) -> pd.DataFrame:
    """Monoamine signalling, 2626 rows: pre, post, ligand, receptor.

    Raises:
        AnatomyError: when a row is malformed.
    Source: Bentley et al. 2016.
    """
    return _load("monoamine", path)


def neuropeptide(path: str | Path | None = None) -> pd.DataFrame:
    """Neuropeptide signalling, 8931 rows: pre, post, ligand, receptor.

    Raises:
        AnatomyError: when a row is malformed.
    Source: Bentley et al. 2016.
    """
    return _load("neuropeptide", path)


def expression(path: str | Path | None = None) -> pd.DataFrame:
    """Expression of channels and receptors [transcripts per million], neurons x genes.

    Indexed by neuron; column cengen_group names the transcriptomic group, every other column a gene
    ("egl-19"). 0 is below the threshold of detection. Empty, with no columns, when the committed
    table is absent.

    Raises:
        AnatomyError: when a row is malformed.
    Source: CeNGEN, medium threshold (Taylor et al. 2021).
    """
    if path is None and not _standard_path("expression").is_file():
        return pd.DataFrame(index=pd.Index([], name="name"))
    return _load("expression", path).set_index("name")


def neuron_name(text: str) -> str:
    """The unique spelling of a neuron's name: "AS01" -> "AS1".

    Raises:
        AnatomyError: for an unknown neuron, with the nearest known name.
    """
    return _known("neuron", names.unpadded(text), text, _classes())


def muscle_name(text: str) -> str:
    """The unique spelling of a muscle's name: "MDL8" -> "MDL08".

    Raises:
        AnatomyError: for an unknown muscle, with the nearest known name.
    """
    return _known("muscle", names.padded_muscle(text), text, _quadrants())


def neuron_class(name: str) -> str:
    """Class of a neuron: "AVAL" -> "AVA", "VB10" -> "VB", "SMDDL" -> "SMDD".

    Raises:
        AnatomyError: for an unknown neuron.
    """
    return _classes()[neuron_name(name)]


def match_neurons(*patterns: names.Names) -> list[str]:
    """Sorted names of the neurons that match any glob pattern ("VB*", "AVAL", "AS01"), or list of them.

    Raises:
        AnatomyError: when no pattern is given, or one matches nothing.
    """
    return names.match("neuron", patterns, _classes(), names.unpadded, {"muscle": _names("muscles")})


def match_muscles(*patterns: names.Names) -> list[str]:
    """Sorted names of the muscles that match any glob pattern ("MD*", "M?L0[1-8]"), or list of them.

    Raises:
        AnatomyError: when no pattern is given, or one matches nothing.
    """
    return names.match("muscle", patterns, _quadrants(), names.padded_muscle, {"neuron": _names("neurons")})


def match_cells(*patterns: names.Names) -> list[str]:
    """Sorted names of the neurons and muscles that match any glob pattern, or list of them.

    Raises:
        AnatomyError: when no pattern is given, or one matches nothing.
    """
    spelling, muscles_only = lambda text: names.padded_muscle(names.unpadded(text)), {"muscle": _names("muscles")}
    return names.match("cell", patterns, {**_classes(), **_quadrants()}, spelling, muscles_only)


def _load(table: str, path: str | Path | None) -> pd.DataFrame:
    if path is None:
        return _standard(table).copy()
    return _read(table, Path(path))


@cache
def _standard(table: str) -> pd.DataFrame:
    return _read(table, _standard_path(table))


def _standard_path(table: str) -> Path:
    return data_root() / "connectome" / f"{table}.csv"


def _read(table: str, path: Path) -> pd.DataFrame:
    schema = _SCHEMAS[table]
    known_neurons = _names("neurons") if schema.neurons else ()
    known_muscles = _names("muscles") if schema.muscles else ()
    frame = read_table(path, schema, known_neurons, known_muscles)
    if schema.key == ("a", "b"):
        _check_undirected(path, frame)
    return frame


def _check_undirected(path: Path, frame: pd.DataFrame) -> None:
    wrong = (frame.a >= frame.b).to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        pair = f"{frame.a.iloc[row]} {frame.b.iloc[row]}"
        raise AnatomyError(f"{path.name}, row {row + 2}: {pair} is out of order; give each pair once, with a < b")


@cache
def _names(table: str) -> tuple[str, ...]:
    return tuple(_standard(table).name)


@cache
def _classes() -> dict[str, str]:
    table = _standard("neurons")
    return dict(zip(table.name, table["class"], strict=True))


@cache
def _quadrants() -> dict[str, str]:
    table = _standard("muscles")
    return {name: f"M{quadrant}" for name, quadrant in zip(table.name, table.quadrant, strict=True)}


def _known(what: str, name: str, given: str, known: dict[str, str]) -> str:
    if not isinstance(name, str) or name not in known:
        other = "muscle" if what == "neuron" else "neuron"
        raise AnatomyError(names.unmatched(what, given, known, {other: _names(f"{other}s")}, one=True))
    return name
