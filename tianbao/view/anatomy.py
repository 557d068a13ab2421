"""Pictures of the anatomy: the morphology of a neuron, the location of its synapses, the wiring of the whole animal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, LogNorm, SymLogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..anatomy import BodyFrame, neuron_class, neuron_name, neurons
from ..behaviour.midline import curvature_positions
from ..body.mesh import radius_profile
from ..cells.geometry import CellGeometry
from ..errors import ConfigError, unknown
from ..network.design import NetworkDesign, cell_geometry
from ..network.rules import MUSCLE_SECTION, Rule, connection_rules
from ..units import US_PER_NS
from . import style

if TYPE_CHECKING:
    from ..worm import Worm

KINDS = ("output", "input", "gap junction", "muscle")
EXCITATORY, INHIBITORY, GAP = style.DORSAL, style.VENTRAL, "#3f8f5f"
_SIGNS = {"excitatory": EXCITATORY, "inhibitory": INHIBITORY, "gap": GAP}
_SECTION_KINDS = {1: ("soma", style.INK), 2: ("axon", "#2f7d86"), 3: ("neurite", "#b5762a")}
_CUT_OFF = ("neurite disconnected in the source", style.NEUTRAL)
_MARKERS = {"output": "^", "input": "v", "gap junction": "s", "muscle": "D"}
# A neuron longer than this many times its height is drawn stretched across the body, as its axis label states.
_SLENDER = 7.0
# The two views of one shorter than this many times half its height are side by side.
_COMPACT = 6.0
_SPACING = 3.0  # [um] between drawn points
_POINTS = 49  # points at which curvature is measured: needed to design a worm, without effect on its wiring
_LISTED = 14
_FEW = 6
_MANY = 400  # compartments, beyond which their dots would hide the neuron
_UM_PER_MM = 1000.0


def plot_morphology(neuron: str, path: str | Path | None = None) -> Figure | Path:
    """Traced morphology of a neuron, its soma and its compartments, from the side and from above.

    Args:
        neuron: such as "AVAL".
        path: picture to write; None gives the figure.

    Raises:
        AnatomyError: for an unknown neuron.
        OutputError: if the picture cannot be written.
    """
    cell = cell_geometry(neuron_name(neuron), "traced", 2)

    def draw(figure: Figure) -> None:
        """Side view and view from above, with a legend."""
        rows = _projections(figure, cell, f"{cell.name}: {_described(cell)}")
        for axes, across in rows:
            _shape(axes, cell, across)
            centres = _body_um(cell.centres)
            size = 5.0 if len(centres) < _MANY else 0.8
            axes.scatter(centres[:, 0], centres[:, across], s=size, c=style.INK, linewidths=0, zorder=4)
        kinds = {kind: _section_kind(kind) for kind in sorted({each.kind for each in _paths(cell)})}
        keys = [Line2D([], [], color=tint, lw=2.5, label=word) for word, tint in kinds.values()]
        keys.append(Line2D([], [], color=style.INK, marker="o", ms=2.5, ls="", label="centre of a compartment"))
        keys.append(Line2D([], [], color=style.BODY, lw=6, label="the model's body"))
        _legend(figure, keys)

    return style.render(draw, (9.5, 4.6), path)


def plot_synapses(neuron: str, path: str | Path | None = None, *, worm: Worm | None = None) -> Figure | Path:
    """Synapses and gap junctions of a neuron on its morphology, and the partner classes by weight.

    Args:
        neuron: such as "AVAL".
        path: picture to write; None gives the figure.
        worm: whose wiring is used, including its interventions; an intact one if None.

    Raises:
        AnatomyError: for an unknown neuron.
        OutputError: if the picture cannot be written.
    """
    name = neuron_name(neuron)
    design = _design(worm)
    found, cell = synapse_table(name, design), design.cells[name]

    def draw(figure: Figure) -> None:
        """The synapses on the morphology, and the partner classes below."""
        upper, lower = figure.subfigures(2, 1, height_ratios=(1.25, 1.0))
        counts = ", ".join(f"{n} {_plural(kind, n)}" for kind, n in _counted(found))
        for axes, across in _projections(upper, cell, f"{name}: {counts or 'no connection'}"):
            _shape(axes, cell, across, plain=True)
            _sites(axes, found, across)
        _legend(upper, _site_keys(found))
        _partners(lower, found)

    return style.render(draw, (9.5, 8.4), path)


def synapse_table(neuron: str, design: NetworkDesign) -> pd.DataFrame:
    """Every connection of a neuron and its location.

    Args:
        neuron: name.
        design: of the network.

    Returns:
        Columns kind ("output", "input", "gap junction", "muscle"), partner, partner_class, sign ("excitatory",
        "inhibitory", "gap"), weight_ns [nS], section, loc [-], x, y, z of the site [um] in the frame of the
        tracings, distance_um to the partner's site.
    """
    rows = []
    for rule in connection_rules(design):
        if not rule.label.startswith("muscle_gap"):
            rows += _rows_of(rule, neuron)
    columns = ["kind", "partner", "partner_class", "sign", "weight_ns", "section", "loc", "distance_um"]
    table = pd.DataFrame(rows, columns=columns)
    cables = {cable.name: cable for cable in design.cells[neuron].cables}
    places = [cables[section].at(loc) for section, loc in zip(table.section, table["loc"], strict=True)]
    table[["x", "y", "z"]] = np.array(places, float).reshape(-1, 3)
    return table


def _rows_of(rule: Rule, neuron: str) -> list[tuple]:
    sites = rule.sites
    sign = "gap" if rule.label == "gap" else "inhibitory" if "inhibitory" in rule.label else "excitatory"
    rows = []
    for k, (pre, post) in enumerate(zip(rule.pre, rule.post, strict=True)):
        if neuron not in (pre, post):
            continue
        ours, partner = (sites.pre_section[k], sites.pre_loc[k]), post
        kind = "gap junction" if sign == "gap" else "muscle" if sites.post_section[k] == MUSCLE_SECTION else "output"
        if neuron == post:
            ours, partner = (sites.post_section[k], sites.post_loc[k]), pre
            kind = "gap junction" if sign == "gap" else "input"
        cls = f"muscle {partner[1:3]}" if kind == "muscle" else neuron_class(partner)
        weight = float(rule.weights[k]) / US_PER_NS
        rows.append((kind, partner, cls, sign, weight, ours[0], float(ours[1]), float(sites.distance[k])))
    return rows


def plot_connectome(
    path: str | Path | None = None, *, worm: Worm | None = None, kind: str = "all"
) -> Figure | Path:
    """Adjacency of the network, class by class: chemical synapses, sign by colour, and gap junctions.

    Args:
        path: picture to write; None gives the figure.
        worm: whose wiring is used, including its interventions; an intact one if None.
        kind: "chemical" (with the muscles as the last columns), "gap" or "all".

    Raises:
        ConfigError: for an unknown kind.
        OutputError: if the picture cannot be written.
    """
    if kind not in ("all", "chemical", "gap"):
        raise ConfigError(f"connectome: {unknown('kind', kind, ('all', 'chemical', 'gap'))}")
    shown = ("chemical", "gap") if kind == "all" else (kind,)
    chemical, gap = class_matrices(_design(worm))

    def draw(figure: Figure) -> None:
        """One matrix per kind of connection."""
        for axes, each in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
            _matrix(figure, axes, chemical if each == "chemical" else gap, signed=each == "chemical")

    return style.render(draw, (11.2 * len(shown), 11.8), path, dense=True)


def class_matrices(design: NetworkDesign) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Summed conductance between classes [nS], ordered sensory, interneuron, motor, pharyngeal.

    Returns:
        Chemical, rows presynaptic, the four muscle quadrants as last columns, negative if inhibition outweighs
        excitation (the sum of both signs); gap junctions, symmetric.
    """
    table = neurons()
    order = list(dict.fromkeys(table.assign(group=_groups(table)).sort_values(["group", "class"])["class"]))
    columns = [*order, *(f"muscle {each}" for each in ("DL", "DR", "VL", "VR"))]
    row, column = ({name: k for k, name in enumerate(names)} for names in (order, columns))
    chemical, gap = np.zeros((len(order), len(columns))), np.zeros((len(order), len(order)))
    of = table["class"].to_dict()
    for rule in connection_rules(design):
        if rule.label == "muscle_gap":
            continue
        pre = np.array([row[of[name]] for name in rule.pre], int)
        post = np.array([column[of.get(name, f"muscle {name[1:3]}")] for name in rule.post], int)
        weight = rule.weights / US_PER_NS * (-1.0 if "inhibitory" in rule.label else 1.0)
        np.add.at(gap if rule.label == "gap" else chemical, (pre, post), weight)
    # A junction between two neurons of one class is on the diagonal and must not count twice.
    gap = gap + gap.T - np.diag(np.diag(gap))
    return pd.DataFrame(chemical, order, columns), pd.DataFrame(gap, order, order)


