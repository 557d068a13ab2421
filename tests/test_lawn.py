"""Lawns are eaten by the worms that are on them: nothing is lost, what is gone is gone, and a run can be resumed."""

import copy
import dataclasses
import math
import tomllib

import numpy as np
import pytest
from synthetic import recording

import tianbao as tb
from tianbao.environment import Arena, Lawn, field_of
from tianbao.errors import ConfigError
from tianbao.toml import lines
from tianbao.view.fields import contours

THIN = Lawn("food", radius=0.4, density=0.01, centre=(0.2, -0.1, 0.0), rate=1.0, half=0.1)
HOUR = 3.6e6  # [ms]


def mouths(*places):
    """Midlines of worms that stretch from their mouths along x [mm]."""
    lines = np.zeros((len(places), 5, 3))
    lines[..., 0] = np.linspace(0.0, 1.0, 5)
    return lines + np.array(places, float)[:, None, :]


def test_a_lawn_is_round_and_has_the_mass_of_its_area():
    lawn = Lawn("food", radius=1.5, density=0.8, centre=(3.0, -1.0, 0.0))
    inside, outside = [[3.0, -1.0, 0.0], [4.3, -1.0, 0.04], [3.0, 0.3, 9.0]], [[4.7, -1.0, 0.0], [-50.0, 70.0, 0.0]]
    assert lawn.at(np.array(inside), 0.0) == pytest.approx(0.8)
    assert (lawn.at(np.array(outside), 0.0) == 0.0).all() and lawn.at(np.zeros((2, 7, 3)), 0.0).shape == (2, 7)
    assert lawn.left == pytest.approx(0.8 * math.pi * 1.5**2, rel=2e-3) and len(lawn.eaten) == 0
    finer = Lawn("food", radius=1.5, density=0.8, spacing=0.01)
    assert finer.left == pytest.approx(0.8 * math.pi * 1.5**2, rel=1e-4)


def test_on_a_thick_lawn_a_worm_eats_at_its_rate_and_on_a_thin_one_less():
    for density, share in ((100.0, 1.0 / 1.001), (0.1, 0.5)):
        lawn = Lawn("food", radius=1.0, density=density, rate=2.0, half=0.1)
        lawn.step(10.0, mouths((0.0, 0.0, 0.0)))
        assert lawn.eaten == pytest.approx([2.0 * share * 10.0 / HOUR], rel=1e-9)


def test_food_is_gone_only_where_the_mouth_was():
    lawn = copy.deepcopy(THIN)
    for _ in range(200):
        lawn.step(1000.0, mouths((0.3, 0.0, 0.0)))
    rest = np.array([[0.3, 0.0, 0.0], [0.3, 0.15, 0.0], [0.15, 0.0, 0.0], [0.8, 0.0, 0.0]])
    assert lawn.at(rest, 0.0)[0] < 1e-3 < 0.0099 < lawn.at(rest, 0.0)[1:3].min() and lawn.at(rest, 0.0)[3] == 0.0


def test_what_is_left_and_what_was_eaten_is_what_there_was_until_it_runs_out():
    lawn, rng = copy.deepcopy(THIN), np.random.default_rng(5)
    there = lawn.left
    for _ in range(4000):
        lawn.step(4000.0, mouths(*rng.uniform(-0.6, 0.7, (3, 3)) * [1.0, 1.0, 0.0]))
        assert lawn.left + lawn.eaten.sum() == pytest.approx(there, rel=1e-12)
    assert lawn.left < 1e-3 * there and lawn.at(np.random.default_rng(1).normal(size=(500, 3)), 0.0).min() >= 0.0
    assert (lawn.eaten > 0.2 * there).all()


def test_worms_at_one_place_share_equally_and_those_off_the_lawn_get_nothing():
    lawn = copy.deepcopy(THIN)
    lawn.step(HOUR, mouths((0.2, 0.0, 0.0), (5.0, 5.0, 0.0), (0.2, 0.0, 0.0), (0.2, 0.0, 0.3)))
    first, far, second, above = lawn.eaten
    # Both together want more than there is within their reach.
    within = 0.01 * math.pi * lawn.reach**2
    assert first == pytest.approx(second, rel=1e-12) and first + second == pytest.approx(within, rel=0.3)
    assert far == above == 0.0 and lawn.left == pytest.approx(THIN.left - first - second)


def test_whoever_comes_first_in_the_list_gets_no_more():
    places = [(0.2, 0.0, 0.0), (0.23, 0.02, 0.0), (0.21, -0.03, 0.01)]
    there, back = copy.deepcopy(THIN), copy.deepcopy(THIN)
    for _ in range(30):
        there.step(2000.0, mouths(*places))
        back.step(2000.0, mouths(*places[::-1]))
    assert there.eaten == pytest.approx(back.eaten[::-1], rel=1e-12) and (there.eaten > 0.0).all()


