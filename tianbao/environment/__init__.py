"""Media and their drag, obstacles, and the arena."""

from .arena import Arena
from .medium import Medium
from .obstacles import Dish, Obstacle, Pillar, Plane, SignedDistance, pillar_array

__all__ = ["Arena", "Dish", "Medium", "Obstacle", "Pillar", "Plane", "SignedDistance", "pillar_array"]
