"""Does the worm go back on command, at once and with a wave that runs from tail to head?

Question: AVA is excited (light-gated cation channel) and AVB silenced for 3 s; SMD and RMD are silenced with them, as
tyramine from RIM does through LGC-55 in the animal (an intervention until the worm has tyramine). Does the crawl turn
round in whatever phase of the cycle the command comes, and go on forward after it?
See: eight commands an eighth of a cycle apart, each from the same crawl: latency, speed and wave of the reversal and
time until the worm goes forward again; with the stretch receptors of A neurons off it stops instead. Kymographs one
below the other (beside an animal's with --animal), a video of the first.
Time: about two minutes on agar and five in water, on two cores.
Compare: Chalfie 1985, Kato 2015 (command neurons); Pirri 2009 (tyramine, LGC-55); Gao 2018 (A neurons).
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
from tianbao.behaviour.reversals import reversal
from tianbao.cli import run_script
from tianbao.cli.animals import add_animal, animal_of
from tianbao.commands import back_up
from tianbao.config import parse_setting
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.view.kymographs import plot_kymographs

FIRST, COMMAND, AFTER = 6_000.0, 3_000.0, 3_000.0  # [ms] first onset, length of the command, and what follows it
CRAWL = 10_000.0  # [ms] of the run that measures the period
PHASES = 8
SHOWN_BEFORE = 2_000.0  # [ms] of the kymographs before the command
TICK = {"agar": 4.0, "water": 2.0}  # [ms]


@dataclass(frozen=True)
class Bars:
    """What a reversal must reach: latency [s], speed [mm/s], travelling R2 [-], time until forward again [s]."""

    speed: float
    again_speed: float  # [mm/s] from which the worm goes forward again
    latency: float = 0.3
    travelling_r2: float = 0.70
    again: float = 1.0
    stopped: float = 0.03  # [mm/s] with deaf A neurons


BARS = {"agar": Bars(speed=-0.20, again_speed=0.20), "water": Bars(speed=-0.04, again_speed=0.10)}


@dataclass(frozen=True)
class Case:
    """One command: its number within the cycle, its onset [ms], the seed, and whether A neurons feel stretch."""

    phase: int
    onset: float
    seed: int = 1
    deaf: bool = False


@dataclass(frozen=True)
class Setting:
    """What all runs share: medium, engine, changed parameters, and where the first one's video goes."""

    medium: str
    engine: str
    parameters: tuple[tuple[str, float], ...]
    video: Path | None = None


def worm_of(case: Case | None, setting: Setting) -> tb.Worm:
    """The worm of a case, or an untouched one."""
    worm = tb.Worm(parameters=tb.Worm().parameters.replace(**dict(setting.parameters)))
    if case is None:
        return worm
    back_up(worm, case.onset, case.onset + COMMAND)
    return worm.silence_stretch_receptors("DA*", "VA*") if case.deaf else worm


def simulated(case: Case | None, setting: Setting, seed: int, duration: float) -> tb.Recording:
    """A run of this worm."""
    clock = tb.Clock(tick=TICK[setting.medium])
    simulation = tb.Simulation(
        worm_of(case, setting), tb.Arena(setting.medium), seed=seed, clock=clock, engine=setting.engine, progress=False
    )
    return simulation.run(duration)


def period(job: tuple[Setting, int, float]) -> float:
    """Period [ms] of the untouched worm, in a process of its own; NaN for one without rhythm."""
    setting, seed, duration = job
    frequency = simulated(None, setting, seed, duration).gait().frequency_hz
    return 1e3 / frequency if frequency > 0.0 else math.nan


def measure(job: tuple[Case, Setting]) -> tuple[dict, tuple | None]:
    """One command, in a process of its own: its numbers, and time, places and curvature around it."""
    case, setting = job
    row = asdict(case)
    try:
        run = simulated(case, setting, case.seed, case.onset + COMMAND + AFTER)
    except tb.DivergedError as error:
        return {**row, "note": str(error)}, None
    track = run.track()
    found = reversal(
        run.time, track.midline, case.onset, case.onset + COMMAND, dorsal=track.dorsal,
        again=BARS[setting.medium].again_speed,
    )  # fmt: skip
    if setting.video and case == Case(0, case.onset):
        run.video(setting.video, progress=False)
    seen, shown = Kymograph.of(run), run.time >= case.onset - SHOWN_BEFORE
    return {**row, **found.as_dict()}, (seen.time[shown], seen.s, seen.curvature[shown])


