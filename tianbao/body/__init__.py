"""The soft body: mesh, material, solver, gradients."""

from .adjoint import BodyRollout
from .material import Material
from .mesh import RingMesh
from .solver import SoftBody

__all__ = ["Material", "RingMesh", "BodyRollout", "SoftBody"]
