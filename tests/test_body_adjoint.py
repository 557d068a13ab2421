"""Gradients through the body are those of the steps it takes."""

import numpy as np
import pytest

from tianbao import anatomy
from tianbao.body import Material, SoftBody, kernels
from tianbao.body.adjoint import BodyRollout, curvature_weights, midline_weights
from tianbao.environment import Medium, Plane
from tianbao.errors import ConfigError, DivergedError
from tianbao.muscles import TensionMap

SLABS, VERTICES = 48, 441
WATER = Medium.named("water")
FIBRES = Material(force_length_falloff=2.0, force_velocity_time=50.0)


class Trial:
    """A worm that swims from a crumpled start, and a random linear loss on where it has been."""

    def __init__(self, steps, duration, seed=1, **options):
        self.body, self.duration = SoftBody(tolerance=1e-10, **options), duration
        self.random = random = np.random.default_rng(seed)
        # In water, what the solver takes for round-off is more than the differences below can bear.
        self.body.arrays.status[:, kernels.FORCE_FLOOR] *= 0.3
        worms = self.body.worms
        for worm in range(worms):
            self.body.pose(3.0 - 2.0 * worm, at=(0.0, 0.5 * worm), worm=worm)
        self.start = self.body.positions + random.normal(0.0, 1e-4, (worms, VERTICES, 3))
        phase = (np.arange(SLABS) + 0.5) / SLABS / 0.65 - 0.05 * np.arange(steps)[:, None]
        bend = 6.0 * np.sin(2.0 * np.pi * phase) * self.body.tension_per_curvature()
        sides = np.repeat(np.stack([np.maximum(bend, 0.0), np.maximum(-bend, 0.0)], axis=-1), 2, axis=-1)
        self.tension = sides[:, None] * random.uniform(0.8, 1.2, (steps, worms, SLABS, 4))
        self.weights = random.normal(size=(steps + 1, worms, VERTICES, 3))
        self.weights[0] = 0.0

    def roll(self, tension, start):
        self.body.positions = start
        rollout = BodyRollout(self.body)
        for each in tension:
            rollout.step(each, self.duration)
        return rollout

    def slope(self, tension, start, step):
        """Difference quotient of fourth order along a change of the tensions and of the start."""

        def loss(share):
            return (
                self.roll(self.tension + share * tension, self.start + share * start).positions * self.weights
            ).sum()

        near, far = (loss(share) - loss(-share) for share in (step, 2.0 * step))
        return (8.0 * near - far) / (12.0 * step)


CASES = {
    "one step on agar": dict(steps=1, duration=10.0),
    "one step in water": dict(steps=1, duration=2.0, medium=WATER),
    "agar": dict(steps=20, duration=10.0),
    "water": dict(steps=20, duration=2.0, medium=WATER),
    "no cuticle": dict(steps=5, duration=10.0, material=Material(axial_stiffness_n=0.0)),
    "stiff cuticle": dict(steps=5, duration=4.0, material=Material(axial_stiffness_n=1e-3), medium=WATER),
    "no viscosity": dict(steps=5, duration=4.0, material=Material(internal_viscosity_time=0.0)),
    "fibres, two worms": dict(steps=20, duration=10.0, material=FIBRES, worms=2),
    "fibres in water": dict(steps=20, duration=2.0, material=FIBRES, medium=WATER),
    "surface": dict(steps=5, duration=10.0, medium=Medium("stiff", 128.0, 3.2, surface_stiffness=1e5)),
    "floor": dict(steps=5, duration=10.0, gravity=9.8, obstacles=[Plane((0.0, 0.0, -0.033), (0.0, 0.0, 1.0))]),
}


@pytest.mark.parametrize("name", CASES)
def test_gradient_is_the_slope_of_the_loss(name):
    trial = Trial(**CASES[name])
    trial.body.flow = np.broadcast_to([0.1, -0.2, 0.0], (trial.body.worms, SLABS + 1, 3))
    gradient = trial.roll(trial.tension, trial.start).gradient(trial.weights)
    still, placed = np.zeros_like(trial.tension), np.zeros_like(trial.start)
    pulled = trial.random.normal(0.0, trial.tension.mean(), trial.tension.shape)
    moved = trial.random.normal(0.0, 1e-3, trial.start.shape)
    step = 1e-3 if name == "floor" else 1e-2
    slope = trial.slope(pulled, placed, step)
    assert (gradient.tension * pulled).sum() == pytest.approx(slope, rel=1e-6)
    slope = trial.slope(still, moved, step)
    assert (gradient.start * moved).sum() == pytest.approx(slope, rel=1e-6)


def test_friction_keeps_the_grip_it_has():
    # From rest the grip follows from the load alone, and that from the heights.
    floor = Plane((0.0, 0.0, -0.033), (0.0, 0.0, 1.0), friction=0.3)
    trial = Trial(steps=1, duration=4.0, medium=WATER, gravity=9.8, obstacles=[floor])
    gradient = trial.roll(trial.tension, trial.start).gradient(trial.weights)
    assert trial.body._around.grip.to_numpy().max() > 0.0
    pulled = trial.random.normal(0.0, trial.tension.mean(), trial.tension.shape)
    moved = trial.random.normal(0.0, 1e-3, trial.start.shape) * [1.0, 1.0, 0.0]
    slope = trial.slope(pulled, moved, 1e-3)
    assert (gradient.tension * pulled).sum() + (gradient.start * moved).sum() == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("name", ["agar", "water"])
