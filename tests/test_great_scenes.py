"""Scenes of a metre: what stands and fills them is found near the worms only, and a worm walks there as anywhere."""

import importlib.util
import tomllib
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from test_contact import RADII, RINGS, STIFF, TICK, chains, found, wave

import tianbao as tb
from tianbao.body import SoftBody
from tianbao.body.contact import ContactFinder
from tianbao.config import RunConfig, config_of
from tianbao.environment import circles
from tianbao.environment.obstacles import Dish, Plane
from tianbao.experiment import arena_of
from tianbao.loop.unnoticed import unnoticed
from tianbao.toml import literal
from tianbao.view.live import _Feed

ROOT = Path(__file__).resolve().parents[1]
FAR = 1300.0
LATTICES = {
    "hexagonal": dict(radius=0.12, pitch=0.45),
    "displaced": dict(radius=0.1, pitch=0.45, layout="square", jitter=0.12, seed=7, friction=0.3, origin=(0.1, -0.2)),
    "in a circle": dict(radius=0.05, pitch=0.25, jitter=0.07, seed=2**32 - 1, within=(0.0, 0.0, 1.5)),
    "but for a rectangle": dict(radius=0.05, pitch=0.25, free=(0.1, 0.3, 1.2, 0.5)),
}


def lattice(name, at=0.0):
    """One of the lattices, its areas moved."""
    given = dict(LATTICES[name])
    for area in ("within", "free"):
        if area in given:
            x, y, *size = given[area]
            given[area] = (x + at, y + at, *size)
    return tb.Lattice(**given)


def pillars(of, points, distance=1.0):
    return [tb.Pillar(x, y, of.radius, of.friction) for x, y in of.near(points, distance)]


# Where pillars stand


@pytest.mark.parametrize("at", [0.0, FAR, -FAR], ids=["origin", "far", "far on the other side"])
@pytest.mark.parametrize("name", LATTICES)
def test_half_spaces_of_a_lattice_are_those_of_its_pillars(name, at):
    of, middle = lattice(name, at), chains(8, 1.5, 2, height=0.05, at=(at, at, 0.0))
    listed = pillars(of, middle[..., :2])
    options = {"worms_touch": False, "self_contact": False}
    got, wanted = found([of], middle, **options), found(listed, middle, **options)
    assert sum(len(each) for worm in wanted for each in worm) > 50
    for worm, expected in zip(got, wanted, strict=True):
        for one, other in zip(worm, expected, strict=True):
            assert one.shape == other.shape and one == pytest.approx(other, abs=1e-12 * (1.0 + abs(at)), rel=0.0)


def test_a_lattice_is_regular_and_its_displacements_are_even_and_bounded():
    plain, moved = tb.Lattice(0.1, 0.5), tb.Lattice(0.1, 0.5, jitter=0.12, seed=3)
    axes = plain.near(np.zeros((1, 2)), 4.0)
    apart = np.linalg.norm(axes[:, None] - axes[None], axis=-1) + 9.0 * np.eye(len(axes))
    assert apart.min(axis=1) == pytest.approx(np.full(len(axes), 0.5))
    columns, rows = (each.ravel() for each in np.meshgrid(np.arange(-150, 150), np.arange(-150, 150)))
    shift = moved.places(columns, rows)[0] - plain.places(columns, rows)[0]
    share = shift / (0.12 * np.sqrt(0.5))
    assert np.abs(share).max() <= 1.0 and np.abs(share.mean(axis=0)).max() < 0.01
    assert share.var(axis=0) == pytest.approx([1.0 / 3.0] * 2, rel=0.02)
    x, y = share.T
    field = x.reshape(300, 300)
    for one, other in ((x, y), (field[:, 1:], field[:, :-1]), (field[1:], field[:-1])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.015
    assert not np.allclose(shift, tb.Lattice(0.1, 0.5, jitter=0.12, seed=4).places(columns, rows)[0], atol=0.05)


def test_areas_hold_and_keep_out_axes():
    of = tb.Lattice(0.02, 0.1, "square", within=(0.0, 0.0, 2.0, 1.0), free=(0.3, 0.0, 0.25))
    axes = of.near(np.zeros((1, 2)), 3.0)
    whole = np.array([(i, j) for j in range(-5, 6) for i in range(-10, 11)]) * 0.1
    kept = whole[np.hypot(whole[:, 0] - 0.3, whole[:, 1]) > 0.25 + 1e-6]
    assert axes == pytest.approx(kept)


def test_a_worm_that_is_lost_finds_no_pillar_and_the_others_theirs():
    middle = chains(3, 0.2, 8)
    wanted = found([lattice("hexagonal")], middle, worms_touch=False)
    middle[1, 20:], middle[1, 3] = np.nan, 1e300
    got = found([lattice("hexagonal")], middle, worms_touch=False)
    assert all(np.array_equal(a, b) for k in (0, 2) for a, b in zip(got[k], wanted[k], strict=True))
    assert all(np.isfinite(each).all() for each in got[1])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (dict(radius=0.3, pitch=0.5), "lattice: pillars of radius 0.3 mm overlap at pitch 0.5 mm; widen"),
        (dict(radius=0.2, pitch=0.5, jitter=0.1), "displaced by up to 0.1 mm, overlap"),
        (dict(radius=0.001, pitch=0.005), "pitch = 0.005 mm is too narrow"),
        (dict(radius=0.0, pitch=0.5), "radius = 0.0 must be a positive number"),
        (dict(radius=0.1, pitch=np.nan), "pitch = nan must be a positive number"),
        (dict(radius=0.1, pitch=0.5, layout="hexagon"), "unknown layout 'hexagon': did you mean 'hexagonal'"),
        (dict(radius=0.1, pitch=0.5, friction=-1.0), "friction = -1.0 must be a number that is not negative"),
        (dict(radius=0.1, pitch=0.5, seed=-1), "seed = -1 must be a whole number"),
        (dict(radius=0.1, pitch=0.5, seed=0.5), "seed = 0.5 must be a whole number"),
        (dict(radius=0.1, pitch=0.5, origin=(1.0,)), "origin = .* must be 2 finite numbers"),
        (dict(radius=0.1, pitch=0.5, within=(1.0, 2.0)), "within = .* must be x, y, radius of a circle, or"),
        (dict(radius=0.1, pitch=0.5, free=(0.0, 0.0, 0.0)), "radius of free = 0.0 must be a positive number"),
        (dict(radius=0.1, pitch=0.5, free="all"), "free = 'all' must be x, y, radius of a circle, or"),
    ],
)
def test_a_lattice_that_cannot_be_is_refused_in_a_sentence(given, words):
    with pytest.raises(tb.ConfigError, match=words):
        tb.Lattice(**given)


