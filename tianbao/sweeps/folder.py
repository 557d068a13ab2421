"""The folder of a sweep: its plan, a folder per run, and the outcome of each run.

`plan.json` contains the plan; `runs/<number>_<name>/` a run. A run is finished if its `summary.json`, which is written
last, contains the digest of the run; it failed if there is an `error.txt` instead; otherwise it is open.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..errors import ConfigError, OutputError
from ..io.files import prepare_folder, write_atomically
from .plan import Plan, PlannedRun, plan_from_json

OPEN, FINISHED, FAILED = "open", "finished", "failed"
PLAN, TABLE, SUMMARY, ERROR, LOG, CONFIG = (
    "plan.json", "table.csv", "summary.json", "error.txt", "log.txt", "config.toml",
)  # fmt: skip
_POLL_S = 0.05


# Digits of the number in the name of a run's folder: the same for every sweep, so that a sweep can be extended.
_DIGITS = 5


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run.

    Attributes:
        status: "open", "finished" or "failed".
        summary: of a finished run, from its summary.json.
        error: of a failed run, one sentence.
    """

    status: str
    summary: dict[str, Any] | None = None
    error: str = ""


def run_folder(folder: Path, plan: Plan, run: PlannedRun) -> Path:
    """The folder of a run's files."""
    return folder / "runs" / f"{run.number:0{_DIGITS}d}_{run.name}"


class Recognised(Protocol):
    """A planned or running run, whose files are recognised by the digest of its configuration."""

    digest: str


def outcome(folder: Path, run: Recognised) -> Outcome:
    """The outcome of a run, from the files in its folder."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        if summary["sweep"]["digest"] == run.digest:
            return Outcome(FINISHED, summary)
    with contextlib.suppress(OSError, UnicodeDecodeError):
        lines = (folder / ERROR).read_text(encoding="utf-8").splitlines()
        return Outcome(FAILED, error=lines[0] if lines else "unknown: its error.txt is empty")
    return Outcome(OPEN)


def settle_plan(folder: Path, plan: Plan) -> None:
    """Write the plan into the folder of its sweep, unless the folder belongs to another one.

    A sweep may be extended with more runs at the end.

    Raises:
        ConfigError: if the folder contains runs that are not in the plan.
        OutputError: if it cannot be written to.
    """
    prepare_folder(folder)
    if (folder / PLAN).exists():
        for old in load_plan(folder).runs:
            new = plan.runs[old.number - 1] if old.number <= len(plan.runs) else None
            if new is None or (new.name, new.digest) != (old.name, old.digest):
                there = f"'{new.name}'" if new and new.name != old.name else "other settings" if new else "no such run"
                raise ConfigError(
                    f"{folder} contains another sweep: its run {old.number} is '{old.name}', yours has {there}; "
                    "give another folder (--out)"
                )
    write_atomically(folder / PLAN, plan.to_json().encode())


def load_plan(folder: Path) -> Plan:
    """The plan of a sweep's folder.

    Raises:
        ConfigError: if there is none, or it cannot be read.
    """
    path = folder / PLAN
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{folder} is not the folder of a sweep: it has no readable {PLAN}") from error
    return plan_from_json(text, str(path))


@contextlib.contextmanager
def held(path: Path, who: str, patience: float = 0.0) -> Iterator[None]:
    """Hold a lock file, which is released when the process ends, however it ends.

    Args:
        path: of the lock file.
        who: its holder, for the message if it cannot be acquired.
        patience: time to wait for it [s].

    Raises:
        OutputError: if another process holds it.
    """
    prepare_folder(path.parent)
    try:
        file = open(path, "a+")  # noqa: SIM115
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    until = time.monotonic() + patience
    with file:
        while not _taken(file):
            if time.monotonic() >= until:
                file.seek(0)
                raise OutputError(f"{who} (process {file.read().strip() or '?'}): wait for it, or stop it first")
            time.sleep(_POLL_S)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _taken(file) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
