"""Closest approach of two traced neurites."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scipy.spatial import cKDTree

from ..morphology import Morphology

_SPACING = 0.5  # [um], a quarter of the mean spacing of traced points
_DECIMALS = 2


def closest_approach(morphologies: Mapping[str, Morphology]) -> Callable[[str, str], float]:
    """A function that gives the smallest distance [um] between the centre lines of two neurons."""
    clouds = {name: each.resampled(_SPACING) for name, each in morphologies.items()}
    trees = {name: cKDTree(cloud) for name, cloud in clouds.items()}

    def distance(a: str, b: str) -> float:
        """Smallest distance of the traced points of two neurons [um]; 0 for a neuron and itself."""
        few, many = sorted((a, b), key=lambda name: (len(clouds[name]), name))
        if few == many:
            return 0.0
        return round(float(trees[many].query(clouds[few])[0].min()), _DECIMALS)

    return distance
