"""A worm bent by a prescribed wave of tension crawls as resistive force theory says it must."""

import numpy as np
import pytest

from tianbao.body import SoftBody
from tianbao.environment import Medium

AGAR, WATER = Medium.named("agar"), Medium.named("water")
EVERY = 20.0


def travel(medium, frequency, wavelength, amplitude, direction=1.0, tick=4.0, every=EVERY):
    """Midlines over one settled period of a travelling wave of tension, and the volume error.

    Args:
        frequency: [Hz].
        wavelength: [body lengths].
        amplitude: of the curvature asked for (kappa L).
        direction: +1 runs from head to tail.
        tick: [ms].
        every: time between midlines [ms].
    """
    body = SoftBody(medium=medium)
    s = (np.arange(body.mesh.slabs) + 0.5) / body.mesh.slabs
    per_curvature, tension = body.tension_per_curvature(), np.zeros((1, body.mesh.slabs, 4))
    period = 1000.0 / frequency
    settle = 500.0
    track, error = [], 0.0
    for k in range(int((settle + period) / tick) + 1):
        time = k * tick
        if time >= settle and k % round(every / tick) == 0:
            track.append(body.midline()[0].copy())
            error = max(error, abs(body.volume()[0] / body.mesh.volumes.sum() - 1.0))
        phase = 2.0 * np.pi * (s / wavelength - direction * frequency * time / 1000.0)
        pull = amplitude * min(1.0, time / settle) * np.sin(phase) * per_curvature
        tension[0, :, :2] = np.maximum(pull, 0.0)[:, None]
        tension[0, :, 2:] = np.maximum(-pull, 0.0)[:, None]
        body.step(tension, tick)
    return np.array(track), error


def velocity(track, every=EVERY):
    """Mean velocity of the centroid [mm/s], shape (3,)."""
    return (track[-1].mean(axis=0) - track[0].mean(axis=0)) / (len(track) - 1) / every * 1000.0


def forward_speed(track, every=EVERY):
    """Along the direction from tail to head [mm/s]."""
    chord = (track[:, 0] - track[:, -1]).mean(axis=0)
    return velocity(track, every) @ chord / np.linalg.norm(chord)


def predicted_velocity(track, medium, every=EVERY):
    """Velocity that resistive force theory gives a planar worm of these shapes [mm/s], shape (2,).

    Place and heading are stripped from every frame; zero net force and torque give them back.
    """
    shapes = [frame[:, :2] - frame[:, :2].mean(axis=0) for frame in track]
    for k in range(1, len(shapes)):
        now, before = shapes[k] @ [1, 1j], shapes[k - 1] @ [1, 1j]
        now = now * np.exp(1j * np.angle((before * now.conj()).sum()))
        shapes[k] = np.column_stack([now.real, now.imag])
    weights = np.ones(len(shapes[0]))
    weights[[0, -1]] = 0.5
    place, heading = 0.0, 0.0
    for before, after in zip(shapes[:-1], shapes[1:], strict=True):
        shape, rate = 0.5 * (before + after), (after - before) * 1000.0 / every
        tangent = np.gradient(shape, axis=0)
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
        drag = medium.drag_normal * np.eye(2) - (medium.drag_normal - medium.drag_tangential) * (
            tangent[:, :, None] * tangent[:, None, :]
        )
        drag = drag * weights[:, None, None]
        rigid = np.zeros((len(shape), 2, 3))
        rigid[:, 0, 0] = rigid[:, 1, 1] = 1.0
        rigid[:, 0, 2], rigid[:, 1, 2] = -shape[:, 1], shape[:, 0]
        resistance = np.einsum("nia,nij,njb->ab", rigid, drag, rigid)
        motion = -np.linalg.solve(resistance, np.einsum("nia,nij,nj->a", rigid, drag, rate))
        turn = motion[2] * every / 1000.0
        place = place + (motion[0] + 1j * motion[1]) * np.exp(1j * (heading + 0.5 * turn)) * every / 1000.0
        heading += turn
    return np.array([place.real, place.imag]) / (len(track) - 1) / every * 1000.0


@pytest.fixture(scope="module")
def crawl():
    return travel(AGAR, 0.5, 0.65, 8.0)


def test_worm_on_agar_crawls_head_first(crawl):
    speed = forward_speed(crawl[0])
    assert 0.1 < speed < 0.5 * 0.65


def test_crawling_speed_is_that_of_resistive_force_theory(crawl):
    speed = np.linalg.norm(velocity(crawl[0]))
    assert speed == pytest.approx(np.linalg.norm(predicted_velocity(crawl[0], AGAR)), rel=0.01)


def test_crawling_worm_keeps_its_volume_and_its_plane(crawl):
    track, error = crawl
    assert error < 0.01
    assert np.abs(track[:, :, 2]).max() < 1e-6


def test_reversed_wave_goes_backwards(crawl):
    backwards, _ = travel(AGAR, 0.5, 0.65, 8.0, direction=-1.0)
    assert forward_speed(backwards) == pytest.approx(-forward_speed(crawl[0]), rel=0.15)


def test_equal_drag_in_all_directions_goes_nowhere():
    track, _ = travel(AGAR.isotropic(), 0.5, 0.65, 8.0)
    assert np.linalg.norm(velocity(track)) < 0.5e-3


def test_swimming_speed_is_that_of_resistive_force_theory():
    every = 1000.0 / 1.7 / 49.0
    track, error = travel(WATER, 1.7, 1.5, 5.0, tick=every / 3.0, every=every)
    speed = forward_speed(track, every)
    assert speed > 0.05
    assert np.linalg.norm(velocity(track, every)) == pytest.approx(
        np.linalg.norm(predicted_velocity(track, WATER, every)), rel=0.02
    )
    assert error < 0.01