def _groups(table: pd.DataFrame) -> pd.Series:
    rank = {"sensory": 0, "interneuron": 1, "motor": 2, "unknown": 4}
    return table["type"].map(rank).where(~table.pharyngeal, 3)


def _design(worm: Worm | None) -> NetworkDesign:
    from ..worm import Worm

    return (worm or Worm()).design(curvature_positions(_POINTS))


def _body_um(xyz: np.ndarray) -> np.ndarray:
    """Distance from the nose, dorsal and right coordinate [um], shape (n, 3)."""
    frame = BodyFrame.standard()
    at = frame.locate(xyz)
    return np.column_stack([at.s * frame.length, at.dorsal_um, at.right_um])


def _paths(cell: CellGeometry):
    from ..anatomy import morphology

    return morphology(cell.name).sections


def _section_kind(kind: int) -> tuple[str, str]:
    return _SECTION_KINDS.get(kind, _CUT_OFF)


def _described(cell: CellGeometry) -> str:
    row = neurons().loc[cell.name]
    length = sum(cable.length for cable in cell.cables if cable.parent is not None)
    transmitter = f", {row.transmitter}" if row.transmitter else ""
    kind = row["type"] if row["type"].endswith("neuron") else f"{row['type']} neuron"
    return (
        f"{kind}{transmitter}; {length:.0f} um of neurite, {cell.compartments} compartments, "
        f"{cell.area:.0f} um2, {cell.capacitance:.2f} pF"
    )


