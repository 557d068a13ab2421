"""Behaviour: what the animal does, measured from its midline."""

from .gait import Gait, compare, crawled, curvature, curvature_positions, gait, gait_of_curvature
from .kymograph import Kymograph, read_kymograph
from .shape import Shape, Wave, best_wave, shape

__all__ = [
    "Gait", "Kymograph", "Shape", "Wave", "best_wave", "compare", "crawled", "curvature", "curvature_positions",
    "gait", "gait_of_curvature", "read_kymograph", "shape",
]  # fmt: skip
