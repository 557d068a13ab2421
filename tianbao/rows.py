"""Reading a table of parameters: every cell that should be a number is one, or a sentence says where not."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from .errors import ConfigError


def read_rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Every row of a CSV table with the words that name its place.

    Yields:
        "file.csv, row 3" and the row.
    """
    with open(path, newline="", encoding="utf-8") as lines:
        for number, row in enumerate(csv.DictReader(lines), start=2):
            yield f"{path.name}, row {number}", row


def finite(value: object, where: str, what: str, unit: str = "") -> float:
    """A finite number.

    Raises:
        ConfigError: for anything else.
    """
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(f"{where}: '{what}' = {value} is not a number; give a value{f' in {unit}' if unit else ''}")
    return number


def named_values(path: Path) -> dict[str, float]:
    """The `name` and `value` columns of a table of constants.

    Raises:
        ConfigError: for a value that is not a number.
    """
    return {row["name"]: finite(row["value"], where, row["name"], row["unit"]) for where, row in read_rows(path)}
