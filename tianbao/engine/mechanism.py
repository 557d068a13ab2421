"""From a parsed .mod file to what one step of it computes, as expressions.

The blocks are executed once with symbols for numbers: INITIAL gives the start, BREAKPOINT the
currents, the SOLVEd block the new states. Conditions that only parameters decide are decided
before the run: a mechanism comes in variants, one per outcome, and each instance belongs to one.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import MechanismError
from .graph import COMPARISONS, FUNCTIONS, Graph, Level
from .nmodl import Assign, Branch, Call, Derivative, Local, Solve, Source

TRANSFERRED = "vpre"
"""RANGE parameter of a point process that holds the voltage of a partner."""

_SAME = {"abs": "fabs", "fmin": "min", "fmax": "max"}
_GEOMETRY = ("diam", "area")
_MOST_CHOICES = 3


@dataclass
class Variant:
    """What a mechanism computes once its parameter-only conditions are decided.

    Attributes:
        decided: outcome of each of the mechanism's conditions.
        graph: holds every expression below.
        initial: state or stored name -> value at the start of a run.
        currents: name of a current -> its value [nA or mA/cm2].
        update: state or stored name -> value after a step.
        noted: stored name -> value that BREAKPOINT leaves in it.
        stored: ASSIGNED names that live from step to step.
    """

    decided: tuple[bool, ...]
    graph: Graph
    initial: dict[str, int] = field(default_factory=dict)
    currents: dict[str, int] = field(default_factory=dict)
    update: dict[str, int] = field(default_factory=dict)
    noted: dict[str, int] = field(default_factory=dict)
    stored: tuple[str, ...] = ()


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
        raise _refused(source, "more than one POINTER")
    undecided = _Blocks(source, {}, {})
    undecided.run()
    choices = undecided.choices[:_MOST_CHOICES]
    variants = []
    for outcome in itertools.product((True, False), repeat=len(choices)):
        decided = dict(zip((undecided.graph_text(each) for each in choices), outcome, strict=True))
        variants.append(_settled(source, decided, outcome))
    instance = [name for name in source.parameters if name in source.range and not _moves(source, name)]
    instance += [name for ion in source.ions for name in ion.read if name.startswith("e")]
    instance += [name for name in _GEOMETRY if name in source.assigned]
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
    """Run the blocks until it is known which ASSIGNED names live on, and which never change."""
    known: dict[str, float | Level] = {}
    while True:
        blocks = _Blocks(source, decided, known)
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


def _moves(source: Source, name: str) -> bool:
    return name == TRANSFERRED and source.point


def _is_concentration(name: str) -> bool:
    return len(name) > 2 and name[-1] in "io" and name[0] not in "ie"


def _refused(source: Source, what: str) -> MechanismError:
    return MechanismError(
        f"{source.file}: the native engine has no code for {what}; run with engine 'neuron', or rewrite it"
    )


class _Blocks:
    """Symbolic execution of one mechanism."""

    def __init__(self, source: Source, decided: Mapping[str, bool], known: Mapping[str, float | Level]) -> None:
        self.graph = Graph()
        self.choices: list[int] = []
        self._source, self._decided, self._known = source, decided, known
        self._scopes: list[dict[str, int]] = [{}]
        self._texts: dict[int, str] = {}
        self._initial: dict[str, int] = {}
        self._current: dict[str, int] = {}
        self._update: dict[str, int] = {}
        self._in_initial = False

    def graph_text(self, node: int) -> str:
        """What identifies a condition across graphs."""
        return _text(self.graph, node)

    def run(self) -> None:
        source = self._source
        self._in_initial = True
        self._scopes = [{name: self.graph.number(0.0) for name in (*source.states, *source.assigned)}]
        for name in (*source.pointers, *(n for ion in source.ions for n in ion.read), "v", "t", *_GEOMETRY, "celsius"):
            if name not in source.states:
                self._scopes[0].pop(name, None)
        self._statements(source.initial)
        self._initial = self._scopes[0]
        self._in_initial = False
        self._scopes = [{}]
        self._statements([each for each in source.breakpoint if not isinstance(each, Solve)])
        self._current = self._scopes[0]
        self._scopes = [{}]
        for each in source.breakpoint:
            if isinstance(each, Solve):
                self._solve(each)
        self._update = self._scopes[0]

    def variant(self, outcome: tuple[bool, ...]) -> Variant:
        source, graph = self._source, self.graph
        written = {name for ion in source.ions for name in ion.write if name.startswith("i")}
        currents = {}
        for name in (*source.nonspecific, *sorted(written)):
            if name not in self._current:
                raise _refused(source, f"a BREAKPOINT that does not set {name}")
            currents[name] = self._current[name]
        keep = {name: self._update[name] for name in source.states if name in self._update}
        # A name lives on if what is kept of a step was computed from its old value.
        stored: list[str] = []
        noted: dict[str, int] = {}
        while True:
            needed = graph.symbols([*currents.values(), *keep.values(), *noted.values()])
            more = [name for name in sorted(source.assigned & needed) if self._lives(name) and name not in stored]
            if not more:
                break
            for name in more:
                stored.append(name)
                if name in self._update:
                    keep[name] = self._update[name]
                if name in self._current:
                    noted[name] = self._current[name]
        initial = {name: self._initial.get(name, graph.number(0.0)) for name in (*source.states, *stored)}
        return Variant(outcome, graph, initial, currents, keep, noted, tuple(stored))

    def _lives(self, name: str) -> bool:
        return self._kind(name) == "assigned"

    # --- names

    def _kind(self, name: str) -> str:
        source = self._source
        if name in source.states:
            return "state"
        if name in source.pointers:
            return "pointer"
        if any(name in ion.read for ion in source.ions):
            return "reversal" if name.startswith("e") else "ion"
        if name in source.parameters and name in source.range:
            return "partner" if _moves(source, name) else "parameter"
        if name in source.globals or name in ("dt", "celsius"):
            return "uniform"
        if name in source.parameters or name in source.constants:
            return "number"
        if name in ("v", "t"):
            return name
        if name in _GEOMETRY:
            return "parameter"
        if name in source.assigned:
            return "assigned"
        raise _refused(source, f"the undeclared name '{name}'")

    _LEVELS = {
        "state": Level.STEP, "ion": Level.STEP, "partner": Level.STEP, "v": Level.STEP, "t": Level.STEP,
        "pointer": Level.TICK, "parameter": Level.INSTANCE, "reversal": Level.INSTANCE, "uniform": Level.UNIFORM,
        "assigned": Level.STEP,
    }  # fmt: skip

    def _read(self, name: str) -> int:
        for scope in (self._scopes[-1], self._scopes[0]):
            if name in scope:
                return scope[name]
        kind = self._kind(name)
        if kind == "number":
            values = self._source.constants
            return self.graph.number(values[name] if name in values else self._source.parameters[name])
        level = self._LEVELS[kind]
        if kind == "assigned" and name in self._known:
            known = self._known[name]
            if not isinstance(known, Level):
                return self.graph.number(known)
            level = known
        return self.graph.symbol(name, level)

    def _write(self, name: str, node: int) -> None:
        if name in self._scopes[-1]:
            self._scopes[-1][name] = node
            return
        if name not in self._source.assigned and name not in self._source.states and len(self._scopes) == 1:
            self._kind(name)  # names what is not declared
        if name in self._source.parameters:
            raise _refused(self._source, f"an assignment to the PARAMETER '{name}'")
        self._scopes[0][name] = node

    # --- statements

    def _statements(self, statements) -> None:
        for each in statements:
            self._statement(each)

    def _statement(self, each) -> None:
        if isinstance(each, Local):
            self._scopes[-1].update({name: self.graph.number(0.0) for name in each.names})
        elif isinstance(each, Assign):
            self._write(each.name, self._evaluate(each.value))
        elif isinstance(each, Call):
            self._call(each.name, each.arguments)
        elif isinstance(each, Branch):
            self._branch(each)
        elif isinstance(each, Derivative):
            self._integrate(each)
        else:
            raise _refused(self._source, f"{type(each).__name__.upper()} inside a block")

    def _branch(self, each: Branch) -> None:
        condition = self._evaluate(each.condition)
        decided = self.graph.value(condition)
        if decided is not None:
            self._statements(each.then if decided else each.otherwise)
            return
        before = [dict(scope) for scope in self._scopes]
        self._statements(each.then)
        taken, self._scopes = self._scopes, [dict(scope) for scope in before]
        self._statements(each.otherwise)
        for k, (yes, no) in enumerate(zip(taken, self._scopes, strict=True)):
            for name in {*yes, *no}:
                a, b = (scope[name] if name in scope else self._read(name) for scope in (yes, no))
                self._scopes[k][name] = self.graph.apply("select", condition, a, b)

    def _solve(self, each: Solve) -> None:
        block = self._source.routines.get(each.block)
        if block is None:
            raise _refused(self._source, f"SOLVE of the unknown block '{each.block}'")
        if block.kind == "DERIVATIVE" and each.method != "cnexp":
            raise _refused(self._source, f"METHOD {each.method or 'of an unnamed kind'}: it integrates with cnexp")
        self._scopes = [self._scopes[0], {}]
        self._statements(block.body)
        self._scopes = self._scopes[:1]

    def _integrate(self, each: Derivative) -> None:
        """x' = a + b x over one step, with everything but x held: the rule of METHOD cnexp."""
        graph, f = self.graph, self.graph.apply
        if each.state not in self._source.states:
            raise _refused(self._source, f"the derivative of '{each.state}', which is not a STATE")
        now, x = self._read(each.state), graph.symbol(f"{each.state}'", Level.STEP)
        self._scopes[0][each.state] = x
        slope = self._evaluate(each.value)
        rate = graph.derivative(slope, x)
        if f"{each.state}'" in graph.symbols([rate]):
            raise _refused(self._source, f"a derivative that is not linear in its state '{each.state}'")
        dt = self._read("dt")
        if graph.value(rate) == 0.0:
            self._scopes[0][each.state] = f("+", now, f("*", dt, slope))
            return
        target = _target(graph, slope, x)
        if target is None:
            target = f("neg", f("/", graph.substitute(slope, {x: graph.number(0.0)}), rate))
        decay = f("exp", f("*", dt, rate))
        self._scopes[0][each.state] = f("+", target, f("*", f("-", now, target), decay))

    # --- expressions

    def _evaluate(self, expression: tuple) -> int:
        graph, (kind, *rest) = self.graph, expression
        if kind == "number":
            return graph.number(rest[0])
        if kind == "name":
            return self._read(rest[0])
        if kind == "call":
            return self._call(*rest)
        parts = [self._evaluate(each) for each in rest]
        if kind in (">", ">="):
            kind, parts = {">": "<", ">=": "<="}[kind], parts[::-1]
        if kind == "!=":
            return graph.apply("!", self._decide(graph.apply("==", *parts)))
        node = graph.apply(kind, *parts)
        return self._decide(node) if kind in COMPARISONS else node

    def _decide(self, node: int) -> int:
        """A comparison that only parameters enter is settled by the variant."""
        if self.graph.value(node) is not None or self.graph.level(node) > Level.INSTANCE or self._in_initial:
            return self._decided_or(node)
        if node not in self.choices:
            self.choices.append(node)
        return self._decided_or(node)

    def _decided_or(self, node: int) -> int:
        outcome = self._decided.get(self.graph_text(node))
        return node if outcome is None else self.graph.number(float(outcome))

    def _call(self, name: str, arguments: tuple) -> int:
        values = [self._evaluate(each) for each in arguments]
        routine = self._source.routines.get(name)
        if routine is not None:
            if len(values) != len(routine.arguments):
                raise _refused(self._source, f"{name}() with {len(values)} arguments")
            scopes = self._scopes
            own = {**dict(zip(routine.arguments, values, strict=True)), name: self.graph.number(0.0)}
            self._scopes = [scopes[0], own]
            self._statements(routine.body)
            result = self._scopes[-1][name]
            self._scopes = [self._scopes[0], *scopes[1:]]
            return result
        name = _SAME.get(name, name)
        if name == "log10":
            return self.graph.apply("*", self.graph.apply("log", *values), self.graph.number(0.4342944819032518))
        if name in ("min", "max"):
            less = self.graph.apply("<", *values)
            return self.graph.apply("select", less, *(values if name == "min" else values[::-1]))
        if name in FUNCTIONS or name == "pow":
            return self.graph.apply(name, *values)
        raise _refused(self._source, f"the function {name}()")


def _target(graph: Graph, slope: int, x: int) -> int | None:
    """A of a slope written (A - x)/tau or (A - x)*rate, None for another form."""
    operation, *parts = graph.entries[slope]
    if operation not in ("*", "/"):
        return None
    for difference in parts[:1] if operation == "/" else parts:
        entry = graph.entries[difference]
        if entry[0] == "-" and entry[2] == x and x not in graph.order([entry[1]]):
            return entry[1]
    return None


def _text(graph: Graph, node: int) -> str:
    entry = graph.entries[node]
    if entry[0] == "number":
        return repr(entry[1])
    if entry[0] == "symbol":
        return entry[2]
    return f"{entry[0]}({', '.join(_text(graph, each) for each in entry[1:])})"
