"""Behaviour: what the animal does, measured from its midline."""

from .gait import Gait, compare, crawled, curvature, curvature_positions, gait

__all__ = ["Gait", "compare", "crawled", "curvature", "curvature_positions", "gait"]
