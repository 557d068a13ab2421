"""Places for many worms: drawn at random in a dish, none inside another."""

from __future__ import annotations

import math

import numpy as np

from .arguments import named_arguments
from .errors import ConfigError
from .rows import number, whole

CLEAR = 0.1  # [mm] between the axes of worms: a quarter more than their width, so that they may start bent
LENGTH = 1.0  # [mm] of a worm
_SWEEPS = 200  # moves tried for each worm, every fourth of them anywhere in the dish
_STEP, _TURN = 0.1, 0.3  # [mm], [rad] of a small move, at most

Placed = list[tuple[tuple[float, float, float], float]]


@named_arguments
def scattered(
    count: int, radius: float, *, centre: tuple[float, float] = (0.0, 0.0), seed: int = 1, clear: float = CLEAR
) -> Placed:
    """Places and headings of worms that lie straight in a round dish, at random.

    They are put side by side and then moved, one at a time, anywhere or a little, wherever that leaves room (a Monte
    Carlo of hard rods). In a dish that is nearly full they stay as parallel as rods of this density do.

    Args:
        count: of worms.
        radius: of the dish [mm].
        centre: its x and y [mm].
        seed: of the places.
        clear: least distance between the axes of two worms, and half of it from the wall [mm].

    Returns:
        Middle of the body [mm] and heading [rad], as `Worm` takes them.

    Raises:
        ConfigError: for values out of range, or if the worms do not fit.
    """
    whole(count, "scattered", "count", low=1)
    number(radius, "scattered", "radius", "mm", low=0.5 * LENGTH)
    number(clear, "scattered", "clear", "mm", low=0.01)
    random = np.random.default_rng(whole(seed, "scattered", "seed"))
    inside = radius - 0.5 * clear
    rows = _side_by_side(inside, clear)
    if count > len(rows):
        raise ConfigError(
            f"scattered: {count} worms do not fit into a dish of radius {radius:g} mm, {clear:g} mm apart, "
            f"but {len(rows)} do: give a wider dish, or fewer worms"
        )
    place = rows[np.sort(random.permutation(len(rows))[:count])]
    angle = random.choice([0.0, math.pi], count)
    for sweep in range(_SWEEPS):
        for k in range(count):
            if sweep % 4 == 0:
                new, turned = random.uniform(-inside, inside, 2), random.uniform(-math.pi, math.pi)
            else:
                new = place[k] + random.uniform(-_STEP, _STEP, 2)
                turned = math.remainder(angle[k] + random.uniform(-_TURN, _TURN), math.tau)
            ends = _ends(new[None], np.array([turned]))[0]
            near = np.abs(place - new).max(axis=1) < LENGTH + clear
            near[k] = False
            if np.hypot(*ends.T).max() <= inside and _is_free(ends, _ends(place[near], angle[near]), clear):
                place[k], angle[k] = new, turned
    x, y = (place + centre).T.tolist()
    return list(zip(zip(x, y, [0.0] * count, strict=True), angle.tolist(), strict=True))


def _side_by_side(inside: float, clear: float) -> np.ndarray:
    """Middles of worms that lie along x in rows within a circle [mm], shape (n, 2)."""
    found = []
    high = math.floor(inside / clear)
    for row in range(-high, high + 1):
        half = math.sqrt(max(inside**2 - (row * clear) ** 2, 0.0))
        many = math.floor((2.0 * half + clear) / (LENGTH + clear))
        found += [((k - 0.5 * (many - 1)) * (LENGTH + clear), row * clear) for k in range(many)]
    return np.array(found).reshape(-1, 2)


def _ends(place: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Both ends of straight worms [mm], shape (worms, 2, 2)."""
    half = 0.5 * LENGTH * np.column_stack([np.cos(angle), np.sin(angle)])
    return np.stack([place - half, place + half], axis=1)


def _is_free(one: np.ndarray, others: np.ndarray, clear: float) -> bool:
    """Whether a segment is at least this far from all others; two that do not cross are nearest at an end of one."""
    if not len(others):
        return True
    a, b = np.broadcast_to(one, others.shape), others
    nearest = min(_from_segment(a, b), _from_segment(b, a))
    crossing = (_side(a, b[:, 0]) * _side(a, b[:, 1]) < 0.0) & (_side(b, a[:, 0]) * _side(b, a[:, 1]) < 0.0)
    return nearest >= clear * (1.0 - 1e-6) and not crossing.any()


def _from_segment(segments: np.ndarray, ends: np.ndarray) -> float:
    """Least distance of ends from the segments of the same rows [mm]."""
    start, along = segments[:, None, 0], (segments[:, 1] - segments[:, 0])[:, None]
    share = np.clip(((ends - start) * along).sum(axis=2) / (along**2).sum(axis=2), 0.0, 1.0)
    return float(np.linalg.norm(ends - start - share[..., None] * along, axis=2).min())


def _side(segments: np.ndarray, points: np.ndarray) -> np.ndarray:
    """On which side of the lines through segments points lie, by sign."""
    along, away = segments[:, 1] - segments[:, 0], points - segments[:, 0]
    return along[:, 0] * away[:, 1] - along[:, 1] * away[:, 0]
