"""Media are what their table says, and nothing that cannot be."""

import csv

import numpy as np
import pytest

from tianbao.environment import Arena, Dish, Medium, Pillar, Plane, SignedDistance
from tianbao.environment.medium import TABLE, ellipsoid_drag
from tianbao.errors import ConfigError

AGAR, WATER = Medium.named("agar"), Medium.named("water")


def test_agar_and_water_are_as_published():
    agar, water = Medium.named("agar"), Medium.named("water")
    assert agar.drag_normal / agar.drag_tangential == pytest.approx(40.0)
    assert water.drag_normal / water.drag_tangential == pytest.approx(1.58, abs=0.01)
    assert agar.surface_stiffness > 0.0 == water.surface_stiffness


def test_there_is_one_water():
    fluid, water, towed = Medium.newtonian(1e-3), Medium.named("water"), Medium.ellipsoid(1e-3)
    assert (fluid.drag_normal, fluid.drag_tangential) == (water.drag_normal, water.drag_tangential)
    assert Medium.newtonian(0.1).drag_normal == pytest.approx(100.0 * fluid.drag_normal)
    assert towed.drag_ratio == pytest.approx(1.487, rel=0.01)
    assert 0.5 < towed.drag_normal / water.drag_normal < 1.0


def test_drag_of_a_nearly_round_ellipsoid_is_that_of_a_sphere():
    across, along = ellipsoid_drag(1.0, 0.4999)
    assert across == pytest.approx(3.0 * np.pi, rel=1e-3)
    assert along == pytest.approx(3.0 * np.pi, rel=1e-3)
    with pytest.raises(ConfigError, match="longer"):
        ellipsoid_drag(1.0, 0.6)


def test_media_between_water_and_agar_are_neither_thinner_nor_more_slippery_than_both():
    sweep = [Medium.between("water", "agar", share) for share in np.linspace(0.0, 1.0, 11)]
    assert (sweep[0].drag_normal, sweep[-1].drag_normal) == (WATER.drag_normal, pytest.approx(AGAR.drag_normal))
    for name in ("drag_normal", "drag_tangential", "drag_ratio"):
        assert (np.diff([getattr(each, name) for each in sweep]) > 0.0).all()
    assert sweep[-1].drag_ratio == pytest.approx(AGAR.drag_ratio)
    with pytest.raises(ConfigError, match="share"):
        Medium.between("water", "agar", 1.1)


def test_isotropic_medium_has_one_drag():
    medium = Medium.named("agar").isotropic()
    assert medium.drag_tangential == medium.drag_normal == Medium.named("agar").drag_normal


def test_arena_takes_a_name_or_a_medium():
    assert Arena().medium == Medium.named("agar")
    assert Arena(Medium.newtonian(0.1)).medium.drag_normal == Medium.newtonian(0.1).drag_normal


def test_flow_is_asked_for_all_points_at_once_and_checked():
    still, shear = Arena("water"), Arena("water", flow=lambda points, time: time * points[:, [1, 0, 2]])
    points = np.arange(12.0).reshape(2, 2, 3)
    assert (still.velocity(points, 5.0) == 0.0).all()
    assert (shear.velocity(points, 5.0) == 5.0 * points[..., [1, 0, 2]]).all()
    with pytest.raises(ConfigError, match="flow gave"):
        Arena("water", flow=lambda points, time: points[:, 0]).velocity(points, 0.0)
    with pytest.raises(ConfigError, match="flow must be a function"):
        Arena("water", flow=3.0)
    with pytest.raises(ConfigError, match="gravity"):
        Arena("water", gravity=np.nan)


def test_arena_is_described_by_numbers_that_a_picture_can_be_drawn_from():
    obstacles = [Pillar(1.0, 2.0, 0.1), Dish(5.0), Plane((0.0, 0.0, -1.0), (0.0, 0.0, 2.0)), SignedDistance(np.hypot)]
    said = Arena("water", obstacles=obstacles, gravity=9.81).described()
    assert said["pillars"] == [[1.0, 2.0, 0.1, 0.0]] and said["dishes"] == [[0.0, 0.0, 5.0, 0.0]]
    assert said["planes"] == [[0.0, 0.0, -1.0, 0.0, 0.0, 1.0, 0.0]]
    assert said["solids"] == ["hypot"] and said["flow"] == "" and said["gravity"] == 9.81


def test_unknown_medium_names_the_nearest_one():
    with pytest.raises(ConfigError, match="did you mean 'agar'"):
        Arena("agr")


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"drag_normal": 1.0},
        {"drag_normal": -1.0, "drag_tangential": 1.0},
        {"drag_normal": float("nan"), "drag_tangential": 1.0},
        {"drag_normal": 1.0, "drag_tangential": 1.0, "density": 0.0},
        {"drag_normal": 1.0, "drag_tangential": 1.0, "surface_stiffness": -1.0},
    ],
)
def test_impossible_medium_is_refused(bad):
    with pytest.raises(ConfigError):
        Medium(**bad)


def test_every_number_has_a_source():
    with open(TABLE, newline="", encoding="utf-8") as lines:
        assert all(row["source"].strip() for row in csv.DictReader(lines))
