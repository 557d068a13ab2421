"""The place an experiment happens in."""

from __future__ import annotations

from .medium import Medium


class Arena:
    """An unbounded plane filled with one medium."""

    def __init__(self, medium: Medium | str = "agar") -> None:
        """
        Args:
            medium: a medium, or the name of one in media.csv.

        Raises:
            ConfigError: for an unknown name.
        """
        self.medium = Medium.named(medium) if isinstance(medium, str) else medium
