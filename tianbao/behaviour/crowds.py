"""How worms that share a dish are spread: who touches whom, clusters, and how many keep to the wall.

Lines are midlines of all worms at one moment [mm], head first, shape (worms, points, 3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..body.mesh import RingMesh

TOUCHING = 0.02
"""Gap between two surfaces up to which worms count as touching [mm]; assumed, a quarter of their width."""
BORDER = 0.25
"""Distance from the wall within which a worm counts as at the border [mm]; assumed, a quarter of its length."""


@dataclass(frozen=True)
class Spread:
    """How a crowd is spread at one moment.

    Attributes:
        touching: share of worms that touch another [1].
        neighbours: worms that one touches, mean [1].
        largest: worms in the largest cluster [1].
        aligned: mean of cos(2 a) over pairs that touch, a the angle between their bodies: 1 side by side, 0 at
            random [1]; NaN if none do.
        depth: by which surfaces at rest enter each other, at most [mm].
    """

    touching: float
    neighbours: float
    largest: int
    aligned: float
    depth: float


def gaps(lines: np.ndarray, within: float = TOUCHING) -> np.ndarray:
    """Gaps between the surfaces of worms at rest, less than 0 where they are squeezed.

    Args:
        lines: see above.
        within: gaps above it are not sought [mm].

    Returns:
        [mm], shape (worms, worms); infinite for wider gaps, and for a worm with itself.
    """
    from scipy.spatial import cKDTree

    worms, points = lines.shape[:2]
    radius = np.interp(np.linspace(0.0, 1.0, points), *_surface())
    found = np.full((worms, worms), math.inf)
    flat = lines.reshape(-1, 3)
    seen = np.flatnonzero(np.isfinite(flat).all(axis=1))
    near = seen[cKDTree(flat[seen]).query_pairs(2.0 * radius.max() + within, output_type="ndarray")]
    a, b = near[near[:, 0] // points != near[:, 1] // points].T
    gap = np.linalg.norm(flat[a] - flat[b], axis=1) - radius[a % points] - radius[b % points]
    np.minimum.at(found, (a // points, b // points), gap)
    found = np.minimum(found, found.T)
    found[found > within] = math.inf
    return found


def spread(lines: np.ndarray) -> Spread:
    """How a crowd is spread at one moment; see `Spread`."""
    from scipy.sparse.csgraph import connected_components

    gap = gaps(lines)
    touch = gap <= TOUCHING
    cluster = np.bincount(connected_components(touch, directed=False)[1])
    body = lines[:, 0, :2] - lines[:, -1, :2]
    angle = np.arctan2(body[:, 1], body[:, 0])
    a, b = np.nonzero(np.triu(touch))
    return Spread(
        touching=float(touch.any(axis=1).mean()),
        neighbours=float(touch.sum(axis=1).mean()),
        largest=int(cluster.max()),
        aligned=float(np.cos(2.0 * (angle[a] - angle[b])).mean()) if len(a) else math.nan,
        depth=float(max(0.0, -gap.min())),
    )


def at_border(lines: np.ndarray, radius: float, border: float = BORDER) -> float:
    """Share of worms' lengths that lie near the wall of a dish, its middle at 0 [1].

    Args:
        lines: see above.
        radius: of the dish [mm].
        border: what counts as near [mm].
    """
    return float((np.linalg.norm(lines[..., :2], axis=-1) >= radius - border).mean())


def border_by_chance(radius: float, border: float = BORDER) -> float:
    """Share of the area of a dish that lies near its wall [1]."""
    return 1.0 - (max(radius - border, 0.0) / radius) ** 2


@cache
def _surface() -> tuple[np.ndarray, np.ndarray]:
    """Radius of the adult's surface along its body: coordinate from nose to tail [1], and radius [mm]."""
    radii = RingMesh.adult().surface_radii
    return np.linspace(0.0, 1.0, len(radii)), radii
