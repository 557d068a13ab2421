"""`tianbao export`: export runs and models to other software."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import ConfigError, OutputError, shorten
from . import import_track
from .session import add_command, add_force, fresh, opened

_RESULTS = "results.h5"
_CONFIG = "configuration of the worm (default: the standard worm)"


def register(commands: argparse._SubParsersAction) -> None:
    """Add the commands, import among them."""
    export = add_command(
        commands, "export", _which, "export a run or a model in a format for other software",
        """tianbao export wcon output/forward_crawl
        tianbao export csv output/forward_crawl --out tables
        tianbao export nwb output/forward_crawl --out crawl.nwb
        tianbao export neuroml --out neuroml
        tianbao export netpyne --config mutant.toml --out netpyne""",
    )  # fmt: skip
    formats = export.add_subparsers(dest="format", required=True, metavar="FORMAT")
    _add_run(formats, "wcon", _wcon, "write the tracks in WCON, the format of worm trackers", "track.wcon",
             "file; compressed if its name ends in .zip")  # fmt: skip
    csv = _add_run(formats, "csv", _csv, "write posture, voltages and activations as CSV tables", "",
                   "folder; several worms go into worm_0, worm_1 ... there")  # fmt: skip
    csv.add_argument("--worm", type=int, metavar="K", help="number of the only worm to write, from 0 (default: all)")
    nwb = _add_run(formats, "nwb", _nwb, "write a run in NWB, a data archive format (needs tianbao[nwb])",
                   "run.nwb", "file; of several worms each has its own, run_0.nwb, run_1.nwb ...")  # fmt: skip
    nwb.add_argument("--worm", type=int, metavar="K", help="number of the only worm to write, from 0 (default: all)")
    nwb.add_argument("--experimenter", action="append", default=[], metavar="'LAST, FIRST'", help="may be repeated")
    nwb.add_argument("--institution", default="", metavar="NAME", help="where it was done")
    _add_worm(formats, "neuroml", _neuroml, "write neurons, muscles and network in NeuroML 2")
    netpyne = _add_worm(formats, "netpyne", _netpyne, "write a model folder for NetPyNE and its GUI",
                        "tianbao export netpyne --cells 'AV*' VB6 --neurons-only --out small")  # fmt: skip
    netpyne.add_argument("--cells", nargs="+", default=[], metavar="GLOB", help="only these neurons and muscles")
    netpyne.add_argument("--neurons-only", action="store_true", help="leave the muscles out, for quick drawing")
    import_track.register(commands)


def _add_run(formats: argparse._SubParsersAction, name: str, act, about: str, file: str, what: str):
    """An export format for the results of a run."""
    parser = add_command(
        formats, name, act, about,
        f"""tianbao export {name} output/forward_crawl
        tianbao export {name} output/forward_crawl/{_RESULTS} --out {file or 'tables'}""",
    )  # fmt: skip
    parser.add_argument("result", type=Path, metavar="RESULT", help=f"{_RESULTS}, or its folder")
    where = f"{file} next to the result" if file else "the folder of the result"
    parser.add_argument("--out", type=Path, metavar="PATH", help=f"{what} (default: {where})")
    add_force(parser)
    return parser


def _add_worm(formats: argparse._SubParsersAction, name: str, act, about: str, example: str = ""):
    """An export format for the model; returns its parser."""
    parser = add_command(
        formats, name, act, about,
        f"""tianbao export {name} --out {name}
        tianbao export {name} --config mutant.toml --out {name}_mutant
        {example}""",
    )  # fmt: skip
    parser.add_argument("--config", type=Path, metavar="CONFIG.toml", help=_CONFIG)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="created if necessary")
    add_force(parser)
    return parser


def _which(args: argparse.Namespace) -> int:
    """Never reached: a format is required, and each has its own function."""
    raise OutputError("give a format: wcon, csv, nwb, neuroml or netpyne")


def _wcon(args: argparse.Namespace) -> int:
    from ..io.wcon import write_wcon

    run, folder = opened(args.result)
    out = _ends(fresh(args.out, args.force), ".wcon", ".json", ".zip")
    return _wrote(write_wcon(run, out or folder / "track.wcon"))


def _csv(args: argparse.Namespace) -> int:
    from ..io.tables import write_csv

    run, folder = opened(args.result)
    return _wrote(*write_csv(run, fresh(args.out, args.force) or folder, worm=args.worm))


def _nwb(args: argparse.Namespace) -> int:
    from ..io.nwb import write_nwb

    run, folder = opened(args.result)
    path = _ends(fresh(args.out, args.force), ".nwb") or folder / "run.nwb"
    who = {"experimenter": tuple(args.experimenter), "institution": args.institution}
    if args.worm is not None or len(run.worms) == 1:
        return _wrote(write_nwb(run, path, worm=args.worm, **who))
    each = [(worm, path.with_stem(f"{path.stem}_{worm}")) for worm in range(len(run.worms))]
    return _wrote(*(write_nwb(run, path, worm=worm, **who) for worm, path in each))


def _neuroml(args: argparse.Namespace) -> int:
    from ..io.neuroml import write_neuroml

    return _wrote(write_neuroml(_worm(args.config), fresh(args.out, args.force)))


def _netpyne(args: argparse.Namespace) -> int:
    from ..io.files import prepare_folder
    from ..io.netpyne_model import export_netpyne

    prepare_folder(fresh(args.out, args.force))
    export_netpyne(_worm(args.config), args.out, cells=args.cells, neurons_only=args.neurons_only)
    return _wrote(args.out)


def _worm(config: Path | None):
    """The worm of a configuration, with its interventions."""
    from ..config import RunConfig, read_config
    from ..experiment import worm_of

    return worm_of(RunConfig() if config is None else read_config(config))


def _ends(path: Path | None, *ends: str) -> Path | None:
    """A path whose end says what will be in the file.

    Raises:
        ConfigError: for another end.
    """
    if path is not None and path.suffix.lower() not in ends:
        raise ConfigError(f"--out {shorten(path.name)}: let it end in {ends[0]}, as in {shorten(path.stem)}{ends[0]}")
    return path


def _wrote(*paths: Path) -> int:
    print("wrote " + ", ".join(str(path) for path in paths))
    return 0
