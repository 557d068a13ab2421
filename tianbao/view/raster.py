"""Voltage of every recorded neuron as one image, grouped by class."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..anatomy import neurons
from ..errors import ConfigError, unknown
from ..recorded import WormTrack
from ..units import MS_PER_S
from . import style
from .nerves import VOLTAGE, voltage_range

UNITS = ("mV", "z")
_GROUPS = ("sensory", "interneuron", "motor", "pharyngeal", "other")
# Heights [inch]: of a neuron, the minimum for the name of a class (of many, of a few), and of the gap between groups.
_ROW, _LABEL, _LARGE_LABEL, _GAP = 0.032, 0.098, 0.15, 0.10
_FEW = 12  # classes
_STILL_MV = 1e-3
_Z_LIMIT = 2.5


def row_order(names: Sequence[str]) -> list[tuple[str, str, list[str]]]:
    """Neurons by group (sensory, interneuron, motor, pharyngeal, other) and class.

    Args:
        names: of neurons; each unknown name is a separate class under "other".

    Returns:
        Group, class and its neurons, in the order of the rows.
    """
    table = neurons()
    rows = []
    for name in names:
        if name in table.index:
            row = table.loc[name]
            kind = "pharyngeal" if row.pharyngeal else row["type"] if row["type"] in _GROUPS else "other"
            rows.append((_GROUPS.index(kind), row["class"], name))
        else:
            rows.append((len(_GROUPS) - 1, name, name))
    rows.sort(key=lambda row: (row[0], row[1], _natural(row[2])))
    return [
        (_GROUPS[group], cls, [name for *_, name in members])
        for (group, cls), members in groupby(rows, key=lambda row: row[:2])
    ]


def _natural(name: str) -> tuple:
    return tuple(int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name))


def raster_size(names: Sequence[str]) -> tuple[float, float]:
    """Size of the picture [inch]."""
    return 9.0, 1.1 + max(1.2, _edges(row_order(names))[0][-1] if len(names) else 0.0)


def is_dense(names: Sequence[str]) -> bool:
    """Whether there are more classes than can be named in letters that are read across a page."""
    return len(row_order(names)) > _FEW


def check_unit(unit: str) -> None:
    """Check the unit of a raster.

    Raises:
        ConfigError: unless it is "mV" or "z".
    """
    if unit not in UNITS:
        raise ConfigError(f"raster: {unknown('unit', unit, UNITS)}")


def draw_raster(figure: Figure, track: WormTrack, unit: str, whose: str = "") -> None:
    """Rows of neurons over time [s], in mV or in standard deviations from each neuron's own mean; `whose` is titled."""
    axes = figure.add_subplot()
    if not track.neurons or len(track.voltage_time) < 2:
        style.say(axes, "no voltages were recorded: choose neurons with Simulation.record(voltage=[...])")
        return
    order = row_order(track.neurons)
    edges, bands = _edges(order)
    image = _image(order, track, unit)
    low, high = voltage_range(track) if unit == "mV" else (-_Z_LIMIT, _Z_LIMIT)
    time = track.voltage_time / MS_PER_S
    half = 0.5 * np.diff(time).mean()
    drawn = axes.pcolormesh(
        np.append(time - half, time[-1] + half), edges, image, cmap=VOLTAGE if unit == "mV" else style.BEND,
        vmin=low, vmax=high, rasterized=True,
    )  # fmt: skip
    axes.set(xlim=style.span(track.voltage_time), ylim=(edges[-1], edges[0]), xlabel="time [s]")
    _name_rows(axes, order, bands)
    what = "soma voltage" if unit == "mV" else "soma voltage of each neuron relative to its own mean"
    count = "1 neuron" if len(track.neurons) == 1 else f"{len(track.neurons)} neurons"
    axes.set_title(f"{what}: {count} by class{whose}", loc="left")
    bar = figure.colorbar(drawn, ax=axes, pad=0.085, aspect=30, shrink=min(1.0, 3.2 / edges[-1] + 0.1))
    bar.set_label("voltage [mV]" if unit == "mV" else "voltage [standard deviations]")
    bar.outline.set_visible(False)


def _edges(order: list[tuple[str, str, list[str]]]) -> tuple[np.ndarray, list[tuple[str, str, float, float]]]:
    """Edges of the rows [inch], including gaps between groups, and the position of each class."""
    edges, bands, before = [0.0], [], None
    label = _LABEL if len(order) > _FEW else _LARGE_LABEL
    for group, cls, members in order:
        if before is not None and group != before:
            edges.append(edges[-1] + _GAP)
        before, top = group, edges[-1]
        height = max(_ROW, label / len(members))
        edges += [top + height * (k + 1) for k in range(len(members))]
        bands.append((group, cls, top, edges[-1]))
    return np.array(edges), bands


def _image(order: list[tuple[str, str, list[str]]], track: WormTrack, unit: str) -> np.ma.MaskedArray:
    """Rows of the picture, empty ones between groups, shape (rows, samples)."""
    columns = {name: k for k, name in enumerate(track.neurons)}
    rows, before = [], None
    for group, _, members in order:
        if before is not None and group != before:
            rows.append(np.full(len(track.voltage_time), np.nan))
        before = group
        rows += [track.voltage[:, columns[name]] for name in members]
    image = np.array(rows, float)
    if unit == "z":
        spread = image.std(axis=1, keepdims=True)
        # The deviations of a resting neuron are only rounding errors, which must not look like activity.
        image = (image - image.mean(axis=1, keepdims=True)) / np.where(spread < _STILL_MV, np.inf, spread)
    return np.ma.masked_invalid(image)


def _name_rows(axes: Axes, order, bands: list[tuple[str, str, float, float]]) -> None:
    axes.set_yticks([0.5 * (top + foot) for *_, top, foot in bands], [style.plain(cls) for _, cls, *_ in bands])
    axes.tick_params(axis="y", length=0, labelsize=6.0 if len(bands) > _FEW else 8.0, pad=2)
    axes.spines[["left", "bottom"]].set_visible(False)
    for *_, top, _foot in bands[1:]:
        axes.axhline(top, color=style.PAPER, linewidth=0.5)
    groups = [(group, list(members)) for group, members in groupby(bands, key=lambda band: band[0])]
    # A short group leaves no space for a vertical label; all are turned alike.
    upright = all(members[-1][3] - members[0][2] > 0.075 * len(group) for group, members in groups)
    for group, members in groups:
        top, foot = members[0][2], members[-1][3]
        axes.annotate(
            group, (1.012, 0.5 * (top + foot)), xycoords=("axes fraction", "data"), va="center",
            rotation=270 if upright else 0, fontsize=8, color=style.NEUTRAL, annotation_clip=False,
        )  # fmt: skip
