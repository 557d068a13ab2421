"""Where the camera of a video looks: at one worm and its neighbours, or at all worms."""

from __future__ import annotations

import numpy as np

from ..behaviour.midline import centroid
from ..recorded import RecordedRun

NARROWEST_MM = 2.0
_WIDEST_MM, _WIDEST_OF_ALL_MM = 9.0, 12.0  # beyond it a worm is too small to be seen bending
_MARGIN_MM = 0.12  # around the worms: their width, and the number of each
_SMOOTH_MS = 2000.0


class Camera:
    """Follows one worm, or stays on the middle of all, at one magnification.

    Attributes:
        width: of what is seen [mm].
        shown: numbers of the worms that are in view at every moment.

    Args:
        recording: with at least two frames.
        worm: the one to follow; if None, the middle of all, or worm 0 where they are too far apart to be seen together.
        proportion: height over width of what is seen.
    """

    def __init__(self, recording: RecordedRun, worm: int | None, proportion: float) -> None:
        lines = [track.midline[..., :2] for track in recording.worms]
        self._proportion = proportion
        if worm is None:
            low, high = (_over_worms(reduce, lines) for reduce in (np.nanmin, np.nanmax))
            self._path = _smooth(recording.time, 0.5 * (low + high))
            needed = [self._needed(each) for each in lines]
            if max(needed) > _WIDEST_OF_ALL_MM:
                worm = 0
        if worm is not None:
            self._path = _smooth(recording.time, _known(centroid(recording.track(worm).midline)[:, :2]))
            needed = [self._needed(each) for each in lines]
            own = max(needed[worm], NARROWEST_MM)
            near = [each for each in needed if each <= max(_WIDEST_MM, own)]
            self.width = max(near)
        else:
            self.width = max(needed)
        self.width = max(self.width, NARROWEST_MM)
        self.shown = [k for k, each in enumerate(needed) if each <= self.width]

    def _needed(self, line: np.ndarray) -> float:
        """Width of a picture in which a worm stays in view [mm]; 0 for one that was never seen."""
        if not np.isfinite(line).any():
            return 0.0
        across, up = np.nanmax(np.abs(line - self._path[:, None]), axis=(0, 1)) + _MARGIN_MM
        return float(2.0 * max(across, up / self._proportion))

    def at(self, place: float) -> np.ndarray:
        """Middle of the picture at a fractional frame [mm], shape (2,)."""
        return between(self._path, place)

    @property
    def reach(self) -> tuple[float, float, float, float]:
        """All that comes into view: x from and to, y from and to [mm]."""
        half = 0.5 * self.width * np.array([1.0, self._proportion])
        (x0, y0), (x1, y1) = self._path.min(axis=0) - half, self._path.max(axis=0) + half
        return float(x0), float(x1), float(y0), float(y1)


def between(values: np.ndarray, place: float) -> np.ndarray:
    """Linear interpolation between frames."""
    low = min(int(place), len(values) - 1)
    high, share = min(low + 1, len(values) - 1), place - low
    return (1.0 - share) * values[low] + share * values[high]


def _over_worms(reduce, lines: list[np.ndarray]) -> np.ndarray:
    """Least or largest coordinate of all worms in every frame [mm], shape (frames, 2)."""
    points = np.concatenate(lines, axis=1)
    found = np.full((len(points), 2), np.nan)
    seen = np.isfinite(points).all(axis=2).any(axis=1)
    found[seen] = reduce(points[seen], axis=1)
    return _known(found)


def _known(path: np.ndarray) -> np.ndarray:
    """A path without gaps: the camera moves evenly while nothing is seen."""
    path, frames = np.array(path, float), np.arange(len(path))
    seen = np.isfinite(path).all(axis=1)
    if not seen.any():
        return np.zeros_like(path)
    return np.column_stack([np.interp(frames, frames[seen], column[seen]) for column in path.T])


def _smooth(time_ms: np.ndarray, path: np.ndarray) -> np.ndarray:
    """Running mean of a path, so that the camera does not sway with the worm."""
    half = max(1, int(0.5 * _SMOOTH_MS / (time_ms[1] - time_ms[0])))
    # Extended by point reflection; otherwise the camera would stop at both ends of the video.
    half = min(half, len(path) - 1)
    before, after = 2 * path[0] - path[half:0:-1], 2 * path[-1] - path[-2 : -half - 2 : -1]
    sums = np.cumsum(np.vstack([np.zeros(2), before, path, after]), axis=0)
    return (sums[2 * half + 1 :] - sums[: -2 * half - 1]) / (2 * half + 1)
