"""Options of a run that a configuration file may hold: each is spelled and has its default in one place."""

from __future__ import annotations

from dataclasses import field
from typing import Any


def option(default: Any, about: str = "") -> Any:
    """A field of a frozen dataclass with the comment that a printed configuration carries.

    Args:
        default: its value, or what makes it.
        about: the comment; a section has none.
    """
    if callable(default):
        return field(default_factory=default, metadata={"about": about})
    return field(default=default, metadata={"about": about})
