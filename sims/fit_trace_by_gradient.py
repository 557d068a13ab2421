"""Can a recorded membrane trace be fitted by gradient, and in what time?

Question: starting from conductances that are off by up to a factor, does the exact gradient of the native engine bring
a patched neuron back onto its recording?
Method: one current step of one recorded cell, as means in windows (electrophysiology/windows.csv; windows before the
step, in it and after it). Free are every conductance that the fitted template has, the leak and its reversal.
L-BFGS of scipy on logarithms (the reversal in units of 10 mV), gradient by the adjoint of the single cell. The start
is the template with every value multiplied by its own random factor, seeded.
See: root mean square of the deviations [mV] at the start, at the end and of the committed fit; runs and seconds.
Time: some seconds of CPU.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from scipy.optimize import minimize

import tianbao as tb
from tianbao.electrophysiology.recordings import recorded_windows
from tianbao.engine.adjoint import Adjoint
from tianbao.engine.native import NativeBrain
from tianbao.units import NA_PER_PA

SETTLED, STEP, AFTER = 1000.0, 5000.0, 980.0  # [ms] before, in and after the recorded current step
REVERSAL_UNIT = 10.0  # [mV]
MARGIN = 3.0  # units of the search beyond which nothing is tried


class Trace:
    """A patched cell under one current step, and its deviation from the recorded windows."""

    def __init__(self, template: str, cell: str, level: float, dt: float) -> None:
        from neuron import h

        patched = tb.PatchedCell.of_template(template)
        self.sections, soma = list(patched.sections.values()), patched.sections["soma"]
        self._clamp = h.IClamp(soma(0.5))
        self._clamp.delay, self._clamp.dur = 0.0, 1e12
        h.celsius = 20.0
        for section in self.sections:
            section.v = -60.0
        self._patched, self.native, self.dt = patched, NativeBrain(self.sections), dt
        self.every = round(5.0 / dt)
        self.adjoint = Adjoint(self.native, [soma(0.5)], every=self.every)
        self.segments = [segment for section in self.sections for segment in section]
        self.nodes = self.native.nodes(self.segments)
        names = {
            (group.kind.mechanism.name, name)
            for group in self.native.network.groups
            for name in group.values
            if name.startswith("gbar") and np.any(group.values[name] > 0.0)
        }
        self.names = sorted(names)
        self.base = [[array.copy() for array in self.native.values(*each)[1]] for each in self.names]
        network = self.native.network
        self.leak = network.leak_conductance[self.nodes].copy()
        self.reversal = float((network.leak_current[self.nodes] / self.leak)[0])
        self.steps = round((SETTLED + STEP + AFTER) / dt)
        tick = self.tick = round(10.0 / dt)
        start = np.arange(-(-self.steps // tick)) * tick * dt
        on = (start >= SETTLED) & (start < SETTLED + STEP)
        self.current = np.where(on, level * NA_PER_PA, 0.0)[:, None]
        self._windows(cell, level)
        self.runs = 0

    def _windows(self, cell: str, level: float) -> None:
        table = recorded_windows()
        rows = table[(table.cell == cell) & (table["mode"] == "CC") & (table.step == level)]
        at = (np.arange(self.steps // self.every) + 1) * self.every * self.dt - SETTLED
        inside = (at >= rows.start.to_numpy()[:, None]) & (at < rows.stop.to_numpy()[:, None])
        kept = inside.any(axis=1)
        self.mean = inside[kept] / inside[kept].sum(axis=1, keepdims=True)
        self.wanted = rows["mean"].to_numpy()[kept]

    def put(self, point: np.ndarray) -> None:
        """Take the conductances of a point: logarithms of factors, and the reversal's shift."""
        for name, base, u in zip(self.names, self.base, point, strict=False):
            for array, own in zip(self.native.values(*name)[1], base, strict=True):
                array[:] = own * np.exp(u)
        self.native.leak_conductance[self.nodes] = self.leak * np.exp(point[-2])
        reversal = self.reversal + REVERSAL_UNIT * point[-1]
        self.native.leak_current[self.nodes] = self.native.leak_conductance[self.nodes] * reversal

    def __call__(self, point: np.ndarray) -> tuple[float, np.ndarray]:
        """Mean squared deviation of the windows [mV2], and its gradient."""
        self.runs += 1
        self.put(point)
        recorded = self.adjoint.run(self.steps, self.dt, clamp_current=self.current, tick=self.tick)
        off = self.mean @ recorded.voltage[:, 0] - self.wanted
        found = self.adjoint.gradient((2.0 * off / len(off) @ self.mean)[:, None])
        slope = np.empty_like(point)
        for k, name in enumerate(self.names):
            values = np.concatenate(self.native.values(*name)[1])
            slope[k] = found.parameter(*name)[1] @ values
        conductance, driven = found.leak(self.segments)
        network = self.native.network
        slope[-2] = conductance @ network.leak_conductance[self.nodes] + driven @ network.leak_current[self.nodes]
        slope[-1] = REVERSAL_UNIT * driven @ network.leak_conductance[self.nodes]
        return float((off**2).mean()), slope


def main() -> None:
    """Fit, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--template", default="aiy")
    parser.add_argument("--cell", default="AIYL")
    parser.add_argument("--step", type=float, default=20.0, help="current of the sweep [pA]")
    parser.add_argument("--dt", type=float, default=0.5, help="step of the cell [ms]")
    parser.add_argument("--off", type=float, default=2.0, help="largest factor by which the start is off")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--iterations", type=int, default=60)
    given = parser.parse_args()
    trace = Trace(given.template, given.cell, given.step, given.dt)
    size = len(trace.names) + 2
    print(f"free: {', '.join('.'.join(each) for each in trace.names)}, leak, its reversal")
    print(f"committed fit (of all sweeps): rms {trace(np.zeros(size))[0] ** 0.5:.2f} mV")
    for seed in given.seeds:
        start = np.random.default_rng(seed).uniform(-1.0, 1.0, size) * np.log(given.off)
        before, trace.runs, clock = trace(start)[0], 0, time.process_time()
        bounds = [(-MARGIN, MARGIN)] * size
        found = minimize(trace, start, jac=True, method="L-BFGS-B", bounds=bounds,
                         options={"maxiter": given.iterations})  # fmt: skip
        seconds = time.process_time() - clock
        print(f"seed {seed}: rms {before**0.5:.2f} -> {found.fun**0.5:.2f} mV, {trace.runs} gradients, {seconds:.1f} s")


if __name__ == "__main__":
    main()
