"""The soft body: mesh, material, solver."""

from .material import Material
from .mesh import RingMesh
from .solver import SoftBody

__all__ = ["Material", "RingMesh", "SoftBody"]
