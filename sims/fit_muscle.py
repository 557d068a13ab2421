"""Fit the active membrane of body wall muscle to the published shape of its action potentials.

Question: do EGL-19 as measured in muscle, SHK-1, SLO-1, SLO-2 and a leak give the published action potential and, with
the same values, the published effects of losing each channel?
Method: differential evolution over eight free values (conductance of SHK-1, SLO-2 and leak, and what opens the
potassium channels); EGL-19 is as measured, SLO-1 is not free. A candidate and its mutants get one brief
pulse, the wild type also steady currents. Misses of tianbao/validation/muscle.csv count in units of their tolerance.
Seeded and resumable: every evaluation is appended to the log, and a restart reads it instead of computing again.
See: the best set so far, one line per improvement; `--write` puts it into tianbao/muscles/active.csv.
Time: under a minute on one core.
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
from tianbao.units import NA_PER_PA, US_PER_NS
from tianbao.validation.muscle import PULSE_MS, PULSE_PA, THRESHOLD

# Free values with their bounds: conductances from a few leaks to what 75 pF of muscle was seen to carry, kinetics
# around those of the mechanisms.
FREE = {
    "shk1": (5.0, 150.0), "shk1_v_half": (-5.0, 20.4), "slo2": (0.5, 20.0),
    "slo2_v_half": (-20.0, 20.0), "slo2_slope": (7.0, 23.0), "slo2_tau": (2.0, 60.0), "leak": (1.5, 6.0),
    "leak_reversal": (-25.0, 5.0),
}  # fmt: skip
DT, SETTLING, LEAD = 0.25, 700.0, 100.0  # ms
STEADY_PA, STEADY_MS = (30.0, 60.0, 100.0, 150.0), 600.0
CANDIDATES = 64
# Gene that is lost, current [pA] and its duration [ms] of the cells that one candidate takes.
CELLS = [*((gene, PULSE_PA, PULSE_MS) for gene in ("", "egl-19", "shk-1", "slo-2"))]
CELLS += [("", each, STEADY_MS) for each in STEADY_PA]
MOST = 25.0  # of one squared miss, so that none outweighs all others
ACTIVE = Path(__file__).parents[1] / "tianbao" / "muscles" / "active.csv"


class Muscles:
    """Candidates with their mutants and currents, all as unconnected cells of one native brain."""

    def __init__(self, candidates: int) -> None:
        mechanisms.load()
        from neuron import h

        from tianbao.engine.native import NativeBrain

        self.passive, self.parameters = MuscleMembrane.standard(), defaults()
        section = ActiveMembrane.standard().section(self.passive, self.parameters)
        self.built = [build({"soma": section}, f"muscle_{k}")["soma"] for k in range(candidates * len(CELLS))]
        segments = [each(0.5) for each in self.built]
        clamps = [h.IClamp(each) for each in segments]
        for each in clamps:
            each.delay, each.dur, each.amp = 0.0, 1e12, 0.0
        self.native, self.segments = NativeBrain(self.built), segments
        self.nodes = self.native.nodes(segments)
        order = {clamp: k for k, clamp in enumerate(self.native.clamp_objects)}
        self.clamps = np.array([order[each] for each in clamps], int)
        owner = {each: k for k, each in enumerate(segments)}
        self.targets = {}
        for mechanism, values in section["mechs"].items():
            for name in values if mechanism not in ("pas", "muscle_activation") else ():
                objects, arrays = self.native.values(mechanism, name)
                rows = np.split(np.array([owner[each] for each in objects], int), np.cumsum([*map(len, arrays)])[:-1])
                self.targets[mechanism, name] = list(zip(arrays, rows, strict=True))

    def run(self, membranes: list[ActiveMembrane]) -> np.ndarray:
        """Voltage from `LEAD` before to the end of the longest current [mV], shape (samples, candidates, cells)."""
        cells = [each.without(gene) if gene else each for each in membranes for gene, *_ in CELLS]
        mechs = [each.section(self.passive, self.parameters)["mechs"] for each in cells]
        for (mechanism, name), targets in self.targets.items():
            values = np.array([each[mechanism][name] for each in mechs])
            for array, rows in targets:
                array[:] = values[rows]
        leak = np.array([each.leak for each in cells]) * US_PER_NS
        self.native.leak_conductance[self.nodes] = leak
        self.native.leak_current[self.nodes] = leak * np.array([each.leak_reversal for each in cells])
        for section in self.built:
            section.v = -40.0
        self.native.start(DT)
        current = np.tile([each for _, each, _ in CELLS], len(membranes)) * NA_PER_PA
        ends = np.tile([each for *_, each in CELLS], len(membranes))
        kept = []
        rest = SETTLING + LEAD, 0.0 * current
        phases = [rest, (PULSE_MS, current), (STEADY_MS - PULSE_MS, current * (ends > PULSE_MS))]
        record = self.native.watch(self.segments, round(max(each for each, _ in phases) / DT))
        for duration, applied in phases:
            self.native.clamp_current[self.clamps] = applied
            self.native.advance(round(duration / DT))
            kept.append(record[: round(duration / DT)].copy())
        return np.concatenate(kept)[round(SETTLING / DT) :].reshape(-1, len(membranes), len(CELLS))


def misses(voltage: np.ndarray) -> list[float]:
    """Every miss of one candidate in units of its tolerance; bounds have a margin, so that they hold at any step.

    Args:
        voltage: [mV], shape (samples, cells).
    """
    time = np.arange(len(voltage)) * DT
    wild, flat, broad, rested = (action_potential(time, each, LEAD) for each in voltage.T[:4])
    train = max(upstrokes(each, THRESHOLD) for each in voltage.T[4:])
    after = wild["after_hyperpolarisation"]
    smaller = rested["after_hyperpolarisation"] / max(after, 0.1)
    found = [
        (wild["rest"] + 25.0) / 5.0,
        (wild["amplitude"] - 42.0) / 10.0,
        (wild["half_width"] - 18.0) / 8.0,
        (after - 5.0) / 4.0,
        max(0.0, wild["unprovoked"] - 0.3),
        0.7 * max(0.0, 3.0 - train),
        max(0.0, flat["amplitude"] - 29.0) / 2.0,
        3.0 * max(0.0, 1.7 - broad["half_width"] / wild["half_width"]),
        max(0.0, broad["half_width"] / wild["half_width"] - 6.0) / 6.0,
        max(0.0, 4.5 - (rested["rest"] - wild["rest"])),
        max(0.0, rested["rest"] + 13.0) / 3.0,
        max(0.0, rested["unprovoked"] - 1.0),
        max(0.0, 30.0 - rested["amplitude"]) / 10.0,
        4.0 * max(0.0, smaller - 0.75),
    ]
    return [each if np.isfinite(each) else np.sqrt(MOST) for each in found]


class Search:
    """Cost of candidates, read from a log where it was computed before."""

    def __init__(self, log: Path, candidates: int) -> None:
        self.log, self.known, self.best = log, {}, np.inf
        self.cells, self.candidates = Muscles(candidates), candidates
        if log.exists():
            for line in log.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                self.known[tuple(row["x"])] = row["cost"]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Cost of every candidate, shape (candidates,), of values of shape (values, candidates)."""
        keys = [tuple(float(f"{each:.6g}") for each in column) for column in x.T]
        new = list(dict.fromkeys(key for key in keys if key not in self.known))
        for first in range(0, len(new), self.candidates):
            self._compute(new[first : first + self.candidates])
        return np.array([self.known[key] for key in keys])

    def _compute(self, keys: list[tuple]) -> None:
        filled = (keys * self.candidates)[: self.candidates]
        voltage = self.cells.run([candidate(key) for key in filled])
        with open(self.log, "a", encoding="utf-8") as lines:
            for k, key in enumerate(keys):
                self.known[key] = cost = float(sum(min(each**2, MOST) for each in misses(voltage[:, k])))
                lines.write(json.dumps({"x": key, "cost": cost}) + "\n")
                if cost < self.best:
                    self.best = cost
                    print(f"{cost:.3f}", dict(zip(FREE, key, strict=True)), flush=True)


def candidate(values: tuple) -> ActiveMembrane:
    """The standard membrane with other free values."""
    return replace(ActiveMembrane.standard(), **dict(zip(FREE, map(float, values), strict=True)))


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("output/fit_muscle"), help="folder of the log")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--generations", type=int, default=110)
    parser.add_argument("--write", action="store_true", help="put the best set into active.csv")
    args = parser.parse_args()
    prepare_folder(args.out)
    search = Search(args.out / f"log_{args.seed}.jsonl", CANDIDATES)
    found = differential_evolution(
        search, list(FREE.values()), rng=args.seed, popsize=CANDIDATES // len(FREE), maxiter=args.generations,
        init="sobol", polish=False, tol=0.0, vectorized=True, updating="deferred",
    )  # fmt: skip
    values = dict(zip(FREE, map(float, found.x), strict=True))
    print(f"cost {found.fun:.3f}", values)
    print([round(each, 2) for each in misses(search.cells.run([candidate(found.x)] * CANDIDATES)[:, 0])])
    if args.write:
        write(values)


if __name__ == "__main__":
    main()
