"""Which of the values declared for the closed loop does the worm need?

Question: the membranes in the worm differ from those of the recorded cells in the rows of cells/declared.csv and in the
templates of classes.csv that are not the recorded ones. Does the worm still crawl, reverse on command and swim without
one of them?
Method: rows of one purpose are removed together, templates replaced by the recorded ones, and the AVB drive set to 0;
if the worm needs the group, its rows are removed one by one. What changes no membrane and no release is not run. The
worm crawls and then reverses on command on agar, and swims in water, with channel noise and the same seeds throughout.
See: a row is needed if without it speed, travelling R2, frequency or wavelength of the crawl or the swim, or speed or
recovery of the reversal, leave the tolerance around those of the intact worm; if the crawl does, the swim is not run.
Runs that are in --out already are not repeated: give a new folder after a change of the worm.
Time: about half an hour with one seed on two cores.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import multiprocessing
import multiprocessing.pool
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import tianbao as tb
from tianbao import anatomy
from tianbao.behaviour.reversals import reversal
from tianbao.cells import declared
from tianbao.cells.membrane import declared_release_half, membrane
from tianbao.cli import run_script
from tianbao.commands import back_up
from tianbao.io.files import prepare_folder, write_atomically

TEMPLATE, DRIVE = "template", "drive"
# Classes that are removed together -> name of the group.
FAMILIES = {"DA": "A", "VA": "A", "DB": "B", "VB": "B", "SMDD": "SMD", "SMDV": "SMD", "RMDD": "RMDD/V",
            "RMDV": "RMDD/V"}  # fmt: skip
# Duration, time discarded, body step and, on agar, start and stop of the command [ms].
MEDIA = {"agar": (10_500.0, 2_500.0, 4.0), "water": (5_500.0, 1_500.0, 2.0)}
BACK = (7_000.0, 9_000.0)
AGAIN = 0.2  # [mm/s] at which the worm moves forward again
# Largest loss of speed [share], of travelling R2, and change of frequency and wavelength [share] of a row not needed.
LOSS, SHAPE, CHANGE = 0.1, 0.05, 0.15
LOSS_BACK = 0.2  # of the speed of the reversal
LATE = 0.3  # [s] more until it moves forward again
GAIT = ("speed", "travelling_r2", "frequency", "wavelength")
MEASURED = (*GAIT, "reversal_speed", "again")
INTACT, UNCHANGED, TOGETHER = "nothing", "changes nothing", "all that are not needed"


@dataclass(frozen=True)
class Removal:
    """Rows that are removed together.

    Attributes:
        name: of the run.
        rows: pairs of class or neuron and quantity; the quantity "template" stands for the one in classes.csv.
    """

    name: str
    rows: tuple[tuple[str, str], ...] = ()


def groups() -> list[Removal]:
    """Every declared row, template and drive, with those of one purpose together."""
    rows = [(who, quantity) for who, its in declared.declared_table().items() for quantity in its]
    found = {
        "release_half": [each for each in rows if each[1] == "release_half"],
        "class_share": [each for each in rows if each[1] == "class_share"],
        "irk1": [each for each in rows if each[1] == "irk1"],
    }
    placed = {each for chosen in found.values() for each in chosen}
    for each in rows:
        if each not in placed:
            found.setdefault(f"{FAMILIES.get(each[0], each[0])} channels", []).append(each)
    for who, row in declared.class_rows().items():
        if row["template"] != row["recorded"]:
            found.setdefault(f"{FAMILIES.get(who, who)} templates", []).append((who, TEMPLATE))
    found["AVB drive"] = [("AVB", DRIVE)]
    return [Removal(name, tuple(chosen)) for name, chosen in found.items() if chosen]


def members(group: Removal) -> list[Removal]:
    """The rows of a group one by one; none for a single row."""
    return [Removal(" ".join(each), (each,)) for each in group.rows] if len(group.rows) > 1 else []


def neurons_of(removal: Removal) -> int:
    """How many deviations of single neurons the rows stand for."""
    table = anatomy.neurons()
    return sum(int(((table["class"] == who) | (table.index == who)).sum()) for who, _ in removal.rows)


def without(removal: Removal, folder: Path) -> None:
    """Make this process, which has built no worm yet, read tables without some rows."""
    for attribute in ("DECLARED", "CLASSES"):
        source = getattr(declared, attribute)
        with open(source, newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
        if attribute == "DECLARED":
            rows = [row for row in rows if (row["who"], row["quantity"]) not in removal.rows]
        else:
            rows = [{**row, "template": row["recorded"]} if (row["class"], TEMPLATE) in removal.rows else row
                    for row in rows]  # fmt: skip
        path = folder / source.name
        with open(path, "w", newline="", encoding="utf-8") as lines:
            written = csv.DictWriter(lines, list(rows[0]))
            written.writeheader()
            written.writerows(rows)
        setattr(declared, attribute, path)


def cells(removal: Removal) -> dict:
    """Everything a removal can change, per neuron: membrane and declared release; in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        without(removal, Path(folder))
        found = {}
        for name in anatomy.neurons().index:
            here = membrane(name)
            # Which channels are missing, or stand in for others, changes no current by itself.
            values = dataclasses.replace(here, absent=frozenset(), heir=None)
            found[name] = repr((values, declared_release_half(name)))
    return {**found, DRIVE: (("AVB", DRIVE) in removal.rows)}


