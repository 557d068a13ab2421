"""A batch of brains on a graphics card: the kernel's twin on the processor gives the bits of the C engine.

No card is needed but for the tests marked `gpu`: the twin is the kernel's own source, compiled for the processor, and
the driver is stood in for by cuda_stub.c.
"""

import copy
import shutil
import subprocess
import sysconfig
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import tianbao as tb
from tianbao import compiler
from tianbao.engine import driver, library, nvrtc
from tianbao.engine.block import PER_WORM, by_place, memory, sources
from tianbao.engine.compiled_brain import CompiledBrain
from tianbao.engine.cuda import CudaBrains
from tianbao.engine.device import ENTRIES, HostDevice
from tianbao.engine.emit import header
from tianbao.engine.population import compiled
from tianbao.errors import ConfigError

WORMS = {"default": {}, "deciding": {"decision": "network", "signs": "deciding"}}
REAL = {"f64": "double", "f32": "float"}
TICK = 4.0  # [ms]


@cache
def nervous_system(worm="default", precision="f64"):
    """A worm's, for the C engine built without fused multiply-add: such a product is rounded once, not twice."""
    found = copy.copy(compiled(tb.Worm(**WORMS[worm]).design(np.arange(1, 48) / 48), precision))
    found.network = copy.copy(found.network)
    found.network.library = compiler.opened(
        compiler.compiled(
            f"native-{precision}", {"mechanisms.h": header(list(library.all_kinds()))}, library.SOURCES,
            [f"REAL={REAL[precision]}", "UNCONTRACTED"],
        )
    )  # fmt: skip
    return found


def stimuli(brains, seed):
    """Different inputs and currents for every worm."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-1.0, 1.0, brains.inputs.shape), rng.normal(0.0, 0.005, brains.current.shape)


def voltages(system, worms):
    return np.random.default_rng(7).uniform(-70.0, -40.0, (worms, int(system.cell.max()) + 1))


def started(system, worms=1, device=None, dt=0.5, order=1, corrections=0):
    brains = CudaBrains(system, worms, device or HostDevice())
    brains.inputs[:], brains.current[:] = stimuli(brains, 0)
    brains.start(voltages(system, worms), dt, order, corrections, 1.1)
    return brains


def run(brains, ticks, first=0):
    for k in range(first, first + ticks):
        brains.inputs[:], brains.current[:] = stimuli(brains, k)
        brains.advance((k + 1) * TICK)
    return brains


def apart(state, other):
    """Names of what differs. The last slot of ion currents is where those go that nobody reads: in no order."""
    dump = ("ion_current", "ion_slope")
    return [
        name for name, each in state.items()
        if not np.array_equal(*((x[..., :-1] for x in (each, other[name])) if name in dump else (each, other[name])))
    ]  # fmt: skip


def against_the_c_engine(system, device, ticks, worms, **method):
    """Names of what differs between a batch and the C engine's brains after the same run."""
    brains = run(started(system, worms, device, **method), ticks)
    state, found = brains.state(), []
    inputs, currents = zip(*(stimuli(brains, k) for k in range(ticks)), strict=True)
    for worm in range(worms):
        brain = CompiledBrain(system)
        brain.inputs[:], brain.current[:] = inputs[0][worm], currents[0][worm]
        brain.start(voltages(system, worms)[worm], 0.5, method.get("order", 1), method.get("corrections", 0), 1.1)
        for k in range(ticks):
            brain.inputs[:], brain.current[:] = inputs[k][worm], currents[k][worm]
            brain.advance((k + 1) * TICK)
        assert np.isfinite(brain.voltage).all() and brain.time == brains.time
        one = {name: each if name == "time" else each[worm] for name, each in state.items()}
        found += apart(one, brain.state())
        found += [] if np.array_equal(brain.voltage, brains.voltage[worm]) else ["soma"]
        found += [] if np.array_equal(brain.activation, brains.activation[worm]) else ["muscle"]
    return found


# --- the twin


@pytest.mark.parametrize("precision", REAL)
@pytest.mark.parametrize("worm", WORMS)
def test_several_worms_have_the_bits_of_the_c_engine_after_200_ms(worm, precision):
    system = nervous_system(worm, precision)
    assert against_the_c_engine(system, HostDevice(), ticks=50, worms=3) == []


@pytest.mark.parametrize(("threads", "last_first"), [(9, False), (40, True)])
@pytest.mark.parametrize("method", [{}, {"order": 2, "corrections": 1}], ids=["first order", "second order"])
def test_the_bits_do_not_depend_on_the_threads_nor_on_which_goes_first(threads, last_first, method):
    system = nervous_system("deciding")
    assert against_the_c_engine(system, HostDevice(threads, last_first), ticks=2, worms=2, **method) == []


