"""Plots of the flow around worms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from ..environment.stokes import CentreLineFlow, FlowPlane
from . import style
from .outline import Outline

SPEED = LinearSegmentedColormap.from_list("speed", [style.PAPER, "#cfe1ef", "#7fb2d6", style.VENTRAL, "#0b2c52"])
_UM_PER_MM = 1000.0
# Matplotlib's streamline density per mm of the picture's longer side.
_CROWD = 0.8
_WIDE = 8.5


def flow_picture(
    flow: CentreLineFlow,
    midline: np.ndarray,
    force: np.ndarray,
    path: str | Path | None = None,
    *,
    margin: float = 0.4,
    spacing: float = 0.01,
    title: str = "flow around the worm",
) -> Figure | Path:
    """Speed and streamlines of the fluid, seen from above in the plane of the worms.

    Args:
        flow: gives the velocity of the fluid.
        midline: of the worms, head first [mm], shape (worms, rings, 3).
        force: of each ring on the fluid [uN], same shape.
        path: picture to write; None gives the figure.
        margin: of fluid around the worms [mm].
        spacing: of the grid [mm].
        title: of the picture.

    Returns:
        The path, or the figure.

    Raises:
        OutputError: if the file cannot be written.
    """
    midline = np.asarray(midline, float).reshape(-1, len(flow.radii), 3)
    plane = flow.plane(midline, force, margin=margin, spacing=spacing)
    ratio = (plane.y[-1] - plane.y[0]) / (plane.x[-1] - plane.x[0])
    size = (_WIDE, float(np.clip(0.86 * _WIDE * ratio, 2.4, 9.0)) + 0.8)
    return style.render(lambda figure: _picture(figure, plane, midline, title), size, path)


def draw_flow(axes: Axes, plane: FlowPlane, midline: np.ndarray):
    """Speed map, streamlines and the worms on given axes; the image of the speed [um/s].

    Streamlines are instantaneous, in the frame of the resting fluid: they start and end on the moving surface.
    """
    speed = _UM_PER_MM * np.linalg.norm(plane.velocity, axis=-1)
    top = float(np.percentile(speed, 99.5)) or 1.0
    half = 0.5 * (plane.x[1] - plane.x[0])
    extent = (plane.x[0] - half, plane.x[-1] + half, plane.y[0] - half, plane.y[-1] + half)
    image = axes.imshow(speed, origin="lower", extent=extent, cmap=SPEED, vmin=0.0, vmax=top, interpolation="bilinear")
    longer = max(np.ptp(plane.x), np.ptp(plane.y))
    axes.streamplot(
        plane.x, plane.y, plane.velocity[..., 0], plane.velocity[..., 1], density=_CROWD * longer,
        color=style.INK, linewidth=0.3 + 0.7 * np.sqrt(np.minimum(speed / top, 1.0)), arrowsize=0.7,
    )  # fmt: skip
    outline = Outline(midline.shape[1])
    for line in midline:
        rim = outline.rim(outline.grid(line))
        axes.add_patch(Polygon(rim, facecolor=style.BODY, edgecolor=style.INK, linewidth=1.1, zorder=5))
        nose, inward = line[0, :2], line[0, :2] - line[3, :2]
        inward = inward / np.linalg.norm(inward)
        paper = {"facecolor": style.PAPER, "edgecolor": "none", "alpha": 0.7, "pad": 1.0}
        axes.annotate(
            "head", nose + 0.06 * inward, ha="center", va="center", fontsize=8, color=style.INK, zorder=6, bbox=paper
        )  # fmt: skip
    axes.set(xlim=extent[:2], ylim=extent[2:], xlabel="x [mm]", ylabel="y [mm]")
    axes.set_aspect("equal")
    return image


def _picture(figure: Figure, plane: FlowPlane, midline: np.ndarray, title: str) -> None:
    axes = figure.add_subplot()
    image = draw_flow(axes, plane, midline)
    axes.set_title(title, loc="left")
    bar = figure.colorbar(image, ax=axes, pad=0.012, aspect=26, shrink=0.8)
    bar.set_label("speed of the fluid [um/s]")
    bar.outline.set_visible(False)
