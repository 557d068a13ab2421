"""Values for which the model was shown to hold: a run outside of them warns, and one without meaning is refused.

One table, ranges.csv, of all that a user may set beside the class-level parameters, whose ranges are in
network/parameters.csv. Quantities are named as in a configuration, arguments of interventions by intervention.argument.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .errors import ConfigError
from .rows import finite, read_rows

TABLE = Path(__file__).with_name("ranges.csv")
_ROUNDING = 1e-9  # [-] by which a product of table values may miss its own row


@dataclass(frozen=True)
class Range:
    """One row of the table.

    Attributes:
        quantity: name.
        unit: of all its values.
        low, high: within which it was measured or published; infinite where nothing is known to fail.
        refuse_below, refuse_above: beyond which a value is refused.
        source: of these values.
        certainty: of the source.
    """

    quantity: str
    unit: str
    low: float
    high: float
    refuse_below: float
    refuse_above: float
    source: str
    certainty: str

    def refuse(self, value: float, name: str = "", unless: str = "") -> None:
        """Refuse a value that means nothing.

        Args:
            value: [unit]
            name: of the value in the message; that of the quantity if empty.
            unless: how it can be had nevertheless.

        Raises:
            ConfigError: beyond `refuse_below` or `refuse_above`, and for NaN.
        """
        if not self.refuse_below <= value <= self.refuse_above:
            allowed = self._between(self.refuse_below, self.refuse_above)
            said = self._said(value, name, self.refuse_below)
            if value < 0.0 == self.refuse_below:
                said = f"{name or self.quantity} = {value:g}{self._unit} is negative and therefore too small"
            raise ConfigError(f"{said} to mean anything: give {allowed}{unless}")

    def warning(self, value: float, name: str = "") -> str | None:
        """A sentence on a value outside of what was shown to hold, None inside."""
        if self.low - abs(self.low) * _ROUNDING <= value <= self.high + abs(self.high) * _ROUNDING:
            return None
        shown = self._between(self.low, self.high)
        return f"{self._said(value, name, self.low)}: the model was shown to hold for {shown} (docs/limits.md)"

    def _said(self, value: float, name: str, low: float) -> str:
        size = "small" if value < low else "large"
        return f"{name or self.quantity} = {value:g}{self._unit} is too {size}"

    def _between(self, low: float, high: float) -> str:
        if math.isinf(low):
            return f"at most {high:g}{self._unit}"
        return f"at least {low:g}{self._unit}" if math.isinf(high) else f"{low:g} to {high:g}{self._unit}"

    @property
    def _unit(self) -> str:
        return "" if self.unit == "1" else f" {self.unit}"


@cache
def ranges(path: Path = TABLE) -> dict[str, Range]:
    """Every row by its quantity.

    Raises:
        ConfigError: for a value that is not a number, or ranges that do not nest; the message gives the row.
    """
    found = {}
    for where, row in read_rows(path):
        ends = {name: -math.inf if name in ("low", "refuse_below") else math.inf for name in _ENDS}
        given = {name: finite(row[name], where, name, row["unit"]) for name in _ENDS if row[name]}
        values = {**ends, **given}
        if not values["refuse_below"] <= values["low"] < values["high"] <= values["refuse_above"]:
            raise ConfigError(f"{where}: {row['quantity']} needs refuse_below <= low < high <= refuse_above")
        texts = {name: row[name] for name in ("quantity", "unit", "source", "certainty")}
        found[row["quantity"]] = Range(**texts, **values)
    return found


_ENDS = ("low", "high", "refuse_below", "refuse_above")
