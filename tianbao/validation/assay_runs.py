"""Runs the worms of assays in batches and processes, and keeps what they gave as rows, so that a broken run goes on.

A row is what one worm of one condition gave for every measure. Its digest is of all that decides it (configuration,
set-up, measures, mechanisms and tables), so that rows of another assay or worm are not taken for those of this one;
rows of another version of the Python code are, with a warning.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import multiprocessing
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..behaviour.measures import measure_of
from ..behaviour.trials import Trial
from ..config import RunConfig
from ..errors import DivergedError, OutputError
from ..experiment import simulation
from ..io.files import prepare_folder
from ..loop.provenance import git_revision, mechanism_hash, table_hash
from ..orphans import end_with
from ..progress import Progress
from ..units import S_PER_MIN
from .assay import Setup

__all__ = ["Batch", "Group", "Kept", "configured", "measured", "run_groups"]

log = logging.getLogger(__name__)

_TIMED = ("touch", "tap", "stimulate", "illuminate", "silence", "clamp", "modulate", "hold")
_MOST_BATCHES = 12  # of one process, which grows with every network it builds
_DIGITS = 6


@dataclass(frozen=True)
class Group:
    """Worms of one condition.

    Attributes:
        name: of the condition, unique among those that share a file of rows.
        config: of their run.
        setup: of the assay.
        measures: key -> name of the measure and its arguments.
        worms: how many.
        signal: run in which the noses of other worms met what these meet, wherever they go; None if they go by
            themselves.
    """

    name: str
    config: RunConfig
    setup: Setup
    measures: Mapping[str, tuple[str, Mapping[str, Any]]]
    worms: int
    signal: RunConfig | None = None

    def digest(self, made_of: str) -> str:
        """Digest of what decides the rows of the group.

        Args:
            made_of: digests of the compiled mechanisms and of the tables of values.
        """
        # The number of worms is no part of it: a worm is the same in a larger group.
        placing = replace(self.setup, worms=1)
        told = [self.config.to_toml(), repr(placing), repr(sorted(self.measures.items())), made_of]
        told += [] if self.signal is None else [self.signal.to_toml()]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Batch:
    """Worms of a group that share a run; their numbers follow each other."""

    group: Group
    numbers: tuple[int, ...]


def configured(batch: Batch) -> RunConfig:
    """The run of a batch: worm k of a group has stream k, a heading drawn for it, and its own time of the stimulus."""
    group, setup = batch.group, batch.group.setup
    # What happens to the arena happens to all of its worms at once.
    steps = any(len(each.get("steps", ())) > 1 for each in group.config.fields)
    entries = []
    for number in batch.numbers:
        shift = setup.shift(number, group.config.clock.tick, steps)
        done = [_later(each, shift) for each in group.config.interventions]
        at, heading = _place(setup, group.config, number)
        entries.append({"at": at, "heading": heading, "interventions": done})
    shift = setup.shift(batch.numbers[0], group.config.clock.tick, steps)
    fields = [_stepped(each, shift) for each in group.config.fields] if steps else group.config.fields
    changes = {"worms": entries, "stream": group.config.stream + batch.numbers[0], "fields": fields}
    return replace(group.config, interventions=()).updated(changes, group.name)


def _place(setup: Setup, config: RunConfig, number: int) -> tuple[list[float], float]:
    """Where a worm begins [mm] and where it heads [rad], the same in any company."""
    drawn = float(np.random.default_rng((config.seed, number)).uniform(-math.pi, math.pi))
    heading = drawn if setup.placing.turned else config.worm.heading
    x, y, z = config.worm.at
    if setup.placing.distance > 0.0:
        (x, y), away = setup.placing.centre, setup.placing.distance
        # Evenly around the source, so that no two worms begin in one place.
        turn = math.tau * (number % setup.together) / setup.together
        turn += float(np.random.default_rng((config.seed, number // setup.together, 1)).uniform(0.0, math.tau))
        return [x + away * math.cos(turn), y + away * math.sin(turn), z], heading
    return [x, y + setup.placing.apart * (number % setup.together), z], heading


def _later(table: Mapping[str, Any], shift: float) -> dict[str, Any]:
    """An intervention whose times are later by a shift [ms]; what lasts from the beginning stays as it is."""
    if table.get("verb") not in _TIMED or not table.get("start"):
        return dict(table)
    return {key: value + shift if key in ("start", "stop") else value for key, value in table.items()}


def _stepped(table: Mapping[str, Any], shift: float) -> dict[str, Any]:
    """A field whose steps after the first are later by a shift [ms]."""
    steps = table.get("steps")
    if not steps:
        return dict(table)
    return {**table, "steps": [list(steps[0]), *([start + shift, value] for start, value in steps[1:])]}


def measured(batch: Batch) -> list[dict[str, Any]]:
    """Run a batch and measure each of its worms.

    Returns:
        A row per worm: "worm", and "values", from the key of a measure to its numbers; "error" instead of values if the
        run diverged.
    """
    config, setup = configured(batch), batch.group.setup
    try:
        if batch.group.signal is not None:
            config = config.updated({"fields": _met_by_another(batch)}, batch.group.name)
        recording = simulation(config, progress=False, threads=1).run(config.duration)
    except DivergedError as error:
        return [{"worm": number, "error": str(error)} for number in batch.numbers]
    steps = any(len(each.get("steps", ())) > 1 for each in config.fields)
    rows = []
    for place, number in enumerate(batch.numbers):
        start = setup.stimulus + setup.shift(number, config.clock.tick, steps) if setup.stimulus else math.nan
        trial = Trial(recording, place, setup.settle, start)
        values = {
            key: [float(f"{each:.{_DIGITS}g}") for each in measure_of(name, key).row(trial, **arguments)]
            for key, (name, arguments) in batch.group.measures.items()
        }
        rows.append({"worm": number, "values": values})
    return rows


def _met_by_another(batch: Batch) -> list[dict[str, Any]]:
    """Baths that change in time as the fields did at the nose of another worm; worms 0 and 1, 2 and 3 ... are paired.

    That worm is run again, so that a pair does not depend on which rows there are.
    """
    source = replace(batch.group, config=batch.group.signal, signal=None)
    config = configured(Batch(source, (batch.numbers[0] ^ 1,)))
    try:
        recording = simulation(config, progress=False, threads=1).run(config.duration)
    except DivergedError as error:
        raise DivergedError(f"its partner, worm {batch.numbers[0] ^ 1}: {error}") from error
    met = recording.sensed()
    times = [0.0, *recording.time[1:].tolist()]
    baths = []
    for name, unit in {each.name: each.unit for each in recording.fields}.items():
        felt = next((column for column in met.columns if column.endswith(f" {name}")), None)
        if felt is not None:
            values = met[felt].to_numpy().tolist()
            baths.append({"kind": "bath", "name": name, "unit": unit, "steps": list(zip(times, values, strict=True))})
    return baths


class Kept:
    """Rows in a file, one line of JSON each.

    Args:
        path: of the file; its folder is made if necessary.

    Raises:
        OutputError: if the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        prepare_folder(path.parent)
        self._path, self._revision = path, git_revision()
        self._rows: dict[tuple[str, int], dict[str, Any]] = {}
        self._cut = False
        for row in self._read():
            self._rows[row["digest"], row["worm"]] = row

    def other_revisions(self, digests: Collection[str]) -> list[str]:
        """Revisions, other than that of this code, that made rows with these digests."""
        made = {row["revision"] for (digest, _), row in self._rows.items() if digest in digests}
        return sorted(each or "none" for each in made - {self._revision})

    def _read(self) -> Iterator[dict[str, Any]]:
        try:
            text = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise OutputError(f"cannot read the rows in {self._path}: {error}; give another folder (--out)") from error
        self._cut = bool(text) and not text.endswith("\n")
        for line in text.splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue  # cut short when the run was broken: that worm is run again
            if isinstance(row, dict) and {"digest", "worm", "revision"} <= set(row):
                yield row

    def add(self, digest: str, condition: str, rows: Iterable[dict[str, Any]]) -> None:
        """Keep rows of a condition, those of one batch at once."""
        made = [{"digest": digest, "revision": self._revision, "condition": condition, **row} for row in rows]
        text = "".join(json.dumps(each) + "\n" for each in made)
        try:
            with open(self._path, "a", encoding="utf-8") as file:
                # What a broken run left half written must not swallow the next row.
                file.write("\n" + text if self._cut else text)
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror or error}") from error
        self._cut = False
        for each in made:
            self._rows[digest, each["worm"]] = each

    def missing(self, digest: str, worms: int) -> list[int]:
        """Worms without a row."""
        return [number for number in range(worms) if (digest, number) not in self._rows]

    def of(self, digest: str, worms: int) -> list[dict[str, Any]]:
        """Rows of the first worms of a group, in order."""
        return [self._rows[digest, number] for number in range(worms) if (digest, number) in self._rows]


