"""What does a swimming worm do to the water around it?

The worm of swim.py, in a fluid that it stirs: each ring pushes the water, and every ring feels the flow that
all of them make (regularized Stokeslets).
See: speed and direction of the flow around the worm at the end of the run (picture, table), and how much the
flow changes its swimming.
Time: about a minute for two runs of 6 s of biology on two cores.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

import tianbao as tb
from tianbao.cli import run_script
from tianbao.io.files import prepare_folder
from tianbao.view.flow import flow_picture


def swim(viscosity: float, resolved: bool, duration: float) -> tuple[tb.Simulation, tb.Recording]:
    """The worm in a Newtonian fluid [Pa s] for a time [ms], with or without its wake."""
    arena = tb.Arena(tb.Medium.newtonian(viscosity), resolved=resolved)
    simulation = tb.Simulation(tb.Worm(), arena, clock=tb.Clock(tick=2.0), engine="native")
    return simulation, simulation.run(duration)


def experiment(args: argparse.Namespace) -> int:
    """Run both, write the flow of the one that stirs."""
    folder = prepare_folder(args.out)
    _, local = swim(args.viscosity, False, args.duration)
    simulation, stirred = swim(args.viscosity, True, args.duration)
    body = simulation.body
    midline, push = body.midline(), body.push()
    table = pd.DataFrame(
        body.fluid.plane(midline, push).table(), columns=["x_mm", "y_mm", "z_mm", "vx_mm_s", "vy_mm_s", "vz_mm_s"]
    )
    table.to_csv(folder / "flow.csv", index=False)
    flow_picture(body.fluid, midline, push, folder / "flow.png")
    for name, run in (("local drag", local), ("with its wake", stirred)):
        gait = run.gait()
        wave = f"{gait.frequency_hz:.2f} Hz  {gait.wavelength_body_lengths:.2f} L"
        print(f"{name:14s} {gait.forward_speed_mm_s:+.3f} mm/s  {wave}")
    print(f"wrote flow.csv, flow.png in {folder}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run both, write the flow of the one that stirs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--duration", type=float, default=6_000.0, help="ms of biology")
    parser.add_argument("--viscosity", type=float, default=1e-3, help="Pa s")
    parser.add_argument("--out", type=Path, default=Path("output/flow_field"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
