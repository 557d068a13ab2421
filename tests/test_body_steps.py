"""A step by compiled C equals one by Taichi's kernels."""

from __future__ import annotations

import numpy as np
import pytest

from tianbao import backend, compiler
from tianbao.body import compiled_steps, observe
from tianbao.body.contact import ContactFinder
from tianbao.body.material import Material
from tianbao.body.mesh import RingMesh
from tianbao.body.solver import SoftBody
from tianbao.environment import Dish, Medium, Pillar, Plane
from tianbao.errors import ConfigError, DivergedError, MechanismError

AGAR, WATER = Medium.named("agar"), Medium.named("water")
CASES = {
    "agar": dict(),
    "water": dict(medium=WATER, duration=2.0),
    "fine": dict(slabs=55),
    "coarse": dict(slabs=17),
    "two layers": dict(layers=2, steps=20),
    "muscles": dict(material=Material(force_length_falloff=2.0, force_velocity_time=30.0)),
    "no cuticle": dict(material=Material(axial_stiffness_n=0.0)),
    "long ticks": dict(duration=40.0, steps=20),
    "pillar": dict(obstacles=[Pillar(0.52, 0.03, 0.05, friction=0.3)], touching=True),
    "slope": dict(obstacles=[Plane((0.0, 0.0, -0.03), (0.0, 0.2, 1.0), friction=0.5)], gravity=9.8, medium=WATER),
    "coil": dict(touching=True, curvature=9.0, steps=30),
    "crowd": dict(worms=3, touching=True, apart=0.07),
    "spread": dict(worms=3, touching=True, apart=2.0),
}


def body_of(case, compiled, **more):
    case = {**case, **more}
    slabs, layers, worms = (case.get(name, value) for name, value in (("slabs", 24), ("layers", 1), ("worms", 1)))
    known = ("material", "medium", "obstacles", "touching", "gravity", "threads")
    body = SoftBody(
        RingMesh.adult(slabs, layers), worms=worms, compiled=compiled,
        **{name: case[name] for name in known if name in case},
    )  # fmt: skip
    for worm in range(worms):
        body.pose(case.get("curvature", 2.0), at=(0.3 * worm, case.get("apart", 1.0) * worm), worm=worm)
    return body


def tensions(body, time):
    """A wave with more tension in every further worm."""
    s = np.arange(body.mesh.slabs) / body.mesh.slabs
    wave = np.sin(2.0 * np.pi * (5e-4 * time - 1.5 * s))[:, None] * np.array([1.0, 1.0, -1.0, -1.0])
    return np.maximum(wave, 0.0) * 4e3 * (1.0 + 0.2 * np.arange(body.worms))[:, None, None]


def moved(body, steps, duration):
    return np.array([(body.step(tensions(body, k * duration), duration), body.midline())[1] for k in range(steps)])


@pytest.mark.parametrize("name", CASES)
def test_compiled_steps_equal_those_of_the_kernels(name):
    case = CASES[name]
    steps, duration = case.get("steps", 60), case.get("duration", 4.0)
    fast, reference = body_of(case, True), body_of(case, False)
    mine, theirs = moved(fast, steps, duration), moved(reference, steps, duration)
    assert np.abs(theirs[-1] - theirs[0]).max() > 1e-4
    assert mine == pytest.approx(theirs, abs=1e-10)
    assert fast.iterations == reference.iterations
    for side in ("dorsal", "right"):
        assert fast.curvature(side=side) == pytest.approx(reference.curvature(side=side), abs=1e-7)
    assert fast.dorsal() == pytest.approx(reference.dorsal(), abs=1e-9)
    assert fast.drag() == pytest.approx(reference.drag(), abs=1e-6)
    if fast.load is not None:
        assert fast.load == pytest.approx(reference.load, abs=1e-6)


def test_threads_and_company_do_not_change_a_bit():
    case = dict(CASES["spread"], worms=5)
    one, two = (moved(body_of(case, True, threads=threads), 30, 4.0) for threads in (1, 2))
    assert np.array_equal(one, two)
    alone = body_of(dict(CASES["agar"], touching=True), True)
    for k in range(30):
        alone.step(tensions(alone, 4.0 * k), 4.0)
    assert np.array_equal(alone.midline()[0], one[-1, 0])


def test_a_restored_state_gives_the_same_bits():
    body = body_of(CASES["coil"], True)
    moved(body, 10, 4.0)
    kept = body.state()
    first = moved(body, 10, 4.0)
    body.restore(kept)
    assert np.array_equal(moved(body, 10, 4.0), first)


def test_a_step_that_is_too_long_is_taken_in_parts_as_by_the_kernels():
    hard = np.zeros((1, 24, 4))
    hard[:, 8:16, :2] = 2e4
    fast, reference = body_of(CASES["water"], True), body_of(CASES["water"], False)
    for body in (fast, reference):
        body.step(hard, 100.0)
    assert fast.time == reference.time == 100.0
    assert fast.iterations == reference.iterations
    assert fast.midline() == pytest.approx(reference.midline(), abs=1e-7)


def test_a_step_that_cannot_be_solved_says_so():
    body = body_of(CASES["agar"], True)
    body.positions = np.zeros_like(body.positions)
    with pytest.raises(DivergedError, match="worst is worm 0"):
        body.step(np.zeros((1, 24, 4)), 4.0)


@pytest.mark.parametrize("worms, apart, curvature", [(1, 1.0, 0.0), (1, 1.0, 8.5), (1, 1.0, 5.0), (2, 0.09, 0.0),
                                                     (2, 0.2, 0.0), (2, 0.2, 4.0)])  # fmt: skip
