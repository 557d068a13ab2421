"""The `tianbao` command: run experiments, view results, check the installation, look up the anatomy."""

from __future__ import annotations

import argparse
import importlib
import sys
from importlib.metadata import PackageNotFoundError, version

from .. import __doc__ as about
from .. import streams
from .run import crawl_parser, run_crawl
from .session import EXIT_ERROR, EXIT_FAILED, EXIT_INTERRUPTED, Parser, delivered, in_processes, run_script

__all__ = [
    "EXIT_ERROR", "EXIT_FAILED", "EXIT_INTERRUPTED", "crawl_parser", "in_processes", "main", "run_crawl", "run_script",
]  # fmt: skip

_MODULES = ("run", "sweep", "see", "export", "wiring", "evidence", "inspect", "doctor")


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the `tianbao` command."""
    streams.steady()
    parser = Parser(
        prog="tianbao",
        description=about.splitlines()[0],
        epilog="For help on a command: tianbao COMMAND --help",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in _MODULES:
        importlib.import_module(f".{name}", __name__).register(commands)
    try:
        args = parser.parse_args(arguments)
    except SystemExit as stop:
        # Help was printed, or an option is wrong.
        raise SystemExit(delivered(stop.code)) from None
    return run_script(args.act, args)


class _Version(argparse.Action):
    """Prints the version, which is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print it and exit."""
        try:
            print(f"tianbao {version('tianbao')}")
        except PackageNotFoundError:
            print("tianbao, not installed: run from a checkout")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
