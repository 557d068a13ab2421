"""Numbers that describe obstacles: lengths and places, checked where they are given."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real

import numpy as np

from ..errors import ConfigError, shorten

LARGEST = 1e6
"""The largest length [mm] or friction that an obstacle may have."""


def settle(obstacle: object, name: str, value: object) -> None:
    """Set an attribute of a frozen obstacle while it is made."""
    object.__setattr__(obstacle, name, value)


def checked_number(what: str, name: str, value: float, positive: bool = False) -> float:
    """A finite number that is not negative, or positive.

    Raises:
        ConfigError: for anything else.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ConfigError(f"{what}: {name} = {shorten(repr(value))} must be a number")
    if not 0.0 <= value <= LARGEST or (positive and value == 0.0):
        kind = "positive number" if positive else "number that is not negative"
        raise ConfigError(f"{what}: {name} = {shorten(value)} must be a {kind}, at most {LARGEST:g}")
    return float(value)


def checked_vector(what: str, name: str, value: Sequence[float], size: int) -> tuple[float, ...]:
    """A given number of finite numbers.

    Raises:
        ConfigError: for anything else.
    """
    numbers = list(value) if isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str) else []
    good = all(isinstance(each, Real) and not isinstance(each, bool) and abs(each) <= LARGEST for each in numbers)
    if len(numbers) != size or not good:
        raise ConfigError(f"{what}: {name} = {shorten(value)} must be {size} finite numbers, none beyond {LARGEST:g}")
    return tuple(map(float, numbers))
