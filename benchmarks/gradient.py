"""What a gradient through brain and body costs: CPU time over that of a forward run, memory, and where the time goes.

Forward runs and gradients take turns in one process, and the fastest of the rounds counts, so that a disturbance meets
all of them. The first round, in which kernels are compiled and places are looked up in NEURON, is reported apart.
"""

from __future__ import annotations

import argparse
import resource
import time

import tianbao as tb
from tianbao.learning import losses

TWENTY = (
    "excitatory_gain", "inhibitory_gain", "dyad_gain", "gap_gain", "release_half", "release_slope", "synapse_tau",
    "cord_bias", "head_bias", "avb_conductance", "avb_reversal", "cord_stretch_gain", "head_stretch_gain",
    "cord_window_offset", "cord_window_length", "b_adaptation", "nmj_excitatory_gain", "muscle_half", "muscle_tau",
    "peak_curvature",
)  # fmt: skip


def cost(action) -> float:
    """CPU time of a call [s]."""
    start = time.process_time()
    action()
    return time.process_time() - start


def peak() -> float:
    """Largest memory that this process has held [MB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def measured(medium: str, duration: float, tolerance: float | None, rounds: int) -> str:
    """One row: seconds of a forward run, of the first gradient and of later ones, their ratio, memory."""
    clock = tb.Clock(tick=2.0) if medium == "water" else tb.Clock()
    sim = tb.Simulation(tb.Worm(), tb.Arena(medium), seed=1, clock=clock, progress=False, threads=1)
    if tolerance is not None:
        sim.body.tolerance = tolerance

    def forwards() -> None:
        sim.reset()
        sim.step(duration)

    forwards()
    _ = sim.network  # assembled in NEURON before memory is counted
    before = peak()
    backwards = lambda: tb.gradient(sim, losses.ForwardSpeed(), TWENTY, duration)  # noqa: E731
    first = cost(backwards)
    rows = [(cost(forwards), cost(backwards)) for _ in range(rounds)]
    run, both = (min(column) for column in zip(*rows, strict=True))
    return f"{medium:6s}{duration:9.0f}{run:10.2f}{first:10.2f}{both:10.2f}{both / run:8.2f}{peak() - before:10.0f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--duration", type=float, default=2000.0, help="of the run [ms]")
    parser.add_argument("--tolerance", type=float, help="of the body's steps [-]")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--media", nargs="+", default=["agar", "water"])
    given = parser.parse_args()
    print("medium     ms  run [s]  first [s]  grad [s]  ratio  more [MB]")
    for medium in given.media:
        print(measured(medium, given.duration, given.tolerance, given.rounds), flush=True)


if __name__ == "__main__":
    main()
