"""Other people's .mod files: named and integrated as NEURON does it, or refused in a sentence."""

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("hypothesis")
from generated_mechanisms import mechanism as generated  # noqa: E402
from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from tianbao import mechanisms, paths  # noqa: E402
from tianbao.engine.extract import evaluate  # noqa: E402
from tianbao.engine.kinds import kinds  # noqa: E402
from tianbao.engine.mechanism import understand  # noqa: E402
from tianbao.engine.nmodl import mechanism_name, parse  # noqa: E402
from tianbao.errors import MechanismError  # noqa: E402

HERE = Path(__file__).parent


def file(suffix="SUFFIX own", neuron="RANGE g", declared="", before="", breakpoint="i = g*(v + 70)", after=""):
    """A leak whose parts can be changed."""
    return (
        f"{before}\nNEURON {{ {suffix} {neuron} NONSPECIFIC_CURRENT i }}\nPARAMETER {{ g = 1e-4 (S/cm2) }}\n"
        f"ASSIGNED {{ i (mA/cm2) }}\n{declared}\nBREAKPOINT {{\n{breakpoint}\n}}\n{after}"
    )


def understood(**parts):
    return understand(parse(file(**parts), "own.mod"))


def current(mechanism, **values):
    """The current of a mechanism's first variant that its conditions choose, for values of what it reads."""
    import numpy as np

    arrays = {name: np.array([value]) for name, value in {"g": 1e-4, "v": 0.0, **values}.items()}
    outcomes = [bool(evaluate(mechanism.decisions, each, arrays, 1)[0]) for each in mechanism.conditions]
    (variant,) = (each for each in mechanism.variants if list(each.decided) == outcomes)
    return evaluate(variant.graph, variant.currents["i"], arrays, 1)[0]


