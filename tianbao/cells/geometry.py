"""Converts a traced morphology to NEURON sections, and locates each compartment.

Sections are passed to NetPyNE as plain dictionaries; the same code gives the position, area
and body coordinates of every compartment, so that receptors and synapses can be placed before
any NEURON object exists.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from ..anatomy import BodyFrame, Morphology
from ..errors import ConfigError, shorten, unknown
from ..rows import named_values
from ..units import PF_PER_UM2_AT_1_UF_CM2

DISCRETISATIONS = ("traced", "d_lambda")
SOMA_COMPARTMENTS = (1, 2)

# The d_lambda rule of Hines & Carnevale 2001: compartments shorter than this share of the
# length constant at this frequency.
_D_LAMBDA = 0.1
_D_LAMBDA_HZ = 100.0


@cache
def constants() -> dict[str, float]:
    """Constants shared by every cell, in the units of their rows in cell.csv."""
    return named_values(Path(__file__).with_name("cell.csv"))


@dataclass(frozen=True)
class Cable:
    """One unbranched section: its polyline, its compartments and where it branches off its parent."""

    name: str
    points: np.ndarray = field(repr=False)  # (n, 4): x, y, z, diameter [um]
    compartments: int
    parent: str | None
    parent_loc: float

    @cached_property
    def arc(self) -> np.ndarray:
        """Arc length [um] at each point, shape (n,)."""
        steps = np.linalg.norm(np.diff(self.points[:, :3], axis=0), axis=1)
        return np.concatenate(([0.0], np.cumsum(steps)))

    @property
    def length(self) -> float:
        """Length [um]."""
        return float(self.arc[-1])

    def at(self, loc: np.ndarray | float) -> np.ndarray:
        """Positions [um] at normalised arc lengths, shape (..., 3)."""
        where = np.asarray(loc) * self.length
        return np.stack([np.interp(where, self.arc, self.points[:, k]) for k in range(3)], axis=-1)

    def areas(self) -> np.ndarray:
        """Membrane area [um2] of each compartment: frusta between points, as NEURON counts it."""
        cuts = np.linspace(0.0, self.length, self.compartments + 1)
        knots = np.union1d(cuts, self.arc)
        radii = np.interp(knots, self.arc, self.points[:, 3]) / 2.0
        slant = np.hypot(np.diff(knots), np.diff(radii))
        frusta = math.pi * (radii[1:] + radii[:-1]) * slant
        middle = (knots[1:] + knots[:-1]) / 2.0
        inside = np.clip(np.searchsorted(cuts, middle) - 1, 0, self.compartments - 1)
        return np.bincount(inside, frusta, self.compartments)

    def lateral_area(self) -> float:
        """Membrane area [um2]."""
        return float(self.areas().sum())


@dataclass(frozen=True)
class CellGeometry:
    """The sections of one neuron and the position of every compartment.

    Attributes:
        name: neuron.
        cables: the soma first, then the neurites, parents before children.
    """

    name: str
    cables: tuple[Cable, ...]

    @property
    def compartments(self) -> int:
        """Number of compartments of the cell."""
        return sum(cable.compartments for cable in self.cables)

    @cached_property
    def compartment_areas(self) -> np.ndarray:
        """Membrane area [um2] of every compartment, shape (compartments,)."""
        return np.concatenate([cable.areas() for cable in self.cables])

    @property
    def area(self) -> float:
        """Membrane area [um2]."""
        return float(self.compartment_areas.sum())

    @property
    def capacitance(self) -> float:
        """Whole-cell capacitance [pF]."""
        return self.area * constants()["membrane_capacitance"] * PF_PER_UM2_AT_1_UF_CM2

    @cached_property
    def sites(self) -> list[tuple[str, float]]:
        """Section name and normalised centre of every compartment, in order."""
        return [
            (cable.name, (k + 0.5) / cable.compartments)
            for cable in self.cables
            for k in range(cable.compartments)
        ]

    @cached_property
    def centres(self) -> np.ndarray:
        """Position [um] of every compartment, shape (compartments, 3)."""
        return np.concatenate(
            [cable.at((np.arange(cable.compartments) + 0.5) / cable.compartments) for cable in self.cables]
        )

    @cached_property
    def is_soma(self) -> np.ndarray:
        """Whether a compartment belongs to the soma, shape (compartments,)."""
        return np.array([name == "soma" for name, _ in self.sites])

    @cached_property
    def body(self):
        """Body coordinates of every compartment (`BodyCoordinates`)."""
        return BodyFrame.standard().locate(self.centres)

    def cloud(self, spacing: float = 1.0) -> tuple[np.ndarray, list[tuple[str, float]]]:
        """Points along the membrane at most `spacing` [um] apart, and the site of each."""
        points, sites = [], []
        for cable in self.cables:
            count = max(2, int(math.ceil(cable.length / spacing)) + 1)
            locs = np.linspace(0.001, 0.999, count)
            points.append(cable.at(locs))
            sites.extend((cable.name, float(loc)) for loc in locs)
        return np.concatenate(points), sites

    def netpyne_sections(self) -> dict[str, dict]:
        """Sections in the format of NetPyNE's `cellParams['secs']`, without mechanisms."""
        sections = {}
        for cable in self.cables:
            section = {
                "geom": {
                    "nseg": cable.compartments,
                    "Ra": constants()["axial_resistivity"],
                    "cm": constants()["membrane_capacitance"],
                    "pt3d": [tuple(float(value) for value in point) for point in cable.points],
                },
                "topol": {},
                "mechs": {},
            }
            if cable.parent is not None:
                section["topol"] = {"parentSec": cable.parent, "parentX": cable.parent_loc, "childX": 0.0}
            sections[cable.name] = section
        return sections


