"""The tidy table of a sweep: one row per run, updated after each of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from ..io.files import write_atomically
from .folder import FINISHED, OPEN, TABLE, Outcome, held, load_plan, outcome, run_folder
from .plan import Plan, PlannedRun

# Time that a run of a job array waits while another one writes the table [s].
_PATIENCE_S = 60.0
_BESIDE = ("wall_s", "error")


class Table:
    """Rows of a sweep in its folder.

    Args:
        folder: of the sweep.
        plan: of the sweep.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        self._folder, self._plan = folder, plan
        self.look_at_all()

    def look_at_all(self) -> None:
        """Read the outcome of every run again."""
        self._outcomes = [outcome(run_folder(self._folder, self._plan, run), run) for run in self._plan.runs]

    def status(self, run: PlannedRun) -> str:
        """Status of a run: "open", "finished" or "failed"."""
        return self._outcomes[run.number - 1].status

    def error(self, run: PlannedRun) -> str:
        """Why a run failed, in one sentence; "" if it did not fail."""
        return self._outcomes[run.number - 1].error

    def look(self, run: PlannedRun) -> str:
        """Read the outcome of a run again; returns its status."""
        self._outcomes[run.number - 1] = outcome(run_folder(self._folder, self._plan, run), run)
        return self.status(run)

    def summaries(self) -> Iterator[dict[str, Any]]:
        """Summaries of the finished runs, from their summary.json."""
        return (each.summary for each in self._outcomes if each.summary is not None)

    def walls(self) -> Iterator[tuple[PlannedRun, float]]:
        """Finished runs, and how long each took [s]."""
        for run, each in zip(self._plan.runs, self._outcomes, strict=True):
            if each.summary is not None:
                yield run, float(each.summary["sweep"]["wall_s"])

    def forget(self, run: PlannedRun) -> None:
        """Mark a run as open again."""
        self._outcomes[run.number - 1] = Outcome(OPEN)

    def frame(self) -> pd.DataFrame:
        """One row per run.

        Returns:
            Columns `number`, `name`, varied keys (`seed` always), `status`, metrics with their units in their names,
            `wall_s` [s], `error`. Numbers of a run that is not finished are NaN.
        """
        rows = [self._row(run, outcome) for run, outcome in zip(self._plan.runs, self._outcomes, strict=True)]
        frame = pd.DataFrame(rows)
        for name in [each for each in frame.columns if pd.api.types.is_object_dtype(frame[each])]:
            values = frame[name].dropna()
            # A metric that is missing in all runs, or null in some, is still a number.
            if all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in values):
                frame[name] = frame[name].astype(float)
        last = [name for name in _BESIDE if name in frame.columns]
        return frame[[name for name in frame.columns if name not in last] + last]

    def write(self) -> pd.DataFrame:
        """Write table.csv atomically; returns the table.

        Raises:
            OutputError: if it cannot be written.
        """
        frame = self.frame()
        write_atomically(self._folder / TABLE, frame.to_csv(index=False).encode())
        return frame

    def _row(self, run: PlannedRun, outcome: Outcome) -> dict[str, Any]:
        values = self._plan.values(run)
        seed = {} if "seed" in values else {"seed": self._plan.base.seed}
        row = {"number": run.number, "name": run.name, **values, **seed, "status": outcome.status}
        summary = outcome.summary or {}
        names = self._plan.metrics or [
            name for name, value in summary.items() if isinstance(value, (bool, int, float, str))
        ]
        numbers = {name: summary.get(name) for name in names if name not in row}
        wall = summary["sweep"]["wall_s"] if outcome.status == FINISHED else None
        return {**row, **numbers, "wall_s": wall, "error": outcome.error}


def refresh(folder: Path) -> pd.DataFrame:
    """Write the table of a sweep from the files in its folder, for runs that were done one by one.

    Raises:
        ConfigError: if the folder is not one of a sweep.
        OutputError: if the table cannot be written.
    """
    plan = load_plan(folder)
    with held(folder / ".table.lock", f"{folder / TABLE} is being written by another process", _PATIENCE_S):
        return Table(folder, plan).write()
