"""Currents into the neurons: bias, channel noise, stimuli."""

import numpy as np
import pytest

from tianbao import parameters
from tianbao.loop.exchange import Currents
from tianbao.worm import Pulse, Worm

P = parameters.defaults()


def currents(seed=1, tick=4.0, pulses=(), **changes):
    design = Worm(parameters=P.replace(**changes)).design(np.linspace(0, 1, 47))
    return Currents(design, list(pulses), np.random.default_rng(seed), tick), design


def series(steps, tick=4.0, **changes):
    """Noise of every neuron over time [pA], shape (steps, neurons)."""
    source, design = currents(tick=tick, **changes)
    out, rows = np.zeros(302), []
    for step in range(steps):
        source.write(step * tick, out)
        rows.append(out.copy())
    return np.array(rows) * 1e3 - design.bias()


@pytest.mark.parametrize("tick", [2.0, 8.0])
def test_noise_has_its_amplitude_and_correlation_time_whatever_the_tick(tick):
    noise = series(1500, tick, noise=0.2, noise_tau=100.0)
    assert noise.std() == pytest.approx(0.2, rel=0.03)
    lag = round(100.0 / tick)
    correlation = (noise[lag:] * noise[:-lag]).mean() / noise.var()
    assert correlation == pytest.approx(np.exp(-1.0), abs=0.03)


def test_neurons_fluctuate_independently():
    noise = series(3000, noise=0.2, noise_tau=20.0)
    between = np.corrcoef(noise.T)
    assert np.abs(between[~np.eye(302, dtype=bool)]).mean() < 0.05


def test_a_restored_state_gives_the_same_bits():
    source, _ = currents()
    out, again = np.zeros(302), np.zeros(302)
    for step in range(5):
        source.write(step * 4.0, out)
    generator, state = source.generator, source.state()
    source.write(20.0, out)
    source.write(24.0, out)
    source.generator = generator
    source.restore(state)
    source.write(20.0, again)
    source.write(24.0, again)
    assert np.array_equal(out, again)


def test_a_pulse_that_covers_half_a_tick_brings_half_its_current():
    quiet, design = currents(noise=0.0, pulses=[("AVAL", Pulse(0.02, start=2.0, stop=100.0))])
    out = np.zeros(302)
    quiet.write(0.0, out)
    k = design.neurons.index("AVAL")
    assert out[k] == pytest.approx(0.01 + design.bias()[k] * 1e-3)
