"""Recorded sweeps beside those of a fitted cell, its ensemble and the predecessor's fit: one panel per step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..electrophysiology.traces import Traces
from ..units import MS_PER_S
from . import style

_COLUMNS = {True: 4, False: 3}  # for more than six panels, for fewer
_BAND = "#9dbfe0"
_OURS = style.VENTRAL
_THEIRS = style.DORSAL
_RECORDED = {"color": style.INK, "lw": 1.1, "solid_capstyle": "butt"}
_MARGIN = 0.06  # of the range of an axis
_LEAST = 15.0  # mV or pA: noise of less is not blown up to fill an axis
_FARTHEST = 150.0  # mV, to which members that run away are followed
# Where the predecessor's peak and steady state were measured: share of the step under voltage clamp, else [ms].
_PEAK, _STEADY = {"current": 300.0, "voltage": 0.3}, {"current": 500.0, "voltage": 0.15}
_BLANKED = 0.6  # ms around a jump of a clamp, in which the amplifier charges the cell


def recorded_sweeps(
    run: Traces,
    recorded: pd.DataFrame,
    windows: pd.DataFrame,
    members: tuple[np.ndarray, np.ndarray] | None = None,
    whole: Mapping[float, tuple[np.ndarray, np.ndarray]] | None = None,
    path: str | Path | None = None,
) -> Figure | Path:
    """One panel per recorded step.

    Args:
        run: of the fitted cell under the recorded steps.
        recorded: rows of recordings.csv, in the same order.
        windows: rows of windows.csv of that cell.
        members: time since the start of the step [ms] and values [mV or pA] of all members of the ensemble, shapes
            (samples,) and (samples, members, sweeps); None if there is no ensemble.
        whole: step -> time since its start [ms] and values [mV or pA] of whole recordings; windows are drawn for the
            steps that are not among them.
        path: picture to write; None gives the figure.
    """
    columns = _COLUMNS[len(recorded) > 6]
    rows = math.ceil(len(recorded) / columns)

    def draw(figure: Figure) -> None:
        """Panels, and one legend for all."""
        every = figure.subplots(rows, columns, squeeze=False).ravel()
        for k, row in enumerate(recorded.itertuples()):
            mine = windows[windows.step == row.step]
            _panel(every[k], run, k, row, mine, members, (whole or {}).get(float(row.step)))
        for axes in every[len(recorded) :]:
            axes.set_axis_off()
        clamped = run.protocol.mode == "voltage"
        for axes in every[(rows - 1) * columns :]:
            axes.set_xlabel("time [ms]" if clamped else "time [s]")
        figure.supylabel("current [pA]" if clamped else "voltage [mV]", fontsize=9.5)
        figure.suptitle(run.cell)
        figure.legend(handles=_legend(members, whole), loc="outside lower center", ncols=3, frameon=False)

    return style.render(draw, (9.0, 1.7 * rows + 1.2), path)


def _panel(axes: Axes, run: Traces, k: int, row, windows: pd.DataFrame, members, whole) -> None:
    clamped = run.protocol.mode == "voltage"
    since = run.time - run.protocol.onset
    values = (run.current if clamped else run.voltage)[:, k].copy()
    duration, unit = run.protocol.epochs[1].duration, 1.0 if clamped else MS_PER_S
    # Nothing before the step is known of a clamp, and the amplifier's transients say nothing about channels.
    shown = (since >= (-0.02 * duration if clamped else -600.0)) & (since <= _end(windows, duration))
    if clamped:
        values[(np.abs(since) < _BLANKED) | (np.abs(since - duration) < _BLANKED)] = np.nan
    heights = [values[shown]]
    if members is not None:
        time, all_of_them = members[0], members[1][:, :, k]
        inside = (time >= (_BLANKED if clamped else -600.0)) & (time <= _end(windows, duration))
        time, all_of_them = time[inside], all_of_them[inside]
        low, high = all_of_them.min(1), all_of_them.max(1)
        if not clamped:
            heights.append(np.clip(np.concatenate([low, high]), -_FARTHEST, _FARTHEST))
        axes.fill_between(time / unit, low, high, color=_BAND, lw=0.8, ec=_BAND, alpha=0.6, zorder=1)
        axes.plot(time / unit, np.median(all_of_them, axis=1), color=_OURS, lw=0.7, ls=":", zorder=3)
    if whole is None:
        axes.hlines(windows["mean"], windows.start / unit, windows.stop / unit, zorder=4, **_recorded_line())
        heights.append(windows["mean"].to_numpy())
    else:
        time, trace = whole
        # What precedes the first window by more than the onset is padding, not a recording.
        begin = _BLANKED if clamped else -600.0 if (windows.start < 0.0).any() else 0.0
        inside = (time >= begin) & (time <= _end(windows, duration))
        axes.plot(time[inside] / unit, trace[inside], **_RECORDED | {"lw": 0.6}, zorder=2)
        heights.append(trace[inside & (time < duration)] if clamped else trace[inside])
    axes.plot(since[shown] / unit, values[shown], color=_OURS, lw=1.1, zorder=5)
    mode = run.protocol.mode
    share = duration if clamped else 1.0
    for level, start, stop in (
        (row.predecessor_peak, 0.0, _PEAK[mode] * share),
        (row.predecessor_steady, duration - _STEADY[mode] * share, duration),
    ):
        axes.plot([start / unit, stop / unit], [level, level], color=_THEIRS, lw=1.8, zorder=6)
        heights.append(np.array([level]))
    _frame(axes, np.concatenate(heights))
    axes.set_title(f"{row.step:g} {'mV' if clamped else 'pA'}", fontsize=9.5, weight="normal", loc="left", pad=2.0)


def _recorded_line() -> dict:
    return {"color": _RECORDED["color"], "lw": 1.6}


def _end(windows: pd.DataFrame, duration: float) -> float:
    """Time [ms] up to which a sweep is drawn: what was recorded after the step, at least its end."""
    return max(duration, float(windows.stop.max())) if len(windows) else duration


def _frame(axes: Axes, heights: np.ndarray) -> None:
    low, high = np.nanmin(heights), np.nanmax(heights)
    margin = _MARGIN * (high - low) + 0.5 * max(0.0, _LEAST - (high - low))
    axes.set_ylim(low - margin, high + margin)


def _legend(members, whole) -> list:
    handles = [
        Line2D([], [], **(_RECORDED if whole else _recorded_line()), label=f"recorded{'' if whole else ' (means)'}"),
        Line2D([], [], color=_OURS, lw=1.1, label="best fit"),
    ]
    if members is not None:
        handles.append(Patch(color=_BAND, alpha=0.6, label=f"all {members[1].shape[1]} members of the ensemble"))
        handles.append(Line2D([], [], color=_OURS, lw=0.7, ls=":", label="their median"))
    return [*handles, Line2D([], [], color=_THEIRS, lw=1.8, label="predecessor's peak and steady state")]
