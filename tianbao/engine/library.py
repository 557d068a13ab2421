"""Compiles the engine once per content and loads it."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

from .. import compiler, mechanisms
from ..mechanisms import mod_files
from .emit import header
from .kinds import Kind, kinds
from .mechanism import Mechanism, understand
from .nmodl import parse

REALS = {
    "f64": ("double", ctypes.c_double),
    "f32": ("float", ctypes.c_float),
    "f64-tables": ("double", ctypes.c_double),
    "f32-tables": ("float", ctypes.c_float),
}
"""What the engine can be compiled for: double or single precision, rates computed or read from tables."""

SOURCES = [Path(__file__).with_name(name) for name in ("simd.c", "kernel.c")]
"""What is compiled, the last of them."""

BLOCK = Path(__file__).with_name("block.c")
"""The same for a block of threads per worm."""


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
    macros = [f"REAL={REALS[precision][0]}", *(["TABLES"] if precision.endswith("tables") else [])]
    return compiler.compiled(f"native-{precision}", {"mechanisms.h": text}, SOURCES, macros)


def load(precision: str = "f64", given: tuple[Kind, ...] | None = None) -> ctypes.CDLL:
    """The compiled engine.

    Raises:
        MechanismError: as `build`.
    """
    return compiler.opened(build(precision, given))
