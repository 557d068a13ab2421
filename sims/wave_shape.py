"""Does the wave resemble the animal's, with and without channel noise, on agar and in water?

Question: five seeds not used in any fit, each with the default noise and without noise: speed, frequency, shape of the
wave.
See: a row per run, the mean of each medium, kymographs on one scale, with an animal's if --animal is given.
Time: about five minutes on two cores: 23 s on agar, 9.5 s in water.
Compare: tianbao/behaviour/published.csv.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

import tianbao as tb
from tianbao.behaviour.kymograph import Kymograph
from tianbao.cli import in_processes, run_script
from tianbao.cli.animals import add_animal, animal_of
from tianbao.config import parse_setting
from tianbao.io.files import prepare_folder
from tianbao.view.kymographs import plot_kymographs

# Medium -> duration, body step and time discarded [ms].
RUNS = {"agar": (23_000.0, 4.0, 3000.0), "water": (9_500.0, 2.0, 2000.0)}
SHOWN_MS = 8_000.0  # of the kymographs
PRINTED = (
    "forward_speed_mm_s", "wave_frequency_hz", "wave_length", "wave_amplitude", "travelling_r2", "travelling_r2_head",
    "speed_cv_along", "speed_cv_in_time", "speed_slowest", "duty", "tail_over_middle", "stride_period_cv",
    "eigenworm_share", "path_turn_deg_s", "shortest_length",
)  # fmt: skip


Job = tuple[str, float, int, float, tuple[tuple[str, float], ...]]


def worm_of(noise: float, parameters: tuple[tuple[str, float], ...]) -> tb.Worm:
    """A worm with that channel noise [pA], and other parameters than the default ones."""
    return tb.Worm(parameters=tb.Worm().parameters.replace(**{**dict(parameters), "noise": noise}))


def measure(job: Job) -> tuple[dict, tuple]:
    """Gait of one run in its own process, and its last kymograph."""
    medium, noise, seed, scale, parameters = job
    duration, tick, dropped = RUNS[medium]
    worm = worm_of(noise, parameters)
    clock = tb.Clock(tick=tick)
    run = tb.Simulation(worm, tb.Arena(medium), seed=seed, clock=clock, progress=False).run(
        dropped + max((duration - dropped) * scale, 2.0 * clock.frame)
    )
    track = run.track()
    gait = tb.behaviour.gait(run.time, track.midline, discard_ms=dropped, medium=medium, dorsal=track.dorsal)
    seen = Kymograph.of(run)
    shown = seen.time >= seen.time[-1] - SHOWN_MS
    name = f"{medium}, {'noise' if noise else 'no noise'}, seed {seed}"
    return {"medium": medium, "noise": noise, "seed": seed, **gait.as_dict()}, (
        name, seen.time[shown], seen.s, seen.curvature[shown],
    )  # fmt: skip


def experiment(args: argparse.Namespace) -> int:
    """Run every medium, noise and seed; exit code 0 if all were measured."""
    if args.seed < 1 or args.workers < 1 or not args.scale > 0.0:
        raise tb.ConfigError("--seed and --workers must be at least 1, --scale above 0")
    parameters = tuple(map(parse_setting, args.set))
    noisy = dict(parameters).get("noise", tb.Worm().parameters.noise)
    worm_of(noisy, parameters)  # a wrong parameter is reported here rather than in a worker
    folder, animal = prepare_folder(args.out), animal_of(args)
    seeds = range(args.first, args.first + args.seed)
    runs = [(medium, noise, seed) for medium in RUNS for noise in (noisy, 0.0) for seed in seeds]
    jobs = [(*run, args.scale, parameters) for run in runs]
    rows, pictures = [], [animal] if animal else []
    for row, picture in in_processes(measure, jobs, args.workers):
        rows.append(row)
        pictures += [picture] if row["seed"] == args.first else []
        pd.DataFrame(rows).to_csv(folder / "waves.csv", index=False)
        print(
            f"{picture[0]:26s} {row['forward_speed_mm_s']:+.3f} mm/s  R2 {row['travelling_r2']:.3f}  "
            f"{row['wave_frequency_hz']:.2f} Hz  {row['wave_length']:+.2f} L",
            flush=True,
        )
    drawn = plot_kymographs(pictures, folder / "kymographs.png")
    means = pd.DataFrame(rows).groupby(["medium", "noise"])[list(PRINTED)].mean().T
    print(means.to_string(float_format=lambda value: f"{value:.3f}"))
    print(f"wrote waves.csv and {drawn.name} in {folder}")
    return 0 if means.loc["forward_speed_mm_s"].notna().all() else 1


def main(arguments: list[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=5, help="number of seeds")
    parser.add_argument("--first", type=int, default=1, help="first of them")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the time measured, below 1 for a test")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a parameter")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("output/wave_shape"))
    add_animal(parser)
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