def test_rounding_products_once_as_the_c_engine_does_changes_next_to_nothing():
    exact, fused = nervous_system(), compiled(tb.Worm().design(np.arange(1, 48) / 48), "f64")
    brain = CompiledBrain(fused)
    brains = started(exact)
    brain.inputs[:], brain.current[:] = brains.inputs[0], brains.current[0]
    brain.start(voltages(exact, 1)[0], 0.5, 1, 0, 1.1)
    for each in (brain, brains):
        each.advance(100.0)
    assert np.abs(brain.voltage - brains.voltage[0]).max() < 1e-9


class Without(HostDevice):
    """The twin of a kernel from which the barrier before a piece of text was taken."""

    def __init__(self, folder, text, *turns):
        super().__init__(*turns)
        self._folder, self._text = folder, text

    def load(self, sources, real):
        changed = {name: text.replace(f"SYNC;\n{self._text}", self._text) for name, text in sources.items()}
        assert changed != sources
        for name, text in changed.items():
            (self._folder / name).write_text(text)
        made = {name: text for name, text in changed.items() if name == "mechanisms.h"}
        files = [self._folder / "kernel.c", self._folder / "block.c"]
        self._library = compiler.opened(compiler.compiled("block-changed", made, files, [f"REAL={real}"]))


@pytest.mark.slow
def test_a_barrier_that_is_missing_is_noticed(tmp_path):
    device = Without(tmp_path, "        const int w = b->level_width[first];", 9, False)
    assert "voltage" in against_the_c_engine(nervous_system(), device, ticks=1, worms=1)


def test_a_run_continues_from_its_state_with_the_same_bits():
    system = nervous_system()
    whole = run(started(system, 2), 6)
    state = run(started(system, 2), 3).state()
    other = started(system, 2)
    other.restore(state)
    assert other.time == 3 * TICK and np.array_equal(other.voltage, run(started(system, 2), 3).voltage)
    assert apart(run(other, 3, first=3).state(), whole.state()) == []
    with pytest.raises(ConfigError, match="another network or number of worms"):
        started(system, 1).restore(state)


# --- memory


def test_turns_are_taken_by_place_and_in_order():
    targets = np.random.default_rng(0).integers(0, 20, 100)
    first, turns = by_place(targets)
    taken = [turns[a:b] for a, b in zip(first[:-1], first[1:], strict=True)]
    assert sorted(np.concatenate(taken)) == list(range(100)) and len(taken) == len(set(targets))
    assert all(len(set(targets[each])) == 1 and (np.diff(each) > 0).all() for each in taken)
    assert [len(each) for each in by_place(np.array([], int))] == [1, 0]


def test_a_worm_takes_no_more_memory_than_is_said():
    for precision, most in (("f64", 1.3), ("f32", 0.7)):
        brains = started(nervous_system("default", precision))
        shared, own = memory(brains.plan)
        assert own < most * 1e6 and shared < 2.5e6
        sizes = {name: each.bytes for name, each in brains.plan.regions.items() if name in PER_WORM}
        assert sum(sizes.values()) < own < sum(sizes.values()) + 20_000


class Small(HostDevice):
    """With room for two worms."""

    def free(self):
        return (64 << 20) + 5_000_000


def test_what_is_not_possible_is_one_sentence(monkeypatch):
    system = nervous_system()
    assert CudaBrains(system, 2, Small()).worms == 2
    tables = copy.copy(system)
    tables.network = copy.copy(system.network)
    tables.network.tables = True
    for said, make in {
        "room for 2 worms of 1.22 MB each, not for 3": lambda: CudaBrains(system, 3, Small()),
        "at least 1": lambda: CudaBrains(system, 0, HostDevice()),
        "no rates from tables": lambda: CudaBrains(tables, 1, HostDevice()),
        "300 threads in a block: choose 1 to 256": lambda: driver.CudaDevice(threads=300),
        "no driver of a graphics card": lambda: CudaBrains(system, 1),
    }.items():
        monkeypatch.setattr(driver, "LIBRARY", "libno-such-driver.so")
        with pytest.raises(ConfigError, match=said) as error:
            make()
        assert "\n" not in str(error.value)


def test_without_nvrtc_the_reason_is_one_sentence(monkeypatch):
    monkeypatch.setenv(nvrtc.VARIABLE, "libno-such-nvrtc.so")
    nvrtc.at_hand.cache_clear()
    with pytest.raises(ConfigError, match="tianbao\\[cuda\\]"):
        nvrtc.architectures()
    nvrtc.at_hand.cache_clear()


