"""Activity shown on the body: neurons with their traced morphologies, and muscles, in the current posture."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from ..anatomy import muscles
from ..recorded import WormTrack
from ..units import MS_PER_S
from . import style
from .nerves import UNRECORDED, VOLTAGE, Posture, muscle_activation_at, nerves, voltage_at, voltage_range
from .outline import Outline

# The muscle bands are drawn outside the outline, so that they do not hide the nerve cords: extent in radii.
_BAND = (1.10, 1.42)
_WIDE = 9.0  # [inch]
_MARGIN_MM = 0.03
_BAR_INCH = 1.5


def moments(time_ms: np.ndarray, midline: np.ndarray, wanted: list[float] | None, count: int = 4) -> list[int]:
    """Frames to show: those nearest to the given times [ms], or a few evenly spaced in the second half.

    Frames without a midline are skipped.
    """
    known = np.flatnonzero(np.isfinite(midline).all(axis=(1, 2)))
    if not len(known):
        return []
    if wanted is None:
        # The start is a transient: the worm has just been placed in the arena.
        wanted = np.linspace(0.5 * (time_ms[known[0]] + time_ms[known[-1]]), time_ms[known[-1]], count)
    return list(dict.fromkeys(int(known[np.argmin(np.abs(time_ms[known] - each))]) for each in wanted))


def activity_size(track: WormTrack, frames: list[int]) -> tuple[float, float]:
    """Figure size [inch] for the levelled postures."""
    tall = sum(np.ptp(_levelled(track, k)[0][:, 1]) + 4 * _MARGIN_MM + 0.08 for k in frames)
    return _WIDE, float(np.clip(_WIDE * 0.92 * tall / 1.06, 1.5, 14.0)) + _BAR_INCH


def draw_activity(figure: Figure, time_ms: np.ndarray, track: WormTrack, frames: list[int]) -> None:
    """One row per frame, the worm rotated so that its head is on the right; colour bars below."""
    if not frames:
        style.say(figure.add_subplot(), "no frame with a posture was recorded")
        return
    postures = [_levelled(track, k) for k in frames]
    heights = [np.ptp(line[:, 1]) + 4 * _MARGIN_MM + 0.08 for line, _ in postures]
    rows = figure.subplots(len(frames), 1, squeeze=False, height_ratios=heights)[:, 0]
    voltages = ScalarMappable(Normalize(*voltage_range(track)), VOLTAGE)
    strongest = float(track.muscle_activation.max(initial=0.05))
    active = ScalarMappable(Normalize(0.0, strongest), style.ACTIVATION)
    for axes, k, (line, dorsal) in zip(rows, frames, postures, strict=True):
        _muscles(axes, muscle_activation_at(track, k), line, _dorsal_up(line, dorsal), active)
        _body(axes, line)
        _neurons(axes, Posture(line, dorsal), voltage_at(track, time_ms[k]), voltages)
        _frame(axes, line, f"{time_ms[k] / MS_PER_S:.2f} s")
    recorded = len(set(track.neurons) & set(nerves().names))
    rows[0].set_title(_title(recorded, all(_dorsal_up(*each) for each in postures)), loc="left", pad=10)
    for mappable, label in ((voltages, "soma voltage [mV]"), (active, "muscle activation: bands along the body")):
        if (recorded if mappable is voltages else len(track.muscles)) == 0:
            continue
        bar = figure.colorbar(mappable, ax=list(rows), location="bottom", pad=0.015, aspect=48, shrink=0.62)
        bar.set_label(label)
        bar.outline.set_visible(False)


def _title(recorded: int, dorsal_up: bool) -> str:
    every = len(nerves().names)
    counts = {0: "no neuron recorded", every: f"all {every} neurons"}
    side = ", dorsal up" if dorsal_up else ", from above"
    return f"activity{side}: {counts.get(recorded, f'{recorded} of {every} neurons, the others grey')}"


def _dorsal_up(line: np.ndarray, dorsal: np.ndarray | None) -> bool:
    """Whether a levelled worm lies on its left side, as on agar, rather than rolled over."""
    if dorsal is None:
        return True
    return bool((dorsal * np.cross(np.gradient(line, axis=0), [0.0, 0.0, 1.0])).sum() >= 0.0)


def _levelled(track: WormTrack, frame: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Midline rotated about the vertical so that the head is on the right and dorsal up, and dorsal rotated with it."""
    line = np.array(track.midline[frame], float)
    line -= line.mean(axis=0)
    chord = line[0] - line[-1]
    turn = -np.arctan2(chord[1], chord[0])
    rotation = np.array([[np.cos(turn), np.sin(turn), 0.0], [-np.sin(turn), np.cos(turn), 0.0], [0.0, 0.0, 1.0]])
    dorsal = None if track.dorsal is None else np.asarray(track.dorsal[frame], float) @ rotation
    return line @ rotation, dorsal


