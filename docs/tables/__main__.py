"""Fills in the tables made from code and data: `python docs/tables` writes, `python docs/tables --check` compares.

A page contains a marker line `<!-- table: NAME -->`, the generated table, and `<!-- end -->`; the rest is plain text.
"""

from __future__ import annotations

import argparse
import functools
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent
# Before any installed package, so that a checkout documents itself.
sys.path[:0] = [str(HERE), str(DOCS.parent)]

import assays  # noqa: E402
import claims  # noqa: E402
import reference  # noqa: E402

PAGES: dict[str, dict[str, Callable[[], str]]] = {
    "anatomy.md": {"connectomes": reference.connectomes, "signs": reference.signs, "gaits": reference.gaits},
    "assays.md": {
        "assays": assays.assays,
        "criteria": assays.criteria,
        "measures": assays.measures,
        "perturbations": assays.perturbations,
    },
    "body.md": {
        "long_walk": lambda: reference.rows(
            "docs/measured/long_walk.csv", ("part", "scene", "quantity", "unit", "reference", "measured", "relative")
        ),
    },
    "claims.md": {"claims": claims.table, "validation": claims.validation},
    "command_line.md": {"commands": reference.commands},
    "comparison.md": {part: functools.partial(claims.comparison, part) for part in ("original", "peers")},
    "configuration.md": {"configuration": reference.configuration},
    "decision.md": {
        "decision": lambda: reference.rows(
            "tianbao/network/decision.csv", ("name", "value", "unit", "meaning", "source", "certainty")
        ),
        "fatigue": lambda: reference.rows(
            "tianbao/network/fatigue.csv",
            ("class", "use_per_s", "refill_s", "reserve", "recycle_s", "source", "certainty"),
        ),
    },
    "limits.md": {
        "ranges": lambda: reference.rows(
            "tianbao/ranges.csv", ("quantity", "unit", "low", "high", "refuse_below", "refuse_above", "source")
        ),
    },
    "scale.md": {
        "scale": lambda: reference.rows(
            "docs/measured/scale.csv", ("variant", "worms", "wall_s", "ratio", "gain", "memory_mb")
        ),
    },
    "modulators.md": {
        "amine sources": lambda: reference.rows(
            "tianbao/network/amine_sources.csv",
            ("ligand", "neurons", "gene", "share", "release_half_mV", "tau_ms", "source", "certainty"),
        ),
        "amines": lambda: reference.rows(
            "tianbao/network/amines.csv",
            ("ligand", "receptor", "targets", "effect", "strength", "unit", "source", "certainty"),
        ),
    },
    "perturbations.md": {
        "interventions": reference.interventions,
        "tools": lambda: reference.rows("tianbao/network/tools.csv", ("name", "value", "unit", "source", "certainty")),
        "opsins": lambda: reference.rows("tianbao/network/opsins.csv", ("name", "channel", "sign", "source")),
        "genes": lambda: reference.rows("tianbao/network/genes.csv", ("gene", "transmitter", "source")),
    },
    "senses.md": {
        "receptors": reference.receptors,
        "answers": claims.senses,
        "touch": reference.touch,
        "touch constants": lambda: reference.rows(
            "tianbao/sensing/touch_constants.csv", ("name", "value", "unit", "source", "certainty")
        ),
    },
    "provenance.md": {
        "wiring": reference.wiring,
        "numbers": reference.numbers,
        "published": lambda: reference.rows(
            "tianbao/behaviour/published.csv", ("metric", "medium", "low", "high", "unit", "source", "certainty")
        ),
    },
}


def filled(name: str) -> str:
    """A page with its tables up to date."""
    text = (DOCS / name).read_text(encoding="utf-8")
    for table, make in PAGES[name].items():
        pattern = re.compile(rf"(<!-- table: {table} -->\n).*?(<!-- end -->)", re.DOTALL)
        content = make()
        text, count = pattern.subn(lambda found, content=content: f"{found[1]}\n{content}\n\n{found[2]}", text)
        if count != 1:
            raise SystemExit(f"docs/{name}: needs one marker <!-- table: {table} --> and its <!-- end -->")
    return text


def outdated(names: list[str] | None = None) -> Iterator[str]:
    """Names of pages whose tables are out of date."""
    for name in names or PAGES:
        if filled(name) != (DOCS / name).read_text(encoding="utf-8"):
            yield name


def main(arguments: list[str] | None = None) -> int:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(prog="python docs/tables", description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", metavar="PAGE", help=f"{', '.join(PAGES)} (default: all)")
    parser.add_argument("--check", action="store_true", help="change nothing; exit code 1 if a page is out of date")
    parser.add_argument("--validation", type=Path, help="store the results of this validation.json first")
    args = parser.parse_args(arguments)
    if args.validation:
        claims.keep_validation(args.validation)
    old = list(outdated(args.pages))
    for name in old:
        if args.check:
            sys.stdout.write(f"docs/{name} is out of date: run python docs/tables\n")
        else:
            (DOCS / name).write_text(filled(name), encoding="utf-8")
            sys.stdout.write(f"wrote docs/{name}\n")
    return 1 if args.check and old else 0


if __name__ == "__main__":
    sys.exit(main())
