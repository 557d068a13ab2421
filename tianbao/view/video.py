"""Videos of a recording: MP4 through ffmpeg, or GIF and WebP without it."""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..errors import ConfigError, OutputError, shorten, unknown
from ..io.files import check_file, replacing
from ..progress import Progress
from ..recorded import RecordedRun
from ..rows import number, whole
from ..units import MS_PER_S
from .crowd import CrowdScene
from .scene import Scene

log = logging.getLogger(__name__)

# Multiples of 16, which every H.264 player supports.
SIZE = (1280, 720)
FRAMES_PER_S = 25
LOOP_SIZE = (640, 360)
LOOP_FRAMES_PER_S = 12.5
_NARROWEST, _WIDEST = 320, 3840  # [pixel]
_CRF = "20"
_MOST_APART = 12  # worms with a number and a trail each; of more, the whole crowd is drawn
_LOOPS = {
    ".gif": {"disposal": 1, "optimize": True},
    ".webp": {"quality": 62, "method": 4, "minimize_size": False},
}
_COLOURS = 96  # of a GIF
_FORMATS = (".mp4", ".mov", ".mkv", *_LOOPS)
_MOST_SAID = 4000  # characters kept of what ffmpeg says
# What a user can mend, wherever it stands among what ffmpeg says.
_CAUSES = [os.strerror(each) for each in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS)]


def write_video(
    recording: RecordedRun,
    path: str | Path,
    *,
    worm: int | None = None,
    width: int | None = None,
    start: float = 0.0,
    stop: float | None = None,
    progress: bool = False,
) -> Path:
    """Write a video in real time. An older file of this name is replaced only by a complete new one.

    Args:
        recording: with at least two frames.
        path: .gif and .webp give an endless loop; .mp4, .mov and .mkv become .gif if ffmpeg is missing.
        worm: the one the camera follows; if None, all are in view, as far as they can still be seen; more than twelve
            as a crowd, each in the colour of its brain's state.
        width: of the picture [pixel]; its height is 9/16 of it.
        start, stop: part to show [ms]; to the end if None.
        progress: show time left.

    Returns:
        The path written.

    Raises:
        ConfigError: for an unknown format, or a width or time out of range.
        OutputError: if there is nothing to show, or the file cannot be written.
    """
    path = _file_of(path)
    if len(recording.time) < 2:
        raise OutputError(f"cannot write {path}: a video needs two recorded frames; run the simulation for longer")
    loops = path.suffix.lower() in _LOOPS
    rate = LOOP_FRAMES_PER_S if loops else FRAMES_PER_S
    size = _size(width, LOOP_SIZE if loops else SIZE)
    times = _times(recording, start, stop, rate)
    crowded = worm is None and len(recording.worms) > _MOST_APART
    scene, step = CrowdScene(recording, size) if crowded else Scene(recording, size, worm), MS_PER_S / rate
    shown = Progress(step * len(times), "video", enabled=progress, doing="draw")
    with replacing(path) as partial, shown:
        pictures = _pictures(scene, times, step, shown)
        if loops:
            _write_loop(pictures, partial)
        else:
            _write_mp4(pictures, size, path, partial)
    return path


def write_pictures(pictures: Sequence[np.ndarray], path: str | Path, *, rate: float) -> Path:
    """Write a video of pictures that were drawn elsewhere, such as those of `env.render()`.

    Args:
        pictures: all of one size, uint8, shape (height, width, 3) each, with an even height and width.
        path: see `write_video`.
        rate: pictures per second of the video, each shown until the next [1/s].

    Returns:
        The path written.

    Raises:
        ConfigError: for an unknown format, or a rate that is not positive.
        OutputError: if there is nothing to show, or the file cannot be written.
    """
    path = _file_of(path)
    if not rate > 0.0:
        raise ConfigError(f"{path.name}: rate = {rate} pictures per second must be positive")
    if not len(pictures):
        raise OutputError(f"cannot write {path}: there are no pictures")
    loops = path.suffix.lower() in _LOOPS
    shown = LOOP_FRAMES_PER_S if loops else FRAMES_PER_S
    frames = (pictures[int(k * rate / shown)] for k in range(math.ceil(len(pictures) * shown / rate)))
    with replacing(path) as partial:
        if loops:
            _write_loop(frames, partial)
        else:
            height, width = pictures[0].shape[:2]
            opaque = (np.dstack([each, np.full((height, width), 255, np.uint8)]) for each in frames)
            _write_mp4(opaque, (width, height), path, partial)
    return path


def _file_of(path: str | Path) -> Path:
    """Where a video goes: as GIF if it takes ffmpeg and there is none; refused if the format is unknown."""
    check_file(path)
    path = Path(path)
    if path.suffix.lower() not in _FORMATS:
        raise ConfigError(f"{path.name}: {unknown('video format', path.suffix, _FORMATS)}")
    if path.suffix.lower() not in _LOOPS and not ffmpeg_available():
        path = path.with_suffix(".gif")
        log.warning("ffmpeg is not available: writing %s instead of an MP4", path.name)
    return path


