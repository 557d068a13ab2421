"""Worms in several processes live as in one, bit for bit: in company, over seams, on food, after losses and stops."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import signal

import numpy as np
import pytest

import tianbao as tb
from tianbao.environment import Dish
from tianbao.loop import split
from tianbao.loop.crew import Processes
from tianbao.loop.split import SplitLoop, tiles

RADIUS, APART = 0.9, 0.08  # [mm]


def crowd(count: int = 6, fields=(), **options) -> tb.Simulation:
    """Worms that decide, side by side in a dish, of two kinds; they touch at once."""
    worms = [
        tb.Worm(
            at=(0.05 * k, APART * (k - 0.5 * (count - 1)), 0.0), heading=np.pi * (k % 2),
            discretisation="d_lambda", decision="network", signs="deciding", amines="on",
        )
        for k in range(count)
    ]  # fmt: skip
    worms[1].ablate("AVB*")
    arena = tb.Arena("agar", obstacles=[Dish(RADIUS)], fields=fields)
    simulation = tb.Simulation(
        worms, arena, seed=1, clock=tb.Clock(tick=4.0, frame=40.0), initial_curvature=1.0, progress=False, **options
    )
    return simulation.record(voltage=["AVA*", "AVB*"])


def same(one: tb.Recording, two: tb.Recording) -> None:
    """Assert that two runs have the same bits."""
    assert np.array_equal(one.time, two.time) and len(one.worms) == len(two.worms)
    for a, b in zip(one.worms, two.worms, strict=True):
        for name in ("midline", "dorsal", "voltage", "muscle_activation"):
            assert np.array_equal(getattr(a, name), getattr(b, name)), name
        assert a.inputs.keys() == b.inputs.keys() and a.receptors == b.receptors
        assert all(np.array_equal(a.inputs[name], b.inputs[name]) for name in a.inputs)


def lawn() -> tb.Lawn:
    return tb.Lawn("food", radius=0.6, density=0.05, centre=(0.2, 0.0, 0.0))


def test_two_processes_give_the_bits_of_one_on_food_that_is_eaten():
    whole = crowd(fields=[lawn()])
    run = whole.run(200.0)
    split_up = crowd(fields=[lawn()], parts=2)
    same(run, split_up.run(200.0))
    assert max(each.inputs["touch"].max() for each in run.worms) > 0.0
    (eaten,), (again,) = whole.loop.arena.fields, split_up.loop.arena.fields
    split_up.loop.refresh()
    assert all(np.array_equal(eaten.state()[name], again.state()[name]) for name in eaten.state())


def test_a_lost_process_costs_nothing_but_time(monkeypatch):
    monkeypatch.setattr(split, "_DEAL_MS", 120.0)
    whole, broken = crowd(4).run(200.0), crowd(4, parts=2)

    @dataclasses.dataclass
    class Killer:
        every: int = 1

        def __call__(self, loop):
            """Kill a process, once before the first deal and once after it."""
            if loop.ticks in (10, 40):
                os.kill(loop._crew._members[loop.ticks // 40][0].pid, signal.SIGKILL)

    same(whole, broken.run(200.0, observers=[Killer()]))


@pytest.mark.slow
def test_processes_that_are_lost_again_and_again_end_the_run(monkeypatch):
    simulation = crowd(4, parts=2)
    simulation.reset()
    monkeypatch.setattr(SplitLoop, "_repeat", lambda loop: (_ for _ in ()).throw(split.LostError("gone (signal 9)")))
    os.kill(simulation.loop._crew._members[1][0].pid, signal.SIGKILL)
    with pytest.raises(tb.TianbaoError, match="gone .signal 9., 3 times in a row"):
        simulation.step(4.0)


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_processes(tmp_path):
    kept = tb.Checkpoints(tmp_path / "crowd.checkpoint", every=200.0)
    whole = crowd(4).run(400.0)
    crowd(4, parts=2).run(200.0, checkpoints=kept)
    same(whole, crowd(4, parts=3).run(400.0, since=kept.read()))
    same(whole, crowd(4).run(400.0, since=kept.read()))


@pytest.mark.slow
def test_currents_reach_the_worms_they_are_for_and_observations_are_of_this_moment():
    found = []
    for parts in (1, 3):
        simulation = crowd(3, parts=parts)
        simulation.reset()
        simulation.step(40.0, current=[{"AVAL": 0.02}, {}, {"AVBR": -0.01}])
        found.append(simulation.observe())
    for name in ("midline", "voltage", "activation", "curvature"):
        assert np.array_equal(getattr(found[0], name), getattr(found[1], name)), name
    for a, b in zip(*(each.inputs for each in found), strict=True):
        assert all(np.array_equal(a[name], b[name]) for name in a)


def test_what_cannot_be_dealt_out_is_refused():
    with pytest.raises(tb.ConfigError, match="2 worms cannot be dealt out to 3"):
        crowd(2, parts=3)
    with pytest.raises(tb.ConfigError, match="no backend 'cloud'.*processes or ray"):
        crowd(2, parts=2, backend="cloud").run(40.0)
    with pytest.raises(tb.ConfigError, match="address is that of a Ray cluster"):
        crowd(2, parts=2, address="auto").run(40.0)
    arena = tb.Arena("agar", flow=lambda points, time: np.zeros_like(points))
    with pytest.raises(tb.ConfigError, match="cannot be sent"):
        tb.Simulation([tb.Worm(), tb.Worm(at=(2.0, 0.0, 0.0))], arena, parts=2)
    with pytest.raises(tb.ConfigError, match="in one process"):
        tb.Simulation([tb.Worm(), tb.Worm(at=(2.0, 0.0, 0.0))], tb.Arena("water", resolved=True), parts=2)


def test_an_error_in_a_process_is_raised_here():
    crew = Processes(1)
    with pytest.raises(RuntimeError, match="a process that holds worms failed"):
        crew.all("move", [()])
    crew.close()


def test_tiles_hold_equal_numbers_and_are_compact():
    places = np.random.default_rng(1).uniform(-1.0, 1.0, (40, 2)) * [2.0, 1.0]
    found = tiles(places, 4)
    assert sorted(sum(found, [])) == list(range(40)) and [len(each) for each in found] == [10] * 4
    # Two halves across the longer side, x, then each across what is longer in it.
    assert places[found[0] + found[1], 0].max() <= places[found[2] + found[3], 0].min()
    assert [len(each) for each in tiles(places[:7], 3)] == [2, 2, 3]


@pytest.mark.slow
def test_four_processes_give_the_bits_of_one_while_worms_cross_the_seams(monkeypatch):
    monkeypatch.setattr(split, "_DEAL_MS", 1000.0)
    dealt = []
    deal = SplitLoop._deal
    monkeypatch.setattr(SplitLoop, "_deal", lambda loop, state: (deal(loop, state), dealt.append(loop._dealt)))
    whole, parts = crowd(8).run(5000.0), crowd(8, parts=4).run(5000.0)
    same(whole, parts)
    assert len(dealt) > 1 and dealt[0] != dealt[-1]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray")
def test_actors_of_ray_give_the_bits_of_one_process_and_one_may_die():
    whole, actors = crowd(4).run(200.0), crowd(4, parts=2, backend="ray")

    @dataclasses.dataclass
    class Killer:
        every: int = 1

        def __call__(self, loop):
            """Kill an actor in the middle."""
            if loop.ticks == 25:
                loop._crew._ray.kill(loop._crew._members[0])

    same(whole, actors.run(200.0, observers=[Killer()]))
    actors.loop._crew.close()
