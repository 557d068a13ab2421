"""Videos of a recording: MP4 through ffmpeg, or GIF without it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ..errors import ConfigError, OutputError, unknown
from ..io.files import check_file, replacing
from ..recorded import RecordedRun
from ..units import MS_PER_S
from .scene import Scene

log = logging.getLogger(__name__)

# Multiples of 16, which every H.264 player supports.
SIZE = (1280, 720)
FRAMES_PER_S = 25
GIF_SIZE = (640, 360)
GIF_FRAMES_PER_S = 12.5
_CRF = "20"
_FORMATS = (".mp4", ".mov", ".mkv", ".gif")


def write_video(
    recording: RecordedRun, path: str | Path, *, worm: int = 0, advance: Callable[[float], None] | None = None
) -> Path:
    """Write a video in real time.

    Args:
        recording: with at least two frames.
        path: .gif gives a GIF; .mp4, .mov and .mkv become .gif if ffmpeg is missing.
        worm: the one the camera follows.
        advance: called with the simulated time [ms] that has just been drawn.

    Returns:
        The path written.

    Raises:
        ConfigError: for an unknown format.
        OutputError: if there is nothing to show or the file cannot be written.
    """
    check_file(path)
    path = Path(path)
    if path.suffix.lower() not in _FORMATS:
        raise ConfigError(f"{path.name}: {unknown('video format', path.suffix, _FORMATS)}")
    if len(recording.time) < 2:
        raise OutputError(f"cannot write {path}: a video needs two recorded frames; run the simulation for longer")
    if path.suffix.lower() != ".gif" and not ffmpeg_available():
        path = path.with_suffix(".gif")
        log.warning("ffmpeg is not available: writing %s instead of an MP4", path.name)
    with replacing(path) as partial:
        if path.suffix.lower() == ".gif":
            _write_gif(Scene(recording, GIF_SIZE, worm), recording.time, partial, advance)
        else:
            _write_mp4(Scene(recording, SIZE, worm), recording.time, partial, advance)
    return path


def ffmpeg_available() -> bool:
    """Whether imageio-ffmpeg finds a working ffmpeg."""
    try:
        import imageio_ffmpeg

        imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        return False
    return True


def _pictures(
    scene: Scene, time_ms: np.ndarray, rate: float, advance: Callable[[float], None] | None
) -> Iterator[np.ndarray]:
    step = MS_PER_S / rate
    for time in np.arange(time_ms[0], time_ms[-1] + 1e-6, step):
        yield scene.draw(time)
        if advance is not None:
            advance(step)


def _write_mp4(scene: Scene, time_ms: np.ndarray, path: Path, advance: Callable[[float], None] | None) -> None:
    import imageio_ffmpeg

    writer = imageio_ffmpeg.write_frames(
        str(path), SIZE, fps=FRAMES_PER_S, pix_fmt_in="rgba", pix_fmt_out="yuv420p", codec="libx264",
        quality=None, output_params=["-crf", _CRF, "-preset", "veryfast", "-movflags", "+faststart"],
    )  # fmt: skip
    writer.send(None)
    try:
        for picture in _pictures(scene, time_ms, FRAMES_PER_S, advance):
            writer.send(picture)
    finally:
        writer.close()


def _write_gif(scene: Scene, time_ms: np.ndarray, path: Path, advance: Callable[[float], None] | None) -> None:
    from PIL import Image

    pictures = _pictures(scene, time_ms, GIF_FRAMES_PER_S, advance)
    images = [Image.fromarray(picture[..., :3].copy()).quantize(96) for picture in pictures]
    images[0].save(
        path, save_all=True, append_images=images[1:], duration=round(MS_PER_S / GIF_FRAMES_PER_S), loop=0
    )
