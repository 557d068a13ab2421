"""Does the gait change with the medium as the animal's does, with an unchanged worm?

The same worm in Newtonian fluids from 1 mPa s to 30 Pa s and in media interpolated between water and agar.
See: frequency and wavelength fall as viscosity increases (table, picture with the published data points);
the worm senses the medium only through the drag on its body.
Time: about seven minutes on two cores; an interrupted run continues with the missing rows.
Compare: Fang-Yen 2010 (tianbao/behaviour/gait_modulation.csv), Berri 2009 for gels.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import tianbao as tb
import tianbao.behaviour
from tianbao.behaviour.gait import PUBLISHED
from tianbao.cli import in_processes, run_script
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.view import style

VISCOSITIES = (1e-3, 1e-2, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # [Pa s]
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # of the way from water to agar
TICK = 2.0  # [ms] thin media give way at once, and one step for all keeps rows comparable
THICK = 0.1  # [N s/m2] drag across the body from which a worm may need seconds per cycle
CYCLES = ("frequency_hz", "wavelength_body_lengths")
LEVEL = 0.05  # a rise by less than this share counts as level: the published curve is flat at its thin end
FALL = {"frequency_hz": 2.0, "wavelength_body_lengths": 1.5}  # thinnest over thickest medium, at least
LABELS = {"frequency_hz": "frequency [Hz]", "wavelength_body_lengths": "wavelength [L]"}


@dataclass(frozen=True)
class Case:
    """One run: its sweep, the position in it, and the seed."""

    sweep: str
    value: float
    seed: int

    @property
    def medium(self) -> tb.Medium:
        """The medium of the run."""
        if self.sweep == "newtonian":
            return tb.Medium.newtonian(self.value)
        return tb.Medium.between("water", "agar", self.value)


def cases(seeds: int) -> list[Case]:
    """Every run, ordered by seed, so that an early stop leaves complete sweeps."""
    return [
        Case(sweep, value, seed)
        for seed in range(1, seeds + 1)
        for sweep, values in (("newtonian", VISCOSITIES), ("gel", SHARES))
        for value in values
    ]


def measure(job: tuple[Case, float, float, str]) -> dict:
    """Gait of one case, in a process of its own; NaN where the run diverged."""
    case, thin, thick, engine = job
    medium = case.medium
    row = {**asdict(case), "drag_normal": medium.drag_normal, "drag_ratio": medium.drag_ratio}
    duration = thick if medium.drag_normal >= THICK else thin
    clock = tb.Clock(tick=TICK)
    arena = tb.Arena(medium)
    try:
        run = tb.Simulation(tb.Worm(), arena, seed=case.seed, clock=clock, engine=engine, progress=False).run(duration)
    except tb.DivergedError as error:
        return {**row, **dict.fromkeys((*CYCLES, "forward_speed_mm_s"), float("nan")), "note": str(error)}
    return {**row, **run.gait().as_dict()}


def means(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Mean over seeds of each sweep, from thin to thick."""
    mean = table.groupby(["sweep", "value"]).mean(numeric_only=True).reset_index()
    return {sweep: rows.sort_values("drag_normal") for sweep, rows in mean.groupby("sweep", sort=False)}


def falls(values: np.ndarray, least: float) -> bool:
    """Whether values decrease by at least a factor from first to last, allowing for level parts."""
    steps = values[1:] / values[:-1]
    return bool((steps < 1.0 + LEVEL).all() and values[0] >= least * values[-1])


def passed(table: pd.DataFrame) -> bool:
    """Whether every worm moved forward and frequency and wavelength fell in both sweeps."""
    forward = (table.forward_speed_mm_s > 0.0) & (table.wave_direction == 1)
    modulated = [falls(rows[name].to_numpy(), least) for rows in means(table).values() for name, least in FALL.items()]
    return bool(forward.all() and all(modulated))


def published() -> pd.DataFrame:
    """The published curve, one row per point."""
    with open(Path(tianbao.behaviour.__file__).with_name("gait_modulation.csv"), newline="", encoding="utf-8") as lines:
        table = pd.DataFrame(csv.DictReader(lines))
    return table.astype({"viscosity_pa_s": float, "value": float})


