"""Does the worm reverse on command, immediately and with a wave from tail to head?

Question: AVA is excited (light-gated cation channel) and AVB silenced for 3 s; SMD and RMD are silenced as well, as by
tyramine from RIM through LGC-55 (which a worm that does not decide lacks). Does the worm reverse at every phase of
the undulation cycle, and move forward again afterwards?
See: eight commands an eighth of a cycle apart, each in the same run: latency, speed and wave of the reversal and
time until the worm moves forward again; without the stretch receptors of A neurons it stops instead. Kymographs
below each other (with an animal's, given --animal), and a video of the first.
Time: about two minutes on agar and five in water, on two cores.
Compare: Chalfie 1985, Kato 2015 (command neurons); Pirri 2009 (tyramine, LGC-55); Gao 2018 (A neurons).
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
from tianbao.behaviour.kymograph import Kymograph
from tianbao.behaviour.reversals import reversal
from tianbao.cli import run_script
from tianbao.cli.animals import animal_of
from tianbao.commands import back_up
from tianbao.io.files import prepare_folder
from tianbao.view.kymographs import plot_kymographs

COMMAND, AFTER = 3_000.0, 3_000.0  # [ms] length of the command, and what follows it
SHOWN_BEFORE = 2_000.0  # [ms] of the kymographs before the command


@dataclass(frozen=True)
class Criteria:
    """Criteria of a reversal: latency [s], speed [mm/s], travelling R2 [-], time until forward again [s]."""

    speed: float
    again_speed: float  # [mm/s] at which the worm counts as moving forward again
    latency: float = 0.3
    travelling_r2: float = 0.70
    again: float = 1.0
    stopped: float = 0.03  # [mm/s] with silenced A neurons


CRITERIA = {"agar": Criteria(speed=-0.20, again_speed=0.20), "water": Criteria(speed=-0.04, again_speed=0.10)}


@dataclass(frozen=True)
class Case:
    """One command: its number within the cycle, its onset [ms], the seed, and whether A neurons feel stretch."""

    phase: int
    onset: float
    seed: int = 1
    silenced: bool = False


def worm_of(case: Case, setting: Setting) -> tb.Worm:
    """The worm of a case."""
    worm = back_up(setting.worm(), case.onset, case.onset + COMMAND)
    return worm.silence_stretch_receptors("DA*", "VA*") if case.silenced else worm


def measure(job: tuple[Case, Setting]) -> tuple[dict, Picture | None]:
    """One command, in a process of its own: its numbers, and its kymograph."""
    case, setting = job
    row = asdict(case)
    try:
        run = setting.run(worm_of(case, setting), case.seed, case.onset + COMMAND + AFTER)
    except tb.DivergedError as error:
        return {**row, "note": str(error)}, None
    track = run.track()
    found = reversal(
        run.time, track.midline, case.onset, case.onset + COMMAND, dorsal=track.dorsal,
        again=CRITERIA[setting.medium].again_speed,
    )  # fmt: skip
    if setting.folder and case == Case(0, case.onset):
        run.video(setting.folder / "reversal.mp4", progress=False)
    return {**row, **found.as_dict()}, shorten(run, case.onset - SHOWN_BEFORE)


def holds(row: pd.Series, criteria: Criteria) -> bool:
    """Whether one row reaches every bar; NaN reaches none."""
    if row.silenced:
        return bool(abs(row.speed_mm_s) < criteria.stopped)
    return bool(
        row.latency_s <= criteria.latency
        and row.speed_mm_s <= criteria.speed
        and row.travelling_r2 >= criteria.travelling_r2
        and row.wave_length < 0.0
        and row.forward_again_s <= criteria.again
    )


def line_of(row: dict) -> str:
    """What the console and the pictures say of a row."""
    name = "A neurons silenced" if row["silenced"] else f"phase {row['phase']}"
    if "latency_s" not in row:
        return f"{name} seed {row['seed']}: {row['note']}"
    return (
        f"{name} seed {row['seed']}: {row['speed_mm_s']:+.3f} mm/s after {row['latency_s']:.2f} s, "
        f"R2 {row['travelling_r2']:.2f}, {row['wave_length']:+.2f} L, tail {row['tail_amplitude']:.1f}, "
        f"forward again {row['forward_again_s']:.2f} s"
    )


def experiment(args: argparse.Namespace) -> int:
    """Give all commands; exit code 0 only if every one reached its bars."""
    if args.medium not in CRITERIA:
        raise tb.ConfigError(f"--medium is one of {', '.join(CRITERIA)}")
    animal, folder = animal_of(args), prepare_folder(args.out)

    def cases(onsets: Sequence[float]) -> list[Case]:
        commands = [Case(k, onset, seed) for seed in range(1, args.seeds + 1) for k, onset in enumerate(onsets)]
        return [*commands, Case(0, onsets[0], silenced=True)]

    found = commanded(args, args.medium, folder, cases, measure, line_of, "reversal.csv")
    if found is None:
        return 1
    table, pictures = found
    return conclusion(table, pictures, animal, folder, CRITERIA[args.medium])


def conclusion(table: pd.DataFrame, pictures: list, animal: Kymograph | None, folder: Path, criteria: Criteria) -> int:
    """Write the kymographs, name the files and say whether the bars held."""
    files = ["reversal.csv"]
    if animal is not None:
        pictures.insert(0, animal)
    if pictures:
        files.append(plot_kymographs(pictures, folder / "kymographs.png").name)
    files += [each.name for each in sorted(folder.glob("reversal.*")) if each.suffix in (".mp4", ".gif")]
    good = table.reindex(columns=COLUMNS).apply(holds, axis=1, criteria=criteria)
    print(f"wrote {', '.join(files)} in {folder}")
    print(f"{int(good.sum())} of {len(good)} rows reached every criterion ({criteria})")
    return 0 if good.all() else 1


COLUMNS = ("silenced", "latency_s", "speed_mm_s", "travelling_r2", "wave_length", "forward_again_s")


def main(arguments: Sequence[str] | None = None) -> int:
    """Options of the experiment."""
    parser = options(__doc__, Path("output/reversal"))
    parser.add_argument("--medium", default="agar", help="agar or water")
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
