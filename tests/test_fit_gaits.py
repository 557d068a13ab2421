"""The search for parameters: its cost, its response surface, and that it can be resumed."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[1] / "sims" / "fit_gaits.py"


@pytest.fixture(scope="module")
def fit():
    spec = importlib.util.spec_from_file_location("fit_gaits", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_worm_inside_every_range_costs_nothing(fit):
    spans = [(low, high) for ranges in fit.RANGES.values() for low, high, _ in ranges.values()]
    numbers = np.array([low if high > 8 else high if low < -8 else 0.5 * (low + high) for low, high in spans])
    assert fit.cost(numbers) == 0.0
    assert fit.cost(np.full(len(spans), np.nan)) == pytest.approx(len(spans) * np.log1p(fit.MOST_MISSED))


def test_cost_grows_with_every_miss(fit):
    spans = [(low, high, unit) for ranges in fit.RANGES.values() for low, high, unit in ranges.values()]
    good = np.array([low if high > 8 else high if low < -8 else 0.5 * (low + high) for low, high, _ in spans])
    for k, (low, high, unit) in enumerate(spans):
        worse = good.copy()
        worse[k] = low - unit if low > -8 else high + unit
        assert fit.cost(worse) == pytest.approx(np.log(2.0))


def test_every_searched_name_exists_and_its_start_is_kept(fit):
    from tianbao import parameters
    from tianbao.body.material import constant

    start = {**parameters.defaults(), **{name: constant(name) for name in fit.TISSUE}}
    values = fit.candidate(np.zeros(len(fit.SEARCHED)), start)
    assert values == pytest.approx({name: start[name] for name in fit.SEARCHED})
    far = fit.candidate(np.full(len(fit.SEARCHED), 50.0), start)
    rows = parameters.table()
    assert all(value <= (fit.TISSUE[name][2] if name in fit.TISSUE else rows[name].high) for name, value in far.items())


def test_values_that_are_off_are_off_by_a_tenth_at_most(fit):
    values = dict.fromkeys(fit.LOGARITHMIC, 2.0)
    values = {name: fit.within(name, value) for name, value in values.items()}
    moved = fit.off(values, seed=3)
    assert moved == fit.off(values, seed=3) != fit.off(values, seed=4)
    assert all(0.9 <= moved[name] / value <= 1.1 for name, value in values.items())
    assert fit.off({"b_adaptation": 1.0}, seed=4) == {"b_adaptation": 1.0} != fit.off({"b_adaptation": 1.0}, seed=3)


def test_the_surface_finds_the_way_down_a_noisy_slope(fit):
    size, metrics = len(fit.SEARCHED), sum(map(len, fit.RANGES.values()))
    spans = [(low, high) for ranges in fit.RANGES.values() for low, high, _ in ranges.values()]
    good = np.array([low if high > 8 else high if low < -8 else 0.5 * (low + high) for low, high in spans])
    ratios = []
    for seed in range(9):
        rng = np.random.default_rng(seed)
        slope, aim = rng.normal(0.0, 0.3, (size, metrics)), rng.normal(0.0, 0.1, size)
        points = rng.normal(0.0, 0.12, (3 * size, size))
        numbers = good + (points - aim) @ slope + rng.normal(0.0, 0.01, (len(points), metrics))
        surface = fit.Surface(points, numbers, 0.12)
        found = surface.descend(rng, 0.12)
        ratios.append(fit.cost(good + (found - aim) @ slope) / fit.cost(good + (surface.best - aim) @ slope))
    assert np.median(ratios) < 0.8


def test_points_follow_from_the_log_alone(fit):
    rng = np.random.default_rng(1)
    names = [f"{run}.{name}" for run, ranges in fit.RANGES.items() for name in ranges]
    log = []
    for _ in range(3 * fit.POPULATION):
        numbers = dict(zip(names, rng.normal(size=len(names)), strict=True))
        log.append({"x": list(rng.normal(0.0, 0.1, len(fit.SEARCHED))), "numbers": numbers})
    log[3]["numbers"] = None
    log[5]["numbers"][names[0]] = None
    first, again = (fit.next_points(log, 3, seed=1, radius=0.1) for _ in range(2))
    assert np.array_equal(first, again) and first.shape == (fit.POPULATION, len(fit.SEARCHED))
    assert not np.array_equal(first, fit.next_points(log, 3, seed=2, radius=0.1))
    assert not fit.next_points([], 0, seed=1, radius=0.1)[0].any()
