"""Started inside the environment of the NetPyNE GUI: adapts it in memory, then runs its notebook server.

This file stands alone, since that environment need not hold Tianbao. It runs twice: as the program of the server,
and at the start of every kernel, where the GUI calls NetPyNE. Nothing on disk is changed.

    python gui_start.py --ip=127.0.0.1 ...        # arguments of Jupyter's notebook server
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import sys


def adapt_reporting(sentry) -> None:
    """Make the start of the vendor's error reporting do nothing.

    Args:
        sentry: the module `sentry_sdk`.
    """

    def init(*args, **options) -> None:
        """Report nothing."""

    sentry.init = init


def adapt_loader(sim) -> None:
    """Let `sim.loadModel` pass over options that this NetPyNE does not have.

    Args:
        sim: the module `netpyne.sim`.
    """
    load = sim.loadModel
    known = inspect.signature(load).parameters

    @functools.wraps(load)
    def tolerant(path, *args, **options):
        return load(path, *args, **{name: value for name, value in options.items() if name in known})

    sim.loadModel = tolerant


def adapt_validator(validator, optional) -> None:
    """Teach NetPyNE's validator the lists of presynaptic sites that its own connections accept.

    Args:
        validator: the module `netpyne.sim.validator`.
        optional: `schema.Optional`.
    """
    rules = validator.conn_specs

    @functools.wraps(rules)
    def extended(context):
        specs = rules(context)
        for entry in specs.values():
            entry.setdefault(optional("preSecs"), [str])
            entry.setdefault(optional("preLocs"), validator.listOfNumbers)
        return specs

    validator.conn_specs = extended


def adapt(kernel: bool) -> None:
    """Apply what concerns this process.

    Args:
        kernel: whether it is one in which the GUI calls NetPyNE.
    """
    if importlib.util.find_spec("sentry_sdk"):
        adapt_reporting(importlib.import_module("sentry_sdk"))
    if kernel:
        sim = importlib.import_module("netpyne.sim")
        adapt_loader(sim)
        optional = importlib.import_module("schema").Optional
        adapt_validator(importlib.import_module("netpyne.sim.validator"), optional)


def main() -> int:
    """Run the notebook server with the arguments of this program."""
    adapt(kernel=False)
    return importlib.import_module("notebook.notebookapp").main() or 0


if __name__ == "__main__":
    sys.exit(main())
