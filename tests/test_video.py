"""A video shows every worm, its captions cover nothing and tell no future, and a failure keeps the older one."""

from __future__ import annotations

import dataclasses
import itertools
import re
import resource
import subprocess

import numpy as np
import pytest
from matplotlib.lines import Line2D
from matplotlib.path import Path as Polygon
from PIL import Image
from synthetic import recording

import tianbao as tb
from tianbao import experiment
from tianbao.cli import main
from tianbao.config import config_of
from tianbao.view import video
from tianbao.view.scene import Scene

SIZE = (640, 360)


@pytest.fixture(scope="module")
def run():
    return recording(duration=6000.0)


def company(places, directions=None, duration=3000.0, names=None):
    """Made-up worms, each carried somewhere else [mm], with interventions if given."""
    directions = directions or [1] * len(places)
    each = [recording(duration=duration, direction=direction) for direction in directions]
    tracks = [
        dataclasses.replace(one.track(), midline=one.track().midline + [*place, 0.0])
        for one, place in zip(each, places, strict=True)
    ]
    entries = "".join(
        f'[[worms]]\nat = [{x}, {y}, 0.0]\nheading = 0.0\ninterventions = [{{verb = "ablate", neurons = ["{name}"]}}]\n'
        for (x, y), name in zip(places, names or ["AVB*"] * len(places), strict=True)
    )
    config = '[arena]\nmedium = "agar"\n' + entries
    return dataclasses.replace(each[0], worms=tuple(tracks), config_toml=config)


def turned(one):
    """The same worm heading up, with a reversal in the second half of the run."""
    line = one.track().midline[..., [1, 0, 2]] * [-1.0, 1.0, 1.0]
    half = len(line) // 2
    line = np.concatenate([line[:half], line[half::-1][: len(line) - half]])
    return dataclasses.replace(
        one, time=one.time[: len(line)], worms=(dataclasses.replace(one.track(), midline=line),)
    )


RUNS = {
    "crawl": lambda: recording(duration=4000.0),
    "reversal": lambda: turned(recording(duration=4000.0)),
    "in company": lambda: company([(0, 0), (0.2, 0.35), (-0.4, -0.5), (1.0, 0.1)], [1, -1, 1, -1]),
    "in a crowd": lambda: company([(0.6 * x, 0.45 * y) for x in range(4) for y in range(3)]),
}


@pytest.mark.parametrize("kind", RUNS)
def test_text_trail_and_worm_never_overlap(kind):
    made = RUNS[kind]()
    scene = Scene(made, SIZE)
    draw = scene.figure.canvas.get_renderer()
    to_pixels = scene.plate.transData.transform
    trails = 0
    for time in np.linspace(made.time[0], made.time[-1], 4):
        scene.draw(float(time))
        rims = [to_pixels(worm.rim.get_xydata()) for worm in scene.worms]
        ways = [to_pixels(piece) for worm in scene.worms for piece in worm.way.get_segments()]
        trails += len(ways)
        numbers = [worm.number for worm in scene.worms if worm.number is not None and worm.number.get_visible()]
        texts = [each for each in (*scene.figure.texts, *numbers) if each.get_text()]
        boxes = [each.get_window_extent(draw) for each in texts]
        for (a, one), (b, other) in itertools.combinations(zip(texts, boxes, strict=True), 2):
            assert not one.overlaps(other), (a.get_text(), b.get_text(), time)
        area = scene.plate.get_window_extent(draw)
        for text, box in zip(texts, boxes, strict=True):
            assert box.x0 >= 0.0 and box.x1 <= SIZE[0] and box.y0 >= 0.0 and box.y1 <= SIZE[1], text.get_text()
            for points in (*rims, *ways):
                seen = points[(points[:, 1] >= area.y0) & (points[:, 1] <= area.y1)]
                inside = np.abs(seen - 0.5 * (box.p0 + box.p1)) < 0.5 * np.array([box.width, box.height])
                assert not inside.all(axis=1).any(), (text.get_text(), time)
        for rim, way in itertools.product(rims, ways):
            assert not Polygon(rim).contains_points(way).any(), time
    assert trails > 0 or kind != "crawl"


