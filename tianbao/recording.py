"""What a run leaves behind, with its pictures, video and file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .recorded import RecordedRun, WormTrack

if TYPE_CHECKING:
    from .view.plots import Plots

__all__ = ["Recording", "WormTrack"]


@dataclass(frozen=True, eq=False, repr=False)
class Recording(RecordedRun):
    """A run that can be plotted, filmed and saved; its data are those of `RecordedRun`."""

    @property
    def plot(self) -> Plots:
        """Pictures: `.curvature()`, `.traces()`, `.raster()`, `.activity()`, `.muscles()`, `.track()`, ..."""
        from .view.plots import Plots

        return Plots(self)

    def video(self, path: str | Path, *, worm: int = 0, progress: bool = True) -> Path:
        """Write a video, as MP4 or, where ffmpeg is missing, as GIF.

        Args:
            path: where; the suffix becomes .gif for a GIF.
            worm: the one the camera follows.
            progress: show time left.

        Returns:
            The path written.

        Raises:
            OutputError: if the recording is empty or the file cannot be written.
        """
        from .progress import Progress
        from .view.video import write_video

        with Progress(self.duration, "video", enabled=progress) as shown:
            return write_video(self, path, worm=worm, advance=shown.advance)

    def save(self, path: str | Path) -> Path:
        """Write a results file, read again by `tianbao.open`.

        Raises:
            OutputError: if the disk is full or the folder read-only.
        """
        from .io.hdf5 import save_recording

        return save_recording(self, path)
