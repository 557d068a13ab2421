"""What company costs: several worms with brains in one process beside as many single runs on two processes.

Prints wall times and their ratio, measured in one go on one machine, and the memory that a further worm takes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time


def simulated(count: int, engine_threads: int | None, duration: float, first: int = 0):
    """A simulation of so many worms on a grid, its wall time to build and to run [s]."""
    import tianbao as tb

    started = time.perf_counter()
    worms = [tb.Worm(at=(1.5 * (k % 3), 1.5 * (k // 3), 0.0)) for k in range(first, first + count)]
    made = tb.Simulation(worms, threads=engine_threads, progress=False)
    made.reset()
    built = time.perf_counter() - started
    made.run(duration)
    return built, time.perf_counter() - started


def together(job: tuple[int, float]) -> tuple[float, float]:
    """Wall times [s] of several worms in this process."""
    count, duration = job
    return simulated(count, None, duration)


def alone(job: tuple[int, float]) -> tuple[float, float]:
    """Wall times [s] of one worm in this process."""
    number, duration = job
    return simulated(1, 1, duration, number)


def memory(count: int) -> float:
    """Most memory that a process with so many worms has taken [MB]."""
    simulated(count, None, 100.0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worms", type=int, default=5)
    parser.add_argument("--duration", type=float, default=10_000.0, help="simulated time [ms]")
    args = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, maxtasksperchild=1) as pool:
        (built, company), = pool.map(together, [(args.worms, args.duration)], chunksize=1)
    started = time.perf_counter()
    with context.Pool(2, maxtasksperchild=1) as pool:
        pool.map(alone, [(k, args.duration) for k in range(args.worms)], chunksize=1)
    singles = time.perf_counter() - started
    print(f"{args.worms} worms in one process: {company:.1f} s, of which {built:.1f} s to build")
    print(f"{args.worms} single runs on two processes: {singles:.1f} s")
    print(f"ratio {company / singles:.2f}")
    few, many = 2, 12
    with context.Pool(1, maxtasksperchild=1) as pool:
        least, most = pool.map(memory, [few, many], chunksize=1)
    print(f"memory of a further worm: {(most - least) / (many - few):.1f} MB (of {least:.0f} MB with {few})")


if __name__ == "__main__":
    main()
