"""Does a tap still turn a worm back whose circuit of tap withdrawal was trained to drive a car?

Question: `sims/train_circuit.py` trained gains and currents of 19 neurons on tasks that no worm meets. Here they are
put back among the other 283, as factors on synapses and gap junctions and as steady currents; receptor currents,
read-out and time constants stay behind. Worms that decide crawl on agar with membrane noise, and the plate is tapped.
See: the share of worms that reverse within a second of the tap (95 % interval by Wilson), beside that of worms as they
are and that within a second of a moment two seconds earlier; whether they crawled before; differences (Newcombe).
Time: about a core-minute for twenty worms of one condition, those of four trainings; a broken run goes on, with the
same seeds and gains only.
Compare: tianbao/validation/assays/tap.toml, whose worms and measure these are.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import tianbao as tb
from tianbao.behaviour.estimates import Share
from tianbao.behaviour.responses import acceleration, response, share_of_trials
from tianbao.cli import run_script
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.learning.circuit import PARTS, Circuit
from tianbao.loop.provenance import git_revision

GAINS = Path(__file__).parents[1] / "docs" / "measured" / "circuit_gains.csv"
CIRCUIT, SIGNS = "tap withdrawal", "deciding"
TAP, SHAM, WINDOW = 10_000.0, 2_000.0, 1.0  # [ms] of the tap; before it, of the sham; [s] in which a reversal answers
STRIDE, PHASES = 1_500.0, 5  # [ms] over which taps are spread, into how many onsets, as in tap.toml
AFTER = 1_600.0  # [ms] recorded after the last tap, so that the window is covered
TOGETHER, APART = 5, 5.0  # worms of one run; [mm]
TICK, FRAME = 4.0, 40.0  # [ms]
WIRED = ("synapses", "junctions")


@dataclass(frozen=True)
class Condition:
    """What is put into a group of worms.

    Attributes:
        name: of the condition.
        task: whose trained gains; "" for none.
        kind: of the training: "worm", or "held" near the worm's own gains.
        parts: of the gains.
        killed: neurons or globs.
    """

    name: str
    task: str = ""
    kind: str = "worm"
    parts: tuple[str, ...] = PARTS
    killed: tuple[str, ...] = ()


TASKS = ("lane", "mountain car", "pendulum")
CONDITIONS = (
    Condition("as it is"),
    *(Condition(each, each) for each in TASKS),
    *(Condition(f"{each}, held", each, "held") for each in TASKS),
    *(Condition(f"{each}, without currents", each, parts=WIRED) for each in TASKS),
    Condition("touch receptors killed", killed=("ALM*", "AVM", "PLM*", "PVM")),
)


def trained_numbers(circuit: Circuit, gains: pd.DataFrame, condition: Condition, run: int) -> np.ndarray:
    """Numbers of the training whose turn it is: all worms of run k have those of seed k, round and round.

    Alike, they share one nervous system, which takes longer to build than a worm takes to be simulated.
    """
    mine = gains[(gains.task == condition.task) & (gains.kind == condition.kind)]
    if mine.empty:
        raise tb.ConfigError(f"{condition.name}: the table of gains has no such training; run sims/train_circuit.py")
    seeds = sorted(mine.seed.unique())
    chosen = mine[mine.seed == seeds[run % len(seeds)]].set_index("name").value
    return chosen.reindex(circuit.names).to_numpy(float)


def onset(worm: int) -> float:
    """Time of the tap [ms], a whole number of ticks."""
    return TAP + TICK * round((worm % PHASES) * STRIDE / PHASES / TICK)


def worms_of(condition: Condition, numbers: Sequence[int], circuit: Circuit, gains: pd.DataFrame) -> list[tb.Worm]:
    """The worms of one run with their taps."""
    made = []
    for place, number in enumerate(numbers):
        heading = math.tau * place / TOGETHER
        at = (0.0, APART * place, 0.0)
        worm = tb.Worm(at=at, heading=heading, discretisation="d_lambda", decision="network", signs=SIGNS)
        if condition.task:
            numbers_of = trained_numbers(circuit, gains, condition, number // TOGETHER)
            circuit.put_into(worm, numbers_of, condition.parts)
        if condition.killed:
            worm.ablate(*condition.killed)
        made.append(worm.tap(onset(number)))
    return made


def digest_of(gains: pd.DataFrame) -> str:
    """What tells a table of gains from others."""
    return "sha256 " + hashlib.sha256(gains.to_csv(index=False).encode()).hexdigest()[:12]


def check_rows(rows: Sequence[dict], file: Path, first_seed: int, digest: str) -> None:
    """Refuse worms of other seeds or gains: they would be taken for those that were asked for."""
    for row in rows:
        theirs = row["seed"] - row["worm"] // TOGETHER
        if theirs != first_seed:
            raise tb.ConfigError(f"{file} holds worms of --first-seed {theirs}; give that again, or another --out")
        if row.get("gains") != digest:
            raise tb.ConfigError(f"{file} holds worms of another --gains or unknown ones; give these, or another --out")


def measure(condition: Condition, batch: int, seed: int, circuit: Circuit, gains: pd.DataFrame) -> list[dict]:
    """A row per worm of one run."""
    digest = digest_of(gains)
    numbers = range(batch * TOGETHER, (batch + 1) * TOGETHER)
    began = time.process_time()
    simulation = tb.Simulation(
        worms_of(condition, numbers, circuit, gains), tb.Arena("agar"), seed=seed + batch,
        clock=tb.Clock(tick=TICK, frame=FRAME), threads=1, progress=False,
    )  # fmt: skip
    run = simulation.run(TAP + STRIDE + AFTER)
    rows = []
    for number, each in zip(numbers, run.worms, strict=True):
        start = onset(number)
        answer, before = (response(run.time, each.midline, at, window_s=WINDOW) for at in (start, start - SHAM))
        rows.append({
            "condition": condition.name, "worm": number, "seed": seed + batch, "gains": digest,
            "eligible": answer.eligible, "reversed": answer.reversed, "latency_s": answer.latency_s,
            "sham_eligible": before.eligible, "sham_reversed": before.reversed,
            "before_mm_s": acceleration(run.time, each.midline, start).before_mm_s,
            "cpu_s": (time.process_time() - began) / TOGETHER, "revision": git_revision() or "none",
        })  # fmt: skip
    return rows


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """One row per condition: share that reversed with its interval, that of the sham, and the difference of both."""
    rows, share = [], Share()

    def trials(of: pd.DataFrame, prefix: str = "") -> list[np.ndarray]:
        return [np.array(each, float) for each in zip(of[f"{prefix}reversed"], of[f"{prefix}eligible"], strict=True)]

    intact = trials(table[table.condition == CONDITIONS[0].name])
    for condition in (each for each in CONDITIONS if (table.condition == each.name).any()):
        mine = table[table.condition == condition.name]
        found = share_of_trials([bool(a) for a, b in trials(mine) if b])
        sham = share_of_trials([bool(a) for a, b in trials(mine, "sham_") if b])
        more, less = share.difference(trials(mine), trials(mine, "sham_")), share.difference(trials(mine), intact)
        rows.append({
            "condition": condition.name, "worms": len(mine), "trials": found.trials, "share": found.share,
            "low": found.low, "high": found.high, "sham": sham.share, "sham_low": sham.low, "sham_high": sham.high,
            "tap_less_sham": more.value, "tap_less_sham_low": more.low, "tap_less_sham_high": more.high,
            "less_intact": less.value, "less_intact_low": less.low, "less_intact_high": less.high,
            "latency_s": mine.latency_s[mine.reversed.astype(bool)].median(), "before_mm_s": mine.before_mm_s.median(),
        })  # fmt: skip
    return pd.DataFrame(rows)


def experiment(args: argparse.Namespace) -> int:
    """Run all worms that have no row yet."""
    chosen = [each for each in CONDITIONS if not args.only or each.name in args.only]
    if not chosen:
        raise tb.ConfigError(f"--only: no such condition; known are {', '.join(each.name for each in CONDITIONS)}")
    folder = prepare_folder(args.out)
    file = folder / "circuit_tap.csv"
    rows = pd.read_csv(file).to_dict("records") if file.exists() else []
    circuit, gains = Circuit.named(CIRCUIT, SIGNS), pd.read_csv(args.gains)
    check_rows(rows, file, args.first_seed, digest_of(gains))
    for condition in chosen:
        for batch in range(math.ceil(args.worms / TOGETHER)):
            if any(row["condition"] == condition.name and row["worm"] == batch * TOGETHER for row in rows):
                continue
            found = measure(condition, batch, args.first_seed, circuit, gains)
            rows += found
            write_atomically(file, pd.DataFrame(rows).to_csv(index=False, float_format="%.5g").encode())
            back = sum(row["reversed"] for row in found)
            print(f"{condition.name}, run {batch}: {back} of {len(found)} reversed", flush=True)
    found = summary(pd.read_csv(file))
    write_atomically(folder / "circuit_tap_summary.csv", found.to_csv(index=False, float_format="%.3g").encode())
    print(found.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    print(f"wrote circuit_tap.csv and circuit_tap_summary.csv in {folder}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worms", type=int, default=20, help="in each condition, in fives")
    parser.add_argument("--first-seed", type=int, default=701)
    parser.add_argument("--only", nargs="*", default=[], metavar="CONDITION", help="such as 'lane' or 'lane, held'")
    parser.add_argument("--gains", type=Path, default=GAINS, help="table that sims/train_circuit.py wrote")
    parser.add_argument("--out", type=Path, default=Path("output/tap_of_trained"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
