"""Finds the NetPyNE GUI in its own environment, or says how to install it.

The GUI (package netpyne_ui) needs old notebook packages, so it never shares an environment with Tianbao.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError

_INSTALL = """\
{python} -m venv {env} && . {env}/bin/activate
pip install neuron==9.0.2 netpyne==1.1.1 "notebook<7" "jupyter_client<8" "ipykernel<7" "ipywidgets<8" \\
    pyecore==0.13.2 deprecated requests "setuptools<81" wheel
pip install --no-deps --no-build-isolation netpyne-ui==0.5.2 jupyter_geppetto==0.4.2 pygeppetto==0.4.2
jupyter nbextension install --py --symlink --sys-prefix jupyter_geppetto
jupyter nbextension enable --py --sys-prefix jupyter_geppetto
jupyter nbextension enable --py --sys-prefix widgetsnbextension
jupyter serverextension enable --py --sys-prefix jupyter_geppetto
deactivate
{tianbao} gui {model}--python {env}/bin/python
"""
# The Python that the latest release of the GUI on PyPI runs on.
_PYTHON = (3, 11)
_PROBE = """
import importlib.metadata as m, importlib.util as u, json, sys
names = "netpyne-ui", "netpyne", "neuron", "notebook", "jupyter_geppetto", "pyecore"
found = {}
for name in names:
    try:
        found[name] = m.version(name)
    except m.PackageNotFoundError:
        pass
json.dump({"has": u.find_spec("netpyne_ui") is not None, "versions": found,
           "python": ".".join(map(str, sys.version_info[:2]))}, sys.stdout)
"""
_FIRST_NOTEBOOK = 7  # major version that the GUI cannot use


class GuiMissing(ConfigError):
    """The environment has no NetPyNE GUI; `install_commands` creates one that has."""


@dataclass(frozen=True)
class Gui:
    """An installed NetPyNE GUI.

    Attributes:
        python: interpreter of its environment.
        versions: package -> version in its environment.
    """

    python: Path
    versions: dict[str, str]


def install_commands(model: Path | None = None) -> str:
    """Commands for a shell that create an environment with the latest release of the GUI on PyPI and start it.

    They hold absolute paths only, so that they work in any folder.

    Args:
        model: folder to open; none if None.
    """
    ours = sys.version_info[:2] == _PYTHON
    python = sys.executable if ours else shutil.which("python3.11") or "python3.11"
    installed = shutil.which("tianbao")
    return _INSTALL.format(
        python=shlex.quote(python),
        env=shlex.quote(str(Path.cwd() / "netpyne-gui")),
        tianbao=shlex.quote(installed) if installed else shlex.join([sys.executable, "-P", "-m", "tianbao.cli"]),
        model="" if model is None else f"{shlex.quote(str(model.absolute()))} ",
    )


def find_gui(python: str | Path | None = None) -> Gui:
    """The GUI of an environment.

    Args:
        python: interpreter of the environment; the present one if None.

    Raises:
        ConfigError: if it is not a Python interpreter, or has no suitable notebook package.
        GuiMissing: if the GUI is not installed there.
    """
    # Absolute, since the server runs in another folder; not resolved, since links of an environment must stay.
    path = (Path(python).expanduser() if python else Path(sys.executable)).absolute()
    said = _probe(path)
    versions = said["versions"]
    if not said["has"]:
        raise GuiMissing(
            f"no NetPyNE GUI (netpyne_ui) in the environment of {path}: give another one with --python, or create "
            "one with the commands that tianbao gui prints"
        )
    notebook = versions.get("notebook")
    if notebook is None or int(notebook.split(".")[0]) >= _FIRST_NOTEBOOK:
        have = f"notebook {notebook}" if notebook else "no notebook"
        raise ConfigError(
            f"the environment of {path} has {have} and the NetPyNE GUI needs one below 7: run "
            f"{path} -m pip install 'notebook<7'"
        )
    return Gui(path, {**versions, "python": said["python"]})


def _probe(python: Path) -> dict:
    if not (python.is_file() and os.access(python, os.X_OK)):
        raise ConfigError(f"{python} is not a Python interpreter: give the bin/python of the environment with the GUI")
    try:
        run = subprocess.run(
            [python, "-P", "-c", _PROBE], capture_output=True, text=True, timeout=60, check=False
        )
        return json.loads(run.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise ConfigError(
            f"{python} is not Python 3.11 or later: give the bin/python of the environment "
            "with the GUI"
        ) from error
