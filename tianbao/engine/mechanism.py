"""From a parsed .mod file to what one step of it computes, as expressions.

The blocks are executed once with symbols for numbers: INITIAL gives the start, BREAKPOINT the
currents, the SOLVEd block the new states. Conditions that only parameters decide are decided
before the run: a mechanism comes in variants, one per outcome, and each instance belongs to one.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from .blocks import GEOMETRY, TRANSFERRED, Blocks, Variant, moves, refused
from .graph import Graph, Level
from .syntax import Source

_MOST_CHOICES = 3


@dataclass
class Mechanism:
    """A mechanism of mod/ in all its variants.

    Attributes:
        source: what was parsed.
        instance: names of values that each instance has: RANGE parameters, reversals, geometry.
        uniform: names shared by all instances that may change between runs: GLOBAL, celsius, dt.
        folded: parameters that are compiled in, with their value.
        conditions: expressions in `decisions` that tell the variants apart.
        variants: one per outcome that the conditions can have.
    """

    source: Source
    instance: tuple[str, ...]
    uniform: tuple[str, ...]
    folded: dict[str, float]
    decisions: Graph
    conditions: tuple[int, ...]
    variants: tuple[Variant, ...]

    @property
    def name(self) -> str:
        """SUFFIX or POINT_PROCESS."""
        return self.source.name

    @property
    def reads_partner(self) -> bool:
        """Whether an instance reads the voltage of another compartment."""
        return self.source.point and TRANSFERRED in self.source.range

    @property
    def pointer(self) -> str | None:
        """Name of its POINTER, if it has one."""
        return next(iter(self.source.pointers), None)

    @property
    def concentrations_read(self) -> tuple[str, ...]:
        """Ion concentrations that it reads and does not own."""
        return tuple(name for name in self._read() if _is_concentration(name) and name not in self.source.states)

    @property
    def concentrations_owned(self) -> tuple[str, ...]:
        """Ion concentrations that are its states."""
        return tuple(name for ion in self.source.ions for name in ion.write if name in self.source.states)

    @property
    def ion_currents_read(self) -> tuple[str, ...]:
        """Total ion currents that it reads."""
        written = {name for ion in self.source.ions for name in ion.write}
        return tuple(name for name in self._read() if name.startswith("i") and name not in written)

    def _read(self) -> list[str]:
        return [name for ion in self.source.ions for name in ion.read]


def understand(source: Source) -> Mechanism:
    """Execute the blocks of a mechanism symbolically.

    Args:
        source: from `nmodl.parse`.

    Raises:
        MechanismError: for something that the engine cannot integrate, naming file and construct.
    """
    if len(source.pointers) > 1:
        raise refused(source, "more than one POINTER")
    undecided = Blocks(source, {}, {})
    undecided.run()
    choices = undecided.choices[:_MOST_CHOICES]
    variants = []
    for outcome in itertools.product((True, False), repeat=len(choices)):
        decided = dict(zip((undecided.graph_text(each) for each in choices), outcome, strict=True))
        variants.append(_settled(source, decided, outcome))
    instance = [name for name in source.parameters if name in source.range and not moves(source, name)]
    instance += [name for ion in source.ions for name in ion.read if name.startswith("e")]
    instance += [name for name in GEOMETRY if name in source.assigned]
    uniform = [name for name in source.parameters if name in source.globals and name not in source.range]
    uniform += [name for name in ("celsius",) if name in source.parameters or name in source.assigned]
    folded = {
        name: value
        for name, value in source.parameters.items()
        if name not in source.range and name not in source.globals and name != "celsius"
    }
    return Mechanism(
        source, tuple(dict.fromkeys(instance)), (*dict.fromkeys(uniform), "dt"), folded,
        undecided.graph, tuple(choices), tuple(variants),
    )  # fmt: skip


def _settled(source: Source, decided: Mapping[str, bool], outcome: tuple[bool, ...]) -> Variant:
    """Run the blocks until it is known which ASSIGNED names persist, and which never change."""
    known: dict[str, float | Level] = {}
    while True:
        blocks = Blocks(source, decided, known)
        blocks.run()
        variant = blocks.variant(outcome)
        learnt = dict(known)
        for name in variant.stored:
            if name not in variant.update and name not in variant.noted:
                value = blocks.graph.value(variant.initial[name])
                learnt[name] = Level.INSTANCE if value is None else value
        if learnt == known:
            return variant
        known = learnt


def _is_concentration(name: str) -> bool:
    return len(name) > 2 and name[-1] in "io" and name[0] not in "ie"
