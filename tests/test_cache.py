"""Compiled libraries are checked before they are loaded, wherever they lie, whoever else is about."""

import ctypes
import os
import subprocess
import sys
import threading

import pytest

from tianbao import compiler, mechanisms, paths
from tianbao.engine import library
from tianbao.errors import MechanismError
from tianbao.mechanisms import cache

HARD = "-José d'\"$ORIGIN$(x) (1) 100% #h\N{WORM}"
NAME, OTHER = "answer-1.so", "answer-2.so"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder of libraries with two that answer 1 and 2."""
    monkeypatch.setenv("TIANBAO_MECHS", str(tmp_path / "libraries"))
    for name in (NAME, OTHER):
        assert cache.obtain(name, answering(name))[1]
    return tmp_path / "libraries"


def answering(name, calls=None):
    """Compiles a library whose answer is the number in its name."""

    def make(folder):
        if calls is not None:
            calls.append(name)
        (folder / "x.c").write_text(f"int answer(void) {{ return {name.split('-')[1][0]}; }}\n")
        subprocess.run(["cc", "-shared", "-fPIC", "x.c", "-o", "x.so"], cwd=folder, check=True)
        return folder / "x.so"

    return make


def answer(path):
    return compiler.opened(path).answer()


def cut(path, other):
    path.write_bytes(path.read_bytes()[:3000])


def empty(path, other):
    path.write_bytes(b"")


def zeroed(path, other):
    path.write_bytes(bytes(path.stat().st_size))


def flipped(path, other):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def swapped(path, other):
    """Two good libraries that have changed places, with what lies beside them."""
    for one, two in ((path, other), (cache._seal(path), cache._seal(other))):
        content = one.read_bytes()
        one.write_bytes(two.read_bytes())
        two.write_bytes(content)


def without_digest(path, other):
    cache._seal(path).unlink()


def with_garbage(path, other):
    cache._seal(path).write_bytes(b"\xff\xfe")


@pytest.mark.parametrize("fault", [cut, empty, zeroed, flipped, swapped, without_digest, with_garbage])
def test_a_library_that_is_not_as_it_was_compiled_is_compiled_again(place, fault, caplog):
    fault(place / NAME, place / OTHER)
    assert cache.find(NAME) is None
    path, compiled = cache.obtain(NAME, answering(NAME))
    assert compiled and path in cache.replaced and NAME in caplog.text
    assert answer(path) == 1
    assert cache.obtain(NAME, answering(NAME)) == (path, False)
    assert cache.obtain(OTHER, answering(OTHER))[1] == (fault is swapped) and answer(place / OTHER) == 2


def test_who_runs_the_old_library_keeps_it(place):
    (place / "sha256-answer-1.so.txt").unlink()
    old = compiler.opened(place / NAME)
    cache.obtain(NAME, answering(OTHER))
    assert old.answer() == 1


def test_of_many_that_ask_at_once_one_compiles(place):
    calls, name = [], "answer-3.so"
    asking = [threading.Thread(target=cache.obtain, args=(name, answering(name, calls))) for _ in range(4)]
    for each in asking:
        each.start()
    for each in asking:
        each.join()
    assert calls == [name] and answer(place / name) == 3


def test_a_build_that_was_killed_is_cleared_away_by_the_next_one(place):
    (place / ".building-x").mkdir()
    cache.obtain("answer-4.so", answering("answer-4.so"))
    assert {each.name for each in place.iterdir() if each.name[0] == "."} == {".lock"}


def test_a_failing_build_leaves_nothing_and_a_lock_that_is_a_link_is_refused(place, tmp_path):
    def make(folder):
        raise MechanismError("it does not compile")

    before = set(place.iterdir())
    with pytest.raises(MechanismError, match="does not compile"):
        cache.obtain("answer-5.so", make)
    assert set(place.iterdir()) == before
    (tmp_path / "mine").write_text("precious")
    (place / ".lock").unlink()
    (place / ".lock").symlink_to(tmp_path / "mine")
    with pytest.raises(MechanismError, match="cannot write to"):
        cache.obtain("answer-5.so", make)
    assert (tmp_path / "mine").read_text() == "precious"


def test_a_full_disk_is_named_as_the_reason_why_something_does_not_compile(place, monkeypatch):
    def make(folder):
        raise MechanismError("as: assertion fail")

    monkeypatch.setattr(cache, "_LEAST_DISK", 1 << 80)
    with pytest.raises(MechanismError, match="cannot write to .*No space left on device.*: set TIANBAO_MECHS"):
        cache.obtain("answer-9.so", make)


def test_a_good_library_is_used_where_nothing_can_be_written(place, monkeypatch):
    monkeypatch.setattr(cache, "_lock", None)
    assert cache.obtain(NAME, None) == (place / NAME, False)


def test_without_a_folder_that_can_be_written_libraries_last_as_long_as_the_process(tmp_path):
    code = f"""if True:
        import os, sys
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        from test_cache import answering, answer
        from tianbao import paths
        from tianbao.mechanisms import cache
        paths.checkout = lambda: None
        path, compiled = cache.obtain("answer-6.so", answering("answer-6.so"))
        assert compiled and answer(path) == 6 and os.environ["TIANBAO_MECHS"] == str(path.parent)
        if os.fork() == 0:
            sys.exit()  # a child that ends takes nothing with it
        os.wait()
        assert cache.obtain("answer-6.so", None) == (path, False)
    """
    gone = {key: value for key, value in os.environ.items() if key != "TIANBAO_MECHS"}
    environment = {**gone, "HOME": "/proc", "XDG_CACHE_HOME": "/proc", "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1 and "compiled for this process only" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("how", ["libraries", "TMPDIR"])
def test_libraries_load_from_a_path_that_neither_make_nor_neuron_can_read(place, tmp_path, monkeypatch, how):
    hard = tmp_path / HARD / ("very_long_" * 20)
    hard.mkdir(parents=True)
    monkeypatch.setenv("TIANBAO_MECHS", str(hard / "libraries"))
    if how == "TMPDIR":
        monkeypatch.setattr("tempfile.tempdir", str(hard))
    name = "answer-7.so" if how == "libraries" else "answer-8.so"
    before = set(map(str, cache.plain_folder().glob("tianbao-*")))
    path, compiled = cache.obtain(name, answering(name))
    assert compiled and path.parent == hard / "libraries" and answer(path) == int(name[7])
    with cache.plain(path) as readable:
        assert cache.is_plain(readable) and readable.samefile(path)
    assert not readable.exists() and set(map(str, cache.plain_folder().glob("tianbao-*"))) == before


def test_neuron_and_the_native_engine_load_ours_from_such_a_path(tmp_path):
    hard = tmp_path / HARD
    for source in (mechanisms.build(), library.build()):
        name = str(source.relative_to(mechanisms.cache.roots()[0]))
        cache._keep(source, hard, name)
    code = "from tianbao import mechanisms as m\nfrom tianbao.engine import library\nlibrary.load()\nprint(m.load())"
    here = str(paths.data_root())
    environment = {**os.environ, "TIANBAO_MECHS": str(hard), "LC_ALL": "C", "PYTHONPATH": here}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=hard, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert done.stdout.count(HARD.encode()) == 1 and b"compiling" not in done.stderr


def test_a_library_that_the_system_refuses_is_a_sentence(tmp_path):
    (tmp_path / "x.so").write_text("no library")
    with pytest.raises(MechanismError, match=r"cannot load .*x\.so .*: set TIANBAO_MECHS"):
        compiler.opened(tmp_path / "x.so")
    assert isinstance(compiler.opened(library.build()), ctypes.CDLL)
