"""The results file (HDF5): layout, writing and reading.

Layout: root attributes hold the configuration, versions and provenance; `/time` [ms] (frames,);
`/worms/<k>/` holds `midline` [mm] and `dorsal` [-] (frames, points, 3), `muscle_activation` [-] (frames, 95) with
`muscles`, `voltage` [mV] (samples, neurons) with `voltage_time` [ms] and `neurons`, and, where the arena holds
something to sense, `inputs/<sense>` (frames, receptors) with `receptors/<sense>`. Voltages are stored as 32-bit floats,
everything else as 64-bit.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from ..errors import OutputError, shorten
from ..recorded import RecordedRun, WormTrack
from .files import write_atomically

FORMAT = "tianbao results 2"
_VERSION = "_version"
_PLAIN_ATTRIBUTES = ("mechanism_hash", "git_revision", "seed", "created", "wall_s_per_bio_s", "complete")
_SEAL = "seal"
_NAMES = ("muscles", "neurons")
_INPUT_UNITS = {"chemical": "mM"}
# The checksum (Fletcher, of every chunk) makes an edited or half-lost number an error instead of a result.
_PACKED = {"compression": "gzip", "compression_opts": 4, "shuffle": True, "fletcher32": True}
# What HDF5 and NumPy raise on bytes that are not a results file.
_DAMAGE = (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError, OverflowError, MemoryError)


def save_recording(recording: RecordedRun, path: str | Path) -> Path:
    """Write a results file in one step.

    Raises:
        OutputError: if the disk is full, the folder read-only, or the recording does not fit together.
    """
    recording.check(str(path))
    # Built in memory, because the HDF5 library does not recover from a full disk.
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        _write_attributes(file, recording)
        _put(file, "time", recording.time, "ms")
        for k, track in enumerate(recording.worms):
            _write_track(file.create_group(f"worms/{k}"), track)
        file.attrs[_SEAL] = _seal(file)
    return write_atomically(path, memory.getvalue())


def _write_attributes(file: h5py.File, recording: RecordedRun) -> None:
    file.attrs["format"] = FORMAT
    file.attrs["config"] = recording.config_toml
    for package, version in recording.versions.items():
        file.attrs[package + _VERSION] = version
    for name in _PLAIN_ATTRIBUTES:
        file.attrs[name] = getattr(recording, name)
    file.attrs["anatomy"] = json.dumps(recording.anatomy)


def _write_track(group: h5py.Group, track: WormTrack) -> None:
    _put(group, "midline", track.midline, "mm")
    if track.dorsal is not None:
        _put(group, "dorsal", np.asarray(track.dorsal, np.float32), "1")
    _put(group, "muscle_activation", track.muscle_activation, "1")
    _put(group, "voltage", np.asarray(track.voltage, np.float32), "mV")
    _put(group, "voltage_time", track.voltage_time, "ms")
    for name in _NAMES:
        _put_names(group, name, getattr(track, name))
    for name, values in track.inputs.items():
        _put(group, f"inputs/{name}", values, _INPUT_UNITS.get(name, "1"))
        _put_names(group, f"receptors/{name}", track.receptors[name])
    group.attrs["anatomy"] = json.dumps(dict(track.anatomy))


def _put_names(group: h5py.Group, name: str, values: Sequence[str]) -> None:
    group.create_dataset(name, data=list(values), dtype=h5py.string_dtype())


def _seal(file: h5py.File) -> str:
    """Digest of what no checksum of HDF5 covers: our attributes, and the names of muscles and neurons."""
    ours = ("format", "config", *_PLAIN_ATTRIBUTES, *sorted(name for name in file.attrs if name.endswith(_VERSION)))
    lines = [f"{name}={file.attrs[name]}" for name in ours]
    for k in range(len(file["worms"])):
        group = file[f"worms/{k}"]
        names = [*_NAMES, *(f"receptors/{name}" for name in group.get("receptors", ()))]
        lines += [f"{name} {k}={','.join(group[name].asstr()[()])}" for name in names]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _put(group: h5py.Group, name: str, values: np.ndarray, unit: str) -> None:
    values = np.asarray(values)
    dataset = group.create_dataset(name, data=values, **(_PACKED if values.size else {}))
    dataset.attrs["unit"] = unit


def read_run(path: str | Path) -> RecordedRun:
    """Read a results file.

    Raises:
        OutputError: if the file is missing, damaged or not one of ours.
    """
    try:
        if os.path.isdir(path):
            raise FileNotFoundError(path)
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise OutputError(f"{path} is not a results file of this release; give the results.h5 of a run")
            if _SEAL in file.attrs and file.attrs[_SEAL] != _seal(file):
                raise OutputError(f"{path} was changed after the run: its seal is wrong; run the simulation again")
            worms = file["worms"]
            recording = RecordedRun(
                time=file["time"][()],
                worms=tuple(_read_track(worms[str(k)]) for k in range(len(worms))),
                **_read_attributes(file),
            )
    except FileNotFoundError as error:
        raise OutputError(f"there is no results file {path}; a run writes one, for example make crawl") from error
    except _DAMAGE as error:
        reason = f"damaged or not a results file ({shorten(error)})"
        raise OutputError(f"{path} is {reason}; run the simulation again") from error
    recording.check(str(path))
    return recording


def _read_attributes(file: h5py.File) -> dict:
    kinds = {"seed": int, "complete": bool, "wall_s_per_bio_s": float}
    plain = {name: kinds.get(name, str)(file.attrs[name]) for name in _PLAIN_ATTRIBUTES}
    packages = [name for name in file.attrs if name.endswith(_VERSION)]
    versions = {name.removesuffix(_VERSION): str(file.attrs[name]) for name in packages}
    anatomy = json.loads(file.attrs.get("anatomy", "{}"))
    return {"config_toml": str(file.attrs["config"]), "versions": versions, "anatomy": anatomy, **plain}


def _read_track(group: h5py.Group) -> WormTrack:
    return WormTrack(
        midline=group["midline"][()],
        muscle_activation=group["muscle_activation"][()],
        muscles=tuple(group["muscles"].asstr()[()]),
        voltage=group["voltage"][()],
        voltage_time=group["voltage_time"][()],
        neurons=tuple(group["neurons"].asstr()[()]),
        dorsal=group["dorsal"][()] if "dorsal" in group else None,
        inputs={name: each[()] for name, each in group.get("inputs", {}).items()},
        receptors={name: tuple(each.asstr()[()]) for name, each in group.get("receptors", {}).items()},
        anatomy=json.loads(group.attrs.get("anatomy", "{}")),
    )
