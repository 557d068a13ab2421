"""Write the ensembles of the fits into the table that the worm reads.

Question: how well do recordings determine a membrane? Every member reproduces the recording acceptably.
See: tianbao/cells/ensembles.csv, and how far the members of each cell differ. Time: a second.
Compare: the best fits in tianbao/cells/templates.csv.

    python sims/adopt_ensembles.py          # after sims/fit_membranes.py, which writes docs/fits/membranes/CELL.json

Member 0 is the best fit and stays in templates.csv; the table holds the others.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import tianbao
from tianbao.cells.ensembles import ENSEMBLES
from tianbao.cells.templates import CONDUCTANCES
from tianbao.cli import run_script
from tianbao.io.files import write_atomically

RESULTS = Path(__file__).parent.parent / "docs" / "fits" / "membranes"
COLUMNS = ("template", "member", "quantity", "value", "unit", "source", "certainty")
MOST = 9  # members beside the best fit
# [nS] Less of a channel is left out: it moves no measure.
SMALLEST = 1e-3
# Certainty is medium if the standard deviation between members is below this, as in templates.csv, else low.
CERTAIN_MV, CERTAIN_SHARE = 5.0, 0.25
VOLTAGES = ("leak_reversal", "egl19_shift")


def main() -> int:
    """Adopt the ensembles of every cell that has one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of CELL.json (docs/fits/membranes)")
    return run_script(lambda args: adopt(args.results), parser.parse_args())


def adopt(results: Path = RESULTS, out: Path = ENSEMBLES) -> int:
    """Write the table of members.

    Args:
        results: folder of the fits, one CELL.json each.
        out: table to write.

    Raises:
        ConfigError: if no fit has an ensemble, or one lacks what is needed.
    """
    rows = []
    for file in sorted(results.glob("*.json")):
        found = json.loads(file.read_text())
        own = list(member_rows(file.stem, found)) if "ensemble" in found else []
        print(f"{file.stem}: {len({row[1] for row in own})} members beside the best fit")
        rows += own
    if not rows:
        raise tianbao.ConfigError(f"no fit in {results.name} has an ensemble: run sims/fit_membranes.py first")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    write_atomically(out, text.getvalue().encode())
    print(f"wrote {out.name}")
    return 0


def member_rows(cell: str, found: dict) -> Iterator[tuple]:
    """Rows of the table for one cell.

    Args:
        cell: name, such as "AIY".
        found: its fit, with `ensemble`: a list of {values, misfit}, the best fit first.

    Raises:
        ConfigError: for an ensemble that is not such a list.
    """
    try:
        members = found["ensemble"][: MOST + 1]
        sets = [each["values"] for each in members]
        spread = {name: float(np.std([each.get(name, 0.0) for each in sets])) for name in sets[0]}
        for number, each in enumerate(members[1:], start=1):
            misfits = f"misfit {each['misfit']:.4g} (best {members[0]['misfit']:.4g})"
            source = f"acceptable fit of {cell}, docs/fits/membranes/{cell}.json: {misfits}"
            for quantity, value in each["values"].items():
                unit = "mV" if quantity in VOLTAGES else "1" if "." in quantity else "nS"
                # What is no quantity of a membrane, such as the capacitance of the pipette, is the experiment's.
                known = "." in quantity or quantity in (*CONDUCTANCES, "leak", *VOLTAGES)
                if known and (unit != "nS" or value >= SMALLEST or quantity == "leak"):
                    certain = spread[quantity] < (CERTAIN_MV if unit == "mV" else CERTAIN_SHARE * abs(value))
                    yield (cell.lower(), number, quantity, f"{value:.4g}", unit, source, "medium" if certain else "low")
    except (LookupError, TypeError, ValueError) as error:
        raise tianbao.ConfigError(f"{cell}.json: its ensemble is not a list of values and misfit") from error


if __name__ == "__main__":
    raise SystemExit(main())