# --- for a card


def compiler_of_kernels():
    try:
        nvrtc.at_hand()
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("precision", REAL)
@pytest.mark.parametrize("architecture", ["compute_70", "compute_90"])
def test_the_kernel_compiles_for_cards(architecture, precision):
    compiler_of_kernels()
    if int(architecture.split("_")[1]) not in nvrtc.architectures():
        pytest.skip(f"this NVRTC no longer compiles for {architecture}")
    text = sources(nervous_system("deciding", precision).network)
    code, said = nvrtc.compiled(text, "block.c", [f"REAL={REAL[precision]}"], architecture)
    assert all(f".entry {entry}(".encode() in code for entry in ENTRIES)
    assert "warning #" not in said


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """A driver whose card is the processor."""
    compiler_of_kernels()
    cc, path = sysconfig.get_config_var("CC").split()[0], tmp_path / "libcuda_stub.so"
    subprocess.run([cc, "-shared", "-fPIC", Path(__file__).with_name("cuda_stub.c"), "-o", path, "-ldl"], check=True)
    twin = HostDevice()
    twin.load(sources(nervous_system().network), "double")
    monkeypatch.setenv("TIANBAO_STUB_TWIN", twin._library._name)
    monkeypatch.setattr(driver, "LIBRARY", str(path))


def test_the_driver_is_called_as_it_is_declared(stub):
    system = nervous_system()
    device = driver.CudaDevice()
    assert device.name == "a stub" and device.architecture == 90
    free = device.free()
    assert against_the_c_engine(system, device, ticks=3, worms=2) == []
    brains = started(system, 2, driver.CudaDevice())
    assert free - device.free() > 2 * memory(brains.plan)[1]
    with pytest.raises(ConfigError, match=r"a stub has room for \d+ worms"):
        CudaBrains(system, 2000)
    with pytest.raises(ConfigError, match="no graphics card 1: this machine has 1"):
        driver.CudaDevice(1)
    with pytest.raises(ConfigError, match="cuMemAlloc_v2: out of memory: take fewer worms"):
        device.allocate(1 << 40)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", REAL)
def test_a_card_agrees_with_the_c_engine(precision):
    compiler_of_kernels()
    try:
        found = driver.CudaDevice()
    except ConfigError as error:
        pytest.skip(str(error))
    # Not bit for bit: the tanh of stretch receptors is the card's own.
    system = nervous_system("deciding", precision)
    card, twin = (run(started(system, 3, device), 50) for device in (found, HostDevice()))
    assert np.abs(card.voltage - twin.voltage).max() < {"f64": 1e-9, "f32": 5e-2}[precision]
    assert np.abs(card.activation - twin.activation).max() < {"f64": 1e-12, "f32": 1e-3}[precision]


# --- in a simulation


@pytest.fixture
def twin(monkeypatch):
    """The kernel's twin in place of a card."""
    from tianbao.engine import cuda

    monkeypatch.setattr(cuda, "_card", HostDevice)


def pair(engine):
    """Two worms of one kind and one of another, close to each other."""
    worms = [tb.Worm(at=(0.0, 1.5 * k, 0.0), discretisation="d_lambda") for k in range(3)]
    worms[1].ablate("AVM").stimulate("AVBL", tb.Pulse(0.01, start=8.0, stop=24.0))
    return tb.Simulation(worms, seed=2, engine=engine, progress=False).record(voltage=["*"])


def test_a_simulation_on_a_card_does_what_the_native_engine_does(twin):
    ours, theirs = (pair(engine).run(80.0) for engine in ("cuda", "native"))
    for a, b in zip(ours.worms, theirs.worms, strict=True):
        assert 0.0 <= np.abs(a.voltage - b.voltage).max() < 1e-9
        assert np.abs(a.midline - b.midline).max() < 1e-12
    assert pair("cuda").configuration(80.0).engine == "cuda"


def test_a_simulation_on_a_card_goes_on_from_a_checkpoint_to_the_same_bits(twin, tmp_path):
    kept = tb.Checkpoints(tmp_path / "card.checkpoint", every=40.0)
    whole = pair("cuda").run(80.0)
    pair("cuda").run(40.0, checkpoints=kept)
    again = pair("cuda").run(80.0, since=kept.read())
    for a, b in zip(whole.worms, again.worms, strict=True):
        assert np.array_equal(a.voltage, b.voltage) and np.array_equal(a.midline, b.midline)


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="there is a card")
def test_without_a_card_a_simulation_says_so():
    with pytest.raises(ConfigError, match="card|driver|NVRTC|CUDA"):
        pair("cuda").run(20.0)
