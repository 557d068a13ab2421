"""Tables that pages take from the code: commands, configuration, interventions, rows of data with their sources."""

from __future__ import annotations

import argparse
import csv
import importlib
import inspect
import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def commands() -> str:
    """Every command with its options and examples."""
    from tianbao import cli

    parser = argparse.ArgumentParser(prog="tianbao")
    found = parser.add_subparsers()
    for name in cli._MODULES:
        importlib.import_module(f"tianbao.cli.{name}").register(found)
    return "\n\n".join(_command(name, each) for name, each in found.choices.items())


def _command(name: str, parser: argparse.ArgumentParser, level: int = 2) -> str:
    """A heading, what it does, its options, its examples, and the commands below it."""
    inner = next((each for each in parser._actions if isinstance(each, argparse._SubParsersAction)), None)
    parts = [f"{'#' * level} tianbao {name}", _marked(parser.description or "")]
    options = [each for each in parser._actions if each is not inner and each.help != argparse.SUPPRESS]
    options = [each for each in options if not isinstance(each, argparse._HelpAction)]
    if options:
        rows = [f"| {_spelled(each)} | {_marked(each.help or '')} |" for each in options]
        parts.append("\n".join(["| option | |", "|---|---|", *rows]))
    examples = (parser.epilog or "").removeprefix("examples:").strip("\n")
    if examples:
        parts.append("```sh\n" + "\n".join(line.strip() for line in examples.splitlines()) + "\n```")
    if inner is not None:
        parts += [_command(f"{name} {each}", below, level + 1) for each, below in inner.choices.items()]
    return "\n\n".join(parts)


def _spelled(action: argparse.Action) -> str:
    """How an option is written."""
    choices = "|".join(map(str, action.choices)) if action.choices else None
    value = action.metavar or choices or action.dest.upper()
    if not action.option_strings:
        return f"`{value}`" + {"*": " ...", "+": " ...", "?": " (optional)"}.get(str(action.nargs), "")
    if action.nargs == 0:
        return f"`{', '.join(action.option_strings)}`"
    return f"`{', '.join(action.option_strings)} {value}`" + (" ..." if action.nargs == "+" else "")


def _marked(text: str) -> str:
    """Text as Markdown shows it: globs are not emphasis, bars do not end a cell."""
    return text.replace("%%", "%").replace("*", r"\*").replace("|", r"\|").replace("<", "&lt;")


def configuration() -> str:
    """What `tianbao run --print-config` prints."""
    import contextlib
    import io

    from tianbao.cli import main

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        main(["run", "--print-config"])
    return f"```toml\n{out.getvalue().strip()}\n```"


def interventions() -> str:
    """Every intervention: its arguments and the first line of its docstring."""
    from tianbao.interventions import VERBS
    from tianbao.worm import Worm

    lines = ["| intervention | arguments | effect |", "|---|---|---|"]
    for verb in VERBS:
        method = getattr(Worm, verb)
        effect = " ".join((inspect.getdoc(method) or "").split("\n\n")[0].split())
        lines.append(f"| `{verb}` | {_arguments(method)} | {_marked(effect)} |")
    return "\n".join(lines)


def _arguments(method) -> str:
    """Arguments as a table or `--do` gives them."""
    words = []
    for each in inspect.signature(method).parameters.values():
        if each.name == "self":
            continue
        if each.name == "pulse":
            words += ["`amplitude` [nA]", "`start`", "`stop` [ms]", "`force` = false"]
        else:
            several = each.kind is each.VAR_POSITIONAL
            free = each.default is not each.empty
            words.append(f"`{each.name}`" + (" (several)" if several else f" = {each.default}" if free else ""))
    return ", ".join(words).replace("*", r"\*")