# --- what a mechanism is called


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (file(), "own"),
        (file("POINT_PROCESS Own"), "Own"),
        ("NEURON { ARTIFICIAL_CELL Own }", "Own"),
        (file("SUFFIX\n  own"), "own"),
        (file("RANGE x THREADSAFE SUFFIX own", declared="ASSIGNED { x }"), "own"),
        (file(before=": NEURON { SUFFIX wrong }\n? SUFFIX wrong"), "own"),
        (file(before="COMMENT\nNEURON { SUFFIX wrong ENDCOMMENT }\n  ENDCOMMENT"), "own"),
        (file(before="VERBATIM\n/* NEURON { SUFFIX wrong } */\nENDVERBATIM"), "own"),
        (file(before="TITLE NEURON { SUFFIX wrong }"), "own"),
        (file(before="COMMENT\ncaf\xe9\nENDCOMMENT"), "own"),
        (file().replace("\n", "\r\n"), "own"),
        (file().replace("\n", "\r"), "own"),
        (file("SUFFIX first SUFFIX own"), "own"),
        (file(after="KINETIC k { ~ a <-> b (1, 1) }"), "own"),
        (file(""), "called"),
        ("", "called"),
        (": nothing but a comment", "called"),
        ("NEURON { SUFFIX nothing }\nFUNCTION twice(x) { twice = 2*x }", None),
    ],
)
def test_a_mechanism_is_called_as_neuron_calls_it(text, name):
    assert mechanism_name(text, "called.mod") == name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (file("SUFFIX own-k"), "'-' has no place"),
        (file("SUFFIX 2k"), "'2'"),
        (file("SUFFIX STEP"), "'STEP'"),
        (file("SUFFIX own;"), "';' has no place"),
        (file(neuron="RANGE g x"), "'x' has no place"),
        (file(neuron="USEION k READ ena"), "'ena' is no variable of the ion 'k'"),
        ("\xef\xbb\xbf" + file(), "line 1: NEURON reads a byte order mark"),
        (file(before="\n: caf\xe9"), "line 2: NEURON reads the character '\\\\xe9'"),
        (file(before="COMMENT in one line ENDCOMMENT"), "COMMENT is never closed"),
        ("NEURON { SUFFIX own", "ends in the middle"),
    ],
)
def test_what_neuron_cannot_read_is_refused_in_a_sentence_with_its_line(text, said):
    with pytest.raises(MechanismError, match=said) as error:
        mechanism_name(text, "own.mod")
    assert str(error.value).startswith("own.mod") and "\n" not in str(error.value)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data folder with an empty mod/, which nothing is ever compiled for."""
    monkeypatch.setattr(paths, "data_root", lambda: tmp_path)
    monkeypatch.setenv("TIANBAO_MECHS", str(tmp_path / "libraries"))
    (tmp_path / "mod").mkdir()
    return tmp_path / "mod"


def test_only_files_that_neuron_would_compile_are_read(folder):
    (folder / "good.mod").write_bytes(file("SUFFIX good", before="COMMENT\ncaf\xe9\nENDCOMMENT").encode("latin-1"))
    (folder / "._good.mod").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X\xff")
    (folder / ".hidden.mod").write_text(file("SUFFIX hidden"))
    (folder / "LOUD.MOD").write_text(file("SUFFIX loud"))
    (folder / "folder.mod").mkdir()
    (folder / "tools.mod").write_text("NEURON { SUFFIX nothing }")
    assert mechanisms.names() == ["good"]
    assert [path.name for path in mechanisms.sources()] == ["good.mod", "tools.mod"]
    assert [path.name for path in mechanisms.mechanism_files()] == ["good.mod"]


def loop(folder):
    (folder / "loop.mod").symlink_to(folder / "loop.mod")


def named(name, text=None):
    return lambda folder: (folder / name).write_text(text or file())


def twice(folder):
    for name in ("one.mod", "two.mod"):
        (folder / name).write_text(file())


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (loop, "loop.mod cannot be read"),
        (named("k-own.mod"), "k-own.mod: NEURON cannot compile a file of this name"),
        (named("k own.mod"), "k own.mod: NEURON cannot compile"),
        (named("own.mod", file("SUFFIX hh")), "own.mod: NEURON has a mechanism 'hh' of its own"),
        (named("own.mod", file("POINT_PROCESS IClamp")), "'IClamp' of its own"),
        (named("pas.mod", file("")), "'pas' of its own"),
        (twice, "one.mod and .*two.mod both define the mechanism 'own'"),
    ],
)
def test_a_folder_that_neuron_refuses_is_refused_before_anything_is_compiled(folder, spoil, said, monkeypatch):
    spoil(folder)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("something was compiled"))
    with pytest.raises(MechanismError, match=said) as error:
        mechanisms.build()
    assert "\n" not in str(error.value)


# --- NEURON's own names


@pytest.mark.parametrize("name", ["v", "dt", "celsius", "diam", "area"])
@pytest.mark.parametrize("block", ["PARAMETER {{ {} }}", "PARAMETER {{ {} = 3 (1) }}", "ASSIGNED {{ {} }}", ""])
def test_a_name_of_neuron_has_neurons_value_wherever_it_is_declared(name, block):
    found = understood(declared=block.format(name), breakpoint=f"i = g*(v + 70)*{name}")
    assert current(found, v=-50.0, **({} if name == "v" else {name: 4.0})) == pytest.approx(
        1e-4 * 20 * (-50.0 if name == "v" else 4.0)
    )
    assert name not in found.folded
    assert (name in found.instance) == (name in ("diam", "area"))


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ({"declared": "STATE { diam }"}, "STATE 'diam'"),
        ({"declared": "CONSTANT { celsius = 6 }"}, "CONSTANT 'celsius'"),
        ({"neuron": "RANGE g GLOBAL celsius", "declared": "PARAMETER { celsius = 6 }"}, "'celsius' as GLOBAL"),
        ({"neuron": "RANGE g, dt", "declared": "PARAMETER { dt = 6 }"}, "'dt' as RANGE"),
        ({"breakpoint": "v = -20\ni = g*(v + 70)"}, "NEURON's own 'v'"),
        ({"neuron": "RANGE g POINTER p", "declared": "ASSIGNED { p }", "breakpoint": "p = 1\ni = g*v"}, "POINTER 'p'"),
        ({"neuron": "RANGE g USEION k WRITE ek", "declared": "ASSIGNED { ek }"}, "WRITE ek"),
        ({"neuron": "RANGE g USEION k WRITE ki", "declared": "STATE { ki }"}, "INITIAL that does not set ki"),
        ({"after": "BREAKPOINT { i = 0 }"}, "a second BREAKPOINT"),
        ({"declared": "ASSIGNED { q }", "breakpoint": "q = q + 1\ni = g*q*v"}, "'q', whose value in the step before"),
        ({"declared": "ASSIGNED { q }", "breakpoint": "i = g*q*v\nq = v/10"}, "'q', whose value in the step before"),
        ({"declared": "STATE { m }", "breakpoint": "i = g*m*v\nm = 0.5"}, "'m', whose value in the step before"),
        ({"breakpoint": "i = g*f(3)*v", "after": "FUNCTION f(n) { if (n > v) { f = f(n-1) } }"}, "calls itself"),
        ({"declared": "STATE { m }", "breakpoint": "SOLVE s METHOD cnexp\ni = g*m*v",
          "after": "DERIVATIVE s { m' = f(m) }\nFUNCTION f(x) { f = -x }"}, "its own state to f()"),
        ({"declared": "STATE { m }", "breakpoint": "SOLVE s METHOD cnexp\ni = g*m*v",
          "after": "DERIVATIVE s { m' = 0.1 + 0*m }"}, "'m' cancels out"),
        ({"neuron": "RANGE g GLOBAL q", "declared": "ASSIGNED { q }", "breakpoint": "SOLVE s\ni = g*q*v",
          "after": "PROCEDURE s() { q = v }"}, "GLOBAL 'q'"),
    ],
)  # fmt: skip
def test_what_neuron_does_otherwise_is_refused_by_name(parts, named):
    with pytest.raises(MechanismError) as error:
        understood(**parts)
    assert named in str(error.value) and "own.mod" in str(error.value) and "neuron" in str(error.value)


def test_local_names_end_with_their_block_and_do_not_reach_what_it_calls():
    found = understood(
        declared="ASSIGNED { q }",
        breakpoint="LOCAL w\nw = 5\nq = 2\nif (v > -100) { LOCAL q\n q = 7 }\ni = g*q*twice()*(v + 70)",
        after="FUNCTION twice() { twice = q }",
    )
    assert current(found, v=-50.0) == pytest.approx(1e-4 * 2 * 2 * 20)


@pytest.mark.parametrize(
    ("parts", "values"),
    [
        ({"breakpoint": "i = 2*g*v\nif (celsius > 25) { i = g*v }"}, {"celsius": 20.0}),
        ({"neuron": "RANGE g GLOBAL k", "declared": "PARAMETER { k = 3 }",
          "breakpoint": "i = 2*g*v\nif (k > 25) { i = g*v }"}, {"k": 20.0}),
        ({"neuron": "RANGE g, x GLOBAL k", "declared": "PARAMETER { k = 3 x = 25 }",
          "breakpoint": "i = 2*g*v\nif (k > x) { i = g*v }"}, {"k": 20.0, "x": 25.0}),
        ({"breakpoint": "i = 2*g*v\nif (dt > 25) { i = g*v }"}, {"dt": 20.0}),
    ],
)  # fmt: skip
def test_a_condition_on_a_shared_value_is_decided_while_running(parts, values):
    found, (name, *_) = understood(**parts), values
    assert current(found, v=10.0, **values) == pytest.approx(2e-3)
    assert current(found, v=10.0, **{**values, name: 30.0}) == pytest.approx(1e-3)


def test_comparisons_bind_as_in_c():
    found = understood(breakpoint="i = g*v*(1 + (celsius == 6.3 < 2))")
    assert [current(found, v=10.0, celsius=each) for each in (0.0, 6.3)] == pytest.approx([2e-3, 1e-3])


def test_what_only_the_user_sets_is_read_from_each_instance():
    found = understood(neuron="RANGE g, q GLOBAL r", declared="ASSIGNED { q r }", breakpoint="i = g*q*r*v")
    assert "q" in found.instance and "r" in found.uniform
    assert current(found, v=1.0, q=3.0, r=5.0) == pytest.approx(1e-4 * 15)


def test_a_state_starts_at_its_parameter():
    found = understood(declared="PARAMETER { m0 = 0.3 }\nSTATE { m }", breakpoint="i = g*m*v")
    assert evaluate(found.variants[0].graph, found.variants[0].initial["m"], {}, 1) == pytest.approx(0.3)


def test_mechanisms_with_confusable_names_have_functions_of_their_own():
    found = [
        understand(parse(file(f"SUFFIX {name}", breakpoint=text), f"{name}.mod"))
        for name, text in (("k", "i = g*v\nif (g > 1) { i = 2*g*v }"), ("ky", "i = 3*g*v"), ("k_y", "i = 4*g*v"))
    ]
    names = [kind.name for kind in kinds(found)]
    assert len(set(names)) == len(names) == 4


@pytest.mark.parametrize(
    ("parameter", "follows"),
    [("rate = 1 (1)", True), ("rate = 1", True), ("rate = 5 (1)", False), ("rate = 1 (/ms)", False)],
)
def test_a_rate_is_the_factor_of_temperature_only_where_it_is_a_factor(parameter, follows):
    found = understood(neuron="RANGE g, rate", declared=f"PARAMETER {{ {parameter} }}", breakpoint="i = g*rate*v")
    assert found.follows_temperature == follows
    assert not understood(declared=f"PARAMETER {{ {parameter} }}", breakpoint="i = g*rate*v").follows_temperature


# --- files written at random


def files(count):
    """The first texts that hypothesis draws, always the same."""
    found = {}

    @settings(
        max_examples=count, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.randoms(use_true_random=True))
    def write(rng):
        text = generated(random.Random(rng.random()), "gen0")[0]
        found.setdefault(text, f"gen{len(found)}")

    write()
    return {name: text.replace("SUFFIX gen0", f"SUFFIX {name}") for text, name in found.items()}


def test_files_written_at_random_are_understood_or_refused_by_name():
    texts = files(25)
    refused = 0
    for name, text in texts.items():
        assert mechanism_name(text, f"{name}.mod") == name
        try:
            found = understand(parse(text, f"{name}.mod"))
        except MechanismError as error:
            refused += 1
            assert f"{name}.mod" in str(error) and "engine 'neuron'" in str(error)
        else:
            assert not {"v", "t", "celsius"} & {*found.instance, *found.folded}
    assert len(texts) > 20 and refused < len(texts) / 4


def compared(root, texts):
    """Run texts in both engines in a process of its own; returns its exit status and what it said."""
    (root / "mod").mkdir(parents=True)
    for name, text in texts.items():
        (root / "mod" / f"{name}.mod").write_bytes(text.encode("latin-1"))
    ended = subprocess.run(
        [sys.executable, HERE / "generated_mechanisms.py", root],
        env={**os.environ, "TIANBAO_MECHS": str(root / "libraries"), "PYTHONPATH": str(HERE.parent)},
        capture_output=True, text=True, timeout=3000, check=False,
    )  # fmt: skip
    return ended.returncode, ended.stdout + ended.stderr[-2000:]


@pytest.mark.slow
def test_files_written_at_random_agree_with_neuron(tmp_path):
    status, said = compared(tmp_path, files(60))
    assert status == 0, said
    assert int(re.search(r"compared (\d+)", said).group(1)) > 45


OWN_RATE = """
from tianbao import mechanisms
mechanisms.load()
from neuron import h
from tianbao.cells.temperature import set_rates
cells = [h.Section(name=name) for name in ("shared", "pump", "state", "gate")]
for cell in cells:
    cell.insert(cell.name())
