"""Finds the NetPyNE GUI in its own environment, adapts it in memory and starts it, for this machine only.

The GUI (package netpyne_ui) needs old notebook packages, so it never shares an environment with Tianbao. The
adaptations for opening our models are made by `gui_start.py`, which runs in that environment; settings are stored in a
temporary folder. The server listens on this machine only and requires a token, and its page cannot load
anything from elsewhere, so that neither error reports nor visits are sent out.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError, MechanismError, OutputError

START = Path(__file__).with_name("gui_start.py")

INSTALL = """\
python3.11 -m venv netpyne-gui && . netpyne-gui/bin/activate
pip install neuron==9.0.2 netpyne==1.1.1 "notebook<7" "jupyter_client<8" "ipykernel<7" "ipywidgets<8" \\
    pyecore==0.13.2 deprecated requests "setuptools<81" wheel
pip install --no-deps --no-build-isolation netpyne-ui==0.5.2 jupyter_geppetto==0.4.2 pygeppetto==0.4.2
jupyter nbextension install --py --symlink --sys-prefix jupyter_geppetto
jupyter nbextension enable --py --sys-prefix jupyter_geppetto
jupyter nbextension enable --py --sys-prefix widgetsnbextension
jupyter serverextension enable --py --sys-prefix jupyter_geppetto
deactivate
tianbao gui FOLDER --python netpyne-gui/bin/python
"""
"""Commands that create an environment with the latest release of the GUI on PyPI."""

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
# Its JavaScript expects a global that notebook 6 no longer sets.
_PRELOAD = "define(['underscore'], function (underscore) { window._ = underscore; return {}; });\n"
_FIRST_NOTEBOOK = 7  # major version that the GUI cannot use
_PATIENCE = 60.0  # [s] until the server must have answered
_PAGE = "/geppetto"
_MARK = "tianbao-compiled"  # holds the digest of the files that were compiled


class GuiMissing(ConfigError):
    """The environment has no NetPyNE GUI; `INSTALL` creates one that has."""


@dataclass(frozen=True)
class Gui:
    """An installed NetPyNE GUI.

    Attributes:
        python: interpreter of its environment.
        versions: package -> version in its environment.
    """

    python: Path
    versions: dict[str, str]


def find_gui(python: str | Path | None = None) -> Gui:
    """The GUI of an environment.

    Args:
        python: interpreter of the environment; the present one if None.

    Raises:
        ConfigError: if it is not a Python interpreter, or has no suitable notebook package.
        GuiMissing: if the GUI is not installed there.
    """
    path = Path(python).expanduser() if python else Path(sys.executable)
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


def check_model(folder: str | Path) -> Path:
    """A folder that the GUI can open.

    Raises:
        ConfigError: if it has no index.npjson, or files listed there are missing.
    """
    folder = Path(folder).expanduser().resolve()
    index = folder / "index.npjson"
    if not index.is_file():
        raise ConfigError(f"{folder} has no index.npjson: write a model there with tianbao export netpyne")
    try:
        named = json.loads(index.read_text(encoding="utf-8"))
        missing = [named[key] for key in ("netParams", "simConfig") if not (folder / named[key]).is_file()]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{index} is not the index of a NetPyNE model: write the folder again") from error
    if missing:
        raise ConfigError(f"{index} lists {missing[0]}, which is not in {folder}: write the folder again")
    return folder


def compile_model(folder: Path, gui: Gui) -> bool:
    """Compile the mechanisms of a model with the GUI's NEURON, unless this has been done before.

    Returns:
        Whether anything was compiled.

    Raises:
        MechanismError: if they do not compile.
    """
    mods = folder / "mod"
    built = mods / platform.machine()
    mark, digest = built / _MARK, _digest(mods)
    if not mods.is_dir() or (mark.is_file() and mark.read_text() == digest):
        return False
    # A library of other files, or of an interrupted compilation: NEURON would load it anyway.
    shutil.rmtree(built, ignore_errors=True)
    command = shutil.which("nrnivmodl", path=str(gui.python.parent))
    if command is None:
        raise MechanismError(f"no nrnivmodl next to {gui.python}: run {gui.python} -m pip install neuron==9.0.2")
    jobs = {"MAKEFLAGS": f"-j{os.cpu_count() or 1}", **_environment(gui)}
    run = subprocess.run([command], cwd=mods, env=jobs, capture_output=True, text=True, check=False)
    if run.returncode:
        # NEURON would load the remains of a failed compilation as a library.
        shutil.rmtree(built, ignore_errors=True)
        last = "\n".join((run.stderr or run.stdout).strip().splitlines()[-5:])
        raise MechanismError(f"the mechanisms in {mods} do not compile; output of nrnivmodl:\n{last}")
    mark.write_text(digest)
    return True


def _digest(mods: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(mods.glob("*.mod")):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()


def command(gui: Gui, port: int, token: str) -> list[str]:
    """The command that starts the GUI's server, for this machine only and with a token."""
    # The page can load scripts, styles and data from this server only.
    own = f"'self' ws://127.0.0.1:{port} ws://localhost:{port} data: blob:"
    policy = f"default-src {own} 'unsafe-inline' 'unsafe-eval'"
    headers = {"headers": {"Content-Security-Policy": policy}}
    return [
        str(gui.python),
        str(START),
        "--no-browser",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--port-retries=0",
        f"--NotebookApp.default_url={_PAGE}",
        f"--NotebookApp.token={token}",
        f"--NotebookApp.tornado_settings={headers!r}",
        # The page does not send the second token that notebooks require; the first one is kept.
        "--NotebookApp.disable_check_xsrf=True",
        "--library=netpyne_ui",
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
    ]


