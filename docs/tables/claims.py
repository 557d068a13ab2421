"""The page of claims: each claim, its acceptance criterion, and the measured value. No number is typed here."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MEASURED = ROOT / "docs" / "measured"
VALIDATION = HERE / "validation.csv"
PUBLISHED = ROOT / "tianbao" / "behaviour" / "published.csv"
# A table measured before one of these changed may no longer be what the model gives.
MODEL = ("mod", "tianbao/network", "tianbao/cells", "tianbao/muscles", "tianbao/body", "tianbao/environment")
_COLUMNS = (
    "id", "level", "test", "measured", "target", "unit", "tolerance", "bound", "predecessor", "verdict", "source",
)  # fmt: skip


def table(history: bool = False) -> str:
    """Every claim of claims.toml, by section.

    Args:
        history: add the commit of each table, and how often the model changed since; needs git.
    """
    sections = tomllib.loads((HERE / "claims.toml").read_text(encoding="utf-8"))
    lines = []
    for title, claims in sections.items():
        lines += ["", f"## {title}", "", "| claim | required | measured | met | table |", "|---|---|---|---|---|"]
        lines += [_row(each) for each in claims]
    used = dict.fromkeys(each["table"] for claims in sections.values() for each in claims)
    return "\n".join([*lines[1:], "", "## The tables", "", *_tables(used, history)])


def validation() -> str:
    """Counts of `tianbao validate`, and every test that does not pass."""
    found = pd.read_csv(VALIDATION, dtype={"revision": str})
    lines = ["| level | tests | pass | warn | fail | no target |", "|---|---|---|---|---|---|"]
    for level, tests in found.groupby("level"):
        counts = [int((tests.verdict == verdict).sum()) for verdict in ("pass", "warn", "fail", "info")]
        lines.append(f"| {level} | {len(tests)} | " + " | ".join(map(str, counts)) + " |")
    failed = found[found.verdict.isin(["fail", "warn"])]
    lines += ["", "| not passed | verdict | measured | target | source |", "|---|---|---|---|---|"]
    for each in failed.itertuples():
        values = f"{each.measured:.4g} {each.unit} | {'< ' if each.bound else ''}{each.target:.4g}"
        lines.append(f"| {each.test} | {each.verdict} | {values} | {each.source} |")
    both = found[found.predecessor.notna() & ~found.verdict.eq("info")]
    better = int((_miss(both, both.measured) < _miss(both, both.predecessor)).sum())
    nearer = f"The 2022/2024 original published {len(both)} of these values; ours is closer to the target in {better}."
    made = f"Run at revision `{found.revision[0]}`, mechanisms `{found.mechanisms[0]}`."
    lines += ["", nearer, "", made]
    return "\n".join(lines)


def senses() -> str:
    """What isolated sensory neurons make of published stimuli, beside what is required of them."""
    kept = pd.read_csv(VALIDATION, dtype={"revision": str}).query("level == 'sense'")
    wanted = pd.read_csv(VALIDATION.parents[2] / "tianbao" / "validation" / "senses.csv")
    lines = ["| neuron | stimulus | quantity | measured | required | verdict | source |", "|" + "---|" * 7]
    for row, result in zip(wanted.itertuples(), kept.itertuples(), strict=True):
        # Of a lower bound, the results hold what is lacking.
        found = row.value - result.measured if row.kind == "least" else result.measured
        quantity, _, seconds = row.quantity.partition("_")
        cells = (
            row.neuron,
            f"{row.field} {row.before:g} to {row.after:g}",
            f"left after {seconds} s" if seconds else quantity,
            f"{found:.2g} {row.unit}".removesuffix(" 1"),
            f"at {row.kind} {row.value:g}",
            result.verdict,
            f"{row.source} ({row.certainty})",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def comparison(part: str) -> str:
    """A part of comparison.toml with the values of our tables."""
    content = tomllib.loads((HERE / "comparison.toml").read_text(encoding="utf-8"))
    values = {name: _value(**each) for name, each in content["values"].items()}
    return content[part].strip().format(**values)


def _value(
    table: str, column: str, format: str, where: str = "", over: str = "", scale: float = 1.0, take: str = "mean"
) -> str:
    """One value of a table, as text."""
    frame = pd.read_csv(ROOT / table)
    value = scale * getattr((frame.query(where) if where else frame)[column], take)()
    text = f"{value / frame.query(over)[column].mean() if over else value:{format}}"
    # "-0.0" would be a change of nothing.
    return text.lstrip("-") if not float(text.replace(",", "")) else text


def keep_validation(path: Path) -> None:
    """Keep the results of `tianbao validate` as validation.csv."""
    content = json.loads(path.read_text(encoding="utf-8"))
    made = {key: content["provenance"].get(key, "") for key in ("revision", "mechanisms")}
    found = pd.DataFrame(content["results"])[list(_COLUMNS)].assign(**made)
    found.to_csv(VALIDATION, index=False, float_format="%.6g")


def _miss(tests: pd.DataFrame, values: pd.Series) -> pd.Series:
    """Distance of a value from its target; for an upper bound, the value itself."""
    return (values - tests.target.where(~tests.bound, 0.0)).abs()


def _scripts() -> dict[str, str]:
    """Table -> the command that makes it, as docs/measured/README.md says."""
    rows = re.findall(r"^\| (`.*?) \| `(.*?)`", (MEASURED / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    return {name: command for names, command in rows for name in re.findall(r"`(\w+\.csv)`", names)}


def _tables(files: Iterable[str], history: bool) -> list[str]:
    """The command that makes each table and, for the site, when it was made."""
    scripts, more = _scripts(), ["at commit", "commits that changed the model since"] if history else []
    lines = ["| " + " | ".join(["table", "made by", *more]) + " |", "|" + "---|" * (2 + len(more))]
    for file in files:
        cells = [f"[{file}](measured/{file})", f"`{scripts[file]}`", *(_history(file) if history else [])]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _row(claim: dict) -> str:
    """One line: the claim, its criterion, the measured value, and whether the criterion is met."""
    file, unit = claim["table"], claim.get("unit", "")
    values = _values(claim)
    low, high = _criterion(claim)
    inside = values.between(low, high)
    count = f"{int(inside.sum())} of {len(inside)}"
    holds = int(inside.sum()) >= claim.get("least", len(inside))
    required, measured = f"{_span(low, high)} {unit}".strip(), f"{_as_range(values)} {unit}".strip()
    if "least" in claim:
        counted = set(values) <= {0.0, 1.0}
        required = f"{claim['least']} of {len(inside)}" + ("" if counted else f" at {required}")
        measured = count + ("" if counted else f", all {measured}")
    cells = (claim["claim"], required, measured, "yes" if holds else "**no**", f"[{file}](measured/{file})")
    return "| " + " | ".join(cells) + " |"


def _values(claim: dict) -> pd.Series:
    frame = pd.read_csv(MEASURED / claim["table"])
    chosen = frame.query(claim["where"]) if "where" in claim else frame
    values = chosen[claim["column"]].dropna()
    if values.empty:
        raise SystemExit(f"claims.toml: '{claim['claim']}' matches no row of {claim['table']}")
    if "over" in claim:
        values = values / frame.query(claim["over"])[claim["column"]].mean()
    if claim.get("deviation"):
        values = (values - 1.0).abs()
    if claim.get("spread"):
        values = pd.Series([(values.max() - values.min()) / values.abs().mean()])
    return values.abs() if claim.get("magnitude") else values.astype(float)


def _criterion(claim: dict) -> tuple[float, float]:
    if "published" not in claim:
        return claim.get("low", float("-inf")), claim.get("high", float("inf"))
    with open(PUBLISHED, newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["metric"] == claim["column"] and row["medium"] == claim["published"]:
                return float(row["low"]), float(row["high"])
    raise SystemExit(f"claims.toml: no published {claim['column']} in {claim['published']}")


def _span(low: float, high: float) -> str:
    if low == high:
        return f"{low:g}"
    if low == float("-inf"):
        return f"at most {high:g}"
    return f"at least {low:g}" if high == float("inf") else f"{low:g} to {high:g}"


def _as_range(values: pd.Series) -> str:
    low, high = (f"{float(f'{each:.3g}'):g}" for each in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"


def _history(file: str) -> list[str]:
    """Commit of a table, and how many commits have changed files of the model since."""
    commit = _git("log", "-1", "--format=%h", "--", f"docs/measured/{file}")
    if not commit:
        return ["", ""]
    return [f"`{commit}`", str(len(_git("log", "--format=%h", f"{commit}..HEAD", "--", *MODEL).split()))]


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