def holds(row: pd.Series, bars: Bars) -> bool:
    """Whether one row reaches every bar; NaN reaches none."""
    if row.deaf:
        return bool(abs(row.speed_mm_s) < bars.stopped)
    return bool(
        row.latency_s <= bars.latency
        and row.speed_mm_s <= bars.speed
        and row.travelling_r2 >= bars.travelling_r2
        and row.wave_length < 0.0
        and row.forward_again_s <= bars.again
    )


def line_of(row: dict) -> str:
    """What the console and the pictures say of a row."""
    name = "A neurons deaf" if row["deaf"] else f"phase {row['phase']}"
    if "latency_s" not in row:
        return f"{name} seed {row['seed']}: {row['note']}"
    return (
        f"{name} seed {row['seed']}: {row['speed_mm_s']:+.3f} mm/s after {row['latency_s']:.2f} s, "
        f"R2 {row['travelling_r2']:.2f}, {row['wave_length']:+.2f} L, tail {row['tail_amplitude']:.1f}, "
        f"forward again {row['forward_again_s']:.2f} s"
    )


def experiment(args: argparse.Namespace) -> int:
    """Give all commands; exit code 0 only if every one reached its bars."""
    if min(args.seeds, args.workers, args.phases) < 1 or args.medium not in BARS:
        raise tb.ConfigError(f"--seeds, --workers and --phases must be at least 1, --medium one of {', '.join(BARS)}")
    animal, folder = animal_of(args), prepare_folder(args.out)
    video = None if args.no_video else folder / "reversal.mp4"
    setting = Setting(args.medium, args.engine, tuple(map(parse_setting, args.set)), video)
    worm_of(None, setting)  # a wrong parameter is refused here, not in a pool
    rows, pictures = [], []
    with multiprocessing.get_context("spawn").Pool(args.workers, maxtasksperchild=1) as pool:
        cycle = pool.apply(period, ((setting, 1, args.crawl),))
        if not math.isfinite(cycle):
            print("the untouched worm has no rhythm to command")
            return 1
        print(f"period {cycle:.0f} ms", flush=True)
        onsets = [args.first + k * cycle / args.phases for k in range(args.phases)]
        cases = [Case(k, onset, seed) for seed in range(1, args.seeds + 1) for k, onset in enumerate(onsets)]
        cases.append(Case(0, onsets[0], deaf=True))
        for row, picture in pool.imap(measure, [(each, setting) for each in cases], chunksize=1):
            rows.append(row)
            if picture and row["seed"] == 1:
                pictures.append((line_of(row), *picture))
            write_atomically(folder / "reversal.csv", pd.DataFrame(rows).to_csv(index=False).encode())
            print(line_of(row), flush=True)
    return conclusion(pd.DataFrame(rows), pictures, animal, folder, setting)


def conclusion(
    table: pd.DataFrame, pictures: list, animal: Kymograph | None, folder: Path, setting: Setting
) -> int:
    """Write the kymographs, name the files and say whether the bars held."""
    files = ["reversal.csv"]
    if animal is not None:
        pictures.insert(0, animal)
    if pictures:
        files.append(plot_kymographs(pictures, folder / "kymographs.png").name)
    files += [each.name for each in sorted(folder.glob("reversal.*")) if each.suffix in (".mp4", ".gif")]
    good = table.reindex(columns=COLUMNS).apply(holds, axis=1, bars=BARS[setting.medium])
    print(f"wrote {', '.join(files)} in {folder}")
    print(f"{int(good.sum())} of {len(good)} rows reached every bar ({BARS[setting.medium]})")
    return 0 if good.all() else 1


COLUMNS = ("deaf", "latency_s", "speed_mm_s", "travelling_r2", "wave_length", "forward_again_s")


def main(arguments: Sequence[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--medium", default="agar", help="agar or water")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds, from 1")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a parameter")
    parser.add_argument("--phases", type=int, default=PHASES, help="commands, evenly spread over one cycle")
    parser.add_argument("--first", type=float, default=FIRST, help="ms before the first command")
    parser.add_argument("--crawl", type=float, default=CRAWL, help="ms of the run that measures the period")
    parser.add_argument("--engine", default="native", help='"neuron" gives the same in several times the time')
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-video", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("output/reversal"))
    add_animal(parser)
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
