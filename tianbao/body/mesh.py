"""A worm as a stack of rings: the tetrahedral mesh and its radius profile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from ..rows import whole
from .material import constant

SIDES = 8
QUADRANTS = ("DL", "DR", "VL", "VR")
_LEAST_SLABS, _MOST_SLABS = 12, 1000


def radius_profile(s: np.ndarray) -> np.ndarray:
    """Radius of an adult along the body.

    Args:
        s: body coordinate [-], nose 0 to tail 1.

    Returns:
        Radius [mm], same shape.

    Source: Boyle, Berri and Cohen 2012, cut off at the tips (body.csv).
    """
    half_segments = 24.0
    u = (2.0 * s - 1.0) * half_segments / (half_segments + constant("profile_overhang"))
    share = np.sqrt(np.maximum(1.0 - u * u, 0.0))
    return constant("radius") * np.maximum(share, constant("tip_radius"))


def _check_slabs(slabs: int) -> None:
    whole(slabs, "mesh", "slabs", low=_LEAST_SLABS, high=_MOST_SLABS)


def _section(layers: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit cross-section of concentric octagons: vertices (1 + 8 layers, 2) as (dorsal, right), triangles.

    The polygon is scaled to the area of its circle; otherwise the worm would lose a tenth of its volume.
    Every triangle lists its corners in one order of all vertices (centre, even and odd corners of the
    first octagon, odd and even ones of the next, ...): this order determines how prisms are divided and makes
    the result symmetric in the dorsoventral and the left-right direction.
    """
    angle = 2.0 * np.pi * np.arange(SIDES) / SIDES
    grow = np.sqrt(np.pi / (0.5 * SIDES * np.sin(2.0 * np.pi / SIDES)))
    corners = grow * np.column_stack([np.cos(angle), np.sin(angle)])
    first = np.arange(SIDES)
    second = (first + 1) % SIDES
    even = np.where(first % 2 == 0, first, second)
    odd = np.where(first % 2 == 0, second, first)
    triangles = [np.column_stack([np.zeros(SIDES, int), 1 + even, 1 + odd])]
    low, high = 1 + even, 1 + odd
    for _ in range(1, layers):
        # The diagonal runs from the lower inner corner to the opposite outer one.
        triangles.append(np.column_stack([low, high, high + SIDES]))
        triangles.append(np.column_stack([low, high + SIDES, low + SIDES]))
        low, high = high + SIDES, low + SIDES
    shells = [corners * np.sqrt((layer + 1) / layers) for layer in range(layers)]
    return np.vstack([[[0.0, 0.0]], *shells]), np.concatenate(triangles)


def _slab_tets(triangles: np.ndarray, ring: int) -> np.ndarray:
    """The tetrahedra of a slab in local vertices, three per prism.

    All slabs are divided in the same way: alternating divisions make every other ring twice as flexible.
    """
    p, q, w = triangles.T
    cuts = ([p, q, w, w + ring], [p, q, w + ring, q + ring], [p, q + ring, w + ring, p + ring])
    return np.concatenate([np.column_stack(cut)[:, None] for cut in cuts], axis=1).reshape(-1, 4)


def _quadrants(vertices: np.ndarray, tets: np.ndarray, ring: int) -> np.ndarray:
    """Quadrant of the fibres in each tetrahedron, -1 if the tissue is not muscle."""
    centre = vertices[tets].mean(axis=-2)
    quadrant = 2 * (centre[..., 1] < 0.0) + (centre[..., 2] > 0.0)
    surface = (tets % ring >= ring - SIDES).sum(axis=-1) >= 3
    return np.where(surface, quadrant, -1)


