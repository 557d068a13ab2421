"""Gradients, drops, plumes and basins obey the physics that they solve, checked by numbers of another kind."""

import math
import tomllib

import numpy as np
import pytest
from scipy.integrate import quad

import tianbao as tb
from tianbao.environment import Basin, Drop, Gradient, Plume, field_of
from tianbao.environment.sources import diffusion_constants
from tianbao.errors import ConfigError
from tianbao.toml import lines

WARM = Gradient("temperature", 20.0, 0.5, 17.0, 25.0, direction=(0.0, 3.0, 4.0), point=(1.0, 2.0, 3.0), unit="degC")
LAYER = Drop("nacl", 100.0, 1800.0, depth=4.0, centre=(1.0, -2.0, 0.0), background=5.0)
SPACE = Drop("diacetyl", 20.0, 2.0, centre=(1.0, 0.0, 2.0), diffusion="air")
WIND = Plume("diacetyl", 0.3, 0.05, flow=(0.03, 0.0, 0.04), centre=(1.0, 2.0, 3.0), background=1e-3, diffusion=0.02)
STILL = Plume("diacetyl", 0.3, 0.05, diffusion=0.02)
WALLS = Basin("nacl", (10.0, 6.0), 4.0, ((-3.6e6, -4.0, 2.0, 80.0), (5e5, 1.0, 1.0, 50.0)), 0.5, background=2.0)
DISHED = Basin("nacl", (60.0, 60.0), 4.0, ((0.0, 1.0, -2.0, 100.0),), 0.5)
ALL = [WARM, LAYER, SPACE, WIND, STILL, WALLS]


def values(field, *points, time=0.0):
    return field.at(np.array(points, float), time)


def laplacian(field, point, time, step):
    """Of the value at a point, by central differences [unit/mm2]."""
    point, around = np.array(point, float), step * np.concatenate([np.eye(3), -np.eye(3)])
    return (field.at(point + around, time).sum() - 6.0 * field.at(point, time)) / step**2


@pytest.mark.parametrize("field", ALL, ids=lambda f: f.kind)
def test_a_source_is_made_again_from_toml_and_takes_points_of_any_shape(field):
    table = tomllib.loads("[[fields]]\n" + "\n".join(lines(field.described(), "", {})))["fields"][0]
    again = field_of(table, "run.toml")
    points = np.random.default_rng(2).normal(0.0, 3.0, (4, 5, 3))
    assert again == field and hash(again) == hash(field) and getattr(tb, type(field).__name__) is type(field)
    assert field.at(points, 1e6).shape == (4, 5) and np.array_equal(again.at(points, 1e6), field.at(points, 1e6))
    assert field.at(points[0, 0], 1e6) == field.at(points, 1e6)[0, 0] and field.state() == {}


def test_a_gradient_rises_along_its_direction_only_and_stops_at_its_ends():
    along, across = np.array([0.0, 0.6, 0.8]), np.array([0.0, 0.8, -0.6])
    here = np.array(WARM.point)
    assert values(WARM, here, here + 2.0 * along, here - 2.0 * along) == pytest.approx([20.0, 21.0, 19.0])
    assert values(WARM, here + 5.0 * across, here + [7.0, 0.0, 0.0]) == pytest.approx([20.0, 20.0])
    assert values(WARM, here + 50.0 * along, here - 50.0 * along) == pytest.approx([25.0, 17.0])


@pytest.mark.parametrize("time", [0.0, 6e5, 1e8])
def test_all_of_a_drop_is_somewhere_at_any_time(time):
    far = 12.0 * math.sqrt(2.0 * LAYER.diffusion * (LAYER.age + time / 1e3))

    def ring(r):
        return 2.0 * math.pi * r * LAYER.depth * (values(LAYER, (1.0 + r, -2.0, 0.3), time=time)[0] - 5.0)

    assert quad(ring, 0.0, far, epsrel=1e-10)[0] == pytest.approx(100.0, rel=1e-6)
    far = 12.0 * math.sqrt(2.0 * SPACE.diffusion * (SPACE.age + time / 1e3))

    def shell(r):
        return 4.0 * math.pi * r**2 * values(SPACE, (1.0, r, 2.0), time=time)[0]

    assert quad(shell, 0.0, far, epsrel=1e-10)[0] == pytest.approx(20.0, rel=1e-6)


