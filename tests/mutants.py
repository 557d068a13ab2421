"""Whether the default suite notices careless changes: each mutant breaks a line or two of a copy of the package.

    python tests/mutants.py --list             # what there is
    python tests/mutants.py                    # all of them, after a run without any (40 minutes on one core)
    python tests/mutants.py "noise*" gravity   # some, by name or glob
    python tests/mutants.py --tests tests/test_wiring.py tests/test_exchange.py

A mutant is killed when a test fails. One whose text is no longer in its file is reported as stale: mend its row.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COPIED, LINKED = ("tianbao", "tests"), ("mod", "morphologies", "connectome", "docs", "sims", "setup.cfg", "ruff.toml")
LONGEST = 900.0  # [s] of one mutant; one that hangs counts as killed

WIRING, DESIGN, RULES = "tianbao/network/wiring.py", "tianbao/network/design.py", "tianbao/network/rules.py"
ASSEMBLY, STRETCH = "tianbao/network/assembly.py", "tianbao/sensing/stretch.py"
SIMULATION, ANIMAL, THE_LOOP = "tianbao/loop/simulation.py", "tianbao/loop/animal.py", "tianbao/loop/loop.py"
RUN, NATIVE, CHEMICAL = "tianbao/loop/run.py", "tianbao/engine/flat.py", "tianbao/sensing/chemical.py"
BRAIN, COMPILED, IN_NEURON = (f"tianbao/engine/{each}.py" for each in ("brain", "compiled_brain", "neuron_brain"))
TENSION, WALLS = "tianbao/muscles/tension.py", "tianbao/loop/walls.py"

# The likely ones first: the first failure ends a mutant.
STATIC = "tests/test_strengths.py", "tests/test_wiring.py", "tests/test_exchange.py"
LOOP = "tests/test_closed_loop.py", "tests/test_checkpoint.py", "tests/test_interventions.py"
ENGINE = ("tests/test_engine.py", "tests/test_network.py")
NETWORK = (*STATIC, *LOOP, "tests/test_network.py")
WORMS = ("tests/test_worms.py", "tests/test_inputs.py")
BODY = (*LOOP, "tests/test_contact.py", "tests/test_body.py")


@dataclass(frozen=True)
class Mutant:
    """A careless change.

    Attributes:
        name: unique.
        edits: file, text that occurs in it once, what a careless hand makes of it.
        tests: test files that should notice, the likely ones first.
    """

    name: str
    edits: tuple[tuple[str, str, str], ...]
    tests: tuple[str, ...]


def mutant(name: str, file: str, old: str, new: str, tests: tuple[str, ...], *more: tuple[str, str, str]) -> Mutant:
    """One row of the table; `more` holds further edits."""
    return Mutant(name, ((file, old, new), *more), tests)


# The six that once survived, then others over network, senses, engine, loop and body.
MUTANTS = (
    mutant("GABA contacts shared by the excitatory total", WIRING,
           '/ cord.groupby("sign")["count"].sum()', '/ cord["count"][cord.sign == "excitatory"].sum()', STATIC),
    mutant("head and cord stretch gains swapped", STRETCH, "side, p.head_stretch_gain,", "side, p.cord_stretch_gain,",
           STATIC, (STRETCH, "p.cord_stretch_gain + p.cord_opp", "p.head_stretch_gain + p.cord_opp")),
    mutant("noise x20", DESIGN, "return p.noise * ", "return 20.0 * p.noise * ", STATIC),
    mutant("muscle tau x10", "tianbao/muscles/cells.py", '"tau": p.muscle_tau', '"tau": 10.0 * p.muscle_tau', NETWORK),
    mutant("declared release_half ignored", RULES, "design.parameters.release_half if own_half is None else own_half",
           "design.parameters.release_half", NETWORK),
    mutant("dyad_gain ignored", WIRING, "np.where(at_dyads(table), p.dyad_gain, gain)", "gain", STATIC),
    mutant("head_cross_gain ignored", WIRING, "np.where(table.head_cross, p.head_cross_gain, gain)", "gain", STATIC),
    mutant("bias not scaled with the cell", DESIGN, "return current * input_scale(self.capacitance[neuron], p)",
           "return current", NETWORK),
    mutant("synapses scaled by the presynaptic cell", WIRING,
           "tyramine_gain\"], gain)\n    scale = np.array([input_scale(capacitance[post], p) for post in table.post",
           "tyramine_gain\"], gain)\n    scale = np.array([input_scale(capacitance[pre], p) for pre in table.pre",
           NETWORK),
    mutant("gap junctions one-sided", RULES, '"bidirectional": True', '"bidirectional": False', NETWORK),
    mutant("share of receptors ignored", ASSEMBLY, '"share": share,', '"share": 1.0,', NETWORK),
    mutant("stretch windows mirrored", STRETCH, '{"posterior": 1.0, "anterior": -1.0}',
           '{"posterior": -1.0, "anterior": 1.0}', STATIC),
    mutant("RMDD feel the ventral side", "tianbao/sensing/stretch.csv", "RMDD,head,dorsal", "RMDD,head,ventral",
           NETWORK),
    mutant("temperature not handed to the native engine", COMPILED, "dt, order, corrections, rate, shared)",
           "dt, order, corrections, 1.0, shared)", LOOP),
    mutant("no lead at order 2", BRAIN, "2: (2, 0.5)", "2: (2, 0.0)", ENGINE),
    mutant("corrections ignored", COMPILED, "dt, order, corrections, rate, shared)", "dt, order, 0, rate, shared)",
           ENGINE),
    mutant("NEURON gets the currents a tick late", IN_NEURON,
           "        self._clamps.scatter(self._current)\n        self._parallel.psolve(time)\n",
           "        self._parallel.psolve(time)\n        self._clamps.scatter(self._current)\n", (*LOOP, *ENGINE)),
    mutant("currents of the next tick", ANIMAL, "_currents.write(seen.time,", "_currents.write(seen.time + 4.0,", LOOP),
    mutant("frames a tick late", RUN, "if loop.ticks % each.every == 0]:", "if (loop.ticks - 1) % each.every == 0]:",
           LOOP),
    mutant("resumed without adaptation", STRETCH, 'self._adapted[:] = state["adapted"]', "pass", LOOP),
    mutant("noise generator not restored", THE_LOOP, "animal.generator = generator", "pass", LOOP),
    mutant("flow reaches no worm", THE_LOOP, "if arena.flow is not None:", "if arena.flow is None:", BODY),
    mutant("left and right quadrants swapped", TENSION, '("DL", "DR", "VL", "VR")', '("DR", "DL", "VR", "VL")',
           NETWORK),
    mutant("walls push the other way", WALLS, "[0.5, 0.5, -0.5, -0.5]", "[-0.5, -0.5, 0.5, 0.5]", LOOP),
    mutant("gravity upwards", "tianbao/body/solver.py", "medium.surface_stiffness, self.gravity",
           "medium.surface_stiffness, -self.gravity", BODY),
    mutant("heading mirrored", THE_LOOP, "heading=model.heading", "heading=-model.heading", BODY),
    mutant("every worm bends as the first", THE_LOOP, "Seen(self.time, bend, line,",
           "Seen(self.time, self._bend[0], line,", WORMS),
    mutant("a worm alone draws other numbers", THE_LOOP, "+ which]) for k in streams]",
           "+ which]) for k in range(len(streams))]", WORMS),
    mutant("taste at the tail", CHEMICAL, "_between(self._sites, len(midline))",
           "_between(1.0 - self._sites, len(midline))", WORMS),
    mutant("modulators forgotten", "tianbao/network/modulation.py", "out[:own] = self._level", "out[:own] = 1.0",
           WORMS),
    mutant("light stays on", ANIMAL, "0.0 if light is None else light", "1.0 if light is None else light", WORMS),
    mutant("rates of the file", NATIVE, "group.values[RATE] if rate is None else rate", "group.values[RATE]", LOOP),
    mutant("a worm does not touch itself", SIMULATION, "worms, touching=True,", "worms, touching=False,", BODY),
)  # fmt: skip


class Copy:
    """A copy of the checkout in a temporary folder, in which one mutant at a time lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in COPIED:
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in LINKED:
            (folder / name).symlink_to(ROOT / name)

    def fails(self, tests: tuple[str, ...]) -> str:
        """First test that fails, "" when all pass."""
        here = [each for each in tests if (self.folder / each).exists()]
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        environment.setdefault("TIANBAO_MECHS", str(ROOT / "build" / "mechs"))
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *here]
        try:
            done = subprocess.run(
                command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=LONGEST, check=False
            )
        except subprocess.TimeoutExpired:
            return f"nothing, for {LONGEST:g} s"
        if done.returncode == 0:
            return ""
        found = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
        return found.group(1) if found else f"pytest ended with {done.returncode}: {done.stdout[-400:]}"

    def mutate(self, each: Mutant) -> str:
        """Break the copy; the file whose text has changed since the row was written, "" if none has."""
        for file, old, new in each.edits:
            path = self.folder / file
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            if text.count(old) != 1:
                return file
            path.write_text(text.replace(old, new), encoding="utf-8")
        return ""

    def mend(self, each: Mutant) -> None:
        """Undo it."""
        for file, *_ in each.edits:
            if (ROOT / file).exists():
                shutil.copyfile(ROOT / file, self.folder / file)


