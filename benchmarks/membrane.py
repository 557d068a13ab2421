"""How much faster than the animal one patched neuron runs: a 6-s current step in a cell of median size.

    python benchmarks/membrane.py

Ratio of biological to computing time in NEURON, and of the many copies that fits run on the native engine.
"""

from __future__ import annotations

import time

import numpy as np

import tianbao as tb
from tianbao import anatomy
from tianbao.cells.geometry import geometry
from tianbao.cells.membrane import membrane
from tianbao.electrophysiology.copies import CellCopies

COPIES, SECONDS, DT = 128, 6.0, 0.1


def main() -> None:
    """Print the ratios."""
    neurons = anatomy.neurons().index
    sizes = {name: geometry(anatomy.morphology(name), soma_compartments=1).compartments for name in neurons}
    neuron = sorted(sizes, key=sizes.get)[len(sizes) // 2]
    cell = tb.PatchedCell.of_neuron(neuron)
    cell.rest()
    protocol = tb.current_steps([5.0], delay=500.0, duration=5000.0, after=500.0)
    began = time.perf_counter()
    cell.run(protocol, DT)
    alone = time.perf_counter() - began
    carried = membrane(neuron)
    copies = CellCopies(neuron, COPIES, tuple(carried.conductances), carried.kinetics)
    copies.set(
        {name: np.full(COPIES, value) for name, value in carried.conductances.items()},
        np.full(COPIES, carried.leak),
        np.full(COPIES, carried.leak_reversal),
    )
    began = time.perf_counter()
    copies.current_clamp([(1000.0 * SECONDS, np.full(COPIES, 5.0))], DT, every=10)
    together = (time.perf_counter() - began) / COPIES
    print(f"{neuron}, {sizes[neuron]} compartments, dt {DT} ms")
    print(f"one cell in NEURON: {SECONDS / alone:.0f} x real time ({alone:.2f} s for {SECONDS:g} s)")
    print(f"one of {COPIES} copies on the native engine: {SECONDS / together:.0f} x real time")


if __name__ == "__main__":
    main()
