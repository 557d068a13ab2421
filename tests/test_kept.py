"""A nervous system that was read out of NEURON is kept as a file: the same worm starts at once in another process."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

import tianbao as tb
from tianbao.engine import kept
from tianbao.mechanisms import cache

RUN = """
import sys
import tianbao as tb
track = tb.Simulation(tb.Worm(){worm}, seed=2, progress=False).record(voltage=["*"]).run(60.0).track()
print([each for each in ("neuron", "netpyne") if each in sys.modules])
print(track.voltage.tobytes().hex()[-400:], track.midline.sum().hex())
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder of libraries, into which the process's own are linked."""
    for root in cache.roots():
        for each in root.glob("*") if root.is_dir() else ():
            if each.name not in ("systems", ".lock") and not (tmp_path / each.name).exists():
                (tmp_path / each.name).symlink_to(each.resolve())
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    return tmp_path


def run(worm: str = "") -> list[str]:
    """Modules that a fresh process has imported, and the last bits of what it has computed."""
    done = subprocess.run([sys.executable, "-c", RUN.format(worm=worm)], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_second_process_starts_without_neuron_and_computes_the_same_bits(folder):
    (first, bits), (second, again) = run(), run()
    assert first == "['neuron', 'netpyne']" and second == "[]"
    assert bits == again
    assert len(list(folder.glob("systems/*.npz"))) == 1


def test_another_worm_has_a_file_of_its_own(folder):
    run(".scale_synapses('AVA*', 'DA*', 0.9)")
    run()
    assert len(list(folder.glob("systems/*.npz"))) == 2


def test_a_file_that_was_changed_is_not_used(folder):
    _, bits = run()
    (path,) = folder.glob("systems/*.npz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    modules, again = run()
    assert modules == "['neuron', 'netpyne']" and again == bits
    assert run()[0] == "[]"  # it was replaced by a good one


@dataclass(frozen=True)
class Half:
    value: float


@pytest.fixture
def system():
    from tianbao.engine.population import assembled

    network = assembled(tb.Simulation(tb.Worm(), progress=False).loop.design())
    from tianbao.engine.reader import nervous_system

    return nervous_system(network)


def test_what_is_read_back_is_what_was_kept(folder, system):
    kept.keep(("a", 1, Half(0.5)), system)
    back = kept.find(("a", 1, Half(0.5)))
    assert kept.find(("a", 1, Half(0.25))) is None
    assert back.extract.shared == system.extract.shared and back.extract.external == system.extract.external
    for name, array in kept._arrays(system).items():
        again = kept._arrays(back)[name]
        assert again.dtype == array.dtype and np.array_equal(again, array), name


def test_a_key_without_a_spelling_is_not_kept(folder, system):
    kept.keep(("a", object()), system)
    assert kept.find(("a", object())) is None and not (folder / "systems").exists()


def test_code_and_tables_are_part_of_the_name(monkeypatch):
    name = kept._name("a")
    assert name == kept._name("a")
    monkeypatch.setattr(kept, "version", lambda package: "0")
    kept._made_of.cache_clear()
    try:
        assert kept._name("a") != name
    finally:
        kept._made_of.cache_clear()


def test_the_files_used_last_stay(folder):
    for k in range(4):
        cache.keep(f"systems/{k}.npz", lambda path, k=k: path.write_text(str(k)), 3)
    cache.used(folder / "systems" / "1.npz")
    cache.keep("systems/4.npz", lambda path: path.write_text("4"), 3)
    assert sorted(each.name for each in folder.glob("systems/*.npz")) == ["1.npz", "3.npz", "4.npz"]
    assert len(list(folder.glob("systems/sha256-*"))) == 3
    assert cache.find("systems/4.npz") and not cache.find("systems/2.npz")


def test_where_nothing_can_be_written_nothing_is_kept_and_nothing_breaks(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv(cache.VARIABLE, str(blocked / "below"))
    cache.keep("systems/1.npz", lambda path: path.write_text("1"), 3)
    assert cache.find("systems/1.npz") is None
