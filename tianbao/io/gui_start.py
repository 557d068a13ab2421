"""Runs inside the environment of the NetPyNE GUI: adapts it in memory, then runs its notebook server.

This file does not import Tianbao, which that environment need not contain. It runs as the program of the server
and at the start of every kernel, in which the GUI calls NetPyNE. Nothing on disk is changed.

    python gui_start.py --ip=127.0.0.1 ...        # arguments of Jupyter's notebook server
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import sys


def adapt_reporting(sentry) -> None:
    """Disable the vendor's error reporting.

    Args:
        sentry: the module `sentry_sdk`.
    """

    def init(*args, **options) -> None:
        """Do nothing."""

    sentry.init = init


def adapt_loader(sim) -> None:
    """Make `sim.loadModel` ignore options that this version of NetPyNE does not have.

    Args:
        sim: the module `netpyne.sim`.
    """
    load = sim.loadModel
    known = inspect.signature(load).parameters

    @functools.wraps(load)
    def tolerant(path, *args, **options):
        """Load a model, without options that `sim.loadModel` does not have."""
        return load(path, *args, **{name: value for name, value in options.items() if name in known})

    sim.loadModel = tolerant


def adapt_validator(validator, optional) -> None:
    """Make NetPyNE's validator accept lists of presynaptic sites, which its connections support.

    Args:
        validator: the module `netpyne.sim.validator`.
        optional: `schema.Optional`.
    """
    rules = validator.conn_specs

    @functools.wraps(rules)
    def extended(context):
        """Rules that also accept lists of presynaptic sites."""
        specs = rules(context)
        for entry in specs.values():
            entry.setdefault(optional("preSecs"), [str])
            entry.setdefault(optional("preLocs"), validator.listOfNumbers)
        return specs

    validator.conn_specs = extended


def adapt(kernel: bool) -> None:
    """Apply the adaptations for this process.

    Args:
        kernel: whether it is a kernel, in which the GUI calls NetPyNE.
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
