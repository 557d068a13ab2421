"""How fast the body is: steps per second by mesh, medium, number of worms and threads, as ratios in one run.

Contestants take turns, each in a process of its own, and the fastest of the rounds counts, so that a
disturbance meets all of them. Ratios refer to the first row. A prescribed wave bends every worm; residual checks
are part of a step.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

# A ratio may be this much below the committed one before --check fails.
_SLACK = 0.8


@dataclass(frozen=True)
class Contestant:
    """One way to run the body; see SoftBody for the names."""

    name: str
    medium: str = "agar"
    tick: float = 10.0
    slabs: int = 48
    layers: int = 1
    worms: int = 1
    threads: int = 1
    tolerance: float = 1e-3
    scene: str = "free"
    device: str = "cpu"
    compiled: bool | None = None
    steps: int = 200


FIRST = Contestant("441 vertices, agar")
CONTESTANTS = (
    FIRST,
    replace(FIRST, name="by the kernels", compiled=False),
    replace(FIRST, name="tolerance 1e-6", tolerance=1e-6),
    replace(FIRST, name="tick 4 ms", tick=4.0),
    replace(FIRST, name="water, tick 2 ms", medium="water", tick=2.0),
    replace(FIRST, name="water, tick 4 ms", medium="water", tick=4.0),
    replace(FIRST, name="873 vertices", slabs=96, steps=120),
    replace(FIRST, name="1,161 vertices, 3,072 tetrahedra", slabs=128, steps=100),
    replace(FIRST, name="833 vertices, 3,456 tetrahedra", layers=2, steps=80),
    replace(FIRST, name="72 pillars", scene="pillars"),
    replace(FIRST, name="self-contact", scene="self"),
    replace(FIRST, name="water, resolved, tick 2 ms", medium="water", tick=2.0, scene="resolved"),
    replace(FIRST, name="10 worms", worms=10, steps=40),
    replace(FIRST, name="100 worms", worms=100, steps=10),
    replace(FIRST, name="100 worms, 2 threads", worms=100, threads=2, steps=10),
    replace(FIRST, name="100 worms that touch", worms=100, steps=10, scene="crowd"),
)


def prepare(each: Contestant):
    """Build and warm one contestant; gives a function that steps it and returns seconds per step."""
    from tianbao.body import RingMesh, SoftBody
    from tianbao.environment import Medium, pillar_array

    options = {}
    if each.scene == "pillars":
        options = {"obstacles": pillar_array(0.12, 0.45, (3.6, 3.15), "square"), "touching": True}
    elif each.scene in ("self", "crowd"):
        options = {"touching": True}
    elif each.scene == "resolved":
        options = {"resolved": True}
    mesh = RingMesh.adult(each.slabs, each.layers)
    body = SoftBody(
        mesh, worms=each.worms, medium=Medium.named(each.medium), tolerance=each.tolerance, threads=each.threads,
        device=each.device, compiled=each.compiled, **options,
    )  # fmt: skip
    side = int(np.ceil(np.sqrt(each.worms)))
    for worm in range(each.worms):
        body.pose(at=(1.5 * (worm % side), 0.5 * (worm // side)), worm=worm)
    s = (np.arange(mesh.slabs) + 0.5) / mesh.slabs
    frequency, wavelength, amplitude = (0.4, 0.65, 8.5) if each.medium == "agar" else (1.7, 1.5, 7.0)
    tension, done = np.zeros((each.worms, mesh.slabs, 4)), 0

    def run(steps: int) -> float:
        nonlocal done
        started = time.perf_counter()
        for _ in range(steps):
            phase = 2.0 * np.pi * (s / wavelength - frequency * done * each.tick / 1000.0)
            pull = amplitude * min(1.0, done * each.tick / 500.0) * np.sin(phase) * body.tension_per_curvature()
            tension[:, :, :2], tension[:, :, 2:] = np.maximum(pull, 0.0)[:, None], np.maximum(-pull, 0.0)[:, None]
            body.step(tension, each.tick)
            done += 1
        return (time.perf_counter() - started) / steps

    run(max(5, each.steps // 4))
    return run


def serve(pipe, each: Contestant) -> None:
    """Answer each request with a measurement, until there is none."""
    run = prepare(each)
    pipe.send("ready")
    for steps in iter(pipe.recv, None):
        pipe.send(run(steps))


def race(contestants, rounds: int) -> pd.DataFrame:
    """Measure all contestants in turn."""
    context, lanes = multiprocessing.get_context("spawn"), []
    for each in contestants:
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, each), daemon=True)
        process.start()
        theirs.close()
        try:
            ours.recv()
        except EOFError:
            print(f"{each.name}: could not be built (above), left out", flush=True)
            continue
        lanes.append((each, ours))
    best = {each.name: np.inf for each, _ in lanes}
    for _ in range(rounds):
        for each, pipe in lanes:
            pipe.send(each.steps)
            best[each.name] = min(best[each.name], pipe.recv())
    for _, pipe in lanes:
        pipe.send(None)
    first = lanes[0][0]
    rows = []
    for each, _ in lanes:
        worm_step = best[each.name] / each.worms
        rows.append({
            "variant": each.name, "tick_ms": each.tick, "worms": each.worms, "device": each.device,
            "ms_per_worm_step": round(1e3 * worm_step, 4), "steps_per_s": round(1.0 / worm_step, 1),
            "times_real_time": round(each.tick / 1e3 / worm_step, 2),
            "cost_ratio": round(worm_step / best[first.name], 3),
        })  # fmt: skip
    return pd.DataFrame(rows)


def main(arguments: list[str] | None = None) -> int:
    """Run the race, print and write the table; with --check, fail where a ratio has fallen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu", help="cpu, cuda, metal or vulkan, for all rows")
    parser.add_argument("--only", nargs="*", help="parts of the names of the rows wanted; the first always runs")
    parser.add_argument("--out", type=Path, default=Path("output/benchmarks"))
    parser.add_argument("--check", type=Path, help="table of an earlier run whose ratios must hold")
    args = parser.parse_args(arguments)
    wanted = [
        replace(each, device=args.device)
        for each in CONTESTANTS
        if each is FIRST or not args.only or any(part in each.name for part in args.only)
    ]
    table = race(wanted, args.rounds)
    args.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(args.out / "body.csv", index=False)
    print(table.to_string(index=False))
    print(f"wrote body.csv in {args.out}")
    if args.check is None:
        return 0
    before = pd.read_csv(args.check).set_index("variant").cost_ratio
    slower = [row.variant for row in table.itertuples()
              if row.variant in before and row.cost_ratio * _SLACK > before[row.variant]]  # fmt: skip
    print(f"slower than before against the first row: {', '.join(slower) or 'none'}")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
