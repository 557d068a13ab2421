"""Animal and model side by side: what an assay found, one panel per measure, and curves where both have one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import style

__all__ = ["Bar", "Panel", "assay_figure"]

_WIDTH, _HEIGHT = 3.4, 2.6  # [inch] of a panel
_ACROSS = 3


@dataclass(frozen=True)
class Bar:
    """A value with its interval.

    Attributes:
        name: of the animal, or of a condition of the model.
        value, low, high: [unit of the panel]; NaN where not known.
        animal: whether it is the animal's.
    """

    name: str
    value: float
    low: float
    high: float
    animal: bool = False


@dataclass(frozen=True, eq=False)
class Panel:
    """A measure.

    Attributes:
        title: of the measure.
        unit: of its values.
        bars: from top to bottom.
        animal: x and y of a published curve, shape (points, 2); None without one.
        model: x, y and standard error of the model's curve, shape (3, points); None without one.
    """

    title: str
    unit: str
    bars: Sequence[Bar]
    animal: np.ndarray | None = None
    model: np.ndarray | None = None


def assay_figure(panels: Sequence[Panel]) -> Figure:
    """Draw the measures of an assay.

    Args:
        panels: at least one.
    """
    count = len(panels) + sum(each.animal is not None for each in panels)
    across = min(count, _ACROSS)
    down = math.ceil(count / across)

    def draw(figure: Figure) -> None:
        """Put the panels on the figure."""
        axes = list(np.ravel(figure.subplots(down, across, squeeze=False)))
        for panel in panels:
            _bars(axes.pop(0), panel)
            if panel.animal is not None:
                _curves(axes.pop(0), panel)
        for left in axes:
            left.set_axis_off()

    return style.render(draw, (_WIDTH * across, _HEIGHT * down), None, dense=True)


def _bars(axes: Axes, panel: Panel) -> None:
    for row, bar in enumerate(panel.bars):
        colour = style.DORSAL if bar.animal else style.VENTRAL if row < 2 else style.NEUTRAL
        if bar.animal and math.isfinite(bar.low) and math.isfinite(bar.high):
            axes.axvspan(bar.low, bar.high, color=colour, alpha=0.12, lw=0)
        ends = [bar.low if math.isfinite(bar.low) else bar.value, bar.high if math.isfinite(bar.high) else bar.value]
        if all(map(math.isfinite, ends)):
            axes.plot(ends, [row, row], color=colour, lw=2.0)
        if math.isfinite(bar.value):
            axes.plot([bar.value], [row], "o", color=colour, ms=5)
    names = [style.plain(bar.name if len(bar.name) <= 28 else bar.name[:26] + "...") for bar in panel.bars]
    axes.set_yticks(range(len(panel.bars)), names)
    axes.set_ylim(len(panel.bars) - 0.5, -0.5)
    axes.set_title(style.plain(panel.title), loc="left", fontsize=8.5)
    axes.set_xlabel("" if panel.unit == "1" else panel.unit)
    axes.tick_params(labelsize=7.5)


def _curves(axes: Axes, panel: Panel) -> None:
    axes.plot(*np.asarray(panel.animal, float)[:, :2].T, "o-", color=style.DORSAL, ms=3, label="animal")
    if panel.model is not None:
        x, y, spread = np.asarray(panel.model, float)
        axes.errorbar(x, y, np.nan_to_num(spread), fmt="s-", color=style.VENTRAL, ms=3, label="model")
    axes.axhline(0.0, color=style.FAINT, lw=0.6)
    axes.set_ylabel(panel.unit.partition(" per ")[0])
    axes.set_xlabel(panel.unit.partition(" per ")[2])
    axes.legend(frameon=False, fontsize=7)
