"""Worms find what they can touch, and do not pass through it."""

from dataclasses import replace

import numpy as np
import pytest

from tianbao import backend
from tianbao.body import Material, RingMesh, SoftBody
from tianbao.body.contact import REACH, SKIP, ContactFinder
from tianbao.body.kernels import PLANES
from tianbao.body.material import constant
from tianbao.body.mesh import SIDES
from tianbao.body.posture import bent
from tianbao.environment import Medium
from tianbao.environment.obstacles import Dish, Pillar, Plane, SignedDistance, pillar_array
from tianbao.errors import ConfigError

backend.start()
MESH = RingMesh.adult()
RADII = MESH.surface_radii
RINGS = MESH.rings
STRETCH = 3
# Stiff enough to push on whatever it meets, whichever stiffness a worm has by default.
STIFF = Material(bending_stiffness_n_m2=2.94e-14, internal_viscosity_time=80.0)
INNER = np.arange(1, MESH.rings - 1) / MESH.slabs


def found(obstacles, centres, **options):
    """Half-spaces of every ring as lists of arrays (normal, offset, friction)."""
    worms, rings = centres.shape[:2]
    planes = backend.ti.ndarray(backend.ti.f64, (worms, rings, PLANES, 5))
    count = backend.ti.ndarray(backend.ti.i32, (worms, rings))
    ContactFinder(obstacles, worms, RADII, **options).find(centres, planes, count)
    planes, count = planes.to_numpy(), count.to_numpy()
    return [[planes[w, r, : count[w, r]] for r in range(rings)] for w in range(worms)]


def nearest(candidates, centre):
    """The PLANES nearest half-spaces."""
    rows = np.array(candidates).reshape(-1, 5)
    return rows[np.argsort(rows[:, :3] @ centre - rows[:, 3], kind="stable")][:PLANES]


def tangent_planes(obstacles, centre, radius):
    """Half-spaces of a ring among obstacles, by looking at all of them."""
    for each in obstacles:
        if isinstance(each, Plane):
            normal = np.array(each.normal)
            distance = normal @ (centre - each.point)
        else:
            axis = (each.x, each.y) if isinstance(each, Pillar) else each.centre
            away = np.append(centre[:2] - axis, 0.0)
            distance = np.linalg.norm(away) - each.radius
            normal = away / np.linalg.norm(away)
            if isinstance(each, Dish):
                normal, distance = -normal, -distance
        if distance - radius <= REACH:
            yield (*normal, normal @ centre - distance, each.friction)


def middle_planes(chains, worm, ring, friction=0.0, skip=SKIP):
    """Half-spaces of a ring among worms, by looking at all segments."""
    centre, radius = chains[worm, ring], RADII[ring]
    for other, chain in enumerate(chains):
        a, e = chain[:-1], np.diff(chain, axis=0)
        share = np.clip(((centre - a) * e).sum(axis=1) / (e**2).sum(axis=1), 0.0, 1.0)
        away = centre - a - share[:, None] * e
        distance = np.linalg.norm(away, axis=1)
        there = RADII[:-1] + share * np.diff(RADII)
        for k in np.flatnonzero(distance - radius - there <= REACH):
            if other == worm and ring - skip <= k < ring + skip:
                continue
            before, after = distance[max(k - STRETCH, 0) : k], distance[k + 1 : k + 1 + STRETCH]
            if (before > distance[k] * (1.0 + 1e-9)).all() and (after >= distance[k] * (1.0 - 1e-9)).all():
                normal = away[k] / distance[k]
                foot = a[k] + share[k] * e[k]
                yield (*normal, normal @ foot + 0.5 * (there[k] + distance[k] - radius), friction)


def chains(worms, box, seed, height=0.0, at=0.0):
    """Midlines of undulating worms strewn over a square."""
    random = np.random.default_rng(seed)
    phase, heading = random.uniform(0.0, 2.0 * np.pi, (2, worms, 1))
    course = heading + 1.2 * np.sin(2.0 * np.pi * np.arange(RINGS) / MESH.slabs / 0.65 + phase)
    steps = np.stack([np.cos(course), np.sin(course), height * np.sin(course + phase)], axis=-1)
    middle = np.cumsum(steps * MESH.length / MESH.slabs, axis=1)
    place = random.uniform(-box, box, (worms, 1, 3)) * [1.0, 1.0, height]
    return middle - middle.mean(axis=1, keepdims=True) + place + at


