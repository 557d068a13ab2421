"""How fast gates move at another temperature than the one they were recorded at.

Conductances, capacitances, stiffness and drag stay as they are: nobody measured how they change in the worm. No
mechanism reads NEURON's `celsius`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from .. import mechanisms
from ..errors import ConfigError
from ..rows import finite, named_values

TABLE = Path(__file__).with_name("temperature.csv")

RATE = "rate"
"""RANGE parameter of every mechanism whose gates follow the temperature."""


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
        ConfigError: for what is not a number, or a temperature at which no worm moves.

    Source: temperature.csv.
    """
    celsius = finite(celsius, "temperature", "temperature", "degC")
    low, high = _values()["coldest"], _values()["hottest"]
    if not low <= celsius <= high:
        raise ConfigError(f"temperature {celsius:g} is outside {low:g} to {high:g} degC, where a worm moves")
    return _values()["gating_q10"] ** ((celsius - reference()) / 10.0)


def set_rates(h, factor: float) -> None:
    """Set the factor in every instance of the mechanisms of mod/ that have one, in all that NEURON's process holds.

    Mechanisms that came from elsewhere keep theirs, whatever it is called.

    Args:
        h: NEURON's interpreter, with the mechanisms loaded.
        factor: see `rate_factor`.
    """
    densities, points = _with_rate(h)
    # One pass in NEURON's own language: a Python loop over every segment would take seconds.
    each = " ".join(f'if (ismembrane("{name}")) {RATE}_{name} = {factor!r}' + "\n" for name in densities)
    h(f"forall {{\n{each}\n}}")
    for name in points:
        for point in h.List(name):
            if point.has_loc():  # one whose section is gone holds nothing
                setattr(point, RATE, factor)


@cache
def _with_rate(h) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Density mechanisms and point processes of mod/ with the RANGE parameter, as NEURON knows them."""
    names = mechanisms.names()
    parameters = {name: _parameters(h, name) for name in names}
    densities = tuple(name for name in names if f"{RATE}_{name}" in parameters[name])
    return densities, tuple(name for name in names if RATE in parameters[name])


def _parameters(h, name: str) -> set[str]:
    standard, found, text = h.MechanismStandard(name, 1), set(), h.ref("")
    for k in range(int(standard.count())):
        standard.name(text, k)
        found.add(text[0])
    return found
