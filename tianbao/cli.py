"""The `tianbao` command: run an experiment, check an installation, look up the anatomy."""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from . import __doc__ as about
from .config import RunConfig, read_config
from .engine import ENGINES
from .errors import DivergedError, MechanismError, TianbaoError
from .parameters import defaults

_SOURCE_WIDTH = 90
EXIT_FAILED, EXIT_ERROR, EXIT_INTERRUPTED = 1, 2, 130


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the `tianbao` command."""
    parser = argparse.ArgumentParser(prog="tianbao", description=about.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="let the worm crawl and write results, plots and a video")
    _add_crawl_arguments(run)
    run.set_defaults(act=_crawl)
    doctor = commands.add_parser("doctor", help="check compiler, packages and mechanisms")
    doctor.set_defaults(act=_doctor)
    for name in ("neurons", "muscles"):
        table = commands.add_parser(name, help=f"list {name}, all or by glob")
        table.add_argument("pattern", nargs="*", default=["*"], help="names or globs such as 'VB*'")
        table.set_defaults(act=_table, table=name)
    table = commands.add_parser("sources", help="where every membrane value of every neuron comes from")
    table.add_argument("pattern", nargs="*", default=["*"], help="names or globs of neurons such as 'AWC*'")
    table.add_argument("--csv", type=Path, help="write the table there instead of printing it")
    table.set_defaults(act=_sources)
    evidence = commands.add_parser("validate", help="compare channels and cells with what was published and recorded")
    evidence.add_argument("--level", action="append", help="channel or cell; may be given twice (default: both)")
    evidence.add_argument("--out", type=Path, default=Path("output/validation"), help="folder for JSON and page")
    evidence.set_defaults(act=_validate)
    args = parser.parse_args(arguments)
    return run_script(args.act, args)


def crawl_parser(description: str, *, out: str = "output/forward_crawl", **preset) -> argparse.ArgumentParser:
    """The options of a crawl, or of a swim, for scripts that are one.

    Args:
        description: of the script.
        out: folder for results when none is given.
        preset: values of RunConfig that differ from its own when neither file nor option says otherwise.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    _add_crawl_arguments(parser, out, RunConfig().updated(preset))
    return parser


def run_crawl(args: argparse.Namespace) -> int:
    """Simulate, print the gait beside the published ranges, write every file.

    Returns:
        0 if the worm crawled, or swam in water, 1 if it did not, 2 after an error, 130 after Ctrl-C.
    """
    return run_script(_crawl, args)


def _add_crawl_arguments(
    parser: argparse.ArgumentParser, out: str = "output/forward_crawl", default: RunConfig | None = None
) -> None:
    default = default or RunConfig()
    parser.set_defaults(default=default)
    parser.add_argument("--config", type=Path, help="TOML file with any of these options and [parameters]")
    parser.add_argument("--duration", type=float, help=f"ms of biology (default {default.duration:g})")
    parser.add_argument("--seed", type=int, help=f"of noise and start (default {default.seed})")
    parser.add_argument("--medium", help=f"agar, wet_agar or water (default {default.medium})")
    parser.add_argument("--discretisation", help=f"traced or d_lambda (default {default.discretisation})")
    parser.add_argument("--soma-compartments", type=int, help=f"1 or 2 (default {default.soma_compartments})")
    parser.add_argument("--channel-set", help=f"C19 or H (default {default.channel_set})")
    parser.add_argument("--signs", help=f"predicted or transmitter (default {default.signs})")
    parser.add_argument("--dt", type=float, help=f"neural step in ms (default {default.dt:g})")
    parser.add_argument("--order", type=int, help=f"of the neural step, 1 or 2 (default {default.order})")
    parser.add_argument("--corrections", type=int, help=f"of a step, native engine (default {default.corrections})")
    parser.add_argument("--engine", help=f"{', '.join(ENGINES)} (default {default.engine})")
    parser.add_argument("--tick", type=float, help=f"brain-body exchange in ms (default {default.tick:g})")
    parser.add_argument("--out", type=Path, default=Path(out), help="folder for results")
    parser.add_argument("--no-video", action="store_true", help="skip the video")


