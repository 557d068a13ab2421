"""A unique spelling for every neuron and muscle: "AVAL", "AS1", "VB10", "MDL08"."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Collection

from ..errors import AnatomyError, unknown

_PADDED = re.compile(r"([A-Z]+)0+(\d)")
_SHORT_MUSCLE = re.compile(r"(M[DV][LR])(\d)")


def unpadded(text: str) -> str:
    """The name without zeros before its number: "AS01" -> "AS1"."""
    padded = _PADDED.fullmatch(text) if isinstance(text, str) else None
    return padded.expand(r"\1\2") if padded else text


def padded_muscle(text: str) -> str:
    """The name with two digits: "MDL8" -> "MDL08"."""
    short = _SHORT_MUSCLE.fullmatch(text) if isinstance(text, str) else None
    return f"{short.group(1)}0{short.group(2)}" if short else text


def match(
    what: str, patterns: tuple[str, ...], known: Collection[str], spelling: Callable[[str], str] = str
) -> list[str]:
    """Sorted names that match any of the glob patterns, in the unique spelling; a plain name must be known.

    Raises:
        AnatomyError: when there is no pattern, or one matches nothing.
    """
    if not patterns:
        raise AnatomyError(f"no {what} given: name one, or use a pattern such as '*'")
    found: set[str] = set()
    for pattern in patterns:
        matched = fnmatch.filter(known, spelling(pattern)) if isinstance(pattern, str) else []
        if not matched:
            if isinstance(pattern, str) and fnmatch.filter(known, pattern.upper()):
                raise AnatomyError(f"unknown {what} '{pattern}': did you mean '{pattern.upper()}'?")
            raise AnatomyError(unknown(what, pattern, known))
        found.update(matched)
    return sorted(found)
