"""Variants of mechanisms as the engine runs them: which arrays each needs and what each phase of it stores.

One kind is one variant of one mechanism. Phases are "initial" (INITIAL), "prepare" (what parameters and
the step decide), "tick" (what holds until the loop writes again), "current" (every step), "correct" (a
step solved again) and "state" (what is SOLVEd).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from .blocks import TRANSFERRED, Variant
from .graph import COMPARISONS, COSTLY, Level
from .mechanism import Mechanism

SCALE, PER_AREA = "@scale", "@per_area"
"""Instance values that the engine adds: to nA, and from nA to the mA/cm2 in which ion currents add."""

# NEURON linearises a current that is not linear in v by this difference.
_SECANT = 0.001
PHASES = ("initial", "prepare", "tick", "current", "correct", "state")
CONDITIONS = {*COMPARISONS, "&&", "||", "!"}


def phases(tables: bool) -> tuple[str, ...]:
    """Names of the C functions of a kind, in the order of their table."""
    return (*PHASES, "table") if tables else PHASES


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
        self.indices += [*owned, *m.concentrations_read, *m.ion_currents_read]
        self.indices += [f"{name} to" for name in self.ion_currents]
        # Last, so that a variant with a POINTER and one without have the same code wherever it is not read.
        self.indices += ["external"] if self.reads_pointer else []

    @property
    def name(self) -> str:
        """Name in C."""
        # With an underscore, or the variant "yes" of `k` would be called as a mechanism `ky` is.
        return f"{self.mechanism.name}_" + "".join("yn"[not each] for each in self.variant.decided)

    @property
    def reads_pointer(self) -> bool:
        """Whether this variant reads the POINTER of its mechanism."""
        of = self.variant
        nodes = [node for each in (of.initial, of.currents, of.update, of.noted) for node in each.values()]
        return self.mechanism.pointer in of.graph.symbols(nodes)

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

    @cached_property
    def tabulated(self) -> list[int]:
        """Nodes of the new states that depend on nothing but v and parameters, and cost more than a table."""
        graph = self.variant.graph

        def of_voltage(node: int) -> bool:
            """Whether a node changes with v alone."""
            changing = {
                graph.entries[each][2]
                for each in graph.order([node])
                if graph.entries[each][0] == "symbol" and graph.level(each) > Level.INSTANCE
            }
            return changing == {"v"} and graph.entries[node][0] not in CONDITIONS

        found, stack, seen = {}, list(self._outputs["state"].values()), set()
        while stack:
            node = stack.pop()
            if node in seen:
                continue
            seen.add(node)
            if of_voltage(node) and any(graph.entries[each][0] in COSTLY for each in graph.order([node])):
                found[node] = None
            else:
                stack.extend(graph.arguments(node))
        return sorted(found)

    def tabulated_from(self) -> list[str]:
        """Instance values that the tabulated nodes depend on."""
        return sorted(self.variant.graph.symbols(self.tabulated) & set(self.mechanism.instance))

    def all_fields(self) -> list[str]:
        """Names of every float array that the C code knows, in order."""
        hoisted = [f"@hoisted {k}" for k in range(len(self.hoisted))]
        return [*self.fields, *hoisted, *(f"@tabulated {k}" for k in range(len(self.tabulated)))]

    def outputs(self, phase: str) -> Mapping[str, int]:
        """What a phase stores, by name."""
        if phase == "table":
            return {str(k): node for k, node in enumerate(self.tabulated)}
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
