"""Compiles the engine once per content and loads it."""

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

from .. import mechanisms
from ..errors import MechanismError
from ..mechanisms import cache as libraries
from ..mechanisms import mod_files
from .emit import header
from .kinds import Kind, kinds
from .mechanism import Mechanism, understand
from .nmodl import parse

log = logging.getLogger(__name__)

REALS = {
    "f64": ("double", ctypes.c_double),
    "f32": ("float", ctypes.c_float),
    "f64-tables": ("double", ctypes.c_double),
    "f32-tables": ("float", ctypes.c_float),
}
"""What the engine can be compiled for: double or single precision, rates computed or read from tables."""

_KERNEL = Path(__file__).with_name("kernel.c")
# Without trapping and errno the compiler may turn a choice into a masked vector operation.
_FLAGS = ["-O3", "-std=gnu11", "-fPIC", "-shared", "-fno-math-errno", "-fno-trapping-math", "-fopenmp-simd"]
# Tried in this order: not every compiler has the same flag for the local processor.
_TUNED = (["-march=native", "-mprefer-vector-width=512"], ["-march=native"], ["-mcpu=native"], [])


@cache
def understood() -> tuple[Mechanism, ...]:
    """Every mechanism of mod/.

    Raises:
        MechanismError: for a construct that the native engine has no code for.
    """
    return tuple(understand(parse(mod_files.text(path), path.name)) for path in mechanisms.mechanism_files())


@cache
def all_kinds() -> tuple[Kind, ...]:
    """Every variant of every mechanism, in the order of the compiled table."""
    return tuple(kinds(understood()))


def build(precision: str = "f64", given: tuple[Kind, ...] | None = None) -> Path:
    """Compile the engine unless its library exists.

    Args:
        precision: one of `REALS`.
        given: kinds to compile in; those of mod/ when None.

    Returns:
        Path of the library.

    Raises:
        MechanismError: without a C compiler, or when it fails.
    """
    text = header(list(given if given is not None else all_kinds()), precision.endswith("tables"))
    return compiled("native", {"mechanisms.h": text}, [_KERNEL], precision)


def compiled(name: str, headers: Mapping[str, str], sources: Sequence[Path], precision: str) -> Path:
    """Compile the last of the sources, which includes the headers and the other sources, unless it exists.

    Raises:
        MechanismError: as `build`.
    """
    compiler = _compiler()
    digest = hashlib.sha256()
    texts = [*headers.values(), *(each.read_text(encoding="utf-8") for each in sources)]
    for part in (*texts, precision, str(compiler), platform.machine(), _processor()):
        digest.update(part.encode() + b"\0")

    def make(folder: Path) -> Path:
        """Compile in an empty folder."""
        log.info("compiling the native engine, once (some seconds)")
        for file, text in headers.items():
            (folder / file).write_text(text, encoding="utf-8")
        _compile(compiler, folder, folder / "engine.so", precision, sources[-1])
        return folder / "engine.so"

    return libraries.obtain(f"{name}-{precision}-{digest.hexdigest()[:12]}.so", make)[0]


def _compile(compiler: list[str], folder: Path, out: Path, precision: str, source: Path) -> None:
    message = ""
    for tuned in _TUNED:
        command = [*compiler, *_FLAGS, *tuned, f"-DREAL={REALS[precision][0]}", f"-I{folder}", str(source)]
        command += ["-DTABLES"] if precision.endswith("tables") else []
        run = subprocess.run(
            [*command, "-o", str(out), "-lm"], capture_output=True, encoding="utf-8", errors="replace", check=False
        )
        if run.returncode == 0:
            return
        message = run.stderr
    lines = message.strip().splitlines()[-8:]
    raise MechanismError("\n".join(["the native engine does not compile; the compiler reports:", *lines]))


def _compiler() -> list[str]:
    command = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[:1]
    if shutil.which(command[0]) is None:
        raise MechanismError(
            f"C compiler '{command[0]}' not found, which the native engine needs: install one (Debian: "
            "build-essential; macOS: xcode-select --install), set CC, or run with engine 'neuron'"
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


def load(precision: str = "f64", given: tuple[Kind, ...] | None = None) -> ctypes.CDLL:
    """The compiled engine.

    Raises:
        MechanismError: as `build`.
    """
    return opened(build(precision, given))


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
