"""What a parsed .mod file consists of. Expressions are nested tuples: ("+", a, b), ("name", "v"), ("number", 1.0)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..errors import MechanismError

NOTHING = "nothing"
"""SUFFIX of a file that holds functions and no mechanism."""


@dataclass(frozen=True)
class Assign:
    """`name = value`."""

    name: str
    value: tuple


@dataclass(frozen=True)
class Derivative:
    """`state' = value`."""

    state: str
    value: tuple


@dataclass(frozen=True)
class Branch:
    """`if (condition) {...} else {...}`."""

    condition: tuple
    then: tuple
    otherwise: tuple


@dataclass(frozen=True)
class Call:
    """A procedure called for what it assigns."""

    name: str
    arguments: tuple


@dataclass(frozen=True)
class Solve:
    """`SOLVE block METHOD method`; method "" calls a procedure once per step."""

    block: str
    method: str


@dataclass(frozen=True)
class Local:
    """Names local to a block."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Routine:
    """A PROCEDURE, FUNCTION or DERIVATIVE block."""

    kind: str
    name: str
    arguments: tuple[str, ...]
    body: tuple


@dataclass(frozen=True)
class Ion:
    """One USEION line."""

    name: str
    read: tuple[str, ...]
    write: tuple[str, ...]

    @property
    def roles(self) -> dict[str, str]:
        """What NEURON's names of this ion stand for: "current", "reversal" or "concentration"."""
        return {
            f"i{self.name}": "current", f"e{self.name}": "reversal", f"{self.name}i": "concentration",
            f"{self.name}o": "concentration",
        }  # fmt: skip


@dataclass
class Source:
    """A .mod file as the engine sees it.

    Attributes:
        name: SUFFIX or POINT_PROCESS.
        file: file name, for messages.
        point: whether it is a point process.
        ions: USEION lines.
        nonspecific: names of nonspecific currents.
        range: RANGE names; globals: GLOBAL names; pointers: POINTER names.
        parameters: PARAMETER -> value as NEURON keeps it (six digits).
        units: PARAMETER -> what stands in parentheses behind it.
        constants: CONSTANT and UNITS -> value.
        assigned: ASSIGNED names.
        states: STATE names, in order.
        routines: by name.
        initial, breakpoint: statements; None without that block.
    """

    file: str
    name: str = ""
    point: bool = False
    ions: list[Ion] = field(default_factory=list)
    nonspecific: list[str] = field(default_factory=list)
    range: set[str] = field(default_factory=set)
    globals: set[str] = field(default_factory=set)
    pointers: set[str] = field(default_factory=set)
    parameters: dict[str, float] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    constants: dict[str, float] = field(default_factory=dict)
    assigned: set[str] = field(default_factory=set)
    states: list[str] = field(default_factory=list)
    routines: dict[str, Routine] = field(default_factory=dict)
    initial: tuple | None = None
    breakpoint: tuple | None = None

    def bodies(self) -> Iterator[tuple]:
        """Statements of every block and routine."""
        yield self.initial or ()
        yield self.breakpoint or ()
        yield from (each.body for each in self.routines.values())

    def ion_names(self, role: str, *, written: bool) -> list[str]:
        """Names with a role (see `Ion.roles`) that it writes, or reads."""
        return [
            name for ion in self.ions for name in (ion.write if written else ion.read) if ion.roles.get(name) == role
        ]


def refused(source: Source, what: str) -> MechanismError:
    """The error for something that the engine has no code for."""
    return MechanismError(
        f"{source.file}: the native engine has no code for {what}; run with engine 'neuron', or rewrite it"
    )


def assigned_names(statements: tuple) -> Iterator[str]:
    """Names that statements assign, those of LOCAL variables among them."""
    for each in statements:
        if isinstance(each, Assign):
            yield each.name
        elif isinstance(each, Derivative):
            yield each.state
        elif isinstance(each, Branch):
            yield from assigned_names((*each.then, *each.otherwise))