# Bodies among them


def lane(at=0.0, **more):
    """A lattice with a lane along x in which a worm has room to lie, but not to bend."""
    return tb.Lattice(0.15, 0.45, "square", 0.3, origin=(at + 0.1, at + 0.225), jitter=0.03, seed=3, **more)


@pytest.mark.parametrize("at", [0.0, FAR], ids=["origin", "far"])
# Compiled steps equal those of the kernels with a lattice, too (below), so that the kernels need not crawl every time.
@pytest.mark.parametrize(
    "compiled", [pytest.param(True, id="C"), pytest.param(False, id="kernels", marks=pytest.mark.slow)]
)
def test_a_worm_crawls_through_a_lattice_as_through_its_pillars(compiled, at):
    of = lane(at)
    around = pillars(of, np.array([[at, at]]), 3.0)
    bodies = [SoftBody(material=STIFF, obstacles=each, compiled=compiled) for each in ([of], around)]
    pressed = 0.0
    for body in bodies:
        body.pose(0.0, at=(at, at), heading=np.pi)
        for _ in range(120):
            body.step(wave(body, amplitude=12.0), TICK)
            pressed = max(pressed, body.load.max())
    one, other = (body.midline() for body in bodies)
    assert pressed > 0.1 and np.abs(one - other).max() < 1e-12


def test_obstacles_and_loads_are_the_same_in_c_as_in_the_kernels():
    things = [
        tb.Lattice(0.12, 0.45, jitter=0.05, seed=3, friction=0.3, free=(0.1, 0.0, 1.5, 0.6)),
        Plane((0.0, 0.0, -0.05), (0.0, 0.0, 1.0), 0.2), Plane((0.0, -1.0, 0.0), (0.1, 1.0, 0.0)), Dish(1.4, (0.4, 0.0)),
        tb.Pillar(0.0, 0.3, 0.1), tb.Pillar(3.0, 0.0, 0.2),
    ]  # fmt: skip
    options = dict(material=STIFF, obstacles=things, touching=True, worms=2)
    bodies = [SoftBody(**options, compiled=each) for each in (True, False)]
    pressed = 0.0
    for body in bodies:
        body.pose(0.0, at=(0.0, 0.0), heading=np.pi)
        body.pose(0.0, at=(0.1, -0.1), heading=np.pi, worm=1)
    for _ in range(60):
        for body in bodies:
            body.step(wave(body, amplitude=12.0), TICK)
        one, other = (body.load for body in bodies)
        pressed = max(pressed, one.max())
        assert one == pytest.approx(other, abs=1e-6 * (1.0 + pressed))
    assert pressed > 0.1
    assert np.abs(bodies[0].midline() - bodies[1].midline()).max() < 1e-9