def measure(job: tuple[Removal, str, int]) -> dict:
    """Gait of one worm in one medium, in a process of its own; NaN where it diverged."""
    removal, medium, seed = job
    row = {"without": removal.name, "medium": medium, "seed": seed, **dict.fromkeys(MEASURED, np.nan)}
    duration, dropped, tick = MEDIA[medium]
    with tempfile.TemporaryDirectory() as folder:
        without(removal, Path(folder))
        worm = tb.Worm(discretisation="d_lambda")
        if ("AVB", DRIVE) in removal.rows:
            worm = tb.Worm(discretisation="d_lambda", parameters=worm.parameters.replace(avb_conductance=0.0))
        if medium == "agar":
            back_up(worm, *BACK)
        clock, arena = tb.Clock(tick=tick), tb.Arena(medium)
        simulation = tb.Simulation(worm, arena, seed=seed, clock=clock, progress=False)
        try:
            run = simulation.run(duration)
        except tb.DivergedError:
            return row
    track = run.track()
    forward = run.time <= (BACK[0] if medium == "agar" else duration)
    found = tb.behaviour.gait(
        run.time[forward], track.midline[forward], discard_ms=dropped, medium=medium, dorsal=track.dorsal[forward]
    )
    row |= {
        "speed": found.forward_speed_mm_s, "travelling_r2": found.travelling_r2,
        "frequency": found.frequency_hz, "wavelength": found.wavelength_body_lengths * found.wave_direction,
    }  # fmt: skip
    if medium == "agar":
        backed = reversal(run.time, track.midline, *BACK, dorsal=track.dorsal, again=AGAIN)
        row |= {"reversal_speed": backed.speed_mm_s, "again": backed.forward_again_s}
    return row


def lacking(here: pd.Series, intact: pd.Series, medium: str) -> list[str]:
    """What is outside the tolerance around the intact worm in one medium; NaN always is."""
    kept = {
        "speed": here.speed >= (1.0 - LOSS) * intact.speed,
        "travelling_r2": here.travelling_r2 >= intact.travelling_r2 - SHAPE,
        "frequency": abs(here.frequency - intact.frequency) <= CHANGE * intact.frequency,
        "wavelength": abs(here.wavelength - intact.wavelength) <= CHANGE * intact.wavelength,
    }
    if medium == "agar":
        kept["reversal_speed"] = here.reversal_speed <= (1.0 - LOSS_BACK) * intact.reversal_speed
        kept["again"] = here.again <= intact.again + LATE
    return [f"{medium} {name}" for name, holds in kept.items() if not holds]


