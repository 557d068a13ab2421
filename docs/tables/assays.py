"""Tables of assays of published figures and of sign tests, with what was measured as far as it has been."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MEASURED = ROOT / "docs" / "measured"
SIGNS = ROOT / "sims" / "perturbations.csv"
NOT_RUN = "not run yet"


def assays() -> str:
    """Every assay: what is asked, of how many worms, and its verdict."""
    from tianbao.validation.assay_file import assays as files
    from tianbao.validation.assay_file import read_assay

    verdicts = {row["assay"]: row["verdict"] for row in _rows(MEASURED / "assays.csv")}
    lines = ["| assay | question | source | worms, time | verdict |", "|" + "---|" * 5]
    for path in files():
        assay = read_assay(path)
        seconds = max(each.duration for each in assay.conditions.values()) / 1e3
        size = f"{assay.setup.worms} in each of {len(assay.conditions)}, {seconds:g} s"
        verdict = verdicts.get(assay.name, NOT_RUN)
        lines.append(f"| `{assay.name}` | {assay.question} | {assay.source}, {assay.figure} | {size} | {verdict} |")
    return "\n".join(lines)


def measures() -> str:
    """Everything that an assay may measure."""
    from tianbao.behaviour.measures import MEASURES

    lines = ["| measure | what | unit |", "|---|---|---|"]
    lines += [f"| `{name}` | {_cell(each.about)} | {each.unit} |" for name, each in MEASURES.items()]
    return "\n".join(lines)


def criteria() -> str:
    """What a verdict may rest on."""
    from tianbao.validation.assay import CRITERIA

    return "\n".join(["| criterion | holds if |", "|---|---|", *(f"| `{name}` | {what} |" for name, what in
                                                                CRITERIA.items())])  # fmt: skip


def perturbations() -> str:
    """Every sign test: what is done, what the animal does, and what the model does."""
    found = {row["name"]: row for row in _rows(MEASURED / "perturbations.csv")}
    tests = _rows(SIGNS)
    lines = ["| perturbation | worms | measure | animal | model: control, perturbed | effect | verdict | source |",
             "|" + "---|" * 8]  # fmt: skip
    for test in tests:
        row = found.get(test["name"], {})
        values = f"{row['control']}, {row['perturbed']} {row['unit']}".removesuffix(" 1") if row.get("control") else ""
        effect = f"{row['effect']} ({row['low']} to {row['high']})" if row.get("effect") else ""
        verdict = _verdict(test, row)
        cells = (test["name"], test["context"], test["measure"], test["expected"], values, effect, verdict,
                 f"{test['source']}; {test['certainty']}")  # fmt: skip
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    counts = Counter(_verdict(test, found.get(test["name"], {})).partition(":")[0] for test in tests)
    return "\n".join([*lines, "", ", ".join(f"{count} {name}" for name, count in counts.items()) + "."])


def _verdict(test: dict[str, str], row: dict[str, str]) -> str:
    if test["not_applicable"]:
        return f"not applicable: {test['not_applicable']}"
    return row.get("verdict") or NOT_RUN


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))
