"""Executes the blocks of a .mod file with symbols for numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .graph import COMPARISONS, FUNCTIONS, Graph, Level
from .special import GEOMETRY, SPECIAL
from .syntax import Assign, Branch, Call, Derivative, Local, Solve, Source, assigned_names, refused

TRANSFERRED = "vpre"
"""RANGE parameter of a point process that holds the voltage of a partner."""

# A recursion that parameters end is unrolled; one deeper than this has no end that is known before the run.
_DEEPEST_CALL = 50
_SAME = {"abs": "fabs", "fmin": "min", "fmax": "max"}


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
        stored: ASSIGNED names whose values persist from step to step.
    """

    decided: tuple[bool, ...]
    graph: Graph
    initial: dict[str, int] = field(default_factory=dict)
    currents: dict[str, int] = field(default_factory=dict)
    update: dict[str, int] = field(default_factory=dict)
    noted: dict[str, int] = field(default_factory=dict)
    stored: tuple[str, ...] = ()


def moves(source: Source, name: str) -> bool:
    """Whether a RANGE parameter is filled by transfer at every step."""
    return name == TRANSFERRED and source.point


class Blocks:
    """Symbolic execution of one mechanism."""

    def __init__(self, source: Source, decided: Mapping[str, bool], known: Mapping[str, float | Level]) -> None:
        self.graph = Graph()
        self.choices: list[int] = []
        self._source, self._decided, self._known = source, decided, known
        self._given = given(source)
        self._owned = source.ion_names("concentration", written=True)
        self.used: set[str] = set()
        # What the mechanism holds, and the LOCAL names of the block or routine that is executed.
        self._scopes: list[dict[str, int]] = [{}, {}]
        self._moving: int | None = None
        self._depth = 0
        self._texts: dict[int, str] = {}
        self._initial: dict[str, int] = {}
        self._current: dict[str, int] = {}
        self._update: dict[str, int] = {}
        self._in_initial = False

    def graph_text(self, node: int) -> str:
        """What identifies a condition across graphs."""
        return _text(self.graph, node)

    def run(self) -> None:
        """Execute INITIAL, BREAKPOINT and what it SOLVEs, each from a fresh start."""
        source = self._source
        self._in_initial = True
        start = {name: self.graph.number(0.0) for name in source.assigned if self._kind(name) == "assigned"}
        # The PARAMETER m0 is where NEURON starts the STATE m.
        start |= {
            name: self._read(f"{name}0") if f"{name}0" in source.parameters else self.graph.number(0.0)
            for name in source.states
            if name not in self._owned
        }
        self._initial = self._executed(source.initial or (), start)
        self._in_initial = False
        breakpoint = source.breakpoint or ()
        self._current = self._executed([each for each in breakpoint if not isinstance(each, Solve)], {})
        self._scopes = [{}, {}]
        for each in breakpoint:
            if isinstance(each, Solve):
                self._solve(each)
        self._update = self._scopes[0]

    def _executed(self, statements, start: dict[str, int]) -> dict[str, int]:
        """What the mechanism holds after a block."""
        self._scopes = [start, {}]
        self._statements(statements)
        return self._scopes[0]

    def variant(self, outcome: tuple[bool, ...]) -> Variant:
        """The result, with only those ASSIGNED names whose values persist from step to step."""
        source, graph = self._source, self.graph
        written = source.ion_names("current", written=True)
        currents = {}
        for name in (*source.nonspecific, *sorted(written)):
            if name not in self._current:
                raise refused(source, f"a BREAKPOINT that does not set {name}")
            currents[name] = self._current[name]
        keep = {name: self._update[name] for name in source.states if name in self._update}
        # A name persists if what is kept of a step was computed from its old value.
        stored: list[str] = []
        noted = {name: self._current[name] for name in source.states if name in self._current}
        while True:
            needed = graph.symbols([*currents.values(), *keep.values(), *noted.values()])
            needed.update(self._owned)
            more = [name for name in sorted(source.assigned & needed) if self._lives(name) and name not in stored]
            if not more:
                break
            for name in more:
                stored.append(name)
                if name in self._update:
                    keep[name] = self._update[name]
                if name in self._current:
                    noted[name] = self._current[name]
        for name in self._owned:
            # NEURON has its own ways of starting it, by a global of the ion and the style of the section.
            if name not in self._initial or name in graph.symbols([self._initial[name]]):
                raise refused(source, f"an INITIAL that does not set {name}, which the mechanism writes")
        initial = {name: self._initial.get(name, graph.number(0.0)) for name in (*source.states, *stored)}
        return Variant(outcome, graph, initial, currents, keep, noted, tuple(stored))

    def _lives(self, name: str) -> bool:
        return self._kind(name) == "assigned" or name in self._owned

    # --- names

    def _kind(self, name: str) -> str:
        source = self._source
        if name in source.states:
            return "state"
        if name in source.pointers:
            return "pointer"
        if name in self._owned or any(name in ion.read for ion in source.ions):
            return "reversal" if name in source.ion_names("reversal", written=False) else "ion"
        if name in source.range and (name in source.parameters or name in self._given):
            return "partner" if moves(source, name) else "parameter"
        if name in ("dt", "celsius") or name in source.globals and (name in source.parameters or name in self._given):
            return "uniform"
        if name in source.parameters or name in source.constants:
            return "number"
        if name in ("v", "t"):
            return name
        if name in GEOMETRY:
            return "parameter"
        if name in source.assigned:
            return "assigned"
        raise refused(source, f"the undeclared name '{name}'")

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
        self.used.add(name)
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
        kind = self._kind(name)  # names what is not declared
        if kind == "pointer" or name in self._source.parameters or name in self._source.constants:
            what = "POINTER" if kind == "pointer" else "PARAMETER"
            raise refused(self._source, f"an assignment to the {what} '{name}'")
        if name in SPECIAL:
            raise refused(self._source, f"an assignment to NEURON's own '{name}'")
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
            raise refused(self._source, f"{type(each).__name__.upper()} inside a block")

    def _nested(self, statements: tuple) -> None:
        """A block in braces; its LOCAL names end with it."""
        outer = dict(self._scopes[-1])
        self._statements(statements)
        inner = self._scopes[-1]
        for name in [name for each in statements if isinstance(each, Local) for name in each.names]:
            if name in outer:
                inner[name] = outer[name]
            else:
                inner.pop(name, None)

    def _branch(self, each: Branch) -> None:
        condition = self._evaluate(each.condition)
        decided = self.graph.value(condition)
        if decided is not None:
            self._nested(each.then if decided else each.otherwise)
            return
        before = [dict(scope) for scope in self._scopes]
        self._nested(each.then)
        taken, self._scopes = self._scopes, [dict(scope) for scope in before]
        self._nested(each.otherwise)
        for k, (yes, no) in enumerate(zip(taken, self._scopes, strict=True)):
            for name in {*yes, *no}:
                a, b = (scope[name] if name in scope else self._read(name) for scope in (yes, no))
                self._scopes[k][name] = self.graph.apply("select", condition, a, b)

    def _solve(self, each: Solve) -> None:
        block = self._source.routines.get(each.block)
        if block is None:
            raise refused(self._source, f"SOLVE of the unknown block '{each.block}'")
        if block.kind == "DERIVATIVE" and each.method != "cnexp":
            raise refused(self._source, f"METHOD {each.method or 'of an unnamed kind'}: it integrates with cnexp")
        self._scopes = [self._scopes[0], {}]
        self._statements(block.body)

    def _integrate(self, each: Derivative) -> None:
        """x' = a + b x over one step, with everything but x held: the rule of METHOD cnexp."""
        graph, f = self.graph, self.graph.apply
        if each.state not in self._source.states:
            raise refused(self._source, f"the derivative of '{each.state}', which is not a STATE")
        now, x = self._read(each.state), graph.symbol(f"{each.state}'", Level.STEP)
        # Only where the equation itself names the state: a function that reads it gets its old value.
        local = self._scopes[-1]
        local[each.state], self._moving = x, x
        slope = self._evaluate(each.value)
        del local[each.state]
        self._moving = None
        rate = graph.derivative(slope, x)
        if self._is_bent(slope, rate, x):
            raise refused(self._source, f"a derivative that is not linear in its state '{each.state}'")
        dt = self._read("dt")
        if graph.value(rate) == 0.0:
            if each.state in _names(each.value):
                # NEURON divides by the coefficient as it is written, which is zero.
                raise refused(self._source, f"a derivative in which the state '{each.state}' cancels out")
            self._scopes[0][each.state] = f("+", now, f("*", dt, slope))
            return
        target = _target(graph, slope, x)
        if target is None:
            target = f("neg", f("/", graph.substitute(slope, {x: graph.number(0.0)}), rate))
        decay = f("exp", f("*", dt, rate))
        self._scopes[0][each.state] = f("+", target, f("*", f("-", now, target), decay))

    def _is_bent(self, slope: int, rate: int, x: int) -> bool:
        """Whether a slope is not linear in the state."""
        graph = self.graph
        compared = [each for each in graph.order([slope]) if graph.entries[each][0] in COMPARISONS]
        return x in graph.order([rate, *compared])

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
        """A comparison that depends on parameters alone is decided by the variant."""
        # What is shared may change between runs, and is compared while running.
        levels = {self.graph.level(each) for each in self.graph.order([node]) if not self.graph.arguments(each)}
        if levels - {Level.CONSTANT, Level.INSTANCE} or self.graph.value(node) is not None or self._in_initial:
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
                raise refused(self._source, f"{name}() with {len(values)} arguments")
            if self._moving is not None and self._moving in self.graph.order(values):
                raise refused(self._source, f"a derivative that gives its own state to {name}()")
            if self._depth > _DEEPEST_CALL:
                raise refused(self._source, f"{name}(), which calls itself")
            self._depth += 1
            scopes = self._scopes
            own = {**dict(zip(routine.arguments, values, strict=True)), name: self.graph.number(0.0)}
            self._scopes = [scopes[0], own]
            self._statements(routine.body)
            result = self._scopes[-1][name]
            self._scopes = [self._scopes[0], *scopes[1:]]
            self._depth -= 1
            return result
        name = _SAME.get(name, name)
        if name == "log10":
            return self.graph.apply("*", self.graph.apply("log", *values), self.graph.number(0.4342944819032518))
        if name in ("min", "max"):
            less = self.graph.apply("<", *values)
            return self.graph.apply("select", less, *(values if name == "min" else values[::-1]))
        if name in FUNCTIONS or name == "pow":
            return self.graph.apply(name, *values)
        raise refused(self._source, f"the function {name}()")


def given(source: Source) -> set[str]:
    """ASSIGNED names that no statement assigns: NEURON's user sets them, as PARAMETERs."""
    written = {name for body in source.bodies() for name in assigned_names(body)}
    ions = {name for ion in source.ions for name in (*ion.read, *ion.write)}
    return source.assigned - written - ions - source.pointers


def _names(expression: tuple) -> Iterator[str]:
    """Variables of a parsed expression."""
    kind, *rest = expression
    if kind == "name":
        yield rest[0]
    for each in rest[1] if kind == "call" else rest:
        if isinstance(each, tuple):
            yield from _names(each)


def _target(graph: Graph, slope: int, x: int) -> int | None:
    """`A` of a slope written as (A - x)/tau or (A - x)*rate, None for another form."""
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