cells[1].rate_pump, h.rate_shared = 5.0, 7.0
h.finitialize(-60)
set_rates(h, 1.7)
print(h.rate_shared, cells[1].rate_pump, cells[2].rate_state, cells[3].rate_gate)
"""


@pytest.mark.slow
def test_set_rates_leaves_what_others_call_rate(tmp_path):
    (tmp_path / "mod").mkdir()
    for name, parts in {
        "shared": {"neuron": "RANGE g GLOBAL rate", "declared": "PARAMETER { rate = 1 }", "breakpoint": "i = g*rate*v"},
        "pump": {"neuron": "RANGE g, rate", "declared": "PARAMETER { rate = 5 (/ms) }", "breakpoint": "i = g*rate*v"},
        "state": {"declared": "STATE { rate }", "breakpoint": "i = g*rate*v"},
        "gate": {"neuron": "RANGE g, rate", "declared": "PARAMETER { rate = 1 (1) }", "breakpoint": "i = g*rate*v"},
        "called": {"breakpoint": "rate(v)\ni = g*v", "after": "PROCEDURE rate(x) { LOCAL y\n y = x }"},
    }.items():
        (tmp_path / "mod" / f"{name}.mod").write_text(file(f"SUFFIX {name}", **parts))
    code = "from pathlib import Path\nfrom tianbao import paths\npaths.data_root = lambda: Path.cwd()\n" + OWN_RATE
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False,
        env={**os.environ, "TIANBAO_MECHS": str(tmp_path / "libraries"), "PYTHONPATH": str(HERE.parent)},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert ended.stdout.split() == ["7.0", "5.0", "0.0", "1.7"]
