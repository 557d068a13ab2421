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
"""RANGE parameter of every mechanism whose gates follow the temperature, 1 by default and without a unit."""


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


def is_rate_factor(default: float | None, unit: str | None) -> bool:
    """Whether a parameter called `rate` is that factor: others may call a quantity of their own so.

    Args:
        default: its value in the .mod file, None where there is no such parameter.
        unit: its unit there.
    """
    return default == 1.0 and unit in ("1", "", None)


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
    densities, points = [], []
    for name in mechanisms.names():
        standard = h.MechanismStandard(name, 1)
        if f"{RATE}_{name}" in _parameters(h, standard):
            full, kind = f"{RATE}_{name}", densities
        elif RATE in _parameters(h, standard):
            full, kind = RATE, points
        else:
            continue
        if is_rate_factor(standard.get(full), h.units(full if kind is densities else f"{name}.{RATE}")):
            kind.append(name)
    return tuple(densities), tuple(points)


def _parameters(h, standard) -> set[str]:
    found, text = set(), h.ref("")
    for k in range(int(standard.count())):
        standard.name(text, k)
        found.add(text[0])
    return found
