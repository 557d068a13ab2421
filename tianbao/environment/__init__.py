"""Media, their drag, and the arena."""

from .arena import Arena
from .medium import Medium

__all__ = ["Arena", "Medium"]
