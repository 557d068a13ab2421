"""A worm from above as an array of pixels, and a window that shows such pictures one after the other."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon

from . import style
from .outline import Outline

log = logging.getLogger(__name__)

_WIDTH_MM = 3.0  # of the picture
_INCH, _DPI = 4.0, 80
_RINGS = (1.0, 0.5, 0.1)  # shares of the peak of a source at which its lines of equal concentration are drawn


def from_above(
    midline: np.ndarray,
    *,
    arrow: float | None = None,
    start: np.ndarray | None = None,
    source: tuple[float, float, float, float] | None = None,
    pillars: Sequence[tuple[float, float, float]] = (),
) -> np.ndarray:
    """A worm in the plane, the picture centred on it.

    Args:
        midline: head first [mm], shape (points, 3).
        arrow: direction in which it is to go [rad], drawn from its middle; none when None.
        start: where it started, x and y [mm].
        source: x, y, width of a Gaussian and distance at which it counts as reached [mm]; none when None.
        pillars: x, y and radius of each [mm].

    Returns:
        uint8, shape (320, 320, 3).
    """
    figure = Figure(figsize=(_INCH, _INCH), dpi=_DPI)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    x, y = midline[:, :2].mean(axis=0)
    half = 0.5 * _WIDTH_MM
    axes.set(xlim=(x - half, x + half), ylim=(y - half, y + half))
    figure.set_facecolor(style.AGAR)
    for px, py, radius in pillars:
        if abs(px - x) < half + radius and abs(py - y) < half + radius:
            axes.add_patch(Circle((px, py), radius, facecolor=style.GRID, edgecolor=style.NEUTRAL))
    if source is not None:
        sx, sy, width, within = source
        for share in _RINGS[1:]:
            away = width * np.sqrt(-2.0 * np.log(share))
            axes.add_patch(Circle((sx, sy), away, facecolor="none", edgecolor=style.TRAIL, linewidth=1.0))
        axes.add_patch(Circle((sx, sy), within, facecolor=style.TRAIL, edgecolor="none"))
    if start is not None:
        axes.plot([start[0], x], [start[1], y], color=style.TRAIL, linewidth=1.5)
    if arrow is not None:
        way = 0.6 * np.array([np.cos(arrow), np.sin(arrow)])
        axes.annotate("", (x + way[0], y + way[1]), (x, y), arrowprops={"arrowstyle": "->", "color": style.FAINT})
    outline = Outline(len(midline))
    axes.add_patch(Polygon(outline.rim(outline.grid(midline)), facecolor=style.BODY, edgecolor=style.INK))
    axes.plot(*midline[len(midline) // 24, :2], "o", color=style.INK, markersize=4.0)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


class Window:
    """A window of matplotlib that shows pictures; without a display it says so once, and shows none."""

    def __init__(self) -> None:
        from matplotlib import pyplot

        self._pyplot, self._image = pyplot, None
        self._figure = pyplot.figure(figsize=(_INCH, _INCH), dpi=_DPI)
        if self._figure.canvas.required_interactive_framework is None:
            log.warning(
                "render_mode 'human' shows nothing: matplotlib has no display (backend %s); use 'rgb_array' or set "
                "MPLBACKEND", mpl.get_backend(),
            )  # fmt: skip
            self.close()
            self._figure = None

    def show(self, picture: np.ndarray, seconds: float) -> None:
        """Show a picture, uint8 of shape (height, width, 3), and let the window answer for some time [s]."""
        if self._figure is None:
            return
        if self._image is None:
            axes = self._figure.add_axes((0.0, 0.0, 1.0, 1.0))
            axes.set_axis_off()
            self._image = axes.imshow(picture)
        self._image.set_data(picture)
        self._figure.canvas.draw_idle()
        self._pyplot.pause(seconds)

    def close(self) -> None:
        """Close the window."""
        if self._figure is not None:
            self._pyplot.close(self._figure)
