"""Writes and reads tracks in WCON, the exchange format of worm trackers.

Written: midlines in mm, head first, times in s, one record per worm, whose ids are "0", "1" and so on; what WCON has no
word for (directions towards dorsal, provenance) stands under `@Tianbao`, which other readers skip. Read: files of any
tracker that follows the specification, with the units, origins, orientations and gaps that it allows.

Source: WCON format of the Tracker Commons (openworm/tracker-commons, WCON_format.md, wcon_schema.json).
"""

from __future__ import annotations

import io
import json
import logging
import math
import tomllib
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..behaviour.midline import centroid
from ..config import config_of
from ..errors import ConfigError, OutputError
from ..units import MS_PER_S
from .files import write_atomically
from .tracks import LONGEST_GAP_MS, Sighting, Track, dorsal_directions, together, track
from .wcon_units import millimetres, milliseconds

if TYPE_CHECKING:
    from ..recording import Recording, WormTrack

log = logging.getLogger(__name__)

OWN = "@Tianbao"
_DECIMALS_MM = 7
_DECIMALS_S = 9
_DECIMALS_UNIT = 5
_AXES = ("x", "y", "z")
# Words in metadata.media -> the corresponding medium with published ranges.
_MEDIA = {
    "agar": ("agar", "ngm", "nematode growth"), "water": ("water", "m9", "buffer", "s basal", "liquid"),
}  # fmt: skip


def write_wcon(recording: Recording, path: str | Path) -> Path:
    """Write the track of every worm of a recording.

    Args:
        recording: a run, or an imported track.
        path: to write to; compressed if the name ends in .zip.

    Returns:
        The path written.

    Raises:
        OutputError: if there are no frames, a value is not finite, or the file cannot be written.
    """
    path = Path(path)
    if not len(recording.time) or not recording.worms:
        raise OutputError(f"nothing to write into {path}: the recording contains no frames")
    recording.check(f"nothing written into {path}")
    text = json.dumps(_document(recording), separators=(",", ":"), allow_nan=False)
    if path.suffix.lower() != ".zip":
        return write_atomically(path, (text + "\n").encode())
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        # A fixed date: the same recording gives the same bytes.
        inside = zipfile.ZipInfo(path.stem if "." in path.stem else path.stem + ".wcon")
        archive.writestr(inside, text + "\n", zipfile.ZIP_DEFLATED)
    return write_atomically(path, memory.getvalue())


def _document(recording: Recording) -> dict:
    version = recording.versions.get("tianbao", "")
    software = {
        "name": "Tianbao", "version": version, "featureID": OWN, "tracker": {"name": "Tianbao", "version": version},
    }  # fmt: skip
    metadata: dict[str, Any] = {"sex": "hermaphrodite", "stage": "adult", "software": software}
    if recording.medium:
        metadata["media"] = recording.medium
    if recording.created:
        metadata["timestamp"] = recording.created
    metadata["protocol"] = "Simulated by Tianbao: no animal was recorded. The middle of the body wall is the midline."
    metadata["settings"] = recording.config_toml
    units = {"t": "s", **dict.fromkeys(("x", "y", "z", "ox", "oy", "oz", "cx", "cy"), "mm")}
    own = {
        name: getattr(recording, name)
        for name in ("versions", "mechanism_hash", "git_revision", "seed", "created", "complete", "anatomy")
    }
    own["wall_s_per_bio_s"] = recording.wall_s_per_bio_s if math.isfinite(recording.wall_s_per_bio_s) else None
    records = [_record(str(k), recording.time, worm) for k, worm in enumerate(recording.worms)]
    return {"units": units, "metadata": metadata, OWN: own, "data": records}


def _record(name: str, time: np.ndarray, worm: WormTrack) -> dict:
    zeros = [0] * len(time)
    # Centroids without an origin would become the origin; an origin of zero keeps both absolute.
    record: dict[str, Any] = {"id": name, "t": np.round(time / MS_PER_S, _DECIMALS_S).tolist()}
    for k, axis in enumerate(_AXES[: worm.midline.shape[2]]):
        record[axis] = np.round(worm.midline[..., k], _DECIMALS_MM).tolist()
        record["o" + axis] = zeros
    for k, axis in enumerate("xy"):
        record["c" + axis] = np.round(centroid(worm.midline)[:, k], _DECIMALS_MM).tolist()
    record["head"] = "L"
    record["ventral"] = "CW" if worm.dorsal is None else _ventral(worm)
    own: dict[str, Any] = {}
    if worm.dorsal is not None:
        own["dorsal"] = np.round(np.asarray(worm.dorsal, float), _DECIMALS_UNIT).tolist()
    if worm.anatomy:
        own["anatomy"] = dict(worm.anatomy)
    return {**record, **({OWN: own} if own else {})}


