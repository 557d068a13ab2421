"""Every sensory ending that is a point process of its own: those that read a field, and those that are touched."""

from __future__ import annotations

from functools import cache

from .sense import Receptor, receptors, sense_units, table_senses
from .touch import UNIT, TouchReceptor, TouchSense, touch_receptors

Ending = Receptor | TouchReceptor


@cache
def endings() -> dict[str, tuple[Ending, ...]]:
    """Sense -> its endings, in the order of its part of the brain's input."""
    return {**{sense: receptors(sense) for sense in table_senses()}, TouchSense.name: touch_receptors()}


def ending_units() -> dict[str, str]:
    """Sense -> unit of what its endings read."""
    return {**sense_units(), TouchSense.name: UNIT}