def _projections(figure, cell: CellGeometry, title: str) -> list[tuple[Axes, int]]:
    """Side view and view from above on one scale, with the outline of the body; the axes and their column."""
    points = np.concatenate([_body_um(cable.points[:, :3]) for cable in cell.cables])
    spare = 0.04 * np.ptp(points[:, 0]) + 4.0
    low, high = points[:, 0].min() - spare, points[:, 0].max() + spare
    along = np.linspace(low, high, 240)
    rim = _UM_PER_MM * radius_profile(np.clip(along / BodyFrame.standard().length, 0.0, 1.0))
    half = 1.08 * max(np.abs(points[:, 1:]).max(), rim.max())
    compact = high - low < _COMPACT * half
    grid = figure.subplots(*((1, 2) if compact else (2, 1)), sharex=not compact, squeeze=False).ravel()
    stretch = max(1.0, round((high - low) / (_SLENDER * 2.0 * half), 1))
    for axes, words in zip(grid, (("ventral", "dorsal"), ("left", "right")), strict=True):
        inside = (along >= 0.0) & (along <= BodyFrame.standard().length)
        axes.fill_between(along, -rim, rim, where=inside, color=style.BODY, alpha=0.55, linewidth=0, zorder=0)
        axes.set(xlim=(low, high), ylim=(-half, half))
        axes.set_aspect(stretch, adjustable="box")
        axes.set_ylabel(f"{words[0]} −    {words[1]} +\n[um]")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    stretched = f"; across the body drawn {stretch:g} times as large" if stretch > 1.0 else ""
    for axes in grid if compact else grid[-1:]:
        axes.set_xlabel(f"distance from the nose along the body [um]{stretched}")
    return [(grid[0], 1), (grid[1], 2)]


