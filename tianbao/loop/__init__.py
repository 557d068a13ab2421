"""The loop: one clock, the exchange buffers, recording."""

from .simulation import Clock, Simulation

__all__ = ["Clock", "Simulation"]
