"""The errors Tianbao raises on purpose. Each message says what, where and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# Characters of what a user gave that an error repeats.
_LONGEST = 80


class TianbaoError(Exception):
    """Base class: catch this to catch everything Tianbao raises on purpose."""


class AnatomyError(TianbaoError):
    """A neuron, muscle, morphology or connectome table is unknown or malformed."""


class MechanismError(TianbaoError):
    """The NMODL mechanisms could not be compiled or loaded."""


class ConfigError(TianbaoError):
    """A parameter, option or unit is unknown or out of range."""


class OutputError(TianbaoError):
    """A result could not be written or read."""


class DivergedError(TianbaoError):
    """The simulation left the range of the physical: NaN, inverted tissue, stalled solver.

    Attributes:
        recording: what a run had recorded until then (`Recording`), None outside a run.
        files: where it was written, when it was.
    """

    recording = None
    files = ()


def shorten(value: object) -> str:
    """What was given, on one line and short enough for a sentence."""
    text = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in _text(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _text(value: object) -> str:
    try:
        return str(value)
    except ValueError:  # a whole number of more digits than Python writes
        return "a number of very many digits"


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Sentence for an unknown name, with the nearest known one when there is one."""
    known, name = list(known), shorten(name)
    by_folded = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), list(by_folded), n=1, cutoff=0.5)
    if near:
        return f"unknown {what} '{name}': did you mean '{by_folded[near[0]]}'?"
    return f"unknown {what} '{name}': known are {', '.join(known[:12])}{' ...' if len(known) > 12 else ''}"
