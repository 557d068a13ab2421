"""How much does the gait depend on the signs of synapses that are contested?

Each family of synapses of tianbao/network/signs.csv is given its other sign, one at a time, and the rules beside the
default are tried; nothing is fitted again. Several worms that differ in their noise, far apart, on agar and in water.
See: speed, frequency, wavelength and travelling R2 of every worm, and the means of each switch beside the default.
Time: about a quarter of an hour for two worms on two cores: 13 s on agar and 6.5 s in water, with coarser compartments,
which give the same gait to 0.1 %.
Compare: tianbao/behaviour/published.csv.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

import tianbao as tb
from tianbao.cli import in_processes, run_script
from tianbao.io.files import prepare_folder
from tianbao.io.results import moved
from tianbao.network.signs import MINUS, NONE, OTHERS, PLUS, RECEPTORS, RULES, allowed, family_names

# Duration and body step [ms] in each medium.
MEDIA = {"agar": (13_000.0, 4.0), "water": (6_500.0, 2.0)}
APART = 3.0  # [mm] between worms
SHOWN = (
    "forward_speed_mm_s", "frequency_hz", "wavelength_body_lengths", "amplitude", "travelling_r2", "path_turn_deg_s",
)  # fmt: skip


def switches() -> Iterator[dict[str, str]]:
    """What is tried: every rule, the default first, and other signs of families; not against a sure sign in use."""
    yield from ({OTHERS: rule} for rule in RULES)
    table = tb.sign_sources().drop_duplicates("family").set_index("family")
    for name in family_names():
        used, sure = table.in_use[name], table.certainty[name] == "high"
        if sure and used == table.published[name]:
            continue
        # A family whose synapses have both signs is given each; one that can have no other sign is left out (`none`).
        wanted = {PLUS: [MINUS], MINUS: [PLUS], NONE: [MINUS]}.get(used, [PLUS, MINUS])
        possible = [] if name.endswith("-muscle") else [sign for sign in wanted if sign in allowed(name)]
        others = possible or [NONE]
        if name.startswith("complex") and RECEPTORS in allowed(name):
            others.append(RECEPTORS)
        yield from ({name: sign} for sign in others)


def name_of(switch: dict[str, str]) -> str:
    """A switch in words, as the table calls it."""
    return ", ".join(sign if name == OTHERS else f"{name} {sign}" for name, sign in switch.items())


def measure(job: tuple[dict[str, str], str, int, float]) -> list[dict]:
    """Gait of several worms with one switch in one medium, in a process of its own; NaN if the run diverged."""
    switch, medium, worms, scale = job
    duration, tick = MEDIA[medium]
    equal = [tb.Worm(at=(0.0, APART * k, 0.0), signs=switch, discretisation="d_lambda") for k in range(worms)]
    clock = tb.Clock(tick=tick)
    simulation = tb.Simulation(equal, tb.Arena(medium), seed=1, clock=clock, threads=1, progress=False)
    rows = [{"signs": name_of(switch), "medium": medium, "worm": k} for k in range(worms)]
    try:
        run = simulation.run(duration * scale)
    except tb.DivergedError:
        return [{**row, "criteria": False, **dict.fromkeys(SHOWN, np.nan)} for row in rows]
    gaits = [run.gait(k) for k in range(worms)]
    return [
        {**row, "criteria": bool(moved(gait, medium)), **{name: getattr(gait, name) for name in SHOWN}}
        for row, gait in zip(rows, gaits, strict=True)
    ]


def experiment(args: argparse.Namespace) -> int:
    """Run every switch; exit code 0 if all were measured."""
    if args.count < 1 or args.workers < 1 or not args.scale > 0.0:
        raise tb.ConfigError("--count and --workers must be at least 1, --scale above 0")
    folder = prepare_folder(args.out)
    wanted = {name_of(each): each for each in switches()}
    for name in args.only or ():
        if name not in wanted:
            raise tb.ConfigError(f"--only {name}: give some of {', '.join(wanted)}")
    jobs = [(wanted[name], medium, args.count, args.scale) for name in args.only or wanted for medium in MEDIA]
    rows = []
    for found in in_processes(measure, jobs, args.workers, tasks=8):
        rows += found
        pd.DataFrame(rows).to_csv(folder / "signs.csv", index=False)
        for row in found:
            numbers = "  ".join(f"{row[name]:8.3g}" for name in SHOWN)
            said = f"{row['signs']:24s} {row['medium']:6s} worm {row['worm']} {numbers}  {row['criteria']}"
            print(said, flush=True)
    means = pd.DataFrame(rows).groupby(["signs", "medium"], sort=False)[["criteria", *SHOWN]].mean()
    print(means.to_string(float_format=lambda value: f"{value:.3f}"))
    print(f"wrote signs.csv in {folder}")
    return 0 if means.forward_speed_mm_s.notna().all() else 1


def main(arguments: list[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2, help="worms with noise of their own")
    parser.add_argument("--only", nargs="*", metavar="SWITCH", help="such as 'AVA-AVB -', predicted, published")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the durations, below 1 for a quick test")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("output/signs"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
