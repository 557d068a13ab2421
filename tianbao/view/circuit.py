"""The wiring around some classes of neurons, drawn as a circuit: who drives whom, how strongly, and what was cut."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from ..anatomy import match_neurons, neuron_class, neurons
from ..errors import AnatomyError
from ..network.design import NetworkDesign
from ..network.wiring import chemical_weights, gap_weights, nmj_weights
from ..units import US_PER_NS
from . import style
from .anatomy import EXCITATORY, GAP, INHIBITORY

COMMAND = ("AVA", "AVE", "AVD", "PVC", "AVB")
MOTOR = ("SMDD", "SMDV", "RMDD", "RMDV", "DA", "VA", "AS", "DB", "VB", "DD", "VD")
MUSCLES = ("dorsal muscles", "ventral muscles")
_MOST_OTHERS = 12
_SIDES = {"D": MUSCLES[0], "V": MUSCLES[1]}
_TINTS = {"excitatory": EXCITATORY, "inhibitory": INHIBITORY, "gap": GAP}
# Connections weaker than this share of the strongest of their kind are left out of the picture, not of the table.
_LEAST_SHARE = {"synapse": 0.04, "gap junction": 0.02, "muscle": 0.0}
_MOST_DRAWN = 45
_TITLE = 105  # characters of a line of the title
_SAME = 1e-9  # relative difference of conductances that are equal
_KEYS = ["kind", "pre", "post", "sign"]
_SAID = {
    "ablate": "ablated", "silence": "silenced", "illuminate": "lit", "clamp": "clamped", "stimulate": "current",
    "express": "channel", "silence_stretch_receptors": "no stretch",
}  # fmt: skip
_CUT = ("ablate",)
_ENDS = {
    "excitatory": "-|>,head_width=2.4,head_length=4.5", "inhibitory": "|-|,widthA=0,widthB=3.5", "gap": "-",
}  # fmt: skip
_WIDE, _ROW, _MARGIN = 10.0, 1.35, 0.75  # of the picture, between rows, above and below [width of a class and its gap]


@dataclass(frozen=True)
class Mark:
    """What was done to a class: in words, and whether all its cells are gone."""

    text: str
    gone: bool = False


def class_connections(design: NetworkDesign) -> pd.DataFrame:
    """Summed conductance between classes, muscles by side.

    Returns:
        Columns kind ("synapse", "gap junction", "muscle"), pre, post, sign ("excitatory", "inhibitory", "gap"),
        conductance [nS]; a gap junction once, its ends in alphabetical order.
    """
    tables, p = design.tables, design.parameters
    chemical, gap, nmj = tables.chemical, tables.gap, tables.nmj
    leak = design.muscle_membrane.leak
    ends = [sorted((neuron_class(a), neuron_class(b))) for a, b in zip(gap.a, gap.b, strict=True)]
    parts = [
        _part("synapse", map(neuron_class, chemical.pre), map(neuron_class, chemical.post), chemical.sign,
              chemical_weights(chemical, design.capacitance, p, design.decision)),
        _part("gap junction", [a for a, _ in ends], [b for _, b in ends], ["gap"] * len(gap),
              gap_weights(gap, tables.gap_totals, design.capacitance, p)),
        _part("muscle", map(neuron_class, nmj.pre), (_SIDES[each[1]] for each in nmj.muscle), nmj.sign,
              nmj_weights(nmj, tables.intact_nmj, design.muscles, leak, p)),
    ]  # fmt: skip
    return pd.concat(parts).groupby(_KEYS, as_index=False, sort=True).conductance.sum()


def _part(kind: str, pre: Iterable, post: Iterable, sign: Iterable, weight: np.ndarray) -> pd.DataFrame:
    columns = {"kind": kind, "pre": list(pre), "post": list(post), "sign": list(sign)}
    return pd.DataFrame({**columns, "conductance": np.asarray(weight, float) / US_PER_NS})


def compared(actual: NetworkDesign, intact: NetworkDesign) -> pd.DataFrame:
    """Connections of a worm beside those of the intact one.

    Returns:
        Columns of `class_connections`, with intact [nS] and changed; 0 where there is none.
    """
    both = class_connections(actual).merge(
        class_connections(intact).rename(columns={"conductance": "intact"}), on=_KEYS, how="outer"
    )
    both = both.fillna({"conductance": 0.0, "intact": 0.0})
    both["changed"] = (both.conductance - both.intact).abs() > _SAME * both[["conductance", "intact"]].max(axis=1)
    return both.sort_values(["conductance", "intact"], ascending=False, ignore_index=True)


def marks(record: Sequence[Mapping]) -> dict[str, Mark]:
    """What was done to each class, from a worm's record of interventions."""
    words: dict[str, list[str]] = {}
    gone: set[str] = set()
    for each in record:
        if each["verb"] not in _SAID:
            continue
        names = each.get("neurons", each.get("neuron", ()))
        chosen = match_neurons(*([names] if isinstance(names, str) else names))
        gone |= set(chosen) if each["verb"] in _CUT else set()
        for cls in dict.fromkeys(map(neuron_class, chosen)):
            members = [name for name in neurons().index if neuron_class(name) == cls]
            some = [name for name in chosen if neuron_class(name) == cls]
            whose = some[0] if len(some) == 1 else f"{len(some)} of {len(members)}"
            told = f"{_SAID[each['verb']]}{_amount(each)}"
            told = told if len(some) == len(members) else f"{whose} {told}"
            words.setdefault(cls, []).append(told)
    return {
        cls: Mark("\n".join(dict.fromkeys(told)), all(n in gone for n in neurons().index if neuron_class(n) == cls))
        for cls, told in words.items()
    }


