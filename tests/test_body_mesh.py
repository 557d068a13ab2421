"""The mesh has the worm's shape and the material its limits."""

import numpy as np
import pytest
from scipy.linalg import solveh_banded

from tianbao.body.calibration import shear_moduli, stiffness_band, tension_per_curvature
from tianbao.body.material import Material
from tianbao.body.mesh import RingMesh, radius_profile
from tianbao.errors import ConfigError

TIERS = [(48, 1), (96, 1), (128, 1), (48, 2), (48, 3)]


@pytest.mark.parametrize(
    ("slabs", "layers", "vertices", "tets"), [(48, 1, 441, 1152), (96, 1, 873, 2304), (48, 2, 833, 3456)]
)
def test_tiers_have_the_published_size(slabs, layers, vertices, tets):
    mesh = RingMesh.adult(slabs, layers)
    assert len(mesh.vertices) == vertices
    assert mesh.volumes.size == tets


@pytest.mark.parametrize(("slabs", "layers"), TIERS)
def test_volume_is_that_of_round_cones(slabs, layers):
    mesh = RingMesh.adult(slabs, layers)
    a, b = mesh.radii[1:], mesh.radii[:-1]
    cones = np.pi / 3.0 * (a * a + a * b + b * b) * mesh.length / mesh.slabs
    assert mesh.volumes.sum() == pytest.approx(cones.sum(), rel=1e-3)
    assert (mesh.volumes > 0.0).all()


def test_head_is_at_larger_x_and_the_worm_is_an_adult():
    mesh = RingMesh.adult()
    assert mesh.vertices[0, 0] == pytest.approx(0.5)
    assert mesh.vertices[-mesh.ring_size, 0] == pytest.approx(-0.5)
    assert mesh.radii.max() == pytest.approx(0.035, rel=0.01)
    assert radius_profile(np.array([0.0, 1.0])).max() < 0.3 * mesh.radii.max()


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_quadrants_lie_where_their_names_say_and_weigh_the_same(layers):
    mesh = RingMesh.adult(layers=layers)
    world = mesh.tets + mesh.ring_size * np.arange(mesh.slabs)[:, None, None]
    centre = mesh.vertices[world].mean(axis=2)
    for quadrant, (dorsal, right) in enumerate([(1, -1), (1, 1), (-1, -1), (-1, 1)]):
        mine = centre[mesh.fibres == quadrant]
        assert (np.sign(mine[:, 1]) == dorsal).all() and (np.sign(mine[:, 2]) == right).all()
    weight = [mesh.volumes[mesh.fibres == quadrant].sum() for quadrant in range(4)]
    assert np.ptp(weight) < 1e-12


@pytest.mark.parametrize("layers", [1, 2])
def test_drag_weights_add_up_to_the_body_length_and_lie_on_the_surface(layers):
    mesh = RingMesh.adult(layers=layers)
    assert mesh.vertex_length.sum() == pytest.approx(1.0)
    reach = np.hypot(*mesh.vertices[:, 1:].T).reshape(mesh.rings, -1)
    carries = mesh.vertex_length.reshape(mesh.rings, -1) > 0.0
    assert (carries == (reach > 0.99 * mesh.surface_radii[:, None])).all()


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("axis", [1, 2])
def test_mesh_is_its_own_mirror_image(layers, axis):
    mesh = RingMesh.adult(12, layers)
    mirrored = mesh.vertices.copy()
    mirrored[:, axis] *= -1.0
    place = np.round(1e9 * mesh.vertices).astype(int).tolist()
    partner = [place.index(row) for row in np.round(1e9 * mirrored).astype(int).tolist()]
    world = mesh.tets + mesh.ring_size * np.arange(mesh.slabs)[:, None, None]
    cells = {frozenset(tet) for tet in world.reshape(-1, 4).tolist()}
    assert {frozenset(partner[vertex] for vertex in tet) for tet in cells} == cells


def test_shape_gradients_reproduce_a_linear_field():
    mesh = RingMesh.adult()
    matrix = np.arange(9.0).reshape(3, 3)
    world = mesh.tets + mesh.ring_size * np.arange(mesh.slabs)[:, None, None]
    field = mesh.vertices[world] @ matrix.T
    assert np.allclose(np.einsum("seai,seaj->seij", field, mesh.gradients), matrix, atol=1e-9)


@pytest.mark.parametrize(("slabs", "layers"), TIERS)
def test_cantilever_sags_as_beam_theory_says(slabs, layers):
    """Tip load on a uniform beam: F L^3 / (3 EI) within 3 %."""
    radius, force = 0.035, 1e-6
    mesh = RingMesh.build(1.0, np.full(slabs + 1, radius), layers)
    material = Material()
    band = stiffness_band(mesh, shear_moduli(mesh, material), material.bulk_ratio)
    load = np.zeros_like(mesh.vertices)
    load[-mesh.ring_size:, 1] = force / mesh.ring_size
    free = slice(3 * mesh.ring_size, None)
    sag = solveh_banded(band[:, free], load.ravel()[free], lower=True).reshape(-1, 3)[-mesh.ring_size:, 1].mean()
    stiffness = material.bending_stiffness_n_m2 * 1e12
    assert sag == pytest.approx(force / (3.0 * stiffness), rel=0.03)


def test_stiffness_follows_the_taper_exponent():
    mesh = RingMesh.adult()
    soft = shear_moduli(mesh, Material(taper_exponent=4.0))
    stiff = shear_moduli(mesh, Material(taper_exponent=3.0))
    share = mesh.slab_radii / mesh.radii.max()
    assert np.allclose((soft / stiff)[6:-6], share[6:-6], rtol=0.02)


def test_tension_scales_with_bending_stiffness():
    mesh = RingMesh.adult()
    once = tension_per_curvature(mesh, Material(bending_stiffness_n_m2=1e-14))
    twice = tension_per_curvature(mesh, Material(bending_stiffness_n_m2=2e-14))
    assert np.allclose(twice, 2.0 * once)


@pytest.mark.parametrize(
    "bad", [{"bending_stiffness_n_m2": -1.0}, {"bulk_ratio": 0.0}, {"taper_exponent": np.nan}]
)
def test_impossible_material_is_refused(bad):
    with pytest.raises(ConfigError, match=next(iter(bad))):
        Material(**bad)


def test_impossible_mesh_is_refused():
    with pytest.raises(ConfigError, match="slabs"):
        RingMesh.adult(slabs=4)
    with pytest.raises(ConfigError, match="positive"):
        RingMesh.build(1.0, np.zeros(49))
    with pytest.raises(ConfigError, match="layers"):
        RingMesh.adult(layers=0)
