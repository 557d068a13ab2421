"""Common style of all figures: colours, fonts, rendering without a display."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import Formatter, LogFormatterMathtext

from ..errors import ConfigError, printable, unknown
from ..io.files import check_file, write_atomically
from ..units import MS_PER_S

INK = "#2b2b33"
FAINT = "#8d8d97"
PAPER = "#ffffff"
AGAR = "#f4f0e6"
GRID = "#ddd6c6"
TRAIL = "#c9bda3"
BODY = "#e9e4da"
# Dorsal is warm and ventral is blue in every picture.
DORSAL = "#d1422f"
VENTRAL = "#2368b0"
NEUTRAL = "#6d6f7a"

BEND = LinearSegmentedColormap.from_list(
    "bend", ["#0b3c6f", VENTRAL, "#8db8dd", "#f8f6f2", "#eea38f", DORSAL, "#7d1710"]
)
ACTIVATION = LinearSegmentedColormap.from_list("activation", ["#fbf9f4", "#f4c56b", "#dd6a34", "#8c1f2f", "#2c0b1e"])
# Of muscles on the body: the colour of its wall at rest.
MUSCLE = LinearSegmentedColormap.from_list("muscle", ["#efe9dc", "#f0b79a", DORSAL, "#7d1710"])
ELAPSED = LinearSegmentedColormap.from_list("elapsed", ["#b9c4cf", "#4f8f8b", "#1d4f5c", "#132635"])

_RC = {
    "font.family": "DejaVu Sans", "font.size": 9.5, "axes.titlesize": 11.0, "axes.titleweight": "bold",
    "axes.edgecolor": FAINT, "axes.labelcolor": INK, "axes.linewidth": 0.7, "text.color": INK,
    "xtick.color": FAINT, "ytick.color": FAINT, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
    # Names that users give are drawn as they are, whatever they hold ($, _, ^).
    "text.parse_math": False, "axes.spines.top": False, "axes.spines.right": False, "figure.facecolor": PAPER,
}  # fmt: skip
_DPI = 150
# Across a page this wide [inch] no text is smaller than this [pt].
PAGE_INCH, PAGE_POINTS = 6.5, 7.0


def render(
    draw: Callable[[Figure], None], size: tuple[float, float], path: str | Path | None, *, dense: bool = False
) -> Figure | Path:
    """Draw a figure and, given a path, write it.

    Args:
        draw: puts the axes on the figure.
        size: [inch].
        path: to write to, in any format of matplotlib; None returns the figure.
        dense: whether it names more rows than can be read across a page; its labels then stay as small as they are.

    Raises:
        ConfigError: for an unknown format.
        OutputError: if the file cannot be written.
    """
    if path is not None:
        check_file(path)
    known = sorted(FigureCanvasAgg.get_supported_filetypes())
    if path is not None and (suffix := Path(path).suffix[1:].lower()) not in ("", *known):
        raise ConfigError(f"{Path(path).name}: {unknown('picture format', suffix, known)}")
    with mpl.rc_context(_RC):
        figure = Figure(figsize=size, dpi=_DPI, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure)
        _spell_powers(figure)
        if not dense:
            _enlarge(figure, PAGE_POINTS * size[0] / PAGE_INCH)
        if path is None:
            return figure
        memory = io.BytesIO()
        figure.savefig(memory, format=Path(path).suffix[1:] or "png")
    return write_atomically(path, memory.getvalue())


def span(time_ms: np.ndarray) -> tuple[float, float]:
    """Limits of an axis of time [s]; from 0 if the first frame, which ends an interval, is that of a run.

    Args:
        time_ms: two or more frames [ms].
    """
    first, interval = float(time_ms[0]), float(time_ms[1] - time_ms[0])
    return (0.0 if 0.0 <= first <= 1.5 * interval else first) / MS_PER_S, float(time_ms[-1]) / MS_PER_S


def plain(text: object) -> str:
    """A text of a file or a user as it stands: never a command to a terminal or a hidden label."""
    shown = printable(str(text))
    return f" {shown}" if shown.startswith("_") else shown


def _enlarge(figure: Figure, least: float) -> None:
    """Give every text at least this size [pt], tick labels included."""
    for text in figure.findobj(Text):
        text.set_fontsize(max(least, text.get_fontsize()))
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            # Ticks that are only made when the figure is drawn.
            sizes = [label.get_fontsize() for label in axis.get_ticklabels()]
            axis.set_tick_params(labelsize=max(sizes, default=least))


def _spell_powers(figure: Figure) -> None:
    """Plain numbers on logarithmic axes, whose own labels are formulae."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            for get, put in (
                (axis.get_major_formatter, axis.set_major_formatter),
                (axis.get_minor_formatter, axis.set_minor_formatter),
            ):
                if isinstance(get(), LogFormatterMathtext):
                    put(_Plain(get()))


class _Plain(Formatter):
    """The labels that a formatter of powers would give, as numbers."""

    def __init__(self, powers: LogFormatterMathtext) -> None:
        self._powers = powers

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Label of a tick; "" where the other gives none, and between 1, 2 and 5, where numbers stand too close."""
        spelled = f"{abs(x):.0e}"
        return f"{x:g}" if self._powers(x, pos) and spelled[0] in "0125" else ""

    def set_locs(self, locs) -> None:
        """Pass on where the ticks are."""
        self._powers.set_locs(locs)


def say(axes: Axes, sentence: str) -> None:
    """Show a message in place of a plot."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, sentence, ha="center", va="center", color=FAINT, transform=axes.transAxes)
