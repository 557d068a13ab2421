"""Units of WCON files: the expressions that its specification allows, such as "mm", "0.04*s" or "in/72".

Source: WCON format of the Tracker Commons, sections on units.
"""

from __future__ import annotations

import re

from ..errors import OutputError, shorten

# Size of each unit in metres or seconds, by its full name (English, singular) and by its abbreviation.
_METRES = {
    "m": 1.0, "metre": 1.0, "meter": 1.0, "micron": 1e-6, "in": 0.0254, "inch": 0.0254,
    "ft": 0.3048, "foot": 0.3048, "feet": 0.3048,
}  # fmt: skip
_SECONDS = {
    "s": 1.0, "sec": 1.0, "second": 1.0, "min": 60.0, "minute": 60.0, "h": 3600.0, "hr": 3600.0, "hour": 3600.0,
    "d": 86400.0, "day": 86400.0,
}  # fmt: skip
_SHORT_PREFIXES = {
    "c": 1e-2, "m": 1e-3, "u": 1e-6, "\u00b5": 1e-6, "\u03bc": 1e-6, "n": 1e-9, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9,
}  # fmt: skip
_LONG_PREFIXES = {
    "centi": 1e-2, "milli": 1e-3, "micro": 1e-6, "nano": 1e-9, "kilo": 1e3, "mega": 1e6, "giga": 1e9,
}  # fmt: skip
_TOKEN = re.compile(r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)|(?P<word>[^\W\d_]+)|(?P<op>[*/]|\^\s*-?))")
PIXELS = {"px", "pixel", "pixels", "pix"}


def millimetres(unit: str, where: str) -> float:
    """Millimetres in one unit of length.

    Args:
        unit: expression, such as "mm", "um", "microns" or "in/72".
        where: the quantity it belongs to, for messages.

    Raises:
        OutputError: for pixels, an unknown unit, or one that is not a length.
    """
    return 1e3 * _size(unit, where, "length", "mm or um")


def milliseconds(unit: str, where: str) -> float:
    """Milliseconds in one unit of time; raises as `millimetres` does."""
    return 1e3 * _size(unit, where, "time", "s or ms")


def _size(unit: str, where: str, kind: str, example: str) -> float:
    if not isinstance(unit, str) or not unit.strip():
        raise OutputError(f"{where} has no unit; add one to the file's units, such as {example}")
    if set(re.findall(r"[^\W\d_]+", unit.lower())) & PIXELS:
        todo = "give microns_per_pixel of a table, or scale the track to mm"
        raise OutputError(f"{where} is in pixels ('{shorten(unit)}'), of unknown size; {todo}")
    size, dimension = _evaluate(unit, where)
    if dimension != (1, 0) and kind == "length" or dimension != (0, 1) and kind == "time":
        raise OutputError(f"{where}: '{shorten(unit)}' is not a unit of {kind}; use {example}")
    if not 0.0 < size < float("inf"):
        raise OutputError(f"{where}: one '{shorten(unit)}' has no size; use {example}")
    return size


def _evaluate(unit: str, where: str) -> tuple[float, tuple[int, int]]:
    """Size in SI units and powers of (metre, second) of a product of factors."""
    size, metres, seconds, at, sign = 1.0, 0, 0, 0, 1
    tokens = _tokens(unit, where)
    while at < len(tokens):
        factor, dimension = _factor(tokens[at], unit, where)
        power = 1
        if at + 1 < len(tokens) and tokens[at + 1][0] == "^":
            power = _power(tokens[at + 2 : at + 3], unit, where) * (-1 if tokens[at + 1][-1] == "-" else 1)
            at += 2
        try:
            size *= factor ** (sign * power)
        except (OverflowError, ZeroDivisionError) as error:
            raise OutputError(f"{where}: one '{shorten(unit)}' has no size") from error
        metres, seconds = metres + sign * power * dimension[0], seconds + sign * power * dimension[1]
        at += 1
        if at < len(tokens):
            if tokens[at] not in ("*", "/") or at + 1 == len(tokens):
                raise _unreadable(unit, where)
            sign, at = (1 if tokens[at] == "*" else -1), at + 1
    return size, (metres, seconds)


def _tokens(unit: str, where: str) -> list[str]:
    tokens, at, text = [], 0, unit.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unreadable(unit, where)
        tokens.append(match.group().strip())
        at = match.end()
    return tokens


def _power(tokens: list[str], unit: str, where: str) -> int:
    if not tokens or not tokens[0].isdigit() or len(tokens[0]) > 2:
        raise _unreadable(unit, where)
    return int(tokens[0])


def _factor(token: str, unit: str, where: str) -> tuple[float, tuple[int, int]]:
    if token[0].isdigit() or token[0] == ".":
        return float(token), (0, 0)
    # Seconds first: "min" is a minute and not a thousandth of an inch.
    for sizes, dimension in ((_SECONDS, (0, 1)), (_METRES, (1, 0))):
        size = _named(token, sizes)
        if size is not None:
            return size, dimension
    raise _unreadable(unit, where)


def _named(word: str, sizes: dict[str, float]) -> float | None:
    """Size of a unit with its prefix; abbreviations and full names do not mix."""
    for name, size in sizes.items():
        short = len(name) < 3 or name in ("sec", "min")
        # Of the abbreviations, trackers also write these in the plural: "hrs" is nothing else.
        plural = name + ("es" if name == "inch" else "s")
        spellings = (name, plural) if not short or name in ("sec", "min", "hr") else (name,)
        for prefix, scale in {"": 1.0, **(_SHORT_PREFIXES if short else _LONG_PREFIXES)}.items():
            if word in tuple(prefix + spelling for spelling in spellings):
                return scale * size
    return None


def _unreadable(unit: str, where: str) -> OutputError:
    return OutputError(f"{where}: '{shorten(unit)}' is not a unit allowed in WCON; use one such as mm, um, s or ms")