def ffmpeg_available() -> bool:
    """Whether imageio-ffmpeg finds an ffmpeg that can be started."""
    return _ffmpeg() is not None


def _ffmpeg() -> str | None:
    try:
        import imageio_ffmpeg

        # A path set in the environment is given back unseen.
        return shutil.which(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return None


def _size(width: int | None, default: tuple[int, int]) -> tuple[int, int]:
    """Of the picture [pixel]; even, as H.264 needs it."""
    if width is None:
        return default
    wide = whole(width, "video", "width", low=_NARROWEST, high=_WIDEST) // 2 * 2
    return wide, round(wide * 9 / 32) * 2


def _times(recording: RecordedRun, start: float, stop: float | None, rate: float) -> np.ndarray:
    """Moments to draw [ms], a frame of the video apart."""
    first, last = float(recording.time[0]), float(recording.time[-1])
    low = max(first, number(start, "video", "start", "ms", low=0.0, high=last))
    high = last if stop is None else min(last, number(stop, "video", "stop", "ms", low=low))
    return np.arange(low, high + 1e-6, MS_PER_S / rate)


def _pictures(scene: Scene | CrowdScene, times: np.ndarray, step: float, shown: Progress) -> Iterator[np.ndarray]:
    for time in times:
        yield scene.draw(time)
        shown.advance(step)


class _Encoder:
    """ffmpeg as a child process that takes pictures, and what it said when it failed."""

    def __init__(self, size: tuple[int, int], partial: Path) -> None:
        command = [
            _ffmpeg() or "ffmpeg", "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgba",
            "-s", f"{size[0]}x{size[1]}", "-r", str(FRAMES_PER_S), "-i", "-", "-an", "-pix_fmt", "yuv420p",
            "-codec:v", "libx264", "-crf", _CRF, "-preset", "veryfast", "-movflags", "+faststart", str(partial),
        ]  # fmt: skip
        self._said = b""
        # A session of its own: Ctrl-C ends the drawing, which then ends ffmpeg.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )
        # Read while it works: it would stop at a full pipe.
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        for line in self._process.stderr:
            self._said = (self._said + line)[-_MOST_SAID:]

    def take(self, pictures: Iterator[np.ndarray]) -> None:
        """Encode until there are no more pictures, or ffmpeg ends."""
        with contextlib.suppress(BrokenPipeError):  # ffmpeg has ended; its status says why
            for picture in pictures:
                self._process.stdin.write(memoryview(np.ascontiguousarray(picture)).cast("B"))
            self._process.stdin.close()

    def cause(self) -> str | None:
        """Wait for ffmpeg; None if it did its work, else why not."""
        status = self._process.wait()
        self._listener.join()
        if status == 0:
            return None
        if status < 0:
            return f"ffmpeg was ended by a signal ({signal.strsignal(-status) or -status})"
        lines = [line.strip() for line in self._said.decode("utf-8", "replace").splitlines() if line.strip()]
        known = [each for each in _CAUSES if any(each in line for line in lines)]
        said = known[0] if known else lines[-1] if lines else f"exit status {status}"
        return f"ffmpeg failed: {shorten(said)}"

    def close(self) -> None:
        """End ffmpeg, if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._listener.join()
        self._process.stderr.close()
        with contextlib.suppress(BrokenPipeError):  # pictures it has not taken
            self._process.stdin.close()


def _write_mp4(pictures: Iterator[np.ndarray], size: tuple[int, int], path: Path, partial: Path) -> None:
    try:
        encoder = _Encoder(size, partial)
    except OSError as error:
        reason, todo = error.strerror or error, "reinstall imageio-ffmpeg, or write a .gif"
        raise OutputError(f"cannot write {path}: ffmpeg cannot be started ({reason}); {todo}") from error
    try:
        encoder.take(pictures)
        cause = encoder.cause()
    finally:
        encoder.close()
    if cause is None and not (partial.is_file() and partial.stat().st_size):
        cause = "ffmpeg wrote nothing"
    if cause is not None:
        todo = "free some disk space, choose another folder, or write a .gif"
        raise OutputError(f"cannot write {path}: {cause}; {todo}")


def _write_loop(pictures: Iterator[np.ndarray], path: Path) -> None:
    from PIL import Image

    gif = path.suffix.lower() == ".gif"
    images = [Image.fromarray(picture[..., :3].copy()) for picture in pictures]
    if gif:
        # One palette for all: colours that change from frame to frame flicker, and take more bytes.
        palette = _montage(images).quantize(_COLOURS)
        images = [each.quantize(palette=palette, dither=Image.Dither.NONE) for each in images]
    images[0].save(
        path, save_all=True, append_images=images[1:], duration=round(MS_PER_S / LOOP_FRAMES_PER_S), loop=0,
        **_LOOPS[path.suffix.lower()],
    )  # fmt: skip


def _montage(images: list):
    """A few of the pictures below each other."""
    from PIL import Image

    few = images[:: max(1, len(images) // 6)]
    width, height = few[0].size
    sheet = Image.new("RGB", (width, height * len(few)))
    for k, each in enumerate(few):
        sheet.paste(each, (0, k * height))
    return sheet
