"""The template of each neuron, and declared deviations from fit, publication or transcriptome.

Rows of classes.csv and declared.csv apply to classes ("VB") or single neurons ("AVAR"); a neuron's own row takes
precedence.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from .. import anatomy
from ..errors import ConfigError, unknown
from ..rows import finite, read_rows
from .channels import CHANNELS, COUPLED, EXTRA_CHANNELS

CLASSES = Path(__file__).with_name("classes.csv")
DECLARED = Path(__file__).with_name("declared.csv")

KEPT = "kept"
"""Value of a channel that is kept although the transcriptome lacks it."""

_OTHER = ("leak", "leak_reversal", "egl19_shift", "release_half", "class_share")


@cache
def class_rows(path: Path | None = None) -> dict[str, dict[str, str]]:
    """Class or neuron -> its row of classes.csv, with file and row number under "where".

    Columns: class, template (in the worm), recorded (template of the nearest recorded class), source, certainty.

    Args:
        path: another table with the same columns; `CLASSES` if None.
    """
    return {row["class"]: {**row, "where": where} for where, row in read_rows(path or CLASSES)}


def class_row(neuron: str) -> dict[str, str]:
    """Row of classes.csv that applies to a neuron.

    Raises:
        ConfigError: if its class has none.
    """
    rows = class_rows()
    row = rows.get(neuron) or rows.get(anatomy.neuron_class(neuron))
    if row is None:
        raise ConfigError(f"{CLASSES.name}: no row for {neuron} or its class")
    return row


@cache
def declared_table(path: Path | None = None) -> dict[str, dict[str, dict[str, str]]]:
    """Class or neuron -> quantity -> row of declared.csv, checked.

    Args:
        path: another table with the same columns; `DECLARED` if None.

    Raises:
        ConfigError: for a row with an unknown class, neuron or quantity, or without a number.
    """
    known = (*CHANNELS, *EXTRA_CHANNELS, *COUPLED, *_OTHER)
    table = anatomy.neurons()
    names = {*table.index, *table["class"]}
    found: dict[str, dict[str, dict[str, str]]] = {}
    for where, row in read_rows(path or DECLARED):
        who, quantity = row["who"], row["quantity"]
        if who not in names:
            raise ConfigError(f"{where}: {unknown('class or neuron', who, sorted(names))}")
        if quantity not in known:
            raise ConfigError(f"{where}: {unknown('quantity', quantity, known)}")
        if row["value"] != KEPT:
            value = finite(row["value"], where, f"{who} {quantity}", row["unit"])
            if value < 0 and row["unit"] == "nS":
                raise ConfigError(f"{where}: {who} {quantity} is {value:g} nS; a conductance cannot be negative")
        found.setdefault(who, {})[quantity] = {**row, "where": where}
    return found


@cache
def declared_rows(neuron: str) -> dict[str, dict[str, str]]:
    """Quantity -> row of declared.csv for a neuron, with file and row number under "where".

    Raises:
        ConfigError: for a row with an unknown class, neuron or quantity, or without a number.
    """
    return {**declared_table().get(anatomy.neuron_class(neuron), {}), **declared_table().get(neuron, {})}


def declared_values(neuron: str) -> dict[str, float]:
    """Values declared for a neuron, in the units of their rows."""
    return {name: float(row["value"]) for name, row in declared_rows(neuron).items() if row["value"] != KEPT}


def kept_channels(neuron: str) -> frozenset[str]:
    """Conductances that are kept, or have a declared value, although the neuron's transcriptome lacks them."""
    return frozenset(declared_rows(neuron))
