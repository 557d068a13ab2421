"""Ensembles: for each recorded cell, the best fit of its membrane and others that reproduce the recording acceptably.

Recordings determine sums of currents better than single conductances. What holds for one fit only is therefore no
prediction: let a run, or a sweep, use another member. Member 0 is the template in templates.csv; all others are in
ensembles.csv, each with every quantity that was fitted. What was not fitted, such as the capacitance and most kinetics,
is the template's.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from ..errors import ConfigError, shorten, unknown
from ..rows import whole
from .templates import CONDUCTANCES, TEMPLATES, Membrane, as_membrane, quantities, templates

ENSEMBLES = Path(__file__).with_name("ensembles.csv")

_FITTED = (*CONDUCTANCES, "leak", "leak_reversal", "egl19_shift")

ALL = "all"
"""Stands for every recorded cell where members are chosen."""


@cache
def ensembles(path: Path = ENSEMBLES) -> dict[str, tuple[Membrane, ...]]:
    """Template -> its members, the best first.

    Args:
        path: of a table with columns template, member, quantity, value and unit.

    Raises:
        ConfigError: for a template that does not exist, members that are not numbered from 1, or a value as in
            `templates.quantities`.
    """
    best = {name: values for (name,), values in quantities(TEMPLATES, "template").items()}
    found: dict[str, list[Membrane]] = {}
    for (name, number), values in quantities(path, "template", "member").items():
        if name not in best:
            raise ConfigError(f"{path.name}: {unknown('template', name, best)}")
        members = found.setdefault(name, [as_membrane(name, best[name])])
        if number != str(len(members)):
            raise ConfigError(f"{path.name}: member {number} of {name} follows member {len(members) - 1}")
        kept = {key: value for key, value in best[name].items() if key not in _FITTED}
        members.append(as_membrane(name, {**kept, **values}))
    return {name: tuple(members) for name, members in found.items()}


def cells() -> tuple[str, ...]:
    """Recorded cells that have an ensemble, named as in docs/fits/membranes, such as "AIY"."""
    return tuple(name.upper() for name in ensembles())


def member(template: str, number: int = 0) -> Membrane:
    """One member of the ensemble of a template.

    Args:
        template: its name, in letters of any case.
        number: 0 is the best fit.

    Raises:
        ConfigError: for an unknown template, or a number that its ensemble does not have.
    """
    name, cell = str(template).lower(), str(template).upper()
    if name in templates() and name not in ensembles() and number == 0:
        return templates()[name]
    members = ensembles().get(name)
    if members is None:
        raise ConfigError(f"members: {unknown('recorded cell', template, (*cells(), ALL))}")
    if whole(number, "members", cell) >= len(members):
        raise ConfigError(f"members: {cell} has members 0 to {len(members) - 1}, not {number}; 0 is the best fit")
    return members[number]


def chosen_members(given: Mapping[str, int]) -> dict[str, int]:
    """The members that a worm uses in place of the best fits, checked.

    Args:
        given: recorded cell, or "all", -> number; a cell's own number counts more than that of all.

    Returns:
        Recorded cell -> number, in the order of `cells`, without those that use the best fit.

    Raises:
        ConfigError: for an unknown cell, or a number that its ensemble does not have.
    """
    if not isinstance(given, Mapping):
        raise ConfigError(f"members is a table such as {{AIY = 3}}, not {shorten(repr(given))}")
    numbers = {}
    for name, number in sorted(given.items(), key=lambda each: str(each[0]).lower() != ALL):
        for cell in cells() if str(name).lower() == ALL else (str(name).upper(),):
            member(cell, number)
            numbers[cell] = int(number)
    return {cell: numbers[cell] for cell in cells() if numbers.get(cell)}
