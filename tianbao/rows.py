"""Reads tables of parameters and checks numbers; error messages give file and row."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from numbers import Integral, Real
from pathlib import Path

from .errors import ConfigError, shorten


def read_rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Every row of a CSV table, with its location for error messages.

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
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        todo = f"give a value{f' in {unit}' if unit else ''}"
        raise ConfigError(f"{where}: '{what}' = {shorten(value)} is not a number; {todo}")
    return number


def number(
    value: object,
    where: str,
    what: str,
    unit: str = "",
    *,
    low: float = -math.inf,
    high: float = math.inf,
    endless: bool = False,
) -> float:
    """A finite number in a range, or infinity if `endless`; neither text nor a bool.

    Raises:
        ConfigError: for anything else.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        kind = type(value).__name__
        todo = f"; write the number alone{f', in {unit}' if unit else ''}" if isinstance(value, str) else ""
        raise ConfigError(f"{where}: '{what}' = {shorten(value)} is not a number but of type {kind}{todo}")
    if endless and value == math.inf:
        return math.inf
    exact = finite(value, where, what, unit)
    if not low <= exact <= high:
        raise ConfigError(f"{where}: '{what}' = {exact:g}{_after(unit)} is outside {low:g} to {high:g}{_after(unit)}")
    return exact


def whole(value: object, where: str, what: str, *, low: int = 0, high: int = 2**63 - 1) -> int:
    """A whole number in a range.

    Raises:
        ConfigError: for anything else.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or not low <= value <= high:
        raise ConfigError(f"{where}: '{what}' = {shorten(value)} must be a whole number from {low} to {high}")
    return int(value)


def numbers(value: object, where: str, what: str, size: int, unit: str = "", *, most: float = math.inf) -> tuple:
    """A sequence of `size` finite numbers, with absolute values of at most `most`.

    Raises:
        ConfigError: for anything else.
    """
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence) and not hasattr(value, "__array__"):
        raise ConfigError(f"{where}: '{what}' = {shorten(value)} must be {size} numbers")
    if len(value) != size:
        raise ConfigError(f"{where}: '{what}' takes {size} numbers, got {len(value)}")
    return tuple(number(each, where, what, unit, low=-most, high=most) for each in value)


def _after(unit: str) -> str:
    return f" {unit}" if unit else ""


def named_values(path: Path) -> dict[str, float]:
    """The `name` and `value` columns of a table of constants.

    Raises:
        ConfigError: for a value that is not a number.
    """
    return {row["name"]: finite(row["value"], where, row["name"], row["unit"]) for where, row in read_rows(path)}
