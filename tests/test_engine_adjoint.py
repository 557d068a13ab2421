"""The adjoint of the native engine gives the slope that central differences of whole runs give."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from neuron import h

from tianbao import mechanisms
from tianbao.engine.adjoint import Adjoint
from tianbao.engine.native import NativeBrain
from tianbao.engine.reader import Partner, Pointer
from tianbao.errors import ConfigError

METHODS = [(1, 0), (2, 0), (1, 1), (2, 2)]
STEPS, EVERY, TICK, DT = 400, 5, 150, 0.1
SHARED = {
    ("GradedSynapse", "weight"), ("GapJunction", "weight"), ("GradedSynapse", "v_half"), ("egl19", "gbar"),
    ("ca_pool", "tau"), ("nca", "e"), ("slo1", "gbar_egl19"), ("muscle_activation", "slope"),
}  # fmt: skip


class Network:
    """Three branched cells of unequal size with channels, two synapses, a gap junction, a stretch receptor."""

    densities = {"egl19": 3e-4, "unc2": 2e-4, "kcnl": 2e-5, "shl1": 3e-4, "nca": 2e-5, "cca1": 1e-4}

    def __init__(self, precision: str = "f64") -> None:
        mechanisms.load()
        self.cells = [self._cell(k, branches) for k, branches in enumerate((2, 4, 1))]
        self._points, self._partners = [], []
        for pre, post, weight in ((0, 1, 4e-4), (1, 2, 3e-4)):
            self._connect("GradedSynapse", pre, post, weight=weight, e=-10.0, v_half=-50.0, slope=5.0, tau=8.0)
        for one, other in ((0, 2), (2, 0)):
            self._connect("GapJunction", one, other, weight=2e-4)
        receptor = h.StretchReceptor(self.cells[1][-1](0.7))
        receptor.gain, receptor.saturation, receptor.share = 0.002, 4.0, 0.5
        clamp = h.IClamp(self.cells[0][0](0.5))
        clamp.delay, clamp.dur, clamp.amp = 0.0, 1e9, 0.0
        self._points += [receptor, clamp]
        self.somas = [cell[0](0.5) for cell in self.cells]
        self.native = NativeBrain(
            [section for cell in self.cells for section in cell], self._partners, [Pointer(receptor, 0)], 1, precision
        )

    def _cell(self, number: int, branches: int) -> list:
        sections = [h.Section(name=f"cell{number}_{k}") for k in range(branches + 1)]
        for k, section in enumerate(sections):
            section.L, section.diam, section.nseg = 20.0 + 7 * k + 3 * number, 0.6 if k else 3.0, 2 * k + 1
            section.Ra, section.cm, section.v = 150.0, 1.0, -57.0 + 4 * number + k
            if k:
                section.connect(sections[(k - 1) // 2](1.0 if k % 2 else 0.5), 0.0)
            section.insert("pas")
            section.g_pas, section.e_pas = 3e-5, -60.0
        self._insert(sections[0])
        if branches > 1:
            sections[-1].insert("egl19")
            sections[-1].gbar_egl19 = 1e-4
        for section in sections:
            for ion, reversal in (("k", -80.0), ("ca", 60.0)):
                if h.ismembrane(f"{ion}_ion", sec=section):
                    setattr(section, f"e{ion}", reversal)
            if h.ismembrane("ca_pool", sec=section):
                h.ion_style("ca_ion", 3, 1, 0, 0, 0, sec=section)
        return sections

    def _insert(self, section) -> None:
        for name, density in self.densities.items():
            section.insert(name)
            setattr(section, f"gbar_{name}", density)
        for name in ("ca_pool", "slo1", "muscle_activation"):
            section.insert(name)
        section.gbar_egl19_slo1, section.gbar_unc2_slo1 = 2e-4, 1e-4

    def _connect(self, name: str, pre: int, post: int, **values) -> None:
        point = getattr(h, name)(self.cells[post][-1](0.8))
        for key, value in values.items():
            setattr(point, key, value)
        self._points.append(point)
        self._partners.append(Partner(point, self.cells[pre][-1](0.2)))


class Loss:
    """A fixed mixture of what a run records."""

    def __init__(self, network: Network, method: tuple[int, int]) -> None:
        self._method = method
        self.adjoint = Adjoint(network.native, network.somas, [("muscle_activation", "a"), ("kcnl", "m")], EVERY)
        rng = np.random.default_rng(4)
        ticks = -(-STEPS // TICK)
        self.external, self.clamp = rng.normal(0.0, 3.0, (ticks, 1)), rng.normal(0.0, 5e-3, (ticks, 1))
        h.celsius, h.lead_GapJunction = 20.0, 0.5 if method[0] == 2 else 0.0
        recorded = self.run()
        self._weights = [rng.normal(size=each.shape) for each in (recorded.voltage, *recorded.states)]

    def run(self):
        return self.adjoint.run(STEPS, DT, *self._method, self.external, self.clamp, TICK)

    def value(self) -> float:
        recorded = self.run()
        pairs = zip(self._weights, (recorded.voltage, *recorded.states), strict=True)
        return sum(float((weight * x).sum()) for weight, x in pairs)

    def gradient(self):
        self.run()
        return self.adjoint.gradient(self._weights[0], self._weights[1:])

    def slope(self, array: np.ndarray, where, size: float) -> float:
        """Central difference of fourth order along one entry."""
        base, found = array[where], []
        for part in (1.0, 0.5):
            values = []
            for sign in (1, -1):
                array[where] = base + sign * part * size
                values.append(self.value())
            found.append((values[0] - values[1]) / (2 * part * size))
        array[where] = base
        return (4 * found[1] - found[0]) / 3


@pytest.fixture(scope="module")
def network() -> Network:
    return Network()


@pytest.mark.parametrize("method", METHODS, ids=lambda each: f"order{each[0]}-corrections{each[1]}")
def test_parameters_have_the_slope_of_central_differences(network, method):
    loss = Loss(network, method)
    gradient = loss.gradient()
    for mechanism, name in sorted(SHARED):
        _, slopes = gradient.parameter(mechanism, name)
        arrays = network.native.values(mechanism, name)[1]
        array = arrays[0]
        k = int(np.argmax(np.abs(slopes[: len(array)])))
        expected = loss.slope(array, k, 1e-3 * abs(array[k]))
        assert slopes[k] == pytest.approx(expected, rel=1e-6), (mechanism, name)


@pytest.mark.parametrize("method", [(1, 0), (2, 1)])
def test_inputs_leak_and_start_have_the_slope_of_central_differences(network, method):
    loss = Loss(network, method)
    gradient = loss.gradient()
    for inputs, slopes, size in (
        (loss.external, gradient.external, 1e-2), (loss.clamp, gradient.clamp_current, 1e-4),
    ):  # fmt: skip
        for tick in range(len(inputs)):
            assert slopes[tick, 0] == pytest.approx(loss.slope(inputs, (tick, 0), size), rel=1e-6)
    segment = network.somas[1]
    node = network.native.nodes([segment])[0]
    for name, slope in zip(("leak_d", "leak_b"), gradient.leak([segment]), strict=True):
        array = _nodes(network, name)
        assert slope[0] == pytest.approx(loss.slope(array, node, 1e-2 * abs(array[node])), rel=1e-6)
    array = _nodes(network, "capacitance")
    assert gradient.capacitance([segment])[0] == pytest.approx(loss.slope(array, node, 1e-3 * array[node]), rel=1e-6)
    start, slope = segment.v, gradient.start_voltage([segment])[0]
    values = []
    for moved in (1e-2, -1e-2):
        segment.v = start + moved
        values.append(loss.value())
    segment.v = start
    assert slope == pytest.approx((values[0] - values[1]) / 2e-2, rel=1e-5)


def _nodes(network: Network, name: str) -> np.ndarray:
    """An array over the nodes of the engine as it stands in memory."""
    brain = network.native.struct
    return np.ctypeslib.as_array(ctypes.cast(getattr(brain, name), ctypes.POINTER(ctypes.c_double)), (brain.nodes,))


def test_a_class_has_the_sum_of_its_instances(network):
    gradient = Loss(network, (1, 0)).gradient()
    _, slopes = gradient.parameter("GradedSynapse", "weight")
    np.testing.assert_allclose(gradient.by_class("GradedSynapse", "weight", np.array([0, 0])), [slopes.sum()])
    np.testing.assert_allclose(gradient.by_class("GradedSynapse", "weight", np.array([1, -1]), 2.0), [0, 2 * slopes[0]])


def test_a_recorded_run_is_the_run_of_the_engine(network):
    loss = Loss(network, (2, 1))
    recorded = loss.run()
    native = network.native
    native.external[:], native.clamp_current[:] = loss.external[0], loss.clamp[0]
    native.start(DT, 2, 1)
    native.advance(TICK)
    np.testing.assert_array_equal(recorded.voltage[TICK // EVERY - 1], native.voltage[native.nodes(network.somas)])


def test_a_gradient_needs_a_run(network):
    adjoint = Adjoint(network.native, network.somas)
    with pytest.raises(ConfigError, match="run"):
        adjoint.gradient()
    with pytest.raises(ConfigError, match="steps"):
        adjoint.run(0, DT)
    adjoint.run(10, DT)
    with pytest.raises(ConfigError, match="states"):
        adjoint.gradient(None, [None])


def test_single_precision_is_refused():
    with pytest.raises(ConfigError, match="f64"):
        Adjoint(Network("f32").native)


@pytest.mark.slow
@pytest.mark.parametrize("method", [(1, 0), (2, 1)])
def test_all_weights_of_the_worm_together_have_the_slope_of_central_differences(method):
    import tianbao as tb
    from tianbao.engine.brain import METHODS as LEADS

    network = tb.Simulation(tb.Worm(), progress=False).network
    design = network.design
    pointers = [Pointer(point, index) for point, index in network.pointers()]
    partners = [Partner(*each) for each in network.partners()]
    native = NativeBrain(network.sections, partners, pointers, design.inputs.size)
    names = [name for name in design.neurons if name.startswith(("AVB", "DB"))]
    adjoint = Adjoint(native, [network.soma(name)(0.5) for name in names], [("muscle_activation", "a")], 10)
    h.celsius, h.lead_GapJunction = 20.0, LEADS[method[0]][1]
    rng = np.random.default_rng(2)
    external = rng.normal(0.0, 4.0, (13, len(native.external)))
    run = lambda: adjoint.run(500, DT, *method, external, None, 40)  # noqa: E731
    recorded = run()
    weights = [rng.normal(size=each.shape) for each in (recorded.voltage, recorded.states[0])]
    weights[1] *= 100.0
    gradient = adjoint.gradient(weights[0], weights[1:])
    values = []
    moved = [array for name in ("GradedSynapse", "GapJunction") for array in native.values(name, "weight")[1]]
    bases = [array.copy() for array in moved]
    directions = [base * rng.uniform(-1.0, 1.0, len(base)) for base in bases]
    for size in (1e-3, -1e-3, 5e-4, -5e-4):
        for array, base, direction in zip(moved, bases, directions, strict=True):
            array[:] = base + size * direction
        recorded = run()
        values.append((weights[0] * recorded.voltage).sum() + (weights[1] * recorded.states[0]).sum())
    expected = (4 * (values[2] - values[3]) / 1e-3 - (values[0] - values[1]) / 2e-3) / 3
    slopes = np.concatenate([gradient.parameter(name, "weight")[1] for name in ("GradedSynapse", "GapJunction")])
    assert slopes @ np.concatenate(directions) == pytest.approx(expected, rel=1e-6)
