"""Results of a protocol on a patched neuron."""

from __future__ import annotations

from dataclasses import dataclass

from .traces import Traces


@dataclass(frozen=True)
class Sweeps(Traces):
    """Recordings of one protocol, which can be plotted."""

    def plot(self, path, title: str | None = None):
        """Draw the traces and the I-V curve; returns the path."""
        from ..view.electrophysiology import sweeps

        return sweeps(self, path, title)
