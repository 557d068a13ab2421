"""Finds and parses the JSON of a WCON file: plain or zipped, alone or divided into linked chunks.

Source: WCON format of the Tracker Commons, sections "Splitting large WCON files into chunks" and "Zipped files".
"""

from __future__ import annotations

import json
import logging
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..bounded import check_memory, decoded, memory_of_text, read_bytes
from ..errors import OutputError, shorten
from .zips import is_zip, unzipped

log = logging.getLogger(__name__)

SUFFIXES = (".wcon", ".json")
_WHAT = "a .wcon or .wcon.zip file"
_MOST_CHUNKS = 1000


class Chunk(NamedTuple):
    """One WCON document.

    Attributes:
        where: file, for messages.
        content: the JSON object.
    """

    where: str
    content: dict


class _Source:
    """Where chunks are: the files of one folder or of one archive, with the memory that those read so far take."""

    def __init__(self, path: Path) -> None:
        self.path = path
        data = read_bytes(path, _WHAT)
        self.members = unzipped(path, data, SUFFIXES) if is_zip(data) else None
        self.first = next(iter(self.members)) if self.members is not None else path.name
        self._data = data
        self._needed = 0

    def read(self, name: str) -> Chunk | None:
        """The chunk of a name, or None if it is not there."""
        if self.members is not None:
            where = f"{self.path}, {shorten(name)}" if len(self.members) > 1 else str(self.path)
            data = self.members.get(name)
        elif name == self.first:
            where, data = str(self.path), self._data
        else:
            beside = self.path.with_name(name)
            where, data = str(beside), read_bytes(beside, _WHAT) if os.path.exists(beside) else None
        if data is None:
            return None
        self._needed += memory_of_text(data)
        check_memory(self._needed, self.path)
        return Chunk(where, _parsed(data, where))


def chunks(path: Path) -> tuple[Chunk, list[Chunk]]:
    """The document of a file, and all documents of its track in their order, linked ones included.

    Raises:
        OutputError: if a file is missing, damaged, too large or not WCON, or an archive contains several tracks.
    """
    source = _Source(path)
    name = source.first
    first = source.read(name)
    found: dict[str, Chunk | None] = {name: first}
    line: deque[Chunk] = deque([first])
    waiting = deque([(name, first)])
    while waiting:
        name, chunk = waiting.popleft()
        for end, add in (("prev", line.appendleft), ("next", line.append)):
            for other in _linked(name, chunk, end):
                if other not in found and len(found) < _MOST_CHUNKS:
                    found[other] = _follow(source, other, add)
                    if found[other] is not None:
                        waiting.append((other, found[other]))
    unlinked = [each for each in source.members or () if each not in found]
    if unlinked:
        raise OutputError(
            f"{path} contains {len(source.members)} WCON files that are not linked to each other, such as "
            f"{shorten(unlinked[0])}; unpack it and give one of them"
        )
    return first, list(line)


def _follow(source: _Source, name: str, add: Callable[[Chunk], None]) -> Chunk | None:
    chunk = source.read(name)
    if chunk is None:
        log.warning("%s is linked to %s, which is not there; the track is read without it", source.path, shorten(name))
    else:
        add(chunk)
    return chunk


def _linked(name: str, chunk: Chunk, end: str) -> list[str]:
    """Names of the chunks before or after one, nearest first."""
    files = chunk.content.get("files")
    if not isinstance(files, dict):
        return []
    given = files.get(end)
    entries = given if isinstance(given, list) else [given] if given is not None else []
    variable = files.get("current", files.get("this"))
    if not all(isinstance(each, str) for each in entries) or not isinstance(variable, str | None):
        raise OutputError(f"{chunk.where}: its files must be names: current, prev and next")
    folder, slash, own = name.rpartition("/")
    names = []
    for entry in entries:
        if entry:
            before, found, after = own.rpartition(variable) if variable else (own, "", "")
            other = before + entry + after if found else entry
            if other != os.path.basename(other) or other in (".", "..") or "\0" in other or "\\" in other:
                raise OutputError(f"{chunk.where} is linked to {shorten(other)}; chunks must lie beside each other")
            names.append(folder + slash + other)
    return names


def _parsed(data: bytes, where: str) -> dict:
    text = decoded(data, where)
    try:
        content = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else shorten(error)
        raise OutputError(f"{where} is not a WCON file: {reason}") from error
    if not isinstance(content, dict) or not isinstance(content.get("units"), dict) or "data" not in content:
        raise OutputError(f"{where} is not a WCON file: it has no units and data at the top level")
    return content


def _unique(pairs: list[tuple[str, object]]) -> dict:
    """A JSON object; the values of a key that occurs twice would depend on who reads it."""
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        again = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise ValueError(f"the key '{shorten(again)}' occurs twice in one object")
    return found