def draw(figure: Figure, table: pd.DataFrame) -> None:
    """Frequency and wavelength against viscosity, with the published curve, and against drag in gels."""
    sweeps, points = means(table), published()
    grid = figure.subplots(len(CYCLES), 2, sharex="col", sharey="row")
    for name, (fluid, gel) in zip(CYCLES, grid, strict=True):
        known = points[points.metric == name]
        fluid.plot(known.viscosity_pa_s, known.value, "o", color=style.FAINT, mfc="none", label="Fang-Yen et al. 2010")
        for axes, sweep, along in ((fluid, "newtonian", "value"), (gel, "gel", "drag_normal")):
            if sweep in sweeps:
                rows = table[table.sweep == sweep]
                axes.plot(rows[along], rows[name], ".", color=style.DORSAL, alpha=0.4)
                axes.plot(sweeps[sweep][along], sweeps[sweep][name], "-", color=style.DORSAL, label="this worm")
        ends = {"water": tb.Medium.named("water").drag_normal, "agar": tb.Medium.named("agar").drag_normal}
        for each in PUBLISHED:
            if each.metric == name and each.medium in ends:
                place = ends[each.medium]
                bar = {"linewidth": 5, "alpha": 0.5, "solid_capstyle": "butt"}
                gel.plot([place, place], [each.low, each.high], color=style.FAINT, **bar)
                gel.annotate(each.medium, (place, each.low), xytext=(0, -3), textcoords="offset points",
                             ha="center", va="top", fontsize=8, color=style.FAINT)  # fmt: skip
        fluid.set(xscale="log", ylabel=LABELS[name], ylim=(0.0, None))
        gel.set_xscale("log")
    grid[0, 0].set_title("Newtonian fluids", loc="left")
    grid[0, 1].set_title("from water to agar", loc="left")
    grid[0, 0].legend(frameon=False, fontsize=8)
    grid[1, 0].set_xlabel("viscosity [Pa s]")
    grid[1, 1].set_xlabel("drag across the body [N s/m2], bars: published ranges")


def kept_rows(folder: Path, settings: dict) -> list[dict]:
    """Rows of an interrupted run in this folder.

    Raises:
        ConfigError: if they were made with another worm or other durations.
    """
    path, wanted = folder / "settings.json", json.dumps(settings, indent=1)
    if path.exists() and path.read_text(encoding="utf-8") != wanted:
        raise tb.ConfigError(f"{folder} contains a sweep with other settings: choose another --out")
    write_atomically(path, wanted.encode())
    rows = folder / "gait_modulation.csv"
    return pd.read_csv(rows).to_dict("records") if rows.exists() else []


def line_of(row: dict) -> str:
    """One line of output for a run."""
    medium = Case(row["sweep"], row["value"], row["seed"]).medium.name
    numbers = f"{row['frequency_hz']:6.2f} Hz {row['wavelength_body_lengths']:6.2f} L"
    return f"{medium:24s} seed {row['seed']}  {numbers} {row['forward_speed_mm_s']:+7.3f} mm/s"


def experiment(args: argparse.Namespace) -> int:
    """Run the sweeps; exit code 0 only if the gait changed as required."""
    if args.seed < 1 or args.workers < 1:
        raise tb.ConfigError(f"--seed {args.seed} and --workers {args.workers} must be at least 1")
    folder = prepare_folder(args.out)
    settings = {
        "thin": args.duration,
        "thick": args.slow_duration,
        "engine": args.engine,
        "parameters": dict(tb.Worm().parameters),
    }
    rows = kept_rows(folder, settings)
    done = {(row["sweep"], row["value"], row["seed"]) for row in rows}
    missing = [each for each in cases(args.seed) if (each.sweep, each.value, each.seed) not in done]
    jobs = [(each, args.duration, args.slow_duration, args.engine) for each in missing]
    for row in in_processes(measure, jobs, args.workers):
        rows.append(row)
        write_atomically(folder / "gait_modulation.csv", pd.DataFrame(rows).to_csv(index=False).encode())
        print(line_of(row), flush=True)
    table = pd.DataFrame(rows)
    picture = style.render(lambda figure: draw(figure, table), (9.0, 6.0), folder / "gait_modulation.png")
    print(f"wrote gait_modulation.csv and {picture.name} in {folder}")
    verdict = passed(table)
    print("the gait changed with the medium" if verdict else "the gait did not change with the medium as required")
    return 0 if verdict else 1


def main(arguments: list[str] | None = None) -> int:
    """Run the sweeps; exit code 0 only if the gait changed as required."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--duration", type=float, default=9_000.0, help="ms in thin media, of which 3 s are discarded")
    parser.add_argument("--slow-duration", type=float, default=23_000.0, help="the same in thick media")
    parser.add_argument("--seed", type=int, default=1, help="number of seeds averaged, from 1")
    parser.add_argument("--engine", default="native", help='"neuron" gives the same in several times the time')
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("output/gait_modulation"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
