"""Which connections does the speed of a crawling worm hang on?

Question: by how much would the forward speed change if one connection were stronger, for all of them at once?
Method: one gradient of the mean forward speed through brain and body (docs/learning/gradients.md). A sensitivity is the
derivative by the logarithm of a conductance, so 0.01 mm/s means that 10 % more conductance gives about 0.001 mm/s. The
connections with the largest ones are then really changed, by --change up and down, and run again with the same noise.
See: sensitivities of all connections as CSV, and for the largest what was predicted and what came out.
Time: about 6 s of CPU per gradient, and 1 s per perturbed run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

import tianbao as tb
from tianbao.io.files import prepare_folder
from tianbao.learning import losses
from tianbao.learning.places import places_of


def perturbed(sim: tb.Simulation, row: pd.Series, factor: float, duration: float, after: float) -> float:
    """Forward speed [mm/s] with one connection multiplied by a factor, in the engine's own arrays."""
    compiled = sim.loop.animals[0].brain.compiled
    its = places_of(sim, compiled.network).junctions
    rule = next(k for k, each in enumerate(its.rules) if each.label == row.rule)
    ends = {(row.pre, row.post), (row.post, row.pre)} if row.kind == "gap" else {(row.pre, row.post)}
    here = [k for k in (its.rule == rule).nonzero()[0] if (its.pre[k], its.post[k]) in ends]
    arrays = [compiled.network.groups[its.group[k]].values["weight"] for k in here]
    before = [float(array[its.place[k]]) for array, k in zip(arrays, here, strict=True)]
    for array, k, value in zip(arrays, here, before, strict=True):
        array[its.place[k]] = factor * value
    try:
        return losses.ForwardSpeed(after)(losses.recorded(sim, duration))[0]
    finally:
        for array, k, value in zip(arrays, here, before, strict=True):
            array[its.place[k]] = value


def main() -> None:
    """Write the table and print the largest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--duration", type=float, default=3000.0, help="of the run [ms]")
    parser.add_argument("--after", type=float, default=500.0, help="what is left out at the start [ms]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--top", type=int, default=6, help="connections that are perturbed")
    parser.add_argument("--change", type=float, default=0.1, help="of their conductance, as a share")
    parser.add_argument("--out", type=Path, default=Path("output/synapse_sensitivity"))
    given = parser.parse_args()
    sim = tb.Simulation(tb.Worm(), tb.Arena("agar"), seed=given.seed, progress=False)
    found = tb.gradient(sim, losses.ForwardSpeed(given.after), ["synapses"], given.duration, tolerance=1e-6)
    table = found["synapses"].sort_values("sensitivity", key=abs, ascending=False).reset_index(drop=True)
    prepare_folder(given.out)
    table.to_csv(given.out / "synapses.csv", index=False, float_format="%.6g")
    share = table.sensitivity.abs().cumsum() / table.sensitivity.abs().sum()
    half = int((share < 0.5).sum()) + 1
    print(f"speed {found.value:.4f} mm/s; half of all sensitivity lies in {half} of {len(table)} connections")
    sim.body.tolerance = 1e-6
    rows = []
    for _, row in table.head(given.top).iterrows():
        low, high = (
            perturbed(sim, row, 1.0 + sign * given.change, given.duration, given.after) for sign in (-1.0, 1.0)
        )
        rows.append({
            "pre": row.pre, "post": row.post, "kind": row.kind, "predicted_mm_s": given.change * row.sensitivity,
            "up_mm_s": high - found.value, "down_mm_s": low - found.value,
        })  # fmt: skip
    checked = pd.DataFrame(rows)
    checked.to_csv(given.out / "checked.csv", index=False, float_format="%.6g")
    print(checked.to_string(index=False, float_format=lambda value: f"{value: .6f}"))
    print(f"wrote synapses.csv, checked.csv in {given.out}")


if __name__ == "__main__":
    main()
