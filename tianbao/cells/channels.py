"""The 14 ion channels and the kinetic constants in which their two published parameter sets differ.

The equations are in mod/, one file per channel. C19 is used by the published model cells of
Nicoletti 2019; H is the fit to expression data, of which C19 is a shifted version. Constants that
the sets share are global in NEURON (`h.slope_m_shl1`); those that differ are RANGE, so that one network can
contain cells of both sets.
"""

from __future__ import annotations

import csv
import math
from functools import cache
from pathlib import Path

from ..errors import ConfigError, unknown
from ..rows import read_rows

CHANNELS = (
    "shl1",
    "kvs1",
    "shk1",
    "kqt3",
    "egl36",
    "egl2",
    "irk1",
    "egl19",
    "unc2",
    "cca1",
    "slo1",
    "slo2",
    "kcnl",
    "nca",
)
"""Mechanism names (NMODL SUFFIX) of all channels, potassium first; `nca` has no gate."""

_CATALOGUE = {row["channel"]: row for _, row in read_rows(Path(__file__).with_name("catalogue.csv"))}
EXTRA_CHANNELS = tuple(_CATALOGUE)
"""Channels of catalogue.csv: others than the 14; their parameters are those of their files in every set."""
SPREAD = frozenset(name for name, row in _CATALOGUE.items() if row["place"] == "cell")
"""Those of them that lie all along a cell; every other channel lies in the soma."""

COUPLED = {
    f"{slo}_{partner}": (slo, f"gbar_{partner}") for slo in ("slo1", "slo2") for partner in ("egl19", "unc2")
}
"""Conductance of a BK complex, named with its calcium channel -> mechanism and its parameter."""

PARAMETER_SETS = ("C19", "H")

TABLE = Path(__file__).with_name("channels.csv")


def parameters(channel: str, set: str = "C19") -> dict[str, float]:  # noqa: A002
    """Kinetic constants of one channel in one parameter set.

    Args:
        channel: one of `CHANNELS` or `EXTRA_CHANNELS`.
        set: "C19" or "H".

    Returns:
        RANGE parameter -> value in the mechanism's unit [mV, ms or 1], for a NetPyNE `mechs`
        entry or a segment's mechanism; empty if the sets agree. A new dictionary.

    Raises:
        ConfigError: for an unknown channel or set.

    Source: channels.csv, row by row.
    """
    if channel not in CHANNELS + EXTRA_CHANNELS:
        raise ConfigError(unknown("channel", channel, CHANNELS + EXTRA_CHANNELS))
    if set not in PARAMETER_SETS:
        raise ConfigError(unknown("channel parameter set", set, PARAMETER_SETS))
    return {row["parameter"]: row[set] for row in table() if row["channel"] == channel}


@cache
def table(path: Path = TABLE) -> tuple[dict, ...]:
    """Rows of channels.csv with numbers under "C19" and "H".

    Raises:
        ConfigError: for an unknown channel or a value that is not a number; the message gives file and row.
    """
    with open(path, newline="", encoding="utf-8") as lines:
        return tuple(_checked(row, f"{path.name}, row {k}") for k, row in enumerate(csv.DictReader(lines), start=2))


def _checked(row: dict[str, str], where: str) -> dict:
    if row["channel"] not in CHANNELS:
        raise ConfigError(f"{where}: {unknown('channel', row['channel'], CHANNELS)}")
    values = {}
    for name in PARAMETER_SETS:
        try:
            values[name] = float(row[name.lower()])
        except ValueError:
            values[name] = math.nan
        if not math.isfinite(values[name]):
            raise ConfigError(f"{where}: {row['channel']} {row['parameter']} is not a number; give a value")
    return {**row, **values}
