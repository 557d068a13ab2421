"""Groups of worms compared: means of every measure with 95 % intervals, and the wave along the body with bands."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..behaviour.along import PLACES, WaveAlong, discarded_ms, wave_along
from ..behaviour.estimates import mean_interval
from ..behaviour.gait import PUBLISHED, Range
from ..behaviour.kymograph import Kymograph
from ..recorded import RecordedRun
from . import gait_table, page, settings, style
from .page import Cell

_ANIMALS = "animals"
# Settings in which worms may differ and still be repeats of one experiment: chance, place, length and what was kept.
_CHANCE = ("seed", "stream", "duration", "at", "heading")
_BOOKKEEPING = ("checkpoint.", "record.", "engine")
_TINTS = ("#0072b2", "#d55e00", "#009e73", "#b0558c", "#9a6a00", "#3a8fc4")  # Okabe and Ito (2008)
MOST_GROUPS = len(_TINTS)
"""Groups in one picture."""
_LONGEST, _SHORT = 60, 46  # characters of a name, in tables and over a small panel
_ACROSS = 78  # characters of a title that fit over all panels of a row
FEWEST_OF_A_BAND = 3
"""Worms from which a band is drawn; two are drawn one by one."""


@dataclass(frozen=True)
class Sample:
    """One worm: its kymograph with its gait, and the recording it is from, None for an animal read from a table."""

    kymograph: Kymograph
    recording: RecordedRun | None = None
    worm: int = 0

    @property
    def of_animal(self) -> bool:
        """Whether it was tracked rather than simulated."""
        return self.recording is None or self.recording.of_animal

    @cached_property
    def along(self) -> WaveAlong:
        """Its wave along the body."""
        return wave_along(self.kymograph, discarded_ms(self.kymograph))


@dataclass(frozen=True)
class Group:
    """Worms to which the same was done: repeats that differ by chance only, or animals."""

    name: str
    samples: tuple[Sample, ...]
    of_animals: bool = False

    @property
    def medium(self) -> str:
        """Medium of its worms, "" if unknown."""
        return self.samples[0].kymograph.gait.medium

    @property
    def size(self) -> str:
        """How many worms, in words."""
        runs = {id(each.recording) for each in self.samples if each.recording is not None}
        n = len(self.samples)
        more = f" in {len(runs)} run{'s' if len(runs) > 1 else ''}" if 0 < len(runs) < n else ""
        return f"n = {n}{more}"


def grouped(samples: Sequence[Sample]) -> tuple[list[Group], int]:
    """Worms by what was done to them, animals last, and how many were left out as exact copies of another.

    Two runs with one seed are one observation: counted twice, they would make the interval too narrow.
    """
    kept, seen = [], set()
    for each in samples:
        mark = (each.of_animal, np.ascontiguousarray(each.kymograph.curvature).tobytes(), each.kymograph.time.tobytes())
        if mark not in seen:
            seen.add(mark)
            kept.append(each)
    parts: dict[tuple, list[Sample]] = {}
    for each in kept:
        parts.setdefault(_condition(each), []).append(each)
    ordered = sorted(parts.items(), key=lambda item: item[0][0])  # stable: models in the order given, then animals
    names = _names([key for key, _ in ordered])
    made = [
        Group(name, tuple(each), key[0]) for name, (key, each) in zip(names, ordered, strict=True)
    ]  # fmt: skip
    return made, len(samples) - len(kept)


def _condition(sample: Sample) -> tuple[bool, str, str, tuple]:
    """Whether an animal, its medium, its interventions, and its settings other than chance."""
    run, medium = sample.recording, sample.kymograph.gait.medium
    if run is None or run.of_animal:
        return True, medium, "", ()
    shared = {key: value for key, value in settings.settings(run).items() if not key.startswith("worms.")}
    values = {**shared, **{f"worm.{key}": value for key, value in settings.worm_settings(run, sample.worm).items()}}
    kept = [
        (key, settings.spelled(value))
        for key, value in sorted(values.items())
        if key.rpartition(".")[2] not in _CHANCE and not key.startswith(_BOOKKEEPING) and key != "worm.interventions"
    ]
    return False, medium, run.interventions_of(sample.worm), tuple(kept)


def _names(conditions: Sequence[tuple[bool, str, str, tuple]]) -> list[str]:
    """What tells groups apart, in words."""
    models = [dict(each[3]) for each in conditions if not each[0]]
    unlike = settings.differing(models)
    media = {each[1] for each in conditions if each[1]}
    names = []
    for animal, medium, done, values in conditions:
        told = [f"{key.partition('.')[2] or key} {dict(values)[key]}" for key in unlike if key in dict(values)]
        told = [each for each in told if not each.startswith("medium ")]
        words = [_ANIMALS] if animal else [done or "intact", *told]
        if len(media) > 1 and medium:
            words.append(f"in {medium}")
        name = ", ".join(words)
        names.append(name if len(name) <= _LONGEST else name[:_LONGEST].rstrip() + " ...")
    return [name if names.count(name) == 1 else f"{name} ({k + 1})" for k, name in enumerate(names)]


def table(groups: Sequence[Group]) -> Iterator[str]:
    """Every measure of every group: mean, 95 % interval and n beside the published range."""
    head = ["mean over worms", *(f"{each.name}, {each.size}" for each in groups), "published", "source of the range"]
    for heading, rows in (("", gait_table.MOVEMENT), ("Shape of the wave", gait_table.SHAPE)):
        if heading:
            yield f"<h3>{heading}</h3>"
        yield page.table(head, [_row(groups, *each[:3]) for each in rows if each[0] != "measured_ms"])
    yield page.paragraph(
        "Intervals are 95 % confidence intervals of the mean from Student's t, worm by worm; a single worm has none. "
        "Worms of one run can touch or share a fluid; they count as one each.", "soft",
    )  # fmt: skip


def _row(groups: Sequence[Group], metric: str, name: str, unit: str) -> list[Cell]:
    cells, known = [Cell(f"{name} [{unit}]" if unit else name)], []
    for group in groups:
        gaits = [each.kymograph.gait for each in group.samples]
        values = [float(getattr(each, metric)) if each.measured_ms else math.nan for each in gaits]
        mean, low, high, n = (np.asarray(each).item() for each in mean_interval(values))
        if not n:
            cells.append(Cell(gait_table.NOT_MEASURED, "number soft"))
            continue
        expected = next((each for each in PUBLISHED if (each.metric, each.medium) == (metric, group.medium)), None)
        known += [expected] if expected and expected not in known else []
        text = gait_table.number(mean)
        if n > 1:
            text += f" [{gait_table.number(low)}, {gait_table.number(high)}]"
        counted = f"n = {n}" if n != len(group.samples) or n == 1 else ""
        cells.append(Cell(text, "number", *_judged(mean, expected, counted)))
    told = [gait_table.span(each) for each in known]
    sources = [f"{each.source} (certainty {each.certainty})" for each in known]
    return [*cells, Cell("; ".join(told), "number"), Cell("; ".join(sources), "source")]


def _judged(mean: float, expected: Range | None, counted: str) -> tuple[str, str]:
    """What stands below a mean, and the class of that line."""
    if expected is None:
        return counted, "soft"
    inside = expected.holds(mean)
    mark = "✓ inside" if inside else "✗ outside"
    return (f"{mark}, {counted}" if counted else mark), "good" if inside else "bad"


def plot_waves(groups: Sequence[Group]) -> Figure:
    """Amplitude and phase lag along the body with bands, and the mean cycle of each group."""
    shown = list(groups)[:MOST_GROUPS]
    height = 3.3 + 2.3 * math.ceil(len(shown) / 3)

    def draw(figure: Figure) -> None:
        """Two panels of curves above the mean cycles."""
        upper, lower = figure.subfigures(2, 1, height_ratios=(3.3, height - 3.3))
        left, right = upper.subplots(1, 2)
        for tint, group in zip(_TINTS, shown, strict=False):
            tint = style.INK if group.of_animals else tint
            name = style.plain(f"{group.name}, {group.size}")
            _band(left, [each.along.amplitude for each in group.samples], tint, name)
            _band(right, [each.along.lag for each in group.samples], tint, name)
        left.set(xlabel="body coordinate (nose 0, tail 1)", ylabel="amplitude of curvature [kappa L]", xlim=(0, 1))
        left.set_ylim(0.0, 1.6 * max(_largest(each, "amplitude") for each in shown))
        far = 0.3 + max(_largest(each, "lag") for each in shown)
        right.set_ylim(-far, far)  # the means: a band of two worms may be wider than any picture
        right.set(xlabel="body coordinate (nose 0, tail 1)", ylabel="lag behind the middle [cycles]", xlim=(0, 1))
        right.axhline(0.0, color=style.FAINT, linewidth=0.6, zorder=0)
        left.set_title("amplitude along the body", loc="left")
        right.set_title("phase along the body: slope = 1 / wavelength", loc="left")
        upper.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncols=2, fontsize=8, frameon=False)
        _cycles(lower, shown)

    return style.render(draw, (9.5, height), None)


def _largest(group: Group, curve: str) -> float:
    """Largest absolute mean of a curve of a group, 1 where nothing is known."""
    mean = np.abs(mean_interval(np.array([getattr(each.along, curve) for each in group.samples]))[0])
    return float(mean[np.isfinite(mean)].max(initial=0.0)) or 1.0


def _band(axes: Axes, curves: Sequence[np.ndarray], tint: str, label: str) -> None:
    mean, low, high, n = mean_interval(np.array(curves))
    axes.plot(PLACES, mean, color=tint, linewidth=1.8, label=label)
    if n.max(initial=0) >= FEWEST_OF_A_BAND:
        axes.fill_between(PLACES, low, high, color=tint, alpha=0.2, linewidth=0)
    elif len(curves) > 1:
        # The interval of a mean of two is a dozen times their difference and would hide everything else.
        axes.plot(PLACES, np.array(curves).T, color=tint, linewidth=0.7, alpha=0.7)


def _cycles(figure, groups: Sequence[Group]) -> None:
    """One mean cycle per group on one colour scale, named in as many lines as it is narrow."""
    columns = min(3, len(groups))
    grid = figure.subplots(math.ceil(len(groups) / columns), columns, sharex=True, sharey=True, squeeze=False).ravel()
    means = [mean_interval(np.array([each.along.cycle for each in group.samples]))[0] for group in groups]
    known = [np.nanmax(np.abs(each)) for each in means if np.isfinite(each).any()]
    limit, image = max([1.0, *known]), None
    for axes, group, mean in zip(grid, groups, means, strict=False):
        name = textwrap.shorten(style.plain(group.name), _SHORT, placeholder=" ...")
        title = textwrap.fill(f"{name}: mean cycle", _ACROSS // columns)
        if not np.isfinite(mean).any():
            style.say(axes, "fewer than two cycles,\nor no rhythm")
            axes.set_title(title.removesuffix(": mean cycle"), loc="left", fontsize=9)
            continue
        image = axes.imshow(
            np.vstack([mean, mean]).T, aspect="auto", extent=(0.0, 2.0, 1.0, 0.0), cmap=style.BEND, vmin=-limit,
            vmax=limit, interpolation="bilinear",
        )  # fmt: skip
        axes.set_title(title, loc="left", fontsize=9)
        axes.set_yticks([0.0, 0.5, 1.0], ["nose", "middle", "tail"])
    for axes in grid[max(0, len(groups) - columns) : len(groups)]:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("phase [cycles], twice", fontsize=8)
    for axes in grid[len(groups) :]:
        axes.set_axis_off()
    if image is not None:
        bar = figure.colorbar(image, ax=list(grid), pad=0.012, aspect=16)
        bar.set_label("curvature κL\nventral −    dorsal +")
        bar.outline.set_visible(False)