def run_script(act: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Turn an error of ours into its sentence and an exit code, as every command does.

    Args:
        act: what to do with the options; gives an exit code.
        args: options.

    Returns:
        What `act` gives, 2 after an error, 130 after Ctrl-C.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("tianbao").setLevel(logging.INFO)
    try:
        return act(args)
    except TianbaoError as error:
        print(f"tianbao: {error}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        print("tianbao: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def _configured(args: argparse.Namespace) -> RunConfig:
    config = read_config(args.config, args.default) if args.config else args.default
    cells = ("discretisation", "soma_compartments", "channel_set", "signs")
    options = ("duration", "seed", "medium", *cells, "dt", "order", "corrections", "tick", "engine")
    config = config.updated({name: getattr(args, name) for name in options}, where="command line")
    # Every parameter, not only the changed ones, so that the written file repeats the run for good.
    return config.updated({"parameters": dict(defaults().replace(**config.parameters))})


def _crawl(args: argparse.Namespace) -> int:
    from .io.results import prepare_folder

    config = _configured(args)
    folder = prepare_folder(args.out)
    simulation = _simulation(config)
    try:
        run = simulation.run(config.duration)
    except DivergedError as error:
        files = _write(error.recording, config, folder, video=False)
        print(f"kept until then: {', '.join(map(str, files))}", file=sys.stderr)
        raise
    files = _write(run, config, folder, video=run.complete and not args.no_video)
    moved = _report(run, config.medium)
    print("wrote " + ", ".join(path.name for path in files) + f" in {folder}")
    if not run.complete:
        return EXIT_INTERRUPTED
    return 0 if moved else EXIT_FAILED


def _simulation(config: RunConfig):
    from . import Arena, Clock, Simulation, Worm

    worm = Worm(
        parameters=defaults().replace(**config.parameters),
        discretisation=config.discretisation,
        soma_compartments=config.soma_compartments,
        channel_set=config.channel_set,
        signs=config.signs,
    )
    clock = Clock(config.dt, config.tick, config.frame, config.order, config.corrections)
    simulation = Simulation(
        worm, Arena(config.medium), seed=config.seed, clock=clock, slabs=config.slabs, engine=config.engine
    )
    return simulation.record(voltage=config.record)


def _write(run, config: RunConfig, folder: Path, *, video: bool) -> list[Path]:
    """Write everything a recording gives; the data first, so that a failing plot loses nothing."""
    from .io.files import write_atomically
    from .io.results import write_summary

    files = [run.save(folder / "results.h5"), write_summary(run, folder / "summary.json")]
    files.append(write_atomically(folder / "config.toml", config.to_toml().encode()))
    if len(run.time) > 1:
        files += [run.plot.curvature(folder / "kymograph.png"), run.plot.traces(folder / "traces.png")]
    if video:
        files.append(run.video(folder / ("swim.mp4" if config.medium == "water" else "crawl.mp4")))
    return files


def _report(run, medium: str) -> bool:
    """Print measured beside published; whether the worm crawled, or swam where it should."""
    from .behaviour.gait import compare, crawled, swam

    gait = run.gait()
    print(f"{'':26s}{'measured':>10s}   published")
    for row in compare(gait, medium):
        mark = "" if row.inside else "   (outside)"
        print(f"{row.metric:26s}{row.measured:10.3f}   {row.low:g} to {row.high:g} {row.unit}  {row.source}{mark}")
    print(f"{run.wall_s_per_bio_s:.1f} s of computing per second of biology")
    fluid = medium == "water"
    verdict = swam(gait) if fluid else crawled(gait)
    done, not_done = ("swam", "swim") if fluid else ("crawled", "crawl")
    print(f"the worm {done}" if verdict else f"the worm did not {not_done}")
    return verdict


def _doctor(args: argparse.Namespace) -> int:
    from importlib.metadata import PackageNotFoundError, version

    from . import mechanisms

    good = True
    for package in ("neuron", "netpyne", "numpy", "scipy", "pandas", "matplotlib", "taichi", "h5py"):
        try:
            print(f"{package:12s} {version(package)}")
        except PackageNotFoundError:
            print(f"{package:12s} missing: pip install {package}")
            good = False
    compiler = shutil.which("g++") or shutil.which("clang++")
    print(f"{'compiler':12s} {compiler or 'missing: install g++ or clang'}")
    library = mechanisms.library()
    print(f"{'mechanisms':12s} {library or 'not compiled yet: they are at the first run, or by make mechs'}")
    print(f"{'engine':12s} {_native_engine()}")
    return 0 if good and (compiler or library) else EXIT_FAILED


def _native_engine() -> str:
    from .engine.library import build

    try:
        return f"native: {build()}"
    except MechanismError as error:
        return f"NEURON only: {error}"


def _sources(args: argparse.Namespace) -> int:
    from .io.files import write_atomically
    from .membranes import sources

    table = sources(*args.pattern)
    if args.csv:
        text = table.to_csv(index=False, float_format="%.6g")
        print(f"wrote {len(table)} rows in {write_atomically(args.csv, text.encode())}")
    else:
        # The table in full is for --csv; on a terminal a row has to stay readable.
        print(table.assign(source=table.source.str.slice(0, _SOURCE_WIDTH)).to_string(index=False))
    return 0


def _validate(args: argparse.Namespace) -> int:
    from .io.files import prepare_folder
    from .loop.provenance import git_revision, mechanism_hash, versions
    from .validation import check, report

    # A folder that cannot be written to is found out before the work, not after it.
    prepare_folder(args.out)
    results = check.run(dict.fromkeys(args.level or check.LEVELS))
    print(report.table(results))
    made_by = versions() | {"mechanisms": mechanism_hash(), "revision": git_revision()}
    files = report.write(results, args.out, made_by)
    print(report.summary(results))
    print("wrote " + ", ".join(path.name for path in files) + f" in {args.out}")
    return EXIT_FAILED if any(each.verdict == check.FAIL for each in results) else 0


def _table(args: argparse.Namespace) -> int:
    from . import anatomy

    if args.table == "neurons":
        table, names = anatomy.neurons(), anatomy.match_neurons(*args.pattern)
    else:
        table, names = anatomy.muscles(), anatomy.match_muscles(*args.pattern)
    print(table.loc[names].to_string())
    return 0


if __name__ == "__main__":
    sys.exit(main())