def rows(path: str, columns: tuple[str, ...]) -> str:
    """A table of data as it is committed."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(_marked(row[name]) for name in columns) + " |" for row in _read(ROOT / path)]
    return "\n".join(lines)


def receptors() -> str:
    """Every receptor of a field, the two sides in one row where they are alike."""
    columns = ("field", "gain_pA", "k_half", "hill", "origin", "tau_ms", "tau_rise_ms", "weber", "tonic", "polarity",
               "whole_pA", "open")  # fmt: skip
    alike: dict[tuple, list[str]] = {}
    for row in _read(ROOT / "tianbao" / "sensing" / "receptors.csv"):
        values = [f"{row['k_half']} {row['unit']}" if name == "k_half" else row[name] for name in columns]
        alike.setdefault((*values, row["source"], row["certainty"]), []).append(row["neuron"])
    heads = ("neuron", *(name.replace("_", " ") for name in columns), "source", "certainty")
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(map(_marked, (", ".join(names), *values))) + " |" for values, names in alike.items()]
    return "\n".join(lines)


def touch() -> str:
    """Every ending that is touched, those of a class in one row where they are alike."""
    columns = ("group", "g_nS", "e_mV", "k_half_um", "hill", "tau_rise_ms", "tau_ms", "off", "tonic", "genes")
    alike: dict[tuple, list[tuple[str, str]]] = {}
    for row in _read(ROOT / "tianbao" / "sensing" / "touch.csv"):
        key = (f"{row['front']} to {row['back']}", *(row[name] for name in columns), row["source"], row["certainty"])
        alike.setdefault(key, []).append((row["neuron"], row["side"]))
    heads = ("neuron", "side", "field L", *(name.replace("_", " ") for name in columns), "source", "certainty")
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for values, found in alike.items():
        names, sides = (", ".join(dict.fromkeys(each)) for each in zip(*found, strict=True))
        lines.append("| " + " | ".join(map(_marked, (names, sides, *values))) + " |")
    return "\n".join(lines)


def wiring() -> str:
    """The table of connectome/SOURCES.md."""
    text = (ROOT / "connectome" / "SOURCES.md").read_text(encoding="utf-8")
    found = re.findall(r"^\|.*\|$", text, re.MULTILINE)
    return "\n".join(found[:2] + [line.replace("docs/anatomy.md", "[anatomy](anatomy.md)") for line in found[2:]])


def connectomes() -> str:
    """Every connectome by name: animal, size, and how its counts become EM sections."""
    heads = ("name", "animal", "neurons", "chemical pairs, count", "gap pairs, count", "EM sections per count")
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in _read(ROOT / "connectome" / "connectomes.csv"):
        pairs = [f"{row[f'{kind}_pairs']}, {float(row[f'{kind}_count']):.0f}" for kind in ("chemical", "gap")]
        factors = ", ".join(f"{float(row[f'{kind}_factor']):.4g} {kind}" for kind in ("chemical", "gap"))
        lines.append("| " + " | ".join([row["name"], row["animal"], row["neurons"], *pairs, factors]) + " |")
    return "\n".join(lines)


def signs() -> str:
    """Families of synapses with the sign in use, the published one and the source."""
    from tianbao.network.design import sign_sources

    columns = ("family", "pairs", "in_use", "published", "certainty", "source")
    lines = ["| " + " | ".join(columns).replace("_", " ") + " |", "|" + "---|" * len(columns)]
    for row in sign_sources().itertuples():
        lines.append("| " + " | ".join(_marked(str(getattr(row, name))) for name in columns) + " |")
    return "\n".join(lines)


def gaits() -> str:
    """Mean gait with each switch of the signs."""
    import pandas as pd

    shown = ("forward_speed_mm_s", "frequency_hz", "wavelength_body_lengths", "travelling_r2", "path_turn_deg_s")
    table = pd.read_csv(ROOT / "docs" / "measured" / "signs.csv")
    heads = ("signs", "medium", "mm/s", "Hz", "wavelength [L]", "R2", "turn [deg/s]", "criteria")
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for (name, medium), runs in table.groupby(["signs", "medium"], sort=False):
        means = " | ".join(f"{value:.3g}" for value in runs[list(shown)].mean())
        lines.append(f"| {name} | {medium} | {means} | {runs.criteria.sum()} of {len(runs)} |")
    return "\n".join(lines)


def numbers() -> str:
    """Every table of numbers of the package: rows, their certainty and number of different sources."""
    lines = ["| table | rows | rows of high, medium, low certainty | sources |", "|---|---|---|---|"]
    for path in sorted((ROOT / "tianbao").rglob("*.csv")):
        found = _read(path)
        certain = Counter(row.get("certainty", "") for row in found)
        graded = "certainty" in found[0]
        certainty = ", ".join(str(certain[each]) for each in ("high", "medium", "low")) if graded else ""
        sources = {row["source"] for row in found} if "source" in found[0] else set()
        name = path.relative_to(ROOT).as_posix()
        lines.append(f"| [{name}](../{name}) | {len(found)} | {certainty} | {len(sources) or 'see above'} |")
    return "\n".join(lines)


def _read(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))
