"""Reduce the public recordings to the means that fits and the validation use.

Question: what of a recording has to be committed so that a fit can be made again without the recording?
Method: the mean in windows that widen away from the start and the end of the step; spikes by their height, time and
number. What is padding and not a recording is left out: AVAL outside its step, VD5 after it.
See: tianbao/electrophysiology/windows.csv.

    python sims/reduce_recordings.py --recordings ep_traces_public.csv.gz
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import pandas as pd

import tianbao
from tianbao.cli import run_script
from tianbao.io.files import write_atomically

OUT = Path(tianbao.__file__).parent / "electrophysiology" / "windows.csv"
# Cell in the file -> name here, mode, and when the step starts and ends [ms].
CELLS = {
    "AIYL": ("AIYL", "CC", 980.0, 5980.0), "RIML": ("RIML", "CC", 980.0, 5980.0),
    "AVAL": ("AVAL", "CC", 988.0, 6003.0), "AWAL": ("AWAL", "CC", 980.0, 5980.0),
    "AWCL": ("AWCL", "VC", 11.8, 111.6), "VD05": ("VD5", "VC", 100.2, 1310.0),
}  # fmt: skip
# Edges of windows [ms] since the start or the end of the step; recordings are sampled at 10, 0.4 and 2 ms.
BEFORE = (-480.0, -240.0, 0.0)
DURING = {
    "CC": (10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, *range(1000, 5001, 250)),
    "AWCL": (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 18.0, 27.0, 40.0, 60.0, 80.0, 99.6),
    "VD5": (12.0, 20.0, 40.0, 80.0, 160.0, 320.0, 480.0, 640.0, 800.0, 960.0, 1200.0),
}
AFTER = {"CC": (10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 980.0), "AWCL": (0.8, 1.6, 2.4, 4.0, 8.0, 12.0)}
PADDED = {"AVAL": ("before", "after"), "VD5": ("before", "after"), "AWCL": ("before",)}


def main() -> int:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=Path, required=True, help="CSV with columns cell, step, t_s, mV_or_pA")
    return run_script(_reduce, parser.parse_args())


def _reduce(args: argparse.Namespace) -> int:
    table = pd.read_csv(args.recordings)
    out = io.StringIO()
    pd.DataFrame([row for cell in CELLS for row in windows(table[table.cell == cell], cell)]).to_csv(
        out, index=False, float_format="%.6g", lineterminator="\n"
    )
    write_atomically(OUT, out.getvalue().encode())
    print(f"wrote {OUT.name}")
    return 0


def windows(table: pd.DataFrame, cell: str) -> list[dict]:
    """Means of every sweep of one cell, times [ms] since the start of the step, means [mV or pA]."""
    name, mode, onset, end = CELLS[cell]
    rows = []
    for step, sweep in table.groupby("step"):
        since = sweep.t_s.to_numpy() * 1e3 - onset
        for phase, edges, origin in (
            ("before", BEFORE, 0.0),
            ("during", DURING.get(name, DURING.get(mode)), 0.0),
            ("after", AFTER.get(name, AFTER.get(mode)), end - onset),
        ):
            if phase in PADDED.get(name, ()) or edges is None:
                continue
            for start, stop in zip(edges[:-1], edges[1:], strict=True):
                inside = (since - origin >= start - 1e-6) & (since - origin < stop - 1e-6)
                if inside.any():
                    mean = sweep.mV_or_pA.to_numpy()[inside].mean()
                    rows.append(
                        {"cell": name, "mode": mode, "step": step, "start": origin + start, "stop": origin + stop,
                         "mean": mean}
                    )  # fmt: skip
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
