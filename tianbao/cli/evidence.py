"""`tianbao validate`, `sources`, `neurons`, `muscles`: comparison with published data, and sources of values."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .session import EXIT_FAILED, add_command, add_force, fresh

if TYPE_CHECKING:
    import pandas as pd


def register(commands: argparse._SubParsersAction) -> None:
    """Add the commands."""
    for name in ("neurons", "muscles"):
        table = add_command(
            commands, name, _table, f"list {name}, all or by glob",
            "tianbao neurons\ntianbao neurons 'VB*' AVAL" if name == "neurons" else "tianbao muscles 'MDL*'",
        )  # fmt: skip
        table.add_argument("pattern", nargs="*", default=["*"], help="names or globs such as 'VB*'")
        table.set_defaults(table=name)
    table = add_command(
        commands, "sources", _sources, "list the source of every membrane value of every neuron",
        "tianbao sources 'AWC*'\ntianbao sources --csv sources.csv\n"
        "tianbao sources --signs\ntianbao sources --signs 'AIY*'",
    )  # fmt: skip
    table.add_argument("pattern", nargs="*", default=["*"], help="names or globs of neurons such as 'AWC*'")
    table.add_argument("--signs", action="store_true", help="signs of families of synapses instead, with their sources")
    table.add_argument("--csv", type=Path, help="write the table to this file instead of printing it")
    add_force(table)
    evidence = add_command(
        commands, "validate", _validate, "compare channels, cells and behaviour with published values and recordings",
        "tianbao validate\ntianbao validate --level channel --out output/validation\n"
        "tianbao validate --level behaviour --assay anterior_touch --worms 10",
    )  # fmt: skip
    level = "channel, cell, muscle or sense; may be repeated (default: all of these), or behaviour, which takes hours"
    evidence.add_argument("--level", action="append", help=level)
    evidence.add_argument("--out", type=Path, default=Path("output/validation"), help="folder for JSON and page")
    about = "whole recordings to compare, too: a CSV with columns cell, step, t_s, mV_or_pA"
    evidence.add_argument("--recordings", type=Path, metavar="FILE", help=about)
    _add_behaviour(evidence)


def _add_behaviour(evidence: argparse.ArgumentParser) -> None:
    about = "of level behaviour: name of a published figure, or a TOML file of your own (default: every assay)"
    evidence.add_argument("--assay", nargs="+", action="extend", default=[], metavar="NAME", help=about)
    about = "of level behaviour: worms in each condition (default: as many as each assay says)"
    evidence.add_argument("--worms", type=int, metavar="N", help=about)
    evidence.add_argument("--seed", type=int, metavar="N", help="of level behaviour: in place of that of each assay")
    about = "of level behaviour: a value for every condition that has none of its own, such as arena.temperature=22"
    evidence.add_argument("--set", action="append", metavar="KEY=VALUE", help=about)
    about = "of level behaviour: runs at a time (default: 2)"
    evidence.add_argument("--processes", type=int, metavar="N", help=about)


def _sources(args: argparse.Namespace) -> int:
    from ..io.files import write_atomically
    from ..membranes import sources
    from ..network.design import sign_sources

    path, table = fresh(args.csv, args.force), (sign_sources if args.signs else sources)(*args.pattern)
    if path:
        text = table.to_csv(index=False, float_format="%.6g")
        print(f"wrote {len(table)} rows in {write_atomically(path, text.encode())}")
    else:
        print("\n".join(_told(table)))
    return 0


def _told(table: pd.DataFrame) -> Iterator[str]:
    """One line per value, and below it the whole of its source, once for rows that follow each other and share it."""
    shown = _with_ratio(table) if "fitted" in table else table
    values = shown.drop(columns=["source", "where"], errors="ignore").to_string(index=False).splitlines()
    origins = list(enumerate(table["source"] + (" [" + table["where"] + "]" if "where" in table else "")))
    yield values[0]
    for (k, origin), line in zip(origins, values[1:], strict=True):
        yield line
        if k == len(origins) - 1 or origins[k + 1][1] != origin:
            yield f"    {origin}"


def _with_ratio(table: pd.DataFrame) -> pd.DataFrame:
    """The table as text, the ratio of value and fitted in place of their difference; potentials have no ratio."""
    ratio = (table.value / table.fitted).where((table.unit != "mV") & (table.fitted > 0.0))
    shown = table.assign(difference=ratio).rename(columns={"difference": "ratio"})
    formats = {"value": "{:.4g}", "fitted": "{:.4g}", "ratio": "x{:.3g}", "density": "{:.3g}", "tpm": "{:.0f}"}
    for name, form in formats.items():
        shown[name] = [form.format(each) if each == each else "" for each in shown[name].astype(float)]
    return shown


def _validate(args: argparse.Namespace) -> int:
    from ..errors import ConfigError
    from ..validation.behaviour import LEVEL

    chosen = list(dict.fromkeys(args.level or ()))
    given = {"--assay": args.assay or None, "--worms": args.worms, "--seed": args.seed, "--set": args.set,
             "--processes": args.processes}  # fmt: skip
    if LEVEL not in chosen:
        if wrong := [name for name, value in given.items() if value is not None]:
            raise ConfigError(f"{wrong[0]} is of level {LEVEL}: add --level {LEVEL}")
        return _isolated(args, chosen)
    others = [each for each in chosen if each != LEVEL]
    first = _isolated(args, others) if others else 0
    return max(first, _behaviour(args))


def _behaviour(args: argparse.Namespace) -> int:
    from ..config import parse_setting
    from ..loop.provenance import git_revision, mechanism_hash, versions
    from ..validation import assay_report, behaviour

    changed = list(args.set or ())

    def told(outcome) -> None:
        """Each assay as soon as it is judged."""
        print(assay_report.table([outcome]), flush=True)

    processes = {} if args.processes is None else {"processes": args.processes}
    outcomes = behaviour.run(
        args.assay, args.out, worms=args.worms, seed=args.seed, changes=dict(map(parse_setting, changed)),
        on_outcome=told, **processes,
    )  # fmt: skip
    made_by = versions() | {"mechanisms": mechanism_hash(), "revision": git_revision()}
    made_by |= {"changed by --set": ", ".join(changed)} if changed else {}
    files = assay_report.write(outcomes, args.out, made_by)
    print(assay_report.summary(outcomes))
    print("wrote " + ", ".join(path.name for path in files) + f" in {args.out}")
    return 0


def _isolated(args: argparse.Namespace, chosen: list[str]) -> int:
    """Levels of channels, cells, muscles and senses."""
    from ..electrophysiology.recordings import read_recordings
    from ..io.files import prepare_folder
    from ..loop.provenance import git_revision, mechanism_hash, versions
    from ..validation import check, levels, report

    # Fail before the computation, not after it, if the folder cannot be written to.
    prepare_folder(args.out)
    whole = read_recordings(args.recordings) if args.recordings else []
    results = levels.run(chosen or levels.LEVELS, whole)
    print(report.table(results))
    made_by = versions() | {"mechanisms": mechanism_hash(), "revision": git_revision()}
    files = report.write(results, args.out, made_by, whole)
    print(report.summary(results))
    print("wrote " + ", ".join(path.name for path in files) + f" in {args.out}")
    return EXIT_FAILED if any(each.verdict == check.FAIL for each in results) else 0


def _table(args: argparse.Namespace) -> int:
    from .. import anatomy

    if args.table == "neurons":
        table, names = anatomy.neurons(), anatomy.match_neurons(*args.pattern)
    else:
        table, names = anatomy.muscles(), anatomy.match_muscles(*args.pattern)
    print(table.loc[names].to_string())
    return 0
