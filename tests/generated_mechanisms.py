"""Writes .mod files at random as people write them, and runs them in NEURON and in the native engine.

`python generated_mechanisms.py FOLDER` compiles all files of FOLDER/mod at once, gives each a section of its own, and
prints what the native engine refuses, and by how much voltages and states part in the rest.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from tianbao.engine.graph import Level

OWN = [
    "gmax", "scale", "kslope", "vhalf", "q10", "tadj", "h", "n", "inf", "L", "Ra", "cm", "nseg", "pi",
    "e", "R", "F", "lambda", "rate", "k1", "ek2", "area2", "tt", "vv", "min",
]  # fmt: skip
SHADOWS = ["v", "t", "dt", "celsius", "diam", "area", "gmax", "vhalf", "x", "q", "inf"]
SPECIAL = ["v", "dt", "celsius", "diam", "area"]  # NEURON refuses a declared t
IONS = {
    "k": (["ek"], ["ik"]), "na": (["ena"], ["ina"]), "ca": (["eca"], ["ica"]), "nai": (["enai"], ["inai"]),
    "ino": (["inoi", "einoo"[:4]], ["iino"]),
}  # fmt: skip


class Writer:
    """One mechanism, written with the choices of a random generator."""

    def __init__(self, rng: random.Random, name: str) -> None:
        self.rng, self.name = rng, name
        self.lines: dict[str, list[str]] = {"PARAMETER": [], "ASSIGNED": [], "STATE": [], "CONSTANT": []}
        self.range, self.globals = [], []
        self.numbers: list[str] = []  # names whose values do not move
        self.set_outside: list[str] = []
        # NEURON takes a derivative in a choice only where all are linear in their states.
        self.linear = self.some(0.7)

    def some(self, probability: float = 0.5) -> bool:
        """A biased coin."""
        return self.rng.random() < probability

    # --- declarations

    def declare(self) -> None:
        """Parameters, NEURON's names and what is assigned."""
        rng = self.rng
        own = rng.sample(OWN, 6)
        for name in own[:4]:
            self.lines["PARAMETER"].append(
                f"{name} = {rng.uniform(0.2, 3):.4g} ({rng.choice(['1', 'mV', ''])})".replace("()", "")
            )
            rng.choice([self.range, self.globals, []]).append(name)
            self.numbers.append(name)
        self.lines["CONSTANT"].append(f"{own[4]} = {rng.uniform(0.2, 3):.9g}")
        self.numbers.append(own[4])
        if self.some(0.3):
            self.lines["ASSIGNED"].append(own[5])
            rng.choice([self.range, self.globals]).append(own[5])
            self.numbers.append(own[5])
            self.set_outside.append(own[5])
        for name in SPECIAL:
            where = rng.choice(["PARAMETER", "ASSIGNED", "PARAMETER =", *([] if name == "v" else [""])])
            if where == "PARAMETER =":
                self.lines["PARAMETER"].append(f"{name} = {rng.randint(1, 40)}")
            elif where:
                self.lines[where].append(name)

    # --- expressions

    def number(self, names: list[str] | None = None) -> str:
        """A value that does not move."""
        return self.rng.choice(
            [*(names or self.numbers), "celsius/20", "diam/10", f"{self.rng.uniform(0.3, 2):.3g}", "area/500", "dt*4"]
        )

    def bounded(self, moving: list[str]) -> str:
        """An expression between 0 and 1 of something that moves."""
        rng = self.rng
        x = rng.choice([*moving, "v", "(v + 30)"])
        return rng.choice([
            f"1/(1 + exp(-({x} + 10*{self.number()})/{rng.uniform(5, 12):.3g}))",
            f"(0.5 + 0.5*tanh(({x} - {self.number()})/30))",
            f"exp(-fabs({x})/(20 + {self.number()}))",
            f"1/(1 + ({x}/50)^{rng.choice(['2', '4'])})",
            f"(1 + {x}*{x}/900)^-{rng.choice(['0.5', '1', '0.7'])}",
            f"sqrt(1/(1 + log(1 + {x}*{x})))",
            f"f({x}, {self.number()})",
        ])  # fmt: skip

    def condition(self, moving: list[str]) -> str:
        """Something to decide by."""
        rng = self.rng
        one = rng.choice([*self.numbers, "celsius", "diam", "dt", "t", rng.choice([*moving, "v"])])
        limit = {"celsius": "18.01", "diam": "7.03", "dt": "0.15", "t": "3.03"}.get(one, f"{rng.uniform(-1, 2):.4g}")
        text = f"{one} {rng.choice(['>', '<', '>=', '<=', '!='])} {limit}"
        if self.some(0.3):
            text = f"({text}) {rng.choice(['&&', '||'])} (v {rng.choice('<>')} -41.7)"
        return f"!({text})" if self.some(0.1) else text

    def assign(self, target: str, moving: list[str]) -> str:
        """A statement, or a choice of two."""
        word = self.rng.choice(["if", "if", "IF"])
        if self.some(0.35):
            inner = self.rng.choice(["", "LOCAL q\n q = 0.3\n "])
            other = f" else {{ {target} = {self.bounded(moving)} }}" if self.some(0.7) else ""
            chosen = f"{{ {inner}{target} = {self.bounded(moving)} }}{other}"
            return f"{target} = 0.4\n {word} ({self.condition(moving)}) {chosen}"
        return f"{target} = {self.bounded(moving)}"

    # --- blocks

    def text(self) -> str:
        """The whole file."""
        rng = self.rng
        self.declare()
        ions = rng.sample(sorted(IONS), rng.choice([0, 0, 1, 2]))
        use, currents = [], []
        for ion in ions:
            (reversal, *more), (current,) = IONS[ion]
            read = [reversal] if self.some(0.8) else []
            read += [*more, f"{ion}i"] if self.some(0.3) and not read else []
            use.append(
                f"USEION {ion} " + (f"READ {', '.join(dict.fromkeys(read))} " if read else "") + f"WRITE {current}"
            )
            for name in (*dict.fromkeys(read), current):
                self.lines[rng.choice(["ASSIGNED", "PARAMETER"]) if name != current else "ASSIGNED"].append(name)
            drive = f"(v - {reversal})" if reversal in read else f"(v + {rng.randint(20, 90)} + {(read or ['0'])[0]})"
            currents.append((current, drive))
        if not currents or self.some(0.3):
            self.lines["ASSIGNED"].append("i")
            currents.append(("i", f"(v + {rng.randint(20, 90)})"))
            use.append("NONSPECIFIC_CURRENT i")
        states = rng.sample(["m", "s1", "w", "ca", "cm0"], rng.choice([0, 1, 2, 3]))
        self.lines["STATE"] += states
        targets = [f"{state}_{what}" for state in states for what in ("inf", "tau")]
        self.lines["ASSIGNED"] += [*targets, "q", "x"]
        self.range += rng.sample(targets, len(targets) // 2)
        if self.some(0.3) and targets:
            self.globals += [name for name in targets if name not in self.range]
        for state in states:
            if self.some(0.3):
                self.lines["PARAMETER"].append(f"{state}0 = {rng.uniform(0, 1):.3g}")
                rng.choice([self.range, self.globals, []]).append(f"{state}0")
        blocks = self.blocks(states, currents)
        neuron = [f"SUFFIX {self.name}", *use]
        for word, names in (("RANGE", self.range), ("GLOBAL", self.globals)):
            neuron += [f"{word} {', '.join(names)}"] if names else []
        if self.some(0.5):
            neuron.append("THREADSAFE")
        rng.shuffle(neuron)
        gap = rng.choice(["\n", " "])
        blocks.append("NEURON {" + gap + gap.join(neuron) + gap + "}")
        for word, lines in self.lines.items():
            rng.shuffle(lines)
            if lines:
                blocks.append(f"{word} {{\n " + "\n ".join(lines) + "\n}")
        return self.laid_out(blocks)

    def laid_out(self, blocks: list[str]) -> str:
        """Blocks in any order that NEURON takes, with comments between them."""
        rng = self.rng
        rng.shuffle(blocks)
        # NEURON wants SOLVE before what it solves, and a state before its derivative.
        rank = {"STATE": 0, "BREAKPOINT": 1, "DERIVATIVE": 2, "PROCEDURE update": 2}
        slots = [k for k, each in enumerate(blocks) if any(each.startswith(word) for word in rank)]
        ordered = sorted(
            (blocks[k] for k in slots), key=lambda each: next(r for w, r in rank.items() if each.startswith(w))
        )
        for k, each in zip(slots, ordered, strict=True):
            blocks[k] = each
        between = [
            "",
            ": SUFFIX wrong {",
            "? NEURON { SUFFIX no }",
            "COMMENT\nNEURON { SUFFIX caf\xe9 }\nENDCOMMENT",
            "UNITSOFF\nUNITSON",
        ]
        text = "\n".join(f"{rng.choice(between)}\n{each}" for each in blocks) + "\n"
        return "TITLE SUFFIX title\n" + text if self.some(0.3) else text

    def blocks(self, states: list[str], currents: list[tuple[str, str]]) -> list[str]:
        """INITIAL, BREAKPOINT and what they call."""
        rng = self.rng
        argument, other = rng.sample(SHADOWS, 2)
        inner = "\n ".join(
            f"{self.assign(f'{state}_inf', [argument])}\n {state}_tau = 2 + 20*{self.bounded([argument])}"
            for state in states
        )
        found = [
            f"PROCEDURE rates({argument} (mV)) {{ LOCAL {other}\n {other} = 3\n {inner}\n}}",
            f"FUNCTION f({rng.choice(['v', 'a', 't', 'celsius'])}, b (1)) (1) {{ LOCAL c\n c = 2 + b*b\n"
            f" if (c > 3.3) {{ c = 3.3 }}\n f = 1/(c + {self.number()})\n}}",
        ]
        start = [f"rates({rng.choice(['v', '-50', 'v + 1'])})"] if states else []
        start += [f"{state} = {state}_inf" for state in states if self.some(0.6)]
        start += ["q = celsius/30", "x = 0"]  # what INITIAL leaves out, NEURON keeps from the run before
        found.append("INITIAL {\n " + "\n ".join(start) + "\n}")
        body = ["LOCAL " + ", ".join(["loc", *(["gmax"] if self.some(0.2) else [])])]
        body[0] += "\n gmax = 1" if "gmax" in body[0] else ""
        if states:
            solve = "SOLVE states METHOD cnexp"
            found.append(
                "DERIVATIVE states {\n rates(v)\n " + "\n ".join(self.derivative(s, states) for s in states) + "\n}"
            )
            body.insert(rng.choice([1, 1, len(body)]), solve)
        elif self.some():  # NEURON takes one SOLVE only
            found.append(f"PROCEDURE update() {{\n x = 0.5*x + {self.bounded([])}\n}}")
            body.append("SOLVE update")
        body.append(self.assign("loc", [*states]))
        for current, drive in currents:
            factor = rng.choice(
                [
                    "loc",
                    self.bounded(states),
                    rng.choice(states) if states else "loc",
                    "q",
                    f"{self.number()}*0.5",
                    "(1 + x)",
                ]
            )
            body.append(f"{current} = {rng.uniform(2e-5, 4e-4):.3g}*{factor}*{drive}")
        found.append("BREAKPOINT {\n " + "\n ".join(body) + "\n}")
        return found

    def derivative(self, state: str, states: list[str]) -> str:
        """The equation of a state."""
        rng, others = self.rng, [each for each in states if each != state]
        toward = f"({state}_inf - {state})/{state}_tau"
        return rng.choice([
            f"{state}' = {toward}",
            f"{state}' = {state}_inf*(1 - {state}) - {state}/{state}_tau",
            f"{state}' = -{state}/({state}_tau + 3*exp(-fabs({rng.choice([*others, 'v'])})/30))",
            f"if ({self.condition([])}) {{ {state}' = -{state}/9 }} else {{ {state}' = {toward} }}"
            if self.linear
            else f"{state}' = 0.2 - {state}/9",
            f"{state}' = 0.01*{state}_inf",
            f"{state}' = 0.1*({state}_inf - 2*{state} + 0.5*{state})",
            f"{state}' = " + (f"({state}_inf - {state})*0.2" if self.linear else f"0.1*f({state}, 1)"),
            f"{state}' = " + (f"0.3 - {state}/7" if self.linear else f"0.1*({state}_inf - {state}*{state})"),
        ])  # fmt: skip


def mechanism(rng: random.Random, name: str) -> tuple[str, list[str]]:
    """A .mod file, and those of its names that its user sets."""
    writer = Writer(rng, name)
    return writer.text(), writer.set_outside


def _is_bent(mechanism) -> bool:
    """Whether a current of a mechanism is not linear in v."""
    for variant in mechanism.variants:
        v = variant.graph.symbol("v", Level.STEP)
        if any(v in variant.graph.order([variant.graph.derivative(each, v)]) for each in variant.currents.values()):
            return True
    return False


def main(folder: str) -> int:
    """Run every mechanism of a folder in both engines; prints what is refused or parts, and returns 1 if one parts."""
    import numpy as np

    from tianbao import mechanisms, paths
    from tianbao.engine.kinds import kinds
    from tianbao.engine.mechanism import understand
    from tianbao.engine.nmodl import parse
    from tianbao.errors import MechanismError
    from tianbao.mechanisms import mod_files

    paths.data_root = lambda: Path(folder)
    mechanisms.load()
    from neuron import h

    from tianbao.engine.native import NativeBrain

    accepted = []
    for path in mechanisms.mechanism_files():
        try:
            accepted.append(understand(parse(mod_files.text(path), path.name)))
        except MechanismError as error:
            print("refused", error)
    sections, kept = [], []
    for k, each in enumerate(accepted):
        cell = h.Section(name=f"c{k}")
        cell.L, cell.nseg, cell.diam = 60, 3, 6
        cell.insert("pas")
        cell.g_pas, cell.e_pas, cell.v = 2e-4, -60, -60 + k % 7
        cell.insert(each.name)
        if hasattr(cell, "eca"):
            cell.eca = 50  # not where NEURON puts it, so far off that rounding grows on the way there
        for segment in cell:
            segment.diam = 4 + 8 * segment.x
            holder = getattr(segment, each.name)
            for name in each.instance:
                if hasattr(holder, name) and name in each.source.range:
                    setattr(
                        holder,
                        name,
                        getattr(holder, name) * (0.8 + 0.5 * segment.x) + 0.1 * (name in each.source.assigned),
                    )
        clamp = h.IClamp(cell(0.2))
        clamp.delay, clamp.dur, clamp.amp = 1.0, 4.0, 0.03
        kept.append(clamp)
        sections.append(cell)
    native = NativeBrain(sections, given=tuple(kinds(accepted)))
    somas = [segment for cell in sections for segment in cell]
    places, parted = native.nodes(somas), set()
    # Both engines take the slope of a current that is bent in v from a difference over 0.001 mV, whose rounding grows.
    limits = np.array([1e-8 if _is_bent(each) else 1e-9 for each in accepted for _ in range(3)])
    for dt, celsius, order, factor in ((0.1, 6.3, 1, 1.0), (0.2, 25.0, 1, 1.3), (0.1, 25.0, 2, 0.7)):
        h.dt, h.celsius, h.secondorder = dt, celsius, 0 if order == 1 else 2
        for each in accepted:
            for name in each.uniform:
                if name not in ("dt", "celsius"):
                    setattr(h, f"{name}_{each.name}", getattr(h, f"{name}_{each.name}") * factor + 0.01)
        for k, cell in enumerate(sections):
            cell.v = -60 + k % 7
        native.start(dt, order, rate=None)
        h.finitialize()
        for step in range(80):
            now = np.array([segment.v for segment in somas])
            apart = np.abs(native.voltage[places] - now)
            apart[np.isnan(native.voltage[places]) & np.isnan(now)] = 0.0
            for k in np.flatnonzero(~(apart < limits)):
                each = accepted[k // 3]
                if each.name not in parted:
                    parted.add(each.name)
                    print(
                        f"parted {each.name}: dt {dt}, order {order}, step {step}, by {apart[k]:.3g} mV at",
                        now[k],
                    )
            h.fadvance()
            native.advance(1)
    print(f"compared {len(accepted)}")
    return bool(parted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
