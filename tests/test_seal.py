"""A results file says what was written or is refused: seal, links, limits, locks, and what it shows of its texts."""

from __future__ import annotations

import dataclasses
import io
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from synthetic import recording

import tianbao as tb
from tianbao.cli import main
from tianbao.cli.see import KINDS
from tianbao.io import apart
from tianbao.io.apart import marked
from tianbao.io.results import open_sealed
from tianbao.io.tree import SEAL, read_tree, seal_of

OLD = Path(__file__).parent / "data" / "results_format_2.h5"


@pytest.fixture(scope="module")
def run():
    made = recording(duration=400.0, points=9, neurons=("AVAL", "DB2"))
    track = made.track()
    dorsal = np.zeros_like(track.midline)
    dorsal[..., 1] = 1.0
    return dataclasses.replace(made, worms=(dataclasses.replace(track, dorsal=dorsal),))


@pytest.fixture(scope="module")
def content(run, tmp_path_factory):
    return run.save(tmp_path_factory.mktemp("kept") / "results.h5").read_bytes()


def arrays(opened):
    track = opened.track()
    return [opened.time, track.midline, track.dorsal, track.muscle_activation, track.voltage, track.voltage_time]


def texts(opened):
    told = [getattr(opened, each.name) for each in dataclasses.fields(opened) if each.name not in ("time", "worms")]
    return [*told, opened.track().muscles, opened.track().neurons]


def edited(content, how, seal=False, mark=True):
    """A file with something done to it through HDF5; marked anew, so that its bytes do not give it away."""
    memory = io.BytesIO(content)
    with h5py.File(memory, "r+") as file:
        how(file)
        if seal:
            file.attrs[SEAL] = seal_of(read_tree(file, 10**9))
    return marked(memory.getvalue()) if mark else memory.getvalue()


def doubled(name):
    def change(file):
        file[name][...] = 2.0 * file[name][()]

    return change


