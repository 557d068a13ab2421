"""A worm bent by a prescribed wave of tension moves as resistive force theory says it must."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tianbao.body import RingMesh, SoftBody
from tianbao.environment import Medium

sys.path.insert(0, str(Path(__file__).parents[1] / "sims"))
from body_validation import GAITS, TIERS, travel  # noqa: E402

AGAR = Medium.named("agar")
SLOW = pytest.mark.slow
TICKS = {"agar": 10.0, "water": 4.0}


@pytest.fixture(scope="module", params=TICKS)
def moved(request):
    """One settled period of a gait, and its medium."""
    medium = Medium.named(request.param)
    return travel(SoftBody(medium=medium), GAITS[medium.name], TICKS[medium.name]), medium


def test_worm_moves_head_first_as_bent_as_worms_are(moved):
    track, medium = moved
    # Slower than its wave.
    wave = GAITS[medium.name]
    assert 0.1 < track.forward_speed() < wave.frequency * wave.wavelength
    assert 5.0 < track.kappa < 11.0


def test_speed_is_that_of_resistive_force_theory(moved):
    track, medium = moved
    assert np.linalg.norm(track.velocity()) == pytest.approx(np.linalg.norm(track.predicted_velocity(medium)), rel=0.01)


def test_worm_keeps_its_volume_and_its_plane(moved):
    track, _ = moved
    assert track.volume_error < 0.01
    assert np.abs(track.midline[:, :, 2]).max() < 1e-6


def test_net_drag_vanishes(moved):
    track, _ = moved
    assert track.force < 1e-8
    # The default tolerance ends Newton's method early; see test_body.py for a tight one.
    assert track.torque < 1e-4


def test_reversed_wave_goes_backwards(moved):
    track, medium = moved
    backwards = travel(SoftBody(medium=medium), replace(GAITS[medium.name], direction=-1.0), TICKS[medium.name])
    assert backwards.forward_speed() == pytest.approx(-track.forward_speed(), rel=0.05)


def test_equal_drag_in_all_directions_goes_nowhere():
    assert np.linalg.norm(travel(SoftBody(medium=AGAR.isotropic()), GAITS["agar"], 10.0).velocity()) < 0.5e-3


def test_speed_hardly_depends_on_the_step(moved):
    track, medium = moved
    finer = travel(SoftBody(medium=medium), GAITS[medium.name], 0.5 * TICKS[medium.name])
    assert finer.forward_speed() == pytest.approx(track.forward_speed(), rel=0.02)


@pytest.mark.parametrize("tier", ["873", pytest.param("1161", marks=SLOW), pytest.param("833, two layers", marks=SLOW)])
def test_speed_hardly_depends_on_the_mesh(tier, moved):
    track, medium = moved
    other = travel(SoftBody(RingMesh.adult(*TIERS[tier]), medium=medium), GAITS[medium.name], TICKS[medium.name])
    assert other.forward_speed() == pytest.approx(track.forward_speed(), rel=0.03)
