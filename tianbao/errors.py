"""The errors raised by Tianbao. Each message says what is wrong, where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from .topics import KINDS, answer_to

# Largest number of characters of user input quoted in an error.
_LONGEST = 80
_OFFERED = 3  # names of which a word was given
_PREFIX = 3  # letters by which a name is known if no other begins with them
# What is named by its own kind of name, to which no topic is an answer; and what another setting may stand for.
_OF_CELLS = ("neuron", "muscle", "cell", "gene", "channel", "conductance", "column")
_OF_SETTINGS = ("key", "intervention", "option", "command")


class TianbaoError(Exception):
    """Base class of all errors raised by Tianbao."""


class AnatomyError(TianbaoError):
    """A neuron, muscle, morphology or connectome table is unknown or malformed."""


class MechanismError(TianbaoError):
    """The NMODL mechanisms could not be compiled or loaded."""


class ConfigError(TianbaoError):
    """A parameter, option or unit is unknown or out of range."""


class OutputError(TianbaoError):
    """A result could not be written or read."""


class DivergedError(TianbaoError):
    """The simulation diverged: NaN, inverted tissue, or a solver that does not converge.

    Attributes:
        recording: everything recorded until then (`Recording`), None outside a run.
        files: to which it was written, if any.
    """

    recording = None
    files = ()


def shorten(value: object) -> str:
    """A value as text on one line, shortened for use in a message."""
    text = printable(_text(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def printable(text: str) -> str:
    """A text without characters that a terminal would obey or that no file can hold: those are spelled out."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def shorten_path(path: object) -> str:
    """A path as `shorten` gives it, but with its end, which is what tells it from others."""
    text = str(path)
    return shorten(text) if len(text) <= _LONGEST else f"... {shorten(text[-_LONGEST:])}"


def _text(value: object) -> str:
    try:
        return str(value)
    except ValueError:  # an integer with more digits than Python converts
        return "a number of very many digits"


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Message for an unknown name: what the model lacks or calls otherwise, else the nearest known name, else some."""
    known, name = list(known), shorten(name)
    by_folded = {each.lower(): each for each in known}
    if name.lower() in by_folded:
        return f"unknown {what} '{name}': did you mean '{by_folded[name.lower()]}'?"
    answer = None if what in _OF_CELLS else answer_to(name, KINDS if what in _OF_SETTINGS else KINDS[:1])
    if answer:
        return f"unknown {what} '{name}': {answer}"
    whole = [each for folded, each in by_folded.items() if folded.startswith(name.lower())]
    if len(name) >= _PREFIX and len(whole) == 1:
        return f"unknown {what} '{name}': did you mean '{whole[0]}'?"
    parts = [each for each in known if name.lower() in each.lower().split("_")]
    if 1 < len(parts) <= _OFFERED:
        return f"unknown {what} '{name}': did you mean {' or '.join(map(repr, parts))}?"
    near = difflib.get_close_matches(name.lower(), list(by_folded), n=1, cutoff=0.6)
    if near:
        return f"unknown {what} '{name}': did you mean '{by_folded[near[0]]}'?"
    return f"unknown {what} '{name}': known are {', '.join(known[:12])}{' ...' if len(known) > 12 else ''}"
