"""The worm that its own brain drives crawls as an animal does: no prescribed wave, the whole loop."""

import pytest

import tianbao as tb
from tianbao.behaviour.gait import crawled


@pytest.fixture(scope="module")
def gait():
    simulation = tb.Simulation(tb.Worm(), tb.Arena("agar"), seed=11, engine="native", progress=False)
    return simulation.run(10_000.0).gait()


def test_it_goes_forward_by_a_wave_from_head_to_tail(gait):
    assert crawled(gait)
    assert 0.2 <= gait.forward_speed_mm_s <= 0.4
    assert 0.35 <= gait.frequency_hz <= 0.8
    assert gait.wave_direction == 1


def test_its_wave_travels_evenly(gait):
    assert gait.travelling_r2 >= 0.8
    assert gait.speed_cv_along <= 0.15
    assert gait.duty <= 0.1
    assert gait.shortest_length >= 0.93
