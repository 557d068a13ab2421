"""Compiling and loading, and what the synapses, receptors and the muscle do in real NEURON.

One build per content, whole or not at all; errors that say what to do; closed forms.
"""

import math
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tianbao import mechanisms, paths
from tianbao.errors import MechanismError
from tianbao.mechanisms import cache

SMALL = "nca.mod"
SOURCES = {path.stem: path.read_text() for path in mechanisms.sources()}

IN_FOLDER = """
import sys
from pathlib import Path
from tianbao import paths
from tianbao.mechanisms.__main__ import main
paths.data_root = lambda: Path(sys.argv[1])
sys.exit(main())
"""


def python(code, *arguments, cwd, **environment):
    """Run code in a fresh interpreter; returns the finished process."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def with_files(root, **files):
    """A data folder whose mod/ holds the given texts."""
    (root / "mod").mkdir(parents=True)
    for stem, text in files.items():
        (root / "mod" / f"{stem}.mod").write_text(text)
    return root


def nca(text="gbar*(v - e)"):
    return SOURCES["nca"].replace("gbar*(v - e)", text)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A place of its own for .mod files and libraries."""

    def use(**files):
        root = with_files(tmp_path / "data", **files)
        monkeypatch.setattr(paths, "data_root", lambda: root)
        monkeypatch.setenv("TIANBAO_MECHS", str(tmp_path / "libraries"))
        return root

    return use


@pytest.fixture(scope="module")
def three_builds(tmp_path_factory):
    """Three processes that compile one small file at once, below a path with a space."""
    root = tmp_path_factory.mktemp("builds") / "a b"
    with_files(root / "data", nca=nca())
    command = [sys.executable, "-c", IN_FOLDER, root / "data"]
    environment = {**os.environ, "TIANBAO_MECHS": str(root / "libraries")}
    started = [
        subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    return root, [(process.communicate(timeout=120), process.returncode) for process in started]


def test_builds_at_once_compile_once_and_leave_one_whole_library(three_builds):
    root, ended = three_builds
    assert [status for _, status in ended] == [0, 0, 0], ended
    assert sorted(said.split(" 1 files")[0] for (said, _), _ in ended) == ["compiled", "up to date:", "up to date:"]
    left = [path for path in (root / "libraries").iterdir() if path.is_dir()]
    assert len(left) == 1
    assert len({path.stat().st_ino for path in (root / "libraries").glob("*/libnrnmech.*")}) == 1


def test_second_build_compiles_nothing_and_starts_no_neuron(three_builds):
    root, _ = three_builds
    code = IN_FOLDER.replace("sys.exit(", "status = (") + "assert 'neuron' not in sys.modules\nsys.exit(status)"
    (library,) = (root / "libraries").glob("*/libnrnmech.*")
    before = library.stat()
    run = python(code, root / "data", cwd=root, TIANBAO_MECHS=str(root / "libraries"))
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("up to date: 1 files in ")
    after = library.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_digest_follows_the_content_and_the_names(data):
    root = data(nca=nca())
    first = mechanisms.digest()
    path = root / "mod" / SMALL
    path.write_text(nca("gbar*(v - e)*1"))
    second = mechanisms.digest()
    path.write_text(nca())
    assert mechanisms.digest() == first != second
    path.rename(path.with_name("other.mod"))
    assert mechanisms.digest() != first


def test_changed_file_has_no_library_yet(three_builds, data, monkeypatch):
    root, _ = three_builds
    data(nca=nca("gbar*(v - e)*1"))
    monkeypatch.setenv("TIANBAO_MECHS", str(root / "libraries"))
    assert mechanisms.library() is None


@pytest.mark.parametrize("broken", ["gbar*(v - ", "gbar*(v - nowhere)"], ids=["nmodl", "c++"])
def test_broken_file_is_named_with_what_the_compiler_said(data, tmp_path, broken):
    data(nca=nca(broken), kcnl=SOURCES["kcnl"])
    with pytest.raises(MechanismError, match="mod/nca.mod does not compile") as caught:
        mechanisms.build()
    assert "rror" in str(caught.value) and len(str(caught.value).splitlines()) <= 10
    assert mechanisms.library() is None
    assert [path.name for path in (tmp_path / "libraries").iterdir()] == [".lock"]


@pytest.mark.slow
def test_neuron_compiles_from_a_path_that_make_cannot_read(data, tmp_path, monkeypatch):
    data(nca=nca())
    hard = tmp_path / "Jos\N{LATIN SMALL LETTER E WITH ACUTE} d'\"$x (1) #h;"
    hard.mkdir()
    monkeypatch.setattr(mechanisms, "_nrnivmodl", lambda: shutil.copy(shutil.which("nrnivmodl"), hard))
    monkeypatch.setenv("TIANBAO_MECHS", str(hard / "libraries"))
    assert mechanisms.build() == mechanisms.library() and list(hard.glob("libraries/*/libnrnmech.*"))


def test_missing_compiler_is_a_sentence(data, monkeypatch):
    data(nca=nca())
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(MechanismError, match=r"C\+\+ compiler 'no-such-compiler' not found: install one"):
        mechanisms.build()


@pytest.mark.parametrize(("tool", "message"), [("nrnivmodl", "nrnivmodl not found"), ("make", "make not found")])
def test_missing_tool_is_a_sentence(data, monkeypatch, tool, message):
    data(nca=nca())
    real = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, **options: None if name == tool else real(name, **options))
    with pytest.raises(MechanismError, match=message):
        mechanisms.build()


