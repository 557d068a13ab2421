"""Can the worm crawl between pillars?

The worm of forward_crawl.py starts in the middle of a square field of 72 pillars on agar (Lockery 2008 and
Park 2008 used such chambers). It senses them only through the bending that they cause (proprioception).
See: a worm that passes through the field (video, track); no part of it enters a pillar.
Time: about half a minute for the default 12 s on two cores.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

import tianbao as tb
from tianbao.body import RingMesh
from tianbao.cli import run_script
from tianbao.io.files import prepare_folder

RADIUS, PITCH = 0.12, 0.45  # [mm]
FIELD = (3.6, 3.15)  # [mm] nine columns, eight rows
# The surface stays out of pillars (tests/test_contact.py); the axis comes closer than a radius if the worm is squeezed.
SQUEEZE = 0.015  # [mm] less than half the radius


def squeeze(run: tb.Recording, pillars: list[tb.Pillar]) -> float:
    """Largest flattening of a ring against a pillar [mm]."""
    radii = RingMesh.adult().radii
    line = run.track().midline[..., :2]
    gaps = [np.hypot(line[..., 0] - each.x, line[..., 1] - each.y) - each.radius for each in pillars]
    return float(np.max(radii - np.min(gaps, axis=0)))


def experiment(args: argparse.Namespace) -> int:
    """Run the experiment; exit code 0 only if the worm reached another lane or row without entering a pillar."""
    folder = prepare_folder(args.out)
    pillars = tb.pillar_array(RADIUS, PITCH, FIELD, "square")
    arena = tb.Arena("agar", obstacles=pillars)
    run = tb.Simulation(tb.Worm(), arena, seed=args.seed, engine=args.engine).run(args.duration)
    files = [run.save(folder / "results.h5"), run.plot.track(folder / "track.png")]
    files.append(run.plot.curvature(folder / "kymograph.png"))
    if not args.no_video:
        files.append(run.video(folder / "pillars.mp4"))
    centre = run.track().midline.mean(axis=1)
    net, flattened = float(np.linalg.norm(centre[-1] - centre[0])), squeeze(run, pillars)
    print(run.gait())
    print(f"net path {net:.2f} mm among {len(pillars)} pillars; flattened by up to {1e3 * max(flattened, 0.0):.0f} um")
    print("wrote " + ", ".join(path.name for path in files) + f" in {folder}")
    return 0 if run.complete and net > PITCH and flattened < SQUEEZE else 1


def main(arguments: list[str] | None = None) -> int:
    """Run the experiment; exit code 0 only if the worm reached another lane or row without entering a pillar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--duration", type=float, default=12_000.0, help="simulated time [ms]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", default="native")
    parser.add_argument("--no-video", action="store_true", help="skip the video")
    parser.add_argument("--out", type=Path, default=Path("output/pillar_field"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
