"""The loop: one clock, what flows between brains and bodies, what looks on, and the simulation that users see."""

from ..clock import Clock
from .loop import Loop, Observation
from .simulation import Simulation

__all__ = ["Clock", "Loop", "Observation", "Simulation"]
