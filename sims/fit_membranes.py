"""Fit the conductances of recorded neurons to their recordings, with their traced morphologies.

Question: which channels, and how much of each, reproduce the recording of a traced cell?
See: the error on every sweep, and the remaining uncertainty. Time: 42 minutes on one core for all.
Compare: the recordings and the predecessor's fit in tianbao/electrophysiology/recordings.csv.

    python sims/fit_membranes.py                 # every cell of fit_membranes.toml
    python sims/fit_membranes.py AWA --starts 4

CMA-ES from several seeded starts. A finished start is stored in docs/fits/membranes/CELL.json
and not run again, so that an interrupted search continues where it was; --again discards it. The best start,
its errors and its uncertainty are written to the same file.

--adopt writes the results to tianbao/cells/templates.csv, from which the worm reads them. --crawling prints which
densities of the membranes tuned for crawling (B, A, SMD, RMD) are within two deviations of the fit of a recorded cell.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import time
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd

import tianbao
from tianbao.cells.membrane import membrane
from tianbao.cli import run_script
from tianbao.electrophysiology.fitting import CellFit, Sweep, uncertainty
from tianbao.electrophysiology.recordings import recordings
from tianbao.io.files import write_atomically
from tianbao.loop.provenance import git_revision
from tianbao.parameters import defaults
from tianbao.progress import Progress

HERE = Path(__file__).parent
CELLS = HERE / "fit_membranes.toml"
RESULTS = HERE.parent / "docs" / "fits" / "membranes"
TEMPLATES = Path(tianbao.__file__).parent / "cells" / "templates.csv"
# [nS] Less of a channel is left out of the table: it moves no measure.
SMALLEST = 1e-3
KINETICS_SOURCE = "Nicoletti 2024, who take SHK-1 of AWA from Liu Q. 2018"
# Neurons whose membrane is tuned for crawling -> the fit of a recorded or published cell of their kind.
CRAWLING = {"VA5": "VA5", "VB6": "VB6", "RMDDL": "RMD"}
MEASURES = {"CC": ("steady", "peak", "at_1s", "at_100ms"), "VC": ("steady", "peak", "at_1s")}
CANDIDATES = 32
# Range from which a start is drawn, and initial width of the search, in the unit cube.
FIRST, SPREAD = (0.1, 0.5), 0.2
# Initial width of a search that starts at a given point (`first`).
NEARBY = 0.08


def main() -> int:
    """Fit the cells given on the command line."""
    described = tomllib.loads(CELLS.read_text())
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", nargs="*", metavar="CELL", help=f"of {', '.join(described)} (default: all)")
    parser.add_argument("--starts", type=int, default=4, help="seeds 1 to this (default 4)")
    parser.add_argument("--generations", type=int, default=300, help="of each start (default 300)")
    parser.add_argument("--adopt", action="store_true", help="write results to the table of templates without fitting")
    parser.add_argument("--crawling", action="store_true", help="compare the crawling membranes with fits")
    parser.add_argument("--again", action="store_true", help="discard finished starts")
    return run_script(lambda args: _fit_all(described, args), parser.parse_args())


def _fit_all(described: dict, args: argparse.Namespace) -> int:
    if args.crawling:
        print(crawling().to_string(index=False, float_format="{:.3g}".format))
        return 0
    for name in args.cells or described:
        if name not in described:
            raise tianbao.ConfigError(f"{CELLS.name} describes no cell '{name}'; it has {', '.join(described)}")
        if args.adopt:
            _adopt(name, described[name])
        else:
            _fit(name, described[name], args)
    return 0


def crawling() -> pd.DataFrame:
    """Compare membranes tuned for crawling with the fits of recorded cells of their class.

    Returns:
        One row per recorded neuron and quantity: value in the worm, fit and its deviation [nS or mV], and whether
        they lie within two deviations of each other.
    """
    exponent, rows = defaults().capacitance_exponent, []
    for neuron, cell in CRAWLING.items():
        found = json.loads((RESULTS / f"{cell}.json").read_text())
        carried = membrane(neuron, masked=False)
        factor = carried.scale(found["capacitance_pF"], exponent)
        totals = {name: value * factor for name, value in carried.conductances.items()}
        ours = totals | {"leak": carried.leak * factor, "leak_reversal": carried.leak_reversal}
        for name in sorted({*ours, *found["values"]} - {"egl19_shift"}):
            value, deviation = found["values"].get(name, (0.0, 0.0))
            mine = ours.get(name, 0.0)
            rows.append((neuron, name, mine, value, deviation, abs(mine - value) <= 2.0 * deviation))
    return pd.DataFrame(rows, columns=["neuron", "quantity", "crawling", "fit", "deviation", "inside"])


def _adopt(name: str, described: dict) -> None:
    """Replace the rows of one template by a result."""
    file = RESULTS / f"{name}.json"
    if not file.exists():
        raise tianbao.ConfigError(f"no result of {name} in {RESULTS}: run sims/fit_membranes.py {name} first")
    found = json.loads(file.read_text())
    template = name.lower()
    with open(TEMPLATES, newline="") as lines:
        rows = list(csv.DictReader(lines))
    columns = list(rows[0])
    others = [row for row in rows if row["template"] != template]
    # In place of the old ones, or at the end if there were none.
    place = next((k for k, row in enumerate(rows) if row["template"] == template), len(others))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows([*others[:place], *_rows(template, name, described, found), *others[place:]])
    write_atomically(TEMPLATES, out.getvalue().encode())
    print(f"adopted {name} into {TEMPLATES.name}")


def _rows(template: str, name: str, described: dict, found: dict) -> list[dict]:
    origin = described.get("origin", f"recordings of {described['neuron']}")
    source = f"fitted: sims/fit_membranes.py {name}, {origin}"
    rows = [("reference_capacitance", found["capacitance_pF"], "pF", "", "traced membrane at 1 uF/cm2", "medium")]
    for quantity, (value, deviation) in found["values"].items():
        unit = "mV" if quantity in ("leak_reversal", "egl19_shift") else "nS"
        if unit == "nS" and value < SMALLEST and quantity != "leak":
            continue
        certain = deviation < (5.0 if unit == "mV" else 0.25 * abs(value))
        rows.append((quantity, value, unit, f"{deviation:.2g}", source, "medium" if certain else "low"))
    for channel, constants in found["kinetics"].items():
        for constant, value in constants.items():
            rows.append((f"{channel}.{constant}", value, "mV", "", KINETICS_SOURCE, "medium"))
    keys = ("template", "quantity", "value", "unit", "deviation", "source", "certainty")
    return [dict(zip(keys, (template, row[0], f"{row[1]:.4g}", *row[2:]), strict=True)) for row in rows]


def cell_fit(described: dict, candidates: int = CANDIDATES) -> CellFit:
    """The search described by a table of fit_membranes.toml."""
    mode, sweeps = _sweeps(described)
    return CellFit(
        described["neuron"],
        mode,
        sweeps,
        tuple(described["channels"]),
        candidates,
        rest=described.get("rest"),
        kinetics=described.get("kinetics"),
        lowest_egl19_shift=described.get("lowest_egl19_shift", 0.0),
        spikes=tuple(described.get("spikes", ())),
        published=described.get("published"),
        step=described.get("step"),
        least_slope=described.get("least_slope", 0.0),
    )


def _sweeps(described: dict) -> tuple[str, list[Sweep]]:
    if "steps" in described:
        return "CC", [Sweep(float(level), {"steady": value}) for level, value in described["steps"].items()]
    table = recordings()
    table = table[table.cell == described["neuron"]]
    mode = table["mode"].iloc[0]
    rows = table.to_dict("records")
    return mode, [Sweep(row["step"], {name: row[name] for name in MEASURES[mode]}) for row in rows]


def _fit(name: str, described: dict, args: argparse.Namespace) -> None:
    file = RESULTS / f"{name}.json"
    found = json.loads(file.read_text()) if file.exists() and not args.again else {"starts": []}
    fit = cell_fit(described)
    for seed in range(1, args.starts + 1):
        if any(each["seed"] == seed for each in found["starts"]):
            continue
        found["starts"].append(_search(fit, name, seed, args.generations, described.get("first")))
        write_atomically(file, _text(found))
    best = min(found["starts"], key=lambda each: each["misfit"])
    point = np.array(best["point"])
    spread, eigenvalues, vectors = uncertainty(fit, point)
    table, errors = fit.errors(point)
    values = fit.decode(point[None])
    found |= {
        "script": "sims/fit_membranes.py",
        "neuron": described["neuron"],
        "capacitance_pF": fit.capacitance,
        "kinetics": described.get("kinetics", {}),
        "best_seed": best["seed"],
        "values": {key: [float(values[key][0]), spread[key]] for key in fit.names},
        "rms_error": errors,
        "eigenvalues": [float(each) for each in eigenvalues],
        "loosest_direction": {key: float(vectors[k, -1]) for k, key in enumerate(fit.names)},
        "sweeps": table.round(3).to_dict("records"),
    }
    write_atomically(file, _text(found))
    print(name, "misfit", [round(each["misfit"], 3) for each in found["starts"]])
    print(f"  rms error: {', '.join(f'{key} {value:.2f}' for key, value in errors.items())}; wrote {file.name}")


def _search(fit: CellFit, name: str, seed: int, generations: int, near: dict | None) -> dict:
    import cma

    started = time.perf_counter()
    random = np.random.default_rng(seed)
    if near is None:
        first, spread = random.uniform(*FIRST, len(fit.names)), SPREAD
    else:
        first, spread = np.clip(fit.encode(near) + random.normal(0.0, NEARBY, len(fit.names)), 0.0, 1.0), NEARBY
    options = {"popsize": CANDIDATES, "seed": seed, "bounds": [0.0, 1.0], "verbose": -9, "maxiter": generations}
    search = cma.CMAEvolutionStrategy(first, spread, options)
    with Progress(generations * fit.biological_time, f"{name}, start {seed}") as progress:
        while not search.stop():
            points = np.array(search.ask())
            search.tell(list(points), list(fit.misfit(points)))
            progress.advance(fit.biological_time)
    return {
        "seed": seed,
        "revision": git_revision(),
        "misfit": float(search.best.f),
        "point": [float(each) for each in search.best.x],
        "evaluations": int(search.countevals),
        "seconds": round(time.perf_counter() - started, 1),
    }


def _text(found: dict) -> bytes:
    return (json.dumps(found, indent=1) + "\n").encode()


if __name__ == "__main__":
    raise SystemExit(main())