def _shape(axes: Axes, cell: CellGeometry, across: int, plain: bool = False) -> None:
    kinds = {} if plain else {section.name: section.kind for section in _paths(cell)}
    for cable in cell.cables:
        tint = style.FAINT if plain else _section_kind(kinds[cable.name])[1]
        if cable.parent is None:
            centre = _body_um(cable.at(np.array([0.5])))[0]
            size = 55.0 if plain else 70.0
            axes.scatter(centre[0], centre[across], s=size, c=tint, edgecolors=style.INK, linewidths=0.6, zorder=3)
            continue
        # Closely spaced, because a straight line in the posed animal is curved in the straightened one.
        locs = np.linspace(0.0, 1.0, 2 + int(cable.length / _SPACING))
        flat = _body_um(cable.at(locs))[:, [0, across]]
        calibre = np.interp(0.5 * (locs[1:] + locs[:-1]) * cable.length, cable.arc, cable.points[:, 3])
        pieces = np.stack([flat[:-1], flat[1:]], axis=1)
        wide = np.clip(1.1 * calibre, 0.9, 3.0)
        axes.add_collection(LineCollection(pieces, colors=tint, linewidths=wide, capstyle="round", zorder=2))


def _counted(found: pd.DataFrame) -> list[tuple[str, int]]:
    return [(kind, int((found.kind == kind).sum())) for kind in KINDS if (found.kind == kind).any()]


def _plural(kind: str, count: int) -> str:
    words = {"muscle": "neuromuscular junction"}
    return words.get(kind, kind) + ("s" if count != 1 else "")


def _areas(weight: np.ndarray, heaviest: float) -> np.ndarray:
    """Area of a marker [pt2]: proportional to the conductance, with a visible minimum."""
    return 7.0 + 110.0 * np.asarray(weight) / max(heaviest, 1e-12)


def _sites(axes: Axes, found: pd.DataFrame, across: int) -> None:
    if not len(found):
        return
    places = _body_um(found[["x", "y", "z"]].to_numpy())
    for kind in KINDS:
        # Neuromuscular junctions are a hundred times stronger, so each kind has its own scale.
        mine = (found.kind == kind).to_numpy()
        weight = found.weight_ns.to_numpy()[mine]
        order = np.argsort(-weight)
        spots = places[mine][order]
        axes.scatter(
            spots[:, 0], spots[:, across], s=_areas(weight[order], weight.max(initial=0.0)), marker=_MARKERS[kind],
            c=found.sign[mine].map(_SIGNS).to_numpy()[order], alpha=0.75, edgecolors=style.PAPER, linewidths=0.4,
            zorder=5,
        )  # fmt: skip


def _site_keys(found: pd.DataFrame) -> list[Line2D]:
    keys = []
    for kind, _ in _counted(found):
        top = found.weight_ns[found.kind == kind].max()
        named = {"output": "synapse onto another neuron", "input": "synapse received", "muscle": "onto a muscle"}
        label = f"{named.get(kind, kind)}, largest {top:.3g} nS"
        keys.append(Line2D([], [], marker=_MARKERS[kind], ls="", ms=6, color=style.NEUTRAL, label=label))
    for sign in _SIGNS:
        if (found.sign == sign).any():
            word = "gap junction" if sign == "gap" else sign
            keys.append(Line2D([], [], color=_SIGNS[sign], lw=4, label=word))
    return keys


def _legend(figure, keys: Sequence[Line2D]) -> None:
    if keys:
        figure.legend(handles=list(keys), loc="outside lower left", ncols=4, fontsize=8, frameon=False)