def test_every_worm_is_in_view_from_the_first_frame_to_the_last():
    made = company([(0, 0), (3.0, 1.0), (-2.0, 2.0)], [1, -1, 1])
    scene = Scene(made, SIZE)
    assert scene.camera.shown == [0, 1, 2]
    half = 0.5 * np.array([scene.camera.width, np.ptp(scene.plate.get_ylim())])
    for k in range(len(made.time)):
        for track in made.worms:
            assert (np.abs(track.midline[k, :, :2] - scene.camera.at(k)) < half).all()
    # One that is followed stays in the middle, with the neighbours that can still be seen.
    assert np.abs(made.worms[2].midline[75].mean(axis=0)[:2] - Scene(made, SIZE, 2).camera.at(75)).max() < 0.1
    far = company([(0, 0), (40.0, 0.0)])
    assert Scene(far, SIZE).camera.shown == [0]
    assert Scene(far, SIZE, 1).camera.shown == [1]


def test_a_worm_that_turns_across_the_picture_stays_in_it():
    scene = Scene(turned(recording(duration=2000.0)), SIZE)
    assert scene.camera.shown == [0] and scene.camera.width > 2.0


def test_the_scale_bar_is_as_long_as_it_says(run):
    scene = Scene(run, SIZE)
    (bar,) = [each for each in scene.figure.get_children() if isinstance(each, Line2D) and len(each.get_xdata()) == 2]
    pixels = np.ptp(bar.get_xdata()) * SIZE[0]
    one_mm = np.ptp(scene.plate.transData.transform([[0.0, 0.0], [1.0, 0.0]])[:, 0])
    said = next(text.get_text() for text in scene.figure.texts if re.fullmatch(r"[\d.]+ mm", text.get_text()))
    assert pixels / one_mm == pytest.approx(float(said.split()[0]))


def test_the_head_is_marked_and_the_tail_is_not(run):
    scene = Scene(run, SIZE)
    scene.draw(3000.0)
    k = int(np.argmin(np.abs(run.time - 3000.0)))
    (mark,) = [line for line in scene.plate.lines if line.get_marker() == "o"]
    at = mark.get_xydata()[0] + scene.camera.at(k)
    assert np.linalg.norm(at - run.track().midline[k, 0, :2]) < 0.06
    assert "head" in [text.get_text() for text in scene.figure.texts]


def test_the_caption_and_the_kymograph_know_nothing_of_the_future(run):
    half = len(run.time) // 2
    still = run.track().midline.copy()
    still[half:] = still[half]
    other = dataclasses.replace(run, worms=(dataclasses.replace(run.track(), midline=still),))
    scenes = [Scene(each, SIZE) for each in (run, other)]
    said = {time: [] for time in (500.0, 1400.0, 2900.0, 5900.0)}
    for time, scene in itertools.product(said, scenes):
        picture = scene.draw(time)[..., :3].astype(int)
        said[time].append(scene._caption.get_text())
        strip = scene._covers[0][0].get_window_extent()
        cursor = round(strip.x0 + (time - run.time[0]) / (run.time[-1] - run.time[0]) * strip.width)
        rest = picture[int(360 - strip.y1) + 2 : int(360 - strip.y0) - 2, cursor + 4 : int(strip.x1) - 1]
        assert rest.size == 0 or np.ptp(rest.reshape(-1, 3), axis=0).max() == 0
    assert all(one == two for time, (one, two) in said.items() if time < 3000.0)
    assert said[5900.0][0] != said[5900.0][1]
    assert "not yet" in said[500.0][0] and "0.2" in said[5900.0][0]


def test_names_are_drawn_as_they_are_written():
    made = company([(0, 0), (1.5, 0)], names=["A$^$B", "$x_1$"])
    words = " ".join(text.get_text() for text in Scene(made, SIZE).figure.texts)
    assert "A$^$B" in words and "$x_1$" in words
    figure = made.plot.track()
    assert not any(text.get_parse_math() for text in figure.legends[0].get_texts())
    made.plot.track()


def test_mp4_has_the_length_and_rate_of_the_run(tmp_path):
    if not video.ffmpeg_available():
        pytest.skip("no ffmpeg on this machine")
    import imageio_ffmpeg

    path = video.write_video(recording(duration=1000.0), tmp_path / "crawl.mp4")
    said = subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path)], capture_output=True, text=True).stderr
    assert "h264" in said and "yuv420p" in said and "1280x720" in said and "25 fps" in said
    seconds = float(re.search(r"Duration: 00:00:(\d+\.\d+)", said).group(1))
    assert seconds == pytest.approx(1.0, abs=0.05)
    assert [each.name for each in tmp_path.iterdir()] == ["crawl.mp4"]