def _ventral(worm: WormTrack) -> str | list[str]:
    """Side of the midline that is ventral, seen from above; "?" if the worm lies on its ventral or dorsal side."""
    side = (dorsal_directions(worm.midline) * worm.dorsal).sum(axis=-1).mean(axis=1)
    words = ["?" if abs(each) < 0.5 else "CW" if each > 0.0 else "CCW" for each in side]
    return words[0] if len(set(words)) == 1 else words


def read_wcon(
    path: str | Path, *, worm: str | None = None, medium: str | None = None, longest_gap: float = LONGEST_GAP_MS
) -> Recording:
    """Read tracks as a recording without neurons and muscles, whose `gait()` is measured as for a simulated worm.

    Ambiguities in the file are logged as warnings: gaps, uneven times, an unmarked head, worms left out.

    Args:
        path: .wcon or .json, plain or zipped (.wcon.zip).
        worm: id of the worm to read; by default, all that were tracked as long as the longest.
        medium: "agar" or "water" for media with published ranges; from the file if None.
        longest_gap: longer gaps [ms] end a track, shorter ones are filled by interpolation.

    Raises:
        OutputError: if the file is missing, not WCON, in pixels, or contains no worm with a midline.
    """
    from ..recording import Recording, WormTrack

    path = Path(path)
    if not (isinstance(longest_gap, int | float) and longest_gap >= 0.0):
        raise OutputError(f"longest_gap is {longest_gap!r}; give a time in ms, 0 or more")
    document = _loaded(path)
    seen = _sightings(document, path)
    if worm is not None:
        if str(worm) not in seen:
            raise OutputError(f"{path} has no worm '{worm}'; it contains {', '.join(list(seen)[:12])}")
        seen = {str(worm): seen[str(worm)]}
    tracks = together(_tracks(seen, path, longest_gap))
    time, none, about = tracks[0].time, np.zeros((0, 0)), _anatomies(document)
    worms = tuple(
        WormTrack(
            each.midline, np.zeros((len(time), 0)), (), none, np.zeros(0), (), dorsal=each.dorsal,
            anatomy=about.get(each.name, {}),
        )
        for each in tracks
    )  # fmt: skip
    provenance = _provenance(document, path, medium)
    config = _config_of_some(provenance["config_toml"], [each.name for each in tracks])
    return Recording(time=time, worms=worms, **{**provenance, "config_toml": config})


def _config_of_some(config: str, names: list[str]) -> str:
    """The configuration of a run of ours with the entries of the worms that were read: record "0" is the first."""
    try:
        entries = tomllib.loads(config).get("worms")
        wanted = [int(name) for name in names]
    except (ValueError, RecursionError):
        return config
    if not isinstance(entries, list) or wanted == list(range(len(entries))):
        return config
    try:
        known = config_of(config, "WCON")
        return replace(known, worms=tuple(known.worms[k] for k in wanted if 0 <= k < len(known.worms))).to_toml()
    except ConfigError:  # of a release that knew other keys
        return config


def _anatomies(document: dict) -> dict[str, dict[str, str]]:
    """Wiring and cells of each worm of a run of ours, by its id."""
    data = document["data"]
    records = [data] if isinstance(data, dict) else data
    owns = {str(each.get("id")): each.get(OWN) for each in records}
    return {name: _texts(own.get("anatomy")) for name, own in owns.items() if isinstance(own, dict)}


def _tracks(seen: dict[str, Sighting], path: Path, longest_gap: float) -> list[Track]:
    """Every worm that can be tracked; raises the reason for the first one if none can."""
    found, reasons = [], []
    for each in seen.values():
        try:
            found.append(track(each, longest_gap))
        except OutputError as error:
            reasons.append(str(error))
    if not found:
        raise OutputError(f"{path}: {reasons[0] if reasons else 'it contains no data'}")
    for reason in reasons:
        log.warning("left out: %s", reason)
    return found