def test_folder_that_cannot_be_written_is_a_sentence(data, tmp_path, monkeypatch):
    data(nca=nca())
    (tmp_path / "file").touch()
    monkeypatch.setenv("TIANBAO_MECHS", str(tmp_path / "file" / "libraries"))
    with pytest.raises(MechanismError, match="cannot write to .*: set TIANBAO_MECHS"):
        mechanisms.build()


def test_no_mod_files_is_a_sentence(data):
    data()
    with pytest.raises(MechanismError, match="no .mod files in "):
        mechanisms.build()


def test_load_is_idempotent_and_holds_every_mechanism():
    path = mechanisms.load()
    assert mechanisms.load() == path == mechanisms.library()
    from neuron import h

    assert all(hasattr(h, name) for name in mechanisms.names())
    assert len(mechanisms.names()) == len(mechanisms.sources()) == 31


@pytest.fixture
def foreign(three_builds, tmp_path):
    """A folder that somebody compiled other mechanisms in."""
    library = next((three_builds[0] / "libraries").glob("*/libnrnmech.*"))
    folder = tmp_path / platform.machine()
    folder.mkdir()
    shutil.copy(library, folder)
    return tmp_path


def test_compiled_folder_in_the_current_directory_is_not_picked_up(foreign):
    code = "from tianbao import mechanisms; mechanisms.load(); import os; print(os.getcwd())"
    run = python(code, cwd=foreign)
    assert run.returncode == 0, run.stderr
    assert Path(run.stdout.strip()) == foreign.resolve()


def test_mechanisms_that_neuron_already_took_up_are_named_with_their_folder(foreign):
    run = python("from neuron import h\nfrom tianbao import mechanisms\nmechanisms.load()", cwd=foreign)
    sentence = run.stderr.strip().splitlines()[-1]
    assert "NEURON already has another mechanism 'nca'" in sentence
    assert f"{platform.machine()}: remove that folder" in sentence and str(foreign.resolve()) in sentence


def test_library_that_lacks_a_mechanism_is_refused(three_builds, tmp_path):
    """A library under the right name with the wrong content, whose digest was made for it."""
    library = next((three_builds[0] / "libraries").glob("*/libnrnmech.*"))
    cache._keep(library, tmp_path, mechanisms.library_name())
    run = python("from tianbao import mechanisms; mechanisms.load()", cwd=tmp_path, TIANBAO_MECHS=str(tmp_path))
    assert "lacks 'ca_pool': delete its folder and run again" in run.stderr


# Synapses, receptors and the muscle.


@pytest.fixture
def h():
    mechanisms.load()
    from neuron import h

    return h


@pytest.fixture
def section(h):
    """A passive section."""
    made = h.Section(name="cell")
    made.L = made.diam = 10.0
    made.insert("muscle_activation")
    yield made
    h.delete_section(sec=made)


@pytest.fixture
def site(section):
    """Its middle, with a capacitance so large that voltage stays where it is put."""
    section.cm = 1e9
    return section(0.5)


def sigma(x):
    return 1 / (1 + math.exp(-x))


def advance(h, milliseconds, dt=0.1):
    h.dt = dt
    for _ in range(round(milliseconds / dt)):
        h.fadvance()


