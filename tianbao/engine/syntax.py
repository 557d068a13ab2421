"""What a parsed .mod file consists of. Expressions are nested tuples: ("+", a, b), ("name", "v"), ("number", 1.0)."""

from __future__ import annotations

from dataclasses import dataclass, field


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
        constants: CONSTANT and UNITS -> value.
        assigned: ASSIGNED names.
        states: STATE names, in order.
        routines: by name.
        initial, breakpoint: statements.
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
    constants: dict[str, float] = field(default_factory=dict)
    assigned: set[str] = field(default_factory=set)
    states: list[str] = field(default_factory=list)
    routines: dict[str, Routine] = field(default_factory=dict)
    initial: tuple = ()
    breakpoint: tuple = ()
