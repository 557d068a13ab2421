"""What a run leaves behind, with its pictures, video and file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .arguments import named_arguments
from .network.inputs import AMINES
from .recorded import RecordedRun, WormTrack

if TYPE_CHECKING:
    import pandas as pd

    from .view.plots import Plots

__all__ = ["Recording", "WormTrack"]


@named_arguments
@dataclass(frozen=True, eq=False, repr=False)
class Recording(RecordedRun):
    """A run that can be plotted, filmed and saved; its data are those of `RecordedRun`."""

    @property
    def plot(self) -> Plots:
        """Pictures: `.curvature()`, `.traces()`, `.raster()`, `.activity()`, `.muscles()`, `.track()`, ..."""
        from .view.plots import Plots

        return Plots(self)

    def amines(self, worm: int = 0) -> pd.DataFrame:
        """Levels of amines over time [-], 0 to 1: index `time_ms`, columns such as "serotonin"; none if they are off.

        Raises:
            ConfigError: if there is no such worm.
        """
        import pandas as pd

        track = self.track(worm)
        levels = track.inputs.get(AMINES, np.zeros((len(self.time), 0)))
        return pd.DataFrame(levels, pd.Index(self.time, name="time_ms"), list(track.receptors.get(AMINES, ())))

    def video(
        self, path: str | Path, *, worm: int | None = None, width: int | None = None, start: float = 0.0,
        stop: float | None = None, progress: bool = True,
    ) -> Path:  # fmt: skip
        """Write a video, as MP4 or, where ffmpeg is missing, as GIF.

        Args:
            path: where; .gif and .webp give an endless loop for a page.
            worm: the one the camera follows; if None, all are in view, as far as they can still be seen.
            width: of the picture [pixel]; 1280, or 640 for a loop, if None.
            start, stop: part to show [ms]; to the end if None.
            progress: show time left.

        Returns:
            The path written.

        Raises:
            ConfigError: for an unknown format or worm, or a width or time out of range.
            OutputError: if the recording is empty or the file cannot be written; an older one is kept.
        """
        from .view.video import write_video

        return write_video(self, path, worm=worm, width=width, start=start, stop=stop, progress=progress)

    def save(self, path: str | Path) -> Path:
        """Write a results file, read again by `tianbao.open`.

        Raises:
            OutputError: if the disk is full or the folder read-only.
        """
        from .io.hdf5 import save_recording

        return save_recording(self, path)
