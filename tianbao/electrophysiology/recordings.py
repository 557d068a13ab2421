"""The public recordings: measures of every sweep, and those of the predecessor's fit."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

TABLE = Path(__file__).with_name("recordings.csv")
WINDOWS = Path(__file__).with_name("windows.csv")

CLAMP_DURATION = {"AWCL": 99.8, "VD5": 1209.8}
"""Length of the recorded voltage steps [ms]."""


def recorded_windows() -> pd.DataFrame:
    """Means of every public sweep in windows (sims/reduce_recordings.py).

    Returns:
        One row per window: cell, mode, step [pA or mV], start and stop [ms since the start of
        the step], mean [mV or pA].
    """
    return pd.read_csv(WINDOWS)


def recordings() -> pd.DataFrame:
    """Every public sweep.

    Returns:
        One row per sweep: cell, mode ("CC" or "VC"), step [pA or mV], measures and predecessor's [mV or pA], source.
    """
    return pd.read_csv(TABLE)