def test_a_worm_among_pillars_has_the_bits_that_it_has_alone_while_others_touch():
    of = lane(within=(0.0, 0.0, 3.0))
    # Two others touch each other where there are no pillars.
    alone, three = (SoftBody(material=STIFF, obstacles=[of], touching=True, worms=each) for each in (1, 3))
    pressed = np.zeros(2)
    for body in (alone, three):
        body.pose(0.0, heading=np.pi)
    three.pose(0.0, at=(20.0, 0.0), worm=1)
    three.pose(0.0, at=(20.0, 0.075), worm=2)
    for _ in range(100):
        tension = wave(three, phase=[0.0, 0.0, 1.0], amplitude=12.0)
        alone.step(np.ascontiguousarray(tension[:1]), TICK)
        three.step(tension, TICK)
        pressed = np.maximum(pressed, [alone.load.max(), three.load[1:].max()])
    assert (pressed > 0.0).all()
    assert np.array_equal(alone.midline()[0], three.midline()[0])


# Configurations, results and pictures


def test_a_lattice_is_made_again_from_a_configuration_and_drawn_where_worms_were():
    of = lattice("displaced", FAR)
    arena = tb.Arena("agar", obstacles=[of, lattice("in a circle")])
    tables = arena.described()["lattices"]
    text = f"[arena]\nlattices = {literal(tables)}\n"
    assert arena_of(config_of(text, "a test")).obstacles == arena.obstacles
    assert config_of(RunConfig().updated(tomllib.loads(text)).to_toml(), "again").arena.lattices == tuple(tables)
    line = np.full((5, RINGS, 3), FAR)
    drawn = circles({"lattices": [*tables, {"radius": 0.1}, 3]}, [line])
    axes = of.near(line[0, :1, :2], 0.5)
    assert len(drawn) < 200 and all(np.isclose(drawn[:, :2], each).all(axis=1).any() for each in axes)
    assert (drawn[:, 2] == of.radius).all() and (drawn[:, 3] == 0.0).all()
    assert circles({"lattices": 5}, [line]).shape == circles({"lattices": tables}, []).shape == (0, 4)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([[0.1, 0.5]], "'arena.lattices' is a list of tables"),
        ([{"radius": 0.1}], "arena.lattices, entry 1: a lattice needs 'pitch'"),
        ([{"radius": 0.1, "pitch": 0.5, "jiter": 0.1}], "unknown key of a lattice 'jiter': did you mean 'jitter'"),
        ([{"radius": 0.4, "pitch": 0.5}], "entry 1: lattice: pillars of radius 0.4 mm overlap"),
    ],
)
def test_a_table_that_is_no_lattice_is_refused_with_its_place(given, words):
    with pytest.raises(tb.ConfigError, match=words):
        arena_of(RunConfig().updated({"arena.lattices": given}))


def test_the_live_view_is_told_of_the_pillars_that_are_near():
    of = tb.Lattice(0.12, 0.6, free=(FAR, FAR, 0.75))
    simulation = tb.Simulation(tb.Worm(at=(FAR, FAR, 0.0)), tb.Arena("agar", obstacles=[of]), progress=False)
    simulation.reset()
    feed = _Feed(["AVAL"], None)
    feed.look(simulation.loop)
    feed._take(simulation.loop, feed._due_s + 1.0)
    near = np.array(feed._picture["circles"])
    assert 10 < len(near) < 60 and np.abs(near[:, :2] - FAR).max() < 4.0
    assert "not um" not in str(unnoticed(simulation.worms, simulation.arena, simulation.clock, 1.0))


# Sources and lawns

STREWN = tuple((*each, 0.0) for each in np.random.default_rng(1).uniform(0.0, FAR, (50, 2)).tolist())


@pytest.mark.parametrize(
    "make",
    [
        lambda **more: tb.Gaussian("nacl", 5.0, 200.0, background=1.0, **more),
        lambda **more: tb.Drop("nacl", 5.0, 1e7, depth=1.0, background=1.0, **more),
        lambda **more: tb.Drop("nacl", 5.0, 1e7, background=1.0, **more),
        lambda **more: tb.Plume("nacl", 1.0, 0.1, flow=(0.01, 0.0, 0.0), background=1.0, **more),
    ],
    ids=["gaussian", "drop in a layer", "drop", "plume"],
)
def test_many_sources_are_the_sum_of_each(make):
    points = np.random.default_rng(2).uniform(0.0, FAR, (4, 1500, 3))
    wanted = 1.0 + sum(make(centre=(x + 1.0, y, z)).at(points, 5.0) - 1.0 for x, y, z in STREWN)
    many = make(centre=(1.0, 0.0, 0.0), places=STREWN)
    assert many.at(points, 5.0) == pytest.approx(wanted, rel=1e-12)
    assert many.at(points[0, :3], 5.0) == pytest.approx(wanted[0, :3], rel=1e-12)
    assert np.array_equal(make(places=((0.0, 0.0, 0.0),)).at(points, 5.0), make().at(points, 5.0))
    half = make(places=((1.0, 2.0, 0.0, 0.5), (1.0, 2.0, 0.0, 0.25)))
    assert half.at(points, 5.0) == pytest.approx(0.25 + 0.75 * make(centre=(1.0, 2.0, 0.0)).at(points, 5.0), rel=1e-12)


