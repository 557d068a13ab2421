"""The results file (HDF5): layout, writing and reading.

Layout: root attributes hold the configuration, versions and provenance; `/time` [ms] (frames,);
`/worms/<k>/` holds `midline` [mm] and `dorsal` [-] (frames, points, 3), `muscle_activation` [-] (frames, 95) with
`muscles`, `voltage` [mV] (samples, neurons) with `voltage_time` [ms] and `neurons`, and, where the arena holds
something to sense, `inputs/<sense>` (frames, receptors) with `receptors/<sense>`. Voltages are stored as 32-bit floats,
everything else as 64-bit. The root attribute `seal` is a digest of all of it (`tree.seal_of`).
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from ..errors import OutputError, shorten
from ..recorded import RecordedRun, WormTrack
from ..sensing import ending_units
from .apart import check_bytes, marked
from .files import reading, write_atomically
from .limits import bounded_memory, largest_content
from .tree import SEAL, Node, read_tree, seal_of

log = logging.getLogger(__name__)

FORMAT = "tianbao results 3"
_OLDER = "tianbao results 2"  # its seal covers texts only
_VERSION = "_version"
_PLAIN_ATTRIBUTES = ("mechanism_hash", "git_revision", "seed", "created", "wall_s_per_bio_s", "complete")
_NAMES = ("muscles", "neurons")
# The checksum (Fletcher, of every chunk) makes an edited or half-lost number an error instead of a result.
_PACKED = {"compression": "gzip", "compression_opts": 4, "shuffle": True, "fletcher32": True}
# What HDF5 and NumPy raise on bytes that are not a results file.
_DAMAGE = (OSError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, ArithmeticError, MemoryError)


def save_recording(recording: RecordedRun, path: str | Path) -> Path:
    """Write a results file in one step.

    Raises:
        OutputError: if the disk is full, the folder read-only, or the recording does not fit together.
    """
    recording.check(str(path))
    content = _built(recording, _PACKED)
    if _size(recording) > largest_content(len(content)):
        content = _built(recording, {})  # such as a worm that never moves: no reader would take it for a result
    return write_atomically(path, marked(content))


def _size(recording: RecordedRun) -> int:
    """Bytes of all arrays."""
    arrays = [recording.time]
    for each in recording.worms:
        arrays += [each.midline, each.muscle_activation, each.voltage, each.voltage_time, *each.inputs.values()]
        arrays += [] if each.dorsal is None else [each.dorsal]
    return sum(np.asarray(each).nbytes for each in arrays)


def _built(recording: RecordedRun, packed: dict) -> bytes:
    """Content of the file; built in memory, because the HDF5 library does not recover from a full disk."""
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        _write_attributes(file, recording)
        _put(file, "time", recording.time, "ms", packed)
        for k, track in enumerate(recording.worms):
            _write_track(file.create_group(f"worms/{k}"), track, packed)
        file.attrs[SEAL] = seal_of(read_tree(file, 2 * _size(recording) + largest_content(0)))
    return memory.getvalue()


def _write_attributes(file: h5py.File, recording: RecordedRun) -> None:
    file.attrs["format"] = FORMAT
    file.attrs["config"] = recording.config_toml
    for package, version in recording.versions.items():
        file.attrs[package + _VERSION] = version
    for name in _PLAIN_ATTRIBUTES:
        file.attrs[name] = getattr(recording, name)
    file.attrs["anatomy"] = json.dumps(recording.anatomy)


def _write_track(group: h5py.Group, track: WormTrack, packed: dict) -> None:
    _put(group, "midline", track.midline, "mm", packed)
    if track.dorsal is not None:
        _put(group, "dorsal", np.asarray(track.dorsal, np.float32), "1", packed)
    _put(group, "muscle_activation", track.muscle_activation, "1", packed)
    _put(group, "voltage", np.asarray(track.voltage, np.float32), "mV", packed)
    _put(group, "voltage_time", track.voltage_time, "ms", packed)
    for name in _NAMES:
        _put_names(group, name, getattr(track, name))
    for name, values in track.inputs.items():
        _put(group, f"inputs/{name}", values, ending_units().get(name, "1"), packed)
        _put_names(group, f"receptors/{name}", track.receptors[name])
    group.attrs["anatomy"] = json.dumps(dict(track.anatomy))


def _put_names(group: h5py.Group, name: str, values: Sequence[str]) -> None:
    group.create_dataset(name, data=list(values), dtype=h5py.string_dtype())


def _put(group: h5py.Group, name: str, values: np.ndarray, unit: str, packed: dict) -> None:
    values = np.asarray(values)
    dataset = group.create_dataset(name, data=values, **(packed if values.size else {}))
    dataset.attrs["unit"] = unit


def read_run(path: str | Path) -> RecordedRun:
    """Read a results file.

    Raises:
        OutputError: see `read_sealed`.
    """
    recording, sealed = read_sealed(path)
    if not sealed:
        log.warning("%s is of an older release: no seal would show a change of its numbers", path)
    return recording


def read_sealed(path: str | Path) -> tuple[RecordedRun, bool]:
    """Read a results file, and say whether a seal covers its numbers.

    Raises:
        OutputError: if the file is missing, may not be read, is held by another program, is damaged, was changed after
            the run, asks for more memory than a results file needs, or is not one of ours.
    """
    with reading(path, "results file", "a run writes one, for example make crawl") as size:
        try:
            check_bytes(path, size)
            found, tree = content_of(path, size)
            _check_seal(tree, found)
            recording = _recording(tree)
        except OutputError as error:
            raise OutputError(f"{path}: {error}") from error
        except _DAMAGE as error:
            if "unable to lock file" in str(error):
                raise
            if "signature not found" in str(error):
                todo = "give a results.h5 or the folder of a run; tracks are read by tianbao import-track"
                raise OutputError(f"{path} is damaged or not a results file: {todo}") from error
            reason = f"damaged or not a results file ({shorten(error)})"
            raise OutputError(f"{path} is {reason}; run the simulation again") from error
    recording.check(str(path))
    return recording, found == FORMAT


def content_of(path: str | Path, size: int) -> tuple[str, dict[str, Node]]:
    """Format and content of a results file, which may take as much memory as a file of its size can.

    Raises:
        OutputError: for a file of another kind, and see `read_tree`.
    """
    content = largest_content(size)
    with bounded_memory(content), h5py.File(path, "r") as file:
        return _format(file), read_tree(file, content)


def _format(file: h5py.File) -> str:
    """Release of the layout; looked at before all else, so that a file of another kind is not called a damaged one.

    Raises:
        OutputError: for an unknown one.
    """
    found = file.attrs.get("format")
    if not isinstance(found, str) or found not in (FORMAT, _OLDER):
        raise OutputError("not a results file of this release; give the results.h5 of a run")
    return found


def _check_seal(tree: dict[str, Node], found: str) -> None:
    """Compare the seal with the content.

    Raises:
        OutputError: if it is broken or, in a file of this release, missing.
    """
    kept = tree[""].attributes.get(SEAL)
    if found == _OLDER and kept is None:
        return
    if kept != (seal_of if found == FORMAT else _older_seal)(tree):
        raise OutputError("changed after the run, its seal is broken; run the simulation again")


def _older_seal(tree: dict[str, Node]) -> str:
    """Digest of our attributes and of the names of muscles and neurons, as the release before sealed them."""
    given = tree[""].attributes
    ours = ("format", "config", *_PLAIN_ATTRIBUTES, *sorted(name for name in given if name.endswith(_VERSION)))
    lines = [f"{name}={given[name]}" for name in ours]
    for k in range(_count(tree)):
        names = [*_NAMES, *(f"receptors/{name}" for name in _below(tree, f"worms/{k}/receptors"))]
        lines += [f"{name} {k}={','.join(_names(tree, f'worms/{k}/{name}'))}" for name in names]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _below(tree: dict[str, Node], path: str) -> list[str]:
    """Names of what a group holds; none if it is not there."""
    return [name.removeprefix(f"{path}/") for name in tree if name.startswith(f"{path}/")]


def _count(tree: dict[str, Node]) -> int:
    """Number of worms."""
    return sum("/" not in name for name in _below(tree, "worms"))


def _array(tree: dict[str, Node], path: str) -> np.ndarray:
    values = tree[path].values
    if not isinstance(values, np.ndarray):
        raise ValueError(f"'{path}' is not numbers")
    return values


def _names(tree: dict[str, Node], path: str) -> tuple[str, ...]:
    values = tree[path].values
    if isinstance(values, np.ndarray) and not values.size:
        return ()
    if not isinstance(values, tuple):
        raise ValueError(f"'{path}' is not names")
    return values


def _recording(tree: dict[str, Node]) -> RecordedRun:
    given = tree[""].attributes
    versions = {name.removesuffix(_VERSION): each for name, each in given.items() if name.endswith(_VERSION)}
    return RecordedRun(
        time=_array(tree, "time"),
        worms=tuple(_track(tree, f"worms/{k}") for k in range(_count(tree))),
        config_toml=given["config"],
        versions=versions,
        anatomy=json.loads(given.get("anatomy", "{}")),
        **{name: given[name] for name in _PLAIN_ATTRIBUTES},
    )


def _track(tree: dict[str, Node], path: str) -> WormTrack:
    return WormTrack(
        midline=_array(tree, f"{path}/midline"),
        muscle_activation=_array(tree, f"{path}/muscle_activation"),
        muscles=_names(tree, f"{path}/muscles"),
        voltage=_array(tree, f"{path}/voltage"),
        voltage_time=_array(tree, f"{path}/voltage_time"),
        neurons=_names(tree, f"{path}/neurons"),
        dorsal=_array(tree, f"{path}/dorsal") if f"{path}/dorsal" in tree else None,
        inputs={name: _array(tree, f"{path}/inputs/{name}") for name in _below(tree, f"{path}/inputs")},
        receptors={name: _names(tree, f"{path}/receptors/{name}") for name in _below(tree, f"{path}/receptors")},
        anatomy=json.loads(tree[path].attributes.get("anatomy", "{}")),
    )
