"""The 95 body wall muscles: cells in the same network, and the tension they generate."""

from .active import ActiveMembrane
from .cells import MuscleMembrane, muscle_section
from .tension import TensionMap

MUSCLES = ("passive", "active")
"""Membranes that the body wall muscles of a worm may have."""

__all__ = ["MUSCLES", "ActiveMembrane", "MuscleMembrane", "TensionMap", "muscle_section"]
