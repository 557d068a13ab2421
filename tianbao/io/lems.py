"""The formulas of mod/ in LEMS notation, obtained by parsing the same .mod files, so that nothing is written twice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from .. import mechanisms
from ..engine.blocks import Blocks
from ..engine.graph import Graph, Level
from ..engine.nmodl import parse
from ..engine.syntax import Derivative, Source
from ..errors import MechanismError

_FUNCTIONS = {"exp": "exp", "log": "ln", "sqrt": "sqrt", "tanh": "tanh", "sin": "sin", "cos": "cos", "fabs": "abs"}
_NUMERIC = {name: getattr(np, {"fabs": "abs"}.get(name, name)) for name in _FUNCTIONS}
_VOLTAGES = np.linspace(-120.0, 80.0, 41)


@dataclass
class Kinetics:
    """The equations of a channel, with its parameters as numbers.

    Attributes:
        name: mechanism.
        ion: "k", "ca", or "" for a nonspecific current.
        reversal: [mV] if the file fixes it, None if that of the ion is used.
        graph: of the expressions; symbols are `v` [mV], `cai` [mM] and the states.
        states: in the order of the file.
        target: state -> steady state [-].
        tau: state -> time constant [ms].
        opening: open fraction of the conductance, an expression in the states.
        parameters: values that were set, for notes.
    """

    name: str
    ion: str
    reversal: float | None
    graph: Graph
    states: tuple[str, ...]
    target: dict[str, int]
    tau: dict[str, int]
    opening: int
    parameters: dict[str, float] = field(default_factory=dict)

    def symbols(self, *nodes: int) -> set[str]:
        """Names on which expressions depend."""
        return self.graph.symbols(nodes)


class _Gates(Blocks):
    """Runs the blocks of a channel and records steady states and time constants instead of integrating."""

    def __init__(self, source: Source, known: Mapping[str, float | Level]) -> None:
        super().__init__(source, {}, known)
        self.slopes: dict[str, tuple[int, int]] = {}

    def _integrate(self, each: Derivative) -> None:
        graph = self.graph
        now = self._read(each.state)
        x = graph.symbol(each.state, Level.STEP)
        slope = self._evaluate(each.value)
        self.slopes[each.state] = _relaxation(graph, slope, x)
        self._scopes[0][each.state] = now


def _relaxation(graph: Graph, slope: int, x: int) -> tuple[int, int]:
    """Steady state and time constant of x' = slope, which is linear in x."""
    kind, *parts = graph.entries[slope]
    if kind == "/" and x not in graph.order([parts[1]]):
        difference = graph.entries[parts[0]]
        if difference[0] == "-" and difference[2] == x and x not in graph.order([difference[1]]):
            return difference[1], parts[1]
    rate = graph.derivative(slope, x)
    rest = graph.substitute(slope, {x: graph.number(0.0)})
    tau = graph.apply("neg", graph.apply("/", graph.number(1.0), rate))
    return graph.apply("*", rest, tau), tau


@cache
def _text(name: str) -> tuple[str, str]:
    for path in mechanisms.sources():
        text = path.read_text(encoding="utf-8")
        if parse(text, path.name).name == name:
            return text, path.name
    raise MechanismError(f"no file of mod/ defines the mechanism '{name}'")


@cache
def parameters_of(name: str) -> dict[str, float]:
    """PARAMETER and CONSTANT values of a mechanism as in its file, in the units of the file.

    Raises:
        MechanismError: for an unknown mechanism.
    """
    source = parse(*_text(name))
    return {**source.constants, **source.parameters}