def assert_same(lists, expected, scale=1.0):
    for per_worm, expected_of_worm in zip(lists, expected, strict=True):
        for got, wanted in zip(per_worm, expected_of_worm, strict=True):
            assert len(got) == len(wanted)
            assert got == pytest.approx(wanted, abs=1e-11 * scale)


# Obstacles


@pytest.mark.parametrize("at", [0.0, 1300.0], ids=["origin", "1.3 m away"])
def test_half_spaces_of_obstacles_are_those_of_looking_at_all(at):
    random = np.random.default_rng(1)
    pillars = [
        Pillar(*random.uniform(-3.0, 3.0, 2) + at, radius, friction)
        for radius, friction in random.uniform(0.02, 0.4, (400, 2))
    ]
    walls = [Plane((at, at, -0.05), (0.1, 0.2, 2.0), 0.3), Plane((at + 2.5, at, 0.0), (-1.0, 0.1, 0.0))]
    obstacles = [*pillars[:200], *walls, Dish(2.8, (at, at), 0.1), Pillar(at + 40.0, at, 38.0), *pillars[200:]]
    middle = chains(8, 1.5, 2, height=0.05, at=(at, at, 0.0))
    got = found(obstacles, middle, worms_touch=False, self_contact=False)
    wanted = [
        [nearest(list(tangent_planes(obstacles, c, r)), c) for c, r in zip(worm, RADII, strict=True)] for worm in middle
    ]
    assert max(len(each) for worm in wanted for each in worm) == PLANES
    assert_same(got, wanted, 1.0 + at)


def test_more_obstacles_than_there_is_room_for_leaves_the_nearest():
    angle = 2.0 * np.pi * np.arange(12) / 12
    pillars = [Pillar(*((0.14 + 0.001 * k) * np.array([np.cos(a), np.sin(a)])), 0.1) for k, a in enumerate(angle)]
    middle = np.zeros((1, RINGS, 3))
    normals = np.array(found(pillars, middle, self_contact=False)[0][24])[:, :2]
    assert normals == pytest.approx(-np.column_stack([np.cos(angle), np.sin(angle)])[:PLANES])


def test_obstacles_far_apart_cost_no_room():
    middle = chains(1, 0.0, 3) + [650.0, 0.0, 0.0]
    pillars = [Pillar(x, 0.0, 0.05) for x in np.linspace(-650.0, 650.0, 201)]
    finder = ContactFinder(pillars, 1, RADII)
    assert finder._index.shape[0] < 10_000
    assert sum(map(len, found(pillars, middle)[0])) > 0


def test_solid_of_any_shape_is_the_pillar_it_equals():
    pillar = Pillar(0.1, 0.12, 0.08, 0.4)
    solid = SignedDistance(lambda p: np.hypot(p[:, 0] - 0.1, p[:, 1] - 0.12) - 0.08, 0.4)
    middle = chains(3, 0.3, 4)
    got, wanted = (found([each, Plane((0, 0, -0.04), (0, 0, 1))], middle) for each in (solid, pillar))
    for a, b in zip(got, wanted, strict=True):
        for one, other in zip(a, b, strict=True):
            assert one == pytest.approx(other, abs=1e-6)


def test_ring_on_the_axis_of_a_pillar_gets_a_way_out():
    normal = found([Pillar(0.0, 0.0, 0.1)], np.zeros((1, RINGS, 3)), self_contact=False)[0][0][0]
    assert normal.tolist() == [1.0, 0.0, 0.0, 0.1, 0.0]


@pytest.mark.parametrize("lattice", ["square", "hexagonal"])
def test_pillars_of_an_array_stand_a_pitch_apart_inside_its_extent(lattice):
    field = pillar_array(0.12, 0.45, (4.0, 3.0), lattice, centre=(7.0, -2.0))
    axes = np.array([(each.x, each.y) for each in field])
    apart = np.linalg.norm(axes[:, None] - axes[None], axis=-1) + 9.0 * np.eye(len(axes))
    assert apart.min(axis=1) == pytest.approx(np.full(len(axes), 0.45))
    assert (np.abs(axes - [7.0, -2.0]) <= [2.0, 1.5]).all()
    assert 0.5 * (axes.min(axis=0) + axes.max(axis=0)) == pytest.approx([7.0, -2.0])
    assert np.median((apart < 0.451).sum(axis=1)) == (4 if lattice == "square" else 6)


