"""Fields are what their formula says, survive a configuration, and refuse what cannot be; arenas do not change."""

import copy
import math
import pickle
import tomllib

import numpy as np
import pytest

from tianbao.environment import Arena, Bath, Field, Gaussian, Ring, field_of
from tianbao.errors import ConfigError

DROP = Gaussian("nacl", peak=80.0, width=2.5, centre=(4.0, 1.0, 0.0), background=20.0)
CHIP = Bath("nacl", ((0.0, 5.0), (2000.0, 50.0), (6000.0, 5.0)))


def test_gaussian_falls_off_by_its_width_in_every_direction():
    for direction in ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0), (0.6, 0.8, 0.0)):
        away = np.array(DROP.centre) + 2.5 * np.array(direction)
        assert DROP.at(away, 0.0) == pytest.approx(20.0 + 80.0 * math.exp(-0.5))
    assert DROP.at(np.array(DROP.centre), 1e6) == pytest.approx(100.0)
    assert DROP.at(np.array([1e3, 0.0, 0.0]), 0.0) == pytest.approx(20.0)


def test_a_ring_is_the_same_all_around_and_at_every_height():
    ring = Ring("copper", peak=50.0, radius=2.5, width=0.2, centre=(1.0, -1.0), background=0.5)
    around = np.radians(np.arange(0, 360, 30))
    line = np.stack([1.0 + 2.5 * np.cos(around), -1.0 + 2.5 * np.sin(around), np.linspace(-1.0, 1.0, 12)], axis=-1)
    assert ring.at(line, 0.0) == pytest.approx(50.5)
    inside, outside = ring.at(np.array([[1.0 + 2.3, -1.0, 0.0], [1.0 + 2.7, -1.0, 0.0]]), 5.0)
    assert inside == pytest.approx(outside) == pytest.approx(0.5 + 50.0 * np.exp(-0.5))
    assert ring.at(np.array([1.0, -1.0, 0.0]), 0.0) == pytest.approx(0.5)
    assert field_of(ring.described(), "field 1") == ring
    with pytest.raises(ConfigError, match="radius"):
        Ring("copper", peak=50.0, radius=0.0, width=0.2)


def test_gaussian_is_steepest_one_width_from_its_centre():
    x = np.linspace(4.0, 14.0, 2001)
    along = DROP.at(np.column_stack([x, np.full_like(x, 1.0), np.zeros_like(x)]), 0.0)
    assert x[np.argmin(np.gradient(along, x))] == pytest.approx(4.0 + 2.5, abs=0.01)


@pytest.mark.parametrize(("time", "value"), [(0.0, 5.0), (1999.9, 5.0), (2000.0, 50.0), (5999.0, 50.0), (1e9, 5.0)])
def test_bath_is_the_same_everywhere_and_changes_when_it_is_told(time, value):
    points = np.random.default_rng(1).normal(size=(4, 7, 3))
    assert (CHIP.at(points, time) == value).all() and CHIP.at(points, time).shape == (4, 7)


@pytest.mark.parametrize("field", [DROP, CHIP, Bath("temperature", ((0, -4.0),), unit="degC")], ids=lambda f: f.name)
def test_a_described_field_is_made_again_from_plain_values(field):
    text = "[[fields]]\n" + "\n".join(f"{key} = {value!r}" for key, value in field.described().items())
    table = tomllib.loads(text)["fields"][0]
    assert field_of(table, "run.toml") == field and hash(field_of(table, "run.toml")) == hash(field)


