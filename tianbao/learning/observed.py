"""One number of an observation, for bodies alone and for whole worms."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Observed:
    """One number of an observation: its name, unit and limits."""

    name: str
    unit: str
    low: float = -math.inf
    high: float = math.inf
