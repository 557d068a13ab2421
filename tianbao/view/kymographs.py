"""Kymographs below each other with the same colour and time scales, for comparison by eye."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..behaviour.gait import Gait
from ..behaviour.kymograph import Kymograph
from ..errors import ConfigError
from ..units import MS_PER_S
from . import style

_LEAST_BEND = 10.0  # [kappa L]
_PERCENTILE = 99.0
_ROW, _MARGIN, _WIDTH = 1.75, 0.9, 9.0  # [inch]
_NAMED_PLACES = {0.0: "nose", 0.5: "middle", 1.0: "tail"}

Row = Kymograph | tuple[str, np.ndarray, np.ndarray, np.ndarray]


def plot_kymographs(rows: Sequence[Row], path: str | Path | None = None) -> Figure | Path:
    """Draw kymographs below each other; each starts at its own first frame, and a second has the same width in all.

    Args:
        rows: kymographs, or tuples of a name, times [ms] (frames,), body coordinates (positions,) and kappa L
            (frames, positions).
        path: picture to write; None gives the figure.

    Raises:
        ConfigError: for no row, or one whose arrays have inconsistent shapes.
    """
    checked = [_checked(k, each) for k, each in enumerate(rows)]
    if not checked:
        raise ConfigError("kymographs: give one or more, such as Kymograph.of(recording)")
    height = _MARGIN + _ROW * len(checked)
    return style.render(lambda figure: _draw(figure, checked), (_WIDTH, height), path)


def wave_summary(gait: Gait) -> str:
    """The wave of a gait in one line."""
    if not math.isfinite(gait.travelling_r2):
        return "no wave could be measured"
    length = f"{gait.wave_length:+.2f} L" if math.isfinite(gait.wave_length) else "both ways"
    return (
        f"one travelling wave explains {100.0 * gait.travelling_r2:.0f} %: "
        f"{gait.wave_frequency_hz:.2f} Hz, {length}, amplitude {gait.wave_amplitude:.1f}"
    )


def _checked(number: int, row: Row) -> tuple[str, np.ndarray, np.ndarray, np.ndarray]:
    """A title, times [s] from the first frame, body coordinates and curvature."""
    if isinstance(row, Kymograph):
        title, row = f"{row.name}: {wave_summary(row.gait)}", (row.name, row.time, row.s, row.curvature)
    elif isinstance(row, (tuple, list)) and len(row) == 4:
        title = str(row[0])
    else:
        raise ConfigError(f"kymographs: row {number} is neither a Kymograph nor (name, time, s, curvature)")
    time, s, bend = (np.asarray(each, float) for each in row[1:])
    if time.ndim != 1 or s.ndim != 1 or bend.shape != (len(time), len(s)) or len(s) < 2:
        raise ConfigError(
            f"kymographs: {row[0]} has {time.shape} times, {s.shape} body coordinates and {bend.shape} curvatures; "
            "they must be (frames,), (positions,) and (frames, positions)"
        )
    return title, (time - time[:1]) / MS_PER_S, s, bend


def _draw(figure: Figure, rows: list[tuple[str, np.ndarray, np.ndarray, np.ndarray]]) -> None:
    stack = figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0]
    drawn = [bend for _, time, _, bend in rows if len(time) > 1]
    largest = [float(np.percentile(np.abs(bend), _PERCENTILE)) for bend in drawn]
    # A minimum, so that a worm that hardly bends does not look like one that crawls.
    limit = max([_LEAST_BEND, *map(math.ceil, largest)])
    image = None
    for axes, (title, seconds, s, bend) in zip(stack, rows, strict=True):
        if len(seconds) < 2:
            style.say(axes, f"{style.plain(title.partition(':')[0])}: fewer than two frames were recorded")
            continue
        image = _image(axes, seconds, s, bend, limit)
        axes.set_title(style.plain(title), loc="left", fontsize=9.5)
    # A frame lasts until the next, the last one too: ten seconds end at 10.
    lasting = [seconds[-1] * len(seconds) / (len(seconds) - 1) for _, seconds, *_ in rows if len(seconds) > 1]
    if image is None:
        return
    stack[-1].set_xlim(0.0, max(lasting))
    stack[-1].set_xlabel("time [s]")
    bar = figure.colorbar(image, ax=list(stack), pad=0.012, aspect=11 * len(rows) + 11)
    bar.set_label("curvature κL\nventral −    dorsal +")
    bar.outline.set_visible(False)


def _image(axes: Axes, seconds: np.ndarray, s: np.ndarray, bend: np.ndarray, limit: float):
    frame, place = 0.5 * seconds[-1] / (len(seconds) - 1), 0.5 * (s[-1] - s[0]) / (len(s) - 1)
    extent = (seconds[0] - frame, seconds[-1] + frame, s[-1] + place, s[0] - place)
    image = axes.imshow(
        bend.T, aspect="auto", extent=extent, cmap=style.BEND, vmin=-limit, vmax=limit, interpolation="bilinear"
    )
    axes.set_ylim(1.0, 0.0)
    axes.set_yticks(list(_NAMED_PLACES), list(_NAMED_PLACES.values()))
    return image
