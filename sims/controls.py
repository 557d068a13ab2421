"""Controls with unchanged parameters: which changes must abolish crawling, which must impair it, and which must not?

Question: does crawling depend on the loop through this connectome, or would any wiring do? What do the neurons outside
the motor circuit contribute?
See: a verdict for every control. Without stretch receptors, AVB, B neurons or their gap junctions with AVB
the worm does not move; with shuffled synapses it loses its gait; without D neurons it is slow and its wave disrupted.
Time: about a quarter of an hour on two cores: intact worms for 23 s, everything else for 13 s.
Compare: Wen 2012 (proprioception), Xu 2018 (AVB-B gap junctions), Chalfie 1985 (AVB, A), Deng 2021 (D).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import tianbao as tb
from tianbao import anatomy
from tianbao.behaviour.gait import METRICS, Gait, crawled
from tianbao.cli import in_processes
from tianbao.io.files import prepare_folder
from tianbao.network.signs import Signs

# Cells found sufficient for forward movement earlier; all others are ablated in one control.
MOTOR_CIRCUIT = ("AVB*", "DB*", "VB*", "DD*", "VD*", "SMDD*", "SMDV*", "RMDD*", "RMDV*")

STOPPED = 0.02  # [mm/s] a stopped worm is slower
ISOTROPIC = 0.01  # [mm/s] physics: no net motion
SPOILED = {"forward_speed_mm_s": 0.65, "amplitude": 0.6}  # share of the intact mean below which a number is spoiled
BROKEN = 0.7  # travelling R2 of a broken wave


@dataclass(frozen=True)
class Control:
    """One experiment.

    Attributes:
        name: of the group.
        change: applied to the worm.
        expected: outcome required of its runs, a key of VERDICTS; "" if they are only reported.
        published: behaviour of the animal.
        medium: change of the medium of the arena.
    """

    name: str
    change: Callable[[tb.Worm, int], object] = lambda worm, seed: worm
    expected: str = ""
    published: str = ""
    medium: Callable[[tb.Medium], tb.Medium] = lambda medium: medium


def ablated(*neurons: str) -> Callable[[tb.Worm, int], object]:
    """A change that ablates neurons."""
    return lambda worm, seed: worm.ablate(*neurons)


def shuffled(what: str) -> Callable[[tb.Worm, int], object]:
    """A change that permutes connections."""
    return lambda worm, seed: worm.shuffle(what, seed)


def without_all_but_the_motor_circuit(worm: tb.Worm, seed: int) -> tb.Worm:
    """Ablate every neuron outside MOTOR_CIRCUIT."""
    kept = set(anatomy.match_neurons(*MOTOR_CIRCUIT))
    return worm.ablate(*(name for name in anatomy.neurons().index if name not in kept))


CONTROLS = (
    Control("intact", expected="crawls"),
    Control("stretch receptors off", lambda worm, seed: worm.silence_stretch_receptors(), "stops", "Wen 2012"),
    Control(
        "AVB-B gap junctions cut",
        lambda worm, seed: worm.cut_gap_junctions("AVB*", "DB*").cut_gap_junctions("AVB*", "VB*"),
        "stops", "forward waves fail (Xu 2018)",
    ),
    Control("AVB killed", ablated("AVB*"), "stops", "forward crawling fails (Chalfie 1985)"),
    Control("B neurons killed", ablated("DB*", "VB*"), "stops", "forward crawling fails (Chalfie 1985)"),
    Control("A neurons killed", ablated("DA*", "VA*"), "goes on", "forward crawling goes on (Chalfie 1985)"),
    Control("D neurons killed", ablated("DD*", "VD*"), "slow and broken",
            "GABA-deficient worms are slower (Deng 2021)"),
    Control("SMD killed", ablated("SMD*"), "", "shallower head bends (Kaplan 2020, Yeon 2018)"),
    Control("RMD killed", ablated("RMD*"), "", "forward crawling goes on"),
    Control("SMD and RMD killed", ablated("SMD*", "RMD*"), "", ""),
    Control("all but 47 neurons killed", without_all_but_the_motor_circuit, "", ""),
    Control("isotropic drag", expected="no net motion", medium=lambda medium: medium.isotropic(),
            published="Gray & Hancock 1955"),
    Control("signs by transmitter only", published="without inhibitory synapses by receptors"),
    Control("signs by prediction only", published="without the published signs"),
    Control("shuffled gap partners", shuffled("gap_partners"), "stops"),
    Control("shuffled chemical targets", shuffled("chemical_targets"), "spoiled"),
    Control("shuffled nmj within class", shuffled("nmj_within_class"), "spoiled"),
    Control("shuffled nmj across", shuffled("nmj_across"), "spoiled"),
)  # fmt: skip
SIGNS = {"signs by transmitter only": Signs("transmitter"), "signs by prediction only": Signs("predicted")}

# Expected outcome -> whether a run of a control (second argument) shows it, compared with the mean intact worm (first).
VERDICTS: dict[str, Callable[[pd.Series, pd.Series], bool]] = {
    "crawls": lambda intact, run: crawled(gait_of(run)),
    "stops": lambda intact, run: abs(run.forward_speed_mm_s) < STOPPED,
    "no net motion": lambda intact, run: abs(run.forward_speed_mm_s) < ISOTROPIC,
    "goes on": lambda intact, run: run.forward_speed_mm_s > 0.5 * intact.forward_speed_mm_s,
    "slow and broken": lambda intact, run: (
        0.35 <= run.forward_speed_mm_s / intact.forward_speed_mm_s <= 0.65 and run.travelling_r2 < BROKEN
    ),
    "spoiled": lambda intact, run: spoiled(intact, run) >= 2,
}


def spoiled(intact: pd.Series, run: pd.Series) -> int:
    """How many of speed, amplitude and shape are lost; a wave that cannot be measured counts as lost."""
    lost = [not run[name] > share * intact[name] for name, share in SPOILED.items()]
    return sum([*lost, not run.travelling_r2 >= BROKEN])


def gait_of(row: pd.Series) -> Gait:
    """The gait of a row of the table."""
    return Gait(**{name: row[name] for name in METRICS if name in row}, medium="agar")


def measure(job: tuple[str, int, float, str, str]) -> dict:
    """Run one control with one seed in a process of its own and measure its gait; NaN where the run diverged."""
    name, seed, duration, medium, engine = job
    control = next(each for each in CONTROLS if each.name == name)
    worm = tb.Worm(signs=SIGNS.get(name, Signs()))
    control.change(worm, seed)
    arena = tb.Arena(control.medium(tb.Medium.named(medium)))
    row = {"control": name, "seed": seed}
    try:
        measured = tb.Simulation(worm, arena, seed=seed, engine=engine, progress=False).run(duration).gait()
    except tb.DivergedError as error:
        return {**row, **dict.fromkeys(METRICS, float("nan")), "note": str(error)}
    return {**row, **measured.as_dict()}


def verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """For every control: how many runs had the expected outcome, the means, and the behaviour of the animal."""
    intact = table[table.control == "intact"].mean(numeric_only=True)
    rows = []
    for control in CONTROLS:
        runs = table[table.control == control.name]
        if runs.empty:
            continue
        judge = VERDICTS.get(control.expected)
        shown = sum(bool(judge(intact, run)) for _, run in runs.iterrows()) if judge else float("nan")
        mean = runs[["forward_speed_mm_s", "amplitude", "travelling_r2"]].mean()
        rows.append({"control": control.name, "expected": control.expected, "runs": len(runs), "as_expected": shown,
                     **mean, "published": control.published})  # fmt: skip
    return pd.DataFrame(rows)


def passed(table: pd.DataFrame) -> bool:
    """Whether every judged run had the expected outcome."""
    judged = verdicts(table).query("expected != ''")
    return bool(len(judged) and (judged.as_expected == judged.runs).all())


def line_of(row: dict) -> str:
    """One line of output for a run."""
    shown = {"forward_speed_mm_s": "mm/s", "frequency_hz": "Hz", "amplitude": "kappa L", "travelling_r2": "R2"}
    numbers = "  ".join(f"{row[name]:7.3f} {unit}" for name, unit in shown.items())
    return f"{row['control']:28s} seed {row['seed']}  {numbers}"


def main(arguments: list[str] | None = None) -> int:
    """Run the controls; exit code 0 only if each had the expected outcome."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--duration", type=float, default=23_000.0, help="ms for an intact worm")
    parser.add_argument("--control-duration", type=float, default=13_000.0, help="ms for all others")
    parser.add_argument("--seed", type=int, default=5, help="runs of each control, seeds of noise or shuffle 1 to this")
    parser.add_argument("--medium", default="agar")
    parser.add_argument("--engine", default="native", help='"neuron" gives the same in four times the time')
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("output/controls"))
    args = parser.parse_args(arguments)
    folder, rows = prepare_folder(args.out), []
    jobs = [
        (each.name, seed, args.duration if each.name == "intact" else args.control_duration, args.medium, args.engine)
        for each in CONTROLS
        for seed in range(1, args.seed + 1)
    ]
    for row in in_processes(measure, jobs, args.workers):
        rows.append(row)
        pd.DataFrame(rows).to_csv(folder / "controls.csv", index=False)
        print(line_of(row), flush=True)
    table = pd.DataFrame(rows)
    summary = verdicts(table)
    summary.to_csv(folder / "verdicts.csv", index=False)
    print(summary.to_string(index=False, float_format=lambda value: f"{value:.3f}"))
    print(f"wrote controls.csv and verdicts.csv in {folder}")
    verdict = passed(table)
    print("every control had the expected outcome" if verdict else "some control did not have the expected outcome")
    return 0 if verdict else 1


if __name__ == "__main__":
    sys.exit(main())
