"""A body in a fluid that it stirs: the wake lags by a step and leaves nothing behind."""

import numpy as np
import pytest

from tianbao.body import SoftBody
from tianbao.environment import Medium, Plane
from tianbao.errors import ConfigError

SLABS = 48


def swim(body, steps, first=0, tick=2.0, amplitude=6.0):
    s = (np.arange(SLABS) + 0.5) / SLABS
    tension = np.zeros((body.worms, SLABS, 4))
    for step in range(first, first + steps):
        pull = amplitude * np.sin(2.0 * np.pi * (s / 1.5 - 1.7e-3 * step * tick)) * body.tension_per_curvature()
        tension[:, :, :2], tension[:, :, 2:] = np.maximum(pull, 0.0)[:, None], np.maximum(-pull, 0.0)[:, None]
        body.step(tension, tick)
    return body.positions


@pytest.fixture(scope="module", params=["water", "newtonian"])
def medium(request):
    return Medium.named("water") if request.param == "water" else Medium.newtonian(1e-3)


def test_a_run_from_a_fresh_pose_repeats_to_the_bit(medium):
    body = SoftBody(medium=medium, resolved=True)
    body.pose(2.0)
    first = swim(body, 40)
    body.pose(2.0)
    assert (swim(body, 40) == first).all()


def test_a_restored_state_goes_on_to_the_bit(medium):
    body = SoftBody(medium=medium, resolved=True)
    body.pose(2.0)
    swim(body, 20)
    state = body.state()
    first = swim(body, 20)
    body.restore(state)
    assert (swim(body, 20) == first).all()


def test_pushes_add_up_to_nothing_and_the_worm_moves_as_the_fluid_says(medium):
    body = SoftBody(medium=medium, resolved=True, tolerance=1e-6)
    swim(body, 100)
    push = body.push()
    assert np.linalg.norm(push.sum(axis=(0, 1))) < 1e-8 * np.linalg.norm(push, axis=-1).sum()
    before = body.midline()
    swim(body, 1, first=100)
    speed = (body.midline() - before) / 2e-3
    fluid = body.fluid.field(body.midline().reshape(-1, 3), body.midline(), body.push()).reshape(speed.shape)
    assert np.linalg.norm(speed - fluid) < 0.1 * np.linalg.norm(speed)


def test_a_tight_coil_does_not_make_the_wake_flip(medium):
    body = SoftBody(medium=medium, resolved=True, touching=True)
    body.pose(6.5)
    tension = np.zeros((1, SLABS, 4))
    tension[:, :, :2] = 8.0 * body.tension_per_curvature()[:, None]
    wakes = []
    for _ in range(60):
        body.step(tension, 2.0)
        wakes.append(body.state()["wake"])
    flips = np.sqrt((np.diff(wakes[-10:], axis=0) ** 2).sum(axis=(1, 2, 3)))
    assert flips.max() < 0.2 * max(np.linalg.norm(wakes[-1]), 1e-3)


def test_a_floor_slows_the_worm_and_worms_move_each_other():
    still = np.zeros((2, SLABS, 4))
    shift = []
    for apart in (0.1, 1.0):
        body = SoftBody(worms=2, medium=Medium.newtonian(1e-3), resolved=True, touching=True, gravity=9.81)
        body.pose(worm=1, at=(0.0, apart))
        body.positions = body.positions + [0.0, 0.0, 5.0]
        before = body.midline()[0, :, 2].mean()
        for _ in range(20):
            body.step(still, 4.0)
        shift.append(before - body.midline()[0, :, 2].mean())
    # Two that sink side by side drag each other along.
    assert shift[0] > 1.1 * shift[1] > 0.0
    floor = SoftBody(medium=Medium.newtonian(1e-3), resolved=True, gravity=9.81,
                     obstacles=[Plane((0.0, 0.0, -0.15), (0.0, 0.0, 1.0))])  # fmt: skip
    for _ in range(20):
        floor.step(still[:1], 4.0)
    assert 0.0 < -floor.midline()[0, :, 2].mean() < 0.8 * shift[1]


def test_worms_that_stir_one_fluid_are_together_and_the_fluid_is_newtonian():
    with pytest.raises(ConfigError, match="touching"):
        SoftBody(worms=2, medium=Medium.newtonian(1e-3), resolved=True)
    with pytest.raises(ConfigError, match="Newtonian"):
        SoftBody(resolved=True)
