"""What load do the connections of command neurons put on them while the worm crawls?

Question: a gap junction to a partner at another voltage loads a neuron like a leak. How large is that load on AVB,
compared to the conductance that holds AVB depolarised, and can an inhibition no larger than that conductance switch AVB
off? What do the connections supply to AVA, AVD, AVE and PVC, and what would they have to supply if these had their
recorded membrane?
Method: one crawl on agar with channel noise. Conductances and currents of gap junctions and open synapses follow from
the voltages of all partners (somas; synapses in the steady state, which they reach in 10 ms). In a second run, AVB is
inhibited for 2 s by a chloride conductance as large as its drive, as by tyramine on LGC-55 in the animal.
See: mean and range of each quantity over the crawl, and AVB's voltage while inhibited.
Time: about a minute.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import tianbao as tb
from tianbao.behaviour.gait import POINTS, curvature_positions
from tianbao.cells.membrane import membrane
from tianbao.cells.steady import GRID, steady_current
from tianbao.cli import run_script
from tianbao.config import parse_setting
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.network.rules import connection_rules
from tianbao.units import US_PER_NS

CELLS = tuple(f"{each}{side}" for each in ("AVB", "AVA", "AVD", "AVE", "PVC") for side in "LR")
DURATION, DROPPED, TICK = 9_000.0, 2_500.0, 4.0  # [ms]
INHIBITED = (7_000.0, 9_000.0)  # [ms]
SETTLED = 500.0  # [ms] of inhibition left out


def partners(design, neuron: str) -> list[tuple[str, str, float, dict]]:
    """Kind of connection, partner, conductance [nS] and mechanism of every connection that acts on a neuron."""
    found = []
    for rule in connection_rules(design):
        kind = "gap" if rule.label == "gap" else "synapse"
        for pre, post, weight in zip(rule.pre, rule.post, rule.weights / US_PER_NS, strict=True):
            if post == neuron:
                found.append((kind, pre, float(weight), rule.mechanism))
            elif pre == neuron and kind == "gap":
                found.append((kind, post, float(weight), rule.mechanism))
    return found


def load(design, neuron: str, voltage: pd.DataFrame) -> dict:
    """Conductances [nS] and currents into the cell [pA] of all connections of a neuron: mean and range."""
    own = voltage[neuron].to_numpy()
    gap = current = opened = inhibited = synaptic = np.zeros(len(own))
    for kind, other, weight, mechanism in partners(design, neuron):
        there = voltage[other].to_numpy()
        if kind == "gap":
            gap, current = gap + weight, current + weight * (there - own)
            continue
        g = weight / (1.0 + np.exp((mechanism["v_half"] - there) / mechanism["slope"]))
        opened, synaptic = opened + g, synaptic + g * (mechanism["e"] - own)
        inhibited = inhibited + g * (mechanism["e"] == design.parameters.reversal_inhibitory)
    total = gap + opened
    row = {"neuron": neuron, "gap_nS": round(float(gap[0]), 3)}
    for name, each in {
        "voltage_mV": own, "gap_pA": current, "synapse_nS": opened, "of_it_inhibitory_nS": inhibited,
        "synapse_pA": synaptic, "load_nS": total, "load_reversal_mV": own + (current + synaptic) / total,
    }.items():  # fmt: skip
        row |= {name: each.mean().round(3), f"{name}_min": each.min().round(3), f"{name}_max": each.max().round(3)}
    return row


def own_current(design, neuron: str, voltage: float, recorded: bool) -> float:
    """Steady current [pA] that a membrane passes outwards at a voltage [mV], without AVB's drive."""
    here = membrane(neuron, declared=not recorded)
    factor = here.scale(design.capacitance[neuron], design.parameters.capacitance_exponent)
    return factor * float(np.interp(voltage, GRID, steady_current(here)))


def drive_of(design, neuron: str) -> float:
    """Conductance [nS] that holds AVB depolarised; NaN in other neurons."""
    return design.parameters.avb_conductance if neuron.startswith("AVB") else np.nan


def crawl(worm: tb.Worm, seed: int, voltage: tuple[str, ...]) -> tb.Recording:
    """A crawl of which the voltages of some neurons are kept."""
    clock, arena = tb.Clock(tick=TICK), tb.Arena("agar")
    simulation = tb.Simulation(worm, arena, seed=seed, clock=clock, progress=False)
    return simulation.record(voltage=list(voltage)).run(DURATION)


def experiment(args: argparse.Namespace) -> int:
    """Measure the loads and the inhibition of AVB, and write both into one table."""
    folder = prepare_folder(args.out)
    values = tb.Worm().parameters.replace(**dict(map(parse_setting, args.set)))
    design = tb.Worm(parameters=values).model().design(curvature_positions(POINTS))
    needed = sorted({*CELLS, *(other for cell in CELLS for _, other, *_ in partners(design, cell))})
    voltage = crawl(tb.Worm(parameters=values), args.seed, tuple(needed)).voltages()
    voltage = voltage[voltage.index >= DROPPED]

    start, stop = INHIBITED
    worm = tb.Worm(parameters=values)
    worm.illuminate("AVB*", channel="chloride", conductance=values.avb_conductance, start=start, stop=stop)
    off = crawl(worm, args.seed, ("AVBL", "AVBR")).voltages()
    off = off[(off.index >= start + SETTLED) & (off.index <= stop)].mean()

    rows = []
    for cell in CELLS:
        row = load(design, cell, voltage)
        drive = drive_of(design, cell)
        row |= {
            "drive_nS": drive,
            "drive_over_load": round(drive / row["load_nS"], 3),
            "inhibited_mV": round(float(off.get(cell, np.nan)), 2),
            # What the network must supply to hold a cell with its recorded membrane where it is now.
            "recorded_needs_pA": round(own_current(design, cell, row["voltage_mV"], recorded=True), 2),
        }
        rows.append(row)
        print(
            f"{cell}: {row['voltage_mV']:.1f} mV, gap junctions {row['gap_nS']:.2f} nS {row['gap_pA']:+.1f} pA, "
            f"synapses {row['synapse_nS']:.2f} nS {row['synapse_pA']:+.1f} pA, drive over load "
            f"{row['drive_over_load']:.2f}, inhibited {row['inhibited_mV']:.1f} mV, "
            f"recorded membrane needs {row['recorded_needs_pA']:+.1f} pA"
        )
    write_atomically(folder / "command_load.csv", pd.DataFrame(rows).to_csv(index=False).encode())
    print(f"wrote command_load.csv in {folder}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a parameter")
    parser.add_argument("--out", type=Path, default=Path("output/command_load"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
