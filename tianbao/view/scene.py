"""The frames of a video: worms on a plate, between captions above it and kymographs below it, on one canvas."""

from __future__ import annotations

import dataclasses
from functools import partial

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..behaviour.gait import Gait
from ..recorded import RecordedRun
from ..units import MS_PER_S
from . import settings, style
from .camera import Camera
from .drawn_worm import NUMBER_SIZE, DrawnWorm
from .fields import contours
from .plots import draw_kymograph, headline
from .worms import who_is_who

_WIDTH_INCH = 12.8
# Sizes [pt] of a picture 12.8 inches wide; across a page of 6.5 inches they are half as large.
_CLOCK, _TEXT, _SMALL = 26, 16, 14
_LEFT, _LINE_INCH = 0.025, 0.31
_HEAD_INCH = 0.84  # of the captions above, without their lines
_STRIP_INCH, _STRIPS_INCH, _FOOT_INCH = 0.95, 0.40, 0.66  # one kymograph, each of several, and what is below them
_MOST_STRIPS = 4
_MOST_LEGEND_LINES = 2
_BARS_MM = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
_BAR_SHARE = 0.13  # of the width, at most
_LEAST_MS, _LEAST_CYCLES = 1000.0, 1.5  # of what has been measured, for a speed and a rhythm
_UPDATES, _UPDATE_MS = 40, 500.0  # of the gait: how often at most, and how far apart at least