def test_graded_synapse_follows_the_presynaptic_voltage(h, site):
    synapse = h.GradedSynapse(site)
    synapse.weight, synapse.e, synapse.v_half, synapse.slope, synapse.tau = 1e-3, -75.0, -32.0, 4.0, 10.0
    synapse.vpre = -40.0
    h.finitialize(-60)
    start = sigma(-2.0)
    assert synapse.s == pytest.approx(start, rel=1e-9)
    assert synapse.i == pytest.approx(1e-3 * start * 15.0, rel=1e-9)
    synapse.vpre = -28.0
    advance(h, 10)
    end = sigma(1.0)
    assert synapse.s == pytest.approx(end + (start - end) * math.exp(-1), rel=1e-6)


@pytest.fixture
def tiring(h, site):
    """A synapse at full release, whose pools are a thousand times as fast as those of fatigue.csv."""
    synapse = h.TiringSynapse(site)
    synapse.weight, synapse.e, synapse.v_half, synapse.slope, synapse.tau = 1e-3, 0.0, -40.0, 4.0, 0.01
    synapse.use, synapse.refill, synapse.reserve, synapse.recycle = 2.0, 25.0, 15.0, 1200.0
    return synapse


def test_a_synapse_that_tires_uses_up_what_it_releases_and_recovers(h, tiring):
    tiring.vpre = -120.0
    h.finitialize(-60)
    assert tiring.available == pytest.approx(1.0, abs=1e-6) and tiring.stored == pytest.approx(1.0, abs=1e-6)
    tiring.vpre = 40.0
    advance(h, 0.5, dt=0.01)
    # Within half a millisecond nothing but the release matters.
    assert tiring.available == pytest.approx(math.exp(-1.0), rel=0.03)
    assert tiring.s == pytest.approx(tiring.available, rel=0.05)
    used, low = tiring.available, tiring.stored
    tiring.vpre = -120.0
    advance(h, 25, dt=0.01)
    # What came back in one time constant, less what the reserve lacks by now.
    assert tiring.available == pytest.approx(tiring.stored - (1.0 - used) * math.exp(-1.0), rel=0.03)
    assert low > tiring.stored > 1.0 - 1.0 / 15.0
    advance(h, 5000, dt=0.5)
    assert tiring.available == pytest.approx(1.0, abs=0.02)


def test_a_synapse_that_tires_starts_where_a_steady_voltage_leaves_it(h, tiring):
    tiring.vpre = -48.0
    h.finitialize(-60)
    start = tiring.available, tiring.stored, tiring.s
    assert 0.01 < start[0] < start[1] < 0.9
    advance(h, 500, dt=0.1)
    assert (tiring.available, tiring.stored, tiring.s) == pytest.approx(start, rel=1e-6)


def test_a_synapse_of_no_use_is_a_graded_synapse(h, site, tiring):
    graded = h.GradedSynapse(site)
    for name in ("weight", "e", "v_half", "slope", "tau"):
        setattr(graded, name, getattr(tiring, name))
    graded.tau = tiring.tau = 7.0
    tiring.use = 0.0
    h.finitialize(-60)
    for graded.vpre in (-45.0, -20.0, -60.0):
        tiring.vpre = graded.vpre
        advance(h, 4)
        assert tiring.i == pytest.approx(graded.i, rel=1e-12)


def test_gap_junction_is_a_conductance_to_the_other_cell(h, site):
    junction = h.GapJunction(site)
    junction.weight, junction.vpre = 2e-4, -20.0
    h.finitialize(-60)
    assert junction.i == pytest.approx(2e-4 * -40.0, rel=1e-9)


def test_lead_extrapolates_the_other_cell_from_its_last_two_steps(h, site):
    junction = h.GapJunction(site)
    junction.weight = 2e-4
    for lead, seen in ((0.0, [-20.0, -30.0, -25.0, -25.0]), (0.5, [-20.0, -35.0, -22.5, -25.0])):
        h.lead_GapJunction, junction.vpre = lead, -20.0
        h.finitialize(-60)
        partners = [junction.partner]
        for junction.vpre in (-30.0, -25.0, -25.0):
            h.fadvance()
            partners.append(junction.partner)
        h.lead_GapJunction = 0
        assert partners == pytest.approx(seen, rel=1e-12)


def test_mechanisms_without_weight_carry_exactly_nothing(h, site):
    synapse, junction = h.GradedSynapse(site), h.GapJunction(site)
    h.finitialize(-60)
    h.fadvance()
    assert synapse.i == 0 and junction.i == 0