@dataclass(frozen=True, eq=False)
class RingMesh:
    """Straight worm at rest: head at larger x, dorsal +y, right +z, centred on the origin.

    Attributes:
        vertices: rest positions [mm], shape (rings * ring_size, 3); the first of each ring is its centre, the
            last eight are its surface.
        tets: local vertices (two rings) of each tetrahedron of each slab, shape (slabs, 24 (2 layers - 1), 4).
        gradients: shape function gradients at rest [1/mm], shape (slabs, tets, 4, 3).
        volumes: rest volumes [mm3], shape (slabs, tets).
        fibres: quadrant of each tetrahedron's fibres, DL, DR, VL, VR as 0..3 or -1 for none,
            shape (slabs, tets).
        length: rest length [mm].
        radii: radius of each ring [mm], shape (rings,).
    """

    vertices: np.ndarray
    tets: np.ndarray
    gradients: np.ndarray
    volumes: np.ndarray
    fibres: np.ndarray
    length: float
    radii: np.ndarray

    @classmethod
    def adult(cls, slabs: int = 48, layers: int = 1) -> RingMesh:
        """The adult hermaphrodite; 48 slabs are two per muscle row.

        Args:
            slabs: along the axis.
            layers: octagons in each cross-section.

        Raises:
            ConfigError: for fewer than 12 or more than 1000 slabs, or no layer.
        """
        _check_slabs(slabs)
        return cls.build(constant("length"), radius_profile(np.linspace(0.0, 1.0, slabs + 1)), layers)

    @classmethod
    def build(cls, length: float, radii: np.ndarray, layers: int = 1) -> RingMesh:
        """A mesh with any radius profile.

        Args:
            length: [mm].
            radii: radius of each ring [mm], nose first, shape (slabs + 1,).
            layers: octagons in each cross-section.
        """
        radii = np.asarray(radii, float)
        slabs = len(radii) - 1
        _check_slabs(slabs)
        if not length > 0.0 or not (radii > 0.0).all():
            raise ConfigError(f"mesh: length {length:g} mm and every radius must be positive")
        if layers < 1:
            raise ConfigError(f"mesh: layers = {layers} cannot be used; give at least 1")
        section, triangles = _section(layers)
        ring = len(section)
        vertices = np.zeros((slabs + 1, ring, 3))
        vertices[:, :, 0] = length * (0.5 - np.arange(slabs + 1) / slabs)[:, None]
        vertices[:, :, 1:] = section * radii[:, None, None]
        vertices = vertices.reshape(-1, 3)
        tets = np.tile(_slab_tets(triangles, ring), (slabs, 1, 1))
        world = tets + ring * np.arange(slabs)[:, None, None]
        tets, gradients, volumes = _oriented(vertices, tets, world)
        world = tets + ring * np.arange(slabs)[:, None, None]
        return cls(vertices, tets, gradients, volumes, _quadrants(vertices, world, ring), length, radii)

    @property
    def slabs(self) -> int:
        """Number of slabs."""
        return len(self.radii) - 1

    @property
    def ring_size(self) -> int:
        """Vertices of a ring."""
        return len(self.vertices) // self.rings

    @property
    def section(self) -> np.ndarray:
        """(dorsal, right) of the vertices of a ring of unit radius, shape (ring_size, 2)."""
        return self.vertices[: self.ring_size, 1:] / self.radii[0]

    @property
    def surface_radii(self) -> np.ndarray:
        """Distance of each ring's corners from its centre [mm], shape (rings,)."""
        return self.radii * np.hypot(*self.section.T).max()

    @property
    def rings(self) -> int:
        """Number of rings, one more than slabs."""
        return len(self.radii)

    @property
    def slab_radii(self) -> np.ndarray:
        """Mean radius of each slab [mm], shape (slabs,)."""
        return 0.5 * (self.radii[1:] + self.radii[:-1])

    @property
    def vertex_length(self) -> np.ndarray:
        """Body length assigned to each vertex in the drag [mm], shape (vertices,); 0 for inner vertices."""
        share = np.full(self.rings, self.length / self.slabs)
        share[[0, -1]] *= 0.5
        weights = np.repeat(share[:, None] / SIDES, self.ring_size, axis=1)
        weights[:, :-SIDES] = 0.0
        return weights.ravel()


def _oriented(vertices: np.ndarray, tets: np.ndarray, world: np.ndarray) -> tuple[np.ndarray, ...]:
    """Tetrahedra of positive volume with their shape gradients and volumes."""
    swapped = tets[..., [0, 2, 1, 3]]
    edges = vertices[world[..., 1:]] - vertices[world[..., :1]]
    negative = np.linalg.det(edges) < 0.0
    tets = np.where(negative[..., None], swapped, tets)
    edges = np.where(negative[..., None, None], edges[..., [1, 0, 2], :], edges)
    inverse = np.linalg.inv(np.swapaxes(edges, -1, -2))
    gradients = np.concatenate([-inverse.sum(axis=-2, keepdims=True), inverse], axis=-2)
    return tets, gradients, np.linalg.det(edges) / 6.0