def _environment(gui: Gui) -> dict[str, str]:
    """Environment variables for the GUI: its own programs first, no NEURON windows."""
    path = os.pathsep.join([str(gui.python.parent.absolute()), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "NEURON_MODULE_OPTIONS": "-nogui", "SENTRY_DSN": ""}


def write_settings(folder: Path) -> dict[str, str]:
    """Settings of Jupyter and IPython that the GUI needs, in a separate folder.

    Returns:
        Environment variables that point there.
    """
    startup = folder / "ipython" / "profile_default" / "startup"
    custom = folder / "jupyter" / "custom"
    for each in (startup, custom):
        each.mkdir(parents=True)
    (custom / "custom-preload.js").write_text(_PRELOAD, encoding="utf-8")
    (startup / "00-tianbao.py").write_text(
        f"import runpy\nrunpy.run_path({str(START)!r})['adapt'](kernel=True)\n", encoding="utf-8"
    )
    return {
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_CONFIG_DIR": str(folder / "jupyter"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
    }


def free_port(wanted: int = 0) -> int:
    """A free port of this machine.

    Args:
        wanted: this one; any if 0.

    Raises:
        ConfigError: if it is in use or invalid.
    """
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", wanted))
        except (OSError, OverflowError) as error:
            raise ConfigError(f"port {wanted} cannot be used: give another one, or none") from error
        return probe.getsockname()[1]


@contextlib.contextmanager
def serving(gui: Gui, folder: Path, port: int = 0) -> Iterator[tuple[str, subprocess.Popen]]:
    """Run the GUI's server until the block ends.

    Args:
        gui: from `find_gui`.
        folder: shown by File > Open.
        port: of this machine; a free one if 0.

    Returns:
        Address to open in a browser, with the token, and the process.

    Raises:
        OutputError: if the server does not respond; the message contains its last lines of output.
    """
    port, token = free_port(port), secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="tianbao-gui-") as settings:
        environment = {**_environment(gui), **write_settings(Path(settings))}
        log = Path(settings) / "server.log"
        with open(log, "wb") as said:
            process = subprocess.Popen(
                command(gui, port, token), cwd=folder, env=environment, stdout=said, stderr=said
            )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(process, f"{address}{_PAGE}?token={token}", log)
            _start_kernel(address, token)
            yield f"{address}/login?token={token}&next={_PAGE}", process
        finally:
            _end(process)


def _wait(process: subprocess.Popen, address: str, log: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5.0) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    last = "\n".join(log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:])
    raise OutputError(f"the server of the NetPyNE GUI does not respond; its last output:\n{last}")


def _start_kernel(address: str, token: str) -> None:
    """Start the kernel before the page, which would otherwise stay on its first screen."""
    session = {"path": "notebook.ipynb", "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    request = urllib.request.Request(
        f"{address}/api/sessions",
        data=json.dumps(session).encode(),
        headers={"Authorization": f"token {token}", "Content-Type": "application/json"},
    )
    # Only a head start: the page requests its kernel as well.
    with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(request, timeout=_PATIENCE):
        pass


def _end(process: subprocess.Popen) -> None:
    # The first signal lets the server stop its kernels.
    process.terminate()
    try:
        process.wait(10.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
