"""The worm that its own brain drives crawls as an animal does: no prescribed wave, the whole loop."""

import pytest

import tianbao as tb
from tianbao.behaviour.gait import PUBLISHED, crawled

OF_THE_ANIMAL = {row.metric: row for row in PUBLISHED if row.medium == "agar"}


@pytest.fixture(scope="module")
def gait():
    simulation = tb.Simulation(tb.Worm(), tb.Arena("agar"), engine="native", progress=False)
    return simulation.run(10_000.0).gait()


@pytest.mark.validation
@pytest.mark.parametrize(
    "metric", ["forward_speed_mm_s", "frequency_hz", "wave_direction", "wavelength_body_lengths", "amplitude"]
)
def test_it_crawls_forward_as_fast_and_with_the_wave_that_animals_have(gait, metric):
    assert OF_THE_ANIMAL[metric].holds(getattr(gait, metric)), f"{metric}: {getattr(gait, metric):.3g}"


def test_its_wave_travels_evenly(gait):
    assert crawled(gait)
    assert gait.travelling_r2 >= 0.8
    assert gait.duty <= 0.1
    assert gait.shortest_length >= 0.93
