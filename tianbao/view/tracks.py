"""Tracks of worms seen from above: postures on the way, the paths of the centroids, and what fills the arena."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Polygon

from ..behaviour.midline import centroid
from ..recorded import RecordedRun
from ..units import MS_PER_S
from . import settings, style
from .fields import draw_fields
from .outline import Outline
from .trajectory import MARKED, draw_arena, mark_head, trajectory_size, window_of
from .worms import Who, who_is_who

_STRETCH = 0.95  # [mm] of track between drawn postures, about a body length
_LEGEND_ROW = 0.26  # [inch]
_LEGEND_COLUMNS = 2
# Opacity of the first and the last posture: the way a worm goes is seen without a scale of time.
_FAINT, _STRONG = 0.12, 0.6


def track_size(recording: RecordedRun, worms: Sequence[int]) -> tuple[float, float]:
    """Figure size [inch] with the proportions of the tracks."""
    width, height = trajectory_size(recording, worms)
    entries = (len(worms) if len(worms) > 1 else 0) + len(settings.fields(recording))
    return width, height + _LEGEND_ROW * math.ceil(entries / _LEGEND_COLUMNS)


def draw_track(figure: Figure, recording: RecordedRun, worms: Sequence[int]) -> None:
    """One worm coloured by time, or several, each in its colour.

    Args:
        figure: to draw on.
        recording: of a run.
        worms: their numbers.
    """
    axes = figure.add_subplot()
    if len(recording.time) < 2:
        style.say(axes, "fewer than two frames were recorded")
        return
    axes.set(xlabel=MARKED, ylabel="y [mm]")
    axes.set_aspect("equal")
    entries = [] if len(worms) == 1 else _several(axes, recording, worms)
    if len(worms) == 1:
        _one(figure, axes, recording, worms[0])
    window = window_of(recording, worms)
    axes.set(xlim=window[:2], ylim=window[2:])
    if entries := [*entries, *draw_fields(axes, recording, window)]:
        figure.legend(
            handles=entries, loc="outside lower left", ncols=_LEGEND_COLUMNS, frameon=False, fontsize=8.5
        )


def _one(figure: Figure, axes: Axes, recording: RecordedRun, worm: int) -> None:
    seconds, midline = recording.time / MS_PER_S, recording.worms[worm].midline
    outline, place = Outline(midline.shape[1]), centroid(midline)
    colour = ScalarMappable(Normalize(0.0, seconds[-1]), style.ELAPSED)
    for k in _postures(place):
        tint = colour.to_rgba(seconds[k])
        rim = outline.rim(outline.grid(midline[k]))
        axes.add_patch(Polygon(rim, facecolor=(*tint[:3], 0.35), edgecolor=tint, linewidth=0.8))
        mark_head(axes, midline[k], tint)
        # Above the whole body, where neither it nor the track is.
        above = (midline[k, 0, 0], midline[k, :, 1].max())
        axes.annotate(f"{seconds[k]:.0f} s", above, xytext=(0, 9), textcoords="offset points", ha="center",
                      fontsize=8, color=style.INK)  # fmt: skip
    segments = np.stack([place[:-1], place[1:]], axis=1)
    axes.add_collection(LineCollection(segments, colors=colour.to_rgba(seconds[1:]), linewidth=2.0))
    for x, y, radius, _ in recording.round_obstacles:
        axes.add_patch(Circle((x, y), radius, facecolor="none", edgecolor=style.NEUTRAL, linewidth=1.0))
    axes.set_title(f"track of the centroid, net {np.linalg.norm(place[-1] - place[0]):.2f} mm", loc="left")
    bar = figure.colorbar(colour, ax=axes, pad=0.012, aspect=18, shrink=0.7)
    bar.set_label("time [s]")
    bar.outline.set_visible(False)


def _several(axes: Axes, recording: RecordedRun, worms: Sequence[int]) -> list[Line2D]:
    """Worms in their colours, each with its number at its head; entries for a legend."""
    known = who_is_who(recording)
    draw_arena(axes, recording, window_of(recording, worms))
    for worm in worms:
        _way(axes, recording.worms[worm].midline, known[worm])
    axes.set_title(f"tracks of {len(worms)} worms, {recording.duration / MS_PER_S:.1f} s, the last posture darkest",
                   loc="left")  # fmt: skip
    return [Line2D([], [], color=known[k].colour, linewidth=3.0, label=style.plain(known[k].label())) for k in worms]


def _way(axes: Axes, midline: np.ndarray, who: Who) -> None:
    seen = midline[np.isfinite(midline).all(axis=(1, 2))]
    if not len(seen):
        return
    outline, place = Outline(midline.shape[1]), centroid(seen)
    shown = _postures(place)
    for k, alpha in zip(shown, np.linspace(_FAINT, _STRONG, len(shown)), strict=True):
        rim = outline.rim(outline.grid(seen[k]))
        axes.add_patch(
            Polygon(rim, facecolor=(*to_rgb(who.colour), alpha), edgecolor=who.colour, linewidth=0.7, zorder=3)
        )
        mark_head(axes, seen[k], who.colour)
    axes.plot(*place.T, color=who.colour, linewidth=1.8, zorder=4)
    inward = seen[-1, 0, :2] - seen[-1, min(3, midline.shape[1] - 1), :2]
    ahead = 9.0 * inward / max(float(np.linalg.norm(inward)), 1e-12)
    axes.annotate(str(who.number), seen[-1, 0, :2], xytext=ahead, textcoords="offset points", ha="center", va="center",
                  fontsize=9, fontweight="bold", color=who.colour, zorder=5)  # fmt: skip


def _postures(place: np.ndarray) -> list[int]:
    """Frames in which a worm hardly overlaps itself: first, last, and evenly spaced ones along the track between."""
    gone = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(place, axis=0), axis=1))])
    between = np.linspace(0.0, gone[-1], 1 + int(np.clip(gone[-1] / _STRETCH, 1, 12)))
    return sorted({*np.searchsorted(gone, between[:-1]).tolist(), len(place) - 1})
