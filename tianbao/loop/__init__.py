"""The loop: what flows between brains and bodies, its observers, and the simulation that users see."""

from ..clock import Clock
from .loop import Loop, Observation
from .simulation import Simulation

__all__ = ["Clock", "Loop", "Observation", "Simulation"]
