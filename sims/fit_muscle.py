"""Fit the active membrane of body wall muscle to the published shape of its action potentials.

Question: do EGL-19 as measured in muscle, SHK-1, SLO-1, SLO-2 and a leak give the published action potential and, with
the same values, the published effects of losing each channel?
Method: differential evolution over the free values (eight: four conductances' worth of channels and leak, and what
opens the potassium channels); EGL-19's voltages and SLO-1 are not free. A candidate and its mutants get one brief
pulse, the wild type also steady currents. Misses of tianbao/validation/muscle.csv count in units of their tolerance.
Seeded and resumable: every evaluation is appended to the log, and a restart reads it instead of computing again.
See: the best set so far, one line per improvement; `--write` puts it into tianbao/muscles/active.csv.
Time: about three minutes on one core.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.optimize import differential_evolution

from tianbao import mechanisms
from tianbao.electrophysiology.measures import action_potential, upstrokes
from tianbao.electrophysiology.sections import build
from tianbao.io.files import prepare_folder
from tianbao.muscles import ActiveMembrane, MuscleMembrane
from tianbao.parameters import defaults
from tianbao.units import NA_PER_PA
from tianbao.validation.muscle import PULSE_MS, PULSE_PA, THRESHOLD

# Free values with their bounds: conductances from a few leaks to what 75 pF of muscle was seen to carry, kinetics
# around those of the mechanisms.
FREE = {
    "egl19": (12.0, 45.0), "shk1": (5.0, 150.0), "shk1_v_half": (-5.0, 20.4), "slo2": (0.5, 20.0),
    "slo2_v_half": (-20.0, 20.0), "slo2_slope": (7.0, 23.0), "slo2_tau": (2.0, 60.0), "leak": (1.5, 6.0),
    "leak_reversal": (-25.0, 5.0),
}  # fmt: skip
DT, SETTLING, LEAD, TAIL = 0.25, 700.0, 100.0, 450.0  # ms
STEADY_PA, STEADY_MS = (30.0, 60.0), 1000.0
MOST = 25.0  # of one squared miss, so that none outweighs all others
ACTIVE = Path(__file__).parents[1] / "tianbao" / "muscles" / "active.csv"


class Muscle:
    """One muscle cell whose membrane is set in place."""

    def __init__(self) -> None:
        mechanisms.load()
        from neuron import h

        self.h, self.passive, self.parameters = h, MuscleMembrane.standard(), defaults()
        self.section = build({"soma": ActiveMembrane.standard().section(self.passive, self.parameters)}, "muscle")["soma"]
        self.clamp = h.IClamp(self.section(0.5))
        self.clamp.delay, self.clamp.dur = 0.0, 1e9
        self.recorded = h.Vector().record(self.section(0.5)._ref_v)

    def run(self, membrane: ActiveMembrane, current: float, duration: float, tail: float) -> np.ndarray:
        """Voltage from `LEAD` before a step of current [pA] to `tail` after it [mV]."""
        h, segment = self.h, self.section(0.5)
        for mechanism, values in membrane.section(self.passive, self.parameters)["mechs"].items():
            for name, value in values.items():
                setattr(getattr(segment, mechanism), name, value)
        begin = SETTLING + LEAD
        levels, times = h.Vector([0.0, current * NA_PER_PA, 0.0]), h.Vector([0.0, begin, begin + duration])
        levels.play(self.clamp._ref_amp, times)
        h.dt = DT
        h.finitialize(-40.0)
        h.ParallelContext().set_maxstep(10.0)
        h.ParallelContext().psolve(begin + duration + tail)
        return self.recorded.as_numpy()[round(SETTLING / DT) :].copy()

    def pulse(self, membrane: ActiveMembrane) -> dict[str, float]:
        """Shape of what a brief pulse provokes."""
        voltage = self.run(membrane, PULSE_PA, PULSE_MS, TAIL)
        return action_potential(np.arange(len(voltage)) * DT, voltage, LEAD)


def misses(cell: Muscle, membrane: ActiveMembrane) -> list[float]:
    """Every miss in units of its tolerance; bounds are approached with a margin, so that they hold at any step."""
    wild = cell.pulse(membrane)
    broad, rested = cell.pulse(membrane.without("shk-1")), cell.pulse(membrane.without("slo-2"))
    flat = cell.pulse(membrane.without("egl-19"))
    train = max(upstrokes(cell.run(membrane, each, STEADY_MS, 0.0), THRESHOLD) for each in STEADY_PA)
    after = wild["after_hyperpolarisation"]
    smaller = rested["after_hyperpolarisation"] / max(after, 0.1)
    found = [
        (wild["rest"] + 25.0) / 5.0,
        (wild["amplitude"] - 42.0) / 10.0,
        (wild["half_width"] - 18.0) / 8.0,
        (after - 5.0) / 4.0,
        max(0.0, wild["unprovoked"] - 0.3),
        max(0.0, 3.0 - train),
        max(0.0, flat["amplitude"] - 24.0) / 2.0,
        3.0 * max(0.0, 1.7 - broad["half_width"] / wild["half_width"]),
        max(0.0, broad["half_width"] / wild["half_width"] - 6.0) / 6.0,
        max(0.0, 4.5 - (rested["rest"] - wild["rest"])),
        max(0.0, rested["rest"] + 14.0) / 2.0,
        max(0.0, rested["unprovoked"] - 1.0),
        max(0.0, 30.0 - rested["amplitude"]) / 10.0,
        4.0 * max(0.0, smaller - 0.75),
    ]
    return [each if np.isfinite(each) else np.sqrt(MOST) for each in found]


def evaluated(log: Path):
    """The cost of a candidate, read from the log where it was computed before."""
    known = {}
    if log.exists():
        for line in log.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            known[tuple(row["x"])] = row["cost"]
    cell, best = Muscle(), [np.inf]

    def cost(x: np.ndarray) -> float:
        key = tuple(float(f"{each:.6g}") for each in x)
        if key not in known:
            membrane = replace(ActiveMembrane.standard(), **dict(zip(FREE, key, strict=True)))
            known[key] = float(sum(min(each**2, MOST) for each in misses(cell, membrane)))
            with open(log, "a", encoding="utf-8") as lines:
                lines.write(json.dumps({"x": key, "cost": known[key]}) + "\n")
        if known[key] < best[0]:
            best[0] = known[key]
            print(f"{best[0]:.3f}", dict(zip(FREE, key, strict=True)), flush=True)
        return known[key]

    return cost


def write(values: dict[str, float]) -> None:
    """Put the free values into active.csv."""
    with open(ACTIVE, newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        if row["name"] in values:
            row["value"] = f"{values[row['name']]:.4g}"
    with open(ACTIVE, "w", newline="", encoding="utf-8") as lines:
        table = csv.DictWriter(lines, rows[0].keys(), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def main() -> None:
    """Search, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("output/fit_muscle"), help="folder of the log")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--generations", type=int, default=80)
    parser.add_argument("--write", action="store_true", help="put the best set into active.csv")
    args = parser.parse_args()
    prepare_folder(args.out)
    cost = evaluated(args.out / f"log_{args.seed}.jsonl")
    found = differential_evolution(
        cost, list(FREE.values()), rng=args.seed, popsize=4, maxiter=args.generations, init="sobol", polish=False, tol=0.0
    )
    values = dict(zip(FREE, map(float, found.x), strict=True))
    print(f"cost {found.fun:.3f}", values)
    print([round(each, 2) for each in misses(Muscle(), replace(ActiveMembrane.standard(), **values))])
    if args.write:
        write(values)


if __name__ == "__main__":
    main()
