"""From a parsed .mod file to what one step of it computes, as expressions.

The blocks are executed once with symbols for numbers: INITIAL gives the start, BREAKPOINT the
currents, the SOLVEd block the new states. Conditions that only parameters decide are decided
before the run: a mechanism comes in variants, one per outcome, and each instance belongs to one.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from ..cells.temperature import RATE, is_rate_factor
from .blocks import TRANSFERRED, Blocks, Variant, given, moves
from .graph import Graph, Level
from .special import GEOMETRY
from .syntax import Source, refused

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
    def follows_temperature(self) -> bool:
        """Whether its `rate` is the factor that a run sets, and not a quantity of its own that is called so."""
        source = self.source
        return RATE in source.range and is_rate_factor(source.parameters.get(RATE), source.units.get(RATE))

    @property
    def pointer(self) -> str | None:
        """Name of its POINTER, if it has one."""
        return next(iter(self.source.pointers), None)

    @property
    def concentrations_read(self) -> tuple[str, ...]:
        """Ion concentrations that it reads and does not own."""
        owned = self.concentrations_owned
        return tuple(name for name in self.source.ion_names("concentration", written=False) if name not in owned)

    @property
    def concentrations_owned(self) -> tuple[str, ...]:
        """Ion concentrations that it writes."""
        return tuple(self.source.ion_names("concentration", written=True))

    @property
    def ion_currents_read(self) -> tuple[str, ...]:
        """Total ion currents that it reads."""
        written = self.source.ion_names("current", written=True)
        return tuple(name for name in self.source.ion_names("current", written=False) if name not in written)


def understand(source: Source) -> Mechanism:
    """Execute the blocks of a mechanism symbolically.

    Args:
        source: from `nmodl.parse`.

    Raises:
        MechanismError: for something that the engine cannot integrate, naming file and construct.
    """
    if len(source.pointers) > 1:
        raise refused(source, "more than one POINTER")
    for name in source.ion_names("reversal", written=True):
        raise refused(source, f"WRITE {name}")
    undecided = Blocks(source, {}, {})
    undecided.run()
    choices = undecided.choices[:_MOST_CHOICES]
    variants = []
    for outcome in itertools.product((True, False), repeat=len(choices)):
        decided = dict(zip((undecided.graph_text(each) for each in choices), outcome, strict=True))
        variants.append(_settled(source, decided, outcome))
    ions = {name for ion in source.ions for name in (*ion.read, *ion.write)}
    settable = [name for name in (*source.parameters, *sorted(given(source))) if name not in ions | source.pointers]
    instance = [name for name in settable if name in source.range and not moves(source, name)]
    instance += source.ion_names("reversal", written=False)
    instance += [name for name in GEOMETRY if name in undecided.used]
    uniform = [name for name in settable if name in source.globals]
    uniform += ["celsius"] if "celsius" in undecided.used else []
    folded = {
        name: source.parameters[name]
        for name in settable
        if name in source.parameters and name not in source.range and name not in source.globals
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
            _check_stored(source, blocks.graph, variant)
            return variant
        known = learnt


def _check_stored(source: Source, graph: Graph, variant: Variant) -> None:
    """Refuse what is carried from block to block in a way that the engine does not follow."""
    for name in variant.stored:
        changes = name in variant.update or name in variant.noted
        if name in source.globals and (changes or graph.level(variant.initial[name]) > Level.UNIFORM):
            # In NEURON it holds what the instance executed last has left in it.
            raise refused(source, f"the GLOBAL '{name}', which carries a value of one instance to the next block")
    # NEURON executes BREAKPOINT twice in a step, at two voltages.
    used_before = graph.symbols([*variant.noted.values(), *variant.currents.values()])
    for name in sorted(used_before & set(variant.noted)):
        raise refused(source, f"'{name}', whose value in the step before BREAKPOINT reads and replaces")