def _partners(figure, found: pd.DataFrame) -> None:
    """Bars of the heaviest partner classes, one panel per kind."""
    kinds = _counted(found)
    if not kinds:
        style.say(figure.subplots(), "this neuron has no connection in the network")
        return
    for axes, (kind, _) in zip(np.atleast_1d(figure.subplots(1, len(kinds))), kinds, strict=True):
        mine = found[found.kind == kind]
        total = mine.groupby(["partner_class", "sign"]).weight_ns.sum().sort_values(ascending=False)
        shown = total.iloc[:_LISTED][::-1]
        axes.barh(range(len(shown)), shown, color=[_SIGNS[sign] for _, sign in shown.index], height=0.72)
        axes.set_yticks(range(len(shown)), [cls for cls, _ in shown.index], fontsize=7.5)
        axes.set_ylim(min(0, len(shown) - _FEW) - 0.7, len(shown) - 0.3)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("summed conductance [nS]", fontsize=8)
        axes.tick_params(axis="x", labelsize=7.5)
        axes.locator_params(axis="x", nbins=4)
        rest = f" (of {len(total)})" if len(total) > len(shown) else ""
        title = "muscles by quadrant" if kind == "muscle" else f"{_plural(kind, 2)} by class{rest}"
        axes.set_title(title, loc="left", fontsize=9)


def _matrix(figure: Figure, axes: Axes, matrix: pd.DataFrame, *, signed: bool) -> None:
    values = np.ma.masked_equal(matrix.to_numpy(), 0.0)
    size = np.abs(values).compressed()
    low, high = (np.percentile(size, 10), size.max()) if size.size else (0.1, 1.0)
    norm = SymLogNorm(low, vmin=-high, vmax=high) if signed else LogNorm(low, high)
    shades = style.BEND if signed else LinearSegmentedColormap.from_list("gap", ["#e3efe4", GAP, "#0d3320"])
    image = axes.imshow(values, cmap=shades, norm=norm, interpolation="nearest")
    axes.set_xticks(range(matrix.shape[1]), matrix.columns, rotation=90, fontsize=5.2)
    axes.set_yticks(range(matrix.shape[0]), matrix.index, fontsize=5.2)
    axes.tick_params(length=0, pad=1.5, labeltop=True)
    axes.spines[["top", "right"]].set_visible(True)
    _rule_groups(axes, matrix)
    axes.set(xlabel="postsynaptic class" if signed else "class", ylabel="presynaptic class" if signed else "class")
    axes.set_title("chemical synapses and neuromuscular junctions" if signed else "gap junctions", loc="left", pad=26)
    bar = figure.colorbar(image, ax=axes, location="bottom", pad=0.01, aspect=60, shrink=0.6)
    if signed:
        decades = 10.0 ** np.arange(np.ceil(np.log10(low)), np.floor(np.log10(high)) + 1.0)
        bar.set_ticks([*-decades[::-1], 0.0, *decades], labels=[f"{x:g}" for x in (*-decades[::-1], 0.0, *decades)])
        bar.minorticks_off()
    bar.set_label("summed conductance [nS]" + (": inhibitory −, excitatory +" if signed else ""))
    bar.outline.set_visible(False)


def _rule_groups(axes: Axes, matrix: pd.DataFrame) -> None:
    """Lines between sensory, inter-, motor and pharyngeal neurons, and before the muscles."""
    table = neurons()
    group = table.assign(group=_groups(table)).groupby("class").group.first()
    ranks = group.loc[matrix.index].to_numpy()
    cuts = np.flatnonzero(np.diff(ranks)) + 0.5
    for cut in cuts:
        axes.axhline(cut, color=style.FAINT, linewidth=0.6)
        axes.axvline(cut, color=style.FAINT, linewidth=0.6)
    if matrix.shape[1] > matrix.shape[0]:
        axes.axvline(matrix.shape[0] - 0.5, color=style.FAINT, linewidth=0.6)
