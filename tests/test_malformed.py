"""Whatever cannot be done on the command line: one sentence, exit code 2, no file touched, nothing computed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys

import h5py
import malformed_cases as cases
import numpy as np
import pytest
from synthetic import recording

from tianbao.cli import main
from tianbao.config import RunConfig
from tianbao.io.apart import marked
from tianbao.io.results import write_summary
from tianbao.loop import Loop
from tianbao.loop.state import RunState

LONGEST = 700  # characters of an answer


class Accepted(BaseException):
    """The network would have been built: nothing was found wrong."""


def kept_files(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Folder of a made-up run, with a checkpoint that is none of this release."""
    folder = tmp_path_factory.mktemp("run")
    run = recording(duration=4000.0)
    run.save(folder / "results.h5")
    write_summary(run, folder / "summary.json")
    (folder / "config.toml").write_text(RunConfig().to_toml())
    (folder / "checkpoint.tianbao").write_bytes(b"tianbao checkpoint 0\n")
    return folder


@pytest.fixture
def refused(result, capsys, monkeypatch):
    """A function that runs a command and makes sure that it is refused in one sentence with a word in it."""

    def accept(*_):
        raise Accepted

    monkeypatch.setattr(Loop, "reset", accept)
    before = kept_files(result)

    def check(arguments, word):
        try:
            code = main([str(each) for each in arguments])
        except SystemExit as stop:  # argparse
            code = stop.code
        said = capsys.readouterr().err
        assert code == 2, said
        usage, _, sentence = said.rpartition("usage: ")
        assert not usage and (said.count("\n") == 1 or "error: " in sentence), said
        assert word.lower() in said.lower(), said
        assert (len(said) < LONGEST or "error: argument" in said) and said.replace("\n", "").isprintable(), said
        assert kept_files(result) == before

    return check


def named(pairs, default=1):
    """Cases by their first 40 characters; one of so many is not slow."""
    return [
        pytest.param(*pair, id=f"{pair[0]!r:.40}", marks=pytest.mark.slow if k % default or pair in SLOW else ())
        for k, pair in enumerate(pairs)
    ]


# Refused only after seconds of work.
SLOW = [("export netpyne --out TMP/file", "TMP/file")]


@pytest.mark.parametrize(("setting", "word"), [*named(cases.SETTINGS, 2), *named(cases.wrong_settings(), 6)])
def test_a_setting_that_cannot_be_is_refused(setting, word, refused, result):
    refused(["run", "--no-video", "--out", result, "--set", setting], word)


@pytest.mark.parametrize(("what", "word"), named(cases.DONE, 2))
def test_an_intervention_that_cannot_be_is_refused(what, word, refused, result):
    refused(["run", "--no-video", "--out", result, "--do", what], word)


@pytest.mark.parametrize("name", [*cases.DOCUMENTS, *cases.BYTES])
def test_a_configuration_that_cannot_be_is_refused(name, refused, result, tmp_path):
    path = tmp_path / "case.toml"
    path.write_bytes(cases.BYTES[name] if name in cases.BYTES else cases.DOCUMENTS[name].encode())
    refused(["run", path, "--no-video", "--out", result], "")


@pytest.mark.parametrize(("arguments", "word"), named(cases.COMMANDS))
def test_a_command_that_cannot_be_is_refused(arguments, word, refused, result, tmp_path):
    (tmp_path / "file").write_text("a file")
    places = {"RUN": str(result), "TMP": str(tmp_path)}
    words = arguments.split(" ") if isinstance(arguments, str) else arguments
    for name, place in places.items():
        word = word.replace(name, place)
        words = [each.replace(name, place) for each in words]
    refused(words, word)


@pytest.mark.parametrize("name", cases.TABLES)
def test_a_wiring_that_cannot_be_is_refused(name, refused, tmp_path):
    path = tmp_path / "mine.csv"
    text = cases.TABLES[name]
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(["check", path], "mine.csv")


