"""Media and their drag, obstacles, fields that can be sensed, and the arena."""

from .arena import Arena
from .fields import Bath, Field, Gaussian, Given, Ring, field_of
from .lattice import Lattice
from .lawn import Lawn
from .medium import Medium
from .obstacles import Dish, Obstacle, Pillar, Plane, SignedDistance, pillar_array
from .replayed import circles, made_again, replayed
from .sources import Basin, Drop, Gradient, Plume

__all__ = [
    "Arena",
    "Basin",
    "Bath",
    "Dish",
    "Drop",
    "Field",
    "Gaussian",
    "Given",
    "Gradient",
    "Lattice",
    "Lawn",
    "Medium",
    "Obstacle",
    "Pillar",
    "Plane",
    "Plume",
    "Ring",
    "SignedDistance",
    "circles",
    "field_of",
    "made_again",
    "pillar_array",
    "replayed",
]
