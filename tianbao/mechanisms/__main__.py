"""`python -m tianbao.mechanisms` compiles mod/ for NEURON, and the native engine, before a first run has to."""

from __future__ import annotations

import sys
import time

from .. import streams
from ..engine import library
from ..errors import MechanismError
from . import ensure, sources


def main() -> int:
    """Compile and print in one line what was done; exit status 1 with the reason on failure."""
    streams.steady()
    start = time.perf_counter()
    try:
        path, compiled = ensure()
        count = len(sources())
    except MechanismError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    native = _native_engine()
    if compiled:
        sys.stdout.write(f"compiled {count} files in {time.perf_counter() - start:.1f} s into {path.parent}\n")
    else:
        sys.stdout.write(f"up to date: {count} files in {path.parent}\n")
    sys.stdout.write(f"{native}\n")
    return 0


def _native_engine() -> str:
    """Compile the native engine as well; returns one line that says whether it is available."""
    try:
        for precision in ("f64", "f32"):
            library.build(precision)
    except MechanismError as error:
        return f"the native engine is not available, only NEURON: {error}"
    return "native engine ready"


if __name__ == "__main__":
    sys.exit(main())