def _amount(each: Mapping) -> str:
    if each["verb"] == "stimulate":
        return f" {1e3 * each['amplitude']:+.3g} pA"
    if each["verb"] == "clamp":
        return f" {each['voltage']:g} mV"
    return ""


def touched(record: Sequence[Mapping]) -> list[str]:
    """Classes that interventions name, in their order: those acted on, and both ends of what was cut or scaled."""
    found: list[str] = []
    for each in record:
        for key in ("neurons", "neuron", "pre", "post", "a", "b"):
            names = each.get(key, ())
            try:
                found += map(neuron_class, match_neurons(*([names] if isinstance(names, str) else names)))
            except AnatomyError:
                continue  # muscles, or nothing under this key
    return list(dict.fromkeys(found))


def plot_circuit(table: pd.DataFrame, done: Mapping[str, Mark], others: Sequence[str] = (), title: str = "") -> Figure:
    """Draw chemical connections above gap junctions, each class in the same place in both.

    Args:
        table: from `compared`.
        done: from `marks`.
        others: classes to show besides command interneurons and motor neurons.
        title: of the figure.
    """
    extra = [each for each in others if each not in (*COMMAND, *MOTOR)][:_MOST_OTHERS]
    places = _places(extra)

    def draw(figure: Figure) -> None:
        """Two panels and a legend."""
        upper, lower = figure.subplots(2, 1, height_ratios=heights)
        keys = _panel(upper, table, places, done, ("synapse", "muscle"))
        keys += _panel(lower, table, places, done, ("gap junction",))
        headline = textwrap.fill(style.plain(title), _TITLE, max_lines=2, placeholder=" ...")
        upper.set_title(f"{headline}\nchemical synapses and neuromuscular junctions", loc="left", fontsize=10)
        lower.set_title("gap junctions", loc="left", fontsize=10)
        figure.legend(handles=keys, loc="outside lower left", ncols=3, fontsize=8, frameon=False)

    top = max(height for _, height in places.values()) + _MARGIN
    heights = (top + _MARGIN, top - _ROW + _MARGIN)
    return style.render(draw, (9.5, 0.93 * sum(heights) + 1.3), None)


