"""Zip archives of others: what is in them, within the limits of `bounded`, without what operating systems add."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections import Counter
from pathlib import Path, PurePosixPath

from ..bounded import LARGEST_FILE
from ..errors import OutputError, shorten

_MOST_MEMBERS = 10_000
_CHUNK = 1 << 20
# Other methods may claim gigabytes for their dictionary before the first byte.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
# What the library raises on bytes that are not an archive, or a damaged one.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError,
    IndexError, KeyError, OverflowError, MemoryError,
)  # fmt: skip


def is_zip(data: bytes) -> bool:
    """Whether a file begins as a zip archive does."""
    return data[:2] == b"PK"


def unzipped(path: Path, data: bytes, suffixes: tuple[str, ...]) -> dict[str, bytes]:
    """Files of an archive by their path in it, in natural order.

    What Finder and other programs add (`__MACOSX`, `._name`, `.DS_Store`), folders and hidden files are left out.

    Args:
        path: of the archive, for messages.
        data: its bytes.
        suffixes: of the files that are wanted; if there is one file only, it may have any name.

    Raises:
        OutputError: if it is damaged or encrypted, contains none of these, one of them twice, or too much.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            wanted = _wanted(path, archive.infolist(), suffixes)
            return {info.filename: _content(path, archive, info) for info in wanted}
    except _DAMAGE as error:
        raise OutputError(f"{path} is not a zip archive that can be read: {shorten(error)}") from error


def _wanted(path: Path, members: list[zipfile.ZipInfo], suffixes: tuple[str, ...]) -> list[zipfile.ZipInfo]:
    if len(members) > _MOST_MEMBERS:
        raise OutputError(f"{path} contains {len(members)} files, above the limit of {_MOST_MEMBERS}")
    files = [info for info in members if not info.is_dir() and not _added(info.filename)]
    wanted = [info for info in files if info.filename.lower().endswith(suffixes)]
    wanted = wanted or (files if len(files) == 1 else [])
    if not wanted:
        raise OutputError(f"{path} contains no file that ends in {' or '.join(suffixes)}")
    times = Counter(info.filename for info in wanted)
    for info in wanted:
        if times[info.filename] > 1:
            raise OutputError(f"{path} contains {shorten(info.filename)} twice; unpack it and give one of them")
        if info.compress_type not in _METHODS:
            raise OutputError(f"{path}: {shorten(info.filename)} is packed by an unusual method; use Deflate")
    size = sum(info.file_size for info in wanted)
    if size > LARGEST_FILE:
        raise OutputError(f"{path} unpacks to {size / 1e6:.0f} MB, above the limit of {LARGEST_FILE / 1e6:g} MB")
    return sorted(wanted, key=lambda info: natural(info.filename))


def _added(name: str) -> bool:
    return any(part == "__MACOSX" or part.startswith(".") for part in PurePosixPath(name).parts)


def _content(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Unpacked bytes; the size that the directory declares is not taken on trust."""
    pieces, size = [], 0
    with archive.open(info) as file:
        while piece := file.read(_CHUNK):
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST_FILE:
                raise OutputError(
                    f"{path}: {shorten(info.filename)} unpacks to more than the limit of {LARGEST_FILE / 1e6:g} MB"
                )
    return b"".join(pieces)


def natural(name: str) -> list[tuple[int, int, str]]:
    """Key that sorts part_2 before part_10."""
    parts = re.findall(r"\d{1,18}|\D+", name, re.ASCII)
    return [(0, int(part), "") if part[0] in "0123456789" else (1, 0, part) for part in parts]