def _loaded(path: Path) -> dict:
    try:
        raw = path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                names = [name for name in archive.namelist() if name.lower().endswith((".wcon", ".json"))]
                if len(names) != 1:
                    raise OutputError(f"{path} contains {len(names)} WCON files; unpack it and give one of them")
                raw = archive.read(names[0])
        document = json.loads(raw.decode("utf-8-sig"))
    except FileNotFoundError as error:
        raise OutputError(f"there is no file {path}; give the path of a .wcon or .wcon.zip file") from error
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise OutputError(f"{path} is not a WCON file: {reason}") from error
    if not isinstance(document, dict) or not isinstance(document.get("units"), dict) or "data" not in document:
        raise OutputError(f"{path} is not a WCON file: it has no units and data at the top level")
    files = document.get("files")
    if isinstance(files, dict) and (files.get("next") or files.get("prev")):
        log.warning("%s is one part of a longer track; only this part is read", path)
    return document


def _sightings(document: dict, path: Path) -> dict[str, Sighting]:
    """Every worm of the file, with all its records joined."""
    data = document["data"]
    records = [data] if isinstance(data, dict) else data
    if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
        raise OutputError(f"{path}: its data are not a list of records")
    seen: dict[str, Sighting] = {}
    for number, record in enumerate(records, start=1):
        where = f"{path}, record {number}"
        missing = [key for key in ("id", "t", "x", "y") if key not in record]
        if missing:
            # The specification requires skipping records that are not tracks, such as features of the plate.
            if "x" in record or "y" in record:
                raise OutputError(f"{where} has no {' and no '.join(missing)}")
            continue
        if isinstance(record["id"], bool) or not isinstance(record["id"], str | int | float):
            raise OutputError(f"{where}: its id is neither text nor a number")
        name = str(record["id"])
        _add(seen.setdefault(name, Sighting(name)), record, document["units"], where)
    return seen


def _add(seen: Sighting, record: dict, units: dict, where: str) -> None:
    arrayed = isinstance(record["t"], list)
    time = _numbers(record["t"] if arrayed else [record["t"]], f"{where}, t")
    if not np.isfinite(time).all():
        raise OutputError(f"{where}: t contains a value that is not a number")
    scale = {axis: millimetres(units.get(axis, units["x"] if axis == "z" else None), f"{where}, {axis}")
             for axis in _AXES if axis in record}  # fmt: skip
    columns = {axis: _lines(record[axis], len(time), arrayed, f"{where}, {axis}") for axis in scale}
    origin = {axis: _origin(record, axis, units, len(time), where) for axis in _AXES}
    words = {key: _words(record, key, len(time), where) for key in ("head", "ventral")}
    own = record.get(OWN)
    dorsal = own.get("dorsal") if isinstance(own, dict) else None
    step = milliseconds(units.get("t"), f"{where}, t")
    for k in range(len(time)):
        seen.time.append(float(time[k] * step))
        line = {axis: columns[axis][k] * scale[axis] + origin[axis][k] for axis in columns}
        seen.lines.append(_line(line, where, k))
        seen.head.append(words["head"][k])
        seen.ventral.append(words["ventral"][k])
        seen.dorsal.append(_vectors(dorsal, k, len(time), where))


def _line(values: dict[str, np.ndarray], where: str, k: int) -> np.ndarray | None:
    """One midline, shape (points, 3), or None if a point of it is missing."""
    if len({len(each) for each in values.values()}) > 1:
        counts = " and ".join(f"{len(each)} {axis}" for axis, each in values.items())
        raise OutputError(f"{where}: frame {k + 1} has {counts}; each point needs all of them")
    flat = np.stack([values.get(axis, np.zeros(len(values["x"]))) for axis in _AXES], axis=1)
    return flat if len(flat) and np.isfinite(flat).all() else None