def test_a_lawn_goes_on_from_a_state_to_the_same_bits():
    whole, rng = copy.deepcopy(THIN), np.random.default_rng(6)
    ways = [mouths(*rng.uniform(-0.2, 0.5, (2, 3)) * [1.0, 1.0, 0.0]) for _ in range(40)]
    for each in ways[:20]:
        whole.step(500.0, each)
    other = copy.deepcopy(THIN)
    other.restore(whole.state())
    for each in ways[20:]:
        whole.step(500.0, each)
        other.step(500.0, each)
    for name, each in whole.state().items():
        assert np.array_equal(each, other.state()[name])
    assert THIN.left > whole.left and len(THIN.eaten) == 0


def test_a_lawn_is_made_again_from_toml_as_it_was_at_the_start():
    eaten = copy.deepcopy(THIN)
    eaten.step(HOUR, mouths((0.2, 0.0, 0.0)))
    table = tomllib.loads("[[fields]]\n" + "\n".join(lines(eaten.described(), "", {})))["fields"][0]
    again = field_of(table, "run.toml")
    assert again == THIN and hash(again) == hash(THIN) and again.left == THIN.left > eaten.left


PATCH = {"kind": "lawn", "name": "food", "radius": 1.0, "density": 0.5}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"radius": 0.0}, "'radius' = 0 mm must be positive"),
        ({"density": -0.5}, "nothing is below 0 ug/mm2"),
        ({"density": math.inf}, "'density' = inf is not a number"),
        ({"rate": -1.0}, "'rate' = -1 ug/h is outside"),
        ({"reach": 0.05, "spacing": 0.2}, "'reach' = 0.05 mm on a grid of 0.2 mm; give a spacing of at most 1.4 times"),
        ({"radius": 900.0}, "cells, more than 2000000; give a larger 'spacing'"),
        ({"unit": "mM"}, "unknown key of a lawn 'unit'"),
    ],
)
def test_a_lawn_that_cannot_be_is_refused_with_its_place(changes, words):
    with pytest.raises(ConfigError, match=f"run.toml, field 1: .*{words}"):
        field_of({**PATCH, **changes}, "run.toml, field 1")


@pytest.fixture(scope="module")
def meal():
    """A made-up worm that crawls over a lawn in 23 s, and the lawn as it went over it."""
    lawn = Lawn("food", radius=3.0, density=0.01, centre=(2.0, 0.0, 0.0), half=0.01)
    run = dataclasses.replace(recording(), config_toml="[[fields]]\n" + "\n".join(lines(lawn.described(), "", {})))
    eaten = copy.deepcopy(lawn)
    for line in run.worms[0].midline:
        eaten.step(20.0, line[None])
    return run, lawn, eaten


def test_a_recording_tells_what_was_eaten(meal, tmp_path):
    run, lawn, eaten = meal
    (again,) = run.fields
    assert np.array_equal(again.eaten, eaten.eaten) and again.left == eaten.left < lawn.left
    assert run.assay("food_eaten") == pytest.approx(lawn.left - eaten.left, rel=1e-9)
    assert tb.open(run.save(tmp_path / "meal.h5")).assay("food_eaten") == eaten.eaten[0]
    assert math.isnan(dataclasses.replace(run, config_toml="").assay("food_eaten"))


def test_frames_farther_apart_give_nearly_the_same_meal(meal):
    run, _, eaten = meal
    track, few = run.worms[0], slice(4, None, 5)
    fewer = {"midline": track.midline[few], "muscle_activation": track.muscle_activation[few]}
    coarse = dataclasses.replace(run, time=run.time[few], worms=(dataclasses.replace(track, **fewer),))
    assert coarse.assay("food_eaten") == pytest.approx(eaten.eaten[0], rel=0.05)


def test_a_picture_of_an_eaten_lawn_shows_what_is_left(meal):
    run, lawn, eaten = meal
    (drawn,) = contours(run, (-1.2, 5.2, -3.1, 3.1))
    points = np.stack([*np.meshgrid(drawn.x, drawn.y), np.zeros(drawn.value.shape)], axis=-1)
    assert np.array_equal(drawn.value, eaten.at(points, 0.0)) and drawn.label == "food at the end [ug/mm2]"
    assert np.abs(drawn.value - lawn.at(points, 0.0)).max() > 1e-5
    # Before anything is eaten there is nothing to say of the end.
    still = dataclasses.replace(run, config_toml=run.config_toml.replace("rate = 1.0", "rate = 0.0"))
    assert contours(still, (-1.2, 5.2, -3.1, 3.1))[0].label == "food [ug/mm2]"


@pytest.mark.slow
def test_a_meal_that_was_interrupted_in_neuron_ends_as_one_that_was_not():
    lawn = Lawn("food", radius=1.0, density=0.01, centre=(0.5, 0.0, 0.0))

    def served():
        return tb.Simulation(tb.Worm(), Arena("agar", fields=[lawn]), seed=4, engine="neuron", progress=False)

    whole, kept = served(), []

    class Keep:
        every = 40.0

        def keep(self, state):
            kept.append(state)

    whole.run(120.0, checkpoints=Keep())
    resumed = served()
    resumed.run(120.0, since=kept[0])
    there, again = (each.arena.field("food").state() for each in (whole, resumed))
    assert there["eaten"][0] > 0.0 and all(np.array_equal(there[name], again[name]) for name in there)
