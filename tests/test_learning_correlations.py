"""Correlations of activity: what is observed, its derivative, the brain's gradient, fits that go down, kept sets."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest

import tianbao as tb
from tianbao.errors import ConfigError
from tianbao.learning.correlation_fit import CorrelationFit, noise, simulated_correlations
from tianbao.learning.correlation_levels import Numbers, Values, class_levels, synapse_levels
from tianbao.learning.correlation_sets import correlation_set, correlation_sets, write_set
from tianbao.learning.correlations import Observation, Pairs, agreement, correlation_constants, read_pairs, split_pairs
from tianbao.learning.factor_models import factor_correlations, factor_model
from tianbao.learning.spontaneous import SpontaneousBrain, fluctuations

SIMS = Path(__file__).parents[1] / "sims"
TICKS, SETTLE = 90, 2200.0


@pytest.fixture(scope="module")
def brain() -> SpontaneousBrain:
    return SpontaneousBrain(dt=10.0)


def script(name: str):
    spec = importlib.util.spec_from_file_location(name, SIMS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def some_pairs(rng: np.random.Generator, names: tuple[str, ...]) -> Pairs:
    a, b = zip(*[(x, y) for k, x in enumerate(names) for y in names[k + 1 :]], strict=True)
    return Pairs(a, b, rng.uniform(-0.9, 0.9, len(a)))


def test_the_loss_has_the_slope_of_central_differences():
    rng = np.random.default_rng(1)
    voltage = -45.0 + rng.normal(size=(40, 5)).cumsum(axis=0)
    first, second, r = np.array([0, 1, 2, 0, 3]), np.array([1, 2, 4, 4, 0]), rng.uniform(-1.0, 1.0, 5)
    see = Observation(settle=1100.0)
    slope = see.loss(voltage, first, second, r).voltage
    for where in np.ndindex(*voltage.shape):
        values = []
        for size in (1e-4, -1e-4):
            moved = voltage.copy()
            moved[where] += size
            values.append(see.loss(moved, first, second, r).value)
        assert slope[where] == pytest.approx((values[0] - values[1]) / 2e-4, abs=1e-8)


def test_the_indicator_decays_with_its_half_life():
    see = Observation(interval=10.0, settle=0.0, sample_interval=10.0)
    voltage = np.full((400, 1), -200.0)
    voltage[:100] = 200.0  # calcium all there, then none
    seen = see.fluorescence(voltage)[:, 0]
    assert seen[99] == pytest.approx(1.0, abs=1e-6)
    halved = np.flatnonzero(seen < 0.5)[0] - 99
    assert 10.0 * halved == pytest.approx(550.0, abs=15.0)  # Chen et al. 2013, of which the table has the constant


def test_correlations_are_those_of_what_is_seen_and_a_still_neuron_has_none():
    rng = np.random.default_rng(2)
    voltage = rng.normal(-40.0, 5.0, (200, 3))
    voltage[:, 2] = -60.0
    see = Observation(settle=0.0)
    matrix = see.correlations(voltage)
    seen = see.fluorescence(voltage)
    assert matrix[0, 1] == pytest.approx(np.corrcoef(seen[:, 0], seen[:, 1])[0, 1])
    assert matrix[2, 2] == matrix[0, 2] == 0.0
    slopes = see.loss(voltage, np.array([0]), np.array([2]), np.array([0.5])).voltage
    assert np.all(np.isfinite(slopes)) and not slopes[:, 2].any()


def test_fluctuations_have_their_variance_and_their_time():
    x = fluctuations(20_000, 4, 110.0, 2000.0, np.random.default_rng(3))
    assert x.std() == pytest.approx(1.0, abs=0.1)
    lag = round(2000.0 / 110.0)
    assert np.mean(x[lag:] * x[:-lag]) == pytest.approx(math.exp(-lag * 110.0 / 2000.0), abs=0.1)


def test_pairs_are_read_checked_and_set_apart(tmp_path):
    file = tmp_path / "pairs.csv"
    file.write_text("a,b,r\nDA01,AVAL,0.5\nAVAL,AVAR,0.7\nAVAR,DA1,-0.2\n", encoding="utf-8")
    pairs = read_pairs(file)
    assert pairs.neurons == ("AVAL", "AVAR", "DA1")
    for text, said in (
        ("a,b\nAVAL,AVAR\n", "columns"), ("a,b,r\nAVAL,AVAR,2\n", "r = 2"), ("a,b,r\nAVAL,AVAL,0\n", "two neurons"),
        ("a,b,r\nAVAL,AVAR,0\nAVAR,AVAL,0\n", "once"),
    ):  # fmt: skip
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=said):
            read_pairs(file)
    with pytest.raises(ConfigError, match="cannot read"):
        read_pairs(tmp_path / "none.csv")
    with pytest.raises(ConfigError, match="DA1"):
        pairs.where(("AVAL", "AVAR"))


def test_what_is_left_out_is_left_out_completely():
    pairs = some_pairs(np.random.default_rng(4), tuple(f"AS{k}" for k in range(1, 12)))
    parts = split_pairs(pairs, 0.2, 2, seed=5)
    gone = set(pairs.neurons) - set(parts["fitted"].neurons) - set(parts["pairs"].neurons)
    assert len(gone) == 2 and all({a, b} & gone for a, b in zip(parts["neurons"].a, parts["neurons"].b, strict=True))
    every = [frozenset(each) for part in parts.values() for each in zip(part.a, part.b, strict=True)]
    assert len(every) == len(set(every)) == len(pairs)
    with pytest.raises(ConfigError, match="nothing to fit"):
        split_pairs(pairs, 0.2, 10, seed=5)


def test_a_factor_model_finds_a_matrix_of_its_own_kind():
    rng = np.random.default_rng(6)
    names = tuple(f"VA{k}" for k in range(1, 13))
    truth = factor_correlations(rng.normal(size=(12, 2)))
    pairs = some_pairs(rng, names)
    pairs = Pairs(pairs.a, pairs.b, truth[pairs.where(names)])
    parts = split_pairs(pairs, 0.2, 0, seed=0)
    found = factor_correlations(factor_model(parts["fitted"], names, 2, ridge=1e-6))
    left_out = parts["pairs"]
    assert agreement(found[left_out.where(names)], left_out)["mse"] < 1e-3
    np.testing.assert_allclose(np.diag(found), 1.0)


def test_numbers_have_the_slope_of_central_differences_and_keep_their_bounds(brain):
    levels = synapse_levels(brain.edges, brain.neurons)
    numbers = Numbers(levels, 2).start(0)
    rng = np.random.default_rng(7)
    for array in numbers.arrays.values():
        array += rng.normal(0.0, 0.5, array.shape)
    values = numbers.values()
    weights = [rng.normal(size=each.shape) for each in (values.multipliers, values.loadings, values.private)]

    def cost() -> float:
        now = numbers.values()
        pairs = zip(weights, (now.multipliers, now.loadings, now.private), strict=True)
        return sum(float((weight * x).sum()) for weight, x in pairs)

    slopes = numbers.gradient(*weights)
    for key, array in numbers.arrays.items():
        where = np.unravel_index(np.abs(slopes[key]).argmax(), array.shape)
        found = []
        for size in (1e-5, -2e-5):
            array[where] += size
            found.append(cost())
        array[where] += 1e-5
        assert slopes[key][where] == pytest.approx((found[0] - found[1]) / 2e-5, rel=1e-4), key
    for array in numbers.arrays.values():
        array *= 1e3
    values, c = numbers.values(), correlation_constants()
    assert values.multipliers.max() <= c["multiplier_most"] and values.multipliers.min() >= 1 / c["multiplier_most"]
    assert np.abs(values.loadings).max() <= c["loading_most"]


def test_the_class_set_has_few_numbers_and_every_neuron_and_connection_has_one(brain):
    numbers = Numbers(class_levels(brain.edges, brain.neurons), 3)
    assert numbers.count < 100
    assert {level.quantity: len(level.index) for level in numbers.levels} == {
        "multiplier": len(brain.edges), "loading": 302, "private": 302,
    }  # fmt: skip


def test_multipliers_and_currents_of_the_brain_have_the_slope_of_central_differences(brain):
    rng = np.random.default_rng(8)
    common, own = noise(brain, 40, 1, (8,))
    current = 0.3 * common + 0.3 * own
    factors = rng.uniform(0.8, 1.2, len(brain.edges))
    weights = np.zeros((40, len(brain.neurons)))
    weights[20:, [brain.neurons.index(name) for name in ("AVAL", "RIML", "AVBR")]] = 1.0
    brain.run(current, factors)
    edges, currents = brain.gradient(weights)
    for array, slopes, size in ((factors, edges, 1e-4), (current, currents, 1e-3)):
        where = np.unravel_index(np.abs(slopes).argmax(), slopes.shape)
        values = []
        for step in (size, -2.0 * size):
            array[where] += step
            values.append(float((weights * brain.run(current, factors)).sum()))
        array[where] += size
        assert slopes[where] == pytest.approx((values[0] - values[1]) / (2.0 * size), rel=1e-4)
    with pytest.raises(ConfigError, match="multipliers"):
        brain.run(current, factors[:-1])
    with pytest.raises(ConfigError, match="302"):
        brain.run(current[:, :5])


def test_a_multiplier_does_what_the_intervention_of_a_worm_does(brain, tmp_path):
    """What `put_on` does to a worm is what the fit did to the brain."""
    rng = np.random.default_rng(9)
    chosen = rng.choice(len(brain.edges), 12, replace=False)
    factors = np.ones(len(brain.edges))
    factors[chosen] = rng.uniform(0.3, 3.0, 12).round(3)
    values = Values(factors, rng.normal(size=(302, 3)), rng.uniform(0.5, 2.0, 302))
    write_set(tmp_path / "mine", brain.edges, brain.neurons, values, {"script": "a test", "mse": 0.5, "steps": 3})
    mine = correlation_set(tmp_path / "mine")
    assert mine.provenance == {"script": "a test", "mse": 0.5, "steps": 3}
    kept = mine.values(brain.edges, brain.neurons)
    np.testing.assert_allclose(kept.multipliers, factors, rtol=2e-3)
    np.testing.assert_allclose(kept.loadings, values.loadings, rtol=1e-3)
    worm = mine.put_on(tb.Worm())
    tables = worm.model().effects.tables
    for edge, factor in mine.multipliers.items():
        table = tables.gap if edge.kind == "gap" else tables.chemical
        ends = (table.a, table.b) if edge.kind == "gap" else (table.pre, table.post)
        rows = [set(each) == {edge.pre, edge.post} for each in zip(*ends, strict=True)] if edge.kind == "gap" else (
            (ends[0] == edge.pre) & (ends[1] == edge.post)
        )  # fmt: skip
        found = table.strength[rows] if len(table.strength[rows]) else tables.volume.strength
        assert factor in found.to_numpy()
    changed = (tables.chemical.strength != 1.0).sum() + (tables.gap.strength != 1.0).sum()
    assert changed + (tables.volume.strength != 1.0).sum() == 12
    with pytest.raises(ConfigError, match="correlation set"):
        correlation_set("nothing")


def test_the_sets_that_come_with_tianbao_keep_their_bounds_and_fit_the_brain(brain):
    most = correlation_constants()["multiplier_most"]
    for name in correlation_sets():
        values = correlation_set(name).values(brain.edges, brain.neurons)
        assert values.multipliers.min() >= 0.99 / most and values.multipliers.max() <= 1.01 * most
        assert values.loadings.shape[0] == values.private.shape[0] == 302


def test_a_fit_of_a_small_target_goes_down_and_goes_on_after_a_stop(brain):
    """The target is what the brain does with one input for AVA and RIM and its negative for AVB."""
    names = ("AVAL", "AVAR", "RIML", "RIMR", "AVBL", "AVBR")
    side = np.array([1.0, 1.0, 1.0, 1.0, -1.0, -1.0])
    truth = np.outer(side, side) * 0.7
    pairs = some_pairs(np.random.default_rng(0), names)
    pairs = Pairs(pairs.a, pairs.b, truth[pairs.where(names)])
    levels = class_levels(brain.edges, brain.neurons)
    options = {"seed": 1, "steps": 9, "window": 11.0}
    fit = CorrelationFit(brain, pairs, levels, frozen=("multiplier",), **options)
    fit.observation = Observation(brain.tick, settle=SETTLE)

    def judged(values: Values) -> float:
        matrix = simulated_correlations(brain, values, seconds=44.0, seed=2)[0]
        return agreement(matrix[pairs.where(brain.neurons)], pairs)["mse"]

    before = judged(fit.numbers.values())
    for _ in range(6):
        fit.step()
    other = CorrelationFit(brain, pairs, levels, frozen=("multiplier",), **options)
    other.observation = fit.observation
    other.restore(fit.state())
    for each in (fit, other):
        while each.done < each.steps:
            each.step()
    for key, array in fit.numbers.arrays.items():
        np.testing.assert_array_equal(array, other.numbers.arrays[key])
    assert judged(fit.averaged.values()) < 0.5 * before
    assert not fit.numbers.arrays["multiplier/family"].any()
    with pytest.raises(ConfigError, match="another fit"):
        CorrelationFit(brain, pairs, synapse_levels(brain.edges, brain.neurons)).restore(fit.state())


def test_a_fit_goes_on_from_its_own_state_only(brain, tmp_path):
    pairs = some_pairs(np.random.default_rng(11), ("AVAL", "AVAR", "RIML", "RIMR", "AVBL", "AVBR", "RIBL"))
    fits, levels = script("fit_correlations"), class_levels(brain.edges, brain.neurons)

    def fit(fitted: Pairs, **options: object) -> CorrelationFit:
        return CorrelationFit(brain, fitted, levels, **{"seed": 1, "steps": 9, "window": 11.0} | options)

    parts = [split_pairs(pairs, 0.2, 0, seed=seed)["fitted"] for seed in (0, 1)]
    assert len(parts[0]) == len(parts[1])  # nothing but the pairs themselves tells one from the other
    state = fit(parts[0]).state()
    fit(parts[0]).restore(state)
    others = {"pairs": fit(parts[1]), "seed": fit(parts[0], seed=2), "steps": fit(parts[0], steps=10),
              "window": fit(parts[0], window=22.0), "frozen": fit(parts[0], frozen=("multiplier",)),
              "start": fit(parts[0], start={levels[0].key: np.full(len(levels[0].labels), 0.1)})}  # fmt: skip
    for name, other in others.items():
        with pytest.raises(ConfigError, match=f"another fit, with other .*{name}"):
            other.restore(state)
    given = dict.fromkeys(fits.OF_FIT, 0)
    fits.write_arrays(tmp_path / "state.npz", spent=3.0, options=fits.json.dumps(given), **state)
    assert fits.restored(fit(parts[0]), tmp_path / "state.npz", given) == 3.0
    with pytest.raises(ConfigError, match="a fit with --split-seed 0; give"):
        fits.restored(fit(parts[0]), tmp_path / "state.npz", {**given, "split_seed": 1})
    fits.write_arrays(tmp_path / "state.npz", spent=3.0, **state)
    with pytest.raises(ConfigError, match="--set unknown"):
        fits.restored(fit(parts[0]), tmp_path / "state.npz", given)


@pytest.mark.filterwarnings("error")
def test_a_matrix_of_one_number_has_no_correlation_with_what_was_measured():
    fits = script("fit_correlations")
    names = ("AVAL", "AVAR", "RIML", "RIMR")
    pairs = some_pairs(np.random.default_rng(12), names)
    parts = {"fitted": pairs, "pairs": pairs.take(np.arange(6) < 1), "neurons": pairs.take(np.zeros(6, bool))}
    for value in (0.0, 0.1):
        found = fits.compared(np.full((2, 4, 4), value), names, parts)
        assert set(found) == {"fitted", "pairs"} and found["fitted"]["r"] is found["fitted"]["together_r"] is None
        assert found["fitted"]["mse"] == pytest.approx(np.mean((value - pairs.r) ** 2), abs=1e-4)
        assert "NaN" not in fits.json.dumps(found)


def test_areas_under_the_curve_of_the_atlas():
    atlas = script("functional_atlas")
    rng = np.random.default_rng(10)
    score, positive = rng.integers(0, 4, 60).astype(float), rng.random(60) < 0.3
    wins = [(a > b) + 0.5 * (a == b) for a in score[positive] for b in score[~positive]]
    assert atlas.auc(score, positive) == pytest.approx(np.mean(wins))
    assert math.isnan(atlas.auc(score, np.ones(60, bool)))


def test_an_atlas_of_ones_own_is_read(tmp_path):
    atlas = script("functional_atlas")
    file = tmp_path / "atlas.csv"
    file.write_text("stimulated,responding,q\nAVAL,DA01,0.01\nAVAL,AVAL,0\nAWCON,AVAL,0.1\n", encoding="utf-8")
    assert atlas.q_values(file, "wt") == {("AVAL", "DA1"): 0.01}
    with pytest.raises(ConfigError, match="funatlas"):
        atlas.q_values(tmp_path / "none.h5", "wt")
