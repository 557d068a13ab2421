"""The cuticle keeps a worm's length, and leaves alone how it bends, shears, twists and swells."""

import numpy as np
import pytest

from tianbao.body import Material, RingMesh, SoftBody
from tianbao.body.calibration import _curvature, _end_moments, axial_springs, shear_moduli, stiffness_band
from tianbao.environment import Medium

SLABS, RING = 48, 9
SOFT = 1e-14  # bending stiffness of the springs of Boyle et al. 2012 [N m2]


def contracted(stiffness, kappa=1.0, slabs=SLABS, layers=1, tick=20.0):
    """A worm at rest on agar whose quadrants all pull as one side does that bends it to kappa L."""
    material = Material(bending_stiffness_n_m2=SOFT, axial_stiffness_n=stiffness)
    body = SoftBody(RingMesh.adult(slabs, layers), material)
    tension = np.ascontiguousarray(np.broadcast_to(kappa * body.tension_per_curvature()[:, None], (1, slabs, 4)))
    for _ in range(round(2000.0 / tick)):
        body.step(tension, tick)
    return body, tension[0]


def lengths(body):
    """Length of every line along the body over that at rest [-], shape (ring_size,)."""
    now, rest = (each.reshape(body.mesh.rings, -1, 3) for each in (body.positions[0], body.mesh.vertices))
    now, rest = (np.linalg.norm(np.diff(each, axis=0), axis=-1).sum(axis=0) for each in (now, rest))
    return now / rest


def midline_length(body):
    return np.linalg.norm(np.diff(body.midline()[0], axis=0), axis=-1).sum()


@pytest.mark.parametrize("stiffness", [0.0, 5e-5, 1.6e-4, 5e-4])
def test_worm_that_pulls_on_all_sides_shortens_as_a_hand_calculation_says(stiffness):
    """Force of the fibres over 3 mu A + EA: an incompressible rod beside a cuticle."""
    body, tension = contracted(stiffness, kappa=0.2)
    mesh, area = body.mesh, body.mesh.volumes.sum(axis=1) * SLABS
    fibres = np.stack([(mesh.volumes * (mesh.fibres == side)).sum(axis=1) for side in range(4)], axis=-1) * SLABS
    force = (tension * fibres).sum(axis=1)
    share = force / (3.0 * shear_moduli(mesh, body.material) * area + axial_springs(mesh, body.material) / SLABS)
    assert 1.0 - midline_length(body) == pytest.approx(share.mean(), rel=0.03)


def test_outline_and_axis_are_as_long_as_the_midline():
    body, _ = contracted(1.6e-4, kappa=6.65)
    assert 0.97 < midline_length(body) < 0.98
    assert np.abs(lengths(body) - midline_length(body)).max() < 0.002
    assert midline_length(contracted(0.0, kappa=6.65)[0]) < 0.87


def test_tips_keep_their_shape():
    body, _ = contracted(1.6e-4, kappa=6.65)
    slabs = np.linalg.norm(np.diff(body.midline()[0], axis=0), axis=-1) * SLABS
    assert (slabs[[0, -1]] > slabs[SLABS // 2]).all() and slabs.max() < 1.0
    nose = body.positions[0].reshape(-1, RING, 3)[[0, -1], :, 0]
    # A centre that bulges out of its ring or sinks into it by less than a tenth of a slab.
    assert np.abs(nose[:, 0] - nose[:, 1:].mean(axis=1)).max() < 0.1 / SLABS


@pytest.mark.parametrize(("slabs", "layers"), [(96, 1), (48, 2)])
def test_shortening_does_not_depend_on_mesh_or_step(slabs, layers):
    length = midline_length(contracted(1.6e-4, kappa=6.65)[0])
    assert midline_length(contracted(1.6e-4, 6.65, slabs, layers)[0]) == pytest.approx(length, abs=1e-3)
    assert midline_length(contracted(1.6e-4, 6.65, tick=5.0)[0]) == pytest.approx(length, abs=1e-6)


@pytest.mark.parametrize(("slabs", "layers"), [(48, 1), (48, 2)])
def test_calibration_is_that_of_a_worm_without_a_cuticle(slabs, layers):
    mesh, material = RingMesh.adult(slabs, layers), Material()
    moduli = shear_moduli(mesh, material), material.bulk_ratio
    bare, kept = stiffness_band(mesh, *moduli), stiffness_band(mesh, *moduli, axial_springs(mesh, material))
    assert (kept != bare).any()
    # What differs is the pinning of the rigid motion, a share of the stiffness.
    bent = (_curvature(mesh, band, _end_moments(mesh)) for band in (bare, kept))
    assert next(bent) == pytest.approx(next(bent), rel=1e-5)


@pytest.mark.parametrize("how", ["bent", "sheared", "twisted", "swollen"])
def test_deformation_that_keeps_the_length_costs_nothing_more(how):
    mesh, share = RingMesh.adult(), 1e-4
    x, y, z = mesh.vertices.T
    angle = share * x / 0.02
    moved = {
        "bent": (-2.0 * share * x * y, share * x * x, 0.0 * x),
        "sheared": (0.0 * x, angle * 0.02, 0.0 * x),
        "twisted": (0.0 * x, -angle * z, angle * y),
        "swollen": (0.0 * x, share * y, share * z),
    }[how]
    energies = []
    for stiffness in (0.0, 1.6e-4):
        body = SoftBody(material=Material(axial_stiffness_n=stiffness))
        body.positions = (mesh.vertices + np.stack(moved, axis=-1))[None]
        energies.append(body.energy()[0])
    assert energies[1] == pytest.approx(energies[0], rel=1e-4)


def test_cuticle_of_a_thin_shell_follows_the_radius():
    mesh, material = RingMesh.adult(), Material()
    force = axial_springs(mesh, material) * mesh.length / SLABS
    assert force.max() == pytest.approx(160.0, rel=1e-3)
    assert force / force.max() == pytest.approx(mesh.slab_radii / mesh.slab_radii.max())


@pytest.mark.parametrize("medium", ["agar", "water"])
def test_no_cuticle_and_one_too_soft_to_feel_give_the_same_bits(medium):
    ends = []
    for stiffness in (0.0, 1e-60):
        body = SoftBody(material=Material(axial_stiffness_n=stiffness), medium=Medium.named(medium))
        body.pose(3.0)
        pull = body.tension_per_curvature()[:, None] * [4.0, 4.0, 1.0, 1.0]
        for _ in range(20):
            body.step(pull[None], 4.0)
        ends.append(body.positions)
    assert (ends[0] == ends[1]).all()


def test_curvature_that_muscles_ask_for_stays():
    reached = []
    for stiffness in (0.0, 1.6e-4):
        body = SoftBody(material=Material(axial_stiffness_n=stiffness), medium=Medium.named("water"))
        pull = 3.0 * body.tension_per_curvature()[:, None] * [1.0, 1.0, 0.0, 0.0]
        for _ in range(40):
            body.step(pull[None], 100.0)
        reached.append(np.median(body.curvature()[0]))
    assert reached == pytest.approx([3.0, 3.0], rel=0.02)
