"""What the body and the arena tell the neurons."""

from .chemical import ChemicalSense, FoodSense, GasSense, ThermalSense, dendrite_tip
from .endings import Ending, ending_units, endings
from .sense import Receptor, Seen, Sense, receptors, sense_units, table_senses
from .stretch import StretchField, StretchSense, stretch_field
from .touch import TouchReceptor, TouchSense, touch_receptors

__all__ = [
    "ChemicalSense",
    "Ending",
    "FoodSense",
    "GasSense",
    "Receptor",
    "Seen",
    "Sense",
    "StretchField",
    "StretchSense",
    "ThermalSense",
    "TouchReceptor",
    "TouchSense",
    "dendrite_tip",
    "ending_units",
    "endings",
    "receptors",
    "sense_units",
    "stretch_field",
    "table_senses",
    "touch_receptors",
]