def kinetics(name: str, values: Mapping[str, float], conductance: str, fixed: Mapping[str, float]) -> Kinetics:
    """Formulas of one channel.

    Args:
        name: mechanism.
        values: RANGE parameters that differ from the file.
        conductance: name of its conductance parameter, which is extracted as a factor.
        fixed: ion reversals such as `eca` [mV], if a gate depends on them.

    Raises:
        MechanismError: for an unknown channel, or one that is not linear in the states.
    """
    text, file = _text(name)
    source = parse(text, file)  # its own copy: it is changed below
    source.parameters |= {**dict.fromkeys(_conductances(source), 0.0), **values, conductance: 1.0}
    # Without RANGE and GLOBAL variables, every parameter is inserted as a number.
    source.range -= set(source.parameters)
    source.globals -= set(source.parameters)
    gates = _settled(source)
    graph = gates.graph
    constants = {graph.symbol(each, Level.INSTANCE): graph.number(value) for each, value in fixed.items()}
    current = gates._current[_current_name(source)]
    v = graph.symbol("v", Level.STEP)
    opening = graph.derivative(current, v)
    if v in graph.order([opening]):
        raise MechanismError(f"{file}: its current is not a conductance times a driving force; LEMS export needs one")
    reached = _reached(gates, graph.symbols([opening]))
    states = tuple(each for each in source.states if each in reached)
    pairs = {each: tuple(graph.substitute(node, constants) for node in gates.slopes[each]) for each in states}
    return Kinetics(
        name=name,
        ion=next((ion.name for ion in source.ions for each in ion.write if each.startswith("i")), ""),
        reversal=source.parameters.get("e"),
        graph=graph,
        states=states,
        target={each: _proper(graph, pair[0]) for each, pair in pairs.items()},
        tau={each: _proper(graph, pair[1]) for each, pair in pairs.items()},
        opening=opening,
        parameters=dict(values),
    )


def _conductances(source: Source) -> list[str]:
    return [each for each in source.parameters if each.startswith("gbar")]


def _current_name(source: Source) -> str:
    written = [name for ion in source.ions for name in ion.write if name.startswith("i")]
    return (source.nonspecific + written)[0]


def _settled(source: Source) -> _Gates:
    """Run the blocks until all constants are known by value."""
    known: dict[str, float | Level] = {}
    while True:
        gates = _Gates(source, known)
        gates.run()
        learnt = dict(known)
        for name in source.assigned & set(gates._initial) - set(gates._update) - set(gates._current):
            value = gates.graph.value(gates._initial[name])
            if value is not None:
                learnt[name] = value
        if learnt == known:
            return gates
        known = learnt


def _reached(gates: _Gates, names: set[str]) -> set[str]:
    """States among these names, and the states that they depend on."""
    found, waiting = set(), list(names)
    while waiting:
        each = waiting.pop()
        if each in gates.slopes and each not in found:
            found.add(each)
            waiting += gates.graph.symbols(gates.slopes[each])
    return found


def _proper(graph: Graph, node: int) -> int:
    """Writes an absolute value given as a choice as the root of a square, which every LEMS tool supports."""
    mapping: dict[int, int] = {}
    for each in graph.order([node]):
        entry = graph.entries[each]
        if entry[0] != "select":
            continue
        _, condition, low, high = entry
        if graph.entries[condition] != ("<", high, graph.number(0.0)) or graph.apply("neg", high) != low:
            raise MechanismError("LEMS export does not support a choice between formulas yet")
        mapping[each] = graph.apply("sqrt", graph.apply("*", high, high))
    return graph.substitute(node, mapping) if mapping else node


def number(value: float) -> str:
    """A number in the format of the NeuroML schema: no plus sign in the exponent."""
    text = f"{value:.12g}"
    return text.replace("e+", "e")


def expression(graph: Graph, node: int, names: Mapping[int, str]) -> str:
    """A formula as LEMS text.

    Args:
        graph: that contains it.
        node: the formula.
        names: nodes that have their own variable; symbols keep their names.
    """
    if node in names:
        return names[node]
    kind, *parts = graph.entries[node]
    if kind == "number":
        return number(parts[0]) if parts[0] >= 0.0 else f"(0 - {number(-parts[0])})"
    if kind == "symbol":
        return parts[1]
    said = [expression(graph, each, names) for each in parts]
    if kind == "neg":
        return f"(0 - {said[0]})"
    if kind in ("+", "-", "*", "/"):
        return f"({said[0]} {kind} {said[1]})"
    if kind == "pow":
        return f"({said[0]}^{said[1]})"
    if kind in _FUNCTIONS:
        return f"{_FUNCTIONS[kind]}({said[0]})"
    raise MechanismError(f"LEMS export does not support '{kind}'")


