"""Where the processes of a sweep look for modules: where this one does, except in the current folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]  # folder from which Tianbao itself is imported


def import_path() -> list[str]:
    """Absolute folders of our import path.

    Python itself puts the current folder in front for `python -m` and `python -c`; a file there that is named like a
    module, such as numpy.py in a downloads folder, would be executed in every process. A folder that the user has
    named, in PYTHONPATH, by running a script in it or on `sys.path`, stays.
    """
    here = os.path.realpath(os.getcwd())
    named = {os.path.realpath(each) for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each}
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    if script is not None and getattr(sys.modules["__main__"], "__spec__", None) is None:
        named.add(os.path.dirname(os.path.realpath(script)))
    found = [os.path.abspath(each) for each in sys.path if each and (os.path.realpath(each) != here or here in named)]
    # A checkout that is the current folder.
    return list(dict.fromkeys([*found, str(_PACKAGE)]))


def command(module: str, *arguments: object) -> list[str]:
    """The command that runs a module of ours with `-P`: neither the current folder nor the program's is searched."""
    return [sys.executable, "-P", "-m", module, *map(str, arguments)]


def add_declared(folder: str) -> None:
    """Let this process import a job from the folder that its sweep declares, after everything that is installed."""
    if folder and str(Path(folder)) not in sys.path:
        sys.path.append(str(Path(folder)))