def chosen(patterns: list[str]) -> list[Mutant]:
    """Mutants whose name matches one of the patterns; all without any."""
    return [each for each in MUTANTS if not patterns or any(fnmatch.fnmatch(each.name, one) for one in patterns)]


def outcome(copy: Copy, each: Mutant, tests: tuple[str, ...]) -> tuple[str, str]:
    """"killed", "survived" or "stale", and by which test or where."""
    stale = copy.mutate(each)
    fails = "" if stale else copy.fails(tests)
    copy.mend(each)
    if stale:
        return "stale", stale
    return ("killed", fails) if fails else ("survived", ", ".join(tests))


def main() -> int:
    """Exit status 0 when every chosen mutant is killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="names or globs; all when none is given")
    parser.add_argument("--list", action="store_true", help="show the mutants and stop")
    parser.add_argument("--tests", nargs="+", help="test files instead of those of each row")
    parser.add_argument("--no-baseline", action="store_true", help="take it that the tests pass as things are")
    asked = parser.parse_args()
    mutants = chosen(asked.names)
    if asked.list:
        print("\n".join(f"{each.name:46} {each.edits[0][0]}" for each in mutants))
        return 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Copy(Path(folder))
        used = dict.fromkeys(file for each in mutants for file in (asked.tests or each.tests))
        if not asked.no_baseline and (broken := copy.fails(tuple(used))):
            print(f"without any mutant, this fails: {broken}", file=sys.stderr)
            return 2
        states = []
        for each in mutants:
            began = time.perf_counter()
            state, where = outcome(copy, each, tuple(asked.tests or each.tests))
            states.append(state)
            print(f"{state:9} {each.name:46} {time.perf_counter() - began:5.0f} s  {where}", flush=True)
    print(f"{states.count('killed')} of {len(states)} killed, {states.count('stale')} stale")
    return int(states.count("killed") < len(states))


if __name__ == "__main__":
    sys.exit(main())
