"""The results of assays: a table for the terminal, CSV and JSON, and a page with animal and model side by side."""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..behaviour.taxis import Interval
from ..io.files import prepare_folder, write_atomically
from .assay import CRITERIA
from .assay_verdict import ABSENT, NOT_RUN, PARTIAL, REPRODUCED, Found, Outcome, told
from .report import STYLE

__all__ = ["COLUMNS", "rows", "summary", "table", "write"]

COLUMNS = (
    "assay", "verdict", "measure", "unit", "condition", "worms", "value", "low", "high", "animal", "animal_low",
    "animal_high", "certainty", "control", "expect", "difference", "difference_low", "difference_high", "holds",
    "source",
)  # fmt: skip
_KINDS = {REPRODUCED: "pass", PARTIAL: "warn", ABSENT: "fail", NOT_RUN: "info"}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Tianbao: published figures</title><style>
{style}</style></head><body>
<h1>Published figures, animal and model side by side</h1>
<p>{summary}. Every number was computed by <code>tianbao validate --level behaviour</code>, {provenance}.
Red: the animal, its range shaded; blue: the model in the condition of the animal; grey: controls. Bars are 95 %
intervals over worms.</p>
<table><thead><tr><th>assay</th><th>verdict</th><th>source</th></tr></thead><tbody>
{overview}
</tbody></table>
{sections}
</body></html>
"""


def rows(outcomes: Sequence[Outcome]) -> Iterator[dict[str, Any]]:
    """A row per measure, and one per control, with columns `COLUMNS`."""
    for outcome in outcomes:
        for found in outcome.found:
            yield from _rows(outcome, found)


def _rows(outcome: Outcome, found: Found) -> Iterator[dict[str, Any]]:
    wanted, animal = found.wanted, found.wanted.animal
    base = {
        **dict.fromkeys(COLUMNS, ""), "assay": outcome.assay.name, "verdict": outcome.verdict, "measure": wanted.name,
        "unit": wanted.measure.unit, "source": animal.source if animal else outcome.assay.source,
    }  # fmt: skip
    told_of_animal = {} if animal is None else {
        "animal": animal.value, "animal_low": animal.low, "animal_high": animal.high, "certainty": animal.certainty,
    }  # fmt: skip
    holds = [each for each in (found.in_range, found.sign) if each is not None]
    yield {
        **base, **told_of_animal, **_numbers(found.value, ""), "condition": wanted.condition,
        "worms": found.value.worms, "holds": all(holds) if holds else "",
    }  # fmt: skip
    for each in found.controls:
        yield {
            **base, **_numbers(each.value, ""), **_numbers(each.difference, "difference"),
            "condition": each.control.condition, "worms": each.value.worms, "control": wanted.condition,
            "expect": each.control.expect, "holds": each.shown,
        }  # fmt: skip


def _numbers(value: Interval, name: str) -> dict[str, float]:
    first, *ends = (name, f"{name}_low", f"{name}_high") if name else ("value", "low", "high")
    return {first: value.value, ends[0]: value.low, ends[1]: value.high}


def table(outcomes: Sequence[Outcome]) -> str:
    """Lines for a terminal: an assay, then its measures and controls."""
    lines = []
    for outcome in outcomes:
        assay = outcome.assay
        lines += ["", f"{assay.name}: {outcome.verdict}{_fewer(outcome)}", f"  {assay.title} ({assay.source})"]
        for found in outcome.found:
            unit = "" if found.wanted.measure.unit == "1" else f" {found.wanted.measure.unit}"
            mark = {True: "in range", False: "out of range", None: ""}[found.in_range]
            if found.sign is not None:
                mark = ", ".join(filter(None, [mark, "right sign" if found.sign else "no sign"]))
            line = f"  {found.wanted.name:44s} {told(found.value) + unit:34s} {_animal(found):26s} {mark}"
            lines.append(line.rstrip())
            for each in found.controls:
                shown = f"{each.control.expect}: {'yes' if each.shown else 'no'}"
                lines.append(f"    {each.control.condition:42s} {told(each.value) + unit:34s} {shown}")
    return "\n".join(lines[1:])


def _fewer(outcome: Outcome) -> str:
    """That a verdict is of fewer worms than the assay asks for, and so not to be quoted."""
    fewest, wanted = min(outcome.worms.values()), outcome.assay.setup.worms
    return "" if fewest >= wanted else f" (by {fewest} of {wanted} worms only)"


def _animal(found: Found) -> str:
    animal = found.wanted.animal
    if animal is None:
        return ""
    value = f"{animal.value:.3g}" if math.isfinite(animal.value) else ""
    return f"animal {value}{f' [{animal.low:.3g}, {animal.high:.3g}]' if animal.bounded else ''}"


def summary(outcomes: Sequence[Outcome]) -> str:
    """Number of assays of each verdict, as text."""
    counts = Counter(each.verdict for each in outcomes)
    known = [REPRODUCED, PARTIAL, ABSENT, *([NOT_RUN] if counts[NOT_RUN] else [])]
    many = "assay" if len(outcomes) == 1 else "assays"
    return f"{len(outcomes)} {many}: " + ", ".join(f"{counts[verdict]} {verdict}" for verdict in known)


def write(outcomes: Sequence[Outcome], folder: str | Path, provenance: Mapping[str, str]) -> list[Path]:
    """Write behaviour.json, behaviour.csv and behaviour.html.

    Args:
        outcomes: of assays.
        folder: created if necessary.
        provenance: versions and revision.

    Returns:
        The files.

    Raises:
        OutputError: if they cannot be written.
    """
    folder, content = prepare_folder(folder), list(rows(outcomes))
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for each in content:
        writer.writerow({key: f"{value:.4g}" if isinstance(value, float) else value for key, value in each.items()})
    results = [{key: _plain(value) for key, value in each.items()} for each in content]
    whole = {"provenance": dict(provenance), "summary": summary(outcomes), "results": results}
    page = _PAGE.format(
        style=STYLE,
        summary=summary(outcomes),
        provenance=html.escape(", ".join(f"{name} {value}" for name, value in provenance.items())),
        overview="\n".join(map(_overview, outcomes)),
        sections="\n".join(map(_section, outcomes)),
    )
    return [
        write_atomically(folder / "behaviour.json", (json.dumps(whole, indent=1) + "\n").encode()),
        write_atomically(folder / "behaviour.csv", text.getvalue().encode()),
        write_atomically(folder / "behaviour.html", page.encode()),
    ]


def _plain(value: Any) -> Any:
    """A value as JSON holds it, which knows no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _verdict(outcome: Outcome) -> str:
    return f'<span class="{_KINDS[outcome.verdict]}">{outcome.verdict}</span>'


