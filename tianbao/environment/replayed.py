"""Fields of a run that is over, made again as the worms left them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from ..errors import ConfigError
from .fields import Field, field_of


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