def test_single_entries_of_the_gradient(name):
    trial = Trial(**{**CASES[name], "steps": 8})
    gradient = trial.roll(trial.tension, trial.start).gradient(trial.weights)
    for at in ((0, 0, 10, 0), (5, 0, 30, 3)):
        one = np.zeros_like(trial.tension)
        one[at] = 1e4
        slope = trial.slope(one, np.zeros_like(trial.start), 0.1)
        assert 1e4 * gradient.tension[at] == pytest.approx(slope, rel=1e-5)


def test_worms_of_a_batch_have_the_gradients_they_have_alone():
    trial = Trial(steps=3, duration=4.0, worms=2)
    both = trial.roll(trial.tension, trial.start).gradient(trial.weights[-1])
    alone = Trial(steps=3, duration=4.0)
    one = alone.roll(trial.tension[:, 1:], trial.start[1:]).gradient(trial.weights[-1, 1:])
    assert both.tension[:, 1:] == pytest.approx(one.tension, rel=1e-6, abs=1e-9 * np.abs(one.tension).max())
    assert both.start[1:] == pytest.approx(one.start, rel=1e-6, abs=1e-9 * np.abs(one.start).max())


def test_a_step_taken_in_halves_is_recorded_as_these(monkeypatch):
    trial = Trial(steps=2, duration=4.0)
    halves = trial.roll(trial.tension.repeat(2, axis=0), trial.start)
    halves.body.positions = trial.start
    trial.duration = 8.0
    minimise = trial.body._steps.minimise
    physics = trial.body.arrays.physics
    monkeypatch.setattr(
        trial.body._steps,
        "minimise",
        lambda tension, predict: minimise(tension, predict) and physics[kernels.DT] < 5e-3,
    )
    rollout = trial.roll(trial.tension, trial.start)
    assert [len(pieces) for pieces in rollout._steps] == [2, 2]
    assert rollout.positions == pytest.approx(halves.positions[::2], abs=1e-9)
    once, twice = (each.gradient(trial.weights[-1]) for each in (rollout, halves))
    summed = twice.tension.reshape(2, 2, 1, SLABS, 4).sum(axis=1)
    assert once.tension == pytest.approx(summed, abs=1e-6 * np.abs(summed).max())
    assert once.start == pytest.approx(twice.start, abs=1e-6 * np.abs(twice.start).max())


@pytest.mark.parametrize("side", ["dorsal", "right"])
def test_weights_of_curvature_and_midline_are_their_transposes(side):
    trial = Trial(steps=1, duration=10.0)
    body, random = trial.body, trial.random
    bent, along = random.normal(size=(1, SLABS - 1)), random.normal(size=(1, SLABS + 1, 3))
    twisted = trial.start @ np.linalg.qr(random.normal(size=(3, 3)))[0]
    straight = body.mesh.vertices[None]
    change = random.normal(0.0, 1e-3, twisted.shape)

    def loss(positions):
        body.positions = positions
        return (body.curvature(side=side) * bent).sum(), (body.midline() * along).sum()

    for at in (twisted, straight):
        up, down = np.array(loss(at + 1e-4 * change)), np.array(loss(at - 1e-4 * change))
        weights = curvature_weights(body, at, bent, side), midline_weights(body, along)
        assert [(each * change).sum() for each in weights] == pytest.approx((up - down) / 2e-4, rel=1e-6)


def test_gradient_of_activations_is_that_of_the_map():
    random = np.random.default_rng(4)
    tension, activation = random.random((6, 2, SLABS, 4)), random.random(95)
    spread = TensionMap(anatomy.muscles(), np.linspace(1e3, 5e3, SLABS), 10.0)
    pulled = spread.pull_back(tension)
    assert pulled.shape == (6, 2, 95)
    spent = spread(activation, np.empty((SLABS, 4)))
    assert pulled @ activation == pytest.approx((tension * spent).sum(axis=(2, 3)))


def test_descent_on_tensions_brings_the_curvature_nearer_to_a_target():
    body = SoftBody(medium=WATER, tolerance=1e-8)
    start, unit = body.positions, body.tension_per_curvature()[:, None]
    target = 2.0 * np.sin(2.0 * np.pi * body.curvature_positions)
    asked, losses = np.full((10, 1, SLABS, 4), 3.0), []
    for _ in range(6):
        body.positions = start
        rollout = BodyRollout(body)
        for each in asked:
            rollout.step(each * unit, 20.0)
        miss = body.curvature() - target
        losses.append(0.5 * (miss**2).mean())
        weights = curvature_weights(body, body.positions, miss / miss.size)
        slope = rollout.gradient(weights).tension * unit
        asked = np.maximum(asked - losses[-1] / (slope**2).sum() * slope, 0.0)
    assert losses[-1] < 0.01 * losses[0]


def test_what_cannot_be_differentiated_is_refused():
    trial = Trial(steps=2, duration=4.0)
    rollout = trial.roll(trial.tension, trial.start)
    with pytest.raises(ConfigError, match="weights have shape"):
        rollout.gradient(trial.weights[:2])
    with pytest.raises(ConfigError, match="weights have shape"):
        rollout.pull_back(0, trial.weights)
    trial.body.pose()
    with pytest.raises(ConfigError, match="moved between"):
        rollout.step(trial.tension[0], 4.0)
    # Fibres that push buckle.
    rollout._steps[1][0].tension[:] = -1e9
    with pytest.raises(DivergedError, match="not positive definite"):
        rollout.gradient(trial.weights)
