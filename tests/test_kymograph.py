"""Kymographs of animals: what is written in a table or a track is what is measured, or one sentence says why not."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from synthetic import AMPLITUDE, FREQUENCY, SPEED, WAVELENGTH, crawling_worm, recording

import tianbao as tb
from tianbao.behaviour.shape import joint_positions
from tianbao.io.wcon import write_wcon
from tianbao.view.kymographs import plot_kymographs


def curvatures(count, joints=24, rate=32.0, length=WAVELENGTH):
    seconds = np.arange(count) / rate
    return AMPLITUDE * np.cos(2 * np.pi * (FREQUENCY * seconds[:, None] - joint_positions(joints) / length))


def table(path, bend, comment="# an animal\n", **columns):
    """Write curvatures with further columns in front."""
    lines = [",".join([*columns, *(f"j{k}" for k in range(bend.shape[1]))])]
    for k, row in enumerate(bend):
        lines.append(",".join([*(str(each[k]) for each in columns.values()), *(f"{each:.5f}" for each in row)]))
    path.write_text(comment + "\n".join(lines) + "\n")
    return path


def is_the_made_up_wave(gait, length=WAVELENGTH):
    assert gait.wave_frequency_hz == pytest.approx(FREQUENCY, rel=0.01)
    assert gait.wave_length == pytest.approx(length, rel=0.01)
    assert gait.travelling_r2 > 0.99 and gait.amplitude == pytest.approx(AMPLITUDE, rel=0.02)


@pytest.mark.parametrize("joints", [24, 48])
@pytest.mark.parametrize("clock", ["none", "frame", "time"])
def test_a_table_is_read_on_its_own_clock(clock, joints, tmp_path):
    bend = curvatures(320, joints)
    columns = {"frame": {"frame": range(100, 420)}, "time": {"time": [f"{k / 32:.3f}" for k in range(320)]}}
    kymograph = tb.read_kymograph(table(tmp_path / "worm.csv", bend, **columns.get(clock, {})))
    assert kymograph.name == "worm" and kymograph.curvature == pytest.approx(bend, abs=1e-4)
    assert np.diff(kymograph.time) == pytest.approx(1000 / 32, rel=1e-3)
    is_the_made_up_wave(kymograph.gait)
    assert math.isnan(kymograph.gait.forward_speed_mm_s) and math.isnan(kymograph.gait.slip)


def test_the_rate_sets_the_frequency(tmp_path):
    path = table(tmp_path / "worm.csv", curvatures(320))
    assert tb.read_kymograph(path, rate=64).gait.wave_frequency_hz == pytest.approx(2 * FREQUENCY, rel=0.01)


def test_an_episode_and_a_window_are_picked(tmp_path):
    both = np.concatenate([curvatures(320), curvatures(320, length=-0.9)])
    names = ["forward"] * 320 + ["reversal"] * 320
    path = table(tmp_path / "two.csv", both, episode=names, frame=[*range(320), *range(320)])
    is_the_made_up_wave(tb.read_kymograph(path, episode="forward").gait)
    back = tb.read_kymograph(path, episode="reversal", window=(2.0, 9.0))
    is_the_made_up_wave(back.gait, -0.9)
    assert back.time[0] == pytest.approx(2000.0) and back.time[-1] == pytest.approx(9000.0)
    with pytest.raises(tb.ConfigError, match="episodes forward, reversal; select one"):
        tb.read_kymograph(path)
    with pytest.raises(tb.ConfigError, match="did you mean 'reversal'"):
        tb.read_kymograph(path, episode="reversals")


def test_a_track_is_a_kymograph_with_a_speed(tmp_path):
    run = recording(duration=12_000.0)
    write_wcon(run, tmp_path / "worm.wcon")
    run.save(tmp_path / "results.h5")
    for path in (tmp_path / "worm.wcon", tmp_path / "results.h5", tmp_path):
        kymograph = tb.read_kymograph(path)
        is_the_made_up_wave(kymograph.gait)
        assert kymograph.gait.forward_speed_mm_s == pytest.approx(SPEED, rel=0.03)
        # Nothing is dropped from an animal's record.
        assert kymograph.gait.measured_ms == pytest.approx(run.time[-1] - run.time[0])
    cut = tb.read_kymograph(tmp_path / "worm.wcon", window=(1, 5))
    assert cut.gait.measured_ms == pytest.approx(4000.0) and len(cut.curvature) == 201


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty"),
        ("# only\n# comments\n", "is empty"),
        ("time,x,y\n0,1,2\n", "0 columns of curvature"),
        ("j0,j1,j2,j3,j5\n1,2,3,4,5\n1,2,3,4,5\n", "j4 is missing"),
        ("j0,j1,j2,j3,j4,j4\n1,2,3,4,5,5\n", "must be j0 to j5; j5 is missing"),
        ("episod,j0,j1,j2,j3,j4\na,1,2,3,4,5\n", "did you mean 'episode'"),
        ("frame,frame,j0,j1,j2,j3,j4\n0,0,1,2,3,4,5\n", "occurs twice"),
        ("# one\nj0,j1,j2,j3,j4\n1,2,3,4,5\n\n1,2,3,4\n", "line 5: 4 values under 5 columns"),
        ("j0,j1,j2,j3,j4\n1,2,3,4,5\n1,2,x,4,5\n", "line 3: 'x' under j2 is not a number"),
        ("j0,j1,j2,j3,j4\n1,2,3,4,5\n1,2,nan,4,5\n", "line 3: 'nan' under j2"),
        ("j0,j1,j2,j3,j4\n1,2,3,4,5\n1,2,,4,5\n", "line 3: '' under j2"),
        ("j0,j1,j2,j3,j4\n1,2,3,4,5\n1,2,5000,4,5\n", "line 3: a curvature above 1000"),
        ("j0,j1,j2,j3,j4\n1,2,3,4,5\n", "1 rows of curvature"),
        ("j0,j1,j2,j3,j4\n", "0 rows of curvature"),
        ("frame,j0,j1,j2,j3,j4\n0,1,2,3,4,5\n1,1,2,3,4,5\n2,1,2,3,4,5\n4,1,2,3,4,5\n", "frame is not evenly spaced"),
        ("time,j0,j1,j2,j3,j4\n0,1,2,3,4,5\n0,1,2,3,4,5\n", "line 3: time is not evenly spaced"),
        ("frame,j0,j1,j2,j3,j4\n2,1,2,3,4,5\n1,1,2,3,4,5\n", "line 3: frame is not evenly spaced"),
        ("episode,j0,j1,j2,j3,j4\n", "0 rows of curvature"),
        (b"\xff\xfe\x00j0", "neither a track nor a text table"),
        (b"j0,j1,j2,j3,j4\n1,2,3,4,\0\n1,2,3,4,5\n", "line 2"),
    ],
)
def test_a_malformed_table_is_refused_in_one_sentence(content, sentence, tmp_path):
    path = tmp_path / "worm.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(tb.OutputError, match=sentence) as refused:
        tb.read_kymograph(path)
    assert "worm.csv" in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"rate": 0}, "positive number of frames"),
        ({"rate": math.nan}, "positive number of frames"),
        ({"rate": "32"}, "positive number of frames"),
        ({"window": (5, 1)}, "start and a later stop"),
        ({"window": 5}, "start and a later stop"),
        ({"window": ("a", 2)}, "start and a later stop"),
        ({"window": (100, 200)}, "covers 0 to"),
        ({"episode": "omega"}, "no column episode"),
    ],
)
def test_options_that_cannot_be_are_refused(options, sentence, tmp_path):
    path = table(tmp_path / "worm.csv", curvatures(64))
    with pytest.raises(tb.ConfigError, match=sentence):
        tb.read_kymograph(path, **options)


def test_what_is_no_file_is_refused(tmp_path):
    for path in (None, 5, "", "a\0b", tmp_path / "none.csv", tmp_path / "none.wcon", tmp_path, b"bytes", "x" * 5000):
        with pytest.raises(tb.errors.TianbaoError):
            tb.read_kymograph(path)


def test_of_several_worms_one_must_be_named(tmp_path):
    run = recording(duration=4000.0)
    back = dataclasses.replace(run.track(), midline=crawling_worm(duration=4000.0, direction=-1)[1])
    pair = dataclasses.replace(run, worms=(run.track(), back))
    pair.save(tmp_path / "results.h5")
    write_wcon(pair, tmp_path / "pair.wcon")
    for path in (tmp_path / "results.h5", tmp_path / "pair.wcon"):
        with pytest.raises(tb.ConfigError, match="contains 2 worms"):
            tb.read_kymograph(path)
        assert tb.read_kymograph(path, episode="1").gait.wave_length == pytest.approx(-WAVELENGTH, rel=0.01)
        with pytest.raises(tb.errors.TianbaoError):
            tb.read_kymograph(path, episode="7")


def test_kymographs_share_one_scale_of_colour_and_of_time(tmp_path):
    small = tb.Kymograph.of(recording(duration=8000.0), name="small")
    large = ("large", 5000.0 + np.arange(100) * 20.0, joint_positions(), 40.0 * np.sign(curvatures(100)))
    figure = plot_kymographs([small, large])
    assert isinstance(figure, Figure)
    images = [axes.images[0] for axes in figure.axes[:2]]
    assert images[0].get_clim() == images[1].get_clim() == (-40.0, 40.0)
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim() == (0.0, pytest.approx(7.98, abs=0.1))
    # Half a frame before the first: every row starts at its own beginning.
    assert images[1].get_extent()[0] == pytest.approx(-0.01)
    assert plot_kymographs([small], tmp_path / "one.png").stat().st_size > 5000


def test_what_is_no_kymograph_is_not_drawn():
    for rows in ([], [5], [("a", [0.0, 1.0], [0.5], np.zeros((2, 1)))], [("a", [0.0], [0.1, 0.2], np.zeros((2, 2)))]):
        with pytest.raises(tb.ConfigError, match="kymographs"):
            plot_kymographs(rows)
    empty = tb.Kymograph("short", np.zeros(0), joint_positions(), np.zeros((0, 24)), recording().gait())
    plot_kymographs([empty])


def test_a_straight_animal_is_a_kymograph_without_a_wave(tmp_path):
    kymograph = tb.read_kymograph(table(tmp_path / "worm.csv", np.zeros((100, 24))))
    assert math.isnan(kymograph.gait.travelling_r2) and kymograph.gait.frequency_hz == 0.0
    figure = plot_kymographs([kymograph])
    assert "no wave" in figure.axes[0].get_title(loc="left")
