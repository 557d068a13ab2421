"""What the body and the arena tell the neurons."""

from .chemical import ChemicalSense, dendrite_tip
from .sense import Receptor, Seen, Sense, receptors, table_senses
from .stretch import StretchField, StretchSense, stretch_field

__all__ = [
    "ChemicalSense",
    "Receptor",
    "Seen",
    "Sense",
    "StretchField",
    "StretchSense",
    "dendrite_tip",
    "receptors",
    "stretch_field",
    "table_senses",
]
