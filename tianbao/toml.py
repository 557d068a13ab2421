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