@pytest.mark.parametrize("name", cases.CELLS)
def test_a_cell_that_cannot_be_is_refused(name, refused, tmp_path):
    path = tmp_path / "AVAL.swc"
    text = cases.CELLS[name]
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(["check", path], "AVAL.swc")


@pytest.mark.parametrize("name", cases.TRACKS)
def test_a_track_that_cannot_be_is_refused(name, refused, tmp_path):
    path = tmp_path / "animal.wcon"
    track = cases.TRACKS[name]
    path.write_bytes(track if isinstance(track, bytes) else json.dumps(track).encode())
    refused(["import-track", path, "--out", tmp_path / "results.h5"], "animal.wcon")
    assert not (tmp_path / "results.h5").exists()


@pytest.mark.parametrize("name", cases.SWEEPS)
def test_a_sweep_that_cannot_be_is_refused(name, refused, tmp_path):
    path = tmp_path / "case.toml"
    path.write_text(cases.SWEEPS[name])
    refused(["sweep", path, "--dry-run", "--out", tmp_path / "sweep"], "")
    assert not (tmp_path / "sweep").exists()


def spoiled(how, content):
    """A results file with something wrong in it, as bytes."""
    import io

    memory = io.BytesIO(content)
    with h5py.File(memory, "r+") as file:
        how(file)
    return marked(memory.getvalue())


def replace(name, values):
    def change(file):
        del file[name]
        file[name] = values

    return change


RESULTS = {
    "no format": lambda file: file.attrs.__delitem__("format"),
    "another release": lambda file: file.attrs.__setitem__("format", "tianbao results 9"),
    "format a number": lambda file: file.attrs.__setitem__("format", 1),
    "no configuration": lambda file: file.attrs.__delitem__("config"),
    "configuration changed": lambda file: file.attrs.__setitem__("config", "seed = 2"),
    "seed changed": lambda file: file.attrs.__setitem__("seed", 8),
    "seed a text": lambda file: file.attrs.__setitem__("seed", "eight"),
    "no time": lambda file: file.__delitem__("time"),
    "time too short": replace("time", np.arange(3.0)),
    "time backwards": replace("time", -np.arange(200.0)),
    "time not a number": replace("time", np.full(200, np.nan)),
    "time of texts": replace("time", ["a"] * 200),
    "time a table": replace("time", np.zeros((200, 2))),
    "no worms": lambda file: file.__delitem__("worms"),
    "no worm": lambda file: file.__delitem__("worms/0"),
    "worm a number": replace("worms", 5),
    "worms misnumbered": lambda file: file.move("worms/0", "worms/1"),
    "no midline": lambda file: file.__delitem__("worms/0/midline"),
    "flat midline": replace("worms/0/midline", np.zeros((200, 49, 2))),
    "short midline": replace("worms/0/midline", np.zeros((20, 49, 3))),
    "midline of one point": replace("worms/0/midline", np.zeros((200, 1, 3))),
    "midline of holes": replace("worms/0/midline", np.full((200, 49, 3), np.nan)),
    "midline of texts": replace("worms/0/midline", ["a"] * 200),
    "midline a group": lambda file: (file.__delitem__("worms/0/midline"), file.create_group("worms/0/midline")),
    "muscles fewer": replace("worms/0/muscles", ["MDL01"]),
    "muscles numbers": replace("worms/0/muscles", [1, 2]),
    "a neuron renamed": replace("worms/0/neurons", ["AVAL"] * 11),
    "voltage too wide": replace("worms/0/voltage", np.zeros((200, 12))),
    "voltage of texts": replace("worms/0/voltage", ["a"] * 200),
    "dorsal of another size": lambda file: file.create_dataset("worms/0/dorsal", data=np.zeros((200, 3))),
}  # fmt: skip


@pytest.mark.parametrize("name", RESULTS)
def test_a_results_file_that_was_changed_is_refused(name, refused, result, tmp_path):
    path = tmp_path / "results.h5"
    path.write_bytes(spoiled(RESULTS[name], (result / "results.h5").read_bytes()))
    refused(["info", path], "results.h5")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("command", ["info", "report", "export csv", "resume"])
