"""Sets of values that reproduce the recordings of a neuron about as well as the best, and differ most."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from . import fitting
from .fit_data import Described, Sweep
from .fit_search import CANDIDATES
from .fitting import CellFit

_MEMBERS, _ENOUGH, _BATCHES = 10, 60, 120  # members, accepted sets to choose them from, most batches of candidates
_WIDTHS = np.linspace(0.1, 2.5, 30)  # of a draw, in standard deviations
_ACCEPTED = 1.15  # of the best error over whole traces
_STABLE_PA, _DIVERGED, _BACK = (-30.0, -15.0, 15.0, 35.0), 230.0, 5.0  # pA, mV, mV


def ensemble(described: Described, sweeps: list[Sweep], point: np.ndarray) -> list[dict]:
    """The best set and nine others that are as far apart as acceptable ones can be."""
    cell, random = CellFit(described, sweeps, CANDIDATES), np.random.default_rng(1)
    judge = Judge(described)
    _, covariance = fitting.uncertainty(cell, point, prior=True)
    best = traces_off(cell, point[None])[0]
    accepted = [point]
    for k in range(_BATCHES):
        if len(accepted) > _ENOUGH and k >= len(_WIDTHS):
            break
        # From near to beyond the edge of what is acceptable.
        width = _WIDTHS[k % len(_WIDTHS)]
        drawn = np.clip(random.multivariate_normal(point, width**2 * covariance, CANDIDATES), 0.0, 1.0)
        good = (traces_off(cell, drawn) <= _ACCEPTED * best) & judge.one_state(cell, drawn)
        good &= judge.stable(drawn)
        accepted += [each for each in drawn[good] if cell.spikes_enough(each)]
    scale = np.sqrt(np.diag(covariance))
    chosen = [0]
    while len(chosen) < min(_MEMBERS, len(accepted)):
        far = [min(np.linalg.norm((each - accepted[c]) / scale) for c in chosen) for each in accepted]
        chosen.append(int(np.argmax(far)))
    members = []
    for k in chosen:
        values = cell.decode(accepted[k][None])
        members.append({
            "values": {key: float(each[0]) for key, each in values.items()},
            "misfit": float(cell.misfit(accepted[k][None])[0]),
            "trace": float(traces_off(cell, accepted[k][None])[0]),
            "point": list(map(float, accepted[k])),
        })  # fmt: skip
    return members


def traces_off(cell: CellFit, points: np.ndarray) -> np.ndarray:
    """Root mean square error of candidates over the windows of all sweeps [mV or pA], shape (n,)."""
    full = np.resize(points, (cell.candidates, points.shape[1]))
    time_, traces = cell.simulate(full, cell.described.step)
    square = np.zeros(cell.candidates)
    for k, sweep in enumerate(cell.sweeps):
        off = np.stack([fitting.means(time_, traces[:, :, k], each) - each[2] for each in sweep.windows])
        square += np.average(off**2, axis=0, weights=sweep.windows[:, 1] - sweep.windows[:, 0])
    return np.sqrt(square / len(cell.sweeps))[: len(points)]


class Judge:
    """What is required of every set of values, whatever the recordings say.

    Args:
        described: the search.
    """

    def __init__(self, described: Described) -> None:
        own = replace(described, mode="CC", duration=5000.0, after=5000.0, step=0.2)
        sweeps = [Sweep(level, np.zeros((0, 3)), np.nan, np.nan) for level in _STABLE_PA]
        self._cell = CellFit(own, sweeps, CANDIDATES)

    def stable(self, points: np.ndarray) -> np.ndarray:
        """Whether cells neither diverge nor fail to return to rest between -30 and +35 pA, shape (n,)."""
        full = np.resize(points, (CANDIDATES, points.shape[1]))
        time_, traces = self._cell.simulate(full, self._cell.described.step)
        rest = traces[np.flatnonzero(time_ <= 0.0)[-1]]
        finite = np.isfinite(traces).all((0, 2)) & (np.abs(traces).max((0, 2)) < _DIVERGED)
        back = (np.abs(traces[-1] - rest) < _BACK).all(1) | (self._cell.described.states != 1)
        return (finite & back)[: len(points)]

    def one_state(self, cell: CellFit, points: np.ndarray) -> np.ndarray:
        """Whether cells have one stable state, where the recorded cell has, shape (n,)."""
        if cell.described.states != 1:
            return np.ones(len(points), bool)
        return np.max(cell.one_state(cell.decode(points)), axis=0) <= 1.0
