"""The soft body: mesh, material, solver, gradients."""

from .adjoint import Rollout
from .material import Material
from .mesh import RingMesh
from .solver import SoftBody

__all__ = ["Material", "RingMesh", "Rollout", "SoftBody"]
