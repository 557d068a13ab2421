"""The free, class-level parameters of the worm, from one small table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from .errors import ConfigError, shorten, unknown
from .rows import finite, number, read_rows

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

    def checked(self, value: object, where: str) -> float:
        """The value as a number, after checking that it is in the allowed range.

        Args:
            value: to check.
            where: its location for error messages.

        Raises:
            ConfigError: if it is not a number or out of range.
        """
        value = number(value, where, self.name, self.unit)
        if not self.low <= value <= self.high:
            raise ConfigError(
                f"{where}: '{self.name}' = {value:g} {self.unit} is outside {self.low:g} to {self.high:g}"
            )
        return value


class UnknownParameter(ConfigError, AttributeError):
    """A parameter of that name does not exist."""


class Parameters(Mapping[str, float]):
    """Immutable set of parameter values, read as attributes: `parameters.gap_gain` [nS]."""

    def __init__(self, values: Mapping[str, float] = MappingProxyType({}), **named: float) -> None:
        """
        Args:
            values: of every parameter.
            **named: none; whoever gives some means `replace`.

        Raises:
            ConfigError: for a name that is unknown or missing, or a value outside its range.
        """
        if named:
            name = next(iter(named))
            raise ConfigError(f"parameters: write Worm().parameters.replace({shorten(name)}=...) to change some")
        if not isinstance(values, Mapping):
            raise ConfigError(f"parameters are names and values, not {shorten(repr(values))}")
        rows = table()
        for name, value in values.items():
            if name not in rows:
                raise ConfigError(unknown("parameter", name, rows))
            self.__dict__[name] = rows[name].checked(value, "parameter")
        for name in rows:
            if name not in values:
                raise ConfigError(f"parameter '{name}' is missing; change those of a Worm().parameters with .replace()")

    def __setattr__(self, name: str, value: float) -> None:
        raise ConfigError(f"parameters are frozen; use parameters.replace({name}={value!r})")

    def __getattr__(self, name: str) -> float:
        if name.startswith("__"):
            raise AttributeError(name)
        raise UnknownParameter(unknown("parameter", name, self.__dict__))

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
        return Parameters({**self, **changes})


@cache
def table(path: Path = TABLE) -> dict[str, ParameterRow]:
    """All rows by name.

    Raises:
        ConfigError: for a NaN or an out-of-range value; the message gives file and row.
    """
    rows = {}
    for where, raw in read_rows(path):
        numbers = {key: finite(raw.pop(key), where, raw["name"], raw["unit"]) for key in ("value", "low", "high")}
        row = ParameterRow(**raw, **numbers)
        row.checked(row.value, where)
        rows[row.name] = row
    return rows


def defaults() -> Parameters:
    """The default parameter set."""
    return Parameters({name: row.value for name, row in table().items()})


def given_or_default(given: Parameters | None) -> Parameters:
    """The parameters of a worm, the defaults when None.

    Raises:
        ConfigError: for anything else.
    """
    if given is not None and not isinstance(given, Parameters):
        raise ConfigError(f"worm: parameters are tianbao.Parameters, not {shorten(given)}; change some with .replace")
    return given or defaults()
