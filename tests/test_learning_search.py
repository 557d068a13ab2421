"""A search asks for trials, runs each generation as a sweep, and goes on where it was stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tianbao.errors import ConfigError
from tianbao.learning.search import ASKERS, search

SPACE = {
    "parameters.gap_gain": {"from": 0.001, "to": 1.0, "scale": "log"},
    "parameters.cord_stretch_gain": {"from": 0.0, "to": 2.0},
}
BOWL = {"job": "learning_jobs:bowl", "job_path": str(Path(__file__).parent), "seeds": [1, 2], "processes": 1}


def bowl(points):
    """An analytic loss in the unit cube, its least value in the corner's neighbourhood and steep along one axis."""
    return 20.0 * (points[:, 0] - 0.4) ** 2 + np.square(points[:, 1:] - 0.2).sum(axis=1)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("name", "generations", "bar"), [("cma", 30, 1e-4), ("optuna", 20, 0.05)])
def test_each_asker_comes_near_the_least_value_of_a_known_function(name, generations, bar, seed):
    asker, losses = ASKERS[name](3, 8, seed), []
    for _ in range(generations):
        points = asker.ask(8)
        assert points.shape == (8, 3) and points.min() >= 0.0 and points.max() <= 1.0
        losses.append(bowl(points))
        asker.tell(points, losses[-1])
    assert np.min(losses) < bar
    assert np.mean(losses[-1]) < 0.3 * np.mean(losses[0])


@pytest.mark.parametrize("name", ASKERS)
def test_askers_propose_the_same_after_the_same_losses_whoever_else_draws_numbers(name):
    asked = []
    for noise in (1, 2):
        asker = ASKERS[name](2, 4, 7)
        for _ in range(4):
            np.random.seed(noise)  # noqa: NPY002
            points = asker.ask(4)
            losses = bowl(points)
            losses[0] = np.nan
            asker.tell(points, losses)
        asked.append(points)
    assert (asked[0] == asked[1]).all()
    assert (ASKERS[name](2, 4, 8).ask(4) != ASKERS[name](2, 4, 7).ask(4)).any()


def test_a_search_of_one_axis():
    asker = ASKERS["cma"](1, 6, 1)
    for _ in range(25):
        points = asker.ask(6)
        assert points.shape == (6, 1)
        asker.tell(points, np.square(points[:, 0] - 0.8))
    assert abs(points.mean() - 0.8) < 0.01


def test_every_generation_is_a_sweep_and_every_trial_a_row(tmp_path):
    found = search(SPACE, "depth", generations=2, population=4, out=tmp_path, **BOWL)
    table = pd.read_csv(tmp_path / "trials.csv")
    assert table["generation"].tolist() == [0] * 4 + [1] * 4 and table["trial"].tolist() == list(range(8))
    assert (table["runs"] == 2).all() and not table["failed"].any()
    x, y = np.log10(table["parameters.gap_gain"]), table["parameters.cord_stretch_gain"]
    assert np.allclose(table["loss"], 20 * (x + 1.7) ** 2 + (y - 0.7) ** 2)  # the mean over both seeds
    least = table.loc[table["loss"].idxmin()]
    assert np.isclose(found.loss, least["loss"]) and found.best == {key: least[key] for key in SPACE}
    assert len(pd.read_csv(tmp_path / "generation_0001" / "table.csv")) == 8


def test_a_search_goes_on_without_doing_anything_twice(tmp_path):
    search(SPACE, "depth", generations=1, population=4, out=tmp_path / "a", **BOWL)
    done = sorted((tmp_path / "a" / "generation_0000").glob("runs/*/summary.json"))
    times = [each.stat().st_mtime_ns for each in done]
    longer = search(SPACE, "depth", generations=2, population=4, out=tmp_path / "a", **BOWL)
    assert len(done) == 8 and times == [each.stat().st_mtime_ns for each in done]
    at_once = search(SPACE, "depth", generations=2, population=4, out=tmp_path / "b", **BOWL)
    pd.testing.assert_frame_equal(longer.table, at_once.table)
    with pytest.raises(ConfigError, match="another search"):
        search(SPACE, "depth", generations=1, population=4, out=tmp_path / "a", seed=2, **BOWL)


def test_failed_trials_have_no_loss_and_the_search_learns_from_the_others(tmp_path):
    key = "parameters.cord_stretch_gain"
    job = {**BOWL, "job": "learning_jobs:fails_beyond", "seeds": [1]}
    found = search({key: {"from": 0.0, "to": 1.0}}, "depth", generations=2, population=4, out=tmp_path, **job)
    failed = found.table[key] > 0.5
    assert failed.any() and (found.table["loss"].isna() == failed).all() and (found.table["failed"] == failed).all()
    assert found.loss == -found.table[key][~failed].max()


def test_choices_are_run_once_each_and_a_function_may_judge(tmp_path):
    space = {"parameters.cord_stretch_gain": [0.1, 0.2]}
    found = search(
        space, lambda row: -row["depth"], "optuna", generations=1, population=6, out=tmp_path, **(BOWL | {"seeds": [2]})
    )
    assert len(found.table) == 6 and found.best == {"parameters.cord_stretch_gain": 0.1}
    assert len(pd.read_csv(tmp_path / "generation_0000" / "table.csv")) <= 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"space": {}}, "space"),
        ({"space": {"parameters.gap_gian": [1.0]}}, "gap_gian"),
        ({"loss": "width"}, "width"),
        ({"ask": "grid"}, "grid"),
        ({"population": 1}, "population"),
        ({"design": "grid"}, "design"),
        ({"ask": lambda axes, population, seed: ASKERS["cma"](axes + 1, population, seed)}, "unit cube"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path, changes, words):
    given = {"space": SPACE, "loss": "depth", "generations": 1, "population": 2, "out": tmp_path, **BOWL} | changes
    with pytest.raises(ConfigError, match=words):
        search(**given)


@pytest.mark.slow
def test_worms_are_searched(tmp_path):
    """One generation of two short crawls, judged by what they measured."""
    space = {"parameters.gap_gain": {"from": 0.008, "to": 0.02, "scale": "log"}}
    run = {"duration": 4000.0, "seeds": [3], "base": {"worm": {"discretisation": "d_lambda"}}, "processes": 1}
    found = search(space, "-forward_speed_mm_s", generations=1, population=2, out=tmp_path, **run)
    measured = pd.read_csv(tmp_path / "generation_0000" / "table.csv")["forward_speed_mm_s"]
    assert np.isclose(found.loss, -measured.max()) and len(found.table) == 2
