"""The 95 body wall muscles: cells in the same network, and the tension they generate."""

from .cells import MuscleMembrane, muscle_section
from .tension import TensionMap

__all__ = ["MuscleMembrane", "TensionMap", "muscle_section"]
