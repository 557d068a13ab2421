"""What the body and the arena tell the neurons."""

from .chemical import ChemicalSense, GasSense, ThermalSense, dendrite_tip
from .sense import Receptor, Seen, Sense, receptors, sense_units, table_senses
from .stretch import StretchField, StretchSense, stretch_field

__all__ = [
    "ChemicalSense",
    "GasSense",
    "Receptor",
    "Seen",
    "Sense",
    "StretchField",
    "StretchSense",
    "ThermalSense",
    "dendrite_tip",
    "receptors",
    "sense_units",
    "stretch_field",
    "table_senses",
]
