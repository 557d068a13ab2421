"""Does the worm still crawl and swim if its parameters are perturbed by up to 10 %?

All fitted values of network and tissue are multiplied at once by independent factors, uniformly drawn from 0.9 to 1.1;
each draw is run on agar and in water, with channel noise.
See: how many draws still move with a travelling wave, and the gait of each.
Time: about six minutes for sixteen draws on two cores.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import tianbao as tb
from tianbao import parameters
from tianbao.body import Material
from tianbao.body.material import constant
from tianbao.cli import in_processes, run_script
from tianbao.io.files import prepare_folder

# Fitted values of the tissue: row of body.csv -> attribute of Material.
TISSUE = {"bending_stiffness": "bending_stiffness_n_m2", "internal_viscosity_time": "internal_viscosity_time"}
# Duration and body step [ms] in each medium.
MEDIA = {"agar": (13_000.0, 4.0), "water": (8_000.0, 2.0)}
SHOWN = (
    "forward_speed_mm_s", "frequency_hz", "wavelength_body_lengths", "amplitude", "peak_share", "travelling_r2",
    "wave_direction",
)  # fmt: skip
# Criteria for a perturbed worm: lowest speed [mm/s] and travelling R2 in each medium.
LEAST = {"agar": (0.12, 0.75), "water": (0.10, 0.0)}
ENOUGH = 14 / 16


def drawn(seed: int, spread: float) -> tuple[parameters.Parameters, Material]:
    """Fitted values, each perturbed independently by up to a share; unchanged for seed 0."""
    rows = parameters.table()
    fitted = {name: row.value for name, row in rows.items() if row.source.startswith("fitted")}
    tissue = {attribute: constant(name) for name, attribute in TISSUE.items()}
    factors = np.random.default_rng(seed).uniform(1.0 - spread, 1.0 + spread, len(fitted) + len(tissue))
    moved = {
        name: value * (factor if seed else 1.0)
        for (name, value), factor in zip({**fitted, **tissue}.items(), factors, strict=True)
    }
    material = Material(**{name: moved.pop(name) for name in tissue})
    # A value at its bound, such as a share of 1, moves inwards only.
    moved = {name: float(np.clip(value, rows[name].low, rows[name].high)) for name, value in moved.items()}
    return parameters.defaults().replace(**moved), material


def moves(gait: tb.behaviour.Gait, medium: str) -> bool:
    """Whether a perturbed worm still moves forward with a travelling wave."""
    speed, share = LEAST[medium]
    return gait.wave_direction > 0 and gait.forward_speed_mm_s >= speed and gait.travelling_r2 >= share


def measure(job: tuple[int, str, float]) -> dict:
    """Gait of one draw in one medium, in its own process; NaN if the run diverged."""
    draw, medium, spread = job
    duration, tick = MEDIA[medium]
    values, material = drawn(draw, spread)
    simulation = tb.Simulation(
        tb.Worm(parameters=values), tb.Arena(medium), seed=1 + draw, clock=tb.Clock(tick=tick), material=material,
        progress=False,
    )  # fmt: skip
    try:
        gait = simulation.run(duration).gait()
    except tb.DivergedError:
        return {"draw": draw, "medium": medium, "moves": False, **dict.fromkeys(SHOWN, np.nan)}
    shown = {name: getattr(gait, name) for name in SHOWN}
    return {"draw": draw, "medium": medium, "moves": moves(gait, medium), **shown}


def experiment(args: argparse.Namespace) -> int:
    """Run all draws; exit code 0 only if at least 14 of 16 move in each medium."""
    if args.draws < 1 or args.workers < 1 or not 0.0 < args.spread < 1.0:
        raise tb.ConfigError("--draws and --workers must be at least 1, --spread between 0 and 1")
    folder = prepare_folder(args.out)
    jobs = [(draw, medium, args.spread) for draw in range(args.draws + 1) for medium in MEDIA]
    rows = []
    for row in in_processes(measure, jobs, args.workers):
        rows.append(row)
        print(
            "  ".join(f"{value:.3g}" if isinstance(value, float) else f"{value!s:>5}" for value in row.values()),
            flush=True,
        )
    table = pd.DataFrame(rows)
    table.to_csv(folder / "robustness.csv", index=False)
    share = table[table.draw > 0].groupby("medium").moves.mean()
    print(f"of {args.draws} draws {share['agar']:.0%} crawl and {share['water']:.0%} swim")
    print(f"wrote robustness.csv in {folder}")
    return 0 if (share >= ENOUGH).all() else 1


def main(arguments: list[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=16)
    parser.add_argument("--spread", type=float, default=0.1, help="largest change of a parameter, as a share")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("output/robustness"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
