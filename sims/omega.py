"""Does a ventral head bend at the transition from reversal to forward movement become an omega turn?

Question: the worm reverses for 2 s on command (as in sims/reversal.py); at the end of the command the ventral neurons
of the head (SMDV, RMDV, RIV) receive +20 pA and the dorsal ones (SMDD, RMDD) -20 pA for 2 s, without any stimulus to
the body. Does the bend travel to the tail and turn the worm, at every phase of the undulation cycle?
See: eight turns an eighth of a cycle apart: change of heading from 1 s before the end of the command to 4.8 s after it
(negative towards ventral), the deepest ventral bend at five positions and its time; and a reversal without the bias.
Kymographs below each other (with an animal's, given --animal), the path and a video of the first.
Time: about three minutes on two cores.
Compare: Gray 2005 (SMD, RIV and omega turns), Broekmans 2016 (after escape: about -160 degrees), Donnelly 2013.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
from on_command import Picture, Setting, commanded, options, shorten

import tianbao as tb
from tianbao.behaviour.turns import PLACES, Turn, turn
from tianbao.cli import run_script
from tianbao.cli.animals import animal_of
from tianbao.commands import back_up, bend_head_to_ventral
from tianbao.io.files import prepare_folder
from tianbao.view.kymographs import plot_kymographs

REVERSAL, BIASED, AFTER = 2_000.0, 2_000.0, 6_500.0  # [ms]
TURNED = -100.0  # [deg] at least this far towards ventral
TAIL_BEND = -6.0  # [kappa L] at s 0.8, at least as deep
FORWARD = 0.15  # [mm/s] afterwards


@dataclass(frozen=True)
class Case:
    """One turn: its number within the cycle, onset of the reversal [ms], the seed, and whether the head is biased."""

    phase: int
    onset: float
    seed: int = 1
    biased: bool = True

    @property
    def release(self) -> float:
        """End of the reversal and start of the bias [ms]."""
        return self.onset + REVERSAL


def worm_of(case: Case, setting: Setting) -> tb.Worm:
    """The worm of a case."""
    worm = back_up(setting.worm(), case.onset, case.release)
    return bend_head_to_ventral(worm, case.release, case.release + BIASED) if case.biased else worm


def measure(job: tuple[Case, Setting]) -> tuple[dict, Picture | None]:
    """One turn, in its own process: its measures, and its kymograph."""
    case, setting = job
    row = asdict(case)
    try:
        run = setting.run(worm_of(case, setting), case.seed, case.release + AFTER)
    except tb.DivergedError as error:
        return {**row, "note": str(error)}, None
    track = run.track()
    found = turn(run.time, track.midline, case.release, setting.cycle, track.dorsal)
    if setting.folder and case == Case(0, case.onset):
        run.plot.track(setting.folder / "path.png")
        run.video(setting.folder / "omega.mp4", progress=False)
    return {**row, **columns(found)}, shorten(run, case.onset)


def columns(found: Turn) -> dict[str, float]:
    """A turn as columns of a table."""
    bands = {f"bend_{place}": depth for place, depth in zip(PLACES, found.band_depth, strict=True)}
    times = {f"time_{place}_s": when for place, when in zip(PLACES, found.band_time_s, strict=True)}
    return {
        "heading_change_deg": found.heading_change_deg,
        **bands,
        **times,
        "travels": found.travels,
        "nearest_mm": found.nearest_mm,
        "speed_after_mm_s": found.speed_after_mm_s,
    }


def holds(row: pd.Series) -> bool:
    """Whether a biased turn was complete, its bend reached the tail and the worm crawled on; not for NaN."""
    return bool(
        row.heading_change_deg <= TURNED
        and row.travels is True
        and row[f"bend_{PLACES[-1]}"] <= TAIL_BEND
        and row.speed_after_mm_s >= FORWARD
    )


def line_of(row: dict) -> str:
    """One line of text for a row, for output and pictures."""
    name = f"phase {row['phase']}" if row["biased"] else "reversal alone"
    if "travels" not in row:
        return f"{name} seed {row['seed']}: {row['note']}"
    bands = " ".join(f"{row[f'bend_{place}']:+.0f}@{row[f'time_{place}_s']:.1f}" for place in PLACES)
    turned, speed = row["heading_change_deg"], row["speed_after_mm_s"]
    return f"{name} seed {row['seed']}: {turned:+.0f} deg, {bands} s, {speed:+.2f} mm/s"


def experiment(args: argparse.Namespace) -> int:
    """Run all turns; exit code 0 only if every one met its criteria."""
    animal, folder = animal_of(args), prepare_folder(args.out)

    def cases(onsets: Sequence[float]) -> list[Case]:
        turns = [Case(k, onset, seed) for seed in range(1, args.seeds + 1) for k, onset in enumerate(onsets)]
        return [*turns, Case(0, onsets[0], biased=False)]

    found = commanded(args, "agar", folder, cases, measure, line_of, "omega.csv")
    if found is None:
        return 1
    table, pictures = found
    return conclusion(table, pictures if animal is None else [animal, *pictures], folder)


def conclusion(table: pd.DataFrame, pictures: list, folder: Path) -> int:
    """Draw the kymographs, print the files and whether the criteria were met."""
    files = ["omega.csv", *([plot_kymographs(pictures, folder / "kymographs.png").name] if pictures else [])]
    files += sorted(each.name for each in folder.iterdir() if each.name in ("path.png", "omega.mp4", "omega.gif"))
    judged = table[table.biased].reindex(columns=JUDGED)
    good = judged.apply(holds, axis=1)
    print(f"wrote {', '.join(files)} in {folder}")
    print(f"{int(good.sum())} of {len(good)} turned by {-TURNED:.0f} degrees, with a bend to the tail, and crawled on")
    return 0 if good.all() else 1


JUDGED = ("heading_change_deg", "travels", f"bend_{PLACES[-1]}", "speed_after_mm_s")


def main(arguments: Sequence[str] | None = None) -> int:
    """Options of the experiment."""
    return run_script(experiment, options(__doc__, Path("output/omega")).parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
