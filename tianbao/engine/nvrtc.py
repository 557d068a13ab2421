"""Compiles CUDA source by NVIDIA's NVRTC, a library that needs no graphics card."""

from __future__ import annotations

import ctypes
import importlib.util
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from ..errors import ConfigError, MechanismError

VARIABLE = "TIANBAO_NVRTC"
"""Environment variable with the path of libnvrtc, where it is not found by itself."""

THREADS = 256
"""The most threads of a block that the code is compiled for; assumed: never tuned on a card."""

# Rounded after every operation, as the twin on the processor is, so that both give the same bits.
OPTIONS = ("--fmad=false", "--ftz=false", "--prec-div=true", "--prec-sqrt=true", "--device-as-default-execution-space")
"""Given to it for every card."""


@cache
def at_hand() -> ctypes.CDLL:
    """The library.

    Raises:
        ConfigError: if there is none.
    """
    for path in _candidates():
        try:
            return ctypes.CDLL(path)
        except OSError:
            continue
    raise ConfigError(
        f"NVRTC, which compiles for a graphics card, is not there: pip install 'tianbao[cuda]', or set {VARIABLE} to "
        "the path of libnvrtc.so"
    )


def _candidates() -> list[str]:
    """Paths to try: the one that is given, the package's, the system's."""
    if given := os.environ.get(VARIABLE):
        return [given]
    found: list[str] = []
    try:
        package = importlib.util.find_spec("nvidia.cuda_nvrtc")
    except ModuleNotFoundError:
        package = None
    for folder in (package.submodule_search_locations or ()) if package else ():
        found += sorted(map(str, Path(folder, "lib").glob("libnvrtc.so*")))
    return [*found, "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"]


def version() -> tuple[int, int]:
    """Its version, such as (12, 9)."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    _check(at_hand().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)))
    return major.value, minor.value


def architectures() -> list[int]:
    """Compute capabilities that it compiles for, such as 90 for 9.0, in increasing order."""
    library, count = at_hand(), ctypes.c_int()
    _check(library.nvrtcGetNumSupportedArchs(ctypes.byref(count)))
    found = (ctypes.c_int * count.value)()
    _check(library.nvrtcGetSupportedArchs(found))
    return sorted(found)


def compiled(sources: Mapping[str, str], main: str, macros: Sequence[str], architecture: str) -> tuple[bytes, str]:
    """Compile one file.

    Args:
        sources: text by name, of the file and of what it includes.
        main: name of the file.
        macros: to define, `NAME` or `NAME=value`.
        architecture: "sm_90" for the machine code of a card, "compute_90" for PTX, which a driver translates.

    Returns:
        The code, and what the compiler has said.

    Raises:
        ConfigError: without NVRTC.
        MechanismError: with its message, if it does not compile.
    """
    library, program = at_hand(), ctypes.c_void_p()
    included = {name: text for name, text in sources.items() if name != main}
    texts, names = (_strings(each) for each in (included.values(), included.keys()))
    _check(
        library.nvrtcCreateProgram(
            ctypes.byref(program), sources[main].encode(), main.encode(), len(included), texts, names
        )
    )
    try:
        options = (f"--gpu-architecture={architecture}", *OPTIONS, f"-DTHREADS={THREADS}", *(f"-D{m}" for m in macros))
        status = library.nvrtcCompileProgram(program, len(options), _strings(options))
        said = _got(library, "ProgramLog", program).rstrip(b"\0").decode(errors="replace").strip()
        if status:
            lines = [each for each in said.splitlines() if "error" in each][:8] or said.splitlines()[-8:]
            raise MechanismError("\n".join([f"{main} of Tianbao does not compile for {architecture}:", *lines]))
        return _got(library, "CUBIN" if architecture.startswith("sm_") else "PTX", program), said
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def _got(library: ctypes.CDLL, what: str, program: ctypes.c_void_p) -> bytes:
    size = ctypes.c_size_t()
    _check(getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
    text = ctypes.create_string_buffer(size.value)
    _check(getattr(library, f"nvrtcGet{what}")(program, text))
    return text.raw


def _strings(texts) -> ctypes.Array:
    found = [each.encode() for each in texts]
    return (ctypes.c_char_p * len(found))(*found)


def _check(status: int) -> None:
    if status:
        message = at_hand().nvrtcGetErrorString
        message.restype = ctypes.c_char_p
        raise MechanismError(f"NVRTC reports {message(status).decode()}")