@pytest.mark.parametrize(
    ("field", "point", "time", "step"),
    [
        (LAYER, (2.5, -1.0, 0.0), 3e5, 0.05),
        (SPACE, (4.0, 2.0, -1.0), 1e3, 0.1),
        (WALLS, (-3.0, 1.0, 0.0), 2e5, 0.05),
        (WALLS, (4.0, -2.5, 0.0), 3e7, 0.05),
    ],
)
def test_what_spreads_solves_the_equation_of_diffusion(field, point, time, step):
    before, after = (values(field, point, time=time * (1.0 + share))[0] for share in (-1e-4, 1e-4))
    per_second = (after - before) / (2e-7 * time)
    assert per_second == pytest.approx(field.diffusion * laplacian(field, point, time, step), rel=5e-3, abs=1e-9)


@pytest.mark.parametrize("downstream", [-0.8, 0.3, 2.0])
def test_all_that_a_plume_gives_off_flows_downstream(downstream):
    speed, diffusion, centre = 0.05, WIND.diffusion, np.array(WIND.centre)
    along, across = np.array([0.6, 0.0, 0.8]), np.array([0.8, 0.0, -0.6])

    def ring(r):
        place, step = centre + downstream * along + r * across, 1e-4 * along
        low, middle, high = values(WIND, place - step, place, place + step) - WIND.background
        return 2.0 * math.pi * r * (speed * middle - diffusion * (high - low) / 2e-4)

    flux = quad(ring, 0.0, 40.0, epsrel=1e-8, limit=200)[0]
    assert flux == pytest.approx(0.3 if downstream > 0.0 else 0.0, abs=0.3e-4)


def test_a_plume_is_steady_and_finite_and_without_flow_the_same_to_all_sides():
    point, step = np.array([2.0, 2.5, 3.6]), 0.01
    x, z = np.array([step, 0.0, 0.0]), np.array([0.0, 0.0, step])
    slope = (values(WIND, point + x, point + z) - values(WIND, point - x, point - z)) / (2.0 * step)
    carried = slope @ np.array([0.03, 0.04])
    assert carried == pytest.approx(WIND.diffusion * laplacian(WIND, point, 0.0, step), rel=1e-2)
    around = values(STILL, (2.0, 0.0, 0.0), (0.0, -2.0, 0.0), (0.0, 0.0, 2.0), (4.0, 0.0, 0.0))
    assert around[:3] == pytest.approx(0.3 / (4.0 * math.pi * 0.02 * 2.0))
    assert around[3] == pytest.approx(around[0] / 2.0)
    assert values(STILL, (0.0, 0.0, 0.0), (0.05, 0.0, 0.0), (0.0, 0.02, 0.0)).std() == 0.0
    assert values(WIND, (1e5, 1e5, 1e5))[0] == pytest.approx(1e-3)


@pytest.mark.parametrize(("time", "mass"), [(0.0, 80.0), (5e5, 130.0), (1e7, 130.0), (4.9e7, 130.0), (1e10, 130.0)])
def test_walls_hold_all_that_was_put_down_and_let_nothing_through(time, mass):
    x, y = np.linspace(-5.0, 5.0, 301), np.linspace(-3.0, 3.0, 181)
    value = WALLS.at(np.stack([*np.meshgrid(x, y), np.zeros((181, 301))], axis=-1), time) - 2.0
    # The trapezoidal rule is exact to rounding for what arrives at its ends without a slope.
    assert 4.0 * np.trapezoid(np.trapezoid(value, x, axis=1), y) == pytest.approx(mass, rel=1e-9)
    assert np.abs(value[:, 1] - value[:, 0]).max() < 2e-2 * np.abs(np.diff(value, axis=1)).max() or value.std() < 1e-6
    assert values(WALLS, (9.0, 1.0, 0.0), (9.0, 77.0, 0.0), time=time) == pytest.approx(
        values(WALLS, (5.0, 1.0, 8.0), (5.0, 3.0, 0.0), time=time), rel=1e-12
    )


