"""A unique spelling for every neuron and muscle, "AVAL", "AS1", "VB10", "MDL08", and globs and lists of them."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from ..errors import AnatomyError, shorten, unknown

Names = str | Iterable[str]
"""Names or globs of cells: one text, in which commas separate several, or a list of them."""

_PADDED = re.compile(r"([A-Z]+)0+(\d)")
_SHORT_MUSCLE = re.compile(r"(M[DV][LR])(\d)")
_COMMA = re.compile(r",(?![^\[]*\])")  # outside the brackets of a glob
_WORDS = re.compile(r"(?i)[\s_-]*((motor|inter)[\s_-]*)?(neurons?|muscles?|cells?|class)$")
_EVERY = ("", "all", "every", "any")
_NAMED = 6  # cells of a group named in a message
_DEEPEST = 3  # of lists in lists
_SHORTEST = 2  # letters of a group


def unpadded(text: str) -> str:
    """The name without zeros before its number: "AS01" -> "AS1"."""
    padded = _PADDED.fullmatch(text) if isinstance(text, str) else None
    return padded.expand(r"\1\2") if padded else text


def padded_muscle(text: str) -> str:
    """The name with two digits: "MDL8" -> "MDL08"."""
    short = _SHORT_MUSCLE.fullmatch(text) if isinstance(text, str) else None
    return f"{short.group(1)}0{short.group(2)}" if short else text


def listed(given: Any, depth: int = _DEEPEST) -> list:
    """The entries of a text with commas, or of lists of such texts; anything else is kept for `match` to refuse."""
    if isinstance(given, str):
        parts = [each.strip() for each in _COMMA.split(given)]
        return [each for each in parts if each] or [given] if len(parts) > 1 else [str(given)]
    if isinstance(given, (bytes, Mapping)) or not isinstance(given, Iterable) or not depth:
        return [given]
    return [name for each in given for name in listed(each, depth - 1)]


def joined(given: Any) -> Any:
    """A list of names as one text with commas; anything else as it is, for `match` to refuse."""
    found = listed(given)
    return ",".join(found) if found and all(isinstance(each, str) for each in found) else given


def match(
    what: str,
    patterns: Names,
    known: Mapping[str, str],
    spelling: Callable[[str], str] = str,
    others: Mapping[str, Collection[str]] | None = None,
) -> list[str]:
    """Sorted names that match any of the glob patterns, in the unique spelling; a plain name must be known.

    Args:
        what: that is named, for messages.
        patterns: names, globs or lists of them.
        known: name -> its class.
        spelling: that makes a name unique.
        others: what a name may be instead, and which: to say so.

    Raises:
        AnatomyError: when there is no pattern, or one matches nothing.
    """
    given = listed(patterns)
    if not given:
        raise AnatomyError(f"no {what} given: name one, or use a pattern such as '*'")
    found: set[str] = set()
    for pattern in given:
        matched = fnmatch.filter(known, spelling(pattern)) if isinstance(pattern, str) else []
        if not matched:
            raise AnatomyError(unmatched(what, pattern, known, others or {}))
        found.update(matched)
    return sorted(found)


def unmatched(
    what: str, pattern: Any, known: Mapping[str, str], others: Mapping[str, Collection[str]], one: bool = False
) -> str:
    """The sentence for a pattern that matches nothing: a class, another spelling, another kind of cell, or a typo.

    Args:
        what, pattern, known, others: see `match`.
        one: whether a single cell is asked for, so that a glob is no answer.
    """
    if not isinstance(pattern, str):
        todo = f"write it in quotes, such as '{next(iter(known))}', and numbers as NAME=NUMBER"
        return f"{shorten(repr(pattern))} is not the name of a {what}: {todo}"
    text = pattern.strip()
    bare = _WORDS.sub("", text).upper()
    if text and bare.lower() in _EVERY and not any(kind in text.lower() for kind in others):
        return f"'{shorten(pattern)}' is not the name of a {what}: write '*' for all"
    for cells in () if bare else [names for kind, names in others.items() if kind in text.lower()]:
        if cells[0] in known:
            return f"'{shorten(pattern)}' names no {what}: write '{glob_of(cells[0][0], cells, known)}'"
    if one and (several := sorted(fnmatch.filter(known, text))):
        return f"'{shorten(pattern)}' stands for several {what}s: name one of {_few(several)}"
    group, kind = _group(bare, known)
    if len(group) > 1:
        every = f"write '{glob_of(bare, group, known)}' for its {len(group)} {what}s"
        return f"'{shorten(pattern)}' {kind}: {f'name one of {_few(group)}' if one else every}"
    for spelled in (text, text.upper(), bare, *group):
        if fnmatch.filter(known, spelled):
            return f"unknown {what} '{shorten(pattern)}': did you mean '{spelled}'?"
    for other, names in others.items():
        if other in text.lower() or len(bare) >= _SHORTEST and fnmatch.filter(names, f"{bare}*"):
            return f"'{shorten(pattern)}' is a {other}, and a {what} is asked for here, such as '{next(iter(known))}'"
    return unknown(what, pattern, known)


def _group(bare: str, known: Mapping[str, str]) -> tuple[list[str], str]:
    """The cells that a word stands for, if it is not the name of one, and what the word is."""
    if bare in known or len(bare) < _SHORTEST:
        return [], ""
    members = sorted(name for name, kind in known.items() if kind == bare)
    if members:
        return members, "is a class"
    members = sorted(name for name in known if name.startswith(bare))
    # SMD and the like are classes for White et al. 1986; here SMDD and SMDV are.
    halves = all(known[name] in (f"{bare}D", f"{bare}V") for name in members)
    return members, "is a class" if halves else "is the beginning of several names"


def glob_of(prefix: str, members: Collection[str], known: Collection[str]) -> str:
    """The shortest glob that matches these of the known names and no other; the names themselves where none does.

    Args:
        prefix: with which all of them begin.
        members: names.
        known: all names.
    """
    after = "".join(sorted({name[len(prefix)] for name in members if len(name) > len(prefix)}))
    for pattern in (f"{prefix}*", f"{prefix}?", f"{prefix}[0-9]*", f"{prefix}[{after}]", f"{prefix}[{after}]*"):
        if sorted(fnmatch.filter(known, pattern)) == sorted(members):
            return pattern
    return ",".join(sorted(members))


def _few(names: Collection[str]) -> str:
    first = sorted(names)[:_NAMED]
    return ", ".join(first) + (" ..." if len(names) > len(first) else "")
