"""User-supplied tracings: a folder of SWC files, each of which replaces the tracing of the neuron it is named after."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..bounded import read_bytes
from ..errors import AnatomyError
from .frame import BodyFrame
from .morphology import LARGEST_CELL, Morphology, morphology, read_swc_lines
from .own_place import DISPLACED, check_against_traced
from .tables import neuron_name

SUFFIX = ".swc"

# Bounds for a cell inside the animal, generous compared with the supplied tracings: all their points are within 30 um
# of the midline, their radii are 0.04 to 2.8 um, and the largest cell has 1861 points.
_FARTHEST = 60.0  # [um] from the midline or the mid-plane
_BEYOND_ENDS = 50.0  # [um] before the nose or behind the tail
_LONGEST = 3000.0  # [um]
_SHORTEST = 1.0  # [um] extent of a cell that has neurites
_RADII = (0.005, 15.0)  # [um]
_SHORTEST_SECTION = 1e-3  # [um]
_MOST_POINTS = 20_000


@dataclass(frozen=True)
class CellSource:
    """Source of morphologies: the supplied tracings, some of them replaced.

    Two sources are equal, and share cached results, if their replaced cells have the same contents.

    Attributes:
        digests: neuron and SHA-256 of each replacement, in order.
        folder: where the replacements were read.
    """

    digests: tuple[tuple[str, str], ...] = ()
    folder: str = field(default="", compare=False)
    _own: Mapping[str, Morphology] = field(default_factory=dict, compare=False, repr=False)

    @property
    def replaced(self) -> tuple[str, ...]:
        """Neurons whose morphology was supplied by the user."""
        return tuple(name for name, _ in self.digests)

    def digest(self, neuron: str) -> str:
        """SHA-256 of a neuron's replacement; empty if the traced cell is used."""
        return dict(self.digests).get(neuron, "")

    def morphology(self, neuron: str) -> Morphology:
        """The replacement of a neuron, otherwise its tracing.

        Raises:
            AnatomyError: for an unknown neuron.
        """
        name = neuron_name(neuron)
        return self._own[name] if name in self._own else morphology(name)

    @property
    def provenance(self) -> str:
        """One line for the results: which cells replace the supplied tracings, with digests of their contents."""
        if not self.digests:
            return "traced"
        return "; ".join(f"{name} sha256 {digest}" for name, digest in self.digests)


TRACED = CellSource()


def own_cells(folder: str | Path | CellSource = "") -> CellSource:
    """Read a folder of SWC files, each named after the neuron it replaces: "AVAL.swc", "AS1.swc".

    Args:
        folder: empty for the supplied tracings. Hidden files and those that do not end in .swc are ignored.

    Raises:
        AnatomyError: if the folder is absent or contains no SWC file, a name is not a neuron or occurs twice, a file is
            malformed, or a cell does not lie inside the animal or where it is traced; the message gives file and line.
    """
    if isinstance(folder, CellSource):
        return folder
    if not isinstance(folder, (str, Path)):
        raise AnatomyError(f"morphologies takes a folder of files such as AVAL{SUFFIX}, not {folder!r}")
    if not str(folder):
        return TRACED
    folder = Path(folder)
    if not os.path.isdir(folder):
        raise AnatomyError(f"no folder {folder}: morphologies takes a folder of files such as AVAL{SUFFIX}")
    files: dict[str, Path] = {}
    for path in _listed(folder):
        if path.suffix.lower() == SUFFIX and not path.name.startswith("."):
            name = _neuron_of(path)
            if name in files:
                raise AnatomyError(f"{folder}: {files[name].name} and {path.name} are the same neuron; keep one")
            files[name] = path
    if not files:
        raise AnatomyError(f"{folder} contains no {SUFFIX} file: name each after its neuron, such as AVAL{SUFFIX}")
    cells = {name: read_own_cell(path) for name, path in sorted(files.items())}
    digests = tuple((name, hashlib.sha256(_bytes(files[name])).hexdigest()) for name in cells)
    return CellSource(digests, str(folder), cells)


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise AnatomyError(f"cannot read the folder {folder}: {error.strerror}") from error


def _bytes(path: Path) -> bytes:
    return read_bytes(path, "an SWC file", largest=LARGEST_CELL, error=AnatomyError)


def read_own_cell(path: str | Path) -> Morphology:
    """Read a user's SWC file, in um and in the frame of the supplied tracings (docs/anatomy.md).

    Raises:
        AnatomyError: if the name is not a neuron, the file is malformed, or the cell does not lie inside the animal, or
            lies elsewhere than the traced one without a comment "# displaced on purpose".
    """
    path = Path(path)
    name = _neuron_of(path)
    cell, lines = read_swc_lines(path)
    cell = Morphology(name, cell.xyz, cell.radius, cell.kind, cell.parent, cell.sections)
    _check_size(path, cell, lines)
    _check_sections(path, cell, lines)
    _check_place(path, cell, lines)
    comments = (line for line in _bytes(path).splitlines() if line.lstrip().startswith(b"#"))
    check_against_traced(path, cell, any(DISPLACED.encode() in line for line in comments))
    return cell


def _neuron_of(path: Path) -> str:
    try:
        return neuron_name(path.stem)
    except AnatomyError as error:
        raise AnatomyError(f"{path.name} is not named after a neuron: {error}") from error


def _check_size(path: Path, cell: Morphology, lines: tuple[int, ...]) -> None:
    if len(cell.xyz) > _MOST_POINTS:
        raise AnatomyError(f"{path.name} has {len(cell.xyz)} points, more than {_MOST_POINTS}: thin out the tracing")
    extent = float(np.ptp(cell.xyz, axis=0).max())
    if extent > _LONGEST:
        raise AnatomyError(f"{path.name} spans {extent:g} um, longer than the animal: are its coordinates in um?")
    if len(cell.xyz) > 1 and extent < _SHORTEST:
        raise AnatomyError(f"{path.name} spans only {extent:g} um: are its coordinates in um?")
    wrong = np.flatnonzero((cell.radius < _RADII[0]) | (cell.radius > _RADII[1]))
    if len(wrong):
        k = int(wrong[0])
        low, high = _RADII
        raise AnatomyError(
            f"{path.name}, line {lines[k]}: a radius of {cell.radius[k]:g} um is outside {low:g} to {high:g} um; "
            "are the radii in um?"
        )


def _check_sections(path: Path, cell: Morphology, lines: tuple[int, ...]) -> None:
    for section in cell.sections[1:]:
        points = cell.xyz[list(section.points)]
        if np.linalg.norm(np.diff(points, axis=0), axis=1).sum() < _SHORTEST_SECTION:
            raise AnatomyError(
                f"{path.name}, line {lines[section.points[-1]]}: a branch of zero length; move the point"
            )


def _check_place(path: Path, cell: Morphology, lines: tuple[int, ...]) -> None:
    frame = BodyFrame.standard()
    place, y = frame.locate(cell.xyz), cell.xyz[:, 1]
    aside = np.maximum(np.abs(place.dorsal_um), np.abs(place.right_um)) > _FARTHEST
    ahead = (y < frame.line[0, 0] - _BEYOND_ENDS) | (y > frame.line[-1, 0] + _BEYOND_ENDS)
    outside = np.flatnonzero(aside | ahead)
    if len(outside):
        k = int(outside[0])
        x, y, z = cell.xyz[k]
        raise AnatomyError(
            f"{path.name}, line {lines[k]}: ({x:g}, {y:g}, {z:g}) um lies outside the animal; move the cell into the "
            "frame of the supplied tracings, whose soma positions are in connectome/neurons.csv"
        )
