"""Runs contestants in turn, each in a process of its own on one core, and keeps the best of the rounds."""

from __future__ import annotations

import ctypes
import math
import multiprocessing
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

# Loads and stores of one triad pass, per element.
_TRIAD_ARRAYS = 3
_TRIAD = """
void triad(long n, long passes, double *restrict a, const double *restrict b, const double *restrict c) {
    for (long k = 0; k < passes; k++) {
        for (long i = 0; i < n; i++) a[i] = b[i] + 3.0 * c[i];
        __asm__ volatile("" ::: "memory");
    }
}
"""


@dataclass(frozen=True)
class Contestant:
    """One way to integrate one model.

    Attributes:
        name: unique in its table.
        make: called with `options` in the contestant's process; gives a function of the duration [ms] that
            returns CPU seconds per step and voltages, shape (samples, cells).
        options: keyword arguments of `make`.
        against: contestant to whose voltages its own are compared; None compares with nobody.
        dt: step [ms].
    """

    name: str
    make: Callable
    options: dict = field(default_factory=dict)
    against: str | None = None
    dt: float = 0.5


def race(contestants: Iterable[Contestant], duration: float, rounds: int, core: int | None) -> list[dict]:
    """Measure every contestant once per round, in turn, so that a disturbance meets all of them.

    Args:
        contestants: the first is the one that ratios refer to.
        duration: of biology per measurement [ms].
        rounds: of which the fastest counts.
        core: all processes are pinned to it; None leaves that to the system.

    Returns:
        One row per contestant that ran.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    context = multiprocessing.get_context("spawn")
    contestants = list(contestants)
    reference = contestants[0].name
    lanes = [lane for each in contestants if (lane := _started(context, each, core)) is not None]
    best: dict[str, float] = {}
    voltages: dict[str, np.ndarray] = {}
    for _ in range(rounds):
        for lane in list(lanes):
            name = lane[0].name
            answer = _asked(lane, duration)
            if answer is None:
                lanes.remove(lane)
                best.pop(name, None)
                continue
            seconds, voltages[name] = answer
            best[name] = min(best.get(name, np.inf), seconds)
    if reference not in best:
        sys.exit(f"{reference} did not run, to which every ratio refers")
    rows = []
    for lane in lanes:
        peak = _asked(lane, None)
        lane[2].join()
        rows.append(_row(lane[0], best, voltages, peak, best[reference]))
    return rows


def _started(context, contestant: Contestant, core: int | None):
    """A contestant with its pipe and process, or None if it could not be built."""
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, core, contestant.make, contestant.options), daemon=True)
    process.start()
    theirs.close()
    try:
        ours.recv()
    except EOFError:
        process.join()
        print(f"{contestant.name}: could not be built (above), left out", flush=True)
        return None
    return contestant, ours, process


def _asked(lane, question):
    """What a contestant answers; None if it broke down."""
    contestant, pipe, process = lane
    pipe.send(question)
    try:
        return pipe.recv()
    except EOFError:
        process.join()
        print(f"{contestant.name}: broke down (above), left out", flush=True)
        return None


def _serve(pipe, core: int | None, make: Callable, options: dict) -> None:
    """Build one contestant and answer durations with measurements until None asks for the peak memory."""
    pin(core)
    run = make(**options)
    pipe.send("ready")
    for duration in iter(pipe.recv, None):
        pipe.send(run(duration))
    pipe.send(peak_memory())


def peak_memory() -> float:
    """Most memory that this process has held [MB]."""
    status = Path("/proc/self/status")
    if status.exists():
        # Linux counts what the parent held at the fork into ru_maxrss, but not into this.
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if found:
            return int(found.group(1)) / 1024
    per_mb = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / per_mb


def pin(core: int | None) -> None:
    """Keep this process on one core where the system knows how."""
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def _row(contestant: Contestant, best: dict, voltages: dict, peak: float, reference: float) -> dict:
    seconds = best[contestant.name]
    row = {
        "variant": contestant.name,
        "dt_ms": contestant.dt,
        "us_per_step": round(1e6 * seconds, 2),
        "cpu_s_per_bio_s": round(seconds * 1e3 / contestant.dt, 4),
        "ratio": round(reference / seconds, 2),
        "max_dv_mv": math.nan,
        "against": contestant.against or "",
        "peak_mb": round(peak),
    }
    if contestant.against in voltages:
        # Who gives only the end of its run is compared with the end.
        ours, theirs = voltages[contestant.name], voltages[contestant.against]
        common = min(len(ours), len(theirs))
        row["max_dv_mv"] = float(f"{np.abs(ours[-common:] - theirs[-common:]).max():.2g}")
    return row


def timed(work: Callable[[], None]) -> float:
    """CPU time of a call [s]."""
    before = time.process_time()
    work()
    return time.process_time() - before


# --- how fast this core can move numbers


def stream(core: int | None, elements: int, rounds: int = 5) -> float | None:
    """Best bandwidth of a triad a = b + 3 c over arrays of doubles [GB/s]; None without a C compiler."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        return None
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    pin(core)
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "triad.c", Path(folder) / "triad.so"
        source.write_text(_TRIAD)
        command = [compiler, "-O3", "-march=native", "-shared", "-fPIC", str(source), "-o", str(out)]
        subprocess.run(command, check=True)
        triad = ctypes.CDLL(str(out)).triad
    arrays = [np.ones(elements) for _ in range(_TRIAD_ARRAYS)]
    pointers = [ctypes.c_void_p(each.ctypes.data) for each in arrays]
    passes = max(3, int(3e8 / (8 * _TRIAD_ARRAYS * elements)))
    call = lambda: triad(ctypes.c_long(elements), ctypes.c_long(passes), *pointers)  # noqa: E731
    seconds = min(timed(call) for _ in range(rounds))
    if allowed is not None:
        os.sched_setaffinity(0, allowed)
    return 8e-9 * _TRIAD_ARRAYS * elements * passes / seconds
