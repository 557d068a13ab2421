"""Reads tracks of animals in the formats of trackers: WCON, CSV tables of midlines, HDF5 files of Tierpsy Tracker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..arguments import named_arguments
from ..bounded import first_bytes
from ..environment import Medium
from ..errors import ConfigError, OutputError, shorten, unknown
from .midlines_csv import csv_plate, looks_like_midlines
from .plate import Plate
from .tierpsy import SIGNATURE, tierpsy_plate
from .tracks import LONGEST_GAP_MS
from .units_given import UnitsGiven
from .wcon import wcon_plate

if TYPE_CHECKING:
    from ..recording import Recording

_WHAT = "a track: WCON, a CSV table of midlines, or HDF5 of Tierpsy"
_TABLES = (".csv", ".tsv", ".txt")
_HEAD = 1 << 20
_FOREIGN = {
    ".avi .mp4 .mov .mkv .tif .tiff .webm .gif": "a video: track the worm in it first, and give the midlines",
    ".mat": "a file of MATLAB: write the midlines as CSV, with columns t_s, point, x_mm and y_mm",
    ".xlsx .xls .ods": "a spreadsheet: save it as CSV and give that file",
}
"""What trackers also write, by the end of the name."""


@named_arguments
def read_track(
    path: str | Path, *, worm: str | None = None, medium: str | None = None, longest_gap: float = LONGEST_GAP_MS,
    time_unit: str | None = None, length_unit: str | None = None, fps: float | None = None,
    microns_per_pixel: float | None = None,
) -> Recording:  # fmt: skip
    """Read the tracks of animals as a recording without neurons and muscles; `gait()` measures it as a simulated worm.

    Ambiguities in the file are logged as warnings: gaps, uneven times, an unmarked head, worms left out.

    Args:
        path: WCON (.wcon, .json, .wcon.zip), a CSV table of midlines, long or wide, or skeletons of Tierpsy (.hdf5).
        worm: the tracker's id of the worm to read; by default, all that were tracked as long as the longest.
        medium: "agar" or "water" for media with published ranges; from the file if None.
        longest_gap: longer gaps [ms] end a track, shorter ones are filled by interpolation.
        time_unit: of the times of a table whose header has no unit, such as "s".
        length_unit: of its coordinates, such as "um".
        fps: frames per second of a file that only counts frames.
        microns_per_pixel: size of a pixel [um] of a file in pixels.

    Raises:
        ConfigError: for a unit or number that is none.
        OutputError: if the file is missing, malformed, in unknown units, or contains no worm with a midline.
    """
    given = UnitsGiven(time_unit, length_unit, fps, microns_per_pixel)
    return read_plate(path, given, medium=medium, longest_gap=longest_gap).recording(worm)


def read_plate(
    path: str | Path, given: UnitsGiven | None = None, *, medium: str | None = None, longest_gap: float = LONGEST_GAP_MS
) -> Plate:
    """Every worm of a file of a tracker; the format is recognised by its content, that of a table by its name.

    Args:
        path: see `read_track`.
        given: units and scales that the file does not say.
        medium: see `read_track`.
        longest_gap: see `read_track`.

    Raises:
        OutputError: if the file is missing, malformed, or in unknown units.
    """
    if isinstance(path, (bool, int, float)):
        raise OutputError(f"{path} is not the path of a file; give the path of {_WHAT}")
    given, path = given or UnitsGiven(), Path(path)
    if medium is not None and medium not in (known := Medium.names()):
        raise ConfigError(unknown("medium", shorten(medium), known))
    start = first_bytes(path, _WHAT, len(SIGNATURE))
    if start == SIGNATURE:
        if given.time_unit is not None or given.length_unit is not None:
            raise OutputError(f"{path} is HDF5, which has its units; only fps and microns_per_pixel may be given")
        return tierpsy_plate(path, given, medium=medium, longest_gap=longest_gap)
    if path.suffix.lower() in _TABLES:
        return csv_plate(path, given, medium=medium, longest_gap=longest_gap)
    if foreign := next((why for ends, why in _FOREIGN.items() if path.suffix.lower() in ends.split()), None):
        raise OutputError(f"{path} is {foreign}")
    if given != UnitsGiven():
        raise OutputError(f"{path} is read as WCON, which has its own units; leave out those that are given")
    return wcon_plate(path, medium=medium, longest_gap=longest_gap)


def is_track(path: Path) -> bool:
    """Whether a file is a track rather than a table of curvature or a results file of ours.

    Raises:
        OutputError: if it cannot be read.
    """
    start = first_bytes(path, _WHAT, _HEAD)
    if start.startswith(SIGNATURE):
        return not _is_result(path)
    if path.suffix.lower() not in _TABLES:
        return path.suffix.lower() in (".wcon", ".json", ".zip")
    # Of other encodings, whoever reads the file says so.
    text = (start if len(start) < _HEAD else start[: start.rfind(b"\n") + 1]).decode("utf-8-sig", "replace")
    head = next((line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")), "")
    return looks_like_midlines(head)


def _is_result(path: Path) -> bool:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return not any(name in file for name in ("skeleton", "coordinates", "trajectories_data"))
    except OSError:
        return True
