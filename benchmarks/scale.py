"""What a start and a further worm cost: one worm to a hundred, on one core, on two threads, in two processes.

Question: how much time and memory does each further worm take, and how much is won by a second core?
See: a table; every variant runs in a process of its own, one after the other, the fastest of a few rounds counts.
Time: about six minutes on two cores.
Compare: docs/measured/scale.csv. Seconds depend on the machine and its load; `ratio` (time for a worm and second,
to that of one worm alone) and `gain` (over one core) hardly do.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

START = "import time; s = time.perf_counter(); import tianbao as tb; sim = tb.Simulation(tb.Worm(), progress=False); \
sim.reset(); sim.step(4.0); print(time.perf_counter() - s)"
VARIANTS = (  # name, worms, threads, parts, engine
    ("1 worm", 1, 1, 1, "native"),
    ("1 worm, f32", 1, 1, 1, "native-f32"),
    ("10 worms", 10, 1, 1, "native"),
    ("100 worms", 100, 1, 1, "native"),
    ("100 worms, f32", 100, 1, 1, "native-f32"),
    ("100 worms, 2 threads", 100, 2, 1, "native"),
    ("100 worms, 2 processes", 100, 1, 2, "native"),
)


def measured(job: tuple) -> tuple[float, float]:
    """Wall time for a biological second [s] and the most memory of this process [MB] of one variant."""
    import tianbao as tb

    _, count, threads, parts, engine, duration = job
    side = math.ceil(math.sqrt(count))
    worms = [tb.Worm(at=(1.3 * (k % side), 0.6 * (k // side), 0.0)) for k in range(count)]
    made = tb.Simulation(worms, engine=engine, threads=threads, parts=parts, progress=False)
    made.reset()
    made.step(100.0)
    started = time.perf_counter()
    made.step(duration)
    wall = time.perf_counter() - started
    return 1000.0 * wall / duration, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def starts() -> tuple[float, float]:
    """Time from a script's first line to the end of its worm's first tick [s]: the first time, and again."""
    with tempfile.TemporaryDirectory() as cache:
        from tianbao import mechanisms
        from tianbao.mechanisms import cache as libraries

        for root in libraries.roots():  # compiled already; only the nervous system is new
            for each in root.glob("*") if root.is_dir() else ():
                if each.name not in ("systems", ".lock"):
                    (Path(cache) / each.name).symlink_to(each)
        assert mechanisms.library()
        environment = {**os.environ, libraries.VARIABLE: cache}
        command, options = [sys.executable, "-c", START], {"env": environment, "capture_output": True, "check": True}
        took = [float(subprocess.run(command, **options).stdout) for _ in range(3)]
    return took[0], min(took[1:])


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--duration", type=float, default=1_000.0, help="ms of biology each")
    parser.add_argument("--rounds", type=int, default=2, help="of which the fastest counts")
    parser.add_argument("--only", default="", help="variants whose name contains this, and one worm")
    parser.add_argument("--out", type=Path, default=Path("output/scale"))
    args = parser.parse_args()
    first, again = starts()
    print(f"first tick after {first:.1f} s, of a worm that was assembled before after {again:.1f} s")
    rows = [
        {"variant": "start", "worms": 1, "wall_s": first},
        {"variant": "start again", "worms": 1, "wall_s": again, "gain": first / again},
    ]
    one, alone = {}, math.nan
    for name, count, *rest in VARIANTS:
        if args.only not in name and name != "1 worm":
            continue
        found = []
        for _ in range(args.rounds):
            found.append(apart((name, count, *rest, args.duration)))
        wall, memory = min(found)
        alone = wall if name == "1 worm" else alone
        one.setdefault((count, rest[2]), wall)
        row = {"variant": name, "worms": count, "wall_s": wall, "ratio": wall / count / alone, "memory_mb": memory}
        rows.append(row | {"gain": one[count, rest[2]] / wall})
        print(f"{name:24s}{wall:9.3f} s per s{row['ratio']:7.2f} x one worm each{memory:8.0f} MB", flush=True)
    args.out.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(args.out / "scale.csv", index=False, float_format="%.3g")
    print(f"wrote scale.csv in {args.out}")
    return 0


def apart(job: tuple) -> tuple[float, float]:
    """`measured` in a process of its own."""
    command = [sys.executable, __file__, "--job", repr(job)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    wall, memory = done.stdout.split()[-2:]
    return float(wall), float(memory)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        import ast

        print(*measured(ast.literal_eval(sys.argv[2])))
        sys.exit(0)
    sys.exit(main())
