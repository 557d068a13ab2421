"""The native engine gives what NEURON gives, for this worm, for any network of these mechanisms, or says why not."""

import itertools
import os

import numpy as np
import pytest

from tianbao import Arena, Clock, Simulation, Worm, mechanisms
from tianbao.engine import library
from tianbao.engine.graph import Graph, Level
from tianbao.engine.layout import Forest, lay_out
from tianbao.engine.mechanism import understand
from tianbao.engine.nmodl import parse
from tianbao.errors import ConfigError, MechanismError

EXACT = 1e-9  # [mV]


# --- reading NMODL


def test_every_mechanism_of_mod_is_understood():
    names = {each.name for each in library.understood()}
    assert names == set(mechanisms.names())


def mechanism(breakpoint="i = g*(v - e)", neuron="", blocks="", more=""):
    text = f"""
    NEURON {{ SUFFIX own NONSPECIFIC_CURRENT i RANGE g, e {neuron} }}
    PARAMETER {{ g = 1e-4 (S/cm2) e = -60 (mV) }}
    ASSIGNED {{ v (mV) i (mA/cm2) {more} }}
    {blocks}
    BREAKPOINT {{ {breakpoint} }}
    """
    return understand(parse(text, "own.mod"))


@pytest.mark.parametrize(
    ("changes", "construct"),
    [
        ({"blocks": "KINETIC k { ~ a <-> b (1, 1) }"}, "KINETIC"),
        ({"blocks": "NET_RECEIVE (w) { g = g + w }"}, "NET_RECEIVE"),
        ({"blocks": "VERBATIM\nint x;\nENDVERBATIM"}, "VERBATIM"),
        ({"breakpoint": "TABLE i FROM 0 TO 1 WITH 10"}, "TABLE"),
        ({"breakpoint": "i = besselj(v)"}, r"besselj\(\)"),
        ({"breakpoint": "i = g*(v - nowhere)"}, "'nowhere'"),
        ({"neuron": "EXTERNAL other"}, "EXTERNAL"),
        ({"blocks": "STATE { m }\nDERIVATIVE d { m' = -m*m }", "breakpoint": "SOLVE d METHOD cnexp\ni = g*m*v"}, "'m'"),
        ({"blocks": "STATE { m }\nDERIVATIVE d { m' = -m }", "breakpoint": "SOLVE d METHOD euler\ni = g*m*v"}, "euler"),
        ({"blocks": "STATE { m[4] }"}, "arrays"),
    ],
)
def test_what_the_engine_cannot_do_is_one_sentence_that_names_it(changes, construct):
    with pytest.raises(MechanismError, match=construct) as error:
        mechanism(**changes)
    said = str(error.value)
    assert "own.mod" in said and "neuron" in said and "\n" not in said


def test_an_unfinished_file_is_refused():
    with pytest.raises(MechanismError, match="ends in the middle"):
        parse("NEURON { SUFFIX own", "own.mod")


def test_a_condition_on_parameters_makes_variants_and_one_on_voltage_does_not():
    by_parameter = mechanism("i = 0\nif (g > 0) { i = g*(v - e) }")
    by_voltage = mechanism("i = 0\nif (v > e) { i = g*(v - e) }")
    assert [each.decided for each in by_parameter.variants] == [(True,), (False,)]
    assert len(by_voltage.variants) == 1


def test_gradient_of_an_expression_is_its_finite_difference():
    graph = Graph()
    x, y = (graph.symbol(name, Level.STEP) for name in "xy")
    f = graph.apply
    root = f("sqrt", f("+", f("*", x, x), f("exp", y)))
    node = f("select", f("<", x, y), f("tanh", root), f("pow", root, f("/", x, y)))
    slopes = graph.gradient({node: graph.number(1.0)}, [x, y])
    from tianbao.engine.extract import evaluate

    for at in ({"x": 0.3, "y": 0.8}, {"x": 1.7, "y": 0.6}):
        for name, slope in zip("xy", slopes, strict=True):
            values = {key: np.array([value]) for key, value in at.items()}
            up, down = ({**values, name: values[name] + h} for h in (1e-6, -1e-6))
            numeric = (evaluate(graph, node, up, 1) - evaluate(graph, node, down, 1)) / 2e-6
            assert evaluate(graph, slope, values, 1) == pytest.approx(numeric, rel=1e-7)


# --- layout


@pytest.mark.parametrize("seed", range(5))
def test_every_node_of_a_random_forest_has_its_parent_in_the_level_before_or_as_head(seed):
    rng = np.random.default_rng(seed)
    parent = np.array([-1 if k % 40 == 0 else rng.integers(k - k % 40, k) for k in range(200)])
    capacitance = rng.uniform(0.0, 1.0, 200) * (rng.uniform(size=200) > 0.2)
    wanted = rng.uniform(size=200) > 0.95
    layout = lay_out(Forest(parent, rng.uniform(1.0, 2.0, 200), capacitance, wanted), 8)
    there = layout.place >= 0
    assert there[capacitance > 0].all() and there[wanted].all()
    assert len(set(layout.place[there])) == there.sum() and layout.size % 8 == 0


