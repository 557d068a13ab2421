"""The public recordings: measures and means of every sweep, the predecessor's measures, and whole traces of a file.

The traces themselves are not part of the repository. What of them is kept: recordings.csv, measures of each sweep, and
windows.csv, its means in windows that widen away from the start and the end of the step (sims/reduce_recordings.py).
"""

from __future__ import annotations

import gzip
import io
import zlib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from .. import anatomy
from ..bounded import LARGEST_TABLE, read_bytes
from ..errors import AnatomyError, ConfigError, shorten
from ..units import MS_PER_S

TABLE = Path(__file__).with_name("recordings.csv")
WINDOWS = Path(__file__).with_name("windows.csv")

CLAMP_DURATION = {"AWCL": 99.8, "VD5": 1209.8}
"""Length of the recorded voltage steps [ms]."""

STEP_DURATION = {"AVAL": 5015.0}
"""Length of recorded current steps that did not last 5000 ms [ms]."""

ONSET = {"AIYL": 980.0, "RIML": 980.0, "AVAL": 988.0, "AWAL": 980.0, "AWCL": 11.8, "VD5": 100.2}
"""Start of the step in the recording of each cell [ms]."""

_COLUMNS = ("cell", "step", "t_s", "mV_or_pA")


def recordings() -> pd.DataFrame:
    """Every public sweep.

    Returns:
        One row per sweep: cell, mode ("CC" or "VC"), step [pA or mV], measures and predecessor's [mV or pA], source.
        `predecessor_trace` is the root mean square error of the predecessor's whole trace. Spikes are peaks that rise
        by 15 mV or more between 50 ms after the start of a depolarising step and its end: their number, their lowest
        peak and least rise [mV], and the time of the first after the start of the step [ms].
    """
    return pd.read_csv(TABLE)


@cache
def recorded_windows() -> pd.DataFrame:
    """Means of every public sweep in windows; what is padding and no recording has none.

    Returns:
        One row per window: cell, mode, step [pA or mV], start and stop [ms since the start of the step], mean [mV or
        pA].
    """
    return pd.read_csv(WINDOWS)


@dataclass(frozen=True)
class Recorded:
    """The recording of one sweep.

    Attributes:
        cell: name of the neuron.
        step: [pA or mV]
        time: since the start of the step [ms].
        values: [mV or pA]
    """

    cell: str
    step: float
    time: np.ndarray = field(repr=False)
    values: np.ndarray = field(repr=False)


def read_recordings(path: str | Path) -> list[Recorded]:
    """Whole traces from a file, such as the public ones.

    Args:
        path: of a CSV, gzipped or not, with columns cell, step [pA or mV], t_s [s since the start of the sweep] and
            mV_or_pA.

    Raises:
        ConfigError: if there is no such file, if it is no such table, or for a cell whose step times are unknown.
    """
    content = read_bytes(path, "a CSV of recordings", largest=LARGEST_TABLE, error=ConfigError)
    where = f"recordings {Path(path).name}"
    try:
        if content[:2] == b"\x1f\x8b":
            content = gzip.GzipFile(fileobj=io.BytesIO(content)).read(LARGEST_TABLE + 1)
        if len(content) > LARGEST_TABLE:
            raise ConfigError(f"{where} unpacks to more than {LARGEST_TABLE / 1e6:g} MB, the limit; divide it")
        table = pd.read_csv(io.BytesIO(content))
        missing = [name for name in _COLUMNS if name not in table.columns]
        if missing:
            raise ConfigError(f"{where}: column '{missing[0]}' is missing; it needs {', '.join(_COLUMNS)}")
        table = table.astype({"step": float, "t_s": float, "mV_or_pA": float})
    except (ValueError, OSError, EOFError, zlib.error) as error:  # pandas' own errors are ValueErrors
        raise ConfigError(f"{where} is not a table of numbers: {shorten(error)}") from error
    found = []
    for (cell, step), rows in table.groupby(["cell", "step"], sort=False):
        try:
            name = anatomy.neuron_name(str(cell))
        except AnatomyError as error:
            raise ConfigError(f"{where}: {error}") from error
        if name not in ONSET:
            raise ConfigError(f"{where}: the times of the steps of {name} are unknown; known are {', '.join(ONSET)}")
        time = rows.t_s.to_numpy() * MS_PER_S - ONSET[name]
        found.append(Recorded(name, float(step), time, rows.mV_or_pA.to_numpy()))
    return found
