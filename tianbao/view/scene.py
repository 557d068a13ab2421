"""The frames of a video: worms, tracks, fields and a kymograph, redrawn on one canvas."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import EllipseCollection, LineCollection, PolyCollection
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..behaviour.midline import centroid
from ..recorded import RecordedRun, WormTrack
from ..units import MS_PER_S
from . import style
from .fields import contours
from .outline import Outline
from .plots import draw_kymograph, headline
from .worms import Who, who_is_who

VIEW_MM = 2.0
_WIDEST_MM = 6.0  # beyond it a worm is too small to be seen bending
_STEP_MM, _WIDE_STEP_MM = 0.2, 0.5
_WIDTH_INCH = 12.8
_CAMERA_MS = 2000.0
_STRIP = (0.075, 0.055, 0.85, 0.145)
_AHEAD_MM = 0.05  # from the nose to the number of a worm
_FOOT = 0.22  # share of the height that belongs to the strip


class Scene:
    """Draws any moment of a recording into a buffer of pixels.

    Only moving parts are drawn per frame, over a background drawn once. Coordinates are those of the
    camera: everything is shifted by the camera's position.

    Args:
        recording: with at least two frames.
        size: of the picture [pixel], width and height.
        worm: the one the camera follows.
    """

    def __init__(self, recording: RecordedRun, size: tuple[int, int], worm: int = 0) -> None:
        self._time = recording.time
        # The same layout for every size: text and lines scale with the picture.
        dpi = size[0] / _WIDTH_INCH
        self._figure = Figure(figsize=(_WIDTH_INCH, size[1] / dpi), dpi=dpi, facecolor=style.AGAR)
        self._canvas = FigureCanvasAgg(self._figure)
        self._camera = _smooth(self._time, centroid(recording.track(worm).midline))
        with mpl.rc_context({"font.family": "DejaVu Sans", "text.color": style.INK, "font.size": 11}):
            self._view = _view(recording, self._camera, size)
            # Dots and scale bar: a fifth of a body length, or half of one in a wide view.
            self._step = _STEP_MM if self._view < 2.0 * VIEW_MM else _WIDE_STEP_MM
            self._plate = self._lay_plate(size)
            self._lay_obstacles(recording.round_obstacles)
            self._fields = self._lay_fields(recording)
            known = who_is_who(recording) if len(recording.worms) > 1 else [None]
            tracks, scale = zip(recording.worms, known, strict=True), VIEW_MM / self._view
            self._worms = [_DrawnWorm(self._plate, track, who, scale) for track, who in tracks]
            self._clock = self._plate.text(0.025, 0.95, "", transform=self._plate.transAxes, fontsize=20, va="top")
            self._lay_captions(recording, worm)
            # Drawn over the worm and its trail, so redrawn with them.
            numbers = [each for drawn in self._worms for each in drawn.texts]
            self._over = [*(each for each in self._plate.texts if each not in numbers), *self._bar]
            for artist in self._over:
                artist.set_animated(True)
            self._cursor = self._lay_strip(recording, worm)
        self._canvas.draw()
        self._background = self._canvas.copy_from_bbox(self._figure.bbox)

    def _lay_plate(self, size: tuple[int, int]) -> Axes:
        plate = self._figure.add_axes((0.0, 0.0, 1.0, 1.0))
        plate.set_axis_off()
        half = 0.5 * self._view
        tall = half * size[1] / size[0]
        # The strip covers the bottom of the picture, so the camera points slightly below the worm.
        plate.set(xlim=(-half, half), ylim=(-(1.0 + _FOOT) * tall, (1.0 - _FOOT) * tall))
        at = np.arange(-half - self._step, half + 2 * self._step, self._step)
        self._grid = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
        self._dots = plate.scatter(*self._grid.T, s=5, color=style.GRID, linewidths=0, animated=True)
        self._dots.set_clip_path(Rectangle((0.0, _FOOT), 1.0, 1.0 - _FOOT, transform=plate.transAxes))
        return plate

    def _lay_obstacles(self, circles: np.ndarray) -> None:
        """Outlines of pillars and dishes, filled where a worm cannot go."""
        self._circles = circles[:, :2]
        wide = 2.0 * circles[:, 2]
        solid = np.where(circles[:, 3:] == 0.0, [to_rgba(style.GRID, 0.8)], [to_rgba(style.GRID, 0.0)])
        self._obstacles = EllipseCollection(
            wide, wide, np.zeros(len(wide)), units="xy", offsets=self._circles, transOffset=self._plate.transData,
            facecolors=solid.reshape(-1, 4), edgecolors=style.NEUTRAL, linewidths=1.0, animated=True,
        )  # fmt: skip
        self._plate.add_collection(self._obstacles)
        self._obstacles.set_clip_path(Rectangle((0.0, _FOOT), 1.0, 1.0 - _FOOT, transform=self._plate.transAxes))

    def _lay_fields(self, recording: RecordedRun) -> list[tuple[list[np.ndarray], LineCollection]]:
        """Contours of the fields of the arena wherever the camera gets to; they stay while it moves."""
        low, high = self._camera.min(axis=0) - 0.5 * self._view, self._camera.max(axis=0) + 0.5 * self._view
        laid, labels = [], []
        for each in contours(recording, (low[0], high[0], low[1], high[1])):
            colour, dashes = each.look
            lines = LineCollection([], colors=colour, linestyles=dashes, linewidths=0.9, animated=True)
            self._plate.add_collection(lines, autolim=False)
            lines.set_clip_path(Rectangle((0.0, _FOOT), 1.0, 1.0 - _FOOT, transform=self._plate.transAxes))
            laid.append((each.lines(), lines))
            named = style.plain(each.label)
            labels.append(f"contours: {named}, {_spaced(each.levels)}" if len(each.levels) else named)
        self._plate.text(0.025, 0.245, "\n".join(labels), transform=self._plate.transAxes, fontsize=10,
                         color=style.NEUTRAL, va="bottom")  # fmt: skip
        return laid

    def _lay_captions(self, recording: RecordedRun, worm: int) -> None:
        plate, across = self._plate, self._plate.transAxes
        place = f"on {recording.medium}    " if recording.medium == "agar" else f"in {recording.medium}    "
        text = headline(recording.gait(worm))
        text = style.plain(place) + text if recording.medium else text
        if len(recording.worms) > 1:
            text = f"{style.plain(who_is_who(recording)[worm].label())}\n{text}"
        plate.text(0.025, 0.868, text, transform=across, va="top", color=style.NEUTRAL)
        for row, (word, tint) in enumerate((("dorsal muscle", style.DORSAL), ("ventral muscle", style.VENTRAL))):
            plate.text(0.905, 0.945 - 0.045 * row, word, transform=across, ha="right", va="top", fontsize=10)
            ramp = np.linspace(to_rgb(style.BODY), to_rgb(tint), 64)[None]
            inset = self._figure.add_axes((0.915, 0.923 - 0.045 * row, 0.06, 0.018))
            inset.imshow(ramp, aspect="auto", interpolation="bilinear")
            inset.set_axis_off()
        right, low = plate.get_xlim()[1] * 0.95, plate.get_ylim()[0] + 0.25 * np.ptp(plate.get_ylim())
        self._bar = plate.plot([right - self._step, right], [low, low], color=style.INK, lw=3, solid_capstyle="butt")
        above = low + 0.006 * self._view
        plate.text(right - 0.5 * self._step, above, f"{self._step:g} mm", ha="center", va="bottom")

    def _lay_strip(self, recording: RecordedRun, worm: int):
        strip = self._figure.add_axes(_STRIP)
        draw_kymograph(strip, self._time, recording.track(worm))
        strip.set_yticks([0.03, 0.97], ["nose", "tail"], fontsize=9)
        strip.tick_params(length=0, labelsize=9, labelcolor=style.INK)
        whose = f" of worm {worm}" if len(recording.worms) > 1 else ""
        caption = f"curvature{whose} over time [s]: dorsal bends red, ventral bends blue"
        strip.set_xlabel(caption, fontsize=9, labelpad=1, color=style.NEUTRAL)
        strip.set_autoscale_on(False)
        for spine in strip.spines.values():
            spine.set_visible(False)
        return strip.axvline(self._time[0] / MS_PER_S, color=style.INK, lw=1.6, animated=True)

    def draw(self, time: float) -> np.ndarray:
        """The picture at a time.

        Args:
            time: [ms]

        Returns:
            Red, green, blue, opacity, shape (height, width, 4), 8 bit; valid until the next call.
        """
        place = float(np.interp(time, self._time, np.arange(len(self._time))))
        eye = _at(self._camera, place)
        self._canvas.restore_region(self._background)
        self._dots.set_offsets(self._grid - eye % self._step)
        self._plate.draw_artist(self._dots)
        if len(self._circles):
            self._obstacles.set_offsets(self._circles - eye)
            self._plate.draw_artist(self._obstacles)
        for lines, drawn in self._fields:
            drawn.set_segments([line - eye for line in lines])
            self._plate.draw_artist(drawn)
        for drawn in self._worms:
            drawn.draw(place, eye)
        self._clock.set_text(f"{time / MS_PER_S:.1f} s")
        for artist in self._over:
            self._plate.draw_artist(artist)
        self._cursor.set_xdata([time / MS_PER_S] * 2)
        self._cursor.axes.draw_artist(self._cursor)
        return np.asarray(self._canvas.buffer_rgba())


class _DrawnWorm:
    """A worm and the trail of its centre; of several worms, each with its number at its head, in its colour.

    Attributes:
        texts: the number, if there is one.
    """

    _TRAIL = 600  # segments at most

    def __init__(self, plate: Axes, track: WormTrack, who: Who | None, scale: float) -> None:
        self._plate, self._track = plate, track
        self._outline = Outline(track.midline.shape[1])
        self._middle = track.midline[:, track.midline.shape[1] // 2, :2]
        self._shade = _shade(self._outline.across)
        self._sides = [self._side(track, names) for names in (("VL", "VR"), ("DL", "DR"))]
        trail = to_rgba(who.colour, 0.45) if who else style.TRAIL
        self._trail = LineCollection([], colors=[trail], linewidths=5.0 * scale, capstyle="round", animated=True)
        self._skin = PolyCollection([], animated=True, antialiased=False, linewidths=0)
        (self._rim,) = plate.plot([], [], color=style.INK, lw=1.3 * scale, solid_joinstyle="round", animated=True)
        for artist in (self._trail, self._skin):
            plate.add_collection(artist, autolim=False)
        self.texts = [
            plate.text(0.0, 0.0, str(each.number), ha="center", va="center", fontweight="bold", color=each.colour,
                       fontsize=13, animated=True)
            for each in [who] if each
        ]  # fmt: skip
        self._moving = [self._trail, self._skin, self._rim, *self.texts]
        # Above the strip, which the worm that the camera follows never reaches, but others may.
        for artist in self._moving:
            artist.set_clip_path(Rectangle((0.0, _FOOT), 1.0, 1.0 - _FOOT, transform=plate.transAxes))

    def _side(self, track: WormTrack, quadrants: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
        """Positions along the body of the muscles of one side, and their activation over time."""
        columns = np.concatenate([track.quadrant(name) for name in quadrants])
        rows = np.array([int(track.muscles[k][3:]) for k in columns], int)
        listed = np.unique(rows)
        active = [track.muscle_activation[:, columns[rows == row]].mean(axis=1) for row in listed]
        return (listed - 0.5) / max(listed.max(initial=1), 1), np.array(active).T.reshape(len(track.midline), -1)

    def draw(self, place: float, eye: np.ndarray) -> None:
        """Draw at a fractional frame, seen from `eye` [mm]."""
        line = _at(self._track.midline, place)
        grid = self._outline.grid(line) - eye
        gone = self._middle[: int(place) + 1]
        trail = gone[:: max(1, len(gone) // self._TRAIL)] - eye
        self._trail.set_segments([trail] if len(trail) > 1 else [])
        self._skin.set_verts(self._outline.quads(grid))
        self._skin.set_facecolor(self._colours(place))
        self._rim.set_data(*self._outline.rim(grid).T)
        inward = line[0, :2] - line[min(3, len(line) - 1), :2]
        for number in self.texts:
            number.set_position(line[0, :2] - eye + _AHEAD_MM * inward / max(float(np.linalg.norm(inward)), 1e-12))
        for artist in self._moving:
            self._plate.draw_artist(artist)

    def _colours(self, place: float) -> np.ndarray:
        """Colour of every quadrilateral: plain body, tinted by the muscles of its side."""
        s = 0.5 * (self._outline.s[1:] + self._outline.s[:-1])
        v = 0.5 * (self._outline.across[1:] + self._outline.across[:-1])
        body = np.broadcast_to(np.array(to_rgb(style.BODY)), (len(s), len(v), 3)).copy()
        for (at, active), tint, side in zip(self._sides, (style.VENTRAL, style.DORSAL), (v < 0, v > 0), strict=True):
            if not len(at):
                continue
            level = np.clip(np.interp(s, at, _at(active, place)), 0.0, 1.0)
            # Muscles lie under the skin, so the tint fades towards the middle of the body.
            weight = level[:, None] * np.clip(1.6 * np.abs(v[side]), 0.0, 1.0)
            body[:, side] += weight[..., None] * (np.array(to_rgb(tint)) - body[:, side])
        return (body * self._shade[:, None]).reshape(-1, 3)


def _view(recording: RecordedRun, camera: np.ndarray, size: tuple[int, int]) -> float:
    """Width of the picture [mm], wide enough for every worm of several, as far as they can still be seen."""
    if len(recording.worms) == 1:
        return VIEW_MM
    away = [np.nanmax(np.abs(track.midline[..., :2] - camera[:, None]), axis=(0, 1)) for track in recording.worms]
    across, up = np.max(away, axis=0) + 2.0 * _AHEAD_MM
    return float(np.clip(2.0 * max(across, up * size[0] / size[1] / (1.0 - _FOOT)), VIEW_MM, _WIDEST_MM))


def _spaced(levels: np.ndarray) -> str:
    """Evenly spaced levels in words."""
    if len(levels) == 1:
        return f"at {levels[0]:g}"
    return f"{levels[0]:g} to {levels[-1]:g} in steps of {levels[1] - levels[0]:g}"


def _shade(across: np.ndarray) -> np.ndarray:
    """Light from above on a round body, shape (across - 1,)."""
    v = 0.5 * (across[1:] + across[:-1])
    return 0.80 + 0.20 * np.sqrt(1.0 - v**2)


def _at(values: np.ndarray, place: float) -> np.ndarray:
    """Linear interpolation between frames."""
    low = min(int(place), len(values) - 1)
    high, share = min(low + 1, len(values) - 1), place - low
    return (1.0 - share) * values[low] + share * values[high]


def _smooth(time_ms: np.ndarray, track: np.ndarray) -> np.ndarray:
    """Running mean of a track, so that the camera does not sway with the worm."""
    half = max(1, int(0.5 * _CAMERA_MS / (time_ms[1] - time_ms[0])))
    # Extended by point reflection; otherwise the camera would stop at both ends of the video.
    half = min(half, len(track) - 1)
    before, after = 2 * track[0] - track[half:0:-1], 2 * track[-1] - track[-2 : -half - 2 : -1]
    sums = np.cumsum(np.vstack([np.zeros(2), before, track, after]), axis=0)
    return (sums[2 * half + 1 :] - sums[: -2 * half - 1]) / (2 * half + 1)