def _batches(group: Group, missing: Sequence[int]) -> Iterator[Batch]:
    """Missing worms that belong to one run and follow each other."""
    part: list[int] = []
    for number in missing:
        if part and (number != part[-1] + 1 or number % group.setup.together == 0):
            yield Batch(group, tuple(part))
            part = []
        part.append(number)
    if part:
        yield Batch(group, tuple(part))


def run_groups(
    groups: Sequence[Group], kept: Kept, *, processes: int = 1, label: str = "assays", progress: bool = True,
    on_done: Callable[[Batch], None] | None = None,
) -> dict[str, list[dict[str, Any]]]:  # fmt: skip
    """Run all worms that have no row yet.

    Args:
        groups: of worms; names are unique.
        kept: rows so far, to which new ones are added.
        processes: at a time.
        label: of the progress.
        progress: show time left.
        on_done: called after each batch.

    Returns:
        Rows of each group, by its name.

    Raises:
        OutputError: if the rows cannot be written.
    """
    made_of = f"{mechanism_hash()} {table_hash()}"
    digests = {each.name: each.digest(made_of) for each in groups}
    todo = [batch for each in groups for batch in _batches(each, kept.missing(digests[each.name], each.worms))]
    if others := kept.other_revisions(digests.values()):
        log.warning("rows of other revisions are used, too (%s); give another folder (--out) if all must be alike",
                    ", ".join(others))  # fmt: skip
    total = sum(map(_amount, todo))
    started, done = time.monotonic(), 0.0
    with Progress(total, label, enabled=progress and bool(todo)) as shown:
        for number, (batch, rows) in enumerate(_computed(todo, processes), start=1):
            kept.add(digests[batch.group.name], batch.group.name, rows)
            amount = _amount(batch)
            done += amount
            shown.advance(amount)
            left = (time.monotonic() - started) * (total / done - 1.0) / S_PER_MIN
            log.info("%s: run %d of %d (%s), %.1f min left", label, number, len(todo), batch.group.name, left)
            if on_done is not None:
                on_done(batch)
    return {each.name: kept.of(digests[each.name], each.worms) for each in groups}


