"""The flow of forces in a viscous fluid is that of the textbooks: spheres, ellipsoids, rods, walls, worms."""

import numpy as np
import pytest

from tianbao.body import RingMesh
from tianbao.environment import Medium
from tianbao.environment.stokes import CentreLineFlow, Surface, mobility, velocities
from tianbao.errors import ConfigError
from tianbao.view.flow import flow_picture

SPHERE = 6.0 * np.pi  # drag of a unit sphere at unit viscosity
LENGTH, RADIUS = 1.0, 0.035
MESH = RingMesh.adult()
S = np.linspace(0.0, 1.0, MESH.rings)
RING_LENGTHS = MESH.vertex_length.reshape(MESH.rings, -1).sum(axis=1)


def worms(**options):
    return CentreLineFlow(MESH.radii, RING_LENGTHS, 1.0, **options)


def midline(bend=0.0, wavelength=0.65, phase=0.0, s=S):
    """Midline with curvature bend sin(2 pi (s / wavelength - phase)), nose at the origin, and its direction."""
    fine = np.linspace(0.0, 1.0, 2001)
    kappa = bend * np.sin(2.0 * np.pi * (fine / wavelength - phase))
    angle = np.concatenate([[0.0], np.cumsum(0.5 * (kappa[1:] + kappa[:-1])) / 2000])
    step = np.column_stack([np.cos(angle), np.sin(angle)])
    place = np.concatenate([[[0.0, 0.0]], np.cumsum(0.5 * (step[1:] + step[:-1]), axis=0) / 2000])
    line = np.column_stack([np.interp(s, fine, place[:, 0]), np.interp(s, fine, place[:, 1]), 0.0 * s])
    return line, np.interp(s, fine, angle)


def raft(count, gap=0.075, **shape):
    """Worms side by side, a hair more than their thickness apart."""
    return np.stack([midline(**shape)[0] + [0.0, gap * k, 0.0] for k in range(count)])


def ellipsoid_drag():
    """Along and across, at unit viscosity: Happel and Brenner 1965."""
    a, e = 0.5 * LENGTH, np.sqrt(1.0 - (2.0 * RADIUS / LENGTH) ** 2)
    log = np.log((1.0 + e) / (1.0 - e))
    along = 8.0 / 3.0 * e**3 / (-2.0 * e + (1.0 + e * e) * log)
    across = 16.0 / 3.0 * e**3 / (2.0 * e + (3.0 * e * e - 1.0) * log)
    return SPHERE * a * np.array([along, across, across])


