"""Splits a .mod file into tokens, as NEURON's translator does."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..errors import MechanismError

_TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<name>[A-Za-z]\w*)"
    r"|(?P<string>\"[^\"]*\")|(?P<op>&&|\|\||<=|>=|==|!=|'|[-+*/^(){}=<>!,\[\]~.%])|(?P<other>.)",
    re.ASCII | re.DOTALL,
)
_QUOTED = {word: re.compile(rf"{word}\b", re.ASCII) for word in ("COMMENT", "VERBATIM")}
# An END... in the middle of a line ends nothing.
_ENDS = {word: re.compile(rf"^[ \t]*END{word}\b", re.ASCII | re.MULTILINE) for word in _QUOTED}
_LINE = re.compile(r"TITLE\b|[:?]", re.ASCII)
# As UTF-8 read byte by byte, as UTF-16 so read, and as text.
_BYTE_ORDER_MARKS = ("\xef", "\xff", "\xfe", "\ufeff")
_LOWERED = {"IF", "ELSE", "WHILE"}

_KEYWORDS = """
    AFTER ARTIFICIAL_CELL ASSIGNED BBCOREPOINTER BEFORE BREAKPOINT BY CHARGE COMMENT COMPARTMENT CONDUCTANCE
    CONSERVE CONSTANT CONSTRUCTOR DEFINE DEL DEL2 DEPEND DERIVATIVE DESTRUCTOR DISCRETE ELECTRODE_CURRENT EQUATION
    EXTERNAL FOR_NETCONS FROM FUNCTION FUNCTION_TABLE GLOBAL INCLUDE INDEPENDENT INITIAL INT KINETIC LAG LINEAR
    LOCAL LONGITUDINAL_DIFFUSION METHOD MUTEXLOCK MUTEXUNLOCK NET_RECEIVE NEURON NONLINEAR NONSPECIFIC_CURRENT
    PARAMETER POINTER POINT_PROCESS PROCEDURE PROTECT RANDOM RANGE READ REPRESENTS SOLVE SOLVEFOR START STATE
    STEADYSTATE STEP SUFFIX SWEEP TABLE THREADSAFE TITLE TO UNITS UNITSOFF UNITSON USEION VALENCE VERBATIM VS WATCH
    WITH WRITE if else while after_cvode cnexp cvode_t cvode_t_v derivimplicit euler newton runge simeq sparse
"""
KEYWORDS = frozenset(_KEYWORDS.split())
"""Words of the language, which cannot be names."""


def tokens(text: str, file: str) -> Iterator[tuple[str, int]]:
    """Pairs of token and line; comments are left out, a VERBATIM block is one token.

    Args:
        text: content of the file.
        file: its name, for messages.

    Raises:
        MechanismError: for a block that is never closed, and for a character that is not ASCII outside of a COMMENT
            block, which NEURON's translator does not read either.
    """
    line, at = 1, 0
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    while at < len(text):
        start = at
        word = next((word for word, pattern in _QUOTED.items() if pattern.match(text, at)), None)
        if word is not None:
            at, content = _quoted(text, at, word, f"{file}, line {line}")
            _refuse_foreign(content if word == "VERBATIM" else content.partition("\n")[0], file, line)
            if word == "VERBATIM":
                yield word + content, line
        elif _LINE.match(text, at):
            stop = text.find("\n", at)
            at = len(text) if stop < 0 else stop
            _refuse_foreign(text[start:at], file, line)
        else:
            match = _TOKEN.match(text, at)
            token, at = match.group(), match.end()
            _refuse_foreign(token, file, line)
            if match.lastgroup != "space":
                yield token.lower() if token in _LOWERED else token, line
        line += text.count("\n", start, at)


def _quoted(text: str, at: int, word: str, where: str) -> tuple[int, str]:
    """End and content of a block of text."""
    stop = _ENDS[word].search(text, at)
    if stop is None:
        raise MechanismError(f"{where}: {word} is never closed: END{word} belongs at the start of a line of its own")
    return stop.end(), text[at + len(word) : stop.start()]


def _refuse_foreign(token: str, file: str, line: int) -> None:
    foreign = next((each for each in token if not each.isascii()), None)
    if foreign is not None:
        line += token[: token.index(foreign)].count("\n")
        marked = line == 1 and token.startswith(_BYTE_ORDER_MARKS)
        what = "a byte order mark" if marked else f"the character {ascii(foreign)}"
        raise MechanismError(
            f"{file}, line {line}: NEURON reads {what} in COMMENT blocks only, for it is not ASCII; remove it"
        )
