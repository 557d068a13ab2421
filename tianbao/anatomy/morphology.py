"""Traced neuron morphologies: SWC files, validated and cut into unbranched sections."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..bounded import decoded, read_bytes
from ..errors import AnatomyError
from ..paths import data_root
from .tables import neuron_name

_SOMA_KIND = 1
_LAST_KIND = 255
_SAME = 0.05  # [-] by how much the points of a three-point soma may differ from the sphere they stand for
LARGEST_CELL = 5_000_000
"""Largest SWC file [bytes]; the largest tracing has 0.1 MB."""

_LONGEST_QUOTE = 80  # characters of a malformed line that are shown


class SectionPath(NamedTuple):
    """One unbranched run of a neuron.

    Attributes:
        name: "soma", or "neurite_1" and on.
        points: indices into the morphology's points. The first index of a neurite is the point
            of the parent it leaves from; the soma is its one point.
        parent: index of the parent section, -1 for the soma.
        kind: SWC type of the section's own points.
    """

    name: str
    points: tuple[int, ...]
    parent: int
    kind: int


@dataclass(frozen=True, eq=False)
class Morphology:
    """One traced neuron, in the frame of the posed animal.

    x runs left (+) to right (-), y anterior (-) to posterior (+), z ventral (-) to dorsal (+).

    Attributes:
        name: neuron.
        xyz: points [um], shape (n, 3); parents come before children.
        radius: [um], shape (n,).
        kind: SWC kind, shape (n,): 1 soma, 2 axon, 3 other neurite, 7 neurite that the source
            cuts off without a branch point.
        parent: index of the parent point, -1 for the root, shape (n,).
        sections: the soma first, parents before children.

    Source: Virtual Worm tracings (Grove & Sternberg 2011), from c302 (Gleeson et al. 2018).
    Limitations: neurites start inside the soma; no cilia, spines or muscle arms; 62 of the 99
        left-right pairs are exact mirror images.
    """

    name: str
    xyz: np.ndarray
    radius: np.ndarray
    kind: np.ndarray
    parent: np.ndarray
    sections: tuple[SectionPath, ...]

    @property
    def soma(self) -> np.ndarray:
        """Centre of the soma [um], shape (3,)."""
        return self.xyz[0]

    def resampled(self, spacing: float) -> np.ndarray:
        """Points along every neurite at most `spacing` [um] apart, shape (m, 3)."""
        pieces = [self.xyz[:1]]
        for start, end in zip(self.xyz[self.parent[1:]], self.xyz[1:], strict=True):
            steps = max(1, math.ceil(float(np.linalg.norm(end - start)) / spacing))
            share = np.arange(1, steps + 1)[:, None] / steps
            pieces.append(start + share * (end - start))
        return np.concatenate(pieces)


def morphology(name: str) -> Morphology:
    """The traced morphology of a neuron, read once.

    Args:
        name: "AVAL", "AS1" or "AS01".

    Raises:
        AnatomyError: for an unknown neuron or a malformed file.
    """
    return _traced(neuron_name(name))


@cache
def _traced(name: str) -> Morphology:
    return read_swc(data_root() / "morphologies" / f"{name}.swc")


def read_swc(path: str | Path) -> Morphology:
    """Read one SWC file.

    A soma of three points (the root and two children with the same radius on either side) is read as the sphere that
    it represents.

    Args:
        path: file, named after the neuron. Lines that start with `#` are comments.

    Raises:
        AnatomyError: if the file is absent or not text, a line is malformed, a value is not finite, a radius
            is not positive, a parent is missing, there is not exactly one root, or the soma does not have one or
            three points; the message gives file and line.
    """
    return read_swc_lines(path)[0]


def read_swc_lines(path: str | Path) -> tuple[Morphology, tuple[int, ...]]:
    """Read one SWC file; also returns the line of each point, in the order of `Morphology.xyz`.

    Raises:
        AnatomyError: as `read_swc`.
    """
    path = Path(path)
    rows: dict[int, tuple[int, list[float], int, int]] = {}
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            _add_row(rows, line.split(), path, number)
    order = _parents_first(path, rows)
    if rows[order[0]][0] != _SOMA_KIND:
        raise AnatomyError(f"{path.name}, line {rows[order[0]][3]}: the root must be the soma, kind 1")
    order = _with_one_soma(path, rows, order)
    return _assemble(path, rows, order), tuple(rows[point][3] for point in order)


def _text(path: Path) -> str:
    if not path.is_file():
        raise AnatomyError(f"no morphology file {path}: give the path of an existing SWC file")
    data = read_bytes(path, "an SWC file", largest=LARGEST_CELL, error=AnatomyError)
    return decoded(data, path.name, AnatomyError)


def _add_row(rows: dict, words: list[str], path: Path, number: int) -> None:
    where = f"{path.name}, line {number}"
    try:
        point, kind, *place, parent = words
        values = [float(word) for word in place]
        point, kind, parent = int(point), int(kind), int(parent)
    except ValueError:
        values = []
    if len(values) != 4 or "_" in "".join(words):
        raise AnatomyError(f"{where}: '{_shown(words)}' is not 'point kind x y z radius parent'")
    if point < 0 or not 0 <= kind <= _LAST_KIND:
        raise AnatomyError(f"{where}: point {point} of kind {kind}; points count from 0, kinds are 0 to {_LAST_KIND}")
    if not all(math.isfinite(value) for value in values):
        raise AnatomyError(f"{where}: point {point} has a coordinate or radius that is not a number")
    if values[3] <= 0.0:
        raise AnatomyError(f"{where}: point {point} has radius {values[3]:g} um; it must be positive")
    if point in rows:
        raise AnatomyError(f"{where}: point {point} appears a second time; point numbers are unique")
    rows[point] = (kind, values, parent, number)


def _shown(words: list[str]) -> str:
    line = " ".join(words)
    return line if len(line) <= _LONGEST_QUOTE else f"{line[:_LONGEST_QUOTE]} ..."


def _with_one_soma(path: Path, rows: dict, order: list[int]) -> list[int]:
    """The order without the two additional points of a three-point soma; their children become the root's."""
    root = order[0]
    extra = [point for point in order[1:] if rows[point][0] == _SOMA_KIND]
    if not extra:
        return order
    centre, radius = np.array(rows[root][1][:3]), rows[root][1][3]
    beside = [
        rows[point][2] == root
        and math.isclose(rows[point][1][3], radius, rel_tol=_SAME)
        and math.isclose(float(np.linalg.norm(np.array(rows[point][1][:3]) - centre)), radius, rel_tol=_SAME)
        for point in extra
    ]
    if len(extra) != 2 or not all(beside):
        raise AnatomyError(
            f"{path.name}, line {rows[extra[0]][3]}: a soma of {len(extra) + 1} points; "
            "give it as one point with the radius of its sphere"
        )
    for point, (kind, values, parent, number) in list(rows.items()):
        if parent in extra:
            rows[point] = (kind, values, root, number)
    return [point for point in order if point not in extra]


