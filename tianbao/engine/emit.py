"""Writes the C code of mechanisms.

The instances of a kind lie in arrays, one per quantity, so that every loop runs over neighbours in
memory; the compiler turns it into vector instructions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .blocks import TRANSFERRED
from .graph import COMPARISONS, Graph, Level
from .kinds import CONDITIONS, PHASES, Kind, phases


def header(found: list[Kind], tables: bool = False) -> str:
    """The generated part of the engine: one function per kind and phase, and their table.

    Args:
        found: what to write.
        tables: read what depends on v alone from tables.
    """
    functions, rows = Functions(), []
    for kind in found:
        names = [functions.add(f"{kind.name}_{each}", _Function(kind, each, tables).text()) for each in phases(tables)]
        rows.append("{" + ", ".join(names) + "}")
    return functions.with_table("Kind kinds", rows)


def straight(found: Sequence[Kind]) -> str:
    """The same functions for one network, and for each phase a macro that calls those of its sets one by one.

    Args:
        found: kind of each set of instances, in the order of the sets.
    """
    functions = Functions()
    calls: dict[str, list[str]] = {phase: [] for phase in PHASES}
    for k, kind in enumerate(found):
        for phase, each in calls.items():
            name = functions.add(f"{kind.name}_{phase}", _Function(kind, phase, False).text())
            each += [f"{name}(&b->set[{k}], b);"] if name != "0" else []
    macros = [f"#define EVERY_{phase} {' '.join(each)}" for phase, each in calls.items()]
    return functions.with_lines(macros)


class Functions:
    """C functions in the order they are added, each body once: variants of a mechanism differ in few of theirs."""

    def __init__(self) -> None:
        self._texts = ["/* Generated from the .mod files. */"]
        self._names: dict[str, str] = {}

    def add(self, name: str, text: str) -> str:
        """Add a function; returns the name to call it by, "0" for an empty text."""
        if not text:
            return "0"
        body = text.replace(f" {name}(", " (", 1)
        if body not in self._names:
            self._names[body] = name
            self._texts.append(text)
        return self._names[body]

    def with_table(self, declared: str, rows: Iterable[str]) -> str:
        """All that was added, then a table of it."""
        return self.with_lines([f"static const {declared}[] = {{\n" + ",\n".join(rows) + "\n};\n"])

    def with_lines(self, lines: Iterable[str]) -> str:
        """All that was added, then more lines."""
        return "\n".join([*self._texts, *lines])


class _Function:
    """One phase of one kind as a C function."""

    def __init__(self, kind: Kind, phase: str, tables: bool) -> None:
        self._kind, self._phase, self._fields = kind, phase, kind.all_fields()
        self._graph: Graph = kind.variant.graph
        self._given: dict[int, str] = {}
        self._used_fields: set[int] = set()
        self._used_indices: set[int] = set()
        self._gathered: list[tuple[str, int]] = []
        self._numbers: dict[int, int] = {}
        if phase not in ("prepare", "table"):
            for k, node in enumerate(kind.hoisted):
                self._given[node] = self._load_field(f"@hoisted {k}", mark=False)
        self._tabulated = kind.tabulated if tables and phase == "state" else []
        for k, node in enumerate(self._tabulated):
            self._given[node] = self._load_field(f"@tabulated {k}", mark=False)

    def text(self) -> str:
        """The function, empty where the phase stores nothing."""
        outputs = dict(self._kind.outputs(self._phase))
        if self._phase == "prepare":
            outputs |= {f"=@hoisted {k}": node for k, node in enumerate(self._kind.hoisted)}
            self._kind.outputs("prepare").update(outputs)
        if not outputs:
            return ""
        scalars, lines = self._body(outputs.values())
        if self._phase == "table":
            return self._table(outputs, scalars, lines)
        stores, scatters = self._stores(outputs)
        name = f"{self._kind.name}_{self._phase}"
        scratch = {"d": "s->scratch", "b": "s->scratch + s->n"}
        gathers = [f"GATHER({k}, {source}, {index})" for k, (source, index) in enumerate(self._gathered, start=2)]
        if self._tabulated:
            gathers.append(f"interpolate(s, b->v, {len(self._tabulated)}, {self._fields.index('@tabulated 0')});")
        loads = [
            *(f"R *const restrict f{k} = s->f[{k}];" for k in sorted(self._used_fields)),
            *(f"const int *const restrict k{k} = s->k[{k}];" for k in sorted(self._used_indices)),
            *(f"R *const restrict to_{key} = {where};" for key, where in scratch.items() if key in outputs),
        ]
        return "\n".join([
            f"static void {name}(const Set *restrict s, Brain *restrict b) {{",
            *(f"    {each}" for each in (*gathers, *loads, *scalars)),
            "    EACH(i, 0, s->n) {",
            *(f"        {each}" for each in (*lines, *stores)),
            "    }",
            "    SYNC;",
            *(f"    {each}" for each in scatters),
            "}",
        ])  # fmt: skip

    def _table(self, outputs: Mapping[str, int], scalars: list[str], lines: list[str]) -> str:
        """The function that fills the table of one instance's parameters: a row per voltage."""
        stores = [f"to[row * {len(outputs)} + {k}] = {self._term(node)};" for k, node in outputs.items()]
        loads = [f"R *const restrict f{k} = s->f[{k}];" for k in sorted(self._used_fields)]
        return "\n".join([
            f"static void {self._kind.name}_table(const Set *s, Brain *b, int64_t i, R *restrict to) {{",
            *(f"    {each}" for each in (*loads, *scalars)),
            "    for (long row = 0; row < TABLE_ROWS; row++) {",
            "        const R at = (R)(TABLE_LOW + row * TABLE_PITCH);",
            *(f"        {each}" for each in (*lines, *stores)),
            "    }",
            "}",
        ])  # fmt: skip

    def _body(self, outputs: Iterable[int]) -> tuple[list[str], list[str]]:
        """Scalars before the loop, and statements in it."""
        graph, scalars, lines = self._graph, [], []
        for node in self._wanted(outputs):
            operation = graph.entries[node][0]
            if operation in ("number", "symbol") or operation in CONDITIONS:
                continue
            target = scalars if graph.level(node) <= Level.UNIFORM else lines
            operation = self._operation(node)
            target.append(f"const R {self._name(node)} = {operation};")
        return scalars, lines

    def _wanted(self, outputs: Iterable[int]) -> list[int]:
        """Nodes to compute: those the outputs need, up to what is given."""
        seen, stack = set(), list(outputs)
        while stack:
            node = stack.pop()
            if node not in seen and node not in self._given:
                seen.add(node)
                stack.extend(self._graph.arguments(node))
        return sorted(seen)

    def _operation(self, node: int) -> str:
        operation, *arguments = self._graph.entries[node]
        a = [self._term(each) for each in arguments]
        if operation in ("+", "-", "*", "/"):
            return f"{a[0]} {operation} {a[1]}"
        if operation == "neg":
            return f"-{a[0]}"
        if operation == "select":
            return f"{a[0]} ? {a[1]} : {a[2]}"
        return f"tb_{operation}({', '.join(a)})"

    def _term(self, node: int) -> str:
        graph = self._graph
        if node in self._given:
            text = self._given[node]
            if text.startswith("f"):
                self._used_fields.add(int(text[1:].split("[")[0]))
            return text
        operation, *rest = graph.entries[node]
        if operation == "number":
            return f"(R){rest[0]!r}"
        if operation == "symbol":
            return self._load(rest[1])
        if operation in COMPARISONS or operation in ("&&", "||"):
            return f"({self._term(rest[0])} {operation} {self._term(rest[1])})"
        if operation == "!":
            return f"(!{self._term(rest[0])})"
        return self._name(node)

    def _name(self, node: int) -> str:
        """Counted from the start of the function: variants number their nodes differently."""
        return f"t{self._numbers.setdefault(node, len(self._numbers))}"

    def _load(self, name: str) -> str:
        kind = self._kind
        if name == "dt":
            return "b->step"
        if name == "t":
            return "((R)b->t)"
        if name in kind.mechanism.uniform:
            return f"b->uniform[{kind.first_uniform + kind.mechanism.uniform.index(name)}]"
        if name == "v" and self._phase == "table":
            return "at"
        if name == "v":
            return self._gather("v", "node")
        if name == TRANSFERRED:
            return self._gather("v", "partner")
        if name == "@partner":
            return self._gather("x", "partner")
        if name == kind.mechanism.pointer:
            return f"b->external[{self._index('external')}]"
        if name in (*kind.mechanism.concentrations_owned, *kind.mechanism.concentrations_read):
            return f"b->concentration[{self._index(name)}]"
        if name in kind.mechanism.ion_currents_read:
            return f"b->ion_current[{self._index(name)}]"
        return self._load_field(name)

    def _load_field(self, name: str, mark: bool = True) -> str:
        k = self._fields.index(name)
        if mark:
            self._used_fields.add(k)
        return f"f{k}[i]"

    def _gather(self, source: str, name: str) -> str:
        """A value read through an index, fetched before the loop."""
        what = source, self._kind.indices.index(name)
        if what not in self._gathered:
            self._gathered.append(what)
        return f"GATHERED({2 + self._gathered.index(what)})"

    def _index(self, name: str) -> str:
        k = self._kind.indices.index(name)
        self._used_indices.add(k)
        return f"k{k}[i]"

    def _stores(self, outputs: Mapping[str, int]) -> tuple[list[str], list[str]]:
        """What the loop stores, and what is scattered after it: several instances may share a node."""
        stores, sums = [], []
        where = {"prepare": "base_", "tick": "tick_"}.get(self._phase, "")
        for name, node in outputs.items():
            term = self._term(node)
            if name in ("d", "b"):
                stores.append(f"to_{name}[i] = {term};")
                sums.append(f"b->{where}{name}[{self._index('node')}] += to_{name}[i];")
            elif name.endswith((" to", " slope")):
                ion = name.split()[0]
                index = self._index(f"{ion} to")
                array = "ion_current" if name.endswith(" to") else "ion_slope"
                stores.append(f"b->{array}[{index}] += {term};")
            else:
                stores.append(self._store(name.removeprefix("="), term))
        over = "EACH_SHARING(i, s->n, s->by_node[0]) {"
        scatters = [over, *(f"    {each}" for each in sums), "}", "SYNC;"] if sums else []
        return stores, scatters

    def _store(self, name: str, term: str) -> str:
        if name in self._kind.mechanism.concentrations_owned:
            return f"b->concentration[{self._index(name)}] = {term};"
        return f"{self._load_field(name)} = {term};"
