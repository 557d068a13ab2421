"""The results of the validation: a table for the terminal, JSON, and a page with plots."""

from __future__ import annotations

import base64
import html
import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..electrophysiology.recordings import Recorded, recorded_windows, recordings
from ..io.files import prepare_folder, write_atomically
from .check import Result

STYLE = """\
body { font: 15px/1.45 system-ui, sans-serif; color: #2b2b33; max-width: 75rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; font-size: 13px }
th, td { text-align: left; padding: .2rem .5rem; border-bottom: 1px solid #ddd6c6; vertical-align: top }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.info { color: #6d6f7a }
.pass { color: #2f6f4f } .warn { color: #a8690b } .fail { color: #b3261e; font-weight: bold }
img { max-width: 100% }
"""
"""Of the pages of validation."""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Tianbao: validation</title><style>
{style}</style></head><body>
<h1>Tianbao compared with recorded and published cells</h1>
<p>{summary}. Every number was computed by <code>tianbao validate</code>, {provenance}.
If a bound is given, the measured value must be below it; the predecessor is the fit included in BAAIWorm.
The sweeps and resting potentials are those that our cells, like the predecessor's, were fitted to: they show how well a
membrane can reproduce them; rows on sweeps that were left out of the fit show how well it predicts others.</p>
<table><thead><tr><th>test</th><th>measured</th><th>target</th><th>tolerance</th><th>predecessor</th><th>verdict</th>
<th>source</th></tr></thead><tbody>
{rows}
</tbody></table>
{figures}
</body></html>
"""


def table(results: Sequence[Result]) -> str:
    """Rows for a terminal, one per result."""
    lines = [f"{'test':78s} {'measured':>10s} {'target':>12s} {'predecessor':>11s}  verdict"]
    for each in results:
        numbers = f"{each.measured:10.4g} {_target(each):>12s} {_before(each):>11s}"
        lines.append(f"{_cut(each.test, 78):78s} {numbers}  {each.verdict}")
    return "\n".join(lines)


def summary(results: Sequence[Result]) -> str:
    """Number of tests passed, warned and failed, as text."""
    counts = Counter(each.verdict for each in results)
    judged = ", ".join(f"{counts[verdict]} {verdict}" for verdict in ("pass", "warn", "fail"))
    return f"{len(results)} tests: {judged}, {counts['info']} without a target"


def write(
    results: Sequence[Result], folder: str | Path, provenance: dict[str, str], whole: Sequence[Recorded] = ()
) -> list[Path]:
    """Write validation.json and validation.html.

    Args:
        results: of `check.run`.
        folder: created if necessary.
        provenance: versions and revision.
        whole: recordings to draw in place of their means in windows.

    Returns:
        The files.

    Raises:
        OutputError: if they cannot be written.
    """
    folder = prepare_folder(folder)
    content = {"provenance": provenance, "summary": summary(results), "results": [each.row() for each in results]}
    files = [write_atomically(folder / "validation.json", (json.dumps(content, indent=1) + "\n").encode())]
    page = _PAGE.format(
        style=STYLE,
        summary=summary(results),
        provenance=html.escape(", ".join(f"{name} {value}" for name, value in provenance.items())),
        rows="\n".join(_row(each) for each in results),
        figures="\n".join(_figures({each.level for each in results}, whole)),
    )
    return [*files, write_atomically(folder / "validation.html", page.encode())]


def _row(result: Result) -> str:
    tolerance = "" if result.bound or result.informs else f"{result.tolerance:.3g}"
    numbers = (f"{result.measured:.4g} {result.unit}", _target(result), tolerance, _before(result))
    cells = "".join(f'<td class="number">{html.escape(each)}</td>' for each in numbers)
    verdict = f'<td class="{result.verdict}">{result.verdict}</td>'
    return f"<tr><td>{html.escape(result.test)}</td>{cells}{verdict}<td>{html.escape(result.source)}</td></tr>"


def _target(result: Result) -> str:
    if result.informs:
        return ""
    return f"{'< ' if result.bound else ''}{result.target:.4g}"


def _before(result: Result) -> str:
    return "" if result.predecessor is None else f"{result.predecessor:.3g}"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."


def _figures(levels: set[str], whole: Sequence[Recorded]) -> list[str]:
    from ..view import electrophysiology as view

    found = []
    if "channel" in levels:
        found.append(("Gates: set C19 solid, set H dotted", view.gates()))
    if "cell" in levels:
        from . import cells, recorded

        found += _recorded_cells(whole)
        found.append(("RMD as published: brief pulses switch it between two states", view.traces(cells.rmd_runs())))
        found.append((f"AWAL at {recorded.SPIKING_PA:g} pA", view.traces(recorded.awa_runs())))
    if "muscle" in levels:
        from . import muscle

        title = f"Active body wall muscle: a pulse of {muscle.PULSE_PA:g} pA for {muscle.PULSE_MS:g} ms"
        found.append((title, view.traces(muscle.runs())))
    return [f"<h2>{html.escape(title)}</h2>{_image(figure)}" for title, figure in found]


def _recorded_cells(whole: Sequence[Recorded]) -> list[tuple]:
    """Title and figure of every recorded cell: its sweeps, and its peaks and steady states."""
    from ..view import electrophysiology as view
    from ..view.recorded_sweeps import recorded_sweeps
    from . import traces

    found, every = [], recorded_windows()
    for neuron, rows in recordings().groupby("cell", sort=False):
        cell = str(neuron)
        run, ensemble = traces.recorded_sweeps(cell), traces.members(cell)
        band = (ensemble.time, ensemble.values) if ensemble else None
        given = {each.step: (each.time, each.values) for each in whole if each.cell == cell}
        figure = recorded_sweeps(run, rows, every[every.cell == cell], band, given)
        found.append((f"{cell}: every public sweep, recorded and fitted", figure))
        found.append((f"{cell}: peak and steady state", view.sweeps(run, recorded=rows)))
    return found


def _image(figure) -> str:
    memory = io.BytesIO()
    figure.savefig(memory, format="png", dpi=110)
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(memory.getvalue()).decode()}">'