def test_a_given_field_has_no_state_and_no_worm_changes_it():
    points = np.zeros((3, 3))
    before = DROP.at(points, 0.0)
    DROP.step(4.0, np.zeros((1, 49, 3)))
    DROP.restore(DROP.state())
    assert DROP.state() == {} and np.array_equal(DROP.at(points, 0.0), before)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"kind": "gausian", "name": "nacl"}, "did you mean 'gaussian'"),
        ({"name": "nacl", "peak": 1.0, "width": 1.0}, "needs a kind: one of gaussian, ring, bath"),
        ({"kind": ["gaussian"], "name": "nacl"}, "unknown kind"),
        ({"kind": "gaussian", "name": "nacl", "peak": 1.0, "widht": 1.0}, "did you mean 'width'"),
        ({"kind": "gaussian", "name": "nacl", "peak": 1.0}, "needs 'width'"),
        ({"kind": "bath", "name": "nacl", "steps": [[0, 1]], "peak": 1.0}, "unknown key of a bath 'peak'"),
        ({"kind": "gaussian", "name": "nacl", "peak": -1.0, "width": 1.0}, "cannot be negative"),
        ({"kind": "gaussian", "name": "nacl", "peak": 1.0, "width": -1.0}, "must be positive"),
        ({"kind": "gaussian", "name": "nacl", "peak": 1.0, "width": 0.0}, "must be positive"),
        ({"kind": "gaussian", "name": "nacl", "peak": math.nan, "width": 1.0}, "'peak' = nan is not a number"),
        ({"kind": "gaussian", "name": "nacl", "peak": 1.0, "width": 1.0, "background": -0.1}, "cannot be negative"),
        ({"kind": "gaussian", "name": "nacl", "peak": "1", "width": 1.0}, "of type str"),
        ({"kind": "gaussian", "name": "nacl", "peak": 1.0, "width": 1.0, "centre": [0, 0]}, "takes 3 numbers"),
        ({"kind": "gaussian", "name": "nacl", "peak": 1.0, "width": 1.0, "unit": "mm"}, "did you mean 'mM'"),
        (
            {"kind": "gaussian", "name": "o2", "peak": 90, "width": 1, "background": 21, "unit": "%"},
            "nothing is above 100 %",
        ),
        ({"kind": "bath", "name": "o2", "unit": "%", "steps": [[0, 101]]}, "nothing is above 100 %"),
        ({"kind": "gaussian", "name": "a/b", "peak": 1.0, "width": 1.0}, "must be a word"),
        ({"kind": "gaussian", "name": 3, "peak": 1.0, "width": 1.0}, "must be a word"),
        ({"kind": "bath", "name": "nacl", "steps": []}, "must be a list"),
        ({"kind": "bath", "name": "nacl", "steps": 5.0}, "must be a list"),
        ({"kind": "bath", "name": "nacl", "steps": [5.0]}, "must be 2 numbers"),
        ({"kind": "bath", "name": "nacl", "steps": [[0, 1], [4, 2], [4, 3]]}, "must rise"),
        ({"kind": "bath", "name": "nacl", "steps": [[0, 1], [4, 2], [3, 3]]}, "must rise"),
        ({"kind": "bath", "name": "nacl", "steps": [[1, 1]]}, "from 0 ms on"),
        ({"kind": "bath", "name": "nacl", "steps": [[0, -1]]}, "cannot be negative"),
        ({"kind": "bath", "name": "nacl", "steps": [[0, 1], [math.nan, 1]]}, "not a number"),
        ({"kind": "bath", "name": "t", "unit": "degC", "steps": [[0, -300]]}, "nothing is below -273.15 degC"),
        ("gaussian", "a field is a table"),
    ],
)
def test_a_field_that_cannot_be_is_refused_with_its_place(table, words):
    with pytest.raises(ConfigError, match=f"run.toml, field 1: .*{words}"):
        field_of(table, "run.toml, field 1")


class Ramp:
    """A field of one's own: rises with time along x and remembers how long it was stepped."""

    name, unit = "odour", "mM"

    def __init__(self):
        self.seconds = np.zeros(1)

    def at(self, points, time):
        return points[..., 0] * time

    def step(self, duration, midline):
        self.seconds += 1e-3 * duration

    def state(self):
        return {"seconds": self.seconds.copy()}

    def restore(self, state):
        self.seconds[:] = state["seconds"]

    def described(self):
        return {"kind": "ramp", "name": self.name}


def test_an_arena_takes_fields_of_ones_own_beside_ours():
    arena = Arena(fields=[DROP, Ramp()])
    points = np.array([[[1.0, 0.0, 0.0], [2.0, 0.0, 0.0]]])
    assert isinstance(arena.fields[1], Field)
    assert np.array_equal(arena.sample("odour", points, 3.0), [[3.0, 6.0]])
    assert np.array_equal(arena.sample("nacl", points, 3.0), DROP.at(points, 3.0))
    assert np.array_equal(arena.sample("diacetyl", points, 3.0), [[0.0, 0.0]])
    assert arena.described()["fields"] == [DROP.described(), {"kind": "ramp", "name": "odour"}]


def test_a_field_that_gives_the_wrong_shape_or_no_number_is_named():
    class Broken(Ramp):
        def at(self, points, time):
            return points if time == 0.0 else np.full(points.shape[:-1], np.nan)

    arena = Arena(fields=[Broken()])
    for time in (0.0, 1.0):
        with pytest.raises(ConfigError, match="field 'odour' gave"):
            arena.sample("odour", np.zeros((2, 3)), time)


@pytest.mark.parametrize("wrong", [DROP, "nacl", [3.0], [Gaussian], [DROP, CHIP], [{"kind": "gaussian"}]])
def test_an_arena_refuses_what_is_not_a_list_of_fields_of_different_names(wrong):
    with pytest.raises(ConfigError, match="arena: "):
        Arena(fields=wrong)


def test_an_arena_does_not_change():
    arena = Arena("water", fields=[DROP])
    for name in ("temperature", "fields", "obstacles", "anything"):
        with pytest.raises(ConfigError, match="an Arena does not change"):
            setattr(arena, name, 25.0)
    with pytest.raises(ConfigError, match="an Arena does not change"):
        del arena.flow
    with pytest.raises((ConfigError, TypeError)):
        arena.fields[0] = CHIP
    assert arena == Arena("water", fields=[DROP]) and hash(arena) == hash(Arena("water", fields=[DROP]))


def test_replacing_makes_another_arena_and_checks_it():
    cold = Arena("water", gravity=9.81, fields=[DROP])
    warm = cold.replace(temperature=25.0)
    assert (cold.temperature, warm.temperature, warm.gravity, warm.fields) == (20.0, 25.0, 9.81, (DROP,))
    assert warm.medium == cold.medium and warm != cold
    with pytest.raises(ConfigError, match="did you mean 'temperature'"):
        cold.replace(temprature=25.0)
    with pytest.raises(ConfigError, match="gravity"):
        cold.replace(gravity=math.nan)


def test_an_arena_travels_to_another_process():
    arena = Arena(Arena().medium, fields=[DROP, Bath("odour", [[0, 1.0]])])
    assert pickle.loads(pickle.dumps(arena)) == copy.deepcopy(arena) == arena
