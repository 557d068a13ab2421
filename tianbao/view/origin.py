"""The sections of a report on what made its runs: interventions, settings and provenance."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..recorded import RecordedRun
from ..units import MS_PER_S
from . import page, settings
from .page import Cell

_LONGEST_LINE = 48  # characters of a setting that stay on one line


def interventions(names: list[str], runs: list[RecordedRun]) -> Iterator[str]:
    """What was done to every worm of every run."""
    yield page.heading("Interventions", "interventions")
    for name, run in zip(names, runs, strict=True):
        for worm in range(len(run.worms)):
            who = [name] if len(runs) > 1 else []
            who += [f"worm {worm}"] if len(run.worms) > 1 else []
            if who:
                yield f"<h3>{page.escaped(', '.join(who))}</h3>"
            done = settings.interventions(run, worm)
            yield page.bullets(done) if done else page.paragraph("none: the intact animal", "soft")


def configuration(names: list[str], runs: list[RecordedRun]) -> Iterator[str]:
    """Settings that differ between the runs, those that differ from the defaults, and all."""
    yield page.heading("Settings", "settings")
    values = [settings.settings(run) for run in runs]
    keys = list(dict.fromkeys(key for each in values for key in each))
    if not keys:
        yield page.paragraph("These recordings contain no configuration." if len(runs) > 1 else
                             "This recording contains no configuration.", "soft")  # fmt: skip
        return
    unlike = settings.differing(values)
    moved = [key for key in keys if any(key in each and settings.changed(key, each[key]) for each in values)]
    if len(runs) > 1:
        yield f"<h3>{'Differences between the runs' if unlike else 'The runs have the same settings'}</h3>"
        if unlike:
            yield _setting_table(unlike, names, values)
    yield "<h3>Differences from the defaults</h3>"
    yield _setting_table(moved, names, values) if moved else page.paragraph("nothing", "soft")
    yield page.folded(f"All {len(keys)} settings", _setting_table(keys, names, values))


def _setting_table(keys: list[str], names: list[str], values: list[dict]) -> str:
    rows = []
    for key in keys:
        default = settings.default_of(key)
        cells = [
            _value(each[key], "changed" if settings.changed(key, each[key]) else "")
            if key in each else Cell("not set", "soft")
            for each in values
        ]  # fmt: skip
        rows.append([Cell(key), *cells, Cell("") if default is None else _value(default, "soft")])
    return page.table(["setting", *names, "default"], rows)


def _value(value: object, kind: str) -> Cell:
    """A setting as a cell; a long list is broken into lines, so that the columns after it stay on the page."""
    text = settings.spelled(value)
    return Cell(text, kind if len(text) > _LONGEST_LINE else f"number {kind}".strip())


def provenance(names: list[str], runs: list[RecordedRun]) -> Iterator[str]:
    """When, from which seed and with which versions each run was made."""
    yield page.heading("Provenance", "provenance")
    columns = [_origin(run) for run in runs]
    keys = list(dict.fromkeys(key for each in columns for key in each))
    rows = []
    for key in keys:
        texts = [each.get(key, "") for each in columns]
        kind = "changed" if len(set(texts)) > 1 else ""
        rows.append([Cell(key), *[Cell(each or "unknown", kind if each else f"{kind} soft".strip()) for each in texts]])
    yield page.table(["", *names], rows)
    if len(runs) > 1:
        yield page.paragraph("Rows that differ are marked.", "soft")


def _origin(run: RecordedRun) -> dict[str, str]:
    wall, biological = run.wall_s_per_bio_s, run.duration / MS_PER_S
    computed = math.isfinite(wall) and wall > 0.0
    return {
        "created": run.created,
        "seed": str(run.seed),
        "duration": f"{run.duration:g} ms in {len(run.time)} frames",
        "complete": "yes" if run.complete else "no: ended early",
        "recorded": "; ".join(
            f"{each.midline.shape[1]} points, {len(each.neurons)} neurons, {len(each.muscles)} muscles"
            for each in run.worms
        ),
        "computing time": f"{wall * biological:.1f} s, {wall:.2f} s per simulated second" if computed else "",
        "mechanisms": run.mechanism_hash,
        "git revision": run.git_revision,
        **{f"version of {name}": version for name, version in sorted(run.versions.items())},
    }