def _lines(value: Any, frames: int, arrayed: bool, where: str) -> list[np.ndarray]:
    """Coordinates of every frame: a list per frame, or single values of a tracker without midlines."""
    rows = value if arrayed else [value]
    if frames == 1 and isinstance(rows, list) and len(rows) > 1 and not any(isinstance(row, list) for row in rows):
        rows = [rows]  # a list of one time beside the bare points of that time
    if not isinstance(rows, list) or len(rows) != frames:
        count = len(rows) if isinstance(rows, list) else 1
        raise OutputError(f"{where} has {count} entries for {frames} times; it needs one per time")
    return [_numbers(row if isinstance(row, list) else [row], where) for row in rows]


def _numbers(values: list, where: str) -> np.ndarray:
    """Numbers of a JSON list; null and non-finite values become NaN."""
    for each in values:
        if each is not None and (isinstance(each, bool) or not isinstance(each, int | float)):
            raise OutputError(f"{where} contains {str(each)[:40]!r} instead of a number")
    numbers = np.array([math.nan if each is None or abs(each) > 1e300 else each for each in values], float)
    numbers[~np.isfinite(numbers)] = math.nan
    return numbers


def _origin(record: dict, axis: str, units: dict, frames: int, where: str) -> np.ndarray:
    """Offset of each frame [mm]: the origin, or without one the centroid, as specified."""
    key = next((key for key in ("o" + axis, "c" + axis) if key in record), None)
    if key is None or record[key] is None:
        return np.zeros(frames)
    single = not isinstance(record[key], list)
    values = _numbers([record[key]] * frames if single else record[key], f"{where}, {key}")
    if len(values) == 1 and frames > 1:
        values = np.repeat(values, frames)
    if len(values) != frames:
        raise OutputError(f"{where}: {key} has {len(values)} entries for {frames} times")
    return values * millimetres(units.get(key, units.get(axis)), f"{where}, {key}")


def _words(record: dict, key: str, frames: int, where: str) -> list[str]:
    known = {"head": ("L", "R", "?"), "ventral": ("CW", "CCW", "?")}[key]
    value = record.get(key)
    words = value if isinstance(value, list) else [value] * frames
    words = ["?" if each is None else each for each in words]
    if len(words) != frames or not all(isinstance(each, str) and each in known for each in words):
        raise OutputError(f"{where}: {key} must be one of {', '.join(known)}, once or for every time")
    return words


def _vectors(dorsal: Any, k: int, frames: int, where: str) -> np.ndarray | None:
    if dorsal is None:
        return None
    try:
        vectors = np.array(dorsal[k] if len(dorsal) == frames else (), float)
    except (TypeError, ValueError, IndexError, KeyError):
        vectors = np.zeros(0)
    if vectors.ndim != 2 or vectors.shape[1] != 3 or not np.isfinite(vectors).all():
        raise OutputError(f"{where}: {OWN} dorsal does not have three numbers for every point at every time")
    return vectors


def _provenance(document: dict, path: Path, medium: str | None) -> dict:
    """Everything in a recording except its worms, as far as given in the file."""
    metadata = document.get("metadata") if isinstance(document.get("metadata"), dict) else {}
    own = document.get(OWN) if isinstance(document.get(OWN), dict) else {}
    settings = metadata.get("settings")
    named = _medium(metadata.get("media")) if medium is None else medium
    if own and isinstance(settings, str) and medium is None:
        config = settings
    else:
        config = f"# a track imported from {path.name}\n[arena]\nmedium = {json.dumps(named)}\n"
    versions, anatomy = (_texts(own.get(key)) for key in ("versions", "anatomy"))
    speed = own.get("wall_s_per_bio_s")
    seed = own.get("seed")
    return {
        "config_toml": config,
        "versions": versions,
        "anatomy": anatomy,
        "mechanism_hash": str(own.get("mechanism_hash", "")),
        "git_revision": str(own.get("git_revision", "")),
        "seed": seed if isinstance(seed, int) else 0,
        "created": str(metadata.get("timestamp", "")),
        "wall_s_per_bio_s": float(speed) if isinstance(speed, int | float) else math.nan,
        "complete": own.get("complete") is not False,
    }


def _texts(given: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in given.items()} if isinstance(given, dict) else {}


def _medium(media: Any) -> str:
    """Name of the medium in Tianbao, or as in the file if there is no equivalent."""
    text = media if isinstance(media, str) else ""
    for name, words in _MEDIA.items():
        if any(word in text.lower() for word in words):
            return name
    return text
