"""Is a run that is killed at any moment resumed to the same bits, and is every file it leaves readable?

Starts runs of half a second of biology with a checkpoint every 20 ms, kills each with SIGKILL, SIGTERM or Ctrl-C at a
random moment (also while it writes), and looks at what is left: every checkpoint and every results file must open.
Some are resumed and compared with a run that nobody disturbed.

    python benchmarks/kills.py --kills 50 --resumed 20
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import tianbao as tb
from tianbao.config import RunConfig
from tianbao.experiment import CHECKPOINT, resume, simulation

DURATION = 500.0
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


def started(config: Path, out: Path) -> subprocess.Popen:
    """A run in a process of its own, just past its first checkpoint."""
    command = [sys.executable, "-m", "tianbao.cli", "run", str(config), "--out", str(out), "--no-video"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (out / CHECKPOINT).exists() and process.poll() is None:
        time.sleep(0.005)
    return process


def unreadable(out: Path) -> int:
    """Files of a killed run that do not open."""
    bad = 0
    for path, read in ((out / CHECKPOINT, tb.Checkpoints), (out / "results.h5", None)):
        if not path.exists():
            continue
        try:
            read(path).read() if read else tb.open(path)
        except tb.TianbaoError as error:
            print(error)
            bad += 1
    return bad


def main() -> int:
    """Kill, look, resume, compare; exit code 0 only if nothing was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--resumed", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    chance = random.Random(args.seed)
    config = RunConfig().updated({"duration": DURATION, "checkpoint.every": 20.0})
    whole = simulation(config, progress=False).run(DURATION).worms[0]
    bad = same = 0
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "run.toml"
        path.write_text(config.to_toml())
        for number in range(args.kills):
            out, how = Path(place) / str(number), chance.choice(SIGNALS)
            process = started(path, out)
            time.sleep(chance.uniform(0.0, 0.6))
            process.send_signal(how)
            process.wait()
            bad += unreadable(out)
            if number < args.resumed:
                reached = tb.Checkpoints(out / CHECKPOINT).read().facts["ticks"] * config.clock.tick
                track = resume(out, video=False, progress=False).recording.worms[0]
                equal = np.array_equal(track.midline, whole.midline) and np.array_equal(track.voltage, whole.voltage)
                same += equal
                verdict = "same bits" if equal else "DIFFERENT"
                print(f"{number:3d} {how.name:8s} at {reached:4.0f} ms: {verdict}", flush=True)
    compared = min(args.resumed, args.kills)
    print(f"{args.kills} kills, {bad} unreadable files; {same} of {compared} resumed to the same bits")
    return 0 if not bad and same == compared else 1


if __name__ == "__main__":
    sys.exit(main())
