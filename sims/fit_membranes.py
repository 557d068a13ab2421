"""Fit the membranes of recorded neurons to their recordings, with their traced morphologies.

Question: which channels, and how much of each, reproduce the recording of a traced cell, and predict a sweep that was
not shown?
Method: CMA-ES from seeded starts; then, one at a time, the channel whose standard deviation exceeds its value by the
most is fixed at its published value or left out, and the rest is fitted again, until all that is free is determined.
With these channels, each sweep is left out in turn and predicted; and an ensemble of ten acceptable sets is drawn.
See: docs/fits/membranes/CELL.json: the error on every sweep, shown and not shown, and what the data leave open.
Compare: the predecessor's fit in tianbao/electrophysiology/recordings.csv. Time: docs/fits/membranes/README.md.

    python sims/fit_membranes.py                 # every cell of fit_membranes.toml
    python sims/fit_membranes.py AWA --starts 4
    python sims/fit_membranes.py AIY --recordings ep_traces_public.csv.gz   # errors against whole recordings, too

Each finished stage of a cell is stored and not run again, so that an interrupted search continues where it was;
--again discards them. --adopt writes the results to tianbao/cells/templates.csv, from which the worm reads them.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import tianbao
from tianbao.cells.templates import TEMPLATES
from tianbao.cli import run_script
from tianbao.electrophysiology import fit_cells, fit_ensembles, fit_search
from tianbao.electrophysiology.fit_data import Described, Sweep
from tianbao.electrophysiology.fitting import CellFit
from tianbao.electrophysiology.recordings import Recorded, read_recordings
from tianbao.io.files import write_atomically
from tianbao.loop.provenance import git_revision

HERE = Path(__file__).parent
CELLS = HERE / "fit_membranes.toml"
RESULTS = HERE.parent / "docs" / "fits" / "membranes"
SMALLEST = 1e-3  # [nS] less of a channel moves nothing
KEYS = ("template", "quantity", "value", "unit", "deviation", "source", "certainty")


def main() -> int:
    """Fit the cells given on the command line."""
    described = tomllib.loads(CELLS.read_text())
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", nargs="*", metavar="CELL", help=f"of {', '.join(described)} (default: all)")
    parser.add_argument("--starts", type=int, default=2, help="seeds 1 to this (default 2)")
    parser.add_argument("--generations", type=int, default=200, help="of each start (default 200)")
    parser.add_argument("--adopt", action="store_true", help="write results to the table of templates without fitting")
    parser.add_argument("--again", action="store_true", help="discard finished stages")
    parser.add_argument("--recordings", type=Path, help="the whole recordings, to give errors against them")
    return run_script(lambda args: _fit_all(described, args), parser.parse_args())


def _fit_all(described: dict, args: argparse.Namespace) -> int:
    for name in args.cells or described:
        if name not in described:
            raise tianbao.ConfigError(f"{CELLS.name} describes no cell '{name}'; it has {', '.join(described)}")
        file = RESULTS / f"{name}.json"
        if args.adopt:
            if not file.exists():
                raise tianbao.ConfigError(f"no result of {name} in {RESULTS}: run sims/fit_membranes.py {name} first")
            found = json.loads(file.read_text())
            if "script" not in found:
                raise tianbao.ConfigError(f"the fit of {name} is not finished: run sims/fit_membranes.py {name} again")
            adopt(name, described[name], found)
            print(f"adopted {name} into templates.csv")
            continue
        stages = Stages(file, again=args.again)
        found = stages_of(name, described[name], stages, args.starts, args.generations, args.recordings)
        print(name, summary(found))
    return 0


@dataclass
class Stages:
    """Results of stages, in one file.

    Attributes:
        file: JSON.
        again: whether stages that are done are discarded.
        found: stage -> result.
    """

    file: Path
    again: bool = False
    found: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.file.exists() and not self.again:
            self.found = json.loads(self.file.read_text())

    def run(self, name: str, compute: Callable[[], object]) -> object:
        """The result of a stage, computed and stored unless it is there."""
        if name not in self.found:
            self.store(name, compute())
        return self.found[name]

    def store(self, name: str, value: object) -> None:
        """Keep a result."""
        self.found[name] = value
        write_atomically(self.file, (json.dumps(self.found, indent=1) + "\n").encode())


def stages_of(name: str, cell: dict, stages: Stages, starts: int, generations: int, whole: Path | None = None) -> dict:
    """All stages of one cell.

    Args:
        name: of the cell in fit_membranes.toml.
        cell: its table.
        stages: what is done already.
        starts: seeds 1 to this.
        generations: of each start.
        whole: table of the whole recordings; None leaves errors against them out.

    Returns:
        Stage -> result, as stored.
    """
    sweeps, described = fit_cells.sweeps_of(cell), fit_cells.described_of(cell)
    began = time.perf_counter()
    first = stages.run("starts", lambda: fit_search.random_starts(name, described, sweeps, starts, generations))
    best = min(first, key=lambda each: each["misfit"])
    kept = stages.run("kept", lambda: fit_search.eliminate(name, described, sweeps, best))
    reduced = fit_cells.kept_of(cell, stages.found)
    result = stages.run("result", lambda: fit_search.best_of(name, reduced, sweeps, kept, starts, generations))
    point = np.array(result["point"])
    stages.run("left_out", lambda: fit_search.left_out(name, reduced, sweeps, point))
    stages.run("ensemble", lambda: fit_ensembles.ensemble(reduced, sweeps, point))
    if whole is not None:
        stages.store("whole_recordings", against(reduced, sweeps, point, read_recordings(whole)))
    if "script" not in stages.found:
        stages.store("neuron", cell["neuron"])
        stages.store("kinetics", cell.get("kinetics", {}))
        stages.store("revision", git_revision())
        stages.store("seconds", round(time.perf_counter() - began, 1))
        stages.store("script", "sims/fit_membranes.py")
    return stages.found


def against(described: Described, sweeps: list[Sweep], point: np.ndarray, recorded: list[Recorded]) -> list[dict]:
    """Root mean square error against every sample of the whole recordings."""
    cell = CellFit(described, sweeps, 1)
    simulated, traces = cell.simulate(point[None], min(described.step, 0.1))
    rows = []
    for k, sweep in enumerate(sweeps):
        for each in recorded:
            if (each.cell, each.step) == (described.neuron, sweep.level):
                there = (each.time > simulated[0]) & (each.time < simulated[-1])
                off = np.interp(each.time[there], simulated, traces[:, 0, k]) - each.values[there]
                rows.append({"step": sweep.level, "trace": float(np.sqrt(np.mean(off**2)))})
    return rows


def summary(found: dict) -> str:
    """Errors of a fit in one line."""
    rows, out = found["result"]["sweeps"], found["left_out"]

    def rms(values) -> float:
        return float(np.sqrt(np.mean([each**2 for each in values if each is not None])))

    line = f"misfit {found['result']['misfit']:.1f}, {len(found['result']['point'])} free: " + ", ".join(
        f"{key} {rms([row[key] for row in rows]):.2f}" for key in ("trace", "steady", "peak")
    )
    line += "; left out " + ", ".join(
        f"{key} {rms([row['error'][key] for row in out]):.2f}" for key in ("trace", "steady", "peak")
    )
    if "whole_recordings" in found:
        line += f"; whole recordings {rms([row['trace'] for row in found['whole_recordings']]):.2f}"
    return f"{line}; {len(found['ensemble'])} members"


def adopt(name: str, cell: dict, found: dict) -> None:
    """Replace the rows of one template in templates.csv by a result."""
    template = name.lower()
    with open(TEMPLATES, newline="") as lines:
        rows = list(csv.DictReader(lines))
    others = [row for row in rows if row["template"] != template]
    # In place of the old ones, or at the end if there were none.
    place = next((k for k, row in enumerate(rows) if row["template"] == template), len(others))
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows([*others[:place], *_rows(template, name, cell, found), *others[place:]])
    write_atomically(TEMPLATES, out.getvalue().encode())


def _rows(template: str, name: str, cell: dict, found: dict) -> list[dict]:
    origin = cell.get("origin", f"traces of {cell['model']} of Nicoletti" if "model" in cell else None)
    source = f"fitted: sims/fit_membranes.py {name}, {origin or 'recordings of ' + cell['neuron']}"
    result = found["result"]
    rows = [("reference_capacitance", result["capacitance_pF"], "pF", "", "traced membrane at 1 uF/cm2", "medium")]
    fixed = found["kept"]["fixed"]
    for quantity, (value, deviation) in result["values"].items():
        unit = {"leak_reversal": "mV", "egl19_shift": "mV", "pipette": "pF"}.get(quantity, "nS")
        if "." in quantity:
            unit = "1"
        elif unit == "nS" and value < SMALLEST:
            continue
        if quantity in fixed:
            rows.append((quantity, value, unit, "", f"published; the recordings leave it open ({source})", "low"))
            continue
        certain = deviation < (5.0 if unit == "mV" else 0.25 * abs(value))
        rows.append((quantity, value, unit, f"{deviation:.2g}", source, "medium" if certain else "low"))
    for channel, constants in found["kinetics"].items():
        for constant, value in constants.items():
            rows.append((f"{channel}.{constant}", value, "mV", "", cell["kinetics_source"], "medium"))
    return [dict(zip(KEYS, (template, row[0], f"{row[1]:.4g}", *row[2:]), strict=True)) for row in rows]


if __name__ == "__main__":
    raise SystemExit(main())
