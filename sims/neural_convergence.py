"""How large are the errors of the voltages for each neural step and method?

Question: which order, how many corrections and which step does a run need?
See: the largest and the root-mean-square difference of all 302 soma voltages from a run with a step of
0.0125 ms, with a prescribed wave of bending as input to the stretch receptors.
Time: half a minute with the native engine (python sims/convergence.py tests crawling itself).
Compare: halving the step should divide the error by four for Crank-Nicolson and by two for Euler.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import tianbao as tb
from tianbao.io.files import prepare_folder

REFERENCE_STEP = 0.0125  # [ms], second order
STEPS = (0.025, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0)  # [ms]
METHODS = ((1, 0), (2, 0), (2, 1), (2, 3))  # order, corrections
TICK = 4.0  # [ms]
SAMPLE = 4.0  # [ms]


class OpenLoop:
    """A nervous system whose stretch receptors receive a prescribed wave of bending instead of a body."""

    def __init__(self, precision: str = "f64", engine: str = "native") -> None:
        self._simulation = tb.Simulation(tb.Worm(), progress=False, engine=engine)
        self._network = self._simulation.network
        from tianbao.engine.brains import brain

        self.brain = brain(self._network, engine if precision == "f64" else "native-f32")

    def voltages(self, dt: float, order: int, corrections: int, duration: float) -> np.ndarray:
        """Soma voltages [mV] every 4 ms, shape (samples, 302)."""
        design, brain = self._network.design, self.brain
        positions = self._simulation.body.curvature_positions
        rng = np.random.default_rng(1)
        for name, start in zip(design.neurons, rng.normal(-60.0, 2.0, len(design.neurons)), strict=True):
            for section in self._network.cells[name].secs.values():
                section["hObj"].v = start
        for name in design.muscles.index:
            self._network.muscle(name).v = design.muscle_membrane.leak_reversal
        samples = []
        for k in range(round(duration / TICK)):
            bend = 8.0 * np.sin(2 * np.pi * (positions / 0.65 - 0.5e-3 * k * TICK))
            brain.stretch[:] = design.stretch.weights @ bend
            brain.current[:] = 1e-3 * design.bias()
            if k == 0:
                brain.start(dt, order, corrections)
            brain.advance((k + 1) * TICK)
            samples.append(brain.voltage.copy())
        return np.array(samples)


def main() -> int:
    """Measure every method and step, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--duration", type=float, default=1_000.0, help="simulated time of each [ms]")
    parser.add_argument("--out", type=Path, default=Path("output/neural_convergence"))
    args = parser.parse_args()
    loop = OpenLoop()
    exact = loop.voltages(REFERENCE_STEP, 2, 0, args.duration)
    rows = []
    for order, corrections in METHODS:
        for dt in STEPS:
            with np.errstate(all="ignore"):
                error = loop.voltages(dt, order, corrections, args.duration) - exact
            stable = bool(np.isfinite(error).all() and np.abs(error).max() < 100.0)
            row = {"order": order, "corrections": corrections, "dt_ms": dt, "stable": stable}
            row["rms_mv"] = float(np.sqrt(np.mean(error**2))) if stable else np.nan
            row["max_mv"] = float(np.abs(error).max()) if stable else np.nan
            rows.append(row)
            found = f"rms {row['rms_mv']:.5f} mV, max {row['max_mv']:.4f} mV" if stable else "unstable"
            print(f"order {order}, corrections {corrections}, dt {dt:6.4g} ms: {found}", flush=True)
    path = prepare_folder(args.out) / "neural_convergence.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    print(f"wrote {path.name} in {path.parent}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