class Scene:
    """Draws any moment of a recording into a buffer of pixels.

    Only moving parts are drawn per frame, over a background drawn once. Coordinates are those of the camera:
    everything is shifted by the camera's position. Texts have bands of their own above and below the plate; on the
    plate there are only the numbers of several worms, where they cover nothing.

    Attributes:
        figure: what everything is drawn on.
        plate: axes in mm, whose origin is where the camera looks.
        camera: where that is, and how much of the plate it shows.
        worms: the moving artists of each.

    Args:
        recording: with at least two frames.
        size: of the picture [pixel], width and height.
        worm: the one the camera follows; if None, all are in view.

    Raises:
        ConfigError: if there is no such worm.
    """

    def __init__(self, recording: RecordedRun, size: tuple[int, int], worm: int | None = None) -> None:
        self._recording, self._time = recording, recording.time
        self._known = who_is_who(recording)
        several = len(self._known) > 1
        recording.track(worm or 0)
        # The same layout for every size: text and lines scale with the picture.
        dpi = size[0] / _WIDTH_INCH
        self._tall = size[1] / dpi
        self.figure = Figure(figsize=(_WIDTH_INCH, self._tall), dpi=dpi, facecolor=style.AGAR)
        self._canvas = FigureCanvasAgg(self.figure)
        font = {"font.family": "DejaVu Sans", "text.color": style.INK, "font.size": _TEXT, "text.parse_math": False}
        with mpl.rc_context(font):
            strips = list(range(len(self._known))) if worm is None else [worm]
            strips = strips if len(strips) <= _MOST_STRIPS else [0]
            self._measured = strips[0]
            foot = _FOOT_INCH + (_STRIP_INCH if len(strips) == 1 else _STRIPS_INCH * len(strips))
            head = self._lay_head(several)
            self.plate, self.camera = self._lay_plate(head, foot, worm)
            self._lay_key()
            self._lay_dots()
            self._lay_obstacles(recording.round_obstacles)
            self._fields = self._lay_fields(recording)
            known = self._known if several else [None]
            pairs = zip(recording.worms, known, strict=True)
            self.worms = [DrawnWorm(self.plate, track, who, self.camera.width) for track, who in pairs]
            self._lay_strips(strips, foot)
        self._gaits: dict[int, str] = {}
        self._canvas.draw()
        self._background = self._canvas.copy_from_bbox(self.figure.bbox)

    # --- laying out

    def _up(self, inches: float) -> float:
        """Height above the bottom of the picture, as a share, of a place this far below its top [inch]."""
        return 1.0 - inches / self._tall

    def _lay_head(self, several: bool) -> float:
        """Clock, gait, and of several worms who they are; the height of it all [inch]."""
        write = partial(self.figure.text, va="top", fontsize=_TEXT)
        self._clock = write(_LEFT, self._up(0.14), "", animated=True)
        self._clock.set_fontsize(_CLOCK)
        self._caption = write(_LEFT, self._up(0.72), "", color=style.NEUTRAL, animated=True)
        below = 0.72 + _LINE_INCH
        if several:
            below = self._lay_legend(below)
        self._field_texts = []
        for _ in settings.fields(self._recording):
            self._field_texts.append(write(_LEFT, self._up(below), "", color=style.NEUTRAL))
            below += _LINE_INCH
        return below + 0.06

    def _lay_legend(self, below: float) -> float:
        """Every worm with its number, colour and interventions, in a few lines; where the next line begins [inch]."""
        x, lines, right = _LEFT, 1, 0.98
        for who in self._known:
            text = self.figure.text(x, self._up(below), who.label(), color=who.colour, va="top", fontsize=_SMALL)
            end = text.get_window_extent(self._canvas.get_renderer()).x1 / self.figure.bbox.width
            if end > right and x > _LEFT:
                if lines == _MOST_LEGEND_LINES:
                    text.set_text("...")
                    text.set_color(style.NEUTRAL)
                    break
                x, lines, below = _LEFT, lines + 1, below + _LINE_INCH
                text.set_position((x, self._up(below)))
                end = text.get_window_extent(self._canvas.get_renderer()).x1 / self.figure.bbox.width
            while end > right and len(text.get_text()) > 8:
                text.set_text(text.get_text().removesuffix(" ...")[:-4] + " ...")
                end = text.get_window_extent(self._canvas.get_renderer()).x1 / self.figure.bbox.width
            x = end + 0.02
        return below + _LINE_INCH

    def _lay_plate(self, head: float, foot: float, worm: int | None) -> tuple[Axes, Camera]:
        """Axes in mm over the whole width, and the camera that looks at them."""
        tall = self._tall - head - foot
        plate = self.figure.add_axes((0.0, foot / self._tall, 1.0, tall / self._tall))
        plate.set_axis_off()
        camera = Camera(self._recording, worm, tall / _WIDTH_INCH)
        half = 0.5 * camera.width * np.array([1.0, tall / _WIDTH_INCH])
        plate.set(xlim=(-half[0], half[0]), ylim=(-half[1], half[1]))
        return plate, camera

    def _lay_key(self) -> None:
        """What marks and colours mean, and a scale bar, at the right above the plate."""
        write = partial(self.figure.text, va="center", fontsize=_SMALL)
        for row, (word, tint) in enumerate((("dorsal muscle", style.DORSAL), ("ventral muscle", style.VENTRAL))):
            y = self._up(0.26 + 0.3 * row)
            write(0.90, y, word, ha="right")
            inset = self.figure.add_axes((0.91, y - 0.065 / self._tall, 0.065, 0.13 / self._tall))
            inset.imshow(np.linspace(to_rgb(style.BODY), to_rgb(tint), 64)[None], aspect="auto")
            inset.set_axis_off()
        self._bar_mm = max(each for each in _BARS_MM if each <= max(_BARS_MM[0], _BAR_SHARE * self.camera.width))
        long, middle, y = self._bar_mm / self.camera.width, 0.65, self._up(0.56)
        self.figure.add_artist(mpl.lines.Line2D(
            [middle - 0.5 * long, middle + 0.5 * long], [y, y], color=style.INK, lw=4, solid_capstyle="butt"
        ))  # fmt: skip
        write(middle, self._up(0.26), f"{self._bar_mm:g} mm", ha="center")
        self.figure.add_artist(mpl.lines.Line2D(
            [0.475], [self._up(0.26)], marker="o", ms=7.5, mfc=style.INK, mec=style.PAPER, mew=0.8
        ))  # fmt: skip
        write(0.49, self._up(0.26), "head")

    def _lay_dots(self) -> None:
        """A grid on the agar, a scale bar apart, which shows that the camera moves."""
        step, half = self._bar_mm, 0.5 * self.camera.width
        at = np.arange(-half - step, half + 2 * step, step)
        self._grid = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
        self._dots = self.plate.scatter(*self._grid.T, s=5, color=style.GRID, linewidths=0, animated=True)

    def _lay_obstacles(self, circles: np.ndarray) -> None:
        """Outlines of pillars and dishes, filled where a worm cannot go."""
        self._circles = circles[:, :2]
        wide = 2.0 * circles[:, 2]
        solid = np.where(circles[:, 3:] == 0.0, [to_rgba(style.GRID, 0.8)], [to_rgba(style.GRID, 0.0)])
        self._obstacles = EllipseCollection(
            wide, wide, np.zeros(len(wide)), units="xy", offsets=self._circles, transOffset=self.plate.transData,
            facecolors=solid.reshape(-1, 4), edgecolors=style.NEUTRAL, linewidths=1.0, animated=True,
        )  # fmt: skip
        self.plate.add_collection(self._obstacles)

    def _lay_fields(self, recording: RecordedRun) -> list[tuple[list[np.ndarray], LineCollection]]:
        """Contours of the fields of the arena wherever the camera gets to; they stay while it moves."""
        laid = []
        for each, text in zip(contours(recording, self.camera.reach), self._field_texts, strict=False):
            spaced = f", {_spaced(each.levels)}" if len(each.levels) else ""
            text.set_text(f"contours: {each.label}{spaced}" if spaced else each.label)
            colour, dashes = each.look
            lines = LineCollection([], colors=colour, linestyles=dashes, linewidths=0.9, animated=True)
            self.plate.add_collection(lines, autolim=False)
            laid.append((each.lines(), lines))
        return laid

    def _lay_strips(self, worms: list[int], foot: float) -> None:
        """Kymographs below each other, each hidden by a cover that gives way as time goes by."""
        high = _STRIP_INCH if len(worms) == 1 else _STRIPS_INCH
        self._covers, first = [], self._time[0] / MS_PER_S
        for row, worm in enumerate(worms):
            low = (foot - 0.04 - high * (row + 1)) / self._tall
            strip = self.figure.add_axes((0.075, low, 0.90, (high - 0.04) / self._tall))
            draw_kymograph(strip, self._time, self._recording.track(worm))
            strip.tick_params(length=0, labelsize=_SMALL, labelcolor=style.INK, labelbottom=worm == worms[-1])
            if len(worms) == 1:
                strip.set_yticks([0.08, 0.92], ["nose", "tail"])
            else:
                strip.set_yticks([0.5], [str(worm)], color=self._known[worm].colour, fontweight="bold")
            strip.set_autoscale_on(False)
            for spine in strip.spines.values():
                spine.set_visible(False)
            cover = Rectangle((first, 0.0), 1.0, 1.0, fc=style.AGAR, ec="none", animated=True)
            cursor = strip.axvline(first, color=style.INK, lw=1.6, animated=True)
            strip.add_patch(cover)
            self._covers.append((strip, cover, cursor))
        whose = f" of worm {worms[0]}" if len(self._known) > 1 and len(worms) == 1 else ""
        order = "" if len(worms) == 1 else ", nose on top,"
        caption = f"curvature{whose}{order} over time [s]: dorsal bends red, ventral bends blue"
        self.figure.text(0.525, 0.1 / self._tall, caption, fontsize=_SMALL, color=style.NEUTRAL, ha="center")

    # --- drawing

    def draw(self, time: float) -> np.ndarray:
        """The picture at a time.

        Args:
            time: [ms]

        Returns:
            Red, green, blue, opacity, shape (height, width, 4), 8 bit; valid until the next call.
        """
        place = float(np.interp(time, self._time, np.arange(len(self._time))))
        eye = self.camera.at(place)
        self._canvas.restore_region(self._background)
        self._dots.set_offsets(self._grid - eye % self._bar_mm)
        self.plate.draw_artist(self._dots)
        if len(self._circles):
            self._obstacles.set_offsets(self._circles - eye)
            self.plate.draw_artist(self._obstacles)
        for lines, drawn in self._fields:
            drawn.set_segments([line - eye for line in lines])
            self.plate.draw_artist(drawn)
        self._draw_worms(place, eye)
        self._clock.set_text(f"{time / MS_PER_S:.1f} s")
        self._caption.set_text(self._gait(time))
        for text in (self._clock, self._caption):
            self.figure.draw_artist(text)
        self._draw_strips(time)
        return np.asarray(self._canvas.buffer_rgba())

    def _draw_worms(self, place: float, eye: np.ndarray) -> None:
        """Trails, on them the bodies, and beside both the numbers."""
        lines = [worm.line(place) for worm in self.worms]
        seen = [(worm, line) for worm, line in zip(self.worms, lines, strict=True) if line is not None]
        bodies = np.concatenate([line for _, line in seen]) if seen else np.zeros((0, 2))
        trails = [worm.trail(place, line, bodies) for worm, line in zip(self.worms, lines, strict=True)]
        for worm, pieces in zip(self.worms, trails, strict=True):
            worm.draw_trail(pieces, eye)
        for worm, line in seen:
            worm.draw(line, place, eye)
        if len(self.worms) == 1:
            return
        # A circle around two bold digits; a body is thinner than its outline is wide.
        radius = 0.8 * NUMBER_SIZE / 72.0 / _WIDTH_INCH * self.camera.width
        taken = np.concatenate([bodies, *(piece for pieces in trails for piece in pieces)])
        for worm, line in seen:
            spot = worm.draw_number(line, eye, taken, radius)
            worm.number.set_visible(spot is not None)
            if spot is not None:
                taken = np.concatenate([taken, spot + radius * _CIRCLE])

    def _draw_strips(self, time: float) -> None:
        now = time / MS_PER_S
        for strip, cover, cursor in self._covers:
            end = strip.get_xlim()[1]
            cover.set_bounds(now, -0.1, max(end - now, 0.0), 1.2)
            cursor.set_xdata([now, now])
            strip.draw_artist(cover)
            strip.draw_artist(cursor)

    def _gait(self, time: float) -> str:
        """The gait, measured from the frames up to now."""
        span = self._time[-1] - self._time[0]
        step = max(_UPDATE_MS, span / _UPDATES)
        until = int((time - self._time[0]) / step + 1e-9)
        if until not in self._gaits:
            count = int(np.searchsorted(self._time, self._time[0] + until * step, side="right"))
            place = self._recording.medium
            before = f"{'on' if place == 'agar' else 'in'} {place}    " if place else ""
            whose = f"worm {self._measured}    " if len(self.worms) > 1 else ""
            self._gaits[until] = whose + before + _so_far(_until(self._recording, self._measured, count))
        return self._gaits[until]


_CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 8)), np.sin(np.linspace(0, 2 * np.pi, 8))], axis=1)


def _until(recording: RecordedRun, worm: int, frames: int) -> Gait:
    """Gait of the first frames of one worm."""
    track = recording.track(worm)
    dorsal = None if track.dorsal is None else track.dorsal[:frames]
    early = dataclasses.replace(track, midline=track.midline[:frames], dorsal=dorsal)
    return dataclasses.replace(recording, time=recording.time[:frames], worms=(early,)).gait()


def _so_far(gait: Gait) -> str:
    """A gait in one line, without what cannot be known yet."""
    if not gait.measured_ms >= _LEAST_MS or not np.isfinite(gait.forward_speed_mm_s):
        return "gait: not yet measured"
    if not gait.frequency_hz * gait.measured_ms / MS_PER_S >= _LEAST_CYCLES:
        return f"so far {gait.forward_speed_mm_s:+.3f} mm/s    rhythm: not yet measured"
    return f"so far {headline(gait)}"


def _spaced(levels: np.ndarray) -> str:
    """Levels in words."""
    if len(levels) == 1:
        return f"at {levels[0]:g}"
    steps = np.diff(levels)
    if not np.allclose(steps, steps[0]):
        return f"at {', '.join(f'{each:g}' for each in levels)}"
    return f"{levels[0]:g} to {levels[-1]:g} in steps of {levels[1] - levels[0]:g}"
