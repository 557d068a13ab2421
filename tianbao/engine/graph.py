"""Expressions as one graph of shared nodes, with the algebra that the generator needs.

Equal expressions are one node, so what two gates of a channel share is computed once. Every node
knows how often its value can change (`Level`); what depends on nothing but parameters is computed
before the run.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping
from enum import IntEnum


class Level(IntEnum):
    """How often a value changes."""

    CONSTANT = 0  # never
    UNIFORM = 1  # the same for all instances, set before a run
    INSTANCE = 2  # one per instance, set before a run
    TICK = 3  # one per instance, set between two calls of the engine
    STEP = 4  # every step


FUNCTIONS = {
    "exp": math.exp, "log": math.log, "sqrt": math.sqrt, "tanh": math.tanh, "sin": math.sin, "cos": math.cos,
    "fabs": abs, "floor": math.floor,
}  # fmt: skip
COMPARISONS = {"<": lambda a, b: a < b, "<=": lambda a, b: a <= b, "==": lambda a, b: a == b}
# A node with one of these is worth a table or a place in memory.
COSTLY = {*FUNCTIONS, "pow", "/"}


class Graph:
    """Hash-consed expression nodes; a node is an index.

    `entries[node]` is ("number", value), ("symbol", level, name) or (operation, argument, ...).
    """

    def __init__(self) -> None:
        self.entries: list[tuple] = []
        self._known: dict[tuple, int] = {}
        self._levels: list[Level] = []

    def _add(self, entry: tuple, level: Level) -> int:
        node = self._known.get(entry)
        if node is None:
            node = self._known[entry] = len(self.entries)
            self.entries.append(entry)
            self._levels.append(level)
        return node

    def number(self, value: float) -> int:
        """A constant."""
        return self._add(("number", float(value)), Level.CONSTANT)

    def symbol(self, name: str, level: Level) -> int:
        """A named value."""
        return self._add(("symbol", level, name), level)

    def level(self, node: int) -> Level:
        """How often a node's value changes."""
        return self._levels[node]

    def value(self, node: int) -> float | None:
        """Value of a constant node, None for any other."""
        entry = self.entries[node]
        return entry[1] if entry[0] == "number" else None

    def arguments(self, node: int) -> tuple[int, ...]:
        """Nodes that a node is computed from."""
        entry = self.entries[node]
        return () if entry[0] in ("number", "symbol") else entry[1:]

    # --- construction

    def apply(self, operation: str, *arguments: int) -> int:
        """Node of an operation, simplified."""
        values = [self.value(each) for each in arguments]
        if None not in values:
            # What has no finite value is left to C, which knows infinities.
            with contextlib.suppress(ArithmeticError, ValueError):
                return self.number(_evaluate(operation, values))
        simple = getattr(self, _SIMPLIFIERS.get(operation, ""), None)
        node = simple(*arguments) if simple else None
        if node is not None:
            return node
        return self._add((operation, *arguments), max(self._levels[each] for each in arguments))

    def add(self, *terms: int) -> int:
        """Sum."""
        total = terms[0]
        for each in terms[1:]:
            total = self.apply("+", total, each)
        return total

    def _simple_sum(self, a: int, b: int) -> int | None:
        if self.value(a) == 0.0:
            return b
        if self.value(b) == 0.0:
            return a
        if a > b:
            return self.apply("+", b, a)
        return None

    def _simple_difference(self, a: int, b: int) -> int | None:
        if a == b:
            return self.number(0.0)
        if self.value(b) == 0.0:
            return a
        if self.value(a) == 0.0:
            return self.apply("neg", b)
        return None

    def _simple_product(self, a: int, b: int) -> int | None:
        for one, other in ((a, b), (b, a)):
            value = self.value(one)
            if value == 0.0:
                return one
            if value == 1.0:
                return other
            if value == -1.0:
                return self.apply("neg", other)
        if a > b:
            return self.apply("*", b, a)
        return None

    def _simple_quotient(self, a: int, b: int) -> int | None:
        if self.value(a) == 0.0 or self.value(b) == 1.0:
            return a
        if a == b:
            return self.number(1.0)
        # A division that can be made a product with something known before the run.
        if self.level(b) < self.level(a) and self.level(b) <= Level.INSTANCE:
            return self.apply("*", a, self.apply("/", self.number(1.0), b))
        return None

    def _simple_negation(self, a: int) -> int | None:
        entry = self.entries[a]
        if entry[0] == "neg":
            return entry[1]
        if entry[0] == "-":
            return self.apply("-", entry[2], entry[1])
        return None

    def _simple_power(self, a: int, b: int) -> int | None:
        power = self.value(b)
        if power is not None and power == int(power) and 0 <= power <= 8:
            product = self.number(1.0)
            for _ in range(int(power)):
                product = self.apply("*", product, a)
            return product
        return self.apply("sqrt", a) if power == 0.5 else None

    def _simple_choice(self, condition: int, a: int, b: int) -> int | None:
        if a == b:
            return a
        value = self.value(condition)
        return None if value is None else (a if value else b)

    def _simple_and(self, a: int, b: int) -> int | None:
        for one, other in ((a, b), (b, a)):
            if self.value(one) is not None:
                return other if self.value(one) else one
        return a if a == b else None

    def _simple_or(self, a: int, b: int) -> int | None:
        for one, other in ((a, b), (b, a)):
            if self.value(one) is not None:
                return one if self.value(one) else other
        return a if a == b else None

    # --- analysis

    def order(self, outputs: Iterable[int]) -> list[int]:
        """Every node that the outputs need, arguments before users."""
        seen: set[int] = set()
        stack = list(outputs)
        while stack:
            node = stack.pop()
            if node not in seen:
                seen.add(node)
                stack.extend(self.arguments(node))
        return sorted(seen)  # arguments are made before their users

    def symbols(self, outputs: Iterable[int]) -> set[str]:
        """Names that the outputs depend on."""
        return {self.entries[node][2] for node in self.order(outputs) if self.entries[node][0] == "symbol"}

    def substitute(self, node: int, mapping: Mapping[int, int]) -> int:
        """The node with some nodes replaced."""
        new: dict[int, int] = {}
        for each in self.order([node]):
            if each in mapping:
                new[each] = mapping[each]
                continue
            arguments = self.arguments(each)
            replaced = tuple(new[a] for a in arguments)
            new[each] = each if replaced == arguments else self.apply(self.entries[each][0], *replaced)
        return new[node]

    def derivative(self, node: int, symbol: int) -> int:
        """Partial derivative with respect to a symbol."""
        return self.gradient({node: self.number(1.0)}, [symbol])[0]

    def gradient(self, seeds: Mapping[int, int], wanted: Iterable[int]) -> list[int]:
        """Reverse-mode derivative: sum over outputs of seed times d output / d wanted.

        Args:
            seeds: output node -> node of its adjoint.
            wanted: symbols.

        Returns:
            One node per wanted symbol.
        """
        wanted = list(wanted)
        zero = self.number(0.0)
        # Only nodes on a path from a wanted symbol to an output carry an adjoint.
        order = self.order(seeds)
        on_way = set(wanted)
        for node in order:
            if any(each in on_way for each in self.arguments(node)):
                on_way.add(node)
        adjoint = dict(seeds)
        for node in reversed(order):
            if node not in on_way or adjoint.get(node, zero) == zero:
                continue
            for argument, partial in self._partials(node, on_way):
                term = self.apply("*", adjoint[node], partial)
                adjoint[argument] = self.apply("+", adjoint.get(argument, zero), term)
        return [adjoint.get(each, zero) for each in wanted]

    def _partials(self, node: int, on_way: set[int]) -> list[tuple[int, int]]:
        """Derivative of a node with respect to each of its arguments that matter."""
        operation, *arguments = self.entries[node]
        if operation in ("number", "symbol") or operation in COMPARISONS or operation in ("&&", "||", "!", "floor"):
            return []
        if operation == "select":
            condition, a, b = arguments
            one, zero = self.number(1.0), self.number(0.0)
            pairs = [(a, self.apply("select", condition, one, zero)), (b, self.apply("select", condition, zero, one))]
        else:
            pairs = list(zip(arguments, self._rules(operation, node, *arguments), strict=True))
        return [(argument, partial) for argument, partial in pairs if argument in on_way]

    def _rules(self, operation: str, node: int, a: int, b: int | None = None) -> list[int]:
        one = self.number(1.0)
        f = self.apply
        rules = {
            "+": lambda: [one, one],
            "-": lambda: [one, self.number(-1.0)],
            "neg": lambda: [self.number(-1.0)],
            "*": lambda: [b, a],
            "/": lambda: [f("/", one, b), f("neg", f("/", node, b))],
            "exp": lambda: [node],
            "log": lambda: [f("/", one, a)],
            "sqrt": lambda: [f("/", self.number(0.5), node)],
            "tanh": lambda: [f("-", one, f("*", node, node))],
            "sin": lambda: [f("cos", a)],
            "cos": lambda: [f("neg", f("sin", a))],
            "fabs": lambda: [f("select", f("<", a, self.number(0.0)), self.number(-1.0), one)],
            "pow": lambda: [f("*", b, f("/", node, a)), f("*", node, f("log", a))],
        }
        return rules[operation]()


_SIMPLIFIERS = {
    "+": "_simple_sum", "-": "_simple_difference", "*": "_simple_product", "/": "_simple_quotient",
    "neg": "_simple_negation", "pow": "_simple_power", "select": "_simple_choice", "&&": "_simple_and",
    "||": "_simple_or",
}  # fmt: skip


def _evaluate(operation: str, values: list[float]) -> float:
    if operation in FUNCTIONS:
        return FUNCTIONS[operation](values[0])
    if operation in COMPARISONS:
        return float(COMPARISONS[operation](*values))
    return {
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "*": lambda a, b: a * b,
        "/": lambda a, b: a / b,
        "neg": lambda a: -a,
        "pow": math.pow,
        "&&": lambda a, b: float(bool(a and b)),
        "||": lambda a, b: float(bool(a or b)),
        "!": lambda a: float(not a),
        "select": lambda c, a, b: a if c else b,
    }[operation](*values)
