"""The solver minimises the energy it states, and its physics has the symmetries of space."""

import numpy as np
import pytest

from tianbao.backend import I2, I3, R1, R2, R3, R4, T
from tianbao.body import Material, RingMesh, SoftBody, kernels
from tianbao.body.calibration import axial_springs, shear_moduli, stiffness_band
from tianbao.environment import Medium, Plane
from tianbao.errors import ConfigError, DivergedError

SLABS = 48
RING = 9
AGAR = Medium.named("agar")


@pytest.fixture(scope="module")
def body():
    return SoftBody(material=Material(bending_stiffness_n_m2=2.94e-14, internal_viscosity_time=80.0))


def pull(body, dorsal=0.0, ventral=0.0):
    """Tension that asks for these curvatures (kappa L) on the two sides."""
    tension = np.zeros((body.worms, SLABS, 4))
    per_curvature = body.tension_per_curvature()[:, None]
    tension[:, :, :2] = dorsal * per_curvature
    tension[:, :, 2:] = ventral * per_curvature
    return tension


def wave(body, time, amplitude=8.0):
    s = (np.arange(SLABS) + 0.5) / SLABS
    bend = amplitude * np.sin(2.0 * np.pi * (s / 0.65 - 0.5e-3 * time)) * min(1.0, time / 500.0)
    return pull(body, np.maximum(bend, 0.0)[:, None], np.maximum(-bend, 0.0)[:, None])


@kernels.ti.kernel
def assemble(
    size: T, x: R3, start: R3, velocity: R3, tangent: R3, tension: R3, strain: R4, corners: I3, elements: R3,
    slabs: R2, vertices: R2, flow: R3, planes: R4, count: I2, grip: R3, physics: R1, force: R3, scalars: R3,
    swell: R3, residual: R2, status: R2, stiffness: R3,
):  # fmt: skip
    """The stiffness alone: the solver's own kernel overwrites it with its factor."""
    kernels.assemble(
        x, tangent, tension, strain, corners, elements, slabs, vertices,
        planes, count, grip, size, physics, scalars, swell, status, stiffness,
    )  # fmt: skip


class Probe:
    """Energy, gradient and second derivative of one step's functional around a crumpled worm."""

    def __init__(self, medium):
        material = Material(internal_viscosity_time=50.0, force_length_falloff=2.0, force_velocity_time=20.0)
        floor = Plane((0.0, 0.0, -0.03), (0.0, 0.2, 1.0), friction=0.5)
        self.body = SoftBody(material=material, medium=medium, gravity=9.81, obstacles=[floor], compiled=False)
        self.tension = np.random.default_rng(1).uniform(0.0, 4e4, (1, SLABS, 4))
        self.seconds = 2e-3
        body = self.body
        body.pose(4.0)
        body.flow = np.random.default_rng(3).normal(0.0, 0.1, (1, SLABS + 1, 3))
        its = body.arrays
        body._around.find_contacts(its.x, body._origin, its.velocity, self.seconds)
        kernels.begin_step(*self.shared(), 0.0)
        random = np.random.default_rng(2)
        self.x = body.positions + random.normal(0.0, 4e-4, body.positions.shape)
        self.direction = random.normal(0.0, 1.0, body.positions.shape)

    def shared(self):
        self.body._set_physics(self.seconds)
        return self.body.kernel_steps.shared(self.tension)

    def at(self, x):
        body, work = self.body, self.body.kernel_steps
        body.arrays.x.from_numpy(np.ascontiguousarray(x - body._origin[:, None]))
        # Nothing was rejected: moving by no share of a direction only evaluates.
        kernels.backtrack(*self.shared(), work.direction)
        return body.arrays.status[0, kernels.ENERGY], work.residual.to_numpy()[0]

    def stiffness(self):
        work = self.body.kernel_steps
        self.at(self.x)
        assemble(*self.shared(), work.stiffness)
        return dense(work.stiffness.to_numpy()[0])


