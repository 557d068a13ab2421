"""Anatomy: neurons, muscles, wiring tables, traced morphologies and the straightened body frame."""

from __future__ import annotations

from .connectomes import STANDARD, Connectome, connectome, connectome_registry
from .frame import BodyCoordinates, BodyFrame
from .morphology import Morphology, SectionPath, morphology, read_swc
from .names import Names, joined, listed
from .own_cells import TRACED, CellSource, own_cells, read_own_cell
from .own_wiring import EdgeTables, read_edges
from .tables import (
    chemical,
    expression,
    gap,
    gap_muscle,
    gap_neuromuscular,
    match_cells,
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
    "CellSource",
    "Connectome",
    "EdgeTables",
    "Morphology",
    "Names",
    "SectionPath",
    "STANDARD",
    "TRACED",
    "chemical",
    "connectome",
    "connectome_registry",
    "expression",
    "gap",
    "gap_muscle",
    "gap_neuromuscular",
    "joined",
    "listed",
    "match_cells",
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
    "own_cells",
    "read_edges",
    "read_own_cell",
    "read_swc",
]