@pytest.mark.parametrize(
    ("places", "words"),
    [
        (3.0, "'places' = 3.0 must be a list of x, y, z in mm"),
        ([(1.0, 2.0)], "'places' takes 3 numbers, got 2"),
        ([(0.0, 0.0, 0.0, -1.0)], "share of a source"),
        ([(0.0, 0.0, 0.0), (0.1, 0.0, 0.0)], "background and places make -0.99.* mM at one of them"),
    ],
)
def test_places_that_cannot_be_are_refused_in_a_sentence(places, words):
    with pytest.raises(tb.ConfigError, match=words):
        tb.Gaussian("nacl", -1.0, 2.0, background=1.0, places=places)


def test_memory_of_lawns_follows_what_they_cover():
    near, far = (
        tb.Lawn("food", 0.5, 0.5, patches=tuple((k * apart, 0.0) for k in range(20))) for apart in (2.0, 60.0)
    )
    assert far.left == pytest.approx(near.left, rel=1e-3) and far.left == pytest.approx(10.0 * np.pi * 0.25, rel=0.01)
    assert far.state()["mass"].nbytes < 1.3 * near.state()["mass"].nbytes < 1e6
    mouth = np.zeros((1, 5, 3)) + [19 * 60.0, 0.0, 0.0]
    for _ in range(50):
        far.step(1e5, mouth)
    assert far.eaten[0] > 0.0 and far.left + far.eaten[0] == pytest.approx(near.left, rel=1e-3)
    assert far.at(mouth[0, :1], 0.0) < 0.5 == pytest.approx(far.at(np.array([[60.0, 0.0, 0.0]]), 0.0)[0])


# The whole scene


@pytest.fixture(scope="module")
def script():
    """sims/long_walk.py as a module."""
    spec = importlib.util.spec_from_file_location("long_walk_script", ROOT / "sims" / "long_walk.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_memory_of_a_scene_does_not_grow_with_its_area(script):
    held = []
    for side in (0.1 * FAR, FAR, 10.0 * FAR):
        tracemalloc.start()
        arena = script.scene((side, side), side, 1, script.SCENE)
        finder = ContactFinder(arena.obstacles, 1, RADII)
        held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    assert finder.obstacles == 1 and max(held[1:]) < 1.2 * held[0] < 1e7


@pytest.mark.parametrize("parts", [(), ("salt", "lawns", "lattice")], ids=["agar", "scene"])
def test_a_worm_moves_in_the_far_corner_as_at_the_origin(script, parts):
    lines = []
    for corner in ((0.0, 0.0), (FAR, FAR)):
        arena = script.scene(corner, FAR, 1, parts)
        run = script.simulated(arena, corner, 1, 1).run(600.0)
        lines.append(run.worms[0].midline - [*corner, 0.0])
    assert np.ptp(lines[0].mean(axis=1)[:, 0]) > 0.05
    assert np.abs(lines[1] - lines[0]).max() < 1e-9


@pytest.mark.parametrize("at", [(FAR, -FAR, 0.0), (FAR, FAR, FAR)], ids=["in plane", "and high up"])
def test_a_worm_swims_in_its_own_flow_far_away_as_at_the_origin(at):
    arena, lines = tb.Arena(tb.Medium.newtonian(1e-3), resolved=True), []
    for place in ((0.0, 0.0, 0.0), at):
        run = tb.Simulation(tb.Worm(at=place), arena, seed=1, progress=False).run(200.0)
        lines.append(run.worms[0].midline - np.array(place))
    # Frames lie in the plane: the height counts from the world's origin, and loses digits.
    assert np.abs(lines[1] - lines[0]).max() < (1e-6 if at[2] else 1e-9)


def test_the_bar_of_the_long_walk_is_one_of_gait_and_one_of_cost(script):
    import pandas as pd

    def table(gait, cost):
        rows = [script.row("gait", "bare agar", "frequency_hz", "Hz", 1.0, 1.0 + gait)]
        return pd.DataFrame([*rows, script.row("cost", "50 sources", "time of a tick", "ms", 1.0, 1.0 + cost)])

    assert script.holds(table(1e-5, 0.04))
    assert not script.holds(table(2e-3, 0.04)) and not script.holds(table(0.0, 0.06))