def _assemble(path: Path, rows: dict, order: list[int]) -> Morphology:
    index = {point: k for k, point in enumerate(order)}
    values = np.array([rows[point][1] for point in order])
    kind = np.array([rows[point][0] for point in order])
    parent = np.array([index.get(rows[point][2], -1) for point in order])
    for array in (values, kind, parent):
        array.flags.writeable = False
    sections = _sections(kind, parent)
    return Morphology(path.stem, values[:, :3], values[:, 3], kind, parent, sections)


def _parents_first(path: Path, rows: dict) -> list[int]:
    """Point numbers in file order, moved only where a parent would follow its child."""
    if not rows:
        raise AnatomyError(f"{path.name} contains no points: a neuron needs at least its soma")
    roots = [point for point, row in rows.items() if row[2] == -1]
    for point, (_, _, parent, number) in rows.items():
        if parent != -1 and parent not in rows:
            raise AnatomyError(
                f"{path.name}, line {number}: point {point} has no parent {parent} in the file"
            )
    if len(roots) > 1:
        line = rows[roots[1]][3]
        raise AnatomyError(f"{path.name}, line {line}: a second root; a neuron is one tree with one soma")
    children: dict[int, list[int]] = {}
    for point, row in rows.items():
        children.setdefault(row[2], []).append(point)
    order, stack = [], roots[:]
    while stack:
        point = stack.pop()
        order.append(point)
        stack.extend(reversed(children.get(point, [])))
    if len(order) < len(rows):
        reached = set(order)
        line = next(row[3] for point, row in rows.items() if point not in reached)
        raise AnatomyError(f"{path.name}, line {line}: its parents form a cycle and never reach a root")
    return order


def _sections(kind: np.ndarray, parent: np.ndarray) -> tuple[SectionPath, ...]:
    """Cut at the soma, at branch points and where the kind changes."""
    children = Counter(parent.tolist())
    runs: list[list[int]] = [[0]]
    home = {0: 0}
    for point in range(1, len(parent)):
        before = int(parent[point])
        if before == 0 or children[before] > 1 or kind[before] != kind[point]:
            runs.append([before, point])
            home[point] = len(runs) - 1
        else:
            runs[home[before]].append(point)
            home[point] = home[before]
    neurites = (
        SectionPath(f"neurite_{k}", tuple(run), home[run[0]], int(kind[run[1]]))
        for k, run in enumerate(runs[1:], start=1)
    )
    return (SectionPath("soma", (0,), -1, int(kind[0])), *neurites)
