"""The arrays of the soft body on the device: constants of the mesh, and the state of every worm."""

from __future__ import annotations

import numpy as np

from ..backend import array, zeros
from ..environment import Medium
from ..units import MG_PER_MM3_KG_M3, MS_PER_S
from . import calibration, kernels, observe, tissue
from .material import Material, constant
from .mesh import RingMesh

_ROUND_OFF = 1e-11


class Arrays:
    """What the steps of all worms read and write, with a leading axis of worms where it is theirs.

    Attributes:
        corners: local vertices of each tetrahedron in rising order, quadrant of its fibres, shape (slabs, tets, 5).
        elements: shape gradients [1/mm] and volume [mm3] of each, shape (slabs, tets, 13).
        slabs: shear modulus, viscosity, bulk modulus, rest volume, spring and length of the cuticle, shape (slabs, 6).
        section: see observe.section_weights.
        vertices: columns of kernels.WEIGHT and following, shape (vertices, 3).
        x: vertices in the frame of their worm [mm], shape (worms, vertices, 3); start: at the start of the step.
        velocity: in the last step [mm/s], same shape.
        tangent: axis of each ring that drag is split about, shape (worms, rings, 3).
        physics: constants of the step, see kernels.DT.
        status: of each worm's step, see kernels.ENERGY, shape (worms, STATUS).
        slack: no tension, shape (worms, slabs, 4).
    """

    def __init__(self, mesh: RingMesh, material: Material, medium: Medium, worms: int) -> None:
        """
        Args:
            mesh: of every worm.
            material: of its tissue.
            medium: around it.
            worms: number of worms.
        """
        shear = calibration.shear_moduli(mesh, material)
        self._load(mesh, material, medium, shear)
        count = len(mesh.vertices)
        self.x, self.start, self.velocity = (zeros(worms, count, 3) for _ in range(3))
        self.tangent = zeros(worms, mesh.rings, 3)
        self.physics = np.zeros(kernels.PHYSICS)
        self.physics[kernels.PUSH] = constant("contact_stiffness")
        self.physics[kernels.MARGIN] = constant("contact_margin")
        self.physics[kernels.SLOWEST] = constant("slowest_slip")
        self.status = np.zeros((worms, kernels.STATUS))
        self.status[:, kernels.FORCE_FLOOR] = _ROUND_OFF * float(shear.max() * mesh.radii.max() ** 2)
        self.status[:, kernels.SHIFT_UNIT] = 1e-4 * float(shear.mean() * mesh.length / mesh.slabs)
        self.slack = np.zeros((worms, mesh.slabs, 4))

    def _load(self, mesh: RingMesh, material: Material, medium: Medium, shear: np.ndarray) -> None:
        viscosity = 2.0 * shear * material.internal_viscosity_time / MS_PER_S
        rising = np.argsort(mesh.tets, axis=-1)
        tets = np.take_along_axis(mesh.tets, rising, axis=-1)
        gradients = np.take_along_axis(mesh.gradients, rising[..., None], axis=-2)
        flat = gradients.reshape(*mesh.volumes.shape, tissue.VOLUME)
        self.corners = array(np.concatenate([tets, mesh.fibres[..., None]], axis=-1).astype(np.int32))
        self.elements = array(np.concatenate([flat, mesh.volumes[..., None]], axis=-1))
        rest, long = mesh.volumes.sum(axis=1), np.full(mesh.slabs, mesh.length / mesh.slabs)
        springs = calibration.axial_springs(mesh, material)
        self.slabs = array(
            np.column_stack([shear, viscosity, material.bulk_ratio * shear, rest, springs, long])
        )
        self.section = array(observe.section_weights(mesh.section))
        volume = np.zeros(len(mesh.vertices))
        world = mesh.tets + mesh.ring_size * np.arange(mesh.slabs)[:, None, None]
        np.add.at(volume, world, 0.25 * mesh.volumes[..., None])
        excess = (constant("density") - medium.density) * MG_PER_MM3_KG_M3
        self.vertices = array(np.column_stack([mesh.vertex_length, mesh.vertices[:, 2], excess * volume]))
