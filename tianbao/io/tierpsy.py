"""Reads the skeletons that Tierpsy Tracker writes: `*_skeletons.hdf5`, `*_features.hdf5` and `*_featuresN.hdf5`.

| file | midlines | one row per worm and frame |
|---|---|---|
| skeletons | `/skeleton` [pixels], row k | row k of `/trajectories_data` |
| features | `/coordinates/skeletons` [um], row k | row k of `/features_timeseries` |
| featuresN | `/coordinates/skeletons` [um], row `skeleton_id` | `/trajectories_data` |

Scale, frame rate and their units are attributes of these tables. Rows of NaN are frames without a skeleton; skeletons
run from head to tail.

Source: Tierpsy Tracker (Javer et al. 2018), docs/OUTPUTS.md and the attributes that its code writes.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from ..bounded import check_memory, first_bytes
from ..errors import OutputError, shorten
from ..units import MS_PER_S
from .plate import Plate, imported, medium_of
from .tracks import LONGEST_GAP_MS, Sighting, check_place, check_time
from .units_given import UnitsGiven
from .wcon_records import orientation

log = logging.getLogger(__name__)

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_WHAT = "a file of Tierpsy such as plate_featuresN.hdf5"
_WORM = ("worm_index_joined", "worm_index")
_FRAME = ("timestamp_raw", "timestamp", "frame_number")
_USABLE = ("is_good_skel", "has_skeleton")
_MM_PER_UM = 1e-3
_BYTES_PER_FRAME = 400  # of a worm, besides its points
_BYTES_PER_POINT = 64
_LONGEST_TEXT = 1_000_000
# What HDF5 and NumPy raise on bytes that are not such a file.
_DAMAGE = (
    OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError, OverflowError, IndexError, MemoryError,
)  # fmt: skip


class _Rows(NamedTuple):
    """One row per worm and frame.

    Attributes:
        worm: index of the worm.
        frame: number of the frame.
        skeleton: row of its midline, -1 if it has none.
    """

    worm: np.ndarray
    frame: np.ndarray
    skeleton: np.ndarray


def tierpsy_plate(
    path: str | Path, given: UnitsGiven, *, medium: str | None = None, longest_gap: float = LONGEST_GAP_MS
) -> Plate:
    """Every worm of a file of Tierpsy Tracker.

    Args:
        path: of the file.
        given: frame rate and size of a pixel, where the file does not have them.
        medium: name of the medium; that of the experiment if None.
        longest_gap: see `Plate`.

    Raises:
        OutputError: if the file is missing, damaged, not one of these, or lacks its scale or frame rate.
    """
    path = Path(path)
    if first_bytes(path, _WHAT, len(SIGNATURE)) != SIGNATURE:
        raise OutputError(f"{path} is not an HDF5 file; give {_WHAT}")
    try:
        with h5py.File(path, "r") as file:
            return _plate(path, file, given, medium, longest_gap)
    except _DAMAGE as error:
        raise OutputError(f"{path} is damaged, or not {_WHAT}: {shorten(error)}") from error


def _plate(path: Path, file: h5py.File, given: UnitsGiven, medium: str | None, longest_gap: float) -> Plate:
    if "worms" in file and "config" in file.attrs:
        raise OutputError(
            f"{path} is not a WCON file or another tracker's, but a results file of Tianbao; give it to tianbao report"
        )
    lines, table, rows = _located(path, file)
    scale, step = _millimetres(path, lines, table, given), _frame_ms(path, table, given)
    info = _experiment(path, file)
    side = _text(table, "ventral_side") or info.get("ventral_side")
    ventral = orientation("ventral", side) or "?"
    points = lines.shape[1]
    check_memory(len(rows.worm) * (_BYTES_PER_FRAME + _BYTES_PER_POINT * points) + 8 * lines.size, path)
    midlines = np.zeros((lines.shape[0], points, 3))
    midlines[..., :2] = np.asarray(lines[()], float) * scale
    whole = np.isfinite(midlines).all(axis=(1, 2))
    check_place(midlines[whole], path)
    time = rows.frame * step
    seen: dict[str, Sighting] = {}
    for index in np.unique(rows.worm[rows.worm >= 0]):
        of = np.flatnonzero(rows.worm == index)
        check_time(time[of], f"{path}, worm {index}")
        name = str(int(index))
        found = [midlines[k] if k >= 0 and whole[k] else None for k in rows.skeleton[of]]
        count = len(of)
        seen[name] = Sighting(name, time[of].tolist(), found, ["L"] * count, [ventral] * count, [None] * count)
    about = imported(path, medium_of(info.get("media")) if medium is None else medium)
    return Plate(path, seen, about, longest_gap=longest_gap)


def _located(path: Path, file: h5py.File) -> tuple[h5py.Dataset, h5py.Dataset, _Rows]:
    """Midlines, the table with their worms and frames, and its rows."""
    smooth = _dataset(path, file, "coordinates/skeletons")
    lines = _dataset(path, file, "skeleton") if smooth is None else smooth
    trajectories, features = (_dataset(path, file, name) for name in ("trajectories_data", "features_timeseries"))
    if lines is None or lines.ndim != 3 or lines.shape[2] != 2 or not np.issubdtype(lines.dtype, np.floating):
        raise OutputError(f"{path} contains no skeletons: neither /coordinates/skeletons nor /skeleton; give {_WHAT}")
    if smooth is None and "stage_movement" in file:
        raise OutputError(
            f"{path} was recorded with a moving stage, whose way its skeletons do not contain; give the _features.hdf5 "
            "or _featuresN.hdf5 of the same video"
        )
    table = features if smooth is not None and features is not None else trajectories
    if table is None or table.ndim != 1 or not table.dtype.names:
        raise OutputError(f"{path} has no table of worms: neither /trajectories_data nor /features_timeseries")
    worm, frame = (_column(path, table, names) for names in (_WORM, _FRAME))
    if smooth is not None and table is trajectories:
        skeleton = _column(path, table, ("skeleton_id",))
    else:
        skeleton = np.arange(len(table))
    if smooth is None:
        usable = next((name for name in _USABLE if name in table.dtype.names), None)
        skeleton = np.where(_column(path, table, (usable,)) > 0, skeleton, -1) if usable else skeleton
    if (table is not trajectories or smooth is None) and len(lines) != len(table):
        raise OutputError(f"{path} has {len(lines)} skeletons for {len(table)} rows of worms and frames")
    if (skeleton >= len(lines)).any() or not np.isfinite(skeleton).all():
        raise OutputError(f"{path}: a row points to skeleton {np.max(skeleton):g}, but there are {len(lines)}")
    return lines, table, _Rows(worm, frame, skeleton.astype(int))


def _dataset(path: Path, file: h5py.File, name: str) -> h5py.Dataset | None:
    """A dataset stored in the file itself, within the limits; of a group written by pandas its `table`."""
    place: h5py.Group | h5py.Dataset = file
    for part in name.split("/"):
        if not isinstance(place, h5py.Group) or part not in place:
            return None
        if not isinstance(place.get(part, getlink=True), h5py.HardLink):
            raise OutputError(f"{path}: /{name} is a link to another place; give a file that holds its own data")
        place = place[part]
    if isinstance(place, h5py.Group):
        return _dataset(path, place, "table") if "table" in place else None
    if place.is_virtual or place.external:
        raise OutputError(f"{path}: the data of /{name} are in another file; give a file that holds its own data")
    size, chunk = place.size or 0, int(np.prod(place.chunks or (1,), dtype=float))
    check_memory(place.dtype.itemsize * max(size, chunk), f"{path}, /{name}")
    return place


def _column(path: Path, table: h5py.Dataset, names: tuple[str, ...]) -> np.ndarray:
    """The first of these columns that has numbers in every row."""
    for name in names:
        if name in table.dtype.names and table.dtype[name].kind in "iufb":
            values = np.asarray(table[name], float)
            if values.ndim == 1 and np.isfinite(values).all():
                return values
    raise OutputError(f"{path}: {table.name} has no column {' or '.join(names)} with a number in every row")


def _attribute(table: h5py.Dataset, *names: str) -> float | None:
    """The first of these attributes that is a number above 0."""
    for name in names:
        value = table.attrs.get(name)
        if isinstance(value, int | float | np.number) and 0.0 < float(value) < np.inf:
            return float(value)
    return None


def _text(table: h5py.Dataset, name: str) -> str:
    value = table.attrs.get(name, "")
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return str(text) if isinstance(text, str) else ""


def _millimetres(path: Path, lines: h5py.Dataset, table: h5py.Dataset, given: UnitsGiven) -> float:
    """Millimetres in one unit of the skeletons."""
    pixel, unit = _attribute(table, "microns_per_pixel", "micronsPerPixel"), _text(table, "xy_units")
    known = pixel is not None and unit != "pixels" and (pixel != 1.0 or bool(unit))
    if given.microns_per_pixel is not None:
        if known:
            raise OutputError(f"{path} has its own scale, {pixel:g} um per pixel; leave out microns_per_pixel")
        return float(given.microns_per_pixel) * _MM_PER_UM
    if not known:
        raise OutputError(f"{path} is in pixels and does not say how large they are; give microns_per_pixel")
    return _MM_PER_UM * (pixel if lines.name == "/skeleton" else 1.0)


def _frame_ms(path: Path, table: h5py.Dataset, given: UnitsGiven) -> float:
    """Time between two frames [ms]."""
    rate, unit = _attribute(table, "fps", "expected_fps"), _text(table, "time_units")
    known = rate is not None and unit != "frames" and (rate != 1.0 or bool(unit))
    if known and given.fps is not None:
        raise OutputError(f"{path} has its own frame rate, {rate:g} per second; leave out fps")
    return MS_PER_S / rate if known else given.frame_ms(path)


def _experiment(path: Path, file: h5py.File) -> dict:
    """What the experimenter noted; nothing if it cannot be read."""
    noted = _dataset(path, file, "experiment_info")
    if noted is None or noted.shape != () or noted.dtype.itemsize > _LONGEST_TEXT:
        return {}
    try:
        found = json.loads(bytes(noted[()]))
    except (ValueError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
