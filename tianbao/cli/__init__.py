"""The `tianbao` command: run experiments, view results, check the installation, look up the anatomy."""

from __future__ import annotations

import argparse
import importlib
import sys

from .. import __doc__ as about
from .run import crawl_parser, run_crawl
from .session import EXIT_ERROR, EXIT_FAILED, EXIT_INTERRUPTED, run_script

__all__ = ["EXIT_ERROR", "EXIT_FAILED", "EXIT_INTERRUPTED", "crawl_parser", "main", "run_crawl", "run_script"]

_MODULES = ("run", "sweep", "see", "export", "wiring", "evidence", "inspect", "doctor")


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the `tianbao` command."""
    parser = argparse.ArgumentParser(
        prog="tianbao",
        description=about.splitlines()[0],
        epilog="For help on a command: tianbao COMMAND --help",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in _MODULES:
        importlib.import_module(f".{name}", __name__).register(commands)
    args = parser.parse_args(arguments)
    return run_script(args.act, args)


if __name__ == "__main__":
    sys.exit(main())
