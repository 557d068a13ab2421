"""The loss of a gait has the metrics of `tianbao.behaviour`, and their slopes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import tianbao as tb
from tianbao.behaviour.shape import shape
from tianbao.learning.closed_loop import Rollout
from tianbao.learning.gait_loss import METRICS, MOST_MISSED, GaitCost

FAR = (5.0, 6.0, 0.5)  # a range in which no metric of this worm lies
# The best wave is found on a grid: smaller moves would not be seen.
SIZES = {"wave_frequency_hz": 0.05, "wave_length": 0.05, "wave_amplitude": 0.05}


@pytest.fixture(scope="module")
def rollout() -> Rollout:
    """A made-up worm that moves on a bent path with an uneven wave."""
    time, s = np.arange(0.0, 5_001.0, 4.0), np.arange(1, 48) / 48
    seconds = time[:, None] / 1e3
    bend = (7.0 - 2.0 * s) * np.cos(2 * np.pi * (0.55 * seconds - s / 0.6)) + 0.4
    bend += 1.5 * np.cos(2 * np.pi * (0.3 * seconds + s / 0.9) + 1.0) + 0.8 * np.sin(2 * np.pi * 1.1 * seconds * s)
    angle = np.hstack([np.zeros((len(time), 1)), np.cumsum(-bend / 48, axis=1)]) + 0.2 * seconds
    steps = np.stack([np.cos(angle), np.sin(angle), 0.0 * angle], axis=-1) / 48
    midline = np.concatenate([np.zeros((len(time), 1, 3)), np.cumsum(steps, axis=1)], axis=1)
    midline[..., 0] -= 0.2 * seconds
    midline[..., 1] += 0.02 * seconds**2
    return Rollout(time, midline, bend, np.zeros((len(time), 1)), np.zeros((len(time), 95)), s, ("AVAL",), ("MDL01",))


def test_metrics_are_those_of_a_gait(rollout):
    cost = GaitCost(dict.fromkeys(METRICS, FAR), after=500.0, until=4_700.0)
    rows = slice(125, 1176, 5)
    found = shape(rollout.time[rows], rollout.curvature[rows], rollout.positions, midline=rollout.midline[rows])
    for name, (value, _) in cost.metrics(rollout).items():
        if hasattr(found, name):
            assert value == pytest.approx(getattr(found, name), rel=1e-9), name


@pytest.mark.parametrize("name", METRICS)
def test_metrics_have_their_slopes(rollout, name):
    cost, rng = GaitCost({name: FAR}), np.random.default_rng(2)
    _, weights = cost.metrics(rollout)[name]
    by = {key: rng.normal(size=each.shape) * (1.0 if key == "curvature" else 0.01) for key, each in weights.items()}
    size = SIZES.get(name, 1e-4)

    def moved(size: float) -> float:
        """The metric of a rollout moved along a random direction."""
        parts = {key: getattr(rollout, key) + size * each for key, each in by.items()}
        return cost.metrics(dataclasses.replace(rollout, **parts))[name][0]

    predicted = sum((weights[key] * by[key]).sum() for key in by)
    assert predicted == pytest.approx((moved(size) - moved(-size)) / (2 * size), rel=2e-2 if name in SIZES else 1e-4)


def test_a_cost_counts_what_lies_outside_its_range_in_units(rollout):
    frequency = GaitCost({"wave_frequency_hz": FAR}).metrics(rollout)["wave_frequency_hz"][0]
    value, weights = GaitCost({"wave_frequency_hz": (0.0, 9.0, 0.1)})(rollout)
    assert value == 0.0 and not weights["curvature"].any()
    for low, high, side in ((frequency + 0.2, 9.0, -1.0), (0.0, frequency - 0.2, 1.0)):
        cost = GaitCost({"wave_frequency_hz": (low, high, 0.1)})
        value, weights = cost(rollout)
        slope = cost.metrics(rollout)["wave_frequency_hz"][1]["curvature"]
        assert value == pytest.approx(np.log(3.0))
        assert np.allclose(weights["curvature"], side * slope / 0.1 / 3.0)


def test_a_worm_that_lies_still_costs_most_and_points_nowhere(rollout):
    still = dataclasses.replace(rollout, curvature=np.zeros_like(rollout.curvature))
    value, weights = GaitCost({"travelling_r2": (0.9, 1.0, 0.1), "wave_length": (0.5, 0.7, 0.1)})(still)
    assert value == pytest.approx(2.0 * np.log(1.0 + MOST_MISSED)) and not weights["curvature"].any()


def test_unknown_metrics_and_short_runs_are_refused(rollout):
    with pytest.raises(tb.ConfigError, match="travelling_r2"):
        GaitCost({"traveling_r2": FAR})
    with pytest.raises(tb.ConfigError, match="too few"):
        GaitCost({"travelling_r2": FAR}, until=200.0)(rollout)
