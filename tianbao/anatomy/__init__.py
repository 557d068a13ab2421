"""Anatomy: neurons, muscles, wiring tables, traced morphologies and the straightened body frame."""

from __future__ import annotations

from .frame import BodyCoordinates, BodyFrame
from .morphology import Morphology, SectionPath, morphology, read_swc
from .tables import (
    chemical,
    expression,
    gap,
    gap_muscle,
    gap_neuromuscular,
    match_muscles,
    match_neurons,
    monoamine,
    muscle_name,
    muscles,
    neuron_class,
    neuron_name,
    neurons,
    neuropeptide,
    nmj,
)

__all__ = [
    "BodyCoordinates",
    "BodyFrame",
    "Morphology",
    "SectionPath",
    "chemical",
    "expression",
    "gap",
    "gap_muscle",
    "gap_neuromuscular",
    "match_muscles",
    "match_neurons",
    "monoamine",
    "morphology",
    "muscle_name",
    "muscles",
    "neuron_class",
    "neuron_name",
    "neurons",
    "neuropeptide",
    "nmj",
    "read_swc",
]
