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
import json
import tomllib
from pathlib import Path

import tianbao
from tianbao.cli import run_script
from tianbao.electrophysiology import membrane_fits as fits

HERE = Path(__file__).parent
CELLS = HERE / "fit_membranes.toml"
RESULTS = HERE.parent / "docs" / "fits" / "membranes"


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
            fits.adopt(name, described[name], json.loads(file.read_text()))
            print(f"adopted {name} into templates.csv")
            continue
        stages = fits.Stages(file, again=args.again)
        found = fits.fit(name, described[name], stages, args.starts, args.generations, args.recordings)
        print(name, fits.summary(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
