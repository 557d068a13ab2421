"""Jobs for tests of the sweep's scheduling: real functions in real processes, without a worm."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def count(config, folder, video):
    """Leave a mark per call, and say what was asked for."""
    _mark(folder)
    return {"gap": config.parameters.get("gap_gain"), "seed_used": config.seed, "process": os.getpid()}


def fail_on_two(config, folder, video):
    """Seed 2 fails."""
    _mark(folder)
    if config.seed == 2:
        raise ValueError("two is\nnot wanted")
    return {"seed_used": config.seed}


def die_once(config, folder, video):
    """The process of seed 2 is killed the first time."""
    _mark(folder)
    if config.seed == 2 and _calls(folder) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"seed_used": config.seed}


def die_always(config, folder, video):
    """The process of seed 2 is killed every time."""
    _mark(folder)
    if config.seed == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"seed_used": config.seed}


def wait_on_three(config, folder, video):
    """Seed 3 takes a minute, unless a file beside the sweep says otherwise."""
    _mark(folder)
    while config.seed == 3 and not (Path(folder).parents[1] / "go").exists():
        time.sleep(0.02)
    return {"seed_used": config.seed}


def take_a_second(config, folder, video):
    """Every run takes a second."""
    time.sleep(1.0)
    return {"seed_used": config.seed}


def _mark(folder):
    with open(Path(folder) / "calls", "a") as file:
        file.write(f"{os.getpid()}\n")


def _calls(folder):
    return len((Path(folder) / "calls").read_text().split())
