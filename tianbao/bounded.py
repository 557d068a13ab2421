"""Reading files of others within limits: regular files only, of a bounded size, for a bounded amount of memory.

A named pipe, a device, a text of 100 GB or an archive that unpacks to one is refused before anything of it is kept. The
limits are declared here and nowhere else; readers of tracks, cells and tables take them from here.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from .errors import OutputError, TianbaoError, shorten

LARGEST_FILE = 400_000_000
"""Largest file of tracks [bytes], as it is on the disk and as it unpacks."""

MEMORY = 2_000_000_000
"""Most memory [bytes] that reading one file of tracks may take, by an estimate made before it is parsed."""

LARGEST_TABLE = 10_000_000
"""Largest table of connections or of curvature and largest cell [bytes]; the whole connectome fills 0.3 MB."""

# Bytes that Python needs for what each of these characters brings with it, measured generously: a number and its slot
# in a list after a comma, a list, a table, half a text.
_PER_CHARACTER = 3
_COST = {b",": 70, b"[": 100, b"{": 250, b'"': 40, b"\n": 100, b"\t": 70, b";": 70}


def read_bytes(
    path: str | Path, what: str, *, largest: int = LARGEST_FILE, error: type[TianbaoError] = OutputError
) -> bytes:
    """Content of a regular file.

    Args:
        path: of the file.
        what: what should be given instead, for messages: "a .wcon file".
        largest: size [bytes] above which it is refused.
        error: raised.

    Raises:
        TianbaoError: `error`, if there is no such file, it cannot be read, is no regular file, or is larger.
    """
    with _opened(path, what, error) as file:
        too_large = os.fstat(file.fileno()).st_size > largest
        content = b"" if too_large else _read(file, largest + 1, path, what, error)
    if too_large or len(content) > largest:
        raise error(f"{shorten_path(path)} is larger than {largest / 1e6:g} MB, the limit; divide it")
    return content


def first_bytes(path: str | Path, what: str, count: int, error: type[TianbaoError] = OutputError) -> bytes:
    """At most so many bytes from the start of a regular file; see `read_bytes`.

    Raises:
        TianbaoError: `error`, if there is no such file, it cannot be read, or is a folder, a pipe or a device.
    """
    with _opened(path, what, error) as file:
        return _read(file, count, path, what, error)


def _opened(path: str | Path, what: str, error: type[TianbaoError]) -> BinaryIO:
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for somebody to write into it.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError as missing:
        raise error(f"there is no file {shorten_path(path)}; give the path of {what}") from missing
    except (OSError, ValueError) as failed:
        raise error(f"cannot read {shorten_path(path)}: {_reason(failed)}; give the path of {what}") from failed
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device, not a file"
        raise error(f"cannot read {shorten_path(path)}: it is {kind}; give the path of {what}")
    return os.fdopen(handle, "rb")


def _read(file: BinaryIO, count: int, path: str | Path, what: str, error: type[TianbaoError]) -> bytes:
    try:
        return file.read(count)
    except OSError as failed:
        raise error(f"cannot read {shorten_path(path)}: {_reason(failed)}; give the path of {what}") from failed


def check_memory(needed: float, where: object, error: type[TianbaoError] = OutputError) -> None:
    """Refuse what would take more memory than `MEMORY`.

    Args:
        needed: [bytes].
        where: file or worm, for the message.
        error: raised.

    Raises:
        TianbaoError: `error`, if it does.
    """
    if needed > MEMORY:
        raise error(
            f"{where} would take {needed / 1e9:.3g} GB of memory, above the limit of {MEMORY / 1e9:g} GB; "
            "divide it into shorter tracks or fewer worms"
        )


def memory_of_text(data: bytes) -> int:
    """Memory [bytes] that a text of JSON or CSV takes once parsed, at most; from its length and its delimiters."""
    return _PER_CHARACTER * len(data) + sum(cost * data.count(each) for each, cost in _COST.items())


def decoded(data: bytes, where: object, error: type[TianbaoError] = OutputError) -> str:
    """Text in UTF-8, with or without a byte order mark.

    Raises:
        TianbaoError: `error`, for another encoding or bytes that are no text; the message gives the line.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise error(f"{where} is not UTF-8 text but UTF-16; save it in UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as failed:
        line = data[: failed.start].count(b"\n") + 1
        raise error(f"{where} is not UTF-8 text, see its line {line}; save it in UTF-8") from failed
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise error(f"{where} is not a text file: its line {line} contains a zero byte")
    return text


def shorten_path(path: object) -> str:
    """A path for a message: as it is unless it is very long or contains what cannot be printed."""
    text = str(path)
    return text if text.isprintable() and len(text) < 300 else shorten(path)


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "it contains a zero byte"
