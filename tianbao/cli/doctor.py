"""`tianbao doctor`: check that everything needed for a run is installed, and say how to fix what is not."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from ..errors import TianbaoError
from .session import EXIT_FAILED, add_command

_PYTHON = ((3, 11), (3, 14))
_LEAST_DISK_GB = 1.0
_EXTRAS = {
    "view": "pyvista",
    "report": "trimesh",
    "nwb": "pynwb",
    "neuroml": "pyneuroml",
    "ray": "ray",
}


@dataclass(frozen=True)
class Finding:
    """One line: what was checked, whether it is good (None: not needed), what was found or how to fix it."""

    what: str
    good: bool | None
    message: str


def register(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    add_command(
        commands, "doctor", _doctor, "check python, compiler, mechanisms, backend, display and disk",
        "tianbao doctor",
    )  # fmt: skip


def _doctor(args: argparse.Namespace) -> int:
    good = True
    for check in (_python, _packages, _compiler, _mechanisms, _native, _backend, _display, _video, _disk, _extras):
        for finding in check():
            mark = {True: "ok", False: "MISSING", None: "-"}[finding.good]
            print(f"{finding.what:12s} {mark:8s} {finding.message}", flush=True)
            good = good and finding.good is not False
    print("everything needed for a run is installed" if good else "something is missing: see the lines above")
    return 0 if good else EXIT_FAILED


def _python() -> Iterator[Finding]:
    low, high = _PYTHON
    good = low <= sys.version_info[:2] < high
    found = f"{platform.python_version()} at {sys.executable}, {platform.system()} {platform.machine()}"
    yield Finding("python", good, found if good else f"{found}; install Python 3.11, 3.12 or 3.13")


def _packages() -> Iterator[Finding]:
    for each in requires("tianbao") or ():
        if "extra ==" in each:
            continue
        name = each.split(">")[0].split("<")[0].split("=")[0].strip()
        try:
            yield Finding(name, True, version(name))
        except PackageNotFoundError:
            yield Finding(name, False, f"pip install '{each}'")


def _compiler() -> Iterator[Finding]:
    found = next(filter(None, map(shutil.which, (os.environ.get("CXX", "g++"), "c++", "clang++"))), None)
    todo = "install g++ (Debian: build-essential; macOS: xcode-select --install)"
    yield Finding("compiler", found is not None, found or todo)


def _mechanisms() -> Iterator[Finding]:
    from .. import mechanisms

    try:
        library, compiled = mechanisms.ensure()
    except TianbaoError as error:
        yield Finding("mechanisms", False, str(error))
        return
    yield Finding("mechanisms", True, _told(library, ", just compiled" if compiled else ""))


def _native() -> Iterator[Finding]:
    from ..engine.library import build

    try:
        yield Finding("native", True, _told(build()))
    except TianbaoError as error:
        yield Finding("native", None, f"only engine neuron is available: {error}")


def _told(library: Path, note: str = "") -> str:
    """Where a library is, and whether it had to be replaced."""
    from ..mechanisms import cache

    return f"{library}{', compiled again: the one there had been changed' if library in cache.replaced else note}"


def _backend() -> Iterator[Finding]:
    from .. import backend

    try:
        backend.start("cpu", 1)
    except TianbaoError as error:
        yield Finding("backend", False, str(error))
        return
    yield Finding("backend", True, f"{backend.ti.__name__} on the processor")
    kept = backend.kernel_cache()
    todo = "none: every run compiles its kernels first; set XDG_CACHE_HOME to a folder that can be written to"
    yield Finding("cache", True if kept else None, str(kept) if kept else todo)


def _display() -> Iterator[Finding]:
    present = sys.platform == "darwin" or any(os.environ.get(each) for each in ("DISPLAY", "WAYLAND_DISPLAY"))
    yield Finding("display", True if present else None, "present" if present else "none: not needed for plots and "
                  "videos; use tianbao view with --screenshot")  # fmt: skip


def _video() -> Iterator[Finding]:
    from ..view.video import ffmpeg_available

    good = ffmpeg_available()
    todo = "none: videos will be GIFs; install it for MP4"
    yield Finding("ffmpeg", True if good else None, "present" if good else todo)


def _disk() -> Iterator[Finding]:
    for name, folder in (("disk here", Path.cwd()), ("disk temp", Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(folder).free / 1e9
        good = free > _LEAST_DISK_GB and os.access(folder, os.W_OK)
        yield Finding(name, good, f"{free:.1f} GB free in {folder}" + ("" if good else ": free some space"))


def _extras() -> Iterator[Finding]:
    for extra, package in _EXTRAS.items():
        try:
            yield Finding(package, True, f"{version(package)} (extra {extra})")
        except PackageNotFoundError:
            yield Finding(package, None, f"optional: pip install 'tianbao[{extra}]'")
