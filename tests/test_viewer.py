"""The viewer draws the worm of the moment, names what is clicked, and refuses in one sentence."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest
from PIL import Image
from synthetic import recording

import tianbao as tb
from tianbao.anatomy import muscles
from tianbao.view import viewer
from tianbao.view.animal import Animal
from tianbao.view.nerves import nerves


@pytest.fixture(scope="module")
def run():
    return recording(duration=2000.0)


def test_all_muscles_lie_under_the_skin_in_their_rows(run):
    animal = Animal(run)
    straight = dataclasses.replace(run.track(), midline=np.zeros_like(run.track().midline))
    straight.midline[..., 0] = np.linspace(0.5, -0.5, 49)
    posture = Animal(dataclasses.replace(run, worms=(straight,))).posture(0)
    points, normals = animal.muscle.placed(posture)
    table = muscles()
    for k, row in enumerate(table.itertuples()):
        mine = points[animal.muscle.owner == k]
        assert row.s_start < (0.5 - mine[:, 0]).min() and (0.5 - mine[:, 0]).max() < row.s_end
        assert np.sign(mine[:, 1].mean()) == (1 if row.quadrant[0] == "D" else -1)
        assert np.sign(mine[:, 2].mean()) == (1 if row.quadrant[1] == "R" else -1)
    assert len(np.unique(animal.muscle.owner)) == 95
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1.0)


def test_a_click_on_a_neuron_names_it_with_its_voltage(run):
    animal, shape = Animal(run), nerves()
    frame = animal.nearest(1000.0)
    soma = animal.posture(frame).place(shape.at)[shape.somata[shape.names.index("DB4")]]
    assert animal.neuron_near(soma, frame) == "DB4"
    track = run.track()
    voltage = track.voltage[list(track.voltage_time).index(1000.0), track.neurons.index("DB4")]
    assert animal.label("DB4", frame) == f"DB4   {voltage:.1f} mV"
    assert animal.label("AVAR", frame) == "AVAR   not recorded"


def test_frames_without_a_posture_are_passed_over(run):
    midline = run.track().midline.copy()
    midline[:10] = np.nan
    animal = Animal(dataclasses.replace(run, worms=(dataclasses.replace(run.track(), midline=midline),)))
    assert animal.frames == len(run.time) - 10 and animal.time[0] == run.time[10]
    empty = dataclasses.replace(run.track(), midline=midline[:0])
    with pytest.raises(tb.OutputError, match="no frame"):
        Animal(dataclasses.replace(run, time=run.time[:0], worms=(empty,)))


def test_without_pyvista_the_sentence_says_how_to_install_it(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvista", None)
    with pytest.raises(tb.ConfigError, match=r"pip install 'tianbao\[view\]'"):
        viewer.show(run, screenshot=tmp_path / "worm.png")


@pytest.mark.parametrize("time", [-1.0, 2001.0, float("nan"), float("inf"), "soon"])
def test_a_time_outside_the_recording_is_refused(run, time, tmp_path):
    with pytest.raises(tb.ConfigError, match="which covers 20 to 2000 ms"):
        viewer.show(run, time=time, screenshot=tmp_path / "worm.png")


def test_a_picture_of_an_unknown_kind_or_worm_is_refused(run):
    with pytest.raises(tb.ConfigError, match="a screenshot is one of"):
        viewer.show(run, screenshot="worm.mp4")
    with pytest.raises(tb.ConfigError, match="no worm 2"):
        viewer.show(run, 2)


def test_a_window_without_a_display_points_to_the_screenshot(run, monkeypatch):
    pytest.importorskip("pyvista")
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(tb.ConfigError, match="--screenshot FILE"):
        viewer.show(run)


def test_a_screenshot_shows_the_worm_of_that_time(run, tmp_path):
    pytest.importorskip("pyvista")
    pictures = [
        np.asarray(Image.open(viewer.show(run, time=time, screenshot=tmp_path / f"{time:g}.png")).convert("RGB"), int)
        for time in (600.0, 1700.0)
    ]
    assert pictures[0].shape == (800, 1280, 3)
    assert (np.ptp(pictures[0], axis=-1) > 60).sum() > 3000
    assert np.abs(pictures[0] - pictures[1]).mean() > 0.5
    assert len(list(tmp_path.iterdir())) == 2


def test_a_track_without_neurons_and_muscles_is_drawn_in_grey(run, tmp_path):
    pytest.importorskip("pyvista")
    bare = dataclasses.replace(
        run.track(), muscle_activation=np.zeros((len(run.time), 0)), muscles=(), neurons=(),
        voltage=np.zeros((0, 0)), voltage_time=np.zeros(0),
    )  # fmt: skip
    path = viewer.show(dataclasses.replace(run, worms=(bare,)), screenshot=tmp_path / "bare.png")
    pixels = np.asarray(Image.open(path).convert("RGB"), int)
    assert pixels.std() > 5 and (np.ptp(pixels, axis=-1) > 90).sum() == 0


def test_a_screenshot_that_cannot_be_written_is_one_sentence(run):
    pytest.importorskip("pyvista")
    with pytest.raises(tb.OutputError, match="cannot write"):
        viewer.show(run, screenshot="/proc/nowhere/worm.png")
