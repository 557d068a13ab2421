"""Levels of amines and peptides of a running worm: slow states that follow the neurons which give them off."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from .amines import Amines, sources
from .inputs import AMINES


class AmineLevels:
    """Levels of all amines and peptides; written to the inputs of a brain as a sense is.

    Each class of `amine_sources.csv` brings its share of the level of its ligand. That part follows the mean release of
    the class with one time constant. Release follows the soma's voltage by the sigmoid of synapses, times what
    receptors of the cell make of it, and is never more than full.

    Attributes:
        name: "amines".
        receptors: names of the ligands, in the order of the input.

    Limitations: one level for the whole body: no distance, no uptake of its own, and receptors do not saturate.
    """

    name = AMINES

    def __init__(self, amines: Amines, neurons: Sequence[str], voltage: np.ndarray, slope: float, tick: float) -> None:
        """
        Args:
            amines: of the worm.
            neurons: in the order of `voltage`.
            voltage: of every soma [mV], shape (neurons,); the array that the brain keeps up to date.
            slope: of the sigmoid of release [mV].
            tick: time between two calls of `adapt` [ms].
        """
        self.receptors = amines.ligands
        self._voltage, self._slope = voltage, slope
        index = {name: k for k, name in enumerate(neurons)}
        self._sources = sources() if amines.on else ()
        self._places = [np.array([index[name] for name in each.neurons]) for each in self._sources]
        self._made = [np.array(amines.made(each)) for each in self._sources]
        self._secretion = [
            [(self.receptors.index(ligand), np.array(slopes)) for ligand, slopes in amines.secretion(each)]
            for each in self._sources
        ]
        self._followed = np.array([-math.expm1(-tick / each.tau) for each in self._sources])
        self._of = np.array([self.receptors.index(each.ligand) for each in self._sources], int)
        self._share = np.array([each.share for each in self._sources])
        self._level = np.zeros(len(self._sources))

    @property
    def levels(self) -> dict[str, float]:
        """Ligand -> level, 0 to 1 when nothing is over-expressed [-]."""
        return dict(zip(self.receptors, self._totals().tolist(), strict=True))

    def _totals(self) -> np.ndarray:
        return np.bincount(self._of, self._share * self._level, len(self.receptors))

    def write(self, seen, out: np.ndarray) -> None:
        """Level of every ligand [-], shape (ligands,)."""
        out[:] = self._totals()

    def adapt(self, seen) -> None:
        """Let every level follow release for one tick."""
        totals = self._totals()
        for k, (each, places, made) in enumerate(zip(self._sources, self._places, self._made, strict=True)):
            release = 1.0 / (1.0 + np.exp((each.release_half - self._voltage[places]) / self._slope))
            for ligand, slopes in self._secretion[k]:
                release = release * np.maximum(0.0, 1.0 + slopes * totals[ligand])
            self._level[k] += self._followed[k] * ((made * np.minimum(release, 1.0)).mean() - self._level[k])

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that `adapt` changes."""
        return {"level": self._level.copy()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go back to a state."""
        self._level[:] = state["level"]
