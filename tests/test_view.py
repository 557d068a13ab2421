"""Pictures exist, have content, and follow the worm."""

from __future__ import annotations

import dataclasses
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from synthetic import recording

import tianbao as tb
from tianbao.behaviour.kymograph import Kymograph
from tianbao.view.kymographs import plot_kymographs
from tianbao.view.outline import Outline
from tianbao.view.plots import headline, select_neurons
from tianbao.view.scene import Scene
from tianbao.view.style import render


@pytest.fixture(scope="module")
def run():
    return recording(duration=4000.0)


@pytest.mark.parametrize("name", ["curvature", "traces", "muscles", "track"])
def test_every_plot_is_a_picture_or_a_figure(run, name, tmp_path):
    path = getattr(run.plot, name)(tmp_path / f"{name}.png")
    pixels = np.asarray(Image.open(path).convert("L"))
    assert pixels.shape[1] > 900 and pixels.std() > 10
    assert isinstance(getattr(run.plot, name)(), Figure)


@pytest.mark.parametrize("name", ["curvature", "traces", "muscles", "track"])
@pytest.mark.parametrize("kept", [0, 1])
def test_a_run_without_frames_gives_a_sentence_not_an_error(run, name, kept, tmp_path):
    track = run.track()
    short = dataclasses.replace(
        track, midline=track.midline[:kept], muscle_activation=track.muscle_activation[:kept],
        voltage=track.voltage[:kept], voltage_time=track.voltage_time[:kept],
    )  # fmt: skip
    empty = dataclasses.replace(run, time=run.time[:kept], worms=(short,))
    assert getattr(empty.plot, name)(tmp_path / "empty.png").stat().st_size > 0


def test_the_kymograph_says_speed_and_frequency():
    title = recording(duration=20_000.0).plot.curvature().axes[0].get_title(loc="left")
    assert "+0.200 mm/s" in title and "0.45 Hz" in title


def test_traces_of_recorded_neurons_only(run):
    assert len(run.plot.traces(neurons=["DB*", "VB5"]).axes) == 4
    with pytest.raises(tb.ConfigError, match="did you mean 'DB4'"):
        run.plot.traces(neurons=["DB44"])


def test_the_default_selection_is_few_and_from_the_middle_of_the_cord():
    recorded = [f"VB{k}" for k in range(1, 12)] + ["AVBL", "AVBR", "RIML"]
    chosen = select_neurons(recorded)
    assert "VB3" in chosen and "VB9" in chosen and len(chosen) == 3
    assert select_neurons(["RIML"]) == ["RIML"]


def test_headline_of_an_unmeasured_gait_is_a_sentence(run):
    assert headline(dataclasses.replace(run.gait(), forward_speed_mm_s=float("nan"))).startswith("too short")


def test_the_drawn_body_is_as_wide_as_the_model_and_dorsal_is_left_of_the_heading(run):
    straight = np.zeros((49, 3))
    straight[:, 0] = np.linspace(0.5, -0.5, 49)
    outline = Outline(49)
    grid = outline.grid(straight)
    middle = len(outline.s) // 2
    assert np.ptp(grid[middle, :, 1]) == pytest.approx(0.07, rel=0.01)
    assert grid[middle, -1, 1] > 0 > grid[middle, 0, 1]
    assert grid[0, 0] == pytest.approx([0.5, 0.0])


def test_the_camera_follows_and_the_picture_moves(run):
    # The same worm carried 5 mm away looks the same, once its clock agrees.
    here = Scene(run, (320, 176)).draw(2000.0).astype(int)
    assert np.ptp(here[..., :3]) > 150
    track = run.track()
    away = dataclasses.replace(track, midline=track.midline + [5.0, 0.0, 0.0])
    there = Scene(dataclasses.replace(run, worms=(away,)), (320, 176)).draw(2000.0).astype(int)
    assert np.abs(here - there).mean() < 0.5
    later = Scene(run, (320, 176)).draw(3000.0).astype(int)
    assert np.abs(here - later).mean() > 1.0


