"""Finds and parses the JSON of a WCON file: plain or zipped, alone or divided into linked chunks.

Source: WCON format of the Tracker Commons, sections "Splitting large WCON files into chunks" and "Zipped files".
"""

from __future__ import annotations

import json
import logging
import os
from collections import deque
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


class _Place(NamedTuple):
    """Where a chunk is: a file, or a member of an archive."""

    path: Path
    member: str = ""


class _Source:
    """Reads chunks beside each other, in a folder or in an archive, within the limit of memory for all of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: dict[Path, bytes | dict[str, bytes]] = {}
        self._needed = 0

    def content(self, path: Path) -> bytes | dict[str, bytes]:
        """A file, or the members of an archive."""
        if path not in self._files:
            data = read_bytes(path, _WHAT)
            content = unzipped(path, data, SUFFIXES) if is_zip(data) else data
            self._count(sum(map(len, content.values())) if isinstance(content, dict) else len(data))
            self._files[path] = content
        return self._files[path]

    def _count(self, needed: int) -> None:
        self._needed += needed
        check_memory(self._needed, self.path)

    def first(self, path: Path) -> _Place:
        """The place of the first chunk of a file."""
        content = self.content(path)
        return _Place(path, next(iter(content))) if isinstance(content, dict) else _Place(path)

    def beside(self, place: _Place, variable: str, entry: str, where: str) -> _Place | None:
        """The chunk whose name has an entry in place of the variable part: in the same archive, or as another file."""
        if place.member:
            folder, slash, own = place.member.rpartition("/")
            name = folder + slash + _renamed(own, variable, entry, where)
            if name in self.content(place.path):
                return _Place(place.path, name)
        other = place.path.with_name(_renamed(place.path.name, variable, entry, where))
        return self.first(other) if other != place.path and os.path.exists(other) else None

    def read(self, place: _Place) -> Chunk:
        """The chunk at a place."""
        content = self.content(place.path)
        data = content[place.member] if isinstance(content, dict) else content
        self._count(memory_of_text(data))
        several = isinstance(content, dict) and len(content) > 1
        where = f"{place.path}, {shorten(place.member)}" if several else str(place.path)
        return Chunk(where, _parsed(data, where))


def chunks(path: Path) -> tuple[Chunk, list[Chunk]]:
    """The document of a file, and all documents of its track in their order, linked ones included.

    Raises:
        OutputError: if a file is missing, damaged, too large or not WCON, or an archive contains several tracks.
    """
    source = _Source(path)
    place = source.first(path)
    first = source.read(place)
    found = {place}
    line: deque[Chunk] = deque([first])
    waiting = deque([(place, first)])
    while waiting:
        place, chunk = waiting.popleft()
        for end, add in (("prev", line.appendleft), ("next", line.append)):
            for other in _linked(source, place, chunk, end):
                if other not in found:
                    found.add(other)
                    if len(found) > _MOST_CHUNKS:
                        raise OutputError(f"{path} is one of more than {_MOST_CHUNKS} linked files; join some of them")
                    waiting.append((other, source.read(other)))
                    add(waiting[-1][1])
    content = source.content(path)
    unlinked = [each for each in (content if isinstance(content, dict) else ()) if _Place(path, each) not in found]
    if unlinked:
        raise OutputError(
            f"{path} contains {len(content)} WCON files that are not linked to each other, such as "
            f"{shorten(unlinked[0])}; unpack it and give one of them"
        )
    return first, list(line)


def _linked(source: _Source, place: _Place, chunk: Chunk, end: str) -> list[_Place]:
    """The chunks before or after one, nearest first; those that are not there are logged."""
    files = chunk.content.get("files")
    if not isinstance(files, dict):
        return []
    given = files.get(end)
    entries = given if isinstance(given, list) else [given] if given is not None else []
    variable = files.get("current", files.get("this"))
    if not all(isinstance(each, str) for each in entries) or not isinstance(variable, str | None):
        raise OutputError(f"{chunk.where}: its files must be names: current, prev and next")
    places = []
    for entry in entries:
        other = source.beside(place, variable or "", entry, chunk.where) if entry else None
        if other is not None:
            places.append(other)
        elif entry:
            log.warning(
                "%s is linked to %s, which is not there; the track is read without it", chunk.where,
                shorten(_renamed(place.member or place.path.name, variable or "", entry, chunk.where)),
            )  # fmt: skip
    return places


def _renamed(own: str, variable: str, entry: str, where: str) -> str:
    """A name with the last instance of its variable part replaced; the entry itself if that is no part of it."""
    before, found, after = own.rpartition(variable) if variable else ("", "", "")
    name = before + entry + after if found else entry
    if "/" in entry or name in ("", ".", "..") or "\0" in name or "\\" in name:
        raise OutputError(f"{where} is linked to {shorten(name)}; chunks must lie beside each other")
    return name


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