def _overview(outcome: Outcome) -> str:
    assay = outcome.assay
    link = f'<a href="#{html.escape(assay.name)}">{html.escape(assay.title)}</a>'
    return f"<tr><td>{link}</td><td>{_verdict(outcome)}</td><td>{html.escape(assay.source)}</td></tr>"


def _section(outcome: Outcome) -> str:
    from ..view.assays import assay_figure

    assay = outcome.assay
    rule = "; ".join(
        f"{verdict} if {' and '.join(CRITERIA[each] for each in criteria)}"
        for verdict, criteria in ((REPRODUCED, assay.rule.reproduced), (PARTIAL, assay.rule.partial))
    )
    about = [f"{assay.question} {assay.source}, {assay.figure}.", f"Rule: {rule}.", assay.limits]
    worms = ", ".join(f"{name}: {count}" for name, count in outcome.worms.items()) + _fewer(outcome)
    memory = io.BytesIO()
    assay_figure([_panel(each) for each in outcome.found]).savefig(memory, format="png", dpi=110)
    image = base64.b64encode(memory.getvalue()).decode()
    head = f'<h2 id="{html.escape(assay.name)}">{html.escape(assay.title)}: {_verdict(outcome)}</h2>'
    text = "".join(f"<p>{html.escape(each)}</p>" for each in [*about, f"Worms: {worms}."] if each)
    return f'{head}{text}<img alt="" src="data:image/png;base64,{image}">'


def _panel(found: Found):
    import numpy as np

    from ..view.assays import Bar, Panel

    animal, wanted = found.wanted.animal, found.wanted
    bars = [Bar("animal", animal.value, animal.low, animal.high, True)] if animal else [Bar("", *[math.nan] * 3)]
    bars.append(Bar(wanted.condition, found.value.value, found.value.low, found.value.high))
    bars += [Bar(each.control.condition, each.value.value, each.value.low, each.value.high) for each in found.controls]
    points = np.array(animal.points, float) if animal and animal.points else None
    return Panel(wanted.name, wanted.measure.unit, bars, points, None if found.curve is None else np.array(found.curve))
