"""The public recordings: measures of every sweep, and those of the predecessor's fit."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

TABLE = Path(__file__).with_name("recordings.csv")

CLAMP_DURATION = {"AWCL": 99.8, "VD5": 1209.8}
"""Length of the recorded voltage steps [ms]."""


def recordings() -> pd.DataFrame:
    """Every public sweep except that of AVAL at 0 pA, which is padding.

    Returns:
        One row per sweep: cell, mode ("CC" or "VC"), step [pA or mV], measures and predecessor's [mV or pA], source.
    """
    table = pd.read_csv(TABLE)
    return table[~((table.cell == "AVAL") & (table.step == 0))]
