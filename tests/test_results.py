"""A recording survives the disk, and files that cannot be written or read say so."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import resource
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from synthetic import recording

import tianbao as tb
from tianbao.io.files import prepare_folder, write_atomically
from tianbao.io.results import write_summary
from tianbao.progress import Progress

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def run():
    return recording(duration=10_000.0)


@pytest.fixture
def saved(run, tmp_path):
    return run.save(tmp_path / "results.h5")


def test_what_is_opened_is_what_was_saved(run, saved):
    opened = tb.open(saved)
    for field in dataclasses.fields(run):
        if field.name not in ("time", "worms"):
            assert getattr(opened, field.name) == getattr(run, field.name), field.name
    before, after = run.track(), opened.track()
    assert np.array_equal(opened.time, run.time)
    assert np.array_equal(after.midline, before.midline)
    assert np.array_equal(after.muscle_activation, before.muscle_activation)
    assert np.abs(after.voltage - before.voltage).max() < 1e-5
    assert (after.muscles, after.neurons) == (before.muscles, before.neurons)
    assert opened.gait() == run.gait()


def test_the_file_has_the_published_layout(run, saved):
    frames = len(run.time)
    with h5py.File(saved) as file:
        worm = file["worms/0"]
        shapes = {name: worm[name].shape for name in worm}
        assert shapes == {
            "midline": (frames, 49, 3), "muscle_activation": (frames, 95), "muscles": (95,),
            "voltage": (frames, 11), "voltage_time": (frames,), "neurons": (11,),
        }  # fmt: skip
        assert file["time"].attrs["unit"] == "ms" and worm["midline"].attrs["unit"] == "mm"
        for package in ("tianbao", "neuron", "netpyne", "taichi", "numpy"):
            assert file.attrs[f"{package}_version"]
        for name in ("config", "mechanism_hash", "git_revision", "seed", "created", "complete"):
            assert name in file.attrs


def test_the_same_recording_is_written_with_the_same_bytes(run, saved, tmp_path):
    assert run.save(tmp_path / "again.h5").read_bytes() == saved.read_bytes()


def test_a_run_that_ended_early_is_readable_and_says_so(run, tmp_path):
    for kept in (3, 1, 0):
        track = run.track()
        short = dataclasses.replace(
            run,
            time=run.time[:kept],
            complete=False,
            worms=(
                dataclasses.replace(
                    track,
                    midline=track.midline[:kept],
                    muscle_activation=track.muscle_activation[:kept],
                    voltage=track.voltage[:kept],
                    voltage_time=track.voltage_time[:kept],
                ),
            ),
        )
        opened = tb.open(short.save(tmp_path / f"{kept}.h5"))
        assert not opened.complete and len(opened.time) == kept
        assert json.loads(write_summary(opened, tmp_path / "s.json").read_text())["forward_speed_mm_s"] is None


def test_a_recording_without_voltages_is_kept(tmp_path):
    opened = tb.open(recording(neurons=(), duration=2000.0).save(tmp_path / "silent.h5"))
    assert opened.track().neurons == () and opened.track().voltage.shape == (100, 0)


def test_summary_holds_gait_ranges_and_provenance(run, tmp_path):
    summary = json.loads(write_summary(run, tmp_path / "summary.json").read_text())
    gait = run.gait()
    for name in (
        "forward_speed_mm_s", "frequency_hz", "wavelength_body_lengths", "wave_direction",
        "peak_share", "amplitude", "straightness",
    ):  # fmt: skip
        assert summary[name] == pytest.approx(getattr(gait, name))
    assert summary["wall_s_per_bio_s"] == 8.3 and summary["complete"] and summary["crawled"]
    assert {row["metric"] for row in summary["published"]} >= {"forward_speed_mm_s", "frequency_hz"}
    assert all(row["source"] for row in summary["published"])


def test_missing_damaged_and_foreign_files_are_refused_with_a_sentence(saved, tmp_path):
    damaged, foreign, other = tmp_path / "damaged.h5", tmp_path / "foreign.h5", tmp_path / "notes.txt"
    damaged.write_bytes(saved.read_bytes()[:5000])
    other.write_text("not HDF5")
    with h5py.File(foreign, "w") as file:
        file["time"] = [1.0]
    for path in (damaged, foreign, other, tmp_path / "absent.h5", tmp_path):
        with pytest.raises(tb.OutputError, match=path.name):
            tb.open(path)


def test_a_place_that_cannot_be_written_is_named(run, tmp_path):
    blocker = tmp_path / "file"
    blocker.touch()
    for write in (run.save, run.plot.curvature, run.video, lambda path: write_summary(run, path)):
        with pytest.raises(tb.OutputError, match="file/x.*a file stands where a folder"):
            write(blocker / "x.gif")
    with pytest.raises(tb.OutputError, match="cannot write"):
        prepare_folder(blocker / "x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_found_before_the_run(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(tb.OutputError, match="Permission denied"):
        prepare_folder(tmp_path)
    tmp_path.chmod(0o700)


def test_a_read_only_file_system_is_named(monkeypatch, tmp_path):
    def refuse(self):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(tb.OutputError, match="Read-only file system"):
        prepare_folder(tmp_path)


def _limit_file_size():
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_a_full_disk_keeps_the_old_file_and_leaves_no_litter(run, tmp_path):
    saved = recording(duration=400.0).save(tmp_path / "results.h5")
    before = saved.read_bytes()
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import tianbao as tb, synthetic\n"
        "try: synthetic.recording(duration=10_000.0).save(sys.argv[2])\n"
        "except tb.OutputError as error: print(error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(HERE), str(saved)],
        capture_output=True, text=True, check=True, preexec_fn=_limit_file_size,
    )  # fmt: skip
    assert "free some disk space" in said.stdout
    assert saved.read_bytes() == before and os.listdir(tmp_path) == ["results.h5"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = write_atomically(tmp_path / "a", b"old")

    def interrupt(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["a"]


def test_frame_holds_one_row_per_frame(run):
    frame = run.frame()
    assert len(frame) == len(run.time) and frame.index.name == "time_ms"
    assert frame.forward_speed_mm_s.mean() == pytest.approx(0.2, rel=0.02)
    # Opposite sides take turns.
    assert np.corrcoef(run.track().muscle_activation[:, [10, 58]].T)[0, 1] < -0.9


def test_an_unknown_worm_is_refused(run):
    with pytest.raises(tb.ConfigError, match="no worm 1"):
        run.gait(1)


def test_progress_is_one_line_at_each_end_when_nobody_watches(caplog, capsys):
    with caplog.at_level(logging.INFO), Progress(1000.0, "worm") as progress:
        for _ in range(10):
            progress.advance(100.0)
    assert [record.getMessage()[:5] for record in caplog.records] == ["worm:", "worm:"]
    assert "1.0 of 1.0 s" in caplog.records[-1].getMessage()
    assert capsys.readouterr() == ("", "")


def test_progress_can_be_silent(caplog):
    with caplog.at_level(logging.INFO), Progress(1000.0, "worm", enabled=False) as progress:
        progress.advance(1000.0)
    assert not caplog.records


def test_progress_bar_shows_time_left_and_the_real_time_ratio(monkeypatch):
    import io

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("tianbao.progress._DELAY_S", 0.0)
    monkeypatch.setattr("tianbao.progress._REFRESH_S", 0.0)
    with Progress(4000.0, "worm") as progress:
        for _ in range(40):
            progress.advance(100.0)
    assert "real time" in terminal.getvalue() and "left" in terminal.getvalue()