def test_a_file_that_was_cut_off_is_refused(share, command, refused, result, tmp_path):
    for name in ("results.h5", "checkpoint.tianbao"):
        content = (result / name).read_bytes()
        (tmp_path / name).write_bytes(content[: int(share * len(content))])
    refused([*command.split(), tmp_path], "checkpoint" if command == "resume" else "results.h5")


def test_a_flipped_byte_of_a_results_file_is_refused_or_changes_nothing(result, tmp_path):
    import tianbao as tb

    content, rng = (result / "results.h5").read_bytes(), np.random.default_rng(1)
    whole, path, caught = tb.open(result / "results.h5"), tmp_path / "results.h5", 0
    for place in rng.integers(0, len(content), 120):
        changed = bytearray(content)
        changed[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        try:
            found = tb.open(path)
        except tb.OutputError:
            caught += 1
            continue
        assert found.config_toml == whole.config_toml and found.seed == whole.seed
        assert found.worms[0].neurons == whole.worms[0].neurons
        for name in ("midline", "muscle_activation", "voltage", "voltage_time"):
            assert np.array_equal(getattr(found.worms[0], name), getattr(whole.worms[0], name)), (place, name)
    assert caught > 60


FORGED = {
    "facts no object": {"facts": []}, "facts empty": {}, "ticks a text": {"ticks": "5"},
    "ticks negative": {"ticks": -5}, "configuration a number": {"config": 5},
    "configuration no TOML": {"config": "= 5"}, "configuration unknown": {"config": "sede = 5"},
    "versions a list": {"versions": []}, "of another neuron": {"versions": {"neuron": "1.0"}},
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_checkpoint_is_refused(name, refused, tmp_path):
    facts = {"config": RunConfig().to_toml(), "versions": {}, "mechanisms": "", "anatomy": {}, "ticks": 5,
             "planned": 10, "wall_s": 1.0, "generators": [{}]}  # fmt: skip
    change = FORGED[name]
    state = RunState(change.get("facts", {**facts, **change} if change else {}), {})
    (tmp_path / "checkpoint.tianbao").write_bytes(state.to_bytes())
    refused(["resume", tmp_path], "")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.tianbao"]


def test_ten_million_pillars_and_a_megabyte_of_comments_are_refused(refused, result, tmp_path):
    path = tmp_path / "huge.toml"
    path.write_text("[arena]\npillars = [" + "[0.5, 0.5, 0.01]," * 10**7 + "]\n")
    refused(["run", path, "--out", result], "huge.toml")
    path.write_text("# much to say\n" * 100_000)
    refused(["run", path, "--out", result], "huge.toml")


def test_a_folder_that_another_run_writes_into_is_refused(result, refused):
    from tianbao.io.files import claimed

    with claimed(result):
        refused(["run", "--no-video", "--out", result, "--duration", "60"], "another run")


def test_going_on_to_a_time_that_is_past_changes_nothing(refused, tmp_path):
    from tianbao.experiment import simulation
    from tianbao.loop import provenance

    made = simulation(RunConfig(), progress=False)
    facts = {"config": made.configuration(10_000.0).to_toml(), "versions": provenance.versions(), "ticks": 500,
             "mechanisms": provenance.mechanism_hash(), "anatomy": [made.worm.provenance], "planned": 2500,
             "wall_s": 1.0, "generators": [{}], "revision": provenance.git_revision(), "every": 1000.0}  # fmt: skip
    (tmp_path / "checkpoint.tianbao").write_bytes(RunState(facts, {}).to_bytes())
    (tmp_path / "config.toml").write_text(facts["config"])
    before = kept_files(tmp_path)
    refused(["resume", tmp_path, "--duration", "1000"], "beyond")
    assert kept_files(tmp_path) == before


def test_a_new_run_does_not_leave_the_checkpoint_of_an_older_one_to_go_on_from(refused, tmp_path):
    (tmp_path / "checkpoint.tianbao").write_bytes(b"of an older run")
    with pytest.raises(Accepted):
        main(["run", "--out", str(tmp_path), "--duration", "60", "--no-video"])
    assert list(tmp_path.iterdir()) == []


def test_results_that_find_no_room_are_kept_elsewhere(monkeypatch, tmp_path):
    import tianbao as tb
    from tianbao import experiment

    monkeypatch.setattr(experiment.tempfile, "tempdir", str(tmp_path))
    with pytest.raises(tb.OutputError, match="cannot write .*; the results are kept in "):
        experiment._write(recording(duration=400.0), RunConfig(), tmp_path / "absent\0" / "checkpoint", video=False)
    (kept,) = tmp_path.glob("tianbao_*/results.h5")
    assert len(tb.open(kept).time) == 20


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full disk")
def test_a_full_disk_under_the_printed_output_is_one_sentence():
    command = [sys.executable, "-m", "tianbao.cli", "neurons"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "No space left" in done.stderr


def test_there_are_three_hundred_malformed_inputs():
    tables = (cases.SETTINGS, cases.wrong_settings(), cases.DONE, cases.DOCUMENTS, cases.BYTES, cases.COMMANDS)
    assert sum(map(len, (*tables, cases.TABLES, cases.CELLS, cases.TRACKS, cases.SWEEPS, RESULTS, FORGED))) > 600


def test_a_full_disk_leaves_the_older_files_as_they_were(result, tmp_path):
    """A limit on the size of files stands for the disk."""
    folder = tmp_path / "run"
    shutil.copytree(result, folder)
    before = kept_files(folder)
    code = """if True:
        import resource, signal, sys
        import tianbao as tb
        run = tb.open(sys.argv[1] + "/results.h5")
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        for write, name in ((run.save, "results.h5"), (run.plot.curvature, "kymograph.png")):
            try:
                write(sys.argv[1] + "/" + name)
            except tb.OutputError as error:
                assert "cannot write" in str(error), error
            else:
                raise SystemExit(f"{name} was written")
    """
    run = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert kept_files(folder) == before


class TestFinishedRuns:
    """What is there already is replaced only if asked."""

    def test_a_finished_run_is_replaced_only_if_forced(self, result, refused, tmp_path, monkeypatch):
        refused(["run", "--out", result, "--duration", "60", "--no-video"], "--force")
        shutil.copytree(result, tmp_path / "run")
        with pytest.raises(Accepted):
            main(["run", "--out", str(tmp_path / "run"), "--force", "--duration", "60", "--no-video"])

    def test_without_a_folder_the_next_free_one_is_taken(self, result, refused, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        for name in ("run", "run_2"):
            shutil.copytree(result, tmp_path / "output" / name)
        before = kept_files(tmp_path / "output" / "run")
        with pytest.raises(Accepted):
            main(["run", "--duration", "60", "--no-video"])
        assert kept_files(tmp_path / "output" / "run") == before and (tmp_path / "output" / "run_3").is_dir()

    def test_a_run_that_stopped_early_is_replaced_as_before(self, refused, tmp_path):
        import dataclasses

        dataclasses.replace(recording(duration=4000.0), complete=False).save(tmp_path / "results.h5")
        with pytest.raises(Accepted):
            main(["run", "--out", str(tmp_path), "--duration", "60", "--no-video"])

    @pytest.mark.parametrize("command", ["export wcon RUN --out", "plot RUN track --out", "report RUN --out",
                                         "view RUN --screenshot", "sources AVAL --csv", "draw AVAL --out"])  # fmt: skip
    def test_a_file_that_was_named_is_replaced_only_if_forced(self, command, result, refused, tmp_path):
        there = tmp_path / "mine.png"
        there.write_text("mine")
        refused([*command.replace("RUN", str(result)).split(), there], "--force")
        assert there.read_text() == "mine"

    def test_a_file_that_was_named_is_replaced_if_forced(self, tmp_path):
        there = tmp_path / "mine.csv"
        there.write_text("mine")
        assert main(["sources", "AVAL", "--csv", str(there), "--force"]) == 0 and "capacitance" in there.read_text()
