"""How animals' waves look in our metrics: `python docs/tables/animal_shape.py FILE` measures, prints and compares.

FILE is the table of kymographs of Broekmans, Rodgers, Ryu and Stephens (2016, eLife 5:e17227) as published with
ElegansBot (Chung, Chang and Kim 2024, eLife 12:RP92562): kappa L at 24 joints,
32 frames per second, episodes "omega" and "delta". The recordings are not part of this repository. Printed are the
measurements of each piece, then the rows of tianbao/behaviour/published.csv that follow from them; exit code 1 says
that the committed rows are others.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tianbao.behaviour import read_kymograph  # noqa: E402

PUBLISHED = ROOT / "tianbao" / "behaviour" / "published.csv"
# Medium, what it is called, episode, start and stop [s]. The first third of a second of the reversal is left out: the
# forward wave is still on the body then.
PIECES = (
    ("agar", "forward", "omega", 0.0, 6.0),
    ("agar", "forward after the omega turn", "omega", 13.0, math.inf),
    ("agar", "forward after the delta turn", "delta", 6.2, math.inf),
    ("agar backwards", "reversal", "omega", 6.85, 10.4),
)
UNITS = {"wave_frequency_hz": "Hz", "wave_length": "L", "wave_amplitude": "kappa L", "head_phase": "cycles"}
METRICS = (
    "travelling_r2", "travelling_r2_head", "wave_frequency_hz", "wave_length", "wave_amplitude", "speed_cv_along",
    "speed_cv_in_time", "speed_slowest", "duty", "head_phase", "tail_over_middle",
)  # fmt: skip
# A record of a few strides can only make these larger, so that a longer one may well lie below.
FROM_ZERO = ("speed_cv_along", "duty")
# A phase about 0, of which a tenth either way says nothing.
NOT_OF_ONE = ("head_phase",)
# Two to four strides in a piece: shown, but too few for a row.
ONLY_SHOWN = ("stride_period_cv", "stride_amplitude_cv", "eigenworm_share")
SOURCE = "Broekmans et al. 2016 (eLife 5:e17227), {}; docs/tables/animal_shape.py"


def measured(path: Path) -> list[tuple[str, str, dict[str, float]]]:
    """Medium, name and metrics of every piece."""
    return [
        (medium, name, read_kymograph(path, episode=episode, window=(start, stop)).gait.as_dict())
        for medium, name, episode, start, stop in PIECES
    ]


def rows(pieces: list[tuple[str, str, dict[str, float]]]) -> list[list[str]]:
    """Rows of published.csv: the ranges over the pieces of each medium, rounded outwards."""
    made = []
    for medium in dict.fromkeys(each for each, _, _ in pieces):
        mine = [values for each, _, values in pieces if each == medium]
        told = "range over 3 pieces of 3 to 6 s" if len(mine) > 1 else "one reversal of 3.5 s, 10 % either way"
        for metric in METRICS:
            if len(mine) == 1 and metric in NOT_OF_ONE:
                continue
            low, high = span([values[metric] for values in mine])
            low = 0.0 if metric in FROM_ZERO else low
            made.append([metric, medium, f"{low:g}", f"{high:g}", UNITS.get(metric, ""), SOURCE.format(told), "low"])
    return made


def span(values: list[float]) -> tuple[float, float]:
    """Smallest and largest value in hundredths, rounded outwards; a single one with a tenth of it on either side."""
    low, high = min(values), max(values)
    if len(values) == 1:
        low, high = low - 0.1 * abs(low), high + 0.1 * abs(high)
    return math.floor(100.0 * low) / 100.0, math.ceil(100.0 * high) / 100.0


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, metavar="FILE", help="table of kymographs")
    pieces = measured(parser.parse_args(arguments).file)
    for metric in (*METRICS, *ONLY_SHOWN):
        numbers = "".join(f"{values[metric]:8.3f}" for _, _, values in pieces)
        sys.stdout.write(f"{metric:22s}{numbers}\n")
    sys.stdout.write(f"({', '.join(name for _, name, _ in pieces)})\n\n")
    made = rows(pieces)
    csv.writer(sys.stdout, lineterminator="\n").writerows(made)
    with open(PUBLISHED, newline="", encoding="utf-8") as lines:
        committed = [list(row.values()) for row in csv.DictReader(lines)]
    wrong = [row for row in made if row not in committed]
    sys.stdout.write(f"\n{len(made) - len(wrong)} of {len(made)} rows are in published.csv\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