# --- against NEURON: the worm


@pytest.fixture(scope="module")
def worm():
    return Simulation(Worm(), Arena("agar"), progress=False)


def run(simulation, engine, duration, **clock):
    # Corrections only once the engine is one that has them, and never left behind for one that has not.
    simulation.clock = Clock()
    simulation.engine = engine
    simulation.clock = Clock(**{"frame": clock.get("tick", 4.0), **clock})
    return simulation.record(voltage=["*"]).run(duration).worms[0]


@pytest.mark.parametrize(
    "clock", [{"dt": 0.5}, {"dt": 0.1}, {"dt": 0.05, "order": 2}], ids=["dt 0.5", "dt 0.1", "second order"]
)
def test_the_closed_loop_is_the_same_in_both_engines(worm, clock):
    neuron, native = (run(worm, engine, 80.0, **clock) for engine in ("neuron", "native"))
    assert np.abs(neuron.voltage - native.voltage).max() < EXACT
    assert np.abs(neuron.muscle_activation - native.muscle_activation).max() < 1e-12
    assert np.abs(neuron.midline - native.midline).max() < 1e-9


def test_single_precision_stays_close(worm):
    exact, single = (run(worm, engine, 200.0, dt=0.5) for engine in ("native", "native-f32"))
    off = np.abs(exact.voltage - single.voltage).max(axis=0)
    # A cell on its way from one stable state to the other multiplies any difference (here SABVR).
    assert 0 < np.quantile(off, 0.95) < 1e-3 and off.max() < 5e-2


SINGLE = pytest.param("native-f32", marks=pytest.mark.slow)


@pytest.mark.parametrize("precise", ["native", SINGLE])
def test_tables_stay_close_to_computed_rates(worm, precise):
    exact, tables = (run(worm, engine, 200.0, dt=0.5) for engine in (precise, f"{precise}-tables"))
    off = np.abs(exact.voltage - tables.voltage).max(axis=0)
    assert 0 < np.quantile(off, 0.95) < 2e-4 and off.max() < 1e-2


def test_same_seed_same_bits_in_the_native_engine(worm):
    first, second = (run(worm, "native", 60.0) for _ in range(2))
    assert np.array_equal(first.voltage, second.voltage) and np.array_equal(first.midline, second.midline)


def test_second_order_converges_with_order_two_and_its_correction_is_stable_at_the_default_step(worm):
    exact = run(worm, "native", 80.0, dt=0.0125, order=2).voltage

    def error(dt, order=2, corrections=1):
        found = run(worm, "native", 80.0, dt=dt, order=order, corrections=corrections).voltage - exact
        return np.sqrt(np.mean(found**2))

    assert np.log2(error(0.2) / error(0.1)) > 1.8
    assert error(0.5) < 0.1 * error(0.5, order=1, corrections=0)


def test_corrections_belong_to_the_native_engine(worm):
    with pytest.raises(ConfigError, match="corrections"):
        run(worm, "neuron", 20.0, order=2, corrections=1)


def test_retuned_equals_freshly_built_in_the_native_engine():
    from tianbao import parameters

    changed = parameters.defaults().replace(gap_gain=0.02, release_half=-20.0)
    retuned = Simulation(Worm(), engine="native", progress=False)
    retuned.run(20.0)
    first = retuned.retune(changed).record(voltage=["*"]).run(60.0).worms[0].voltage
    fresh = Simulation(Worm(parameters=changed), engine="native", progress=False)
    assert np.array_equal(first, fresh.record(voltage=["*"]).run(60.0).worms[0].voltage)


def test_an_unknown_engine_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'native'"):
        Simulation(Worm(), engine="nativ")


def test_without_a_compiler_the_reason_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("TIANBAO_MECHS", str(tmp_path))
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(MechanismError, match="'no-such-compiler' not found"):
        library.build()


# --- against NEURON: anything that can be built of these mechanisms