def _places(extra: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Where each class is drawn: rows of named, command and motor neurons, then muscles."""
    rows = [(3.0, extra), (2.0, COMMAND), (1.0, MOTOR), (0.0, MUSCLES)]
    return {
        name: (_WIDE * (k + 0.5) / len(row), _ROW * height) for height, row in rows for k, name in enumerate(row)
    }


def _panel(
    axes: Axes, table: pd.DataFrame, places: Mapping, done: Mapping[str, Mark], kinds: Sequence[str]
) -> list[Line2D]:
    """Connections of some kinds between the classes; returns entries of the legend."""
    keys: list[Line2D] = []
    used = [name for name in places if "muscle" in kinds or name not in MUSCLES]
    boxes = {name: _node(axes, name, places[name], done.get(name)) for name in used}
    heights = [places[name][1] for name in used]
    # Equal scales, so that a place on an arc can be computed.
    axes.set(xlim=(0.0, _WIDE), ylim=(min(heights) - _MARGIN, max(heights) + _MARGIN), aspect="equal")
    axes.set_axis_off()
    inside = table[table.pre.isin(places) & table.post.isin(places)]
    for kind in kinds:
        mine = inside[inside.kind == kind]
        size = mine[["conductance", "intact"]].max(axis=1)
        strongest = float(size.max()) if len(mine) else 0.0
        shown = mine[(size >= _LEAST_SHARE[kind] * strongest) & (size > 0.0)].assign(size=size)
        shown = shown.sort_values("size", ascending=False, kind="stable").head(_MOST_DRAWN)
        for row in shown.itertuples():
            _edge(axes, row, places, boxes, strongest)
        keys += _keys(kind, shown, strongest)
    return keys


def _edge(axes: Axes, row, places: Mapping, boxes: Mapping, strongest: float) -> None:
    start, stop = places[row.pre], places[row.post]
    cut, own = row.conductance == 0.0, row.pre == row.post
    look = {
        "arrowstyle": _ENDS[row.sign], "color": style.FAINT if cut else _TINTS[row.sign],
        "linewidth": 0.9 if cut else _width(max(row.conductance, row.intact), strongest),
        "linestyle": (0, (3, 2)) if cut else "-", "alpha": 0.9 if cut else 0.62, "zorder": 1 if cut else 2,
    }  # fmt: skip
    if own:
        left, right = (start[0] - 0.2, start[1] + 0.2), (start[0] + 0.2, start[1] + 0.2)
        axes.add_patch(FancyArrowPatch(left, right, connectionstyle="arc3,rad=-1.1", shrinkA=0, shrinkB=0, **look))
    else:
        # Within a row over or under the boxes between, never higher than the space between two rows.
        bend = min(0.28, 1.2 / abs(stop[0] - start[0])) if start[1] == stop[1] else 0.05
        axes.add_patch(FancyArrowPatch(
            start, stop, connectionstyle=f"arc3,rad={bend}", patchA=boxes[row.pre], patchB=boxes[row.post],
            shrinkA=1, shrinkB=2, **look,
        ))  # fmt: skip
        if row.changed:
            x, y = (0.5 * (a + b) for a, b in zip(start, stop, strict=True))
            at = (x + 0.5 * bend * (stop[1] - start[1]), y - 0.5 * bend * (stop[0] - start[0]))
            text = "×" if cut else f"× {row.conductance / row.intact:.2g}" if row.intact else "new"
            axes.text(*at, text, ha="center", va="center", fontsize=9 if cut else 7.5, color=style.INK, zorder=5,
                      bbox={"facecolor": style.PAPER, "alpha": 0.75, "linewidth": 0, "pad": 0.4})  # fmt: skip


def _width(conductance: float, strongest: float) -> float:
    """Of a line [pt]: its square grows with the conductance, with a visible minimum."""
    return 0.5 + 3.8 * float(np.sqrt(conductance / strongest))


def _node(axes: Axes, name: str, at: tuple[float, float], mark: Mark | None) -> FancyBboxPatch:
    gone = mark is not None and mark.gone
    muscle = name in MUSCLES
    half = 0.95 if muscle else 0.34
    edge = style.FAINT if gone else "#b5762a" if mark else style.NEUTRAL
    box = axes.add_patch(FancyBboxPatch(
        (at[0] - half, at[1] - 0.12), 2 * half, 0.24, boxstyle="round,pad=0.02,rounding_size=0.08",
        facecolor=style.PAPER if gone else "#fff1cf" if mark else style.AGAR, edgecolor=edge,
        linestyle="--" if gone else "-", linewidth=1.6 if mark else 0.8, zorder=3,
    ))  # fmt: skip
    axes.text(*at, name, ha="center", va="center", fontsize=8.5, color=style.FAINT if gone else style.INK, zorder=4)
    if mark:
        axes.text(at[0], at[1] - 0.17, mark.text, ha="center", va="top", fontsize=7, color=style.INK, zorder=6,
                  bbox={"facecolor": style.PAPER, "alpha": 0.8, "linewidth": 0, "pad": 0.6})  # fmt: skip
    return box


def _keys(kind: str, shown: pd.DataFrame, strongest: float) -> list[Line2D]:
    names = {"synapse": "synapse", "muscle": "onto muscle", "gap junction": "gap junction"}
    keys = []
    for sign in dict.fromkeys(shown.sign):
        word = names[kind] if sign == "gap" else f"{sign} {names[kind]}"
        largest = shown[shown.sign == sign][["conductance", "intact"]].to_numpy().max()
        label, wide = f"{word}, widest {largest:.4g} nS", _width(largest, strongest)
        keys.append(Line2D([], [], color=_TINTS[sign], lw=wide, alpha=0.62, label=label))
    if len(shown) and (shown.conductance == 0.0).any():
        keys.append(Line2D([], [], color=style.FAINT, lw=0.9, ls="--", label=f"{names[kind]} that was cut"))
    return keys
