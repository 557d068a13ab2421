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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from ..errors import ConfigError, OutputError
from ..io.files import prepare_folder, write_atomically
from ..io.own_files import check_own_folder, open_own, read_own
from .kept_plan import plan_from_json
from .plan import Plan, PlannedRun

OPEN, FINISHED, FAILED = "open", "finished", "failed"
PLAN, TABLE, SUMMARY, ERROR, LOG, CONFIG = (
    "plan.json", "table.csv", "summary.json", "error.txt", "log.txt", "config.toml",
)  # fmt: skip
_POLL_S = 0.05
# The largest files that are read [bytes]: a plan of the most runs takes about 10 MB, a summary some kB.
_LARGEST_PLAN, _LARGEST_SUMMARY, _LARGEST_LOCK = 100_000_000, 10_000_000, 20
_FOREVER_S = 1e9  # no run takes longer
_LONGEST_ERROR = 1000  # characters of it in a table

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


def check_folders(folder: Path, plan: Plan, runs: Iterable[PlannedRun]) -> None:
    """Refuse folders of runs that are links to elsewhere: everything of a sweep is in its own folder.

    Raises:
        OutputError: if there is one.
    """
    check_own_folder(folder / "runs")
    for run in runs:
        check_own_folder(run_folder(folder, plan, run))


def open_log(folder: Path) -> BinaryIO:
    """The log file of a run, to append to.

    Raises:
        OutputError: if its folder is a link to elsewhere, or the file is not one of ours.
    """
    check_own_folder(folder.parent)
    check_own_folder(folder)
    prepare_folder(folder)
    return open(open_own(folder / LOG, os.O_WRONLY | os.O_APPEND), "ab")


def outcome(folder: Path, run: Recognised) -> Outcome:
    """The outcome of a run, from the files in its folder."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        summary = json.loads(read_own(folder / SUMMARY, _LARGEST_SUMMARY), parse_constant=_no_number)
        if _of_this_run(summary, run):
            return Outcome(FINISHED, summary)
    with contextlib.suppress(OSError):
        lines = read_own(folder / ERROR, _LARGEST_SUMMARY).decode(errors="replace").splitlines()
        return Outcome(FAILED, error=_sentence(lines[0]) if lines else "unknown: its error.txt is empty")
    return Outcome(OPEN)


def _of_this_run(summary: Any, run: Recognised) -> bool:
    """Whether a summary is complete and was written by this very run."""
    mark = summary.get("sweep") if isinstance(summary, dict) else None
    if not isinstance(mark, dict) or mark.get("digest") != run.digest:
        return False
    wall = mark.get("wall_s")
    return isinstance(wall, (int, float)) and not isinstance(wall, bool) and 0.0 <= wall < _FOREVER_S


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _sentence(text: str) -> str:
    """An error as a cell of a table: one printable line that no spreadsheet takes for a formula."""
    text = "".join(each if each.isprintable() else " " for each in text[:_LONGEST_ERROR])
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def settle_plan(folder: Path, plan: Plan) -> None:
    """Write the plan into the folder of its sweep, unless the folder belongs to another one.

    A sweep may be extended with more runs at the end.

    Raises:
        ConfigError: if the folder contains runs that are not in the plan.
        OutputError: if it cannot be written to.
    """
    prepare_folder(folder)
    check_folders(folder, plan, plan.runs)
    if os.path.lexists(folder / PLAN):
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
        text = read_own(path, _LARGEST_PLAN).decode()
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
        OutputError: if another process holds it, or the file is not a lock of ours.
    """
    prepare_folder(path.parent)
    file = open(open_own(path, os.O_RDWR | os.O_APPEND), "a+")  # noqa: SIM115
    until = time.monotonic() + patience
    with file:
        while not _taken(file):
            if time.monotonic() >= until:
                raise OutputError(f"{who} (process {_holder(file, path) or '?'}): wait for it, or stop it first")
            time.sleep(_POLL_S)
        _holder(file, path)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _holder(file, path: Path) -> str:
    """Number of the process that a lock file names; "" for none.

    Raises:
        OutputError: if it holds anything else, which must not be lost.
    """
    file.seek(0)
    try:
        said = file.read(_LARGEST_LOCK + 1).strip()
    except UnicodeDecodeError:
        said = "?"
    if said and not (said.isascii() and said.isdigit() and len(said) <= _LARGEST_LOCK):
        raise OutputError(f"{path} is not a lock of a sweep, since it holds something else: remove it")
    return said


def _taken(file) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
