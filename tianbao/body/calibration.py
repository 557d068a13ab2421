"""Calibrates every mesh to the same bending stiffness: shear modulus and fibre tension from its linear bending.

Flat tetrahedra are too stiff in bending, by an amount that depends on the length of a slab relative to its
radius and on the taper. The mesh itself is therefore bent once when a body is built: a pure
moment gives the bending stiffness at every ring, the fibres give the moment of a tension. The cuticle's
resistance to shortening is not involved: sections are symmetric, so that bending does not change the distance
between the centres of rings.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.linalg import solveh_banded

from ..units import UN_MM2_PER_N_M2, UN_PER_N
from .material import Material
from .mesh import SIDES, RingMesh

_ROUNDS = 4
_PINNING = 1e-9


def stiffness_band(
    mesh: RingMesh, shear: np.ndarray, bulk_ratio: float, springs: np.ndarray | float = 0.0
) -> np.ndarray:
    """Linear stiffness at rest, in the lower banded storage of scipy.linalg.

    Args:
        mesh: any ring mesh.
        shear: shear modulus of each slab [Pa], shape (slabs,).
        bulk_ratio: bulk over shear modulus [-].
        springs: see axial_springs [uN/mm], shape (slabs,).

    Returns:
        [uN/mm], shape (6 ring_size, 3 vertices): entry (i - j, j) of the vertex-major matrix.
    """
    apart = _apart(mesh)
    unit = _unit_slabs(mesh, bulk_ratio) * shear[:, None, None]
    unit += np.multiply.outer(np.broadcast_to(springs, mesh.slabs), np.outer(apart, apart))
    size, width = 3 * len(mesh.vertices), 6 * mesh.ring_size
    band = np.zeros((width, size))
    rows, columns = np.tril_indices(width)
    first = 3 * mesh.ring_size * np.arange(mesh.slabs)[:, None]
    np.add.at(band, (np.broadcast_to(rows - columns, (mesh.slabs, len(rows))), first + columns),
              unit[:, rows, columns])  # fmt: skip
    return band


@lru_cache(maxsize=4)
def _unit_slabs(mesh: RingMesh, bulk_ratio: float) -> np.ndarray:
    """Stiffness of each slab for a shear modulus of 1 Pa [mm], shape (slabs, 6 ring_size, 6 ring_size)."""
    inner = np.einsum("seai,seci->seac", mesh.gradients, mesh.gradients)
    blocks = np.einsum("seac,ij->seaicj", inner, np.eye(3))
    blocks += np.einsum("seaj,seci->seaicj", mesh.gradients, mesh.gradients)
    blocks *= mesh.volumes[..., None, None, None, None]
    dofs = (3 * mesh.tets[..., None] + np.arange(3)).reshape(mesh.slabs, -1, 12)
    slab = np.arange(mesh.slabs)[:, None]
    width = 6 * mesh.ring_size
    matrices = np.zeros((mesh.slabs, width, width))
    np.add.at(matrices, (slab[..., None, None], dofs[..., :, None], dofs[..., None, :]),
              blocks.reshape(*dofs.shape, 12))  # fmt: skip
    swell = np.zeros((mesh.slabs, width))
    weighted = (mesh.volumes[..., None, None] * mesh.gradients).reshape(dofs.shape)
    np.add.at(swell, (slab[..., None], dofs), weighted)
    rest = mesh.volumes.sum(axis=1)
    return matrices + bulk_ratio * np.einsum("si,sj,s->sij", swell, swell, 1.0 / rest)


def _apart(mesh: RingMesh) -> np.ndarray:
    """Change of the distance between the centres of a slab's rings per displacement [-], shape (6 ring_size,)."""
    share = np.zeros((2, mesh.ring_size, 3))
    share[0, -SIDES:, 0], share[1, -SIDES:, 0] = 1.0 / SIDES, -1.0 / SIDES
    return share.ravel()


def _end_moments(mesh: RingMesh) -> np.ndarray:
    """Forces of a dorsal moment of 1 uN mm on both tips [uN], shape (vertices, 3)."""
    forces = np.zeros_like(mesh.vertices)
    size = mesh.ring_size
    for ring, sign in ((slice(None, size), -1.0), (slice(-size, None), 1.0)):
        height = mesh.vertices[ring, 1]
        forces[ring, 0] = sign * height / (height**2).sum()
    return forces