EDITS = {
    **{f"{name} doubled": doubled(f"worms/0/{name}") for name in ("midline", "dorsal", "voltage", "muscle_activation")},
    "times stretched": doubled("time"),
    "a worm named anew": lambda file: file.move("worms/0", "worms/one"),
    "a neuron named anew": lambda file: file["worms/0/neurons"].__setitem__(0, "AVAR"),
    "its wiring": lambda file: file["worms/0"].attrs.__setitem__("anatomy", '{"connectome": "mine"}'),
    "the wiring": lambda file: file.attrs.__setitem__("anatomy", '{"connectome": "mine"}'),
    "a version": lambda file: file.attrs.__setitem__("neuron_version", "8.2"),
    "the seed": lambda file: file.attrs.__setitem__("seed", 8),
    "the seed's type": lambda file: file.attrs.__setitem__("seed", 7.0),
    "a unit": lambda file: file["time"].attrs.__setitem__("unit", "s"),
    "an attribute more": lambda file: file["worms"].attrs.__setitem__("note", "mine"),
    "an attribute less": lambda file: file["time"].attrs.__delitem__("unit"),
    "an array more": lambda file: file.create_dataset("worms/0/mine", data=[1.0]),
    "a group more": lambda file: file.create_group("worms/0/inputs"),
    "an array less": lambda file: file["worms/0"].__delitem__("dorsal"),
    "voltages as 64 bits": lambda file: (
        values := file["worms/0/voltage"][()], file["worms/0"].pop("voltage"),
        file["worms/0"].create_dataset("voltage", data=values.astype(float)).attrs.__setitem__("unit", "mV"),
    ),
    "no seal": lambda file: file.attrs.__delitem__(SEAL),
    "called an older release": lambda file: file.attrs.__setitem__("format", "tianbao results 2"),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_a_file_edited_after_the_run_has_a_broken_seal(name, content, tmp_path, capsys):
    path = tmp_path / "results.h5"
    path.write_bytes(edited(content, EDITS[name]))
    assert main(["info", str(path)]) == 2
    said = capsys.readouterr().err
    assert "seal is broken" in said and said.count("\n") == 1


def test_a_file_sealed_anew_in_the_same_way_is_whole(content, tmp_path):
    path = tmp_path / "results.h5"
    path.write_bytes(edited(content, lambda file: None, seal=True))
    assert open_sealed(path)[1]


def test_info_says_sealed_and_files_of_older_releases_are_opened_and_called_unsealed(content, tmp_path, capsys, caplog):
    path = tmp_path / "results.h5"
    path.write_bytes(content)
    assert main(["info", str(path)]) == 0 and "sealed: nothing was changed" in capsys.readouterr().out
    assert main(["info", str(OLD)]) == 0 and "unsealed: of an older release" in capsys.readouterr().out
    old = tb.open(OLD)
    assert "older release" in caplog.text
    assert arrays(dataclasses.replace(old))[1].shape == (10, 9, 3) and old.seed == 7
    # Its own seal, over texts, holds as before.
    path.write_bytes(edited(OLD.read_bytes(), lambda file: file.attrs.__setitem__("seed", 8)))
    with pytest.raises(tb.OutputError, match="seal is broken"):
        tb.open(path)


def chunk_index(content):
    """Places of all bytes in the nodes that say where the chunks of arrays lie."""
    nodes = [at for at in range(len(content)) if content.startswith(b"TREE\x01", at)]
    assert len(nodes) > 3
    return [at + k for at in nodes for k in range(24 + 48 * content[at + 6])]


def accepted_with_other_content(content, places, path):
    """Flipped bits that were taken for a result although it says something else; and how many were refused."""
    whole, wrong, refused = open_sealed(path)[0], [], 0
    for byte, bit in places:
        changed = bytearray(content)
        changed[byte] ^= 1 << bit
        path.write_bytes(changed)
        try:
            found = open_sealed(path)[0]
        except tb.OutputError:
            refused += 1
            continue
        same = all(np.array_equal(one, other) for one, other in zip(arrays(found), arrays(whole), strict=True))
        wrong += [] if same and texts(found) == texts(whole) else [(byte, bit)]
    return wrong, refused


@pytest.mark.parametrize("count", [60, pytest.param(3456, marks=pytest.mark.slow)])
def test_no_flipped_bit_of_a_chunk_index_gives_other_numbers(count, content, tmp_path):
    path, rng = tmp_path / "results.h5", np.random.default_rng(22)
    path.write_bytes(content)
    bits = [(byte, bit) for byte in chunk_index(content) for bit in range(8)]
    chosen = [bits[k] for k in rng.choice(len(bits), count, replace=count > len(bits))]
    wrong, refused = accepted_with_other_content(content, chosen, path)
    assert not wrong and refused > count // 2


@pytest.mark.parametrize("count", [40, pytest.param(500, marks=pytest.mark.slow)])
def test_no_flipped_bit_of_the_data_gives_other_numbers(count, content, tmp_path):
    path, rng = tmp_path / "results.h5", np.random.default_rng(23)
    path.write_bytes(content)
    spans = []
    with h5py.File(path) as file:
        for name in ("time", *(f"worms/0/{each}" for each in ("midline", "dorsal", "voltage", "muscle_activation"))):
            found = file[name].id.get_chunk_info(0)
            spans += range(found.byte_offset, found.byte_offset + found.size)
    chosen = [(spans[k], int(rng.integers(8))) for k in rng.integers(0, len(spans), count)]
    wrong, refused = accepted_with_other_content(content, chosen, path)
    assert not wrong and refused == count


def replaced(name, **options):
    def change(file):
        del file[name]
        file.create_dataset(name, **options)

    return change


def linked(name, link):
    def change(file):
        del file[name]
        file[name] = link(file)

    return change


def virtual(file):
    del file["time"]
    layout = h5py.VirtualLayout((20,), float)
    layout[:] = h5py.VirtualSource("elsewhere.h5", "time", (20,))
    file.create_virtual_dataset("time", layout)


def committed(file):
    file["kind"] = np.dtype(float)
    replaced("time", data=np.arange(20.0), dtype=file["kind"])(file)


BY_REFERENCE = h5py.special_dtype(ref=h5py.Reference)
HOSTILE = {
    "external link": (linked("worms/0/neurons", lambda _: h5py.ExternalLink("/etc/passwd", "/")), "link"),
    "soft link": (linked("worms/0/neurons", lambda _: h5py.SoftLink("/worms/0/muscles")), "link"),
    "hard link": (linked("worms/0/neurons", lambda file: file["worms/0/muscles"]), "another name"),
    "circle": (lambda file: file["worms/0"].__setitem__("worms", file["worms"]), "another name"),
    "external storage": (
        replaced("time", shape=(20,), dtype=float, external=[("/etc/passwd", 0, 160)]), "another file"),
    "virtual": (virtual, "another file"),
    "reference": (replaced("time", shape=(20,), dtype=BY_REFERENCE), "neither numbers nor text"),
    "committed type": (committed, "type of its own"),
    "filter": (replaced("time", shape=(20,), dtype=float, chunks=(20,), compression="lzf"), "packed"),
    "compound": (replaced("time", shape=(20,), dtype=[("a", float)]), "neither numbers nor text"),
    "lists of any length": (replaced("time", shape=(20,), dtype=h5py.vlen_dtype(float)), "neither numbers nor text"),
    "list as attribute": (lambda file: file.attrs.__setitem__("seed", [1, 2]), "not one value"),
    "no extent": (replaced("time", data=h5py.Empty(float)), "holds nothing"),
    "shape of a terabyte": (replaced("worms/0/midline", shape=(2**37, 3), dtype=float, chunks=(1024, 3)), "unpack"),
    "shape of an exabyte": (replaced("worms/0/midline", shape=(2**57, 3), dtype=float, chunks=(1024, 3)), "unpack"),
    "endless names": (replaced("worms/0/neurons", shape=(2,), dtype="S1000000000", chunks=(1,)), "unpack"),
    "many names": (replaced("worms/0/neurons", shape=(10**9,), dtype=h5py.string_dtype(), chunks=(1024,)), "unpack"),
    "a bomb": (replaced("worms/0/midline", data=np.zeros((2**24, 3)), compression="gzip", shuffle=True), "unpack"),
}  # fmt: skip


@pytest.mark.parametrize("name", [
    pytest.param(each, marks=pytest.mark.slow if each == "a bomb" else ()) for each in HOSTILE])  # fmt: skip
def test_what_points_out_of_a_file_or_asks_for_the_moon_is_refused(name, content, tmp_path, capsys):
    how, word = HOSTILE[name]
    path = tmp_path / "results.h5"
    path.write_bytes(edited(content, how))
    assert main(["info", str(path)]) == 2
    said = capsys.readouterr().err
    assert word in said and "do not trust" in said and said.count("\n") == 1


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the bound of memory needs Linux")
def test_a_text_that_lies_about_its_length_does_not_take_the_memory(content, tmp_path):
    """The length of a text stands beside its place in the file, and HDF5 makes room before it looks there."""
    path, length = tmp_path / "results.h5", len(recording(duration=400.0).config_toml)
    at = content.index(length.to_bytes(4, "little"), content.index(b"config\0"))
    path.write_bytes(marked(content[:at] + (0x70000000).to_bytes(4, "little") + content[at + 4 :]))
    code = (
        "import re, sys, tianbao as tb\n"
        "try: tb.open(sys.argv[1])\n"
        "except tb.OutputError as error:\n"
        # The peak of this process since it began; getrusage would include that of the process that started it.
        "    print(re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1], error)"
    )
    command = [sys.executable, "-c", code, str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert int(said.split()[0]) < 600_000 and "results.h5" in said


def test_a_file_on_which_the_library_hangs_or_dies_ends_neither_this_process_nor_patience(tmp_path, monkeypatch):
    """An object of a heap of texts that takes no room is one that HDF5 walks for ever."""
    path, old = tmp_path / "results.h5", OLD.read_bytes()
    at = old.index(b"GCOL") + 16
    path.write_bytes(old[:at] + bytes(16) + old[at + 16 :])
    monkeypatch.setattr(apart, "_PATIENCE_S", 3.0)
    with pytest.raises(tb.OutputError, match="does not come to an end"):
        tb.open(path)
    monkeypatch.setattr(apart, "_TRY", "import os; os.abort()")
    with pytest.raises(tb.OutputError, match="breaks on it"):
        tb.open(OLD)


def test_a_file_that_another_program_packed_anew_is_as_sealed_as_before(content, tmp_path):
    path = tmp_path / "results.h5"
    path.write_bytes(edited(content, lambda file: None, mark=False))
    assert open_sealed(path)[1]
    path.write_bytes(edited(content, EDITS["midline doubled"], mark=False))
    with pytest.raises(tb.OutputError, match="seal is broken"):
        tb.open(path)


def test_a_worm_that_never_moves_is_read_again_however_well_it_packs(tmp_path, run, monkeypatch):
    monkeypatch.setattr("tianbao.io.limits._SMALL", 50_000)
    track = run.track()
    still = {name: np.repeat(getattr(track, name)[:1], 2000, axis=0) for name in ("midline", "dorsal", "voltage")}
    activation, time = np.zeros((2000, len(track.muscles))), np.arange(2000.0)
    track = dataclasses.replace(track, muscle_activation=activation, voltage_time=time, **still)
    path = dataclasses.replace(run, time=time, worms=(track,)).save(tmp_path / "results.h5")
    assert np.array_equal(tb.open(path).track().midline, track.midline)


HOLD = "import h5py, sys; file = h5py.File(sys.argv[1], 'r+'); print('held', flush=True); sys.stdin.read()"


def test_a_file_that_another_program_has_open_is_locked_and_not_damaged(run, tmp_path, capsys):
    path = run.save(tmp_path / "results.h5")
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        assert main(["info", str(path)]) == 2
        said = capsys.readouterr().err
        assert "locked" in said and "HDF5_USE_FILE_LOCKING=FALSE" in said and "damaged" not in said
        # HDF5 looks at its variable once in a process.
        told = {**os.environ, "HDF5_USE_FILE_LOCKING": "FALSE"}
        command = [sys.executable, "-m", "tianbao.cli", "info", str(path)]
        assert "sealed: nothing" in subprocess.run(command, env=told, capture_output=True, text=True, check=True).stdout
        # A new run replaces it as a whole: what the other program holds is the file before.
        run.save(path)
        assert tb.open(path).seed == run.seed
        other.stdin.close()
    assert np.array_equal(tb.open(path).track().midline, run.track().midline)


def test_a_checkpoint_that_another_program_holds_is_locked_and_not_damaged(tmp_path):
    import fcntl

    path = tmp_path / "checkpoint.tianbao"
    path.write_bytes(b"tianbao")
    with open(path, "rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(tb.OutputError, match="locked by another program"):
            tb.Checkpoints(path).read()


@pytest.mark.parametrize(("number", "word"), [(37, "no locks"), (95, "no locks"), (11, "locked by another program")])
def test_a_file_system_without_locks_is_named(number, word, run, tmp_path, monkeypatch):
    path = run.save(tmp_path / "results.h5")

    def refuse(*_, **__):
        raise OSError(number, f"Unable to synchronously open file (unable to lock file, errno = {number})")

    monkeypatch.setattr(h5py, "File", refuse)
    with pytest.raises(tb.OutputError, match=f"{word}.*HDF5_USE_FILE_LOCKING=FALSE"):
        tb.open(path)


@pytest.mark.parametrize("number", [16, 26, 11])
@pytest.mark.parametrize("act", ["read", "write"])
def test_a_busy_file_is_another_programs(act, number, run, tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.tianbao"
    path.write_bytes(b"tianbao")

    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(tb.OutputError, match="another program uses it.*close it there"):
        tb.Checkpoints(path).read() if act == "read" else run.save(tmp_path / "results.h5")


def test_a_folder_a_pipe_and_a_forbidden_file_are_told_apart(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    for read in (tb.open, lambda path: tb.Checkpoints(path).read()):
        for name, word in ((".", "is a folder"), ("pipe", "a pipe"), ("absent", "there is no")):
            with pytest.raises(tb.OutputError, match=word):
                read(tmp_path / name)
    path = tmp_path / "mine"
    path.touch()
    monkeypatch.setattr("builtins.open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    with pytest.raises(tb.OutputError, match="permission denied.*chmod"):
        tb.open(path)


ODD = {
    "seed": [2**70, -1, True, 1.0, "1"],
    "complete": [1, "yes", None],
    "wall_s_per_bio_s": [-1.0, "fast", 1j, True],
    "config_toml": ["a\0b", "\ud800", b"seed = 1", None],
    "created": ["\x1b[2J", "a\nb", "\ud800", 5],
    "versions": [{"neuron": "\x07"}, {"a\0": "1"}],
    "anatomy": [{"connectome": 5}, []],
    "time": [np.full(20, np.nan), np.arange(20.0) * 1e300, np.arange(20.0) + 0j, np.arange(20.0)[::-1]],
}


@pytest.mark.parametrize(("name", "value"), [(name, each) for name, values in ODD.items() for each in values])
def test_what_no_run_says_about_itself_is_not_written(name, value, run, tmp_path):
    with pytest.raises(tb.OutputError, match=r"results\.h5"):
        dataclasses.replace(run, **{name: value}).save(tmp_path / "results.h5")
    assert not list(tmp_path.iterdir())


ODD_TRACKS = {
    "voltage": [lambda a: a + 1j, lambda a: a * np.nan, lambda a: a + 1e300, lambda a: a.astype(str)],
    "dorsal": [lambda a: a * np.nan, lambda a: a * 1e9],
    "midline": [lambda a: a * 1e300, lambda a: a * 0.0, lambda a: a > 0.0],
    "neurons": [lambda a: ("\x1b[2J", a[1]), lambda a: ("\ud800", a[1]), lambda a: ("a\0", a[1]), lambda a: (1, 2)],
}


@pytest.mark.parametrize(("name", "how"), [(name, each) for name, all_of in ODD_TRACKS.items() for each in all_of])
def test_what_no_worm_does_is_not_written(name, how, run, tmp_path):
    track = run.track()
    odd = dataclasses.replace(track, **{name: how(getattr(track, name))})
    with pytest.raises(tb.OutputError, match=r"results\.h5, worm 0"):
        dataclasses.replace(run, worms=(odd,)).save(tmp_path / "results.h5")


def test_texts_of_a_file_reach_no_terminal_as_commands(run, tmp_path, capsys):
    odd = dataclasses.replace(run, config_toml='# \x1b[2J\nseed = 7\n', anatomy={"a\x1bb": "\x1b]0;title\x07"})
    path = odd.save(tmp_path / "results.h5")
    for options in ([], ["--config"]):
        assert main(["info", str(path), *options]) == 0
        said = capsys.readouterr().out
        assert "\\x1b" in said and said.replace("\n", "").isprintable()


NAMES = ("$\\frac{1}{2$", "_{^", "=1+1", "@sum", "-2", "+3", "$x$")


def test_names_are_neither_formulas_of_a_picture_nor_of_a_spreadsheet(run, tmp_path):
    import pandas as pd

    track = run.track()
    voltage = np.tile(track.voltage[:, :1], (1, len(NAMES)))
    named = dataclasses.replace(run, worms=(dataclasses.replace(track, neurons=NAMES, voltage=voltage),))
    figure = named.plot.traces(neurons=["$x$", "_{^"])
    shown = [each.get_ylabel() for each in figure.axes]
    assert [each.replace("\\$", "$").strip() for each in shown] == ["$x$", "_{^"]
    named.plot.traces(tmp_path / "traces.png")
    named.plot.raster(tmp_path / "raster.png")
    assert main(["export", "csv", str(named.save(tmp_path / "results.h5")), "--out", str(tmp_path / "csv")]) == 0
    written = set(pd.read_csv(tmp_path / "csv" / "voltages.csv").neuron)
    assert written == {f"'{name}" if name[0] in "=+-@" else name for name in NAMES}


def test_a_run_is_printed_in_three_lines(run):
    assert str(run).count("\n") == 2 and "400" not in str(run).splitlines()[1]
    assert "0.4 s in 20 frames" in str(run) and "too short" in str(run) and "seed 7" in str(run)
    animal = dataclasses.replace(recording(duration=10_000.0), mechanism_hash="")
    assert "track of an animal" in str(animal) and "seed" not in str(animal) and "mm/s" in str(animal)


def test_info_of_a_track_leaves_out_what_it_does_not_have(run, tmp_path, capsys):
    track = dataclasses.replace(run.track(), muscles=(), muscle_activation=np.zeros((20, 0)), neurons=(),
                                voltage=np.zeros((20, 0)))  # fmt: skip
    animal = dataclasses.replace(run, worms=(track,), mechanism_hash="", git_revision="", wall_s_per_bio_s=np.nan)
    assert main(["info", str(animal.save(tmp_path / "results.h5"))]) == 0
    said = capsys.readouterr().out
    assert "track " in said and not any(
        word in said for word in ("seed", "muscles", "neurons", "nan", "mechanisms", "revision", "interventions"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_plot_of_nothing_fails_with_a_sentence(kind, run, tmp_path, capsys):
    track = run.track()
    parts = ("midline", "dorsal", "muscle_activation", "voltage", "voltage_time")
    short = {name: getattr(track, name)[:1] for name in parts}
    nothing = {"muscles": (), "muscle_activation": np.zeros((20, 0)), "neurons": (), "voltage": np.zeros((20, 0))}
    cases = [dataclasses.replace(run, time=run.time[:1], worms=(dataclasses.replace(track, **short),))]
    if kind in ("traces", "raster", "activity", "muscles", "sensed"):
        cases.append(dataclasses.replace(run, worms=(dataclasses.replace(track, **nothing),)))
    for number, each in enumerate(cases):
        path = each.save(tmp_path / str(number) / "results.h5")
        assert main(["plot", str(path), kind]) == 2
        said = capsys.readouterr().err
        assert f"no picture of the kind {kind}: " in said and said.count("\n") == 1
        assert [each.name for each in path.parent.iterdir()] == ["results.h5"]
