"""Does the worm change as the animal does when neurons are killed, genes lost or connections moved?

Question: each row of perturbations.csv is a published sign: what is done, what is measured, and whether it should be
lower, higher or the same. Perturbed worms are compared with control worms of the same seeds; several perturbations
share one control.
See: for each row the control's and the perturbed value, their difference with its 95 % interval (worms drawn anew in
pairs of one seed), and a verdict: right, wrong, undecided, or not applicable with a reason.
Time: about half an hour on two cores; called again with the same folder, it goes on where it was broken off.
Compare: Chalfie et al. 1985, Kaplan & Horvitz 1993, Gray et al. 2005, Deng et al. 2021, and others named in the table.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import tianbao as tb
from tianbao.behaviour.estimates import FEWEST
from tianbao.behaviour.measures import measure_of
from tianbao.behaviour.taxis import Interval
from tianbao.cli import run_script
from tianbao.config import RunConfig, parse_setting
from tianbao.experiment import simulation
from tianbao.interventions import parse_command
from tianbao.io.files import claimed, prepare_folder, write_atomically
from tianbao.rows import read_rows
from tianbao.validation.assay import CERTAINTIES, Placing, Setup
from tianbao.validation.assay_runs import Group, Kept, run_groups

TESTS = Path(__file__).with_name("perturbations.csv")
CONTROL = "control"
EXPECTED = ("lower", "higher", "same")
SAME = 0.25  # assumed: of the control's value, by which a perturbed worm that is "the same" may differ
RIGHT, WRONG, UNDECIDED, NOT_APPLICABLE = "right", "wrong", "undecided", "not applicable"
WORM = {
    "worm": {"discretisation": "d_lambda", "decision": "network",
             "signs": "deciding"},
    "clock": {"tick": 4.0, "frame": 40.0},
    "record": {"voltage": []},
}  # fmt: skip
SETTLED, STIMULUS, LASTS, SPREAD = 5_000.0, 7_000.0, 500.0, 1_500.0  # [ms]
GLYCEROL, BATHED = 1000.0, 3_000.0  # [mM], [ms]


@dataclass(frozen=True)
class Context:
    """What worms meet, the same for control and perturbed ones.

    Attributes:
        changes: of the configuration.
        duration: [ms].
        worms: in each group.
        stimulus: its start [ms], 0 for none.
    """

    changes: Mapping[str, Any]
    duration: float
    worms: int
    stimulus: float = 0.0

    def setup(self) -> Setup:
        """How its worms are run."""
        spread = SPREAD if self.stimulus else 0.0
        return Setup(worms=self.worms, together=4, settle=SETTLED, stimulus=self.stimulus, spread=spread,
                     placing=Placing(apart=6.0))  # fmt: skip


def _touched(at: Any, **more: float) -> dict[str, Any]:
    return {"interventions": [{"verb": "touch", "at": at, "start": STIMULUS, "stop": STIMULUS + LASTS, **more}]}


_BATH = {"kind": "bath", "name": "glycerol",
         "steps": [[0.0, 0.0], [STIMULUS, GLYCEROL], [STIMULUS + BATHED, 0.0]]}  # fmt: skip
CONTEXTS = {
    "off food": Context({}, 60_000.0, 12),
    "crawl": Context({}, 22_000.0, 8),
    "swim": Context({"arena": {"medium": "water"}}, 13_000.0, 8),
    "anterior touch": Context(_touched([0.15, 0.35]), 13_000.0, 20, STIMULUS),
    "posterior touch": Context(_touched([0.7, 0.85]), 13_000.0, 20, STIMULUS),
    "nose touch": Context(_touched(0.0, indentation=20.0), 13_000.0, 20, STIMULUS),
    "tap": Context({"interventions": [{"verb": "tap", "start": STIMULUS}]}, 13_000.0, 20, STIMULUS),
    "glycerol": Context({"fields": [_BATH]}, 16_000.0, 20, STIMULUS),
}


@dataclass(frozen=True)
class Test:
    """A row of the table."""

    name: str
    context: str
    perturbation: str
    measure: str
    arguments: Mapping[str, Any]
    expected: str
    not_applicable: str
    source: str
    certainty: str

    @property
    def key(self) -> str:
        """Of its measure among the rows of a worm."""
        return f"{self.measure} {sorted(self.arguments.items())}" if self.arguments else self.measure

    def group(self, what: str) -> str:
        """Name of a group of worms in its context."""
        return f"{self.context}: {what}"


def read_tests(path: Path = TESTS) -> list[Test]:
    """The sign tests.

    Raises:
        ConfigError: for an unknown context, measure, argument, expectation or certainty, or a row without a source.
    """
    found = []
    for where, row in read_rows(path):
        for column, known in (("context", CONTEXTS), ("expected", EXPECTED), ("certainty", CERTAINTIES)):
            if row[column] not in known:
                raise tb.ConfigError(f"{where}: '{column}' = '{row[column]}' must be one of {', '.join(known)}")
        if not row["source"]:
            raise tb.ConfigError(f"{where}: '{row['name']}' has no source; name one")
        if not row["perturbation"] and not row["not_applicable"]:
            raise tb.ConfigError(f"{where}: '{row['name']}' does nothing; give a perturbation, or why there is none")
        given = dict(parse_setting(each) for each in row.pop("arguments").split(";") if each)
        arguments = measure_of(row["measure"], where).arguments(given, where)
        found.append(Test(**row, arguments=arguments))
    return found


def perturbed(config: RunConfig, perturbation: str) -> RunConfig:
    """A configuration in which something is done: interventions and settings, separated by semicolons.

    Args:
        config: of the control.
        perturbation: such as "ablate AVA*; knock_out unc-25" or "worm.connectome=white1986".
    """
    done, changes = [], {}
    for part in filter(None, map(str.strip, perturbation.split(";"))):
        first = part.split()[0]
        if "=" in first:
            key, value = parse_setting(part)
            changes[key] = value
        else:
            done.append(parse_command(part))
    return config.updated({**changes, "interventions": [*config.interventions, *done]}, perturbation)


def groups_of(tests: Sequence[Test], worms: int | None, seconds: float | None, seed: int) -> list[Group]:
    """A control per context and a group per perturbation in it, each with all measures asked of the context.

    Raises:
        ConfigError, AnatomyError: for a perturbation that is not possible.
    """
    found: dict[str, Group] = {}
    for name, context in CONTEXTS.items():
        mine = [each for each in tests if each.context == name and not each.not_applicable]
        measures = {each.key: (each.measure, each.arguments) for each in mine}
        duration = context.duration if context.stimulus or seconds is None else SETTLED + 1e3 * seconds
        control = RunConfig().updated({**WORM, **context.changes, "duration": duration, "seed": seed}, name)
        count = worms or context.worms
        for what in dict.fromkeys([CONTROL, *(each.perturbation for each in mine)] if mine else []):
            config = control if what == CONTROL else perturbed(control, what)
            simulation(config, progress=False)  # refuses what is not possible before hours of computing
            found[f"{name}: {what}"] = Group(f"{name}: {what}", config, context.setup(), measures, count)
    return list(found.values())


def verdict(test: Test, control: float, effect: Interval) -> str:
    """Whether the sign is that of the animal; the interval of the effect decides."""
    if effect.worms < FEWEST or not (math.isfinite(effect.low) and math.isfinite(effect.high)):
        return UNDECIDED
    if test.expected == "same":
        most = SAME * abs(control)
        if -most <= effect.low and effect.high <= most:
            return RIGHT
        return WRONG if effect.low > most or effect.high < -most else UNDECIDED
    sign = 1.0 if test.expected == "higher" else -1.0
    ends = sorted((sign * effect.low, sign * effect.high))
    return RIGHT if ends[0] > 0.0 else WRONG if ends[1] < 0.0 else UNDECIDED


def judged(test: Test, rows: Mapping[str, Sequence[dict]]) -> dict[str, Any]:
    """A row of the result."""
    told = {
        "name": test.name, "context": test.context, "perturbation": test.perturbation, "measure": test.measure,
        "expected": test.expected, "source": test.source, "certainty": test.certainty,
        "reason": test.not_applicable,
    }  # fmt: skip
    measure = measure_of(test.measure, test.name)
    if test.not_applicable:
        return {**told, "unit": measure.unit, "verdict": NOT_APPLICABLE}
    by_worm = [
        {row["worm"]: np.array(row["values"][test.key], float) for row in rows[test.group(what)] if "values" in row}
        for what in (test.perturbation, CONTROL)
    ]
    # In pairs of one seed; a worm whose run diverged takes its partner with it.
    both = sorted(set(by_worm[0]) & set(by_worm[1]))
    mine, others = ([each[worm] for worm in both] for each in by_worm)
    effect = measure.statistic.difference(mine, others, paired=True)
    value, control = (measure.statistic.estimate(each).value for each in (mine, others))
    return {
        **told, "unit": measure.unit, "n": len(both), "control": control, "perturbed": value, "effect": effect.value,
        "low": effect.low, "high": effect.high, "verdict": verdict(test, control, effect),
    }  # fmt: skip


COLUMNS = (
    "name", "context", "perturbation", "measure", "unit", "n", "control", "perturbed", "effect", "low", "high",
    "expected", "verdict", "reason", "source", "certainty",
)  # fmt: skip


def experiment(args: argparse.Namespace) -> int:
    """Run all groups and judge every row; exit code 0 when all were measured, whatever the verdicts."""
    if min(args.worms or 1, args.processes) < 1 or (args.seconds is not None and not args.seconds > 0.0):
        raise tb.ConfigError("--worms, --processes and --seconds must be positive")
    every = read_tests()
    known = {each.name for each in every}
    if wrong := sorted(set(args.only) - known):
        raise tb.ConfigError(f"--only: no row is named '{wrong[0]}'; the names are in {TESTS.name}")
    tests = [each for each in every if not args.only or each.name in args.only]
    groups = groups_of(tests, args.worms, args.seconds, args.seed)
    total = sum(each.config.duration * each.worms for each in groups) / 1e3
    print(f"{len(tests)} signs, {len(groups)} groups, {total:.0f} worm seconds", flush=True)
    folder = prepare_folder(args.out)
    with claimed(folder):
        rows = run_groups(groups, Kept(folder / "rows.jsonl"), processes=args.processes, label="perturbations")
    table = pd.DataFrame([judged(each, rows) for each in tests]).reindex(columns=list(COLUMNS))
    write_atomically(folder / "perturbations.csv", table.to_csv(index=False, float_format="%.4g").encode())
    print(table[["name", "measure", "control", "perturbed", "low", "high", "expected", "verdict"]].to_string(
        index=False, float_format=lambda value: f"{value:.3g}"))  # fmt: skip
    print(", ".join(f"{count} {name}" for name, count in table.verdict.value_counts().items()))
    print(f"wrote perturbations.csv in {folder}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worms", type=int, help="in each group (default: 8 to 20, by what they meet)")
    parser.add_argument("--seconds", type=float, help="of each worm without a stimulus, after the first 5 s")
    parser.add_argument("--seed", type=int, default=4001)
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="rows such as 'AIB killed'")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("output/perturbations"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
