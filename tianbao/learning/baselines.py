"""Prescribed waves: what worms moved by their muscles are compared with."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from ..arguments import named_arguments
from ..errors import ConfigError, unknown
from ..rows import finite, number
from .bodies import constant

TABLE = Path(__file__).with_name("waves.csv")
_LIMITS = {"amplitude": (0.0, 10.0), "frequency": (0.0, 5.0), "wavelength": (0.1, 100.0), "ramp": (-1.0, 10.0)}


@named_arguments
@dataclass(frozen=True)
class Wave:
    """A sine of bending that travels from head to tail: the action of muscles="rows".

    Row j of 24, at s = (j + 0.5) / 24, is told to bend to dorsal with
    amplitude (1 + ramp s) sin(2 pi (s / wavelength - frequency t)), cut off at -1 and 1.

    Attributes:
        amplitude: at the nose, of an action [-].
        frequency: [Hz]
        wavelength: [body lengths]
        ramp: by how much the amplitude has grown at the tail, relative to that of the nose [-].

    Raises:
        ConfigError: for a value that is not a number or out of range.

    Limitations: it feels nothing and corrects nothing.
    """

    amplitude: float
    frequency: float
    wavelength: float
    ramp: float = 0.0

    def __post_init__(self) -> None:
        for each in fields(self):
            low, high = _LIMITS[each.name]
            number(getattr(self, each.name), "wave", each.name, low=low, high=high)

    @classmethod
    def best(cls, medium: str) -> Wave:
        """The wave that moves a worm farthest, as waves.csv has it: found by sims/best_wave.py.

        Args:
            medium: "water" or "agar".

        Raises:
            ConfigError: for another one.
        """
        found = _table()
        if medium not in found:
            raise ConfigError(unknown("medium of a wave", str(medium), found))
        return cls(**found[medium])

    def action(self, time: float, worms: int = 1, phase: float | np.ndarray = 0.0) -> np.ndarray:
        """What the rows of muscles are told.

        Args:
            time: at the middle of the interval in which the action holds [s].
            worms: number of worms.
            phase: by which a worm runs ahead [cycles], one value or shape (worms,).

        Returns:
            -1 (ventral) to 1 (dorsal) [-], float32, shape (worms, 24).
        """
        rows = round(constant("joints"))
        s = (np.arange(rows) + 0.5) / rows
        turn = s / self.wavelength - self.frequency * time - np.broadcast_to(phase, (worms,))[:, None]
        bend = self.amplitude * (1.0 + self.ramp * s) * np.sin(2.0 * math.pi * turn)
        return np.clip(bend, -1.0, 1.0).astype(np.float32)


def _table() -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    with open(TABLE, newline="", encoding="utf-8") as lines:
        for number_of_row, row in enumerate(csv.DictReader(lines), start=2):
            if row["name"] in _LIMITS:
                where = f"{TABLE.name}, row {number_of_row}"
                found.setdefault(row["medium"], {})[row["name"]] = finite(row["value"], where, row["name"])
    return found