def test_images_and_cosines_agree_where_one_follows_the_other():
    # The series change over where diffusion constant times time is 0.15 of the squared length.
    change = 1e3 * (0.15 * 60.0**2 - 0.5 * DISHED.width**2) / DISHED.diffusion
    points = np.random.default_rng(3).uniform(-30.0, 30.0, (50, 3))
    images, cosines = (DISHED.at(points, change * (1.0 + share)) for share in (-1e-12, 1e-12))
    assert cosines == pytest.approx(images, rel=1e-10) and not np.array_equal(images, cosines)


def test_far_from_its_walls_a_basin_is_a_drop_without_an_edge():
    # Spread from a width of 0.5 mm is a point of an age of width^2 / (2 D).
    drop = Drop("nacl", 100.0, 0.125 / DISHED.diffusion, depth=4.0, centre=(1.0, -2.0, 0.0))
    points = np.random.default_rng(4).normal(0.0, 3.0, (60, 3))
    for time in (0.0, 2e6):
        assert DISHED.at(points, time) == pytest.approx(drop.at(points, time), rel=1e-9, abs=1e-15)


def test_substances_spread_by_the_constant_of_their_medium():
    known = diffusion_constants()
    assert (
        Drop("oxygen", 1.0, 1.0, diffusion="air").diffusion == known["oxygen", "air"] > 100 * known["oxygen", "water"]
    )
    assert Drop("anything", 1.0, 1.0, diffusion=0.5).diffusion == 0.5
    assert {"nacl", "diacetyl", "isoamyl_alcohol", "oxygen", "carbon_dioxide"} <= {name for name, _ in known}


DROP, PLUME, RISE = ({"kind": kind, "name": "nacl"} for kind in ("drop", "plume", "gradient"))
BASIN = {"kind": "basin", "name": "nacl", "size": [10, 6], "depth": 4, "drops": [[0, 1, 1, 5]], "width": 0.5}
SLOPED = {**RISE, "value": 20, "slope": 1, "low": 10, "high": 30}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({**DROP, "amount": 0, "age": 1}, "'amount' = 0 nmol must be positive"),
        ({**DROP, "amount": 1, "age": 0}, "'age' = 0 s must be positive"),
        ({**DROP, "amount": 1, "age": 1, "depth": -2}, "'depth' = -2 mm must be positive"),
        ({**DROP, "amount": 1, "age": 1, "diffusion": "agar"}, "number in mm2/s or a medium.*water"),
        ({**DROP, "amount": 1, "age": 1, "diffusion": -1}, "must be positive"),
        ({**DROP, "name": "foo", "amount": 1, "age": 1}, "in water is not in diffusion.csv; give 'diffusion' in mm2/s"),
        ({**DROP, "amount": 1, "age": 1, "unit": "mM"}, "unknown key of a drop 'unit'"),
        ({**DROP, "amount": 1, "age": 1, "background": -1}, "cannot be negative"),
        ({**PLUME, "strength": 1}, "a plume needs 'radius'"),
        ({**PLUME, "strength": 1, "radius": 0}, "'radius' = 0 mm must be positive"),
        ({**PLUME, "strength": 1, "radius": 1, "flow": 3}, "'flow' = 3 must be 3 numbers"),
        ({**SLOPED, "value": 40}, "'value' = 40 mM lies outside of 'low' = 10 to 'high' = 30 mM"),
        ({**SLOPED, "direction": [0, 0, 0]}, "has no length"),
        ({**SLOPED, "low": -1}, "cannot be negative"),
        ({**SLOPED, "unit": "%", "high": 101}, "nothing is above 100 %"),
        ({**BASIN, "drops": []}, "'drops' must be a list of"),
        ({**BASIN, "drops": [[0, 1, 1]]}, "takes 4 numbers"),
        ({**BASIN, "drops": [[0, 6, 1, 1]]}, "a drop at 6, 1 mm lies outside of the walls"),
        ({**BASIN, "size": [10, 0]}, "'size' = 0 mm must be positive"),
        ({**BASIN, "width": 0}, "'width' = 0 mm must be positive"),
    ],
)
def test_a_source_that_cannot_be_is_refused_with_its_place(table, words):
    with pytest.raises(ConfigError, match=f"run.toml, field 1: .*{words}"):
        field_of(table, "run.toml, field 1")
