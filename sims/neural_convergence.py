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
from tianbao.engine.population import Population
from tianbao.io.files import prepare_folder
from tianbao.units import NA_PER_PA

REFERENCE_STEP = 0.0125  # [ms], second order
STEPS = (0.025, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0)  # [ms]
METHODS = ((1, 0), (2, 0), (2, 1), (2, 3))  # order, corrections
TICK = 4.0  # [ms]
SAMPLE = 4.0  # [ms]


class OpenLoop:
    """A nervous system whose stretch receptors receive a prescribed wave of bending instead of a body."""

    def __init__(self, engine: str = "native") -> None:
        simulation = tb.Simulation(tb.Worm(), progress=False, engine=engine)
        self._positions, self._design = simulation.body.curvature_positions, simulation.loop.design()
        (self._brain,) = Population([self._design], engine).brains

    def voltages(self, dt: float, order: int, corrections: int, duration: float) -> np.ndarray:
        """Soma voltages [mV] every 4 ms, shape (samples, 302)."""
        design, brain = self._design, self._brain
        neurons = np.random.default_rng(1).normal(-60.0, 2.0, len(design.neurons))
        muscles = np.full(len(design.muscles), design.muscle_membrane.leak_reversal)
        samples = []
        for k in range(round(duration / TICK)):
            bend = 8.0 * np.sin(2 * np.pi * (self._positions / 0.65 - 0.5e-3 * k * TICK))
            brain.inputs[design.inputs["stretch"]] = design.stretch.weights @ bend
            brain.current[:] = design.bias() * NA_PER_PA
            if k == 0:
                brain.start(np.concatenate([neurons, muscles]), dt, order, corrections)
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
