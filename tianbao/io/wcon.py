"""Writes and reads tracks in WCON, the exchange format of worm trackers.

Written: midlines in mm, head first, times in s, one record per worm, whose ids are "0", "1" and so on; what WCON has no
word for (directions towards dorsal, provenance) stands under `@Tianbao`, which other readers skip. Read: files of any
tracker that follows the specification, with the units, origins, orientations and gaps that it allows.

Source: WCON format of the Tracker Commons (openworm/tracker-commons, WCON_format.md, wcon_schema.json).
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..behaviour.midline import centroid
from ..errors import OutputError
from ..units import MS_PER_S
from .files import write_atomically
from .plate import Plate, imported, medium_of, plain
from .tracks import LONGEST_GAP_MS, dorsal_directions
from .wcon_files import Chunk, chunks
from .wcon_records import AXES, OWN, records, sightings

if TYPE_CHECKING:
    from ..recording import Recording, WormTrack

_DECIMALS_MM = 7
_DECIMALS_S = 9
_DECIMALS_UNIT = 5
_LARGEST_SEED = 2**63 - 1  # what an attribute of HDF5 holds


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
    for k, axis in enumerate(AXES[: worm.midline.shape[2]]):
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
        path: .wcon or .json, plain or zipped (.wcon.zip), with the chunks that it is linked to.
        worm: id of the worm to read; by default, all that were tracked as long as the longest.
        medium: "agar" or "water" for media with published ranges; from the file if None.
        longest_gap: longer gaps [ms] end a track, shorter ones are filled by interpolation.

    Raises:
        OutputError: if the file is missing, not WCON, in pixels, or contains no worm with a midline.
    """
    return wcon_plate(path, medium=medium, longest_gap=longest_gap).recording(worm)


def wcon_plate(path: str | Path, *, medium: str | None = None, longest_gap: float = LONGEST_GAP_MS) -> Plate:
    """Every worm of a WCON file; see `read_wcon`.

    Raises:
        OutputError: if the file is missing, not WCON, or in pixels.
    """
    path = Path(path)
    first, documents = chunks(path)
    about = _provenance(first.content, path, medium)
    return Plate(path, sightings(documents), about, _anatomies(documents), longest_gap)


def _anatomies(documents: list[Chunk]) -> dict[str, dict[str, str]]:
    """Wiring and cells of each worm of a run of ours, by its id."""
    owns = {str(each.get("id")): each.get(OWN) for chunk in documents for each in records(chunk)}
    return {name: _texts(own.get("anatomy")) for name, own in owns.items() if isinstance(own, dict)}


def _provenance(document: dict, path: Path, medium: str | None) -> dict:
    """Everything in a recording except its worms, as far as given in the file."""
    metadata = document.get("metadata") if isinstance(document.get("metadata"), dict) else {}
    own = document.get(OWN) if isinstance(document.get(OWN), dict) else {}
    settings = plain(metadata.get("settings"))
    about = imported(path, medium_of(metadata.get("media")) if medium is None else medium)
    if own and settings and medium is None:
        about["config_toml"] = settings
    speed, seed = own.get("wall_s_per_bio_s"), own.get("seed")
    return about | {
        "versions": _texts(own.get("versions")),
        "anatomy": _texts(own.get("anatomy")),
        "mechanism_hash": plain(own.get("mechanism_hash")),
        "git_revision": plain(own.get("git_revision")),
        "seed": seed if type(seed) is int and 0 <= seed <= _LARGEST_SEED else 0,
        "created": plain(metadata.get("timestamp")),
        "wall_s_per_bio_s": float(speed) if type(speed) in (int, float) and abs(speed) < _LARGEST_SEED else math.nan,
        "complete": own.get("complete") is not False,
    }


def _texts(given: Any) -> dict[str, str]:
    """The entries of a table that are text, under names that an attribute of a file may have."""
    if not isinstance(given, dict):
        return {}
    return {plain(name): plain(value) for name, value in given.items() if name and isinstance(value, str)}
