"""Tables of gaits: measured values of several worms side by side, and published ranges."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ..behaviour.gait import PUBLISHED, Gait, Range
from . import page
from .page import Cell

# Metric, its label, unit, explanation.
MOVEMENT = (
    ("forward_speed_mm_s", "forward speed", "mm/s", "mean velocity of the centroid, positive towards the head"),
    ("frequency_hz", "frequency", "Hz", "peak of the spectrum of curvature"),
    ("wavelength_body_lengths", "wavelength", "L", "of the bends along the body, in body lengths"),
    ("wave_direction", "wave direction", "", "+1 from head to tail, -1 from tail to head, 0 no wave"),
    ("amplitude", "bending amplitude", "kappa L", "95th percentile of the absolute curvature"),
    ("amplitude_head", "amplitude, head", "kappa L", "the same for the anterior fifth of the body"),
    ("amplitude_tail", "amplitude, tail", "kappa L", "the same for 0.7 to 0.95 of the body"),
    ("straightness", "straightness", "", "net displacement over path length, smoothed over a stride"),
    ("peak_share", "rhythm", "", "share of the spectrum within 30 % of its peak; low in short runs"),
    ("head_lock", "head lock", "", "share of the head's power at the frequency of the body"),
    ("travelling_index", "travelling index", "", "+1 a wave travelling to the tail, 0 a standing wave"),
    ("bias", "dorso-ventral bias", "kappa L", "mean curvature; positive towards dorsal"),
    ("measured_ms", "measured over", "ms", "the first 3 s of a run, at most half of it, are discarded"),
)  # fmt: skip
SHAPE = (
    ("travelling_r2", "one travelling wave", "", "share of the variance of curvature explained by the best fit"),
    ("travelling_r2_head", "the same including the head", "", "from 0.03 of the body length rather than from 0.15"),
    ("wave_frequency_hz", "its frequency", "Hz", "of that travelling wave"),
    ("wave_length", "its length", "L", "positive from head to tail, negative from tail to head"),
    ("wave_amplitude", "its amplitude", "kappa L", "of that travelling wave"),
    ("speed_cv_along", "uneven along the body", "", "CV of wave speed over four parts of the body"),
    ("speed_cv_in_time", "uneven in time", "", "CV of wave speed over successive eighths of a period"),
    ("speed_slowest", "slowest moment", "", "slowest of these speeds over their mean; negative: it reversed"),
    ("duty", "unequal half cycles", "", "deviation from half of the share of time bent to dorsal"),
    ("stride_period_cv", "spread of the period", "", "from stride to stride, standard deviation over mean"),
    ("stride_amplitude_cv", "spread of the amplitude", "", "from stride to stride, standard deviation over mean"),
    ("eigenworm_share", "four eigenworms", "", "share of the variance of posture in its four largest modes"),
    ("head_phase", "head ahead", "cycles", "relative to the body's wave extrapolated to the head"),
    ("tail_over_middle", "tail over middle", "", "amplitude at 0.7 to 0.95 of the body over that at 0.38 to 0.7"),
    ("path_turn_deg_s", "path turns", "deg/s", "heading of the smoothed path; positive to dorsal"),
    ("slip", "speed over wave speed", "", "1 no slip at all; 0 undulation without displacement"),
    ("shortest_length", "shortest length", "", "of the midline, relative to 1 mm or an animal's median"),
)  # fmt: skip
NOT_MEASURED = "not measured"
_PER_MILLE = 5e-4


def tables(columns: Sequence[tuple[str, Gait]]) -> Iterator[str]:
    """Tables of gaits side by side, given as (name, gait), with the published ranges for their media."""
    head = ["measured", *[name for name, _ in columns]]
    if len(columns) > 1:
        head.append("difference" if len(columns) == 2 else "spread")
    head += ["published", "source of the range"]
    gaits = [gait for _, gait in columns]
    yield page.table(head, [_row(gaits, *each[:3]) for each in MOVEMENT])
    yield "<h3>Shape of the wave</h3>"
    yield page.table(head, [_row(gaits, *each[:3]) for each in SHAPE])
    words = [[Cell(name), about] for _, name, _, about in (*MOVEMENT, *SHAPE)]
    yield page.folded("Definitions", page.table(["term", "meaning"], words))


def shortfall(gait: Gait, required: Range) -> str:
    """A metric and the required range that it misses, in words."""
    called = {metric: name for metric, name, *_ in (*MOVEMENT, *SHAPE)}
    unit = f" {required.unit}" if required.unit else ""
    value = number(float(getattr(gait, required.metric)))
    return f"{called[required.metric]} {value}{unit if value != NOT_MEASURED else ''}, required {span(required)}{unit}"


def _row(gaits: list[Gait], metric: str, name: str, unit: str) -> list[Cell]:
    values = [float(getattr(each, metric)) if each.measured_ms else math.nan for each in gaits]
    known = [{each.medium: each for each in PUBLISHED if each.metric == metric}.get(gait.medium) for gait in gaits]
    cells = [Cell(f"{name} [{unit}]" if unit else name)]
    for value, kept in zip(values, known, strict=True):
        if not math.isfinite(value):
            cells.append(Cell(NOT_MEASURED, "number soft"))
            continue
        mark, kind = ("✓ inside", "good") if kept and kept.holds(value) else ("✗ outside", "bad")
        cells.append(Cell(number(value), "number", mark if kept else "", kind))
    if len(gaits) > 1:
        cells.append(Cell(_difference(values), "number"))
    ranges = list(dict.fromkeys(each for each in known if each))
    several = len({each.medium for each in gaits if each.medium}) > 1
    told = [(f"{each.medium} " if several else "") + span(each) for each in ranges]
    sources = list(dict.fromkeys(f"{each.source} (certainty {each.certainty})" for each in ranges))
    return [*cells, Cell("; ".join(told), "number"), Cell("; ".join(sources), "source")]


def span(each: Range) -> str:
    """A published range as text."""
    if math.isinf(each.high):
        return f"at least {each.low:g}"
    return f"{each.low:g}" if each.low == each.high else f"{each.low:g} to {each.high:g}"


def number(value: float) -> str:
    """A measure as text."""
    if not math.isfinite(value):
        return NOT_MEASURED
    return f"{value:.0f}" if value == round(value) or abs(value) >= 1000 else f"{value:.3f}"


def _difference(values: list[float]) -> str:
    """Second minus first, as a number and in percent; for more than two, largest minus smallest."""
    if not all(map(math.isfinite, values)):
        return ""
    if len(values) > 2:
        return number(max(values) - min(values))
    first, second = values
    change = second - first
    share = f" ({100.0 * change / abs(first):+.1f} %)" if abs(first) > _PER_MILLE else ""
    return f"{'+' if change >= 0 else ''}{number(change)}{share}"
