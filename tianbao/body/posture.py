"""Initial postures: the rest mesh bent without stretching its axis."""

from __future__ import annotations

import numpy as np

from ..errors import ConfigError
from .mesh import RingMesh


def bent(
    mesh: RingMesh, curvature: float | np.ndarray, at: tuple[float, ...], heading: float
) -> np.ndarray:
    """Vertices of a worm with a given curvature, its cross-sections kept rigid.

    Args:
        mesh: the straight worm.
        curvature: kappa L, positive towards dorsal [-], one value or one per inner ring.
        at: centroid of the midline [mm], x, y and, unless it is 0, z.
        heading: direction from tail to head, counter-clockwise from +x [rad].

    Returns:
        Positions [mm], shape (vertices, 3).

    Raises:
        ConfigError: for a wrong number of values, or a radius of curvature smaller than the worm's radius.
    """
    kappa = np.asarray(curvature, float)
    if kappa.shape not in ((), (mesh.rings - 2,)):
        raise ConfigError(f"pose: curvature has shape {kappa.shape}; give one value or ({mesh.rings - 2},)")
    kappa = np.broadcast_to(kappa, mesh.rings - 2) / mesh.length
    if not (np.abs(kappa) * mesh.radii[1:-1] < 1.0).all():
        raise ConfigError("pose: curvature is not finite or folds the body onto itself; give smaller values")
    step = mesh.length / mesh.slabs
    # The direction of a slab points towards the tail; dorsal bending rotates it clockwise.
    turn = np.pi - np.concatenate([[0.0], np.cumsum(kappa * step)])
    slabs = step * np.column_stack([np.cos(turn), np.sin(turn)])
    middle = np.concatenate([[[0.0, 0.0]], np.cumsum(slabs, axis=0)])
    chord = middle[0] - middle[-1]
    swing = heading - np.arctan2(chord[1], chord[0])
    turn = turn + swing
    rotation = np.array([[np.cos(swing), -np.sin(swing)], [np.sin(swing), np.cos(swing)]])
    middle = (middle - middle.mean(axis=0)) @ rotation.T + np.asarray(at[:2], float)
    across = np.concatenate([turn[:1], 0.5 * (turn[1:] + turn[:-1]), turn[-1:]])
    dorsal = np.column_stack([np.sin(across), -np.cos(across)])
    rest = mesh.vertices.reshape(mesh.rings, mesh.ring_size, 3)
    posed = np.empty_like(rest)
    posed[..., :2] = middle[:, None] + rest[..., 1:2] * dorsal[:, None]
    posed[..., 2] = rest[..., 2] + (at[2] if len(at) > 2 else 0.0)
    return posed.reshape(-1, 3)


def frame_of(positions: np.ndarray) -> np.ndarray:
    """Origin near each worm [mm], whole millimetres in the plane and 0 in height, shape (worms, 3)."""
    middle = np.round(np.nan_to_num(positions.mean(axis=1), posinf=0.0, neginf=0.0))
    return middle * [1.0, 1.0, 0.0]


def of_shape(name: str, value: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A copy as float64.

    Raises:
        ConfigError: for another shape.
    """
    value = np.array(value, float)
    if value.shape != shape:
        raise ConfigError(f"body: {name} have shape {value.shape}; give {shape}")
    return value