def test_without_ffmpeg_the_video_is_a_gif(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "ffmpeg_available", lambda: False)
    path = recording(duration=800.0).video(tmp_path / "crawl.mp4", progress=False)
    assert path.name == "crawl.gif"
    with Image.open(path) as picture:
        assert picture.n_frames == 10 and picture.size == video.LOOP_SIZE


def test_a_part_of_a_run_becomes_a_small_loop(tmp_path, run, capsys):
    run.save(tmp_path / "results.h5")
    command = ["video", str(tmp_path), "--out", str(tmp_path / "loop.webp"), "--width", "400"]
    assert main([*command, "--from", "1000", "--to", "1400"]) == 0
    with Image.open(tmp_path / "loop.webp") as picture:
        assert picture.n_frames == 6 and picture.size == (400, 224)
    assert main([*command, "--to", "200"]) == 2 and "replace it with --force" in capsys.readouterr().err
    command.append("--force")
    assert main([*command, "--from", "9000"]) == 2
    assert main([*command, "--width", "4"]) == 2
    said = capsys.readouterr().err
    assert "'start' = 9000 ms is outside" in said and "'width' = 4" in said
    assert main([*command, "--to", "80"]) == 0


def test_a_video_of_nothing_is_refused(run, tmp_path):
    with pytest.raises(tb.OutputError, match="two recorded frames"):
        dataclasses.replace(run, time=run.time[:1]).video(tmp_path / "crawl.mp4")
    with pytest.raises(tb.ConfigError, match="no worm 3"):
        run.video(tmp_path / "crawl.mp4", worm=3)
    with pytest.raises(tb.ConfigError, match="video format"):
        run.video(tmp_path / "crawl.avi")


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        ("cat > /dev/null; echo 'av_interleaved_write_frame(): No space left on device' >&2; exit 1", "No space left"),
        ("echo 'Unknown encoder libx264' >&2; exit 1", "Unknown encoder libx264"),
        ("head -c 1000 > /dev/null; kill -9 $$", "Killed"),
        ("cat > /dev/null", "wrote nothing"),
        (None, "cannot be started"),
    ],
)
def test_an_ffmpeg_that_fails_is_told_and_the_older_video_kept(script, cause, tmp_path, monkeypatch):
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{script}\n" if script else "no program")
    program.chmod(0o755 if script else 0o644)
    monkeypatch.setattr(video, "_ffmpeg", lambda: str(program))
    old = tmp_path / "crawl.mp4"
    old.write_bytes(b"an older video")
    with pytest.raises(tb.OutputError, match=re.escape(cause)) as error:
        recording(duration=400.0).video(old, progress=False)
    assert "crawl.mp4" in str(error.value) and "\n" not in str(error.value)
    assert old.read_bytes() == b"an older video"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["crawl.mp4", "ffmpeg"]


@pytest.mark.slow
def test_a_video_that_fails_keeps_the_results_and_the_report_of_the_run(tmp_path, monkeypatch):
    def refuse(*args, **options):
        raise tb.OutputError("cannot write crawl.mp4: ffmpeg failed")

    monkeypatch.setattr(video, "write_video", refuse)
    made = recording(duration=400.0)
    with pytest.raises(tb.OutputError, match="ffmpeg failed"):
        experiment._write(made, config_of(made.config_toml, "test"), tmp_path / "checkpoint.tianbao", video=True)
    assert {"results.h5", "summary.json", "report.html"} <= {each.name for each in tmp_path.iterdir()}


@pytest.mark.parametrize("name", ["crawl.gif", "crawl.webp", "kymograph.png", "kymograph.pdf"])
def test_a_full_disk_keeps_the_older_picture(name, tmp_path):
    made, old = recording(duration=400.0), tmp_path / name
    old.write_bytes(b"older")
    write = made.plot.curvature if "kymograph" in name else lambda path: made.video(path, progress=False)
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        # Files of this process may not grow beyond this, which is what a full disk does.
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, allowed[1]))
        with pytest.raises(tb.OutputError, match="File too large"):
            write(old)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
    assert old.read_bytes() == b"older" and len(list(tmp_path.iterdir())) == 1
