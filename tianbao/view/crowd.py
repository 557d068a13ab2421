"""The frames of a video of many worms: the whole dish with every body in the colour of its brain's state, and beside it
the states of all in time.

The state is AVA's voltage minus AVB's, both sides' mean, where they were recorded: red drives backward, blue forward.
"""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import EllipseCollection, LineCollection, PolyCollection
from matplotlib.colors import Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..recorded import RecordedRun, WormTrack
from ..units import MS_PER_S
from . import style
from .camera import between
from .fields import contours
from .outline import Outline

_WIDTH_INCH = 12.8
_CLOCK, _TEXT, _SMALL = 26, 16, 13
_MARGIN_MM = 0.15
_RANGE_MV = 45.0  # of the colours of the state; those of a deciding worm lie within
_ALONG = 41  # points of a drawn body


def command_state(track: WormTrack) -> np.ndarray | None:
    """AVA's voltage minus AVB's at every sample [mV], shape (samples,); None if one was not recorded."""
    means = []
    for prefix in ("AVA", "AVB"):
        columns = [k for k, name in enumerate(track.neurons) if name.startswith(prefix)]
        if not columns:
            return None
        means.append(track.voltage[:, columns].mean(axis=1))
    return means[0] - means[1]


class CrowdScene:
    """Draws any moment of a recording of many worms into a buffer of pixels.

    Args:
        recording: with at least two frames.
        size: of the picture [pixel], width and height.
    """

    def __init__(self, recording: RecordedRun, size: tuple[int, int]) -> None:
        self._recording, self._time = recording, recording.time
        states = [command_state(each) for each in recording.worms]
        self._states = None if any(each is None for each in states) else np.array(states)
        dpi = size[0] / _WIDTH_INCH
        tall = size[1] / dpi
        self.figure = Figure(figsize=(_WIDTH_INCH, tall), dpi=dpi, facecolor=style.AGAR)
        self._canvas = FigureCanvasAgg(self.figure)
        font = {"font.family": "DejaVu Sans", "text.color": style.INK, "font.size": _TEXT, "text.parse_math": False}
        with mpl.rc_context(font):
            share = tall / _WIDTH_INCH
            self.plate = self.figure.add_axes((0.0, 0.0, share if self._states is not None else 1.0, 1.0))
            self._lay_plate(recording)
            left = share + 0.07 if self._states is not None else 0.025
            write = self.figure.text
            self._clock = write(left, 0.95, "", va="top", fontsize=_CLOCK, animated=True)
            where = "on agar" if recording.medium == "agar" else f"in {recording.medium}"
            write(left, 0.86, f"{len(recording.worms)} worms {where}", va="top", color=style.NEUTRAL)
            self._cover = None
            if self._states is not None:
                self._lay_states(left)
        self._canvas.draw()
        self._background = self._canvas.copy_from_bbox(self.figure.bbox)

    def _lay_plate(self, recording: RecordedRun) -> None:
        """Axes in mm that hold every place of every worm, with obstacles, fields and a bar of a millimetre."""
        plate = self.plate
        plate.set_axis_off()
        lines = np.concatenate([each.midline[..., :2].reshape(-1, 2) for each in recording.worms])
        circles = recording.round_obstacles
        corners = [lines[np.isfinite(lines).all(axis=1)]]
        corners += [circles[:, :2] + side * circles[:, 2:3] for side in (-1.0, 1.0)]
        corners = np.concatenate(corners)
        low, high = corners.min(axis=0) - _MARGIN_MM, corners.max(axis=0) + _MARGIN_MM
        middle, box = 0.5 * (low + high), plate.get_position()
        proportion = box.height * self.figure.get_figheight() / (box.width * _WIDTH_INCH)
        half = 0.5 * max(high[0] - low[0], (high[1] - low[1]) / proportion) * np.array([1.0, proportion])
        plate.set(xlim=(middle[0] - half[0], middle[0] + half[0]), ylim=(middle[1] - half[1], middle[1] + half[1]))
        wide, hollow = 2.0 * circles[:, 2], circles[:, 3] != 0.0
        plate.add_collection(
            EllipseCollection(
                wide, wide, np.zeros(len(wide)), units="xy", offsets=circles[:, :2], transOffset=plate.transData,
                facecolors=[to_rgba(style.GRID, 0.0 if each else 0.8) for each in hollow], edgecolors=style.NEUTRAL,
            ),
            autolim=False,
        )  # fmt: skip
        x, y = middle - 0.97 * half
        for each in contours(recording, (*plate.get_xlim(), *plate.get_ylim())):
            colour, dashes = each.look
            plate.add_collection(LineCollection(each.lines(), colors=colour, linestyles=dashes), autolim=False)
        plate.plot([x, x + 1.0], [y, y], color=style.INK, lw=4, solid_capstyle="butt")
        plate.text(x + 0.5, y + 0.02 * half[1], "1 mm", ha="center", va="bottom", fontsize=_SMALL)
        self._outline = Outline(recording.worms[0].midline.shape[1], _ALONG)
        thin = 1.0 if len(recording.worms) < 30 else 0.5
        self._bodies = PolyCollection([], edgecolors=style.INK, linewidths=thin, animated=True)
        plate.add_collection(self._bodies, autolim=False)
        (self._heads,) = plate.plot([], [], "o", ms=3.0, mfc=style.INK, mec="none", animated=True)

    def _lay_states(self, left: float) -> None:
        """The states of all worms in time, hidden by a cover that gives way, and what colours mean."""
        axes = self.figure.add_axes((left, 0.20, 0.97 - left, 0.54))
        times = self._recording.worms[0].voltage_time / MS_PER_S
        self._norm = Normalize(-_RANGE_MV, _RANGE_MV, clip=True)
        axes.imshow(
            self._states, aspect="auto", cmap=style.BEND, norm=self._norm, origin="lower", interpolation="nearest",
            extent=(times[0], times[-1], -0.5, len(self._states) - 0.5),
        )  # fmt: skip
        axes.set_xlabel("time [s]", fontsize=_SMALL)
        axes.set_ylabel("worm", fontsize=_SMALL)
        axes.tick_params(length=0, labelsize=_SMALL)
        for spine in axes.spines.values():
            spine.set_visible(False)
        self._cover = Rectangle((times[0], -1.0), 1.0, len(self._states) + 1.0, fc=style.AGAR, ec="none", animated=True)
        axes.add_patch(self._cover)
        self._raster, self._end = axes, times[-1]
        bar = self.figure.colorbar(
            ScalarMappable(self._norm, style.BEND), cax=self.figure.add_axes((left, 0.07, 0.97 - left, 0.022)),
            orientation="horizontal",
        )  # fmt: skip
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=0, labelsize=_SMALL)
        self.figure.text(left, 0.78, "AVA minus AVB [mV]: forward blue, backward red", fontsize=_SMALL, va="top")

    def draw(self, time: float) -> np.ndarray:
        """The picture at a time.

        Args:
            time: [ms]

        Returns:
            Red, green, blue, opacity, shape (height, width, 4), 8 bit; valid until the next call.
        """
        place = float(np.interp(time, self._time, np.arange(len(self._time))))
        lines = [between(each.midline, place)[:, :2] for each in self._recording.worms]
        seen = [k for k, line in enumerate(lines) if np.isfinite(line).all()]
        self._canvas.restore_region(self._background)
        self._bodies.set_verts([self._outline.rim(self._outline.grid(lines[k])) for k in seen])
        self._bodies.set_facecolor(self._colours(time)[seen])
        self._heads.set_data(*np.array([lines[k][0] for k in seen]).reshape(-1, 2).T)
        for artist in (self._bodies, self._heads):
            self.plate.draw_artist(artist)
        self._clock.set_text(f"{time / MS_PER_S:.1f} s")
        self.figure.draw_artist(self._clock)
        if self._cover is not None:
            now = time / MS_PER_S
            self._cover.set_x(now)
            self._cover.set_width(max(self._end - now, 0.0))
            self._raster.draw_artist(self._cover)
        return np.asarray(self._canvas.buffer_rgba())

    def _colours(self, time: float) -> np.ndarray:
        """Colour of every worm, shape (worms, 4)."""
        if self._states is None:
            return np.tile(to_rgba(style.BODY), (len(self._recording.worms), 1))
        sample = int(np.abs(self._recording.worms[0].voltage_time - time).argmin())
        return style.BEND(self._norm(self._states[:, sample]))