# Worms among each other


@pytest.mark.parametrize("at", [0.0, 1300.0], ids=["origin", "1.3 m away"])
@pytest.mark.parametrize("height", [0.0, 0.2], ids=["flat", "piled"])
def test_half_spaces_between_worms_are_those_of_looking_at_all(height, at):
    middle = chains(12, 0.7, 5, height, at=(at, at, 0.0))
    got = found([], middle, friction=0.2)
    wanted = [
        [nearest(list(middle_planes(middle, w, r, 0.2)), middle[w, r]) for r in range(RINGS)] for w in range(12)
    ]
    assert sum(len(each) for worm in wanted for each in worm) > 100
    assert_same(got, wanted, 1.0 + at)


def test_partners_agree_on_the_plane_between_them():
    # Side by side with other thickness along the gap, head against tail.
    one = np.column_stack([np.arange(RINGS) / MESH.slabs, np.zeros(RINGS), np.zeros(RINGS)])
    other = one[::-1] + [0.0, 0.075, 0.01]
    first, second = found([], np.array([one, other]))
    for ring in range(5, RINGS - 5):
        mine, theirs = first[ring], second[MESH.slabs - ring]
        assert len(mine) == len(theirs) == 1
        assert mine == pytest.approx(-theirs, abs=1e-14)


def test_tip_that_pokes_a_flank_and_the_flank_agree():
    flank = np.column_stack([np.arange(RINGS) / MESH.slabs, np.zeros(RINGS), np.zeros(RINGS)])
    gap = 0.004
    nose = flank[24] + [0.0, RADII[24] + RADII[0] + gap, 0.0]
    poking = nose + np.arange(RINGS)[:, None] / MESH.slabs * [0.0, 1.0, 0.0]
    first, second = found([], np.array([flank, poking]))
    assert first[24][0] == pytest.approx(-second[0][0], abs=1e-14)
    assert second[0][0][3] == pytest.approx(RADII[24] + 0.5 * gap)


def test_worms_in_one_place_are_sent_apart():
    line = np.column_stack([np.arange(RINGS) / MESH.slabs, np.zeros(RINGS), np.zeros(RINGS)])
    first, second = found([], np.array([line, line]))
    for ring in range(1, RINGS - 1):
        mine, theirs = first[ring][0], second[ring][0]
        assert mine == pytest.approx(-theirs, abs=1e-14)
        assert abs(mine[1]) == 1.0


def test_worms_told_not_to_touch_do_not():
    middle = chains(12, 0.5, 6)
    assert not sum(len(each) for worm in found([], middle, worms_touch=False, self_contact=False) for each in worm)
    assert sum(len(each) for worm in found([], middle, self_contact=False) for each in worm)


def curves(kappa):
    """Midline of a worm bent by kappa L, shape (1, rings, 3)."""
    posed = bent(MESH, kappa, (0.0, 0.0), 0.3).reshape(RINGS, -1, 3)
    return posed[None, :, 0]


@pytest.mark.parametrize("amplitude", [4.0, 8.0, 12.0])
def test_bent_worm_does_not_touch_itself(amplitude):
    for phase in np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False):
        wave = amplitude * np.sin(2.0 * np.pi * INNER / 0.65 + phase)
        assert not any(map(len, found([], curves(wave))[0]))


def test_coiled_worm_touches_itself():
    rings = found([], curves(7.2))[0]
    touching = [r for r in range(RINGS) if len(rings[r])]
    assert 0 in touching and RINGS - 1 in touching and 24 not in touching


