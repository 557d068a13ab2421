"""Results of a run: opening its file, and summary.json."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import h5py

from ..behaviour.gait import Gait, compare, crawled, swam
from ..errors import OutputError
from ..recorded import RecordedRun
from ..recording import Recording
from .files import prepare_folder, write_atomically
from .hdf5 import read_run, read_sealed, save_recording

__all__ = ["moved", "open_recording", "open_sealed", "prepare_folder", "save_recording", "write_summary"]


def open_recording(path: str | Path) -> Recording:
    """Read a results file.

    Raises:
        OutputError: if the file is missing, damaged or not one of ours.
    """
    return Recording(**vars(read_run(path)))


def is_finished(folder: str | Path) -> bool:
    """Whether a folder holds the results of a run that reached its end, or results that cannot be read."""
    path = Path(folder) / "results.h5"
    if not path.exists():
        return False
    try:
        with h5py.File(path, "r") as file:
            return bool(file.attrs.get("complete", True))
    except (OSError, ValueError, TypeError):
        return True


def check_unfinished(folder: str | Path) -> None:
    """Refuse to replace the results of a finished run.

    Raises:
        OutputError: if the folder holds them.
    """
    if is_finished(folder):
        todo = "give another folder (--out), or replace it with --force (Python: force=True)"
        raise OutputError(f"{folder} holds the results of a finished run: {todo}")


def open_sealed(path: str | Path) -> tuple[Recording, bool]:
    """Read a results file, and say whether a seal covers its numbers.

    Raises:
        OutputError: if the file is missing, damaged or not one of ours.
    """
    recording, sealed = read_sealed(path)
    return Recording(**vars(recording)), sealed


def write_summary(recording: RecordedRun, path: str | Path) -> Path:
    """Write the outcome of a run as JSON: gait, published ranges, provenance. A NaN becomes null.

    Raises:
        OutputError: if the disk is full or the folder read-only.
    """
    text = json.dumps(_finite(summary(recording)), indent=2, allow_nan=False)
    return write_atomically(path, (text + "\n").encode())


def summary(recording: RecordedRun) -> dict:
    """What summary.json holds: the first worm's gait at the top, that of every worm under `worms`."""
    gaits = [recording.gait(worm) for worm in range(len(recording.worms))]
    worms = [
        {
            **gait.as_dict(),
            "crawled": crawled(gait),
            "moved": moved(gait, recording.medium),
            "interventions": recording.interventions_of(worm),
        }
        for worm, gait in enumerate(gaits)
    ]
    return {
        **gaits[0].as_dict(),
        "crawled": crawled(gaits[0]),
        "medium": recording.medium,
        "published": [asdict(row) for row in compare(gaits[0])],
        "worms": worms,
        "duration_ms": recording.duration,
        "complete": recording.complete,
        "wall_s_per_bio_s": recording.wall_s_per_bio_s,
        "seed": recording.seed,
        "created": recording.created,
        "versions": recording.versions,
        "mechanism_hash": recording.mechanism_hash,
        "git_revision": recording.git_revision,
        "anatomy": recording.anatomy,
    }


def moved(gait: Gait, medium: str) -> bool | None:
    """Whether a worm crawled, or swam in water, by the published ranges; None in a medium without any."""
    if not compare(gait, medium):
        return None
    return (swam if medium == "water" else crawled)(gait)


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