def test_stretch_receptor_saturates_and_depolarises(h, site):
    buffer = h.Vector(2)
    receptor = h.StretchReceptor(site)
    receptor._ref_stretch = buffer._ref_x[1]
    receptor.gain, receptor.saturation, receptor.share = 4e-4, 0.04, 0.5
    for stretch in (0.0, 3.0, -3.0, 1e4, -1e4):
        buffer.x[1] = stretch
        h.finitialize(-60)
        assert receptor.i == pytest.approx(-0.5 * 0.04 * math.tanh(4e-4 * stretch / 0.04), abs=1e-15)
    assert receptor.i == pytest.approx(0.02)


def test_stretch_reaches_the_receptor_while_running_and_depolarises(h, section):
    section.insert("pas")
    buffer = h.Vector(1)
    receptor = h.StretchReceptor(section(0.5))
    receptor._ref_stretch = buffer._ref_x[0]
    receptor.gain = receptor.saturation = 1e-3
    h.finitialize(-70)
    advance(h, 1)
    assert section.v == pytest.approx(-70)
    buffer.x[0] = 1.0
    advance(h, 5)
    assert section.v > -69.9


@pytest.mark.parametrize(
    ("kind", "pointer"),
    [("StretchReceptor", "stretch"), ("SensoryTransduction", "concentration"), ("Mechanosensory", "indentation")],
)
def test_a_receptor_that_points_to_nothing_stops_with_a_sentence(h, site, kind, pointer, capfd):
    receptor = getattr(h, kind)(site)
    with pytest.raises(RuntimeError, match=f"{kind}: '{pointer}' points to nothing"):
        h.finitialize(-60)
    buffer = h.Vector(1)
    setattr(receptor, f"_ref_{pointer}", buffer._ref_x[0])
    h.finitialize(-60)
    assert receptor.i == 0


def transduction(h, site, polarity, before, after):
    """Current [nA] just after, and one time constant after, a step of concentration [mM]."""
    buffer = h.Vector(1)
    sensor = h.SensoryTransduction(site)
    sensor._ref_concentration = buffer._ref_x[0]
    sensor.gain, sensor.k_half, sensor.tau, sensor.polarity = 0.01, 2.0, 100.0, polarity
    buffer.x[0] = before
    h.finitialize(-60)
    advance(h, 1)
    assert sensor.i == pytest.approx(0, abs=1e-12)
    buffer.x[0] = after
    h.dt = 1e-6
    h.fadvance()
    early = sensor.i
    advance(h, 100)
    return early, sensor.i


@pytest.mark.parametrize(
    ("polarity", "rise", "fall"),
    [(1, -1, 0), (-1, 0, -1), (0, -1, 1)],
    ids=["ON", "OFF", "both"],
)
def test_transduction_answers_changes_and_adapts(h, site, polarity, rise, fall):
    step = 0.01 * (6 / 8 - 2 / 4)
    early, late = transduction(h, site, polarity, 2.0, 6.0)
    assert early == pytest.approx(rise * step, rel=1e-6, abs=1e-15)
    assert late == pytest.approx(rise * step * math.exp(-1), rel=2e-3, abs=1e-15)
    early, late = transduction(h, site, polarity, 6.0, 2.0)
    assert early == pytest.approx(fall * step, rel=1e-6, abs=1e-15)
    assert late == pytest.approx(fall * step * math.exp(-1), rel=2e-3, abs=1e-15)


def test_without_odour_transduction_carries_exactly_nothing(h, site):
    buffer = h.Vector(1)
    sensor = h.SensoryTransduction(site)
    sensor._ref_concentration = buffer._ref_x[0]
    sensor.gain = 0.1
    h.finitialize(-60)
    advance(h, 10)
    assert sensor.i == 0


def test_muscle_activation_lowpasses_the_sigmoid_of_voltage(h, site):
    muscle = site.muscle_activation
    muscle.v_half, muscle.slope, muscle.tau = -45.0, 5.0, 100.0
    h.finitialize(-60)
    start, end = sigma(-3.0), sigma(2.0)
    assert muscle.a == pytest.approx(start, rel=1e-9)
    site.v = -35.0
    advance(h, 100)
    assert muscle.a == pytest.approx(end + (start - end) * math.exp(-1), rel=1e-6)


def test_muscle_activation_carries_no_current(h, section):
    h.finitialize(-20)
    advance(h, 10)
    assert section.v == -20.0