def test_nothing_near_never_overlooks_a_contact(worms, apart, curvature):
    """What it calls free the finder finds free as well."""
    body = body_of(dict(worms=worms, apart=apart, curvature=curvature, touching=True), True)
    finder = body._around.finder
    body._around.find_contacts(body.arrays.x, body._origin, body.arrays.velocity, 4e-3)
    free = body._around.contacts.to_numpy().max() == 0
    said = body._steps.nothing_near(body._origin, finder)
    assert free or not said
    assert said or not free or worms > 1  # boxes of worms may meet where they do not


def test_with_obstacles_contacts_are_always_sought():
    body = body_of(dict(obstacles=[Pillar(50.0, 0.0, 0.1)]), True)
    assert not body._steps.nothing_near(body._origin, body._around.finder)
    assert isinstance(body._around.finder, ContactFinder)


def test_memory_of_a_wrong_shape_is_refused():
    body = body_of(CASES["agar"], True)
    for wrong in (np.zeros((1, 24, 3)), np.zeros((1, 25, 3), np.float32), np.zeros((1, 25, 6))[..., ::2]):
        with pytest.raises(ConfigError, match="give a contiguous float64 array"):
            body.midline(wrong)
    out = np.zeros((1, 25, 3))
    assert body.midline(out) is out and np.isfinite(out).all()


def test_without_a_compiler_the_kernels_step(monkeypatch):
    def missing(*_):
        raise MechanismError("no compiler")

    compiled_steps.library.cache_clear()
    monkeypatch.setattr(compiler, "compiled", missing)
    body = SoftBody(RingMesh.adult(12))
    assert body._steps is body.kernel_steps
    body.step(np.zeros((1, 12, 4)), 4.0)
    with pytest.raises(MechanismError, match="no compiler"):
        SoftBody(RingMesh.adult(12), compiled=True)
    compiled_steps.library.cache_clear()


def test_a_view_is_the_memory_of_the_array():
    array = backend.array(np.arange(6, dtype=np.int32).reshape(2, 3))
    seen = backend.view(array)
    seen[1, 2] = 7
    assert array.to_numpy()[1].tolist() == [3, 4, 7]


def test_columns_of_the_section_are_those_that_c_is_told():
    assert (observe.DORSAL, observe.RIGHT, observe.SHARE) == (0, 1, 2)


def test_worms_among_ghosts_move_as_in_company():
    count, steps = 4, 60

    def placed(body, worms):
        for slot, k in enumerate(worms):
            bend = 3.0 * np.sin(2.0 * np.pi * body.curvature_positions / 0.65 + k)
            body.pose(curvature=bend, at=(0.05 * k, 0.09 * k), heading=0.3 * (-1) ** k + np.pi * (k % 2), worm=slot)
        return body

    options = {"medium": Medium.named("agar"), "touching": True, "obstacles": [Dish(0.75)]}
    whole = placed(SoftBody(RingMesh.adult(24), None, count, **options), range(count))
    parts = [(0, 2), (1,), (3,)]
    bodies = [placed(SoftBody(RingMesh.adult(24), None, len(each), ghosts=3, **options), each) for each in parts]
    pressed = 0.0
    for step in range(steps):
        tension = 150.0 * np.abs(np.random.default_rng(step).normal(size=(count, 24, 4)))
        rings = {k: each for part, body in zip(parts, bodies, strict=True)
                 for k, each in zip(part, body.rings(), strict=True)}  # fmt: skip
        whole.step(tension, 4.0)
        for part, body in zip(parts, bodies, strict=True):
            # Their order does not matter, nor that one more slot is empty.
            body.place_ghosts(np.array([rings[k] for k in reversed(range(count)) if k not in part]))
            body.step(np.ascontiguousarray(tension[list(part)]), 4.0)
            assert np.array_equal(body.positions, whole.positions[list(part)]), step
            assert np.array_equal(body.load, whole.load[list(part)])
        pressed = max(pressed, whole.load.max())
    assert pressed > 0.1  # [uN]


def test_a_ghost_that_leaves_its_frame_touches_as_in_company():
    """A frame is left in whole millimetres, which rounds the place of every ring anew."""

    def placed(body, worms):
        for slot, k in enumerate(worms):
            body.pose(curvature=2.0, at=(0.4 + 0.02 * k, 0.075 * k), worm=slot)
        return body

    whole = placed(SoftBody(RingMesh.adult(24), None, 2, touching=True), (0, 1))
    bodies = [placed(SoftBody(RingMesh.adult(24), None, 1, touching=True, ghosts=1), (k,)) for k in (0, 1)]
    flow = np.zeros((2, 25, 3))
    flow[..., 0], flow[0, :, 1], flow[1, :, 1] = 60.0, 2.0, -2.0  # [mm/s], pressed against each other
    whole.flow = flow
    for k, body in enumerate(bodies):
        body.flow = flow[k : k + 1]
    frames, pressed = set(), 0.0
    for step in range(80):
        tension = 150.0 * np.abs(np.random.default_rng(step).normal(size=(2, 24, 4)))
        rings = [body.rings() for body in bodies]
        whole.step(tension, 4.0)
        for k, body in enumerate(bodies):
            body.place_ghosts(rings[1 - k])
            body.step(tension[k : k + 1].copy(), 4.0)
            assert np.array_equal(body.positions[0], whole.positions[k]), step
        frames.add(tuple(whole.state()["origin"][0]))
        pressed = max(pressed, whole.load.max())
        assert whole.drag().sum() == pytest.approx(sum(body.drag().sum() for body in bodies))
    assert len(frames) > 6 and pressed > 0.0