def test_two_runs_give_the_same_bits_on_numpy_and_device():
    middle = chains(12, 0.5, 7)
    field = pillar_array(0.12, 0.45, (2.0, 2.0))
    device = backend.ti.ndarray(backend.ti.f64, middle.shape)
    device.from_numpy(middle)
    for one, other in zip(found(field, middle), found(field, device), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_worm_that_is_lost_spoils_nothing():
    middle = chains(3, 0.2, 8)
    middle[1, 20:] = np.nan
    middle[1, 3] = 1e300
    lists = found([Dish(2.0), *pillar_array(0.12, 0.45, (2.0, 2.0))], middle)
    assert all(np.isfinite(each).all() for each in lists[0] + lists[2])


@pytest.mark.parametrize(
    "make",
    [
        lambda: Plane((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        lambda: Plane((0.0, 0.0), (0.0, 0.0, 1.0)),
        lambda: Plane((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), friction=-1.0),
        lambda: Pillar(0.0, np.nan, 1.0),
        lambda: Pillar(0.0, 0.0, 0.0),
        lambda: Dish(-1.0),
        lambda: Dish("wide"),
        lambda: SignedDistance(3.0),
        lambda: SignedDistance(lambda points: points).distance(np.zeros((4, 3))),
        lambda: pillar_array(0.12, 0.2, (1.0, 1.0)),
        lambda: pillar_array(0.12, 0.45, (1.0, 1.0), "hexagon"),
        lambda: pillar_array(0.001, 0.0021, (10.0, 10.0)),
        lambda: ContactFinder(["wall"], 1, RADII),
        lambda: ContactFinder([], 0, RADII),
        lambda: ContactFinder([], 1, -RADII),
        lambda: ContactFinder([], 1, RADII, reach=0.0),
        lambda: ContactFinder([], 1, RADII, skip=0),
        lambda: ContactFinder([], 1, RADII).find(np.zeros((2, RINGS, 3)), None, None),
    ],
)
def test_bad_input_is_refused_in_a_sentence(make):
    with pytest.raises(ConfigError, match="[a-z]+: .+|unknown lattice"):
        make()


# The body with it

TICK = 10.0
MARGIN, HOLD = constant("contact_margin"), 1e5
LEVEL = replace(Medium.named("agar"), surface_stiffness=HOLD)


def surface(body):
    """Outer vertices, shape (worms, rings, sides, 3)."""
    return body.positions.reshape(body.worms, body.mesh.rings, -1, 3)[:, :, -SIDES:]


def wave(body, frequency=0.5, phase=0.0, amplitude=8.0):
    """Tension of a wave that runs from head to tail, after half a second of growing."""
    place = (np.arange(body.mesh.slabs) + 0.5) / body.mesh.slabs
    frequency, phase = np.reshape(frequency, (-1, 1)), np.reshape(phase, (-1, 1))
    turn = 2.0 * np.pi * (place / 0.65 - frequency * body.time / 1000.0) + phase
    pull = amplitude * min(1.0, body.time / 500.0) * np.sin(turn) * body.tension_per_curvature()
    tension = np.zeros((body.worms, body.mesh.slabs, 4))
    tension[:, :, :2], tension[:, :, 2:] = np.maximum(pull, 0.0)[..., None], np.maximum(-pull, 0.0)[..., None]
    return tension


def slack(body):
    return np.zeros((body.worms, body.mesh.slabs, 4))


@pytest.mark.parametrize(
    ("lattice", "extent", "friction"), [("square", (3.6, 3.15), 0.0), ("hexagonal", (3.825, 2.75), 0.3)]
)
def test_worm_crosses_a_field_of_pillars_and_enters_none(lattice, extent, friction):
    field = pillar_array(0.12, 0.45, extent, lattice, friction=friction)
    assert len(field) == 72
    body, axes = SoftBody(material=STIFF, obstacles=field), np.array([(each.x, each.y) for each in field])
    body.pose(0.0, at=(1.0, 0.0), heading=np.pi)
    closest, touched = np.inf, 0
    for _ in range(400):
        body.step(wave(body), TICK)
        gap = np.linalg.norm(surface(body)[0, :, :, None, :2] - axes, axis=-1) - 0.12
        closest, touched = min(closest, gap.min()), touched + (gap.min() < MARGIN)
    assert touched > 100
    assert 0.0 < closest < MARGIN
    assert 1.0 - body.midline()[0, :, 0].mean() > 0.2


@pytest.mark.parametrize("friction", [0.0, 0.5, 1.0])
def test_worm_in_a_stream_slides_along_a_wall_by_the_law_of_friction(friction):
    along, against = 0.3, 0.1
    wall = Plane((0.0, -0.05, 0.0), (0.0, 1.0, 0.0), friction)
    body = SoftBody(medium=Medium.named("agar").isotropic(), obstacles=[wall])
    body.flow = np.broadcast_to([along, -against, 0.0], (1, RINGS, 3))
    for _ in range(100):
        before = body.midline().mean(axis=(0, 1))
        body.step(slack(body), TICK)
    speed = (body.midline().mean(axis=(0, 1)) - before) * 1000.0 / TICK
    assert speed == pytest.approx([along - friction * against, 0.0, 0.0], abs=1e-4)
    assert 0.0 < surface(body)[..., 1].min() + 0.05 < MARGIN


def test_wall_with_friction_enough_holds_the_worm():
    wall = Plane((0.0, -0.05, 0.0), (0.0, 1.0, 0.0), 4.0)
    body = SoftBody(medium=Medium.named("agar").isotropic(), obstacles=[wall])
    body.flow = np.broadcast_to([0.3, -0.1, 0.0], (1, RINGS, 3))
    for _ in range(100):
        before = body.midline().mean(axis=(0, 1))
        body.step(slack(body), TICK)
    assert (body.midline().mean(axis=(0, 1)) - before)[0] * 1000.0 / TICK == pytest.approx(0.0, abs=1e-3)


def test_heavy_worm_sinks_onto_the_floor():
    body = SoftBody(medium=Medium.named("water"), gravity=9.81, obstacles=[Plane((0.0, 0.0, -0.1), (0.0, 0.0, 1.0))])
    for _ in range(100):
        body.step(slack(body), TICK)
    assert 0.9 * MARGIN < surface(body)[..., 2].min() + 0.1 < MARGIN
    assert np.abs(body.midline()[..., :2].mean(axis=1)).max() < 1e-6


def test_worm_coils_up_without_passing_through_itself():
    body = SoftBody(material=STIFF, touching=True)
    tension = slack(body)
    for _ in range(500):
        tension[0, :, :2] = (14.0 * min(1.0, body.time / 1000.0) * body.tension_per_curvature())[:, None]
        body.step(tension, TICK)
    middle = body.midline()[0]
    apart = np.linalg.norm(middle[:, None] - middle, axis=-1) - RADII[:, None] - RADII
    ring = np.arange(RINGS)
    gap = apart[np.abs(ring[:, None] - ring) >= SKIP].min()
    # More than a whole turn, and at rest on itself.
    assert np.abs(body.curvature().mean()) > 2.0 * np.pi
    assert 0.0 < gap < 3.0 * MARGIN
    assert np.abs(middle[:, 2]).max() < 1e-6


def test_worms_pressed_together_stay_apart_and_in_balance():
    body = SoftBody(medium=Medium.named("agar").isotropic(), worms=2, touching=True)
    body.pose(at=(0.0, 0.05))
    body.pose(at=(0.0, -0.05), worm=1)
    body.flow = np.array([[[0.0, -0.05, 0.0]], [[0.0, 0.05, 0.0]]]) * np.ones((2, RINGS, 3))
    for _ in range(150):
        body.step(slack(body), TICK)
    upper, lower = surface(body)
    assert 0.0 < upper[..., 1].min() - lower[..., 1].max() < 2.0 * MARGIN
    assert body.midline().mean(axis=(0, 1)) == pytest.approx(np.zeros(3), abs=1e-5)


def local_surface(body):
    """The same in the frame of each worm, in which its half-spaces are."""
    return surface(body) - body._origin[:, None, None]


def contact_force(body):
    """Sum of the contact forces on each worm [uN], shape (worms, 3)."""
    planes, count = body._around.planes.to_numpy(), body._around.contacts.to_numpy()
    depth = planes[..., None, 3] + MARGIN - np.einsum("wrki,wrvi->wrkv", planes[..., :3], local_surface(body))
    depth[np.arange(PLANES) >= count[..., None]] = 0.0
    return constant("contact_stiffness") * np.einsum("wrkv,wrki->wi", np.maximum(depth, 0.0), planes[..., :3])


def test_worm_that_pushes_another_takes_it_along_with_half_the_force():
    # Planes that lag behind the worms would brake both and push the one in front less.
    medium, speed = Medium.named("agar").isotropic(), 0.1
    body = SoftBody(medium=medium, worms=2, touching=True)
    body.pose(at=(0.0, 0.04))
    body.pose(at=(0.0, -0.036), worm=1)
    body.flow = np.array([[[0.0, -speed, 0.0]], [[0.0, 0.0, 0.0]]]) * np.ones((2, RINGS, 3))
    for _ in range(200):
        before = body.midline().mean(axis=1)[:, 1]
        body.step(slack(body), TICK)
    moved = (body.midline().mean(axis=1)[:, 1] - before) * 1000.0 / TICK
    assert moved == pytest.approx([-0.5 * speed, -0.5 * speed], rel=0.02)
    # In uN: N s/m2 is uN s/mm2.
    half = 0.5 * speed * medium.drag_normal * MESH.length
    assert contact_force(body)[:, 1] == pytest.approx([half, -half], rel=0.02)


def crowd(worms, radius, seed):
    """Straight worms in rows in a flat dish, and a frequency and a phase for each."""
    random = np.random.default_rng(seed)
    sites = []
    for y in np.arange(0.05 - radius, radius, 0.11):
        half = np.sqrt(max((radius - 0.06) ** 2 - (abs(y) + 0.04) ** 2, 0.0))
        room = int(2.0 * half / 1.08)
        first = random.uniform(-half, half - 1.08 * room) + 0.54
        sites += [(first + 1.08 * k, y) for k in range(room)]
    chosen = np.array(sites)[np.sort(random.permutation(len(sites))[:worms])]
    height = RADII.max() + 2.0 * MARGIN
    lids = [Plane((0.0, 0.0, -height), (0.0, 0.0, 1.0)), Plane((0.0, 0.0, height), (0.0, 0.0, -1.0))]
    body = SoftBody(worms=worms, medium=LEVEL, obstacles=[Dish(radius), *lids], touching=True)
    body.positions = np.array([bent(MESH, 0.0, at, np.pi * random.integers(2)) for at in chosen])
    return body, random.uniform(0.3, 0.6, worms), random.uniform(0.0, 2.0 * np.pi, worms)


def crossings(middle):
    """Pairs of worms whose midlines cross, seen from above."""
    starts, edges = middle[:, :-1, :2], np.diff(middle[:, :, :2], axis=1)

    def turn(a, b):
        return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]

    found = 0
    for one in range(len(middle)):
        for other in range(one):
            between = starts[other][None] - starts[one][:, None]
            e, f = edges[one][:, None], edges[other][None]
            across = np.where(turn(e, f) == 0.0, np.nan, turn(e, f))
            s, t = turn(between, f) / across, turn(between, e) / across
            found += bool(((s >= 0.0) & (s <= 1.0) & (t >= 0.0) & (t <= 1.0)).any())
    return found


def beyond_planes(body):
    """How far an outer vertex is on the wrong side of a half-space of the last step [mm]."""
    planes, count = body._around.planes.to_numpy(), body._around.contacts.to_numpy()
    outside = planes[..., None, 3] - np.einsum("wrki,wrvi->wrkv", planes[..., :3], local_surface(body))
    return outside[np.arange(PLANES) < count[..., None]].max()


def keep_apart(worms, radius, seconds):
    """Runs a crowd; nobody may cross or enter anybody."""
    body, frequency, phase = crowd(worms, radius, 1)
    for step in range(round(1000.0 * seconds / TICK)):
        body.step(wave(body, frequency, phase), TICK)
        if step % 25 == 24:
            middle = body.midline()
            assert np.isfinite(middle).all()
            assert crossings(middle) == 0
            assert beyond_planes(body) < 0.5 * MARGIN
            assert np.hypot(*np.moveaxis(surface(body)[..., :2], -1, 0)).max() < radius
            assert np.abs(middle[..., 2]).max() < 1e-3


def test_a_few_worms_in_a_dish_stay_apart():
    keep_apart(8, 0.8, 2.0)


@pytest.mark.slow
def test_a_hundred_worms_in_a_dish_stay_apart():
    keep_apart(100, 2.5, 10.0)
