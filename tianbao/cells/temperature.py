"""How fast gates move at another temperature than the one they were recorded at.

Conductances, capacitances, stiffness and drag stay as they are: nobody measured how they change in the worm. No
mechanism reads NEURON's `celsius`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ..errors import ConfigError
from ..rows import finite, named_values

TABLE = Path(__file__).with_name("temperature.csv")


@cache
def _values() -> dict[str, float]:
    return named_values(TABLE)


def reference() -> float:
    """Temperature at which every rate is as published [degC]."""
    return _values()["reference"]


def rate_factor(celsius: float) -> float:
    """Factor on every rate of gating and activation: 1 at the reference.

    Args:
        celsius: [degC]

    Raises:
        ConfigError: for what is no number, or no temperature a worm moves at.

    Source: temperature.csv.
    """
    celsius = finite(celsius, "temperature", "temperature", "degC")
    low, high = _values()["coldest"], _values()["hottest"]
    if not low <= celsius <= high:
        raise ConfigError(f"temperature {celsius:g} is outside {low:g} to {high:g} degC, where a worm moves")
    return _values()["gating_q10"] ** ((celsius - reference()) / 10.0)


def set_rates(h, factor: float) -> None:
    """Set the factor in every mechanism that has one, for all that NEURON's process holds.

    Args:
        h: NEURON's interpreter.
        factor: see `rate_factor`.
    """
    for name in dir(h):
        if name.startswith("rate_"):
            setattr(h, name, factor)