def check_discretisation(discretisation: str, soma_compartments: int) -> None:
    """Check the discretisation.

    Raises:
        ConfigError: for an unknown discretisation or number of soma compartments.
    """
    if discretisation not in DISCRETISATIONS:
        raise ConfigError(unknown("discretisation", discretisation, DISCRETISATIONS))
    if type(soma_compartments) is not int or soma_compartments not in SOMA_COMPARTMENTS:
        raise ConfigError(f"soma_compartments = {shorten(repr(soma_compartments))} must be 1 or 2")


def geometry(morphology: Morphology, discretisation: str = "traced", soma_compartments: int = 2) -> CellGeometry:
    """Divide a morphology into sections and compartments.

    Args:
        morphology: a traced neuron.
        discretisation: "traced" gives one compartment per traced point of a neurite;
            "d_lambda" the 0.1 rule at 100 Hz.
        soma_compartments: 1 or 2, in either discretisation.

    Raises:
        ConfigError: for an unknown discretisation or number of soma compartments.
    """
    check_discretisation(discretisation, soma_compartments)
    cables = []
    for path in morphology.sections:
        index = np.asarray(path.points)
        points = np.column_stack([morphology.xyz[index], 2.0 * morphology.radius[index]])
        if path.parent < 0:
            cables.append(_soma(path.name, points[0], soma_compartments))
            continue
        parent = morphology.sections[path.parent]
        leaves_soma = parent.parent < 0
        # The first point belongs to the parent, whose diameter (above all if it is the soma) differs
        # from the child's: a cone from there would add membrane that does not exist.
        points[0, 3] = points[1, 3]
        compartments = len(index) if discretisation == "traced" else _d_lambda(points)
        cables.append(Cable(path.name, points, compartments, parent.name, 0.5 if leaves_soma else 1.0))
    return CellGeometry(morphology.name, tuple(cables))


def _soma(name: str, centre: np.ndarray, compartments: int) -> Cable:
    """A sphere as a cylinder of equal area: length and diameter are the sphere's diameter."""
    ends = np.repeat(centre[None], 3, axis=0)
    ends[:, 1] += np.array([-0.5, 0.0, 0.5]) * centre[3]
    return Cable(name, ends, compartments, None, 0.0)


def _d_lambda(points: np.ndarray) -> int:
    capacitance, resistivity = constants()["membrane_capacitance"], constants()["axial_resistivity"]
    diameter = float(np.mean(points[:, 3]))
    length = float(np.sum(np.linalg.norm(np.diff(points[:, :3], axis=0), axis=1)))
    length_constant = 1e5 * math.sqrt(
        diameter / (4 * math.pi * _D_LAMBDA_HZ * resistivity * capacitance)
    )
    return int((length / (_D_LAMBDA * length_constant) + 0.9) / 2) * 2 + 1
