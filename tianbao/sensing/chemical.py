"""Taste, smell, gases, temperature and food: the field at the ending of each neuron that reads one.

The sense gives values of fields; the response of the neuron (occupancy, adaptation, current) is computed with the
membrane, in mod/sensory_transduction.mod, so that both engines integrate it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..cells.geometry import CellGeometry
from ..errors import ConfigError
from .sense import Receptor, Seen, receptors

# 0 stands for a field that is absent; a gas of which there is none reads as this share of the gas phase [%].
_NEXT_TO_NOTHING = 1e-6


class ChemicalSense:
    """The `Sense` of substances: the concentration at each receptor's place on the body.

    Attributes:
        name: "chemical".
        receptors: in the order of the input.

    Limitations: the ending lies on the midline; a field that the arena lacks is 0.
    """

    name = "chemical"

    def __init__(self, of: tuple[Receptor, ...] | None = None) -> None:
        """
        Args:
            of: receptors; those of receptors.csv when None.
        """
        self.receptors = receptors(self.name) if of is None else of
        self._sites = np.array([each.site for each in self.receptors])
        self._rings = 0
        self._between: tuple[np.ndarray, np.ndarray] | None = None
        fields = dict.fromkeys(each.field for each in self.receptors)
        self._readers = {
            name: np.array([k for k, each in enumerate(self.receptors) if each.field == name]) for name in fields
        }

    def write(self, seen: Seen, out: np.ndarray) -> None:
        """Value of the field at every receptor.

        Args:
            seen: of which midline, time and arena are read.
            out: filled [unit of the receptor], shape (receptors,).

        Raises:
            ConfigError: for a field in another unit than that of its receptors.
        """
        points = None
        for name, readers in self._readers.items():
            field = seen.arena.field(name)
            if field is None:
                out[readers] = 0.0
                continue
            unit = self.receptors[readers[0]].unit
            if field.unit != unit:
                neuron = self.receptors[readers[0]].neuron
                raise ConfigError(f"field '{name}' is in {field.unit}, and {neuron} reads it in {unit}; give {unit}")
            points = self._places(seen.midline) if points is None else points
            value = seen.arena.sample(name, points[readers], seen.time)
            out[readers] = as_read(value, unit)

    def _places(self, midline: np.ndarray) -> np.ndarray:
        """Where the receptors are [mm], shape (receptors, 3)."""
        if self._rings != len(midline):
            self._rings, self._between = len(midline), _between(self._sites, len(midline))
        return _points(midline, *self._between)

    def adapt(self, seen: Seen) -> None:
        """Nothing to do: adaptation is part of the membrane."""

    def state(self) -> dict[str, np.ndarray]:
        """Nothing is kept here."""
        return {}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """There is nothing to restore."""


class GasSense(ChemicalSense):
    """The `Sense` of oxygen and carbon dioxide: the share of the gas phase at each receptor's place [%]."""

    name = "gas"


class ThermalSense(ChemicalSense):
    """The `Sense` of temperature at each receptor's place [degC]; it reads 0 where the arena has no such field.

    Limitations: 0 degC, far below what any receptor answers to, is both a temperature and none.
    """

    name = "thermal"


class FoodSense(ChemicalSense):
    """The `Sense` of food, such as a lawn of that name: bacteria at each receptor's place [ug/mm2].

    CEP, ADE and PDE feel them as a texture (Sawin et al. 2000), NSM as they are swallowed (Rhoades et al. 2019). AWC
    and ASK feel that they were lost, for minutes (Lopez-Cruz et al. 2019).

    Limitations: texture is felt by what lies there, not by how fast the skin brushes over it, and a worm eats wherever
    there is food: nothing that its neurons do stops pumping.
    """

    name = "food"


def as_read(value: np.ndarray | float, unit: str) -> np.ndarray:
    """What a receptor is given of a field that is there: never 0 of a gas, which stands for a field that is not.

    Args:
        value: of the field [unit].
        unit: of the receptor.
    """
    return np.maximum(value, _NEXT_TO_NOTHING) if unit == "%" else np.asarray(value)


def points_at(midline: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Points on a midline.

    Args:
        midline: rings at equal steps of the body coordinate, head first [mm], shape (rings, 3).
        s: body coordinates, nose 0 to tail 1, shape (n,).

    Returns:
        [mm], shape (n, 3).
    """
    return _points(midline, *_between(np.asarray(s), len(midline)))


def _points(midline: np.ndarray, before: np.ndarray, share: np.ndarray) -> np.ndarray:
    return (1.0 - share) * midline[before] + share * midline[before + 1]


def _between(s: np.ndarray, rings: int) -> tuple[np.ndarray, np.ndarray]:
    """The ring before each body coordinate, shape (n,), and the share of the way to the next one, shape (n, 1)."""
    along = s * (rings - 1)
    before = np.minimum(along.astype(int), rings - 2)
    return before, (along - before)[:, None]


def dendrite_tip(cell: CellGeometry, site: float = 0.0) -> tuple[str, float]:
    """Section and location of the compartment where a transduction current enters a cell.

    Args:
        cell: geometry of the neuron.
        site: body coordinate of its sensory ending; the compartment nearest to it is taken, at the nose the foremost.
    """
    return cell.sites[int(np.argmin(np.abs(cell.body.s - site)))]
