"""Groups, arrays and attributes of an HDF5 file, read with care, and the seal over all of them.

HDF5 can point out of a file, run code to unpack a chunk and declare arrays that no memory holds. What is read here is
inside the file, of plain numbers and texts, packed by filters of HDF5 itself, and bounded before it is read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import h5py
import numpy as np

from ..errors import OutputError, shorten

SEAL = "seal"
"""Attribute of the root that holds the seal."""

_FILTERS = (h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32)
_NUMBERS = "biuf"
_DEEPEST, _MOST_OBJECTS, _MOST_ATTRIBUTES = 6, 20_000, 1_000
_LONGEST_NAME = 200  # characters
_AT_ONCE = 64  # texts read before their length is known


@dataclass(frozen=True)
class Node:
    """One group or array.

    Attributes:
        attributes: by name: a text, a number or a bool.
        values: of an array: numbers, or a tuple of texts; None for a group.
    """

    attributes: dict[str, object]
    values: np.ndarray | tuple[str, ...] | None = None


@dataclass
class _Allowance:
    """What the content of a file may still take.

    Attributes:
        left: bytes.
        seen: addresses of the objects read so far.
    """

    left: int
    seen: set[int] = field(default_factory=set)

    def take(self, size: int, what: str) -> None:
        """Count bytes before they are read."""
        self.left -= size
        if self.left < 0:
            raise _refused(f"{what} would unpack to more than a results file of this size can hold")


def read_tree(file: h5py.File, content: int) -> dict[str, Node]:
    """Every group and array of a file by its path, "" for the root.

    Args:
        file: open for reading.
        content: bytes that all of it may take.

    Raises:
        OutputError: for what points out of the file or to an object twice, is neither number nor text, is packed by
            other filters, or is larger than allowed.
    """
    return dict(_nodes(file, "", _Allowance(content)))


def seal_of(tree: dict[str, Node]) -> str:
    """Digest of all paths, attributes (but the seal), data types, shapes and bytes."""
    whole = hashlib.sha256()
    for path in sorted(tree):
        node = tree[path]
        kept = {name: each for name, each in node.attributes.items() if (path, name) != ("", SEAL)}
        kinds = {name: type(each).__name__ for name, each in kept.items()}
        content = node.values
        if isinstance(content, np.ndarray):
            digest = hashlib.sha256(np.ascontiguousarray(content)).hexdigest()
            content = [content.dtype.str, content.shape, digest]
        whole.update(json.dumps([path, kept, kinds, content], sort_keys=True).encode() + b"\n")
    return whole.hexdigest()


def _nodes(group: h5py.Group, path: str, allowance: _Allowance) -> Iterator[tuple[str, Node]]:
    """A group and all below it."""
    _once(group, path, allowance)
    yield path, Node(_attributes(group, path, allowance))
    names = list(group)
    if path.count("/") >= _DEEPEST or len(names) + len(allowance.seen) > _MOST_OBJECTS:
        raise _refused(f"group '{shorten(path)}' holds more than a run writes")
    for name in names:
        below = f"{path}/{name}" if path else name
        _check_name(name)
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise _refused(f"'{below}' is a link to another place, which a results file never holds")
        each = group[name]
        if isinstance(each, h5py.Group):
            yield from _nodes(each, below, allowance)
        elif isinstance(each, h5py.Dataset):
            _once(each, below, allowance)
            yield below, Node(_attributes(each, below, allowance), _values(each, below, allowance))
        else:
            raise _refused(f"'{below}' is a data type of its own, which a results file never holds")


def _refused(what: str) -> OutputError:
    return OutputError(f"{what}; do not trust this file")


def _once(each: h5py.Group | h5py.Dataset, path: str, allowance: _Allowance) -> None:
    place = h5py.h5o.get_info(each.id).addr
    if place in allowance.seen:
        raise _refused(f"'{path}' is an object that has another name as well, which a results file never holds")
    allowance.seen.add(place)


def _check_name(name: str) -> None:
    if not name.isprintable() or len(name) > _LONGEST_NAME:
        raise _refused(f"'{shorten(name)}' is not a name that a run gives")


def _attributes(each: h5py.Group | h5py.Dataset, path: str, allowance: _Allowance) -> dict[str, object]:
    names = list(each.attrs)
    if len(names) > _MOST_ATTRIBUTES:
        raise _refused(f"'{path}' has more attributes than a run writes")
    found = {}
    for name in names:
        _check_name(name)
        where = f"attribute '{name}' of '{path}'"
        attribute = each.attrs.get_id(name)
        _check_kind(attribute.get_type(), attribute.dtype, where)
        if attribute.shape != ():
            raise _refused(f"{where} is not one value")
        allowance.take(attribute.dtype.itemsize, where)
        value = each.attrs[name]
        value = value.decode() if isinstance(value, bytes) else value.item() if hasattr(value, "item") else value
        allowance.take(len(value) if isinstance(value, str) else 0, where)
        found[name] = value
    return found


def _check_kind(stored: h5py.h5t.TypeID, dtype: np.dtype, where: str) -> None:
    """Refuse all but numbers, bools and texts."""
    plain = h5py.check_string_dtype(dtype) is not None or (dtype.kind in _NUMBERS and dtype.itemsize <= 8)
    if stored.committed() or not plain:
        raise _refused(f"{where} is neither numbers nor text")


def _values(array: h5py.Dataset, path: str, allowance: _Allowance) -> np.ndarray | tuple[str, ...]:
    """Content of an array."""
    where = f"'{path}'"
    _check_kind(array.id.get_type(), array.dtype, where)
    storage = array.id.get_create_plist()
    if storage.get_layout() == h5py.h5d.VIRTUAL or storage.get_external_count():
        raise _refused(f"{where} lies in another file, which a results file never does")
    if any(storage.get_filter(k)[0] not in _FILTERS for k in range(storage.get_nfilters())):
        raise _refused(f"{where} is packed in a way that a results file never is")
    if array.shape is None:
        raise _refused(f"{where} holds nothing")
    allowance.take(array.dtype.itemsize * int(np.prod(array.shape, dtype=object)), where)
    if h5py.check_string_dtype(array.dtype) is None:
        return array[()]
    if len(array.shape) != 1:
        raise _refused(f"{where} is not a list of names")
    return tuple(_texts(array, where, allowance))


def _texts(array: h5py.Dataset, where: str, allowance: _Allowance) -> Iterator[str]:
    """Names, a few at a time: of a text of variable length nothing says how long it is."""
    for first in range(0, len(array), _AT_ONCE):
        block = [each.decode() for each in array[first : first + _AT_ONCE]]
        allowance.take(sum(map(len, block)), where)
        for name in block:
            _check_name(name)
        yield from block
