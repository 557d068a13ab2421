"""Does a ventral bend of the head, made on the edge from reversal to forward movement, become an omega turn?

Question: the worm goes back for 2 s on command (as in sims/reversal.py); at the release the ventral neurons of the head
(SMDV, RMDV, RIV) get +20 pA and the dorsal ones (SMDD, RMDD) -20 pA for 2 s, and nothing is done along the body. Does
the bend travel to the tail and turn the worm round, in whatever phase of the cycle it comes?
See: eight turns an eighth of a cycle apart: change of heading from 1 s before the release to 4.8 s after it (negative
to ventral), the deepest ventral bend at five places and when it is there; a reversal without the bias beside them.
Kymographs one below the other (beside an animal's with --animal), the path and a video of the first.
Time: about three minutes on two cores.
Compare: Gray 2005 (SMD, RIV and omega turns), Broekmans 2016 (after escape: about -160 degrees), Donnelly 2013.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

import tianbao as tb
from tianbao.behaviour.kymograph import Kymograph
from tianbao.behaviour.turns import PLACES, Turn, turn
from tianbao.cli import run_script
from tianbao.cli.animals import add_animal, animal_of
from tianbao.commands import back_up, bend_head_to_ventral
from tianbao.config import parse_setting
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.view.kymographs import plot_kymographs

FIRST, REVERSAL, BIASED, AFTER = 6_000.0, 2_000.0, 2_000.0, 6_500.0  # [ms]
CRAWL = 10_000.0  # [ms] of the run that measures the period
PHASES = 8
TURNED = -100.0  # [deg] at least as far to ventral
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


@dataclass(frozen=True)
class Setting:
    """What all runs share: engine, period [ms], changed parameters, and where the first one's pictures go."""

    engine: str
    parameters: tuple[tuple[str, float], ...]
    cycle: float = math.nan
    folder: Path | None = None


def worm_of(case: Case | None, setting: Setting) -> tb.Worm:
    """The worm of a case, or an untouched one."""
    worm = tb.Worm(parameters=tb.Worm().parameters.replace(**dict(setting.parameters)))
    if case is None:
        return worm
    back_up(worm, case.onset, case.release)
    return bend_head_to_ventral(worm, case.release, case.release + BIASED) if case.biased else worm


def simulated(case: Case | None, setting: Setting, seed: int, duration: float) -> tb.Recording:
    """A run of this worm on agar."""
    worm = worm_of(case, setting)
    return tb.Simulation(worm, tb.Arena("agar"), seed=seed, engine=setting.engine, progress=False).run(duration)


def period(job: tuple[Setting, int, float]) -> float:
    """Period [ms] of the untouched worm, in a process of its own; NaN for one without rhythm."""
    setting, seed, duration = job
    frequency = simulated(None, setting, seed, duration).gait().frequency_hz
    return 1e3 / frequency if frequency > 0.0 else math.nan


def measure(job: tuple[Case, Setting]) -> tuple[dict, tuple | None]:
    """One turn, in a process of its own: its numbers, and time, places and curvature around it."""
    case, setting = job
    row = asdict(case)
    try:
        run = simulated(case, setting, case.seed, case.release + AFTER)
    except tb.DivergedError as error:
        return {**row, "note": str(error)}, None
    track = run.track()
    found = turn(run.time, track.midline, case.release, setting.cycle, track.dorsal)
    if setting.folder and case == Case(0, case.onset):
        run.plot.track(setting.folder / "path.png")
        run.video(setting.folder / "omega.mp4", progress=False)
    seen, shown = Kymograph.of(run), run.time >= case.onset
    return {**row, **columns(found)}, (seen.time[shown], seen.s, seen.curvature[shown])


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
    """Whether a biased turn went round, its bend reached the tail and the worm went on; NaN does not."""
    return bool(
        row.heading_change_deg <= TURNED
        and row.travels is True
        and row[f"bend_{PLACES[-1]}"] <= TAIL_BEND
        and row.speed_after_mm_s >= FORWARD
    )


def line_of(row: dict) -> str:
    """What the console and the pictures say of a row."""
    name = f"phase {row['phase']}" if row["biased"] else "reversal alone"
    if "travels" not in row:
        return f"{name} seed {row['seed']}: {row['note']}"
    bands = " ".join(f"{row[f'bend_{place}']:+.0f}@{row[f'time_{place}_s']:.1f}" for place in PLACES)
    turned, speed = row["heading_change_deg"], row["speed_after_mm_s"]
    return f"{name} seed {row['seed']}: {turned:+.0f} deg, {bands} s, {speed:+.2f} mm/s"


def experiment(args: argparse.Namespace) -> int:
    """Make all turns; exit code 0 only if every one reached its bars."""
    if min(args.seeds, args.workers, args.phases) < 1:
        raise tb.ConfigError("--seeds, --workers and --phases must be at least 1")
    animal, folder = animal_of(args), prepare_folder(args.out)
    setting = Setting(args.engine, tuple(map(parse_setting, args.set)))
    worm_of(None, setting)  # a wrong parameter is refused here, not in a pool
    rows, pictures = [], [] if animal is None else [animal]
    with multiprocessing.get_context("spawn").Pool(args.workers, maxtasksperchild=1) as pool:
        cycle = pool.apply(period, ((setting, 1, args.crawl),))
        if not math.isfinite(cycle):
            print("the untouched worm has no rhythm to turn in")
            return 1
        print(f"period {cycle:.0f} ms; deepest ventral bend at s {', '.join(map(str, PLACES))}", flush=True)
        setting = Setting(args.engine, setting.parameters, cycle, None if args.no_video else folder)
        onsets = [args.first + k * cycle / args.phases for k in range(args.phases)]
        cases = [Case(k, onset, seed) for seed in range(1, args.seeds + 1) for k, onset in enumerate(onsets)]
        cases.append(Case(0, onsets[0], biased=False))
        for row, picture in pool.imap(measure, [(each, setting) for each in cases], chunksize=1):
            rows.append(row)
            if picture and row["seed"] == 1:
                pictures.append((line_of(row), *picture))
            write_atomically(folder / "omega.csv", pd.DataFrame(rows).to_csv(index=False).encode())
            print(line_of(row), flush=True)
    return conclusion(pd.DataFrame(rows), pictures, folder)


def conclusion(table: pd.DataFrame, pictures: list, folder: Path) -> int:
    """Draw the kymographs, name the files and say whether the bars held."""
    files = ["omega.csv", *([plot_kymographs(pictures, folder / "kymographs.png").name] if pictures else [])]
    files += sorted(each.name for each in folder.iterdir() if each.name in ("path.png", "omega.mp4", "omega.gif"))
    judged = table[table.biased].reindex(columns=JUDGED)
    good = judged.apply(holds, axis=1)
    print(f"wrote {', '.join(files)} in {folder}")
    print(f"{int(good.sum())} of {len(good)} turned {-TURNED:.0f} degrees, with a bend to the tail, and went on")
    return 0 if good.all() else 1


JUDGED = ("heading_change_deg", "travels", f"bend_{PLACES[-1]}", "speed_after_mm_s")


def main(arguments: Sequence[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds, from 1")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a parameter")
    parser.add_argument("--phases", type=int, default=PHASES, help="commands, evenly spread over one cycle")
    parser.add_argument("--first", type=float, default=FIRST, help="ms before the first command")
    parser.add_argument("--crawl", type=float, default=CRAWL, help="ms of the run that measures the period")
    parser.add_argument("--engine", default="native", help='"neuron" gives the same in several times the time')
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-video", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("output/omega"))
    add_animal(parser)
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
