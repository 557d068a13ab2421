"""Writes the C code of mechanisms, and says which arrays each piece of it wants.

One kind is one variant of one mechanism. Its instances lie in arrays, one per quantity, so that
every loop runs over neighbours in memory; the compiler turns it into vector instructions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from .blocks import TRANSFERRED, Variant
from .graph import COMPARISONS, COSTLY, Graph, Level
from .mechanism import Mechanism

SCALE, PER_AREA = "@scale", "@per_area"
"""Instance values that the engine adds: to nA, and from nA to the mA/cm2 in which ion currents add."""

# NEURON linearises a current that is not linear in v by this difference.
_SECANT = 0.001
PHASES = ("initial", "prepare", "tick", "current", "correct", "state")


@dataclass
class Kind:
    """One variant of one mechanism, its arrays and its code.

    Attributes:
        mechanism, variant: what it computes.
        fields: names of the float arrays, in the order of the C code.
        indices: names of the integer arrays, in the order of the C code.
        first_uniform: where its uniform values start in the engine's vector.
    """

    mechanism: Mechanism
    variant: Variant
    first_uniform: int
    fields: list[str] = field(default_factory=list)
    indices: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        m, variant = self.mechanism, self.variant
        owned = m.concentrations_owned
        self.states = [name for name in (*m.source.states, *variant.stored) if name not in owned]
        self.fields = [*m.instance, SCALE, PER_AREA, *self.states]
        self.indices = ["node"]
        self.indices += ["partner"] if m.reads_partner else []
        self.indices += ["external"] if m.pointer else []
        self.indices += [*owned, *m.concentrations_read, *m.ion_currents_read]
        self.indices += [f"{name} to" for name in self.ion_currents]

    @property
    def name(self) -> str:
        """Name in C."""
        return self.mechanism.name + "".join("yn"[not each] for each in self.variant.decided)

    @property
    def ion_currents(self) -> list[str]:
        """Ion currents that it writes."""
        return [name for name in self.variant.currents if name not in self.mechanism.source.nonspecific]

    # --- the current as G v + I0

    @cached_property
    def _linear(self) -> tuple[int, int, dict[str, tuple[int, int]]]:
        """Total conductance [uS] and current at 0 mV [nA]; current and slope of each ion [mA/cm2]."""
        graph = self.variant.graph
        zero = graph.number(0.0)
        v = graph.symbol("v", Level.STEP)
        scale = graph.symbol(SCALE, Level.INSTANCE)
        conductance, rest, ions = zero, zero, {}
        for name, current in self.variant.currents.items():
            slope = graph.derivative(current, v)
            if v in graph.order([slope]):
                moved = graph.substitute(current, {v: graph.apply("+", v, graph.number(_SECANT))})
                slope = graph.apply("*", graph.apply("-", moved, current), graph.number(1.0 / _SECANT))
                at_zero = graph.apply("-", current, graph.apply("*", slope, v))
            else:
                at_zero = graph.substitute(current, {v: zero})
            conductance = graph.add(conductance, graph.apply("*", scale, slope))
            rest = graph.add(rest, graph.apply("*", scale, at_zero))
            if name in self.ion_currents:
                per_area = graph.symbol(PER_AREA, Level.INSTANCE)
                ions[name] = graph.apply("*", per_area, current), graph.apply("*", per_area, slope)
        return conductance, rest, ions

    @property
    def is_extrapolated(self) -> bool:
        """Whether its current follows the partner's voltage at once, so that a second solve can improve it."""
        return self._partner_voltage is not None

    @cached_property
    def _partner_voltage(self) -> int | None:
        """Node of the partner's voltage in the current: the transferred one, or a value made only of past ones."""
        graph, variant = self.variant.graph, self.variant
        if not self.mechanism.reads_partner or self.mechanism.source.states:
            return None
        vpre = graph.symbol(TRANSFERRED, Level.STEP)
        used = [name for name in variant.stored if name in graph.symbols(variant.currents.values())]
        if not used:
            return vpre if vpre in graph.order(variant.currents.values()) else None
        if len(used) > 1 or used[0] not in variant.update:
            return None
        # With every past voltage equal to the present one it must be that voltage.
        past = {graph.symbol(name, Level.STEP): vpre for name in variant.stored}
        same = graph.substitute(variant.update[used[0]], past) == vpre
        return graph.symbol(used[0], Level.STEP) if same else None

    # --- phases

    @cached_property
    def _outputs(self) -> dict[str, dict[str, int]]:
        """Phase -> what it stores -> node."""
        conductance, rest, ions = self._linear
        graph, variant = self.variant.graph, self.variant
        phases: dict[str, dict[str, int]] = {phase: {} for phase in PHASES}
        phases["initial"] = dict(variant.initial)
        for name, node in (("d", conductance), ("b", graph.apply("neg", rest))):
            if graph.value(node) != 0.0:
                level = graph.level(node)
                phase = "prepare" if level <= Level.INSTANCE else "tick" if level == Level.TICK else "current"
                phases[phase][name] = node
        for name, (current, slope) in ions.items():
            phases["current"][f"{name} to"], phases["current"][f"{name} slope"] = current, slope
        phases["current"].update({f"={name}": node for name, node in variant.noted.items()})
        phases["state"] = {f"={name}": node for name, node in variant.update.items()}
        partner = self._partner_voltage
        if partner is not None:
            new = graph.symbol("@partner", Level.STEP)
            change = graph.apply("-", rest, graph.substitute(rest, {partner: new}))
            phases["correct"]["b"] = change
        return phases

    @cached_property
    def hoisted(self) -> list[int]:
        """Nodes computed once per instance before a run, kept in arrays after the other fields."""
        graph, found = self.variant.graph, {}
        for phase in ("tick", "current", "correct", "state"):
            outputs = self._outputs[phase].values()
            for node in graph.order(outputs):
                users = graph.arguments(node) if graph.level(node) > Level.INSTANCE else ()
                for each in (*users, *((node,) if node in outputs else ())):
                    if graph.level(each) == Level.INSTANCE and graph.arguments(each):
                        found[each] = None
        return list(found)

    def code(self) -> str:
        """The C functions of every phase."""
        fields = [*self.fields, *(f"@hoisted {k}" for k in range(len(self.hoisted)))]
        return "\n".join(_Function(self, phase, fields).text() for phase in PHASES)

    def outputs(self, phase: str) -> Mapping[str, int]:
        """What a phase stores, by name."""
        return self._outputs[phase]