def _amount(batch: Batch) -> float:
    """Time to simulate [ms], that of partners included."""
    return batch.group.config.duration * len(batch.numbers) * (1 if batch.group.signal is None else 2)


def _computed(todo: Sequence[Batch], processes: int) -> Iterator[tuple[Batch, list[dict[str, Any]]]]:
    """Batches and their rows, as they are done; in this process if one is enough."""
    if processes == 1 or len(todo) < 2:
        yield from ((batch, measured(batch)) for batch in todo)
        return
    # New processes after some batches each, as NEURON keeps what it has built. An executor that replaces its own
    # (max_tasks_per_child) can stop for ever when all are due at the same time: CPython's issue 115634.
    most = processes * _MOST_BATCHES
    for first in range(0, len(todo), most):
        yield from _side_by_side(todo[first : first + most], processes)


def _side_by_side(todo: Sequence[Batch], processes: int) -> Iterator[tuple[Batch, list[dict[str, Any]]]]:
    """Batches and their rows, as they are done, in processes of their own."""
    # NEURON and Taichi do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(processes, len(todo)), context, initializer=end_with, initargs=(os.getpid(),)
    ) as pool:  # fmt: skip
        running = {pool.submit(measured, batch): batch for batch in todo}
        try:
            while running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        finally:
            # After Ctrl-C or an error no further run begins.
            for future in running:
                future.cancel()
