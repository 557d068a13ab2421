"""Slow modulators: one number per modulator and group of cells, which multiplies conductances of these cells.

The number lies in the slice "modulation" of the input vector, from which the POINTERs of densities and synapses read
it. The experimenter's modulators come first, then the groups of cells whose release amines change.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from ..rows import number
from .amine_levels import AmineLevels
from .amines import Reached

_MOST = 1e3  # [-] of a factor
_LONGEST = 1e9  # [ms]
_REST = 1.0  # [-] where a conductance is what it is without a modulator


@dataclass(frozen=True)
class Modulator:
    """What multiplies the conductances of one gene's product in a group of cells for a while.

    Attributes:
        gene: an ion channel such as "egl19", or a gene of release whose synapses are meant, such as "unc13".
        neurons: the group.
        factor: that the conductances approach while it is present [-].
        start, stop: of its presence [ms].
        tau: time constant with which the effect rises and decays [ms].
        synaptic: whether the gene is one of release.
    """

    gene: str
    neurons: tuple[str, ...]
    factor: float
    start: float
    stop: float
    tau: float
    synaptic: bool

    def __post_init__(self) -> None:
        where = f"modulate {self.gene}"
        number(self.factor, where, "factor", low=0.0, high=_MOST)
        number(self.start, where, "start", "ms", high=_LONGEST)
        number(self.stop, where, "stop", "ms", endless=True)
        if not number(self.tau, where, "tau", "ms", high=_LONGEST) > 0.0:
            raise ConfigError(f"{where}: tau = {self.tau:g} ms must be positive")
        if not 0.0 <= self.start < self.stop:
            raise ConfigError(f"{where}: from {self.start:g} to {self.stop:g} ms: need 0 <= start < stop")

    def check_beside(self, other: Modulator | Reached) -> None:
        """Refuse a second modulator of the same conductances.

        Raises:
            ConfigError: if there is one.
        """
        both = sorted(set(self.neurons) & set(other.neurons))
        if both and (self.gene == other.gene or self.synaptic and other.synaptic):
            raise ConfigError(f"modulate {self.gene}: {both[0]} is modulated by {other.gene} already; give other cells")


class Modulation:
    """Levels of all modulators of a running worm; written to the inputs of its brain as a sense is.

    Attributes:
        name: "modulation".
        receptors: the modulators, then the groups that amines reach, in the order of the input.
    """

    name = "modulation"

    def __init__(
        self,
        modulators: tuple[Modulator, ...],
        tick: float,
        reached: tuple[Reached, ...] = (),
        amines: AmineLevels | None = None,
    ) -> None:
        """
        Args:
            modulators: of the worm.
            tick: time between two calls of `adapt` [ms].
            reached: groups of cells whose release amines change.
            amines: their levels; needed where a group is reached.
        """
        self.receptors = (*modulators, *reached)
        self._modulators, self._reached, self._amines = modulators, reached, amines
        self._level = np.full(len(modulators), _REST)
        self._followed = np.array([-math.expm1(-tick / each.tau) for each in modulators])

    def write(self, seen, out: np.ndarray) -> None:
        """Factor of every modulator and of every group [-], shape (modulators + groups,)."""
        own = len(self._modulators)
        out[:own] = self._level
        if self._reached:
            levels = self._amines.levels
            out[own:] = [each.factor(levels) for each in self._reached]

    def adapt(self, seen) -> None:
        """Let every level approach its target for one tick; `seen.time` [ms] is its start."""
        aim = [each.factor if each.start <= seen.time < each.stop else _REST for each in self._modulators]
        self._level += self._followed * (aim - self._level)

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that `adapt` changes."""
        return {"level": self._level.copy()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go back to a state."""
        self._level[:] = state["level"]
