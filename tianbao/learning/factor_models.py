"""Correlations without any connection: neurons that share a few inputs, and nothing else.

A fit of inputs to a brain can hide such a model in itself. What it explains by itself is what a fit of a brain with as
many inputs has to be compared with.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize

from .correlations import Pairs


def factor_correlations(loadings: np.ndarray) -> np.ndarray:
    """Correlations of neurons that add shared inputs to one of their own with variance 1.

    Args:
        loadings: of the shared inputs, shape (neurons, inputs).

    Returns:
        Shape (neurons, neurons); the diagonal is 1.
    """
    size = np.sqrt(1.0 + (loadings**2).sum(axis=1))
    matrix = loadings @ loadings.T / np.outer(size, size)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def factor_model(
    pairs: Pairs, neurons: Sequence[str], inputs: int, ridge: float = 0.0, seed: int = 0, starts: int = 3
) -> np.ndarray:
    """Loadings of shared inputs by which the correlations of pairs are met best, in the mean square.

    Args:
        pairs: measured.
        neurons: in the order of the result; those without a pair get loadings of 0 if `ridge` is above 0.
        inputs: how many are shared.
        ridge: weight of the mean squared loading beside the mean squared deviation.
        seed: of the starts.
        starts: from how many random loadings the fit begins; the best is kept.

    Returns:
        Loadings, shape (neurons, inputs).
    """
    first, second = pairs.where(neurons)
    rng = np.random.default_rng(seed)
    used = np.zeros(len(neurons), bool)
    used[first] = used[second] = True

    def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
        """Mean squared deviation with the ridge, and its derivative."""
        x = flat.reshape(len(neurons), inputs)
        size = np.sqrt(1.0 + (x**2).sum(axis=1))
        unit = x / size[:, None]
        missed = (unit[first] * unit[second]).sum(axis=1) - pairs.r
        bar = np.zeros_like(unit)
        weight = (2.0 * missed / len(pairs))[:, None]
        np.add.at(bar, first, weight * unit[second])
        np.add.at(bar, second, weight * unit[first])
        back = (bar - unit * (bar * unit).sum(axis=1, keepdims=True)) / size[:, None]
        value = float(np.mean(missed**2) + ridge * np.mean(x**2))
        return value, (back + 2.0 * ridge * x / x.size).ravel()

    tried = [
        minimize(cost, rng.normal(size=len(neurons) * inputs) * np.repeat(used, inputs), jac=True, method="L-BFGS-B")
        for _ in range(starts)
    ]
    return min(tried, key=lambda each: each.fun).x.reshape(len(neurons), inputs)