def evaluate(graph: Graph, node: int, values: Mapping[str, np.ndarray | float]) -> np.ndarray:
    """Numerical values of a formula.

    Args:
        graph: that contains it.
        node: the formula.
        values: symbol -> numbers, all of one shape.
    """
    found: dict[int, np.ndarray | float] = {}
    for each in graph.order([node]):
        kind, *parts = graph.entries[each]
        if kind == "number":
            found[each] = parts[0]
        elif kind == "symbol":
            found[each] = values[parts[1]]
        else:
            found[each] = _apply(kind, *(found[part] for part in parts))
    return np.asarray(found[node], float)


def _apply(kind: str, a: np.ndarray | float, b: np.ndarray | float = 0.0) -> np.ndarray | float:
    if kind in _NUMERIC:
        return _NUMERIC[kind](a)
    operations = {
        "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "pow": np.power,
        "neg": lambda x, _: -x,
    }  # fmt: skip
    return operations[kind](a, b)


def sigmoid(graph: Graph, node: int) -> tuple[float, float] | None:
    """Midpoint and scale [mV] of a formula 1/(1 + exp((midpoint - v)/scale)); None for any other."""
    if graph.symbols([node]) != {"v"}:
        return None
    with np.errstate(all="ignore"):
        values = evaluate(graph, node, {"v": _VOLTAGES})
        inside = (values > 1e-6) & (values < 1.0 - 1e-6)
        if inside.sum() < 4:
            return None
        exponent = np.log(values[inside] / (1.0 - values[inside]))
    slope, offset = np.polyfit(_VOLTAGES[inside], exponent, 1)
    if np.abs(slope * _VOLTAGES[inside] + offset - exponent).max() > 1e-7:
        return None
    midpoint, scale = float(f"{-offset / slope:.9g}"), float(f"{1.0 / slope:.9g}")
    again = 1.0 / (1.0 + np.exp((midpoint - _VOLTAGES) / scale))
    return (midpoint, scale) if np.abs(again - values).max() < 1e-8 else None


def polynomial(graph: Graph, node: int, states: tuple[str, ...]) -> dict[tuple[int, ...], float]:
    """Powers of the states -> coefficient of a polynomial in them.

    Raises:
        MechanismError: if it is not a polynomial.
    """
    kind, *parts = graph.entries[node]
    none = (0,) * len(states)
    if kind == "number":
        return {none: parts[0]}
    if kind == "symbol" and parts[1] in states:
        return {tuple(int(each == parts[1]) for each in states): 1.0}
    if kind in ("+", "-", "*", "neg"):
        terms = [polynomial(graph, each, states) for each in parts]
        if kind == "*":
            return _product(*terms)
        sign = -1.0 if kind in ("-", "neg") else 1.0
        total = dict(terms[0]) if len(terms) == 2 else {}
        for powers, value in terms[-1].items():
            total[powers] = total.get(powers, 0.0) + sign * value
        return total
    raise MechanismError("the opening of a channel is not a polynomial of its gates; LEMS export needs one")


def _product(a: dict[tuple[int, ...], float], b: dict[tuple[int, ...], float]) -> dict[tuple[int, ...], float]:
    total: dict[tuple[int, ...], float] = {}
    for one, x in a.items():
        for other, y in b.items():
            powers = tuple(m + n for m, n in zip(one, other, strict=True))
            total[powers] = total.get(powers, 0.0) + x * y
    return {powers: value for powers, value in total.items() if not math.isclose(value, 0.0, abs_tol=1e-15)}