def _dorsal_pull(mesh: RingMesh, tension: np.ndarray) -> np.ndarray:
    """Forces of a dorsal minus ventral tension [Pa] of each slab [uN], shape (vertices, 3)."""
    side = np.select([mesh.fibres < 0, mesh.fibres < 2], [0.0, 0.5], -0.5)
    axial = -(side * mesh.volumes * tension[:, None])[..., None] * mesh.gradients[..., 0]
    forces = np.zeros_like(mesh.vertices)
    np.add.at(forces[:, 0], mesh.tets + mesh.ring_size * np.arange(mesh.slabs)[:, None, None], axial)
    return forces


def _curvature(mesh: RingMesh, band: np.ndarray, forces: np.ndarray) -> np.ndarray:
    """Dorsal curvature at the inner rings under balanced forces [1/mm], shape (rings - 2,)."""
    # Balanced forces leave the rigid motion undetermined: weak pinning selects one solution.
    pinned = band.copy()
    pinned[0] += _PINNING * band[0].mean()
    moved = solveh_banded(pinned, forces.ravel(), lower=True).reshape(mesh.rings, mesh.ring_size, 3)
    height = moved[:, -SIDES:, 1].mean(axis=1)
    return np.diff(height, 2) / (mesh.length / mesh.slabs) ** 2


def _on_slabs(rings: np.ndarray) -> np.ndarray:
    """Values at the inner rings interpolated to the slabs between them."""
    ends = np.concatenate([rings[:1], rings, rings[-1:]])
    return 0.5 * (ends[1:] + ends[:-1])


@lru_cache(maxsize=16)
def _calibrated(mesh: RingMesh, taper_exponent: float, bulk_ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Shear modulus and tension of each slab for a mid-body EI of 1 uN mm2, and kappa L = 1."""
    wanted = (mesh.radii[1:-1] / mesh.radii.max()) ** taper_exponent
    radii = mesh.slab_radii
    shear = (radii / mesh.radii.max()) ** taper_exponent / (0.5 * np.pi * radii**4)
    tension = shear * radii / mesh.length
    for _ in range(_ROUNDS):
        bent = _curvature(mesh, stiffness_band(mesh, shear, bulk_ratio), _end_moments(mesh))
        shear = shear * _on_slabs(bent * wanted)
    band = stiffness_band(mesh, shear, bulk_ratio)
    for _ in range(_ROUNDS):
        bent = _curvature(mesh, band, _dorsal_pull(mesh, tension))
        tension = tension / _on_slabs(bent * mesh.length)
    return shear, tension


def shear_moduli(mesh: RingMesh, material: Material) -> np.ndarray:
    """Shear modulus of each slab [Pa] that gives the mesh its bending stiffness, shape (slabs,)."""
    shear, _ = _calibrated(mesh, material.taper_exponent, material.bulk_ratio)
    return material.bending_stiffness_n_m2 * UN_MM2_PER_N_M2 * shear


def tension_per_curvature(mesh: RingMesh, material: Material) -> np.ndarray:
    """Dorsal minus ventral tension that bends a free body to kappa L = 1.

    Returns:
        [Pa], shape (slabs,).
    """
    _, tension = _calibrated(mesh, material.taper_exponent, material.bulk_ratio)
    return material.bending_stiffness_n_m2 * UN_MM2_PER_N_M2 * tension


def axial_springs(mesh: RingMesh, material: Material) -> np.ndarray:
    """Spring constant of each slab's cuticle [uN/mm], shape (slabs,): its EA over its length.

    EA depends on the radius as in a thin shell, EA = 2 EI / R^2, and so does that of the tissue. The force of
    muscles that bend a worm uniformly is proportional to R^2: the tips shorten less than the middle.
    """
    share = (mesh.slab_radii / mesh.radii.max()) ** (material.taper_exponent - 2.0)
    return material.axial_stiffness_n * UN_PER_N * share * mesh.slabs / mesh.length
