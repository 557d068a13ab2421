"""How much a file may ask of this computer: what it unpacks to is bounded before and while it is read."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

_SMALL = 128 * 2**20  # [bytes] that any file may unpack to
_UNPACKED = 32  # bytes of content per byte of file; numbers of a simulation pack two to four times
_OVERHEAD = 64 * 2**20  # [bytes] of the reader itself
_STATUS = Path("/proc/self/statm")


def largest_content(size: int) -> int:
    """The most that the content of a file may take in memory.

    Args:
        size: of the file [bytes].

    Returns:
        Bytes: 128 MiB, or 32 times the file.
    """
    return max(_SMALL, _UNPACKED * size)


@contextlib.contextmanager
def bounded_memory(content: int) -> Iterator[None]:
    """Let this process grow by twice the content and 64 MiB at most while the block runs; beyond, allocations fail.

    What a file declares can be checked, but not what a packed chunk or a text of any length makes the library
    allocate. Only Linux says how large the process is; elsewhere the block runs without a bound.

    Args:
        content: bytes that the block may keep.
    """
    try:
        now = int(_STATUS.read_text().split()[0]) * resource.getpagesize()
    except (OSError, ValueError):
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    wanted = now + 2 * content + _OVERHEAD
    ceilings = [each for each in before if each != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min([wanted, *ceilings]), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
