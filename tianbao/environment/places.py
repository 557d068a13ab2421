"""Several sources of one substance: where they are, and the sum of what each gives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import ConfigError, shorten
from ..rows import number, numbers
from .lengths import LARGEST

_MOST = 100_000
# Pairs of points and sources that are in memory at the same time.
_PAIRS = 200_000


def checked_places(given: object, where: str) -> tuple[tuple[float, ...], ...]:
    """Places of sources as a user gives them: x, y, z from the centre [mm] and, if given, a share of the strength.

    Raises:
        ConfigError: for what is not a list of three or four numbers each, or more than 100,000.
    """
    if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
        wanted = "a list of x, y, z in mm, each with a share of the strength behind it if it differs"
        raise ConfigError(f"{where}: 'places' = {shorten(repr(given))} must be {wanted}")
    listed = list(given)
    if len(listed) > _MOST:
        raise ConfigError(f"{where}: 'places' lists {len(listed)} sources, more than {_MOST}; give fewer")
    found = []
    for each in listed:
        size = 4 if hasattr(each, "__len__") and not isinstance(each, str) and len(each) == 4 else 3
        place = numbers(each, where, "places", size, "mm", most=LARGEST)
        if size == 4:
            number(place[3], where, "share of a source", "", low=0.0, high=LARGEST)
        found.append(place)
    return tuple(found)


def middles_of(
    centre: tuple[float, float, float], places: tuple[tuple[float, ...], ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Where sources are [mm], shape (sources, 3), and the share of the strength that each has, shape (sources,)."""
    rows = places or ((0.0, 0.0, 0.0),)
    shares = np.array([row[3] if len(row) == 4 else 1.0 for row in rows])
    return np.array([row[:3] for row in rows], float) + centre, shares


def summed(
    points: np.ndarray, middles: np.ndarray, shares: np.ndarray, of_one: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """What all sources give together.

    Args:
        points: [mm], shape (..., 3).
        middles: of the sources [mm], shape (sources, 3).
        shares: of each in the strength, shape (sources,).
        of_one: what a source gives at vectors from it [mm], from shape (..., 3) to (...).

    Returns:
        Shape (...).
    """
    points = np.asarray(points, float)
    if len(middles) == 1:
        return shares[0] * of_one(points - middles[0])
    if points.size * len(middles) <= 3 * _PAIRS:
        return of_one(points[..., None, :] - middles) @ shares
    flat = points.reshape(-1, 3)
    step = max(1, _PAIRS // len(middles))
    parts = [of_one(flat[k : k + step, None] - middles) @ shares for k in range(0, len(flat), step)]
    return np.concatenate(parts).reshape(points.shape[:-1])


def squared(away: np.ndarray) -> np.ndarray:
    """Squared lengths of vectors, shape (..., 3) or (..., 2) to (...)."""
    if away.ndim < 3:
        return np.square(away).sum(axis=-1)
    return np.einsum("...i,...i", away, away)  # in one go for many sources