def rigid_drag(matrix, axis):
    """Total force along an axis when all points move along it with unit speed."""
    velocity = np.zeros((len(matrix) // 3, 3))
    velocity[:, axis] = 1.0
    return np.linalg.solve(matrix, velocity.ravel()).reshape(-1, 3)[:, axis].sum()


def rigid_motions(points):
    """Velocities of points in the six rigid motions about their mean, shape (3 n, 6)."""
    unit = np.eye(3)
    turns = [np.cross(axis, points - points.mean(axis=0)) for axis in unit]
    return np.stack([np.broadcast_to(axis, points.shape) for axis in unit] + turns, axis=-1).reshape(-1, 6)


def sphere_series(alpha, factor):
    n = np.arange(1.0, 120.0)
    n = n[(2.0 * n + 1.0) * alpha < 500.0]
    terms = n * (n + 1.0) / ((2.0 * n - 1.0) * (2.0 * n + 3.0))
    return 4.0 / 3.0 * np.sinh(alpha) * (terms * factor(2.0 * n + 1.0, alpha)).sum()


def following(m, a):
    """Stimson and Jeffery 1926: two equal spheres along their line of centres, same velocity."""
    near = 4.0 * np.sinh(0.5 * m * a) ** 2 - (m * np.sinh(a)) ** 2
    return 1.0 - near / (2.0 * np.sinh(m * a) + m * np.sinh(2.0 * a))


def approaching(m, a):
    """Brenner 1961: a sphere and its mirror image, opposite velocities."""
    near = 4.0 * np.cosh(0.5 * m * a) ** 2 + (m * np.sinh(a)) ** 2
    return near / (2.0 * np.sinh(m * a) - m * np.sinh(2.0 * a)) - 1.0


def walled(m, a):
    """Brenner 1961: a sphere towards a no-slip wall."""
    near = 2.0 * np.sinh(m * a) + m * np.sinh(2.0 * a)
    return near / (4.0 * np.sinh(0.5 * m * a) ** 2 - (m * np.sinh(a)) ** 2) - 1.0


# The sums


def some_forces():
    random = np.random.default_rng(0)
    return random.uniform(0.5, 1.5, (5, 3)), random.normal(size=(5, 3)), 0.1 + 0.2 * random.random(5)


@pytest.mark.parametrize("wall", [None, 0.2])
def test_fluid_is_incompressible_at_rest_at_the_wall_and_far_away(wall):
    sources, forces, blobs = some_forces()
    at, step = np.array([0.9, 1.1, 0.7]), 1e-4
    shifted = at + step * np.concatenate([np.eye(3), -np.eye(3)])
    u = velocities(shifted, sources, forces, blobs, 1.0, wall)
    gradient = (u[:3] - u[3:]) / (2.0 * step)
    assert abs(np.trace(gradient)) < 1e-7 < abs(gradient).max()
    far = np.array([[1e4, 0.0, 1e3]])
    stokeslet = (forces.sum(axis=0) + far * (far @ forces.sum(axis=0)) / (far @ far.T)) / np.linalg.norm(far)
    expected = stokeslet / (8.0 * np.pi) if wall is None else 0.0
    assert velocities(far, sources, forces, blobs, 1.0, wall) == pytest.approx(expected + 0.0 * far, abs=1e-8)
    if wall is not None:
        floor = np.random.default_rng(1).uniform(-2.0, 2.0, (50, 3)) * [1.0, 1.0, 0.0] + [0.0, 0.0, wall]
        assert abs(velocities(floor, sources, forces, blobs, 1.0, wall)).max() < 1e-15


@pytest.mark.parametrize("wall", [None, 0.2])
def test_mobility_is_symmetric_and_positive(wall):
    sources, _, blobs = some_forces()
    matrix = mobility(sources, blobs, 1.0, wall)
    assert abs(matrix - matrix.T).max() < 1e-15
    assert np.linalg.eigvalsh(matrix).min() > 0.0


def test_a_point_force_above_a_wall_gives_the_flow_of_blake():
    # Blake 1971: far above a wall a parallel force leaves 12 h z x^2 / r^5 along itself.
    u = velocities([[100.0, 0.0, 1.0]], [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]], 1e-6, 1.0, 0.0)
    assert 8.0 * np.pi * u[0, 0] == pytest.approx(12.0 / 100.0**3, rel=2e-3)


# Resolved skins


def test_sphere_drags_and_turns_as_stokes_says():
    sphere = Surface.spheroid(1.0, 1.0, 150)
    assert sphere.forces((0.0, 0.0, 1.0), 1.0)[:, 2].sum() == pytest.approx(SPHERE, rel=1e-3)
    turning = sphere.forces(np.cross([0.0, 0.0, 1.0], sphere.points), 1.0)
    assert np.cross(sphere.points, turning)[:, 2].sum() == pytest.approx(8.0 * np.pi, rel=2e-3)


def test_flow_outside_a_resolved_sphere_is_that_of_stokes():
    sphere, r = Surface.spheroid(1.0, 1.0, 150), 2.0
    u = velocities([[r, 0.0, 0.0]], sphere.points, sphere.forces((1.0, 0.0, 0.0), 1.0), sphere.blobs, 1.0)
    assert u[0, 0] == pytest.approx(1.5 / r - 0.5 / r**3, rel=0.01)


def test_ellipsoid_of_a_worms_slenderness_drags_as_exactly_known():
    matrix = Surface.spheroid(0.5 * LENGTH, RADIUS, 350).mobility(1.0)
    drag = [rigid_drag(matrix, axis) for axis in range(3)]
    assert drag == pytest.approx(ellipsoid_drag(), rel=3e-3)


@pytest.mark.parametrize("apart", [1.2, 1.5431, 3.7622])
def test_two_spheres_along_their_line_of_centres(apart):
    pair = Surface.spheroid(1.0, 1.0, 150) + Surface.spheroid(1.0, 1.0, 150, (2.0 * apart, 0.0, 0.0))
    inverse, first, alpha = np.linalg.inv(pair.mobility(1.0)), np.arange(300) < 150, np.arccosh(apart)
    for series, second in ((following, 1.0), (approaching, -1.0)):
        velocity = np.where(first, 1.0, second)[:, None] * [1.0, 0.0, 0.0]
        force = (inverse @ velocity.ravel()).reshape(-1, 3)[first, 0].sum()
        assert force / SPHERE == pytest.approx(sphere_series(alpha, series), rel=0.02)


def test_two_spheres_side_by_side_fall_as_batchelor_says():
    # Batchelor 1976, free to turn: to sixth order in radius over distance.
    distance, count = 4.0, 120
    one, two = Surface.spheroid(1.0, 1.0, count), Surface.spheroid(1.0, 1.0, count, (distance, 0.0, 0.0))
    motions = np.zeros((6 * count, 12))
    motions[: 3 * count, :6], motions[3 * count :, 6:] = rigid_motions(one.points), rigid_motions(two.points)
    resistance = motions.T @ np.linalg.solve((one + two).mobility(1.0), motions)
    pushes = np.linalg.inv(resistance) * SPHERE
    q = 1.0 / distance
    assert pushes[1, 1] + pushes[1, 7] == pytest.approx(1.0 + 0.75 * q + 0.5 * q**3 - 17.0 / 16.0 * q**6, rel=2e-3)
    assert pushes[0, 0] + pushes[0, 6] == pytest.approx(1.0 + 1.5 * q - q**3 - 3.75 * q**4, rel=5e-3)


@pytest.mark.parametrize(("height", "parallel"), [(3.7622, 1.1738), (2.3524, 1.3079), (1.5431, 1.5675)])
def test_sphere_near_a_wall(height, parallel):
    # Towards it: Brenner 1961. Along it, without turning: Goldman, Cox and Brenner 1967, table.
    matrix = Surface.spheroid(1.0, 1.0, 200, (0.0, 0.0, height)).mobility(1.0, wall=0.0)
    assert rigid_drag(matrix, 2) / SPHERE == pytest.approx(sphere_series(np.arccosh(height), walled), rel=2e-3)
    assert rigid_drag(matrix, 0) / SPHERE == pytest.approx(parallel, rel=2e-3)


# Worms as lines


def test_centre_line_of_a_worm_drags_like_the_exact_ellipsoid():
    exact, medium = ellipsoid_drag(), Medium.ellipsoid(1.0)
    assert [medium.drag_tangential, medium.drag_normal] == pytest.approx(exact[:2], rel=2e-3)
    matrix = worms().mobility(midline()[0])
    assert [rigid_drag(matrix, axis) for axis in range(3)] == pytest.approx(exact, rel=0.01)


def test_straight_worm_hardly_feels_its_own_flow():
    flow, line = worms(), midline()[0]
    for axis in range(3):
        velocity = np.zeros((1, MESH.rings, 3))
        velocity[..., axis] = 1.0
        force = (flow.drag(line) @ velocity.ravel()).reshape(velocity.shape)
        u = flow.velocity(line, force)[0]
        assert abs(u[12:-12, axis]).max() < 0.06
        assert abs(RING_LENGTHS @ u[:, axis]) < 0.03


def test_kernel_is_the_matrix_less_the_local_drag():
    flow, lines = worms(wall=-0.1), raft(2, gap=0.3, bend=6.0)
    force = np.random.default_rng(0).normal(size=lines.shape)
    expected = flow.mobility(lines) @ force.ravel() - np.linalg.solve(flow.drag(lines), force.ravel())
    assert flow.velocity(lines, force).ravel() == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_many_worms_have_the_bits_of_few_and_reach_leaves_out_whole_worms():
    near, far = raft(5, gap=0.2, bend=6.0), raft(1) + [30.0, 0.0, 0.0]
    force = np.random.default_rng(0).normal(size=(6, *near.shape[1:]))
    alone = worms().velocity(near[:1], force[:1])
    crowd = np.concatenate([near, far])
    flow = worms(reach=5.0)
    assert np.array_equal(flow.velocity(crowd, force)[:5], worms().velocity(near, force[:5]))
    assert np.array_equal(flow.velocity(crowd[[5, 0]], force[[5, 0]])[1:], alone)


def test_rod_along_a_wall_slows_down_as_katz_blake_and_paveri_fontana_say():
    rings, radius = 400, 0.003
    lengths = np.full(rings, 1.0 / (rings - 1))
    lengths[[0, -1]] *= 0.5
    for height in (10.0 * radius, 20.0 * radius):
        rod = np.column_stack([np.linspace(0.0, 1.0, rings), np.zeros(rings), np.full(rings, height)])
        flow = CentreLineFlow(np.full(rings, radius), lengths, 1.0, wall=0.0)
        matrix = flow.mobility(rod).reshape(rings, 3, rings, 3)
        log = np.log(2.0 * height / radius)
        for axis, drag in enumerate((2.0 * np.pi / log, 4.0 * np.pi / log, 4.0 * np.pi / (log - 1.0))):
            density = np.linalg.solve(matrix[:, axis, :, axis], np.ones(rings)) / lengths
            assert density[180:220].mean() == pytest.approx(drag, rel=0.01)


@pytest.mark.parametrize(("height", "short"), [(0.2, 0.01), (0.1, 0.04), (0.07, 0.11)])
def test_worm_near_a_wall_against_its_resolved_skin(height, short):
    skin = Surface.spheroid(0.5 * LENGTH, RADIUS, 250, (0.0, 0.0, height)).mobility(1.0, wall=0.0)
    line = worms(wall=0.0).mobility(midline()[0] + [0.0, 0.0, height])
    for axis in range(3):
        assert 1.0 - short < rigid_drag(line, axis) / rigid_drag(skin, axis) < 1.01


def skin_of(body, bend, wavelength, phase):
    """The skin of an ellipsoid bent along a midline, sections kept rigid."""
    middle, angle = midline(bend, wavelength, phase, body.points[:, 0] + 0.5)
    across = np.column_stack([-np.sin(angle), np.cos(angle), 0.0 * angle])
    along = np.column_stack([np.cos(angle), np.sin(angle), 0.0 * angle])
    up = np.array([0.0, 0.0, 1.0])
    normals = body.normals[:, :1] * along + body.normals[:, 1:2] * across + body.normals[:, 2:] * up
    y, z = body.points[:, 1:2], body.points[:, 2:]
    kappa = bend * np.sin(2.0 * np.pi * ((body.points[:, 0] + 0.5) / wavelength - phase))
    return Surface(middle + y * across + z * up, normals, body.areas * (1.0 - kappa * y[:, 0]))


def swim(resistance, points, velocity, middle):
    """Velocity of a place on a body that is free of force and torque, and the forces on the fluid."""
    motions = rigid_motions(points)
    resisting, shape = resistance @ motions, resistance @ velocity.ravel()
    rigid = -np.linalg.lstsq(motions.T @ resisting, motions.T @ shape, rcond=1e-9)[0]
    moved = rigid[:3] + np.cross(rigid[3:], middle - points.mean(axis=0))
    return moved, (shape + resisting @ rigid).reshape(-1, 3), velocity + (motions @ rigid).reshape(-1, 3)


def swimming_worm(phase=0.1, bend=5.0, wavelength=1.5):
    line, later = (midline(bend, wavelength, phase + shift)[0] for shift in (0.0, 1e-3))
    return line, (later - line) / 1e-3


def test_swimmer_is_a_seventh_faster_than_one_with_a_resolved_skin():
    # Sections that turn drag fluid along, which a line does not know: Taylor 1952 for thick waving tails.
    body, speeds = Surface.spheroid(0.5 * LENGTH, RADIUS, 250), np.zeros(3)
    for phase in np.arange(2) / 4.0:
        line, velocity = swimming_worm(phase, 4.0)
        middle, ahead, flow = line.mean(axis=0), line[0] - line[-1], worms()
        skin, later = (skin_of(body, 4.0, 1.5, phase + shift) for shift in (0.0, 1e-3))
        motion = (later.points - skin.points) / 1e-3
        for k, (resistance, points, rate) in enumerate((
            (np.linalg.inv(skin.mobility(1.0)), skin.points, motion),
            (np.linalg.inv(flow.mobility(line)), line, velocity),
            (flow.drag(line), line, velocity),
        )):  # fmt: skip
            speeds[k] += (swim(resistance, points, rate, middle)[0] + velocity.mean(axis=0)) @ ahead
    resolved, nonlocal_, local = speeds
    assert 1.0 < nonlocal_ / resolved < 1.2
    assert 1.0 < local / nonlocal_ < 1.1


# Coupling to the body


@pytest.mark.parametrize("wall", [None, -0.05, -0.1])
@pytest.mark.parametrize("bend", [0.0, 8.0])
def test_lagged_flow_of_one_worm_is_stable(bend, wall):
    values = worms(wall=wall).eigenvalues(midline(bend)[0])
    assert abs(values.imag).max() < 1e-9
    assert 0.0 < values.real.min() < values.real.max() < 1.15
    assert (abs(1.0 - values) < 1.0).all()


def test_crowds_need_and_get_relaxation():
    flow, crowd = worms(), raft(10)
    largest = flow.eigenvalues(crowd).real.max()
    assert largest > 2.0
    assert flow.relaxation(crowd) * largest == pytest.approx(1.6, rel=0.02)
    assert flow.relaxation(raft(1, bend=8.0)) == 1.0


@pytest.mark.parametrize("count", [1, 4])
def test_lagged_steps_of_swimmers_end_at_the_full_flow(count):
    flow, (line, velocity) = worms(), swimming_worm()
    lines, rates = line + [0.0, 0.08, 0.0] * np.arange(count)[:, None, None], np.stack([velocity] * count)
    drag, share = flow.drag(lines), flow.relaxation(lines)
    u, motion, errors = np.zeros_like(lines), np.zeros_like(lines), []
    for _ in range(100):
        force = np.zeros_like(lines)
        for w in range(count):
            block = slice(w * line.size, (w + 1) * line.size)
            middle = lines[w].mean(axis=0)
            _, force[w], against = swim(drag[block, block], lines[w], rates[w] - u[w], middle)
            motion[w] = against + u[w]
        felt = (flow.mobility(lines) @ force.ravel()).reshape(lines.shape)
        errors.append(np.linalg.norm(felt - motion) / np.linalg.norm(motion))
        u = flow.velocity(lines, force, u, share)
    assert errors[0] > 0.2
    assert errors[-1] < (1e-3 if count == 1 else 0.04)


# Field and picture


def test_field_on_a_ring_is_the_worms_own_velocity_and_a_plane_is_a_table():
    flow, (line, velocity) = worms(), swimming_worm()
    _, force, motion = swim(np.linalg.inv(flow.mobility(line)), line, velocity, line.mean(axis=0))
    felt = flow.field(line, line, force)
    assert np.linalg.norm((felt - motion)[3:-3]) < 0.02 * np.linalg.norm(motion)
    plane = flow.plane(line, force, spacing=0.1)
    assert plane.velocity.shape == (len(plane.y), len(plane.x), 3)
    table = plane.table()
    assert flow.field(table[7:8, :3], line, force) == pytest.approx(table[7:8, 3:], rel=1e-12)
    assert abs(plane.velocity[..., 2]).max() < 1e-12


def test_picture_is_written(tmp_path):
    flow, (line, velocity) = worms(), swimming_worm()
    _, force, _ = swim(flow.drag(line), line, velocity, line.mean(axis=0))
    path = flow_picture(flow, line, force, tmp_path / "flow.png", spacing=0.04)
    assert path.stat().st_size > 20_000


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: CentreLineFlow(MESH.radii, RING_LENGTHS[1:], 1.0),
        lambda: worms(wall=0.1).velocity(midline()[0], np.zeros((MESH.rings, 3))),
        lambda: worms().velocity(midline()[0], np.zeros((2, MESH.rings, 3))),
        lambda: worms().velocity(midline()[0], np.zeros((MESH.rings, 3)), relaxation=0.5),
        lambda: velocities(np.zeros((1, 3)), np.zeros((1, 3)), np.zeros((1, 3)), 0.1, 0.0),
    ],
)
def test_impossible_flow_is_refused(wrong):
    with pytest.raises(ConfigError, match="flow"):
        wrong()
