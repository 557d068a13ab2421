"""Media and their drag, obstacles, fields that can be sensed, and the arena."""

from .arena import Arena
from .fields import Bath, Field, Gaussian, field_of
from .medium import Medium
from .obstacles import Dish, Obstacle, Pillar, Plane, SignedDistance, pillar_array

__all__ = [
    "Arena",
    "Bath",
    "Dish",
    "Field",
    "Gaussian",
    "Medium",
    "Obstacle",
    "Pillar",
    "Plane",
    "SignedDistance",
    "field_of",
    "pillar_array",
]
