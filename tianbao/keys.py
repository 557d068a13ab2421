"""What to say to a key that a configuration does not have: its full place, a topic, or the nearest key."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from .cells.ensembles import ALL, cells
from .errors import shorten, unknown
from .parameters import table
from .ranges import ranges
from .topics import answer_to

OPEN = ("parameters", "members", "material", "medium")
"""Sections that hold changes of a table of values."""

_ALSO = ("viscosity", "name")  # keys of a medium without a range
_OF_SWEEPS = ("vary", "base", "design", "metrics", "seeds", "samples")
_SHOWN = 12  # keys of a section
_CLOSE = 0.6  # [-] least similarity of a name that is suggested


def names_in(section: str) -> list[str]:
    """Keys of a section of `OPEN`."""
    if section == "parameters":
        return list(table())
    if section == "members":
        return [*cells(), ALL]
    within = [each.partition(".")[2] for each in ranges() if each.startswith(f"{section}.")]
    return [*within, *(_ALSO if section == "medium" else ())]


def place_of(word: str, plain: Iterable[str]) -> str | None:
    """The dotted key that ends with a word; None if there is none.

    Args:
        word: without dots.
        plain: see `unknown_key`.
    """
    return next((each for each in _known(plain) if each.rpartition(".")[2] == word), None)


def _known(plain: Iterable[str]) -> list[str]:
    return [*plain, *(f"{section}.{name}" for section in OPEN for name in names_in(section) if name not in _ALSO)]


def unknown_key(key: str, plain: Iterable[str]) -> str:
    """The sentence for an unknown key.

    Args:
        key: with dots, as given.
        plain: dotted keys of a configuration outside of the sections of `OPEN`.
    """
    known = _known(plain)
    if key.partition(".")[0] in _OF_SWEEPS:
        return f"unknown key '{shorten(key)}': it belongs to a sweep, and tianbao sweep FILE runs one"
    if "." in key and answer_to(key.replace(".", "").replace("_", "")):
        return unknown("key", key, known)
    if key in known:
        return f"unknown key '{shorten(key)}': it is one for all worms; write it once, outside of [[worms]]"
    section, word = key.partition(".")[0] + ".", key.rpartition(".")[2].lower()
    # Of keys with the same last word, the one in the section that was named.
    last = {name.rpartition(".")[2]: name for name in sorted(known, key=lambda each: each.startswith(section))}
    here = [name for name, full in last.items() if "." in key and full.startswith(section)]
    longer = [name for name in here if name.startswith(word)]
    lower = {name.lower(): name for name in last}  # some are written in capitals
    near = [lower[word]] if word in lower and key not in known else longer if len(longer) == 1 else []
    if not near and not answer_to(key):
        for names in (here, last):
            near = near or difflib.get_close_matches(word, names, n=1, cutoff=_CLOSE)
    if near and section == "parameters." and last[near[0]].startswith(section):
        return f"unknown parameter '{shorten(word)}': did you mean '{near[0]}'?"
    if near:
        return f"unknown key '{shorten(key)}': did you mean '{last[near[0]]}'?"
    if here and not answer_to(key):
        more = " ..." if len(here) > _SHOWN else ""
        return f"unknown key '{shorten(key)}': section {section[:-1]} has {', '.join(here[:_SHOWN])}{more}"
    return unknown("key", key, known)
