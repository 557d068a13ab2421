"""Writes the C code of the reverse sweep: one adjoint function per kind and phase.

What a phase of emit.py computes, its adjoint function differentiates: from the adjoints of what the
phase stores to those of what it read. The derivatives are expressions in the same graph.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import MechanismError
from .blocks import GEOMETRY, TRANSFERRED
from .emit import Functions, _Function
from .graph import Level
from .kinds import PHASES, Kind

_SEED = "@adjoint of "
_PARTNER = "@partner"


@dataclass(frozen=True)
class Reverse:
    """The generated part of the reverse sweep.

    Attributes:
        code: what adjoint.c includes.
        slots: kind by kind, how many numbers per instance its functions keep outside the loop.
    """

    code: str
    slots: tuple[int, ...]


def reverse(found: Iterable[Kind]) -> Reverse:
    """The adjoint functions of every kind and their table; call `emit.header` first.

    Raises:
        MechanismError: for a mechanism whose BREAKPOINT leaves a value for the next step.
    """
    written, rows, slots = Functions(), [], []
    for kind in found:
        functions = [_Adjoint(kind, phase) for phase in PHASES]
        names = [written.add(each.name, each.text()) for each in functions]
        rows.append("{" + ", ".join([*names, str(int(bool(kind.mechanism.concentrations_owned)))]) + "}")
        slots.append(max(each.slots for each in functions))
    return Reverse(written.with_table("Back backs", rows), tuple(slots))


def parameters(kind: Kind) -> list[str]:
    """Names of the instance values that have a gradient."""
    return [name for name in kind.mechanism.instance if name not in GEOMETRY]


class _Adjoint(_Function):
    """The adjoint of one phase of one kind as a C function."""

    def __init__(self, kind: Kind, phase: str) -> None:
        super().__init__(kind, "adjoint", tables=False)
        self.name = f"{kind.name}_{phase}_adjoint"
        self.slots = 0
        self._of = phase
        self._used_bars: set[int] = set()
        self._scattered: list[str] = []

    def text(self) -> str:
        """The function, empty where there is nothing to differentiate."""
        outputs = self._differentiated()
        if not outputs:
            return ""
        gradients, zero = self._gradients(outputs), self._graph.number(0.0)
        for key in outputs:  # what a phase overwrites has no other adjoint than that of what it read
            if key.startswith("="):
                gradients.setdefault(key[1:], zero)
        scalars, lines = self._body(gradients.values())
        values = [f"const R o{k} = {self._term(node)};" for k, node in enumerate(gradients.values())]
        stores = [self._stored(name, f"o{k}", f"={name}" in outputs) for k, name in enumerate(gradients)]
        gathered, count = self._gathered, len(self._gathered)
        self.slots = count + len(self._scattered)
        head = [
            *(
                f"gather(w->scratch + {k} * s->n, {source}, s->k[{index}], s->n);"
                for k, (source, index) in enumerate(gathered)
            ),
            *(f"const R *const restrict g{k} = w->scratch + {k} * s->n;" for k in range(count)),
            *(f"R *const restrict h{k} = w->scratch + {count + k} * s->n;" for k in range(len(self._scattered))),
            *(f"const R *const restrict f{k} = s->f[{k}];" for k in sorted(self._used_fields)),
            *(f"R *const restrict bar{k} = bar[{k}];" for k in sorted(self._used_bars)),
            *(f"const int *const restrict k{k} = s->k[{k}];" for k in sorted(self._used_indices)),
        ]
        scatters = ["for (long i = 0; i < s->n; i++) {", *(f"    {each}" for each in self._scattered), "}"]
        return "\n".join([
            f"static void {self.name}(const Set *restrict s, Brain *restrict b, R *const *restrict bar,"
            " Sweep *restrict w) {",
            *(f"    {each}" for each in (*head, *scalars)),
            "    SIMD for (long i = 0; i < s->n; i++) {",
            *(f"        {each}" for each in (*lines, *values, *stores)),
            "    }",
            *(f"    {each}" for each in scatters if self._scattered),
            "}",
        ])  # fmt: skip

    def _differentiated(self) -> dict[str, int]:
        """What the phase stores, states and concentrations with "=" before their names."""
        outputs = {name: node for name, node in self._kind.outputs(self._of).items() if "@hoisted" not in name}
        if self._of == "initial":
            return {f"={name}": node for name, node in outputs.items()}
        if self._of == "current" and any(name.startswith("=") for name in outputs):
            raise MechanismError(
                f"{self._kind.mechanism.source.file}: BREAKPOINT leaves a value for the next step, which the adjoint "
                "of the native engine has no code for"
            )
        return outputs

    def _gradients(self, outputs: dict[str, int]) -> dict[str, int]:
        """Name of what the phase read -> node of what its adjoint gains."""
        graph, seeds = self._graph, {}
        for name, node in outputs.items():
            seed = graph.symbol(_SEED + name, Level.STEP)
            seeds[node] = graph.apply("+", seeds[node], seed) if node in seeds else seed
        symbols = [node for node in graph.order(outputs.values()) if graph.entries[node][0] == "symbol"]
        read = {graph.entries[node][2]: node for node in symbols}
        wanted = {name: read[name] for name in self._differentiable() if name in read}
        found = dict(zip(wanted, graph.gradient(seeds, wanted.values()), strict=True))
        return {name: node for name, node in found.items() if graph.value(node) != 0.0}

    def _differentiable(self) -> list[str]:
        mechanism = self._kind.mechanism
        names = [*parameters(self._kind), *self._kind.states, "v", TRANSFERRED, _PARTNER]
        names += [*mechanism.concentrations_owned, *mechanism.concentrations_read, *mechanism.ion_currents_read]
        return names + ([mechanism.pointer] if mechanism.pointer else [])

    # --- loads

    def _load(self, name: str) -> str:
        if not name.startswith(_SEED):
            return super()._load(name)
        name = name.removeprefix(_SEED)
        if name in ("d", "b"):
            where = {"prepare": "sum_", "tick": "tick_"}.get(self._of, "")
            return self._gather(f"w->{where}{name}", "node")
        if name.endswith(" to"):
            return self._gather("w->ion_current", name)
        if name.endswith(" slope"):
            return self._gather("w->ion_slope", name.replace(" slope", " to"))
        name = name.removeprefix("=")
        if name in self._kind.mechanism.concentrations_owned:
            return self._gather("w->concentration", name)
        return self._bar(name)

    def _gather(self, source: str, name: str) -> str:
        what = source if "->" in source else f"b->{source}", self._kind.indices.index(name)
        if what not in self._gathered:
            self._gathered.append(what)
        return f"g{self._gathered.index(what)}[i]"

    def _bar(self, name: str) -> str:
        k = self._kind.fields.index(name)
        self._used_bars.add(k)
        return f"bar{k}[i]"

    # --- stores

    def _stored(self, name: str, term: str, replaced: bool) -> str:
        """The statement that passes an adjoint on; instances may share what is reached through an index."""
        mechanism = self._kind.mechanism
        where = {
            "v": ("v", "node"), TRANSFERRED: ("v", "partner"), _PARTNER: ("x", "partner"),
            mechanism.pointer: ("external", "external"),
        }  # fmt: skip
        if name in where:
            array, index = where[name]
        elif name in (*mechanism.concentrations_owned, *mechanism.concentrations_read):
            array, index = "concentration", name
        elif name in mechanism.ion_currents_read:
            array, index = "ion_current", name
        else:
            return f"{self._bar(name)} {'=' if replaced else '+='} {term};"
        k = len(self._scattered)
        self._scattered.append(f"w->{array}[{self._index(index)}] {'=' if replaced else '+='} h{k}[i];")
        return f"h{k}[i] = {term};"
