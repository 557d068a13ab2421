"""Plots of a sweep: metrics against the varied keys, as lines for one key and as a heat map for two."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import ConfigError, unknown
from . import style

# A key whose values span more than this factor is drawn on a log axis.
_DECADES = 1.3
_MOST_PANELS = 6
_COLUMNS = 3
_PREFERRED = ("forward_speed_mm_s", "frequency_hz", "wavelength_body_lengths", "amplitude")


def plot_sweep(
    table: pd.DataFrame, keys: Sequence[str], path: str | Path | None = None, *, metrics: Sequence[str] | None = None
) -> Figure | Path:
    """Draw metrics of a sweep.

    Args:
        table: of `tianbao.sweep`.
        keys: one varied key (lines, one point per run, the line through the means) or two (a heat map of the means).
        path: picture to write; None returns the figure.
        metrics: columns to draw, one panel each, at most six; the main ones of the gait if None.

    Raises:
        ConfigError: for an unknown column, or a different number of keys.
    """
    if len(keys) not in (1, 2):
        raise ConfigError(f"a plot of a sweep takes one or two keys; got {len(keys)}")
    for key in (*keys, *(metrics or ())):
        if key not in table.columns:
            raise ConfigError(f"sweep table: {unknown('column', str(key), map(str, table.columns))}")
    chosen = list(metrics or _default_metrics(table, keys))
    if len(chosen) > _MOST_PANELS:
        raise ConfigError(f"a plot of a sweep has at most {_MOST_PANELS} panels; got {len(chosen)} metrics")
    done = table[table["status"] == "finished"]
    columns = 2 if len(chosen) == 4 else min(max(len(chosen), 1), _COLUMNS)
    rows = -(-max(len(chosen), 1) // columns)
    return style.render(
        lambda figure: _draw(figure, done, list(keys), chosen, (rows, columns)), (3.6 * columns, 3.0 * rows), path
    )


def _default_metrics(table: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    preferred = [name for name in _PREFERRED if name in table.columns]
    if preferred:
        return preferred
    beside = {"number", "wall_s", "seed", *keys}
    numbers = [name for name in table.columns if pd.api.types.is_numeric_dtype(table[name]) and name not in beside]
    return numbers[:_MOST_PANELS]


def _draw(figure: Figure, done: pd.DataFrame, keys: list[str], metrics: list[str], shape: tuple[int, int]) -> None:
    if done.empty or not metrics:
        style.say(figure.subplots(), "no run is finished yet" if done.empty else "the table has no metrics")
        return
    panels = figure.subplots(*shape, squeeze=False).ravel()
    for axes, metric in zip(panels, metrics, strict=False):
        (_lines if len(keys) == 1 else _map)(axes, done, keys, metric)
        axes.set_title(style.plain(metric))
    for axes in panels[len(metrics) :]:
        axes.set_axis_off()


def _lines(axes: Axes, done: pd.DataFrame, keys: list[str], metric: str) -> None:
    (key,) = keys
    x, labels = _positions(done[key])
    y = done[metric].astype(float)
    means = y.groupby(x).mean()
    axes.plot(means.index, means.values, color=style.VENTRAL, linewidth=1.4)
    axes.plot(x, y, "o", color=style.DORSAL, markersize=4, alpha=0.8)
    axes.set_xlabel(style.plain(key))
    if labels:
        axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right")
    elif x.min() > 0 and np.log10(x.max() / x.min()) > _DECADES:
        axes.set_xscale("log")


def _map(axes: Axes, done: pd.DataFrame, keys: list[str], metric: str) -> None:
    """Means over all other keys, one cell per pair of values; pairs without a finished run stay empty."""
    numbers = done.assign(**{metric: done[metric].astype(float)})
    grid = numbers.pivot_table(metric, keys[1], keys[0], "mean", dropna=False)
    image = axes.imshow(np.ma.masked_invalid(grid.values), origin="lower", aspect="auto", cmap=style.ACTIVATION)
    axes.set_xticks(range(grid.shape[1]), [_label(each) for each in grid.columns], rotation=30, ha="right")
    axes.set_yticks(range(grid.shape[0]), [_label(each) for each in grid.index])
    axes.set_xlabel(style.plain(keys[0]))
    axes.set_ylabel(style.plain(keys[1]))
    axes.figure.colorbar(image, ax=axes)


def _positions(values: pd.Series) -> tuple[pd.Series, list[str]]:
    """Positions of values on an axis, and their labels if they are words."""
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return values.astype(float), []
    words = list(dict.fromkeys(values))
    return values.map(words.index), [_label(each) for each in words]


def _label(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return style.plain(text if len(text) <= 24 else f"{text[:23]}…")