def verdicts(table: pd.DataFrame, known: list[Removal], same: set[str]) -> pd.DataFrame:
    """One line per removal that has run: means over seeds, and what the worm needs the rows for.

    Args:
        table: one row per run.
        known: removals.
        same: names of those that change nothing.
    """
    means = table.groupby(["without", "medium"])[list(MEASURED)].mean()
    rows = []
    for removal in known:
        row = {"without": removal.name, "rows": len(removal.rows), "deviations": neurons_of(removal)}
        name = INTACT if removal.name in same else removal.name
        run = [medium for medium in MEDIA if (name, medium) in means.index]
        missed = []
        for medium in run:
            here, intact = means.loc[(name, medium)], means.loc[(INTACT, medium)]
            shown = MEASURED if medium == "agar" else GAIT
            row |= {f"{medium}_{key}": round(here[key], 4) for key in shown}
            missed += lacking(here, intact, medium)
        row["needed_for"] = UNCHANGED if removal.name in same else ", ".join(missed)
        rows += [row] if run else []
    return pd.DataFrame(rows)


class Runs:
    """Finished runs, each kept in a file as soon as it is done, so that a restart repeats none.

    Attributes:
        table: one row per run.
    """

    def __init__(self, path: Path, seeds: int, pool: multiprocessing.pool.Pool) -> None:
        """
        Args:
            path: of the file.
            seeds: number of seeds, from 1.
            pool: processes that run them.
        """
        self._path, self._seeds, self._pool = path, seeds, pool
        self.table = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=["without", "medium", "seed"])

    def make(self, chosen: list[Removal], medium: str) -> None:
        """Run what has not run yet in one medium."""
        done = set(zip(self.table["without"], self.table.medium, self.table.seed, strict=True))
        jobs = [(each, medium, seed) for each in chosen for seed in range(1, self._seeds + 1)]
        jobs = [(each, *rest) for each, *rest in jobs if (each.name, *rest) not in done]
        for row in self._pool.imap(measure, jobs, chunksize=1):
            self.table = pd.DataFrame([*self.table.to_dict("records"), row])
            print(*(f"{each:.3g}" if isinstance(each, float) else each for each in row.values()), flush=True)
            write_atomically(self._path, self.table.to_csv(index=False).encode())

    def judge(self, chosen: list[Removal]) -> set[str]:
        """Names of the removals that the worm does not bear; what fails on agar does not swim."""
        for medium in MEDIA:
            needed = set(self.needed(chosen))
            self.make([each for each in chosen if each.name not in needed], medium)
        return set(self.needed(chosen))

    def needed(self, chosen: list[Removal]) -> list[str]:
        """Names of the removals that are found not to be borne so far."""
        table = verdicts(self.table, chosen, set())
        return list(table["without"][table.needed_for != ""]) if len(table) else []


def write(folder: Path, table: pd.DataFrame) -> None:
    """Write what is known so far."""
    write_atomically(folder / "deviations.csv", table.to_csv(index=False).encode())


def experiment(args: argparse.Namespace) -> int:
    """Run every group, the rows of those that are needed, and at last all rows together that are not."""
    if min(args.seeds, args.workers) < 1:
        raise tb.ConfigError("--seeds and --workers must be at least 1")
    folder, intact = prepare_folder(args.out), Removal(INTACT)
    with multiprocessing.get_context("spawn").Pool(args.workers, maxtasksperchild=1) as pool:
        made = pool.map(cells, [intact, *groups()], chunksize=1)
        gone = [group for group, its in zip(groups(), made[1:], strict=True) if its == made[0]]
        same = {each.name for group in gone for each in (group, *members(group))}
        if same:
            print("nothing changes without", ", ".join(sorted(same)), flush=True)
        runs = Runs(folder / "runs.csv", args.seeds, pool)
        for medium in MEDIA:
            runs.make([intact], medium)
        chosen = [group for group in groups() if group.name not in same]
        every = [intact, *(each for group in groups() for each in (group, *members(group)))]
        needed = runs.judge(chosen)
        write(folder, verdicts(runs.table, every, same))
        # A group that can go as a whole needs no run of its rows.
        single = [each for group in chosen if group.name in needed for each in members(group)]
        needed |= runs.judge(single)
        write(folder, verdicts(runs.table, every, same))
        spare = {row: None for each in (*chosen, *single) if each.name not in needed for row in each.rows}
        if len(spare) > 1:
            every.append(Removal(TOGETHER, tuple(spare)))
            runs.judge(every[-1:])
    write(folder, verdicts(runs.table, every, same))
    print(f"wrote deviations.csv and runs.csv in {folder}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds, from 1")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("output/deviations"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
