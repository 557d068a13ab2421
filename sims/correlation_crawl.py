"""Does a worm still crawl with connections that were fitted to correlations of activity?

Question: a fit of correlations sees a brain without a body. Is the worm that has its multipliers still one that crawls?
Method: the same seeds on agar for the worm as it is and for each set (`tianbao.learning.correlation_sets`); with
`--inputs` the slow currents of the set flow into all somas as well. Criteria: tianbao/behaviour/crawling.csv.
See: how many criteria each crawl meets, which it misses, speed and frequency.
Time: about 6 core-seconds per crawl of 15 s, and some to scale thousands of connections.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

import tianbao as tb
from tianbao.behaviour.gait import criteria, missed
from tianbao.cli import run_script
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.learning.correlation_sets import CorrelationSet, correlation_set
from tianbao.learning.correlations import correlation_constants
from tianbao.learning.spontaneous import fluctuations
from tianbao.loop.provenance import git_revision
from tianbao.units import NA_PER_PA

DEFAULT = "default"
FRAME, HELD = 20.0, 100.0  # [ms] between two frames, and for which an input is constant
SHOWN = ("forward_speed_mm_s", "frequency_hz", "wavelength_body_lengths", "travelling_r2", "straightness")


def with_inputs(simulation: tb.Simulation, chosen: CorrelationSet, duration: float, seed: int) -> tb.behaviour.Gait:
    """A crawl under the inputs with which a set was fitted."""
    seen = simulation.reset(seed)
    names = seen.neurons
    loadings = np.array([chosen.loadings[name] for name in names])
    private = np.array([chosen.private[name] for name in names])
    rng = np.random.default_rng(seed)
    count = loadings.shape[1]
    drawn = fluctuations(
        int(duration / HELD), count + len(names), HELD, correlation_constants()["input_tau"], rng
    )  # fmt: skip
    time, midline = [], []
    for each in drawn:
        current = (loadings @ each[:count] + private * each[count:]) * NA_PER_PA
        for _ in range(round(HELD / FRAME)):
            seen = simulation.step(FRAME, dict(zip(names, current, strict=True)))
            time.append(seen.time)
            midline.append(seen.midline[0])
    return tb.behaviour.gait(np.array(time), np.array(midline), medium="agar")


def experiment(args: argparse.Namespace) -> int:
    """Crawl, measure, write."""
    folder = prepare_folder(args.out)
    report: dict[str, object] = {"commit": git_revision(), "criteria": len(criteria("agar"))}
    for name in args.sets:
        worm = tb.Worm()
        chosen = None if name == DEFAULT else correlation_set(name)
        if chosen is not None:
            chosen.put_on(worm)
        simulation, rows = tb.Simulation(worm, progress=False), []
        for seed in range(args.first_seed, args.first_seed + args.worms):
            if args.inputs and chosen is not None:
                gait = with_inputs(simulation, chosen, args.duration, seed)
            else:
                simulation.seed = seed
                gait = simulation.run(args.duration).gait()
            fails = missed(gait, "agar")
            rows.append({
                "seed": seed, "met": len(criteria("agar")) - len(fails), "missed": [each.metric for each in fails],
                **{key: round(float(getattr(gait, key)), 4) for key in SHOWN},
            })  # fmt: skip
            print(Path(name).name, rows[-1], flush=True)
        report[Path(name).name] = rows
    write_atomically(folder / "correlation_crawl.json", json.dumps(report, indent=1).encode())
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=[DEFAULT], help="default, names of fitted sets, or their paths")
    parser.add_argument("--duration", type=float, default=15_000.0, help="of a crawl [ms]")
    parser.add_argument("--worms", type=int, default=2, help="seeds per set")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--inputs", action="store_true", help="let the currents of the set flow, too")
    parser.add_argument("--out", type=Path, default=Path("output/correlation_crawl"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
