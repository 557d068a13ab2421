"""Values of a configuration: each is of the kind that its default has."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from .errors import ConfigError, shorten, unknown

_KINDS = {float: "a number", int: "a whole number", str: "a text in quotes", bool: "true or false"}
_WORD_OR_TABLE = "signs", "decision", "fatigue", "amines"  # options of a worm, as a user gives them


def typed(key: str, value: Any, before: Any, where: str) -> Any:
    """A value of a configuration as the kind that its default has.

    Args:
        key: with dots, for messages.
        value: as given.
        before: the default.
        where: how errors call the place.

    Raises:
        ConfigError: for a value of another kind, or a number that is not finite.
    """
    if key.rpartition(".")[2] in _WORD_OR_TABLE:
        if isinstance(value, Mapping):
            return dict(value)  # of families of synapses, values or classes, which the rooms that take them check
        before = ""
    kind = type(before)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = _float(key, value, where)
    if kind is tuple and isinstance(value, (list, tuple)):
        return _items(key, value, before, where)
    if not isinstance(value, kind) or isinstance(value, bool) and kind is not bool:
        wanted = f"of type {kind.__name__}, {_KINDS[kind]}" if kind in _KINDS else "a list, such as [...]"
        if kind is tuple and isinstance(value, str):
            wanted = f"a list, such as {_listed(value, before)}"
        alone = "; write it alone, without a unit" if kind in (float, int) and isinstance(value, str) else ""
        raise ConfigError(f"{where}: '{key}' must be {wanted}, got {shorten(repr(value))}{alone}")
    if kind is str and value != value.encode("utf-8", "ignore").decode():
        raise ConfigError(f"{where}: '{key}' = '{shorten(value)}' is not a text in UTF-8")
    if kind is float and not math.isfinite(value):
        raise ConfigError(f"{where}: '{key}' = {value} is not a finite number")
    return value


def word_or_table(
    option: str, given: object, words: Sequence[str], table_of: tuple[str, str], known: Collection[str],
    check: Callable[[str, Any], object],
) -> str | dict[str, float]:  # fmt: skip
    """An option that is a word or a table of numbers, as a user gives it.

    Args:
        option: its name, for messages.
        given: by the user.
        words: that it can be.
        table_of: what a key of the table is, and several of them are called.
        known: keys that the table can have, in the order of the answer.
        check: raises for a number that a key cannot have.

    Raises:
        ConfigError: for another word, an empty table, an unknown key, or from `check`.
    """
    if isinstance(given, str):
        if given not in words:
            raise ConfigError(unknown(option, given, words))
        return given
    one, several = table_of
    if not isinstance(given, Mapping) or not given:
        choice = ", ".join(f"'{each}'" for each in words)
        raise ConfigError(f"{option} is {choice} or a table of {several}, not {shorten(repr(given))}")
    for name, value in given.items():
        if name not in known:
            raise ConfigError(f"{option}: {unknown(one, name, known)}")
        check(name, value)
    return {name: float(given[name]) for name in known if name in given}


def _listed(text: str, before: tuple) -> str:
    """A text as the list that was meant, as a shell has to be given it."""
    parts = [each.strip(" '\"") for each in text.strip("[]() ").split(",")]
    if before and not isinstance(before[0], str):
        return shorten(f"[{', '.join(parts)}]")
    names = ["*" if each == "all" else each for each in parts if each]
    quoted = shorten(", ".join(f"'{each}'" for each in names))
    return f"[{quoted}], in quotes for the shell" if "[" in text else f"[{quoted}]"


def _float(key: str, value: float, where: str) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise ConfigError(f"{where}: '{key}' is a number with too many digits") from error


def _items(key: str, values: Any, before: tuple, where: str) -> tuple:
    """A list whose entries are of the kind that the default shows; of rows of numbers when it shows none."""
    if key in ("arena.solids", "record.voltage"):
        if not all(isinstance(each, str) for each in values):
            raise ConfigError(f"{where}: '{key}' is a list of names, got {shorten(list(values))}")
        return tuple(values)
    if key == "arena.lattices":
        if not all(isinstance(each, Mapping) for each in values):
            wanted = "tables, such as {radius = 0.12, pitch = 0.45}"
            raise ConfigError(f"{where}: '{key}' is a list of {wanted}, got {shorten(list(values))}")
        return tuple(dict(each) for each in values)
    rows = [values] if before else values
    numbers = [each for row in rows for each in (row if isinstance(row, (list, tuple)) else [row])]
    good = all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in numbers)
    if not good or not all(math.isfinite(_float(key, each, where)) for each in numbers):
        raise ConfigError(f"{where}: '{key}' takes finite numbers, got {shorten(list(values))}")
    if before:
        if len(values) != len(before):
            raise ConfigError(f"{where}: '{key}' takes {len(before)} numbers, got {len(values)}")
        return tuple(float(each) for each in values)
    return tuple(tuple(map(float, row)) if isinstance(row, (list, tuple)) else float(row) for row in values)
