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
import os
import sys
import tempfile


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


def adapt_mechanisms(neuron, mods: str, built: str) -> None:
    """Load the mechanisms of a model from where they were compiled for it, now and whenever it is opened.

    What else lies in the model's folder as a library is not loaded.

    Args:
        neuron: the module.
        mods: mod folder of the model.
        built: folder with its compiled mechanisms.
    """
    load, ours = neuron.load_mechanisms, os.path.realpath(mods)

    @functools.wraps(load)
    def redirected(path, *args, **options):
        """Load a library, that of the model from the other folder."""
        return load(built if os.path.realpath(path) == ours else path, *args, **options)

    neuron.load_mechanisms = redirected
    load(built)


def import_netpyne():
    """The module `netpyne.sim`; imported in an empty folder, since NEURON loads a library from the current one."""
    here = os.getcwd()
    with tempfile.TemporaryDirectory() as empty:
        os.chdir(empty)
        try:
            return importlib.import_module("netpyne.sim")
        finally:
            os.chdir(here)


def adapt(kernel: bool, mods: str = "", built: str = "") -> None:
    """Apply the adaptations for this process.

    Args:
        kernel: whether it is a kernel, in which the GUI calls NetPyNE.
        mods: mod folder of the model that will be opened; "" for none.
        built: folder with its compiled mechanisms.
    """
    if importlib.util.find_spec("sentry_sdk"):
        adapt_reporting(importlib.import_module("sentry_sdk"))
    if kernel:
        sim = import_netpyne()
        adapt_loader(sim)
        optional = importlib.import_module("schema").Optional
        adapt_validator(importlib.import_module("netpyne.sim.validator"), optional)
        if mods:
            adapt_mechanisms(importlib.import_module("neuron"), mods, built)


def main() -> int:
    """Run the notebook server with the arguments of this program."""
    adapt(kernel=False)
    return importlib.import_module("notebook.notebookapp").main() or 0


if __name__ == "__main__":
    sys.exit(main())
