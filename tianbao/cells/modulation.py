"""Slow modulation of conductances: a number from outside that multiplies those of chosen instances.

Every channel density and graded synapse of mod/ has a POINTER `modulation`, which counts where its RANGE parameter
`modulated` is not 0. One number may serve many instances: a modulator and the group of cells that it reaches.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

MODULATION, MODULATED = "modulation", "modulated"
"""The POINTER, and the RANGE parameter that says whether it counts."""


def modulate(instance, reference) -> None:
    """Let a number multiply the conductance of an instance from the next start of a run on.

    Args:
        instance: point process, or density mechanism of a segment such as `segment.egl19`.
        reference: of the number, such as `vector._ref_x[0]`; NEURON keeps no vector alive for it.
    """
    setattr(instance, f"_ref_{MODULATION}", reference)
    setattr(instance, MODULATED, 1.0)


def point_at_one(sections: Iterable) -> None:
    """Let `modulation` of every density in these sections that points to nothing point at 1.

    It does not count, but NEURON's `psection()` reads it and refuses a POINTER that points to nothing.

    Args:
        sections: NEURON Sections.
    """
    for section in sections:
        names = [each.name() for each in section(0.5) if hasattr(each, MODULATED)]
        for instance in (getattr(segment, name) for segment in section for name in names):
            if not hasattr(instance, MODULATION):
                setattr(instance, f"_ref_{MODULATION}", _one()._ref_x[0])


@cache
def _one():
    from neuron import h

    return h.Vector([1.0])
