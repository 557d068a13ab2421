"""Compiles C once per content and machine, loads it, and gives it memory."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import logging
import os
import platform
import shlex
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from .errors import MechanismError
from .mechanisms import cache as libraries

log = logging.getLogger(__name__)

CACHE_LINE = 64  # [bytes]
# Without trapping and errno the compiler may turn a choice into a masked vector operation.
_FLAGS = ["-O3", "-std=gnu11", "-fPIC", "-shared", "-fno-math-errno", "-fno-trapping-math", "-fopenmp-simd"]
# Tried in this order: not every compiler has the same flag for the local processor.
_TUNED = (["-march=native", "-mprefer-vector-width=512"], ["-march=native"], ["-mcpu=native"], [])


def aligned(size: int) -> np.ndarray:
    """Zeroed bytes that start on a cache line, shape (size,)."""
    raw = np.zeros(size + CACHE_LINE, np.uint8)
    start = -raw.ctypes.data % CACHE_LINE
    return raw[start : start + size]


def compiled(name: str, headers: Mapping[str, str], sources: Sequence[Path], macros: Sequence[str] = ()) -> Path:
    """Compile the last of the sources, which includes the headers and the other sources, unless it exists.

    Args:
        name: of the library.
        headers: written for this build, text by file name.
        sources: read, in any order but for the last.
        macros: to define, `NAME` or `NAME=value`.

    Returns:
        Path of the library.

    Raises:
        MechanismError: without a C compiler, or when it fails.
    """
    compiler = _compiler()
    digest = hashlib.sha256()
    texts = [*headers.values(), *(each.read_text(encoding="utf-8") for each in sources)]
    for part in (*texts, *macros, str(compiler), platform.machine(), _processor()):
        digest.update(part.encode() + b"\0")

    def make(folder: Path) -> Path:
        """Compile in an empty folder."""
        log.info("compiling '%s', once (some seconds)", name)
        for file, text in headers.items():
            (folder / file).write_text(text, encoding="utf-8")
        _compile([*compiler, *(f"-D{each}" for each in macros), f"-I{folder}"], folder / "library.so", sources[-1])
        return folder / "library.so"

    return libraries.obtain(f"{name}-{digest.hexdigest()[:12]}.so", make)[0]


def _compile(compiler: list[str], out: Path, source: Path) -> None:
    message = ""
    for tuned in _TUNED:
        command = [*compiler, *_FLAGS, *tuned, str(source), "-o", str(out), "-lm"]
        run = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
        if run.returncode == 0:
            return
        message = run.stderr
    lines = message.strip().splitlines()[-8:]
    raise MechanismError("\n".join([f"{source.name} of Tianbao does not compile; the compiler reports:", *lines]))


def is_at_hand() -> bool:
    """Whether there is a C compiler."""
    return shutil.which(_command()) is not None


def _command() -> str:
    return shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]


def _compiler() -> list[str]:
    command = [_command()]
    if shutil.which(command[0]) is None:
        raise MechanismError(
            f"C compiler '{command[0]}' not found, which the native engine and the body's step need: install one "
            "(Debian: build-essential; macOS: xcode-select --install), set CC, or run with engine 'neuron'"
        )
    return command


@cache
def _processor() -> str:
    """What -march=native depends on."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("flags"):
                return line
    return platform.processor()


def opened(path: Path) -> ctypes.CDLL:
    """A compiled library, loaded.

    Raises:
        MechanismError: if the system refuses to.
    """
    try:
        with libraries.plain(path) as readable:
            return ctypes.CDLL(str(readable))
    except OSError as error:
        raise MechanismError(
            f"cannot load {path} ({error}): set TIANBAO_MECHS to another folder, from which programs may be run"
        ) from error
