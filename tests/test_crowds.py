"""Many worms in one dish: where they are put, how they are spread, and the video of them all."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic

import tianbao as tb
from tianbao.behaviour.crowds import TOUCHING, at_border, border_by_chance, gaps, spread
from tianbao.body.mesh import RingMesh
from tianbao.view.crowd import CrowdScene, command_state
from tianbao.view.scene import Scene
from tianbao.view.video import write_video

ROOT = Path(__file__).parents[1]


def lying(places) -> np.ndarray:
    """Straight midlines of worms [mm], shape (worms, 49, 3)."""
    along = np.linspace(0.5, -0.5, 49)
    return np.array([
        [[x + a * np.cos(heading), y + a * np.sin(heading), 0.0] for a in along] for (x, y, _), heading in places
    ])  # fmt: skip


# --- places


@pytest.mark.parametrize(("count", "radius"), [(1, 0.6), (20, 2.5), (100, 2.5)])
def test_scattered_worms_lie_inside_and_apart(count, radius):
    places = tb.scattered(count, radius, seed=3)
    lines = lying(places)
    assert len(places) == count and np.linalg.norm(lines[..., :2], axis=-1).max() < radius
    flat = lines.reshape(-1, 3)
    away = np.linalg.norm(flat[:, None] - flat, axis=2)
    away[np.arange(len(flat))[:, None] // 49 == np.arange(len(flat)) // 49] = np.inf
    assert away.min() > 0.1 - 1e-6 or count == 1


def test_few_worms_in_a_wide_dish_head_everywhere():
    places = tb.scattered(60, 6.0, seed=2)
    heading = np.array([each for _, each in places])
    middle = np.array([each for each, _ in places])[:, :2]
    assert abs(np.exp(1j * heading).mean()) < 0.35 and abs(np.exp(2j * heading).mean()) < 0.35
    inner = (np.linalg.norm(middle, axis=1) < 6.0 / np.sqrt(2.0)).mean()
    assert 0.3 < inner < 0.8  # of worms on half of the area


def test_the_same_seed_gives_the_same_places_elsewhere_too():
    here, there = tb.scattered(8, 2.0, seed=5), tb.scattered(8, 2.0, seed=5, centre=(10.0, -4.0))
    assert [b for _, b in here] == [b for _, b in there] != [b for _, b in tb.scattered(8, 2.0, seed=6)]
    assert np.allclose(np.array([a for a, _ in there]) - [a for a, _ in here], [10.0, -4.0, 0.0])


def test_more_worms_than_a_dish_holds_are_refused_with_the_number_that_fits():
    with pytest.raises(tb.ConfigError, match="do not fit into a dish of radius 1 mm.*but [0-9]+ do"):
        tb.scattered(100, 1.0)
    with pytest.raises(tb.ConfigError, match="radius"):
        tb.scattered(1, 0.2)


# --- spread


def test_gaps_are_those_between_surfaces():
    thick = 2.0 * RingMesh.adult().surface_radii.max()
    lines = lying([((0.0, 0.0, 0.0), 0.0), ((0.0, thick + 0.01, 0.0), 0.0), ((0.0, -0.5, 0.0), 0.0)])
    found = gaps(lines)
    assert found[0, 1] == found[1, 0] == pytest.approx(0.01, abs=1e-6)
    assert np.isinf(found[[0, 0, 1, 2], [0, 2, 2, 2]]).all()
    assert gaps(lines, within=1.0)[0, 2] == pytest.approx(0.5 - thick, abs=1e-6)


def test_a_worm_across_another_has_entered_it():
    crossed = lying([((0.0, 0.0, 0.0), 0.0), ((0.0, 0.0, 0.0), np.pi / 2)])
    assert spread(crossed).depth == pytest.approx(2.0 * RingMesh.adult().surface_radii.max(), rel=0.05)
    crossed[1, :, 2] = 1.0  # a millimetre above
    assert spread(crossed).depth == 0.0


def test_clusters_and_neighbours_are_counted():
    step = 2.0 * RingMesh.adult().surface_radii.max() + 0.5 * TOUCHING
    rows = [((0.0, k * step, 0.0), np.pi * (k % 2)) for k in range(3)] + [((0.0, 3.0, 0.0), 0.0)]
    found = spread(lying(rows))
    assert found.touching == 0.75 and found.largest == 3 and found.neighbours == 1.0
    assert found.aligned == pytest.approx(1.0)  # side by side, whichever way they head
    alone = spread(lying([((k * 2.0, 0.0, 0.0), 0.0) for k in range(3)]))
    assert alone.touching == 0.0 and alone.largest == 1 and np.isnan(alone.aligned)


def test_the_border_is_a_ring():
    places = tb.scattered(60, 6.0, seed=1)
    assert at_border(lying(places), 6.0, border=1.0) == pytest.approx(border_by_chance(6.0, border=1.0), abs=0.12)
    assert border_by_chance(1.0, border=2.0) == 1.0


# --- video


def crowd(count: int, neurons=("AVAL", "AVAR", "AVBL", "AVBR")) -> tb.Recording:
    """Worms beside each other, each with voltages of its own."""
    one = synthetic.recording(neurons=neurons, duration=2_000.0, frame=40.0)
    track = one.worms[0]
    worms = [
        dataclasses.replace(track, midline=track.midline + [0.5 * (k % 5), 0.3 * k, 0.0], voltage=track.voltage - k)
        for k in range(count)
    ]
    return dataclasses.replace(one, worms=tuple(worms))


def test_the_state_is_the_difference_of_the_command_neurons():
    track = crowd(1).worms[0]
    assert np.allclose(command_state(track), track.voltage[:, :2].mean(axis=1) - track.voltage[:, 2:].mean(axis=1))
    assert command_state(crowd(1, ("AVAL", "DB2")).worms[0]) is None


def test_a_crowd_is_drawn_with_every_body_in_the_colour_of_its_state():
    run = crowd(14)
    scene = CrowdScene(run, (640, 360))
    early, late = (scene.draw(time).astype(int) for time in (200.0, 1_800.0))
    assert early.shape == (360, 640, 4) and np.abs(early - late).sum() > 0
    assert len(scene._bodies.get_paths()) == 14
    low, high = scene.plate.get_xlim(), scene.plate.get_ylim()
    lines = np.concatenate([each.midline[..., :2].reshape(-1, 2) for each in run.worms])
    assert low[0] < lines[:, 0].min() and lines[:, 0].max() < low[1]
    assert high[0] < lines[:, 1].min() and lines[:, 1].max() < high[1]
    # The picture left of the raster: what is to come stays hidden.
    assert (early != late)[:, :360].any() and (early != late)[:, 420:].any()
    plain = CrowdScene(crowd(14, ("DB2",)), (640, 360))
    assert plain.draw(500.0).shape == (360, 640, 4)


def test_few_worms_are_drawn_with_numbers_and_many_as_a_crowd(tmp_path, monkeypatch):
    from tianbao.view import video

    drawn = []
    monkeypatch.setattr(video, "Scene", lambda *given: drawn.append("few") or Scene(*given))
    monkeypatch.setattr(video, "CrowdScene", lambda *given: drawn.append("crowd") or CrowdScene(*given))
    for count, worm in ((12, None), (13, None), (13, 2)):
        path = write_video(crowd(count), tmp_path / f"{count}_{worm}.gif", worm=worm, width=320, stop=200.0)
        assert path.stat().st_size > 1000
    assert drawn == ["few", "crowd", "few"]


# --- the experiment


def script():
    """sims/crowd.py as a module."""
    spec = importlib.util.spec_from_file_location("crowd_script", ROOT / "sims" / "crowd.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_small_crowd_lives_and_writes_its_files(tmp_path, capsys):
    out = tmp_path / "crowd"
    code = script().main(["--worms", "4", "--dish", "2.4", "--duration", "200", "--no-video", "--out", str(out)])
    assert code == 0
    assert {each.name for each in out.iterdir()} >= {"crowd.csv", "crowd.png", "results.h5"}
    table = pd.read_csv(out / "crowd.csv")
    assert table.touching.between(0.0, 1.0).all() and (table.depth_mm < 0.03).all()
    assert "wrote crowd.csv" in capsys.readouterr().out


@pytest.mark.slow
def test_a_crowd_has_the_same_bits_on_one_thread_and_on_two(tmp_path):
    runs = []
    for threads in ("1", "2"):
        out = tmp_path / threads
        script().main(["--worms", "20", "--dish", "2.6", "--duration", "1000", "--no-video", "--threads", threads,
                       "--out", str(out)])  # fmt: skip
        runs.append(tb.open(out / "results.h5"))
    for one, two in zip(runs[0].worms, runs[1].worms, strict=True):
        assert np.array_equal(one.midline, two.midline) and np.array_equal(one.voltage, two.voltage)
