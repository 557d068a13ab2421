"""What filled and stood in the arena of a run that is over: fields as the worms left them, obstacles near them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from ..errors import ConfigError
from .fields import Field, field_of
from .lattice import lattice_of

# Of a lattice that is drawn: what lies this near to a worm [mm], but no more pitches than that.
_DRAWN, _PITCHES = 1.5, 25.0
# Frames and rings that stand for all: a worm hardly moves, and is hardly longer, between two of them.
_FRAMES, _RINGS = 4000, 12


def made_again(tables: Sequence[Mapping[str, Any]]) -> list[Field]:
    """The fields that tables of a configuration describe, as they start; without those written in Python."""
    made = []
    for number, table in enumerate(tables, start=1):
        with suppress(ConfigError):
            made.append(field_of(table, f"field {number}"))
    return made


def replayed(tables: Sequence[Mapping[str, Any]], time: np.ndarray, midlines: Sequence[np.ndarray]) -> list[Field]:
    """The same fields after the worms have gone their way: what they ate is gone.

    A frame stands for the time since the one before it, so that frames of one tick give what the run itself had.

    Args:
        tables: of a configuration.
        time: of the frames [ms], shape (frames,).
        midlines: of every worm [mm], each of shape (frames, rings, 3).
    """
    made = made_again(tables)
    changing = [each for each in made if each.state()]
    if not changing or len({each.shape for each in midlines}) != 1:
        return made
    before = 0.0
    for frame, now in enumerate(time):
        lines = np.stack([each[frame] for each in midlines])
        for field in changing:
            field.step(now - before, lines)
        before = now
    return made


def circles(arena: Mapping[str, Any], midlines: Sequence[np.ndarray]) -> np.ndarray:
    """Pillars and dishes that a configuration describes, and of its lattices the pillars near the worms.

    Args:
        arena: section of a configuration; what cannot be read in it is left out.
        midlines: of every worm [mm], each of shape (frames, rings, 3).

    Returns:
        x, y, radius [mm] and whether it is hollow, shape (circles, 4).
    """
    kinds = {"pillars": 0.0, "dishes": 1.0}
    found = [[*row[:3], hollow] for kind, hollow in kinds.items() for row in _rows(arena.get(kind))]
    tables = arena.get("lattices")
    for table in tables if isinstance(tables, (list, tuple)) else ():
        with suppress(ConfigError):
            lattice = lattice_of(table, "arena.lattices")
            seen = [each[:: max(1, len(each) // _FRAMES), ::_RINGS, :2].reshape(-1, 2) for each in midlines]
            axes = lattice.near(np.concatenate(seen), min(_DRAWN, _PITCHES * lattice.pitch)) if seen else ()
            found += [[x, y, lattice.radius, 0.0] for x, y in axes]
    return np.array(found, float).reshape(-1, 4)


def _rows(given: object) -> list[list[float]]:
    """Rows of at least three numbers, of what a file says."""
    rows = [row for row in given if isinstance(row, list) and len(row) > 2] if isinstance(given, list) else []
    return [row for row in rows if all(type(each) in (int, float) for each in row[:3])]