def test_contracted_dorsal_muscle_shows_red_on_the_dorsal_side(run):
    track = run.track()
    dorsal = np.zeros_like(track.muscle_activation)
    dorsal[:, np.concatenate([track.quadrant("DL"), track.quadrant("DR")])] = 1.0
    straight = np.zeros_like(track.midline)
    straight[..., 0] = np.linspace(0.5, -0.5, 49)
    still = dataclasses.replace(track, midline=straight, muscle_activation=dorsal)
    scene = Scene(dataclasses.replace(run, worms=(still,)), (640, 352))
    area = scene.plate.get_window_extent()
    picture = scene.draw(1000.0).astype(int)[352 - int(area.y1) : 352 - int(area.y0)]
    red = np.argwhere(picture[..., 0] - picture[..., 2] > 60)
    rim = np.argwhere(np.abs(picture[:, 200:440, :3] - [43, 43, 51]).sum(axis=-1) < 60)[:, 0]
    assert len(red) > 200
    # Rows count downwards: dorsal (+y) is the upper half of a worm that heads right. The row of
    # pixels that the axis itself runs through may go either way.
    assert red[:, 0].max() <= 0.5 * (rim.min() + rim.max()) + 0.5


def shown_texts(figure):
    """Texts of a figure that are drawn, without the labels of ticks beyond the ends of an axis."""
    beyond = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not (axes.axison and low - 1e-9 <= tick.get_loc() <= high + 1e-9):
                    beyond |= {tick.label1, tick.label2}
    found = [each for each in figure.findobj(Text) if each.get_visible() and each.get_text().strip()]
    return [each for each in found if each not in beyond]


QUICK, SLOW = ("curvature", "traces", "track", "raster"), ("muscles", "trajectory", "activity")


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(each, marks=pytest.mark.slow) for each in SLOW)])
def test_a_figure_is_read_across_a_page_and_its_labels_keep_apart(run, name):
    two = dataclasses.replace(run.track(), midline=run.track().midline + [0.5, 1.2, 0.0])
    worms = (run.track(), two) if name in ("track", "trajectory") else (run.track(),)
    figure = getattr(dataclasses.replace(run, worms=worms).plot, name)()
    check_legible(figure)


def test_kymographs_below_each_other_share_their_axes_and_are_read_across_a_page(run):
    figure = plot_kymographs([Kymograph.of(run), Kymograph.of(run), Kymograph.of(recording(duration=3000.0))])
    check_legible(figure)
    images = [axes.images[0] for axes in figure.axes if axes.images]
    assert len({image.get_clim() for image in images}) == 1
    assert len({axes.get_xlim() for axes in figure.axes[:3]}) == 1


def check_legible(figure):
    figure.draw_without_rendering()
    wide = figure.get_size_inches()[0]
    texts = shown_texts(figure)
    assert min(text.get_fontsize() for text in texts) * 6.5 / wide >= 6.99
    boxes = [text.get_window_extent().shrunk(0.9, 0.8) for text in texts]
    for (one, box), (other, beside) in itertools.combinations(zip(texts, boxes, strict=True), 2):
        assert not box.overlaps(beside), (one.get_text(), other.get_text())


def test_no_picture_relies_on_formulae_and_logarithms_are_plain_numbers():
    def draw(figure):
        axes = figure.subplots(2, 1)
        axes[0].set_title("a$^$b and $x_1$")
        axes[0].set_xscale("log")
        axes[0].plot([0.1, 1000.0], [0.0, 1.0])
        axes[1].loglog([1.0, 30.0], [1e-7, 1.0])

    figure = render(draw, (6.5, 5.0), None)
    figure.draw_without_rendering()
    words = [text.get_text() for text in shown_texts(figure)]
    assert "a$^$b and $x_1$" in words and {"1", "10", "100"} <= set(words)
    assert not [word for word in words if "mathdefault" in word]
    check_legible(figure)
    for path in Path(tb.__file__).parent.glob("view/*.py"):
        assert not re.findall(r"\$[^${}]+\$", re.sub(r"^\s*#.*$", "", path.read_text("utf-8"), flags=re.M)), path.name
