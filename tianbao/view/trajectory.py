"""The trajectory of a worm, drawn with obstacles and a field."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon

from ..behaviour.midline import centroid
from ..errors import ConfigError
from ..recorded import RecordedRun
from ..units import MS_PER_S
from . import settings, style
from .fields import Window, draw_fields
from .outline import Outline

Field = Callable[[np.ndarray], np.ndarray]

FIELD = LinearSegmentedColormap.from_list("field", [style.PAPER, "#f3e3c3", "#e5bd83", "#c98f55"])
_GRID = 120  # points of the field along the longer side
_WIDE, _TALLEST, _LEGEND = 8.5, 9.0, 0.3  # [inch]
_MARGIN_MM = 0.25
MARKED = "x [mm]   (dots mark the heads)"


def trajectory_size(recording: RecordedRun, worms: Sequence[int]) -> tuple[float, float]:
    """Figure size [inch], with the proportions of the area that some worms cover."""
    if not _shown(recording, worms):
        return _WIDE, 2.6
    x0, x1, y0, y1 = window_of(recording, worms)
    legend = _LEGEND if settings.fields(recording) else 0.0
    return _WIDE, float(np.clip(0.82 * _WIDE * (y1 - y0) / (x1 - x0), 1.9, _TALLEST)) + 0.9 + legend


def draw_trajectory(
    figure: Figure, recording: RecordedRun, field: Field | None, label: str, worms: Sequence[int]
) -> None:
    """Tracks of the centroids coloured by time, first and last posture, and what is in the arena.

    Args:
        figure: to draw on.
        recording: of one or several worms.
        field: maps points [mm], shape (n, 3), to numbers, shape (n,), or velocities [mm/s], shape (n, 3); the
            fields of the arena are drawn if None.
        label: of the field.
        worms: numbers of those to draw.
    """
    axes = figure.add_subplot()
    if not _shown(recording, worms):
        style.say(axes, "fewer than two frames were recorded")
        return
    window = window_of(recording, worms)
    if field is not None:
        _field(figure, axes, window, field, label)
    entries = draw_fields(axes, recording, window) if field is None else []
    if entries:
        figure.legend(handles=entries, loc="outside lower left", ncols=len(entries), frameon=False, fontsize=8.5)
    draw_arena(axes, recording, window)
    seconds = recording.time / MS_PER_S
    colour = ScalarMappable(Normalize(*style.span(recording.time)), style.ELAPSED)
    for k in worms:
        _way(axes, recording, k, seconds, colour)
    axes.set(xlim=window[:2], ylim=window[2:], xlabel=MARKED, ylabel="y [mm]")
    axes.set_aspect("equal")
    axes.set_title(_title(recording, worms), loc="left")
    bar = figure.colorbar(colour, ax=axes, pad=0.012, aspect=18, shrink=0.8)
    bar.set_label("time [s]")
    bar.outline.set_visible(False)


def _shown(recording: RecordedRun, worms: Sequence[int]) -> bool:
    lines = [recording.worms[k].midline for k in worms]
    return len(recording.time) > 1 and any(np.isfinite(line).any() for line in lines)


def window_of(recording: RecordedRun, worms: Sequence[int]) -> Window:
    """Area covered by the bodies of some worms, with a margin, never narrower than a third of its length.

    Returns:
        x from and to, y from and to [mm].
    """
    points = np.concatenate([recording.worms[k].midline[..., :2].reshape(-1, 2) for k in worms])
    low, high = np.nanmin(points, axis=0) - _MARGIN_MM, np.nanmax(points, axis=0) + _MARGIN_MM
    least = 0.28 * (high - low).max()
    spare = np.maximum(0.0, 0.5 * (least - (high - low)))
    (x0, y0), (x1, y1) = low - spare, high + spare
    return float(x0), float(x1), float(y0), float(y1)


def _title(recording: RecordedRun, worms: Sequence[int]) -> str:
    gone = []
    for k in worms:
        place = centroid(recording.worms[k].midline)
        known = place[np.isfinite(place).all(axis=1)]
        path = np.linalg.norm(np.diff(known, axis=0), axis=1).sum()
        gone.append((np.linalg.norm(known[-1] - known[0]) if len(known) else 0.0, path))
    if len(worms) == 1:
        what = f"trajectory of the centroid: net {gone[0][0]:.2f} mm, path {gone[0][1]:.2f} mm"
    else:
        nets = [net for net, _ in gone]
        what = f"trajectories of {len(worms)} centroids: net {min(nets):.2f} to {max(nets):.2f} mm"
    text = f"{what} in {recording.duration / MS_PER_S:.1f} s"
    flow = _arena_of(recording).get("flow")
    return f"{text}, in the flow '{style.plain(flow)}'" if flow else text


def _way(axes: Axes, recording: RecordedRun, worm: int, seconds: np.ndarray, colour: ScalarMappable) -> None:
    midline = recording.worms[worm].midline
    outline, place = Outline(midline.shape[1]), centroid(midline)
    known = np.flatnonzero(np.isfinite(midline).all(axis=(1, 2)))
    for k, alpha in ((known[0], 0.18), (known[-1], 0.28)) if len(known) else ():
        tint = colour.to_rgba(seconds[k])
        rim = outline.rim(outline.grid(midline[k]))
        axes.add_patch(Polygon(rim, facecolor=(*tint[:3], alpha), edgecolor=tint, linewidth=0.8, zorder=3))
        mark_head(axes, midline[k], tint)
    segments = np.stack([place[:-1], place[1:]], axis=1)
    axes.add_collection(LineCollection(segments, colors=colour.to_rgba(seconds[1:]), linewidth=2.2,
                                       capstyle="round", zorder=4))  # fmt: skip
    if not len(known):
        return
    for k, marker, word in ((known[0], "o", "start"), (known[-1], "s", "end")):
        tint = colour.to_rgba(seconds[k])
        axes.plot(*place[k], marker, ms=6, mfc=style.PAPER, mec=tint, mew=1.6, zorder=5)
        named = f"{word} {worm}" if len(recording.worms) > 1 else word
        paper = {"facecolor": style.PAPER, "edgecolor": "none", "alpha": 0.75, "pad": 1.0}
        axes.annotate(named, place[k], xytext=(0, 12), textcoords="offset points", ha="center", fontsize=8.5,
                      color=style.INK, zorder=6, bbox=paper)  # fmt: skip


def mark_head(axes: Axes, midline: np.ndarray, colour) -> None:
    """A dot in the head of one posture."""
    x, y = midline[len(midline) // 24, :2]
    axes.scatter([x], [y], s=11.0, facecolor=[colour], edgecolor=style.PAPER, linewidth=0.5, zorder=5)


def _arena_of(recording: RecordedRun) -> dict:
    try:
        arena = tomllib.loads(recording.config_toml).get("arena", {})
    except tomllib.TOMLDecodeError:
        return {}
    return arena if isinstance(arena, dict) else {}


def draw_arena(axes: Axes, recording: RecordedRun, window: Window) -> None:
    """Pillars filled, dishes open, upright walls as lines."""
    for x, y, radius, hollow in recording.round_obstacles:
        face = "none" if hollow else style.GRID
        axes.add_patch(Circle((x, y), radius, facecolor=face, edgecolor=style.NEUTRAL, linewidth=1.0, zorder=2))
    reach = 2.0 * max(window[1] - window[0], window[3] - window[2])
    for x, y, _, nx, ny, *_ in _arena_of(recording).get("planes", []):
        size = np.hypot(nx, ny)
        if size > 1e-6:  # a floor has no line in the plane
            ends = np.array([[x, y], [x, y]]) + reach * np.array([[-1.0], [1.0]]) * np.array([-ny, nx]) / size
            axes.plot(*ends.T, color=style.NEUTRAL, linewidth=1.6, zorder=2)


def _field(figure: Figure, axes: Axes, window: Window, field: Field, label: str) -> None:
    x0, x1, y0, y1 = window
    step = max(x1 - x0, y1 - y0) / _GRID
    x, y = np.arange(x0, x1 + step, step), np.arange(y0, y1 + step, step)
    points = np.stack([*np.meshgrid(x, y), np.zeros((len(y), len(x)))], axis=-1).reshape(-1, 3)
    values = np.asarray(field(points), float)
    if values.shape not in ((len(points),), points.shape) or not np.isfinite(values).all():
        raise ConfigError(
            f"trajectory: the field gave shape {values.shape} for {len(points)} points; "
            f"give finite numbers of shape ({len(points)},) or ({len(points)}, 3)"
        )
    if values.ndim == 2:
        towards = values.reshape(len(y), len(x), 3)
        axes.streamplot(x, y, towards[..., 0], towards[..., 1], color=style.TRAIL, linewidth=0.7, arrowsize=0.7,
                        density=0.9, zorder=1)  # fmt: skip
        values = np.linalg.norm(values, axis=1)
    image = axes.contourf(x, y, values.reshape(len(y), len(x)), levels=14, cmap=FIELD, zorder=0)
    bar = figure.colorbar(image, ax=axes, location="bottom", pad=0.02, aspect=42, shrink=0.62)
    bar.set_label(label)
    bar.outline.set_visible(False)
