"""Fields of the arena seen from above: contours of equal concentration, with their names and units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ..environment import Field
from ..recorded import RecordedRun
from . import settings, style

# Colour and dashes of each field: greys, because colours tell worms apart.
_LOOKS = (("#8f8878", "solid"), ("#75858f", "dashed"), ("#8a7587", "dotted"))
_GRID = 160  # points along the longer side
_LEVELS = 7
_WIDE = 100.0  # largest over smallest value, above which lines at even steps would leave all but the source empty
_FLAT = 1e-9  # of the largest value: a field that varies less is the same everywhere

Window = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Contours:
    """Lines of equal value of one field.

    Attributes:
        field: which.
        look: colour and dashes of its lines.
        x, y: of the grid [mm], shapes (columns,) and (rows,).
        value: on the grid [unit of the field], shape (rows, columns).
        levels: of the lines [unit of the field]; empty for a field that is the same everywhere.
        changed: whether it was something else at the start of the run.
    """

    field: Field
    look: tuple[str, str]
    x: np.ndarray
    y: np.ndarray
    value: np.ndarray
    levels: np.ndarray
    changed: bool

    @property
    def label(self) -> str:
        """Name and unit, with the value of a field that is the same everywhere; and when, where it has changed."""
        name, unit, when = self.field.name, self.field.unit, " at the end" if self.changed else ""
        if len(self.levels):
            return f"{name}{when} [{unit}]"
        return f"{name}{when}: {self.value.flat[0]:.4g} {unit} everywhere"

    def lines(self) -> list[np.ndarray]:
        """All lines [mm], each of shape (points, 2)."""
        from contourpy import contour_generator

        generator = contour_generator(self.x, self.y, self.value)
        return [line for level in self.levels for line in generator.lines(level)]


def contours(recording: RecordedRun, window: Window) -> list[Contours]:
    """Every field of the arena at the last frame, in the plane of the worms.

    Args:
        recording: of a run.
        window: x from and to, y from and to [mm].
    """
    given = settings.fields(recording)
    if not given or not len(recording.time):
        return []
    x0, x1, y0, y1 = window
    step = max(x1 - x0, y1 - y0) / _GRID
    x, y = np.arange(x0, x1 + step, step), np.arange(y0, y1 + step, step)
    heights = np.concatenate([track.midline[-1, :, 2] for track in recording.worms])
    height = float(np.nanmean(heights)) if np.isfinite(heights).any() else 0.0
    points = np.stack([*np.meshgrid(x, y), np.full((len(y), len(x)), height)], axis=-1)
    drawn = []
    for k, (field, start) in enumerate(zip(recording.fields, given, strict=True)):
        value = np.asarray(field.at(points, recording.duration), float)
        before = np.asarray(start.at(points, 0.0), float)
        changed = not np.allclose(value, before, rtol=_FLAT, atol=_FLAT * np.abs(value).max())
        drawn.append(Contours(field, _LOOKS[k % len(_LOOKS)], x, y, value, _levels(value), changed))
    return drawn


def _levels(value: np.ndarray) -> np.ndarray:
    """Round values between the smallest and the largest: at even steps, or 1, 3, 10, 30 for what varies widely."""
    low, high = float(value.min()), float(value.max())
    if high - low <= _FLAT * max(abs(low), abs(high)):
        return np.zeros(0)
    if high > _WIDE * low > 0.0:
        tens = np.floor(np.log10(high)) - np.arange(_LEVELS)[::-1]
        levels = np.outer(10.0**tens, (1.0, 3.0)).ravel()
        return levels[(levels > low) & (levels < high)][-_LEVELS:]
    levels = MaxNLocator(_LEVELS).tick_values(low, high)
    return levels[(levels > low) & (levels < high)]


def draw_fields(axes: Axes, recording: RecordedRun, window: Window) -> list[Line2D]:
    """Labelled contours of every field under what axes show already.

    Args:
        axes: in mm.
        recording: of a run.
        window: what the axes show: x from and to, y from and to [mm].

    Returns:
        Entries for a legend, one per field.
    """
    entries = []
    for each in contours(recording, window):
        colour, dashes = each.look
        if len(each.levels):
            look = {"colors": colour, "linestyles": dashes, "linewidths": 0.8}
            lines = axes.contour(each.x, each.y, each.value, levels=each.levels, zorder=0.5, **look)
            texts = axes.clabel(lines, fmt="%g", fontsize=7.5)
            for text in texts:
                text.set_bbox({"facecolor": style.PAPER, "edgecolor": "none", "alpha": 0.75, "pad": 0.5})
        wide = 1.0 if len(each.levels) else 0.0
        entries.append(Line2D([], [], color=colour, linestyle=dashes, linewidth=wide, label=style.plain(each.label)))
    return entries
