"""What two workers gain over one: the same short runs as two sweeps, measured in one go.

Question: does a sweep on two workers take half the time, apart from what a process needs to start?
See: wall times, and their ratio to half the serial work plus one start-up. Exit code 1 above the bar.
Time: about two minutes. It needs as many idle cores as workers: run it with nothing else on the machine.

Start-up is what the first run of the serial sweep needs beyond the others (interpreter, packages, compiled kernels);
the serial work is the rest of that sweep. Computing time hardly depends on what else runs: where the cores are busy
it tells whether the workers do more than one would.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

BAR = 1.15


def measure(workers: int, runs: int, duration: float, folder: Path) -> tuple[float, list[float], float]:
    """Wall time of a sweep and of its runs [s], in the order of their numbers; computing time of its processes [s]."""
    from tianbao.sweeps.run import sweep

    plan = {"duration": duration, "seeds": list(range(1, runs + 1))}
    started, computed = time.perf_counter(), _computed()
    table = sweep(plan, folder, workers=workers, progress=False)
    wall = time.perf_counter() - started
    assert (table.status == "finished").all(), table.error.tolist()
    return wall, table.wall_s.tolist(), _computed() - computed


def _computed() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; exit status 1 above the bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--duration", type=float, default=600.0, help="ms of biology each")
    args = parser.parse_args(arguments)
    import numpy as np

    from tianbao.sweeps.plan import make_plan

    make_plan({"seeds": [1]})  # what the sweeping process imports belongs to neither side
    print(f"{args.runs} runs of {args.duration:g} ms, load {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        serial, walls, alone = measure(1, args.runs, args.duration, Path(folder) / "serial")
        several, _, together = measure(args.workers, args.runs, args.duration, Path(folder) / "several")
    each = float(np.median(walls[1:]))
    startup = serial - sum(walls) + max(walls[0] - each, 0.0)
    expected = (serial - startup) / args.workers + startup
    print(f"one worker {serial:.1f} s: start-up {startup:.1f} s, then {each:.2f} s a run")
    ratio = several / expected
    print(f"{args.workers} workers {several:.1f} s; expected {expected:.1f} s; ratio {ratio:.2f}, bar {BAR}")
    print(f"computing time: one worker {alone:.1f} s, {args.workers} workers {together:.1f} s")
    print(f"load at the end {os.getloadavg()[0]:.2f}")
    return 0 if ratio <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
