"""Compile mod/ once for each version of its files and load it into NEURON once per process.

Libraries are kept in `cache`: in build/mechs/<digest>/ of a checkout, otherwise in the user's cache folder, or in the
folder given by the environment variable TIANBAO_MECHS. nrnivmodl leaves an old library behind if a compilation fails,
and NEURON loads ./x86_64 by itself, so nothing is ever compiled in place.

    python -m tianbao.mechanisms        # compile now rather than at the first run, including the native engine
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from .. import paths
from ..errors import MechanismError
from . import cache, mod_files

log = logging.getLogger(__name__)

_GIVEN_UP = re.compile(r"(\w+)\.(?:cpp|o)\] Error")
_NOISE = re.compile(r"\s*(->|make:|NOTE:|refer to the C\+\+|Translating|Thread Safe|Notice:)")
_SHOWN_LINES = 8

_loaded: Path | None = None


def sources() -> list[Path]:
    """The .mod files, sorted by name.

    Raises:
        MechanismError: if there are none, or one that NEURON cannot compile.
    """
    folder = paths.data_root() / "mod"
    found = mod_files.find(folder)
    if not found:
        raise MechanismError(f"no .mod files in {folder}: install tianbao again or restore that folder")
    return found


def names() -> list[str]:
    """Names of the mechanisms that the .mod files define, in the order of `sources`.

    Raises:
        MechanismError: as `tianbao.mechanisms.mod_files.names`.
    """
    return list(mod_files.names(sources()))


def mechanism_files() -> list[Path]:
    """The .mod files that define a mechanism, in the order of `names`."""
    return list(mod_files.names(sources()).values())


def digest() -> str:
    """Digest of everything a library depends on: NEURON version, machine, every .mod file; 12 hex digits."""
    content = hashlib.sha256(f"{version('neuron')}|{sys.platform}|{platform.machine()}".encode())
    for path in sources():
        content.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return content.hexdigest()[:12]


def library_name() -> str:
    """Path of the library for the present .mod files within the folder of libraries."""
    return f"{digest()}/libnrnmech{'.dylib' if sys.platform == 'darwin' else '.so'}"


def library() -> Path | None:
    """Compiled library for the present .mod files, or None if they are not compiled, or it was changed since."""
    return cache.find(library_name())


def build() -> Path:
    """Compile the .mod files unless their library exists; if several processes call this at once, only one compiles.

    Returns:
        Path of the library.

    Raises:
        MechanismError: without compiler or write access, or if a .mod file does not
            compile; the message gives the file and the compiler's last lines.
    """
    return ensure()[0]


def ensure() -> tuple[Path, bool]:
    """As `build`, but gives the library and whether this call compiled it."""
    return cache.obtain(library_name(), _compile)


def loaded() -> bool:
    """Whether NEURON holds the mechanisms in this process."""
    return _loaded is not None


def load() -> Path:
    """Load the mechanisms into NEURON, compiling them first if necessary; a second call does nothing.

    Returns:
        Path of the loaded library.

    Raises:
        MechanismError: as `build`, or if NEURON already has mechanisms of these names, or
            does not have them all afterwards.
    """
    global _loaded
    if _loaded is not None:
        return _loaded
    path = build()
    h = neuron_h()
    own = names()
    clash = [name for name in own if hasattr(h, name)]
    if clash:
        raise MechanismError(
            f"NEURON already has another mechanism '{clash[0]}', loaded from {_foreign_library()}: "
            "remove that folder, or call tianbao.mechanisms.load() before anything imports neuron"
        )
    try:
        with cache.plain(path) as readable:
            loaded = h.nrn_load_dll(str(readable))
    except RuntimeError as error:
        said = str(error).rpartition("hoc_execerror: ")[2]
        folder = paths.data_root() / "mod"
        raise MechanismError(f"NEURON refuses a name in the files of {folder}: {said}; rename it there") from error
    if loaded != 1.0:
        raise MechanismError(f"NEURON could not load {path}: delete its folder and run again")
    missing = [name for name in own if not hasattr(h, name)]
    if missing:
        raise MechanismError(f"{path} lacks '{missing[0]}': delete its folder and run again")
    _loaded = path
    return path


def neuron_h():
    """NEURON's `h`, imported outside the current directory, which may contain a compiled library.

    Returns:
        The object `neuron.h`.

    Limitations: the first call changes the current directory while NEURON is imported; other threads see that.
    """
    if "neuron" in sys.modules:
        from neuron import h

        return h
    # Without a display NEURON warns at every start that it cannot open windows.
    os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")
    # NEURON loads ./<machine>/libnrnmech when it is imported and has no option to prevent it: ours has none.
    here = os.open(".", getattr(os, "O_PATH", os.O_RDONLY))
    os.chdir(Path(__file__).parent)
    try:
        from neuron import h
    finally:
        os.fchdir(here)
        os.close(here)
    return h


def _foreign_library() -> str:
    """Folder of the mechanisms that were loaded before ours."""
    maps = Path("/proc/self/maps")
    if maps.exists():
        loaded = re.findall(r"(/.*libnrnmech\S*)", maps.read_text(encoding="utf-8", errors="replace"))
        if loaded:
            return str(Path(loaded[0]).parent)
    return str(Path.cwd() / platform.machine())


def _compile(work: Path) -> Path:
    """Compile in an empty folder; gives the library there."""
    command = _nrnivmodl()
    names()  # what NEURON would refuse is said before half a minute has passed
    log.info("compiling %d mechanisms, once (about half a minute)", len(sources()))
    (work / "mod").mkdir()
    for path in sources():
        shutil.copy(path, work / "mod")
    environment = {"MAKEFLAGS": f"-j{os.cpu_count() or 1}", **os.environ}
    started = [command] if cache.is_plain(Path(command)) else _linked(command, work, environment)
    run = subprocess.run(
        [*started, "mod"], cwd=work, env=environment, check=False,
        capture_output=True, encoding="utf-8", errors="replace",
    )  # fmt: skip
    compiled = next(work.glob("*/libnrnmech.*"), None)
    if run.returncode or compiled is None:
        raise MechanismError(_failure(run.stderr or run.stdout))
    return compiled


def _linked(command: str, work: Path, environment: dict[str, str]) -> list[str]:
    """nrnivmodl of a NEURON whose folder make cannot read: links to both, in a folder that it can read."""
    links = work / "links"
    links.mkdir()
    (links / "neuron").symlink_to(Path(find_spec("neuron").origin).parent)
    (links / "nrnivmodl").symlink_to(command)
    environment["PYTHONPATH"] = os.pathsep.join([str(links), *filter(None, [environment.get("PYTHONPATH")])])
    return [sys.executable, str(links / "nrnivmodl")]


def _nrnivmodl() -> str:
    """Path of nrnivmodl, after checking its requirements."""
    command = shutil.which("nrnivmodl", path=sysconfig.get_path("scripts")) or shutil.which("nrnivmodl")
    if command is None:
        raise MechanismError(f"nrnivmodl not found next to {sys.executable}: run pip install neuron")
    if shutil.which("make") is None:
        raise MechanismError("make not found: install it (Debian: build-essential; macOS: xcode-select --install)")
    compiler = shlex.split(os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "c++")[0]
    if shutil.which(compiler) is None:
        raise MechanismError(
            f"C++ compiler '{compiler}' not found: install one (Debian: build-essential; macOS: "
            "xcode-select --install) or set CXX"
        )
    return command


def _failure(output: str) -> str:
    """Message for a failed compilation: the file that failed and the compiler's last lines."""
    # The output of the compiler is followed by a traceback of the wrapper.
    output = re.sub(r"\x1b\[[0-9;]*m", "", output.split("Traceback (most recent call last)")[0])
    blamed = _GIVEN_UP.search(output)
    where = f"mod/{blamed.group(1)}.mod" if blamed else "a .mod file"
    lines = [line for line in output.splitlines() if line.strip() and not _NOISE.match(line)]
    return "\n".join([f"{where} does not compile; correct it and run again. Compiler output:", *lines[-_SHOWN_LINES:]])