def kinds(mechanisms: Iterable[Mechanism]) -> list[Kind]:
    """Every variant of every mechanism, owners of a concentration before its readers."""
    ordered = sorted(mechanisms, key=lambda each: not each.concentrations_owned)
    found, uniform = [], 0
    for mechanism in ordered:
        for variant in mechanism.variants:
            found.append(Kind(mechanism, variant, uniform))
        uniform += len(mechanism.uniform)
    return found


def header(found: list[Kind]) -> str:
    """The generated part of the engine: one function per kind and phase, and their table."""
    parts = ["/* Generated from the .mod files. */", *(kind.code() for kind in found)]
    rows = [
        "{" + ", ".join(f"{kind.name}_{phase}" if kind.outputs(phase) else "0" for phase in PHASES) + "}"
        for kind in found
    ]
    parts.append("static const Kind kinds[] = {\n" + ",\n".join(rows) + "\n};\n")
    return "\n".join(parts)


class _Function:
    """One phase of one kind as a C function."""

    def __init__(self, kind: Kind, phase: str, fields: list[str]) -> None:
        self._kind, self._phase, self._fields = kind, phase, fields
        self._graph: Graph = kind.variant.graph
        self._given: dict[int, str] = {}
        self._used_fields: set[int] = set()
        self._used_indices: set[int] = set()
        self._gathered: list[tuple[str, int]] = []
        if phase != "prepare":
            for k, node in enumerate(kind.hoisted):
                self._given[node] = self._load_field(f"@hoisted {k}", mark=False)

    def text(self) -> str:
        outputs = dict(self._kind.outputs(self._phase))
        if self._phase == "prepare":
            outputs |= {f"=@hoisted {k}": node for k, node in enumerate(self._kind.hoisted)}
            self._kind.outputs("prepare").update(outputs)
        if not outputs:
            return ""
        scalars, lines = self._body(outputs.values())
        stores, scatters = self._stores(outputs)
        name = f"{self._kind.name}_{self._phase}"
        scratch = {"d": "s->scratch", "b": "s->scratch + s->n"}
        gathers = [
            f"gather(s->scratch + {k} * s->n, b->{source}, s->k[{index}], s->n);"
            for k, (source, index) in enumerate(self._gathered, start=2)
        ]
        loads = [
            *(f"R *const restrict f{k} = s->f[{k}];" for k in sorted(self._used_fields)),
            *(f"const int *const restrict k{k} = s->k[{k}];" for k in sorted(self._used_indices)),
            *(f"R *const restrict to_{key} = {where};" for key, where in scratch.items() if key in outputs),
            *(f"const R *const restrict g{k} = s->scratch + {k} * s->n;" for k in range(2, 2 + len(self._gathered))),
        ]
        return "\n".join([
            f"static void {name}(const Set *restrict s, Brain *restrict b) {{",
            *(f"    {each}" for each in (*gathers, *loads, *scalars)),
            "    SIMD for (long i = 0; i < s->n; i++) {",
            *(f"        {each}" for each in (*lines, *stores)),
            "    }",
            *(f"    {each}" for each in scatters),
            "}",
        ])  # fmt: skip

    def _body(self, outputs: Iterable[int]) -> tuple[list[str], list[str]]:
        """Scalars before the loop, and statements in it."""
        graph, scalars, lines = self._graph, [], []
        for node in self._wanted(outputs):
            operation = graph.entries[node][0]
            if operation in ("number", "symbol") or operation in COMPARISONS or operation in ("&&", "||", "!"):
                continue
            target = scalars if graph.level(node) <= Level.UNIFORM else lines
            target.append(f"const R t{node} = {self._operation(node)};")
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
        return f"t{node}"

    def _load(self, name: str) -> str:
        kind = self._kind
        if name == "dt":
            return "b->step"
        if name == "t":
            return "((R)b->t)"
        if name in kind.mechanism.uniform:
            return f"b->uniform[{kind.first_uniform + kind.mechanism.uniform.index(name)}]"
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
        return f"g{2 + self._gathered.index(what)}[i]"

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
        scatters = ["for (long i = 0; i < s->n; i++) {", *(f"    {each}" for each in sums), "}"] if sums else []
        return stores, scatters

    def _store(self, name: str, term: str) -> str:
        if name in self._kind.mechanism.concentrations_owned:
            return f"b->concentration[{self._index(name)}] = {term};"
        return f"{self._load_field(name)} = {term};"


def worth_a_table(graph: Graph, node: int) -> bool:
    """Whether a node costs more than reading it from a table."""
    return any(graph.entries[each][0] in COSTLY for each in graph.order([node]))