def dense(rows):
    """Full matrix from the stored lower block rows."""
    count, block = len(rows), rows.shape[1] // 2
    matrix = np.zeros((count, count))
    for i, row in enumerate(rows):
        first = (i // block - 1) * block
        begin = max(first, 0)
        matrix[i, begin : i + 1] = row[begin - first : i + 1 - first]
    return matrix + np.tril(matrix, -1).T


@pytest.fixture(scope="module")
def probe():
    return Probe(Medium("slimy", 100.0, 5.0, surface_stiffness=3e4))


def test_force_is_the_gradient_of_the_energy(probe):
    step = 1e-7
    up, _ = probe.at(probe.x + step * probe.direction)
    down, _ = probe.at(probe.x - step * probe.direction)
    _, gradient = probe.at(probe.x)
    assert (up - down) / (2.0 * step) == pytest.approx(gradient @ probe.direction.ravel(), rel=1e-6)


def test_stiffness_is_the_derivative_of_the_force(probe):
    step = 1e-7
    _, up = probe.at(probe.x + step * probe.direction)
    _, down = probe.at(probe.x - step * probe.direction)
    change = (up - down) / (2.0 * step)
    product = probe.stiffness() @ probe.direction.ravel()
    assert np.abs(change - product).max() < 1e-6 * np.abs(change).max()


def test_rest_stiffness_is_the_one_the_mesh_was_calibrated_with():
    body = SoftBody(material=Material(internal_viscosity_time=0.0), medium=Medium("thin", 1e-9, 1e-9), compiled=False)
    probe = Probe(AGAR)
    probe.body, probe.x, probe.tension = body, body.positions, np.zeros((1, SLABS, 4))
    mesh, material = body.mesh, body.material
    band = stiffness_band(mesh, shear_moduli(mesh, material), material.bulk_ratio, axial_springs(mesh, material))
    measured = probe.stiffness()
    for below, diagonal in enumerate(band):
        expected = diagonal[: len(measured) - below]
        assert np.abs(np.diag(measured, -below) - expected).max() < 1e-6 * np.abs(band).max()


def test_tension_difference_gives_the_curvature_it_asks_for():
    body = SoftBody(medium=Medium.named("water"))
    for _ in range(20):
        body.step(pull(body, dorsal=0.3), 500.0)
    curvature = body.curvature()[0]
    assert np.median(curvature) == pytest.approx(0.3, rel=0.01)
    assert curvature == pytest.approx(0.3, rel=0.05)


def test_pose_has_the_curvature_place_and_heading_asked_for(body):
    asked = 6.0 * np.sin(2.0 * np.pi * body.curvature_positions)
    body.pose(asked, at=(2.0, -1.0), heading=0.7)
    midline = body.midline()[0]
    assert body.curvature()[0] == pytest.approx(asked, abs=0.1)
    assert midline.mean(axis=0) == pytest.approx([2.0, -1.0, 0.0], abs=1e-3)
    chord = midline[0] - midline[-1]
    assert np.arctan2(chord[1], chord[0]) == pytest.approx(0.7, abs=1e-9)


def test_dorsal_tension_bends_towards_dorsal(body):
    body.pose()
    for _ in range(20):
        body.step(pull(body, dorsal=3.0), 10.0)
    assert body.curvature()[0, 1:-1].min() > 0.0
    middle = body.midline()[0, SLABS // 2]
    assert body.midline()[0, [0, -1], 1].min() > middle[1]


def test_passive_worm_relaxes_without_drifting(body):
    body.pose(5.0)
    at_start = body.midline()[0].mean(axis=0)
    slack, energies = pull(body), [body.energy()[0]]
    for _ in range(320):
        body.step(slack, 20.0)
        energies.append(body.energy()[0])
    assert (np.diff(energies) < 0.0).all()
    assert energies[-1] < 0.5 * energies[0]
    # Relaxing sideways moves the centroid; a symmetric arc has no reason to move along itself.
    assert abs(body.midline()[0].mean(axis=0)[0] - at_start[0]) < 3e-3


def test_bend_fades_with_the_internal_viscosity_time_where_the_medium_is_thin():
    material = Material(internal_viscosity_time=50.0, bending_stiffness_n_m2=3e-14)
    body = SoftBody(material=material, medium=Medium.named("water"))
    body.pose(0.5)
    for _ in range(50):
        body.step(pull(body), 1.0)
    assert body.curvature()[0, SLABS // 2] == pytest.approx(0.5 * np.exp(-1.0), rel=0.03)


def test_resting_worm_does_not_move(body):
    body.pose()
    before = body.positions
    for _ in range(50):
        body.step(pull(body), 20.0)
    assert np.abs(body.positions - before).max() < 1e-9


def test_drag_is_balanced_at_every_step():
    body = SoftBody(tolerance=1e-6)
    for tick in range(1, 100):
        body.step(wave(body, 4.0 * tick), 4.0)
        drag, arm = body.drag()[0], body.positions[0] - body.midline()[0].mean(axis=0)
        moment = np.cross(arm, drag)
        assert np.linalg.norm(drag.sum(axis=0)) < 1e-8 * np.linalg.norm(drag, axis=1).sum()
        assert np.linalg.norm(moment.sum(axis=0)) < 1e-8 * np.linalg.norm(moment, axis=1).sum()


@pytest.mark.parametrize("medium", ["agar", "water"])
@pytest.mark.parametrize("away", [(30.0, -20.0), (1300.0, -900.0)])
def test_motion_does_not_depend_on_place_or_heading(medium, away):
    tracks = []
    for at, heading in (((0.0, 0.0), 0.0), (away, 2.0)):
        body = SoftBody(medium=Medium.named(medium), tolerance=1e-8)
        body.pose(2.0, at=at, heading=heading)
        for tick in range(40):
            body.step(wave(body, 4.0 * tick), 4.0)
        turn = np.array([[np.cos(heading), -np.sin(heading)], [np.sin(heading), np.cos(heading)]])
        tracks.append((body.midline()[0, :, :2] - at) @ turn)
    assert np.abs(tracks[0] - tracks[1]).max() < 1e-9


def test_same_input_gives_the_same_bits_and_a_restored_state_goes_on_alike(body):
    def run(first, last):
        for tick in range(first, last):
            body.step(wave(body, 4.0 * tick), 4.0)
        return body.positions

    body.pose()
    run(0, 30)
    state = body.state()
    once = run(30, 60)
    body.restore(state)
    assert (run(30, 60) == once).all()
    body.pose()
    assert (run(0, 60) == once).all()


@pytest.mark.parametrize("medium", ["agar", "water"])
def test_a_worm_among_others_moves_bit_for_bit_as_it_does_alone(medium):
    herd, body = (SoftBody(worms=worms, medium=Medium.named(medium)) for worms in (3, 1))
    for worm, curvature in enumerate((0.0, 3.0, -2.0)):
        herd.pose(curvature, worm=worm)
    body.pose(3.0)
    for tick in range(10):
        herd.step(wave(herd, 4.0 * tick), 4.0)
        body.step(wave(body, 4.0 * tick), 4.0)
    assert (herd.positions[1] == body.positions[0]).all()


def test_worm_that_is_carried_far_off_goes_on_as_one_that_stays():
    tracks = []
    for drift in (0.0, 50.0):
        body = SoftBody(medium=Medium.named("water"))
        for tick in range(60):
            body.flow = np.full((1, SLABS + 1, 3), [drift, -drift, 0.0])
            body.step(wave(body, 4.0 * tick), 4.0)
        tracks.append(body.midline()[0] - [drift * 0.24, -drift * 0.24, 0.0])
    assert np.abs(tracks[0] - tracks[1]).max() < 1e-6


def test_surface_holds_a_worm_that_bends_out_of_it():
    lifted = []
    for medium in (AGAR, Medium("no hold", AGAR.drag_normal, AGAR.drag_tangential)):
        body = SoftBody(medium=medium)
        tension = np.zeros((1, SLABS, 4))
        tension[:, :, [1, 3]] = 3.0 * body.tension_per_curvature()[:, None]
        for _ in range(100):
            body.step(tension, 20.0)
        lifted.append(np.ptp(body.midline()[0, :, 2]))
    assert lifted[0] < 0.2 * lifted[1]


def test_inverted_tissue_is_reported_with_place_and_time(body):
    positions = RingMesh.adult().vertices[None].copy()
    positions[0, 20 * RING : 21 * RING, 0] += 0.2
    body.positions = positions
    with pytest.raises(DivergedError, match=r"slab (19|20)"):
        body.step(pull(body), 4.0)
    body.pose()


def test_position_that_is_not_a_number_is_reported(body):
    positions = RingMesh.adult().vertices[None].copy()
    positions[0, 20 * RING, 1] = np.nan
    body.positions = positions
    with pytest.raises(DivergedError):
        body.step(pull(body), 4.0)
    body.pose()


def test_tension_that_is_not_a_number_is_reported(body):
    body.pose()
    tension = pull(body)
    tension[0, 7, 2] = np.nan
    with pytest.raises(DivergedError, match="slab 7"):
        body.step(tension, 4.0)
    body.pose()


def test_wrong_arguments_are_refused(body):
    with pytest.raises(ConfigError, match="tension"):
        body.step(np.zeros((1, SLABS, 3)), 4.0)
    with pytest.raises(ConfigError, match="duration"):
        body.step(pull(body), 0.0)
    with pytest.raises(ConfigError, match="curvature"):
        body.pose(np.zeros(5))
    with pytest.raises(ConfigError, match="did you mean 'cuda'"):
        SoftBody(device="cudo")
    with pytest.raises(ConfigError, match="one device per process"):
        SoftBody(device="cuda")
    with pytest.raises(ConfigError, match="worms"):
        SoftBody(worms=0)