def random_network(h, rng):
    """Sections of a few random trees with random channels; synapses and gap junctions between them."""
    from tianbao.engine.reader import Partner

    sections, partners, kept = [], [], []
    for cell in range(4):
        tree = []
        for k in range(rng.integers(3, 9)):
            section = h.Section(name=f"cell{cell}_{k}")
            section.L, section.diam, section.nseg = rng.uniform(5, 80), rng.uniform(0.2, 4), int(rng.integers(1, 6))
            section.Ra, section.cm = rng.uniform(50, 200), rng.uniform(0.5, 2)
            if tree:
                section.connect(tree[rng.integers(len(tree))](rng.choice([0.0, 0.3, 0.5, 1.0])))
            section.insert("pas")
            section.g_pas, section.e_pas = rng.uniform(1e-5, 1e-4), rng.uniform(-70, -50)
            section.v = rng.uniform(-70, -40)
            tree.append(section)
        soma = tree[0]
        for name in rng.choice(["shl1", "shk1", "kqt3", "egl2", "irk1", "nca", "kvs1", "egl36"], 4, replace=False):
            soma.insert(name)
            setattr(soma, f"gbar_{name}", rng.uniform(1e-5, 3e-4))
        for name in ("egl19", "unc2", "cca1", "kcnl", "ca_pool", "slo1", "slo2"):
            soma.insert(name)
        for segment in soma:
            segment.egl19.gbar, segment.unc2.gbar, segment.cca1.gbar = rng.uniform(0, 2e-4, 3)
            segment.kcnl.gbar = rng.uniform(0, 1e-4)
            segment.slo1.gbar_egl19, segment.slo2.gbar_unc2 = rng.uniform(0, 2e-4, 2) * (rng.uniform(size=2) > 0.3)
            segment.egl19.shift = segment.slo1.shift = rng.uniform(-15, 0)
        h.ion_style("ca_ion", 3, 1, 0, 0, 0, sec=soma)
        soma.eca, soma.ek = 60.0, -80.0
        sections += tree
    parallel = h.ParallelContext()
    places = [section(x) for section in sections for x in (0.0, 0.4, 0.99)]
    for number in range(24):
        pre, post = (places[k] for k in rng.choice(len(places), 2, replace=False))
        point = ((h.GapJunction, h.GradedSynapse, h.GapJunction, h.TiringSynapse)[number % 4])(post)
        point.weight = rng.uniform(0, 5e-5)
        if number % 2:
            point.e, point.tau, point.v_half = rng.choice([0.0, -80.0]), rng.uniform(2, 30), rng.uniform(-50, -30)
        if number % 4 == 3:  # pools so fast that 15 ms empty and fill them
            point.use, point.refill, point.reserve, point.recycle = 0.5, 5.0, 2.0, 10.0
        gid = next(_GIDS)
        parallel.source_var(pre._ref_v, gid, sec=pre.sec)
        parallel.target_var(point, point._ref_vpre, gid)
        partners.append(Partner(point, pre))
        kept.append(point)
    clamp = h.IClamp(sections[0](0.5))
    clamp.delay, clamp.dur, clamp.amp = 5.0, 12.0, rng.uniform(-0.01, 0.02)
    return sections, partners, [*kept, clamp]


_GIDS = itertools.count(10_000_000)

RANDOM = """
import sys; sys.path.insert(0, sys.argv[1])
import numpy as np
from tianbao import mechanisms
mechanisms.load()
from neuron import h
from test_engine import random_network
from tianbao.engine.native import NativeBrain
worst = 0.0
for seed in range(int(sys.argv[2]), int(sys.argv[3])):
    rng = np.random.default_rng(seed)
    sections, partners, kept = random_network(h, rng)
    native = NativeBrain(sections, partners)
    parallel = h.ParallelContext()
    parallel.set_maxstep(10); parallel.setup_transfer()
    h.dt, h.secondorder = (0.1, 0) if seed % 2 else (0.05, 2)
    h.lead_GapJunction = 0.5 * (h.secondorder == 2)
    somas = [each(0.5) for each in sections]
    native.start(h.dt, 2 if h.secondorder else 1)
    h.finitialize()
    places = native.nodes(somas)
    for k in range(150):
        h.fadvance()
        native.advance(1)
        now = np.array([each.v for each in somas])
        worst = max(worst, np.abs(native.voltage[places] - now).max())
    assert np.isfinite(worst)
    parallel.gid_clear()
    del native, partners, kept, sections, somas
print(worst)
"""


def test_ten_random_networks_agree_with_neuron(tmp_path):
    import subprocess
    import sys

    # A process of its own: NEURON integrates every section that there is.
    command = [sys.executable, "-c", RANDOM, os.path.dirname(__file__), "0", "10"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr[-2000:]
    assert float(said.stdout.split()[-1]) < EXACT


def test_a_diverged_run_leaves_nothing_behind(worm):
    from tianbao.errors import DivergedError

    before = run(worm, "native", 20.0).voltage
    with pytest.raises(DivergedError), np.errstate(all="ignore"):
        run(worm, "native", 200.0, dt=0.5, order=2)
    worm.clock = Clock(frame=4.0)
    assert np.array_equal(worm.run(20.0).worms[0].voltage, before)
