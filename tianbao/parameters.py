"""The free, class-level parameters of the worm: one table, at most about thirty rows."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .errors import ConfigError, unknown

TABLE = Path(__file__).parent / "network" / "parameters.csv"


@dataclass(frozen=True)
class ParameterRow:
    """One row of the table: value, unit, allowed range, source, certainty, meaning."""

    name: str
    value: float
    unit: str
    low: float
    high: float
    source: str
    certainty: str
    meaning: str

    def checked(self, value: float, where: str) -> float:
        """The value if it is a number in the allowed range, else a ConfigError."""
        if not math.isfinite(value):
            raise ConfigError(f"{where}: '{self.name}' is not a number; give a value in {self.unit}")
        if not self.low <= value <= self.high:
            raise ConfigError(
                f"{where}: '{self.name}' = {value:g} {self.unit} is outside {self.low:g} to {self.high:g}"
            )
        return value


class Parameters(Mapping[str, float]):
    """Immutable set of parameter values, read as attributes: `parameters.gap_gain` [nS]."""

    def __init__(self, values: Mapping[str, float]) -> None:
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: float) -> None:
        raise ConfigError(f"parameters are frozen; use parameters.replace({name}={value!r})")

    def __getattr__(self, name: str) -> float:
        raise ConfigError(unknown("parameter", name, self.__dict__))

    def __getitem__(self, name: str) -> float:
        return self.__dict__[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __len__(self) -> int:
        return len(self.__dict__)

    def replace(self, **changes: float) -> Parameters:
        """A copy with some values changed.

        Raises:
            ConfigError: for an unknown name or a value outside its range.
        """
        rows = table()
        for name, value in changes.items():
            if name not in rows:
                raise ConfigError(unknown("parameter", name, rows))
            rows[name].checked(float(value), "parameter")
        return Parameters({**self, **{name: float(value) for name, value in changes.items()}})


@cache
def table(path: Path = TABLE) -> dict[str, ParameterRow]:
    """All rows by name.

    Raises:
        ConfigError: for a NaN or out-of-range value, naming file and row.
    """
    rows = {}
    with open(path, newline="", encoding="utf-8") as lines:
        for number, raw in enumerate(csv.DictReader(lines), start=2):
            numbers = {key: float(raw.pop(key)) for key in ("value", "low", "high")}
            row = ParameterRow(**raw, **numbers)
            row.checked(row.value, f"{path.name}, row {number}")
            rows[row.name] = row
    return rows


def defaults() -> Parameters:
    """The parameter set the worm crawls with."""
    return Parameters({name: row.value for name, row in table().items()})
