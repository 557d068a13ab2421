"""The required columns of each table in connectome/, and their validation."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import AnatomyError, unknown

# Header is line 1, so the first row of a table is line 2 of its file.
_FIRST_LINE = 2


@dataclass(frozen=True)
class Schema:
    """Columns of one table.

    Attributes:
        neurons, muscles: columns of known names.
        counts: whole numbers, at least 1.
        numbers: finite numbers, any sign.
        distances: finite numbers, at least 0.
        words: columns of text and their allowed values (empty: any).
        flags: columns of True and False.
        key: columns that together identify a row.
        rest_are_levels: all further columns contain numbers that are at least 0.
    """

    neurons: tuple[str, ...] = ()
    muscles: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    distances: tuple[str, ...] = ()
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    rest_are_levels: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column the table must have."""
        named = (*self.neurons, *self.muscles, *self.words, *self.flags, *self.counts, *self.numbers)
        return tuple(dict.fromkeys((*named, *self.distances)))


def read_table(
    path: Path, schema: Schema, neurons: Collection[str], muscles: Collection[str]
) -> pd.DataFrame:
    """Read and check one table.

    Raises:
        AnatomyError: if the file or a column is absent, or a row violates the schema; the message
            gives file, row (line of the file) and column.
    """
    if not path.is_file():
        raise AnatomyError(f"no table {path}: give an existing file")
    raw = pd.read_csv(path, dtype=str, keep_default_na=False)
    missing = [column for column in schema.columns if column not in raw.columns]
    if missing:
        there = ", ".join(raw.columns)
        raise AnatomyError(f"{path.name} has no column '{missing[0]}'; its columns are {there}")
    table = raw.copy()
    _check_names(path, raw, schema.neurons, "neuron", neurons)
    _check_names(path, raw, schema.muscles, "muscle", muscles)
    for column, allowed in schema.words.items():
        _check_words(path, raw[column], allowed)
    for column in schema.flags:
        _check_words(path, raw[column], ("True", "False"))
        table[column] = raw[column] == "True"
    for column in _numeric(raw, schema):
        table[column] = _numbers(path, raw[column], schema)
    _check_unique(path, raw, schema.key)
    return table


def _numeric(raw: pd.DataFrame, schema: Schema) -> list[str]:
    named = [*schema.counts, *schema.numbers, *schema.distances]
    if schema.rest_are_levels:
        named += [column for column in raw.columns if column not in schema.columns]
    return named


def _check_names(
    path: Path, raw: pd.DataFrame, columns: tuple[str, ...], what: str, known: Collection[str]
) -> None:
    for column in columns:
        wrong = ~raw[column].isin(known).to_numpy()
        if wrong.any():
            row = int(wrong.argmax())
            raise AnatomyError(f"{_where(path, row, column)}: {unknown(what, raw[column].iloc[row], known)}")


def _check_words(path: Path, column: pd.Series, allowed: tuple[str, ...]) -> None:
    wrong = ~column.isin(allowed).to_numpy() if allowed else np.zeros(len(column), dtype=bool)
    if wrong.any():
        row = int(wrong.argmax())
        sentence = f"'{column.iloc[row]}' is not one of {', '.join(word or '(empty)' for word in allowed)}"
        raise AnatomyError(f"{_where(path, row, column.name)}: {sentence}")


def _numbers(path: Path, column: pd.Series, schema: Schema) -> pd.Series:
    values = pd.to_numeric(column, errors="coerce")
    _refuse(path, column, ~np.isfinite(values.to_numpy(dtype=float)), "is not a finite number")
    if column.name in schema.counts:
        _refuse(path, column, (values < 1).to_numpy(), "is not a count; counts start at 1")
        _refuse(path, column, (values % 1 != 0).to_numpy(), "is not a whole number")
        return values.astype(int)
    if column.name not in schema.numbers:
        _refuse(path, column, (values < 0).to_numpy(), "is negative")
    return values.astype(float)


def _refuse(path: Path, column: pd.Series, wrong: np.ndarray, why: str) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        raise AnatomyError(f"{_where(path, row, column.name)}: '{column.iloc[row]}' {why}")


def _check_unique(path: Path, raw: pd.DataFrame, key: tuple[str, ...]) -> None:
    again = raw.duplicated(subset=list(key)).to_numpy()
    if again.any():
        row = int(again.argmax())
        named = " ".join(raw.loc[row, list(key)])
        raise AnatomyError(f"{path.name}, row {row + _FIRST_LINE}: {named} occurs twice; keep one row")


def _where(path: Path, row: int, column: str) -> str:
    return f"{path.name}, row {row + _FIRST_LINE}, column {column}"
