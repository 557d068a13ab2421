"""Compiles a model for the NetPyNE GUI, adapts the GUI in memory and starts it, for this machine only.

The adaptations for opening our models are made by `gui_start.py`, which runs in that environment; settings are stored
in a temporary folder. The server listens on this machine only and requires a token, which no other user of the
machine can read, and its page cannot load anything from elsewhere, so that neither error reports nor visits are sent
out.

A model folder is code: its cfg.py and netParams.py are executed and its .mod files compiled. A library that lies in it
is not loaded: its mechanisms are compiled into a folder of our own and loaded from there.
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
from pathlib import Path

from ..errors import ConfigError, MechanismError, OutputError
from ..mechanisms import cache
from .gui_install import Gui

START = Path(__file__).with_name("gui_start.py")

# Its JavaScript expects a global that notebook 6 no longer sets.
_PRELOAD = "define(['underscore'], function (underscore) { window._ = underscore; return {}; });\n"
_PATIENCE = 60.0  # [s] until the server must have answered
_PAGE = "/geppetto"
_SOURCES = (".mod", ".inc", ".h", ".hpp")  # what nrnivmodl reads


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


def library(folder: Path, gui: Gui) -> tuple[Path, bool]:
    """The compiled mechanisms of a model, in a folder of our own that is named by its sources and the GUI's NEURON.

    Args:
        folder: of the model; it has a folder mod.
        gui: whose NEURON compiles them, unless this has been done before.

    Returns:
        Path of the library, and whether this call compiled it.

    Raises:
        MechanismError: if they do not compile.
    """
    mods, machine = folder / "mod", platform.machine()
    made_by = f"{gui.versions.get('neuron')}|{sys.platform}|{machine}|{_digest(mods)}"
    name = f"libnrnmech{'.dylib' if sys.platform == 'darwin' else '.so'}"
    key = hashlib.sha256(made_by.encode()).hexdigest()[:24]
    return cache.obtain(f"models/{key}/{machine}/{name}", lambda work: _compile(mods, work, gui) / name)


def compile_model(folder: Path, gui: Gui) -> bool:
    """Compile the mechanisms of a model with the GUI's NEURON, unless this has been done before.

    Returns:
        Whether anything was compiled.

    Raises:
        MechanismError: if they do not compile.
    """
    if not (folder / "mod").is_dir():
        return False
    _set_aside(folder / "mod")
    return library(folder, gui)[1]


def _compile(mods: Path, work: Path, gui: Gui) -> Path:
    """Compile copies of the sources in an empty folder; gives the folder of the library there."""
    command = shutil.which("nrnivmodl", path=str(gui.python.parent))
    if command is None:
        raise MechanismError(f"no nrnivmodl next to {gui.python}: run {gui.python} -m pip install neuron==9.0.2")
    for path in _sources(mods):
        shutil.copyfile(path, work / path.name)
    jobs = {"MAKEFLAGS": f"-j{os.cpu_count() or 1}", **_environment(gui)}
    run = subprocess.run(
        [command], cwd=work, env=jobs, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if run.returncode or not (work / platform.machine()).is_dir():
        last = "\n".join((run.stderr or run.stdout).strip().splitlines()[-5:])
        raise MechanismError(f"the mechanisms in {mods} do not compile; output of nrnivmodl:\n{last}")
    return work / platform.machine()


def _set_aside(mods: Path) -> None:
    """Rename what was compiled in a model folder, which NEURON would load although nobody knows what it holds."""
    for name in {platform.machine(), "x86_64", "i686", "arm64", "aarch64", "powerpc", "umac"}:
        found, aside = mods / name, mods / f"{name}.not_loaded"
        if os.path.lexists(found):
            # Where it cannot be renamed, the library of ours is loaded first and its names are taken.
            with contextlib.suppress(OSError):
                if os.path.isdir(aside) and not aside.is_symlink():
                    shutil.rmtree(aside)
                found.replace(aside)


def _sources(mods: Path) -> list[Path]:
    found = (path for path in mods.iterdir() if path.suffix in _SOURCES and path.name[0] != "." and path.is_file())
    return sorted(found)


def _digest(mods: Path) -> str:
    found = hashlib.sha256()
    for path in _sources(mods):
        content = path.read_bytes()
        found.update(f"{path.name}|{len(content)}|".encode() + content)
    return found.hexdigest()


def command(gui: Gui, port: int, root: bool = False) -> list[str]:
    """The command that starts the GUI's server, for this machine only.

    The token is not part of it, since every user of a machine can read the commands of all others.

    Args:
        gui: from `find_gui`.
        port: of this machine.
        root: whether it runs as the superuser, which notebooks refuse unless told.
    """
    # The page can load scripts, styles and data from this server only.
    own = f"'self' ws://127.0.0.1:{port} ws://localhost:{port} data: blob:"
    policy = f"default-src {own} 'unsafe-inline' 'unsafe-eval'"
    headers = {"headers": {"Content-Security-Policy": policy}}
    return [
        str(gui.python),
        "-P",
        str(START),
        "--no-browser",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--port-retries=0",
        f"--NotebookApp.default_url={_PAGE}",
        f"--NotebookApp.tornado_settings={headers!r}",
        # The page does not send the second token that notebooks require; the first one is kept.
        "--NotebookApp.disable_check_xsrf=True",
        "--library=netpyne_ui",
        *(["--allow-root"] if root else []),
    ]


def _environment(gui: Gui) -> dict[str, str]:
    """Environment variables for the GUI: its own programs first, nothing from the current folder, no NEURON windows."""
    path = os.pathsep.join([str(gui.python.parent), os.environ.get("PATH", "")])
    ours = {"PATH": path, "PYTHONSAFEPATH": "1", "NEURON_MODULE_OPTIONS": "-nogui", "SENTRY_DSN": ""}
    return {**os.environ, **ours}


def write_settings(folder: Path, mods: Path | None = None, built: Path | None = None) -> dict[str, str]:
    """Settings of Jupyter and IPython that the GUI needs, in a separate folder.

    Args:
        folder: for the settings.
        mods: mod folder of the model that will be opened.
        built: folder with its compiled mechanisms as `neuron.load_mechanisms` takes it.

    Returns:
        Environment variables that point there.
    """
    startup = folder / "ipython" / "profile_default" / "startup"
    custom = folder / "jupyter" / "custom"
    for each in (startup, custom):
        each.mkdir(parents=True)
    (custom / "custom-preload.js").write_text(_PRELOAD, encoding="utf-8")
    (startup / "00-tianbao.py").write_text(
        f"import runpy\nrunpy.run_path({str(START)!r})['adapt'](True, {str(mods or '')!r}, {str(built or '')!r})\n",
        encoding="utf-8",
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
def serving(
    gui: Gui, folder: Path, port: int = 0, model: Path | None = None
) -> Iterator[tuple[str, subprocess.Popen]]:
    """Run the GUI's server until the block ends.

    Args:
        gui: from `find_gui`.
        folder: shown by File > Open.
        model: folder in it whose mechanisms `compile_model` compiled; they are loaded when a kernel starts.
        port: of this machine; a free one if 0.

    Returns:
        Address to open in a browser, with the token, and the process.

    Raises:
        ConfigError: if the interpreter cannot be started.
        OutputError: if the server does not respond; the message contains its last lines of output.
    """
    port, token = free_port(port), secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="tianbao-gui-") as settings:
        paths = _compiled(model, gui, Path(settings)) if model and (model / "mod").is_dir() else ()
        # The environment of a process is for its own user to read only, its command is not.
        environment = {**_environment(gui), **write_settings(Path(settings), *paths), "JUPYTER_TOKEN": token}
        log = Path(settings) / "server.log"
        words = command(gui, port, hasattr(os, "geteuid") and os.geteuid() == 0)
        with open(log, "wb") as said:
            try:
                process = subprocess.Popen(words, cwd=folder, env=environment, stdout=said, stderr=said)
            except OSError as error:
                raise ConfigError(f"{gui.python} cannot be started in {folder}: {error.strerror or error}") from error
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(process, f"{address}{_PAGE}?token={token}", log)
            _start_kernel(address, token)
            yield f"{address}/login?token={token}&next={_PAGE}", process
        finally:
            _end(process)


def _compiled(model: Path, gui: Gui, settings: Path) -> tuple[Path, Path]:
    """The mod folder of a model, and a link to its compiled mechanisms whose path NEURON can read."""
    link = settings / "mechanisms"
    link.symlink_to(library(model, gui)[0].parents[1])
    return model / "mod", link


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
