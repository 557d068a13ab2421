"""A table to be written: columns, rows and number format."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Columns, rows of text or numbers, and the source for SOURCES.md."""

    columns: tuple[str, ...]
    rows: list[tuple]
    source: str

    @classmethod
    def sorted(cls, columns: str, rows: Iterable[tuple], source: str) -> Table:
        """A table with its rows in order; `columns` is comma-separated."""
        return cls(tuple(columns.split(",")), sorted(rows), source)

    def text(self) -> str:
        """The table as CSV."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return out.getvalue()
