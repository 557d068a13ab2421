"""Plain values as TOML text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any


def lines(values: Mapping[str, Any], prefix: str, about: Mapping[str, str]) -> list[str]:
    """One line per key.

    Args:
        values: plain values, lists and tables.
        prefix: of the keys in `about`.
        about: comment behind a key.
    """
    out = []
    for key, value in values.items():
        comment = about.get(prefix + key)
        out.append(f"{_bare(key)} = {literal(value)}" + (f"  # {comment}" if comment else ""))
    return out


def literal(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        # TOML knows neither surrogate pairs nor a bare delete.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if hasattr(value, "tolist"):  # a NumPy number or array
        return literal(value.tolist())
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(literal(each) for each in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_bare(key)} = {literal(each)}" for key, each in value.items()) + "}"
    return value.isoformat() if hasattr(value, "isoformat") else repr(value)


def _bare(key: str) -> str:
    """A key of TOML, in quotes where it needs them."""
    return key if re.fullmatch("[A-Za-z0-9_-]+", key) else literal(key)


_LINE = re.compile(r"\(at line (\d+), column")
_NUMBER = r"[-+]?\d[\d_.]*(e[-+]?\d+)?"
_HINTS = (
    (r"[^=]+=\s*(True|False|None|yes|no|on|off)\b.*", "write true or false, in small letters"),
    (rf"[^=]+=\s*{_NUMBER}\s*,\s*\d.*", "write a decimal point, not a comma"),
    (rf"[^=]+=\s*{_NUMBER}\s*[A-Za-z%].*", "write the number alone, without a unit"),
    (r"[^=]+=\s*[A-Za-z_*?].*", "put a text in quotes"),
    (r"[\w.\s]+:.*", "write key = value, with sections such as [arena], as tianbao run --print-config does"),
    (r"\s*\{.*", "this is JSON; write key = value, as tianbao run --print-config does"),
)


def hint(content: bytes, error: str) -> str:
    """What to do about a line that is no TOML, as the end of a sentence; nothing where the error says it.

    Args:
        content: of the file.
        error: as the parser says it, with the number of the line.
    """
    found = _LINE.search(error)
    lines = content.decode("utf-8-sig", "replace").splitlines()
    if not found or int(found[1]) > len(lines):
        return ""
    if "overwrite" in error or "twice" in error:
        return "; the same key stands there twice: keep one"
    line = lines[int(found[1]) - 1]
    return next((f"; {todo}" for pattern, todo in _HINTS if re.fullmatch(pattern, line)), "")
