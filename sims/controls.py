"""What must stop the crawl, and what must not: controls with unchanged parameters.

Question: is it the loop through this connectome that crawls, or would any wiring do?
See: without stretch receptors, without AVB-B gap junctions or with isotropic drag the worm goes
nowhere; with shuffled anatomy it loses its gait; with another seed it crawls.
Time: about six minutes on two cores: intact worms for 23 s of biology, everything else for 13 s.
Compare: Wen 2012 (proprioception), Xu 2018 (AVB-B gap junctions), Gray & Hancock 1955 (drag).
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from dataclasses import dataclass, fields
from pathlib import Path

import pandas as pd

import tianbao as tb
from tianbao.behaviour.gait import Gait, crawled
from tianbao.io.files import prepare_folder

CUT_OFF = 0.03  # [mm/s] a stopped worm is slower
ISOTROPIC_CUT_OFF = 0.02
SHUFFLED_CUT_OFF = 0.05
SHUFFLED_SHARE = 0.8  # of the shuffled worms must be slower than that

# Shown beside the animal's behaviour, not judged.
REPORTED = {
    "D neurons killed": "GABA-deficient worms are slower (Deng 2021)",
    "A neurons killed": "forward crawling goes on (Chalfie 1985)",
    "AVB killed": "forward crawling fails (Chalfie 1985)",
    "egl-19 knocked out": "lethal; partial loss makes worms slow and flaccid",
    "signs by transmitter only": "without the predicted inhibitory synapses",
}


@dataclass(frozen=True)
class Control:
    """One experiment: a name, the worm it changes, and the medium."""

    name: str
    intervention: str
    argument: str = ""
    seed: int = 1


def controls(shuffles: int, seeds: int) -> list[Control]:
    """Every control, the intact worms first."""
    listed = [Control("intact", "none", seed=seed) for seed in range(1, seeds + 1)]
    listed += [
        Control("stretch receptors off", "deaf"),
        Control("AVB-B gap junctions cut", "cut"),
        Control("isotropic drag", "isotropic"),
    ]
    listed += [Control(name, name) for name in REPORTED]
    for kind in ("nmj_within_class", "nmj_across", "chemical_targets", "gap_partners"):
        listed += [Control(f"shuffled {kind}", "shuffle", kind, seed) for seed in range(1, shuffles + 1)]
    return listed


def worm_of(control: Control) -> tb.Worm:
    """The worm of a control."""
    worm = tb.Worm(signs="transmitter" if control.intervention == "signs by transmitter only" else "predicted")
    killed = {"D neurons killed": ("DD*", "VD*"), "A neurons killed": ("DA*", "VA*"), "AVB killed": ("AVB*",)}
    if control.intervention in killed:
        worm.ablate(*killed[control.intervention])
    if control.intervention == "egl-19 knocked out":
        worm.knock_out("egl19")
    if control.intervention == "deaf":
        worm.silence_stretch_receptors()
    if control.intervention == "cut":
        worm.cut_gap_junctions("AVB*", "DB*").cut_gap_junctions("AVB*", "VB*")
    if control.intervention == "shuffle":
        worm.shuffle(control.argument, control.seed)
    return worm


def measure(job: tuple[Control, float, str, str]) -> dict:
    """Run one control in a process of its own and measure its gait; NaN where the run diverged."""
    control, duration, medium, engine = job
    arena = tb.Arena(medium)
    if control.intervention == "isotropic":
        arena = tb.Arena(arena.medium.isotropic())
    seed = control.seed if control.intervention == "none" else 1
    row = {"control": control.name, "seed": control.seed}
    try:
        simulation = tb.Simulation(worm_of(control), arena, seed=seed, engine=engine, progress=False)
        measured = simulation.run(duration).gait()
    except tb.DivergedError as error:
        return {**row, "forward_speed_mm_s": float("nan"), "note": str(error)}
    return {**row, **measured.as_dict()}


def passed(table: pd.DataFrame) -> bool:
    """Whether every control did what it must; a diverged run did not."""
    names = [each.name for each in fields(Gait) if each.name in table]
    intact = table[table.control == "intact"]
    crawls = [crawled(Gait(**{name: row[name] for name in names})) for _, row in intact.iterrows()]
    speed = table.set_index("control").forward_speed_mm_s.abs()
    shuffled = speed[speed.index.str.startswith("shuffled")]
    return bool(
        crawls
        and all(crawls)
        and speed["stretch receptors off"] < CUT_OFF
        and speed["AVB-B gap junctions cut"] < CUT_OFF
        and speed["isotropic drag"] < ISOTROPIC_CUT_OFF
        and (len(shuffled) == 0 or (shuffled < SHUFFLED_CUT_OFF).mean() >= SHUFFLED_SHARE)
    )


def line_of(row: dict) -> str:
    """What the console shows of a control."""
    shown = {"forward_speed_mm_s": "mm/s", "frequency_hz": "Hz", "wavelength_body_lengths": "L", "amplitude": "kappa L"}
    numbers = "  ".join(f"{row[name]:7.3f} {unit}" for name, unit in shown.items() if name in row)
    return f"{row['control']:28s} seed {row['seed']}  {numbers}"


def main(arguments: list[str] | None = None) -> int:
    """Run the controls; exit code 0 only if each did what it must."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--duration", type=float, default=23_000.0, help="ms of biology of an intact worm")
    parser.add_argument("--control-duration", type=float, default=13_000.0, help="ms of every other; 3 s are dropped")
    parser.add_argument("--seed", type=int, default=5, help="number of intact worms, seeds 1 to this")
    parser.add_argument("--shuffles", type=int, default=5, help="of each kind")
    parser.add_argument("--medium", default="agar")
    parser.add_argument("--engine", default="native", help="\"neuron\" gives the same in four times the time")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("output/controls"))
    args = parser.parse_args(arguments)
    folder, rows = prepare_folder(args.out), []
    jobs = [
        (each, args.duration if each.intervention == "none" else args.control_duration, args.medium, args.engine)
        for each in controls(args.shuffles, args.seed)
    ]
    with multiprocessing.get_context("spawn").Pool(args.workers, maxtasksperchild=1) as pool:
        for done, row in enumerate(pool.imap(measure, jobs, chunksize=1), start=1):
            rows.append(row)
            pd.DataFrame(rows).to_csv(folder / "controls.csv", index=False)
            print(f"{done:3d}/{len(jobs)} {line_of(row)}", flush=True)
    verdict = passed(pd.DataFrame(rows))
    print(f"wrote controls.csv in {folder}")
    print("every control did what it must" if verdict else "a control did not do what it must")
    return 0 if verdict else 1


if __name__ == "__main__":
    sys.exit(main())
