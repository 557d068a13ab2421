"""A run as tidy CSV tables: one row per observation, with units in the column names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import OutputError
from ..network.inputs import AMINES
from ..sensing import ending_units
from .files import write_atomically

if TYPE_CHECKING:
    import pandas as pd

    from ..recording import Recording

_AXES = ("x_mm", "y_mm", "z_mm")


def plain_cell(text: str) -> str:
    """Text as a cell that spreadsheets do not take for a formula: a name that begins like one gets an apostrophe."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def midline_table(recording: Recording, worm: int = 0) -> pd.DataFrame:
    """One row per point of the midline and frame.

    Returns:
        Columns `time_ms`, `point` (0 at the head), `x_mm`, `y_mm`, `z_mm`.
    """
    import pandas as pd

    line = recording.track(worm).midline
    frames, points, dimensions = line.shape
    columns = {"time_ms": np.repeat(recording.time, points), "point": np.tile(np.arange(points), frames)}
    columns |= {_AXES[k]: line[..., k].ravel() for k in range(dimensions)}
    return pd.DataFrame(columns)


def voltage_table(recording: Recording, worm: int = 0) -> pd.DataFrame:
    """One row per neuron and sample: columns `time_ms`, `neuron`, `voltage_mV`."""
    track = recording.track(worm)
    return _long(track.voltage_time, track.neurons, track.voltage, "neuron", "voltage_mV")


def activation_table(recording: Recording, worm: int = 0) -> pd.DataFrame:
    """One row per muscle and frame: columns `time_ms`, `muscle`, `activation`."""
    track = recording.track(worm)
    return _long(recording.time, track.muscles, track.muscle_activation, "muscle", "activation")


def sensed_table(recording: Recording, worm: int = 0) -> pd.DataFrame:
    """One row per receptor and frame: columns `time_ms`, `receptor` such as "ASEL nacl", `value` and its `unit`."""
    sensed, track = recording.sensed(worm), recording.track(worm)
    table = _long(recording.time, tuple(sensed.columns), sensed.to_numpy(), "receptor", "value")
    units = [ending_units().get(sense, "") for sense in track.inputs if sense != AMINES for _ in track.receptors[sense]]
    table["unit"] = units * (len(table) // max(1, len(units)))
    return table


def _long(time: np.ndarray, names: tuple[str, ...], values: np.ndarray, name: str, value: str) -> pd.DataFrame:
    import pandas as pd

    rows = len(time) if names else 0
    names = tuple(map(_harmless, names))
    columns = {
        "time_ms": np.repeat(time[:rows], len(names)),
        name: np.tile(np.array([plain_cell(each) for each in names], dtype=object), rows),
        value: np.asarray(values)[:rows, : len(names)].ravel(),
    }
    return pd.DataFrame(columns)


def _harmless(name: str) -> str:
    """A name that no spreadsheet takes for a formula: one that begins like one gets an apostrophe before it."""
    return f"'{name}" if name.lstrip()[:1] in tuple("=+-@") or name[:1] in ("\t", "\r") else name


def write_csv(recording: Recording, folder: str | Path, *, worm: int | None = None) -> tuple[Path, ...]:
    """Write midline.csv, posture.csv, voltages.csv, activations.csv and sensed.csv; those without rows are left out.

    Args:
        recording: a run, or an imported track.
        folder: where; made if it is not there.
        worm: number of the only one to write; if None, all, those of several in folders worm_0, worm_1 and so on.

    Returns:
        The files written.

    Raises:
        ConfigError: if the worm does not exist.
        OutputError: if there are no frames, or a file cannot be written.
    """
    folder = Path(folder)
    if not len(recording.time):
        raise OutputError(f"nothing to write into {folder}: the recording contains no frames")
    recording.check(f"nothing written into {folder}")
    if worm is None and len(recording.worms) > 1:
        several = [_write(recording, folder / f"worm_{k}", k) for k in range(len(recording.worms))]
        return tuple(path for each in several for path in each)
    return _write(recording, folder, worm or 0)


def _write(recording: Recording, folder: Path, worm: int) -> tuple[Path, ...]:
    tables = {
        "midline": midline_table(recording, worm),
        "posture": recording.frame(worm).reset_index(),
        "voltages": voltage_table(recording, worm),
        "activations": activation_table(recording, worm),
        "sensed": sensed_table(recording, worm),
    }
    return tuple(
        write_atomically(folder / f"{name}.csv", table.to_csv(index=False, float_format="%.9g").encode())
        for name, table in tables.items()
        if len(table)
    )