def _body(axes: Axes, line: np.ndarray) -> None:
    outline = Outline(len(line))
    rim = outline.rim(outline.grid(line))
    axes.add_patch(Polygon(rim, facecolor=style.BODY, edgecolor=style.INK, linewidth=0.9, zorder=2))


def _muscles(axes: Axes, values: np.ndarray, line: np.ndarray, dorsal_up: bool, active: ScalarMappable) -> None:
    """Left and right muscles of a row overlap when seen from the side: draws their mean, dorsal and ventral."""
    table = muscles()
    if not np.isfinite(values).any():
        return
    outline = Outline(len(line))
    grid = outline.grid(line)
    middle, dorsal_rim = grid[:, grid.shape[1] // 2], grid[:, -1 if dorsal_up else 0]
    bands, colours = [], []
    for side, sign in (("D", 1.0), ("V", -1.0)):
        for row in np.unique(table["row"]):
            of = ((table.quadrant.str[0] == side) & (table["row"] == row)).to_numpy()
            span = (outline.s >= table.s_start[of].min()) & (outline.s <= table.s_end[of].max())
            away = sign * (dorsal_rim[span] - middle[span])
            bands.append(np.concatenate([middle[span] + _BAND[0] * away, (middle[span] + _BAND[1] * away)[::-1]]))
            colours.append(active.to_rgba(np.nanmean(values[of])))
    axes.add_collection(PolyCollection(bands, facecolors=colours, edgecolors=style.PAPER, linewidths=0.5, zorder=1))


def _neurons(axes: Axes, posture: Posture, voltage: np.ndarray, shades: ScalarMappable) -> None:
    shape = nerves()
    places = posture.place(shape.at)[:, :2]
    silent = np.isnan(voltage)
    colours = shades.to_rgba(np.where(silent, 0.0, voltage))
    # Depolarised neurons are drawn last, so that they are on top.
    drawn = np.argsort(np.where(silent, -np.inf, voltage)[shape.segment_neuron], kind="stable")
    for which, tint, wide, dot, layer in (
        (silent, np.array([style.FAINT]), 0.25, 1.2, 3), (~silent, None, 0.75, 13.0, 4),
    ):  # fmt: skip
        pieces = drawn[which[shape.segment_neuron][drawn]]
        lines = places[shape.segments[pieces]]
        axes.add_collection(LineCollection(
            lines, colors=tint if tint is not None else colours[shape.segment_neuron[pieces]], linewidths=wide,
            alpha=0.35 if tint is not None else 1.0, zorder=layer,
        ))  # fmt: skip
        spots = places[shape.somata[which]]
        axes.scatter(
            *spots.T, s=dot, c=UNRECORDED if tint is not None else colours[which], edgecolors=style.INK,
            linewidths=0.0 if tint is not None else 0.35, zorder=layer + 2,
        )  # fmt: skip


def _frame(axes: Axes, line: np.ndarray, label: str) -> None:
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set(xlim=(line[:, 0].min() - 2 * _MARGIN_MM, line[:, 0].max() + 2 * _MARGIN_MM))
    axes.set(ylim=(line[:, 1].min() - 2.6 * _MARGIN_MM, line[:, 1].max() + 2.6 * _MARGIN_MM))
    axes.text(0.0, 1.0, label, transform=axes.transAxes, va="top", fontsize=9.5, fontweight="bold")
    _mark_ends(axes, line)


def _mark_ends(axes: Axes, line: np.ndarray) -> None:
    for end, inner, word, side in ((0, 3, "head", "left"), (-1, -4, "tail", "right")):
        away = line[end, :2] - line[inner, :2]
        at = line[end, :2] + 0.02 * away / max(np.linalg.norm(away), 1e-9)
        axes.annotate(word, at, ha=side, va="center", fontsize=8, color=style.NEUTRAL)
